"""What a second pair of eyes tried to break: recordings that are kept in a project, work that is recovered into an open one, odd paths."""

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from recomposer_studio.studio import projects
from recomposer_studio.studio.project_jobs import Outcome
from tests.project.states import make_recording, same
from tests.studio.test_projects import desk, desks, read, saved, street  # noqa: F401 - fixtures


def test_a_recording_in_the_project_that_changes_is_taken_in_anew(desk, desks, saved, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(projects, "SETTLE_MS", 20)
    desk.projects.set_embedded(True)
    desk.save()
    changed = make_recording(tmp_path, seed=9).read_bytes()
    desk.qtbot.waitUntil(lambda: bool(desk.told), timeout=10_000)
    desk.save()
    desk.close()
    other = desks()
    other.open(saved)
    assert other.document.source.path.read_bytes() == changed


def test_work_is_recovered_into_the_project_that_is_open(desk, desks, saved):  # noqa: F811
    desk.edit()
    state = desk.document.state
    desk.crash()
    other = desks()
    other.open(saved)  # by its name, as a file manager does
    (left,) = other.find_left()
    other.recover(left)
    assert same(other.document.state.roll, state.roll)
    assert (other.projects.path, other.told) == (saved, [])


def test_a_name_that_is_too_long_is_told(desk):  # noqa: F811
    assert desk.projects.open(Path("x" * 300 + ".recomposer").absolute())
    desk.qtbot.waitUntil(lambda: bool(desk.failed), timeout=10_000)
    assert "too long" in desk.failed[0]


def test_a_drive_that_stops_answering_is_a_recording_that_is_gone(desk, saved, street, monkeypatch):  # noqa: F811
    def dead(path, *_args, **_more):
        raise OSError(107, "Transport endpoint is not connected")

    desk.projects._watcher.removePaths(desk.projects._watcher.files())
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", dead)
        desk.projects._compare()
    assert "is gone" in desk.failed[0]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_project_behind_a_link_is_the_same_project(desk, desks, saved, tmp_path):  # noqa: F811
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "link.recomposer"
    link.symlink_to(saved)
    other = desks()
    other.open(link)
    assert other.document.read_only


def test_what_was_edited_while_it_was_first_saved_follows(desk, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(projects, "IDLE_MS", 20)
    desk.edit()
    assert desk.projects.save(tmp_path / "a.recomposer")
    desk.edit()
    desk.qtbot.waitUntil(lambda: desk.projects.path is not None and not desk.projects.dirty, timeout=3_000)


def test_work_chosen_while_a_project_is_being_opened_stays_on_offer(desk, desks, saved):  # noqa: F811
    desk.edit()
    desk.crash()
    other = desks()
    (left,) = other.find_left()
    with other.qtbot.waitSignal(other.projects.opened, timeout=10_000):
        assert other.projects.open(saved)
        assert not other.projects.recover(left)
    assert "just being opened" in other.told[0]
    (again,) = other.find_left()
    other.recover(again)
    assert (other.projects.path, len(other.document.roll.events)) == (saved, 3)


@pytest.mark.parametrize("when", ["unsaved edits", "saved edits"])
def test_work_does_not_replace_what_this_window_did_since(desk, desks, saved, when):  # noqa: F811
    desk.edit()
    desk.crash()
    other = desks()
    other.open(saved)
    (left,) = other.find_left()
    # Older than the edits now to come.
    left = replace(left, edited=datetime.fromtimestamp(saved.stat().st_mtime))
    assert not other.projects.saved_since(left)
    other.edit(2)
    if when == "saved edits":
        later_s = saved.stat().st_mtime + 60
        other.save()
        os.utime(saved, (later_s, later_s))
    since = other.projects.saved_since(left)
    assert since
    assert other.save_now() is Outcome.SAVED
    with other.qtbot.waitSignal(other.projects.opened, timeout=10_000):
        assert other.projects.recover(left, since)
    assert other.projects.path is None
    assert "was saved after" in other.told[0]
    assert len(read(saved, other.document.source).history.state.roll.events) == 4


def test_looking_around_in_the_project_does_not_count_as_saved_since(desk, desks, saved):  # noqa: F811
    """Before a window leaves a project, it saves what it looks at."""
    desk.edit()
    desk.crash()
    other = desks()
    other.open(saved)
    (left,) = other.find_left()
    since = other.projects.saved_since(left)
    other.view = replace(other.view, start_s=0.05)
    assert other.projects.stale
    assert other.save_now() is Outcome.SAVED
    later_s = left.edited.timestamp() + 60
    os.utime(saved, (later_s, later_s))
    with other.qtbot.waitSignal(other.projects.opened, timeout=10_000):
        assert other.projects.recover(left, since)
    assert (other.projects.path, len(other.document.roll.events)) == (saved, 3)


def test_a_project_whose_name_is_as_long_as_names_can_be_has_a_lock(desk, desks, tmp_path):  # noqa: F811
    path = tmp_path / ("n" * 244 + ".recomposer")
    desk.edit()
    desk.save(path)
    other = desks()
    other.open(path)
    assert other.document.read_only
    other.close()
    desk.close()
    assert list(tmp_path.glob("*.lock")) == []


@pytest.mark.parametrize(("fails", "kept"), [("os.replace", True), ("journal", False)])
def test_whether_unsaved_work_is_kept_is_known(desk, saved, monkeypatch, fails, kept):  # noqa: F811
    def full(*_):
        raise OSError(28, "No space left on device")

    desk.edit()
    with monkeypatch.context() as patch:
        if kept:
            patch.setattr(fails, full)
        else:
            patch.setattr(desk.projects._recorder._journal, "write", full)
        assert desk.save_now() is Outcome.FAILED
    assert desk.projects.kept == kept
    assert desk.save_now() is Outcome.SAVED
    assert desk.projects.kept


def test_a_project_file_that_could_not_follow_does_so_later(desk, saved, monkeypatch):  # noqa: F811
    """It is told once, however often it is tried."""
    monkeypatch.setattr(projects, "IDLE_MS", 20)
    tried = []

    def full(*_):
        tried.append(1)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        desk.edit()
        desk.qtbot.waitUntil(lambda: len(tried) >= 3, timeout=10_000)
    desk.qtbot.waitUntil(lambda: not desk.projects.dirty, timeout=10_000)
    assert len(desk.failed) == 1
    assert len(read(saved, desk.document.source).history.state.roll.events) == 3
