"""The child process that listens: `python -m recomposer_studio.worker.listener TAGGER`.

It opens the tagger's network and nothing else; the parent reads the recording and sends log-mel.
"""

import sys
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from recomposer_studio.tagging.tagger import FrameTagger, Tagger
from recomposer_studio.worker import serving
from recomposer_studio.worker.frames import Frame, FrameError
from recomposer_studio.worker.messages import Kind, read_log_mel, read_patches, read_pooled, tagger_greeting


def serve(load: Callable[[], Tagger]) -> None:
    """Serves the tagger that `load` gives until the parent goes."""
    serving.serve(load, tagger_greeting, _answer)


def _answer(tagger: Tagger, request: Frame, cancelled: Callable[[], bool]) -> tuple[NDArray[Any], ...]:
    kind = request.header["kind"]
    if kind == Kind.TAG:
        tags = tagger.tag(read_patches(request))
        return tags.scores, tags.embeddings
    if kind == Kind.SOUNDING and isinstance(tagger, FrameTagger):
        heard = tagger.sounding(read_log_mel(request))
        return heard.classes, heard.any_event, heard.onset, heard.features
    if kind == Kind.NAMES and isinstance(tagger, FrameTagger):
        return (tagger.names(read_pooled(request)),)
    raise FrameError(f"there is no request {kind!r}")


def main() -> None:
    """Serves the tagger that the command line names; on the processor, which listens many times faster than the sound lasts."""
    (name,) = sys.argv[1:]

    def load() -> Tagger:
        # Here and not above, as in `child`.
        from recomposer_studio.tagging.choice import load_tagger

        return load_tagger(name, "cpu")

    serve(load)


if __name__ == "__main__":
    main()
