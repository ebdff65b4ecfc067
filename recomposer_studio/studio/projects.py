"""The open project: every step goes to the recorder, the project file follows, and what a crash left comes back. No widgets here."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath

from PySide6.QtCore import QFileSystemWatcher, QLockFile, QObject, QTimer, Signal

from recomposer_studio.audio.atomic import same_file
from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.project.kept import home_of
from recomposer_studio.project.store.contents import (
    History,
    Project,
    Recording,
    Step,
    View,
    layer_keys,
    misfit,
    with_source,
)
from recomposer_studio.project.store.home import Home, Left, Place
from recomposer_studio.project.store.locate import Found, lying, modified_s
from recomposer_studio.project.store.recorder import Recorder
from recomposer_studio.project.store.version import Version
from recomposer_studio.studio.commands import Change
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.jobs import Job
from recomposer_studio.studio.project_jobs import (
    CompareRecording,
    FindLeft,
    HashRecording,
    LookIntoProject,
    Opening,
    OpeningJob,
    Outcome,
    ReadProject,
    RelinkRecording,
    SaveProject,
)
from recomposer_studio.studio.project_lock import lock_project, release

SUFFIX = ".recomposer"
IDLE_MS = 20_000
"""So long after the last change the project file is brought up to date."""
SETTLE_MS = 400
"""A program that writes a recording does so in several pieces."""
SAVED_SINCE_S = 2.0
"""A project file that is younger than work that was left by more than this has been saved since; a copy takes its time."""
LEAVE_MS = 2_000
"""A drive that does not answer is waited for so long when a project is left, and then its thread is left behind."""
COME_BACK_MS = 2_000
"""A recording that has gone is looked for this often."""


Ended = Callable[[Outcome], None]
"""Told how a save ended."""


@dataclass(frozen=True)
class _Wish:
    """A save that is wanted.

    Attributes:
        path: the file, None for the project's own.
        quietly: whether nobody asked for it.
        over: whether it may replace a version of the file that is not known here.
        ended: told how it ended; None when nobody waits for it.
    """

    path: Path | None
    quietly: bool = False
    over: bool = False
    ended: Ended | None = None


@dataclass(frozen=True)
class _Saving:
    """A project on its way into its file.

    Attributes:
        wish: what was wanted.
        job: the work.
        path: the file.
        moment: what will be in the file.
        sha256: what the recording is known by there.
        view: what was looked at.
    """

    wish: _Wish
    job: SaveProject
    path: Path
    moment: int
    sha256: str
    view: View


class Projects(QObject):
    """Keeps the open project safe.

    Args:
        document: what is edited.
        home: where the working folders are.
        look: gives what is looked at.
        show: shows what was looked at.

    Attributes:
        path: the project file, None while it has none.

    Signals:
        changed: the path, or whether everything is in the project file, changed.
        opened: a project is open; its path or None.
        saved: (path, whether nobody asked for it) the project file was brought up to date.
        locked: another computer has locked the project of an `Opening`; answer with `unlock` or `give_up`.
        missing: the recording of an `Opening` is not there, or is another one; answer with `proceed` or `give_up`.
        left_found: a list of `Left`, held; answer with `recover`, and let go of the others.
        save_progressed: the share of the project file that is written.
        told: something the person should know; a sentence.
        failed: it could not be done; a sentence.
    """

    changed = Signal()
    opened = Signal(object)
    saved = Signal(object, bool)
    locked = Signal(object)
    missing = Signal(object)
    left_found = Signal(object)
    save_progressed = Signal(float)
    told = Signal(str)
    failed = Signal(str)

    def __init__(
        self,
        document: Document,
        home: Home,
        look: Callable[[], View] = View,
        show: Callable[[View], None] = lambda view: None,
    ) -> None:
        super().__init__(document)
        self.path: Path | None = None
        self._kept = True
        self._document, self._home, self._look, self._show = document, home, look, show
        self._recording: Recording | None = None
        self._history = History()
        self._recorder: Recorder | None = None
        self._lock: QLockFile | None = None
        self._version: Version | None = None
        self._left: Place | None = None
        self._opening: Opening | None = None
        self._discard = self._restoring = self._gone = self._failing = False
        self._saved_view = View()
        self._moment = self._saved_moment = 0
        self._jobs: list[Job] = []
        self._saving: _Saving | None = None
        self._save_next: _Wish | None = None
        self._opening_job: OpeningJob | None = None
        self._relinking: RelinkRecording | None = None
        self._watcher = QFileSystemWatcher(self)
        self._idle, self._settling = QTimer(self, singleShot=True), QTimer(self, singleShot=True)
        self._idle.timeout.connect(self._save_idle)
        self._settling.timeout.connect(self._compare)
        self._watcher.fileChanged.connect(lambda _: self._settling.start(SETTLE_MS))
        document.leaving.connect(self._leave)
        document.opened.connect(self._opened)
        document.undo_stack.indexChanged.connect(self._mirror)

    # --- what there is -----------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a project is being opened."""
        return self._opening is not None

    @property
    def opening_file(self) -> Path | None:
        """The project that is being opened, None when what a window left behind never was in a file, or nothing is opened."""
        return self._opening.project if self._opening is not None else None

    @property
    def saving(self) -> bool:
        """Whether a project file is being written, or is about to be."""
        return self._saving is not None or self._save_next is not None

    @property
    def kept(self) -> bool:
        """Whether what could not be saved last is on the disk at least, and offered at the next start."""
        return self._kept if self._saving is None else self._saving.job.kept

    @property
    def stopping(self) -> bool:
        """Whether a save that was stopped has yet to notice: its drive does not answer."""
        return self._saving is not None and self._saving.job.cancelled

    @property
    def dirty(self) -> bool:
        """Whether something is not in the project file yet."""
        return self._moment != self._saved_moment

    @property
    def unsaved(self) -> bool:
        """Whether closing would end work that is in no file: takes or boxes of a project without a file."""
        document = self._document
        return self.path is None and self.dirty and (document.unsaved or bool(document.takes))

    @property
    def stale(self) -> bool:
        """Whether the project file lacks a change, or what is looked at now."""
        return (
            self.path is not None and not self._document.read_only and (self.dirty or self._look() != self._saved_view)
        )

    @property
    def embedded(self) -> bool:
        """Whether the project file holds the recording."""
        return self._recording is not None and self._recording.embedded

    @property
    def present(self) -> Project | None:
        """The project as it is now, None when no recording is open."""
        if self._recording is None:
            return None
        return Project(self._recording, self._history, self._look(), self._document.elsewhere)

    # --- changes -----------------------------------------------------------------------------------------------------

    def note_view(self) -> None:
        """What is looked at has changed; it is kept when there is time."""
        project = self.present
        if self._recorder is not None and project is not None and not self._document.read_only:
            self._recorder.record(project, lazy=True)

    def set_embedded(self, on: bool) -> None:
        """Whether the project file holds the recording."""
        if self._recording is None or on == self.embedded:
            return
        recorder = self._recorder
        if not on and recorder is not None and recorder.place and self._lies_in(recorder.place):
            self.failed.emit(self.tr("The recording is in this project alone, so it has to stay in it."))
            self.changed.emit()
            return
        if on and modified_s(Path(self._recording.path)) is None:
            self.failed.emit(self.tr("{0} is gone; put it back first.").format(self._recording.path))
            self.changed.emit()
            return
        self._recording = replace(self._recording, embedded=on)
        self._record()
        examples = [event.exemplar.file for event in self._document.roll.events if event.exemplar is not None]
        names = dict.fromkeys(PureWindowsPath(file).name for file in examples if file)
        if on and names:
            words = self.tr(
                "{0} stays a file of its own: keep it beside the project, or beside where the recording lies."
            )
            self.told.emit(words.format(", ".join(names)))

    def _mirror(self, index: int) -> None:
        """Brings the history in line with the undo stack after a step, an undo or a redo."""
        if self._restoring or self._recording is None or self._document.source is None:
            return
        stack, steps = self._document.undo_stack, self._history.steps
        command = stack.command(index - 1) if index else None
        if isinstance(command, Change):
            moved = stack.count() == len(steps) and steps[index - 1].after is command.after
            if not moved:
                steps = (*steps[: index - 1], Step(command.text(), command.after))
        elif stack.count() == 0:
            steps = ()
        self._history = replace(self._history, steps=steps, index=index, next_take=self._document.next_take)
        self._record()

    def _record(self) -> None:
        project = self.present
        if project is None or self._recorder is None or self._document.read_only:
            return
        self._moment += 1
        self._discard = False  # what came after the question was not asked about
        self._recorder.record(project)
        if self.path is not None:
            self._idle.start(IDLE_MS)
        self.changed.emit()

    # --- opening -----------------------------------------------------------------------------------------------------

    def open(self, path: Path) -> bool:
        """Begins to open a project file; returns whether it could begin."""
        if self.busy:
            return False
        if self.path is not None and same_file(self.path, path):
            self.told.emit(self.tr("{0} is open already.").format(path.name))
            return False
        return self._look_into(path, path, None, None)

    def find_left(self) -> None:
        """Looks for work that a window left behind; `left_found` tells of it."""
        job = FindLeft(self._home, self)
        job.found.connect(self.left_found)
        self._start(job)

    def saved_since(self, left: Left) -> bool:
        """Whether the project file, or what this window has of it, is newer than work that was left behind."""
        project = left.project
        saved_s = None if project is None else modified_s(project)
        if project is None or saved_s is None:
            return False
        return (self.dirty and self._is_ours(project)) or saved_s > left.edited.timestamp() + SAVED_SINCE_S

    def recover(self, left: Left, since: bool | None = None) -> bool:
        """Begins to open work that a window left behind.

        Args:
            left: the work, held.
            since: what `saved_since` said, where it was asked before this window saved what it looks at; None asks now.
        """
        if self.busy:
            left.place.leave()
            self.told.emit(
                self.tr("A project is just being opened; choose File > Recover unsaved work once it is there.")
            )
            return False
        lock, project = None, left.project
        if project is not None and (self.saved_since(left) if since is None else since):
            # To save over it would lose what was done since.
            words = self.tr(
                "{0} was saved after this work was left, so the work opens without a file; save it under a name of its own."
            )
            self.told.emit(words.format(project.name))
            project = None
        if project is not None and not self._is_ours(project):
            lock, holder = lock_project(project)
            if holder is not None:
                self._tell_of_other_window(project)
                project = None
        begun = self._look_into(left.place.database, project, lock, left.place)
        if not begun:
            left.place.leave()
        return begun

    def proceed(self, opening: Opening, found: Found) -> None:
        """Goes on with the recording that the person chose."""
        if opening is not self._opening:  # something else was opened meanwhile
            opening.give_up()
            return
        opening.found = found
        opening.recorder = Recorder(self._home, opening.place, failed=self.failed.emit)
        job = ReadProject(opening, self)
        job.done.connect(self._restore)
        self._start_opening(opening, job)

    def unlock(self, opening: Opening, remove: bool) -> None:
        """Goes on with a project that another computer has locked: removes the lock, or opens it read-only."""
        if opening is not self._opening:
            opening.give_up()
            return
        opening.remove_lock = remove
        self._look_at(opening)

    def give_up(self, opening: Opening) -> None:
        """Does not open it; nothing is at work on it."""
        self._opening, self._discard = None, False
        opening.give_up()
        self.changed.emit()

    def stop_opening(self) -> None:
        """Stops opening a project; the window is free at once, and what is open stays."""
        opening, job = self._opening, self._opening_job
        if opening is None:
            return
        if job is None:
            self.give_up(opening)
            return
        self._opening, self._discard = None, False
        job.cancel()  # it lets go of everything itself
        self.changed.emit()

    def compare(
        self,
        recording: Recording,
        path: Path,
        answer: Callable[[Found], None],
        progress: Callable[[float], None] = lambda share: None,
    ) -> Callable[[], None]:
        """Finds out whether a file is a project's recording.

        Args:
            recording: what the project knows of it.
            path: the file.
            answer: told what was found.
            progress: told the share that is read.

        Returns:
            What stops it.
        """
        job = CompareRecording(recording, path, self)
        job.compared.connect(answer)
        job.progressed.connect(progress)
        job.failed.connect(self.failed)
        self._start(job)
        return job.cancel

    def _look_into(self, file: Path, project: Path | None, lock: QLockFile | None, left: Place | None) -> bool:
        try:
            opening = Opening(file, project, self._home.new(), lock, left=left)
        except InputError as error:
            if lock is not None:
                lock.unlock()
            self.failed.emit(str(error))
            return False
        self._opening = opening
        self._look_at(opening)
        self.changed.emit()
        return True

    def _look_at(self, opening: Opening) -> None:
        job = LookIntoProject(opening, self)
        job.locked.connect(self._locked)
        job.looked.connect(self._looked)
        self._start_opening(opening, job)

    def _start_opening(self, opening: Opening, job: OpeningJob) -> None:
        self._opening_job = job
        job.failed.connect(lambda sentence: self._not_opened(opening, sentence))
        self._start(job)

    def _locked(self, opening: Opening) -> None:
        self._opening_job = None
        if opening is not self._opening:
            opening.give_up()
        else:
            self.locked.emit(opening)

    def _looked(self, opening: Opening) -> None:
        self._opening_job = None
        if opening is not self._opening:  # it was stopped, or something else was opened meanwhile
            opening.give_up()
        elif opening.found.same:
            self.proceed(opening, opening.found)
        else:
            self.missing.emit(opening)

    def _not_opened(self, opening: Opening, sentence: str) -> None:
        self._opening_job = None
        if opening is self._opening:
            self.give_up(opening)
            self.failed.emit(sentence)
        else:
            opening.give_up()

    def _restore(self, opening: Opening, project: Project, source: Source) -> None:
        """Puts a project that was read, and is safe already, into the window."""
        assert opening.recorder is not None
        self._opening_job = None
        if opening is not self._opening:
            source.close()
            opening.give_up()
            return
        self._opening = None
        self._put(source, project.history, project.view, project.elsewhere, opening.read_only)
        self._begin(project.recording, opening.recorder)
        if opening.project is not None and opening.lock is None and not opening.read_only:
            # It was this window's own until now, or its folder could not be written.
            opening.lock, holder = lock_project(opening.project)
            if holder is not None:
                self._tell_of_other_window(opening.project)
                opening.project = None
        self.path, self._lock, self._left = opening.project, opening.lock, opening.left
        self._version = opening.version
        self._saved_view = self._look()
        if opening.unchanged:
            self._saved_moment = self._moment
        if opening.safe and self._left is not None:
            self._left.discard()
            self._left = None
        if not opening.found.same and project.elsewhere:
            self._tell_of_other_context(home_of(source).name)
        if self.dirty and self.path is not None:
            self._idle.start(IDLE_MS)
        self.opened.emit(opening.project)
        self.changed.emit()

    def _tell_of_other_window(self, project: Path) -> None:
        words = self.tr(
            "{0} is open in another window, so the work opens without a file; save it under a name of its own."
        )
        self.told.emit(words.format(project.name))

    def _is_ours(self, path: Path) -> bool:
        return self.path is not None and not self._document.read_only and same_file(self.path, path)

    def _hand_over(self) -> None:
        """Gives the recorder what was opened; that is no change."""
        project = self.present
        if project is not None and self._recorder is not None:
            self._recorder.record(project)

    def _put(self, source: Source, history: History, view: View, elsewhere: frozenset[str], read_only: bool) -> None:
        """Shows a history on a recording; takes the leave of what was open."""
        self._restoring = True
        try:
            self._document.restore(source, history, read_only=read_only)
        finally:
            self._restoring = False
        self._history = history
        self._document.elsewhere = elsewhere
        self._show(view)
        self._document.takes_changed.emit()

    def _opened(self) -> None:
        """A recording without a project is open."""
        source = self._document.source
        if self._restoring or source is None:
            return
        self.stop_opening()
        self._history = History()
        try:
            recording = Recording.of(source)
        except InputError as error:  # it went away just now
            self.failed.emit(str(error))
            return
        self._begin(recording, Recorder(self._home, failed=self.failed.emit))
        self._saved_moment = self._moment
        job = HashRecording(source.path, self)
        job.hashed.connect(lambda sha256: self._hashed(source, sha256))
        self._start(job)
        self.changed.emit()

    def _hashed(self, source: Source, sha256: str) -> None:
        if self._recording is not None and self._document.source is source and not self._recording.sha256:
            self._recording = replace(self._recording, sha256=sha256)
            if self.path is not None:
                self._record()
            elif self.dirty:
                self._hand_over()

    def _begin(self, recording: Recording, recorder: Recorder) -> None:
        self._recording, self._recorder = recording, recorder
        self._moment, self._saved_moment = 1, 0
        source = self._document.source
        if source is not None:
            self._watcher.addPath(str(source.path))

    # --- the recording changes -----------------------------------------------------------------------------------------

    def relink(self, found: Found) -> None:
        """Goes on with another file as the recording, or with its changed bytes; layers are kept.

        Changes nothing, and tells why, when the file does not fit.
        """
        recording, history, recorder, present = self._recording, self._history, self._recorder, self._document.source
        if recording is None or found.path is None or present is None:
            return
        job = self._relinking = RelinkRecording(recording, found, history, present, self)

        def opened(source: Source, facts: Recording, problem: str) -> None:
            # Something else was opened, or found, meanwhile.
            if recorder is not self._recorder or job is not self._relinking:
                source.close()
                return
            if history is not self._history:
                problem = problem or misfit(self._history, source)
            self._go_on_with(source, facts, found, problem)

        job.opened.connect(opened)
        job.failed.connect(self.failed)
        self._start(job)

    def _go_on_with(self, source: Source, facts: Recording, found: Found, problem: str) -> None:
        name = home_of(source).name
        if problem:
            source.close()
            words = self.tr(
                "{0} cannot take the recording's place: {1}; put the former file back, or find it with File."
            )
            self.failed.emit(words.format(name, problem))
            return
        view, embedded = self._look(), self.embedded
        elsewhere = self._document.elsewhere | (frozenset() if found.same else layer_keys(self._history))
        history = replace(with_source(self._history, source), next_take=self._document.next_take)
        # What is open stays the same project: without a recorder it is not left.
        recorder, self._recorder, self._gone = self._recorder, None, False
        self._put(source, history, view, elsewhere, self._document.read_only)
        self._recorder = recorder
        self._recording = replace(facts, embedded=embedded)
        self._watcher.addPath(str(source.path))
        self._record()
        if elsewhere and not found.same:
            self._tell_of_other_context(name)

    def _tell_of_other_context(self, name: str) -> None:
        words = self.tr(
            "The recording {0} is not what the takes were made from; they are kept and marked"
            " \u201cmade in another context\u201d."
        )
        self.told.emit(words.format(name))

    def _compare(self) -> None:
        """The recording's file was touched: has it changed, or gone?"""
        source, recording = self._document.source, self._recording
        if source is None or recording is None:
            return
        path = source.path
        if modified_s(path) is None:
            if not self._gone:
                words = self.tr("{0} is gone; your work is kept. Put it back, or choose File > Find the recording.")
                self.failed.emit(words.format(path))
            self._gone = True
            self._settling.start(COME_BACK_MS)
            return
        self._watcher.addPath(str(path))
        self.compare(recording, path, self._compared)

    def _compared(self, found: Found) -> None:
        source = self._document.source
        if source is None or found.path != source.path:
            return
        if self._gone or not found.same:
            # Also when it is the same again: the file that was open has gone, until this one is open.
            self.relink(found)

    # --- saving --------------------------------------------------------------------------------------------------------

    def save(
        self, path: Path | None = None, *, quietly: bool = False, over: bool = False, ended: Ended | None = None
    ) -> bool:
        """Begins to save, into the project file or another one; returns whether there is something to save, and where.

        Args:
            path: the file, None for the project's own.
            quietly: whether nobody asked for it.
            over: whether it may replace a version of the project file that is not known here.
            ended: told how it ended.
        """
        return self._save(_Wish(path, quietly, over, ended))

    def stop_saving(self) -> None:
        """Stops a save; the project file stays as it is."""
        self._save_next = None
        if self._saving is not None:
            self._saving.job.cancel()

    def drop(self) -> None:
        """The person does not want what is open to be kept when it is left."""
        self._discard = True

    def _save(self, wish: _Wish) -> bool:
        if self._saving is not None:
            if self._save_next is None or not wish.quietly:
                self._save_next = wish
            return True
        path = self.path if wish.path is None else wish.path
        if path is None or self._recording is None or self._recorder is None:
            return False
        own = None if self._document.read_only else self.path
        self._recording = lying(self._recording, path)
        self._hand_over()
        job = SaveProject(self._recorder, path, own, self._lock, None if wish.over else self._version, self)
        saving = _Saving(wish, job, path, self._moment, self._recording.sha256, self._look())
        self._saving = saving
        if not (wish.quietly and self._failing):  # told already, and tried again
            job.failed.connect(self.failed)
        job.progressed.connect(self.save_progressed)
        job.finished.connect(lambda: self._end_saving(saving))
        self._start(job)
        self.changed.emit()
        return True

    def _take_in(self, saving: _Saving) -> Outcome:
        """Takes in how a save ended."""
        job, quietly = saving.job, saving.wish.quietly
        copied, self._kept = job.copied, job.kept
        former, self._lock = self._lock, job.lock if copied else self._lock
        for lock in (former, job.lock):
            if lock is not None and lock is not self._lock:
                lock.unlock()
        if copied is not None:
            outcome = Outcome.SAVED
            self.path, self._saved_moment, self._saved_view = saving.path, saving.moment, saving.view
            self._version = copied.version
            self._document.end_read_only()
            if self._recorder is not None:
                self._recorder.note_copy(saving.path, copied.revision)
            if self._recording is not None and self._recording.sha256 != saving.sha256:
                self._record()  # it was saved before its recording could be known again
            self.saved.emit(saving.path, quietly)
        elif job.replaced:
            outcome = Outcome.REPLACED
            if saving.wish.ended is None and not (quietly and self._failing):
                self.failed.emit(job.replaced)
        else:
            outcome = Outcome.STOPPED if job.cancelled else Outcome.FAILED
        self._failing = outcome in (Outcome.FAILED, Outcome.REPLACED)
        if self.path is not None and self.dirty:  # by what came meanwhile, or because it failed
            self._idle.start(IDLE_MS)
        self.changed.emit()
        return outcome

    def _wait_for_saving(self) -> None:
        """Waits for the disk, as long as it may take; nothing further is saved."""
        saving, self._saving, self._save_next = self._saving, None, None
        if saving is None:
            return
        done = not saving.job.cancelled and saving.job.wait(LEAVE_MS)
        if done or saving.job.end(LEAVE_MS):
            self._take_in(saving)
            return
        # Its drive does not answer: the file is as it was, the work stays in the working database.
        self._jobs.remove(saving.job)
        lock, self._lock = self._lock, None
        saving.job.leave(lock)

    def _end_saving(self, saving: _Saving) -> None:
        if saving is not self._saving:
            return
        self._saving = None
        outcome = self._take_in(saving)
        wanted, self._save_next = self._save_next, None
        if wanted is not None and not self._save(wanted):
            self.changed.emit()
        if saving.wish.ended is not None:
            saving.wish.ended(outcome)

    def _save_idle(self) -> None:
        if self.path is not None and self.dirty and not self._document.read_only:
            self.save(quietly=True)

    # --- leaving -------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends every thread; what is in no file stays for the next start."""
        self._leave()
        for job in self._jobs:
            job.cancel()
        for job in list(self._jobs):
            if not job.end(LEAVE_MS):
                self._jobs.remove(job)
        if self._opening is not None:
            self.give_up(self._opening)
        self._opening_job = None

    def _leave(self) -> None:
        """What is open is left: its work is safe in its file, kept for the next start, or dropped as the person said."""
        self._idle.stop()
        self._settling.stop()
        if self._watcher.files():
            self._watcher.removePaths(self._watcher.files())
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        self._wait_for_saving()
        keep = (
            not self._discard
            and self.dirty
            and (self.path is not None or self.unsaved)
            and not self._document.read_only
        )
        safe = True
        if keep:
            try:
                recorder.flush()
            except InputError as error:
                safe = False
                self.failed.emit(str(error))
        recorder.close(keep=keep)
        left, self._left = self._left, None
        if left is not None:
            left.discard() if safe else left.leave()
        lock, self._lock = self._lock, None
        if lock is not None:
            release(lock)
        self.path, self._recording, self._version = None, None, None
        self._discard = self._gone = self._failing = False

    def _lies_in(self, place: Place) -> bool:
        source = self._document.source
        return source is not None and source.path.is_relative_to(place.folder)

    def _start(self, job: Job) -> None:
        self._jobs.append(job)
        job.finished.connect(lambda: self._finished(job))
        job.start()

    def _finished(self, job: Job) -> None:
        self._jobs.remove(job)
        job.deleteLater()
