"""The anchors do what tables say of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from recomposer_studio.editing.regions import Region
from recomposer_studio.evaluation.anchors import CodecEditor, CopyEditor, InputEditor, OracleEditor, RealEditor
from recomposer_studio.evaluation.editors import Task
from recomposer_studio.evaluation.msd import MsdReference
from recomposer_studio.roll.event import EventRoll
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import Library, load_manifest, read_table
from tests.evaluation.fakes import PassingCodec, task_of
from tests.training.tiny_library import save, tone, write_library, write_table


def moved(task: Task, start_s: float, end_s: float) -> Task:
    return replace(task, roll=EventRoll((replace(task.row, start_s=start_s, end_s=end_s),)))


def test_the_input_is_the_input(tiny_cache: AudioCache) -> None:
    task = task_of(tiny_cache, "plain", "delete")
    assert np.array_equal(InputEditor().edit(task).samples, task.scene.input)


@pytest.mark.parametrize(
    ("start_s", "end_s", "shift_s"),
    [
        (2.0, 2.5, -1.0),
        (0.3, 0.8, 1.0),
        (2.2, 3.7, -1.52),  # longer than a second: as far as it is long, with its fades
    ],
)
def test_copy_fades_in_the_neighbouring_second(
    tiny_cache: AudioCache, start_s: float, end_s: float, shift_s: float
) -> None:
    task = moved(task_of(tiny_cache, "plain", "delete"), start_s, end_s)
    sound, rate_hz = task.scene.input, task.scene.rate_hz
    out = CopyEditor().edit(task).samples
    box = slice(round(start_s * rate_hz), round(end_s * rate_hz))
    shift = round(shift_s * rate_hz)
    assert np.array_equal(out[box], sound[box.start + shift : box.stop + shift])
    fade = round(0.01 * rate_hz)
    assert np.array_equal(out[: box.start - fade], sound[: box.start - fade])
    assert np.array_equal(out[box.stop + fade :], sound[box.stop + fade :])


@pytest.mark.parametrize("kind", ["plain", "overlap"])
@pytest.mark.parametrize("action", ["delete", "enhance"])
def test_the_oracle_is_near_the_desired_signal(tiny_cache: AudioCache, kind: str, action: str) -> None:
    task = task_of(tiny_cache, kind, action)  # type: ignore[arg-type]
    reference, box = MsdReference(task.scene.desired), task.scene.truth_box
    out = OracleEditor().edit(task).samples
    before = reference.distance(task.scene.input, box).target
    assert OracleEditor().suits(task)
    assert reference.distance(out, box).target < 0.5 * before
    region = Region.of(task.row, task.scene.rate_hz, len(out), 0.01)
    assert np.array_equal(out[: region.start], task.scene.input[: region.start])
    assert np.array_equal(out[region.stop :], task.scene.input[region.stop :])


def test_the_oracle_changes_nothing_where_nothing_is_wanted(tiny_cache: AudioCache) -> None:
    task = task_of(tiny_cache, "plain", "delete")
    scene = replace(task.scene, desired=task.scene.input)
    assert np.allclose(OracleEditor().edit(replace(task, scene=scene)).samples, scene.input, atol=1e-6)


def test_the_oracle_inserts_nothing(tiny_cache: AudioCache) -> None:
    assert not OracleEditor().suits(task_of(tiny_cache, "plain", "insert"))


def test_real_puts_another_recording_in_place_at_the_wanted_power(
    tiny_cache: AudioCache, tiny_library: Library
) -> None:
    task = task_of(tiny_cache, "plain", "insert")
    scene, editor = task.scene, RealEditor(tiny_library)
    assert editor.suits(task)
    added = editor.edit(task).samples - scene.input
    heard = np.flatnonzero(added)
    first, last = round(scene.truth_box[0] * scene.rate_hz), round(scene.truth_box[1] * scene.rate_hz)
    assert first <= heard[0] < first + 100
    assert heard[-1] < last
    wanted = scene.edit.after[scene.edit.after != 0].astype(np.float64)
    # The power is set before the fade at the end.
    assert np.mean(added[heard[0] : heard[-1] + 1] ** 2) == pytest.approx(np.mean(wanted**2), rel=0.1)
    assert not np.allclose(added[first:last], scene.edit.after[first:last], atol=1e-3)


def test_real_needs_another_source_of_the_class(tiny_cache: AudioCache, tiny_library: Library) -> None:
    task = task_of(tiny_cache, "plain", "insert")
    source = next(s.source_id for s in task.scene.spec.sounds)
    name = task.scene.edit.class_name
    own = tuple(e for e in tiny_library.events if e.class_name != name or e.source_id == source)
    assert not RealEditor(replace(tiny_library, events=own)).suits(task)
    assert not RealEditor(tiny_library).suits(task_of(tiny_cache, "plain", "delete"))


def test_a_codec_round_trip_keeps_place_and_length(tiny_cache: AudioCache) -> None:
    task = task_of(tiny_cache, "plain", "enhance")
    out = CodecEditor("codec", "0", PassingCodec()).edit(task).samples
    assert len(out) == len(task.scene.desired)
    # The made-up events are tones far below 8 kHz: they survive, and lie where they lay.
    box = slice(*(round(t * task.scene.rate_hz) for t in task.scene.truth_box))
    assert np.corrcoef(out[box], task.scene.desired[box])[0, 1] > 0.95


def test_real_passes_over_broken_recordings_and_splits_without_any(tiny_folder: Path, tmp_path: Path) -> None:
    rows = read_table(tiny_folder / "manifest.csv", ())
    # Test has events and no usable background; in train nothing can be decoded at all.
    kept = [r for r in rows if r["split"] != "train" and (r["split"], r["kind"]) != ("test", "background")]
    for r in kept:
        save(tmp_path / r["path"], sf.read(tiny_folder / r["path"])[0])
    broken = [r for r in rows if r["split"] == "train" and r["kind"] == "event"]
    for r in broken:
        save(tmp_path / r["path"], np.zeros(16000))
    library = load_manifest(write_table(tmp_path, kept + broken))
    editor = RealEditor(library)
    heard = 0
    for seed in range(6):
        task = task_of(AudioCache(library), "plain", "insert", seed)
        assert editor.suits(task)
        heard += bool(np.any(editor.edit(task).samples != task.scene.input))
    assert heard == 6
    assert len(editor.skipped()["train"]["silent"]) == len(broken)


def test_real_is_another_editor_when_its_recordings_change(tmp_path: Path) -> None:
    rows = write_library(tmp_path, 1, 1)
    first = RealEditor(load_manifest(tmp_path)).digest
    assert RealEditor(load_manifest(tmp_path)).digest == first
    save(tmp_path / rows[0]["path"], tone(0.8, 900, 1))
    assert RealEditor(load_manifest(tmp_path)).digest != first
