"""Reads a project from a database, strictly: a file may be damaged or made to do harm."""

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.atomic import atomic_path
from recomposer_studio.audio.source import Source
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.project.store.contents import History, Project, Recording, Step, View, misfit, other_format
from recomposer_studio.project.store.database import damaged, fact, parse
from recomposer_studio.project.store.locate import never
from recomposer_studio.project.store.values import APART, Damage, decode, decode_fields

_KINDS = {name: kind for kind, name in APART.items()}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FLOAT32 = np.dtype("<f4")


class Reader:
    """A project in an open database.

    Args:
        connection: what `open_file` or `open_working` gave; the reader closes it.
        path: the database, for sentences.

    Attributes:
        recording: the facts of the project's recording.

    Raises:
        InputError: the facts are damaged.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.path = path
        self._connection = connection
        try:
            self.recording = self._recording()
        except (Damage, ValueError, sqlite3.Error) as error:
            self.close()
            raise damaged(path, error) from None
        except InputError:
            self.close()
            raise

    def close(self) -> None:
        """Closes the database."""
        self._connection.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def project(self, source: Source, cancelled: Callable[[], bool] = never) -> Project:
        """The whole project.

        Args:
            source: its recording, or what takes its place.
            cancelled: polled between values and pieces of sound.

        Raises:
            InputError: it is damaged, or cannot work on this recording.
            Cancelled: `cancelled` returned true.
        """
        problem = other_format(self.recording, source)
        if problem:
            raise self._misfit(source, problem)
        try:
            rows = _Rows(self._connection, source, cancelled)
            history = self._history(rows)
            view = decode_fields(fact(self._connection, "view") or {}, View, rows)
            elsewhere = decode(fact(self._connection, "elsewhere") or [], frozenset[str], rows)
        except (Damage, ValueError, sqlite3.Error) as error:
            raise damaged(self.path, error) from None
        problem = misfit(history, source)
        if problem:
            raise self._misfit(source, problem)
        return Project(self.recording, history, view, elsewhere)

    def extract_recording(self, path: Path, cancelled: Callable[[], bool] = never) -> None:
        """Writes the embedded recording to a file.

        Raises:
            InputError: it is damaged, or cannot be written there.
            Cancelled: `cancelled` returned true.
        """
        digest, size_bytes = hashlib.sha256(), 0
        with atomic_path(path) as beside, beside.open("wb") as file:
            try:
                for (data,) in self._connection.execute("SELECT data FROM recording ORDER BY id"):
                    if not isinstance(data, bytes):
                        raise damaged(self.path, "its recording is missing")
                    if cancelled():
                        raise Cancelled
                    size_bytes += len(data)
                    digest.update(data)
                    file.write(data)
            except sqlite3.Error as error:
                raise damaged(self.path, error) from None
            except OSError as error:
                raise InputError(f"{path}: cannot be written ({error.strerror}); free space there.") from None
            if digest.hexdigest() != self.recording.sha256 or size_bytes != self.recording.size_bytes:
                raise damaged(self.path, "its recording has other bytes than it should")

    def steps(self) -> int:
        """How many steps it has.

        Raises:
            InputError: it is damaged.
        """
        try:
            return int(self._connection.execute("SELECT count(*) FROM step").fetchone()[0])
        except sqlite3.Error as error:
            raise damaged(self.path, error) from None

    def facts(self, name: str) -> Any:
        """A fact of the database besides the project: "copied", "revision", "edited" or "saved"; None when it has none.

        Raises:
            InputError: it is damaged.
        """
        try:
            return fact(self._connection, name)
        except (ValueError, sqlite3.Error) as error:
            raise damaged(self.path, error) from None

    def _misfit(self, source: Source, problem: str) -> InputError:
        name = source.path.name
        return InputError(
            f"{self.path}: the project does not fit {name} ({problem}); choose the recording it was made with."
        )

    def _recording(self) -> Recording:
        stored = fact(self._connection, "recording")
        recording: Recording = decode_fields(stored, Recording, _NoRows())
        if recording.sha256 and not _SHA256.fullmatch(recording.sha256):
            raise Damage("the hash of its recording is none")
        if min(recording.size_bytes, recording.rate_hz, recording.channels, recording.frames) <= 0:
            raise Damage("its recording is none")
        return recording

    def _history(self, rows: "_Rows") -> History:
        stored = fact(self._connection, "history")
        if not isinstance(stored, dict) or set(stored) != {"first", "index", "next_take"}:
            raise Damage("the history is missing")
        rows.load()
        steps = []
        for place, (number, text, state) in enumerate(
            self._connection.execute("SELECT number, text, state FROM step ORDER BY number")
        ):
            if number != place:
                raise Damage(f"step {place + 1} of the history is missing")
            steps.append(Step(decode(parse(text), str, rows), rows.find("state", state)))
        first = rows.find("state", stored["first"])
        index, next_take = decode(stored["index"], int, rows), decode(stored["next_take"], int, rows)
        return History(first, tuple(steps), index, next_take)


class _NoRows:
    """For values that hold no others; a `Finder`."""

    source: Source

    def find(self, kind: str, number: int) -> Any:
        raise Damage("a value stands where none belongs")

    def find_array(self, number: int) -> NDArray[np.float32]:
        raise Damage("an array stands where none belongs")


class _Rows:
    """The values in rows of their own, each made once, so that states share again what they shared; a `Finder`."""

    def __init__(self, connection: sqlite3.Connection, source: Source, cancelled: Callable[[], bool]) -> None:
        self.source = source
        self._connection, self._cancelled = connection, cancelled
        self._values: dict[int, tuple[str, Any]] = {}
        self._arrays: dict[int, NDArray[np.float32]] = {}

    def load(self) -> None:
        """Reads all rows; a row may only refer to earlier ones, so none refers to itself."""
        for number, kind, text in self._connection.execute("SELECT id, kind, json FROM value ORDER BY id"):
            if self._cancelled():
                raise Cancelled
            if kind not in _KINDS:
                raise Damage("a value has an unknown kind, or a newer Recomposer Studio wrote it")
            value = decode_fields(_object(text), _KINDS[kind], self)
            if isinstance(value, TakeEntry) and value.preview:
                value = replace(value, preview=False)  # its model version will not come any more
            self._values[number] = kind, value

    def find(self, kind: str, number: int) -> Any:
        found = self._values.get(number) if type(number) is int else None
        if found is None or found[0] != kind:
            raise Damage(f"a {kind} is missing")
        return found[1]

    def find_array(self, number: int) -> NDArray[np.float32]:
        if number not in self._arrays:
            self._arrays[number] = self._read_array(number)
        return self._arrays[number]

    def _read_array(self, number: int) -> NDArray[np.float32]:
        row = self._connection.execute("SELECT sha256, channels, samples FROM array WHERE id = ?", (number,)).fetchone()
        if row is None:
            raise Damage("the sound of a layer is missing")
        sha256, channels, samples = row
        if type(channels) is not int or type(samples) is not int:
            raise Damage("the sound of a layer has no size")
        if channels != self.source.channels or samples <= 0:
            raise Damage(f"the sound of a layer has {channels} channels and {samples} samples")
        there = self._connection.execute("SELECT sum(length(data)) FROM piece WHERE array = ?", (number,)).fetchone()[0]
        if there != channels * samples * _FLOAT32.itemsize:  # before any memory is taken
            raise Damage("the sound of a layer is cut short")
        array = np.empty((channels, samples), _FLOAT32)
        room, at = array.data.cast("B"), 0
        for (data,) in self._connection.execute("SELECT data FROM piece WHERE array = ? ORDER BY id", (number,)):
            if not isinstance(data, bytes):
                raise Damage("the sound of a layer is no sound")
            if self._cancelled():
                raise Cancelled
            room[at : at + len(data)] = data
            at += len(data)
        if array_digest(array) != sha256:
            raise Damage("the sound of a layer has changed")
        return array.astype(np.float32, copy=False)


def array_digest(array: NDArray[np.float32]) -> str:
    """The hash that an array is stored under: of its shape and its little-endian samples."""
    digest = hashlib.sha256(f"{array.shape[0]} {array.shape[1]}\n".encode("ascii"))
    digest.update(np.ascontiguousarray(array, _FLOAT32).data.cast("B"))
    return digest.hexdigest()


def _object(text: Any) -> Any:
    try:
        return parse(text)
    except json.JSONDecodeError as error:
        raise Damage(f"a value is no JSON: {error.msg}") from None
