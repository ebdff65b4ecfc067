"""Results on disk: nothing is measured twice, nothing else is taken for a result."""

from dataclasses import replace
from pathlib import Path

import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.anchors import CopyEditor, InputEditor
from recomposer_studio.evaluation.cases import Case, Sampler
from recomposer_studio.evaluation.results import Results
from recomposer_studio.training.cache import AudioCache


@pytest.fixture
def case(tiny_cache: AudioCache) -> Case:
    return Case("test", ("a",), Sampler(tiny_cache.split("valid"), 1, duration_s=2.0).specs("plain", "delete")[0])


def test_what_was_added_is_there_after_a_restart(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    first = Results(path, "classifier")
    first.add(case, InputEditor(), {"msd_target": 1.5})
    first.add(case, CopyEditor(), None)
    second = Results(path, "classifier")
    assert second.get(case, InputEditor()) == {"msd_target": 1.5}
    assert second.has(case, CopyEditor())
    assert second.get(case, CopyEditor()) is None
    assert len(second) == 2


def test_every_difference_makes_another_result(case: Case, tmp_path: Path) -> None:
    results = Results(tmp_path / "results.jsonl", "classifier")
    results.add(case, InputEditor(), {"msd_target": 1.0})
    assert results.has(replace(case, study="another", group=("b",)), InputEditor())
    others = [
        replace(case, spec=replace(case.spec, seed=case.spec.seed + 1)),
        replace(case, keep=True),
        replace(case, whole_clip=True),
        replace(case, label="Bell"),
        replace(case, hidden="class"),
        replace(case, rounds=5),
    ]
    assert not any(results.has(other, InputEditor()) for other in others)
    assert not results.has(case, InputEditor(digest="2"))
    assert not Results(tmp_path / "results.jsonl", None).has(case, InputEditor())


def test_a_line_cut_short_is_measured_again(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    Results(path).add(case, InputEditor(), {"msd_target": 1.0})
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole + whole[:20], encoding="utf-8")
    results = Results(path)
    assert len(results) == 1
    results.add(case, CopyEditor(), {"msd_target": 2.0})
    again = Results(path)
    assert again.get(case, CopyEditor()) == {"msd_target": 2.0}
    assert again.get(case, InputEditor()) == {"msd_target": 1.0}


def test_a_file_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(InputError, match=r"results\.jsonl"):
        Results(path)
