"""All that is drawn for a scene, as values that fit into a JSON file: the same spec renders to the same samples."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from recomposer_studio.errors import InputError
from recomposer_studio.training.rooms import Room

Kind = Literal["plain", "overlap", "decoy", "train"]
Range = tuple[float, float]

KINDS: tuple[Kind, ...] = ("plain", "overlap", "decoy", "train")
UNKNOWN_LABEL = "Unknown sound"

_FORMAT_VERSION = 1


@dataclass(frozen=True)
class SceneOptions:
    """What may be chosen about a scene; ranges are drawn uniformly.

    Attributes:
        tbr_db: level of Delete and Insert targets and of the wanted Enhance output over the background, in dB.
        enhance_input_tbr_db: level of an Enhance target in the input, drawn independently of the output.
        other_db: level of the event that covers the target (overlap) or of a distractor (train) over the background.
        classes: classes that targets come from, None for all of the split.
        max_yamnet_rank: targets only from files whose class YAMNet ranks at least so high, None for all.
        target_s: shortest and longest target in seconds.
        boxes: rows with the true boxes, or as people draw them; None takes "drawn" for training and "truth" otherwise.
        swap: overlap scenes for Delete only: the row names the other event in the box.
        edit_weights: train: shares of Delete, Insert, Enhance.
        none_share: train: share of scenes without any edit.
        noop_share: train: share of scenes whose row names a sound that is not there.
        two_share: train: share of scenes with two edits.
        layers: train: shares of one, two and three background layers.
        distractors: train: fewest and most further events.
        covered_share: train: share of scenes with an event of another class inside the target's box.
        same_class_share: train: share of scenes with the target's class outside its box.
        keep_share: share of the distractors that have a keep row.
        unknown_share: train: share of draws that are faded crops of other backgrounds.
        procedural_share: train: share of draws that are synthetic.
        by_share: train: share of Enhance rows that ask for a gain instead of a level.
        room_share: train: share of scenes in a synthetic room.
        low_pass_share: train: share of scenes with a low-pass.
        gain_db: train: gain of the whole scene.
        semitones: train: largest pitch shift either way, on half of the events.
        tilt_db: train: largest spectral tilt either way, dB per octave, on half of the events.
    """

    tbr_db: Range = (7.0, 13.0)
    enhance_input_tbr_db: Range = (-9.0, -3.0)
    other_db: Range = (0.0, 13.0)
    classes: tuple[str, ...] | None = None
    max_yamnet_rank: int | None = None
    target_s: Range = (0.2, 2.0)
    boxes: Literal["truth", "drawn"] | None = None
    swap: bool = False
    edit_weights: tuple[float, float, float] = (0.35, 0.3, 0.35)
    none_share: float = 0.08
    noop_share: float = 0.1
    two_share: float = 0.3
    layers: tuple[float, float, float] = (0.35, 0.4, 0.25)
    distractors: tuple[int, int] = (2, 5)
    covered_share: float = 0.6
    same_class_share: float = 0.3
    keep_share: float = 0.5
    unknown_share: float = 0.2
    procedural_share: float = 0.2
    by_share: float = 0.2
    room_share: float = 0.5
    low_pass_share: float = 0.25
    gain_db: Range = (-12.0, 6.0)
    semitones: float = 3.0
    tilt_db: float = 1.5


@dataclass(frozen=True)
class LayerSpec:
    """One layer of background: file key, first sample, level relative to the first layer."""

    key: str
    source_id: str
    class_name: str
    start: int
    gain_db: float


@dataclass(frozen=True)
class SoundSpec:
    """One event in a scene.

    Attributes:
        id: name of the event and of its row.
        role: target, other (covers the target), decoy (beside it) or clutter.
        class_name: AudioSet display name, `UNKNOWN_LABEL` for crops of backgrounds.
        key: file key; "procedural:KIND:VARIANT" for a synthetic one.
        source_id: source recording.
        crop: (first sample, samples, fade samples) for a faded crop of a background, None for a whole event.
        onset: first sample in the scene.
        level_db: level over the background in the input (Insert: when added).
        action: delete, insert, enhance for an edited event, None otherwise.
        wanted_db: level over the background in the desired output (Enhance).
        by_gain: the row asks for a gain in dB, not for a level (Enhance).
        keep: has a keep row.
        semitones: pitch shift.
        tilt_db: spectral tilt in dB per octave.
        jitter_s: what a hand-drawn box adds to onset and offset.
    """

    id: str
    role: Literal["target", "other", "decoy", "clutter"]
    class_name: str
    key: str
    source_id: str
    crop: tuple[int, int, int] | None
    onset: int
    level_db: float
    action: str | None = None
    wanted_db: float | None = None
    by_gain: bool = False
    keep: bool = False
    semitones: float = 0.0
    tilt_db: float = 0.0
    jitter_s: Range = (0.0, 0.0)


@dataclass(frozen=True)
class AbsentSpec:
    """A row that names a sound which is not in the scene."""

    id: str
    action: str
    class_name: str
    start_s: float
    end_s: float
    level_db: float


@dataclass(frozen=True)
class SceneSpec:
    """One scene as drawn.

    Attributes:
        kind: plain, overlap, decoy or train.
        split: split of the library.
        seed: seed it was drawn with.
        frames: length in samples at 32 kHz.
        layers: background layers.
        sounds: events.
        absent: rows that name nothing.
        room: room of all events, None for none.
        low_pass_hz: low-pass of everything, None for none.
        gain_db: gain of everything; the background lies at -26 dBFS plus this.
        boxes: which boxes the rows carry.
        swap: the edit names the other event inside the target's box.
    """

    kind: Kind
    split: str
    seed: int
    frames: int
    layers: tuple[LayerSpec, ...]
    sounds: tuple[SoundSpec, ...]
    absent: tuple[AbsentSpec, ...] = ()
    room: Room | None = None
    low_pass_hz: float | None = None
    gain_db: float = 0.0
    boxes: Literal["truth", "drawn"] = "truth"
    swap: bool = False

    def to_json(self) -> str:
        """The spec as JSON text."""
        return json.dumps({"format_version": _FORMAT_VERSION, **asdict(self)}, indent=1)

    @staticmethod
    def from_json(text: str) -> "SceneSpec":
        """Reads what `to_json` wrote.

        Raises:
            InputError: not such a document, another version, or unknown or missing fields.
        """
        try:
            document = json.loads(text)
            if document.pop("format_version") != _FORMAT_VERSION:
                raise InputError("the scene's spec has another format version; write the scenes again.")
            document["layers"] = tuple(LayerSpec(**part) for part in document["layers"])
            document["sounds"] = tuple(SoundSpec(**_tuples(part, ("crop", "jitter_s"))) for part in document["sounds"])
            document["absent"] = tuple(AbsentSpec(**part) for part in document["absent"])
            document["room"] = None if document["room"] is None else Room(**document["room"])
            return SceneSpec(**document)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"the scene's spec cannot be read ({error}); write the scenes again.") from error


def check_options(options: SceneOptions) -> None:
    """Refuses what cannot be drawn.

    Raises:
        InputError: a range is reversed or a share lies outside 0 to 1.
    """
    for field in fields(options):
        value = getattr(options, field.name)
        is_range = field.name in ("tbr_db", "enhance_input_tbr_db", "other_db", "target_s", "distractors", "gain_db")
        if is_range and value[0] > value[1]:
            raise InputError(f"scene option {field.name}: {value[0]} is above {value[1]}; give the lower end first.")
        if field.name.endswith("_share") and not 0.0 <= value <= 1.0:
            raise InputError(f"scene option {field.name}: {value} is no share; give a number from 0 to 1.")
    if options.unknown_share + options.procedural_share > 1.0:
        raise InputError("scene options unknown_share and procedural_share exceed 1 together; lower one of them.")


def _tuples(part: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {k: tuple(v) if k in names and v is not None else v for k, v in part.items()}
