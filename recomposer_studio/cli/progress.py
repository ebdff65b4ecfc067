"""Progress with a time estimate on a terminal, nothing elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

from recomposer_studio.editing.engine import Progress

_FORMAT = "{desc}: {percentage:3.0f}% |{bar}| {elapsed} so far, about {remaining} left {postfix}"


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A progress function that draws a bar on standard error if a person is looking at it."""
    watched = sys.stderr is not None and sys.stderr.isatty()
    bar: tqdm | None = None

    def show(done: int, total: int, what: str) -> None:
        nonlocal bar
        if not watched or total == 0:
            return
        if bar is None:
            bar = tqdm(desc=title, total=total, file=sys.stderr, leave=False, bar_format=_FORMAT, dynamic_ncols=True)
        bar.set_postfix_str(what[:30], refresh=False)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()
