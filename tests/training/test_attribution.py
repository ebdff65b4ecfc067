"""The page that credits recordings: only those used, all of those used."""

from pathlib import Path

import numpy as np

from recomposer_studio.training.attribution import attribution_page, used_files
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest
from tests.training.tiny_library import COLUMNS, row, save, write_library, write_table


def test_only_used_recordings_are_credited_each_once(tmp_path: Path) -> None:
    more = {"licence": "CC-BY-4.0", "author": "Some\n One", "source_repo": "https://example.org/sounds"}
    rows = [
        row("a.wav", "event", "Bark", 1.0, "train", "freesound:12", **more),
        row("b.wav", "event", "Bark", 1.0, "train", "freesound:12", **more),
        row("c.wav", "event", "Bark", 1.0, "train", "pack:door", **more),
        row("d.wav", "event", "Bark", 1.0, "valid", "freesound:99", **more),
    ]
    table = write_table(tmp_path, rows, (*COLUMNS, "source_repo"))
    page = attribution_page(tmp_path, {"a.wav", "b.wav", "c.wav"})
    assert page == attribution_page(table, {"a.wav", "b.wav", "c.wav"})
    assert "3 excerpts" in page and "## CC-BY-4.0\n\nhttps://creativecommons.org/licenses/by/4.0/" in page
    assert "- Some One: <https://freesound.org/s/12/>, pack:door (https://example.org/sounds)\n" in page
    assert page.count("freesound.org/s/12") == 1 and "99" not in page


def test_used_files_are_the_usable_ones_of_a_split(tmp_path: Path) -> None:
    rows = write_library(tmp_path)
    silent = next(r["path"] for r in rows if r["split"] == "train" and r["kind"] == "event")
    save(tmp_path / silent, np.zeros(20000))
    used = used_files(AudioCache(load_manifest(tmp_path)).split("train"))
    expected = {r["path"] for r in rows if r["split"] == "train"} - {silent}
    assert used == expected
    page = attribution_page(tmp_path, used)
    assert f"{len(expected)} excerpts" in page
