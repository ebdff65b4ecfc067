"""A whole evaluation: recordings, editors and studies in; tables, pictures, sounds and a report out."""

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from recomposer_studio.audio.atomic import write_error
from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.anchors import CopyEditor, InputEditor, OracleEditor, RealEditor, codec_editor
from recomposer_studio.evaluation.cases import Case, Sampler
from recomposer_studio.evaluation.editors import Editor, EngineEditor, IdentityEditor, model_editor
from recomposer_studio.evaluation.pictures import examples, histogram_pictures
from recomposer_studio.evaluation.report import Report
from recomposer_studio.evaluation.results import Results
from recomposer_studio.evaluation.runner import Progress, run_cases
from recomposer_studio.evaluation.studies import STUDIES, Study
from recomposer_studio.evaluation.tables import Figures
from recomposer_studio.evaluation.yamnet import LiteRtYamnet, YamnetScorer
from recomposer_studio.model import catalogue
from recomposer_studio.training.cache import AudioCache, SplitAudio
from recomposer_studio.training.datasets import load_library
from recomposer_studio.training.manifest import SPLITS, Library, skip_report, trained_classes

ANCHORS = ("input", "identity", "copy", "repair", "oracle", "real")
STUDY_NAMES = tuple(study.name for study in STUDIES)


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate.

    Attributes:
        data: recordings: a manifest, another known table, or its folder.
        out: folder for everything; results of an earlier run in it are used.
        split: train, valid or test.
        scenes: scenes per row of a table.
        editors: names of anchors, `codec`, checkpoints by name or folder; empty for the anchors and the default checkpoint.
        studies: names of studies; empty for the anchors.
        yamnet: YAMNet as TFLite, None for no KLD.
        classes: `trained` takes targets of classes with 8 or more training sources, `all` of all classes.
        max_yamnet_rank: targets only from files whose class YAMNet ranks at least so high; None for all. Without effect on
            recordings that have no such ranks.
        seed: seed of the first scene.
        duration_s: length of a scene in seconds.
        cache: folder that keeps decoded recordings between runs, or None.
        device: where models run: auto, cpu or cuda.
        examples: whether to write pictures and sounds of the best, median and worst scenes.
    """

    data: Path
    out: Path
    split: str = "valid"
    scenes: int = 40
    editors: tuple[str, ...] = ()
    studies: tuple[str, ...] = ()
    yamnet: Path | None = None
    classes: Literal["trained", "all"] = "trained"
    max_yamnet_rank: int | None = 10
    seed: int = 0
    duration_s: float = 10.0
    cache: Path | None = None
    device: str = "auto"
    examples: bool = True


def evaluate(
    request: Evaluation,
    progress: Progress = lambda done, total, what: None,
    say: Callable[[str], None] = lambda sentence: None,
    reading: Progress = lambda done, total, what: None,
) -> Report:
    """Runs an evaluation, or goes on with one, and writes its report.

    Args:
        request: what to evaluate.
        progress: called with (done, total, what).
        say: told about left-out recordings and about the use of the test split.
        reading: like `progress`, while recordings are decoded.

    Raises:
        InputError: nothing sensible can be done with what was given.
    """
    if request.scenes < 1:
        raise InputError(f"{request.scenes} scenes give no figures; ask for at least one")
    if request.split not in SPLITS:
        raise InputError(f"there is no split '{request.split}'; choose one of {', '.join(SPLITS)}")
    studies = _studies(request.studies)
    library = load_library(request.data)
    scorer: YamnetScorer | None = LiteRtYamnet(request.yamnet) if request.yamnet else None
    editors = _editors(request, library)
    cache = AudioCache(library, request.cache, lambda done, total: reading(done, total, ""))
    audio = cache.split(request.split)
    try:
        request.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_error(request.out, error) from error
    remarks = _left_out(library, audio)
    for remark in remarks:
        say(remark)
    if request.split == "test":
        say(_log_test_use(request.out, editors))
    sampler = _sampler(request, library, audio)
    cases: dict[str, list[Case]] = {}
    for study in studies:
        try:
            cases[study.name] = study.cases(sampler)
        except InputError as error:
            if study.name == "anchors":
                raise
            remarks.append(f"The study {study.name} is left out: {error}")
            say(remarks[-1])
    results = Results(request.out / "results.jsonl", scorer.name if scorer else None)
    asked = {study.name: tuple(filter(study.asks, editors)) for study in studies if study.name in cases}
    questions = [(case, who) for name, members in cases.items() for case in members for who in asked[name]]
    run_cases(cache, questions, scorer, results, progress)
    figures = Figures(results, editors, editors[0], scorer is not None)
    tables = {
        study.name: study.tables(cases[study.name], replace(figures, editors=asked[study.name]))
        for study in studies
        if study.name in cases
    }
    anchors = cases.get("anchors", [])
    pictures = request.out / "pictures"
    pictures.mkdir(exist_ok=True)
    report = Report(
        settings={
            "split": request.split,
            "scenes": request.scenes,
            "seed": request.seed,
            "duration_s": request.duration_s,
            "classes": list(sampler.classes) if sampler.classes else "all",
            "max_yamnet_rank": sampler.max_yamnet_rank,
        },
        command=command_of(request),
        editors={editor.name: editor.digest for editor in editors},
        scorer=scorer.name if scorer else None,
        checks=_checks([case for members in cases.values() for case in members], figures),
        remarks=remarks,
        tables=tables,
        histograms=histogram_pictures(anchors, figures, pictures),
        examples=examples(cache, anchors, figures, request.out) if request.examples else (),
    )
    report.write(request.out)
    return report


def command_of(request: Evaluation) -> str:
    """A command line that repeats a request; folders by their last name."""
    words = ["recomposer", "evaluate", "--data", f"{request.data.name}", "--split", request.split]
    words += ["--scenes", str(request.scenes), "--seed", str(request.seed), "--classes", request.classes]
    words += ["--max-rank", str(request.max_yamnet_rank or 0), "--out", request.out.name]
    for option, values in (("--editor", request.editors), ("--study", request.studies)):
        for value in values:
            words += [option, value]
    if request.yamnet:
        words += ["--yamnet", request.yamnet.name]
    return shlex.join(words)


def _studies(names: Sequence[str]) -> list[Study]:
    wanted = set(names or ("anchors",))
    if "all" in wanted:
        return list(STUDIES)
    unknown = sorted(wanted - set(STUDY_NAMES))
    if unknown:
        raise InputError(f"there is no study '{unknown[0]}'; choose among all, {', '.join(STUDY_NAMES)}")
    return [study for study in STUDIES if study.name in wanted]


def _editors(request: Evaluation, library: Library) -> tuple[Editor, ...]:
    """The editors, `input` first; a name that stands there twice counts once."""
    names = list(request.editors)
    if not names:
        default = catalogue.default()
        names = list(ANCHORS)
        if default is not None:
            names += [default.name, *(["codec"] if "codec" in default.parts else [])]
    models = [name for name in names if name not in (*ANCHORS, "codec")]
    made: dict[str, Editor] = {"input": InputEditor()}
    for name in names:
        if name == "codec":
            default = catalogue.default()
            if not models and default is None:
                raise InputError("the editor codec needs a checkpoint; name one with --editor")
            for model in models or [default.name]:  # type: ignore[union-attr]
                made[f"codec {model}"] = codec_editor(model)
        elif name not in made:
            made[name] = _editor(name, request, library)
    return tuple(made.values())


def _editor(name: str, request: Evaluation, library: Library) -> Editor:
    if name == "identity":
        return IdentityEditor()
    if name == "copy":
        return CopyEditor()
    if name == "repair":
        return EngineEditor()
    if name == "oracle":
        return OracleEditor()
    if name == "real":
        return RealEditor(library, request.cache)
    try:
        return model_editor(name, request.device)
    except InputError as error:
        words = ", ".join((*ANCHORS, "codec"))
        raise InputError(f"the editor '{name}' is none of {words}, and as a model: {error}") from error


def _sampler(request: Evaluation, library: Library, audio: SplitAudio) -> Sampler:
    classes: tuple[str, ...] | None = None
    if request.classes == "trained":
        classes = trained_classes(library)
        if not classes:
            raise InputError(f"{library.name}: no class has 8 or more training sources; give --classes all")
    ranked = any(event.yamnet_rank is not None for event in audio.events)
    rank = request.max_yamnet_rank if ranked else None
    return Sampler(audio, request.scenes, request.seed, request.duration_s, classes, rank)


def _left_out(library: Library, audio: SplitAudio) -> list[str]:
    """Recordings that were listed and not used, with counts."""
    lines = []
    for what, skipped in (("the table", library.skipped), (f"the split {audio.split}", audio.skipped)):
        text = skip_report(skipped)
        if text:
            lines.append(
                f"Left out of {what}: " + "; ".join(" ".join(line.split()) for line in text.splitlines()) + "."
            )
    return lines


def _log_test_use(out: Path, editors: Sequence[Editor]) -> str:
    """Writes down that the test split was looked at; returns a warning."""
    who = ", ".join(f"{editor.name} ({editor.digest[:16]})" for editor in editors)
    path = out / "test-use.log"
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {who}\n")
    return (
        "The test split is for released checkpoints, once each: choose and tune on valid. This use is written down in "
        f"{path}."
    )


def _checks(cases: Sequence[Case], figures: Figures) -> list[tuple[str, bool]]:
    """What must hold exactly, over everything that was measured."""
    checks = []
    for editor in figures.editors:
        found = [
            values
            for case in cases
            if not case.rounds and not case.whole_clip and (values := figures.results.get(case, editor))
        ]
        if not found:
            continue
        if isinstance(editor, IdentityEditor):
            worst = max(values[name] for values in found for name in ("msd_target", "msd_skirt", "msd_nontarget"))
            checks.append((f"identity: the largest distance of {len(found)} takes is {worst:g}", worst == 0))
        if editor.exact:
            changed = sum(values["changed_outside"] for values in found)
            far = max(values[name] for values in found for name in ("msd_nontarget", "kld_nontarget") if name in values)
            sentence = (
                f"{editor.name}: {len(found)} takes changed {changed:.0f} samples outside their regions; "
                f"the largest nontarget distance is {far:g}"
            )
            checks.append((sentence, changed == 0 and far == 0))
    return checks
