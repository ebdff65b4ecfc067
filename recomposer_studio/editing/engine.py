"""Source + roll + recipe -> take. Every event reads the base; the cost follows the edits, not the length of the file."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BandGrid
from recomposer_studio.audio.resample import common_grid, resample
from recomposer_studio.audio.source import Source
from recomposer_studio.editing.generator import Generator, SoundRequest
from recomposer_studio.editing.regions import Region, Window, active_frames, company, fade_window
from recomposer_studio.editing.seeds import event_seed
from recomposer_studio.editing.separation import Claim, band_power, claim, cut_out, read_padded, separate
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import Action, Event, EventRoll

_FloatArray = NDArray[np.float64]

ENGINE_VERSION = 1
"""Part of every layer's key; raised when the same inputs would sound different."""
QUIETEST_BACKGROUND_DB = -60.0
"""A background below this counts as this loud: a level over digital silence means nothing."""
MOST_ENHANCE_DB = 40.0
"""The strongest gain Enhance applies to what it found: beyond it only the noise of the separation grows."""

Progress = Callable[[int, int, str], None]


def _no_progress(done: int, total: int, what: str) -> None:
    """Reports nothing."""


def _never() -> bool:
    return False


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
    ) -> Take:
        """Renders every insert, delete and enhance event of a roll.

        Args:
            source: the base.
            roll: the events; all must lie inside the file.
            recipe: seed and settings.
            progress: called with (events done, events in all, what is being done).
            cancelled: polled between pieces of work.

        Raises:
            InputError: an event cannot be rendered; the sentence names it.
            Cancelled: `cancelled` returned true.
        """
        job = _Job(self.generator, source, roll, recipe, cancelled)
        edits = [event for event in roll.events if event.action is not Action.KEEP]
        layers = []
        for done, event in enumerate(edits):
            progress(done, len(edits), f"{event.action} {event.label}")
            layers.append(job.layer(event))
        progress(len(edits), len(edits), "done")
        model = f"{self.generator.name} {self.generator.digest}" if self.generator else Renderer.REPAIR.value
        return Take(source, roll, recipe, model, tuple(layers))


