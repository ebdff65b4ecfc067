"""The message bar: one sentence at a time, with buttons for what can be done."""

import pytest

from recomposer_studio.studio.views.messages import MessageBar, Offer


@pytest.fixture
def bar(qtbot) -> MessageBar:
    bar = MessageBar()
    qtbot.addWidget(bar)
    return bar


def test_an_offer_closes_the_message_and_is_done(bar):
    done = []
    bar.fail("it broke.", [Offer("Again", lambda: done.append(1)), Offer("Leave it", lambda: done.append(2))])
    assert [button.text() for button in bar.buttons] == ["Again", "Leave it"]
    assert all(button.accessibleName() for button in bar.buttons)
    bar.buttons[1].click()
    assert done == [2] and bar.text == ""


def test_an_offer_may_show_the_next_message(bar):
    bar.fail("it broke", [Offer("Again", lambda: bar.fail("It broke again"))])
    bar.buttons[0].click()
    assert bar.text == "It broke again" and bar.buttons == []


def test_offers_go_with_their_message(bar):
    bar.fail("one", [Offer("Again", lambda: None)])
    bar.tell("good to know")
    assert bar.text == "One"
    bar.dismiss()
    assert bar.text == "Good to know" and bar.buttons == []


def test_what_was_not_done_is_forgotten_with_the_next_thing_that_is(bar):
    bar.refuse("put the playhead inside the box")
    bar.tell("good to know")
    bar.settle()
    assert bar.text == "Good to know"
    # What went wrong stays until it was read.
    bar.dismiss()
    bar.fail("the disk is full")
    bar.settle()
    assert bar.text == "The disk is full"
