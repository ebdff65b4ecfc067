"""The comments of a FLAC file, `NAME=text` each: read from one and put into another, the sound untouched.

Layout after RFC 9639, section 8 (metadata blocks) and 8.6 (Vorbis comments).
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from recomposer_studio.audio.splice import splice

RECIPE = "RECOMPOSER_RECIPE"
"""The comment of our own: the recipe of a take as JSON."""

MAX_BLOCK = 2**24 - 1
_COMMENTS = 4
_VENDOR = b"Recomposer Studio"


def read_comments(path: Path) -> tuple[str, ...]:
    """The comments of a FLAC file in their order; none of a file that is no FLAC or is damaged.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        for kind, at, length in _blocks(file):
            if kind == _COMMENTS:
                file.seek(at + 4)
                return tuple(_comments(file.read(length)))
    return ()


def set_comments(path: Path, comments: Sequence[str]) -> None:
    """Gives a finished FLAC file these comments in place of its own; those that do not fit into a block stay out.

    Raises:
        OSError: the disk is full.
        ValueError: the file is no FLAC file.
    """
    body = struct.pack("<I", len(_VENDOR)) + _VENDOR
    texts: list[bytes] = []
    room = MAX_BLOCK - len(body) - 4
    for comment in comments:
        text = comment.encode("utf-8")
        if len(text) + 4 <= room:
            room -= len(text) + 4
            texts.append(struct.pack("<I", len(text)) + text)
    body += struct.pack("<I", len(texts)) + b"".join(texts)
    with path.open("r+b") as file:
        blocks = list(_blocks(file))
        if not blocks:
            raise ValueError(f"{path}: comments are put into a FLAC file")
        old = next((block for block in blocks if block[0] == _COMMENTS), None)
        # Without a block of comments the new one follows the stream's properties, which always come first.
        at, drop = (old[1], old[2] + 4) if old else (blocks[0][1] + 4 + blocks[0][2], 0)
        mark_at = blocks[0][1] if old is None and len(blocks) == 1 else None
        file.seek(at)
        last = bool(file.read(1)[0] & 0x80) if old else mark_at is not None
        splice(file, at, drop, bytes([_COMMENTS | (0x80 if last else 0)]) + struct.pack(">I", len(body))[1:] + body)
        if mark_at is not None:
            file.seek(mark_at)
            kind = file.read(1)[0]
            file.seek(mark_at)
            file.write(bytes([kind & 0x7F]))


def _blocks(file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """(kind, position of the header, length of the body) of every metadata block."""
    file.seek(0)
    if file.read(4) != b"fLaC":
        return
    position, last = 4, False
    while not last:
        file.seek(position)
        header = file.read(4)
        if len(header) < 4:
            return
        last, length = bool(header[0] & 0x80), int.from_bytes(header[1:], "big")
        yield header[0] & 0x7F, position, length
        position += 4 + length


def _comments(body: bytes) -> Iterator[str]:
    try:
        position = 4 + struct.unpack_from("<I", body)[0]
        (count,) = struct.unpack_from("<I", body, position)
        position += 4
        for _ in range(count):
            (length,) = struct.unpack_from("<I", body, position)
            text = body[position + 4 : position + 4 + length]
            if len(text) < length:
                return
            yield text.decode("utf-8", "replace")
            position += 4 + length
    except struct.error:
        return
