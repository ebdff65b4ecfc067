"""Scenes on disk: audio, roll and spec agree."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from recomposer_studio.errors import InputError
from recomposer_studio.roll.file import read_roll
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest
from recomposer_studio.training.scene_files import write_scenes
from recomposer_studio.training.scene_spec import SceneSpec
from recomposer_studio.training.scenes import render_scene


def test_a_folder_holds_what_the_spec_says(tiny_folder: Path, tiny_cache: AudioCache, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    library = load_manifest(tiny_folder)
    folders = write_scenes(
        AudioCache(library), tmp_path / "out", 2, 5, "valid", duration_s=4.0, progress=lambda *x: seen.append(x)
    )
    assert [f.name for f in folders] == ["scene-0000", "scene-0001"]
    assert seen == [(1, 2), (2, 2)]
    for number, folder in enumerate(folders):
        spec = SceneSpec.from_json((folder / "spec.json").read_text(encoding="utf-8"))
        assert (spec.seed, spec.split, spec.kind) == (5 + number, "valid", "overlap")
        scene = render_scene(tiny_cache, spec)
        for name in ("input", "desired", "background", "target"):
            samples, rate_hz = sf.read(folder / f"{name}.wav", dtype="float32")
            assert rate_hz == 32000
            assert np.array_equal(samples, getattr(scene, name))
        assert {p.stem for p in (folder / "stems").iterdir()} == set(scene.stems)
        assert read_roll(folder / "roll.json") == scene.roll
        assert not list(folder.rglob("*.part"))


def test_a_place_that_cannot_be_written_is_named(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(InputError, match="scene-0000"):
        write_scenes(AudioCache(load_manifest(tiny_folder)), tmp_path / "file", 1, duration_s=2.0)


def test_stems_of_an_earlier_scene_are_cleared(tiny_cache: AudioCache, tmp_path: Path) -> None:
    write_scenes(tiny_cache, tmp_path, 1, 5, "valid", kind="overlap", duration_s=4.0)
    assert (tmp_path / "scene-0000" / "stems" / "other-1.wav").is_file()
    (spec,) = write_scenes(tiny_cache, tmp_path, 1, 5, "valid", kind="plain", duration_s=4.0).values()
    assert {p.stem for p in (tmp_path / "scene-0000" / "stems").iterdir()} == {sound.id for sound in spec.sounds}
