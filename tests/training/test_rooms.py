"""Rooms, low-pass, tilt and pitch: what they do to a sound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.training.rooms import (
    Room,
    fast_length,
    in_room,
    low_pass_gain,
    room_response,
    shifted,
    shifted_frames,
    tilt_gain,
)


def test_a_room_begins_with_the_direct_sound_and_decays() -> None:
    response = room_response(Room(3, 0.4, 9.0))
    assert response[0] == 1.0
    early, late = response[600:2600], response[6600:8600]
    fall_db = 10 * np.log10((early @ early) / (late @ late))
    assert fall_db == pytest.approx(60 * (6000 / 32000) / 0.4, abs=2.0)
    tail = response[480:]
    assert 10 * np.log10(tail @ tail) == pytest.approx(-9.0, abs=2.5)


def test_a_room_adds_what_its_response_says() -> None:
    room = Room(5, 0.2, 6.0)
    sound = np.random.default_rng(1).standard_normal(3000).astype(np.float32)
    wet = in_room(sound, room, None, 0.0)
    assert len(wet) == len(sound) + room.tail_frames
    assert np.allclose(wet, np.convolve(sound, room_response(room))[: len(wet)], atol=1e-4)


def test_low_pass_and_tilt_have_the_gains_they_promise() -> None:
    gain = low_pass_gain(32000, 4000.0)
    assert gain[4000] == pytest.approx(0.5, abs=1e-3)
    assert gain[1000] > 0.999
    assert 20 * np.log10(gain[8000]) == pytest.approx(-48.2, abs=0.2)
    tilt = 20 * np.log10(tilt_gain(32000, 1.5))
    assert tilt[1000] == pytest.approx(0.0, abs=1e-3)
    assert tilt[4000] - tilt[2000] == pytest.approx(1.5, abs=1e-3)
    assert tilt[15000] == pytest.approx(4.5, abs=1e-3)


@pytest.mark.parametrize("semitones", [-3.0, 1.5, 3.0])
def test_pitch_and_length_move_together(semitones: float) -> None:
    sound = np.sin(2 * np.pi * 1000 * np.arange(16000) / 32000).astype(np.float32)
    moved = shifted(sound, semitones)
    assert len(moved) == pytest.approx(16000 * 2 ** (-semitones / 12), abs=2)
    assert len(moved) <= shifted_frames(16000, semitones)
    spectrum = np.abs(np.fft.rfft(moved * np.hanning(len(moved)), 1 << 16))
    assert np.argmax(spectrum) * 32000 / (1 << 16) == pytest.approx(1000 * 2 ** (semitones / 12), abs=2)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 400_000))
def test_transform_lengths_are_long_enough_and_close(frames: int) -> None:
    length = fast_length(frames)
    assert frames <= length <= 1.34 * frames + 1
    assert any(length % odd == 0 and (length // odd).bit_count() == 1 for odd in (1, 3, 5))
