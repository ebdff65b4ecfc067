"""Choosing the sound that an Insert is to resemble."""

import pytest
from PySide6.QtCore import Qt

from recomposer_studio.roll.event import Exemplar
from recomposer_studio.studio.verbs import Area
from tests.editing.scenes import event, roll


@pytest.fixture
def inspector(opened):
    opened.document.change_roll(
        "roll",
        roll(
            event("bell", "keep", 0.2, 0.5, "Bell"),
            event("far", "keep", 3.0, 3.4, "Dog"),
            event("near", "delete", 2.0, 2.5, "Dog"),
            event("new", "insert", 1.0, 1.5, "Dog"),
            event("other", "insert", 1.6, 1.9, "Dog"),
        ),
    )
    opened.document.select(("new",))
    return opened.inspector


def _texts(field) -> list[str]:
    return [field.itemText(index) for index in range(field.count())]


def _choose(qtbot, field, text: str) -> None:
    field.setFocus()
    field.showPopup()
    view = field.view()
    qtbot.waitUntil(view.isVisible)
    index = field.model().index(field.findText(text), 0)
    view.scrollTo(index)
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())
    qtbot.waitUntil(lambda: not view.isVisible())


def test_boxes_of_the_class_are_offered_first_then_the_nearest(inspector):
    field = inspector.exemplar_field
    assert field.isVisibleTo(inspector)
    assert _texts(field) == ["None", "Dog, 2.00-2.50 s", "Dog, 3.00-3.40 s", "Bell, 0.20-0.50 s"]
    assert field.currentText() == "None"
    inspector.document.mark(Area(0.75, 0.95))
    assert _texts(field)[1] == "The marked stretch, 0.75-0.95 s"


def test_another_word_for_the_class_counts_as_the_class(inspector):
    document = inspector.document
    document.change_roll("word", document.roll.with_event(event("new", "insert", 0.2, 0.7, "dogs")))
    assert _texts(inspector.exemplar_field) == ["None", "Dog, 2.00-2.50 s", "Dog, 3.00-3.40 s", "Bell, 0.20-0.50 s"]


def test_a_choice_is_one_step_and_stays_when_the_box_moves(qtbot, inspector):
    document, field = inspector.document, inspector.exemplar_field
    steps = document.undo_stack.count()
    _choose(qtbot, field, "Dog, 2.00-2.50 s")
    assert document.undo_stack.count() == steps + 1
    assert document.roll.event("new").exemplar == Exemplar(2.0, 2.5)
    assert field.currentText() == "Dog, 2.00-2.50 s"
    document.change_roll("away", document.roll.without("near"))
    assert field.currentText() == "The recording, 2.00-2.50 s"
    _choose(qtbot, field, "None")
    assert document.roll.event("new").exemplar is None
    document.undo_stack.undo()
    document.undo_stack.undo()
    document.undo_stack.undo()
    assert field.currentText() == "None" and document.undo_stack.index() == steps


def test_an_exemplar_of_another_file_is_shown_by_its_name(inspector):
    document = inspector.document
    given = event("new", "insert", 1.0, 1.5, "Dog", exemplar=Exemplar(0.0, 0.25, "/sounds/bark.wav"))
    document.change_roll("file", document.roll.with_event(given))
    assert inspector.exemplar_field.currentText() == "bark.wav, 0.00-0.25 s"
    document.select(("new", "other"))
    assert inspector.exemplar_field.currentIndex() == -1
    assert inspector.exemplar_field.placeholderText() == "different examples"


def test_only_inserts_have_an_example(inspector):
    document, field = inspector.document, inspector.exemplar_field
    document.select(("near",))
    assert not field.isVisibleTo(inspector)
    document.select(("new", "near"))
    assert not field.isVisibleTo(inspector)
    document.select(())
    document.mark(Area(0.75, 0.95))
    document.select(("other",))
    assert field.isVisibleTo(inspector)
