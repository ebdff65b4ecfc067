"""A few hundred of the damaged files of `packaging/fuzz.py`, and those that once did harm."""

import contextlib
import io
import json
import os
import random
import re
import shutil
import sqlite3
import struct
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.model import catalogue
from recomposer_studio.project.export import plan_export
from recomposer_studio.project.store.database import open_file
from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.roll.file import parse_roll
from recomposer_studio.studio.settings import Settings, SettingsFile
from recomposer_studio.tagging.installation import installed
from recomposer_studio.tagging.yamnet_files import read_weights
from recomposer_studio.worker import frames
from tests.hostile import seeds, watch
from tests.hostile.child import steers
from tests.hostile.mutations import TEXTS, mutate_json
from tests.hostile.targets import TARGETS
from tests.hostile.watch import attack

QUICK = ("sound: wav", "sound: mp3", "roll", "labels", "project", "tflite", "archive", "manifest")
"""A child process takes half a second to start; the other kinds are for the script."""


@pytest.mark.parametrize("kind", QUICK)
def test_damaged_files_are_read_or_refused_in_one_sentence(kind):
    tally = attack(kind, 3, 0, 60)
    assert [finding.words for finding in tally.findings] == []
    assert tally.refused + tally.accepted == 60
    assert tally.refused > 5


def test_every_mutation_is_the_same_again():
    for kind in ("sound: flac", "roll", "manifest"):
        assert TARGETS[kind].case(5, 17) == TARGETS[kind].case(5, 17)
        assert TARGETS[kind].case(5, 17) != TARGETS[kind].case(6, 17)


# --- the watch sees what it is there for --------------------------------------------------------------------------------

