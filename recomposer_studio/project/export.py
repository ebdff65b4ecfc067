"""A take as files: the take itself, its stems and its rows as labels, streamed, all or nothing."""

import json
import os
import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from recomposer_studio.audio.atomic import PendingFile, check_writable, pending_file, same_file, write_error
from recomposer_studio.audio.sink import AudioSink, Depth, output_format
from recomposer_studio.audio.source import SampleFormat, Source
from recomposer_studio.errors import InputError
from recomposer_studio.project.embedded import (
    carried_chunks,
    carried_comments,
    carried_speakers,
    recipe_chunk,
    recipe_comment,
    recipe_document,
    with_rows,
)
from recomposer_studio.project.headroom import check_headroom
from recomposer_studio.project.kept import file_beside
from recomposer_studio.project.samples import native_blocks
from recomposer_studio.project.stem_folder import STEM_INDEX, former_stems, moved_in, stem_folder
from recomposer_studio.project.take import BED, TAKE, Part, Take, stem_parts
from recomposer_studio.roll.event import EventRoll
from recomposer_studio.roll.formats.files import format_labels, output_format_of
from recomposer_studio.roll.formats.values import About

Progress = Callable[[int, int, str], None]
"""Is called with (samples done, samples in all, file name)."""


def _silent(done: int, total: int, what: str) -> None:
    pass


@dataclass(frozen=True)
class ExportOptions:
    """What is written, and how.

    Attributes:
        depth: sample format of every file; the source's when None.
        region: first and last (exclusive) frame, the whole recording when None.
        stems: which of the stems, all when None.
        labels: files for the rows as labels; the name of each chooses its format.
        recipe: whether the take carries its recipe (WAV, RF64, FLAC).
        markers: whether the take carries its rows as markers (WAV, RF64).
    """

    depth: Depth | None = None
    region: tuple[int, int] | None = None
    stems: frozenset[Part] | None = None
    labels: tuple[Path, ...] = ()
    recipe: bool = True
    markers: bool = True


@dataclass(frozen=True)
class ExportPlan:
    """Where everything goes; made before a render, so that nothing is rendered in vain.

    Attributes:
        take: the take's file.
        sample_format: of every file.
        frames: length of every file.
        stems_dir: folder of the stems, or None.
        names: part -> name within `stems_dir`, of bed and placed stems, all of which sum to the take.
        removed: likewise of the removed sounds, all of which with the bed sum to the source.
        options: what else was asked for.
    """

    take: Path
    sample_format: SampleFormat
    frames: int
    stems_dir: Path | None
    names: dict[Part, str]
    removed: dict[Part, str]
    options: ExportOptions

    def stem_paths(self, names: dict[Part, str]) -> list[Path]:
        """The files of some of the stems."""
        return [self.stems_dir / name for name in names.values()] if self.stems_dir else []

    @property
    def sounds(self) -> list[Path]:
        """The sound files."""
        return [self.take, *self.stem_paths(self.names), *self.stem_paths(self.removed)]

    @property
    def exported(self) -> "Exported":
        """All files but the report."""
        stems, removed = self.stem_paths(self.names), self.stem_paths(self.removed)
        return Exported(self.take, tuple(stems), tuple(removed), self.options.labels)

    def sample_bytes(self, channels: int) -> int:
        """Bytes of samples in all sound files together; FLAC makes fewer of them."""
        return len(self.sounds) * self.frames * channels * self.sample_format.bits // 8


def region_of(source: Source, start_s: float, end_s: float) -> tuple[int, int]:
    """First and last (exclusive) frame of a stretch of a recording.

    Raises:
        InputError: the stretch is empty or leaves the recording by more than half a sample.
    """
    if not 0.0 <= start_s < end_s <= source.duration_s + 0.5 / source.rate_hz:
        raise InputError(
            f"the region from {start_s:g} to {end_s:g} s must lie within the recording (0 to {source.duration_s:.9g} s) and have a length"
        )
    start, stop = round(start_s * source.rate_hz), min(round(end_s * source.rate_hz), source.frames)
    if start >= stop:
        raise InputError(f"the region from {start_s:g} to {end_s:g} s holds no sample; make it longer")
    return start, stop


