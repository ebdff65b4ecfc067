"""The process of the window never loads a machine-learning library."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from recomposer_studio.roll.file import format_roll
from tests.editing.scenes import event, roll

ROOT = Path(__file__).resolve().parents[2]

JOB = """
import sys, time
from PySide6.QtWidgets import QApplication
from recomposer_studio.studio.settings import SettingsFile
from recomposer_studio.studio.output import NO_DEVICE, SilentOutput
from recomposer_studio.studio.window import Window
app = QApplication([])
window = Window(open_output=lambda wanted: (SilentOutput(wanted.rate_hz), NO_DEVICE))
window.generating.find_checkpoint = lambda: None
window.show()
window.open_demo()
window.generating.generate()
ends = time.monotonic() + 60
while window.generating.running and time.monotonic() < ends:
    app.processEvents()
assert len(window.document.takes) == 1
window.actions_["select_all"].trigger()
window.actions_["earlier"].trigger()
window.inspector._spins["low_hz"].setValue(100.0)
window.actions_["palette"].trigger()
window.imaging.set_analysis(1024, 0.02)
window.timeline.zoom_frequency(3.0)
window.actions_["export"].trigger()
window.actions_["detect"].trigger()
ends = time.monotonic() + 60
while window.detecting.running and time.monotonic() < ends:
    app.processEvents()
window.listening.toggle()
app.processEvents()
window.shut_down()
print("loaded", *sorted({"torch", "onnxruntime", "tensorflow"} & set(sys.modules)))
"""


def test_window_edit_preview_and_detection_load_no_torch(tmp_path):
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "RECOMPOSER_SETTINGS": str(tmp_path / "s.json"),
        "RECOMPOSER_LOGS": str(tmp_path / "log"),
    }
    answer = subprocess.run(
        [sys.executable, "-c", JOB], cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == ["loaded"]


def test_the_command_answers_without_a_window():
    command = [sys.executable, "-m", "recomposer_studio.studio.main", "--version"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=60)
    assert answer.stdout.startswith("recomposer-studio ")


OPENS = """
import sys
from PySide6.QtWidgets import QApplication
from recomposer_studio.studio import main
from recomposer_studio.studio.window import Window

def look(*_):
    window = next(widget for widget in QApplication.topLevelWidgets() if isinstance(widget, Window))
    source = window.document.source
    print(source.path.name if source else "nothing", len(window.document.roll.events), window.messages.text)
    return 0

QApplication.exec = look
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing 0"),
        (["--demo"], "scene.flac 5"),
        (["street.wav", "roll.json"], "street.wav 1"),
        (["missing.wav"], "nothing 0 Missing.wav: there is no such file"),
    ],
)
def test_the_arguments_open_what_they_name(recording, tmp_path, arguments, words):
    (tmp_path / "roll.json").write_text(format_roll(roll(event("a", "delete", 1, 2))), encoding="utf-8")
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "RECOMPOSER_SETTINGS": str(tmp_path / "s.json"),
        "RECOMPOSER_LOGS": str(tmp_path / "log"),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", OPENS, *arguments]
    answer = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(words)
