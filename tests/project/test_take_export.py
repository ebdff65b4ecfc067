"""A take as files: exact where the depth is kept, dithered where it is not, whole or a part, with all that goes along."""

import json
import os
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recomposer_studio.audio.chunks import RECIPE, Chunk, add_chunks, read_chunks
from recomposer_studio.audio.flac_tags import read_comments, set_comments
from recomposer_studio.audio.markers import Marker, marked, markers_in
from recomposer_studio.audio.sink import Depth
from recomposer_studio.audio.source import Source
from recomposer_studio.editing.engine import Engine
from recomposer_studio.errors import InputError
from recomposer_studio.project.embedded import embedded_recipe, recipe_roll
from recomposer_studio.project.export import ExportOptions, export_take, lay_out, plan_export, region_of
from recomposer_studio.project.headroom import ClipError
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.project.recipe_text import read_recipe
from recomposer_studio.project.take import BED, Part, Take
from recomposer_studio.roll.event import EventRoll, Exemplar
from recomposer_studio.roll.formats.files import read_labels
from tests.editing.scenes import burst, event, noise, roll, write

RATE = 16_000
ROLL = roll(
    event("d", "delete", 0.5, 0.7, "Bell"), event("e", "enhance", 1.0, 1.2, "Dog", by_db=3.0), event("k", "keep", 1.5, 1.6, "=Rain")
)  # fmt: skip


def recorded(path: Path, subtype: str, channels: int = 2) -> Path:
    samples = (
        noise(channels, 2.0, RATE, seed=4, level=0.02)
        + burst(0.55, 0.1, 2.0, RATE)
        + burst(1.05, 0.1, 2.0, RATE, 800.0)
    )
    return write(path, samples, RATE, subtype)


def render(source: Source, edits: EventRoll = ROLL, seed: int = 0) -> Take:
    return Engine().render(source, edits, Recipe(seed=seed))


def native(path: Path) -> np.ndarray:
    with Source.open(path) as source:
        return source.read_native(0, source.frames)


def outside(take: Take) -> np.ndarray:
    mask = np.ones(take.source.frames, bool)
    for first, last in take.spans():
        mask[first:last] = False
    return mask


@pytest.mark.parametrize(
    ("name", "subtype", "out", "depth"),
    [
        ("a.wav", "PCM_16", "t.wav", None),
        ("a.wav", "PCM_16", "t.flac", None),
        ("a.wav", "PCM_16", "t.wav", Depth.INT16),
        ("a.wav", "PCM_16", "t.wav", Depth.INT24),
        ("a.flac", "PCM_24", "t.wav", None),
        ("a.wav", "PCM_24", "t.flac", Depth.INT24),
        ("a.wav", "PCM_24", "t.wav", Depth.FLOAT),
        ("a.wav", "FLOAT", "t.wav", Depth.FLOAT),
        ("a.wav", "PCM_32", "t.wav", Depth.FLOAT),
        ("a.wav", "DOUBLE", "t.wav", Depth.FLOAT),
        ("a.wav", "DOUBLE", "t.wav", None),
    ],
)
def test_kept_depth_is_exact_outside_the_regions(
    tmp_path: Path, name: str, subtype: str, out: str, depth: Depth | None
) -> None:
    with Source.open(recorded(tmp_path / name, subtype)) as source:
        take = render(source)
        export_take(take, tmp_path / out, tmp_path / "stems", options=ExportOptions(depth))
        mask = outside(take)
        assert mask.any() and not mask.all()
        for path in (tmp_path / out, tmp_path / "stems" / f"bed{Path(out).suffix}"):
            with Source.open(path) as written:
                # Left-justified integers and doubles of them: the value itself must be the same.
                np.testing.assert_array_equal(
                    written.read(0, source.frames)[:, mask], source.read(0, source.frames)[:, mask]
                )
        assert not np.array_equal(native(tmp_path / out)[~mask], native(tmp_path / name)[~mask])


