"""How every network is run: without gradients, on one thread, so that a result never depends on a machine's cores."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread(*, gradients: bool = False) -> Iterator[None]:
    """Runs the block on one intra-op thread and restores the number of threads afterwards.

    Sums are split between threads, so their number changes the last bits of a result; small networks are no slower on
    one.

    Args:
        gradients: whether gradients are computed, as in training.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode(mode=not gradients):
            yield
    finally:
        torch.set_num_threads(before)
