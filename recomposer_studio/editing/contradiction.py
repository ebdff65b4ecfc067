"""Rows that want opposite things of one sound: an edit takes it away or changes it, a *keep* row protects it.

The two claim the same power, so that the edit does next to nothing. Only a person knows whether they mean one sound or two of
a class, so this is told and nothing is decided.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import inf

from recomposer_studio.roll.event import Action, Event
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.roll.text_vectors import base_forms, content_words, normal_key

Sound = tuple[str, Action, str]
"""What a row means: its id, action and class."""

_CHANGING = (Action.DELETE, Action.ENHANCE)


@dataclass(frozen=True)
class Contradiction:
    """An edit and a row that keeps what it names.

    Attributes:
        edit: the row to delete or enhance.
        keep: the row that protects the same class in the same place.
    """

    edit: Event
    keep: Event


@dataclass(frozen=True)
class _Meant:
    """What a label means.

    Attributes:
        class_name: the class that it is a name of; its own words where it is the name of none.
        whole: whether it is that class's own name, and so means all that the class holds.
        words: its words, each with the forms that it may be an inflection of.
    """

    class_name: str
    whole: bool
    words: tuple[frozenset[str], ...]


def contradicts(edit: Event, keep: Event) -> bool:
    """Whether a *keep* row names what a Delete or Enhance names, in the same place.

    That is: the same class, in whatever words, for at least half of the shorter of the two, with frequencies in common.
    """
    if edit.action not in _CHANGING or keep.action is not Action.KEEP or keep.muted or not _in_one_place(edit, keep):
        return False
    one, other = _meant(edit.label), _meant(keep.label)
    return one.class_name == other.class_name and _alike(one, other)


def contradictions(events: Iterable[Event]) -> tuple[Contradiction, ...]:
    """All contradictions of a roll, in the order of time; what does not overlap is never compared."""
    edits: dict[str, list[Event]] = defaultdict(list)
    keeps: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.action is Action.KEEP and not event.muted:
            keeps[class_of(event.label)].append(event)
        elif event.action in _CHANGING:
            edits[class_of(event.label)].append(event)
    found = [pair for name in edits.keys() & keeps.keys() for pair in _of_a_class(edits[name], keeps[name])]
    return tuple(sorted(found, key=lambda pair: (pair.edit.start_s, pair.edit.id, pair.keep.start_s, pair.keep.id)))


def class_of(label: str) -> str:
    """The class that a label is a name of; its own words where it is the name of none."""
    return _meant(label).class_name


def sound_of(event: Event) -> Sound:
    """What a row means wherever it is moved: another roll, or a take, may have its id for another sound."""
    return event.id, event.action, class_of(event.label)


def with_advice(note: str, keep: Event) -> str:
    """A note on an edit, perhaps empty, and after it what can be done about a *keep* row that contradicts it."""
    advice = _advice(keep)
    return f"{note}. {_capital(advice)}" if note else advice


def without_advice(note: str, keep: Event) -> str:
    """What a note says besides its advice on a *keep* row; the note itself where there is none."""
    advice = _advice(keep)
    return "" if note == advice else note.removesuffix(f". {_capital(advice)}")


# --- the details ------------------------------------------------------------------------------------------------------


def _of_a_class(edits: Iterable[Event], keeps: Iterable[Event]) -> Iterable[Contradiction]:
    """The contradictions between rows of one class; an edit meets only the *keep* rows that sound with it."""
    sounding: dict[bool, list[Event]] = {False: [], True: []}
    for event in sorted((*edits, *keeps), key=lambda event: event.start_s):
        is_keep = event.action is Action.KEEP
        opposite = sounding[not is_keep] = [other for other in sounding[not is_keep] if other.end_s > event.start_s]
        for other in opposite:
            edit, keep = (other, event) if is_keep else (event, other)
            if _in_one_place(edit, keep) and _alike(_meant(edit.label), _meant(keep.label)):
                yield Contradiction(edit, keep)
        sounding[is_keep].append(event)


def _in_one_place(edit: Event, keep: Event) -> bool:
    together_s = min(edit.end_s, keep.end_s) - max(edit.start_s, keep.start_s)
    shorter_s = min(edit.end_s - edit.start_s, keep.end_s - keep.start_s)
    low_hz = max(edit.low_hz or 0.0, keep.low_hz or 0.0)
    high_hz = min(_top_hz(edit), _top_hz(keep))
    return together_s >= shorter_s / 2.0 and low_hz < high_hz


def _top_hz(event: Event) -> float:
    return inf if event.high_hz is None else event.high_hz


def _alike(one: _Meant, other: _Meant) -> bool:
    """Whether two names of a class may mean one sound.

    Its own name means everything in it. Of two other names each may say what the other does not ("male voice" and
    "female voice" are Speech, "tractor" and "bulldozer" are engines); where only one says more, they may be one.
    """
    return one.whole or other.whole or _within(one, other) or _within(other, one)


def _within(less: _Meant, more: _Meant) -> bool:
    """Whether every word of a label is in another one, in whatever form."""
    return all(any(word & other for other in more.words) for word in less.words)


@lru_cache(maxsize=4_096)
def _meant(label: str) -> _Meant:
    match = LabelTable.load().match(label)
    # What is only near in meaning is another sound: "left guitar" and "right guitar", "unknown" and "silence".
    known = match.how in ("exact", "synonym", "spelling")
    words = tuple(frozenset(base_forms(word)) for word in content_words(normal_key(label)))
    return _Meant(match.class_name if known else label.strip().casefold(), match.how == "exact", words)


def _advice(keep: Event) -> str:
    return f"a keep row at {keep.start_s:.2f} s keeps {keep.label} in the same place; if it is the same sound, remove that row"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
