"""What every training run shares: a learning rate that follows the clock, averaged weights, a state to go on from."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from recomposer_studio.errors import InputError

SAVE_EVERY_S = 300.0

_WARM_UP_STEPS = 200
_ANNEALED_SHARE = 0.4


class Pace:
    """Elapsed share of a wall-clock budget.

    Args:
        max_minutes: the budget, over all resumed parts of a run.
        spent_s: what earlier parts of the run took.
    """

    def __init__(self, max_minutes: float, spent_s: float = 0.0) -> None:
        """Starts the clock."""
        self._budget_s = 60.0 * max_minutes
        self._start_s = time.monotonic() - spent_s
        self._saved_s = time.monotonic()

    @property
    def spent_s(self) -> float:
        """Seconds of the budget that are gone."""
        return time.monotonic() - self._start_s

    @property
    def share(self) -> float:
        """Elapsed share of the budget, 0-1."""
        return min(1.0, self.spent_s / self._budget_s) if self._budget_s > 0 else 1.0

    def save_due(self) -> bool:
        """True once every five minutes."""
        if time.monotonic() - self._saved_s < SAVE_EVERY_S:
            return False
        self._saved_s = time.monotonic()
        return True


def rate(peak: float, step: int, share: float) -> float:
    """Learning rate: a short rise, a plateau, then linear to zero over the last 40 % of the time.

    Args:
        peak: highest rate.
        step: number of the step.
        share: elapsed share of the budget.
    """
    return peak * min(1.0, (step + 1) / _WARM_UP_STEPS, (1.0 - share) / _ANNEALED_SHARE)


class Average:
    """Exponential moving average of a network's weights; the horizon grows from short to 1 / (1 - decay) steps."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        """Begins with the present weights."""
        self.values = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Takes in the weights after a step."""
        decay = min(self._decay, (1.0 + step) / (10.0 + step))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, 1.0 - decay)
            else:
                self.values[name].copy_(value)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Writes a safetensors file in one step: a reader finds the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, part, metadata)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


Optimisers = torch.optim.Optimizer | Sequence[torch.optim.Optimizer]


def save_run(
    path: Path, network: nn.Module, average: Average, optimisers: Optimisers, step: int, spent_s: float
) -> None:
    """Keeps everything that `load_run` needs to go on."""
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.values.items()}
    first = 0
    for optimiser in _each(optimisers):
        # Weights are numbered through all optimisers.
        known = optimiser.state_dict()
        for index, state in known["state"].items():
            tensors |= {f"optimiser.{first + index}.{name}": torch.as_tensor(value) for name, value in state.items()}
        first += sum(len(group["params"]) for group in known["param_groups"])
    # Networks may hold a tensor under two names; a file must not.
    tensors = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    write_tensors(path, tensors, {"progress": json.dumps({"step": step, "spent_s": spent_s})})


def load_run(path: Path, network: nn.Module, average: Average, optimisers: Optimisers) -> tuple[int, float]:
    """Restores what `save_run` kept.

    Returns:
        The next step and the seconds that are spent; (0, 0.0) when there is nothing to go on from.

    Raises:
        InputError: the state is damaged or belongs to another configuration.
    """
    if not path.is_file():
        return 0, 0.0
    try:
        with safe_open(path, framework="pt") as file:
            progress = json.loads(file.metadata()["progress"])
            groups: dict[str, dict[str, Tensor]] = {"network": {}, "average": {}, "optimiser": {}}
            for name in file.keys():  # noqa: SIM118 - not a mapping
                group, rest = name.split(".", 1)
                groups[group][rest] = file.get_tensor(name)
        network.load_state_dict(groups["network"])
        if average.values.keys() != groups["average"].keys():
            raise KeyError("averages")
        for name, value in average.values.items():
            # Into the tensors that are there: a file is read on the processor, they may lie on a GPU.
            value.copy_(groups["average"][name])
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in groups["optimiser"].items():
            index, what = name.split(".", 1)
            state.setdefault(int(index), {})[what] = tensor
        first = 0
        for optimiser in _each(optimisers):
            groups_of = optimiser.state_dict()["param_groups"]
            count = sum(len(group["params"]) for group in groups_of)
            own = {index - first: values for index, values in state.items() if first <= index < first + count}
            _check(optimiser, own)
            optimiser.load_state_dict({"state": own, "param_groups": groups_of})
            first += count
        return int(progress["step"]), float(progress["spent_s"])
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise InputError(
            f"{path}: the interrupted run does not fit these settings; train anew or give the old settings"
        ) from error


def _check(optimiser: torch.optim.Optimizer, state: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Weights are known by their number alone, and torch takes any state for any weight; the next step would fail or go astray.

    Raises:
        ValueError: a moment is not shaped like its weight, or belongs to another kind of optimiser.
    """
    weights = [p for group in optimiser.param_groups for p in group["params"]]
    by_muon = isinstance(optimiser, torch.optim.Muon)
    for index, values in state.items():
        fits = all(value.ndim == 0 or value.shape == weights[index].shape for value in values.values())
        if not fits or by_muon != ("momentum_buffer" in values):
            raise ValueError(f"state of weight {index}")


def _each(optimisers: Optimisers) -> Sequence[torch.optim.Optimizer]:
    return (optimisers,) if isinstance(optimisers, torch.optim.Optimizer) else optimisers
