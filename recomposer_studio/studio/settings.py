"""What the window remembers from one start to the next: a small JSON file in the user's configuration folder."""

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import platformdirs

from recomposer_studio.audio.atomic import atomic_path
from recomposer_studio.errors import InputError

FORMAT_VERSION = 1
MOST_RECENT = 8


@dataclass(frozen=True)
class Settings:
    """The remembered choices.

    Attributes:
        theme: "system", "light" or "dark".
        scale: frequency scale of the picture: "mel", "log" or "linear".
        colours: name of the colour table.
        range_db: dynamic range of the picture in dB.
        recent_files: recordings opened last, newest first.
        recent_labels: labels used last, newest first.
        snap: whether dragged edges catch on what is near.
        window_size: samples in an analysis window of the picture, 0 for what suits the sample rate.
        hop_ms: milliseconds between two columns of the picture, 0 for what suits the length.
        layout: which panels are open and where, in Qt's own form, hexadecimal.
        threshold: suggestions of less confidence are hidden, 0 to 1.
        tagger: who listens.
        device: where the model runs: "auto", "cpu" or "cuda".
        recipes: decoding settings of recordings, see `remembered`.
        geometry: the window's place in Qt's own form, hexadecimal.
        volume_db: level of the playback.
        output_device: key of the sound device, empty for the system's default one.
    """

    theme: str = "system"
    scale: str = "mel"
    colours: str = "aurora"
    range_db: int = 80
    recent_files: tuple[str, ...] = ()
    recent_labels: tuple[str, ...] = ()
    snap: bool = True
    window_size: int = 0
    hop_ms: float = 0.0
    layout: str = ""
    threshold: float = 0.1
    tagger: str = "builtin"
    device: str = "auto"
    recipes: tuple[str, ...] = ()
    geometry: str = ""
    volume_db: float = 0.0
    output_device: str = ""

    def with_file(self, path: Path) -> "Settings":
        """With a recording on top of the recent ones."""
        name = str(path.resolve())
        rest = tuple(other for other in self.recent_files if other != name)
        return replace(self, recent_files=(name, *rest)[:MOST_RECENT])

    def with_label(self, label: str) -> "Settings":
        """With a label on top of the ones used last."""
        rest = tuple(other for other in self.recent_labels if other != label)
        return replace(self, recent_labels=(label, *rest)[:MOST_RECENT])


class SettingsFile:
    """Reads and writes the settings.

    Args:
        path: the file; the user's configuration folder, or RECOMPOSER_SETTINGS, when None.
    """

    def __init__(self, path: Path | None = None) -> None:
        named = os.environ.get("RECOMPOSER_SETTINGS")
        self.path = path or (
            Path(named) if named else Path(platformdirs.user_config_dir("recomposer-studio", False)) / "settings.json"
        )

    @property
    def data_folder(self) -> Path:
        """Where larger things are kept: the user's data folder, or beside settings that were named."""
        usual = Path(platformdirs.user_config_dir("recomposer-studio", False)) / "settings.json"
        return Path(platformdirs.user_data_dir("recomposer-studio", False)) if self.path == usual else self.path.parent

    def read(self) -> Settings:
        """The settings; a missing or damaged file, or a value of a wrong kind, gives the defaults."""
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return Settings()
        if not isinstance(stored, dict) or stored.get("format_version") != FORMAT_VERSION:
            return Settings()
        known: dict[str, object] = {}
        for field in fields(Settings):
            value, default = stored.get(field.name), getattr(Settings(), field.name)
            if isinstance(default, tuple):
                if isinstance(value, list) and all(isinstance(item, str) for item in value):
                    known[field.name] = tuple(value)
            elif type(value) is type(default):
                known[field.name] = value
        return Settings(**known)  # type: ignore[arg-type]

    def write(self, settings: Settings) -> None:
        """Writes the settings; a folder that cannot be written costs nobody their work, so it is passed over."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(self.path) as beside:
                text = json.dumps({"format_version": FORMAT_VERSION, **asdict(settings)}, indent=1)
                beside.write_text(text + "\n", encoding="utf-8")
        except (OSError, InputError):
            return
