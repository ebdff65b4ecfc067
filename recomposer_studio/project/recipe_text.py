"""A take's recipe as text that people read, copy and paste: everything that made it, so that it can be made again."""

import json
from dataclasses import dataclass, fields, replace
from typing import Any

from recomposer_studio.errors import InputError
from recomposer_studio.project.kept import home_of
from recomposer_studio.project.origin import Origin, pinned_roll
from recomposer_studio.project.recipe import Decoding, Recipe, Renderer
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.project.take import Layer
from recomposer_studio.roll.event import EventRoll, shown
from recomposer_studio.roll.file import format_roll, parse_roll

FORMAT_VERSION = 1
MAX_CHARACTERS = 8 * 2**20
_WHERE = "the recipe"


@dataclass(frozen=True)
class WrittenRecipe:
    """What a recipe's text holds for rendering it again.

    Attributes:
        name: what the take was called.
        roll: the events, with their mix.
        recipe: seed and settings.
        model: name and digest of the model, or `repair`; empty when the text does not say.
        layers: event id -> what its layer was rendered with; empty when the text does not say.
        solo: ids of the events that alone are applied; empty for all.
    """

    name: str
    roll: EventRoll
    recipe: Recipe
    model: str
    layers: dict[str, Origin]
    solo: frozenset[str]


def recipe_text(entry: TakeEntry, parent: str = "") -> str:
    """Everything that made a take, as JSON text.

    Args:
        entry: the take.
        parent: name of the take that it was made from.
    """
    take = entry.take
    return json.dumps(
        {
            "format_version": FORMAT_VERSION,
            "name": entry.name,
            "note": entry.note,
            "parent": parent,
            "made": entry.made.isoformat(timespec="seconds"),
            "render_s": round(entry.render_s, 2),
            "device": entry.device,
            "recording": home_of(take.source).name,
            "duration_s": take.source.duration_s,
            "model": take.model,
            "recipe": take.recipe.as_json(),
            "solo": sorted(take.solo),
            "layers": [_layer_json(layer) for layer in take.layers],
            "roll": json.loads(format_roll(pinned_roll(take))),
        },
        indent=1,
        ensure_ascii=False,
    )


def _layer_json(layer: Layer) -> dict[str, Any]:
    told: dict[str, Any] = {
        "event": layer.event.id,
        "by": layer.renderer,
        "seed": layer.seed,
        "key": layer.key,
        "note": layer.note,
    }
    if layer.recipe is not None:
        told["recipe"] = layer.recipe.as_json()
    if layer.model:
        told["model"] = layer.model
    return told


def read_recipe(text: str) -> WrittenRecipe:
    """The recipe in a text of `recipe_text`; what it tells besides roll, recipe, model and layers is not needed and not checked.

    Raises:
        InputError: it is no recipe; one sentence that names what is wrong.
    """
    values = _object(_decoded(text), _WHERE)
    for name in ("roll", "recipe"):
        if name not in values:
            raise InputError(f"the text is no recipe of a take: {name} is missing; copy one with Recipe > Copy first")
    version = values.get("format_version", FORMAT_VERSION)
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise InputError(
            f"{_WHERE}: format_version {shown(version)} is not {FORMAT_VERSION}, which this program reads; update it"
        )
    roll = parse_roll(json.dumps(values["roll"]), _WHERE)
    recipe = _recipe(values["recipe"], f"{_WHERE}: recipe")
    model = _text(values.get("model", ""), f"{_WHERE}: model")
    items = values.get("layers", [])
    if not isinstance(items, list):
        raise InputError(f"{_WHERE}: layers must be a list, not {shown(items)}")
    known = {event.id for event in roll.events}
    layers: dict[str, Origin] = {}
    for number, item in enumerate(items, start=1):
        where = f"{_WHERE}, layer {number}"
        item = _object(item, where)
        event_id = item.get("event")
        if not isinstance(event_id, str) or event_id not in known or event_id in layers:
            raise InputError(f"{where}: event {shown(event_id)} is not an event of the roll, or named twice; remove it")
        own = _recipe(item["recipe"], f"{where}: recipe") if "recipe" in item else recipe
        layers[event_id] = Origin(own, _text(item.get("model", ""), f"{where}: model") or model)
    name = _text(values.get("name", ""), f"{_WHERE}: name")
    solo = values.get("solo", [])
    if not isinstance(solo, list) or not all(isinstance(event_id, str) and event_id in known for event_id in solo):
        raise InputError(f"{_WHERE}: solo must be a list of ids of the roll's events; correct or remove it")
    return WrittenRecipe(name, roll, recipe, model, layers, frozenset(solo))


def _decoded(text: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise InputError("the text is too long for a recipe; copy one recipe alone")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InputError("the text is no recipe of a take; copy one with Recipe > Copy first") from None


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where} must be an object, not {shown(value)}; copy one with Recipe > Copy first")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise InputError(f"{where} must be a short text, not {shown(value)}")
    return value


def _recipe(value: Any, where: str) -> Recipe:
    values = dict(_object(value, where))
    _check_names(values, Recipe, where)
    seed, fade_s = values.get("seed", 0), values.get("fade_s", Recipe().fade_s)
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise InputError(f"{where}: seed must be a whole number, not {shown(seed)}")
    if isinstance(fade_s, bool) or not isinstance(fade_s, int | float):
        raise InputError(f"{where}: fade_s must be a number, not {shown(fade_s)}")
    renderer = values.get("renderer", Renderer.AUTO.value)
    if renderer not in [str(one) for one in Renderer]:
        raise InputError(f"{where}: renderer must be one of {', '.join(Renderer)}, not {shown(renderer)}")
    decoding = _object(values.get("decoding", {}), f"{where}: decoding")
    _check_names(decoding, Decoding, f"{where}: decoding")
    for name, number in decoding.items():
        whole = isinstance(getattr(Decoding(), name), int)
        if isinstance(number, bool) or not isinstance(number, int if whole else (int, float)):
            kind = "a whole number" if whole else "a number"
            raise InputError(f"{where}: {name} must be {kind}, not {shown(number)}")
    try:
        # Compared before it becomes a float, which cannot hold every whole number.
        made = Recipe(seed, Renderer(renderer), Decoding(**decoding), fade_s)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    return replace(made, fade_s=float(fade_s))


def _check_names(values: dict[str, Any], kind: type, where: str) -> None:
    known = [field.name for field in fields(kind)]
    for name in values:
        if name not in known:
            raise InputError(f"{where}: {shown(name)} is unknown; it can hold {', '.join(known)}")
