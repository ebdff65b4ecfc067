"""`recomposer edit` with an Insert that is to resemble a sound: from the recording, from a file, and what goes wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recomposer_studio.cli.main import main
from tests.model.tiny import FIRST_DECODER, write_tiny

RATE = 16_000


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two seconds of noise with a burst, and a checkpoint beside it."""
    sound = 0.02 * np.random.default_rng(0).standard_normal((2 * RATE, 2))
    sound[RATE : RATE + 3200] += 0.1 * np.sin(np.arange(3200) * 0.4)[:, None]
    path = tmp_path / "in.wav"
    soundfile.write(path, sound, RATE, "FLOAT")
    soundfile.write(tmp_path / "bark.wav", sound[RATE : RATE + 3200], RATE, "FLOAT")
    write_tiny(tmp_path / "tiny")
    return path


def _edit(recording: Path, exemplar: dict[str, object], model: str = "tiny", out: str = "take.wav") -> int:
    folder = recording.parent
    insert = {"action": "insert", "label": "Bark", "start_s": 0.3, "end_s": 0.6, "id": "new", "exemplar": exemplar}
    roll = folder / "roll.json"
    roll.write_text(json.dumps({"format_version": 2, "events": [insert]}), encoding="utf-8")
    words = ["edit", recording, "--roll", roll, "--out", folder / out, "--report", folder / "report.json"]
    return main([str(word) for word in (*words, "--model", folder / model)])


def test_the_take_follows_its_exemplar_and_the_report_says_which(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _edit(recording, {"start_s": 1.0, "end_s": 1.2}) == 0
    assert "Insert Bark" in (words := capsys.readouterr().out) or "insert Bark" in words
    assert "like its exemplar" in words
    first = json.loads((recording.parent / "report.json").read_text(encoding="utf-8"))["events"][0]
    assert (first["exemplar"]["start_s"], first["exemplar"]["file"]) == (1.0, "")
    assert len(first["exemplar"]["sha256"]) == 64
    # The same samples from a file beside the recording are the same exemplar.
    assert _edit(recording, {"start_s": 0.0, "end_s": 0.2, "file": "bark.wav"}, out="other.wav") == 0
    second = json.loads((recording.parent / "report.json").read_text(encoding="utf-8"))["events"][0]
    assert second["exemplar"]["sha256"] == first["exemplar"]["sha256"] and second["key"] == first["key"]
    takes = [soundfile.read(recording.parent / name)[0] for name in ("take.wav", "other.wav")]
    np.testing.assert_array_equal(takes[0], takes[1])


@pytest.mark.parametrize(
    ("exemplar", "model", "words"),
    [
        ({"start_s": 0.0, "end_s": 0.2, "file": "gone.wav"}, "tiny", "gone.wav: there is no such file"),
        ({"start_s": 1.9, "end_s": 2.2}, "tiny", "does not lie within in.wav"),
        ({"start_s": 1.0, "end_s": 1.2, "sha256": "00" * 32}, "tiny", "is not the sound that the take was made with"),
        ({"start_s": 1.0, "end_s": 1.2}, "first", "takes no exemplars"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    recording: Path, exemplar: dict[str, object], model: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if model == "first":
        write_tiny(recording.parent / "first", decoder=FIRST_DECODER)
    assert _edit(recording, exemplar, model) != 0
    error = capsys.readouterr().err.strip()
    assert words in error and "event new" in error and "\n" not in error
    assert not (recording.parent / "take.wav").exists()


def test_an_exemplar_s_file_is_not_overwritten(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (recording.parent / "bark.wav").read_bytes()
    assert _edit(recording, {"start_s": 0.0, "end_s": 0.2, "file": "bark.wav"}, out="bark.wav") != 0
    assert "bark.wav" in capsys.readouterr().err
    assert (recording.parent / "bark.wav").read_bytes() == before
