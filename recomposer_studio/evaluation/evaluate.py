"""A whole evaluation: recordings, editors and studies in; tables, pictures, sounds and a report out."""

import shlex
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from recomposer_studio.audio.atomic import write_error
from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.anchors import (
    CodecEditor,
    CopyEditor,
    InputEditor,
    OracleEditor,
    RealEditor,
    codec_editor,
)
from recomposer_studio.evaluation.cases import Case, Sampler
from recomposer_studio.evaluation.editors import (
    Editor,
    EngineEditor,
    IdentityEditor,
    WholeClipEditor,
    can_edit,
    model_editor,
    whole_clip_editor,
)
from recomposer_studio.evaluation.marking import mark
from recomposer_studio.evaluation.pictures import examples, histogram_pictures
from recomposer_studio.evaluation.report import Report
from recomposer_studio.evaluation.results import Results
from recomposer_studio.evaluation.runner import Bench, Progress, run_cases
from recomposer_studio.evaluation.scorers import scorer_for
from recomposer_studio.evaluation.studies import STUDIES, Study
from recomposer_studio.evaluation.tables import Figures
from recomposer_studio.model import catalogue
from recomposer_studio.training.cache import RATE_HZ, AudioCache, SplitAudio
from recomposer_studio.training.datasets import load_library
from recomposer_studio.training.drawing import check_draw
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
        editors: names of anchors, `codec`, checkpoints by name or folder; empty for the default checkpoint. The anchors
            come beside them, and the codec of a checkpoint that holds one.
        studies: names of studies; empty for the anchors.
        yamnet: YAMNet as TFLite; None takes the installed one, and where there is none the built-in tagger.
        classes: `trained` takes targets of classes with 8 or more training sources, `all` of all classes.
        max_yamnet_rank: targets only from files whose class YAMNet ranks at least so high; None for all. Without effect on
            recordings that have no such ranks.
        seed: seed of the first scene.
        duration_s: length of a scene in seconds.
        cache: folder that keeps decoded recordings between runs, or None.
        device: where models run: auto, cpu or cuda.
        examples: whether to write pictures and sounds of the best, median and worst scenes.
        only: whether to leave out the anchors that were not named; a figure without them says little.
        audio: folder of the clips where the table does not lie beside them, None to look for it.
        jobs: processes to measure in; any number gives the same figures but for the seconds per edit.
        kinds: scenes of these kinds alone (plain, overlap, decoy); empty for all that the studies ask about.
        actions: scenes of these actions alone (delete, insert, enhance); empty for all.
        mark: whether to write into the model's checkpoint in which actions it beat spectral repair here.
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
    only: bool = False
    audio: Path | None = None
    jobs: int = 1
    kinds: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    mark: bool = False


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
    _check(request)
    studies = _studies(request.studies)
    library = load_library(request.data, audio=request.audio)
    scorer = scorer_for(request.yamnet)

    def decoding(done: int, total: int) -> None:
        reading(done, total, "")

    editors, remarks = _editors(request, library, decoding)
    cache = AudioCache(library, request.cache, decoding)
    audio = cache.split(request.split)
    pictures = request.out / "pictures"
    folders = (pictures, request.out / "examples", request.out / "audio") if request.examples else (pictures,)
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from error
    remarks += _left_out(library, audio)
    sampler = _sampler(request, library, audio)
    cases: dict[str, list[Case]] = {}
    for study in studies:
        try:
            drawn = study.cases(sampler)
        except InputError as error:
            if study.name == "anchors":
                raise
            remarks.append(f"The study {study.name} is left out: {error}")
            continue
        if drawn:
            cases[study.name] = drawn
        else:
            remarks.append(f"The study {study.name} is left out: it has no scenes of the chosen kinds and actions.")
    if not cases and (request.kinds or request.actions):
        raise InputError(
            f"the studies {', '.join(study.name for study in studies)} have no scenes of the kinds and actions that were "
            "chosen; choose others with --kind and --action"
        )
    everything = [case for members in cases.values() for case in members]
    remarks += _sources(audio, everything, round(request.duration_s * RATE_HZ))
    remarks += _left_out_of_others(editors, everything, request.split)
    if scorer is None:
        say(
            "KLD and the top-5 rate are left out, because they rest on a classifier's scores and the built-in tagger cannot "
            "run here: give --yamnet FILE, or install YAMNet once with: recomposer models install yamnet"
        )
    elif request.yamnet is None:
        say(f"KLD and top-5 rate rest on {scorer.name}; figures of another classifier cannot be compared with them.")
    for remark in remarks:
        say(remark)
    if request.split == "test":
        say(_log_test_use(request.out, editors))
    training = partial(cache.usable, "train")
    results = Results(request.out / "results.jsonl", scorer.name if scorer else None, audio, training)
    asked = {study.name: tuple(filter(study.asks, editors)) for study in studies if study.name in cases}
    questions = [(case, who) for name, members in cases.items() for case in members for who in asked[name]]
    run_cases(
        Bench(cache, editors, scorer),
        questions,
        results,
        progress,
        request.jobs,
        partial(bench_for, request, scorer is not None),
    )
    if not any(results.get(case, who) is not None for case, who in questions if not isinstance(who, InputEditor)):
        names = ", ".join(editor.name for editor in editors if not isinstance(editor, InputEditor)) or "no editor"
        raise InputError(
            f"nothing was measured: {names} can answer nothing of the studies {', '.join(cases) or 'that are left'}; "
            "name other editors or studies"
        )
    figures = Figures(results, editors, editors[0], scorer.name if scorer else None)
    tables = {
        study.name: study.tables(cases[study.name], replace(figures, editors=asked[study.name]))
        for study in studies
        if study.name in cases
    }
    anchors = cases.get("anchors", [])
    report = Report(
        settings={
            "split": request.split,
            "scenes": request.scenes,
            "seed": request.seed,
            "duration_s": request.duration_s,
            "kinds": list(request.kinds) or "all",
            "actions": list(request.actions) or "all",
            "classes": list(sampler.classes) if sampler.classes else "all",
            "max_yamnet_rank": sampler.max_yamnet_rank,
        },
        command=command_of(request),
        editors={editor.name: editor.digest for editor in editors},
        scorer=scorer.name if scorer else None,
        checks=_checks(everything, figures),
        remarks=remarks,
        tables=tables,
        histograms=histogram_pictures(anchors, figures, pictures),
        examples=examples(cache, anchors, figures, request.out) if request.examples else (),
    )
    report.write(request.out)
    if request.mark:
        say(mark(_marked(request), anchors, figures))
    return report


