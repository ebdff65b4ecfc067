"""The fields of the event in focus."""

from dataclasses import fields

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, Event
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.studio import verbs
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.theme import ACTION_SIGNS
from recomposer_studio.studio.views.class_field import ClassField
from recomposer_studio.studio.views.table import action_words

_FIELDS = {field.name for field in fields(Event)}


class Inspector(QWidget):
    """Action, class, times, frequencies and level of the selected events.

    Signals:
        refused: a value was refused; a sentence.
        labelled: a label was chosen.
        class_done: the person finished with the class field; the timeline should have the focus again.
    """

    refused = Signal(str)
    labelled = Signal(str)
    class_done = Signal()

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self._filling = False
        self._stack = QStackedLayout(self)
        hint = QLabel(self.tr("Select a box to see its fields.\nMark a stretch and press Ctrl+B to make one."))
        hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        hint.setWordWrap(True)
        self._stack.addWidget(hint)
        self._stack.addWidget(self._form())
        document.selection_changed.connect(self.refresh)
        document.roll_changed.connect(self.refresh)
        document.opened.connect(self.refresh)
        self.refresh()

    def _form(self) -> QWidget:
        page = QWidget()
        outer = QVBoxLayout(page)
        outer.setContentsMargins(10, 8, 10, 8)
        self._buttons: dict[Action, QPushButton] = {}
        group = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(3)
        letters = {Action.INSERT: "I", Action.DELETE: "X", Action.ENHANCE: "E", Action.KEEP: "K"}
        for action, words in action_words(self).items():
            button = QPushButton(f"{ACTION_SIGNS[action]} {words}")
            button.setCheckable(True)
            button.setToolTip(self.tr("{0} (key {1})").format(words, letters[action]))
            button.setAccessibleName(self.tr("Action {0}").format(words))
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _=False, chosen=action: self.set_action(chosen))
            group.addButton(button)
            row.addWidget(button)
            self._buttons[action] = button
        outer.addLayout(row)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.class_field = ClassField()
        self.class_field.editingFinished.connect(self._label_entered)
        self.class_field.done.connect(self._class_done)
        form.addRow(self.tr("&Class"), self.class_field)
        self._taken = QLabel()
        self._taken.setWordWrap(True)
        self._taken.setAccessibleName(self.tr("What the class is taken for"))
        form.addRow("", self._taken)
        self._spins: dict[str, QDoubleSpinBox] = {}
        form.addRow(self.tr("Time"), self._pair("start_s", self.tr("Start"), "end_s", self.tr("End"), 3, " s", 0.01))
        pair = self._pair("low_hz", self.tr("From frequency"), "high_hz", self.tr("To frequency"), 0, " Hz", 50)
        form.addRow(self.tr("Range"), pair)
        self._level = self._spin("level_db", self.tr("Level over the background"), 1, " dB", 1.0)
        self._level.setRange(-60, 60)
        self._by = QCheckBox(self.tr("as a gain"))
        self._by.setAccessibleName(self.tr("Level as a constant gain"))
        self._by.setToolTip(self.tr("Raise or lower by this much, whatever the background"))
        self._by.clicked.connect(self._by_clicked)
        self._level_row = QWidget()
        level = QHBoxLayout(self._level_row)
        level.setContentsMargins(0, 0, 0, 0)
        level.addWidget(self._level, 1)
        level.addWidget(self._by)
        form.addRow(self.tr("Level"), self._level_row)
        outer.addLayout(form)
        outer.addStretch(1)
        return page

    def _pair(
        self, first: str, first_name: str, second: str, second_name: str, decimals: int, unit: str, step: float
    ) -> QWidget:
        holder = QWidget()
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._spin(first, first_name, decimals, unit, step), 1)
        row.addWidget(QLabel("\u2013"))
        row.addWidget(self._spin(second, second_name, decimals, unit, step), 1)
        return holder

    def _spin(self, name: str, words: str, decimals: int, unit: str, step: float) -> QDoubleSpinBox:
        spin = QDoubleSpinBox()
        spin.setAccessibleName(words)
        spin.setToolTip(words)
        spin.setDecimals(decimals)
        spin.setSuffix(unit)
        spin.setSingleStep(step)
        spin.setKeyboardTracking(False)
        spin.valueChanged.connect(lambda value, field=name: self._value_entered(field, value))
        self._spins[name] = spin
        return spin

    # --- showing -----------------------------------------------------------------------------------------------------

    @property
    def event_in_focus(self) -> Event | None:
        """The event whose fields are shown: the last one selected."""
        chosen = self.document.selected
        return next((event for event in self.document.roll.events if chosen and event.id == chosen[-1]), None)

    def refresh(self) -> None:
        """Shows the event in focus."""
        event = self.event_in_focus
        self._stack.setCurrentIndex(0 if event is None else 1)
        source = self.document.source
        if event is None or source is None:
            return
        self._filling = True
        self._buttons[event.action].setChecked(True)
        if not self.class_field.hasFocus() or not self.class_field.isModified():
            self.class_field.setText(event.label)
        match = LabelTable.load().match(event.label)
        words = self.tr("Taken for {0}") if match.known else self.tr("No known class; the nearest is {0}")
        self._taken.setText(self.tr("A known class") if match.how == "exact" else words.format(match.class_name))
        self._taken.setToolTip(match.sentence)
        top_hz = source.rate_hz / 2
        for name, low, high, value in (
            ("start_s", 0.0, source.duration_s, event.start_s),
            ("end_s", 0.0, source.duration_s, event.end_s),
            ("low_hz", 0.0, top_hz, event.low_hz or 0.0),
            ("high_hz", 0.0, top_hz, event.high_hz or top_hz),
        ):
            self._spins[name].setRange(low, high)
            self._spins[name].setValue(value)
        self._level_row.setEnabled(event.action in (Action.INSERT, Action.ENHANCE))
        self._by.setVisible(event.action is Action.ENHANCE)
        self._by.setChecked(event.by_db is not None)
        self._level.setValue(event.level_db if event.by_db is None else event.by_db)
        self._filling = False

    def edit_class(self) -> None:
        """Puts the cursor into the class field."""
        if self.event_in_focus is not None:
            self.class_field.setModified(False)
            self.class_field.setFocus(Qt.FocusReason.ShortcutFocusReason)
            self.class_field.selectAll()

    # --- changing ----------------------------------------------------------------------------------------------------

    def set_action(self, action: Action) -> None:
        """Gives all selected events an action."""
        self._change(self.tr("Set action"), "", action=action)

    def _label_entered(self) -> None:
        event, label = self.event_in_focus, self.class_field.text().strip()
        self.class_field.setModified(False)
        if event is None or not label:
            self.refresh()
        elif label != event.label:
            # The completer may put its proposal in right after: that is one step.
            self._change(self.tr("Set class"), f"class {event.id}", label=label)
            self.labelled.emit(label)

    def _class_done(self) -> None:
        self._label_entered()
        self.class_done.emit()

    def _by_clicked(self, checked: bool) -> None:
        event = self.event_in_focus
        if event is not None:
            self._change(self.tr("Set level"), "", by_db=self._level.value() if checked else None)

    def _value_entered(self, name: str, value: float) -> None:
        event, source = self.event_in_focus, self.document.source
        if self._filling or event is None or source is None:
            return
        new: float | None = value
        if (name == "low_hz" and value <= 0) or (name == "high_hz" and value >= source.rate_hz / 2 - 0.5):
            new = None
        if name == "level_db" and event.by_db is not None:
            name = "by_db"
        shown = getattr(event, name)
        if (
            shown is not None
            and new is not None
            and abs(shown - new) < 10.0 ** -(self._spins.get(name, self._level).decimals() + 1)
        ):
            return
        chosen = (event.id,) if name in ("start_s", "end_s") else self.document.selected
        self._change(self.tr("Edit {0}").format(event.label), f"{name} {','.join(chosen)}", chosen, **{name: new})

    def _change(self, text: str, merge: str, chosen: tuple[str, ...] | None = None, **values: object) -> None:
        assert set(values) <= _FIELDS
        try:
            roll = verbs.change(self.document.roll, self.document.selected if chosen is None else chosen, **values)
        except InputError as error:
            self.refused.emit(str(error))
            self.refresh()
            return
        self.document.change_roll(text, roll, merge)
