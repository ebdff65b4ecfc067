"""The level of an event by a model and spectral repair together; by repair alone where there is no model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.editing.regions import Window
from recomposer_studio.editing.separation import BURIED, BURIED_DB, CLEARER_DB, LEAST_BEYOND, Separation, level_of

_ACTIVE = np.array([True, True, False, False])
_RIPPLE_DB = 0.25
"""The fitted rule has its highest level a little before the whole box is the event's."""


def _separation(
    share: float,
    excess: float,
    *,
    kept: float = 0.0,
    deleted: float = 0.0,
    bands: int = BANDS,
    by_repair: bool = False,
) -> Separation:
    """One event in a window of equal powers; `deleted` is what another row takes, `bands` how many the event's limits leave it."""
    whole = np.ones((1, BANDS, 4))
    limits = (np.arange(BANDS) < bands).astype(np.float64)[:, None]
    own = share * whole * limits
    total, offset = own + deleted * whole, np.zeros((len(whole), 1))
    return Separation(Window(0, 4), whole, own, total, kept * whole, excess * whole, limits, offset, by_repair)


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
    level = level_of(found, rest, beyond, 1.0)
    assert np.isfinite(level)
    assert level_of(found * by, rest * by, beyond * by, by) == pytest.approx(level, abs=1e-6)


@given(own=st.floats(1e-6, 1.0), beyond=st.floats(0.0, 1e4), more=st.floats(1.0, 1.5))
def test_the_more_of_a_box_is_found_the_higher_the_level(own: float, beyond: float, more: float) -> None:
    whole, louder = 1.0 + beyond, min(1.0, own * more)
    level = level_of(own * whole, (1.0 - own) * whole, beyond, 1.0)
    assert level_of(louder * whole, (1.0 - louder) * whole, beyond, 1.0) >= level - _RIPPLE_DB
    assert level_of(own * whole, (1.0 - own) * whole, beyond * more, 1.0) >= level - 1e-6


@pytest.mark.parametrize("kept", [0.0, 0.4])
def test_repair_is_its_own_judge(kept: float) -> None:
    level_db = _separation(0.5, 0.9, kept=kept, by_repair=True).level_db(_ACTIVE, -60.0)
    assert level_db == pytest.approx(_decibels(5.0))


def test_what_repair_does_not_find_counts_as_hardly_found() -> None:
    level_db = _separation(0.2, 0.0).level_db(_ACTIVE, -60.0)
    assert level_db == pytest.approx(level_of(0.2, 0.8, LEAST_BEYOND, 1.0), abs=1e-2)
    assert _separation(0.2, 1e-6).level_db(_ACTIVE, -60.0) == pytest.approx(level_db, abs=1e-3)


def test_what_is_kept_is_no_background_and_does_not_bury_the_event() -> None:
    level_db = _separation(0.2, 0.9, kept=0.5).level_db(_ACTIVE, -60.0)
    assert level_db == pytest.approx(level_of(0.2, 0.3, 0.5, 0.1))
    # Nor is what repair takes for background and a keep row for a sound.
    level_db = _separation(0.2, 0.4, kept=0.5).level_db(_ACTIVE, -60.0)
    assert level_db == pytest.approx(level_of(0.2, 0.3, 0.4, 0.5))


def test_what_another_row_deletes_is_no_background_either() -> None:
    kept, deleted = (_separation(0.2, 0.9, **{how: 0.5}).level_db(_ACTIVE, -60.0) for how in ("kept", "deleted"))
    assert deleted == pytest.approx(kept)


def test_frequency_limits_do_not_make_background_of_what_lies_beyond_them() -> None:
    level_db = _separation(0.5, 0.9, bands=16, by_repair=True).level_db(_ACTIVE, -60.0)
    assert level_db == pytest.approx(_decibels(16 * 0.5 / (BANDS * 0.1)))
    level_db = _separation(0.5, 0.9, bands=16).level_db(_ACTIVE, -60.0)
    assert level_db == pytest.approx(level_of(16 * 0.5, 16 * 0.5, 16 * 0.9, BANDS * 0.1))


def test_nothing_found_has_no_level() -> None:
    assert _separation(0.0, 0.9).level_db(_ACTIVE, -60.0) is None


def test_a_silent_background_counts_as_loud_as_the_quietest() -> None:
    assert _separation(1.0, 1.0).level_db(_ACTIVE, -60.0) == pytest.approx(10.0 * np.log10(64.0) + 60.0)
