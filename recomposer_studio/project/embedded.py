"""What an exported file carries beside its samples: the recipe of its take, the rows as markers, and what the recording carried."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recomposer_studio import __version__
from recomposer_studio.audio import flac_tags
from recomposer_studio.audio.chunks import RECIPE, Chunk, read_chunks, read_speakers
from recomposer_studio.audio.markers import Marker, marked, moved
from recomposer_studio.audio.sink import takes_chunks
from recomposer_studio.audio.source import SampleFormat
from recomposer_studio.errors import InputError
from recomposer_studio.project.kept import home_of
from recomposer_studio.project.origin import pinned_roll
from recomposer_studio.project.take import Take
from recomposer_studio.roll.event import EventRoll
from recomposer_studio.roll.file import format_roll, parse_roll
from recomposer_studio.roll.formats.values import in_words

FORMAT_VERSION = 1


def recipe_document(take: Take, region: tuple[int, int] | None = None) -> dict[str, Any]:
    """Everything that made a take, as plain values; the same for the same take at any time and place.

    Roll, recipe, model and layers stand in it as in `recipe_text`, so that its text can be pasted into the Studio and rendered again.

    Args:
        take: the take.
        region: first and last (exclusive) frame of what is exported of it, None for all.
    """
    source = take.source
    return {
        "format_version": FORMAT_VERSION,
        "program": f"recomposer-studio {__version__}",
        "recording": {
            "name": home_of(source).name,
            "sha256": source.sha256(),
            "rate_hz": source.rate_hz,
            "channels": source.channels,
            "frames": source.frames,
        },
        "region": list(region) if region else None,
        "model": take.model,
        "recipe": take.recipe.as_json(),
        "solo": sorted(take.solo),
        "layers": [
            {
                "event": layer.event.id,
                "by": layer.renderer,
                # Hexadecimal: readers in other languages lose digits of numbers beyond 2^53.
                "seed": f"{layer.seed:016x}",
                "key": layer.key,
            }
            | ({"recipe": layer.recipe.as_json()} if layer.recipe else {})
            | ({"model": layer.model} if layer.model else {})
            for layer in take.layers
        ],
        "roll": json.loads(format_roll(pinned_roll(take))),
    }


def embedded_recipe(path: Path) -> dict[str, Any]:
    """The recipe that an exported WAV or FLAC file carries.

    Raises:
        InputError: the file cannot be read, or carries none.
    """
    try:
        chunks = [chunk.body.decode("utf-8", "replace") for chunk in read_chunks(path, (RECIPE,))]
        mark = f"{flac_tags.RECIPE}="
        comments = [text.removeprefix(mark) for text in flac_tags.read_comments(path) if text.startswith(mark)]
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path}: cannot be read ({reason}); check the name and the folder") from None
    for text in (*chunks, *comments):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(document, dict) and document.get("format_version") == FORMAT_VERSION:
            return document
    raise InputError(f"{path}: the file carries no recipe; give a WAV or FLAC file that was exported with one")


def recipe_roll(document: dict[str, Any], where: str) -> EventRoll:
    """The roll of a recipe.

    Raises:
        InputError: it is none.
    """
    return parse_roll(json.dumps(document.get("roll")), where)


def carried_chunks(take: Take, sample_format: SampleFormat, region: tuple[int, int] | None) -> tuple[Chunk, ...]:
    """What a WAV export keeps of a WAV recording: `bext`, iXML, markers, loops, texts; moved along for a part of it.

    Raises:
        InputError: the recording cannot be read any more.
    """
    if not takes_chunks(sample_format):
        return ()
    with _readable(take.source.path):
        chunks = read_chunks(take.source.path)
    return moved(chunks, region[0], region[1] - region[0]) if region else chunks


def carried_comments(take: Take, sample_format: SampleFormat) -> tuple[str, ...]:
    """What a FLAC export keeps of a FLAC recording: its comments, without a former recipe.

    Raises:
        InputError: the recording cannot be read any more.
    """
    if sample_format.container != "FLAC":
        return ()
    with _readable(take.source.path):
        comments = flac_tags.read_comments(take.source.path)
    return tuple(text for text in comments if not text.upper().startswith(f"{flac_tags.RECIPE}="))


def carried_speakers(take: Take) -> bytes:
    """Which loudspeakers the channels of a WAV recording are for, empty when it does not say.

    Raises:
        InputError: the recording cannot be read any more.
    """
    with _readable(take.source.path):
        return read_speakers(take.source.path)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"{path}: cannot be read any more ({reason}); put the file back") from error


def with_rows(chunks: tuple[Chunk, ...], roll: EventRoll, rate_hz: int) -> tuple[Chunk, ...]:
    """The chunks with a marker for every event; the roll counts from the beginning of the file."""
    markers = []
    for event in roll.events:
        start, stop = round(event.start_s * rate_hz), round(event.end_s * rate_hz)
        markers.append(Marker(start, stop - start, in_words(event)))
    return marked(chunks, markers)


def recipe_chunk(text: str) -> Chunk:
    """The recipe as a chunk."""
    return Chunk(RECIPE, text.encode("utf-8"))


def recipe_comment(text: str) -> str:
    """The recipe as a comment."""
    return f"{flac_tags.RECIPE}={text}"
