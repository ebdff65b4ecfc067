"""Trains a checkpoint from nothing to a card's figures, unattended: one rung of the ladder a call.

    python packaging/ladder.py pack --data DIR --out SMALL               the recordings as Opus files with their table, to travel
    python packaging/ladder.py cpu  --data DIR --out OUT [--minutes 190] mask head, codec and decoder at the default sizes
    python packaging/ladder.py gpu  --data DIR --out OUT [--minutes 28]  mask head and decoder at the sizes for one GPU; the codec is the
                                                                         shipped one, so that its tokens stay what they are

`--rehearse` goes through the very same steps in about two minutes with tiny networks on the processor: what works there needs no debugging on a
GPU. `--pause M` ends a part of the rung after M minutes of training; the same call again goes on. Every step is a `recomposer` command, which is
printed before it runs; a step that fails ends the rung with its status.
"""

import argparse
import csv
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OVERLAYS = ROOT / "packaging" / "ladder"
SHIPPED = ROOT / "models" / "recomposer-small"
_OPUS_HZ = 48000
_KBPS = {"event": 64.0, "background": 60.0}
"""Opus rates of the packed recordings. Up to 52 kbit/s the encoder takes 3 dB from what lies at 4-8 kHz; from 56 on it keeps every band."""
_LONGEST_BACKGROUND_S = 30.0
"""Longer backgrounds are cut, so that the pack stays below 40 MiB; a scene takes ten seconds of one at most."""


_STATES = {"mask": "run.safetensors", "codec": "codec-run.safetensors", "decoder": "decoder-run.safetensors"}
_LEAST_MINUTES = 0.02


@dataclass(frozen=True)
class Step:
    """One command of a rung.

    Attributes:
        words: arguments of `recomposer`.
        minutes: its share of the budget, or 0 where it takes none.
    """

    words: tuple[str, ...]
    minutes: float = 0.0


def rung(name: str, data: Path, out: Path, minutes: float, rehearse: bool) -> list[Step]:
    """The steps of a rung.

    Args:
        name: `cpu` or `gpu`.
        data: recordings with their table.
        out: checkpoint folder.
        minutes: budget of all trainings together.
        rehearse: tiny networks on the processor.
    """
    device = "cuda" if name == "gpu" and not rehearse else "cpu"
    drawers = 0 if device == "cpu" and not rehearse else 1 if rehearse else max(1, (os.cpu_count() or 2) - 2)
    cache = out.parent / f"{out.name}-cache"
    common = ("--data", str(data), "--out", str(out), "--cache", str(cache), "--device", device)
    shares = {"mask": 0.65, "decoder": 0.35} if name == "gpu" else {"codec": 0.13, "mask": 0.5, "decoder": 0.37}
    steps = []
    for part, share in shares.items():
        own = round(minutes * share, 2)
        words = ["train", part, *common, "--max-minutes", str(own)]
        overlay = OVERLAYS / f"{'rehearse' if rehearse else name}-{part}.json"
        words += ["--overlay", str(overlay)] if overlay.is_file() else []
        words += ["--drawers", str(drawers)] if part == "mask" and drawers else []
        steps.append(Step(tuple(words), own))
    scenes = "2" if rehearse else "60"
    measure = ("evaluate", "--data", str(data), "--split", "valid", "--scenes", scenes, "--editor", str(out))
    measure = (*measure, "--cache", str(cache))
    steps.append(Step((*measure, "--out", str(out.parent / f"{out.name}-figures"), "--device", "cpu", "--no-examples")))
    return steps


def recomposer(words: Sequence[str]) -> int:
    """Runs a `recomposer` command and returns its status."""
    command = [sys.executable, "-m", "recomposer_studio.cli.main", *words]
    return subprocess.run(command, check=False, cwd=ROOT).returncode


