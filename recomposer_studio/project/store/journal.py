"""The working database of one open project: every change is one transaction, and what states share is stored once."""

import hashlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.atomic import pending_file, write_error
from recomposer_studio.errors import Cancelled
from recomposer_studio.project.state import State
from recomposer_studio.project.store import database
from recomposer_studio.project.store.contents import Project, Recording, Step
from recomposer_studio.project.store.database import PIECE_BYTES, fact, format_json, set_fact
from recomposer_studio.project.store.locate import never
from recomposer_studio.project.store.reader import array_digest
from recomposer_studio.project.store.values import APART, encode_fields
from recomposer_studio.project.store.version import Version, check_same, version

_TELL_S = 0.1
_STEPS_PER_LOOK = 12
"""SQLite copies a row, which may be a piece of sound of 4 MiB, in three steps."""
_SWEEP_S = 10.0
"""What was cut off the history is let go of at most this often, besides before every save."""


class Journal:
    """Writes a project to a new working database, and from then on what changes.

    Used from one thread at a time.

    Args:
        path: the database; it must not exist.

    Attributes:
        revision: counts the changes that were written; looking around is none.
        lacks: why the recording's bytes, which belong into the project, are not in it; empty when they are.

    Raises:
        OSError, sqlite3.Error: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.revision = 0
        self.lacks = ""
        self._connection = database.create(path)
        self._values = _Values(self._connection)
        self._written: Project | None = None
        self._embedded = ""
        self._cut = False
        self._swept_s = time.monotonic()

    def write(self, project: Project) -> None:
        """Makes a moment durable.

        Raises:
            OSError, sqlite3.Error, InputError: it could not be written; the database is as it was.
        """
        if not self.path.exists():  # elsewhere than on Windows one can delete what is open, and writes go nowhere
            raise FileNotFoundError(2, "the working file is gone", str(self.path))
        before = self._written
        same_work = before is not None and _same_work(before, project) and not self.lacks
        if before is not None and same_work and before.view == project.view:
            return
        revision, embedded, lacks = self.revision, self._embedded, self.lacks
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            if not same_work:
                revision += 1
                self._write_work(before, project)
                set_fact(self._connection, "revision", revision)
                set_fact(self._connection, "edited", datetime.now().isoformat(timespec="seconds"))
            set_fact(self._connection, "view", encode_fields(project.view, self._values))
            self._connection.execute("COMMIT")
        except BaseException:
            self._values.forget()
            self._embedded, self.lacks = embedded, lacks
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._values.settle()
        self.revision, self._written = revision, project

    def note_copy(self, path: Path, revision: int) -> None:
        """Remembers that the project file holds everything up to a revision.

        Raises:
            sqlite3.Error: it could not be written.
        """
        set_fact(self._connection, "copied", {"path": str(path), "revision": revision})

    def sweep(self) -> None:
        """Removes what no state refers to any more.

        Raises:
            sqlite3.Error: it could not be written.
        """
        if self._written is None:
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._values.sweep(self._written.history.states())
            self._connection.execute("COMMIT")
            self._cut, self._swept_s = False, time.monotonic()
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def tidy(self) -> None:
        """Brings the write-ahead log into the database, and lets go of what was cut off: worth doing when nobody waits.

        Raises:
            sqlite3.Error: it could not be written.
        """
        if self._cut and time.monotonic() - self._swept_s > _SWEEP_S:
            self.sweep()
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()

    def _write_work(self, before: Project | None, project: Project) -> None:
        connection, values, history = self._connection, self._values, project.history
        old: tuple[Step, ...] = before.history.steps if before else ()
        same = _common(old, history.steps)
        if len(old) > same:
            connection.execute("DELETE FROM step WHERE number >= ?", (same,))
            self._cut = True
        for number, step in enumerate(history.steps[same:], start=same):
            row = (number, format_json(step.text), values.keep(step.after))
            connection.execute("INSERT INTO step VALUES (?, ?, ?)", row)
        facts = {"first": values.keep(history.first), "index": history.index, "next_take": history.next_take}
        set_fact(connection, "history", facts)
        set_fact(connection, "elsewhere", sorted(project.elsewhere))
        set_fact(connection, "recording", encode_fields(self._with_bytes(project.recording), values))

    def _with_bytes(self, recording: Recording) -> Recording:
        """Brings the recording's bytes in line with its facts, and returns the facts.

        What cannot be read as the facts say is left out, and so the facts say: a project whose bytes are others could not be opened.
        """
        self.lacks = ""
        if recording.embedded and self._embedded and recording.sha256 in ("", self._embedded):
            return recording
        self._connection.execute("DELETE FROM recording")
        self._embedded = ""
        if not recording.embedded:
            return recording
        try:
            self._embedded = self._embed(Path(recording.path))
            reason = "it has just changed" if recording.sha256 not in ("", self._embedded) else ""
        except OSError as error:
            reason = error.strerror or str(error)
        if not reason:
            return recording
        self._connection.execute("DELETE FROM recording")
        self._embedded = ""
        self.lacks = f"{recording.path}: cannot be kept in the project now ({reason}); put the file back."
        return replace(recording, embedded=False)

    def _embed(self, path: Path) -> str:
        """Takes in the bytes of a file; returns their SHA-256."""
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while data := file.read(PIECE_BYTES):
                digest.update(data)
                self._connection.execute("INSERT INTO recording (data) VALUES (?)", (data,))
        return digest.hexdigest()


@dataclass(frozen=True)
class Copied:
    """A project file that was written.

    Attributes:
        revision: the revision of the working database that it holds.
        version: what the file is known by from now on.
    """

    revision: int
    version: Version


def copy_project(
    working: Path,
    target: Path,
    known: Version | None = None,
    cancelled: Callable[[], bool] = never,
    progress: Callable[[float], None] = lambda share: None,
) -> Copied:
    """Puts a finished copy of a working database in the place of a project file; the journal may go on writing meanwhile.

    The copy is made beside the target with SQLite's VACUUM INTO, which leaves out what was removed, is put on the disk and
    then takes the target's name: whoever reads the target finds the old project or the new one, whole.

    Args:
        working: the working database.
        target: the project file.
        known: the version that the copy may replace; None for any.
        cancelled: polled between pieces of work.
        progress: told the share that is written.

    Raises:
        InputError: it cannot be written there.
        Replaced: what is there is another version.
        Cancelled: `cancelled` returned true; the file is as it was.
    """
    saved = secrets.token_hex(8)
    with pending_file(target) as file:
        try:
            if known is not None:
                check_same(target, known)
            _vacuum(working, file.path, cancelled, progress)
            copy = sqlite3.connect(file.path, isolation_level=None)
            try:
                copy.execute("PRAGMA journal_mode=MEMORY")  # nobody reads it before it is whole
                set_fact(copy, "saved", saved)
                revision: int = fact(copy, "revision")
            finally:
                copy.close()
            present = version(file.path, saved)
            if known is not None:  # perhaps meanwhile
                check_same(target, known)
        except (sqlite3.Error, OSError) as error:
            raise write_error(target, error) from error
        finally:
            # What SQLite keeps beside a database that it could not finish.
            for suffix in ("-journal", "-wal", "-shm"):
                file.path.with_name(file.path.name + suffix).unlink(missing_ok=True)
        if cancelled():
            raise Cancelled
        if present is None:
            raise write_error(target, FileNotFoundError(2, "another program removed it while it was written"))
        file.commit()
    _sync_folder(target.parent)
    return Copied(revision, present)


def _vacuum(working: Path, copy: Path, cancelled: Callable[[], bool], progress: Callable[[float], None]) -> None:
    """Writes what a database holds into an empty file.

    Raises:
        sqlite3.Error, OSError: it cannot be written.
        Cancelled: `cancelled` returned true.
    """
    told_s = time.monotonic()
    whole = max(working.stat().st_size, 1)

    def look() -> int:
        nonlocal told_s
        if time.monotonic() - told_s >= _TELL_S:
            told_s = time.monotonic()
            progress(min(copy.stat().st_size / whole, 1.0))
        return int(cancelled())

    connection = sqlite3.connect(working, timeout=5, isolation_level=None)
    try:
        connection.set_progress_handler(look, _STEPS_PER_LOOK)
        connection.execute("VACUUM INTO ?", (str(copy),))
    except sqlite3.Error:
        if cancelled():
            raise Cancelled from None
        raise
    finally:
        connection.close()


def _sync_folder(folder: Path) -> None:
    """Puts a new name on the disk, where a folder can be opened (not on Windows, whose file systems log names)."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems cannot; the file itself is safe
        pass
    finally:
        os.close(descriptor)


