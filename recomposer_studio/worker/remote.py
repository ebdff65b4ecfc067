"""A network that is answered by a child process, seen from the parent: turns, deadlines, cancel, restart."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from numpy.typing import NDArray

from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.worker.frames import Frame, FrameError
from recomposer_studio.worker.lost import WorkerLost, how_it_ended
from recomposer_studio.worker.messages import Kind
from recomposer_studio.worker.process import ChildProcess

_POLL_S = 0.05
_LONGEST_STEP_S = 1.0


def python(module: str) -> tuple[str, ...]:
    """What runs a module in a child process."""
    # -P keeps the user's current folder, and modules that lie in it, away from the child.
    return (sys.executable, "-P", "-m", module)


@dataclass(frozen=True)
class Patience:
    """How long a child may take.

    Attributes:
        start_s: to load the network, the first time from a cold disk.
        silent_s: between two signs of life during a request. They come every half second.
        still_s: for one step of the work, a generated frame, a whole share or some patches; the length of the sound comes on top.
        cancel_s: to answer a cancel, until it is killed.
    """

    start_s: float = 120.0
    silent_s: float = 10.0
    still_s: float = 60.0
    cancel_s: float = 2.0


PATIENCE = Patience()


def never() -> bool:
    """Nobody cancels."""
    return False


class Facts(Protocol):
    """What every greeting tells."""

    @property
    def digest(self) -> str:
        """SHA-256 of the network, in hex."""


FactsT = TypeVar("FactsT", bound=Facts)


class Remote(Generic[FactsT]):
    """A network in a child process. One request is answered at a time; other threads wait for their turn.

    A child that was lost or killed is replaced by a fresh one at the next request.

    Attributes:
        WHO: what the network is called in sentences.
        INSTEAD: what does its work without it, or empty.
        EXCHANGED: the sentence for a network that is another one than before.
    """

    WHO: ClassVar[str]
    INSTEAD: ClassVar[str]
    EXCHANGED: ClassVar[str]

    def __init__(self, command: Sequence[str], patience: Patience, device: str = "cpu") -> None:
        """Starts nothing yet.

        Args:
            command: what runs the child, with its arguments.
            patience: how long it may take.
            device: where it is to run.
        """
        self._command = tuple(command)
        self._patience = patience
        self._wanted_device = device
        self._turn_lock = threading.Lock()
        self._cancel = threading.Event()
        self._closed = threading.Event()
        self._child: ChildProcess | None = None
        self._facts: FactsT | None = None
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def wait_until_ready(self, cancelled: Callable[[], bool] = never) -> None:
        """Returns when a child has loaded the network.

        Raises:
            InputError: it cannot be loaded.
            WorkerLost: the child could not start, or did not in time.
            Cancelled: `cancelled()` returned true.
        """
        with self._turn(cancelled):
            self._ready_child(cancelled)

    @property
    def _known(self) -> FactsT:
        if self._facts is None:
            raise RuntimeError("the child has not started")
        return self._facts

    @property
    def _present_device(self) -> str:
        """Where the network runs, or is to run."""
        return self._wanted_device

    @property
    def digest(self) -> str:
        """SHA-256 of the network, in hex."""
        return self._known.digest

    @property
    def pid(self) -> int | None:
        """The child's process id, or None while there is no child."""
        child = self._child
        return child.pid if child else None

    def cancel(self) -> None:
        """Ends the request in progress, from any thread: its caller gets `Cancelled` at once.

        Nothing happens when there is none: whoever works sets its own `cancelled` first, which counts between requests.
        """
        self._cancel.set()

    def close(self) -> None:
        """Ends the child and every thread that served it. Requests in progress end as cancelled, and so does every later one.

        Returns when they are gone: at once as a rule, after some seconds if the child hangs.
        """
        self._closed.set()
        with self._turn_lock:
            self._drop_child()

    def _read_greeting(self, frame: Frame) -> FactsT:
        """The facts in a greeting; raises KeyError, TypeError or ValueError where it is none."""
        raise NotImplementedError

    def _ask(
        self,
        frame: Callable[[int], Frame],
        cancelled: Callable[[], bool],
        window_s: float,
        too_large: str,
        fits: Callable[[tuple[NDArray[Any], ...]], bool],
        stepped: Callable[[], bool] | None = None,
    ) -> tuple[NDArray[Any], ...]:
        """The arrays that answer a request.

        Args:
            frame: makes the request of a number.
            cancelled: polled while waiting.
            window_s: length of the sound that the request is about.
            too_large: the sentence for a request that fits into no frame.
            fits: whether an answer has the right types and shapes.
            stepped: polled once for every step of the work that the child reports, in the place of `cancelled`, by whoever counts
                steps; None where nobody does.
        """
        with self._turn(cancelled):
            child = self._ready_child(cancelled)
            self._number += 1
            try:
                child.ask(frame(self._number))
            except FrameError:
                raise InputError(too_large) from None
            try:
                answer = self._answer(child, cancelled, stepped, self._patience.still_s + window_s)
                if answer.header["kind"] == Kind.STOPPED:
                    raise Cancelled
                if answer.header["kind"] != Kind.RESULT or not fits(answer.arrays):
                    raise self._lose(child, "gave a senseless answer")
                return answer.arrays
            finally:
                # Only when it was left without an answer.
                child.give_up(self._patience.cancel_s)

    def _answer(
        self, child: ChildProcess, cancelled: Callable[[], bool], stepped: Callable[[], bool] | None, still_s: float
    ) -> Frame:
        watch, counted = _Watch(child), 0
        while True:
            self._check_stop(never if stepped else cancelled)
            answer = child.receive(_POLL_S)
            steps = child.steps
            while stepped and counted < steps:
                counted += 1
                self._check_stop(stepped)
            # An answer to a request that was given up comes late.
            if answer is not None and answer.header.get("number") == self._number:
                return _unless_refused(answer)
            if answer is None and child.ended:
                raise self._lose(child)
            watch.look()
            if watch.silent_s > self._patience.silent_s or watch.still_s > still_s:
                raise self._lose(child, "stopped working and was ended")

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
            child = self._child = ChildProcess(self._command)
        except OSError as error:
            raise self._lost(f"could not be started ({error})") from error
        try:
            facts = self._greeted(child, cancelled)
            if self._facts and facts.digest != self._facts.digest:
                raise InputError(self.EXCHANGED)
        except BaseException:
            child.kill()
            self._drop_child()
            raise
        self._facts = facts
        return child

    def _greeted(self, child: ChildProcess, cancelled: Callable[[], bool]) -> FactsT:
        started = time.monotonic()
        while True:
            self._check_stop(cancelled)
            answer = child.receive(_POLL_S)
            if answer is not None:
                try:
                    return self._read_greeting(_unless_refused(answer))
                except (KeyError, TypeError, ValueError):
                    raise self._lose(child, "speaks another protocol; install Recomposer Studio again") from None
            if child.ended:
                raise self._lose(child, starting=True)
            if time.monotonic() - started > self._patience.start_s:
                raise self._lose(child, f"did not start within {self._patience.start_s:g} s")

    def _lose(self, child: ChildProcess, what: str = "", *, starting: bool = False) -> WorkerLost:
        """Ends a child, or what is left of it; gives the error to raise.

        Args:
            child: the child.
            what: what it did; empty when it ended by itself.
            starting: whether it had yet to greet.
        """
        if not what:
            what = "gave a senseless answer" if child.garbled else how_it_ended(child.exit_code())
        if starting:
            what = f"{what} before it was ready"
        child.kill()
        self._drop_child()
        return self._lost(what, child.log)

    def _lost(self, what: str, log: tuple[str, ...] = ()) -> WorkerLost:
        return WorkerLost(f"the process of the {self.WHO} {what}", self._present_device, log, self.INSTEAD)

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
