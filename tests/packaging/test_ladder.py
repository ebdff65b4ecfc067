"""The rungs of packaging/ladder.py: their steps, what is marked as done, and how a part of one is left and taken up again."""

import csv
import importlib.util
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
import soundfile as sf
import torch

from recomposer_studio.cli.main import main as recomposer
from recomposer_studio.cli.parser import build_parser
from recomposer_studio.evaluation.evaluate import STUDY_NAMES
from recomposer_studio.model.checkpoint import load_checkpoint
from recomposer_studio.model.generator import TorchGenerator
from recomposer_studio.training import codec, decoder, mask
from recomposer_studio.training import critic as judge
from recomposer_studio.training import listener as listen
from recomposer_studio.training import waveform as wave
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest
from recomposer_studio.training.pace import write_tensors
from tests.model.tiny import write_tiny
from tests.training.tiny_library import write_library, write_table

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ladder(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("packaging_ladder", ROOT / "packaging" / "ladder.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "packaging_ladder", module)
    spec.loader.exec_module(module)
    return module


class Trainings:
    """Stands for `recomposer`: spends what a training may spend, and fails when told to."""

    states: ClassVar = {
        "listener": "listener-run.safetensors",
        "mask": "run.safetensors",
        "codec": "codec-run.safetensors",
        "decoder": "decoder-run.safetensors",
    }

    def __init__(self, out: Path) -> None:
        self.out, self.spent, self.seen, self.status = out, dict.fromkeys(self.states, 0.0), list[list[str]](), 0
        write_tiny(out)
        (out / "ATTRIBUTION.md").write_text("Thanks.\n", encoding="utf-8")

    def __call__(self, words: Sequence[str]) -> int:
        self.seen.append(list(words))
        if words[0] == "train" and words[1] in self.states and not self.status:
            part, budget = words[1], float(words[words.index("--max-minutes") + 1])
            pause = float(words[words.index("--pause-minutes") + 1]) if "--pause-minutes" in words else budget
            self.spent[part] = min(budget, self.spent[part] + pause)
            progress = {"progress": json.dumps({"step": 1, "spent_s": 60.0 * self.spent[part]})}
            write_tensors(self.out / self.states[part], {"network.x": torch.zeros(1)}, progress)
        return self.status

    def parts(self) -> list[str]:
        return [words[1] if words[0] == "train" else words[0] for words in self.seen]


@pytest.mark.parametrize(
    ("name", "waveform", "parts"),
    [
        ("gpu", False, ["listener", "mask", "decoder"]),
        ("gpu", True, ["codec", "listener", "mask", "decoder"]),
        ("cpu", False, ["codec", "listener", "mask", "decoder"]),
    ],
)
@pytest.mark.parametrize("rehearse", [False, True])
def test_a_rung_is_trainings_within_the_budget_and_figures(
    ladder: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    waveform: bool,
    parts: list[str],
    rehearse: bool,
) -> None:
    steps = ladder.rung(name, tmp_path / "data", tmp_path / "out", 10.0, rehearse, waveform)
    trainings, (critic, light, figures) = steps[:-3], steps[-3:]
    assert [step.words[:2] for step in trainings] == [("train", part) for part in parts]
    assert critic.words[:2] == ("train", "critic")
    assert light.words == ("light", str(tmp_path / "out"), str(tmp_path / "out-light"))
    assert figures.words[figures.words.index("--editor") + 1] == str(tmp_path / "out-light")
    assert set(STUDY_NAMES) > {word for at, word in enumerate(figures.words) if figures.words[at - 1] == "--study"}
    assert sum(step.minutes for step in steps) == pytest.approx(10.0)
    # Every command is one that `recomposer` understands, overlays included.
    build_parser().parse_args(figures.words)
    options: list[object] = []
    functions = [
        (listen, "train_listener"),
        (mask, "train_mask"),
        (codec, "train_codec"),
        (decoder, "train_decoder"),
        (wave, "train_waveform"),
    ]
    for module, function in (*functions, (judge, "train_critic")):
        monkeypatch.setattr(module, function, options.append)
    assert recomposer(critic.words) == 0
    fitted = options.pop()
    assert isinstance(fitted, judge.CriticTraining)
    assert (fitted.out, fitted.cache) == (tmp_path / "out", tmp_path / "out-cache")
    for step in trainings:
        assert recomposer([*step.words, "--resume", "--pause-minutes", "1"]) == 0
    assert [isinstance(o, wave.WaveformTraining) for o in options] == [waveform and part == "codec" for part in parts]
    device = "cuda" if name == "gpu" and not rehearse else "cpu"
    assert [(o.device, o.resume, o.cache) for o in options] == [  # type: ignore[attr-defined]
        (device, True, tmp_path / "out-cache")
    ] * len(parts)


def test_what_is_done_is_not_done_again_and_a_failure_ends_the_rung(ladder: ModuleType, tmp_path: Path) -> None:
    out, steps = tmp_path / "out", ladder.rung("gpu", tmp_path / "data", tmp_path / "out", 10.0, False)
    runner = Trainings(out)
    runner.status = 3
    assert ladder.climb(steps, out, None, runner) == 3
    runner.status = 0
    assert ladder.climb(steps, out, None, runner) == 0
    assert ladder.climb(steps, out, None, runner) == 0
    assert runner.parts() == ["listener", "listener", "mask", "decoder", "critic", "evaluate"]
    assert all("--pause-minutes" not in words for words in runner.seen)


def test_a_paused_rung_goes_on_where_it_was(ladder: ModuleType, tmp_path: Path) -> None:
    out, steps = tmp_path / "out", ladder.rung("gpu", tmp_path / "data", tmp_path / "out", 10.0, False)
    runner = Trainings(out)
    for _ in range(3):
        assert ladder.climb(steps, out, 4.0, runner) == 0
    # 1.5 minutes of the listener, 5.5 of the mask head and 3 of the decoder, four in each call.
    assert runner.parts() == ["listener", "mask", "mask", "decoder", "decoder", "critic", "evaluate"]
    pauses = [float(words[words.index("--pause-minutes") + 1]) for words in runner.seen[:-2]]
    assert pauses == pytest.approx([4.0, 2.5, 4.0, 1.0, 4.0])
    assert runner.spent == pytest.approx({"listener": 1.5, "mask": 5.5, "decoder": 3.0, "codec": 0.0})


def test_a_rung_ends_with_a_light_checkpoint_and_its_records(ladder: ModuleType, tmp_path: Path) -> None:
    out, steps = tmp_path / "out", ladder.rung("gpu", tmp_path / "data", tmp_path / "out", 10.0, False)
    runner = Trainings(out)
    (tmp_path / "out-light").mkdir()
    (tmp_path / "out-light" / "old.txt").write_text("of an earlier rung", encoding="utf-8")
    assert ladder.climb(steps, out, None, runner) == 0
    (out / "log.jsonl").write_text("{}\n", encoding="utf-8")
    files = {path.name for path in ladder.gather(out)}
    assert {"config.json", "ATTRIBUTION.md", "records.zip", "mask.safetensors"} <= files
    assert "old.txt" not in files
    assert len(files) <= 8
    with zipfile.ZipFile(tmp_path / "out-light" / "records.zip") as archive:
        assert set(archive.namelist()) == {"log.jsonl", "ladder.txt"}
    heavy, light = load_checkpoint(out), load_checkpoint(tmp_path / "out-light")
    assert (light.configs, light.classes, light.name) == (heavy.configs, heavy.classes, heavy.name)
    for part, tensors in light.tensors.items():
        for name, tensor in tensors.items():
            assert tensor.dtype in (torch.float16, heavy.tensors[part][name].dtype)
            assert tensor.dtype != torch.float32
            assert torch.allclose(tensor.float(), heavy.tensors[part][name].float(), rtol=1e-3, atol=1e-6)
    TorchGenerator(light)


def test_a_small_pack_has_shorter_backgrounds_and_all_events(
    ladder: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = write_library(tmp_path, events_per_class=1, backgrounds=2)
    for row in rows:
        row["duration_s"] = "100.000" if row["path"].endswith("train-0.wav") else row["duration_s"]
    write_table(tmp_path, rows)

    def encoded(data: Path, out: Path, rows: Sequence[dict[str, str]], longest_s: float) -> int:
        """An encoder that takes a tenth more than it was asked for."""
        return round(sum(1.1 * 7500 * min(float(row["duration_s"]), longest_s) for row in rows))

    monkeypatch.setattr(ladder, "_pack_all", encoded)
    durations = {}
    for mebibytes in (2.0, 0.8):
        out = tmp_path / f"{mebibytes}"
        assert ladder.pack(tmp_path, out, mebibytes) <= mebibytes * 2**20
        with (out / "manifest.csv").open(encoding="utf-8", newline="") as file:
            packed = list(csv.DictReader(file))
        assert sum(row["kind"] == "event" for row in packed) == 8
        durations[mebibytes] = max(float(row["duration_s"]) for row in packed)
    assert durations[2.0] == 100.0
    assert 10.0 <= durations[0.8] < 80.0
    with pytest.raises(SystemExit, match="mebibytes"):
        ladder.pack(tmp_path, tmp_path / "none", 0.1)


@pytest.mark.parametrize("seconds", [0.0, 30.0, 47.0, 1000.0])
def test_backgrounds_are_cut_no_shorter_than_a_scene(ladder: ModuleType, seconds: float) -> None:
    lengths = [5.0, 12.0, 30.0]
    cut = ladder._cut_for(lengths, seconds)
    assert 10.0 <= cut <= 30.0
    assert cut == 10.0 or sum(min(s, cut) for s in lengths) <= seconds + 1e-6
    assert cut == 30.0 or sum(min(s, cut) for s in lengths) >= min(seconds, 25.0) - 1e-6


def test_packed_recordings_are_the_recordings(ladder: ModuleType, tmp_path: Path) -> None:
    write_library(tmp_path / "data", events_per_class=1, backgrounds=1)
    assert ladder.main(["pack", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "small")]) == 0
    with (tmp_path / "small" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["split"] for row in rows} == {"train", "valid"}
    library = load_manifest(tmp_path / "small")
    audio = AudioCache(library).split("train")
    assert not audio.skipped
    assert not library.skipped
    for row in rows:
        original, rate_hz = sf.read((tmp_path / "data" / row["path"]).with_suffix(".wav"))
        packed, packed_hz = sf.read(tmp_path / "small" / row["path"])
        assert len(packed) == pytest.approx(len(original) * packed_hz / rate_hz, abs=2)
        # At the lower rates Opus loses bands, and a network would tell sounds by what they lack.
        assert np.sqrt(np.mean(packed**2)) == pytest.approx(np.sqrt(np.mean(original**2)), rel=0.05)
