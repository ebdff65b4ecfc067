"""Whole recordings: windows, memory, and files that hold nothing to find."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import Cancelled
from recomposer_studio.roll.event import Action
from recomposer_studio.roll.file import check_fits
from recomposer_studio.tagging.builtin import load_builtin
from recomposer_studio.tagging.events import EventOptions, Found
from recomposer_studio.tagging.recording import as_roll, tag_recording
from recomposer_studio.tagging.tagger import Tagger
from tests.tagging.steps import LoudFrameTagger
from tests.tagging.tiny_yamnet import LoudTagger

RATE_HZ = 8_000


def recording(path: Path, seconds: float, bursts: list[tuple[float, float]], rate_hz: int = RATE_HZ) -> Path:
    """Steady noise at -46 dBFS with bursts 26 dB above it."""
    rng = np.random.default_rng(0)
    samples = 0.005 * rng.standard_normal(int(seconds * rate_hz))
    for start_s, end_s in bursts:
        first, last = int(start_s * rate_hz), int(end_s * rate_hz)
        samples[first:last] += 0.1 * rng.standard_normal(last - first)
    soundfile.write(path, samples, rate_hz, subtype="PCM_16")
    return path


@pytest.fixture(params=["patches", "frames"])
def tagger(request: pytest.FixtureRequest) -> LoudTagger:
    """Both kinds of taggers, sure of a dog in anything loud."""
    return LoudTagger("Dog", 0.0) if request.param == "patches" else LoudFrameTagger("Dog", 0.0)


def tagged(path: Path, tagger: Tagger, on_found: Callable[[Found], None] | None = None) -> list[Found]:
    with Source.open(path) as source:
        return tag_recording(source, tagger, on_found=on_found)


def test_bursts_are_found_wherever_windows_meet(tmp_path: Path, tagger: LoudTagger):
    # Every window decides 30 s: bursts within them, at their borders and across.
    bursts = [(t, t + 0.4) for t in (0.5, 7.0, 28.9, 29.9, 31.0, 59.79, 60.95, 75.3, 89.99, 99.0)]
    found = tagged(recording(tmp_path / "in.wav", 100.0, bursts), tagger)
    np.testing.assert_allclose([row.start_s for row in found], [start for start, _ in bursts], atol=0.06)
    np.testing.assert_allclose([row.end_s for row in found], [end for _, end in bursts], atol=0.06)
    assert {row.label for row in found} == {"Dog"}


def test_rows_arrive_while_the_rest_is_still_unheard(tmp_path: Path):
    bursts = [(5.0, 5.4), (45.0, 45.4), (85.0, 85.4)]
    path = recording(tmp_path / "in.wav", 100.0, bursts)
    told: list[tuple[str, float]] = []
    with Source.open(path) as source:
        found = tag_recording(
            source,
            LoudTagger("Dog", 0.0),
            progress=lambda done, total, what: told.append(("at", done / total)),
            on_found=lambda row: told.append(("row", row.start_s)),
        )
    kinds = [kind for kind, _ in told]
    assert kinds.count("row") == 3 and "at" in kinds[kinds.index("row") + 1 : -1]
    assert told[-1] == ("at", 1.0)
    assert [row.start_s for row in found] == [value for kind, value in told if kind == "row"]


def test_a_long_sound_that_begins_at_the_end_of_a_core_keeps_its_end(tmp_path: Path, tagger: LoudTagger):
    (row,) = tagged(recording(tmp_path / "in.wav", 100.0, [(29.8, 42.0)]), tagger)
    assert row.start_s == pytest.approx(29.8, abs=0.06) and row.end_s == pytest.approx(42.0, abs=0.06)


def test_the_roll_keeps_everything_and_fits(tmp_path: Path, tagger: LoudTagger):
    path = recording(tmp_path / "in.wav", 10.0, [(4.0, 4.4), (9.6, 10.0)])
    roll = as_roll(tagged(path, tagger))
    assert len(roll.events) == 2
    assert {event.action for event in roll.events} == {Action.KEEP}
    assert {event.row for event in roll.events} == {"Dog"}
    assert all(event.confidence is not None and 0.0 < event.confidence <= 1.0 for event in roll.events)
    with Source.open(path) as source:
        check_fits(roll, source.duration_s, "roll")


def test_cancelling_ends_the_work(tmp_path: Path):
    path = recording(tmp_path / "in.wav", 100.0, [])
    tagger = LoudTagger()

    def cancel(done: int, total: int, what: str) -> None:
        raise Cancelled

    with Source.open(path) as source, pytest.raises(Cancelled):
        tag_recording(source, tagger, progress=cancel)
    assert tagger.patches < 100


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(5 * RATE_HZ),
        np.full(5 * RATE_HZ, 0.25),
        np.eye(1, 5 * RATE_HZ, 2 * RATE_HZ)[0],
        np.clip(3 * np.random.default_rng(0).standard_normal(5 * RATE_HZ), -1, 1),
        np.clip(3 * np.sin(np.arange(5 * RATE_HZ) * 0.3), -1, 1),
        0.1 * np.random.default_rng(1).standard_normal(50),
        np.array([0.5]),
    ],
    ids=["silence", "direct current", "one click", "clipped noise", "clipped tone", "50 samples", "one sample"],
)
def test_nothing_is_invented(tmp_path: Path, samples: np.ndarray, tagger: LoudTagger):
    """The tagger here is sure of a dog in anything loud: only energy that stands out may become a row."""
    path = tmp_path / "in.wav"
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    assert tagged(path, tagger) == []


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (44_100, 2), (96_000, 3)])
def test_any_rate_and_any_channels(tmp_path: Path, rate_hz: int, channels: int, tagger: LoudTagger):
    path = recording(tmp_path / "mono.wav", 8.0, [(4.0, 4.5)], rate_hz)
    samples, _ = soundfile.read(path)
    soundfile.write(tmp_path / "in.wav", np.stack([samples] * channels, axis=1), rate_hz)
    (row,) = tagged(tmp_path / "in.wav", tagger)
    assert row.start_s == pytest.approx(4.0, abs=0.06) and row.end_s == pytest.approx(4.5, abs=0.06)


def test_every_patch_is_heard_once_and_only_where_it_matters(tmp_path: Path):
    bursts = [(t, t + 0.5) for t in (5.0, 28.0, 44.0, 74.0)]
    with Source.open(recording(tmp_path / "in.wav", 100.0, bursts)) as source:
        tagger = LoudTagger("Dog", 0.0)
        assert len(tag_recording(source, tagger)) == 4
    # One a second, and around each burst of 0.5 s those within 0.68 s: 18 or 19, of which 1 or 2 are counted already.
    assert 100 + 4 * 15 <= tagger.patches <= 100 + 4 * 20


def test_memory_does_not_grow_with_the_recording(tmp_path: Path):
    peaks = []
    for minutes in (3, 6):
        path = recording(tmp_path / "in.wav", 60.0 * minutes, [])
        with Source.open(path) as source:
            tagger = LoudTagger()
            tracemalloc.start()
            assert tag_recording(source, tagger) == []
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert tagger.patches == pytest.approx(60 * minutes, abs=5)
    assert peaks[1] < 1.1 * peaks[0]


def test_a_frame_tagger_hears_everything_once_and_not_much_at_once(tmp_path: Path):
    tagger = LoudFrameTagger("Dog", 0.0)
    with Source.open(recording(tmp_path / "in.wav", 100.0, [(t, t + 0.5) for t in (5.0, 28.0, 44.0, 74.0)])) as source:
        assert len(tag_recording(source, tagger)) == 4
    assert tagger.longest <= 960
    assert 10_000 <= tagger.frames <= 16_000  # 6.4 s of every 9.6 s are new


def test_rows_of_a_frame_tagger_below_the_threshold_are_left_out(tmp_path: Path):
    with Source.open(recording(tmp_path / "in.wav", 10.0, [(4.0, 4.4)])) as source:
        (row,) = tag_recording(source, LoudFrameTagger("Dog", 0.0), EventOptions(threshold=0.0))
        assert tag_recording(source, LoudFrameTagger("Dog", 0.0), EventOptions(threshold=1.01)) == []
    assert row.label == "Dog"


def test_memory_does_not_grow_with_a_frame_tagger(tmp_path: Path):
    peaks = []
    for minutes in (3, 6):
        with Source.open(recording(tmp_path / "in.wav", 60.0 * minutes, [])) as source:
            tracemalloc.start()
            assert tag_recording(source, LoudFrameTagger("Dog", 0.0)) == []
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(5 * RATE_HZ),
        np.eye(1, 5 * RATE_HZ, 2 * RATE_HZ)[0],
        np.clip(3 * np.random.default_rng(0).standard_normal(5 * RATE_HZ), -1, 1),
        0.03 * np.random.default_rng(1).standard_normal(90 * RATE_HZ),
        np.array([0.5]),
    ],
    ids=["silence", "one click", "clipped noise", "noise", "one sample"],
)
def test_the_shipped_tagger_invents_nothing(tmp_path: Path, samples: np.ndarray):
    path = tmp_path / "in.wav"
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    with Source.open(path) as source:
        assert tag_recording(source, load_builtin(None, "cpu", 1)) == []


def test_of_rows_on_one_place_the_surer_is_left_whatever_begins_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a threshold hides rows, it does not choose among them."""
    doubtful, sure = Found(0.9, 1.6, (("Tabla", 0.12),)), Found(0.9, 2.0, (("Bell", 0.88),))
    monkeypatch.setattr("recomposer_studio.tagging.recording._PatchEars.rows", lambda ears, window: [doubtful, sure])
    path = recording(tmp_path / "a.wav", 3.0, [(0.9, 2.0)])
    told: list[Found] = []
    with Source.open(path) as source:
        assert tag_recording(source, LoudTagger(), EventOptions(threshold=0.0), on_found=told.append) == [sure]
    assert told == [sure]
