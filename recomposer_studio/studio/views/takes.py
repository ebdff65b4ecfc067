"""The versions to listen to, and the mix of the one that is heard."""

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QScrollArea,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.project.state import TakeEntry
from recomposer_studio.project.take import Layer
from recomposer_studio.roll.event import Action
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.theme import ACTION_SIGNS

_LEAST_GAIN_DB, _MOST_GAIN_DB = -24, 24


class TakesPanel(QWidget):
    """The list: the original on top, then the takes; the current line is what is heard and seen.

    Signals:
        rerun_requested: the take in the list shall be rendered again with another seed.
        recipe_requested: the take's recipe shall be shown.
    """

    rerun_requested = Signal()
    recipe_requested = Signal()

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self._filling = False
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Versions: the original and the takes"))
        self.list.setEditTriggers(
            QAbstractItemView.EditTrigger.EditKeyPressed | QAbstractItemView.EditTrigger.DoubleClicked
        )
        self.list.currentRowChanged.connect(self._row_changed)
        self.list.itemChanged.connect(self._renamed)
        self.difference = QPushButton(self.tr("Difference"))
        self.difference.setCheckable(True)
        self.difference.setToolTip(self.tr("Hear the original minus this take: all that was changed (D)"))
        self.difference.clicked.connect(lambda on: document.hear(document.heard, on))
        self.rerun = QPushButton(self.tr("Another seed"))
        self.rerun.setToolTip(self.tr("Render this take's rows again with another seed"))
        self.rerun.clicked.connect(self.rerun_requested)
        self.recipe = QPushButton(self.tr("Recipe"))
        self.recipe.setToolTip(self.tr("Show everything that made this take"))
        self.recipe.clicked.connect(self.recipe_requested)
        row = QHBoxLayout()
        for button in (self.difference, self.rerun, self.recipe):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setAccessibleName(button.text())
            row.addWidget(button)
        self.note = QLineEdit()
        self.note.setPlaceholderText(self.tr("Note on this take"))
        self.note.setAccessibleName(self.tr("Note on this take"))
        self.note.editingFinished.connect(self._noted)
        self.mix = MixPanel(document)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.list, 2)
        layout.addWidget(self.note)
        layout.addLayout(row)
        layout.addWidget(self.mix, 3)
        for signal in (document.takes_changed, document.heard_changed, document.opened):
            signal.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Shows the takes and which one is heard."""
        self._filling = True
        names = [self._line(number, entry) for number, entry in enumerate(self.document.takes, start=1)]
        lines = [(self.tr("0   Original"), ""), *names] if self.document.source is not None else []
        while self.list.count() > len(lines):
            self.list.takeItem(self.list.count() - 1)
        for row, (text, more) in enumerate(lines):
            if row == self.list.count():
                new = QListWidgetItem()
                if row:
                    new.setFlags(new.flags() | Qt.ItemFlag.ItemIsEditable)
                self.list.addItem(new)
            item = self.list.item(row)
            item.setText(text)
            item.setToolTip(more)
        self.list.setCurrentRow(self.document.heard if lines else -1)
        entry = self.document.current_take
        for widget in (self.difference, self.rerun, self.recipe, self.note):
            widget.setEnabled(entry is not None)
        self.difference.setChecked(self.document.difference)
        if not self.note.hasFocus():
            self.note.setText(entry.note if entry else "")
        self._filling = False

    def _line(self, number: int, entry: TakeEntry) -> tuple[str, str]:
        name = f"{number}   {entry.name}"
        kinds = {layer.renderer for layer in entry.take.layers}
        made_by = self.tr("spectral repair") if kinds <= {"repair"} else entry.take.model.split(" ")[0]
        state = self.tr("preview, {0}").format(made_by) if entry.preview else made_by
        count = len(entry.take.layers)
        rows = self.tr("1 event") if count == 1 else self.tr("{0} events").format(count)
        text = f"{name}  \u00b7  {state}  \u00b7  {self.tr('seed')} {entry.take.recipe.seed}  \u00b7  {rows}"
        return text, "\n".join([entry.note, *entry.left_out]).strip()

    def _row_changed(self, row: int) -> None:
        if not self._filling and row >= 0:
            self.document.hear(row)

    def _renamed(self, item: QListWidgetItem) -> None:
        row = self.list.row(item)
        if self._filling or not 0 < row <= len(self.document.takes):
            return
        entry = self.document.takes[row - 1]
        name = item.text().split("\u00b7")[0].strip().removeprefix(str(row)).strip()
        if name and name != entry.name:
            self.document.change_take(self.tr("Rename take"), replace(entry, name=name))
        self.refresh()

    def _noted(self) -> None:
        entry = self.document.current_take
        if entry is not None and self.note.text() != entry.note:
            self.document.change_take(self.tr("Note on take"), replace(entry, note=self.note.text()))


class MixPanel(QScrollArea):
    """A line for every event of the take that is heard: amount, gain, pan, mute, solo; they act at once."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self._shown: tuple[str, ...] = ()
        self._lines: dict[str, _MixLine] = {}
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName(self.tr("Mix of the take"))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for signal in (document.takes_changed, document.heard_changed, document.opened):
            signal.connect(self.refresh)
        self.refresh()

    def line(self, event_id: str) -> "_MixLine":
        """The controls of an event."""
        return self._lines[event_id]

    def refresh(self) -> None:
        """Shows the mix of the take that is heard; the controls stay while only values change."""
        entry = self.document.current_take
        layers = entry.take.layers if entry else ()
        key = (str(entry.id) if entry else "", *(f"{layer.event.id} {layer.event.action}" for layer in layers))
        if key != self._shown:
            self._shown = key
            self._build(layers)
        if entry is not None:
            for layer in layers:
                self._lines[layer.event.id].show_layer(layer, layer.event.id in entry.take.solo)

    def _build(self, layers: tuple[Layer, ...]) -> None:
        page = QWidget()
        grid = QGridLayout(page)
        grid.setContentsMargins(0, 4, 6, 4)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        self._lines = {}
        for number, layer in enumerate(layers):
            self._lines[layer.event.id] = _MixLine(self.document, layer, grid, 3 * number)
            grid.setRowMinimumHeight(3 * number + 2, 8)
        if not layers:
            words = self.tr("Press G to generate a take. Its rows can be mixed here.")
            if self.document.takes:
                words = self.tr("This is the original. Choose a take to mix its rows.")
            hint = QLabel(words)
            hint.setWordWrap(True)
            hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
            grid.addWidget(hint, 0, 0, 1, 6)
        grid.setRowStretch(3 * len(layers) + 1, 1)
        for column in (0, 2, 4):
            grid.setColumnStretch(column, 1)
        self.setWidget(page)