def _same_work(a: Project, b: Project) -> bool:
    """Whether nothing but the view differs; states are compared by identity, for equal arrays take long to compare."""
    return a.history is b.history and a.recording == b.recording and a.elsewhere == b.elsewhere


def _common(old: tuple[Step, ...], new: tuple[Step, ...]) -> int:
    """How many steps at the beginning are the same objects."""
    pairs = zip(old, new, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a is not b), min(len(old), len(new)))


class _Values:
    """Numbers of the rows in which values and arrays are stored; a `Keeper`.

    An object is known again by its identity, so it is held on to as long as its row is there.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: dict[int, tuple[int, Any]] = {}
        self._arrays: dict[int, tuple[int, Any]] = {}
        self._by_digest: dict[str, int] = {}
        self._refers: dict[int, tuple[set[int], set[int]]] = {}
        self._open: list[tuple[set[int], set[int]]] = []
        self._fresh: list[tuple[dict[Any, Any], Any]] = []
        self._next_value = self._next_array = 1

    def keep(self, value: Any) -> int:
        """The number of the row of a value; the row is made when there is none."""
        known = self._rows.get(id(value))
        if known is None:
            self._open.append((set(), set()))
            try:
                text = format_json(encode_fields(value, self))
            finally:
                refers = self._open.pop()
            number, self._next_value = self._next_value, self._next_value + 1
            self._connection.execute("INSERT INTO value VALUES (?, ?, ?)", (number, APART[type(value)], text))
            self._add(self._refers, number, refers)
            known = number, value
            self._add(self._rows, id(value), known)
        if self._open:
            self._open[-1][0].add(known[0])
        return known[0]

    def keep_array(self, array: NDArray[np.float32]) -> int:
        """The number of the row of an array; equal arrays share one."""
        known = self._arrays.get(id(array))
        if known is None:
            digest = array_digest(array)
            if digest not in self._by_digest:
                self._add(self._by_digest, digest, self._write_array(array, digest))
            known = self._by_digest[digest], array
            self._add(self._arrays, id(array), known)
        if self._open:
            self._open[-1][1].add(known[0])
        return known[0]

    def settle(self) -> None:
        """The transaction is done: what it wrote is there."""
        self._fresh.clear()

    def forget(self) -> None:
        """The transaction failed: what it wrote is not there."""
        for book, key in self._fresh:
            del book[key]
        self._fresh.clear()
        self._open.clear()

    def sweep(self, states: tuple[State, ...]) -> None:
        """Removes all rows that these states do not reach; call `settle` before."""
        live, arrays = set(), set()
        waiting = {self._rows[id(state)][0] for state in states}
        while waiting:
            number = waiting.pop()
            live.add(number)
            values, sounds = self._refers[number]
            waiting |= values - live
            arrays |= sounds
        dead = self._refers.keys() - live
        self._connection.executemany("DELETE FROM value WHERE id = ?", ((number,) for number in dead))
        gone = set(self._by_digest.values()) - arrays
        for table, column in (("piece", "array"), ("array", "id")):
            self._connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", ((number,) for number in gone))
        self._refers = {number: refers for number, refers in self._refers.items() if number in live}
        self._rows = {key: known for key, known in self._rows.items() if known[0] in live}
        self._arrays = {key: known for key, known in self._arrays.items() if known[0] in arrays}
        self._by_digest = {digest: number for digest, number in self._by_digest.items() if number in arrays}

    def _write_array(self, array: NDArray[np.float32], digest: str) -> int:
        number, self._next_array = self._next_array, self._next_array + 1
        channels, samples = array.shape
        self._connection.execute("INSERT INTO array VALUES (?, ?, ?, ?)", (number, digest, channels, samples))
        for data in _pieces(array):
            self._connection.execute("INSERT INTO piece (array, data) VALUES (?, ?)", (number, data))
        return number

    def _add(self, book: dict[Any, Any], key: Any, value: Any) -> None:
        book[key] = value
        self._fresh.append((book, key))


def _pieces(array: NDArray[np.float32]) -> Iterator[memoryview]:
    data = np.ascontiguousarray(array, "<f4").data.cast("B")
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]
