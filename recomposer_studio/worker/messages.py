"""What parent and child say to each other, as frames."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.editing.generator import Generator, MaskRequest, SoundRequest
from recomposer_studio.project.recipe import Decoding
from recomposer_studio.roll.event import Action, Event
from recomposer_studio.tagging.front_end import BANDS, PATCH_FRAMES, LogMel, Patches
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, FrameTagger, Tagger
from recomposer_studio.worker.frames import Frame, FrameError

PROTOCOL = 3
"""Raised when a message changes; parent and child of two installations must not guess."""
OUT_OF_MEMORY = 77
"""Exit code of a child that ran out of memory."""


class Kind(StrEnum):
    """What a frame is. Requests, their answers and the signs of life meanwhile carry a `number` that grows; the greeting has 0."""

    GREETING = "greeting"
    REFUSED = "refused"
    BEAT = "beat"
    SHARE = "share"
    SOUND = "sound"
    TAG = "tag"
    SOUNDING = "sounding"
    NAMES = "names"
    CANCEL = "cancel"
    RESULT = "result"
    STOPPED = "stopped"


class LoadedModel(Generator, Protocol):
    """What a child serves: a generator that knows where it runs and what it holds."""

    @property
    def device(self) -> str:
        """Where it runs: `cpu` or `cuda`."""

    @property
    def can_insert(self) -> bool:
        """Whether it can make sounds."""


@dataclass(frozen=True)
class Facts:
    """What a child's greeting tells of its model: the attributes of a `LoadedModel`."""

    name: str
    digest: str
    classes: frozenset[str]
    better_than_repair: frozenset[Action]
    rate_hz: int
    device: str
    can_insert: bool


def greeting(model: LoadedModel) -> Frame:
    """A child's first frame."""
    header = {
        "kind": Kind.GREETING,
        "number": 0,
        "protocol": PROTOCOL,
        "name": model.name,
        "digest": model.digest,
        "classes": sorted(model.classes),
        "better_than_repair": sorted(model.better_than_repair),
        "rate_hz": model.rate_hz,
        "device": model.device,
        "can_insert": model.can_insert,
    }
    return Frame(header)


def read_greeting(frame: Frame) -> Facts:
    """The facts in a greeting.

    Raises:
        KeyError, TypeError, ValueError: it is no greeting of this protocol.
    """
    header = frame.header
    if (header["kind"], header["protocol"]) != (Kind.GREETING, PROTOCOL):
        raise ValueError("another protocol")
    return Facts(
        name=str(header["name"]),
        digest=str(header["digest"]),
        classes=frozenset(map(str, header["classes"])),
        better_than_repair=frozenset(map(Action, header["better_than_repair"])),
        rate_hz=int(header["rate_hz"]),
        device=str(header["device"]),
        can_insert=bool(header["can_insert"]),
    )


def mask_frame(number: int, request: MaskRequest) -> Frame:
    """A request for a share."""
    header = {
        "kind": Kind.SHARE,
        "number": number,
        "hop_s": float(request.hop_s),
        "event": _plain(request.event),
        "others": [_plain(other) for other in request.others],
    }
    return Frame(header, (request.power, request.active, request.others_active, request.busy, request.repair))


def read_mask(frame: Frame) -> MaskRequest:
    """The request in a frame of `mask_frame`."""
    header = frame.header
    power, active, others_active, busy, repair = frame.arrays
    others = tuple(Event(**other) for other in header["others"])
    return MaskRequest(power, header["hop_s"], active, others_active, busy, repair, Event(**header["event"]), others)


def sound_frame(number: int, request: SoundRequest) -> Frame:
    """A request for a sound; its `cancelled` stays with the parent."""
    header: dict[str, Any] = {
        "kind": Kind.SOUND,
        "number": number,
        "event": _plain(request.event),
        "hop_s": float(request.hop_s),
        "box_start_s": float(request.box_start_s),
        "duration_s": float(request.duration_s),
        "seed": int(request.seed),
        "decoding": asdict(request.decoding),
    }
    return Frame(header, (request.power,) if request.exemplar is None else (request.power, request.exemplar))