def lay_out(source: Source, roll: EventRoll, take: Path, stems_dir: Path | None, options: ExportOptions) -> ExportPlan:
    """The plan of an export, without a look at the disk.

    Raises:
        InputError: a format that the container cannot hold, or labels in a format that does not exist.
    """
    first, last = options.region or (0, source.frames)
    sample_format = output_format(
        source.format, take, depth=options.depth, frames=last - first, channels=source.channels
    )
    for path in options.labels:
        output_format_of(path)
    placed, removed = stem_parts(roll) if stems_dir else ([], [])
    numbers = {row: number for number, row in enumerate(roll.rows(), start=1)}

    def named(parts: list[Part]) -> dict[Part, str]:
        chosen = [part for part in parts if options.stems is None or part in options.stems]
        return {part: _stem_name(roll, numbers, part, take.suffix) for part in chosen}

    return ExportPlan(take, sample_format, last - first, stems_dir, named(placed), named(removed), options)


def plan_export(
    source: Source,
    roll: EventRoll,
    take: Path,
    stems_dir: Path | None = None,
    *,
    options: ExportOptions | None = None,
    inputs: Iterable[Path] = (),
    also: Iterable[Path] = (),
) -> ExportPlan:
    """Plans an export and finds out what would go wrong.

    Args:
        source: the recording.
        roll: the events.
        take: file to write; its suffix chooses the container, the sample format is the source's (lossy sources: 32-bit float).
        stems_dir: folder for `bed`, one placed stem a row, and `removed/`; stems of an earlier export in it are replaced.
        options: what else is asked for.
        inputs: files besides the recording and the events' exemplars that must not be overwritten.
        also: further files that are written with the take, such as the report.

    Raises:
        InputError: a format that the container cannot hold, a missing folder, or two things under one name.
    """
    options = options or ExportOptions()
    plan = lay_out(source, roll, take, stems_dir, options)
    index = [stems_dir / STEM_INDEX] if stems_dir else []
    single = [take, *options.labels, *also]
    targets = [*single, *plan.stem_paths(plan.names), *plan.stem_paths(plan.removed), *index]
    files = dict.fromkeys(event.exemplar.file for event in roll.events if event.exemplar and event.exemplar.file)
    read = [source.path, *(file_beside(source, file) for file in files), *inputs]
    # What an earlier export left in the folder goes, so it counts like what is written.
    former = [stems_dir / name for name in sorted(former_stems(stems_dir))] if stems_dir else []
    for path in (*targets, *former):
        for given in read:
            if same_file(path, given):
                raise InputError(
                    f"{path}: this file is an input and is never overwritten; choose another name or folder"
                )
    for number, path in enumerate(targets):
        # Stems have numbers of their own: comparing thousands of them pairwise takes minutes.
        for other in single[:number]:
            if same_file(path, other):
                raise InputError(f"{path}: two results would have this name; choose another one for {other.name}")
    for path in single:
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


@dataclass(frozen=True)
class Exported:
    """The files of an export.

    Attributes:
        take: the take.
        stems: bed and placed stems, which sum to the take.
        removed: removed sounds, which with the bed sum to the source.
        labels: the rows.
    """

    take: Path
    stems: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()
    labels: tuple[Path, ...] = ()


def export_take(
    take: Take,
    out: Path,
    stems_dir: Path | None = None,
    *,
    float32: bool = False,
    options: ExportOptions | None = None,
    progress: Progress = _silent,
) -> Exported:
    """Plans and writes a take, and its stems if a folder is given.

    Args:
        take: the take.
        out: file to write, see `plan_export`.
        stems_dir: folder for the stems, see `plan_export`.
        float32: write float whatever the options say.
        options: what else is asked for.
        progress: is told how far it is.

    Raises:
        InputError: a file cannot be written, or would clip; everything is then as it was.
    """
    options = options or ExportOptions()
    if float32:
        options = replace(options, depth=Depth.FLOAT)
    return write_export(take, plan_export(take.source, take.roll, out, stems_dir, options=options), progress)


