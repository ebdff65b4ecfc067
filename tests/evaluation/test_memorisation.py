"""A sound is found again among the training events, however loud, late or long its box; another one is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from recomposer_studio.editing.generator import SoundRequest
from recomposer_studio.evaluation.anchors import InputEditor, RealEditor
from recomposer_studio.evaluation.bootstrap import share_interval
from recomposer_studio.evaluation.cases import Sampler
from recomposer_studio.evaluation.editors import Editor, EngineEditor, IdentityEditor
from recomposer_studio.evaluation.memorisation import COPIED, TrainingEvents, sound_picture
from recomposer_studio.evaluation.provenance import events_digest
from recomposer_studio.evaluation.results import Results
from recomposer_studio.evaluation.runner import Bench, run_cases
from recomposer_studio.evaluation.studies import STUDIES
from recomposer_studio.evaluation.tables import Figures, Table
from recomposer_studio.roll.event import Action
from recomposer_studio.training.cache import RATE_HZ, AudioCache, SplitAudio
from recomposer_studio.training.manifest import Library
from tests.evaluation.fakes import ListeningModel

STUDY = next(study for study in STUDIES if study.name == "memorisation")


@pytest.fixture(scope="module")
def training(tiny_cache: AudioCache) -> SplitAudio:
    return tiny_cache.usable("train")


@pytest.fixture(scope="module")
def events(training: SplitAudio) -> TrainingEvents:
    return TrainingEvents(lambda: training)


class Parrot(ListeningModel):
    """Inserts a training event, whatever it is asked for."""

    def __init__(self, sound: NDArray[np.float32]) -> None:
        super().__init__(name="parrot", digest="11")
        self.learnt = sound

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        out = np.zeros(round(request.duration_s * self.rate_hz), np.float32)
        known = self.learnt[: len(out)]
        out[: len(known)] = known
        return out


def pearson(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """The largest correlation over all lags, by laying one upon the other."""
    best = -1.0
    for lag in range(-second.shape[1] + 1, first.shape[1]):
        start, stop = min(0, lag), max(first.shape[1], lag + second.shape[1])
        laid = np.zeros((2, first.shape[0], stop - start))
        laid[0, :, -start : first.shape[1] - start] = first
        laid[1, :, lag - start : lag - start + second.shape[1]] = second
        best = max(best, float(np.corrcoef(laid[0].ravel(), laid[1].ravel())[0, 1]))
    return best


def test_the_fast_way_gives_pearsons_correlation(events: TrainingEvents, training: SplitAudio) -> None:
    rng = np.random.default_rng(4)
    sound = training.read(training.events[2].key) + 0.1 * rng.standard_normal(training.frames(training.events[2].key))
    picture = sound_picture(sound, RATE_HZ)
    wanted = [pearson(picture, sound_picture(training.read(event.key), RATE_HZ)) for event in training.events]
    assert events.correlations(picture) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(("gain", "before", "after"), [(1.0, 0, 0), (0.01, 4000, 30000), (0.3, 320, 0)])
def test_a_training_event_is_found_again(
    events: TrainingEvents, training: SplitAudio, gain: float, before: int, after: int
) -> None:
    number = 7
    event = training.events[number]
    sound = np.pad(gain * training.read(event.key), (before, after))
    found = events.likeness(sound, RATE_HZ, event.class_name)
    # A lag of half a frame takes a little off.
    assert found["like_any"] > 0.98
    assert found["like_any_event"] == found["like_class_event"] == number


def test_the_class_is_looked_at_by_itself(events: TrainingEvents, training: SplitAudio) -> None:
    other = next(event.class_name for event in training.events if event.class_name != training.events[0].class_name)
    found = events.likeness(training.read(training.events[0].key), RATE_HZ, other)
    assert found["like_any_event"] == 0
    assert training.events[int(found["like_class_event"])].class_name == other
    assert found["like_class"] < found["like_any"]
    assert "like_class" not in events.likeness(training.read(training.events[0].key), RATE_HZ, "Music")


def test_silence_is_like_nothing_and_noise_is_no_copy(events: TrainingEvents) -> None:
    assert events.likeness(np.zeros(9000), RATE_HZ, "Bell") == {}
    assert events.likeness(np.zeros(0), RATE_HZ, "Bell") == {}
    noise = np.random.default_rng(3).standard_normal(20_000)
    assert events.likeness(noise, RATE_HZ, "Bell")["like_any"] < 0.8


def test_a_long_insert_and_then_a_short_one_are_measured_alike(training: SplitAudio) -> None:
    short, long = (sound_picture(np.random.default_rng(1).standard_normal(n), RATE_HZ) for n in (8_000, 90_000))
    fresh, used = TrainingEvents(lambda: training), TrainingEvents(lambda: training)
    used.correlations(long)
    assert used.correlations(short) == pytest.approx(fresh.correlations(short), abs=1e-5)


def tables_of(cache: AudioCache, folder: Path) -> list[Table]:
    training = cache.usable("train")
    shortest = min(training.events, key=lambda event: training.frames(event.key))
    actions = frozenset({Action.INSERT})
    everybody: tuple[Editor, ...] = (
        InputEditor(),
        IdentityEditor(),
        RealEditor(cache.library),
        EngineEditor(),
        EngineEditor("listener", ListeningModel(), actions),
        EngineEditor("parrot", Parrot(training.read(shortest.key)), actions),
    )
    editors = tuple(filter(STUDY.asks, everybody))
    results = Results(folder / "results.jsonl", None, cache.split("valid"), lambda: training)
    cases = STUDY.cases(Sampler(cache.split("valid"), 2, 1, 3.0))
    run_cases(Bench(cache, editors, None), [(case, editor) for case in cases for editor in editors], results)
    return STUDY.tables(cases, Figures(results, editors, editors[0], None))


def test_the_study_tells_a_parrot_from_a_model(tiny_cache: AudioCache, tmp_path: Path) -> None:
    shares, nearest = tables_of(tiny_cache, tmp_path)
    rows = {(row[0], row[1]): row for row in shares.rows}
    assert {name for _, name in rows} == {"the real event", "real", "listener", "parrot"}
    for kind in ("plain", "overlap"):
        assert rows[kind, "listener"][3].value == 0  # type: ignore[union-attr]
        assert rows[kind, "listener"][-1] == "yes"
        assert rows[kind, "parrot"][3].value == 1  # type: ignore[union-attr]
        assert rows[kind, "parrot"][-1] == "no"
        assert rows[kind, "the real event"][-1] == ""
    named = [row for row in nearest.rows if row[0] == "parrot"]
    assert named
    assert all(isinstance(row[4], float) and row[4] > COPIED for row in named)
    assert all(str(row[5]).startswith("events/train-") for row in named)


def test_other_training_events_make_other_results(
    tiny_cache: AudioCache, tiny_library: Library, tmp_path: Path
) -> None:
    training = tiny_cache.usable("train")
    fewer = AudioCache(replace(tiny_library, events=tiny_library.events[1:])).usable("train")
    assert events_digest(training) != events_digest(fewer)
    (case, *_) = STUDY.cases(Sampler(tiny_cache.split("valid"), 1, 1, 3.0))
    keys = {
        Results(tmp_path / "r", None, tiny_cache.split("valid"), lambda part=part: part).key(case, IdentityEditor())  # type: ignore[misc]
        for part in (training, fewer)
    }
    assert len(keys) == 2


def test_an_interval_of_none_has_a_width() -> None:
    assert share_interval(0, 200) == pytest.approx((0.0, 0.0, 0.01335), abs=1e-4)
    value, low, high = share_interval(10, 200)
    assert (value, low < 0.05 < high) == (0.05, True)
    assert share_interval(200, 200).high == pytest.approx(1.0)
    assert np.isnan(share_interval(0, 0).value)
