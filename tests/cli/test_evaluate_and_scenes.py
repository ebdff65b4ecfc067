"""`recomposer evaluate` and `recomposer scenes` from the command line."""

from pathlib import Path

import pytest

from recomposer_studio.cli.main import main
from recomposer_studio.evaluation.studies import STUDIES
from tests.training.tiny_library import write_library


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("library")
    write_library(data, events_per_class=2)
    return data


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
