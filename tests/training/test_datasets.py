"""AudioSet-strong tables and FSD50K-like folders give the same kind of library."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.datasets import load_audioset_strong, load_fsd50k, load_library
from recomposer_studio.training.manifest import hashed_split
from recomposer_studio.training.scenes import draw_scene
from tests.training.tiny_library import noise, save, tone

BARK, BELL, RAIN, WIND = "/m/05tny_", "/m/0395lw", "/m/06mb1", "/m/03m9d0z"
NAMES = {BARK: "Bark", BELL: "Bell", RAIN: "Rain", WIND: "Wind"}


@pytest.fixture(scope="module")
def strong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strong")
    rows = ["segment_id\tstart_time_seconds\tend_time_seconds\tlabel"]
    for clip in range(3):
        name = f"video_{clip}_30000"
        mix = noise(10.0, clip)
        mix[round(2.0 * 32000) : round(2.5 * 32000)] += 0.5 * tone(0.5, 700, clip)
        save(folder / "clips" / f"{name}.flac", mix)
        rows += [f"{name}\t0.0\t1.9\t{RAIN}", f"{name}\t2.000\t2.500\t{BARK}", f"{name}\t2.6\t10.0\t{WIND}"]
        rows += [f"{name}\t3.0\t5.0\t{RAIN}", f"{name}\t6.0\t6.5\t/m/unheard"]
    rows += [f"absent_1\t0\t1\t{BARK}", f"video_0_30000\t4\t3\t{BARK}", f"video_0_30000\tx\t3\t{BARK}"]
    (folder / "strong.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def test_strong_labels_become_events_and_dense_clips_backgrounds(strong: Path) -> None:
    library = load_audioset_strong(strong / "strong.tsv", strong / "clips", split="train", class_names=NAMES)
    assert sorted({e.class_name for e in library.events}) == ["Bark", "Rain"]
    assert len(library.events) == 6
    assert [b.class_name for b in library.backgrounds] == ["Wind"] * 3
    assert {b.source_id for b in library.backgrounds} == {"video_0", "video_1", "video_2"}
    assert {reason: len(paths) for reason, paths in library.skipped.items()} == {
        "times are reversed or negative": 1,
        "times are not numbers": 1,
        "file missing": 1,
        "label overlaps another": 6,
        "label is no known class": 3,
    }


def test_a_span_is_cut_out_of_its_clip(strong: Path) -> None:
    library = load_audioset_strong(strong / "strong.tsv", strong / "clips", split="train", class_names=NAMES)
    audio = AudioCache(library).split("train")
    bark = next(e for e in audio.events if e.class_name == "Bark")
    assert audio.frames(bark.key) == 16000
    assert np.abs(audio.read(bark.key)).max() > 0.25
    scene = draw_scene(AudioCache(library), "train", 1, "plain", duration_s=5.0)
    assert scene.spec.sounds[0].source_id != scene.spec.layers[0].source_id


def test_videos_are_spread_over_splits_by_name(strong: Path) -> None:
    library = load_library(strong, classes=None)
    assert all(e.split == hashed_split(e.source_id) for e in library.events)
    shares = [sum(hashed_split(f"video{i}") == s for i in range(3000)) / 3000 for s in ("train", "valid", "test")]
    assert np.allclose(shares, (0.8, 0.1, 0.1), atol=0.03)


@pytest.fixture(scope="module")
def fsd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fsd")
    dev = ["fname,labels,mids,split"]
    for n in range(4):
        save(folder / "FSD50K.dev_audio" / f"{n}.wav", tone(0.5, 500, n))
        dev.append(f'{n},"Bark,Animal","{BARK},/m/0jbk",{"val" if n == 3 else "train"}')
    save(folder / "FSD50K.dev_audio" / "10.wav", noise(10.5, 1))
    save(folder / "FSD50K.dev_audio" / "11.wav", noise(6.0, 1))
    dev += [f"10,Rain,{RAIN},train", f"11,Rain,{RAIN},train", f"12,Rain,{RAIN},train", "0,Odd,/m/odd,train"]
    save(folder / "FSD50K.eval_audio" / "90.wav", tone(0.4, 900, 9))
    (folder / "dev.csv").write_text("\n".join(dev) + "\n", encoding="utf-8")
    (folder / "eval.csv").write_text(f"fname,labels,mids\n90,Bell,{BELL}\n", encoding="utf-8")
    info = {str(n): {"license": "http://creativecommons.org/licenses/by-sa/3.0/", "uploader": "she"} for n in range(2)}
    (folder / "dev_clips_info_FSD50K.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


def test_an_fsd_folder_gives_events_backgrounds_and_credits(fsd: Path) -> None:
    library = load_fsd50k(fsd / "dev.csv", fsd / "FSD50K.dev_audio", class_names=NAMES)
    assert [(e.class_name, e.split, e.licence) for e in library.events] == [
        ("Bark", "train", "CC-BY-SA"),
        ("Bark", "train", "CC-BY-SA"),
        ("Bark", "train", "unknown"),
        ("Bark", "valid", "unknown"),
        ("Bell", "test", "unknown"),
    ]
    assert [b.source_id for b in library.backgrounds] == ["freesound:10"]
    assert {reason: len(paths) for reason, paths in library.skipped.items()} == {
        "neither event (0.1 to 5 s) nor background (10 s or more)": 1,
        "file missing": 1,
        "label is no known class": 1,
    }
    free = load_fsd50k(fsd / "dev.csv", fsd / "FSD50K.dev_audio", class_names=NAMES, share_alike=False)
    assert len(free.events) == 3


def test_the_kind_of_table_is_found_by_looking(fsd: Path, tiny_folder: Path) -> None:
    assert load_library(fsd, audio=fsd / "FSD50K.dev_audio").events[0].source_id == "freesound:0"
    assert len(load_library(tiny_folder).events) == 36


@pytest.mark.parametrize("make", [lambda p: p, lambda p: p / "nothing.csv", lambda p: p / "nothing.tsv"])
def test_nothing_there_is_one_clear_message(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(InputError, match=str(tmp_path.name)):
        load_library(make(tmp_path))


def test_damaged_clip_information_is_named(fsd: Path, tmp_path: Path) -> None:
    (tmp_path / "dev.csv").write_text((fsd / "dev.csv").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "dev_clips_info_FSD50K.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"dev_clips_info_FSD50K\.json: cannot be read"):
        load_fsd50k(tmp_path / "dev.csv", fsd / "FSD50K.dev_audio", class_names=NAMES)


def test_fsd50ks_own_folders_are_found(fsd: Path, tmp_path: Path) -> None:
    shutil.copytree(fsd / "FSD50K.dev_audio", tmp_path / "FSD50K.dev_audio")
    for name in ("FSD50K.ground_truth", "FSD50K.metadata"):
        (tmp_path / name).mkdir()
    shutil.copy(fsd / "dev.csv", tmp_path / "FSD50K.ground_truth" / "dev.csv")
    info = "dev_clips_info_FSD50K.json"
    shutil.copy(fsd / info, tmp_path / "FSD50K.metadata" / info)
    for path in (tmp_path, tmp_path / "FSD50K.ground_truth", tmp_path / "FSD50K.ground_truth" / "dev.csv"):
        library = load_library(path)
        assert library.events[0].source_id == "freesound:0"
        assert library.events[0].licence == "CC-BY-SA"


def test_all_strong_tables_of_a_folder_are_read(strong: Path, tmp_path: Path) -> None:
    shutil.copytree(strong / "clips", tmp_path / "clips")
    header, *rows = (strong / "strong.tsv").read_text(encoding="utf-8").splitlines()
    for number, name in enumerate(("eval_strong.tsv", "train_strong.tsv")):
        mine = [row for row in rows if row.startswith("video_0") == (number == 0)]
        (tmp_path / name).write_text("\n".join([header, *mine]) + "\n", encoding="utf-8")
    (tmp_path / "names.tsv").write_text("mid\tname\n", encoding="utf-8")
    assert {e.source_id for e in load_library(tmp_path).events} == {"video_0", "video_1", "video_2"}


def test_several_other_tables_are_not_guessed_among(tmp_path: Path) -> None:
    for name in ("a.tsv", "b.tsv"):
        (tmp_path / name).write_text("x\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.tsv, b\.tsv"):
        load_library(tmp_path)
