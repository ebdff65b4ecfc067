"""From a box to sound: shares of the power on the band grid, and the sound they cut out of every channel's own spectrum."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BANDS, BandGrid, band_centres_hz
from recomposer_studio.audio.source import Source
from recomposer_studio.editing.generator import Generator, MaskRequest
from recomposer_studio.editing.regions import Region, Window, active_frames
from recomposer_studio.editing.repair import repair_share
from recomposer_studio.roll.event import Action, Event

_FloatArray = NDArray[np.float64]

NOTHING = 1e-14
"""Mean band power up to which an event counts as not found."""
BURIED = 0.235
"""What a dB more that model or repair finds raises the level of an event by which the model holds to be none of its box's power."""
BURIED_DB, CLEARER_DB = -5.5, 14.5
"""Level of such an event where both find as much as there is background, and by how much it lies higher the more of the box is the event's."""
LEAST_BEYOND = 1e-3
"""Share of a box that repair takes at least: as little as a mask head is told, and as the constants above were fitted with."""
OVERLOOKED = 0.1
"""Share of what spectral repair would take below which a model found hardly any of a sound."""
CHUNK_FRAMES = 400
"""Frames that are transformed at a time: a box of an hour costs no more memory for its spectra than one of 4 s."""
_PIECE = 1 << 18
"""Samples that are read at a time for their mean."""


@dataclass(frozen=True)
class Claim:
    """What one event claims of the base, before it is shared out with its company.

    Attributes:
        window: the frames that were looked at.
        power: band power of every channel, (channels, bands, frames).
        share: the claimed share, (channels, bands, frames), zero outside the box.
        excess: what spectral repair would claim if the event had no frequency limits, likewise.
        limits: one for bands within the event's frequency limits, else zero, (bands, 1).
        offset: mean of every channel over the window, (channels, 1).
        heard: SHA-256 of the samples that were looked at, with their place.
        kept: whether the event is a *keep*.
        by_repair: whether spectral repair made the claim, not a model.
    """

    window: Window
    power: _FloatArray
    share: _FloatArray
    excess: _FloatArray
    limits: _FloatArray
    offset: _FloatArray
    heard: bytes
    kept: bool
    by_repair: bool

    def over(self, first: int, frames: int) -> _FloatArray:
        """The share over another run of frames, (channels, bands, frames); zero where this window does not reach."""
        out = np.zeros((*self.share.shape[:2], frames))
        start, stop = max(first, self.window.first), min(first + frames, self.window.first + self.window.frames)
        if start < stop:
            out[:, :, start - first : stop - first] = self.share[
                :, :, start - self.window.first : stop - self.window.first
            ]
        return out


def read_padded(source: Source, start: int, stop: int) -> _FloatArray:
    """Samples [start, stop) of a source, (channels, n), with silence beyond its ends."""
    first, last = min(max(start, 0), source.frames), max(min(stop, source.frames), 0)
    out = np.zeros((source.channels, stop - start))
    if first < last:
        out[:, first - start : last - start] = source.read(first, last)
    return out


def band_power(
    source: Source, grid: BandGrid, window: Window, tick: Callable[[int], None]
) -> tuple[_FloatArray, _FloatArray, bytes]:
    """Band power of every channel over a window, (channels, bands, frames), its constant offset (channels, 1), and a SHA-256 of its samples.

    An offset, which no one hears, has no power; `cut_out` leaves it where it is.

    Args:
        source: the base.
        grid: the grid at its rate.
        window: the frames.
        tick: called with the number of frames done after each piece of work; may raise to cancel.
    """
    out = np.empty((source.channels, BANDS, window.frames))
    offset = _offset(source, grid, window)
    digest = hashlib.sha256(f"{source.rate_hz} {window.first} {window.frames} {offset.tobytes().hex()}".encode())
    for done in range(0, window.frames, CHUNK_FRAMES):
        count = min(CHUNK_FRAMES, window.frames - done)
        samples = _read_centred(source, *grid.span(window.first + done, count), offset)
        digest.update(samples.tobytes())
        for channel in range(source.channels):
            out[channel, :, done : done + count] = grid.power(grid.stft(samples[channel]))
        tick(count)
    return out, offset, digest.digest()


