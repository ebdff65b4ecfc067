"""Unexpected errors: a report without anything that belongs to the person; window and document live on."""

import logging
import sys
import threading

import pytest
from PySide6.QtCore import QTimer, QtMsgType
from PySide6.QtWidgets import QApplication

from recomposer_studio.diagnosis import machine
from recomposer_studio.diagnosis.machine import Answer
from recomposer_studio.studio.jobs import Job
from recomposer_studio.studio.reports import Reports

AUDIO = Answer({"portaudio": "V19", "outputs": ["Speakers"], "default": "Speakers (ALSA, 2 channels, 48000 Hz)"})
GPU = Answer({"torch": "2.13.0", "cuda": ["Test GPU"], "providers": ["CPUExecutionProvider"]})


def answers(question, cancelled):
    return AUDIO if question is machine.AUDIO else GPU


@pytest.fixture
def reports(window, tmp_path):
    """The reports of a window, with every hook in place."""
    found = Reports(window, tmp_path / "log", answers)
    found.install()
    yield found
    found.close()


def log_text(reports):
    return (reports.folder / "studio.log").read_text(encoding="utf-8")


def fail(words):
    raise RuntimeError(words)


def shown(qtbot, reports):
    qtbot.waitUntil(
        lambda: reports.dialog is not None and "Test GPU" in reports.dialog.text.toPlainText(), timeout=10_000
    )
    return reports.dialog.text.toPlainText()


def test_an_error_in_a_slot_shows_a_report_and_changes_nothing(qtbot, rolled, tmp_path):
    reports = Reports(rolled, tmp_path / "log", answers)
    reports.install()
    roll, steps = rolled.document.roll, rolled.document.undo_stack.count()
    rolled.actions_["zoom_in"].trigger()
    QTimer.singleShot(0, lambda: fail(f"no room for {rolled.document.source.path} and 'secret words'"))
    text = shown(qtbot, reports)
    assert "RuntimeError: no room for" in text and "tests/studio" not in text
    assert "zoom_in" in text
    assert "sound output: Speakers (ALSA, 2 channels, 48000 Hz)" in text
    assert ".wav (WAV, PCM_16), 16000 Hz, 2 channels, 4.0 s" in text
    for private in ("street", str(tmp_path), "secret words"):
        assert private not in text and private not in log_text(reports)
    assert "RuntimeError" in log_text(reports) and "recomposer_studio.actions: zoom_in" in log_text(reports)
    assert rolled.isVisible() and not rolled.messages.text
    assert rolled.document.roll == roll and rolled.document.undo_stack.count() == steps
    rolled.actions_["select_all"].trigger()
    assert rolled.document.selected
    reports.close()


def test_the_same_error_again_opens_nothing_again(qtbot, window, reports):
    for _ in range(40):
        QTimer.singleShot(0, lambda: fail("again"))
    shown(qtbot, reports)
    qtbot.waitUntil(lambda: reports._places and max(reports._places.values()) == 40)
    assert reports.text().count("RuntimeError: again") == 1 and "(40 times)" in reports.text()
    QTimer.singleShot(0, lambda: {}["other"])
    qtbot.waitUntil(lambda: "KeyError: <5 characters>" in reports.dialog.text.toPlainText())
    dialogs = [widget for widget in QApplication.topLevelWidgets() if type(widget).__name__ == "ReportDialog"]
    assert [widget.isVisible() for widget in dialogs] == [True]


def test_a_thread_and_a_job_that_fail_are_told(qtbot, window, reports):
    thread = threading.Thread(target=fail, args=("in a thread",))
    thread.start()
    thread.join()
    assert "RuntimeError: in a thread" in shown(qtbot, reports)

    class Broken(Job):
        def work(self):
            fail("in a job")

    job = Broken(window)
    with qtbot.waitSignal(job.failed):
        job.start()
    qtbot.waitUntil(job.isFinished)
    qtbot.waitUntil(lambda: "RuntimeError: in a job" in reports.dialog.text.toPlainText())


def test_the_hooks_go_with_the_reports(window, tmp_path):
    before = (
        sys.excepthook,
        threading.excepthook,
        sys.unraisablehook,
        logging.getLogger("recomposer_studio").handlers[:],
    )
    reports = Reports(window, tmp_path / "log", answers)
    reports.install()
    assert sys.excepthook != before[0]
    reports.close()
    after = sys.excepthook, threading.excepthook, sys.unraisablehook, logging.getLogger("recomposer_studio").handlers[:]
    assert after == before


def test_what_qt_says_goes_into_the_log(window, reports):
    reports._qt_said(QtMsgType.QtWarningMsg, None, "cannot open /home/anna/My Music/dog.wav now")
    line = next(line for line in log_text(reports).splitlines() if "Qt: cannot" in line)
    assert "WARNING" in line and "anna" not in line and "Music" not in line


def test_a_report_that_was_asked_for_is_in_the_clipboard(qtbot, window, reports):
    window.findChild(Reports).show_report()
    shown(qtbot, reports)
    copied = QApplication.clipboard().text()
    assert copied == reports.dialog.text.toPlainText() and "Test GPU" in copied
    assert "Traceback" not in copied
    reports.dialog.close()
    assert reports.dialog is None


def test_a_log_that_cannot_be_written_stops_nothing(qtbot, window, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    reports = Reports(window, tmp_path / "file", answers)
    reports.install()
    QTimer.singleShot(0, lambda: fail("no log"))
    assert "RuntimeError: no log" in shown(qtbot, reports)
    reports.close()


def test_questions_that_hang_end_with_the_window(qtbot, window, tmp_path):
    begun, freed = threading.Event(), threading.Event()

    def hang(question, cancelled):
        begun.set()
        while not cancelled():
            freed.wait(0.01)
        return Answer(problem="cancelled")

    reports = Reports(window, tmp_path / "log", hang)
    reports.show_report()
    qtbot.waitUntil(begun.is_set)
    questions = reports._questions
    window.shut_down()
    assert questions.isFinished()


def test_every_control_has_an_accessible_name(qtbot, window, reports):
    reports.show_report()
    dialog = reports.dialog
    for control in (dialog.text, dialog.sentence, dialog.copy_button, dialog.folder_button):
        assert control.accessibleName()
    shown(qtbot, reports)
