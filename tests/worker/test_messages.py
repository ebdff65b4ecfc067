"""Requests and facts come through the words of the protocol unchanged."""

from dataclasses import fields, replace

import numpy as np
import pytest

from recomposer_studio.editing.generator import MaskRequest, SoundRequest
from recomposer_studio.roll.event import Action, Event, Exemplar
from recomposer_studio.worker.frames import Frame
from recomposer_studio.worker.messages import (
    PROTOCOL,
    Facts,
    greeting,
    mask_frame,
    read_greeting,
    read_mask,
    read_sound,
    sound_frame,
)
from tests.worker.fake_child import FakeModel
from tests.worker.worker_requests import mask_request, sound_request


def _assert_same(got: MaskRequest | SoundRequest, sent: MaskRequest | SoundRequest) -> None:
    for field in fields(sent):
        mine, theirs = getattr(sent, field.name), getattr(got, field.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(theirs, mine, strict=True)
        elif field.name != "cancelled":
            assert theirs == mine, field.name


@pytest.mark.parametrize("others", [0, 3])
def test_a_mask_request_comes_through(others: int) -> None:
    request = mask_request("Ärger „laut“ 犬", others)
    full = Event("x", Action.ENHANCE, "Bark", 0.1, 1 / 3, "row", 3.3, 2.2, -1.1, 0.7, -0.3, 100.1, 7000.7, 0.9, True)
    for each in (request, replace(request, event=full)):
        _assert_same(read_mask(mask_frame(1, each)), each)


def test_a_sound_request_comes_through_with_the_childs_own_cancel() -> None:
    request = sound_request(seed=2**64 - 1, duration_s=1 / 3)
    given = replace(request, exemplar=np.random.default_rng(0).standard_normal(700).astype(np.float32))
    _assert_same(read_sound(sound_frame(5, given), lambda: True), given)
    got = read_sound(sound_frame(5, request), lambda: True)
    _assert_same(got, request)
    assert got.cancelled() and not request.cancelled()


def test_where_an_exemplar_lies_stays_with_the_parent() -> None:
    request = sound_request()
    event = replace(request.event, exemplar=Exemplar(1.0, 2.0, "/home/somebody/bark.wav"))
    frame = sound_frame(1, replace(request, event=event))
    assert "somebody" not in str(frame.header)
    _assert_same(read_sound(frame, request.cancelled), request)


def test_a_greeting_tells_the_facts() -> None:
    model = FakeModel()
    facts = read_greeting(greeting(model))
    assert facts == Facts("fake", "00", model.classes, model.better_than_repair, 32_000, "cpu", True)


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": PROTOCOL - 1},
        {"protocol": PROTOCOL + 1},
        {"kind": "result"},
        {"classes": 3},
        {"better_than_repair": ["sing"]},
    ],
)
def test_other_greetings_are_refused(change: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        read_greeting(Frame({**greeting(FakeModel()).header, **change}))
