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


@pytest.mark.parametrize("say", ["fail", "refuse"])
def test_offers_come_back_after_an_error(bar, say):
    done, offers = [], [Offer("Mend it", lambda: done.append(1))]
    bar.tell("this could be mended", offers, lasting=True)
    getattr(bar, say)("something else happened")
    assert bar.text == "Something else happened" and bar.buttons == [] and bar.says(offers)
    bar.settle() if say == "refuse" else bar.dismiss()
    assert bar.text == "This could be mended"
    bar.buttons[0].click()
    assert done == [1] and bar.text == "" and not bar.says(offers)


def test_what_is_only_good_to_know_waits_while_offers_can_be_taken(bar):
    bar.tell("this could be mended", [Offer("Mend it", lambda: None)], lasting=True)
    for number in range(5):
        bar.tell(f"good to know {number}")
    assert bar.text == "This could be mended"
    bar.buttons[0].click()
    shown = []
    while bar.text:
        shown.append(bar.text)
        bar.dismiss()
    # The older ones are stale.
    assert shown == ["Good to know 2", "Good to know 3", "Good to know 4"]


def test_what_waits_can_be_about_what_an_offer_mends(bar):
    bar.tell("this could be mended", [Offer("Mend it", bar.drop_waiting)], lasting=True)
    bar.tell("it is bad")
    bar.buttons[0].click()
    assert bar.text == ""


def test_offers_that_were_closed_do_not_come_back(bar):
    bar.tell("this could be mended", [Offer("Mend it", lambda: None)], lasting=True)
    bar.dismiss()
    bar.tell("something else happened")
    bar.dismiss()
    assert bar.text == ""


@pytest.mark.parametrize("behind", [False, True])
def test_a_message_can_be_put_otherwise_where_it_stands(bar, behind):
    former, offers = [Offer("Mend it", lambda: None)], [Offer("Mend both", lambda: None)]
    bar.tell("this could be mended", former, lasting=True)
    if behind:
        bar.fail("it broke")
    bar.revise(former, "two could be mended", offers)
    assert not bar.says(former) and bar.says(offers)
    if behind:
        assert bar.text == "It broke"
        bar.dismiss()
    assert bar.text == "Two could be mended" and [button.text() for button in bar.buttons] == ["Mend both"]
    bar.dismiss()
    bar.revise(offers, "three could be mended", former)
    assert bar.text == ""
