"""Pictures of a recording and its event roll: waveform, spectrogram and lanes on one time axis, as a PNG file.

Actions differ in colour (after Okabe and Ito's palette for all kinds of colour vision), in the pattern of their box and
in words, so that no one of them has to be seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import combining, normalize

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from recomposer_studio.audio.atomic import atomic_path, write_error
from recomposer_studio.audio.axes import FrequencyAxis, TimeAxis
from recomposer_studio.audio.overview import Overview, Reader, overview
from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, Event, EventRoll

if TYPE_CHECKING:
    from recomposer_studio.audio.source import Source

Colour = tuple[int, int, int]

MIN_WIDTH, MAX_WIDTH = 480, 8_000
RANGE_DB = 80
FLOOR_DB = -120.0
"""The loudest pixel is taken to be at least this loud, so that silence is dark and dither does not glow."""

_LEFT, _LEFT_ALONE, _RIGHT, _MARGIN = 150, 84, 72, 12
_TITLE, _WAVE, _SPECTROGRAM, _GAP, _TIME = 22, 70, 320, 6, 24
_LANE, _ROLL_PIXELS = 24, 9_000
_LEGEND = 30
_CROWD = 30
"""More boxes than this on a spectrogram have thin frames, and names only if they fit inside."""

_PAPER: Colour = (255, 255, 255)
_INK: Colour = (28, 28, 32)
_FAINT: Colour = (222, 222, 226)
_GREY: Colour = (128, 128, 134)
_WAVE_COLOUR: Colour = (66, 74, 120)
_ACTION_COLOURS: dict[Action, Colour] = {
    Action.INSERT: (0, 158, 115),
    Action.DELETE: (213, 94, 0),
    Action.ENHANCE: (0, 114, 178),
    Action.KEEP: (148, 103, 20),
}
_COLOUR_STOPS: tuple[Colour, ...] = (
    (9, 8, 28),
    (42, 24, 84),
    (50, 62, 130),
    (36, 104, 142),
    (30, 146, 134),
    (74, 184, 98),
    (166, 214, 62),
    (255, 238, 110),
)
"""From the quietest to the loudest; lightness rises evenly, so that the picture also reads in grey."""


def colour_table() -> NDArray[np.uint8]:
    """(256, 3) colours of the spectrogram, from dark blue over green to yellow."""
    stops = np.array(_COLOUR_STOPS, dtype=np.float64)
    at = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=1)).astype(np.uint8)


def draw_picture(
    source: "Source",
    roll: EventRoll | None,
    out_path: str | Path,
    *,
    width: int = 1_600,
    start_s: float = 0.0,
    end_s: float | None = None,
    take: Reader | None = None,
) -> None:
    """Draw a recording and its roll; with a take, the recording before and after.

    Args:
        source: the recording.
        roll: events to draw, or None for the recording alone.
        out_path: PNG file to write, whole or not at all.
        width: width in pixels.
        start_s: start of what is shown, in seconds.
        end_s: end of what is shown, the end of the recording if None.
        take: the edited recording.

    Raises:
        InputError: a file name without `.png`, an impossible interval or width, samples that are no numbers, or an
            output that cannot be written.
    """
    name = source.path.name
    panels: list[tuple[str, Reader]] = (
        [(name, source)] if take is None else [(f"before: {name}", source), ("after", take)]
    )
    draw_comparison(panels, roll, out_path, width=width, start_s=start_s, end_s=end_s)


def draw_comparison(
    panels: Sequence[tuple[str, Reader]],
    roll: EventRoll | None,
    out_path: str | Path,
    *,
    width: int = 1_600,
    start_s: float = 0.0,
    end_s: float | None = None,
) -> None:
    """Draw recordings one below the other on the same axes and with the same colours, and the roll beneath.

    Args:
        panels: (title, recording), at least one.
        roll: events to draw, or None.
        out_path: PNG file to write, whole or not at all.
        width: width in pixels.
        start_s: start of what is shown, in seconds.
        end_s: end of what is shown, the end of the longest recording if None.

    Raises:
        InputError: as for `draw_picture`.
    """
    out_path = Path(out_path)
    if out_path.suffix.lower() != ".png":
        raise InputError(f"{out_path}: pictures are PNG files; give the picture a name that ends in .png.")
    if not MIN_WIDTH <= width <= MAX_WIDTH:
        raise InputError(f"a picture cannot be {width} pixels wide; choose {MIN_WIDTH} to {MAX_WIDTH}.")
    duration_s = max(reader.frames / reader.rate_hz for _, reader in panels)
    end_s = duration_s if end_s is None else end_s
    if not 0 <= start_s < end_s <= duration_s:
        raise InputError(
            f"a picture from {start_s:g} s to {end_s:g} s is not possible; choose a part of 0 to {duration_s:g} s."
        )
    with atomic_path(out_path) as temporary:
        image = _Canvas(panels, roll or EventRoll(), width, start_s, end_s).draw()
        try:
            image.save(temporary, format="PNG", optimize=True)
        except OSError as error:
            raise write_error(out_path, error) from error


_SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "segoeui.ttf",
    "Arial.ttf",
    "Arial Unicode.ttf",
    "NotoSansCJK-Regular.ttc",
    "msyh.ttc",
    "PingFang.ttc",
)
"""Looked for, in this order, for letters that Pillow's own font lacks."""


