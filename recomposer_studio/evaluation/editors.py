"""Who is judged: anything that turns a scene's input and a roll into an estimate of the desired signal.

Product editors - spectral repair and models - go the way of a user's edit: a file, the engine, a file.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.data import data_folder
from recomposer_studio.editing import repair
from recomposer_studio.editing.engine import ENGINE_VERSION, Engine
from recomposer_studio.editing.generator import Generator, MaskRequest, SoundRequest
from recomposer_studio.model import catalogue
from recomposer_studio.project.export import export_take
from recomposer_studio.project.recipe import Recipe, Renderer
from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.roll.labels import LabelTable, read_classes, read_synonyms
from recomposer_studio.roll.text_vectors import TextVectors
from recomposer_studio.training.scene_spec import UNKNOWN_LABEL
from recomposer_studio.training.scenes import Scene

Samples = NDArray[np.floating]
Hidden = Literal["", "action", "class"]

_ACTION_WORDS = frozenset(action.value for action in Action)
SEPARATES = frozenset({Action.DELETE, Action.ENHANCE})


@dataclass(frozen=True)
class Task:
    """What an editor is given: a scene, the roll it is told, and what a model is not to know of it.

    Attributes:
        scene: the scene; product editors look at its `input` alone.
        roll: the rows, among them the scene's edit.
        hidden: `action` gives the model zeros for the action's word, `class` the word for an unknown sound; the engine
            does what the roll says either way.
    """

    scene: Scene
    roll: EventRoll
    hidden: Hidden = ""

    @property
    def row(self) -> Event:
        """The row of the scene's edit."""
        return self.roll.event(self.scene.edit.event_id)


@dataclass(frozen=True)
class Edited:
    """An editor's answer: samples (frames,) at the scene's rate, and the seconds the edit alone took."""

    samples: Samples
    seconds: float = 0.0


class Editor(Protocol):
    """An editor under judgement. Results follow from the task alone."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def digest(self) -> str:
        """Changes when its results may change."""

    @property
    def exact(self) -> bool:
        """Whether it promises to leave every sample outside the regions of the roll as it is."""

    def suits(self, task: Task) -> bool:
        """Whether it can do this task at all."""

    def edit(self, task: Task) -> Edited:
        """Does the task."""


@dataclass(frozen=True)
class EngineEditor:
    """Spectral repair (no generator) or a model, through files and `Engine.render`.

    Attributes:
        name: what tables call it.
        generator: the model, or None for spectral repair.
        actions: actions it can do.
        actionless: makes the same model with zeros for the words of actions, None where that is impossible.
    """

    name: str = "repair"
    generator: Generator | None = None
    actions: frozenset[Action] = SEPARATES
    exact: bool = True
    actionless: Callable[[], Generator] | None = None

    @property
    def digest(self) -> str:
        """The engine's version and the weights, or the constants of spectral repair."""
        constants = (repair.CONTEXT_S, repair.GUARD_S, repair.NOISE, repair.ENOUGH_FRAMES)
        return f"{ENGINE_VERSION}-{self.generator.digest if self.generator else constants}"

    def suits(self, task: Task) -> bool:
        """Spectral repair inserts nothing and reads no words, so there is nothing to hide from it."""
        if task.hidden and (self.generator is None or (task.hidden == "action" and self.actionless is None)):
            return False
        return task.row.action in self.actions

    def edit(self, task: Task) -> Edited:
        """Writes the input as a 32-bit float file, renders, exports and reads the take."""
        return self.render(task.scene.input, task.scene.rate_hz, task.roll, task.hidden)

    def render(self, samples: Samples, rate_hz: int, roll: EventRoll, hidden: Hidden = "") -> Edited:
        """The same for any samples (frames,)."""
        generator = self.generator
        if hidden == "class" and generator is not None:
            generator = _Classless(generator)
        elif hidden == "action" and self.actionless is not None:
            generator = self.actionless()
        recipe = Recipe(renderer=Renderer.MODEL if generator else Renderer.REPAIR)
        return _through_files(Engine(generator), samples, rate_hz, roll, recipe)


@dataclass(frozen=True)
class WholeClipEditor:
    """A model in its other mode: the whole clip is generated anew, edits and all, and nothing of the recording stays.

    Attributes:
        name: what tables call it.
        digest: of the weights.
        generate: samples (frames,), their rate, the roll and a seed to as many samples.
    """

    name: str
    digest: str
    generate: Callable[[Samples, int, EventRoll, int], Samples]
    exact: bool = False

    def suits(self, task: Task) -> bool:
        """Every edit of which nothing is hidden."""
        return not task.hidden

    def edit(self, task: Task) -> Edited:
        """The clip that the model makes of the input and the roll."""
        started = time.perf_counter()
        scene = task.scene
        samples = self.generate(scene.input, scene.rate_hz, task.roll, scene.spec.seed)
        return Edited(samples, time.perf_counter() - started)


