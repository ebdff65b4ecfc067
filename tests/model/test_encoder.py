"""The scene encoder: shapes, reach, and that nothing is normalised over time."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.model.encoder import EncoderConfig, FrameConvolution, SceneEncoder

_CONFIG = EncoderConfig(features=10, width=16, kernel=3, dilations=(1, 2, 4))


def _encoder(config: EncoderConfig = _CONFIG) -> SceneEncoder:
    torch.manual_seed(0)
    return SceneEncoder(config).eval()


def _encode(encoder: SceneEncoder, features: torch.Tensor, roll: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return encoder(features, roll)


@pytest.mark.parametrize("frames", [1, 7, 60])
def test_any_number_of_frames_keeps_its_length(frames: int) -> None:
    out = _encode(_encoder(), torch.randn(2, 10, frames), torch.randn(2, 16, frames))
    assert out.shape == (2, 16, frames)


def test_frame_convolution_equals_the_library() -> None:
    torch.manual_seed(0)
    own = FrameConvolution(6, 5, dilation=3)
    with torch.no_grad():
        own.bias.normal_()
    x = torch.randn(2, 40, 6)
    weight = own.weight.T[:, None, :]
    expected = torch.nn.functional.conv1d(x.transpose(1, 2), weight, own.bias, padding=6, dilation=3, groups=6)
    torch.testing.assert_close(own(x), expected.transpose(1, 2))


@settings(max_examples=20, deadline=None)
@given(at=st.integers(0, 79), stream=st.sampled_from(["features", "roll"]))
def test_a_change_reaches_as_far_as_promised_and_no_further(at: int, stream: str) -> None:
    torch.manual_seed(1)
    encoder = _encoder()
    inputs = {"features": torch.randn(1, 10, 80), "roll": torch.randn(1, 16, 80)}
    before = _encode(encoder, inputs["features"], inputs["roll"])
    inputs[stream] = inputs[stream].clone()
    inputs[stream][:, :, at] += 3.0
    changed = (_encode(encoder, inputs["features"], inputs["roll"]) != before).any(dim=1)[0].nonzero().flatten()
    assert int(changed.min()) >= at - _CONFIG.reach and int(changed.max()) <= at + _CONFIG.reach
    assert at in changed


def test_words_change_nothing_at_first_and_then_every_frame() -> None:
    torch.manual_seed(0)
    encoder, plain = SceneEncoder(_CONFIG, words=5).eval(), _encoder()
    encoder.load_state_dict(plain.state_dict(), strict=False)
    inputs = torch.randn(1, 10, 30), torch.randn(1, 16, 30)
    words = torch.randn(1, 5)
    with torch.inference_mode():
        assert torch.equal(encoder(*inputs, words), plain(*inputs))
        for name, value in encoder.named_parameters():
            if name.endswith("words.weight"):
                value.normal_()
        assert (encoder(*inputs, words) != plain(*inputs)).any(dim=1).all()


def test_reach_is_really_used() -> None:
    encoder = _encoder()
    assert _CONFIG.reach == 8
    features, roll = torch.randn(1, 10, 40), torch.randn(1, 16, 40)
    before = _encode(encoder, features, roll)
    features[:, :, 20] += 3.0
    changed = (_encode(encoder, features, roll) != before).any(dim=1)[0].nonzero().flatten().tolist()
    assert changed == list(range(12, 29))


def test_the_default_has_two_to_three_million_weights() -> None:
    weights = sum(p.numel() for p in SceneEncoder(EncoderConfig(features=258)).parameters())
    assert 2e6 < weights < 3e6
