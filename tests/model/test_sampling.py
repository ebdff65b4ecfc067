"""Drawing codes: filters, the distribution, and that a draw belongs to seed, frame and level."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.model.sampling import draw_code, filtered
from recomposer_studio.project.recipe import Decoding

_LOGITS = st.lists(st.floats(-20, 20), min_size=1, max_size=40).map(np.array)


@settings(max_examples=200, deadline=None)
@given(_LOGITS, st.floats(0.05, 5.0), st.integers(0, 50), st.floats(0.01, 1.0))
def test_filters_keep_the_likeliest_codes(logits: np.ndarray, temperature: float, top_k: int, top_p: float) -> None:
    out = filtered(logits, Decoding(temperature=temperature, top_k=top_k, top_p=top_p))
    kept = np.isfinite(out)
    np.testing.assert_array_equal(out[kept], logits[kept] / temperature)
    assert kept[np.argmax(logits)]
    assert logits[kept].min() >= logits[~kept].max(initial=-np.inf)
    if top_k:
        assert kept.sum() <= top_k
    shares = np.exp((logits - logits.max()) / temperature)
    if top_k:
        shares[np.argsort(-logits, kind="stable")[top_k:]] = 0.0
    shares /= shares.sum()
    # Just enough mass: without the least likely of the kept codes it would not do.
    assert shares[kept].sum() >= top_p - 1e-9
    assert kept.sum() == 1 or top_p == 1.0 or shares[kept].sum() - shares[kept].min() < top_p + 1e-9


@settings(max_examples=50, deadline=None)
@given(_LOGITS, st.integers(0, 2**64), st.integers(0, 10**5), st.integers(0, 8))
def test_temperature_zero_takes_the_likeliest(logits: np.ndarray, seed: int, frame: int, level: int) -> None:
    assert draw_code(logits, Decoding(temperature=0.0), seed, frame, level) == np.argmax(logits)
    assert draw_code(logits, Decoding(top_k=1), seed, frame, level) == np.argmax(logits)


def test_draws_follow_the_softmax() -> None:
    shares = np.array([0.5, 0.3, 0.15, 0.05])
    draws = [draw_code(np.log(shares), Decoding(top_p=1.0), 1, frame, 0) for frame in range(4000)]
    found = np.bincount(draws, minlength=4) / 4000
    assert np.abs(found - shares).max() < 4 * np.sqrt(0.25 / 4000)
    narrowed = [draw_code(np.log(shares), Decoding(top_p=0.7), 1, frame, 0) for frame in range(2000)]
    assert set(narrowed) == {0, 1}
    assert abs(np.mean(narrowed) - 0.375) < 4 * np.sqrt(0.25 / 2000)


def test_a_draw_belongs_to_its_address() -> None:
    logits, decoding = np.zeros(512), Decoding(top_p=1.0)
    addresses = [(seed, frame, level) for seed in (1, 2) for frame in range(5) for level in range(3)]
    forward = [draw_code(logits, decoding, *address) for address in addresses]
    backward = [draw_code(logits, decoding, *address) for address in reversed(addresses)]
    assert forward == backward[::-1]
    assert len(set(forward)) > 20
    assert forward[0] == draw_code(logits.astype(np.float32), decoding, *addresses[0])
