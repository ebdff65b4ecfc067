"""Overlays change what they name, and nothing else gets in."""

import json
from pathlib import Path

import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.training.mask import MaskTraining
from recomposer_studio.training.overlay import overlaid, read_overlay

_OPTIONS = MaskTraining(Path("data"), Path("out"))


def test_nested_settings_change_and_the_others_stay() -> None:
    values = {"batch": 64, "peak_rate": 1, "config": {"encoder": {"width": 384, "dilations": [1, 2]}}}
    changed = overlaid(_OPTIONS, values, "large.json")
    assert (changed.batch, changed.peak_rate, changed.config.encoder.width) == (64, 1.0, 384)
    assert changed.config.encoder.dilations == (1, 2)
    assert changed.config.encoder.kernel == _OPTIONS.config.encoder.kernel
    assert changed.config.refiner == _OPTIONS.config.refiner


@pytest.mark.parametrize(
    "values",
    [
        {"colour": 1},
        {"out": "elsewhere"},
        {"batch": "many"},
        {"batch": True},
        {"config": 3},
        {"config": {"encoder": {"depth": 3}}},
        {"config": {"refiner": {"channels": [8, 8]}}},
    ],
)
def test_what_does_not_fit_is_one_sentence(values: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"x\.json") as caught:
        overlaid(_OPTIONS, values, "x.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 50_000, "x" * 70_000])
def test_files_that_hold_no_settings_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="settings"):
        read_overlay(path)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"batch": 8}), encoding="utf-8")
    assert overlaid(_OPTIONS, read_overlay(path), "a.json").batch == 8
