"""Runs editors over cases; what an earlier run has measured is not done again."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from recomposer_studio.evaluation.cases import Case
from recomposer_studio.evaluation.editors import Editor, EngineEditor, Samples, Task
from recomposer_studio.evaluation.measures import Judge, Values, log_spectral_distance
from recomposer_studio.evaluation.results import Results
from recomposer_studio.evaluation.yamnet import YamnetScorer
from recomposer_studio.roll.event import Action, EventRoll
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.scene_spec import SceneSpec
from recomposer_studio.training.scenes import render_scene

Progress = Callable[[int, int, str], None]


def run_cases(
    cache: AudioCache,
    questions: Iterable[tuple[Case, Editor]],
    scorer: YamnetScorer | None,
    results: Results,
    progress: Progress = lambda done, total, what: None,
) -> None:
    """Fills `results` with the editors' values.

    Args:
        cache: decoded recordings, to render the scenes from.
        questions: which editor to ask about which case.
        scorer: the classifier, or None.
        results: where the values go; known ones are skipped.
        progress: called with (done, total, what).

    Raises:
        InputError: a scene or an edit fails; what was measured before is kept.
    """
    waiting: dict[SceneSpec, list[tuple[Case, Editor]]] = {}
    seen: set[str] = set()
    for case, editor in questions:
        key = results.key(case, editor)
        if not results.has(case, editor) and key not in seen:
            seen.add(key)
            waiting.setdefault(case.spec, []).append((case, editor))
    total, done = sum(map(len, waiting.values())), 0
    for spec, asked in waiting.items():
        scene = render_scene(cache, spec)
        judge: Judge | None = None
        for case, editor in asked:
            progress(done, total, f"{case.study}: {editor.name}")
            task = case.task(scene)
            values: Values | None = None
            if case.rounds:
                values = _round_trip(task, editor, case.rounds)
            elif editor.suits(task):
                judge = judge or Judge.of(scene, scorer)
                edited = editor.edit(task)
                values = {**judge.measure(task, edited.samples), "seconds": edited.seconds}
            results.add(case, editor, values)
            done += 1
    progress(total, total, "done")


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
