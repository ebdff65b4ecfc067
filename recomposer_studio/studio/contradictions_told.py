"""Tells of contradictions where the person looks: in the Event panel, where that is out of sight in the message bar, and at Generate."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer

from recomposer_studio.editing.contradiction import Contradiction
from recomposer_studio.studio.contradictions import Contradictions, Key, another, key, removal, sentence
from recomposer_studio.studio.views.messages import Offer

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window


class ContradictionsTold:
    """Finds the words and the place for the contradictions of a window's document.

    Args:
        window: where they are told.
        contradictions: what is to be told.
    """

    def __init__(self, window: "Window", contradictions: Contradictions) -> None:
        self._window, self._contradictions = window, contradictions
        self._notice = window.inspector.contradiction
        self._told: tuple[Contradiction, ...] = ()
        self._offers: list[Offer] = []
        self._again = False
        self._seen: frozenset[Key] = frozenset()
        self._soon = QTimer(window)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._tell_out_of_sight)
        self._notice.removal_wanted.connect(lambda: contradictions.remove_keeps(contradictions.selected))
        self._notice.another_wanted.connect(lambda: contradictions.put_aside(contradictions.selected))
        contradictions.changed.connect(self._follow)

    def generate(self) -> None:
        """Renders a take of the roll, and says of which rows little will come in it."""
        generating, pairs = self._window.generating, self._contradictions.pairs
        generating.generate(recipe=self._window.decoding.recipe)
        if generating.running and pairs:
            self._tell(pairs, again=True)

    def _remove(self, pairs: Sequence[Contradiction], again: bool) -> None:
        self._contradictions.remove_keeps(pairs)
        if again:
            self._window.generating.cancel()
            self.generate()

    def _follow(self) -> None:
        selected, present = self._contradictions.selected, {key(pair): pair for pair in self._contradictions.pairs}
        self._notice.show_pairs(selected)
        self._follow_message(present)
        there = frozenset(map(key, selected))
        if not there <= self._seen:
            # Only when the panel has its place is it known what is seen of it.
            self._soon.start(0)
        self._seen = (self._seen & present.keys()) | there

    def _follow_message(self, present: Mapping[Key, Contradiction]) -> None:
        """Takes back what the message bar says when it no longer holds, and says it anew when a row has another name or time."""
        if not self._told:
            return
        told, pairs = self._told, tuple(present[key(pair)] for pair in self._told if key(pair) in present)
        if pairs != told:
            showing = self._window.messages.text == sentence(self._window, told)
            self._window.messages.withdraw(self._offers)
            self._told, self._offers = (), []
            if showing and len(pairs) == len(told):
                self._tell(pairs, self._again)

    def _tell_out_of_sight(self) -> None:
        pairs = self._contradictions.selected
        if pairs and not self._notice.in_sight:
            self._tell(pairs, again=False)

    def _tell(self, pairs: tuple[Contradiction, ...], again: bool) -> None:
        """Says it in the message bar, perhaps with the offer to generate again."""
        words = removal(self._window, pairs)
        if again:
            words = self._window.tr("{0} and generate again").format(words)
        self._told, self._again = pairs, again
        self._offers = [
            Offer(words, lambda: self._remove(pairs, again)),
            Offer(another(self._window, pairs), lambda: self._contradictions.put_aside(pairs)),
        ]
        self._window.messages.tell(sentence(self._window, pairs), self._offers)
