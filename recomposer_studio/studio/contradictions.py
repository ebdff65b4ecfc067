"""Rows that contradict each other: which the person has to hear of, and the ways out. The rule is `editing.contradiction`'s."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from recomposer_studio.editing.contradiction import Contradiction, contradictions
from recomposer_studio.roll.event import Action
from recomposer_studio.studio import verbs
from recomposer_studio.studio.document import Document

Key = tuple[str, str]
"""The ids of the edit and of the keep row."""


class Contradictions(QObject):
    """The contradictions of the open roll that nobody has put aside.

    Signals:
        changed: there are others, or other rows are selected.
    """

    changed = Signal()

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._document = document
        self._aside: frozenset[Key] = frozenset()
        self._all: tuple[Contradiction, ...] = ()
        document.opened.connect(self._opened)
        document.roll_changed.connect(self._follow)
        document.selection_changed.connect(self.changed)

    @property
    def pairs(self) -> tuple[Contradiction, ...]:
        """What is to be told, in the order of time."""
        return tuple(pair for pair in self._all if key(pair) not in self._aside)

    @property
    def selected(self) -> tuple[Contradiction, ...]:
        """Those of them that a selected row has a part in."""
        chosen = set(self._document.selected)
        return tuple(pair for pair in self.pairs if chosen & {pair.edit.id, pair.keep.id})

    def remove_keeps(self, pairs: Sequence[Contradiction]) -> None:
        """Takes the *keep* rows out of the roll, as one step: the edits have their sounds."""
        keys = set(map(key, pairs))
        there = [pair for pair in self._all if key(pair) in keys]
        if there:
            roll = verbs.delete(self._document.roll, {pair.keep.id for pair in there})
            self._document.change_roll(removal(self, there), roll)

    def put_aside(self, pairs: Sequence[Contradiction]) -> None:
        """They are different sounds of a class: both rows stay, and nothing more is said of them while the recording is open."""
        self._aside |= set(map(key, pairs))
        self.changed.emit()

    def _opened(self) -> None:
        self._aside = frozenset()
        self._follow()

    def _follow(self) -> None:
        events = self._document.roll.events
        present = verbs.ids(self._document.roll)
        # Ids are given again: what is said of a row goes with it.
        self._aside = frozenset(ids for ids in self._aside if set(ids) <= present)
        self._all = contradictions(events)
        self.changed.emit()


def key(pair: Contradiction) -> Key:
    """Which pair it is, wherever its rows are moved."""
    return pair.edit.id, pair.keep.id


# --- in words ---------------------------------------------------------------------------------------------------------


def sentence(owner: QObject, pairs: Sequence[Contradiction]) -> str:
    """What is wrong, naming the rows where it is one of a kind.

    Args:
        owner: translates.
        pairs: at least one.
    """
    keeps, edits = {pair.keep.id: pair.keep for pair in pairs}, {pair.edit.id: pair.edit for pair in pairs}
    keep, edit = pairs[0].keep, pairs[0].edit
    start = owner.tr("The keep row {0} ({1} s) protects").format(keep.label, f"{keep.start_s:.2f}")
    if len(keeps) > 1:
        start = owner.tr("{0} keep rows protect").format(len(keeps))
    if len(edits) > 1:
        return owner.tr("{0} what {1} rows delete or enhance: hardly any of it will change.").format(start, len(edits))
    words = owner.tr("{0} what the row {1} ({2} s) enhances: hardly any of it will change.")
    if edit.action is Action.DELETE:
        words = owner.tr("{0} what the row {1} ({2} s) deletes: hardly any of it will go.")
    return words.format(start, edit.label, f"{edit.start_s:.2f}")


def removal(owner: QObject, pairs: Sequence[Contradiction]) -> str:
    """What the button says that takes the *keep* rows away."""
    count = len({pair.keep.id for pair in pairs})
    return owner.tr("Remove the keep row") if count == 1 else owner.tr("Remove {0} keep rows").format(count)


def another(owner: QObject, pairs: Sequence[Contradiction]) -> str:
    """What the button says that leaves both rows."""
    return owner.tr("It is another sound") if len(pairs) == 1 else owner.tr("They are other sounds")
