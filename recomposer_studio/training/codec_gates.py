"""What a codec has to show before anything is trained on its tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.codec.interface import Codec
from recomposer_studio.codec.mel_rvq import log_bands
from recomposer_studio.training.codebooks import usage_entropy

_ENTROPY, _AGREEMENT = 0.9, 0.85
_LOUDEST = 20.0
_ODD_S = 0.25


@dataclass(frozen=True)
class Gates:
    """Measured properties of a codec.

    Attributes:
        entropy: of every level's code usage as a share of that of even usage, (levels,).
        frames: token frames that it was counted on; few of them cannot show more than log(frames).
        distortion: mean difference of log band powers in nepers with the first 1, 2, ... levels, (levels,).
        agreement: share of level-0 codes that survive decoding and encoding again.
        odd: loudest sample that each odd sound decodes to, by name; NaN where something was not finite.
    """

    entropy: NDArray[np.float64]
    frames: int
    distortion: NDArray[np.float64]
    agreement: float
    odd: dict[str, float]

    def lines(self) -> list[str]:
        """A line for every gate: what was measured, what is wanted, and whether it is met."""
        odd = ", ".join(f"{name} {_decibels(peak)}" for name, peak in self.odd.items())
        finite = all(np.isfinite(peak) and peak < _LOUDEST for peak in self.odd.values())
        return [
            f"gate usage: {_row(self.entropy)} of log K on {self.frames} frames, wanted {_ENTROPY} on every level: "
            + _verdict(bool((self.entropy > _ENTROPY).all())),
            f"gate levels: log-band error {_row(self.distortion)} Np with 1 to {len(self.distortion)} levels, "
            f"wanted less with every level: {_verdict(bool((np.diff(self.distortion) < 0).all()))}",
            f"gate round trip: {self.agreement:.0%} of the level-0 codes survive decoding and encoding, wanted {_AGREEMENT:.0%}: "
            + _verdict(self.agreement > _AGREEMENT),
            f"gate odd sounds: peaks {odd}, wanted finite: {_verdict(finite)}",
        ]


def measure_gates(codec: Codec, sounds: Sequence[NDArray[np.floating]], decoded: int = 8) -> Gates:
    """Measures a codec.

    Args:
        codec: of any kind.
        sounds: mono sounds at its rate, each at least a token frame long.
        decoded: so many of them, spread over all, are decoded too.
    """
    tokens = [codec.encode(sound) for sound in sounds]
    whole = np.concatenate(tokens, axis=1)
    chosen = np.unique(np.linspace(0, len(sounds) - 1, min(decoded, len(sounds))).astype(np.int64))
    errors = np.zeros(codec.levels)
    same, count = 0, 0
    for number in chosen:
        code = tokens[number]
        padded = np.pad(sounds[number], (0, code.shape[1] * codec.hop - len(sounds[number])))
        wanted = log_bands(padded, codec.rate_hz)
        for level in range(codec.levels):
            wave = codec.decode(code[: level + 1])
            errors[level] += np.abs(log_bands(wave, codec.rate_hz) - wanted).mean() / len(chosen)
        same += int((codec.encode(wave)[0] == code[0]).sum())
        count += code.shape[1]
    entropy = usage_entropy(whole, codec.codebooks.shape[1])
    return Gates(entropy, whole.shape[1], errors, same / count, _odd_peaks(codec))


def _odd_peaks(codec: Codec) -> dict[str, float]:
    samples = round(_ODD_S * codec.rate_hz)
    time = np.arange(samples)
    odd = {
        "silence": np.zeros(samples),
        "click": np.eye(1, samples, samples // 2)[0],
        "constant": np.ones(samples),
        "square at full scale": np.sign(np.sin(0.1 * time + 0.05)),
    }
    return {name: float(np.abs(codec.decode(codec.encode(wave))).max()) for name, wave in odd.items()}


def _row(values: NDArray[np.float64]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def _decibels(peak: float) -> str:
    return f"{20.0 * np.log10(max(peak, 1e-6)):.0f} dB" if np.isfinite(peak) else "not finite"


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"
