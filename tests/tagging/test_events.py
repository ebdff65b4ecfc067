"""From scores to rows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.tagging.activity import stretches
from recomposer_studio.tagging.events import (
    EventOptions,
    Found,
    confidence,
    find_events,
    median_filtered,
    without_doubles,
)
from recomposer_studio.tagging.front_end import PATCH_CENTRE_S, RATE_HZ, log_mel
from recomposer_studio.tagging.ontology import Ontology
from tests.tagging.tiny_yamnet import CLASS_NAMES

OPTIONS = EventOptions(threshold=0.02)
SECONDS = 10.0


def sounds(*bursts: tuple[float, float], over_db: float = 18.0, seconds: float = SECONDS) -> np.ndarray:
    """Log-mel of steady noise with louder bursts from one time to another."""
    rng = np.random.default_rng(0)
    samples = 0.01 * rng.standard_normal(int(seconds * RATE_HZ))
    for start_s, end_s in bursts:
        first, last = int(start_s * RATE_HZ), int(end_s * RATE_HZ)
        samples[first:last] += 0.01 * 10 ** (over_db / 20) * rng.standard_normal(last - first)
    return log_mel(samples.astype(np.float32))


def scores(frames: np.ndarray, *heard: tuple[str, float, float, float], floor: float = 0.0) -> np.ndarray:
    """What a tagger would say: each class at its score in every patch that holds at least half of its sound."""
    count = (len(frames) - 96) // 10 + 1
    centres = np.arange(count) * 0.1 + PATCH_CENTRE_S
    out = np.full((count, len(CLASS_NAMES)), floor, np.float32)
    for name, start_s, end_s, score in heard:
        share = np.minimum(end_s, centres + PATCH_CENTRE_S) - np.maximum(start_s, centres - PATCH_CENTRE_S)
        inside = share >= 0.5 * min(end_s - start_s, 2 * PATCH_CENTRE_S)
        column = out[:, CLASS_NAMES.index(name)]
        column[inside] = np.maximum(column[inside], score)
    return out


def rows(frames: np.ndarray, said: np.ndarray, options: EventOptions = OPTIONS) -> list[Found]:
    centres = np.arange(len(said)) * 0.1 + PATCH_CENTRE_S
    foreground = stretches(frames, 0.0, options.activity)
    return find_events(said, centres, foreground, CLASS_NAMES, Ontology.load(), options)


def test_a_sound_becomes_a_row_with_the_bounds_of_its_energy():
    frames = sounds((4.2, 4.6))
    (row,) = rows(frames, scores(frames, ("Dog", 4.2, 4.6, 0.9)))
    assert row.label == "Dog"
    assert row.start_s == pytest.approx(4.2, abs=0.05) and row.end_s == pytest.approx(4.6, abs=0.05)


def test_the_general_class_does_not_stand_beside_the_special_one():
    frames = sounds((4.0, 5.0))
    said = scores(frames, *((name, 4.0, 5.0, s) for name, s in (("Animal", 0.95), ("Dog", 0.9), ("Bark", 0.7))))
    (row,) = rows(frames, said)
    assert row.label == "Bark" and len(row.candidates) == 1


def test_of_several_special_classes_the_strongest_is_taken():
    frames = sounds((4.0, 5.0))
    heard = {"Animal": 0.95, "Fowl": 0.8, "Chicken, rooster": 0.7, "Crowing, cock-a-doodle-doo": 0.5, "Sheep": 0.6}
    (row,) = rows(frames, scores(frames, *((name, 4.0, 5.0, s) for name, s in heard.items())))
    assert [name for name, _ in row.candidates[:2]] == ["Sheep", "Fowl"]


def test_a_special_class_without_much_evidence_is_not_preferred():
    frames = sounds((4.0, 5.0))
    (row,) = rows(frames, scores(frames, ("Dog", 4.0, 5.0, 0.9), ("Bark", 4.0, 5.0, 0.2)))
    assert row.label == "Dog"


def test_other_classes_of_the_same_sound_are_its_alternatives():
    frames = sounds((4.0, 5.0))
    heard = {"Thump, thud": 0.8, "Door": 0.6, "Knock": 0.5, "Drum": 0.3, "Speech": 0.2}
    (row,) = rows(frames, scores(frames, *((name, 4.0, 5.0, s) for name, s in heard.items())))
    # Knock lies below Door and comes near it, but the strongest class names the row.
    assert [name for name, _ in row.candidates] == ["Thump, thud", "Door", "Knock"]
    shares = [share for _, share in row.candidates]
    assert shares == sorted(shares, reverse=True)


def test_two_sounds_are_two_rows():
    frames = sounds((2.0, 2.5), (6.0, 7.0))
    found = rows(frames, scores(frames, ("Dog", 2.0, 2.5, 0.9), ("Speech", 6.0, 7.0, 0.8)))
    assert [row.label for row in found] == ["Dog", "Speech"]


def test_a_sound_that_repeats_is_a_row_each_time():
    bursts = [(1.0, 1.3), (3.5, 3.8), (6.0, 6.3)]
    frames = sounds(*bursts)
    found = rows(frames, scores(frames, *(("Dog", *burst, 0.9) for burst in bursts)))
    assert [row.label for row in found] == ["Dog"] * 3
    np.testing.assert_allclose([row.start_s for row in found], [1.0, 3.5, 6.0], atol=0.05)


def test_a_short_pause_does_not_part_a_sound():
    frames = sounds((3.0, 3.8), (4.0, 4.9))
    (row,) = rows(frames, scores(frames, ("Speech", 3.0, 4.9, 0.9)))
    assert row.start_s == pytest.approx(3.0, abs=0.05) and row.end_s == pytest.approx(4.9, abs=0.05)


def test_scores_without_energy_are_no_event():
    frames = sounds()
    assert rows(frames, scores(frames, ("Dog", 4.0, 5.0, 0.9))) == []


def test_energy_without_scores_is_no_event():
    frames = sounds((4.0, 5.0))
    assert rows(frames, scores(frames)) == []


def test_a_class_of_the_background_is_no_event():
    """Rain all along; a burst in it does not become rain, however high rain scores there."""
    frames = sounds((4.0, 4.5))
    said = scores(frames, ("Rain", 0.0, SECONDS, 0.8), ("Knock", 4.0, 4.5, 0.6))
    (row,) = rows(frames, said)
    assert [name for name, _ in row.candidates] == ["Knock"]


def test_a_long_texture_is_background_and_a_shorter_sound_is_an_event():
    for end_s, count in ((14.0, 1), (36.0, 0)):
        frames = sounds((2.0, end_s), over_db=20.0, seconds=40.0)
        assert len(rows(frames, scores(frames, ("Music", 2.0, end_s, 0.9)))) == count


def test_patches_that_nobody_listened_to_change_nothing():
    frames = sounds((4.0, 5.0))
    said = scores(frames, ("Rain", 0.0, SECONDS, 0.8), ("Knock", 4.0, 5.0, 0.6))
    wanted = rows(frames, said)
    off = [i for i in range(len(said)) if abs(i * 0.1 + PATCH_CENTRE_S - 4.5) > 1.2 and i % 5]
    said[off] = np.nan
    assert rows(frames, said) == wanted and len(wanted) == 1
    said[:] = np.nan
    assert rows(frames, said) == []


def test_scenes_and_silence_are_never_events():
    frames = sounds((4.0, 5.0))
    said = scores(frames, ("Silence", 4.0, 5.0, 0.9), ("Inside, small room", 4.0, 5.0, 0.9))
    assert rows(frames, said) == []


def test_the_threshold_leaves_out_what_is_unsure():
    frames = sounds((4.0, 5.0))
    said = scores(frames, ("Dog", 4.0, 5.0, 0.5))
    sure = rows(frames, said)[0].confidence
    assert rows(frames, said, replace(OPTIONS, threshold=sure + 0.01)) == []
    assert len(rows(frames, said, replace(OPTIONS, threshold=sure))) == 1


@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=20))
def test_confidence_grows_with_evidence(evidence: list[float]):
    shares = [confidence(e) for e in sorted(evidence)]
    assert shares == sorted(shares) and 0.0 <= shares[0] <= shares[-1] <= 1.0


def test_one_patch_alone_is_filtered_out():
    said = np.zeros((9, 2), np.float32)
    said[4, 0] = 1.0
    said[3:6, 1] = 1.0
    filtered = median_filtered(said, 3)
    assert not filtered[:, 0].any()
    np.testing.assert_array_equal(filtered[:, 1], said[:, 1])


@settings(max_examples=20)
@given(st.integers(0, 1_000))
def test_noise_in_the_scores_of_steady_noise_makes_no_rows(seed: int):
    frames = sounds()
    said = np.random.default_rng(seed).uniform(0.0, 1.0, ((len(frames) - 96) // 10 + 1, 521)).astype(np.float32)
    assert rows(frames, said) == []


def test_of_related_rows_that_lie_within_one_another_the_longest_is_left() -> None:
    ontology = Ontology.load()

    def row(start_s: float, end_s: float, *candidates: tuple[str, float]) -> Found:
        return Found(start_s, end_s, candidates)

    long, short = row(1.0, 2.0, ("Explosion", 0.3)), row(1.0, 1.5, ("Explosion", 0.9))
    assert without_doubles([short, long], ontology, 0.7) == [long]
    relative = row(1.2, 1.6, ("Gunshot, gunfire", 0.9))
    assert without_doubles([relative, long], ontology, 0.7) == [long]
    stranger, beside = row(1.0, 1.5, ("Bark", 0.5)), row(1.8, 2.6, ("Explosion", 0.5))
    assert without_doubles([stranger, beside, long], ontology, 0.7) == [stranger, long, beside]
    # One that is not shown by default takes no other's place, and has none beside it.
    faint = row(0.9, 2.1, ("Explosion", 0.02))
    assert without_doubles([faint, short], ontology, 0.7) == [faint, short]
    assert without_doubles([row(1.1, 1.4, ("Explosion", 0.02)), short], ontology, 0.7) == [short]
