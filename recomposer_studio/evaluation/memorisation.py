"""How much an insert is like a recording that the editor was trained on: the check against sounds learnt by heart.

A sound becomes a picture: levels in dB of 32 bands every 10 ms, from its loudest point down to 50 dB below, with what is silent at both ends cut
off, so that neither loudness nor the length of the box counts. Two pictures are laid upon each other at every lag; their correlation is Pearson's,
over all bands and all frames that either of them covers (where only one sounds the other is silent), and the largest over the lags is theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BANDS, BandGrid
from recomposer_studio.editing.regions import Region
from recomposer_studio.evaluation.anchors import spectrum_of
from recomposer_studio.evaluation.editors import Samples, Task
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.training.cache import RATE_HZ, SplitAudio

COPIED = 0.95
"""Above this correlation an insert counts as a copy of a training event."""
ALLOWED_SHARE = 0.05
"""Share of the inserts that may lie above it."""

_RANGE_DB = 50.0
_POOLED = 2
_MARGIN_FRAMES = 2
_SILENT = 1e-12
_BLOCK_FRAMES = 64
_FloatArray = NDArray[np.float64]


def sound_picture(samples: Samples, rate_hz: int) -> NDArray[np.float32]:
    """The picture of a sound.

    Args:
        samples: (n,).
        rate_hz: their rate.

    Returns:
        dB above 50 dB below the loudest point, (32, frames); no frames for silence.
    """
    grid = BandGrid.at(rate_hz)
    frames = len(samples) // grid.hop + 1 + 2 * _MARGIN_FRAMES
    power = grid.power(spectrum_of(samples, grid, -_MARGIN_FRAMES, frames))
    power = power.reshape(BANDS // _POOLED, _POOLED, frames).mean(axis=1)
    peak = float(power.max(initial=0.0))
    if peak < _SILENT:
        return np.zeros((BANDS // _POOLED, 0), np.float32)
    picture = np.maximum(0.0, 10.0 * np.log10(np.maximum(power / peak, _SILENT)) + _RANGE_DB)
    heard = np.flatnonzero(picture.any(axis=0))
    return picture[:, heard[0] : heard[-1] + 1].astype(np.float32)


def inserted(task: Task, estimate: Samples) -> _FloatArray:
    """What an editor has added to the scene in the row's region, (samples,)."""
    scene = task.scene
    region = Region.of(task.row, scene.rate_hz, len(scene.input), Recipe().fade_s)
    part = slice(region.start, region.stop)
    return np.asarray(estimate[part], np.float64) - scene.input[part].astype(np.float64)


@dataclass(frozen=True)
class _Shelf:
    """The pictures of many sounds, ready to be laid upon others.

    Attributes:
        spectra: over time, with room for one picture of `room` frames, (sounds, bands, frequencies) complex64.
        room: frames that another picture may have.
        points: length of the transforms.
    """

    spectra: NDArray[np.complex64]
    room: int
    points: int


class TrainingEvents:
    """The recordings of events that editors are trained on, as pictures; decoded and drawn when they are first asked for.

    Args:
        training: gives the decoded training split.
    """

    def __init__(self, training: Callable[[], SplitAudio]) -> None:
        """Reads nothing yet."""
        self._training = training
        self._shelves: dict[int, _Shelf] = {}

    @cached_property
    def _pictures(self) -> list[NDArray[np.float32]]:
        audio = self._training()
        return [sound_picture(audio.read(event.key), RATE_HZ) for event in audio.events]

    @cached_property
    def _class_names(self) -> NDArray[np.str_]:
        return np.array([event.class_name for event in self._training().events])

    def likeness(self, samples: Samples, rate_hz: int, class_name: str) -> dict[str, float]:
        """The training events that a sound is most like.

        Args:
            samples: the sound, (n,).
            rate_hz: its rate.
            class_name: its class.

        Returns:
            `like_any` and `like_any_event`: the largest correlation and the event's number in the training split; `like_class` and
            `like_class_event` among the events of the class, where there are any. Empty for silence and without training events.
        """
        picture = sound_picture(samples, rate_hz)
        if picture.shape[1] == 0 or not self._pictures:
            return {}
        correlations = self.correlations(picture)
        best = int(np.argmax(correlations))
        found = {"like_any": float(correlations[best]), "like_any_event": float(best)}
        own = np.flatnonzero(self._class_names == class_name)
        if len(own):
            best = int(own[np.argmax(correlations[own])])
            found |= {"like_class": float(correlations[best]), "like_class_event": float(best)}
        return found

    def correlations(self, picture: NDArray[np.float32]) -> _FloatArray:
        """The largest correlation over all lags with every training event, (events,).

        Args:
            picture: of at least one frame.
        """
        shelf = self._shelf(picture.shape[1])
        length, lengths = picture.shape[1], np.array([p.shape[1] for p in self._pictures])
        spectrum = np.fft.rfft(picture, shelf.points, axis=1).astype(np.complex64)
        # Of lag l: the sum over bands and frames of picture[:, t + l] * other[:, t]; negative lags wrap around.
        products = np.fft.irfft(np.einsum("ebf,bf->ef", shelf.spectra.conj(), spectrum), shelf.points, axis=1)
        lags = np.arange(shelf.points)
        lags = np.where(lags < length, lags, lags - shelf.points)
        covered = np.maximum(length, lags + lengths[:, None]) - np.minimum(0, lags)
        values = picture.shape[0] * covered.astype(np.float64)
        sums, squares = self._moments
        own_sum, own_square = float(picture.sum(dtype=np.float64)), float(np.square(picture, dtype=np.float64).sum())
        both = products - own_sum * sums[:, None] / values
        spread = (own_square - own_sum**2 / values) * (squares[:, None] - sums[:, None] ** 2 / values)
        # Where the two do not overlap at all there is nothing to be alike.
        correlation = np.where(lags > -lengths[:, None], both / np.sqrt(np.maximum(spread, 1e-9)), -1.0)
        return np.minimum(correlation.max(axis=1), 1.0)

    @cached_property
    def _moments(self) -> tuple[_FloatArray, _FloatArray]:
        """Sum and sum of squares of every picture, (events,) each."""
        pictures = [p.astype(np.float64) for p in self._pictures]
        return np.array([p.sum() for p in pictures]), np.array([np.square(p).sum() for p in pictures])

    def _shelf(self, frames: int) -> _Shelf:
        """The spectra with room for a picture of so many frames; kept for others of like length."""
        room = -(-frames // _BLOCK_FRAMES) * _BLOCK_FRAMES
        kept = [shelf for size, shelf in self._shelves.items() if size >= room]
        if kept:
            return kept[0]
        longest = max(p.shape[1] for p in self._pictures)
        points = -(-(room + longest) // _BLOCK_FRAMES) * _BLOCK_FRAMES
        spectra = [np.fft.rfft(p, points, axis=1).astype(np.complex64) for p in self._pictures]
        shelf = _Shelf(np.stack(spectra), room, points)
        # One at a time: with 1,600 events it takes a hundred megabytes.
        self._shelves = {room: shelf}
        return shelf
