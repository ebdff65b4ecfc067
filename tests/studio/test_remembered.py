"""Each recording's decoding settings come back with it."""

from pathlib import Path

import pytest

from recomposer_studio.project.recipe import Decoding, Recipe, Renderer
from recomposer_studio.studio.remembered import MOST_RECIPES, recipe_for, with_recipe

OWN = Recipe(7, Renderer.REPAIR, Decoding(0.5, 40, 0.7, 2.0, 3), 0.02)


def test_a_recipe_comes_back_to_its_recording_alone():
    recipes = with_recipe((), Path("a.wav"), OWN)
    recipes = with_recipe(recipes, Path("b.wav"), Recipe(1))
    assert recipe_for(recipes, Path("a.wav")) == OWN
    assert recipe_for(recipes, Path("b.wav")) == Recipe(1)
    assert recipe_for(recipes, Path("c.wav")) == Recipe()


def test_the_newest_is_kept_and_defaults_take_no_room():
    recipes = with_recipe(with_recipe((), Path("a.wav"), Recipe(1)), Path("a.wav"), OWN)
    assert len(recipes) == 1 and recipe_for(recipes, Path("a.wav")) == OWN
    assert with_recipe(recipes, Path("a.wav"), Recipe()) == ()


def test_old_ones_make_room():
    recipes: tuple[str, ...] = ()
    for number in range(MOST_RECIPES + 5):
        recipes = with_recipe(recipes, Path(f"{number}.wav"), Recipe(number + 1))
    assert len(recipes) == MOST_RECIPES
    assert recipe_for(recipes, Path("0.wav")) == Recipe() and recipe_for(recipes, Path("9.wav")) == Recipe(10)


@pytest.mark.parametrize(
    "change", [("7", '"x"'), ('"repair"', '"nobody"'), ("0.5", "99"), ('"recipe"', '"other"'), ("{", "[")]
)
def test_damage_gives_the_default(change):
    (text,) = with_recipe((), Path("a.wav"), OWN)
    assert recipe_for((text.replace(*change, 1),), Path("a.wav")) == Recipe()
