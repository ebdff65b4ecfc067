"""Synthetic sound events: modal impacts, bells, clicks, drops, whooshes and beeps.

They widen the training material where few recordings exist; scenes for evaluation never use them. A sound is fixed by
its kind and its variant number.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np

RATE_HZ = 32000
VARIANTS = 48


def _modes(
    rng: np.random.Generator, seconds: float, freqs: np.ndarray, decay_s: np.ndarray, levels: np.ndarray
) -> np.ndarray:
    """Decaying sines (modal synthesis): (frames,) from (modes,) frequencies in Hz, times to -60 dB and amplitudes."""
    frames = round(seconds * RATE_HZ)
    poles = (2j * np.pi * freqs - np.log(1000.0) / decay_s) / RATE_HZ
    start = levels * np.exp(2j * np.pi * rng.random(len(freqs)))
    # exp(p (256 a + b)) = exp(256 p a) exp(p b): two short tables instead of one long one.
    coarse = np.exp(np.outer(poles, 256 * np.arange(-(-frames // 256)))) * start[:, None]
    fine = np.exp(np.outer(poles, np.arange(256)))
    return np.real(coarse.T @ fine).reshape(-1)[:frames]


def _impact(rng: np.random.Generator) -> np.ndarray:
    modes = int(rng.integers(5, 14))
    freqs = np.minimum(rng.uniform(70, 260) * (1 + np.cumsum(rng.uniform(0.3, 1.6, modes))), 14000.0)
    sound = _modes(rng, 0.45, freqs, rng.uniform(0.05, 0.4) * (freqs[0] / freqs) ** 0.4, freqs**-0.6)
    burst = rng.standard_normal(len(sound)) * np.exp(-np.arange(len(sound)) / (RATE_HZ * rng.uniform(0.001, 0.006)))
    return sound / np.abs(sound).max() + rng.uniform(0.1, 0.6) * burst


def _bell(rng: np.random.Generator) -> np.ndarray:
    partials = np.array([0.5, 1.0, 1.19, 1.5, 2.0, 2.74, 3.76, 5.4])
    freqs = rng.uniform(350, 1600) * partials * rng.uniform(0.99, 1.01, len(partials))
    freqs = np.minimum(freqs, 14000.0)
    return _modes(
        rng, 1.2, freqs, rng.uniform(0.6, 1.6) / partials**0.7, rng.uniform(0.3, 1.0, len(partials)) / partials**0.5
    )


def _click(rng: np.random.Generator) -> np.ndarray:
    sound = np.zeros(round(0.16 * RATE_HZ))
    for start_s in np.concatenate([[0.0], np.cumsum(rng.uniform(0.03, 0.07, int(rng.integers(0, 3))))]):
        start = round(start_s * RATE_HZ)
        freqs = rng.uniform(1200, 9000, 3)
        tick = _modes(rng, 0.02, freqs, rng.uniform(0.004, 0.02, 3), np.ones(3))
        stop = min(len(sound), start + len(tick))
        sound[start:stop] += tick[: stop - start]
    return sound


def _drop(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(round(0.2 * RATE_HZ)) / RATE_HZ
    pitch = rng.uniform(500, 2200) * (1 + rng.uniform(1, 8) * t)
    return (
        np.sin(2 * np.pi * np.cumsum(pitch) / RATE_HZ)
        * np.exp(-t / rng.uniform(0.01, 0.035))
        * np.minimum(1, t / 0.002)
    )


def _whoosh(rng: np.random.Generator) -> np.ndarray:
    frames = round(rng.uniform(0.35, 0.9) * RATE_HZ)
    hop, size = 256, 512
    steps = frames // hop + 2
    x = np.linspace(0, 1, steps)
    centre = rng.uniform(300, 900) * 2 ** (rng.uniform(1, 3) * np.sin(np.pi * x))
    freqs = np.fft.rfftfreq(size, 1 / RATE_HZ)
    gain = np.exp(-0.5 * (np.log2(np.maximum(freqs, 1)[None] / centre[:, None]) / rng.uniform(0.3, 0.8)) ** 2)
    spectrum = gain * np.exp(2j * np.pi * rng.random(gain.shape)) * np.sin(np.pi * x)[:, None] ** 2
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size))
    pieces = np.fft.irfft(spectrum, axis=1) * window
    sound = np.zeros((steps + 1) * hop)
    for part in range(2):
        sound[part * hop : part * hop + steps * hop] += pieces[:, part * hop : (part + 1) * hop].reshape(-1)
    return sound[:frames]


def _beep(rng: np.random.Generator) -> np.ndarray:
    seconds = rng.uniform(0.12, 0.4)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    base = rng.uniform(500, 2600)
    tone = sum(np.sin(2 * np.pi * base * k * t) / k ** rng.uniform(1, 3) for k in range(1, int(rng.integers(2, 6))))
    beep = np.asarray(tone) * np.minimum(1, np.minimum(t, seconds - t) / 0.005)
    gap = np.zeros(round(rng.uniform(0.04, 0.12) * RATE_HZ))
    return np.concatenate([beep, *([gap, beep] * int(rng.integers(0, 3)))])


_MAKERS: dict[str, tuple[str, Callable[[np.random.Generator], np.ndarray]]] = {
    "impact": ("Thump, thud", _impact),
    "bell": ("Bell", _bell),
    "click": ("Clicking", _click),
    "drop": ("Drip", _drop),
    "whoosh": ("Whoosh, swoosh, swish", _whoosh),
    "beep": ("Beep, bleep", _beep),
}

KINDS = tuple(_MAKERS)


def class_of(kind: str) -> str:
    """AudioSet display name under which a kind of synthetic event is edited."""
    return _MAKERS[kind][0]


@lru_cache(maxsize=len(KINDS) * VARIANTS)
def procedural_event(kind: str, variant: int) -> np.ndarray:
    """Samples (frames,) float32 at 32 kHz, peak 0.7, read-only.

    Args:
        kind: one of `KINDS`.
        variant: any whole number; the same number gives the same sound.

    Raises:
        KeyError: no such kind.
    """
    rng = np.random.default_rng([KINDS.index(kind) if kind in KINDS else 0, variant])
    sound = _MAKERS[kind][1](rng)
    sound = (0.7 / np.abs(sound).max() * sound).astype(np.float32)
    sound.flags.writeable = False
    return sound
