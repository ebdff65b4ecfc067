"""The decoding settings that belong to each recording, as texts in the settings file."""

import json
from pathlib import Path

from recomposer_studio.errors import InputError
from recomposer_studio.project.recipe import Decoding, Recipe, Renderer

MOST_RECIPES = 50


def recipe_for(recipes: tuple[str, ...], recording: Path) -> Recipe:
    """The recipe that a recording was left with; the default one where none is known, or it is damaged.

    Args:
        recipes: texts of `with_recipe`.
        recording: the recording.
    """
    for text in recipes:
        try:
            stored = json.loads(text)
            if stored["recording"] != _name(recording):
                continue
            values = stored["recipe"]
            decoding = Decoding(**values["decoding"])
            return Recipe(int(values["seed"]), Renderer(values["renderer"]), decoding, float(values["fade_s"]))
        except (ValueError, KeyError, TypeError, InputError):
            continue
    return Recipe()


def with_recipe(recipes: tuple[str, ...], recording: Path, recipe: Recipe) -> tuple[str, ...]:
    """The texts with a recording's recipe on top; a default one need not be kept."""
    name = _name(recording)
    rest = tuple(text for text in recipes if _recording(text) != name)
    if recipe == Recipe():
        return rest
    text = json.dumps({"recording": name, "recipe": recipe.as_json()}, ensure_ascii=False)
    return (text, *rest)[:MOST_RECIPES]


def _name(recording: Path) -> str:
    return str(recording.resolve())


def _recording(text: str) -> str:
    try:
        return str(json.loads(text)["recording"])
    except (ValueError, KeyError, TypeError):
        return ""