class _MixLine:
    """The controls of one event: its name with mute and solo, under it the sliders with their values."""

    def __init__(self, document: Document, layer: Layer, grid: QGridLayout, row: int) -> None:
        self._document, self._id, self._label = document, layer.event.id, layer.event.label
        self._filling = False
        event, tr = layer.event, document.tr
        self.name = QLabel(
            f"{ACTION_SIGNS[event.action]} {event.label}  {tr('at {0} s').format(f'{event.start_s:.1f}')}"
        )
        self.mute = self._button("M", tr("Mute {0}").format(event.label))
        self.solo = self._button("S", tr("Solo {0}").format(event.label))
        self.mute.clicked.connect(lambda on: self._mixed("muted", on))
        self.solo.clicked.connect(self._soloed)
        head = QHBoxLayout()
        head.addWidget(self.name, 1)
        head.addWidget(self.mute)
        head.addWidget(self.solo)
        grid.addLayout(head, row, 0, 1, 6)
        self.amount = self._slider(tr("Amount of {0}").format(event.label), 0, 100, 100)
        self.amount.valueChanged.connect(lambda value: self._mixed("amount", value / 100))
        self._values = {"amount": self._place(grid, row + 1, 0, self.amount)}
        placed = event.action is not Action.DELETE
        self.gain: QSlider | None = None
        self.pan: QSlider | None = None
        if placed:
            self.gain = self._slider(tr("Gain of {0}").format(event.label), _LEAST_GAIN_DB * 2, _MOST_GAIN_DB * 2, 0)
            self.gain.valueChanged.connect(lambda value: self._mixed("gain_db", value / 2))
            self._values["gain_db"] = self._place(grid, row + 1, 2, self.gain)
        if placed and document.source is not None and document.source.channels >= 2:
            self.pan = self._slider(tr("Pan of {0}").format(event.label), -100, 100, 0)
            self.pan.valueChanged.connect(lambda value: self._mixed("pan", value / 100))
            self._values["pan"] = self._place(grid, row + 1, 4, self.pan)

    def _place(self, grid: QGridLayout, row: int, column: int, slider: QSlider) -> QLabel:
        value = QLabel()
        value.setMinimumWidth(value.fontMetrics().horizontalAdvance(("100%", "", "+00.0 dB", "", "R 100%")[column]))
        grid.addWidget(slider, row, column)
        grid.addWidget(value, row, column + 1)
        return value

    def _slider(self, name: str, low: int, high: int, normal: int) -> QSlider:
        slider = ResettingSlider(normal)
        slider.setRange(low, high)
        slider.setAccessibleName(name)
        slider.setToolTip(self._document.tr("{0} (double-click resets)").format(name))
        slider.setMinimumWidth(44)
        return slider

    def _button(self, text: str, name: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setCheckable(True)
        button.setAccessibleName(name)
        button.setToolTip(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def show_layer(self, layer: Layer, solo: bool) -> None:
        """Shows the present values."""
        self._filling = True
        event = layer.event
        self.amount.setValue(round(event.amount * 100))
        self._values["amount"].setText(f"{event.amount:.0%}")
        if self.gain is not None:
            self.gain.setValue(round(event.gain_db * 2))
            self._values["gain_db"].setText(f"{event.gain_db:+.1f} dB")
        if self.pan is not None:
            self.pan.setValue(round(event.pan * 100))
            side = "L" if event.pan < 0 else "R"
            self._values["pan"].setText(f"{side} {abs(event.pan):.0%}" if event.pan else "C")
        self.mute.setChecked(event.muted)
        self.solo.setChecked(solo)
        found = "" if layer.found_db is None else self._document.tr("found at {0} dB").format(f"{layer.found_db:+.1f}")
        self.name.setToolTip("\n".join(part for part in (found, layer.note) if part))
        self._filling = False

    def _mixed(self, field: str, value: float | bool) -> None:
        if not self._filling:
            words = self._document.tr("Mix {0}").format(self._label)
            merge = "" if field == "muted" else f"mix {field} {self._id}"
            self._document.mix(words, self._id, merge, **{field: value})

    def _soloed(self, on: bool) -> None:
        entry = self._document.current_take
        if entry is not None:
            solo = entry.take.solo | {self._id} if on else entry.take.solo - {self._id}
            take = entry.take.soloed(frozenset(solo))
            self._document.change_take(self._document.tr("Solo"), replace(entry, take=take))


class ResettingSlider(QSlider):
    """A slider that a double-click puts back.

    Args:
        normal: the value it goes back to.
    """

    def __init__(self, normal: int) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._normal = normal

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Back to normal."""
        self.setValue(self._normal)
