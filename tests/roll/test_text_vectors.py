from pathlib import Path

import numpy as np
import pytest

from recomposer_studio.roll.text_vectors import TextVectors, base_forms, content_words, nearest_spelling, normal_key

AXES = np.eye(64, dtype=np.int8)[:4] * 127


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Walk, footsteps", "walk footsteps"),
        ("  Dog_Bark-01.WAV ", "dog bark 01 wav"),
        ("Dentist's drill", "dentists drill"),
        ("\uff24\uff2f\uff27", "dog"),
        ("Straße", "strasse"),
        ("!?", ""),
        ("a " * 100, " ".join("a" * 32)),
    ],
)
def test_normal_key(text: str, key: str) -> None:
    assert normal_key(text) == key
    assert normal_key(key) == key


def test_content_words() -> None:
    assert content_words("the sound of a dog 2") == ["dog"]
    assert content_words("the sound") == ["the", "sound"]


@pytest.mark.parametrize(
    ("word", "base"),
    [
        ("dogs", "dog"),
        ("ponies", "pony"),
        ("clapping", "clap"),
        ("sneezing", "sneeze"),
        ("crashes", "crash"),
        ("bee", "bee"),
    ],
)
def test_base_forms(word: str, base: str) -> None:
    assert base in list(base_forms(word))


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("dgo", "dog"),
        ("dag", None),  # three letters: only an exchange is forgiven
        ("brid", "bird"),
        ("thundre", "thunder"),
        ("thnudre", "thunder"),
        ("qwxzv", None),
        ("12345", None),
        ("", None),
    ],
)
def test_nearest_spelling(word: str, meant: str | None) -> None:
    assert nearest_spelling(word, ["bird", "dig", "dog", "go", "thunder"]) == meant


def test_a_table_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "vectors.npz"
    TextVectors.write(path, ["dog", "bark", "dog bark", "straße"], AXES)
    table = TextVectors.read(path)
    assert "dog bark" in table and "cat" not in table
    np.testing.assert_array_equal(table.vector("Dog  bark"), AXES[2] / np.float32(127))
    np.testing.assert_allclose(
        table.vector("the barking dogs"), (AXES[0] + AXES[1].astype(float)) / 127 / np.sqrt(2), rtol=1e-6
    )


def test_unknown_words_get_vectors_from_their_letters() -> None:
    table = TextVectors(["dog", "bark", "cat", "door"], AXES)
    likeness = float(table.vector("zorblax") @ table.vector("zorblaxx"))
    assert likeness > 0.7 > 0.4 > abs(float(table.vector("zorblax") @ table.vector("quimpty")))


def test_opposite_words_still_give_a_unit_vector() -> None:
    table = TextVectors(["yes", "no"], np.stack([AXES[0], -AXES[0]]))
    assert np.linalg.norm(table.vector("yes no")) == pytest.approx(1.0)


def test_texts_and_vectors_must_agree() -> None:
    with pytest.raises(ValueError, match="3 texts"):
        TextVectors(["a", "b", "c"], AXES)
