"""A recording on disk: any file libsndfile reads, its exact samples, read in pieces and never written to."""

import hashlib
import stat
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from recomposer_studio.audio.container import CONVERT, Promise, check_container, not_audio
from recomposer_studio.errors import InputError

BLOCK_FRAMES = 65_536
"""Frames in one block: small enough for twelve channels at 192 kHz, and the most libsndfile is ever given at once."""

NativeBlock = NDArray[np.int32] | NDArray[np.float32] | NDArray[np.float64]
"""(n, channels) samples as a file stores them, see `SampleFormat.native_dtype`."""

MAX_CHANNELS = 128
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 1_536_000
"""Headers outside these are damaged; nothing is ever allocated by what a header says."""

LARGEST_SAMPLE = 1e6
"""Floating-point samples beyond this (120 dB over full scale) are damage: their squares would drown everything else."""

PREROLL_FRAMES = 16_384
"""Frames decoded and dropped before a jump in a lossy file.

After a seek libsndfile's Vorbis and Opus decoders need up to a few thousand frames until they give the samples of an
uninterrupted decoding again; without the detour a sample would depend on earlier reads.
"""

_FORWARD_ONLY = ("MPEG_", "GSM", "G72", "NMS", "DWVW")
"""Codings whose seeking is missing or inexact: in an MP3 of variable bit rate libsndfile lands at another time."""

_INTEGER_BITS = {"PCM_S8": 8, "PCM_U8": 8} | {
    f"{codec}_{bits}": bits for codec in ("PCM", "ALAC", "DWVW") for bits in (12, 16, 20, 24, 32)
}


@dataclass(frozen=True)
class SampleFormat:
    """How a file stores its samples, in libsndfile's names.

    Attributes:
        container: file type, for example "WAV", "WAVEX", "FLAC".
        subtype: sample coding, for example "PCM_24", "FLOAT", "VORBIS".
        endian: "FILE" (the container's own), "LITTLE", "BIG" or "CPU".
    """

    container: str
    subtype: str
    endian: str = "FILE"

    @property
    def is_integer(self) -> bool:
        """Whether the samples are stored as integers without loss."""
        return self.subtype in _INTEGER_BITS

    @property
    def is_lossy(self) -> bool:
        """Whether the coding loses something, so that it cannot be written again as it was (Vorbis, MP3, u-law)."""
        return not self.is_integer and self.subtype not in ("FLOAT", "DOUBLE")

    @property
    def bits(self) -> int:
        """Bits in a sample: of the integer, 64 for double, 32 for float and for whatever a lossy coding decodes to."""
        return _INTEGER_BITS.get(self.subtype, 64 if self.subtype == "DOUBLE" else 32)

    @property
    def native_dtype(self) -> np.dtype[np.int32] | np.dtype[np.float32] | np.dtype[np.float64]:
        """The array type that holds every sample exactly: int32 (left-justified) for integers, float32, float64."""
        if self.is_integer:
            return np.dtype(np.int32)
        return np.dtype(np.float64) if self.subtype == "DOUBLE" else np.dtype(np.float32)

    @property
    def lsb(self) -> float:
        """One step of an integer format as a fraction of full scale; 0 for the others."""
        return 2.0 ** (1 - self.bits) if self.is_integer else 0.0


class _Decoder(soundfile.SoundFile):  # type: ignore[misc] # soundfile has no type hints
    """A sound file whose `read` stays clear of seeking.

    soundfile seeks to where it already is after every read of a seekable file, which costs time and disturbs MP3.
    """

    def seekable(self) -> bool:
        return False


