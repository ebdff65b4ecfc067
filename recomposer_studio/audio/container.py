"""Whether a sound file's header keeps its promises, checked before the decoder sees the file.

libsndfile shortens a truncated WAV, AIFF, W64 or Ogg file without a word, opens text named `.au` as telephone sound,
and prints warnings of its own for a cut MP3. An edit of such a file would lose sound unnoticed, so chunks are walked
here first.

Layouts: WAV and RF64 after Microsoft's RIFF and EBU Tech 3306, AIFF/AIFC after Apple 1991, Wave64 after Sony Foundry,
CAF after Apple's Core Audio Format 1.0, Ogg pages after RFC 3533, the Xing/Info frame after its de-facto description.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recomposer_studio.audio import mpeg
from recomposer_studio.errors import InputError

STREAMED = 0x7FFF0000
"""A size from here on that exceeds the file is the place-holder of a recorder that never filled in the length."""

MOST_CHUNKS = 10_000
"""What a file of zeros would seem to consist of is not walked to its end."""

CONVERT = "convert it to WAV or FLAC"

FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyp", "an M4A/MP4 (AAC, ALAC or video) file"),
    (0, b"\x1aE\xdf\xa3", "a Matroska/WebM file"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "a Windows Media file"),
    (0, b"wvpk", "a WavPack file"),
    (0, b"MAC ", "a Monkey's Audio file"),
    (0, b"ADIF", "an AAC file"),
    *((0, bytes((0xFF, second)), "an AAC file") for second in (0xF0, 0xF1, 0xF8, 0xF9)),
    (8, b"AVI ", "an AVI video file"),
    (0, b"DSD ", "a DSD file"),
    (0, b"FRM8", "a DSD file"),
    (0, b"#!AMR", "an AMR file"),
    (0, b"MThd", "a MIDI file, which holds notes and no sound,"),
)
"""(offset, magic bytes, what it is) of common files that libsndfile does not read."""


@dataclass(frozen=True)
class Promise:
    """What a header says, for the comparison with what the decoder finds.

    Attributes:
        data_bytes: length of the sample data; None where the format does not say or the samples are compressed.
        mpeg_samples: frames in an MP3 without an index, which the decoder can only guess; None for all others.
    """

    data_bytes: int | None = None
    mpeg_samples: int | None = None


def check_container(path: Path) -> Promise:
    """Walk the chunks of a file that exists and is not empty.

    Raises:
        InputError: a format that is not read, a header that promises more than the file holds, or one that was never
            finished.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(16)
        for offset, magic, kind in FOREIGN:
            if head[offset:].startswith(magic):
                raise InputError(f"{path}: this is {kind} and cannot be read; {CONVERT}.")
        if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
            return Promise(_check_riff(path, file, size, head[:4]))
        if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
            return Promise(_check_aiff(path, file, size))
        if head == W64_RIFF:
            return Promise(_check_w64(path, file, size))
        if head[:4] == b"caff":
            return Promise(_check_caf(path, file, size))
        if head[:4] in (b".snd", b"dns."):
            return Promise(_check_au(path, head, size))
        if head[:4] == b"OggS":
            _check_ogg(path, file, size)
        elif head[:3] == b"ID3" or (head[0] == 0xFF and head[1:2] and head[1] & 0xE0 == 0xE0):
            return Promise(mpeg_samples=_check_mpeg(path))
        elif path.suffix.lower() in (".mp3", ".mp2", ".mp1"):
            raise not_audio(path)
    return Promise()


def not_audio(path: Path, detail: str = "") -> InputError:
    """The error for a file that is no sound file or is too damaged to be recognised as one."""
    because = f" ({detail.strip().rstrip('.')})" if detail.strip() else ""
    return InputError(
        f"{path}: this is not a sound file that can be read{because}; give a WAV, FLAC, AIFF, Ogg or MP3 file"
        " (M4A, AAC and video are not read: convert them to WAV or FLAC)."
    )


def truncated(path: Path, promised: int, present: int, unit: str = "bytes") -> InputError:
    """The error for a file that ends before its header says it does."""
    return InputError(
        f"{path}: the file is cut short (its header promises {promised} {unit} of sound, {present} are there);"
        " copy it again from the original, or save what is left as a new file in an audio editor."
    )


def _streamed(path: Path) -> InputError:
    return InputError(
        f"{path}: the recorder never wrote the length into the header; open the file in an audio editor and save it as"
        " a new file (or run `ffmpeg -i` on it)."
    )


def _check_data_size(path: Path, promised: int, present: int) -> None:
    if promised > present:
        raise _streamed(path) if promised >= STREAMED else truncated(path, promised, present)


def _check_rest(path: Path, file: BinaryIO, start: int, length: int, size: int) -> None:
    """What follows the samples of a WAV has to begin like a chunk, a tag or padding, not like more samples."""
    file.seek(start + length + length % 2)
    rest = file.read(8)
    if len(rest) < 8 or all(32 <= byte < 127 for byte in rest[:4]) or rest[:3] == b"TAG":
        return
    if length == 0:
        raise _streamed(path)
    if any(rest):
        raise InputError(
            f"{path}: the header tells of {length} bytes of sound but more follow; open the file in an audio editor as"
            " raw data and save it as a new file."
        )


