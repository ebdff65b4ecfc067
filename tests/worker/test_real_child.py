"""The child with a real model: the very bytes of the model in this process, cancelled within a frame, gone with its parent."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from recomposer_studio.audio.source import Source
from recomposer_studio.editing.engine import Engine
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.model import catalogue
from recomposer_studio.model.generator import TorchGenerator, load_generator
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.worker.client import Patience, RemoteGenerator
from tests.editing.scenes import burst, event, noise, roll, write
from tests.model.tiny import write_tiny
from tests.worker.waiting import wait_until
from tests.worker.worker_requests import mask_request, sound_request

_LONG_S = 60.0
"""The child stays the same one on a machine that is busy with other things."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with every part, in a folder whose name is not plain."""
    return write_tiny(tmp_path_factory.mktemp("tiny modèle"))


@pytest.fixture(scope="module")
def local(folder: Path) -> TorchGenerator:
    """It, loaded here."""
    return load_generator(folder, "cpu")


@pytest.fixture(scope="module")
def remote(folder: Path) -> Iterator[RemoteGenerator]:
    """It, loaded in a child."""
    patience = Patience(silent_s=_LONG_S, cancel_s=_LONG_S)
    with RemoteGenerator.start(folder, "cpu", patience=patience) as generator:
        yield generator


def test_the_facts_are_the_models(local: TorchGenerator, remote: RemoteGenerator) -> None:
    for name in ("name", "digest", "classes", "better_than_repair", "rate_hz", "device", "can_insert"):
        assert getattr(remote, name) == getattr(local, name), name


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("others", [0, 2])
def test_shares_are_the_models_bit_by_bit(
    local: TorchGenerator, remote: RemoteGenerator, order: str, others: int
) -> None:
    request = mask_request(others=others)
    request = replace(request, power=np.array(request.power, order=order))  # type: ignore[call-overload]
    here = local.share(request)
    np.testing.assert_array_equal(remote.share(request), here, strict=True)
    assert np.abs(here - request.repair).max() > 0.05


@pytest.mark.parametrize("seed", [7, 2**64 - 1])
def test_sounds_are_the_models_bit_by_bit(local: TorchGenerator, remote: RemoteGenerator, seed: int) -> None:
    request = sound_request(seed=seed)
    np.testing.assert_array_equal(remote.sound(request), local.sound(request), strict=True)


def test_a_take_is_the_same(local: TorchGenerator, remote: RemoteGenerator, tmp_path: Path) -> None:
    rate_hz = 16_000
    scene = noise(2, 2.0, rate_hz)
    scene[:, :] += burst(0.5, 0.3, 2.0, rate_hz)
    events = roll(
        event("d", "delete", 0.5, 0.8), event("k", "keep", 0.7, 1.0, "Door"), event("i", "insert", 1.3, 1.5, "Bark")
    )
    with Source.open(write(tmp_path / "scene.wav", scene, rate_hz)) as source:
        recipe = Recipe(seed=3, renderer=Renderer.MODEL)
        there, here = (Engine(generator).render(source, events, recipe) for generator in (remote, local))
    assert there.model == here.model
    for mine, theirs in zip(here.layers, there.layers, strict=True):
        assert (theirs.key, theirs.renderer, theirs.seed) == (mine.key, mine.renderer, mine.seed)
        assert mine.renderer in ("mask", "tokens")
        for name in ("removed", "placed"):
            here_array, there_array = getattr(mine, name), getattr(theirs, name)
            assert (here_array is None) == (there_array is None)
            if here_array is not None:
                np.testing.assert_array_equal(there_array, here_array, strict=True)


def test_a_sound_in_the_making_is_cancelled(local: TorchGenerator, remote: RemoteGenerator) -> None:
    before, outcome = remote.pid, []
    started = remote._child.steps if remote._child else 0

    def work() -> None:
        try:
            remote.sound(sound_request(duration_s=300))
        except Cancelled as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert wait_until(lambda: remote._child is not None and remote._child.steps > started + 3)
    remote.cancel()
    thread.join()
    assert len(outcome) == 1
    np.testing.assert_array_equal(remote.sound(sound_request()), local.sound(sound_request()))
    assert remote.pid == before


def test_no_checkpoint_is_told_as_in_this_process(tmp_path: Path) -> None:
    with pytest.raises(InputError) as here:
        load_generator(tmp_path.resolve(), "cpu")
    with pytest.raises(InputError) as there:
        RemoteGenerator.start(tmp_path, "cpu")
    assert str(there.value) == str(here.value)


def test_a_working_child_ends_with_its_parent_and_the_parent_knows_no_torch(folder: Path) -> None:
    program = (
        "import sys\n"
        "from recomposer_studio.worker.client import RemoteGenerator\n"
        "from tests.worker.worker_requests import sound_request\n"
        "generator = RemoteGenerator.start(sys.argv[1], 'cpu')\n"
        "generator.sound(sound_request())\n"
        "print(generator.pid, *({'torch', 'safetensors'} & set(sys.modules)), flush=True)\n"
        "generator.sound(sound_request(duration_s=300))\n"
    )
    command = [sys.executable, "-c", program, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as parent:
        assert parent.stdout is not None
        pid, *loaded = parent.stdout.readline().split()
        assert loaded == []
        child = psutil.Process(int(pid))
        busy_s = child.cpu_times().user
        assert wait_until(lambda: child.cpu_times().user > busy_s + 0.2)
        parent.kill()
        parent.wait()
        # One that nobody waits for stays a zombie where process 1 does not care.
        assert wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_the_shipped_checkpoint_answers_the_same_bytes() -> None:
    checkpoint = catalogue.default()
    if checkpoint is None or "mask" not in checkpoint.parts:
        pytest.skip("no checkpoint with a mask head is shipped")
    here = load_generator(checkpoint.folder, "cpu")
    with RemoteGenerator.start(checkpoint.folder, "cpu") as there:
        request = mask_request(others=1)
        np.testing.assert_array_equal(there.share(request), here.share(request), strict=True)
        assert there.can_insert == here.can_insert
        if here.can_insert:
            np.testing.assert_array_equal(there.sound(sound_request()), here.sound(sound_request()), strict=True)
