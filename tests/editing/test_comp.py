"""A comp holds other takes' layers, never changes them, and is rendered again, sample by sample, from its recipe."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from recomposer_studio.audio.source import Source
from recomposer_studio.editing.comp import assembled, group_roll, refusal, renderings, taken_over
from recomposer_studio.editing.engine import Engine
from recomposer_studio.errors import InputError
from recomposer_studio.project.origin import Origin, is_comp, main_origin, origins
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.project.recipe_text import read_recipe, recipe_text
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.project.take import Take
from recomposer_studio.roll.event import EventRoll
from tests.editing.fakes import KnownGenerator
from tests.editing.scenes import burst, event, noise, roll, write

RATE = 16_000
ROLL = roll(
    event("a", "delete", 0.4, 0.8, "Bell"),
    event("b", "enhance", 0.7, 1.0, "Dog"),
    event("i", "insert", 1.4, 1.8, "Dog"),
    event("j", "insert", 2.2, 2.5, "Dog"),
    event("k", "keep", 2.4, 2.6, "Rain"),
)


@dataclass
class Greedy(KnownGenerator):
    """Another model: it claims more."""

    claimed: float = 0.8
    name: str = "greedy"
    digest: str = "11"


MODELS = {"known 00": KnownGenerator(), "greedy 11": Greedy()}


@pytest.fixture
def source(tmp_path):
    sound = noise(2, 3.0, RATE, seed=1) + burst(0.45, 0.3, 3.0, RATE) + burst(0.72, 0.2, 3.0, RATE, 3000.0)
    with Source.open(write(tmp_path / "in.wav", sound, RATE)) as source:
        yield source


def generator_for(model: str) -> KnownGenerator | None:
    return None if model == "repair" else MODELS[model]


def render(source, seed: int, generator=MODELS["known 00"], renderer=Renderer.AUTO, events=ROLL) -> Take:
    return Engine(generator).render(source, events, Recipe(seed=seed, renderer=renderer))


def render_again(source, events: EventRoll, main: Origin, made_with: dict[str, Origin]) -> Take:
    """A take from what its recipe says, part by part."""
    parts = renderings(source, events, made_with)
    done = (Engine(generator_for(part.origin.model)).render(source, part.roll, part.recipe) for part in parts)
    return assembled(source, events, main, zip(parts, done, strict=True))


def same(one: Take, other: Take) -> None:
    assert [layer.event for layer in one.layers] == [layer.event for layer in other.layers]
    for mine, theirs in zip(one.layers, other.layers, strict=True):
        assert (mine.recipe, mine.model, mine.seed) == (theirs.recipe, theirs.model, theirs.seed)
        for a, b in ((mine.removed, theirs.removed), (mine.placed, theirs.placed)):
            assert (a is None) == (b is None)
            assert a is None or np.array_equal(a, b)
    np.testing.assert_array_equal(one.read(0, one.source.frames), other.read(0, other.source.frames))


def test_a_layer_and_its_mix_come_over_and_nothing_else_changes(source):
    first, second = render(source, 0), render(source, 7).adjusted("i", gain_db=-6.0)
    before = first.read(0, source.frames).copy()
    comp = taken_over(first, second, "i")
    assert np.array_equal(first.read(0, source.frames), before) and not is_comp(first)
    assert is_comp(comp)
    want = before.copy()
    layer = first.layer("i")
    want[:, layer.start : layer.stop] = second.read(layer.start, layer.stop)
    np.testing.assert_allclose(comp.read(0, source.frames), want, atol=1e-12)
    assert comp.layer("i").recipe == Recipe(seed=7)
    assert comp.layer("i").model == ""
    assert comp.layer("a").recipe is None
    # Back again it is the first one's own.
    assert not is_comp(taken_over(comp, first, "i"))


def test_a_comp_of_seeds_models_and_repair_is_rendered_again_from_its_text(source):
    comp = render(source, 0)
    comp = taken_over(comp, render(source, 7), "i")
    comp = taken_over(comp, render(source, 3, MODELS["greedy 11"]), "a")
    comp = taken_over(comp, render(source, 4, MODELS["greedy 11"], Renderer.REPAIR, without_inserts()), "b")
    comp = comp.adjusted("i", amount=0.5).adjusted("a", muted=True)
    assert len(renderings(source, comp.roll, origins(comp))) == 4
    written = read_recipe(recipe_text(TakeEntry(1, "comp", comp)))
    assert written.layers == origins(comp)
    again = render_again(source, written.roll, main_origin(comp), written.layers)
    same(again, comp)


def without_inserts():
    return roll(*(one for one in ROLL.events if one.action != "insert"))


def test_what_repair_made_without_a_model_is_made_again_beside_one(source):
    events = without_inserts()
    comp = taken_over(render(source, 1, events=events), render(source, 0, None, events=events), "a")
    assert comp.layer("a").model == "repair"
    same(render_again(source, comp.roll, main_origin(comp), origins(comp)), comp)


def test_a_take_made_without_a_model_has_the_same_keys_when_it_is_made_again(source):
    muted = roll(*(replace(one, muted=one.action == "insert") for one in ROLL.events))
    take = render(source, 0, None, events=muted)
    assert take.recipe.renderer is Renderer.AUTO and len(take.layers) == 4
    again = render_again(source, take.roll, main_origin(take), origins(take))
    same(again, take)
    assert [layer.key for layer in again.layers] == [layer.key for layer in take.layers]


def test_one_event_with_another_seed_leaves_the_rest(source):
    take = render(source, 0)
    part = group_roll(take.roll, ["j"], 0.01, source)
    assert [one.id for one in part.events] == ["j", "k"]
    comp = taken_over(take, render(source, 9, events=part), "j")
    assert comp.layer("j").seed == render(source, 9).layer("j").seed
    assert np.array_equal(comp.layer("j").placed, render(source, 9).layer("j").placed)
    assert comp.layer("i") is take.layer("i")


def test_a_layer_from_another_company_is_refused(source):
    take = render(source, 0)
    moved = render(source, 0, events=roll(*(replace(e, end_s=1.1) if e.id == "b" else e for e in ROLL.events)))
    # The bell stood beside another dog there; and the other dog would stand beside another bell here.
    assert refusal(take, moved, "a") == "it was rendered beside other boxes there"
    assert refusal(take, moved, "b") == "Bell beside it was rendered with another box there"
    with pytest.raises(InputError, match=r"^Bell cannot be taken over: .*generate a take") as caught:
        taken_over(take, moved, "a")
    assert "\n" not in str(caught.value)
    assert refusal(take, moved, "i") == ""
    assert refusal(take, moved, "k") == "the other take has no such sound"


def test_a_box_that_was_moved_alone_may_come_over(source):
    moved = render(source, 5, events=roll(*(replace(e, start_s=1.5) if e.id == "i" else e for e in ROLL.events)))
    comp = taken_over(render(source, 0), moved, "i")
    assert comp.roll.event("i").start_s == 1.5
    same(render_again(source, comp.roll, main_origin(comp), origins(comp)), comp)


def test_a_preview_beside_an_inserted_sound_is_rendered_again(source):
    events = roll(event("a", "delete", 0.4, 0.8, "Bell"), event("i", "insert", 0.7, 1.0, "Dog"))
    full = render(source, 3, events=events)
    # What is left of a render that was stopped: the model had made the one, spectral repair the other before it.
    preview = render(source, 3, None, Renderer.REPAIR, EventRoll(events.events[:1]))
    (bell,) = preview.layers
    stopped = replace(full, layers=(replace(bell, recipe=preview.recipe, model=preview.model), full.layers[1]))
    same(render_again(source, stopped.roll, main_origin(stopped), origins(stopped)), stopped)
