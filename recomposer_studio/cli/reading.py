"""A progress bar for reading recordings that is gone before anything else is said."""

import sys
from contextlib import AbstractContextManager

from tqdm import tqdm

from recomposer_studio.cli.progress import progress_bar
from recomposer_studio.editing.engine import Progress


class ReadingBar:
    """A progress function; several collections may be read one after another, each with a bar of its own."""

    def __init__(self) -> None:
        """Draws nothing yet."""
        self._context: AbstractContextManager[Progress] | None = None
        self._show: Progress | None = None

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """Moves the bar, and takes it away with the last file."""
        if self._context is None or self._show is None:
            self._context = progress_bar("reading recordings")
            self._show = self._context.__enter__()
        self._show(done, total, what)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Takes the bar away."""
        if self._context is not None:
            self._context.__exit__(None, None, None)
        self._context = self._show = None


def say(sentence: str) -> None:
    """Prints a sentence on standard error, above a bar if there is one."""
    if sys.stderr is not None:
        tqdm.write(sentence, file=sys.stderr)
