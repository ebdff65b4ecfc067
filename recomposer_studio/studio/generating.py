"""Rendering at the service of the document: plans, runs the job, puts what comes into the list of takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal

from recomposer_studio.errors import InputError
from recomposer_studio.model import catalogue
from recomposer_studio.model.catalogue import Checkpoint
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import Action, EventRoll
from recomposer_studio.roll.file import check_fits
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.jobs import ModelKeeper, Render, start_model
from recomposer_studio.studio.plan import plan, unheard_exemplars
from recomposer_studio.studio.turn import Turn


@dataclass(frozen=True)
class _Order:
    """What is being rendered.

    Attributes:
        id: the take that it becomes.
        name: what a new take is called.
        roll: the events.
        recipe: the settings.
        full: the events of the model's version, or None.
        left_out: sentences on events that cannot be rendered.
        parent: id of the take that it is made from, or None.
        finish: makes what was rendered into the take, or into None when it is not to be listed; None for no change.
        heard: whether the take is heard as soon as it is in the list; else what is heard stays.
    """

    id: int
    name: str
    roll: EventRoll
    recipe: Recipe
    full: EventRoll | None
    left_out: tuple[str, ...]
    parent: int | None = None
    finish: Callable[[Take], Take | None] | None = None
    heard: bool = True


class Generating(QObject):
    """Makes takes, one at a time.

    Attributes:
        find_checkpoint: gives the installed model, or None.
        models: keeps the process of the model.
        device: where the model is to run: `auto`, `cpu` or `cuda`.
        note_of: gives what is to be told of a take's layer when it is finished, or nothing.

    Signals:
        state_changed: a render began or ended.
        cancelled: a person stopped a render.
        progressed: (share done, seconds left or -1, what is being done).
        told: something the person should know; a sentence.
        failed: it could not be done; a sentence.
        runs_on: where the model runs, `cpu` or `cuda`.
        model_lost: the process of the model is gone; a sentence, where it ran, the last lines that it wrote, and whether a
            preview stays.
    """

    state_changed = Signal()
    cancelled = Signal()
    progressed = Signal(float, float, str)
    told = Signal(str)
    failed = Signal(str)
    runs_on = Signal(str)
    model_lost = Signal(str, str, tuple, bool)

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.find_checkpoint: Callable[[], Checkpoint | None] = catalogue.default
        self.models = ModelKeeper(start_model)
        self.device = "auto"
        self.note_of: Callable[[Take, Layer], str] = lambda take, layer: layer.note
        self._document = document
        self._turn = Turn()
        self._order: _Order | None = None
        self._listed = False
        self._device_used = ""
        document.opened.connect(self._opened)
        document.takes_changed.connect(self._takes_changed)

    @property
    def running(self) -> bool:
        """Whether a render is under way."""
        return self._turn.running

    @property
    def making(self) -> int | None:
        """The number of the take that is being rendered, None when none is."""
        return self._order.id if self.running and self._order is not None else None

    @property
    def leaving(self) -> bool:
        """Whether a cancelled render has yet to notice."""
        return self._turn.leaving

    @property
    def checkpoint(self) -> Checkpoint | None:
        """The installed model."""
        try:
            return self.find_checkpoint()
        except (InputError, FileNotFoundError):
            return None

    def generate(
        self,
        roll: EventRoll | None = None,
        recipe: Recipe | None = None,
        parent: int | None = None,
        finish: Callable[[Take], Take | None] | None = None,
        take_id: int | None = None,
        *,
        heard: bool = True,
    ) -> None:
        """Renders a take of the roll, or of another take's roll.

        Args:
            roll: the events, the document's when None.
            recipe: the settings, the default ones when None.
            parent: id of the take that it is made from.
            finish: makes what was rendered into the take, see `_Order`; no preview is shown then.
            take_id: the take's number where one was drawn already.
            heard: whether it is heard as soon as it is in the list; else what is heard stays.
        """
        roll = self._document.roll if roll is None else roll
        self._generate(roll, Recipe() if recipe is None else recipe, None, parent, finish, take_id, heard)

    def again(self) -> None:
        """Renders what was ordered last once more, into the same take where it is in the list: its model was lost."""
        if self._order is not None:
            order = self._order
            self._generate(order.roll, order.recipe, order, order.parent, order.finish, heard=order.heard)

    def _generate(
        self,
        roll: EventRoll,
        recipe: Recipe,
        former: _Order | None,
        parent: int | None = None,
        finish: Callable[[Take], Take | None] | None = None,
        take_id: int | None = None,
        heard: bool = True,
    ) -> None:
        document = self._document
        if document.source is None or self.running:
            return
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
        unheard = unheard_exemplars(planned)
        if unheard and planned.checkpoint is not None:
            words = self.tr(
                "{0} ({1:.2f} s) has an example, and the model {2} takes none; choose None as its example, or another model."
            )
            self.failed.emit(words.format(unheard[0].label, unheard[0].start_s, planned.checkpoint.name))
            return
        if finish is not None and planned.full is not None:
            planned = replace(planned, repair=EventRoll())
        if former is None:
            number = document.new_take_id() if take_id is None else take_id
            name = self.tr("Take {0}").format(number)
        else:
            number, name = former.id, former.name
        self._order = _Order(number, name, roll, recipe, planned.full, planned.left_out, parent, finish, heard)
        self._listed = self._entry is not None
        self._device_used = ""
        job = Render(document.source, planned, recipe, self.models, self.device, self)
        job.rendered.connect(lambda take, seconds, preview: self._rendered(job, take, seconds, preview))
        job.layers_done.connect(lambda layers, model: self._layers_done(job, layers, model))
        job.progressed.connect(lambda share, left, what: self._progressed(job, share, left, what))
        job.runs_on.connect(lambda device: self._runs_on(job, device))
        job.failed.connect(lambda sentence: self._failed(job, sentence))
        job.model_lost.connect(lambda sentence, device, log: self._model_lost(job, sentence, device, log))
        self._turn.begin(job, self._finished)
        self.state_changed.emit()

    def cancel(self) -> None:
        """Stops; the window is free at once, the thread ends at its next look. Finished takes stay."""
        if self._turn.cancel():
            self._settle()
            self.cancelled.emit()
            self.state_changed.emit()

    def stop(self) -> None:
        """Ends all threads and waits for them."""
        self.cancel()
        self._turn.wait()
        self.models.close()

    @property
    def _entry(self) -> TakeEntry | None:
        """The take in the list that is being made, or was made last."""
        order = self._order
        return next((entry for entry in self._document.takes if order and entry.id == order.id), None)

    def _rendered(self, job: Render, take: Take, seconds: float, preview: bool) -> None:
        order = self._order
        if job is not self._turn.job or order is None:
            return
        if order.finish is not None:
            try:
                finished = order.finish(take)
            except InputError as error:
                self.failed.emit(str(error))
                return
            if finished is None:
                return
            take = finished
        document = self._document
        document.vouch_for(take)
        self._put(take, seconds, preview)
        present, entry = document.current_take, self._entry
        if not order.heard and not preview and entry is not None and present is not entry:
            words = self.tr("{0} is in the list; {1} is still heard.")
            self.told.emit(words.format(entry.name, present.name if present else self.tr("the original")))
        note = "" if preview else next(filter(None, (self.note_of(take, layer) for layer in take.layers)), "")
        if note:
            self.told.emit(note[0].upper() + note[1:] + ".")

    def _layers_done(self, job: Render, layers: Sequence[Layer], model: str) -> None:
        """Shows finished rows; the others are heard as the preview has them, or not yet."""
        order, source, entry = self._order, self._document.source, self._entry
        if (
            job is not self._turn.job
            or order is None
            or order.full is None
            or source is None
            or order.finish is not None
        ):
            return
        known = {layer.event.id: _from(entry.take, layer, order.recipe) for layer in entry.take.layers} if entry else {}
        known.update((layer.event.id, layer) for layer in layers)
        roll = EventRoll(tuple(e for e in order.full.events if e.action is Action.KEEP or e.id in known))
        shown = tuple(known[event.id] for event in roll.events if event.id in known)
        take = Take(source, roll, order.recipe, model, shown)
        self._document.vouch_for(take)
        self._put(take, entry.render_s if entry else 0.0, True)

    def _put(self, take: Take, seconds: float, preview: bool) -> None:
        """Puts a version of the ordered take into the list."""
        document, order, known = self._document, self._order, self._entry
        if order is None:
            return
        if known is not None:
            take = _mixed_like(take, known.take)
            entry = replace(
                known, take=take, render_s=seconds, preview=preview, device=self._device_used, left_out=order.left_out
            )
        else:
            entry = TakeEntry(
                order.id, order.name, take, render_s=seconds, left_out=order.left_out, preview=preview,
                device=self._device_used, parent=order.parent,
            )  # fmt: skip
        self._listed = document.put_take(self.tr("Generate {0}").format(entry.name), entry)
        if self._listed and known is None:
            if order.heard:
                document.hear(len(document.takes))
            if order.left_out:
                self.told.emit(". ".join(order.left_out) + ".")

    def _opened(self) -> None:
        # First of all: the takes are another recording's now, and their numbers say nothing of this order.
        self._order = None
        self.cancel()

    def _takes_changed(self) -> None:
        # Its take was removed, or its first version undone: nobody waits for the rest of it. Other renders that wait still come.
        if self._listed and self._entry is None and self._turn.cancel():
            self.state_changed.emit()

    def _progressed(self, job: Render, share: float, left_s: float, what: str) -> None:
        # What a cancelled job still sends is stale.
        if job is self._turn.job:
            self.progressed.emit(share, left_s, what)

    def _failed(self, job: Render, sentence: str) -> None:
        if job is self._turn.job:
            self.failed.emit(sentence)

    def _runs_on(self, job: Render, device: str) -> None:
        if job is not self._turn.job:
            return
        self._device_used = device
        self.runs_on.emit(device)
        if self.device == "cuda" and device != "cuda":
            self.told.emit(self.tr("There is no GPU here that the model can use, so it runs on the CPU."))

    def _model_lost(self, job: Render, sentence: str, device: str, log: tuple[str, ...]) -> None:
        if job is self._turn.job:
            self._settle()
            self.model_lost.emit(sentence, device, log, self._entry is not None)

    def _settle(self) -> None:
        """A preview whose model version will not come is a finished take."""
        entry = self._entry
        if entry is not None and entry.preview:
            words = self.tr("{0} is not in it: the render was stopped before")
            text = self.tr("Generate {0}").format(entry.name)
            self._document.put_take(text, self._finished_as_it_is(entry, words))
            missing = self._missing(entry)
            if missing:
                self.told.emit(self.tr("{0} was stopped without {1}.").format(entry.name, ", ".join(missing)))

    def copy_of(self, entry: TakeEntry) -> TakeEntry:
        """A take as a copy has it: the model's version of a preview will not come to that."""
        if entry.id != self.making or not entry.preview:
            return replace(entry, preview=False)
        return self._finished_as_it_is(entry, self.tr("{0} is not in it: the copy was made before"))

    def _finished_as_it_is(self, entry: TakeEntry, words: str) -> TakeEntry:
        """A preview of the ordered take as a finished take; `words` say of each row that is missing why."""
        left_out = self._order.left_out if self._order is not None else ()
        left_out = (*left_out, *(words.format(label) for label in self._missing(entry)))
        return replace(entry, preview=False, left_out=left_out)

    def _missing(self, entry: TakeEntry) -> list[str]:
        """Labels of the ordered rows that a take lacks."""
        order = self._order
        there = {layer.event.id for layer in entry.take.layers}
        events = order.full.events if order is not None and order.full is not None else ()
        return [event.label for event in events if event.action is not Action.KEEP and event.id not in there]

    def _finished(self) -> None:
        self._settle()
        self.state_changed.emit()


def _from(take: Take, layer: Layer, recipe: Recipe) -> Layer:
    """A layer of a take inside another one with a recipe of its own: it remembers what made it."""
    if layer.recipe is not None or take.recipe == recipe:
        return layer
    return replace(layer, recipe=take.recipe, model=take.model)


def _mixed_like(take: Take, former: Take) -> Take:
    """The model's version with the mix that the person gave the preview meanwhile."""
    present = {layer.event.id for layer in take.layers}
    for layer in former.layers:
        event = layer.event
        if event.id in present:
            take = take.adjusted(event.id, amount=event.amount, gain_db=event.gain_db, pan=event.pan, muted=event.muted)
    return take.soloed(former.solo & present)
