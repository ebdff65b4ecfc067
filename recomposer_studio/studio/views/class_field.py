"""The field for a class: completes over names and synonyms, and says what a free text is taken for."""

from collections import Counter
from collections.abc import Sequence
from functools import cache

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QCompleter, QLineEdit, QWidget
from rapidfuzz import fuzz, process, utils

from recomposer_studio.data import data_folder
from recomposer_studio.roll.labels import LabelTable, read_synonyms

MOST = 12
_BOUND_TO, _GOOD = 62.0, 85.0
"""The least likeness of a proposal, and the one from which on it can go before others."""
_MOST_FOR_ONE = 2
"""Lines for one class: its name and a synonym."""


@cache
def _words() -> dict[str, str]:
    """Every name and synonym in small letters -> its class."""
    table = LabelTable.load()
    words = {synonym.lower(): name for synonym, name in read_synonyms(data_folder("resources"))}
    words.update({name.lower(): name for name in table.classes})
    return words


def proposals(text: str, recent: Sequence[str], trained: frozenset[str]) -> list[tuple[str, str]]:
    """What a typed text may mean: (text to put in, class it stands for), the likeliest first.

    Args:
        text: what was typed; nothing gives the labels used last, then the classes that the model was trained on.
        recent: labels used last, which come first among all that fit.
        trained: classes that the model was trained on, which come next.
    """
    if not text.strip():
        table = LabelTable.load()
        last = [(label, table.match(label).class_name) for label in recent[:MOST]]
        known = {label.lower() for label, _ in last}
        return last + [(name, name) for name in sorted(trained) if name.lower() not in known]
    words = _words()
    typed = text.strip().lower()
    found = process.extract(
        typed, words.keys(), scorer=fuzz.WRatio, processor=utils.default_process, limit=60, score_cutoff=_BOUND_TO
    )
    scores = {word: score for word, score, _ in found}
    recent_words = {label.lower() for label in recent}

    def rank(word: str, score: float) -> tuple[bool, bool, bool, bool, bool, float, int]:
        begins = word.startswith(typed) or f" {typed}" in word
        plain = word == words[word].lower()
        trained_on = words[word] in trained and (begins or score >= _GOOD)
        return (word != typed, word not in recent_words, not trained_on, not begins, not plain, -score, len(word))

    chosen: list[tuple[str, str]] = []
    lines: Counter[str] = Counter()
    # Labels of the person's own that are neither a name nor a synonym.
    table = LabelTable.load()
    for label in recent:
        if typed in label.lower() and label.lower() not in words:
            chosen.append((label, table.match(label).class_name))
    for word in sorted((word for word, _, _ in found), key=lambda word: rank(word, scores[word])):
        name = words[word]
        lines[name] += 1
        if lines[name] <= _MOST_FOR_ONE:
            chosen.append((name if word == name.lower() else word, name))
    return chosen[:MOST]


class ClassField(QLineEdit):
    """A line edit with completion over the known classes.

    Signals:
        done: Return was pressed, or a proposal was chosen.
        left: Escape was pressed; what was typed does not count.
    """

    done = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.recent: tuple[str, ...] = ()
        self.trained: frozenset[str] = frozenset()
        self._model = QStandardItemModel(self)
        completer = QCompleter(self._model, self)
        completer.setCompletionMode(QCompleter.CompletionMode.UnfilteredPopupCompletion)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setCompletionRole(Qt.ItemDataRole.UserRole)
        completer.setMaxVisibleItems(MOST)
        popup = completer.popup()
        assert popup is not None
        popup.setAccessibleName(self.tr("Known classes"))
        self.setCompleter(completer)
        self.setAccessibleName(self.tr("Class"))
        self.setPlaceholderText(self.tr("dog bark, siren, rain ..."))
        self.textEdited.connect(self._propose)
        # Queued: the completer puts the proposal in after it told of it.
        self.returnPressed.connect(self.done, Qt.ConnectionType.QueuedConnection)
        completer.activated.connect(self._chosen, Qt.ConnectionType.QueuedConnection)

    def _chosen(self, _text: str) -> None:
        self.done.emit()

    def _propose(self, text: str) -> None:
        self._model.clear()
        recent = {label.lower() for label in self.recent}
        for put_in, name in proposals(text, self.recent, self.trained):
            words = put_in if put_in == name else f"{put_in}  \u2192  {name}"
            if put_in.lower() in recent:
                words = self.tr("{0}   (used before)").format(words)
            elif name in self.trained:
                words = self.tr("{0}   (the model was trained on it)").format(words)
            item = QStandardItem(words)
            item.setData(put_in, Qt.ItemDataRole.UserRole)
            self._model.appendRow(item)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Down opens the list, for an empty field with the labels used last and the classes of the model."""
        completer = self.completer()
        popup = completer.popup() if completer is not None else None
        if event.key() == Qt.Key.Key_Down and completer is not None and popup is not None and not popup.isVisible():
            whole = self.hasSelectedText() and self.selectedText() == self.text()
            self._propose("" if whole else self.text())
            completer.complete()
            return
        super().keyPressEvent(event)

    def discard(self) -> None:
        """What was typed does not count."""
        self.left.emit()


def taken_for(label: str) -> str:
    """What a label is taken for, in a few words."""
    match = LabelTable.load().match(label)
    if match.how == "exact":
        return match.class_name
    if match.how == "none":
        return f"{match.class_name}? ({match.similarity:.2f})"
    return match.class_name if match.similarity >= 0.995 else f"{match.class_name} ({match.similarity:.2f})"
