"""Project files off the window's thread: looking for the recording, reading, saving, finding what a crash left."""

import contextlib
import hashlib
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath

from PySide6.QtCore import QLockFile, QObject, Signal

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.project.store.contents import Recording, layer_keys
from recomposer_studio.project.store.database import open_file, open_working
from recomposer_studio.project.store.home import Home, Place
from recomposer_studio.project.store.journal import copy_project
from recomposer_studio.project.store.locate import Found, compare, digest, find
from recomposer_studio.project.store.reader import Reader
from recomposer_studio.project.store.recorder import Recorder
from recomposer_studio.studio.jobs import Job

_LONGEST_NAME_BYTES = 250
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")


@dataclass
class Opening:
    """A project on its way into the window.

    Attributes:
        file: the database that is read: the project file, or what a window left behind.
        project: the project file, None when there is none.
        place: the working folder that it gets.
        lock: keeps other windows from writing the project file; None when they may not, or need not, be kept.
        read_only: whether another window has it.
        left: the folder that a crash left, until its work is safe again; else None.
        reader: reads it.
        found: where its recording is.
        recorder: what keeps it safe from now on.
        unchanged: whether the project file has all of it.
        safe: whether the recorder has written it.
    """

    file: Path
    project: Path | None
    place: Place
    lock: QLockFile | None = None
    read_only: bool = False
    left: Place | None = None
    reader: Reader | None = None
    found: Found = field(default_factory=lambda: Found(None))
    recorder: Recorder | None = None
    unchanged: bool = False
    safe: bool = False

    def give_up(self) -> None:
        """Lets go of everything; what a crash left stays."""
        if self.reader is not None:
            self.reader.close()
        if self.recorder is not None:
            self.recorder.close(keep=False)
        else:
            self.place.discard()
        if self.left is not None:
            self.left.leave()
        if self.lock is not None:
            self.lock.unlock()


class LookIntoProject(Job):
    """Checks a project file and finds its recording.

    Signals:
        looked: the `Opening` is ready to be read; its recording is there, or has to be asked for.
    """

    looked = Signal(object)

    def __init__(self, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._opening = opening

    def work(self) -> None:
        """Opens the database, takes an embedded recording out of it, or looks for it."""
        opening = self._opening
        connection = open_working(opening.file) if opening.left else open_file(opening.file)
        reader = opening.reader = Reader(connection, opening.file)
        recording = reader.recording
        if recording.embedded:
            # Only a harmless ending of the stored name is used.
            ending = PureWindowsPath(recording.path).suffix
            path = opening.place.folder / f"recording{ending if _SUFFIX.fullmatch(ending) else ''}"
            reader.extract_recording(path)
            opening.found = Found(path, True, recording.sha256)
        else:
            opening.found = find(recording, opening.project, lambda: self.cancelled)
        self.looked.emit(opening)


class CompareRecording(Job):
    """Finds out whether a file is a project's recording.

    Signals:
        compared: what was found.
    """

    compared = Signal(object)

    def __init__(self, recording: Recording, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._recording, self._path = recording, path

    def work(self) -> None:
        """Compares."""
        self.compared.emit(compare(self._recording, self._path, lambda: self.cancelled))


class ReadProject(Job):
    """Reads a project whose recording was found, and hands it to its recorder: then the first edit has nothing to wait for.

    Signals:
        done: (opening, project, source).
    """

    done = Signal(object, object, object)

    def __init__(self, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._opening = opening

    def work(self) -> None:
        """Reads, and makes it durable."""
        opening = self._opening
        found, recorder = opening.found, opening.recorder
        assert opening.reader is not None and found.path is not None and recorder is not None
        source = Source.open(found.path)
        try:
            project = opening.reader.project(source)
            recording = replace(Recording.of(source, found.sha256), embedded=project.recording.embedded)
            elsewhere = project.elsewhere if found.same else project.elsewhere | layer_keys(project.history)
        except BaseException:
            source.close()
            raise
        opening.reader.close()
        project = replace(project, recording=recording, elsewhere=elsewhere)
        opening.unchanged = opening.left is None and found.same
        if not opening.read_only:
            if opening.unchanged:
                # A crash before the first change then leaves nothing that the project file lacks.
                recorder.note_copy(opening.file)
            recorder.record(project)
            # When the disk is full, the recorder says so and goes on trying.
            with contextlib.suppress(InputError):
                recorder.flush()
                opening.safe = True
        self.done.emit(opening, project, source)


class HashRecording(Job):
    """Works out what the open recording is known by.

    Signals:
        hashed: its SHA-256.
    """

    hashed = Signal(str)

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path

    def work(self) -> None:
        """Reads it once; when it cannot be read, whoever reads sound from it tells so."""
        try:
            self.hashed.emit(digest(self._path, lambda: self.cancelled))
        except OSError:
            return


class SaveProject(Job):
    """Makes everything durable and puts a finished copy of the working database in the place of the project file.

    Attributes:
        kept: whether the work is on the disk at least, in the working database.
        revision: what the file holds, 0 until it is there.
    """

    def __init__(self, recorder: Recorder, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.kept, self.revision = False, 0
        self._recorder, self._path = recorder, path

    def work(self) -> None:
        """Saves.

        Raises:
            InputError: it cannot be written.
        """
        working = self._recorder.flush(sweep=True)
        self.kept = True
        self.revision = copy_project(working, self._path)


class FindLeft(Job):
    """Looks for work that a window left behind.

    Signals:
        found: a list of `Left`.
    """

    found = Signal(object)

    def __init__(self, home: Home, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._home = home

    def work(self) -> None:
        """Looks."""
        self.found.emit(self._home.left())


def lock_project(path: Path) -> tuple[QLockFile | None, bool]:
    """(the lock on a project file, whether another window has it).

    The lock is a small file beside the project, behind links, so that all windows, also on other machines, see it; one that a crash
    left is known by its process. Where no file can be made, as in a read-only folder, nobody can write the project either.
    """
    real = Path(os.path.realpath(path))
    name = os.fsencode(real.name)
    # With the ending, a very long name would be none any more.
    short = real.name if len(name) <= _LONGEST_NAME_BYTES else hashlib.sha256(name).hexdigest()[:32]
    lock = QLockFile(str(real.with_name(f"{short}.lock")))
    lock.setStaleLockTime(0)
    if lock.tryLock(0):
        return lock, False
    return None, lock.error() == QLockFile.LockError.LockFailedError


def check_free(path: Path) -> QLockFile | None:
    """The lock on a file that a project is to be saved as.

    Raises:
        InputError: another window has it.
    """
    lock, taken = lock_project(path)
    if taken:
        raise InputError(f"{path}: this project is open in another window; close it there or choose another name.")
    return lock
