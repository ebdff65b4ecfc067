"""`recomposer doctor`: what is missing, and what to do about it."""

import importlib.metadata
import re
import shutil
import sys
from pathlib import Path

import pytest

from recomposer_studio.cli import doctor
from recomposer_studio.cli.main import main
from recomposer_studio.data import data_folder
from recomposer_studio.diagnosis import checks, machine, versions
from recomposer_studio.diagnosis.checks import Finding, Level
from recomposer_studio.diagnosis.machine import Answer
from recomposer_studio.diagnosis.versions import Library

WINDOW = Answer({"qt": "6.11.3", "missing": "", "display": True, "platform": "xcb", "screen": "1500 x 950 at 1"})
AUDIO = Answer({"portaudio": "V19", "outputs": ["Speakers"], "default": "Speakers (ALSA, 2 channels, 48000 Hz)"})
GPU = Answer({"torch": "2.13.0", "cuda": [], "providers": ["CPUExecutionProvider"]})


def answering(**other):
    answers = {machine.WINDOW: WINDOW, machine.AUDIO: AUDIO, machine.GPU: GPU}
    answers |= {getattr(machine, name): answer for name, answer in other.items()}
    return answers.__getitem__


def only(findings) -> Finding:
    (finding,) = list(findings)
    return finding


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """No test writes to the person's own folders, and none starts a child."""
    for name in ("SETTINGS", "DATA", "LOGS"):
        monkeypatch.setenv(f"RECOMPOSER_{name}", str(tmp_path / name.lower() / "x"))
    monkeypatch.setattr(doctor, "examine", lambda: checks.examine(answering()))


def test_a_machine_that_can_run_gives_status_0_and_a_report(capsys, tmp_path):
    assert main(["doctor", "--report", str(tmp_path / "report.txt")]) == 0
    printed = capsys.readouterr().out
    assert "Everything that is needed is there." in printed
    assert "PROBLEM" not in printed
    report = (tmp_path / "report.txt").read_text(encoding="utf-8")
    for words in (
        "ok       Python: ",
        "libsndfile",
        "recomposer-small (",
        "Speakers (ALSA",
        "python: CPython",
        "numpy ",
    ):
        assert words in report
    assert str(Path.home()) + "/" not in report


def test_a_problem_gives_status_1_and_what_to_do(capsys, monkeypatch):
    monkeypatch.setattr(
        doctor, "examine", lambda: checks.examine(answering(GPU=Answer(problem="ended with 1: no torch")))
    )
    with pytest.raises(SystemExit) as ended:
        main(["doctor"])
    assert ended.value.code == 1
    printed = capsys.readouterr().out
    assert "PROBLEM  GPU and models: torch cannot be loaded (ended with 1: no torch)\n         -> Run: " in printed
    assert "1 problem to mend first." in printed


def test_a_report_that_cannot_be_written_is_told(capsys, tmp_path):
    assert main(["doctor", "--report", str(tmp_path / "no" / "report.txt")]) == 2
    assert "the folder" in capsys.readouterr().err


def test_every_problem_and_note_has_a_remedy():
    """Whatever the answers are: each finding that is not good says in one sentence what to do."""
    for answer in (
        Answer(),
        Answer(problem="no answer within 60 s"),
        Answer({"missing": "portaudio"}),
        Answer({"qt": "6"}),
    ):
        for finding in checks.examine(answering(WINDOW=answer, AUDIO=answer, GPU=answer)):
            assert bool(finding.remedy) == (finding.level is not Level.GOOD)
            assert "\n" not in finding.remedy


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        (WINDOW, Level.GOOD, "Qt 6.11.3 on xcb"),
        (Answer({**WINDOW.facts, "missing": "libxcb-cursor.so.0"}), Level.PROBLEM, "lacks libxcb-cursor.so.0"),
        (Answer({**WINDOW.facts, "display": False}), Level.NOTE, "no display"),
        (Answer(WINDOW.facts, "the platform cannot start"), Level.PROBLEM, "opens no window"),
        (Answer(problem="No module named 'PySide6'"), Level.PROBLEM, "cannot be loaded"),
    ],
)
def test_the_window(answer, level, words):
    finding = only(checks.check_window(answering(WINDOW=answer)))
    assert finding.level is level and words in finding.words


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        (AUDIO, Level.GOOD, "Speakers (ALSA, 2 channels, 48000 Hz); 1 outputs"),
        (Answer({"missing": "portaudio"}, "PortAudio library not found"), Level.NOTE, "PortAudio is missing"),
        (Answer({"portaudio": "V19", "outputs": []}, "Error querying device -1"), Level.NOTE, "no output device"),
        (Answer(problem="no answer within 60 s"), Level.NOTE, "does not answer (no answer within 60 s)"),
    ],
)
def test_the_sound_output(answer, level, words):
    finding = only(checks.check_sound_output(answering(AUDIO=answer)))
    assert finding.level is level and words in finding.words


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        (GPU, Level.GOOD, "models run on the processor"),
        (Answer({**GPU.facts, "cuda": ["H"], "providers": ["CUDAExecutionProvider"]}), Level.GOOD, "H through torch"),
        (Answer({**GPU.facts, "cuda": ["H"]}), Level.NOTE, "detection runs on the processor"),
        (Answer(GPU.facts, "torch: the driver is too old"), Level.NOTE, "the driver is too old"),
        (Answer(problem="ended with -11"), Level.PROBLEM, "torch cannot be loaded (ended with -11)"),
    ],
)
def test_the_gpu(answer, level, words):
    finding = only(checks.check_gpu(answering(GPU=answer)))
    assert finding.level is level and words in finding.words


