"""Loaders for other collections, returning the same `Library`: AudioSet-strong tables and FSD50K-like folders.

Neither ships with the project; the audio comes as a folder of clips that the user has fetched.
"""

import csv
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import soundfile as sf

from recomposer_studio.data import data_folder
from recomposer_studio.errors import InputError
from recomposer_studio.training.manifest import (
    BackgroundFile,
    EventFile,
    Library,
    Skips,
    build_library,
    hashed_split,
    load_manifest,
    read_table,
    table_error,
)

_EVENT_S = (0.1, 5.0)
_BACKGROUND_CLASSES, _BACKGROUND_S = 2, 9.0
_STRONG_COLUMNS = ("segment_id", "start_time_seconds", "end_time_seconds", "label")
_FSD_COLUMNS = ("fname", "labels", "mids")
_FSD_TABLES, _FSD_CLIPS, _FSD_INFO = "FSD50K.ground_truth", "FSD50K.dev_audio", "FSD50K.metadata"
_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".opus")


def load_library(
    path: str | Path,
    *,
    audio: str | Path | None = None,
    share_alike: bool = True,
    classes: Collection[str] | None = None,
) -> Library:
    """Reads any of the known collections, told apart by their tables.

    Args:
        path: `manifest.csv`, an AudioSet-strong `.tsv` or FSD50K's `dev.csv`; or a folder that holds one of them. Of a
            folder with several `*_strong.tsv` all are read.
        audio: folder of the clips; None takes `clips`, `audio` or `FSD50K.dev_audio` beside the table, then FSD50K's own
            place beside the table's folder, else the table's folder.
        share_alike: False leaves out recordings under CC BY-SA.
        classes: event classes to keep, None for all.

    Raises:
        InputError: there is no such table, or the table is refused by its loader.
    """
    tables = _tables(Path(path))
    table = tables[0]
    if table.suffix.lower() != ".tsv" and "fname" not in _header(table):
        return load_manifest(table, share_alike=share_alike, classes=classes)
    # FSD50K itself comes as FSD50K.ground_truth/dev.csv beside FSD50K.dev_audio.
    places = (
        table.parent / "clips",
        table.parent / "audio",
        table.parent / _FSD_CLIPS,
        table.parent.parent / _FSD_CLIPS,
    )
    clips = Path(audio) if audio is not None else next((f for f in places if f.is_dir()), table.parent)
    if table.suffix.lower() == ".tsv":
        return load_audioset_strong(tables, clips, share_alike=share_alike, classes=classes)
    return load_fsd50k(table, clips, share_alike=share_alike, classes=classes)


def _tables(path: Path) -> list[Path]:
    """The table that a path names, or those that a folder holds (several only for AudioSet-strong)."""
    if not path.is_dir():
        return [path]
    for name in ("manifest.csv", "dev.csv", f"{_FSD_TABLES}/dev.csv"):
        if (path / name).is_file():
            return [path / name]
    found = sorted(path.glob("*_strong.tsv")) or sorted(path.glob("*.tsv"))
    if not found:
        raise InputError(f"{path}: holds neither manifest.csv nor dev.csv nor a .tsv; name the table of recordings.")
    if len(found) > 1 and not found[0].name.endswith("_strong.tsv"):
        names = ", ".join(file.name for file in found)
        raise InputError(f"{path}: holds several tables ({names}); name the one that lists the recordings.")
    return found


