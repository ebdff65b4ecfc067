"""A recording that its project keeps: files named relative to it are still found, and nothing is proposed beside its working copy."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from recomposer_studio.editing.engine import Engine
from recomposer_studio.errors import InputError
from recomposer_studio.project.embedded import recipe_document
from recomposer_studio.project.export import plan_export
from recomposer_studio.project.kept import file_beside, home_of, open_kept, origin_of, reopened
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.roll.event import Exemplar
from recomposer_studio.studio.jobs import Render
from tests.editing.fakes import KnownGenerator
from tests.editing.scenes import event, noise, roll, write
from tests.project.states import make_recording
from tests.studio.test_projects import desk, desks, saved, street  # noqa: F401

INSERT = event("new", "insert", 0.2, 0.3, exemplar=Exemplar(0.1, 0.2, "sounds/bark.wav"))


def _bark(folder: Path) -> Path:
    (folder / "sounds").mkdir(exist_ok=True)
    return write(folder / "sounds" / "bark.wav", noise(1, 0.4, 16_000), 16_000)


def _key(source) -> str:
    """Hash of the exemplar that the engine hears."""
    take = Engine(KnownGenerator()).render(source, roll(INSERT), Recipe())
    return take.layer("new").exemplar


@pytest.fixture
def kept(desk, saved, street, tmp_path):  # noqa: F811
    """A saved project that keeps its recording, whose file is gone; an example lies beside it. And what the example sounds like."""
    _bark(tmp_path)
    heard = _key(desk.document.source)
    desk.projects.set_embedded(True)
    desk.save()
    desk.close()
    street.unlink()
    return saved, heard


def test_an_example_beside_the_project_is_found(kept, desks):  # noqa: F811
    project, heard = kept
    for _ in range(2):  # also after it was saved from its working copy
        desk = desks()  # noqa: F811
        desk.open(project)
        assert desk.document.source.path.parent != project.parent
        assert _key(desk.document.source) == heard
        with reopened(desk.document.source) as again:
            assert _key(again) == heard
        desk.edit()
        desk.save()
        desk.close()


def test_an_example_beside_where_the_recording_lay_is_found(qtbot, desks, tmp_path):  # noqa: F811
    (tmp_path / "audio").mkdir()
    (tmp_path / "projects").mkdir()
    desk = desks()  # noqa: F811
    desk.document.open(make_recording(tmp_path / "audio"))
    qtbot.waitUntil(lambda: desk.projects.present.recording.sha256 != "")
    _bark(tmp_path / "audio")
    heard = _key(desk.document.source)
    desk.projects.set_embedded(True)
    project = tmp_path / "projects" / "song.recomposer"
    desk.save(project)
    desk.close()
    for _ in range(2):
        desk = desks()
        desk.open(project)
        assert _key(desk.document.source) == heard
        desk.edit()
        desk.save()
        desk.close()


def test_a_folder_that_moves_takes_its_examples_along(qtbot, desks, tmp_path):  # noqa: F811
    (tmp_path / "here" / "audio").mkdir(parents=True)
    desk = desks()  # noqa: F811
    desk.document.open(make_recording(tmp_path / "here" / "audio"))
    qtbot.waitUntil(lambda: desk.projects.present.recording.sha256 != "")
    _bark(tmp_path / "here" / "audio")
    heard = _key(desk.document.source)
    desk.projects.set_embedded(True)
    desk.save(tmp_path / "here" / "song.recomposer")
    desk.close()
    shutil.move(tmp_path / "here", tmp_path / "there")
    for _ in range(2):
        desk = desks()
        desk.open(tmp_path / "there" / "song.recomposer")
        assert _key(desk.document.source) == heard
        desk.edit()
        desk.save()
        desk.close()


def test_a_missing_example_names_the_folder_of_the_project(kept, desks, tmp_path):  # noqa: F811
    project, _ = kept
    shutil.rmtree(tmp_path / "sounds")
    desk = desks()  # noqa: F811
    desk.open(project)
    with pytest.raises(InputError) as caught:
        _key(desk.document.source)
    assert f"{project.parent / 'sounds' / 'bark.wav'}: there is no such file" in str(caught.value)


def test_the_window_renders_with_the_example(qtbot, kept, desks):  # noqa: F811
    project, heard = kept
    desk = desks()  # noqa: F811
    desk.open(project)
    job = Render(desk.document.source, None, Recipe(), None, "cpu")
    take = job._render(KnownGenerator(), roll(INSERT), Recipe(), 0.0, 1.0)
    assert take.layer("new").exemplar == heard
    assert take.source is desk.document.source


def test_nothing_is_proposed_beside_the_working_copy(kept, desks, street):  # noqa: F811
    project, _ = kept
    desk = desks()  # noqa: F811
    desk.open(project)
    source = desk.document.source
    assert home_of(source) == project.parent / street.name
    assert desk.document.about.name == street.name
    take = Engine(KnownGenerator()).render(source, roll(INSERT), Recipe())
    assert recipe_document(take)["recording"]["name"] == street.name


def test_an_export_does_not_overwrite_the_example(kept, desks, tmp_path):  # noqa: F811
    project, _ = kept
    desk = desks()  # noqa: F811
    desk.open(project)
    with pytest.raises(InputError, match="never overwritten"):
        plan_export(desk.document.source, roll(INSERT), tmp_path / "sounds" / "bark.wav")


def test_keeping_the_recording_tells_of_examples_that_stay_outside(desk, saved):  # noqa: F811
    desk.document.change_roll("roll", roll(INSERT, event("b", "insert", 0.3, 0.4, exemplar=Exemplar(0.1, 0.2))))
    desk.projects.set_embedded(True)
    assert desk.told == [
        "bark.wav stays a file of its own: keep it beside the project, or beside where the recording lies."
    ]


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("C:\\Users\\x\\street.wav", "street.wav"),
        ("/music/..", "recording.wav"),
        ("/music/a\x1b[31m.wav", "a__31m.wav"),
        ("", "recording.wav"),
        (f"/music/{'folder/' * 800}{'a' * 300}/street.wav", "street.wav"),
        ("/mu\0sic/street.wav", "street.wav"),
        ("//server/share/street.wav", "street.wav"),
    ],
)
def test_a_name_from_a_project_file_is_harmless(kept, desks, origin, name):  # noqa: F811
    project, _ = kept
    desk = desks()  # noqa: F811
    desk.open(project)
    recording = replace(desk.projects.present.recording, path=origin, relative="", origin="")
    with open_kept(desk.document.source.path, recording, project) as source:
        assert home_of(source) == project.parent / name
        assert not any(str(folder).startswith("//") for folder in source.folders)
        assert file_beside(source, "bark.wav").name == "bark.wav"
        assert isinstance(origin_of(recording, project), str)
