"""Text to read and to copy: a recipe, the last lines of a process."""

from PySide6.QtCore import Qt
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


class TextDialog(QDialog):
    """Shows a text.

    Args:
        title: of the window.
        hint: what the text is good for.
        name: what a screen reader calls it.
        text: what is shown.
        parent: the window.
    """

    def __init__(self, title: str, hint: str, name: str, text: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.resize(600, 520)
        words = QLabel(hint)
        words.setWordWrap(True)
        self.field = QPlainTextEdit(text)
        self.field.setReadOnly(True)
        self.field.setAccessibleName(name)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        copy = QPushButton(self.tr("&Copy"))
        copy.setAccessibleName(self.tr("Copy the text"))
        copy.clicked.connect(lambda: QApplication.clipboard().setText(self.field.toPlainText()))
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        layout = QVBoxLayout(self)
        layout.addWidget(words)
        layout.addWidget(self.field)
        layout.addWidget(buttons)
