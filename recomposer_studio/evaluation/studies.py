"""The studies: which questions each asks, and the tables of its answers. Every study is told from scenes of its own."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recomposer_studio.evaluation.anchors import InputEditor
from recomposer_studio.evaluation.bootstrap import bootstrap_mean
from recomposer_studio.evaluation.cases import Case, Sampler
from recomposer_studio.evaluation.editors import Editor, EngineEditor, Hidden, IdentityEditor, WholeClipEditor
from recomposer_studio.evaluation.memory_study import inserting, memory_cases, memory_tables
from recomposer_studio.evaluation.modes_study import generating, modes_cases, modes_tables
from recomposer_studio.evaluation.tables import Cell, Figures, Table, column, grouped
from recomposer_studio.training.scene_spec import Kind

KINDS: tuple[Kind, ...] = ("plain", "overlap")
ACTIONS = ("delete", "insert", "enhance")
LEVELS_DB = (-30.0, -25.0, -20.0, -15.0, -10.0, -5.0, 0.0)
SWEEP_OUTPUT_DB = 15.0
ROUNDS = 5
SWAP_DB = 6.0

_RATIOS = (
    "Ratio = sum of the editor's distances over sum of the input's, with its 90 % bootstrap interval over scenes; "
    "lower is better, 1 is doing nothing."
)


def _ratios(figures: Figures) -> str:
    return f"{_RATIOS}{figures.heard_by}"


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes:
        name: its name on the command line.
        cases: draws its questions.
        tables: turns the answers into tables.
        asks: whether an editor is asked; the input always is, since ratios are relative to it.
    """

    name: str
    cases: Callable[[Sampler], list[Case]]
    tables: Callable[[Sequence[Case], Figures], list[Table]]
    asks: Callable[[Editor], bool]


def everyone(editor: Editor) -> bool:
    """Every editor but the whole-clip mode, which takes seconds an edit and has a study of its own."""
    return not isinstance(editor, WholeClipEditor)


def all_but_identity(editor: Editor) -> bool:
    """Those but identity, which says nothing new after the anchors."""
    return everyone(editor) and not isinstance(editor, IdentityEditor)


def products(editor: Editor) -> bool:
    """Spectral repair and models."""
    return isinstance(editor, EngineEditor | InputEditor)


def anchor_cases(sampler: Sampler) -> list[Case]:
    """Plain and overlap scenes of every action with exact boxes; keep rows are not told."""
    return [
        Case("anchors", (kind, action), spec)
        for kind in KINDS
        for action in ACTIONS
        for spec in sampler.specs(kind, action)
    ]


def anchor_tables(cases: Sequence[Case], figures: Figures) -> list[Table]:
    """Distances per kind and action, Insert's top-5 rate, target against whole clip, seconds per edit."""
    tables = []
    for kind in KINDS:
        members = [replace(case, group=case.group[1:]) for case in cases if case.group[0] == kind]
        if not members:
            continue
        what = "background and target" if kind == "plain" else "two backgrounds and another event over the target"
        title, columns = f"{kind.capitalize()} scenes ({what})", ("action", "editor", *figures.distance_columns())
        tables.append(Table(title, _ratios(figures), columns, figures.distance_rows(members)))
    if figures.kld and any(case.group[1] == "insert" for case in cases):
        tables.append(_top5_table(cases, figures))
    return [*tables, _regions_table(cases, figures), _seconds_table(cases, figures)]


def _top5_table(cases: Sequence[Case], figures: Figures) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for (kind, action), members in grouped(cases).items():
        for editor in figures.editors:
            pairs = figures.pairs(members, editor)
            if action == "insert" and pairs:
                name = "the real event (desired signal)" if editor.name == "identity" else editor.name
                rows.append((kind, name, len(pairs), figures.mean(pairs, "top5")))
    note = (
        "Share of Insert scenes in which the class is among the five highest mean scores of the patches in the box. "
        f"A model is to be read against the real event, not against 1.{figures.heard_by}"
    )
    return Table(
        "Insert: class in the top five", note, ("scenes of kind", "editor", "scenes", "top-5 rate"), tuple(rows)
    )


