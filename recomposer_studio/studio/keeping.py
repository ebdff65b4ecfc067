"""Processes of networks are kept between two uses, for starting one takes seconds."""

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """A process that can be ended."""

    def close(self) -> None:
        """Ends it."""


WishT = TypeVar("WishT")
RemoteT = TypeVar("RemoteT", bound=Closable)


class Keeper(Generic[WishT, RemoteT]):
    """Keeps one process: the one that was wanted last.

    Args:
        start: starts the process for a wish; polls whether it is still wanted.

    Attributes:
        start: see above.
    """

    def __init__(self, start: Callable[[WishT, Callable[[], bool]], RemoteT]) -> None:
        self.start = start
        self._lock = threading.Lock()
        self._kept: tuple[WishT, RemoteT] | None = None

    def get(self, wish: WishT, cancelled: Callable[[], bool]) -> RemoteT:
        """The process for a wish: the one that is there, or a new one.

        Raises:
            InputError: it cannot be loaded.
            WorkerLost: it could not start.
            Cancelled: `cancelled` returned true.
        """
        with self._lock:
            if self._kept is None or self._kept[0] != wish:
                self._drop()
                self._kept = wish, self.start(wish, cancelled)
            return self._kept[1]

    def close(self) -> None:
        """Ends the process."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept[1].close()
            self._kept = None
