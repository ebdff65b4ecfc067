"""Writing a sound file: the exact samples, the same bytes every time, whole or not at all."""

import struct
from collections.abc import Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import soundfile

from recomposer_studio.audio.atomic import atomic_path, write_error
from recomposer_studio.audio.chunks import MAX_CHUNKS, Chunk, add_chunks, set_speakers
from recomposer_studio.audio.flac_tags import set_comments
from recomposer_studio.audio.source import BLOCK_FRAMES, NativeBlock, SampleFormat
from recomposer_studio.errors import InputError

CONTAINERS = {
    ".wav": "WAV",
    ".flac": "FLAC",
    ".aif": "AIFF",
    ".aiff": "AIFF",
    ".w64": "W64",
    ".rf64": "RF64",
    ".caf": "CAF",
    ".au": "AU",
}
"""File name suffix -> libsndfile's container; all of them without loss."""

SYSTEM_ERROR = 2
"""libsndfile's code for a failed call of the operating system (SF_ERR_SYSTEM)."""

FLAC_CHANNELS = 8
"""The most channels a FLAC stream has (RFC 9639)."""

SMALL_CONTAINERS = ("WAV", "WAVEX", "AIFF", "AU")
SIZE_LIMIT = 2**32 - 2 * MAX_CHUNKS
"""Bytes of samples that containers with 32-bit sizes hold; the rest is for their other chunks."""

CHUNKED = ("WAV", "WAVEX", "RF64")
"""Containers that take chunks."""


class Depth(StrEnum):
    """A sample format that a person can ask for; `float` has 64 bits where 32 would change the source's samples."""

    INT16 = "16"
    INT24 = "24"
    FLOAT = "float"


_INTEGERS = {Depth.INT16: "PCM_16", Depth.INT24: "PCM_24"}
_FLOAT_BITS = 24
"""Bits of the widest integers that 32-bit float holds exactly."""


def output_format(
    source: SampleFormat, path: str | Path, *, channels: int, frames: int, depth: Depth | None = None
) -> SampleFormat:
    """How to write a file in the container that its name asks for: in the sample format of its source, or in another depth.

    Without a depth integers keep their width, float and double stay, and lossy codings become 32-bit float. Eight bits are
    signed or unsigned as the container has them. A WAV of 4 GB or more becomes RF64 under the same name; WAVEX stays
    WAVEX, and the byte order stays within one container.

    Args:
        source: the source's format.
        path: name of the file to write; its suffix names the container.
        channels: number of channels to write.
        frames: number of frames to write.
        depth: write this whatever the source is; float as 32 bits, or as 64 where the source has more than 32-bit float holds.

    Raises:
        InputError: unknown suffix, or a container that cannot hold this format, this many channels or this length.
    """
    path = Path(path)
    container = CONTAINERS.get(path.suffix.lower())
    if container is None:
        raise InputError(
            f"{path}: no sound file is written with the ending {path.suffix!r}; use one of {' '.join(CONTAINERS)}."
        )
    if depth is Depth.FLOAT:
        wide = source.subtype == "DOUBLE" or (source.is_integer and source.bits > _FLOAT_BITS)
        subtype = "DOUBLE" if wide else "FLOAT"
    elif depth is not None:
        subtype = _INTEGERS[depth]
    elif source.is_lossy:
        subtype = "FLOAT"
    elif source.bits == 8:
        subtype = "PCM_U8" if container in ("WAV", "W64", "RF64") else "PCM_S8"
    elif source.is_integer:
        subtype = f"PCM_{next(bits for bits in (16, 24, 32) if source.bits <= bits)}"
    else:
        subtype = source.subtype
    if container == "FLAC" and not soundfile.check_format(container, subtype):
        kind = {"FLOAT": "32-bit float", "DOUBLE": "64-bit float", "PCM_32": "32-bit integer"}[subtype]
        raise InputError(
            f"{path}: FLAC cannot hold {kind} samples; give the output the ending .wav, or choose 16 or 24 bits."
        )
    if container == "FLAC" and channels > FLAC_CHANNELS:
        raise InputError(
            f"{path}: FLAC holds at most {FLAC_CHANNELS} channels, not {channels}; give the output the ending .wav."
        )
    big = SampleFormat(container, subtype).bits // 8 * channels * frames > SIZE_LIMIT
    if container == "WAV":
        container = "RF64" if big else "WAVEX" if source.container == "WAVEX" else "WAV"
    elif big and container in SMALL_CONTAINERS:
        raise InputError(f"{path}: {container} holds at most 4 GB; give the output the ending .wav.")
    same = container == source.container and soundfile.check_format(container, subtype, source.endian)
    return SampleFormat(container, subtype, source.endian if same else "FILE")


def reduces(source: SampleFormat, output: SampleFormat) -> bool:
    """Whether an output has fewer bits than its source, so that every sample is requantised."""
    return output.is_integer and (not source.is_integer or source.bits > output.bits)


def takes_chunks(output: SampleFormat) -> bool:
    """Whether chunks can be added to a file of this format."""
    return output.container in CHUNKED and output.endian != "BIG"


