"""The samples of a take's parts in the format of a file: untouched where nothing was edited, or requantised with dither where bits are lost."""

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.dither import tpdf
from recomposer_studio.audio.sink import reduces
from recomposer_studio.audio.source import SampleFormat
from recomposer_studio.errors import InputError
from recomposer_studio.project.take import Part, Take

_FloatArray = NDArray[np.float64]
_Native = NDArray[Any]
"""int32, float32 or float64, as the format has it."""

BLOCK = 65_536


def native_blocks(
    take: Take, part: Part, sample_format: SampleFormat, region: tuple[int, int] | None = None
) -> Iterator[_Native]:
    """The samples of a part in a file's own format, (n, channels) a block.

    Where the format keeps the depth of the source, the source's samples outside the layers pass through untouched: integers as integers, doubles
    as doubles. Where it has fewer bits, every sample is rounded with dither, except the silence of stems.

    Args:
        take: the take.
        part: what of it.
        sample_format: of the file.
        region: first and last (exclusive) frame, all when None; the blocks are the very samples of the whole there.

    Raises:
        InputError: a floating-point source holds NaN or infinity, or exceeds full scale where it becomes integers.
    """
    source, spans = take.source, take.spans(part)
    grounded = part.kind in ("take", "bed")
    key = _dither_key(take, part) if reduces(source.format, sample_format) else None
    first_frame, last_frame = region or (0, source.frames)
    for start in range(first_frame, last_frame, BLOCK):
        stop = min(start + BLOCK, last_frame)
        if grounded and key is not None:
            yield _dithered(take, start, stop, part, sample_format, key)
            continue
        if grounded:
            block = _cast(source.read_native(start, stop), sample_format)
        else:
            block = np.zeros((stop - start, source.channels), sample_format.native_dtype)
        for first, last in ((max(start, a), min(stop, b)) for a, b in spans):
            if first < last:
                block[first - start : last - start] = (
                    encode(take.read(first, last, part), sample_format)
                    if key is None
                    else _dithered(take, first, last, part, sample_format, key)
                )
        if not sample_format.is_integer and not np.isfinite(block).all():
            source.read(start, stop)  # Finds the sample and says so.
            raise InputError(
                f"{source.path}: samples are too large for the output's format; export it again at a normal level"
            )
        yield block


def _dither_key(take: Take, part: Part) -> int:
    """128 bits: another recipe or part has independent noise, and a take the same noise every time."""
    made_of = json.dumps([take.recipe.as_json(), part.kind, part.row], sort_keys=True)
    return int.from_bytes(blake2b(made_of.encode("utf-8"), digest_size=16).digest(), "little")


def _dithered(take: Take, start: int, stop: int, part: Part, sample_format: SampleFormat, key: int) -> _Native:
    samples = take.read(start, stop, part)
    over = np.abs(samples).max(initial=0.0)
    if over > 1.0 + sample_format.lsb:
        # Inside the layers this was told before; here it is the recording itself.
        raise InputError(
            f"{take.source.path}: the recording exceeds full scale by {20.0 * np.log10(over):.1f} dB, which "
            f"{sample_format.bits}-bit samples cannot hold; write float (--float32)"
        )
    return encode(samples, sample_format, tpdf(key, start, stop, take.source.channels))


def _cast(native: _Native, sample_format: SampleFormat) -> _Native:
    """Native samples of the source in an output's format that has no fewer bits, or in float."""
    if native.dtype == sample_format.native_dtype:
        return native.copy()
    as_float = native / 2.0**31 if np.issubdtype(native.dtype, np.integer) else native
    with np.errstate(over="ignore", invalid="ignore"):  # What does not fit is found and told by the caller.
        return as_float.astype(sample_format.native_dtype)


def encode(samples: _FloatArray, sample_format: SampleFormat, noise_steps: _FloatArray | None = None) -> _Native:
    """Samples (channels, n) as native (n, channels).

    Args:
        samples: full scale 1.0.
        sample_format: of the file; integers are rounded to the nearest step and left-justified in 32 bits.
        noise_steps: (n, channels) dither in steps of the format, added before rounding.
    """
    if not sample_format.is_integer:
        with np.errstate(over="ignore", invalid="ignore"):
            return samples.T.astype(sample_format.native_dtype)
    steps = 2 ** (sample_format.bits - 1)
    exact = samples.T * steps
    rounded = np.clip(np.rint(exact if noise_steps is None else exact + noise_steps), -steps, steps - 1).astype(
        np.int64
    )
    return (rounded << (32 - sample_format.bits)).astype(np.int32)
