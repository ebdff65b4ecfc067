"""The blind test: A, B and an X that is one of them. Nothing on the screen differs between an X that is A and one that is B."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.studio.abx import BlindTest
from recomposer_studio.studio.document import ORIGINAL, Document
from recomposer_studio.studio.listening import PRE_ROLL_S, Listening

_TRIALS = 16


class AbxDialog(QDialog):
    """Asks until the agreed number of trials is answered; only then it tells how many were right.

    Args:
        document: what is open; it has a take.
        listening: plays.
        parent: the window.
    """

    def __init__(self, document: Document, listening: Listening, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Blind test (ABX)"))
        self.setMinimumWidth(460)
        self._document, self._listening = document, listening
        self.test: BlindTest | None = None
        names = [self.tr("Original"), *(entry.name for entry in document.takes)]
        self.a, self.b = self._chooser(self.tr("A"), names), self._chooser(self.tr("B"), names)
        heard = document.heard or len(document.takes)
        self.a.setCurrentIndex(ORIGINAL)
        self.b.setCurrentIndex(heard)
        self.length = QSpinBox()
        self.length.setRange(5, 100)
        self.length.setValue(_TRIALS)
        self.length.setAccessibleName(self.tr("Number of trials"))
        form = QFormLayout()
        form.addRow("A", self.a)
        form.addRow("B", self.b)
        form.addRow(self.tr("Trials"), self.length)
        self.begin = self._button(self.tr("&Begin"), self.tr("Begin the test"))
        self.begin.clicked.connect(self._begin)
        self.sounds: list[QPushButton] = []
        hear, group = QHBoxLayout(), QButtonGroup(self)
        self._group = group
        for number, letter in enumerate("ABX"):
            button = self._button(letter, self.tr("Hear {0}").format(letter))
            button.setToolTip(self.tr("Hear {0} (key {0})").format(letter))
            self._on_key(letter, partial(self._hear, number))
            button.setCheckable(True)
            button.setMinimumHeight(46)
            button.clicked.connect(lambda _=False, number=number: self._hear(number))
            group.addButton(button)
            hear.addWidget(button)
            self.sounds.append(button)
        self.is_a = self._button(self.tr("X is A"), self.tr("X is A (key 1)"))
        self.is_b = self._button(self.tr("X is B"), self.tr("X is B (key 2)"))
        for button, said_b, key in ((self.is_a, False, "1"), (self.is_b, True, "2")):
            button.setToolTip(button.accessibleName())
            self._on_key(key, partial(self._answer, said_b))
            button.clicked.connect(lambda _=False, said_b=said_b: self._answer(said_b))
        answers = QGridLayout()
        answers.addWidget(self.is_a, 0, 0)
        answers.addWidget(self.is_b, 0, 1)
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.state.setAccessibleName(self.tr("State of the test"))
        self.state.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.state.setMinimumHeight(4 * self.fontMetrics().lineSpacing())
        self.state.setAlignment(Qt.AlignmentFlag.AlignTop)
        leave = self._button(self.tr("Close"), self.tr("Close the test"))
        leave.clicked.connect(self.close)
        feet = QHBoxLayout()
        feet.addWidget(self.begin)
        feet.addStretch(1)
        feet.addWidget(leave)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.addLayout(form)
        layout.addLayout(hear)
        layout.addLayout(answers)
        layout.addWidget(self.state)
        layout.addLayout(feet)
        self.a.currentIndexChanged.connect(self._refresh)
        self.b.currentIndexChanged.connect(self._refresh)
        self._refresh()
        self.begin.setFocus()

    def _chooser(self, name: str, words: list[str]) -> QComboBox:
        chooser = QComboBox()
        chooser.addItems(words)
        chooser.setAccessibleName(self.tr("What {0} is").format(name))
        chooser.view().setAccessibleName(chooser.accessibleName())
        return chooser

    def _button(self, text: str, name: str) -> QPushButton:
        button = QPushButton(text)
        button.setAccessibleName(name)
        button.setAutoDefault(False)
        return button

    def _on_key(self, key: str, act: Callable[[], None]) -> None:
        # A button's own short-cut would press it visibly and act a tenth of a second later.
        QShortcut(QKeySequence(key), self).activated.connect(act)

    # --- the test ----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.test = BlindTest(self.length.value())
        self._refresh()
        self._hear(2)
        self.sounds[2].setFocus()

    def _answer(self, said_b: bool) -> None:
        test = self.test
        if test is not None and len(test.trials) < test.length:
            test.answer(said_b)
            self._refresh()
            if test.done:
                self._listening.end_blind()
            # The next X is heard at once, whatever was heard before.
            self._hear(2)

    def _hear(self, number: int) -> None:
        """Plays A (0), B (1) or X (2)."""
        if self.test is None or self.test.done:
            return
        self.sounds[number].setChecked(True)
        is_b = self.test.x_is_b if number == 2 else number == 1
        version = (self.b if is_b else self.a).currentIndex()
        self._listening.play_blind(version, self._gain(version), *self._span())

    def _gain(self, version: int) -> float:
        """Two takes are matched where that is asked for; the original and a take never are."""
        if ORIGINAL in (self.a.currentIndex(), self.b.currentIndex()):
            return 1.0
        takes = self._document.takes
        return self._listening.matching.gain(takes[version - 1], takes[self.a.currentIndex() - 1])

    def _span(self) -> tuple[float, float]:
        """What is repeated: the selection, or what the two versions edit, with a second on either side."""
        document, area = self._document, self._document.area
        if area is not None and area.span_s > 0.1:
            return area.start_s, area.end_s
        chosen = [document.takes[box.currentIndex() - 1] for box in (self.a, self.b) if box.currentIndex() != ORIGINAL]
        layers = [layer for entry in chosen for layer in entry.take.layers]
        if not layers or document.source is None:
            return 0.0, document.duration_s
        rate = document.source.rate_hz
        start_s = min(layer.start for layer in layers) / rate - PRE_ROLL_S
        end_s = max(layer.stop for layer in layers) / rate + PRE_ROLL_S
        return max(0.0, start_s), min(end_s, document.duration_s)

    def _refresh(self) -> None:
        test = self.test
        under_way = test is not None and not test.done
        same = self.a.currentIndex() == self.b.currentIndex()
        for widget in (self.a, self.b, self.length):
            widget.setEnabled(not under_way)
        for button in (*self.sounds, self.is_a, self.is_b):
            button.setEnabled(under_way)
        if not under_way:
            self._group.setExclusive(False)
            for button in self.sounds:
                button.setChecked(False)
            self._group.setExclusive(True)
        self.begin.setEnabled(not under_way and not same)
        self.begin.setText(self.tr("&Begin") if test is None else self.tr("&Begin anew"))
        if test is None:
            words = self.tr("Choose two different versions.") if same else self.tr(
                "X is A or B, drawn anew for every trial. Listen with the keys A, B and X, answer with 1 (X is A) or 2 (X is B)."
                " The score is told at the end."
            )  # fmt: skip
        elif under_way:
            words = self.tr("Trial {0} of {1}").format(len(test.trials) + 1, test.length)
        else:
            words = self._result(test)
        self.state.setText(words)

    def _result(self, test: BlindTest) -> str:
        odds = test.p_value
        shown = f"{odds:.3f}" if odds >= 0.001 else f"{odds:.1e}"
        verdict = (
            self.tr("A difference was heard: guessing does as well in less than 1 of 20 tests.")
            if odds < 0.05
            else self.tr("No difference was shown: guessing often does as well.")
        )
        score = self.tr("{0} of {1} right, p = {2} (exact binomial).").format(test.right, len(test.trials), shown)
        return f"{score} {verdict}"

    # --- Qt ----------------------------------------------------------------------------------------------------------

    def done(self, result: int) -> None:
        """Ends playing, however the dialog is left."""
        self._listening.end_blind()
        super().done(result)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Likewise."""
        self._listening.end_blind()
        super().closeEvent(event)
