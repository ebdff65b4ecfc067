"""The window: puts the views together and lets actions, document, listening and rendering find each other."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QByteArray, QPoint, Qt
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QFileDialog,
    QMainWindow,
    QMenu,
    QMessageBox,
    QStackedWidget,
    QToolBar,
    QUndoView,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.data import data_folder
from recomposer_studio.errors import InputError
from recomposer_studio.studio.actions import TOOL_BAR, Actions
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.editing import Editing
from recomposer_studio.studio.generating import Generating
from recomposer_studio.studio.handlers import handlers
from recomposer_studio.studio.imaging import Imaging
from recomposer_studio.studio.listening import Listening
from recomposer_studio.studio.player import Output, open_output
from recomposer_studio.studio.scale import ScaleKind
from recomposer_studio.studio.settings import SettingsFile
from recomposer_studio.studio.theme import apply_theme
from recomposer_studio.studio.view_menu import fill_view_menu
from recomposer_studio.studio.views.inspector import Inspector
from recomposer_studio.studio.views.messages import MessageBar
from recomposer_studio.studio.views.status import Status
from recomposer_studio.studio.views.table import RowsPanel
from recomposer_studio.studio.views.takes import TakesPanel
from recomposer_studio.studio.views.timeline import Timeline
from recomposer_studio.studio.views.welcome import Welcome

NEED_RECORDING = (
    "open_roll", "save_roll", "save_roll_as", "paste", "select_all", "tool_select", "tool_draw", "new", "play",
    "play_marked", "loop", "original", "last_two", "to_start", "to_end", "back", "forward", "far_back", "far_forward",
    "mark_start", "mark_end", "zoom_in", "zoom_out", "zoom_marked", "zoom_all", "previous", "next",
)  # fmt: skip
NEED_SELECTION = (
    "class", "insert", "delete_sound", "enhance", "keep", "mute", "duplicate", "split", "remove", "copy",
    "select_class",
)  # fmt: skip
NEED_TAKE = ("difference", "rerun", "recipe", "remove_take", "export")


class Window(QMainWindow):
    """The Studio.

    Args:
        settings: what is remembered.
        open_output: gives the sound output for a sample rate.
    """

    def __init__(
        self,
        settings: SettingsFile | None = None,
        open_output: Callable[[int], tuple[Output, str]] = open_output,
    ) -> None:
        super().__init__()
        self.settings_file = settings or SettingsFile()
        self.settings = self.settings_file.read()
        self.document = Document(self)
        self.imaging = Imaging(self.document)
        self.listening = Listening(self.document, open_output)
        self.generating = Generating(self.document)
        self.editing = Editing(self.document)
        self._build()
        self.actions_ = Actions(self, self.timeline, handlers(self))
        self.actions_.fill(self.menuBar())
        fill_view_menu(self, self.actions_.menus["view"])
        self._build_tool_bar()
        self._connect()
        self._apply_settings()
        self._opened()

    # --- putting together --------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.resize(1440, 860)
        self.setAcceptDrops(True)
        self.setDockOptions(QMainWindow.DockOption.AllowTabbedDocks | QMainWindow.DockOption.AnimatedDocks)
        self.messages = MessageBar()
        self.welcome = Welcome()
        self.timeline = Timeline(self.document)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(self.timeline)
        middle = QWidget()
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.messages)
        layout.addWidget(self.pages, 1)
        self.setCentralWidget(middle)
        self.inspector = Inspector(self.document)
        self.takes = TakesPanel(self.document)
        self.rows = RowsPanel(self.document)
        self.history = QUndoView(self.document.undo_stack)
        self.history.setEmptyLabel(self.tr("As opened"))
        self.history.setAccessibleName(self.tr("History"))
        right, bottom = Qt.DockWidgetArea.RightDockWidgetArea, Qt.DockWidgetArea.BottomDockWidgetArea
        self.docks = [
            self._dock("event", self.tr("Event"), self.inspector, right),
            self._dock("takes", self.tr("Takes"), self.takes, right),
            self._dock("rows", self.tr("Rows"), self.rows, bottom),
            self._dock("history", self.tr("History"), self.history, bottom),
        ]
        self.setCorner(Qt.Corner.BottomRightCorner, right)
        self.resizeDocks(self.docks[:2], [400, 400], Qt.Orientation.Horizontal)
        self.resizeDocks(self.docks[:2], [210, 520], Qt.Orientation.Vertical)
        self.resizeDocks(self.docks[2:], [165, 165], Qt.Orientation.Vertical)
        self.resizeDocks(self.docks[2:], [820, 200], Qt.Orientation.Horizontal)
        self.status = Status()
        self.statusBar().addPermanentWidget(self.status, 1)
        self.statusBar().setSizeGripEnabled(False)

    def _dock(self, name: str, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setAccessibleName(title)
        dock.setWidget(widget)
        dock.setFeatures(
            QDockWidget.DockWidgetFeature.DockWidgetMovable | QDockWidget.DockWidgetFeature.DockWidgetClosable
        )
        self.addDockWidget(area, dock)
        return dock

    def _build_tool_bar(self) -> None:
        bar = QToolBar(self.tr("Tools"))
        bar.setObjectName("tools")
        bar.setMovable(False)
        bar.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.addToolBar(bar)
        for action_id in TOOL_BAR:
            if not action_id:
                bar.addSeparator()
                continue
            action = self.actions_[action_id]
            bar.addAction(action)
            button = bar.widgetForAction(action)
            button.setAccessibleName(action.iconText())
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.tool_bar = bar

    def _connect(self) -> None:
        document, listening, generating = self.document, self.listening, self.generating
        for signal in (
            document.opened, document.roll_changed, document.selection_changed, document.takes_changed,
            document.heard_changed, listening.state_changed, generating.state_changed,
            document.undo_stack.indexChanged,
        ):  # fmt: skip
            signal.connect(self._refresh)
        document.opened.connect(self._opened)
        self.imaging.changed.connect(self._show_picture)
        listening.moved.connect(self._moved)
        listening.levelled.connect(self.status.show_level)
        self.timeline.seek_requested.connect(listening.seek)
        self.timeline.pointed.connect(self._pointed)
        self.timeline.drawn.connect(self.editing.new)
        self.timeline.edit_requested.connect(self.inspector.edit_class)
        self.timeline.menu_requested.connect(self._show_menu)
        self.editing.made.connect(self.inspector.edit_class)
        self.inspector.labelled.connect(self._labelled)
        self.inspector.class_done.connect(self.timeline.spectrogram.setFocus)
        generating.progressed.connect(self.status.show_progress)
        generating.state_changed.connect(lambda: self.status.show_busy(generating.running))
        self.takes.rerun_requested.connect(lambda: self.actions_["rerun"].trigger())
        self.takes.recipe_requested.connect(lambda: self.actions_["recipe"].trigger())
        self.welcome.open_requested.connect(lambda: self.actions_["open"].trigger())
        self.welcome.demo_requested.connect(lambda: self.actions_["demo"].trigger())
        self.welcome.file_requested.connect(lambda name: self.open(Path(name)))
        for told in (listening.silent, generating.told):
            told.connect(self.messages.tell)
        for failed in (
            self.imaging.failed, listening.failed, generating.failed, self.editing.failed, self.inspector.refused,
            self.rows.table.refused,
        ):  # fmt: skip
            failed.connect(self.messages.fail)

    def _apply_settings(self) -> None:
        settings = self.settings
        self.timeline.set_kind(ScaleKind(settings.scale) if settings.scale in list(ScaleKind) else ScaleKind.MEL)
        self.timeline.spectrogram.set_colours(settings.colours, settings.range_db)
        self.actions_["tool_select"].setChecked(True)
        if settings.geometry:
            self.restoreGeometry(QByteArray.fromHex(settings.geometry.encode("ascii", "ignore")))
        checkpoint = self.generating.checkpoint
        trained = frozenset(checkpoint.classes) if checkpoint else frozenset()
        self.inspector.class_field.trained = self.rows.trained = trained
        self._recent_labels()

    def _recent_labels(self) -> None:
        recent = self.settings.recent_labels
        self.inspector.class_field.recent = self.rows.recent = recent
        if recent:
            self.editing.last_label = recent[0]

    def remember(self, **values: object) -> None:
        """Changes settings and keeps them."""
        self.settings = replace(self.settings, **values)  # type: ignore[arg-type]
        self.settings_file.write(self.settings)

    def set_theme(self, theme: str) -> None:
        """Dresses the application."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        apply_theme(app, theme)
        self.remember(theme=theme)

    # --- opening -----------------------------------------------------------------------------------------------------

    def open(self, path: Path) -> bool:
        """Opens a recording, or a roll file for the open one; what goes wrong is told in the message bar."""
        try:
            if path.suffix.lower() == ".json":
                if self.document.source is None:
                    self.messages.fail(self.tr("Open the recording first, then its roll {0}.").format(path.name))
                    return False
                self.document.load_roll(path, self.tr("Open roll {0}").format(path.name))
                return True
            if not self.may_close():
                return False
            self.document.open(path)
        except InputError as error:
            self.messages.fail(str(error))
            return False
        self.messages.clear()
        self.settings = self.settings.with_file(path)
        self.settings_file.write(self.settings)
        self.timeline.spectrogram.setFocus()
        return True

    def open_demo(self) -> None:
        """Opens the shipped scene with its roll."""
        scene = data_folder("resources") / "demo"
        if self.open(scene / "scene.flac"):
            self.open(scene / "roll.json")
            self.document.roll_path = None  # the shipped roll is not to be saved over

    def may_close(self) -> bool:
        """Asks about changes of the roll that are not saved."""
        if not self.document.unsaved:
            return True
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self, self.tr("Save the roll?"),
            self.tr("The boxes of {0} have changes that are not saved.").format(self._name()),
            buttons.Save | buttons.Discard | buttons.Cancel, buttons.Save,
        )  # fmt: skip
        if answer == buttons.Save:
            self.save_roll()
            return not self.document.unsaved
        return answer == buttons.Discard

    def save_roll(self, anew: bool = False) -> None:
        """Saves the roll, asking for a name where it has none."""
        path = self.document.roll_path
        source = self.document.source
        if source is None:
            return
        if path is None or anew:
            proposal = str(path or source.path.with_suffix(".json"))
            name, _ = QFileDialog.getSaveFileName(self, self.tr("Save the roll"), proposal, self.tr("Rolls (*.json)"))
            if not name:
                return
            path = Path(name)
        try:
            self.document.save_roll(path)
        except InputError as error:
            self.messages.fail(str(error))
        else:
            self.messages.tell(self.tr("Saved {0}.").format(path))

    def _name(self) -> str:
        return self.document.source.path.name if self.document.source else ""

    # --- following ---------------------------------------------------------------------------------------------------

    def _opened(self) -> None:
        source = self.document.source
        self.pages.setCurrentIndex(0 if source is None else 1)
        for dock in self.docks:
            dock.setVisible(source is not None)
        self.tool_bar.setVisible(source is not None)
        self.welcome.show_recent(self.settings.recent_files)
        self._refresh()

    def _refresh(self) -> None:
        document, actions = self.document, self.actions_
        there = document.source is not None
        actions.enable(NEED_RECORDING, there)
        actions.enable(NEED_SELECTION, bool(document.selected))
        actions.enable(NEED_TAKE, document.current_take is not None)
        actions.enable(("join",), len(document.selected) >= 2)
        actions.enable(("generate",), there and not self.generating.running)
        actions.enable(("cancel",), self.generating.running)
        stack = document.undo_stack
        for action_id, words, possible in (
            ("undo", self.tr("&Undo {0}").format(stack.undoText()), stack.canUndo()),
            ("redo", self.tr("&Redo {0}").format(stack.redoText()), stack.canRedo()),
        ):
            actions[action_id].setText(words.strip())
            actions[action_id].setEnabled(possible)
        if not self.listening.player.playing:
            self.status.level.clear()
        actions["play"].setIconText(self.tr("Stop") if self.listening.player.playing else self.tr("Play"))
        title = f"{self._name()}[*] \u2013 " if there else ""
        self.setWindowTitle(f"{title}Recomposer Studio")
        self.setWindowModified(there and document.unsaved)
        self.status.show_document(document)

    def _show_picture(self) -> None:
        self.timeline.show_picture(self.imaging.picture, self.imaging.reader)
        self.status.show_analysis(self.imaging.progress if self.imaging.busy else 1.0)

    def _moved(self, time_s: float) -> None:
        playing = self.listening.player.playing
        self.timeline.set_playhead(time_s, playing)
        self.status.show_playhead(time_s)

    def _pointed(self, time_s: float, hz: float) -> None:
        level = self.timeline.spectrogram.level_at(time_s, hz)
        names = [event.label for event in self.document.roll.events if event.start_s <= time_s < event.end_s]
        self.status.show_pointer(time_s, hz, level, names)

    def _labelled(self, label: str) -> None:
        self.settings = self.settings.with_label(label)
        self.settings_file.write(self.settings)
        self._recent_labels()

    def _show_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAccessibleName(self.tr("Box"))
        menu.addActions(self.actions_.menus["row"].actions())
        menu.exec(at)
        menu.deleteLater()

    # --- Qt ----------------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Files may come in."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Opens what was dropped: a recording first, then a roll."""
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        event.acceptProposedAction()
        for path in sorted(paths, key=lambda path: path.suffix.lower() == ".json")[:2]:
            if not self.open(path):
                break

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Asks for unsaved changes, then ends every thread."""
        if not self.may_close():
            event.ignore()
            return
        self.remember(geometry=bytes(self.saveGeometry().toHex().data()).decode("ascii"))
        self.shut_down()
        event.accept()

    def shut_down(self) -> None:
        """Ends every thread and closes the recording."""
        self.generating.stop()
        self.imaging.stop()
        self.listening.close()
        self.document.close()
