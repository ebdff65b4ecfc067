"""Where the mixer's frames go: a PortAudio stream, or a silent clock where there is none.

Listing, opening and closing can take seconds with some drivers: they are called from threads of their own, one at a time.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.studio.mixer import Mixer

LATENCY_S = 0.1
"""Asked of the device: shorter ones stutter while Python is busy elsewhere."""
MOST_LATENCY_S = 0.25
"""Devices report up to half a second too much; the playhead believes no more than this."""
_LOCK = threading.Lock()

NO_PORTAUDIO, NO_DEVICE, GONE = "no-portaudio", "no-device", "gone"
"""Why an output is not what was wanted: the first two are silent, the last plays on the default device."""


@dataclass(frozen=True)
class Wanted:
    """An output that is asked for.

    Attributes:
        rate_hz: rate of the recording.
        channels: channels of the recording.
        device: key of the device, empty for the system's default.
        refresh: whether PortAudio shall look for devices anew; no stream may be open.
    """

    rate_hz: int
    channels: int = 2
    device: str = ""
    refresh: bool = False


class Output(Protocol):
    """An open output.

    Attributes:
        name: what it is called, empty when silent.
        rate_hz: its rate.
        channels: its channels.
        latency_s: how long a frame takes to be heard.
    """

    name: str
    rate_hz: int
    channels: int
    latency_s: float

    def start(self, mixer: Mixer) -> None:
        """Begins to ask the mixer for frames."""

    def close(self) -> None:
        """Ends for good; may wait for the driver."""

    def failure(self) -> str:
        """What went wrong while frames were asked for, once; else empty."""

    def beats(self) -> int:
        """How often frames were asked for, or -1 once that has ended by itself."""


OpenOutput = Callable[[Wanted], tuple[Output, str]]
"""Opens an output; with it comes the reason why it is not what was wanted, else an empty text."""


@contextmanager
def _portaudio() -> Iterator[None]:
    """PortAudio's calls about devices and streams are not safe against each other."""
    with _LOCK:
        if sys.platform == "win32":
            # WASAPI refuses threads that have not joined COM (PortAudio, issue 250); 0 is its free-threaded mode, as streams are
            # opened in one thread and closed in another.
            import ctypes

            ctypes.windll.ole32.CoInitializeEx(None, 0)
        yield


