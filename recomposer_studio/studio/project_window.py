"""The project's side of the window: title, menus, questions, and what is looked at."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox

from recomposer_studio.project.store.contents import View
from recomposer_studio.project.store.home import Home, Left
from recomposer_studio.project.store.locate import Found
from recomposer_studio.studio.document import ORIGINAL
from recomposer_studio.studio.plain import as_plain
from recomposer_studio.studio.project_jobs import Opening
from recomposer_studio.studio.projects import SUFFIX, Projects
from recomposer_studio.studio.verbs import Area
from recomposer_studio.studio.views.recovery_dialog import RecoveryDialog
from recomposer_studio.studio.views.relink_dialog import RelinkDialog

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window

RECORDINGS = "*.wav *.flac *.aif *.aiff *.aifc *.ogg *.oga *.opus *.mp3 *.caf *.w64 *.rf64 *.au"
_NEED_PROJECT = ("save_project", "save_project_as", "embed", "relink")


def make_projects(window: "Window") -> Projects:
    """The projects of a window; working folders lie beside settings that are not the user's own."""
    return Projects(
        window.document,
        Home(window.settings_file.data_folder / "projects"),
        lambda: look(window),
        lambda view: show(window, view),
    )


def connect_projects(window: "Window") -> None:
    """Lets the projects and the window find each other."""
    projects, document = window.projects, window.document
    projects.changed.connect(window._refresh)
    projects.told.connect(window.messages.tell)
    projects.failed.connect(window.messages.fail)
    projects.missing.connect(lambda opening: _ask_for_recording(window, opening))
    projects.opened.connect(lambda path: _opened(window, path))
    projects.saved.connect(lambda path, quietly: _saved(window, path, quietly))
    projects.left_found.connect(lambda lefts: _offer(window, lefts))
    for signal in (
        window.timeline.view.changed, document.selection_changed, document.area_changed, document.heard_changed,
    ):  # fmt: skip
        signal.connect(projects.note_view)


def name_of(window: "Window") -> str:
    """What is open, in a word: the project, or the recording."""
    source = window.document.source
    if source is None:
        return ""
    return window.projects.path.name if window.projects.path else source.path.name


def refresh(window: "Window") -> None:
    """Title, and which actions make sense now."""
    document, projects, actions = window.document, window.projects, window.actions_
    there = document.source is not None
    read_only = window.tr(" (read-only)") if document.read_only else ""
    title = f"{name_of(window)}[*]{read_only} \u2013 " if there else ""
    window.setWindowTitle(f"{title}Recomposer Studio")
    window.setWindowModified(there and (projects.dirty if projects.path else projects.unsaved))
    actions.enable(_NEED_PROJECT, there and not projects.busy)
    if document.read_only:
        actions.enable(("save_project", "embed", "relink", "generate", "variations", "rerun"), False)
    embed = actions["embed"]
    if embed.isChecked() != projects.embedded:
        embed.blockSignals(True)
        embed.setChecked(projects.embedded)
        embed.blockSignals(False)
    if projects.busy:
        window.setCursor(Qt.CursorShape.BusyCursor)
    else:
        window.unsetCursor()


# --- opening ----------------------------------------------------------------------------------------------------------


def is_project(path: Path) -> bool:
    """Whether a file is opened as a project."""
    return path.suffix.lower() == SUFFIX


def open_project(window: "Window", path: Path) -> bool:
    """Begins to open a project file in place of what is open; what goes wrong is told in the message bar."""
    if not may_close(window):
        return False
    window.messages.clear()
    return window.projects.open(path)


def open_dialog(window: "Window") -> None:
    """Asks for a recording or a project and opens it."""
    recent = window.settings.recent_files
    folder = str(Path(recent[0]).parent) if recent else ""
    kinds = ";;".join(
        (
            f"{window.tr('Recordings and projects')} ({RECORDINGS} *{SUFFIX})",
            f"{window.tr('Projects')} (*{SUFFIX})",
            f"{window.tr('All files')} (*)",
        )
    )
    name, _ = QFileDialog.getOpenFileName(window, window.tr("Open"), folder, kinds)
    if name:
        window.open(Path(name))


def recover(window: "Window") -> None:
    """Offers unsaved work, or says that there is none."""
    window.projects.left_found.connect(
        lambda lefts: None if lefts else window.messages.tell(window.tr("There is no unsaved work.")),
        Qt.ConnectionType.SingleShotConnection,
    )
    window.projects.find_left()


def relink(window: "Window") -> None:
    """Asks which file is the recording."""
    project = window.projects.present
    if project is None:
        return
    dialog = RelinkDialog(project.recording, Found(None), window.projects.compare, _kinds(window), window)
    dialog.words.setText(window.tr("Choose the file of {0}.").format(Path(project.recording.path).name))
    window.projects.failed.connect(dialog.refuse)
    dialog.chosen.connect(window.projects.relink)
    dialog.open()


def _kinds(window: "Window") -> str:
    return f"{window.tr('Recordings')} ({RECORDINGS});;{window.tr('All files')} (*)"


