"""A recording that a project keeps: its working copy goes with the window, so names and files are looked for where the recording lay."""

import os
import re
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from recomposer_studio.audio.source import Source
from recomposer_studio.project.store.contents import Recording
from recomposer_studio.project.store.locate import places

_LONGEST_NAME = 100


class KeptSource(Source):
    """The working copy of a recording that its project keeps.

    Attributes:
        home: where the recording would lie outside of the project: what people read, and what files are proposed beside. It need not exist.
        folders: where files lie that are named relative to the recording, the most likely folder first.
    """

    home = Path()
    folders: tuple[Path, ...] = ()


def open_kept(path: Path, recording: Recording, project: Path | None) -> Source:
    """Opens the working copy of a recording that a project keeps.

    Args:
        path: the copy.
        recording: what the project knows of the recording.
        project: the project file, None when there is none.

    Raises:
        InputError: it cannot be read.
    """
    own = [project.absolute().parent] if project is not None else []
    lay = _folders(recording, project)
    source = KeptSource.open(path)
    if isinstance(source, KeptSource):
        source.folders = tuple(dict.fromkeys([*lay, *own]))
        folder = next((folder for folder in [*own, *lay] if _is_folder(folder)), Path.home())
        source.home = folder / f"{_plain(PureWindowsPath(_former(recording)).stem)}{path.suffix}"
    return source


def origin_of(recording: Recording, project: Path | None) -> str:
    """Where a recording that its project keeps lay: also when project and folder have moved together since.

    Args:
        recording: what the project knows of it.
        project: the project file, None when there is none.
    """
    name = PureWindowsPath(_former(recording)).name
    there = (str(folder / name) for folder in _folders(recording, project) if _is_folder(folder))
    return next(there, _former(recording))


def reopened(source: Source) -> Source:
    """The same recording once more, for another thread.

    Raises:
        InputError: it cannot be read any more.
    """
    again = type(source).open(source.path)
    if isinstance(source, KeptSource) and isinstance(again, KeptSource):
        again.home, again.folders = source.home, source.folders
    return again


def home_of(source: Source) -> Path:
    """Where a recording lies for people: its own path, or for a working copy the one that it would have outside of the project."""
    return source.home if isinstance(source, KeptSource) else source.path


def file_beside(source: Source, name: str) -> Path:
    """Where a file lies that is named relative to a recording's folder; where it is missing, the place that it should be put in."""
    if not isinstance(source, KeptSource) or not source.folders:
        return source.path.parent / name
    found = [folder / name for folder in source.folders]
    # As below: names that are too long are for whoever opens the file to tell.
    return next((path for path in found if os.path.isfile(path)), found[-1])  # noqa: PTH113


def _former(recording: Recording) -> str:
    return recording.origin or recording.path


def _folders(recording: Recording, project: Path | None) -> list[Path]:
    """Folders in which the recording may have lain; network shares that a project file names are not contacted."""
    return [place.parent for place in places(replace(recording, path=_former(recording)), project)]


def _is_folder(path: Path) -> bool:
    # Not Path.is_dir(): it raises for names that are too long, and a project file may name anything.
    return os.path.isdir(path)  # noqa: PTH112


def _plain(stem: str) -> str:
    """What a project file says of a name, without anything that a path or a terminal would make something of."""
    return re.sub(r"[^\w .()+-]", "_", stem)[:_LONGEST_NAME].strip(" .") or "recording"
