"""A whole evaluation on a small made-up collection."""

import json
import os
import re
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import soundfile as sf

from recomposer_studio.cli.parser import build_parser
from recomposer_studio.errors import InputError
from recomposer_studio.evaluation import evaluate as evaluation
from recomposer_studio.evaluation import scorers
from recomposer_studio.evaluation.evaluate import Evaluation, command_of, evaluate
from recomposer_studio.evaluation.report import Report
from tests.evaluation.fakes import BandTagger
from tests.model.tiny import write_tiny
from tests.training.tiny_library import save, write_library


@pytest.fixture(scope="module")
def request_(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return Evaluation(
        data=tiny_folder,
        out=tmp_path_factory.mktemp("evaluation") / "out",
        scenes=1,
        editors=("identity", "repair", "oracle", "real"),
        only=True,
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
    assert "--yamnet" in said[0]
    assert list(report.remarks) == said[1:]


def test_what_real_could_not_read_elsewhere_is_told_too(tmp_path: Path) -> None:
    rows = write_library(tmp_path)
    event = next(row for row in rows if row["split"] == "train" and row["kind"] == "event")
    save(tmp_path / event["path"], 0.0 * sf.read(tmp_path / event["path"])[0])
    request = Evaluation(
        tmp_path,
        tmp_path / "out",
        scenes=2,
        editors=("real",),
        only=True,
        classes="all",
        duration_s=3.0,
        examples=False,
    )
    remarks = " ".join(evaluate(request).remarks)
    assert "Left out of the split train, for the editor real: 1 silent" in remarks
    silent = " ".join(
        evaluate(replace(request, out=tmp_path / "other", studies=("swap",), editors=("oracle",))).remarks
    )
    assert "train" not in silent


def test_the_sources_of_scenes_and_short_backgrounds_are_counted(tmp_path: Path) -> None:
    rows = write_library(tmp_path)
    save(tmp_path / rows[-1]["path"], sf.read(tmp_path / "backgrounds/test-0.wav")[0][: 2 * 32000])
    request = Evaluation(
        tmp_path,
        tmp_path / "out",
        "test",
        scenes=1,
        editors=("copy",),
        only=True,
        classes="all",
        duration_s=3.0,
        examples=False,
    )
    remarks = " ".join(evaluate(request).remarks)
    assert "1 of 4 backgrounds are shorter than the scenes" in remarks
    assert re.search(r"targets of [12] and backgrounds of [23] source recordings", remarks)


def test_anchors_stand_beside_every_editor_unless_told_otherwise(request_: Evaluation, tmp_path: Path) -> None:
    request = replace(request_, out=tmp_path, editors=("repair",), studies=("decoy",), examples=False, only=False)
    assert list(evaluate(request).editors) == ["input", "identity", "copy", "repair", "oracle", "real"]
    assert list(evaluate(replace(request, only=True)).editors) == ["input", "repair"]


def test_takes_that_studies_share_count_once(request_: Evaluation, tmp_path: Path) -> None:
    request = replace(request_, out=tmp_path, editors=("repair",), studies=("anchors", "sloppy"), examples=False)
    (check,) = (sentence for sentence, _ in evaluate(request).checks if sentence.startswith("repair"))
    # Plain and overlap, delete and enhance, with exact boxes (asked by both) and with drawn ones.
    assert "8 takes" in check


def test_an_editor_with_nothing_to_do_is_an_error(request_: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="real can answer nothing of the studies swap"):
        evaluate(replace(request_, out=tmp_path, editors=("real",), studies=("swap",)))


def test_the_command_repeats_the_request(request_: Evaluation) -> None:
    request = replace(request_, data=Path(), device="cpu", examples=False, audio=Path("far/clips"))
    words = shlex.split(command_of(request))
    arguments = build_parser().parse_args(words[1:])
    assert (str(arguments.data), arguments.device, str(arguments.audio)) == (".", "cpu", "clips")
    assert (arguments.duration, arguments.only, arguments.no_examples) == (3.0, True, True)
    assert arguments.editor == list(request.editors)


def test_two_checkpoints_of_one_name_stay_apart(request_: Evaluation, tmp_path: Path) -> None:
    twins = tuple(str(write_tiny(tmp_path / f"m{seed}", ("mask",), seed)) for seed in range(2))
    request = replace(request_, out=tmp_path / "out", editors=(*twins, twins[0]), studies=("decoy",), examples=False)
    names = list(evaluate(request).editors)
    assert len(names) == len(set(names)) == 3
    assert all(re.fullmatch("tiny [0-9a-f]{8}", name) for name in names[1:])
    assert list(evaluate(replace(request, editors=twins[:1])).editors) == ["input", "tiny"]


def test_a_codec_alone_is_judged_as_a_codec(request_: Evaluation, tmp_path: Path) -> None:
    codec = str(write_tiny(tmp_path / "c", ("codec",)))
    request = replace(request_, out=tmp_path / "out", editors=(codec,), studies=("decoy",), examples=False)
    with pytest.raises(InputError, match=r"tiny.*no part that edits"):
        evaluate(request)
    report = evaluate(replace(request, only=False))
    assert list(report.editors) == ["input", "identity", "copy", "repair", "oracle", "real", "codec of tiny"]
    assert any("only its codec is judged" in remark for remark in report.remarks)


def test_a_checkpoint_that_saw_test_before_is_told(request_: Evaluation, tmp_path: Path) -> None:
    model = str(write_tiny(tmp_path / "m", ("mask",)))
    request = replace(request_, out=tmp_path / "out", split="test", editors=(model,), studies=("decoy",))
    request = replace(request, examples=False)
    said: list[str] = []
    evaluate(request, say=said.append)
    assert "before" not in " ".join(said)
    evaluate(request, say=said.append)
    date = (tmp_path / "out" / "test-use.log").read_text(encoding="utf-8")[:10]
    assert f"tiny was used before on {date}" in " ".join(said)


@pytest.mark.parametrize("name", ["pictures", "examples", "audio", "test-use.log"])
def test_what_lies_in_the_way_is_named(request_: Evaluation, tmp_path: Path, name: str) -> None:
    if name.endswith(".log"):
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text("in the way", encoding="utf-8")
    with pytest.raises(InputError, match=name) as caught:
        evaluate(replace(request_, out=tmp_path, split="test", editors=("copy",)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scenes": 0}, "at least one"),
        ({"jobs": 0}, "--jobs"),
        ({"seed": -1}, "seed -1"),
        ({"duration_s": 0.0}, "0 s"),
        ({"duration_s": float("nan")}, "nan s"),
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


def test_any_number_of_processes_measures_the_same(request_: Evaluation, finished: Report, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    request = replace(request_, out=tmp_path, examples=False, jobs=2)
    report = evaluate(request, lambda done, total, what: seen.append((done, total)))
    assert report.checks == finished.checks
    assert [step for step, _ in seen] == [*range(1, seen[-1][1] + 1), seen[-1][1]]
    for mine, other in zip(report.tables["anchors"], finished.tables["anchors"], strict=True):
        assert mine == other or mine.title == "Seconds per edit"


def test_a_process_that_dies_is_one_sentence(
    request_: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "bench_for", partial(os._exit, 3))
    request = replace(request_, out=tmp_path, examples=False, jobs=2)
    with pytest.raises(InputError, match="ended before its time; run the command again") as caught:
        evaluate(request)
    assert "\n" not in str(caught.value)


def test_tables_name_the_classifier_and_figures_of_two_never_mix(
    request_: Evaluation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(request_, out=tmp_path, examples=False, editors=("copy",), studies=("decoy",))
    said: list[str] = []
    found = []
    for tagger in (BandTagger(), OtherBands()):
        monkeypatch.setattr(scorers, "load_builtin", lambda *_, tagger=tagger: tagger)
        totals: list[int] = []
        found.append(evaluate(request, lambda done, total, what, totals=totals: totals.append(total), said.append))  # type: ignore[misc]
        # Nothing that the first classifier has heard is taken for the second one's.
        assert totals[-1] == 6
    names = [report.scorer for report in found]
    assert names[0] != names[1]
    for report, name in zip(found, names, strict=True):
        (table,) = report.tables["decoy"]
        assert f"Classifier: {name}." in table.note
        assert "KLD ratio" in table.columns
        assert any(str(name) in sentence for sentence in said)


class OtherBands(BandTagger):
    digest = "cd" * 32
