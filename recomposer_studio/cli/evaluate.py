"""`recomposer evaluate`: how good editors are, against anchors, on scenes composed from recordings."""

import argparse
from contextlib import closing
from pathlib import Path

from recomposer_studio.cli.progress import progress_bar
from recomposer_studio.cli.reading import ReadingBar, say


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("evaluate", help="measure editors on composed scenes", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="recordings: a folder with manifest.csv, or a table"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for report, pictures and sounds")
    parser.add_argument("--split", choices=("train", "valid", "test"), default="valid", help="default: valid")
    parser.add_argument("--scenes", type=int, default=40, metavar="N", help="scenes per row of a table (default 40)")
    parser.add_argument(
        "--editor",
        action="append",
        default=[],
        metavar="NAME|DIR",
        help="identity, copy, repair, oracle, real, codec, or a model; repeatable (default: the default model); the anchors "
        "stand beside it",
    )
    parser.add_argument("--only", action="store_true", help="no anchors beside the named editors")
    parser.add_argument(
        "--study",
        action="append",
        default=[],
        metavar="NAME",
        help="anchors, sloppy, swap, keep, decoy, levels, ablation, cross-class, round-trip, modes, memorisation, all; "
        "repeatable (default: anchors)",
    )
    parser.add_argument(
        "--kind",
        action="append",
        default=[],
        choices=("plain", "overlap", "decoy"),
        help="only scenes of this kind; repeatable (default: all that the studies ask about)",
    )
    parser.add_argument(
        "--action",
        action="append",
        default=[],
        choices=("delete", "insert", "enhance"),
        help="only scenes of this action; repeatable (default: all). A later run into the same --out with other kinds, "
        "actions or more scenes measures only what is new",
    )
    parser.add_argument(
        "--yamnet",
        type=Path,
        metavar="FILE.tflite",
        help="the published YAMNet (default: the installed one, else the built-in tagger)",
    )
    parser.add_argument(
        "--classes", choices=("trained", "all"), default="trained", help="targets of well-covered classes, or of all"
    )
    parser.add_argument(
        "--max-rank",
        type=int,
        default=10,
        metavar="N",
        help="targets whose class YAMNet ranks so high, where the table says; 0 for all (default 10)",
    )
    parser.add_argument(
        "--duration", type=float, default=10.0, metavar="S", help="length of a scene in seconds (default 10)"
    )
    parser.add_argument("--audio", type=Path, metavar="DIR", help="clips of a table that does not lie beside them")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the first scene (default 0)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep decoded recordings there between runs")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="processes to measure in (default 1); the figures are the same"
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where models run")
    parser.add_argument(
        "--no-examples", action="store_true", help="no pictures and sounds of best, median and worst scenes"
    )
    parser.add_argument(
        "--mark",
        action="store_true",
        help="write into the model's checkpoint in which actions it beat spectral repair; `auto` uses it for those",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    from recomposer_studio.evaluation.evaluate import Evaluation, evaluate

    request = Evaluation(
        data=arguments.data,
        out=arguments.out,
        split=arguments.split,
        scenes=arguments.scenes,
        editors=tuple(arguments.editor),
        studies=tuple(arguments.study),
        yamnet=arguments.yamnet,
        classes=arguments.classes,
        max_yamnet_rank=arguments.max_rank or None,
        seed=arguments.seed,
        cache=arguments.cache,
        device=arguments.device,
        examples=not arguments.no_examples,
        only=arguments.only,
        duration_s=arguments.duration,
        audio=arguments.audio,
        jobs=arguments.jobs,
        kinds=tuple(arguments.kind),
        actions=tuple(arguments.action),
        mark=arguments.mark,
    )
    with closing(ReadingBar()) as reading, progress_bar("evaluating") as progress:
        report = evaluate(request, progress, say, reading)
    for tables in report.tables.values():
        for table in tables:
            print(table.markdown())
    for sentence, holds in report.checks:
        print(f"{'holds' if holds else 'FAILS'}: {sentence}")
    print(f"wrote {arguments.out / 'report.md'} and {arguments.out / 'report.json'}")