class _Job:
    """One render: the regions, and the claims that several events look at."""

    def __init__(
        self,
        generator: Generator | None,
        source: Source,
        roll: EventRoll,
        recipe: Recipe,
        cancelled: Callable[[], bool],
    ) -> None:
        self.generator, self.source, self.roll, self.recipe, self.cancelled = generator, source, roll, recipe, cancelled
        self.regions = {e.id: Region.of(e, source.rate_hz, source.frames, recipe.fade_s) for e in roll.events}
        self.claims: dict[str, Claim] = {}

    def layer(self, event: Event) -> Layer:
        self.tick()
        return self.inserted(event) if event.action is Action.INSERT else self.separated(event)

    def tick(self) -> None:
        if self.cancelled():
            raise Cancelled

    def generator_for(self, event: Event) -> Generator | None:
        """The model when it is asked for, or when it is at least as good as repair at what the event asks."""
        if self.recipe.renderer is Renderer.REPAIR or self.generator is None:
            return None
        # A kept sound is separated like one to delete.
        action = Action.DELETE if event.action is Action.KEEP else event.action
        better = action in self.generator.better_than_repair
        return self.generator if better or self.recipe.renderer is Renderer.MODEL else None

    def claim(self, event: Event) -> Claim:
        if event.id not in self.claims:
            self.tick()
            self.claims[event.id] = claim(
                self.source, event, company(self.roll, self.regions, event), self.generator_for(event)
            )
        return self.claims[event.id]

    def separated(self, event: Event) -> Layer:
        source, region = self.source, self.regions[event.id]
        around = company(self.roll, self.regions, event)
        own = self.claim(event)
        parts = separate(own, [self.claim(other) for other in around if other.action is not Action.INSERT])
        grid = BandGrid.at(source.rate_hz)
        active = active_frames(event.start_s, event.end_s, parts.window.first, parts.window.frames, grid.hop_s)
        found, rest = parts.powers(active)
        found_db = (
            10.0 * np.log10(found / max(rest, 10.0 ** (QUIETEST_BACKGROUND_DB / 10.0))) if found > 1e-14 else None
        )
        gain, note = 0.0, ""
        if found_db is None:
            gain, note = 1.0, f"no {event.label} was found in the box; nothing was changed"
        elif event.action is Action.ENHANCE:
            gain_db = event.by_db if event.by_db is not None else event.level_db - found_db
            if gain_db > MOST_ENHANCE_DB:
                note = f"raised by {MOST_ENHANCE_DB:.0f} dB instead of {gain_db:.0f} dB: too little of it was found"
                gain_db = MOST_ENHANCE_DB
            gain = 10.0 ** (gain_db / 20.0)
        if event.action is Action.DELETE:
            gain = 0.0
        removed, placed = cut_out(source, event, region, parts, gain, self.tick)
        fade = fade_window(event, region, source.rate_hz, self.recipe.fade_s)
        generator = self.generator_for(event)
        return Layer(
            event=event,
            start=region.start,
            stop=region.stop,
            removed=(removed * fade).astype(np.float32),
            placed=None if event.action is Action.DELETE else (placed * fade).astype(np.float32),  # type: ignore[operator]
            renderer="mask" if generator else "repair",
            key=self.key(event, parts.power, generator),
            seed=event_seed(self.recipe.seed, event.id),
            note=note,
            found_db=found_db,
        )

    def inserted(self, event: Event) -> Layer:
        source, region, generator = self.source, self.regions[event.id], self.generator
        if generator is None or self.recipe.renderer is Renderer.REPAIR:
            raise InputError(
                f"event {event.id}: insert needs a model, spectral repair cannot make a {event.label}; "
                f"choose one with --model or remove the event"
            )
        grid = BandGrid.at(source.rate_hz)
        window = Window.around(event, grid)
        power = band_power(source, grid, window).mean(axis=0)
        seed = event_seed(self.recipe.seed, event.id)
        sound = generator.sound(
            SoundRequest(
                event=event,
                power=power,
                hop_s=grid.hop_s,
                box_start_s=event.start_s - window.first * grid.hop_s,
                duration_s=event.end_s - event.start_s,
                seed=seed,
                decoding=self.recipe.decoding,
                cancelled=self.cancelled,
            )
        )
        mono = place(sound, generator.rate_hz, event.start_s, region, source.rate_hz)
        mono = mono * fade_window(event, region, source.rate_hz, self.recipe.fade_s)
        # The first two channels are the front of every common layout.
        front = min(2, source.channels)
        base = read_padded(source, region.start, region.stop)[:front]
        floor = 10.0 ** (QUIETEST_BACKGROUND_DB / 10.0)
        wanted = 10.0 ** (event.level_db / 10.0) * max(float(np.mean(base**2)), floor)
        power_now = float(np.mean(mono**2))
        note = "" if power_now > 0 else f"the model made no sound for {event.label}; nothing was changed"
        placed = np.zeros((source.channels, region.stop - region.start), np.float32)
        placed[:front] = mono * np.sqrt(wanted / power_now) if power_now > 0 else 0.0
        return Layer(
            event=event,
            start=region.start,
            stop=region.stop,
            removed=None,
            placed=placed,
            renderer="tokens",
            key=self.key(event, power, generator),
            seed=seed,
            note=note,
        )

    def key(self, event: Event, base: _FloatArray, generator: Generator | None) -> str:
        """Hash of what a layer depends on: the base's window, the event, its company, model, settings and seed."""
        shown = ("action", "label", "start_s", "end_s", "low_hz", "high_hz")
        events = [event, *company(self.roll, self.regions, event)]
        facts = {
            "engine": ENGINE_VERSION,
            "events": [{name: getattr(other, name) for name in shown} for other in events],
            "id": event.id,
            "level": [event.level_db, event.by_db],
            "model": generator.digest if generator else "repair",
            "recipe": self.recipe.as_json(),
            "rate_hz": self.source.rate_hz,
        }
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(base).tobytes())
        return digest.hexdigest()


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
