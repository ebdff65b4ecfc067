"""KLD equals its definition; only patches that changed are scored."""

import hashlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.evaluation import scorers
from recomposer_studio.evaluation.kld import Kld, KldReference, divergence
from recomposer_studio.evaluation.scorers import LiteRtYamnet, TaggerScorer, scorer_for
from recomposer_studio.tagging.installation import install, yamnet_folder
from tests.evaluation.fakes import BandTagger


class ToyScorer:
    """Scores from band energies, and a count of the patches it was asked for."""

    name = "toy"

    def __init__(self, classes: int = 521) -> None:
        self.classes = tuple(f"class {number}" for number in range(classes))
        self.asked = 0

    def scores(self, patches: np.ndarray) -> np.ndarray:
        self.asked += len(patches)
        assert patches.dtype == np.float32
        energy = np.abs(np.fft.rfft(patches, axis=1))[:, 1:].reshape(len(patches), -1, 100).mean(axis=2)
        out = np.zeros((len(patches), len(self.classes)), np.float32)
        used = min(energy.shape[1], out.shape[1])
        out[:, :used] = (energy / (1 + energy))[:, :used]
        return out


def scene(seconds: float = 6.0) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    rng = np.random.default_rng(5)
    desired = (0.05 * rng.standard_normal(round(seconds * 32000))).astype(np.float32)
    estimate = desired.copy()
    estimate[80000:96000] += (0.3 * np.sin(0.3 * np.arange(16000))).astype(np.float32)
    return desired, estimate, (2.5, 3.0)


def test_divergence_by_region_written_out() -> None:
    rng = np.random.default_rng(1)
    p, q = rng.random((60, 521)), rng.random((58, 521))
    box, far, inside = (2.0, 2.6), [], []
    for i in range(58):
        a, b = (p[i] + 1e-6) / (p[i] + 1e-6).sum(), (q[i] + 1e-6) / (q[i] + 1e-6).sum()
        nats, centre = float(np.sum(a * np.log(a / b))), 0.1 * i + 0.4875
        if box[0] <= centre < box[1]:
            inside.append(nats)
        if centre < box[0] - 0.9875 or centre >= box[1] + 0.9875:
            far.append(nats)
    assert len(inside) == 6
    found = divergence(p, q, box)
    assert found.target == pytest.approx(np.mean(inside), abs=1e-9)
    assert found.nontarget == pytest.approx(np.mean(far), abs=1e-9)


def test_a_box_without_a_centre_takes_the_nearest_patch() -> None:
    rng = np.random.default_rng(2)
    p, q = rng.random((10, 521)), rng.random((10, 521))
    nearest = divergence(p, q, (0.02, 0.1)).target
    assert nearest == divergence(p[:1], q[:1], (0.4, 0.5)).target
    assert divergence(p[:3], q[:3], (0.4, 0.5)).nontarget == 0.0


def test_only_what_changed_is_scored_again() -> None:
    desired, estimate, box = scene()
    scorer = ToyScorer()
    held = KldReference(desired, scorer)
    patches = len(held.desired_scores)
    assert (patches, scorer.asked) == (51, 51)
    assert held.distance(desired, box) == Kld(0.0, 0.0)
    assert scorer.asked == 51
    found = held.distance(estimate, box)
    # 15,600 samples see the half second from 1.53 s to its end, where resampling rings a little longer.
    assert scorer.asked - 51 == 15
    whole = ToyScorer()
    assert found == divergence(held.desired_scores, KldReference(estimate, whole).desired_scores, box)
    assert found.target > 1e-4


def test_short_and_unequal_signals_are_padded_and_paired() -> None:
    desired, estimate, box = scene()
    scorer = ToyScorer()
    assert len(KldReference(desired[:3000], scorer).desired_scores) == 1
    held = KldReference(desired, scorer)
    shorter = held.distance(estimate[: 5 * 32000], box)
    assert shorter.target == held.distance(estimate, box).target
    with pytest.raises(InputError):
        held.distance(np.full(40000, np.inf), box)