def climb(
    steps: Sequence[Step], out: Path, pause: float | None, runner: Callable[[Sequence[str]], int] = recomposer
) -> int:
    """Runs the steps that are not done yet; the status of the first that fails, else 0.

    Args:
        steps: of a rung.
        out: checkpoint folder; `ladder.txt` there lists what is done.
        pause: minutes of training in this call, None for all.
        runner: runs a command.
    """
    out.mkdir(parents=True, exist_ok=True)
    done = out / "ladder.txt"
    behind = done.read_text(encoding="utf-8").splitlines() if done.is_file() else []
    left = math.inf if pause is None else pause
    for step in steps:
        name = " ".join(step.words)
        if name in behind:
            continue
        words, before = list(step.words), spent_minutes(out, step.words[1])
        if step.minutes:
            if left < _LEAST_MINUTES:
                print("paused; the same call goes on", flush=True)
                return 0
            words += ["--resume", *([] if pause is None else ["--pause-minutes", f"{left:.2f}"])]
        print("recomposer", *words, flush=True)
        if status := runner(words):
            return status
        if step.minutes:
            spent = spent_minutes(out, step.words[1])
            left -= spent - before
            # A training that has used its whole budget has come to its end; one that paused has not.
            if spent < step.minutes - _LEAST_MINUTES:
                print(f"paused after {spent:.1f} of {step.minutes:.1f} minutes; the same call goes on", flush=True)
                return 0
        with done.open("a", encoding="utf-8") as file:
            file.write(name + "\n")
    return 0


def spent_minutes(out: Path, part: str) -> float:
    """Minutes of its budget that the training of a part has used, as its state says; 0 before it."""
    from safetensors import safe_open

    state = out / _STATES.get(part, "none")
    if not state.is_file():
        return 0.0
    with safe_open(state, framework="numpy") as file:
        return float(json.loads(file.metadata()["progress"])["spent_s"]) / 60.0


def pack(data: Path, out: Path) -> int:
    """Copies the table and every recording for training and tuning that it names, as mono Opus files; returns the bytes written.

    Opus keeps what is below 20 kHz; training works at 32 kHz. Figures of a published checkpoint are measured on the originals.
    """
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        rows = [row for row in reader if row.get("split") in ("train", "valid")]
    out.mkdir(parents=True, exist_ok=True)
    targets = [out / Path(row["path"]).with_suffix(".opus") for row in rows]
    # libsndfile works without the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        total = sum(pool.map(_pack_one, [data / row["path"] for row in rows], targets, [row["kind"] for row in rows]))
    for row, target in zip(rows, targets, strict=True):
        row["path"] = target.relative_to(out).as_posix()
        if row["kind"] == "background":
            row["duration_s"] = f"{min(_LONGEST_BACKGROUND_S, float(row['duration_s'])):.3f}"
    with (out / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return total + (out / "manifest.csv").stat().st_size


def _pack_one(source: Path, target: Path, kind: str) -> int:
    """Writes a recording as Opus; returns the bytes."""
    import numpy as np
    import soundfile as sf
    import soxr

    samples, rate_hz = sf.read(source, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if kind == "background":
        mono = mono[: round(_LONGEST_BACKGROUND_S * rate_hz)]
    if rate_hz != _OPUS_HZ:
        mono = soxr.resample(mono, rate_hz, _OPUS_HZ)
    target.parent.mkdir(parents=True, exist_ok=True)
    # libsndfile's compression level for Opus: 0 is 256 kbit/s, 1 is 6 kbit/s for one channel.
    level = (256.0 - _KBPS[kind]) / 250.0
    sf.write(target, np.clip(mono, -1.0, 1.0), _OPUS_HZ, format="OGG", subtype="OPUS", compression_level=level)
    return target.stat().st_size


def main(argv: list[str] | None = None) -> int:
    """Runs a rung or packs the recordings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rung", choices=("pack", "cpu", "gpu"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--pause", type=float)
    parser.add_argument("--rehearse", action="store_true")
    chosen = parser.parse_args(argv)
    if chosen.rung == "pack":
        print(f"{pack(chosen.data, chosen.out) / 2**20:.1f} MiB in {chosen.out}")
        return 0
    minutes = chosen.minutes or (0.5 if chosen.rehearse else 28.0 if chosen.rung == "gpu" else 190.0)
    out: Path = chosen.out.resolve()
    if chosen.rung == "gpu" and not (out / "config.json").is_file():
        # Only the codec is taken over: the other parts are trained anew.
        out.mkdir(parents=True, exist_ok=True)
        _codec_alone(SHIPPED, out)
    return climb(rung(chosen.rung, chosen.data.resolve(), out, minutes, chosen.rehearse), out, chosen.pause)


def _codec_alone(source: Path, out: Path) -> None:
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config["parts"] = {"codec": config["parts"]["codec"]}
    config["name"], config["better_than_repair"] = out.name, []
    for entry in config["parts"]["codec"]["files"]:
        shutil.copyfile(source / entry["file"], out / entry["file"])
    (out / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
