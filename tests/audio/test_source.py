"""Reading: exact samples of every format, the same whatever was read before, and only what was asked for."""

import hashlib
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.audio.source import PREROLL_FRAMES, SampleFormat, Source
from recomposer_studio.errors import InputError

INTEGERS = [("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24), ("PCM_32", 32)]


def music(frames: int, channels: int, rate_hz: int) -> np.ndarray:
    rng = np.random.default_rng(7)
    t = np.arange(frames) / rate_hz
    tone = 0.3 * np.sin(2 * np.pi * 440 * t) * (1 + np.sin(2 * np.pi * 3 * t)) / 2
    return (tone[:, None] + 0.05 * rng.standard_normal((frames, channels))).astype(np.float32)


def write_lossy(path: Path, container: str, subtype: str, rate_hz: int, samples: np.ndarray) -> Path:
    with soundfile.SoundFile(path, "w", rate_hz, samples.shape[1], subtype, None, container) as file:
        for start in range(0, len(samples), 65_536):
            file.write(samples[start : start + 65_536])
    return path


@pytest.mark.parametrize(("subtype", "bits"), INTEGERS)
def test_integers_of_every_width_are_exact(tmp_path: Path, subtype: str, bits: int) -> None:
    values = np.random.default_rng(1).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (50, 2)) << (32 - bits)
    values[0], values[1] = -(2**31), (2 ** (bits - 1) - 1) << (32 - bits)
    path = tmp_path / "a.wav"
    soundfile.write(path, values.astype(np.int32), 44_100, subtype)
    with Source.open(path) as source:
        native, samples = source.read_native(0, 50), source.read(0, 50)
        assert source.format == SampleFormat("WAV", subtype, "FILE")
        assert source.format.bits == bits
        assert source.format.lsb == 2.0 ** (1 - bits)
    assert native.dtype == np.int32
    np.testing.assert_array_equal(native, values)
    assert samples.shape == (2, 50)
    assert samples.dtype == np.float64
    assert samples.flags.c_contiguous
    np.testing.assert_array_equal(samples, values.T / 2**31)


@pytest.mark.parametrize(("subtype", "dtype"), [("FLOAT", np.float32), ("DOUBLE", np.float64)])
def test_floats_are_exact_and_may_exceed_full_scale(tmp_path: Path, subtype: str, dtype: type) -> None:
    values = (np.random.default_rng(2).standard_normal((40, 3)) * 3).astype(dtype)
    path = tmp_path / "a.wav"
    soundfile.write(path, values, 48_000, subtype)
    with Source.open(path) as source:
        native, samples = source.read_native(3, 40), source.read(3, 40)
    assert native.dtype == dtype
    np.testing.assert_array_equal(native, values[3:])
    np.testing.assert_array_equal(samples, values[3:].T.astype(np.float64))


@pytest.mark.parametrize("rate_hz", [8_000, 192_000])
@pytest.mark.parametrize("channels", [1, 12])
@pytest.mark.parametrize("frames", [1, 2, 1_000])
def test_odd_but_sound_files_work(tmp_path: Path, rate_hz: int, channels: int, frames: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full((frames, channels), 0.25), rate_hz, "PCM_24")
    with Source.open(path) as source:
        assert (source.rate_hz, source.channels, source.frames) == (rate_hz, channels, frames)
        assert source.duration_s == frames / rate_hz
        assert (source.read(0, frames) == 0.25).all()
        assert source.read(frames, frames).shape == (channels, 0)


def test_a_minute_of_silence_works(tmp_path: Path) -> None:
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros((60 * 8_000, 1)), 8_000)
    with Source.open(path) as source:
        assert source.duration_s == 60
        assert not source.read(0, source.frames).any()


