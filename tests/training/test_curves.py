"""The record of a run: lines that can be read again, and TensorBoard's files where it is installed."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from recomposer_studio.training.curves import FOLDER, LOG, Curves


def test_figures_are_kept_line_by_line(tmp_path: Path) -> None:
    curves = Curves(tmp_path, "mask")
    curves.add(1, 60.0, {"loss": 0.123456, "valid/x": float("nan")})
    shown = json.loads(curves.add(2, 90.0, {"loss": 0.1}))
    curves.close()
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text(encoding="utf-8").splitlines()]
    assert lines[1] == shown
    assert (lines[0]["part"], lines[0]["step"], lines[0]["minutes"]) == ("mask", 1, 1.0)
    assert (lines[0]["loss"], lines[0]["valid/x"]) == (0.1235, None)


def test_tensorboard_finds_curves_pictures_and_sounds(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard comes with the extra 'train'")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    curves = Curves(tmp_path, "mask")
    curves.add(5, 1.0, {"valid/plain delete": 0.5})
    curves.picture(5, "share", np.random.default_rng(0).random((2, 8, 12)))
    curves.picture(5, "one", np.zeros((8, 12)))
    curves.sound(5, "scene", np.zeros(3200), 32000)
    curves.close()
    found = EventAccumulator(str(tmp_path / FOLDER / "mask"))
    found.Reload()
    tags = found.Tags()
    assert any("plain" in tag for tag in tags["scalars"])
    assert set(tags["images"]) == {"share", "one"} and tags["audio"] == ["scene"]
    picture = found.Images("share")[0]
    assert (picture.width, picture.height) == (12, 20)


def test_without_tensorboard_there_are_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    curves = Curves(tmp_path, "mask")
    curves.picture(0, "share", np.zeros((2, 2)))
    curves.sound(0, "scene", np.zeros(4), 32000)
    curves.add(0, 0.0, {"loss": 1.0})
    curves.close()
    assert (tmp_path / LOG).is_file() and not (tmp_path / FOLDER).exists()
