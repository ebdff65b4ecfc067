"""What is raised when a person gave something that cannot work, or asked to stop."""

import unicodedata

_MOST = 1_200
"""Characters of a sentence that are shown: a name of a hundred thousand has no place in a message bar."""
_TURNS_TEXT = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of writing: with them a name can look like another one."""


class InputError(Exception):
    """A bad input, told in one sentence that names it and the remedy.

    The command line prints the sentence and ends with status 2; the window shows it. Nothing has been changed when it is raised.
    Names and labels in the sentence come from elsewhere: what would steer a terminal is shown as an escape.
    """

    def __str__(self) -> str:
        sentence = super().__str__()
        if len(sentence) > _MOST:
            sentence = f"{sentence[: _MOST // 2]} ... {sentence[-_MOST // 2 :]}"
        return sentence if sentence.isprintable() else "".join(map(_plain, sentence))


class Cancelled(Exception):  # noqa: N818 - the field's word, and no error
    """The person asked to stop; nothing was changed."""


def _plain(character: str) -> str:
    if character in "\t\n\v\f\r":
        return " "
    unseen = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in _TURNS_TEXT
    return character.encode("unicode_escape").decode("ascii") if unseen else character
