"""The band grid means the same at every rate and gives back what it was given."""

import numpy as np
import pytest

from recomposer_studio.audio.bands import BANDS, BandGrid, band_centres_hz

RATES = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 192_000)


@pytest.mark.parametrize("rate_hz", RATES)
def test_istft_gives_back_the_samples(rate_hz: int) -> None:
    grid = BandGrid.at(rate_hz)
    start, stop = grid.span(-3, 40)
    samples = np.random.default_rng(rate_hz).standard_normal((2, stop - start))
    again = grid.istft(grid.stft(samples))
    inner = slice(grid.n_fft, -grid.n_fft)
    np.testing.assert_allclose(again[:, inner], samples[:, inner], atol=1e-12)


@pytest.mark.parametrize("rate_hz", RATES)
def test_bands_to_bins_keeps_a_constant(rate_hz: int) -> None:
    bins = BandGrid.at(rate_hz).to_bins(np.full((BANDS, 3), 0.25))
    np.testing.assert_allclose(bins, 0.25, rtol=1e-12)


@pytest.mark.parametrize("rate_hz", RATES[4:])
def test_power_of_a_sine_is_the_same_at_every_rate(rate_hz: int) -> None:
    grid = BandGrid.at(rate_hz)
    start, stop = grid.span(10, 20)
    sine = 0.5 * np.sin(2 * np.pi * 1000.0 * np.arange(start, stop) / rate_hz)
    power = grid.power(grid.stft(sine))
    loudest = int(power.mean(axis=1).argmax())
    assert abs(band_centres_hz()[loudest] - 1000.0) < 60.0
    # A full-scale sine has magnitude 1 in its bin; a periodic Hann window puts half of that into each neighbour: 1.5 in power.
    assert power.sum(axis=0).mean() == pytest.approx(0.25 * 1.5, rel=0.02)


def test_every_band_holds_a_bin_up_to_16_khz() -> None:
    for rate_hz in (32_000, 44_100, 48_000, 192_000):
        grid = BandGrid.at(rate_hz)
        start, stop = grid.span(0, 8)
        power = grid.power(grid.stft(np.random.default_rng(1).standard_normal(stop - start)))
        assert (power > 0).all()


def test_frames_lie_on_an_absolute_grid() -> None:
    grid = BandGrid.at(44_100)
    signal = np.random.default_rng(2).standard_normal(44_100)
    early, late = grid.span(5, 30), grid.span(12, 10)
    whole = grid.stft(signal[early[0] : early[1]])
    part = grid.stft(signal[late[0] : late[1]])
    np.testing.assert_array_equal(whole[7:17], part)
