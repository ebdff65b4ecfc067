"""Results on disk: nothing is measured twice, nothing else is taken for a result."""

from dataclasses import replace
from pathlib import Path

import pytest
import soundfile as sf

from recomposer_studio.errors import InputError
from recomposer_studio.evaluation import provenance
from recomposer_studio.evaluation.anchors import CopyEditor, InputEditor
from recomposer_studio.evaluation.cases import Case, Sampler
from recomposer_studio.evaluation.results import Results
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest
from tests.training.tiny_library import save, write_library


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


def test_changed_recordings_are_measured_anew(tmp_path: Path) -> None:
    rows = write_library(tmp_path / "data", 1, 1)
    (event,) = (r for r in rows if r["path"] == "events/valid-1-0.wav")

    def results() -> Results:
        audio = AudioCache(load_manifest(tmp_path / "data")).split("valid")
        return Results(tmp_path / "results.jsonl", None, audio)

    audio = AudioCache(load_manifest(tmp_path / "data")).split("valid")
    cases = [Case("test", (), spec) for spec in Sampler(audio, 12, duration_s=2.0).specs("plain", "delete")]
    first = results()
    for case in cases:
        first.add(case, InputEditor(), {"msd_target": 1.0})
    assert all(results().has(case, InputEditor()) for case in cases)
    samples, rate_hz = sf.read(tmp_path / "data" / event["path"])
    save(tmp_path / "data" / event["path"], 0.9 * samples, rate_hz)
    again = results()
    changed = [not again.has(case, InputEditor()) for case in cases]
    assert changed == [case.spec.sounds[0].key == event["path"] for case in cases]
    assert 0 < sum(changed) < len(cases)


def test_changed_code_is_measured_anew(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(provenance.__file__).parents[1]
    copy = tmp_path / "package"
    for pattern in provenance.MEASURING:
        found = list(package.glob(pattern))
        assert found, pattern
        for path in found:
            (copy / path.relative_to(package)).parent.mkdir(parents=True, exist_ok=True)
            (copy / path.relative_to(package)).write_bytes(path.read_bytes().replace(b"\r\n", b"\n"))
    whole = provenance.code_digest(copy)
    assert whole == provenance.code_digest() == provenance.running_code()
    bands = copy / "audio" / "bands.py"
    bands.write_bytes(bands.read_bytes().replace(b"\n", b"\r\n"))
    assert provenance.code_digest(copy) == whole
    bands.write_bytes(bands.read_bytes() + b"\n# changed\n")
    assert provenance.code_digest(copy) != whole
    results = Results(tmp_path / "results.jsonl")
    results.add(case, InputEditor(), {"msd_target": 1.0})
    monkeypatch.setattr("recomposer_studio.evaluation.cases.running_code", lambda: "changed")
    assert not Results(tmp_path / "results.jsonl").has(case, InputEditor())
