"""The command `recomposer-studio`: opens the window, with a recording, or with the demo scene."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from recomposer_studio import __version__


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(prog="recomposer-studio", description="Edit single sounds inside a recording.")
    parser.add_argument("recording", nargs="?", type=Path, help="a sound file or a project to open")
    parser.add_argument("roll", nargs="?", type=Path, help="its roll, a JSON file")
    parser.add_argument("--demo", action="store_true", help="open the demo scene")
    parser.add_argument("--version", action="version", version=f"recomposer-studio {__version__}")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Opens the window and returns when it is closed.

    Returns:
        Exit status: 0, or 2 for arguments that cannot work.
    """
    arguments = build_parser().parse_args(argv)
    # Qt only now: --help and --version answer also where no window can open.
    from PySide6.QtWidgets import QApplication

    from recomposer_studio.studio.jobs import left_behind
    from recomposer_studio.studio.reports import Reports
    from recomposer_studio.studio.theme import apply_theme
    from recomposer_studio.studio.window import Window

    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName("Recomposer Studio")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName("recomposer-studio")
    window = Window()
    Reports.of(window).install()
    apply_theme(app, window.settings.theme)
    # A small screen, a laptop's say: not every desktop keeps a new window inside it.
    window.resize(window.size().boundedTo(window.screen().availableSize()))
    window.show()
    window.projects.find_left()
    if arguments.recording is not None:
        if window.open(arguments.recording) and arguments.roll is not None:
            window.open(arguments.roll)
    elif arguments.demo:
        window.open_demo()
    status = app.exec()
    window.shut_down()
    if left_behind():
        # All work is safe and every window closed; only a drive that does not answer holds a thread.
        logging.shutdown()
        os._exit(int(status))
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
