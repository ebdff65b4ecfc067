"""Everything a person can trigger: one line each with its words and keys; menus and tool bar are made from these."""

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar, QWidget

from recomposer_studio.diagnosis.log import ACTIONS

CONTEXT = "Actions"


def _tr(words: str) -> str:
    return QCoreApplication.translate(CONTEXT, words)


@dataclass(frozen=True)
class Entry:
    """An action.

    Attributes:
        id: what it is called in the code.
        words: what it is called in menus.
        keys: its short-cuts.
        checkable: whether it is a switch.
        timeline: whether its keys count only while the timeline has the focus, as they mean something else elsewhere.
        group: switches of one group exclude each other.
    """

    id: str
    words: str
    keys: tuple[str, ...] = ()
    checkable: bool = False
    timeline: bool = False
    group: str = ""


LINE = Entry("", "")

MENUS: tuple[tuple[str, str, tuple[Entry, ...]], ...] = (
    ("file", "&File", (
        Entry("open", "&Open recording or project ...", ("Ctrl+O",)),
        Entry("demo", "Open the &demo scene"),
        LINE,
        Entry("save_project", "&Save project", ("Ctrl+S",)),
        Entry("save_project_as", "Save project &as ...", ("Ctrl+Shift+S",)),
        Entry("embed", "&Keep the recording in the project", (), True),
        Entry("relink", "&Find the recording ..."),
        Entry("recover", "Re&cover unsaved work ..."),
        LINE,
        Entry("open_roll", "Open ro&ll ...", ("Ctrl+Shift+O",)),
        Entry("save_roll", "Save roll"),
        Entry("save_roll_as", "Save roll as ..."),
        LINE,
        Entry("export", "&Export take ...", ("Ctrl+Shift+E",)),
        LINE,
        Entry("quit", "&Quit", ("Ctrl+Q",)),
    )),
    ("edit", "&Edit", (
        Entry("undo", "&Undo", ("Ctrl+Z",)),
        Entry("redo", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y")),
        LINE,
        Entry("cut", "C&ut boxes", ("Ctrl+X",)),
        Entry("copy", "&Copy boxes", ("Ctrl+C",)),
        Entry("paste", "&Paste boxes at the playhead", ("Ctrl+V",)),
        Entry("select_all", "Select &all boxes", ("Ctrl+A",)),
        Entry("select_class", "Select all of this &class", ("Ctrl+Shift+A",)),
        LINE,
        Entry("tool_select", "&Select tool", ("V",), True, False, "tool"),
        Entry("tool_draw", "&Draw tool", ("P",), True, False, "tool"),
        Entry("snap", "S&nap", ("N",), True),
    )),
    ("row", "&Rows", (
        Entry("new", "&New row from the selection", ("Ctrl+B",)),
        Entry("class", "&Name the class", ("F2",)),
        LINE,
        Entry("insert", "&Insert", ("I",)),
        Entry("delete_sound", "Delete the &sound", ("X",)),
        Entry("enhance", "&Enhance", ("E",)),
        Entry("keep", "&Keep", ("K",)),
        Entry("mute", "&Mute", ("M",)),
        LINE,
        Entry("duplicate", "&Duplicate", ("Ctrl+D",)),
        Entry("split", "Spl&it at the playhead", ("Ctrl+I",)),
        Entry("join", "&Join", ("Ctrl+J",)),
        Entry("remove", "&Remove the boxes", ("Del",)),
        LINE,
        Entry("rename_row", "Rename the ro&w", ("Shift+F2",)),
        Entry("row_up", "Row u&p", ("Ctrl+PgUp",)),
        Entry("row_down", "Row do&wn", ("Ctrl+PgDown",)),
        LINE,
        Entry("previous", "&Previous box", ("Alt+Left",)),
        Entry("next", "Ne&xt box", ("Alt+Right",)),
    )),
    ("shape", "&Boxes", (
        Entry("earlier", "&Earlier", ("Ctrl+Left",), False, True),
        Entry("later", "&Later", ("Ctrl+Right",), False, True),
        Entry("higher", "&Higher", ("Ctrl+Up",), False, True),
        Entry("lower", "L&ower", ("Ctrl+Down",), False, True),
        LINE,
        Entry("start_earlier", "Start earlier", ("Alt+Shift+Left",), False, True),
        Entry("start_later", "Start later", ("Alt+Shift+Right",), False, True),
        Entry("end_earlier", "End earlier", ("Ctrl+Shift+Left",), False, True),
        Entry("end_later", "End later", ("Ctrl+Shift+Right",), False, True),
        LINE,
        Entry("top_higher", "Upper limit higher", ("Ctrl+Shift+Up",), False, True),
        Entry("top_lower", "Upper limit lower", ("Ctrl+Shift+Down",), False, True),
        Entry("bottom_higher", "Lower limit higher", ("Alt+Shift+Up",), False, True),
        Entry("bottom_lower", "Lower limit lower", ("Alt+Shift+Down",), False, True),
        LINE,
        Entry("lane_up", "To the row &above", ("Alt+Up",), False, True),
        Entry("lane_down", "To the row &below", ("Alt+Down",), False, True),
    )),
    ("detect", "&Detect", (
        Entry("detect", "&Detect sounds", ("Ctrl+Shift+D",)),
        Entry("find_similar", "&Find similar sounds", ("Ctrl+Alt+F",)),
        LINE,
        Entry("accept", "&Accept the suggestion", ("Return", "Enter"), False, True),
        Entry("reject", "&Reject the suggestion", ("Backspace",), False, True),
        Entry("accept_all", "Accept all &shown", ("Ctrl+Return",), False, True),
    )),
    ("play", "&Play", (
        Entry("play", "&Play or stop", ("Space",)),
        Entry("play_marked", "Play the &selection once", ("Shift+Space",)),
        Entry("loop", "&Loop", ("L",), True),
        LINE,
        Entry("original", "&Original", ("0",)),
        Entry("last_two", "Last &two versions", ("Tab",), False, True),
        Entry("difference", "&Difference", ("D",)),
        Entry("match", "&Match the takes' loudness", (), True),
        Entry("abx", "&Blind test ...", ("B",)),
        LINE,
        Entry("to_start", "To the &beginning", ("Home",), False, True),
        Entry("to_end", "To the &end", ("End",), False, True),
        Entry("back", "Step back", ("Left",), False, True),
        Entry("forward", "Step forward", ("Right",), False, True),
        Entry("far_back", "Far back", ("Shift+Left",), False, True),
        Entry("far_forward", "Far forward", ("Shift+Right",), False, True),
        Entry("mark_start", "Selection begins here", ("[",)),
        Entry("mark_end", "Selection ends here", ("]",)),
    )),
    ("take", "&Takes", (
        Entry("generate", "&Generate", ("G",)),
        Entry("cancel", "&Cancel", ("Esc",)),
        LINE,
        Entry("rerun", "Another &seed"),
        Entry("variations", "Several &variations"),
        Entry("recipe", "Show the &recipe"),
        Entry("paste_recipe", "&Paste recipe and render", ("Ctrl+Shift+V",)),
        Entry("check_rows", "&Check the rows"),
        LINE,
        Entry("stars_0", "N&o star", ("Ctrl+0",)),
        Entry("stars_1", "&1 star", ("Ctrl+1",)),
        Entry("stars_2", "&2 stars", ("Ctrl+2",)),
        Entry("stars_3", "&3 stars", ("Ctrl+3",)),
        Entry("lock", "&Lock or unlock", ("Ctrl+L",)),
        LINE,
        Entry("duplicate_take", "&Duplicate the take"),
        Entry("remove_take", "Re&move the take from the list"),
    )),
    ("view", "&View", (
        Entry("zoom_in", "Zoom &in", ("Ctrl+=", "Ctrl++")),
        Entry("zoom_out", "Zoom &out", ("Ctrl+-",)),
        Entry("zoom_marked", "Zoom to the &selection", ("Ctrl+E",)),
        Entry("zoom_all", "Show &all", ("Ctrl+F",)),
        LINE,
        Entry("zoom_frequency_in", "Zoom in &frequency", ("Ctrl+Alt+=",)),
        Entry("zoom_frequency_out", "Zoom out of frequenc&y", ("Ctrl+Alt+-",)),
        Entry("zoom_frequency_all", "S&how all frequencies", ("Ctrl+Shift+F",)),
        Entry("scroll_up", "Higher frequencies", ("PgUp",), False, True),
        Entry("scroll_down", "Lower frequencies", ("PgDown",), False, True),
        LINE,
        Entry("next_pane", "Next pa&ne", ("F6",)),
        Entry("previous_pane", "Previous pane", ("Shift+F6",)),
        LINE,
    )),
    ("help", "&Help", (
        Entry("palette", "&Find a command ...", ("Ctrl+Shift+P",)),
        Entry("keys", "&Keys", ("F1",)),
        LINE,
        Entry("report", "&Copy a report"),
        Entry("log_folder", "Show the &log folder"),
        LINE,
        Entry("about", "&About Recomposer Studio"),
    )),
)  # fmt: skip

TOOL_BAR = ("open", "", "tool_select", "tool_draw", "new", "", "play", "loop", "", "generate", "cancel", "", "export")
TOOL_BAR_WORDS = {
    "open": "Open",
    "tool_select": "Select",
    "tool_draw": "Draw",
    "new": "New row",
    "play": "Play",
    "loop": "Loop",
    "generate": "Generate",
    "cancel": "Cancel",
    "export": "Export",
}


def _after(before: Callable[[str], None], action_id: str, handler: Callable[..., None]) -> Callable[..., None]:
    def act(*state: bool) -> None:
        before(action_id)
        handler(*state)

    return act


class Actions:
    """The actions of a window.

    Args:
        window: owner of the actions.
        timeline: where the keys of the timeline count.
        handlers: id -> what to do; a switch is given its state.
        before: called with the id of an action before what it does.
    """

    def __init__(
        self,
        window: QWidget,
        timeline: QWidget,
        handlers: dict[str, Callable[..., None]],
        before: Callable[[str], None],
    ) -> None:
        self._all: dict[str, QAction] = {}
        self.menus: dict[str, QMenu] = {}
        groups: dict[str, QActionGroup] = {}
        for _, _, entries in MENUS:
            for entry in entries:
                if entry is LINE:
                    continue
                action = QAction(_tr(entry.words), window)
                action.setShortcuts([QKeySequence(key) for key in entry.keys])
                action.setCheckable(entry.checkable)
                action.setIconText(_tr(TOOL_BAR_WORDS.get(entry.id, entry.words)))
                tip = _tr(entry.words).replace("&", "").removesuffix(" ...")
                action.setToolTip(f"{tip} ({', '.join(entry.keys)})" if entry.keys else tip)
                if entry.timeline:
                    action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
                    timeline.addAction(action)
                if entry.group:
                    if entry.group not in groups:
                        groups[entry.group] = QActionGroup(window)
                    groups[entry.group].addAction(action)
                handler = _after(before, entry.id, handlers[entry.id])
                action.triggered.connect(lambda _=False, name=entry.id: ACTIONS.info(name))
                if entry.checkable:
                    action.toggled.connect(handler)
                else:
                    action.triggered.connect(lambda _=False, do=handler: do())
                self._all[entry.id] = action

    def __getitem__(self, action_id: str) -> QAction:
        """An action by its id."""
        return self._all[action_id]

    def fill(self, bar: QMenuBar) -> None:
        """Makes the menus."""
        for menu_id, title, entries in MENUS:
            menu = bar.addMenu(_tr(title))
            menu.setAccessibleName(_tr(title).replace("&", ""))
            self.menus[menu_id] = menu
            for entry in entries:
                if entry is LINE:
                    menu.addSeparator()
                else:
                    menu.addAction(self._all[entry.id])

    def enable(self, ids: tuple[str, ...], on: bool) -> None:
        """Switches actions on or off."""
        for action_id in ids:
            self._all[action_id].setEnabled(on)


def keys_as_html() -> str:
    """All keys in a table, for the help."""
    parts = []
    for _, title, entries in MENUS:
        lines = "".join(
            f"<tr><td style='padding-right:24px'>{_tr(entry.words).replace('&', '').removesuffix(' ...')}</td>"
            f"<td><b>{', '.join(entry.keys)}</b></td></tr>"
            for entry in entries
            if entry.keys
        )
        parts.append(f"<h4>{_tr(title).replace('&', '')}</h4><table>{lines}</table>")
    more = (
        (_tr("Draw a box with any tool"), "Ctrl+drag"),
        (_tr("Select boxes with a frame"), "Shift+drag"),
        (_tr("Takes 1 to 9"), "1-9"),
        (_tr("Remove a take"), _tr("Del in the list of takes")),
        (_tr("Snap the other way round"), "Alt+drag"),
        (_tr("Zoom at the pointer"), "Ctrl+wheel"),
        (_tr("Zoom in frequency"), _tr("Ctrl+Shift+wheel, or Ctrl+wheel on the axis")),
        (_tr("Put rows into another order"), _tr("drag their names")),
        (_tr("Scroll in time"), "Shift+wheel"),
        (_tr("Pan"), _tr("middle button")),
    )
    lines = "".join(
        f"<tr><td style='padding-right:24px'>{words}</td><td><b>{keys}</b></td></tr>" for words, keys in more
    )
    return "".join(parts) + f"<h4>{_tr('Mouse and digits')}</h4><table>{lines}</table>"
