"""From activity in time to rows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recomposer_studio.tagging.builtin import describe
from recomposer_studio.tagging.events import Found
from recomposer_studio.tagging.frame_events import APART, Facts, FrameOptions, Names, find_frame_events, right
from recomposer_studio.tagging.ontology import Ontology
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, Sounding
from tests.tagging.steps import EVENT_CLASSES, no_names, sounding

STEPS = 250
OPTIONS = FrameOptions()


def energy(*bursts: tuple[int, int]) -> np.ndarray:
    """What stands out: 10 dB from one step to another, nothing elsewhere."""
    out = np.zeros(STEPS * FRAMES_PER_STEP)
    for first, stop in bursts:
        out[first * FRAMES_PER_STEP : stop * FRAMES_PER_STEP] = 10.0
    return out


def rows(
    said: Sounding, above: np.ndarray, options: FrameOptions = OPTIONS, start_s: float = 0.0, names: Names = no_names
) -> list[Found]:
    return find_frame_events(said, names, start_s, above, EVENT_CLASSES, Ontology.load(), options)


def test_a_sound_becomes_a_row_with_its_bounds():
    (row,) = rows(sounding(STEPS, ("Bark", 100, 120, 4.0)), energy((100, 120)), start_s=30.0)
    assert row.label == "Bark"
    assert row.start_s == pytest.approx(34.0, abs=0.03) and row.end_s == pytest.approx(34.8, abs=0.05)


def test_the_onset_moves_to_the_rise_of_energy():
    (row,) = rows(sounding(STEPS, ("Bark", 100, 120, 4.0)), energy((102, 120)))
    assert row.start_s == pytest.approx(102 * 0.04, abs=0.03)
    (row,) = rows(sounding(STEPS, ("Bark", 100, 120, 4.0)), energy((110, 120)))
    assert row.start_s == pytest.approx(100 * 0.04)  # too far off to be the same onset


def test_sounds_that_overlap_are_rows_of_their_own():
    said = sounding(STEPS, ("Speech", 50, 120, 4.0), ("Bell", 80, 100, 3.0))
    found = rows(said, energy((50, 120)))
    assert [(row.label, round(row.end_s - row.start_s, 1)) for row in found] == [("Speech", 2.8), ("Bell", 0.8)]


def test_a_sound_that_nobody_can_name_is_one_row_with_alternatives():
    said = sounding(STEPS, ("Thump, thud", 50, 60, 0.2), ("Door", 50, 60, 0.1), ("Bell", 50, 60, -0.4), anything=3.0)
    (row,) = rows(said, energy((50, 60)))
    assert [name for name, _ in row.candidates] == ["Thump, thud", "Door", "Bell"]
    shares = [share for _, share in row.candidates]
    assert shares == sorted(shares, reverse=True)


def test_the_general_class_does_not_stand_beside_the_special_one():
    (row,) = rows(sounding(STEPS, ("Dog", 50, 60, 2.0), ("Bark", 50, 60, 1.8)), energy((50, 60)))
    assert row.label == "Bark" and "Dog" not in dict(row.candidates)
    (row,) = rows(sounding(STEPS, ("Dog", 50, 60, 4.0), ("Bark", 50, 60, 1.0)), energy((50, 60)))
    assert row.label == "Dog" and "Bark" not in dict(row.candidates)


def test_a_sound_that_repeats_is_a_row_each_time():
    bursts = ((20, 30), (60, 70), (100, 110))
    found = rows(sounding(STEPS, *(("Knock", *burst, 4.0) for burst in bursts)), energy(*bursts))
    assert [row.label for row in found] == ["Knock"] * 3


def test_a_short_pause_does_not_part_a_sound():
    pause = round(OPTIONS.gap_s / 0.04)
    said = sounding(STEPS, ("Speech", 50, 70, 4.0), ("Speech", 70 + pause, 90, 4.0))
    assert len(rows(said, energy((50, 90)))) == 1


def test_activity_where_nothing_stands_out_is_no_row():
    assert rows(sounding(STEPS, ("Bark", 50, 70, 6.0)), energy()) == []


def test_energy_without_activity_is_no_row():
    assert rows(sounding(STEPS), energy((50, 70))) == []


def test_one_step_alone_is_filtered_out():
    said, above = sounding(STEPS, ("Bark", 50, 51, 6.0)), energy((49, 53))
    assert rows(said, above) == []
    assert len(rows(said, above, replace(OPTIONS, median_steps=1, shortest_s=0.0, standing_out_s=0.0))) == 1


def test_a_click_is_no_row():
    said = sounding(STEPS, ("Bark", 50, 55, 6.0))
    click = np.zeros(STEPS * FRAMES_PER_STEP)
    click[204:211] = 20.0
    assert rows(said, click) == []
    click[204:212] = 20.0
    assert len(rows(said, click)) == 1


def test_nothing_comes_of_nothing():
    assert rows(sounding(0), np.zeros(0)) == []


SHARE = st.floats(0.0, 1.0)
GROWING = st.tuples(SHARE, SHARE, st.floats(0.0, 40.0), st.floats(0.04, 30.0), SHARE, SHARE, SHARE)


@given(GROWING, GROWING, st.tuples(SHARE, SHARE), st.tuples(SHARE, SHARE))
def test_a_row_with_more_of_everything_and_less_around_it_is_likelier_right(a, b, around_a, around_b):
    low = right(Facts(*np.minimum(a, b), *np.maximum(around_a, around_b)))
    high = right(Facts(*np.maximum(a, b), *np.minimum(around_a, around_b)))
    assert 0.0 <= low <= high <= 1.0


def test_what_the_whole_box_is_called_counts_beside_the_activity():
    said = sounding(STEPS, ("Thump, thud", 50, 60, 1.0), ("Door", 50, 60, 0.5), anything=3.0)

    def door(pooled: np.ndarray) -> np.ndarray:
        assert pooled.shape == (1, 6)
        return np.float32([[3.0 * (name == "Door") for name in EVENT_CLASSES]])

    assert rows(said, energy((50, 60)))[0].label == "Thump, thud"
    assert rows(said, energy((50, 60)), names=door)[0].label == "Door"


def test_only_learnt_classes_are_named_beside_their_relatives():
    trained = set(describe().trained_classes)
    ontology = Ontology.load()
    pairs = {frozenset({a, b}) for a in trained for b in trained if b in ontology.ancestors(a)}
    assert pairs == set(APART)


def test_the_names_of_a_row_share_its_chance():
    said = sounding(STEPS, ("Thump, thud", 50, 60, 1.0), ("Door", 50, 60, 1.0), anything=3.0)
    (row,) = rows(said, energy((50, 60)))
    (sure,) = rows(sounding(STEPS, ("Thump, thud", 50, 60, 1.0), anything=3.0), energy((50, 60)))
    assert row.confidence == pytest.approx(row.candidates[1][1]) and row.confidence < 0.6 * sure.confidence
    assert sum(share for _, share in row.candidates) <= 1.0


def test_unlikely_rows_are_left_out():
    said = sounding(STEPS, ("Bark", 50, 70, -1.0))
    (row,) = rows(said, energy((50, 70)), replace(OPTIONS, least=0.0))
    chance = sum(share for _, share in row.candidates)
    assert len(rows(said, energy((50, 70)), replace(OPTIONS, least=chance - 1e-6))) == 1
    assert rows(said, energy((50, 70)), replace(OPTIONS, least=chance + 1e-6)) == []


@given(st.integers(0, 1_000))
def test_rows_of_any_activity_lie_in_it_and_have_distinct_boxes(seed: int):
    rng = np.random.default_rng(seed)
    said = Sounding(
        rng.normal(-1.0, 3.0, (60, len(EVENT_CLASSES))).astype(np.float32),
        rng.normal(0.0, 3.0, 60).astype(np.float32),
        rng.normal(0.0, 3.0, 60).astype(np.float32),
        np.zeros((60, 3), np.float32),
    )
    found = rows(said, np.full(240, 5.0))
    assert all(0.0 <= row.start_s < row.end_s <= 2.4 for row in found)
    assert len({(row.start_s, row.end_s) for row in found}) == len(found)
    assert found == sorted(found, key=lambda row: row.start_s)
