"""The loop of a child process that holds a network.

It loads the network, greets, and answers one request after another over the pipes that were its standard input and output. It ends as
soon as its input does.
"""

import contextlib
import faulthandler
import io
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, TypeVar

from numpy.typing import NDArray

from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.worker import frames
from recomposer_studio.worker.frames import Frame
from recomposer_studio.worker.messages import OUT_OF_MEMORY, Kind

BEAT_S = 0.5
"""A working child tells this often that it lives."""

_MEMORY_WORDS = (
    "can't allocate memory", "not enough memory", "out of memory", "failed to allocate memory", "bad allocation", "bad_alloc",
)  # fmt: skip

Network = TypeVar("Network")


class Line:
    """The pipes to the parent, with a thread that listens and one that sends signs of life."""

    def __init__(self, commands: io.RawIOBase, answers: io.RawIOBase) -> None:
        """Starts both threads."""
        self._commands, self._answers = commands, answers
        self._writing = threading.Lock()
        self._requests: SimpleQueue[Frame] = SimpleQueue()
        self._working = threading.Event()
        self._number = self._steps = 0
        self._cancelled = -1
        for work in (self._listen, self._beat):
            threading.Thread(target=work, daemon=True).start()

    def requests(self) -> Iterator[Frame]:
        """The requests; signs of life are sent from the moment one is given out until the next is asked for."""
        while True:
            frame = self._requests.get()
            # In this order: whoever reads the new number finds no steps of the old one.
            self._steps = 0
            self._number = frame.header["number"]
            self._working.set()
            yield frame
            self._working.clear()

    def send(self, frame: Frame) -> None:
        """Sends a frame; a parent that is gone ends this process."""
        buffers = frames.pack(frame)
        with self._writing:
            try:
                frames.write(self._answers, buffers)
            except OSError:
                os._exit(0)

    def cancelled(self, number: int) -> bool:
        """Whether the parent no longer wants a request; every call counts as a step of the work."""
        self._steps += 1
        return self._cancelled >= number

    def _listen(self) -> None:
        status = 1
        try:
            while (frame := frames.read(self._commands)) is not None:
                if frame.header["kind"] == Kind.CANCEL:
                    self._cancelled = frame.header["number"]
                else:
                    self._requests.put(frame)
            status = 0
        except Exception:
            traceback.print_exc()
        finally:
            # Whatever the network is doing: nobody waits for it any more.
            os._exit(status)

    def _beat(self) -> None:
        while True:
            self._working.wait()
            number = self._number
            self.send(Frame({"kind": Kind.BEAT, "number": number, "steps": self._steps}))
            time.sleep(BEAT_S)


def serve(
    load: Callable[[], Network],
    greeting: Callable[[Network], Frame],
    answer: Callable[[Network, Frame, Callable[[], bool]], tuple[NDArray[Any], ...]],
) -> None:
    """Loads a network and answers until the parent goes; whatever goes wrong unforeseen ends the process with its traceback.

    Args:
        load: gives the network; its `InputError` is told to the parent.
        greeting: the first frame.
        answer: the arrays that answer a request; polls whether it is still wanted.
    """
    # Ctrl-C goes to every process of a terminal; the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    line = Line(*take_pipes())
    with _memory_ends_here():
        try:
            network = load()
        except InputError as error:
            line.send(Frame({"kind": Kind.REFUSED, "number": 0, "sentence": str(error)}))
            return
        line.send(greeting(network))
        for request in line.requests():
            line.send(_reply(network, request, line, answer))


def _reply(
    network: Network,
    request: Frame,
    line: Line,
    answer: Callable[[Network, Frame, Callable[[], bool]], tuple[NDArray[Any], ...]],
) -> Frame:
    number = request.header["number"]

    def cancelled() -> bool:
        return line.cancelled(number)

    try:
        if cancelled():
            raise Cancelled
        return Frame({"kind": Kind.RESULT, "number": number}, answer(network, request, cancelled))
    except Cancelled:
        return Frame({"kind": Kind.STOPPED, "number": number})
    except InputError as error:
        return Frame({"kind": Kind.REFUSED, "number": number, "sentence": str(error)})


def take_pipes() -> tuple[io.RawIOBase, io.RawIOBase]:
    """The pipes to the parent, moved away from where libraries read and print: what they print goes to standard error."""
    commands = io.FileIO(os.dup(0), "rb")
    answers = io.FileIO(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return commands, answers


@contextlib.contextmanager
def _memory_ends_here() -> Iterator[None]:
    """Ends the process with a code of its own when memory runs out, on the processor or on the GPU."""
    try:
        yield
    except Exception as error:
        # torch and ONNX Runtime raise errors of their own, which only their words tell apart.
        words = str(error).lower()
        if not isinstance(error, MemoryError) and not any(known in words for known in _MEMORY_WORDS):
            raise
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(OUT_OF_MEMORY)
