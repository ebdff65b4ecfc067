"""What is shown of the detector's suggestions, which one is in focus, and what a person decides about them. No widgets here."""

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.studio import verbs
from recomposer_studio.studio.document import Document
from recomposer_studio.tagging.events import DEFAULT_THRESHOLD


class Suggestions(QObject):
    """The suggestions of the open recording.

    Signals:
        changed: others are shown, or another one is in focus.
    """

    changed = Signal()

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._document = document
        self._threshold = DEFAULT_THRESHOLD
        self._focus = ""
        self._visible: tuple[Event, ...] = ()
        document.opened.connect(self._follow)
        document.suggestions_changed.connect(self._follow)
        document.selection_changed.connect(self._selected)

    @property
    def threshold(self) -> float:
        """Suggestions of less confidence are hidden, 0 to 1."""
        return self._threshold

    @property
    def visible(self) -> tuple[Event, ...]:
        """What is shown, in order of time; the same tuple as long as nothing changes."""
        return self._visible

    @property
    def hidden(self) -> int:
        """How many suggestions lie below the threshold."""
        return len(self._document.suggestions.events) - len(self._visible)

    @property
    def focused(self) -> Event | None:
        """The suggestion that the keys act on."""
        return next((event for event in self._visible if event.id == self._focus), None)

    def set_threshold(self, threshold: float) -> None:
        """Hides suggestions below a confidence; nothing is forgotten."""
        if threshold != self._threshold:
            self._threshold = threshold
            self._follow()

    def focus(self, event_id: str) -> None:
        """Puts a suggestion that is shown into focus, or none for an empty id; boxes of the roll are then not selected."""
        if event_id:
            self._document.select(())
        if event_id != self._focus:
            self._focus = event_id
            self.changed.emit()

    def neighbour(self, step: int) -> Event | None:
        """Goes to the next (1) or previous (-1) box in time, of the roll or suggested, and returns it."""
        document = self._document
        boxes = _in_time((*document.roll.events, *self._visible))
        if not boxes:
            return None
        present = self.focused
        if present is None and document.selected:
            present = document.roll.event(document.selected[-1])
        # Without a selection the first or the last one, from beyond the ends.
        at = _place(boxes, present) if present is not None else (-1 if step > 0 else len(boxes))
        box = boxes[min(max(at + step, 0), len(boxes) - 1)]
        if any(box is event for event in self._visible):
            self.focus(box.id)
        else:
            document.select((box.id,))
        return box

    # --- deciding ----------------------------------------------------------------------------------------------------

    def accept(self, action: Action | None = None) -> None:
        """The suggestion in focus becomes a box of the roll.

        Args:
            action: what is to happen to it, and then it is selected; None keeps its sound, and the next suggestion comes into
                focus.
        """
        event = self.focused
        if event is None:
            return
        following = self._following(event)
        accepted = self._take_over((event,), self.tr("Accept {0}").format(event.label), action)
        if accepted and action is None and following:
            self.focus(following)
        elif accepted:
            self._document.select(accepted)

    def accept_all(self) -> None:
        """All suggestions that are shown become boxes of the roll, and are selected."""
        accepted = self._take_over(self._visible, self.tr("Accept all suggestions"), None) if self._visible else ()
        if accepted:
            self._document.select(accepted)

    def reject(self) -> None:
        """The suggestion in focus goes; the next one comes into focus."""
        event = self.focused
        if event is None:
            return
        following = self._following(event)
        state = self._document.state
        left = state.suggestions.without(event.id)
        if self._document.change(self.tr("Reject {0}").format(event.label), replace(state, suggestions=left)):
            self.focus(following)

    def _take_over(self, events: Sequence[Event], text: str, action: Action | None) -> tuple[str, ...]:
        """Moves suggestions into the roll as one step; the ids that they have there, none where that was refused."""
        state = self._document.state
        roll, suggestions, made = state.roll, state.suggestions, []
        used = self._document.rendered_ids
        for event in events:
            suggestions = suggestions.without(event.id)
            event_id = verbs.fresh_id(roll, used) if event.id in verbs.ids(roll) | used else event.id
            roll = roll.with_event(replace(event, id=event_id, action=action or event.action))
            made.append(event_id)
        changed = self._document.change(text, replace(state, roll=roll, suggestions=suggestions))
        return tuple(made) if changed else ()

    def _following(self, event: Event) -> str:
        """The suggestion to look at after one is decided: the next in time, else the one before."""
        place = self._visible.index(event)
        rest = self._visible[place + 1 :] or self._visible[max(place - 1, 0) : place]
        return rest[0].id if rest else ""

    # --- following the document --------------------------------------------------------------------------------------

    def _follow(self) -> None:
        shown = [event for event in self._document.suggestions.events if (event.confidence or 0.0) >= self._threshold]
        self._visible = _in_time(shown)
        if self.focused is None:
            self._focus = ""
        self.changed.emit()

    def _selected(self) -> None:
        if self._document.selected:
            self.focus("")


def _in_time(events: Sequence[Event]) -> tuple[Event, ...]:
    return tuple(sorted(events, key=lambda event: (event.start_s, event.end_s, event.id)))


def _place(boxes: Sequence[Event], wanted: Event) -> int:
    return next(number for number, box in enumerate(boxes) if box is wanted)


def already_there(event: Event, roll: EventRoll) -> bool:
    """Whether the roll holds the sound of a suggestion: a box of the same class that shares at least half of both."""
    table = LabelTable.load()
    for other in roll.events:
        shared = min(event.end_s, other.end_s) - max(event.start_s, other.start_s)
        span = max(event.end_s, other.end_s) - min(event.start_s, other.start_s)
        if shared >= 0.5 * span and _class_of(other.label, table) == _class_of(event.label, table):
            return True
    return False


def _class_of(label: str, table: LabelTable) -> str:
    """The class that a label is taken for; the label itself where nothing is known like it."""
    match = table.match(label)
    return match.class_name if match.known else label
