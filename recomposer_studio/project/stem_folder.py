"""A folder of stems that is replaced as a whole: the stems of an earlier export go, everything else in it stays."""

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recomposer_studio.audio.atomic import write_error

STEM_INDEX = "stems.json"
_STEM_NAME = re.compile(r"bed\.\w+|(removed/)?\d+-[\w-]+\.\w+")


@contextmanager
def stem_folder(folder: Path) -> Iterator[Path]:
    """A folder inside `folder` to write new stems to; whatever is left of it, and folders made for nothing, vanish."""
    made: list[Path] = []
    beside = folder / f".stems-{secrets.token_hex(6)}"
    # Folders are made inside the block that removes them: an interrupt may come at any moment.
    try:
        try:
            made = [path for path in (folder, *folder.parents) if not path.exists()]
            (beside / "removed").mkdir(parents=True)
        except OSError as error:
            raise write_error(folder, error) from error
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        _remove_empty(made)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def moved_in(folder: Path, beside: Path, names: list[str]) -> Iterator[None]:
    """Replaces the stems of an earlier export by new ones; puts everything back if that or the block fails.

    Raises:
        InputError: a file is in use, or the folder cannot be written to.
    """
    (beside / STEM_INDEX).write_text(json.dumps({"format_version": 1, "stems": names}, indent=1), encoding="utf-8")
    wanted = [*names, STEM_INDEX]
    old = beside / "old"
    moved: list[tuple[Path, Path]] = []
    had_removed = (folder / "removed").exists()
    try:
        (old / "removed").mkdir(parents=True)
        for name in sorted(former_stems(folder) | set(wanted)):
            if (folder / name).exists():
                os.replace(folder / name, old / name)
                moved.append((old / name, folder / name))
        (folder / "removed").mkdir(exist_ok=True)
        for name in wanted:
            os.replace(beside / name, folder / name)
            moved.append((folder / name, beside / name))
        _remove_empty([folder / "removed"])
        yield
    except BaseException as error:
        with suppress(FileExistsError):
            (folder / "removed").mkdir(exist_ok=True)
        for now, before in reversed(moved):
            os.replace(now, before)
        if not had_removed:
            _remove_empty([folder / "removed"])
        if isinstance(error, OSError):
            raise write_error(folder, error) from error
        raise


def former_stems(folder: Path) -> set[str]:
    """Stems that an earlier export left here; only names that an export gives are believed."""
    try:
        names = json.loads((folder / STEM_INDEX).read_text(encoding="utf-8"))["stems"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return set()
    return {n for n in names if isinstance(n, str) and _STEM_NAME.fullmatch(n)} if isinstance(names, list) else set()
