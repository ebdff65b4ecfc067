"""Listening: the mixer, the thread that feeds it, and an output stream, or a silent clock where there is none."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.project.take import Take
from recomposer_studio.studio.mixer import Bank, Feeder, Mixer, Sound

LATENCY_S = 0.1
"""Asked of the device: shorter ones stutter while Python is busy elsewhere."""
MOST_LATENCY_S = 0.25
"""Devices report up to half a second too much; the playhead believes no more than this."""


@dataclass(frozen=True)
class Difference:
    """What a take took away and added, as original minus take."""

    take: Take

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Frames as (channels, n); silence outside the edited regions."""
        return -self.take.change(start, stop)

    @property
    def rate_hz(self) -> int:
        """Sample rate."""
        return self.take.source.rate_hz

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self.take.source.frames


@dataclass(frozen=True)
class TakeSound:
    """A take as something that is read from start to end like a recording."""

    take: Take

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Frames as (channels, n)."""
        return self.take.read(start, stop)

    @property
    def rate_hz(self) -> int:
        """Sample rate."""
        return self.take.source.rate_hz

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self.take.source.frames


class Output(Protocol):
    """Where the mixer's frames go."""

    rate_hz: int
    latency_s: float

    def start(self, mixer: Mixer) -> None:
        """Begins to ask the mixer for frames."""

    def close(self) -> None:
        """Ends for good."""


class SilentOutput:
    """A clock that asks for frames at the pace of a sound card and drops them: the playhead moves, nothing is heard.

    Args:
        rate_hz: rate of the recording.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz, self.latency_s = rate_hz, 0.0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, mixer: Mixer) -> None:
        """Begins."""
        self._thread = threading.Thread(target=self._run, args=(mixer,), name="silent clock", daemon=True)
        self._thread.start()

    def _run(self, mixer: Mixer) -> None:
        block = np.zeros((round(self.rate_hz * 0.02), 2), np.float32)
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            due = max(due + 0.02, time.monotonic() - 0.2)
            if mixer.playing:
                mixer.fill(block)

    def close(self) -> None:
        """Ends the clock and waits for it."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()


class DeviceOutput:
    """A PortAudio stream on the default device, at the recording's rate where the device takes it, else at its own.

    Args:
        rate_hz: rate of the recording.

    Raises:
        OSError: PortAudio is not there.
        sounddevice.PortAudioError: there is no device, or it refuses.
    """

    def __init__(self, rate_hz: int) -> None:
        import sounddevice

        self._mixer: Mixer | None = None
        self.failure = ""
        try:
            self._stream = self._open(sounddevice, rate_hz)
            self.rate_hz = rate_hz
        except sounddevice.PortAudioError:
            self.rate_hz = int(sounddevice.query_devices(kind="output")["default_samplerate"])
            self._stream = self._open(sounddevice, self.rate_hz)
        self.latency_s = min(float(self._stream.latency), MOST_LATENCY_S)

    def _open(self, sounddevice: Any, rate_hz: int) -> Any:
        return sounddevice.OutputStream(
            samplerate=rate_hz, channels=2, dtype="float32", latency=LATENCY_S, callback=self._callback
        )

    def _callback(self, out: NDArray[np.float32], frames: int, when: object, status: object) -> None:
        mixer = self._mixer
        if mixer is None:
            out[:] = 0.0
            return
        try:
            mixer.fill(out)
        except Exception as error:  # an exception here would silently end the stream; the window's timer tells it
            out[:] = 0.0
            mixer.playing = False
            self.failure = repr(error)

    def start(self, mixer: Mixer) -> None:
        """Begins."""
        self._mixer = mixer
        self._stream.start()

    def close(self) -> None:
        """Ends the stream."""
        self._stream.close()


def open_output(rate_hz: int) -> tuple[Output, str]:
    """An output for a recording, and why it is silent, empty when it is not.

    Devices are asked for only now, when something is to be played: listing them can take seconds.
    """
    try:
        return DeviceOutput(rate_hz), ""
    except OSError:
        return SilentOutput(rate_hz), "no-portaudio"
    except Exception:  # PortAudioError, and whatever a broken driver raises
        return SilentOutput(rate_hz), "no-device"


