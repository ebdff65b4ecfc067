"""Work off the window's thread: analysing the picture, rendering takes. Jobs never touch widgets."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, QThread, Signal

from recomposer_studio.audio.overview import Reader
from recomposer_studio.audio.source import Source
from recomposer_studio.diagnosis import machine
from recomposer_studio.editing.engine import Engine
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.model.catalogue import Checkpoint
from recomposer_studio.project.kept import reopened
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import Action, EventRoll
from recomposer_studio.studio.keeping import Keeper
from recomposer_studio.studio.pace import Pace
from recomposer_studio.studio.plan import Plan
from recomposer_studio.studio.tiles import Picture, analyse
from recomposer_studio.worker.client import RemoteGenerator
from recomposer_studio.worker.lost import WorkerLost

LOG = logging.getLogger(__name__)
REPORT_S = 0.05
"""Jobs tell of their progress at most this often."""
LAYERS_S = 0.25
"""Finished layers are shown at most this often: every time the take is drawn and mixed anew."""


@dataclass(frozen=True)
class ModelWish:
    """Which model is wanted, and where it is to run.

    Attributes:
        checkpoint: the model.
        device: `auto`, `cpu` or `cuda`.
    """

    checkpoint: Checkpoint
    device: str = "auto"


def start_model(wish: ModelWish, cancelled: Callable[[], bool]) -> RemoteGenerator:
    """Starts the process of a model; on the CPU where the GPU that is wished for cannot be used.

    Raises:
        InputError: it cannot be loaded.
        WorkerLost: it could not start.
        Cancelled: `cancelled` returned true.
    """
    try:
        return RemoteGenerator.start(wish.checkpoint.folder, wish.device, cancelled=cancelled)
    except WorkerLost as lost:
        if wish.device != "auto" or machine.ask(machine.GPU, cancelled=cancelled).facts.get("cuda"):
            raise
        # Where it was to run is known to a process that is gone: there is no GPU, so the CPU is no way out.
        raise WorkerLost(str(lost).rpartition(";")[0], "cpu", lost.log) from None
    except InputError:
        if wish.device != "cuda":
            raise
        return RemoteGenerator.start(wish.checkpoint.folder, "cpu", cancelled=cancelled)


ModelKeeper = Keeper[ModelWish, RemoteGenerator]
"""Keeps the process of a model."""


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

    def end(self, patience_ms: int) -> bool:
        """Stops the work and waits for its end, but not longer than this: a drive may never answer.

        A thread that does not end is left behind. It tells nobody anything any more, and `left_behind` knows of it.

        Returns:
            Whether it has ended.
        """
        self.cancel()
        if self.wait(patience_ms):
            return True
        self.blockSignals(True)
        self.setParent(None)
        _left.append(self)
        return False

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
            LOG.error("a job failed", exc_info=error)
            self.failed.emit(self.tr("Something went wrong inside ({0}); your work is unchanged.").format(repr(error)))

    def work(self) -> None:
        """What the job does."""
        raise NotImplementedError


_left: list[Job] = []


def left_behind() -> bool:
    """Whether a thread that was left behind still waits for its drive: Python would wait for it at the end of the program, and Qt abort."""
    _left[:] = [job for job in _left if job.isRunning()]
    return bool(_left)


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
    """Renders a take: spectral repair at once as a preview, then the model's version, row by row.

    Args:
        source: the recording.
        plan: what is rendered by what.
        recipe: the settings.
        keeper: gives the process of the model.
        device: where the model is to run: `auto`, `cpu` or `cuda`.
        parent: owner.

    Signals:
        rendered: (take, seconds it took, whether the model's version is still to come).
        layers_done: layers of the model's version that are finished, and the model as a `Take` names it.
        progressed: (share done, seconds left or -1, what is being done).
        runs_on: where the model runs, `cpu` or `cuda`.
        model_lost: the model failed; a sentence, where it ran, and the last lines that it wrote.
    """

    rendered = Signal(object, float, bool)
    layers_done = Signal(list, str)
    progressed = Signal(float, float, str)
    runs_on = Signal(str)
    model_lost = Signal(str, str, tuple)

    def __init__(
        self,
        source: Source,
        plan: Plan,
        recipe: Recipe,
        keeper: ModelKeeper,
        device: str,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._source, self._plan, self._recipe = source, plan, recipe
        self._keeper, self._device = keeper, device
        self._remote: RemoteGenerator | None = None
        self._began = self._shown = time.monotonic()
        self._layers: list[Layer] = []

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
            self._remote = self._keeper.get(ModelWish(plan.checkpoint, self._device), lambda: self.cancelled)
            if self.cancelled:
                raise Cancelled
            self.runs_on.emit(self._remote.device)
            take = self._render(self._remote, plan.full, self._recipe, first_share, 1.0)
            self.rendered.emit(take, time.monotonic() - self._began, False)
        except WorkerLost as error:
            self.model_lost.emit(str(error), error.device, error.log)
        finally:
            self._remote = None

    def _render(
        self, remote: RemoteGenerator | None, roll: EventRoll, recipe: Recipe, first: float, last: float
    ) -> Take:
        pace = Pace(time.monotonic())
        told = 0.0

        def progress(done: int, total: int, what: str) -> None:
            nonlocal told
            now = time.monotonic()
            if now - told < REPORT_S and done < total:
                return
            told = now
            share = done / max(total, 1)
            # How long the model will take is not known from the preview.
            left_s = pace.left_s(share, now) if last == 1.0 else -1.0
            self.progressed.emit(first + (last - first) * share, left_s, what)

        def finished(layer: Layer) -> None:
            if remote is not None:
                self._layers.append(layer)
                self._show_layers(f"{remote.name} {remote.digest}")

        with reopened(self._source) as source:
            take = Engine(remote).render(source, roll, recipe, progress, lambda: self.cancelled, finished)
        # The take reads from the document's own file, which stays open.
        return replace(take, source=self._source)

    def _show_layers(self, model: str) -> None:
        now = time.monotonic()
        if now - self._shown >= LAYERS_S:
            self._shown = now
            layers, self._layers = self._layers, []
            self.layers_done.emit(layers, model)
