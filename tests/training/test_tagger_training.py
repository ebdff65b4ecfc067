"""Training of the built-in tagger: what is asked is what sounds, and a run leaves a tagger that can be used and gone on with."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recomposer_studio.data import data_folder
from recomposer_studio.errors import InputError
from recomposer_studio.roll.labels import read_classes
from recomposer_studio.tagging.builtin import load_builtin
from recomposer_studio.tagging.front_end import BANDS, PATCH_FRAMES, Patches
from recomposer_studio.tagging.tagger import Tags
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.scenes import draw_scene
from recomposer_studio.training.tagger import (
    TaggerTraining,
    Validation,
    event_features,
    event_logits,
    load_teacher,
    tagger_loss,
    train_tagger,
)
from recomposer_studio.training.tagger_network import TaggerConfig, TaggerNet
from recomposer_studio.training.tagger_scenes import (
    PATCHES,
    Example,
    SceneDrawer,
    TaggerPool,
    collate,
    related_classes,
    scene_truth,
)
from tests.training.tiny_library import CLASSES as NAMES

SMALL = TaggerConfig(channels=(4, 4, 6, 6), width=8, hidden=8, dilations=(1, 2), classes=len(NAMES), teacher_width=12)


class TinyTeacher:
    """Scores the mean level as the first class."""

    name, digest = "tiny", "0" * 64
    classes = tuple(read_classes(data_folder("resources")))

    def tag(self, patches: Patches) -> Tags:
        level = patches.mean(axis=(1, 2))
        scores = np.full((len(patches), 521), 0.01, np.float32)
        scores[:, 0] = 1.0 / (1.0 + np.exp(-level))
        return Tags(scores, np.repeat(level[:, None], 12, axis=1).astype(np.float32))


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def names() -> tuple[str, ...]:
    return tuple(sorted(NAMES))


@pytest.fixture(scope="module")
def drawer(tiny_cache: AudioCache, names: tuple[str, ...]) -> SceneDrawer:
    return SceneDrawer(tiny_cache, names, names, TinyTeacher(), 0)


def example(*events: tuple[float, float, float, float], silent: tuple[int, ...] = ()) -> Example:
    return Example(
        np.full((PATCHES * PATCH_FRAMES, BANDS), -5.0, np.float16),
        np.array(events, np.float32).reshape(-1, 4),
        silent,
        np.zeros((PATCHES, 521), np.float16),
        np.zeros((PATCHES, 12), np.float16),
    )


def test_targets_are_where_the_events_are(names: tuple[str, ...]) -> None:
    bark, bell = names.index("Bark"), names.index("Bell")
    batch = collate([example((bark, 50, 70, 9.0), (bell, 60, 90, 3.0), (-1, 100, 110, 6.0))], related_classes(names))
    active = batch.active[0]
    assert active[50:70, bark].all() and active[60:90, bell].all() and active.sum() == 50
    assert batch.any_active[0, 50:90].all() and batch.any_active[0, 100:110].all() and batch.any_active.sum() == 50
    assert batch.onset[0].nonzero()[:, 0].tolist() == [49, 50, 51, 59, 60, 61, 99, 100, 101]
    assert batch.events.tolist() == [[0, bark, 50, 70], [0, bell, 60, 90]]
    # The other event in the box is no rival: it may be named without being wrong.
    assert not batch.rivals[0, bell] and batch.rivals[0, bark] and batch.rivals[1, bell] and not batch.rivals[1, bark]


def test_what_nobody_can_tell_is_not_held_against_the_network(names: tuple[str, ...]) -> None:
    bark, bell = names.index("Bark"), names.index("Bell")
    batch = collate([example((bark, 50, 70, -3.0), silent=(bell,))], related_classes(names))
    assert batch.active.sum() == 0 and len(batch.events) == 0
    assert not batch.weight[0, 50:70, bark].any() and batch.weight[0, :50, bark].all()
    assert not batch.any_weight[0, 50:70].any() and batch.any_weight[0, 70:].all()
    assert not batch.weight[0, :, bell].any()


def test_relatives_are_neither_wanted_nor_wrong() -> None:
    names = ("Animal", "Bark", "Dog", "Speech")
    batch = collate([example((2, 10, 20, 9.0))], related_classes(names))
    assert batch.weight[0, 10:20].tolist() == [[0.0, 0.0, 1.0, 1.0]] * 10
    assert batch.rivals[0].tolist() == [False, False, True, True]


def test_examples_are_true_to_their_scenes(drawer: SceneDrawer, tiny_cache: AudioCache, names: tuple[str, ...]) -> None:
    scene = draw_scene(tiny_cache, "valid", 1, "overlap", "delete", 10.0)
    found = drawer.example(scene)
    truth = scene_truth(scene, -99.0)
    assert len(found.events) == len(truth)
    for (number, first, last, _), event in zip(found.events, truth, strict=True):
        assert names[int(number)] == event.class_name
        assert first == pytest.approx(event.start_s / 0.04, abs=1) and last == pytest.approx(event.end_s / 0.04, abs=1)
    assert found.frames.shape == (960, 64) and found.scores.shape == (10, 521)
    counted = scene_truth(scene, 6.0, ["Bark"])
    assert all(event.class_name == "Bark" for event in counted if event.counted)


def test_a_pool_gives_new_and_old_scenes_through_other_equalisers(drawer: SceneDrawer, names: tuple[str, ...]) -> None:
    pool = TaggerPool(drawer, names, 8, 0)
    first, second = pool.batch(4, 1), pool.batch(4, 1)
    assert first.frames.shape == second.frames.shape == (4, 960, 64)
    assert first.frames.isfinite().all() and not torch.equal(first.frames, second.frames)


def test_means_are_those_of_the_boxes() -> None:
    values = torch.arange(20.0).reshape(2, 5, 2)
    events = torch.tensor([[0, 0, 1, 3], [1, 1, 0, 5]])
    torch.testing.assert_close(event_logits(values, events), torch.tensor([[3.0, 4.0], [14.0, 15.0]]))


def test_features_of_a_box_are_its_means_and_maxima() -> None:
    features = torch.arange(20.0).reshape(2, 2, 5)
    events = torch.tensor([[0, 0, 1, 3], [1, 1, 0, 5]])
    torch.testing.assert_close(
        event_features(features, events), torch.tensor([[1.5, 6.5, 2.0, 7.0], [12.0, 17.0, 14.0, 19.0]])
    )


def test_naming_boxes_leaves_the_features_alone(drawer: SceneDrawer, names: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    net = TaggerNet(SMALL)
    tagger_loss(net, TaggerPool(drawer, names, 4, 0).batch(4, 4))["boxes"].backward()
    touched = {name for name, weights in net.named_parameters() if weights.grad is not None}
    assert touched == {"box.weight", "box.bias", "names.weight", "names.bias"}


def test_the_loss_falls_when_a_batch_is_learnt(drawer: SceneDrawer, names: tuple[str, ...]) -> None:
    torch.manual_seed(0)
    net = TaggerNet(SMALL)
    batch = TaggerPool(drawer, names, 4, 0).batch(4, 4)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2)
    totals = []
    for _ in range(25):
        parts = tagger_loss(net, batch)
        total = torch.stack(list(parts.values())).sum()
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
        totals.append(float(total.detach()))
    assert totals[-1] < 0.8 * totals[0]
    assert {"scores", "embeddings"} == set(tagger_loss(net, batch, single_patches=True))


def test_the_network_tells_a_step_from_its_surroundings() -> None:
    net = TaggerNet(SMALL).eval()
    with torch.no_grad():
        frames = torch.randn(2, 96, BANDS)
        features = net.features(frames)
        assert features.shape == (2, 8, 24)
        assert net.activities(features).shape == (2, 24, len(NAMES) + 2)
        torch.testing.assert_close(net.embeddings(features, 24)[:, 0], features.mean(2))


def test_a_run_leaves_a_tagger_and_goes_on(tiny_folder: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    options = TaggerTraining(
        tiny_folder,
        tmp_path / "out",
        max_minutes=0.02,
        batch=2,
        fresh=1,
        valid_scenes=1,
        config=SMALL,
        precision="float32",
    )
    figures = train_tagger(options, TinyTeacher(), lines.append)
    assert {"top1", "top3", "teacher_top1", "classes", "any"} <= set(figures)
    tagger = load_builtin(options.out, "cpu", 1)
    assert tagger.event_classes == tuple(sorted(NAMES))
    assert (options.out / "ATTRIBUTION.md").read_text(encoding="utf-8").startswith("# Recordings behind these weights")
    record = [json.loads(line) for line in (options.out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert record[-1]["step"] > 0
    train_tagger(replace(options, max_minutes=0.03, resume=True), TinyTeacher(), lines.append)
    assert f"from step {record[-1]['step']}" in "\n".join(lines)
    with pytest.raises(InputError, match="does not fit"):
        train_tagger(replace(options, resume=True, config=replace(SMALL, width=12)), TinyTeacher(), lines.append)
    later = replace(options, out=tmp_path / "later", max_minutes=0.0, start=options.out, beside=options.out)
    train_tagger(later, TinyTeacher(), lines.append)
    frames = np.zeros((8, 64), np.float32)
    before, both = (load_builtin(folder, "cpu", 1).sounding(frames) for folder in (options.out, later.out))
    np.testing.assert_allclose(both.classes, before.classes, atol=1e-2)  # half precision; the same weights twice
    assert both.features.shape[1] == 2 * before.features.shape[1]


def test_without_scenes_of_a_class_validation_still_works(tiny_cache: AudioCache, names: tuple[str, ...]) -> None:
    valid = Validation.draw(tiny_cache, names, names, TinyTeacher(), 1)
    figures = valid.figures(TaggerNet(SMALL))
    assert 0.0 <= figures["top1"] <= figures["top3"] <= 1.0


def test_a_missing_teacher_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOMPOSER_DATA", str(tmp_path))
    with pytest.raises(InputError, match="models install yamnet"):
        load_teacher("installed")
    with pytest.raises(InputError):
        load_teacher(str(tmp_path / "missing.tflite"))
