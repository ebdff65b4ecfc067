"""Makes the picture of the README anew: `python packaging/screenshot.py --data DIR [--out docs/images/studio.png]`.

A street with a siren over a crying child, a reversing beep far away and a whistle over a voice is composed of real
recordings, edited by the shipped model, and the window is drawn into memory. `DIR` holds `manifest.csv` and the sounds that
stand in `SOUNDS`; the sounds themselves go nowhere. The credits that belong under the picture are printed.
"""

import argparse
import csv
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtWidgets import QApplication

from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.roll.file import format_roll
from recomposer_studio.studio.output import SilentOutput
from recomposer_studio.studio.settings import SettingsFile
from recomposer_studio.studio.theme import apply_theme
from recomposer_studio.studio.window import Window

ROOT = Path(__file__).resolve().parents[1]
RATE_HZ, SECONDS = 32_000, 10.5
SIZE = (1420, 880)
MOST_BYTES = 250_000
PATIENCE_S = 300.0


@dataclass(frozen=True)
class Sound:
    """A sound of the scene.

    Attributes:
        path: where it lies in the data folder.
        start_s: when it begins.
        gain_db: level.
        pan: -1 (left) to 1 (right).
    """

    path: str
    start_s: float
    gain_db: float
    pan: float = 0.0


SOUNDS = (
    Sound("backgrounds/street/blanket_city_133b6e_0.ogg", 0.0, -6.0),
    Sound("events/siren/cdda-soundpacks_police-siren_ec335b_0.ogg", 0.9, -12.0, -0.4),
    Sound("events/baby-cry-infant-cry/esc-10_3-151081-a_66d4d0_0.ogg", 1.9, -10.0, 0.3),
    Sound("events/beep-bleep/cdda-soundpacks_rear-beeper_69ea4a_0.ogg", 5.3, -30.0, 0.2),
    Sound("events/speech/soundmonster_wow_4cbc61_0.ogg", 6.5, -12.0, -0.2),
    Sound("events/whistle/petz_petz-whistle_54cf49_0.ogg", 6.9, -14.0, 0.5),
)
ROLL = EventRoll(
    (
        Event("siren", Action.DELETE, "siren", 0.86, 3.2, "siren"),
        Event("cry", Action.KEEP, "baby cry", 1.88, 4.48, "baby cry"),
        Event("beep", Action.ENHANCE, "reversing beeps", 5.26, 5.88, "beeps", level_db=12.0, low_hz=700, high_hz=8_000),
        Event("voice", Action.KEEP, "speech", 6.46, 7.46, "voice"),
        Event("whistle", Action.DELETE, "whistle", 6.88, 7.82, "whistle", low_hz=900, high_hz=12_000),
        Event("bark", Action.INSERT, "dog bark", 8.7, 9.4, "dog", level_db=14.0, pan=-0.3),
    )
)


def compose(data: Path) -> NDArray[np.float64]:
    """The scene, (frames, 2)."""
    frames = round(SECONDS * RATE_HZ)
    scene = np.zeros((frames, 2))
    for sound in SOUNDS:
        samples, rate_hz = soundfile.read(data / sound.path)
        if rate_hz != RATE_HZ or samples.ndim != 1:
            sys.exit(f"{sound.path}: a mono file of {RATE_HZ} Hz is expected.")
        start = round(sound.start_s * RATE_HZ)
        samples = samples[: frames - start] * 10 ** (sound.gain_db / 20)
        angle = (sound.pan + 1) * np.pi / 4
        scene[start : start + len(samples)] += samples[:, None] * (np.cos(angle), np.sin(angle))
    return scene


def credits_of(data: Path) -> list[str]:
    """Author and licence of every sound, from the manifest."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    return [
        f"{Path(sound.path).parent.name}: {' '.join(rows[sound.path]['author'].split())} ({rows[sound.path]['licence']})"
        for sound in SOUNDS
    ]


def wait(app: QApplication, what: str, busy: Callable[[], bool]) -> None:
    """Lets the window work until it is done."""
    ends = time.monotonic() + PATIENCE_S
    while busy():
        app.processEvents()
        time.sleep(0.005)
        if time.monotonic() > ends:
            sys.exit(f"{what} took longer than {PATIENCE_S:.0f} s.")


def draw(app: QApplication, folder: Path) -> Image.Image:
    """Opens the scene, edits it with the model, and draws the window."""
    window = Window(SettingsFile(folder / "settings.json"), lambda wanted: (SilentOutput(wanted.rate_hz), ""))
    if window.generating.checkpoint is None:
        sys.exit("no model is installed; the picture shows a take of the model.")
    window.resize(*SIZE)
    window.show()
    window.open(folder / "street.wav")
    wait(app, "the picture", lambda: window.imaging.busy)
    window.open(folder / "roll.json")
    window.generating.generate()
    wait(app, "the take", lambda: window.generating.running or window.imaging.busy)
    if len(window.document.takes) != 1 or "repair" in window.document.takes[0].take.model:
        sys.exit(f"there is no take of the model: {window.messages.text}")
    window.messages.clear()
    window.document.select(("beep",))
    window.listening.seek(5.6)
    wait(app, "the picture of the take", lambda: window.imaging.busy)
    app.processEvents()
    window.grab().save(str(folder / "window.png"))
    window.document.undo_stack.setClean()
    window.shut_down()
    return Image.open(folder / "window.png").convert("RGB")


def main() -> int:
    """Composes, edits, draws; tells clearly where the sounds are not there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images" / "studio.png")
    arguments = parser.parse_args()
    missing = [sound.path for sound in SOUNDS if not (arguments.data / sound.path).is_file()]
    if missing or not (arguments.data / "manifest.csv").is_file():
        print(f"Skipped: {arguments.data} lacks {', '.join(missing) or 'manifest.csv'}; the picture stays as it is.")
        return 0
    app = QApplication([])
    apply_theme(app, "dark")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        soundfile.write(folder / "street.wav", compose(arguments.data), RATE_HZ, "PCM_16")
        (folder / "roll.json").write_text(format_roll(ROLL), encoding="utf-8")
        image = draw(app, folder)
        small = image.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        small.save(arguments.out, optimize=True)
    size = arguments.out.stat().st_size
    print(f"{arguments.out}: {image.width} x {image.height}, {size / 1000:.0f} kB")
    print("Composed of", "; ".join(credits_of(arguments.data)))
    if size > MOST_BYTES:
        print(f"That is more than {MOST_BYTES / 1000:.0f} kB; choose a smaller window.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
