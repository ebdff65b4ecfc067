"""`recomposer evaluate` and `recomposer scenes` from the command line."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from recomposer_studio.cli.main import main
from recomposer_studio.cli.reading import ReadingBar, say
from recomposer_studio.evaluation.studies import STUDIES
from tests.training.tiny_library import COLUMNS, noise, save, write_library, write_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("library")
    write_library(data, events_per_class=2)
    return data


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMPOSER_DATA", str(tmp_path_factory.mktemp("user-data")))


def test_evaluate_prints_its_tables_and_writes_a_report(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "--data", folder, "--out", tmp_path / "out", "--scenes", 1, "--classes", "all"]
    assert main([*map(str, words), "--editor", "repair", "--study", "swap", "--study", "round-trip"]) == 0
    out = capsys.readouterr().out
    assert "### Swap test" in out
    assert "### Round trips" in out
    assert "### Plain scenes" not in out
    assert "holds: repair" in out
    assert (tmp_path / "out" / "report.json").is_file()
    assert str(tmp_path / "out" / "report.md") in out


def test_only_chosen_kinds_and_actions_are_measured(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "--data", folder, "--out", tmp_path, "--scenes", 1, "--classes", "all", "--no-examples"]
    few = [*map(str, words), "--editor", "copy", "--editor", "repair", "--only", "--duration", "3"]
    assert main([*few, "--kind", "overlap", "--action", "delete", "--action", "enhance"]) == 0
    shown = capsys.readouterr().out
    assert "### Overlap scenes" in shown
    assert "### Plain scenes" not in shown
    lines = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    groups = {tuple(json.loads(line)["group"]) for line in lines}
    assert groups == {("overlap", "delete"), ("overlap", "enhance")}
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert "--kind overlap --action delete --action enhance" in report["command"]
    # The same folder takes the rest later, and keeps what is known.
    assert main([*few, "--kind", "plain", "--kind", "overlap", "--action", "delete"]) == 0
    more = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert more[: len(lines)] == lines
    assert {tuple(json.loads(line)["group"]) for line in more[len(lines) :]} == {("plain", "delete")}


def test_kinds_and_actions_that_no_study_has_are_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", "--data", folder, "--out", tmp_path, "--scenes", 1, "--classes", "all", "--study", "swap"]
    assert main([*map(str, words), "--kind", "plain"]) == 2
    assert "choose others with --kind and --action" in capsys.readouterr().err


def test_the_help_names_every_study(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"{study.name}, " in shown for study in STUDIES)


def without_source(rows: list[dict[str, str]], folder: Path) -> str:
    write_table(folder, rows, tuple(name for name in COLUMNS if name != "source_id"))
    return "the column 'source_id' is missing"


def without_rows(rows: list[dict[str, str]], folder: Path) -> str:
    write_table(folder, [])
    return "no usable event file is left"


def not_text(rows: list[dict[str, str]], folder: Path) -> str:
    (folder / "manifest.csv").write_bytes(bytes(range(256)))
    return "(it is not text in UTF-8)"


def without_table(rows: list[dict[str, str]], folder: Path) -> str:
    (folder / "manifest.csv").unlink()
    return "neither manifest.csv nor dev.csv nor a .tsv"


def source_in_two_splits(rows: list[dict[str, str]], folder: Path) -> str:
    rows[0]["source_id"] = next(r["source_id"] for r in rows if r["split"] == "test")
    write_table(folder, rows)
    return "lies in both train and test"


def spoiled(rows: list[dict[str, str]], folder: Path, kind: str) -> list[Path]:
    return [folder / r["path"] for r in rows if r["split"] == "valid" and r["kind"] == kind]


def unreadable_events(rows: list[dict[str, str]], folder: Path) -> str:
    for path in spoiled(rows, folder, "event"):
        path.write_bytes(b"no sound")
    return "holds no usable event (8 unreadable)"


def silent_backgrounds(rows: list[dict[str, str]], folder: Path) -> str:
    for path in spoiled(rows, folder, "background"):
        save(path, np.zeros(4 * 32000))
    return "holds no usable background (4 silent)"


def clipped_events(rows: list[dict[str, str]], folder: Path) -> str:
    for path in spoiled(rows, folder, "event"):
        save(path, np.sign(noise(0.5, 1)))
    return "holds no usable event (8 clipped)"


def absent_events(rows: list[dict[str, str]], folder: Path) -> str:
    for r in rows:
        if r["kind"] == "event":
            (folder / r["path"]).unlink()
    return "no usable event file is left (24 file missing)"


def one_class_and_a_broken_file(rows: list[dict[str, str]], folder: Path) -> str:
    bells = [r for r in rows if r["kind"] == "background" or r["audioset_class"] == "Bell"]
    write_table(folder, bells)
    spoiled(bells, folder, "event")[0].write_bytes(b"no sound")
    return (
        "it lacks two events of different classes and sources, one covering half of the other (left out: 1 unreadable)"
    )


@pytest.mark.parametrize(
    "spoil",
    [
        without_source,
        without_rows,
        without_table,
        not_text,
        source_in_two_splits,
        unreadable_events,
        silent_backgrounds,
        clipped_events,
        absent_events,
        one_class_and_a_broken_file,
    ],
)
def test_bad_data_is_one_line_and_status_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[list[dict[str, str]], Path], str],
) -> None:
    words = spoil(write_library(tmp_path, events_per_class=2), tmp_path)
    more = ("--classes", "all", "--editor", "copy", "--only", "--no-examples", "--duration", "3")
    for command, options in (("evaluate", more), ("scenes", ("--duration", "3"))):
        assert main([command, "--data", str(tmp_path), "--out", str(tmp_path / "out"), *options]) == 2
        # `scenes` lists what it left out before it finds that the rest is too little.
        *before, last = capsys.readouterr().err.strip().splitlines()
        assert words in last
        assert not before or (command == "scenes" and before[0].startswith("left out of"))


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("evaluate", "scenes"):
        assert main([command, "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")]) == 2
        assert capsys.readouterr().err.strip() == (
            f"recomposer: {tmp_path / 'nowhere'}: no such file or folder; name a table of recordings, or the folder that "
            "holds it."
        )
    assert not (tmp_path / "out").exists()


def test_scenes_are_written(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["scenes", "--data", folder, "--out", tmp_path / "out", "--scenes", 2, "--kind", "plain"]
    assert main([*map(str, words), "--action", "enhance"]) == 0
    assert "wrote 2 scenes" in capsys.readouterr().out
    names = {path.name for path in (tmp_path / "out" / "scene-0001").iterdir()}
    assert names >= {"input.wav", "desired.wav", "roll.json", "spec.json"}


def test_no_scenes_are_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenes", "--data", str(folder), "--out", str(tmp_path), "--scenes", "0"]) == 2
    assert "at least one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "words"),
    [(("--seed", "-1"), "seed -1"), (("--duration", "0"), "0 s"), (("--audio", "nowhere"), "nowhere")],
)
def test_impossible_wishes_are_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, str], words: str
) -> None:
    strong = tmp_path / "x_strong.tsv"
    strong.write_text("segment_id\tstart_time_seconds\tend_time_seconds\tlabel\n", encoding="utf-8")
    data = strong if more[0] == "--audio" else folder
    for command in ("evaluate", "scenes"):
        assert main([command, "--data", str(data), "--out", str(tmp_path / "out"), *more]) == 2
        shown = capsys.readouterr().err.strip()
        assert words in shown
        assert "\n" not in shown


def test_scenes_tell_what_the_split_lost_and_what_they_rest_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write_library(tmp_path, events_per_class=2)
    valid = [r for r in rows if r["split"] == "valid"]
    save(tmp_path / valid[0]["path"], np.zeros(16000))
    save(tmp_path / valid[-1]["path"], noise(2.0, 3))
    words = ["scenes", "--data", tmp_path, "--out", tmp_path / "out", "--scenes", 2, "--kind", "plain", "--duration", 3]
    assert main([*map(str, words)]) == 0
    shown = capsys.readouterr()
    assert "left out of the split valid:\n    1  silent" in shown.err
    assert "1 of 4 backgrounds are shorter" in shown.err
    assert "backgrounds of" in shown.out
    assert sf.info(tmp_path / "out" / "scene-0000" / "input.wav").duration == 3.0


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_reading_bar_is_gone_before_anything_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    bar = ReadingBar()
    for _ in range(2):
        for done in (1, 2):
            bar(done, 2)
        # The bar has wiped its line; the sentence stands on one of its own.
        shown = terminal.getvalue()
        assert "reading recordings" in shown
        assert shown.endswith("\r")
        assert not shown.rstrip("\r").rsplit("\r", 1)[-1].strip()
        say("a sentence")
        assert terminal.getvalue().endswith("a sentence\n")
    bar.close()
