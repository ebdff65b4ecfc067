"""Frames on a pipe: a mark, the length of a JSON header, the header, then the raw arrays that it lists.

Arrays travel as little-endian float64, float32 or bool. Nothing in a frame can run code, and every size is checked before memory is taken.
"""

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import RawIOBase
from typing import Any

import numpy as np
from numpy.typing import NDArray

MARK = b"RcF1"
MAX_HEADER_BYTES = 16 * 2**20
"""Room for some thousands of events."""
MAX_ARRAY_BYTES = 2**30
"""All arrays of a frame together; a window of two hours."""
MAX_DIMENSIONS = 4

_PREFIX = struct.Struct("<4sI")
_TYPES: dict[str, np.dtype[Any]] = {"f8": np.dtype("<f8"), "f4": np.dtype("<f4"), "b1": np.dtype("|b1")}


class FrameError(Exception):
    """The bytes are no frame, or a frame would be too large."""


@dataclass(frozen=True)
class Frame:
    """One message.

    Attributes:
        header: plain values; the key `arrays` is taken.
        arrays: float64, float32 or bool.
    """

    header: dict[str, Any]
    arrays: tuple[NDArray[Any], ...] = ()


def pack(frame: Frame) -> list[memoryview]:
    """A frame as buffers to write one after another; contiguous arrays are not copied.

    Raises:
        FrameError: it is larger than a reader accepts.
    """
    listed, buffers = [], []
    for array in frame.arrays:
        name = f"{array.dtype.kind}{array.dtype.itemsize}"
        # The order in memory travels along: it decides the order of sums over the array, and with it their last bits.
        order: Any = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
        flat = array.astype(_TYPES[name], copy=False).ravel(order=order)
        listed.append([name, order, list(array.shape)])
        buffers.append(flat.view(np.uint8).data)
    if sum(buffer.nbytes for buffer in buffers) > MAX_ARRAY_BYTES:
        raise FrameError("the arrays are too large for a frame")
    header = json.dumps({**frame.header, "arrays": listed}, allow_nan=False).encode("ascii")
    if len(header) > MAX_HEADER_BYTES:
        raise FrameError("the header is too large for a frame")
    return [memoryview(_PREFIX.pack(MARK, len(header)) + header), *buffers]


def write(stream: RawIOBase, buffers: list[memoryview]) -> None:
    """Writes packed buffers to an unbuffered pipe.

    Raises:
        OSError: nobody reads any more.
    """
    for buffer in buffers:
        rest = buffer
        while rest.nbytes:
            rest = rest[stream.write(rest) :]


def read(stream: RawIOBase) -> Frame | None:
    """The next frame of an unbuffered pipe, or None at its end.

    Raises:
        FrameError: the bytes are no frame, or the pipe ends inside one.
    """
    prefix = bytearray(_PREFIX.size)
    got = _fill(stream, memoryview(prefix))
    if got == 0:
        return None
    if got < len(prefix):
        raise FrameError("the pipe ended inside a frame")
    mark, length = _PREFIX.unpack(prefix)
    if mark != MARK or length > MAX_HEADER_BYTES:
        raise FrameError(f"no frame starts with the bytes {bytes(prefix)!r}")
    text = bytearray(length)
    _fill_all(stream, memoryview(text))
    try:
        header = json.loads(text)
        layouts = list(_layouts(header.pop("arrays")))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FrameError(f"a frame's header is damaged ({error!r})") from error
    if sum(dtype.itemsize * math.prod(shape) for dtype, _, shape in layouts) > MAX_ARRAY_BYTES:
        raise FrameError("a frame announces arrays that are too large")
    return Frame(header, tuple(_read_array(stream, *layout) for layout in layouts))


def _layouts(listed: list[Any]) -> Iterator[tuple[np.dtype[Any], Any, tuple[int, ...]]]:
    for name, order, shape in listed:
        if order not in ("C", "F") or len(shape) > MAX_DIMENSIONS:
            raise ValueError("unknown layout")
        if any(type(length) is not int or length < 0 for length in shape):
            raise ValueError("a shape holds positive integers")
        yield _TYPES[name], order, tuple(shape)


def _read_array(stream: RawIOBase, dtype: np.dtype[Any], order: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    flat = np.empty(math.prod(shape), dtype)
    raw = flat.view(np.uint8)
    _fill_all(stream, raw.data)
    # Any other byte in a bool array breaks numpy's own assumptions.
    if dtype.kind == "b" and raw.max(initial=0) > 1:
        raise FrameError("a frame's bool array holds other bytes than 0 and 1")
    return flat.reshape(shape, order=order)


def _fill_all(stream: RawIOBase, buffer: memoryview) -> None:
    if _fill(stream, buffer) < buffer.nbytes:
        raise FrameError("the pipe ended inside a frame")


def _fill(stream: RawIOBase, buffer: memoryview) -> int:
    """Reads until the buffer is full or the pipe ends; how many bytes came."""
    done = 0
    while done < buffer.nbytes and (got := stream.readinto(buffer[done:])):
        done += got
    return done