@pytest.mark.parametrize(
    "name", ["with space.wav", "Tür öffnen.flac", "犬 🐕.aiff", "quote'\".w64", "x" * 240 + ".wav"]
)
def test_any_name_works(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    try:
        path.touch()
    except OSError:
        pytest.skip("this file system does not take the name")
    soundfile.write(path, np.full((9, 1), 0.5), 44_100)
    with Source.open(str(path)) as source:
        assert (source.read(0, 9) == 0.5).all()


@pytest.mark.parametrize(
    ("container", "subtype", "rate_hz"),
    [
        ("OGG", "VORBIS", 44_100),
        ("OGG", "OPUS", 48_000),
        ("OGG", "OPUS", 24_000),
        ("MP3", "MPEG_LAYER_III", 44_100),
        ("MP3", "MPEG_LAYER_III", 16_000),
        ("WAV", "GSM610", 8_000),
        ("AU", "G721_32", 8_000),
        ("WAV", "NMS_ADPCM_16", 8_000),
        ("WAV", "IMA_ADPCM", 22_050),
        ("WAV", "MS_ADPCM", 22_050),
        ("WAV", "ULAW", 8_000),
        ("AU", "ALAW", 8_000),
    ],
)
def test_a_jump_in_a_lossy_file_gives_the_samples_of_plain_playing(
    tmp_path: Path, container: str, subtype: str, rate_hz: int
) -> None:
    channels = 1 if subtype in ("GSM610", "G721_32", "NMS_ADPCM_16") else 2
    samples = music(150_000, channels, rate_hz)
    path = write_lossy(tmp_path / f"a.{container.lower()}", container, subtype, rate_hz, samples)
    rng = np.random.default_rng(3)
    with Source.open(path) as source, soundfile.SoundFile(path) as plain:
        whole = plain.read(plain.frames, dtype="float32", always_2d=True)
        assert source.format.is_lossy
        assert source.format.native_dtype == np.float32
        assert len(whole) == source.frames
        for _ in range(40):
            start = int(rng.integers(0, source.frames))
            stop = min(source.frames, start + int(rng.integers(0, 3_000)))
            np.testing.assert_array_equal(source.read_native(start, stop), whole[start:stop])
        np.testing.assert_array_equal(np.concatenate(list(source.blocks(10_007))), whole)


@pytest.mark.parametrize("bit_rate_mode", ["CONSTANT", "VARIABLE"])
@pytest.mark.parametrize("rate_hz", [44_100, 16_000])
def test_mp3_is_exact_for_any_bit_rate(
    tmp_path: Path, bit_rate_mode: str, rate_hz: int, capfd: pytest.CaptureFixture[str]
) -> None:
    samples = music(200_000, 1, rate_hz) * (np.arange(200_000)[:, None] % 50_000 < 20_000)
    path = tmp_path / "a.mp3"
    soundfile.write(path, samples, rate_hz, "MPEG_LAYER_III", bitrate_mode=bit_rate_mode, compression_level=0.5)
    with soundfile.SoundFile(path) as plain:
        whole = plain.read(plain.frames, dtype="float32", always_2d=True)
    capfd.readouterr()
    with Source.open(path) as source:
        assert source.frames == 200_000
        np.testing.assert_array_equal(source.read_native(150_000, 200_000), whole[150_000:])
        assert source.frames_read == 200_000
        np.testing.assert_array_equal(source.read_native(70, 90_000), whole[70:90_000])
        assert source.frames_read == 200_000  # decoded once
        assert abs(source.read(0, 200_000).T - samples).mean() < 0.05
    assert capfd.readouterr().err == ""


def drop_index(path: Path) -> None:
    """Make the Xing/Info frame an ordinary silent one."""
    content = path.read_bytes()
    path.write_bytes(content.replace(b"Xing", bytes(4), 1).replace(b"Info", bytes(4), 1))


def test_the_length_of_an_mp3_without_index_is_that_of_its_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, music(100_000, 2, 44_100), 44_100, "MPEG_LAYER_III", bitrate_mode="CONSTANT")
    drop_index(path)
    with Source.open(path) as source:
        assert 100_000 <= source.frames < 100_000 + 5 * 1_152
        assert sum(len(block) for block in source.blocks()) == source.frames


def test_a_variable_mp3_without_index_is_refused_rather_than_cut(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    samples = music(300_000, 2, 44_100) * (np.arange(300_000)[:, None] > 200_000)
    soundfile.write(path, samples, 44_100, "MPEG_LAYER_III", bitrate_mode="VARIABLE")
    drop_index(path)
    with pytest.raises(InputError, match=r"variable bit rate but no index.* convert it to WAV"):
        Source.open(path)


@pytest.mark.parametrize("suffix", ["flac", "aiff", "caf", "w64", "rf64", "au", "wav"])
def test_every_lossless_container_is_read_at_any_place(tmp_path: Path, suffix: str) -> None:
    values = (np.random.default_rng(4).integers(-(2**23), 2**23, (30_000, 2)) << 8).astype(np.int32)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, values, 48_000, "PCM_24", format="RF64" if suffix == "rf64" else None)
    with Source.open(path) as source:
        for start, stop in [(29_999, 30_000), (0, 1), (12_345, 12_400), (4_096, 9_000), (0, 30_000)]:
            np.testing.assert_array_equal(source.read_native(start, stop), values[start:stop])