class Source:
    """A recording opened for reading.

    Two reads of the same frames give the same samples, whatever was read before, and from any thread.

    Attributes:
        path: where the file lies, as given.
        rate_hz: sample rate.
        channels: number of channels.
        frames: length in frames.
        format: how the file stores its samples.
        frames_read: frames decoded so far, which the tests of running costs count.
    """

    def __init__(self, path: Path, file: _Decoder) -> None:
        """Take over an open file; `Source.open` is the way to make one."""
        self.path = path
        self.rate_hz: int = file.samplerate
        self.channels: int = file.channels
        self.frames: int = file.frames
        self.format = SampleFormat(file.format, file.subtype, file.endian)
        self.frames_read = 0
        self._file = file
        self._position = 0
        self._spool: BinaryIO | None = None
        self._spooled = 0
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: str | Path) -> "Source":
        """Open a recording and check all that can be known of it without decoding it whole.

        Raises:
            InputError: missing, a directory, no permission, empty, no sound file, cut short, a header that cannot be
                true, or a coding that cannot be read from the middle.
        """
        path = Path(path)
        try:
            status = path.stat()
            if stat.S_ISDIR(status.st_mode):
                raise InputError(f"{path}: this is a folder; name the sound file in it.")
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{path}: this is not a file; save the sound to a file first.")
            if status.st_size == 0:
                raise InputError(f"{path}: the file is empty (0 bytes); copy it again from the original.")
            promise = check_container(path)
            file = _Decoder(path)
        except FileNotFoundError:
            raise InputError(f"{path}: there is no such file; check the name and the folder.") from None
        except PermissionError:
            raise InputError(f"{path}: no permission to read this file; change its rights or give a copy.") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"{path}: cannot be read ({reason}); check the drive and the name.") from error
        except soundfile.LibsndfileError as error:
            raise not_audio(path, error.error_string) from error
        except (TypeError, ValueError) as error:  # a name libsndfile cannot take, or ".raw", which has no header
            raise not_audio(path, str(error)) from error
        source = cls(path, file)
        try:
            source._check_header(promise)
            source._check_end(promise)
        except BaseException:
            source.close()
            raise
        return source

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.rate_hz

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Frames `start` to `stop` (half-open).

        Returns:
            (channels, stop - start) float64, full scale 1.0; exact for every sample format.

        Raises:
            InputError: a sample is not a finite number, or the file cannot be decoded there.
            ValueError: the interval does not lie within the file.
        """
        native = self.read_native(start, stop)
        samples = np.empty((self.channels, stop - start))
        with np.errstate(invalid="ignore"):  # a signalling NaN; it is told below
            np.multiply(native.T, 2.0**-31 if self.format.is_integer else 1.0, out=samples)
        if not self.format.is_integer:
            # Written so that NaN counts as bad too.
            bad = ~(np.abs(samples) <= LARGEST_SAMPLE)
            if bad.any():
                first = start + int(np.flatnonzero(bad.any(axis=0))[0])
                raise InputError(
                    f"{self.path}: the sample at {first / self.rate_hz:.6f} s is no sound (not a number, infinite, or beyond "
                    f"{20 * np.log10(LARGEST_SAMPLE):.0f} dBFS); repair the file in an audio editor or export it again."
                )
        return samples

    def read_native(self, start: int, stop: int) -> NativeBlock:
        """Frames `start` to `stop` (half-open) as the file stores them.

        Returns:
            (stop - start, channels) in `format.native_dtype`; integers of every width are left-justified int32.

        Raises:
            InputError: the file cannot be decoded there.
            ValueError: the interval does not lie within the file.
        """
        if not 0 <= start <= stop <= self.frames:
            raise ValueError(f"frames {start} to {stop} are not within 0 to {self.frames}")
        with self._lock:
            if self._file.closed:
                raise ValueError(f"{self.path}: read after close")
            block = np.empty((stop - start, self.channels), self.format.native_dtype)
            if start == stop:
                pass
            elif self._spool is not None:
                self._fill_from_spool(block, start)
            else:
                self._seek(start)
                self._fill(block, start)
        return block

    def blocks(self, size: int = BLOCK_FRAMES) -> Iterator[NativeBlock]:
        """The whole file as native blocks of `size` frames, (n, channels) each; the last one may be shorter."""
        for start in range(0, self.frames, size):
            yield self.read_native(start, min(start + size, self.frames))

    def sha256(self) -> str:
        """The SHA-256 of the file's bytes in hexadecimal, worked out once.

        Raises:
            InputError: the file has gone or cannot be read any more.
        """
        return self._sha256

    @cached_property
    def _sha256(self) -> str:
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"{self.path}: cannot be read any more ({reason}); put the file back.") from error

    def close(self) -> None:
        """Close the file; reading afterwards is an error."""
        with self._lock:
            self._file.close()
            if self._spool is not None:
                self._spool.close()

    def __enter__(self) -> "Source":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        shape = f"{self.rate_hz} Hz, {self.channels} channels, {self.frames} frames"
        return f"Source({str(self.path)!r}, {shape}, {self.format})"

    def _check_header(self, promise: Promise) -> None:
        """The header's figures have to be possible, and agree with the number of frames the decoder found."""
        if self.format.container == "RAW":  # libsndfile takes any bytes named .au, .vox or .gsm for headerless sound
            raise not_audio(self.path)
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise InputError(
                f"{self.path}: the header tells of {self.channels} channels (1 to {MAX_CHANNELS} work); {CONVERT}."
            )
        if not MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ:
            raise InputError(
                f"{self.path}: the header tells of a rate of {self.rate_hz} Hz ({MIN_RATE_HZ} to {MAX_RATE_HZ} work);"
                f" {CONVERT}."
            )
        if self.frames <= 0:
            raise InputError(f"{self.path}: the file holds no samples; record or export it again.")
        if self.frames > 2**48:  # what libsndfile reports for a FLAC stream of unknown length
            raise InputError(f"{self.path}: the header does not tell the length; {CONVERT} to have it written.")
        frame_bytes = self.channels * self.format.bits // 8
        plain = self.format.subtype.startswith(("PCM_", "FLOAT", "DOUBLE"))
        data_bytes = promise.data_bytes
        if data_bytes is not None and plain and data_bytes // frame_bytes != self.frames:
            raise InputError(
                f"{self.path}: the header contradicts itself (its {data_bytes} bytes of sound are not {self.frames}"
                f" frames of {frame_bytes} bytes); open the file in an audio editor and save it as a new file."
            )

    def _check_end(self, promise: Promise) -> None:
        """Decode the last frame: a compressed file that was cut short shows itself here."""
        if self.format.subtype.startswith(_FORWARD_ONLY) or not soundfile.SoundFile.seekable(self._file):
            self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
            if promise.mpeg_samples is not None:
                self._settle_mpeg_length(promise.mpeg_samples)
            return
        try:
            self._file.seek(self.frames - 1)
            present = len(self._file.read(1, dtype=self.format.native_dtype.name, always_2d=True))
        except soundfile.LibsndfileError:
            present = 0
        if not present:
            raise InputError(
                f"{self.path}: the file is cut short (its header promises {self.duration_s:.3f} s, the end cannot be"
                " decoded); copy it again from the original, or save what is left as a new file in an audio editor."
            )
        self._position = self.frames

    def _settle_mpeg_length(self, samples: int) -> None:
        """Decode an MP3 without an index whole, because only that tells its length.

        Args:
            samples: frames that the MPEG frames of the file hold, encoder delay included.
        """
        if self.frames < samples - 2 * 1_152:
            raise InputError(
                f"{self.path}: this MP3 has a variable bit rate but no index, so its end cannot be reached; {CONVERT}."
            )
        while self._spool_more():
            pass
        self.frames = self._spooled
        if self.frames == 0:
            raise not_audio(self.path)

    def _spool_more(self) -> int:
        """Decode the next block of a file that only plays forward into the spool; returns the number of frames."""
        assert self._spool is not None
        block = np.empty((min(BLOCK_FRAMES, self.frames - self._spooled), self.channels), self.format.native_dtype)
        try:
            got = len(self._file.read(out=block))
            self._spool.seek(0, 2)
            self._spool.write(block[:got].tobytes())
        except soundfile.LibsndfileError as error:
            raise self._damaged(self._spooled) from error
        except OSError as error:
            raise InputError(
                f"{self.path}: no room to decode it in {tempfile.gettempdir()} ({error.strerror}); free space there."
            ) from error
        self._spooled += got
        self.frames_read += got
        return got

    def _fill_from_spool(self, block: NativeBlock, start: int) -> None:
        """Copy frames that were decoded before, after decoding up to them."""
        assert self._spool is not None
        while self._spooled < start + len(block):
            if not self._spool_more():
                raise self._damaged(self._spooled)
        self._spool.seek(start * self.channels * block.itemsize)
        block[:] = np.frombuffer(self._spool.read(block.nbytes), block.dtype).reshape(block.shape)

    def _seek(self, start: int) -> None:
        """Put the decoder on frame `start`, in the state that decoding from the beginning would have left."""
        if self._position == start:
            return
        from_frame = max(0, start - PREROLL_FRAMES) if self.format.is_lossy else start
        try:
            self._file.seek(from_frame)
        except soundfile.LibsndfileError as error:
            raise self._damaged(from_frame) from error
        self._position = from_frame
        if from_frame < start:
            self._fill(np.empty((start - from_frame, self.channels), self.format.native_dtype), from_frame)

    def _fill(self, block: NativeBlock, start: int) -> None:
        """Decode into `block` from the decoder's position, which is frame `start`."""
        self._position = -1  # unknown, should the decoder fail on the way
        for at in range(0, len(block), BLOCK_FRAMES):
            piece = block[at : at + BLOCK_FRAMES]
            try:
                got = len(self._file.read(out=piece))
            except soundfile.LibsndfileError as error:
                raise self._damaged(start + at) from error
            self.frames_read += got
            if got != len(piece):
                raise self._damaged(start + at + got)
        self._position = start + len(block)

    def _damaged(self, frame: int) -> InputError:
        return InputError(
            f"{self.path}: the file is damaged or changed on disk and cannot be decoded from"
            f" {frame / self.rate_hz:.3f} s on; copy it again from the original."
        )
