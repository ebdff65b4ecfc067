"""Markers that other programs show: cue points with their texts and lengths, and the chunks that count samples when a file becomes a part of it.

A marker is a cue point, a `labl` with its text and an `ltxt` of purpose `rgn ` with its length (Microsoft's "Multimedia Programming Interface").
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from recomposer_studio.audio.chunks import Chunk

_CUE = struct.Struct("<II4sIII")
_LOOP = struct.Struct("<IIIIII")
_LARGEST = 0xFFFFFFFF
_TIME_REFERENCE = 338
"""Where `bext` has the sample at which the recording begins since midnight: 64 bits (EBU Tech 3285)."""
_IXML_TIMES = (
    (b"TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI", b"TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO"),
    (b"BWF_TIME_REFERENCE_HIGH", b"BWF_TIME_REFERENCE_LOW"),
)


@dataclass(frozen=True)
class Marker:
    """A stretch with a name.

    Attributes:
        start: first frame.
        length: frames.
        text: the name.
    """

    start: int
    length: int
    text: str


def moved(chunks: Sequence[Chunk], start: int, frames: int) -> tuple[Chunk, ...]:
    """The chunks of a recording for a part of it: times count from there, and what lies outside goes.

    Args:
        chunks: as `read_chunks` gives them.
        start: first frame of the part.
        frames: its length.
    """
    result = []
    for chunk in chunks:
        if chunk.name == b"bext" and len(chunk.body) >= _TIME_REFERENCE + 8:
            (begins,) = struct.unpack_from("<Q", chunk.body, _TIME_REFERENCE)
            time = struct.pack("<Q", (begins + start) % 2**64)
            chunk = Chunk(chunk.name, chunk.body[:_TIME_REFERENCE] + time + chunk.body[_TIME_REFERENCE + 8 :])
        elif chunk.name == b"iXML":
            chunk = Chunk(chunk.name, _ixml_moved(chunk.body, start))
        elif chunk.name == b"smpl" and len(chunk.body) >= 36:
            chunk = Chunk(chunk.name, _smpl_moved(chunk.body, start, frames))
        result.append(chunk)
    kept = [Marker(m.start - start, min(m.length, start + frames - m.start), m.text)
            for m in markers_in(chunks) if start <= m.start < start + frames]  # fmt: skip
    return marked([chunk for chunk in result if not _is_marker(chunk)], kept)


def marked(chunks: Sequence[Chunk], markers: Sequence[Marker]) -> tuple[Chunk, ...]:
    """The chunks with more markers; those that are there stay as they are, and one that is there already is not added."""
    points: list[bytes] = []
    texts: list[bytes] = []
    present = set(markers_in(chunks))
    for cue in (chunk.body for chunk in chunks if chunk.name == b"cue "):
        points += [_CUE.pack(*point) for point in _points(cue)]
    for body in (chunk.body for chunk in chunks if _is_marker(chunk) and chunk.name == b"LIST"):
        texts.append(body[4:] + b"\0" * (len(body) % 2))
    used = {_CUE.unpack(point)[0] for point in points}
    used |= {struct.unpack_from("<I", body)[0] for text in texts for _, body in _parts(text) if len(body) >= 4}
    numbers = (number for number in count(1) if number not in used)
    new = [marker for marker in markers if marker not in present and marker.start + marker.length <= _LARGEST]
    if not new:
        return tuple(chunks)
    for marker, number in zip(new, numbers, strict=False):
        text = marker.text.encode("utf-8") + b"\0"
        points.append(_CUE.pack(number, marker.start, b"data", 0, 0, marker.start))
        texts.append(Chunk(b"labl", struct.pack("<I", number) + text).as_bytes)
        if marker.length:
            region = struct.pack("<II4sHHHH", number, marker.length, b"rgn ", 0, 0, 0, 0)
            texts.append(Chunk(b"ltxt", region + text).as_bytes)
    rest = [chunk for chunk in chunks if not _is_marker(chunk)]
    joined = Chunk(b"cue ", struct.pack("<I", len(points)) + b"".join(points))
    return (*rest, joined, Chunk(b"LIST", b"adtl" + b"".join(texts)))


def markers_in(chunks: Sequence[Chunk]) -> list[Marker]:
    """The cue points of a file with their texts and lengths."""
    names: dict[int, str] = {}
    lengths: dict[int, int] = {}
    for chunk in chunks:
        if chunk.name == b"LIST" and chunk.body[:4] == b"adtl":
            for name, body in _parts(chunk.body[4:]):
                if name == b"labl" and len(body) >= 4:
                    names[struct.unpack_from("<I", body)[0]] = body[4:].split(b"\0")[0].decode("utf-8", "replace")
                elif name == b"ltxt" and len(body) >= 20:
                    number, length = struct.unpack_from("<II", body)
                    lengths[number] = length
    points = [point for chunk in chunks if chunk.name == b"cue " for point in _points(chunk.body)]
    return [Marker(point[5], lengths.get(point[0], 0), names.get(point[0], "")) for point in points]


def _is_marker(chunk: Chunk) -> bool:
    return chunk.name == b"cue " or (chunk.name == b"LIST" and chunk.body[:4] == b"adtl")


def _points(body: bytes) -> list[tuple[int, int, bytes, int, int, int]]:
    """The cue points of a chunk, as many as there really are."""
    return list(_CUE.iter_unpack(body[4 : 4 + (len(body) - 4) // _CUE.size * _CUE.size])) if len(body) >= 4 else []


def _parts(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position + 8 <= len(body):
        name, length = struct.unpack_from("<4sI", body, position)
        yield name, body[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _smpl_moved(body: bytes, start: int, frames: int) -> bytes:
    count, extra = struct.unpack_from("<II", body, 28)
    loops = [_LOOP.unpack_from(body, 36 + at * _LOOP.size) for at in range(min(count, (len(body) - 36) // _LOOP.size))]
    kept = [
        _LOOP.pack(number, kind, first - start, last - start, fraction, times)
        for number, kind, first, last, fraction, times in loops
        if start <= first <= last < start + frames
    ]
    tail = body[36 + count * _LOOP.size :]
    return body[:28] + struct.pack("<II", len(kept), extra if tail else 0) + b"".join(kept) + tail


def _ixml_moved(body: bytes, start: int) -> bytes:
    """IXML says the same time as `bext`, in halves of 32 bits."""
    for high_name, low_name in _IXML_TIMES:
        halves = [re.search(rb"(<" + name + rb">\s*)(\d{1,10})(\s*</)", body) for name in (high_name, low_name)]
        if halves[0] is None or halves[1] is None:
            continue
        time = (int(halves[0][2]) << 32) + int(halves[1][2]) + start
        for match, value in sorted(
            zip(halves, (time >> 32, time & _LARGEST), strict=True), key=lambda pair: -_at(pair[0])
        ):
            assert match is not None
            body = body[: match.start(2)] + str(value).encode("ascii") + body[match.end(2) :]
    return body


def _at(match: "re.Match[bytes] | None") -> int:
    return match.start(2) if match else 0
