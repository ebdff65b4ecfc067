"""The one undoable step: from one state of the document to another."""

from typing import TYPE_CHECKING

from PySide6.QtGui import QUndoCommand

if TYPE_CHECKING:
    from recomposer_studio.project.state import State
    from recomposer_studio.studio.document import Document, RollFile


class Change(QUndoCommand):
    """Moves the document between two states; states are frozen values that share all that did not change.

    Args:
        document: what is changed.
        text: what was done, for the menu and the history.
        before: the state to go back to.
        after: the state to go to.
        merge: steps that follow each other with the same key, which is not empty, become one.
        roll_file: what counts as the roll's file after the step, for one that brings a file's roll; None leaves it.

    Attributes:
        after: the state to go to, the last one of all steps that became this one.
    """

    _MERGE_ID = 1

    def __init__(
        self,
        document: "Document",
        text: str,
        before: "State",
        after: "State",
        merge: str,
        roll_file: "RollFile | None" = None,
    ) -> None:
        super().__init__(text)
        self._document, self._before, self.after, self._merge = document, before, after, merge
        self._other_file = roll_file

    def redo(self) -> None:
        """Applies the change."""
        self._swap_file()
        self._document.apply(self.after)

    def undo(self) -> None:
        """Takes it back."""
        self._swap_file()
        self._document.apply(self._before)

    def _swap_file(self) -> None:
        """Puts the file of the other side of the step in place; where the roll is saved meanwhile belongs to this side."""
        if self._other_file is not None:
            self._document.roll_file, self._other_file = self._other_file, self._document.roll_file

    def id(self) -> int:
        """Which commands may merge."""
        return self._MERGE_ID if self._merge else -1

    def mergeWith(self, other: QUndoCommand) -> bool:  # noqa: N802 - Qt's name
        """Takes over what a following step of the same gesture did."""
        if not isinstance(other, Change) or other._merge != self._merge:
            return False
        self.after = other.after
        return True
