"""Trains a checkpoint from nothing to a card's figures, unattended: one rung of the ladder a call.

    python packaging/ladder.py pack --data DIR --out SMALL               the recordings as Opus files with their table, to travel
    python packaging/ladder.py cpu  --data DIR --out OUT [--minutes 230] codec, listener, mask head, decoder and critic at the default sizes
    python packaging/ladder.py gpu  --data DIR --out OUT [--minutes 22]  listener, mask head, decoder and critic at the sizes for one GPU; the codec
                                                                         is the shipped one, so that its tokens stay what they are

A rung ends with OUT-light, the checkpoint in half precision, with its figures on validation scenes, the actions in which these say that it
beats spectral repair, and the records of its trainings: at most eight files of at most 15 MiB. `--waveform` trains a codec of the waveform
first, instead of taking the shipped one or that of log-mel frames.

`--rehearse` goes through the very same steps in a few minutes with tiny networks on the processor: what works there needs no debugging on a
GPU. `--pause M` ends a part of the rung after M minutes of training; the same call again goes on. Every step is a `recomposer` command, which is
printed before it runs; a step that fails ends the rung with its status. docs/training.md has more.
"""

import argparse
import csv
import json
import math
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OVERLAYS = ROOT / "packaging" / "ladder"
SHIPPED = ROOT / "models" / "recomposer-small"
LIGHT = "light"
"""Name of the step that writes the checkpoint in half precision."""

_OPUS_HZ = 48000
_KBPS = 56.0
"""Opus rate of the packed recordings. At 52 kbit/s the encoder takes 3 dB from what lies at 4-8 kHz; from 56 on it keeps every band to 0.2 dB."""
_PACK_MIB = 60.0
_SHORTEST_CUT_S = 10.0
"""A validation scene takes ten seconds of a background, so none is cut shorter for the sake of a small pack."""
_CLOSER = 0.97

_STATES = {
    "listener": "listener-run.safetensors",
    "mask": "run.safetensors",
    "codec": "codec-run.safetensors",
    "decoder": "decoder-run.safetensors",
}
_LEAST_MINUTES = 0.02
_SHARES = {
    "cpu": {"codec": 0.1, "listener": 0.2, "mask": 0.4, "decoder": 0.3},
    "gpu": {"listener": 0.15, "mask": 0.55, "decoder": 0.3},
    "waveform": {"codec": 0.38, "listener": 0.12, "mask": 0.3, "decoder": 0.2},
}
_STUDIES = ("anchors", "swap", "memorisation")
_MOST_FILES = 8
_DONE = "ladder.txt"


@dataclass(frozen=True)
class Step:
    """One command of a rung.

    Attributes:
        words: arguments of `recomposer`, or LIGHT and two folders.
        minutes: its share of the budget, or 0 where it takes none.
    """

    words: tuple[str, ...]
    minutes: float = 0.0


