"""A take dragged out of the list into another program: an exported file goes along as a URL."""

import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, Qt, QUrl
from PySide6.QtGui import QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication

from recomposer_studio.project.export import Exported, ExportOptions
from recomposer_studio.project.headroom import ClipError
from recomposer_studio.project.kept import home_of
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.project.take import Take
from recomposer_studio.studio.exporting import Export

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window

KEPT_S = 7 * 24 * 3600.0
"""Some programs refer to a dragged file instead of copying it: it stays for a week, and goes with a later drag."""
_SOUNDS = (".wav", ".flac", ".aif", ".aiff", ".caf", ".w64")


class TakeDrag(QObject):
    """Watches the list of takes for drags.

    The file is written when the mouse begins to move, away from the window's thread; the drag starts when it is there. Who let go before
    finds it ready at the next drag.

    Args:
        window: the window.

    Attributes:
        folder: where the files go.
    """

    def __init__(self, window: "Window") -> None:
        super().__init__(window)
        self.folder = Path(platformdirs.user_cache_dir("recomposer-studio", False)) / "dragged"
        self._window = window
        self._list = window.takes.list
        self._pressed: tuple[int, QPoint] | None = None
        self._job: Export | None = None
        self._ready: tuple[Take, str, Path] | None = None
        self._list.viewport().installEventFilter(self)
        window.document.leaving.connect(self._cancel)

    def stop(self) -> None:
        """Ends the writing; nothing of it stays."""
        self._cancel()
        if self._job is not None:
            self._job.wait()

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """A press on a take and a move from there is a drag; everything else goes on to the list."""
        if not isinstance(event, QMouseEvent):
            return False
        at = event.position().toPoint()
        if event.type() == QEvent.Type.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
            row = self._list.indexAt(at).row()
            self._pressed = (row, at) if row > 0 else None
        elif event.type() == QEvent.Type.MouseButtonRelease:
            self._pressed = None
        elif event.type() == QEvent.Type.MouseMove and event.buttons() & Qt.MouseButton.LeftButton and self._pressed:
            row, start = self._pressed
            if (at - start).manhattanLength() >= QApplication.startDragDistance():
                self._pressed = None
                self._begin(row)
            # Else the list would choose the takes that the mouse passes.
            return True
        return False

    def _begin(self, row: int) -> None:
        if self._job is not None or not row <= len(self._window.document.takes):
            return
        entry = self._window.document.takes[row - 1]
        if self._ready is not None and self._ready[:2] == (entry.take, entry.name) and self._ready[2].exists():
            self._drag(self._ready[2])
            return
        try:
            self._sweep()
            place = self.folder / secrets.token_hex(4)
            place.mkdir(parents=True)
        except OSError as error:
            words = self.tr("{0} cannot be written ({1}); use Export instead.")
            self._window.messages.fail(words.format(self.folder, error.strerror or error))
            return
        self._ready = None
        job = Export(entry.take, place / _file_name(entry), None, ExportOptions(), self)
        job.written.connect(lambda files: self._written(entry, files))
        job.clipped.connect(self._clipped)
        job.failed.connect(lambda sentence: self._failed(job, sentence))
        job.finished.connect(self._finished)
        self._job = job
        QApplication.setOverrideCursor(Qt.CursorShape.BusyCursor)
        job.start()

    def _written(self, entry: TakeEntry, files: Exported) -> None:
        self._ready = entry.take, entry.name, files.take

    def _clipped(self, error: ClipError, less_db: float) -> None:
        self._window.messages.fail(str(error).replace(" (--float32)", self.tr(" with Export")))

    def _failed(self, job: Export, sentence: str) -> None:
        # A cancelled job may stumble over its recording, which is closed when another one is opened.
        if not job.cancelled:
            self._window.messages.fail(sentence)

    def _finished(self) -> None:
        job, self._job = self._job, None
        QApplication.restoreOverrideCursor()
        if job is None:
            return
        job.deleteLater()
        if job.cancelled or self._ready is None:
            return
        if self._held():
            self._drag(self._ready[2])
        else:
            self._window.messages.tell(self.tr("{0} is ready; drag it again.").format(self._ready[1]))

    def _held(self) -> bool:
        """Whether the mouse still holds the take."""
        return bool(QApplication.mouseButtons() & Qt.MouseButton.LeftButton)

    def _drag(self, path: Path) -> None:
        drag = QDrag(self._list)
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)

    def _sweep(self) -> None:
        """Removes what was dragged long ago."""
        if not self.folder.is_dir():
            return
        for place in self.folder.iterdir():
            with suppress(OSError):
                if time.time() - place.stat().st_mtime > KEPT_S:
                    shutil.rmtree(place)


def _file_name(entry: TakeEntry) -> str:
    source = entry.take.source
    home = home_of(source)
    keeps = home.suffix.lower() in _SOUNDS and not source.format.is_lossy
    name = re.sub(r'[<>:"/\\|?*\x00-\x1f]+', "-", entry.name).strip() or "take"
    return f"{home.stem} - {name}{home.suffix if keeps else '.wav'}"
