"""Progress with a time estimate on a terminal, nothing elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from recomposer_studio.editing.engine import Progress


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A progress function that draws a bar on standard error if a person is looking at it."""
    with tqdm(desc=title, total=0, file=sys.stderr, disable=not sys.stderr.isatty(), leave=False) as bar:

        def show(done: int, total: int, what: str) -> None:
            bar.total, bar.n = total, done
            bar.set_postfix_str(what[:30], refresh=False)
            bar.refresh()

        yield show
