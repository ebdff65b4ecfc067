"""The log: a few small files in the user's log folder that are written round and round, with nothing in them that belongs to the person."""

import contextlib
import faulthandler
import logging
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TextIO

import platformdirs

from recomposer_studio.diagnosis.privacy import error_text, fault_text, plain

ROOT = logging.getLogger("recomposer_studio")
ACTIONS = logging.getLogger("recomposer_studio.actions")
"""What the person triggered, one record per action with its id."""
NAME = "studio.log"
MOST_BYTES, OLDER_FILES = 512 * 1024, 3
MOST_ACTIONS = 30
_KEPT_S = 7 * 86_400.0
_FORM = "%(asctime)s.%(msecs)03d %(levelname)s %(name)s: %(message)s"


def log_folder() -> Path:
    """Where the log belongs: `RECOMPOSER_LOGS` if that is set, else in the user's log folder of this system."""
    named = os.environ.get("RECOMPOSER_LOGS")
    return Path(named) if named else platformdirs.user_log_path("recomposer-studio", appauthor=False)


class PlainFormatter(logging.Formatter):
    """Writes records without what belongs to the person.

    Args:
        words: gives the names that must not appear.
    """

    def __init__(self, words: Callable[[], Iterable[str]] = tuple) -> None:
        super().__init__(_FORM, "%Y-%m-%d %H:%M:%S")
        self._words = words

    def format(self, record: logging.LogRecord) -> str:
        """The record as text; an error with its traceback below."""
        line = record.getMessage()
        if record.name != ACTIONS.name:  # an id of the program's own, whatever the rows are called
            line = plain(line, self._words(), quoted=False)
        head = f"{self.formatTime(record, self.datefmt)}.{record.msecs:03.0f} {record.levelname} {record.name}: {line}"
        error = record.exc_info[1] if record.exc_info else None
        return head if error is None else f"{head}\n{error_text(error, self._words()).rstrip()}"


class _QuietFile(RotatingFileHandler):
    """A log that cannot be written (a full disk, a second window on Windows) costs nobody their work."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Passes over it."""


class LastActions(logging.Handler):
    """Remembers what the person triggered last."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._records: deque[tuple[float, str]] = deque(maxlen=MOST_ACTIONS)

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record of `ACTIONS`."""
        self._records.append((record.created, record.getMessage()))

    def lines(self) -> list[str]:
        """Time of day and id, oldest first."""
        return [f"{time.strftime('%H:%M:%S', time.localtime(when))}  {what}" for when, what in tuple(self._records)]


class Log:
    """The log of a process while it runs.

    Args:
        folder: where it is written; when that cannot be, there is none.
        words: gives the names that must not appear in it.

    Attributes:
        folder: where it is written.
    """

    def __init__(self, folder: Path, words: Callable[[], Iterable[str]] = tuple) -> None:
        self.folder = folder
        self._handler: _QuietFile | None = None
        self._faults: TextIO | None = None
        self._faults_path = folder / f"faults-{os.getpid()}-{secrets.token_hex(3)}.txt"
        self._level = ROOT.level
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._handler = _QuietFile(folder / NAME, maxBytes=MOST_BYTES, backupCount=OLDER_FILES, encoding="utf-8")
        except OSError:
            return
        self._handler.setFormatter(PlainFormatter(words))
        ROOT.addHandler(self._handler)
        ROOT.setLevel(logging.INFO)
        self._bring_in_faults()
        self._catch_faults()

    def close(self) -> None:
        """Ends the log; a process that ends well leaves no file for faults."""
        if self._faults is not None:
            faulthandler.disable()
            self._faults.close()
            with contextlib.suppress(OSError):
                self._faults_path.unlink()
        if self._handler is not None:
            ROOT.removeHandler(self._handler)
            self._handler.close()
            ROOT.setLevel(self._level)
        self._faults = self._handler = None

    def _catch_faults(self) -> None:
        """A crash below Python (a segmentation fault) has no time for a log: its traceback goes to a file of its own."""
        if faulthandler.is_enabled():  # somebody else's, for example a test runner's
            return
        try:
            self._faults = self._faults_path.open("w", encoding="utf-8")
        except OSError:
            return
        faulthandler.enable(self._faults)

    def _bring_in_faults(self) -> None:
        """What crashed processes left goes into the log; empty files that a killed process left go after a week."""
        for path in sorted(self.folder.glob("faults-*.txt")):
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
                if text:
                    ROOT.error("an earlier process crashed:\n%s", fault_text(text.strip())[:20_000])
                if text or path.stat().st_mtime < time.time() - _KEPT_S:
                    path.unlink()
            except OSError:  # on Windows another process may have it open
                continue
