"""A codec that others have published, behind this project's interface: DAC, the Descript Audio Codec, through `transformers`.

DAC (Kumar et al., "High-fidelity audio compression with improved RVQGAN", 2023) is made of convolutions alone and its weights are under
the MIT licence. `adopt` reads it with the library's own loading code, from a folder or from the Hugging Face hub; a checkpoint then holds
its weights as it holds its own: as safetensors with their hashes. Opening a checkpoint therefore reads no other folder and asks no network.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from recomposer_studio.codec.inference import one_thread
from recomposer_studio.errors import InputError

_EXTRA = "codecs"
_LARGEST_RATIO, _MOST_RATIOS, _MOST_CODEBOOKS = 64, 8, 64
_SIZES = ("sampling_rate", "encoder_hidden_size", "decoder_hidden_size", "n_codebooks", "codebook_size", "codebook_dim")
_SILENT_FRAMES = 9
"""Frames of silence whose middle one tells the codes of silence: nothing but silence is within its reach at the first ratios."""


@dataclass(frozen=True)
class PublishedConfig:
    """What defines the codec besides its weights; the names of the network's sizes are those of `transformers`.

    Attributes:
        kind: names the codec in a checkpoint.
        family: which of the library's networks it is.
        origin: where it came from, for people; nothing is read from there.
        levels: codebook levels that are used, the first of `n_codebooks`.
        sampling_rate: sample rate in Hz.
        encoder_hidden_size: channels of the encoder's first layer.
        decoder_hidden_size: channels of the decoder's first layer.
        downsampling_ratios: strides of the encoder.
        n_codebooks: codebook levels of the network.
        codebook_size: codes on every level, a power of two.
        codebook_dim: numbers that a code is compared by.
    """

    kind: str = "transformers"
    family: str = "dac"
    origin: str = ""
    levels: int = 9
    sampling_rate: int = 16_000
    encoder_hidden_size: int = 64
    decoder_hidden_size: int = 1536
    downsampling_ratios: tuple[int, ...] = (2, 4, 8, 8)
    n_codebooks: int = 9
    codebook_size: int = 1024
    codebook_dim: int = 8

    def __post_init__(self) -> None:
        """Compares the sizes with each other.

        Raises:
            ValueError: a size is impossible.
        """
        sizes = [self.levels, *(getattr(self, name) for name in _SIZES), *self.downsampling_ratios]
        if not all(isinstance(n, int) and n > 0 for n in sizes):
            raise ValueError("a size is no positive number")
        if not 0 < len(self.downsampling_ratios) <= _MOST_RATIOS or max(self.downsampling_ratios) > _LARGEST_RATIO:
            raise ValueError("impossible ratios")
        if not self.levels <= self.n_codebooks <= _MOST_CODEBOOKS or self.codebook_size & (self.codebook_size - 1):
            raise ValueError("impossible codebooks")
        if (self.kind, self.family) != ("transformers", "dac"):
            raise ValueError(f"the family {self.family!r} is unknown here")

    def as_json(self) -> dict[str, Any]:
        """The configuration as plain values."""
        return {**asdict(self), "downsampling_ratios": list(self.downsampling_ratios)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "PublishedConfig":
        """The inverse of `as_json`.

        Raises:
            InputError: unknown, missing or senseless values.
        """
        try:
            ratios = tuple(values["downsampling_ratios"])
            return PublishedConfig(**{**values, "downsampling_ratios": ratios})
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the codec's configuration is damaged ({error}); get the checkpoint again") from error


class PublishedCodec:
    """DAC, ready for use; see `interface.Codec`."""

    def __init__(self, config: PublishedConfig, network: Any) -> None:
        """Binds a network, the library's `DacModel`."""
        self.config = config
        self._network = network.eval()
        self._silence: NDArray[np.int64] | None = None

    @staticmethod
    def from_tensors(config: PublishedConfig, tensors: Mapping[str, Tensor]) -> "PublishedCodec":
        """The codec from the tensors of its weight files.

        Raises:
            InputError: `transformers` is not installed, or tensors are missing, unknown or of another size.
        """
        sizes = {name: getattr(config, name) for name in _SIZES}
        dac_config, dac_model = _library()
        network = dac_model(dac_config(downsampling_ratios=list(config.downsampling_ratios), **sizes))
        wanted = {name: weight.shape for name, weight in network.state_dict().items()}
        if wanted != {name: weight.shape for name, weight in tensors.items()}:
            raise InputError("the codec's weights do not fit its configuration; get the checkpoint again")
        if not any(weight.is_meta for weight in network.parameters()):  # on `meta` only the sizes above count
            network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        return PublishedCodec(config, network)

    def tensors(self) -> dict[str, Tensor]:
        """What `from_tensors` takes."""
        return dict(self._network.state_dict())

    def to(self, device: torch.device | str) -> "PublishedCodec":
        """Moves the weights to where both directions are to be worked out; returns itself."""
        self._network.to(device)
        return self

    @property
    def rate_hz(self) -> int:
        """Sample rate of the waveforms."""
        return self.config.sampling_rate

    @property
    def hop(self) -> int:
        """Samples of a token frame."""
        return math.prod(self.config.downsampling_ratios)

    @property
    def levels(self) -> int:
        """Codebook levels of a frame that are used."""
        return self.config.levels

    @property
    def codebooks(self) -> Tensor:
        """What every code adds to the latent frame, (levels, codes, hidden size): code and projection of the real quantiser."""
        with torch.no_grad():
            parts = list(self._network.quantizer.quantizers)[: self.levels]
            return torch.stack([q.codebook.weight @ q.out_proj.weight[:, :, 0].T + q.out_proj.bias for q in parts])

    @property
    def silence(self) -> NDArray[np.int64]:
        """The codes of a silent frame, shape (levels,)."""
        if self._silence is None:
            self._silence = self.encode(np.zeros(_SILENT_FRAMES * self.hop))[:, _SILENT_FRAMES // 2]
        return self._silence

    def encode(self, wave: NDArray[np.floating]) -> NDArray[np.int64]:
        """Codes of a mono waveform: (samples,) to (levels, frames)."""
        frames = -(-len(wave) // self.hop)
        if not frames:
            return np.zeros((self.levels, 0), np.int64)
        # Odd strides lose a frame at the end: one of silence is put there, and what comes too many is left out.
        padded = np.pad(np.asarray(wave, np.float32), (0, (frames + 1) * self.hop - len(wave)))
        with one_thread():
            waves = torch.from_numpy(padded)[None, None].to(self._network.device)
            codes = self._network.encode(waves, n_quantizers=self.levels).audio_codes
        return codes[0, :, :frames].cpu().numpy().astype(np.int64)

    def decode(self, tokens: NDArray[np.integer], seed: int = 0) -> NDArray[np.float32]:
        """A mono waveform of (k, frames) codes, shape (frames * hop,); DAC draws no noise, so the seed changes nothing."""
        samples = tokens.shape[1] * self.hop
        if not samples:
            return np.zeros(0, np.float32)
        with one_thread():
            codes = torch.from_numpy(np.ascontiguousarray(tokens, np.int64))[None].to(self._network.device)
            wave = self._network.decode(audio_codes=codes).audio_values[0].cpu().numpy()[:samples]
        return np.pad(wave, (0, samples - len(wave))).astype(np.float32)


def adopt(source: str, levels: int | None = None) -> PublishedCodec:
    """Reads a published DAC with the loading code of `transformers`.

    Args:
        source: a folder with `config.json` and `model.safetensors`, or a name on the Hugging Face hub such as `descript/dac_44khz`, which
            is fetched once and kept in the library's own cache.
        levels: how many codebook levels are used; None takes all.

    Raises:
        InputError: `transformers` is not installed, there is no such codec, or it is no DAC.
    """
    dac_config, dac_model = _library()
    try:
        # Safetensors alone: the other form of weights would run what it says.
        found = dac_config.from_pretrained(source)
        if dac_config.get_config_dict(source)[0].get("model_type") != "dac":
            raise ValueError("another kind of model")
        network, report = dac_model.from_pretrained(
            source, config=found, use_safetensors=True, output_loading_info=True
        )
        if report["missing_keys"] or report["unexpected_keys"] or report["mismatched_keys"]:
            raise ValueError("weights are missing or of another size")
    except (OSError, ValueError, RuntimeError, TypeError, KeyError, SafetensorError) as error:
        raise InputError(
            f"{source}: no DAC codec could be read there; name a folder with config.json and model.safetensors, or a hub name "
            "such as descript/dac_44khz while there is a network"
        ) from error
    sizes: dict[str, Any] = {name: int(getattr(found, name)) for name in _SIZES}
    sizes["downsampling_ratios"] = tuple(int(ratio) for ratio in found.downsampling_ratios)
    # Of a folder its name alone: checkpoints are passed on, and where things lie on this machine is nobody's business.
    origin = Path(source).resolve().name if Path(source).is_dir() else source
    try:
        config = PublishedConfig(origin=origin, levels=sizes["n_codebooks"] if levels is None else levels, **sizes)
    except ValueError as error:
        raise InputError(f"{source}: this DAC cannot be used ({error}); choose other levels or another one") from error
    return PublishedCodec(config, network.float())


def _library() -> tuple[Any, Any]:
    """The configuration and the network of DAC.

    Raises:
        InputError: `transformers` is not installed.
    """
    try:
        from transformers import DacConfig, DacModel
    except ImportError as error:
        raise InputError(
            f"published codecs need the library transformers; install Recomposer Studio with the extra '{_EXTRA}'"
        ) from error
    return DacConfig, DacModel
