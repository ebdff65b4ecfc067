"""What each action does."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio import __version__
from recomposer_studio.project.kept import home_of
from recomposer_studio.roll.event import Action
from recomposer_studio.studio import project_window, wiring
from recomposer_studio.studio.actions import keys_as_html
from recomposer_studio.studio.document import ORIGINAL
from recomposer_studio.studio.label_files import filters
from recomposer_studio.studio.moves import moves
from recomposer_studio.studio.reports import Reports
from recomposer_studio.studio.take_actions import entry_of, take_handlers
from recomposer_studio.studio.verbs import Area
from recomposer_studio.studio.views.export_dialog import ExportDialog

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window

_STEP, _FAR = 0.02, 0.25
"""Arrow keys move by these shares of what is on the screen."""


def handlers(window: "Window") -> dict[str, Callable[..., None]]:
    """Action id -> what it does to a window."""
    document, listening, editing = window.document, window.listening, window.editing
    view = window.timeline.view
    return {
        "open": lambda: project_window.open_dialog(window),
        "save_project": lambda: project_window.save_project(window),
        "save_project_as": lambda: project_window.save_project(window, True),
        "embed": window.projects.set_embedded,
        "relink": lambda: project_window.relink(window),
        "recover": lambda: project_window.recover(window),
        "demo": window.open_demo,
        "open_roll": lambda: _open_roll(window),
        "save_roll": window.save_roll,
        "save_roll_as": lambda: window.save_roll(True),
        "export": lambda: show_export(window),
        "quit": lambda: _quit(window),
        "undo": document.undo_stack.undo,
        "redo": document.undo_stack.redo,
        "cut": editing.cut,
        "copy": editing.copy,
        "paste": lambda: editing.paste(listening.position_s),
        "select_all": editing.select_all,
        "select_class": editing.select_class,
        "tool_select": lambda on: window.timeline.set_drawing(not on),
        "tool_draw": window.timeline.set_drawing,
        **moves(window),
        "new": editing.new,
        "class": window.inspector.edit_class,
        "insert": lambda: wiring.act(window, Action.INSERT),
        "delete_sound": lambda: wiring.act(window, Action.DELETE),
        "enhance": lambda: wiring.act(window, Action.ENHANCE),
        "keep": lambda: wiring.act(window, Action.KEEP),
        "detect": window.detecting.detect,
        "find_similar": lambda: wiring.find_similar(window),
        "check_rows": lambda: wiring.check_rows(window),
        "accept": window.suggestions.accept,
        "reject": window.suggestions.reject,
        "accept_all": window.suggestions.accept_all,
        "mute": editing.mute,
        "duplicate": editing.duplicate,
        "split": lambda: editing.split(listening.position_s),
        "join": editing.join,
        "remove": editing.remove,
        "previous": lambda: _neighbour(window, -1),
        "next": lambda: _neighbour(window, 1),
        "play": lambda: _play(window),
        "play_marked": listening.play_marked,
        "loop": listening.set_looping,
        "original": lambda: document.hear(ORIGINAL),
        "last_two": listening.last_two,
        "difference": lambda: document.hear(document.heard, not document.difference),
        "to_start": lambda: _seek(window, 0.0),
        "to_end": lambda: _seek(window, document.duration_s),
        "back": lambda: _seek(window, listening.position_s - _STEP * view.span_s),
        "forward": lambda: _seek(window, listening.position_s + _STEP * view.span_s),
        "far_back": lambda: _seek(window, listening.position_s - _FAR * view.span_s),
        "far_forward": lambda: _seek(window, listening.position_s + _FAR * view.span_s),
        "mark_start": lambda: _mark(window, True),
        "mark_end": lambda: _mark(window, False),
        "generate": window.contradictions_told.generate,
        "cancel": lambda: wiring.cancel(window),
        **take_handlers(window),
        "zoom_in": lambda: view.zoom(1.5, _zoom_centre(window)),
        "zoom_out": lambda: view.zoom(1 / 1.5, _zoom_centre(window)),
        "zoom_marked": lambda: _zoom_marked(window),
        "zoom_all": lambda: view.show_span(0.0, document.duration_s),
        "keys": lambda: _show_text(window, window.tr("Keys"), keys_as_html()),
        "report": lambda: Reports.of(window).show_report(),
        "log_folder": lambda: Reports.of(window).show_log_folder(),
        "about": lambda: _about(window),
    }


# --- files ------------------------------------------------------------------------------------------------------------


def _quit(window: "Window") -> None:
    window.close()


def _open_roll(window: "Window") -> None:
    source = window.document.source
    folder = str(home_of(source).parent) if source else ""
    name, _ = QFileDialog.getOpenFileName(window, window.tr("Open a roll"), folder, filters(window))
    if name:
        window.open(Path(name))


def show_export(window: "Window") -> None:
    """Opens the export dialog for the take that is heard."""
    entry = window.document.current_take
    if entry is None:
        return
    area = window.document.area
    marked_s = (area.start_s, area.end_s) if area is not None and area.span_s > 0 else None
    dialog = ExportDialog(entry.take, entry.name, window, marked_s=marked_s, choices=window.export_choices)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.accepted.connect(lambda: setattr(window, "export_choices", dialog.choices))
    dialog.exported.connect(window.messages.tell)
    take_id = entry.id
    dialog.lower_requested.connect(lambda event_id, by_db: _lower(window, dialog, take_id, event_id, by_db))
    dialog.open()


def _lower(window: "Window", dialog: ExportDialog, take_id: int, event_id: str, by_db: float) -> None:
    """Lowers an event of the take that is exported, which need not be the one that is heard by now, and exports again."""
    entry = entry_of(window, take_id)
    if entry is None or all(layer.event.id != event_id for layer in entry.take.layers):
        dialog.refuse_lower(
            window.tr("This sound is no longer in the list of takes; close this and export another take.")
        )
    elif window.document.read_only:
        dialog.refuse_lower(window.tr("This project is read-only here, so its takes stay as they are; write float."))
    elif entry.locked:
        words = window.tr("{0} is locked, so it stays as it is; write float, or close this and unlock it first.")
        dialog.refuse_lower(words.format(entry.name))
    else:
        gain_db = dialog.take.layer(event_id).event.gain_db + by_db
        window.document.mix_take(entry, window.tr("Lower for the export"), event_id, gain_db=gain_db)
        lowered = entry_of(window, take_id)
        assert lowered is not None
        dialog.take = lowered.take
        dialog.start()


# --- moving about -----------------------------------------------------------------------------------------------------


def _play(window: "Window") -> None:
    # A button that was reached with the Tab key is pressed with Space, as everywhere else.
    focus = QApplication.focusWidget()
    if isinstance(focus, QAbstractButton):
        focus.click()
    else:
        window.listening.toggle()
        if window.listening.player.playing:
            at_s = window.listening.position_s
            window.timeline.view.reveal(at_s, at_s)


def _seek(window: "Window", time_s: float) -> None:
    time_s = min(max(time_s, 0.0), window.document.duration_s)
    window.listening.seek(time_s)
    window.timeline.view.reveal(time_s, time_s)


def _neighbour(window: "Window", step: int) -> None:
    event = window.suggestions.neighbour(step)
    if event is not None:
        window.timeline.view.reveal(event.start_s, event.end_s)
        window.listening.play_around(event.start_s, event.end_s)


def _mark(window: "Window", start: bool) -> None:
    at_s, area = window.listening.position_s, window.document.area
    other_s = (area.end_s if start else area.start_s) if area else (window.document.duration_s if start else 0.0)
    first, last = (at_s, other_s) if start else (other_s, at_s)
    if first < last:
        window.document.mark(replace(area, start_s=first, end_s=last) if area else Area(first, last))


def _zoom_centre(window: "Window") -> float:
    view, at_s = window.timeline.view, window.listening.position_s
    # The end of the view is a sum, and may be a little less than the end of the recording.
    margin_s = 1e-6 * view.span_s
    inside = view.start_s - margin_s <= at_s <= view.end_s + margin_s
    return at_s if inside else (view.start_s + view.end_s) / 2


def _zoom_marked(window: "Window") -> None:
    document, area = window.document, window.document.area
    events = document.selected_events
    if area is not None and area.span_s > 0:
        first, last = area.start_s, area.end_s
    elif events:
        first, last = min(event.start_s for event in events), max(event.end_s for event in events)
    else:
        return
    margin = 0.1 * (last - first)
    window.timeline.view.show_span(first - margin, last - first + 2 * margin)


# --- help -------------------------------------------------------------------------------------------------------------


def _about(window: "Window") -> None:
    words = window.tr(
        "<h3>Recomposer Studio {0}</h3><p>Edits single sound events inside recordings: delete, insert and enhance them on"
        " an event roll. Outside the edited regions every sample stays as it was.</p>"
        "<p>Licensed under the Apache License 2.0.</p>"
    )
    _show_text(window, window.tr("About Recomposer Studio"), words.format(__version__))


def _show_text(window: "Window", title: str, html: str) -> None:
    browser = QTextBrowser()
    browser.setHtml(html)
    browser.setAccessibleName(title)
    _dialog(window, title, browser).open()


def _dialog(window: "Window", title: str, content: QWidget) -> QDialog:
    dialog = QDialog(window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    dialog.resize(560, 520)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    layout = QVBoxLayout(dialog)
    layout.addWidget(content)
    layout.addWidget(buttons)
    return dialog
