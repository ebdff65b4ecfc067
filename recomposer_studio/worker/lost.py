"""How the loss of a child process is told."""

import signal

from recomposer_studio.errors import InputError
from recomposer_studio.worker.messages import OUT_OF_MEMORY

# The child's own code, and Windows' STATUS_NO_MEMORY and STATUS_COMMITMENT_LIMIT.
_MEMORY_CODES = {OUT_OF_MEMORY, 0xC0000017, 0xC000012D}
# SIGKILL, which is Linux' answer to a full memory; the name is unknown to Windows.
_KILLED = -9


class WorkerLost(InputError):  # noqa: N818 - it says what happened
    """The process that holds a network is gone; the next request starts a fresh one.

    Attributes:
        device: where the network ran or was to run.
        log: the last lines that the process wrote to its standard error, for a details button.
    """

    def __init__(self, what: str, device: str, log: tuple[str, ...] = (), instead: str = "spectral repair") -> None:
        """Args: what: what happened, a clause; device, log: see above; instead: what does the work without it, or empty."""
        ways = [way for way in (instead, "" if device == "cpu" else "the CPU") if way]
        remedy = f"try again, or use {' or '.join(ways)} instead" if ways else "try again"
        super().__init__(f"{what}; {remedy}")
        self.device = device
        self.log = log


def how_it_ended(exit_code: int | None) -> str:
    """What a process that ended by itself did; None for one that closed its output and stayed."""
    if exit_code in _MEMORY_CODES:
        return "ran out of memory"
    if exit_code == _KILLED:
        return "was ended by the system, most likely because memory ran out"
    if exit_code is None:
        return "closed the connection"
    if exit_code < 0:
        try:
            return f"crashed ({signal.Signals(-exit_code).name})"
        except ValueError:
            pass
    return f"ended unexpectedly (exit code {exit_code})"
