"""Frames come through as they were; whatever else comes is refused before memory is taken."""

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from numpy.typing import NDArray

from recomposer_studio.worker import frames
from recomposer_studio.worker.frames import Frame, FrameError

_ARRAYS = st.sampled_from([np.float64, np.float32, np.bool_]).flatmap(
    lambda dtype: arrays_of.arrays(dtype, arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
)
_HEADERS = st.dictionaries(
    st.text().filter(lambda key: key != "arrays"),
    st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
)


class _Trickle(io.RawIOBase):
    """A pipe that hands out and takes a few bytes at a time."""

    def __init__(self, data: bytes = b"", piece: int = 7) -> None:
        self.data, self.piece, self.place = bytearray(data), piece, 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self.data[self.place : self.place + min(self.piece, len(buffer))]
        buffer[: len(piece)] = piece
        self.place += len(piece)
        return len(piece)

    def write(self, data: memoryview) -> int:  # type: ignore[override]
        piece = bytes(data[: self.piece])
        self.data += piece
        return len(piece)


def _bytes(frame: Frame) -> bytes:
    return b"".join(frames.pack(frame))


def _raw(header: object, payload: bytes = b"", mark: bytes = frames.MARK) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<4sI", mark, len(text)) + text + payload


@given(_HEADERS, st.lists(_ARRAYS, max_size=3), st.integers(1, 40))
def test_frames_come_through_bit_by_bit(
    header: dict[str, object], arrays: list[NDArray[np.generic]], piece: int
) -> None:
    pipe = _Trickle(piece=piece)
    for _ in range(2):
        frames.write(pipe, frames.pack(Frame(header, tuple(arrays))))
    for _ in range(2):
        got = frames.read(pipe)
        assert got is not None and got.header == header
        assert [(a.dtype, a.shape, a.tobytes()) for a in got.arrays] == [
            (a.dtype, a.shape, a.tobytes()) for a in arrays
        ]
    assert frames.read(pipe) is None


def test_the_order_in_memory_comes_through() -> None:
    there = np.arange(12.0).reshape(3, 4)
    for array in (there, there.T, there[:, ::2]):
        got = frames.read(_Trickle(_bytes(Frame({}, (array,)))))
        assert got is not None
        np.testing.assert_array_equal(got.arrays[0], array)
        same_order = got.arrays[0].flags.f_contiguous == (array.flags.f_contiguous and array.ndim > 1)
        assert same_order and got.arrays[0].flags.writeable


def test_big_endian_numbers_are_turned() -> None:
    array = np.arange(3.0).astype(">f8")
    assert _bytes(Frame({}, (array,))) == _bytes(Frame({}, (np.arange(3.0),)))


@given(st.data())
def test_a_pipe_that_ends_inside_a_frame_is_seen(data: st.DataObject) -> None:
    whole = _bytes(Frame({"kind": "x"}, (np.ones(3),)))
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(FrameError, match="inside a frame"):
        frames.read(_Trickle(whole[:cut]))


@given(st.binary(min_size=8, max_size=200))
def test_garbage_is_a_frame_error(data: bytes) -> None:
    for text in (data, frames.MARK + data, frames.MARK + struct.pack("<I", len(data)) + data):
        with pytest.raises(FrameError):
            frames.read(_Trickle(text))


@pytest.mark.parametrize(
    "header",
    [
        [],
        "text",
        {},
        {"arrays": 3},
        {"arrays": [["f8", "C"]]},
        {"arrays": [["O8", "C", [1]]]},
        {"arrays": [["f8", "K", [1]]]},
        {"arrays": [["f8", "C", [-1]]]},
        {"arrays": [["f8", "C", [True]]]},
        {"arrays": [["f8", "C", [1.0]]]},
        {"arrays": [["f8", "C", [1, 1, 1, 1, 1]]]},
        {"arrays": [["f8", "C", [2**40]]]},
        {"arrays": [["f8", "C", [2**62, 2**62, 4]]]},
        {"arrays": [["f4", "C", [2**27]], ["f4", "C", [2**28]]]},
        {"arrays": [[[], "C", [1]]]},
    ],
    ids=repr,
)
def test_a_header_that_promises_nonsense_is_refused(header: object) -> None:
    with pytest.raises(FrameError):
        frames.read(_Trickle(_raw(header, bytes(64)), piece=1000))


def test_a_long_header_is_refused_before_it_is_read() -> None:
    pipe = _Trickle(struct.pack("<4sI", frames.MARK, frames.MAX_HEADER_BYTES + 1) + b" " * 100, piece=1000)
    with pytest.raises(FrameError, match="no frame starts"):
        frames.read(pipe)
    assert pipe.place == 8


def test_a_deep_header_is_refused() -> None:
    text = b"[" * 100_000
    with pytest.raises(FrameError, match="damaged"):
        frames.read(_Trickle(struct.pack("<4sI", frames.MARK, len(text)) + text, piece=100_000))


def test_bools_are_zero_or_one() -> None:
    header = {"arrays": [["b1", "C", [2]]]}
    assert frames.read(_Trickle(_raw(header, b"\x00\x01"))) is not None
    with pytest.raises(FrameError, match="0 and 1"):
        frames.read(_Trickle(_raw(header, b"\x00\x02")))


def test_frames_that_a_reader_refuses_are_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_ARRAY_BYTES", 64)
    monkeypatch.setattr(frames, "MAX_HEADER_BYTES", 200)
    frames.pack(Frame({}, (np.ones(8),)))
    with pytest.raises(FrameError, match="arrays are too large"):
        frames.pack(Frame({}, (np.ones(9),)))
    with pytest.raises(FrameError, match="header is too large"):
        frames.pack(Frame({"text": "x" * 200}))