def claim(
    source: Source,
    event: Event,
    company: tuple[Event, ...],
    generator: Generator | None,
    tick: Callable[[int], None] = lambda frames: None,
) -> Claim:
    """What an event claims: by the generator's mask head, or by spectral repair when there is none.

    Args:
        source: the base.
        event: a delete, enhance or keep event.
        company: the events whose regions overlap the event's.
        generator: the model to ask, or None.
        tick: see `band_power`.
    """
    grid = BandGrid.at(source.rate_hz)
    window = Window.around(event, grid)
    power, offset, heard_samples = band_power(source, grid, window, tick)

    def frames_of(other: Event) -> NDArray[np.bool_]:
        return active_frames(other.start_s, other.end_s, window.first, window.frames, grid.hop_s)

    heard = tuple(other for other in company if other.action is not Action.INSERT)
    active = frames_of(event)
    others_active = np.array([frames_of(other) for other in heard]).reshape(len(heard), window.frames)
    busy = _no_background(source, window, grid, heard)
    shares, excesses = [], []
    for channel in range(source.channels):
        excess = share = repair_share(power[channel], active, busy, grid.hop_s, protect=event.action is Action.KEEP)
        if generator is not None:
            share = generator.share(
                MaskRequest(power[channel], grid.hop_s, active, others_active, busy, share, event, heard)
            )
        # Whatever a model says, outside its box an event claims nothing.
        shares.append(np.where(active, np.clip(share, 0.0, 1.0), 0.0))
        excesses.append(np.where(active, excess, 0.0))
    limits = _band_limits(event, company)[:, None]
    claimed = np.stack(shares) * limits
    if event.action is Action.KEEP and generator is None:
        for other, frames in zip(heard, others_active, strict=True):
            if _goes_on_around(event, other):
                # The edit's own surroundings hold this sound already: to claim it here would protect what is to be edited.
                claimed[..., frames] = 0.0
    return Claim(
        window,
        power,
        claimed,
        np.stack(excesses),
        limits,
        offset,
        heard_samples,
        event.action is Action.KEEP,
        generator is None,
    )


def _no_background(source: Source, window: Window, grid: BandGrid, others: tuple[Event, ...]) -> NDArray[np.bool_]:
    """Frames that tell nothing about a background, (frames,): beyond the file, or in the box of another edit."""
    edges = grid.span(window.first, 1)[0] + np.arange(window.frames) * grid.hop
    out = (edges < 0) | (edges + grid.n_fft > source.frames)
    for other in others:
        if other.action is not Action.KEEP:
            out |= active_frames(other.start_s, other.end_s, window.first, window.frames, grid.hop_s)
    return out


def background_share(source: Source, event: Event, company: tuple[Event, ...], power: _FloatArray) -> float:
    """Share of a box's power that is background: what spectral repair would leave there, judging by the second around the box.

    A level counts over the background, not over another sound that happens to lie in the box: on composed validation scenes
    with such a sound an insert would be 6.4 dB too loud in the mean (12 dB in one of ten), with this estimate it is 1.1 dB (2.0 dB off in
    the mean; `benchmarks/inserting.py levels`).

    Args:
        source: the base.
        event: whose box it is.
        company: the events whose regions overlap the event's.
        power: band power of the event's window, mean over the channels, (bands, frames).
    """
    grid = BandGrid.at(source.rate_hz)
    window = Window.around(event, grid)
    active = active_frames(event.start_s, event.end_s, window.first, window.frames, grid.hop_s)
    others = tuple(other for other in company if other.action is not Action.INSERT)
    share = repair_share(power, active, _no_background(source, window, grid, others), grid.hop_s)
    total = float(power[:, active].sum())
    return float((power * (1.0 - share))[:, active].sum()) / total if total > 0 else 1.0


