"""Opening in the background, other devices, and devices that are lost; without Qt and without a sound card."""

import threading
import time

import numpy as np
import pytest

from recomposer_studio.audio.source import Source
from recomposer_studio.studio import player as player_module
from recomposer_studio.studio.output import GONE, NO_DEVICE, SilentOutput, Wanted
from recomposer_studio.studio.player import Player
from tests.editing.scenes import noise, write
from tests.studio.hand_output import HandOutput

RATE = 8_000


class Card:
    """Opens outputs by hand, and may take its time."""

    def __init__(self) -> None:
        self.wanted: list[Wanted] = []
        self.outputs: list[HandOutput] = []
        self.go = threading.Event()
        self.go.set()
        self.reason = ""

    def open(self, wanted: Wanted) -> tuple[HandOutput, str]:
        self.go.wait(20)
        self.wanted.append(wanted)
        output = HandOutput()
        output.open(wanted)
        output.name = wanted.device or "default"
        self.outputs.append(output)
        return output, self.reason


@pytest.fixture
def card():
    return Card()


@pytest.fixture
def player(tmp_path, card):
    with Source.open(write(tmp_path / "in.wav", noise(2, 4.0, RATE, 3), RATE)) as source:
        player = Player(lambda sentence: None, card.open)
        player.patience_s = 20.0
        player.open(source)
        yield player
        card.go.set()
        player.close()
        until(lambda: not any(thread.name == "opening output" for thread in threading.enumerate()))


def until(condition) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.002)


def source_of(player: Player) -> np.ndarray:
    return player._source.read(0, player._source.frames)


def ready(player: Player) -> None:
    mixer = player._mixer
    until(lambda: all(number in mixer.bank.blocks for number in mixer.blocks_ahead()[:2]))


def test_a_slow_device_does_not_hold_up_the_window_and_plays_when_it_is_there(player, card):
    card.go.clear()
    player.patience_s = 0.0
    player.play(1.0)
    assert player.playing and player.opening
    assert player.poll() is None
    assert player.position_s == 0.0
    card.go.set()
    until(lambda: player._opening.result is not None)
    opened = player.poll()
    assert (opened.reason, opened.lost, opened.name) == ("", "", "default")
    assert player.playing and not player.opening
    ready(player)
    out = card.outputs[0].pull(512)
    assert np.array_equal(out[40:], source_of(player)[:, RATE + 40 : RATE + 512].T.astype(np.float32))


def test_stop_before_the_device_is_there_is_a_stop(player, card):
    card.go.clear()
    player.patience_s = 0.0
    player.play()
    player.stop()
    card.go.set()
    until(lambda: player._opening.result is not None)
    player.poll()
    assert not player.playing
    assert not card.outputs[0].pull(64).any()


def test_closing_while_a_device_opens_closes_it_when_it_comes(player, card):
    card.go.clear()
    player.patience_s = 0.0
    player.play()
    player.close()
    card.go.set()
    until(lambda: card.outputs and card.outputs[0].closed)
    assert not player.playing


def test_another_device_goes_on_where_the_former_was(player, card):
    player.play(1.0)
    player.poll()
    ready(player)
    card.outputs[0].pull(1024)
    player.hear(0, 0.5)
    player.set_device("usb")
    player.poll()
    assert card.outputs[0].closed
    assert card.wanted[1] == Wanted(RATE, 2, "usb")
    assert player.playing
    ready(player)
    out = card.outputs[1].pull(256)
    want = source_of(player)[:, RATE + 1024 + 40 : RATE + 1024 + 256].T.astype(np.float32)
    assert np.array_equal(out[40:], want * np.float32(0.5))
    player.stop()
    card.outputs[1].pull(512)
    # Where playing began, not where the device was changed.
    assert player.position_s == 0.0


def test_a_device_that_is_chosen_before_anything_plays_is_not_opened_yet(player, card):
    player.set_device("usb")
    assert card.wanted == []
    player.play()
    assert card.wanted == [Wanted(RATE, 2, "usb")]


@pytest.mark.parametrize("sign", ["ended", "silent for long"])
def test_a_lost_device_stops_playing_keeps_the_place_and_the_default_one_is_opened(player, card, monkeypatch, sign):
    player.set_device("usb")
    player.play(0.5)
    player.poll()
    ready(player)
    card.outputs[0].pull(2048)
    at_s = player.position_s
    assert at_s > 0.5
    if sign == "ended":
        monkeypatch.setattr(card.outputs[0], "beats", lambda: -1)
    else:
        monkeypatch.setattr(player_module, "LOST_S", 0.05)
        monkeypatch.setattr(card.outputs[0], "beats", lambda: 7)
        player.poll()
        time.sleep(0.1)
    player.poll()
    assert not player.playing
    assert player.position_s == at_s
    opened = player.poll()
    assert (opened.lost, opened.name, opened.reason) == ("usb", "default", "")
    assert card.outputs[0].closed
    assert card.wanted[1] == Wanted(RATE, 2, "", refresh=True)
    player.play()
    ready(player)
    out = card.outputs[1].pull(128)
    first = round(at_s * RATE)
    assert np.array_equal(out[40:], source_of(player)[:, first + 40 : first + 128].T.astype(np.float32))


def test_a_computer_that_slept_blames_no_device(player, card, monkeypatch):
    player.play()
    player.poll()
    monkeypatch.setattr(card.outputs[0], "beats", lambda: 7)
    player.poll()
    player._looked -= 3600
    assert player.poll() is None
    assert player.playing


def test_without_any_device_it_goes_on_silently(player, card):
    card.reason = NO_DEVICE
    player._open_output = lambda wanted: (SilentOutput(wanted.rate_hz), NO_DEVICE)
    player.play(3.9)
    assert player.poll().reason == NO_DEVICE
    until(lambda: not player.playing)
    player.close()


def test_a_device_that_is_not_there_any_more_is_told(player, card):
    card.reason = GONE
    player.set_device("usb")
    player.play()
    assert player.poll().reason == GONE


def test_looking_for_devices_lets_go_of_the_stream_and_keeps_the_place(player, card):
    player.play(1.0)
    player.poll()
    ready(player)
    card.outputs[0].pull(512)
    at_s = player.position_s
    close = player.release()
    assert not player.playing and not card.outputs[0].closed
    close()
    assert card.outputs[0].closed
    assert player.position_s == at_s
    player.release()()


def test_a_version_that_comes_with_a_new_take_is_heard_whatever_comes_first(player, card):
    player.play(0.0)
    player.poll()
    ready(player)
    card.outputs[0].pull(512)
    source = player._source

    class Half:
        def read(self, start: int, stop: int) -> np.ndarray:
            return 0.5 * source.read(start, stop)

    # A new take: first the sounds, still on the original; then the switch, before the sounds are ready.
    player.set_sounds([source, Half()], 0)
    player.hear(1)
    mixer = player._mixer
    until(lambda: len(mixer.bank.sounds) == 2)
    ready(player)
    card.outputs[0].pull(256)
    at = mixer.position
    out = card.outputs[0].pull(256)
    assert np.array_equal(out, (0.5 * source.read(at, at + 256)).T.astype(np.float32))


def test_six_channels_are_told_and_heard(tmp_path, card):
    with Source.open(write(tmp_path / "six.wav", noise(6, 1.0, RATE, 3), RATE)) as source:
        player = Player(lambda sentence: None, card.open)
        player.patience_s = 20.0
        player.open(source)
        assert player.channels == (6, 0)
        player.play()
        player.poll()
        assert card.wanted[0].channels == 6
        assert player.channels == (6, 2)
        player.close()
