"""Counter-based noise: a number is a function of its address alone, of neither order nor batch nor device."""

import numpy as np
from numpy.typing import NDArray

_WORD = (1 << 64) - 1
_PHASE_STREAM = 1


def addressed_uniform(seed: int, stream: int, frame: int, level: int, count: int) -> NDArray[np.float64]:
    """Uniform numbers in the open interval (0, 1) that belong to one address, shape (count,).

    Philox 4x64 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): the key is the seed, the three
    upper words of the counter are the address, the lowest word counts blocks of four numbers.

    Args:
        seed: up to 128 bits; the sign does not count.
        stream: keeps different uses of one seed apart.
        frame: number of the frame, from 0.
        level: number of the codebook level, from 0.
        count: how many numbers.
    """
    seed = abs(int(seed))
    key = np.array([seed & _WORD, (seed >> 64) & _WORD], dtype=np.uint64)
    counter = np.array([0, level & _WORD, frame & _WORD, stream & _WORD], dtype=np.uint64)
    raw = np.random.Philox(key=key, counter=counter).random_raw(count)
    # The upper 53 bits plus a half: never 0, never 1, the same on every platform.
    return ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def unit_noise(seed: int, frames: int, bins: int) -> NDArray[np.complex128]:
    """Unit values of random phase, (frames, bins); a frame's depend on the seed and its number alone."""
    phase = np.stack([addressed_uniform(seed, _PHASE_STREAM, frame, 0, bins) for frame in range(frames)])
    return np.exp(2j * np.pi * phase)
