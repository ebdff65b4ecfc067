"""The window: puts the views together and lets actions, document, listening and rendering find each other."""

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QByteArray, QPoint, Qt
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QApplication,
    QDockWidget,
    QFileDialog,
    QMainWindow,
    QMenu,
    QStackedWidget,
    QToolBar,
    QUndoView,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.data import data_folder
from recomposer_studio.errors import InputError
from recomposer_studio.project.kept import home_of
from recomposer_studio.roll.formats.files import SUFFIXES, LabelFormat
from recomposer_studio.studio import label_files, project_window, wiring
from recomposer_studio.studio.actions import TOOL_BAR, Actions
from recomposer_studio.studio.contradictions import Contradictions
from recomposer_studio.studio.contradictions_told import ContradictionsTold
from recomposer_studio.studio.detecting import Detecting
from recomposer_studio.studio.device_menu import DeviceMenu
from recomposer_studio.studio.document import Document, RollFile
from recomposer_studio.studio.editing import Editing
from recomposer_studio.studio.exporting import Choices
from recomposer_studio.studio.fields import commit_field, discard_field
from recomposer_studio.studio.generating import Generating
from recomposer_studio.studio.handlers import handlers
from recomposer_studio.studio.imaging import Imaging
from recomposer_studio.studio.listening import Listening
from recomposer_studio.studio.output import OpenOutput, open_output
from recomposer_studio.studio.panels import Panels, Scrolling
from recomposer_studio.studio.places import proposed_folder
from recomposer_studio.studio.project_saving import with_ending
from recomposer_studio.studio.reports import Reports
from recomposer_studio.studio.scale import ScaleKind
from recomposer_studio.studio.settings import SettingsFile
from recomposer_studio.studio.suggestions import Suggestions
from recomposer_studio.studio.take_actions import connect_takes
from recomposer_studio.studio.take_drag import TakeDrag
from recomposer_studio.studio.theme import apply_theme
from recomposer_studio.studio.variations import Variations
from recomposer_studio.studio.view_menu import fill_view_menu
from recomposer_studio.studio.views.decoding_panel import DecodingPanel
from recomposer_studio.studio.views.detect_bar import DetectBar
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
    "mark_start", "mark_end", "zoom_in", "zoom_out", "zoom_marked", "zoom_all", "previous", "next", "snap",
    "abx", "match", "variations", "paste_recipe",
    "zoom_frequency_in", "zoom_frequency_out", "zoom_frequency_all", "scroll_up", "scroll_down", "next_pane",
    "previous_pane",
)  # fmt: skip
NEED_SELECTION = (
    "class", "insert", "delete_sound", "enhance", "keep", "mute", "duplicate", "split", "remove", "copy", "cut",
    "select_class", "rename_row", "row_up", "row_down", "earlier", "later", "higher", "lower", "start_earlier",
    "start_later", "end_earlier", "end_later", "top_higher", "top_lower", "bottom_higher", "bottom_lower", "lane_up",
    "lane_down",
)  # fmt: skip
NEED_TAKE = (
    "difference", "recipe", "remove_take", "export", "stars_0", "stars_1", "stars_2", "stars_3", "lock",
    "duplicate_take",
)  # fmt: skip


