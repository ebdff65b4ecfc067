"""Any label as one of the 521 known classes: by name, synonym, spelling or meaning."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA

from recomposer_studio.data import data_folder
from recomposer_studio.roll.text_vectors import (
    DIMENSIONS,
    PREPOSITIONS,
    TextVectors,
    Vector,
    base_forms,
    content_words,
    nearest_spelling,
    normal_key,
)

How = Literal["exact", "synonym", "spelling", "meaning", "none"]

# Below this similarity the nearest class says little: three of four random English words stay below, few sounds do.
MEANING_FLOOR = 0.55


@dataclass(frozen=True)
class LabelMatch:
    """The class that a label is taken for.

    Attributes:
        label: The label as given.
        class_name: Display name of the nearest class.
        similarity: 0 to 1; 1 for a class's own name or a listed synonym, else from the vectors' cosines.
        how: What the match rests on; "none" means that the nearest class is not near.
    """

    label: str
    class_name: str
    similarity: float
    how: How

    @property
    def known(self) -> bool:
        """Whether the class can be relied on."""
        return self.how != "none"

    @property
    def sentence(self) -> str:
        """The match in words, for reports and tooltips."""
        if self.how == "exact":
            return f"{self.class_name} is a known class"
        if self.how == "none":
            return (
                f"'{self.label}' resembles no known class (the nearest is {self.class_name}, "
                f"similarity {self.similarity:.2f})"
            )
        return f"'{self.label}' is taken for {self.class_name} (by {self.how}, similarity {self.similarity:.2f})"


class LabelTable:
    """The known classes with their synonyms and vectors.

    Args:
        classes: Display names in YAMNet's order.
        synonyms: Pairs of a synonym and a display name.
        vectors: Vectors for texts.

    Raises:
        ValueError: a synonym stands there twice, or for a class that does not exist.
    """

    def __init__(self, classes: Iterable[str], synonyms: Iterable[tuple[str, str]], vectors: TextVectors) -> None:
        self.classes: tuple[str, ...] = tuple(classes)
        self._vectors = vectors
        index = {name: number for number, name in enumerate(self.classes)}
        self._names = {normal_key(name): number for name, number in index.items()}
        self._phrases = dict(self._names)
        for synonym, name in synonyms:
            key = normal_key(synonym)
            if name not in index or key in self._phrases:
                raise ValueError(f"synonym {synonym!r} of {name!r}: no such class, or the synonym is taken")
            self._phrases[key] = index[name]
        # "gun shot", "gunshot" and "gun-shot" are one.
        self._joined = {key.replace(" ", ""): key for key in reversed(self._phrases)}
        self._words = sorted({word for key in self._phrases for word in key.split() if len(word) > 2})
        self._longest = max(len(key.split()) for key in self._phrases)

    @staticmethod
    @cache
    def load() -> "LabelTable":
        """The shipped table.

        Raises:
            FileNotFoundError: the installation is incomplete.
        """
        folder = data_folder("resources")
        return LabelTable(read_classes(folder), read_synonyms(folder), TextVectors.load())

    @cached_property
    def class_vectors(self) -> NDArray[np.float32]:
        """(521, 64) unit vectors: the mean direction of each class's name and synonyms."""
        sums = np.zeros((len(self.classes), DIMENSIONS), dtype=np.float32)
        np.add.at(sums, self._phrase_classes, self._phrase_vectors)
        vectors: NDArray[np.float32] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        vectors.flags.writeable = False  # everybody is handed this one array
        return vectors

    def vector(self, text: str) -> Vector:
        """The unit vector of any text, (64,) float32; a class's own name or a listed synonym has the class's, mistyped or not.

        A model has learnt the names of classes: a synonym's own vector, near as it is, would stand for a sound it has never heard of.
        """
        key = self._corrected(normal_key(text))
        number = self._listed(key)
        if number is not None:
            own: Vector = self.class_vectors[number].copy()
            return own
        return self._vectors.vector(key or text)

    def match(self, label: str) -> LabelMatch:
        """The class that a label is taken for; every label gets one.

        A label of several words is also searched for phrases that are known ("old dog barking" holds "dog barking"):
        the longest counts, of equals the last, as English puts the head of a phrase there.
        """
        key = normal_key(label)
        if key in self._names:
            return LabelMatch(label, self.classes[self._names[key]], 1.0, "exact")
        number = self._listed(key)
        if number is not None:
            return LabelMatch(label, self.classes[number], 1.0, "synonym")
        corrected = self._corrected(key)
        if corrected != key:
            number = self._listed(corrected)
            if number is not None:
                return LabelMatch(
                    label, self.classes[number], float(OSA.normalized_similarity(key, corrected)), "spelling"
                )
        scores = self._scores(self._vectors.vector(corrected or label))
        contained = self._contained(corrected)
        number = int(np.argmax(scores)) if contained is None else contained
        similarity = min(max(float(scores[number]), 0.0), 1.0) * self._known_share(corrected)
        how: How = "none" if contained is None and similarity < MEANING_FLOOR else "meaning"
        return LabelMatch(label, self.classes[number], similarity, how)

    @cached_property
    def _phrase_vectors(self) -> NDArray[np.float32]:
        return np.stack([self._vectors.vector(key) for key in self._phrases])

    @cached_property
    def _phrase_classes(self) -> NDArray[np.intp]:
        return np.array(list(self._phrases.values()), dtype=np.intp)

    def _scores(self, vector: Vector) -> NDArray[np.float32]:
        """(521,) likeness of a unit vector to every class: the mean of the cosines to the class and its nearest phrase.

        The nearest phrase alone gives a class with many synonyms too many chances, the class vector alone blurs them.
        """
        nearest = np.full(len(self.classes), -1.0, dtype=np.float32)
        np.maximum.at(nearest, self._phrase_classes, self._phrase_vectors @ vector)
        scores: NDArray[np.float32] = (nearest + self.class_vectors @ vector) * np.float32(0.5)
        return scores

    def _known_share(self, key: str) -> float:
        """The share of a key's words that have a meaning in the table; the others' vectors come from their letters."""
        words = content_words(key)
        return sum(self._vectors.known_form(word) is not None for word in words) / max(len(words), 1)

    def _listed(self, key: str) -> int | None:
        """The class whose name or synonym the key is, up to fillers, regular endings and spaces."""
        words = content_words(key)
        for candidate in (key, " ".join(words)):
            number = self._phrase(candidate.split())
            if number is not None:
                return number
        return self._phrases.get(self._joined.get("".join(words), ""))

    def _phrase(self, words: list[str]) -> int | None:
        """The class of a known phrase, whose last or first word may carry a regular ending."""
        if not words or len(words) > self._longest:
            return None
        ends = (" ".join([*words[:-1], form]) for form in base_forms(words[-1]))
        starts = (" ".join([form, *words[1:]]) for form in base_forms(words[0]))
        return next((self._phrases[key] for key in (*ends, *starts) if key in self._phrases), None)

    def _contained(self, key: str) -> int | None:
        """The class of the phrase within a key that best stands for it, or None."""
        words = key.split()
        content = set(content_words(key))
        # What comes after a preposition is where or with what, seldom the sound: "dog barking at a passing car".
        cut = next((at for at, word in enumerate(words) if at and word in PREPOSITIONS), len(words))
        best, best_rank = None, (False, 0, 0)
        for start in range(len(words)):
            for size in range(1, min(self._longest, len(words) - start) + 1):
                if size == 1 and words[start] not in content:
                    continue
                number = self._phrase(words[start : start + size])
                rank = (start < cut, size, start)
                if number is not None and rank > best_rank:
                    best, best_rank = number, rank
        return best

    def _corrected(self, key: str) -> str:
        """The key with mistyped words put right: unknown ones that are nearly a word of a known phrase."""
        return " ".join(self._correct(word) for word in key.split())

    def _correct(self, word: str) -> str:
        if self._vectors.known_form(word) is not None:
            return word
        return nearest_spelling(word, self._words) or word


def read_classes(folder: Path) -> list[str]:
    """The display names in `classes.csv`, in YAMNet's order."""
    with (folder / "classes.csv").open(encoding="utf-8", newline="") as file:
        return [row["name"] for row in csv.DictReader(file)]


def read_synonyms(folder: Path) -> list[tuple[str, str]]:
    """The pairs (synonym, display name) in `synonyms.csv`."""
    with (folder / "synonyms.csv").open(encoding="utf-8", newline="") as file:
        return [(row["synonym"], row["class_name"]) for row in csv.DictReader(file)]
