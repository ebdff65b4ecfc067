"""Semantic vectors for any text, from a table that a sentence encoder filled (`resources/build_text_vectors.py`)."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, JaroWinkler

from recomposer_studio.data import data_folder

Vector = NDArray[np.float32]

DIMENSIONS = 64
PREPOSITIONS = frozenset(
    "in on at by with from near into onto over under inside outside behind during through against".split()  # noqa: SIM905
)
# Words that say nothing about which sound is meant; they are left out where something else remains.
FILLERS = PREPOSITIONS | frozenset(
    """
    a an the this that some my your his her its of and or for to is are being very quite really
    sound sounds noise noises sfx fx effect effects audio recording clip sample
    loud quiet soft distant close far away big small little short long single several many one two three
    loudly quietly softly slowly quickly
    """.split()  # noqa: SIM905 (sixty words read better as text)
)
_MAX_WORDS = 32
_NOT_A_WORD = re.compile(r"[^\w]+|_+")
_ENDINGS = (
    ("ies", "y"),
    ("ing", ""),
    ("ing", "e"),
    ("ed", ""),
    ("ed", "e"),
    ("es", ""),
    ("s", ""),
    ("er", ""),
    ("er", "e"),
    ("ly", ""),
    ("y", ""),
)


def normal_key(text: str) -> str:
    """The form under which texts are looked up: folded case, words of letters and digits with single spaces between."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("\u2019", "")
    return " ".join(_NOT_A_WORD.sub(" ", folded).split()[:_MAX_WORDS])


def content_words(key: str) -> list[str]:
    """The words of a normal key that carry meaning; all of them where none would remain."""
    words = key.split()
    return [word for word in words if word not in FILLERS and not word.isdigit()] or words


def base_forms(word: str) -> Iterator[str]:
    """The word itself, then what regular endings may have been added to ("dogs" -> "dog", "clapping" -> "clap")."""
    yield word
    for ending, instead in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2:
            yield stem + instead
            if not instead and stem[-1] == stem[-2]:
                yield stem[:-1]


def nearest_spelling(word: str, known: Iterable[str]) -> str | None:
    """The known word that a mistyped one was most likely meant to be, or None.

    One edit is forgiven up to five letters, two above; in three letters only an exchange of neighbours, since every
    short word is one letter away from some other.

    Args:
        word: A normal key's word.
        known: The words to choose from.
    """
    if len(word) < 3 or not word.isalpha():
        return None
    most = 1 if len(word) <= 5 else 2
    distances = {other: OSA.distance(word, other, score_cutoff=most) for other in known if len(other) > 2}
    found = {
        other: distance
        for other, distance in distances.items()
        if distance <= most and (len(word) > 3 or sorted(other) == sorted(word))
    }
    return min(found, key=lambda other: (found[other], -JaroWinkler.similarity(word, other), other), default=None)


class TextVectors:
    """Unit vectors for texts: the table's own, else the mean of the words', else of the letters'.

    Args:
        texts: Normal keys of the known texts (class names, synonyms, English words).
        vectors: (len(texts), 64) integers or floats; only their directions count.
    """

    def __init__(self, texts: list[str], vectors: NDArray[np.int8]) -> None:
        if vectors.shape != (len(texts), DIMENSIONS):
            raise ValueError(f"{len(texts)} texts need ({len(texts)}, {DIMENSIONS}) vectors, not {vectors.shape}")
        self._index = {text: row for row, text in enumerate(texts)}
        self._vectors = vectors

    @staticmethod
    @cache
    def load() -> "TextVectors":
        """The shipped table.

        Raises:
            FileNotFoundError: the installation is incomplete.
        """
        return TextVectors.read(data_folder("resources") / "text_vectors.npz")

    @classmethod
    def read(cls, path: Path) -> "TextVectors":
        """A table from a file that `write` made."""
        with np.load(path, allow_pickle=False) as file:
            return cls(file["texts"].tobytes().decode("utf-8").split("\n"), file["vectors"])

    @staticmethod
    def write(path: Path, texts: list[str], vectors: NDArray[np.int8]) -> None:
        """Writes a table: the texts as one UTF-8 byte array with line feeds between, the vectors as int8."""
        joined = np.frombuffer("\n".join(texts).encode("utf-8"), dtype=np.uint8)
        np.savez_compressed(path, texts=joined, vectors=vectors)

    def __contains__(self, key: str) -> bool:
        return key in self._index

    def known_form(self, word: str) -> str | None:
        """The word or its base form that stands in the table, or None."""
        return next((form for form in base_forms(word) if form in self._index), None)

    def vector(self, text: str) -> Vector:
        """The unit vector of any text, (64,) float32; a text without letters or digits has one too."""
        key = normal_key(text)
        if key in self._index:
            return self._row(key)
        words = content_words(key)
        total = np.stack([self._word(word) for word in words or [text]]).sum(axis=0)
        return _unit(total)

    def _row(self, key: str) -> Vector:
        return _unit(self._vectors[self._index[key]].astype(np.float32))

    def _word(self, word: str) -> Vector:
        known = self.known_form(word)
        return self._row(known) if known is not None else _letters_vector(word)


def _letters_vector(word: str) -> Vector:
    """A vector from character n-grams (1 to 4, with word boundaries), each a fixed pseudo-random direction.

    Words that share letters get like vectors, and an unknown word stays nearly at right angles to every known meaning.
    """
    marked = f"<{word[:64]}>"
    grams = [marked[at : at + size] for size in range(1, 5) for at in range(len(marked) - size + 1)]
    total = np.zeros(DIMENSIONS, dtype=np.float32)
    for gram in grams:
        bits = np.frombuffer(
            blake2b(gram.encode("utf-8", "surrogatepass"), digest_size=DIMENSIONS // 8).digest(), np.uint8
        )
        total += np.unpackbits(bits).astype(np.float32) * 2 - 1
    return _unit(total)


def _unit(vector: Vector) -> Vector:
    norm = float(np.linalg.norm(vector))
    if norm == 0.0:  # opposite words cancelled out, which no sum of real words does
        unit = np.zeros_like(vector)
        unit[0] = 1.0
        return unit
    return (vector / norm).astype(np.float32)
