"""Saving from the window: names, waiting with progress, and the questions before something is left or written over."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QFileDialog, QMessageBox

from recomposer_studio.project.kept import home_of
from recomposer_studio.studio.fields import commit_field
from recomposer_studio.studio.places import proposed_folder
from recomposer_studio.studio.plain import as_plain
from recomposer_studio.studio.project_jobs import Outcome
from recomposer_studio.studio.projects import SUFFIX
from recomposer_studio.studio.views.saving_dialog import SavingDialog

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window

DIALOG_MS = 400
"""A save on leaving that takes longer than this shows how far it is."""


def name_of(window: "Window") -> str:
    """What is open, in a word: the project, or the recording."""
    source = window.document.source
    if source is None:
        return ""
    return window.projects.path.name if window.projects.path else home_of(source).name


def is_project(path: Path) -> bool:
    """Whether a file is opened as a project."""
    return path.suffix.lower() == SUFFIX


def save_project(window: "Window", anew: bool = False) -> None:
    """Saves the project, asking for a name where it has none."""
    path = _path_to_save(window, anew)
    if path is not None:
        _save(window, path, False)


def may_close(window: "Window", *, ending: bool = False) -> bool:
    """Makes sure that what is open may go: a project is saved without a question, work without a file is asked about.

    Args:
        window: the window.
        ending: whether the window goes too. A render ends then before the project is saved, so that what stays of its take is in the
            file; whoever answers Cancel instead of saving keeps the render.
    """
    commit_field(window)
    projects = window.projects
    buttons = QMessageBox.StandardButton
    if ending and projects.path is not None:
        window.generating.cancel()
    if projects.stale:
        outcome = _save_and_wait(window, None)
        if outcome is Outcome.REPLACED:
            return False
        return outcome is Outcome.SAVED or _may_lose(window, outcome)
    if not projects.unsaved:
        return True
    answer = QMessageBox.question(
        window, window.tr("Save the project?"),
        as_plain(window.tr("The work on {0} is in no file yet. Save it as a project?").format(name_of(window))),
        buttons.Save | buttons.Discard | buttons.Cancel, buttons.Save,
    )  # fmt: skip
    if answer == buttons.Discard:
        _drop(window)
    if answer != buttons.Save:
        return answer == buttons.Discard
    path = _path_to_save(window, True)
    if path is None:
        return False
    if ending:
        window.generating.cancel()
    return _save_and_wait(window, path) is Outcome.SAVED


def note_saved(window: "Window", path: Path, quietly: bool) -> None:
    """A project was saved: it is a recent file."""
    window.settings = window.settings.with_file(path)
    window.settings_file.write(window.settings)
    if not quietly:
        window.messages.tell(window.tr("Saved {0}.").format(path))


def _save(window: "Window", path: Path, over: bool) -> None:
    def ended(outcome: Outcome) -> None:
        if outcome is Outcome.REPLACED:
            chosen = _ask_about_replaced(window, path, False)
            if isinstance(chosen, tuple):
                _save(window, *chosen)

    window.projects.save(path, over=over, ended=ended)


def _save_and_wait(window: "Window", path: Path | None) -> Outcome:
    """Saves before something is left, keeps the window alive meanwhile, and tells how it ended.

    Returns:
        REPLACED when the person stays; SAVED also when nothing is left to be saved.
    """
    over = False
    while True:
        outcomes: list[Outcome] = []
        if not window.projects.save(path, over=over, ended=outcomes.append):
            return Outcome.FAILED
        _wait(window, (path or window.projects.path or Path()).name)
        outcome = outcomes[0] if outcomes else Outcome.STOPPED
        if outcome is not Outcome.REPLACED:
            return outcome
        if not window.projects.dirty:
            return Outcome.SAVED  # only where it was looked at: no question is worth that
        chosen = _ask_about_replaced(window, path or window.projects.path or Path(), True)
        if chosen is None:
            return outcome
        if chosen == "discard":
            _drop(window)
            return Outcome.SAVED
        path, over = chosen


def _drop(window: "Window") -> None:
    """What is open is not to be kept, nor is what a render or a detection would still bring before it is left."""
    window.generating.cancel()
    window.detecting.cancel()
    window.projects.drop()


def _wait(window: "Window", name: str) -> None:
    """Until nothing is being saved any more, or the person has stopped it; first without a dialog, which would flash."""
    projects, loop = window.projects, QEventLoop()
    patience = QTimer(singleShot=True, interval=DIALOG_MS)
    patience.timeout.connect(loop.quit)

    def look() -> None:
        if not projects.saving:
            loop.quit()

    projects.changed.connect(look)
    patience.start()
    # What is typed meanwhile waits.
    loop.exec(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)
    projects.changed.disconnect(look)
    if projects.saving:
        dialog = SavingDialog(projects, name, window)
        dialog.exec()
        dialog.deleteLater()


def _may_lose(window: "Window", outcome: Outcome) -> bool:
    """Asks whether to go on although the project file lacks the last changes."""
    if not window.projects.kept:
        words = window.tr("{0} could not be saved anywhere. Your last changes will be lost. Go on?")
    elif outcome is Outcome.STOPPED:
        words = window.tr(
            "Saving {0} was stopped. The work is kept on this computer and offered at the next start. Go on?"
        )
    else:
        words = window.tr(
            "{0} could not be saved. The work is kept on this computer and offered at the next start. Go on?"
        )
    buttons = QMessageBox.StandardButton
    answer = QMessageBox.question(
        window, window.tr("Not saved"), as_plain(words.format(name_of(window))), buttons.Yes | buttons.No, buttons.No
    )
    return answer == buttons.Yes


def _ask_about_replaced(window: "Window", path: Path, leaving: bool) -> tuple[Path, bool] | Literal["discard"] | None:
    """Another program has changed the project file: asks what is to become of both.

    Args:
        window: where the project is open.
        path: the file.
        leaving: whether the project is being left, so that what is open may also be discarded.

    Returns:
        Where to save and whether over the file that is there; None when that is left for later.
    """
    box = QMessageBox(QMessageBox.Icon.Warning, window.tr("The project has changed"), "", parent=window)
    box.setTextFormat(Qt.TextFormat.PlainText)
    words = window.tr("Another program or computer has changed {0} since it was opened or saved here.")
    box.setText(words.format(path.name))
    if leaving:
        more = window.tr(
            "Save under another name to keep both, replace what is there by what is open here, or discard what you "
            "changed here since. Nothing was written yet."
        )
    else:
        more = window.tr(
            "Save under another name to keep both, or replace what is there by what is open here. Nothing was written yet."
        )
    box.setInformativeText(more)
    anew = box.addButton(window.tr("&Save as ..."), QMessageBox.ButtonRole.AcceptRole)
    over = box.addButton(window.tr("&Replace it"), QMessageBox.ButtonRole.DestructiveRole)
    discard = box.addButton(window.tr("&Discard"), QMessageBox.ButtonRole.DestructiveRole) if leaving else None
    box.addButton(QMessageBox.StandardButton.Cancel)
    for button in box.buttons():
        button.setAccessibleName(button.text().replace("&", ""))
    box.setDefaultButton(anew)
    box.exec()
    clicked = box.clickedButton()
    box.deleteLater()
    if clicked is over:
        return path, True
    if discard is not None and clicked is discard:
        return "discard"
    if clicked is anew:
        other = _path_to_save(window, True)
        return None if other is None else (other, False)
    return None


def _path_to_save(window: "Window", anew: bool) -> Path | None:
    source, path = window.document.source, window.projects.path
    if source is None:
        return None
    if path is not None and not anew and not window.document.read_only:
        return path
    proposal = str(path or proposed_folder(source) / home_of(source).with_suffix(SUFFIX).name)
    kinds = f"{window.tr('Projects')} (*{SUFFIX})"
    name, _ = QFileDialog.getSaveFileName(window, window.tr("Save the project"), proposal, kinds)
    if not name:
        return None
    path = Path(name)
    return path if is_project(path) else with_ending(window, path, SUFFIX)


def with_ending(window: "Window", path: Path, ending: str) -> Path | None:
    """The name from a file dialog with an ending; None where that file exists and is to stay, for the dialog asked about the bare name."""
    path = path.with_name(path.name + ending)
    words = as_plain(window.tr("{0} exists. Replace it?").format(path.name))
    if path.exists() and QMessageBox.question(window, window.tr("Replace?"), words) != QMessageBox.StandardButton.Yes:
        return None
    return path
