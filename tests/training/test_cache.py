"""Decoded recordings: packed, reloaded, rebuilt, and what decoding leaves out."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from recomposer_studio.errors import InputError
from recomposer_studio.training.cache import AudioCache, audible_span
from recomposer_studio.training.manifest import load_manifest
from tests.training.tiny_library import row, save, tone, write_library, write_table


def test_samples_come_back_within_half_a_step(tiny_folder: Path, tiny_cache: AudioCache) -> None:
    audio = tiny_cache.split("train")
    background = audio.backgrounds[0]
    truth, _ = sf.read(background.path, dtype="float64")
    assert audio.frames(background.key) == len(truth)
    assert np.abs(audio.read(background.key) - truth).max() <= 0.51 * np.abs(truth).max() / 32767
    assert np.array_equal(audio.read(background.key, 1000, 50), audio.read(background.key)[1000:1050])
    assert len(audio.read(background.key, len(truth) - 10, 50)) == 10


def test_a_pack_equals_decoding_and_is_used_again(tiny_folder: Path, tiny_cache: AudioCache, tmp_path: Path) -> None:
    counts: list[int] = []
    library = load_manifest(tiny_folder)
    first = AudioCache(library, tmp_path, lambda done, total: counts.append(done)).split("valid")
    assert counts == list(range(1, 17))
    second = AudioCache(library, tmp_path, lambda done, total: counts.append(done)).split("valid")
    assert len(counts) == 16
    for event in first.events:
        wanted = tiny_cache.split("valid").read(event.key)
        assert np.array_equal(first.read(event.key), wanted)
        assert np.array_equal(second.read(event.key), wanted)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".i16", ".json"]


def test_a_changed_library_or_a_damaged_pack_is_decoded_again(tmp_path: Path) -> None:
    rows = write_library(tmp_path / "data", 1, 1)
    folder, counts = tmp_path / "packs", []
    AudioCache(load_manifest(tmp_path / "data"), folder).split("train")
    table = write_table(tmp_path / "data", rows[1:])
    audio = AudioCache(load_manifest(table), folder, lambda done, total: counts.append(done)).split("train")
    assert (len(audio.events), len(counts)) == (3, 4)
    for pack in folder.glob("*.i16"):
        pack.write_bytes(pack.read_bytes()[:-2])
    again = AudioCache(load_manifest(table), folder, lambda done, total: counts.append(done)).split("train")
    assert len(counts) == 8
    assert np.array_equal(again.read(again.events[0].key), audio.read(audio.events[0].key))


def test_useless_files_are_skipped_by_reason(tmp_path: Path) -> None:
    rows = write_library(tmp_path, 1, 1)
    bad = {
        "silent": np.zeros(8000),
        "clipped": np.clip(5 * tone(0.5, 200, 1), -1, 1),
        "too short": np.full(100, 0.5),
        "empty": np.zeros(0),
    }
    for name, samples in bad.items():
        save(tmp_path / f"events/{name}.wav", samples)
        rows.append(row(f"events/{name}.wav", "event", "Bell", 0.5, "train", name))
    (tmp_path / "events/unreadable.wav").write_bytes(b"not audio at all")
    rows.append(row("events/unreadable.wav", "event", "Bell", 0.5, "train", "u"))
    save(tmp_path / "events/nan.wav", np.array([0.1, np.nan] * 4000), subtype="FLOAT")
    rows.append(row("events/nan.wav", "event", "Bell", 0.5, "train", "n"))
    audio = AudioCache(load_manifest(write_table(tmp_path, rows)), tmp_path / "packs").split("train")
    wanted = {**dict.fromkeys(bad, 1), "unreadable": 1, "holds values that are not finite": 1}
    assert {reason: len(paths) for reason, paths in audio.skipped.items()} == wanted
    assert len(audio.events) == 4
    again = AudioCache(load_manifest(tmp_path), tmp_path / "packs").split("train")
    assert again.skipped == audio.skipped


def test_a_split_without_usable_files_is_one_clear_message(tmp_path: Path) -> None:
    rows = [r for r in write_library(tmp_path, 1, 1) if (r["split"], r["kind"]) != ("test", "background")]
    save(tmp_path / "backgrounds/quiet.wav", np.zeros(64000))
    rows.append(row("backgrounds/quiet.wav", "background", "Wind", 2.0, "test", "q"))
    cache = AudioCache(load_manifest(write_table(tmp_path, rows)))
    with pytest.raises(InputError, match=r"the split 'test' holds no usable background .1 silent."):
        cache.split("test")
    assert cache.split("train").events


def test_other_rates_and_channels_become_32_khz_mono(tmp_path: Path) -> None:
    rows = write_library(tmp_path, 1, 1)
    t = np.arange(24000) / 48000
    left = 0.5 * np.sin(2 * np.pi * 1000 * t)
    save(tmp_path / "events/stereo.wav", np.stack([left, np.zeros_like(left)], axis=1), 48000)
    rows.append(row("events/stereo.wav", "event", "Bell", 0.5, "train", "s"))
    audio = AudioCache(load_manifest(write_table(tmp_path, rows))).split("train")
    sound = audio.read("events/stereo.wav")
    assert len(sound) == 16000
    middle = sound[4000:12000]
    assert np.abs(middle - 0.25 * np.sin(2 * np.pi * 1000 * np.arange(4000, 12000) / 32000)).max() < 1e-3


def test_silence_around_an_event_is_trimmed() -> None:
    sound = np.zeros(3200, np.float32)
    sound[800:1600] = 0.5
    assert audible_span(sound, -50.0) == (800, 1600)
    sound[2000] = 0.5 * 10 ** (-45 / 20) * 160**0.5
    assert audible_span(sound, -50.0) == (800, 2080)


def test_what_a_split_lacks_may_be_looked_past(tmp_path: Path) -> None:
    rows = [r for r in write_library(tmp_path, 1, 1) if r["split"] != "test" or r["kind"] == "event"]
    cache = AudioCache(load_manifest(write_table(tmp_path, rows)))
    assert cache.usable("test").events
    assert not cache.usable("test").backgrounds
    with pytest.raises(InputError, match="no usable background"):
        cache.split("test")


def test_a_sounds_digest_follows_its_samples(tmp_path: Path) -> None:
    rows = write_library(tmp_path, 1, 1)
    key, other = rows[0]["path"], rows[1]["path"]
    before = AudioCache(load_manifest(tmp_path)).split("train")
    packed = AudioCache(load_manifest(tmp_path), tmp_path / "packs").split("train")
    assert before.digest(key) == packed.digest(key) != before.digest(other)
    # Half as loud: the packed steps stay, their value does not.
    save(tmp_path / key, 0.5 * before.read(key), subtype="FLOAT")
    after = AudioCache(load_manifest(tmp_path)).split("train")
    assert after.digest(key) != before.digest(key)
    assert after.digest(other) == before.digest(other)
