"""Where else in a recording a sound like a given one is heard.

The sound's picture (what stands out from the background, band by band) is slid along the recording; where it fits, the tagger has to
find both alike too. The picture knows exactly when, the embedding forgives another level, pitch and company.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.tagging.activity import CENTRE_S, ActivityOptions, standing_out
from recomposer_studio.tagging.events import Found
from recomposer_studio.tagging.front_end import FRAMES_PER_S, PATCH_FRAMES, LogMel, patches
from recomposer_studio.tagging.recording import Progress, Window, windows
from recomposer_studio.tagging.tagger import Tagger

LIKE = "similar sound"
"""What a found sound is called when nobody says better."""


@dataclass(frozen=True)
class SimilarOptions:
    """How alike is alike.

    Attributes:
        threshold: sounds less like the example are left out, 0 to 1.
        fit: a place is looked at when the picture fits so well, 0 to 1.
        apart: two places nearer to each other than this share of the example's length are one.
        activity: what counts as background.
    """

    threshold: float = 0.65
    fit: float = 0.4
    apart: float = 0.8
    activity: ActivityOptions = field(default_factory=ActivityOptions)


@dataclass(frozen=True)
class _Example:
    """The sound to look for: its picture (8 + frames, bands), and its embedding beyond that of the background."""

    picture: NDArray[np.float64]
    embedding: NDArray[np.float64]


_SHORTEST_S, _LONGEST_S = 0.05, 15.0
_AHEAD = 8
"""Picture and patches begin so many frames before a sound: its onset counts, so that a tail is not like the whole."""
_PATCH_HOP = 48
_BESIDE, _OUTSHONE = 1.3, 0.8
_QUIET_DB = 1.0
_BACKGROUND_HOP = 200


def find_similar(
    source: Source,
    tagger: Tagger,
    start_s: float,
    end_s: float,
    label: str = LIKE,
    options: SimilarOptions | None = None,
    progress: Progress | None = None,
    on_found: Callable[[Found], None] | None = None,
) -> list[Found]:
    """Places elsewhere in a recording that sound like a box, ordered by onset; their confidence is how alike they are.

    Args:
        source: the recording; any rate, any number of channels.
        tagger: whose embeddings are compared.
        start_s: onset of the box.
        end_s: its end.
        label: what the found sounds are called.
        options: how alike is alike.
        progress: told every few seconds of sound; what it raises ends the work.
        on_found: given every place as soon as it is decided.

    Raises:
        InputError: the box lies outside the recording, is too short or too long, or holds nothing that stands out from
            the background.
    """
    options = options or SimilarOptions()
    example = _example(source, tagger, start_s, end_s, options)
    done: list[Found] = []
    total_s = max(1, round(source.duration_s))
    length_s = end_s - start_s
    for window in windows(source):
        places = _places(window, tagger, example, options)
        for (at_s, likeness), next_s in zip(places, [*(at for at, _ in places[1:]), source.duration_s], strict=True):
            stop_s = min(at_s + length_s, source.duration_s)
            itself = min(stop_s, end_s) - max(at_s, start_s) > 0.1 * length_s
            again = done and at_s - done[-1].start_s < options.apart * length_s
            if not window.core_start_s <= at_s < window.core_end_s or itself or again:
                continue
            # Repeats may follow each other faster than the box is long; their boxes only touch.
            stop_s = min(stop_s, next_s, start_s if at_s < start_s else stop_s)
            at_s = max(0.0, at_s, done[-1].end_s if done else 0.0, end_s if at_s >= start_s else 0.0)
            if stop_s > at_s:
                done.append(Found(at_s, stop_s, ((label, likeness),)))
                if on_found:
                    on_found(done[-1])
        if progress:
            progress(round(min(total_s, window.core_end_s)), total_s, "listening")
    return done


def _example(source: Source, tagger: Tagger, start_s: float, end_s: float, options: SimilarOptions) -> _Example:
    if not 0.0 <= start_s < end_s <= source.duration_s + 1e-6:
        raise InputError(
            f"the box {start_s:g}-{end_s:g} s does not lie in the recording of {source.duration_s:.2f} s;"
            " give its onset and its end in seconds"
        )
    if not _SHORTEST_S <= end_s - start_s <= _LONGEST_S:
        raise InputError(
            f"the box {start_s:g}-{end_s:g} s is {end_s - start_s:g} s long; sounds like it are looked for between"
            f" {_SHORTEST_S:g} and {_LONGEST_S:g} s"
        )
    for window in windows(source):
        if window.core_start_s <= start_s < window.core_end_s:
            first = max(0, round((start_s - CENTRE_S - window.start_s) * FRAMES_PER_S))
            stop = max(first + 1, round((end_s - CENTRE_S - window.start_s) * FRAMES_PER_S))
            out = standing_out(window.frames, options.activity)
            if np.sqrt(np.square(out[first:stop]).mean(axis=1)).max() < options.activity.off_db:
                break
            background = _background(window.frames, out, tagger)
            picture = _led_in(out)[first : stop + _AHEAD]
            return _Example(picture, _embedding(window.frames, first, stop - first, tagger) - background)
    raise InputError(
        f"nothing stands out from the background between {start_s:g} and {end_s:g} s; give the box of a sound"
    )


def _places(window: Window, tagger: Tagger, example: _Example, options: SimilarOptions) -> list[tuple[float, float]]:
    """Onsets in seconds of sounds in a window, and how like the example they are."""
    out = standing_out(window.frames, options.activity)
    fit = _fit(_led_in(out), example.picture)
    length = len(example.picture) - _AHEAD
    peaks: list[int] = []
    for at in np.argsort(-fit, kind="stable"):
        if fit[at] < options.fit:
            break
        if all(abs(int(at) - other) >= options.apart * length for other in peaks):
            peaks.append(int(at))
    if not peaks:
        return []
    background = _background(window.frames, out, tagger)
    places = []
    for at in sorted(peaks):
        embedding = _embedding(window.frames, at, length, tagger) - background
        likeness = 0.5 * (float(fit[at]) + max(0.0, _cosine(embedding, example.embedding)))
        if likeness >= options.threshold:
            places.append((window.start_s + at / FRAMES_PER_S + CENTRE_S, likeness))
    # Beginning and end of a sound are alike in part: what lies beside a much better place belongs to that.
    beside_s = _BESIDE * length / FRAMES_PER_S
    return [
        (at_s, likeness)
        for at_s, likeness in places
        if all(abs(at_s - other_s) > beside_s or likeness > _OUTSHONE * better for other_s, better in places)
    ]


def _led_in(out: NDArray[np.float64]) -> NDArray[np.float64]:
    """With so much silence before that a picture can begin ahead of the first frame."""
    return np.concatenate([np.zeros((_AHEAD, out.shape[1])), out])


def _fit(out: NDArray[np.float64], picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """(frames - length + 1,) cosine of the picture and as many frames from each one on."""
    if len(out) < len(picture):
        return np.empty(0)
    size = 1 << (len(out) + len(picture)).bit_length()
    spectrum = np.fft.rfft(out, size, axis=0) * np.conj(np.fft.rfft(picture, size, axis=0))
    places = len(out) - len(picture) + 1
    products = np.fft.irfft(spectrum.sum(axis=1), size)[:places]
    sums = np.concatenate([[0.0], np.cumsum(np.square(out).sum(axis=1))])
    norms = np.sqrt(np.maximum(sums[len(picture) :] - sums[:places], 0.0)) * np.sqrt(np.square(picture).sum())
    return np.asarray(np.clip(products / np.maximum(norms, 1e-6), 0.0, 1.0))


def _embedding(frames: LogMel, first: int, length: int, tagger: Tagger) -> NDArray[np.float64]:
    """Mean embedding of the patches that hold a sound."""
    last = max(0, len(frames) - PATCH_FRAMES)
    starts = range(first - _AHEAD, max(first - _AHEAD + 1, first + length - PATCH_FRAMES // 2), _PATCH_HOP)
    cut = np.stack([frames[min(max(0, at), last) :][:PATCH_FRAMES] for at in starts])
    return np.asarray(tagger.tag(cut).embeddings.mean(axis=0), np.float64)


def _background(frames: LogMel, out: NDArray[np.float64], tagger: Tagger) -> NDArray[np.float64]:
    """Mean embedding of the quiet patches, or of all if none is quiet."""
    cut = patches(frames, _BACKGROUND_HOP)
    loud = np.array([out[_BACKGROUND_HOP * n :][:PATCH_FRAMES].mean() for n in range(len(cut))])
    quiet = loud <= max(_QUIET_DB, float(np.median(loud)) if len(loud) else 0.0)
    return np.asarray(tagger.tag(cut[quiet]).embeddings.mean(axis=0), np.float64)


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9))
