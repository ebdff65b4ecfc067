"""Manifests: what is read, what is skipped and why, what is refused."""

from pathlib import Path

import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.training.manifest import is_share_alike, load_manifest, trained_classes
from tests.training.tiny_library import CLASSES, COLUMNS, row, write_library, write_table


def test_reads_every_row_with_its_fields(tiny_folder: Path) -> None:
    library = load_manifest(tiny_folder / "manifest.csv")
    assert (len(library.events), len(library.backgrounds), dict(library.skipped)) == (36, 12, {})
    event = library.events[0]
    assert (event.class_name, event.split, event.source_id, event.licence) == ("Bell", "train", "train:0:0", "CC0-1.0")
    assert event.path.is_file()
    assert event.duration_s == pytest.approx(0.25)
    assert event.yamnet_rank == 3
    assert library.backgrounds[1].scene == "place-1"
    assert {f.split for f in library.of_split("valid").events} == {"valid"}


def test_faulty_rows_are_skipped_and_counted_by_reason(tmp_path: Path) -> None:
    rows = write_library(tmp_path, 1, 1)
    good = rows[0]
    rows += [
        good,
        good | {"path": "events/nowhere.wav", "source_id": "a"},
        good | {"path": "x1.wav", "split": "dev"},
        good | {"path": "x2.wav", "kind": "music"},
        good | {"path": "x3.wav", "duration_s": "long"},
        good | {"path": "x4.wav", "duration_s": "inf"},
        good | {"path": "x5.wav", "source_id": ""},
        good | {"path": ""},
    ]
    library = load_manifest(write_table(tmp_path, rows))
    assert {reason: len(paths) for reason, paths in library.skipped.items()} == {
        "listed twice": 1,
        "file missing": 1,
        "split is none of train, valid, test": 1,
        "kind is neither event nor background": 1,
        "duration_s is not a positive number": 2,
        "source_id is empty": 1,
        "path is empty": 1,
    }
    assert library.skip_report().splitlines()[0].strip().startswith("2  duration_s is not a positive number")
    assert len(library.events) == 12


def test_a_source_in_two_splits_is_refused(tmp_path: Path) -> None:
    rows = write_library(tmp_path, 1, 1)
    other = next(r for r in rows if r["split"] == "test")
    rows[0]["source_id"] = other["source_id"]
    with pytest.raises(InputError, match="lies in both train and test"):
        load_manifest(write_table(tmp_path, rows))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    rows = write_library(tmp_path, 1, 1)
    table = write_table(tmp_path, rows, tuple(c for c in COLUMNS if c != "source_id"))
    with pytest.raises(InputError, match="the column 'source_id' is missing"):
        load_manifest(table)


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00\x01binary\x00"])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes | None) -> None:
    table = tmp_path / "manifest.csv"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(InputError, match=r"manifest\.csv"):
        load_manifest(table)


def test_share_alike_recordings_can_be_left_out(tmp_path: Path) -> None:
    rows = write_library(tmp_path, 2, 1)
    rows[0]["licence"] = "CC-BY-SA-4.0 (somewhere)"
    rows[1]["licence"] = "CC-BY-4.0"
    table = write_table(tmp_path, rows)
    library = load_manifest(table, share_alike=False)
    assert [p.name for p in library.skipped["licence asks for share-alike"]] == ["train-0-0.wav"]
    assert len(load_manifest(table).events) == len(library.events) + 1
    assert is_share_alike("cc by-sa 3.0")
    assert not is_share_alike("CC-BY-3.0")


def test_classes_are_chosen_and_unknown_ones_named(tiny_folder: Path) -> None:
    library = load_manifest(tiny_folder, classes=("Bark",))
    assert {e.class_name for e in library.events} == {"Bark"}
    assert len(library.skipped["class not asked for"]) == 27
    with pytest.raises(InputError, match="no event of the class 'Unicorn'"):
        load_manifest(tiny_folder, classes=("Unicorn",))


def test_trained_classes_count_independent_training_sources(tmp_path: Path) -> None:
    rows = write_library(tmp_path, 3, 1)
    # Three files of one recording are one source.
    for r in rows:
        if r["split"] == "train" and r["audioset_class"] == "Door":
            r["source_id"] = "one"
    library = load_manifest(write_table(tmp_path, rows))
    assert trained_classes(library, 3) == tuple(sorted(set(CLASSES) - {"Door"}))
    assert trained_classes(library, 1) == tuple(sorted(CLASSES))
    assert trained_classes(library, 4) == ()


def test_a_table_without_backgrounds_says_what_is_missing(tmp_path: Path) -> None:
    rows = [r for r in write_library(tmp_path, 1, 1) if r["kind"] == "event"]
    rows.append(row("backgrounds/none.wav", "background", "Wind", 10.0, "train", "w"))
    with pytest.raises(InputError, match=r"no usable background file is left .1 file missing."):
        load_manifest(write_table(tmp_path, rows))


def test_the_shared_manifest_reads_whole(shared: Path) -> None:
    library = load_manifest(shared / "data")
    assert not library.skipped
    assert len(library.events) > 2000
    classes = trained_classes(library)
    assert {"Bark", "Speech", "Door", "Walk, footsteps"} <= set(classes)
    assert all(not is_share_alike(f.licence) for f in load_manifest(shared / "data", share_alike=False).events)