def write_export(
    take: Take,
    plan: ExportPlan,
    progress: Progress = _silent,
    report: tuple[Path, Callable[[], str]] | None = None,
) -> Exported:
    """Writes a planned export: all files are finished beside their places before the first one is moved in.

    Args:
        take: the take.
        plan: where everything goes.
        progress: is told how far it is.
        report: a text file that appears with the others, and what gives its text when they are finished.

    Raises:
        InputError: a file cannot be written, or would clip; everything is then as it was.
    """
    parts, region, source = {**plan.names, **plan.removed}, plan.options.region, take.source
    for part in (TAKE, *parts):
        check_headroom(take, part, plan.sample_format, region)
    total = (1 + len(parts)) * plan.frames
    written = 0
    rows = roll_within(take.roll, region, source.rate_hz)
    chunks, comments = carried_chunks(take, plan.sample_format, region), carried_comments(take, plan.sample_format)
    speakers = carried_speakers(take)

    def write(part: Part, path: Path, name: str) -> None:
        nonlocal written
        own_chunks, own_comments = chunks, comments
        if part == TAKE:
            own_chunks = with_rows(chunks, rows, source.rate_hz) if plan.options.markers else chunks
            if plan.options.recipe:
                text = json.dumps(recipe_document(take, region), ensure_ascii=False, separators=(",", ":"))
                own_chunks, own_comments = (*own_chunks, recipe_chunk(text)), (*comments, recipe_comment(text))
        sound = plan.sample_format, source.rate_hz, source.channels
        with AudioSink(path, *sound, own_chunks, own_comments, speakers) as sink:
            for block in native_blocks(take, part, plan.sample_format, region):
                progress(written, total, name)
                sink.write(block)
                written += len(block)

    with ExitStack() as stack:
        single = [_labels_file(stack, take, rows, plan, path) for path in plan.options.labels]
        take_file = stack.enter_context(pending_file(plan.take))
        stems_in: AbstractContextManager[None] = nullcontext()
        if plan.stems_dir is not None:
            folder = stack.enter_context(stem_folder(plan.stems_dir))
            for part, name in parts.items():
                write(part, folder / name, name)
            stems_in = moved_in(plan.stems_dir, folder, list(parts.values()))
        write(TAKE, take_file.path, plan.take.name)
        if report is not None:
            path, text = report
            single.append(_text_file(stack, path, text()))
        with stems_in:
            _commit([*single, take_file])
    progress(total, total, plan.take.name)
    return plan.exported


def roll_within(roll: EventRoll, region: tuple[int, int] | None, rate_hz: int) -> EventRoll:
    """The events of a stretch, in times from its beginning; what leaves it is cut off.

    Args:
        roll: the events.
        region: first and last (exclusive) frame, all when None.
        rate_hz: sample rate.
    """
    if region is None:
        return roll
    first_s, last_s = region[0] / rate_hz, region[1] / rate_hz
    return EventRoll(
        tuple(
            # A nanosecond is less than a sample at any rate; beyond it are only the leftovers of a subtraction.
            replace(
                event,
                start_s=round(max(event.start_s, first_s) - first_s, 9),
                end_s=round(min(event.end_s, last_s) - first_s, 9),
            )
            for event in roll.events
            if min(event.end_s, last_s) - max(event.start_s, first_s) > 0.5 / rate_hz
        )
    )


def _labels_file(stack: ExitStack, take: Take, rows: EventRoll, plan: ExportPlan, path: Path) -> PendingFile:
    """The rows in a label file that waits to be put in place."""
    rate_hz = take.source.rate_hz
    text = format_labels(rows, output_format_of(path), About(plan.take.name, plan.frames / rate_hz, rate_hz))
    return _text_file(stack, path, text)


def _text_file(stack: ExitStack, path: Path, text: str) -> PendingFile:
    """A text in a file that waits to be put in place."""
    file = stack.enter_context(pending_file(path))
    try:
        # Names of files need not be UTF-8; what stands for such bytes is written as JSON does it.
        file.path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise write_error(path, error) from error
    return file


def _commit(files: list[PendingFile]) -> None:
    """Puts files in their places, all or none: the last one is exchanged in one step, the others can come back until then.

    Raises:
        InputError: a file is in use, or the disk is full.
    """
    with ExitStack() as stack:
        for file in files[:-1]:
            stack.enter_context(_committed(file))
        files[-1].commit()


@contextmanager
def _committed(file: PendingFile) -> Iterator[None]:
    """A file in its place, which what was there before takes again if the block fails."""
    former = file.target.parent / f".recomposer-{secrets.token_hex(6)}.part"
    there = file.target.exists()
    try:
        if there:
            os.replace(file.target, former)
    except OSError as error:
        raise write_error(file.shown, error) from error
    try:
        file.commit()
        yield
    except BaseException:
        if there:
            os.replace(former, file.target)
        else:
            file.target.unlink(missing_ok=True)
        raise
    former.unlink(missing_ok=True)
