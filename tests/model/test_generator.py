"""A checkpoint as the engine's generator: the same bytes in any company, labels by meaning, clear words for what it cannot do."""

import hashlib
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.editing.generator import Generator, MaskRequest, SoundRequest
from recomposer_studio.editing.repair import repair_share
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.model.checkpoint import write_facts, write_part
from recomposer_studio.model.generator import TorchGenerator, load_generator
from recomposer_studio.model.mask import clipped
from recomposer_studio.project.recipe import Decoding
from recomposer_studio.roll.event import Action, Event, EventRoll
from tests.model.tiny import FIRST_DECODER, TINY_MASK, random_mask, write_tiny

_FRAMES = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint with every part."""
    return write_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def generator(folder: Path) -> TorchGenerator:
    """That checkpoint, loaded."""
    return load_generator(folder, "cpu")


def _event(label: str = "Bark", action: Action = Action.DELETE) -> Event:
    return Event(id="one", action=action, label=label, start_s=0.8, end_s=1.2, row="one")


def _frames(first: int, last: int) -> NDArray[np.bool_]:
    frames = np.zeros(_FRAMES, np.bool_)
    frames[first:last] = True
    return frames


def _request(event: Event | None = None, others: tuple[Event, ...] = ()) -> MaskRequest:
    power = np.random.default_rng(0).exponential(size=(BANDS, _FRAMES))
    power[:, 80:120] *= 9.0
    active, busy = _frames(80, 120), np.zeros(_FRAMES, np.bool_)
    share = repair_share(power, active, busy, 0.01)
    company = np.array([_frames(100, 140) for _ in others]).reshape(len(others), _FRAMES)
    return MaskRequest(power, 0.01, active, company, busy, share, event or _event(), others)


def _sound(seed: int = 7, **changes: object) -> SoundRequest:
    power = np.random.default_rng(0).exponential(size=(BANDS, _FRAMES))
    request = SoundRequest(_event(action=Action.INSERT), power, 0.01, 0.8, 0.13, seed, Decoding(), lambda: False)
    return replace(request, **changes)  # type: ignore[arg-type]


def test_it_is_a_generator_and_knows_itself(generator: TorchGenerator) -> None:
    engine_side: Generator = generator
    assert (engine_side.name, engine_side.rate_hz, generator.device) == ("tiny", 32000, "cpu")
    assert len(engine_side.digest) == 64
    assert engine_side.classes == {"Bark", "Door"}
    assert engine_side.better_than_repair == {Action.DELETE, Action.ENHANCE}
    assert generator.can_insert


def test_a_share_lies_in_its_box(generator: TorchGenerator) -> None:
    request = _request()
    share = generator.share(request)
    assert share.shape == (BANDS, _FRAMES)
    assert share.min() >= 0.0 and share.max() <= 1.0
    assert not share[:, ~request.active].any()
    assert np.abs(share - request.repair)[:, request.active].max() > 0.05


def test_labels_of_one_meaning_are_one_question(generator: TorchGenerator) -> None:
    bark, door = generator.share(_request()), generator.share(_request(_event("Door")))
    np.testing.assert_array_equal(bark, generator.share(_request(_event("  BARK "))))
    assert not np.array_equal(bark, door)
    assert not np.array_equal(bark, generator.share(_request(_event(action=Action.ENHANCE))))


def test_company_is_heard(generator: TorchGenerator) -> None:
    other = replace(_event("Door", Action.KEEP), id="two")
    assert not np.array_equal(generator.share(_request()), generator.share(_request(others=(other,))))


def test_other_requests_between_change_nothing(generator: TorchGenerator) -> None:
    before = generator.share(_request())
    for label in ("Door", "Speech", "xqzzt"):
        generator.share(_request(_event(label)))
    generator.sound(_sound())
    np.testing.assert_array_equal(before, generator.share(_request()))


def test_threads_change_nothing(generator: TorchGenerator) -> None:
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append((generator.share(_request()), generator.sound(_sound())))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_a_fresh_process_gives_the_same_bytes(generator: TorchGenerator, folder: Path) -> None:
    program = (
        "import hashlib, sys\n"
        "from pathlib import Path\n"
        "from tests.model.test_generator import _request, _sound\n"
        "from recomposer_studio.model.generator import load_generator\n"
        "g = load_generator(Path(sys.argv[1]), 'cpu')\n"
        "print(hashlib.sha256(g.share(_request()).tobytes() + g.sound(_sound()).tobytes()).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    mine = hashlib.sha256(generator.share(_request()).tobytes() + generator.sound(_sound()).tobytes())
    assert done.stdout.strip() == mine.hexdigest()


def test_the_slack_of_delete_reaches_delete_alone(tmp_path: Path) -> None:
    whole = load_generator(write_tiny(tmp_path / "whole", ("mask",)), "cpu")
    write_part(tmp_path / "none", "mask", asdict(replace(TINY_MASK, delete_slack=1e9)), random_mask(0).state_dict())
    none = load_generator(tmp_path / "none", "cpu")
    request, enhance = _request(), _request(_event(action=Action.ENHANCE))
    np.testing.assert_array_equal(none.share(enhance), whole.share(enhance))
    repair = np.where(request.active, clipped(request.repair), 0.0)
    np.testing.assert_array_equal(none.share(request), np.maximum(whole.share(request), repair))


def test_a_class_that_was_not_learnt_has_the_whole_slack(tmp_path: Path) -> None:
    shares: dict[tuple[float, tuple[str, ...]], NDArray[np.float64]] = {}
    request = _request()
    cases: tuple[tuple[float, tuple[str, ...]], ...]
    cases = ((0.0, ()), (1e9, ()), (1e9, ("Bark",)), (1e9, ("Siren",)), (0.0, ("Siren",)))
    for slack, classes in cases:
        folder = tmp_path / f"{slack} {classes}"
        # A network that leaves nearly all that repair would take.
        net = random_mask(0)
        torch.nn.init.constant_(net.leave.bias, -30.0)
        write_part(folder, "mask", asdict(replace(TINY_MASK, delete_slack=slack)), net.state_dict())
        write_facts(folder, classes=classes)
        shares[slack, classes] = load_generator(folder, "cpu").share(request)
    whole = shares[0.0, ()]
    repair = np.where(request.active, clipped(request.repair), 0.0)
    for case in cases:
        if case != (1e9, ("Siren",)):
            np.testing.assert_array_equal(shares[case], whole)
    np.testing.assert_array_equal(shares[1e9, ("Siren",)], np.maximum(whole, repair))
    assert (whole < repair).any()


@pytest.mark.parametrize("beside", [-1, 10**9, 1.5, "2"])
def test_senseless_numbers_of_mask_heads_are_told(tmp_path: Path, beside: object) -> None:
    folder = write_tiny(tmp_path)
    write_part(folder, "mask", asdict(TINY_MASK) | {"beside": beside}, random_mask().state_dict())
    with pytest.raises(InputError, match="beside is out of range"):
        load_generator(folder, "cpu")


def test_a_sound_has_its_length_and_peak_and_follows_its_seed(generator: TorchGenerator) -> None:
    sound = generator.sound(_sound())
    assert sound.dtype == np.float32 and sound.shape == (round(0.13 * 32000),)
    assert np.isfinite(sound).all() and 0.0 < np.abs(sound).max() <= 1.0
    np.testing.assert_array_equal(sound, generator.sound(_sound()))
    assert not np.array_equal(sound, generator.sound(_sound(seed=8)))


def test_a_sound_can_be_cancelled(generator: TorchGenerator) -> None:
    with pytest.raises(Cancelled):
        generator.sound(_sound(cancelled=lambda: True))


@pytest.mark.parametrize("parts", [("mask",), ("mask", "codec")])
def test_without_a_decoder_it_cannot_insert(tmp_path: Path, parts: tuple[str, ...]) -> None:
    generator = load_generator(write_tiny(tmp_path, parts), "cpu")
    assert not generator.can_insert and generator.rate_hz == 32000
    with pytest.raises(InputError, match="'tiny' cannot insert"):
        generator.sound(_sound())


def test_without_a_mask_head_it_cannot_separate(tmp_path: Path) -> None:
    generator = load_generator(write_tiny(tmp_path, ("codec", "decoder")), "cpu")
    with pytest.raises(InputError, match="'tiny' cannot separate"):
        generator.share(_request())


def test_a_device_that_is_not_there_is_named(folder: Path) -> None:
    if torch.cuda.is_available():
        assert load_generator(folder, "cuda").device == "cuda"
    else:
        with pytest.raises(InputError, match="no CUDA device"):
            load_generator(folder, "cuda")
        assert load_generator(folder, "auto").device == "cpu"


def _noise(seconds: float, rate_hz: int, seed: int = 0) -> NDArray[np.float32]:
    return 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * rate_hz)).astype(np.float32)


def test_an_exemplar_is_heard_and_its_loudness_is_not(generator: TorchGenerator) -> None:
    assert generator.takes_exemplars
    plain = generator.sound(_sound())
    clicks = np.zeros(9600, np.float32)
    clicks[::700] = 0.5
    one, other = (generator.sound(_sound(exemplar=wave)) for wave in (_noise(0.3, 32000), clicks))
    assert plain.shape == one.shape
    assert not np.array_equal(plain, one) and not np.array_equal(one, other)
    np.testing.assert_array_equal(one, generator.sound(_sound(exemplar=0.25 * _noise(0.3, 32000))))
    np.testing.assert_array_equal(plain, generator.sound(_sound()))


def test_a_checkpoint_of_the_first_kind_takes_no_exemplar_and_makes_no_clips(tmp_path: Path) -> None:
    first = load_generator(write_tiny(tmp_path / "first", decoder=FIRST_DECODER), "cpu")
    assert first.sound(_sound()).any()
    assert not first.takes_exemplars and not first.makes_mixtures
    with pytest.raises(InputError, match="event one: the model 'tiny' takes no exemplars"):
        first.sound(_sound(exemplar=_noise(0.3, 32000)))
    with pytest.raises(InputError, match="cannot generate whole clips"):
        first.whole_clip(_noise(1.0, 32000), 32000, EventRoll(()), 0)


@pytest.mark.parametrize("rate_hz", [16000, 32000, 44100])
def test_a_whole_clip_is_as_long_and_about_as_loud_as_before(generator: TorchGenerator, rate_hz: int) -> None:
    clip, roll = _noise(1.337, rate_hz), EventRoll((_event(action=Action.INSERT),))
    made = generator.whole_clip(clip, rate_hz, roll, 1)
    assert made.shape == clip.shape and made.dtype == np.float32
    np.testing.assert_array_equal(made, generator.whole_clip(clip, rate_hz, roll, 1))
    # Loudness is taken off before and put back afterwards; powers add up to rounding.
    quiet = generator.whole_clip(0.1 * clip, rate_hz, roll, 1)
    assert np.std(quiet) == pytest.approx(0.1 * np.std(made), rel=0.05)
    assert not np.array_equal(made, generator.whole_clip(clip, rate_hz, roll, 2))
    assert not np.array_equal(made, generator.whole_clip(clip, rate_hz, EventRoll(()), 1))


def test_long_clips_are_made_of_windows(generator: TorchGenerator) -> None:
    clip = _noise(3.5, 32000)
    made = generator.whole_clip(clip, 32000, EventRoll(()), 1)
    assert made.shape == clip.shape
    assert np.std(made[56000:]) > 0.0