def _regions_table(cases: Sequence[Case], figures: Figures) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for group, members in grouped(cases).items():
        for editor in figures.editors:
            pairs = figures.pairs(members, editor)
            if not pairs or editor is figures.base:
                continue
            cells: list[Cell] = [figures.ratio(pairs, "msd_target"), figures.ratio(pairs, "msd_clip")]
            if figures.kld:
                cells += [figures.ratio(pairs, "kld_target"), figures.ratio(pairs, "kld_clip")]
            rows.append((*group, editor.name, *cells))
    columns = ["scenes of kind", "action", "editor", "MSD target", "MSD whole clip"]
    columns += ["KLD target", "KLD whole clip"] if figures.kld else []
    note = (
        "Ratios as above, over the target's frames and over all frames. They agree for an editor that leaves the rest "
        "alone; one that renders the whole clip anew pays for it in the second. The histograms show the distances."
        f"{figures.heard_by}"
    )
    return Table("Target against whole clip", note, tuple(columns), tuple(rows))


def _seconds_table(cases: Sequence[Case], figures: Figures) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for action in ACTIONS:
        members = [case for case in cases if case.group[1] == action]
        for editor in figures.editors:
            pairs = figures.pairs(members, editor)
            if pairs and isinstance(editor, EngineEditor):
                seconds = column((p[0] for p in pairs), "seconds")
                spread = f"{np.quantile(seconds, 0.05):.3f}-{np.quantile(seconds, 0.95):.3f}"
                rows.append((action, editor.name, len(pairs), f"{np.median(seconds):.3f}", spread))
    note = (
        "Median time of `Engine.render` for one event in a scene; reading, writing and loading the model not counted."
    )
    return Table("Seconds per edit", note, ("action", "editor", "edits", "median s", "5-95 % s"), tuple(rows))


def sloppy_cases(sampler: Sampler) -> list[Case]:
    """The anchors' Delete and Enhance scenes with exact boxes, and with boxes as people draw them."""
    boxes = (("exact", "truth"), ("drawn", "drawn"))
    return [
        Case("sloppy", (kind, action, word), spec)
        for kind in KINDS
        for action in ("delete", "enhance")
        for word, box in boxes
        for spec in sampler.specs(kind, action, boxes=box)  # type: ignore[arg-type]
    ]


def sloppy_tables(cases: Sequence[Case], figures: Figures) -> list[Table]:
    """Exact against drawn boxes."""
    note = (
        "Each edge of a drawn box lies up to 200 ms outside or 50 ms inside the true one. Distances are taken over the "
        f"true box. {_ratios(figures)}"
    )
    columns = ("scenes of kind", "action", "box", "editor", *figures.distance_columns())
    return [Table("Sloppy boxes", note, columns, figures.distance_rows(cases))]


def swap_cases(sampler: Sampler) -> list[Case]:
    """Overlap scenes whose Delete row names the other event in the target's box."""
    return [Case("swap", (), spec) for spec in sampler.specs("overlap", "delete", swap=True)]


def swap_tables(cases: Sequence[Case], figures: Figures) -> list[Table]:
    """Share of scenes in which the named sound falls by 6 dB more than the unnamed one."""
    rows: list[tuple[Cell, ...]] = []
    for editor in figures.editors:
        pairs = figures.pairs(cases, editor)
        if pairs:
            named, unnamed = (column((p[0] for p in pairs), name) for name in ("fall_named", "fall_unnamed"))
            share = bootstrap_mean((named - unnamed >= SWAP_DB).astype(np.float64))
            rows.append((editor.name, len(pairs), share, float(np.median(named)), float(np.median(unnamed))))
    note = (
        "Two sounds share the box; the Delete row names the one the box was not drawn for. An edit is taken for a gain "
        "per band and frame (least squares from input to estimate, 64 bands, 10 ms), which is applied to the powers of "
        f"the two known sounds in the box. Passed: the named one falls by at least {SWAP_DB:.0f} dB more."
    )
    return [Table("Swap test", note, ("editor", "scenes", "passed", "named falls dB", "unnamed falls dB"), tuple(rows))]


