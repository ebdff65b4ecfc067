"""The export dialog as a person uses it: every choice reaches the files, and what cannot work is said at once."""

from dataclasses import replace
from pathlib import Path

import pytest
import soundfile
from PySide6.QtCore import Qt

from recomposer_studio.audio.source import Source
from recomposer_studio.project.embedded import embedded_recipe
from recomposer_studio.roll.formats.files import LabelFormat, read_labels
from recomposer_studio.studio.verbs import Area
from recomposer_studio.studio.views.export_dialog import ExportDialog


@pytest.fixture
def taken(qtbot, rolled):
    """A window with a take."""
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running and len(rolled.document.takes) == 1, timeout=20_000)
    return rolled


def opened_dialog(window) -> ExportDialog:
    window.actions_["export"].trigger()
    dialogs = [dialog for dialog in window.findChildren(ExportDialog) if dialog.isVisible()]
    assert len(dialogs) == 1
    return dialogs[0]


def listed(dialog: ExportDialog) -> list[str]:
    return [dialog.files.item(at).text().replace("\\", "/") for at in range(dialog.files.count())]


def test_every_choice_reaches_the_files(qtbot, taken, tmp_path):
    taken.document.mark(Area(1.0, 2.0))
    dialog = opened_dialog(taken)
    dialog.file.setText(str(tmp_path / "out" / "t.wav"))
    (tmp_path / "out").mkdir()
    dialog.range.setCurrentIndex(1)
    dialog.bits.setCurrentIndex(2)
    dialog.stems.setChecked(True)
    dialog.folder.setText(str(tmp_path / "out" / "stems"))
    assert dialog.stem_list.item(1).text() == "b: the placed sound"
    dialog.stem_list.item(1).setCheckState(Qt.CheckState.Unchecked)
    dialog.labels[LabelFormat.AUDACITY].setChecked(True)
    promised = listed(dialog)
    assert promised == ["t.wav", "stems/bed.wav", "stems/removed/01-bell.wav", "stems/removed/02-dog.wav", "t.txt"]
    # A second of 16 kHz, two channels of three bytes, four files.
    assert dialog.plan_label.text() == "5 files, 384.0 kB"
    with qtbot.waitSignal(dialog.exported, timeout=20_000) as told:
        dialog.write.click()
    assert told.args[0].endswith("t.wav and 3 stems, t.txt.")
    info = soundfile.info(tmp_path / "out" / "t.wav")
    assert (info.frames, info.subtype) == (16_000, "PCM_24")
    assert embedded_recipe(tmp_path / "out" / "t.wav")["region"] == [16_000, 32_000]
    assert [event.label for event in read_labels(tmp_path / "out" / "t.txt").roll.events] == ["Bell"]
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert written == {*promised, "stems/stems.json"}


def test_the_next_export_begins_with_the_choices_of_the_last_one(qtbot, taken, tmp_path):
    dialog = opened_dialog(taken)
    assert not dialog.range.isEnabled() and dialog.range.currentIndex() == 0
    dialog.file.setText(str(tmp_path / "t.flac"))
    dialog.bits.setCurrentIndex(1)
    dialog.recipe.setChecked(False)
    dialog.labels[LabelFormat.CSV].setChecked(True)
    with qtbot.waitSignal(dialog.exported, timeout=20_000):
        dialog.write.click()
    again = opened_dialog(taken)
    assert Path(again.file.text()).parent == tmp_path and again.file.text().endswith(".flac")
    assert again.bits.currentIndex() == 1 and not again.recipe.isChecked() and again.markers.isChecked()
    assert again.labels[LabelFormat.CSV].isChecked() and not again.labels[LabelFormat.TSV].isChecked()
    again.reject()


def test_choices_that_have_no_effect_are_switched_off(qtbot, taken, tmp_path):
    dialog = opened_dialog(taken)
    assert dialog.recipe.isEnabled() and dialog.markers.isEnabled() and dialog.write.isEnabled()
    assert not dialog.stem_list.isEnabled() and not dialog.folder.isEnabled()
    dialog.file.setText(str(tmp_path / "t.flac"))
    assert dialog.recipe.isEnabled() and not dialog.markers.isEnabled()
    assert dialog.plan_label.text().startswith("1 file, at most ")
    dialog.file.setText(str(tmp_path / "t.aiff"))
    assert not dialog.recipe.isEnabled() and not dialog.markers.isEnabled()
    dialog.file.setText(str(tmp_path / "t.flac"))
    dialog.bits.setCurrentIndex(3)
    assert "FLAC cannot hold" in dialog.problem.text() and not dialog.write.isEnabled() and listed(dialog) == []
    dialog.bits.setCurrentIndex(0)
    assert dialog.problem.isHidden() and dialog.write.isEnabled()
    dialog.file.setText("")
    assert not dialog.write.isEnabled()
    dialog.file.setText(str(tmp_path / "street.wav"))
    assert listed(dialog) == ["street.wav (replaces the file there)"] and dialog.plan_label.text().endswith(
        "1 replaced"
    )
    dialog.reject()


def test_requantising_is_said(qtbot, taken):
    float_take = taken.document.takes[0].take
    dialog = ExportDialog(float_take, "a/b:c")
    qtbot.addWidget(dialog)
    assert "a-b-c" in dialog.file.text()
    assert "requantised" not in dialog.format_label.text()
    dialog.bits.setCurrentIndex(2)
    assert dialog.format_label.text().startswith("WAV, 24-bit") and "requantised" not in dialog.format_label.text()


def test_fewer_bits_than_the_recording_are_said(qtbot, taken, tmp_path):
    sound, rate = soundfile.read(taken.document.source.path)
    soundfile.write(tmp_path / "deep.wav", sound, rate, "PCM_24")
    with Source.open(tmp_path / "deep.wav") as source:
        dialog = ExportDialog(replace(taken.document.takes[0].take, source=source), "x")
        qtbot.addWidget(dialog)
        assert "as the recording" in dialog.format_label.text()
        dialog.bits.setCurrentIndex(1)
        assert "every sample is requantised, with dither" in dialog.format_label.text()


def test_the_dialog_names_no_option_of_the_command_line(qtbot, taken, tmp_path):
    sound, rate = soundfile.read(taken.document.source.path)
    sound[-1] = 1.5
    soundfile.write(tmp_path / "loud.wav", sound, rate, "FLOAT")
    with Source.open(tmp_path / "loud.wav") as source:
        dialog = ExportDialog(replace(taken.document.takes[0].take, source=source), "x")
        qtbot.addWidget(dialog)
        dialog.bits.setCurrentIndex(1)
        dialog.start()
        qtbot.waitUntil(lambda: dialog.problem.isVisibleTo(dialog), timeout=20_000)
        assert "exceeds full scale" in dialog.problem.text() and "--" not in dialog.problem.text()
        qtbot.waitUntil(lambda: dialog.write.isEnabled(), timeout=20_000)


def test_the_stems_lie_beside_the_take_until_another_folder_is_chosen(qtbot, taken, tmp_path):
    dialog = opened_dialog(taken)
    folder = tmp_path / "out"
    folder.mkdir()
    dialog.file.setText(str(folder / "mine.wav"))
    assert Path(dialog.folder.text()) == folder / "mine stems"
    dialog.stems.setChecked(True)
    dialog.folder.selectAll()
    qtbot.keyClicks(dialog.folder, str(tmp_path / "parts"))
    dialog.file.setText(str(folder / "other.wav"))
    assert Path(dialog.folder.text()) == tmp_path / "parts"
    dialog.reject()
