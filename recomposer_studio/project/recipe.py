"""A recipe: everything besides the recording and the roll that decides how a take sounds."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import shown

SEEDS = 2**63
"""So many seeds there are, from 0 on."""


class Renderer(StrEnum):
    """Who separates: `auto` takes the model for the actions in which it beat spectral repair on validation."""

    AUTO = "auto"
    REPAIR = "repair"
    MODEL = "model"


DECODING_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 5),
    "top_k": (0, 65536),
    "top_p": (0.01, 1),
    "guidance": (0, 20),
    "levels": (0, 64),
    "candidates": (1, 32),
}
"""Smallest and largest value of every setting."""


@dataclass(frozen=True)
class Decoding:
    """Sampling settings of the token decoder.

    Attributes:
        temperature: divides the logits; 0 takes the likeliest code.
        top_k: codes that stay in the draw; 0 keeps all.
        top_p: smallest probability mass that stays in the draw, 0-1.
        guidance: classifier-free guidance; 1 is none.
        levels: codebook levels to decode; 0 decodes all.
        candidates: sounds that are made for an insert, of which a model with a critic keeps the best, fewer for boxes beyond
            20 s; without one there is one.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 0.85
    guidance: float = 3.0
    levels: int = 0
    candidates: int = 8

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            InputError: a setting lies outside its range.
        """
        for name, (low, high) in DECODING_RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} is {value:g}; it must lie between {low:g} and {high:g}")


@dataclass(frozen=True)
class Recipe:
    """What a take was made with.

    Attributes:
        seed: the take's seed; every event's own seed is a hash of it and the event's id.
        renderer: who separates.
        decoding: sampling settings for generated sound.
        fade_s: fade on either side of a box, part of the region.
    """

    seed: int = 0
    renderer: Renderer = Renderer.AUTO
    decoding: Decoding = field(default_factory=Decoding)
    fade_s: float = 0.01

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            InputError: seed or fade lies outside its range.
        """
        if not 0 <= self.seed < SEEDS:
            raise InputError(f"seed must be a whole number from 0 to 2^63 - 1, not {shown(self.seed)}")
        if not 0 <= self.fade_s <= 1:
            raise InputError(f"fade_s must lie between 0 and 1, not {shown(self.fade_s)}")

    def as_json(self) -> dict[str, Any]:
        """The recipe as plain values, for reports and hashes."""
        return asdict(self)
