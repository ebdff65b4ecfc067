import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recomposer_studio.studio.scale import LEAST_PART, LOWEST_LOG_HZ, FrequencyScale, ScaleKind
from recomposer_studio.studio.time_view import TimeView

KINDS = list(ScaleKind)


@given(st.sampled_from(KINDS), st.floats(LOWEST_LOG_HZ, 20_000), st.integers(50, 2000))
def test_a_frequency_comes_back_from_its_height(kind, hz, height):
    scale = FrequencyScale(kind, 22_050.0)
    assert scale.hz_at(scale.y(hz, height), height) == pytest.approx(hz, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_top_is_the_top_and_height_grows_with_frequency(kind):
    scale = FrequencyScale(kind, 16_000.0)
    hz = np.linspace(LOWEST_LOG_HZ, 16_000, 200)
    assert scale.y(16_000.0, 400) == pytest.approx(0.0)
    assert (np.diff(scale.share(hz)) > 0).all()
    assert scale.hz_at(-50, 400) == 16_000
    assert 0 <= scale.hz_at(450, 400) <= LOWEST_LOG_HZ


@pytest.mark.parametrize("kind", KINDS)
def test_labels_keep_their_distance_and_stay_inside(kind):
    scale = FrequencyScale(kind, 24_000.0)
    ys = [scale.y(hz, 300) for hz, _ in scale.ticks(300, 24)]
    assert len(ys) >= 5
    assert min(-np.diff(ys)) >= 24
    assert min(ys) >= 0 and max(ys) <= 300


@given(st.floats(0.1, 20), st.floats(0, 100), st.floats(0.01, 0.99))
def test_zooming_keeps_the_time_under_the_pointer(factor, around_s, share):
    view = TimeView()
    view.reset(100.0)
    view.show_span(around_s - 10.0 * share, 10.0)
    x = view.x(around_s, 1000)
    view.zoom(factor, around_s)
    inside = view.start_s > 0.0 and view.end_s < 100.0
    assert not inside or view.x(around_s, 1000) == pytest.approx(x, abs=1e-6)
    assert view.start_s >= 0.0 and view.end_s <= 100.0 + 1e-9


def test_revealing_moves_no_further_than_needed():
    view = TimeView()
    view.reset(60.0)
    view.show_span(10.0, 10.0)
    view.reveal(12.0, 13.0)
    assert view.start_s == 10.0
    view.reveal(25.0, 26.0)
    assert view.start_s < 25.0 and 26.0 < view.end_s < 27.0
    view.reveal(5.0, 40.0)
    assert view.start_s < 5.0 and view.end_s > 40.0


@given(st.sampled_from(KINDS), st.floats(0.2, 30), st.floats(0, 1), st.lists(st.floats(-2, 2), max_size=3))
def test_zooming_in_frequency_keeps_what_is_under_the_pointer_and_never_leaves_the_range(kind, factor, around, turns):
    scale = FrequencyScale(kind, 22_050.0)
    zoomed = scale.zoomed(factor, around)
    assert float(zoomed.hz(around)) == pytest.approx(float(scale.hz(around)), rel=1e-6, abs=1e-6)
    for turn in turns:
        zoomed = zoomed.scrolled(turn)
        assert 0.0 <= zoomed.low < zoomed.high <= 1.0
        assert zoomed.part == pytest.approx(max(1 / factor, LEAST_PART) if factor > 1 else 1.0)
    top = zoomed.reach[1]
    assert float(zoomed.hz(top)) == pytest.approx(22_050.0)
    assert zoomed.zoomed(1e-3, 0.5) == scale


@given(st.sampled_from(KINDS), st.floats(1, 40), st.floats(0, 1))
def test_labels_of_a_part_lie_inside_and_apart(kind, factor, around):
    scale = FrequencyScale(kind, 24_000.0).zoomed(factor, around)
    ticks = scale.ticks(300, 24)
    ys = [scale.y(hz, 300) for hz, _ in ticks]
    assert len(ys) >= 2
    assert min(-np.diff(ys)) >= 24 - 1e-9
    assert min(ys) >= -1e-6 and max(ys) <= 300 + 1e-6
    assert len({label for _, label in ticks}) == len(ticks)
