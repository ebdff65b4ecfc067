"""What a person typed counts as soon as anything else is done, although the cursor may still stand in the field; unless it is Escape."""

from typing import Protocol, cast, runtime_checkable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemDelegate,
    QAbstractItemView,
    QAbstractSpinBox,
    QDoubleSpinBox,
    QLineEdit,
    QSpinBox,
    QWidget,
)


@runtime_checkable
class Discarding(Protocol):
    """A field that can show again what it showed before something was typed."""

    def discard(self) -> None:
        """What was typed does not count."""


def commit_field(window: QWidget) -> None:
    """Takes over what stands in the field with the cursor, as if the cursor had left it.

    Keys, menus and tool buttons leave the cursor where it is, so nothing else would tell the field.

    Args:
        window: whose field it is.
    """
    field = window.focusWidget()
    view = _view_of(field)
    if field is not None and view is not None:
        view.commitData(field)
        view.closeEditor(field, QAbstractItemDelegate.EndEditHint.NoHint)
    elif isinstance(field, QAbstractSpinBox):
        field.interpretText()
        field.editingFinished.emit()
    elif isinstance(field, QLineEdit):
        field.editingFinished.emit()


def discard_field(window: QWidget) -> None:
    """Shows again what stood in the field with the cursor before something was typed.

    Args:
        window: whose field it is.
    """
    field = window.focusWidget()
    view = _view_of(field)
    if field is not None and view is not None:
        view.closeEditor(field, QAbstractItemDelegate.EndEditHint.RevertModelCache)
    elif isinstance(field, Discarding):
        field.discard()
    elif isinstance(field, (QSpinBox, QDoubleSpinBox)):
        # Sets the text anew, also where the value stays. An int is right for both.
        field.setValue(cast(int, field.value()))


def _view_of(field: QWidget | None) -> QAbstractItemView | None:
    """The list or table that a field lies in to edit one of its items, or None."""
    holder = field.parentWidget() if field is not None else None
    view = holder.parentWidget() if holder is not None else None
    return view if isinstance(view, QAbstractItemView) and holder is view.viewport() else None


def leave_cursor(button: QAbstractButton) -> None:
    """Lets a click on a button leave the cursor where it is, so that keys go on acting there; what was typed counts first.

    Args:
        button: it, before it is connected to what it does.
    """
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.clicked.connect(lambda: commit_field(button.window()))
