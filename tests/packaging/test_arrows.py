"""The arrows of docs/architecture.md: which room may know which, and what no room may use."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "recomposer_studio"
MODULES = sorted(PACKAGE.rglob("*.py"))

BASE = {"recomposer_studio", "errors", "data"}
AUDIO = BASE | {"roll"}
PROJECT = AUDIO | {"audio"}
EDITING = PROJECT | {"project"}
LOWER = EDITING | {"editing"}
MODELS = LOWER | {"codec", "model"}
# Room -> the other rooms that its modules may import.
ARROWS = {
    "recomposer_studio": set(),
    "errors": set(),
    "data": BASE,
    "roll": BASE,
    "audio": AUDIO,
    "project": PROJECT,
    "editing": EDITING,
    "tagging": PROJECT,
    "codec": PROJECT,
    "model": LOWER | {"codec"},
    "worker": LOWER | {"model", "tagging"},
    "training": MODELS | {"tagging"},
    "evaluation": MODELS | {"training", "tagging"},
    "cli": MODELS | {"training", "evaluation", "tagging", "diagnosis"},
    "diagnosis": PROJECT | {"model", "tagging"},
    "studio": MODELS | {"worker", "tagging", "diagnosis"},
}
QT = {"PySide6", "shiboken6", "pyqtgraph", "qtpy"}
WITHOUT_TORCH = {"errors", "data", "roll", "audio", "project", "editing", "tagging", "worker", "studio"}
# Reading a file with one of these runs what the file says.
CODE_IN_DATA = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CODE_CALLS = {"eval", "exec", "torch.load", "torch.save"}
POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty"}


def room(module: Path) -> str:
    """The first name below the package: a folder, or a module at its top."""
    first = module.relative_to(PACKAGE).parts[0]
    return {"__init__.py": "recomposer_studio"}.get(first, first.removesuffix(".py"))


def imports(module: Path) -> Iterator[str]:
    """The full dotted names that a module imports anywhere, also inside functions and for type checking."""
    package = ["recomposer_studio", *module.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def ways_to_run_data(module: Path) -> Iterator[str]:
    """What a module uses that would run code from a file that it reads."""
    yield from (name for name in imports(module) if name.split(".")[0] in CODE_IN_DATA)
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            yield from [called] if called in CODE_CALLS else []
            # Said as False it is a promise.
            words = {word.arg: ast.unparse(word.value) for word in node.keywords}
            yield from ["allow_pickle"] if words.get("allow_pickle", "False") != "False" else []


def known_rooms(module: Path) -> set[str]:
    """The rooms of this package that a module imports; a plain name from its top counts as the top itself."""
    found = set()
    for name in imports(module):
        parts = name.split(".")
        if parts[0] == "recomposer_studio":
            found.add(parts[1] if len(parts) > 1 and parts[1] in ARROWS else "recomposer_studio")
    return found


def names(paths: list[Path]) -> list[str]:
    return [path.relative_to(PACKAGE).as_posix() for path in paths]


def test_every_room_has_its_arrows():
    assert {room(module) for module in MODULES} <= set(ARROWS)


@pytest.mark.parametrize("module", MODULES, ids=names(MODULES))
def test_a_module_knows_only_the_rooms_below_it(module):
    here = room(module)
    assert known_rooms(module) - {here} <= ARROWS[here]


def test_the_model_reaches_editing_only_through_the_generator():
    reached = {
        name
        for module in MODULES
        if room(module) in ("codec", "model")
        for name in imports(module)
        if name.startswith("recomposer_studio.editing")
    }
    # The protocol that a model fills, and spectral repair with its frames, which are the zero point of the mask head.
    allowed = tuple(f"recomposer_studio.editing.{name}" for name in ("generator", "repair", "regions"))
    assert {name for name in reached if not name.startswith(allowed)} == set()


def test_only_the_workers_child_knows_the_model():
    knowing = [module for module in MODULES if room(module) == "worker" and "model" in known_rooms(module)]
    assert names(knowing) == ["worker/child.py"]


def test_only_the_studio_knows_qt():
    guilty = [
        module
        for module in MODULES
        if room(module) != "studio" and QT & {name.split(".")[0] for name in imports(module)}
    ]
    assert names(guilty) == []


def test_the_rooms_of_the_engine_do_not_know_torch():
    guilty = [
        module
        for module in MODULES
        if room(module) in WITHOUT_TORCH and "torch" in {name.split(".")[0] for name in imports(module)}
    ]
    assert names(guilty) == []


def test_importing_the_engine_loads_neither_torch_nor_qt():
    lower = [
        ".".join(["recomposer_studio", *module.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
        for module in MODULES
        if room(module) in WITHOUT_TORCH - {"studio"}
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {lower!r}: importlib.import_module(name)\n"
        "print(*({'torch', 'PySide6', 'pyqtgraph'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, capture_output=True, encoding="utf-8")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split() == []


def test_no_file_that_is_read_can_run_code():
    guilty = [
        f"{module.relative_to(PACKAGE).as_posix()}: {way}" for module in MODULES for way in ways_to_run_data(module)
    ]
    assert guilty == []


def test_nothing_is_imported_that_windows_lacks():
    guilty = [
        f"{module.relative_to(PACKAGE).as_posix()}: {name}"
        for module in MODULES
        for name in imports(module)
        if name.split(".")[0] in POSIX_ONLY
    ]
    assert guilty == []


def test_the_check_sees_relative_and_hidden_imports(tmp_path, monkeypatch):
    folder = tmp_path / "recomposer_studio"
    module = folder / "roll" / "bad.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "from ..editing import engine\nfrom .. import codec\n\ndef f():\n    import recomposer_studio.cli.main\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", folder)
    assert known_rooms(module) == {"editing", "codec", "cli"}


def test_the_check_sees_code_in_data(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    module = tmp_path / "bad.py"
    module.write_text(
        "import pickle\nweights = torch.load(path)\nmodel.eval()\neval(text)\n"
        "np.load(path, allow_pickle=True)\nnp.load(path, allow_pickle=False)\n",
        encoding="utf-8",
    )
    assert sorted(ways_to_run_data(module)) == ["allow_pickle", "eval", "pickle", "torch.load"]
