"""Work off the window's thread that has to do with detection: listening to a recording, installing YAMNet."""

import time
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import Cancelled
from recomposer_studio.project.take import Take
from recomposer_studio.roll.event import Event
from recomposer_studio.studio.jobs import Job
from recomposer_studio.studio.keeping import Keeper
from recomposer_studio.studio.row_check import check_rows
from recomposer_studio.tagging.events import EventOptions, Found
from recomposer_studio.tagging.recording import Progress, tag_recording
from recomposer_studio.tagging.similar import find_similar
from recomposer_studio.tagging.tagger import Tagger
from recomposer_studio.worker.installer import Installer
from recomposer_studio.worker.tagger import RemoteTagger

TaggerKeeper = Keeper[str, RemoteTagger]
"""Keeps the process of a tagger, which is wished for by name."""

OPTIONS = EventOptions(threshold=0.0)
"""Nothing is left out while listening: the window's slider hides what is unlikely."""


def start_tagger(name: str, cancelled: Callable[[], bool]) -> RemoteTagger:
    """Starts the process of a tagger.

    Raises:
        InputError: it is not installed.
        WorkerLost: it could not start.
        Cancelled: `cancelled` returned true.
    """
    return RemoteTagger.start(name, cancelled=cancelled)


Listen = Callable[[Source, Tagger, Progress, Callable[[Found], None]], object]
"""Listens to a recording, tells how far it is, and gives every sound as soon as it is decided."""


def everything(source: Source, tagger: Tagger, progress: Progress, on_found: Callable[[Found], None]) -> None:
    """Looks for all sounds."""
    tag_recording(source, tagger, OPTIONS, progress=progress, on_found=on_found)


def like(event: Event) -> Listen:
    """Looks for sounds like the one in a box."""

    def listen(source: Source, tagger: Tagger, progress: Progress, on_found: Callable[[Found], None]) -> None:
        find_similar(source, tagger, event.start_s, event.end_s, event.label, progress=progress, on_found=on_found)

    return listen


class Detect(Job):
    """Listens to a recording.

    Args:
        source: the recording.
        tagger: name of who listens.
        keeper: gives its process.
        listen: what is looked for.
        parent: owner.

    Signals:
        found: what was decided since the last time, a list of `Found`.
        progressed: (share done, seconds left or -1).
        heard: all was listened to.
    """

    found = Signal(list)
    progressed = Signal(float, float)
    heard = Signal()

    def __init__(
        self, source: Source, tagger: str, keeper: TaggerKeeper, listen: Listen, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._source, self._tagger, self._keeper, self._listen = source, tagger, keeper, listen
        self._fresh: list[Found] = []

    def work(self) -> None:
        """Listens through a file of its own, so that the player never waits for it."""
        remote = self._keeper.get(self._tagger, lambda: self.cancelled)
        began = time.monotonic()

        def progress(done_s: int, total_s: int, _: str) -> None:
            if self.cancelled:
                raise Cancelled
            self._hand_over()
            share = done_s / max(total_s, 1)
            left_s = (time.monotonic() - began) * (1.0 - share) / share if share > 0 else -1.0
            self.progressed.emit(share, left_s)

        with Source.open(self._source.path) as source:
            ears = remote.ears(lambda: self.cancelled)
            self._listen(source, ears, progress, lambda sound: self._fresh.append(sound))
        if self.cancelled:
            raise Cancelled
        self._hand_over()
        self.heard.emit()

    def _hand_over(self) -> None:
        if self._fresh:
            fresh, self._fresh = self._fresh, []
            self.found.emit(fresh)


class CheckRows(Job):
    """Listens to the rows of a take.

    Args:
        take: the take, as it is mixed now.
        tagger: name of who listens.
        keeper: gives its process.
        parent: owner.

    Signals:
        checked: a list of `RowCheck`.
    """

    checked = Signal(list)

    def __init__(self, take: Take, tagger: str, keeper: TaggerKeeper, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._take, self._tagger, self._keeper = take, tagger, keeper

    def work(self) -> None:
        """Listens through a file of its own."""
        remote = self._keeper.get(self._tagger, lambda: self.cancelled)
        with Source.open(self._take.source.path) as source:
            take = replace(self._take, source=source)
            self.checked.emit(check_rows(take, remote.ears(lambda: self.cancelled), lambda: self.cancelled))


class InstallYamnet(Job):
    """Installs YAMNet.

    Args:
        origin: a file or an address; None for the published model.
        parent: owner.

    Signals:
        progressed: (share done or -1 while unknown, what is being done).
        installed: it is there.
    """

    progressed = Signal(float, str)
    installed = Signal()

    def __init__(self, origin: str | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._installer = Installer(origin)

    def cancel(self) -> None:
        """Stops; what was installed before stays."""
        super().cancel()
        self._installer.cancel()

    def work(self) -> None:
        """Installs."""
        self._installer.run(lambda done, total, what: self.progressed.emit(done / total if total else -1.0, what))
        self.installed.emit()
