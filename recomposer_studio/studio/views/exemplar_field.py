"""Which sound an Insert is to resemble: none, another box, or the marked stretch."""

from collections.abc import Sequence
from heapq import nsmallest

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QWidget

from recomposer_studio.roll.event import Action, Event, Exemplar
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.studio.verbs import Area

_MOST = 30
"""Boxes that are offered: those of the same class first, then the nearest."""


class ExemplarField(QComboBox):
    """A choice of exemplars for the selected Inserts.

    Signals:
        chosen: the person chose an exemplar, or None.
    """

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(self.tr("Sound that the insert is to resemble"))
        self.view().setAccessibleName(self.accessibleName())
        self.setToolTip(self.tr("The inserted sound follows this one; it needs a model that takes examples"))
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.activated.connect(lambda index: self.chosen.emit(self.itemData(index)))

    def show_choice(self, inserts: Sequence[Event], events: Sequence[Event], area: Area | None) -> None:
        """Shows what the selected Inserts have, and what else there is.

        Args:
            inserts: the selected events, all Inserts, at least one; the last is in focus.
            events: all events of the roll.
            area: the marked stretch, or None.
        """
        focus, present = inserts[-1], {event.exemplar for event in inserts}
        self.clear()
        self.addItem(self.tr("None"), None)
        if area is not None and area.start_s < area.end_s:
            self.addItem(
                self.tr("The marked stretch, {0}").format(_times(area.start_s, area.end_s)),
                Exemplar(area.start_s, area.end_s),
            )
        # The recording holds nothing of what is to be inserted.
        heard = [event for event in events if event.action is not Action.INSERT]
        # A dog bark is wanted like a Bark: classes count, not words.
        table = LabelTable.load()
        names = {label: table.match(label).class_name for label in {focus.label, *(event.label for event in heard)}}

        def distance(other: Event) -> tuple[bool, float]:
            return names[other.label] != names[focus.label], abs(other.start_s - focus.start_s)

        for event in nsmallest(_MOST, heard, key=distance):
            self.addItem(f"{event.label}, {_times(event.start_s, event.end_s)}", Exemplar(event.start_s, event.end_s))
        if len(present) > 1:
            self.setPlaceholderText(self.tr("different examples"))
            self.setCurrentIndex(-1)
            return
        (exemplar,) = present
        index = next((i for i in range(self.count()) if self.itemData(i) == exemplar), -1)
        if index < 0:
            assert exemplar is not None
            where = exemplar.file.replace("\\", "/").rsplit("/", 1)[-1] or self.tr("The recording")
            self.insertItem(1, f"{where}, {_times(exemplar.start_s, exemplar.end_s)}", exemplar)
            index = 1
        self.setCurrentIndex(index)


def _times(start_s: float, end_s: float) -> str:
    return f"{start_s:.2f}-{end_s:.2f} s"
