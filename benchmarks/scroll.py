"""How smoothly the Studio scrolls and zooms: `python benchmarks/scroll.py [--rows 200] [--seconds 600]`.

Prints the time from a step to the finished picture, as median, 95th percentile and maximum in milliseconds: by the clock,
and by the processor's own count, which a busy machine changes less. The machine's load stands at the top; figures of a
machine that works on something else say little. With half a processor a step takes twice its processor time. The
environment variable QT_SCALE_FACTOR=2 measures a screen of 200 %, with four times the pixels.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from studio_window import roll_of, window_with_scene

STEPS = 150


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=600)
    arguments = parser.parse_args()
    with window_with_scene(arguments.seconds) as (app, window, path):
        began = time.perf_counter()
        window.open(path)
        print(f"opened after {(time.perf_counter() - began) * 1e3:.0f} ms")
        while window.imaging.busy:
            app.processEvents()
        print(f"picture of {arguments.seconds} s after {time.perf_counter() - began:.1f} s")
        window.document.change_roll("roll", roll_of(arguments.rows, arguments.seconds))
        view = window.timeline.view

        def measure(name: str, step: Callable[[int], object]) -> None:
            times = []
            for number in range(STEPS):
                start = time.perf_counter(), time.process_time()
                step(number)
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


if __name__ == "__main__":
    main()
