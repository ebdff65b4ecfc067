"""Labels of other programs: what they say is understood, what is written reads back, what cannot work is one sentence."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, Event, EventRoll, Exemplar
from recomposer_studio.roll.formats.files import (
    SUFFIXES,
    LabelFormat,
    format_labels,
    format_of,
    keeps_all,
    output_format_of,
    parse_labels,
    read_labels,
)
from recomposer_studio.roll.formats.tables import format_table, guarded, plain
from recomposer_studio.roll.formats.values import About, from_words

ABOUT = About("street.wav", 60.0, 48_000.0)

# Letters, marks and everything that has a meaning in some format.
_LABELS = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")) | st.sampled_from("=+-@'\"\\,;:!<>[]{}#\u00e4 "),
    min_size=1,
    max_size=20,
).filter(lambda text: text.strip())
_WORDS = st.builds(
    lambda first, rest: first + rest, st.sampled_from(["", "delete ", "KEEP: ", "insert:", "'="]), _LABELS
)
_TIMES = st.floats(0, 59, allow_subnormal=False)
_LIMITS = st.none() | st.tuples(st.floats(1.0, 10_000.0), st.floats(10_001.0, 20_000.0))


@st.composite
def _events(draw: st.DrawFn) -> Event:
    start_s = draw(_TIMES)
    low_hz, high_hz = draw(_LIMITS) or (None, None)
    action = draw(st.sampled_from(Action))
    return Event(
        "?", action, draw(_WORDS), start_s, start_s + draw(st.floats(0.001, 1.0)), draw(_LABELS), low_hz=low_hz,
        high_hz=high_hz, confidence=draw(st.none() | st.floats(0, 1)), gain_db=draw(st.sampled_from([0.0, -6.5])),
        by_db=draw(st.sampled_from([None, -3.0])) if action is Action.ENHANCE else None, muted=draw(st.booleans()),
    )  # fmt: skip


_ROLLS = st.lists(_events(), min_size=1, max_size=5).map(
    lambda events: EventRoll(tuple(replace(event, id=f"={at}") for at, event in enumerate(events)))
)


def read(text: str | bytes, name: str = "labels.txt", about: About = ABOUT) -> EventRoll:
    return parse_labels(text if isinstance(text, bytes) else text.encode(), name, about).roll


def told(roll: EventRoll) -> list[tuple[object, ...]]:
    return [(e.action, e.label, e.start_s, e.end_s, e.low_hz, e.high_hz) for e in roll.events]


@settings(deadline=None, max_examples=60)
@given(_ROLLS)
def test_what_is_written_reads_back(roll: EventRoll) -> None:
    for kind in (LabelFormat.ROLL, LabelFormat.CSV, LabelFormat.TSV):
        assert read(format_labels(roll, kind, ABOUT), f"x{SUFFIXES[kind]}") == roll
        assert keeps_all(roll, kind, ABOUT)
    for kind in (LabelFormat.AUDACITY, LabelFormat.RAVEN):
        assert told(read(format_labels(roll, kind, ABOUT))) == told(roll)
    back = read(format_labels(roll, LabelFormat.JAMS, ABOUT), "x.jams")
    assert [line[:4] for line in told(back)] == [line[:4] for line in told(roll)]
    assert [event.confidence for event in back.events] == [event.confidence for event in roll.events]
    back = read(format_labels(roll, LabelFormat.TEXTGRID, ABOUT))
    assert sorted((e.action, e.label, e.start_s, e.end_s, e.row) for e in back.events) == sorted(
        (e.action, e.label, e.start_s, e.end_s, e.row) for e in roll.events
    )


@settings(deadline=None, max_examples=60)
@given(_LABELS | st.sampled_from(["'", "''", "'=1", "''=1", "\uff1dx", "'x"]))
def test_no_spreadsheet_runs_a_label(label: str) -> None:
    label = label.strip()
    assert guarded(label)[0] not in "=+-@\uff1d\uff0b\uff0d\uff20"
    assert plain(guarded(label)) == label
    roll = EventRoll((Event("a", Action.KEEP, label, 0.0, 1.0, label),))
    for kind in (LabelFormat.CSV, LabelFormat.TSV, LabelFormat.RAVEN):
        text = format_labels(roll, kind, About("=cmd.wav"))
        cells = text.replace('"', "").replace("\n", "\t").replace(",", "\t").split("\t")
        assert kind is LabelFormat.RAVEN or "'=cmd.wav" in cells
        assert read(text, f"x{SUFFIXES[kind]}").events[0].label == label


@pytest.mark.parametrize(
    ("text", "action", "label"),
    [
        ("Dog bark", "keep", "Dog bark"),
        ("delete dog bark", "delete", "dog bark"),
        ("Enhance: beep", "enhance", "beep"),
        ("insert:door", "insert", "door"),
        ("keep  rain ", "keep", "rain"),
        ("deleted scene", "keep", "deleted scene"),
        ("delete", "keep", "delete"),
        ("  ", "keep", "Sound"),
    ],
)
def test_an_action_word_in_front_is_the_action(text: str, action: str, label: str) -> None:
    assert from_words(text) == {"action": action, "label": label}


def test_audacity_with_frequencies_points_and_old_lines() -> None:
    text = "0.5\t1,25\tdelete Dog\r\n\\\t300.0\t-1.000000\r\n2.0\tpoint\n3.0\t3.0\tpoint\n4\t5\t\n"
    labels = parse_labels(b"\xef\xbb\xbf" + text.encode(), "labels.txt")
    assert told(labels.roll) == [("delete", "Dog", 0.5, 1.25, 300.0, None), ("keep", "Sound", 4.0, 5.0, None, None)]
    assert labels.notes == ("2 labels without a length were left out.",)


def test_dcase_tables_with_and_without_names() -> None:
    named = "filename\tonset\toffset\tevent_label\nstreet.wav\t0.1\t0.9\tDog\nother.wav\t0.2\t0.4\tCat\n"
    labels = parse_labels(named.encode(), "a.tsv", ABOUT)
    assert told(labels.roll) == [("keep", "Dog", 0.1, 0.9, None, None)]
    assert labels.notes == ("1 line of another file was left out.",)
    assert told(read("audio/street.wav\t0.1\t0.9\tDog\n", "a.txt")) == told(labels.roll)
    assert told(read("0.1,0.9,Dog\n", "a.csv")) == told(labels.roll)
    strong = "segment_id,start_time_seconds,end_time_seconds,label\nstreet,0.1,0.9,Dog\nother,0.3,0.4,Cat\n"
    assert told(read(strong, "a.csv")) == told(labels.roll)
    german = "Onset;Duration;Label;Confidence\n0,5;1,5;Hund;0,75\n"
    assert told(read(german, "a.csv")) == [("keep", "Hund", 0.5, 2.0, None, None)]
    assert read(german, "a.csv").events[0].confidence == 0.75
    assert told(read("onset\toffset\tlabel\n0.1\t0.9\tDog\n".encode("utf-16"), "a.txt")) == told(labels.roll)
    excel = 'onset\toffset\tlabel\n0.1\t0.9\t"Dog, ""big"""\n1\t2\t5" gun\n'
    assert [e.label for e in read(excel).events] == ['Dog, "big"', '5" gun']


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_tables_keep_exemplars(name: str) -> None:
    given = Exemplar(0.25, 0.75, 'sounds/"bark".wav', "0f" * 32)
    roll = EventRoll(
        (
            Event("a", Action.INSERT, "Bark", 1.0, 2.0, "a", exemplar=given),
            Event("b", Action.INSERT, "Bark", 3.0, 4.0, "b", exemplar=Exemplar(0.0, 1.0)),
            Event("c", Action.KEEP, "Bark", 5.0, 6.0, "c"),
        )
    )
    text = format_table(roll, ABOUT, "," if name == "a.csv" else "\t")
    assert read(text, name) == roll
    assert "exemplar" not in format_table(EventRoll(roll.events[2:]), ABOUT, ",")


