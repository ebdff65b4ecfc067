"""One edit from files to files: what `edit` and `demo` share."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recomposer_studio import __version__
from recomposer_studio.audio.atomic import atomic_path, same_file
from recomposer_studio.audio.source import Source
from recomposer_studio.cli.progress import progress_bar
from recomposer_studio.editing.engine import Engine
from recomposer_studio.editing.generator import Generator
from recomposer_studio.errors import InputError
from recomposer_studio.model import catalogue
from recomposer_studio.project.export import Exported, export_take
from recomposer_studio.project.recipe import Decoding, Recipe, Renderer
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import Action, EventRoll
from recomposer_studio.roll.file import check_fits, read_roll
from recomposer_studio.roll.labels import LabelTable

RENDERERS = {"repair": "spectral repair", "mask": "mask head", "tokens": "token decoder"}


@dataclass(frozen=True)
class EditJob:
    """What to edit, how, and where to.

    Attributes:
        recording: the file to edit; never changed.
        roll: the roll file.
        out: the take.
        stems: folder for stems, or None.
        report: file for the report, or None.
        model: a checkpoint's name or folder, `repair`, or None for `auto` with the default checkpoint.
        device: `auto`, `cpu` or `cuda`.
        seed: the take's seed.
        decoding: sampling settings.
        float32: write 32-bit float whatever the source's format.
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
    float32: bool = False


@dataclass(frozen=True)
class EditResult:
    """What an edit left: the take, its files and the report."""

    take: Take
    files: Exported
    report: dict[str, Any]


def run_edit(job: EditJob) -> EditResult:
    """Reads, renders, writes.

    Raises:
        InputError: anything given cannot work; nothing was written.
    """
    for path in (job.out, *([job.report] if job.report else [])):
        for given in (job.recording, job.roll):
            if same_file(path, given):
                raise InputError(f"{path}: this file is an input and is never overwritten; choose another name")
    if job.report and same_file(job.report, job.out):
        raise InputError(f"{job.report}: the take is written there; choose another name for the report")
    started = time.perf_counter()
    with Source.open(job.recording) as source:
        roll = read_roll(job.roll)
        check_fits(roll, source.duration_s, str(job.roll))
        renderer, generator, device = _choose_model(job, roll)
        recipe = Recipe(job.seed, renderer, job.decoding)
        with progress_bar("rendering") as progress:
            take = Engine(generator).render(source, roll, recipe, progress)
        rendered = time.perf_counter()
        with progress_bar("writing") as progress:
            files = export_take(take, job.out, job.stems, float32=job.float32, progress=progress)
        report = _report(take, files, generator, device, (rendered - started, time.perf_counter() - rendered))
    if job.report:
        write_text(job.report, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    return EditResult(take, files, report)


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
    take: Take, files: Exported, generator: Generator | None, device: str, seconds: tuple[float, float]
) -> dict[str, Any]:
    source = take.source
    sample_format = source.format
    return {
        "format_version": 1,
        "program": f"recomposer-studio {__version__}",
        "source": {
            "path": str(source.path),
            "sha256": source.sha256(),
            "rate_hz": source.rate_hz,
            "channels": source.channels,
            "frames": source.frames,
            "container": sample_format.container,
            "subtype": sample_format.subtype,
        },
        "take": str(files.take),
        "stems": [str(path) for path in files.stems],
        "removed": [str(path) for path in files.removed],
        "recipe": take.recipe.as_json(),
        "model": {"name": generator.name, "sha256": generator.digest, "device": device} if generator else None,
        "events": [_event_report(layer, generator) for layer in take.layers],
        "render_s": round(seconds[0], 3),
        "write_s": round(seconds[1], 3),
    }


def _event_report(layer: Layer, generator: Generator | None) -> dict[str, Any]:
    event, match = layer.event, LabelTable.load().match(layer.event.label)
    if layer.renderer != "repair" and generator:
        trained: bool | None = match.class_name in generator.classes
    else:
        trained = None
    return {
        "id": event.id,
        "row": event.row,
        "action": event.action.value,
        "label": event.label,
        "taken_for": match.class_name,
        "similarity": round(float(match.similarity), 3),
        "matched_by": match.how,
        "trained_on": trained,
        "renderer": layer.renderer,
        "start_s": event.start_s,
        "end_s": event.end_s,
        "first_sample": layer.start,
        "last_sample": layer.stop - 1,
        "seed": layer.seed,
        "key": layer.key,
        "found_db": None if layer.found_db is None else round(layer.found_db, 2),
        "amount": event.amount,
        "gain_db": event.gain_db,
        "pan": event.pan,
        "muted": event.muted,
        "note": layer.note,
    }


def summary(result: EditResult) -> str:
    """The report in words, a line an event."""
    lines = []
    for event in result.report["events"]:
        words = f"{event['action']} {event['label']} {event['start_s']:.2f}-{event['end_s']:.2f} s: {RENDERERS[event['renderer']]}"
        if event["matched_by"] != "exact":
            words += f"; {LabelTable.load().match(event['label']).sentence}"
        if event["trained_on"] is False:
            words += f"; the model was not trained on {event['taken_for']}"
        if event["muted"]:
            words += "; muted"
        lines.append(words + (f"; {event['note']}" if event["note"] else ""))
    if result.take.recipe.renderer is Renderer.AUTO:
        by_repair = sorted({e["action"] for e in result.report["events"] if e["renderer"] == "repair"})
        if by_repair:
            lines.append(
                f"{' and '.join(by_repair)}: spectral repair is used because no model has beaten it on validation scenes"
            )
    lines.append(f"wrote {result.files.take}" + (f" and {len(result.files.stems)} stems" if result.files.stems else ""))
    return "\n".join(lines)


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all.

    Raises:
        InputError: it cannot be written there.
    """
    with atomic_path(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")
