"""One line across the window that says what happened; it waits for nobody and stops nothing."""

from PySide6.QtCore import QTimer
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

_SHOWN_MS = 15_000
_STYLES = {
    True: "QFrame#messages { background: #8f2a20; } QFrame#messages QLabel { color: #ffffff; }",
    False: "QFrame#messages { background: #2b527e; } QFrame#messages QLabel { color: #ffffff; }",
}


class MessageBar(QFrame):
    """Shows one sentence at a time; errors stay until they are closed, others leave by themselves."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messages")
        self.label = QLabel()
        self.label.setWordWrap(True)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.label.setAccessibleName(self.tr("Message"))
        self.close_button = QToolButton()
        self.close_button.setText("\u2715")
        self.close_button.setAccessibleName(self.tr("Close the message"))
        self.close_button.setAutoRaise(True)
        self.close_button.setStyleSheet("color: white;")
        self.close_button.clicked.connect(self.dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 5, 6, 5)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.close_button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        self._wrong = False
        self._waiting: list[str] = []
        self.hide()

    @property
    def text(self) -> str:
        """The sentence that is shown, empty when none is."""
        return "" if self.isHidden() else self.label.text()

    def fail(self, sentence: str) -> None:
        """Shows what went wrong."""
        self._show(sentence, True)

    def tell(self, sentence: str) -> None:
        """Shows something good to know; while an error is on the screen it waits."""
        if self._wrong and not self.isHidden():
            self._waiting.append(sentence)
        else:
            self._show(sentence, False)

    def dismiss(self) -> None:
        """Closes the message; the next one that waits takes its place."""
        self.hide()
        if self._waiting:
            self._show(self._waiting.pop(0), False)

    def clear(self) -> None:
        """Forgets everything: another recording is open."""
        self._waiting.clear()
        self.hide()

    def _show(self, sentence: str, wrong: bool) -> None:
        self._wrong = wrong
        self.setStyleSheet(_STYLES[wrong])
        sentence = " ".join(sentence.split())
        self.label.setText(sentence[:1].upper() + sentence[1:])
        self.show()
        if wrong:
            self._timer.stop()
        else:
            self._timer.start(_SHOWN_MS)
        QAccessible.updateAccessibility(QAccessibleEvent(self.label, QAccessible.Event.Alert))
