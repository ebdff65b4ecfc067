"""Where the panels are: remembered from one start to the next, and put back on request."""

from typing import TYPE_CHECKING
from zlib import crc32

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window


class Scrolling(QScrollArea):
    """Lets a panel be lower than its fields are: on a small screen they are scrolled."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName(content.accessibleName() or self.tr("Panel"))
        self.setWidget(content)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As the content would have it."""
        content = self.widget()
        return content.sizeHint() if content is not None else super().sizeHint()

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as the content needs with a scroll bar, and a few lines high."""
        content = self.widget()
        width = content.minimumSizeHint().width() if content is not None else 0
        return QSize(width + self.verticalScrollBar().sizeHint().width(), 5 * self.fontMetrics().height())


class Panels:
    """The docks of a window.

    Args:
        window: owner of the docks, which stand as they are to stand by default.
    """

    def __init__(self, window: "Window") -> None:
        self._window = window
        self._shown: bool | None = None
        self._default = window.saveState(self._version)

    @property
    def _version(self) -> int:
        """Other panels than those that were remembered are not put where the former ones stood."""
        return crc32(" ".join(sorted(dock.objectName() for dock in self._window.docks)).encode()) & 0x7FFFFFFF

    def show(self, there: bool) -> None:
        """Shows the panels as the person left them, or none while nothing is open."""
        if there == self._shown:
            return
        self._shown = there
        for dock in self._window.docks:
            dock.setVisible(there)
        if there and self._window.settings.layout:
            kept = QByteArray.fromHex(self._window.settings.layout.encode("ascii", "ignore"))
            self._window.restoreState(kept, self._version)

    def remember(self) -> None:
        """Keeps where the panels are; while none is shown there is nothing to keep."""
        if self._shown:
            state = bytes(self._window.saveState(self._version).toHex().data()).decode("ascii")
            self._window.remember(layout=state)

    def reset(self) -> None:
        """Puts all panels back to where they stand by default."""
        self._window.restoreState(self._default, self._version)
        for dock in self._window.docks:
            dock.setVisible(bool(self._shown))
        self._window.remember(layout="")