def decoy_cases(sampler: Sampler) -> list[Case]:
    """Scenes with a decoy beside the target."""
    return [Case("decoy", (action,), spec) for action in ACTIONS for spec in sampler.specs("decoy", action)]


def decoy_tables(cases: Sequence[Case], figures: Figures) -> list[Table]:
    """Distances on the decoy set."""
    note = (
        "Delete removes the one event of the clip; Insert adds a second event beside a decoy; Enhance raises a faint "
        f"event beside a decoy at 10 dB. {_ratios(figures)}"
    )
    return [Table("Decoy set", note, ("action", "editor", *figures.distance_columns()), figures.distance_rows(cases))]


def level_cases(sampler: Sampler) -> list[Case]:
    """Enhance from -30 ... 0 dB to +15 dB in plain scenes."""
    wanted = (SWEEP_OUTPUT_DB, SWEEP_OUTPUT_DB)
    return [
        Case("levels", (f"{level:+.0f}",), spec)
        for level in LEVELS_DB
        for spec in sampler.specs("plain", "enhance", tbr_db=wanted, input_tbr_db=(level, level))
    ]


def level_tables(cases: Sequence[Case], figures: Figures) -> list[Table]:
    """Distances and their improvement per input level."""
    rows: list[tuple[Cell, ...]] = []
    for group, members in grouped(cases).items():
        for editor in figures.editors:
            pairs = figures.pairs(members, editor)
            if pairs:
                gained: list[Cell] = []
                for name in ("msd_target", "kld_target") if figures.kld else ("msd_target",):
                    gained.append(bootstrap_mean([other[name] - mine[name] for mine, other in pairs]))
                rows.append((*group, editor.name, *figures.distance_cells(pairs), *gained))
    gains = ("MSD gained", "KLD gained") if figures.kld else ("MSD gained",)
    note = (
        f"Plain Enhance scenes: the event's level over the background in the input, wanted at {SWEEP_OUTPUT_DB:+.0f} dB. "
        f"Gained = mean over scenes of input minus editor. {_ratios(figures)}"
    )
    return [Table("Level sweep", note, ("input dB", "editor", *figures.distance_columns(), *gains), tuple(rows))]


def ablation_cases(sampler: Sampler) -> list[Case]:
    """Ordinary, overlap and decoy scenes with all of the row told, or without time, action or class."""
    kinds: tuple[Kind, ...] = ("plain", "overlap", "decoy")
    told: tuple[tuple[str, bool, Hidden], ...] = (
        ("all told", False, ""),
        ("no time", True, ""),
        ("no action", False, "action"),
        ("no class", False, "class"),
    )
    return [
        Case("ablation", (kind, action, word), spec, whole_clip=clip, hidden=hidden)
        for kind in kinds
        for action in ACTIONS
        for word, clip, hidden in told
        if not (clip and action == "insert")
        for spec in sampler.specs(kind, action)
    ]


def ablation_tables(cases: Sequence[Case], figures: Figures) -> list[Table]:
    """Distances with parts of the conditioning dropped."""
    note = (
        "No time: the box is the whole clip (not for Insert). No action: the model reads zeros where the action's word "
        "stands, while the engine does what the row says. No class: the model reads the word for an unknown sound. "
        f"Spectral repair reads no words. {_ratios(figures)}"
    )
    columns = ("scenes of kind", "action", "told", "editor", *figures.distance_columns())
    return [Table("Conditioning ablation", note, columns, figures.distance_rows(cases))]


def cross_class_cases(sampler: Sampler) -> list[Case]:
    """Enhance rows that name another class than the one that sounds."""
    classes = sorted(sampler.classes or {event.class_name for event in sampler.audio.events})
    cases = []
    for spec in sampler.specs("plain", "enhance"):
        true = spec.sounds[0].class_name
        others = [name for name in classes if name != true]
        if others:
            digest = hashlib.blake2b(f"{spec.seed} {true}".encode(), digest_size=8).digest()
            other = others[int.from_bytes(digest, "big") % len(others)]
            cases.append(Case("cross-class", (), spec, label=other))
    return cases


