"""A take as files: the take itself and its stems, in the sample format of the source, streamed, all or nothing."""

import json
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.atomic import check_writable, pending_file, same_file, write_error
from recomposer_studio.audio.sink import AudioSink, output_format
from recomposer_studio.audio.source import SampleFormat, Source
from recomposer_studio.errors import InputError
from recomposer_studio.project.headroom import check_headroom
from recomposer_studio.project.take import BED, TAKE, Part, Take, stem_parts
from recomposer_studio.roll.event import EventRoll

_FloatArray = NDArray[np.float64]
_Native = NDArray[Any]
"""int32, float32 or float64, as the format has it."""

BLOCK = 65_536
STEM_INDEX = "stems.json"
_STEM_NAME = re.compile(r"bed\.\w+|(removed/)?\d+-[\w-]+\.\w+")


@dataclass(frozen=True)
class ExportPlan:
    """Where everything goes; made before a render, so that nothing is rendered in vain.

    Attributes:
        take: the take's file.
        sample_format: of every file.
        stems_dir: folder of the stems, or None.
        names: part -> name within `stems_dir`, of bed and placed stems, which sum to the take.
        removed: likewise of the removed sounds, which with the bed sum to the source.
    """

    take: Path
    sample_format: SampleFormat
    stems_dir: Path | None
    names: dict[Part, str]
    removed: dict[Part, str]

    def stem_paths(self, names: dict[Part, str]) -> list[Path]:
        """The files of some of the stems."""
        return [self.stems_dir / name for name in names.values()] if self.stems_dir else []


def plan_export(
    source: Source,
    roll: EventRoll,
    take: Path,
    stems_dir: Path | None = None,
    *,
    float32: bool = False,
    inputs: Iterable[Path] = (),
    also: Iterable[Path] = (),
) -> ExportPlan:
    """Plans an export and finds out what would go wrong.

    Args:
        source: the recording.
        roll: the events.
        take: file to write; its suffix chooses the container, the sample format is the source's (lossy sources: 32-bit float).
        stems_dir: folder for `bed`, one placed stem a row, and `removed/`; stems of an earlier export in it are replaced.
        float32: write 32-bit float whatever the source's format.
        inputs: further files that must not be overwritten.
        also: further files that the caller will write.

    Raises:
        InputError: a format that the container cannot hold, a missing folder, or two things under one name.
    """
    sample_format = output_format(source.format, take, float32=float32, frames=source.frames, channels=source.channels)
    placed, removed = stem_parts(roll) if stems_dir else ([], [])
    numbers = {row: number for number, row in enumerate(roll.rows(), start=1)}
    plan = ExportPlan(
        take,
        sample_format,
        stems_dir,
        {part: _stem_name(roll, numbers, part, take.suffix) for part in placed},
        {part: _stem_name(roll, numbers, part, take.suffix) for part in removed},
    )
    index = [stems_dir / STEM_INDEX] if stems_dir else []
    targets = [take, *also, *plan.stem_paths(plan.names), *plan.stem_paths(plan.removed), *index]
    for path in targets:
        for given in (source.path, *inputs):
            if same_file(path, given):
                raise InputError(
                    f"{path}: this file is an input and is never overwritten; choose another name or folder"
                )
    for number, path in enumerate(targets):
        for other in targets[:number]:
            if same_file(path, other):
                raise InputError(f"{path}: two results would have this name; choose another one for {other.name}")
    for path in (take, *also):
        check_writable(path)
    for path in targets:
        if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir() raises for names that are too long
            raise InputError(
                f"{path}: this is a folder where a file would be written; move it away or choose another place"
            )
    return plan


def _stem_name(roll: EventRoll, numbers: dict[str, int], part: Part, suffix: str) -> str:
    """A file name that no label can turn into a path; a row has one number in the order of the roll, which makes it unique."""
    if part == BED:
        return f"bed{suffix}"
    row = part.row or ""
    first = next(event for event in roll.events if event.row == row)
    # A row that only repeats its event's id says less than the label.
    words = first.label if row == first.id else row
    plain = re.sub(r"[^\w]+", "-", unicodedata.normalize("NFKC", words).lower()).strip("-_")[:40] or "row"
    return f"{'removed/' if part.kind == 'removed' else ''}{numbers[row]:02d}-{plain}{suffix}"


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
            raise InputError(
                f"{source.path}: samples are too large for the output's format; export it again at a normal level"
            )
        yield block


def _cast(native: _Native, sample_format: SampleFormat) -> _Native:
    """Native samples of the source in an output's format; only with `float32` does their type change."""
    if native.dtype == sample_format.native_dtype:
        return native.copy()
    as_float = native / 2.0**31 if np.issubdtype(native.dtype, np.integer) else native
    with np.errstate(over="ignore", invalid="ignore"):  # What does not fit is found and told by the caller.
        return as_float.astype(sample_format.native_dtype)


