"""What a report may say of an error: where it happened and what kind it is, without names, paths or contents of the person's files."""

import re
import sys
import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType

from recomposer_studio.errors import InputError

_PACKAGE = Path(__file__).resolve().parent.parent
_QUOTED = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
_PATH = re.compile(r"(?:(?<![\w<])(?:[A-Za-z]:[\\/]|\\\\|~?/)|file:/)[^\n'\":;<>|?*]*")
_SUFFIXES = [
    "wav",
    "wave",
    "flac",
    "aif",
    "aiff",
    "aifc",
    "caf",
    "w64",
    "rf64",
    "au",
    "snd",
    "ogg",
    "oga",
    "opus",
    "mp3",
    "json",
    "jams",
    "txt",
    "csv",
    "tsv",
    "textgrid",
    "recomposer",
    "onnx",
    "safetensors",
]
# Begins where a word begins and looks no further than a name can be long: a line of a megabyte must not take minutes.
_FILE = re.compile(r"(?<![^\s'\"<>/\\])[^\s'\"<>/\\]{1,255}\.(?:" + "|".join(_SUFFIXES) + r")\b", re.IGNORECASE)
_OF_CODE = (AttributeError, NameError, ImportError, TypeError, NotImplementedError)
"""Errors whose messages quote names of the program's own code."""
_SHORTEST_WORD = 3
ELSEWHERE = "<elsewhere>"


def error_text(error: BaseException, words: Iterable[str] = ()) -> str:
    """An error with its causes and where they happened, as Python prints it, without what belongs to the person.

    Args:
        error: the error.
        words: names that must not appear in messages: files, labels, the account.
    """
    words = tuple(words)
    parts: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        parts.append(_one(link, words))
        if link.__cause__ is not None:
            parts.append("This was caused by the following:\n")
            link = link.__cause__
        elif link.__context__ is not None and not link.__suppress_context__:
            parts.append("It happened while the following was handled:\n")
            link = link.__context__
        else:
            link = None
    return "\n".join(parts)


def place_of(error: BaseException) -> str:
    """The kind of an error and the last line of the program's own code in it; equal errors have equal places."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)] or list(frames)
    return f"{type(error).__name__} in {code_name(own[-1].filename)}:{own[-1].lineno}" if own else type(error).__name__


def message_of(error: BaseException, words: Iterable[str] = ()) -> str:
    """An error's own words without what belongs to the person."""
    try:
        text = str(error)
    except Exception as other:  # a broken __str__ must not hide the error
        return f"<no message: {type(other).__name__}>"
    if isinstance(error, InputError):  # these begin with the name of the thing
        text = text.partition(": ")[2] or text
    return plain(text, words, quoted=not isinstance(error, _OF_CODE))


def plain(text: str, words: Iterable[str] = (), *, quoted: bool = True) -> str:
    """A text without paths, names of files and the given words.

    Args:
        text: any text.
        words: further words to take out, upper or lower case.
        quoted: whether what stands in quotation marks is taken out as well.
    """
    known = sorted({word.strip() for word in words}, key=len, reverse=True)
    # Whole paths first: where a path with spaces ends cannot be seen. Single names last: inside a path they would tear it apart.
    text = _without([word for word in known if "/" in word or "\\" in word], text)
    if quoted:
        text = _QUOTED.sub(lambda match: _instead(match[0]), text)
    text = _PATH.sub(lambda match: _instead(match[0]), text)
    text = _FILE.sub(lambda match: _instead(match[0]), text)
    return _without(known, text)


def _without(words: list[str], text: str) -> str:
    for word in words:
        if len(word) >= _SHORTEST_WORD:
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "<name>", text, flags=re.IGNORECASE)
    return text


def code_name(filename: str) -> str:
    """The name of a file of code without where it is installed."""
    if filename.startswith("<"):
        return filename
    path = Path(filename)
    roots = [(_PACKAGE.parent, "")] if path.is_relative_to(_PACKAGE) else []
    paths = sysconfig.get_paths()
    roots += [(Path(paths[name]), f"{name}/") for name in ("purelib", "platlib", "stdlib", "platstdlib")]
    roots.append((Path(sys.prefix), "python/"))
    for root, shown in roots:
        if path.is_relative_to(root):
            return shown.replace("purelib/", "").replace("platlib/", "") + path.relative_to(root).as_posix()
    return ELSEWHERE


def fault_text(text: str) -> str:
    """What `faulthandler` wrote, without where the program is installed."""
    return re.sub(r'File "([^"]*)"', lambda match: f'File "{code_name(match[1])}"', text)


def _one(error: BaseException, words: tuple[str, ...]) -> str:
    head = f"{type(error).__module__}.".removeprefix("builtins.") + type(error).__qualname__
    message = message_of(error, words)
    notes = "".join(f"\n{plain(note, words)}" for note in getattr(error, "__notes__", ()))
    frames = _frames(error.__traceback__)
    trace = f"Traceback (most recent call last):\n{frames}" if frames else ""
    return f"{trace}{head}{': ' if message else ''}{message}{notes}\n"


def _frames(trace: TracebackType | None) -> str:
    frames = []
    for frame in traceback.extract_tb(trace):
        name = code_name(frame.filename)
        # The line is looked up under the true name. What stands in code that is not the program's or a library's is not shown.
        line = "" if name == ELSEWHERE else frame.line or ""
        frames.append(traceback.FrameSummary(name, frame.lineno, frame.name, line=line))
    return "".join(traceback.StackSummary.from_list(frames).format())


def _instead(text: str) -> str:
    """What stands in the place of a name: the kind of file, or how long it was."""
    inner = text.strip("'\"").rstrip(" ).,")
    suffix = PurePosixPath(inner.replace("\\", "/")).suffix
    if re.fullmatch(r"\.\w{1,10}", suffix):
        return f"<file {suffix.lower()}>"
    return "<path>" if "/" in inner or "\\" in inner else f"<{len(inner)} characters>"
