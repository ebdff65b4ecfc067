"""Where the dialogs propose files: beside the recording, but never inside the program or where nothing can be written."""

import shutil
from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog

from recomposer_studio.audio.source import Source
from recomposer_studio.data import data_folder
from recomposer_studio.studio import places
from recomposer_studio.studio.places import personal_folders, proposed_folder
from recomposer_studio.studio.views.export_dialog import ExportDialog

DEMO = data_folder("resources") / "demo"


@pytest.fixture
def music(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The person's folder for music; the one before it in the list does not exist."""
    folder = tmp_path / "person" / "Music"
    folder.mkdir(parents=True)
    monkeypatch.setattr(places, "personal_folders", lambda: [tmp_path / "person" / "none", folder])
    return folder


def test_files_lie_beside_a_recording_of_the_person(music, recording):
    with Source.open(recording) as source:
        assert proposed_folder(source) == recording.parent


def test_nothing_is_proposed_inside_the_program(music):
    with Source.open(DEMO / "scene.flac") as source:
        assert proposed_folder(source) == music


def test_a_recording_where_nothing_can_be_written_has_its_files_elsewhere(music, recording, tmp_path):
    folder = tmp_path / "stick"
    folder.mkdir()
    path = Path(shutil.copy(recording, folder / "street.wav"))
    with Source.open(path) as source:
        assert proposed_folder(source) == folder
    # As a drive that was pulled out.
    path.unlink()
    folder.rmdir()
    assert proposed_folder(source) == music


def test_where_the_person_has_no_folder_the_recordings_stays(monkeypatch):
    monkeypatch.setattr(places, "personal_folders", list)
    with Source.open(DEMO / "scene.flac") as source:
        assert proposed_folder(source) == DEMO


def test_the_persons_folders_end_at_home(qapp):
    assert personal_folders()[-1] == Path.home()


def test_every_dialog_of_the_demo_proposes_the_persons_folder(qtbot, monkeypatch, window, music):
    asked: list[str] = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *given: (asked.append(given[2]), ("", ""))[1])
    window.open_demo()
    qtbot.waitUntil(lambda: not window.imaging.busy, timeout=20_000)
    window.generating.generate()
    qtbot.waitUntil(lambda: not window.generating.running and len(window.document.takes) == 1, timeout=20_000)
    window.actions_["export"].trigger()
    (dialog,) = window.findChildren(ExportDialog)
    assert Path(dialog.file.text()).parent == music and Path(dialog.folder.text()).parent == music
    dialog.reject()
    window.actions_["save_roll"].trigger()
    window.actions_["save_project"].trigger()
    assert [Path(name) for name in asked] == [music / "scene.json", music / "scene.recomposer"]
