"""The SQLite databases: their tables, their versions, and how they are opened without believing what they say.

Working databases and project files have the same tables. SQL never comes from a file: a database whose tables are not, word for
word, those of its version is refused, so none has a trigger, a view or a virtual table. Arrays are stored as they are, in pieces:
zlib saves a seventh of such noise-like sound at 35 MB/s, which would cost more than the disk, and what is not unpacked cannot
unpack to more than the file's size.
"""

import itertools
import json
import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.project.store.locate import never

FORMAT_VERSION = 2
APPLICATION_ID = 0x52435350
""""RCSP": tells these databases from others."""
PIECE_BYTES = 4 * 2**20
LONGEST_BYTES = 64 * 2**20
"""No single value is longer; arrays come in pieces."""
MAX_FILE_BYTES = 64 * 2**30
_HEADER = b"SQLite format 3\0"
_PAGE_BYTES = 16_384
# One virtual-machine instruction takes well under a microsecond; a file that needs more of them per byte than this was made to hang.
_STEPS_PER_LOOK = 100_000
_LOOKS_PER_MIB = 40
_LOOKS_AT_LEAST = 2_000

_COMMON = {
    "fact": "CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "value": "CREATE TABLE value (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, json TEXT NOT NULL)",
    "array": "CREATE TABLE array (id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, channels INTEGER NOT NULL, samples INTEGER NOT NULL)",
    "piece": "CREATE TABLE piece (id INTEGER PRIMARY KEY, array INTEGER NOT NULL, data BLOB NOT NULL)",
    "piece_array": "CREATE INDEX piece_array ON piece (array)",
    "recording": "CREATE TABLE recording (id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
}
SCHEMAS: Mapping[int, Mapping[str, str]] = {
    # Every step held both of its states.
    1: _COMMON
    | {
        "step": "CREATE TABLE step (number INTEGER PRIMARY KEY, text TEXT NOT NULL, before INTEGER NOT NULL, after INTEGER NOT NULL)",
    },
    # A step starts from the state that the one before it led to; the very first state is a fact.
    2: _COMMON | {"step": "CREATE TABLE step (number INTEGER PRIMARY KEY, text TEXT NOT NULL, state INTEGER NOT NULL)"},
}


