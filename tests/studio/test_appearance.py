"""What can be seen by everybody: contrasts, colours, sizes, words."""

import ast
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QAbstractButton, QApplication, QCheckBox, QComboBox, QLabel, QMenu, QWidget

import recomposer_studio.studio
from recomposer_studio.roll.event import Action
from recomposer_studio.studio.theme import (
    ACTION_COLOURS,
    COLOUR_NAMES,
    apply_theme,
    picture_table,
    shades,
    text_colour,
)
from recomposer_studio.studio.views import boxes
from recomposer_studio.studio.window import Window
from tests.editing.scenes import event

STUDIO = Path(recomposer_studio.studio.__file__).parent


def linear(rgb: np.ndarray) -> np.ndarray:
    part = np.asarray(rgb, float) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def contrast(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The ratio of WCAG 2.2: (L1 + 0.05) / (L2 + 0.05) of the relative luminances."""
    first, second = (linear(rgb) @ (0.2126, 0.7152, 0.0722) for rgb in (a, b))
    return (np.maximum(first, second) + 0.05) / (np.minimum(first, second) + 0.05)


def rgb(colour: QColor) -> np.ndarray:
    return np.array(colour.getRgb()[:3], float)


@pytest.mark.parametrize("name", COLOUR_NAMES)
@pytest.mark.parametrize("action", list(Action))
def test_boxes_stand_out_from_every_colour_of_every_table(name, action):
    ground = np.array([QColor.fromRgb(value).getRgb()[:3] for value in picture_table(name, 80)], float)
    line = contrast(rgb(ACTION_COLOURS[action]), ground)
    # The seam lets a little of the picture through.
    seam = contrast(ground * (1 - boxes.SEAM.alphaF()), ground)
    assert np.maximum(line, seam).min() >= 3.0
    assert contrast(rgb(boxes.TAG_TEXT), ground * (1 - boxes.TAG_GROUND.alphaF())).min() >= 7.0


# Machado, Oliveira and Fernandes 2009, severity 1: what is seen without one kind of cone.
SEEN = {
    "all cones": np.eye(3),
    "without red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "without green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "without blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def lab(light: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of linear sRGB, white D65."""
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ light
    f = np.cbrt(xyz / (0.9505, 1.0, 1.089))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eyes", SEEN)
def test_the_actions_differ_in_all_kinds_of_colour_vision(eyes):
    seen = [lab(np.clip(np.array(SEEN[eyes]) @ linear(rgb(colour)), 0.001, 1)) for colour in ACTION_COLOURS.values()]
    pairs = [(a, b) for number, a in enumerate(seen) for b in seen[:number]]
    assert min(np.linalg.norm(a - b) for a, b in pairs) > 12


def test_no_two_actions_share_a_sign_or_a_pattern():
    assert len({boxes.caption(event("a", action, 0, 1))[0] for action in Action}) == 4
    assert len({boxes._PATTERNS[action] for action in Action}) == 4


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_words_and_lines_can_be_read_in_both_themes(qapp, theme):
    apply_theme(qapp, theme)
    shade = shades(qapp.palette())
    for ground in (shade.ground, shade.lane, qapp.palette().base().color()):
        assert contrast(rgb(shade.text), rgb(ground)) >= 7.0
        assert contrast(rgb(shade.faint), rgb(ground)) >= 4.5
        for action in Action:
            assert contrast(rgb(text_colour(action)), rgb(ground)) >= 4.5
            assert contrast(rgb(boxes.lane_colour(event("a", action, 0, 1), shade)), rgb(ground)) >= 3.0
    apply_theme(qapp, "dark")


SAYING = {
    "QLabel", "QPushButton", "QCheckBox", "QRadioButton", "QGroupBox", "QAction", "QMenu", "QToolBar", "QDockWidget",
    "setText", "setToolTip", "setWindowTitle", "setTitle", "setPlaceholderText", "setAccessibleName", "setStatusTip",
    "setAccessibleDescription", "addAction", "addMenu", "addTab", "addRow", "setSuffix", "setEmptyLabel", "fail", "tell",
    "setSpecialValueText", "setWhatsThis", "setLabelText",
}  # fmt: skip
SAME_IN_ALL_LANGUAGES = {"dB", "Hz", "s", "ms", "%", "kHz", "LUFS", "LU", "dBFS", "dBTP", "Recomposer Studio"}


def untranslated(source: str) -> list[str]:
    """Words that a call shows to the person as they stand in the code."""
    found = []
    for call in ast.walk(ast.parse(source)):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name not in SAYING:
            continue
        for argument in call.args:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                words = argument.value.strip()
                said = sum(letter.isalpha() for letter in words) > 1
                if said and words not in SAME_IN_ALL_LANGUAGES:
                    found.append(f"line {call.lineno}: {name}({words!r})")
    return found


@pytest.mark.parametrize("path", sorted(STUDIO.rglob("*.py")), ids=lambda path: path.name)
def test_every_word_can_be_translated(path):
    assert untranslated(path.read_text(encoding="utf-8")) == []


def test_the_search_for_untranslated_words_finds_some():
    assert untranslated('QLabel("Hello")\nfield.setText("so")\nQLabel(self.tr("fine"))\nspin.setSuffix(" dB")') == [
        "line 1: QLabel('Hello')",
        "line 2: setText('so')",
    ]


def cut_off(window: Window) -> list[str]:
    """Controls that have less room than their words need, or that stick out of the window."""
    found = []
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or not isinstance(widget, QAbstractButton | QComboBox | QLabel):
            continue
        if any(dock.isAncestorOf(widget) and dock.visibleRegion().isEmpty() for dock in window.docks):
            continue  # behind another panel's tab
        words = widget.text() if not isinstance(widget, QComboBox) else widget.currentText()
        if not words or (isinstance(widget, QLabel) and widget.wordWrap()):
            continue
        # A part of Qt's own controls that is meant to be cut.
        if widget.sizePolicy().horizontalPolicy() == widget.sizePolicy().Policy.Ignored:
            continue
        corner = widget.mapTo(window, QPoint(0, 0))
        outside = corner.x() < 0 or corner.x() + widget.width() > window.width() + 1
        # Styles ask for more around a button's words than they need.
        room = 6 if isinstance(widget, QAbstractButton) else 0
        needed = max(widget.fontMetrics().horizontalAdvance(line.replace("&", "")) for line in words.split("\n")) + room
        if "<" in words:
            needed = widget.minimumSizeHint().width()
        if outside or widget.width() < needed:
            place = "outside" if outside else f"{widget.width()} of {needed}"
            found.append(f"{type(widget).__name__} {words!r}: {place}")
    return found


@pytest.mark.parametrize("size", [(1280, 720), (1440, 900), (1920, 1080)])
def test_nothing_is_cut_off(qtbot, rolled, size):
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running)
    rolled.resize(*size)
    QApplication.processEvents()
    assert (rolled.width(), rolled.height()) == size
    for chosen in ((), ("b",), ("a", "b", "k")):
        rolled.document.select(chosen)
        QApplication.processEvents()
        assert cut_off(rolled) == []
    assert rolled.timeline.spectrogram.height() >= 120 and rolled.timeline.spectrogram.width() >= 500


