"""What a render will do: which events need the model, which are left out and why."""

from dataclasses import dataclass

from recomposer_studio.errors import InputError
from recomposer_studio.model.catalogue import Checkpoint, read_config
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.roll.event import Action, Event, EventRoll


@dataclass(frozen=True)
class Plan:
    """A render, thought through before it starts.

    Attributes:
        repair: the events that spectral repair renders at once, with all kept ones; empty when there is nothing for it.
        full: what the model's version of the take holds, or None when repair is all there is to do.
        checkpoint: the model for `full`.
        left_out: sentences on events that nothing here can render.
    """

    repair: EventRoll
    full: EventRoll | None
    checkpoint: Checkpoint | None
    left_out: tuple[str, ...]

    @property
    def edits(self) -> int:
        """Events that will be rendered."""
        roll = self.repair if self.full is None else self.full
        return sum(event.action is not Action.KEEP for event in roll.events)


def plan(roll: EventRoll, recipe: Recipe, checkpoint: Checkpoint | None) -> Plan:
    """Decides what renders what, in the same way as the engine will.

    Args:
        roll: the events.
        recipe: the settings.
        checkpoint: the model at hand, or None.
    """
    inserts = [event for event in roll.events if event.action is Action.INSERT]
    can_insert = checkpoint is not None and "decoder" in checkpoint.parts and recipe.renderer is not Renderer.REPAIR
    left_out: tuple[str, ...] = ()
    kept_roll = roll
    if inserts and not can_insert:
        left_out = tuple(_why(event.label, recipe, checkpoint) for event in inserts)
        kept_roll = EventRoll(tuple(event for event in roll.events if event.action is not Action.INSERT))
        inserts = []
    repair = EventRoll(tuple(event for event in roll.events if event.action is not Action.INSERT))
    wanted = {event.action for event in kept_roll.events} - {Action.INSERT, Action.KEEP}
    separates = checkpoint is not None and "mask" in checkpoint.parts
    if recipe.renderer is Renderer.REPAIR or checkpoint is None or not separates:
        by_model = False
    elif recipe.renderer is Renderer.MODEL:
        by_model = bool(wanted)
    else:
        by_model = bool(wanted & checkpoint.better_than_repair)
    full = kept_roll if inserts or by_model else None
    return Plan(repair, full, checkpoint if full is not None else None, left_out)


def unheard_exemplars(planned: Plan) -> tuple[Event, ...]:
    """The inserts of a render whose exemplars its model would refuse, as the configuration of the checkpoint says."""
    wanted = () if planned.full is None else planned.full.events
    inserts = tuple(event for event in wanted if event.exemplar is not None)
    if not inserts or planned.checkpoint is None:
        return ()
    try:
        takes = read_config(planned.checkpoint.folder)["parts"]["decoder"]["config"].get("exemplar", False)
    except (InputError, LookupError, TypeError, AttributeError):
        return ()  # what is wrong with the checkpoint is told when it is loaded
    return () if takes is True else inserts


def _why(label: str, recipe: Recipe, checkpoint: Checkpoint | None) -> str:
    if recipe.renderer is Renderer.REPAIR:
        return f"Insert {label} was left out: spectral repair cannot make sounds"
    if checkpoint is None:
        return f"Insert {label} was left out: it needs a model, and none is installed"
    return f"Insert {label} was left out: the model {checkpoint.name} cannot make sounds"