def test_libraries_that_are_missing_or_too_old(monkeypatch):
    known = [
        Library("numpy", ">=2.0", "1.26", False), Library("soxr", ">=0.5", None, False), Library("torch", "==2.13.0", "2.13.0", True),
    ]  # fmt: skip
    monkeypatch.setattr(checks, "libraries", lambda: known)
    found = [(f.level, f.words, f.remedy) for f in checks.check_libraries() if "missing: s" not in f.words]
    assert found[:2] == [
        (Level.PROBLEM, "numpy 1.26 does not fit (>=2.0)", 'Run: pip install "numpy>=2.0"'),
        (Level.PROBLEM, "soxr is missing", 'Run: pip install "soxr>=0.5"'),
    ]
    assert found[-1][:2] == (Level.GOOD, "1 of 3 in place")


def test_two_onnx_runtimes_are_a_problem(monkeypatch):
    monkeypatch.setattr(checks, "_version", lambda name: "1.20")
    assert any(f.level is Level.PROBLEM and "overwrite each other" in f.words for f in checks.check_libraries())
    monkeypatch.setattr(checks, "_version", lambda name: None)
    assert any(f.level is Level.NOTE and "ONNX Runtime is missing" in f.words for f in checks.check_libraries())


def test_a_program_that_is_not_installed(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)
    monkeypatch.setattr(importlib.metadata, "metadata", missing)
    assert only(checks.check_libraries()).level is Level.PROBLEM
    assert only(checks.check_python()).level is Level.GOOD
    assert "libraries" in versions.facts()


def test_another_python(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    assert only(checks.check_python()).level is Level.PROBLEM
    monkeypatch.undo()
    monkeypatch.setattr(checks.struct, "calcsize", lambda form: 4)
    assert "32 bit" in only(checks.check_python()).words


def test_ranges_come_from_the_installation():
    known = {library.name: library for library in versions.libraries()}
    assert known["numpy"].fits and known["numpy"].wanted == ">=2.0"
    assert known["onnxruntime"].extra == "cpu"
    assert known["pytest"].extra == "dev"


def test_a_libsndfile_without_a_format(monkeypatch):
    import soundfile

    monkeypatch.setattr(soundfile, "check_format", lambda container, coding: container != "MP3")
    finding = only(checks.check_sound_files())
    assert finding.level is Level.NOTE and "MP3/MPEG_LAYER_III" in finding.words


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A copy of the shipped models, to damage."""
    folder = tmp_path / "models"
    shutil.copytree(data_folder("models") / "recomposer-small", folder / "recomposer-small")
    for room in ("model.catalogue", "tagging.builtin"):
        monkeypatch.setattr(f"recomposer_studio.{room}.data_folder", lambda name: folder)
    return folder


def test_models_are_checked_by_their_hashes(models):
    assert only(checks.check_models()).level is Level.GOOD
    weights = models / "recomposer-small" / "listener.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    finding = only(checks.check_models())
    assert finding.level is Level.PROBLEM and "listener.safetensors is not what" in finding.words
    weights.unlink()
    assert "listener.safetensors cannot be read" in only(checks.check_models()).words
    shutil.rmtree(models / "recomposer-small")
    assert "the default model is missing" in only(checks.check_models()).words
    assert any("no built-in tagger" in finding.words for finding in checks.check_taggers())


def test_yamnet_that_was_changed_is_told(tmp_path):
    folder = checks.folders()["projects and models"] / "models" / "yamnet"
    folder.mkdir(parents=True)
    (folder / "yamnet.json").write_text("{", encoding="utf-8")
    assert any("install YAMNet again" in f.words and f.level is Level.NOTE for f in checks.check_taggers())


def test_folders_that_take_no_files(monkeypatch, tmp_path):
    assert {finding.level for finding in checks.check_folders()} <= {Level.GOOD, Level.NOTE}
    monkeypatch.setattr(checks, "_why_not_writable", lambda folder: "Read-only file system")
    for finding in checks.check_folders():
        assert finding.level is Level.PROBLEM and "Read-only" in finding.words
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("", (), {"free": 5 * 10**6})())
    assert {finding.level for finding in checks.check_folders()} == {Level.PROBLEM}


def test_a_check_that_fails_does_not_hide_the_others(monkeypatch):
    def broken():
        raise RuntimeError("worse than expected")
        yield

    monkeypatch.setattr(checks, "check_models", broken)
    found = list(checks.examine(answering()))
    assert any("could not be looked at" in finding.words for finding in found)
    assert any(finding.topic == "GPU and models" for finding in found)


def test_the_true_machine_answers():
    """The children run, whatever they find."""
    answer = machine.ask(machine.WINDOW)
    assert re.match(r"6\.\d+", str(answer.facts.get("qt", "6.0")))
    assert "portaudio" in {**machine.ask(machine.AUDIO).facts, **dict.fromkeys(["portaudio"])}
