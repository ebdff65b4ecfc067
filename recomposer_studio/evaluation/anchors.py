"""What every result stands beside: doing nothing, cheap tricks, and how far masks, codecs and real recordings reach."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BandGrid
from recomposer_studio.codec.interface import Codec
from recomposer_studio.editing.regions import Region, active_frames, fade_window
from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.editors import SEPARATES, Edited, Samples, Task
from recomposer_studio.model import catalogue
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.roll.event import Action, Event
from recomposer_studio.training.cache import AudioCache, SplitAudio
from recomposer_studio.training.manifest import SPLITS, EventFile, Library

_FloatArray = NDArray[np.float64]
_FADE_S = Recipe().fade_s
_QUIET = 1e-14
_MARGIN_FRAMES = 8


@dataclass(frozen=True)
class InputEditor:
    """Leaves everything as it is; the ratios of all others are relative to it."""

    name: str = "input"
    digest: str = "1"
    exact: bool = True

    def suits(self, task: Task) -> bool:
        """Every task."""
        return True

    def edit(self, task: Task) -> Edited:
        """The input."""
        return Edited(task.scene.input)


@dataclass(frozen=True)
class CopyEditor:
    """Fades the neighbouring second into the box, whatever the row says.

    Longer boxes take as much of their neighbourhood as they are long; the earlier side is taken where it reaches.
    """

    name: str = "copy"
    digest: str = "1"
    exact: bool = True

    def suits(self, task: Task) -> bool:
        """Every task."""
        return True

    def edit(self, task: Task) -> Edited:
        """The input with a shifted copy of itself in the box."""
        started = time.perf_counter()
        scene, row = task.scene, task.row
        region = Region.of(row, scene.rate_hz, len(scene.input), _FADE_S)
        shift = max(scene.rate_hz, region.stop - region.start)
        start = region.start - shift if region.start >= shift else region.start + shift
        # In a scene that is short for its box, the nearest stretch that lies inside.
        start = min(max(0, start), len(scene.input) - (region.stop - region.start))
        piece = scene.input[start : start + region.stop - region.start]
        return Edited(_blend(scene.input, row, region, scene.rate_hz, piece), time.perf_counter() - started)


@dataclass(frozen=True)
class OracleEditor:
    """The best gain per band and frame of the project's band grid, knowing the desired signal.

    gain = sqrt(power desired / power input), inside the row's box; phases stay the input's.
    """

    name: str = "oracle"
    digest: str = "1"
    exact: bool = True

    def suits(self, task: Task) -> bool:
        """Delete and Enhance: a gain on the input adds no sound that is not there."""
        return task.row.action in SEPARATES

    def edit(self, task: Task) -> Edited:
        """The input under the ideal gain."""
        started = time.perf_counter()
        scene, row = task.scene, task.row
        grid = BandGrid.at(scene.rate_hz)
        region = Region.of(row, scene.rate_hz, len(scene.input), _FADE_S)
        first = int(np.floor(row.start_s / grid.hop_s)) - _MARGIN_FRAMES
        frames = int(np.ceil(row.end_s / grid.hop_s)) + _MARGIN_FRAMES + 1 - first
        active = active_frames(row.start_s, row.end_s, first, frames, grid.hop_s)
        spectrum = spectrum_of(scene.input, grid, first, frames)
        wanted = grid.power(spectrum_of(scene.desired, grid, first, frames))
        gain = np.where(active, np.sqrt(wanted / (grid.power(spectrum) + _QUIET)), 1.0)
        start = grid.span(first, 1)[0]
        piece = grid.istft(spectrum * grid.to_bins(gain))[region.start - start : region.stop - start]
        return Edited(_blend(scene.input, row, region, scene.rate_hz, piece), time.perf_counter() - started)


@dataclass
class RealEditor:
    """Insert: another real recording of the class, from another source, in the event's place at its level.

    Recordings come from all splits, since most classes have one source in a split; nothing is trained here. Its mean
    power equals the event's; what is longer than the box is cut with the engine's fade.
    """

    library: Library
    cache_folder: Path | None = None
    progress: Callable[[int, int], None] | None = None
    name: str = "real"
    exact: bool = True
    _cache: AudioCache | None = field(default=None, repr=False)
    _digest: str = field(default="", repr=False)

    @property
    def digest(self) -> str:
        """Changes with the list of events and with their files' sizes and times."""
        if not self._digest:
            facts = [
                (file.key, file.class_name, file.source_id, file.split, file.duration_s, file.span_s, _state(file.path))
                for file in self.library.events
            ]
            self._digest = hashlib.sha256(repr(facts).encode("utf-8")).hexdigest()[:16]
        return self._digest

    def suits(self, task: Task) -> bool:
        """Insert of a class that has another source."""
        return task.row.action is Action.INSERT and bool(self._others(task))

    def edit(self, task: Task) -> Edited:
        """The input with the other recording mixed in."""
        scene, row = task.scene, task.row
        others = self._others(task)
        digest = hashlib.blake2b(f"{scene.spec.seed} {row.label}".encode(), digest_size=8).digest()
        file = others[int.from_bytes(digest, "big") % len(others)]
        sound = self._recordings(file.split).read(file.key).astype(np.float64)
        region = Region.of(row, scene.rate_hz, len(scene.input), 0.0)
        sound = sound[: region.stop - region.start]
        wanted = scene.edit.after[scene.edit.after != 0].astype(np.float64)
        sound *= np.sqrt(np.mean(wanted**2) / max(float(np.mean(sound**2)), _QUIET))
        fall = min(round(_FADE_S * scene.rate_hz), len(sound) // 4)
        sound[len(sound) - fall :] *= 0.5 + 0.5 * np.cos(np.pi * (np.arange(fall) + 0.5) / max(1, fall))
        out = scene.input.astype(np.float64)
        out[region.start : region.start + len(sound)] += sound
        return Edited(out)

    def skipped(self) -> dict[str, Mapping[str, Sequence[Path]]]:
        """What decoding left out of every split: split -> reason -> paths of events."""
        return {split: self._recordings(split).skipped for split in SPLITS}

    def _others(self, task: Task) -> list[EventFile]:
        used = {sound.source_id for sound in task.scene.spec.sounds}
        wanted = [
            event
            for event in self.library.events
            if event.class_name == task.scene.edit.class_name
            and event.source_id not in used
            # As long as a target may be, so that a click does not stand for two seconds of bark.
            and event.duration_s >= 0.2
        ]
        # Only what could be decoded: a table also lists silent and broken files.
        return [event for event in wanted if event in self._recordings(event.split).events]

    def _recordings(self, split: str) -> SplitAudio:
        """The decoded events of a split; it needs none, and no background either."""
        if self._cache is None:
            self._cache = AudioCache(replace(self.library, backgrounds=()), self.cache_folder, self.progress)
        return self._cache.usable(split)


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


@dataclass(frozen=True)
class CodecEditor:
    """The desired signal encoded and decoded: what whole-clip generation could reach at best."""

    name: str
    digest: str
    codec: Codec
    exact: bool = False

    def suits(self, task: Task) -> bool:
        """Every task."""
        return True

    def edit(self, task: Task) -> Edited:
        """One round trip at the codec's rate."""
        scene, rate_hz = task.scene, self.codec.rate_hz
        started = time.perf_counter()
        wave = soxr.resample(scene.desired.astype(np.float64), scene.rate_hz, rate_hz)
        decoded = self.codec.decode(self.codec.encode(wave), scene.spec.seed)
        out = soxr.resample(np.asarray(decoded, np.float64), rate_hz, scene.rate_hz)[: len(scene.desired)]
        return Edited(np.pad(out, (0, len(scene.desired) - len(out))), time.perf_counter() - started)


def codec_editor(name: str) -> CodecEditor:
    """The codec of a checkpoint, by the checkpoint's name or folder.

    Raises:
        InputError: there is no such checkpoint, it is damaged, or it holds no codec.
    """
    folder = catalogue.find(name).folder
    from recomposer_studio.codec.build import build_codec
    from recomposer_studio.model.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(folder)
    if "codec" not in checkpoint.configs:
        raise InputError(f"the checkpoint '{checkpoint.name}' holds no codec; name one that does")
    codec = build_codec(checkpoint.configs["codec"], checkpoint.tensors["codec"])
    return CodecEditor(f"codec of {checkpoint.name}", checkpoint.digest, codec)


def spectrum_of(samples: Samples, grid: BandGrid, first: int, frames: int) -> NDArray[np.complex128]:
    """Spectrum (frames, bins) of samples (n,) on the band grid, silence beyond their ends."""
    start, stop = grid.span(first, frames)
    inside = np.asarray(samples[max(0, start) : max(0, stop)], np.float64)
    return grid.stft(np.pad(inside, (max(0, -start), stop - max(0, start) - len(inside))))


def _blend(samples: Samples, row: Event, region: Region, rate_hz: int, piece: Samples) -> _FloatArray:
    """The samples with `piece` (region samples,) in the row's region, cross-faded as the engine does."""
    out = samples.astype(np.float64)
    fade = fade_window(row, region, rate_hz, _FADE_S)
    out[region.start : region.stop] += fade * (piece - out[region.start : region.stop])
    return out
