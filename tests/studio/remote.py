"""A model in a child process, played by this one."""

import threading
import time
from pathlib import Path

from recomposer_studio.model.catalogue import Checkpoint
from recomposer_studio.roll.event import Action
from tests.editing.fakes import KnownGenerator

MODEL = Checkpoint(Path("x"), "tiny", ("mask", "decoder"), ("Dog",), frozenset({Action.DELETE, Action.ENHANCE}), 1.0)


class Remote(KnownGenerator):
    """A model in a child process, played by this one."""

    def __init__(self) -> None:
        super().__init__()
        self.cancelled, self.closed = threading.Event(), False

    def cancel(self) -> None:
        self.cancelled.set()

    def close(self) -> None:
        self.closed = True


def start(window, remote, wait: threading.Event | None = None) -> None:
    def begin(wish, cancelled):
        while wait is not None and not wait.is_set():
            time.sleep(0.005)
        return remote

    window.generating.find_checkpoint = lambda: MODEL
    window.generating.models.start = begin
