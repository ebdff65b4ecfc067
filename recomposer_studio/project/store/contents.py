"""What is saved of a project: the recording's facts, every state that undo and redo reach, and what is looked at."""

from dataclasses import dataclass, field, replace

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.project.state import MAX_STARS, State, TakeEntry
from recomposer_studio.roll.event import EventRoll, shown

_END_TOLERANCE_S = 1e-6


@dataclass(frozen=True)
class Recording:
    """How the project's recording is found again, and known to be the same.

    Attributes:
        path: where it lay, absolute; empty when only an embedded one is known.
        relative: where it lies from the project file's folder, with `/`, when it lies there or below; else empty.
        sha256: hash of the file's bytes, hexadecimal; empty while it is not worked out.
        size_bytes: length of the file.
        rate_hz: sample rate.
        channels: number of channels.
        frames: length in frames.
        embedded: whether the project file holds the recording's bytes.
        origin: where it lay before `path` was a working copy of an embedded one; else empty.
    """

    path: str
    relative: str
    sha256: str
    size_bytes: int
    rate_hz: int
    channels: int
    frames: int
    embedded: bool = False
    origin: str = ""

    @classmethod
    def of(cls, source: Source, sha256: str = "") -> "Recording":
        """The facts of an open recording.

        Raises:
            InputError: the file has gone.
        """
        path = source.path.absolute()
        try:
            size_bytes = path.stat().st_size
        except OSError as error:
            reason = error.strerror or str(error)
            raise InputError(f"{path}: cannot be read any more ({reason}); put the file back.") from error
        return cls(str(path), "", sha256, size_bytes, source.rate_hz, source.channels, source.frames)


@dataclass(frozen=True)
class Step:
    """A step on the undo stack: its words, and the state that it leads to."""

    text: str
    after: State


@dataclass(frozen=True)
class History:
    """Everything that undo and redo reach.

    Attributes:
        first: the state before the first step.
        steps: oldest first.
        index: how many of them are done; the rest can be redone.
        next_take: number of the next take; numbers are never used again.
    """

    first: State = field(default_factory=State)
    steps: tuple[Step, ...] = ()
    index: int = 0
    next_take: int = 1

    @property
    def state(self) -> State:
        """The present state."""
        return self.steps[self.index - 1].after if self.index else self.first

    def states(self) -> tuple[State, ...]:
        """All of them, oldest first."""
        return self.first, *(step.after for step in self.steps)


@dataclass(frozen=True)
class View:
    """What is looked at and listened to; no part of any step.

    Attributes:
        start_s: left edge of what is on the screen, in seconds.
        span_s: how much is on the screen; 0 shows all.
        playhead_s: where playing starts.
        selected: ids of the selected events.
        marked: the marked stretch: start and end in seconds, limits in Hz or None; or None.
        heard: id of the take that is heard, 0 for the recording.
        difference: whether the recording minus the take is heard.
    """

    start_s: float = 0.0
    span_s: float = 0.0
    playhead_s: float = 0.0
    selected: tuple[str, ...] = ()
    marked: tuple[float, float, float | None, float | None] | None = None
    heard: int = 0
    difference: bool = False


@dataclass(frozen=True)
class Project:
    """A project at one moment.

    Attributes:
        recording: its recording.
        history: all states.
        view: what is looked at.
        elsewhere: keys of the layers that were made in another context: their recording has changed since.
    """

    recording: Recording
    history: History
    view: View = field(default_factory=View)
    elsewhere: frozenset[str] = frozenset()


def layer_keys(history: History) -> frozenset[str]:
    """The keys of all layers of a history."""
    takes = {id(entry): entry for state in history.states() for entry in state.takes}
    return frozenset(layer.key for entry in takes.values() for layer in entry.take.layers)


def with_source(history: History, source: Source) -> History:
    """The same history on another recording; what states share stays shared."""
    entries: dict[int, TakeEntry] = {}
    states: dict[int, State] = {}

    def entry_on(entry: TakeEntry) -> TakeEntry:
        if id(entry) not in entries:
            entries[id(entry)] = replace(entry, take=replace(entry.take, source=source))
        return entries[id(entry)]

    def state_on(state: State) -> State:
        if id(state) not in states:
            states[id(state)] = replace(state, takes=tuple(map(entry_on, state.takes))) if state.takes else state
        return states[id(state)]

    steps = tuple(replace(step, after=state_on(step.after)) for step in history.steps)
    return replace(history, first=state_on(history.first), steps=steps)


def other_format(recording: Recording, source: Source) -> str:
    """Why another recording cannot take the place of a project's: one clause, or empty when its format allows it."""
    if (source.rate_hz, source.channels) == (recording.rate_hz, recording.channels):
        return ""
    now, then = (
        f"{source.rate_hz} Hz and {source.channels} channels",
        f"{recording.rate_hz} Hz and {recording.channels}",
    )
    return f"it has {now}, the project's has {then}"


def misfit(history: History, source: Source) -> str:
    """Why a history cannot work on a recording: one clause, or empty when it can."""
    if not 0 <= history.index <= len(history.steps):
        return "its place in the history lies outside it"
    if not 1 <= history.next_take < 2**53:
        return "the number of its next take is none"
    # States share most of what they hold; each thing is looked at once.
    rolls: dict[int, EventRoll] = {}
    entries: dict[int, TakeEntry] = {}
    for state in history.states():
        numbers = [entry.id for entry in state.takes]
        if len(set(numbers)) < len(numbers) or any(not 0 < number < history.next_take for number in numbers):
            return "the numbers of its takes are not in order"
        entries |= {id(entry): entry for entry in state.takes}
        rolls |= {id(roll): roll for roll in (state.roll, state.suggestions)}
    rolls |= {id(entry.take.roll): entry.take.roll for entry in entries.values()}
    problems = (
        *(_roll_misfit(roll, source) for roll in rolls.values()),
        *(_entry_misfit(entry, source) for entry in entries.values()),
    )
    return next(filter(None, problems), "")


def _roll_misfit(roll: EventRoll, source: Source) -> str:
    last = max(roll.events, key=lambda event: event.end_s, default=None)
    if last is not None and last.end_s > source.duration_s + _END_TOLERANCE_S:
        return f"its box {shown(last.label)} ends at {last.end_s:.9g} s, after the recording's end"
    return ""


def _entry_misfit(entry: TakeEntry, source: Source) -> str:
    if not 0 <= entry.stars <= MAX_STARS:
        return f"take {entry.id} has {entry.stars} stars"
    events = [layer.event.id for layer in entry.take.layers]
    if len(set(events)) < len(events):
        return f"take {entry.id} has two layers of one box"
    for layer in entry.take.layers:
        where = f"take {entry.id}: the layer of {shown(layer.event.label)}"
        if not 0 <= layer.start < layer.stop <= source.frames:
            return f"{where} lies outside the recording"
        for array in (layer.removed, layer.placed):
            if array is not None and array.shape != (source.channels, layer.stop - layer.start):
                return f"{where} has another length or number of channels than its region"
    return ""
