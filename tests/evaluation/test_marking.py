"""Which actions a checkpoint is marked with, and what a run needs for that."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.anchors import CopyEditor, InputEditor
from recomposer_studio.evaluation.cases import Case, Sampler
from recomposer_studio.evaluation.evaluate import Evaluation, evaluate
from recomposer_studio.evaluation.marking import better_actions
from recomposer_studio.evaluation.results import Results
from recomposer_studio.evaluation.tables import Figures
from recomposer_studio.model.checkpoint import load_checkpoint
from recomposer_studio.roll.event import Action
from recomposer_studio.training.cache import AudioCache
from tests.model.tiny import write_tiny

_SCENES = 6


def _better(cache: AudioCache, path: Path, by: dict[str, dict[str, float]], classifier: str | None = "one") -> set[str]:
    """Actions that count as better where the model's distances are so much of spectral repair's: by action and measure."""
    repair, model = CopyEditor(), replace(CopyEditor(), name="model")
    results = Results(path, classifier)
    sampler = Sampler(cache.split("valid"), _SCENES, duration_s=2.0)
    cases = []
    for action, share in by.items():
        for number, spec in enumerate(sampler.specs("plain", action)):
            cases.append(Case("anchors", ("plain", action), spec))
            distances = {"msd_target": 1.0 + number, "kld_target": 2.0 + number}
            results.add(cases[-1], repair, None if action == "insert" else distances)
            # Now more, now less than its share, so that a scene alone says little.
            swing = 1.0 + 0.1 * (-1) ** number
            results.add(cases[-1], model, {name: value * share[name] * swing for name, value in distances.items()})
    figures = Figures(results, (InputEditor(), repair, model), InputEditor(), classifier)
    return {action.value for action in better_actions(cases, figures, repair, model)}


def test_only_what_is_surely_better_by_both_measures_counts(tiny_cache: AudioCache, tmp_path: Path) -> None:
    good, alike, bad = ({"msd_target": share, "kld_target": share} for share in (0.7, 0.99, 1.3))
    one_sided = {"msd_target": 0.7, "kld_target": 1.1}
    # Nobody but the model inserts, so there is nothing to be better than.
    assert _better(tiny_cache, tmp_path / "a", {"delete": good, "enhance": bad, "insert": good}) == {"delete"}
    assert _better(tiny_cache, tmp_path / "b", {"delete": alike, "enhance": good}) == {"enhance"}
    assert _better(tiny_cache, tmp_path / "c", {"delete": one_sided}) == set()
    assert _better(tiny_cache, tmp_path / "d", {"delete": one_sided}, None) == {"delete"}


def test_a_run_writes_its_verdict_into_the_checkpoint(tiny_folder: Path, tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "tiny", ("mask",))
    request = Evaluation(tiny_folder, tmp_path / "out", "valid", 1, (str(folder),), classes="all", duration_s=3.0)
    said: list[str] = []
    evaluate(replace(request, examples=False, mark=True), say=said.append)
    # Random weights, and a single scene of a kind: whatever the verdict is, it is what the sentence says.
    words = " and ".join(sorted(action.value for action in load_checkpoint(folder).better_than_repair)) or "nothing"
    assert said[-1] == f"tiny: better than spectral repair in {words}; written into {folder}."
    assert Action.INSERT not in load_checkpoint(folder).better_than_repair


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split": "test"}, "valid split"),
        ({"studies": ("swap",)}, "--study anchors"),
        ({"only": True}, "--only"),
        ({"kinds": ("plain",)}, "--kind"),
        ({"editors": ("repair",)}, "one model"),
        ({"editors": ("a", "b")}, "one model"),
        ({"editors": ("nowhere",)}, "nowhere"),
    ],
)
def test_what_tells_nothing_about_it_is_refused_before_anything_is_measured(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    request = Evaluation(tmp_path, tmp_path / "out", editors=("recomposer-small",), mark=True)
    with pytest.raises(InputError, match=re.escape(words)):
        evaluate(replace(request, **change))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
