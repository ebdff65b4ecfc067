"""What a WAV file carries beside its samples: chunks read from one file and added to another, the samples untouched.

Layouts after Microsoft's "Multimedia Programming Interface" (RIFF, cue, LIST), EBU Tech 3285 (bext) and 3306 (RF64). Files of big-endian order
(RIFX) are left out: what stands in their chunks would have to be known to be turned around.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recomposer_studio.audio.container import MOST_CHUNKS
from recomposer_studio.audio.splice import splice

KEPT = (b"bext", b"iXML", b"axml", b"_PMX", b"cue ", b"smpl", b"inst", b"LIST", b"id3 ", b"ID3 ")
"""Chunks of a recording that an edit of it keeps; of the lists those of markers and texts."""

RECIPE = b"RCMP"
"""The chunk of our own: the recipe of a take as UTF-8 JSON. Upper case is what RIFF leaves to programs."""

MAX_CHUNK = 2**24
MAX_CHUNKS = 2**25
"""Bytes of one chunk and of all that is read; larger ones are left out."""

_EXTENSIBLE = struct.pack("<H", 0xFFFE)
_FORMS = (bytes.fromhex("0000000010008000 00aa00389b71"), bytes.fromhex("00002107d3118644 c8c1ca000000"))
"""How a GUID goes on behind its coding: common files, and those in Ambisonic B-format."""

_LISTS = (b"adtl", b"INFO")
_MAGIC = (b"RIFF", b"RF64", b"BW64")
_OPEN_SIZE = 0xFFFFFFFF


@dataclass(frozen=True)
class Chunk:
    """A chunk: its four-letter name and what is in it."""

    name: bytes
    body: bytes

    @property
    def as_bytes(self) -> bytes:
        """The chunk as it stands in a file, padded to an even length."""
        return struct.pack("<4sI", self.name, len(self.body)) + self.body + b"\0" * (len(self.body) % 2)


@dataclass(frozen=True)
class _Place:
    """Where a chunk lies: the position of its header, and the length of its body."""

    name: bytes
    at: int
    length: int


def read_chunks(path: Path, names: Sequence[bytes] = KEPT) -> tuple[Chunk, ...]:
    """The chunks of these names in a WAV file, in their order; none of a file that is no WAV or is damaged.

    Raises:
        OSError: the file cannot be read.
    """
    found: list[Chunk] = []
    with path.open("rb") as file:
        for place in _walk(file):
            if place.name not in names or place.length > MAX_CHUNK:
                continue
            file.seek(place.at + 8)
            body = file.read(place.length)
            whole = len(body) == place.length and (place.name != b"LIST" or body[:4] in _LISTS)
            if whole and sum(len(chunk.body) for chunk in found) + len(body) <= MAX_CHUNKS:
                found.append(Chunk(place.name, body))
    return tuple(found)


def add_chunks(path: Path, chunks: Sequence[Chunk]) -> None:
    """Adds chunks to a finished WAV or RF64 file: `bext` before the samples, as EBU Tech 3285 has it, all others behind.

    Raises:
        OSError: the disk is full.
        ValueError: the file is no WAV file with samples, or the sizes do not fit into it.
    """
    if not chunks:
        return
    with path.open("r+b") as file:
        magic = file.read(4)
        data = next((place for place in _walk(file) if place.name == b"data"), None)
        if data is None:
            raise ValueError(f"{path}: chunks are added to a WAV file with samples")
        end = file.seek(0, 2)
        if end % 2:
            file.write(b"\0")
        file.write(b"".join(chunk.as_bytes for chunk in chunks if chunk.name != b"bext"))
        before = b"".join(
            # libsndfile does not skip the padding of an odd bext in RF64; the text at its end may have a zero more.
            (chunk if magic == b"RIFF" else Chunk(chunk.name, chunk.body + b"\0" * (len(chunk.body) % 2))).as_bytes
            for chunk in chunks
            if chunk.name == b"bext"
        )
        if before:
            splice(file, data.at, 0, before)
        size = file.seek(0, 2) - 8
        if magic == b"RIFF":
            if size > _OPEN_SIZE:
                raise ValueError(f"{path}: more than 4 GB do not go into WAV")
            file.seek(4)
            file.write(struct.pack("<I", size))
        else:
            file.seek(20)  # RF64 keeps its size in the ds64 chunk, which is the first one.
            file.write(struct.pack("<Q", size))


def read_speakers(path: Path) -> bytes:
    """Which loudspeakers the channels of an extensible WAV file are for, as `set_speakers` takes it; empty for any other file.

    Raises:
        OSError: the file cannot be read.
    """
    body = next((chunk.body for chunk in read_chunks(path, (b"fmt ",))), b"")
    known = body[:2] == _EXTENSIBLE and body[26:40] in _FORMS
    return body[20:24] + body[26:40] if known else b""


def set_speakers(path: Path, speakers: bytes) -> None:
    """Makes the loudspeakers of a finished extensible WAV or RF64 file those of another one of as many channels; leaves any other file alone.

    Raises:
        OSError: the disk cannot be written to.
    """
    with path.open("r+b") as file:
        place = next((place for place in _walk(file) if place.name == b"fmt "), None)
        if place is None or place.length < 40:
            return
        file.seek(place.at + 8)
        if file.read(2) != _EXTENSIBLE:
            return
        # Between mask and GUID's rest stands the coding, which is the file's own.
        for at, piece in ((20, speakers[:4]), (26, speakers[4:])):
            file.seek(place.at + 8 + at)
            file.write(piece)


def _walk(file: BinaryIO) -> Iterator[_Place]:
    """Every chunk of a little-endian WAV, RF64 or BW64 file."""
    end = file.seek(0, 2)
    file.seek(0)
    head = file.read(12)
    if head[:4] not in _MAGIC or head[8:12] != b"WAVE":
        return
    position, long_data = 12, 0
    for _ in range(MOST_CHUNKS):
        if position + 8 > end:
            return
        file.seek(position)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"ds64":
            body = file.read(16)
            long_data = struct.unpack("<QQ", body)[1] if len(body) == 16 else 0
        elif name == b"data" and length == _OPEN_SIZE and head[:4] != b"RIFF":
            length = long_data
        yield _Place(name, position, length)
        position += 8 + length + length % 2
