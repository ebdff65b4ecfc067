"""Project files of older and newer versions, damaged ones, and ones made to do harm."""

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.errors import InputError
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.project.store import database
from recomposer_studio.project.store.database import open_file, open_working
from recomposer_studio.project.store.journal import Journal, copy_project
from recomposer_studio.project.store.reader import Reader
from recomposer_studio.roll.event import Action, Event, EventRoll
from tests.project.states import project_of, same

FIXTURES = Path(__file__).parent / "fixtures"


def read(path, source):
    with Reader(open_file(path), path) as reader:
        return reader.project(source)


@pytest.fixture(scope="module")
def saved(source, tmp_path_factory):
    """The bytes of a project file."""
    folder = tmp_path_factory.mktemp("saved")
    journal = Journal(folder / "work.sqlite")
    journal.write(project_of(source))
    copy_project(journal.path, folder / "a.recomposer")
    journal.close()
    return (folder / "a.recomposer").read_bytes()


@pytest.fixture
def project_file(saved, tmp_path):
    path = tmp_path / "a.recomposer"
    path.write_bytes(saved)
    return path


def run_sql(path, *statements):
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(*([statement] if isinstance(statement, str) else statement))
    connection.close()


def refusal(path, source):
    """The sentence of a refusal: one line that names the file."""
    with pytest.raises(InputError) as refused:
        read(path, source)
    sentence = str(refused.value)
    assert sentence.startswith(str(path))
    assert "\n" not in sentence
    return sentence


# --- versions ---------------------------------------------------------------------------------------------------------


def test_a_project_of_version_1_opens(source):
    before = (FIXTURES / "version1.recomposer").read_bytes()
    project = read(FIXTURES / "version1.recomposer", source)
    event = Event("a", Action.DELETE, "Dog", 0.1, 0.2, "Dog")
    roll = EventRoll((event,))
    first, second, third = project.history.states()
    assert [step.text for step in project.history.steps] == ["New row", "Generate Take 1"]
    assert (first.roll, second.roll, third.roll) == (EventRoll(), roll, roll)
    assert (first.takes, second.takes, project.history.index, project.history.next_take) == ((), (), 2, 2)
    (entry,) = third.takes
    assert (entry.name, entry.note, entry.stars, entry.take.recipe) == ("Take 1", "first try", 1, Recipe(seed=7))
    np.testing.assert_array_equal(entry.take.layer("a").removed, np.arange(16).reshape(2, 8) / 16)
    assert third.roll is entry.take.roll
    # The file itself stays as it was.
    assert (FIXTURES / "version1.recomposer").read_bytes() == before


def test_a_version_1_project_without_steps_opens(source, tmp_path):
    path = tmp_path / "empty.recomposer"
    path.write_bytes((FIXTURES / "version1.recomposer").read_bytes())
    history = json.dumps({"state": 4, "index": 0, "next_take": 1})
    run_sql(path, "DELETE FROM step", ("UPDATE fact SET value = ? WHERE name = 'history'", (history,)))
    assert [event.id for event in read(path, source).history.state.roll.events] == ["a"]


def test_every_older_version_has_a_migration_and_a_fixture():
    older = range(1, database.FORMAT_VERSION)
    assert sorted(database._MIGRATIONS) == list(older)
    assert [number for number in older if not (FIXTURES / f"version{number}.recomposer").is_file()] == []


def test_a_newer_version_is_refused_politely(source, project_file):
    run_sql(project_file, f"PRAGMA user_version={database.FORMAT_VERSION + 1}")
    assert "newer than this program" in refusal(project_file, source)


def test_a_field_of_a_newer_program_is_named(source, project_file):
    run_sql(project_file, "UPDATE value SET json = json_insert(json, '$.mood', 3) WHERE kind = 'take'")
    assert "no 'mood', or a newer Recomposer Studio wrote it" in refusal(project_file, source)


# --- no project -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no project"),
        (b"this is text", "no project"),
        (b"SQLite format 3\0" + bytes(84), "no project"),
        (b"SQLite format 3\0" + bytes(52) + b"RCSP" + bytes(4000), "damaged"),
    ],
)
def test_other_files_are_told_apart(source, tmp_path, content, words):
    (tmp_path / "a.recomposer").write_bytes(content)
    assert words in refusal(tmp_path / "a.recomposer", source)


