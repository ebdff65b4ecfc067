"""The contract of `recomposer edit` with scripts: files, report, exit status, one line for every error."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from recomposer_studio.cli.main import main
from recomposer_studio.data import data_folder

RATE = 16_000


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two seconds of 24-bit stereo noise with a tone burst."""
    rng = np.random.default_rng(0)
    sound = 0.02 * rng.standard_normal((2 * RATE, 2))
    sound[RATE : RATE + 3200] += 0.2 * np.sin(np.arange(3200) * 0.4)[:, None]
    path = tmp_path / "my recording ä.wav"
    soundfile.write(path, sound, RATE, "PCM_24")
    return path


def roll_file(folder: Path, *events: dict[str, object]) -> Path:
    """A roll of events; what is left out is a delete of a dog over the burst."""
    default = {"action": "delete", "label": "Dog", "start_s": 0.98, "end_s": 1.22}
    path = folder / "roll.json"
    path.write_text(
        json.dumps({"format_version": 1, "events": [default | e for e in events or ({},)]}), encoding="utf-8"
    )
    return path


def fails(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Runs the command, checks that it fails in one line with status 2, returns the line."""
    assert main([str(argument) for argument in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("recomposer: ")
    return err


def test_an_edit_leaves_take_stems_and_report(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roll = roll_file(
        tmp_path, {"label": "pooch", "id": "first"}, {"action": "enhance", "by_db": 3, "start_s": 0.2, "end_s": 0.4}
    )
    before = recording.read_bytes()
    take, stems, report = tmp_path / "take.wav", tmp_path / "stems", tmp_path / "report.json"
    arguments = ["edit", recording, "--roll", roll, "--out", take, "--stems", stems, "--report", report, "--seed", 7]
    assert main([str(a) for a in [*arguments, "--model", "repair"]]) == 0
    out, err = capsys.readouterr()
    assert err == ""  # quiet when nobody looks at a terminal
    assert "delete pooch 0.98-1.22 s: spectral repair; taken for Dog" in out and "spectral repair" in out
    assert recording.read_bytes() == before
    info = soundfile.info(take)
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (RATE, 2, 2 * RATE, "PCM_24")
    said = json.loads(report.read_text(encoding="utf-8"))
    assert said["recipe"]["seed"] == 7
    first = said["events"][0]
    assert (first["id"], first["taken_for"], first["renderer"]) == ("first", "Dog", "repair")
    assert 0 < first["similarity"] <= 1
    assert {Path(p).name for p in said["stems"]} == {"bed.wav", "02-dog.wav"}
    assert said["events"][1]["by_db"] == 3 and len(first["seed"]) == 16 and len(said["roll"]["sha256"]) == 64
    assert out.rstrip().endswith(f"wrote {take}; 2 stems and 2 removed sounds in {stems}; report {report}")
    assert len(list((stems / "removed").glob("*.wav"))) == 2


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"action": "erase"}, "action"),
        ({"start_s": -0.1}, "start_s"),
        ({"end_s": 0.5}, "end_s"),
        ({"end_s": 99.0}, "end_s"),
        ({"label": "  "}, "label"),
        ({"loudness": 3}, "loudness"),
        ({"amount": 2}, "amount"),
    ],
)
def test_a_bad_roll_names_event_and_field(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str], event: dict[str, object], field: str
) -> None:
    roll = roll_file(tmp_path, {}, {"id": "second"} | event)
    line = fails(
        capsys, "edit", recording, "--roll", roll, "--out", tmp_path / "take.wav", "--stems", tmp_path / "stems"
    )
    assert "second" in line and field in line
    assert not (tmp_path / "take.wav").exists() and not (tmp_path / "stems").exists()


def test_bad_recordings_are_told_in_one_line(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roll = roll_file(tmp_path, {"start_s": 0.0, "end_s": 0.00001})
    good = recording.read_bytes()
    files = {
        "text.wav": b"this is not audio, it is a sentence",
        "empty.wav": b"",
        "cut.wav": good[: len(good) // 2],
        "lie.wav": good[:40] + b"\xff\xff\xff\x7f" + good[44:],
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.wav").mkdir()
    nan = np.zeros((RATE, 1), np.float32)
    nan[8000] = np.nan
    soundfile.write(tmp_path / "nan.wav", nan, RATE, "FLOAT")
    for name in [*files, "folder.wav", "nan.wav", "missing.wav"]:
        assert name in fails(capsys, "edit", tmp_path / name, "--roll", roll, "--out", tmp_path / "take.wav")
        assert not (tmp_path / "take.wav").exists()


def test_one_sample_is_too_short_for_any_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "one.wav", np.zeros(1), RATE)
    roll = roll_file(tmp_path, {"start_s": 0, "end_s": 0.1})
    assert "end_s" in fails(capsys, "edit", tmp_path / "one.wav", "--roll", roll, "--out", tmp_path / "take.wav")
    roll.write_text('{"format_version": 1, "events": []}', encoding="utf-8")
    assert main(["edit", str(tmp_path / "one.wav"), "--roll", str(roll), "--out", str(tmp_path / "take.wav")]) == 0
    assert soundfile.info(tmp_path / "take.wav").frames == 1


@pytest.mark.parametrize(("rate_hz", "channels"), [(8_000, 1), (192_000, 12)])
def test_odd_audio_just_works(tmp_path: Path, rate_hz: int, channels: int) -> None:
    soundfile.write(tmp_path / "in.wav", np.zeros((2 * rate_hz, channels)), rate_hz, "PCM_24")
    roll = roll_file(tmp_path)
    assert main(["edit", str(tmp_path / "in.wav"), "--roll", str(roll), "--out", str(tmp_path / "take.wav")]) == 0
    info = soundfile.info(tmp_path / "take.wav")
    assert (info.samplerate, info.channels, info.frames) == (rate_hz, channels, 2 * rate_hz)


def test_what_can_be_known_is_known_before_rendering(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roll = roll_file(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    edit = ["edit", recording, "--roll", roll]
    assert "nope" in fails(capsys, *edit, "--out", tmp_path / "take.wav", "--report", tmp_path / "nope" / "report.json")
    assert "nope" in fails(capsys, *edit, "--out", tmp_path / "nope" / "take.wav")
    assert ".xyz" in fails(capsys, *edit, "--out", tmp_path / "take.xyz")
    fails(capsys, *edit, "--out", tmp_path)
    stems = tmp_path / "nope" / "deep" / "stems"
    assert "two results" in fails(capsys, *edit, "--out", stems / "bed.wav", "--stems", stems)
    fails(capsys, *edit, "--out", tmp_path / ("long" * 100 + ".wav"))
    fails(capsys, *edit, "--out", tmp_path / "take.wav", "--model", "long" * 100)
    fails(capsys, "edit", recording, "--roll", "long" * 100, "--out", tmp_path / "take.wav")
    insert = roll_file(tmp_path, {}, {"action": "insert"})
    assert "needs a model" in fails(
        capsys, "edit", recording, "--roll", insert, "--out", tmp_path / "t.wav", "--model", "repair"
    )
    assert sorted(tmp_path.rglob("*")) == before


def test_a_muted_insert_does_not_ask_for_a_model(tmp_path: Path, recording: Path) -> None:
    roll = roll_file(tmp_path, {"action": "insert", "muted": True})
    out = tmp_path / "take.wav"
    assert main([str(a) for a in ["edit", recording, "--roll", roll, "--out", out, "--model", "repair"]]) == 0
    np.testing.assert_array_equal(soundfile.read(out, dtype="int32")[0], soundfile.read(recording, dtype="int32")[0])


def test_labels_that_a_console_lacks_are_still_reported(tmp_path: Path, recording: Path) -> None:
    roll = roll_file(tmp_path, {"label": "Собака 犬"})
    done = subprocess.run(
        command("edit", recording, "--roll", roll, "--out", tmp_path / "take.wav"),
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0 and b"delete \\u0421" in done.stdout and done.stderr == b""


def test_unknown_words_are_not_taken_for_a_class(tmp_path: Path, recording: Path) -> None:
    roll, report = roll_file(tmp_path, {"label": "kwjxz"}), tmp_path / "report.json"
    arguments = ["edit", recording, "--roll", roll, "--out", tmp_path / "take.wav", "--report", report]
    assert main([str(a) for a in arguments]) == 0
    event = json.loads(report.read_text(encoding="utf-8"))["events"][0]
    assert event["taken_for"] is None and event["nearest_class"] and event["similarity"] < 0.55


def test_pictures_never_replace_their_inputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "sound.png", np.zeros(RATE), RATE, format="WAV")
    before = (tmp_path / "sound.png").read_bytes()
    assert "never overwritten" in fails(capsys, "picture", tmp_path / "sound.png", "--out", tmp_path / "sound.png")
    assert (tmp_path / "sound.png").read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")
def test_a_terminal_shows_progress_with_the_time_left(tmp_path: Path) -> None:
    import fcntl
    import pty
    import struct
    import termios

    soundfile.write(tmp_path / "in.wav", 0.01 * np.random.default_rng(0).standard_normal((RATE * 20, 2)), RATE)
    roll = roll_file(tmp_path, *({"start_s": i, "end_s": i + 0.9} for i in range(1, 18)))
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(
        command("edit", tmp_path / "in.wav", "--roll", roll, "--out", tmp_path / "take.wav"),
        stderr=child,
        stdout=subprocess.DEVNULL,
    )
    os.close(child)
    shown = b""
    with contextlib.suppress(OSError):  # Linux reports the other end's closing as an error.
        while chunk := os.read(parent, 4096):
            shown += chunk
    os.close(parent)
    assert process.wait() == 0
    assert b"rendering" in shown and b"writing" in shown and b"left" in shown and b"%" in shown


def test_inputs_are_never_overwritten(tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roll = roll_file(tmp_path)
    before = recording.read_bytes(), roll.read_bytes()
    fails(capsys, "edit", recording, "--roll", roll, "--out", recording)
    fails(capsys, "edit", recording, "--roll", roll, "--out", tmp_path / "take.wav", "--report", roll)
    fails(capsys, "edit", recording, "--roll", roll, "--out", tmp_path / "take.wav", "--report", tmp_path / "take.wav")
    stems = tmp_path / "stems"
    stems.mkdir()
    (stems / "bed.wav").write_bytes(before[0])
    line = fails(capsys, "edit", stems / "bed.wav", "--roll", roll, "--out", tmp_path / "take.wav", "--stems", stems)
    assert "never overwritten" in line and (stems / "bed.wav").read_bytes() == before[0]
    assert (recording.read_bytes(), roll.read_bytes()) == before and not (tmp_path / "take.wav").exists()


def test_a_report_that_cannot_be_written_leaves_no_take(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    report, out = tmp_path / "report.json", tmp_path / "take.wav"
    report.write_text("former", encoding="utf-8")
    replace = os.replace

    def locked(before: Path, after: Path) -> None:
        if report in (Path(before), Path(after)):
            raise PermissionError(13, "in use")
        replace(before, after)

    monkeypatch.setattr(os, "replace", locked)
    line = fails(capsys, "edit", recording, "--roll", roll_file(tmp_path), "--out", out, "--report", report)
    assert "report.json: no permission" in line and not out.exists()
    assert report.read_text(encoding="utf-8") == "former"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are Unicode there")
def test_names_that_are_not_unicode_are_reported(tmp_path: Path, recording: Path) -> None:
    roll = roll_file(tmp_path).rename(tmp_path / os.fsdecode(b"caf\xe9.json"))
    out, report = tmp_path / os.fsdecode(b"caf\xe9.wav"), tmp_path / "report.json"
    arguments = ["edit", recording, "--roll", roll, "--out", out, "--report", report]
    assert main([*map(str, arguments), "--labels", str(tmp_path / "take.csv")]) == 0
    told = json.loads(report.read_text(encoding="utf-8"))
    assert (told["roll"]["path"], told["take"]) == (str(roll), str(out)) and out.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no paths there")
def test_a_roll_from_a_pipe_is_reported(tmp_path: Path, recording: Path) -> None:
    text = roll_file(tmp_path).read_bytes()
    reading, writing = os.pipe()
    os.write(writing, text)
    os.close(writing)
    report = tmp_path / "report.json"
    arguments = ["edit", recording, "--roll", f"/dev/fd/{reading}", "--out", tmp_path / "t.wav", "--report", report]
    try:
        assert main(list(map(str, arguments))) == 0
    finally:
        os.close(reading)
    assert json.loads(report.read_text(encoding="utf-8"))["roll"]["sha256"] == hashlib.sha256(text).hexdigest()


def test_a_clipping_take_offers_two_ways_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = 0.02 * np.random.default_rng(0).standard_normal(2 * RATE)
    sound[RATE : RATE + 3200] += 0.7 * np.sin(np.arange(3200) * 0.4)
    soundfile.write(tmp_path / "in.wav", sound, RATE, "PCM_16")
    roll = roll_file(tmp_path, {"action": "enhance", "by_db": 12, "row": "barks"})
    line = fails(capsys, "edit", tmp_path / "in.wav", "--roll", roll, "--out", tmp_path / "take.wav")
    assert "row barks" in line and "dB" in line and "gain_db" in line and "--float32" in line
    assert not (tmp_path / "take.wav").exists()
    arguments = [
        "edit",
        str(tmp_path / "in.wav"),
        "--roll",
        str(roll),
        "--out",
        str(tmp_path / "take.wav"),
        "--float32",
    ]
    assert main(arguments) == 0
    assert soundfile.info(tmp_path / "take.wav").subtype == "FLOAT"


def test_lossy_sources_become_float(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "in.ogg", 0.1 * np.random.default_rng(0).standard_normal(2 * RATE), RATE)
    arguments = ["edit", tmp_path / "in.ogg", "--roll", roll_file(tmp_path), "--out", tmp_path / "take.wav"]
    assert main([str(a) for a in arguments]) == 0
    assert soundfile.info(tmp_path / "take.wav").subtype == "FLOAT"


@pytest.mark.parametrize("arguments", [[], ["edit"], ["edit", "x", "--seed", "three"], ["paint"]])
def test_usage_errors_are_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("model", ["no-such-model", "."])
def test_unknown_models_are_refused(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    line = fails(
        capsys, "edit", recording, "--roll", roll_file(tmp_path), "--out", tmp_path / "t.wav", "--model", model
    )
    assert model in line


@pytest.mark.parametrize(
    ("option", "value"),
    [("--temperature", "-1"), ("--top-p", "0"), ("--temperature", "nan"), ("--seed", "-1"), ("--seed", str(2**63))],
)
def test_settings_of_the_recipe_have_ranges(
    tmp_path: Path, recording: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    line = fails(capsys, "edit", recording, "--roll", roll_file(tmp_path), "--out", tmp_path / "t.wav", option, value)
    assert option.strip("-").replace("-", "_") in line


def command(*arguments: object) -> list[str]:
    """The command in a process of its own."""
    return [sys.executable, "-m", "recomposer_studio.cli.main", *(str(argument) for argument in arguments)]


def test_the_same_bytes_in_fresh_processes_with_one_and_two_threads(tmp_path: Path) -> None:
    scene = data_folder("resources") / "demo"
    results = []
    for threads in (1, 2):
        folder = tmp_path / str(threads)
        folder.mkdir()
        env = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
        arguments = [
            "--roll",
            scene / "roll.json",
            "--out",
            folder / "take.wav",
            "--stems",
            folder / "stems",
            "--float32",
        ]
        done = subprocess.run(
            command("edit", scene / "scene.flac", *arguments), env=env, capture_output=True, check=False, text=True
        )
        assert done.returncode == 0, done.stderr
        results.append({path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*.wav"))})
    assert len(results[0]) >= 5 and results[0] == results[1]


@pytest.mark.skipif(sys.platform == "win32", reason="a console's Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_leaves_no_file_and_no_process(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros((48_000 * 240, 4), np.int16), 48_000)
    roll, out = roll_file(tmp_path, {"action": "delete"}), tmp_path / "out"
    out.mkdir()
    # A shell that runs the tests in the background has told them to ignore Ctrl-C, which children inherit.
    listening = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    listening += "from recomposer_studio.cli.main import main; sys.exit(main())"
    arguments = ["edit", tmp_path / "long.wav", "--roll", roll, "--out", out / "take.wav", "--stems", out / "stems"]
    process = subprocess.Popen(
        [sys.executable, "-c", listening, *map(str, arguments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not any(path.is_file() for path in out.rglob("*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and err == "recomposer: interrupted\n"
    assert list(out.iterdir()) == []
    assert not any(child.is_running() for child in children)
