"""A real PortAudio stream, recorded by ALSA's `file` device faster than it could be heard, compared sample by sample."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]

CONFIG = """
pcm.!default {{
    type plug
    slave.pcm {{ type file slave.pcm {{ type null }} file "{raw}" format "raw" }}
}}
ctl.!default {{ type hw card 0 }}
"""

PLAY = """
import sys, time
from dataclasses import dataclass
import numpy as np
try:
    import sounddevice
    sounddevice.query_devices(kind="output")
except Exception as error:
    sys.exit(f"no output: {error}")
from recomposer_studio.studio.mixer import Bank, Mixer
from recomposer_studio.studio.player import DeviceOutput

@dataclass
class Sound:
    samples: np.ndarray
    def read(self, start, stop):
        return self.samples[:, start:stop]

class Switching(Mixer):
    plan = [(9000, 1), (20000, 2), (31000, 0), (50000, 2), (70000, 1), (90000, 0)]
    done = []
    def fill(self, out):
        if self.plan and self.position >= self.plan[0][0]:
            self.done.append((self.position, self.plan[0][1]))
            self.switch(self.plan.pop(0)[1])
        super().fill(out)

folder = sys.argv[1]
versions = np.load(folder + "/versions.npy")
bank = Bank([Sound(version) for version in versions], versions.shape[2], 48000, 48000)
bank.prepare(range(1000))
mixer = Switching(bank)
output = DeviceOutput(48000)
assert output.rate_hz == 48000
mixer.play(0)
output.start(mixer)
ends = time.monotonic() + 30
while mixer.playing and time.monotonic() < ends:
    time.sleep(0.02)
output.close()
print(*(f"{frame}:{version}" for frame, version in mixer.done), mixer.missed)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ALSA is Linux's own")
def test_six_switches_leave_every_sample_outside_the_fades_as_it_was(tmp_path):
    versions = np.random.default_rng(5).uniform(-0.5, 0.5, (3, 2, 96_000)).astype(np.float32)
    np.save(tmp_path / "versions.npy", versions)
    raw = tmp_path / "played.raw"
    (tmp_path / "asound.conf").write_text(CONFIG.format(raw=raw), encoding="utf-8")
    environment = {**os.environ, "ALSA_CONFIG_PATH": str(tmp_path / "asound.conf")}
    command = [sys.executable, "-c", PLAY, str(tmp_path)]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", timeout=120)
    if "no output" in answer.stderr:
        pytest.skip("needs PortAudio with ALSA: " + answer.stderr.strip().splitlines()[-1])
    assert answer.returncode == 0, answer.stderr
    *switches, missed = answer.stdout.split()
    assert missed == "0"
    played = np.fromfile(raw, np.float32).reshape(-1, 2)
    # The device runs before and after; the first frame is silent, for the sound fades in.
    start = int(np.flatnonzero(np.abs(played).max(axis=1))[0]) - 1
    played = played[start : start + 96_000]
    at = [(0, 0), *((int(frame), int(version)) for frame, version in (pair.split(":") for pair in switches))]
    assert len(at) == 7
    compared = 0
    for (first, version), (stop, _) in zip(at, [*at[1:], (96_000, 0)], strict=True):
        part = slice(first + 240, stop)
        assert np.array_equal(played[part], versions[version].T[part])
        compared += stop - first - 240
    assert compared == 96_000 - 7 * 240
