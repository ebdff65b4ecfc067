"""Writing a take away from the window's thread, and the choices that the next export begins with."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from recomposer_studio.audio.sink import Depth
from recomposer_studio.errors import Cancelled
from recomposer_studio.project.export import ExportOptions, export_take, lay_out
from recomposer_studio.project.headroom import ClipError, check_headroom
from recomposer_studio.project.take import TAKE, Take
from recomposer_studio.roll.formats.files import LabelFormat
from recomposer_studio.studio.jobs import Job


@dataclass(frozen=True)
class Choices:
    """What was chosen for the last export; the next one of the session begins with it.

    Attributes:
        folder: where the take went, None for the recording's folder.
        suffix: ending of the take's name, empty for the recording's.
        depth: sample format, None for the recording's.
        stems: whether stems were written.
        labels: formats of the labels beside the take.
        recipe: whether the take carries its recipe.
        markers: whether the take carries its rows as markers.
    """

    folder: Path | None = None
    suffix: str = ""
    depth: Depth | None = None
    stems: bool = False
    labels: frozenset[LabelFormat] = frozenset()
    recipe: bool = True
    markers: bool = True


class Export(Job):
    """Writes a take to files; cancelled, it leaves everything as it was.

    Args:
        take: the take.
        out: its file.
        stems: folder for the stems, or None.
        options: what else is asked for.
        parent: owner.

    Signals:
        written: what was written.
        clipped: the `ClipError` that stopped it, and how many dB less gain of its event would help, 0 when none does.
        progressed: (share done, file name).
    """

    written = Signal(object)
    clipped = Signal(object, float)
    progressed = Signal(float, str)

    def __init__(
        self, take: Take, out: Path, stems: Path | None, options: ExportOptions, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._take, self._out, self._stems, self._options = take, out, stems, options

    def work(self) -> None:
        """Writes; a clip is told apart from other failures, as there are remedies to offer."""
        try:
            files = export_take(self._take, self._out, self._stems, options=self._options, progress=self._progress)
        except ClipError as error:
            self.clipped.emit(error, self._offer(error))
        else:
            self.written.emit(files)

    def _progress(self, done: int, total: int, name: str) -> None:
        if self.cancelled:
            raise Cancelled
        self.progressed.emit(done / max(total, 1), name)

    def _offer(self, error: ClipError) -> float:
        """How much less gain of the event keeps take and stems below full scale."""
        layer = self._take.layer(error.event_id)
        if layer.placed is None:
            return 0.0
        plan = lay_out(self._take.source, self._take.roll, self._out, self._stems, self._options)
        # A tenth more than the overshoot at least; more where the event is only a part of the sum.
        for extra_db in (0.1, 0.5, 1.0, 2.0, 3.0, 6.0, 9.0, 12.0, 18.0, 24.0):
            less_db = error.overshoot_db + extra_db
            lower = self._take.adjusted(error.event_id, gain_db=layer.event.gain_db - less_db)
            try:
                for part in (TAKE, *plan.names):
                    check_headroom(lower, part, plan.sample_format, self._options.region)
            except ClipError:
                continue
            return less_db
        return 0.0
