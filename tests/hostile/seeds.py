"""Small whole files to begin with, made here: nothing is read that the repository does not hold."""

import gzip
import hashlib
import io
import json
import struct
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

RATE_HZ, FRAMES = 16_000, 1_600

AUDIO: dict[str, tuple[tuple[str, str, str], ...]] = {
    "wav": (("WAV", "PCM_16", ".wav"), ("WAVEX", "PCM_24", ".wav"), ("WAV", "FLOAT", ".wav"), ("WAV", "ULAW", ".wav"),
            ("WAV", "IMA_ADPCM", ".wav"), ("WAV", "MS_ADPCM", ".wav"), ("WAV", "GSM610", ".wav"), ("WAV", "DOUBLE", ".wav")),
    "rf64": (("RF64", "PCM_16", ".rf64"), ("RF64", "FLOAT", ".wav")),
    "w64": (("W64", "PCM_24", ".w64"), ("W64", "ULAW", ".w64")),
    "aiff": (("AIFF", "PCM_16", ".aiff"), ("AIFF", "FLOAT", ".aif"), ("AIFF", "IMA_ADPCM", ".aiff"), ("AIFF", "DWVW_16", ".aiff")),
    "caf": (("CAF", "PCM_24", ".caf"), ("CAF", "ALAC_16", ".caf")),
    "flac": (("FLAC", "PCM_16", ".flac"), ("FLAC", "PCM_24", ".flac")),
    "ogg": (("OGG", "VORBIS", ".ogg"),),
    "opus": (("OGG", "OPUS", ".opus"),),
    "mp3": (("MP3", "MPEG_LAYER_III", ".mp3"),),
    "au": (("AU", "PCM_16", ".au"), ("AU", "G721_32", ".au"), ("AU", "ALAW", ".snd")),
}  # fmt: skip
"""Kind -> (container, coding, suffix): every container that `Source` opens."""


def audio(kind: str) -> list[tuple[str, bytes]]:
    """(suffix, bytes) of the sound files of a kind; mono where the coding takes no more."""
    time = np.arange(FRAMES) / RATE_HZ
    sound = 0.3 * np.sin(2 * np.pi * 440 * time) + 0.05 * np.random.default_rng(0).standard_normal(FRAMES)
    found = []
    for container, coding, suffix in AUDIO[kind]:
        mono = coding in ("GSM610", "G721_32", "DWVW_16", "MPEG_LAYER_III")
        stream = io.BytesIO()
        samples = sound if mono else np.stack([sound, -sound], axis=1)
        soundfile.write(stream, samples, RATE_HZ, coding, format=container)
        found.append((suffix, stream.getvalue()))
    if kind == "wav":
        content = found[0][1]
        tail = b"LIST" + struct.pack("<I", 26) + b"INFOINAM" + struct.pack("<I", 14) + b"../evil\x00=1+1\x00\x00"
        found.append((".wav", content[:4] + struct.pack("<I", len(content) + len(tail) - 8) + content[8:] + tail))
    if kind == "mp3":
        found.append((".mp3", b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128) + found[0][1]))
    return found


ROLL: dict[str, Any] = {
    "format_version": 1,
    "events": [
        {"action": "delete", "label": "dog bark", "start_s": 0.01, "end_s": 0.05, "low_hz": 200, "high_hz": 4000.5},
        {
            "id": "beep",
            "row": "beeps",
            "action": "enhance",
            "label": "beep",
            "start_s": 0.03,
            "end_s": 0.08,
            "by_db": 6,
        },
        {
            "action": "insert",
            "label": "door",
            "start_s": 0.05,
            "end_s": 0.06,
            "pan": -0.3,
            "level_db": 12,
            "muted": True,
        },
        {
            "action": "keep",
            "label": "baby cry",
            "start_s": 0.0,
            "end_s": 0.1,
            "confidence": 0.7,
            "amount": 0.5,
            "gain_db": -3,
        },
    ],
}

SETTINGS: dict[str, Any] = {
    "format_version": 1, "theme": "dark", "scale": "log", "colours": "aurora", "range_db": 80, "recent_files": ["a.wav"],
    "recent_labels": ["Bark"], "geometry": "01d9d0cb", "volume_db": -3.0,
}  # fmt: skip

STEMS: dict[str, Any] = {"format_version": 1, "stems": ["bed.wav", "01-dog-bark.wav", "removed/02-beep.wav"]}

MANIFEST = (
    "path,kind,audioset_class,duration_s,licence,author,split,source_id,gain,source_rate_hz,yamnet_rank,scene\n"
    "a.wav,event,Bark,0.1,CC0,one,train,s1,0.9,44100,1,\n"
    "b/b.wav,event,Door,0.1,CC BY 4.0,two,valid,s2,,48000,,\n"
    '"c,c.wav",background,Rain,0.1,CC0,"three, four",train,s3,,,,street\n'
)

