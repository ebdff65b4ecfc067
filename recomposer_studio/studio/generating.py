"""Rendering at the service of the document: plans, runs the job, puts what comes into the list of takes."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from recomposer_studio.errors import InputError
from recomposer_studio.model import catalogue
from recomposer_studio.model.catalogue import Checkpoint
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.project.take import Take
from recomposer_studio.roll.event import EventRoll
from recomposer_studio.roll.file import check_fits
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.jobs import ModelKeeper, Render
from recomposer_studio.studio.plan import plan


class Generating(QObject):
    """Makes takes, one at a time.

    Attributes:
        find_checkpoint: gives the installed model, or None.
        models: keeps the process of the model.

    Signals:
        state_changed: a render began or ended.
        progressed: (share done, seconds left or -1, what is being done).
        told: something the person should know; a sentence.
        failed: it could not be done; a sentence.
    """

    state_changed = Signal()
    progressed = Signal(float, float, str)
    told = Signal(str)
    failed = Signal(str)

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.find_checkpoint: Callable[[], Checkpoint | None] = catalogue.default
        self.models = ModelKeeper()
        self._document = document
        self._job: Render | None = None
        self._leaving: list[Render] = []
        self._entry: TakeEntry | None = None
        self._left_out: tuple[str, ...] = ()
        document.opened.connect(self.cancel)

    @property
    def running(self) -> bool:
        """Whether a render is under way."""
        return self._job is not None

    @property
    def leaving(self) -> bool:
        """Whether a cancelled render has yet to notice."""
        return bool(self._leaving)

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The installed model."""
        try:
            return self.find_checkpoint()
        except (InputError, FileNotFoundError):
            return None

    def generate(self, roll: EventRoll | None = None, recipe: Recipe | None = None) -> None:
        """Renders a take of the roll, or of another take's roll.

        Args:
            roll: the events, the document's when None.
            recipe: the settings, the default ones when None.
        """
        document = self._document
        if document.source is None or self.running:
            return
        roll = document.roll if roll is None else roll
        recipe = Recipe() if recipe is None else recipe
        planned = plan(roll, recipe, self.checkpoint)
        if planned.edits == 0:
            words = self.tr("There is nothing to render: draw a box and give it the action Insert, Delete or Enhance.")
            self.failed.emit(". ".join(planned.left_out) + "." if planned.left_out else words)
            return
        try:
            check_fits(roll, document.duration_s, self.tr("the roll"))
        except InputError as error:
            self.failed.emit(str(error))
            return
        self._left_out = planned.left_out
        number = document.new_take_id()
        name = self.tr("Take {0}").format(number)
        job = self._job = Render(document.source, planned, recipe, self.models.get, self)
        job.rendered.connect(lambda take, seconds, preview: self._rendered(job, number, name, take, seconds, preview))
        job.progressed.connect(lambda share, left, what: self._progressed(job, share, left, what))
        job.failed.connect(lambda sentence: self._failed(job, sentence))
        job.model_lost.connect(lambda sentence: self._model_lost(job, sentence))
        job.finished.connect(lambda: self._finished(job))
        job.start()
        self.state_changed.emit()

    def cancel(self) -> None:
        """Stops; the window is free at once, the thread ends at its next look. Finished takes stay."""
        job = self._job
        if job is not None:
            self._job = None
            self._leaving.append(job)
            job.cancel()
            self._settle()
            self.state_changed.emit()

    def stop(self) -> None:
        """Ends all threads and waits for them."""
        self.cancel()
        for job in self._leaving:
            job.wait()
        self.models.close()

    def _rendered(self, job: Render, number: int, name: str, take: Take, seconds: float, preview: bool) -> None:
        if job is not self._job:
            return
        document = self._document
        known = next((entry for entry in document.takes if entry.id == number), None)
        if known is not None:
            take = _mixed_like(take, known.take)
            entry = replace(known, take=take, render_s=seconds, preview=preview)
        else:
            entry = TakeEntry(number, name, take, render_s=seconds, left_out=self._left_out, preview=preview)
        self._entry = entry
        document.put_take(self.tr("Generate {0}").format(entry.name), entry)
        if known is None:
            document.hear(len(document.takes))
        if known is None and self._left_out:
            self.told.emit(". ".join(self._left_out) + ".")
        notes = [layer.note for layer in take.layers if layer.note]
        if notes and not preview:
            self.told.emit(notes[0][0].upper() + notes[0][1:] + ".")

    def _progressed(self, job: Render, share: float, left_s: float, what: str) -> None:
        # What a cancelled job still sends is stale.
        if job is self._job:
            self.progressed.emit(share, left_s, what)

    def _failed(self, job: Render, sentence: str) -> None:
        if job is self._job:
            self.failed.emit(sentence)

    def _model_lost(self, job: Render, sentence: str) -> None:
        if job is self._job:
            self._settle()
            self.failed.emit(self.tr("{0} The preview by spectral repair stays.").format(sentence.rstrip(".") + "."))

    def _settle(self) -> None:
        """A preview whose model version will not come is a finished take."""
        entry, self._entry = self._entry, None
        if entry is None or not entry.preview:
            return
        known = next((other for other in self._document.takes if other.id == entry.id), None)
        if known is not None and known.preview:
            text = self.tr("Generate {0}").format(known.name)
            self._document.put_take(text, replace(known, preview=False))

    def _finished(self, job: Render) -> None:
        if job in self._leaving:
            self._leaving.remove(job)
        if job is self._job:
            self._job = None
            self._settle()
            self.state_changed.emit()
        job.deleteLater()


def _mixed_like(take: Take, former: Take) -> Take:
    """The model's version with the mix that the person gave the preview meanwhile."""
    present = {layer.event.id for layer in take.layers}
    for layer in former.layers:
        event = layer.event
        if event.id in present:
            take = take.adjusted(event.id, amount=event.amount, gain_db=event.gain_db, pan=event.pan, muted=event.muted)
    return take.soloed(former.solo & present)
