"""The line under the class: whatever it says, the fields under it stay where they are."""

import pytest
from PySide6.QtWidgets import QApplication

from recomposer_studio.studio.views.two_lines import TwoLines

LONG = "No known class; the nearest is Vehicle horn, car horn, honking"


@pytest.fixture
def label(qtbot):
    label = TwoLines()
    qtbot.addWidget(label)
    label.resize(150, label.sizeHint().height())
    return label


def test_a_short_text_leaves_the_second_line_empty(label):
    label.setText("A known class")
    assert label.lines() == ["A known class", ""]
    label.setText("")
    assert label.lines() == ["", ""]


def test_a_text_of_two_lines_is_whole_and_a_longer_one_is_cut(label):
    metrics = label.fontMetrics()
    label.setText(LONG)
    label.resize(metrics.horizontalAdvance(LONG) * 2 // 3, label.height())
    first, second = label.lines()
    assert f"{first} {second}" == LONG
    label.resize(metrics.horizontalAdvance(LONG) // 4, label.height())
    first, second = label.lines()
    assert LONG.startswith(first) and second.endswith("\u2026")
    assert max(map(metrics.horizontalAdvance, (first, second))) <= label.width()


def test_a_word_that_is_wider_than_the_label_is_broken(label):
    label.setText("w" * 200)
    first, second = label.lines()
    assert 5 < len(first) < 100 and second.endswith("\u2026")


def test_both_lines_are_drawn(label):
    def ink(text: str) -> list[bool]:
        label.setText(text)
        image = label.grab().toImage()
        half, ground = image.height() // 2, image.pixelColor(image.width() - 1, image.height() - 1)
        return [
            any(image.pixelColor(x, y) != ground for x in range(image.width()) for y in range(top, top + half))
            for top in (0, half)
        ]

    assert ink("A dog") == [True, False]
    assert ink(LONG) == [True, True]


def test_the_fields_under_it_stay_where_they_are(rolled):
    rolled.document.select((rolled.document.roll.events[0].id,))
    fields, places = rolled.inspector, []
    for words in ("A known class", LONG, f"{LONG}, {LONG}, {LONG}"):
        fields._taken.setText(words)
        QApplication.processEvents()
        spin = fields._spins["start_s"]
        places.append(spin.mapTo(fields, spin.rect().topLeft()).y())
    assert len(set(places)) == 1