@dataclass(frozen=True)
class IdentityEditor:
    """The desired signal itself through files and an empty roll: any distance but 0 is a fault of the way."""

    name: str = "identity"
    digest: str = f"{ENGINE_VERSION}"
    exact: bool = False

    def suits(self, task: Task) -> bool:
        """Every task."""
        return True

    def edit(self, task: Task) -> Edited:
        """Writes, renders nothing, exports and reads."""
        return _through_files(Engine(), task.scene.desired, task.scene.rate_hz, EventRoll(), Recipe())


def _through_files(engine: Engine, samples: Samples, rate_hz: int, roll: EventRoll, recipe: Recipe) -> Edited:
    with tempfile.TemporaryDirectory(prefix="recomposer-") as name:
        before, after = Path(name) / "input.wav", Path(name) / "take.wav"
        sf.write(before, np.asarray(samples, np.float32), rate_hz, "FLOAT")
        with Source.open(before) as source:
            started = time.perf_counter()
            take = engine.render(source, roll, recipe)
            seconds = time.perf_counter() - started
            export_take(take, after, float32=True)
        with Source.open(after) as result:
            return Edited(result.read(0, result.frames)[0], seconds)


@dataclass(frozen=True)
class _Classless:
    """A model that is told the word for an unknown sound."""

    generator: Generator

    @property
    def name(self) -> str:
        return self.generator.name

    @property
    def digest(self) -> str:
        return f"{self.generator.digest} without class"

    @property
    def classes(self) -> frozenset[str]:
        return self.generator.classes

    @property
    def better_than_repair(self) -> frozenset[Action]:
        return self.generator.better_than_repair

    @property
    def rate_hz(self) -> int:
        return self.generator.rate_hz

    def share(self, request: MaskRequest) -> NDArray[np.float64]:
        return self.generator.share(replace(request, event=replace(request.event, label=UNKNOWN_LABEL)))

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        return self.generator.sound(replace(request, event=replace(request.event, label=UNKNOWN_LABEL)))


class ActionlessLabels(LabelTable):
    """The shipped label table with zeros for the words of actions: a model reads nothing there."""

    def __init__(self) -> None:
        """Reads the shipped tables."""
        folder = data_folder("resources")
        super().__init__(read_classes(folder), read_synonyms(folder), TextVectors.load())

    def vector(self, text: str) -> NDArray[np.float32]:
        """The vector of a text, (64,) float32; zeros for an action's word."""
        found = super().vector(text)
        return np.zeros_like(found) if text in _ACTION_WORDS else found


def can_edit(checkpoint: catalogue.Checkpoint) -> bool:
    """Whether a checkpoint holds what any edit needs, and not a codec alone."""
    return bool(_actions(checkpoint))


def _actions(checkpoint: catalogue.Checkpoint) -> frozenset[Action]:
    actions: frozenset[Action] = SEPARATES if "mask" in checkpoint.parts else frozenset()
    if {"codec", "decoder"} <= set(checkpoint.parts):
        actions |= {Action.INSERT}
    return actions


def model_editor(name: str, device: str = "auto") -> EngineEditor:
    """A checkpoint by name or folder as an editor.

    Raises:
        InputError: there is no such checkpoint, it is damaged or the device is not there.
    """
    checkpoint = catalogue.find(name)
    # torch takes seconds to load: only for a model that is there.
    from recomposer_studio.model.checkpoint import load_checkpoint
    from recomposer_studio.model.generator import TorchGenerator, load_generator

    generator = load_generator(checkpoint.folder, device)

    @cache
    def actionless() -> Generator:
        return TorchGenerator(load_checkpoint(checkpoint.folder), generator.device, ActionlessLabels())

    return EngineEditor(checkpoint.name, generator, _actions(checkpoint), actionless=actionless)


def whole_clip_editor(editor: EngineEditor) -> WholeClipEditor | None:
    """A model in its other mode; None where it has none."""
    from recomposer_studio.model.generator import TorchGenerator

    model = editor.generator
    if not isinstance(model, TorchGenerator) or not model.makes_mixtures:
        return None
    return WholeClipEditor(f"{editor.name}, whole clip", model.digest, model.whole_clip)
