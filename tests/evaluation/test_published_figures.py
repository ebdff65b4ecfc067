"""The figures printed in the documents are those that were measured."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from recomposer_studio.evaluation.bootstrap import Interval
from recomposer_studio.evaluation.studies import STUDIES
from recomposer_studio.evaluation.tables import Cell, Table

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "evaluation"


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    path = FOLDER / "anchors.json"
    assert path.stat().st_size < 60_000
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def text() -> str:
    return (FOLDER / "anchors.md").read_text(encoding="utf-8")


def cell(value: Any) -> Cell:
    plain: Cell = Interval(*value) if isinstance(value, list) else value
    return plain


def test_every_printed_row_is_a_measured_one(figures: dict[str, Any], text: str) -> None:
    assert set(figures["studies"]) == {study.name for study in STUDIES}
    printed = text[text.index("## Study: anchors") :]
    lines = [line for line in printed.splitlines() if line.startswith("| ")]
    measured = []
    for tables in figures["studies"].values():
        for stored in tables:
            rows = tuple(tuple(cell(value) for value in row) for row in stored["rows"])
            table = Table(stored["title"], "", tuple(stored["columns"]), rows).markdown().splitlines()
            assert f"### {stored['title']}" in printed
            measured += [line for line in table if line.startswith("| ")]
    assert lines == measured


def test_the_sentences_speak_of_measured_figures(figures: dict[str, Any], text: str) -> None:
    prose = text[text.index("## What the figures say") : text.index("## Against earlier measurements")]
    known = {f"{value:.2f}" for value in _numbers(figures["studies"])}
    # Decimals with two places are figures of the tables.
    assert set(re.findall(r"(?<![\d.])\d\.\d\d(?!\d)", prose)) <= known
    takes = figures["takes"]
    edited = {name: takes[name] for name in ("copy", "repair", "oracle", "real")}
    assert f"{sum(edited.values()):,} distinct takes" in prose
    assert ", ".join(f"{name} {count}" for name, count in edited.items()) in prose
    assert all(re.search(rf"holds: {name}: .*\b{count} takes", text) for name, count in takes.items())


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for part in value for number in _numbers(part)]
    return [value] if isinstance(value, float) else []
