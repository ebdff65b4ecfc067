"""`recomposer evaluate` and `recomposer scenes` from the command line."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from recomposer_studio.cli.main import main
from recomposer_studio.cli.reading import ReadingBar, say
from recomposer_studio.evaluation.studies import STUDIES
from tests.training.tiny_library import noise, save, write_library


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


def test_the_help_names_every_study(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert all(f"{study.name}, " in shown for study in STUDIES)


def test_bad_data_is_one_line_and_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "manifest.csv").write_text("path,kind\nx.wav,event\n", encoding="utf-8")
    for command in ("evaluate", "scenes"):
        assert main([command, "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
        shown = capsys.readouterr().err.strip()
        assert "column" in shown
        assert "\n" not in shown
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
