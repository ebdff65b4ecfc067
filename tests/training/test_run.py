"""A run: steps, an end by the clock, going on exactly, and stopping before anything good is lost."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from recomposer_studio.errors import InputError
from recomposer_studio.training.crew import Crew
from recomposer_studio.training.muon import Muon, inner_weights
from recomposer_studio.training.run import Run


def _net() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1))


def _optimisers(net: torch.nn.Module) -> list[torch.optim.Optimizer]:
    inside = inner_weights(net, lambda name: name.startswith("0"))
    others = [p for p in net.parameters() if all(p is not q for q in inside)]
    return [Muon(inside, lr=0.01, weight_decay=0.1), torch.optim.AdamW(others, lr=0.01)]


def _run(net: torch.nn.Module, folder: Path, *, resume: bool = False, minutes: float = 10.0) -> Run:
    return Run(net, _optimisers(net), folder / "run", max_minutes=minutes, resume=resume, average=0.9)


def _loss(net: torch.nn.Module, step: int) -> torch.Tensor:
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
    return (net(x) - x.sum(1, keepdim=True)).square().mean()


def _steps(run: Run, net: torch.nn.Module, count: int, factor: float = 1.0) -> None:
    for _ in range(count):
        run.learn(_loss(net, run.step) * factor)


def test_a_run_that_was_interrupted_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, first = _net(), _net()
    _steps(_run(whole, tmp_path / "a"), whole, 12)
    run = _run(first, tmp_path)
    _steps(run, first, 7)
    run.keep()
    second = _net()
    again = _run(second, tmp_path, resume=True)
    assert again.step == 7
    _steps(again, second, 5)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, rtol=1e-5, atol=1e-7)


def test_a_state_of_other_optimisers_is_refused(tmp_path: Path) -> None:
    net = _net()
    run = _run(net, tmp_path)
    _steps(run, net, 3)
    run.keep()
    inside = [net.get_parameter("1.weight")]
    others = [p for p in net.parameters() if p is not inside[0]]
    swapped = [Muon(inside, lr=0.01, weight_decay=0.1), torch.optim.AdamW(others, lr=0.01)]
    for optimisers in (swapped, swapped[::-1], [torch.optim.AdamW(net.parameters(), lr=0.01)]):
        with pytest.raises(InputError, match="does not fit these settings"):
            Run(net, optimisers, tmp_path / "run", max_minutes=10.0, resume=True, average=0.9)


def test_a_budget_ends_a_run(tmp_path: Path) -> None:
    assert not _run(_net(), tmp_path, minutes=0.0).going
    assert _run(_net(), tmp_path).going


def test_a_pause_ends_a_part_before_the_budget(tmp_path: Path) -> None:
    net = _net()
    run = Run(net, _optimisers(net), tmp_path / "run", max_minutes=10.0, resume=False, average=0.9, pause_minutes=0.0)
    assert not run.going
    assert run.spent_s < 600.0


def test_the_loss_is_told_as_a_mean_and_begins_anew(tmp_path: Path) -> None:
    net = _net()
    run = _run(net, tmp_path)
    expected = [float(_loss(net, 0).detach())]
    _steps(run, net, 1)
    assert run.loss() == pytest.approx(expected[0])
    assert math.isnan(run.loss())


def test_a_step_that_is_not_finite_changes_nothing(tmp_path: Path) -> None:
    net = _net()
    run = _run(net, tmp_path)
    _steps(run, net, 2)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    run.learn(_loss(net, 2) * float("nan"))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert run.step == 3
    _steps(run, net, 1)
    assert not torch.equal(net.state_dict()["0.weight"], before["0.weight"])


def test_a_run_that_never_recovers_stops_and_leaves_what_was_kept(tmp_path: Path) -> None:
    net = _net()
    run = _run(net, tmp_path)
    _steps(run, net, 3)
    run.keep()
    kept = (tmp_path / "run").read_bytes()
    with pytest.raises(InputError, match="diverged"):
        _steps(run, net, 100, float("inf"))
    assert (tmp_path / "run").read_bytes() == kept
    assert all(bool(torch.isfinite(value).all()) for value in run.average.values.values())


def test_a_loss_that_grows_without_end_stops_the_run(tmp_path: Path) -> None:
    net = _net()
    run = _run(net, tmp_path)
    _steps(run, net, 60)
    with pytest.raises(InputError, match="lower rate"):
        _steps(run, net, 1000, 100.0)


def test_a_lucky_first_batch_does_not_end_a_run(tmp_path: Path) -> None:
    net = _net()
    run = _run(net, tmp_path)
    _steps(run, net, 1, 1e-4)
    _steps(run, net, 100)
    assert run.step == 101


class _Ahead(Crew):
    """A process whose crew, on the mean, has spent 80 % of its budget."""

    def average_gradients(self, network: torch.nn.Module, facts: Sequence[float] = ()) -> list[float]:
        return [facts[0], 0.8, facts[2]]


def test_the_rate_follows_the_clock_of_the_crew(tmp_path: Path) -> None:
    net = _net()
    optimisers = _optimisers(net)
    run = Run(net, optimisers, tmp_path / "run", max_minutes=10.0, resume=False, average=0.9, crew=_Ahead())
    run.step = 1000
    _steps(run, net, 1)
    assert [group["lr"] for optimiser in optimisers for group in optimiser.param_groups] == pytest.approx([0.005] * 2)


def test_a_state_of_another_network_is_refused(tmp_path: Path) -> None:
    _run(_net(), tmp_path).keep()
    other = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 1))
    with pytest.raises(InputError, match="does not fit"):
        _run(other, tmp_path, resume=True)
