"""Texts that are shown as they are: names and labels come from elsewhere, and Qt takes what looks like markup for markup."""

from html import escape

from PySide6.QtGui import Qt


def as_plain(text: str) -> str:
    """A text for a tool tip or a message box, which decide by themselves whether they are given markup."""
    if not Qt.mightBeRichText(text):
        return text
    return f"<qt>{escape(text)}</qt>".replace("\n", "<br>")
