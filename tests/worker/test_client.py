"""The parent's side, against children that do wrong what a child can do wrong."""

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest

from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.roll.event import Action
from recomposer_studio.worker import frames
from recomposer_studio.worker.client import Patience, RemoteGenerator, _finished_frames
from recomposer_studio.worker.lost import WorkerLost, how_it_ended
from recomposer_studio.worker.messages import OUT_OF_MEMORY
from tests.worker.fake_child import FakeModel
from tests.worker.waiting import wait_until
from tests.worker.worker_requests import mask_request, sound_request

_FAKE = (sys.executable, str(Path(__file__).with_name("fake_child.py")))
_FAR = 60.0
"""A limit that only a failing test reaches."""


def _start(part: str = "cpu", folder: Path = Path(), **patience: float) -> RemoteGenerator:
    limits = {"start_s": _FAR, "silent_s": _FAR, "still_s": _FAR, "cancel_s": _FAR} | patience
    return RemoteGenerator.start(folder, part, patience=Patience(**limits), command=_FAKE)


def _call(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Work in a thread of its own, and where its result or exception lands."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(work())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def _process(generator: RemoteGenerator) -> psutil.Process:
    assert generator.pid is not None
    return psutil.Process(generator.pid)


def _steps(generator: RemoteGenerator) -> int:
    return generator._child.steps if generator._child else 0


def _begun(generator: RemoteGenerator) -> bool:
    return generator._child is not None and "begun" in generator._child.log


def test_it_answers_as_the_model_would() -> None:
    model, request = FakeModel(), mask_request(others=2)
    with _start() as generator:
        # A cancel is not for requests to come.
        generator.cancel()
        for name in ("name", "digest", "classes", "better_than_repair", "rate_hz", "device", "can_insert"):
            assert getattr(generator, name) == getattr(model, name)
        assert all(isinstance(action, Action) for action in generator.better_than_repair)
        np.testing.assert_array_equal(generator.share(request), model.share(request), strict=True)
        np.testing.assert_array_equal(generator.sound(sound_request()), model.sound(sound_request()), strict=True)
        first = _process(generator)
    assert not first.is_running()
    assert generator.pid is None
    generator.close()
    with pytest.raises(Cancelled):
        generator.share(request)
    assert generator.pid is None


def test_what_a_library_prints_disturbs_nothing_and_is_kept() -> None:
    with _start() as generator:
        request = mask_request("print")
        np.testing.assert_array_equal(generator.share(request), request.repair / 2.0)
        generator.share(mask_request("read"))
        generator.share(mask_request("babble"))
        with pytest.raises(WorkerLost) as lost:
            generator.share(mask_request("die"))
        assert len(lost.value.log) == 200
        assert lost.value.log[-2] == f"4999 {'x' * 40}" and set(lost.value.log[-1]) == {"y"}
        generator.share(request)
        with pytest.raises(WorkerLost) as lost:
            generator.share(mask_request("die"))
        assert set(lost.value.log) == {
            "printed to standard output",
            "written to descriptor 1",
            "printed to standard error",
        }


def test_a_lost_child_is_told_in_one_sentence_and_replaced() -> None:
    request = mask_request()
    with _start() as generator:
        for label, words in {
            "die": r"ended unexpectedly \(exit code 3\)",
            "fail": r"ended unexpectedly \(exit code 1\)",
            "memory": "ran out of memory",
            "torch memory": "ran out of memory",
            "wrong shape": "senseless answer",
            "wrong type": "senseless answer",
        }.items():
            before = _process(generator)
            with pytest.raises(WorkerLost, match=words) as lost:
                generator.share(mask_request(label))
            assert str(lost.value).endswith("; try again, or use spectral repair instead")
            assert label != "fail" or lost.value.log[-1] == "RuntimeError: a bug in the model"
            assert not before.is_running()
            np.testing.assert_array_equal(generator.share(request), request.repair / 2.0)
            assert _process(generator) != before


def test_on_a_gpu_the_cpu_is_offered() -> None:
    with _start("cuda") as generator, pytest.raises(WorkerLost, match="use spectral repair or the CPU instead"):
        generator.share(mask_request("memory"))


def test_a_child_that_was_killed_is_told_as_full_memory_and_replaced() -> None:
    with _start() as generator:
        thread, outcome = _call(lambda: generator.share(mask_request("stuck")))
        assert wait_until(lambda: _begun(generator))
        _process(generator).kill()
        thread.join()
        assert isinstance(outcome[0], WorkerLost)
        assert sys.platform == "win32" or "most likely because memory ran out" in str(outcome[0])
        # Killed between two requests: nobody needs to hear of it.
        generator.share(mask_request())
        _process(generator).kill()
        assert wait_until(lambda: generator._child is not None and generator._child.ended)
        generator.share(mask_request())


def test_a_refusal_keeps_its_sentence_and_the_child() -> None:
    with _start() as generator:
        before = generator.pid
        with pytest.raises(
            InputError, match=r"^the checkpoint 'fake' cannot separate sounds; use another one$"
        ) as refusal:
            generator.share(mask_request("refuse"))
        assert not isinstance(refusal.value, WorkerLost)
        generator.share(mask_request())
        assert generator.pid == before


@pytest.mark.parametrize(("label", "limit"), [("deaf", "silent_s"), ("stuck", "still_s")])
def test_a_child_that_hangs_is_ended_and_replaced(label: str, limit: str) -> None:
    # A window of 0.2 s comes on top of the time for a step.
    with _start(**{limit: 0.3 if limit == "still_s" else 1.0}) as generator:
        before = _process(generator)
        with pytest.raises(WorkerLost, match="stopped working and was ended"):
            generator.share(replace(mask_request(label), hop_s=0.001))
        assert not before.is_running()
        generator.share(mask_request())


def test_long_work_that_goes_on_is_no_hang() -> None:
    # Longer in all than a step may take: a second, and the 0.2 s of the window.
    with _start(still_s=1.0) as generator:
        request = replace(sound_request(duration_s=1.5), hop_s=0.001)
        assert len(generator.sound(request)) == 1.5 * 32_000


@pytest.mark.parametrize("part", ["garbage", "long header", "unknown answer", "wrong number", "half frame"])
def test_garbage_is_told_as_such(part: str) -> None:
    with pytest.raises(WorkerLost, match="gave a senseless answer before it was ready"):
        _start(part)


@pytest.mark.parametrize(
    ("part", "error", "words"),
    [
        ("old protocol", WorkerLost, "another protocol"),
        ("early death", WorkerLost, r"exit code 5\) before it was ready"),
        ("refused", InputError, "^there is no such device; choose another$"),
    ],
)
def test_a_child_that_does_not_come_up_is_told(part: str, error: type[InputError], words: str) -> None:
    with pytest.raises(error, match=words) as told:
        _start(part)
    assert part != "early death" or getattr(told.value, "log", ()) == ("last words",)


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkerLost, match="could not be started"):
        RemoteGenerator.start(tmp_path, command=[str(tmp_path / "nothing")])


