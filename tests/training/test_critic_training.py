"""Fitting the critic: it tells the classes of a made-up collection apart, and a fit repeats."""

from pathlib import Path

import numpy as np

from recomposer_studio.codec.mel_rvq import log_bands
from recomposer_studio.model.checkpoint import load_checkpoint
from recomposer_studio.model.critic import STATISTICS, Critic, statistics
from recomposer_studio.training.cache import RATE_HZ, AudioCache
from recomposer_studio.training.critic import CriticTraining, fit, train_critic


def test_classes_that_differ_are_told_apart_even_with_few_sounds() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(3, STATISTICS))
    noise = rng.normal(size=(STATISTICS, STATISTICS)) / STATISTICS**0.5
    of = np.arange(30) % 3

    def sounds(count: int) -> np.ndarray:
        return truth[np.arange(count) % 3] + 3.0 * rng.normal(size=(count, STATISTICS)) @ noise

    critic = fit(sounds(30), [f"class {n}" for n in of], np.ones(30))
    named = [int(np.argmax(critic.scores(values))) for values in sounds(60)]
    assert np.mean(np.array(named) == np.arange(60) % 3) > 0.9


def test_what_counts_little_moves_little() -> None:
    rng = np.random.default_rng(1)
    values, names = rng.normal(size=(12, STATISTICS)), ["one", "two"] * 6
    strange = np.concatenate([values, 9.0 * rng.normal(size=(1, STATISTICS))])
    plain = fit(values, names, np.ones(12)).means
    little, much = (fit(strange, [*names, "one"], np.append(np.ones(12), weight)).means for weight in (1e-6, 5.0))
    assert plain.shape == little.shape == much.shape
    norms = [float(np.linalg.norm(means[0] - means[1])) for means in (plain, little, much)]
    assert abs(norms[1] - norms[0]) < 0.5 * abs(norms[2] - norms[0])


def test_a_checkpoint_gets_its_critic_and_a_second_fit_gives_the_same(
    tiny_folder: Path, tiny_cache: AudioCache, tmp_path: Path
) -> None:
    critics = []
    for name in ("first", "second"):
        train_critic(CriticTraining(tiny_folder, tmp_path / name, cache=tmp_path / "cache"))
        checkpoint = load_checkpoint(tmp_path / name)
        critics.append(Critic.from_tensors(checkpoint.configs["critic"], checkpoint.tensors["critic"]))
    assert critics[0].config() == critics[1].config()
    for name, tensor in critics[0].tensors().items():
        np.testing.assert_array_equal(tensor.numpy(), critics[1].tensors()[name].numpy())
    audio = tiny_cache.split("train")
    names = list(critics[0].classes)
    heard = [critics[0].scores(statistics(log_bands(audio.read(event.key), RATE_HZ))) for event in audio.events]
    right = [
        names[int(np.argmax(scores))] == event.class_name for scores, event in zip(heard, audio.events, strict=True)
    ]
    assert np.mean(right) > 0.8
