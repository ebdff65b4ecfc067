"""The window lives on whatever becomes of the model's process: it says what happened and offers ways out; results come row by row."""

import json
import sys
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import Qt

from recomposer_studio.diagnosis.machine import Answer
from recomposer_studio.roll.event import Exemplar
from recomposer_studio.studio import jobs
from recomposer_studio.studio.views.text_dialog import TextDialog
from recomposer_studio.worker.client import Patience, RemoteGenerator
from recomposer_studio.worker.lost import WorkerLost
from tests.editing.scenes import event, roll
from tests.studio.remote import MODEL, Remote, start
from tests.worker import fake_child
from tests.worker.waiting import wait_until

_FAR = 60.0
_FAKE = (sys.executable, str(Path(fake_child.__file__)))


@pytest.fixture(autouse=True)
def children_find_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the project is not installed."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))


def child(window, **patience: float) -> list[RemoteGenerator]:
    """The window's model is a child process around a fake one; the children that it starts."""
    limits = {"start_s": _FAR, "silent_s": _FAR, "still_s": _FAR, "cancel_s": _FAR} | patience
    started: list[RemoteGenerator] = []

    def begin(wish, cancelled):
        device = "cpu" if wish.device == "auto" else wish.device
        started.append(
            RemoteGenerator.start(Path(), device, cancelled=cancelled, patience=Patience(**limits), command=_FAKE)
        )
        return started[-1]

    window.generating.find_checkpoint = lambda: MODEL
    window.generating.models.start = begin
    return started


def deletes(window, *labels: str) -> None:
    events = [event(f"e{n}", "delete", 0.5 + n, 0.9 + n, label) for n, label in enumerate(labels)]
    window.document.change_roll("given", roll(*events))


def test_that_the_model_takes_no_examples_is_told_before_it_is_loaded(opened, tmp_path):
    config = {"format_version": 1, "parts": {"decoder": {"config": {}}}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    opened.generating.find_checkpoint = lambda: replace(MODEL, folder=tmp_path)
    opened.generating.models.start = lambda wish, cancelled: pytest.fail("it was loaded")
    like = event("i", "insert", 2.0, 2.4, "Bark", exemplar=Exemplar(1.0, 1.4))
    opened.document.change_roll("given", roll(event("d", "delete", 0.5, 0.9), like))
    opened.generating.generate()
    assert not opened.generating.running
    assert opened.document.takes == ()
    assert opened.document.next_take == 1
    sentence = (
        "Bark (2.00 s) has an example, and the model tiny takes none; choose None as its example, or another model."
    )
    assert opened.messages.text == sentence


def words(window) -> list[str]:
    return [button.text() for button in window.messages.buttons]


def renderers(window) -> list[str]:
    return [layer.renderer for layer in window.document.takes[0].take.layers]


def begun(generators: list[RemoteGenerator]) -> bool:
    return bool(generators and generators[0]._child and "begun" in generators[0]._child.log)


@pytest.mark.parametrize(
    ("label", "patience", "told"),
    [
        ("memory", {}, "ran out of memory"),
        ("die", {}, "ended unexpectedly (exit code 3)"),
        ("deaf", {"silent_s": 1.0}, "stopped working and was ended"),
    ],
)
def test_a_process_that_fails_is_told_with_ways_out(qtbot, opened, label, patience, told):
    started = child(opened, **patience)
    deletes(opened, label)
    opened.generating.generate()
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=30_000)
    assert told in opened.messages.text and "The take by spectral repair stays" in opened.messages.text
    assert words(opened)[:2] == ["Try again", "Keep spectral repair"]
    (entry,) = opened.document.takes
    assert renderers(opened) == ["repair"] and not entry.preview
    opened.messages.buttons[1].click()
    assert opened.messages.text == ""
    # The window works on, with the same generator and a fresh child.
    deletes(opened, "Bark")
    opened.generating.generate()
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=30_000)
    assert [layer.renderer for layer in opened.document.takes[1].take.layers] == ["mask"]
    assert len(started) == 1


