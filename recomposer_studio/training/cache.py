"""Decoded audio of a library, ready for drawing scenes without touching the disk for every one.

Every split becomes one packed file of 16-bit samples (32 kHz mono) with a JSON index beside it, in a folder the caller
names; it is mapped into memory, so that several processes share it. Each sound is scaled to its own peak before
rounding: the error lies 98 dB below its peak. A pack is named by a hash of its list of files with their sizes and
times, so a changed manifest makes a new one.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from recomposer_studio.audio.atomic import atomic_path, write_error
from recomposer_studio.errors import InputError
from recomposer_studio.training.manifest import BackgroundFile, EventFile, Library, Skips

RATE_HZ = 32000
BLOCK_FRAMES = 160
"""Samples of the blocks that `audible_span` looks at: 5 ms."""

_FORMAT_VERSION = 1
_SILENT_PEAK = 1e-4
_FULL_SCALE = 0.99
_CLIPPED_SHARE = 1e-3
_TRIM_DB = -50.0
_MIN_EVENT_S, _MIN_BACKGROUND_S = 0.05, 1.0


@dataclass(frozen=True)
class Clip:
    """Where one decoded sound lies in the pack: first sample, number of samples, value of one step."""

    offset: int
    frames: int
    scale: float


class SplitAudio:
    """The decoded recordings of one split.

    Attributes:
        events: usable events, in the library's order.
        backgrounds: usable backgrounds, in the library's order.
        skipped: what decoding left out, reason -> paths.
    """

    def __init__(
        self, library: Library, split: str, samples: np.ndarray, index: Mapping[str, Clip], skips: Skips
    ) -> None:
        """Binds decoded samples (int16, one dimension) to the files of a split."""
        part = library.of_split(split)
        self.name = library.name
        self.split = split
        self.events = tuple(f for f in part.events if f.key in index)
        self.backgrounds = tuple(f for f in part.backgrounds if f.key in index)
        self.skipped = skips.frozen()
        self.tables: dict[object, object] = {}
        self._samples = samples
        self._index = index
        self._digests: dict[str, str] = {}

    def frames(self, key: str) -> int:
        """Length of a sound in samples at 32 kHz."""
        return self._index[key].frames

    def read(self, key: str, start: int = 0, frames: int | None = None) -> np.ndarray:
        """Samples (frames,) float32 of a sound, from sample `start`.

        Raises:
            KeyError: the split holds no such sound.
        """
        clip = self._index[key]
        stop = clip.frames if frames is None else min(clip.frames, start + frames)
        return self._samples[clip.offset + start : clip.offset + stop].astype(np.float32) * np.float32(clip.scale)

    def digest(self, key: str) -> str:
        """Hash of a sound's decoded samples, in hex: another one when the recording has changed.

        Raises:
            KeyError: the split holds no such sound.
        """
        if key not in self._digests:
            clip = self._index[key]
            steps = np.ascontiguousarray(self._samples[clip.offset : clip.offset + clip.frames], "<i2")
            digest = hashlib.blake2b(repr(clip.scale).encode(), digest_size=8)
            digest.update(steps.tobytes())
            self._digests[key] = digest.hexdigest()
        return self._digests[key]


class AudioCache:
    """Decodes the splits of a library on first use and keeps them.

    Args:
        library: the recordings.
        folder: where packed splits are kept between runs; None decodes into memory each time.
        progress: called with (done, total) files while decoding.
    """

    def __init__(
        self, library: Library, folder: str | Path | None = None, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Reads nothing yet."""
        self.library = library
        self._folder = None if folder is None else Path(folder)
        self._progress = progress
        self._splits: dict[str, SplitAudio] = {}

    @property
    def folder(self) -> Path | None:
        """Where packed splits are kept, or None."""
        return self._folder

    def split(self, name: str) -> SplitAudio:
        """The decoded recordings of a split that scenes can be composed of.

        Raises:
            InputError: the split holds no usable event or no usable background, or the folder cannot be written.
        """
        audio = self.usable(name)
        for what, files in (("event", audio.events), ("background", audio.backgrounds)):
            if not files:
                reasons = "; ".join(f"{len(p)} {r}" for r, p in audio.skipped.items()) or "none listed"
                raise InputError(
                    f"{self.library.name}: the split '{name}' holds no usable {what} ({reasons}); add recordings."
                )
        return audio

    def usable(self, name: str) -> SplitAudio:
        """What can be decoded of a split, be it nothing: from its pack when that is current, else decoded now.

        Raises:
            InputError: the folder cannot be written.
        """
        if name not in self._splits:
            self._splits[name] = self._load(name)
        return self._splits[name]

    def _load(self, name: str) -> SplitAudio:
        part = self.library.of_split(name)
        files: list[EventFile | BackgroundFile] = [*part.events, *part.backgrounds]
        if self._folder is None:
            chunks: list[np.ndarray] = []
            index, skips = _decode_all(files, chunks.append, self._progress)
            samples = np.concatenate(chunks) if chunks else np.zeros(0, np.int16)
            return SplitAudio(self.library, name, samples, index, skips)
        stem = f"{name}-{_digest(files)}"
        pack, table = self._folder / f"{stem}.i16", self._folder / f"{stem}.json"
        loaded = _read_index(pack, table)
        if loaded is None:
            loaded = self._write_pack(files, pack, table)
        index, skips = loaded
        samples = np.memmap(pack, dtype="<i2", mode="r") if index else np.zeros(0, np.int16)
        return SplitAudio(self.library, name, samples, index, skips)

    def _write_pack(
        self, files: list[EventFile | BackgroundFile], pack: Path, table: Path
    ) -> tuple[dict[str, Clip], Skips]:
        try:
            pack.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(pack) as part, part.open("wb") as file:
                index, skips = _decode_all(files, lambda x: file.write(x.astype("<i2").tobytes()), self._progress)
            document = {
                "format_version": _FORMAT_VERSION,
                "clips": {k: [c.offset, c.frames, c.scale] for k, c in index.items()},
                "skipped": {r: [str(p) for p in paths] for r, paths in skips.frozen().items()},
            }
            with atomic_path(table) as part:
                part.write_text(json.dumps(document), encoding="utf-8")
        except OSError as error:
            raise write_error(pack, error) from error
        return index, skips


