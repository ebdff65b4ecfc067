"""Writes composed scenes to listen to and to edit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile as sf

from recomposer_studio.audio.atomic import atomic_path
from recomposer_studio.errors import InputError
from recomposer_studio.roll.file import format_roll
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.scene_spec import Kind, SceneOptions, SceneSpec
from recomposer_studio.training.scenes import Scene, draw_scene


def write_scenes(
    cache: AudioCache,
    out_dir: str | Path,
    n: int,
    seed: int = 0,
    split: str = "test",
    *,
    kind: Kind = "overlap",
    action: str | None = None,
    duration_s: float = 10.0,
    options: SceneOptions | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[Path, SceneSpec]:
    """Writes `n` scenes, each into its own folder `scene-0000` and so on.

    A folder holds input.wav, desired.wav, background.wav, target.wav and stems/ID.wav (32 kHz, 32-bit float, because a
    scene may exceed full scale), roll.json for `recomposer edit`, and spec.json, from which the scene can be composed
    again.

    Args:
        cache: decoded recordings.
        out_dir: made when absent; scenes of the same names are replaced.
        n: number of scenes.
        seed: seed of the first scene; the following ones count on.
        split: train, valid or test.
        kind: plain, overlap, decoy or train.
        action: delete, insert or enhance; None draws one for every scene.
        duration_s: length of a scene in seconds.
        options: ranges and shares.
        progress: called with (done, n).

    Returns:
        The folders, each with its scene's spec.

    Raises:
        InputError: the recordings cannot fill a scene, or the folder cannot be written.
    """
    written: dict[Path, SceneSpec] = {}
    for number in range(n):
        scene = draw_scene(cache, split, seed + number, kind, action, duration_s, options)
        folder = Path(out_dir) / f"scene-{number:04d}"
        write_scene(scene, folder)
        written[folder] = scene.spec
        if progress is not None:
            progress(number + 1, n)
    return written


def write_scene(scene: Scene, folder: Path) -> None:
    """Writes one scene into a folder (see `write_scenes`).

    Raises:
        InputError: the folder cannot be written.
    """
    try:
        (folder / "stems").mkdir(parents=True, exist_ok=True)
        # An earlier scene in this folder may have had other events.
        for stale in (folder / "stems").glob("*.wav"):
            if stale.stem not in scene.stems:
                stale.unlink()
        for name in ("input", "desired", "background", "target"):
            _write(folder / f"{name}.wav", getattr(scene, name), scene.rate_hz)
        for name, stem in scene.stems.items():
            _write(folder / "stems" / f"{name}.wav", stem, scene.rate_hz)
        for name, text in (("roll.json", format_roll(scene.roll)), ("spec.json", scene.spec.to_json() + "\n")):
            with atomic_path(folder / name) as part:
                part.write_text(text, encoding="utf-8", newline="\n")
    except (OSError, RuntimeError) as error:
        raise InputError(f"{folder}: the scene cannot be written there ({error}); name another folder.") from error


def _write(path: Path, samples: np.ndarray, rate_hz: int) -> None:
    with atomic_path(path) as part:
        sf.write(part, samples, rate_hz, "FLOAT", format="WAV")
