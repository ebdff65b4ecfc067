"""The `recomposer` command: one-line errors and the exit status. Everything else is imported under its protection."""

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        Exit status: 0 done, 1 nobody could be told the result, 2 a bad input (told in one line on standard error), 130 interrupted.
    """
    try:
        # A label in any script must not fail on a console that lacks it.
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        from recomposer_studio.cli.parser import build_parser
        from recomposer_studio.errors import InputError

        arguments = build_parser().parse_args(argv)
        try:
            arguments.run(arguments)
        except InputError as error:
            return _fail(str(error), 2)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except BrokenPipeError:
        return _unheard()
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        return _unheard()
    return 0


def _unheard() -> int:
    """Whoever read the output has gone or its disk is full; closing it again at exit must not complain either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _fail(sentence: str, status: int) -> int:
    if sys.stderr is not None:
        print(f"recomposer: {' '.join(sentence.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