class SilentOutput:
    """A clock that asks for frames at the pace of a sound card and drops them: the playhead moves, nothing is heard.

    Args:
        rate_hz: rate of the recording.
    """

    def __init__(self, rate_hz: int) -> None:
        self.name, self.rate_hz, self.channels, self.latency_s = "", rate_hz, 2, 0.0
        self._beats = 0
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
            self._beats += 1
            if mixer.playing:
                mixer.fill(block)

    def close(self) -> None:
        """Ends the clock and waits for it."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def failure(self) -> str:
        """Nothing goes wrong here."""
        return ""

    def beats(self) -> int:
        """How often frames were asked for."""
        return self._beats


class DeviceOutput:
    """A PortAudio stream at the recording's rate where the device takes it, else at its own.

    It has a channel for every one of the recording where the device has as many, else two, or one where there are no two.

    Args:
        wanted: what is asked for.

    Raises:
        OSError: PortAudio is not there.
        LookupError: the device is not there.
        sounddevice.PortAudioError: there is no device, or it refuses.
    """

    def __init__(self, wanted: Wanted) -> None:
        with _portaudio():
            import sounddevice

            if wanted.refresh:
                look_anew(sounddevice)
            self._mixer: Mixer | None = None
            self._failure, self._beats, self._ended, self._closing = "", 0, False, False
            number = find(sounddevice, wanted.device)
            facts = sounddevice.query_devices(number, kind="output")
            self.name = str(facts["name"])
            most = int(facts["max_output_channels"])
            channels = wanted.channels if 2 < wanted.channels <= most else min(2, most)
            own_hz = int(facts["default_samplerate"])
            tries = dict.fromkeys((hz, n) for n in (channels, min(2, most)) for hz in (wanted.rate_hz, own_hz))
            for left, (hz, n) in enumerate(tries, start=1 - len(tries)):
                try:
                    self._stream = self._open(sounddevice, number, hz, n)
                except sounddevice.PortAudioError:
                    if left == 0:
                        raise
                else:
                    self.rate_hz, self.channels = hz, n
                    break
            self.latency_s = min(float(self._stream.latency), MOST_LATENCY_S)

    def _open(self, sounddevice: Any, number: int | None, rate_hz: int, channels: int) -> Any:
        stream = sounddevice.OutputStream(
            samplerate=rate_hz,
            channels=channels,
            device=number,
            dtype="float32",
            latency=LATENCY_S,
            callback=self._callback,
            finished_callback=self._finished,
        )
        try:
            stream.start()
        except sounddevice.PortAudioError:
            stream.close()
            raise
        return stream

    def _callback(self, out: NDArray[np.float32], frames: int, when: object, status: object) -> None:
        self._beats += 1
        mixer = self._mixer
        if mixer is None:
            out[:] = 0.0
            return
        try:
            mixer.fill(out)
        except Exception as error:  # an exception here would silently end the stream; the window's timer tells it
            out[:] = 0.0
            mixer.playing = False
            self._failure = repr(error)

    def _finished(self) -> None:
        self._ended = not self._closing

    def start(self, mixer: Mixer) -> None:
        """Begins; the stream runs since it was opened."""
        self._mixer = mixer

    def close(self) -> None:
        """Ends the stream."""
        self._closing = True
        with _portaudio():
            self._stream.close(ignore_errors=True)

    def failure(self) -> str:
        """An error of the mixer, once."""
        failure, self._failure = self._failure, ""
        return failure

    def beats(self) -> int:
        """How often the device asked, or -1 when the stream has ended by itself."""
        return -1 if self._ended else self._beats


def open_output(wanted: Wanted) -> tuple[Output, str]:
    """The output that is wanted, or the default device, or silence, and why."""
    try:
        try:
            return DeviceOutput(wanted), ""
        except OSError:
            return SilentOutput(wanted.rate_hz), NO_PORTAUDIO
        except Exception:  # PortAudioError, and whatever a broken driver raises
            if not wanted.device:
                raise
            return DeviceOutput(Wanted(wanted.rate_hz, wanted.channels)), GONE
    except Exception:
        return SilentOutput(wanted.rate_hz), NO_DEVICE


@dataclass(frozen=True)
class Device:
    """A device that can play.

    Attributes:
        key: finds it again at the next start, when its number may be another.
        name: its name.
        host: the system's interface that offers it; one device may be offered by several.
        channels: most channels.
        default: whether the system plays on it.
    """

    key: str
    name: str
    host: str
    channels: int
    default: bool


def list_devices(refresh: bool = False) -> tuple[Device, ...]:
    """The devices that can play; empty where there is no PortAudio.

    Args:
        refresh: whether PortAudio shall look anew; no stream may be open.
    """
    with _portaudio():
        try:
            import sounddevice

            if refresh:
                look_anew(sounddevice)
            return tuple(device for _, device in _devices(sounddevice))
        except Exception:  # OSError without PortAudio, PortAudioError, and whatever a broken driver raises
            return ()


def _devices(sounddevice: Any) -> list[tuple[int, Device]]:
    hosts = sounddevice.query_hostapis()
    default = sounddevice.default.device[1]
    if default < 0 and hosts:
        default = hosts[sounddevice.default.hostapi]["default_output_device"]
    found: list[tuple[int, Device]] = []
    for number, facts in enumerate(sounddevice.query_devices()):
        if facts["max_output_channels"] > 0:
            name, host = str(facts["name"]), str(hosts[facts["hostapi"]]["name"])
            channels = int(facts["max_output_channels"])
            found.append((number, Device(f"{host}: {name}", name, host, channels, number == default)))
    return found


def find(sounddevice: Any, key: str) -> int | None:
    """The present number of a device, None for the default one.

    Raises:
        LookupError: it is not there.
    """
    if not key:
        return None
    for number, device in _devices(sounddevice):
        if device.key == key:
            return number
    raise LookupError(key)


def look_anew(sounddevice: Any) -> None:
    """Makes PortAudio look for devices, which it does only when it starts; sounddevice has no public call for that."""
    sounddevice._terminate()
    sounddevice._initialize()
