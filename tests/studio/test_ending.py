"""How the program ends: as every program does, or at once where a drive that does not answer holds a thread."""

import logging
import os
import threading

import pytest
from PySide6.QtWidgets import QApplication

from recomposer_studio.studio import jobs
from recomposer_studio.studio.main import main


@pytest.mark.parametrize("held", [True, False])
def test_nothing_waits_for_a_thread_that_was_left_behind(window, monkeypatch, held):
    ended = []
    monkeypatch.setattr("recomposer_studio.studio.window.Window", lambda: window)
    monkeypatch.setattr(QApplication, "exec", lambda *arguments: 3)
    monkeypatch.setattr(jobs, "left_behind", lambda: held)
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    assert main([]) == 3
    assert ended == ([3] if held else [])
    assert window.document.source is None


class _Stuck(jobs.Job):
    """Work that does not look whether it is still wanted."""

    def __init__(self, answers):
        super().__init__()
        self._answers = answers

    def work(self):
        self._answers.wait(60.0)


def test_a_job_that_does_not_end_is_left_and_silent(qtbot):
    answers, told = threading.Event(), []
    job = _Stuck(answers)
    job.finished.connect(lambda: told.append(1))
    job.start()
    assert not job.end(20)
    assert job.cancelled and jobs.left_behind()
    answers.set()
    assert job.wait(10_000)
    qtbot.wait(10)
    assert told == [] and not jobs.left_behind()


def test_a_job_that_ends_in_time_is_not_left(qtbot):
    answers = threading.Event()
    answers.set()
    job = _Stuck(answers)
    job.start()
    assert job.end(10_000)
    assert not jobs.left_behind()
