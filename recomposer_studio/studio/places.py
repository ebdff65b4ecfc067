"""Where new files are proposed: beside the recording, or in a folder of the person's where they would not belong there."""

import tempfile
from pathlib import Path

from PySide6.QtCore import QStandardPaths

from recomposer_studio.audio.source import Source
from recomposer_studio.data import data_folder
from recomposer_studio.project.kept import home_of

_PLACES = QStandardPaths.StandardLocation


def proposed_folder(source: Source) -> Path:
    """The folder of a recording, or one of the person's for a recording that came with the program or lies where nothing can be written."""
    folder = home_of(source).parent
    if not _is_own(folder) and _takes_files(folder):
        return folder
    return next((place for place in personal_folders() if _takes_files(place)), folder)


def personal_folders() -> list[Path]:
    """The folders of the person's that files may go to, the most fitting one first."""
    places = (_PLACES.MusicLocation, _PLACES.DocumentsLocation, _PLACES.HomeLocation)
    return [Path(name) for name in map(QStandardPaths.writableLocation, places) if name]


def _is_own(folder: Path) -> bool:
    """Whether a folder is a part of the program: an update or the next start from a fresh copy would not keep what is put there."""
    return folder.resolve().is_relative_to(data_folder("resources").resolve())


def _takes_files(folder: Path) -> bool:
    """Tries; rights alone do not tell on every system."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