EVIL = """
import ctypes, os, pathlib, pickle, subprocess, sys, time
from recomposer_studio.errors import InputError
from tests.hostile import child, targets

def read(folder):
    number = int((folder / "x").read_bytes())
    if number == 0: ctypes.string_at(0)
    if number == 1: time.sleep(60)
    if number == 2: held = bytearray(200 << 20); time.sleep(60)
    if number == 3: (folder.parent.parent / "outside").write_bytes(b"")
    if number == 4: subprocess.run([sys.executable, "-c", ""])
    if number == 5: raise KeyError("x")
    if number == 6: raise InputError("\\x1b[31m a sentence that turns the terminal red").with_traceback(None)
    if number == 7: pickle.loads(b"cos\\ngetcwd\\n.")
    if number == 8: raise InputError("a sentence that is plain")
    while number == 10: pass

class Loud(InputError):
    def __str__(self): return self.args[0]

InputError = Loud
targets.TARGETS["evil"] = targets.Target(
    "evil", 1, lambda: [{"x": b"99"}], lambda files, rng: {"x": b"?"}, read)
targets.Target.case = lambda self, seed, number: {"x": str(number).encode()}
child.main()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a null pointer ends the process otherwise there")
def test_the_watch_sees_every_kind_of_harm(monkeypatch, tmp_path):
    (tmp_path / "evil.py").write_text(EVIL, encoding="utf-8")
    start = watch.subprocess.Popen

    def evil(command, **options):
        return start([command[0], str(tmp_path / "evil.py"), *command[3:]], **options)

    monkeypatch.setattr(watch.subprocess, "Popen", evil)
    monkeypatch.setattr(watch, "HANG_S", 0.5)
    monkeypatch.setattr(watch, "ASLEEP_S", 2.5)
    monkeypatch.setattr(watch, "MEMORY_BYTES", 100 << 20)
    tally = attack("evil", 0, 0, 11)
    words = {finding.number: finding.words for finding in tally.findings}
    assert sorted(words) == [0, 1, 2, 3, 4, 5, 6, 7, 10]
    assert "no answer" in words[10]
    for number, pattern in enumerate(
        (
            "ended with -",
            "no answer",
            "memory grew",
            "open .*outside",
            "subprocess.Popen",
            "KeyError",
            "no plain sentence",
            "pickle",
        )
    ):
        assert re.search(pattern, words[number]), words[number]
    assert (tally.refused, tally.accepted) == (1, 1)


# --- files that once did harm -------------------------------------------------------------------------------------------


def test_an_au_file_that_ends_in_its_header(tmp_path):
    for length in (4, 8, 11):
        (tmp_path / "a.au").write_bytes(b".snd" + bytes(length - 4))
        with pytest.raises(InputError, match="not a sound file"):
            Source.open(tmp_path / "a.au")


def test_names_in_sentences_steer_no_terminal():
    for text in TEXTS:
        assert not any(map(steers, str(InputError(f"{text}: cannot be read"))))
    assert str(InputError("one\ntwo  three")) == "one two  three"
    assert str(InputError("caf\u00e9 \u20ac \U0001f415: is fine")) == "caf\u00e9 \u20ac \U0001f415: is fine"
    long = str(InputError("x" * 10**6 + ": cannot be read"))
    assert len(long) < 1_500 and long.endswith("xx: cannot be read")


DEEP = "[" * 100_000


def test_json_that_is_nested_deeply(tmp_path):
    with pytest.raises(InputError, match="nested"):
        parse_roll(DEEP, "roll.json")
    (tmp_path / "settings.json").write_text(DEEP, encoding="utf-8")
    assert SettingsFile(tmp_path / "settings.json").read() == Settings()
    (tmp_path / "yamnet.json").write_text(DEEP, encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        installed(tmp_path)
    (tmp_path / "config.json").write_text(DEEP, encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        catalogue.describe(tmp_path)


def test_a_roll_with_thousands_of_rows_is_planned_in_time(tmp_path):
    """Comparing every pair of names asked the disk half a million times."""
    events = [Event(f"e{k}", Action.INSERT, f"label {k}", 0.01, 0.02, f"row {k}") for k in range(1_000)]
    (tmp_path / "a.wav").write_bytes(seeds.audio("wav")[0][1])
    asked = 0
    with Source.open(tmp_path / "a.wav") as source, pytest.MonkeyPatch.context() as patch:

        def count(a, b):
            nonlocal asked
            asked += 1
            return False

        patch.setattr("recomposer_studio.project.export.same_file", count)
        plan_export(source, EventRoll(tuple(events)), tmp_path / "take.wav", tmp_path / "stems")
    assert asked < 5_000


def test_a_keras_file_that_h5py_cannot_walk(tmp_path):
    content = bytearray(seeds.keras_file())
    at = content.index(b"SNOD")
    content[at : at + 4] = b"XXXX"
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(InputError, match="this is not YAMNet"):
        read_weights(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset(b"\xff\xfe", data=np.zeros(2, np.float32))
    with pytest.raises(InputError, match="this is not YAMNet"):
        read_weights(tmp_path / "b.h5")


def test_a_project_of_version_1_whose_history_is_no_text(tmp_path):
    path = tmp_path / "a.recomposer"
    shutil.copyfile(Path(__file__).parents[1] / "project" / "fixtures" / "version1.recomposer", path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE step SET after = x'00ff', before = x'00ff'")
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match="damaged"):
        open_file(path)


# --- checkpoints --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny():
    """The files of a tiny checkpoint."""
    return seeds.checkpoint()


def load(folder, files):
    from recomposer_studio.model.generator import load_generator

    for name, content in files.items():
        (folder / name).write_bytes(content)
    return load_generator(folder, "cpu")


@pytest.mark.parametrize(
    ("part", "keys", "value"),
    [
        ("mask", ("encoder", "width"), 10**9),
        ("mask", ("encoder", "width"), 60_000),
        ("mask", ("encoder", "width"), -1),
        ("mask", ("encoder", "width"), 0),
        ("mask", ("encoder", "width"), 16.0),
        ("mask", ("encoder", "width"), "16"),
        ("mask", ("encoder", "width"), None),
        ("mask", ("encoder", "dropout"), 7.0),
        ("mask", ("encoder", "dropout"), float("nan")),
        ("mask", ("encoder", "dilations"), [1] * 10_000),
        ("mask", ("encoder", "dilations"), 3),
        ("mask", ("encoder",), None),
        ("decoder", ("temporal", "layers"), 10**7),
        ("decoder", ("temporal", "heads"), [2]),
        ("decoder", ("depth", "expansion"), 50_000),
        ("decoder", ("encoder", "kernel"), [3]),
        ("codec", ("passes",), 10**9),
        ("codec", ("vocoder", "width"), 60_000),
        ("codec", ("vocoder", "blocks"), 60),
        ("codec", ("rate_hz",), 10**12),
    ],
)
def test_a_configuration_that_asks_for_the_impossible(tiny, tmp_path, part, keys, value):
    config = json.loads(tiny["config.json"])
    place = config["parts"][part]["config"]
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    with pytest.raises(InputError, match="get the checkpoint again"):
        load(tmp_path, {**tiny, "config.json": json.dumps(config).encode("ascii")})


def test_a_weight_file_is_one_of_the_folder(tiny, tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "mask.safetensors").write_bytes(tiny["mask.safetensors"])
    for name in ("../mask.safetensors", "config.json", "..", "", "a\x00b.safetensors", "C:\\mask.safetensors"):
        config = json.loads(tiny["config.json"])
        config["parts"]["mask"]["files"][0]["file"] = name
        with pytest.raises(InputError):
            load(tmp_path / "inner", {**tiny, "config.json": json.dumps(config).encode("ascii")})


def test_a_safetensors_header_that_promises_too_much(tiny, tmp_path):
    content = tiny["mask.safetensors"]
    header = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    name = next(name for name in header if name != "__metadata__")
    for shape in ([2**40], [2**31, 2**31], [-1], [0]):
        forged = json.dumps({**header, name: {**header[name], "shape": shape}}).encode("ascii")
        files = {**tiny, "mask.safetensors": struct.pack("<Q", len(forged)) + forged + content[-1000:]}
        with pytest.raises(InputError):
            load(tmp_path, seeds.with_true_hashes(files))
    with pytest.raises(InputError):
        load(tmp_path, seeds.with_true_hashes({**tiny, "mask.safetensors": struct.pack("<Q", 2**62) + b"{}"}))


# --- JSON, drawn --------------------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.sampled_from(list(seeds.ROLL["events"][1])), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def refusal(read) -> str | None:
    """The sentence of a refusal, None when it was read; anything else goes through."""
    try:
        read()
    except InputError as error:
        return str(error)
    return None


@settings(max_examples=120)
@given(_JSON, st.integers(0, 2**32))
def test_any_json_is_a_roll_or_one_sentence(document, seed):
    rng = random.Random(seed)
    for text in (
        json.dumps(document).encode("utf-8", "surrogatepass"),
        json.dumps({"format_version": 1, "events": [document]}).encode("ascii"),
        json.dumps({"format_version": 1, "events": [{**seeds.ROLL["events"][0], "label": document}]}).encode("ascii"),
        mutate_json(document, rng),
    ):
        sentence = refusal(lambda text=text: parse_roll(text, "roll.json"))
        assert sentence is None or (sentence.startswith("roll.json") and not any(map(steers, sentence)))


@settings(max_examples=80)
@given(_JSON)
def test_any_json_is_a_frame_or_refused(document):
    for header in (document, {"arrays": document}, {"arrays": [document]}):
        stream = io.BytesIO(seeds.frame(json.dumps(header).encode("ascii")))
        with contextlib.suppress(frames.FrameError):
            assert isinstance(frames.read(stream), frames.Frame)


@settings(max_examples=60)
@given(_JSON)
def test_any_json_as_a_checkpoints_configuration_is_refused(document):
    with tempfile.TemporaryDirectory() as folder:
        for config in (
            document,
            {"format_version": 1, "name": "x", "parts": document, "classes": document, "better_than_repair": []},
        ):
            (Path(folder) / "config.json").write_text(json.dumps(config), encoding="utf-8")
            sentence = refusal(lambda: catalogue.describe(Path(folder)))
            assert sentence is None or "config" in sentence


# --- names of files -----------------------------------------------------------------------------------------------------

_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\..*)?", re.IGNORECASE)


def test_no_label_becomes_a_path_or_a_device(tmp_path):
    (tmp_path / "a.wav").write_bytes(seeds.audio("wav")[0][1])
    labels = [text for text in TEXTS if text.strip() and len(text) <= 200 and not any(map(steers, text))]
    labels += ["COM1", "aux.txt", "a:b", "x.", "x ", "\u00e4" * 200, "\U0001f415" * 100, "-", "..", "a\u2044b"]
    events = [
        Event(f"e{k}", action, label, 0.01, 0.02, f"{label[:150]} {action}")
        for k, (label, action) in enumerate(
            (label, action) for label in labels for action in (Action.INSERT, Action.DELETE)
        )
    ]
    with Source.open(tmp_path / "a.wav") as source:
        plan = plan_export(source, EventRoll(tuple(events)), tmp_path / "take.wav", tmp_path / "stems")
    names = [*plan.names.values(), *plan.removed.values()]
    assert len(names) == len({name.casefold() for name in names}) > len(labels)
    for name in names:
        assert re.fullmatch(r"bed\.wav|(removed/)?\d+-[^\W_][\w-]*\.wav|(removed/)?\d+-[\w-]+\.wav", name), name
        last = name.rpartition("/")[2]
        assert not _RESERVED.fullmatch(last) and len(last.encode("utf-8")) < 255 and ".." not in name