def _goes_on_around(kept: Event, edit: Event) -> bool:
    margin_s = 0.1
    return kept.start_s <= edit.start_s - margin_s and kept.end_s >= edit.end_s + margin_s


def _offset(source: Source, grid: BandGrid, window: Window) -> _FloatArray:
    """Mean of every channel over what a source has in a window, (channels, 1)."""
    start, stop = grid.span(window.first, window.frames)
    start, stop = max(start, 0), min(stop, source.frames)
    total = np.zeros((source.channels, 1))
    for first in range(start, stop, _PIECE):
        total += source.read(first, min(first + _PIECE, stop)).sum(axis=1, keepdims=True)
    return total / max(1, stop - start)


def _read_centred(source: Source, start: int, stop: int, offset: _FloatArray) -> _FloatArray:
    """`read_padded` without an offset (channels, 1)."""
    out = read_padded(source, start, stop)
    out[:, max(0, -start) : max(0, min(stop, source.frames) - start)] -= offset
    return out


def _band_limits(event: Event, company: tuple[Event, ...]) -> _FloatArray:
    """One for bands that an event's frequency limits let it claim, else zero; (bands,).

    That is every band that they touch: shares fade out between the centres of bands, so a claim of the bands with their centre inside would fade
    out inside the limits, and in narrow ones there would be none. What lies beyond the limits is not cut (`cut_out`), but it would be
    protected: so a *keep* claims the bands with their centre inside, where there are any. What another event beside these limits has within its own
    is left to it.
    """
    inside = _inside(event)
    if event.action is Action.KEEP and inside.any():
        return inside.astype(np.float64)
    centres = band_centres_hz()
    below, above = np.append(0.0, centres[:-1]), np.append(centres[1:], np.inf)
    low, high = _limits_hz(event)
    touched = (above > low) & (below < high)
    for other in company:
        other_low, other_high = _limits_hz(other)
        if other_low >= high or other_high <= low:
            touched &= inside | ~_inside(other)
    return touched.astype(np.float64)


def _limits_hz(event: Event) -> tuple[float, float]:
    return event.low_hz or 0.0, event.high_hz if event.high_hz is not None else inf


def _inside(event: Event) -> NDArray[np.bool_]:
    """Bands whose centre lies within an event's frequency limits, (bands,)."""
    centres = band_centres_hz()
    low, high = _limits_hz(event)
    # The top band stands for everything above it.
    reach = np.append(centres[:-1], inf if high > centres[-1] else centres[-1])
    return (reach >= low) & (centres <= high)


@dataclass(frozen=True)
class Separation:
    """An event's share after sharing out, over the frames of its own window.

    Attributes:
        window: the frames.
        power: band power, (channels, bands, frames).
        share: this event's share, (channels, bands, frames).
        total: the shares of all edited events together, likewise; what is left of one is background and kept sound.
        kept: the shares of all kept events together, likewise.
        excess: what spectral repair alone would claim if the event had no frequency limits, likewise.
        limits: one for bands within the event's frequency limits, else zero, (bands, 1).
        offset: mean of every channel over the window, (channels, 1).
        by_repair: whether spectral repair made the share, not a model.
    """

    window: Window
    power: _FloatArray
    share: _FloatArray
    total: _FloatArray
    kept: _FloatArray
    excess: _FloatArray
    limits: _FloatArray
    offset: _FloatArray
    by_repair: bool

    def level_db(self, active: NDArray[np.bool_], quietest_db: float) -> float | None:
        """Estimated level of the event over its background, or None when nothing was found.

        As far as a model holds the box's power to be the event's, what it found counts. The more of the box it leaves to others, the less either
        estimate says: the model holds back and takes from others, repair takes all that the box holds. The level is then drawn towards
        what such events have. Fitted to composed training scenes with levels between -15 and 30 dB, and measured on validation scenes,
        by `benchmarks/masks.py levels`.

        Background is what repair takes for it, less what other rows claim; in all bands, whatever the event's frequency limits.

        Args:
            active: the frames of the box, (frames,).
            quietest_db: a background is never taken to be quieter.
        """
        power, share, excess = (part[:, :, active] for part in (self.power, self.share, self.excess))
        others = (self.total + self.kept)[:, :, active] - share

        def mean(part: _FloatArray) -> float:
            return float((power * part).sum(axis=1).mean())

        found = mean(share)
        if found <= NOTHING:
            return None
        below = max(mean(1.0 - np.maximum(excess, others)), 10.0 ** (quietest_db / 10.0))
        if self.by_repair:
            return 10.0 * log10(found / below)
        unclaimed = np.maximum(0.0, 1.0 - others) * self.limits
        rest = mean(np.maximum(0.0, unclaimed - share))
        return level_of(found, rest, mean(np.minimum(excess, unclaimed)), below)

    def overlooked(self, active: NDArray[np.bool_]) -> bool:
        """Whether a model found hardly any of what spectral repair would take, that no other row claims.

        The row says that a sound is there, and the model takes what stands out for another one. Who drew the box knows whether it is right.

        Args:
            active: the frames of the box, (frames,).
        """
        power, share, excess = (part[:, :, active] for part in (self.power, self.share, self.excess))
        others = (self.total + self.kept)[:, :, active] - share
        there = np.minimum(excess, np.maximum(0.0, 1.0 - others) * self.limits)
        return not self.by_repair and float((power * np.minimum(share, there)).sum()) < OVERLOOKED * float(
            (power * there).sum()
        )


