"""The codec for machines with a GPU: waveform to residual codes and back, trained end to end.

Unlike the log-mel codec it codes phase too, as far as that can be told; what cannot comes out of a noise branch, as there. 50 token frames
of 20 ms a second. Weights, sizes and training are its own; the interface is the same.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.noise import unit_noise
from recomposer_studio.codec.waveform_network import STEP, WaveformConfig, WaveformNetwork
from recomposer_studio.errors import InputError

EDGE = 2
"""Token frames of silence around a sound, in both directions: the network meets silence there, not the end of the data."""


class WaveformCodec:
    """The codec, ready for use; see `interface.Codec`."""

    def __init__(self, network: WaveformNetwork) -> None:
        """Binds a network."""
        self._network = network.eval()
        self._silence: NDArray[np.int64] | None = None

    @staticmethod
    def from_tensors(config: WaveformConfig, tensors: Mapping[str, Tensor]) -> "WaveformCodec":
        """The codec from the tensors of its weight file.

        Raises:
            InputError: tensors are missing, unknown or of another size.
        """
        network = WaveformNetwork(config)
        stored = {name: weight.shape for name, weight in stored_tensors(network).items()}
        if stored != {name: weight.shape for name, weight in tensors.items()}:
            raise InputError("the codec's weights do not fit its configuration; get the checkpoint again")
        if not any(weight.is_meta for weight in network.parameters()):  # on `meta` only the sizes above count
            network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=False)
            network.quantiser.ready.fill_(True)
        return WaveformCodec(network)

    def tensors(self) -> dict[str, Tensor]:
        """What `from_tensors` takes."""
        return stored_tensors(self._network)

    def to(self, device: torch.device | str) -> "WaveformCodec":
        """Moves the weights to where both directions are to be worked out; returns itself."""
        self._network.to(device)
        return self

    @property
    def config(self) -> WaveformConfig:
        """What defines the codec besides its weights."""
        return self._network.config

    @property
    def rate_hz(self) -> int:
        """Sample rate of the waveforms."""
        return self.config.rate_hz

    @property
    def hop(self) -> int:
        """Samples of a token frame."""
        return self.config.hop

    @property
    def levels(self) -> int:
        """Codebook levels of a frame."""
        return self.config.levels

    @property
    def codebooks(self) -> Tensor:
        """Vectors of all codes, (levels, codes, latent)."""
        return self._network.quantiser.codebooks.detach()

    @property
    def reach_frames(self) -> int:
        """Token frames on either side that a decoded frame depends on: the margin to decode along with a part."""
        return self._network.decoder_reach

    @property
    def encoder_reach_frames(self) -> int:
        """Token frames on either side that a frame's codes depend on."""
        return self._network.encoder_reach

    @property
    def silence(self) -> NDArray[np.int64]:
        """The codes of a silent frame, shape (levels,)."""
        if self._silence is None:
            self._silence = self.encode(np.zeros(self.hop))[:, 0]
        return self._silence

    def encode(self, wave: NDArray[np.floating]) -> NDArray[np.int64]:
        """Codes of a mono waveform: (samples,) to (levels, frames)."""
        frames = -(-len(wave) // self.hop)
        if not frames:
            return np.zeros((self.levels, 0), np.int64)
        after = (frames + EDGE) * self.hop - len(wave)
        padded = np.pad(np.asarray(wave, np.float32), (EDGE * self.hop, after))
        with one_thread():
            latents = self._network.analyse(torch.from_numpy(padded)[None].to(self._device))[0].T
            return self._network.quantiser.encode(latents)[:, EDGE : EDGE + frames].cpu().numpy()

    def decode(self, tokens: NDArray[np.integer], seed: int = 0) -> NDArray[np.float32]:
        """A mono waveform of (k, frames) codes, shape (frames * hop,)."""
        levels, frames = tokens.shape
        if not frames:
            return np.zeros(0, np.float32)
        edge = np.repeat(self.silence[:levels, None], EDGE, axis=1)
        framed = torch.from_numpy(np.concatenate([edge, tokens, edge], axis=1).astype(np.int64)).to(self._device)
        with one_thread():
            tone, noise = self._network.spectra(self._network.quantiser.decode(framed).T[None])
            # Numbered from the sound's first frame, so that the noise of a sound does not depend on what is put around it.
            phases = np.pad(unit_noise(seed, STEP * frames, noise.shape[2]), ((STEP * EDGE, STEP * EDGE), (0, 0)))
            spectra = tone + noise * torch.from_numpy(phases.astype(np.complex64)).to(self._device)
            wave = self._network.synthesise(spectra)[0].cpu().numpy()
        return wave[EDGE * self.hop : (EDGE + frames) * self.hop].astype(np.float32)

    @property
    def _device(self) -> torch.device:
        return self._network.window.device


def stored_tensors(network: WaveformNetwork) -> dict[str, Tensor]:
    """The weights that a checkpoint holds; how often codes were used is a matter of training."""
    training = ("quantiser.usage", "quantiser.ready")
    return {name: value for name, value in network.state_dict().items() if name not in training}
