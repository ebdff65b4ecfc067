"""The mix of the take that is heard: a few controls for every event, which act at once."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.editing.comp import refusal
from recomposer_studio.project.origin import origin
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import Action
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.fields import leave_cursor
from recomposer_studio.studio.plain import as_plain
from recomposer_studio.studio.row_check import RowCheck
from recomposer_studio.studio.theme import ACTION_SIGNS

_LEAST_GAIN_DB, _MOST_GAIN_DB = -24, 24
_RE_ROLLS = (1, 3, 5, 10)


class MixPanel(QScrollArea):
    """A line for every event of the take that is heard: amount, gain, pan, mute, solo, what was removed, and other takes' sounds.

    Attributes:
        note_of: gives what is to be said of a take's layer.

    Signals:
        comp_requested: (event id, take id) an event's sound of another take is wanted in a new take.
        reroll_requested: (event id, count) an event shall be rendered with other seeds.
    """

    comp_requested = Signal(str, int)
    reroll_requested = Signal(str, int)

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.note_of: Callable[[Take, Layer], str] = lambda take, layer: layer.note
        self._shown: tuple[tuple[str, str, str, bool], ...] = ()
        self._lines: dict[str, MixLine] = {}
        self._checked: tuple[Take | None, dict[str, RowCheck]] = (None, {})
        self._hint, self._locked, self._page = QLabel(), QLabel(), QWidget()
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        page = QWidget()
        self._column = QVBoxLayout(page)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._locked.setTextFormat(Qt.TextFormat.PlainText)
        for label in (self._hint, self._locked):
            label.setWordWrap(True)
            self._column.addWidget(label)
        self._column.addWidget(self._page, 1)
        self.setWidget(page)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName(self.tr("Mix of the take"))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for signal in (document.takes_changed, document.heard_changed, document.opened, document.writable):
            signal.connect(self.refresh)
        self.refresh()

    def line(self, event_id: str) -> "MixLine":
        """The controls of an event."""
        return self._lines[event_id]

    def show_checks(self, take: Take, checks: list[RowCheck]) -> None:
        """Shows what the detector says of the rows, as long as the take stays as it is."""
        self._checked = take, {check.event.id: check for check in checks}
        self.refresh()

    def check(self, entry: TakeEntry, event_id: str) -> RowCheck | None:
        """What the detector says of a row, or None where it was not asked."""
        take, checks = self._checked
        return checks.get(event_id) if take is entry.take else None

    def refresh(self) -> None:
        """Shows the mix of the take that is heard.

        The controls stay as long as the rows do, also from take to take and over the original: making those of 200 rows takes a second.
        """
        entry = self.document.current_take
        self._hint.setVisible(entry is None)
        self._page.setVisible(entry is not None)
        self._locked.setVisible(entry is not None and entry.locked)
        if entry is None:
            words = self.tr("Press G to generate a take. Its rows can be mixed here.")
            if self.document.takes:
                words = self.tr("This is the original. Choose a take to mix its rows.")
            self._hint.setText(words)
            return
        self._locked.setText(self.tr("{0} is locked: its mix stays as it is.").format(entry.name))
        layers = entry.take.layers
        shown = tuple((one.event.id, one.event.action, one.event.label, one.removed is not None) for one in layers)
        if shown != self._shown:
            self._shown = shown
            self._build(layers)
        for layer in layers:
            self._lines[layer.event.id].show_layer(layer, entry)

    def _build(self, layers: tuple[Layer, ...]) -> None:
        former, self._page = self._page, QWidget()
        grid = QGridLayout(self._page)
        grid.setContentsMargins(0, 4, 6, 4)
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(2)
        self._lines = {}
        for number, layer in enumerate(layers):
            self._lines[layer.event.id] = MixLine(self, layer, grid, 4 * number)
            grid.setRowMinimumHeight(4 * number + 3, 8)
        grid.setRowStretch(4 * len(layers), 1)
        for column in (0, 2, 4):
            grid.setColumnStretch(column, 1)
        self._column.replaceWidget(former, self._page)
        former.hide()
        former.deleteLater()


class MixLine:
    """The controls of one event: its name and where it comes from, with switches; under it the sliders with their values."""

    def __init__(self, panel: MixPanel, layer: Layer, grid: QGridLayout, row: int) -> None:
        document = panel.document
        self._panel, self._document, self._id, self._label = panel, document, layer.event.id, layer.event.label
        self._filling = False
        event, tr = layer.event, document.tr
        self.name = QLabel()
        self.name.setTextFormat(Qt.TextFormat.PlainText)
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.mute = self._button("M", tr("Mute {0}").format(event.label))
        self.solo = self._button("S", tr("Solo {0}").format(event.label))
        self.mute.clicked.connect(lambda on: self._mixed("muted", on))
        self.solo.clicked.connect(self._soloed)
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(self.name, 1)
        self.removed: QToolButton | None = None
        if layer.removed is not None:
            self.removed = self._button("R", tr("Hear only what was removed of {0}").format(event.label))
            self.removed.clicked.connect(lambda on: document.hear_removed(self._id if on else ""))
            head.addWidget(self.removed)
        head.addWidget(self.mute)
        head.addWidget(self.solo)
        self.more = self._button("\u22ef", tr("{0} from other takes, and with other seeds").format(event.label))
        self.more.setCheckable(False)
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.menu = QMenu(self.more)
        self.menu.setAccessibleName(self.more.accessibleName())
        self.menu.aboutToShow.connect(self.fill_menu)
        self.more.setMenu(self.menu)
        head.addWidget(self.more)
        grid.addLayout(head, row, 0, 1, 6)
        self.check = QLabel()
        self.check.setTextFormat(Qt.TextFormat.PlainText)
        self.check.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.check.setAccessibleName(tr("What the detector says of {0}").format(event.label))
        self.check.hide()
        grid.addWidget(self.check, row + 3, 0, 1, 6)
        self.note = QLabel()
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.note.setWordWrap(True)
        self.note.setAccessibleName(tr("What the renderer says of {0}").format(event.label))
        grid.addWidget(self.note, row + 2, 0, 1, 6)
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
        slider.setToolTip(as_plain(self._document.tr("{0} (double-click resets)").format(name)))
        slider.setMinimumWidth(44)
        return slider

    def _button(self, text: str, name: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setCheckable(True)
        button.setAccessibleName(name)
        button.setToolTip(as_plain(name))
        leave_cursor(button)
        return button

    def show_layer(self, layer: Layer, entry: TakeEntry) -> None:
        """Shows the present values."""
        self._filling = True
        event, tr = layer.event, self._document.tr
        start = tr("at {0} s").format(f"{event.start_s:.1f}")
        source = self._source(layer, entry)
        self.name.setText(f"{ACTION_SIGNS[event.action]} {event.label}  {start}{f'  ({source})' if source else ''}")
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
        self.solo.setChecked(event.id in entry.take.solo)
        if self.removed is not None:
            self.removed.setChecked(self._document.removed == event.id)
        for control in (self.amount, self.gain, self.pan, self.mute, self.solo):
            if control is not None:
                control.setEnabled(not entry.locked)
        self.more.setEnabled(not self._document.read_only)
        note = self._panel.note_of(entry.take, layer)
        found = "" if layer.found_db is None else tr("found at {0} dB").format(f"{layer.found_db:+.1f}")
        self.name.setToolTip(as_plain("\n".join(part for part in (self.name.text(), found, note) if part)))
        self.note.setText(f"{note[:1].upper()}{note[1:]}.")
        self.note.setVisible(bool(note))
        self._show_check(self._panel.check(entry, event.id))
        self._filling = False

    def _show_check(self, check: RowCheck | None) -> None:
        """A line about the detector, hidden while it was not asked."""
        tr = self._document.tr
        self.check.setVisible(check is not None)
        if check is None:
            return
        scores = f"{check.class_name}  {check.before:.2f} \u2192 {check.after:.2f}"
        words = tr("Detector: {0}").format(scores)
        tip = tr("How sure the detector is of {0} in the box: in the recording, and in this take").format(
            check.class_name
        )
        if not check.judged:
            words = tr("Detector: cannot judge")
            tip = tr("The detector did not hear it in the recording either, so that its silence says nothing")
        self.check.setText(words)
        self.check.setToolTip(tip)

    def _source(self, layer: Layer, entry: TakeEntry) -> str:
        """Where a layer comes from that was not rendered with its take: a take in the list, else its seed."""
        if layer.recipe is None and not layer.model:
            return ""
        for other in self._document.takes:
            for theirs in other.take.layers:
                if other.id != entry.id and theirs.key == layer.key and theirs.recipe is None and not theirs.model:
                    return self._document.tr("from {0}").format(other.name)
        return f"{self._document.tr('seed')} {origin(entry.take, layer).recipe.seed}"

    def fill_menu(self) -> None:
        """What can be taken over from other takes, and the other seeds."""
        entry, tr, menu = self._document.current_take, self._document.tr, self.menu
        menu.clear()
        if entry is None:
            return
        layer = entry.take.layer(self._id)
        others = [
            (other, theirs)
            for other in self._document.takes
            for theirs in other.take.layers
            if theirs.event.id == self._id and other.id != entry.id
        ]
        menu.addSection(tr("New take with {0} from").format(self._label))
        for other, theirs in others:
            same = theirs.placed is layer.placed and theirs.removed is layer.removed
            reason = tr("the same") if same else refusal(entry.take, other.take, self._id)
            action = menu.addAction(f"{other.name}  \u2013  {reason}" if reason else other.name)
            action.setEnabled(not reason)
            action.triggered.connect(
                lambda _=False, take_id=other.id: self._panel.comp_requested.emit(self._id, take_id)
            )
        if not others:
            menu.addAction(tr("no other take has it")).setEnabled(False)
        menu.addSection(tr("Re-roll {0}").format(self._label))
        if layer.event.action is not Action.INSERT:
            menu.addAction(tr("only inserted sounds depend on the seed")).setEnabled(False)
            return
        for count in _RE_ROLLS:
            words = tr("with another seed") if count == 1 else tr("with {0} seeds, a take each").format(count)
            action = menu.addAction(words)
            action.triggered.connect(lambda _=False, count=count: self._panel.reroll_requested.emit(self._id, count))

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
