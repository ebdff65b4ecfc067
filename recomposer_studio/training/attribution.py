"""The page that credits the recordings a checkpoint was trained on."""

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from recomposer_studio.training.cache import SplitAudio
from recomposer_studio.training.manifest import read_table
from recomposer_studio.training.markdown import plain_markdown

_LICENCES = {
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY": "https://creativecommons.org/licenses/by/4.0/ (version not named at the source)",
    "CC-BY-SA-3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
}
_FREESOUND = "freesound:"


def used_files(audio: SplitAudio) -> frozenset[str]:
    """Keys of the recordings of a split that could be decoded, events and backgrounds."""
    return frozenset(event.key for event in audio.events) | frozenset(layer.key for layer in audio.backgrounds)


def attribution_page(manifest: Path, used: Collection[str]) -> str:
    """A Markdown page: every recording that was used, by licence and author.

    Args:
        manifest: the table, or the folder that holds `manifest.csv`; the column source_repo is used when there.
        used: `used_files`.

    Raises:
        InputError: the table cannot be read.
    """
    table = manifest / "manifest.csv" if manifest.is_dir() else manifest
    sources: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    count = 0
    for row in read_table(table, ("path", "licence", "author", "source_id")):
        if row["path"].replace("\\", "/") in used:
            author = plain_markdown(row["author"]) or "unknown"
            sources[row["licence"] or "unknown"][author][row["source_id"]] = row.get("source_repo", "")
            count += 1
    lines = [
        "# Recordings behind these weights",
        "",
        f"The weights were trained on {count} excerpts of the recordings below. They were cut, scaled, shifted in pitch, filtered and",
        "mixed into scenes; no recording is contained in this folder. Thanks to everybody who shared them.",
    ]
    for licence in sorted(sources):
        lines += ["", f"## {plain_markdown(licence)}", ""]
        if licence in _LICENCES:
            lines += [_LICENCES[licence], ""]
        for author in sorted(sources[licence], key=str.casefold):
            works = [_work(name, repo) for name, repo in sorted(sources[licence][author].items())]
            lines.append(f"- {author}: {', '.join(works)}")
    return "\n".join(lines) + "\n"


def _work(source_id: str, repo: str) -> str:
    """A recording as a reader can find it: its page, or its name and the collection it came from."""
    if source_id.startswith(_FREESOUND) and source_id.removeprefix(_FREESOUND).isalnum():
        return f"<https://freesound.org/s/{source_id.removeprefix(_FREESOUND)}/>"
    return plain_markdown(f"{source_id} ({repo})" if repo else source_id)
