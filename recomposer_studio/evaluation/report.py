"""The report of an evaluation: `report.json` for programs, `report.md` for people."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recomposer_studio import __version__
from recomposer_studio.audio.atomic import atomic_path
from recomposer_studio.evaluation.pictures import Example
from recomposer_studio.evaluation.tables import Table
from recomposer_studio.training.markdown import plain_markdown

_METHOD = """\
Scenes are composed from recordings of one split: a background at -26 dBFS, the target in its true box, and in overlap
scenes a second background and another event (0 ... 13 dB over the backgrounds) that covers at least half of the target. Levels
count over the backgrounds alone: Delete and Insert targets 10 +- 3 dB, Enhance from -6 +- 3 dB to 10 +- 3 dB.

**MSD** compares 64-band log-mel magnitudes at six window lengths, **KLD** the class scores of a classifier; both over the
frames of the true box (target), half a second either side (skirt) and the rest (nontarget). A ratio is the sum over scenes of
the editor's distance by the sum of the input's; brackets hold the 90 % bootstrap interval over scenes.

**Editors.** *input* changes nothing. *identity* is the desired signal through files and an empty roll. *copy* fades the
neighbouring second into the box. *repair* is spectral repair, the classical editor of the product. *oracle* is the ideal gain per
band and frame on the product's 64-band grid, knowing the desired signal. *real* (Insert) is another recording of the class
from another source, as loud as the wanted one. *codec* is the desired signal encoded and decoded. Models and repair run
through files and the engine as a user's edit does."""


@dataclass(frozen=True)
class Report:
    """All that is known after an evaluation.

    Attributes:
        settings: what was asked for, as plain values.
        command: a command line that repeats it.
        editors: name and digest of every editor.
        scorer: the classifier, None without.
        checks: (sentence, whether it holds).
        remarks: what was left out, and why.
        tables: by study.
        histograms: pictures.
        examples: scenes to look at and to hear.
    """

    settings: Mapping[str, Any]
    command: str
    editors: Mapping[str, str]
    scorer: str | None
    checks: Sequence[tuple[str, bool]]
    remarks: Sequence[str]
    tables: Mapping[str, Sequence[Table]]
    histograms: Sequence[Path] = ()
    examples: Sequence[Example] = ()

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Writes both files into an existing folder.

        Raises:
            InputError: they cannot be written.
        """
        paths = folder / "report.json", folder / "report.md"
        for path, text in zip(paths, (json.dumps(self.as_json(folder), indent=1), self.markdown(folder)), strict=True):
            with atomic_path(path) as part:
                part.write_text(text.rstrip() + "\n", encoding="utf-8", newline="\n")
        return paths

    def as_json(self, folder: Path) -> dict[str, Any]:
        """Plain values; paths are relative to the folder."""
        return {
            "format_version": 1,
            "program": f"recomposer-studio {__version__}",
            "settings": dict(self.settings),
            "command": self.command,
            "machine": machine(),
            "editors": dict(self.editors),
            "classifier": self.scorer,
            "checks": [{"check": sentence, "holds": holds} for sentence, holds in self.checks],
            "remarks": list(self.remarks),
            "studies": {name: [table.as_json() for table in tables] for name, tables in self.tables.items()},
            "histograms": [_within(path, folder) for path in self.histograms],
            "examples": [
                {
                    "editor": example.editor,
                    "action": example.action,
                    "rank": example.rank,
                    "caption": example.caption,
                    "picture": _within(example.picture, folder),
                    "sounds": [_within(path, folder) for path in example.sounds],
                }
                for example in self.examples
            ],
        }

    def markdown(self, folder: Path) -> str:
        """The report for people; links are relative to the folder."""
        lines = [
            "# Evaluation",
            "",
            f"recomposer-studio {__version__}; {machine()}.",
            "",
            "```",
            self.command,
            "```",
            "",
        ]
        lines += ["## Method", "", _METHOD, ""]
        lines += [f"Classifier: {self.scorer}." if self.scorer else _NO_CLASSIFIER, ""]
        lines += ["## Checks", ""]
        lines += [f"- {'holds' if holds else '**FAILS**'}: {sentence}" for sentence, holds in self.checks]
        if self.remarks:
            lines += ["", "## Remarks", ""] + [f"- {remark}" for remark in self.remarks]
        for name, tables in self.tables.items():
            lines += ["", f"## Study: {name}", ""]
            lines += [table.markdown() for table in tables]
        if self.histograms:
            lines += [
                "## Histograms",
                "",
                "Target frames on the left, the whole clip on the right; the mark is the mean.",
                "",
            ]
            lines += [f"![{path.stem}]({_within(path, folder)})" for path in self.histograms]
        if self.examples:
            lines += ["", "## Best, median and worst scenes", ""]
        for example in self.examples:
            sounds = ", ".join(f"[{path.stem.rsplit('-', 1)[1]}]({_within(path, folder)})" for path in example.sounds)
            lines += [f"**{example.editor}, {example.rank}**: {plain_markdown(example.caption)}. {sounds}", ""]
            lines += [f"![{example.picture.stem}]({_within(example.picture, folder)})", ""]
        return "\n".join(lines)


_NO_CLASSIFIER = (
    "No classifier was given (`--yamnet`), none is installed and the built-in one cannot run, so there are no KLD columns, no "
    "top-5 rates and no scores: MSD alone says little about Insert."
)


def machine() -> str:
    """Processor, number of logical processors and operating system, in words."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, UnicodeDecodeError):
        pass
    return f"{name}, {os.cpu_count()} logical processors, {platform.system()}, Python {platform.python_version()}"


def _within(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
