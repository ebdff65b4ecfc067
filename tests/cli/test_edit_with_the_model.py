"""`recomposer edit` with the shipped checkpoint: insert, labels it never met, settings, damage."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recomposer_studio.cli.main import main
from recomposer_studio.model import catalogue

RATE = 16_000


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two seconds of noise with a burst."""
    sound = 0.02 * np.random.default_rng(0).standard_normal((2 * RATE, 2))
    sound[RATE : RATE + 3200] += 0.1 * np.sin(np.arange(3200) * 0.4)[:, None]
    path = tmp_path / "in.wav"
    soundfile.write(path, sound, RATE, "FLOAT")
    return path


def edit(recording: Path, events: list[dict[str, object]], *more: object) -> tuple[int, np.ndarray, dict]:
    """Runs the command; returns status, take and report."""
    folder = recording.parent
    roll, out, report = folder / "roll.json", folder / "take.wav", folder / "report.json"
    roll.write_text(json.dumps({"format_version": 1, "events": events}), encoding="utf-8")
    arguments = ["edit", recording, "--roll", roll, "--out", out, "--report", report, *more]
    status = main([str(argument) for argument in arguments])
    return status, soundfile.read(out)[0], json.loads(report.read_text(encoding="utf-8"))


def insert(label: str) -> dict[str, object]:
    return {"action": "insert", "label": label, "start_s": 0.3, "end_s": 0.6, "id": "new"}


def test_insert_places_sound_at_its_level(recording: Path) -> None:
    status, take, report = edit(recording, [insert("dog bark")])
    assert status == 0 and report["events"][0]["renderer"] == "tokens"
    box = slice(int(0.3 * RATE), int(0.6 * RATE))
    before = soundfile.read(recording)[0]
    added = 10 * np.log10(np.mean((take - before)[box] ** 2) / np.mean(before[box] ** 2))
    assert added == pytest.approx(10.0, abs=1.0)
    np.testing.assert_array_equal(take[int(0.62 * RATE) :], before[int(0.62 * RATE) :])


def test_the_report_says_what_the_model_was_not_trained_on(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = catalogue.default().classes
    assert "Bark" in trained and "Bagpipes" not in trained
    _, _, known = edit(recording, [insert("Bark")])
    assert known["events"][0]["trained_on"] is True
    assert "not trained" not in capsys.readouterr().out
    _, _, unknown = edit(recording, [insert("Bagpipes")])
    assert unknown["events"][0]["trained_on"] is False
    assert "the model was not trained on this class" in capsys.readouterr().out


@pytest.mark.parametrize(
    "setting",
    [("--seed", 5), ("--temperature", 0), ("--top-k", 1), ("--top-p", 0.05), ("--guidance", 5), ("--levels", 1)],
)
def test_settings_reach_the_decoder(recording: Path, setting: tuple[str, object]) -> None:
    _, plain, _ = edit(recording, [insert("Bark")])
    _, changed, report = edit(recording, [insert("Bark")], *setting)
    assert (plain != changed).any()
    name = setting[0].strip("-").replace("-", "_")
    assert (report["recipe"] | report["recipe"]["decoding"])[name] == setting[1]


def test_a_named_model_is_used_for_every_action(recording: Path) -> None:
    events = [{"action": "delete", "label": "Beep, bleep", "start_s": 0.98, "end_s": 1.22}]
    _, _, report = edit(recording, events, "--model", catalogue.DEFAULT)
    assert report["events"][0]["renderer"] == "mask" and len(report["model"]["sha256"]) == 64
    _, _, again = edit(recording, events, "--model", "repair")
    assert again["events"][0]["renderer"] == "repair" and again["model"] is None


@pytest.mark.parametrize("damage", ["weights", "config", "missing", "newer"])
def test_a_damaged_checkpoint_is_refused_in_one_line(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(catalogue.default().folder, folder)
    weights = sorted(folder.glob("*.safetensors"))[0]
    if damage == "weights":
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        weights.write_bytes(content)
    elif damage == "missing":
        weights.unlink()
    elif damage == "config":
        (folder / "config.json").write_text("{", encoding="utf-8")
    else:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"format_version": 99}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    roll = tmp_path / "roll.json"
    roll.write_text(json.dumps({"format_version": 1, "events": [insert("Bark")]}), encoding="utf-8")
    out = tmp_path / "take.wav"
    assert main(["edit", str(recording), "--roll", str(roll), "--out", str(out), "--model", str(folder)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "mine" in err and not out.exists()
