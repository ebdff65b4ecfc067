"""Tells of contradictions where the person looks: in the Event panel, where that is out of sight in the message bar, and at Generate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer

from recomposer_studio.editing.contradiction import Contradiction
from recomposer_studio.studio.contradictions import (
    Contradictions,
    Key,
    Sounds,
    another,
    key,
    removal,
    sentence,
    sounds,
)
from recomposer_studio.studio.views.messages import Offer

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window

_SETTLED_MS = 200
"""While a box is dragged nothing is said, nor said anew at every step."""


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
        self._with_render: frozenset[Sounds] = frozenset()
        self._seen: frozenset[Key] = frozenset()
        self._news = False
        self._soon = QTimer(window)
        self._soon.setSingleShot(True)
        self._soon.setInterval(_SETTLED_MS)
        self._soon.timeout.connect(self._settled)
        self._notice.removal_wanted.connect(lambda: contradictions.remove_keeps(contradictions.selected))
        self._notice.another_wanted.connect(lambda: contradictions.put_aside(contradictions.selected))
        contradictions.changed.connect(self._follow)
        window.generating.note_of = lambda take, layer: contradictions.note(take, layer, self._with_render)
        window.generating.state_changed.connect(self._begun)
        window.takes.mix.note_of = contradictions.note
        contradictions.aside_changed.connect(window.takes.refresh)
        contradictions.aside_changed.connect(window.takes.mix.refresh)

    def generate(self) -> None:
        """Renders a take of the roll, and says of which rows little will come in it."""
        generating, pairs = self._window.generating, self._contradictions.pairs
        busy = generating.running
        generating.generate(recipe=self._window.decoding.recipe)
        if generating.running and not busy and pairs:
            self._tell(pairs, again=True)
            self._with_render = frozenset(map(sounds, pairs))

    def _begun(self) -> None:
        """A render was ordered, by whomever: what the message bar does not say of it, its notes will."""
        if self._window.generating.running:
            self._with_render = frozenset(map(sounds, self._still_told()))

    def _remove(self, pairs: Sequence[Contradiction], again: bool) -> None:
        self._contradictions.remove_keeps(pairs)
        # In a project that is read-only they stay, and what is rendered would be the same.
        if again and not set(map(key, pairs)) & set(map(key, self._contradictions.pairs)):
            self._window.generating.cancel()
            # The notes of the take that this one is to replace.
            self._window.messages.drop_waiting()
            self.generate()

    def _follow(self) -> None:
        selected = self._contradictions.selected
        self._notice.show_pairs(selected)
        there = frozenset(map(key, selected))
        self._news = self._news or not there <= self._seen
        if self._news:
            # Only when the panel has its place is it known what is seen of it.
            self._soon.start()
        self._seen = (self._seen & set(map(key, self._contradictions.pairs))) | there
        self._follow_message()

    def _follow_message(self) -> None:
        """Takes back what the message bar says of pairs that are resolved; the others it goes on telling."""
        told = self._still_told()
        if not told:
            self._window.messages.withdraw(self._offers)
            self._told, self._offers = (), []
        elif len(told) < len(self._told):
            self._tell(told, self._again)
        elif told != self._told:
            # A row has another name or time.
            self._soon.start()

    def _settled(self) -> None:
        """Nothing has changed for a while: tells what is new and out of sight, and what is told with the names and times of now."""
        told = self._still_told()
        selected = self._contradictions.selected if self._news and not self._notice.in_sight else ()
        self._news = False
        known = set(map(key, told))
        new = tuple(pair for pair in selected if key(pair) not in known)
        again = self._again and bool(told)
        if new:
            self._tell((*told, *new) if again else selected, again)
        elif told != self._told:
            self._tell(told, again)

    def _still_told(self) -> tuple[Contradiction, ...]:
        """What the message bar says and is so, with the rows as they are now."""
        if not self._window.messages.says(self._offers):
            return ()
        present = {key(pair): pair for pair in self._contradictions.pairs}
        return tuple(present[key(pair)] for pair in self._told if key(pair) in present)

    def _tell(self, pairs: tuple[Contradiction, ...], again: bool) -> None:
        """Says it in the message bar, instead of what was said before, perhaps with the offer to generate again."""
        messages, former, told = self._window.messages, self._offers, sentence(self._window, pairs)
        words = removal(self._window, pairs)
        if again:
            words = self._window.tr("{0} and generate again").format(words)
        self._told, self._again = pairs, again
        self._offers = [
            Offer(words, lambda: self._remove(pairs, again)),
            Offer(another(self._window, pairs), lambda: self._contradictions.put_aside(pairs)),
        ]
        if messages.says(former):
            messages.revise(former, told, self._offers)
        else:
            messages.tell(told, self._offers, lasting=True)