def bench_for(request: Evaluation, heard: bool) -> Bench:
    """Recordings, editors and classifier of a request, for a process that helps with it.

    Args:
        request: what to evaluate.
        heard: whether a classifier is in use.

    Raises:
        InputError: as `evaluate`.
    """
    library = load_library(request.data, audio=request.audio)
    editors, _ = _editors(request, library, lambda done, total: None)
    return Bench(AudioCache(library, request.cache), editors, scorer_for(request.yamnet) if heard else None)


def command_of(request: Evaluation) -> str:
    """A command line that repeats a request; folders by their last name."""
    words = ["recomposer", "evaluate", "--data", _last(request.data), "--split", request.split]
    words += ["--scenes", str(request.scenes), "--seed", str(request.seed), "--duration", f"{request.duration_s:g}"]
    words += ["--classes", request.classes, "--max-rank", str(request.max_yamnet_rank or 0)]
    words += ["--device", request.device, "--out", _last(request.out)]
    chosen = (("--editor", request.editors), ("--study", request.studies))
    for option, values in (*chosen, ("--kind", request.kinds), ("--action", request.actions)):
        for value in values:
            words += [option, value]
    for option, path in (("--yamnet", request.yamnet), ("--audio", request.audio)):
        if path is not None:
            words += [option, _last(path)]
    flags = (("--only", request.only), ("--no-examples", not request.examples), ("--mark", request.mark))
    words += [option for option, given in flags if given]
    return shlex.join(words)


def _last(path: Path) -> str:
    """The last name of a path; `.` and `..` have none and stay."""
    return path.name or str(path)


def _check(request: Evaluation) -> None:
    if request.scenes < 1:
        raise InputError(f"{request.scenes} scenes give no figures; ask for at least one")
    if request.jobs < 1:
        raise InputError(f"{request.jobs} processes measure nothing; give at least one with --jobs")
    if request.split not in SPLITS:
        raise InputError(f"there is no split '{request.split}'; choose one of {', '.join(SPLITS)}")
    check_draw(request.seed, request.duration_s)
    if request.mark:
        _marked(request)


