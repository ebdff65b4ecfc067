"""The engine's `Generator`, answered by a child process: a model that dies, hangs or fills the memory takes no window with it."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.editing.generator import MaskRequest, SoundRequest
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.roll.event import Action
from recomposer_studio.worker.frames import Frame, FrameError
from recomposer_studio.worker.lost import WorkerLost, how_it_ended
from recomposer_studio.worker.messages import Facts, Kind, mask_frame, read_greeting, sound_frame
from recomposer_studio.worker.process import ChildProcess

# -P keeps the user's current folder, and modules that lie in it, away from the child.
COMMAND = (sys.executable, "-P", "-m", "recomposer_studio.worker.child")
"""What runs the child; two arguments follow, the checkpoint's folder and the device. A frozen application gives its own command, which
calls `child.main`."""

_POLL_S = 0.05
_LONGEST_STEP_S = 1.0


@dataclass(frozen=True)
class Patience:
    """How long a child may take.

    Attributes:
        start_s: to load the model, the first time from a cold disk.
        silent_s: between two signs of life during a request. They come every half second.
        still_s: for one step of the work, a generated frame or a whole share; the length of the window comes on top.
        cancel_s: to answer a cancel, until it is killed.
    """

    start_s: float = 120.0
    silent_s: float = 10.0
    still_s: float = 60.0
    cancel_s: float = 2.0


PATIENCE = Patience()


def _never() -> bool:
    return False


class RemoteGenerator:
    """A checkpoint that is loaded in a child process. One request is answered at a time; other threads wait for their turn.

    A child that was lost or killed is replaced by a fresh one at the next request.
    """

    def __init__(self, folder: str | Path, device: str, patience: Patience, command: Sequence[str]) -> None:
        """Starts nothing yet; `start` is the way to get one."""
        self._folder = Path(folder).resolve()
        self._wanted_device = device
        self._patience = patience
        self._command = tuple(command)
        self._turn_lock = threading.Lock()
        self._cancel = threading.Event()
        self._closed = threading.Event()
        self._child: ChildProcess | None = None
        self._facts: Facts | None = None
        self._number = 0

    @classmethod
    def start(
        cls,
        folder: str | Path,
        device: str = "auto",
        *,
        start_timeout_s: float | None = None,
        cancelled: Callable[[], bool] = _never,
        patience: Patience = PATIENCE,
        command: Sequence[str] = COMMAND,
    ) -> Self:
        """Starts a child, returns when it has loaded the checkpoint.

        Args:
            folder: the checkpoint.
            device: `auto`, `cpu` or `cuda`.
            start_timeout_s: replaces `Patience.start_s`.
            cancelled: polled while waiting.
            patience: how long the child may take.
            command: what runs the child; folder and device are appended.

        Raises:
            InputError: the checkpoint cannot be loaded, or there is no such device.
            WorkerLost: the child could not start, or did not in time.
            Cancelled: `cancelled()` returned true.
        """
        if start_timeout_s is not None:
            patience = replace(patience, start_s=start_timeout_s)
        generator = cls(folder, device, patience, command)
        with generator._turn(cancelled):
            generator._ready_child(cancelled)
        return generator

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def _known(self) -> Facts:
        if self._facts is None:
            raise RuntimeError("the child has not started")
        return self._facts

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self._known.name

    @property
    def digest(self) -> str:
        """SHA-256 of the weights and configuration, in hex."""
        return self._known.digest

    @property
    def classes(self) -> frozenset[str]:
        """Class names that the checkpoint was trained on."""
        return self._known.classes

    @property
    def better_than_repair(self) -> frozenset[Action]:
        """Actions in which the checkpoint beat spectral repair on validation scenes."""
        return self._known.better_than_repair

    @property
    def rate_hz(self) -> int:
        """Sample rate of generated sounds."""
        return self._known.rate_hz

    @property
    def device(self) -> str:
        """Where the model runs: `cpu` or `cuda`."""
        return self._known.device

    @property
    def can_insert(self) -> bool:
        """Whether the checkpoint can make sounds."""
        return self._known.can_insert

    @property
    def pid(self) -> int | None:
        """The child's process id, or None while there is no child."""
        child = self._child
        return child.pid if child else None

    def share(self, request: MaskRequest) -> NDArray[np.float64]:
        """Share of the power that belongs to the event, (bands, frames) in [0, 1], zero outside its box.

        Raises:
            InputError: the model refuses the request, or it is too large.
            WorkerLost: the child died, hung or talked nonsense.
            Cancelled: `cancel` was called.
        """
        window_s = request.power.shape[1] * request.hop_s
        return self._ask(
            lambda number: mask_frame(number, request),
            _never,
            window_s,
            lambda answer: answer.dtype == np.float64 and answer.shape == request.power.shape,
        )

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        """A mono sound of `duration_s` at `rate_hz`, shape (samples,), peak at most 1.

        Raises:
            InputError: the model refuses the request, or it is too large.
            WorkerLost: the child died, hung or talked nonsense.
            Cancelled: `cancel` was called, or `request.cancelled()` returned true.
        """
        window_s = request.power.shape[1] * request.hop_s
        return self._ask(
            lambda number: sound_frame(number, request),
            request.cancelled,
            window_s,
            lambda answer: answer.dtype == np.float32 and answer.ndim == 1,
        )

    def cancel(self) -> None:
        """Ends the request in progress, from any thread: its caller gets `Cancelled` at once.

        Nothing happens when there is none: whoever renders sets the engine's own `cancelled` first, which counts between requests.
        """
        self._cancel.set()

    def close(self) -> None:
        """Ends the child and every thread that served it. Requests in progress end as cancelled, and so does every later one.

        Returns when they are gone: at once as a rule, after some seconds if the child hangs.
        """
        self._closed.set()
        with self._turn_lock:
            self._drop_child()

    def _ask(
        self,
        frame: Callable[[int], Frame],
        cancelled: Callable[[], bool],
        window_s: float,
        fits: Callable[[NDArray[Any]], bool],
    ) -> NDArray[Any]:
        """The array that answers a request.

        Args:
            frame: makes the request of a number.
            cancelled: polled while waiting.
            window_s: length of the request's window.
            fits: whether an answer has the right type and shape.
        """
        with self._turn(cancelled):
            child = self._ready_child(cancelled)
            self._number += 1
            try:
                child.ask(frame(self._number))
            except FrameError:
                raise InputError(
                    f"an event whose surroundings last {window_s:.0f} s is too long for the model; shorten it"
                ) from None
            try:
                answer = self._answer(child, cancelled, self._patience.still_s + window_s)
                if answer.header["kind"] == Kind.STOPPED:
                    raise Cancelled
                if answer.header["kind"] != Kind.RESULT or len(answer.arrays) != 1 or not fits(answer.arrays[0]):
                    raise self._lose(child, "the process of the model gave a senseless answer")
                return answer.arrays[0]
            finally:
                # Only when it was left without an answer.
                child.give_up(self._patience.cancel_s)

    def _answer(self, child: ChildProcess, cancelled: Callable[[], bool], still_s: float) -> Frame:
        watch = _Watch(child)
        while True:
            self._check_stop(cancelled)
            answer = child.receive(_POLL_S)
            # An answer to a request that was given up comes late.
            if answer is not None and answer.header.get("number") == self._number:
                return _unless_refused(answer)
            if answer is None and child.ended:
                raise self._lose(child)
            watch.look()
            if watch.silent_s > self._patience.silent_s or watch.still_s > still_s:
                raise self._lose(child, "the process of the model stopped working and was ended")

    def _ready_child(self, cancelled: Callable[[], bool]) -> ChildProcess:
        """A child that waits for a request: the present one if it lives, else a fresh one."""
        child = self._child
        while child and child.owes_an_answer and not child.ended:
            self._check_stop(cancelled)
            time.sleep(_POLL_S)
        if child and not child.ended:
            return child
        self._drop_child()
        try:
            child = self._child = ChildProcess([*self._command, str(self._folder), self._wanted_device])
        except OSError as error:
            raise WorkerLost(f"the process of the model could not be started ({error})", self._wanted_device) from error
        try:
            facts = self._greeted(child, cancelled)
            if self._facts and facts.digest != self._facts.digest:
                raise InputError(f"{self._folder}: the checkpoint was exchanged while it was in use; choose it again")
        except BaseException:
            child.kill()
            self._drop_child()
            raise
        self._facts = facts
        return child

    def _greeted(self, child: ChildProcess, cancelled: Callable[[], bool]) -> Facts:
        started = time.monotonic()
        while True:
            self._check_stop(cancelled)
            answer = child.receive(_POLL_S)
            if answer is not None:
                try:
                    return read_greeting(_unless_refused(answer))
                except (KeyError, TypeError, ValueError):
                    raise self._lose(
                        child, "the process of the model speaks another protocol; install Recomposer Studio again"
                    ) from None
            if child.ended:
                raise self._lose(child, starting=True)
            if time.monotonic() - started > self._patience.start_s:
                raise self._lose(child, f"the process of the model did not start within {self._patience.start_s:g} s")

    def _lose(self, child: ChildProcess, what: str = "", *, starting: bool = False) -> WorkerLost:
        """Ends a child, or what is left of it; gives the error to raise.

        Args:
            child: the child.
            what: what happened; empty when the child ended by itself.
            starting: whether it had yet to greet.
        """
        if not what:
            what = (
                "the process of the model gave a senseless answer" if child.garbled else how_it_ended(child.exit_code())
            )
        if starting:
            what = f"{what} before it was ready"
        child.kill()
        self._drop_child()
        device = self._facts.device if self._facts else self._wanted_device
        return WorkerLost(what, device, child.log)

    def _drop_child(self) -> None:
        if self._child:
            self._child.close()
            self._child = None

    @contextmanager
    def _turn(self, cancelled: Callable[[], bool]) -> Iterator[None]:
        """Waits until no other thread's request is in progress."""
        while not self._turn_lock.acquire(timeout=_POLL_S):
            if cancelled() or self._closed.is_set():
                raise Cancelled
        try:
            # A cancel is for the request that was in progress then.
            self._cancel.clear()
            self._check_stop(cancelled)
            yield
        finally:
            self._turn_lock.release()

    def _check_stop(self, cancelled: Callable[[], bool]) -> None:
        if self._cancel.is_set() or self._closed.is_set() or cancelled():
            raise Cancelled


class _Watch:
    """How long a child has given no sign of life, and how long it has made no step.

    A parent that stood still itself, on a suspended computer for example, must not blame the child: a look counts a second at most.
    """

    def __init__(self, child: ChildProcess) -> None:
        self._child = child
        self._beats, self._steps = child.beats, child.steps
        self._looked = time.monotonic()
        self.silent_s = self.still_s = 0.0

    def look(self) -> None:
        """Counts the time since the last look."""
        now = time.monotonic()
        passed = min(now - self._looked, _LONGEST_STEP_S)
        beats, steps = self._child.beats, self._child.steps
        self.silent_s = self.silent_s + passed if beats == self._beats else 0.0
        self.still_s = self.still_s + passed if steps == self._steps else 0.0
        self._looked, self._beats, self._steps = now, beats, steps


def _unless_refused(answer: Frame) -> Frame:
    if answer.header["kind"] == Kind.REFUSED:
        raise InputError(str(answer.header.get("sentence")))
    return answer