def _chunks(path: Path) -> Iterator[int]:
    """Counts chunks: gigabytes of zeros after a header are half a billion empty ones, which nobody waits for."""
    yield from range(MOST_CHUNKS)
    raise not_audio(path, "no sound among its first chunks")


def _check_riff(path: Path, file: BinaryIO, size: int, magic: bytes) -> int | None:
    order = ">" if magic == b"RIFX" else "<"
    long_data: int | None = None
    position = 12
    for _ in _chunks(path):
        if position + 8 > size:
            break
        file.seek(position)
        name, length = struct.unpack(order + "4sI", file.read(8))
        if name == b"ds64":
            body = file.read(16)
            if len(body) == 16:
                long_data = struct.unpack(order + "QQ", body)[1]
        elif name == b"fmt ":
            _check_format_chunk(path, file.read(16), order)
        elif name == b"data":
            start = position + 8
            if magic in (b"RF64", b"BW64") and length == 0xFFFFFFFF and long_data is not None:
                length = long_data
            _check_data_size(path, length, size - start)
            _check_rest(path, file, start, length, size)
            return length
        position += 8 + length + length % 2
    return None


def _check_format_chunk(path: Path, body: bytes, order: str) -> None:
    """Channels, bytes of a frame and bits of a sample have to fit each other (plain integers and floats only)."""
    if len(body) < 16:
        return
    coding, channels, _, _, frame_bytes, bits = struct.unpack(order + "HHIIHH", body)
    plain = coding in (1, 3, 0xFFFE)
    if plain and channels and frame_bytes and (frame_bytes % channels or frame_bytes // channels * 8 < bits):
        raise InputError(
            f"{path}: the header contradicts itself ({channels} channels of {bits} bits do not make {frame_bytes}"
            " bytes); open the file in an audio editor and save it as a new file."
        )


def _check_aiff(path: Path, file: BinaryIO, size: int) -> int | None:
    position, compression, frames, frame_bytes = 12, b"NONE", 0, 0
    file.seek(8)
    compressed_form = file.read(4) == b"AIFC"
    for _ in _chunks(path):
        if position + 8 > size:
            break
        file.seek(position)
        name, length = struct.unpack(">4sI", file.read(8))
        if name == b"COMM":
            body = file.read(22)
            if len(body) >= 18:
                channels, frames, bits = struct.unpack(">hIh", body[:8])
                frame_bytes = channels * ((bits + 7) // 8)
                compression = body[18:22] if compressed_form else b"NONE"
        elif name == b"SSND":
            offset_field = file.read(8)
            if len(offset_field) < 8:
                raise truncated(path, length, 0)
            start = position + 16 + struct.unpack(">II", offset_field)[0]
            promised = length - (start - position - 8)
            _check_data_size(path, promised, size - start)
            plain = compression in (b"NONE", b"twos", b"sowt", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64")
            if plain and frames * frame_bytes > promised:
                raise truncated(path, frames * frame_bytes, promised)
            return promised if plain else None
        position += 8 + length + length % 2
    return None


W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
W64_DATA = bytes.fromhex("64617461f3acd3118cd100c04f8edb8a")


def _check_w64(path: Path, file: BinaryIO, size: int) -> int | None:
    position = 40
    for _ in _chunks(path):
        if position + 24 > size:
            break
        file.seek(position)
        name, length = struct.unpack("<16sQ", file.read(24))
        if name == W64_DATA:
            _check_data_size(path, length - 24, size - position - 24)
            return length - 24
        if length < 24:
            break
        position += (length + 7) // 8 * 8
    return None


def _check_caf(path: Path, file: BinaryIO, size: int) -> int | None:
    position = 8
    for _ in _chunks(path):
        if position + 12 > size:
            break
        file.seek(position)
        name, length = struct.unpack(">4sq", file.read(12))
        if name == b"data":
            if length == -1:  # allowed by the format: the samples reach to the end of the file
                return None
            _check_data_size(path, length - 4, size - position - 16)
            return length - 4
        if length < 0:
            break
        position += 12 + length
    return None


def _check_au(path: Path, head: bytes, size: int) -> int | None:
    if len(head) < 12:
        raise not_audio(path)
    start, length = struct.unpack(">II" if head[:4] == b".snd" else "<II", head[4:12])
    if length == 0xFFFFFFFF:  # allowed by the format: the length is that of the file
        return None
    _check_data_size(path, length, size - start)
    return length


def _check_ogg(path: Path, file: BinaryIO, size: int) -> None:
    """The last page has to be whole; a page is at most 65,307 bytes long (RFC 3533)."""
    start = max(0, size - 65_536)
    file.seek(start)
    tail = file.read()
    page = tail.rfind(b"OggS\x00")
    if page < 0 or len(tail) - page < 27 or len(tail) - page < 27 + tail[page + 26]:
        raise truncated(path, size + 1, size)
    segments = tail[page + 26]
    end = page + 27 + segments + sum(tail[page + 27 : page + 27 + segments])
    if end > len(tail):
        raise truncated(path, start + end, size)
    if tail[end:] and b"OggS".startswith(tail[end:]):
        raise truncated(path, size + 27, size)


def _check_mpeg(path: Path) -> int | None:
    length = mpeg.measure(path)
    if length is None:
        return None
    if length.is_cut:
        raise InputError(f"{path}: the file is cut short or damaged; copy it again from the original, or {CONVERT}.")
    return None if length.has_index else length.samples
