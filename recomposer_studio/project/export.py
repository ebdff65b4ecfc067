"""A take as files: the take itself and its stems, in the sample format of the source, streamed, all or nothing."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.atomic import same_file
from recomposer_studio.audio.sink import AudioSink, output_format
from recomposer_studio.audio.source import SampleFormat
from recomposer_studio.errors import InputError
from recomposer_studio.project.take import BED, TAKE, Part, Take, stem_parts

_FloatArray = NDArray[np.float64]
_Native = NDArray[Any]
"""int32, float32 or float64, as the format has it."""

BLOCK = 65_536
STEM_INDEX = "stems.json"


class ClipError(InputError):
    """A part would exceed full scale in a fixed-point format; nothing was written."""

    def __init__(self, row: str, overshoot_db: float, what: str, sample_format: SampleFormat) -> None:
        """Names the row that has to come down, and by how much."""
        self.row, self.overshoot_db = row, overshoot_db
        super().__init__(
            f"row {row}: {what} would clip by {overshoot_db:.1f} dB in {sample_format.subtype}; "
            f"lower the row by {overshoot_db:.1f} dB or more (gain_db), or write 32-bit float (--float32)"
        )


def native_blocks(take: Take, part: Part, sample_format: SampleFormat) -> Iterator[_Native]:
    """The samples of a part in a file's own format, (n, channels) a block.

    Outside the layers the source's samples pass through untouched: integers as integers, doubles as doubles.

    Raises:
        InputError: a floating-point source holds NaN or infinity.
    """
    source, spans = take.source, take.spans(part)
    grounded = part.kind in ("take", "bed")
    for start in range(0, source.frames, BLOCK):
        stop = min(start + BLOCK, source.frames)
        if grounded:
            block = _cast(source.read_native(start, stop), sample_format)
        else:
            block = np.zeros((stop - start, source.channels), sample_format.native_dtype)
        for first, last in ((max(start, a), min(stop, b)) for a, b in spans):
            if first < last:
                block[first - start : last - start] = encode(take.read(first, last, part), sample_format)
        if not sample_format.is_integer and not np.isfinite(block).all():
            source.read(start, stop)  # Finds the sample and says so.
            raise InputError(f"{source.path}: a sample of the result is not a number; render the take again")
        yield block


def _cast(native: _Native, sample_format: SampleFormat) -> _Native:
    """Native samples of the source in an output's format; only integers written as float change their type."""
    if native.dtype == sample_format.native_dtype:
        return native.copy()
    as_float = native / 2.0**31 if np.issubdtype(native.dtype, np.integer) else native
    return as_float.astype(sample_format.native_dtype)


def encode(samples: _FloatArray, sample_format: SampleFormat) -> _Native:
    """Samples (channels, n) as native (n, channels); integers are rounded to the nearest step and left-justified in 32 bits."""
    if not sample_format.is_integer:
        return samples.T.astype(sample_format.native_dtype)
    steps = 2 ** (sample_format.bits - 1)
    rounded = np.clip(np.rint(samples.T * steps), -steps, steps - 1).astype(np.int64)
    return (rounded << (32 - sample_format.bits)).astype(np.int32)


def check_headroom(take: Take, part: Part, sample_format: SampleFormat) -> None:
    """Refuses a part that exceeds full scale in a fixed-point format.

    Raises:
        ClipError: naming the row that adds most at the worst sample.
    """
    if not sample_format.is_integer:
        return
    worst, where, channel = 1.0, -1, 0
    for first, last in take.spans(part):
        for start in range(first, last, BLOCK):
            samples = np.abs(take.read(start, min(start + BLOCK, last), part))
            if samples.size and samples.max() > worst:
                channel, index = divmod(int(samples.argmax()), samples.shape[1])
                worst, where = float(samples.max()), start + index
    if where < 0:
        return
    sign = np.sign(take.read(where, where + 1, part)[channel, 0])
    loudest = max(
        (layer for layer in take.layers if layer.start <= where < layer.stop),
        key=lambda layer: (
            sign
            * float(take.contribution(layer, slice(where - layer.start, where - layer.start + 1), part)[channel, 0])
        ),
    )
    what = {"take": "the take", "bed": "the bed without it"}.get(part.kind, f"its {part.kind} stem")
    raise ClipError(loudest.event.row, 20.0 * float(np.log10(worst)), what, sample_format)


