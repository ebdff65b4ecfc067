"""The frames of an MP3 file, counted without decoding.

An MP3 has no header that tells its length. Most encoders put a Xing/Info frame in front that does; without it
libsndfile guesses from the first bit rate, and stops in the middle of a file with variable bit rate.

Layout of the frame header: ISO/IEC 11172-3 and 13818-3. The Xing/Info frame has only its de-facto description: flags,
then the number of frames (flag 1) and of bytes (flag 2).
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KBITS = {
    (True, 3): tuple(range(32, 449, 32)),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates by (MPEG-1?, layer bits): 3 is layer I, 2 is II, 1 is III."""


@dataclass(frozen=True)
class MpegLength:
    """What an MP3 file promises and what it holds.

    Attributes:
        has_index: whether a Xing/Info frame tells the length.
        is_cut: whether that frame promises more than the file holds.
        samples: number of samples (of each channel) in the whole MPEG frames that the file holds.
    """

    has_index: bool
    is_cut: bool
    samples: int


def measure(path: Path) -> MpegLength | None:
    """Walk the MPEG frames of a file.

    Returns:
        The length, or None where no MPEG frame with a stated bit rate is found.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        first = _skip_tags(data)
        kind = _frame(data, first)
        if kind is None:
            return None
        _, frame_samples, stream = kind
        promised_frames, promised_bytes = _index(data, first)
        count, position = 0, first
        while position + 4 <= len(data):
            here = _frame(data, position)
            if here is None or here[2] != stream:
                position = _resynchronise(data, position + 1, stream)
                continue
            position += here[0]
            count += position <= len(data)
        has_index = promised_frames is not None or promised_bytes is not None
        is_cut = (promised_bytes or 0) > len(data) - first or (promised_frames or 0) > count
        return MpegLength(has_index, is_cut, count * frame_samples)


def _skip_tags(data: mmap.mmap) -> int:
    position = 0
    while data[position : position + 3] == b"ID3" and len(data) >= position + 10:
        flags, a, b, c, d = data[position + 5 : position + 10]
        position += 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if flags & 0x10 else 0)
    return position


def _frame(data: mmap.mmap, position: int) -> tuple[int, int, int] | None:
    """(bytes, samples, bits that are the same in a whole stream) of the frame at `position`, None if there is none."""
    head = data[position : position + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 0 or bit_rate in (0, 15) or rate == 3:
        return None
    bits_per_s = 1_000 * _KBITS[version == 3, layer][bit_rate - 1]
    rate_hz = _RATES_HZ[version][rate]
    stream = (head[1] & 0x1E) << 8 | head[2] & 0x0C
    if layer == 3:
        return (12 * bits_per_s // rate_hz + padding) * 4, 384, stream
    samples = 576 if layer == 1 and version != 3 else 1_152
    return samples // 8 * bits_per_s // rate_hz + padding, samples, stream


def _resynchronise(data: mmap.mmap, position: int, stream: int) -> int:
    """The next place where two frames of the stream follow each other, or the end of the file."""
    while (position := data.find(b"\xff", position)) >= 0:
        here = _frame(data, position)
        if here is not None and here[2] == stream:
            follower = _frame(data, position + here[0])
            if follower is not None and follower[2] == stream:
                return position
        position += 1
    return len(data)


def _index(data: mmap.mmap, first: int) -> tuple[int | None, int | None]:
    """The numbers of frames and of bytes from the Xing/Info frame."""
    for offset in (13, 21, 36):  # header + side information of MPEG-2 mono, MPEG-2 stereo or MPEG-1 mono, MPEG-1 stereo
        at = first + offset
        if data[at : at + 4] in (b"Xing", b"Info") and len(data) >= at + 16:
            flags, one, two = struct.unpack(">III", data[at + 4 : at + 16])
            frames = one if flags & 1 else None
            size = (two if flags & 1 else one) if flags & 2 else None
            return frames, size
    return None, None