def _digest(files: Sequence[EventFile | BackgroundFile]) -> str:
    digest = hashlib.sha256(f"{_FORMAT_VERSION} {RATE_HZ}".encode())
    for file in files:
        status = file.path.stat() if file.path.is_file() else None
        state = (status.st_size, status.st_mtime_ns) if status else None
        digest.update(f"{type(file).__name__}\0{file.key}\0{file.path}\0{state}\0{file.span_s}\n".encode())
    return digest.hexdigest()[:16]


def _read_index(pack: Path, table: Path) -> tuple[dict[str, Clip], Skips] | None:
    try:
        document = json.loads(table.read_text(encoding="utf-8"))
        if document["format_version"] != _FORMAT_VERSION:
            return None
        index = {key: Clip(int(o), int(n), float(s)) for key, (o, n, s) in document["clips"].items()}
        if pack.stat().st_size != 2 * sum(c.frames for c in index.values()):
            return None
        skips = Skips()
        for reason, paths in document["skipped"].items():
            for path in paths:
                skips.add(reason, Path(path))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return index, skips


def _decode_all(
    files: list[EventFile | BackgroundFile],
    write: Callable[[np.ndarray], object],
    progress: Callable[[int, int], None] | None,
) -> tuple[dict[str, Clip], Skips]:
    index: dict[str, Clip] = {}
    skips = Skips()
    offset = 0
    for number, file in enumerate(files):
        sound = _decode(file)
        if isinstance(sound, str):
            skips.add(sound, file.path)
        else:
            peak = float(np.abs(sound).max())
            scale = peak / 32767.0
            write(np.rint(sound / scale).astype(np.int16))
            index[file.key] = Clip(offset, len(sound), scale)
            offset += len(sound)
        if progress is not None:
            progress(number + 1, len(files))
    return index, skips


def _decode(file: EventFile | BackgroundFile) -> np.ndarray | str:
    """Mono float32 samples at 32 kHz, or the reason why the file is of no use."""
    try:
        with sf.SoundFile(file.path) as source:
            rate = source.samplerate
            if file.span_s is not None:
                source.seek(min(source.frames, round(file.span_s[0] * rate)))
                sound = source.read(round((file.span_s[1] - file.span_s[0]) * rate), dtype="float32", always_2d=True)
            else:
                sound = source.read(dtype="float32", always_2d=True)
    except (OSError, RuntimeError, ValueError):
        return "unreadable"
    if not np.isfinite(sound).all():
        return "holds values that are not finite"
    if sound.size == 0:
        return "empty"
    if np.abs(sound).max() < _SILENT_PEAK:
        return "silent"
    if (np.abs(sound) >= _FULL_SCALE).mean() > _CLIPPED_SHARE:
        return "clipped"
    mono = sound.mean(axis=1)
    mono = mono if rate == RATE_HZ else soxr.resample(mono, rate, RATE_HZ)
    if np.abs(mono).max(initial=0.0) < _SILENT_PEAK:
        return "silent as mono"
    is_event = isinstance(file, EventFile)
    if is_event:
        start, stop = audible_span(mono, _TRIM_DB)
        mono = mono[start:stop]
    if len(mono) < (_MIN_EVENT_S if is_event else _MIN_BACKGROUND_S) * RATE_HZ:
        return "too short"
    return np.ascontiguousarray(mono, dtype=np.float32)


def audible_span(sound: np.ndarray, floor_db: float) -> tuple[int, int]:
    """First and past-the-last sample of what lies above `floor_db` relative to the loudest 5 ms block.

    Args:
        sound: samples (frames,) at 32 kHz.
        floor_db: negative level in dB.
    """
    blocks = -(-len(sound) // BLOCK_FRAMES)
    padded = np.zeros(blocks * BLOCK_FRAMES, np.float32)
    padded[: len(sound)] = sound
    power = np.einsum("ij,ij->i", padded.reshape(blocks, BLOCK_FRAMES), padded.reshape(blocks, BLOCK_FRAMES))
    loud = np.flatnonzero(power >= power.max() * 10.0 ** (floor_db / 10.0))
    return int(loud[0]) * BLOCK_FRAMES, min(len(sound), (int(loud[-1]) + 1) * BLOCK_FRAMES)