@lru_cache
def _system_font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _typeset(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont | ImageFont.ImageFont]:
    """The text on one line and a font that has its letters; where no font has them, without accents and with "?"."""
    text = " ".join(text.split())
    if not text.isascii():
        for name in _SYSTEM_FONTS:
            font = _system_font(name, size)
            if font is not None and _has_letters(font, text):
                return text, font
        plain = "".join(letter for letter in normalize("NFKD", text) if not combining(letter))
        text = plain.encode("ascii", "replace").decode("ascii")
    return text, ImageFont.load_default(size)


def _has_letters(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether no letter is drawn like one that no font has."""
    missing = bytes(font.getmask("\U0010ffff"))
    return all(letter.isspace() or bytes(font.getmask(letter)) != missing for letter in set(text))


class _Text:
    """Writing that fits: measures, shortens, and finds a font for every letter."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self._draw = draw

    def width(self, text: str, size: int) -> float:
        shown, font = _typeset(text, size)
        return float(self._draw.textlength(shown, font=font))

    def shortened(self, text: str, size: int, room: float) -> str:
        """The text, or as much of its beginning as fits, or nothing if that would be less than six letters."""
        if self.width(text, size) <= room:
            return text
        fitting, too_long = 5, len(text)
        while too_long - fitting > 1:
            length = (fitting + too_long) // 2
            if self.width(text[:length].rstrip() + "...", size) <= room:
                fitting = length
            else:
                too_long = length
        return text[:fitting].rstrip() + "..." if fitting > 5 else ""

    def write(self, x: float, y: float, text: str, size: int, colour: Colour, anchor: str = "lm") -> None:
        shown, font = _typeset(text, size)
        self._draw.text((x, y), shown, fill=colour, font=font, anchor=anchor)


@dataclass(frozen=True)
class _Box:
    """An event's place in pixels; an edge beyond the picture is not drawn."""

    event: Event
    left: float
    top: float
    right: float
    bottom: float


class _Canvas:
    """One picture while it is drawn, from top to bottom."""

    def __init__(
        self, panels: Sequence[tuple[str, Reader]], roll: EventRoll, width: int, start_s: float, end_s: float
    ) -> None:
        self._panels = panels
        self._lanes = list(roll.rows().items())
        self._events = roll.events
        self._left = _LEFT if self._lanes else _LEFT_ALONE
        self._time = TimeAxis(start_s, end_s, self._left, width - self._left - _RIGHT)
        top_hz = max(reader.rate_hz for _, reader in panels) / 2
        self._frequency = FrequencyAxis(top_hz, _SPECTROGRAM if len(panels) == 1 else _SPECTROGRAM * 3 // 4)
        self._lane_height = max(3, min(_LANE, _ROLL_PIXELS // max(1, len(self._lanes))))
        self._image = Image.new("RGB", (width, self._height()), _PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._text = _Text(self._draw)
        self._table = colour_table()

    def draw(self) -> Image.Image:
        """Draw everything; returns an image of 256 colours."""
        time, axis = self._time, self._frequency
        views = [overview(reader, time.start_s, time.end_s, time.pixels, axis) for _, reader in self._panels]
        loudest = max(float(view.power.max()) for view in views)
        top_db = 10.0 * np.ceil(max(10 * np.log10(max(loudest, 1e-30)), FLOOR_DB) / 10)
        peak = max(max(float(view.high.max()), -float(view.low.min())) for view in views)
        y = _MARGIN
        for (title, reader), view in zip(self._panels, views, strict=True):
            y = self._panel(y, self._title(title, reader), view, top_db, peak)
        y = self._time_axis(y - _GAP)
        if self._lanes:
            y = self._roll(y)
            if len(self._lanes) > 12:
                y = self._time_axis(y)
            self._legend(y)
        return self._image.quantize(palette=_palette(self._table), dither=Image.Dither.NONE)

    def _height(self) -> int:
        height = _MARGIN + len(self._panels) * (_TITLE + _WAVE + self._frequency.pixels + 2 * _GAP) + _TIME
        if self._lanes:
            height += len(self._lanes) * self._lane_height + _LEGEND + (_TIME if len(self._lanes) > 12 else 0)
        return height

    def _title(self, title: str, reader: Reader) -> str:
        duration_s = reader.frames / reader.rate_hz
        length = f"{duration_s:.6g} s" if duration_s >= 0.01 else f"{reader.frames} frames"
        facts = f"{reader.rate_hz / 1_000:g} kHz, {length}"
        room = self._time.pixels - self._text.width(facts, 13) - 30
        return f"{self._text.shortened(title, 14, room)} - {facts}"

    def _panel(self, y: int, title: str, view: Overview, top_db: float, peak: float) -> int:
        left, right = self._left, self._left + self._time.pixels
        self._text.write(left, y + _TITLE / 2 - 2, title, 14, _INK)
        y += _TITLE
        self._waveform(y, view, peak)
        y += _WAVE + _GAP
        axis = self._frequency
        level = 10 * np.log10(np.maximum(view.power, 1e-30)) - top_db + RANGE_DB
        index = np.clip(np.round(level / RANGE_DB * 255), 0, 255).astype(np.uint8)
        self._image.paste(Image.fromarray(self._table[index]), (left, y))
        for hz, label in axis.ticks(20):
            line = y + axis.y(hz)
            self._draw.line((left - 5, line, left - 1, line), fill=_GREY)
            self._text.write(left - 8, min(max(line, y + 6), y + axis.pixels - 6), label, 12, _INK, "rm")
        self._colour_bar(right + 8, y, top_db)
        boxes = [self._spectrogram_box(event, y) for event in self._events if self._visible(event)]
        self._outlines(boxes, y)
        return y + axis.pixels + _GAP

    def _waveform(self, y: int, view: Overview, peak: float) -> None:
        left, right, middle = self._left, self._left + self._time.pixels, y + _WAVE / 2
        self._draw.rectangle((left, y, right - 1, y + _WAVE - 1), outline=_FAINT)
        half = _WAVE / 2 - 3
        scale = half / peak if peak > 0 else 0.0
        for column, (low, high) in enumerate(zip(view.low, view.high, strict=True)):
            line = (left + column, round(middle - high * scale), left + column, round(middle - low * scale))
            self._draw.line(line, fill=_WAVE_COLOUR)
        label = f"{20 * np.log10(peak):.1f} dBFS" if peak > 0 else "silence"
        self._text.write(left - 8, y + 8, label, 12, _INK, "rm")
        self._text.write(left - 8, middle, "0", 12, _INK, "rm")

    def _colour_bar(self, x: int, y: int, top_db: float) -> None:
        height = self._frequency.pixels
        index = np.linspace(255, 0, height).round().astype(np.uint8)
        bar = np.repeat(self._table[index][:, None], 10, axis=1)
        self._image.paste(Image.fromarray(bar), (x, y))
        for below in range(0, RANGE_DB + 1, 20):
            at = y + below / RANGE_DB * (height - 1)
            self._text.write(x + 14, min(max(at, y + 6), y + height - 7), f"{top_db - below:.0f} dB", 12, _INK)

    def _time_axis(self, y: int) -> int:
        for time_s, label in self._time.ticks(90):
            x = self._time.x(time_s)
            self._draw.line((x, y, x, y + 4), fill=_GREY)
            self._text.write(x, y + 13, label, 12, _INK, "mm")
        return y + _TIME

    def _visible(self, event: Event) -> bool:
        return event.start_s < self._time.end_s and event.end_s > self._time.start_s

    def _spans(self, event: Event) -> tuple[float, float]:
        """Left and right edge, 3 pixels apart at least; just outside where the event goes on beyond the picture."""
        left, right = self._time.x(event.start_s), self._time.x(event.end_s)
        left, right = max(left, self._left - 9.0), min(right, self._left + self._time.pixels + 9.0)
        return left, max(right, left + 3)

    def _spectrogram_box(self, event: Event, y: int) -> _Box:
        axis = self._frequency
        top = 0.0 if event.high_hz is None else max(0.0, axis.y(min(event.high_hz, axis.top_hz)))
        bottom = float(axis.pixels) if event.low_hz is None else axis.y(min(event.low_hz, axis.top_hz))
        left, right = self._spans(event)
        return _Box(event, left, y + top, right, y + max(bottom, top + 3) - 1)

    def _outlines(self, boxes: list[_Box], y: int) -> None:
        """Boxes on the spectrogram; their names only where they do not cover each other."""
        area = self._image.crop((self._left, y, self._left + self._time.pixels, y + self._frequency.pixels))
        draw = ImageDraw.Draw(area)
        names: list[tuple[float, float, float, float]] = []
        text = _Text(draw)
        crowded = len(boxes) > _CROWD
        places = [(box.left - self._left, box.top - y, box.right - self._left, box.bottom - y) for box in boxes]
        for box, place in zip(boxes, places, strict=True):
            if not crowded:  # lets the colour be seen on the dark and stays between the dashes
                _outline(draw, place, _PAPER, None, 4)
            _outline(draw, place, _colour(box.event), box.event.action, 1 if crowded else 2)
        for box, place in zip(boxes, places, strict=True):
            colour = _colour(box.event)
            room = place[2] - place[0] - 12
            name = text.shortened(_words(box.event), 11, room if crowded else max(room, 90))
            wide = text.width(name, 11)
            x = min(max(place[0] + 5, 3), area.width - wide - 6)
            for top in (place[1] + 5, place[3] - 19):
                spot = (x - 2, top, x + wide + 2, top + 15)
                free = all(spot[0] > o[2] or spot[2] < o[0] or spot[1] > o[3] or spot[3] < o[1] for o in names)
                if name and free and spot[1] >= 0 and spot[3] <= area.height:
                    names.append(spot)
                    draw.rectangle(spot, fill=_PAPER, outline=colour)
                    text.write(x + 1, top + 8, name, 11, _INK)
                    break
        self._image.paste(area, (self._left, y))

    def _roll(self, y: int) -> int:
        left, right, lane = self._left, self._left + self._time.pixels, self._lane_height
        bottom = y + lane * len(self._lanes)
        for time_s, _ in self._time.ticks(90):
            x = self._time.x(time_s)
            self._draw.line((x, y, x, bottom), fill=_FAINT)
        for number, (row, events) in enumerate(self._lanes):
            top = y + number * lane
            self._draw.line((left, top, right - 1, top), fill=_FAINT)
            if lane >= 11:
                size = min(13, lane - 2)
                name = self._text.shortened(row, size, self._left - _MARGIN - 8)
                self._text.write(left - 8, top + lane / 2, name, size, _INK, "rm")
            shown = sorted((event for event in events if self._visible(event)), key=lambda event: event.start_s)
            boxes = [_Box(event, *self._lane_box(event, top)) for event in shown]
            for box in boxes:
                self._lane_event(box)
            for box, after in zip(boxes, [*boxes[1:], None], strict=bool(boxes)):
                limit = right - 2 if after is None else min(after.left - 2, right - 2)
                self._lane_words(box, limit, lane)
        self._draw.rectangle((left, y, right - 1, bottom), outline=_FAINT)
        return bottom

    def _lane_box(self, event: Event, top: int) -> tuple[float, float, float, float]:
        left, right = self._spans(event)
        left, right = max(left, self._left), min(right, self._left + self._time.pixels - 1)
        gap = 2 if self._lane_height >= 11 else 0
        return left, top + gap, max(right, left + 3), top + self._lane_height - 2

    def _lane_event(self, box: _Box) -> None:
        place = (round(box.left), round(box.top), round(box.right), round(box.bottom))
        tile = Image.new("RGB", (place[2] - place[0] + 1, place[3] - place[1] + 1), _PAPER)
        _pattern(tile, box.event)
        self._image.paste(tile, place[:2])

    def _lane_words(self, box: _Box, limit: float, lane: int) -> None:
        """Action and label inside the box if they fit, else behind it, else as much as fits inside."""
        if lane < 13:
            return
        size = min(12, lane - 4)
        words, middle = _words(box.event), (box.top + box.bottom) / 2
        wide = self._text.width(words, size)
        inside = min(box.right, limit) - box.left - 8
        behind = limit - box.right - 6
        if wide > inside and behind > max(inside, 60):
            self._text.write(box.right + 5, middle, self._text.shortened(words, size, behind), size, _INK)
            return
        words = self._text.shortened(words, size, inside)
        if words:
            wide = self._text.width(words, size)
            spot = (box.left + 3, box.top + 2, box.left + 6 + wide, box.bottom - 2)
            self._draw.rectangle(spot, fill=_PAPER)
            self._text.write(box.left + 5, middle, words, size, _INK)

    def _legend(self, y: int) -> None:
        widths = [60 + self._text.width(action.capitalize(), 12) for action in Action]
        x, middle = float(self._left), y + _LEGEND / 2 + 2
        if x + sum(widths) > self._image.width:
            x = _MARGIN
        for action, wide in zip(Action, widths, strict=True):
            event = Event(id=action, action=action, label=action, start_s=0, end_s=1, row=action)
            tile = Image.new("RGB", (34, 16), _PAPER)
            _pattern(tile, event)
            self._image.paste(tile, (round(x), round(middle - 8)))
            self._text.write(x + 40, middle, action.capitalize(), 12, _INK)
            x += wide


def _words(event: Event) -> str:
    return f"{event.action.capitalize()} {event.label}" + (" (muted)" if event.muted else "")


def _colour(event: Event) -> Colour:
    return _GREY if event.muted else _ACTION_COLOURS[event.action]


def _mixed(colour: Colour, share: float) -> Colour:
    """The colour with white: 1 is the colour alone."""
    red, green, blue = (round(255 + (part - 255) * share) for part in colour)
    return red, green, blue


def _pattern(tile: Image.Image, event: Event) -> None:
    """Fill a tile with an event's pattern: Insert plain, Delete crossed, Enhance with rising strokes, Keep lined."""
    draw, (width, height), colour = ImageDraw.Draw(tile), tile.size, _colour(event)
    draw.rectangle((0, 0, width, height), fill=_PAPER if event.muted else _mixed(colour, 0.28))
    stroke = _mixed(colour, 0.6)
    if event.action in (Action.DELETE, Action.ENHANCE):
        for x in range(-height, width, 9):
            draw.line((x, height, x + height, 0), fill=stroke)
            if event.action is Action.DELETE:
                draw.line((x, 0, x + height, height), fill=stroke)
    elif event.action is Action.KEEP:
        for y in range(3, height, 4):
            draw.line((0, y, width, y), fill=stroke)
    _outline(draw, (0, 0, width - 1, height - 1), colour, event.action, 2 if height > 8 else 1)


def _outline(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float, float, float],
    colour: Colour,
    action: Action | None,
    width: int,
) -> None:
    """A frame: dashed for Delete, dotted for Keep, whole for the others (and without an action)."""
    left, top, right, bottom = (round(edge) for edge in place)
    grow = (width - 2) // 2 if action is None else 0
    left, top, right, bottom = left - grow, top - grow, right + grow, bottom + grow
    if action not in (Action.DELETE, Action.KEEP):
        draw.rectangle((left, top, right, bottom), outline=colour, width=width)
        return
    dash, pause = (8, 4) if action is Action.DELETE else (3, 3)
    last = width - 1
    for x in range(left, right, dash + pause):
        end = min(x + dash - 1, right)
        draw.rectangle((x, top, end, min(top + last, bottom)), fill=colour)
        draw.rectangle((x, max(bottom - last, top), end, bottom), fill=colour)
    for y in range(top, bottom, dash + pause):
        end = min(y + dash - 1, bottom)
        draw.rectangle((left, y, min(left + last, right), end), fill=colour)
        draw.rectangle((max(right - last, left), y, right, end), fill=colour)


def _palette(table: NDArray[np.uint8]) -> Image.Image:
    """256 colours for the file: the spectrogram's in 160 steps, all others in shades towards white and ink."""
    colours = [tuple(int(part) for part in table[round(k * 255 / 159)]) for k in range(160)]
    greys = [tuple(round(28 + (255 - 28) * k / 19) for _ in range(3)) for k in range(20)]
    shades = [
        _mixed(colour, share)
        for colour in (*_ACTION_COLOURS.values(), _GREY, _WAVE_COLOUR)
        for share in (1.0, 0.8, 0.6, 0.44, 0.28, 0.14)
    ]
    texts = [
        tuple(round(ink + (tint - ink) * share) for ink, tint in zip(_INK, _mixed(colour, 0.28), strict=True))
        for colour in _ACTION_COLOURS.values()
        for share in (0.25, 0.5, 0.75)
    ]
    every = [*colours, *greys, *shades, *texts, _FAINT, _INK, (0, 0, 0)]
    image = Image.new("P", (1, 1))
    image.putpalette([part for colour in every + [(0, 0, 0)] * (256 - len(every)) for part in colour])
    return image
