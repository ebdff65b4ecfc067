"""Work off the window's thread: analysing the picture, rendering takes, exporting. Jobs never touch widgets."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QThread, Signal

from recomposer_studio.audio.overview import Reader
from recomposer_studio.audio.sink import output_format
from recomposer_studio.audio.source import Source
from recomposer_studio.editing.engine import Engine
from recomposer_studio.editing.generator import Generator
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.model.catalogue import Checkpoint
from recomposer_studio.project.export import export_take
from recomposer_studio.project.headroom import ClipError, check_headroom
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.project.take import TAKE, Take, stem_parts
from recomposer_studio.roll.event import Action, EventRoll
from recomposer_studio.studio.plan import Plan
from recomposer_studio.studio.tiles import Picture, analyse
from recomposer_studio.worker.client import RemoteGenerator
from recomposer_studio.worker.lost import WorkerLost

StartModel = Callable[[Checkpoint, Callable[[], bool]], RemoteGenerator]
"""Starts the process of a model; polls whether it is still wanted."""
REPORT_S = 0.05
"""The picture tells of its progress at most this often."""


class Job(QThread):
    """One piece of work on its own thread.

    Signals:
        failed: it could not be done; a sentence for the person.
    """

    failed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._stop = threading.Event()

    def cancel(self) -> None:
        """Asks the work to stop; it ends at its next look."""
        self._stop.set()

    @property
    def cancelled(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def run(self) -> None:
        """Does the work; what goes wrong becomes one sentence."""
        try:
            self.work()
        except Cancelled:
            pass
        except InputError as error:
            self.failed.emit(str(error))
        except MemoryError:
            self.failed.emit(self.tr("There is not enough memory for this; close other programs or shorten the rows."))
        except Exception as error:  # a thread that dies without a word would leave the person waiting
            self.failed.emit(self.tr("Something went wrong inside ({0}); your work is unchanged.").format(repr(error)))

    def work(self) -> None:
        """What the job does."""
        raise NotImplementedError


class Analysis(Job):
    """Fills a picture from the left.

    Signals:
        grown: the share that is done.
    """

    grown = Signal(float)

    def __init__(
        self, reader: Reader, picture: Picture, spans: list[tuple[int, int]] | None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._reader, self._picture, self._spans = reader, picture, spans

    def work(self) -> None:
        """Analyses; a recording is read through a file of its own, so that the player never waits for it."""
        if isinstance(self._reader, Source):
            with Source.open(self._reader.path) as source:
                self._fill(source)
        else:
            self._fill(self._reader)

    def _fill(self, reader: Reader) -> None:
        told = 0.0
        for share in analyse(reader, self._picture, self._spans, lambda: self.cancelled):
            if time.monotonic() - told >= REPORT_S:
                told = time.monotonic()
                self.grown.emit(share)
        if not self.cancelled:
            self.grown.emit(1.0)


class Render(Job):
    """Renders a take: spectral repair at once as a preview, then the model's version.

    Signals:
        rendered: (take, seconds it took, whether the model's version is still to come).
        progressed: (share done, seconds left or -1, what is being done).
        model_lost: the model failed after the preview was there; a sentence.
    """

    rendered = Signal(object, float, bool)
    progressed = Signal(float, float, str)
    model_lost = Signal(str)

    def __init__(
        self,
        source: Source,
        plan: Plan,
        recipe: Recipe,
        start_model: StartModel,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._source, self._plan, self._recipe = source, plan, recipe
        self._start_model = start_model
        self._remote: RemoteGenerator | None = None
        self._began = time.monotonic()

    def cancel(self) -> None:
        """Stops between two events, and inside one where the model is at work."""
        super().cancel()
        remote = self._remote
        if remote is not None:
            remote.cancel()

    def work(self) -> None:
        """Preview, then the model."""
        self._began = time.monotonic()
        plan = self._plan
        first_share = 1.0 if plan.full is None else 0.1
        if any(event.action is not Action.KEEP for event in plan.repair.events):
            recipe = replace(self._recipe, renderer=Renderer.REPAIR)
            take = self._render(None, plan.repair, recipe, 0.0, first_share)
            if plan.full is None:
                take = replace(take, recipe=self._recipe)
            self.rendered.emit(take, time.monotonic() - self._began, plan.full is not None)
        if plan.full is None or plan.checkpoint is None:
            return
        try:
            self.progressed.emit(first_share, -1.0, self.tr("loading {0}").format(plan.checkpoint.name))
            self._remote = self._start_model(plan.checkpoint, lambda: self.cancelled)
            if self.cancelled:
                raise Cancelled
            take = self._render(self._remote, plan.full, self._recipe, first_share, 1.0)
            self.rendered.emit(take, time.monotonic() - self._began, False)
        except WorkerLost as error:
            self.model_lost.emit(str(error))
        finally:
            self._remote = None

    def _render(self, generator: Generator | None, roll: EventRoll, recipe: Recipe, first: float, last: float) -> Take:
        began = time.monotonic()
        told = 0.0

        def progress(done: int, total: int, what: str) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told < REPORT_S and done < total:
                return
            told = now
            share = done / max(total, 1)
            left_s = (now - began) / share * (1.0 - share) if share > 0.02 else -1.0
            self.progressed.emit(first + (last - first) * share, left_s, what)

        with Source.open(self._source.path) as source:
            take = Engine(generator).render(source, roll, recipe, progress, lambda: self.cancelled)
        # The take reads from the document's own file, which stays open.
        return replace(take, source=self._source)


def start_model(checkpoint: Checkpoint, cancelled: Callable[[], bool]) -> RemoteGenerator:
    """Starts the process of a model on the best device there is.

    Raises:
        WorkerLost: it could not start.
        Cancelled: `cancelled` returned true.
    """
    return RemoteGenerator.start(checkpoint.folder, "auto", cancelled=cancelled)


class ModelKeeper:
    """Keeps the process of a model between renders, for loading one takes seconds.

    Attributes:
        start: starts the process.
    """

    def __init__(self) -> None:
        self.start: StartModel = start_model
        self._lock = threading.Lock()
        self._kept: tuple[Path, RemoteGenerator] | None = None

    def get(self, checkpoint: Checkpoint, cancelled: Callable[[], bool]) -> RemoteGenerator:
        """The process of a model: the one that is there, or a new one.

        Raises:
            InputError: it cannot be loaded.
            WorkerLost: it could not start.
            Cancelled: `cancelled` returned true.
        """
        with self._lock:
            if self._kept is None or self._kept[0] != checkpoint.folder:
                self._drop()
                self._kept = checkpoint.folder, self.start(checkpoint, cancelled)
            return self._kept[1]

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None


class Export(Job):
    """Writes a take to files; cancelled, it leaves everything as it was.

    Signals:
        written: what was written.
        clipped: the `ClipError` that stopped it, and how many dB less gain of its event would help, 0 when none does.
        progressed: (share done, file name).
    """

    written = Signal(object)
    clipped = Signal(object, float)
    progressed = Signal(float, str)

    def __init__(self, take: Take, out: Path, stems: Path | None, float32: bool, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._take, self._out, self._stems, self._float32 = take, out, stems, float32

    def work(self) -> None:
        """Writes; a clip is told apart from other failures, as there are remedies to offer."""
        try:
            files = export_take(self._take, self._out, self._stems, float32=self._float32, progress=self._progress)
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
        sample_format = output_format(
            self._take.source.format, self._out, frames=self._take.source.frames, channels=self._take.source.channels
        )
        parts = [TAKE, *(stem_parts(self._take.roll)[0] if self._stems else [])]
        # A tenth more than the overshoot at least; more where the event is only a part of the sum.
        for extra_db in (0.1, 0.5, 1.0, 2.0, 3.0, 6.0, 9.0, 12.0, 18.0, 24.0):
            less_db = error.overshoot_db + extra_db
            lower = self._take.adjusted(error.event_id, gain_db=layer.event.gain_db - less_db)
            try:
                for part in parts:
                    check_headroom(lower, part, sample_format)
            except ClipError:
                continue
            return less_db
        return 0.0
