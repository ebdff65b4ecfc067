"""What is attacked: every reader of files that come from elsewhere, with whole files to damage and a way to read them."""

import csv
import io
import json
import random
import re
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from recomposer_studio.errors import InputError
from tests.hostile import seeds
from tests.hostile.mutations import TEXTS, mutate_bytes, mutate_json, mutate_text

Files = dict[str, bytes]
"""Name within the case's folder -> content."""

MOST_FRAMES = 2**21
"""No more of a sound file is read: a file may honestly be long, and this is about what it does to the reader."""


@dataclass(frozen=True)
class Target:
    """A reader of files.

    Attributes:
        kind: what it is called in the table.
        share: how many of 10,000 mutations it gets.
        whole: undamaged cases, all of which must be accepted; the damage starts from them.
        damage: a damaged case from one of those.
        read: reads a case in its folder; `InputError` is the one way to refuse.
    """

    kind: str
    share: int
    whole: Callable[[], list[Files]]
    damage: Callable[[Files, random.Random], Files]
    read: Callable[[Path], None]

    def case(self, seed: int, number: int) -> Files:
        """The damaged case of a number: the same for the same seed on every machine."""
        rng = random.Random(f"{self.kind}:{seed}:{number}")
        return self.damage(rng.choice(self._whole()), rng)

    def _whole(self) -> list[Files]:
        return _cached(self.whole)


@cache
def _cached(whole: Callable[[], list[Files]]) -> list[Files]:
    return whole()


# --- sound ------------------------------------------------------------------------------------------------------------


def _sounds(kind: str) -> list[Files]:
    return [{f"sound{suffix}": content} for suffix, content in seeds.audio(kind)]


@cache
def _all_sounds() -> list[bytes]:
    return [content for kind in seeds.AUDIO for _, content in seeds.audio(kind)]


def _damaged_sound(files: Files, rng: random.Random) -> Files:
    ((name, content),) = files.items()
    others = _all_sounds() if rng.random() < 0.3 else [content]
    if rng.random() < 0.05:
        name = rng.choice(("sound.mp3", "sound.wav", "sound.au", "sound", "sound.raw", "sound.flac", "sound.vox"))
    return {name: mutate_bytes(content, others, rng)}


