"""Batches of training examples, drawn ahead of the network: in a thread beside it, or in processes of their own where it is fast."""

import multiprocessing
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

from recomposer_studio.errors import InputError
from recomposer_studio.model.conditioning import TextVectors
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import Library
from recomposer_studio.training.mask_examples import ExampleKeeper, MaskBatch, MaskExample, draw_examples

_AHEAD = 3


class ExampleStream:
    """The batches of a run, one after the other; what is fresh in a batch follows from `(seed, step)` however it is drawn."""

    def __init__(
        self, cache: AudioCache, texts: TextVectors, drawers: int, seed: int, size: int, fresh: int, step: int = 0
    ) -> None:
        """Begins to draw.

        Args:
            cache: decoded recordings; with `drawers` it needs a folder, which the processes share.
            texts: vectors for labels.
            drawers: processes that draw; 0 draws in a thread.
            seed: of the draws.
            size: examples in a batch.
            fresh: how many of them are new.
            step: the first batch's step.

        Raises:
            InputError: processes have no folder to share.
        """
        self._keeper = ExampleKeeper(seed, size)
        self._seed, self._fresh, self._step = seed, fresh, step
        self._executor: Executor
        self._draw: Callable[[int, int, int], list[MaskExample]]
        if drawers:
            if cache.folder is None:
                raise InputError("processes that draw scenes share decoded recordings; name a cache folder")
            cache.split("train")  # decoded once, before the processes look for it
            context = multiprocessing.get_context("spawn")
            library = replace(cache.library, skipped={})
            self._executor = ProcessPoolExecutor(drawers, context, _begin, (library, cache.folder, texts))
            self._draw = _draw
        else:
            self._executor = ThreadPoolExecutor(1)
            self._draw = partial(draw_examples, cache, texts)
        self._ahead: deque[Future[list[MaskExample]]] = deque()
        for number in range(max(_AHEAD, 2 * drawers)):
            self._ask(step + number)

    def next(self) -> MaskBatch:
        """The next step's batch."""
        fresh = self._ahead.popleft().result()
        self._ask(self._step + len(self._ahead) + 1)
        batch = self._keeper.batch(self._step, fresh)
        self._step += 1
        return batch

    def close(self) -> None:
        """Draws no more."""
        self._executor.shutdown(cancel_futures=True)

    def _ask(self, step: int) -> None:
        self._ahead.append(self._executor.submit(self._draw, self._seed, step, self._fresh))


# What a drawing process works with.
_tools: tuple[AudioCache, TextVectors] | None = None


def _begin(library: Library, folder: Path, texts: TextVectors) -> None:
    global _tools
    _tools = AudioCache(library, folder), texts


def _draw(seed: int, step: int, count: int) -> list[MaskExample]:
    assert _tools is not None
    return draw_examples(*_tools, seed, step, count)
