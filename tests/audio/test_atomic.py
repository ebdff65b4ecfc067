"""Files that appear whole or not at all, and the question whether two names mean one file."""

import os
import sys
from pathlib import Path

import pytest

from recomposer_studio.audio.atomic import atomic_path, same_file
from recomposer_studio.errors import InputError


def test_the_file_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 60 + " 🐕.txt")
    with atomic_path(path) as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert temporary.parent == tmp_path
        assert not path.exists()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.read_text(encoding="utf-8") == "new"


def test_an_error_of_the_block_passes_through_and_leaves_nothing(tmp_path: Path) -> None:
    def write_half() -> None:
        with atomic_path(tmp_path / "a") as temporary:
            temporary.write_bytes(b"half")
            raise OSError("own")

    with pytest.raises(OSError, match="own"):
        write_half()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there, and rights work otherwise")
def test_a_link_stays_and_others_may_read_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    old_mask = os.umask(0o022)
    try:
        with atomic_path(tmp_path / "link") as temporary:
            temporary.write_text("new", encoding="utf-8")
    finally:
        os.umask(old_mask)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text(encoding="utf-8") == "new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="needs a device file")
def test_a_device_is_never_replaced() -> None:
    with pytest.raises(InputError, match="not an ordinary file"), atomic_path("/dev/null"):
        pass
    assert not Path("/dev/null").is_file()


def test_no_permission_for_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="no permission to write here"), atomic_path(tmp_path / "a"):
        pass


def test_a_target_that_cannot_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "in use")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(InputError, match="close programs that use the file"), atomic_path(tmp_path / "a"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_file_under_two_names(tmp_path: Path) -> None:
    a = tmp_path / "a.wav"
    a.touch()
    (tmp_path / "b.wav").touch()
    (tmp_path / "sub").mkdir()
    assert same_file(a, tmp_path / "sub" / ".." / "a.wav")
    assert not same_file(a, tmp_path / "b.wav")
    assert not same_file(a, tmp_path / "missing.wav")
    assert same_file(tmp_path / "missing.wav", tmp_path / "sub" / ".." / "missing.wav")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_one_file_through_links(tmp_path: Path) -> None:
    a = tmp_path / "a.wav"
    a.touch()
    (tmp_path / "soft.wav").symlink_to(a)
    (tmp_path / "hard.wav").hardlink_to(a)
    assert same_file(a, tmp_path / "soft.wav")
    assert same_file(a, tmp_path / "hard.wav")
