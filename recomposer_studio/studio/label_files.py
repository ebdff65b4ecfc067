"""Label files of other programs in the window: opening, saving, and offering those that lie beside a recording."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from recomposer_studio.roll.formats.files import SUFFIXES, LabelFormat, format_of
from recomposer_studio.studio.fields import commit_field
from recomposer_studio.studio.views.messages import Offer

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window


def is_labels(path: Path) -> bool:
    """Whether a file's name is that of a roll or of labels."""
    return format_of(path) is not None


def beside(recording: Path) -> Path | None:
    """The labels of the same name in the folder of a recording: the Studio's own roll first."""
    for suffix in SUFFIXES.values():
        path = recording.with_name(recording.stem + suffix)
        if path.is_file():
            return path
    return None


def titles(of: QObject) -> dict[LabelFormat, str]:
    """What each format is called, the roll first."""
    return {
        LabelFormat.ROLL: of.tr("Roll"),
        LabelFormat.AUDACITY: of.tr("Audacity labels"),
        LabelFormat.CSV: of.tr("CSV"),
        LabelFormat.TSV: of.tr("TSV"),
        LabelFormat.RAVEN: of.tr("Raven selections"),
        LabelFormat.TEXTGRID: of.tr("Praat TextGrid"),
        LabelFormat.JAMS: of.tr("JAMS"),
    }


def filters(window: "Window") -> str:
    """The kinds of files for a dialog: the roll first, then each format alone."""
    kinds = [window.tr("Rolls and labels ({0})").format(" ".join(f"*{suffix}" for suffix in SUFFIXES.values()))]
    return ";;".join([*kinds, *(f"{title} (*{SUFFIXES[kind]})" for kind, title in titles(window).items())])


def open_labels(window: "Window", path: Path) -> bool:
    """Loads a roll or labels for the open recording and says what was left out, or why it cannot be done.

    Raises:
        InputError: the file holds no labels, or they do not fit the recording.
    """
    if window.document.source is None:
        window.messages.fail(window.tr("Open the recording first, then its roll {0}.").format(path.name))
        return False
    commit_field(window)
    notes = window.document.load_roll(path, window.tr("Open roll {0}").format(path.name))
    if notes is None:
        return False
    count = len(window.document.roll.events)
    words = window.tr("Loaded 1 box from {0}.") if count == 1 else window.tr("Loaded {1} boxes from {0}.")
    window.messages.tell(" ".join([words.format(path.name, count), *notes]))
    return True


def offer_labels(window: "Window", recording: Path) -> None:
    """Offers the labels that lie beside a recording that was opened."""
    path = beside(recording)
    if path is None:
        return
    words = window.tr("There are labels beside the recording: {0}.").format(path.name)
    window.messages.tell(words, [Offer(window.tr("Load its boxes"), lambda: _accept(window, path))])


def _accept(window: "Window", path: Path) -> None:
    window.open(path)
