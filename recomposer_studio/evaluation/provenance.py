"""What a stored result rests on beside scene and editor: the code that measured it and the recordings it was heard in."""

import hashlib
from functools import cache, lru_cache
from pathlib import Path

import recomposer_studio
from recomposer_studio import __version__
from recomposer_studio.training.cache import SplitAudio
from recomposer_studio.training.scene_spec import SceneSpec

MEASURING = (
    "audio/bands.py",
    "codec/*.py",
    "editing/*.py",
    "evaluation/anchors.py",
    "evaluation/editors.py",
    "evaluation/kld.py",
    "evaluation/measures.py",
    "evaluation/memorisation.py",
    "evaluation/msd.py",
    "evaluation/regions.py",
    "evaluation/runner.py",
    "evaluation/scorers.py",
    "model/*.py",
    "tagging/front_end.py",
    "training/procedural.py",
    "training/rooms.py",
    "training/scenes.py",
)
"""Sources on which figures depend; a change in any of them makes results of earlier runs worthless."""


def code_digest(package: Path = Path(recomposer_studio.__file__).parent) -> str:
    """Hash of the sources that scenes, edits and distances come from, in hex; of the version where sources are not shipped.

    Args:
        package: the package's folder.
    """
    digest = hashlib.sha256(__version__.encode())
    for pattern in MEASURING:
        for path in sorted(package.glob(pattern)):
            # A checkout may have other line ends on another system.
            digest.update(path.name.encode() + b"\0" + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


@cache
def running_code() -> str:
    """`code_digest` of this program, read once: a program does not change under itself."""
    return code_digest()


@lru_cache(maxsize=4096)
def recordings_digest(audio: SplitAudio, spec: SceneSpec) -> str:
    """Hash of the decoded samples that a scene is composed of, in hex.

    Args:
        audio: the split that the scene was drawn from.
        spec: the scene.

    Raises:
        KeyError: the split lacks one of its recordings.
    """
    keys = [layer.key for layer in spec.layers]
    keys += [sound.key for sound in spec.sounds if not sound.key.startswith("procedural:")]
    return hashlib.sha256(" ".join(map(audio.digest, keys)).encode()).hexdigest()[:16]


@lru_cache(maxsize=4)
def events_digest(audio: SplitAudio) -> str:
    """Hash of the decoded events of a split, in their order, in hex."""
    names = " ".join(f"{event.class_name} {audio.digest(event.key)}" for event in audio.events)
    return hashlib.sha256(names.encode()).hexdigest()[:16]