def create(path: Path) -> sqlite3.Connection:
    """Makes a working database; every commit is on the disk when it returns, also when the power fails.

    Raises:
        OSError, sqlite3.Error: it cannot be made there.
    """
    path.touch(exist_ok=False)  # sqlite3 would tell of a missing folder in words of its own
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA page_size={_PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN")
        for statement in SCHEMAS[FORMAT_VERSION].values():
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={FORMAT_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def open_working(path: Path) -> sqlite3.Connection:
    """Opens a working database that a window left behind; what its journal holds is brought in.

    Raises:
        InputError: it is damaged, or of a newer version.
    """
    return _open(path, f"{_uri(path)}?mode=rw")


def open_file(path: Path, cancelled: Callable[[], bool] = never) -> sqlite3.Connection:
    """Opens a project file for reading; nothing is written, locked or made beside it.

    Args:
        path: the file.
        cancelled: polled while its pages are checked.

    Raises:
        InputError: it is missing, no project file, damaged, or of a newer version.
        Cancelled: `cancelled` returned true.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # to open a pipe waits for somebody who writes
            raise InputError(f"{path}: this is not an ordinary file; choose a .recomposer file.")
        with path.open("rb") as file:
            header = file.read(100)
        size_bytes = path.stat().st_size
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the name and the folder.") from None
    except OSError as error:
        reason = "it is a folder" if path.is_dir() else error.strerror or str(error)
        raise InputError(f"{path}: the project cannot be read ({reason}); check the drive and its rights.") from None
    if not header.startswith(_HEADER) or header[68:72] != APPLICATION_ID.to_bytes(4, "big"):
        raise InputError(f"{path}: this is no project of Recomposer Studio; choose a .recomposer file.")
    if size_bytes > MAX_FILE_BYTES:
        raise InputError(f"{path}: a project has at most {MAX_FILE_BYTES // 2**30} GiB; this file is damaged.")
    return _open(path, f"{_uri(path)}?mode=ro&immutable=1", cancelled)


def saved_id(path: Path) -> str:
    """What the save that wrote a project file is known by; empty when it has none, or cannot be read."""
    try:
        connection = sqlite3.connect(f"{_uri(path)}?mode=ro&immutable=1", uri=True, isolation_level=None)
        try:
            _distrust(connection, path)
            _check_tables(connection, path)
            found = fact(connection, "saved")
        finally:
            connection.close()
    except (sqlite3.Error, OSError, ValueError, InputError):
        return ""
    return found if isinstance(found, str) else ""


def damaged(path: Path, reason: object) -> InputError:
    """The error for a project that cannot be read."""
    return InputError(f"{path}: the project is damaged ({str(reason).rstrip('.')}); open a backup of it.")


def fact(connection: sqlite3.Connection, name: str) -> Any:
    """A fact of a database, None when it has none of this name.

    Raises:
        ValueError, sqlite3.Error: it is damaged.
    """
    row = connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
    return None if row is None else parse(row[0])


def set_fact(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """Writes a fact."""
    connection.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, format_json(value)))


def format_json(value: Any) -> str:
    """JSON as the databases hold it: ASCII, so that every text has a form."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def parse(text: Any) -> Any:
    """JSON from a database.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(text, str):
        raise ValueError("a text is missing")

    def number(digits: str) -> int | float:
        # Python refuses to convert very long integers, slowly accepts long ones.
        return int(digits) if len(digits) < 40 else float(digits)

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no number")

    try:
        return json.loads(text, parse_int=number, parse_constant=refuse)
    except RecursionError:
        raise ValueError("a value is nested too deeply") from None


def _uri(path: Path) -> str:
    """A path as SQLite wants it: without a server's name where `Path.as_uri` has one, for a Windows share."""
    name = path.absolute().as_posix()
    return "file://" + quote(os.fsencode(name if name.startswith("/") else f"/{name}"), safe="/:")


def _open(path: Path, uri: str, cancelled: Callable[[], bool] = never) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=5, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise damaged(path, error) from None
    try:
        _distrust(connection, path, cancelled)
        version = _check_tables(connection, path)
        if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise damaged(path, "its pages contradict each other")
        if version < FORMAT_VERSION:
            older, connection = connection, sqlite3.connect("", isolation_level=None, check_same_thread=False)
            try:
                # Migrated in a temporary copy: the file stays as it is until the person saves it.
                older.backup(connection)
            finally:
                older.close()
            migrate(connection)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the second for names of tables that are no text
        connection.close()
        if cancelled():
            raise Cancelled from None
        raise damaged(path, error) from None
    except BaseException:
        connection.close()
        raise
    return connection


def _distrust(connection: sqlite3.Connection, path: Path, cancelled: Callable[[], bool] = never) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    for pragma in ("trusted_schema=OFF", "cell_size_check=ON", "mmap_size=0", "temp_store=FILE"):
        connection.execute(f"PRAGMA {pragma}")
    looks = itertools.count()
    most = _LOOKS_AT_LEAST + _LOOKS_PER_MIB * (path.stat().st_size >> 20)
    connection.set_progress_handler(lambda: int(next(looks) > most or cancelled()), _STEPS_PER_LOOK)


def _check_tables(connection: sqlite3.Connection, path: Path) -> int:
    """Checks the version and the tables; returns the version."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path}: format_version {version} is newer than this program, which reads {FORMAT_VERSION}; "
            f"update Recomposer Studio"
        )
    tables = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL OR type != 'index'"))
    if version not in SCHEMAS or tables != SCHEMAS[version]:
        raise damaged(path, "its tables are not those of a project")
    return version


# --- migrations -------------------------------------------------------------------------------------------------------


def migrate(connection: sqlite3.Connection) -> None:
    """Brings a database, whose tables were checked, to the present version.

    Raises:
        sqlite3.Error: it is damaged.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.execute("BEGIN")
    for known in range(version, FORMAT_VERSION):
        _MIGRATIONS[known](connection)
    connection.execute(f"PRAGMA user_version={FORMAT_VERSION}")
    connection.execute("COMMIT")


def _one_to_two(connection: sqlite3.Connection) -> None:
    steps = connection.execute("SELECT number, text, before, after FROM step ORDER BY number").fetchall()
    connection.execute("DROP TABLE step")
    connection.execute(SCHEMAS[2]["step"])
    connection.executemany(
        "INSERT INTO step VALUES (?, ?, ?)", [(number, text, after) for number, text, _, after in steps]
    )
    row = connection.execute("SELECT value FROM fact WHERE name = 'history'").fetchone()
    try:
        history = parse(row[0] if row else None)
    except ValueError as error:
        raise sqlite3.DatabaseError(str(error)) from None
    if not isinstance(history, dict):
        raise sqlite3.DatabaseError("the history is missing")
    # Version 1 named the present state, which alone is there when nothing was done yet.
    present = history.pop("state", None)
    history["first"] = steps[0][2] if steps else present
    if isinstance(history["first"], bytes):  # what a cell of a damaged file may hold, and JSON cannot
        raise sqlite3.DatabaseError("the history is damaged")
    set_fact(connection, "history", history)


_MIGRATIONS: Mapping[int, Callable[[sqlite3.Connection], None]] = {1: _one_to_two}
