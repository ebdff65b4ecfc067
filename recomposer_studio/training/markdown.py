"""Names in Markdown pages are shown as they are: they come from tables that anybody may have written."""

import re

_MARKS = re.compile(r"[\\`*\[\]<>|]")


def plain_markdown(text: str) -> str:
    """A text on one line that Markdown takes for no markup, link or end of a table's cell."""
    return _MARKS.sub(lambda match: f"\\{match[0]}", " ".join(text.split()))
