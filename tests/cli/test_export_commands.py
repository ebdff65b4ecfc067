"""What is written and how, from the command line: depth, region, stems, labels, recipe, and labels between programs."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recomposer_studio.audio.chunks import read_chunks
from recomposer_studio.audio.markers import markers_in
from recomposer_studio.cli.main import main
from recomposer_studio.roll.formats.files import read_labels

RATE = 16_000


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two seconds of 24-bit noise with a tone in it."""
    sound = 0.02 * np.random.default_rng(0).standard_normal((2 * RATE, 2))
    sound[RATE : RATE + 3200] += 0.2 * np.sin(np.arange(3200) * 0.4)[:, None]
    path = tmp_path / "street.wav"
    soundfile.write(path, sound, RATE, "PCM_24")
    path.with_suffix(".txt").write_text(
        "0.98\t1.22\tdelete Dog\n0.2\t0.4\tenhance: Bell\n1.5\t1.6\tRain\n", encoding="utf-8"
    )
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 0) -> str:
    """Runs a command and returns what it says."""
    assert main([str(argument) for argument in arguments]) == status
    out, err = capsys.readouterr()
    return err if status else out


def edit(recording: Path, out: Path, *more: object) -> list[object]:
    return ["edit", recording, "--roll", recording.with_suffix(".txt"), "--out", out, "--model", "repair", *more]


def test_a_part_in_fewer_bits_with_labels_and_chosen_stems(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    take, stems, report = tmp_path / "take.wav", tmp_path / "stems", tmp_path / "report.json"
    more = ["--bits", 16, "--region", 0.5, 1.5, "--stems", stems, "--stem", "bed", "--stem", "removed"]
    more += ["--labels", tmp_path / "take.csv", "--labels", tmp_path / "take.TextGrid", "--report", report]
    said = run(capsys, *edit(recording, take, *more))
    assert "16 bits are fewer than the recording has: every sample is requantised, with dither" in said
    assert f"labels {tmp_path / 'take.csv'}; labels {tmp_path / 'take.TextGrid'}" in said
    info = soundfile.info(take)
    assert (info.frames, info.subtype) == (RATE, "PCM_16")
    assert {path.name for path in stems.rglob("*.wav")} == {"bed.wav", "01-dog.wav", "02-bell.wav"}
    (event,) = read_labels(tmp_path / "take.csv").roll.events
    assert (event.action, event.label, event.start_s) == ("delete", "Dog", pytest.approx(0.48))
    assert json.loads(report.read_text(encoding="utf-8"))["region"] == [8_000, 24_000]


def test_the_recipe_is_in_the_take_unless_it_is_not_wanted(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, *edit(recording, tmp_path / "with.wav", "--seed", 5))
    document = json.loads(run(capsys, "recipe", tmp_path / "with.wav", "--roll", tmp_path / "again.json"))
    assert document["recipe"]["seed"] == 5 and document["recording"]["name"] == "street.wav"
    assert [marker.text for marker in markers_in(read_chunks(tmp_path / "with.wav"))] == [
        "delete Dog",
        "enhance Bell",
        "Rain",
    ]
    again = [
        "edit",
        recording,
        "--roll",
        tmp_path / "again.json",
        "--out",
        tmp_path / "2.wav",
        "--model",
        "repair",
        "--seed",
        5,
    ]
    run(capsys, *again)
    assert (tmp_path / "2.wav").read_bytes() == (tmp_path / "with.wav").read_bytes()
    run(capsys, *edit(recording, tmp_path / "without.wav", "--no-recipe", "--no-markers"))
    assert markers_in(read_chunks(tmp_path / "without.wav")) == []
    assert "carries no recipe" in run(capsys, "recipe", tmp_path / "without.wav", status=2)
    np.testing.assert_array_equal(soundfile.read(tmp_path / "with.wav")[0], soundfile.read(tmp_path / "without.wav")[0])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--region", "1.5", "1.5"], "the region from 1.5 to 1.5 s"),
        (["--region", "0", "2.5"], "within the recording (0 to 2 s)"),
        (["--stem", "bed"], "--stems"),
        (["--stems", "s", "--stem", "Cat"], "no such stem"),
        (["--labels", "x.doc"], "x.doc: no labels are written"),
        (["--labels", "street.txt"], "never overwritten"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    tmp_path: Path,
    recording: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = run(capsys, *edit(recording, tmp_path / "take.wav", *more), status=2)
    assert words in said and said.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"street.wav", "street.txt"}


def test_labels_go_from_program_to_program(tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = recording.with_suffix(".txt")
    said = run(capsys, "labels", labels, tmp_path / "a.csv", "--recording", recording)
    assert said == f"wrote {tmp_path / 'a.csv'} (3 labels)\n"
    assert "no place" not in run(capsys, "labels", tmp_path / "a.csv", tmp_path / "a.TextGrid")
    (tmp_path / "louder.csv").write_text("onset,offset,label,gain_db\n0,1,Dog,3.5\n", encoding="utf-8")
    assert "no place for all" in run(capsys, "labels", tmp_path / "louder.csv", tmp_path / "louder.TextGrid")
    run(capsys, "labels", tmp_path / "a.TextGrid", tmp_path / "b.txt")
    assert sorted((tmp_path / "b.txt").read_text(encoding="utf-8").splitlines()) == [
        "0.2\t0.4\tenhance Bell", "0.98\t1.22\tdelete Dog", "1.5\t1.6\tRain",
    ]  # fmt: skip
    assert "never overwritten" in run(capsys, "labels", labels, labels, status=2)
    labels.write_text("1.0\t9.0\tDog\n", encoding="utf-8")
    assert "past the end" in run(capsys, "labels", labels, tmp_path / "c.csv", "--recording", recording, status=2)
    assert not (tmp_path / "c.csv").exists()