class Window(QMainWindow):
    """The Studio.

    Args:
        settings: what is remembered.
        open_output: opens the sound output.
    """

    def __init__(
        self,
        settings: SettingsFile | None = None,
        open_output: OpenOutput = open_output,
    ) -> None:
        super().__init__()
        self.settings_file = settings or SettingsFile()
        self.settings = self.settings_file.read()
        self.document = Document(self)
        self.imaging = Imaging(self.document)
        self.listening = Listening(self.document, open_output)
        self.generating = Generating(self.document)
        self.variations = Variations(self.document, self.generating)
        self.editing = Editing(self.document)
        self.projects = project_window.make_projects(self)
        self.export_choices = Choices()
        self.suggestions = Suggestions(self.document)
        self.detecting = Detecting(self.document)
        self._build()
        self.contradictions = Contradictions(self.document)
        self.contradictions_told = ContradictionsTold(self, self.contradictions)
        self.panels = Panels(self)
        self.actions_ = Actions(self, self.timeline, handlers(self), self._before_action)
        self.actions_.fill(self.menuBar())
        fill_view_menu(self, self.actions_.menus["view"])
        self.device_menu = DeviceMenu(self)
        self.take_drag = TakeDrag(self)
        self.actions_.menus["play"].addMenu(self.device_menu)
        self._build_tool_bar()
        self._connect()
        wiring.connect_detection(self)
        wiring.connect_model(self)
        connect_takes(self)
        project_window.connect_projects(self)
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
        self.detect_bar = DetectBar(self.document, self.detecting, self.suggestions)
        layout.addWidget(self.detect_bar)
        layout.addWidget(self.pages, 1)
        self.messages.lie_over(self.pages)
        self.setCentralWidget(middle)
        self.inspector = Inspector(self.document)
        self.decoding = DecodingPanel()
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
        decoding = self._dock("decoding", self.tr("Decoding"), self.decoding, right)
        self.tabifyDockWidget(self.docks[0], decoding)
        self.docks[0].raise_()
        self.setCorner(Qt.Corner.BottomRightCorner, right)
        self.resizeDocks(self.docks[:2], [400, 400], Qt.Orientation.Horizontal)
        self.resizeDocks(self.docks[:2], [260, 470], Qt.Orientation.Vertical)
        self.resizeDocks(self.docks[2:], [165, 165], Qt.Orientation.Vertical)
        self.resizeDocks(self.docks[2:], [820, 200], Qt.Orientation.Horizontal)
        self.docks.append(decoding)
        self.status = Status()
        self.statusBar().addPermanentWidget(self.status, 1)
        self.statusBar().setSizeGripEnabled(False)

    def _dock(self, name: str, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setAccessibleName(title)
        high = area == Qt.DockWidgetArea.RightDockWidgetArea and not isinstance(widget, QAbstractScrollArea)
        dock.setWidget(Scrolling(widget) if high else widget)
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
        listening.levelled.connect(self.status.show_levels)
        listening.device_changed.connect(self.status.show_channels)
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
        self.welcome.open_requested.connect(lambda: self.actions_["open"].trigger())
        self.welcome.demo_requested.connect(lambda: self.actions_["demo"].trigger())
        self.welcome.file_requested.connect(lambda name: self.open(Path(name)))
        for told in (listening.told, generating.told):
            told.connect(self.messages.tell)
        for failed in (self.imaging.failed, listening.failed, generating.failed):
            failed.connect(self.messages.fail)
        for refused in (
            self.editing.failed, self.inspector.refused, self.rows.table.refused, self.timeline.lanes.refused,
        ):  # fmt: skip
            refused.connect(self.messages.refuse)
        document.undo_stack.indexChanged.connect(self.messages.settle)

    def _apply_settings(self) -> None:
        settings = self.settings
        self.timeline.set_kind(ScaleKind(settings.scale) if settings.scale in list(ScaleKind) else ScaleKind.MEL)
        self.timeline.spectrogram.set_colours(settings.colours, settings.range_db)
        self.actions_["tool_select"].setChecked(True)
        self.timeline.snap.on = settings.snap
        self.actions_["snap"].setChecked(settings.snap)
        self.imaging.set_analysis(settings.window_size, settings.hop_ms / 1_000)
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
        if project_window.is_project(path):
            return project_window.open_project(self, path)
        try:
            if label_files.is_labels(path):
                return label_files.open_labels(self, path)
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
        label_files.offer_labels(self, path)
        return True

    def open_demo(self) -> None:
        """Opens the shipped scene with its roll."""
        scene = data_folder("resources") / "demo"
        if self.open(scene / "scene.flac"):
            self.open(scene / "roll.json")
            self.document.roll_file = RollFile(None, self.document.roll)  # the shipped roll is not to be saved over

    def may_close(self, *, ending: bool = False) -> bool:
        """Makes sure that what is open may go; see `project_saving.may_close`."""
        return project_window.may_close(self, ending=ending)

    def save_roll(self, anew: bool = False) -> None:
        """Saves the roll, asking for a name where it has none."""
        path = self.document.roll_file.path
        source = self.document.source
        if source is None:
            return
        if path is None or anew:
            proposal = str(path or proposed_folder(source) / home_of(source).with_suffix(".json").name)
            name, _ = QFileDialog.getSaveFileName(self, self.tr("Save the roll"), proposal, label_files.filters(self))
            if not name:
                return
            path = Path(name) if Path(name).suffix else with_ending(self, Path(name), SUFFIXES[LabelFormat.ROLL])
            if path is None:
                return
        try:
            whole = self.document.save_roll(path)
        except InputError as error:
            self.messages.fail(str(error))
        else:
            less = self.tr("Saved {0}, which has no place for everything; save the roll as .json to keep it all.")
            self.messages.tell((self.tr("Saved {0}.") if whole else less).format(path))

    # --- following ---------------------------------------------------------------------------------------------------

    def _opened(self) -> None:
        source = self.document.source
        self.pages.setCurrentIndex(0 if source is None else 1)
        self.panels.show(source is not None)
        self.tool_bar.setVisible(source is not None)
        self.detect_bar.setVisible(source is not None)
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
        actions.enable(("rerun",), document.current_take is not None and not self.generating.running)
        wiring.refresh(self)
        stack = document.undo_stack
        for action_id, words, possible in (
            ("undo", self.tr("&Undo {0}").format(stack.undoText()), stack.canUndo()),
            ("redo", self.tr("&Redo {0}").format(stack.redoText()), stack.canRedo()),
        ):
            actions[action_id].setText(words.strip())
            actions[action_id].setEnabled(possible)
        actions["play"].setIconText(self.tr("Stop") if self.listening.player.playing else self.tr("Play"))
        project_window.refresh(self)
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
        which = "row" if self.suggestions.focused is None else "detect"
        menu.addActions(self.actions_.menus[which].actions())
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
        for path in sorted(paths, key=label_files.is_labels)[:2]:
            if not self.open(path):
                break

    def _before_action(self, action_id: str) -> None:
        # What stands in a field counts first. But Escape discards it; before Redo a new step would leave nothing to do again; and where the
        # project is read-only it waits for the copy that it is saved as.
        if action_id == "cancel":
            discard_field(self)
        elif action_id != "redo" and not self.document.read_only:
            commit_field(self)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Escape discards what was typed."""
        if event.key() == Qt.Key.Key_Escape:
            discard_field(self)
        super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Asks for unsaved changes, then ends every thread."""
        if not self.may_close(ending=True):
            event.ignore()
            return
        self.panels.remember()
        self.remember(geometry=bytes(self.saveGeometry().toHex().data()).decode("ascii"))
        self.shut_down()
        event.accept()

    def shut_down(self) -> None:
        """Ends every thread and closes the recording."""
        self.generating.stop()
        self.detecting.stop()
        self.take_drag.stop()
        self.imaging.stop()
        self.device_menu.stop()
        self.listening.close()
        self.projects.close()
        self.document.close()
        for reports in self.findChildren(Reports):
            reports.close()