def load_audioset_strong(
    table: str | Path | Sequence[Path],
    clips: str | Path,
    *,
    split: str | None = None,
    class_names: Mapping[str, str] | None = None,
    share_alike: bool = True,
    classes: Collection[str] | None = None,
) -> Library:
    """Reads an AudioSet-strong table (segment_id, start_time_seconds, end_time_seconds, label) and a folder of clips.

    A clip with more than two classes and more than 9 labelled seconds is a background. A label that nothing else in its
    clip touches is an event. The video is the source; AudioSet names no licence, so it is "unknown".

    Args:
        table: tab-separated table, or several of them whose clips lie in one folder.
        clips: folder with one audio file per clip, named after segment_id.
        split: split of all clips; None spreads the videos by a hash of their names.
        class_names: display name of every mid; None takes the table of the 521 classes. A label without one is skipped.
        share_alike: False leaves out recordings under CC BY-SA.
        classes: event classes to keep, None for all.

    Raises:
        InputError: no such table, columns missing, nothing usable.
    """
    names = shipped_class_names() if class_names is None else class_names
    files = _clips(Path(clips))
    skips = Skips()
    labels: dict[str, list[tuple[float, float, str]]] = {}
    tables = [Path(table)] if isinstance(table, str | Path) else list(table)
    for row in (row for part in tables for row in read_table(part, _STRONG_COLUMNS, "\t")):
        try:
            start_s, end_s = float(row["start_time_seconds"]), float(row["end_time_seconds"])
        except ValueError:
            skips.add("times are not numbers", Path(row["segment_id"]))
            continue
        if not 0.0 <= start_s < end_s:
            skips.add("times are reversed or negative", Path(row["segment_id"]))
            continue
        labels.setdefault(row["segment_id"], []).append((start_s, end_s, row["label"]))
    events: list[EventFile] = []
    backgrounds: list[BackgroundFile] = []
    for clip, spans in labels.items():
        file = files.get(clip)
        if file is None:
            skips.add("file missing", Path(clips) / clip)
            continue
        source = clip.rsplit("_", 1)[0]
        where = split or hashed_split(source)
        for number, (start_s, end_s, label) in enumerate(spans):
            others = spans[:number] + spans[number + 1 :]
            reason = None
            if label not in names:
                reason = "label is no known class"
            elif any(a < end_s and b > start_s for a, b, _ in others):
                reason = "label overlaps another"
            elif not _EVENT_S[0] <= end_s - start_s <= _EVENT_S[1]:
                reason = "not between 0.1 and 5 s"
            if reason is not None:
                skips.add(reason, file)
                continue
            events.append(
                EventFile(
                    f"{clip}#{start_s:g}-{end_s:g}",
                    file,
                    names[label],
                    source,
                    where,
                    end_s - start_s,
                    span_s=(start_s, end_s),
                )
            )
        heard = {label for _, _, label in spans}
        if len(heard) > _BACKGROUND_CLASSES and _covered_s(spans) > _BACKGROUND_S:
            length_s = _length_s(file, skips)
            if length_s is not None:
                longest = max(spans, key=lambda span: span[1] - span[0])[2]
                backgrounds.append(
                    BackgroundFile(clip, file, names.get(longest, longest), source, where, length_s, scene="audioset")
                )
    return build_library(
        ", ".join(map(str, tables)), events, backgrounds, skips, share_alike=share_alike, classes=classes
    )