def test_a_process_that_the_system_killed_is_told(qtbot, opened):
    started = child(opened)
    deletes(opened, "stuck")
    opened.generating.generate()
    assert wait_until(lambda: begun(started))
    assert started[0].pid is not None
    psutil.Process(started[0].pid).kill()
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=30_000)
    assert sys.platform == "win32" or "most likely because memory ran out" in opened.messages.text


def test_what_the_lost_process_wrote_is_shown_on_request(qtbot, opened):
    started = child(opened)
    deletes(opened, "stuck")
    opened.generating.generate()
    assert wait_until(lambda: begun(started))
    psutil.Process(started[0].pid).kill()
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=30_000)
    assert words(opened) == ["Try again", "Keep spectral repair", "Details"]
    opened.messages.buttons[2].click()
    (dialog,) = opened.findChildren(TextDialog)
    assert "begun" in dialog.field.toPlainText() and dialog.field.isReadOnly()
    # The ways out are still there.
    assert words(opened)[0] == "Try again" and opened.messages.text
    dialog.close()


def test_another_render_withdraws_the_offers_for_the_lost_one(qtbot, opened):
    child(opened)
    deletes(opened, "die")
    opened.generating.generate()
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=30_000)
    deletes(opened, "Bark")
    opened.generating.generate()
    assert opened.messages.text == ""
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=30_000)


def test_a_stopped_take_names_what_is_not_in_it(qtbot, opened):
    started = child(opened)
    boxes = event("d", "delete", 0.5, 0.9, "stuck"), event("i", "insert", 1.5, 1.9, "Dog")
    opened.document.change_roll("given", roll(*boxes))
    opened.generating.generate()
    assert wait_until(lambda: begun(started))
    qtbot.waitUntil(lambda: len(opened.document.takes) == 1, timeout=30_000)
    opened.generating.cancel()
    (entry,) = opened.document.takes
    assert [layer.event.id for layer in entry.take.layers] == ["d"] and not entry.preview
    assert entry.left_out == ("Dog is not in it: the render was stopped before",)
    assert opened.messages.text == "Take 1 was stopped without Dog."


def test_a_cancel_frees_the_window_while_the_process_hangs(qtbot, opened):
    started = child(opened, cancel_s=0.3)
    deletes(opened, "deaf")
    opened.generating.generate()
    assert wait_until(lambda: begun(started))
    opened.timeline.spectrogram.setFocus()
    qtbot.keyClick(opened, Qt.Key.Key_Escape)
    # Without one more turn of the event loop.
    assert not opened.generating.running and opened.actions_["generate"].isEnabled()
    assert not opened.status.progress.isVisible()
    deletes(opened, "Bark")
    opened.generating.generate()
    qtbot.waitUntil(lambda: not opened.generating.running and not opened.generating.leaving, timeout=30_000)
    assert [layer.renderer for layer in opened.document.takes[-1].take.layers] == ["mask"]


def test_on_a_gpu_the_cpu_is_offered_and_makes_the_same_take(qtbot, opened):
    child(opened)
    on_gpu = opened.generating.models.start
    opened.generating.models.start = lambda wish, cancelled: (
        on_gpu(wish, cancelled) if wish.device == "cuda" else Remote()
    )
    opened.decoding.device.setCurrentIndex(2)
    opened.decoding.device.activated.emit(2)
    deletes(opened, "memory")
    opened.generating.generate()
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=30_000)
    assert words(opened)[:2] == ["Try on the CPU", "Keep spectral repair"]
    opened.document.mix("mix", "e0", amount=0.5)
    opened.messages.buttons[0].click()
    assert opened.messages.text == "" and opened.decoding.device.currentText() == "CPU"
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=30_000)
    (entry,) = opened.document.takes
    assert renderers(opened) == ["mask"] and entry.device == "cpu" and not entry.preview
    assert entry.take.layer("e0").event.amount == 0.5
    assert opened.settings_file.read().device == "cpu"


