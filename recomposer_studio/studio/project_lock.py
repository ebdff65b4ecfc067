"""The lock of a project file: one window writes a project, also where the file lies on a drive that several computers use."""

import hashlib
import os
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from PySide6.QtCore import QLockFile, QSysInfo

from recomposer_studio.errors import InputError

_LONGEST_NAME_BYTES = 250
_PATIENCE_S = 2.0


@dataclass(frozen=True)
class Holder:
    """Who has the lock of a project file.

    Attributes:
        computer: the name of the computer, empty when the lock does not say.
        since: when the lock was made.
        here: whether it is a window on this computer, which lives: the lock of a dead one does not count.
    """

    computer: str
    since: datetime
    here: bool


def lock_project(path: Path) -> tuple[QLockFile | None, Holder | None]:
    """(the lock on a project file, who else has it).

    The lock is a small file beside the project, behind links, so that all windows, also on other machines, see it; one that a crash
    left on this machine is known by its process. Where no file can be made, as in a read-only folder, nobody can write the project
    either, and both are None.
    """
    lock = _lock_of(path)
    if lock.tryLock(0):
        return lock, None
    return None, _holder(lock) if lock.error() == QLockFile.LockError.LockFailedError else None


def remove_lock(path: Path, holder: Holder) -> None:
    """Removes a lock that another computer left, unless somebody else has taken it meanwhile."""
    lock = _lock_of(path)
    if not holder.here and _holder(lock) == holder:
        lock.removeStaleLockFile()


def check_free(path: Path) -> QLockFile | None:
    """The lock on a file that a project is to be saved as.

    Raises:
        InputError: another window, or another computer, has it.
    """
    lock, holder = lock_project(path)
    if holder is None:
        return lock
    if holder.here:
        raise InputError(f"{path}: this project is open in another window; close it there or choose another name.")
    raise InputError(
        f"{path}: the computer {holder.computer} has locked this project since {holder.since:%Y-%m-%d %H:%M}; close it there or "
        "choose another name."
    )


def release(lock: QLockFile, patience_s: float = _PATIENCE_S) -> None:
    """Lets go of a lock, on a thread of its own: its drive may not answer, and nobody waits longer than this."""
    thread = threading.Thread(target=lock.unlock, name="unlock", daemon=True)
    thread.start()
    thread.join(patience_s)


def _lock_of(path: Path) -> QLockFile:
    real = Path(os.path.realpath(path))
    name = os.fsencode(real.name)
    # With the ending, a very long name would be none any more.
    short = real.name if len(name) <= _LONGEST_NAME_BYTES else hashlib.sha256(name).hexdigest()[:32]
    lock = QLockFile(str(real.with_name(f"{short}.lock")))
    lock.setStaleLockTime(0)
    return lock


def _holder(lock: QLockFile) -> Holder:
    _, computer, _ = lock.getLockInfo()
    try:
        since = datetime.fromtimestamp(Path(lock.fileName()).stat().st_mtime)
    except OSError:  # it has just been let go
        since = datetime.fromtimestamp(0)
    return Holder(computer, since, computer in ("", QSysInfo.machineHostName()))
