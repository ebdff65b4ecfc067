"""The player at the service of the document: which versions there are, the playhead, loop and keys."""

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal

from recomposer_studio.studio.document import ORIGINAL, Document
from recomposer_studio.studio.mixer import Sound
from recomposer_studio.studio.player import Difference, Output, Player, open_output

TICK_MS = 30
PRE_ROLL_S = 1.0


class Listening(QObject):
    """Plays what the document says is heard.

    Signals:
        moved: the playhead is at a time in seconds.
        state_changed: playing began or ended, or the loop was switched.
        silent: sound cannot be heard; a sentence, once a recording.
        failed: a sound could not be read; a sentence.
        levelled: peak since the last tick, full scale 1.
    """

    moved = Signal(float)
    state_changed = Signal()
    silent = Signal(str)
    failed = Signal(str)
    levelled = Signal(float)

    def __init__(self, document: Document, open_output: Callable[[int], tuple[Output, str]] = open_output) -> None:
        super().__init__(document)
        self._document = document
        self.player = Player(self.failed.emit, open_output)
        self.looping = False
        self._was_playing = False
        self._told_silent = False
        self._last_two = (ORIGINAL, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        document.opened.connect(self._opened)
        document.takes_changed.connect(self._sounds_changed)
        document.heard_changed.connect(self._heard)
        document.area_changed.connect(self._area_changed)

    # --- what the keys do --------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Plays or stops."""
        if self.player.playing:
            self.player.stop()
        else:
            self._play()
        self._after()

    def play_marked(self) -> None:
        """Plays the marked stretch, or the selected events, once."""
        area, events = self._document.area, self._document.selected_events
        if area is not None:
            self._play(area.start_s, area.end_s)
        elif events:
            self._play(min(event.start_s for event in events), max(event.end_s for event in events))
        else:
            self._play()
        self._after()

    def play_around(self, start_s: float, end_s: float) -> None:
        """Plays a stretch with a second on either side."""
        self._play(max(0.0, start_s - PRE_ROLL_S), min(end_s + PRE_ROLL_S, self._document.duration_s))
        self._after()

    def seek(self, time_s: float) -> None:
        """Puts the playhead at a time."""
        time_s = min(max(time_s, 0.0), self._document.duration_s)
        self.player.seek(time_s)
        self.moved.emit(time_s)

    def set_looping(self, on: bool) -> None:
        """Repeats the marked stretch, or does not."""
        self.looping = on
        self._apply_loop()
        self.state_changed.emit()

    def last_two(self) -> None:
        """Changes between the two versions that were heard last."""
        other = self._last_two[0] if self._document.heard == self._last_two[1] else self._last_two[1]
        if 0 <= other <= len(self._document.takes):
            self._document.hear(other)

    @property
    def position_s(self) -> float:
        """Where the playhead is."""
        return self.player.position_s

    def close(self) -> None:
        """Ends playing for good."""
        self._timer.stop()
        self.player.close()

    # --- following the document --------------------------------------------------------------------------------------

    def _opened(self) -> None:
        self._timer.stop()
        self.player.open(self._document.source)
        self._was_playing = self._told_silent = False
        self._last_two = (ORIGINAL, 1)
        self.moved.emit(0.0)
        self.state_changed.emit()

    def _sounds(self) -> tuple[list[Sound], int]:
        """The versions in the order of the list, then the difference of the one that is heard."""
        document = self._document
        if document.source is None:
            return [], 0
        sounds: list[Sound] = [document.source, *(entry.take for entry in document.takes)]
        entry = document.current_take
        if entry is not None and document.difference:
            return [*sounds, Difference(entry.take)], len(sounds)
        return sounds, document.heard

    def _sounds_changed(self) -> None:
        sounds, version = self._sounds()
        if sounds:
            self.player.set_sounds(sounds, version)

    def _heard(self) -> None:
        document = self._document
        if document.heard != self._last_two[1]:
            self._last_two = (self._last_two[1], document.heard)
        if document.difference:
            self._sounds_changed()
        else:
            self.player.hear(document.heard)

    def _area_changed(self) -> None:
        area = self._document.area
        if area is not None and not self.player.playing:
            self.seek(area.start_s)
        self._apply_loop()

    def _apply_loop(self) -> None:
        area = self._document.area
        if not self.looping or self._document.source is None:
            self.player.clear_loop()
        elif area is not None and area.span_s > 0.01:
            self.player.set_loop(area.start_s, area.end_s)
        else:
            self.player.set_loop(0.0, self._document.duration_s)

    def _play(self, from_s: float | None = None, until_s: float | None = None) -> None:
        if self._document.source is None:
            return
        self.player.play(from_s, until_s)
        if self.player.silent_reason and not self._told_silent:
            self._told_silent = True
            self.silent.emit(self._silence_in_words())

    def _silence_in_words(self) -> str:
        if self.player.silent_reason == "no-portaudio":
            return self.tr(
                "There is no sound output because PortAudio is missing (on Debian and Ubuntu: apt install libportaudio2);"
                " everything else works."
            )
        return self.tr(
            "There is no sound output because no audio device was found; connect one and open the recording again."
        )

    def _after(self) -> None:
        self._timer.start()
        self._tick()

    def _tick(self) -> None:
        playing = self.player.playing
        self.moved.emit(self.player.position_s)
        self.levelled.emit(self.player.take_peak())
        if playing != self._was_playing:
            self._was_playing = playing
            self.state_changed.emit()
        failure = self.player.failure()
        if failure:
            self.failed.emit(
                self.tr("Playing stopped because of an error ({0}); press Space to go on.").format(failure)
            )
        if not playing:
            self._timer.stop()
