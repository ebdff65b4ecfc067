"""Fixed-point formats have a ceiling: a part that would pass it is refused, with the row and what would help."""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.source import SampleFormat
from recomposer_studio.errors import InputError
from recomposer_studio.project.take import TAKE, Layer, Part, Take
from recomposer_studio.roll.event import GAIN_RANGE_DB, Event

_FloatArray = NDArray[np.float64]

_BLOCK = 65_536
_LEAST_STEP_DB = 0.1


class ClipError(InputError):
    """A part would exceed full scale in a fixed-point format; nothing was written.

    Attributes:
        event_id: the event that has to come down.
        row: its row.
        overshoot_db: how far the loudest sample exceeds full scale.
    """

    def __init__(self, event: Event, overshoot_db: float, what: str, remedy: str, sample_format: SampleFormat) -> None:
        """Says what would clip, by how much, and what would help."""
        self.event_id, self.row, self.overshoot_db = event.id, event.row, overshoot_db
        super().__init__(
            f"row {event.row} ({describe(event)}): {what} would clip by {_up(overshoot_db):.1f} dB in "
            f"{sample_format.bits}-bit samples; {remedy}write float (--float32)"
        )


def describe(event: Event) -> str:
    """An event in words: what, to which sound, when."""
    return f"{event.action} {event.label} at {event.start_s:.2f}-{event.end_s:.2f} s"


def _up(db: float) -> float:
    """Rounded up to a tenth, at least a tenth: a message never says 0.0 dB."""
    return max(_LEAST_STEP_DB, ceil(round(db * 10, 6)) / 10)


def check_headroom(take: Take, part: Part, sample_format: SampleFormat, region: tuple[int, int] | None = None) -> None:
    """Refuses a part that exceeds full scale in a fixed-point format.

    A sample may pass full scale by one step of the format, which is lost in rounding: integers reach -1 but not +1.

    Args:
        take: the take.
        part: what of it.
        sample_format: of the file.
        region: first and last (exclusive) frame of what is written, all when None.

    Raises:
        ClipError: naming the event that adds most to the worst sample.
    """
    if not sample_format.is_integer:
        return
    ceiling = 1.0 + 2.0 ** (1 - sample_format.bits)
    worst, where, channel = ceiling, -1, 0
    for start, stop in _pieces(take, part, region):
        samples = np.abs(take.read(start, stop, part))
        if samples.max() > worst:
            channel, index = divmod(int(samples.argmax()), samples.shape[1])
            worst, where = float(samples.max()), start + index
    if where < 0:
        return
    sign = float(np.sign(take.read(where, where + 1, part)[channel, 0]))

    def pushes(layer: Layer) -> float:
        at = slice(where - layer.start, where - layer.start + 1)
        return sign * float(take.contribution(layer, at, part)[channel, 0])

    loudest = max((layer for layer in take.layers if layer.start <= where < layer.stop), key=pushes)
    what = {"take": "the take", "bed": "the bed without it"}.get(part.kind, f"its {part.kind} stem")
    raise ClipError(
        loudest.event, 20.0 * float(np.log10(worst)), what, _remedy(take, part, loudest, region), sample_format
    )


def _pieces(take: Take, part: Part, region: tuple[int, int] | None) -> list[tuple[int, int]]:
    begin, end = region or (0, take.source.frames)
    spans = [(max(first, begin), min(last, end)) for first, last in take.spans(part)]
    return [(start, min(start + _BLOCK, last)) for first, last in spans for start in range(first, last, _BLOCK)]


def _remedy(take: Take, part: Part, layer: Layer, region: tuple[int, int] | None) -> str:
    """Lower gain if that is enough, else a smaller amount, else nothing but the float format helps."""
    event = layer.event
    if part.kind in ("take", "placed") and layer.placed is not None:
        silent = take.adjusted(event.id, gain_db=GAIN_RANGE_DB[0])
        factor = _largest_factor(take, silent, part, region)
        if factor > 0.0:
            return f"lower its gain_db by {_up(-20.0 * float(np.log10(factor))):.1f} dB, or "
    factor = _largest_factor(take, take.adjusted(event.id, amount=0.0), part, region)
    if factor * event.amount >= 0.01:
        return f"lower its amount to {np.floor(factor * event.amount * 100) / 100:.2f}, or "
    if part == TAKE:
        return "lower the rows that sound there, or "
    return ""


def _largest_factor(take: Take, without: Take, part: Part, region: tuple[int, int] | None) -> float:
    """The largest factor on what distinguishes two takes at which no sample of the part exceeds full scale; 0 for none."""
    factor = 1.0
    for start, stop in _pieces(take, part, region):
        rest = without.read(start, stop, part)
        added = take.read(start, stop, part) - rest
        over = np.abs(rest + added) > 1.0
        if over.any():
            if (np.abs(rest[over]) >= 1.0).any():
                return 0.0
            room = 1.0 - np.sign(added[over]) * rest[over]
            factor = min(factor, float((room / np.abs(added[over])).min()))
    return factor
