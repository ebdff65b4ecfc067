"""Offers the work that a crash left behind."""

from PySide6.QtCore import QDateTime, QLocale, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.project.store.home import Left


class RecoveryDialog(QDialog):
    """A list of unsaved work; one of it is opened, and what is not opened stays for the next start.

    Args:
        lefts: what was found, held; the dialog lets go of all but the chosen one.
        parent: the window.

    Signals:
        chosen: the `Left` to open; it is still held.
    """

    chosen = Signal(object)

    def __init__(self, lefts: list[Left], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Unsaved work"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.resize(620, 360)
        words = QLabel(
            self.tr("Recomposer Studio ended before this work was saved. Open it to go on where it was; what you leave here is kept.")
        )  # fmt: skip
        words.setWordWrap(True)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Unsaved work"))
        self.list.setSpacing(3)
        self._lefts: list[Left] = []
        for left in lefts:
            self._add(left)
        self.open_button = QPushButton(self.tr("&Open"))
        self.discard_button = QPushButton(self.tr("&Throw away ..."))
        self.later_button = QPushButton(self.tr("&Later"))
        self.open_button.setDefault(True)
        self.open_button.setAccessibleName(self.tr("Open the unsaved work"))
        self.discard_button.setAccessibleName(self.tr("Throw the unsaved work away"))
        self.later_button.setAccessibleName(self.tr("Later"))
        buttons = QDialogButtonBox()
        buttons.addButton(self.open_button, QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(self.discard_button, QDialogButtonBox.ButtonRole.DestructiveRole)
        buttons.addButton(self.later_button, QDialogButtonBox.ButtonRole.RejectRole)
        layout = QVBoxLayout(self)
        layout.addWidget(words)
        layout.addWidget(self.list, 1)
        layout.addWidget(buttons)
        self.open_button.clicked.connect(self._open)
        self.discard_button.clicked.connect(self._throw_away)
        self.later_button.clicked.connect(self.reject)
        self.list.itemDoubleClicked.connect(lambda _: self._open())
        self.list.currentRowChanged.connect(self._refresh)
        self.finished.connect(lambda _: self._let_go())
        self.list.setCurrentRow(0)
        self._refresh()

    def _add(self, left: Left) -> None:
        name = left.project.name if left.project else left.recording.name
        edited = QDateTime.fromSecsSinceEpoch(round(left.edited.timestamp()))
        when = self.locale().toString(edited, QLocale.FormatType.ShortFormat)
        if left.problem:
            text = self.tr("Work of {0} that cannot be read").format(when)
        elif left.project:
            text = self.tr("{0}\nchanged {1}, {2} steps, in {3}").format(name, when, left.steps, left.project.parent)
        else:
            text = self.tr("{0}\nnever saved, changed {1}, {2} steps").format(name, when, left.steps)
        item = QListWidgetItem(text)
        item.setData(Qt.ItemDataRole.AccessibleDescriptionRole, left.problem or str(left.recording))
        self.list.addItem(item)
        self._lefts.append(left)

    @property
    def _present(self) -> Left | None:
        row = self.list.currentRow()
        return self._lefts[row] if 0 <= row < len(self._lefts) else None

    def _refresh(self) -> None:
        left = self._present
        self.open_button.setEnabled(left is not None and not left.problem)
        self.discard_button.setEnabled(left is not None)

    def _open(self) -> None:
        left = self._present
        if left is not None and not left.problem:
            self._lefts.remove(left)
            self.accept()
            self.chosen.emit(left)

    def _throw_away(self) -> None:
        left = self._present
        if left is None:
            return
        buttons = QMessageBox.StandardButton
        answer = QMessageBox.question(
            self, self.tr("Throw away?"), self.tr("This work is in no file. Throw it away for good?"),
            buttons.Yes | buttons.No, buttons.No,
        )  # fmt: skip
        if answer != buttons.Yes:
            return
        self.list.takeItem(self._lefts.index(left))
        self._lefts.remove(left)
        left.place.discard()
        self._refresh()
        if not self._lefts:
            self.reject()

    def _let_go(self) -> None:
        lefts, self._lefts = self._lefts, []
        for left in lefts:
            left.place.leave()
