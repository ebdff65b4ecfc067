"""The shipped mask head keeps the other side of a stereo recording."""

from pathlib import Path

import numpy as np
import pytest

from recomposer_studio.audio.source import Source
from recomposer_studio.editing.engine import Engine
from recomposer_studio.model import catalogue
from recomposer_studio.model.generator import load_generator
from recomposer_studio.project.recipe import Recipe
from tests.editing.scenes import burst, event, noise, roll, write

RATE = 48_000


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples**2) + 1e-20))


@pytest.mark.parametrize("other", ["tone", "noise"])
def test_a_sound_on_the_other_side_stays(tmp_path: Path, other: str) -> None:
    """An event hard left, another sound hard right in the same band."""
    right = noise(1, 4.0, RATE, 5, 0.05)[0]
    if other == "tone":
        right = right * 0.02 + 0.1 * np.sin(2 * np.pi * 1520 * np.arange(4 * RATE) / RATE)
    left = burst(1.5, 0.5, 4.0, RATE, 1500) + noise(1, 4.0, RATE, 6, 1e-3)[0]
    path = write(tmp_path / "in.wav", np.stack([left, right]), RATE)
    box = slice(int(1.45 * RATE), int(2.05 * RATE))
    generator = load_generator(catalogue.default().folder, "cpu")
    with Source.open(path) as source:
        take = Engine(generator).render(source, roll(event("a", "delete", 1.45, 2.05, "Beep, bleep")), Recipe())
        assert take.layers[0].renderer == "mask"
        before, after = source.read(0, source.frames), take.read(0, source.frames)
    assert abs(level_db(after[1, box]) - level_db(before[1, box])) < 0.5
    assert level_db(after[0, box]) < level_db(before[0, box]) - 20
