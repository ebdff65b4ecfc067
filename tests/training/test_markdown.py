"""Names in Markdown pages."""

import re
from pathlib import Path

import pytest

from recomposer_studio.training.attribution import attribution_page
from recomposer_studio.training.markdown import plain_markdown


@pytest.mark.parametrize(
    "text", ["Bird vocalization, bird call", "recomposer-small", "J. Smith (2026) & Co.", "a_b 3.5"]
)
def test_plain_names_stay(text):
    assert plain_markdown(text) == text


def test_marks_are_shown_and_lines_joined():
    assert plain_markdown("<b>x</b> | [a](b)\n# y") == "\\<b\\>x\\</b\\> \\| \\[a\\](b) # y"


def test_an_attribution_page_takes_no_name_for_markup(tmp_path: Path):
    (tmp_path / "manifest.csv").write_text(
        "path,licence,author,source_id,source_repo\n"
        "a.wav,CC0 <script>,[me](https://x.example) <img>,freesound-1)](x,\n"
        "b.wav,CC0 <script>,plain,own <b>,repo|x\n",
        encoding="utf-8",
    )
    page = attribution_page(tmp_path, {"a.wav", "b.wav"})
    assert [mark for mark in re.findall(r"(.)[<|]", page.replace("<https", "")) if mark != "\\"] == []
    assert re.findall(r"[^\\]\]\(", page) == []
    assert "script" in page and "img" in page
