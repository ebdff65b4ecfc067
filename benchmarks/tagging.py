"""How good the taggers' rows are on composed scenes, how well the built-in one knows sounds, and how fast they are.

Run: python benchmarks/tagging.py figures --manifest MANIFEST.csv [--tagger builtin|yamnet|FOLDER] [--split valid] [--scenes 50]
     python benchmarks/tagging.py sounds  --manifest MANIFEST.csv [--tagger builtin|FOLDER] [--split valid] [--teacher yamnet.tflite]
     python benchmarks/tagging.py doubt   --manifest MANIFEST.csv [--scenes 50]
     python benchmarks/tagging.py speed   [--tflite yamnet.tflite] [--seconds 30]

YAMNet is the one that `recomposer models install yamnet` installed. F1 and PSDS need
sed_eval and sed_scores_eval, which themselves need setuptools<81 and pandas<3.
"""

import argparse
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.tagging.builtin import load_builtin
from recomposer_studio.tagging.choice import load_tagger
from recomposer_studio.tagging.events import DEFAULT_THRESHOLD, EventOptions
from recomposer_studio.tagging.figures import TaggedScene, measure
from recomposer_studio.tagging.front_end import FRAMES_PER_S, HOP, PATCH_SAMPLES, RATE_HZ, log_mel, patches
from recomposer_studio.tagging.installation import installed, yamnet_folder
from recomposer_studio.tagging.recording import HOP_FRAMES, tag_recording
from recomposer_studio.tagging.tagger import STEPS_PER_S, FrameTagger, pooled
from recomposer_studio.tagging.yamnet import Yamnet
from recomposer_studio.training.cache import RATE_HZ as CACHE_RATE_HZ
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest, trained_classes
from recomposer_studio.training.scene_spec import Kind, SceneOptions
from recomposer_studio.training.scenes import draw_scene
from recomposer_studio.training.tagger import load_teacher
from recomposer_studio.training.tagger_export import RARE_DOUBT
from recomposer_studio.training.tagger_scenes import SCENE_S, scene_log_mel, scene_truth

KINDS: tuple[Kind, ...] = ("plain", "decoy", "overlap")
COUNTED_DB = 6.0
REPEATS = 5
THRESHOLDS = (0.02, 0.05, 0.1, 0.2, 0.3)
DOUBTS = (0.0, RARE_DOUBT, 2.0, 4.0)


def figures(arguments: argparse.Namespace) -> None:
    """Prints a table: one line a threshold."""
    library = load_manifest(arguments.manifest, share_alike=False)
    cache = AudioCache(library, arguments.cache)
    trained = trained_classes(library)
    options = SceneOptions(
        tbr_db=(COUNTED_DB, 13.0),
        classes=trained,
        max_yamnet_rank=arguments.max_rank,
    )
    tagger = load_tagger(arguments.tagger, "cpu", arguments.threads)
    scenes = [
        draw_scene(cache, arguments.split, arguments.seed + i, KINDS[i % len(KINDS)], "delete", 10.0, options)
        for i in range(arguments.scenes)
    ]
    print(f"{tagger.name}, sha256 {tagger.digest[:16]}")
    print(f"{len(scenes)} composed scenes of 10 s, split {arguments.split}, kinds {', '.join(KINDS)}")
    print("threshold  events  box  class in top 3  stray rows / 10 s  false rows / 10 s  onset error")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.wav"
        tagged = []
        for scene in scenes:
            soundfile.write(path, scene.input, scene.rate_hz, subtype="FLOAT")
            with Source.open(path) as source:
                tagged.append(
                    (
                        scene_truth(scene, COUNTED_DB, trained),
                        tag_recording(source, tagger, EventOptions(threshold=0.0)),
                    )
                )
    for threshold in THRESHOLDS:
        result = measure(
            [TaggedScene(truth, [row for row in rows if row.confidence >= threshold], 10.0) for truth, rows in tagged]
        )
        print(
            f"{threshold:9.2f}  {result.events:6d}  {result.boxes:3.0%}  {result.hits:14.0%}"
            f"  {result.stray_per_10_s:17.2f}  {result.false_per_10_s:17.2f}  {result.onset_ms:8.0f} ms"
        )
    try:
        from detection import detection_figures

        counted = detection_figures([TaggedScene(truth, rows, SCENE_S) for truth, rows in tagged], DEFAULT_THRESHOLD)
    except ImportError as error:
        print(f"no F1 and PSDS: {error}")
    else:
        print(", ".join(f"{name}: {value:.3f}" for name, value in counted.items()))


