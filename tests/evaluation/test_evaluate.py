"""A whole evaluation on a small made-up collection."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile as sf

from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.evaluate import Evaluation, evaluate
from recomposer_studio.evaluation.report import Report
from tests.training.tiny_library import save, write_library


@pytest.fixture(scope="module")
def request_(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return Evaluation(
        data=tiny_folder,
        out=tmp_path_factory.mktemp("evaluation") / "out",
        scenes=1,
        editors=("identity", "repair", "oracle", "real"),
        classes="all",
        duration_s=3.0,
    )


@pytest.fixture(scope="module")
def finished(request_: Evaluation) -> Report:
    return evaluate(request_)


def test_examples_can_be_left_out(request_: Evaluation, tmp_path: Path) -> None:
    report = evaluate(replace(request_, out=tmp_path, editors=("repair",), studies=("swap",), examples=False))
    assert not report.examples
    assert not (tmp_path / "audio").exists()


def test_everything_the_report_names_is_there(request_: Evaluation, finished: Report) -> None:
    text = (request_.out / "report.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) == len(set(links)) > 20
    assert all((request_.out / link).is_file() for link in links)
    document = json.loads((request_.out / "report.json").read_text(encoding="utf-8"))
    assert document["editors"].keys() == {"input", "identity", "repair", "oracle", "real"}
    assert document["classifier"] is None
    assert "no KLD columns" in text
    assert all(check["holds"] for check in document["checks"])
    assert {check["check"].split(":")[0] for check in document["checks"]} == set(document["editors"])
    titles = [table["title"] for table in document["studies"]["anchors"]]
    assert any(title.startswith("Plain") for title in titles)
    assert any(title.startswith("Overlap") for title in titles)


def test_examples_are_heard_unclipped_at_one_level(request_: Evaluation, finished: Report) -> None:
    example = next(e for e in finished.examples if e.editor == "oracle" and e.action == "enhance")
    assert [path.stem.rsplit("-", 1)[1] for path in example.sounds] == ["input", "desired", "estimate"]
    for path in example.sounds:
        samples, rate_hz = sf.read(path)
        assert (len(samples), rate_hz) == (96000, 32000)
        assert abs(samples).max() < 1


def test_a_second_run_measures_nothing_again(request_: Evaluation, finished: Report) -> None:
    results = request_.out / "results.jsonl"
    before = results.read_bytes()
    totals: set[int] = set()
    again = evaluate(
        replace(request_, examples=False), lambda done, total, what: totals.add(total) if what == "done" else None
    )
    assert results.read_bytes() == before
    assert totals == {0}
    assert again.tables == finished.tables


def test_an_interrupted_run_goes_on(request_: Evaluation, finished: Report, tmp_path: Path) -> None:
    lines = (request_.out / "results.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "results.jsonl").write_text("".join(lines[:7]) + lines[7][:30], encoding="utf-8")
    totals: list[int] = []
    report = evaluate(replace(request_, out=tmp_path, examples=False), lambda done, total, what: totals.append(total))
    assert totals[-1] == len(lines) - 7
    shown = [list(table.rows) for table in report.tables["anchors"][:2]]
    assert shown == [list(table.rows) for table in finished.tables["anchors"][:2]]


def test_the_use_of_test_is_told_and_written_down(request_: Evaluation, tmp_path: Path) -> None:
    said: list[str] = []
    request = replace(request_, split="test", out=tmp_path, editors=("identity",))
    evaluate(request, say=said.append)
    evaluate(request, say=said.append)
    assert sum("test split" in sentence for sentence in said) == 2
    lines = (tmp_path / "test-use.log").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert all("identity" in line for line in lines)


def test_the_valid_split_is_not_logged(request_: Evaluation, finished: Report) -> None:
    assert not (request_.out / "test-use.log").exists()


def test_left_out_recordings_are_listed_with_counts(tmp_path: Path) -> None:
    rows = write_library(tmp_path)
    event = next(row for row in rows if row["split"] == "valid" and row["kind"] == "event")
    (tmp_path / event["path"]).write_bytes(b"no sound")
    others = [row for row in rows if row["split"] == "valid" and row["kind"] == "event" and row is not event]
    save(tmp_path / others[0]["path"], 0.0 * sf.read(tmp_path / others[0]["path"])[0])
    (tmp_path / others[1]["path"]).unlink()
    said: list[str] = []
    request = Evaluation(tmp_path, tmp_path / "out", scenes=1, editors=("identity",), classes="all", duration_s=3.0)
    report = evaluate(request, say=said.append)
    text = " ".join(said)
    assert "1 unreadable" in text
    assert "1 silent" in text
    assert "1 file missing" in text
    assert list(report.remarks) == said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scenes": 0}, "at least one"),
        ({"split": "tset"}, "train, valid, test"),
        ({"studies": ("swop",)}, "swop"),
        ({"editors": ("repare",)}, "repare"),
        ({"editors": ("codec", "nowhere")}, "nowhere"),
        ({"yamnet": Path("missing.tflite")}, "missing.tflite"),
        ({"data": Path("missing")}, "missing"),
        ({"classes": "trained"}, "--classes all"),
        ({"duration_s": 60.0}, "valid"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(
    request_: Evaluation, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        evaluate(replace(request_, out=tmp_path / "out", **change))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_a_file_is_named(request_: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way", encoding="utf-8")
    with pytest.raises(InputError, match="out"):
        evaluate(replace(request_, out=tmp_path / "out"))
