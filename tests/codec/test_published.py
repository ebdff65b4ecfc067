"""A published codec through `transformers`: the real loading code on a tiny DAC of random weights."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recomposer_studio.cli.main import main
from recomposer_studio.codec.build import build_codec
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.published import PublishedCodec, PublishedConfig, adopt
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import load_checkpoint
from tests.codec.tiny_codec import burst
from tests.codec.tiny_dac import DAC_HOP, write_dac

_HOP = DAC_HOP


@pytest.fixture(scope="session")
def dac_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dac(tmp_path_factory.mktemp("dac"))


@pytest.fixture(scope="session")
def codec(dac_folder: Path) -> PublishedCodec:
    return adopt(str(dac_folder))


@pytest.mark.parametrize("samples", [0, 1, _HOP, _HOP + 1, 999])
def test_frames_are_samples_rounded_up(codec: PublishedCodec, samples: int) -> None:
    tokens = codec.encode(burst(0)[:samples])
    assert tokens.shape == (3, -(-samples // _HOP))
    assert tokens.dtype == np.int64
    for levels in (1, 3):
        wave = codec.decode(tokens[:levels])
        assert wave.shape == (tokens.shape[1] * _HOP,)
        assert wave.dtype == np.float32


def test_codes_are_those_of_the_library(codec: PublishedCodec, dac_folder: Path) -> None:
    from transformers import DacModel

    network = DacModel.from_pretrained(dac_folder).eval()
    wave = burst(1)[: 40 * _HOP]
    with one_thread():
        codes = network.encode(torch.from_numpy(wave)[None, None]).audio_codes[0].numpy()
        decoded = network.decode(audio_codes=torch.from_numpy(codes)[None]).audio_values[0].numpy()
    tokens = codec.encode(wave)
    # The end differs: the library sees the sound end there, the codec goes on with silence.
    assert (tokens[:, :30] == codes[:, :30]).all()
    np.testing.assert_allclose(codec.decode(codes)[: len(decoded)], decoded, atol=1e-6)


def test_the_codebooks_are_what_the_decoder_reads(codec: PublishedCodec) -> None:
    tokens = codec.encode(burst(2)[:1200])
    with one_thread():
        wanted = codec._network.quantizer.from_codes(torch.from_numpy(tokens)[None])[0][0].T
    assert codec.codebooks.shape == (3, 16, 32)
    summed = sum(book[row] for book, row in zip(codec.codebooks, tokens, strict=True))
    torch.testing.assert_close(summed, wanted, atol=1e-5, rtol=0.0)


def test_silence_and_fewer_levels(codec: PublishedCodec, dac_folder: Path) -> None:
    quiet = codec.encode(np.zeros(20 * _HOP))
    np.testing.assert_array_equal(quiet[:, 8:12], np.repeat(codec.silence[:, None], 4, axis=1))
    fewer = adopt(str(dac_folder), levels=2)
    tokens = codec.encode(burst(3)[:900])
    np.testing.assert_array_equal(fewer.encode(burst(3)[:900]), tokens[:2])
    assert fewer.codebooks.shape[0] == len(fewer.silence) == fewer.levels == 2


def test_a_checkpoint_holds_all_that_is_needed(codec: PublishedCodec) -> None:
    config = codec.config.as_json()
    assert (config["kind"], config["family"]) == ("transformers", "dac")
    again = build_codec(config, codec.tensors())
    tokens = again.encode(burst(1))
    np.testing.assert_array_equal(tokens, codec.encode(burst(1)))
    assert again.decode(tokens).tobytes() == codec.decode(tokens).tobytes()
    assert (again.rate_hz, again.hop, again.levels, again.config.codebook_size) == (24_000, _HOP, 3, 16)
    with torch.device("meta"):
        assert build_codec(config, codec.tensors()).codebooks.is_meta


@pytest.mark.parametrize(
    "change",
    [
        {"family": "wavtokenizer"},
        {"levels": 4},
        {"n_codebooks": 2, "levels": 2},
        {"codebook_size": 15},
        {"downsampling_ratios": []},
        {"downsampling_ratios": [2, 3, 0]},
        {"downsampling_ratios": 6},
        {"n_codebooks": 10**9},
        {"encoder_hidden_size": 8},
        {"sampling_rate": "fast"},
        {"unknown": 1},
    ],
)
def test_a_wrong_configuration_is_refused(codec: PublishedCodec, change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="get the checkpoint again"):
        build_codec({**codec.config.as_json(), **change}, codec.tensors())


def test_missing_weights_are_refused(codec: PublishedCodec) -> None:
    tensors = codec.tensors()
    tensors.pop("decoder.conv1.weight")
    with pytest.raises(InputError, match="get the checkpoint again"):
        build_codec(codec.config.as_json(), tensors)


@pytest.mark.parametrize("damage", ["config", "weights", "another", "cut", "pickle"])
def test_what_is_no_dac_is_one_sentence(dac_folder: Path, tmp_path: Path, damage: str) -> None:
    config, weights = ((dac_folder / name).read_bytes() for name in ("config.json", "model.safetensors"))
    if damage == "another":
        config = config.replace(b'"dac"', b'"encodec"')
    if damage != "config":
        (tmp_path / "config.json").write_bytes(config)
    if damage == "pickle":
        (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    elif damage != "weights":
        (tmp_path / "model.safetensors").write_bytes(weights[:-100] if damage == "cut" else weights)
    with pytest.raises(InputError, match="no DAC codec could be read there") as caught:
        adopt(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_levels_that_it_does_not_have_are_refused(dac_folder: Path) -> None:
    with pytest.raises(InputError, match="choose other levels"):
        adopt(str(dac_folder), levels=4)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match="extra 'codecs'"):
        adopt("anything")
    with pytest.raises(InputError, match="extra 'codecs'"):
        build_codec(PublishedConfig().as_json(), {})


def test_the_command_begins_a_checkpoint_with_it(
    dac_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], codec: PublishedCodec
) -> None:
    words = ["models", "adopt", str(dac_folder), "--out", str(tmp_path / "new"), "--levels", "2"]
    assert main(words) == 0
    assert "24000 Hz, 800 frames a second, 2 levels of 16 codes" in capsys.readouterr().out
    checkpoint = load_checkpoint(tmp_path / "new")
    assert checkpoint.configs["codec"]["origin"] == dac_folder.name
    stored = build_codec(checkpoint.configs["codec"], checkpoint.tensors["codec"])
    np.testing.assert_array_equal(stored.encode(burst(4)), codec.encode(burst(4))[:2])
    # A second codec would make nonsense of a decoder that knows the first one's tokens.
    assert main(words) == 2
    assert "there is a codec already" in capsys.readouterr().err
