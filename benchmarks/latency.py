"""How soon the window answers while it works: `python benchmarks/latency.py [--seconds 60]`.

A render of many rows (preview and, where a model is installed, its version in a child process), a detection, and the
analysis of the picture run while a step of a scroll is asked for every 30 ms, as by a person at the wheel. Printed are the
times from the wish to the finished picture, in milliseconds, and the most processor time that the window's thread took at
one go; nothing may take longer than 100 ms. The machine's load stands at the top and the same steps while nothing is done
in the third line: on a machine that works on something else, part of the time is spent waiting for a processor.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QTimer
from studio_window import roll_of, window_with_scene

from recomposer_studio.studio.window import Window

EVERY_MS = 30


class Person:
    """Turns the wheel and looks at the clock."""

    def __init__(self, window: Window) -> None:
        self._window, self._due, self._number = window, 0.0, 0
        self.waits: list[float] = []
        self._timer = QTimer(window)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._turn)

    def begin(self) -> None:
        """The next turn is due in a moment."""
        self._due = time.perf_counter() + EVERY_MS / 1e3
        self._timer.start(EVERY_MS)

    def _turn(self) -> None:
        view = self._window.timeline.view
        self._number += 1
        view.show_span(self._number % 100 / 100 * (view.duration_s - 10.0), 10.0)
        # Painted at once, as the screen would at the end of this turn of the event loop.
        self._window.timeline.repaint()
        for strip in self._window.timeline.strips:
            strip.repaint()
        self.waits.append((time.perf_counter() - self._due) * 1e3)
        self.begin()

    def stop(self) -> list[float]:
        """What was measured; the next round begins anew."""
        self._timer.stop()
        waits, self.waits = self.waits, []
        return waits


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rows", type=int, default=8)
    arguments = parser.parse_args()
    with window_with_scene(arguments.seconds) as (app, window, path):
        person = Person(window)

        def measure(name: str, begin: Callable[[], object], busy: Callable[[], bool]) -> None:
            begin()
            person.begin()
            started = time.perf_counter()
            longest = 0.0
            while busy():
                own = time.thread_time()
                app.processEvents()
                longest = max(longest, (time.thread_time() - own) * 1e3)
                time.sleep(0.001)
            waits = person.stop()
            if not waits:
                print(f"{name:24} was done before the first step")
                return
            p50, p95 = np.percentile(waits, [50, 95])
            print(
                f"{name:24} {time.perf_counter() - started:6.1f} s  {len(waits):4d} steps"
                f"   p50 {p50:5.1f}  p95 {p95:5.1f}  max {max(waits):5.1f} ms   processor max {longest:5.1f} ms"
            )

        measure("analysing the picture", lambda: window.open(path), lambda: window.imaging.busy)
        calm_s = time.perf_counter() + 3.0
        measure("doing nothing", lambda: None, lambda: time.perf_counter() < calm_s)
        window.document.change_roll("roll", roll_of(arguments.rows, arguments.seconds))
        measure("rendering", window.generating.generate, lambda: window.generating.running)
        measure("picture of the take", lambda: window.document.hear(1), lambda: window.imaging.busy)
        measure("detecting", window.actions_["detect"].trigger, lambda: window.detecting.running)
        print(f"{len(window.document.takes)} take, {len(window.document.state.suggestions.events)} suggestions")


if __name__ == "__main__":
    main()
