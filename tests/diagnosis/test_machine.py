"""Questions to the machine: whatever the child does, there is an answer in time."""

import sys

import pytest

from recomposer_studio.diagnosis import child, machine
from recomposer_studio.diagnosis.machine import Answer, ask


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module that can be asked."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(text):
        (tmp_path / "asked.py").write_text(text, encoding="utf-8")
        return ("asked",)

    return write


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("print('noise'); print('{\"a\": 1}')", Answer({"a": 1})),
        ('print(\'{"a": 1, "problem": "none"}\')', Answer({"a": 1}, "none")),
        ("raise SystemExit(3)", Answer(problem="ended with 3: without a word")),
        ("raise ValueError('bad driver')", Answer(problem="ended with 1: ValueError: bad driver")),
        ("print('[1]')", Answer(problem="an answer that makes no sense")),
        ("import sys; sys.stdout.buffer.write(b'\\xff')", Answer(problem="ended with 0: without a word")),
    ],
)
def test_what_a_child_says_is_understood(module, text, answer):
    assert ask(module(text)) == answer


def test_a_child_that_hangs_is_killed(module):
    assert ask(module("import time; time.sleep(600)"), 0.5) == Answer(problem="no answer within 0 s")
    assert ask(module("import time; time.sleep(600)"), cancelled=lambda: True).problem == "cancelled"


def test_a_child_that_cannot_start_is_told(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert ask(machine.GPU).problem.startswith("no child process can be started")


def test_the_sound_system_answers_in_plain_values(monkeypatch):
    class Fake:
        PortAudioError = RuntimeError
        devices = ({"name": "Speakers", "max_output_channels": 2, "hostapi": 0, "default_samplerate": 48000.0},)

        def get_portaudio_version(self):
            return 1, "V19.7"

        def query_hostapis(self, number):
            return {"name": "ALSA"}

        def query_devices(self, kind=None):
            if kind is None:
                return [*self.devices, {"name": "Microphone", "max_output_channels": 0}]
            if not self.devices:
                raise RuntimeError("Error querying device -1")
            return self.devices[0]

    fake = Fake()
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    assert child.audio() == {
        "portaudio": "V19.7", "outputs": ["Speakers"], "default": "Speakers (ALSA, 2 channels, 48000 Hz)",
    }  # fmt: skip
    fake.devices = ()
    assert child.audio() == {"portaudio": "V19.7", "outputs": [], "problem": "Error querying device -1"}
