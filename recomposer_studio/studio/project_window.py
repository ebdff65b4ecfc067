"""The project's side of the window: title, menus, questions, and what is looked at."""

import math
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from PySide6.QtCore import QDateTime, QLocale, Qt, QTimer
from PySide6.QtWidgets import QFileDialog, QMessageBox

from recomposer_studio.project.store.contents import View
from recomposer_studio.project.store.home import Home, Left
from recomposer_studio.project.store.locate import Found
from recomposer_studio.studio.document import ORIGINAL
from recomposer_studio.studio.project_jobs import Opening
from recomposer_studio.studio.project_saving import is_project, may_close, name_of, note_saved, save_project
from recomposer_studio.studio.projects import SUFFIX, Projects
from recomposer_studio.studio.verbs import Area
from recomposer_studio.studio.views.messages import Offer
from recomposer_studio.studio.views.recovery_dialog import RecoveryDialog
from recomposer_studio.studio.views.relink_dialog import RelinkDialog

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window

__all__ = ["connect_projects", "is_project", "make_projects", "may_close", "open_project", "save_project", "show"]

RECORDINGS = "*.wav *.flac *.aif *.aiff *.aifc *.ogg *.oga *.opus *.mp3 *.caf *.w64 *.rf64 *.au"
OPENING_MS = 700
"""A project that takes longer to open than this is told of, with a way to stop."""
_NEED_PROJECT = ("save_project", "save_project_as", "embed", "relink")
_NEED_WRITABLE = (
    "save_project", "embed", "relink", "generate", "variations", "rerun", "paste_recipe", "duplicate_take", "detect", "find_similar",
)  # fmt: skip
"""What would work for a while, or make something new, only for it to be refused in a project that is read-only."""


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
    projects.locked.connect(lambda opening: _ask_about_lock(window, opening))
    projects.missing.connect(lambda opening: _ask_for_recording(window, opening))
    projects.opened.connect(lambda path: _opened(window, path))
    projects.saved.connect(lambda path, quietly: note_saved(window, path, quietly))
    projects.left_found.connect(lambda lefts: _offer(window, lefts))
    _tell_of_opening(window)
    for signal in (
        window.timeline.view.changed, document.selection_changed, document.area_changed, document.heard_changed,
    ):  # fmt: skip
        signal.connect(projects.note_view)


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
        actions.enable(_NEED_WRITABLE, False)
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


def open_project(window: "Window", path: Path) -> bool:
    """Begins to open a project file in place of what is open; what goes wrong is told in the message bar."""
    if window.projects.busy:
        words = window.tr("Another project is just being opened; wait for it, or press Esc, and open {0} again.")
        window.messages.refuse(words.format(path.name))
        return False
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
    dialog.words.setText(
        window.tr("Choose the file of {0}.").format(
            PureWindowsPath(project.recording.origin or project.recording.path).name
        )
    )
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


def _ask_about_lock(window: "Window", opening: Opening) -> None:
    """Another computer has locked the project, or left its lock behind when it crashed: only the person can know."""
    holder, name = opening.holder, opening.file.name
    assert holder is not None
    since = QDateTime.fromSecsSinceEpoch(round(holder.since.timestamp()))
    when = window.locale().toString(since, QLocale.FormatType.ShortFormat)
    box = QMessageBox(QMessageBox.Icon.Question, window.tr("Locked project"), "", parent=window)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(window.tr("The computer {0} has locked {1} since {2}.").format(holder.computer, name, when))
    box.setInformativeText(
        window.tr(
            "While the project is open there, open it read-only. If nobody works on it there, a crash has left the lock behind, and"
            " it can be removed."
        )
    )
    look = box.addButton(window.tr("Open &read-only"), QMessageBox.ButtonRole.AcceptRole)
    remove = box.addButton(window.tr("Re&move the lock and open"), QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    for button in box.buttons():
        button.setAccessibleName(button.text().replace("&", ""))
    box.setDefaultButton(look)

    def answered() -> None:
        if box.clickedButton() in (look, remove):
            window.projects.unlock(opening, box.clickedButton() is remove)
        else:
            window.projects.give_up(opening)

    box.finished.connect(answered)
    box.open()


def _tell_of_opening(window: "Window") -> None:
    """Offers to stop opening a project that takes its time."""
    projects, messages = window.projects, window.messages
    patience = QTimer(window, singleShot=True)
    offers: list[Offer] = []

    def follow() -> None:
        if not projects.busy:
            patience.stop()
            messages.withdraw(offers)
            offers.clear()
        elif not patience.isActive() and not offers:
            patience.start(OPENING_MS)

    def tell() -> None:
        file = projects.opening_file
        offers[:] = [Offer(window.tr("Cancel"), projects.stop_opening)]
        words = window.tr("Opening {0} ...").format(file.name if file else window.tr("unsaved work"))
        messages.tell(words, offers, lasting=True)

    projects.changed.connect(follow)
    patience.timeout.connect(tell)


def _opened(window: "Window", path: Path | None) -> None:
    if path is not None:
        window.settings = window.settings.with_file(path)
        window.settings_file.write(window.settings)
    if window.document.read_only:
        words = window.tr(
            "The project {0} is open elsewhere, so it is read-only here; File > Save project as makes a copy."
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