def _marked(request: Evaluation) -> Path:
    """The checkpoint that is to be marked.

    Raises:
        InputError: what was asked for tells nothing of the kind.
    """
    models = [name for name in request.editors if name not in (*ANCHORS, "codec")]
    if len(set(models)) != 1 or request.only or request.kinds or request.actions:
        raise InputError(
            "a checkpoint is marked by all scenes of the anchors: give --mark one model with --editor, and leave out --only, --kind "
            "and --action"
        )
    if request.split != "valid" or not {"anchors", "all"} & set(request.studies or ("anchors",)):
        raise InputError(
            "a checkpoint is marked by the anchors on the valid split; leave out --split and add --study anchors"
        )
    return _checkpoint(models[0]).folder


def _studies(names: Sequence[str]) -> list[Study]:
    wanted = set(names or ("anchors",))
    if "all" in wanted:
        return list(STUDIES)
    unknown = sorted(wanted - set(STUDY_NAMES))
    if unknown:
        raise InputError(f"there is no study '{unknown[0]}'; choose among all, {', '.join(STUDY_NAMES)}")
    return [study for study in STUDIES if study.name in wanted]


def _editors(
    request: Evaluation, library: Library, decoding: Callable[[int, int], None]
) -> tuple[tuple[Editor, ...], list[str]]:
    """The editors, `input` first, and remarks; the same editor named twice counts once."""
    default = catalogue.default()
    anchors = () if request.only else ANCHORS
    named = request.editors or ((default.name,) if default is not None else ())
    models = {name: _checkpoint(name) for name in dict.fromkeys(named) if name not in (*ANCHORS, "codec")}
    remarks: list[str] = []
    made: list[Editor] = [InputEditor()]
    for name in dict.fromkeys((*anchors, *(name for name in named if name in ANCHORS))):
        if name != "input":
            made.append(_anchor(name, request, library, decoding))
    for checkpoint in models.values():
        if can_edit(checkpoint):
            model = model_editor(str(checkpoint.folder), request.device)
            made.append(model)
            # It is asked in its own study alone.
            if any(study.name == "modes" for study in _studies(request.studies)) and (
                other := whole_clip_editor(model)
            ):
                made.append(other)
        elif request.only and "codec" not in named:
            raise InputError(
                f"the checkpoint '{checkpoint.name}' holds no part that edits; name one with a mask or a decoder, or "
                "codec beside it for the round trip"
            )
        else:
            remarks.append(f"The checkpoint {checkpoint.name} holds no part that edits: only its codec is judged.")
    if "codec" in named and not models:
        if default is None:
            raise InputError("the editor codec needs a checkpoint; name one with --editor")
        models = {default.name: default}
    if "codec" in named or not request.only:
        holders = [checkpoint for checkpoint in models.values() if "codec" in checkpoint.parts]
        # A codec that was asked for by name and is nowhere is an error, which `codec_editor` words.
        asked = list(models.values()) if "codec" in named and not holders else holders
        made += [codec_editor(str(checkpoint.folder)) for checkpoint in asked]
    return _distinct(made), remarks


def _checkpoint(name: str) -> catalogue.Checkpoint:
    try:
        return catalogue.find(name)
    except InputError as error:
        words = ", ".join((*ANCHORS, "codec"))
        raise InputError(f"the editor '{name}' is none of {words}, and as a model: {error}") from error


def _distinct(editors: Sequence[Editor]) -> tuple[Editor, ...]:
    """Every editor once; where different ones have one name, each carries the beginning of its digest."""
    once = list({(editor.name, editor.digest): editor for editor in editors}.values())
    times = Counter(editor.name for editor in once)
    return tuple(
        replace(editor, name=f"{editor.name} {_weights(editor)[:8]}")
        if times[editor.name] > 1
        and isinstance(editor, EngineEditor | CodecEditor | WholeClipEditor)
        and _weights(editor)
        else editor
        for editor in once
    )


def _weights(editor: Editor) -> str:
    """Digest of the checkpoint that an editor rests on, empty for the anchors."""
    if isinstance(editor, EngineEditor):
        return editor.generator.digest if editor.generator else ""
    return editor.digest if isinstance(editor, CodecEditor | WholeClipEditor) else ""


