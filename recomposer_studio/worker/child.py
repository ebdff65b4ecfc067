"""The child process that holds the model: `python -m recomposer_studio.worker.child FOLDER DEVICE`.

It opens the checkpoint and nothing else.
"""

import sys
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from recomposer_studio.worker import serving
from recomposer_studio.worker.frames import Frame, FrameError
from recomposer_studio.worker.messages import Kind, LoadedModel, greeting, read_mask, read_sound


def serve(load: Callable[[], LoadedModel]) -> None:
    """Serves the model that `load` gives until the parent goes."""
    serving.serve(load, greeting, _answer)


def _answer(model: LoadedModel, request: Frame, cancelled: Callable[[], bool]) -> tuple[NDArray[Any], ...]:
    kind = request.header["kind"]
    if kind == Kind.SHARE:
        return (model.share(read_mask(request)),)
    if kind == Kind.SOUND:
        return (model.sound(read_sound(request, cancelled)),)
    raise FrameError(f"there is no request {kind!r}")


def main() -> None:
    """Serves the checkpoint in a folder on a device, both from the command line."""
    folder, device = sys.argv[1:]

    def load() -> LoadedModel:
        # Here and not above: libraries that are loaded later already print to the right place, and a client that imports
        # this module gets no torch.
        from recomposer_studio.model.generator import load_generator

        return load_generator(folder, device)

    serve(load)


if __name__ == "__main__":
    main()