@given(cuts=st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_reads_do_not_depend_on_earlier_reads(
    cuts: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = np.arange(500, dtype=np.int32)[:, None] << 16
    path = tmp_path_factory.getbasetemp() / "ramp.flac"
    if not path.exists():
        soundfile.write(path, values, 44_100, "PCM_16")
    with Source.open(path) as source:
        for a, b in cuts:
            start, stop = min(a, b), max(a, b)
            np.testing.assert_array_equal(source.read_native(start, stop), values[start:stop])


def test_only_the_frames_asked_for_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((200_000, 1)), 44_100)
    with Source.open(path) as source:
        assert source.frames_read == 0
        source.read(100_000, 100_500)
        source.read_native(3, 10)
        assert source.frames_read == 507
    ogg = write_lossy(tmp_path / "a.ogg", "OGG", "VORBIS", 44_100, music(200_000, 1, 44_100))
    with Source.open(ogg) as source:
        source.read(100_000, 100_500)
        assert source.frames_read == 500 + PREROLL_FRAMES
        source.read(100_500, 101_000)  # goes on where the last read ended
        assert source.frames_read == 1_000 + PREROLL_FRAMES


def test_blocks_cover_the_file_once(tmp_path: Path) -> None:
    values = np.random.default_rng(5).integers(-(2**15), 2**15, (1_003, 2)).astype(np.int16)
    path = tmp_path / "a.wav"
    soundfile.write(path, values, 44_100)
    with Source.open(path) as source:
        blocks = list(source.blocks(100))
        assert [len(block) for block in blocks] == [100] * 10 + [3]
        np.testing.assert_array_equal(np.concatenate(blocks) >> 16, values)
        assert source.frames_read == 1_003


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (0, 11), (6, 5), (11, 11)])
def test_an_interval_outside_the_file_is_a_programming_error(tmp_path: Path, start: int, stop: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((10, 1)), 44_100)
    with Source.open(path) as source, pytest.raises(ValueError, match="not within 0 to 10"):
        source.read(start, stop)


def test_reading_a_closed_source_is_a_programming_error(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((10, 1)), 44_100)
    with Source.open(path) as source:
        pass
    with pytest.raises(ValueError, match="after close"):
        source.read(0, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_named_with_its_time(tmp_path: Path, bad: float) -> None:
    values = np.zeros((2_000, 2), np.float32)
    values[1_500, 1] = values[1_700, 0] = bad
    path = tmp_path / "bad.wav"
    soundfile.write(path, values, 1_000, "FLOAT")
    with Source.open(path) as source:
        source.read(0, 1_500)
        with pytest.raises(InputError, match=r"bad\.wav: the sample at 1\.500000 s is no sound .*repair"):
            source.read(1_000, 2_000)
        np.testing.assert_array_equal(source.read_native(0, 2_000), values)


def test_the_checksum_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros((10, 1)), 44_100)
    with Source.open(path) as source:
        expected = hashlib.sha256(path.read_bytes()).hexdigest()
        assert source.sha256() == expected
        path.write_bytes(b"something else")
        assert source.sha256() == expected  # the one that was read


def test_threads_may_read_at_once(tmp_path: Path) -> None:
    values = np.arange(20_000, dtype=np.int32)[:, None] << 8
    path = tmp_path / "a.flac"
    soundfile.write(path, values, 44_100, "PCM_24")
    wrong: list[int] = []
    with Source.open(path) as source:

        def work(seed: int) -> None:
            rng = np.random.default_rng(seed)
            for _ in range(100):
                start = int(rng.integers(0, 19_900))
                if not np.array_equal(source.read_native(start, start + 100), values[start : start + 100]):
                    wrong.append(start)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert source.frames_read == 40_000
    assert wrong == []


def test_a_shared_recording_is_read_like_soundfile_reads_it(shared: Path) -> None:
    path = sorted((shared / "data" / "events").glob("*/*.ogg"))[0]
    whole, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    with Source.open(path) as source:
        assert (source.rate_hz, source.frames) == (rate_hz, len(whole))
        half = source.frames // 2
        np.testing.assert_array_equal(source.read_native(half, source.frames), whole[half:])


@pytest.mark.parametrize(
    ("subtype", "is_integer", "is_lossy", "bits", "dtype"),
    [
        ("PCM_S8", True, False, 8, np.int32),
        ("ALAC_20", True, False, 20, np.int32),
        ("PCM_32", True, False, 32, np.int32),
        ("FLOAT", False, False, 32, np.float32),
        ("DOUBLE", False, False, 64, np.float64),
        ("ULAW", False, True, 32, np.float32),
        ("VORBIS", False, True, 32, np.float32),
        ("MPEG_LAYER_III", False, True, 32, np.float32),
    ],
)
def test_what_a_format_says_of_itself(subtype: str, is_integer: bool, is_lossy: bool, bits: int, dtype: type) -> None:
    sample_format = SampleFormat("CAF", subtype)
    assert (sample_format.is_integer, sample_format.is_lossy, sample_format.bits) == (is_integer, is_lossy, bits)
    assert sample_format.native_dtype == dtype
    assert (sample_format.lsb > 0) == is_integer
