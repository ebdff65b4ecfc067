"""One edit from files to files: what `edit` and `demo` share."""

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recomposer_studio import __version__
from recomposer_studio.audio.sink import Depth, reduces
from recomposer_studio.audio.source import SampleFormat, Source
from recomposer_studio.cli.progress import progress_bar
from recomposer_studio.editing.engine import Engine
from recomposer_studio.editing.generator import Generator
from recomposer_studio.errors import InputError
from recomposer_studio.model import catalogue
from recomposer_studio.project.export import Exported, ExportOptions, plan_export, region_of, write_export
from recomposer_studio.project.recipe import Decoding, Recipe, Renderer
from recomposer_studio.project.take import Layer, Part, Take, stem_parts
from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.roll.file import check_fits
from recomposer_studio.roll.formats.files import label_bytes, parse_labels
from recomposer_studio.roll.formats.values import About
from recomposer_studio.roll.labels import LabelTable

RENDERERS = {"repair": "spectral repair", "mask": "mask head", "tokens": "token decoder"}


@dataclass(frozen=True)
class EditJob:
    """What to edit, how, and where to.

    Attributes:
        recording: the file to edit; never changed.
        roll: the roll file, or labels in any format.
        out: the take.
        stems: folder for stems, or None.
        report: file for the report, or None.
        model: a checkpoint's name or folder, `repair`, or None for `auto` with the default checkpoint.
        device: `auto`, `cpu` or `cuda`.
        seed: the take's seed.
        decoding: sampling settings.
        depth: sample format of the files, or None for the source's.
        region_s: start and end of what is written, or None for all.
        stem_names: which stems: `bed`, `placed`, `removed` or rows; none for all.
        labels: files for the rows as labels.
        recipe: whether the take carries its recipe.
        markers: whether the take carries its rows as markers.
    """

    recording: Path
    roll: Path
    out: Path
    stems: Path | None = None
    report: Path | None = None
    model: str | None = None
    device: str = "auto"
    seed: int = 0
    decoding: Decoding = field(default_factory=Decoding)
    depth: Depth | None = None
    region_s: tuple[float, float] | None = None
    stem_names: tuple[str, ...] = ()
    labels: tuple[Path, ...] = ()
    recipe: bool = True
    markers: bool = True


@dataclass(frozen=True)
class EditResult:
    """What an edit left: the take, its files and the report."""

    job: EditJob
    take: Take
    files: Exported
    report: dict[str, Any]


def run_edit(job: EditJob) -> EditResult:
    """Reads, renders, writes. What can be known to fail is found before anything is rendered.

    Raises:
        InputError: anything given cannot work; nothing was written.
    """
    started = time.perf_counter()
    with Source.open(job.recording) as source:
        # Read once: a pipe gives its bytes only once, and those that are edited by are those that the report names.
        roll_bytes = label_bytes(job.roll)
        labels = parse_labels(roll_bytes, str(job.roll), About(job.recording.name, source.duration_s, source.rate_hz))
        roll = labels.roll
        check_fits(roll, source.duration_s, str(job.roll))
        also = [job.report] if job.report else []
        options = _export_options(job, source, roll)
        plan = plan_export(source, roll, job.out, job.stems, options=options, inputs=[job.roll], also=also)
        renderer, generator, device = _choose_model(job, roll)
        recipe = Recipe(job.seed, renderer, job.decoding)
        with progress_bar("rendering") as progress:
            take = Engine(generator).render(source, roll, recipe, progress)
        rendered = time.perf_counter()
        hashes = (source.sha256(), hashlib.sha256(roll_bytes).hexdigest()) if job.report else None
        files, report = plan.exported, _report(take, job, hashes, generator, device)
        report |= {"take": str(files.take), "stems": _texts(files.stems), "removed": _texts(files.removed)}
        report |= {"labels": _texts(files.labels), "region": options.region, "subtype": plan.sample_format.subtype}
        report |= {"requantised": reduces(source.format, plan.sample_format), "notes": list(labels.notes)}
        report |= {"render_s": round(rendered - started, 3)}

        def text() -> str:
            report["write_s"] = round(time.perf_counter() - rendered, 3)
            return json.dumps(report, indent=1, ensure_ascii=False) + "\n"

        with progress_bar("writing") as progress:
            write_export(take, plan, progress, (job.report, text) if job.report else None)
    return EditResult(job, take, files, report)


def _export_options(job: EditJob, source: Source, roll: EventRoll) -> ExportOptions:
    region = region_of(source, *job.region_s) if job.region_s else None
    stems = _chosen_stems(job.stem_names, roll) if job.stem_names else None
    if job.stem_names and job.stems is None:
        raise InputError("--stem chooses among stems; name their folder with --stems")
    return ExportOptions(job.depth, region, stems, job.labels, job.recipe, job.markers)


def _chosen_stems(names: Iterable[str], roll: EventRoll) -> frozenset[Part]:
    placed, removed = stem_parts(roll)
    chosen: set[Part] = set()
    for name in names:
        parts = [part for part in (*placed, *removed) if name in (part.kind, part.row)]
        if not parts:
            rows = ", ".join(sorted({part.row for part in (*placed, *removed) if part.row}))
            raise InputError(f"--stem {name}: there is no such stem; give bed, placed, removed or a row ({rows})")
        chosen.update(parts)
    return frozenset(chosen)


