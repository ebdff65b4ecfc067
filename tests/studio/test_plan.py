import json
from pathlib import Path

import pytest

from recomposer_studio.model.catalogue import Checkpoint
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.roll.event import Action, Exemplar
from recomposer_studio.studio.plan import plan, unheard_exemplars
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


def _saved(folder: Path, parts: object) -> Checkpoint:
    (folder / "config.json").write_text(json.dumps({"format_version": 1, "parts": parts}), encoding="utf-8")
    return Checkpoint(folder, "tiny", ("codec", "decoder"), (), frozenset(), 1.0)


LIKE = roll(
    event("p", "insert", 0, 1), event("i", "insert", 2, 3, exemplar=Exemplar(0, 1)), event("k", "keep", 0, 1, "Rain")
)


@pytest.mark.parametrize(
    ("decoder", "unheard"),
    [({}, ["i"]), ({"exemplar": False}, ["i"]), ({"exemplar": True}, [])],
)
def test_a_model_that_takes_no_exemplars_is_known_before_it_is_loaded(tmp_path, decoder, unheard):
    planned = plan(LIKE, Recipe(), _saved(tmp_path, {"decoder": {"config": decoder}}))
    assert [event.id for event in unheard_exemplars(planned)] == unheard


@pytest.mark.parametrize("parts", [[], {"decoder": 3}, {"decoder": {"config": []}}, None])
def test_what_is_wrong_with_a_checkpoint_is_left_to_its_loading(tmp_path, parts):
    assert unheard_exemplars(plan(LIKE, Recipe(), _saved(tmp_path, parts))) == ()


def test_without_a_model_nothing_is_asked_of_it():
    assert unheard_exemplars(plan(LIKE, Recipe(), None)) == ()
