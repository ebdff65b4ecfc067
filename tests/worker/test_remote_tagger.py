"""A tagger in a child process answers as it would here, and its faults are told."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.tagging.front_end import Patches
from recomposer_studio.tagging.tagger import FrameTagger, pooled
from recomposer_studio.worker.lost import WorkerLost
from recomposer_studio.worker.tagger import RemoteTagger
from tests.worker.fake_listener import MEMORY, NONSENSE, STUCK, PatchTagger, StepTagger
from tests.worker.waiting import wait_until

_FAKE = (sys.executable, str(Path(__file__).with_name("fake_listener.py")))


def _start(part: str = "patches") -> RemoteTagger:
    return RemoteTagger.start(part, command=_FAKE)


def _patches(count: int, first: float | None = None) -> Patches:
    patches = np.random.default_rng(count).random((count, 96, 64), np.float32)
    if first is not None:
        patches[0, 0, 0] = first
    return patches


@pytest.mark.parametrize("count", [0, 1, 64, 150])
def test_tags_are_those_of_the_tagger(count: int) -> None:
    with _start() as remote:
        ears = remote.ears()
        assert (ears.name, ears.digest, ears.classes) == ("fake", "00", ("Bark", "Beep, bleep"))
        assert not isinstance(ears, FrameTagger)
        here, there = PatchTagger().tag(_patches(count)), ears.tag(_patches(count))
        np.testing.assert_allclose(there.scores, here.scores, rtol=1e-6)
        np.testing.assert_allclose(there.embeddings, here.embeddings, rtol=1e-6)
        assert there.scores.shape == (count, 2) and there.embeddings.shape == (count, 3)


def test_views_without_order_in_memory_come_through() -> None:
    frames = np.random.default_rng(0).random((400, 64), np.float32)
    cut = np.lib.stride_tricks.sliding_window_view(frames, 96, axis=0)[::10].transpose(0, 2, 1)
    with _start() as remote:
        np.testing.assert_allclose(remote.ears().tag(cut).scores, PatchTagger().tag(cut).scores, rtol=1e-6)


def test_a_tagger_of_frames_stays_one() -> None:
    frames = np.random.default_rng(1).random((40, 64), np.float32)
    with _start("steps") as remote:
        ears = remote.ears()
        assert isinstance(ears, FrameTagger)
        assert ears.event_classes == ("Bark",)
        here, there = StepTagger().sounding(frames), ears.sounding(frames)
        for name in ("classes", "any_event", "onset", "features"):
            np.testing.assert_array_equal(getattr(there, name), getattr(here, name), strict=True)
        boxes = np.stack([pooled(here.features[:4]), pooled(here.features[4:])])
        np.testing.assert_array_equal(ears.names(boxes), StepTagger().names(boxes), strict=True)


def test_faults_are_told_and_the_next_request_starts_afresh() -> None:
    with _start() as remote:
        for code, words in ((MEMORY, "ran out of memory"), (NONSENSE, "gave a senseless answer")):
            with pytest.raises(WorkerLost, match=f"the process of the detector {words}; try again$"):
                remote.ears().tag(_patches(3, code))
        assert len(remote.ears().tag(_patches(3)).scores) == 3


def test_a_refusal_is_the_taggers_own_sentence() -> None:
    with pytest.raises(InputError, match=r"^there is no such tagger; choose another$"):
        _start("refused")


def test_listening_is_cancelled_inside_a_request() -> None:
    wanted, outcome = threading.Event(), []
    with _start() as remote:
        ears = remote.ears(wanted.is_set)

        def listen() -> None:
            try:
                ears.tag(_patches(3, STUCK))
            except Cancelled as error:
                outcome.append(error)

        thread = threading.Thread(target=listen)
        thread.start()
        assert wait_until(lambda: remote._child is not None and "begun" in remote._child.log)
        wanted.set()
        thread.join()
        assert len(outcome) == 1


def test_the_shipped_tagger_listens_and_the_parent_knows_no_runtime() -> None:
    program = (
        "import sys\n"
        "import numpy as np\n"
        "from recomposer_studio.worker.tagger import RemoteTagger\n"
        "with RemoteTagger.start('builtin') as remote:\n"
        "    tags = remote.ears().tag(np.zeros((2, 96, 64), np.float32))\n"
        "print(tags.scores.shape, 'onnxruntime' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=120)
    assert done.stdout.strip() == "(2, 521) False", done.stderr
