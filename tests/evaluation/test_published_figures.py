"""The figures printed in the documents are those that were measured."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.bootstrap import Interval
from recomposer_studio.evaluation.evaluate import Evaluation, evaluate
from recomposer_studio.evaluation.studies import STUDIES
from recomposer_studio.evaluation.tables import Cell, Table

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "evaluation"


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
    # The page is of classical editors: none generates, so nobody asks them for whole clips or looks for copies.
    assert set(figures["studies"]) == {study.name for study in STUDIES} - {"modes", "memorisation"}
    assert_printed(figures, text)


def assert_printed(figures: dict[str, Any], text: str) -> None:
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


def test_the_command_puts_a_report_into_the_page(tiny_folder: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("anchors_command", ROOT / "benchmarks" / "anchors.py")
    assert spec is not None
    assert spec.loader is not None
    command = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(command)
    out, page = tmp_path / "out", tmp_path / "anchors.md"
    request = Evaluation(tiny_folder, out, scenes=2, editors=("repair",), only=True, classes="all", duration_s=3.0)
    page.write_text("# Anchors\n\nBy hand.\n\n## Method\n\nOld.\n", encoding="utf-8")
    report = evaluate(request)
    command.publish(report, out, page)
    text, figures = page.read_text(encoding="utf-8"), json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert text.startswith("# Anchors\n\nBy hand.\n\n## Method\n")
    assert "Old." not in text
    assert_printed(figures, text)
    # Plain and overlap scenes; repair leaves Insert alone.
    assert figures["takes"] == {"input": 12, "repair": 8}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert "anchors/histogram-plain-delete-msd.png" in links
    assert "anchors/repair-delete-worst.png" in links
    assert all((tmp_path / link).is_file() for link in links)
    page.write_text("# Anchors\n", encoding="utf-8")
    with pytest.raises(InputError, match="Method"):
        command.publish(report, out, page)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [number for part in value for number in _numbers(part)]
    return [value] if isinstance(value, float) else []