def read_sound(frame: Frame, cancelled: Callable[[], bool]) -> SoundRequest:
    """The request in a frame of `sound_frame`, with the child's own way to hear of a cancel."""
    header = frame.header
    power, *exemplar = frame.arrays
    return SoundRequest(
        event=Event(**header["event"]),
        power=power,
        hop_s=header["hop_s"],
        box_start_s=header["box_start_s"],
        duration_s=header["duration_s"],
        seed=header["seed"],
        decoding=Decoding(**header["decoding"]),
        cancelled=cancelled,
        exemplar=exemplar[0] if exemplar else None,
    )


def _plain(event: Event) -> dict[str, Any]:
    """An event as plain values; the samples of its exemplar are sent, and not where they are."""
    return asdict(replace(event, exemplar=None))


@dataclass(frozen=True)
class TaggerFacts:
    """What a listening child's greeting tells of its tagger.

    Attributes:
        name: see `Tagger`.
        digest: likewise.
        classes: likewise.
        dimensions: of its embeddings.
        event_classes: see `FrameTagger`; empty for a tagger that knows patches alone.
    """

    name: str
    digest: str
    classes: tuple[str, ...]
    dimensions: int
    event_classes: tuple[str, ...]


def tagger_greeting(tagger: Tagger) -> Frame:
    """A listening child's first frame."""
    # What no patches give tells how wide the embeddings are.
    dimensions = tagger.tag(np.empty((0, PATCH_FRAMES, BANDS), np.float32)).embeddings.shape[1]
    header = {
        "kind": Kind.GREETING,
        "number": 0,
        "protocol": PROTOCOL,
        "name": tagger.name,
        "digest": tagger.digest,
        "classes": list(tagger.classes),
        "dimensions": dimensions,
        "event_classes": list(tagger.event_classes) if isinstance(tagger, FrameTagger) else [],
    }
    return Frame(header)


def read_tagger_greeting(frame: Frame) -> TaggerFacts:
    """The facts in a listening child's greeting.

    Raises:
        KeyError, TypeError, ValueError: it is no greeting of this protocol.
    """
    header = frame.header
    if (header["kind"], header["protocol"]) != (Kind.GREETING, PROTOCOL):
        raise ValueError("another protocol")
    return TaggerFacts(
        name=str(header["name"]),
        digest=str(header["digest"]),
        classes=tuple(map(str, header["classes"])),
        dimensions=int(header["dimensions"]),
        event_classes=tuple(map(str, header["event_classes"])),
    )


def tag_frame(number: int, patches: Patches) -> Frame:
    """A request for the tags of patches (n, 96, 64)."""
    return Frame({"kind": Kind.TAG, "number": number}, (np.asarray(patches, np.float32),))


def read_patches(frame: Frame) -> Patches:
    """The patches in a frame of `tag_frame`.

    Raises:
        FrameError: there are none in it.
    """
    (patches,) = frame.arrays
    if patches.dtype != np.float32 or patches.shape[1:] != (PATCH_FRAMES, BANDS):
        raise FrameError(f"patches of the shape {patches.shape} cannot be tagged")
    return patches


def sounding_frame(number: int, frames: LogMel) -> Frame:
    """A request for what sounds in (n, 64) frames of log-mel."""
    return Frame({"kind": Kind.SOUNDING, "number": number}, (np.asarray(frames, np.float32),))


def read_log_mel(frame: Frame) -> LogMel:
    """The log-mel in a frame of `sounding_frame`.

    Raises:
        FrameError: there is none in it.
    """
    (frames,) = frame.arrays
    if frames.dtype != np.float32 or frames.shape[1:] != (BANDS,) or len(frames) % FRAMES_PER_STEP:
        raise FrameError(f"log-mel of the shape {frames.shape} cannot be listened to")
    return frames


def names_frame(number: int, pooled: NDArray[np.float32]) -> Frame:
    """A request for the names of (n, 2 dimensions) boxes, see `FrameTagger.names`."""
    return Frame({"kind": Kind.NAMES, "number": number}, (np.asarray(pooled, np.float32),))


def read_pooled(frame: Frame) -> NDArray[np.float32]:
    """The boxes in a frame of `names_frame`.

    Raises:
        FrameError: there are none in it.
    """
    (pooled,) = frame.arrays
    if pooled.dtype != np.float32 or pooled.ndim != 2:
        raise FrameError(f"boxes of the shape {pooled.shape} cannot be named")
    return pooled