@pytest.mark.parametrize("size", [(1280, 720), (1000, 600)])
def test_the_welcome_page_fits(window, size):
    window.resize(*size)
    QApplication.processEvents()
    assert cut_off(window) == []
    words = " ".join(label.text() for label in window.welcome.findChildren(QLabel))
    for step in ("Open a recording", "Draw a box", "Press G"):
        assert step in words


def test_the_states_of_a_check_box_differ_in_shape_and_not_in_size(qtbot):
    apply_theme(QApplication.instance(), "dark")
    box = QCheckBox("Stems too")
    qtbot.addWidget(box)
    box.setTristate(True)
    sizes, inks = set(), []
    for state in Qt.CheckState:
        box.setCheckState(state)
        box.resize(box.sizeHint())
        image = box.grab().toImage()
        sizes.add((image.width(), image.height()))
        inks.append([[image.pixelColor(x, y).lightnessF() for x in range(18)] for y in range(image.height())])
    assert len(sizes) == 1
    grey = np.round(np.array(inks), 1)
    assert all((grey[a] != grey[b]).sum() > 10 for a in range(3) for b in range(a))


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_menu_stands_out_from_what_it_covers(qtbot, theme):
    app = QApplication.instance()
    apply_theme(app, theme)
    menu = QMenu()
    qtbot.addWidget(menu)
    menu.addAction("Zoom in")
    menu.addSeparator()
    menu.addAction("Zoom out")
    menu.popup(QPoint(0, 0))
    image = menu.grab().toImage()
    menu.close()
    apply_theme(app, "dark")
    shade = shades(app.palette())
    inside = rgb(image.pixelColor(4, 3))
    edges = [image.pixelColor(at, y) for at in (0, image.width() - 1) for y in range(image.height())]
    edges += [image.pixelColor(x, at) for at in (0, image.height() - 1) for x in range(image.width())]
    grounds = [inside, rgb(shade.ground)] if theme == "dark" else [inside]
    assert all(contrast(rgb(edge), ground) >= 3.0 for edge in edges for ground in grounds)
    gap = menu.actionGeometry(menu.actions()[1])
    line = [contrast(rgb(image.pixelColor(gap.center().x(), y)), inside) for y in range(gap.top(), gap.bottom() + 1)]
    assert max(line) >= 2.0


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_checked_box_has_a_tick(qtbot, theme, enabled):
    app = QApplication.instance()
    apply_theme(app, theme)
    box = QCheckBox("Stems too")
    qtbot.addWidget(box)
    box.setEnabled(enabled)
    box.setChecked(True)
    box.resize(box.sizeHint())
    image = box.grab().toImage()
    apply_theme(app, "dark")
    light = [
        (x, y) for x in range(2, 13) for y in range(2, image.height() - 2) if image.pixelColor(x, y).lightnessF() > 0.9
    ]
    # A short stroke down and a long one up: the lowest point is neither the first nor the last.
    assert 10 <= len(light) <= 60
    lowest = max(light, key=lambda point: point[1])[0]
    assert min(x for x, _ in light) < lowest < max(x for x, _ in light)
