"""Source + roll + recipe -> take. Every event reads the base; the cost follows the edits, not the length of the file."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BandGrid
from recomposer_studio.audio.resample import common_grid, resample
from recomposer_studio.audio.source import Source
from recomposer_studio.editing.contradiction import contradicts, with_advice
from recomposer_studio.editing.exemplars import HeardExemplar, read_exemplar
from recomposer_studio.editing.generator import Generator, SoundRequest
from recomposer_studio.editing.regions import Region, Window, active_frames, company, fade_window, groups
from recomposer_studio.editing.seeds import event_seed
from recomposer_studio.editing.separation import (
    Claim,
    background_share,
    band_power,
    claim,
    cut_out,
    in_band,
    read_padded,
    separate,
)
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import Action, Event, EventRoll

_FloatArray = NDArray[np.float64]

ENGINE_VERSION = 10
"""Part of every layer's key; raised when the same inputs would sound different."""
QUIETEST_BACKGROUND_DB = -60.0
"""A background below this counts as this loud: a level over digital silence means nothing."""
MOST_ENHANCE_DB = 40.0
"""The strongest gain Enhance applies to what it found: beyond it only the noise of the separation grows."""
MOST_IN_BAND_DB = 20.0
"""What is left of an inserted sound within the box's frequencies is raised by this at most to have the wanted level."""

GENERATED = 30
"""A frame that is generated takes about as long as so many that are analysed: for a progress whose pace tells the time left."""

Progress = Callable[[int, int, str], None]


def _no_progress(done: int, total: int, what: str) -> None:
    """Reports nothing."""


def _never() -> bool:
    return False


def _show_nobody(layer: Layer) -> None:
    """Nobody waits for single layers."""


@dataclass(frozen=True)
class Engine:
    """Renders takes.

    Attributes:
        generator: the model, or None for spectral repair alone.
    """

    generator: Generator | None = None

    def render(
        self,
        source: Source,
        roll: EventRoll,
        recipe: Recipe,
        progress: Progress = _no_progress,
        cancelled: Callable[[], bool] = _never,
        on_layer: Callable[[Layer], None] = _show_nobody,
    ) -> Take:
        """Renders every insert, delete and enhance event of a roll.

        Args:
            source: the base.
            roll: the events; all must lie inside the file.
            recipe: seed and settings.
            progress: called with (frames of work done, in all, what is being done).
            cancelled: polled between pieces of work.
            on_layer: given every layer as soon as it is rendered.

        Raises:
            InputError: an event cannot be rendered; the sentence names it.
            Cancelled: `cancelled` returned true.
        """
        job = _Job(self.generator, source, roll, recipe, progress, cancelled)
        layers: dict[str, Layer] = {}
        for layer in job.layers():
            layers[layer.event.id] = layer
            on_layer(layer)
        model = f"{self.generator.name} {self.generator.digest}" if self.generator else Renderer.REPAIR.value
        return Take(source, roll, recipe, model, tuple(layers[e.id] for e in roll.events if e.id in layers))


