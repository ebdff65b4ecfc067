"""Comping: a take whose layers come from several takes, and how such a take is rendered again, sample by sample.

A layer depends on the events of its group (`regions.groups`), because overlapping events share what is there. It is taken over only
where the group is the same in both takes: so the shares of a group still sum to at most one, and roll, recipe and model of the
layer are all that it takes to make it again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from recomposer_studio.audio.source import Source
from recomposer_studio.editing.regions import Region, groups
from recomposer_studio.errors import InputError
from recomposer_studio.project.origin import REPAIR, Origin, origin
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import Action, Event, EventRoll


@dataclass(frozen=True)
class Rendering:
    """A part of a comp that is rendered at once.

    Attributes:
        origin: with what.
        roll: the events of the groups concerned.
        ids: the events whose layers are wanted.
    """

    origin: Origin
    roll: EventRoll
    ids: frozenset[str]

    @property
    def recipe(self) -> Recipe:
        """The recipe to render with: where no model was there, none is asked for."""
        recipe = self.origin.recipe
        return replace(recipe, renderer=Renderer.REPAIR) if self.origin.model == REPAIR else recipe


def group_roll(roll: EventRoll, ids: Iterable[str], fade_s: float, source: Source) -> EventRoll:
    """The events of a roll that the layers of some of them depend on: their groups, whole."""
    wanted = set(ids)
    kept: set[str] = set()
    for group in _groups(roll, fade_s, source):
        if any(event.id in wanted for event in group):
            kept |= {event.id for event in group}
    return EventRoll(tuple(event for event in roll.events if event.id in kept))


def refusal(take: Take, other: Take, event_id: str) -> str:
    """Why an event's layer of another take cannot be taken over: a clause, or empty when it can."""
    layer = _find(other, event_id)
    if layer is None:
        return "the other take has no such sound"
    roll = take.roll.with_event(layer.event)
    fade_s = origin(other, layer).recipe.fade_s
    if _contexts(other.roll, fade_s, take.source)[event_id] != _contexts(roll, fade_s, take.source)[event_id]:
        return "it was rendered beside other boxes there"
    if _box(layer.event) == next((_box(event) for event in take.roll.events if event.id == event_id), None):
        return ""
    staying = [stays for stays in take.layers if stays.event.id != event_id]
    for fade_s in {origin(take, stays).recipe.fade_s for stays in staying}:
        before, after = _contexts(take.roll, fade_s, take.source), _contexts(roll, fade_s, take.source)
        for stays in staying:
            if before[stays.event.id] != after[stays.event.id]:
                return f"{stays.event.label} beside it was rendered with another box there"
    return ""


def taken_over(take: Take, other: Take, event_id: str) -> Take:
    """A take with one layer, and its mix, of another take of the same recording; neither of the two changes.

    Raises:
        InputError: it would not be the same sound beside the other boxes.
    """
    reason = refusal(take, other, event_id)
    if reason:
        label = next((event.label for event in take.roll.events if event.id == event_id), event_id)
        raise InputError(f"{label} cannot be taken over: {reason}; generate a take with these boxes first")
    layer = other.layer(event_id)
    return _with_layer(take, _from(layer, origin(other, layer), take))


def renderings(source: Source, roll: EventRoll, made_with: Mapping[str, Origin]) -> tuple[Rendering, ...]:
    """What has to be rendered to make a take again.

    Args:
        source: the recording.
        roll: the take's events.
        made_with: what every layer was rendered with, by event.
    """
    parts = []
    for one in dict.fromkeys(made_with.values()):
        ids = frozenset(event_id for event_id, other in made_with.items() if other == one)
        part = group_roll(roll, ids, one.recipe.fade_s, source)
        if one.model == REPAIR:
            # An inserted sound changes nothing of those around it, and without a model it cannot be made unless it is muted.
            part = EventRoll(tuple(e for e in part.events if e.action is not Action.INSERT or e.muted))
        parts.append(Rendering(one, part, ids))
    return tuple(parts)


def assembled(source: Source, roll: EventRoll, main: Origin, rendered: Iterable[tuple[Rendering, Take]]) -> Take:
    """The take that the parts make up; its layers name the models that rendered them, which may be others than the recipe's.

    Args:
        source: the recording.
        roll: its events.
        main: recipe and model of the take.
        rendered: every part and what was rendered of it.
    """
    layers: dict[str, Layer] = {}
    take = Take(source, roll, main.recipe, main.model, ())
    for part, done in rendered:
        for layer in done.layers:
            if layer.event.id in part.ids:
                layers[layer.event.id] = _from(layer, Origin(part.origin.recipe, done.model), take)
    return replace(take, layers=tuple(layers[event.id] for event in roll.events if event.id in layers))


def _find(take: Take, event_id: str) -> Layer | None:
    return next((layer for layer in take.layers if layer.event.id == event_id), None)


def _from(layer: Layer, made_with: Origin, take: Take) -> Layer:
    """A layer inside a take: it names its recipe and model where they are not the take's."""
    return replace(
        layer,
        recipe=None if made_with.recipe == take.recipe else made_with.recipe,
        model="" if made_with.model == take.model else made_with.model,
    )


def _with_layer(take: Take, layer: Layer) -> Take:
    roll = take.roll.with_event(layer.event)
    by_id = {other.event.id: other for other in take.layers} | {layer.event.id: layer}
    layers = tuple(by_id[event.id] for event in roll.events if event.id in by_id)
    return replace(take, roll=roll, layers=layers)


def _groups(roll: EventRoll, fade_s: float, source: Source) -> list[list[Event]]:
    regions = {event.id: Region.of(event, source.rate_hz, source.frames, fade_s) for event in roll.events}
    return groups(roll.events, regions)


def _contexts(roll: EventRoll, fade_s: float, source: Source) -> dict[str, tuple[object, ...]]:
    """By event, what its layer depends on in the roll: the boxes of its group, in no order."""
    contexts: dict[str, tuple[object, ...]] = {}
    for group in _groups(roll, fade_s, source):
        boxes = tuple(_box(event) for event in sorted(group, key=lambda event: event.id))
        contexts |= dict.fromkeys((event.id for event in group), boxes)
    return contexts


def _box(event: Event) -> tuple[object, ...]:
    return event.id, event.action, event.label, event.start_s, event.end_s, event.low_hz, event.high_hz
