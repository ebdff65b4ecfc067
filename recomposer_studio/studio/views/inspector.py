"""The fields of the selected events: of one, or of several at once."""

from dataclasses import fields

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
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
from recomposer_studio.studio.fields import leave_cursor
from recomposer_studio.studio.plain import as_plain
from recomposer_studio.studio.theme import ACTION_SIGNS
from recomposer_studio.studio.views.class_field import ClassField
from recomposer_studio.studio.views.contradiction_notice import ContradictionNotice
from recomposer_studio.studio.views.exemplar_field import ExemplarField
from recomposer_studio.studio.views.mixed import MixedSpin
from recomposer_studio.studio.views.table import action_words
from recomposer_studio.studio.views.two_lines import TwoLines

_FIELDS = {field.name for field in fields(Event)}
_LEVELLED = (Action.INSERT, Action.ENHANCE)


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
        self._labelling: tuple[str, ...] = ()
        self._stack = QStackedLayout(self)
        hint = QLabel(self.tr("Select a box to see its fields.\nMark a stretch and press Ctrl+B to make one."))
        # At the top: where the panel is low, its middle is out of sight.
        hint.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        hint.setContentsMargins(10, 24, 10, 8)
        hint.setWordWrap(True)
        self._stack.addWidget(hint)
        self._stack.addWidget(self._form())
        document.selection_changed.connect(self._selected)
        document.roll_changed.connect(self.refresh)
        document.opened.connect(self._opened)
        document.area_changed.connect(self._show_exemplars)
        self.refresh()

    def _form(self) -> QWidget:
        page = QWidget()
        outer = QVBoxLayout(page)
        outer.setContentsMargins(10, 8, 10, 8)
        self._several = QLabel()
        self._several.setTextFormat(Qt.TextFormat.PlainText)
        self._several.setAccessibleName(self.tr("How many boxes are selected"))
        self._several.setWordWrap(True)
        outer.addWidget(self._several)
        self._buttons: dict[Action, QPushButton] = {}
        group = self._group = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(3)
        letters = {Action.INSERT: "I", Action.DELETE: "X", Action.ENHANCE: "E", Action.KEEP: "K"}
        for action, words in action_words(self).items():
            button = QPushButton(f"{ACTION_SIGNS[action]} {words}")
            button.setCheckable(True)
            # The style would have every button as wide as the widest word there may be.
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance(button.text()) + 14)
            button.setToolTip(self.tr("{0} (key {1})").format(words, letters[action]))
            button.setAccessibleName(self.tr("Action {0}").format(words))
            leave_cursor(button)
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
        self.class_field.left.connect(self._class_left)
        self.class_field.textEdited.connect(lambda text: self._show_taken(text.strip()) if text.strip() else None)
        form.addRow(self.tr("&Class"), self.class_field)
        self._taken = TwoLines()
        self._taken.setAccessibleName(self.tr("What the class is taken for"))
        form.addRow("", self._taken)
        self._spins: dict[str, MixedSpin] = {}
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
        self.exemplar_field = ExemplarField()
        self.exemplar_field.chosen.connect(lambda exemplar: self._change(self.tr("Set example"), "", exemplar=exemplar))
        form.addRow(self.tr("Example"), self.exemplar_field)
        self._rows = form
        outer.addLayout(form)
        # Last, so that nothing else moves when it comes or goes.
        self.contradiction = ContradictionNotice()
        outer.addWidget(self.contradiction)
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

    def _spin(self, name: str, words: str, decimals: int, unit: str, step: float) -> MixedSpin:
        spin = MixedSpin(unit)
        spin.setAccessibleName(words)
        spin.setToolTip(words)
        spin.setDecimals(decimals)
        spin.setSingleStep(step)
        spin.entered.connect(lambda value, field=name: self._value_entered(field, value))
        self._spins[name] = spin
        return spin

    # --- showing -----------------------------------------------------------------------------------------------------

    @property
    def event_in_focus(self) -> Event | None:
        """The event whose fields are shown: the last one selected."""
        chosen = self.document.selected
        return next((event for event in self.document.roll.events if chosen and event.id == chosen[-1]), None)

    def refresh(self) -> None:
        """Shows the selected events; where they differ it says so."""
        event = self.event_in_focus
        self._stack.setCurrentIndex(0 if event is None else 1)
        source = self.document.source
        if event is None or source is None:
            return
        self._filling = True
        # The event in focus last: a step with the arrows starts from its values.
        events = [other for other in self.document.selected_events if other is not event] + [event]
        self._several.setVisible(len(events) > 1)
        self._several.setText(self.tr("{0} boxes: a change counts for all of them.").format(len(events)))
        actions = {other.action for other in events}
        # An exclusive group would not let go of its last button.
        self._group.setExclusive(False)
        for action, button in self._buttons.items():
            button.setChecked(actions == {action})
        self._group.setExclusive(True)
        self._show_class(events)
        top_hz = source.rate_hz / 2
        for name, high, instead in (
            ("start_s", source.duration_s, 0.0),
            ("end_s", source.duration_s, 0.0),
            ("low_hz", top_hz, 0.0),
            ("high_hz", top_hz, top_hz),
        ):
            values = [getattr(other, name) for other in events]
            self._spins[name].setRange(0.0, high)
            self._spins[name].show_values([instead if value is None else value for value in values])
        levelled = [other for other in events if other.action in _LEVELLED]
        self._level_row.setEnabled(bool(levelled))
        self._by.setVisible(Action.ENHANCE in actions)
        gains = {other.by_db is not None for other in events if other.action is Action.ENHANCE}
        self._by.setTristate(len(gains) > 1)
        mixed, whole = (
            Qt.CheckState.PartiallyChecked,
            Qt.CheckState.Checked if True in gains else Qt.CheckState.Unchecked,
        )
        self._by.setCheckState(mixed if len(gains) > 1 else whole)
        self._level.show_values([e.level_db if e.by_db is None else e.by_db for e in levelled] or [event.level_db])
        self._show_exemplars()
        self._filling = False

    def _show_exemplars(self) -> None:
        focus = self.event_in_focus
        events = [event for event in self.document.selected_events if event is not focus] + ([focus] if focus else [])
        inserting = bool(events) and all(event.action is Action.INSERT for event in events)
        self._rows.setRowVisible(self.exemplar_field, inserting)
        if inserting:
            self.exemplar_field.show_choice(events, self.document.roll.events, self.document.area)

    def _show_class(self, events: list[Event]) -> None:
        labels = list(dict.fromkeys(event.label for event in events))
        if not self.class_field.hasFocus() or not self.class_field.isModified():
            self.class_field.setText(labels[0] if len(labels) == 1 else "")
        self.class_field.setPlaceholderText(
            self.tr("dog bark, siren, rain ...") if len(labels) == 1 else self.tr("different classes")
        )
        if len(labels) > 1:
            shown = ", ".join(labels[:4]) + (" ..." if len(labels) > 4 else "")
            self._taken.setText(self.tr("{0} classes: {1}").format(len(labels), shown))
            self._taken.setToolTip(as_plain(", ".join(labels[:50])))
            return
        self._show_taken(labels[0])

    def _show_taken(self, label: str) -> None:
        match = LabelTable.load().match(label)
        words = self.tr("Taken for {0}") if match.known else self.tr("No known class; the nearest is {0}")
        self._taken.setText(self.tr("A known class") if match.how == "exact" else words.format(match.class_name))
        self._taken.setToolTip(as_plain(match.sentence))

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

    def _opened(self) -> None:
        # Boxes of another recording may have the same ids.
        self.class_field.setModified(False)
        self._labelling = self.document.selected
        self.refresh()

    def _selected(self) -> None:
        # What was typed is the class of the boxes that it was typed for. Where a step of undo took one of them away,
        # nothing may be changed in the midst of it.
        there = {event.id for event in self.document.roll.events}
        if self.class_field.isModified() and there.issuperset(self._labelling):
            self._label_entered()
        self.class_field.setModified(False)
        self._labelling = self.document.selected
        self.refresh()

    def _label_entered(self) -> None:
        label, chosen = self.class_field.text().strip(), self._labelling
        self.class_field.setModified(False)
        if not chosen or not label:
            self.refresh()
        elif any(event.label != label for event in self.document.roll.events if event.id in chosen):
            # The completer may put its proposal in right after: that is one step.
            self._change(self.tr("Set class"), f"class {','.join(chosen)}", chosen, label=label)
            self.labelled.emit(label)

    def _class_done(self) -> None:
        self._label_entered()
        self.class_done.emit()

    def _class_left(self) -> None:
        self.class_field.clear()
        self._label_entered()
        self.class_done.emit()

    def _by_clicked(self) -> None:
        event = self.event_in_focus
        if event is not None:
            chosen = tuple(e.id for e in self.document.selected_events if e.action is Action.ENHANCE)
            on = self._by.checkState() != Qt.CheckState.Unchecked
            self._change(self.tr("Set level"), "", chosen, by_db=self._level.value() if on else None)

    def _value_entered(self, name: str, value: float) -> None:
        event, source = self.event_in_focus, self.document.source
        if self._filling or event is None or source is None:
            return
        text, chosen = self.tr("Edit {0}").format(event.label), self.document.selected
        merge = f"{name} {','.join(chosen)}"
        if name == "level_db":
            events = [other for other in self.document.selected_events if other.action in _LEVELLED]
            gains = tuple(other.id for other in events if other.by_db is not None)
            levels = tuple(other.id for other in events if other.by_db is None)
            self._change(text, merge, gains, by_db=value)
            self._change(text, merge, levels, level_db=value)
            return
        new: float | None = value
        if (name == "low_hz" and value <= 0) or (name == "high_hz" and value >= source.rate_hz / 2 - 0.5):
            new = None
        # The field shows fewer digits than an event has: what only looks the same stays as it is.
        least = 10.0 ** -(self._spins[name].decimals() + 1)
        others = [getattr(other, name) for other in self.document.selected_events]
        if new is None or any(other is None or abs(other - new) >= least for other in others):
            self._change(text, merge, chosen, **{name: new})

    def _change(self, text: str, merge: str, chosen: tuple[str, ...] | None = None, **values: object) -> None:
        assert set(values) <= _FIELDS
        try:
            roll = verbs.change(self.document.roll, self.document.selected if chosen is None else chosen, **values)
        except InputError as error:
            self.refused.emit(str(error))
            self.refresh()
            return
        self.document.change_roll(text, roll, merge)
