"""`recomposer models list`: the checkpoints at hand and what they are good for."""

import argparse

from recomposer_studio.model import catalogue


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("models", help="the models at hand", description=__doc__)
    actions = parser.add_subparsers(dest="models_command", required=True, metavar="COMMAND")
    listing = actions.add_parser("list", help="list the shipped models")
    listing.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    print("repair: spectral repair; delete, enhance; no model, always there")
    default = catalogue.default()
    for checkpoint in catalogue.shipped():
        better = ", ".join(sorted(checkpoint.better_than_repair)) or "nothing"
        mark = " (default)" if default and checkpoint.name == default.name else ""
        print(
            f"{checkpoint.name}{mark}: {', '.join(checkpoint.parts)}; {checkpoint.megabytes:.1f} MB; "
            f"trained on {len(checkpoint.classes)} classes; beats spectral repair on validation in: {better}"
        )
        print(f"  {checkpoint.folder}")
