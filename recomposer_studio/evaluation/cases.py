"""One question to the editors: a scene, the roll they are told, and the row of a table it counts for."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Literal

from recomposer_studio.evaluation.editors import Editor, Hidden, Task
from recomposer_studio.evaluation.provenance import running_code
from recomposer_studio.roll.event import Action, EventRoll
from recomposer_studio.training.cache import SplitAudio
from recomposer_studio.training.drawing import draw_spec
from recomposer_studio.training.scene_spec import Kind, SceneOptions, SceneSpec
from recomposer_studio.training.scenes import Scene


@dataclass(frozen=True)
class Case:
    """A scene with a question.

    Attributes:
        study: the study it belongs to.
        group: the cells that name its row in the study's table.
        spec: the scene.
        keep: whether keep rows are told too.
        whole_clip: whether the row's box is the whole clip.
        label: another label for the row, None for the scene's own.
        hidden: what a model is not told.
        rounds: rounds of inserting and deleting; 0 for a single edit.
        memory: whether the sound that was inserted is looked for among the training events, and nothing else is measured.
    """

    study: str
    group: tuple[str, ...]
    spec: SceneSpec
    keep: bool = False
    whole_clip: bool = False
    label: str | None = None
    hidden: Hidden = ""
    rounds: int = 0
    memory: bool = False

    def task(self, scene: Scene) -> Task:
        """The task on the rendered scene."""
        row = next(row for row in scene.events if row.id == scene.edit.event_id)
        if self.whole_clip:
            row = replace(row, start_s=0.0, end_s=len(scene.input) / scene.rate_hz)
        if self.label is not None:
            row = replace(row, label=self.label)
        kept = [other for other in scene.events if other.action is Action.KEEP] if self.keep else []
        return Task(scene, EventRoll((row, *kept)), self.hidden)

    def key(self, editor: Editor, scorer: str | None, recordings: str = "") -> str:
        """Names the result: scene, question, editor, classifier, recordings and the code that measures."""
        facts = [
            self.spec.to_json(),
            [self.keep, self.whole_clip, self.label, self.hidden, self.rounds, self.memory],
            [editor.name, editor.digest],
            scorer,
            recordings,
            running_code(),
        ]
        return hashlib.sha256(json.dumps(facts).encode("utf-8")).hexdigest()[:32]


@dataclass(frozen=True)
class Sampler:
    """Draws the scenes of all studies; a study's scenes number n share their recordings with those of the others.

    Attributes:
        audio: decoded recordings of the split.
        scenes: scenes per row of a table.
        seed: seed of the first scene.
        duration_s: length of a scene in seconds.
        classes: classes that targets come from, None for all.
        max_yamnet_rank: targets only from files whose class YAMNet ranks at least so high, None for all.
        kinds: scenes of these kinds alone, empty for all.
        actions: scenes of these actions alone, empty for all.
    """

    audio: SplitAudio
    scenes: int
    seed: int = 0
    duration_s: float = 10.0
    classes: tuple[str, ...] | None = None
    max_yamnet_rank: int | None = None
    kinds: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    def specs(
        self,
        kind: Kind,
        action: str,
        *,
        boxes: Literal["truth", "drawn"] = "truth",
        swap: bool = False,
        tbr_db: tuple[float, float] | None = None,
        input_tbr_db: tuple[float, float] | None = None,
        all_kept: bool = False,
    ) -> list[SceneSpec]:
        """Scenes of one kind and action; none where the kind or the action was not chosen.

        Args:
            kind: plain, overlap or decoy.
            action: delete, insert or enhance.
            boxes: the true boxes, or as people draw them.
            swap: the row names the other event in the box.
            tbr_db: another range of levels of the target (Enhance: in the desired output).
            input_tbr_db: another range of Enhance levels in the input.
            all_kept: every event over the target has a keep row.

        Raises:
            InputError: the recordings cannot fill such a scene.
        """
        if (self.kinds and kind not in self.kinds) or (self.actions and action not in self.actions):
            return []
        options = SceneOptions(classes=self.classes, max_yamnet_rank=self.max_yamnet_rank, boxes=boxes, swap=swap)
        if tbr_db is not None:
            options = replace(options, tbr_db=tbr_db)
        if input_tbr_db is not None:
            options = replace(options, enhance_input_tbr_db=input_tbr_db)
        if all_kept:
            options = replace(options, keep_share=1.0)
        return [
            draw_spec(self.audio, self.seed + number, kind, action, self.duration_s, options)
            for number in range(self.scenes)
        ]
