"""The folder in which open projects live: a folder for each, with its working database, and a lock that a crash releases."""

import contextlib
import secrets
import shutil
import sqlite3
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from recomposer_studio.errors import InputError
from recomposer_studio.project.store.database import fact, open_working
from recomposer_studio.project.store.reader import Reader

_DATABASE = "work.sqlite"
_LOCK = "lock"
_NEW_S = 3600.0


class Place:
    """The folder of one open project, held by this process.

    The lock is SQLite's exclusive lock on an empty database: the system gives it up with the process, however that ends.

    Attributes:
        folder: the folder.
        database: the working database in it.
    """

    def __init__(self, folder: Path, lock: sqlite3.Connection) -> None:
        self.folder = folder
        self.database = folder / _DATABASE
        self._lock = lock

    @classmethod
    def take(cls, folder: Path) -> "Place | None":
        """Holds a folder, or gives None when a window has it, or it has gone."""
        try:
            lock = sqlite3.connect(folder / _LOCK, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error:
            return None
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error:
            lock.close()
            return None
        return cls(folder, lock)

    def clear(self) -> None:
        """Removes a database that could not be finished."""
        for suffix in ("", "-journal", "-wal", "-shm"):
            self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)

    def leave(self) -> None:
        """Lets go of the folder and keeps what is in it for the next start."""
        self._lock.close()

    def discard(self) -> None:
        """Lets go of the folder and removes it; what another program keeps open goes at a later start."""
        self._lock.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Left:
    """Work that a window left behind, because it crashed or could not save.

    Attributes:
        place: its folder, held.
        project: the project file that it belongs to, None when it was never saved.
        recording: the recording's path.
        edited: when it was changed last.
        steps: steps in its history.
        problem: a sentence, when it cannot be read any more; else empty.
    """

    place: Place
    project: Path | None
    recording: Path
    edited: datetime
    steps: int
    problem: str = ""


class Home:
    """The folder of all open projects on this machine.

    Args:
        folder: made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def new(self) -> Place:
        """A folder for a project that is opened.

        Raises:
            InputError: it cannot be made.
        """
        folder = self.folder / f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"
        try:
            folder.mkdir(parents=True)
            place = Place.take(folder)
        except (OSError, sqlite3.Error) as error:
            raise unsafe(self.folder, error) from error
        if place is None:
            raise unsafe(self.folder, "it cannot be locked")
        return place

    def left(self) -> list[Left]:
        """What windows left behind, newest first; holds the folders. Folders that hold nothing of use are removed."""
        found = []
        folders = sorted(self.folder.iterdir(), reverse=True) if self.folder.is_dir() else []
        for folder in folders:
            try:
                if not (folder / _DATABASE).is_file() and time.time() - folder.stat().st_mtime < _NEW_S:
                    continue  # another window is just making it
            except FileNotFoundError:
                continue  # another window has just removed it
            place = Place.take(folder)
            if place is None:
                continue
            left = _look(place) if place.database.is_file() else None
            if left is None:
                place.discard()
            else:
                found.append(left)
        return found


def unsafe(folder: Path, reason: object) -> InputError:
    """The error for a working folder that cannot be written."""
    text = (reason.strerror if isinstance(reason, OSError) else None) or str(reason)
    return InputError(
        f"Your work cannot be kept safe in {folder} ({text.rstrip('.')}); free space there: it is tried again, and nothing "
        "is lost while the window stays open."
    )


def _look(place: Place) -> Left | None:
    """What a folder holds; None when nothing that is not in a project file too."""
    edited = datetime.fromtimestamp(place.database.stat().st_mtime)
    try:
        with Reader(open_working(place.database), place.database) as reader:
            steps, recording = reader.steps(), Path(reader.recording.origin or reader.recording.path)
            project, saved = _copied(reader.facts("copied"), reader.facts("revision"))
            written = reader.facts("edited")
    except InputError as error:
        # A window that was killed before its first change had been written leaves tables without facts, or none.
        return None if _empty(place.database) else Left(place, None, Path(), edited, 0, str(error))
    if saved:
        return None
    if isinstance(written, str):
        with contextlib.suppress(ValueError):  # damaged: the file's own time is near enough
            edited = datetime.fromisoformat(written)
    return Left(place, project, recording, edited, steps)


def _copied(copied: Any, revision: Any) -> tuple[Path | None, bool]:
    """(the project file, whether it is there and holds everything)."""
    if not isinstance(copied, dict):
        return None, False
    path = Path(str(copied.get("path")))
    return path, copied.get("revision") == revision and path.is_file()


def _empty(database: Path) -> bool:
    try:
        connection = sqlite3.connect(database, timeout=0, isolation_level=None)
        try:
            tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            return tables == 0 or fact(connection, "revision") is None
        finally:
            connection.close()
    except (sqlite3.Error, ValueError):
        return False
