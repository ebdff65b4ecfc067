"""Event and background recordings for composing scenes, from a `manifest.csv`.

A `Library` is what every loader returns: this one, and those of `datasets` for AudioSet-strong and FSD50K-like folders.
The unit of splitting is the source recording (`source_id`): a source that lies in two splits is refused, because
figures would be worthless. Rows that cannot be used are left out and counted by reason in `Library.skipped`; a fault of
the whole table is an `InputError`.
"""

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from recomposer_studio.errors import InputError

SPLITS = ("train", "valid", "test")

F = TypeVar("F", "EventFile", "BackgroundFile")
_COLUMNS = ("path", "kind", "audioset_class", "duration_s", "licence", "author", "split", "source_id")


@dataclass(frozen=True)
class EventFile:
    """One recorded sound event.

    Attributes:
        key: name of the event inside its library, the same on every machine.
        path: the audio file.
        class_name: AudioSet display name.
        source_id: the recording it was cut from, the unit of splitting.
        split: train, valid or test.
        duration_s: length of the event in seconds.
        licence: licence of the recording as the table names it.
        author: whom to credit.
        gain: factor that was applied to the recording (1 when unknown).
        source_rate_hz: sample rate of the original, None when unknown; below 32000 its upper band is empty.
        yamnet_rank: place of the class in YAMNet's scores for this file (1 is best), None when unknown.
        span_s: (start, end) of the event in the file, None for the whole file.
    """

    key: str
    path: Path
    class_name: str
    source_id: str
    split: str
    duration_s: float
    licence: str = "unknown"
    author: str = "unknown"
    gain: float = 1.0
    source_rate_hz: int | None = None
    yamnet_rank: int | None = None
    span_s: tuple[float, float] | None = None


@dataclass(frozen=True)
class BackgroundFile:
    """One recorded ambience; fields as in `EventFile`, `scene` is the kind of place."""

    key: str
    path: Path
    class_name: str
    source_id: str
    split: str
    duration_s: float
    licence: str = "unknown"
    author: str = "unknown"
    scene: str = ""
    source_rate_hz: int | None = None
    span_s: tuple[float, float] | None = None


@dataclass(frozen=True)
class Library:
    """Usable recordings and what was left out.

    Attributes:
        name: where it came from, for messages.
        events: every usable event file.
        backgrounds: every usable background file.
        skipped: reason -> paths left out for it.
    """

    name: str
    events: tuple[EventFile, ...]
    backgrounds: tuple[BackgroundFile, ...]
    skipped: Mapping[str, tuple[Path, ...]]

    def of_split(self, split: str) -> "Library":
        """The same library with the files of one split only."""
        return replace(
            self,
            events=tuple(f for f in self.events if f.split == split),
            backgrounds=tuple(f for f in self.backgrounds if f.split == split),
        )

    def skip_report(self) -> str:
        """One line per reason, most frequent first; empty when nothing was skipped."""
        return skip_report(self.skipped)


class Skips:
    """Collects what a loader leaves out."""

    def __init__(self) -> None:
        """Starts empty."""
        self._paths: dict[str, list[Path]] = {}

    def add(self, reason: str, path: Path) -> None:
        """Counts `path` under `reason`."""
        self._paths.setdefault(reason, []).append(path)

    def frozen(self) -> Mapping[str, tuple[Path, ...]]:
        """A read-only copy."""
        return MappingProxyType({reason: tuple(paths) for reason, paths in self._paths.items()})


def skip_report(skipped: Mapping[str, Sequence[Path]]) -> str:
    """One line per reason, most frequent first: count, reason and the first file."""
    ordered = sorted(skipped.items(), key=lambda item: (-len(item[1]), item[0]))
    return "\n".join(f"{len(paths):5d}  {reason} (first: {paths[0]})" for reason, paths in ordered if paths)


def is_share_alike(licence: str) -> bool:
    """Whether a licence asks that derived works carry the same licence (CC BY-SA in any version)."""
    return "BY-SA" in licence.upper().replace(" ", "-")


def build_library(
    name: str,
    events: Iterable[EventFile],
    backgrounds: Iterable[BackgroundFile],
    skips: Skips,
    *,
    share_alike: bool = True,
    classes: Collection[str] | None = None,
) -> Library:
    """Applies the choices that every loader offers and checks the splits.

    Args:
        name: where the files come from, for messages.
        events: candidate events.
        backgrounds: candidate backgrounds.
        skips: what the loader left out so far.
        share_alike: False leaves out recordings under CC BY-SA.
        classes: event classes to keep, None for all.

    Raises:
        InputError: a source lies in two splits, a class is unknown to the library, or nothing is left.
    """
    kept_events, kept_backgrounds = list(events), list(backgrounds)
    _check_splits(name, [*kept_events, *kept_backgrounds])
    if classes is not None:
        missing = sorted(set(classes) - {f.class_name for f in kept_events})
        if missing:
            raise InputError(f"{name}: no event of the class '{missing[0]}'; name classes that the table holds.")
        kept_events = _keep(kept_events, lambda f: f.class_name in classes, "class not asked for", skips)
    if not share_alike:
        kept_events = _keep(kept_events, lambda f: not is_share_alike(f.licence), "licence asks for share-alike", skips)
        kept_backgrounds = _keep(
            kept_backgrounds, lambda f: not is_share_alike(f.licence), "licence asks for share-alike", skips
        )
    library = Library(name, tuple(kept_events), tuple(kept_backgrounds), skips.frozen())
    for what, files in (("event", library.events), ("background", library.backgrounds)):
        if not files:
            reasons = "; ".join(f"{len(p)} {r}" for r, p in library.skipped.items()) or "the table holds none"
            raise InputError(f"{name}: no usable {what} file is left ({reasons}); scenes need at least one.")
    return library


