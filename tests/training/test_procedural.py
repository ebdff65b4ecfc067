"""Synthetic events: sound, finite, repeatable, of known classes."""

import numpy as np
import pytest

from recomposer_studio.training.datasets import shipped_class_names
from recomposer_studio.training.procedural import KINDS, class_of, procedural_event


@pytest.mark.parametrize("kind", KINDS)
def test_events_are_short_finite_and_differ(kind: str) -> None:
    first, second = procedural_event(kind, 0), procedural_event(kind, 1)
    for sound in (first, second):
        assert sound.dtype == np.float32
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() == pytest.approx(0.7, abs=1e-5)
        assert 0.1 <= len(sound) / 32000 <= 2.0
        assert not sound.flags.writeable
    assert len(first) != len(second) or not np.array_equal(first, second)


def test_the_same_variant_sounds_the_same_and_names_a_class() -> None:
    names = set(shipped_class_names().values())
    for kind in KINDS:
        wanted = procedural_event(kind, 7)
        assert np.array_equal(procedural_event.__wrapped__(kind, 7), wanted)
        assert class_of(kind) in names


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(KeyError):
        procedural_event("trumpet", 0)
