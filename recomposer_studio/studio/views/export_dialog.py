"""Where a take goes: the file, its format, the stems, the labels, and what to do when it would clip."""

import os
import re
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.audio.sink import Depth, reduces, takes_chunks
from recomposer_studio.errors import InputError
from recomposer_studio.project.export import Exported, ExportOptions, ExportPlan, lay_out, region_of
from recomposer_studio.project.headroom import ClipError
from recomposer_studio.project.kept import home_of
from recomposer_studio.project.take import BED, Part, Take, stem_parts
from recomposer_studio.roll.formats.files import SUFFIXES, LabelFormat
from recomposer_studio.studio.exporting import Choices, Export
from recomposer_studio.studio.label_files import titles
from recomposer_studio.studio.places import proposed_folder
from recomposer_studio.studio.plain import as_plain

_KEPT_SUFFIXES = (".wav", ".flac", ".aif", ".aiff", ".caf", ".w64")
_DEPTHS = (None, Depth.INT16, Depth.INT24, Depth.FLOAT)
_PART = Qt.ItemDataRole.UserRole
_LIST_LINES = 4


class ExportDialog(QDialog):
    """Writes a take.

    Args:
        take: the take.
        name: what it is called.
        parent: owner.
        marked_s: start and end of the marked stretch, or None.
        choices: what the dialog begins with.

    Signals:
        exported: a sentence on what was written.
        lower_requested: (event's id, change of its gain in dB): the offer to lower it was taken; answer with `start` or `refuse_lower`.
    """

    exported = Signal(str)
    lower_requested = Signal(str, float)

    def __init__(
        self,
        take: Take,
        name: str,
        parent: QWidget | None = None,
        *,
        marked_s: tuple[float, float] | None = None,
        choices: Choices | None = None,
    ) -> None:
        super().__init__(parent)
        self.take = take
        self._job: Export | None = None
        self._clip: tuple[str, float] | None = None
        self._marked_s = marked_s
        choices = choices or Choices()
        self.setWindowTitle(self.tr("Export {0}").format(name))
        self._build_files(name, choices)
        self._build_format(choices)
        self._build_stems()
        self._build_extras(choices)
        self._build_ends()
        self._lay_out()
        self.file.setFocus()
        self.stems.setChecked(choices.stems)
        self._show_plan()

    # --- putting together --------------------------------------------------------------------------------------------

    def _build_files(self, name: str, choices: Choices) -> None:
        source = home_of(self.take.source)
        suffix = source.suffix if source.suffix.lower() in _KEPT_SUFFIXES else ".wav"
        suffix = choices.suffix or (".wav" if self.take.source.format.is_lossy else suffix)
        folder = choices.folder or proposed_folder(self.take.source)
        plain = re.sub(r'[<>:"/\\|?*\x00-\x1f]+', "-", name).strip() or self.tr("take")
        self.file = QLineEdit(str(folder / f"{source.stem} - {plain}{suffix}"))
        self.file.setAccessibleName(self.tr("File for the take"))
        self.file.textChanged.connect(self._stems_follow)
        self.file.textChanged.connect(self._show_plan)
        self.browse = QPushButton(self.tr("Choose ..."))
        self.browse.setAccessibleName(self.tr("Choose the file"))
        self.browse.setAutoDefault(False)
        self.browse.clicked.connect(self._choose_file)
        self.folder = QLineEdit(str(folder / self.tr("{0} stems").format(f"{source.stem} - {plain}")))
        self.folder.setAccessibleName(self.tr("Folder for the stems"))
        self.folder.textChanged.connect(self._show_plan)
        self._folder_chosen = False
        self.folder.textEdited.connect(self._keep_folder)
        self.folder_browse = QPushButton(self.tr("Choose ..."))
        self.folder_browse.setAccessibleName(self.tr("Choose the folder for the stems"))
        self.folder_browse.setAutoDefault(False)
        self.folder_browse.clicked.connect(self._choose_folder)

    def _build_format(self, choices: Choices) -> None:
        source = self.take.source
        self.range = QComboBox()
        self.range.setAccessibleName(self.tr("What is written"))
        self.range.addItem(self.tr("The whole recording ({0} s)").format(f"{source.duration_s:.2f}"))
        if self._marked_s is not None:
            first_s, last_s = self._marked_s
            words = self.tr("The marked stretch ({0} to {1} s)")
            self.range.addItem(words.format(f"{first_s:.3f}", f"{last_s:.3f}"))
        else:
            self.range.setToolTip(self.tr("Mark a stretch in the timeline to export it alone."))
            self.range.setEnabled(False)
        self.range.currentIndexChanged.connect(self._show_plan)
        self.bits = QComboBox()
        self.bits.setAccessibleName(self.tr("Bits of a sample"))
        for words in (
            self.tr("As the recording"), self.tr("16-bit"), self.tr("24-bit"), self.tr("Float, which cannot clip"),
        ):  # fmt: skip
            self.bits.addItem(words)
        self.bits.setCurrentIndex(_DEPTHS.index(choices.depth))
        self.bits.currentIndexChanged.connect(self._show_plan)
        for box in (self.range, self.bits):
            box.view().setAccessibleName(box.accessibleName())
        self.format_label = _wrapped(self.tr("Sample format"))

    def _build_stems(self) -> None:
        placed, removed = stem_parts(self.take.roll)
        self.stems = QCheckBox(self.tr("&Stems too"))
        self.stems.setAccessibleName(self.tr("Stems too"))
        self.stem_list = QListWidget()
        self.stem_list.setAccessibleName(self.tr("Stems that are written"))
        for part in (*placed, *removed):
            item = QListWidgetItem(self._part_words(part))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable)
            item.setCheckState(Qt.CheckState.Checked)
            item.setData(_PART, part)
            self.stem_list.addItem(item)
        self.stem_list.itemChanged.connect(self._show_plan)
        words = self.tr("Bed and placed stems together are the take; bed and removed sounds are the recording.")
        self.stem_words = _wrapped(self.tr("About the stems"))
        self.stem_words.setText(words)
        for widget in (self.folder, self.folder_browse, self.stem_list, self.stem_words):
            widget.setEnabled(False)
            self.stems.toggled.connect(widget.setEnabled)
        self.stems.toggled.connect(self._show_plan)
        _show_lines(self.stem_list, _LIST_LINES)

    def _part_words(self, part: Part) -> str:
        if part == BED:
            return self.tr("Bed: the recording without the removed sounds")
        words = self.tr("{0}: the removed sound") if part.kind == "removed" else self.tr("{0}: the placed sound")
        return words.format(part.row)

    def _build_extras(self, choices: Choices) -> None:
        self.labels: dict[LabelFormat, QCheckBox] = {}
        for kind, title in titles(self).items():
            box = QCheckBox(f"{title} ({SUFFIXES[kind]})")
            box.setAccessibleName(self.tr("Rows as labels: {0}").format(title))
            box.setChecked(kind in choices.labels)
            box.toggled.connect(self._show_plan)
            self.labels[kind] = box
        self.recipe = QCheckBox(self.tr("The &recipe: everything that made the take"))
        self.recipe.setAccessibleName(self.tr("Put the recipe into the file"))
        self.recipe.setToolTip(self.tr("WAV and FLAC files carry it; `recomposer recipe FILE` shows it."))
        self.recipe.setChecked(choices.recipe)
        self.markers = QCheckBox(self.tr("The rows as &markers that other programs show"))
        self.markers.setAccessibleName(self.tr("Put the rows into the file as markers"))
        self.markers.setToolTip(self.tr("WAV files carry them as cue points with their lengths."))
        self.markers.setChecked(choices.markers)
        self.plan_label = _wrapped(self.tr("Files and size"))
        self.files = QListWidget()
        self.files.setAccessibleName(self.tr("Files that will be written"))
        self.files.setSelectionMode(QListWidget.SelectionMode.NoSelection)
        _show_lines(self.files, _LIST_LINES)

    def _build_ends(self) -> None:
        self.problem = _wrapped(self.tr("Problem"))
        self.problem.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.problem.setStyleSheet("background: #8f2a20; color: white; padding: 8px; border-radius: 4px;")
        self.problem.hide()
        self.lower_button = QPushButton(self.tr("Lower the gain"))
        self.lower_button.setAccessibleName(self.lower_button.text())
        self.as_float = QPushButton(self.tr("Write float"))
        self.as_float.setAccessibleName(self.as_float.text())
        self.lower_button.clicked.connect(self._lower)
        self.as_float.clicked.connect(self._write_float)
        for button in (self.lower_button, self.as_float):
            button.hide()
        self.progress = QProgressBar()
        self.progress.setAccessibleName(self.tr("Progress of the export"))
        self.progress.hide()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.write = self.buttons.addButton(self.tr("&Export"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.write.setDefault(True)
        self.write.clicked.connect(self.start)
        self.buttons.rejected.connect(self.reject)

    def _lay_out(self) -> None:
        page = QWidget()
        form = QFormLayout(page)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.tr("Take"), _pair(self.file, self.browse))
        form.addRow(self.tr("Range"), self.range)
        form.addRow(self.tr("Samples"), self.bits)
        form.addRow("", self.format_label)
        form.addRow(self.tr("In the file"), self.recipe)
        form.addRow("", self.markers)
        form.addRow(self.tr("Stems"), self.stems)
        form.addRow("", _pair(self.folder, self.folder_browse))
        form.addRow("", self.stem_list)
        form.addRow("", self.stem_words)
        grid = QGridLayout()
        for at, box in enumerate(self.labels.values()):
            grid.addWidget(box, at // 3, at % 3)
        form.addRow(self.tr("Labels"), grid)
        form.addRow(self.tr("Written"), self.files)
        # On a small screen the choices scroll; the buttons stay in sight.
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName(self.tr("Choices"))
        scroll.setWidget(page)
        offers = QHBoxLayout()
        for button in (self.lower_button, self.as_float):
            offers.addWidget(button)
        offers.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addWidget(scroll, 1)
        layout.addWidget(self.problem)
        layout.addLayout(offers)
        layout.addWidget(self.progress)
        foot = QHBoxLayout()
        foot.addWidget(self.plan_label, 1)
        foot.addWidget(self.buttons)
        layout.addLayout(foot)
        self.setMinimumWidth(page.minimumSizeHint().width() + 60)
        room = self.screen().availableGeometry().height() if self.screen() else 800
        self.resize(max(640, self.minimumWidth()), min(page.sizeHint().height() + 100, room - 60))

    # --- choosing ----------------------------------------------------------------------------------------------------

    @property
    def choices(self) -> Choices:
        """What is chosen now."""
        path = self._path(self.file)
        ticked = frozenset(kind for kind, box in self.labels.items() if box.isChecked())
        return Choices(
            path.parent, path.suffix, _DEPTHS[self.bits.currentIndex()], self.stems.isChecked(), ticked,
            self.recipe.isChecked(), self.markers.isChecked(),
        )  # fmt: skip

    @property
    def options(self) -> ExportOptions:
        """The choices as the export takes them.

        Raises:
            InputError: the marked stretch does not fit the recording.
        """
        path, choices = self._path(self.file), self.choices
        region = None
        if self.range.currentIndex() == 1 and self._marked_s is not None:
            region = region_of(self.take.source, *self._marked_s)
        items = [self.stem_list.item(at) for at in range(self.stem_list.count())]
        stems = frozenset(item.data(_PART) for item in items if item.checkState() == Qt.CheckState.Checked)
        beside = tuple(path.with_name(path.stem + SUFFIXES[kind]) for kind in SUFFIXES if kind in choices.labels)
        return ExportOptions(choices.depth, region, stems, beside, choices.recipe, choices.markers)

    def _path(self, field: QLineEdit) -> Path:
        # A name that is only being typed may be none at all.
        return Path(field.text() or "?").expanduser()

    def _stems_dir(self) -> Path | None:
        return self._path(self.folder) if self.stems.isChecked() else None

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, self.tr("Export the take"), self.file.text(), options=QFileDialog.Option.DontConfirmOverwrite
        )
        if name:
            self.file.setText(name)

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, self.tr("Folder for the stems"), self.folder.text())
        if name:
            self._keep_folder()
            self.folder.setText(name)

    def _keep_folder(self) -> None:
        self._folder_chosen = True

    def _stems_follow(self) -> None:
        """Until another folder is chosen the stems lie beside the take."""
        if not self._folder_chosen:
            take = self._path(self.file)
            self.folder.setText(str(take.parent / self.tr("{0} stems").format(take.stem)))

    def _show_plan(self) -> None:
        """What will be written, or why nothing can be."""
        source = self.take.source
        self.files.clear()
        try:
            options = self.options
            plan = lay_out(source, self.take.roll, self._path(self.file), self._stems_dir(), options)
        except (InputError, ValueError) as error:
            self.format_label.setText(self.tr("not possible"))
            self.plan_label.setText(self.tr("Nothing"))
            self.write.setEnabled(False)
            self._fail(str(error))
            return
        self._clear()
        self.write.setEnabled(self._job is None)
        self.format_label.setText(self._format_words(plan))
        chunked = takes_chunks(plan.sample_format)
        self.recipe.setEnabled(chunked or plan.sample_format.container == "FLAC")
        self.markers.setEnabled(chunked)
        paths = [*plan.sounds, *options.labels]
        replaced = 0
        for path in paths:
            there = os.path.lexists(path)
            replaced += there
            inside = path.is_relative_to(plan.take.parent)
            name = str(path.relative_to(plan.take.parent)) if inside else str(path)
            item = QListWidgetItem(self.tr("{0} (replaces the file there)").format(name) if there else name)
            item.setToolTip(as_plain(str(path)))
            self.files.addItem(item)
        size = _size_words(plan.sample_bytes(source.channels))
        flac = plan.sample_format.container == "FLAC"
        count = self.tr("1 file") if len(paths) == 1 else self.tr("{0} files").format(len(paths))
        words = self.tr("{0}, at most {1}") if flac else self.tr("{0}, {1}")
        words = words.format(count, size)
        self.plan_label.setText(self.tr("{0}; {1} replaced").format(words, replaced) if replaced else words)

    def _format_words(self, plan: ExportPlan) -> str:
        source, chosen = self.take.source, plan.sample_format
        depth = (self.tr("{0}-bit") if chosen.is_integer else self.tr("{0}-bit float")).format(chosen.bits)
        words = self.tr("{0}, {1}, {2} kHz, {3} ch")
        words = words.format(chosen.container, depth, f"{source.rate_hz / 1000:g}", source.channels)
        same = (chosen.container, chosen.bits, chosen.is_integer) == (
            source.format.container, source.format.bits, source.format.is_integer,
        )  # fmt: skip
        if same:
            words = self.tr("{0} (as the recording)").format(words)
        if reduces(source.format, chosen):
            more = self.tr("Fewer bits than the recording has: every sample is requantised, with dither.")
            return f"{words}\n{more}"
        return words

    # --- writing -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to write; closing the dialog stops it."""
        if self._job is not None:
            return
        self._clear()
        try:
            options = self.options
        except InputError as error:
            self._fail(str(error))
            return
        self._job = Export(self.take, self._path(self.file), self._stems_dir(), options, self)
        self._job.progressed.connect(self._progressed)
        self._job.written.connect(self._written)
        self._job.clipped.connect(self._clipped)
        self._job.failed.connect(self._failed)
        self._job.finished.connect(self._finished)
        self.write.setEnabled(False)
        self.progress.setRange(0, 1000)
        self.progress.setValue(0)
        self.progress.show()
        self._job.start()

    def _progressed(self, share: float, name: str) -> None:
        self.progress.setValue(round(share * 1000))
        self.progress.setFormat(name)

    def _written(self, files: Exported) -> None:
        count = len(files.stems) + len(files.removed)
        more = [self.tr("1 stem") if count == 1 else self.tr("{0} stems").format(count)] if count else []
        more += [path.name for path in files.labels]
        words = self.tr("Wrote {0}.").format(files.take)
        if more:
            words = self.tr("Wrote {0} and {1}.").format(files.take, ", ".join(more))
        self.exported.emit(words)
        self.accept()

    def _clipped(self, error: ClipError, less_db: float) -> None:
        event = self.take.layer(error.event_id).event
        words = self.tr("'{0}' would clip by {1} dB in this sample format. Nothing was written.")
        self._fail(words.format(event.label, f"{max(error.overshoot_db, 0.1):.1f}"))
        self._clip = (error.event_id, -less_db)
        self.lower_button.setText(self.tr("Lower '{0}' by {1} dB").format(event.label, f"{less_db:.1f}"))
        self.lower_button.setAccessibleName(self.lower_button.text())
        self.lower_button.setVisible(less_db > 0)
        self.as_float.show()

    def _lower(self) -> None:
        if self._clip is not None:
            self.lower_requested.emit(*self._clip)

    def refuse_lower(self, sentence: str) -> None:
        """Says why the take cannot be lowered; writing float is still offered."""
        self.lower_button.hide()
        self._fail(sentence)

    def _write_float(self) -> None:
        if self._path(self.file).suffix.lower() == ".flac":  # holds no float
            self.file.setText(str(self._path(self.file).with_suffix(".wav")))
        self.bits.setCurrentIndex(_DEPTHS.index(Depth.FLOAT))
        self.start()

    def _failed(self, sentence: str) -> None:
        # The command line's way of saying what stands under "Samples" here.
        self._fail(sentence.replace(" (--float32)", ""))

    def _fail(self, sentence: str) -> None:
        self.problem.setText(sentence)
        self.problem.show()

    def _clear(self) -> None:
        for widget in (self.problem, self.lower_button, self.as_float):
            widget.hide()

    def _finished(self) -> None:
        job, self._job = self._job, None
        self.progress.hide()
        self.write.setEnabled(True)
        if job is not None:
            job.deleteLater()

    def done(self, result: int) -> None:
        """Stops what is being written: nothing of it stays behind."""
        if self._job is not None:
            self._job.cancel()
            self._job.wait()
        super().done(result)


def _pair(field: QWidget, button: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(field, 1)
    row.addWidget(button)
    return row


def _wrapped(name: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setAccessibleName(name)
    return label


def _show_lines(box: QListWidget, lines: int) -> None:
    """As high as some lines: longer lists scroll."""
    box.setFixedHeight(box.fontMetrics().lineSpacing() * lines + 2 * box.frameWidth() + 8)


def _size_words(size: int) -> str:
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"
