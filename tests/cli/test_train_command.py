"""`recomposer train`: what is given on the command line and in overlays reaches the training."""

import json
from pathlib import Path
from typing import Any

import pytest

from recomposer_studio.cli.main import main
from recomposer_studio.training import codec, critic, decoder, listener, mask, waveform


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The options of every training that would have run."""
    options: list[Any] = []
    trainings = (
        (listener, "train_listener"),
        (mask, "train_mask"),
        (codec, "train_codec"),
        (decoder, "train_decoder"),
        (critic, "train_critic"),
    )
    for module, name in trainings:
        monkeypatch.setattr(module, name, options.append)
    return options


def _train(*words: str) -> int:
    return main(["train", *words, "--data", "d", "--out", "o"])


def test_the_defaults_are_the_parts_own(asked: list[Any]) -> None:
    assert _train("mask") == 0
    assert asked == [mask.MaskTraining(Path("d"), Path("o"))]


def test_the_command_line_stands_above_overlays(asked: list[Any], tmp_path: Path) -> None:
    overlay = tmp_path / "large.json"
    overlay.write_text(json.dumps({"batch": 64, "max_minutes": 9.0, "config": {"delete_slack": 0.5}}), encoding="utf-8")
    words = [
        "--overlay",
        str(overlay),
        "--max-minutes",
        "5",
        "--precision",
        "bfloat16",
        "--begin-with",
        "s",
        "--resume",
    ]
    assert _train("mask", *words) == 0
    (options,) = asked
    assert (options.batch, options.max_minutes, options.precision) == (64, 5.0, "bfloat16")
    assert (options.start, options.resume, options.config.delete_slack) == (Path("s"), True, 0.5)


def test_a_critic_is_fitted_without_a_budget(asked: list[Any]) -> None:
    assert _train("critic", "--seed", "3", "--cache", "c") == 0
    assert asked == [critic.CriticTraining(Path("d"), Path("o"), seed=3, cache=Path("c"))]


def test_an_editor_is_its_listener_its_mask_head_and_its_decoder(asked: list[Any]) -> None:
    assert _train("editor", "--max-minutes", "10", "--drawers", "2", "--cache", "c") == 0
    kinds = (listener.ListenerTraining, mask.MaskTraining, decoder.DecoderTraining)
    assert [type(options) for options in asked] == list(kinds)
    assert [options.max_minutes for options in asked] == pytest.approx([2.0, 4.5, 3.5])
    assert asked[1].drawers == 2 and {options.cache for options in asked} == {Path("c")}


@pytest.mark.parametrize(
    "words",
    [
        ("codec", "--drawers", "2"),
        ("decoder", "--precision", "float32"),
        ("critic", "--max-minutes", "5"),
        ("critic", "--begin-with", "a"),
        ("decoder", "--beside", "a"),
    ],
)
def test_what_means_nothing_for_a_part_is_told(
    asked: list[Any], capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert _train(*words) == 2
    assert f"{words[1]} means nothing" in capsys.readouterr().err
    assert asked == []


def test_a_bad_overlay_is_one_sentence(asked: list[Any], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"colour": 1}', encoding="utf-8")
    assert _train("mask", "--overlay", str(tmp_path / "a.json")) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert asked == []


def test_a_codec_is_one_of_two_kinds(
    asked: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(waveform, "train_waveform", asked.append)
    overlay = tmp_path / "small.json"
    overlay.write_text('{"config": {"levels": 4}}', encoding="utf-8")
    for words in ((), ("--kind", "mel"), ("--kind", "waveform", "--precision", "bfloat16")):
        assert _train("codec", *words, "--overlay", str(overlay)) == 0
    first, second, third = asked
    assert isinstance(first, codec.CodecTraining) and first == second
    assert isinstance(third, waveform.WaveformTraining)
    assert (third.config.levels, third.precision) == (4, "bfloat16")
    assert _train("mask", "--kind", "mel") == 2
    assert "means nothing" in capsys.readouterr().err
