"""The small commands: picture and models."""

from pathlib import Path

import pytest
from PIL import Image

from recomposer_studio.cli.main import main
from recomposer_studio.data import data_folder


def test_a_picture_of_the_demo_scene(tmp_path: Path) -> None:
    scene = data_folder("resources") / "demo"
    out = tmp_path / "picture.png"
    assert main(["picture", str(scene / "scene.flac"), "--roll", str(scene / "roll.json"), "--out", str(out)]) == 0
    with Image.open(out) as plain:
        assert plain.format == "PNG" and plain.width >= 1000
        colours = plain.convert("RGB").getcolors(maxcolors=1 << 20)
    assert colours is not None and len(colours) > 50


def test_models_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("repair: spectral repair")
    shipped = list(data_folder("models").glob("*/config.json"))
    assert len([line for line in lines[1:] if not line.startswith((" ", "tagger "))]) == len(shipped)
    assert sum(line.startswith("tagger ") for line in lines) == 2
