"""The bar above the picture: who listens, how far it is, which suggestions are shown, and what becomes of them."""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QSlider,
    QWidget,
)

from recomposer_studio.studio.detecting import Detecting
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.fields import leave_cursor
from recomposer_studio.studio.suggestions import Suggestions

_SETTLED_MS = 400


class DetectBar(QFrame):
    """Detection in one line.

    Signals:
        threshold_chosen: the slider came to rest at a confidence, 0 to 1.
        tagger_chosen: the person chose who listens.
        file_wanted: YAMNet is to be installed from a file that the person will choose.
    """

    threshold_chosen = Signal(float)
    tagger_chosen = Signal(str)
    file_wanted = Signal()

    def __init__(
        self, document: Document, detecting: Detecting, suggestions: Suggestions, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Detection"))
        self._document, self._detecting, self._suggestions = document, detecting, suggestions
        self._filling = False
        self._can_listen = self._may_install = False
        # Remembered when it rests: every step of a drag would be a file to write.
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLED_MS)
        self._settled.timeout.connect(lambda: self.threshold_chosen.emit(suggestions.threshold))
        self._build()
        self._lay_out()
        detecting.progressed.connect(self._progressed)
        suggestions.changed.connect(self._show_suggestions)
        for signal in (detecting.state_changed, document.opened, document.writable):
            signal.connect(self.refresh)
        self.refresh()

    def _build(self) -> None:
        suggestions = self._suggestions
        self.detect = self._button(
            self.tr("Detect"), self.tr("Listen to the recording and suggest rows (Ctrl+Shift+D)")
        )
        self.detect.clicked.connect(self._detecting.detect)
        self.tagger = QComboBox()
        self.tagger.setAccessibleName(self.tr("Who listens"))
        self.tagger.view().setAccessibleName(self.tr("Who listens"))
        self.tagger.setToolTip(self.tr("The detector that listens to the recording"))
        self.tagger.activated.connect(lambda place: self._chosen(str(self.tagger.itemData(place))))
        self.install = self._button(
            self.tr("Install YAMNet"),
            self.tr("Fetch YAMNet, a detector for 521 classes of sound, once; it stays on this computer"),
        )
        menu = QMenu(self.install)
        menu.setAccessibleName(self.install.text())
        menu.addAction(self.tr("&Fetch it (about 17 MB)")).triggered.connect(
            lambda _=False: self._detecting.install_yamnet()
        )
        menu.addAction(self.tr("From a &file ...")).triggered.connect(lambda _=False: self.file_wanted.emit())
        self.install.setMenu(menu)
        self.work = ElidedLabel()
        self.work.setAccessibleName(self.tr("What the detector does"))
        self.progress = QProgressBar()
        self.progress.setAccessibleName(self.tr("Progress of the detector"))
        self.progress.setTextVisible(False)
        self.progress.setMinimumWidth(50)
        self.progress.setMaximumWidth(110)
        self.cancel = self._button(self.tr("Cancel"), self.tr("Stop listening; what was found stays (Esc)"))
        self.cancel.setAccessibleName(self.tr("Cancel the detection"))
        self.cancel.clicked.connect(self._detecting.cancel)
        self.least = QLabel(self.tr("Show from"))
        self.threshold = QSlider(Qt.Orientation.Horizontal)
        self.threshold.setAccessibleName(self.tr("Least confidence of the suggestions shown"))
        self.threshold.setToolTip(
            self.tr("Suggestions that the detector is less sure of are hidden; they come back when you move the slider")
        )
        self.threshold.setRange(0, 100)
        self.threshold.setPageStep(5)
        self.threshold.setMinimumWidth(50)
        self.threshold.setMaximumWidth(130)
        self.threshold.valueChanged.connect(self._threshold_moved)
        self.value = QLabel()
        self.value.setAccessibleName(self.tr("Least confidence"))
        self.value.setMinimumWidth(self.value.fontMetrics().horizontalAdvance("100 %"))
        self.count = ElidedLabel()
        self.count.setAccessibleName(self.tr("Suggestions"))
        self.accept = self._button(
            self.tr("Accept"), self.tr("Make the suggestion in focus a box of the roll (Return)")
        )
        self.accept.clicked.connect(lambda: suggestions.accept())
        self.reject = self._button(self.tr("Reject"), self.tr("Drop the suggestion in focus (Backspace)"))
        self.reject.clicked.connect(suggestions.reject)
        self.accept_all = self._button(
            self.tr("Accept all"), self.tr("Make every suggestion that is shown a box of the roll (Ctrl+Return)")
        )
        self.accept_all.clicked.connect(suggestions.accept_all)

    def _button(self, words: str, tip: str) -> QPushButton:
        button = QPushButton(words)
        button.setAccessibleName(words)
        button.setToolTip(tip)
        leave_cursor(button)
        return button

    def _lay_out(self) -> None:
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 3, 8, 3)
        layout.setSpacing(7)
        for widget in (self.detect, self.tagger, self.install, self.progress):
            layout.addWidget(widget)
        layout.addWidget(self.work, 2)
        layout.addWidget(self.cancel)
        layout.addSpacing(6)
        for part in (self.least, self.threshold, self.value):
            layout.addWidget(part)
        layout.addWidget(self.count, 3)
        for widget in (self.accept, self.reject, self.accept_all):
            layout.addWidget(widget)

    # --- showing -----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Shows who can listen, and whether somebody does."""
        detecting = self._detecting
        listeners = detecting.listeners()
        ready = [listener for listener in listeners if listener.ready]
        self._can_listen = bool(ready)
        self.tagger.clear()
        for listener in ready:
            self.tagger.addItem(listener.words, listener.name)
        present = detecting.listener
        self.tagger.setCurrentIndex(self.tagger.findData(present.name) if present else -1)
        running = detecting.running
        self.detect.setVisible(not running)
        self.detect.setEnabled(self._can_listen and not self._document.read_only)
        self.tagger.setVisible(not running and self._can_listen)
        self._may_install = not running and len(ready) < len(listeners)
        for widget in (self.progress, self.work, self.cancel):
            widget.setVisible(running)
        self._show_suggestions()

    def _show_suggestions(self) -> None:
        suggestions = self._suggestions
        some = bool(self._document.suggestions.events)
        for part in (self.least, self.threshold, self.value):
            part.setVisible(some)
        self.install.setVisible(self._may_install and not some)
        # While it listens their place is needed; the keys work all the same.
        for button in (self.accept, self.reject, self.accept_all):
            button.setVisible(some and not self._detecting.running)
        self._filling = True
        self.threshold.setValue(round(suggestions.threshold * 100))
        self._filling = False
        self.value.setText(f"{suggestions.threshold:.0%}")
        self.count.set_wordings(*self._wordings())
        self.count.setToolTip(self.count.text())
        focused = suggestions.focused is not None
        self.accept.setEnabled(focused)
        self.reject.setEnabled(focused)
        self.accept_all.setEnabled(bool(suggestions.visible))

    def _wordings(self) -> tuple[str, ...]:
        """What there is to say, the longest wording first."""
        suggestions = self._suggestions
        shown, hidden = len(suggestions.visible), suggestions.hidden
        focused = suggestions.focused
        if focused is not None:
            brief = self.tr("{0}, {1} sure").format(focused.label, f"{focused.confidence or 0.0:.0%}")
            return (
                self.tr("{0}: Return accepts, Backspace rejects, I X E accept with that action").format(brief),
                self.tr("{0}: Return accepts, Backspace rejects").format(brief),
                brief,
            )
        if shown and hidden:
            brief = self.tr("{0} of {1} suggestions").format(shown, shown + hidden)
        elif shown:
            brief = self.tr("1 suggestion") if shown == 1 else self.tr("{0} suggestions").format(shown)
        if shown:
            through = (
                self.tr("{0}; Alt+Right goes to it") if shown == 1 else self.tr("{0}; Alt+Right goes through them")
            )
            return through.format(brief), brief
        if hidden == 1:
            return (
                self.tr("1 suggestion is hidden: move the slider to the left to see it"),
                self.tr("1 suggestion is hidden"),
                self.tr("1 hidden"),
            )
        if hidden:
            return (
                self.tr("{0} suggestions are hidden: move the slider to the left to see them").format(hidden),
                self.tr("{0} suggestions are hidden").format(hidden),
                self.tr("{0} hidden").format(hidden),
            )
        if self._detecting.running:
            return ("",)
        return (
            self.tr("Suggests rows: what is heard, where, and how sure that is"),
            self.tr("Suggests rows for what is heard"),
            "",
        )

    def _progressed(self, share: float, left_s: float, what: str) -> None:
        self.progress.setRange(0, 0 if share < 0 else 1000)
        if share >= 0:
            self.progress.setValue(round(share * 1000))
        left = self.tr("{0} s left").format(max(1, round(left_s)))
        if left_s >= 100:
            left = self.tr("{0} min left").format(round(left_s / 60))
        self.work.setText(what if left_s < 0 else f"{what}, {left}")

    # --- choosing ----------------------------------------------------------------------------------------------------

    def _chosen(self, name: str) -> None:
        self._detecting.tagger = name
        self.tagger_chosen.emit(name)

    def _threshold_moved(self, value: int) -> None:
        if not self._filling:
            self._suggestions.set_threshold(value / 100)
            self._settled.start()


class ElidedLabel(QLabel):
    """A label that says it shorter, and in the end is cut short with an ellipsis, where there is too little room.

    Its text, which is also what is spoken, is the longest wording.
    """

    def __init__(self) -> None:
        super().__init__()
        self._wordings: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def set_wordings(self, *wordings: str) -> None:
        """The same in several words, the longest wording first."""
        self._wordings = wordings
        self.setText(wordings[0])

    @property
    def shown(self) -> str:
        """What fits."""
        wordings = self._wordings if self._wordings[:1] == (self.text(),) else (self.text(),)
        metrics, room = self.fontMetrics(), self.width()
        fitting = (words for words in wordings if metrics.horizontalAdvance(words) <= room)
        return next(fitting, metrics.elidedText(wordings[-1], Qt.TextElideMode.ElideRight, room))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draws what fits."""
        painter = QPainter(self)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, self.shown)
        painter.end()