def test_missing_files_and_folders_are_told(source, tmp_path):
    assert "no such file" in refusal(tmp_path / "none.recomposer", source)
    assert "cannot be read" in refusal(tmp_path, source)


# --- made to do harm --------------------------------------------------------------------------------------------------

_UPDATE = "UPDATE value SET json = json_set(json, {}) WHERE id = (SELECT max(id) FROM value WHERE kind = '{}')"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON fact BEGIN DELETE FROM step; END", "tables"),
        ("CREATE VIEW v AS SELECT * FROM fact", "tables"),
        ("CREATE VIRTUAL TABLE v USING fts5(a)", "tables"),
        ("CREATE TABLE more (a)", "tables"),
        ("ALTER TABLE value ADD COLUMN x GENERATED ALWAYS AS (1)", "tables"),
        ("DROP TABLE recording", "tables"),
        ("UPDATE array SET channels = 1000000000, samples = 1000000000", "channels"),
        ("UPDATE array SET samples = 839", "cut short"),
        ("UPDATE array SET samples = -1, channels = 2", "samples"),
        ("UPDATE array SET channels = 'two'", "size"),
        ("UPDATE piece SET data = zeroblob(length(data))", "changed"),
        ("UPDATE piece SET data = ''", "cut short"),
        ("UPDATE piece SET data = cast(hex(zeroblob(length(data) / 2)) AS TEXT)", "no sound"),
        ("DELETE FROM array", "missing"),
        ("DELETE FROM step WHERE number = 1", "step 2"),
        ("UPDATE step SET state = 'x'", "state is missing"),
        ("UPDATE step SET state = 10000", "state is missing"),
        ("UPDATE step SET text = '3'", "stands where a str belongs"),
        ("UPDATE step SET text = 'no json'", "damaged"),
        ("UPDATE step SET text = x'00ff'", "text is missing"),
        ("DELETE FROM fact WHERE name = 'history'", "history is missing"),
        ("DELETE FROM fact WHERE name = 'recording'", "where Recording belongs"),
        ("UPDATE fact SET value = '[' || value || ']' WHERE name = 'recording'", "where Recording belongs"),
        ("UPDATE fact SET value = json_set(value, '$.sha256', '../../x') WHERE name = 'recording'", "hash"),
        ("UPDATE fact SET value = json_set(value, '$.frames', -4) WHERE name = 'recording'", "is none"),
        ("UPDATE fact SET value = json_set(value, '$.index', 7) WHERE name = 'history'", "lies outside it"),
        ("UPDATE fact SET value = json_set(value, '$.next_take', 2) WHERE name = 'history'", "numbers of its takes"),
        ("UPDATE fact SET value = json_set(value, '$.selected[0]', 5) WHERE name = 'view'", "where a str belongs"),
        ("UPDATE value SET kind = 'nothing' WHERE id = 1", "unknown kind"),
        ("UPDATE value SET json = '[]' WHERE id = 1", "where Event belongs"),
        ("UPDATE value SET json = 'NaN' WHERE id = 1", "no number"),
        (("UPDATE value SET json = ? WHERE id = 1", ("[" * 100_000,)), "nested too deeply"),
        (("UPDATE value SET json = ? WHERE id = 1", ("9" * 200_000,)), "where Event belongs"),
        (_UPDATE.format("'$.takes[0]', 1", "state"), "take is missing"),
        (_UPDATE.format("'$.roll', 10000", "state"), "roll is missing"),
        (_UPDATE.format("'$.id', json('true')", "take"), "whole number"),
        (_UPDATE.format("'$.id', 1e3", "take"), "whole number"),
        (_UPDATE.format("'$.stars', 4", "take"), "4 stars"),
        (_UPDATE.format("'$.locked', 1", "take"), "where a bool belongs"),
        (_UPDATE.format("'$.made', 'soon'", "take"), "no time"),
        (_UPDATE.format("'$.take.recipe.decoding.top_p', 7", "take"), "top_p is 7"),
        (_UPDATE.format("'$.take.recipe.renderer', 'os.system'", "take"), "none of auto"),
        (_UPDATE.format("'$.take.source', '/etc/passwd'", "take"), "NoneType belongs"),
        (_UPDATE.format("'$.take.layers[1]', json_extract(json, '$.take.layers[0]')", "take"), "two layers"),
        (_UPDATE.format("'$.stop', 99999999", "layer"), "outside the recording"),
        (_UPDATE.format("'$.start', -5", "layer"), "outside the recording"),
        (_UPDATE.format("'$.start', 1000", "layer"), "another length"),
        (_UPDATE.format("'$.seed', 1e300", "layer"), "whole number"),
        (_UPDATE.format("'$.end_s', 1e300", "event"), "after the recording's end"),
        (_UPDATE.format("'$.label', ''", "event"), "label is empty"),
    ],
)  # fmt: skip
def test_what_a_file_says_is_not_believed(source, project_file, statement, words):
    run_sql(project_file, statement)
    assert words in refusal(project_file, source)