@pytest.fixture(scope="module")
def yamnet(shared: Path) -> LiteRtYamnet:
    pytest.importorskip("ai_edge_litert", reason="needs LiteRT (the extra 'train')")
    return LiteRtYamnet(shared / "models" / "yamnet.tflite")


@pytest.mark.parametrize("rate_hz", [32000, 44100])
def test_equals_the_shared_reference(reference: ModuleType, yamnet: LiteRtYamnet, rate_hz: int) -> None:
    desired, estimate, box = scene(5.0)
    noisy = estimate + (1e-3 * np.random.default_rng(3).standard_normal(len(estimate))).astype(np.float32)
    held = KldReference(desired, yamnet, rate_hz)
    centres, first = reference.patches(desired, rate_hz)
    for signal in (estimate, noisy):
        _, second = reference.patches(signal, rate_hz)
        wanted = reference.kld(centres, yamnet.scores(first), yamnet.scores(second), *box)
        found = held.distance(signal, box, rate_hz)
        assert (found.target, found.nontarget) == pytest.approx(wanted, abs=1e-4)
        assert found.target > 0.01


def test_the_name_tells_one_file_from_another(yamnet: LiteRtYamnet, shared: Path) -> None:
    digest = hashlib.sha256((shared / "models" / "yamnet.tflite").read_bytes()).hexdigest()
    assert digest[:16] in yamnet.name


def test_the_installed_yamnet_is_taken_and_scores_alike(
    yamnet: LiteRtYamnet, shared: Path, nothing_installed: Path
) -> None:
    assert scorer_for(None) is None
    install(str(shared / "models" / "yamnet.tflite"), yamnet_folder(), lambda *_: None)
    scorer = scorer_for(None)
    assert isinstance(scorer, TaggerScorer)
    patches = np.random.default_rng(3).uniform(-0.3, 0.3, (3, 15600)).astype(np.float32)
    patches[1] *= np.sin(np.arange(15600) * 0.2)
    patches[2] = 0.0
    # The published file computes its spectra otherwise, so the two only resemble each other; hence the names differ.
    assert np.abs(scorer.scores(patches) - yamnet.scores(patches)).max() < 0.05
    assert np.array_equal(scorer.scores(patches).argmax(axis=1), yamnet.scores(patches).argmax(axis=1))
    assert isinstance(scorer_for(shared / "models" / "yamnet.tflite"), LiteRtYamnet)
    assert scorer.name != yamnet.name


def test_the_built_in_tagger_is_taken_where_there_is_no_yamnet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scorers, "load_builtin", lambda *_: BandTagger())
    scorer = scorer_for(None)
    assert isinstance(scorer, TaggerScorer)
    assert scorer.name == "bands (ONNX Runtime, sha256 abababababababab)"
    assert scorer.classes == BandTagger.classes
    desired, estimate, box = scene()
    held = KldReference(desired, scorer)
    assert held.desired_scores.shape == (51, 7)
    assert held.distance(desired, box) == Kld(0.0, 0.0)
    assert held.distance(estimate, box).target > 1e-4


def test_yamnet_knows_silence_and_a_sine(yamnet: LiteRtYamnet) -> None:
    t = np.arange(15600) / 16000
    scores = yamnet.scores(np.stack([np.zeros(15600), 0.5 * np.sin(2 * np.pi * 1000 * t)]).astype(np.float32))
    assert scores.shape == (2, 521)
    assert scores.argmax(axis=1).tolist() == [494, 475]


def test_what_is_no_yamnet_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert", reason="needs LiteRT (the extra 'train')")
    (tmp_path / "model.tflite").write_bytes(b"no model" * 100)
    for name in ("model.tflite", "absent.tflite"):
        with pytest.raises(InputError, match=rf"{name}: .*yamnet\.tflite"):
            LiteRtYamnet(tmp_path / name)