def test_without_a_preview_there_is_nothing_to_keep(qtbot, opened):
    class Dying(Remote):
        def sound(self, request):
            raise WorkerLost("the process of the model ran out of memory", "cpu")

    start(opened, Dying())
    opened.document.change_roll("given", roll(event("i", "insert", 1.0, 1.5, "Dog")))
    opened.generating.generate()
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=20_000)
    assert words(opened) == ["Try again"] and "Nothing was changed" in opened.messages.text
    assert opened.document.takes == ()
    opened.generating.models.close()
    start(opened, Remote())
    opened.messages.buttons[0].click()
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=20_000)
    assert renderers(opened) == ["tokens"]


class Stepwise(Remote):
    """Works on an event only when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may = threading.Semaphore(0)

    def share(self, request):
        self.may.acquire(timeout=_FAR)
        return super().share(request)

    def sound(self, request):
        self.may.acquire(timeout=_FAR)
        return super().sound(request)


def test_results_come_row_by_row(qtbot, opened, monkeypatch):
    monkeypatch.setattr(jobs, "LAYERS_S", 0.0)
    remote = Stepwise()
    start(opened, remote)
    events = [
        event("a", "delete", 0.5, 0.8),
        event("i", "insert", 1.4, 1.8),
        event("b", "delete", 2.4, 2.8),
    ]
    opened.document.change_roll("given", roll(*events))
    opened.generating.generate()
    qtbot.waitUntil(lambda: bool(opened.document.takes), timeout=20_000)
    assert renderers(opened) == ["repair", "repair"]
    opened.document.mix("mix", "a", amount=0.5)
    # A stereo recording is separated channel by channel.
    remote.may.release(2)
    qtbot.waitUntil(lambda: renderers(opened) == ["mask", "repair"], timeout=20_000)
    (entry,) = opened.document.takes
    assert entry.preview and opened.generating.running and entry.take.layer("a").event.amount == 0.5
    # Each layer knows what made it.
    assert entry.take.layer("b").recipe is not None and entry.take.layer("b").model == "repair"
    assert entry.take.layer("a").recipe is None
    remote.may.release(1)
    qtbot.waitUntil(lambda: renderers(opened) == ["mask", "tokens", "repair"], timeout=20_000)
    remote.may.release(2)
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=20_000)
    (entry,) = opened.document.takes
    assert renderers(opened) == ["mask", "tokens", "mask"] and not entry.preview
    assert entry.take.layer("a").event.amount == 0.5


def test_finished_rows_stay_after_a_cancel(qtbot, opened, monkeypatch):
    monkeypatch.setattr(jobs, "LAYERS_S", 0.0)
    remote = Stepwise()
    start(opened, remote)
    opened.document.change_roll("given", roll(event("a", "delete", 0.5, 0.8), event("b", "delete", 2.4, 2.8)))
    opened.generating.generate()
    remote.may.release(2)
    qtbot.waitUntil(lambda: bool(opened.document.takes) and renderers(opened) == ["mask", "repair"], timeout=20_000)
    opened.generating.cancel()
    assert not opened.document.takes[0].preview and renderers(opened) == ["mask", "repair"]
    remote.may.release(2)
    qtbot.waitUntil(lambda: not opened.generating.leaving, timeout=20_000)
    assert renderers(opened) == ["mask", "repair"]


@pytest.mark.parametrize(("cards", "device"), [([], "cpu"), (["Some card"], "auto")])
def test_the_cpu_is_no_way_out_where_there_is_no_gpu(monkeypatch, cards, device):
    def lost(*_, **__):
        raise WorkerLost("the process of the model ran out of memory before it was ready", "auto", ("a line",))

    monkeypatch.setattr(jobs.RemoteGenerator, "start", lost)
    monkeypatch.setattr(jobs.machine, "ask", lambda question, cancelled: Answer({"cuda": cards}))
    with pytest.raises(WorkerLost) as caught:
        jobs.start_model(jobs.ModelWish(MODEL), lambda: False)
    assert (caught.value.device, caught.value.log) == (device, ("a line",))
    assert str(caught.value).startswith("the process of the model ran out of memory before it was ready; try again")
    assert ("the CPU" in str(caught.value)) == bool(cards)
