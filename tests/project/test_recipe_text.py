import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.project.origin import Origin
from recomposer_studio.project.recipe import Decoding, Recipe, Renderer
from recomposer_studio.project.recipe_text import read_recipe, recipe_text
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.project.take import Layer, Take
from tests.editing.scenes import event, noise, roll, write

ROLL = roll(event("a", "insert", 0.1, 0.2, gain_db=-3.0), event("b", "insert", 0.4, 0.6))
RECIPE = Recipe(3, Renderer.MODEL, Decoding(0.7, 5, 0.9, 2.0, 4, 3), 0.02)


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> str:
    path = write(tmp_path_factory.mktemp("recipe") / "street.wav", noise(1, 1.0, 8_000), 8_000)
    with Source.open(path) as source:
        layers = (
            Layer(ROLL.events[0], 0, 10, None, None, "tokens", "k", 1),
            Layer(ROLL.events[1], 20, 30, None, None, "tokens", "l", 2, recipe=Recipe(9), model="other 22"),
        )
        take = Take(source, ROLL, RECIPE, "tiny 11", layers).soloed(frozenset("b"))
        return recipe_text(TakeEntry(4, "night", take, "good", render_s=1.5, parent=2, device="cuda"), "Take 2")


def test_it_is_complete_and_comes_back(text):
    told = json.loads(text)
    assert told["recipe"]["seed"] == 3 and told["model"] == "tiny 11"
    assert (told["device"], told["parent"], told["render_s"], told["name"]) == ("cuda", "Take 2", 1.5, "night")
    assert (told["recording"], told["duration_s"], told["note"]) == ("street.wav", 1.0, "good")
    written = read_recipe(text)
    assert (written.roll, written.recipe, written.model, written.name) == (ROLL, RECIPE, "tiny 11", "night")
    assert written.solo == {"b"}
    assert written.layers == {"a": Origin(RECIPE, "tiny 11"), "b": Origin(Recipe(9), "other 22")}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda values: values.pop("roll"), "roll is missing"),
        (lambda values: values.update(format_version=2), "format_version 2"),
        (lambda values: values["recipe"].update(seed=-1), "seed must be"),
        (lambda values: values["recipe"].update(seed=True), "seed must be"),
        (lambda values: values["recipe"].update(fade_s="x"), "fade_s must be a number"),
        (lambda values: values["recipe"].update(fade_s=10**400), "fade_s must lie"),
        (lambda values: values["recipe"].update(seed=2**63), "seed must be"),
        (lambda values: values["recipe"].update(renderer="magic"), "renderer must be one of"),
        (lambda values: values["recipe"].update(colour=1), "'colour' is unknown"),
        (lambda values: values["recipe"]["decoding"].update(top_k=1.5), "top_k must be a whole number"),
        (lambda values: values["recipe"]["decoding"].update(temperature=float("nan")), "temperature is nan"),
        (lambda values: values["recipe"].update(decoding=[]), "decoding must be an object"),
        (lambda values: values["layers"].append({"event": "z"}), "'z' is not an event"),
        (lambda values: values["layers"].append({"event": "a"}), "named twice"),
        (lambda values: values.update(layers={}), "layers must be a list"),
        (lambda values: values["roll"]["events"][0].update(start_s=5), "end_s"),
        (lambda values: values.update(model=5), "model must be a short text"),
        (lambda values: values.update(solo=["z"]), "solo must be a list of ids"),
    ],
)
def test_what_is_wrong_is_named_in_one_sentence(text, change, words):
    values = json.loads(text)
    change(values)
    with pytest.raises(InputError) as caught:
        read_recipe(json.dumps(values))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("junk", ["", "hello", "[1, 2]", "{}", "[" * 5_000, "null", '{"roll": 1}'])
def test_other_text_is_no_recipe(junk):
    with pytest.raises(InputError):
        read_recipe(junk)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
def test_no_value_makes_anything_but_a_recipe_or_one_sentence(text, data):
    values = json.loads(text)
    place = data.draw(st.sampled_from([values, values["recipe"], values["recipe"]["decoding"], values["layers"][1]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(_JSON)
    try:
        read_recipe(json.dumps(values))
    except InputError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said
