"""A blind test: which of A and B is X? The draw is the system's, the odds are exact."""

import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Trial:
    """One answer.

    Attributes:
        was_b: whether X was B.
        said_b: whether the person said so.
    """

    was_b: bool
    said_b: bool

    @property
    def right(self) -> bool:
        """Whether the answer was right."""
        return self.was_b == self.said_b


def p_value(right: int, trials: int) -> float:
    """Probability to get at least so many right by guessing: the upper tail of the binomial distribution with p = 1/2, exactly.

    Args:
        right: right answers.
        trials: all answers; 1.0 when there are none.
    """
    return sum(math.comb(trials, k) for k in range(right, trials + 1)) / 2**trials


def _draw() -> bool:
    return bool(secrets.randbits(1))


class BlindTest:
    """A series of trials of a length that is fixed before it begins, so that nobody can stop when the odds look good.

    Args:
        length: trials.
        draw: says whether the next X is B.
    """

    def __init__(self, length: int, draw: Callable[[], bool] = _draw) -> None:
        self.length = length
        self.trials: tuple[Trial, ...] = ()
        self._draw = draw
        self._x_is_b = draw()

    @property
    def x_is_b(self) -> bool:
        """What X is now; for the ears alone."""
        return self._x_is_b

    @property
    def done(self) -> bool:
        """Whether all answers are given."""
        return len(self.trials) >= self.length

    @property
    def right(self) -> int:
        """Right answers."""
        return sum(trial.right for trial in self.trials)

    @property
    def p_value(self) -> float:
        """The odds of guessing as well."""
        return p_value(self.right, len(self.trials))

    def answer(self, said_b: bool) -> None:
        """Takes an answer and draws the next X.

        Raises:
            RuntimeError: all answers are given.
        """
        if self.done:
            raise RuntimeError("the test is over")
        self.trials = (*self.trials, Trial(self._x_is_b, said_b))
        self._x_is_b = self._draw()
