"""Drawing codes with counter-based noise: one seed, frame and level draw one code in any batch, order or company."""

from math import inf

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.codec.noise import addressed_uniform
from recomposer_studio.project.recipe import Decoding

_CODE_STREAM = 2


def filtered(logits: NDArray[np.floating], decoding: Decoding) -> NDArray[np.float64]:
    """Logits divided by the temperature, minus infinity for codes that top-k and top-p leave out, (codes,).

    Top-p keeps the likeliest codes up to and with the one that reaches the wanted mass; equal logits count in the
    order of the codes.
    """
    values = np.asarray(logits, np.float64) / decoding.temperature
    order = np.argsort(-values, kind="stable")
    keep = len(order)
    if decoding.top_k:
        keep = min(keep, decoding.top_k)
    if decoding.top_p < 1.0:
        shares = np.exp(values[order[:keep]] - values[order[0]])
        mass = np.cumsum(shares / shares.sum())
        keep = min(keep, 1 + int(np.searchsorted(mass, decoding.top_p)))
    out = np.full_like(values, -inf)
    out[order[:keep]] = values[order[:keep]]
    return out


def draw_code(logits: NDArray[np.floating], decoding: Decoding, seed: int, frame: int, level: int) -> int:
    """Draws a code from the softmax of filtered logits by the Gumbel-max trick; temperature 0 takes the likeliest.

    Args:
        logits: (codes,).
        decoding: temperature, top-k and top-p.
        seed: the event's seed.
        frame: frame of the event.
        level: codebook level.
    """
    if decoding.temperature == 0.0:
        return int(np.argmax(logits))
    uniform = addressed_uniform(seed, _CODE_STREAM, frame, level, len(logits))
    return int(np.argmax(filtered(logits, decoding) - np.log(-np.log(uniform))))
