import threading

import pytest
from PySide6.QtCore import Qt

from recomposer_studio.audio.source import Source
from recomposer_studio.project.state import State
from recomposer_studio.project.store.contents import History
from recomposer_studio.studio.views.class_field import MOST, ClassField, proposals, taken_for
from tests.editing.scenes import event, roll
from tests.studio.remote import Remote, start


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("dog", "Dog"), ("sire", "Siren"), ("speach", "Speech"), ("woof", "Bark"), ("church b", "Church bell")],
)
def test_the_class_that_was_meant_is_among_the_first(typed, wanted):
    assert wanted in [name for _, name in proposals(typed, (), frozenset())[:4]]


def test_nothing_typed_offers_the_labels_used_last():
    assert proposals("", ("old dog", "Bell"), frozenset())[0][0] == "old dog"
    assert proposals("", (), frozenset()) == []


def test_labels_used_last_and_trained_classes_come_first():
    plain = [put_in for put_in, _ in proposals("bel", (), frozenset())]
    assert proposals("bel", ("Cowbell",), frozenset())[0][0] == "Cowbell"
    trained = [name for _, name in proposals("bel", (), frozenset({"Bicycle bell"}))]
    assert trained.index("Bicycle bell") < 3
    assert len(plain) <= MOST


def test_a_free_text_shows_what_it_is_taken_for():
    assert taken_for("Dog") == "Dog"
    assert "Dog" in taken_for("dog") or "Bark" in taken_for("dog barking")
    assert taken_for("zzqx").startswith(taken_for("zzqx").split("?")[0]) and "?" in taken_for("zzqx")


def test_typing_opens_the_list_and_a_synonym_shows_its_class(qtbot):
    field = ClassField()
    qtbot.addWidget(field)
    field.show()
    qtbot.keyClicks(field, "woof")
    model = field.completer().model()
    shown = [model.index(row, 0).data() for row in range(model.rowCount())]
    assert any("\u2192" in line and "Bark" in line for line in shown)
    field.completer().popup().hide()


def test_an_empty_field_offers_what_was_used_last_and_then_what_the_model_knows(qtbot):
    assert [name for name, _ in proposals("", ("Bell",), frozenset({"Siren", "Dog", "Bell"}))] == [
        "Bell",
        "Dog",
        "Siren",
    ]
    field = ClassField()
    qtbot.addWidget(field)
    field.recent, field.trained = ("Bell",), frozenset({"Dog"})
    field.show()
    field.setText("Rain")
    field.selectAll()
    qtbot.keyClick(field, Qt.Key.Key_Down)
    model = field.completer().model()
    shown = [model.index(row, 0).data() for row in range(model.rowCount())]
    assert len(shown) == 2 and shown[0].startswith("Bell") and shown[1].startswith("Dog")
    assert field.text() == "Rain"
    field.completer().popup().hide()


def test_a_class_of_the_model_goes_before_others_that_fit_as_well():
    assert proposals("sno", (), frozenset())[0][1] == "Snort"
    assert proposals("sno", (), frozenset({"Snoring"}))[0][1] == "Snoring"
    assert proposals("sno", ("Snort",), frozenset({"Snoring"}))[0][1] == "Snort"
    # Words of one's own come back too.
    assert proposals("gran", ("grandfather clock next door",), frozenset())[0][0] == "grandfather clock next door"


def test_what_a_class_is_taken_for_follows_the_typing(qtbot, rolled):
    rolled.document.select(("k",))
    inspector = rolled.inspector
    inspector.edit_class()
    qtbot.keyClicks(inspector.class_field, "doggy barking")
    assert "Bark" in inspector._taken.text()
    assert rolled.document.roll.event("k").label == "Rain"
    qtbot.keyClick(inspector.class_field, Qt.Key.Key_Escape)
    assert inspector._taken.text() == "A known class"


def type_class(qtbot, window, label: str) -> ClassField:
    """The class field with a text that nobody has confirmed."""
    field = window.inspector.class_field
    window.inspector.edit_class()
    qtbot.keyClicks(field, label)
    field.completer().popup().hide()
    return field


def labels(window) -> dict[str, str]:
    return {one.id: one.label for one in window.document.roll.events}


def test_a_typed_class_stays_with_the_box_that_it_was_typed_for(qtbot, rolled):
    document = rolled.document
    document.select(("a",))
    before = labels(rolled)
    count = document.undo_stack.count()
    field = type_class(qtbot, rolled, "Siren")
    qtbot.keyClick(field, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert document.selected == ("k",) and field.text() == before["k"]
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert labels(rolled) == before | {"a": "Siren"}
    # However the selection comes to be another one.
    document.select(("a",))
    type_class(qtbot, rolled, "Rain")
    document.select(("b",))
    assert labels(rolled) == before | {"a": "Rain"}
    rolled.timeline.spectrogram.setFocus()
    assert labels(rolled) == before | {"a": "Rain"}
    assert document.undo_stack.count() == count + 1  # both are one gesture


def test_a_typed_class_goes_with_the_boxes_that_a_step_takes_away(qtbot, rolled):
    document = rolled.document
    more = document.roll.with_event(event("new", "keep", 3.0, 3.4, "Rain"))
    document.change_roll("more", more)
    document.change_roll("less", more.without("new"))
    document.undo_stack.undo()
    document.select(("a", "new"))
    before = labels(rolled)
    type_class(qtbot, rolled, "Siren")
    with qtbot.assertNotEmitted(rolled.inspector.refused):
        rolled.actions_["redo"].trigger()
        rolled.timeline.spectrogram.setFocus()
    del before["new"]
    assert labels(rolled) == before


def test_a_typed_class_does_not_reach_another_recording(qtbot, rolled, recording):
    document = rolled.document
    document.select(("a",))
    type_class(qtbot, rolled, "Siren")
    other = State(roll=roll(event("a", "delete", 1.0, 1.5, "Bell")))
    document.restore(Source.open(recording), History(other))
    rolled.timeline.spectrogram.setFocus()
    assert labels(rolled) == {"a": "Bell"}


def test_escape_takes_over_nothing_while_a_take_is_rendered(qtbot, rolled):
    document, go = rolled.document, threading.Event()
    document.select(("a",))
    start(rolled, Remote(), go)
    rolled.generating.generate()
    before = labels(rolled)
    field = type_class(qtbot, rolled, "Siren")
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    go.set()
    assert not rolled.generating.running
    rolled.actions_["zoom_all"].trigger()
    assert labels(rolled) == before and field.text() == before["a"]
    qtbot.waitUntil(lambda: not rolled.generating.leaving)
