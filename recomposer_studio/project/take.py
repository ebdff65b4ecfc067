"""A take: the recording and one additive layer per event; everything that acts on a rendered layer acts here, without a model."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.roll.event import Action, Event, EventRoll

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Layer:
    """What one event changes; zero outside [start, stop).

    Attributes:
        event: the event as it was rendered, with its present amount, gain, pan and mute.
        start: first sample of the region in the file.
        removed: the event's sound as estimated in the base, (channels, samples) float32; None for Insert.
        placed: the sound that takes its place, likewise; None for Delete.
        renderer: `repair`, `mask` or `tokens`.
        key: hash of everything that the arrays depend on.
        seed: the event's seed.
        note: a sentence for the person when something did not go as asked, else empty.
        found_db: level of the event found in the base over its background, None for Insert or when nothing was found.
        recipe: what it was rendered with where that differs from the take's recipe (a layer taken over from another take), else None.
        model: likewise the model, else empty.
        exemplar: SHA-256 of the exemplar's samples (`editing.exemplars`), in hex; empty without one.
    """

    event: Event
    start: int
    stop: int
    # Layers are compared by their key: it stands for the arrays, which have no truth value of their own.
    removed: NDArray[np.float32] | None = field(compare=False)
    placed: NDArray[np.float32] | None = field(compare=False)
    renderer: str
    key: str
    seed: int
    note: str = ""
    found_db: float | None = None
    recipe: Recipe | None = None
    model: str = ""
    exemplar: str = ""


@dataclass(frozen=True)
class Part:
    """What can be heard and exported of a take: the take itself, the bed, or one row's placed or removed sound."""

    kind: str
    row: str | None = None


TAKE = Part("take")
BED = Part("bed")


def pan_gains(pan: float, channels: int) -> _FloatArray:
    """Gain of every channel, (channels, 1): constant power with unity in the middle, over the first two channels.

    Mono files and channels beyond the first two are left alone.
    """
    gains = np.ones((channels, 1))
    if channels >= 2 and pan != 0.0:
        angle = (pan + 1.0) * np.pi / 4.0
        gains[:2, 0] = np.sqrt(2.0) * np.cos(angle), np.sqrt(2.0) * np.sin(angle)
    return gains


@dataclass(frozen=True)
class Take:
    """A finished edit of a recording.

    Attributes:
        source: the recording.
        roll: the events as rendered.
        recipe: seed and settings.
        model: name and digest of the model in use, or `repair`.
        layers: one per insert, delete and enhance event, in the roll's order.
        solo: ids of the events that alone are applied; empty for all.
    """

    source: Source
    roll: EventRoll
    recipe: Recipe
    model: str
    layers: tuple[Layer, ...]
    solo: frozenset[str] = field(default_factory=frozenset)

    def layer(self, event_id: str) -> Layer:
        """The layer of an event.

        Raises:
            KeyError: the event has none.
        """
        for layer in self.layers:
            if layer.event.id == event_id:
                return layer
        raise KeyError(event_id)

    def adjusted(
        self,
        event_id: str,
        *,
        amount: float | None = None,
        gain_db: float | None = None,
        pan: float | None = None,
        muted: bool | None = None,
    ) -> "Take":
        """The same take with another amount, gain, pan or mute on one layer; nothing is rendered."""
        old = self.layer(event_id)
        event = replace(
            old.event,
            amount=old.event.amount if amount is None else amount,
            gain_db=old.event.gain_db if gain_db is None else gain_db,
            pan=old.event.pan if pan is None else pan,
            muted=old.event.muted if muted is None else muted,
        )
        layers = tuple(replace(layer, event=event) if layer is old else layer for layer in self.layers)
        return replace(self, layers=layers, roll=self.roll.with_event(event))

    def soloed(self, event_ids: frozenset[str]) -> "Take":
        """The same take with only these events applied; an empty set applies all."""
        return replace(self, solo=event_ids)

    def spans(self, part: Part = TAKE) -> list[tuple[int, int]]:
        """Sorted, merged sample intervals outside which a part is the source (take, bed) or silence (stems)."""
        merged: list[tuple[int, int]] = []
        for layer in sorted(self._concerned(part), key=lambda layer: layer.start):
            if merged and layer.start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], layer.stop))
            else:
                merged.append((layer.start, layer.stop))
        return merged

    def change(self, start: int, stop: int, part: Part = TAKE) -> _FloatArray:
        """What a part adds to its ground, (channels, stop - start).

        The ground of take and bed is the source, that of a row's placed or removed sound is silence.
        """
        out = np.zeros((self.source.channels, stop - start))
        for layer in self._concerned(part):
            first, last = max(start, layer.start), min(stop, layer.stop)
            if first < last:
                window = slice(first - layer.start, last - layer.start)
                out[:, first - start : last - start] += self.contribution(layer, window, part)
        return out

    def contribution(self, layer: Layer, window: slice, part: Part = TAKE) -> _FloatArray:
        """One layer's addition to a part over a slice of its region, (channels, samples)."""
        event, channels = layer.event, self.source.channels
        length = len(range(*window.indices(layer.stop - layer.start)))
        out = np.zeros((channels, length))
        if part.kind in ("take", "placed") and layer.placed is not None:
            gain = 10.0 ** (event.gain_db / 20.0) * pan_gains(event.pan, channels)
            out += gain * layer.placed[:, window]
        if part.kind != "placed" and layer.removed is not None:
            out += layer.removed[:, window] if part.kind == "removed" else -1.0 * layer.removed[:, window]
        return out * event.amount

    def read(self, start: int, stop: int, part: Part = TAKE) -> _FloatArray:
        """Samples of a part, (channels, stop - start) float64."""
        change = self.change(start, stop, part)
        return change + self.source.read(start, stop) if part.kind in ("take", "bed") else change

    def _concerned(self, part: Part) -> list[Layer]:
        wanted: Callable[[Layer], bool] = {
            "take": lambda layer: True,
            "bed": lambda layer: layer.removed is not None,
            "placed": lambda layer: layer.event.row == part.row and layer.placed is not None,
            "removed": lambda layer: layer.event.row == part.row and layer.removed is not None,
        }[part.kind]
        return [layer for layer in self.layers if self._heard(layer) and wanted(layer)]

    def _heard(self, layer: Layer) -> bool:
        return not layer.event.muted and (not self.solo or layer.event.id in self.solo)


def stem_parts(roll: EventRoll) -> tuple[list[Part], list[Part]]:
    """The stems of a roll's takes: (bed and placed, which sum to the take; removed, which with the bed sum to the source)."""

    def rows(*actions: Action) -> list[str]:
        return [row for row, events in roll.rows().items() if any(event.action in actions for event in events)]

    placed = [Part("placed", row) for row in rows(Action.INSERT, Action.ENHANCE)]
    return [BED, *placed], [Part("removed", row) for row in rows(Action.DELETE, Action.ENHANCE)]
