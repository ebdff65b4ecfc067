"""The editing actions: from a menu entry or key to one undoable change of the document."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication

from recomposer_studio.editing.contradiction import sound_of
from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, EventRoll
from recomposer_studio.roll.file import format_roll, parse_roll
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.studio import verbs
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.scale import FrequencyScale
from recomposer_studio.studio.verbs import Area

FIRST_LABEL = "Bark"


class Editing(QObject):
    """What the keys do to the selected events.

    Signals:
        made: a new event is there and wants a class.
        failed: it could not be done; a sentence.
    """

    made = Signal()
    failed = Signal(str)

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._document = document
        self.last_label = FIRST_LABEL
        self.last_action = Action.DELETE

    def new(self, area: Area | None = None, row: str | None = None) -> None:
        """A box of the marked area, or of a given one.

        Args:
            area: the box; the marked area when None.
            row: its row, a new one when None.
        """
        document = self._document
        area = area or document.area
        if document.source is None:
            return
        if area is None or area.span_s < verbs.SHORTEST_S:
            self.failed.emit(self.tr("Mark a stretch in the picture first: drag over the sound, then press Ctrl+B."))
            return
        label, action = self.last_label, self.last_action
        if row is not None:
            same = document.roll.rows()[row][-1]
            label, action = same.label, same.action
        roll, event = verbs.add(document.roll, area, action, label, row, document.rendered_ids)
        if not document.change_roll(self.tr("New {0}").format(label), roll):
            return
        document.mark(None)
        document.select((event.id,))
        self.made.emit()

    def set_action(self, action: Action) -> None:
        """Another action for the selected events."""
        self.last_action = action
        self._apply(self.tr("Set action"), lambda roll, chosen: verbs.change(roll, chosen, action=action))

    def mute(self) -> None:
        """Mutes the selected events, or lets them sound again; in the take that is heard too."""
        document = self._document
        events = document.selected_events
        if not events:
            return
        muted = not all(event.muted for event in events)
        takes = document.takes
        entry = document.current_take
        if entry is not None:
            take = entry.take
            present = {sound_of(layer.event) for layer in take.layers}
            heard = [event.id for event in events if sound_of(event) in present]
            if heard and document.refuse_locked(entry):
                return
            for event_id in heard:
                take = take.adjusted(event_id, muted=muted)
            takes = tuple(replace(other, take=take) if other is entry else other for other in takes)
        roll = verbs.change(document.roll, document.selected, muted=muted)
        text = self.tr("Mute") if muted else self.tr("Unmute")
        document.change(text, replace(document.state, roll=roll, takes=takes))

    def duplicate(self) -> None:
        """Copies behind the selected events."""
        document = self._document
        if document.selected:
            used = document.rendered_ids
            roll, made = verbs.duplicate(document.roll, document.selected, document.duration_s, used)
            if document.change_roll(self.tr("Duplicate"), roll):
                document.select(made)

    def split(self, at_s: float) -> None:
        """Cuts the selected events at a time."""
        document = self._document
        if document.selected:
            roll, kept = verbs.split(document.roll, document.selected, at_s, document.rendered_ids)
            if roll == document.roll:
                self.failed.emit(self.tr("Put the playhead inside the selected box to split it there."))
                return
            if document.change_roll(self.tr("Split"), roll):
                document.select(kept)

    def nudge(self, by_s: float, by_share: float, scale: FrequencyScale) -> None:
        """Moves the selected events in time, and in frequency where they have limits; repeated keys are one step."""
        document = self._document
        if document.selected:
            roll = verbs.move(document.roll, document.selected, by_s, by_share, scale, document.duration_s)
            document.change_roll(self.tr("Move"), roll, f"nudge {','.join(document.selected)}")

    def stretch(self, sides: str, by_s: float, by_share: float, scale: FrequencyScale) -> None:
        """Moves sides of the selected events, see `verbs.resize`; repeated keys are one step."""
        document = self._document
        if document.selected:
            roll = verbs.resize(document.roll, document.selected, sides, by_s, by_share, scale, document.duration_s)
            document.change_roll(self.tr("Resize"), roll, f"stretch {sides} {','.join(document.selected)}")

    def to_lane(self, by: int) -> None:
        """Moves the selected events to the rows above or below."""
        document = self._document
        if document.selected:
            document.change_roll(self.tr("Move to row"), verbs.to_lane(document.roll, document.selected, by))

    def join(self) -> None:
        """Makes one event of the selected ones."""
        document = self._document
        if len(document.selected) >= 2:
            roll, kept = verbs.join(document.roll, document.selected)
            if document.change_roll(self.tr("Join"), roll):
                document.select((kept,))

    def remove(self) -> None:
        """Takes the selected events out of the roll."""
        if self._document.selected:
            self._apply(self.tr("Remove"), verbs.delete)

    def copy(self) -> None:
        """The selected events as JSON text on the clipboard, in the form of a roll file."""
        events = self._document.selected_events
        if events:
            QGuiApplication.clipboard().setText(format_roll(EventRoll(events)))

    def cut(self) -> None:
        """Copies the selected events and takes them out of the roll."""
        if self._document.selected:
            self.copy()
            self._apply(self.tr("Cut"), verbs.delete)

    def paste(self, at_s: float) -> None:
        """Events from the clipboard, the earliest at a time."""
        document = self._document
        if document.source is None:
            return
        try:
            pasted = parse_roll(QGuiApplication.clipboard().text(), self.tr("clipboard"))
        except InputError:
            self.failed.emit(self.tr("The clipboard holds no boxes; copy some with Ctrl+C first."))
            return
        roll, made = verbs.paste(document.roll, pasted, at_s, document.duration_s, document.rendered_ids)
        if not made:
            self.failed.emit(self.tr("The copied boxes do not fit behind the playhead; move it to the left."))
            return
        if document.change_roll(self.tr("Paste"), roll):
            document.select(made)

    def select_all(self) -> None:
        """All events."""
        self._document.select([event.id for event in self._document.roll.events])

    def select_class(self) -> None:
        """All events that are taken for the same classes as the selected ones."""
        table = LabelTable.load()
        wanted = {table.match(event.label).class_name for event in self._document.selected_events}
        same = [e.id for e in self._document.roll.events if table.match(e.label).class_name in wanted]
        self._document.select(same)

    def _apply(self, text: str, change: Callable[[EventRoll, tuple[str, ...]], EventRoll]) -> None:
        document = self._document
        if not document.selected:
            return
        try:
            roll = change(document.roll, document.selected)
        except InputError as error:
            self.failed.emit(str(error))
            return
        document.change_roll(text, roll)
