"""Asks editors about cases, in this process or in several; what an earlier run has measured is not asked again."""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from multiprocessing import get_context, parent_process

import numpy as np

from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.cases import Case
from recomposer_studio.evaluation.editors import Editor, EngineEditor, Samples, Task
from recomposer_studio.evaluation.measures import Judge, Values, log_spectral_distance
from recomposer_studio.evaluation.memorisation import TrainingEvents, inserted
from recomposer_studio.evaluation.results import Results
from recomposer_studio.evaluation.scorers import Scorer
from recomposer_studio.roll.event import Action, EventRoll
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.scene_spec import SceneSpec
from recomposer_studio.training.scenes import render_scene

Progress = Callable[[int, int, str], None]
Question = tuple[Case, str]
"""A case and the name of the editor that is asked."""

# Every process works on one thread: two processes that both take all cores wait for one another most of the time.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

# Windows waits for no more than that at once.
_MOST_PROCESSES = 61


@dataclass(frozen=True)
class Bench:
    """All it takes to answer questions.

    Attributes:
        cache: decoded recordings, to render the scenes from.
        editors: the editors; their names are distinct.
        scorer: the classifier, or None.
    """

    cache: AudioCache
    editors: tuple[Editor, ...]
    scorer: Scorer | None

    @cached_property
    def training_events(self) -> TrainingEvents:
        """What editors were trained on, for cases that look for a sound among it."""
        return TrainingEvents(partial(self.cache.usable, "train"))

    def answers(self, spec: SceneSpec, questions: Sequence[Question]) -> Iterator[Values | None]:
        """The values of questions about one scene, in their order; None where an editor cannot do the case.

        Raises:
            InputError: the scene or an edit fails.
        """
        editors = {editor.name: editor for editor in self.editors}
        scene = render_scene(self.cache, spec)
        judge: Judge | None = None
        for case, name in questions:
            editor, task = editors[name], case.task(scene)
            values: Values | None = None
            if case.rounds:
                values = _round_trip(task, editor, case.rounds)
            elif case.memory:
                values = self._memory(task, editor)
            elif editor.suits(task):
                judge = judge or Judge.of(scene, self.scorer)
                edited = editor.edit(task)
                values = {**judge.measure(task, edited.samples), "seconds": edited.seconds}
            yield values

    def _memory(self, task: Task, editor: Editor) -> Values | None:
        """How much the sound that an editor inserts is like a training event; None where it inserts nothing."""
        if not editor.suits(task):
            return None
        sound = inserted(task, editor.edit(task).samples)
        return self.training_events.likeness(sound, task.scene.rate_hz, task.scene.edit.class_name) or None


def run_cases(
    bench: Bench,
    questions: Iterable[tuple[Case, Editor]],
    results: Results,
    progress: Progress = lambda done, total, what: None,
    jobs: int = 1,
    make: Callable[[], Bench] | None = None,
) -> None:
    """Fills `results` with the editors' values.

    Args:
        bench: recordings, editors and classifier.
        questions: which editor to ask about which case.
        results: where the values go; known ones are skipped.
        progress: called with (done, total, what).
        jobs: processes; with more than one each has a bench of its own.
        make: builds the same bench in another process; goes there by name, with its arguments.

    Raises:
        InputError: a scene or an edit fails, or a process dies; what was measured before is kept.
    """
    waiting: dict[SceneSpec, list[tuple[Case, Editor]]] = {}
    seen: set[str] = set()
    for case, editor in questions:
        key = results.key(case, editor)
        if not results.has(case, editor) and key not in seen:
            seen.add(key)
            waiting.setdefault(case.spec, []).append((case, editor))
    total = sum(map(len, waiting.values()))
    answered = _here(bench, waiting)
    if jobs > 1 and make is not None and len(waiting) > 1:
        answered = _in_processes(make, waiting, min(jobs, len(waiting), _MOST_PROCESSES))
    for done, (case, editor, values) in enumerate(answered, 1):
        results.add(case, editor, values)
        progress(done, total, f"{case.study}: {editor.name}")
    progress(total, total, "done")


Waiting = Mapping[SceneSpec, Sequence[tuple[Case, Editor]]]
Answer = tuple[Case, Editor, Values | None]


def _here(bench: Bench, waiting: Waiting) -> Iterator[Answer]:
    for spec, asked in waiting.items():
        answers = bench.answers(spec, [(case, editor.name) for case, editor in asked])
        for (case, editor), values in zip(asked, answers, strict=True):
            yield case, editor, values


def _in_processes(make: Callable[[], Bench], waiting: Waiting, jobs: int) -> Iterator[Answer]:
    with _environment(_ONE_THREAD), ProcessPoolExecutor(jobs, get_context("spawn"), _begin, (make,)) as pool:
        try:
            futures = {
                pool.submit(_answer, spec, [(case, editor.name) for case, editor in asked]): asked
                for spec, asked in waiting.items()
            }
            for future in as_completed(futures):
                for (case, editor), values in zip(futures[future], future.result(), strict=True):
                    yield case, editor, values
        except BrokenExecutor as error:
            raise InputError(
                "a process of the evaluation ended before its time; run the command again, it goes on where it stopped, "
                "with a smaller --jobs if memory was short"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for the processes that are started within."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# A pool hands its processes functions and arguments, no place of their own: what all tasks share has to lie in the module.
_bench: Bench | None = None


def _begin(make: Callable[[], Bench]) -> None:
    """Prepares a process of the pool."""
    global _bench
    # Ctrl-C reaches the whole group; the parent ends the pool after the scenes in work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _bench = make()


def _end_with_parent() -> None:
    """A killed evaluation leaves no process behind."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _answer(spec: SceneSpec, questions: Sequence[Question]) -> list[Values | None]:
    if _bench is None:
        raise RuntimeError("this process was not prepared")
    return list(_bench.answers(spec, questions))


def _round_trip(task: Task, editor: Editor, rounds: int) -> Values | None:
    """LSD in dB to the scene's input after every round of inserting the event and deleting it.

    An editor that cannot insert has the scene's own event mixed in instead.
    """
    if not isinstance(editor, EngineEditor) or Action.DELETE not in editor.actions:
        return None
    scene, insert = task.scene, task.row
    removal = EventRoll((replace(insert, action=Action.DELETE),))
    sound = scene.input
    values: Values = {}
    for number in range(1, rounds + 1):
        with_event: Samples = sound + scene.edit.after
        if Action.INSERT in editor.actions:
            with_event = editor.render(sound, scene.rate_hz, task.roll).samples
        sound = np.asarray(editor.render(with_event, scene.rate_hz, removal).samples, np.float32)
        values[f"lsd_box_{number}"] = log_spectral_distance(scene.input, sound, scene.rate_hz, scene.truth_box)
        values[f"lsd_clip_{number}"] = log_spectral_distance(scene.input, sound, scene.rate_hz)
    return values
