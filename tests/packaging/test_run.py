"""The parts of packaging/run.py that decide; nothing here reaches the network or changes the environment."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run() -> ModuleType:
    spec = importlib.util.spec_from_file_location("packaging_run", ROOT / "packaging" / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("win32", {}, True),
        ("darwin", {}, True),
    ],
)
def test_display(run, platform, environ, expected):
    assert run.has_display(platform, environ) is expected


def test_main_job_with_and_without_a_window(run):
    window = run.job_command(True, ["--scale", "2"])
    headless = run.job_command(False, ["--seed", "4"])
    assert Path(window[0]).stem == "recomposer-studio"
    assert window[1:] == ["--demo", "--scale", "2"]
    assert Path(headless[0]).stem == "recomposer"
    assert headless[1:] == ["demo", "--out", str(ROOT / "demo"), "--seed", "4"]


@pytest.mark.parametrize(("environ", "program"), [({"DISPLAY": ":0"}, "recomposer-studio"), ({}, "recomposer")])
def test_a_display_alone_decides_on_the_window(run, monkeypatch, capsys, environ, program):
    monkeypatch.setattr(run, "set_up", lambda *_: None)
    monkeypatch.setattr(run.sys, "platform", "linux")
    monkeypatch.setattr(run.os, "environ", environ)
    assert run.main(["--check"]) == 0
    command = capsys.readouterr().out.split("Would run ")[1].split()[0]
    assert Path(command).stem == program


def test_pytest_is_the_last_of_the_checks_and_takes_the_arguments(run):
    commands = run.test_commands(["-k", "wheel"])
    assert [Path(command[0]).stem for command in commands] == ["ruff", "ruff", "mypy", "python"]
    assert commands[-1][1:] == ["-m", "pytest", "-k", "wheel"]


def test_only_missing_packages_are_asked_for(run):
    missing = run.missing_packages(
        test=True,
        display=False,
        library_loads=lambda library: library not in ("libEGL.so.1", "libxcb-cursor.so.0"),
        find_command=lambda command: None if command == "Xvfb" else f"/usr/bin/{command}",
    )
    assert missing == ["libegl1", "libxcb-cursor0", "xvfb"]
    assert " ".join(run.apt_install(missing)) == (
        "apt-get install -y --no-install-recommends libegl1 libxcb-cursor0 xvfb"
    )


def test_the_headless_main_job_needs_neither_window_libraries_nor_test_tools(run):
    def nothing(_):
        return None

    headless = run.missing_packages(False, False, nothing, nothing)
    windowed = run.missing_packages(False, True, nothing, nothing)
    tests = run.missing_packages(True, False, nothing, nothing)
    assert set(headless) == {*run.QT_LIBRARIES, *run.SOUND_LIBRARIES}
    assert set(windowed) - set(headless) == set(run.WINDOW_LIBRARIES)
    assert set(tests) - set(windowed) == set(run.TEST_TOOLS)


def test_without_the_right_to_apt_the_line_is_printed(run, monkeypatch, capsys):
    monkeypatch.setattr(run, "apt_right", lambda: None)
    assert run.install_packages(["libegl1"], "windows") is False
    assert "sudo apt-get install -y --no-install-recommends libegl1" in capsys.readouterr().out


def test_exactly_one_onnxruntime(run):
    assert run.extras(test=False, nvidia=False) == ["cpu"]
    assert run.extras(test=False, nvidia=True) == ["gpu"]
    assert run.extras(test=True, nvidia=False) == ["cpu", "codecs", "dev", "train"]


def checkout(folder: Path) -> Path:
    (folder / "recomposer_studio").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    (folder / "recomposer_studio" / "__init__.py").write_text('__version__ = "1"\n', encoding="utf-8")
    return folder


def test_the_fingerprint_changes_with_all_that_an_environment_depends_on(run, tmp_path):
    root = checkout(tmp_path / "a")
    first = run.fingerprint(root, (3, 11))
    assert run.fingerprint(root, (3, 11)) == first
    assert run.fingerprint(root, (3, 12)) != first
    assert run.fingerprint(checkout(tmp_path / "b"), (3, 11)) != first
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    assert run.fingerprint(root, (3, 11)) != first


def test_an_environment_for_the_tests_serves_the_main_job_but_not_the_other_way(run):
    tests = {"fingerprint": "f", "extras": ["cpu", "codecs", "dev", "train"]}
    main = {"fingerprint": "f", "extras": ["cpu"]}
    assert run.is_ready(tests, "f", ["cpu"])
    assert not run.is_ready(main, "f", ["cpu", "codecs", "dev", "train"])
    assert not run.is_ready(main, "g", ["cpu"])
    assert not run.is_ready({}, "f", ["cpu"])


def test_an_interrupted_installation_is_never_ready(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "VENV", tmp_path)
    monkeypatch.setattr(run, "STAMP", tmp_path / "stamp.json")

    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "install_torch", stopped)
    with pytest.raises(KeyboardInterrupt):
        run.install(["cpu"], "f", nvidia=False)
    assert not run.is_ready(run.read_stamp(), "f", ["cpu"])
    assert run.venv_version() is None


def test_a_failed_installation_leaves_the_environment_for_the_next_try(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "VENV", tmp_path)
    monkeypatch.setattr(run, "STAMP", tmp_path / "stamp.json")

    def failed(*_):
        raise run.SetupError("no network")

    monkeypatch.setattr(run, "install_torch", failed)
    with pytest.raises(run.SetupError, match="no network"):
        run.install(["cpu"], "f", nvidia=False)
    assert run.read_stamp() == {}


def test_a_damaged_stamp_counts_as_none(run, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "STAMP", tmp_path / "stamp.json")
    for damage in ("{", "[]", ""):
        (tmp_path / "stamp.json").write_text(damage, encoding="utf-8")
        assert run.read_stamp() == {}


class Installer:
    """Stands for pip and uv: answers the dry run with a plan and notes what is installed."""

    def __init__(self, planned: list[str], uv_status: int = 0) -> None:
        self.planned = planned
        self.uv_status = uv_status
        self.commands: list[str] = []

    def call(self, command, quiet=False, cwd=None, variables=None):
        if "--report" in command:
            report = {"install": [{"metadata": {"name": name}} for name in self.planned]}
            Path(command[command.index("--report") + 1]).write_text(json.dumps(report), encoding="utf-8")
            return 0
        is_uv = Path(command[0]).stem == "uv"
        self.commands.append(" ".join(["uv" if is_uv else "pip", *command[1:]]))
        return self.uv_status if is_uv else 0


@pytest.fixture
def torch_install(run, monkeypatch):
    def install(installer: Installer, nvidia: bool = False) -> list[str]:
        monkeypatch.setattr(run, "call", installer.call)
        run.install_torch(nvidia)
        return installer.commands

    return install


def test_a_cpu_build_is_taken_from_pip_where_pip_has_one(torch_install):
    commands = torch_install(Installer(["torch", "numpy"]))
    assert len(commands) == 1
    assert "torch==" in commands[0]
    assert commands[0].startswith("pip")


@pytest.mark.parametrize("package", ["nvidia-cublas", "cuda-toolkit"])
def test_cuda_is_avoided_on_a_machine_without_a_driver(torch_install, package):
    commands = torch_install(Installer(["torch", package]))
    assert commands[0].startswith("pip -m pip install uv")
    assert "--torch-backend=cpu" in commands[1]
    assert len(commands) == 2


def test_cuda_comes_only_when_no_cpu_build_can_be_had(torch_install, capsys):
    commands = torch_install(Installer(["torch", "nvidia-cublas"], uv_status=1))
    assert commands[-1].startswith("pip -m pip install torch==")
    assert "several GB" in capsys.readouterr().out


def test_a_machine_with_a_driver_takes_the_usual_build(torch_install):
    commands = torch_install(Installer(["torch", "nvidia-cublas"]), nvidia=True)
    assert len(commands) == 1
    assert commands[0].startswith("pip")


def test_the_first_failure_gives_the_status_and_every_check_still_runs(run, monkeypatch):
    codes = iter([0, 3, 0, 1])
    seen = []

    def call(command, **_):
        seen.append(command)
        return next(codes)

    monkeypatch.setattr(run, "call", call)
    assert run.run_tests([["a"], ["b"], ["c"], ["d"]]) == 3
    assert seen == [["a"], ["b"], ["c"], ["d"]]


def test_an_unsuitable_python_is_told_so(run, monkeypatch):
    monkeypatch.setattr(run.sys, "version_info", (3, 9, 1))
    monkeypatch.setattr(run, "other_python", lambda: None)
    with pytest.raises(run.SetupError, match=r"Python 3\.11, 3\.12 or 3\.13 is needed \(this is 3\.9\)"):
        run.main(["--check"])


def test_an_unsuitable_python_hands_over_to_a_suitable_one(run, monkeypatch):
    commands = []
    monkeypatch.setattr(run.sys, "version_info", (3, 9, 1))
    monkeypatch.setattr(run, "other_python", lambda: ["py", "-3.12"])
    monkeypatch.setattr(run, "call", lambda command: commands.append(command) or 7)
    assert run.main(["test", "-x"]) == 7
    assert commands == [["py", "-3.12", str(ROOT / "packaging" / "run.py"), "test", "-x"]]


def test_a_python_that_does_not_start_has_no_version(run, tmp_path):
    assert run.python_version([str(tmp_path / "python")]) is None
    assert run.python_version([sys.executable]) == sys.version_info[:2]


@pytest.mark.parametrize("mode", [[], ["test"]])
def test_check_changes_nothing_and_works_from_any_folder(mode, tmp_path):
    answer = subprocess.run(
        [sys.executable, str(ROOT / "packaging" / "run.py"), *mode, "--check"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert "Would run" in answer.stdout
    assert answer.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_no_registry_host_is_named():
    text = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("packaging/run.py", "pyproject.toml"))
    assert "http" not in text


def test_the_exclusive_pair_is_no_plain_dependency():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert not [line for line in project["dependencies"] if line.startswith("onnxruntime")]
    optional = project["optional-dependencies"]
    both = [name for name, lines in optional.items() if any(line.startswith("onnxruntime") for line in lines)]
    assert both == ["cpu", "gpu"]
