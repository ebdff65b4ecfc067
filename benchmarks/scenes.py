"""How many training scenes a second are composed: one by one with numpy, and in batches with torch.

Run: python benchmarks/scenes.py --data DIR [--cache DIR] [--steps 20]
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch

from recomposer_studio.evaluation.report import machine
from recomposer_studio.training.batches import draw_batch, render_batch
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.datasets import load_library
from recomposer_studio.training.scenes import render_scene

BATCH = 16
SECONDS = 3.0


def rate(work: Callable[[int], None], steps: int) -> str:
    """Scenes a second, by the clock and by this process's processor time, of the steps after a first one to warm up."""
    work(0)
    clock, used = time.perf_counter(), time.process_time()
    for step in range(1, steps + 1):
        work(step)
    clock, used = time.perf_counter() - clock, time.process_time() - used
    scenes = steps * BATCH
    return f"{scenes / clock:7.0f} scenes/s  {1000 * used / scenes:6.2f} ms of processor time a scene"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="recordings: a folder with manifest.csv, or a table")
    parser.add_argument("--cache", type=Path, help="keep decoded recordings there between runs")
    parser.add_argument("--split", default="train", help="default: train")
    parser.add_argument("--steps", type=int, default=20, help="batches of 16 to time (default 20)")
    arguments = parser.parse_args()
    cache = AudioCache(load_library(arguments.data), arguments.cache)
    audio = cache.split(arguments.split)
    print(f"{machine()}; scenes of {SECONDS:g} s, in batches of {BATCH}")

    def one_by_one(step: int) -> None:
        for spec in draw_batch(audio, 0, step, BATCH, SECONDS):
            render_scene(cache, spec)

    def drawn(step: int) -> None:
        draw_batch(audio, 0, step, BATCH, SECONDS)

    def batched(device: str) -> Callable[[int], None]:
        def work(step: int) -> None:
            batch = render_batch(cache, draw_batch(audio, 0, step, BATCH, SECONDS), device)
            # One number of both sides, so that a device has really finished.
            float(batch.input[0, 0] + batch.desired[0, 0])

        return work

    print(f"drawing alone       {rate(drawn, arguments.steps)}")
    print(f"numpy               {rate(one_by_one, arguments.steps)}")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        print(f"torch, {threads} thread{'s' if threads > 1 else ' '}    {rate(batched('cpu'), arguments.steps)}")
    if torch.cuda.is_available():
        print(f"torch, CUDA         {rate(batched('cuda'), arguments.steps)}   {torch.cuda.get_device_name()}")


if __name__ == "__main__":
    main()
