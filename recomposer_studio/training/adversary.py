"""A light discriminator for the waveform codec's last third: it hears in spectra at three scales what regression leaves dull.

After the multi-scale STFT discriminator of EnCodec (Défossez et al. 2022) with 16 filters, about a twentieth of the usual cost. Hinge
losses, and the distance of what its layers make of both sounds.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from recomposer_studio.training.crew import Crew
from recomposer_studio.training.pace import Average, load_run, rate, save_run

_WINDOWS = (2048, 1024, 512)
_FILTERS = 16
_CLIP = 1.0
_FEATURES = 2.0


class _Scale(nn.Module):
    """Layers over the spectrum at one window; strides in frequency, growing reach in time."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self._window = window
        self.register_buffer("taper", torch.hann_window(window), persistent=False)
        sizes: list[tuple[int, tuple[int, int], tuple[int, int], tuple[int, int]]] = [(2, (3, 9), (1, 1), (1, 1))]
        sizes += [(_FILTERS, (3, 9), (1, 2), (dilation, 1)) for dilation in (1, 2, 4)]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(entering, _FILTERS, kernel, stride, (dilation[0], kernel[1] // 2), dilation))
            for entering, kernel, stride, dilation in sizes
        )
        self.last = weight_norm(nn.Conv2d(_FILTERS, 1, 3, padding=1))

    def forward(self, waves: Tensor) -> list[Tensor]:
        taper = self.get_buffer("taper")
        spectra = torch.stft(waves, self._window, self._window // 4, window=taper, center=False, return_complex=True)
        spectra = spectra * (2.0 / self._window)
        power = spectra.real.square() + spectra.imag.square()
        x = torch.view_as_real(spectra * (power + 1e-7) ** -0.25).permute(0, 3, 2, 1)
        outputs = []
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.2)
            outputs.append(x)
        return [*outputs, self.last(x)]


class Adversary:
    """The discriminator, its own steps, and its state beside the run's."""

    def __init__(self, state: Path, peak_rate: float, device: torch.device, crew: Crew, *, resume: bool) -> None:
        """Begins, or goes on with what lies in `state`.

        Raises:
            InputError: the state does not fit.
        """
        self._network = nn.ModuleList(_Scale(window) for window in _WINDOWS).to(device)
        self._optimiser = torch.optim.AdamW(self._network.parameters(), lr=peak_rate, betas=(0.8, 0.99))
        self._average = Average(self._network, 0.0)
        self._state, self._peak, self._crew = state, peak_rate, crew
        self._step = load_run(state, self._network, self._average, self._optimiser)[0] if resume else 0

    def learn(self, whole: Tensor, target: Tensor, share: float) -> None:
        """One step: `target` (batch, samples) is to be told from `whole`; `share` is the elapsed share of the budget."""
        loss = torch.zeros((), device=whole.device)
        for made, real in self._heard(whole.detach(), target):
            loss = loss + functional.relu(1.0 + made[-1]).mean() + functional.relu(1.0 - real[-1]).mean()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._crew.average_gradients(self._network)
        norm = nn.utils.clip_grad_norm_(self._network.parameters(), _CLIP)
        if bool(torch.isfinite(norm)):
            for group in self._optimiser.param_groups:
                group["lr"] = rate(self._peak, self._step, share)
            self._optimiser.step()
        self._step += 1

    def opinion(self, whole: Tensor, target: Tensor) -> Tensor:
        """What the codec is to lower: how sure the discriminator is, and how far its layers' outputs are apart."""
        loss = whole.new_zeros(())
        for made, real in self._heard(whole, target):
            loss = loss - made[-1].mean() / len(_WINDOWS)
            for a, b in zip(made[:-1], real[:-1], strict=True):
                distance = functional.l1_loss(a, b.detach()) / b.detach().abs().mean().clamp(min=1e-3)
                loss = loss + _FEATURES * distance / (len(_WINDOWS) * (len(made) - 1))
        return loss

    def keep(self) -> None:
        """Writes what is needed to go on."""
        if self._crew.leads:
            save_run(self._state, self._network, self._average, self._optimiser, self._step, 0.0)

    def _heard(self, whole: Tensor, target: Tensor) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
        for scale in self._network:
            yield scale(whole), scale(target)
