"""Counter-based noise: a number belongs to its address."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.codec.noise import addressed_uniform


@settings(max_examples=50, deadline=None)
@given(st.integers(-(2**63), 2**100), st.integers(0, 3), st.integers(0, 10**6), st.integers(0, 9), st.integers(1, 40))
def test_a_number_depends_on_its_address_alone(seed: int, stream: int, frame: int, level: int, count: int) -> None:
    few = addressed_uniform(seed, stream, frame, level, count)
    many = addressed_uniform(seed, stream, frame, level, count + 13)
    np.testing.assert_array_equal(few, many[:count])
    assert np.all((many > 0.0) & (many < 1.0))


@pytest.mark.parametrize("other", [(8, 1, 2, 3), (7, 2, 2, 3), (7, 1, 3, 3), (7, 1, 2, 4), (7 + 2**64, 1, 2, 3)])
def test_every_part_of_the_address_counts(other: tuple[int, int, int, int]) -> None:
    assert not np.intersect1d(addressed_uniform(7, 1, 2, 3, 64), addressed_uniform(*other, 64)).size


def test_the_numbers_are_the_same_on_every_machine() -> None:
    # Philox 4x64-10 of key (1, 0) and counter (0 + 1, 4, 3, 2): NumPy steps the counter before it draws.
    np.testing.assert_array_equal(
        addressed_uniform(1, 2, 3, 4, 3), [0.6646594969509325, 0.4820651849077601, 0.9935102247335821]
    )


def test_the_numbers_are_uniform() -> None:
    numbers = np.concatenate([addressed_uniform(5, 0, frame, 0, 100) for frame in range(100)])
    counts, _ = np.histogram(numbers, bins=20, range=(0.0, 1.0))
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500)