def test_a_row_that_refers_to_itself_is_refused(source, project_file):
    run_sql(project_file, "UPDATE value SET json = json_set(json, '$.roll', id) WHERE kind = 'state'")
    assert "roll is missing" in refusal(project_file, source)


def test_reading_writes_nothing_beside_the_file(source, project_file):
    before = sorted(path.name for path in project_file.parent.iterdir()), project_file.read_bytes()
    read(project_file, source)
    assert (sorted(path.name for path in project_file.parent.iterdir()), project_file.read_bytes()) == before


def test_names_with_signs_of_addresses_open(source, saved, tmp_path):
    path = tmp_path / "a ? #mode=rw %41&.recomposer"
    path.write_bytes(saved)
    assert same(read(path, source), project_of(source))


_DAMAGE = st.tuples(st.sampled_from(["byte", "cut", "run"]), st.integers(0, 2**20), st.binary(min_size=1, max_size=60))


@given(damages=st.lists(_DAMAGE, min_size=1, max_size=4))
@settings(max_examples=80)
def test_damage_anywhere_is_one_sentence_or_harmless(source, saved, tmp_path_factory, damages):
    """Bytes changed, cut off or put over others at random places; what still opens has every sample as it was."""
    mutated = bytearray(saved)
    for kind, place, data in damages:
        at = place % len(mutated)
        if kind == "byte":
            mutated[at] = data[0]
        elif kind == "cut":
            del mutated[max(at, 1) :]
        else:
            mutated[at : at + 40] = data
    path = tmp_path_factory.getbasetemp() / "mutated.recomposer"
    path.write_bytes(mutated)
    sentence = None
    try:
        project = read(path, source)
    except InputError as error:
        sentence = str(error)
    if sentence is not None:
        assert re.fullmatch(r"[^\n]+\.", sentence)
    else:
        sounds = {a.removed.tobytes() for s in project.history.states() for e in s.takes for a in e.take.layers[:1]}
        known = {
            a.removed.tobytes() for s in project_of(source).history.states() for e in s.takes for a in e.take.layers[:1]
        }
        assert sounds <= known
    assert [other.name for other in path.parent.glob("mutated*")] == [path.name]


def test_a_killed_writer_leaves_a_readable_database(source, tmp_path):
    """What a process that ends without a word had committed is there."""
    code = (
        "import os, sys; from pathlib import Path\n"
        "from recomposer_studio.audio.source import Source\n"
        "from recomposer_studio.project.store.journal import Journal\n"
        "from tests.project.states import project_of\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "journal.write(project_of(Source.open(sys.argv[2])))\n"
        "journal._connection.execute('BEGIN'); journal._connection.execute('DELETE FROM step')\n"
        "os._exit(9)\n"
    )
    path = tmp_path / "work.sqlite"
    done = subprocess.run([sys.executable, "-c", code, str(path), str(source.path)], cwd=Path(__file__).parents[2])
    assert done.returncode == 9
    with Reader(open_working(path), path) as reader:
        assert len(reader.project(source).history.steps) == 4
