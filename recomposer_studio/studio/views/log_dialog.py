"""What a process wrote before it was lost, to read and to copy."""

from collections.abc import Sequence

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


class LogDialog(QDialog):
    """Shows the last lines of a process.

    Args:
        lines: the lines.
        parent: the window.
    """

    def __init__(self, lines: Sequence[str], parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("What the process of the model wrote"))
        self.resize(640, 360)
        hint = QLabel(self.tr("The last lines before it ended. They help whoever looks for the cause."))
        hint.setWordWrap(True)
        self.field = QPlainTextEdit("\n".join(lines))
        self.field.setReadOnly(True)
        self.field.setAccessibleName(self.tr("Last lines of the process"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        copy = QPushButton(self.tr("&Copy"))
        copy.setAccessibleName(self.tr("Copy the lines"))
        copy.clicked.connect(lambda: QApplication.clipboard().setText(self.field.toPlainText()))
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        layout = QVBoxLayout(self)
        layout.addWidget(hint)
        layout.addWidget(self.field)
        layout.addWidget(buttons)
