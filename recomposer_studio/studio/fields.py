"""What a person typed counts as soon as anything else is done, although the cursor may still stand in the field."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemDelegate,
    QAbstractItemView,
    QAbstractSpinBox,
    QLineEdit,
    QWidget,
)


def commit_field(window: QWidget) -> None:
    """Takes over what stands in the field with the cursor, as if the cursor had left it.

    Keys, menus and tool buttons leave the cursor where it is, so nothing else would tell the field.

    Args:
        window: whose field it is.
    """
    field = window.focusWidget()
    holder = field.parentWidget() if field is not None else None
    view = holder.parentWidget() if holder is not None else None
    if field is not None and isinstance(view, QAbstractItemView) and holder is view.viewport():
        view.commitData(field)
        view.closeEditor(field, QAbstractItemDelegate.EndEditHint.NoHint)
    elif isinstance(field, QAbstractSpinBox):
        field.interpretText()
        field.editingFinished.emit()
    elif isinstance(field, QLineEdit):
        field.editingFinished.emit()


def leave_cursor(button: QAbstractButton) -> None:
    """Lets a click on a button leave the cursor where it is, so that keys go on acting there; what was typed counts first.

    Args:
        button: it, before it is connected to what it does.
    """
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.clicked.connect(lambda: commit_field(button.window()))
