"""Tables of figures with their 90 % bootstrap intervals, as Markdown for people and as plain values for programs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recomposer_studio.evaluation.bootstrap import Interval, bootstrap_mean, bootstrap_ratio
from recomposer_studio.evaluation.cases import Case
from recomposer_studio.evaluation.editors import Editor
from recomposer_studio.evaluation.measures import Values
from recomposer_studio.evaluation.results import Results
from recomposer_studio.training.markdown import plain_markdown

Cell = str | int | float | Interval | None


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: its heading.
        note: what the figures mean, in sentences.
        columns: names of the columns.
        rows: cells, as many in each row as there are columns; None where there is no figure.
    """

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def markdown(self) -> str:
        """Heading, note and table."""
        lines = [f"### {self.title}", "", self.note, ""]
        if not self.rows:
            return "\n".join([*lines, "No editor of this run can do it.", ""])
        lines += ["| " + " | ".join(self.columns) + " |", "|" + " --- |" * len(self.columns)]
        lines += ["| " + " | ".join(_shown(cell) for cell in row) + " |" for row in self.rows]
        return "\n".join([*lines, ""])

    def as_json(self) -> dict[str, Any]:
        """Plain values; an interval is {value, low, high}, what is not a number becomes null."""
        rows = [{name: _plain(cell) for name, cell in zip(self.columns, row, strict=True)} for row in self.rows]
        return {"title": self.title, "note": self.note, "rows": rows}


def _shown(cell: Cell) -> str:
    if isinstance(cell, Interval):
        if not math.isfinite(cell.value):
            return "-"
        return f"{_two(cell.value)} [{_two(cell.low)}, {_two(cell.high)}]"
    if isinstance(cell, float):
        if not math.isfinite(cell):
            return "-"
        return "0" if cell == 0 else f"{cell:.1g}" if abs(cell) < 0.01 else _two(cell)
    return "-" if cell is None else plain_markdown(str(cell))


def _two(value: float) -> str:
    """Two decimals, never a negative zero."""
    return f"{value:.2f}" if abs(value) >= 0.005 else "0.00"


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Interval):
        return {name: _plain(value) for name, value in cell._asdict().items()}
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell


def column(values: Iterable[Mapping[str, float]], name: str) -> np.ndarray:
    """One measure of many results, (results,)."""
    return np.array([v[name] for v in values], np.float64)


def grouped(cases: Sequence[Case]) -> dict[tuple[str, ...], list[Case]]:
    """Cases by their group, in the order of first appearance."""
    groups: dict[tuple[str, ...], list[Case]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    return groups


@dataclass(frozen=True)
class Figures:
    """What tables are computed from.

    Attributes:
        results: measured values.
        editors: the editors, in the tables' order.
        base: the editor that changes nothing.
        classifier: name of the classifier that KLD and scores rest on, None without.
    """

    results: Results
    editors: tuple[Editor, ...]
    base: Editor
    classifier: str | None

    @property
    def kld(self) -> bool:
        """Whether a classifier was in use."""
        return self.classifier is not None

    @property
    def heard_by(self) -> str:
        """A sentence for the notes of tables that rest on a classifier; empty without one."""
        return f" Classifier: {self.classifier}." if self.classifier else ""

    def pairs(self, cases: Sequence[Case], editor: Editor) -> list[tuple[Values, Values]]:
        """(editor's values, input's values) of the cases that the editor can do."""
        return self.results.pairs(cases, editor, self.base)

    def ratio(self, pairs: Sequence[tuple[Values, Values]], name: str) -> Interval:
        """Sum of the editor's over sum of the input's, with its interval."""
        return bootstrap_ratio(column((p[0] for p in pairs), name), column((p[1] for p in pairs), name))

    def mean(self, pairs: Sequence[tuple[Values, Values]], name: str) -> Interval:
        """Mean of the editor's values, with its interval; scenes without the value are left out."""
        return bootstrap_mean([p[0][name] for p in pairs if name in p[0]])

    def distance_columns(self) -> tuple[str, ...]:
        """Names of the columns of `distance_cells`."""
        kld = ("KLD ratio", "KLD", "nontarget KLD") if self.kld else ()
        return ("scenes", "MSD ratio", "MSD", *kld, "skirt MSD", "nontarget MSD")

    def distance_cells(self, pairs: Sequence[tuple[Values, Values]]) -> tuple[Cell, ...]:
        """Distances in the target, as ratio to the input and as they are, and what lies beside it."""

        def mean(name: str) -> float:
            return float(column((p[0] for p in pairs), name).mean())

        kld: tuple[Cell, ...] = ()
        if self.kld:
            kld = (self.ratio(pairs, "kld_target"), mean("kld_target"), mean("kld_nontarget"))
        msd: tuple[Cell, ...] = (len(pairs), self.ratio(pairs, "msd_target"), mean("msd_target"))
        return (*msd, *kld, mean("msd_skirt"), mean("msd_nontarget"))

    def distance_rows(self, cases: Sequence[Case]) -> tuple[tuple[Cell, ...], ...]:
        """One row per group and editor: the group's cells, the editor, its distances.

        A group that nobody but the input has an answer to is left out.
        """
        rows: list[tuple[Cell, ...]] = []
        for group, members in grouped(cases).items():
            answers = [(editor, pairs) for editor in self.editors if (pairs := self.pairs(members, editor))]
            if any(editor is not self.base for editor, _ in answers):
                rows += [(*group, editor.name, *self.distance_cells(pairs)) for editor, pairs in answers]
        return tuple(rows)
