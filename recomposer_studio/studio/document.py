"""What is open: the recording, its roll, the takes; every change is one undoable step. No widgets here."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from recomposer_studio.audio.atomic import atomic_path
from recomposer_studio.audio.source import Source
from recomposer_studio.editing.contradiction import sound_of
from recomposer_studio.project.kept import home_of
from recomposer_studio.project.state import State, TakeEntry
from recomposer_studio.project.store.contents import History
from recomposer_studio.project.take import Take
from recomposer_studio.roll.event import Event, EventRoll
from recomposer_studio.roll.file import check_fits
from recomposer_studio.roll.formats.files import (
    LabelFormat,
    format_labels,
    format_of,
    keeps_all,
    output_format_of,
    read_labels,
)
from recomposer_studio.roll.formats.values import About
from recomposer_studio.studio.commands import Change
from recomposer_studio.studio.set_aside import with_roll
from recomposer_studio.studio.verbs import Area

ORIGINAL = 0
"""What is heard: 0 is the recording, 1, 2, ... are the takes by their place in the list."""


@dataclass(frozen=True)
class RollFile:
    """The file that the roll is saved to.

    Attributes:
        path: the file, or None where there is none to save to without a question.
        roll: what was read from it, or written to it.
    """

    path: Path | None = None
    roll: EventRoll = field(default_factory=EventRoll)


class Document(QObject):
    """One open recording.

    Signals:
        leaving: what is open is about to be replaced.
        opened: another recording, or none, is open.
        roll_changed: events changed.
        suggestions_changed: the detector's suggestions changed.
        selection_changed: other events are selected.
        area_changed: another stretch is marked.
        takes_changed: a take came, went or changed.
        heard_changed: another version is on the screen and on the ears.
        refused: something was not done because a take is locked, or the project read-only; a sentence.
        writable: a project that was read-only is so no longer.
    """

    leaving = Signal()
    opened = Signal()
    roll_changed = Signal()
    suggestions_changed = Signal()
    selection_changed = Signal()
    area_changed = Signal()
    takes_changed = Signal()
    heard_changed = Signal()
    refused = Signal(str)
    writable = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.source: Source | None = None
        self.state = State()
        self.selected: tuple[str, ...] = ()
        self.area: Area | None = None
        self.heard = ORIGINAL
        self.difference = False
        self.removed = ""
        self.roll_file = RollFile()
        self.undo_stack = QUndoStack(self)
        self.elsewhere: frozenset[str] = frozenset()
        self.read_only = False
        self._next_take = 1
        self._restoring = False

    @property
    def roll(self) -> EventRoll:
        """The events."""
        return self.state.roll

    @property
    def suggestions(self) -> EventRoll:
        """What the detector found and nobody has accepted or rejected yet."""
        return self.state.suggestions

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
        return self.roll != self.roll_file.roll

    @property
    def current_take(self) -> TakeEntry | None:
        """The take that is heard."""
        return self.takes[self.heard - 1] if 0 < self.heard <= len(self.takes) else None

    @property
    def rendered_ids(self) -> set[str]:
        """The ids of all events that a take was rendered with: given to another box, they would join it to their sounds."""
        return {event.id for entry in self.takes for event in entry.take.roll.events}

    @property
    def selected_events(self) -> tuple[Event, ...]:
        """The selected events in the roll's order."""
        selected = set(self.selected)
        return tuple(event for event in self.roll.events if event.id in selected)

    # --- opening and saving ------------------------------------------------------------------------------------------

    def open(self, path: Path) -> None:
        """Opens a recording in place of the present one.

        Raises:
            InputError: it cannot be read; the present one stays open.
        """
        source = Source.open(path)
        self.leaving.emit()
        former, self.source = self.source, source
        self.elsewhere, self.read_only = frozenset(), False
        self.undo_stack.clear()
        self.state, self.selected, self.area = State(), (), None
        self.heard, self.difference, self.removed = ORIGINAL, False, ""
        self.roll_file, self._next_take = RollFile(), 1
        self.opened.emit()
        if former is not None:
            former.close()

    def restore(self, source: Source, history: History, *, read_only: bool = False) -> None:
        """Puts a saved history in the place of what is open, with everything that undo and redo reach.

        Args:
            source: the recording, open; the document closes it later.
            history: the states, whose takes belong to `source`.
            read_only: whether changes are refused.
        """
        self.leaving.emit()
        former, self.source = self.source, source
        self._restoring = True
        self.undo_stack.blockSignals(True)
        self.undo_stack.clear()
        before = history.first
        for step in history.steps:
            # Without the gestures' keys: a gesture of today must not grow into a step of then.
            self.undo_stack.push(Change(self, step.text, before, step.after, ""))
            before = step.after
        self.undo_stack.setIndex(history.index)
        self.undo_stack.blockSignals(False)
        self._restoring = False
        self.state, self.selected, self.area = history.state, (), None
        self.heard, self.difference, self.removed = ORIGINAL, False, ""
        self.roll_file, self._next_take = RollFile(), history.next_take
        self.elsewhere, self.read_only = frozenset(), read_only
        self.opened.emit()
        self.roll_changed.emit()
        self.suggestions_changed.emit()
        self.takes_changed.emit()
        self.undo_stack.indexChanged.emit(history.index)
        if former is not None and former is not source:
            former.close()

    def end_read_only(self) -> None:
        """Changes are no longer refused: what is open is saved in a file of its own."""
        if self.read_only:
            self.read_only = False
            self.writable.emit()

    def close(self) -> None:
        """Closes the recording."""
        source, self.source = self.source, None
        if source is not None:
            source.close()

    @property
    def about(self) -> About:
        """What label files have to know of the recording."""
        source = self.source
        return About(home_of(source).name, source.duration_s, source.rate_hz) if source else About()

    def load_roll(self, path: Path, text: str) -> tuple[str, ...] | None:
        """Replaces the roll by one from a file, or by the labels of another program, as an undoable step.

        Returns:
            Sentences on what was left out; None where the change was refused.

        Raises:
            InputError: the file is no roll, or does not fit the recording.
        """
        labels = read_labels(path, self.about)
        check_fits(labels.roll, self.duration_s, str(path))
        # Labels of another program are not to be saved over by what the Studio makes of them.
        roll_file = RollFile(path if format_of(path) is LabelFormat.ROLL else None, labels.roll)
        # Its events are others, even where their ids are the same.
        if not self.change(text, replace(self.state, roll=labels.roll, aside=()), roll_file=roll_file):
            return None
        self.select(())
        self.roll_changed.emit()
        return labels.notes

    def save_roll(self, path: Path) -> bool:
        """Writes the roll, in the format that the name asks for.

        Returns:
            Whether everything is in the file; if not, it counts as a copy, and the roll stays unsaved.

        Raises:
            InputError: it cannot be written there, or in no such format.
        """
        kind = output_format_of(path)
        with atomic_path(path) as beside:
            beside.write_text(format_labels(self.roll, kind, self.about), encoding="utf-8", newline="\n")
        whole = not self.roll.events or keeps_all(self.roll, kind, self.about)
        if whole:
            self.roll_file = RollFile(path, self.roll)
        self.roll_changed.emit()
        return whole

    # --- changes -----------------------------------------------------------------------------------------------------

    def change(self, text: str, state: State, merge: str = "", roll_file: RollFile | None = None) -> bool:
        """Makes a change that can be undone; changes in a row with the same `merge` key are one step.

        Args:
            text: what is done.
            state: the state to come.
            merge: the key, or empty.
            roll_file: the file that the roll comes from; undoing the step brings back the one before.

        Returns:
            Whether the document is in that state now; False where the change was refused.
        """
        if state == self.state:
            self.roll_file = roll_file or self.roll_file
        elif self.read_only:
            self.refused.emit(self.tr("This project is read-only here; use File > Save project as to work on a copy."))
            # What shows a change that was not made shows what is there again.
            self.roll_changed.emit()
            self.takes_changed.emit()
            return False
        else:
            self.undo_stack.push(Change(self, text, self.state, state, merge, roll_file))
        return True

    def change_roll(self, text: str, roll: EventRoll, merge: str = "") -> bool:
        """A change of the events alone, see `change`."""
        return self.change(text, with_roll(self.state, roll), merge)

    def change_take(self, text: str, entry: TakeEntry, merge: str = "") -> bool:
        """A change of one take in the list, found by its id, see `change`."""
        takes = tuple(entry if other.id == entry.id else other for other in self.takes)
        return self.change(text, replace(self.state, takes=takes), merge)

    def apply(self, state: State) -> None:
        """Puts a state in place and tells what differs; only `Change` calls this."""
        if self._restoring:
            return
        before, self.state = self.state, state
        heard = before.takes[self.heard - 1].id if 0 < self.heard <= len(before.takes) else None
        if before.takes != state.takes:
            self.removed = self.removed if self._has_layer(self.removed) else ""
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
        if before.suggestions != state.suggestions:
            self.suggestions_changed.emit()

    @property
    def next_take(self) -> int:
        """The number that `new_take_id` gives next."""
        return self._next_take

    def made_elsewhere(self, take: Take) -> bool:
        """Whether a layer of a take was made before the recording changed: its inputs are not those of today."""
        return any(layer.key in self.elsewhere for layer in take.layers)

    def vouch_for(self, take: Take) -> None:
        """A take was rendered just now: layers of its keys belong to the recording as it is."""
        self.elsewhere -= {layer.key for layer in take.layers}

    def new_take_id(self) -> int:
        """The number of the next take; numbers are never used again."""
        number, self._next_take = self._next_take, self._next_take + 1
        return number

    def put_take(self, text: str, entry: TakeEntry) -> bool:
        """Adds a take at the end of the list, or replaces the one with its id by its later version, see `change`."""
        known = any(other.id == entry.id for other in self.takes)
        if known:
            return self.change_take(text, entry, f"take {entry.id}")
        return self.change(text, replace(self.state, takes=(*self.takes, entry)), f"take {entry.id}")

    def refuse_locked(self, entry: TakeEntry) -> bool:
        """Whether a take is locked; if it is, that is said."""
        if entry.locked:
            words = self.tr("{0} is locked, so it stays as it is; unlock it or duplicate it first (Takes menu).")
            self.refused.emit(words.format(entry.name))
        return entry.locked

    def mix(self, text: str, event_id: str, merge: str = "", **fields: object) -> None:
        """Amount, gain, pan or mute of one event in the take that is heard, and in the roll for the next take."""
        self.mix_take(self.current_take, text, event_id, merge, **fields)

    def mix_take(self, entry: TakeEntry | None, text: str, event_id: str, merge: str = "", **fields: object) -> None:
        """The same in any take, or in the roll alone."""
        takes = self.takes
        if entry is not None and self.refuse_locked(entry):
            return
        if entry is not None:
            take = entry.take.adjusted(event_id, **fields)  # type: ignore[arg-type]
            takes = tuple(replace(other, take=take) if other is entry else other for other in takes)
        roll = self.roll
        box = next((event for event in roll.events if event.id == event_id), None)
        if box is not None and (entry is None or sound_of(box) == sound_of(entry.take.layer(event_id).event)):
            roll = roll.with_event(replace(box, **fields))  # type: ignore[arg-type]
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
        self.heard, self.difference, self.removed = version, difference, ""
        self.heard_changed.emit()

    def hear_removed(self, event_id: str) -> None:
        """Of the take that is heard, only what an event took out; empty for the take itself."""
        self.difference, self.removed = False, event_id if self._has_layer(event_id) else ""
        self.heard_changed.emit()

    def _has_layer(self, event_id: str) -> bool:
        entry = self.current_take
        return entry is not None and any(layer.event.id == event_id for layer in entry.take.layers)