class Player:
    """Plays the versions of one recording at one shared position.

    Args:
        open_output: gives an output for a rate, and the reason why it is silent.
        failed: called, from another thread, with a sentence when a sound cannot be read.
    """

    def __init__(
        self,
        failed: Callable[[str], None],
        open_output: Callable[[int], tuple[Output, str]] = open_output,
    ) -> None:
        self._failed, self._open_output = failed, open_output
        self._source: Source | None = None
        self._mixer: Mixer | None = None
        self._feeder: Feeder | None = None
        self._output: Output | None = None
        self._sounds: tuple[Sound, ...] = ()
        self._version = 0
        self._position_s = 0.0
        self._loop_s: tuple[float, float] | None = None
        self._gain = 1.0
        self.silent_reason = ""

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return self._mixer is not None and self._mixer.playing

    @property
    def position_s(self) -> float:
        """What is heard just now in seconds; while nothing plays, where playing will begin."""
        mixer, output = self._mixer, self._output
        if mixer is None or output is None or not mixer.playing:
            return self._position_s
        return max(0.0, mixer.position / output.rate_hz - output.latency_s)

    def take_peak(self) -> float:
        """The largest sample since the last call, full scale 1."""
        mixer = self._mixer
        if mixer is None:
            return 0.0
        peak, mixer.peak = mixer.peak, 0.0
        return peak

    def open(self, source: Source | None) -> None:
        """Goes over to another recording; no device is touched before something is played."""
        self.close()
        self._source = source
        self._sounds = (source,) if source is not None else ()
        self._version, self._position_s, self._loop_s, self.silent_reason = 0, 0.0, None, ""

    def set_sounds(self, sounds: Sequence[Sound], version: int) -> None:
        """Other versions, or others mixed anew; while playing by a cross-fade."""
        self._sounds, self._version = tuple(sounds), version
        if self._feeder is not None:
            self._feeder.replace(self._bank(), version)

    def hear(self, version: int) -> None:
        """Switches to another version at once."""
        self._version = version
        if self._mixer is not None and len(self._mixer.bank.sounds) > version:
            self._mixer.switch(version)

    def play(self, from_s: float | None = None, until_s: float | None = None) -> None:
        """Plays from a time, or from the playhead, to the end, or to a time; afterwards the playhead is where it was."""
        if self._source is None:
            return
        mixer = self._ready()
        rate = self._rate()
        start_s = self._position_s if from_s is None else from_s
        if self._loop_s is not None and until_s is None and not self._loop_s[0] <= start_s < self._loop_s[1]:
            start_s = self._loop_s[0]
        if start_s >= self._source.duration_s - 0.001:
            start_s = 0.0
        self._set_loop(mixer, None if until_s is not None else self._loop_s)
        mixer.play(round(start_s * rate))
        mixer.stop_at = None if until_s is None else round(until_s * rate)
        self._wake()

    def stop(self) -> None:
        """Fades out; the playhead goes back to where playing began, ready to compare once more."""
        if self._mixer is not None and self._mixer.playing:
            self._mixer.stop()

    def seek(self, time_s: float) -> None:
        """Goes to a time."""
        self._position_s = time_s
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

    def failure(self) -> str:
        """What went wrong in the sound card's thread, once; else empty."""
        output = self._output
        failure = output.failure if isinstance(output, DeviceOutput) else ""
        if isinstance(output, DeviceOutput):
            output.failure = ""
        return failure

    def close(self) -> None:
        """Ends stream and thread."""
        if self._output is not None:
            self._output.close()
        if self._feeder is not None:
            self._feeder.end()
        self._output = self._feeder = self._mixer = None
        self._source, self._sounds = None, ()

    def _rate(self) -> int:
        assert self._output is not None
        return self._output.rate_hz

    def _bank(self) -> Bank:
        assert self._source is not None
        return Bank(self._sounds, self._source.frames, self._source.rate_hz, self._rate())

    def _set_loop(self, mixer: Mixer, loop_s: tuple[float, float] | None) -> None:
        rate = self._rate()
        mixer.loop = None if loop_s is None else (round(loop_s[0] * rate), max(round(loop_s[1] * rate), 1))

    def _wake(self) -> None:
        if self._feeder is not None:
            self._feeder.wake()

    def _ready(self) -> Mixer:
        """The mixer with its stream, opened at the first play."""
        if self._mixer is None or self._output is None:
            assert self._source is not None
            self._output, self.silent_reason = self._open_output(self._source.rate_hz)
            bank = self._bank()
            self._mixer = Mixer(bank)
            self._mixer.gain = self._gain
            self._mixer.change(bank, self._version)
            self._feeder = Feeder(self._mixer, self._failed)
            self._feeder.start()
            self._output.start(self._mixer)
        return self._mixer
