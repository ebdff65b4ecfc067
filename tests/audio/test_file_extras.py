"""Dither that is triangular and depends on nothing but its place, and what files carry beside samples that stay bit by bit."""

import struct
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.audio.chunks import KEPT, RECIPE, Chunk, add_chunks, read_chunks
from recomposer_studio.audio.dither import tpdf
from recomposer_studio.audio.flac_tags import read_comments, set_comments
from recomposer_studio.audio.markers import Marker, marked, markers_in, moved
from recomposer_studio.audio.sink import AudioSink
from recomposer_studio.audio.source import SampleFormat, Source
from recomposer_studio.audio.splice import splice

RATE = 8_000


def wav(path: Path, frames: int = 101, container: str = "WAV", subtype: str = "PCM_24", channels: int = 1) -> Path:
    """A small file; with one channel of 24 bits and an odd length its samples end at an odd position."""
    rng = np.random.default_rng(frames)
    soundfile.write(path, rng.uniform(-0.5, 0.5, (frames, channels)), RATE, subtype, format=container)
    return path


def bext(time: int) -> bytes:
    body = bytearray(602)
    body[:5] = b"scene"
    struct.pack_into("<Q", body, 338, time)
    return bytes(body) + b"A=PCM\r\n"


def data_of(path: Path) -> bytes:
    """The bytes of the samples, walked to by hand."""
    raw = path.read_bytes()
    at = 12
    long = 0
    while True:
        name, length = struct.unpack_from("<4sI", raw, at)
        if name == b"ds64":
            long = struct.unpack_from("<QQ", raw, at + 8)[1]
        if name == b"data":
            length = long if length == 0xFFFFFFFF else length
            return raw[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def test_the_noise_is_triangular_white_and_of_mean_zero() -> None:
    noise = tpdf(1234, 0, 200_000, 2)
    assert abs(noise.mean()) < 0.003
    # A triangle between -1 and 1 has the variance 1/6 and the fourth moment 1/15.
    assert noise.var() == pytest.approx(1 / 6, rel=0.01) and (noise**4).mean() == pytest.approx(1 / 15, rel=0.02)
    assert np.abs(noise).max() < 1.0
    for one, other in (
        (noise[:, 0], noise[:, 1]),
        (noise[:-1, 0], noise[1:, 0]),
        (noise[:, 0], tpdf(1235, 0, 200_000, 1)[:, 0]),
    ):
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.01
    counts = np.histogram(noise, bins=20, range=(-1, 1))[0] / noise.size
    want = np.diff(np.sign(edges := np.linspace(-1, 1, 21)) * (np.abs(edges) - edges**2 / 2))
    np.testing.assert_allclose(counts, want, atol=0.002)


def test_the_noise_of_a_stretch_is_that_of_the_whole() -> None:
    whole = tpdf(9, 0, 50_000, 2)
    for start, stop in ((0, 1), (16_383, 16_385), (20_000, 49_999), (5, 5)):
        np.testing.assert_array_equal(tpdf(9, start, stop, 2), whole[start:stop])


def test_the_error_of_rounding_with_dither_does_not_know_the_sound() -> None:
    """Its mean and variance are the same wherever between two steps a sample lies."""
    for value in (0.0, 0.25, 0.5, 0.9):
        error = np.rint(value + tpdf(3, 0, 100_000, 1)) - value
        assert abs(error.mean()) < 0.01 and error.var() == pytest.approx(0.25, rel=0.02)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=60), st.data())
def test_bytes_are_exchanged_in_place(
    tmp_path_factory: pytest.TempPathFactory, old: bytes, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(old)))
    drop = data.draw(st.integers(0, len(old) - at))
    new = data.draw(st.binary(max_size=40))
    path = tmp_path_factory.mktemp("splice") / "f"
    path.write_bytes(old)
    with path.open("r+b") as file:
        splice(file, at, drop, new)
    assert path.read_bytes() == old[:at] + new + old[at + drop :]


