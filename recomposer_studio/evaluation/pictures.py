"""Histograms of distances, and the best, median and worst scene of every editor to look at and to hear."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from recomposer_studio.audio.atomic import atomic_path
from recomposer_studio.audio.picture import draw_comparison
from recomposer_studio.evaluation.cases import Case
from recomposer_studio.evaluation.editors import Editor, Samples
from recomposer_studio.evaluation.tables import Figures, grouped
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.scenes import render_scene

_PAPER, _INK, _GREY, _BAR, _MEAN = (255, 255, 255), (28, 28, 32), (200, 200, 206), (0, 114, 178), (213, 94, 0)
_BINS, _BAR_PIXELS, _PLOT_HEIGHT, _GAP, _LEFT, _TOP = 30, 9, 60, 34, 150, 52
_SHOWN_S = 1.0


@dataclass(frozen=True)
class Example:
    """One scene to look at and to hear.

    Attributes:
        editor: name of the editor.
        action: the edit.
        rank: best, median or worst.
        caption: scene, classes and distances in words.
        picture: spectrograms of input, desired signal and estimate around the box.
        sounds: the three as FLAC, with one factor on all where one of them would clip.
    """

    editor: str
    action: str
    rank: str
    caption: str
    picture: Path
    sounds: tuple[Path, ...]


@dataclass(frozen=True)
class _Clip:
    """Samples as a picture reads them."""

    samples: NDArray[np.float64]
    rate_hz: int

    @property
    def frames(self) -> int:
        return len(self.samples)

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        return self.samples[None, start:stop]


def histogram_pictures(cases: Sequence[Case], figures: Figures, folder: Path) -> list[Path]:
    """One picture per kind, action and distance: target frames on the left, the whole clip on the right.

    Args:
        cases: the anchors' cases.
        figures: their results.
        folder: an existing folder.

    Returns:
        The PNG files.
    """
    paths = []
    for group, members in grouped(cases).items():
        for distance in ("msd", "kld") if figures.kld else ("msd",):
            rows = []
            for editor in figures.editors:
                pairs = figures.pairs(members, editor)
                if pairs:
                    sides = [np.array([p[0][f"{distance}_{region}"] for p in pairs]) for region in ("target", "clip")]
                    rows.append((editor.name, (sides[0], sides[1])))
            if rows:
                path = folder / f"histogram-{'-'.join(group)}-{distance}.png"
                draw_histograms(path, f"{distance.upper()}, {' '.join(group)}", rows)
                paths.append(path)
    return paths


def draw_histograms(
    path: Path, title: str, rows: Sequence[tuple[str, tuple[NDArray[np.float64], NDArray[np.float64]]]]
) -> None:
    """Histograms of (label, (target values, whole-clip values)), one row a label; a mark shows each mean.

    Both columns have their own scale from 0 to the largest value in them.

    Args:
        path: PNG file.
        title: heading.
        rows: at least one.
    """
    width = _LEFT + 2 * (_BINS * _BAR_PIXELS + _GAP)
    image = Image.new("RGB", (width, _TOP + len(rows) * (_PLOT_HEIGHT + 10) + 26), _PAPER)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(13)
    draw.text((12, 16), title, fill=_INK, font=font, anchor="lm")
    for side, heading in enumerate(("target", "whole clip")):
        left = _LEFT + side * (_BINS * _BAR_PIXELS + _GAP)
        top = max(1e-9, *(float(row[1][side].max()) for row in rows))
        draw.text((left, 40), heading, fill=_INK, font=font, anchor="lm")
        for number, row in enumerate(rows):
            base = _TOP + number * (_PLOT_HEIGHT + 10) + _PLOT_HEIGHT
            counts = np.histogram(row[1][side], bins=_BINS, range=(0.0, top))[0]
            for place, count in enumerate(counts):
                if count:
                    x = left + place * _BAR_PIXELS
                    height = max(2, round(count / counts.max() * (_PLOT_HEIGHT - 4)))
                    draw.rectangle((x, base - height, x + _BAR_PIXELS - 2, base), fill=_BAR)
            draw.line((left, base, left + _BINS * _BAR_PIXELS, base), fill=_GREY)
            mean = left + row[1][side].mean() / top * _BINS * _BAR_PIXELS
            draw.line((mean, base - _PLOT_HEIGHT + 4, mean, base), fill=_MEAN, width=2)
            if side == 0:
                draw.text((12, base - _PLOT_HEIGHT / 2), row[0][:20], fill=_INK, font=font, anchor="lm")
        bottom = image.height - 14
        draw.text((left, bottom), "0", fill=_INK, font=font, anchor="lm")
        draw.text((left + _BINS * _BAR_PIXELS, bottom), f"{top:.3g}", fill=_INK, font=font, anchor="rm")
    with atomic_path(path) as part:
        image.quantize(16).save(part, format="PNG", optimize=True)


def examples(cache: AudioCache, cases: Sequence[Case], figures: Figures, folder: Path) -> list[Example]:
    """Best, median and worst scene of every editor and action by the target's distance relative to the input's.

    Insert goes by KLD where there is a classifier, since no recording equals another; the rest by MSD.

    Args:
        cache: decoded recordings, to render the scenes again.
        cases: the anchors' cases.
        figures: their results.
        folder: an existing folder, filled with `examples/` and `audio/`.
    """
    (folder / "examples").mkdir(exist_ok=True)
    (folder / "audio").mkdir(exist_ok=True)
    out = []
    by_action = grouped([replace(case, group=case.group[1:]) for case in cases])
    for editor in figures.editors:
        if editor.name in ("input", "identity"):
            continue
        for (action,), members in by_action.items():
            measure = "kld_target" if figures.kld and action == "insert" else "msd_target"
            ordered = []
            for number, case in enumerate(members):
                for mine, base in figures.pairs([case], editor):
                    ordered.append((mine[measure] / max(base[measure], 1e-9), number))
            ordered.sort()
            if ordered:
                # With very few scenes a rank falls onto another's scene and is left out.
                places = {len(ordered) // 2: "median", len(ordered) - 1: "worst", 0: "best"}
                for place, rank in sorted(places.items()):
                    ratio, number = ordered[place]
                    words = f"{measure[:3].upper()} {ratio:.2f} of the input's"
                    out.append(_example(cache, members[number], editor, action, rank, words, folder))
    return out


def _example(
    cache: AudioCache, case: Case, editor: Editor, action: str, rank: str, words: str, folder: Path
) -> Example:
    scene = render_scene(cache, case.spec)
    task = case.task(scene)
    sounds: list[tuple[str, Samples]] = [
        ("input", scene.input),
        ("desired", scene.desired),
        ("estimate", editor.edit(task).samples),
    ]
    stem = f"{re.sub(r'[^a-z0-9]+', '-', editor.name.lower()).strip('-')}-{action}-{rank}"
    clips = [(name, _Clip(np.asarray(samples, np.float64), scene.rate_hz)) for name, samples in sounds]
    others = ", ".join(sound.class_name for sound in scene.spec.sounds if sound.id != scene.edit.event_id)
    caption = f"{case.spec.kind} scene {case.spec.seed}, {action} {task.row.label}" + (
        f" under {others}" if others else ""
    )
    box, end_s = scene.truth_box, len(scene.input) / scene.rate_hz
    picture = folder / "examples" / f"{stem}.png"
    titles = [(editor.name if name == "estimate" else name, clip) for name, clip in clips]
    start_s, stop_s = max(0.0, box[0] - _SHOWN_S), min(end_s, box[1] + _SHOWN_S)
    draw_comparison(titles, task.roll, picture, width=700, start_s=start_s, end_s=stop_s)
    peak = max(float(np.abs(clip.samples).max()) for _, clip in clips)
    paths = []
    for name, clip in clips:
        path = folder / "audio" / f"{stem}-{name}.flac"
        with atomic_path(path) as part:
            sf.write(part, clip.samples / max(1.0, peak / 0.99), scene.rate_hz, "PCM_16", format="FLAC")
        paths.append(path)
    return Example(editor.name, action, rank, f"{caption}: {words}", picture, tuple(paths))
