"""What a take promises: independent rows, cost by edit, aligned sound, stereo that stays, adjustable layers."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.audio.source import Source
from recomposer_studio.editing import separation
from recomposer_studio.editing.engine import Engine, place
from recomposer_studio.editing.regions import Region
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.project.export import export_take
from recomposer_studio.project.headroom import ClipError
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import Action, Event, EventRoll
from tests.editing.fakes import KnownGenerator
from tests.editing.scenes import burst, event, noise, roll, write

RATE = 48_000


def layer_bytes(layer: Layer) -> bytes:
    """Everything audible of a layer."""
    parts = [part.tobytes() for part in (layer.removed, layer.placed) if part is not None]
    return b"|".join([str(layer.start).encode(), *parts])


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples**2) + 1e-20))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of stereo noise with a tone burst every half second."""
    sound = noise(2, 12.0, RATE)
    for start in np.arange(0.3, 11.5, 0.5):
        sound += burst(start, 0.2, 12.0, RATE, 800 + 150 * start)
    return write(tmp_path_factory.mktemp("engine") / "in.wav", sound, RATE)


@pytest.fixture(scope="module")
def sparse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of stereo noise with two tone bursts that have quiet surroundings."""
    sound = noise(2, 6.0, RATE) + burst(1.5, 0.2, 6.0, RATE, 1200) + burst(4.0, 0.2, 6.0, RATE, 2500)
    return write(tmp_path_factory.mktemp("engine") / "sparse.wav", sound, RATE)


def mixed_roll(count: int) -> list:
    """Neighbouring events of all actions, some of them overlapping."""
    actions = ("delete", "enhance", "insert", "keep")
    return [
        event(f"e{i}", actions[i % 4], 0.25 + 0.5 * i, 0.25 + 0.5 * i + (0.6 if i % 5 == 0 else 0.3))
        for i in range(count)
    ]


def test_a_row_alone_is_the_row_among_twenty_others(recording: Path) -> None:
    others = [event(f"o{i}", ("delete", "insert")[i % 2], 0.25 + 0.5 * i, 0.5 + 0.5 * i) for i in range(21) if i != 10]
    mine = event("mine", "enhance", 5.25, 5.5)
    also = event("also", "insert", 5.26, 5.45)
    with Source.open(recording) as source:
        alone = Engine(KnownGenerator()).render(source, roll(mine, also), Recipe(seed=3))
        among = Engine(KnownGenerator()).render(source, roll(*others[:7], also, *others[7:], mine), Recipe(seed=3))
    for name in ("mine", "also"):
        assert layer_bytes(alone.layer(name)) == layer_bytes(among.layer(name))
        assert alone.layer(name).key == among.layer(name).key


@pytest.mark.parametrize("generator", [None, KnownGenerator()], ids=["repair", "model"])
def test_changing_one_row_leaves_every_other_layer(recording: Path, generator: KnownGenerator | None) -> None:
    events = mixed_roll(16)
    if generator is None:
        events = [e for e in events if e.action != "insert"]
    changed = [
        replace(e, level_db=3.0, gain_db=2.0, amount=0.5, pan=0.3, label="Cat") if e.id == "e5" else e for e in events
    ]
    with Source.open(recording) as source:
        before = Engine(generator).render(source, roll(*events), Recipe())
        after = Engine(generator).render(source, roll(*changed), Recipe())
    for layer in before.layers:
        if layer.event.id != "e5":
            assert layer_bytes(layer) == layer_bytes(after.layer(layer.event.id))


def test_the_seed_changes_generated_sound_only(recording: Path) -> None:
    edits = roll(event("a", "delete", 0.25, 0.6), event("b", "insert", 1.0, 1.3))
    with Source.open(recording) as source:
        one = Engine(KnownGenerator()).render(source, edits, Recipe(seed=1))
        two = Engine(KnownGenerator()).render(source, edits, Recipe(seed=2))
    assert layer_bytes(one.layer("a")) == layer_bytes(two.layer("a"))
    assert layer_bytes(one.layer("b")) != layer_bytes(two.layer("b"))


def test_cost_follows_the_edits_not_the_file(tmp_path: Path) -> None:
    seen, read, layers = [], [], []
    for seconds in (4, 400):
        sound = np.zeros((1, seconds * 8000))
        sound[:, : 4 * 8000] = noise(1, 4.0, 8000) + burst(2.0, 0.3, 4.0, 8000, 900)
        path = write(tmp_path / f"{seconds}.wav", sound, 8000)
        generator = KnownGenerator()
        with Source.open(path) as source:
            take = Engine(generator).render(source, roll(event("a", "delete", 1.95, 2.4)), Recipe())
            seen.append(generator.frames_seen)
            read.append(source.frames_read)
            layers.append(take.layer("a").removed.nbytes)
    assert seen[0] == seen[1] and read[0] == read[1] and layers[0] == layers[1]
    assert read[0] < 4 * 8000 * 2


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("start_s", [0.0, 0.3, 1.2345678])
def test_generated_sound_is_not_shifted(tmp_path: Path, rate_hz: int, start_s: float) -> None:
    path = write(tmp_path / "in.wav", np.zeros((1, 2 * rate_hz)), rate_hz)
    with Source.open(path) as source:
        take = Engine(KnownGenerator(impulse_s=0.1)).render(
            source, roll(event("a", "insert", start_s, start_s + 0.4)), Recipe()
        )
    layer = take.layer("a")
    samples = layer.placed[0].astype(float)
    # The centre of the band-limited impulse, to a fraction of a sample: the phase of its spectrum at low frequencies.
    spectrum, f = np.fft.rfft(samples), np.fft.rfftfreq(len(samples))
    low = (f > 0.002) & (f < 0.05)
    delay = -np.polyfit(f[low], np.unwrap(np.angle(spectrum[low])), 1)[0] / (2 * np.pi)
    found_s = (layer.start + delay) / rate_hz
    assert found_s == pytest.approx(start_s + 0.1, abs=0.5 / 32_000 + 0.05 / rate_hz)


@given(start_s=st.floats(0, 3), rate_hz=st.sampled_from([8_000, 11_025, 44_100, 48_000, 44_101]))
@settings(max_examples=30, deadline=None)
def test_place_fills_the_region(start_s: float, rate_hz: int) -> None:
    region = Region(max(0, int((start_s - 0.01) * rate_hz)), int((start_s + 0.21) * rate_hz))
    placed = place(np.ones(6400, np.float32), 32_000, start_s, region, rate_hz)
    assert placed.shape == (region.stop - region.start,) and np.isfinite(placed).all()
    assert np.median(placed) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("other", ["tone", "noise"])
def test_a_sound_on_the_other_side_stays(tmp_path: Path, other: str) -> None:
    """An event hard left, another sound hard right in the same band: Delete must not touch the right channel audibly."""
    t = np.arange(4 * RATE) / RATE
    left = burst(1.5, 0.5, 4.0, RATE, 1500)
    right = noise(1, 4.0, RATE, 5, 0.05)[0]
    if other == "tone":
        right = right * 0.02 + 0.1 * np.sin(2 * np.pi * 1520 * t)
    path = write(tmp_path / "in.wav", np.stack([left + noise(1, 4.0, RATE, 6, 1e-3)[0], right]), RATE)
    box = slice(int(1.45 * RATE), int(2.05 * RATE))
    with Source.open(path) as source:
        take = Engine().render(source, roll(event("a", "delete", 1.45, 2.05)), Recipe())
        before, after = source.read(0, source.frames), take.read(0, source.frames)
    assert abs(level_db(after[1, box]) - level_db(before[1, box])) < 0.5
    assert level_db(after[0, box]) < level_db(before[0, box]) - 20


def test_delete_lowers_and_enhance_raises_to_the_wanted_level(sparse: Path) -> None:
    with Source.open(sparse) as source:
        edits = roll(event("d", "delete", 1.48, 1.72), event("e", "enhance", 3.98, 4.22, level_db=20.0))
        take = Engine().render(source, edits, Recipe())
        clean = level_db(source.read(int(2.0 * RATE), int(3.0 * RATE)))
        deleted = level_db(take.read(int(1.48 * RATE), int(1.72 * RATE)))
        enhanced = level_db(take.read(int(3.98 * RATE), int(4.22 * RATE)))
    assert deleted == pytest.approx(clean, abs=1.0)
    assert enhanced == pytest.approx(clean + 20.0, abs=1.5)


def test_by_db_is_a_constant_gain(sparse: Path) -> None:
    span = (int(3.98 * RATE), int(4.22 * RATE))
    with Source.open(sparse) as source:
        take = Engine().render(source, roll(event("e", "enhance", 3.98, 4.22, by_db=6.0)), Recipe())
        zero = Engine().render(source, roll(event("e", "enhance", 3.98, 4.22, by_db=0.0)), Recipe()).layer("e")
        gained = level_db(take.read(*span)) - level_db(source.read(*span))
    assert gained == pytest.approx(6.0, abs=0.5)
    np.testing.assert_allclose(zero.placed, zero.removed, atol=1e-6)


def test_frequency_limits_confine_an_edit(recording: Path) -> None:
    with Source.open(recording) as source:
        edits = roll(event("d", "delete", 1.28, 1.52, low_hz=4000.0, high_hz=8000.0))
        removed = Engine(KnownGenerator(claimed=0.9)).render(source, edits, Recipe()).layer("d").removed[0]
    spectrum, f = np.abs(np.fft.rfft(removed)) ** 2, np.fft.rfftfreq(len(removed), 1 / RATE)
    inside = (f > 3900) & (f < 8100)
    assert spectrum[inside].sum() > 0.999 * spectrum.sum()


def _tones(*hz: float) -> np.ndarray:
    """Steady tones from 1.5 to 2.5 s over quiet noise, (1, frames)."""
    t = np.arange(4 * RATE) / RATE
    sounding = (t >= 1.5) & (t < 2.5)
    return noise(1, 4.0, RATE, 3, 1e-3) + sum(0.1 * np.sin(2 * np.pi * f * t) * sounding for f in hz)


def _tone_db(samples: np.ndarray, hz: float) -> float:
    """Level of a tone in the middle of its second, relative to `_tones`."""
    first, last = int(1.7 * RATE), int(2.3 * RATE)
    turning = np.exp(-2j * np.pi * hz * np.arange(first, last) / RATE)
    return float(20.0 * np.log10(2.0 * np.abs(np.mean(samples[0, first:last] * turning)) / 0.1))


@pytest.mark.parametrize("hz", [(1000, 1040, 1080), (2900, 3000, 3100), (4000, 4100, 4200), (7850, 8000, 8150)])
def test_narrow_frequency_limits_let_what_lies_between_them_be_deleted(tmp_path: Path, hz: tuple[int, ...]) -> None:
    low, tone, high = map(float, hz)
    with Source.open(write(tmp_path / "tone.wav", _tones(tone), RATE)) as source:
        edits = roll(event("d", "delete", 1.45, 2.55, low_hz=low, high_hz=high))
        take = Engine().render(source, edits, Recipe())
        assert _tone_db(take.read(0, source.frames), tone) < -40.0
        assert not take.layer("d").note


def test_boxes_one_above_the_other_do_not_take_from_each_other(tmp_path: Path) -> None:
    """Both touch the bands around 2 kHz; the shares of both together would halve what each deletes there."""
    tones = (1900.0, 2100.0)
    under, over = (event("a", "delete", 1.45, 2.55, high_hz=2000.0), event("b", "delete", 1.45, 2.55, low_hz=2000.0))
    with Source.open(write(tmp_path / "tones.wav", _tones(*tones), RATE)) as source:
        both = Engine().render(source, roll(under, over), Recipe()).read(0, source.frames)
        assert all(_tone_db(both, hz) < -30.0 for hz in tones)


def test_a_narrow_keep_row_protects_what_it_encloses(tmp_path: Path) -> None:
    edits = roll(
        event("d", "delete", 1.45, 2.55), event("k", "keep", 1.45, 2.55, "Beep", low_hz=4000.0, high_hz=4200.0)
    )
    with Source.open(write(tmp_path / "tones.wav", _tones(1000.0, 4100.0), RATE)) as source:
        left = Engine().render(source, edits, Recipe()).read(0, source.frames)
        assert _tone_db(left, 4100.0) > -3.0 and _tone_db(left, 1000.0) < -40.0


@pytest.mark.parametrize(("claimed", "told"), [(0.5, False), (0.03, True)])
def test_a_sound_that_the_model_hardly_finds_is_told(sparse: Path, claimed: float, told: bool) -> None:
    delete, elsewhere = event("d", "delete", 1.48, 1.72), event("e", "delete", 2.5, 2.7)
    with Source.open(sparse) as source:
        notes = [
            Engine(KnownGenerator(claimed)).render(source, roll(row), Recipe()).layer("d").note
            for row in (delete, replace(delete, action=Action.ENHANCE))
        ]
        by_repair = Engine().render(source, roll(delete, elsewhere), Recipe())
    assert ("spectral repair would take" in notes[0]) is told
    assert not any("spectral repair" in note for note in (notes[1], *(layer.note for layer in by_repair.layers)))


@pytest.mark.parametrize("action", ["insert", "enhance"])
def test_a_constant_offset_is_no_background(tmp_path: Path, action: str) -> None:
    sparse = noise(2, 4.0, RATE, 8, 1e-3)
    sparse[:, int(1.5 * RATE) : int(2.0 * RATE)] += 0.02 * burst(0.0, 0.5, 0.5, RATE)
    placed = []
    for offset in (0.0, 0.05):
        path = write(tmp_path / f"{offset}.wav", sparse + offset, RATE)
        with Source.open(path) as source:
            edits = roll(event("x", action, 1.5, 2.0, level_db=20.0))
            generator = KnownGenerator() if action == "insert" else None
            placed.append(level_db(Engine(generator).render(source, edits, Recipe()).layer("x").placed))
    assert placed[1] == pytest.approx(placed[0], abs=0.1)


def test_an_offset_is_none_at_the_ends_of_a_file_either(tmp_path: Path) -> None:
    quiet = noise(1, 1.0, RATE, 9, 1e-3)
    quiet[:, : RATE // 5] += 0.02 * burst(0.0, 0.2, 0.2, RATE)
    found = []
    for offset in (0.0, 0.2):
        with Source.open(write(tmp_path / f"{offset}.wav", quiet + offset, RATE)) as source:
            found.append(Engine().render(source, roll(event("e", "enhance", 0.0, 0.2)), Recipe()).layer("e").found_db)
    assert found[1] == pytest.approx(found[0], abs=0.1)


def test_a_muted_keep_row_is_off(sparse: Path) -> None:
    delete, keep = event("d", "delete", 3.95, 4.25), event("k", "keep", 3.95, 4.25)
    with Source.open(sparse) as source:
        alone, kept, muted = (
            Engine().render(source, roll(delete, *rows), Recipe()).layer("d")
            for rows in ((), (keep,), (replace(keep, muted=True),))
        )
    assert level_db(kept.removed) < level_db(alone.removed) - 20.0
    assert "Remove" in kept.note or "keep" in kept.note
    np.testing.assert_array_equal(muted.removed, alone.removed)
    assert muted.key == alone.key and muted.note == alone.note


def test_a_loud_sound_beyond_the_limits_does_not_count_as_background(tmp_path: Path) -> None:
    quiet = noise(1, 4.0, RATE, 6, 1e-3)[0] + 0.05 * burst(1.5, 0.5, 4.0, RATE, 5000.0)
    rumble = burst(1.5, 0.5, 4.0, RATE, 200.0)
    limited = event("e", "enhance", 1.5, 2.0, low_hz=3000.0, high_hz=9000.0)
    away = event("d", "delete", 1.5, 2.0, high_hz=1000.0)
    found = []
    for name, samples, rows in (
        ("a", quiet, [limited]),
        ("b", quiet + rumble, [limited]),
        ("c", quiet + rumble, [limited, away]),
    ):
        with Source.open(write(tmp_path / f"{name}.wav", samples[None], RATE)) as source:
            found.append(Engine().render(source, roll(*rows), Recipe()).layer("e").found_db)
    assert found[1:] == pytest.approx([found[0]] * 2, abs=1.0)


def test_frequency_limits_confine_an_inserted_sound(recording: Path) -> None:
    plain = event("i", "insert", 1.0, 1.6)
    with Source.open(recording) as source:
        whole = Engine(KnownGenerator()).render(source, roll(plain), Recipe()).layer("i")
        limited = replace(plain, low_hz=2_000.0, high_hz=4_000.0)
        layer = Engine(KnownGenerator()).render(source, roll(limited), Recipe()).layer("i")
    spectrum, f = np.abs(np.fft.rfft(layer.placed[0])) ** 2, np.fft.rfftfreq(layer.placed.shape[1], 1 / RATE)
    assert spectrum[(f > 1_900) & (f < 4_100)].sum() > 0.999 * spectrum.sum()
    # It is as loud as asked for, and starts and ends with its box.
    assert level_db(layer.placed) == pytest.approx(level_db(whole.placed), abs=0.01)
    assert (layer.start, layer.stop, layer.note) == (whole.start, whole.stop, "")
    assert np.abs(layer.placed[:, [0, -1]]).max() < 1e-4


def test_a_sound_that_has_little_in_its_box_is_not_blown_up(recording: Path) -> None:
    # The sound ends at 16 kHz.
    edits = roll(event("i", "insert", 1.0, 1.6, low_hz=20_000.0), event("whole", "insert", 3.0, 3.6))
    with Source.open(recording) as source:
        take = Engine(KnownGenerator()).render(source, edits, Recipe())
    assert "quieter than asked for" in take.layer("i").note
    assert level_db(take.layer("i").placed) < level_db(take.layer("whole").placed) - 6


@pytest.mark.parametrize("action", ["insert", "delete", "enhance"])
def test_a_box_above_the_recording_s_frequencies_says_so(recording: Path, action: str) -> None:
    edits = roll(event("x", action, 1.28, 1.52, "Bell", low_hz=24_000.0))
    with Source.open(recording) as source:
        take = Engine(KnownGenerator()).render(source, edits, Recipe())
        same = take.read(0, source.frames) == source.read(0, source.frames)
    assert same.all()
    assert take.layer("x").note == (
        "the box of Bell lies above 24 kHz, the highest frequency of this recording; nothing was changed"
    )


def test_shares_of_overlapping_events_never_exceed_the_base(recording: Path) -> None:
    greedy = KnownGenerator(claimed=0.9)
    edits = roll(*(event(f"d{i}", "delete", 1.2 + 0.05 * i, 1.7) for i in range(3)), event("k", "keep", 1.0, 2.0))
    with Source.open(recording) as source:
        take = Engine(greedy).render(source, edits, Recipe())
        base = source.read(int(1.4 * RATE), int(1.6 * RATE))
        left = take.read(int(1.4 * RATE), int(1.6 * RATE))
    # The kept event claims nine tenths of the power first; the three deletes share the tenth that is left.
    assert level_db(left) - level_db(base) == pytest.approx(10 * np.log10(0.9), abs=0.05)


def removed_db(take: Take, name: str) -> float:
    return level_db(take.layer(name).removed)


def test_a_kept_sound_survives_an_edit_around_it(sparse: Path) -> None:
    """The second burst lies inside the box of a delete: kept, it stays; the rest of the box is still emptied."""
    edits = [event("d", "delete", 1.4, 4.3), event("k", "keep", 3.98, 4.22)]
    with Source.open(sparse) as source:
        bare = Engine().render(source, roll(edits[0]), Recipe())
        kept = Engine().render(source, roll(*edits), Recipe())
        first, second = (int(1.5 * RATE), int(1.7 * RATE)), (int(4.0 * RATE), int(4.2 * RATE))
        assert level_db(bare.read(*second)) < level_db(source.read(*second)) - 12
        assert level_db(kept.read(*second)) == pytest.approx(level_db(source.read(*second)), abs=0.5)
        assert level_db(kept.read(*first)) == pytest.approx(level_db(bare.read(*first)), abs=0.1)


def test_a_kept_background_does_not_protect_what_is_deleted_from_it(sparse: Path) -> None:
    delete = event("d", "delete", 1.48, 1.72)
    with Source.open(sparse) as source:
        bare = Engine().render(source, roll(delete), Recipe())
        kept = Engine().render(source, roll(delete, event("k", "keep", 0.5, 3.0, "Rain")), Recipe())
    assert removed_db(kept, "d") == pytest.approx(removed_db(bare, "d"), abs=0.1)


def test_model_claims_that_fit_together_are_not_reduced(recording: Path) -> None:
    """Two masks of 0.5 each fill the base: each event gets all that it claims."""
    one, two = event("a", "delete", 1.28, 1.52), event("b", "delete", 1.28, 1.52)
    with Source.open(recording) as source:
        alone = Engine(KnownGenerator()).render(source, roll(one), Recipe())
        both = Engine(KnownGenerator(claimed=0.5)).render(source, roll(one, two), Recipe())
        span = (int(1.32 * RATE), int(1.48 * RATE))
        assert level_db(both.read(*span)) < level_db(source.read(*span)) - 40
        assert level_db(alone.read(*span)) == pytest.approx(level_db(source.read(*span)) - 3.01, abs=0.1)


def test_amount_gain_pan_mute_and_solo_need_no_rendering(recording: Path) -> None:
    with Source.open(recording) as source:
        edits = roll(event("d", "delete", 1.28, 1.52), event("i", "insert", 1.3, 1.5, pan=0.2))
        generator = KnownGenerator()
        take = Engine(generator).render(source, edits, Recipe())
        calls = len(generator.frames_seen)
        changed = take.adjusted("i", amount=0.5, gain_db=-6.0, pan=-1.0).adjusted("d", muted=True)
        again = Engine(KnownGenerator()).render(source, changed.roll, Recipe())
        span = (int(1.2 * RATE), int(1.6 * RATE))
        base = source.read(*span)
        np.testing.assert_array_equal(changed.read(*span), again.read(*span))
        assert np.abs(changed.read(*span)[1] - base[1]).max() < 1e-12  # muted delete, insert hard left
        only = take.soloed(frozenset({"i"}))
        np.testing.assert_array_equal(only.read(*span), take.adjusted("d", muted=True).read(*span))
        assert len(generator.frames_seen) == calls


def test_auto_takes_the_model_only_where_it_is_better(recording: Path) -> None:
    weak = KnownGenerator(better_than_repair=frozenset())
    edits = roll(event("d", "delete", 1.28, 1.52))
    with Source.open(recording) as source:
        assert Engine(weak).render(source, edits, Recipe()).layers[0].renderer == "repair"
        assert Engine(weak).render(source, edits, Recipe(renderer=Renderer.MODEL)).layers[0].renderer == "mask"
        assert Engine(KnownGenerator()).render(source, edits, Recipe()).layers[0].renderer == "mask"
        assert (
            Engine(KnownGenerator()).render(source, edits, Recipe(renderer=Renderer.REPAIR)).layers[0].renderer
            == "repair"
        )


def test_the_level_of_an_insert_counts_over_the_background_not_over_another_sound(sparse: Path) -> None:
    edits = roll(event("quiet", "insert", 2.5, 2.7), event("beside", "insert", 3.97, 4.17))
    with Source.open(sparse) as source:
        take = Engine(KnownGenerator()).render(source, edits, Recipe())
        placed = [level_db(take.layer(name).placed) for name in ("quiet", "beside")]
        assert placed[1] == pytest.approx(placed[0], abs=2.0)
        loud = level_db(source.read(int(3.97 * RATE), int(4.17 * RATE)))
        assert loud > level_db(source.read(int(2.5 * RATE), int(2.7 * RATE))) + 8


def test_insert_without_a_model_says_so(recording: Path) -> None:
    with Source.open(recording) as source, pytest.raises(InputError, match=r"event i: insert needs a model"):
        Engine().render(source, roll(event("i", "insert", 1.0, 1.2)), Recipe())


def test_cancel_between_pieces(recording: Path) -> None:
    polls = iter([False, False, True])
    with Source.open(recording) as source, pytest.raises(Cancelled):
        Engine().render(source, roll(*mixed_roll(3)[:2]), Recipe(), cancelled=lambda: next(polls))


def test_silence_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "in.wav", np.zeros((1, RATE)), RATE, "PCM_16")
    with Source.open(path) as source:
        take = Engine().render(source, roll(event("d", "delete", 0.2, 0.5), event("e", "enhance", 0.6, 0.8)), Recipe())
        assert not take.read(0, RATE).any()
        assert all("nothing was changed" in layer.note for layer in take.layers)


@pytest.mark.parametrize(
    ("edit", "remedy"),
    [
        (event("loud", "insert", 0.5, 0.7, level_db=20.0), r"lower its gain_db by (\d+\.\d) dB, or "),
        (event("loud", "delete", 0.5, 0.7), r"lower its amount to (\d\.\d\d), or "),
    ],
)
def test_a_take_that_would_clip_is_not_written_and_the_remedy_works(tmp_path: Path, edit: Event, remedy: str) -> None:
    sound = noise(1, 1.0, RATE, level=0.15)
    sound[0, int(0.55 * RATE) : int(0.65 * RATE) : 480] = 0.995
    path = write(tmp_path / "in.wav", sound, RATE, "PCM_16")
    quiet = event("quiet", "insert", 0.1, 0.2, level_db=-20.0)
    with Source.open(path) as source:
        take = Engine(KnownGenerator()).render(source, roll(quiet, edit), Recipe())
        if edit.action == "delete":
            # What is left of a sound can exceed it: here the estimate has the wrong sign.
            wrong = replace(take.layer("loud"), removed=-0.3 * np.ones_like(take.layer("loud").removed))
            take = replace(take, layers=(take.layer("quiet"), wrong))
        with pytest.raises(
            ClipError, match=r"row loud \(.* Dog at 0\.50-0\.70 s\): the take would clip by \d"
        ) as error:
            export_take(take, tmp_path / "take.wav", tmp_path / "stems")
        assert list(tmp_path.iterdir()) == [path]
        said = str(error.value)
        assert said.endswith("write float (--float32)") and "in 16-bit samples" in said and "0.0 dB" not in said
        peak = np.abs(take.read(0, source.frames)).max()
        assert error.value.overshoot_db == pytest.approx(20 * np.log10(peak))
        value = float(re.search(remedy, said).group(1))
        lower = take.adjusted("loud", gain_db=-value) if "gain_db" in remedy else take.adjusted("loud", amount=value)
        export_take(lower, tmp_path / "take.wav")
        export_take(take, tmp_path / "float.wav", float32=True)
    samples = soundfile.read(tmp_path / "float.wav")[0]
    assert soundfile.info(tmp_path / "float.wav").subtype == "FLOAT"
    assert np.abs(samples).max() == pytest.approx(peak, rel=1e-6)


def test_full_scale_itself_does_not_clip(tmp_path: Path) -> None:
    sound = noise(1, 1.0, RATE, level=0.001)
    sound[0, RATE // 2] = -1.0
    path = write(tmp_path / "in.wav", sound, RATE, "PCM_16")
    with Source.open(path) as source:
        take = Engine(KnownGenerator(claimed=1e-9)).render(source, roll(event("d", "delete", 0.4, 0.6)), Recipe())
        export_take(take, tmp_path / "take.wav")
    assert soundfile.read(tmp_path / "take.wav", dtype="int16")[0].min() == -32768


def test_stems_of_an_earlier_export_are_replaced(tmp_path: Path, recording: Path) -> None:
    stems = tmp_path / "stems"
    with Source.open(recording) as source:
        many = Engine(KnownGenerator()).render(source, roll(*mixed_roll(7)), Recipe())
        export_take(many, tmp_path / "take.wav", stems)
        (stems / "mine.txt").write_text("not a stem", encoding="utf-8")
        edits = roll(event("i", "insert", 1.0, 1.2, row="../../etc"), event("j", "insert", 2.0, 2.2, "Собака"))
        few = Engine(KnownGenerator()).render(source, edits, Recipe())
        files = export_take(few, tmp_path / "take.wav", stems)
    names = {"bed.wav", "01-etc.wav", "02-собака.wav"}
    assert {path.name for path in stems.rglob("*.wav")} == names == {path.name for path in files.stems}
    assert {path.name for path in stems.iterdir()} == names | {"mine.txt", "stems.json"}
    assert {path.name for path in tmp_path.iterdir()} == {"take.wav", "stems"}


def files_under(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("failing", ["stems.json", "02-e1.wav", "old", "take.wav"])
def test_an_export_that_fails_half_way_leaves_everything_as_it_was(
    tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    events = [replace(e, row=f"{e.id}.") for e in mixed_roll(7)]
    with Source.open(recording) as source:
        take = Engine(KnownGenerator()).render(source, roll(*events), Recipe())
        export_take(take, tmp_path / "take.wav", tmp_path / "stems")
        before = files_under(tmp_path)
        assert tmp_path / "stems" / "02-e1.wav" in before
        other = Engine(KnownGenerator()).render(source, roll(*events[:4]), Recipe(seed=9))
        real = os.replace

        def in_use(a: Path, b: Path) -> None:
            if Path(b).name == failing or (failing == "old" and Path(a).name == "02-e1.wav"):
                monkeypatch.setattr(os, "replace", real)
                raise PermissionError(13, "in use")
            real(a, b)

        monkeypatch.setattr(os, "replace", in_use)
        with pytest.raises(InputError, match="no permission"):
            export_take(other, tmp_path / "take.wav", tmp_path / "stems")
        assert os.replace is real
    assert files_under(tmp_path) == before
    assert not list(tmp_path.rglob(".*"))


@pytest.mark.parametrize("wrong", ["removed", "bed.wav"])
def test_things_in_the_way_of_stems_are_told(tmp_path: Path, recording: Path, wrong: str) -> None:
    stems = tmp_path / "stems"
    stems.mkdir()
    if wrong == "removed":
        (stems / wrong).write_text("a file", encoding="utf-8")
    else:
        (stems / wrong).mkdir()
    with Source.open(recording) as source:
        take = Engine(KnownGenerator()).render(source, roll(*mixed_roll(3)), Recipe())
        with pytest.raises(InputError, match="stems"):
            export_take(take, tmp_path / "take.wav", stems)
    assert sorted(tmp_path.rglob("*")) == sorted([stems, stems / wrong])


def test_no_stem_lands_on_the_recording_or_the_take(tmp_path: Path, recording: Path) -> None:
    stems = tmp_path / "stems"
    stems.mkdir()
    mine = stems / "bed.wav"
    mine.write_bytes(recording.read_bytes())
    with Source.open(mine) as source:
        take = Engine(KnownGenerator()).render(source, roll(*mixed_roll(3)), Recipe())
        with pytest.raises(InputError, match="never overwritten"):
            export_take(take, tmp_path / "take.wav", stems)
        with pytest.raises(InputError, match="two results"):
            export_take(take, tmp_path / "other" / "bed.wav", tmp_path / "other")
    assert mine.read_bytes() == recording.read_bytes() and not (tmp_path / "take.wav").exists()


def test_a_key_follows_everything_that_is_heard(recording: Path, tmp_path: Path) -> None:
    """A meets B, B meets C: where C lies changes what B claims, and with it what is left for A."""
    a, b = event("a", "delete", 1.28, 1.6), event("b", "delete", 1.5, 2.1)
    near, far = event("c", "delete", 2.0, 2.4), event("c", "delete", 2.05, 2.4)
    samples, rate_hz = soundfile.read(recording)
    soundfile.write(tmp_path / "inverted.wav", -samples, rate_hz, "FLOAT")
    with Source.open(recording) as source, Source.open(tmp_path / "inverted.wav") as inverted:
        keys = {
            Engine().render(base, roll(a, b, c), Recipe()).layer("a").key
            for base, c in ((source, near), (source, far), (inverted, near))
        }
        again = Engine().render(source, roll(near, b, a), Recipe()).layer("a").key
    assert len(keys) == 3 and again in keys


def test_the_key_of_an_insert_follows_the_edits_that_decide_its_level(tmp_path: Path) -> None:
    sound = noise(1, 4.0, RATE) + burst(1.3, 0.2, 4.0, RATE) + burst(1.7, 0.9, 4.0, RATE)
    new = event("new", "insert", 1.2, 1.6)
    beside = [event("b", action, 1.55, end_s) for action, end_s in
              (("delete", 2.7), ("delete", 2.1), ("keep", 2.7), ("insert", 2.7))]  # fmt: skip
    with Source.open(write(tmp_path / "in.wav", sound, RATE)) as source:
        takes = [
            Engine(KnownGenerator()).render(source, roll(new, *b), Recipe()) for b in ((), *((b,) for b in beside))
        ]
    alone, one, other, kept, inserted = (take.layer("new") for take in takes)
    for same in (kept, inserted):
        assert same.key == alone.key and layer_bytes(same) == layer_bytes(alone)
    assert len({layer.key for layer in (alone, one, other)}) == 3
    assert len({layer_bytes(layer) for layer in (alone, one, other)}) == 3


def test_long_boxes_are_transformed_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "in.wav", noise(2, 6.0, 16_000) + burst(3.0, 2.0, 6.0, 16_000), 16_000)
    takes = []
    for frames in (37, 400, 100_000):
        monkeypatch.setattr(separation, "CHUNK_FRAMES", frames)
        with Source.open(path) as source:
            edits = roll(event("d", "delete", 0.5, 5.5), event("e", "enhance", 2.0, 5.2, by_db=3.0))
            takes.append(Engine().render(source, edits, Recipe()))
    for take in takes[1:]:
        for one, other in zip(takes[0].layers, take.layers, strict=True):
            np.testing.assert_allclose(one.removed, other.removed, atol=1e-7)


def test_progress_counts_frames_up_to_the_total(recording: Path) -> None:
    seen: list[tuple[int, int]] = []
    with Source.open(recording) as source:
        Engine(KnownGenerator()).render(
            source, roll(*mixed_roll(8)), Recipe(), progress=lambda done, total, what: seen.append((done, total))
        )
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len({total for _, total in seen}) == 1 and seen[-1][0] == seen[-1][1] and len({d for d, _ in seen}) > 10


def test_the_recording_is_never_overwritten(recording: Path) -> None:
    before = recording.read_bytes()
    with Source.open(recording) as source:
        take = Engine().render(source, EventRoll(()), Recipe())
        assert isinstance(take, Take)
        with pytest.raises(InputError, match="never overwritten"):
            export_take(take, recording)
    assert recording.read_bytes() == before


@pytest.mark.parametrize(
    ("label", "start_s", "told"),
    [("Bark", 1.0, True), (" bark", 1.2, True), ("door", 1.0, False), ("Bark", 1.45, False)],
)
def test_a_keep_row_for_the_very_sound_is_told(tmp_path: Path, label: str, start_s: float, told: bool) -> None:
    path = write(tmp_path / "in.wav", burst(1.0, 0.6, 4.0, 32_000, 1500) + noise(1, 4.0, 32_000, 6, 1e-3)[0], 32_000)
    rows = roll(event("a", "delete", 1.0, 1.6, "bark"), event("b", "keep", start_s, start_s + 0.6, label))
    with Source.open(path) as source:
        take = Engine().render(source, rows, Recipe(renderer=Renderer.REPAIR))
    assert ("a keep row at" in take.layers[0].note.casefold()) == told


def test_a_keep_row_is_told_besides_what_happened(tmp_path: Path) -> None:
    path = write(tmp_path / "in.wav", np.zeros((1, RATE)), RATE, "PCM_16")
    rows = roll(event("a", "delete", 0.2, 0.5, "Bark"), event("b", "keep", 0.2, 0.5, "Bark"))
    with Source.open(path) as source:
        take = Engine().render(source, rows, Recipe(renderer=Renderer.REPAIR))
    start = "no Bark was found in the box; nothing was changed. A keep row at 0.20 s keeps Bark"
    assert take.layers[0].note.startswith(start)
