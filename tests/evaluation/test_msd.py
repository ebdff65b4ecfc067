"""MSD equals its definition, in every region, whatever was changed."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.msd import WINDOWS, Msd, MsdReference, log_mel, msd

RATE_HZ = 32000


def scene(seed: int, seconds: float = 2.5) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """A desired signal, an estimate that differs in one stretch, and that stretch."""
    rng = np.random.default_rng(seed)
    desired = 0.05 * rng.standard_normal(round(seconds * RATE_HZ))
    start_s = rng.uniform(0.2, 1.0)
    box = (start_s, start_s + rng.uniform(0.1, 0.8))
    estimate = desired.copy()
    a, b = (round(t * RATE_HZ) for t in box)
    estimate[a:b] = 0.4 * estimate[a:b] + 0.1 * np.sin(0.2 * np.arange(b - a))
    return desired, estimate, box


def by_the_book(desired: np.ndarray, estimate: np.ndarray, box: tuple[float, float]) -> Msd:
    """The definition again, one frame at a time and in double precision."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 16000 / 700), 66) / 2595) - 1)
    sums = {"target": 0.0, "skirt": 0.0, "nontarget": 0.0}
    for n in WINDOWS:
        freqs = np.arange(n // 2 + 1) * RATE_HZ / n
        bands = np.stack([np.interp(freqs, edges[i : i + 3], [0, 1, 0], 0, 0) for i in range(64)], axis=1)
        bands = bands[:, bands.any(axis=0)]
        found: dict[str, list[float]] = {name: [] for name in sums}
        for start in range(0, min(len(desired), len(estimate)) - n + 1, n // 4):
            logs = []
            for signal in (desired, estimate):
                piece = signal[start : start + n] * np.hanning(n + 1)[:n]
                logs.append(np.log(np.maximum(np.abs(np.fft.rfft(piece)) @ bands, 1e-3)))
            centre = (start + n / 2) / RATE_HZ
            inside = box[0] <= centre < box[1]
            near = box[0] - 0.5 <= centre < box[1] + 0.5
            found["target" if inside else "skirt" if near else "nontarget"].append(np.abs(logs[0] - logs[1]).mean())
        for name, values in found.items():
            sums[name] += float(np.mean(values)) if values else 0.0
    return Msd(**sums)


def difference(first: Msd, second: Msd) -> float:
    return max(abs(getattr(first, name) - getattr(second, name)) for name in ("target", "skirt", "nontarget"))


def test_equals_the_definition_written_out() -> None:
    desired, estimate, box = scene(1, 1.6)
    wanted = by_the_book(desired, estimate, box)
    assert wanted.target > 1
    assert wanted.skirt > 0
    assert difference(msd(desired, estimate, box), wanted) < 1e-4
    noisy = estimate + 1e-3 * np.random.default_rng(2).standard_normal(len(estimate))
    assert difference(msd(desired, noisy, box), by_the_book(desired, noisy, box)) < 1e-4


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate_hz", [32000, 48000])
def test_equals_the_shared_reference(reference: ModuleType, seed: int, rate_hz: int) -> None:
    desired, estimate, box = scene(seed)
    wanted = Msd(**reference.msd(desired, estimate, rate_hz, *box))
    assert difference(msd(desired, estimate, box, rate_hz), wanted) < 1e-4
    stereo = np.stack([desired, estimate])
    wanted = Msd(**reference.msd(stereo.T, desired, rate_hz, *box))
    assert difference(msd(stereo, desired, box, rate_hz), wanted) < 1e-4


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.integers(0, 31999), st.integers(1, 3000))
def test_frames_that_see_no_change_are_zero_and_all_others_are_computed(start: int, length: int) -> None:
    desired = 0.05 * np.random.default_rng(4).standard_normal(RATE_HZ)
    estimate = desired.copy()
    estimate[start : start + length] += 0.02
    for n, values in zip(WINDOWS, MsdReference(desired).frames(estimate), strict=True):
        whole = np.abs(log_mel(estimate, n) - log_mel(desired, n)).mean(axis=1)
        assert len(values) == len(whole)
        assert np.allclose(values, whole, atol=2e-5)


def test_one_reference_measures_many_estimates() -> None:
    desired, estimate, box = scene(3)
    held = MsdReference(desired)
    assert held.distance(desired, box) == Msd(0.0, 0.0, 0.0)
    assert held.distance(estimate, box) == msd(desired, estimate, box)
    assert held.distance(estimate[:-5000], box).target == msd(desired, estimate, box).target


def test_a_level_difference_reads_as_its_logarithm() -> None:
    desired = np.random.default_rng(0).standard_normal(RATE_HZ)
    assert msd(desired, 0.5 * desired, (0.2, 0.8)).target == pytest.approx(6 * np.log(2), abs=1e-3)


def test_useless_signals_are_refused() -> None:
    good = np.ones(4000)
    for bad in (np.zeros(0), np.full(4000, np.nan), np.ones(1000)):
        with pytest.raises(InputError):
            MsdReference(bad)
        with pytest.raises(InputError):
            MsdReference(good).distance(bad, (0.0, 0.1))
