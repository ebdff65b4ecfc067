"""Which program this is and what it runs on: from the installation's own papers, without loading a library."""

import importlib.metadata
import platform
import struct
from dataclasses import dataclass

from packaging.requirements import Requirement

from recomposer_studio import __version__

DISTRIBUTION = "recomposer-studio"


@dataclass(frozen=True)
class Library:
    """A library that the program asks for.

    Attributes:
        name: as the package index has it.
        wanted: the versions that work, for example ">=2.0"; empty for any.
        found: the version that is installed; None when it is not.
        fits: whether it is installed in such a version.
        extra: the extra that asks for it, empty for the program itself.
    """

    name: str
    wanted: str
    found: str | None
    fits: bool
    extra: str = ""


def libraries() -> list[Library]:
    """What the program and its extras ask for.

    Raises:
        importlib.metadata.PackageNotFoundError: the program is not installed.
    """
    found: dict[tuple[str, str], Library] = {}
    for line in importlib.metadata.requires(DISTRIBUTION) or []:
        requirement = Requirement(line)
        extra = _extra_of(requirement)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        found[requirement.name, extra] = _library(requirement, extra)
    return list(found.values())


def python_wanted() -> str:
    """The Python versions that the program runs on.

    Raises:
        importlib.metadata.PackageNotFoundError: the program is not installed.
    """
    return str(importlib.metadata.metadata(DISTRIBUTION)["Requires-Python"] or "")


def facts() -> dict[str, str]:
    """Program, Python, system and libraries, by what they are called."""
    bits = 8 * struct.calcsize("P")
    result = {
        "program": f"recomposer-studio {__version__}",
        "python": f"{platform.python_implementation()} {platform.python_version()}, {bits} bit",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }
    try:
        known = libraries()
    except importlib.metadata.PackageNotFoundError:
        return result | {"libraries": "the program is not installed"}
    wanted = [library for library in known if library.extra in ("", "cpu", "gpu") and library.found]
    listed = {f"{library.name} {library.found}": None for library in wanted}
    return result | {"libraries": ", ".join(listed)}


def _extra_of(requirement: Requirement) -> str:
    """The extra that a requirement belongs to; its marker is the one place that says so."""
    marker = str(requirement.marker or "")
    return marker.partition('extra == "')[2].partition('"')[0]


def _library(requirement: Requirement, extra: str) -> Library:
    wanted = str(requirement.specifier)
    try:
        found = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return Library(requirement.name, wanted, None, False, extra)
    return Library(requirement.name, wanted, found, requirement.specifier.contains(found, prereleases=True), extra)
