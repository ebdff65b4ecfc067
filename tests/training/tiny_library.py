"""A small made-up collection: noise backgrounds and tone events, written as a manifest with files."""

import csv
from pathlib import Path

import numpy as np
import soundfile as sf

RATE_HZ = 32000
COLUMNS = (
    "path",
    "kind",
    "audioset_class",
    "duration_s",
    "licence",
    "author",
    "split",
    "source_id",
    "scene",
    "yamnet_rank",
)
CLASSES = ("Bell", "Bark", "Door", "Beep, bleep")


def tone(seconds: float, hz: float, seed: int) -> np.ndarray:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    noise = 0.05 * np.random.default_rng(seed).standard_normal(len(t))
    return 0.7 * (np.sin(2 * np.pi * hz * t) + noise) / 1.2 * np.minimum(1, np.minimum(t, seconds - t) / 0.003 + 0.01)


def noise(seconds: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng([9, seed])
    white = rng.standard_normal(round(seconds * RATE_HZ))
    return (
        0.07 * (white + np.roll(white, 1)) * (1 + 0.5 * np.sin(np.arange(len(white)) / RATE_HZ * rng.uniform(0.5, 3)))
    )


def row(path: str, kind: str, name: str, seconds: float, split: str, source: str, **more: str) -> dict[str, str]:
    base = {"path": path, "kind": kind, "audioset_class": name, "duration_s": f"{seconds:.3f}", "licence": "CC0-1.0"}
    return base | {"author": "somebody", "split": split, "source_id": source, "scene": "", "yamnet_rank": "3"} | more


def write_table(folder: Path, rows: list[dict[str, str]], columns: tuple[str, ...] = COLUMNS) -> Path:
    table = folder / "manifest.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return table


def write_library(folder: Path, events_per_class: int = 3, backgrounds: int = 4) -> list[dict[str, str]]:
    """Files and rows of a collection with every split; `manifest.csv` is written too."""
    rows = []
    for split in ("train", "valid", "test"):
        for c, name in enumerate(CLASSES):
            for n in range(events_per_class):
                seconds = 0.25 + 0.2 * n + 0.05 * c
                path, seed = f"events/{split}-{c}-{n}.wav", hash_of(split, c, n)
                save(folder / path, tone(seconds, 300 * 2**c + 40 * n, seed))
                rows.append(row(path, "event", name, seconds, split, f"{split}:{c}:{n}"))
        for n in range(backgrounds):
            path, seed = f"backgrounds/{split}-{n}.wav", hash_of(split, 9, n)
            save(folder / path, noise(10.5, seed))
            rows.append(row(path, "background", "Wind", 10.5, split, f"{split}:bg:{n}", scene=f"place-{n}"))
    write_table(folder, rows)
    return rows


def hash_of(split: str, *numbers: int) -> int:
    return int("".join(str(n) for n in (len(split), ord(split[0]), *numbers)))


def save(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ, subtype: str = "PCM_16") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, samples, rate_hz, subtype)