def test_fewer_bits_are_dithered_the_same_way_every_time(tmp_path: Path) -> None:
    with Source.open(recorded(tmp_path / "a.wav", "FLOAT")) as source:
        take = render(source)
        for name in ("1.wav", "2.wav"):
            export_take(take, tmp_path / name, options=ExportOptions(Depth.INT16))
        export_take(render(source, seed=1), tmp_path / "3.wav", options=ExportOptions(Depth.INT16, recipe=False))
        export_take(take, tmp_path / "4.wav", options=ExportOptions(Depth.INT16, recipe=False))
        exact = take.read(0, source.frames).T * 2**15
    assert (tmp_path / "1.wav").read_bytes() == (tmp_path / "2.wav").read_bytes()
    assert not np.array_equal(native(tmp_path / "3.wav"), native(tmp_path / "1.wav"))
    np.testing.assert_array_equal(native(tmp_path / "4.wav"), native(tmp_path / "1.wav"))
    error = (native(tmp_path / "1.wav") >> 16) - exact
    # Rounding and triangular dither: mean 0, variance 1/12 + 1/6, at most one step and a half, and blind to the sound.
    assert abs(error.mean()) < 0.006 and error.var() == pytest.approx(0.25, rel=0.02) and np.abs(error).max() <= 1.5
    for channel in (0, 1):
        assert abs(np.corrcoef(error[:, channel], exact[:, channel])[0, 1]) < 0.02
        assert abs(np.corrcoef(error[1:, channel], error[:-1, channel])[0, 1]) < 0.02


def test_stems_of_fewer_bits_have_noise_of_their_own_and_keep_their_silence(tmp_path: Path) -> None:
    with Source.open(recorded(tmp_path / "a.wav", "PCM_24")) as source:
        take = render(source)
        files = export_take(take, tmp_path / "t.wav", tmp_path / "stems", options=ExportOptions(Depth.INT16))
        total = sum(native(path).astype(np.int64) >> 16 for path in files.stems)
        assert np.abs(total - (native(files.take) >> 16)).max() <= 4
        placed = native(tmp_path / "stems" / "02-dog.wav")
        spans = np.zeros(source.frames, bool)
        for first, last in take.spans(Part("placed", "e")):
            spans[first:last] = True
        assert not placed[~spans].any() and placed[spans].any()
        bed_error = (native(files.stems[0]) >> 16) - take.read(0, source.frames, BED).T * 2**15
        take_error = (native(files.take) >> 16) - take.read(0, source.frames).T * 2**15
        assert abs(np.corrcoef(bed_error[:, 0], take_error[:, 0])[0, 1]) < 0.02


@pytest.mark.parametrize("depth", [None, Depth.INT16])
def test_a_region_is_a_slice_of_the_whole(tmp_path: Path, depth: Depth | None) -> None:
    with Source.open(recorded(tmp_path / "a.wav", "PCM_24")) as source:
        take = render(source)
        region = region_of(source, 0.60001, 1.7)
        assert region == (9600, 27_200)
        whole = export_take(take, tmp_path / "whole.wav", tmp_path / "stems", options=ExportOptions(depth))
        part = export_take(take, tmp_path / "part.wav", tmp_path / "parts", options=ExportOptions(depth, region))
    for one, other in zip(
        (whole.take, *whole.stems, *whole.removed), (part.take, *part.stems, *part.removed), strict=True
    ):
        np.testing.assert_array_equal(native(other), native(one)[slice(*region)])


def test_a_region_is_checked_and_clips_only_where_it_sounds(tmp_path: Path) -> None:
    with Source.open(recorded(tmp_path / "a.wav", "PCM_16")) as source:
        for start_s, end_s in ((1.0, 1.0), (1.0, 0.5), (-0.1, 1.0), (1.0, 2.1), (0.1, float("nan"))):
            with pytest.raises(InputError, match="the region from"):
                region_of(source, start_s, end_s)
        with pytest.raises(InputError, match="holds no sample"):
            region_of(source, 0.00001, 0.00002)
        assert region_of(source, 0.0, 2.00002) == (0, 32_000)
        loud = render(source).adjusted("e", gain_db=60.0)
        with pytest.raises(ClipError):
            export_take(loud, tmp_path / "t.wav", options=ExportOptions(region=(16_000, 20_000)))
        export_take(loud, tmp_path / "t.wav", options=ExportOptions(region=(0, 12_000)))
    assert soundfile.info(tmp_path / "t.wav").frames == 12_000


