"""Projects to save: drawn by hypothesis, and one that is always the same."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.project.recipe import Decoding, Recipe, Renderer
from recomposer_studio.project.state import State, TakeEntry
from recomposer_studio.project.store.contents import History, Project, Recording, Step, View
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import Action, Event, EventRoll
from tests.editing.scenes import noise, write

RATE_HZ, CHANNELS, FRAMES = 8_000, 2, 4_000
_LENGTH_S = FRAMES / RATE_HZ
_MADE = datetime(2026, 3, 4, 5, 6, 7, 890)


def make_recording(folder: Path, name: str = "street.wav", seed: int = 0) -> Path:
    """Half a second of stereo noise; not of floats, whose files bear the time and are never the same twice."""
    return write(folder / name, noise(CHANNELS, _LENGTH_S, RATE_HZ, seed), RATE_HZ, "PCM_24")


def sound(samples: int, seed: int = 0) -> NDArray[np.float32]:
    """(channels, samples) of noise."""
    return np.random.default_rng(seed).standard_normal((CHANNELS, samples)).astype(np.float32)


def same(a: object, b: object) -> bool:
    """Whether two values are the same to the bit; arrays and the recording aside, `==` and the same type."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if type(a) is not type(b):
        return False
    if isinstance(a, Source):
        return a is b
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "__dataclass_fields__"):
        return all(same(getattr(a, name), getattr(b, name)) for name in a.__dataclass_fields__)
    return a == b


def take_of(source: Source, number: int = 1, seed: int = 0) -> TakeEntry:
    """A take with two layers."""
    roll = EventRoll(
        (
            Event("a", Action.DELETE, "Dog", 0.1, 0.2, "Dog"),
            Event("b", Action.INSERT, "Bell", 0.2, 0.3, "Bell", gain_db=-3.0),
        )
    )
    layers = (
        Layer(roll.events[0], 780, 1620, sound(840, seed), None, "repair", f"key {seed}", seed, found_db=3.25),
        Layer(roll.events[1], 1580, 2420, None, sound(840, seed + 1), "tokens", f"key {seed + 1}", seed, model="m 1"),
    )
    take = Take(source, roll, Recipe(seed=seed), "repair", layers, frozenset({"a"}))
    return TakeEntry(number, f"Take {number}", take, note="<b>loud</b>", made=_MADE, stars=2, device="cpu")


def project_of(source: Source) -> Project:
    """A project with a history in which the present state is not the last one."""
    one = State(EventRoll((Event("a", Action.KEEP, "Regen \u2602", 0.1, 0.4, "r", confidence=0.5),)))
    two = replace(one, takes=(take_of(source),), suggestions=one.roll)
    three = replace(two, takes=(*two.takes, take_of(source, 2, 5)))
    four = replace(three, takes=three.takes[1:])
    steps = tuple(Step(f"step {k}", state) for k, state in enumerate((one, two, three, four)))
    recording = Recording.of(source, source.sha256())
    view = View(0.1, 0.25, 0.2, ("a",), (0.1, 0.2, None, 300.0), 2, True)
    return Project(recording, History(State(), steps, 3, 9), view, frozenset({"key 0"}))


_words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=12).filter(str.strip)
_levels = st.floats(-60, 60)


@st.composite
def _events(draw: st.DrawFn, number: int) -> Event:
    start_s = draw(st.floats(0, _LENGTH_S * 0.9))
    action = draw(st.sampled_from(list(Action)))
    return Event(
        f"e{number}", action, draw(_words), start_s, draw(st.floats(start_s + 1e-4, _LENGTH_S)), draw(_words),
        level_db=draw(_levels), by_db=draw(_levels) if action is Action.ENHANCE else None, amount=draw(st.floats(0, 1)),
        pan=draw(st.floats(-1, 1)), low_hz=draw(st.none() | st.floats(0, 100)),
        high_hz=draw(st.none() | st.floats(200, 4000)), confidence=draw(st.none() | st.floats(0, 1)),
        muted=draw(st.booleans()),
    )  # fmt: skip


@st.composite
def _rolls(draw: st.DrawFn, most: int = 3) -> EventRoll:
    return EventRoll(tuple(draw(_events(number)) for number in range(draw(st.integers(0, most)))))


_recipes = st.builds(
    Recipe,
    seed=st.integers(0, 2**64 - 1),
    renderer=st.sampled_from(list(Renderer)),
    decoding=st.builds(Decoding, temperature=st.floats(0, 5), top_k=st.integers(0, 9)),
    fade_s=st.floats(0, 1),
)


@st.composite
def _layers(draw: st.DrawFn, event: Event) -> Layer:
    start = draw(st.integers(0, FRAMES - 20))
    stop = draw(st.integers(start + 1, start + 20))

    def array() -> NDArray[np.float32] | None:
        # All bit patterns of a float count, also those of numbers that are none.
        bits = draw(st.none() | st.binary(min_size=8, max_size=8))
        return None if bits is None else np.resize(np.frombuffer(bits, "<f4"), (CHANNELS, stop - start)).astype("f4")

    return Layer(
        event, start, stop, array(), array(), draw(st.sampled_from(["repair", "mask", "tokens"])), draw(_words),
        draw(st.integers(0, 2**64 - 1)), draw(st.just("") | _words), draw(st.none() | st.floats(allow_nan=False)),
        draw(st.none() | _recipes), draw(st.just("") | _words),
    )  # fmt: skip


@st.composite
def _takes(draw: st.DrawFn, source: Source, number: int) -> TakeEntry:
    roll = draw(_rolls())
    layers = tuple(draw(_layers(event)) for event in roll.events)
    take = Take(source, roll, draw(_recipes), draw(_words), layers, frozenset(draw(st.sets(st.sampled_from("abc")))))
    return TakeEntry(
        number, draw(_words), take, draw(st.just("") | _words), draw(st.datetimes()), draw(st.floats(0, 1e6)),
        tuple(draw(st.lists(_words, max_size=2))), False, draw(st.integers(0, 3)), draw(st.booleans()),
        draw(st.none() | st.integers(1, 9)), draw(st.just("") | _words),
    )  # fmt: skip


@st.composite
def histories(draw: st.DrawFn, source: Source) -> History:
    """A history of up to four steps whose states share some of what they hold."""
    states = [State(draw(_rolls()))]
    number = 1
    for _ in range(draw(st.integers(0, 4))):
        state = states[-1]
        change = draw(st.sampled_from(["roll", "suggestions", "take", "less", "back"]))
        if change == "take":
            state, number = replace(state, takes=(*state.takes, draw(_takes(source, number)))), number + 1
        elif change == "less":
            state = replace(state, takes=state.takes[1:])
        elif change == "back":
            state = draw(st.sampled_from(states))
        else:
            state = replace(state, **{change: draw(_rolls())})
        states.append(state)
    steps = tuple(Step(draw(_words), state) for state in states[1:])
    return History(states[0], steps, draw(st.integers(0, len(steps))), number)
