"""The record of a run: one line of JSON a validation, and the same in TensorBoard, with pictures and sounds of fixed scenes."""

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

LOG = "log.jsonl"
FOLDER = "curves"


class Curves:
    """Writes beside the checkpoint: `log.jsonl`, and `curves/` for `tensorboard --logdir`.

    TensorBoard comes with the extra `train`; without it there are the lines alone.
    """

    def __init__(self, out: Path, part: str) -> None:
        """Opens the record.

        Args:
            out: checkpoint folder.
            part: which part of it is trained.
        """
        out.mkdir(parents=True, exist_ok=True)
        self._log, self._part = out / LOG, part
        self._writer: SummaryWriter | None = None
        try:
            from torch.utils.tensorboard import writer
        except ImportError:
            return
        self._writer = writer.SummaryWriter(str(out / FOLDER / part))

    def add(self, step: int, spent_s: float, figures: Mapping[str, float]) -> str:
        """Writes figures and returns their line; those that are not finite are written as null.

        Args:
            step: number of the step.
            spent_s: seconds of the budget that are gone.
            figures: name -> value; in TensorBoard a slash groups names.
        """
        shown = {name: round(value, 4) if math.isfinite(value) else None for name, value in figures.items()}
        facts = {"part": self._part, "time": time.strftime("%H:%M:%S"), "minutes": round(spent_s / 60.0, 1)}
        line = json.dumps({**facts, "step": step, **shown})
        with self._log.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if self._writer is not None:
            for name, value in figures.items():
                self._writer.add_scalar(name, value, step)
            self._writer.flush()
        return line

    def picture(self, step: int, name: str, planes: NDArray[np.floating]) -> None:
        """Shows a picture, (bands, frames) in [0, 1], low bands at the bottom; several, (n, bands, frames), one above the other."""
        if self._writer is not None:
            stacked = np.atleast_3d(planes.T).T if planes.ndim == 2 else planes
            rows = [np.pad(plane[::-1], ((0, 2), (0, 0)), constant_values=1.0) for plane in stacked]
            self._writer.add_image(name, np.clip(np.concatenate(rows), 0.0, 1.0)[None], step)

    def sound(self, step: int, name: str, samples: NDArray[np.floating], rate_hz: int) -> None:
        """Keeps a mono sound to listen to, (samples,)."""
        if self._writer is not None:
            self._writer.add_audio(name, np.clip(samples, -1.0, 1.0)[None].astype(np.float32), step, rate_hz)

    def close(self) -> None:
        """Ends the record."""
        if self._writer is not None:
            self._writer.close()
