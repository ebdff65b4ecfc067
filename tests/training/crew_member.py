"""A process of a crew in the tests: one gradient of its share of a fixed batch, written beside the others."""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from recomposer_studio.model.mask import MaskNet
from recomposer_studio.training.crew import Crew
from recomposer_studio.training.mask import mask_loss
from recomposer_studio.training.mask_examples import MaskBatch
from tests.training.test_crew import SMALL


def gradients(net: MaskNet, batch: MaskBatch, crew: Crew) -> dict[str, torch.Tensor]:
    """What a step would follow."""
    share = net(batch.features, batch.repair, batch.query, batch.others, batch.others_active)
    mask_loss(share, batch, crew)[0].backward()
    crew.average_gradients(net)
    return {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}


def main(folder: Path) -> None:
    """Runs as `torchrun` would have it run, with RANK and the others in the environment."""
    torch.set_num_threads(1)
    crew = Crew.join(torch.device("cpu"))
    whole = load_file(folder / "batch.safetensors")
    size = crew.share_of(len(whole["gain"]))
    batch = MaskBatch(**{name: value[crew.rank * size : (crew.rank + 1) * size] for name, value in whole.items()})
    net = MaskNet(SMALL)
    net.load_state_dict(load_file(folder / "net.safetensors"))
    save_file(gradients(net, batch, crew), folder / f"gradients-{crew.rank}.safetensors")
    crew.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
