"""Writes into a checkpoint in which actions it is better than spectral repair: `auto` uses the model for those alone."""

from collections.abc import Sequence
from pathlib import Path

from recomposer_studio.audio.atomic import write_error
from recomposer_studio.evaluation.bootstrap import bootstrap_ratio
from recomposer_studio.evaluation.cases import Case
from recomposer_studio.evaluation.editors import Editor, EngineEditor
from recomposer_studio.evaluation.tables import Figures, column
from recomposer_studio.roll.event import Action


def better_actions(cases: Sequence[Case], figures: Figures, repair: Editor, model: Editor) -> frozenset[Action]:
    """Actions in which a model surely beats spectral repair.

    Over all scenes of the action, plain and crowded, its distances in the box sum to less than those of spectral repair: the whole 90 %
    bootstrap interval over scenes of their ratio lies below 1, for MSD and, with a classifier, for KLD.

    Args:
        cases: those of the anchors.
        figures: their answers.
        repair: the editor spectral repair.
        model: the editor to judge.
    """
    measures = ("msd_target", "kld_target") if figures.kld else ("msd_target",)
    better = set()
    for action in Action:
        members = [case for case in cases if case.group[1] == action.value]
        pairs = figures.results.pairs(members, model, repair)
        ratios = [
            bootstrap_ratio(column((p[0] for p in pairs), name), column((p[1] for p in pairs), name))
            for name in measures
        ]
        if pairs and all(ratio.high < 1.0 for ratio in ratios):
            better.add(action)
    return frozenset(better)


def mark(folder: Path, cases: Sequence[Case], figures: Figures) -> str:
    """Judges the model of a run and writes the verdict into its checkpoint.

    Args:
        folder: the checkpoint.
        cases: those of the anchors.
        figures: their answers; spectral repair and this model are among the editors.

    Returns:
        A sentence about it.

    Raises:
        InputError: the checkpoint cannot be written.
    """
    # torch takes seconds to load: here it is there already, elsewhere it is not wanted.
    from recomposer_studio.model.checkpoint import write_facts

    engines = [editor for editor in figures.editors if isinstance(editor, EngineEditor)]
    repair = next(editor for editor in engines if editor.generator is None)
    model = next(editor for editor in engines if editor.generator is not None)
    better = better_actions(cases, figures, repair, model)
    try:
        write_facts(folder, better_than_repair=better)
    except OSError as error:
        raise write_error(folder, error) from error
    words = " and ".join(sorted(action.value for action in better)) or "nothing"
    return f"{model.name}: better than spectral repair in {words}; written into {folder}."
