"""The codec for machines without a GPU: log band powers, a residual vector quantiser, a small vocoder.

A token frame is 20 ms: the 64 log band powers of two frames of the band grid, 128 numbers. Every level is a k-means
codebook over what the levels before it left, so distortion falls with every level by construction. The phase is not
coded: the vocoder makes it up.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.audio.bands import BANDS, FRAMES_PER_S, BandGrid
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.noise import unit_noise
from recomposer_studio.codec.vocoder import Vocoder, VocoderConfig
from recomposer_studio.errors import InputError

FLOOR = 1e-8
"""Band power that counts as silence (-80 dB)."""
PAIR = 2
"""Frames of the band grid in a token frame."""

_EDGE = 4
"""Silent frames put around a sound before it is decoded."""
_CORRECTION_LIMIT = 4.0
"""Largest change of a band's magnitude in one correction pass (12 dB)."""

_FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class MelRvqConfig:
    """What defines the codec besides its weights.

    Attributes:
        kind: names the codec in a checkpoint.
        rate_hz: sample rate.
        levels: codebook levels.
        codebook_size: codes on every level.
        passes: corrections of the decoded sound towards the wanted band powers.
        vocoder: size of the vocoder.
    """

    kind: str = "mel_rvq"
    rate_hz: int = 32_000
    levels: int = 6
    codebook_size: int = 512
    passes: int = 4
    vocoder: VocoderConfig = field(default_factory=VocoderConfig)

    def as_json(self) -> dict[str, Any]:
        """The configuration as plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "MelRvqConfig":
        """The inverse of `as_json`.

        Raises:
            InputError: unknown, missing or senseless values.
        """
        try:
            config = MelRvqConfig(**{**values, "vocoder": VocoderConfig(**values["vocoder"])})
        except (KeyError, TypeError) as error:
            raise InputError(f"the codec's configuration is damaged ({error}); get the checkpoint again") from error
        numbers = [config.rate_hz, config.levels, config.codebook_size, *asdict(config.vocoder).values()]
        if not all(isinstance(n, int) and n > 0 for n in numbers) or config.rate_hz % (FRAMES_PER_S * PAIR):
            raise InputError("the codec's configuration holds impossible sizes; get the checkpoint again")
        return config


def log_bands(wave: NDArray[np.floating], rate_hz: int) -> _FloatArray:
    """Natural log of the band power of whole token frames, floored: (samples,) to (bands, 2 * token frames)."""
    grid = BandGrid.at(rate_hz)
    frames = PAIR * -(-len(wave) // (PAIR * grid.hop))
    start, stop = grid.span(0, frames)
    padded = np.zeros(stop - start)
    padded[-start : len(wave) - start] = wave
    return np.log(grid.power(grid.stft(padded)) + FLOOR)


def to_vectors(bands: _FloatArray) -> _FloatArray:
    """(bands, 2 * frames) to one vector a token frame, (frames, 128)."""
    return bands.reshape(BANDS, -1, PAIR).transpose(1, 2, 0).reshape(-1, PAIR * BANDS)


def from_vectors(vectors: _FloatArray) -> _FloatArray:
    """The inverse of `to_vectors`."""
    return vectors.reshape(-1, PAIR, BANDS).transpose(2, 0, 1).reshape(BANDS, -1)


def quantise(vectors: Tensor, codebooks: Tensor) -> Tensor:
    """Nearest codes level by level: (frames, n) and (levels, codes, n) to (levels, frames) int64."""
    rest, tokens = vectors, []
    for book in codebooks:
        distance = book.square().sum(1) - 2.0 * (rest @ book.T)
        tokens.append(distance.argmin(1))
        rest = rest - book[tokens[-1]]
    return torch.stack(tokens)


class MelRvqCodec:
    """The codec, ready for use; see `interface.Codec`."""

    def __init__(self, config: MelRvqConfig, mean: Tensor, codebooks: Tensor, vocoder: Vocoder) -> None:
        """Binds the parts: mean (128,), codebooks (levels, codes, 128)."""
        self.config = config
        self._mean = mean.float()
        self._codebooks = codebooks.float()
        self._vocoder = vocoder.eval()
        self._grid = BandGrid.at(config.rate_hz)
        self._silence: NDArray[np.int64] | None = None

    @staticmethod
    def from_tensors(config: MelRvqConfig, tensors: Mapping[str, Tensor]) -> "MelRvqCodec":
        """The codec from the tensors of its weight file.

        Raises:
            InputError: tensors are missing, unknown or of another size.
        """
        values = {name: tensor.float() for name, tensor in tensors.items()}
        vocoder = Vocoder(config.vocoder, config.rate_hz)
        try:
            mean, codebooks = values.pop("mean"), values.pop("codebooks")
            if not any(weight.is_meta for weight in vocoder.parameters()):  # on `meta` only the sizes below count
                vocoder.load_state_dict({name.removeprefix("vocoder."): tensor for name, tensor in values.items()})
            elif any(values[f"vocoder.{n}"].shape != weight.shape for n, weight in vocoder.state_dict().items()):
                raise RuntimeError("another size")
        except (KeyError, RuntimeError) as error:
            raise InputError("the codec's weights do not fit its configuration; get the checkpoint again") from error
        if codebooks.shape != (config.levels, config.codebook_size, PAIR * BANDS) or mean.shape != (PAIR * BANDS,):
            raise InputError("the codec's codebooks do not fit its configuration; get the checkpoint again")
        return MelRvqCodec(config, mean, codebooks, vocoder)

    def tensors(self) -> dict[str, Tensor]:
        """What `from_tensors` takes."""
        weights = {f"vocoder.{name}": tensor for name, tensor in self._vocoder.state_dict().items()}
        return {"mean": self._mean, "codebooks": self._codebooks, **weights}

    @property
    def rate_hz(self) -> int:
        """Sample rate of the waveforms."""
        return self.config.rate_hz

    @property
    def hop(self) -> int:
        """Samples of a token frame: 20 ms."""
        return PAIR * self._grid.hop

    @property
    def levels(self) -> int:
        """Codebook levels of a frame."""
        return self.config.levels

    @property
    def codebooks(self) -> Tensor:
        """Vectors of all codes, (levels, codes, 128): log band powers of two frames of the band grid."""
        return self._codebooks

    @property
    def reach_frames(self) -> int:
        """Token frames on either side that a decoded frame depends on: the vocoder's and 4 grid frames a pass."""
        return -(-(self._vocoder.reach_frames + 4 * (1 + self.config.passes)) // PAIR)

    @property
    def silence(self) -> NDArray[np.int64]:
        """The codes of a silent frame, shape (levels,)."""
        if self._silence is None:
            self._silence = self.encode(np.zeros(self.hop))[:, 0]
        return self._silence

    def encode(self, wave: NDArray[np.floating]) -> NDArray[np.int64]:
        """Codes of a mono waveform: (samples,) to (levels, frames)."""
        if not len(wave):
            return np.zeros((self.levels, 0), np.int64)
        return self.encode_vectors(to_vectors(log_bands(wave, self.rate_hz)))

    def encode_vectors(self, vectors: NDArray[np.floating]) -> NDArray[np.int64]:
        """Codes of log band powers, (frames, 128) to (levels, frames)."""
        with one_thread():
            return quantise(torch.from_numpy(vectors.astype(np.float32)) - self._mean, self._codebooks).numpy()

    def dequantise(self, tokens: NDArray[np.integer]) -> _FloatArray:
        """Log band power of codes: (k, frames) to (bands, 2 * frames)."""
        vectors = self._mean.numpy().astype(np.float64)[None].repeat(tokens.shape[1], axis=0)
        for book, row in zip(self._codebooks.numpy(), tokens, strict=False):
            vectors += book[row]
        return np.maximum(from_vectors(vectors), np.log(FLOOR))

    def decode(self, tokens: NDArray[np.integer], seed: int = 0) -> NDArray[np.float32]:
        """A mono waveform of (k, frames) codes, shape (frames * 640,) at 32 kHz."""
        return self.synthesise(self.dequantise(tokens), seed)

    def synthesise(self, log_power: _FloatArray, seed: int = 0) -> NDArray[np.float32]:
        """A mono waveform with the wanted log band power, (bands, frames) to (frames * hop,)."""
        wanted = np.pad(log_power, ((0, 0), (_EDGE, _EDGE)), constant_values=np.log(FLOOR))
        with one_thread():
            tone, noise = self._vocoder(torch.from_numpy(wanted[None].astype(np.float32)))
            spectrum = tone[0].numpy().astype(np.complex128)
            spectrum += noise[0].numpy() * unit_noise(seed, *spectrum.shape)
        # What lies within 3 dB of the floor is silence: it is wanted to vanish, not to hiss.
        power = np.maximum(np.exp(wanted) - 2.0 * FLOOR, 0.0)
        for _ in range(self.config.passes):
            spectrum = self._corrected(spectrum, power)
        wave = self._grid.istft(spectrum)
        start = _EDGE * self._grid.hop + self._grid.n_fft // 2
        return wave[start : start + log_power.shape[1] * self._grid.hop].astype(np.float32)

    def _corrected(self, spectrum: NDArray[np.complex128], wanted: _FloatArray) -> NDArray[np.complex128]:
        """The spectrum of the sound, its bands scaled to the wanted power.

        Overlap-add of frames that do not agree changes their power; taking the spectrum of the result, as Griffin and
        Lim do, and correcting band by band brings sound and wanted powers together.
        """
        actual = self._grid.stft(self._grid.istft(spectrum))
        gain = np.sqrt(wanted / (self._grid.power(actual) + 1e-12))
        gain = np.clip(gain, 1.0 / _CORRECTION_LIMIT, _CORRECTION_LIMIT)
        return actual * self._grid.to_bins(gain)
