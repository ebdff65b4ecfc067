"""`recomposer tag` and `recomposer models install yamnet`."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from recomposer_studio.cli.main import main
from recomposer_studio.data import data_folder
from recomposer_studio.roll.event import Action
from recomposer_studio.roll.file import read_roll

SCENE = data_folder("resources") / "demo" / "scene.flac"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder of the user."""
    monkeypatch.setenv("RECOMPOSER_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def with_yamnet(data: Path, shared: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["models", "install", "yamnet", "--from", str(shared / "models" / "yamnet.tflite")]) == 0
    assert capsys.readouterr().out.startswith("installed YAMNet from yamnet.tflite: ")
    return data


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on standard error; nothing on the other stream."""
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("recomposer")
    return err


def test_a_recording_gets_a_roll(with_yamnet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "roll.json"
    options = ["--tagger", "yamnet", "--threshold", "0.02", "--device", "cpu"]
    assert main(["tag", str(SCENE), "--out", str(out), *options]) == 0
    roll = read_roll(out)
    assert roll.events and {event.action for event in roll.events} == {Action.KEEP}
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(roll.events) + 1 and lines[-1] == f"wrote {out} ({len(roll.events)} rows)"
    assert roll.events[0].label in lines[0]
    # The roll can be drawn and edited at once.
    assert main(["edit", str(SCENE), "--roll", str(out), "--out", str(tmp_path / "take.wav")]) == 0


def test_without_any_installation_the_built_in_tagger_listens(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "roll.json"
    assert main(["tag", str(SCENE), "--out", str(out), "--device", "cpu"]) == 0
    roll = read_roll(out)
    assert roll.events and {event.action for event in roll.events} == {Action.KEEP}
    assert capsys.readouterr().out.splitlines()[-1] == f"wrote {out} ({len(roll.events)} rows)"


def test_sounds_like_a_box_get_a_roll(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, time = tmp_path / "roll.json", np.arange(8 * 16_000) / 16_000
    samples = 0.003 * np.random.default_rng(0).standard_normal(len(time))
    for start_s in (1.0, 4.0, 6.5):
        burst = (time >= start_s) & (time < start_s + 0.3)
        samples[burst] += 0.2 * np.sin(2 * np.pi * 900.0 * (time[burst] - start_s))
    soundfile.write(tmp_path / "in.wav", samples, 16_000)
    assert main(["tag", str(tmp_path / "in.wav"), "--out", str(out), "--like", "1.0", "1.3"]) == 0
    assert [event.start_s for event in read_roll(out).events] == pytest.approx([4.0, 6.5], abs=0.04)
    assert main(["tag", str(tmp_path / "in.wav"), "--out", str(tmp_path / "no.json"), "--like", "7", "9"]) == 2
    assert "does not lie in the recording" in capsys.readouterr().err and not (tmp_path / "no.json").exists()


def test_an_unknown_tagger_is_told(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tag", str(SCENE), "--out", str(tmp_path / "roll.json"), "--tagger", "other"]) == 2
    assert "choose builtin, yamnet" in complaint(capsys)


def test_the_taggers_at_hand_are_listed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    out = capsys.readouterr().out
    assert "tagger builtin (default)" in out and "tagger yamnet: not installed" in out


def test_an_installed_yamnet_is_listed(with_yamnet: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    assert "521 classes; from yamnet.tflite" in capsys.readouterr().out


def test_a_high_threshold_gives_an_empty_roll(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "roll.json"
    assert main(["tag", str(SCENE), "--out", str(out), "--threshold", "1"]) == 0
    assert read_roll(out).events == ()


def test_without_yamnet_one_sentence_says_how_to_get_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tag", str(SCENE), "--out", str(tmp_path / "roll.json"), "--tagger", "yamnet"]) == 2
    assert "recomposer models install yamnet" in complaint(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("threshold", ["-0.1", "1.01", "nan", "inf"])
def test_a_threshold_is_a_share(data: Path, tmp_path: Path, threshold: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tag", str(SCENE), "--out", str(tmp_path / "roll.json"), "--threshold", threshold]) == 2
    assert "from 0 to 1" in complaint(capsys)


def test_the_recording_is_never_overwritten(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene = tmp_path / "scene.flac"
    scene.write_bytes(SCENE.read_bytes())
    assert main(["tag", str(scene), "--out", str(scene)]) == 2
    assert "never overwritten" in complaint(capsys)
    assert scene.read_bytes() == SCENE.read_bytes()


def test_a_missing_folder_is_told_before_listening(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tag", str(SCENE), "--out", str(tmp_path / "missing" / "roll.json")]) == 2
    assert "does not exist" in complaint(capsys)


@pytest.mark.parametrize("name", ["weights.tflite", "weights.h5", "weights.tar.gz", "weights.txt"])
def test_wrong_weights_are_told_in_one_sentence(
    data: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(b"something else, " * 100)
    assert main(["models", "install", "yamnet", "--from", str(path)]) == 2
    assert name in complaint(capsys)
    assert list((data / "models" / "yamnet").iterdir()) == []


def test_other_models_cannot_be_installed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["models", "install", "other"])
    assert "yamnet" in complaint(capsys)
