"""YAMNet is installed by a child process: it is tried in ONNX Runtime, which never comes into the window's process.

The child is `python -m recomposer_studio.worker.installer [ORIGIN]`. It tells its progress in frames and stops when its input closes.
"""

import contextlib
import io
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import cast

from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.worker import frames
from recomposer_studio.worker.frames import Frame, FrameError
from recomposer_studio.worker.lost import WorkerLost, how_it_ended
from recomposer_studio.worker.remote import python
from recomposer_studio.worker.serving import take_pipes

COMMAND = python("recomposer_studio.worker.installer")
"""What runs the child; where YAMNet comes from may follow. A frozen application gives its own command, which calls `main`."""

_END_S = 5.0
"""How long a child may take to clear up."""


class Installer:
    """One installation.

    Args:
        origin: a file, folder or address, see `installation.install`; None for the published model.
        command: what runs the child.
    """

    def __init__(self, origin: str | None, command: Sequence[str] = COMMAND) -> None:
        self._command = [*command, *([origin] if origin is not None else [])]
        self._stopped = threading.Event()

    def cancel(self) -> None:
        """Stops it, from any thread; what was installed before stays."""
        self._stopped.set()

    def run(self, progress: Callable[[int, int, str], None]) -> None:
        """Installs.

        Args:
            progress: called with what is done, the total (0 while unknown) and what is being done.

        Raises:
            InputError: it could not be fetched, read or written; nothing was installed.
            Cancelled: `cancel` was called.
        """
        try:
            child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise WorkerLost(f"the installation could not be started ({error})", "cpu", instead="") from error
        watch = threading.Thread(target=self._watch, args=(child,), name="installer-watch", daemon=True)
        watch.start()
        try:
            self._follow(child, progress)
        finally:
            self._stopped.set()
            watch.join()
            for pipe in (child.stdin, child.stdout):
                assert pipe is not None
                pipe.close()

    def _follow(self, child: subprocess.Popen[bytes], progress: Callable[[int, int, str], None]) -> None:
        with contextlib.suppress(FrameError):  # a child that was killed may leave half a frame
            while (frame := frames.read(cast(io.RawIOBase, child.stdout))) is not None:
                match frame.header:
                    case {"done": int(done), "total": int(total), "what": str(what)} if not self._stopped.is_set():
                        progress(done, total, what)
                    case {"failed": str(sentence)}:
                        raise InputError(sentence)
                    case {"installed": True}:
                        return
        if self._stopped.is_set():
            raise Cancelled
        raise WorkerLost(f"the installation {how_it_ended(child.wait())}", "cpu", instead="")

    def _watch(self, child: subprocess.Popen[bytes]) -> None:
        """Ends the child when nobody waits for it any more."""
        self._stopped.wait()
        assert child.stdin is not None
        with contextlib.suppress(OSError):
            child.stdin.close()
        try:
            child.wait(_END_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def main() -> None:
    """Installs YAMNet and tells how it goes."""
    from recomposer_studio.tagging.installation import install, yamnet_folder

    commands, answers = take_pipes()
    unwanted = threading.Event()

    def listen() -> None:
        with contextlib.suppress(OSError):
            commands.read(1)  # nothing is ever sent: it returns when the parent closes the pipe
        unwanted.set()

    def send(header: dict[str, object]) -> None:
        frames.write(answers, frames.pack(Frame(header)))

    def progress(done: int, total: int, what: str) -> None:
        if unwanted.is_set():
            raise Cancelled
        send({"done": done, "total": total, "what": what})

    threading.Thread(target=listen, daemon=True).start()
    origin = sys.argv[1] if len(sys.argv) > 1 else None
    try:
        install(origin, yamnet_folder(), progress)
        send({"installed": True})
    except InputError as error:
        send({"failed": str(error)})
    except (Cancelled, OSError):
        sys.exit(1)


if __name__ == "__main__":
    main()
