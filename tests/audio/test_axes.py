"""One transform for image, labels and boxes: it inverts, it is monotonic, and its labels stand where they say."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.audio.axes import FrequencyAxis, TimeAxis


@given(st.floats(0, 24_000), st.integers(50, 500))
@settings(deadline=None, derandomize=True)
def test_frequency_and_height_invert_each_other(hz: float, pixels: int) -> None:
    axis = FrequencyAxis(24_000, pixels)
    y = axis.y(hz)
    assert -1e-9 <= y <= pixels
    assert axis.hz(np.array([y]))[0] == pytest.approx(hz, abs=1e-6)


def test_the_frequency_axis_runs_down_from_the_top_in_mel() -> None:
    axis = FrequencyAxis(8_000, 300)
    assert axis.y(8_000.0) == pytest.approx(0)
    assert axis.y(0.0) == pytest.approx(300)
    assert axis.y(1_000.0) == pytest.approx(300 * (1 - 999.985 / 2_840.023), rel=1e-5)  # HTK: 1 kHz = 999.99 mel


@pytest.mark.parametrize("rate_hz", [1_000, 8_000, 48_000, 192_000])
def test_frequency_labels_keep_their_distance(rate_hz: int) -> None:
    axis = FrequencyAxis(rate_hz / 2, 320)
    ticks = axis.ticks(20)
    heights = [axis.y(hz) for hz, _ in ticks]
    assert len(ticks) >= 3
    assert ticks[0] == (0.0, "0 Hz")
    assert all(above - below <= -20 for below, above in pairwise(heights))


@given(start_s=st.floats(0, 1e5), span_s=st.floats(1e-5, 1e5), pixels=st.integers(200, 4_000))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_time_labels_are_inside_apart_and_different(start_s: float, span_s: float, pixels: int) -> None:
    axis = TimeAxis(start_s, start_s + span_s, 100, pixels)
    ticks = axis.ticks(90)
    places = [axis.x(time_s) for time_s, _ in ticks]
    assert all(99 <= place <= 101 + pixels for place in places)
    assert all(b - a >= 89.9 for a, b in pairwise(places))
    assert len({label for _, label in ticks}) == len(ticks)


@pytest.mark.parametrize(
    ("start_s", "end_s", "labels"),
    [
        (0.0, 10.0, ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s"]),
        (0.0, 0.3, ["0.00 s", "0.05 s", "0.10 s", "0.15 s", "0.20 s", "0.25 s", "0.30 s"]),
        (0.0, 0.01, ["0 ms", "2 ms", "4 ms", "6 ms", "8 ms", "10 ms"]),
        (0.0, 90.0, ["0:00", "0:15", "0:30", "0:45", "1:00", "1:15", "1:30"]),
        (3_590.0, 3_600.0, ["0:59:50", "0:59:52", "0:59:54", "0:59:56", "0:59:58", "1:00:00"]),
        (70.0, 70.5, ["70.0 s", "70.1 s", "70.2 s", "70.3 s", "70.4 s", "70.5 s"]),
    ],
)
def test_time_labels(start_s: float, end_s: float, labels: list[str]) -> None:
    assert [label for _, label in TimeAxis(start_s, end_s, 0, 600).ticks(80)] == labels
