"""How the classes are related: parents in the AudioSet ontology, from `resources/ontology.csv`."""

import csv
from functools import cache
from pathlib import Path

from recomposer_studio.data import data_folder


class Ontology:
    """The 521 classes as a graph; a class can have several parents.

    Args:
        parents: every class with its parents.
        scenes: classes that name a place, a kind of recording or nothing at all, never a single sound.

    Raises:
        ValueError: a parent is no class.
    """

    def __init__(self, parents: dict[str, tuple[str, ...]], scenes: frozenset[str]) -> None:
        unknown = {above for several in parents.values() for above in several} - set(parents)
        if unknown:
            raise ValueError(f"parents that are no class: {', '.join(sorted(unknown))}")
        self.parents = parents
        self.scenes = scenes

    @staticmethod
    @cache
    def load() -> "Ontology":
        """The shipped table.

        Raises:
            FileNotFoundError: the installation is incomplete.
        """
        return read_ontology(data_folder("resources") / "ontology.csv")

    @cache  # noqa: B019 - one shipped instance lives as long as the program
    def ancestors(self, name: str) -> frozenset[str]:
        """Every class above a class, itself left out."""
        above: set[str] = set()
        for parent in self.parents[name]:
            above |= {parent} | self.ancestors(parent)
        return frozenset(above)

    def related(self, a: str, b: str) -> bool:
        """Whether the classes are the same or one lies above the other."""
        return a == b or a in self.ancestors(b) or b in self.ancestors(a)


def read_ontology(path: Path) -> Ontology:
    """The table in a file: name, parents (separated by ";"), scene ("yes" or nothing)."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return Ontology(
        {row["name"]: tuple(parent for parent in row["parents"].split(";") if parent) for row in rows},
        frozenset(row["name"] for row in rows if row["scene"] == "yes"),
    )