class AudioSink:
    """A sound file being written, for use in a `with` statement.

    The file appears under its name when the block ends without an exception; until then, and after any failure (Ctrl-C
    too), whatever was there before stays. The same samples give the same bytes at any time of day.

    Attributes:
        path: name of the file to be.
        format: sample format.
        rate_hz: sample rate.
        channels: number of channels.
        frames_written: frames so far.
    """

    def __init__(
        self,
        path: str | Path,
        format: SampleFormat,
        rate_hz: int,
        channels: int,
        chunks: Sequence[Chunk] = (),
        comments: Sequence[str] = (),
        speakers: bytes = b"",
    ) -> None:
        """Remember what to write; the `with` statement opens the file.

        Args:
            path: the file to write or replace.
            format: sample format, as `output_format` gives it.
            rate_hz: sample rate.
            channels: number of channels.
            chunks: what a WAV or RF64 file carries beside its samples.
            comments: `NAME=text`, what a FLAC file does.
            speakers: as `read_speakers` gives them, of a file of as many channels; libsndfile's choice when empty.
        """
        self._chunks, self._comments, self._speakers = tuple(chunks), tuple(comments), speakers
        self.path = Path(path)
        self.format = format
        self.rate_hz = rate_hz
        self.channels = channels
        self.frames_written = 0
        self._place: AbstractContextManager[Path] = atomic_path(self.path)
        self._temporary = self.path
        self._file: soundfile.SoundFile | None = None

    def __enter__(self) -> "AudioSink":
        """Open a temporary file beside the target.

        Raises:
            InputError: the place cannot be written to, or the container does not take this rate or number of channels.
        """
        self._temporary = self._place.__enter__()
        try:
            self._file = self._open()
        except BaseException as error:
            self._place.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file and put it in its place, or remove it after an exception.

        Raises:
            InputError: the last bytes could not be written.
        """
        try:
            self._close(finish=error is None)
        except BaseException as failure:
            self._place.__exit__(type(failure), failure, failure.__traceback__)
            raise
        self._place.__exit__(kind, error, trace)

    def write(self, block: NativeBlock) -> None:
        """Append frames.

        Args:
            block: (n, channels) in `format.native_dtype`; integers left-justified in int32, unused low bits zero.

        Raises:
            InputError: the disk is full or has gone.
            ValueError: another shape or type, an integer with more bits than the file has, or more than the container
                holds.
        """
        if self._file is None:
            raise ValueError("an AudioSink is written to inside its `with` block")
        if block.ndim != 2 or block.shape[1] != self.channels or block.dtype != self.format.native_dtype:
            wanted = f"(n, {self.channels}) {self.format.native_dtype}"
            raise ValueError(f"expected {wanted}, got {block.shape} {block.dtype}")
        if self.format.is_integer and np.bitwise_or.reduce(block, axis=None) & ((1 << 32 - self.format.bits) - 1):
            raise ValueError(f"samples have more than the file's {self.format.bits} bits")
        size = (self.frames_written + len(block)) * self.channels * self.format.bits // 8
        if size > SIZE_LIMIT and self.format.container in SMALL_CONTAINERS:
            raise ValueError(
                f"more than 4 GB do not go into {self.format.container}; ask output_format with all frames"
            )
        for start in range(0, len(block), BLOCK_FRAMES):  # one large write can crash libsndfile
            piece = block[start : start + BLOCK_FRAMES]
            try:
                self._file.write(piece)
            except (soundfile.LibsndfileError, AssertionError) as error:  # soundfile asserts that a write was not short
                raise write_error(self.path, error) from error
            self.frames_written += len(piece)

    def _open(self) -> soundfile.SoundFile:
        wanted = self.format
        try:
            return soundfile.SoundFile(
                self._temporary, "w", self.rate_hz, self.channels, wanted.subtype, wanted.endian, wanted.container
            )
        except (soundfile.LibsndfileError, ValueError) as error:
            if isinstance(error, soundfile.LibsndfileError) and error.code == SYSTEM_ERROR:
                raise write_error(self.path, error) from error
            raise InputError(
                f"{self.path}: {wanted.container} cannot hold {wanted.subtype} samples with {self.channels} channels at"
                f" {self.rate_hz} Hz; give the output the ending .wav."
            ) from error

    def _close(self, finish: bool) -> None:
        file, self._file = self._file, None
        assert file is not None
        try:
            file.close()
            if finish and self.frames_written:  # closing does not report a header that did not fit on the disk
                complete = soundfile.info(self._temporary).frames == self.frames_written
                if not complete:
                    raise OSError("the disk is full")
            if finish and self.format.container in ("WAV", "WAVEX", "RF64", "AIFF"):
                _clear_peak_time(self._temporary)
            if finish and self._speakers:
                set_speakers(self._temporary, self._speakers)
            if finish and self._chunks and takes_chunks(self.format):
                add_chunks(self._temporary, self._chunks)
            if finish and self._comments and self.format.container == "FLAC":
                set_comments(self._temporary, self._comments)
        except (soundfile.LibsndfileError, OSError) as error:
            if finish:
                raise write_error(self.path, error) from error


def _clear_peak_time(path: Path) -> None:
    """Zero the time of day in the PEAK chunk of float files (layout: version, time, peaks) that libsndfile writes."""
    with path.open("r+b") as file:
        order = ">" if file.read(4) in (b"FORM", b"RIFX") else "<"
        position = 12
        while len(header := _read_at(file, position, 8)) == 8:
            name, length = struct.unpack(order + "4sI", header)
            if name == b"PEAK":
                file.seek(position + 12)
                file.write(bytes(4))
                return
            position += 8 + length + length % 2


def _read_at(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)
