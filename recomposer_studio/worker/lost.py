"""How the loss of a child process is told."""

import signal

from recomposer_studio.errors import InputError
from recomposer_studio.worker.messages import OUT_OF_MEMORY

# The child's own code, and Windows' STATUS_NO_MEMORY and STATUS_COMMITMENT_LIMIT.
_MEMORY_CODES = {OUT_OF_MEMORY, 0xC0000017, 0xC000012D}
# SIGKILL, which is Linux' answer to a full memory; the name is unknown to Windows.
_KILLED = -9


class WorkerLost(InputError):  # noqa: N818 - it says what happened
    """The process that holds the model is gone; the next request starts a fresh one.

    Attributes:
        log: the last lines that it wrote to its standard error, for a details button.
    """

    def __init__(self, what: str, device: str, log: tuple[str, ...] = ()) -> None:
        """Args: what: what happened, a clause; device: where the model ran or was to run; log: its last lines."""
        instead = "spectral repair" if device == "cpu" else "spectral repair or the CPU"
        super().__init__(f"{what}; try again, or use {instead} instead")
        self.log = log


def how_it_ended(exit_code: int | None) -> str:
    """A clause about a process that ended by itself; None for one that closed its output and stayed."""
    if exit_code in _MEMORY_CODES:
        return "the process of the model ran out of memory"
    if exit_code == _KILLED:
        return "the process of the model was ended by the system, most likely because memory ran out"
    if exit_code is None:
        return "the process of the model closed the connection"
    if exit_code < 0:
        try:
            return f"the process of the model crashed ({signal.Signals(-exit_code).name})"
        except ValueError:
            pass
    return f"the process of the model ended unexpectedly (exit code {exit_code})"