def test_a_slow_start_is_waited_for_within_limits() -> None:
    with _start("slow start") as generator:
        assert generator.name == "fake"
    with pytest.raises(WorkerLost, match=r"did not start within 0\.3 s; try again, or use spectral repair or the CPU"):
        RemoteGenerator.start("", "no start", patience=Patience(start_s=0.3), command=_FAKE)


def test_a_start_can_be_cancelled() -> None:
    asked: list[int] = []
    with pytest.raises(Cancelled):
        RemoteGenerator.start("", "no start", cancelled=lambda: bool(asked.append(1)) or len(asked) > 3, command=_FAKE)


@pytest.mark.parametrize("by", ["cancel", "request"])
def test_a_cancel_frees_the_caller_and_keeps_the_child(by: str) -> None:
    with _start() as generator:
        before, wanted = generator.pid, threading.Event()
        thread, outcome = _call(lambda: generator.sound(sound_request(duration_s=600, cancelled=wanted.is_set)))
        assert wait_until(lambda: _steps(generator) > 5)
        if by == "cancel":
            generator.cancel()
        else:
            wanted.set()
        thread.join(_FAR)
        assert isinstance(outcome[0], Cancelled)
        request = sound_request()
        np.testing.assert_array_equal(generator.sound(request), FakeModel().sound(request))
        assert generator.pid == before


def test_a_sound_is_polled_once_for_every_step() -> None:
    polls: list[int] = []
    request = sound_request(0.05, cancelled=lambda: bool(polls.append(1)), label="slow steps")
    with _start() as generator:
        for _ in range(2):  # the steps of the first are none of the second
            polls.clear()
            generator.sound(request)
            # Three frames of a codec, and one or two until it was asked; not one for every look.
            assert 2 <= len(polls) <= 5


@pytest.mark.parametrize(("duration_s", "frames"), [(0.004, 1), (0.5, 25), (30.0, 1500)])
def test_every_step_brings_a_sound_further_and_its_candidates_come_last(duration_s: float, frames: int) -> None:
    polls: list[int] = []
    request = sound_request(duration_s, cancelled=lambda: bool(polls.append(1)))
    step, seen = _finished_frames(request), []
    for _ in range(1 + frames + request.decoding.candidates):
        assert not step()
        seen.append(len(polls))
    assert seen[0] == 0 and seen[frames] == int(frames * 0.9) and seen[-1] == frames
    assert not step() and len(polls) == frames
    if frames > 100:
        assert all(0 <= after - before <= 1 for before, after in pairwise(seen[: frames + 1]))
        assert all(after > before for before, after in pairwise(seen[frames:]))