def test_a_table_of_other_recordings_is_not_taken_for_this_one() -> None:
    text = "filename,onset,offset,event_label\na.wav,0,1,x\nb.wav,0,1,y\n"
    with pytest.raises(InputError, match=r"lists 2 recordings .* none is street\.wav"):
        read(text)
    with pytest.raises(InputError, match="not said which"):
        read(text, about=About())
    one = parse_labels(b"filename,onset,offset,event_label\na.wav,0,1,x\n", "t.csv", ABOUT)
    assert one.notes == ("The table names a.wav as its recording.",) and len(one.roll.events) == 1


def test_raven_tables_of_both_views() -> None:
    head = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tSpecies\n"
    text = (
        head
        + "1\tWaveform 1\t1\t0.5\t1.0\t0\t24000\tenhance beep\n1\tSpectrogram 1\t1\t0.5\t1.0\t500\t24000\tenhance beep\n"
    )
    assert told(read(text)) == [("enhance", "beep", 0.5, 1.0, 500.0, None)]
    other = text.replace("Species", "My notes")
    assert told(read(other))[0][1] == "beep"


BIRDNET = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


def test_tables_of_birdnet() -> None:
    text = (
        f"{BIRDNET}\tCommon Name\tSpecies Code\tConfidence\tBegin Path\tFile Offset (s)\n"
        "1\tSpectrogram 1\t1\t0.5\t1.5\t0\t15000\tEurasian Blackbird\teurbla\t0.8731\t/x/street.wav\t0.5\n"
        "2\tSpectrogram 1\t1\t9.5\t10.5\t0\t15000\tGreat Tit\tgretit\t0.5\t/x/other.wav\t0.5\n"
    )
    (bird,) = read(text).events
    assert (bird.label, bird.confidence, bird.start_s, bird.end_s) == ("Eurasian Blackbird", 0.8731, 0.5, 1.5)
    text = "Start (s),End (s),Scientific name,Common name,Confidence\n0.5,1.5,Turdus merula,Eurasian Blackbird,0.87\n"
    (bird,) = read(text).events
    assert (bird.label, bird.confidence) == ("Eurasian Blackbird", 0.87)
    # A confidence is no annotation, and a score of another scale no confidence.
    for name, value, confidence in (
        ("Confidence", "0,25", 0.25),
        ("Confidence", "high", None),
        ("Score", "12.5", None),
    ):
        text = f"{BIRDNET}\tMy notes\t{name}\n1\tSpectrogram 1\t1\t0.5\t1.5\t0\t15000\tdog\t{value}\n"
        (dog,) = read(text).events
        assert (dog.label, dog.confidence) == ("dog", confidence)