def encode(samples: _FloatArray, sample_format: SampleFormat) -> _Native:
    """Samples (channels, n) as native (n, channels); integers are rounded to the nearest step, left-justified in 32 bits."""
    if not sample_format.is_integer:
        with np.errstate(over="ignore", invalid="ignore"):
            return samples.T.astype(sample_format.native_dtype)
    steps = 2 ** (sample_format.bits - 1)
    rounded = np.clip(np.rint(samples.T * steps), -steps, steps - 1).astype(np.int64)
    return (rounded << (32 - sample_format.bits)).astype(np.int32)


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
    """Plans and writes a take, and its stems if a folder is given.

    Args:
        take: the take.
        out: file to write, see `plan_export`.
        stems_dir: folder for the stems, see `plan_export`.
        float32: write 32-bit float whatever the source's format.
        progress: called with (samples done, samples in all, file name).

    Raises:
        InputError: a file cannot be written, or would clip; everything is then as it was.
    """
    return write_export(take, plan_export(take.source, take.roll, out, stems_dir, float32=float32), progress)


def write_export(
    take: Take,
    plan: ExportPlan,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> Exported:
    """Writes a planned export: all files are finished beside their places before the first one is moved in.

    Raises:
        InputError: a file cannot be written, or would clip; everything is then as it was.
    """
    parts = {**plan.names, **plan.removed}
    for part in (TAKE, *parts):
        check_headroom(take, part, plan.sample_format)
    total = (1 + len(parts)) * take.source.frames
    written = 0

    def write(part: Part, path: Path, name: str) -> None:
        nonlocal written
        with AudioSink(path, plan.sample_format, take.source.rate_hz, take.source.channels) as sink:
            for block in native_blocks(take, part, plan.sample_format):
                progress(written, total, name)
                sink.write(block)
                written += len(block)

    with pending_file(plan.take) as take_file:
        if plan.stems_dir is None:
            write(TAKE, take_file.path, plan.take.name)
            take_file.commit()
        else:
            with _stem_folder(plan.stems_dir) as folder:
                for part, name in parts.items():
                    write(part, folder / name, name)
                write(TAKE, take_file.path, plan.take.name)
                with _moved_in(plan.stems_dir, folder, list(parts.values())):
                    take_file.commit()
    progress(total, total, plan.take.name)
    return Exported(plan.take, tuple(plan.stem_paths(plan.names)), tuple(plan.stem_paths(plan.removed)))


@contextmanager
def _stem_folder(folder: Path) -> Iterator[Path]:
    """A folder inside `folder` to write new stems to; whatever is left of it, and folders made for nothing, vanish."""
    made: list[Path] = []
    beside = folder / f".stems-{secrets.token_hex(6)}"
    # Folders are made inside the block that removes them: an interrupt may come at any moment.
    try:
        try:
            made = [path for path in (folder, *folder.parents) if not path.exists()]
            (beside / "removed").mkdir(parents=True)
        except OSError as error:
            raise write_error(folder, error) from error
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        _remove_empty(made)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def _moved_in(folder: Path, beside: Path, names: list[str]) -> Iterator[None]:
    """Replaces the stems of an earlier export by new ones; puts everything back if that or the block fails.

    Raises:
        InputError: a file is in use, or the folder cannot be written to.
    """
    (beside / STEM_INDEX).write_text(json.dumps({"format_version": 1, "stems": names}, indent=1), encoding="utf-8")
    wanted = [*names, STEM_INDEX]
    old = beside / "old"
    moved: list[tuple[Path, Path]] = []
    had_removed = (folder / "removed").exists()
    try:
        (old / "removed").mkdir(parents=True)
        for name in sorted(_former(folder) | set(wanted)):
            if (folder / name).exists():
                os.replace(folder / name, old / name)
                moved.append((old / name, folder / name))
        (folder / "removed").mkdir(exist_ok=True)
        for name in wanted:
            os.replace(beside / name, folder / name)
            moved.append((folder / name, beside / name))
        _remove_empty([folder / "removed"])
        yield
    except BaseException as error:
        with suppress(FileExistsError):
            (folder / "removed").mkdir(exist_ok=True)
        for now, before in reversed(moved):
            os.replace(now, before)
        if not had_removed:
            _remove_empty([folder / "removed"])
        if isinstance(error, OSError):
            raise write_error(folder, error) from error
        raise


def _former(folder: Path) -> set[str]:
    """Stems that an earlier export left here; only names that an export gives are believed."""
    try:
        names = json.loads((folder / STEM_INDEX).read_text(encoding="utf-8"))["stems"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
    return {n for n in names if isinstance(n, str) and _STEM_NAME.fullmatch(n)} if isinstance(names, list) else set()
