"""Which device is opened and how, with a PortAudio that is played by this file."""

import sys
import types

import numpy as np
import pytest

from recomposer_studio.studio.output import (
    GONE,
    NO_DEVICE,
    NO_PORTAUDIO,
    DeviceOutput,
    SilentOutput,
    Wanted,
    list_devices,
    open_output,
)


class PortAudioError(Exception):
    """What sounddevice raises."""


class Stream:
    """A stream that a test calls back."""

    def __init__(self, audio: "Audio", **wish: object) -> None:
        audio.tried.append((wish["device"], wish["samplerate"], wish["channels"]))
        if audio.refuses(wish):
            raise PortAudioError("refused")
        self.wish, self.latency, self.closed = wish, audio.latency_s, False
        audio.streams.append(self)

    def start(self) -> None:
        self.started = True

    def close(self, ignore_errors: bool = True) -> None:
        self.closed = True
        self.wish["finished_callback"]()


class Audio(types.ModuleType):
    """The module sounddevice."""

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.devices = [
            {"name": "Microphone", "hostapi": 0, "max_output_channels": 0, "default_samplerate": 44_100.0},
            {"name": "Speakers", "hostapi": 0, "max_output_channels": 2, "default_samplerate": 48_000.0},
            {"name": "Interface", "hostapi": 1, "max_output_channels": 8, "default_samplerate": 44_100.0},
        ]
        self.default = types.SimpleNamespace(device=[0, 1], hostapi=0)
        self.streams: list[Stream] = []
        self.tried: list[tuple[object, ...]] = []
        self.latency_s = 0.09
        self.calls: list[str] = []
        self.refuses = lambda wish: False

    def query_hostapis(self) -> list[dict[str, object]]:
        return [{"name": "ALSA", "default_output_device": 1}, {"name": "JACK", "default_output_device": 2}]

    def query_devices(self, number: int | None = None, kind: str = "") -> object:
        if not kind:
            return self.devices
        if not self.devices:
            raise PortAudioError("no default output device")
        return self.devices[self.default.device[1] if number is None else number]

    def OutputStream(self, **wish: object) -> Stream:  # noqa: N802 - sounddevice's name
        return Stream(self, **wish)

    def _terminate(self) -> None:
        self.calls.append("terminate")

    def _initialize(self) -> None:
        self.calls.append("initialize")


@pytest.fixture
def audio(monkeypatch):
    audio = Audio()
    monkeypatch.setitem(sys.modules, "sounddevice", audio)
    return audio


def test_the_default_device_at_the_recordings_rate(audio):
    output, reason = open_output(Wanted(96_000))
    assert (reason, output.name, output.rate_hz, output.channels) == ("", "Speakers", 96_000, 2)
    assert audio.streams[0].started
    assert output.latency_s == 0.09


def test_a_rate_that_is_refused_gives_way_to_the_devices_own(audio):
    audio.refuses = lambda wish: wish["samplerate"] == 11_025
    output, reason = open_output(Wanted(11_025))
    assert (reason, output.rate_hz) == ("", 48_000)


@pytest.mark.parametrize(
    ("device", "channels", "opened"),
    [("JACK: Interface", 6, 6), ("JACK: Interface", 12, 2), ("JACK: Interface", 1, 2), ("", 6, 2)],
)
def test_as_many_channels_as_the_recording_has_where_the_device_has_them(audio, device, channels, opened):
    output, _ = open_output(Wanted(48_000, channels, device))
    assert output.channels == opened


def test_many_channels_that_are_refused_give_way_to_two(audio):
    audio.refuses = lambda wish: wish["channels"] > 2
    output, reason = open_output(Wanted(48_000, 6, "JACK: Interface"))
    assert (reason, output.channels, output.rate_hz) == ("", 2, 48_000)
    assert audio.tried == [(2, 48_000, 6), (2, 44_100, 6), (2, 48_000, 2)]


def test_a_device_with_one_channel_plays_one(audio):
    audio.devices[1]["max_output_channels"] = 1
    assert open_output(Wanted(48_000))[0].channels == 1


def test_a_reported_latency_is_not_believed_without_end(audio):
    audio.latency_s = 0.6
    assert open_output(Wanted(48_000))[0].latency_s == 0.25


def test_a_chosen_device_that_is_gone_is_the_default_one(audio):
    output, reason = open_output(Wanted(48_000, 2, "JACK: Unplugged"))
    assert (reason, output.name) == (GONE, "Speakers")


@pytest.mark.parametrize("device", ["", "JACK: Unplugged"])
def test_without_any_device_it_is_silent(audio, device):
    audio.devices.clear()
    output, reason = open_output(Wanted(48_000, 2, device))
    assert reason == NO_DEVICE
    assert isinstance(output, SilentOutput)
    assert list_devices() == ()


def test_without_portaudio_it_is_silent(monkeypatch):
    class Missing:
        def find_spec(self, name, path=None, target=None):
            if name == "sounddevice":
                raise OSError("PortAudio library not found")

    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    assert open_output(Wanted(48_000))[1] == NO_PORTAUDIO
    assert list_devices() == ()


def test_devices_are_listed_with_a_key_that_survives_other_numbers(audio):
    devices = list_devices()
    assert [(d.key, d.channels, d.default) for d in devices] == [
        ("ALSA: Speakers", 2, True), ("JACK: Interface", 8, False),
    ]  # fmt: skip
    audio.devices.insert(0, audio.devices.pop())
    assert open_output(Wanted(48_000, 2, devices[1].key))[0].name == "Interface"
    assert audio.tried == [(0, 48_000, 2)]


def test_looking_anew_starts_portaudio_again(audio):
    list_devices(refresh=True)
    open_output(Wanted(48_000, refresh=True))
    open_output(Wanted(48_000))
    assert audio.calls == ["terminate", "initialize"] * 2


def test_a_stream_that_ends_by_itself_is_lost_and_one_that_is_closed_is_not(audio):
    first, second = DeviceOutput(Wanted(48_000)), DeviceOutput(Wanted(48_000))
    out = np.ones((8, 2), np.float32)
    for _ in range(3):
        audio.streams[0].wish["callback"](out, 8, None, None)
    assert first.beats() == 3
    assert not out.any()
    audio.streams[0].wish["finished_callback"]()
    assert first.beats() == -1
    second.close()
    assert audio.streams[1].closed and second.beats() == 0


def test_an_error_in_the_callback_is_silence_and_a_sentence_once(audio):
    output = DeviceOutput(Wanted(48_000))

    class Broken:
        playing = True

        def fill(self, out: np.ndarray) -> None:
            raise ZeroDivisionError("oh")

    mixer = Broken()
    output.start(mixer)
    out = np.ones((8, 2), np.float32)
    audio.streams[0].wish["callback"](out, 8, None, None)
    assert not out.any() and not mixer.playing
    assert "ZeroDivisionError" in output.failure()
    assert output.failure() == ""
