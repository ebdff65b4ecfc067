"""YAMNet in ONNX Runtime against the published TFLite file."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from recomposer_studio.tagging.front_end import FRAME, HOP, PATCH_SAMPLES, RATE_HZ, log_mel
from recomposer_studio.tagging.tflite import FULLY_CONNECTED, read_layers
from recomposer_studio.tagging.yamnet import Yamnet
from recomposer_studio.tagging.yamnet_eight_bit import eight_bit_is_exact, eight_bit_onnx_bytes
from recomposer_studio.tagging.yamnet_files import read_weights
from recomposer_studio.tagging.yamnet_graph import onnx_bytes
from tests.tagging.tiny_yamnet import CLASS_NAMES

COUNT = 120


@pytest.fixture(scope="module")
def patches_of_test_files(shared: Path) -> np.ndarray:
    """(120, 15600): the beginnings of events and backgrounds of the test split."""
    with (shared / "data" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    out = np.zeros((COUNT, PATCH_SAMPLES), np.float32)
    for patch, index in zip(out, np.random.default_rng(0).permutation(len(rows)), strict=False):
        sound, rate_hz = soundfile.read(shared / "data" / rows[index]["path"], frames=64_000, dtype="float32")
        sound = soxr.resample(sound, rate_hz, RATE_HZ)[:PATCH_SAMPLES]
        patch[: len(sound)] = sound
    return out


@pytest.fixture(scope="module")
def published(shared: Path, patches_of_test_files: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the TFLite file makes of the patches: scores (120, 521) and its own log-mel (120, 96, 64)."""
    runtime = pytest.importorskip("ai_edge_litert.interpreter")
    model = (shared / "models" / "yamnet.tflite").read_bytes()
    interpreter = runtime.Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    outputs = {tuple(o["shape"]): o["index"] for o in interpreter.get_output_details()}
    scores, frames = [], []
    for patch in patches_of_test_files:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], patch[None])
        interpreter.invoke()
        scores.append(interpreter.get_tensor(outputs[1, 521])[0])
        frames.append(interpreter.get_tensor(outputs[96, 64]))
    return np.array(scores), np.array(frames)


@pytest.fixture(scope="module", params=[onnx_bytes, eight_bit_onnx_bytes], ids=["float32", "8 bits"])
def yamnet(shared: Path, request: pytest.FixtureRequest) -> Yamnet:
    if request.param is eight_bit_onnx_bytes and not eight_bit_is_exact():
        pytest.skip("this processor cuts sums of 8-bit products off")
    return Yamnet(request.param(read_weights(shared / "models" / "yamnet.tflite"), {}), "cpu", 1)


def test_the_network_is_the_published_one(yamnet: Yamnet, published: tuple[np.ndarray, np.ndarray]):
    """On the same log-mel the two networks agree; what is left is the rounding of TFLite's quantised products."""
    scores, frames = published
    own = yamnet.tag(frames).scores
    assert np.abs(own - scores).mean() <= 0.001
    assert (own.argmax(axis=1) == scores.argmax(axis=1)).mean() >= 0.95


def test_front_end_and_network_together_stay_close(
    yamnet: Yamnet, patches_of_test_files: np.ndarray, published: tuple[np.ndarray, np.ndarray]
):
    """From samples on, the exact front end meets TFLite's, which works in 8 bits: the next test shows that it is this."""
    scores, _ = published
    own = yamnet.tag(np.stack([log_mel(patch) for patch in patches_of_test_files])).scores
    assert np.abs(own - scores).mean() <= 0.02
    assert (own.argmax(axis=1) == scores.argmax(axis=1)).mean() >= 0.8
    best_three = np.argsort(-scores, axis=1)[:, :3]
    assert np.mean([top in three for top, three in zip(own.argmax(axis=1), best_three, strict=True)]) >= 0.9


def test_the_front_ends_differ_by_tflites_rounding_alone(
    shared: Path, patches_of_test_files: np.ndarray, published: tuple[np.ndarray, np.ndarray]
):
    """With its transform's 8-bit weights and 8-bit inputs put in, our front end gives TFLite's log-mel."""
    layers = read_layers((shared / "models" / "yamnet.tflite").read_bytes())
    cosine, sine, mel = (
        layer.weights for layer in layers if layer.operator == FULLY_CONNECTED and len(layer.weights) < 300
    )

    def rounded(x: np.ndarray) -> np.ndarray:
        low, high = np.minimum(x.min(1, keepdims=True), 0), np.maximum(x.max(1, keepdims=True), 0)
        step = np.where(high > low, (high - low) / 255, 1)
        zero = np.round(-low / step)
        return (np.clip(np.round(x / step) + zero, 0, 255) - zero) * step

    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    for patch, wanted in zip(patches_of_test_files[:20], published[1], strict=False):
        frames = np.lib.stride_tricks.sliding_window_view(patch, FRAME)[::HOP] * window
        padded = rounded(np.pad(frames, ((0, 0), (56, 56))))
        magnitude = np.hypot(padded @ cosine.T, padded @ sine.T)
        assert np.abs(np.log(rounded(magnitude) @ mel.T + 0.001) - wanted).mean() < 1e-3


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("Silence", np.zeros(3 * RATE_HZ)),
        ("White noise", np.random.default_rng(51773).uniform(-1, 1, 3 * RATE_HZ)),
        ("Sine wave", np.sin(2 * np.pi * 440 * np.arange(3 * RATE_HZ) / RATE_HZ)),
    ],
)
def test_the_published_checks(yamnet: Yamnet, name: str, sound: np.ndarray):
    patch = log_mel(sound[:PATCH_SAMPLES].astype(np.float32))[None]
    best = np.argsort(-yamnet.tag(patch).scores[0])[:10]
    assert name in [CLASS_NAMES[i] for i in best]
