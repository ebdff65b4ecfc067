"""Every study asks what it says, and its tables are computed from the answers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recomposer_studio.evaluation.anchors import InputEditor, OracleEditor
from recomposer_studio.evaluation.cases import Case, Sampler
from recomposer_studio.evaluation.editors import (
    Editor,
    EngineEditor,
    IdentityEditor,
    Samples,
    WholeClipEditor,
    model_editor,
    whole_clip_editor,
)
from recomposer_studio.evaluation.results import Results
from recomposer_studio.evaluation.runner import Bench, run_cases
from recomposer_studio.evaluation.studies import STUDIES, Study
from recomposer_studio.evaluation.tables import Figures, Table
from recomposer_studio.model.checkpoint import load_checkpoint, write_part
from recomposer_studio.model.decoder import DecoderConfig, TokenDecoder
from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.scenes import render_scene
from tests.evaluation.fakes import ListeningModel, SpectrumScorer
from tests.model.tiny import write_tiny

SECONDS = 3.0
BY_NAME = {study.name: study for study in STUDIES}


def drawn(cache: AudioCache, name: str, scenes: int = 1) -> list[Case]:
    return BY_NAME[name].cases(Sampler(cache.split("valid"), scenes, 1, SECONDS))


def answered(cache: AudioCache, study: Study, folder: Path, kld: bool = True) -> list[Table]:
    """The tables of a study after input, repair, oracle and a model have answered one scene a row."""
    actions = frozenset({Action.DELETE, Action.ENHANCE, Action.INSERT})
    model = EngineEditor("listener", ListeningModel(), actions)
    everybody: tuple[Editor, ...] = (InputEditor(), IdentityEditor(), EngineEditor(), OracleEditor(), model)
    editors = tuple(editor for editor in everybody if study.asks(editor))
    scorer = SpectrumScorer() if kld else None
    results = Results(folder / "results.jsonl", scorer.name if scorer else None)
    cases = drawn(cache, study.name)
    run_cases(Bench(cache, editors, scorer), [(case, editor) for case in cases for editor in editors], results)
    return study.tables(cases, Figures(results, editors, editors[0], "toy" if kld else None))


def column(table: Table, name: str) -> list[object]:
    return [row[table.columns.index(name)] for row in table.rows]


def test_scenes_of_one_number_share_their_recordings(tiny_cache: AudioCache) -> None:
    cases = drawn(tiny_cache, "levels", scenes=2)
    by_seed = {seed: {c.spec.sounds[0].key for c in cases if c.spec.seed == seed} for seed in (1, 2)}
    assert all(len(keys) == 1 for keys in by_seed.values())
    assert {c.spec.sounds[0].level_db for c in cases} == {-30.0, -25.0, -20.0, -15.0, -10.0, -5.0, 0.0}
    assert {c.spec.sounds[0].wanted_db for c in cases} == {15.0}


def test_drawn_boxes_differ_from_exact_ones_and_judge_the_same_scene(tiny_cache: AudioCache) -> None:
    exact, loose = (c for c in drawn(tiny_cache, "sloppy") if c.group[:2] == ("plain", "delete"))
    scenes = [render_scene(tiny_cache, c.spec) for c in (exact, loose)]
    rows = [c.task(s).row for c, s in zip((exact, loose), scenes, strict=True)]
    assert np.array_equal(scenes[0].input, scenes[1].input)
    assert scenes[0].truth_box == scenes[1].truth_box == (rows[0].start_s, rows[0].end_s)
    assert rows[1].start_s != rows[0].start_s
    assert -0.05 <= rows[0].start_s - rows[1].start_s <= 0.2
    assert -0.05 <= rows[1].end_s - rows[0].end_s <= 0.2


def test_the_swap_test_names_the_other_event_in_the_targets_box(tiny_cache: AudioCache) -> None:
    (case,) = drawn(tiny_cache, "swap")
    task = case.task(render_scene(tiny_cache, case.spec))
    target = next(s for s in case.spec.sounds if s.role == "target")
    assert task.row.id == "other-1"
    assert task.row.label != target.class_name
    assert task.row.start_s == pytest.approx(target.onset / 32000)


def test_keep_rows_are_told_only_where_the_study_says(tiny_cache: AudioCache) -> None:
    told = {}
    for case in drawn(tiny_cache, "keep"):
        roll = case.task(render_scene(tiny_cache, case.spec)).roll
        told[case.group] = [event.action for event in roll.events]
    assert told[("delete", "not told")] == [Action.DELETE]
    assert told[("delete", "keep row")] == [Action.DELETE, Action.KEEP]
    assert told[("enhance", "keep row")] == [Action.ENHANCE, Action.KEEP]


def test_the_ablation_takes_away_one_part_at_a_time(tiny_cache: AudioCache) -> None:
    cases = [c for c in drawn(tiny_cache, "ablation") if c.group[0] == "plain"]
    assert {c.group[1:]: (c.whole_clip, c.hidden) for c in cases if c.group[1] == "delete"} == {
        ("delete", "all told"): (False, ""),
        ("delete", "no time"): (True, ""),
        ("delete", "no action"): (False, "action"),
        ("delete", "no class"): (False, "class"),
    }
    assert ("plain", "insert", "no time") not in {c.group for c in cases}
    timeless = next(c for c in cases if c.whole_clip)
    row = timeless.task(render_scene(tiny_cache, timeless.spec)).row
    assert (row.start_s, row.end_s) == (0.0, SECONDS)


def test_cross_class_rows_name_a_class_that_does_not_sound(tiny_cache: AudioCache) -> None:
    for case in drawn(tiny_cache, "cross-class", scenes=4):
        task = case.task(render_scene(tiny_cache, case.spec))
        assert task.row.label != task.scene.edit.class_name
        assert task.row.action is Action.ENHANCE


def test_anchors_tables(tiny_cache: AudioCache, tmp_path: Path) -> None:
    plain, overlap, top5, regions, seconds = answered(tiny_cache, BY_NAME["anchors"], tmp_path)
    for table in (plain, overlap):
        ratios = {(row[0], row[1]): row[3].value for row in table.rows}  # type: ignore[union-attr]
        assert all(ratios[(action, "input")] == 1 for action in ("delete", "insert", "enhance"))
        assert all(ratios[(action, "identity")] == 0 for action in ("delete", "insert", "enhance"))
        assert ("insert", "repair") not in ratios
        assert ("insert", "listener") in ratios
        assert ratios[("delete", "oracle")] < min(1, ratios[("delete", "listener")])
        assert not any(column(table, "nontarget MSD"))
    assert "the real event (desired signal)" in column(top5, "editor")
    assert set(column(regions, "editor")) == {"identity", "repair", "oracle", "listener"}
    assert {(row[0], row[1]) for row in seconds.rows} >= {("delete", "repair"), ("insert", "listener")}


def test_without_a_classifier_there_are_no_kld_columns(tiny_cache: AudioCache, tmp_path: Path) -> None:
    tables = answered(tiny_cache, BY_NAME["decoy"], tmp_path, kld=False)
    assert "MSD ratio" in tables[0].columns
    assert not any("KLD" in name for name in tables[0].columns)


def test_cross_class_without_a_classifier_says_what_is_missing(tiny_cache: AudioCache, tmp_path: Path) -> None:
    (table,) = answered(tiny_cache, BY_NAME["cross-class"], tmp_path, kld=False)
    assert not table.rows
    assert "--yamnet" in table.note


def test_the_swap_table_tells_the_oracle_from_repair(tiny_cache: AudioCache, tmp_path: Path) -> None:
    (table,) = answered(tiny_cache, BY_NAME["swap"], tmp_path)
    passed = {row[0]: row[2].value for row in table.rows}  # type: ignore[union-attr]
    assert passed["input"] == 0
    assert passed["oracle"] == passed["identity"] == 1


def test_round_trips_have_five_rounds(tiny_cache: AudioCache, tmp_path: Path) -> None:
    (table,) = answered(tiny_cache, BY_NAME["round-trip"], tmp_path)
    assert {(row[0], row[1]) for row in table.rows} == {
        (name, region) for name in ("repair", "listener") for region in ("box", "whole clip")
    }
    rounds = {row[0]: [cell.value for cell in row[3:]] for row in table.rows if row[1] == "box"}  # type: ignore[union-attr]
    assert len(rounds["listener"]) == 5
    # Half of each inserted sound stays, so the listener's rounds add up.
    assert all(np.diff(rounds["listener"]) > 0)


def test_the_level_sweep_gains_less_than_the_oracle(tiny_cache: AudioCache, tmp_path: Path) -> None:
    (table,) = answered(tiny_cache, BY_NAME["levels"], tmp_path, kld=False)
    gained = {(row[0], row[1]): row[-1].value for row in table.rows}  # type: ignore[union-attr]
    assert all(gained[(level, "input")] == 0 for level in ("-30", "-15", "+0"))
    assert gained[("-15", "oracle")] > gained[("-15", "repair")]


def test_questions_that_only_the_input_answers_are_left_out_of_tables(tiny_cache: AudioCache, tmp_path: Path) -> None:
    cases = [case for case in drawn(tiny_cache, "ablation") if case.group[:2] == ("plain", "delete")]
    editors = (InputEditor(), EngineEditor())
    results = Results(tmp_path / "results.jsonl")
    run_cases(Bench(tiny_cache, editors, None), [(case, editor) for case in cases for editor in editors], results)
    (table,) = BY_NAME["ablation"].tables(cases, Figures(results, editors, editors[0], None))
    assert [row[2:4] for row in table.rows] == [
        ("all told", "input"),
        ("all told", "repair"),
        ("no time", "input"),
        ("no time", "repair"),
    ]


def test_both_modes_are_asked_and_only_the_whole_clip_changes_the_rest(tiny_cache: AudioCache, tmp_path: Path) -> None:
    def louder(samples: Samples, rate_hz: int, roll: EventRoll, seed: int) -> Samples:
        assert (rate_hz, len(roll.events)) == (32000, 1)
        return 2.0 * samples

    study = BY_NAME["modes"]
    model = EngineEditor("listener", ListeningModel(), frozenset({Action.DELETE, Action.ENHANCE, Action.INSERT}))
    whole = WholeClipEditor("listener, whole clip", "2", louder)
    everybody: tuple[Editor, ...] = (InputEditor(), IdentityEditor(), EngineEditor(), OracleEditor(), model, whole)
    editors = tuple(filter(study.asks, everybody))
    assert [editor.name for editor in editors] == ["input", "listener", "listener, whole clip"]
    assert not any(other.asks(whole) for other in STUDIES if other is not study)
    cases, results = drawn(tiny_cache, "modes"), Results(tmp_path / "results.jsonl")
    run_cases(Bench(tiny_cache, editors, None), [(case, editor) for case in cases for editor in editors], results)
    (table,) = study.tables(cases, Figures(results, editors, editors[0], None))
    beside = {(row[0], row[1], row[2]): row[table.columns.index("MSD nontarget")] for row in table.rows}
    assert len(beside) == 18
    for (_, _, name), distance in beside.items():
        assert isinstance(distance, float)
        assert (distance > 0) == (name == "listener, whole clip")


def test_the_other_mode_of_a_model_is_there_where_it_was_trained(tmp_path: Path) -> None:
    assert whole_clip_editor(EngineEditor()) is None
    written = load_checkpoint(write_tiny(tmp_path / "tiny"))
    for mixture in (False, True):
        config = replace(DecoderConfig.from_json(written.configs["decoder"]), exemplar=False, mixture=mixture)
        decoder = TokenDecoder(config, written.tensors["codec"]["codebooks"].float())
        write_part(written.folder, "decoder", config.as_json(), decoder.state_dict())
        whole = whole_clip_editor(model_editor(str(written.folder)))
        assert (whole is not None) == mixture
    assert whole is not None
    assert whole.name == "tiny, whole clip"
    roll = EventRoll((Event("1", Action.DELETE, "bark", 0.1, 0.2, "1"),))
    samples = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    assert np.shape(whole.generate(samples, 32_000, roll, 1)) == (16_000,)
