"""Finding what sounds like a box."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.tagging.builtin import load_builtin
from recomposer_studio.tagging.events import Found
from recomposer_studio.tagging.similar import SimilarOptions, find_similar

RATE_HZ = 16_000


def chirp(seconds: float = 0.4) -> np.ndarray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.sin(2 * np.pi * (600 * t + 1_500 * t**2)) * np.hanning(len(t))


def bell(seconds: float = 0.6) -> np.ndarray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return sum(np.sin(2 * np.pi * f * t) for f in (523.0, 1_370.0, 2_410.0)) / 3 * np.exp(-6 * t)


def thud(seed: int, seconds: float = 0.3) -> np.ndarray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.random.default_rng(seed).standard_normal(len(t)) * np.exp(-25 * t)


def recording(path: Path, seconds: float, *sounds: tuple[float, np.ndarray, float]) -> Path:
    """Quiet noise with sounds at their times and levels."""
    samples = 0.003 * np.random.default_rng(1).standard_normal(round(seconds * RATE_HZ))
    for at_s, sound, level in sounds:
        first = round(at_s * RATE_HZ)
        samples[first : first + len(sound)] += level * sound
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    return path


def alike(path: Path, start_s: float, end_s: float, **more: object) -> list[Found]:
    with Source.open(path) as source:
        return find_similar(source, load_builtin(None, "cpu", 1), start_s, end_s, **more)  # type: ignore[arg-type]


def test_repeats_are_found_among_other_sounds(tmp_path: Path):
    path = recording(
        tmp_path / "in.wav",
        20.0,
        (2.0, chirp(), 0.2),
        (5.0, bell(), 0.3),
        (7.3, chirp(), 0.1),
        (10.0, thud(0), 0.2),
        (13.15, chirp(), 0.25),
        (16.0, bell(), 0.2),
    )
    found = alike(path, 2.0, 2.4)
    np.testing.assert_allclose([row.start_s for row in found], [7.3, 13.15], atol=0.04)
    np.testing.assert_allclose([row.end_s - row.start_s for row in found], 0.4)
    assert all(row.label == "similar sound" and 0.6 <= row.confidence <= 1.0 for row in found)
    assert [round(row.start_s, 1) for row in alike(path, 5.0, 5.6, label="bell")] == [16.0]


def test_sounds_far_apart_are_found_once_and_in_order(tmp_path: Path):
    times = [3.0, 29.8, 30.6, 45.0, 59.9, 62.0]
    path = recording(tmp_path / "in.wav", 65.0, *((t, chirp(), 0.2) for t in times))
    told: list[Found] = []
    found = alike(path, 59.9, 60.3, on_found=told.append)
    np.testing.assert_allclose([row.start_s for row in found], [t for t in times if t != 59.9], atol=0.04)
    assert told == found


def test_a_long_box_is_compared_as_a_whole(tmp_path: Path):
    pair = np.concatenate([bell(), np.zeros(3_200), chirp()])
    path = recording(tmp_path / "in.wav", 25.0, (2.0, pair, 0.3), (9.0, pair, 0.3), (16.0, thud(0), 0.3))
    (row,) = alike(path, 2.0, 3.2)
    assert row.start_s == pytest.approx(9.0, abs=0.04) and row.end_s == pytest.approx(10.2, abs=0.04)


def tone(seconds: float) -> np.ndarray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.sin(2 * np.pi * 1_000 * t) * np.minimum(1.0, 100 * np.minimum(t, t[::-1]))


def test_places_in_a_steady_tone_do_not_overlap(tmp_path: Path):
    path = recording(tmp_path / "in.wav", 15.0, (2.0, tone(3.0), 0.2), (9.0, tone(2.0), 0.2))
    found = alike(path, 2.5, 3.0)
    assert len(found) > 3
    edges = [edge for row in found for edge in (row.start_s, row.end_s)]
    assert edges == sorted(edges)
    assert all(row.end_s <= 2.5 or row.start_s >= 3.0 for row in found)


def test_a_sound_that_comes_once_has_no_like(tmp_path: Path):
    path = recording(tmp_path / "in.wav", 15.0, (2.0, chirp(), 0.2), (8.0, thud(2), 0.2))
    assert alike(path, 2.0, 2.4) == []


def test_the_threshold_says_how_alike(tmp_path: Path):
    path = recording(tmp_path / "in.wav", 15.0, (2.0, thud(0), 0.2), (8.0, thud(1), 0.2))
    found = alike(path, 2.0, 2.2, options=SimilarOptions(threshold=0.0, fit=0.2))
    best = max(found, key=lambda row: row.confidence)
    assert best.start_s == pytest.approx(8.0, abs=0.04)
    above = SimilarOptions(threshold=best.confidence - 1e-6, fit=0.2)
    assert alike(path, 2.0, 2.2, options=above) == [best]
    assert alike(path, 2.0, 2.2, options=SimilarOptions(threshold=best.confidence + 1e-6, fit=0.2)) == []


@pytest.mark.parametrize(
    ("start_s", "end_s", "match"),
    [
        (-1.0, 1.0, "does not lie in the recording"),
        (2.0, 2.0, "does not lie in the recording"),
        (4.0, 6.0, "does not lie in the recording"),
        (float("nan"), 1.0, "does not lie in the recording"),
        (2.0, 2.02, "0.02 s long"),
        (3.5, 4.0, "nothing stands out"),
    ],
)
def test_bad_boxes_are_told(tmp_path: Path, start_s: float, end_s: float, match: str):
    path = recording(tmp_path / "in.wav", 5.0, (2.0, chirp(), 0.2))
    with pytest.raises(InputError, match=match):
        alike(path, start_s, end_s)


def test_cancelling_ends_the_work(tmp_path: Path):
    def cancel(done: int, total: int, what: str) -> None:
        raise Cancelled

    path = recording(tmp_path / "in.wav", 5.0, (2.0, chirp(), 0.2))
    with pytest.raises(Cancelled):
        alike(path, 2.0, 2.4, progress=cancel)
