"""Files that cannot be used: one sentence that names the file and the remedy, raised when the file is opened."""

import os
import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.audio.container import MOST_CHUNKS, check_container
from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError

FRAMES = 30_000
CONTAINERS = [
    ("WAV", "PCM_16"),
    ("WAVEX", "PCM_24"),
    ("RF64", "FLOAT"),
    ("W64", "PCM_16"),
    ("AIFF", "PCM_24"),
    ("AIFF", "FLOAT"),
    ("CAF", "PCM_16"),
    ("AU", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
    ("WAV", "ULAW"),
]


def make(path: Path, container: str = "WAV", subtype: str = "PCM_16", channels: int = 2) -> bytearray:
    samples = 0.4 * np.random.default_rng(0).uniform(-1, 1, (FRAMES, channels)) + 0.3
    soundfile.write(path, samples, 48_000, subtype, format=container)
    return bytearray(path.read_bytes())


def refusal(path: Path) -> str:
    before = path.read_bytes() if path.is_file() and os.access(path, os.R_OK) else None
    with pytest.raises(InputError) as caught:
        Source.open(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    assert text.endswith(".")
    if before is not None:
        assert path.read_bytes() == before
    return text


def test_missing(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "no.wav")


def test_directory(tmp_path: Path) -> None:
    assert "folder" in refusal(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert "not a file" in refusal(tmp_path / "pipe.wav")


@pytest.mark.skipif(sys.platform == "win32", reason="rights work otherwise there")
def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    make(path)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything: let the operating system's answer come from here

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"a\.wav: no permission"):
        Source.open(path)
    path.chmod(0o600)


def test_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.touch()
    assert "0 bytes" in refusal(path)


@pytest.mark.parametrize("container", ["WAV", "AIFF", "CAF", "W64", "AU", "RF64"])
def test_no_samples(tmp_path: Path, container: str) -> None:
    path = tmp_path / "a.snd"
    soundfile.write(path, np.zeros((0, 1)), 44_100, "PCM_16", format=container)
    assert "no samples" in refusal(path)


@pytest.mark.parametrize("name", ["a.wav", "a.txt", "a.mp3", "a.au", "a.vox", "a.gsm", "a.raw", "a.flac", "a.ogg", "a"])
@pytest.mark.parametrize("content", [b"This is a letter, not a sound.\n" * 300, bytes(9_000), b"x"])
def test_not_audio_whatever_the_name_says(
    tmp_path: Path, name: str, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    text = refusal(path)
    assert "not a sound file" in text
    assert "WAV" in text
    assert capfd.readouterr().err == ""  # the decoder's own remarks stay away


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x00\x00\x00\x20ftypM4A ", "M4A"),
        (b"\x1aE\xdf\xa3\x01\x00\x00\x00", "WebM"),
        (b"\xff\xf1\x50\x80\x2e\x7f\xfc\x00", "AAC"),
        (b"RIFF\x00\x10\x00\x00AVI LIST", "video"),
        (b"wvpk\x00\x10\x00\x00", "WavPack"),
    ],
)
def test_other_formats_are_named_with_the_remedy(tmp_path: Path, head: bytes, kind: str) -> None:
    path = tmp_path / "a.m4a"
    path.write_bytes(head + np.random.default_rng(0).bytes(5_000))
    text = refusal(path)
    assert kind in text
    assert "convert it to WAV or FLAC" in text


@pytest.mark.parametrize(("container", "subtype"), CONTAINERS)
@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_truncated(
    tmp_path: Path, container: str, subtype: str, keep: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"a.{container.lower()}"
    content = make(path, container, subtype)
    Source.open(path).close()
    path.write_bytes(content[: int(len(content) * keep)])
    assert "cut short" in refusal(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("container", "subtype"), CONTAINERS)
@pytest.mark.parametrize("keep", [3, 12, 30, 60, 130])
def test_truncated_within_the_header(tmp_path: Path, container: str, subtype: str, keep: int) -> None:
    path = tmp_path / f"a.{container.lower()}"
    path.write_bytes(make(path, container, subtype)[:keep])
    refusal(path)


@pytest.mark.parametrize(
    "head",
    [b"RIFF\xff\xff\xff\xffWAVE", b"FORM\xff\xff\xff\xffAIFF", b"caff\x00\x01\x00\x00"],
    ids=["wav", "aiff", "caf"],
)
def test_gigabytes_of_zeros_after_a_header_are_not_walked_to_their_end(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "a.bin"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(16 * MOST_CHUNKS)
    with pytest.raises(InputError, match="no sound among its first chunks"):
        check_container(path)


def set_data_size(content: bytearray, size: int) -> bytearray:
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", size)
    return content


@pytest.mark.parametrize("size", [FRAMES * 4 + 4, FRAMES * 40, 0x7FFE0000])
def test_a_wav_header_that_promises_too_much(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(set_data_size(make(path), size))
    assert "cut short" in refusal(path)


def test_a_wav_header_that_tells_too_little(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(set_data_size(make(path), FRAMES * 2))
    assert "more follow" in refusal(path)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF024])
def test_a_streamed_wav(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(set_data_size(make(path), size))
    assert "never wrote the length" in refusal(path)


def test_a_flac_stream_of_unknown_length(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    content = make(path, "FLAC")
    content[21] &= 0xF0
    content[22:26] = bytes(4)  # STREAMINFO: 36 bits of total samples, 0 = unknown
    path.write_bytes(content)
    assert "length" in refusal(path)


def test_a_flac_header_that_promises_too_much(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    content = make(path, "FLAC")
    content[22:26] = struct.pack(">I", FRAMES * 1_000)
    path.write_bytes(content)
    assert "cut short" in refusal(path)


@pytest.mark.parametrize("frames", [FRAMES + 1, 2**31])
def test_an_aiff_header_that_promises_too_much(tmp_path: Path, frames: int) -> None:
    path = tmp_path / "a.aiff"
    content = make(path, "AIFF")
    at = content.index(b"COMM") + 10
    content[at : at + 4] = struct.pack(">I", frames)
    path.write_bytes(content)
    assert "cut short" in refusal(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [("channels", 0), ("channels", 200), ("channels", 65_535), ("rate", 0), ("rate", 3), ("rate", 2**32 - 1)],
)
def test_absurd_figures_in_the_header(tmp_path: Path, field: str, value: int) -> None:
    path = tmp_path / "a.wav"
    content = make(path)
    at = content.index(b"fmt ") + 8
    channels, rate = (value, 48_000) if field == "channels" else (2, value)
    content[at + 2 : at + 14] = struct.pack("<HIIH", channels, rate, 0, min(channels * 2, 65_535))
    path.write_bytes(content)
    refusal(path)


def test_more_channels_than_the_samples_allow(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    content = make(path)
    at = content.index(b"fmt ") + 8
    content[at + 2 : at + 4] = struct.pack("<H", 12)  # block alignment still says two
    path.write_bytes(content)
    assert "contradicts itself" in refusal(path)


def test_damage_in_the_middle_is_told_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    content = make(path, "FLAC")
    middle = len(content) // 2
    content[middle : middle + 2_000] = bytes(2_000)
    path.write_bytes(content)
    with Source.open(path) as source, pytest.raises(InputError, match=r"a\.flac: the file is damaged.* copy it again"):
        for _ in source.blocks():
            pass


def test_a_file_that_shrinks_while_it_is_open(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("an open file cannot be cut there")
    path = tmp_path / "a.wav"
    content = make(path)
    with Source.open(path) as source:
        os.truncate(path, len(content) // 2)
        with pytest.raises(InputError, match="damaged or changed"):
            source.read(0, source.frames)


def test_tags_and_padding_behind_the_samples_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    for tail in (b"LIST\x04\x00\x00\x00INFO", b"TAG" + b"\xff" * 125, bytes(512), b"\x01"):
        path.write_bytes(make(path) + tail)
        with Source.open(path) as source:
            assert source.frames == FRAMES


def test_an_mp3_behind_a_tag_is_checked_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    content = b"ID3\x04\x00\x00\x00\x00\x02\x00" + bytes(256) + make(path, "MP3", "MPEG_LAYER_III")
    path.write_bytes(content)
    with Source.open(path) as source:
        assert source.frames == FRAMES
    path.write_bytes(content[: len(content) // 2])
    assert "cut short" in refusal(path)


def test_au_and_caf_may_leave_their_length_open(tmp_path: Path) -> None:
    path = tmp_path / "a.au"
    content = make(path, "AU")
    content[8:12] = b"\xff" * 4
    path.write_bytes(content)
    with Source.open(path) as source:
        assert source.frames == FRAMES


@given(data=st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_damaged_headers_are_refused_or_read_but_never_crash(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    container = data.draw(st.sampled_from(["WAV", "AIFF", "W64", "AU"]))
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    good = folder / f"good.{container}"
    if not good.exists():
        soundfile.write(good, np.random.default_rng(0).uniform(-1, 1, (200, 2)), 44_100, "PCM_16", format=container)
    content = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, 120))] = data.draw(st.integers(0, 255))
    path = folder / f"bad.{container}"
    path.write_bytes(content)
    text = f"{path}: "
    try:
        with Source.open(path) as source:
            source.read(0, source.frames)
    except InputError as error:
        text = str(error)
    assert text.startswith(f"{path}: ")


def test_a_name_that_the_file_system_cannot_hold(tmp_path: Path) -> None:
    for name in ("a\x00b.wav", "x" * 5_000 + ".wav"):
        with pytest.raises(InputError):
            Source.open(tmp_path / name)


def test_shared_recordings_all_open(shared: Path) -> None:
    paths = sorted((shared / "data").glob("*/*/*.ogg"))[::20]
    assert len(paths) > 50
    for path in paths:
        with Source.open(path) as source:
            assert source.frames > 0


def test_nothing_is_written_beside_the_source(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    make(path)
    copy = tmp_path / "copy.wav"
    shutil.copyfile(path, copy)
    copy.chmod(0o444)
    with Source.open(copy) as source:
        source.read(0, 10)
        source.sha256()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.wav", "copy.wav"]
