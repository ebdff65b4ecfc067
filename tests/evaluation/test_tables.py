"""Tables: ratios of sums, honest gaps."""

import json

from recomposer_studio.evaluation.bootstrap import Interval
from recomposer_studio.evaluation.tables import Table


def test_markdown_and_json_show_the_same_cells() -> None:
    rows = (
        ("plain", 3, Interval(0.5, 0.25, 0.75), 0.0, 0.004, None),
        ("overlap", 2, Interval(*3 * [float("nan")]), 1.0, 2.5, "x"),
    )
    table = Table("Title", "Note.", ("kind", "n", "ratio", "a", "b", "c"), rows)
    lines = table.markdown().splitlines()
    assert lines[0] == "### Title"
    assert "| plain | 3 | 0.50 [0.25, 0.75] | 0 | 0.004 | - |" in lines
    assert "| overlap | 2 | - | 1.00 | 2.50 | x |" in lines
    plain = table.as_json()["rows"]
    assert plain[0]["ratio"] == {"value": 0.5, "low": 0.25, "high": 0.75}
    assert plain[1]["ratio"] == {"value": None, "low": None, "high": None}
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_an_empty_table_says_so() -> None:
    assert "No editor" in Table("Title", "Note.", ("a",), ()).markdown()


def test_no_figure_is_a_negative_zero() -> None:
    table = Table("Title", "Note.", ("a", "b"), ((Interval(-0.001, -0.25, 0.004), -0.0),))
    assert "| 0.00 [-0.25, 0.00] | 0 |" in table.markdown()
