"""Measures the classical anchors on the test split and writes them into docs/evaluation/anchors.md and anchors.json.

Everything of the page before its heading "Method" is written by hand and stays; tests/evaluation/test_published_figures.py
tells which of its sentences no longer speak of measured figures. An interrupted run goes on.

Run: python benchmarks/anchors.py --data DIR --yamnet yamnet.tflite --out DIR [--jobs 2]
"""

import argparse
import json
import re
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from recomposer_studio.audio.atomic import atomic_path
from recomposer_studio.cli.progress import progress_bar
from recomposer_studio.cli.reading import ReadingBar, say
from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.bootstrap import Interval
from recomposer_studio.evaluation.evaluate import Evaluation, evaluate
from recomposer_studio.evaluation.report import Report

PAGE = Path(__file__).resolve().parents[1] / "docs" / "evaluation" / "anchors.md"
BY_HAND_UNTIL = "## Method"


def figures(report: Report) -> str:
    """The tables as JSON, one row a line: intervals as [value, low, high], six digits."""
    lines = ["{", ' "format_version": 1,', f' "settings": {json.dumps(dict(report.settings))},']
    takes = {
        who: int(count) for who, count in re.findall(r"(\w+): .*?(\d+) takes", "\n".join(c for c, _ in report.checks))
    }
    lines += [f' "classifier": {json.dumps(report.scorer)},', f' "takes": {json.dumps(takes)},', ' "studies": {']
    studies = []
    for name, tables in report.tables.items():
        shown = []
        for table in tables:
            rows = ",\n".join("    " + json.dumps([_plain(cell) for cell in row]) for row in table.rows)
            title, columns = json.dumps(table.title), json.dumps(list(table.columns))
            shown.append(f'   {{"title": {title}, "columns": {columns}, "rows": [\n{rows}]}}')
        studies.append(f"  {json.dumps(name)}: [\n" + ",\n".join(shown) + "]")
    return "\n".join([*lines, ",\n".join(studies), " }", "}", ""])


def _plain(cell: Any) -> Any:
    if isinstance(cell, Interval):
        return [_plain(value) for value in cell]
    return float(f"{cell:.6g}") if isinstance(cell, float) else cell


def measured_part(report: Report, out: Path) -> str:
    """What the page says from its heading "Method" on; pictures lie in the folder `anchors` beside it."""
    text = report.markdown(out)
    text = (
        text[text.index(BY_HAND_UNTIL) :]
        .split("## Best, median and worst scenes")[0]
        .replace("](pictures/", "](anchors/")
    )
    lines = [text.rstrip(), "", "## Two scenes", ""]
    for example in report.examples:
        if (example.editor, example.action) == ("repair", "delete") and example.rank in ("median", "worst"):
            lines += [f"**{example.editor}, {example.rank}**: {example.caption}.", ""]
            lines += [f"![{example.picture.stem}](anchors/{example.picture.name})", ""]
    return "\n".join(lines).rstrip() + "\n"


def publish(report: Report, out: Path, page: Path) -> None:
    """Puts a report into the page, its JSON file and the folder of its pictures.

    Raises:
        InputError: the page has no heading to put it under.
    """
    by_hand, heading, _ = page.read_text(encoding="utf-8").partition(BY_HAND_UNTIL)
    if not heading:
        raise InputError(f"{page}: the heading '{BY_HAND_UNTIL}' is missing; the figures go there")
    text = measured_part(report, out)
    pictures = page.with_suffix("")
    pictures.mkdir(exist_ok=True)
    for picture in (*report.histograms, *(example.picture for example in report.examples)):
        if f"](anchors/{picture.name})" in text:
            shutil.copyfile(picture, pictures / picture.name)
    for path, content in ((page, by_hand + text), (page.with_suffix(".json"), figures(report))):
        with atomic_path(path) as part:
            part.write_text(content, encoding="utf-8", newline="\n")


def main(words: list[str] | None = None) -> int:
    """Measures and publishes; 2 when something cannot be done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="recordings: a folder with manifest.csv")
    parser.add_argument("--yamnet", type=Path, required=True, help="the published YAMNet")
    parser.add_argument("--out", type=Path, required=True, help="folder for the whole report")
    parser.add_argument("--scenes", type=int, default=40, help="scenes per row (default 40)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--page", type=Path, default=PAGE, help="default: docs/evaluation/anchors.md")
    given = parser.parse_args(words)
    request = Evaluation(
        given.data,
        given.out,
        "test",
        given.scenes,
        ("repair",),
        ("all",),
        given.yamnet,
        cache=given.out,
        jobs=given.jobs,
    )
    try:
        with closing(ReadingBar()) as reading, progress_bar("measuring") as progress:
            publish(evaluate(request, progress, say, reading), given.out, given.page)
    except InputError as error:
        say(f"anchors: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