class _Job:
    """One render, group by group: what a group's events claim is forgotten when its layers are done."""

    def __init__(
        self,
        generator: Generator | None,
        source: Source,
        roll: EventRoll,
        recipe: Recipe,
        progress: Progress,
        cancelled: Callable[[], bool],
    ) -> None:
        self.generator, self.source, self.recipe = generator, source, recipe
        self.progress, self.cancelled = progress, cancelled
        self.regions = {e.id: Region.of(e, source.rate_hz, source.frames, recipe.fade_s) for e in roll.events}
        self.groups = groups(roll.events, self.regions)
        self.group: list[Event] = []
        self.claims: dict[str, Claim] = {}
        self.exemplars: dict[str, HeardExemplar] = {}
        self.edits = [event for event in roll.events if event.action is not Action.KEEP]
        self.done = self.reach = 0
        self.total = sum(self.work(event) for event in self.edits)
        self.doing = ""

    def layers(self) -> Iterator[Layer]:
        for event in self.edits:
            if event.action is Action.INSERT and not self.can_insert and not event.muted:
                raise InputError(
                    f"event {event.id}: insert needs a model, spectral repair cannot make a {event.label}; "
                    f"choose one with --model or remove the event"
                )
            if event.exemplar is not None and self.can_insert:
                # All of them first: what is missing is told before anything is rendered.
                self.exemplars[event.id] = read_exemplar(self.source, event, event.exemplar)
        for group in self.groups:
            self.group, self.claims = group, {}
            for event in group:
                if event.action is Action.KEEP:
                    continue
                self.doing, self.reach = f"{event.action} {event.label}", self.done + self.work(event)
                self.tick(0)
                yield self.inserted(event) if event.action is Action.INSERT else self.separated(event)
                self.done = self.reach
        self.progress(self.total, self.total, "done")

    def work(self, event: Event) -> int:
        """Frames of work in an event, about: its window is analysed once, its box cut out once or generated."""
        grid = BandGrid.at(self.source.rate_hz)
        box = ceil((event.end_s - event.start_s) / grid.hop_s)
        return Window.around(event, grid).frames + box * (GENERATED if event.action is Action.INSERT else 1)

    def tick(self, frames: int) -> None:
        """Counts finished work; stops when asked to."""
        if self.cancelled():
            raise Cancelled
        self.count(frames)

    def count(self, frames: int) -> None:
        self.done = min(self.reach, self.done + frames)
        self.progress(self.done, self.total, self.doing)

    @property
    def can_insert(self) -> bool:
        return self.generator is not None and self.recipe.renderer is not Renderer.REPAIR

    def generator_for(self, event: Event) -> Generator | None:
        """The model when it is asked for, or when it is at least as good as repair at what the event asks."""
        if self.recipe.renderer is Renderer.REPAIR or self.generator is None:
            return None
        # A kept sound is separated like one to delete.
        action = Action.DELETE if event.action is Action.KEEP else event.action
        better = action in self.generator.better_than_repair
        return self.generator if better or self.recipe.renderer is Renderer.MODEL else None

    def company(self, event: Event) -> tuple[Event, ...]:
        return company(self.group, self.regions, event)

    def claim(self, event: Event) -> Claim:
        if event.id not in self.claims:
            self.claims[event.id] = claim(self.source, event, self.company(event), self.generator_for(event), self.tick)
        return self.claims[event.id]

    def separated(self, event: Event) -> Layer:
        source, region = self.source, self.regions[event.id]
        renderer = "mask" if self.generator_for(event) else "repair"
        note = _above(event, source.rate_hz)
        if note:
            nothing = np.zeros((source.channels, region.stop - region.start), np.float32)
            placed = None if event.action is Action.DELETE else nothing
            seed = event_seed(self.recipe.seed, event.id)
            return Layer(event, region.start, region.stop, nothing, placed, renderer, self.key(event, []), seed, note)
        heard = [other for other in self.company(event) if other.action is not Action.INSERT]
        parts = separate(self.claim(event), [self.claim(other) for other in heard])
        grid = BandGrid.at(source.rate_hz)
        active = active_frames(event.start_s, event.end_s, parts.window.first, parts.window.frames, grid.hop_s)
        found_db = parts.level_db(active, QUIETEST_BACKGROUND_DB)
        gain, note = 1.0, f"no {event.label} was found in the box; nothing was changed"
        if found_db is not None:
            gain, note = self.gain(event, found_db)
            if event.action is Action.DELETE and parts.overlooked(active):
                note = (
                    f"hardly any {event.label} was found in the box; spectral repair would take what stands out there"
                )
        note = next((with_advice(note, other) for other in heard if contradicts(event, other)), note)
        fade = fade_window(event, region, source.rate_hz, self.recipe.fade_s)
        removed, placed = cut_out(
            source, event, region, fade, parts, 0.0 if event.action is Action.DELETE else gain, self.tick
        )
        return Layer(
            event=event,
            start=region.start,
            stop=region.stop,
            removed=removed,
            placed=placed,
            renderer=renderer,
            key=self.key(event, [self.heard(other) for other in (event, *heard)]),
            seed=event_seed(self.recipe.seed, event.id),
            note=note,
            found_db=found_db,
        )

    def gain(self, event: Event, found_db: float) -> tuple[float, str]:
        """Factor on the amplitude of what was found, and a note when it is not what was asked for."""
        gain_db = event.by_db if event.by_db is not None else event.level_db - found_db
        note = ""
        if event.action is Action.ENHANCE and gain_db > MOST_ENHANCE_DB:
            note = f"raised by {MOST_ENHANCE_DB:.0f} dB instead of {gain_db:.0f} dB: too little of it was found"
            gain_db = MOST_ENHANCE_DB
        return float(10.0 ** (gain_db / 20.0)), note

    def inserted(self, event: Event) -> Layer:
        source, region, generator = self.source, self.regions[event.id], self.generator
        placed = np.zeros((source.channels, region.stop - region.start), np.float32)
        seed = event_seed(self.recipe.seed, event.id)
        if generator is None or not self.can_insert:
            note = "not rendered: it is muted, and there is no model to insert with"
            return Layer(event, region.start, region.stop, None, placed, "tokens", self.key(event, []), seed, note)
        note = _above(event, source.rate_hz)
        if note:
            return Layer(event, region.start, region.stop, None, placed, "tokens", self.key(event, []), seed, note)
        grid = BandGrid.at(source.rate_hz)
        window = Window.around(event, grid)
        channels, _, heard = band_power(source, grid, window, self.tick)
        power = channels.mean(axis=0)

        def polled() -> bool:
            # Polled about once a generated frame, which is as long as two of the grid's.
            self.count(2 * GENERATED)
            return self.cancelled()

        exemplar = self.exemplars.get(event.id)
        sound = generator.sound(
            SoundRequest(
                event=event,
                power=power,
                hop_s=grid.hop_s,
                box_start_s=event.start_s - window.first * grid.hop_s,
                duration_s=event.end_s - event.start_s,
                seed=seed,
                decoding=self.recipe.decoding,
                cancelled=polled,
                exemplar=exemplar.at(generator.rate_hz) if exemplar else None,
            )
        )
        mono = place(sound, generator.rate_hz, event.start_s, region, source.rate_hz)
        fade = fade_window(event, region, source.rate_hz, self.recipe.fade_s)
        whole_power = float(np.mean((mono * fade) ** 2))
        mono = in_band(mono, event, source.rate_hz) * fade
        # The first two channels are the front of every common layout.
        front = min(2, source.channels)
        base = read_padded(source, region.start, region.stop)[:front]
        floor = 10.0 ** (QUIETEST_BACKGROUND_DB / 10.0)
        company = self.company(event)
        background = background_share(source, event, company, power) * float(np.var(base, axis=1).mean())
        wanted = 10.0 ** (event.level_db / 10.0) * max(background, floor)
        power_now = float(np.mean(mono**2))
        note = "" if power_now > 0 else f"the model made no sound for {event.label}; nothing was changed"
        quietest = whole_power / 10.0 ** (MOST_IN_BAND_DB / 10.0)
        if 0 < power_now < quietest:
            note = f"{event.label} is quieter than asked for: little of it lies within the frequencies of its box"
            power_now = quietest
        placed[:front] = mono * np.sqrt(wanted / power_now) if power_now > 0 else 0.0
        known: list[tuple[str, str, str, object]] = [("tokens", generator.digest, heard.hex(), _shown(event))]
        if exemplar:
            known.append(("exemplar", "", exemplar.sha256, []))
        # Where others are edited is no background that the level counts over.
        beside = [_shown(other) for other in company if other.action in (Action.DELETE, Action.ENHANCE)]
        if beside:
            known.append(("beside", "", "", beside))
        return Layer(
            event=event,
            start=region.start,
            stop=region.stop,
            removed=None,
            placed=placed,
            renderer="tokens",
            key=self.key(event, known),
            seed=seed,
            note=note,
            exemplar=exemplar.sha256 if exemplar else "",
        )

    def heard(self, event: Event) -> tuple[str, str, str, object]:
        """What a claim depends on: who made it, the samples, the event and its company."""
        generator = self.generator_for(event)
        by = ("mask", generator.digest) if generator else ("repair", "")
        return (*by, self.claims[event.id].heard.hex(), [_shown(event), *map(_shown, self.company(event))])

    def key(self, event: Event, heard: Sequence[tuple[str, str, str, object]]) -> str:
        """Hash of what a layer depends on: everything that was heard, the wanted level, settings, seed and id."""
        # Without a model it is all the same who was asked for: such a take is rendered again by spectral repair.
        recipe = self.recipe if self.generator else replace(self.recipe, renderer=Renderer.REPAIR)
        facts = {
            "engine": ENGINE_VERSION,
            "heard": heard,
            "id": event.id,
            "level": [event.level_db, event.by_db],
            "recipe": recipe.as_json(),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _above(event: Event, rate_hz: int) -> str:
    """Why a box changes nothing: it lies above all that a file of this rate can hold; empty when it does not."""
    highest_hz = rate_hz / 2
    if event.low_hz is None or event.low_hz < highest_hz:
        return ""
    return (
        f"the box of {event.label} lies above {highest_hz / 1_000:g} kHz, the highest frequency of this recording; nothing "
        "was changed"
    )


def _shown(event: Event) -> list[object]:
    """What an event shows of itself to the others."""
    return [event.action.value, event.label, event.start_s, event.end_s, event.low_hz, event.high_hz]


def place(sound: NDArray[np.float32], sound_hz: int, start_s: float, region: Region, rate_hz: int) -> _FloatArray:
    """A mono sound at its own rate, moved to `start_s` and resampled into a region's samples, shape (region samples,).

    Both rates count from a common point of their grids, so resampling shifts nothing; the start is rounded to one sample of
    the sound's rate.
    """
    step, sound_step = common_grid(rate_hz, sound_hz)
    # Room for the resampler's ringing, which starts before the sound.
    lead_s = 0.02
    block = max(0, int((min(start_s, region.start / rate_hz) - lead_s) * rate_hz) // step)
    offset = round(start_s * sound_hz) - block * sound_step
    tail = int(lead_s * sound_hz)
    padded = np.concatenate([np.zeros(offset), sound, np.zeros(tail)])
    out = resample(padded[None, :], sound_hz, rate_hz)[0]
    first = region.start - block * step
    piece = out[first : first + region.stop - region.start]
    return np.pad(piece, (0, region.stop - region.start - len(piece)))