def test_a_recording_over_full_scale_does_not_become_integers(tmp_path: Path) -> None:
    samples = noise(1, 1.0, RATE)
    samples[0, 100] = 1.5
    with Source.open(write(tmp_path / "a.wav", samples, RATE)) as source:
        take = render(source, roll(event("d", "delete", 0.5, 0.7)))
        with pytest.raises(InputError, match=r"exceeds full scale by 3\.5 dB.*--float32"):
            export_take(take, tmp_path / "t.wav", options=ExportOptions(Depth.INT24))
        assert not (tmp_path / "t.wav").exists()
        export_take(take, tmp_path / "t.wav", options=ExportOptions(Depth.INT24, (200, 16_000)))


def test_the_take_carries_recipe_rows_and_what_the_recording_carried(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.wav", "PCM_24", 1)
    body = b"scene" + bytes(333) + (1000).to_bytes(8, "little") + bytes(256)
    add_chunks(
        path,
        marked(
            [Chunk(b"bext", body), Chunk(b"LIST", b"INFOIART\x02\0\0\0a\0"), Chunk(b"junk", b"x")],
            [Marker(5, 0, "mine")],
        ),
    )
    rows = [Marker(8_000, 3_200, "delete Bell"), Marker(16_000, 3_200, "enhance Dog"), Marker(24_000, 1_600, "=Rain")]
    with Source.open(path) as source:
        take = render(source)
        export_take(take, tmp_path / "bare.wav", options=ExportOptions(recipe=False, markers=False))
        files = export_take(take, tmp_path / "t.wav", tmp_path / "stems")
        export_take(take, tmp_path / "part.wav", options=ExportOptions(region=(9_600, 20_000)))
        export_take(take, tmp_path / "t.flac")
        digest = source.sha256()
    chunks = read_chunks(files.take)
    assert chunks[0] == Chunk(b"bext", body) and chunks[1].body.startswith(b"INFO")
    assert markers_in(chunks) == [Marker(5, 0, "mine"), *rows]
    assert read_chunks(tmp_path / "bare.wav") == read_chunks(path) == read_chunks(files.stems[0])
    assert read_chunks(tmp_path / "bare.wav", (RECIPE,)) == ()
    np.testing.assert_array_equal(native(files.take), native(tmp_path / "bare.wav"))
    part = read_chunks(tmp_path / "part.wav")
    assert int.from_bytes(part[0].body[338:346], "little") == 10_600
    assert markers_in(part) == [Marker(0, 1_600, "delete Bell"), Marker(6_400, 3_200, "enhance Dog")]
    for name in ("t.wav", "t.flac"):
        document = embedded_recipe(tmp_path / name)
        assert document["recording"] == {
            "name": "a.wav",
            "sha256": digest,
            "rate_hz": RATE,
            "channels": 1,
            "frames": 32_000,
        }
        assert recipe_roll(document, name) == ROLL and document["recipe"] == json.loads(
            json.dumps(take.recipe.as_json())
        )
    assert embedded_recipe(tmp_path / "part.wav")["region"] == [9_600, 20_000]
    # What `recomposer recipe` prints can be pasted into the Studio.
    pasted = read_recipe(json.dumps(document))
    assert (pasted.roll, pasted.recipe, pasted.model) == (ROLL, take.recipe, take.model)
    np.testing.assert_array_equal(native(tmp_path / "t.flac"), native(files.take))
    for other in (path, files.stems[0]):
        with pytest.raises(InputError, match="carries no recipe"):
            embedded_recipe(other)


PCM, AMBISONIC = "0100000000001000800000aa00389b71", "010000002107d3118644c8c1ca000000"


def format_of(path: Path) -> bytes:
    (chunk,) = read_chunks(path, (b"fmt ",))
    return chunk.body


@pytest.mark.parametrize(
    ("channels", "mask", "guid"),
    [(8, 0x63F, PCM), (6, 0x60F, PCM), (6, 0, PCM), (4, 0x107, PCM), (4, 0, AMBISONIC), (2, 3, PCM), (1, 0, PCM)],
)
def test_the_loudspeakers_of_a_recording_are_those_of_its_take(
    tmp_path: Path, channels: int, mask: int, guid: str
) -> None:
    samples = (np.random.default_rng(0).standard_normal((16_000, channels)) * 1000).astype("<i2").tobytes()
    width = 2 * channels
    layout = struct.pack("<HHIIHHHHI", 0xFFFE, channels, RATE, RATE * width, width, 16, 22, 16, mask)
    layout += bytes.fromhex(guid)
    body = b"WAVE" + Chunk(b"fmt ", layout).as_bytes + Chunk(b"data", samples).as_bytes
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    with Source.open(tmp_path / "a.wav") as source:
        take = render(source, roll(event("e", "enhance", 0.4, 0.6, "Dog", by_db=3.0)))
        files = export_take(take, tmp_path / "t.wav", tmp_path / "stems")
        export_take(take, tmp_path / "f.wav", float32=True)
        export_take(take, tmp_path / "r.rf64")
        for path in (files.take, *files.stems, *files.removed):
            assert format_of(path) == layout
        for path, coding in ((tmp_path / "f.wav", 3), (tmp_path / "r.rf64", 1)):
            found = format_of(path)
            assert found[20:24] + found[26:40] == layout[20:24] + layout[26:40]
            assert found[24:26] == bytes([coding, 0])
        assert soundfile.info(files.take).channels == channels
    # A file that does not say which loudspeakers it is for stays one.
    with Source.open(recorded(tmp_path / "b.wav", "PCM_16")) as source:
        export_take(render(source), tmp_path / "t.wav")
    assert len(format_of(tmp_path / "t.wav")) == 16


def test_a_flac_recording_keeps_its_comments(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.flac", "PCM_16")
    set_comments(path, ("ARTIST=Somebody", "RECOMPOSER_RECIPE={}"))
    with Source.open(path) as source:
        export_take(render(source), tmp_path / "t.flac")
    first, second = read_comments(tmp_path / "t.flac")
    assert first == "ARTIST=Somebody" and second.startswith('RECOMPOSER_RECIPE={"format_version":1')


def test_rows_lie_beside_the_take_as_labels(tmp_path: Path) -> None:
    labels = tuple(tmp_path / name for name in ("t.txt", "t.csv", "t.selections.txt", "t.TextGrid", "t.json"))
    with Source.open(recorded(tmp_path / "a.wav", "PCM_16")) as source:
        take = render(source)
        files = export_take(take, tmp_path / "t.wav", options=ExportOptions(labels=labels))
        assert files.labels == labels
        assert read_labels(labels[1]).roll == read_labels(labels[4]).roll == ROLL
        for path in labels:
            events = read_labels(path).roll.events
            assert sorted((e.action, e.label, e.start_s) for e in events) == sorted(
                (e.action, e.label, e.start_s) for e in ROLL.events
            )
        assert "t.wav" in labels[1].read_text(encoding="utf-8") and "'=Rain" in labels[1].read_text(encoding="utf-8")
        export_take(
            take, tmp_path / "part.wav", options=ExportOptions(region=(9_600, 24_000), labels=(tmp_path / "p.txt",))
        )
        cut = [(e.label, e.start_s, e.end_s) for e in read_labels(tmp_path / "p.txt").roll.events]
        assert cut == [("Bell", 0.0, pytest.approx(0.1)), ("Dog", pytest.approx(0.4), pytest.approx(0.6))]
        with pytest.raises(InputError, match="no labels are written"):
            export_take(take, tmp_path / "t.wav", options=ExportOptions(labels=(tmp_path / "t.doc",)))
        with pytest.raises(InputError, match="two results"):
            export_take(
                take, tmp_path / "t.wav", options=ExportOptions(labels=(tmp_path / "x.txt", tmp_path / "x.txt"))
            )


@pytest.mark.parametrize("failing", ["t.txt", "t.wav"])
def test_a_failure_brings_back_labels_and_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    with Source.open(recorded(tmp_path / "a.wav", "PCM_16")) as source:
        take = render(source)
        for name in ("t.wav", "t.csv", "t.txt"):
            (tmp_path / name).write_text("former", encoding="utf-8")
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        real = os.replace

        def in_use(a: Path, b: Path) -> None:
            if Path(b).name == failing:
                monkeypatch.setattr(os, "replace", real)
                raise PermissionError(13, "in use")
            real(a, b)

        monkeypatch.setattr(os, "replace", in_use)
        options = ExportOptions(labels=(tmp_path / "t.csv", tmp_path / "t.txt"))
        with pytest.raises(InputError, match="no permission"):
            export_take(take, tmp_path / "t.wav", options=options)
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
        export_take(take, tmp_path / "t.wav", options=options)
    assert {path.name for path in tmp_path.iterdir()} == {"a.wav", "t.wav", "t.csv", "t.txt"}


def test_stems_are_chosen_and_counted(tmp_path: Path) -> None:
    chosen = frozenset({BED, Part("removed", "d")})
    with Source.open(recorded(tmp_path / "a.wav", "PCM_16")) as source:
        take = render(source)
        options = ExportOptions(stems=chosen, region=(0, 1_000))
        plan = lay_out(source, take.roll, tmp_path / "t.wav", tmp_path / "stems", options)
        assert plan.sounds == [tmp_path / "t.wav", tmp_path / "stems/bed.wav", tmp_path / "stems/removed/01-bell.wav"]
        assert plan.sample_bytes(2) == 3 * 1_000 * 4 and not (tmp_path / "stems").exists()
        files = export_take(take, tmp_path / "t.wav", tmp_path / "stems", options=options)
    assert [*files.stems, *files.removed] == plan.sounds[1:]
    assert all(soundfile.info(path).frames == 1_000 for path in plan.sounds)


def test_muted_and_soloed_layers_are_not_written_but_told(tmp_path: Path) -> None:
    with Source.open(recorded(tmp_path / "a.wav", "PCM_16")) as source:
        take = replace(render(source), solo=frozenset({"e"})).adjusted("e", muted=True)
        export_take(take, tmp_path / "t.wav")
        np.testing.assert_array_equal(native(tmp_path / "t.wav"), source.read_native(0, source.frames))
    document = embedded_recipe(tmp_path / "t.wav")
    assert document["solo"] == ["e"] and recipe_roll(document, "t").event("e").muted


def test_a_stem_of_an_earlier_export_that_is_read_stays(tmp_path: Path) -> None:
    stems = tmp_path / "stems"
    with Source.open(recorded(tmp_path / "a.wav", "PCM_16")) as source:
        export_take(render(source), tmp_path / "t.wav", stems)
        like = event("i", "insert", 1.0, 1.2, "Dog", exemplar=Exemplar(0.5, 0.7, "stems/removed/01-bell.wav"))
        before = {path: path.read_bytes() for path in stems.rglob("*.wav")}
        with pytest.raises(InputError, match=r"01-bell\.wav: this file is an input and is never overwritten"):
            plan_export(source, roll(like), tmp_path / "u.wav", stems)
    # The new names are others; the former ones go all the same.
    with Source.open(stems / "02-dog.wav") as source:
        take = render(source, roll(event("o", "delete", 1.0, 1.2, "Owl")))
        with pytest.raises(InputError, match=r"02-dog\.wav: this file is an input and is never overwritten"):
            export_take(take, tmp_path / "u.wav", stems)
    assert {path: path.read_bytes() for path in stems.rglob("*.wav")} == before
