"""`recomposer doctor`: looks whether everything the program needs is there, and says what to do where it is not."""

import argparse
import sys
from pathlib import Path

from recomposer_studio import __version__
from recomposer_studio.audio.atomic import atomic_path, write_error
from recomposer_studio.diagnosis.checks import Finding, Level, examine
from recomposer_studio.diagnosis.versions import facts


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser(
        "doctor",
        help="look what is missing and what to do",
        description=__doc__,
        epilog="Exit status 1 when it cannot run.",
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what was found as text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command.

    Raises:
        SystemExit: with status 1, when the program cannot run as it is.
        InputError: the report cannot be written.
    """
    head = f"Recomposer Studio {__version__}"
    print(head, flush=True)
    lines: list[str] = [head]
    problems = 0
    for finding in examine():
        text = shown(finding)
        print(text, flush=True)
        lines.append(text)
        problems += finding.level is Level.PROBLEM
    verdict = (
        f"{problems} problem{'s' * (problems != 1)} to mend first."
        if problems
        else "Everything that is needed is there."
    )
    print(verdict)
    if arguments.report is not None:
        known = [f"{name}: {value}" for name, value in facts().items()]
        _write(arguments.report, "\n".join([*lines, verdict, "", *known]) + "\n")
        print(f"wrote {arguments.report}")
    if problems:
        sys.stdout.flush()
        raise SystemExit(1)


def shown(finding: Finding) -> str:
    """A finding as one or two lines."""
    words = " ".join(finding.words.split())
    line = f"{finding.level.value:<8} {finding.topic}: {words}"
    return f"{line}\n{'':<8} -> {finding.remedy}" if finding.remedy else line


def _write(path: Path, text: str) -> None:
    # The folder of a person often bears the person's name.
    text = text.replace(str(Path.home()), "~")
    with atomic_path(path) as part:
        try:
            part.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise write_error(path, error) from error
