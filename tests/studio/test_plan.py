from pathlib import Path

import pytest

from recomposer_studio.model.catalogue import Checkpoint
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.roll.event import Action
from recomposer_studio.studio.plan import plan
from tests.editing.scenes import event, roll

ROLL = roll(event("d", "delete", 0, 1), event("k", "keep", 0, 1), event("i", "insert", 2, 3, "Bell"))
WITHOUT_INSERT = roll(*ROLL.events[:2])


def checkpoint(*parts: str, better: tuple[Action, ...] = ()) -> Checkpoint:
    return Checkpoint(Path("x"), "tiny", parts, (), frozenset(better), 1.0)


def test_without_a_model_repair_does_what_it_can_and_the_rest_is_named():
    planned = plan(ROLL, Recipe(), None)
    assert (planned.repair, planned.full) == (WITHOUT_INSERT, None)
    assert planned.left_out == ("Insert Bell was left out: it needs a model, and none is installed",)
    assert planned.edits == 1


def test_a_model_that_makes_sounds_renders_the_whole_after_the_preview():
    model = checkpoint("codec", "decoder")
    planned = plan(ROLL, Recipe(), model)
    assert (planned.repair, planned.full, planned.checkpoint) == (WITHOUT_INSERT, ROLL, model)
    assert planned.left_out == ()
    assert planned.edits == 2


@pytest.mark.parametrize(
    ("model", "renderer", "by_model"),
    [
        (checkpoint("mask"), Renderer.AUTO, False),
        (checkpoint("mask", better=(Action.DELETE,)), Renderer.AUTO, True),
        (checkpoint("mask", better=(Action.ENHANCE,)), Renderer.AUTO, False),
        (checkpoint("mask"), Renderer.MODEL, True),
        (checkpoint("mask", better=(Action.DELETE,)), Renderer.REPAIR, False),
        (checkpoint("codec"), Renderer.MODEL, False),
    ],
)
def test_the_model_separates_only_where_it_is_better_or_asked_for(model, renderer, by_model):
    planned = plan(WITHOUT_INSERT, Recipe(renderer=renderer), model)
    assert (planned.full is not None) == by_model


def test_repair_alone_says_why_nothing_is_inserted():
    planned = plan(ROLL, Recipe(renderer=Renderer.REPAIR), checkpoint("codec", "decoder"))
    assert "spectral repair cannot make sounds" in planned.left_out[0]
