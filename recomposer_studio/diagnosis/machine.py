"""Asks the machine: each question in a child process with a deadline, for drivers may crash or hang whoever asks."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

AUDIO = ("recomposer_studio.diagnosis.child", "audio")
GPU = ("recomposer_studio.diagnosis.child", "gpu")
# By name: this room knows no Qt.
WINDOW = ("recomposer_studio.studio.window_check",)
DEADLINE_S = 60.0
"""Loading torch from a cold disk on a busy machine takes half a minute."""
_LOOK_S = 0.1


@dataclass(frozen=True)
class Answer:
    """What a child said.

    Attributes:
        facts: plain values by name.
        problem: why there are none: it crashed, hung, or told what is missing; empty when all is well.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    problem: str = ""


def ask(
    question: tuple[str, ...], deadline_s: float = DEADLINE_S, cancelled: Callable[[], bool] = lambda: False
) -> Answer:
    """Runs a module that prints one JSON object as its last line.

    Args:
        question: the module and its arguments: `AUDIO`, `GPU` or `WINDOW`.
        deadline_s: after so many seconds it is killed.
        cancelled: polled; true kills it.
    """
    command = [sys.executable, "-m", *question]
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            # On Windows a window's child would open a console.
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        return Answer(problem=f"no child process can be started ({error.strerror})")
    until = time.monotonic() + deadline_s
    with child:
        while True:
            try:
                said, complaint = child.communicate(timeout=_LOOK_S)
                break
            except subprocess.TimeoutExpired:
                if time.monotonic() < until and not cancelled():
                    continue
                child.kill()
                child.communicate()
                return Answer(problem="cancelled" if cancelled() else f"no answer within {deadline_s:.0f} s")
    try:
        facts = json.loads(said.strip().splitlines()[-1])
    except (ValueError, IndexError):
        last = next((line.strip() for line in reversed(complaint.splitlines()) if line.strip()), "without a word")
        return Answer(problem=f"ended with {child.returncode}: {last[:300]}")
    if not isinstance(facts, dict):
        return Answer(problem="an answer that makes no sense")
    return Answer({name: value for name, value in facts.items() if name != "problem"}, str(facts.get("problem", "")))
