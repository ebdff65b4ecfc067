"""Working folders, their locks, and the thread that writes: what fails is told once, kept in memory and tried again."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.project.store import recorder as recorder_module
from recomposer_studio.project.store.contents import History, Step, View
from recomposer_studio.project.store.database import open_file, open_working
from recomposer_studio.project.store.home import Home, Place
from recomposer_studio.project.store.journal import copy_project
from recomposer_studio.project.store.reader import Reader
from recomposer_studio.project.store.recorder import Recorder
from tests.project.states import project_of, same

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "projects")


@pytest.fixture
def said():
    return []


@pytest.fixture
def recorder(home, said):
    recorder = Recorder(home, failed=said.append)
    yield recorder
    recorder.close(keep=True)
    assert [thread.name for thread in threading.enumerate() if thread.name == "recorder"] == []


def durable(recorder, source):
    """What another process would find now."""
    path = recorder.place.database
    # A second connection of this process: the first one keeps its locks.
    with Reader(open_working(path), path) as reader:
        return reader.project(source)


def test_what_was_recorded_is_durable_after_a_flush(recorder, source):
    project = project_of(source)
    recorder.record(project)
    recorder.flush()
    assert same(durable(recorder, source), project)


def test_the_last_of_many_moments_is_written(recorder, source):
    project = project_of(source)
    for index in (0, 1, 2, 4, 1):
        recorder.record(replace(project, history=replace(project.history, index=index)))
    recorder.flush()
    assert durable(recorder, source).history.index == 1
    assert recorder.revision == 1


def test_nothing_is_made_before_the_first_change(home, recorder, source):
    recorder.record(project_of(source), lazy=True)
    assert (recorder.place, home.folder.exists()) == (None, False)


def test_looking_around_is_kept_lazily_and_is_no_change(recorder, source, monkeypatch):
    project = project_of(source)
    recorder.record(project)
    recorder.flush()
    monkeypatch.setattr(recorder_module, "LAZY_S", 0.05)
    recorder.record(replace(project, view=View(start_s=0.125)), lazy=True)
    recorder.flush()
    assert (durable(recorder, source).view.start_s, recorder.revision) == (0.125, 1)


@pytest.mark.parametrize("error", [sqlite3.OperationalError("database or disk is full"), OSError(28, "No space left")])
def test_a_full_disk_is_told_once_and_work_is_kept_and_written_later(recorder, source, monkeypatch, said, error):
    project = project_of(source)
    recorder.record(replace(project, history=History(next_take=9)))
    recorder.flush()
    journal = recorder._journal

    def full(*_):
        raise error

    monkeypatch.setattr(recorder_module, "RETRY_S", 0.02)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "write", full)
        recorder.record(project)
        for _ in range(3):
            with pytest.raises(InputError, match=r"cannot be kept safe .*(full|No space).* tried again"):
                recorder.flush()
        assert durable(recorder, source).history.steps == ()
    recorder.flush()
    assert same(durable(recorder, source), project)
    assert len(said) == 1


def test_a_read_only_place_is_told_and_tried_again(tmp_path, source, said):
    (tmp_path / "projects").write_text("a file where the folder should be", encoding="utf-8")
    recorder = Recorder(Home(tmp_path / "projects"), failed=said.append)
    project = project_of(source)
    recorder.record(project)
    with pytest.raises(InputError, match="cannot be kept safe"):
        recorder.flush()
    (tmp_path / "projects").unlink()
    recorder.flush()
    assert same(durable(recorder, source), project)
    recorder.close(keep=False)
    assert list((tmp_path / "projects").iterdir()) == []
    assert len(said) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not delete what is open")
def test_a_deleted_working_file_is_made_anew(recorder, source):
    project = project_of(source)
    recorder.record(replace(project, history=replace(project.history, index=1)))
    recorder.flush()
    recorder.place.database.unlink()
    recorder.record(project)
    recorder.flush()
    assert same(durable(recorder, source), project)


def test_a_small_disk_that_runs_full_and_is_cleared(tmp_path, source, said):
    """A real file system of four MiB."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs Linux and root")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
    recorder = Recorder(Home(disk / "projects"), failed=said.append)
    try:
        project = project_of(source)
        first = replace(project, history=replace(project.history, index=1))
        recorder.record(first)
        recorder.flush()
        copy_project(recorder.place.database, disk / "a.recomposer")
        saved = (disk / "a.recomposer").read_bytes()
        with (disk / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
            while True:
                ballast.write(bytes(4096))
        steps = tuple(Step(f"step {number}" * 4_000, project.history.first) for number in range(20))
        second = replace(project, history=replace(project.history, steps=steps, index=20))
        recorder.record(second)
        with pytest.raises(InputError, match=r"cannot be kept safe .*full"):
            recorder.flush()
        with pytest.raises(InputError, match=r"a\.recomposer: cannot be written"):
            copy_project(recorder.place.database, disk / "a.recomposer")
        assert (disk / "a.recomposer").read_bytes() == saved
        assert same(durable(recorder, source).history, first.history)
        (disk / "ballast").unlink()
        recorder.flush()
        assert same(durable(recorder, source), second)
        copy_project(recorder.place.database, disk / "a.recomposer")
        assert sorted(path.name for path in disk.iterdir()) == ["a.recomposer", "projects"]
    finally:
        recorder.close(keep=False)
        subprocess.run(["umount", disk], check=True)
    assert len(said) == 1


# --- what is left behind ----------------------------------------------------------------------------------------------


def test_work_that_was_left_is_offered_and_work_in_use_is_not(home, recorder, source, tmp_path):
    project = project_of(source)
    recorder.record(project)
    recorder.flush()
    assert home.left() == []
    recorder.close(keep=True)
    (left,) = home.left()
    assert (left.project, left.recording, left.steps, left.problem) == (None, source.path, 4, "")
    # While one window looks, no other one is offered the same.
    assert home.left() == []
    left.place.leave()
    (left,) = home.left()
    left.place.discard()
    assert list(home.folder.iterdir()) == []


def test_work_that_the_project_file_has_too_is_not_offered(home, recorder, source, tmp_path):
    project, target = project_of(source), tmp_path / "a.recomposer"
    recorder.record(project)
    revision = copy_project(recorder.flush(sweep=True), target).revision
    recorder.note_copy(target, revision)
    recorder.flush()
    recorder.close(keep=True)
    assert home.left() == []
    assert list(home.folder.iterdir()) == []


@pytest.mark.parametrize("after", ["changed", "deleted"])
def test_work_that_the_project_file_lacks_is_offered(home, recorder, source, tmp_path, after):
    project, target = project_of(source), tmp_path / "a.recomposer"
    recorder.record(project)
    recorder.note_copy(target, copy_project(recorder.flush(), target).revision)
    if after == "changed":
        recorder.record(replace(project, history=replace(project.history, index=0)))
    else:
        target.unlink()
    recorder.flush()
    recorder.close(keep=True)
    (left,) = home.left()
    assert left.project == target
    left.place.leave()


def test_damaged_work_is_told_and_not_thrown_away(home, recorder, source):
    recorder.record(project_of(source))
    recorder.flush()
    path = recorder.place.database
    recorder.close(keep=True)
    path.write_bytes(path.read_bytes()[:20_000])
    (left,) = home.left()
    assert "damaged" in left.problem
    left.place.leave()
    assert path.is_file()


def test_a_folder_without_work_is_cleared_away(home, tmp_path):
    place = home.new()
    place.database.touch()
    place.leave()
    assert home.left() == []
    assert list(home.folder.iterdir()) == []


def test_the_lock_of_a_killed_process_is_gone(home):
    code = (
        "import sys; from pathlib import Path\n"
        "from recomposer_studio.project.store.home import Home\n"
        "place = Home(Path(sys.argv[1])).new(); print(place.folder, flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as child:
        folder = Path(child.stdout.readline().strip())
        assert Place.take(folder) is None
        child.kill()
    place = Place.take(folder)
    assert place is not None
    place.leave()


def test_a_copy_is_made_while_the_recorder_writes(recorder, source, tmp_path):
    project, target = project_of(source), tmp_path / "a.recomposer"
    recorder.record(project)
    database = recorder.flush()
    for index in range(4):
        recorder.record(replace(project, history=replace(project.history, index=index)))
        copy_project(database, target)
        with Reader(open_file(target), target) as reader:
            assert len(reader.project(source).history.steps) == 4
    recorder.flush()
