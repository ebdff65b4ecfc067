"""An untrained built-in tagger, small enough for tests."""

from pathlib import Path

import torch

from recomposer_studio.training.tagger_export import write_tagger
from recomposer_studio.training.tagger_network import TaggerConfig, TaggerNet
from tests.tagging.steps import EVENT_CLASSES

TINY = TaggerConfig(
    channels=(4, 4, 6, 6), width=8, hidden=8, dilations=(1, 2), classes=len(EVENT_CLASSES), teacher_width=12
)


def tiny_net() -> TaggerNet:
    """Random weights, also in the batch norms; the same every time."""
    torch.manual_seed(0)
    net = TaggerNet(TINY)
    for name, values in net.named_buffers():
        if name.endswith("running_mean"):
            values.uniform_(-0.3, 0.3)
        elif name.endswith("running_var"):
            values.uniform_(0.5, 2.0)
    return net.eval()


def write_tiny_tagger(folder: Path, *, some_rare: bool = False) -> Path:
    """The folder, with `tagger.onnx` and `tagger.json`."""
    write_tagger(folder, "tiny", tiny_net(), EVENT_CLASSES, EVENT_CLASSES[:2] if some_rare else EVENT_CLASSES)
    return folder