def load_manifest(
    path: str | Path, *, share_alike: bool = True, classes: Collection[str] | None = None, check_files: bool = True
) -> Library:
    """Reads a `manifest.csv`; audio paths are relative to its folder.

    Needs the columns path, kind (event or background), audioset_class, duration_s, licence, author, split and
    source_id; uses scene, gain, source_sample_rate and yamnet_rank when there. Audio is not decoded here: silent,
    clipped and damaged files are found, and counted, when an `AudioCache` decodes them.

    Args:
        path: the table, or the folder that holds `manifest.csv`.
        share_alike: False leaves out recordings under CC BY-SA.
        classes: event classes to keep, None for all.
        check_files: whether to look that every file exists.

    Raises:
        InputError: no such table, columns missing, overlapping splits, nothing usable.
    """
    table = Path(path)
    table = table / "manifest.csv" if table.is_dir() else table
    rows = read_table(table, _COLUMNS)
    events: list[EventFile] = []
    backgrounds: list[BackgroundFile] = []
    skips = Skips()
    seen: set[str] = set()
    for row in rows:
        key = row["path"].replace("\\", "/")
        file = table.parent / key
        duration_s = _number(row["duration_s"])
        reason = _row_fault(row, key, duration_s, seen)
        if reason is None and check_files and not file.is_file():
            reason = "file missing"
        if reason is not None or duration_s is None:
            skips.add(reason or "duration_s is not a number", file)
            continue
        seen.add(key)
        rate = _number(row.get("source_sample_rate"))
        rate_hz = int(rate) if rate else None
        split, source = row["split"], row["source_id"]
        licence, author = row["licence"] or "unknown", row["author"] or "unknown"
        if row["kind"] == "event":
            rank = _number(row.get("yamnet_rank"))
            events.append(
                EventFile(
                    key,
                    file,
                    row["audioset_class"],
                    source,
                    split,
                    duration_s,
                    licence,
                    author,
                    gain=_number(row.get("gain")) or 1.0,
                    source_rate_hz=rate_hz,
                    yamnet_rank=int(rank) if rank else None,
                )
            )
        else:
            backgrounds.append(
                BackgroundFile(
                    key,
                    file,
                    row["audioset_class"],
                    source,
                    split,
                    duration_s,
                    licence,
                    author,
                    scene=row.get("scene") or "",
                    source_rate_hz=rate_hz,
                )
            )
    return build_library(str(table), events, backgrounds, skips, share_alike=share_alike, classes=classes)


def trained_classes(library: Library, min_sources: int = 8) -> tuple[str, ...]:
    """Event classes with at least `min_sources` independent training recordings, sorted by name."""
    pairs = {(f.class_name, f.source_id) for f in library.events if f.split == "train"}
    counts = Counter(name for name, _ in pairs)
    return tuple(sorted(name for name, n in counts.items() if n >= min_sources))


def read_table(path: Path, columns: Sequence[str], delimiter: str = ",") -> list[dict[str, str]]:
    """Rows of a delimited text file with a header, every field a string (absent trailing fields are empty).

    Raises:
        InputError: not readable as a table, or a column of `columns` is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            header = list(reader.fieldnames or [])
            missing = [c for c in columns if c not in header]
            if missing:
                raise InputError(f"{path}: the column '{missing[0]}' is missing; the table needs {', '.join(columns)}.")
            return [{k: (v or "").strip() for k, v in row.items() if isinstance(k, str)} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise table_error(path, error) from error


def table_error(path: Path, error: OSError | UnicodeDecodeError | csv.Error) -> InputError:
    """The error for a table of recordings that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path}: no such file or folder; name a table of recordings, or the folder that holds it.")
    reason = (
        "it is not text in UTF-8"
        if isinstance(error, UnicodeDecodeError)
        else getattr(error, "strerror", None) or error
    )
    return InputError(f"{path}: cannot be read as a table of recordings ({reason}); give its path.")


def hashed_split(source_id: str) -> str:
    """A split for a source of a data set that has none: 80 % train, 10 % valid, 10 % test, by hash of the name."""
    share = int.from_bytes(hashlib.sha256(source_id.encode("utf-8")).digest()[:4], "big") / 2**32
    return "train" if share < 0.8 else "valid" if share < 0.9 else "test"


def _row_fault(row: Mapping[str, str], key: str, duration_s: float | None, seen: Collection[str]) -> str | None:
    if not key:
        return "path is empty"
    if key in seen:
        return "listed twice"
    if row["kind"] not in ("event", "background"):
        return "kind is neither event nor background"
    if row["split"] not in SPLITS:
        return "split is none of train, valid, test"
    for column in ("audioset_class", "source_id"):
        if not row[column]:
            return f"{column} is empty"
    if duration_s is None or duration_s <= 0:
        return "duration_s is not a positive number"
    return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _check_splits(name: str, files: Iterable[EventFile | BackgroundFile]) -> None:
    first: dict[str, str] = {}
    for file in files:
        other = first.setdefault(file.source_id, file.split)
        if other != file.split:
            raise InputError(
                f"{name}: the source '{file.source_id}' lies in both {other} and {file.split}; give it one split, "
                "because figures on sounds heard in training are worthless."
            )


def _keep(files: list[F], wanted: Callable[[F], bool], reason: str, skips: Skips) -> list[F]:
    kept = []
    for file in files:
        if wanted(file):
            kept.append(file)
        else:
            skips.add(reason, file.path)
    return kept
