"""One run of a training: steps within a budget of time, averaged weights, a state to go on from, and an end that leaves something good."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from recomposer_studio.codec.inference import one_thread
from recomposer_studio.errors import InputError
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.crew import Crew, training_device
from recomposer_studio.training.manifest import load_manifest
from recomposer_studio.training.pace import Average, Pace, load_run, rate, save_run

_CLIP = 1.0
_BAD_STEPS = 20
_DIVERGED = 4.0
_RECENT = 0.01
_SETTLED_STEPS = 50
"""Losses that are averaged before the run is judged by them: a lucky first batch is no measure of the others."""


class Run:
    """The steps of one network's training.

    A step whose loss or gradient is not finite is left out; after many of them in a row, or when the loss has grown to several times its
    lowest, the run stops, and what was written last stays.

    Attributes:
        step: number of the next step.
        average: the averaged weights.
    """

    def __init__(
        self,
        network: nn.Module,
        optimisers: Sequence[torch.optim.Optimizer],
        state: Path,
        *,
        max_minutes: float,
        resume: bool,
        average: float,
        pause_minutes: float | None = None,
        crew: Crew | None = None,
    ) -> None:
        """Begins, or goes on with the run in `state`.

        Args:
            network: what is trained.
            optimisers: each with its peak rate set; together they hold all weights.
            state: file of the run.
            max_minutes: wall-clock budget over all resumed parts.
            resume: go on where `state` stopped, if it exists.
            average: decay of the averaged weights.
            pause_minutes: leave off after so long, to be resumed; None goes on to the end of the budget.
            crew: the processes that train together.

        Raises:
            InputError: the state does not fit the network.
        """
        self.crew = crew or Crew()
        self.average = Average(network, average)
        self._network, self._optimisers, self._state = network, tuple(optimisers), state
        self._peaks = [[float(group["lr"]) for group in optimiser.param_groups] for optimiser in self._optimisers]
        self.step, spent_s = load_run(state, network, self.average, self._optimisers) if resume else (0, 0.0)
        self._pace = Pace(max_minutes, spent_s)
        self._share = self._pace.share
        self._pause_s = math.inf if pause_minutes is None else spent_s + 60.0 * pause_minutes
        self._now_s = spent_s
        self._judged_s = spent_s
        self._bad = 0
        self._recent, self._lowest = 0.0, math.inf
        self._watched = 0
        self._sum, self._count = 0.0, 0

    @property
    def going(self) -> bool:
        """Whether there is time for another step; the same in every process."""
        return self._share < 1.0 and self._now_s < self._pause_s

    @property
    def share(self) -> float:
        """Elapsed share of the budget, 0-1; the same in every process."""
        return self._share

    @property
    def spent_s(self) -> float:
        """Seconds of the budget that are gone."""
        return self._pace.spent_s

    def learn(self, loss: Tensor) -> None:
        """One step down the gradient of a loss.

        Raises:
            InputError: the training has diverged.
        """
        for optimiser in self._optimisers:
            optimiser.zero_grad(set_to_none=True)
        loss.backward()
        facts = (float(loss.detach()), self._pace.share, self._pace.spent_s)
        value, self._share, self._now_s = self.crew.average_gradients(self._network, facts)
        norm = torch.nn.utils.clip_grad_norm_(self._network.parameters(), _CLIP)
        if math.isfinite(value) and bool(torch.isfinite(norm)):
            for optimiser, peaks in zip(self._optimisers, self._peaks, strict=True):
                for group, peak in zip(optimiser.param_groups, peaks, strict=True):
                    # By the crew's clock, not the process's own: all take the very same step.
                    group["lr"] = rate(peak, self.step, self._share)
                optimiser.step()
            self.average.update(self._network, self.step)
            self._watch(value)
        else:
            self._bad += 1
        self.step += 1
        if self._bad >= _BAD_STEPS or self._recent > _DIVERGED * self._lowest:
            raise InputError(
                f"the training diverged before step {self.step}; {self._state.parent} keeps what was good before, "
                "go on from there with a lower rate"
            )
        if self.crew.leads and self._pace.save_due():
            self.keep()

    def loss(self) -> float:
        """Mean loss since the last call; NaN without steps."""
        mean = self._sum / self._count if self._count else math.nan
        self._sum, self._count = 0.0, 0
        return mean

    def judge_due(self, every_s: float) -> bool:
        """True once every so many seconds, in the leading process."""
        if not self.crew.leads or self.spent_s - self._judged_s < every_s:
            return False
        self._judged_s = self.spent_s
        return True

    def keep(self) -> None:
        """Writes what is needed to go on."""
        if self.crew.leads:
            save_run(self._state, self._network, self.average, self._optimisers, self.step, self.spent_s)

    def _watch(self, value: float) -> None:
        self._bad = 0
        self._sum, self._count = self._sum + value, self._count + 1
        self._watched += 1
        self._recent += (value - self._recent) * max(_RECENT, 1.0 / self._watched)
        if self._watched >= _SETTLED_STEPS:
            self._lowest = min(self._lowest, self._recent)


@dataclass(frozen=True)
class Training:
    """What the trainings of codecs and decoders need alike.

    Attributes:
        data: the manifest of recordings, or its folder.
        out: checkpoint folder; the state of the run lies there too.
        max_minutes: wall-clock budget.
        resume: go on with the run that lies in `out`.
        pause_minutes: leave off after so long, to be resumed later; None trains to the end of the budget.
        seed: of the draws and of the first weights.
        share_alike: use recordings under CC BY-SA too.
        cache: folder that keeps decoded recordings between runs, or None.
        device: `cpu`, `cuda` or `auto`.
    """

    data: Path
    out: Path
    max_minutes: float = 25.0
    resume: bool = False
    pause_minutes: float | None = None
    seed: int = 0
    share_alike: bool = False
    cache: Path | None = None
    device: str = "cpu"

    def recordings(self) -> AudioCache:
        """The recordings to train and to judge with.

        Raises:
            InputError: they cannot be read.
        """
        return AudioCache(load_manifest(self.data, share_alike=self.share_alike), self.cache)

    @contextmanager
    def crew(self) -> Iterator[tuple[torch.device, Crew]]:
        """Where the training runs, and the processes that share it; on one thread each on a processor.

        Raises:
            InputError: there is no such device.
        """
        device = training_device(self.device)
        crew = Crew.join(device)
        try:
            with one_thread(gradients=True) if device.type == "cpu" else nullcontext():
                yield device, crew
        finally:
            crew.leave()

    def run(
        self,
        network: nn.Module,
        optimisers: Sequence[torch.optim.Optimizer],
        state: str,
        *,
        average: float,
        crew: Crew,
    ) -> Run:
        """Begins a run, or goes on with it.

        Args:
            network: what is trained.
            optimisers: each with its peak rate set; together they hold all weights.
            state: name of the run's file in `out`.
            average: decay of the averaged weights.
            crew: the processes that train together.

        Raises:
            InputError: the state does not fit the network.
        """
        return Run(
            network,
            optimisers,
            self.out / state,
            max_minutes=self.max_minutes,
            resume=self.resume,
            pause_minutes=self.pause_minutes,
            average=average,
            crew=crew,
        )