def cross_class_tables(cases: Sequence[Case], figures: Figures) -> list[Table]:
    """How the scores of the named and of the true class move."""
    rows: list[tuple[Cell, ...]] = []
    for editor in figures.editors:
        pairs = [p for p in figures.pairs(cases, editor) if "score_named" in p[0] and "score_true" in p[0]]
        if pairs:
            gains = [
                np.log10((column((p[0] for p in pairs), n) + 1e-6) / (column((p[1] for p in pairs), n) + 1e-6))
                for n in ("score_named", "score_true")
            ]
            cells: list[Cell] = [bootstrap_mean((gains[0] > gains[1]).astype(np.float64))]
            rows.append((editor.name, len(pairs), *cells, *(bootstrap_mean(gain) for gain in gains)))
    note = (
        "The Enhance row names a class drawn at random instead of the one that sounds. Scores are means over the patches "
        "in the box; gained = mean of log10(score after / score before). An editor that ignores the word raises the true "
        f"class; transformed: the named class gains more than the true one.{figures.heard_by}"
        if figures.kld
        else "This study rests on a classifier's scores; run it with --yamnet."
    )
    columns = ("editor", "scenes", "transformed", "named class gained", "true class gained")
    return [Table("Cross-class enhancement", note, columns, tuple(rows))]


def round_trip_cases(sampler: Sampler) -> list[Case]:
    """Insert and delete the same event five times."""
    return [Case("round-trip", (), spec, rounds=ROUNDS) for spec in sampler.specs("plain", "insert")]


def round_trip_tables(cases: Sequence[Case], figures: Figures) -> list[Table]:
    """LSD to the untouched scene after every round."""
    rows: list[tuple[Cell, ...]] = []
    for editor in figures.editors:
        found = [values for case in cases if (values := figures.results.get(case, editor)) is not None]
        for region, name in (("box", "lsd_box"), ("whole clip", "lsd_clip")):
            if found:
                means = (bootstrap_mean(column(found, f"{name}_{n}")) for n in range(1, ROUNDS + 1))
                rows.append((editor.name, region, len(found), *means))
    note = (
        "Log-spectral distance in dB to the scene before the first round (2048-sample Hann windows, hop 512). An editor "
        "that inserts nothing has the scene's own event mixed in."
    )
    columns = ("editor", "region", "scenes", *(f"round {n}" for n in range(1, ROUNDS + 1)))
    return [Table("Round trips: insert, then delete", note, columns, tuple(rows))]


def keep_cases(sampler: Sampler) -> list[Case]:
    """Overlap scenes with and without a keep row for the other event."""
    return [
        Case("keep", (action, word), spec, keep=keep)
        for action in ("delete", "enhance")
        for word, keep in (("not told", False), ("keep row", True))
        for spec in sampler.specs("overlap", action, all_kept=True)
    ]


def keep_tables(cases: Sequence[Case], figures: Figures) -> list[Table]:
    """What protecting the other event is worth."""
    columns = ("action", "other event", "editor", *figures.distance_columns())
    note = f"Overlap scenes; the event over the target has a keep row, or none. {_ratios(figures)}"
    return [Table("Keep rows", note, columns, figures.distance_rows(cases))]


STUDIES = (
    Study("anchors", anchor_cases, anchor_tables, everyone),
    Study("sloppy", sloppy_cases, sloppy_tables, all_but_identity),
    Study("swap", swap_cases, swap_tables, everyone),
    Study("keep", keep_cases, keep_tables, products),
    Study("decoy", decoy_cases, decoy_tables, all_but_identity),
    Study("levels", level_cases, level_tables, all_but_identity),
    Study("ablation", ablation_cases, ablation_tables, products),
    Study("cross-class", cross_class_cases, cross_class_tables, products),
    Study("round-trip", round_trip_cases, round_trip_tables, products),
    Study("modes", modes_cases, modes_tables, generating),
    Study("memorisation", memory_cases, memory_tables, inserting),
)
