"""Takes among themselves at one loudness, on request: measured over what was edited, applied to listening alone."""

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from recomposer_studio.audio.loudness import SILENT_LUFS, loudness_lufs
from recomposer_studio.audio.source import Source
from recomposer_studio.errors import Cancelled
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.project.take import Take
from recomposer_studio.studio.document import ORIGINAL, Document
from recomposer_studio.studio.jobs import Job

MOST_S = 600.0
"""No more than this of the edited stretches is measured."""
_PIECE_S = 20.0


def common_spans(takes: Sequence[Take]) -> list[tuple[int, int]]:
    """The samples that any of the takes edits: all are measured over the same ones, up to `MOST_S`."""
    spans = sorted((layer.start, layer.stop) for take in takes for layer in take.layers)
    left = round(MOST_S * takes[0].source.rate_hz) if takes else 0
    step = round(_PIECE_S * takes[0].source.rate_hz) if takes else 1
    pieces: list[tuple[int, int]] = []
    at = 0
    for start, stop in spans:
        at = max(at, start)
        while at < stop and left > 0:
            n = min(stop - at, left, step)
            pieces.append((at, at + n))
            at, left = at + n, left - n
    return pieces


class _Measuring(Job):
    """Measures takes.

    Signals:
        measured: the loudness of each, in LUFS.
    """

    measured = Signal(object)

    def __init__(self, takes: Sequence[Take], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._takes = tuple(takes)

    def work(self) -> None:
        spans = common_spans(self._takes)
        found = []
        with Source.open(self._takes[0].source.path) as source:
            for take in self._takes:
                pieces = []
                for start, stop in spans:
                    if self.cancelled:
                        raise Cancelled
                    pieces.append(replace(take, source=source).read(start, stop))
                found.append(loudness_lufs(pieces, source.rate_hz))
        self.measured.emit(tuple(found))


class Matching(QObject):
    """Knows how loud the takes are and by how much each is raised or lowered.

    The take that was heard first after the original is the reference and stays as it is, so original and take are never matched.

    Signals:
        changed: other offsets.
        failed: it could not be measured; a sentence.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.on = False
        self._document = document
        self._known: dict[int, float] = {}
        self._measured: tuple[tuple[int, Take], ...] = ()
        self._job: _Measuring | None = None
        self._reference: int | None = None
        document.opened.connect(self._opened)
        document.takes_changed.connect(self._measure)
        document.heard_changed.connect(self.follow)

    @property
    def measuring(self) -> bool:
        """Whether takes are being measured."""
        return self._job is not None

    def set_on(self, on: bool) -> None:
        """Matches, or does not."""
        self.on = on
        entry = self._document.current_take
        self._reference = entry.id if entry else None
        self._measure()
        self.changed.emit()

    def follow(self) -> None:
        """Finds the reference; connected before those who ask for offsets."""
        entry = self._document.current_take
        known = {other.id for other in self._document.takes}
        before = self._reference
        if self._document.heard == ORIGINAL or entry is None:
            self._reference = None
        elif self._reference not in known:
            self._reference = entry.id
        if self.on and before != self._reference:
            self.changed.emit()

    def offset_db(self, entry: TakeEntry) -> float | None:
        """By how much a take is played louder than it is; None while it is not matched."""
        return None if self._reference is None else self._between(entry.id, self._reference)

    def gain(self, entry: TakeEntry, reference: TakeEntry | None = None) -> float:
        """The same as a factor, 1 while it is not matched.

        Args:
            entry: the take.
            reference: the take that stays as it is, where it is another than usual.
        """
        offset_db = self.offset_db(entry) if reference is None else self._between(entry.id, reference.id)
        return 1.0 if offset_db is None else float(10.0 ** (offset_db / 20.0))

    def _between(self, take_id: int, reference_id: int) -> float | None:
        mine, reference = self._known.get(take_id), self._known.get(reference_id)
        if not self.on or mine is None or reference is None or min(mine, reference) <= SILENT_LUFS:
            return None
        return reference - mine

    def stop(self) -> None:
        """Ends the thread and waits for it."""
        job, self._job = self._job, None
        if job is not None:
            job.cancel()
            job.wait()

    def _opened(self) -> None:
        self.stop()
        self._known, self._measured, self._reference = {}, (), None

    def _measure(self) -> None:
        wanted = tuple((entry.id, entry.take) for entry in self._document.takes)
        if not self.on or self._job is not None or not wanted or _same(wanted, self._measured):
            return
        self._measured = wanted
        job = self._job = _Measuring([take for _, take in wanted], self)
        job.measured.connect(lambda found: self._got(job, wanted, found))
        job.failed.connect(self.failed)
        job.finished.connect(lambda: self._finished(job))
        job.start()

    def _got(self, job: _Measuring, wanted: tuple[tuple[int, Take], ...], found: tuple[float, ...]) -> None:
        if job is self._job:
            self._known = {entry_id: loudness for (entry_id, _), loudness in zip(wanted, found, strict=True)}
            self.changed.emit()

    def _finished(self, job: _Measuring) -> None:
        if job is self._job:
            self._job = None
            # Takes that were mixed meanwhile are measured now.
            self._measure()
        job.deleteLater()


def _same(a: tuple[tuple[int, Take], ...], b: tuple[tuple[int, Take], ...]) -> bool:
    """Whether both hold the very same takes; comparing their samples would take long."""
    return len(a) == len(b) and all(x[0] == y[0] and x[1] is y[1] for x, y in zip(a, b, strict=True))
