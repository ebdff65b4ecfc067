"""Kills an editing session at random moments, again and again, and looks whether anything older than a second was lost.

    python packaging/kill_test.py --times 100

A child process edits: boxes, drags, undo and redo, takes with their sound, mixes, saves. It writes down every state before the
recorder sees it. The parent kills it (SIGKILL, TerminateProcess on Windows) at a random moment and checks that

- the working database is whole, and holds a state that the session really had;
- no state is missing that was there a second before the end;
- the project file, if there is one, is whole and holds a state that the session had.

The next child opens what the last one left, as the window does after a crash, and goes on. Every tenth one starts anew.
"""

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.project.state import State, TakeEntry
from recomposer_studio.project.store.contents import Project
from recomposer_studio.project.store.database import open_file, open_working
from recomposer_studio.project.store.home import Home
from recomposer_studio.project.store.reader import Reader, array_digest
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import Action, Event

RATE_HZ, SECONDS, CHANNELS = 48_000, 20, 2
DURABLE_S = 1.0
ANEW = 10
LONGEST_S = 60.0
FAILED = 3


# --- what both sides know ---------------------------------------------------------------------------------------------


def fingerprint(state: State, index: int, steps: int, text: str) -> str:
    """What tells one moment of a history from the others, down to the samples.

    Args:
        state: the present state.
        index: how many steps are done.
        steps: how many there are.
        text: words of the last one.
    """
    parts = [repr((index, steps, text, state.roll))]
    for entry in state.takes:
        parts.append(repr((entry.id, entry.name, entry.take.roll, entry.take.solo)))
        for layer in entry.take.layers:
            parts.append(
                layer.key + "".join(_digest(_Array(a)) for a in (layer.removed, layer.placed) if a is not None)
            )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class _Array:
    """An array as a key: by its identity, held on to."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __hash__(self) -> int:
        return id(self.array)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Array) and other.array is self.array


@cache
def _digest(key: _Array) -> str:
    return array_digest(key.array)


def recording_in(folder: Path) -> Path:
    """The recording of the session."""
    path = folder / "street.wav"
    if not path.exists():
        noise = np.random.default_rng(1).standard_normal((SECONDS * RATE_HZ, CHANNELS))
        soundfile.write(path, 0.05 * noise, RATE_HZ, "FLOAT")
    return path


# --- the child --------------------------------------------------------------------------------------------------------


def session(folder: Path, seed: int) -> int:
    """Edits until it is killed; returns only when something failed."""
    from PySide6.QtCore import QCoreApplication, QTimer

    from recomposer_studio.studio.document import Document
    from recomposer_studio.studio.projects import Projects

    app = QCoreApplication([])
    dice = random.Random(seed)
    document = Document()
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0))

    def note(index: int) -> None:
        """Writes the present moment down."""
        stack = document.undo_stack
        text = stack.text(stack.count() - 1) if stack.count() else ""
        line = {"at_s": time.time(), "print": fingerprint(document.state, index, stack.count(), text)}
        os.write(log, json.dumps(line).encode() + b"\n")

    # Connected before the projects, so that the log knows of a moment before the recorder does.
    document.undo_stack.indexChanged.connect(note)
    projects = Projects(document, Home(folder / "home"))
    actor = _Actor(document, projects, dice, folder)

    def fail(sentence: str) -> None:
        print(sentence, file=sys.stderr, flush=True)
        app.exit(FAILED)

    def begin(left: list) -> None:
        for other in left[1:]:
            other.place.leave()
        if left:
            projects.recover(left[0])
        elif actor.project.exists():
            projects.open(actor.project)
        else:
            document.open(recording_in(folder))
            timer.start()

    timer = QTimer(interval=0)
    timer.timeout.connect(lambda: (actor.act(), timer.setInterval(dice.choice((2, 5, 20, 60)))))
    projects.failed.connect(fail)
    projects.opened.connect(lambda _: timer.start())
    projects.left_found.connect(begin)
    projects.find_left()
    print("ready", flush=True)
    return app.exec()


class _Actor:
    """What a person does, by dice."""

    def __init__(self, document, projects, dice: random.Random, folder: Path) -> None:
        self.document, self.projects, self.dice = document, projects, dice
        self.project = folder / "song.recomposer"
        self.sound = np.random.default_rng(2)
        self.gesture = 0

    def act(self) -> None:
        """One thing."""
        stack = self.document.undo_stack
        what = self.dice.choices(
            ["box", "drag", "undo", "redo", "take", "mix", "less", "remove", "save"], [8, 8, 3, 2, 2, 4, 1, 2, 1]
        )[0]
        {
            "box": self.box, "drag": self.drag, "undo": stack.undo, "redo": stack.redo, "take": self.take,
            "mix": self.mix, "less": self.less, "remove": self.remove, "save": lambda: self.projects.save(self.project),
        }[what]()  # fmt: skip

    def words(self, what: str) -> str:
        """Words that no other step has."""
        return f"{what} {self.dice.getrandbits(60):x}"

    def box(self) -> None:
        start_s = self.dice.uniform(0, SECONDS - 1)
        event = Event(f"{self.dice.getrandbits(48):x}", Action.DELETE, "Dog", start_s, start_s + 0.7, "row")
        self.document.change_roll(self.words("box"), self.document.roll.with_event(event))

    def drag(self) -> None:
        if not self.document.roll.events:
            return
        if self.dice.random() < 0.3:
            self.gesture += 1
        event = self.document.roll.events[-1]
        moved = replace(event, end_s=event.start_s + self.dice.uniform(0.1, 0.9))
        key = f"drag {self.gesture} {event.id}"
        self.document.change_roll(self.words("drag"), self.document.roll.with_event(moved), key)

    def take(self) -> None:
        source, number = self.document.source, self.document.new_take_id()
        layers = []
        for event in self.document.roll.events[-3:]:
            start, stop = round(event.start_s * RATE_HZ), round(event.end_s * RATE_HZ)
            array = self.sound.standard_normal((CHANNELS, stop - start), np.float32)
            layers.append(Layer(event, start, stop, array, None, "repair", self.words("key"), number))
        take = Take(source, self.document.roll, Recipe(seed=number), "repair", tuple(layers))
        self.document.put_take(self.words("take"), TakeEntry(number, f"Take {number}", take))

    def mix(self) -> None:
        if self.document.takes and self.document.takes[-1].take.layers:
            entry = self.document.takes[-1]
            event_id = entry.take.layers[0].event.id
            take = entry.take.adjusted(event_id, gain_db=self.dice.uniform(-9, 9))
            self.document.change_take(self.words("mix"), replace(entry, take=take))

    def less(self) -> None:
        if len(self.document.takes) > 2:
            state = self.document.state
            self.document.change(self.words("less"), replace(state, takes=state.takes[1:]))

    def remove(self) -> None:
        if len(self.document.roll.events) > 20:
            event = self.dice.choice(self.document.roll.events)
            self.document.change_roll(self.words("remove"), self.document.roll.without(event.id))


# --- the parent -------------------------------------------------------------------------------------------------------


class LossError(Exception):
    """Something was lost or damaged."""


def run_once(folder: Path, seed: int, longest_s: float, durable_s: float) -> dict:
    """One session, killed; what was found.

    Raises:
        LossError: something was lost or damaged.
    """
    recording_in(folder)
    already = len(_lines(folder))
    command = [sys.executable, str(Path(__file__).resolve()), "--session", str(folder), "--seed", str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(random.Random(seed).uniform(0.0, longest_s))
        killed_s = time.time()
        child.kill()
        if child.wait(LONGEST_S) == FAILED:
            raise LossError("the session itself failed")
    edits = len(_lines(folder)) - already
    found = check(folder, killed_s, durable_s)
    # What was lost within the last second is lost: the next session goes on from what was found.
    kept = (folder / "log").read_bytes().split(b"\n")[: found["place"] + 1] if (folder / "log").exists() else []
    (folder / "log").write_bytes(b"".join(line + b"\n" for line in kept))
    return found | {"edits": edits}


def check(folder: Path, killed_s: float, durable_s: float) -> dict:
    """What is left of a killed session.

    Raises:
        LossError: something was lost or damaged.
    """
    lines = _lines(folder)
    places = {line["print"]: place for place, line in enumerate(lines)}
    wanted = [place for place, line in enumerate(lines) if line["at_s"] < killed_s - durable_s]
    with Source.open(folder / "street.wav") as source:
        in_file = _file_place(folder / "song.recomposer", source, places)
        found = max(_working_place(folder / "home", source, places), in_file)
    if wanted and found < wanted[-1]:
        lost_s = killed_s - lines[found + 1]["at_s"]
        raise LossError(f"{wanted[-1] - found} edits were lost, the oldest of them {lost_s:.2f} s before the end")
    missing = [line["at_s"] for line in lines[found + 1 :]]
    return {
        "place": found,
        "age_s": max([killed_s - at_s for at_s in missing], default=0.0),
        "lost": len(missing),
        "project": in_file >= 0,
    }


def _lines(folder: Path) -> list[dict]:
    path = folder / "log"
    if not path.exists():
        return []
    # The last line may be cut by the end.
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


def _file_place(path: Path, source: Source, places: dict[str, int]) -> int:
    """The moment that the project file holds, -1 when there is none."""
    if not path.exists():
        return -1
    with Reader(open_file(path), path) as reader:
        return _place(reader.project(source), places, path)


def _working_place(home: Path, source: Source, places: dict[str, int]) -> int:
    """The latest moment that is offered, -1 when none is."""
    found = [-1]
    for left in Home(home).left():
        if left.problem:
            raise LossError(left.problem)
        database = left.place.database
        connection = open_working(database)
        whole = connection.execute("PRAGMA integrity_check").fetchall()
        if whole != [("ok",)]:
            raise LossError(f"{database}: {whole}")
        with Reader(connection, database) as reader:
            found.append(_place(reader.project(source), places, database))
        left.place.leave()
    return max(found)


def _place(project: Project, places: dict[str, int], path: Path) -> int:
    history = project.history
    text = history.steps[-1].text if history.steps else ""
    place = places.get(fingerprint(history.state, history.index, len(history.steps), text))
    if place is None and history.steps:
        raise LossError(f"{path}: it holds a state that the session never had")
    return -1 if place is None else place  # saved before the first edit


def main() -> int:
    """Runs the sessions and prints what was found.

    Returns:
        Exit status: 0 when nothing was lost, 1 when something was.
    """
    parser = argparse.ArgumentParser(description="Kills editing sessions and looks for what was lost.")
    parser.add_argument("--times", type=int, default=100, help="how often to kill")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sessions and the moments")
    parser.add_argument("--longest", type=float, default=4.0, help="longest session in seconds")
    parser.add_argument(
        "--durable", type=float, default=DURABLE_S, help="what is older than this must be there, in seconds"
    )
    parser.add_argument("--session", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.session is not None:
        return session(arguments.session, arguments.seed)
    results = []
    with tempfile.TemporaryDirectory() as name:
        for number in range(arguments.times):
            folder = Path(name) / f"session {number // ANEW}"
            folder.mkdir(exist_ok=True)
            try:
                results.append(run_once(folder, arguments.seed * 10_000 + number, arguments.longest, arguments.durable))
            except (LossError, InputError) as error:
                print(f"kill {number + 1}: {error}", file=sys.stderr)
                return 1
    edits = sum(result["edits"] for result in results)
    ages = sorted(result["age_s"] for result in results)
    print(
        f"{len(results)} kills, {edits} edits, {sum(result['project'] for result in results)} project files checked: "
        f"no file damaged, no edit older than {arguments.durable:g} s lost; "
        f"the oldest edit lost was {ages[-1]:.2f} s old (median {ages[len(ages) // 2]:.2f} s), "
        f"at most {max(result['lost'] for result in results)} edits at once"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
