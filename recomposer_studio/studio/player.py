"""Listening: the mixer, the thread that feeds it, and an output that is opened in the background."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from recomposer_studio.audio.source import Source
from recomposer_studio.studio.metering import Levels, Metering
from recomposer_studio.studio.mixer import Bank, Feeder, Mixer, Sound
from recomposer_studio.studio.output import OpenOutput, Output, Wanted, open_output

LOST_S = 3.0
"""A device that has asked for nothing for so long is lost."""
_LONGEST_LOOK_S = 0.5
"""A computer that slept must not blame the device: a look counts this much at most."""


@dataclass(frozen=True)
class Opened:
    """An output was opened.

    Attributes:
        reason: why it is not what was wanted, else empty (see `output`).
        lost: name of the device that stopped working before, else empty.
        name: name of the device that is used now.
    """

    reason: str
    lost: str
    name: str


class _Opening(threading.Thread):
    """Opens an output; first it closes the one before, as some devices can be open only once."""

    def __init__(self, open_output: OpenOutput, wanted: Wanted, former: Output | None, lost: str) -> None:
        super().__init__(name="opening output", daemon=True)
        self.lost = lost
        self.result: tuple[Output, str] | None = None
        self._open_output, self._wanted, self._former = open_output, wanted, former
        self._lock = threading.Lock()
        self._given_up = False

    def run(self) -> None:
        """Closes, opens, and closes again what nobody waits for any more."""
        if self._former is not None:
            self._former.close()
        result = self._open_output(self._wanted)
        with self._lock:
            self.result = result
            given_up = self._given_up
        if given_up:
            result[0].close()

    def give_up(self) -> Output | None:
        """Nobody waits any more; gives what was opened already."""
        with self._lock:
            self._given_up = True
            return self.result[0] if self.result else None


class Player:
    """Plays the versions of one recording at one shared position.

    Args:
        failed: called, from another thread, with a sentence when a sound cannot be read.
        open_output: opens an output.

    Attributes:
        patience_s: how long the window waits for an output before it goes on without one.
    """

    def __init__(self, failed: Callable[[str], None], open_output: OpenOutput = open_output) -> None:
        self.patience_s = 0.05
        self._failed, self._open_output = failed, open_output
        self._source: Source | None = None
        self._mixer: Mixer | None = None
        self._metering: Metering | None = None
        self._feeder: Feeder | None = None
        self._output: Output | None = None
        self._opening: _Opening | None = None
        self._wish: tuple[float | None, float | None] | None = None
        self._device = ""
        self._sounds: tuple[Sound, ...] = ()
        self._version, self._version_gain = 0, 1.0
        self._position_s = 0.0
        self._loop_s: tuple[float, float] | None = None
        self._gain = 1.0
        self._beats, self._still_s, self._looked = 0, 0.0, 0.0

    @property
    def playing(self) -> bool:
        """Whether it plays, or will as soon as the output is there."""
        return self._wish is not None or (self._mixer is not None and self._mixer.playing)

    @property
    def opening(self) -> bool:
        """Whether an output is being opened."""
        return self._opening is not None

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the recording and of the output, 0 while there is none."""
        source, output = self._source, self._output
        return (source.channels if source else 0), (output.channels if output else 0)

    @property
    def position_s(self) -> float:
        """What is heard just now in seconds; while nothing plays, where playing will begin."""
        mixer, output = self._mixer, self._output
        if mixer is None or output is None or not mixer.playing:
            return self._position_s
        return max(0.0, mixer.position / output.rate_hz - output.latency_s)

    def levels(self) -> Levels:
        """What was played since the last call."""
        return self._metering.read() if self._metering is not None else Levels()

    def open(self, source: Source | None) -> None:
        """Goes over to another recording; no device is touched before something is played."""
        self.close()
        self._source = source
        self._sounds = (source,) if source is not None else ()
        self._version, self._version_gain, self._position_s, self._loop_s = 0, 1.0, 0.0, None

    def set_sounds(self, sounds: Sequence[Sound], version: int, gain: float = 1.0) -> None:
        """Other versions, or others mixed anew; while playing by a cross-fade."""
        self._sounds, self._version, self._version_gain = tuple(sounds), version, gain
        if self._feeder is not None:
            self._feeder.replace(self._bank(), version, gain)

    def hear(self, version: int, gain: float = 1.0) -> None:
        """Switches to another version at once, played with a factor of its own."""
        self._version, self._version_gain = version, gain
        if self._feeder is not None:
            self._feeder.switch(version, gain)

    def play(self, from_s: float | None = None, until_s: float | None = None) -> None:
        """Plays from a time, or from the playhead, to the end, or to a time; afterwards the playhead is where it was.

        The first time an output is opened, which is waited for only a moment: playing begins when it is there.
        """
        if self._source is None:
            return
        self._wish = (from_s, until_s)
        if self._output is None:
            if self._opening is None:
                self._begin_opening(None)
        else:
            self._grant()

    def stop(self) -> None:
        """Fades out; the playhead goes back to where playing began, ready to compare once more."""
        self._wish = None
        if self._mixer is not None and self._mixer.playing:
            self._mixer.stop()

    def seek(self, time_s: float) -> None:
        """Goes to a time."""
        self._position_s = time_s
        if self._wish is not None:
            self._wish = (None, None)
        if self._mixer is not None:
            self._mixer.seek(round(time_s * self._rate()))
            self._wake()

    def set_loop(self, start_s: float, end_s: float) -> None:
        """Repeats a stretch; it may change while playing."""
        self._loop_s = (start_s, end_s)
        if self._mixer is not None:
            self._set_loop(self._mixer, self._loop_s)
            self._wake()

    def clear_loop(self) -> None:
        """Repeats nothing."""
        self._loop_s = None
        if self._mixer is not None:
            self._mixer.loop = None

    def set_gain(self, gain: float) -> None:
        """A factor on everything that is played, never on what is exported."""
        self._gain = gain
        if self._mixer is not None:
            self._mixer.gain = gain

    # --- the output --------------------------------------------------------------------------------------------------

    def set_device(self, device: str) -> None:
        """Goes over to another device, empty for the default one; what plays goes on there."""
        self._device = device
        if self._output is not None or self._opening is not None:
            if self._mixer is not None and self._mixer.playing:
                self._wish = (self.position_s, self._until_s())
            self._begin_opening(self._let_go())

    def release(self) -> Callable[[], None]:
        """Stops and lets go of the output, so that devices can be looked for anew; gives what closes it."""
        if self._mixer is not None and self._mixer.playing:
            self._position_s = self.position_s
        self._wish = None
        output = self._let_go()
        return output.close if output is not None else _nothing

    def poll(self) -> Opened | None:
        """Puts an output in place that has been opened meanwhile, and finds out whether the present one is lost."""
        opening = self._opening
        if opening is not None:
            if opening.result is None:
                return None
            self._opening = None
            output, reason = opening.result
            self._attach(output)
            if self._wish is not None:
                self._grant()
            return Opened(reason, opening.lost, output.name)
        present = self._output
        if present is not None and self._lost(present):
            self._position_s = self.position_s
            self._wish = None
            # PortAudio still believes in the device; the default one may be another now.
            self._device = ""
            self._begin_opening(self._let_go(), lost=present.name or "?")
        return None

    def failure(self) -> str:
        """What went wrong in the sound card's thread, once; else empty."""
        return self._output.failure() if self._output is not None else ""

    def close(self) -> None:
        """Ends stream and threads."""
        self._wish = None
        output = self._let_go()
        if output is not None:
            closing = threading.Thread(target=output.close, name="closing output", daemon=True)
            closing.start()
            closing.join(self.patience_s)
        self._source, self._sounds = None, ()

    def _let_go(self) -> Output | None:
        """Ends feeding; gives the output, which somebody has to close."""
        output = self._output
        if self._opening is not None:
            output = self._opening.give_up()
        if self._mixer is not None:
            self._mixer.playing = False
        if self._feeder is not None:
            self._feeder.end()
        self._output = self._opening = self._feeder = self._mixer = self._metering = None
        return output

    def _begin_opening(self, former: Output | None, lost: str = "") -> None:
        assert self._source is not None
        wanted = Wanted(self._source.rate_hz, self._source.channels, self._device, refresh=bool(lost))
        self._opening = _Opening(self._open_output, wanted, former, lost)
        self._opening.start()
        self._opening.join(self.patience_s)

    def _attach(self, output: Output) -> None:
        self._output = output
        bank = self._bank()
        mixer = self._mixer = Mixer(bank)
        mixer.gain = self._gain
        mixer.change(bank, self._version, self._version_gain)
        self._metering = Metering(mixer, output.rate_hz)
        self._feeder = Feeder(mixer, self._failed)
        self._feeder.start()
        self._beats, self._still_s, self._looked = output.beats(), 0.0, time.monotonic()
        output.start(mixer)

    def _grant(self) -> None:
        """Plays as it was wished."""
        mixer, source, rate = self._mixer, self._source, self._rate()
        assert mixer is not None and source is not None and self._wish is not None
        (from_s, until_s), self._wish = self._wish, None
        start_s = self._position_s if from_s is None else from_s
        if self._loop_s is not None and until_s is None and not self._loop_s[0] <= start_s < self._loop_s[1]:
            start_s = self._loop_s[0]
        if start_s >= source.duration_s - 0.001:
            start_s = 0.0
        self._set_loop(mixer, None if until_s is not None else self._loop_s)
        mixer.play(round(start_s * rate))
        mixer.stop_at = None if until_s is None else round(until_s * rate)
        self._wake()

    def _lost(self, output: Output) -> bool:
        beats, now = output.beats(), time.monotonic()
        passed, self._looked = min(now - self._looked, _LONGEST_LOOK_S), now
        self._still_s = 0.0 if beats != self._beats or not self.playing else self._still_s + passed
        self._beats = beats
        return beats < 0 or self._still_s > LOST_S

    def _until_s(self) -> float | None:
        stop_at = self._mixer.stop_at if self._mixer is not None else None
        return None if stop_at is None else stop_at / self._rate()

    def _rate(self) -> int:
        assert self._output is not None
        return self._output.rate_hz

    def _bank(self) -> Bank:
        assert self._source is not None and self._output is not None
        source, output = self._source, self._output
        return Bank(self._sounds, source.frames, source.rate_hz, output.rate_hz, output.channels)

    def _set_loop(self, mixer: Mixer, loop_s: tuple[float, float] | None) -> None:
        rate = self._rate()
        mixer.loop = None if loop_s is None else (round(loop_s[0] * rate), max(round(loop_s[1] * rate), 1))

    def _wake(self) -> None:
        if self._feeder is not None:
            self._feeder.wake()


def _nothing() -> None:
    """There is no output to close."""
