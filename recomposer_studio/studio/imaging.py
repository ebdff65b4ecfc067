"""Which picture belongs to what is heard; pictures are made on a thread, as soon as they are wanted."""

from PySide6.QtCore import QObject, Signal

from recomposer_studio.audio.overview import Reader
from recomposer_studio.project.take import Take
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.jobs import Analysis
from recomposer_studio.studio.sounds import Difference, Removed, TakeSound
from recomposer_studio.studio.tiles import Grid, Picture

_KEPT = 6
"""Pictures of takes that are kept; they share all unedited tiles with the original's."""
_DIFFERENCE = "difference"


class Imaging(QObject):
    """Pictures of the original, the takes and their differences.

    Signals:
        changed: the picture of what is heard is another one or has grown.
        failed: a picture could not be made; a sentence.
    """

    changed = Signal()
    failed = Signal(str)

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self._document = document
        self._original: Picture | None = None
        self._takes: dict[tuple[int, str], tuple[Take, Picture]] = {}
        self._jobs: list[Analysis] = []
        self._making: tuple[tuple[int, str], Take, Picture] | None = None
        self._waiting = False
        self._size, self._hop_s = 0, 0.0
        self.progress = 0.0
        document.opened.connect(self._opened)
        document.heard_changed.connect(self._look)
        document.takes_changed.connect(self._look)

    @property
    def picture(self) -> Picture | None:
        """The picture of what is heard; the original's while the take's is waiting for it."""
        entry = self._document.current_take
        if entry is not None:
            known = self._takes.get((entry.id, self._part))
            if known is not None:
                return known[1]
        return self._original

    @property
    def reader(self) -> Reader | None:
        """The samples of what is heard."""
        entry = self._document.current_take
        if entry is None:
            return self._document.source
        return _sound(entry.take, self._part)

    @property
    def _part(self) -> str:
        """What of the take is heard: all of it (empty), its difference, or what an event removed."""
        if self._document.removed:
            return f"removed {self._document.removed}"
        return _DIFFERENCE if self._document.difference else ""

    @property
    def busy(self) -> bool:
        """Whether a picture is being made."""
        return bool(self._jobs)

    def set_analysis(self, size: int, hop_s: float) -> None:
        """Analyses anew with another window and step.

        Args:
            size: samples in an analysis window, 0 for what suits the sample rate.
            hop_s: seconds between two columns, 0 for what suits the length.
        """
        if (size, hop_s) != (self._size, self._hop_s):
            self._size, self._hop_s = size, hop_s
            self._opened()
            self._look()

    def stop(self) -> None:
        """Ends all threads and waits for them."""
        for job in self._jobs:
            job.cancel()
        for job in self._jobs:
            job.wait()
            job.deleteLater()
        self._jobs.clear()

    def _opened(self) -> None:
        self.stop()
        self._takes.clear()
        self._making, self._waiting = None, False
        self._original, self.progress = None, 0.0
        source = self._document.source
        if source is not None:
            self._original = Picture.empty(Grid.of(source.rate_hz, source.frames, self._size, self._hop_s))
            self._start(Analysis(source, self._original, None, self))
        self.changed.emit()

    def _start(self, job: Analysis) -> None:
        self._jobs.append(job)
        job.grown.connect(lambda share: self._grown(job, share))
        job.failed.connect(self.failed)
        job.finished.connect(lambda: self._finished(job))
        job.start()

    def _grown(self, job: Analysis, share: float) -> None:
        if job in self._jobs:
            self.progress = share
            self.changed.emit()

    def _finished(self, job: Analysis) -> None:
        if job in self._jobs:
            self._jobs.remove(job)
            making, self._making = self._making, None
            if making is not None and not job.cancelled:
                key, take, picture = making
                self._takes.pop(key, None)
                self._takes[key] = take, picture
                while len(self._takes) > _KEPT:
                    del self._takes[next(iter(self._takes))]
            self.progress = 1.0
            job.deleteLater()
            if self._waiting:
                self._waiting = False
                self._look()
            self.changed.emit()

    def _look(self) -> None:
        """Makes the picture of what is heard, if it is a take that has none yet or was mixed anew."""
        entry, source = self._document.current_take, self._document.source
        if entry is not None and source is not None and self._original is not None:
            key = (entry.id, self._part)
            known = self._takes.get(key)
            if known is None or known[0] is not entry.take:
                if self._jobs:
                    # One at a time: while a slider is dragged, only the latest mix is worth a picture.
                    self._waiting = True
                    if self._making is not None and self._making[1] is not entry.take:
                        self._jobs[0].cancel()
                else:
                    self._make(key, entry.take)
        self.changed.emit()

    def _make(self, key: tuple[int, str], take: Take) -> None:
        assert self._original is not None
        spans = sorted((layer.start, layer.stop) for layer in take.layers)
        picture = Picture.empty(self._original.grid) if key[1] else self._original.branch()
        reader = _sound(take, key[1])
        # Shown when it is whole: until then the former mix stays on the screen, and nothing flickers.
        self._making = key, take, picture
        self._start(Analysis(reader, picture, spans, self))


def _sound(take: Take, part: str) -> Reader:
    """A take, or a part of it."""
    if part.startswith("removed "):
        return Removed(take, part.removeprefix("removed "))
    return Difference(take) if part == _DIFFERENCE else TakeSound(take)
