"""What is open: the recording, its roll, the takes; every change is one undoable step. No widgets here."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from recomposer_studio.audio.atomic import atomic_path
from recomposer_studio.audio.source import Source
from recomposer_studio.project.state import State, TakeEntry
from recomposer_studio.roll.event import Event, EventRoll
from recomposer_studio.roll.file import check_fits, format_roll, read_roll
from recomposer_studio.studio.commands import Change
from recomposer_studio.studio.verbs import Area

ORIGINAL = 0
"""What is heard: 0 is the recording, 1, 2, ... are the takes by their place in the list."""


class Document(QObject):
    """One open recording.

    Signals:
        opened: another recording, or none, is open.
        roll_changed: events changed.
        selection_changed: other events are selected.
        area_changed: another stretch is marked.
        takes_changed: a take came, went or changed.
        heard_changed: another version is on the screen and on the ears.
    """

    opened = Signal()
    roll_changed = Signal()
    selection_changed = Signal()
    area_changed = Signal()
    takes_changed = Signal()
    heard_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.source: Source | None = None
        self.state = State()
        self.selected: tuple[str, ...] = ()
        self.area: Area | None = None
        self.heard = ORIGINAL
        self.difference = False
        self.roll_path: Path | None = None
        self.undo_stack = QUndoStack(self)
        self._saved_roll = EventRoll()
        self._next_take = 1

    @property
    def roll(self) -> EventRoll:
        """The events."""
        return self.state.roll

    @property
    def takes(self) -> tuple[TakeEntry, ...]:
        """The takes, oldest first."""
        return self.state.takes

    @property
    def duration_s(self) -> float:
        """Length of the recording, 0 when none is open."""
        return self.source.duration_s if self.source else 0.0

    @property
    def unsaved(self) -> bool:
        """Whether the roll differs from its file."""
        return self.roll != self._saved_roll

    @property
    def current_take(self) -> TakeEntry | None:
        """The take that is heard."""
        return self.takes[self.heard - 1] if 0 < self.heard <= len(self.takes) else None

    @property
    def selected_events(self) -> tuple[Event, ...]:
        """The selected events in the roll's order."""
        return tuple(event for event in self.roll.events if event.id in self.selected)

    # --- opening and saving ------------------------------------------------------------------------------------------

    def open(self, path: Path) -> None:
        """Opens a recording in place of the present one.

        Raises:
            InputError: it cannot be read; the present one stays open.
        """
        source = Source.open(path)
        former, self.source = self.source, source
        self.undo_stack.clear()
        self.state, self.selected, self.area = State(), (), None
        self.heard, self.difference, self.roll_path = ORIGINAL, False, None
        self._saved_roll, self._next_take = EventRoll(), 1
        self.opened.emit()
        if former is not None:
            former.close()

    def close(self) -> None:
        """Closes the recording."""
        source, self.source = self.source, None
        if source is not None:
            source.close()

    def load_roll(self, path: Path, text: str) -> None:
        """Replaces the roll by one from a file, as an undoable step.

        Raises:
            InputError: the file is no roll, or does not fit the recording.
        """
        roll = read_roll(path)
        check_fits(roll, self.duration_s, str(path))
        self.change_roll(text, roll)
        self.roll_path, self._saved_roll = path, roll
        self.select(())
        self.roll_changed.emit()

    def save_roll(self, path: Path) -> None:
        """Writes the roll.

        Raises:
            InputError: it cannot be written there.
        """
        with atomic_path(path) as beside:
            beside.write_text(format_roll(self.roll), encoding="utf-8", newline="\n")
        self.roll_path, self._saved_roll = path, self.roll
        self.roll_changed.emit()

    # --- changes -----------------------------------------------------------------------------------------------------

    def change(self, text: str, state: State, merge: str = "") -> None:
        """Makes a change that can be undone; changes in a row with the same `merge` key are one step."""
        if state != self.state:
            self.undo_stack.push(Change(self, text, self.state, state, merge))

    def change_roll(self, text: str, roll: EventRoll, merge: str = "") -> None:
        """A change of the events alone."""
        self.change(text, replace(self.state, roll=roll), merge)

    def change_take(self, text: str, entry: TakeEntry, merge: str = "") -> None:
        """A change of one take in the list, found by its id."""
        takes = tuple(entry if other.id == entry.id else other for other in self.takes)
        self.change(text, replace(self.state, takes=takes), merge)

    def apply(self, state: State) -> None:
        """Puts a state in place and tells what differs; only `Change` calls this."""
        before, self.state = self.state, state
        heard = before.takes[self.heard - 1].id if 0 < self.heard <= len(before.takes) else None
        if before.takes != state.takes:
            places = {entry.id: place for place, entry in enumerate(state.takes, start=1)}
            moved = places.get(heard, ORIGINAL) if heard is not None else ORIGINAL
            self.takes_changed.emit()
            if moved != self.heard or (heard is not None and moved == ORIGINAL):
                self.hear(moved)
        if before.roll != state.roll:
            present = {event.id for event in state.roll.events}
            if not set(self.selected) <= present:
                self.select(tuple(event_id for event_id in self.selected if event_id in present))
            self.roll_changed.emit()

    def new_take_id(self) -> int:
        """The number of the next take; numbers are never used again."""
        number, self._next_take = self._next_take, self._next_take + 1
        return number

    def put_take(self, text: str, entry: TakeEntry) -> None:
        """Adds a take at the end of the list, or replaces the one with its id by its later version."""
        known = any(other.id == entry.id for other in self.takes)
        if known:
            self.change_take(text, entry, f"take {entry.id}")
        else:
            self.change(text, replace(self.state, takes=(*self.takes, entry)), f"take {entry.id}")

    def mix(self, text: str, event_id: str, merge: str = "", **fields: object) -> None:
        """Amount, gain, pan or mute of one event in the take that is heard, and in the roll for the next take."""
        entry = self.current_take
        takes = self.takes
        if entry is not None:
            take = entry.take.adjusted(event_id, **fields)  # type: ignore[arg-type]
            takes = tuple(replace(other, take=take) if other is entry else other for other in takes)
        roll = self.roll
        if any(event.id == event_id for event in roll.events):
            roll = roll.with_event(replace(roll.event(event_id), **fields))  # type: ignore[arg-type]
        self.change(text, replace(self.state, roll=roll, takes=takes), merge)

    # --- what is looked at and heard ---------------------------------------------------------------------------------

    def select(self, chosen: Collection[str]) -> None:
        """Selects events; the last one is in focus."""
        chosen = tuple(dict.fromkeys(chosen))
        if chosen != self.selected:
            self.selected = chosen
            self.selection_changed.emit()

    def mark(self, area: Area | None) -> None:
        """Marks a stretch, or none."""
        if area != self.area:
            self.area = area
            self.area_changed.emit()

    def hear(self, version: int, difference: bool = False) -> None:
        """Switches what is heard and seen: 0 the recording, 1, 2, ... the takes; or recording minus that take."""
        version = version if 0 <= version <= len(self.takes) else ORIGINAL
        difference = difference and version != ORIGINAL
        self.heard, self.difference = version, difference
        self.heard_changed.emit()
