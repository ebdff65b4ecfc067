"""Trains a checkpoint from nothing to a card's figures, unattended: one rung of the ladder a call.

    python packaging/ladder.py pack --data DIR --out SMALL [--kbps 72]   the recordings as Opus files with their table, to travel
    python packaging/ladder.py cpu  --data DIR --out OUT [--minutes 190] mask head, codec and decoder at the default sizes
    python packaging/ladder.py gpu  --data DIR --out OUT [--minutes 28]  mask head and decoder at the sizes for one GPU; the codec is the
                                                                         shipped one, so that its tokens stay what they are

`--rehearse` goes through the very same steps in about two minutes with tiny networks on the processor: what works there needs no debugging on a
GPU. `--pause M` ends a part of the rung after M minutes of training; the same call again goes on. Every step is a `recomposer` command, which is
printed before it runs; a step that fails ends the rung with its status.
"""

import argparse
import csv
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OVERLAYS = ROOT / "packaging" / "ladder"
SHIPPED = ROOT / "models" / "recomposer-small"
_OPUS_HZ = 48000


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
    common = (
        "--data",
        str(data),
        "--out",
        str(out),
        "--cache",
        str(out.parent / f"{out.name}-cache"),
        "--device",
        device,
    )
    shares = {"mask": 0.65, "decoder": 0.35} if name == "gpu" else {"codec": 0.13, "mask": 0.5, "decoder": 0.37}
    steps = []
    for part, share in shares.items():
        words = ["train", part, *(common[:4] if part == "codec" else common)]
        words += ["--max-minutes", f"{minutes * share:.2f}"]
        overlay = OVERLAYS / f"{'rehearse' if rehearse else name}-{part}.json"
        words += ["--overlay", str(overlay)] if overlay.is_file() else []
        words += ["--drawers", str(drawers)] if part == "mask" and drawers else []
        steps.append(Step(tuple(words), minutes * share))
    scenes = "2" if rehearse else "60"
    measure = ("evaluate", "--data", str(data), "--split", "valid", "--scenes", scenes, "--editor", str(out))
    steps.append(Step((*measure, "--out", str(out.parent / f"{out.name}-figures"), "--device", "cpu", "--no-examples")))
    return steps


def climb(steps: list[Step], out: Path, pause: float | None) -> int:
    """Runs the steps that are not done yet; the status of the first that fails, else 0."""
    out.mkdir(parents=True, exist_ok=True)
    done = out / "ladder.txt"
    behind = done.read_text(encoding="utf-8").splitlines() if done.is_file() else []
    left = pause
    for number, step in enumerate(steps):
        name = f"{number} {' '.join(step.words[:2])}"
        if name in behind:
            continue
        words = list(step.words)
        if step.words[0] == "train":
            words.append("--resume")
            if left is not None and step.words[1] != "codec":
                words += ["--pause-minutes", f"{left:.2f}"]
        print("recomposer", *words, flush=True)
        status = subprocess.run(
            [sys.executable, "-m", "recomposer_studio.cli.main", *words], check=False, cwd=ROOT
        ).returncode
        if status:
            return status
        if left is not None and step.minutes:
            # A training that has used its whole budget has come to its end; one that paused has not.
            spent = _spent_minutes(out, step.words[1])
            if spent is not None and spent < step.minutes - 0.01:
                print(f"paused after {spent:.1f} of {step.minutes:.1f} minutes; the same call goes on", flush=True)
                return 0
        with done.open("a", encoding="utf-8") as file:
            file.write(name + "\n")
    return 0


def _spent_minutes(out: Path, part: str) -> float | None:
    import json

    lines = (out / "log.jsonl").read_text(encoding="utf-8").splitlines() if (out / "log.jsonl").is_file() else []
    spent = [entry["minutes"] for entry in map(json.loads, lines) if entry.get("part") == part]
    return float(spent[-1]) + 0.05 if spent else None


def pack(data: Path, out: Path, kbps: int) -> int:
    """Copies the table and every recording that it names, as mono Opus files; returns the bytes written.

    Opus keeps what is below 20 kHz; training works at 32 kHz. Figures of a published checkpoint are measured on the originals.
    """
    import numpy as np
    import soundfile as sf
    import soxr

    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        rows = [row for row in reader if row.get("split") in ("train", "valid")]
    out.mkdir(parents=True, exist_ok=True)
    total = 0
    for row in rows:
        samples, rate_hz = sf.read(data / row["path"], dtype="float32", always_2d=True)
        mono = soxr.resample(samples.mean(axis=1), rate_hz, _OPUS_HZ) if rate_hz != _OPUS_HZ else samples.mean(axis=1)
        target = out / Path(row["path"]).with_suffix(".opus")
        target.parent.mkdir(parents=True, exist_ok=True)
        # libsndfile's compression level for Opus: 0 is 256 kbit/s, 1 is 6 kbit/s for one channel.
        level = float(np.clip((256.0 - kbps) / 250.0, 0.0, 1.0))
        sf.write(target, np.clip(mono, -1.0, 1.0), _OPUS_HZ, format="OGG", subtype="OPUS", compression_level=level)
        row["path"] = target.relative_to(out).as_posix()
        total += target.stat().st_size
    with (out / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return total + (out / "manifest.csv").stat().st_size


def main(argv: list[str] | None = None) -> int:
    """Runs a rung or packs the recordings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rung", choices=("pack", "cpu", "gpu"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--pause", type=float)
    parser.add_argument("--kbps", type=int, default=72)
    parser.add_argument("--rehearse", action="store_true")
    chosen = parser.parse_args(argv)
    if chosen.rung == "pack":
        print(f"{pack(chosen.data, chosen.out, chosen.kbps) / 2**20:.1f} MiB in {chosen.out}")
        return 0
    minutes = chosen.minutes or (0.5 if chosen.rehearse else 28.0 if chosen.rung == "gpu" else 190.0)
    out: Path = chosen.out.resolve()
    if chosen.rung == "gpu" and not (out / "config.json").is_file():
        # Only the codec is taken over: the other parts are trained anew.
        out.mkdir(parents=True, exist_ok=True)
        _codec_alone(SHIPPED, out)
    return climb(rung(chosen.rung, chosen.data.resolve(), out, minutes, chosen.rehearse), out, chosen.pause)


def _codec_alone(source: Path, out: Path) -> None:
    import json

    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config["parts"] = {"codec": config["parts"]["codec"]}
    config["name"], config["better_than_repair"] = out.name, []
    for entry in config["parts"]["codec"]["files"]:
        shutil.copyfile(source / entry["file"], out / entry["file"])
    (out / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
