from dataclasses import dataclass

import numpy as np
import pytest

from recomposer_studio.studio.mixer import BLOCK, FADE_S, Bank, Feeder, Mixer

RATE = 8_000
FADE = round(FADE_S * RATE)


@dataclass
class Sound:
    samples: np.ndarray

    def read(self, start: int, stop: int) -> np.ndarray:
        assert 0 <= start <= stop <= self.samples.shape[1]
        return self.samples[:, start:stop]


def sounds(count=3, frames=5 * BLOCK + 100, channels=2) -> list[Sound]:
    rng = np.random.default_rng(7)
    return [Sound(rng.uniform(-0.5, 0.5, (channels, frames)).astype(np.float32).astype(float)) for _ in range(count)]


def ready(versions: list[Sound]) -> Mixer:
    bank = Bank(versions, versions[0].samples.shape[1], RATE, RATE)
    bank.prepare(range(100))
    return Mixer(bank)


def pull(mixer: Mixer, frames: int, piece: int = 37) -> np.ndarray:
    out = np.full((frames, 2), np.nan, np.float32)
    for start in range(0, frames, piece):
        mixer.fill(out[start : start + piece])
    return out


def test_a_version_is_played_sample_by_sample_after_the_fade_in():
    versions = sounds()
    mixer = ready(versions)
    mixer.play(100)
    out = pull(mixer, 3000)
    want = versions[0].samples.T[100:3100]
    assert np.array_equal(out[FADE:], want[FADE:].astype(np.float32))
    assert np.abs(out[0]).max() == 0.0
    assert mixer.missed == 0
    assert mixer.position == 3100


@pytest.mark.parametrize("piece", [1, 37, 512, 5000])
def test_switching_keeps_the_place_and_is_exact_outside_the_fade(piece):
    versions = sounds()
    played = [(1500 * number, version) for number, version in enumerate((0, 2, 1, 0))]
    mixer = ready(versions)
    mixer.play(0)
    out = []
    for start, version in played:
        if start:
            mixer.switch(version)
        out.append(pull(mixer, 1500, piece))
    for (start, version), part in zip(played, out, strict=True):
        want = versions[version].samples.T[start : start + 1500].astype(np.float32)
        assert np.array_equal(part[FADE:], want[FADE:])
    joined = np.concatenate(out)
    assert np.isfinite(joined).all()


def test_a_cross_fade_moves_between_the_two_and_nothing_else():
    a, b = Sound(np.full((1, 4000), 0.5)), Sound(np.full((1, 4000), -0.25))
    mixer = ready([a, b])
    mixer.play(0)
    pull(mixer, 1000)
    mixer.switch(1)
    out = pull(mixer, 500, 500)[:, 0]
    assert (np.diff(out[: FADE + 1]) < 0).all()
    assert out[0] == pytest.approx(0.5, abs=0.03)
    assert (out[FADE:] == -0.25).all()


def test_a_loop_repeats_without_a_gap_and_may_change_while_playing():
    versions = sounds(1)
    mixer = ready(versions)
    mixer.loop = (1000, 1700)
    mixer.play(1000)
    out = pull(mixer, 2100)
    once = versions[0].samples.T[1000:1700].astype(np.float32)
    assert np.array_equal(out[FADE:], np.concatenate([once] * 3)[FADE:])
    mixer.loop = None
    after = pull(mixer, 900)
    assert np.array_equal(after, versions[0].samples.T[1700:2600].astype(np.float32))


def test_a_seek_while_playing_goes_there():
    versions = sounds(1)
    mixer = ready(versions)
    mixer.play(0)
    pull(mixer, 500)
    mixer.seek(4000)
    out = pull(mixer, 600, 200)
    assert np.array_equal(out[FADE:], versions[0].samples.T[4000 + FADE : 4600].astype(np.float32))


def test_stop_fades_out_and_leaves_silence():
    mixer = ready([Sound(np.full((1, 9000), 0.5))])
    mixer.play(0)
    pull(mixer, 500)
    mixer.stop()
    out = pull(mixer, 500, 250)[:, 0]
    assert not mixer.playing
    assert (np.diff(out[:FADE]) < 0).all()
    assert (out[FADE:] == 0).all()


def test_it_ends_at_the_end_and_where_it_is_told_to():
    versions = sounds(1, 3000)
    mixer = ready(versions)
    mixer.play(2000)
    out = pull(mixer, 1500)
    assert not mixer.playing
    assert (out[1000:] == 0).all()
    mixer.play(500)
    mixer.stop_at = 800
    out = pull(mixer, 600)
    assert not mixer.playing
    assert np.array_equal(out[FADE : 300 - FADE], versions[0].samples.T[500 + FADE : 800 - FADE].astype(np.float32))
    assert (out[300:] == 0).all()


