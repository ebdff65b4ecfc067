"""Which version of a project file lies there: whether somebody else has written it since it was seen last."""

from dataclasses import dataclass
from pathlib import Path

from recomposer_studio.errors import InputError
from recomposer_studio.project.store.database import saved_id


class Replaced(InputError):  # noqa: N818 - it is what happened to the file
    """A project file is not the one that was opened or saved here; nothing was written."""


@dataclass(frozen=True)
class Version:
    """A version of a project file.

    Attributes:
        size_bytes: length of the file.
        modified_ns: when it was written last, in nanoseconds of Unix time.
        number: the file system's number of the file; a new one comes when another file takes the name.
        saved: what the save that wrote it is known by; empty in files of older programs.
    """

    size_bytes: int
    modified_ns: int
    number: int
    saved: str


def version(path: Path, saved: str) -> Version | None:
    """The version of a file whose save is known; None when there is no file.

    Raises:
        OSError: its drive does not answer.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return Version(found.st_size, found.st_mtime_ns, found.st_ino, saved)


def check_same(path: Path, known: Version) -> None:
    """Makes sure that a project file is still the version that is known. A file that has gone is no other version.

    Programs that synchronise folders write the same bytes anew; so a file with another time or number is asked which save wrote it.

    Raises:
        Replaced: it is another one.
        OSError: its drive does not answer.
    """
    now = version(path, known.saved)
    if now is None or now == known or (known.saved and saved_id(path) == known.saved):
        return
    raise Replaced(
        f"{path}: another program or computer has changed this project since it was opened or saved here; save under "
        "another name to keep both."
    )
