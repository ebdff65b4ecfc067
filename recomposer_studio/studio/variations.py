"""Several takes from one wish: they are rendered one after the other, and Esc ends them all."""

from collections import deque
from collections.abc import Callable, Iterable

from PySide6.QtCore import QObject, Signal

from recomposer_studio.studio.document import Document
from recomposer_studio.studio.generating import Generating


class Variations(QObject):
    """What waits to be rendered.

    Args:
        document: what is open.
        generating: renders.

    Signals:
        changed: how many renders wait.
    """

    changed = Signal(int)

    def __init__(self, document: Document, generating: Generating) -> None:
        super().__init__(document)
        self._generating = generating
        self._waiting: deque[Callable[[], None]] = deque()
        generating.state_changed.connect(self._next)
        for over in (generating.cancelled, generating.failed, generating.model_lost, document.opened):
            over.connect(self._forget)

    @property
    def waiting(self) -> int:
        """How many renders wait."""
        return len(self._waiting)

    def add(self, starts: Iterable[Callable[[], None]]) -> None:
        """Starts renders one after the other.

        Args:
            starts: each begins one render.
        """
        self._waiting.extend(starts)
        self._next()

    def _next(self) -> None:
        if self._waiting and not self._generating.running:
            start = self._waiting.popleft()
            start()
        self.changed.emit(len(self._waiting))

    def _forget(self) -> None:
        self._waiting.clear()
        self.changed.emit(0)
