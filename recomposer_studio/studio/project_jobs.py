"""Project files off the window's thread: looking for the recording, reading, saving, finding what a crash left."""

import contextlib
import re
import threading
import time
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path, PureWindowsPath

from PySide6.QtCore import QLockFile, QObject, Signal

from recomposer_studio.audio.atomic import same_file
from recomposer_studio.audio.source import Source
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.project.kept import open_kept, origin_of, reopened
from recomposer_studio.project.store.contents import History, Recording, layer_keys, misfit, other_format
from recomposer_studio.project.store.database import open_file, open_working
from recomposer_studio.project.store.home import Home, Place
from recomposer_studio.project.store.journal import Copied, copy_project
from recomposer_studio.project.store.locate import Found, compare, digest, find, modified_s
from recomposer_studio.project.store.reader import Reader
from recomposer_studio.project.store.recorder import Recorder
from recomposer_studio.project.store.version import Replaced, Version, version
from recomposer_studio.studio.jobs import REPORT_S, Job
from recomposer_studio.studio.project_lock import Holder, check_free, lock_project, release, remove_lock

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")


@dataclass
class Opening:
    """A project on its way into the window.

    Attributes:
        file: the database that is read: the project file, or what a window left behind.
        project: the project file, None when there is none.
        place: the working folder that it gets.
        lock: keeps other windows from writing the project file; None when they may not, or need not, be kept.
        holder: who has the project file's lock instead.
        remove_lock: whether that lock, of another computer, is to be removed; None until the person was asked.
        version: the project file as it was found.
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
    holder: Holder | None = None
    remove_lock: bool | None = None
    version: Version | None = None
    left: Place | None = None
    reader: Reader | None = None
    found: Found = field(default_factory=lambda: Found(None))
    recorder: Recorder | None = None
    unchanged: bool = False
    safe: bool = False

    @property
    def read_only(self) -> bool:
        """Whether another window writes the project file."""
        return self.left is None and self.holder is not None

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


class OpeningJob(Job):
    """A part of opening a project; when it is stopped, it lets go of what there is, so that the window need not wait."""

    def __init__(self, opening: Opening, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._opening = opening

    def work(self) -> None:
        """Does its part."""
        try:
            self.part()
        except Cancelled:
            self._opening.give_up()
            raise

    def part(self) -> None:
        """What the job does; it ends with a signal, or with Cancelled and none."""
        raise NotImplementedError


class LookIntoProject(OpeningJob):
    """Locks and checks a project file and finds its recording.

    Signals:
        locked: another computer has locked the project of the `Opening`: the person has to say what to do.
        looked: the `Opening` is ready to be read; its recording is there, or has to be asked for.
    """

    locked = Signal(object)
    looked = Signal(object)

    def part(self) -> None:
        """Opens the database, takes an embedded recording out of it, or looks for it."""
        opening = self._opening
        if opening.left is None and modified_s(opening.file) is not None:
            if opening.holder is not None and opening.remove_lock:
                remove_lock(opening.file, opening.holder)
            opening.lock, opening.holder = lock_project(opening.file)
            if opening.holder is not None and not opening.holder.here and opening.remove_lock is None:
                self.locked.emit(opening)
                return
        if opening.project is not None:
            opening.version = version(opening.project, "")
        connection = open_working(opening.file) if opening.left else open_file(opening.file, lambda: self.cancelled)
        reader = opening.reader = Reader(connection, opening.file)
        recording = reader.recording
        if recording.embedded:
            # Only a harmless ending of the stored name is used.
            ending = PureWindowsPath(recording.path).suffix
            path = opening.place.folder / f"recording{ending if _SUFFIX.fullmatch(ending) else ''}"
            reader.extract_recording(path, lambda: self.cancelled)
            opening.found = Found(path, True, recording.sha256)
        else:
            opening.found = find(recording, opening.project, lambda: self.cancelled)
        self.looked.emit(opening)


class CompareRecording(Job):
    """Finds out whether a file is a project's recording.

    Signals:
        compared: what was found.
        progressed: the share that is read.
    """

    compared = Signal(object)
    progressed = Signal(float)

    def __init__(self, recording: Recording, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._recording, self._path = recording, path

    def work(self) -> None:
        """Compares."""
        told_s = time.monotonic()

        def progress(share: float) -> None:
            nonlocal told_s
            if time.monotonic() - told_s >= REPORT_S:
                told_s = time.monotonic()
                self.progressed.emit(share)

        self.compared.emit(compare(self._recording, self._path, lambda: self.cancelled, progress))


class ReadProject(OpeningJob):
    """Reads a project whose recording was found, and hands it to its recorder: then the first edit has nothing to wait for.

    Signals:
        done: (opening, project, source).
    """

    done = Signal(object, object, object)

    def part(self) -> None:
        """Reads, and makes it durable."""
        opening = self._opening
        found, recorder = opening.found, opening.recorder
        assert opening.reader is not None and found.path is not None and recorder is not None
        known = opening.reader.recording
        source = open_kept(found.path, known, opening.project) if known.embedded else Source.open(found.path)
        try:
            project = opening.reader.project(source, lambda: self.cancelled)
            recording = replace(Recording.of(source, found.sha256), embedded=known.embedded)
            if known.embedded:
                recording = replace(recording, origin=origin_of(known, opening.project))
            elsewhere = project.elsewhere if found.same else project.elsewhere | layer_keys(project.history)
            if opening.version is not None and opening.left is None:
                saved = opening.reader.facts("saved")
                opening.version = replace(opening.version, saved=saved if isinstance(saved, str) else "")
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
                    recorder.flush(cancelled=lambda: self.cancelled)
                    opening.safe = True
        except BaseException:
            source.close()
            raise
        self.done.emit(opening, project, source)


class RelinkRecording(Job):
    """Opens a file that is to take the recording's place, and finds out whether it can.

    Args:
        recording: what the project knows of its recording.
        found: the file.
        history: the history that has to work on it.
        present: the recording that is open.
        parent: owner.

    Signals:
        opened: (the open file, its facts, why it cannot take the recording's place or an empty text).
    """

    opened = Signal(object, object, str)

    def __init__(
        self, recording: Recording, found: Found, history: History, present: Source, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._recording, self._found, self._history, self._present = recording, found, history, present

    def work(self) -> None:
        """Opens and checks."""
        assert self._found.path is not None
        known, same = self._recording, self._found.path == self._present.path
        source = reopened(self._present) if same else Source.open(self._found.path)
        try:
            problem = other_format(known, source) or misfit(self._history, source)
            facts = replace(Recording.of(source, self._found.sha256), embedded=known.embedded)
            facts = replace(facts, origin=known.origin) if same else facts
            if self.cancelled:
                raise Cancelled
        except BaseException:
            source.close()
            raise
        self.opened.emit(source, facts, problem)


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


class Outcome(Enum):
    """How a save ended."""

    SAVED = auto()
    FAILED = auto()
    """A sentence was told."""
    STOPPED = auto()
    """The person stopped it."""
    REPLACED = auto()
    """The file is not the one that was opened or saved here; nothing was written."""


class SaveProject(Job):
    """Makes everything durable and puts a finished copy of the working database in the place of the project file.

    Args:
        recorder: keeps the project safe.
        path: the file.
        own: the file that the project has now, None when it has none that it may write.
        lock: the lock of `own`.
        known: the version of `own` that may be replaced, None for any.
        parent: owner.

    Attributes:
        kept: whether the work is on the disk at least, in the working database.
        copied: what the file holds, None until it is there.
        lock: the lock of the file.
        replaced: a sentence, when what is there is another version.

    Signals:
        progressed: the share that is written.
    """

    progressed = Signal(float)

    def __init__(
        self,
        recorder: Recorder,
        path: Path,
        own: Path | None = None,
        lock: QLockFile | None = None,
        known: Version | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.kept, self.replaced = False, ""
        self.copied: Copied | None = None
        self.lock = lock
        self._recorder, self._path, self._own, self._known = recorder, path, own, known
        self._mutex = threading.Lock()
        self._alone = self._over = False
        self._project_lock: QLockFile | None = None

    def leave(self, lock: QLockFile | None) -> None:
        """Nobody waits for it any more: it lets go of its locks itself when its drive answers.

        Args:
            lock: the project's lock, None when it has none.
        """
        with self._mutex:
            self._alone, self._project_lock = True, lock
            over = self._over
        if over:
            self._unlock()

    def work(self) -> None:
        """Saves, see `_write`."""
        try:
            self._write()
        finally:
            with self._mutex:
                self._over = True
                alone = self._alone
            if alone:
                self._unlock()

    def _unlock(self) -> None:
        for lock in {id(lock): lock for lock in (self.lock, self._project_lock) if lock is not None}.values():
            release(lock)

    def _write(self) -> None:
        """Saves.

        Raises:
            InputError: it cannot be written, or another window has it.
            Cancelled: it was stopped; the file is as it was.
        """
        known = self._known
        working = self._recorder.flush(sweep=True)
        self.kept = True
        if self.cancelled:
            raise Cancelled
        if self.lock is None or self._own is None or not same_file(self._path, self._own):
            self.lock = check_free(self._path)
            known = known if self._own is not None and same_file(self._path, self._own) else None
        try:
            self.copied = copy_project(working, self._path, known, lambda: self.cancelled, self.progressed.emit)
        except Replaced as error:
            self.replaced = str(error)


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
