"""Shows a report: after an unexpected error, or because it was asked for."""

from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QFontDatabase
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)


class ReportDialog(QDialog):
    """A report to read and copy; it stops nothing, the window can be used beside it.

    Args:
        sentence: what it is about.
        folder: where the log lies.
        parent: the window.
    """

    def __init__(self, sentence: str, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Report"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(760, 520)
        self._folder = folder
        self._copied = ""
        self.sentence = QLabel(sentence)
        self.sentence.setTextFormat(Qt.TextFormat.PlainText)
        self.sentence.setWordWrap(True)
        self.sentence.setAccessibleName(self.tr("What happened"))
        promise = QLabel(
            self.tr("The report below says what the program ran on and what was done last. It holds no sound, no labels and no names of your files.")
        )  # fmt: skip
        promise.setWordWrap(True)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setAccessibleName(self.tr("Report"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy_button = QPushButton(self.tr("&Copy the report"))
        self.copy_button.setAccessibleName(self.tr("Copy the report"))
        self.copy_button.clicked.connect(self.copy)
        self.folder_button = QPushButton(self.tr("Show the &log folder"))
        self.folder_button.setAccessibleName(self.tr("Show the log folder"))
        self.folder_button.clicked.connect(lambda: show_folder(self._folder))
        for button in (self.copy_button, self.folder_button):
            buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.sentence)
        layout.addWidget(promise)
        layout.addWidget(self.text, 1)
        layout.addWidget(buttons)

    def show_report(self, text: str) -> None:
        """Shows a report, or a fuller one in its place; a copy that was made of the former is made anew."""
        clipboard = QApplication.clipboard()
        again = bool(self._copied) and clipboard.text() == self._copied
        bar = self.text.verticalScrollBar()
        at = bar.value()
        self.text.setPlainText(text)
        bar.setValue(at)
        if again:
            self.copy()

    def copy(self) -> None:
        """Puts the report into the clipboard."""
        self._copied = self.text.toPlainText()
        QApplication.clipboard().setText(self._copied)
        self.copy_button.setText(self.tr("Copied"))


def show_folder(folder: Path) -> bool:
    """Opens a folder in the system's file manager; false when there is no such folder or no file manager."""
    return folder.is_dir() and QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