def _read_sound(folder: Path) -> None:
    from recomposer_studio.audio.source import BLOCK_FRAMES, Source

    (path,) = folder.iterdir()
    with Source.open(path) as source:
        for start in range(0, min(source.frames, MOST_FRAMES), BLOCK_FRAMES):
            source.read_native(start, min(start + BLOCK_FRAMES, source.frames))
        source.read(max(0, source.frames - 500), source.frames)
        source.read(source.frames // 2, min(source.frames // 2 + 500, source.frames))
        source.sha256()


# --- rolls ------------------------------------------------------------------------------------------------------------


def _read_roll(folder: Path) -> None:
    """Also what follows from a roll that is accepted: it is written, read again, and its rows name files."""
    from recomposer_studio.audio.source import Source
    from recomposer_studio.project.export import plan_export
    from recomposer_studio.roll.file import check_fits, format_roll, parse_roll, read_roll

    roll = read_roll(folder / "roll.json")
    assert parse_roll(format_roll(roll), "again") == roll
    check_fits(roll, 0.1, "roll.json")
    if len(roll.events) > 1_000:  # planning compares every pair of names: thousands of rows take long, honestly
        return
    out = folder / "out"
    out.mkdir()
    with Source.open(_scene(folder)) as source:
        plan = plan_export(source, roll, out / "take.wav", out / "stems")
    for path in (*plan.stem_paths(plan.names), *plan.stem_paths(plan.removed)):
        assert path.resolve().is_relative_to((out / "stems").resolve()), path
        assert len(path.name.encode("utf-8")) < 255, path


def _scene(folder: Path) -> Path:
    path = folder / "scene.wav"
    path.write_bytes(seeds.audio("wav")[0][1])
    return path


def _large_roll(rng: random.Random) -> bytes:
    event = json.dumps(rng.choice(seeds.ROLL["events"]))
    return ('{"format_version": 1, "events": [' + ",".join([event] * rng.choice((300, 20_000))) + "]}").encode("utf-8")


def _damaged_roll(files: Files, rng: random.Random) -> Files:
    return {"roll.json": _large_roll(rng) if rng.random() < 0.005 else mutate_json(seeds.ROLL, rng)}


def _label_files() -> list[Files]:
    from recomposer_studio.roll.file import parse_roll
    from recomposer_studio.roll.formats.files import SUFFIXES, LabelFormat, format_labels
    from recomposer_studio.roll.formats.values import About

    roll = parse_roll(json.dumps(seeds.ROLL), "roll")
    about = About("scene.wav", 60.0, 8_000.0)
    kinds = [kind for kind in LabelFormat if kind is not LabelFormat.ROLL]
    return [{f"labels{SUFFIXES[kind]}": format_labels(roll, kind, about).encode("utf-8")} for kind in kinds]


def _damaged_labels(files: Files, rng: random.Random) -> Files:
    ((name, content),) = files.items()
    if name.endswith(".jams") and rng.random() < 0.7:
        return {name: mutate_json(json.loads(content), rng)}
    if rng.random() < 0.1:
        name = rng.choice(("labels.txt", "labels.csv", "labels.tsv", "labels.TextGrid", "labels.jams"))
    return {name: mutate_text(content, rng, ("\t", ",", ";", " = "))}


def _read_labels(folder: Path) -> None:
    """What is accepted is also written as tables, whose cells a spreadsheet must not take for formulas."""
    from recomposer_studio.roll.formats.files import LabelFormat, format_labels, read_labels
    from recomposer_studio.roll.formats.values import About

    (path,) = folder.iterdir()
    about = About("scene.wav", 60.0, 8_000.0)
    roll = read_labels(path, about).roll
    for kind in LabelFormat:
        text = format_labels(roll, kind, about)
        if kind in (LabelFormat.CSV, LabelFormat.TSV):
            for line in csv.reader(io.StringIO(text), delimiter="," if kind is LabelFormat.CSV else "\t"):
                for cell in line:
                    assert not cell.startswith(("=", "+", "@")) and (cell[:1] != "-" or is_plain_number(cell)), cell


def is_plain_number(cell: str) -> bool:
    """Whether a spreadsheet reads a cell as a number and nothing else."""
    return re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", cell) is not None


# --- projects ---------------------------------------------------------------------------------------------------------


def _projects() -> list[Files]:
    from recomposer_studio.audio.source import Source
    from recomposer_studio.project.store.journal import Journal, copy_project
    from tests.project.states import make_recording, project_of

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with Source.open(make_recording(folder)) as source:
            journal = Journal(folder / "work.sqlite")
            journal.write(project_of(source))
            copy_project(journal.path, folder / "a.recomposer")
            journal.close()
        content = (folder / "a.recomposer").read_bytes()
    older = Path(__file__).resolve().parents[1] / "project" / "fixtures" / "version1.recomposer"
    return [{"a.recomposer": content}, {"a.recomposer": older.read_bytes()}]


def _damaged_project(files: Files, rng: random.Random) -> Files:
    content = files["a.recomposer"]
    if rng.random() < 0.5:
        return {"a.recomposer": mutate_bytes(content, [], rng)}
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(content)
        for _ in range(rng.choice((1, 1, 2, 4))):
            _damage_row(connection, rng)
        connection.commit()
        return {"a.recomposer": connection.serialize()}
    finally:
        connection.close()


def _damage_row(connection: sqlite3.Connection, rng: random.Random) -> None:
    """Another value in one cell, a row less, or another version: what a whole database says is not to be believed either."""
    tables = [
        name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    ]
    table = rng.choice(tables)
    rows = connection.execute(f"SELECT rowid, * FROM {table} ORDER BY rowid").fetchall()
    if not rows:
        return
    columns = [line[1] for line in connection.execute(f"PRAGMA table_info({table})")]
    row = rng.choice(rows)
    at = rng.randrange(len(columns))
    value = row[1 + at]
    if rng.random() < 0.1:
        connection.execute(f"DELETE FROM {table} WHERE rowid = ?", (row[0],))
        return
    if isinstance(value, bytes) and rng.random() < 0.8:
        value = mutate_bytes(value, [], rng)
    elif isinstance(value, str) and value[:1] in ("{", "[", '"') and rng.random() < 0.8:
        value = mutate_json(json.loads(value), rng).decode("utf-8", "replace")
    else:
        value = rng.choice((None, 0, -1, 2**62, 1e300, "x" * 1000, "../../x", bytes(9), rng.getrandbits(8)))
    try:
        connection.execute(f"UPDATE {table} SET {columns[at]} = ? WHERE rowid = ?", (value, row[0]))
    except sqlite3.Error:  # the table itself refuses it: this is no damage that a file could have
        return


def _read_project(folder: Path) -> None:
    from recomposer_studio.audio.source import Source
    from recomposer_studio.project.store.database import open_file
    from recomposer_studio.project.store.reader import Reader
    from tests.project.states import make_recording

    path = folder / "a.recomposer"
    with Source.open(make_recording(folder)) as source, Reader(open_file(path), path) as reader:
        project = reader.project(source)
        for entry in project.history.state.takes:
            entry.take.read(0, source.frames)


# --- checkpoints ------------------------------------------------------------------------------------------------------


def _damaged_checkpoint(files: Files, rng: random.Random) -> Files:
    result = dict(files)
    chance = rng.random()
    name = rng.choice([name for name in files if name != "config.json"])
    if chance < 0.45:
        result["config.json"] = mutate_json(json.loads(files["config.json"]), rng)
    elif chance < 0.6:
        result[name] = mutate_bytes(files[name], [], rng)
    elif chance < 0.65:
        del result[name]
    elif chance < 0.85:  # the header of a safetensors file is JSON behind its length
        length = int.from_bytes(files[name][:8], "little")
        header = mutate_json(json.loads(files[name][8 : 8 + length]), rng)
        size = len(header) if rng.random() < 0.8 else rng.getrandbits(rng.choice((8, 31, 63)))
        result[name] = size.to_bytes(8, "little") + header + files[name][8 + length :]
        result = seeds.with_true_hashes(result)
    else:
        result[name] = mutate_bytes(files[name], [], rng)
        result = seeds.with_true_hashes(result)
    return result


def _read_checkpoint(folder: Path) -> None:
    from recomposer_studio.model.catalogue import describe
    from recomposer_studio.model.generator import load_generator

    describe(folder)
    load_generator(folder, "cpu")


# --- YAMNet -----------------------------------------------------------------------------------------------------------


def _read_tflite(folder: Path) -> None:
    from recomposer_studio.tagging.tflite import read_layers
    from recomposer_studio.tagging.yamnet_files import read_weights

    try:
        read_layers((folder / "yamnet.tflite").read_bytes())
    except ValueError as error:  # its documented refusal, which `read_weights` turns into a sentence
        raise InputError(str(error)) from error
    with _expected("27"):
        read_weights(folder / "yamnet.tflite")


def _read_keras(folder: Path) -> None:
    from recomposer_studio.tagging.yamnet_files import read_weights

    with _expected("missing"):
        read_weights(folder / "yamnet.h5")


class _expected:  # noqa: N801 - reads as a word
    """Takes the one refusal that the undamaged small file gets too: it is whole, and not YAMNet."""

    def __init__(self, word: str) -> None:
        self._word = word

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        return isinstance(error, InputError) and self._word in str(error)


@cache
def _onnx_bytes() -> bytes:
    from recomposer_studio.tagging.yamnet_graph import fold, onnx_bytes
    from tests.tagging.tiny_yamnet import loudness_variables

    return onnx_bytes(fold(loudness_variables()), {"source": "x", "licence": "y"})


def _card(model: bytes) -> dict[str, object]:
    import hashlib

    digest = hashlib.sha256(model).hexdigest()
    return {"format_version": 1, "file": "yamnet-1.onnx", "sha256": digest, "source": "x", "licence": "y"}


def _installed() -> list[Files]:
    model = _onnx_bytes()
    return [{"yamnet-1.onnx": model, "yamnet.json": json.dumps(_card(model)).encode("ascii")}]


def _damaged_install(files: Files, rng: random.Random) -> Files:
    model = files["yamnet-1.onnx"]
    if rng.random() < 0.5:
        return {**files, "yamnet.json": mutate_json(json.loads(files["yamnet.json"]), rng)}
    # The graph stands before the 15 MB of weights.
    damaged = mutate_bytes(model[:12_000], [], rng) + model[12_000:]
    return {"yamnet-1.onnx": damaged, "yamnet.json": json.dumps(_card(damaged)).encode("ascii")}


def _read_install(folder: Path) -> None:
    from recomposer_studio.tagging.yamnet import load_yamnet

    load_yamnet(folder, "cpu", threads=1)


def _damaged_archive(files: Files, rng: random.Random) -> Files:
    if rng.random() < 0.5:
        return {"model.tar.gz": mutate_bytes(files["model.tar.gz"], [], rng)}
    kinds = (tarfile.REGTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)  # fmt: skip
    names = [rng.choice((*TEXTS, "../x", "/tmp/x", "a/../../x", "a", "a/b", "..\\x", "C:x")) for _ in range(3)]
    size = rng.choice((0, 5, 512, 10_000, 2**40))
    return {
        "model.tar.gz": seeds.hostile_archive(names, rng.choice(kinds), rng.choice(("../x", "a", "/etc/passwd")), size)
    }


def _read_archive(folder: Path) -> None:
    from recomposer_studio.tagging.download import unpack

    out = folder / "unpacked"
    out.mkdir()
    unpack(folder / "model.tar.gz", out)
    for path in out.rglob("*"):
        assert not path.is_symlink() and path.resolve().is_relative_to(out.resolve()), path


# --- smaller things ---------------------------------------------------------------------------------------------------


def _read_settings(folder: Path) -> None:
    """Settings are never refused: what makes no sense falls back to the default."""
    from recomposer_studio.studio.settings import SettingsFile

    file = SettingsFile(folder / "settings.json")
    file.write(file.read().with_label("x").with_file(folder / "a.wav"))


def _read_stem_index(folder: Path) -> None:
    """An index of an earlier export names the files that the next one moves away: none outside the folder."""
    from recomposer_studio.project.stem_folder import _former

    for name in _former(folder):
        assert (folder / name).resolve().is_relative_to(folder.resolve()), name


def _read_manifest(folder: Path) -> None:
    from recomposer_studio.training.manifest import load_manifest

    for name in ("a.wav", "b/b.wav", "c,c.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    load_manifest(folder)


def _damaged_frame(files: Files, rng: random.Random) -> Files:
    if rng.random() < 0.5:
        return {"frame": seeds.frame(mutate_json(seeds.FRAME, rng))}
    return {"frame": mutate_bytes(files["frame"], [], rng)}


def _read_frame(folder: Path) -> None:
    """A frame of the worker's pipe: `FrameError` is how it is refused there."""
    from recomposer_studio.worker import frames

    try:
        frames.read(io.FileIO(folder / "frame"))
    except frames.FrameError as error:
        raise InputError(str(error).encode("ascii", "backslashreplace").decode("ascii")) from error


def _json(name: str, document: object) -> tuple[Callable[[], list[Files]], Callable[[Files, random.Random], Files]]:
    whole = json.dumps(document).encode("utf-8")
    return lambda: [{name: whole}], lambda files, rng: {name: mutate_json(document, rng)}


def _bytes(
    name: str, make: Callable[[], bytes]
) -> tuple[Callable[[], list[Files]], Callable[[Files, random.Random], Files]]:
    return lambda: [{name: make()}], lambda files, rng: {name: mutate_bytes(files[name], [], rng)}


TARGETS: dict[str, Target] = {
    target.kind: target
    for target in (
        *(
            Target(f"sound: {kind}", share, partial(_sounds, kind), _damaged_sound, _read_sound)
            for kind, share in (("wav", 800), ("rf64", 400), ("w64", 400), ("aiff", 600), ("caf", 400), ("flac", 500),
                                ("ogg", 400), ("opus", 400), ("mp3", 500), ("au", 400))
        ),
        Target("roll", 1600, _json("roll.json", seeds.ROLL)[0], _damaged_roll, _read_roll),
        Target("labels", 1000, _label_files, _damaged_labels, _read_labels),
        Target("project", 900, _projects, _damaged_project, _read_project),
        Target("checkpoint", 700, lambda: [seeds.checkpoint()], _damaged_checkpoint, _read_checkpoint),
        Target("tflite", 500, *_bytes("yamnet.tflite", seeds.tflite_file), _read_tflite),
        Target("h5", 400, *_bytes("yamnet.h5", seeds.keras_file), _read_keras),
        Target("onnx and its card", 150, _installed, _damaged_install, _read_install),
        Target("archive", 300, lambda: [{"model.tar.gz": seeds.archive()}], _damaged_archive, _read_archive),
        Target("manifest", 300, lambda: [{"manifest.csv": seeds.MANIFEST.encode("utf-8")}],
               lambda files, rng: {"manifest.csv": mutate_text(files["manifest.csv"], rng)}, _read_manifest),
        Target("settings", 200, *_json("settings.json", seeds.SETTINGS), _read_settings),
        Target("stem index", 200, *_json("stems.json", seeds.STEMS), _read_stem_index),
        Target("worker frame", 350, lambda: [{"frame": seeds.frame(json.dumps(seeds.FRAME).encode("ascii"))}],
               _damaged_frame, _read_frame),
    )
}  # fmt: skip