def test_a_start_waits_for_its_first_block_and_loses_nothing():
    versions = sounds(1)
    mixer = Mixer(Bank(versions, versions[0].samples.shape[1], RATE, RATE))
    mixer.play(3000)
    assert (pull(mixer, 300) == 0).all()
    assert mixer.missed == 0
    mixer.bank.prepare(mixer.blocks_ahead())
    out = pull(mixer, 300)
    assert np.array_equal(out[FADE:], versions[0].samples.T[3000 + FADE : 3300].astype(np.float32))


def test_what_comes_too_late_is_counted():
    versions = sounds(1)
    mixer = Mixer(Bank(versions, versions[0].samples.shape[1], RATE, RATE))
    mixer.bank.prepare([0])
    mixer.play(0)
    pull(mixer, BLOCK + 500)
    assert mixer.missed == 500


def test_another_mix_takes_over_by_a_fade_at_the_same_place():
    before, after = sounds(2)
    mixer = ready([before])
    mixer.play(0)
    pull(mixer, 1000)
    bank = Bank([after], after.samples.shape[1], RATE, RATE)
    mixer.change(bank, 0)
    # Not ready yet: the former mix goes on.
    assert np.array_equal(pull(mixer, 100), before.samples.T[1000:1100].astype(np.float32))
    bank.prepare(mixer.blocks_ahead())
    out = pull(mixer, 400, 400)
    assert np.array_equal(out[FADE:], after.samples.T[1100 + FADE : 1500].astype(np.float32))


def test_mono_comes_from_both_sides_and_six_channels_are_folded():
    mono, six = sounds(1, channels=1), sounds(1, channels=6)
    out = pull_from(mono)
    assert np.array_equal(out[:, 0], out[:, 1])
    out = pull_from(six)
    left, right, centre, _, left_back, right_back = six[0].samples[:, FADE:1000]
    want = np.stack([left + (centre + left_back) / np.sqrt(2), right + (centre + right_back) / np.sqrt(2)], axis=1)
    assert np.allclose(out[FADE:], want, atol=1e-6)


def pull_from(versions: list[Sound]) -> np.ndarray:
    mixer = ready(versions)
    mixer.play(0)
    return pull(mixer, 1000)


def test_another_output_rate_neither_shifts_nor_tears():
    t = np.arange(44_100) / 44_100
    sound = Sound(0.5 * np.sin(2 * np.pi * 440 * t)[None])
    bank = Bank([sound], 44_100, 44_100, 48_000)
    bank.prepare(range(30))
    assert bank.frames == 48_000
    joined = np.concatenate([bank.blocks[number][0, :, 0] for number in sorted(bank.blocks)])[:48_000]
    want = 0.5 * np.sin(2 * np.pi * 440 * np.arange(48_000) / 48_000)
    assert np.abs(joined - want)[300:-300].max() < 2e-4


def test_the_peak_and_the_gain_are_those_of_the_output():
    mixer = ready([Sound(np.full((1, 4000), 0.5))])
    mixer.gain = 0.5
    mixer.play(0)
    out = pull(mixer, 1000)
    assert out.max() == 0.25
    assert (mixer.peaks == 0.25).all()


def test_the_feeder_keeps_ahead_and_ends():
    versions = sounds(2, 40 * BLOCK)
    mixer = Mixer(Bank(versions, 40 * BLOCK, RATE, RATE))
    failures: list[str] = []
    feeder = Feeder(mixer, failures.append)
    feeder.start()
    mixer.play(0)
    got = []
    while len(got) < 30:
        if all(number in mixer.bank.blocks for number in mixer.blocks_ahead()[:2]):
            got.append(pull(mixer, BLOCK, 256))
        else:
            feeder.wake()
    feeder.end()
    assert not feeder.is_alive()
    want = versions[0].samples.T[: 30 * BLOCK].astype(np.float32)
    assert np.array_equal(np.concatenate(got)[FADE:], want[FADE:])
    assert len(mixer.bank.blocks) < 40
    assert failures == []


def test_a_sound_that_cannot_be_read_is_told_and_stops():
    class Broken:
        def read(self, start: int, stop: int) -> np.ndarray:
            raise OSError("the drive is gone")

    mixer = Mixer(Bank([Broken()], 10 * BLOCK, RATE, RATE))
    told: list[str] = []
    feeder = Feeder(mixer, told.append)
    mixer.play(0)
    feeder.start()
    while not told:
        pass
    feeder.end()
    assert told[0] == "the drive is gone"
