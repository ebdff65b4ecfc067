"""A number field for several boxes at once: where they differ it says so, and what is entered counts for all."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QWidget


class MixedSpin(QDoubleSpinBox):
    """A spin box that can stand for different values.

    Args:
        unit: behind the number.
        parent: its owner.

    Signals:
        entered: the person entered a number, also where it is the one that was there for some.
    """

    entered = Signal(float)

    def __init__(self, unit: str = "", parent: QWidget | None = None) -> None:
        self._mixed = False
        self._typed: str | None = None
        self._unit = unit
        super().__init__(parent)
        self.setSuffix(unit)
        self.setKeyboardTracking(False)
        self.valueChanged.connect(self._changed)
        self.editingFinished.connect(self._finished)
        edit = self.lineEdit()
        assert edit is not None
        edit.textEdited.connect(self._typing)

    @property
    def mixed(self) -> bool:
        """Whether it stands for different values."""
        return self._mixed

    def show_values(self, values: list[float]) -> None:
        """Shows the value that all have, or that they differ; at least one value."""
        self.blockSignals(True)
        self._typed = None
        self._become(len(set(values)) > 1)
        self.setValue(values[-1])
        self.blockSignals(False)

    def _become(self, mixed: bool) -> None:
        self._mixed = mixed
        # Sets the text anew, also where the value stays.
        self.setSuffix("" if mixed else self._unit)
        edit = self.lineEdit()
        if edit is not None and edit.text() != self.prefix() + self.textFromValue(self.value()) + self.suffix():
            edit.setText(self.prefix() + self.textFromValue(self.value()) + self.suffix())

    def _word(self) -> str:
        return self.tr("differ")

    def _typing(self, text: str) -> None:
        if self._mixed or self._typed is not None:
            self._mixed, self._typed = False, text

    def _changed(self, value: float) -> None:
        self._typed = None
        self._become(False)
        self.entered.emit(value)

    def _finished(self) -> None:
        # The hidden value's own number makes no change that Qt would tell of; nothing typed leaves all as they were.
        typed, self._typed = self._typed, None
        if typed is not None:
            self._become(not any(letter.isdigit() for letter in typed))
            if not self._mixed:
                self.entered.emit(self.value())

    def discard(self) -> None:
        """Shows what it stood for before something was typed."""
        if self._typed is not None:
            self._typed = None
            self._become(True)
        else:
            self.setValue(self.value())

    def stepBy(self, steps: int) -> None:  # noqa: N802 - Qt's name
        """From the value of the box in focus."""
        if self._mixed:
            self._become(False)
        super().stepBy(steps)

    def textFromValue(self, value: float) -> str:  # noqa: N802 - Qt's name
        """The number, or that the values differ."""
        return self._word() if self._mixed else super().textFromValue(value)

    def valueFromText(self, text: str) -> float:  # noqa: N802 - Qt's name
        """The number in the field."""
        return self.value() if text == self._word() else super().valueFromText(text)

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        """Numbers, and the word that stands for several."""
        if text == self._word():
            return QValidator.State.Acceptable, text, position
        return super().validate(text, position)