def level_of(found: float, rest: float, beyond: float, below: float) -> float:
    """Level of an event over its background in dB by a model and spectral repair together: `Separation.level_db`.

    Args:
        found: power that the model gives the event, above 0.
        rest: what it leaves.
        beyond: power that repair gives the event.
        below: what repair leaves, above 0.
    """
    own = found / (found + rest)
    found_db = 10.0 * log10(found / below)
    beyond_db = 10.0 * log10(max(beyond, LEAST_BEYOND * (beyond + below)) / below)
    return own * found_db + (1.0 - own) * (BURIED * (found_db + beyond_db) + BURIED_DB + own * CLEARER_DB)


def separate(own: Claim, others: list[Claim]) -> Separation:
    """Shares out a base between an event and its company.

    Kept events come first: what they claim survives. Spectral repair claims the same excess for everyone, so its claims
    together never take more than the greediest of them; all claims together never take more than there is.
    """
    everyone = [own, *others]
    over = [one.over(own.window.first, own.window.frames) for one in everyone]
    keeps = [i for i, one in enumerate(everyone) if one.kept]
    edits = [i for i, one in enumerate(everyone) if not one.kept]
    by_repair = {i for i, one in enumerate(everyone) if one.by_repair}
    nothing = np.zeros_like(own.share)
    excess = np.max([over[i] for i in by_repair] or [nothing], axis=0)
    _fit(over, [i for i in keeps if i in by_repair], excess)
    _fit(over, keeps, np.ones_like(nothing))
    taken = sum((over[i] for i in keeps if i in by_repair), nothing)
    _fit(over, [i for i in edits if i in by_repair], np.maximum(0.0, excess - taken))
    _fit(over, edits, np.maximum(0.0, 1.0 - sum((over[i] for i in keeps), nothing)))
    kept = sum((over[i] for i in keeps), nothing)
    total = np.minimum(1.0, sum((over[i] for i in edits), nothing))
    return Separation(own.window, own.power, over[0], total, kept, own.excess, own.limits, own.offset, own.by_repair)


def _fit(shares: list[_FloatArray], chosen: list[int], room: _FloatArray) -> None:
    """Scales the chosen shares in place where together they exceed the room."""
    total = sum((shares[i] for i in chosen), np.zeros_like(room))
    scale = np.divide(room, total, out=np.ones_like(room), where=total > room)
    for i in chosen:
        shares[i] = shares[i] * scale


