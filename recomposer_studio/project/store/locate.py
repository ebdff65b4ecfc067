"""Finds a project's recording again: where it lies from the project, where it lay, or wherever a person points."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.project.store.contents import Recording

_BYTES_AT_ONCE = 2**22


def never() -> bool:
    """Nobody wants it to stop."""
    return False


def modified_s(path: Path) -> float | None:
    """When an ordinary file was written last, as a Unix time; None when there is none, or its drive does not answer."""
    try:
        return path.stat().st_mtime if path.is_file() else None
    except OSError:
        return None


@dataclass(frozen=True)
class Found:
    """What was found of a recording.

    Attributes:
        path: the file, None when there is none.
        same: whether it has the bytes that the project knows.
        sha256: the hash of its bytes.
    """

    path: Path | None
    same: bool = False
    sha256: str = ""


def find(recording: Recording, project: Path | None, cancelled: Callable[[], bool] = never) -> Found:
    """Looks for a recording: the same bytes anywhere it may lie, else a changed file there.

    Args:
        recording: what the project knows.
        project: the project file, when there is one.
        cancelled: polled between pieces of work.

    Raises:
        Cancelled: `cancelled` returned true.
    """
    changed = Found(None)
    for path in places(recording, project):
        try:
            found = compare(recording, path, cancelled)
        except InputError:
            continue
        if found.same:
            return found
        if changed.path is None:
            changed = found
    return changed


def places(recording: Recording, project: Path | None) -> list[Path]:
    """Where a recording may lie; a file is only ever read there.

    What a project file says of paths is not followed everywhere: the relative one stays in the project's folder and below it, and
    the absolute one is no network share, for asking one for a file can hand it the person's credentials.
    """
    found = []
    relative = PurePosixPath(recording.relative)
    if project is not None and recording.relative and _is_below(recording.relative):
        found.append(project.absolute().parent.joinpath(*relative.parts))
    share = recording.path.startswith(("\\\\", "//"))
    if recording.path and not share and "\0" not in recording.path and Path(recording.path).is_absolute():
        found.append(Path(recording.path))
    return found


def compare(
    recording: Recording,
    path: Path,
    cancelled: Callable[[], bool] = never,
    progress: Callable[[float], None] = lambda share: None,
) -> Found:
    """Whether a file has the bytes that the project knows; by its length while their hash is not known.

    Raises:
        InputError: it cannot be read.
        Cancelled: `cancelled` returned true.
    """
    try:
        if not path.is_file():
            raise InputError(f"{path}: there is no such file; choose the recording of the project.")
        whole = max(path.stat().st_size, 1)
        sha256 = digest(path, cancelled, lambda done: progress(min(done / whole, 1.0)))
        size_bytes = path.stat().st_size
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); check the drive and its rights.") from None
    same = sha256 == recording.sha256 if recording.sha256 else size_bytes == recording.size_bytes
    return Found(path, same, sha256)


def digest(
    path: Path, cancelled: Callable[[], bool] = never, progress: Callable[[int], None] = lambda done: None
) -> str:
    """The SHA-256 of a file's bytes as they are now, hexadecimal.

    Args:
        path: the file.
        cancelled: polled between pieces.
        progress: told how many bytes are read.

    Raises:
        OSError: it cannot be read.
        Cancelled: `cancelled` returned true.
    """
    found, done = hashlib.sha256(), 0
    with path.open("rb") as file:
        while data := file.read(_BYTES_AT_ONCE):
            found.update(data)
            done += len(data)
            progress(done)
            if cancelled():
                raise Cancelled
    return found.hexdigest()


def lying(recording: Recording, project: Path) -> Recording:
    """The recording's facts with its place from the folder of a project file, by the names alone: no drive is asked."""
    folder, path = project.absolute().parent, Path(recording.origin or recording.path)
    return replace(recording, relative=path.relative_to(folder).as_posix() if path.is_relative_to(folder) else "")


def _is_below(relative: str) -> bool:
    windows = PureWindowsPath(relative)
    plain = not windows.drive and not windows.root and "\\" not in relative and "\0" not in relative
    return plain and not relative.startswith("/") and ".." not in PurePosixPath(relative).parts