def _texts(paths: Iterable[Path]) -> list[str]:
    return [str(path) for path in paths]


def _choose_model(job: EditJob, roll: EventRoll) -> tuple[Renderer, Generator | None, str]:
    """The renderer, the loaded model if any event needs it, and the device in words."""
    if job.model == "repair":
        return Renderer.REPAIR, None, "cpu"
    checkpoint = catalogue.find(job.model) if job.model else catalogue.default()
    renderer = Renderer.MODEL if job.model else Renderer.AUTO
    actions = {event.action for event in roll.events} - {Action.KEEP}
    if checkpoint is None or (
        renderer is Renderer.AUTO and not actions & (checkpoint.better_than_repair | {Action.INSERT})
    ):
        # Nothing that a model would do: it is not loaded, which saves seconds.
        return renderer, None, "cpu"
    from recomposer_studio.model.generator import load_generator

    generator = load_generator(checkpoint.folder, job.device)
    return renderer, generator, generator.device


def _report(
    take: Take, job: EditJob, hashes: tuple[str, str] | None, generator: Generator | None, device: str
) -> dict[str, Any]:
    """Everything that made a take."""
    source = take.source
    layers = {layer.event.id: layer for layer in take.layers}
    return {
        "format_version": 1,
        "program": f"recomposer-studio {__version__}",
        "source": {
            "path": str(source.path),
            "sha256": hashes[0] if hashes else None,
            "rate_hz": source.rate_hz,
            "channels": source.channels,
            "frames": source.frames,
            "container": source.format.container,
            "subtype": source.format.subtype,
        },
        "roll": {"path": str(job.roll), "sha256": hashes[1] if hashes else None},
        "recipe": take.recipe.as_json(),
        "model": {"name": generator.name, "sha256": generator.digest, "device": device} if generator else None,
        "events": [_event_report(event, layers.get(event.id), generator) for event in take.roll.events],
    }


def _event_report(event: Event, layer: Layer | None, generator: Generator | None) -> dict[str, Any]:
    match = LabelTable.load().match(event.label)
    report = asdict(event) | {
        "taken_for": match.class_name if match.known else None,
        "nearest_class": match.class_name,
        "similarity": round(float(match.similarity), 3),
        "matched_by": match.how,
    }
    if layer is None:
        return report
    if layer.exemplar:
        report["exemplar"] |= {"sha256": layer.exemplar}
    by_model = generator is not None and layer.renderer != "repair"
    return report | {
        "renderer": layer.renderer,
        "trained_on": match.known and match.class_name in generator.classes if by_model and generator else None,
        "first_sample": layer.start,
        "last_sample": layer.stop - 1,
        # Hexadecimal: readers in other languages lose digits of numbers beyond 2^53.
        "seed": f"{layer.seed:016x}",
        "key": layer.key,
        "found_db": None if layer.found_db is None else round(layer.found_db, 2),
        "note": layer.note,
    }


def summary(result: EditResult) -> str:
    """The report in words, a line an event, then what was written."""
    lines = []
    for event in result.report["events"]:
        match = LabelTable.load().match(event["label"])
        words = f"{event['action']} {event['label']} {event['start_s']:.2f}-{event['end_s']:.2f} s"
        words += f": {RENDERERS[event['renderer']]}" if "renderer" in event else ""
        if match.how in ("spelling", "meaning", "none"):
            words += f"; {match.sentence}"
        elif match.how == "synonym":
            words += f"; taken for {match.class_name}"
        if event.get("trained_on") is False:
            words += "; the model was not trained on this class"
        words += "; like its exemplar" if (event.get("exemplar") or {}).get("sha256") else ""
        words += "; muted" if event["muted"] else ""
        lines.append(words + (f"; {event['note']}" if event.get("note") else ""))
    if result.take.recipe.renderer is Renderer.AUTO:
        by_repair = sorted({e["action"] for e in result.report["events"] if e.get("renderer") == "repair"})
        if by_repair:
            lines.append(
                f"{' and '.join(by_repair)}: spectral repair, because no model has beaten it on validation scenes"
            )
    lines += result.report["notes"]
    if result.report["requantised"]:
        bits = SampleFormat("WAV", result.report["subtype"]).bits
        lines.append(f"{bits} bits are fewer than the recording has: every sample is requantised, with dither")
    lines.append("; ".join(_written(result)))
    return "\n".join(lines)


def _written(result: EditResult) -> list[str]:
    files, stems_dir, report = result.files, result.job.stems, result.job.report
    words = [f"wrote {files.take}"]
    if stems_dir:
        removed = f" and {_count(len(files.removed), 'removed sound')}" if files.removed else ""
        words.append(f"{_count(len(files.stems), 'stem')}{removed} in {stems_dir}")
    words += [f"labels {path}" for path in files.labels]
    return [*words, f"report {report}"] if report else words


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