def _anchor(name: str, request: Evaluation, library: Library, decoding: Callable[[int, int], None]) -> Editor:
    if name == "identity":
        return IdentityEditor()
    if name == "copy":
        return CopyEditor()
    if name == "repair":
        return EngineEditor()
    if name == "oracle":
        return OracleEditor()
    return RealEditor(library, request.cache, decoding)


def _sampler(request: Evaluation, library: Library, audio: SplitAudio) -> Sampler:
    classes: tuple[str, ...] | None = None
    if request.classes == "trained":
        classes = trained_classes(library)
        if not classes:
            raise InputError(f"{library.name}: no class has 8 or more training sources; give --classes all")
    ranked = any(event.yamnet_rank is not None for event in audio.events)
    rank = request.max_yamnet_rank if ranked else None
    kinds, actions = request.kinds, request.actions
    return Sampler(audio, request.scenes, request.seed, request.duration_s, classes, rank, kinds, actions)


def _left_out(library: Library, audio: SplitAudio) -> list[str]:
    """Recordings that were listed and not used, with counts."""
    parts = (("the table", library.skipped), (f"the split {audio.split}", audio.skipped))
    return [sentence for what, skipped in parts if (sentence := _skip_sentence(what, skipped))]


def _left_out_of_others(editors: Sequence[Editor], cases: Sequence[Case], split: str) -> list[str]:
    """What `real` could not take from the other splits; they are decoded only where something is to be inserted."""
    real = next((editor for editor in editors if isinstance(editor, RealEditor)), None)
    if real is None or not any(sound.action == "insert" for case in cases for sound in case.spec.sounds):
        return []
    parts = [
        (f"the split {name}, for the editor real", skips) for name, skips in real.skipped().items() if name != split
    ]
    return [sentence for what, skipped in parts if (sentence := _skip_sentence(what, skipped))]


def _skip_sentence(what: str, skipped: Mapping[str, Sequence[Path]]) -> str:
    lines = [" ".join(line.split()) for line in skip_report(skipped).splitlines()]
    return f"Left out of {what}: {'; '.join(lines)}." if lines else ""


def _sources(audio: SplitAudio, cases: Sequence[Case], frames: int) -> list[str]:
    """How many recordings the scenes rest on: figures of few sources say little about others."""
    short = sum(audio.frames(file.key) < frames for file in audio.backgrounds)
    targets = {sound.source_id for case in cases for sound in case.spec.sounds if sound.role == "target"}
    layers = {layer.source_id for case in cases for layer in case.spec.layers}
    remarks = [f"The scenes use targets of {len(targets)} and backgrounds of {len(layers)} source recordings."]
    if short:
        remarks.append(
            f"{short} of {len(audio.backgrounds)} backgrounds are shorter than the scenes and are not used; a smaller "
            "--duration takes them too."
        )
    return remarks


def _log_test_use(out: Path, editors: Sequence[Editor]) -> str:
    """Writes down that the test split was looked at; returns a warning, which names earlier uses of the checkpoints."""
    path = out / "test-use.log"
    try:
        earlier = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        who = ", ".join(f"{editor.name} ({_weights(editor)[:16] or editor.digest[:16]})" for editor in editors)
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {who}\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: this is no log of earlier uses; name another folder") from error
    except OSError as error:
        raise write_error(path, error) from error
    warning = (
        "The test split is for released checkpoints, once each: choose and tune on valid. This use is written down in "
        f"{path}."
    )
    for editor in editors:
        weights = _weights(editor)[:16]
        before = next((line.split("T", 1)[0] for line in earlier if weights and f"({weights})" in line), None)
        if before is not None:
            warning += f" {editor.name} was used before on {before}."
    return warning


def _measured(case: Case) -> bool:
    """Whether a case is a plain edit in a box, whose distances are known."""
    return not case.rounds and not case.whole_clip and not case.memory


def _checks(cases: Sequence[Case], figures: Figures) -> list[tuple[str, bool]]:
    """What must hold exactly, over everything that was measured."""
    checks = []
    for editor in figures.editors:
        # Studies share questions; a take counts once.
        takes = {figures.results.key(case, editor): case for case in cases if _measured(case)}
        found = [values for case in takes.values() if (values := figures.results.get(case, editor))]
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
