"""Waits for a project to be saved before the window closes or something else is opened: with progress, and a way to stop."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QProgressBar, QVBoxLayout, QWidget

from recomposer_studio.studio.projects import Projects

_LOOK_MS = 50


class SavingDialog(QDialog):
    """Stays until nothing is being saved any more, or what was stopped is safe on this computer: a drive may never answer.

    Args:
        projects: what saves.
        name: what is saved, in a word.
        parent: the window.
    """

    def __init__(self, projects: Projects, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Saving"))
        self.setMinimumWidth(460)
        self._projects = projects
        self.words = QLabel(self.tr("Saving {0} ...").format(name))
        self.words.setTextFormat(Qt.TextFormat.PlainText)
        self.words.setWordWrap(True)
        self.words.setAccessibleName(self.tr("What is being done"))
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)  # until the first share is known
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName(self.tr("Progress"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.cancel_button = buttons.button(QDialogButtonBox.StandardButton.Cancel)
        self.cancel_button.setAccessibleName(self.tr("Stop saving"))
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        for widget in (self.words, self.progress, buttons):
            layout.addWidget(widget)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._look)
        buttons.rejected.connect(self.reject)
        projects.save_progressed.connect(self._show)
        projects.changed.connect(self._look)

    def reject(self) -> None:
        """Stops saving; the dialog goes once the work is safe."""
        self._projects.stop_saving()
        self.words.setText(self.tr("Stopping ..."))
        self.progress.setRange(0, 0)
        self.cancel_button.setEnabled(False)
        self._timer.start(_LOOK_MS)
        self._look()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Closing is stopping."""
        event.ignore()
        self.reject()

    def _show(self, share: float) -> None:
        if self.cancel_button.isEnabled():
            self.progress.setRange(0, 1000)
            self.progress.setValue(round(share * 1000))

    def _look(self) -> None:
        projects = self._projects
        if not projects.saving or (projects.stopping and projects.kept):
            self.accept()
