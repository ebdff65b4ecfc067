"""`recomposer recipe`: what an exported take says about how it was made."""

import argparse
import json
from pathlib import Path

from recomposer_studio.audio.atomic import atomic_path, same_file, write_error
from recomposer_studio.errors import InputError
from recomposer_studio.project.embedded import embedded_recipe, recipe_roll
from recomposer_studio.roll.file import format_roll


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("recipe", help="show the recipe that a take carries", description=__doc__)
    parser.add_argument("take", type=Path, metavar="TAKE", help="a WAV or FLAC file that was exported with its recipe")
    parser.add_argument("--roll", type=Path, metavar="FILE.json", help="write the roll of the recipe there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    document = embedded_recipe(arguments.take)
    out: Path | None = arguments.roll
    if out is not None:
        if same_file(out, arguments.take):
            raise InputError(f"{out}: this file is an input and is never overwritten; choose another name")
        with atomic_path(out) as part:
            try:
                text = format_roll(recipe_roll(document, str(arguments.take)))
                part.write_text(text, encoding="utf-8", newline="\n")
            except OSError as error:
                raise write_error(out, error) from error
    print(json.dumps(document, indent=1, ensure_ascii=False))
