"""Token decoders on other codecs than the one of log-mel frames."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.editing.generator import SoundRequest
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import load_checkpoint, write_part
from recomposer_studio.model.decoder import SCENE_FEATURES, DecoderConfig
from recomposer_studio.model.encoder import EncoderConfig
from recomposer_studio.model.generator import load_generator
from recomposer_studio.model.transformer import TransformerConfig
from recomposer_studio.project.recipe import Decoding
from recomposer_studio.roll.event import Action, Event
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.decoder import DecoderTraining, fitting, train_decoder
from recomposer_studio.training.sounds import Drawer, Pool, fill_pool
from tests.codec.tiny_codec import tiny_codec
from tests.codec.tiny_waveform import TINY_WAVEFORM, tiny_waveform

_CONFIG = DecoderConfig(
    encoder=EncoderConfig(features=SCENE_FEATURES, width=16, kernel=3, dilations=(1,), dropout=0.0),
    temporal=TransformerConfig(width=32, layers=1, heads=2, expansion=2, dropout=0.0),
    depth=TransformerConfig(width=16, layers=1, heads=2, expansion=2, window=None, rotary=False, dropout=0.0),
    exemplar=True,
    mixture=True,
)


class _Texts:
    def vector(self, text: str) -> np.ndarray:
        vector = np.random.default_rng(list(text.encode())).normal(size=64)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.fixture(scope="module")
def pool(tiny_cache: AudioCache) -> Pool:
    return fill_pool(tiny_cache.split("valid"), tiny_waveform(), 2, 0)


@pytest.fixture
def drawer(pool: Pool) -> Iterator[Drawer]:
    with one_thread(gradients=True):
        yield Drawer(pool, tiny_waveform(), _Texts())


def test_sizes_are_the_codec_s_and_mixtures_need_log_mel_frames() -> None:
    mel, waveform = fitting(_CONFIG, tiny_codec()), fitting(_CONFIG, tiny_waveform())
    assert (mel.levels, mel.codebook_size, mel.vector, mel.mixture) == (4, 32, 128, True)
    assert (waveform.levels, waveform.codebook_size, waveform.vector, waveform.mixture) == (3, 16, 12, False)
    assert waveform.exemplar
    assert replace(mel, levels=3, codebook_size=16, vector=12, mixture=False) == waveform


class _Fast:
    rate_hz = 24_000
    hop = 320
    codebooks = torch.zeros(1, 2, 3)


def test_another_frame_rate_is_refused_in_one_sentence() -> None:
    with pytest.raises(InputError, match="75 frames a second and token decoders need 50"):
        fitting(_CONFIG, _Fast())


def test_powers_are_measured_where_codes_do_not_tell_them(pool: Pool, tiny_cache: AudioCache) -> None:
    assert [[power.shape for power in event] for event in pool.powers] == [
        [(BANDS, 2 * codes.shape[1]) for codes in event] for event in pool.tokens
    ]
    assert fill_pool(tiny_cache.split("valid"), tiny_codec(), 1, 0).powers == ()


def test_boxes_are_drawn_and_what_is_buried_lies_where_its_tokens_are(drawer: Drawer, pool: Pool) -> None:
    (first, *_) = batches = list(drawer.training(0, 0, 6))
    assert first.tokens.shape[2] == 3
    assert all(bool(torch.isfinite(batch.scene).all()) and int(batch.tokens.max()) < 16 for batch in batches)
    frames = pool.tokens[0][0].shape[1]
    tokens = np.zeros((3, frames + 5), np.int64)
    buried = drawer._buried(tokens, 0, 0, 2, frames)
    assert buried.shape == (BANDS, 2 * (frames + 5))
    np.testing.assert_allclose(buried[:, 4:-6], pool.powers[0][0])
    assert buried[:, :4].max() == buried[:, -6:].max() == buried.min()


def test_a_decoder_is_trained_on_the_waveform_codec_and_makes_sounds(tiny_folder: Path, tmp_path: Path) -> None:
    write_part(tmp_path, "codec", TINY_WAVEFORM.as_json(), tiny_waveform().tensors())
    options = DecoderTraining(tiny_folder, tmp_path, max_minutes=0.001, variants=1, batch=2, config=_CONFIG)
    losses = train_decoder(options, lambda line: None)
    assert losses.shape == (3,) and bool(np.isfinite(losses).all())
    assert load_checkpoint(tmp_path).configs["decoder"]["vector"] == 12
    event = Event(id="one", action=Action.INSERT, label="Bark", start_s=0.8, end_s=1.0, row="one")
    power = np.random.default_rng(0).exponential(size=(BANDS, 200))
    request = SoundRequest(event, power, 0.01, 0.8, 0.2, 1, Decoding(), lambda: False)
    generator = load_generator(tmp_path, "cpu")
    sound = generator.sound(request)
    assert sound.shape == (round(0.2 * generator.rate_hz),)
    assert bool(np.isfinite(sound).all())
