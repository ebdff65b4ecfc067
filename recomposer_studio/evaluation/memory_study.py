"""The study of memorisation: how many inserts are all but a training event, and which are the nearest."""

from collections.abc import Sequence

import numpy as np

from recomposer_studio.evaluation.anchors import RealEditor
from recomposer_studio.evaluation.bootstrap import share_interval
from recomposer_studio.evaluation.cases import Case, Sampler
from recomposer_studio.evaluation.editors import Editor, EngineEditor, IdentityEditor
from recomposer_studio.evaluation.measures import Values
from recomposer_studio.evaluation.memorisation import ALLOWED_SHARE, COPIED
from recomposer_studio.evaluation.tables import Cell, Figures, Table, column, grouped
from recomposer_studio.training.scene_spec import Kind

KINDS: tuple[Kind, ...] = ("plain", "overlap")
_NAMED = 5


def memory_cases(sampler: Sampler) -> list[Case]:
    """The anchors' Insert scenes, once more: what is inserted is looked for among the training events."""
    return [
        Case("memorisation", (kind,), spec, memory=True) for kind in KINDS for spec in sampler.specs(kind, "insert")
    ]


def inserting(editor: Editor) -> bool:
    """Whoever adds a sound to the input and leaves the rest: models, and as anchors the real event and another one."""
    return isinstance(editor, EngineEditor | IdentityEditor | RealEditor)


def memory_tables(cases: Sequence[Case], figures: Figures) -> list[Table]:
    """The share of inserts above the limit, and the highest pairs by name."""
    return [_shares(cases, figures), _nearest(cases, figures)]


def _shares(cases: Sequence[Case], figures: Figures) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for (kind,), members in grouped(cases).items():
        for editor in figures.editors:
            found = [values for case in members if (values := figures.results.get(case, editor))]
            if not found:
                continue
            any_class = column(found, "like_any")
            own = column((values for values in found if "like_class" in values), "like_class")
            share = share_interval(int((any_class > COPIED).sum()), len(found))
            cells: list[Cell] = [share, share_interval(int((own > COPIED).sum()), len(own))]
            cells += [float(np.median(any_class)), float(np.quantile(any_class, 0.95)), float(any_class.max())]
            holds = "" if not isinstance(editor, EngineEditor) else "yes" if share.value <= ALLOWED_SHARE else "no"
            rows.append((kind, _name(editor), len(found), *cells, holds))
    note = (
        "The largest correlation of an inserted sound's log-mel picture (32 bands, 10 ms, 50 dB) with any training event, over all lags; "
        f"a copy lies above {COPIED:g}. Shares with their 90 % interval (Wilson) over scenes; the second counts training events of the "
        "insert's class alone. The real event is a test recording, which no training event can be a copy of; *real* is another "
        "recording of the class from any split, so that some of its inserts are training events, cut to the box."
    )
    columns = ("scenes of kind", "editor", "inserts", "copies", "copies in class", "median", "95 %", "highest")
    return Table("Memorisation", note, (*columns, f"at most {ALLOWED_SHARE:.0%}"), tuple(rows))


def _nearest(cases: Sequence[Case], figures: Figures) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for editor in figures.editors:
        if not isinstance(editor, EngineEditor):
            continue
        pairs: list[tuple[Case, Values]] = [
            (case, values) for case in cases if (values := figures.results.get(case, editor))
        ]
        for case, values in sorted(pairs, key=lambda pair: -pair[1]["like_any"])[:_NAMED]:
            name = figures.results.training_event(int(values["like_any_event"]))
            target = next(sound for sound in case.spec.sounds if sound.role == "target")
            rows.append((editor.name, *case.group, case.spec.seed, target.class_name, values["like_any"], name))
    columns = ("editor", "scenes of kind", "scene", "inserted class", "correlation", "training event")
    return Table(
        "Memorisation: the nearest pairs", "The inserts that are most like a training event.", columns, tuple(rows)
    )


def _name(editor: Editor) -> str:
    return "the real event" if isinstance(editor, IdentityEditor) else editor.name
