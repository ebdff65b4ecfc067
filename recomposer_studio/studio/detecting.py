"""Detection at the service of the document: runs the job, puts what it finds among the suggestions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count

from PySide6.QtCore import QObject, Signal

from recomposer_studio.errors import InputError
from recomposer_studio.project.take import Take
from recomposer_studio.roll.event import Event, EventRoll
from recomposer_studio.studio import verbs
from recomposer_studio.studio.detect_jobs import (
    CheckRows,
    Detect,
    InstallYamnet,
    Listen,
    TaggerKeeper,
    everything,
    like,
    start_tagger,
)
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.jobs import Job
from recomposer_studio.studio.row_check import RowCheck
from recomposer_studio.studio.suggestions import already_there
from recomposer_studio.studio.turn import Turn
from recomposer_studio.tagging.builtin import describe
from recomposer_studio.tagging.choice import BUILTIN, YAMNET
from recomposer_studio.tagging.events import Found
from recomposer_studio.tagging.installation import installed, yamnet_folder
from recomposer_studio.tagging.recording import as_roll


@dataclass(frozen=True)
class Listener:
    """A tagger to choose.

    Attributes:
        name: what the child process knows it by.
        words: what the person knows it by.
        ready: whether it can listen; else it has to be installed first.
    """

    name: str
    words: str
    ready: bool


class Detecting(QObject):
    """Fills suggestions, one recording at a time.

    Attributes:
        taggers: keeps the process of the tagger.
        tagger: name of the tagger that is to listen.

    Signals:
        state_changed: listening or installing began or ended.
        progressed: (share done or -1 while unknown, seconds left or -1, what is being done).
        told: something the person should know; a sentence.
        failed: it could not be done; a sentence.
        rows_checked: (take, list of `RowCheck`).
    """

    state_changed = Signal()
    progressed = Signal(float, float, str)
    told = Signal(str)
    failed = Signal(str)
    rows_checked = Signal(object, list)

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.taggers = TaggerKeeper(start_tagger)
        self.tagger = BUILTIN
        self._document = document
        self._turn = Turn()
        self._serial, self._numbers = 0, count(1)
        # Ids that this run gave out; None until it replaced the suggestions of the run before.
        self._given: set[str] | None = None
        self._step = ""
        self._heard_any = False
        self._listeners: list[Listener] = []
        document.opened.connect(self._opened)

    @property
    def running(self) -> bool:
        """Whether it listens or installs."""
        return self._turn.running

    @property
    def leaving(self) -> bool:
        """Whether cancelled work has yet to notice."""
        return self._turn.leaving

    def listeners(self) -> list[Listener]:
        """The taggers to choose from; looked for anew after an installation and with every recording."""
        if not self._listeners:
            self._listeners = [
                Listener(BUILTIN, self.tr("Built-in"), _there(describe)),
                Listener(YAMNET, self.tr("YAMNet"), _there(lambda: installed(yamnet_folder()))),
            ]
        return self._listeners

    @property
    def listener(self) -> Listener | None:
        """Who would listen: the chosen tagger, or another one where that is not installed."""
        ready = [listener for listener in self.listeners() if listener.ready]
        return next((listener for listener in ready if listener.name == self.tagger), ready[0] if ready else None)

    def detect(self) -> None:
        """Listens to the open recording; its suggestions replace those that nobody has accepted."""
        self._listen(
            everything,
            False,
            self.tr("No sound stands out in this recording; draw the boxes yourself: mark a stretch and press Ctrl+B."),
        )

    def find_similar(self, event: Event) -> None:
        """Suggests places that sound like a box, beside the present suggestions."""
        words = self.tr("Nothing else in this recording sounds like this {0}.").format(event.label)
        self._listen(like(event), True, words)

    def _listen(self, listen: Listen, beside: bool, nothing: str) -> None:
        """Begins to listen.

        Args:
            listen: what is looked for.
            beside: whether the present suggestions stay.
            nothing: the sentence for nothing found.
        """
        source = self._document.source
        if source is None or self.running:
            return
        listener = self.listener
        if listener is None:
            self.failed.emit(self.tr("No detector is installed; press Install YAMNet in the bar above the picture."))
            return
        self._serial += 1
        self._step = self.tr("Find similar") if beside else self.tr("Detect")
        self._given = {event.id for event in self._document.suggestions.events} if beside else None
        self._heard_any = False
        job = Detect(source, listener.name, self.taggers, listen, self)
        words = self.tr("{0} listens").format(listener.words)
        job.found.connect(lambda found: self._found(job, found))
        job.progressed.connect(lambda share, left_s: self._progressed(job, share, left_s, words))
        job.heard.connect(lambda: self._heard(job, nothing))
        self._begin(job, self.tr("loading {0}").format(listener.words))

    def check_rows(self, take: Take) -> None:
        """Asks the detector whether it still hears the rows of a take."""
        listener = self.listener
        if self.running or listener is None:
            return
        job = CheckRows(take, listener.name, self.taggers, self)
        job.checked.connect(lambda checks: self._checked(job, take, checks))
        self._begin(job, self.tr("{0} listens to the rows").format(listener.words))

    def install_yamnet(self, origin: str | None = None) -> None:
        """Installs YAMNet.

        Args:
            origin: a file or folder with its weights; None fetches the published ones.
        """
        if self.running:
            return
        job = InstallYamnet(origin, self)
        job.progressed.connect(lambda share, what: self._progressed(job, share, -1.0, f"YAMNet: {what}"))
        job.installed.connect(lambda: self._installed(job))
        self._begin(job, self.tr("Installing YAMNet"))

    def cancel(self) -> None:
        """Stops; the window is free at once, the thread ends at its next look. What was found stays."""
        if self._turn.cancel():
            self.state_changed.emit()

    def stop(self) -> None:
        """Ends all threads and waits for them."""
        self.cancel()
        self._turn.wait()
        self.taggers.close()

    # --- what the jobs tell --------------------------------------------------------------------------------------------

    def _opened(self) -> None:
        self._listeners = []
        self.cancel()

    def _begin(self, job: Job, words: str) -> None:
        job.failed.connect(lambda sentence: self._failed(job, sentence))
        self._turn.begin(job, self.state_changed.emit)
        self.state_changed.emit()
        self.progressed.emit(-1.0, -1.0, words)

    def _found(self, job: Job, found: Sequence[Found]) -> None:
        if job is not self._turn.job:
            return
        document = self._document
        roll, kept = document.roll, EventRoll()
        if self._given is not None:
            mine = self._given
            kept = EventRoll(tuple(event for event in document.suggestions.events if event.id in mine))
        given = self._given = self._given or set()
        self._heard_any = True
        for event in as_roll(list(found)).events:
            event = replace(event, id=self._fresh_id())
            # What the person has in the roll need not be suggested again.
            if not already_there(event, roll) and not already_there(event, kept):
                given.add(event.id)
                kept = kept.with_event(event)
        self._put(kept)

    def _fresh_id(self) -> str:
        taken = verbs.ids(self._document.roll) | verbs.ids(self._document.suggestions)
        while (event_id := f"heard-{next(self._numbers)}") in taken:
            pass
        return event_id

    def _put(self, suggestions: EventRoll) -> None:
        document = self._document
        document.change(self._step, replace(document.state, suggestions=suggestions), f"detect {self._serial}")

    def _heard(self, job: Job, nothing: str) -> None:
        if job is not self._turn.job:
            return
        if self._given is None:
            self._put(EventRoll())
        if not self._heard_any:
            self.told.emit(nothing)
        elif not self._document.suggestions.events:
            self.told.emit(self.tr("Nothing new: all that was heard has its box already."))

    def _progressed(self, job: Job, share: float, left_s: float, what: str) -> None:
        # What a cancelled job still sends is stale.
        if job is self._turn.job:
            self.progressed.emit(share, left_s, what)

    def _failed(self, job: Job, sentence: str) -> None:
        if job is self._turn.job:
            self.failed.emit(sentence)

    def _checked(self, job: Job, take: Take, checks: list[RowCheck]) -> None:
        if job is self._turn.job:
            self.rows_checked.emit(take, checks)

    def _installed(self, job: Job) -> None:
        if job is self._turn.job:
            self._listeners, self.tagger = [], YAMNET
            self.told.emit(self.tr("YAMNet is installed; press Detect."))


def _there(find: Callable[[], object | None]) -> bool:
    """Whether something is installed, and not damaged."""
    try:
        return find() is not None
    except InputError:
        return False
