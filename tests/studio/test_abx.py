from collections import Counter
from itertools import pairwise
from math import comb

import pytest

from recomposer_studio.studio.abx import BlindTest, Trial, p_value


@pytest.mark.parametrize(
    ("right", "trials", "want"),
    [(0, 0, 1.0), (0, 5, 1.0), (5, 5, 1 / 32), (12, 16, 2517 / 65536), (16, 16, 2.0**-16), (8, 16, 39203 / 65536)],
)
def test_the_odds_are_exact(right, trials, want):
    assert p_value(right, trials) == want


def test_the_odds_are_those_of_all_ways_to_guess():
    for trials in range(1, 12):
        ways = Counter(bin(guess).count("1") for guess in range(2**trials))
        for right in range(trials + 1):
            assert p_value(right, trials) == sum(n for k, n in ways.items() if k >= right) / 2**trials
            assert p_value(right, trials) >= comb(trials, right) / 2**trials


def test_a_test_counts_and_ends():
    draws = iter([True, False, False, True, True])
    test = BlindTest(4, lambda: next(draws))
    for said_b in (True, True, False, True):
        assert not test.done
        test.answer(said_b)
    assert test.done
    assert test.trials[1] == Trial(was_b=False, said_b=True)
    assert (test.right, test.p_value) == (3, 5 / 16)
    with pytest.raises(RuntimeError):
        test.answer(True)


def test_x_is_drawn_anew_and_evenly():
    test = BlindTest(2_000)
    drawn = []
    while not test.done:
        drawn.append(test.x_is_b)
        test.answer(False)
    # 6 standard deviations of the binomial, for the draws and for how often they change.
    assert abs(sum(drawn) - 1_000) < 6 * 22.4
    changes = sum(a != b for a, b in pairwise(drawn))
    assert abs(changes - 1_000) < 6 * 22.4
    assert test.right == 2_000 - sum(drawn)
