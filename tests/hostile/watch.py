"""Looks on while a child reads damaged files: a crash, a hang or memory without end is a finding, and the next child goes on behind it."""

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psutil

ROOT = Path(__file__).resolve().parents[2]
HANG_S = 30.0
"""No damaged file takes more seconds of the processor; seconds on the wall say little on a busy machine."""
ASLEEP_S = 240.0
"""Nor does it sleep so long."""
START_S = 120.0
MEMORY_BYTES = 1 << 30
"""What one file may add to the process, and what all of them together may leave behind."""
_LOOK_S = 0.02


@dataclass(frozen=True)
class Finding:
    """Something that a damaged file must not do.

    Attributes:
        kind: which reader.
        number: of the case; with kind and seed it can be made again.
        words: what happened.
    """

    kind: str
    number: int
    words: str


@dataclass
class Tally:
    """How the cases of a kind went."""

    kind: str
    refused: int = 0
    accepted: int = 0
    spent_s: float = 0.0
    worst_s: float = 0.0
    worst_bytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """Cases that were read."""
        return self.refused + self.accepted + len(self.findings)


def attack(kind: str, seed: int, first: int, last: int, look: Callable[[int], None] = lambda number: None) -> Tally:
    """Reads the cases of a kind in child processes.

    Args:
        kind: a key of `targets.TARGETS`.
        seed: of the damage.
        first: number of the first case.
        last: number behind the last one.
        look: called with every number that is begun.
    """
    tally = Tally(kind)
    while first < last and len(tally.findings) < 50:
        with tempfile.TemporaryDirectory(prefix="hostile-", ignore_cleanup_errors=True) as folder:
            first = _one_child(tally, seed, first, last, Path(folder), look)
    return tally


def _one_child(tally: Tally, seed: int, first: int, last: int, folder: Path, look: Callable[[int], None]) -> int:
    """Runs a child until it is through or lost; returns the number to go on with."""
    log = folder / "stderr"
    # Temporary files of the reader are to lie in the folder that is watched.
    environment = {**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder)), "PYTHONFAULTHANDLER": "1"}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.hostile.child", tally.kind, str(seed), str(first), str(last), str(folder)]
    with log.open("wb") as complaints, subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, encoding="utf-8"
    ) as child:  # fmt: skip
        assert child.stdout is not None
        lines: queue.Queue[str | None] = queue.Queue()
        reader = threading.Thread(target=_drain, args=(child.stdout, lines), daemon=True)
        reader.start()
        try:
            number, fault = _follow(tally, child.pid, lines, first, look)
        finally:
            child.kill()
            reader.join()
    if number < last and not fault:
        fault = f"the process ended with {child.returncode}"
    if fault:
        tail = log.read_text(encoding="utf-8", errors="replace")[-1_500:].strip()
        tally.findings.append(Finding(tally.kind, number, f"{fault}\n{tail}".strip()))
        return last if "whole file" in fault or "did not start" in fault else number + 1
    return last


def _follow(
    tally: Tally, pid: int, lines: "queue.Queue[str | None]", number: int, look: Callable[[int], None]
) -> tuple[int, str]:
    """Follows what the child says; returns the number of the case it ended in, and why it has to be ended, if so."""
    process = psutil.Process(pid)
    base: int | None = None
    since, limit_s, worked_s = time.monotonic(), START_S, 0.0
    while True:
        try:
            line = lines.get(timeout=_LOOK_S)
        except queue.Empty:
            line = ""
        if line is None:
            return number, "" if base is not None else f"the child did not start for case {number}"
        if base is not None:
            try:
                grown = process.memory_info().rss - base
            except psutil.NoSuchProcess:
                grown = 0
            tally.worst_bytes = max(tally.worst_bytes, grown)
            if grown > MEMORY_BYTES:
                return number, f"the memory grew by {grown / 2**20:.0f} MiB"
        if not line:
            if time.monotonic() - since > limit_s:
                return number, f"no answer for {limit_s:.0f} s"
            if base is not None and _processor_s(process) - worked_s > HANG_S:
                return number, f"no answer for {HANG_S:.0f} s of the processor"
            continue
        said = json.loads(line)
        since, limit_s, worked_s = time.monotonic(), ASLEEP_S, _processor_s(process)
        if said["event"] == "whole":
            return number, said["words"]
        if said["event"] == "ready":
            base = said["rss"]
        elif said["event"] == "begin":
            number = said["number"]
            look(number)
        else:
            number = said["number"] + 1
            tally.spent_s += said["spent_s"]
            tally.worst_s = max(tally.worst_s, said["spent_s"])
            if said["outcome"] == "finding":
                tally.findings.append(Finding(tally.kind, said["number"], said["words"]))
            else:
                tally.refused += said["outcome"] == "refused"
                tally.accepted += said["outcome"] == "accepted"


def _processor_s(process: psutil.Process) -> float:
    """Seconds of the processor that a process has had; none for one that has gone."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _drain(stream: IO[str], lines: "queue.Queue[str | None]") -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)
