"""Writing: exact round trips, the same bytes every time, and no file unless it is whole."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from recomposer_studio.audio.sink import CONTAINERS, SIZE_LIMIT, AudioSink, Depth, output_format
from recomposer_studio.audio.source import SampleFormat, Source
from recomposer_studio.errors import InputError

SUBTYPES = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]


def samples_for(sample_format: SampleFormat, frames: int, channels: int) -> np.ndarray:
    rng = np.random.default_rng(11)
    if sample_format.is_integer:
        top = 2 ** (sample_format.bits - 1)
        values = rng.integers(-top, top, (frames, channels))
        values[0], values[-1] = -top, top - 1
        return (values << (32 - sample_format.bits)).astype(np.int32)
    return (2 * rng.standard_normal((frames, channels))).astype(sample_format.native_dtype)


def write(path: Path, sample_format: SampleFormat, block: np.ndarray, rate_hz: int = 48_000) -> None:
    with AudioSink(path, sample_format, rate_hz, block.shape[1]) as sink:
        sink.write(block)


@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("channels", [1, 2, 6, 12])
@pytest.mark.parametrize("rate_hz", [8_000, 44_100, 48_000, 96_000, 192_000])
def test_a_copy_has_exactly_the_samples_rate_and_format_of_its_source(
    tmp_path: Path, subtype: str, channels: int, rate_hz: int
) -> None:
    original, copy = tmp_path / "a.wav", tmp_path / "b.wav"
    block = samples_for(SampleFormat("WAV", subtype), 31, channels)
    soundfile.write(original, block, rate_hz, subtype)
    with Source.open(original) as source:
        wanted = output_format(source.format, copy, channels=channels, frames=source.frames)
        with AudioSink(copy, wanted, rate_hz, channels) as sink:
            for piece in source.blocks(10):
                sink.write(piece)
        assert sink.frames_written == 31
        assert wanted == source.format
    with Source.open(copy) as again:
        assert (again.rate_hz, again.channels, again.frames) == (rate_hz, channels, 31)
        assert again.format == wanted
        np.testing.assert_array_equal(again.read_native(0, 31), block)


@pytest.mark.parametrize("suffix", list(CONTAINERS))
@pytest.mark.parametrize("subtype", ["PCM_S8", *SUBTYPES])
@pytest.mark.parametrize("channels", [1, 2, 6, 12])
def test_every_container_holds_what_output_format_chose(
    tmp_path: Path, suffix: str, subtype: str, channels: int
) -> None:
    path = tmp_path / f"a{suffix}"
    kept = SampleFormat("CAF" if subtype == "PCM_S8" else "WAV", subtype)
    if suffix == ".flac" and (channels == 12 or subtype in ("PCM_32", "FLOAT", "DOUBLE")):
        with pytest.raises(InputError, match=r"FLAC.*give the output the ending \.wav"):
            output_format(kept, path, channels=channels, frames=10)
        return
    wanted = output_format(kept, path, channels=channels, frames=10)
    assert wanted.bits == kept.bits
    block = samples_for(wanted, 10, channels)
    write(path, wanted, block, 96_000)
    with Source.open(path) as source:
        assert source.format == wanted
        assert source.rate_hz == 96_000
        np.testing.assert_array_equal(source.read_native(0, 10), block)


@pytest.mark.parametrize(
    ("source", "name", "options", "expected"),
    [
        (SampleFormat("OGG", "VORBIS"), "a.wav", {}, SampleFormat("WAV", "FLOAT")),
        (SampleFormat("MP3", "MPEG_LAYER_III"), "a.caf", {}, SampleFormat("CAF", "FLOAT")),
        (SampleFormat("WAV", "ULAW"), "a.WAV", {}, SampleFormat("WAV", "FLOAT")),
        (SampleFormat("WAV", "PCM_16"), "a.wav", {"depth": Depth.FLOAT}, SampleFormat("WAV", "FLOAT")),
        (SampleFormat("OGG", "VORBIS"), "a.wav", {"depth": Depth.FLOAT}, SampleFormat("WAV", "FLOAT")),
        (SampleFormat("WAV", "PCM_32"), "a.wav", {"depth": Depth.FLOAT}, SampleFormat("WAV", "DOUBLE")),
        (SampleFormat("FLAC", "PCM_24"), "a.wav", {}, SampleFormat("WAV", "PCM_24")),
        (SampleFormat("FLAC", "PCM_S8"), "a.wav", {}, SampleFormat("WAV", "PCM_U8")),
        (SampleFormat("WAV", "PCM_U8"), "a.flac", {}, SampleFormat("FLAC", "PCM_S8")),
        (SampleFormat("WAV", "PCM_U8"), "a.aiff", {}, SampleFormat("AIFF", "PCM_S8")),
        (SampleFormat("CAF", "ALAC_20"), "a.caf", {}, SampleFormat("CAF", "PCM_24")),
        (SampleFormat("WAVEX", "PCM_24"), "a.wav", {"channels": 6}, SampleFormat("WAVEX", "PCM_24")),
        (SampleFormat("WAVEX", "PCM_24"), "a.aif", {"channels": 6}, SampleFormat("AIFF", "PCM_24")),
        (SampleFormat("AIFF", "PCM_16", "LITTLE"), "a.aif", {}, SampleFormat("AIFF", "PCM_16", "LITTLE")),
        (SampleFormat("AIFF", "PCM_16", "LITTLE"), "a.wav", {}, SampleFormat("WAV", "PCM_16")),
        (SampleFormat("RF64", "PCM_16"), "a.wav", {}, SampleFormat("WAV", "PCM_16")),
        (SampleFormat("WAV", "FLOAT"), "a.wav", {"frames": SIZE_LIMIT // 4}, SampleFormat("WAV", "FLOAT")),
        (SampleFormat("WAV", "FLOAT"), "a.wav", {"frames": SIZE_LIMIT // 4 + 1}, SampleFormat("RF64", "FLOAT")),
        (SampleFormat("W64", "DOUBLE"), "a.w64", {"frames": SIZE_LIMIT}, SampleFormat("W64", "DOUBLE")),
    ],
)
def test_the_format_that_is_chosen(
    source: SampleFormat, name: str, options: dict[str, int], expected: SampleFormat
) -> None:
    assert output_format(source, name, **{"channels": 1, "frames": 10} | options) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "frames", "match"),
    [
        ("a.mp3", 10, r"a\.mp3: .*'\.mp3'.* \.wav"),
        ("a", 10, r"a: .*''.* \.wav"),
        ("a.aiff", SIZE_LIMIT, r"a\.aiff: AIFF holds at most 4 GB.* \.wav"),
        ("a.au", SIZE_LIMIT, r"a\.au: AU holds at most 4 GB"),
    ],
)
def test_a_name_that_cannot_be_written_is_told_with_the_remedy(name: str, frames: int, match: str) -> None:
    with pytest.raises(InputError, match=match):
        output_format(SampleFormat("WAV", "PCM_16"), name, channels=2, frames=frames)


def test_the_time_of_day_is_not_in_the_bytes(tmp_path: Path) -> None:
    formats = [SampleFormat(container, "FLOAT") for container in ("WAV", "WAVEX", "RF64", "AIFF", "CAF", "W64", "AU")]
    formats += [SampleFormat("FLAC", "PCM_16"), SampleFormat("WAV", "DOUBLE"), SampleFormat("AIFF", "DOUBLE")]
    formats += [SampleFormat("WAV", "FLOAT", "BIG")]
    for part in ("first", "later"):
        for index, wanted in enumerate(formats):
            write(tmp_path / f"{part}{index}", wanted, samples_for(wanted, 20, 2))
        second = int(time.time())
        while int(time.time()) == second:  # what libsndfile writes are whole seconds
            time.sleep(0.01)
    for index, wanted in enumerate(formats):
        assert (tmp_path / f"first{index}").read_bytes() == (tmp_path / f"later{index}").read_bytes(), wanted
    assert b"PEAK" in (tmp_path / "first0").read_bytes()  # the chunk that would hold the time


def test_a_large_block_is_written_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    plain_write = soundfile.SoundFile.write

    def spy(self: soundfile.SoundFile, data: np.ndarray) -> None:
        lengths.append(len(data))
        plain_write(self, data)

    monkeypatch.setattr(soundfile.SoundFile, "write", spy)
    write(tmp_path / "a.wav", SampleFormat("WAV", "PCM_16"), np.zeros((150_000, 1), np.int32))
    assert lengths == [65_536, 65_536, 18_928]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")

    def fail_half_way() -> None:
        with AudioSink(path, SampleFormat("WAV", "PCM_16"), 44_100, 1) as sink:
            sink.write(np.zeros((100, 1), np.int32))
            raise failure

    with pytest.raises(failure):
        fail_half_way()
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
    assert path.read_bytes() == b"old"


def test_until_the_end_the_old_file_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"old")
    with AudioSink(path, SampleFormat("WAV", "PCM_16"), 44_100, 1) as sink:
        sink.write(np.zeros((100, 1), np.int32))
        assert path.read_bytes() == b"old"
    assert soundfile.info(path).frames == 100
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_a_sink_that_is_never_entered_writes_nothing(tmp_path: Path) -> None:
    sink = AudioSink(tmp_path / "a.wav", SampleFormat("WAV", "PCM_16"), 44_100, 1)
    with pytest.raises(ValueError, match="inside its `with` block"):
        sink.write(np.zeros((100, 1), np.int32))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("block", "match"),
    [
        (np.zeros((5, 3), np.int32), "expected"),
        (np.zeros(5, np.int32), "expected"),
        (np.zeros((5, 2), np.float32), "expected"),
        (np.full((5, 2), 0x10001, np.int32), "more than the file's 16 bits"),
    ],
)
def test_a_block_that_would_not_be_written_exactly_is_a_programming_error(
    tmp_path: Path, block: np.ndarray, match: str
) -> None:
    sink = AudioSink(tmp_path / "a.wav", SampleFormat("WAV", "PCM_16"), 44_100, 2)
    with pytest.raises(ValueError, match=match), sink:
        sink.write(block)
    assert list(tmp_path.iterdir()) == []


def test_more_than_a_wav_holds_is_a_programming_error(tmp_path: Path) -> None:
    sink = AudioSink(tmp_path / "a.wav", SampleFormat("WAV", "PCM_16"), 44_100, 1)
    sink.frames_written = SIZE_LIMIT // 2
    with pytest.raises(ValueError, match="4 GB"), sink:
        sink.write(np.zeros((10, 1), np.int32))


@pytest.mark.parametrize("place", ["missing/a.wav", "folder"])
def test_a_place_that_cannot_be_written(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder"):
        write(tmp_path / place, SampleFormat("WAV", "PCM_16"), np.zeros((1, 1), np.int32))
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_rate_that_the_container_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.flac: FLAC cannot hold .* 2000000 Hz; give the output the ending \.wav"):
        write(tmp_path / "a.flac", SampleFormat("FLAC", "PCM_16"), np.zeros((1, 1), np.int32), 2_000_000)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short_write(self: soundfile.SoundFile, data: np.ndarray) -> None:
        raise AssertionError

    monkeypatch.setattr(soundfile.SoundFile, "write", short_write)
    with pytest.raises(InputError, match=r"a\.wav: cannot be written \(the disk is full\); free space"):
        write(tmp_path / "a.wav", SampleFormat("WAV", "PCM_16"), np.zeros((1, 1), np.int32))
    assert list(tmp_path.iterdir()) == []


LIMITED = """
import resource, sys
import numpy as np
from recomposer_studio.audio.sink import AudioSink
from recomposer_studio.audio.source import SampleFormat
from recomposer_studio.errors import InputError

resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
block = np.random.default_rng(0).integers(-(2**15), 2**15, (100_000, 1)).astype(np.int32) << 16
try:
    with AudioSink(sys.argv[1], SampleFormat(sys.argv[2], "PCM_16"), 44_100, 1) as sink:
        sink.write(block)
except InputError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("container", ["WAV", "FLAC"])
@pytest.mark.parametrize("limit", [0, 50_000, 199_990])
def test_a_full_disk(tmp_path: Path, container: str, limit: int) -> None:
    path = tmp_path / "a.snd"
    command = [sys.executable, "-c", LIMITED, str(path), container, str(limit)]
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith(f"{path}: cannot be written")
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