def load_fsd50k(
    table: str | Path,
    clips: str | Path,
    *,
    backgrounds: Library | None = None,
    class_names: Mapping[str, str] | None = None,
    share_alike: bool = True,
    classes: Collection[str] | None = None,
) -> Library:
    """Reads an FSD50K-like `dev.csv` (fname, labels, mids, split: train or val) and a folder of clips.

    The first label is the most specific one. An `eval.csv` beside the table gives the test split, with its clips in the
    same folder or in one of the name with "dev" replaced by "eval". `dev_clips_info_FSD50K.json` and its eval twin name
    licence and author when they are there. Clips of 0.1 to 5 s are events; longer ones of 10 s or more become
    backgrounds.

    Args:
        table: `dev.csv`.
        clips: folder with one audio file per fname.
        backgrounds: a library to take backgrounds from instead.
        class_names: display name of every mid; None takes the table of the 521 classes.
        share_alike: False leaves out recordings under CC BY-SA.
        classes: event classes to keep, None for all.

    Raises:
        InputError: no such table, columns missing, nothing usable.
    """
    names = shipped_class_names() if class_names is None else class_names
    table, clips = Path(table), Path(clips)
    skips = Skips()
    events: list[EventFile] = []
    own: list[BackgroundFile] = []
    parts: list[tuple[Path, Path, tuple[str, ...]]] = [(table, clips, (*_FSD_COLUMNS, "split"))]
    second = table.with_name("eval.csv")
    if table.name != second.name and second.is_file():
        twin = clips.with_name(clips.name.replace("dev", "eval"))
        parts.append((second, twin if twin.is_dir() else clips, _FSD_COLUMNS))
    for part, folder, columns in parts:
        files, credits = _clips(folder), _credits(part)
        for row in read_table(part, columns):
            file = files.get(row["fname"])
            split = {"train": "train", "val": "valid", "valid": "valid", "test": "test"}.get(row.get("split") or "test")
            mid = row["mids"].split(",")[0].strip()
            if file is None:
                skips.add("file missing", folder / row["fname"])
            elif split is None:
                skips.add("split is none of train, val, test", file)
            elif mid not in names:
                skips.add("label is no known class", file)
            elif (length_s := _length_s(file, skips)) is not None:
                licence, author = credits.get(row["fname"], ("unknown", "unknown"))
                key, source = f"{folder.name}/{file.name}", f"freesound:{row['fname']}"
                if _EVENT_S[0] <= length_s <= _EVENT_S[1]:
                    events.append(EventFile(key, file, names[mid], source, split, length_s, licence, author))
                elif length_s >= 10.0:
                    own.append(
                        BackgroundFile(key, file, names[mid], source, split, length_s, licence, author, names[mid])
                    )
                else:
                    skips.add("neither event (0.1 to 5 s) nor background (10 s or more)", file)
    chosen = own if backgrounds is None else backgrounds.backgrounds
    return build_library(str(table), events, chosen, skips, share_alike=share_alike, classes=classes)


def shipped_class_names() -> dict[str, str]:
    """Display name of every mid of the 521 classes."""
    with (data_folder("resources") / "classes.csv").open(encoding="utf-8", newline="") as file:
        return {row["mid"]: row["name"] for row in csv.DictReader(file)}


def _header(table: Path) -> str:
    try:
        with table.open(encoding="utf-8-sig") as file:
            return file.readline()
    except (OSError, UnicodeDecodeError) as error:
        raise table_error(table, error) from error


def _clips(folder: Path) -> dict[str, Path]:
    """Audio files of a folder by name without suffix."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; name the folder that holds the audio clips.")
    return {f.stem: f for f in sorted(folder.iterdir()) if f.suffix.lower() in _SUFFIXES}


def _length_s(file: Path, skips: Skips) -> float | None:
    try:
        return float(sf.info(file).duration)
    except (OSError, RuntimeError):
        skips.add("unreadable", file)
        return None


def _covered_s(spans: list[tuple[float, float, str]]) -> float:
    covered, reached = 0.0, 0.0
    for start_s, end_s, _ in sorted(spans):
        covered += max(0.0, end_s - max(start_s, reached))
        reached = max(reached, end_s)
    return covered


def _credits(table: Path) -> dict[str, tuple[str, str]]:
    """(licence, author) of every fname from FSD50K's clip information, empty when it is not there."""
    name = f"{table.stem}_clips_info_FSD50K.json"
    info = next((p for p in (table.with_name(name), table.parent.parent / _FSD_INFO / name) if p.is_file()), None)
    if info is None:
        return {}
    try:
        clips = json.loads(info.read_text(encoding="utf-8"))
        return {name: (_licence(str(clip["license"])), str(clip["uploader"])) for name, clip in clips.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{info}: cannot be read as clip information ({error}); restore or remove it.") from error


def _licence(url: str) -> str:
    """A licence address as Freesound gives it, in the short form of the manifests."""
    for part, short in (
        ("/by-nc-sa/", "CC-BY-NC-SA"),
        ("/by-nc/", "CC-BY-NC"),
        ("/by-sa/", "CC-BY-SA"),
        ("/by/", "CC-BY"),
    ):
        if part in url:
            return short
    return "CC0-1.0" if "publicdomain/zero" in url else url
