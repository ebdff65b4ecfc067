"""The process in which damaged files are read: `python -m tests.hostile.child KIND SEED FIRST LAST FOLDER`.

It may crash, hang or fill the memory: `watch.py` looks on. It says what it does on standard output, a JSON object a line.
"""

import json
import os
import shutil
import sys
import time
import traceback
import unicodedata
from pathlib import Path

import psutil

from recomposer_studio.errors import InputError
from tests.hostile.targets import TARGETS, Files

_ROOM_BYTES = 3 * 2**30
"""Address space that reading may take beyond what the process has at first, where the system can limit it."""
_WRITES = {
    "os.mkdir": 0,
    "os.remove": 0,
    "os.rmdir": 0,
    "os.truncate": 0,
    "os.chmod": 0,
    "os.rename": 1,
    "os.link": 1,
    "os.symlink": 1,
}
"""Audit event -> which of its arguments is the path that changes."""
_FORBIDDEN = (
    "pickle.find_class",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "socket.connect",
    "socket.getaddrinfo",
)
_OPEN_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Guard:
    """Notes what reading a file does besides: writes outside a folder, programs, connections, unpickling.

    Python tells every such step to its audit hooks, so nothing needs to be replaced.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self.on = False
        self.notes: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self.on:
            return
        if event.startswith(_FORBIDDEN):
            self.notes.append(f"{event} {arguments[:2]!r}"[:300])
        elif event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _OPEN_TO_WRITE:
                self._check(event, path)
        elif event in _WRITES:
            self._check(event, arguments[_WRITES[event]])

    def _check(self, event: str, path: object) -> None:
        # Names alone, no look at the disk: this runs inside the step itself.
        if isinstance(path, str | bytes | os.PathLike):
            place = os.path.normpath(os.path.join(self._folder, os.fsdecode(path)))  # noqa: PTH118
            if not Path(place).is_relative_to(self._folder) and place != os.devnull:
                self.notes.append(f"{event} {place}"[:300])


def outcome_of(kind: str, files: Files, folder: Path, guard: Guard) -> tuple[str, str]:
    """Reads a case.

    Returns:
        "accepted", "refused" or "finding", and what there is to say.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    guard.notes.clear()
    guard.on = True
    try:
        TARGETS[kind].read(folder)
    except InputError as error:
        result = ("refused", str(error))
    except BaseException:
        result = ("finding", traceback.format_exc()[-2_000:])
    else:
        result = ("accepted", "")
    finally:
        guard.on = False
    if guard.notes:
        return "finding", "; ".join(guard.notes)
    if result[0] == "refused" and (not 10 < len(result[1]) < 1_500 or any(map(steers, result[1]))):
        return "finding", f"a refusal that is no plain sentence: {result[1]!r}"[:2_000]
    return result


def steers(character: str) -> bool:
    """Whether a character does something to a terminal or a text, besides being seen."""
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
        or character in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
    )


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows: the parent's look at the memory has to do
        return
    size = psutil.Process().memory_info().vms + _ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main() -> None:
    """Reads the whole files, then the damaged ones."""
    kind, seed, first, last, place = (
        sys.argv[1],
        int(sys.argv[2]),
        int(sys.argv[3]),
        int(sys.argv[4]),
        Path(sys.argv[5]),
    )
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what a library prints is no part of the protocol

    def say(**words: object) -> None:
        out.write(json.dumps(words) + "\n")

    target, guard, folder = TARGETS[kind], Guard(place), place / "case"
    for files in target.whole():
        outcome, words = outcome_of(kind, files, folder, guard)
        if outcome != "accepted":
            say(event="whole", words=f"the whole file is {outcome}: {words}")
            return
    _limit_memory()
    process = psutil.Process()
    say(event="ready", rss=process.memory_info().rss)
    for number in range(first, last):
        files = target.case(seed, number)
        say(event="begin", number=number)
        began = time.process_time()
        outcome, words = outcome_of(kind, files, folder, guard)
        spent_s = time.process_time() - began
        say(event="end", number=number, outcome=outcome, words=words, spent_s=spent_s, rss=process.memory_info().rss)


if __name__ == "__main__":
    main()
