"""The level of an event by a model and spectral repair together; by repair alone where there is no model."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recomposer_studio.editing.regions import Window
from recomposer_studio.editing.separation import BURIED, BURIED_DB, CLEARER_DB, Separation, level_of

_ACTIVE = np.array([True, True, False, False])


def _separation(share: float, excess: float, *, kept: float = 0.0, by_repair: bool = False) -> Separation:
    shape = (1, 64, 4)
    whole = np.ones(shape)
    return Separation(Window(0, 4), whole, share * whole, share * whole, excess * whole, kept * whole, by_repair)


def _decibels(power: float) -> float:
    return float(10.0 * np.log10(power))


def test_what_the_model_is_sure_of_is_the_level() -> None:
    assert level_of(10.0, 0.0, 4.0, 1.0) == pytest.approx(10.0)
    assert _separation(0.999, 0.5).level_db(_ACTIVE, -60.0) == pytest.approx(3.0, abs=0.1)


def test_an_event_that_is_hardly_found_is_drawn_towards_what_such_events_have() -> None:
    faint = level_of(1e-3, 100.0, 10.0, 1.0)
    assert faint == pytest.approx(BURIED * (-30.0 + 10.0) + BURIED_DB, abs=0.01)
    assert level_of(1e-3, 100.0, 100.0, 1.0) - faint == pytest.approx(BURIED * 10.0, abs=0.01)


def test_between_the_two_both_count() -> None:
    middle = level_of(5.0, 5.0, 9.0, 1.0)
    buried = BURIED * (_decibels(5.0) + _decibels(9.0)) + BURIED_DB + 0.5 * CLEARER_DB
    assert middle == pytest.approx(0.5 * _decibels(5.0) + 0.5 * buried)


@given(found=st.floats(1e-6, 1e6), rest=st.floats(0.0, 1e6), beyond=st.floats(0.0, 1e6), by=st.floats(1e-6, 1e6))
def test_loudness_of_the_scene_does_not_matter(found: float, rest: float, beyond: float, by: float) -> None:
    assume(beyond == 0.0 or min(beyond, beyond * by) > 1e-12)
    level = level_of(found, rest, beyond, 1.0)
    assert np.isfinite(level)
    assert level_of(found * by, rest * by, beyond * by, by) == pytest.approx(level, abs=1e-6)


@pytest.mark.parametrize("kept", [0.0, 0.4])
def test_repair_is_its_own_judge(kept: float) -> None:
    level_db = _separation(0.5, 0.9, kept=kept, by_repair=True).level_db(_ACTIVE, -60.0)
    assert level_db == pytest.approx(_decibels(5.0))


def test_what_repair_does_not_find_the_model_may() -> None:
    assert _separation(0.2, 0.0).level_db(_ACTIVE, -60.0) == pytest.approx(level_of(0.2, 0.8, 0.2, 1.0))


def test_what_is_kept_is_no_background_and_not_the_events() -> None:
    level_db = _separation(0.2, 0.9, kept=0.5).level_db(_ACTIVE, -60.0)
    assert level_db == pytest.approx(level_of(0.2, 0.8, 0.5, 0.1))


def test_nothing_found_has_no_level() -> None:
    assert _separation(0.0, 0.9).level_db(_ACTIVE, -60.0) is None


def test_a_silent_background_counts_as_loud_as_the_quietest() -> None:
    assert _separation(1.0, 1.0).level_db(_ACTIVE, -60.0) == pytest.approx(10.0 * np.log10(64.0) + 60.0)
