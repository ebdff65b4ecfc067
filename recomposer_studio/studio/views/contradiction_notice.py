"""Says in the Event panel that a keep row protects what a selected row is to change, with the ways out."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from recomposer_studio.editing.contradiction import Contradiction
from recomposer_studio.studio.contradictions import Key, another, key, removal, sentence
from recomposer_studio.studio.fields import leave_cursor

_STYLE = "QFrame#contradiction { border: 1px solid #c98a1b; border-radius: 3px; background: rgba(201, 138, 27, 36); }"
"""Seen on a dark and on a light ground."""


class ContradictionNotice(QFrame):
    """A sentence and two buttons, hidden while nothing is to be said.

    Signals:
        removal_wanted: the keep rows shall go.
        another_wanted: they are other sounds; nothing more is to be said of them.
    """

    removal_wanted = Signal()
    another_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._said: frozenset[Key] = frozenset()
        self.setObjectName("contradiction")
        self.setStyleSheet(_STYLE)
        self._words = QLabel()
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._words.setWordWrap(True)
        self._words.setAccessibleName(self.tr("Rows that contradict each other"))
        self.remove = QPushButton(self.tr("Remove the keep row"))
        self.another = QPushButton(self.tr("It is another sound"))
        self.remove.setToolTip(self.tr("The sound then belongs to the row that deletes or enhances it"))
        self.another.setToolTip(
            self.tr("Both rows stay: the keep row protects a sound of the same class in the same place")
        )
        buttons = QHBoxLayout()
        for button in (self.remove, self.another):
            button.setAccessibleName(button.text())
            leave_cursor(button)
            buttons.addWidget(button)
        self.remove.clicked.connect(self.removal_wanted)
        self.another.clicked.connect(self.another_wanted)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.addWidget(self._words)
        layout.addLayout(buttons)
        self.hide()

    @property
    def text(self) -> str:
        """The sentence that is shown, empty when none is."""
        return "" if self.isHidden() else self._words.text()

    @property
    def in_sight(self) -> bool:
        """Whether all of it can be seen: the panel may be closed, behind another one, or too low."""
        return self.isVisible() and self.visibleRegion().boundingRect() == self.rect()

    def show_pairs(self, pairs: Sequence[Contradiction]) -> None:
        """Says what is wrong with the selected rows, or nothing."""
        former, self._said = self._said, frozenset(map(key, pairs))
        if not pairs:
            self.hide()
            return
        self._words.setText(sentence(self, pairs))
        for button, name in ((self.remove, removal(self, pairs)), (self.another, another(self, pairs))):
            button.setText(name)
            button.setAccessibleName(name)
        self.show()
        # While a box is dragged its times change at every step; that is not read out.
        if not self._said <= former:
            QAccessible.updateAccessibility(QAccessibleEvent(self._words, QAccessible.Event.Alert))
