"""Two processes follow the gradient of one, and single processes need no company."""

import os
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from recomposer_studio.errors import InputError
from recomposer_studio.model.encoder import EncoderConfig
from recomposer_studio.model.mask import MASK_FEATURES, MaskConfig, MaskNet
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.crew import Crew, training_device
from recomposer_studio.training.mask_examples import collate, draw_examples

SMALL = MaskConfig(EncoderConfig(features=MASK_FEATURES, width=16, kernel=3, dilations=(1, 2), dropout=0.0))
_ROOT = Path(__file__).resolve().parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_processes_have_the_gradients_of_one(tiny_cache: AudioCache, tmp_path: Path) -> None:
    from tests.training.crew_member import gradients

    torch.manual_seed(0)
    net = MaskNet(SMALL)
    with torch.no_grad():
        net.leave.weight.normal_(0.0, 0.1)
    batch = collate(draw_examples(tiny_cache, LabelTable.load(), 1, 0, 4))
    save_file(
        {part.name: getattr(batch, part.name).contiguous() for part in fields(batch)}, tmp_path / "batch.safetensors"
    )
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    surroundings = {
        **os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": "2",
        "GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(_ROOT), "USE_LIBUV": "0",
    }  # fmt: skip
    if sys.platform != "linux":
        del surroundings["GLOO_SOCKET_IFNAME"]
    members = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.crew_member", str(tmp_path)],
            cwd=_ROOT, env={**surroundings, "RANK": str(rank)}, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    for member in members:
        _, errors = member.communicate(timeout=120)
        assert member.returncode == 0, errors
    first, second = (load_file(tmp_path / f"gradients-{rank}.safetensors") for rank in range(2))
    alone = gradients(net, batch, Crew())
    assert alone.keys() == first.keys() == second.keys()
    for name, gradient in alone.items():
        torch.testing.assert_close(first[name], gradient, rtol=1e-3, atol=1e-7)
        assert torch.equal(first[name], second[name])


def test_one_process_is_a_crew_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    crew = Crew.join(torch.device("cpu"))
    assert (crew.rank, crew.size, crew.leads, crew.share_of(5)) == (0, 1, True, 5)
    net = torch.nn.Linear(2, 1)
    net(torch.ones(1, 2)).sum().backward()
    before = net.weight.grad
    assert crew.average_gradients(net, (1.5, 0.25)) == [1.5, 0.25]
    assert net.weight.grad is before
    crew.leave()


def test_a_batch_has_to_be_shared_out_evenly() -> None:
    assert Crew(1, 4).share_of(8) == 2
    assert not Crew(1, 4).leads
    with pytest.raises(ValueError, match="shared out"):
        Crew(0, 3).share_of(8)


def test_there_is_no_gpu_where_there_is_none() -> None:
    assert training_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        assert training_device("auto").type == "cpu"
        with pytest.raises(InputError, match="no CUDA device"):
            training_device("cuda")
