"""The study of both modes: the edited layers over an untouched recording, against the whole clip generated anew."""

from collections.abc import Sequence
from dataclasses import replace

from recomposer_studio.evaluation.anchors import CodecEditor, InputEditor
from recomposer_studio.evaluation.cases import Case, Sampler
from recomposer_studio.evaluation.editors import Editor, EngineEditor, WholeClipEditor
from recomposer_studio.evaluation.tables import Cell, Figures, Table, column, grouped
from recomposer_studio.training.scene_spec import Kind

KINDS: tuple[Kind, ...] = ("plain", "overlap")
ACTIONS = ("delete", "insert", "enhance")
MOST_SCENES = 12
"""Scenes a row, however many were asked for: a generated clip is decoded and heard from end to end, for seconds."""


def modes_cases(sampler: Sampler) -> list[Case]:
    """The first of the anchors' scenes: plain and overlap, every action, exact boxes."""
    sampler = replace(sampler, scenes=min(sampler.scenes, MOST_SCENES))
    return [
        Case("modes", (kind, action), spec)
        for kind in KINDS
        for action in ACTIONS
        for spec in sampler.specs(kind, action)
    ]


def generating(editor: Editor) -> bool:
    """Models in both modes, the codec that bounds one of them, and the input."""
    if isinstance(editor, EngineEditor):
        return editor.generator is not None
    return isinstance(editor, InputEditor | CodecEditor | WholeClipEditor)


def modes_tables(cases: Sequence[Case], figures: Figures) -> list[Table]:
    """Distances in the target and beside it, as the paper's table has them."""
    rows: list[tuple[Cell, ...]] = []
    for group, members in grouped(cases).items():
        for editor in figures.editors:
            pairs = figures.pairs(members, editor)
            if not pairs:
                continue
            cells: list[Cell] = [len(pairs)]
            for name in ("msd", "kld") if figures.kld else ("msd",):
                cells += [
                    figures.ratio(pairs, f"{name}_target"),
                    float(column((p[0] for p in pairs), f"{name}_target").mean()),
                ]
                cells += [
                    float(column((p[0] for p in pairs), f"{name}_nontarget").mean()),
                    figures.ratio(pairs, f"{name}_clip"),
                ]
            rows.append((*group, editor.name, *cells))
    columns = ["scenes of kind", "action", "editor", "scenes"]
    for name in ("MSD", "KLD") if figures.kld else ("MSD",):
        columns += [f"{name} ratio", name, f"{name} nontarget", f"{name} ratio, whole clip"]
    note = (
        "A model's usual mode edits layers and leaves the rest of the recording alone. *Whole clip* generates the tokens of the whole "
        "mixture after the edit, as published systems do, and pays for it outside the target (nontarget); the codec's round trip of the "
        "desired signal is the best that it can reach. Ratio = sum of the editor's distances over sum of the input's, in the target and "
        f"over all frames. At most {MOST_SCENES} scenes a row, since clips that are generated take long.{figures.heard_by}"
    )
    return [Table("Both modes", note, tuple(columns), tuple(rows))]
