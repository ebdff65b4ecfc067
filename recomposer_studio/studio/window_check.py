"""Whether Qt can open a window here: `python -m recomposer_studio.studio.window_check` prints a JSON object; Qt itself may abort the process."""

import ctypes
import json
import os
import re
import sys
from pathlib import Path
from typing import Any


def look() -> dict[str, Any]:
    """Qt's version and platform, the screen, and what is missing."""
    try:
        import PySide6
        from PySide6.QtCore import QLibraryInfo, qVersion
        from PySide6.QtWidgets import QApplication
    except ImportError as error:
        return {"problem": str(error)}
    facts: dict[str, Any] = {"qt": f"{qVersion()} (PySide6 {PySide6.__version__})"}
    asked = os.environ.get("QT_QPA_PLATFORM", "")
    if sys.platform.startswith("linux"):
        plugins = Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)) / "platforms"
        facts["missing"] = _missing(plugins / "libqxcb.so") if not asked or asked.startswith("xcb") else ""
        facts["display"] = bool(asked or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    else:
        facts["display"] = True
    if facts.get("missing") or not facts["display"]:
        return facts
    # Said already now: a platform that cannot start ends the process here.
    print(json.dumps(facts | {"problem": "the platform cannot start"}), flush=True)
    app = QApplication([])
    screen = app.primaryScreen()
    size = screen.size()
    return facts | {
        "platform": app.platformName(),
        "screen": f"{size.width()} x {size.height()} at {screen.devicePixelRatio():g}",
    }


def _missing(plugin: Path) -> str:
    """The system library that the platform plugin lacks; Qt itself tells it in many lines and no exit."""
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        name = re.match(r"(lib[^:\s]+)", str(error))
        return name[1] if name else str(error)
    return ""


if __name__ == "__main__":
    print(json.dumps(look()))
