"""The window that the benchmarks of the Studio measure: drawn into memory (1600 x 900, no graphics card), with a scene to work on."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def window_with_scene(seconds: int) -> Iterator[tuple[QApplication, Window, Path]]:
    """A window on the screen and a recording that it has not opened yet; prints the machine's load."""
    app = QApplication([])
    apply_theme(app, "dark")
    if hasattr(os, "getloadavg"):
        print(f"load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} processors")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.wav"
        scene(path, seconds)
        settings = SettingsFile(Path(folder) / "settings.json")
        window = Window(settings, lambda wanted: (SilentOutput(wanted.rate_hz), "no-device"))
        window.resize(1600, 900)
        window.show()
        print(f"{window.devicePixelRatioF():.0%} scaling")
        yield app, window, path
        window.document.undo_stack.setClean()
        window.shut_down()


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