@dataclass(frozen=True)
class Exported:
    """The files of an export.

    Attributes:
        take: the take.
        stems: bed and placed stems, which sum to the take.
        removed: removed sounds, which with the bed sum to the source.
    """

    take: Path
    stems: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()


def export_take(
    take: Take,
    out: Path,
    stems_dir: Path | None = None,
    *,
    float32: bool = False,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Exported:
    """Writes a take, and its stems if a folder is given; either everything is there afterwards or nothing new.

    Args:
        take: the take.
        out: file to write; its suffix chooses the container, the sample format is the source's (lossy sources: 32-bit float).
        stems_dir: folder for `bed`, one placed stem a row, and `removed/`; stems of an earlier export in it are replaced.
        float32: write 32-bit float whatever the source's format.
        progress: called with (files done, files in all, file name).

    Raises:
        InputError: a file cannot be written, or would clip.
    """
    source = take.source
    if same_file(out, source.path):
        raise InputError(
            f"{out}: this is the recording itself, which is never overwritten; choose another file for the take"
        )
    sample_format = output_format(source.format, out, float32=float32, frames=source.frames, channels=source.channels)
    stems, removed = stem_parts(take) if stems_dir else ([], [])
    for part in (TAKE, *stems, *removed):
        check_headroom(take, part, sample_format)

    def write(part: Part, path: Path) -> None:
        with AudioSink(path, sample_format, source.rate_hz, source.channels) as sink:
            for block in native_blocks(take, part, sample_format):
                sink.write(block)

    total = 1 + len(stems) + len(removed)
    if stems_dir is None:
        progress(0, total, out.name)
        write(TAKE, out)
        return Exported(out)
    names = {part: _stem_name(number, part, out.suffix) for number, part in enumerate([*stems, *removed])}
    folder = _StemFolder(stems_dir)
    with folder as beside:
        for done, (part, name) in enumerate(names.items()):
            progress(done, total, name)
            path = beside / name
            path.parent.mkdir(exist_ok=True)
            write(part, path)
        progress(total - 1, total, out.name)
        write(TAKE, out)
        folder.finish(list(names.values()))
    return Exported(
        out, tuple(stems_dir / names[part] for part in stems), tuple(stems_dir / names[part] for part in removed)
    )


def _stem_name(number: int, part: Part, suffix: str) -> str:
    """A file name that no label can turn into a path; numbers keep the roll's order and make names unique."""
    if part == BED:
        return f"bed{suffix}"
    plain = re.sub(r"[^a-z0-9]+", "-", (part.row or "").lower()).strip("-")[:40] or "row"
    return f"{'removed/' if part.kind == 'removed' else ''}{number:02d}-{plain}{suffix}"


class _StemFolder:
    """Stems are written beside the folder's old ones and moved in when all are there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Path:
        try:
            self.created = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            self.beside = Path(tempfile.mkdtemp(prefix=".stems-", dir=self.folder))
        except OSError as error:
            raise InputError(
                f"{self.folder}: stems cannot be written there ({error.strerror}); choose another folder"
            ) from error
        return self.beside

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.beside, ignore_errors=True)
        if self.created and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def finish(self, names: list[str]) -> None:
        for old in self._former() - set(names):
            (self.folder / old).unlink(missing_ok=True)
        for name in names:
            (self.folder / name).parent.mkdir(exist_ok=True)
            os.replace(self.beside / name, self.folder / name)
        index = self.beside / STEM_INDEX
        index.write_text(json.dumps({"format_version": 1, "stems": names}, indent=1), encoding="utf-8")
        os.replace(index, self.folder / STEM_INDEX)

    def _former(self) -> set[str]:
        """Stems that an earlier export left here; only names that an export gives are believed."""
        try:
            names = json.loads((self.folder / STEM_INDEX).read_text(encoding="utf-8"))["stems"]
        except (OSError, ValueError, KeyError, TypeError):
            return set()
        pattern = re.compile(r"bed\.\w+|(removed/)?\d+-[a-z0-9-]+\.\w+")
        return {name for name in names if isinstance(name, str) and pattern.fullmatch(name)}
