"""What the layers of a take were rendered with: the take's own recipe and model, or, in a comp, others."""

from dataclasses import dataclass, replace

from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import EventRoll

REPAIR = Renderer.REPAIR.value
"""Stands for a model where there was none."""


@dataclass(frozen=True)
class Origin:
    """What a layer was rendered with.

    Attributes:
        recipe: seed and settings.
        model: name and digest of the model that was there, or `REPAIR`.
    """

    recipe: Recipe
    model: str


def main_origin(take: Take) -> Origin:
    """What a take was rendered with."""
    return Origin(take.recipe, take.model)


def origin(take: Take, layer: Layer) -> Origin:
    """What a layer of a take was rendered with."""
    return Origin(layer.recipe or take.recipe, layer.model or take.model)


def origins(take: Take) -> dict[str, Origin]:
    """What every layer was rendered with, by event."""
    return {layer.event.id: origin(take, layer) for layer in take.layers}


def pinned_roll(take: Take) -> EventRoll:
    """A take's roll in which every exemplar names the samples that it had: with others the take would be another."""
    heard = {layer.event.id: layer.exemplar for layer in take.layers if layer.exemplar}
    return EventRoll(
        tuple(
            replace(event, exemplar=replace(event.exemplar, sha256=heard[event.id]))
            if event.exemplar is not None and event.id in heard
            else event
            for event in take.roll.events
        )
    )


def is_comp(take: Take) -> bool:
    """Whether layers of a take were made otherwise than the take's recipe says."""
    return any(layer.recipe is not None or layer.model for layer in take.layers)