def test_a_step_of_a_sound_that_is_not_wanted_any_more_says_so() -> None:
    step = _finished_frames(sound_request(1.0, cancelled=lambda: True))
    assert any(step() for _ in range(10))


def test_work_that_cannot_stop_is_waited_for_unless_it_takes_too_long() -> None:
    with _start() as generator:
        before = generator.pid
        thread, outcome = _call(lambda: generator.share(mask_request("slow")))
        assert wait_until(lambda: _begun(generator))
        generator.cancel()
        thread.join()
        assert isinstance(outcome[0], Cancelled)
        request = mask_request("slow", seed=1)
        np.testing.assert_array_equal(generator.share(request), request.repair / 2.0)
        assert generator.pid == before


@pytest.mark.parametrize("label", ["stuck", "deaf"])
def test_a_child_that_ignores_a_cancel_is_killed_and_replaced(label: str) -> None:
    with _start(cancel_s=0.3) as generator:
        before = _process(generator)
        thread, outcome = _call(lambda: generator.share(mask_request(label)))
        assert wait_until(lambda: _begun(generator))
        generator.cancel()
        thread.join()
        assert isinstance(outcome[0], Cancelled)
        assert wait_until(lambda: not before.is_running() or before.status() == psutil.STATUS_ZOMBIE)
        generator.share(mask_request())
        assert _process(generator) != before


def test_closing_ends_a_request_in_progress_and_those_that_wait() -> None:
    generator = _start()
    first, one = _call(lambda: generator.sound(sound_request(duration_s=600)))
    assert wait_until(lambda: _steps(generator) > 5)
    second, two = _call(lambda: generator.share(mask_request()))
    generator.close()
    for thread in (first, second):
        thread.join()
    assert isinstance(one[0], Cancelled) and isinstance(two[0], Cancelled)


def test_a_deaf_child_is_closed_too() -> None:
    generator = _start(cancel_s=0.3)
    thread, outcome = _call(lambda: generator.share(mask_request("deaf")))
    assert wait_until(lambda: _begun(generator))
    generator.close()
    thread.join()
    assert isinstance(outcome[0], Cancelled)


def test_threads_take_turns() -> None:
    with _start() as generator:
        requests = [sound_request(seed=seed) for seed in range(4)]
        calls = [_call(lambda request=request: generator.sound(request)) for request in requests]
        for (thread, outcome), request in zip(calls, requests, strict=True):
            thread.join()
            np.testing.assert_array_equal(outcome[0], FakeModel().sound(request))  # type: ignore[arg-type]


def test_whoever_waits_for_a_turn_can_be_cancelled() -> None:
    with _start() as generator:
        first, one = _call(lambda: generator.sound(sound_request(duration_s=600)))
        assert wait_until(lambda: _steps(generator) > 5)
        with pytest.raises(Cancelled):
            generator.sound(sound_request(cancelled=lambda: True))
        assert first.is_alive()
        generator.cancel()
        first.join()
        assert isinstance(one[0], Cancelled)


def test_a_request_that_is_too_large_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with _start() as generator:
        before = generator.pid
        with monkeypatch.context() as patch:
            patch.setattr(frames, "MAX_ARRAY_BYTES", 1000)
            with pytest.raises(InputError, match="2 s is too long for the model; shorten it"):
                generator.share(mask_request())
        generator.share(mask_request())
        assert generator.pid == before


def test_an_exchanged_checkpoint_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    with _start(folder=tmp_path) as generator:
        (tmp_path / "digest").write_text("01", encoding="utf-8")
        with pytest.raises(WorkerLost):
            generator.share(mask_request("die"))
        with pytest.raises(InputError, match="was exchanged while it was in use; choose it again"):
            generator.share(mask_request())
        assert generator.digest == "00"


def test_the_child_ends_with_its_parent() -> None:
    program = (
        "import sys\n"
        "from tests.worker.test_client import _start\n"
        "from tests.worker.worker_requests import sound_request\n"
        "generator = _start()\n"
        "print(generator.pid, flush=True)\n"
        "generator.sound(sound_request(duration_s=600))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert wait_until(lambda: child.cpu_times().user > 0)
        parent.kill()
        parent.wait()
        # One that nobody waits for stays a zombie where process 1 does not care.
        assert wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit code 0"),
        (1, "exit code 1"),
        (OUT_OF_MEMORY, "ran out of memory"),
        (0xC0000017, "ran out of memory"),
        (-9, "most likely because memory ran out"),
        (-11, "SIGSEGV" if sys.platform != "win32" else "-11"),
        (-1000, "exit code -1000"),
        (None, "closed the connection"),
    ],
)
def test_an_end_is_put_in_words(code: int | None, words: str) -> None:
    assert words in how_it_ended(code)
