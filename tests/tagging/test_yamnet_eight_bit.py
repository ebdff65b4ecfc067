"""The network with 8-bit products: near the one in float32, and every patch for itself."""

import numpy as np
import onnx
import pytest

from recomposer_studio.tagging import yamnet_eight_bit
from recomposer_studio.tagging.front_end import patches
from recomposer_studio.tagging.runtime import open_session
from recomposer_studio.tagging.yamnet import Yamnet
from recomposer_studio.tagging.yamnet_eight_bit import eight_bit_is_exact, eight_bit_onnx_bytes
from recomposer_studio.tagging.yamnet_graph import fold, onnx_bytes
from tests.tagging.tiny_yamnet import random_yamnet_variables

exact_alone = pytest.mark.skipif(not eight_bit_is_exact(), reason="this processor cuts sums of 8-bit products off")


@pytest.fixture(scope="module")
def eight_bit() -> Yamnet:
    return Yamnet(eight_bit_onnx_bytes(fold(random_yamnet_variables()), {"source": "somewhere"}), "cpu", 1)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """Ten seconds of log-mel that change all the time."""
    rng = np.random.default_rng(3)
    slow = np.repeat(rng.normal(-3.0, 1.5, (125, 64)), 8, axis=0)
    return (slow + rng.normal(0.0, 0.5, slow.shape)).astype(np.float32)


@exact_alone
@pytest.mark.parametrize("hop", [10, 48])
def test_it_is_near_the_one_in_float32(eight_bit: Yamnet, frames: np.ndarray, hop: int):
    cut = patches(frames, hop)
    exact = Yamnet(onnx_bytes(fold(random_yamnet_variables()), {}), "cpu", 1).tag(cut)
    tags = eight_bit.tag(cut)
    size = np.abs(exact.embeddings).mean(axis=1)
    assert (np.abs(tags.embeddings - exact.embeddings).mean(axis=1) < 0.05 * size).all()
    assert np.abs(tags.scores - exact.scores).mean() < 0.01


@exact_alone
def test_every_row_of_a_patch_is_where_it_belongs(frames: np.ndarray):
    """After layer 4, in which the patches of a run come apart and only one product has been rounded."""
    weights, starts = fold(random_yamnet_variables()), np.array([0, 10, 20, 50, 150, 904])
    alone = np.stack([frames[start : start + 96] for start in starts])[:, None]
    wanted = value_of(onnx_bytes(weights, {}), "layer4/pointwise_conv/relu", {"log_mel": alone})
    run = {"frames": frames, "starts": starts}
    found = value_of(eight_bit_onnx_bytes(weights, {}), "patches/channels_first", run)
    assert found.shape == wanted.shape == (6, 128, 24, 16)
    assert np.abs(found - wanted).max() < 0.02 * wanted.max() < 0.1 * np.abs(wanted - np.roll(wanted, 1, axis=2)).max()


def value_of(model: bytes, name: str, given: dict[str, np.ndarray]) -> np.ndarray:
    """A value within a network."""
    opened = onnx.load_from_string(model)
    opened.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = open_session(opened.SerializeToString(), "YAMNet", "", "cpu", 1)
    return np.asarray(session.run([name], given)[0])


@pytest.mark.parametrize("hop", [10, 20, 7, 96])
def test_what_patches_share_changes_nothing(eight_bit: Yamnet, frames: np.ndarray, hop: int):
    cut = patches(frames, hop)[:40]
    together = eight_bit.tag(cut)
    alone = [eight_bit.tag(patch[None]) for patch in cut[::5]]
    # All but equal: a sum whose last bit depends on the company may now and then round to another step.
    assert np.abs(together.scores[::5] - np.concatenate([tags.scores for tags in alone])).mean() < 1e-5
    assert np.abs(together.embeddings[::5] - np.concatenate([tags.embeddings for tags in alone])).mean() < 1e-5


def test_patches_may_be_picked_in_any_order(eight_bit: Yamnet, frames: np.ndarray):
    cut = patches(frames, 10)
    picked = np.array([0, 1, 2, 7, 8, 8, 50, 3, 4, 51])
    assert np.abs(eight_bit.tag(cut[picked]).scores - eight_bit.tag(cut).scores[picked]).mean() < 1e-5
    assert eight_bit.tag(cut[:0]).scores.shape == (0, 521)


def test_points_of_silence_do_no_harm(eight_bit: Yamnet):
    """Where every activation is zero, there is no largest one to count in steps of."""
    tags = eight_bit.tag(np.full((2, 96, 64), np.log(0.001), np.float32))
    assert np.isfinite(tags.scores).all() and np.isfinite(tags.embeddings).all()
    dead = fold({name: np.minimum(v, 0) if name.endswith("kernel") else v for name, v in dead_variables().items()})
    tags = Yamnet(eight_bit_onnx_bytes(dead, {}), "cpu", 1).tag(np.ones((1, 96, 64), np.float32))
    assert np.isfinite(tags.scores).all()


def dead_variables() -> dict[str, np.ndarray]:
    """Variables whose batch norms pull everything below zero, so that after each ReLU there is nothing left."""
    variables = random_yamnet_variables()
    return {name: v - 100.0 if name.endswith("beta") else v for name, v in variables.items()}


def test_the_file_is_valid_and_tells_where_it_came_from():
    model = onnx.load_from_string(eight_bit_onnx_bytes(fold(random_yamnet_variables()), {"source": "somewhere"}))
    onnx.checker.check_model(model)
    assert {entry.key: entry.value for entry in model.metadata_props} == {"source": "somewhere"}
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    assert stored["layer14/pointwise_conv/numbers"].data_type == onnx.TensorProto.INT8
    assert stored["layer2/pointwise_conv/kernel"].data_type == onnx.TensorProto.FLOAT


def test_weights_that_were_stored_in_8_bits_keep_their_numbers():
    numbers = np.random.default_rng(5).integers(-127, 128, (64, 32))
    numbers[3] = 0
    steps = np.random.default_rng(6).uniform(0.001, 0.1, 64).astype(np.float32)
    kernel = (numbers * steps[:, None]).astype(np.float32)
    found, found_steps = yamnet_eight_bit._whole(kernel, steps)
    np.testing.assert_array_equal(found, numbers)
    np.testing.assert_array_equal(found_steps, steps)
    # Steps that do not fit, as from a damaged file, are not believed; without any, each output has its own.
    for given in (steps * np.float32(0.01), np.full(64, np.nan, np.float32), np.zeros(64, np.float32), None):
        found, found_steps = yamnet_eight_bit._whole(kernel, given)
        assert np.abs(found * found_steps[:, None] - kernel).max() <= 0.51 * np.abs(kernel).max() / 127


@pytest.mark.parametrize(("lost", "exact"), [(0, True), (1, False)])
def test_a_processor_that_cuts_sums_off_is_found_out(monkeypatch: pytest.MonkeyPatch, lost: int, exact: bool):
    class Processor:
        def run(self, names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
            x = given["x"].astype(np.int32)
            return [(x @ np.full((x.shape[1], 32), 127)) - lost]

    monkeypatch.setattr(yamnet_eight_bit, "open_session", lambda *_: Processor())
    assert eight_bit_is_exact() is exact
