"""The critic: what it hears, what it does not, and how it reaches a checkpoint."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.codec.mel_rvq import FLOOR, log_bands
from recomposer_studio.errors import InputError
from recomposer_studio.model.critic import STATISTICS, Critic, statistics

_RATE = 32_000


def _bands(seed: int, frames: int = 40) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return np.log(rng.exponential(size=(BANDS, frames)) * np.exp(-np.arange(frames) / 12.0) * 1e-2 + FLOOR)


def critic(seed: int = 0, classes: tuple[str, ...] = ("Bark", "Door")) -> Critic:
    """A critic of random numbers."""
    rng = np.random.default_rng(seed)
    shapes = ((STATISTICS,), (STATISTICS, 3), (len(classes), 3))
    centre, projection, means = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    spread = np.ones(STATISTICS, np.float32)
    return Critic({name: row for row, name in enumerate(classes)}, centre, spread, projection, means)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 60), st.floats(-3.0, 3.0), st.integers(0, 9), st.integers(0, 9))
def test_neither_loudness_nor_silence_around_counts(
    seed: int, frames: int, louder: float, before: int, after: int
) -> None:
    bands = _bands(seed, frames)
    padded = np.pad(bands + louder, ((0, 0), (before, after)), constant_values=np.log(FLOOR) + louder)
    values = statistics(bands)
    assert values.shape == (STATISTICS,) and np.isfinite(values).all()
    np.testing.assert_allclose(statistics(padded), values, atol=1e-9)


def test_silence_has_finite_statistics() -> None:
    assert np.isfinite(statistics(np.full((BANDS, 6), np.log(FLOOR)))).all()
    assert np.isfinite(critic().score(np.zeros(100), _RATE, "Door"))


def test_order_in_time_and_spectrum_count() -> None:
    bands = _bands(1)
    for other in (bands[:, ::-1], bands[::-1]):
        assert np.abs(statistics(other) - statistics(bands)).max() > 0.1


def test_the_score_is_the_share_of_the_class() -> None:
    one = critic()
    values = statistics(_bands(2))
    place = np.clip((values - one.centre) / one.spread, -4, 4) @ one.projection.astype(np.float64)
    likelihood = np.exp(-0.5 * ((place - one.means) ** 2).sum(axis=1))
    assert np.exp(one.scores(values)).sum() == pytest.approx(1.0)
    if likelihood.sum() > 0:
        np.testing.assert_allclose(np.exp(one.scores(values)), likelihood / likelihood.sum(), atol=1e-9)


def test_a_sound_is_to_be_told_from_others_and_near_its_own() -> None:
    one, wave = critic(), np.random.default_rng(3).normal(size=4000) * 0.1
    values = statistics(log_bands(wave, _RATE))
    place = np.clip((values - one.centre) / one.spread, -4, 4) @ one.projection.astype(np.float64)
    likelihood = -0.5 * ((place - one.means) ** 2).sum(axis=1)
    for name, row in one.classes.items():
        chance = likelihood[row] - np.logaddexp.reduce(likelihood)
        assert one.score(wave, _RATE, name) == pytest.approx(chance + likelihood[row])


def test_it_goes_into_a_checkpoint_and_back() -> None:
    before = critic()
    after = Critic.from_tensors(before.config(), before.tensors())
    wave = np.random.default_rng(0).normal(size=4000) * 0.1
    assert after.score(wave, _RATE, "Bark") == before.score(wave, _RATE, "Bark")


@pytest.mark.parametrize("damage", ["missing", "size", "rows", "no number", "no spread", "unknown"])
def test_damage_is_told(damage: str) -> None:
    config, tensors = critic().config(), critic().tensors()
    if damage == "missing":
        del tensors["means"]
    elif damage == "size":
        tensors["projection"] = torch.zeros(STATISTICS, 4)
    elif damage == "rows":
        config["classes"]["Bark"] = 1
    elif damage == "no number":
        tensors["centre"][3] = torch.nan
    elif damage == "no spread":
        tensors["spread"] = torch.zeros(STATISTICS)
    else:
        config["kind"] = 1
    with pytest.raises(InputError, match="critic"):
        Critic.from_tensors(config, tensors)
