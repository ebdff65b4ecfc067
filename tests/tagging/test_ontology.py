"""The table of parents."""

from pathlib import Path

import pytest

from recomposer_studio.tagging.ontology import Ontology, read_ontology
from tests.tagging.tiny_yamnet import CLASS_NAMES


def test_every_class_stands_in_the_table_once_and_in_order():
    assert tuple(Ontology.load().parents) == CLASS_NAMES


@pytest.mark.parametrize(
    ("below", "above"),
    [
        ("Bark", "Dog"),
        ("Dog", "Animal"),
        ("Bark", "Animal"),
        ("Hi-hat", "Music"),
        ("Rain on surface", "Water"),
        ("Cap gun", "Explosion"),
        ("Civil defense siren", "Alarm"),
        ("Hiss", "Snake"),
        ("Hiss", "Cat"),
    ],
)
def test_classes_lie_below_others(below: str, above: str):
    ontology = Ontology.load()
    assert above in ontology.ancestors(below) and below not in ontology.ancestors(above)
    assert ontology.related(below, above) and ontology.related(above, below)


@pytest.mark.parametrize(("a", "b"), [("Dog", "Cat"), ("Speech", "Singing"), ("Rain", "Fire"), ("Bark", "Meow")])
def test_neighbours_are_not_related(a: str, b: str):
    assert not Ontology.load().related(a, b)


def test_no_class_lies_below_itself():
    ontology = Ontology.load()
    assert not [name for name in CLASS_NAMES if name in ontology.ancestors(name)]
    assert {"Silence", "Inside, small room", "Outside, rural or natural"} <= ontology.scenes
    assert not {"Dog", "Rain", "Noise"} & ontology.scenes


def test_a_parent_that_is_no_class_is_refused(tmp_path: Path):
    path = tmp_path / "ontology.csv"
    path.write_text("name,parents,scene\nDog,Animal,\n", encoding="utf-8")
    with pytest.raises(ValueError, match="Animal"):
        read_ontology(path)
