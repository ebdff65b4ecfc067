"""Files that appear whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from recomposer_studio.errors import InputError


def same_file(a: str | Path, b: str | Path) -> bool:
    """Whether two paths name one file: through links, and also where the file does not exist yet."""
    try:
        return Path(a).samefile(b)
    except OSError:  # one of them does not exist
        return os.path.normcase(os.path.realpath(a)) == os.path.normcase(os.path.realpath(b))


def write_error(path: Path, error: Exception) -> InputError:
    """The error for an output that cannot be written."""
    if isinstance(error, PermissionError):
        return InputError(
            f"{path}: no permission to write here; close programs that use the file or choose another folder."
        )
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or "the disk is full"
    return InputError(f"{path}: cannot be written ({reason.strip().rstrip('.')}); free space or choose another folder.")


@dataclass(frozen=True)
class PendingFile:
    """A file being made beside its place.

    Attributes:
        path: where to write; an empty file at first.
        shown: the place, as the person named it.
        target: the place itself, through links.
    """

    path: Path
    shown: Path
    target: Path

    def commit(self) -> None:
        """Puts what is in `path` on the disk and then in its place.

        Raises:
            InputError: the file there is in use, or the disk is full.
        """
        try:
            with self.path.open("r+b") as file:
                os.fsync(file.fileno())
            os.replace(self.path, self.target)
        except OSError as error:
            raise write_error(self.shown, error) from error


@contextmanager
def pending_file(path: str | Path) -> Iterator[PendingFile]:
    """A file beside `path` that its `commit` puts in place, and that vanishes with the block otherwise.

    Raises:
        InputError: the folder is missing or not writable, `path` is a folder or a device, or the disk is full.
    """
    shown = Path(path)
    try:
        target = Path(os.path.realpath(shown))
        if target.is_dir():
            raise InputError(f"{shown}: this is a folder; give the name of a file in it.")
        if target.exists() and not target.is_file():
            raise InputError(f"{shown}: this is not an ordinary file; give another name.")
        if not target.parent.is_dir():
            raise InputError(f"{shown}: the folder {target.parent} does not exist; make it or choose another one.")
    except OSError as error:
        raise write_error(shown, error) from error
    # Not named after the target: with a prefix, a long file name would outgrow what the file system takes.
    temporary = target.parent / f".recomposer-{secrets.token_hex(6)}.part"
    # The file is made inside the block that removes it: an interrupt may come at any moment.
    try:
        try:
            # open() and not the tempfile module, whose files only their owner may read.
            temporary.open("xb").close()
        except OSError as error:
            raise write_error(shown, error) from error
        yield PendingFile(temporary, shown, target)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """Finds out, before any work is done, whether a file can be written there.

    Raises:
        InputError: as `pending_file` does.
    """
    with pending_file(path):
        pass


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A name beside `path` to write to; it becomes `path` when the block ends, and vanishes when the block fails.

    The bytes are on the disk before the old file is replaced. A link at `path` stays; what it points to is replaced.

    Yields:
        An existing empty file in the folder of `path`.

    Raises:
        InputError: as `pending_file` and its `commit` do. What the block itself raises passes through unchanged.
    """
    with pending_file(path) as file:
        yield file.path
        file.commit()
