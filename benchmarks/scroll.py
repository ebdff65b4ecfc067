"""How smoothly the Studio scrolls and zooms: `python benchmarks/scroll.py [--rows 200] [--seconds 600]`.

Draws into memory (1600 x 900, no graphics card) and prints the time from a step to the finished picture, as median, 95th
percentile and maximum in milliseconds: by the clock, and by the processor's own count, which a busy machine changes less.
The machine's load stands at the top; figures of a machine that works on something else say little. With half a processor
a step takes twice its processor time.
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.studio.output import SilentOutput
from recomposer_studio.studio.settings import SettingsFile
from recomposer_studio.studio.theme import apply_theme
from recomposer_studio.studio.window import Window

RATE_HZ = 48_000
STEPS = 150


def scene(path: Path, seconds: int) -> None:
    """Writes stereo noise with a slow swell."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE_HZ, 2, "PCM_16") as file:
        for second in range(seconds):
            level = 0.02 + 0.1 * abs(np.sin(second / 7))
            file.write(level * rng.standard_normal((RATE_HZ, 2)))


def roll_of(rows: int, seconds: float) -> EventRoll:
    """Rows with five boxes each, all over the recording."""
    rng = np.random.default_rng(1)
    actions = list(Action)
    events = []
    for row in range(rows):
        for number, start_s in enumerate(np.sort(rng.uniform(0, seconds - 3, 5))):
            low_hz = float(rng.uniform(50, 4_000))
            end_s, row_name = float(start_s + rng.uniform(0.2, 2.5)), f"row {row}"
            new = Event(f"e{row}-{number}", actions[row % 4], "Dog", float(start_s), end_s, row_name)
            events.append(replace(new, low_hz=low_hz, high_hz=low_hz * 3))
    return EventRoll(tuple(events))


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=600)
    arguments = parser.parse_args()
    app = QApplication([])
    apply_theme(app, "dark")
    if hasattr(os, "getloadavg"):
        print(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.wav"
        scene(path, arguments.seconds)
        settings = SettingsFile(Path(folder) / "settings.json")
        window = Window(settings, lambda wanted: (SilentOutput(wanted.rate_hz), "no-device"))
        window.resize(1600, 900)
        window.show()
        began = time.perf_counter()
        window.open(path)
        print(f"opened after {(time.perf_counter() - began) * 1e3:.0f} ms")
        while window.imaging.busy:
            app.processEvents()
        print(f"picture of {arguments.seconds} s after {time.perf_counter() - began:.1f} s")
        window.document.change_roll("roll", roll_of(arguments.rows, arguments.seconds))
        view = window.timeline.view

        def measure(name: str, step: object) -> None:
            times = []
            for number in range(STEPS):
                start = time.perf_counter(), time.process_time()
                step(number)  # type: ignore[operator]
                app.processEvents()
                times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
            clock, processor = np.array(times).T * 1e3
            p50, p95 = np.percentile(clock, [50, 95])
            own = np.percentile(processor, [50, 95])
            print(
                f"{name:28} p50 {p50:5.1f}  p95 {p95:5.1f}  max {clock.max():5.1f} ms"
                f"   processor p50 {own[0]:5.1f}  p95 {own[1]:5.1f} ms"
            )

        for span_s in (8.0, 60.0):
            view.show_span(10.0, span_s)
            measure(
                f"scroll, {span_s:g} s on screen", lambda number, s=span_s: view.show_span(10.0 + number * s / 50, s)
            )
        measure("zoom", lambda number: view.zoom(1.1 if number // 30 % 2 else 1 / 1.1, 100.0))
        view.show_span(100.0, 20.0)
        scale = window.timeline.spectrogram.scale
        measure(
            "zoom in frequency",
            lambda number: window.timeline.spectrogram.show_range(scale.zoomed(1 + number % 30 / 6, 0.4)),
        )
        measure("scroll through the rows", lambda number: window.timeline.lanes.scroll_to(number * 20))
        window.document.undo_stack.setClean()
        window.shut_down()


if __name__ == "__main__":
    main()
