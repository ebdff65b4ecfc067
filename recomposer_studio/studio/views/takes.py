"""The versions to listen to, and what is done with the one that is heard."""

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidgetItem,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.project.origin import is_comp
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.matching import Matching
from recomposer_studio.studio.views.mix_panel import MixPanel
from recomposer_studio.studio.views.take_list import TakeLine, TakeList

_MOST_VARIATIONS = 32


class NoteField(QLineEdit):
    """The field for a note.

    Signals:
        left: what was typed does not count.
    """

    left = Signal()

    def discard(self) -> None:
        """What was typed does not count."""
        self.left.emit()


class TakesPanel(QWidget):
    """The list: the original on top, then the takes; the current line is what is heard and seen.

    Signals:
        rerun_requested: the take in the list shall be rendered again with another seed.
        variations_requested: likewise with several, as many as `count` says.
        recipe_requested: the take's recipe shall be shown.
        starred: (row, stars) a take is rated.
        lock_switched: the lock of a row is switched.
    """

    rerun_requested = Signal()
    variations_requested = Signal()
    recipe_requested = Signal()
    starred = Signal(int, int)
    lock_switched = Signal(int)

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self._filling = False
        self._making: int | None = None
        self._listed: tuple[int, ...] = ()
        self._noting: int | None = None
        self._offsets_db: dict[int, float] = {}
        self.list = TakeList()
        self.list.setAccessibleName(self.tr("Versions: the original and the takes"))
        self.list.currentRowChanged.connect(self._row_changed)
        self.list.itemChanged.connect(self._renamed)
        self.list.name_left.connect(self.refresh)
        self.list.starred.connect(self.starred)
        self.list.lock_switched.connect(self.lock_switched)
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
        self.variations = QPushButton(self.tr("Variations"))
        self.variations.setToolTip(self.tr("Render these rows with as many seeds, one take after the other"))
        self.variations.clicked.connect(self.variations_requested)
        self.count = QSpinBox()
        self.count.setRange(2, _MOST_VARIATIONS)
        self.count.setValue(3)
        self.count.setAccessibleName(self.tr("Number of variations"))
        self.match = QCheckBox(self.tr("Match loudness"))
        self.match.setAccessibleName(self.match.text())
        self.match.setToolTip(
            self.tr(
                "Play the takes at one loudness among themselves. The take that is heard first after the original stays as it"
                " is; the original and what is exported never change."
            )
        )
        # The style's indicator is wider when it is checked than its size hint knows.
        self.match.setMinimumWidth(self.match.sizeHint().width() + 8)
        self.waiting = QLabel()
        self.waiting.setAccessibleName(self.tr("Variations that wait"))
        first, second = QHBoxLayout(), QHBoxLayout()
        for button in (self.difference, self.rerun, self.recipe):
            first.addWidget(button)
        for button in (self.difference, self.rerun, self.recipe, self.variations):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setAccessibleName(button.text())
        second.addWidget(self.variations)
        second.addWidget(self.count)
        second.addWidget(self.waiting, 1)
        second.addWidget(self.match)
        self.note = NoteField()
        self.note.setPlaceholderText(self.tr("Note on this take"))
        self.note.setAccessibleName(self.tr("Note on this take"))
        self.note.textEdited.connect(self._note_typed)
        self.note.editingFinished.connect(self._noted)
        self.note.left.connect(self._note_left)
        self.mix = MixPanel(document)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.list, 2)
        layout.addWidget(self.note)
        layout.addLayout(first)
        layout.addLayout(second)
        layout.addWidget(self.mix, 3)
        for signal in (document.takes_changed, document.heard_changed, document.writable):
            signal.connect(self.refresh)
        document.opened.connect(self._opened)
        document.roll_changed.connect(self._enable_variations)
        self.refresh()

    def refresh(self) -> None:
        """Shows the takes and which one is heard."""
        self._filling = True
        document = self.document
        # A new line would end the typing of a name; the list follows when that is done.
        if not self.list.naming:
            takes = [self._line(number, entry) for number, entry in enumerate(document.takes, start=1)]
            self.list.show_lines([(self.tr("Original"), TakeLine(0)), *takes] if document.source is not None else [])
            self.list.setCurrentRow(document.heard if self.list.count() else -1)
            self._listed = tuple(other.id for other in document.takes)
        entry = document.current_take
        for widget in (self.difference, self.recipe):
            widget.setEnabled(entry is not None)
        self.rerun.setEnabled(entry is not None and self._making is None and not document.read_only)
        self._enable_variations()
        self.match.setEnabled(len(document.takes) > 1 or self.match.isChecked())
        self.difference.setChecked(document.difference)
        if self._noting is None:
            self.note.setEnabled(entry is not None)
            note = entry.note if entry else ""
            if note != self.note.text():
                self.note.setText(note)
        self._filling = False

    def _opened(self) -> None:
        # Takes of another project may have the same ids.
        self._noting = None
        self.list.clear()
        self.refresh()

    def _enable_variations(self) -> None:
        document = self.document
        something = document.current_take is not None or bool(document.roll.events)
        self.variations.setEnabled(something and not document.read_only)

    def show_waiting(self, count: int) -> None:
        """How many renders wait."""
        self.waiting.setText(self.tr("{0} to come").format(count) if count else "")

    def show_making(self, take_id: int | None) -> None:
        """Which take is being rendered, or None: only of that one better is to come."""
        self._making = take_id
        self.refresh()

    def show_offsets(self, matching: Matching) -> None:
        """By how much the takes are played louder than they are."""
        offsets = {entry.id: matching.offset_db(entry) for entry in self.document.takes}
        self._offsets_db = {entry_id: offset for entry_id, offset in offsets.items() if offset is not None}
        self.refresh()

    def _line(self, number: int, entry: TakeEntry) -> tuple[str, TakeLine]:
        kinds = {layer.renderer for layer in entry.take.layers}
        made_by = self.tr("spectral repair") if kinds <= {"repair"} else entry.take.model.split(" ")[0]
        # Undo brings former versions back: such a preview stays what it is.
        preview = entry.preview and entry.id == self._making
        if is_comp(entry.take) and not preview:
            made_by = self.tr("comp")
        parts = [self.tr("preview, {0}").format(made_by) if preview else made_by]
        if entry.id in self._offsets_db:
            # Adding zero turns -0.0 into 0.0.
            parts.insert(0, f"{round(self._offsets_db[entry.id], 1) + 0.0:+.1f} dB")
        parent = next((other for other in self.document.takes if other.id == entry.parent), None)
        if parent is not None:
            parts.append(self.tr("from {0}").format(parent.name))
        parts.append(f"{self.tr('seed')} {entry.take.recipe.seed}")
        if self.document.made_elsewhere(entry.take):
            parts.append(self.tr("made in another context"))
        count = len(entry.take.layers)
        parts.append(self.tr("1 event") if count == 1 else self.tr("{0} events").format(count))
        facts = "  \u00b7  ".join(parts)
        notes = [note for layer in entry.take.layers if (note := self.mix.note_of(entry.take, layer))]
        more = "\n".join([facts, entry.note, *entry.left_out, *notes]).strip()
        return entry.name, TakeLine(number, facts, entry.stars, entry.locked, more)

    def _row_changed(self, row: int) -> None:
        if not self._filling and row >= 0:
            self.document.hear(row)

    def _renamed(self, item: QListWidgetItem) -> None:
        row = self.list.row(item)
        if self._filling or not 0 < row <= len(self._listed):
            return
        entry = self._entry(self._listed[row - 1])
        name = " ".join(item.text().split())[:200]
        if entry is not None and name and name != entry.name:
            self.document.change_take(self.tr("Rename take"), replace(entry, name=name))
        self.refresh()

    def _note_typed(self) -> None:
        # Another take may be heard before the note is done.
        entry = self.document.current_take
        if self._noting is None and entry is not None:
            self._noting = entry.id

    def _note_left(self) -> None:
        self._noting = None
        self.refresh()

    def _noted(self) -> None:
        if self._noting is None:
            return
        entry, self._noting = self._entry(self._noting), None
        if entry is not None and self.note.text() != entry.note:
            self.document.change_take(self.tr("Note on take"), replace(entry, note=self.note.text()))
        self.refresh()

    def _entry(self, take_id: int | None) -> TakeEntry | None:
        return next((entry for entry in self.document.takes if entry.id == take_id), None)
