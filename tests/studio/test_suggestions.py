"""What the detector suggests: shown by a threshold, accepted and rejected, always undoable."""

from dataclasses import replace

import pytest
from PySide6.QtGui import QGuiApplication

from recomposer_studio.audio.source import Source
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.project.take import Take
from recomposer_studio.roll.event import Action
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.suggestions import Suggestions, already_there
from tests.editing.scenes import event, roll

SUGGESTED = roll(
    event("h2", "keep", 2.0, 2.5, "Dog", row="Dog", confidence=0.4),
    event("h1", "keep", 1.0, 1.5, "Bell", row="Bell", confidence=0.9),
    event("h3", "keep", 3.0, 3.5, "Dog", row="Dog", confidence=0.05),
)


@pytest.fixture
def document(qapp: QGuiApplication) -> Document:
    document = Document()
    document.change("given", replace(document.state, roll=roll(event("a", "delete", 1.7, 1.9, "Rain"))))
    return document


@pytest.fixture
def suggestions(document: Document) -> Suggestions:
    suggestions = Suggestions(document)
    document.change("Detect", replace(document.state, suggestions=SUGGESTED))
    return suggestions


def ids(events) -> list[str]:
    return [event.id for event in events]


def test_the_threshold_hides_and_forgets_nothing(document, suggestions):
    assert ids(suggestions.visible) == ["h1", "h2"] and suggestions.hidden == 1
    seen = suggestions.visible
    assert suggestions.visible is seen
    suggestions.set_threshold(0.5)
    assert ids(suggestions.visible) == ["h1"]
    suggestions.set_threshold(0.0)
    assert ids(suggestions.visible) == ["h1", "h2", "h3"]
    assert document.suggestions == SUGGESTED


def test_a_focus_that_is_hidden_or_gone_is_no_focus(document, suggestions):
    suggestions.focus("h2")
    suggestions.set_threshold(0.5)
    assert suggestions.focused is None
    suggestions.set_threshold(0.1)
    assert suggestions.focused is None
    suggestions.focus("h1")
    document.undo_stack.undo()
    assert suggestions.focused is None and suggestions.visible == ()


def test_an_id_that_is_in_a_take_is_not_given_to_an_accepted_box(document, suggestions, recording):
    with Source.open(recording) as source:
        take = Take(source, roll(event("h1", "delete", 3.0, 3.2, "Rain")), Recipe(), "repair", ())
        document.put_take("take", TakeEntry(1, "Take 1", take))
        suggestions.focus("h1")
        suggestions.accept(Action.DELETE)
    assert [box.label for box in document.selected_events] == ["Bell"]
    assert document.selected[0] not in ("a", "h1")


def test_a_refused_decision_leaves_focus_and_selection(document, suggestions):
    document.read_only = True
    suggestions.focus("h1")
    for decide in (
        suggestions.accept,
        lambda: suggestions.accept(Action.DELETE),
        suggestions.accept_all,
        suggestions.reject,
    ):
        decide()
        assert suggestions.focused.id == "h1" and document.selected == ()
    assert document.suggestions == SUGGESTED


def test_focus_and_selection_exclude_each_other(document, suggestions):
    document.select(("a",))
    suggestions.focus("h1")
    assert document.selected == ()
    document.select(("a",))
    assert suggestions.focused is None


def test_the_neighbours_are_boxes_and_suggestions_in_time(document, suggestions):
    visited = [suggestions.neighbour(1).id for _ in range(4)]
    assert visited == ["h1", "a", "h2", "h2"]
    assert document.selected == () and suggestions.focused.id == "h2"
    assert [suggestions.neighbour(-1).id for _ in range(3)] == ["a", "h1", "h1"]
    document.change("none", replace(document.state, roll=roll(), suggestions=roll()))
    assert suggestions.neighbour(1) is None


def test_accepting_moves_into_the_roll_and_goes_on_to_the_next(document, suggestions):
    suggestions.focus("h1")
    suggestions.accept()
    accepted = document.roll.event("h1")
    assert accepted == replace(SUGGESTED.event("h1"))
    assert ids(document.suggestions.events) == ["h2", "h3"]
    assert suggestions.focused.id == "h2"
    suggestions.accept()
    # No more is shown: what was accepted last is selected.
    assert suggestions.focused is None and document.selected == ("h2",)
    document.undo_stack.undo()
    document.undo_stack.undo()
    assert document.suggestions == SUGGESTED and ids(document.roll.events) == ["a"]
    suggestions.accept()
    assert document.suggestions == SUGGESTED


def test_an_action_accepts_with_it_and_selects(document, suggestions):
    suggestions.focus("h1")
    suggestions.accept(Action.DELETE)
    assert document.roll.event("h1").action is Action.DELETE
    assert document.selected == ("h1",) and suggestions.focused is None
    assert document.undo_stack.undoText() == "Accept Bell"


def test_rejecting_drops_and_goes_on(document, suggestions):
    suggestions.focus("h2")
    suggestions.reject()
    assert ids(document.suggestions.events) == ["h1", "h3"] and suggestions.focused.id == "h1"
    suggestions.reject()
    suggestions.reject()
    assert ids(document.suggestions.events) == ["h3"]
    assert ids(document.roll.events) == ["a"]
    document.undo_stack.undo()
    assert ids(document.suggestions.events) == ["h1", "h3"]


def test_all_that_is_shown_is_accepted_as_one_step(document, suggestions):
    before = document.undo_stack.count()
    suggestions.accept_all()
    assert set(document.selected) == {"h1", "h2"} and ids(document.suggestions.events) == ["h3"]
    assert document.undo_stack.count() == before + 1
    suggestions.accept_all()
    assert document.undo_stack.count() == before + 1


def test_an_id_that_the_roll_has_is_not_given_twice(document, suggestions):
    document.change_roll("other", roll(event("h1", "delete", 0.0, 0.5, "Rain")))
    suggestions.focus("h1")
    suggestions.accept()
    assert document.roll.event("h1").label == "Rain"
    assert [e.label for e in document.roll.events] == ["Rain", "Bell"]


@pytest.mark.parametrize(
    ("start_s", "end_s", "label", "there"),
    [
        (1.0, 2.0, "Dog", True),
        (1.2, 2.2, "Dog", True),
        (1.2, 2.2, "Cat", False),
        (1.6, 2.6, "Dog", False),
        (1.0, 2.0, "dog", True),
        (1.0, 2.0, "qwxz", False),
    ],
)
def test_what_has_its_box_is_known(start_s, end_s, label, there):
    boxes = roll(event("a", "delete", 1.0, 2.0, "Dog"))
    assert already_there(event("h", "keep", start_s, end_s, label), boxes) is there