def test_raven_tables_of_several_files_count_from_the_beginning_of_each() -> None:
    text = (
        f"{BIRDNET}\tBegin File\tFile Offset (s)\tAnnotation\n"
        "1\tSpectrogram 1\t1\t1.0\t1.5\t0\t5000\tother.wav\t1.0\tdog\n"
        "2\tSpectrogram 1\t1\t3.5\t3.9\t0\t5000\tstreet.wav\t0.5\tbark\n"
    )
    (bark,) = read(text).events
    assert (bark.label, bark.start_s, bark.end_s) == ("bark", 0.5, pytest.approx(0.9))


@pytest.mark.parametrize("coding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("short", [False, True])
def test_praat_long_and_short(coding: str, short: bool) -> None:
    long_form = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 2.5\ntiers? <exists>\nsize = 2\nitem []:\n'
        '    item [1]:\n        class = "IntervalTier"\n        name = "Dogs"\n        xmin = 0\n        xmax = 2.5\n'
        '        intervals: size = 2\n        intervals [1]:\n            xmin = 0\n            xmax = 1.5\n'
        '            text = ""\n        intervals [2]:\n            xmin = 1.5\n            xmax = 2.5\n'
        '            text = "delete ""big"" d\u00f6g"\n    item [2]:\n        class = "TextTier"\n        name = "Clicks"\n'
        '        xmin = 0\n        xmax = 2.5\n        points: size = 1\n        points [1]:\n            number = 0.5\n'
        '            mark = "click"\n'
    )  # fmt: skip
    short_form = (
        'File type = "ooTextFile"\n"TextGrid"\n! a remark 7\n\n0\n2.5\n<exists>\n2\n"IntervalTier"\n"Dogs"\n0\n2.5\n2\n0\n1.5\n""\n'
        '1.5\n2.5\n"delete ""big"" d\u00f6g"\n"TextTier"\n"Clicks"\n0\n2.5\n1\n0.5\n"click"\n'
    )
    labels = parse_labels((short_form if short else long_form).encode(coding), "x.TextGrid")
    assert told(labels.roll) == [("delete", '"big" d\u00f6g', 1.5, 2.5, None, None)]
    assert labels.roll.events[0].row == "Dogs"
    assert labels.notes == ("1 point without a length was left out.",)


