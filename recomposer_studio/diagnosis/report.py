"""A report that a person can read, copy and send: what runs where, what was done last, what went wrong; nothing that is theirs."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from recomposer_studio.diagnosis.machine import Answer
from recomposer_studio.diagnosis.privacy import plain
from recomposer_studio.diagnosis.versions import facts
from recomposer_studio.roll.event import EventRoll

ASKING = "being asked ..."


@dataclass(frozen=True)
class Situation:
    """What was going on in the window.

    Attributes:
        recording: format, rate, channels and length of the open recording; empty when none is.
        roll: how many boxes of which action.
        takes: how many takes there are.
        model: the model and where it ran last.
        window: Qt, its platform and the screen.
        words: names that must not appear: files, labels, the account.
    """

    recording: str = ""
    roll: str = ""
    takes: int = 0
    model: str = ""
    window: str = ""
    words: tuple[str, ...] = field(default=(), repr=False)


def roll_facts(roll: EventRoll) -> str:
    """How many boxes a roll has, by action; no labels."""
    counts = Counter(event.action.value for event in roll.events)
    return ", ".join(f"{count} {action}" for action, count in sorted(counts.items())) or "empty"


def device_facts(audio: Answer | None, gpu: Answer | None, words: Sequence[str] = ()) -> dict[str, str]:
    """What the machine answered; None for a question that is still under way."""
    found = {"sound output": ASKING, "GPU": ASKING}
    if audio is not None:
        default = str(audio.facts.get("default") or "none")
        trouble = f" ({plain(audio.problem, words)})" if audio.problem else ""
        found["sound output"] = plain(default, words, quoted=False) + trouble
    if gpu is not None:
        names = ", ".join(gpu.facts.get("cuda") or []) or "none that torch can use"
        providers = ", ".join(gpu.facts.get("providers") or [])
        trouble = f" ({plain(gpu.problem, words)})" if gpu.problem else ""
        found["GPU"] = f"{names}; ONNX Runtime: {providers or 'none'}{trouble}"
    return found


def compose(
    situation: Situation,
    devices: Mapping[str, str],
    actions: Sequence[str],
    trouble: Sequence[str] = (),
    now_s: float | None = None,
) -> str:
    """The report as text.

    Args:
        situation: what was going on.
        devices: what `device_facts` gave.
        actions: what the person triggered last, oldest first.
        trouble: errors as `privacy.error_text` gives them.
        now_s: the time that it bears; None for now.
    """
    when = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(now_s))
    known = {
        **facts(), "window": situation.window, "recording": situation.recording or "none", "roll": situation.roll,
        "takes": str(situation.takes), "model": situation.model or "none", **devices,
    }  # fmt: skip
    parts = [
        f"Recomposer Studio, report of {when}",
        "\n".join(f"{name}: {value}" for name, value in known.items() if value),
    ]
    parts.append("Last actions:\n" + ("\n".join(f"  {line}" for line in actions) or "  none"))
    for number, text in enumerate(trouble, start=1):
        parts.append(f"Error {number} of {len(trouble)}:\n{text.rstrip()}")
    return "\n\n".join(parts) + "\n"
