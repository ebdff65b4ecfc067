"""One line across the window that says what happened; it waits for nobody and stops nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QRect, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from recomposer_studio.studio.fields import leave_cursor

_SHOWN_MS = 15_000
_MOST_WAITING = 3
"""Of what is only good to know; older words are stale."""
_BUTTONS = (
    "QFrame#messages QPushButton { color: #ffffff; background: rgba(255, 255, 255, 36); border: 1px solid rgba(255, 255, 255, 150);"
    " border-radius: 3px; padding: 3px 12px; }"
    "QFrame#messages QPushButton:hover { background: rgba(255, 255, 255, 70); }"
    "QFrame#messages QPushButton:focus { border: 2px solid #ffffff; }"
)
_REST = f"QFrame#messages {{ border: 0; border-bottom: 1px solid #16171a; }} QFrame#messages QLabel {{ color: #ffffff; }} {_BUTTONS}"
_STYLES = {
    True: f"QFrame#messages {{ background: #8f2a20; }} {_REST}",
    False: f"QFrame#messages {{ background: #2b527e; }} {_REST}",
}


@dataclass(frozen=True)
class Offer:
    """A way out of what went wrong, as a button beside the sentence.

    Attributes:
        words: what the button says.
        do: what it does; the message is closed first.
        stays: whether the message is left open instead.
    """

    words: str
    do: Callable[[], None]
    stays: bool = False


class MessageBar(QFrame):
    """Shows one sentence at a time; errors and offers stay until they are closed, others leave by themselves.

    What is told with lasting offers is not lost to what is said after it: an error comes before it, what is only good to know after it.

    It lies over the upper edge of another widget: what is below it stays where it is when a message comes or goes.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messages")
        self.label = QLabel()
        self.label.setTextFormat(Qt.TextFormat.PlainText)
        self.label.setWordWrap(True)
        self.label.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.label.setAccessibleName(self.tr("Message"))
        self.close_button = QToolButton()
        self.close_button.setText("\u2715")
        self.close_button.setAccessibleName(self.tr("Close the message"))
        self.close_button.setAutoRaise(True)
        self.close_button.setStyleSheet(
            "QToolButton { color: white; border: none; padding: 3px 6px; }"
            "QToolButton:hover { background: rgba(255, 255, 255, 50); border-radius: 3px; }"
        )
        self.close_button.clicked.connect(self.dismiss)
        self.buttons: list[QPushButton] = []
        self._offers: Sequence[Offer] = ()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 5, 6, 5)
        layout.addWidget(self.label, 1)
        layout.addWidget(self.close_button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        self._wrong = self._refusal = False
        self._lasting = False
        self._waiting: list[tuple[str, Sequence[Offer], bool]] = []
        self._below: QWidget | None = None
        self.hide()

    def lie_over(self, below: QWidget) -> None:
        """Lies over the upper edge of a widget from now on, as wide as that is."""
        self._below = below
        self.setParent(below.parentWidget())
        below.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Goes with the widget that it lies over."""
        if watched is self._below and event.type() in (QEvent.Type.Resize, QEvent.Type.Move):
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        if self._below is not None:
            at = self._below.geometry()
            self.setGeometry(QRect(at.x(), at.y(), at.width(), self.heightForWidth(at.width())))

    @property
    def text(self) -> str:
        """The sentence that is shown, empty when none is."""
        return "" if self.isHidden() else self.label.text()

    def fail(self, sentence: str, offers: Sequence[Offer] = ()) -> None:
        """Shows what went wrong, and buttons for what can be done about it."""
        self._show(sentence, True, offers)

    def withdraw(self, offers: Sequence[Offer]) -> None:
        """Closes the message that makes these offers, if it is still there: they no longer hold."""
        self._waiting = [said for said in self._waiting if not offers or said[1] is not offers]
        if offers and offers is self._offers and not self.isHidden():
            self.dismiss()

    def says(self, offers: Sequence[Offer]) -> bool:
        """Whether the message that makes these offers is on the screen, or waits."""
        shown = offers is self._offers and not self.isHidden()
        return bool(offers) and (shown or any(said[1] is offers for said in self._waiting))

    def revise(self, former: Sequence[Offer], sentence: str, offers: Sequence[Offer]) -> None:
        """Tells something else in the place of the message that makes the former offers; nothing where that was closed."""
        if not self.says(former):
            return
        self._waiting = [(sentence, offers, said[2]) if said[1] is former else said for said in self._waiting]
        if former is self._offers and not self.isHidden():
            lasting, self._lasting = self._lasting, False
            self._show(sentence, self._wrong, offers, lasting)

    def refuse(self, sentence: str) -> None:
        """Shows why something was not done; it goes with the next thing that is."""
        self._show(sentence, True)
        self._refusal = True

    def settle(self) -> None:
        """Something was done: closes what was said about a thing that was not."""
        if self._refusal and not self.isHidden():
            self.dismiss()

    def tell(self, sentence: str, offers: Sequence[Offer] = (), *, lasting: bool = False) -> None:
        """Shows something good to know, and buttons for what can be done.

        While an error is on the screen it waits; without offers it also waits for lasting ones.

        Args:
            sentence: what is told.
            offers: what can be done.
            lasting: whether the offers hold until they are withdrawn, whatever happens meanwhile.
        """
        if self.isHidden() or not (self._wrong or (self._lasting and not offers)):
            self._show(sentence, False, offers, lasting)
            return
        self._waiting.append((sentence, offers, lasting))
        plain = [said for said in self._waiting if not said[1]]
        if len(plain) > _MOST_WAITING:
            self._waiting.remove(plain[0])

    def drop_waiting(self) -> None:
        """Forgets what waits without offers: it is about something that is done anew."""
        self._waiting = [said for said in self._waiting if said[1]]

    def dismiss(self) -> None:
        """Closes the message; the next one that waits takes its place."""
        self.hide()
        if self._waiting:
            sentence, offers, lasting = self._waiting.pop(0)
            self._show(sentence, False, offers, lasting)

    def clear(self) -> None:
        """Forgets everything: another recording is open."""
        self._waiting.clear()
        self.hide()

    def _offer(self, offers: Sequence[Offer]) -> None:
        layout = self.layout()
        assert isinstance(layout, QHBoxLayout)
        for button in self.buttons:
            layout.removeWidget(button)
            button.hide()
            # Perhaps it is the one that is being pressed.
            button.deleteLater()
        self.buttons, self._offers = [], offers
        for place, offer in enumerate(offers, start=1):
            button = QPushButton(offer.words)
            button.setAccessibleName(offer.words)
            leave_cursor(button)
            button.clicked.connect(lambda _=False, offer=offer: self._accept(offer))
            layout.insertWidget(place, button)
            # Until it is shown it takes no room, and the bar would be too low for its sentence.
            button.show()
            self.buttons.append(button)

    def _accept(self, offer: Offer) -> None:
        if not offer.stays:
            self.hide()
        offer.do()
        if self.isHidden():
            # What waits comes only now: perhaps it was about what has just been mended.
            self.dismiss()

    def _show(self, sentence: str, wrong: bool, offers: Sequence[Offer] = (), lasting: bool = False) -> None:
        if self._lasting and not self.isHidden():
            # Nobody has chosen yet.
            self._waiting.insert(0, (self.label.text(), self._offers, True))
        self._wrong, self._refusal, self._lasting = wrong, False, lasting
        self._offer(offers)
        self.setStyleSheet(_STYLES[wrong])
        sentence = " ".join(sentence.split())
        self.label.setText(sentence[:1].upper() + sentence[1:])
        self.show()
        self._place()
        self.raise_()
        if wrong or offers:
            self._timer.stop()
        else:
            self._timer.start(_SHOWN_MS)
        QAccessible.updateAccessibility(QAccessibleEvent(self.label, QAccessible.Event.Alert))
