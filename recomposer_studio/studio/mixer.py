"""What the sound card asks for: any version at one shared position, switched by 5 ms cross-fades. No Qt, no PortAudio.

`Mixer.fill` runs in PortAudio's thread: it copies slices of arrays that are there, and neither waits, allocates, prints
nor reads files. A feeder thread keeps the arrays (`Bank`) ahead of the playhead.
"""

import threading
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.fold import folded
from recomposer_studio.audio.resample import common_grid, resample

Samples = NDArray[np.float32]

BLOCK = 2048
"""Frames in a block of a bank."""
AHEAD = 16
"""Blocks that are kept ready ahead of the playhead."""
FADE_S = 0.005
_METER_FRAMES = 4096
"""Frames that are measured at once, in arrays that are there."""
_CONTEXT = 256
"""Frames on either side of a resampled block, for the filter to settle; dropped afterwards."""


class Sound(Protocol):
    """A version that can be listened to."""

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Frames as (channels, n)."""


class Bank:
    """Blocks of every version around the playhead, at the rate of the output.

    Args:
        sounds: the versions.
        frames: their length.
        rate_hz: their rate.
        out_hz: the rate of the output.
        outputs: channels of the output.
    """

    def __init__(self, sounds: Sequence[Sound], frames: int, rate_hz: int, out_hz: int, outputs: int = 2) -> None:
        self.sounds = tuple(sounds)
        self.outputs = outputs
        self.rate_hz, self.out_hz = rate_hz, out_hz
        self._frames = frames
        self.frames = round(frames * out_hz / rate_hz)
        self.blocks: dict[int, Samples] = {}

    def prepare(self, numbers: Sequence[int]) -> bool:
        """Makes the blocks of these numbers and drops all others; tells whether anything was made."""
        wanted = [number for number in dict.fromkeys(numbers) if 0 <= number * BLOCK < max(self.frames, 1)]
        made = False
        for number in wanted:
            if number not in self.blocks:
                self.blocks[number] = self._make(number)
                made = True
        for number in list(self.blocks):
            if number not in wanted:
                del self.blocks[number]
        return made

    def _make(self, number: int) -> Samples:
        """(versions, BLOCK, outputs)."""
        block = np.zeros((len(self.sounds), BLOCK, self.outputs), np.float32)
        for version, sound in enumerate(self.sounds):
            samples = folded(self._read(sound, number), self.outputs)
            block[version, : samples.shape[1]] = samples.T
        return block

    def _read(self, sound: Sound, number: int) -> NDArray[np.float64]:
        first, stop = number * BLOCK, min((number + 1) * BLOCK, self.frames)
        if self.rate_hz == self.out_hz:
            return sound.read(first, stop)
        # Windows that start on the common grid of both rates are not shifted by resampling.
        step_in, step_out = common_grid(self.rate_hz, self.out_hz)
        unit = max(0, (first - _CONTEXT) // step_out)
        last = min(-(-(stop + _CONTEXT) * step_in // step_out), self._frames)
        out = resample(sound.read(unit * step_in, last), self.rate_hz, self.out_hz)
        return out[:, first - unit * step_out : stop - unit * step_out]


_FOLLOW = -1
"""Position of a voice that takes over where the present one is."""


class _Fade(Enum):
    """What a fade that is under way does; it may take several calls."""

    NONE = auto()
    IN = auto()
    ACROSS = auto()
    OUT = auto()


class _Voice:
    """One thing that sounds: a version in a bank at a position, with a factor of its own."""

    __slots__ = ("bank", "gain", "position", "version")

    def __init__(self, bank: Bank, version: int, position: int, gain: float) -> None:
        self.bank, self.version, self.position, self.gain = bank, version, position, gain

    def ready(self, position: int) -> bool:
        """Whether the block at a position is there."""
        return position >= self.bank.frames or position // BLOCK in self.bank.blocks

    def copy_to(self, out: Samples, loop: tuple[int, int] | None) -> int:
        """Writes the next frames into `out` and moves on; returns the frames that were not ready (silence)."""
        missing = done = 0
        frames = len(out)
        while done < frames:
            end = self.bank.frames
            if loop is not None and self.position <= loop[1]:
                end = loop[1]
                if self.position == end:
                    self.position = loop[0]
            if self.position >= end:
                out[done:] = 0.0
                break
            number, offset = divmod(self.position, BLOCK)
            n = min(frames - done, BLOCK - offset, end - self.position)
            block = self.bank.blocks.get(number)
            if block is None:
                out[done : done + n] = 0.0
                missing += n
            else:
                out[done : done + n] = block[self.version, offset : offset + n]
            self.position += n
            done += n
        if self.gain != 1.0:
            np.multiply(out, self.gain, out=out)
        return missing


class Mixer:
    """Plays versions.

    Attributes:
        playing: whether sound comes.
        position: the next frame to play, at the output's rate.
        missed: frames that were wanted before they were ready.
        peaks: largest sample of every output since somebody set them to zero.
        energy: sum of the squares of every output; it only grows, so that a reader takes differences.
        counted: frames in that sum.
        clips: calls in which a sample passed full scale; it only grows, so that none is lost to a reader.
        loop: frames to repeat, or None.
        stop_at: frame to stop at, or None.
        gain: factor on everything.
    """

    def __init__(self, bank: Bank) -> None:
        self.playing = False
        self.position = 0
        self.missed = 0
        outputs = bank.outputs
        self.peaks = np.zeros(outputs, np.float32)
        self.energy = np.zeros(outputs)
        self.counted = self.clips = 0
        self.loop: tuple[int, int] | None = None
        self.stop_at: int | None = None
        self.gain = 1.0
        self._now = _Voice(bank, 0, 0, 1.0)
        self._next: _Voice | None = None
        self._leaving: _Voice | None = None
        self._fade: _Fade = _Fade.NONE
        self._fade_at = 0
        self._stopping = False
        n = max(1, round(FADE_S * bank.out_hz))
        self._old = np.zeros((n, outputs), np.float32)
        self._rise = np.linspace(0.0, 1.0, n, endpoint=False, dtype=np.float32)[:, None].repeat(outputs, axis=1)
        self._fall = 1.0 - self._rise
        self._measured = np.zeros((_METER_FRAMES, outputs), np.float32)
        self._largest = np.zeros(outputs, np.float32)
        self._sum = np.zeros(outputs)

    # --- from the window ---------------------------------------------------------------------------------------------

    @property
    def bank(self) -> Bank:
        """The bank that is heard, or will be after the fade that is under way."""
        return (self._next or self._now).bank

    def play(self, position: int) -> None:
        """Starts at a frame; the blocks have to be prepared."""
        voice = self._next or self._now
        self._now, self._next = _Voice(voice.bank, voice.version, position, voice.gain), None
        self.position = position
        self.stop_at = None
        self._leaving, self._stopping = None, False
        self._fade, self._fade_at = _Fade.IN, 0
        self.playing = True

    def stop(self) -> None:
        """Fades out and stops."""
        self._stopping = True

    def seek(self, position: int) -> None:
        """Goes to a frame, by a cross-fade while playing."""
        voice = self._next or self._now
        self.position = position
        if self.playing:
            self._next = _Voice(voice.bank, voice.version, position, voice.gain)
        else:
            self._now, self._next = _Voice(voice.bank, voice.version, position, voice.gain), None

    def switch(self, version: int, gain: float = 1.0) -> None:
        """Goes over to another version of the same bank at the same position."""
        self.change(self.bank, version, gain)

    def change(self, bank: Bank, version: int, gain: float = 1.0) -> None:
        """Goes over to other sounds at the same position: a take was mixed anew, or came or went."""
        if self.playing:
            # A seek that has not been heard yet keeps its place; else the callback knows best where it is.
            coming = self._next
            self._next = _Voice(bank, version, _FOLLOW if coming is None else coming.position, gain)
        else:
            self._now, self._next = _Voice(bank, version, self.position, gain), None

    def blocks_ahead(self) -> list[int]:
        """Numbers of the blocks that will be needed soon, nearest first."""
        coming = self._next
        now = self.position // BLOCK
        first = coming.position // BLOCK if coming is not None and coming.position != _FOLLOW else now
        numbers = [*range(first, first + AHEAD), *range(now, now + 4)]
        if self.loop is not None:
            back = self.loop[0] // BLOCK
            numbers += range(back, back + AHEAD // 2)
        return numbers

    # --- from the sound card -----------------------------------------------------------------------------------------

    def fill(self, out: Samples) -> None:
        """Writes the next frames into `out`, (frames, outputs); silence while nothing plays."""
        now = self._now
        if not self.playing or (self._fade is _Fade.IN and self._fade_at == 0 and not now.ready(now.position)):
            # A start waits for its first block and loses nothing.
            out[:] = 0.0
            return
        self._take_over()
        self.missed += self._now.copy_to(out, self.loop)
        if self._fade is not _Fade.NONE:
            self._go_on_fading(out)
        self.position = self._now.position
        self._end(out)
        if self.gain != 1.0:
            np.multiply(out, self.gain, out=out)
        self._measure(out)

    def _measure(self, out: Samples) -> None:
        largest, clipped = self._largest, False
        for start in range(0, len(out), _METER_FRAMES):
            part = out[start : start + _METER_FRAMES]
            measured = self._measured[: len(part)]
            np.abs(part, out=measured)
            measured.max(axis=0, out=largest)
            clipped = clipped or bool(largest.max() > 1.0)
            np.maximum(self.peaks, largest, out=self.peaks)
            np.multiply(measured, measured, out=measured)
            measured.sum(axis=0, out=self._sum)
            np.add(self.energy, self._sum, out=self.energy)
        self.counted += len(out)
        self.clips += clipped

    def _take_over(self) -> None:
        """Begins a fade that was asked for, once the one before is over and the first block is there."""
        coming, now = self._next, self._now
        if self._fade is not _Fade.NONE:
            return
        if self._stopping:
            self._fade, self._fade_at = _Fade.OUT, 0
        elif coming is not None:
            at = now.position if coming.position == _FOLLOW else coming.position
            if coming.ready(at):
                coming.position = at
                self._leaving, self._now = now, coming
                self._fade, self._fade_at = _Fade.ACROSS, 0
                if self._next is coming:
                    self._next = None

    def _go_on_fading(self, out: Samples) -> None:
        n = min(len(self._rise) - self._fade_at, len(out))
        part = slice(self._fade_at, self._fade_at + n)
        head = out[:n]
        np.multiply(head, (self._fall if self._fade is _Fade.OUT else self._rise)[part], out=head)
        if self._leaving is not None:
            old = self._old[:n]
            self._leaving.copy_to(old, self.loop)
            np.multiply(old, self._fall[part], out=old)
            np.add(head, old, out=head)
        self._fade_at += n
        if self._fade_at == len(self._rise):
            if self._fade is _Fade.OUT:
                out[n:] = 0.0
                self._stopping = self.playing = False
            self._leaving, self._fade = None, _Fade.NONE

    def _end(self, out: Samples) -> None:
        """Fades towards `stop_at`, which may be frames or calls away; ends there, or at the end of the recording."""
        stop_at, fall = self.stop_at, self._fall
        if stop_at is not None:
            first = self.position - len(out)
            begin = max(stop_at - len(fall) - first, 0)
            last = min(stop_at - first, len(out))
            if begin < last:
                offset = first + begin - (stop_at - len(fall))
                tail = out[begin:last]
                np.multiply(tail, fall[offset : offset + last - begin], out=tail)
            if last < len(out):
                out[max(last, 0) :] = 0.0
            if self.position >= stop_at:
                self.stop_at, self.playing = None, False
        elif self.loop is None and self.position >= self._now.bank.frames:
            self.playing = False


class Feeder(threading.Thread):
    """Keeps the mixer's bank ahead of the playhead.

    Args:
        mixer: what to feed.
        failed: called with a sentence when a sound cannot be read.
    """

    def __init__(self, mixer: Mixer, failed: Callable[[str], None]) -> None:
        super().__init__(name="feeder", daemon=True)
        self._mixer, self._failed = mixer, failed
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._coming: tuple[Bank, int, float] | None = None

    def run(self) -> None:
        """Prepares blocks until it is ended."""
        mixer = self._mixer
        while not self._ended.is_set():
            self._woken.clear()
            try:
                coming = self._coming
                if coming is not None:
                    coming[0].prepare(mixer.blocks_ahead())
                    self._hand_over(coming)
                mixer.bank.prepare(mixer.blocks_ahead())
            except Exception as error:  # told to the person; the thread has to live on
                self._coming = None
                mixer.stop()
                self._failed(str(error))
                self._woken.wait(1.0)
            self._woken.wait(0.03 if mixer.playing else 0.25)

    def replace(self, bank: Bank, version: int, gain: float = 1.0) -> None:
        """Goes over to other sounds as soon as their first blocks are there."""
        with self._lock:
            self._coming = (bank, version, gain)
        self._woken.set()

    def switch(self, version: int, gain: float = 1.0) -> None:
        """Goes over to another version: of the sounds that are being prepared, or else of those that are there."""
        with self._lock:
            coming = self._coming
            if coming is not None:
                self._coming = (coming[0], min(version, len(coming[0].sounds) - 1), gain)
            elif version < len(self._mixer.bank.sounds):
                self._mixer.switch(version, gain)
        self._woken.set()

    def _hand_over(self, ready: tuple[Bank, int, float]) -> None:
        """Plays what is prepared; of a newer mix that came meanwhile only the version counts, it follows by itself."""
        with self._lock:
            latest = self._coming
            if latest is None or latest[0] is ready[0]:
                self._coming = None
                ready = latest or ready
            self._mixer.change(*ready)

    def wake(self) -> None:
        """Something changed: look now."""
        self._woken.set()

    def end(self) -> None:
        """Ends the thread and waits for it."""
        self._ended.set()
        self._woken.set()
        self.join()
