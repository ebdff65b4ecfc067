"""Seconds left follow the pace of the last seconds."""

import pytest

from recomposer_studio.studio.pace import Pace


def test_a_steady_pace_is_seen_through():
    pace = Pace(100.0)
    left = [pace.left_s(step / 20, 100.0 + step) for step in range(1, 21)]
    assert left[4] == pytest.approx(15.0) and left[14] == pytest.approx(5.0) and left[-1] == 0.0


def test_nobody_guesses_at_once_or_while_nothing_moves():
    pace = Pace(0.0)
    assert pace.left_s(0.5, 0.1) == -1.0
    assert pace.left_s(0.01, 1.0) == -1.0
    still = Pace(0.0)
    for second in range(1, 30):
        still.left_s(0.3, float(second))
    assert still.left_s(0.3, 30.0) == -1.0


def test_work_that_becomes_slower_is_believed_soon():
    pace = Pace(0.0)
    for step in range(1, 11):
        pace.left_s(step * 0.05, step * 1.0)
    # From 0.5 on a twentieth takes four seconds.
    for step in range(1, 5):
        left = pace.left_s(0.5 + step * 0.05, 10.0 + step * 4.0)
    assert left == pytest.approx(0.3 / 0.05 * 4.0, rel=0.35)