def test_overlapping_events_of_a_row_get_a_tier_each() -> None:
    roll = EventRoll(tuple(Event(str(at), Action.KEEP, "x", at * 0.5, at * 0.5 + 0.75, "row") for at in range(4)))
    text = format_labels(roll, LabelFormat.TEXTGRID, ABOUT)
    assert text.count("IntervalTier") == 2 and "xmax = 60.0" in text
    assert {e.start_s for e in read(text).events} == {0.0, 0.5, 1.0, 1.5}


@pytest.mark.parametrize(
    ("text", "name", "sentence"),
    [
        (b"", "a.txt", "is empty"),
        (b"\x00\x01\x02", "a.txt", "no text"),
        (b"\xff\xff\xff", "a.csv", "neither UTF-8 nor UTF-16"),
        (b"hello world", "a.txt", "no table of labels"),
        (b"a,b\n1,2\n", "a.csv", "onset"),
        (b"0\tnan\tdog\n", "a.txt", "no labels that last"),
        (b"0\t1e999\tdog\n", "a.txt", "line 1: end_s must be a finite number"),
        (b"2\t1\tdog\n", "a.txt", "line 1: end_s"),
        (b"0\t1\tdog\nx\t2\tcat\n", "a.txt", "line 2: the start must be a number, not 'x'"),
        (b"\\\t1\t2\n0\t1\tx", "a.txt", "line 1: the line with frequencies"),
        (b"0\t1\tx\n\\\t1\n", "a.txt", "line 2: the line with frequencies"),
        (b"0\t1\tx\n\\\t9\t3\n", "a.txt", "high_hz"),
        (b"onset,offset,label,muted\n0,1,x,perhaps\n", "a.csv", "muted must be true or false"),
        (b"onset,offset,label,action,exemplar\n0,1,x,insert,here\n", "a.csv", "line 2: exemplar must be an object"),
        (b"onset,offset,label,action\n0,1,x,erase\n", "a.csv", "line 2: action must be one of"),
        (b'onset,offset,label\n0,1,"a\nb"\n', "a.csv", "line break"),
        (b"onset,offset,label,id\n0,1,x,q\n0,2,x,q\n", "a.csv", "line 3: id is the same"),
        (b'File type = "ooTextFile"\n"TextGrid"\n0\n1\n<exists>\n99999999\n', "a.TextGrid", "the file ends"),
        (b'File type = "ooTextFile"\n"PitchTier"\n0\n', "a.TextGrid", "PitchTier"),
        (b'File type = "ooTextFile"\n"TextGrid"\n0\n1\n<exists>\n0.5\n', "a.TextGrid", "whole number"),
        (b"{}", "a.jams", "no JAMS"),
        (b'{"annotations": [{"namespace": "tag_open", "data": [{"time": true}]}]}', "a.jams", "observation 1"),
        (b"{", "a.json", "not JSON"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_sentence(text: bytes, name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as error:
        parse_labels(text, name, ABOUT)
    assert name in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 300


@settings(deadline=None, max_examples=150)
@given(
    st.binary(max_size=60)
    | st.text('0123456789.,-\t\n;"=\\ aonsetfl{}[]:', max_size=60).map(lambda text: text.encode())
    | st.text(max_size=40).map(
        lambda text: b'File type = "ooTextFile"\n"TextGrid" 0 1 <exists> 1 ' + text.encode("utf-8", "replace")
    ),
    st.sampled_from(["a.txt", "a.csv", "a.tsv", "a.TextGrid", "a.jams", "a.json"]),
)
def test_hostile_text_gives_labels_or_one_sentence(data: bytes, name: str) -> None:
    said = ""
    try:
        assert parse_labels(data, name).roll.events or name.endswith(".json")
    except InputError as error:
        said = str(error)
    assert not said or (name in said and "\n" not in said)


def test_names_choose_the_format_to_write(tmp_path: Path) -> None:
    assert [format_of(Path(f"a{suffix}")) for suffix in SUFFIXES.values()] == list(SUFFIXES)
    assert format_of(Path("A.TEXTGRID")) is LabelFormat.TEXTGRID and format_of(Path("a.wav")) is None
    with pytest.raises(InputError, match=r"\.docx: no labels are written"):
        output_format_of(Path("a.docx"))
    with pytest.raises(InputError, match="no such file"):
        read_labels(tmp_path / "missing.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_labels(tmp_path)
    lossy = EventRoll((Event("a", Action.DELETE, "Dog", 0.0, 1.0, "a", gain_db=3.0),))
    assert keeps_all(lossy, LabelFormat.CSV) and not keeps_all(lossy, LabelFormat.AUDACITY)
