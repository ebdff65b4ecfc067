"""The gates of a codec: what passes and what does not."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recomposer_studio.training.codec_gates import Gates, measure_gates
from tests.codec.tiny_codec import burst, tiny_codec
from tests.codec.tiny_waveform import tiny_waveform

_GOOD = Gates(np.array([0.95, 0.97]), 4000, np.array([1.0, 0.8]), 0.9, {"silence": 0.0, "click": 0.8})


def _verdicts(gates: Gates) -> list[bool]:
    return [line.endswith(": met") for line in gates.lines()]


def test_a_good_codec_meets_every_gate() -> None:
    assert _verdicts(_GOOD) == [True] * 4
    assert "0.950 0.970" in _GOOD.lines()[0]
    assert "silence -120 dB, click -2 dB" in _GOOD.lines()[3]


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"entropy": np.array([0.95, 0.85])}, 0),
        ({"distortion": np.array([1.0, 1.0])}, 1),
        ({"agreement": 0.8}, 2),
        ({"odd": {"silence": float("nan")}}, 3),
        ({"odd": {"click": 100.0}}, 3),
    ],
)
def test_every_gate_can_be_missed(change: dict[str, object], gate: int) -> None:
    gates = Gates(**{**_GOOD.__dict__, **change})
    assert _verdicts(gates) == [number != gate for number in range(4)]


def test_both_codecs_are_measured() -> None:
    sounds = [burst(seed) for seed in range(20, 26)]
    mel = measure_gates(tiny_codec(), sounds, decoded=3)
    # Codebooks by k-means lower the distortion with every level by construction.
    assert np.all(np.diff(mel.distortion) < 0)
    assert mel.frames == 6 * 20
    assert mel.agreement > 0.5
    untrained = measure_gates(tiny_waveform(), sounds, decoded=2)
    assert untrained.distortion.shape == (3,)
    assert untrained.distortion[-1] > mel.distortion[-1]


class _Broken:
    """Decodes to something that is not finite."""

    rate_hz, hop, levels = 32_000, 640, 1
    codebooks = torch.zeros(1, 2, 1)
    silence = np.zeros(1, np.int64)

    def encode(self, wave: NDArray[np.floating]) -> NDArray[np.int64]:
        return np.zeros((1, -(-len(wave) // 640)), np.int64)

    def decode(self, tokens: NDArray[np.integer], seed: int = 0) -> NDArray[np.float32]:
        return np.full(tokens.shape[1] * 640, np.nan, np.float32)


def test_what_is_not_finite_is_seen() -> None:
    with np.errstate(invalid="ignore"):
        assert not _verdicts(measure_gates(_Broken(), [burst(0)]))[3]
