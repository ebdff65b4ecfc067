"""Asks where a project's recording is, when it is not where it was, or is another one."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.project.store.contents import Recording
from recomposer_studio.project.store.locate import Found

Compare = Callable[[Recording, Path, Callable[[Found], None], Callable[[float], None]], Callable[[], None]]
"""Compares a file with a recording, tells the share that is done and answers later; returns what stops it."""


class RelinkDialog(QDialog):
    """Says which recording is missed, and takes the file that the person points to.

    Args:
        recording: what the project knows of it.
        found: a file at its place with other bytes, or none.
        compare: finds out whether a file is the recording.
        kinds: file kinds for the file dialog.
        parent: the window.

    Signals:
        chosen: the `Found` to go on with.
    """

    chosen = Signal(object)

    def __init__(
        self, recording: Recording, found: Found, compare: Compare, kinds: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Find the recording"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setMinimumWidth(560)
        self._recording, self._compare, self._kinds = recording, compare, kinds
        self._found = found
        name = Path(recording.path).name
        # Names come from a file that others may have made: they are shown as they are, and are no markup.
        self.words, facts, self.verdict = QLabel(), QLabel(), QLabel()
        for label, spoken in (
            (self.words, self.tr("What is missing")),
            (facts, self.tr("The recording")),
            (self.verdict, self.tr("The chosen file")),
        ):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setAccessibleName(spoken)
        if found.path is None:
            self.words.setText(self.tr("The recording {0} is not where it was.").format(name))
        else:
            self.words.setText(self.tr("The recording {0} is not the one that the project was made with.").format(name))
        font = self.words.font()
        font.setBold(True)
        self.words.setFont(font)
        facts.setText(
            self.tr("{0:.1f} s, {1} Hz, {2} channels\nlast seen as {3}").format(
                recording.frames / recording.rate_hz, recording.rate_hz, recording.channels, recording.path
            )
        )
        self.find_button, self.use_button = QPushButton(self.tr("&Find ...")), QPushButton(self.tr("&Use this file"))
        self.find_button.setAccessibleName(self.tr("Find the recording"))
        self.use_button.setAccessibleName(self.tr("Use this file"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self.find_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self.use_button, QDialogButtonBox.ButtonRole.AcceptRole)
        self.find_button.setDefault(True)
        self.progress = QProgressBar()
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Progress"))
        self.progress.hide()
        self._stop: Callable[[], None] = lambda: None
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        for widget in (self.words, facts, self.verdict, self.progress):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(buttons)
        self.find_button.clicked.connect(self._find)
        self.use_button.clicked.connect(lambda: self._use(self._found))
        buttons.rejected.connect(self.reject)
        self.finished.connect(lambda: self._stop())
        self._show(found)

    def choose(self, path: Path) -> None:
        """Looks at a file: the recording is taken at once, another file when the person says so."""
        self.verdict.setText(self.tr("Comparing {0} ...").format(path.name))
        self.find_button.setEnabled(False)
        self.use_button.setEnabled(False)
        self.progress.setValue(0)
        self.progress.show()
        self._stop = self._compare(self._recording, path, self._compared, self._show_share)

    def refuse(self, sentence: str) -> None:
        """Says why a file cannot be taken."""
        self.verdict.setText(sentence)
        self.progress.hide()
        self.find_button.setEnabled(True)

    def _find(self) -> None:
        path = Path(self._recording.path)
        folder = str(path if path.parent.is_dir() else "")
        name, _ = QFileDialog.getOpenFileName(self, self.tr("Find the recording"), folder, self._kinds)
        if name:
            self.choose(Path(name))

    def _compared(self, found: Found) -> None:
        if not self.isVisible():
            return
        if found.same:
            self._use(found)
        else:
            self._show(found)

    def _show_share(self, share: float) -> None:
        self.progress.setValue(round(share * 1000))

    def _show(self, found: Found) -> None:
        self._found = found
        self.progress.hide()
        self.find_button.setEnabled(True)
        self.use_button.setEnabled(found.path is not None)
        if found.path is not None:
            words = self.tr(
                "{0} has other bytes. You can use it: the takes are kept and marked \u201cmade in another context\u201d."
            )
            self.verdict.setText(words.format(found.path))

    def _use(self, found: Found) -> None:
        self.accept()
        self.chosen.emit(found)
