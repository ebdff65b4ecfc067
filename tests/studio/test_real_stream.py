"""A real PortAudio stream, recorded by ALSA's `file` device faster than it could be heard, compared sample by sample."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 96_000

CONFIG = """
pcm.!default {{
    type plug
    slave.pcm {{ type file slave.pcm {{ type null }} file "{raw}" format "raw" }}
}}
ctl.!default {{ type hw card 0 }}
"""

BEGIN = """
import sys, time
from dataclasses import dataclass
import numpy as np
try:
    import sounddevice
    sounddevice.query_devices(kind="output")
except Exception as error:
    sys.exit(f"no output: {error}")
from recomposer_studio.studio.mixer import Bank, Mixer
from recomposer_studio.studio.output import DeviceOutput, Wanted
folder = sys.argv[1]
"""

NOISE = """
@dataclass
class Sound:
    samples: np.ndarray
    def read(self, start, stop):
        return self.samples[:, start:stop]

versions = np.random.default_rng(5).uniform(-0.5, 0.5, (3, 2, 96_000)).astype(np.float32)
sounds = [Sound(version) for version in versions]
plan = [(9000, 1), (20000, 2), (31000, 0), (50000, 2), (70000, 1), (90000, 0)]
"""

TAKES = """
from recomposer_studio.audio.source import Source
from recomposer_studio.editing.comp import taken_over
from recomposer_studio.editing.engine import Engine
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.studio.sounds import Difference, Removed
from tests.editing.fakes import KnownGenerator
from tests.editing.scenes import burst, event, noise, roll, write

sound = noise(2, 2.0, 48000, 3) + burst(0.3, 0.4, 2.0, 48000)
source = Source.open(write(__import__("pathlib").Path(folder) / "in.wav", sound, 48000))
events = roll(event("a", "delete", 0.25, 0.8), event("i", "insert", 1.0, 1.6, level_db=10.0))
one, two = (Engine(KnownGenerator()).render(source, events, Recipe(seed=seed)) for seed in (0, 7))
comp = taken_over(one, two.adjusted("i", pan=0.5), "i")
sounds = [source, one, two, comp, Removed(comp, "a"), Difference(comp)]
plan = [(14000, 1), (19000, 4), (30000, 3), (36000, 5), (44000, 0), (52000, 1), (60000, 3), (70000, 2), (80000, 3)]
"""

PLAY = """
class Switching(Mixer):
    done = []
    def fill(self, out):
        if plan and self.position >= plan[0][0]:
            self.done.append((self.position, plan[0][1]))
            self.switch(plan.pop(0)[1])
        super().fill(out)

np.save(folder + "/versions.npy", np.stack([sound.read(0, 96000) for sound in sounds]).astype(np.float32))
bank = Bank(sounds, 96000, 48000, 48000)
bank.prepare(range(1000))
mixer = Switching(bank)
output = DeviceOutput(Wanted(48000))
assert (output.rate_hz, output.channels) == (48000, 2)
mixer.play(0)
output.start(mixer)
ends = time.monotonic() + 30
while mixer.playing and time.monotonic() < ends:
    time.sleep(0.02)
assert output.beats() > 0
output.close()
assert output.beats() > 0 and output.failure() == ""
print(*(f"{frame}:{version}" for frame, version in mixer.done), mixer.missed)
"""


def play(folder: Path, script: str) -> tuple[np.ndarray, np.ndarray, list[tuple[int, int]]]:
    """What was played, (frames, 2), the versions, and where which of them began."""
    raw = folder / "played.raw"
    (folder / "asound.conf").write_text(CONFIG.format(raw=raw), encoding="utf-8")
    environment = {**os.environ, "ALSA_CONFIG_PATH": str(folder / "asound.conf")}
    command = [sys.executable, "-c", BEGIN + script + PLAY, str(folder)]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    if "no output" in answer.stderr:
        pytest.skip("needs PortAudio with ALSA: " + answer.stderr.strip().splitlines()[-1])
    assert answer.returncode == 0, answer.stderr
    *switches, missed = answer.stdout.split()
    assert missed == "0"
    played = np.fromfile(raw, np.float32).reshape(-1, 2)
    # The device runs before and after; the first frame is silent, for the sound fades in.
    start = int(np.flatnonzero(np.abs(played).max(axis=1))[0]) - 1
    at = [(0, 0), *((int(frame), int(version)) for frame, version in (pair.split(":") for pair in switches))]
    return played[start : start + FRAMES], np.load(folder / "versions.npy"), at


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ALSA is Linux's own")
@pytest.mark.parametrize(("script", "switches"), [(NOISE, 6), (TAKES, 9)], ids=["noise", "takes"])
def test_switches_leave_every_sample_outside_the_fades_as_it_was(tmp_path, script, switches):
    """Between original, takes, a comp, its difference, and what one of its events removed."""
    played, versions, at = play(tmp_path, script)
    assert len(at) == switches + 1
    compared = 0
    for (first, version), (stop, _) in zip(at, [*at[1:], (FRAMES, 0)], strict=True):
        part = slice(first + 240, stop)
        assert np.array_equal(played[part], versions[version].T[part])
        compared += stop - first - 240
    assert compared == FRAMES - (switches + 1) * 240
    # The versions differ where they are compared, so that a wrong one would be found.
    for (first, version), (stop, other) in pairwise(at):
        assert not np.array_equal(versions[version].T[first:stop], versions[other].T[first:stop])
