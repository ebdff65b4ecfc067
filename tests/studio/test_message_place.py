"""A message that comes or goes moves nothing of what is worked on."""

from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QApplication, QWidget

from recomposer_studio.studio.views.messages import Offer
from recomposer_studio.studio.window import Window

_LONG = "The file of the exemplar cannot be read any more; put it back, or choose another one for this box. " * 4


def _on_screen(widget: QWidget) -> QRect:
    QApplication.processEvents()
    return QRect(widget.mapToGlobal(QPoint(0, 0)), widget.size())


def test_a_message_moves_nothing(rolled: Window) -> None:
    timeline, messages = rolled.timeline, rolled.messages
    messages.clear()
    views = (timeline.spectrogram, timeline.lanes, rolled.detect_bar, rolled.pages)
    before = [_on_screen(view) for view in views]
    messages.tell("Saved the take.")
    assert [_on_screen(view) for view in views] == before
    messages.fail(_LONG, [Offer("Try again", lambda: None)])
    assert [_on_screen(view) for view in views] == before
    messages.dismiss()
    assert [_on_screen(view) for view in views] == before


def test_a_message_lies_over_the_upper_edge_and_leaves_the_picture_free(rolled: Window) -> None:
    messages, pages = rolled.messages, rolled.pages
    messages.tell("Saved the take.")
    at = _on_screen(messages)
    assert at.topLeft() == _on_screen(pages).topLeft() and at.width() == pages.width()
    assert not at.intersects(_on_screen(rolled.timeline.spectrogram))
    # What was pressed there is the message, not what lies below it.
    assert messages.parentWidget().childAt(messages.geometry().center()) in (messages, messages.label)


def test_a_long_message_is_read_whole_at_every_width(rolled: Window) -> None:
    messages = rolled.messages
    messages.fail(_LONG, [Offer("Try again", lambda: None), Offer("Details", lambda: None)])
    for width in (1400, 900, 1200):
        rolled.resize(width, 800)
        QApplication.processEvents()
        assert messages.width() == rolled.pages.width()
        assert messages.label.height() >= messages.label.heightForWidth(messages.label.width())
        assert messages.label.width() >= 100


def test_a_message_is_seen_on_every_page(window: Window) -> None:
    window.messages.fail("This is no sound file.")
    QApplication.processEvents()
    assert window.pages.currentWidget() is window.welcome
    spot = window.messages.geometry().center()
    assert window.messages.parentWidget().childAt(spot) in (window.messages, window.messages.label)
