"""The `recomposer` command: argument parsing, one-line errors, exit status."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from recomposer_studio import __version__
from recomposer_studio.errors import InputError

COMMANDS = ("edit", "demo", "picture", "models", "scenes", "train", "evaluate")
"""Every command lives in a module of its own name beside this one, with `add(parsers)` and `run(arguments)`."""


class _Parser(argparse.ArgumentParser):
    """Errors in one line, without the usage block; `--help` shows that."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    parser = _Parser(prog="recomposer", description="Edit single sound events inside real recordings.")
    parser.add_argument("--version", action="version", version=f"recomposer {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name in COMMANDS:
        import_module(f"recomposer_studio.cli.{name}").add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        Exit status: 0 done, 2 a bad input (told in one line on standard error), 130 interrupted.
    """
    arguments = build_parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except InputError as error:
        return _fail(str(error), 2)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing was written", 130)
    except BrokenPipeError:
        # Whoever read the output has gone; closing it again at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _fail(sentence: str, status: int) -> int:
    print(f"recomposer: {' '.join(sentence.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
