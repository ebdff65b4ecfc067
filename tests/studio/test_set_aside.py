"""Values of one action survive another one: an example comes back with Insert, a constant gain with Enhance."""

import pytest

from recomposer_studio.roll.event import Action, Exemplar
from recomposer_studio.roll.file import format_roll, parse_roll
from recomposer_studio.studio.window import Window
from tests.editing.scenes import event, roll

EXAMPLE = Exemplar(1.0, 1.4)
ROLL = roll(
    event("new", "insert", 2.0, 2.4, exemplar=EXAMPLE),
    event("up", "enhance", 0.5, 0.9, by_db=6.0),
    event("stays", "keep", 3.0, 3.4),
)


@pytest.fixture
def edited(opened: Window) -> Window:
    """A window with an Insert that has an example, selected."""
    opened.document.change_roll("roll", ROLL)
    opened.document.select(("new",))
    return opened


def _to(window: Window, action: Action, by: str) -> None:
    """Gives the selected boxes an action in one of the ways there are."""
    if by == "key":
        window.actions_["delete_sound" if action is Action.DELETE else str(action)].trigger()
    elif by == "inspector":
        window.inspector.set_action(action)
    else:
        model = window.rows.table
        for row, event_id in enumerate([e.id for e in window.document.roll.events]):
            if event_id in window.document.selected:
                assert model.setData(model.index(row, model.COLUMNS.index("action")), str(action))


@pytest.mark.parametrize("by", ["key", "inspector", "table"])
@pytest.mark.parametrize("way", [[Action.KEEP], [Action.DELETE, Action.ENHANCE]])
def test_an_example_comes_back_with_insert(edited: Window, by: str, way: list[Action]) -> None:
    document = edited.document
    for action in way:
        _to(edited, action, by)
        assert document.roll.event("new").exemplar is None
        assert parse_roll(format_roll(document.roll), "roll") == document.roll
    _to(edited, Action.INSERT, by)
    assert document.roll.event("new").exemplar == EXAMPLE
    assert document.state.aside == ()
    # Each change of action is one step.
    assert document.undo_stack.index() == len(way) + 2


def test_a_gain_comes_back_with_enhance(edited: Window) -> None:
    document = edited.document
    document.select(("up", "new"))
    edited.inspector.set_action(Action.KEEP)
    edited.inspector.set_action(Action.ENHANCE)
    assert [document.roll.event(event_id).by_db for event_id in ("up", "new")] == [6.0, None]
    edited.inspector.set_action(Action.INSERT)
    assert [document.roll.event(event_id).exemplar for event_id in ("up", "new")] == [None, EXAMPLE]
    edited.inspector.set_action(Action.ENHANCE)
    assert document.roll.event("up").by_db == 6.0


def test_what_was_removed_from_an_insert_does_not_come_back(edited: Window) -> None:
    edited.inspector.set_action(Action.KEEP)
    edited.inspector.set_action(Action.INSERT)
    edited.inspector._change("Set example", "", exemplar=None)
    edited.inspector.set_action(Action.KEEP)
    edited.inspector.set_action(Action.INSERT)
    assert edited.document.roll.event("new").exemplar is None


def test_undo_and_redo_know_what_was_put_aside(edited: Window) -> None:
    document = edited.document
    edited.inspector.set_action(Action.KEEP)
    document.undo_stack.undo()
    assert document.roll.event("new").exemplar == EXAMPLE
    document.undo_stack.redo()
    edited.inspector.set_action(Action.INSERT)
    assert document.roll.event("new").exemplar == EXAMPLE


def test_another_box_with_the_same_id_gets_nothing(edited: Window) -> None:
    document = edited.document
    edited.inspector.set_action(Action.KEEP)
    edited.editing.remove()
    document.change_roll("new", document.roll.with_event(event("new", "keep", 2.0, 2.4)))
    document.select(("new",))
    edited.inspector.set_action(Action.INSERT)
    assert document.roll.event("new").exemplar is None


def test_another_roll_gets_nothing(edited: Window, tmp_path) -> None:
    edited.inspector.set_action(Action.KEEP)
    path = tmp_path / "roll.json"
    path.write_text(format_roll(roll(event("new", "keep", 2.0, 2.4))), encoding="utf-8")
    edited.document.load_roll(path, "Open roll")
    edited.document.select(("new",))
    edited.inspector.set_action(Action.INSERT)
    assert edited.document.roll.event("new").exemplar is None


def test_a_project_keeps_what_was_put_aside(qtbot, edited: Window, tmp_path) -> None:
    edited.inspector.set_action(Action.KEEP)
    assert edited.projects.save(tmp_path / "song.recomposer")
    qtbot.waitUntil(lambda: not edited.projects.saving and not edited.projects.dirty, timeout=10_000)
    edited.document.open(edited.document.source.path)
    with qtbot.waitSignal(edited.projects.opened, timeout=10_000):
        assert edited.projects.open(tmp_path / "song.recomposer")
    edited.document.select(("new",))
    edited.inspector.set_action(Action.INSERT)
    assert edited.document.roll.event("new").exemplar == EXAMPLE
