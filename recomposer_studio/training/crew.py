"""Several processes that train one network: started by `torchrun`, they average their gradients.

Gradients are averaged here rather than by DistributedDataParallel, because the networks are called through several methods and not through
`forward` alone. One flat sum a step is what it does too.
"""

import os
from collections.abc import Sequence

import torch
from torch import Tensor, distributed, nn

from recomposer_studio.errors import InputError


def training_device(name: str) -> torch.device:
    """`cpu`, `cuda`, or `auto` for a GPU where there is one; the process's own GPU under `torchrun`.

    Raises:
        InputError: there is no such device.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise InputError("there is no CUDA device here; choose the device cpu or auto")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


class Crew:
    """The processes of one training; a single process is a crew of one.

    Attributes:
        rank: number of this process, 0 to `size` - 1.
        size: number of processes.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        """Joins nothing; see `join`."""
        self.rank, self.size = rank, size

    @staticmethod
    def join(device: torch.device) -> "Crew":
        """The crew that `torchrun` has described in the environment, or one of one.

        Args:
            device: where the network is trained: NCCL averages on GPUs, Gloo on processors.
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size <= 1:
            return Crew()
        if not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return Crew(distributed.get_rank(), size)

    @property
    def leads(self) -> bool:
        """Whether this process judges, reports and writes."""
        return self.rank == 0

    def share_of(self, batch: int) -> int:
        """Examples that each process draws of a batch.

        Raises:
            ValueError: the batch cannot be shared out evenly.
        """
        if batch % self.size:
            raise ValueError(f"a batch of {batch} cannot be shared out among {self.size} processes")
        return batch // self.size

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a tensor over the processes, without gradients."""
        value = value.detach().clone()
        if self.size > 1:
            distributed.all_reduce(value)
            value /= self.size
        return value

    def average_gradients(self, network: nn.Module, facts: Sequence[float] = ()) -> list[float]:
        """Replaces every gradient by its mean over the processes; a process without one counts as zero.

        Args:
            network: after `backward`.
            facts: numbers that are averaged along with them, so that all processes decide alike.

        Returns:
            The means of `facts`.
        """
        if self.size == 1:
            return list(facts)
        trained = [p for p in network.parameters() if p.requires_grad]
        device = trained[0].device
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        flat = torch.cat([g.flatten().float() for g in gradients] + [torch.tensor(list(facts), device=device)])
        distributed.all_reduce(flat)
        flat /= self.size
        at = 0
        for parameter, gradient in zip(trained, gradients, strict=True):
            parameter.grad = flat[at : at + gradient.numel()].view_as(gradient).to(gradient.dtype)
            at += gradient.numel()
        return [float(fact) for fact in flat[at:]]

    def leave(self) -> None:
        """Ends the company."""
        if self.size > 1 and distributed.is_initialized():
            distributed.destroy_process_group()
