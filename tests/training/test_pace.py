"""Learning rate by the clock, averaged weights, and a run that goes on exactly where it stopped."""

from pathlib import Path

import pytest
import torch

from recomposer_studio.errors import InputError
from recomposer_studio.training import pace as pace_module
from recomposer_studio.training.pace import Average, Pace, load_run, rate, save_run


class _Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(pace_module, "time", clock)
    return clock


def test_the_rate_rises_stays_and_ends_at_zero(clock: _Clock) -> None:
    assert 0.0 < rate(1.0, 0, 0.0) < rate(1.0, 100, 0.0) < rate(1.0, 1000, 0.0) == 1.0
    pace = Pace(10.0)
    clock.now_s += 0.5 * 600
    assert rate(1.0, 1000, pace.share) == 1.0
    clock.now_s += 0.3 * 600
    assert rate(1.0, 1000, pace.share) == pytest.approx(0.5)
    clock.now_s += 0.5 * 600
    assert (pace.share, rate(1.0, 1000, pace.share)) == (1.0, 0.0)


def test_a_resumed_run_counts_what_was_spent(clock: _Clock) -> None:
    pace = Pace(10.0, spent_s=300.0)
    assert pace.share == 0.5
    clock.now_s += 60.0
    assert pace.spent_s == 360.0
    assert not pace.save_due()
    clock.now_s += 300.0
    assert pace.save_due()
    assert not pace.save_due()


def test_no_budget_is_over_at_once(clock: _Clock) -> None:
    assert Pace(0.0).share == 1.0


def test_the_average_follows_the_weights() -> None:
    net = torch.nn.Linear(1, 1, bias=False)
    average = Average(net, 0.5)
    with torch.no_grad():
        net.weight.fill_(4.0)
    average.values["weight"].zero_()
    average.update(net, step=100)
    assert average.values["weight"].item() == 2.0


def _train(net: torch.nn.Module, optimiser: torch.optim.Optimizer, average: Average, steps: range) -> None:
    for step in steps:
        x = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
        loss = net(x).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        average.update(net, step)


def _begin() -> tuple[torch.nn.Module, torch.optim.Optimizer, Average]:
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Linear(5, 2))
    return net, torch.optim.AdamW(net.parameters(), lr=0.1), Average(net, 0.9)


def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole = _begin()
    _train(whole[0], whole[1], whole[2], range(8))
    first = _begin()
    _train(first[0], first[1], first[2], range(5))
    save_run(tmp_path / "run.safetensors", first[0], first[2], first[1], 5, 12.5)
    net, optimiser, average = _begin()
    assert load_run(tmp_path / "run.safetensors", net, average, optimiser) == (5, 12.5)
    _train(net, optimiser, average, range(5, 8))
    for name, value in whole[0].state_dict().items():
        torch.testing.assert_close(net.state_dict()[name], value)
        torch.testing.assert_close(average.values[name], whole[2].values[name])
    assert [p.name for p in tmp_path.iterdir()] == ["run.safetensors"]


def test_nothing_to_go_on_from_begins_at_zero(tmp_path: Path) -> None:
    net, optimiser, average = _begin()
    assert load_run(tmp_path / "none.safetensors", net, average, optimiser) == (0, 0.0)


def test_a_damaged_or_foreign_run_is_refused(tmp_path: Path) -> None:
    net, optimiser, average = _begin()
    path = tmp_path / "run.safetensors"
    save_run(path, net, average, optimiser, 1, 1.0)
    other = torch.nn.Linear(2, 2)
    with pytest.raises(InputError, match="interrupted run"):
        load_run(path, other, Average(other, 0.9), torch.optim.AdamW(other.parameters()))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="interrupted run"):
        load_run(path, net, average, optimiser)


def test_averages_stay_where_they_are_when_a_run_goes_on(tmp_path: Path) -> None:
    net, optimiser, average = _begin()
    path = tmp_path / "run.safetensors"
    save_run(path, net, average, optimiser, 1, 1.0)
    average.values = {name: value.to("meta") for name, value in average.values.items()}
    load_run(path, net, average, optimiser)
    assert {value.device.type for value in average.values.values()} == {"meta"}
