"""What is there before a recording is open: the first three steps, and the ways in."""

from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QPushButton, QScrollArea, QVBoxLayout, QWidget

from recomposer_studio.studio.plain import as_plain


class Welcome(QScrollArea):
    """The empty state; on a small screen it is scrolled.

    Signals:
        open_requested: the file dialog is wanted.
        demo_requested: the demo scene is wanted.
        file_requested: a recent recording is wanted; its path.
    """

    open_requested = Signal()
    demo_requested = Signal()
    file_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout()
        column.setSpacing(18)
        column.addWidget(self._title())
        column.addLayout(self._steps())
        buttons = QHBoxLayout()
        self.open_button = QPushButton(self.tr("&Open a recording ..."))
        self.open_button.setDefault(True)
        self.open_button.clicked.connect(self.open_requested)
        self.demo_button = QPushButton(self.tr("Try the &demo scene"))
        self.demo_button.clicked.connect(self.demo_requested)
        for button in (self.open_button, self.demo_button):
            button.setAccessibleName(button.text().replace("&", ""))
            button.setMinimumHeight(38)
            button.setMinimumWidth(210)
            buttons.addWidget(button)
        buttons.addStretch(1)
        column.addLayout(buttons)
        drop = QLabel(self.tr("Or drop a WAV, FLAC, AIFF, Ogg or MP3 file anywhere in this window."))
        column.addWidget(drop)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(2)
        column.addLayout(self._recent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setAccessibleName(self.tr("Welcome"))
        inside = QWidget()
        self.setWidget(inside)
        outer = QGridLayout(inside)
        holder = QWidget()
        holder.setLayout(column)
        holder.setMaximumWidth(760)
        outer.addWidget(holder, 1, 1)
        outer.setRowStretch(0, 1)
        outer.setRowStretch(2, 2)
        outer.setColumnStretch(0, 1)
        outer.setColumnStretch(2, 1)
        outer.setColumnMinimumWidth(1, 560)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Small: the timeline, which takes this place later, fits on small screens."""
        return QSize(320, 200)

    def _title(self) -> QLabel:
        title = QLabel(self.tr("Edit single sounds inside a recording"))
        font = QFont(title.font())
        font.setPointSizeF(font.pointSizeF() * 1.9)
        font.setBold(True)
        title.setFont(font)
        return title

    def _steps(self) -> QGridLayout:
        steps = (
            (
                self.tr("Open a recording"),
                self.tr("Its waveform and spectrogram appear; the file itself is never changed."),
            ),
            (
                self.tr("Draw a box around a sound"),
                self.tr("Drag over it and press Ctrl+B, name its class, and choose: delete, enhance, insert or keep."),
            ),
            (
                self.tr("Press G and listen"),
                self.tr("Space plays; keys 0 and 1 compare original and take at the same place. Then export."),
            ),
        )
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(12)
        for row, (heading, more) in enumerate(steps):
            number = QLabel(str(row + 1))
            font = QFont(number.font())
            font.setPointSizeF(font.pointSizeF() * 1.8)
            font.setBold(True)
            number.setFont(font)
            number.setFixedSize(44, 44)
            number.setAlignment(Qt.AlignmentFlag.AlignCenter)
            number.setStyleSheet(
                "background: palette(highlight); color: palette(highlighted-text); border-radius: 22px;"
            )
            text = QLabel(f"<b>{heading}</b><br>{more}")
            text.setTextFormat(Qt.TextFormat.RichText)
            text.setWordWrap(True)
            grid.addWidget(number, row, 0)
            grid.addWidget(text, row, 1)
        grid.setColumnStretch(1, 1)
        return grid

    def show_recent(self, files: tuple[str, ...]) -> None:
        """Lists the recordings opened last."""
        while self._recent.count():
            item = self._recent.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.deleteLater()
        if files:
            self._recent.addWidget(QLabel(f"<b>{self.tr('Opened last')}</b>"))
        for name in files[:5]:
            button = QPushButton(Path(name).name)
            button.setFlat(True)
            button.setToolTip(as_plain(name))
            button.setAccessibleName(self.tr("Open {0}").format(Path(name).name))
            button.setStyleSheet("text-align: left; padding: 3px 6px; color: palette(link);")
            button.clicked.connect(lambda _=False, path=name: self.file_requested.emit(path))
            self._recent.addWidget(button)
