"""The figures on scenes whose results are known."""

import math

import pytest

from recomposer_studio.tagging.events import Found
from recomposer_studio.tagging.figures import TaggedScene, TrueEvent, iou, measure


def row(start_s: float, end_s: float, *names: str) -> Found:
    return Found(start_s, end_s, tuple((name, 0.5) for name in names))


def test_intersection_over_union():
    assert iou(row(1.0, 3.0, "Dog"), TrueEvent("Dog", 2.0, 4.0)) == pytest.approx(1 / 3)
    assert iou(row(1.0, 2.0, "Dog"), TrueEvent("Dog", 3.0, 4.0)) == 0.0


def test_perfect_rows():
    truth = [TrueEvent("Dog", 1.0, 2.0), TrueEvent("Speech", 3.0, 5.0)]
    found = measure([TaggedScene(truth, [row(1.0, 2.0, "Dog"), row(3.0, 5.0, "Speech")], 10.0)])
    assert (found.events, found.boxes, found.hits, found.stray_per_10_s, found.false_per_10_s) == (
        2,
        1.0,
        1.0,
        0.0,
        0.0,
    )
    assert found.onset_ms == pytest.approx(0.0)


def test_every_kind_of_error_counts_where_it_belongs():
    truth = [
        TrueEvent("Dog", 1.0, 2.0),
        TrueEvent("Cat", 3.0, 4.0),
        TrueEvent("Horse", 6.0, 7.0),
        TrueEvent("Tick", 8.0, 8.5, counted=False),
    ]
    rows = [
        row(1.1, 2.0, "Speech", "Bark", "Dog"),  # a hit through its third candidate, 100 ms late
        row(3.0, 4.0, "Speech"),  # the box alone
        row(5.0, 5.5, "Bell"),  # nothing is there
        row(8.0, 8.5, "Tick"),  # right, on an event that need not be found
    ]
    found = measure([TaggedScene(truth, rows, 10.0), TaggedScene([], [], 10.0)])
    assert found.events == 3
    assert found.boxes == pytest.approx(2 / 3) and found.hits == pytest.approx(1 / 3)
    assert found.stray_per_10_s == pytest.approx(0.5) and found.false_per_10_s == pytest.approx(1.0)
    assert found.onset_ms == pytest.approx(50.0)


def test_without_events_shares_are_unknown_and_rows_are_false():
    found = measure([TaggedScene([], [row(1.0, 2.0, "Dog")], 20.0)])
    assert math.isnan(found.hits) and math.isnan(found.onset_ms) and found.false_per_10_s == pytest.approx(0.5)
    with pytest.raises(ValueError, match="need scenes"):
        measure([])
