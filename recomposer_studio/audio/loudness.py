"""Loudness after ITU-R BS.1770-5, in numpy alone.

The two filters of the recommendation are given there for 48 kHz only. For other rates they are designed anew from the analogue
prototypes behind them (the parameters are those of libebur128 and pyloudnorm, which give the recommendation's own coefficients at
48 kHz). A recursive filter has no fast form in numpy, so the signal is filtered by the exact frequency response over a padded FFT: both impulse
responses fall below 1e-15 within a fifth of a second. That spares the dependency on SciPy, which pyloudnorm needs for this filter alone.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FloatArray = NDArray[np.float64]
_Biquad = tuple[tuple[float, float, float], tuple[float, float, float]]

BLOCK_S, STEP_S = 0.4, 0.1
ABSOLUTE_GATE_LUFS, RELATIVE_GATE_LU = -70.0, -10.0
_OFFSET_DB = -0.691
"""Makes 0 dBFS of a 997 Hz sine on one channel read -3.01 LUFS."""
_SURROUND = 1.41
"""Weight of the surround channels (BS.1770-5, table 3)."""
_PADDING_S = 0.25
SILENT_LUFS = -120.0
"""What silence is counted as."""


def channel_weights(channels: int) -> _FloatArray:
    """Weights of the channels in the order of WAVE files; layouts that the recommendation does not know count alike."""
    weights = np.ones(channels)
    if channels == 5:
        weights[3:] = _SURROUND
    elif channels == 6:
        weights[3], weights[4:] = 0.0, _SURROUND
    return weights


def k_weighted(samples: _FloatArray, rate_hz: int) -> _FloatArray:
    """Samples (channels, n) through both filters, from rest."""
    frames = samples.shape[1]
    length = _good_length(frames + round(_PADDING_S * rate_hz))
    z = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    response = np.ones_like(z)
    for b, a in (_shelf(rate_hz), _high_pass(rate_hz)):
        response *= (b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z)
    return np.fft.irfft(np.fft.rfft(samples, length, axis=1) * response, length, axis=1)[:, :frames]


def loudness_lufs(pieces: Sequence[_FloatArray], rate_hz: int) -> float:
    """Gated loudness of pieces, each (channels, n), that are measured as if they followed each other.

    Below one block of 0.4 s in all the recommendation says nothing: then it is the level of the samples' mean square in dB.
    """
    pieces = [piece for piece in pieces if piece.size]
    frames = sum(piece.shape[1] for piece in pieces)
    if not frames:
        return SILENT_LUFS
    block = round(BLOCK_S * rate_hz)
    if frames < block:
        power = sum(float((piece**2).sum()) for piece in pieces) / (frames * len(pieces[0]))
        return max(SILENT_LUFS, 10.0 * math.log10(power)) if power > 0 else SILENT_LUFS
    weights = channel_weights(len(pieces[0]))
    # Every piece is filtered by itself: a joint would be a step, which the high-pass answers.
    power_at = np.concatenate([weights @ k_weighted(piece, rate_hz) ** 2 for piece in pieces])
    sums = np.concatenate([[0.0], np.cumsum(power_at)])
    starts = np.arange(0, frames - block + 1, round(STEP_S * rate_hz))
    powers = (sums[starts + block] - sums[starts]) / block
    loud = powers[powers > _power(ABSOLUTE_GATE_LUFS)]
    if not len(loud):
        return SILENT_LUFS
    gate = _power(_lufs(float(loud.mean())) + RELATIVE_GATE_LU)
    return _lufs(float(loud[loud > gate].mean()))


def _lufs(power: float) -> float:
    return _OFFSET_DB + 10.0 * math.log10(power)


def _power(lufs: float) -> float:
    return float(10.0 ** ((lufs - _OFFSET_DB) / 10.0))


def _shelf(rate_hz: int) -> _Biquad:
    """The first filter: a high shelf of 4 dB, the head."""
    k, q = math.tan(math.pi * 1681.974450955533 / rate_hz), 0.7071752369554196
    high = 10.0 ** (3.999843853973347 / 20.0)
    middle = high**0.4996667741545416
    a0 = 1.0 + k / q + k * k
    b = (high + middle * k / q + k * k, 2.0 * (k * k - high), high - middle * k / q + k * k)
    return b, (a0, 2.0 * (k * k - 1.0), 1.0 - k / q + k * k)


def _high_pass(rate_hz: int) -> _Biquad:
    """The second filter: a high-pass at 38 Hz; its numerator is not normalised, as in the recommendation."""
    k, q = math.tan(math.pi * 38.13547087602444 / rate_hz), 0.5003270373238773
    a0 = 1.0 + k / q + k * k
    return (1.0, -2.0, 1.0), (1.0, 2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0)


def _good_length(frames: int) -> int:
    """The next length of the form 2^n or 3 * 2^n, for which the FFT is fast."""
    whole = 1 << max(1, (frames - 1).bit_length())
    return whole * 3 // 4 if whole * 3 // 4 >= frames else whole