FRAME: dict[str, Any] = {
    "kind": "share", "number": 3, "hop_s": 0.01, "protocol": 1,
    "event": {"id": "e", "action": "delete", "label": "bark", "start_s": 0.1, "end_s": 0.4, "row": "e"},
    "others": [], "arrays": [["f8", "C", [4, 6]], ["b1", "C", [6]], ["f4", "F", [2, 3]]],
}  # fmt: skip
FRAME_ARRAYS = np.linspace(0, 1, 24).astype("<f8").tobytes() + bytes([0, 1, 1, 0, 1, 0]) + bytes(24)


def frame(header: bytes, arrays: bytes = FRAME_ARRAYS) -> bytes:
    """A frame of the worker's pipe around a header."""
    return b"RcF1" + struct.pack("<I", len(header)) + header + arrays


def checkpoint() -> dict[str, bytes]:
    """The files of a tiny checkpoint."""
    from tests.model.tiny import write_tiny

    with tempfile.TemporaryDirectory() as folder:
        write_tiny(Path(folder))
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def with_true_hashes(files: dict[str, bytes]) -> dict[str, bytes]:
    """A checkpoint whose configuration names the hashes that its damaged weight files have: a forger would see to that."""
    config = json.loads(files["config.json"])
    for part in config["parts"].values():
        for entry in part["files"]:
            if entry["file"] in files:
                entry["sha256"] = hashlib.sha256(files[entry["file"]]).hexdigest()
    return {**files, "config.json": json.dumps(config).encode("utf-8")}


def keras_file() -> bytes:
    """A small .h5 file with groups, compressed and plain arrays and an attribute; not YAMNet."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["note"] = "x"
        file.create_dataset(
            "layer1/conv/layer1/conv/kernel:0", data=np.ones((3, 3, 1, 32), np.float32), compression="gzip"
        )
        file.create_dataset("layer1/conv/bn/beta:0", data=np.zeros(32, np.float32))
        file.create_dataset("words", data=np.array([b"a", b"bc"]))
    return stream.getvalue()


def tflite_file() -> bytes:
    """A FlatBuffer with a Dequantize, a quantised convolution and a classifier; the tables of schema.fbs by their numbers."""
    import flatbuffers

    b = flatbuffers.Builder(1024)

    def numbers(values: Any) -> int:
        return int(b.CreateNumpyVector(np.asarray(values)))

    def tables(offsets: list[int]) -> int:
        b.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            b.PrependUOffsetTRelative(offset)
        return int(b.EndVector())

    def table(fields: dict[int, tuple[str, int]]) -> int:
        b.StartObject(8)
        for slot, (form, value) in fields.items():
            if form == "offset":
                b.PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                getattr(b, f"Prepend{form}Slot")(slot, value, 0)
        return int(b.EndObject())

    contents = [b"", bytes(range(36)), np.zeros(4, "<i4").tobytes(), np.ones((521, 4), "<f4").tobytes(), np.zeros(521, "<f4").tobytes()]  # fmt: skip
    buffers = [table({0: ("offset", numbers(np.frombuffer(c, np.uint8)))}) if c else table({}) for c in contents]
    quantised = table(
        {2: ("offset", numbers(np.full(1, 0.5, np.float32))), 3: ("offset", numbers(np.zeros(1, np.int64)))}
    )
    shapes = [((1, 4), 0, 0), ((4, 3, 3, 1), 9, 1), ((4,), 2, 2), ((521, 4), 0, 3), ((521,), 0, 4)]
    tensors = [
        table({0: ("offset", numbers(np.array(shape, np.int32))), 1: ("Int8", kind), 2: ("Uint32", buffer)}
              | ({4: ("offset", quantised)} if kind == 9 else {}))
        for shape, kind, buffer in shapes
    ]  # fmt: skip
    operators = []
    for code, inputs in ((1, (0, 1, 2)), (2, (0, 3, 4)), (0, (1,))):
        read, made = numbers(np.array(inputs, np.int32)), numbers(np.array([0], np.int32))
        operators.append(table({0: ("Uint32", code), 1: ("offset", read), 2: ("offset", made)}))
    graph = table({0: ("offset", tables(tensors)), 3: ("offset", tables(operators))})
    codes = tables([table({0: ("Int8", number), 3: ("Int32", number)}) for number in (6, 3, 9)])
    model = table({1: ("offset", codes), 2: ("offset", tables([graph])), 4: ("offset", tables(buffers))})
    b.Finish(model, file_identifier=b"TFL3")
    return bytes(b.Output())


def archive() -> bytes:
    """A small .tar.gz of a model."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in (("model/yamnet.tflite", b"TFL3" * 50), ("model/readme.txt", b"words")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def hostile_archive(names: list[str], kind: bytes, target: str, size: int) -> bytes:
    """An archive whose members ask for places outside, are links or devices, or promise more than they hold."""
    stream = io.BytesIO()
    for name in names:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, target, size if kind == tarfile.REGTYPE else 0
        try:
            stream.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape") + bytes(512))
        except (UnicodeError, ValueError):
            stream.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "replace") + bytes(512))
    stream.write(bytes(1024))
    return gzip.compress(stream.getvalue(), 1, mtime=0)
