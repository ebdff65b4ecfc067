"""YAMNet's rows on composed scenes, and its speed in ONNX Runtime against the published TFLite file.

Run: python benchmarks/tagging.py figures --manifest MANIFEST.csv [--split valid] [--scenes 50] [--cache DIR]
     python benchmarks/tagging.py speed [--tflite yamnet.tflite] [--seconds 30]

Both use the YAMNet that `recomposer models install yamnet` installed.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.tagging.events import EventOptions
from recomposer_studio.tagging.figures import TaggedScene, TrueEvent, measure
from recomposer_studio.tagging.front_end import FRAMES_PER_S, HOP, PATCH_SAMPLES, RATE_HZ, log_mel, patches
from recomposer_studio.tagging.installation import yamnet_folder
from recomposer_studio.tagging.recording import HOP_FRAMES, tag_recording
from recomposer_studio.tagging.yamnet import load_yamnet
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest, trained_classes
from recomposer_studio.training.scene_spec import Kind, SceneOptions
from recomposer_studio.training.scenes import Scene, draw_scene

KINDS: tuple[Kind, ...] = ("plain", "decoy", "overlap")
COUNTED_DB = 6.0
REPEATS = 5
THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3)


def truth_of(scene: Scene) -> list[TrueEvent]:
    """Every event of a scene; those of at least 6 dB over the background count."""
    events = []
    for sound in scene.spec.sounds:
        stem = scene.stems.get(sound.id)
        if stem is not None and stem.any():
            heard = np.flatnonzero(stem)
            start_s, end_s = heard[0] / scene.rate_hz, (heard[-1] + 1) / scene.rate_hz
            events.append(TrueEvent(sound.class_name, start_s, end_s, sound.level_db >= COUNTED_DB))
    return events


def figures(arguments: argparse.Namespace) -> None:
    """Prints a table: one line a threshold."""
    library = load_manifest(arguments.manifest)
    cache = AudioCache(library, arguments.cache)
    options = SceneOptions(
        tbr_db=(COUNTED_DB, 13.0),
        classes=trained_classes(library),
        max_yamnet_rank=arguments.max_rank,
    )
    tagger = load_yamnet(yamnet_folder(), "cpu", arguments.threads)
    scenes = [
        draw_scene(cache, arguments.split, arguments.seed + i, KINDS[i % len(KINDS)], "delete", 10.0, options)
        for i in range(arguments.scenes)
    ]
    print(f"{len(scenes)} composed scenes of 10 s, split {arguments.split}, kinds {', '.join(KINDS)}")
    print("threshold  events  box  class in top 3  stray rows / 10 s  false rows / 10 s  onset error")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.wav"
        tagged = []
        for scene in scenes:
            soundfile.write(path, scene.input, scene.rate_hz, subtype="FLOAT")
            with Source.open(path) as source:
                tagged.append((truth_of(scene), tag_recording(source, tagger, EventOptions(threshold=0.0))))
    for threshold in THRESHOLDS:
        result = measure(
            [TaggedScene(truth, [row for row in rows if row.confidence >= threshold], 10.0) for truth, rows in tagged]
        )
        print(
            f"{threshold:9.2f}  {result.events:6d}  {result.boxes:3.0%}  {result.hits:14.0%}"
            f"  {result.stray_per_10_s:17.2f}  {result.false_per_10_s:17.2f}  {result.onset_ms:8.0f} ms"
        )


def best_s(work: Callable[[], object], repeats: int) -> float:
    """The shortest time of several runs: what else the machine does only ever adds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def onnx_seconds(samples: NDArray[np.float32], threads: int) -> float:
    """From samples to scores with the installed YAMNet, log-mel once."""
    tagger = load_yamnet(yamnet_folder(), "cpu", threads)
    return best_s(lambda: tagger.tag(patches(log_mel(samples), HOP_FRAMES)), REPEATS)


def tflite_seconds(samples: NDArray[np.float32], threads: int, path: Path) -> float:
    """From samples to scores with the TFLite file, whose input is one patch of samples."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]

    def work() -> None:
        for start in range(0, len(samples) - PATCH_SAMPLES + 1, HOP_FRAMES * HOP):
            interpreter.set_tensor(given, samples[None, start : start + PATCH_SAMPLES])
            interpreter.invoke()

    return best_s(work, REPEATS)


def speed(arguments: argparse.Namespace) -> None:
    """Prints times over real time, from 16 kHz samples to scores."""
    samples = np.random.default_rng(0).uniform(-0.3, 0.3, arguments.seconds * RATE_HZ).astype(np.float32)
    print(f"{platform.machine()}, hop {HOP_FRAMES / FRAMES_PER_S:g} s; times real time, best of {REPEATS}")
    print(f"front end alone: {arguments.seconds / best_s(lambda: log_mel(samples), REPEATS):.0f}")
    for threads in (1, 2):
        onnx_s = onnx_seconds(samples, threads)
        print(f"ONNX Runtime, {threads} threads: {arguments.seconds / onnx_s:.0f}")
        if arguments.tflite:
            lite_s = tflite_seconds(samples, threads, arguments.tflite)
            ratio = lite_s / onnx_s
            print(
                f"TFLite file,  {threads} threads: {arguments.seconds / lite_s:.0f} (ONNX Runtime {ratio:.2f} times as fast)"
            )


def main() -> None:
    """Runs one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    rows = commands.add_parser("figures")
    rows.add_argument("--manifest", type=Path, required=True)
    rows.add_argument("--cache", type=Path)
    rows.add_argument("--split", default="valid")
    rows.add_argument("--scenes", type=int, default=50)
    rows.add_argument("--seed", type=int, default=0)
    rows.add_argument("--threads", type=int, default=1)
    rows.add_argument("--max-rank", type=int, help="targets from files whose class YAMNet itself ranks this high")
    rows.set_defaults(run=figures)
    pace = commands.add_parser("speed")
    pace.add_argument("--tflite", type=Path)
    pace.add_argument("--seconds", type=int, default=30)
    pace.set_defaults(run=speed)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
