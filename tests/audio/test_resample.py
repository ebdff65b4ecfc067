"""Resampling keeps time, level and length."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.audio.resample import common_grid, resample

PAIRS = [(44_100, 32_000), (32_000, 44_100), (48_000, 16_000), (16_000, 48_000), (8_000, 192_000), (192_000, 8_000)]


@pytest.mark.parametrize(
    ("rates", "steps"),
    [
        ((44_100, 32_000), (441, 320)),
        ((48_000, 16_000), (3, 1)),
        ((16_000, 16_000), (1, 1)),
        ((44_100, 48_000), (147, 160)),
    ],
)
def test_common_grid(rates: tuple[int, int], steps: tuple[int, int]) -> None:
    assert common_grid(*rates) == steps


@given(st.integers(1, 200_000), st.integers(1, 200_000))
@settings(deadline=None, derandomize=True)
def test_the_steps_of_the_common_grid_last_equally_long_and_are_the_smallest(a: int, b: int) -> None:
    step_a, step_b = common_grid(a, b)
    assert step_a * b == step_b * a
    assert np.gcd(step_a, step_b) == 1


@given(
    frames=st.integers(0, 3_000),
    rates=st.sampled_from([*PAIRS, (44_100, 48_000), (11_025, 96_000), (44_100, 44_101)]),
    channels=st.integers(1, 3),
)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_the_length_is_the_nearest_one(frames: int, rates: tuple[int, int], channels: int) -> None:
    result = resample(np.ones((channels, frames)), *rates)
    exact = frames * rates[1] / rates[0]
    assert result.shape[0] == channels
    assert abs(result.shape[1] - exact) <= 0.5
    assert result.flags.c_contiguous


def pulse(at_s: float, frames: int, rate_hz: int, width_s: float) -> np.ndarray:
    return np.exp(-0.5 * ((np.arange(frames) / rate_hz - at_s) / width_s) ** 2)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_pulse_keeps_its_time_and_shape(from_hz: int, to_hz: int) -> None:
    width_s = 1.5 / min(from_hz, to_hz) * 2
    x = pulse(0.05, from_hz // 10, from_hz, width_s)[None]
    expected = pulse(0.05, to_hz // 10, to_hz, width_s)[None]
    np.testing.assert_allclose(resample(x, from_hz, to_hz), expected, atol=1e-4)


@pytest.mark.parametrize(("from_hz", "to_hz"), PAIRS)
def test_a_sine_keeps_its_phase(from_hz: int, to_hz: int) -> None:
    t_from, t_to = np.arange(from_hz // 4) / from_hz, np.arange(to_hz // 4) / to_hz
    result = resample(np.sin(2 * np.pi * 1_000 * t_from)[None], from_hz, to_hz)[0]
    middle = slice(to_hz // 16, to_hz * 3 // 16)
    np.testing.assert_allclose(result[middle], np.sin(2 * np.pi * 1_000 * t_to)[middle], atol=1e-5)


@pytest.mark.parametrize(("project_hz", "model_hz"), [(44_100, 32_000), (48_000, 32_000), (96_000, 16_000)])
def test_a_window_that_starts_on_the_common_grid_does_not_shift(project_hz: int, model_hz: int) -> None:
    """A sound cut out anywhere on the grid, brought to the model's rate and back, lies where it was."""
    whole = pulse(0.5, project_hz, project_hz, 3 / model_hz)
    step, model_step = common_grid(project_hz, model_hz)
    for start_s in (0.3, 0.35, 0.4012):
        k = int(start_s * project_hz / step)
        window = whole[k * step : k * step + project_hz // 4][None]
        back = resample(resample(window, project_hz, model_hz), model_hz, project_hz)[0]
        expected = whole[k * step : k * step + len(back)]
        np.testing.assert_allclose(back, expected, atol=1e-3)
        at_model = resample(window, project_hz, model_hz)[0]
        assert abs((k * model_step + int(at_model.argmax())) / model_hz - 0.5) <= 0.5 / model_hz


def test_the_same_bytes_every_time() -> None:
    x = np.random.default_rng(0).standard_normal((2, 5_000))
    assert resample(x, 44_100, 32_000).tobytes() == resample(x.copy(order="F"), 44_100, 32_000).tobytes()


def test_channels_do_not_touch_each_other() -> None:
    x = np.zeros((3, 2_000))
    x[1] = np.random.default_rng(0).standard_normal(2_000)
    together = resample(x, 48_000, 44_100)
    assert not together[[0, 2]].any()
    np.testing.assert_array_equal(together[1:2], resample(x[1:2], 48_000, 44_100))


def test_equal_rates_give_a_copy() -> None:
    x = np.random.default_rng(0).standard_normal((2, 50))
    result = resample(x, 32_000, 32_000)
    np.testing.assert_array_equal(result, x)
    assert not np.shares_memory(result, x)


@pytest.mark.parametrize("bad", [(0, 1), (1, 0), (-1, 5)])
def test_rates_have_to_be_positive(bad: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="positive"):
        resample(np.zeros((1, 5)), *bad)


def test_one_dimension_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(channels, frames\)"):
        resample(np.zeros(5), 1, 2)
