"""A waveform codec of random weights with placed codes: what it does is tested apart from how well it does it."""

from functools import cache

import torch

from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.waveform import WaveformCodec
from recomposer_studio.codec.waveform_network import WaveformConfig, WaveformNetwork
from tests.codec.tiny_codec import burst

RATE_HZ = 32_000
TINY_WAVEFORM = WaveformConfig(
    levels=3,
    codebook_size=16,
    code=4,
    latent=12,
    width=16,
    deep=20,
    encoder_blocks=1,
    encoder_deep_blocks=1,
    decoder_deep_blocks=1,
    decoder_blocks=1,
    expansion=1,
    kernel=3,
)


@cache
def tiny_waveform() -> WaveformCodec:
    """The codec, untrained, its output loud enough to be compared."""
    torch.manual_seed(0)
    network = WaveformNetwork(TINY_WAVEFORM)
    with one_thread():
        waves = torch.stack([torch.from_numpy(burst(seed)) for seed in range(12)])
        network.quantiser.place(network.analyse(waves).transpose(1, 2).flatten(0, 1), seed=0)
    return WaveformCodec(network)
