"""A child process for tests: the real loop around a fake model, or a program that breaks the protocol.

Arguments: the checkpoint's folder (not read, but for its name where a model is told), then what to do as the device.
"""

import io
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.editing.generator import MaskRequest, SoundRequest
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.roll.event import Action
from recomposer_studio.worker import child, frames, serving
from recomposer_studio.worker.frames import Frame
from recomposer_studio.worker.messages import Kind, greeting


@dataclass
class FakeModel:
    """Does what the label of the event says."""

    digest: str = "00"
    name: str = "fake"
    device: str = "cpu"
    rate_hz: int = 32_000
    can_insert: bool = True
    classes: frozenset[str] = frozenset({"Bark"})
    better_than_repair: frozenset[Action] = frozenset({Action.DELETE})

    def share(self, request: MaskRequest) -> NDArray[np.float64]:
        """Half of repair's share, unless the label says otherwise."""
        match request.event.label:
            case "print":
                print("printed to standard output")
                os.write(1, b"written to descriptor 1\n")
                print("printed to standard error", file=sys.stderr)
            case "babble":
                for number in range(5000):
                    print(number, "x" * 40)
                print("y" * 100_000)
            case "read":
                assert sys.stdin.read() == ""
            case "die":
                os._exit(3)
            case "fail":
                raise RuntimeError("a bug in the model")
            case "memory":
                raise MemoryError
            case "torch memory":
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte")
            case "refuse":
                raise InputError("the checkpoint 'fake' cannot separate sounds; use another one")
            case "wrong shape":
                return request.repair[:, :-1]
            case "wrong type":
                return request.repair.astype(np.float32)  # type: ignore[return-value]
            case "deaf":
                print("begun")
                # No thread of this process gets its turn any more: no sign of life, no ear for a cancel.
                sys.setswitchinterval(1e6)
                while True:
                    pass
            case "stuck":
                print("begun")
                threading.Event().wait()
            case "slow":
                print("begun")
                time.sleep(0.3)
        return request.repair / 2.0

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        """As many frames of 10 ms as the sound has, one after another, thirty times as slow where the label says so."""
        sound = np.zeros(round(request.duration_s * self.rate_hz), np.float32)
        for _ in range(round(request.duration_s * 100)):
            if request.cancelled():
                raise Cancelled
            time.sleep(0.3 if request.event.label == "slow steps" else 0.01)
        return sound + np.float32(request.seed % 100 / 100)


def _rogue(how: str, folder: Path) -> None:
    out = io.FileIO(1, "wb", closefd=False)
    match how:
        case "no start":
            threading.Event().wait()
        case "early death":
            print("last words", file=sys.stderr)
            sys.exit(5)
        case "garbage":
            out.write(b"Hello, this is no frame at all.\n" * 3)
        case "long header":
            out.write(b"RcF1\xff\xff\xff\xff" + b"{" * 100)
        case "old protocol":
            hello = greeting(FakeModel())
            frames.write(out, frames.pack(Frame({**hello.header, "protocol": 0})))
        case "unknown answer":
            frames.write(out, frames.pack(Frame({"kind": "song"})))
        case "wrong number":
            frames.write(out, frames.pack(Frame({"kind": Kind.RESULT, "number": 1})))
        case "half frame":
            out.write(b"RcF1\x00")
            return
        case _:
            raise AssertionError(how)
    # Until the parent has seen enough.
    sys.stdin.buffer.read()


def main() -> None:
    """Plays the part that the second argument names."""
    folder, part = Path(sys.argv[1]), sys.argv[2]
    # The tests wait for what it reports.
    serving.BEAT_S = 0.05
    match part:
        case "cpu" | "cuda":
            digest = folder / "digest"
            child.serve(
                lambda: FakeModel(digest=digest.read_text(encoding="utf-8") if digest.exists() else "00", device=part)
            )
        case "slow start":
            child.serve(lambda: time.sleep(0.5) or FakeModel())  # type: ignore[func-returns-value]
        case "refused":

            def refuse() -> FakeModel:
                raise InputError("there is no such device; choose another")

            child.serve(refuse)
        case _:
            _rogue(part, folder)


if __name__ == "__main__":
    main()
