"""Outside an event's region not one sample changes; inside it something does; the stems add up."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from recomposer_studio.audio.source import Source
from recomposer_studio.editing.engine import Engine
from recomposer_studio.project.export import export_take
from recomposer_studio.project.recipe import Recipe
from tests.editing.fakes import KnownGenerator
from tests.editing.scenes import burst, event, noise, roll, write

SECONDS = 1.2
FADE_S = Recipe().fade_s


def native(path: Path, subtype: str) -> np.ndarray:
    """Samples in a type that holds the format exactly."""
    dtype = {"FLOAT": "float32", "DOUBLE": "float64"}.get(subtype, "int32")
    return soundfile.read(path, dtype=dtype, always_2d=True)[0]


@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_samples_outside_the_regions_are_the_source(tmp_path: Path, subtype: str, channels: int, rate_hz: int) -> None:
    sound = noise(channels, SECONDS, rate_hz) + burst(0.35, 0.2, SECONDS, rate_hz)
    path = write(tmp_path / "in.wav", sound, rate_hz, subtype)
    # Box edges that are no whole samples at any of the rates.
    edits = roll(
        event("a", "delete", 0.300013, 0.600007),
        event("b", "enhance", 0.640011, 0.700003, by_db=6.0),
        event("c", "insert", 0.900017, 1.000009, level_db=20.0),
    )
    with Source.open(path) as source:
        take = Engine(KnownGenerator()).render(source, edits, Recipe())
        export_take(take, tmp_path / "take.wav")
    before, after = native(path, subtype), native(tmp_path / "take.wav", subtype)
    assert after.dtype == before.dtype and after.shape == before.shape
    assert soundfile.info(tmp_path / "take.wav").subtype == subtype
    time_s = np.arange(len(before)) / rate_hz
    inside = np.zeros(len(before), bool)
    for e in edits.events:
        inside |= (time_s > e.start_s - FADE_S) & (time_s < e.end_s + FADE_S)
        core = (time_s >= e.start_s) & (time_s < e.end_s)
        changed = (before[core] != after[core]).any(axis=1).mean()
        assert changed > 0.98, f"{e.action} changed {changed:.0%} of its box"
    np.testing.assert_array_equal(before[~inside], after[~inside])
    # The very first and last sample beside each region, and that the region is used up to its edges.
    for layer in take.layers:
        for outside in (layer.start - 1, layer.stop):
            np.testing.assert_array_equal(before[outside], after[outside])
        touched = np.flatnonzero((before[layer.start : layer.stop] != after[layer.start : layer.stop]).any(axis=1))
        # An insert starts with its box, a fade into the region; a separation uses all of it.
        used = touched[0] <= FADE_S * rate_hz + 2 and layer.stop - layer.start - touched[-1] <= FADE_S * rate_hz + 2
        assert used, f"{layer.event.action} touches {touched[0]} ... {touched[-1]}"


def test_boxes_at_the_ends_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "in.wav", noise(2, 1.0, 48_000) + burst(0.0, 0.1, 1.0, 48_000), 48_000, "PCM_24")
    with Source.open(path) as source:
        edits = roll(event("a", "delete", 0.0, 0.1), event("b", "insert", 0.9, 1.0))
        take = Engine(KnownGenerator()).render(source, edits, Recipe())
        export_take(take, tmp_path / "take.wav")
    before, after = native(path, "PCM_24"), native(tmp_path / "take.wav", "PCM_24")
    assert len(before) == len(after)
    assert (before[0] != after[0]).any() and (before[-1] != after[-1]).any()
    np.testing.assert_array_equal(before[5280:42720], after[5280:42720])


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_stems_add_up(tmp_path: Path, subtype: str, channels: int) -> None:
    rate_hz = 44_100
    sound = noise(channels, SECONDS, rate_hz) + burst(0.35, 0.2, SECONDS, rate_hz)
    path = write(tmp_path / "in.wav", sound, rate_hz, subtype)
    edits = roll(
        event("one", "delete", 0.3, 0.5, amount=0.7),
        event("two", "enhance", 0.4, 0.7, by_db=9.0, gain_db=-3.0, pan=0.4),
        event("three", "insert", 0.45, 0.6, level_db=12.0, pan=-1.0),
        event("off", "delete", 0.8, 0.9, muted=True),
        event("four", "insert", 0.8, 0.9, row="three"),
    )
    with Source.open(path) as source:
        take = Engine(KnownGenerator(claimed=0.6)).render(source, edits, Recipe())
        files = export_take(take, tmp_path / "take.wav", tmp_path / "stems")
    scale, tolerance = (1.0, 1e-6) if subtype in ("FLOAT", "DOUBLE") else (2.0 ** (32 - int(subtype[4:])), 1.0)

    def read(file: Path) -> np.ndarray:
        return native(file, subtype).astype(np.float64) / scale

    assert len(files.stems) == 3  # bed, two, three: the rows that place something
    total = sum(read(file) for file in files.stems)
    assert np.abs(total - read(files.take)).max() <= tolerance * len(files.stems)
    assert len(files.removed) == 3
    again = read(files.stems[0]) + sum(read(file) for file in files.removed)
    assert np.abs(again - read(path)).max() <= tolerance * len(files.stems)
    assert {file.name for file in (tmp_path / "stems").glob("*.wav")} == {file.name for file in files.stems}
    # Natural polarity: what was removed looks like what was there.
    removed = read(files.removed[0])
    assert np.sum(removed * read(path)) > 0.3 * np.sum(removed**2) > 0
