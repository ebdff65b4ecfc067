"""The paper's mode: the tokens of the whole clip after its edits, generated anew. Nothing of the recording stays as it was."""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BandGrid
from recomposer_studio.audio.resample import resample
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.interface import Codec
from recomposer_studio.model.conditioning import EVENT_VECTOR
from recomposer_studio.model.decoder import (
    CONTEXT_FRAMES,
    Output,
    Prompt,
    TokenDecoder,
    generate_candidates,
    mixture_features,
    mixture_gain,
)
from recomposer_studio.project.recipe import Decoding
from recomposer_studio.roll.event import Action, Event

WINDOW_FRAMES = 150
"""Token frames that are generated at a stretch (3 s), the longest clips of the training; a longer clip is made of several."""
_SIDE_BY_SIDE = 8
"""Stretches that are generated together: a second one costs little, and none knows of another."""
_USUAL_POWER = 0.01
"""Mean power of a frame, all bands together: that of the training's backgrounds."""


def generate_clip(
    decoder: TokenDecoder,
    codec: Codec,
    samples: NDArray[np.floating],
    rate_hz: int,
    rows: Sequence[tuple[Event, NDArray[np.float32]]],
    seed: int,
    decoding: Decoding,
) -> NDArray[np.float32]:
    """A clip after its edits.

    Args:
        decoder: a network that makes mixtures.
        codec: its codec.
        samples: the clip before them, mono, (samples,).
        rate_hz: its rate.
        rows: the events with their vectors, (128,) each.
        seed: of the draws.
        decoding: sampling settings.

    Returns:
        As many samples at the same rate.
    """
    wave = resample(np.asarray(samples, np.float64)[None], rate_hz, codec.rate_hz)[0]
    frames = max(1, -(-len(wave) // codec.hop))
    grid = BandGrid.at(codec.rate_hz)
    start, stop = grid.span(0, -(-frames * codec.hop // grid.hop))
    padded = np.zeros(stop - start)
    heard = min(len(wave), stop)
    padded[-start : heard - start] = wave[:heard]
    power = grid.power(grid.stft(padded))
    # First as loud as the scenes of the training, so that what counts as silence does not depend on the recording's level.
    level = _USUAL_POWER / max(float(power.sum(0).mean()), 1e-12)
    power *= level
    count = -(-frames // WINDOW_FRAMES)
    length = -(-frames // count)
    # All stretches are alike long; what the last one has too much is cut off.
    active = np.zeros((len(rows), count * length), np.float32)
    edited = np.zeros(count * length, np.bool_)
    for row, (event, _) in enumerate(rows):
        first, last = (round(time_s * codec.rate_hz / codec.hop) for time_s in (event.start_s, event.end_s))
        active[row, first : max(last, first + 1)] = 1.0
        edited |= (active[row] > 0) & (event.action is not Action.KEEP)
    scene = mixture_features(power, grid.hop_s, edited)
    around = np.pad(active, ((0, 0), (CONTEXT_FRAMES, CONTEXT_FRAMES)))
    vectors = np.array([vector for _, vector in rows], np.float32).reshape(len(rows), EVENT_VECTOR)
    parts: list[NDArray[np.int64]] = []
    for first in range(0, count, _SIDE_BY_SIDE):
        numbers = range(first, min(first + _SIDE_BY_SIDE, count))
        windows = [slice(number * length, (number + 1) * length + 2 * CONTEXT_FRAMES) for number in numbers]
        prompts = [
            Prompt(
                scene=scene[:, window],
                event=np.zeros(EVENT_VECTOR, np.float32),
                frames=length,
                output=Output.MIXTURE,
                others=vectors,
                others_active=around[:, window],
            )
            for window in windows
        ]
        seeds = [_window_seed(seed, number) for number in numbers]
        parts += list(generate_candidates(decoder, prompts, decoding, seeds))
    with one_thread():
        made = np.asarray(codec.decode(np.concatenate(parts, axis=1)[:, :frames], seed), np.float64)
    made /= (level * mixture_gain(power)) ** 0.5
    out = resample(made[None, : len(wave)], codec.rate_hz, rate_hz)[0][: len(samples)]
    return np.pad(out, (0, len(samples) - len(out))).astype(np.float32)


def _window_seed(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=8).digest(), "big")
