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


def contradicts(edit: Event, keep: Event) -> bool:
    """Whether a *keep* row names what a Delete or Enhance names, in the same place.

    That is: the same class, in whatever words, for at least half of the shorter of the two, with frequencies in common.
    """
    if edit.action not in _CHANGING or keep.action is not Action.KEEP or not _in_one_place(edit, keep):
        return False
    return _class_of(edit.label) == _class_of(keep.label)


def contradictions(events: Iterable[Event]) -> tuple[Contradiction, ...]:
    """All contradictions of a roll, in the order of time; what does not overlap is never compared."""
    alike: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.action in (*_CHANGING, Action.KEEP):
            alike[_class_of(event.label)].append(event)
    found = []
    for same in alike.values():
        if len({event.action is Action.KEEP for event in same}) < 2:
            continue
        sounding: list[Event] = []
        for event in sorted(same, key=lambda event: event.start_s):
            sounding = [other for other in sounding if other.end_s > event.start_s]
            for other in sounding:
                edit, keep = (other, event) if event.action is Action.KEEP else (event, other)
                if contradicts(edit, keep):
                    found.append(Contradiction(edit, keep))
            sounding.append(event)
    return tuple(sorted(found, key=lambda pair: (pair.edit.start_s, pair.edit.id, pair.keep.start_s, pair.keep.id)))


def _in_one_place(edit: Event, keep: Event) -> bool:
    together_s = min(edit.end_s, keep.end_s) - max(edit.start_s, keep.start_s)
    shorter_s = min(edit.end_s - edit.start_s, keep.end_s - keep.start_s)
    low_hz = max(edit.low_hz or 0.0, keep.low_hz or 0.0)
    high_hz = min(_top_hz(edit), _top_hz(keep))
    return together_s >= shorter_s / 2.0 and low_hz < high_hz


def _top_hz(event: Event) -> float:
    return inf if event.high_hz is None else event.high_hz


@lru_cache(maxsize=4_096)
def _class_of(label: str) -> str:
    """The class that a label is taken for; its own words where none resembles it."""
    match = LabelTable.load().match(label)
    return match.class_name if match.known else label.strip().casefold()