def _ask_for_recording(window: "Window", opening: Opening) -> None:
    assert opening.reader is not None
    projects = window.projects
    dialog = RelinkDialog(opening.reader.recording, opening.found, projects.compare, _kinds(window), window)
    projects.failed.connect(dialog.refuse)
    dialog.chosen.connect(lambda found: projects.proceed(opening, found))
    dialog.rejected.connect(lambda: projects.give_up(opening))
    dialog.open()


def _opened(window: "Window", path: Path | None) -> None:
    if path is not None:
        window.settings = window.settings.with_file(path)
        window.settings_file.write(window.settings)
    if window.document.read_only:
        words = window.tr(
            "The project {0} is open in another window, so it is read-only here; File > Save project as makes a copy."
        )
        window.messages.tell(words.format(name_of(window)))
    window.timeline.spectrogram.setFocus()
    window._refresh()


def _offer(window: "Window", lefts: list[Left]) -> None:
    if not lefts:
        return
    dialog = RecoveryDialog(lefts, window)
    dialog.chosen.connect(lambda left: _recover(window, left))
    dialog.open()


def _recover(window: "Window", left: Left) -> None:
    since = window.projects.saved_since(left)  # before this window saves what it looks at
    if may_close(window):
        window.projects.recover(left, since)
    else:
        left.place.leave()


# --- saving and closing -----------------------------------------------------------------------------------------------


def save_project(window: "Window", anew: bool = False) -> None:
    """Saves the project, asking for a name where it has none."""
    path = _path_to_save(window, anew)
    if path is not None:
        window.projects.save(path)


def may_close(window: "Window") -> bool:
    """Makes sure that what is open may go: a project is saved without a question, work without a file is asked about."""
    projects = window.projects
    buttons = QMessageBox.StandardButton
    if projects.stale and not projects.save_now():
        words = (
            window.tr("{0} could not be saved. The work is kept on this computer and offered at the next start. Go on?")
            if projects.kept
            else window.tr("{0} could not be saved anywhere. Your last changes will be lost. Go on?")
        )
        answer = QMessageBox.question(
            window,
            window.tr("Not saved"),
            as_plain(words.format(name_of(window))),
            buttons.Yes | buttons.No,
            buttons.No,
        )
        return answer == buttons.Yes
    if not projects.unsaved:
        return True
    answer = QMessageBox.question(
        window, window.tr("Save the project?"),
        as_plain(window.tr("The work on {0} is in no file yet.").format(name_of(window))),
        buttons.Save | buttons.Discard | buttons.Cancel, buttons.Save,
    )  # fmt: skip
    if answer == buttons.Save:
        path = _path_to_save(window, True)
        return path is not None and projects.save_now(path)
    if answer == buttons.Discard:
        projects.drop()
    return answer == buttons.Discard


def _path_to_save(window: "Window", anew: bool) -> Path | None:
    source, path = window.document.source, window.projects.path
    if source is None:
        return None
    if path is not None and not anew and not window.document.read_only:
        return path
    proposal = str(path or source.path.with_suffix(SUFFIX))
    kinds = f"{window.tr('Projects')} (*{SUFFIX})"
    name, _ = QFileDialog.getSaveFileName(window, window.tr("Save the project"), proposal, kinds)
    if not name:
        return None
    path = Path(name)
    if is_project(path):
        return path
    path = path.with_name(path.name + SUFFIX)
    buttons = QMessageBox.StandardButton
    # The dialog asked about the name without the ending.
    words = as_plain(window.tr("{0} exists. Replace it?").format(path.name))
    if path.exists() and QMessageBox.question(window, window.tr("Replace?"), words) != buttons.Yes:
        return None
    return path


def _saved(window: "Window", path: Path, quietly: bool) -> None:
    window.settings = window.settings.with_file(path)
    window.settings_file.write(window.settings)
    if not quietly:
        window.messages.tell(window.tr("Saved {0}.").format(path))


# --- what is looked at ------------------------------------------------------------------------------------------------


def look(window: "Window") -> View:
    """What is looked at and listened to now."""
    document, view, area = window.document, window.timeline.view, window.document.area
    entry = document.current_take
    return View(
        view.start_s,
        view.span_s,
        window.listening.position_s,
        document.selected,
        (area.start_s, area.end_s, area.low_hz, area.high_hz) if area else None,
        entry.id if entry else 0,
        document.difference,
    )


def show(window: "Window", view: View) -> None:
    """Shows again what was looked at; a view that makes no sense, which a file may hold, is passed over."""
    document, timeline = window.document, window.timeline
    numbers = [entry.id for entry in document.takes]
    document.hear(numbers.index(view.heard) + 1 if view.heard in numbers else ORIGINAL, view.difference)
    present = {event.id for event in document.roll.events}
    document.select([event_id for event_id in view.selected if event_id in present])
    times = (view.start_s, view.span_s, view.playhead_s, *(view.marked or ()))
    if not all(math.isfinite(time_s) for time_s in times if time_s is not None):
        return
    if view.marked is not None:
        area = Area(*view.marked)
        low_hz, high_hz = area.low_hz or 0.0, math.inf if area.high_hz is None else area.high_hz
        if 0.0 <= area.start_s <= area.end_s <= document.duration_s and 0.0 <= low_hz < high_hz:
            document.mark(area)
    if view.span_s > 0.0:
        timeline.view.show_span(view.start_s, view.span_s)
    window.listening.seek(min(max(view.playhead_s, 0.0), document.duration_s))
