"""Other bytes in the middle of a file that may be larger than memory."""

from typing import BinaryIO

_PIECE = 1 << 22


def splice(file: BinaryIO, at: int, drop: int, new: bytes) -> None:
    """Puts `new` in the place of `drop` bytes at `at`, and moves what follows.

    Args:
        file: open for reading and writing.
        at: where.
        drop: how many bytes go.
        new: what comes instead.
    """
    end = file.seek(0, 2)
    by, rest = len(new) - drop, at + drop
    if by > 0 and rest < end:
        # From the back, so that nothing is overwritten before it was read.
        for start in range(rest + (end - rest - 1) // _PIECE * _PIECE, rest - 1, -_PIECE):
            _move(file, start, min(start + _PIECE, end), by)
    elif by < 0:
        for start in range(rest, end, _PIECE):
            _move(file, start, min(start + _PIECE, end), by)
        file.truncate(end + by)
    file.seek(at)
    file.write(new)


def _move(file: BinaryIO, start: int, stop: int, by: int) -> None:
    file.seek(start)
    piece = file.read(stop - start)
    file.seek(start + by)
    file.write(piece)
