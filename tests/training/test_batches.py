"""Scenes rendered in batches are the scenes that are rendered one by one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from recomposer_studio.errors import InputError
from recomposer_studio.training.batches import SceneBatch, draw_batch, render_batch
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.drawing import draw_spec
from recomposer_studio.training.scene_spec import Kind, SceneOptions, SceneSpec
from recomposer_studio.training.scenes import batch_seed, render_scene

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA"))]


def assert_equal(cache: AudioCache, specs: tuple[SceneSpec, ...], batch: SceneBatch) -> None:
    for number, spec in enumerate(specs):
        scene = render_scene(cache, spec)
        pairs = [(scene.input, batch.input[number]), (scene.desired, batch.desired[number])]
        pairs.append((scene.ambience, batch.ambience[number]))
        for place, sound in enumerate(spec.sounds):
            stem = scene.stems.get(sound.id, np.zeros(spec.frames, np.float32))
            pairs.append((stem, batch.stems[number, place]))
        assert all(np.abs(one - other.cpu().numpy()).max() < 1e-4 for one, other in pairs)
        assert not batch.stems[number, len(spec.sounds) :].any()
        places = {sound.id: place for place, sound in enumerate(spec.sounds)}
        for edit in scene.edits:
            start, stop = batch.spans[number, places[edit.event_id]].tolist()
            assert (start / 32000, stop / 32000) == edit.truth_box


@pytest.mark.parametrize("device", DEVICES)
def test_training_batches_equal_the_scenes(tiny_cache: AudioCache, device: str) -> None:
    # Rooms, low-passes, shifted and tilted events all occur, as do events cut by the scene's ends.
    options = SceneOptions(unknown_share=0.05)
    specs = draw_batch(tiny_cache.split("train"), 1, 0, 12, options=options)
    sounds = [sound for spec in specs for sound in spec.sounds]
    assert any(spec.room for spec in specs)
    assert any(spec.low_pass_hz for spec in specs)
    assert any(sound.semitones for sound in sounds)
    assert any(sound.tilt_db for sound in sounds)
    assert any(sound.onset < 0 for sound in sounds)
    assert any(sound.crop for sound in sounds)
    assert any(sound.key.startswith("procedural:") for sound in sounds)
    assert {sound.action for sound in sounds} >= {"delete", "insert", "enhance", None}
    assert_equal(tiny_cache, specs, render_batch(tiny_cache, specs, device))


@pytest.mark.parametrize("kind", ["plain", "overlap", "decoy"])
def test_scenes_for_evaluation_equal_too(tiny_cache: AudioCache, kind: Kind) -> None:
    audio = tiny_cache.split("valid")
    specs = tuple(draw_spec(audio, seed, kind, None, 4.0) for seed in range(4))
    assert_equal(tiny_cache, specs, render_batch(tiny_cache, specs))


def test_a_scene_of_no_sound_beside_others(tiny_cache: AudioCache) -> None:
    specs = draw_batch(tiny_cache.split("train"), 5, 1, 2)
    specs = (specs[0], replace(specs[1], sounds=()))
    batch = render_batch(tiny_cache, specs)
    assert_equal(tiny_cache, specs, batch)
    assert torch.equal(batch.input[1], batch.desired[1])
    alone = render_batch(tiny_cache, specs[1:])
    assert torch.allclose(alone.input[0], batch.input[1], atol=1e-6)


def test_an_event_beyond_the_scene_is_left_out(tiny_cache: AudioCache) -> None:
    (spec,) = draw_batch(tiny_cache.split("train"), 5, 2, 1)
    gone = replace(spec.sounds[0], onset=spec.frames - 10)
    before = replace(spec.sounds[0], onset=-10 * spec.frames)
    specs = (replace(spec, sounds=(gone, before)),)
    batch = render_batch(tiny_cache, specs)
    assert not batch.stems.any()
    assert not batch.spans.any()
    assert_equal(tiny_cache, specs, batch)


def test_a_step_fixes_its_batch(tiny_cache: AudioCache) -> None:
    audio = tiny_cache.split("train")
    first = draw_batch(audio, 1, 0, 3)
    assert [spec.seed for spec in first] == [batch_seed(1, 0, item, 3) for item in range(3)]
    assert draw_batch(audio, 1, 0, 3) == first
    assert draw_batch(audio, 1, 1, 3) != first


def test_what_is_no_batch_is_refused(tiny_cache: AudioCache) -> None:
    audio = tiny_cache.split("valid")
    swap = draw_spec(audio, 1, "overlap", "delete", 4.0, SceneOptions(swap=True))
    plain = draw_spec(audio, 1, "plain", "delete", 4.0)
    for specs in ((), (swap,), (plain, replace(plain, frames=96000)), (plain, replace(plain, split="train"))):
        with pytest.raises(ValueError, match="one split and one length"):
            render_batch(tiny_cache, specs)
    lost = replace(plain, sounds=(replace(plain.sounds[0], key="nowhere.wav"),))
    with pytest.raises(InputError, match=r"lacks 'nowhere\.wav'"):
        render_batch(tiny_cache, (lost,))