def test_long_files_are_moved_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recomposer_studio.audio.splice._PIECE", 7)
    old = bytes(range(100))
    for new in (b"", b"x", b"y" * 23):
        (tmp_path / "f").write_bytes(old)
        with (tmp_path / "f").open("r+b") as file:
            splice(file, 10, 5, new)
        assert (tmp_path / "f").read_bytes() == old[:10] + new + old[15:]


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64"])
@pytest.mark.parametrize(("subtype", "frames"), [("PCM_24", 101), ("PCM_U8", 33), ("FLOAT", 64)])
def test_chunks_come_and_the_samples_stay(tmp_path: Path, container: str, subtype: str, frames: int) -> None:
    path = wav(tmp_path / "a.wav", frames, container, subtype)
    before = data_of(path)
    chunks = (
        Chunk(b"bext", bext(7)),
        Chunk(b"iXML", b"<x/>?"),
        Chunk(b"LIST", b"INFOIART\x02\0\0\0a\0"),
        Chunk(RECIPE, b"{}"),
    )
    add_chunks(path, chunks)
    raw = path.read_bytes()
    assert data_of(path) == before and len(raw) % 2 == 0
    size = struct.unpack_from("<Q", raw, 20)[0] if container == "RF64" else struct.unpack_from("<I", raw, 4)[0]
    assert size == len(raw) - 8
    assert raw.index(b"bext") < raw.index(b"data") < raw.index(b"iXML")
    # libsndfile does not read an odd bext in RF64.
    first = replace(chunks[0], body=chunks[0].body + b"\0") if container == "RF64" else chunks[0]
    assert len(chunks[0].body) % 2 == 1 and read_chunks(path, (*KEPT, RECIPE)) == (first, *chunks[1:])
    with Source.open(path) as source:
        assert source.frames == frames and source.format.container == container


def test_the_sink_adds_what_it_is_given(tmp_path: Path) -> None:
    samples = np.arange(-5, 6, dtype=np.int32)[:, None] << 16
    for name, container in (("a.wav", "WAV"), ("b.flac", "FLAC"), ("c.aiff", "AIFF")):
        with AudioSink(
            tmp_path / name, SampleFormat(container, "PCM_16"), RATE, 1, (Chunk(RECIPE, b"odd"),), ("X=\u00e4",)
        ) as sink:
            sink.write(samples)
        with Source.open(tmp_path / name) as source:
            np.testing.assert_array_equal(source.read_native(0, 11), samples)
    assert read_chunks(tmp_path / "a.wav", (RECIPE,)) == (Chunk(RECIPE, b"odd"),)
    assert read_comments(tmp_path / "b.flac") == ("X=\u00e4",)
    assert read_chunks(tmp_path / "c.aiff") == () and read_comments(tmp_path / "a.wav") == ()


def test_comments_of_every_length_leave_the_sound_of_a_flac_file(tmp_path: Path) -> None:
    path = wav(tmp_path / "a.flac", 5_000, "FLAC", "PCM_16", 2)
    before = soundfile.read(path, dtype="int16")[0]
    for comments in (
        ("A=b", "RECOMPOSER_RECIPE=" + "x" * 100_000),
        ("A=b",),
        (),
        ("\u00e9=\n",),
        ("B=" + "y" * 2**24, "C=d"),
    ):
        set_comments(path, comments)
        assert read_comments(path) == (("C=d",) if len(comments) == 2 and comments[1] == "C=d" else comments)
        np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], before)
    # A file that has its properties alone.
    raw = path.read_bytes()
    bare = raw[:4] + bytes([0x80]) + raw[5:42] + raw[raw.index(b"\xff\xf8", 42) :]
    path.write_bytes(bare)
    set_comments(path, ("A=b",))
    assert read_comments(path) == ("A=b",)
    np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], before)
    with pytest.raises(ValueError, match="FLAC"):
        set_comments(wav(tmp_path / "a.wav"), ("A=b",))


def test_markers_join_those_that_are_there_once() -> None:
    first = marked((Chunk(b"bext", b"b"),), [Marker(10, 0, "old"), Marker(20, 5, "region")])
    assert [chunk.name for chunk in first] == [b"bext", b"cue ", b"LIST"]
    both = marked(first, [Marker(20, 5, "region"), Marker(30, 6, "delete D\u00f6g")])
    assert markers_in(both) == [Marker(10, 0, "old"), Marker(20, 5, "region"), Marker(30, 6, "delete D\u00f6g")]
    assert marked(both, [Marker(10, 0, "old")]) == both
    numbers = [struct.unpack_from("<I", both[1].body, 4 + 24 * at)[0] for at in range(3)]
    assert len(set(numbers)) == 3


def test_a_marker_takes_a_number_that_is_free() -> None:
    cue = struct.pack("<I", 1) + struct.pack("<II4sIII", 0xFFFFFFFF, 10, b"data", 0, 0, 10)
    left = b"adtl" + Chunk(b"labl", struct.pack("<I", 1) + b"of no point\0").as_bytes
    both = marked((Chunk(b"cue ", cue), Chunk(b"LIST", left)), [Marker(30, 6, "delete dog")])
    assert markers_in(both) == [Marker(10, 0, ""), Marker(30, 6, "delete dog")]
    assert struct.unpack_from("<I", both[0].body, 4 + 24)[0] == 2


