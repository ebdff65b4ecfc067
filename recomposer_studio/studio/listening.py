"""The player at the service of the document: which versions there are, the playhead, loop, levels and devices."""

from PySide6.QtCore import QObject, QTimer, Signal

from recomposer_studio.project.state import TakeEntry
from recomposer_studio.studio.document import ORIGINAL, Document
from recomposer_studio.studio.matching import Matching
from recomposer_studio.studio.metering import Levels
from recomposer_studio.studio.mixer import Sound
from recomposer_studio.studio.output import GONE, NO_DEVICE, NO_PORTAUDIO, OpenOutput, open_output
from recomposer_studio.studio.player import Opened, Player
from recomposer_studio.studio.sounds import Difference, Removed

TICK_MS = 30
PRE_ROLL_S = 1.0


class Listening(QObject):
    """Plays what the document says is heard.

    Signals:
        moved: the playhead is at a time in seconds.
        state_changed: playing began or ended, or the loop was switched.
        started: playing began.
        told: something about the sound output that is good to know; a sentence.
        failed: a sound could not be read, or the device is lost; a sentence.
        levelled: the `Levels` since the last tick.
        device_changed: another output is open; how a recording of more than two channels is heard, else empty.

    Attributes:
        matching: how loud the takes are among themselves.
    """

    moved = Signal(float)
    state_changed = Signal()
    started = Signal()
    told = Signal(str)
    failed = Signal(str)
    levelled = Signal(object)
    device_changed = Signal(str)

    def __init__(self, document: Document, open_output: OpenOutput = open_output) -> None:
        super().__init__(document)
        self._document = document
        self.player = Player(self.failed.emit, open_output)
        # Before this one listens itself: it finds the reference first.
        self.matching = Matching(document)
        self.looping = False
        self._was_playing = False
        self._told_silent = False
        self._blind: tuple[int, float] | None = None
        self._last_two = (ORIGINAL, 1)
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        document.opened.connect(self._opened)
        document.takes_changed.connect(self._sounds_changed)
        document.heard_changed.connect(self._heard)
        document.area_changed.connect(self._area_changed)
        self.matching.changed.connect(self._matched)
        self.matching.failed.connect(self.failed)

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

    def set_device(self, key: str) -> None:
        """Plays on another device, empty for the default one."""
        self._told_silent = False
        self.player.set_device(key)
        self._after()

    def close(self) -> None:
        """Ends playing for good."""
        self._timer.stop()
        self.matching.stop()
        self.player.close()

    # --- the blind test ----------------------------------------------------------------------------------------------

    def play_blind(self, version: int, gain: float, start_s: float, end_s: float) -> None:
        """Plays a version, again and again, without a trace on the screen; while it plays only the version changes."""
        self._blind = (version, gain)
        self.player.hear(version, gain)
        self.player.set_loop(start_s, end_s)
        if not self.player.playing:
            self._play(start_s)
        self._after()

    def end_blind(self) -> None:
        """Goes back to what the document says is heard."""
        if self._blind is not None:
            self._blind = None
            self.player.stop()
            self._apply_loop()
            self._sounds_changed()
            self._after()

    # --- following the document --------------------------------------------------------------------------------------

    def _opened(self) -> None:
        self._timer.stop()
        self._blind = None
        self.player.open(self._document.source)
        self._was_playing = self._told_silent = False
        self._last_two = (ORIGINAL, 1)
        self.moved.emit(0.0)
        self.levelled.emit(Levels())
        self.device_changed.emit("")
        self.state_changed.emit()

    def _sounds(self) -> list[Sound]:
        """The versions in the order of the list, then the part of the one that is heard which is asked for."""
        document = self._document
        if document.source is None:
            return []
        sounds: list[Sound] = [document.source, *(entry.take for entry in document.takes)]
        entry = document.current_take
        if entry is not None and document.removed:
            sounds.append(Removed(entry.take, document.removed))
        elif entry is not None and document.difference:
            sounds.append(Difference(entry.take))
        return sounds

    def _part(self) -> bool:
        return self._document.difference or bool(self._document.removed)

    def _version(self) -> tuple[int, float]:
        """Which of the versions is heard, and its factor."""
        document = self._document
        if self._blind is not None:
            return self._blind
        if self._part():
            return len(document.takes) + 1, 1.0
        return document.heard, self._gain(document.current_take)

    def _gain(self, entry: TakeEntry | None) -> float:
        return 1.0 if entry is None else self.matching.gain(entry)

    def _sounds_changed(self) -> None:
        sounds = self._sounds()
        if sounds:
            self.player.set_sounds(sounds, *self._version())

    def _heard(self) -> None:
        document = self._document
        if document.heard != self._last_two[1]:
            self._last_two = (self._last_two[1], document.heard)
        if self._part():
            self._sounds_changed()
        else:
            self.player.hear(*self._version())

    def _matched(self) -> None:
        if self._document.source is not None and not self._part():
            self.player.hear(*self._version())

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
        if self._document.source is not None:
            self.player.play(from_s, until_s)

    def _after(self) -> None:
        self._timer.start()
        self._tick()

    def _tick(self) -> None:
        opened = self.player.poll()
        if opened is not None:
            self._tell(opened)
        playing = self.player.playing
        self.moved.emit(self.player.position_s)
        levels = self.player.levels()
        # In a blind test a meter would tell the ears' secret.
        self.levelled.emit(levels if playing and self._blind is None else Levels())
        if playing != self._was_playing:
            self._was_playing = playing
            if playing:
                self.started.emit()
            self.state_changed.emit()
        failure = self.player.failure()
        if failure:
            self.failed.emit(
                self.tr("Playing stopped because of an error ({0}); press Space to go on.").format(failure)
            )
        if not playing and not self.player.opening:
            self._timer.stop()

    # --- words -------------------------------------------------------------------------------------------------------

    def _tell(self, opened: Opened) -> None:
        """Says what is not as one would expect: once a recording, or when a device is lost."""
        self.device_changed.emit(self._channels_in_words())
        silent = opened.reason in (NO_PORTAUDIO, NO_DEVICE)
        if opened.lost:
            self._told_silent = silent
            rest = self.tr("there is no other one, so playing is silent; choose one under Play > Output device.")
            if not silent:
                rest = self.tr("the default device {0} is used now, press Space to go on.").format(opened.name)
            lost = self.tr("Playing stopped because the sound device {0} does not answer any more; {1}")
            self.failed.emit(lost.format(opened.lost, rest))
        elif opened.reason == GONE:
            words = self.tr("The chosen sound device is not there; the default device {0} is used instead.")
            self.told.emit(words.format(opened.name))
        elif silent and not self._told_silent:
            self._told_silent = True
            self.told.emit(self._silence_in_words(opened.reason))

    def _silence_in_words(self, reason: str) -> str:
        if reason == NO_PORTAUDIO:
            return self.tr(
                "There is no sound output because PortAudio is missing (on Debian and Ubuntu: apt install libportaudio2);"
                " everything else works."
            )
        return self.tr(
            "There is no sound output because no audio device was found; connect one and choose"
            " Play > Output device > Look for devices again."
        )

    def _channels_in_words(self) -> str:
        channels, outputs = self.player.channels
        if channels <= 2:
            return ""
        if outputs >= channels:
            return self.tr("all {0} channels heard").format(channels)
        if outputs == 1:
            return self.tr("heard folded to mono")
        return self.tr("heard folded to stereo")
