import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, Event, EventRoll, Exemplar
from recomposer_studio.roll.file import check_fits, format_roll, parse_roll, read_roll

DOG = {"action": "delete", "label": "Dog", "start_s": 1, "end_s": 2.5}
SETTINGS = settings(max_examples=150, deadline=None, derandomize=True)


def parse(*events: object, **top: object) -> EventRoll:
    return parse_roll(json.dumps({"format_version": 1, "events": list(events)} | top), "r.json")


def test_defaults() -> None:
    (event,) = parse(DOG).events
    assert event == Event(event.id, Action.DELETE, "Dog", 1.0, 2.5, row=event.id)
    assert len(event.id) == 8


def test_every_key_is_read() -> None:
    full = {
        "id": "a", "action": "enhance", "label": " Cat ", "start_s": 0, "end_s": 1, "row": "cats", "level_db": 3,
        "by_db": -2, "gain_db": 1, "amount": 0.5, "pan": -0.25, "low_hz": 100, "high_hz": 2000, "confidence": 0.75,
        "muted": True,
    }  # fmt: skip
    expected = Event("a", Action.ENHANCE, "Cat", 0, 1, "cats", 3, -2, 1, 0.5, -0.25, 100, 2000, 0.75, True)
    assert parse(full).events == (expected,)


def test_null_stands_for_none_where_none_is_a_value() -> None:
    (event,) = parse(DOG | {"by_db": None, "low_hz": None, "high_hz": None, "confidence": None}).events
    assert event == parse(DOG).events[0]


def test_derived_ids_come_from_the_content_alone() -> None:
    cat = DOG | {"label": "Cat"}
    dog_id = parse(DOG).events[0].id
    assert dog_id == "b1cc15de"  # files without ids keep their ids, and so their seeds, from version to version
    before = [event.id for event in parse(DOG, DOG).events]
    assert before == [dog_id, f"{dog_id}-2"]
    assert [event.id for event in parse(cat, DOG, DOG).events][1:] == before
    assert parse(DOG | {"start_s": 1.0, "gain_db": -3, "low_hz": None, "label": " Dog "}).events[0].id == dog_id
    for change in ({"low_hz": 10}, {"high_hz": 10}, {"end_s": 3}, {"start_s": 0}, {"action": "keep"}):
        assert parse(DOG | change).events[0].id != dog_id
    assert [event.id for event in parse(DOG, DOG | {"id": dog_id}).events] == [f"{dog_id}-2", dog_id]