def test_what_counts_samples_moves_with_a_region() -> None:
    loops = [(1, 0, 100, 150, 0, 0), (2, 0, 20, 120, 0, 0)]
    smpl = (
        struct.pack("<7I", *range(7)) + struct.pack("<II", 2, 0) + b"".join(struct.pack("<6I", *loop) for loop in loops)
    )
    ixml = (
        b"<BWFXML><SPEED><TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>0</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>"
        b"<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>4294967290</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO></SPEED></BWFXML>"
    )
    chunks = (Chunk(b"bext", bext(2**32 - 10)), Chunk(b"iXML", ixml), Chunk(b"smpl", smpl), Chunk(b"LIST", b"INFO"))
    chunks = marked(
        chunks, [Marker(90, 5, "before"), Marker(100, 200, "cut"), Marker(180, 0, "point"), Marker(200, 9, "behind")]
    )
    part = moved(chunks, 100, 100)
    assert markers_in(part) == [Marker(0, 100, "cut"), Marker(80, 0, "point")]
    named = {chunk.name: chunk.body for chunk in part}
    assert struct.unpack_from("<Q", named[b"bext"], 338)[0] == 2**32 + 90
    assert named[b"bext"][:338] == bext(0)[:338] and named[b"bext"][346:] == bext(0)[346:]
    assert b"_HI>1</" in named[b"iXML"] and b"_LO>94</" in named[b"iXML"]
    assert struct.unpack_from("<I", named[b"smpl"], 28)[0] == 1
    assert struct.unpack_from("<6I", named[b"smpl"], 36) == (1, 0, 0, 50, 0, 0)
    assert next(chunk for chunk in part if chunk.body.startswith(b"INFO")).body == b"INFO"


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(st.sampled_from([*KEPT, b"data", b"ds64", b"zzzz"]), st.binary(max_size=70)), max_size=6),
    st.binary(max_size=9),
)
def test_hostile_chunks_are_read_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[bytes, bytes]], tail: bytes
) -> None:
    path = tmp_path_factory.mktemp("riff") / "a.wav"
    path.write_bytes(
        b"RIFF\0\0\0\0WAVE"
        + b"".join(struct.pack("<4sI", name, len(body) + (len(body) % 5 == 4)) + body for name, body in parts)
        + tail
    )
    chunks = read_chunks(path)
    assert all(chunk.name in KEPT for chunk in chunks)
    marked(moved(chunks, 3, 10), [Marker(0, 1, "x")])
    path.write_bytes(b"fLaC" + b"".join(bytes([4]) + len(body).to_bytes(3, "big") + body for _, body in parts) + tail)
    assert isinstance(read_comments(path), tuple)


def test_what_is_too_large_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = wav(tmp_path / "a.wav")
    add_chunks(path, (Chunk(b"iXML", b"x" * 50), Chunk(b"axml", b"y" * 30), Chunk(b"_PMX", b"z" * 30)))
    monkeypatch.setattr("recomposer_studio.audio.chunks.MAX_CHUNK", 40)
    monkeypatch.setattr("recomposer_studio.audio.chunks.MAX_CHUNKS", 50)
    assert read_chunks(path) == (Chunk(b"axml", b"y" * 30),)


def test_a_file_of_zeros_is_not_walked_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF" + bytes(4) + b"WAVE" + bytes(8 * 20) + b"bext\x02\0\0\0ab")
    assert len(read_chunks(path)) == 1
    monkeypatch.setattr("recomposer_studio.audio.chunks.MOST_CHUNKS", 20)
    assert read_chunks(path) == ()


@pytest.mark.skipif(sys.platform == "win32", reason="writes the hole of four gigabytes out")
def test_sizes_of_files_beyond_four_gigabytes(tmp_path: Path) -> None:
    """The header of an RF64 file counts in 64 bits: its samples end where ds64 says, and the whole file is as long as it says."""
    path = tmp_path / "big.wav"
    body = 2**32 + 10
    head = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, 0, body, body // 2, 0)
    head += b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16) + b"data\xff\xff\xff\xff"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + body)  # a hole, which takes no room on the disk where the file system knows them
    add_chunks(path, (Chunk(RECIPE, b"odd"),))
    assert path.stat().st_size == len(head) + body + 12
    with path.open("rb") as file:
        file.seek(20)
        assert struct.unpack("<Q", file.read(8))[0] == len(head) + body + 4
    assert read_chunks(path, (RECIPE,)) == (Chunk(RECIPE, b"odd"),)
    with pytest.raises(ValueError, match="samples"):
        add_chunks(wav(tmp_path / "a.flac", 100, "FLAC", "PCM_16"), (Chunk(RECIPE, b""),))