def rung(name: str, data: Path, out: Path, minutes: float, rehearse: bool, waveform: bool = False) -> list[Step]:
    """The steps of a rung.

    Args:
        name: `cpu` or `gpu`.
        data: recordings with their table.
        out: checkpoint folder.
        minutes: budget of all trainings together.
        rehearse: tiny networks on the processor.
        waveform: train a codec of the waveform.
    """
    processors = os.cpu_count() or 2
    device = "cuda" if name == "gpu" and not rehearse else "cpu"
    drawers = 0 if device == "cpu" and not rehearse else 1 if rehearse else max(1, processors - 2)
    cache, light, figures = (out.parent / f"{out.name}-{what}" for what in ("cache", "light", "figures"))
    common = ("--data", str(data), "--out", str(out), "--cache", str(cache), "--device", device)
    shares = _SHARES["waveform" if waveform else name]
    steps = []
    for part, share in shares.items():
        own = round(minutes * share, 2)
        words = ["train", part, *common, "--max-minutes", str(own)]
        kind = "waveform" if part == "codec" and waveform else part
        words += ["--kind", "waveform"] if kind == "waveform" else []
        overlay = OVERLAYS / f"{'rehearse' if rehearse else name}-{kind}.json"
        words += ["--overlay", str(overlay)] if overlay.is_file() else []
        words += ["--drawers", str(drawers)] if part == "mask" and drawers else []
        steps.append(Step(tuple(words), own))
    # The critic is a closed form: it has no budget and no state.
    steps.append(Step(("train", "critic", "--data", str(data), "--out", str(out), "--cache", str(cache))))
    steps.append(Step((LIGHT, str(out), str(light))))
    measure = ["evaluate", "--data", str(data), "--split", "valid", "--scenes", "2" if rehearse else "60"]
    measure += [word for study in _STUDIES for word in ("--study", study)]
    measure += ["--editor", str(light), "--cache", str(cache), "--out", str(figures)]
    measure += ["--device", "cpu", "--no-examples", "--mark", "--jobs", str(1 if rehearse else max(1, processors // 2))]
    steps.append(Step(tuple(measure)))
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
        out: checkpoint folder; `ladder.txt` there lists what is done and how long it took.
        pause: minutes of training in this call, None for all.
        runner: runs a command.
    """
    out.mkdir(parents=True, exist_ok=True)
    behind = _behind(out)
    left = math.inf if pause is None else pause
    for step in steps:
        name = " ".join(step.words)
        if name in behind:
            continue
        words, before, started = list(step.words), spent_minutes(out, step.words[1]), time.monotonic()
        if step.minutes:
            if left < _LEAST_MINUTES:
                print("paused; the same call goes on", flush=True)
                return 0
            words += ["--resume", *([] if pause is None else ["--pause-minutes", f"{left:.2f}"])]
        print(*([] if words[0] == LIGHT else ["recomposer"]), *words, flush=True)
        if words[0] == LIGHT:
            lighten(Path(words[1]), Path(words[2]))
        elif status := runner(words):
            return status
        if step.minutes:
            spent = spent_minutes(out, step.words[1])
            left -= spent - before
            # A training that has used its whole budget has come to its end; one that paused has not.
            if spent < step.minutes - _LEAST_MINUTES:
                print(f"paused after {spent:.1f} of {step.minutes:.1f} minutes; the same call goes on", flush=True)
                return 0
        with (out / _DONE).open("a", encoding="utf-8") as file:
            file.write(f"{name}\t{time.monotonic() - started:.0f} s\n")
    return 0


def _behind(out: Path) -> list[str]:
    """The steps that are done."""
    done = out / _DONE
    return [line.split("\t")[0] for line in done.read_text(encoding="utf-8").splitlines()] if done.is_file() else []


def spent_minutes(out: Path, part: str) -> float:
    """Minutes of its budget that the training of a part has used, as its state says; 0 before it."""
    from safetensors import safe_open

    state = out / _STATES.get(part, "none")
    if not state.is_file():
        return 0.0
    with safe_open(state, framework="numpy") as file:
        return float(json.loads(file.metadata()["progress"])["spent_s"]) / 60.0


def lighten(heavy: Path, light: Path) -> None:
    """Writes a checkpoint anew with its weights in half precision: what is measured and shipped.

    Args:
        heavy: the checkpoint.
        light: folder of the new one; one that lies there is replaced.
    """
    from recomposer_studio.model.checkpoint import load_checkpoint, write_facts, write_part

    trained = load_checkpoint(heavy)
    if light.exists():
        shutil.rmtree(light)
    for part, tensors in trained.tensors.items():
        halves = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
        write_part(light, part, trained.configs[part], halves)
    vectors = json.loads((heavy / "config.json").read_text(encoding="utf-8"))["text_vectors"]
    write_facts(light, name=trained.name, classes=trained.classes, text_vectors=vectors)
    shutil.copyfile(heavy / "ATTRIBUTION.md", light / "ATTRIBUTION.md")


def gather(out: Path) -> list[Path]:
    """Puts figures and records of a finished rung beside its light checkpoint, as one archive; all files that are there.

    Args:
        out: checkpoint folder of the rung.
    """
    light, figures = (out.parent / f"{out.name}-{what}" for what in ("light", "figures"))
    records = [*sorted(out.glob("*.jsonl")), out / _DONE, figures / "report.md", figures / "report.json"]
    with zipfile.ZipFile(light / "records.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in records:
            if path.is_file():
                archive.write(path, path.name)
    files = sorted(light.iterdir())
    if len(files) > _MOST_FILES:
        print(
            f"{light} holds {len(files)} files, more than {_MOST_FILES}: the networks are too large to travel at once"
        )
    return files


def pack(data: Path, out: Path, mebibytes: float = _PACK_MIB) -> int:
    """Copies the table and every recording for training and tuning that it names, as mono Opus files; returns the bytes written.

    Opus keeps what is below 20 kHz; training works at 32 kHz. Figures of a published checkpoint are measured on the originals.

    Args:
        data: folder with the table.
        out: folder of the pack.
        mebibytes: what it may take; long backgrounds are cut for that.
    """
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        columns = list(reader.fieldnames or ())
        rows = [row for row in reader if row.get("split") in ("train", "valid")]
    out.mkdir(parents=True, exist_ok=True)
    events, backgrounds = ([row for row in rows if row["kind"] == kind] for kind in ("event", "background"))
    lengths = [float(row["duration_s"]) for row in backgrounds]
    total = _pack_all(data, out, events, math.inf)
    limit = mebibytes * 2**20 - (data / "manifest.csv").stat().st_size - total
    longest_s = _cut_for(lengths, limit / (_KBPS * 125.0))
    taken = _pack_all(data, out, backgrounds, longest_s)
    while taken > limit and longest_s > _SHORTEST_CUT_S:
        # The encoder's rate follows the sound, so the first guess may be a little off.
        longest_s = _cut_for(lengths, _CLOSER * limit / taken * sum(min(s, longest_s) for s in lengths))
        taken = _pack_all(data, out, backgrounds, longest_s)
    if taken > limit:
        raise SystemExit(f"the recordings do not fit into {mebibytes:g} MiB; allow more with --mebibytes")
    for row in rows:
        row["path"] = _packed(row)
        if row["kind"] == "background":
            row["duration_s"] = f"{min(longest_s, float(row['duration_s'])):.3f}"
    with (out / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    print(f"backgrounds of {longest_s:.1f} s at most")
    return total + taken + (out / "manifest.csv").stat().st_size


def _cut_for(lengths: Sequence[float], seconds: float) -> float:
    """The length, ten seconds or more, at which recordings have to be cut to last so many seconds together."""
    low, high = _SHORTEST_CUT_S, max([_SHORTEST_CUT_S, *lengths])
    for _ in range(40):
        middle = (low + high) / 2.0
        low, high = (middle, high) if sum(min(s, middle) for s in lengths) <= seconds else (low, middle)
    return high if sum(min(s, high) for s in lengths) <= seconds else low


def _packed(row: dict[str, str]) -> str:
    return Path(row["path"]).with_suffix(".opus").as_posix()


def _pack_all(data: Path, out: Path, rows: Sequence[dict[str, str]], longest_s: float) -> int:
    # libsndfile works without the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(lambda row: _pack_one(data / row["path"], out / _packed(row), longest_s), rows))


def _pack_one(source: Path, target: Path, longest_s: float) -> int:
    """Writes a recording as Opus; returns the bytes."""
    import numpy as np
    import soundfile as sf
    import soxr

    with sf.SoundFile(source) as file:
        rate_hz = file.samplerate
        frames = file.frames if math.isinf(longest_s) else min(file.frames, round(longest_s * rate_hz))
        mono = file.read(frames, dtype="float32", always_2d=True).mean(axis=1)
    if rate_hz != _OPUS_HZ:
        mono = soxr.resample(mono, rate_hz, _OPUS_HZ)
    target.parent.mkdir(parents=True, exist_ok=True)
    # libsndfile's compression level for Opus: 0 is 256 kbit/s, 1 is 6 kbit/s for one channel.
    level = (256.0 - _KBPS) / 250.0
    sf.write(target, np.clip(mono, -1.0, 1.0), _OPUS_HZ, format="OGG", subtype="OPUS", compression_level=level)
    return target.stat().st_size


def main(argv: list[str] | None = None) -> int:
    """Runs a rung or packs the recordings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rung", choices=("pack", "cpu", "gpu"))
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.csv")
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint, or the pack")
    parser.add_argument("--minutes", type=float, help="budget of all trainings together")
    parser.add_argument("--pause", type=float, help="minutes of training in this call")
    parser.add_argument("--waveform", action="store_true", help="train a codec of the waveform")
    parser.add_argument("--rehearse", action="store_true", help="tiny networks on the processor")
    parser.add_argument(
        "--mebibytes", type=float, default=_PACK_MIB, help="pack: what it may take (default: %(default)g)"
    )
    chosen = parser.parse_args(argv)
    if chosen.rung == "pack":
        print(f"{pack(chosen.data, chosen.out, chosen.mebibytes) / 2**20:.1f} MiB in {chosen.out}")
        return 0
    minutes = chosen.minutes or (1.5 if chosen.rehearse else 22.0 if chosen.rung == "gpu" else 230.0)
    out: Path = chosen.out.resolve()
    if chosen.rung == "gpu" and not chosen.waveform and not (out / "config.json").is_file():
        # Only the codec is taken over: the other parts are trained anew.
        out.mkdir(parents=True, exist_ok=True)
        _codec_alone(SHIPPED, out)
    steps = rung(chosen.rung, chosen.data.resolve(), out, minutes, chosen.rehearse, chosen.waveform)
    status = climb(steps, out, chosen.pause)
    if not status and all(" ".join(step.words) in _behind(out) for step in steps):
        for path in gather(out):
            print(f"{path.stat().st_size / 2**20:6.2f} MiB  {path}")
    return status


def _codec_alone(source: Path, out: Path) -> None:
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    config["parts"] = {"codec": config["parts"]["codec"]}
    config["name"], config["better_than_repair"] = out.name, []
    for entry in config["parts"]["codec"]["files"]:
        shutil.copyfile(source / entry["file"], out / entry["file"])
    (out / "config.json").write_text(json.dumps(config, indent=1), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