def sounds(arguments: argparse.Namespace) -> None:
    """Prints how well single recorded events are known, class by class, and how closely YAMNet is followed on scenes."""
    library = load_manifest(arguments.manifest, share_alike=False)
    cache = AudioCache(library, arguments.cache)
    trained = trained_classes(library)
    tagger = load_tagger(arguments.tagger, "cpu", arguments.threads)
    if not isinstance(tagger, FrameTagger):
        raise SystemExit("the tagger has to tell when classes sound; choose builtin or a folder")
    names, logits = [], []
    audio = cache.split(arguments.split)
    rng = np.random.default_rng(0)
    for event in audio.events:
        if event.class_name not in tagger.event_classes:
            continue
        wave = soxr.resample(audio.read(event.key), CACHE_RATE_HZ, RATE_HZ)
        wave = np.pad(0.3 * wave / np.abs(wave).max(), (RATE_HZ, RATE_HZ)) + 0.001 * rng.standard_normal(
            len(wave) + 2 * RATE_HZ
        )
        frames = log_mel(wave.astype(np.float32))
        heard = tagger.sounding(frames[: len(frames) // 4 * 4])
        first = round(STEPS_PER_S)
        last = max(first + 1, round((len(wave) / RATE_HZ - 1.0) * STEPS_PER_S))
        named = tagger.names(pooled(heard.features[first:last])[None])[0]
        logits.append(heard.classes[first:last].mean(axis=0) + named)
        names.append(event.class_name)
    values, truth = np.stack(logits), np.array([tagger.event_classes.index(name) for name in names])
    columns = [tagger.event_classes.index(name) for name in trained]
    chosen = np.isin(truth, columns)
    ranks = (values > values[np.arange(len(values)), truth][:, None]).sum(axis=1)
    precisions = {
        name: average_precision(values[chosen][:, column], truth[chosen] == column)
        for name, column in zip(trained, columns, strict=True)
        if (truth == column).any()
    }
    print(
        f"{tagger.name}, sha256 {tagger.digest[:16]}; split {arguments.split}, {chosen.sum()} events of trained classes"
    )
    print(
        f"mAP {np.mean(list(precisions.values())):.3f} over {len(precisions)} trained classes;"
        f" named first {np.mean(ranks[chosen] < 1):.3f}, among the first three {np.mean(ranks[chosen] < 3):.3f}"
    )
    print(
        f"all {len(values)} events: named first {np.mean(ranks < 1):.3f}, among the first three {np.mean(ranks < 3):.3f}"
    )
    print("| class | events | average precision | first | first three |\n|---|---|---|---|---|")
    for name, precision in precisions.items():
        own = ranks[truth == tagger.event_classes.index(name)]
        print(f"| {name} | {len(own)} | {precision:.2f} | {np.mean(own < 1):.2f} | {np.mean(own < 3):.2f} |")
    if arguments.teacher:
        teacher = load_teacher(str(arguments.teacher))
        options = SceneOptions(tbr_db=(COUNTED_DB, 13.0), classes=trained)
        cut = np.concatenate(
            [
                patches(
                    scene_log_mel(
                        draw_scene(cache, arguments.split, n, KINDS[n % len(KINDS)], "delete", SCENE_S, options)
                    ),
                    48,
                )
                for n in range(arguments.scenes)
            ]
        )
        theirs, ours = teacher.tag(cut).scores, tagger.tag(cut).scores
        five = np.argsort(-ours, axis=1)[:, :5]
        print(
            f"{len(cut)} patches of {arguments.scenes} scenes: same first class as YAMNet {np.mean(five[:, 0] == theirs.argmax(1)):.3f},"
            f" YAMNet's first among the first five {np.mean((five == theirs.argmax(1)[:, None]).any(1)):.3f},"
            f" mean absolute difference of scores {np.abs(ours - theirs).mean():.4f}"
        )


def doubt(arguments: argparse.Namespace) -> None:
    """Prints how often the built-in tagger knows true boxes of scenes, for several doubts about classes with few recordings.

    The weights hold `RARE_DOUBT` already, in the activity as in the names; other doubts are what is added here.
    """
    library = load_manifest(arguments.manifest, share_alike=False)
    cache, trained = AudioCache(library, arguments.cache), trained_classes(library)
    tagger = load_builtin(None if arguments.tagger == "builtin" else Path(arguments.tagger), "cpu", arguments.threads)
    rare = np.array([name not in trained for name in tagger.event_classes])
    options = SceneOptions(tbr_db=(COUNTED_DB, 13.0), classes=trained)
    activity, named, truth = [], [], []
    for number in range(arguments.scenes):
        scene = draw_scene(cache, arguments.split, number, KINDS[number % len(KINDS)], "delete", SCENE_S, options)
        frames = scene_log_mel(scene)
        heard = tagger.sounding(frames[: len(frames) // 4 * 4])
        for event in scene_truth(scene, COUNTED_DB, trained):
            first = round(event.start_s * STEPS_PER_S)
            box = slice(first, max(first + 1, round(event.end_s * STEPS_PER_S)))
            if event.counted and len(heard.classes[box]):
                activity.append(heard.classes[box].mean(axis=0))
                named.append(tagger.names(pooled(heard.features[box])[None])[0])
                truth.append(tagger.event_classes.index(event.class_name))
    print(
        f"{tagger.name}, sha256 {tagger.digest[:16]}; {len(truth)} true boxes of trained classes in {arguments.scenes} scenes"
    )
    print("doubt  activity alone: class in top 3  with names: first  top 3")
    for wanted in DOUBTS:
        more = (wanted - RARE_DOUBT) * rare
        alone, both = np.array(activity) - more, np.array(activity) + np.array(named) - 2.0 * more
        ranks = [(values > values[np.arange(len(truth)), truth][:, None]).sum(axis=1) for values in (alone, both)]
        print(
            f"{wanted:5.1f}  {np.mean(ranks[0] < 3):30.0%}  {np.mean(ranks[1] < 1):17.0%}  {np.mean(ranks[1] < 3):5.0%}"
        )


def average_precision(scores: NDArray[np.floating], positive: NDArray[np.bool_]) -> float:
    """Mean precision at every positive, from the highest score down."""
    hits = positive[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(hits)[hits] / (np.flatnonzero(hits) + 1)).mean())


def best_s(work: Callable[[], object], repeats: int) -> float:
    """The shortest time of several runs: what else the machine does only ever adds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def builtin_seconds(samples: NDArray[np.float32], threads: int) -> float:
    """From samples to rows' raw material with the built-in tagger, in chunks of 9.6 s that overlap by a third, as in use."""
    tagger = load_builtin(None, "cpu", threads)

    def work() -> None:
        frames = log_mel(samples)
        for at in range(0, len(frames) - 640, 640):
            part = frames[max(0, at - 160) : at + 800]
            tagger.sounding(part[: len(part) // 4 * 4])

    return best_s(work, REPEATS)


def alternating_s(works: Sequence[Callable[[], object]], repeats: int, clock: Callable[[], float]) -> list[float]:
    """The median time of each of several works, which take turns: what else the machine does then slows all of them."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(repeats + 1):
        for own, work in zip(times, works, strict=True):
            start = clock()
            work()
            own.append(clock() - start)
    return [float(np.median(own[1:])) for own in times]  # the first time, memory is taken


def onnx_work(samples: NDArray[np.float32], tagger: Yamnet) -> Callable[[], object]:
    """From samples to scores, log-mel once."""
    return lambda: tagger.tag(patches(log_mel(samples), HOP_FRAMES))


def tflite_work(samples: NDArray[np.float32], threads: int, path: Path) -> Callable[[], object]:
    """From samples to scores with the TFLite file, whose input is one patch of samples."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads)
    interpreter.allocate_tensors()
    given = interpreter.get_input_details()[0]["index"]

    def work() -> None:
        for start in range(0, len(samples) - PATCH_SAMPLES + 1, HOP_FRAMES * HOP):
            interpreter.set_tensor(given, samples[None, start : start + PATCH_SAMPLES])
            interpreter.invoke()

    return work


def speed(arguments: argparse.Namespace) -> None:
    """Prints times over real time, from 16 kHz samples to scores."""
    samples = np.random.default_rng(0).uniform(-0.3, 0.3, arguments.seconds * RATE_HZ).astype(np.float32)
    print(
        f"{platform.machine()}, hop {HOP_FRAMES / FRAMES_PER_S:g} s; times real time, best of {REPEATS} where nothing else is said"
    )
    print(f"front end alone: {arguments.seconds / best_s(lambda: log_mel(samples), REPEATS):.0f}")
    for threads in (1, 2):
        print(
            f"built-in tagger, samples to activity, {threads} threads: {arguments.seconds / builtin_seconds(samples, threads):.0f}"
        )
        if not arguments.tflite:
            continue
        # One thread is timed by what it had of the processor, several by the clock.
        clock, unit = (time.thread_time, "processor time") if threads == 1 else (time.perf_counter, "clock")
        installed_model = installed(yamnet_folder())
        if installed_model is None:
            raise SystemExit("YAMNet is not installed; fetch it once with: recomposer models install yamnet")
        works = {"TFLite file": tflite_work(samples, threads, arguments.tflite)} | {
            name: onnx_work(samples, Yamnet(installed_model.model_bytes(eight_bit=eight_bit), "cpu", threads))
            for name, eight_bit in (("ONNX Runtime, float32", False), ("ONNX Runtime, 8 bits", True))
            if installed_model.eight_bit is not None or not eight_bit
        }
        seconds = dict(zip(works, alternating_s(list(works.values()), REPEATS, clock), strict=True))
        for name, taken_s in seconds.items():
            print(
                f"YAMNet, {name}, {threads} threads, median by the {unit}: {arguments.seconds / taken_s:.0f}"
                f" ({seconds['TFLite file'] / taken_s:.2f} times as fast as the TFLite file)"
            )


def main() -> None:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    rows = commands.add_parser("figures")
    known = commands.add_parser("sounds")
    known.add_argument("--teacher", type=Path)
    known.set_defaults(run=sounds)
    rare = commands.add_parser("doubt")
    rare.set_defaults(run=doubt)
    for parser_of_data in (rows, known, rare):
        parser_of_data.add_argument("--manifest", type=Path, required=True)
        parser_of_data.add_argument("--cache", type=Path)
        parser_of_data.add_argument("--split", default="valid")
        parser_of_data.add_argument("--scenes", type=int, default=50)
        parser_of_data.add_argument("--tagger", default="builtin")
        parser_of_data.add_argument("--threads", type=int, default=1)
    rows.add_argument("--seed", type=int, default=0)
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
