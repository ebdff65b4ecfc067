"""The cases of EBU Tech 3341, table 1, shortened, and what lies beside them."""

import numpy as np
import pytest

from recomposer_studio.audio.loudness import SILENT_LUFS, channel_weights, k_weighted, loudness_lufs


def sine(levels_db: list[tuple[float, float]], channels: int, rate_hz: int, hz: float = 1000.0) -> np.ndarray:
    """A sine on all channels: (level in dBFS, seconds) after each other."""
    gains = np.concatenate([np.full(round(seconds * rate_hz), 10 ** (db / 20)) for db, seconds in levels_db])
    return np.tile(gains * np.sin(2 * np.pi * hz * np.arange(len(gains)) / rate_hz), (channels, 1))


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000, 96_000])
def test_a_sine_at_minus_23_is_minus_23(rate_hz):
    assert loudness_lufs([sine([(-23.0, 3.0)], 2, rate_hz, 997.0)], rate_hz) == pytest.approx(-23.0, abs=0.1)


def test_full_scale_on_one_channel_is_minus_3():
    assert loudness_lufs([sine([(0.0, 2.0)], 1, 48_000, 997.0)], 48_000) == pytest.approx(-3.01, abs=0.02)


@pytest.mark.parametrize(
    "levels",
    [
        [(-36.0, 2.5), (-23.0, 15.0), (-36.0, 2.5)],
        [(-72.0, 2.5), (-36.0, 2.5), (-23.0, 15.0), (-36.0, 2.5), (-72.0, 2.5)],
        [(-26.0, 5.0), (-20.0, 5.025), (-26.0, 5.0)],
    ],
)
def test_both_gates(levels):
    assert loudness_lufs([sine(levels, 2, 48_000)], 48_000) == pytest.approx(-23.0, abs=0.1)


def test_five_channels_are_weighted():
    tones = sine([(0.0, 3.0)], 5, 48_000) * 10 ** (np.array([-28, -28, -24, -30, -30])[:, None] / 20)
    assert loudness_lufs([tones], 48_000) == pytest.approx(-23.0, abs=0.1)
    assert channel_weights(6)[3] == 0.0


def test_pieces_are_measured_as_if_they_followed_each_other():
    whole = sine([(-20.0, 4.0)], 2, 48_000)
    pieces = [whole[:, :48_000], whole[:, 48_000:60_000], whole[:, 60_000:]]
    assert loudness_lufs(pieces, 48_000) == pytest.approx(loudness_lufs([whole], 48_000), abs=0.02)


def test_below_a_block_it_is_the_mean_square():
    short = sine([(-20.0, 0.3)], 2, 48_000)
    assert loudness_lufs([short[:, :7_000], short[:, 7_000:]], 48_000) == pytest.approx(-23.01, abs=0.01)


@pytest.mark.parametrize("pieces", [[], [np.zeros((2, 0))], [np.zeros((2, 100))], [np.zeros((2, 48_000))]])
def test_silence_has_a_number(pieces):
    assert loudness_lufs(pieces, 48_000) == SILENT_LUFS


def test_the_filter_is_the_recursion_of_the_recommendation():
    # Coefficients as printed in ITU-R BS.1770-5, annex 1, for 48 kHz.
    stages = (
        ((1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585)),
        ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621)),
    )
    signal = np.random.default_rng(2).standard_normal(2_000)
    want = signal
    for (b0, b1, b2), (a1, a2) in stages:
        given, out = want, np.zeros_like(want)
        for n in range(len(given)):
            out[n] = b0 * given[n]
            out[n] += b1 * given[n - 1] - a1 * out[n - 1] if n > 0 else 0.0
            out[n] += b2 * given[n - 2] - a2 * out[n - 2] if n > 1 else 0.0
        want = out
    np.testing.assert_allclose(k_weighted(signal[None], 48_000)[0], want, atol=1e-9)
