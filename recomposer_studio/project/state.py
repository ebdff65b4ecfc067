"""What a project holds at one moment: the roll, what the detector suggests, and the takes. Undo and redo move between such states."""

from dataclasses import dataclass, field
from datetime import datetime

from recomposer_studio.project.take import Take
from recomposer_studio.roll.event import EventRoll, Exemplar

MAX_STARS = 3


@dataclass(frozen=True)
class TakeEntry:
    """A take in the list.

    Attributes:
        id: unique in the project; numbers are never used again.
        name: what the person calls it.
        take: the rendered edit with its present mix.
        note: the person's words.
        made: when it was rendered.
        render_s: how long that took.
        left_out: sentences on rows that could not be rendered.
        preview: whether the model's version is still to come.
        stars: the person's rating, 0 to `MAX_STARS`.
        locked: whether it is protected from being removed or changed.
        parent: id of the take that this one was made from (another seed, a comp), or None.
        device: where the model ran, empty for spectral repair.
    """

    id: int
    name: str
    take: Take
    note: str = ""
    made: datetime = field(default_factory=datetime.now)
    render_s: float = 0.0
    left_out: tuple[str, ...] = ()
    preview: bool = False
    stars: int = 0
    locked: bool = False
    parent: int | None = None
    device: str = ""


@dataclass(frozen=True)
class Aside:
    """What an event had under another action than it has now.

    Attributes:
        event: its id.
        exemplar: of its Insert, or None.
        by_db: of its Enhance, or None.
    """

    event: str
    exemplar: Exemplar | None = None
    by_db: float | None = None


@dataclass(frozen=True)
class State:
    """All that undo and redo move between.

    Attributes:
        roll: the events.
        suggestions: what the detector found and nobody has accepted or rejected yet; no part of a render.
        takes: oldest first.
        aside: what events had under another action; comes back with that action, and is no part of roll files.
    """

    roll: EventRoll = field(default_factory=EventRoll)
    suggestions: EventRoll = field(default_factory=EventRoll)
    takes: tuple[TakeEntry, ...] = ()
    aside: tuple[Aside, ...] = ()
