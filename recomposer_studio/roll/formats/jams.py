"""JAMS, the JSON of annotated recordings: observations with time, duration, value and confidence (Humphrey et al. 2014)."""

import json
import math
from typing import Any

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import EventRoll, shown
from recomposer_studio.roll.formats.values import About, Item, Labels, from_words, in_words, labels_of, left_out

_NAMESPACES = ("tag_", "segment_", "scaper")


def parse_jams(text: str, where: str) -> Labels:
    """The observations of all annotations that name sounds.

    Raises:
        InputError: one sentence that names the annotation and the observation.
    """
    try:
        # NaN and Infinity come through, for the rules of the roll refuse them with their place.
        annotations = json.loads(text)["annotations"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"{where}: this is no JAMS file (JSON with a list of annotations)") from None
    items: list[Item] = []
    points = 0
    for number, annotation in enumerate(annotations if isinstance(annotations, list) else [], start=1):
        place = f"{where}, annotation {number}"
        if not isinstance(annotation, dict) or not isinstance(annotation.get("data"), list):
            raise InputError(f"{place}: data must be a list of observations; save the file with JAMS 0.2 or newer")
        if not str(annotation.get("namespace")).startswith(_NAMESPACES):
            continue
        for at, seen in enumerate(annotation["data"], start=1):
            values = _values(seen, f"{place}, observation {at}")
            if values["start_s"] == values["end_s"]:
                points += 1
            else:
                items.append((f"{place}, observation {at}", values))
    notes = left_out(points, "observation without a length was", "observations without a length were")
    return labels_of(items, notes, where)


def _values(seen: Any, place: str) -> dict[str, Any]:
    if not isinstance(seen, dict):
        raise InputError(f"{place}: an observation must be an object, not {shown(seen)}")
    value = seen.get("value")
    words = value.get("label") if isinstance(value, dict) else value
    times = [seen.get(name) for name in ("time", "duration")]
    if not isinstance(words, str) or not all(isinstance(time, int | float) for time in times):
        raise InputError(f"{place}: time, duration and value must be two numbers and a text")
    try:
        start_s, length_s = float(seen["time"]), float(seen["duration"])
    except OverflowError:
        raise InputError(f"{place}: time and duration must be finite numbers") from None
    return {**from_words(words), "start_s": start_s, "end_s": start_s + length_s, "confidence": seen.get("confidence")}


def format_jams(roll: EventRoll, about: About) -> str:
    """The roll as one annotation of the namespace `tag_open`: times, confidence, and action and label in words."""
    data = [
        {
            "time": event.start_s,
            "duration": _length_s(event.start_s, event.end_s),
            "value": in_words(event),
            "confidence": event.confidence,
        }
        for event in roll.events
    ]
    annotation = {"namespace": "tag_open", "data": data, "annotation_metadata": {}, "sandbox": {}}
    ends_s = [about.duration_s or 0.0, *(event.end_s for event in roll.events)]
    document = {
        "annotations": [annotation],
        "file_metadata": {"title": about.name, "duration": max(ends_s)},
        "sandbox": {},
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _length_s(start_s: float, end_s: float) -> float:
    """A length that, added to the start, gives the very end again."""
    length_s = end_s - start_s
    for _ in range(4):
        if start_s + length_s == end_s:
            break
        length_s = math.nextafter(length_s, math.inf if start_s + length_s < end_s else 0.0)
    return length_s
