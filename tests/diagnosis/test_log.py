"""The log: small, plain, and never in the way."""

import faulthandler
import logging
import os
import time

import pytest

from recomposer_studio.diagnosis.log import ACTIONS, MOST_ACTIONS, MOST_BYTES, OLDER_FILES, ROOT, LastActions, Log


@pytest.fixture
def log(tmp_path):
    found = Log(tmp_path / "logs", lambda: ("Anna",))
    yield found
    found.close()


def test_it_goes_round(log):
    for number in range(60):
        ROOT.info("%04d %s", number, "x" * (MOST_BYTES // 10))
    names = sorted(path.name for path in log.folder.glob("studio*"))
    assert names == ["studio.log", *(f"studio.log.{number}" for number in range(1, OLDER_FILES + 1))]
    assert all(path.stat().st_size < 1.2 * MOST_BYTES for path in log.folder.glob("studio*"))
    assert "0059 xxx" in (log.folder / "studio.log").read_text(encoding="utf-8")


def test_names_do_not_get_in(log):
    ROOT.warning("%s opened %s", "Anna", "/home/anna/dog.wav")
    try:
        raise ValueError("no 'Anna barks'")
    except ValueError:
        ROOT.exception("it failed")
    text = (log.folder / "studio.log").read_text(encoding="utf-8")
    assert "<name> opened <file .wav>" in text
    assert "ValueError: no <10 characters>" in text
    assert "nna" not in text


def test_closing_leaves_the_logger_as_it_was(tmp_path):
    before = ROOT.level, ROOT.handlers[:]
    Log(tmp_path / "logs").close()
    assert (ROOT.level, ROOT.handlers) == before
    assert list((tmp_path / "logs").glob("faults*")) == []


def test_what_a_crashed_process_left_is_brought_in(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    crashed, killed, alive = folder / "faults-1-a.txt", folder / "faults-2-b.txt", folder / "faults-3-c.txt"
    crashed.write_text(
        'Fatal Python error: Segmentation fault\n  File "/home/anna/x.py", line 3 in f\n', encoding="utf-8"
    )
    for path in (killed, alive):
        path.touch()
    os.utime(killed, (time.time() - 30 * 86_400,) * 2)
    log = Log(folder)
    text = (folder / "studio.log").read_text(encoding="utf-8")
    log.close()
    assert "Segmentation fault" in text and "anna" not in text
    assert [path.exists() for path in (crashed, killed, alive)] == [False, False, True]


def test_crashes_below_python_go_to_a_file(tmp_path):
    enabled = faulthandler.is_enabled()
    faulthandler.disable()
    try:
        log = Log(tmp_path / "logs")
        assert faulthandler.is_enabled()
        assert len(list((tmp_path / "logs").glob("faults-*.txt"))) == 1
        log.close()
        assert not faulthandler.is_enabled()
    finally:
        if enabled:
            faulthandler.enable()


def test_a_folder_that_cannot_be_made_stops_nothing(tmp_path):
    (tmp_path / "file").touch()
    log = Log(tmp_path / "file" / "logs")
    ROOT.warning("nobody hears this")
    log.close()
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_the_last_actions_are_remembered():
    last = LastActions()
    for number in range(MOST_ACTIONS + 5):
        last.handle(logging.LogRecord(ACTIONS.name, logging.INFO, "", 0, f"action{number}", (), None))
    lines = last.lines()
    assert len(lines) == MOST_ACTIONS
    assert [line.split()[1] for line in (lines[0], lines[-1])] == ["action5", f"action{MOST_ACTIONS + 4}"]
