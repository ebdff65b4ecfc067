"""Results on disk, one line each, so that an interrupted evaluation goes on where it stopped."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.cases import Case
from recomposer_studio.evaluation.editors import Editor
from recomposer_studio.evaluation.measures import Values
from recomposer_studio.evaluation.provenance import events_digest, recordings_digest
from recomposer_studio.training.cache import SplitAudio


class Results:
    """Values by case and editor; None where an editor cannot do a case.

    Args:
        path: file of one JSON object a line, made when absent.
        scorer: name of the classifier in use, None without.
        audio: the recordings that scenes are composed of; with them a changed recording makes another result.
        training: gives the recordings of the training split, for cases that look for a sound among them.

    Raises:
        InputError: the file cannot be read.
    """

    def __init__(
        self,
        path: Path,
        scorer: str | None = None,
        audio: SplitAudio | None = None,
        training: Callable[[], SplitAudio] | None = None,
    ) -> None:
        """Reads what is there; a line cut short by an interruption is left out."""
        self._path, self._scorer, self._audio, self._training = path, scorer, audio, training
        self._values: dict[str, Values | None] = {}
        self._whole = True
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: results of an earlier run cannot be read; name another folder") from error
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                self._values[entry["key"]] = entry["values"]
            except (ValueError, KeyError, TypeError):
                continue
        self._whole = not text or text.endswith("\n")

    def __len__(self) -> int:
        """Number of results."""
        return len(self._values)

    def key(self, case: Case, editor: Editor) -> str:
        """Names a result."""
        recordings = recordings_digest(self._audio, case.spec) if self._audio else ""
        if case.memory and self._training:
            recordings = f"{recordings} {events_digest(self._training())}"
        return case.key(editor, self._scorer, recordings)

    def training_event(self, number: int) -> str:
        """What a training event is called, by its number in the training split: its file."""
        return self._training().events[number].key if self._training else str(number)

    def has(self, case: Case, editor: Editor) -> bool:
        """Whether the result is known."""
        return self.key(case, editor) in self._values

    def get(self, case: Case, editor: Editor) -> Values | None:
        """The values, None when there are none."""
        return self._values.get(self.key(case, editor))

    def add(self, case: Case, editor: Editor, values: Values | None) -> None:
        """Keeps a result, in memory and in the file.

        Raises:
            InputError: the file cannot be written.
        """
        key = self.key(case, editor)
        entry = {
            "key": key,
            "study": case.study,
            "group": case.group,
            "seed": case.spec.seed,
            "editor": editor.name,
            "digest": editor.digest,
            "values": values,
        }
        try:
            with self._path.open("a", encoding="utf-8", newline="\n") as file:
                file.write(("" if self._whole else "\n") + json.dumps(entry) + "\n")
        except OSError as error:
            raise InputError(f"{self._path}: results cannot be written ({error.strerror}); free some space") from error
        self._whole = True
        self._values[key] = values

    def pairs(self, cases: Sequence[Case], editor: Editor, base: Editor) -> list[tuple[Values, Values]]:
        """(editor's values, base's values) of the cases that both have done."""
        found = [(self.get(case, editor), self.get(case, base)) for case in cases]
        return [(mine, other) for mine, other in found if mine is not None and other is not None]
