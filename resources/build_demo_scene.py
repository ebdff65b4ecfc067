"""Synthesises the demo scene: rain, a hum, a bell on the left, a whoosh over it, beeps buried on the right; 48 kHz stereo.

Run from the top folder: python resources/build_demo_scene.py
"""

import json
from pathlib import Path

import numpy as np
import soundfile

from recomposer_studio.audio.resample import resample
from recomposer_studio.training.procedural import RATE_HZ, procedural_event

OUT = Path(__file__).parent / "demo"
RATE, SECONDS = 48_000, 8.0


def rain(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Two channels of noise with a soft spectrum, partly common to both, and drops."""
    f = np.fft.rfftfreq(frames, 1 / RATE)
    shape = 1.0 / np.sqrt(1.0 + (f / 2500.0) ** 2) * (f > 60.0) * np.exp(-f / 14_000.0)
    middle, *sides = (np.fft.irfft(np.fft.rfft(rng.standard_normal(frames)) * shape, frames) for _ in range(3))
    noise = np.stack([0.6 * middle + 0.8 * side for side in sides])
    for _ in range(160):
        start, length = int(rng.integers(0, frames - 2000)), int(rng.integers(200, 1500))
        drop = rng.standard_normal(length) * np.exp(-np.arange(length) / (length / 6))
        drop = np.convolve(drop, np.hanning(9), "same") * rng.uniform(0.05, 0.5)
        noise[:, start : start + length] += rng.uniform(0.1, 1.0, (2, 1)) * drop
    return noise / np.sqrt(np.mean(noise**2)) * 10 ** (-32 / 20)


def event(kind: str, variant: int, level_db: float, pan: float) -> np.ndarray:
    """A synthetic event at 48 kHz, (2, frames), RMS in dBFS, constant-power pan."""
    mono = resample(procedural_event(kind, variant).astype(float)[None], RATE_HZ, RATE)[0]
    mono = mono / np.sqrt(np.mean(mono**2)) * 10 ** (level_db / 20)
    angle = (pan + 1) * np.pi / 4
    return np.sqrt(2.0) * np.array([[np.cos(angle)], [np.sin(angle)]]) * mono


def main() -> None:
    """Writes scene.flac and roll.json."""
    rng = np.random.default_rng(20)
    frames = int(SECONDS * RATE)
    scene = rain(rng, frames)
    t = np.arange(frames) / RATE
    scene += 0.006 * np.sin(2 * np.pi * 100 * t) + 0.003 * np.sin(2 * np.pi * 200 * t + 1)
    roll = []

    def place(
        kind: str, variant: int, start_s: float, rms_db: float, pan: float, action: str, label: str, **more: float
    ) -> None:
        sound = event(kind, variant, rms_db, pan)
        start = int(start_s * RATE)
        scene[:, start : start + sound.shape[1]] += sound
        end_s = round(start_s + sound.shape[1] / RATE + 0.02, 2)
        roll.append(
            {
                "id": label.split()[0].lower(),
                "action": action,
                "label": label,
                "start_s": round(start_s - 0.02, 2),
                "end_s": end_s,
                **more,
            }
        )

    place("bell", 3, 0.9, -22, -0.6, "delete", "bell")
    place("whoosh", 5, 1.5, -27, 0.5, "keep", "whoosh")
    place("beep", 2, 3.6, -38, 0.3, "enhance", "beep", level_db=10)
    place("impact", 7, 4.6, -26, 0.0, "delete", "thump")
    roll.append(
        {
            "id": "dog",
            "action": "insert",
            "label": "dog bark",
            "start_s": 5.9,
            "end_s": 6.5,
            "level_db": 12,
            "pan": -0.3,
        }
    )
    OUT.mkdir(exist_ok=True)
    soundfile.write(OUT / "scene.flac", scene.T, RATE, "PCM_16")
    (OUT / "roll.json").write_text(json.dumps({"format_version": 1, "events": roll}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
