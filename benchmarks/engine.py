"""How long an edit takes, by length of the file and by renderer: medians of several runs, and ratios.

Run: python benchmarks/engine.py [--repeats 5]
"""

import argparse
import platform
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
import soundfile

from recomposer_studio.audio.source import Source
from recomposer_studio.editing.engine import Engine
from recomposer_studio.editing.generator import Generator
from recomposer_studio.model import catalogue
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.roll.event import Action, Event, EventRoll

RATE = 48_000


def recording(path: Path, minutes: float) -> Path:
    """Stereo noise, 24 bit."""
    block = (0.05 * np.random.default_rng(0).standard_normal((RATE * 10, 2))).astype(np.float32)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_24") as file:
        for _ in range(round(minutes * 6)):
            file.write(block)
    return path


def median_ms(source: Source, roll: EventRoll, generator: Generator | None, renderer: Renderer, repeats: int) -> float:
    """Median time of a render in milliseconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        Engine(generator).render(source, roll, Recipe(renderer=renderer))
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, median of {repeats}")

    def roll(action: str, count: int = 1) -> EventRoll:
        return EventRoll(
            tuple(Event(f"e{i}", Action(action), "Bark", 1 + 2 * i, 2 + 2 * i, f"e{i}") for i in range(count))
        )

    with tempfile.TemporaryDirectory() as folder:
        base = None
        for minutes in (0.5, 5, 60):
            with Source.open(recording(Path(folder) / f"{minutes}.wav", minutes)) as source:
                took = median_ms(source, roll("delete"), None, Renderer.REPAIR, repeats)
                tracemalloc.start()
                Engine().render(source, roll("delete"), Recipe(renderer=Renderer.REPAIR))
                peak = tracemalloc.get_traced_memory()[1] / 1e6
                tracemalloc.stop()
            base = base or took
            print(
                f"repair, 1 s box in {minutes:g} min of stereo: {took:.0f} ms (x{took / base:.2f}), peak {peak:.0f} MB"
            )
        with Source.open(Path(folder) / "0.5.wav") as source:
            took = median_ms(source, roll("delete", 10), None, Renderer.REPAIR, repeats)
            print(f"repair, ten such boxes: {took:.0f} ms (x{took / base:.2f})")
            checkpoint = catalogue.default()
            if checkpoint is not None:
                from recomposer_studio.model.generator import load_generator

                start = time.perf_counter()
                generator = load_generator(checkpoint.folder, "cpu")
                print(f"loading {checkpoint.name}: {1000 * (time.perf_counter() - start):.0f} ms")
                for part, action in (("mask", "delete"), ("decoder", "insert")):
                    if part in checkpoint.parts:
                        took = median_ms(source, roll(action), generator, Renderer.MODEL, repeats)
                        print(f"{part} of {checkpoint.name}, {action}, 1 s box: {took:.0f} ms (x{took / base:.2f})")


if __name__ == "__main__":
    main()