@pytest.mark.parametrize(
    ("event", "place", "field"),
    [
        (DOG | {"lable": "x"}, "event 2", "'lable'"),
        (DOG | {"action": "remove"}, "event 2", "action"),
        (DOG | {"start_s": -1}, "event 2", "start_s"),
        (DOG | {"id": "rex", "end_s": 1}, "event 2 (id 'rex')", "end_s"),
        (DOG | {"id": "rex", "end_s": 0.5}, "event 2 (id 'rex')", "end_s"),
        (DOG | {"start_s": False}, "event 2", "start_s"),
        (DOG | {"start_s": 10**300}, "event 2", "end_s"),
        (DOG | {"end_s": 10**400}, "event 2", "end_s"),
        (DOG | {"end_s": "2"}, "event 2", "end_s"),
        (DOG | {"label": ""}, "event 2", "label"),
        (DOG | {"label": "x" * 300}, "event 2", "label"),
        (DOG | {"label": None}, "event 2", "label"),
        (DOG | {"by_db": 3}, "event 2", "by_db"),
        (DOG | {"muted": 0}, "event 2", "muted"),
        (DOG | {"amount": None}, "event 2", "amount"),
        (DOG | {"id": None}, "event 2", "id"),
        (DOG | {"id": 7}, "event 2", "id"),
        (DOG | {"id": " "}, "event 2", "id"),
        (DOG | {"row": ["a"]}, "event 2", "row"),
        (DOG | {"low_hz": {}}, "event 2", "low_hz"),
        (DOG | {"id": "first "}, "event 2 (id 'first')", "id"),
        ({"label": "Dog", "start_s": 1, "end_s": 2}, "event 2", "action is missing"),
        ({"action": "keep", "label": "Dog", "start_s": 1}, "event 2", "end_s is missing"),
        ("dog", "event 2", "object"),
        (None, "event 2", "object"),
        ([[[]]], "event 2", "object"),
    ],
)
def test_a_bad_event_is_named_with_its_field(event: object, place: str, field: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(DOG | {"id": "first"}, event)
    message = str(caught.value)
    assert message.startswith(f"r.json, {place}: ") and field in message.removeprefix(f"r.json, {place}: ")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "one JSON object"),
        ("null", "one JSON object"),
        ('{"format_version": 1}', "events is missing"),
        ('{"events": []}', "format_version is missing"),
        ('{"format_version": 3, "events": []}', "update"),
        ('{"format_version": ' + "9" * 5000 + ', "events": []}', "format_version"),
        ('{"format_version": true, "events": []}', "format_version"),
        ('{"format_version": 1.0, "events": []}', "format_version"),
        ('{"format_version": 0, "events": []}', "format_version"),
        ('{"format_version": 1, "events": {}}', "events must be a list"),
        ('{"format_version": 1, "events": [], "take": 1}', "'take'"),
        ('{"format_version": 1, "events": [], "events": []}', "'events' stands there twice"),
        ('{"format_version": 1, "events": [{"action": "keep", "action": "keep"}]}', "event 1: the key 'action'"),
        ("NaN", "one JSON object"),
        ('{"format_version": NaN, "events": []}', "format_version"),
        ('{"format_version": 1, "events": [Infinity]}', "event 1: an event must be an object"),
        ('{"format_version": 1, "events": [{"a\\nb": 1}]}', r"'a\nb'"),
        ("[" * 1_000_000, "nested"),
        ('{"a":' * 1_000_000, "nested"),
        (b"\xff\xfe{\x00", "UTF-8"),
        (b'{"format_version": 1, "events": [{"label": "\xe4"}]}', "byte 45 is not UTF-8"),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_bad_file_gets_one_sentence(text: str | bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_roll(text, "r.json")
    message = str(caught.value)
    assert message.startswith("r.json") and words in message and "\n" not in message and len(message) < 400


@pytest.mark.parametrize("value", ["1e999", "-1e999", "NaN", "-Infinity", "9" * 5000], ids=lambda value: value[:9])
def test_numbers_that_are_not_finite_are_refused(value: str) -> None:
    text = f'{{"format_version": 1, "events": [{{"action": "keep", "label": "x", "start_s": 0, "end_s": {value}}}]}}'
    with pytest.raises(InputError, match="event 1: end_s must be a finite number"):
        parse_roll(text, "r.json")


def test_a_byte_order_mark_is_accepted() -> None:
    text = json.dumps({"format_version": 1, "events": [DOG]})
    assert parse_roll(b"\xef\xbb\xbf" + text.encode(), "r") == parse_roll("\ufeff" + text, "r") == parse(DOG)


def test_brackets_in_labels_are_text() -> None:
    roll = parse(*(DOG | {"label": "[{" * 90, "id": str(number)} for number in range(50)))
    assert parse_roll(format_roll(roll), "r") == roll


def test_an_empty_roll_is_a_roll() -> None:
    assert parse_roll(format_roll(EventRoll()), "r") == EventRoll()


def test_many_equal_events_stay_cheap() -> None:
    roll = parse(*[DOG] * 5000)
    assert len({event.id for event in roll.events}) == 5000


def test_check_fits() -> None:
    roll = parse(DOG, DOG | {"id": "late", "end_s": 4.0})
    check_fits(roll, 4.0, "r.json")
    check_fits(roll, 4.0 - 5e-7, "r.json")
    with pytest.raises(InputError, match=r"^r\.json, event 2 \(id 'late'\): end_s \(4 s\) .* \(3\.99 s\)"):
        check_fits(roll, 3.99, "r.json")
    with pytest.raises(InputError, match=r"event 1 .*: start_s \(1 s\)"):
        check_fits(roll, 0.5, "r.json")


def test_read_roll(tmp_path: Path) -> None:
    path = tmp_path / "röll.json"
    path.write_text(format_roll(parse(DOG)), encoding="utf-8")
    assert read_roll(path) == read_roll(str(path)) == parse(DOG)


@pytest.mark.parametrize("name", ["missing.json", ".", "nul\0l"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        read_roll(tmp_path / name)


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=30).filter(
    lambda text: text.strip() == text
)
seconds = st.floats(0, 1e9)


@st.composite
def events(draw: st.DrawFn) -> Event:
    start, end = sorted(draw(st.lists(seconds, min_size=2, max_size=2, unique=True)))
    action = draw(st.sampled_from(Action))
    low, high = draw(st.one_of(st.none(), st.floats(0, 9e3))), draw(st.one_of(st.none(), st.floats(1e4, 5e4)))
    return Event(
        draw(texts),
        action,
        draw(texts),
        start,
        end,
        draw(texts),
        level_db=draw(st.floats(-60, 60)),
        by_db=draw(st.one_of(st.none(), st.floats(-120, 120))) if action is Action.ENHANCE else None,
        gain_db=draw(st.floats(-120, 120)),
        amount=draw(st.floats(0, 1)),
        pan=draw(st.floats(-1, 1)),
        low_hz=low,
        high_hz=high,
        confidence=draw(st.one_of(st.none(), st.floats(0, 1))),
        muted=draw(st.booleans()),
    )


rolls = st.lists(events(), max_size=4, unique_by=lambda event: event.id).map(EventRoll.from_events)


@SETTINGS
@given(rolls)
def test_round_trip(roll: EventRoll) -> None:
    text = format_roll(roll)
    assert parse_roll(text, "r") == roll
    assert parse_roll(text.encode("utf-8"), "r") == roll
    assert format_roll(parse_roll(text, "r")) == text


@SETTINGS
@given(rolls.filter(lambda roll: len(roll.events) > 0), st.data())
def test_mutated_bytes_raise_nothing_but_input_errors(roll: EventRoll, data: st.DataObject) -> None:
    text = bytearray(format_roll(roll).encode("utf-8"))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        piece = data.draw(
            st.one_of(st.binary(max_size=3), st.sampled_from([b"NaN", b"null", b"[", b"}", b'"', b"1e9", b"-"]))
        )
        text[at : at + data.draw(st.integers(0, 4))] = piece
    _accepted_or_refused(bytes(text))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
keys = st.sampled_from(
    [*DOG, "id", "row", "by_db", "low_hz", "high_hz", "confidence", "muted", "amount", "pan", "extra"]
)


@SETTINGS
@given(
    st.lists(st.dictionaries(keys, json_values, max_size=3).map(lambda change: DOG | change) | json_values, max_size=3)
)
def test_mutated_values_raise_nothing_but_input_errors(items: list[Any]) -> None:
    _accepted_or_refused(json.dumps({"format_version": 1, "events": items}).encode())


def _accepted_or_refused(data: bytes) -> None:
    refusal, roll = "", EventRoll()
    try:
        roll = parse_roll(data, "r.json")
    except InputError as error:
        refusal = str(error)
    assert "\n" not in refusal
    if refusal:
        assert refusal.startswith("r.json")
    else:
        assert parse_roll(format_roll(roll), "r") == roll


def test_parsed_events_differ_from_changed_ones() -> None:
    roll = parse(DOG | {"id": "a"})
    assert parse_roll(format_roll(roll.with_event(replace(roll.events[0], gain_db=1e-9))), "r") != roll


BARK = {"action": "insert", "label": "Bark", "start_s": 1, "end_s": 2, "exemplar": {"start_s": 0.25, "end_s": 0.75}}


def test_an_exemplar_is_read_and_written() -> None:
    (event,) = parse(BARK, format_version=2).events
    assert event.exemplar == Exemplar(0.25, 0.75)
    full = {"start_s": 3, "end_s": 4.5, "file": "sounds/bark.flac", "sha256": "0f" * 32}
    (other,) = parse(BARK | {"exemplar": full}, format_version=2).events
    assert other.exemplar == Exemplar(3.0, 4.5, "sounds/bark.flac", "0f" * 32)
    for roll in (EventRoll((event,)), EventRoll((other,))):
        text = format_roll(roll)
        assert '"format_version": 2,' in text
        assert parse_roll(text, "r.json") == roll
        assert format_roll(parse_roll(text, "r.json")) == text
    assert '"exemplar": {"start_s": 0.25, "end_s": 0.75}' in format_roll(EventRoll((event,)))


def test_a_roll_without_exemplars_is_written_as_ever() -> None:
    roll = EventRoll((Event("a", Action.INSERT, "Bark", 1.0, 2.0, "a"),))
    assert format_roll(roll) == (
        '{\n  "format_version": 1,\n  "events": [\n    {"id": "a", "action": "insert", "label": "Bark", '
        '"start_s": 1.0, "end_s": 2.0, "row": "a"}\n  ]\n}\n'
    )


@pytest.mark.parametrize(
    ("exemplar", "words"),
    [
        ({"start_s": 1}, "end_s is missing"),
        ({"start_s": 1, "end_s": 1}, "exemplar end_s (1) must be later"),
        ({"start_s": -1, "end_s": 1}, "exemplar start_s must be at least 0"),
        ({"start_s": 0, "end_s": float("inf")}, "end_s must be a finite number"),
        ({"start_s": 0, "end_s": 1, "file": 3}, "exemplar file must be the path"),
        ({"start_s": 0, "end_s": 1, "file": "a\x00b"}, "exemplar file must be the path"),
        ({"start_s": 0, "end_s": 1, "file": "a\udc80b"}, "exemplar file must be the path"),
        ({"start_s": 0, "end_s": 1, "file": "\\\\host\\share\\a.wav"}, "is on a network share"),
        ({"start_s": 0, "end_s": 1, "file": "//host/share/a.wav"}, "is on a network share"),
        ({"start_s": 0, "end_s": 1, "sha256": "zz"}, "sha256 must be 64 hexadecimal digits"),
        ({"start_s": 0, "end_s": 1, "gain": 1}, "unknown key 'gain'"),
        (3, "exemplar must be an object, not 3"),
        ([0, 1], "exemplar must be an object, not a list"),
    ],
)
def test_a_bad_exemplar_is_refused_in_one_sentence(exemplar: object, words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(BARK | {"exemplar": exemplar}, format_version=2)
    assert words in str(caught.value) and "event 1" in str(caught.value)


@pytest.mark.parametrize(
    "file", ["Hund\u3000\u72ac.wav", "2.15\u202fPM.wav", "\U0001f468\u200d\U0001f469.wav", "C:\\a\\b.wav"]
)
def test_an_exemplars_file_may_have_any_name(file: str) -> None:
    (event,) = parse(BARK | {"exemplar": {"start_s": 0, "end_s": 1, "file": file}}, format_version=2).events
    assert event.exemplar == Exemplar(0.0, 1.0, file)
    assert parse_roll(format_roll(EventRoll((event,))), "a.json").events == (event,)


def test_an_exemplar_belongs_to_insert() -> None:
    for action in ("delete", "enhance", "keep"):
        with pytest.raises(InputError, match="exemplar belongs to insert alone"):
            parse(BARK | {"action": action})
