"""A checkpoint of random weights, small enough for milliseconds: what the model path does is tested apart from how well it does it."""

from dataclasses import asdict, replace
from pathlib import Path

import torch

from recomposer_studio.codec.mel_rvq import MelRvqCodec, MelRvqConfig
from recomposer_studio.codec.vocoder import Vocoder, VocoderConfig
from recomposer_studio.model.checkpoint import write_facts, write_part
from recomposer_studio.model.decoder import SCENE_FEATURES, DecoderConfig, TokenDecoder
from recomposer_studio.model.encoder import EncoderConfig
from recomposer_studio.model.mask import MASK_FEATURES, MaskConfig, MaskNet
from recomposer_studio.model.transformer import TransformerConfig
from recomposer_studio.roll.event import Action

TINY_MASK = MaskConfig(EncoderConfig(features=MASK_FEATURES, width=16, kernel=3, dilations=(1, 2)))
_TINY_CODEC = MelRvqConfig(
    levels=2, codebook_size=8, passes=1, vocoder=VocoderConfig(width=16, blocks=1, expansion=1, kernel=3)
)
_TINY_STACK = TransformerConfig(width=16, layers=1, heads=2, expansion=1)
TINY_DECODER = DecoderConfig(
    levels=2,
    codebook_size=8,
    encoder=EncoderConfig(features=SCENE_FEATURES, width=16, kernel=3, dilations=(1,)),
    temporal=_TINY_STACK,
    depth=TransformerConfig(width=16, layers=1, heads=2, expansion=1, window=None, rotary=False),
    exemplar=True,
    mixture=True,
)
FIRST_DECODER = replace(TINY_DECODER, exemplar=False, mixture=False)
"""As in the first checkpoints."""


def random_mask(seed: int = 0, config: MaskConfig = TINY_MASK) -> MaskNet:
    """A mask head whose every weight is random, its last layer too: its corrections are far from zero."""
    torch.manual_seed(seed)
    net = MaskNet(config)
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_(std=0.3)
    return net.eval()


def write_tiny(
    folder: Path,
    parts: tuple[str, ...] = ("mask", "codec", "decoder"),
    seed: int = 0,
    decoder: DecoderConfig = TINY_DECODER,
) -> Path:
    """Writes a tiny checkpoint.

    Args:
        folder: the checkpoint's folder.
        parts: the parts it holds; `decoder` needs `codec`.
        seed: of the weights.
        decoder: the decoder's shapes.

    Returns:
        The folder.
    """
    if "mask" in parts:
        write_part(folder, "mask", asdict(TINY_MASK), random_mask(seed).state_dict())
    torch.manual_seed(seed + 1)
    codebooks = torch.randn(2, 8, 128)
    if "codec" in parts:
        codec = MelRvqCodec(
            _TINY_CODEC, torch.full((128,), -9.0), codebooks, Vocoder(_TINY_CODEC.vocoder, _TINY_CODEC.rate_hz)
        )
        write_part(folder, "codec", _TINY_CODEC.as_json(), codec.tensors())
    if "decoder" in parts:
        net = TokenDecoder(decoder, codebooks)
        if decoder.exemplar:
            # What begins at zero would be silent in tests.
            torch.nn.init.normal_(net.timbre[-1].weight)
        write_part(folder, "decoder", decoder.as_json(), net.state_dict())
    write_facts(folder, name="tiny", classes=["Bark", "Door"], better_than_repair=[Action.DELETE, Action.ENHANCE])
    return folder
