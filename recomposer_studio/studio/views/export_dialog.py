"""Where a take goes: the file, the stems, and what to do when it would clip."""

import os
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.audio.sink import output_format
from recomposer_studio.errors import InputError
from recomposer_studio.project.export import Exported
from recomposer_studio.project.headroom import ClipError
from recomposer_studio.project.take import Take, stem_parts
from recomposer_studio.studio.jobs import Export


class ExportDialog(QDialog):
    """Writes a take.

    Signals:
        exported: a sentence on what was written.
        lower_requested: (event's id, change of its gain in dB): the offer to lower it was taken.
    """

    exported = Signal(str)
    lower_requested = Signal(str, float)

    def __init__(self, take: Take, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.take = take
        self._job: Export | None = None
        self._clip: tuple[str, float] | None = None
        self.setWindowTitle(self.tr("Export {0}").format(name))
        self.setMinimumWidth(560)
        source = take.source.path
        suffix = (
            source.suffix if source.suffix.lower() in (".wav", ".flac", ".aif", ".aiff", ".caf", ".w64") else ".wav"
        )
        if take.source.format.is_lossy:
            suffix = ".wav"
        # The demo scene may lie where nothing can be written.
        folder = source.parent if os.access(source.parent, os.W_OK) else Path.home()
        self.file = QLineEdit(str(folder / f"{source.stem} - {name}{suffix}"))
        self.file.setAccessibleName(self.tr("File for the take"))
        self.file.textChanged.connect(self._show_format)
        browse = QPushButton(self.tr("Choose ..."))
        browse.setAccessibleName(self.tr("Choose the file"))
        browse.clicked.connect(self._choose_file)
        self.stems = QCheckBox(self.tr("&Stems too"))
        self.stems.setAccessibleName(self.tr("Stems too"))
        stems, removed = stem_parts(take.roll)
        words = self.tr("The bed and {0} placed, which add up to the take; beside them {1} removed.")
        self.stems.setToolTip(words.format(len(stems) - 1, len(removed)))
        self.folder = QLineEdit(str(folder / f"{source.stem} - {name} stems"))
        self.folder.setAccessibleName(self.tr("Folder for the stems"))
        self.folder_browse = QPushButton(self.tr("Choose ..."))
        self.folder_browse.setAccessibleName(self.tr("Choose the folder for the stems"))
        self.folder_browse.clicked.connect(self._choose_folder)
        for widget in (self.folder, self.folder_browse):
            widget.setEnabled(False)
            self.stems.toggled.connect(widget.setEnabled)
        self.float32 = QCheckBox(self.tr("32-bit &float, which cannot clip"))
        self.float32.setAccessibleName(self.tr("32-bit float"))
        self.float32.toggled.connect(self._show_format)
        self.format_label = QLabel()
        self.format_label.setAccessibleName(self.tr("Sample format"))
        stems_words = QLabel(words.format(len(stems) - 1, len(removed)))
        stems_words.setWordWrap(True)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.tr("Take"), _pair(self.file, browse))
        form.addRow(self.tr("Format"), self.format_label)
        form.addRow("", self.float32)
        form.addRow("", self.stems)
        form.addRow(self.tr("Stems"), _pair(self.folder, self.folder_browse))
        form.addRow("", stems_words)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.problem.setAccessibleName(self.tr("Problem"))
        self.problem.setStyleSheet("background: #8f2a20; color: white; padding: 8px; border-radius: 4px;")
        self.problem.hide()
        self.lower_button = QPushButton(self.tr("Lower the gain"))
        self.as_float = QPushButton(self.tr("Write 32-bit float"))
        self.as_float.setAccessibleName(self.as_float.text())
        self.lower_button.clicked.connect(self._lower)
        self.as_float.clicked.connect(self._write_float)
        offers = QHBoxLayout()
        for button in (self.lower_button, self.as_float):
            button.hide()
            offers.addWidget(button)
        offers.addStretch(1)
        self.progress = QProgressBar()
        self.progress.setAccessibleName(self.tr("Progress of the export"))
        self.progress.hide()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.write = self.buttons.addButton(self.tr("&Export"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.write.setDefault(True)
        self.write.clicked.connect(self.start)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.problem)
        layout.addLayout(offers)
        layout.addWidget(self.progress)
        layout.addWidget(self.buttons)
        self._show_format()

    # --- choosing ----------------------------------------------------------------------------------------------------

    def _choose_file(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, self.tr("Export the take"), self.file.text())
        if name:
            self.file.setText(name)

    def _choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, self.tr("Folder for the stems"), self.folder.text())
        if name:
            self.folder.setText(name)

    def _show_format(self) -> None:
        source = self.take.source
        try:
            chosen = output_format(
                source.format, self.file.text(), float32=self.float32.isChecked(), frames=source.frames,
                channels=source.channels,
            )  # fmt: skip
        except InputError as error:
            self.format_label.setText(self.tr("not possible"))
            self._fail(str(error))
            return
        self._clear()
        depth = f"{chosen.bits}-bit float" if not chosen.is_integer else f"{chosen.bits}-bit"
        words = f"{chosen.container}, {depth}, {source.rate_hz / 1000:g} kHz, {source.channels} ch"
        same = (chosen.container, chosen.bits, chosen.is_integer) == (
            source.format.container, source.format.bits, source.format.is_integer,
        )  # fmt: skip
        self.format_label.setText(self.tr("{0} (as the recording)").format(words) if same else words)

    # --- writing -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begins to write; closing the dialog stops it."""
        if self._job is not None:
            return
        self._clear()
        out = Path(self.file.text()).expanduser()
        stems = Path(self.folder.text()).expanduser() if self.stems.isChecked() else None
        self._job = Export(self.take, out, stems, self.float32.isChecked(), self)
        self._job.progressed.connect(self._progressed)
        self._job.written.connect(self._written)
        self._job.clipped.connect(self._clipped)
        self._job.failed.connect(self._fail)
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
        words = self.tr("Wrote {0}.").format(files.take)
        if count:
            words = self.tr("Wrote {0} and {1} stems.").format(files.take, count)
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
            self.start()

    def _write_float(self) -> None:
        self.float32.setChecked(True)
        self.start()

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
