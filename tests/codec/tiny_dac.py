"""A DAC of random weights as its authors would publish one, odd strides and all."""

from pathlib import Path

import pytest
import torch

DAC_HOP = 30
DAC_VECTOR = 32


def write_dac(folder: Path) -> Path:
    """Writes a tiny DAC with the library's own means; skips the test where the library is missing.

    Returns:
        The folder.
    """
    transformers = pytest.importorskip("transformers", reason="the extra 'codecs' is not installed")
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    config = transformers.DacConfig(
        encoder_hidden_size=4,
        decoder_hidden_size=16,
        downsampling_ratios=[2, 3, 5],
        n_codebooks=3,
        codebook_size=16,
        codebook_dim=4,
        sampling_rate=24_000,
    )
    network = transformers.DacModel(config)
    with torch.no_grad():
        for quantizer in network.quantizer.quantizers:
            quantizer.codebook.weight.normal_()
            quantizer.out_proj.weight.normal_(std=0.3)
            quantizer.out_proj.bias.normal_(std=0.3)
    network.save_pretrained(folder)
    return folder
