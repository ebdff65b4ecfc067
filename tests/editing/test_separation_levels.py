"""The level of an event: a model's estimate and spectral repair's, weighed; repair's alone where there is no model."""

import numpy as np
import pytest

from recomposer_studio.editing.regions import Window
from recomposer_studio.editing.separation import REPAIR_WEIGHT, Separation

_ACTIVE = np.array([True, True, False, False])


def _separation(share: float, excess: float, *, by_repair: bool = False) -> Separation:
    shape = (1, 64, 4)
    whole = np.ones(shape)
    return Separation(Window(0, 4), whole, share * whole, share * whole, excess * whole, by_repair)


def _db(share: float) -> float:
    return float(10.0 * np.log10(share / (1.0 - share)))


def test_two_estimates_are_weighed() -> None:
    level_db = _separation(0.2, 0.8).level_db(_ACTIVE, -60.0)
    assert level_db == pytest.approx((1.0 - REPAIR_WEIGHT) * _db(0.2) + REPAIR_WEIGHT * _db(0.8))


def test_repair_is_its_own_judge() -> None:
    assert _separation(0.5, 0.9, by_repair=True).level_db(_ACTIVE, -60.0) == pytest.approx(0.0)


def test_what_repair_does_not_find_the_model_may() -> None:
    assert _separation(0.2, 0.0).level_db(_ACTIVE, -60.0) == pytest.approx(_db(0.2))


def test_nothing_found_has_no_level() -> None:
    assert _separation(0.0, 0.9).level_db(_ACTIVE, -60.0) is None


def test_a_silent_background_counts_as_loud_as_the_quietest() -> None:
    assert _separation(1.0, 1.0).level_db(_ACTIVE, -60.0) == pytest.approx(10.0 * np.log10(64.0) + 60.0)
