"""A child process as its parent sees it: frames in, frames out, the last lines of its standard error, and an end that always comes."""

import contextlib
import io
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from typing import cast

from recomposer_studio.worker import frames
from recomposer_studio.worker.frames import Frame, FrameError
from recomposer_studio.worker.messages import Kind

LOG_LINES = 200
_LINE_BYTES = 1000
_END_S = 2.0
"""How long an ended input, a kill or a closed pipe may take to be seen."""


class ChildProcess:
    """One child process and the threads that serve its pipes; `close` leaves none of them.

    Attributes:
        beats: counts its frames: signs of life.
        steps: steps of work on the last request that it reported.
        garbled: what was wrong with its answers, or None.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Starts it.

        Raises:
            OSError: the system cannot.
        """
        self._popen = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            # On Windows a window's child would open a console.
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self.beats = 0
        self.steps = 0
        self.garbled: FrameError | None = None
        self._killed = False
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._inbox: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[list[memoryview] | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        # The number of the request whose answer is to come; 0 is the greeting.
        self._open_request: int | None = 0
        # Guards it and the timer that waits for the answer of one that was given up.
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._threads = [
            threading.Thread(target=work, name=f"worker-{work.__name__.strip('_')}", daemon=True)
            for work in (self._read, self._write, self._drain)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines of its standard error."""
        return tuple(self._log)

    @property
    def ended(self) -> bool:
        """Whether no more frames will come."""
        return self._ended.is_set()

    @property
    def owes_an_answer(self) -> bool:
        """Whether the answer to the last request has not come yet."""
        with self._lock:
            return self._open_request is not None

    def ask(self, request: Frame) -> None:
        """Sends a request; its number must be greater than 0.

        Raises:
            FrameError: the request is too large.
        """
        buffers = frames.pack(request)
        self._join_timer()
        with self._lock:
            self._open_request = request.header["number"]
            self.steps = 0
        self._outbox.put(buffers)

    def receive(self, timeout_s: float) -> Frame | None:
        """The next frame besides signs of life, or None when none came in time or none will come (`ended`)."""
        try:
            return self._inbox.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def give_up(self, kill_after_s: float) -> None:
        """Cancels the open request; a child that does not answer in time is killed. Returns at once."""
        with self._lock:
            if self._open_request is not None and not self._timer:
                cancel = Frame({"kind": Kind.CANCEL, "number": self._open_request})
                self._outbox.put(frames.pack(cancel))
                self._timer = threading.Timer(kill_after_s, self._kill_if_open, [self._open_request])
                self._timer.daemon = True
                self._timer.start()

    def kill(self) -> None:
        """Kills it, whatever it does."""
        self._killed = True
        self._popen.kill()

    def exit_code(self) -> int | None:
        """How it ended by itself, after `ended`; None when it did not end or was killed from here."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._popen.wait(_END_S)
            return None if self._killed else code
        return None

    def close(self) -> None:
        """Ends its input, and the process if it does not end by itself; returns when it and its threads are gone."""
        self._outbox.put(None)
        try:
            self._popen.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                # A process inside a broken driver cannot be killed; it must not hold the window up.
                self._popen.wait(_END_S)
        for thread in self._threads:
            # A grandchild can hold a pipe open.
            thread.join(_END_S)
        self._answered(self._open_request)
        self._join_timer()
        for thread, pipe in zip(
            self._threads, (self._popen.stdout, self._popen.stdin, self._popen.stderr), strict=True
        ):
            if pipe and not thread.is_alive():
                pipe.close()

    def _read(self) -> None:
        try:
            while (frame := frames.read(cast(io.RawIOBase, self._popen.stdout))) is not None:
                self._take(frame)
        except FrameError as error:
            self.garbled = error
            self.kill()
        except OSError:
            pass
        finally:
            self._ended.set()
            self._answered(self._open_request)
            self._inbox.put(None)

    def _take(self, frame: Frame) -> None:
        kind, number, steps = (frame.header.get(key) for key in ("kind", "number", "steps"))
        if kind == Kind.BEAT and isinstance(number, int) and isinstance(steps, int):
            with self._lock:
                # One that was sent before the answer to an earlier request may come after it.
                self.steps = steps if number == self._open_request else self.steps
        # First closed, then handed on: whoever has the answer may ask again.
        elif kind in (Kind.GREETING, Kind.REFUSED, Kind.RESULT, Kind.STOPPED) and self._answered(number):
            self._inbox.put(frame)
        else:
            raise FrameError(f"nobody asked for an answer {kind!r} {number!r}")
        self.beats += 1

    def _answered(self, number: int | None) -> bool:
        """Closes the open request if it has this number; whether it has."""
        with self._lock:
            if number is None or number != self._open_request:
                return False
            self._open_request = None
            if self._timer:
                self._timer.cancel()
            return True

    def _kill_if_open(self, number: int) -> None:
        with self._lock:
            if self._open_request == number:
                self.kill()

    def _join_timer(self) -> None:
        """Waits for the timer of an answered request to be gone."""
        if self._timer:
            self._timer.join()
            self._timer = None

    def _write(self) -> None:
        stdin = cast(io.RawIOBase, self._popen.stdin)
        # When nobody reads any more, the reading thread tells.
        with contextlib.suppress(OSError):
            while (buffers := self._outbox.get()) is not None:
                frames.write(stdin, buffers)
        with contextlib.suppress(OSError):
            stdin.close()

    def _drain(self) -> None:
        stderr = cast(io.RawIOBase, self._popen.stderr)
        rest = b""
        with contextlib.suppress(OSError):
            while chunk := stderr.read(4096):
                *lines, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
                self._log.extend(_shown(line) for line in lines if line.strip())
                rest = rest[-_LINE_BYTES:]
        if rest.strip():
            self._log.append(_shown(rest))


def _shown(line: bytes) -> str:
    return line[:_LINE_BYTES].decode("utf-8", "replace")
