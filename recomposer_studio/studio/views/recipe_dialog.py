"""The recipe of a take, to read and to copy."""

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

from recomposer_studio.project.recipe_text import recipe_text
from recomposer_studio.project.state import TakeEntry


class RecipeDialog(QDialog):
    """Shows a recipe.

    Args:
        entry: the take.
        parent_name: name of the take that it was made from, empty for none.
        parent: the window.
    """

    def __init__(self, entry: TakeEntry, parent_name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Recipe of {0}").format(entry.name))
        self.resize(560, 560)
        hint = QLabel(
            self.tr(
                "Everything that made this take. Copied, it can be rendered again: Takes > Paste recipe and render."
            )
        )
        hint.setWordWrap(True)
        self.field = QPlainTextEdit(recipe_text(entry, parent_name))
        self.field.setReadOnly(True)
        self.field.setAccessibleName(self.tr("Recipe"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        copy = QPushButton(self.tr("&Copy"))
        copy.setAccessibleName(self.tr("Copy the recipe"))
        copy.clicked.connect(lambda: QApplication.clipboard().setText(self.field.toPlainText()))
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        layout = QVBoxLayout(self)
        layout.addWidget(hint)
        layout.addWidget(self.field)
        layout.addWidget(buttons)
