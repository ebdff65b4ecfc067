"""Reads the weights out of a TFLite file: the few tables of its FlatBuffer that say which tensor feeds which layer.

Field numbers: the TFLite schema (`schema.fbs`, version 3). Nothing of TensorFlow is needed.
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CONV_2D, DEPTHWISE_CONV_2D, DEQUANTIZE, FULLY_CONNECTED = 3, 4, 6, 9
"""The operators that carry weights, by their number in the schema."""

_TYPES: dict[int, type[np.generic]] = {0: np.float32, 1: np.float16, 2: np.int32, 3: np.uint8, 9: np.int8}
_INT8 = 9


@dataclass(frozen=True)
class Layer:
    """One operator with constant weights.

    Attributes:
        operator: its number, one of those above.
        weights: as stored, dequantised to float32.
        bias: (channels,) float32, or None.
        steps: (channels,) float32, what the weights of each output are whole multiples of; None unless they are stored
            in 8 bits around zero, with one step for all or for each output.
    """

    operator: int
    weights: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    steps: NDArray[np.float32] | None


@dataclass(frozen=True)
class _Table:
    """A FlatBuffer table: `position` points at it in `data`; absent fields read as empty or 0."""

    data: bytes
    position: int

    def _at(self, number: int) -> int | None:
        table = self.position - self._int(self.position)
        size = struct.unpack_from("<H", self.data, table)[0]
        slot = 4 + 2 * number
        offset = struct.unpack_from("<H", self.data, table + slot)[0] if slot < size else 0
        return self.position + offset if offset else None

    def _int(self, at: int) -> int:
        return int(struct.unpack_from("<i", self.data, at)[0])

    def _vector(self, number: int) -> tuple[int, int]:
        """Where the vector's first entry lies, and the number of its entries."""
        at = self._at(number)
        if at is None:
            return 0, 0
        start = at + self._int(at)
        return start + 4, self._int(start)

    def number(self, number: int, form: str) -> int:
        at = self._at(number)
        return 0 if at is None else int(struct.unpack_from(f"<{form}", self.data, at)[0])

    def array(self, number: int, dtype: str) -> NDArray[np.generic]:
        start, count = self._vector(number)
        return np.frombuffer(self.data, np.dtype(dtype), count, start) if count else np.empty(0, np.dtype(dtype))

    def tables(self, number: int) -> list["_Table"]:
        start, count = self._vector(number)
        if count > len(self.data) // 4:
            raise ValueError("a vector is longer than the file")
        at = range(start, start + 4 * count, 4)
        return [_Table(self.data, position + self._int(position)) for position in at]

    def table(self, number: int) -> "_Table | None":
        at = self._at(number)
        return None if at is None else _Table(self.data, at + self._int(at))


def read_layers(data: bytes) -> list[Layer]:
    """The layers of a model that carry weights, in the order in which they are computed.

    Raises:
        ValueError: this is no TFLite model, it is damaged, or its weights are stored in an unknown way.
    """
    if data[4:8] != b"TFL3":
        raise ValueError("no TFLite file")
    try:
        return _layers(_Table(data, struct.unpack_from("<i", data)[0]))
    except (struct.error, IndexError, OverflowError) as error:
        raise ValueError("a damaged TFLite file") from error


def _layers(model: _Table) -> list[Layer]:
    # An operator's number grew from 8 to 32 bits; the larger of the two fields counts.
    codes = [max(code.number(0, "b"), code.number(3, "i")) for code in model.tables(1)]
    graph, buffers = model.tables(2)[0], model.tables(4)
    tensors = graph.tables(0)
    stored: dict[int, int] = {}  # the output of a Dequantize -> the tensor that it reads
    layers = []
    for operator in graph.tables(3):
        code = codes[operator.number(0, "I")]
        inputs = [int(i) for i in operator.array(1, "<i4")]
        if code == DEQUANTIZE:
            stored[int(operator.array(2, "<i4")[0])] = inputs[0]
        elif code in (CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED):
            _, weights, bias = (*inputs, -1)[:3]
            layers.append(
                Layer(
                    code,
                    _values(tensors[stored.get(weights, weights)], buffers),
                    None if bias < 0 else _values(tensors[bias], buffers),
                    _steps(tensors[stored.get(weights, weights)]),
                )
            )
    return layers


def _values(tensor: _Table, buffers: list[_Table]) -> NDArray[np.float32]:
    """A constant tensor as float32: (stored - zero point) * scale, along one axis or for all alike."""
    kind = tensor.number(1, "b")
    if kind not in _TYPES:
        raise ValueError(f"weights of type {kind}")
    shape = tuple(int(n) for n in tensor.array(0, "<i4"))
    raw = buffers[tensor.number(2, "I")].array(0, "u1")
    values = raw.view(_TYPES[kind]).reshape(shape).astype(np.float32)
    quantisation = tensor.table(4)
    scale = np.empty(0) if quantisation is None else quantisation.array(2, "<f4")
    if quantisation is None or not len(scale):
        return values
    zero = quantisation.array(3, "<i8") if len(quantisation.array(3, "<i8")) else np.zeros(1, np.int64)
    along = [1] * len(shape)
    along[quantisation.number(6, "i")] = -1
    if len(scale) == 1:
        along = [1] * len(shape)
    return (values - np.broadcast_to(zero, scale.shape).reshape(along).astype(np.float32)) * scale.reshape(
        along
    ).astype(np.float32)


def _steps(tensor: _Table) -> NDArray[np.float32] | None:
    """The steps of 8-bit weights around zero, by output, or None."""
    quantisation = tensor.table(4)
    if quantisation is None or tensor.number(1, "b") != _INT8:
        return None
    scale, outputs = quantisation.array(2, "<f4"), int(tensor.array(0, "<i4")[0])
    if scale.shape not in ((1,), (outputs,)) or quantisation.number(6, "i") or quantisation.array(3, "<i8").any():
        return None
    return np.array(np.broadcast_to(scale, outputs), np.float32)