def cut_out(
    source: Source,
    event: Event,
    region: Region,
    fade: _FloatArray,
    separation: Separation,
    gain: float,
    tick: Callable[[int], None],
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """The event's sound in its region, and the same sound at another level.

    With share s, all edited events' shares S and gain k, the bed is sqrt(1 - S) of the spectrum X. Removed is the event's
    part of the rest, X (1 - sqrt(1 - S)) s / S; placed is X (sqrt(1 - S + k^2 s) - sqrt(1 - S)), so that bed + placed has the
    power of background + event at the new level.

    Args:
        source: the base.
        event: the event, for its frequency limits.
        region: the samples that are wanted.
        fade: the region's window, (region samples,).
        separation: the shares.
        gain: factor k on the event's amplitude; 0 places nothing.
        tick: called with the number of frames done after each piece of work; may raise to cancel.

    Returns:
        (removed, placed or None), each (channels, region samples).
    """
    grid = BandGrid.at(source.rate_hz)
    window, half = separation.window, grid.n_fft // 2
    first = max(window.first, (region.start - half) // grid.hop)
    last = min(window.first + window.frames - 1, (region.stop + half) // grid.hop + 1)
    limits = _bin_limits(event, grid)
    length = region.stop - region.start
    removed = np.zeros((source.channels, length), np.float32)
    placed = np.zeros((source.channels, length), np.float32) if gain > 0 else None
    for done in range(first, last + 1, CHUNK_FRAMES):
        count = min(CHUNK_FRAMES, last + 1 - done)
        start, stop = grid.span(done, count)
        frames = slice(done - window.first, done - window.first + count)
        from_sample, to_sample = max(start, region.start), min(stop, region.stop)
        if from_sample >= to_sample:
            continue
        samples = _read_centred(source, start, stop, separation.offset)
        into = slice(from_sample - region.start, to_sample - region.start)
        piece = slice(from_sample - start, to_sample - start)
        for channel in range(source.channels):
            share = grid.to_bins(separation.share[channel, :, frames]) * limits
            if not share.any():
                continue
            total = np.maximum(share, grid.to_bins(separation.total[channel, :, frames]))
            spectrum = grid.stft(samples[channel])
            bed = np.sqrt(1.0 - np.minimum(total, 1.0))
            out = (1.0 - bed) * np.divide(share, total, out=np.zeros_like(total), where=total > 0)
            removed[channel, into] += grid.istft(spectrum * out)[piece] * fade[into]
            if placed is not None:
                level = np.sqrt(np.maximum(0.0, bed**2 + gain**2 * share)) - bed
                placed[channel, into] += grid.istft(spectrum * level)[piece] * fade[into]
        tick(count)
    return removed, placed


def in_band(sound: _FloatArray, event: Event, rate_hz: int) -> _FloatArray:
    """A sound within an event's frequency limits, which fade out as those of `cut_out` do; shape (samples,) as given."""
    if not event.low_hz and event.high_hz is None:
        return sound
    grid = BandGrid.at(rate_hz)
    # With room for the ringing, which would come back at the other end.
    length = len(sound) + grid.n_fft
    limits = _limits(event, np.fft.rfftfreq(length, 1.0 / rate_hz), grid)
    return np.fft.irfft(np.fft.rfft(sound, length) * limits, length)[: len(sound)]


def _bin_limits(event: Event, grid: BandGrid) -> _FloatArray:
    """Zero beyond the event's frequency limits, one inside, over two bins between; (bins,)."""
    return _limits(event, grid.frequencies_hz, grid)


def _limits(event: Event, f: NDArray[np.floating[Any]], grid: BandGrid) -> _FloatArray:
    """Likewise at any frequencies `f` in Hz, with the edges of the grid's bins; shape of `f`."""
    step = grid.rate_hz / grid.n_fft
    gain = np.ones_like(f)
    if event.low_hz:
        gain *= np.clip((f - event.low_hz) / (2.0 * step) + 1.0, 0.0, 1.0)
    if event.high_hz is not None:
        gain *= np.clip((event.high_hz - f) / (2.0 * step) + 1.0, 0.0, 1.0)
    return gain
