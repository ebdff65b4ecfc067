"""An Insert with an exemplar: what is read, what the generator is given, and what a take remembers of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.editing.engine import Engine
from recomposer_studio.editing.exemplars import LONGEST_S, read_exemplar
from recomposer_studio.editing.generator import SoundRequest
from recomposer_studio.errors import InputError
from recomposer_studio.project.embedded import recipe_document
from recomposer_studio.project.export import export_take
from recomposer_studio.project.origin import pinned_roll
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.project.take import Take
from recomposer_studio.roll.event import Event, EventRoll, Exemplar
from recomposer_studio.roll.file import format_roll, parse_roll
from recomposer_studio.studio import verbs
from tests.editing.fakes import KnownGenerator
from tests.editing.scenes import burst, event, noise, roll, write

RATE = 48_000


class Listener(KnownGenerator):
    """Remembers the exemplars it is given."""

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        """Noise; what was heard is in `given`."""
        self.given = [*getattr(self, "given", []), request.exemplar]
        return super().sound(request)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Four seconds of stereo noise with a burst at 1 s, then digital silence."""
    sound = noise(2, 4.0, RATE) + burst(1.0, 0.3, 4.0, RATE)
    sound[:, 3 * RATE :] = 0.0
    with Source.open(write(tmp_path / "in.wav", sound, RATE)) as opened:
        yield opened


def _insert(exemplar: Exemplar | None, event_id: str = "new") -> Event:
    return event(event_id, "insert", 2.0, 2.4, exemplar=exemplar)


def _render(source: Source, *events: Event, generator: KnownGenerator | None = None) -> Take:
    return Engine(generator or Listener()).render(source, roll(*events), Recipe(seed=3))


def test_the_generator_hears_a_region_of_the_recording_at_its_own_rate(source: Source) -> None:
    generator = Listener()
    _render(source, _insert(Exemplar(1.0, 1.25)), _insert(None, "plain"), generator=generator)
    first, second = generator.given
    assert second is None
    assert first.dtype == np.float32 and first.shape == (round(0.25 * generator.rate_hz),)
    # The 1.5 kHz burst, the mean of both channels.
    spectrum = np.abs(np.fft.rfft(first))
    assert abs(np.argmax(spectrum) / 0.25 - 1500.0) < 10.0


def test_another_file_is_found_beside_the_recording(source: Source, tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    path = write(tmp_path / "sounds" / "bark.wav", burst(0.5, 0.4, 2.0, 16_000)[None], 16_000)
    relative, absolute = Exemplar(0.5, 0.9, "sounds/bark.wav"), Exemplar(0.5, 0.9, str(path))
    takes = [_render(source, _insert(exemplar)) for exemplar in (relative, absolute)]
    assert takes[0].layers[0].key == takes[1].layers[0].key
    assert len(takes[0].layers[0].exemplar) == 64


def test_keys_change_with_the_exemplar_alone(source: Source) -> None:
    plain, one, same, other = (
        _render(source, _insert(exemplar)).layers[0]
        for exemplar in (None, Exemplar(1.0, 1.25), Exemplar(1.0, 1.25), Exemplar(1.0, 1.3))
    )
    assert plain.exemplar == "" and plain.key != one.key
    assert one.key == same.key and one.exemplar == same.exemplar
    assert other.key != one.key


def test_only_the_beginning_of_a_long_one_is_read(source: Source) -> None:
    read = read_exemplar(source, _insert(None), Exemplar(0.0, 3.5))
    assert len(read.samples) == round(LONGEST_S * RATE)


@pytest.mark.parametrize(
    ("exemplar", "words"),
    [
        (Exemplar(0.0, 1.0, "gone.wav"), "gone.wav: there is no such file"),
        (Exemplar(3.9, 4.5), "does not lie within in.wav, which lasts 4 s"),
        (Exemplar(9.0, 9.5), "does not lie within in.wav"),
        (Exemplar(3.0, 1e308), "does not lie within in.wav"),
        (Exemplar(1e307, 1e308), "does not lie within in.wav"),
        (Exemplar(1.0, 1.000001), "does not lie within in.wav"),
        (Exemplar(3.2, 3.6), "is silent"),
        (Exemplar(1.0, 1.25, sha256="0" * 64), "is not the sound that the take was made with"),
    ],
)
def test_what_cannot_be_used_is_told_before_anything_is_rendered(
    source: Source, exemplar: Exemplar, words: str
) -> None:
    generator = Listener()
    with pytest.raises(InputError) as caught:
        _render(source, _insert(None, "first"), _insert(exemplar), generator=generator)
    assert "event new: the exemplar" in str(caught.value) and words in str(caught.value)
    assert not hasattr(generator, "given")


def test_a_recipe_pins_the_exemplar_and_finds_it_again(source: Source, tmp_path: Path) -> None:
    path = write(tmp_path / "bark.wav", burst(0.0, 0.4, 1.0, RATE)[None], RATE)
    take = _render(source, _insert(Exemplar(0.0, 0.4, "bark.wav")), _insert(None, "plain"))
    pinned = parse_roll(json.dumps(recipe_document(take)["roll"]), "recipe")
    assert pinned == pinned_roll(take)
    assert pinned.event("new").exemplar == Exemplar(0.0, 0.4, "bark.wav", take.layer("new").exemplar)
    assert pinned.event("plain").exemplar is None
    again = Engine(KnownGenerator()).render(source, pinned, Recipe(seed=3))
    assert [layer.key for layer in again.layers] == [layer.key for layer in take.layers]
    write(path, 0.5 * burst(0.0, 0.4, 1.0, RATE)[None], RATE)
    with pytest.raises(InputError, match="not the sound that the take was made with"):
        Engine(KnownGenerator()).render(source, pinned, Recipe(seed=3))


def test_an_export_does_not_overwrite_the_file_of_an_exemplar(source: Source, tmp_path: Path) -> None:
    path = write(tmp_path / "bark.wav", burst(0.0, 0.4, 1.0, RATE)[None], RATE)
    before = path.read_bytes()
    take = _render(source, _insert(Exemplar(0.0, 0.4, "bark.wav")))
    with pytest.raises(InputError, match="never overwritten"):
        export_take(take, path)
    assert path.read_bytes() == before


def test_without_exemplars_a_recipe_is_as_ever(source: Source) -> None:
    take = _render(source, _insert(None))
    assert format_roll(pinned_roll(take)) == format_roll(take.roll)
    assert '"format_version": 1,' in format_roll(take.roll)


def test_a_muted_insert_without_a_model_asks_for_no_exemplar(source: Source) -> None:
    gone = replace(_insert(Exemplar(0.0, 1.0, "gone.wav")), muted=True)
    take = Engine(None).render(source, roll(gone), Recipe())
    assert "no model" in take.layers[0].note


def test_an_exemplar_leaves_with_insert() -> None:
    changed = verbs.change(EventRoll((_insert(Exemplar(1.0, 2.0)),)), ["new"], action="delete")
    assert changed.event("new").exemplar is None
