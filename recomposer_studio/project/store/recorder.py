"""Writes what happens in a window to its working database, on a thread of its own: the window never waits for a disk."""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.project.store.contents import Project
from recomposer_studio.project.store.home import Home, Place, unsafe
from recomposer_studio.project.store.journal import Journal
from recomposer_studio.project.store.locate import never

GATHER_S = 0.1
"""Changes of one gesture arrive like this close after each other and are written together."""
LAZY_S = 2.0
RETRY_S = 2.0
_LOOK_S = 0.1


class Recorder:
    """Keeps one open project safe.

    The thread and the folder are made with the first change: to open a recording leaves no trace.

    Args:
        home: where working folders are made.
        place: the folder to use, when there is one already.
        failed: told, on the recorder's thread, in one sentence when writing begins to fail; it is tried again.

    Attributes:
        revision: the last durable revision.
    """

    def __init__(
        self,
        home: Home,
        place: Place | None = None,
        *,
        failed: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.revision = 0
        self._home, self._place = home, place
        self._failed = failed
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._journal: Journal | None = None
        self._pending: Project | None = None
        self._copied: tuple[Path, int | None] | None = None
        self._due_s = 0.0
        self._wanted = self._sweep = self._closing = self._failing = False
        self._problem = self._lacks = ""

    @property
    def place(self) -> Place | None:
        """The working folder, None before the first change."""
        return self._place

    def record(self, project: Project, *, lazy: bool = False) -> None:
        """Hands over a moment to be made durable; the last one counts. Returns at once.

        Args:
            project: what to keep.
            lazy: only what is looked at has changed: it may wait, and starts nothing.
        """
        with self._changed:
            if self._closing or (lazy and self._thread is None):
                return
            due_s = time.monotonic() + (LAZY_S if lazy else GATHER_S)
            self._due_s = due_s if self._pending is None else min(self._due_s, due_s)
            self._pending = project
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="recorder")
                self._thread.start()
            self._changed.notify_all()

    def note_copy(self, path: Path, revision: int | None = None) -> None:
        """Remembers which project file holds everything up to a revision, up to the one being written when None."""
        with self._changed:
            self._copied = path, revision
            self._changed.notify_all()

    def flush(self, timeout_s: float = 600.0, *, sweep: bool = False, cancelled: Callable[[], bool] = never) -> Path:
        """Waits until all that was handed over is on the disk.

        Args:
            timeout_s: waits so long at most.
            sweep: whether what no state reaches any more is removed too.
            cancelled: polled while it waits.

        Returns:
            The working database.

        Raises:
            InputError: it could not be written.
            Cancelled: `cancelled` returned true; writing goes on.
        """
        with self._changed:
            self._wanted, self._sweep, self._problem = True, sweep, ""
            self._changed.notify_all()
            end_s, done = time.monotonic() + timeout_s, False
            while not done and time.monotonic() < end_s:
                wait_s = min(end_s - time.monotonic(), _LOOK_S)
                done = self._changed.wait_for(lambda: not self._wanted or bool(self._problem) or self._idle, wait_s)
                if not done and cancelled():
                    raise Cancelled
            self._wanted = False
            if self._problem:
                raise InputError(self._problem)
            if not done or self._place is None or self._journal is None:
                raise unsafe(self._home.folder, "it takes too long")
            return self._place.database

    def close(self, *, keep: bool) -> None:
        """Ends the thread.

        Args:
            keep: whether the working folder stays, to be offered at the next start, after a last try to write what is pending;
                else it is removed.
        """
        with self._changed:
            self._closing = True
            if not keep:
                self._pending = None
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        place, self._place = self._place, None
        if place is not None:
            place.leave() if keep else place.discard()

    @property
    def _idle(self) -> bool:
        return self._thread is None

    # --- on the thread -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._ready():
                    self._changed.wait(self._patience_s())
                project, self._pending = self._pending, None
                copied, self._copied = (self._copied, None) if self._journal or project else (None, self._copied)
                wanted, sweep, closing = self._wanted, self._sweep, self._closing
            problem = self._write(project, copied, sweep and wanted)
            with self._changed:
                if problem:
                    self._pending = self._pending or project
                    self._copied = self._copied or copied
                    self._due_s = time.monotonic() + RETRY_S
                    self._problem = problem
                    self._wanted = False
                elif wanted and self._pending is None:  # one that came meanwhile may want more
                    self._wanted = self._sweep = False
                news, self._failing = problem if problem and not self._failing else "", bool(problem)
                self._changed.notify_all()
            if news:
                self._failed(news)
            if closing:
                return
            if not problem and self._journal is not None:
                self._tidy(self._journal)

    def _ready(self) -> bool:
        if self._closing or self._wanted:
            return True
        return self._copied_is_due() or (self._pending is not None and time.monotonic() >= self._due_s)

    def _copied_is_due(self) -> bool:
        return self._copied is not None and self._journal is not None and not self._failing

    def _patience_s(self) -> float | None:
        return None if self._pending is None else max(0.0, self._due_s - time.monotonic())

    def _write(self, project: Project | None, copied: tuple[Path, int | None] | None, sweep: bool) -> str:
        """Writes; returns a sentence when that failed."""
        try:
            if self._journal is not None and not self._journal.path.exists():
                self._journal.close()
                self._journal = None
                if self._place is not None:
                    self._place.leave()
                    self._place = None
            if self._journal is None and project is not None:
                self._place = self._place or self._home.new()
                self._place.clear()
                self._journal = Journal(self._place.database)
            if self._journal is None:
                return ""
            if project is not None:
                self._journal.write(project)
                self.revision = self._journal.revision
                lacks, self._lacks = self._lacks, self._journal.lacks
                if self._lacks and not lacks:
                    self._failed(self._lacks)
            if copied is not None:
                path, revision = copied
                self._journal.note_copy(path, self._journal.revision if revision is None else revision)
            if sweep:
                self._journal.sweep()
        except InputError as error:
            return str(error)
        except (OSError, sqlite3.Error) as error:
            return str(unsafe(self._home.folder, error))
        except Exception as error:  # a thread that dies without a word would keep nothing safe any more
            return str(unsafe(self._home.folder, repr(error)))
        return ""

    def _tidy(self, journal: Journal) -> None:
        # Without it the log stays longer; when the disk is at fault, the next write tells.
        with contextlib.suppress(sqlite3.Error):
            journal.tidy()
