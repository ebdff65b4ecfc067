"""The sound that an Insert is to resemble: a stretch of the recording, or of another file."""

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.resample import resample
from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.project.kept import file_beside
from recomposer_studio.roll.event import Event, Exemplar

LONGEST_S = 2.0
"""So much of a longer exemplar is read, from its start."""


@dataclass(frozen=True)
class HeardExemplar:
    """An exemplar that was read.

    Attributes:
        samples: mean of the channels, (samples,) float64.
        rate_hz: its rate.
        sha256: hash of rate and samples, in hex.
    """

    samples: NDArray[np.float64]
    rate_hz: int
    sha256: str

    def at(self, rate_hz: int) -> NDArray[np.float32]:
        """The samples at another rate, (samples,)."""
        return resample(self.samples[None], self.rate_hz, rate_hz)[0].astype(np.float32)


def read_exemplar(source: Source, event: Event, exemplar: Exemplar) -> HeardExemplar:
    """Reads an event's exemplar.

    Args:
        source: the recording that is edited.
        event: the event, for error sentences.
        exemplar: the stretch; a relative path starts in the recording's folder, see `file_beside`.

    Raises:
        InputError: its file cannot be read, the stretch is not in it or is silent, or the samples are not those that are wanted.
    """
    where = f"event {event.id}: the exemplar"
    try:
        with Source.open(file_beside(source, exemplar.file)) if exemplar.file else nullcontext(source) as file:
            # Times far beyond the file have no sample number at all.
            beyond_s = file.duration_s + 2.0 * LONGEST_S
            start, end = (round(min(time_s, beyond_s) * file.rate_hz) for time_s in (exemplar.start_s, exemplar.end_s))
            stop = min(end, start + round(LONGEST_S * file.rate_hz))
            # Half a sample of rounding past the end is no error.
            if stop > file.frames + 1 or start >= min(stop, file.frames):
                raise InputError(
                    f"{where} ({exemplar.start_s:.9g} to {exemplar.end_s:.9g} s) does not lie within {file.path.name}, which lasts "
                    f"{file.duration_s:.9g} s; correct its times"
                )
            samples, rate_hz = file.read(start, min(stop, file.frames)).mean(axis=0), file.rate_hz
    except InputError as error:
        text = str(error)
        raise error if text.startswith(where) else InputError(f"{where} cannot be used: {text}") from None
    if not samples.any():
        raise InputError(f"{where} is silent; choose a stretch in which something sounds")
    digest = hashlib.sha256(f"{rate_hz} ".encode() + samples.astype("<f8").tobytes()).hexdigest()
    if exemplar.sha256 not in ("", digest):
        raise InputError(
            f"{where} ({exemplar.file or 'in the recording'}) is not the sound that the take was made with; put that back, or remove "
            f"sha256 from the exemplar to use what is there now"
        )
    return HeardExemplar(samples, rate_hz, digest)
