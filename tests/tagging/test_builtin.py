"""The built-in tagger: its file, its page, and what is said when one of them is bad."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recomposer_studio.data import data_folder
from recomposer_studio.errors import InputError
from recomposer_studio.tagging.builtin import CARD, FOLDER, FORMAT_VERSION, Builtin, describe, load_builtin
from recomposer_studio.tagging.choice import load_tagger
from recomposer_studio.tagging.front_end import BANDS, PATCH_FRAMES, log_mel
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, FrameTagger, pooled
from recomposer_studio.training.tagger_export import RARE_DOUBT, write_tagger
from recomposer_studio.training.tagger_network import TaggerNet
from tests.tagging.steps import EVENT_CLASSES
from tests.tagging.tiny_tagger import TINY, tiny_net, write_tiny_tagger


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_tagger(tmp_path_factory.mktemp("tagger"))


def patches(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(-3.0, 2.0, (count, PATCH_FRAMES, BANDS)).astype(np.float32)


def changed(folder: Path, into: Path, **facts: object) -> Path:
    """A copy with other facts on its page."""
    into.mkdir()
    for name in ("tagger.onnx", "names.onnx"):
        (into / name).write_bytes((folder / name).read_bytes())
    page = json.loads((folder / CARD).read_text(encoding="utf-8")) | facts
    (into / CARD).write_text(json.dumps(page), encoding="utf-8")
    return into


def test_the_file_computes_what_the_network_does(folder: Path):
    tagger, net = load_builtin(folder, "cpu", 1), tiny_net()
    given = patches(3)
    tags = tagger.tag(given)
    frames = patches(5, 1).reshape(-1, BANDS)
    heard = tagger.sounding(frames)
    with torch.no_grad():
        features = net.features(torch.from_numpy(given))
        np.testing.assert_allclose(tags.scores, torch.sigmoid(net.scores(features.mean(2))), atol=2e-3)
        np.testing.assert_allclose(tags.embeddings, features.mean(2), atol=2e-2)
        wanted = net.activities(net.features(torch.from_numpy(frames[None])))[0]
    np.testing.assert_allclose(heard.classes, wanted[:, :-2], atol=2e-2)
    np.testing.assert_allclose(heard.any_event, wanted[:, -2], atol=2e-2)
    np.testing.assert_allclose(heard.onset, wanted[:, -1], atol=2e-2)
    boxes = np.stack([pooled(heard.features[:9]), pooled(heard.features[9:10])])
    with torch.no_grad():
        np.testing.assert_allclose(tagger.names(boxes), net.named(torch.from_numpy(boxes)), atol=2e-2)


def test_what_it_is_to_the_program(folder: Path):
    tagger = load_tagger(str(folder), "cpu", 1)
    assert isinstance(tagger, FrameTagger) and isinstance(tagger, Builtin)
    assert len(tagger.classes) == 521 and tagger.event_classes == EVENT_CLASSES
    page = describe(folder)
    assert tagger.digest == hashlib.sha256(page.path.read_bytes() + page.namer.read_bytes()).hexdigest()


def test_classes_with_few_recordings_are_named_less_readily(folder: Path, tmp_path: Path):
    frames = patches(1)[0]
    bold = load_builtin(folder, "cpu", 1).sounding(frames)
    careful = load_builtin(write_tiny_tagger(tmp_path / "rare", some_rare=True), "cpu", 1).sounding(frames)
    assert describe(tmp_path / "rare").trained_classes == EVENT_CLASSES[:2]
    np.testing.assert_allclose(careful.classes[:, :2], bold.classes[:, :2], atol=1e-3)
    np.testing.assert_allclose(careful.classes[:, 2:], bold.classes[:, 2:] - RARE_DOUBT, atol=1e-3)
    np.testing.assert_allclose(careful.any_event, bold.any_event, atol=1e-3)
    box = pooled(bold.features)[None]
    surer, warier = (load_builtin(place, "cpu", 1).names(box)[0] for place in (folder, tmp_path / "rare"))
    np.testing.assert_allclose(warier[:2], surer[:2], atol=1e-3)
    np.testing.assert_allclose(warier[2:], surer[2:] - RARE_DOUBT, atol=1e-3)


@pytest.mark.parametrize("count", [0, 1, 33])
def test_any_number_of_patches(folder: Path, count: int):
    tagger = load_builtin(folder, "cpu", 1)
    tags = tagger.tag(patches(count))
    assert tags.scores.shape == (count, 521) and tags.embeddings.shape == (count, 8)
    assert ((tags.scores >= 0) & (tags.scores <= 1)).all()
    # Company changes nothing but the last bits.
    if count > 1:
        np.testing.assert_allclose(tagger.tag(patches(count)[-1:]).scores[0], tags.scores[-1], atol=1e-5)


@pytest.mark.parametrize("steps", [1, 24, 300])
def test_any_number_of_steps(folder: Path, steps: int):
    heard = load_builtin(folder, "cpu", 1).sounding(np.zeros((steps * FRAMES_PER_STEP, BANDS), np.float32))
    assert heard.classes.shape == (steps, len(EVENT_CLASSES)) and heard.onset.shape == (steps,)


@pytest.mark.parametrize("name", ["tagger.onnx", "names.onnx"])
def test_a_file_that_its_page_does_not_name_is_refused(folder: Path, tmp_path: Path, name: str):
    copy = changed(folder, tmp_path / "copy")
    with (copy / name).open("r+b") as file:
        file.seek(300)
        file.write(b"\0\0\0\0")
    with pytest.raises(InputError, match="not the one its page names"):
        load_builtin(copy)


def test_another_network_is_refused(folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match="not the built-in tagger"):
        load_builtin(changed(folder, tmp_path / "copy", event_classes=["Bark"]))
    with pytest.raises(InputError, match="unknown classes"):
        load_builtin(changed(folder, tmp_path / "other", event_classes=[*EVENT_CLASSES[:-1], "Gnushot"]))


def test_what_is_no_network_is_refused():
    with pytest.raises(InputError, match="damaged"):
        Builtin(b"something else", b"", EVENT_CLASSES)


def test_networks_that_do_not_belong_together_are_refused(folder: Path, tmp_path: Path):
    wide = TaggerNet(replace(TINY, width=12))
    write_tagger(tmp_path / "wide", "wide", wide.eval(), EVENT_CLASSES, EVENT_CLASSES)
    page = describe(tmp_path / "wide")
    copy = changed(folder, tmp_path / "copy", namer_sha256=page.namer_sha256)
    (copy / "names.onnx").write_bytes(page.namer.read_bytes())
    with pytest.raises(InputError, match="does not fit its first"):
        load_builtin(copy)


def test_missing_files_are_told(folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match="no tagger lies here"):
        load_builtin(tmp_path)
    copy = changed(folder, tmp_path / "copy")
    (copy / "tagger.onnx").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_builtin(copy)
    with pytest.raises(InputError, match=r"no such tagger; choose builtin, yamnet or a folder"):
        load_tagger("other")


@pytest.mark.parametrize("page", ["", "[]", "{", '{"format_version": 1}', '{"format_version": "a"}', "null"])
def test_a_damaged_page_is_told(tmp_path: Path, page: str):
    (tmp_path / CARD).write_text(page, encoding="utf-8")
    with pytest.raises(InputError, match="page cannot be read"):
        describe(tmp_path)


def test_a_newer_version_is_told(folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match="newer version"):
        load_builtin(changed(folder, tmp_path / "copy", format_version=FORMAT_VERSION + 1))


def test_the_shipped_tagger_is_whole_and_small():
    tagger = load_builtin(None, "cpu", 1)
    page = describe()
    assert page.path.stat().st_size + page.namer.stat().st_size <= 8_000_000
    assert set(page.trained_classes) <= set(page.event_classes) <= set(tagger.classes)
    shipped = data_folder("models") / FOLDER
    assert (shipped / "README.md").is_file() and (shipped / "ATTRIBUTION.md").is_file()


def test_the_shipped_tagger_knows_a_sound_from_silence():
    tagger = load_builtin(None, "cpu", 1)
    rng = np.random.default_rng(0)
    noise = 0.003 * rng.standard_normal(10 * 16_000)
    quiet = tagger.sounding(log_mel(noise.astype(np.float32))[:960])
    noise[80_000:84_000] += 0.3 * rng.standard_normal(4_000) * np.exp(-np.arange(4_000) / 1_000)
    heard = tagger.sounding(log_mel(noise.astype(np.float32))[:960])
    assert heard.any_event[124:130].max() > 0.0 > quiet.any_event[124:130].max()
