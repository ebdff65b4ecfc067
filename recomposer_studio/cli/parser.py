"""Argument parsing of every command."""

import argparse
from importlib import import_module
from typing import NoReturn

from recomposer_studio import __version__

COMMANDS = ("edit", "tag", "labels", "recipe", "demo", "picture", "models", "scenes", "evaluate", "train", "doctor")
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
