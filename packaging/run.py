"""Sets Recomposer Studio up in this checkout and runs it; needs nothing but Python.

    python3 packaging/run.py [--check] [ARGUMENT ...]        the Studio on the demo scene; without a display the same
                                                             edits into the folder `demo` of the checkout
    python3 packaging/run.py test [--check] [ARGUMENT ...]   lint, types and tests; arguments go to pytest

`--check` only prints what would be done. The environment lies in `.venv`; once it stands, a start takes no set-up.
"""

# This file has to get as far as `main` on an old Python, to say so: no syntax and no imports newer than Python 3.7
# outside the functions that run after the version has been checked.
from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
STAMP = VENV / "recomposer-setup.json"
PYTHONS = ((3, 11), (3, 12), (3, 13))

# Debian packages and what shows that one is there: a library that loads or, for the tools, a command.
QT_LIBRARIES = {
    "libegl1": "libEGL.so.1",
    "libgl1": "libGL.so.1",
    "libglib2.0-0": "libglib-2.0.so.0",
    "libfontconfig1": "libfontconfig.so.1",
    "libdbus-1-3": "libdbus-1.so.3",
    "libxkbcommon0": "libxkbcommon.so.0",
}
WINDOW_LIBRARIES = {
    "libxcb-cursor0": "libxcb-cursor.so.0",
    "libxcb-icccm4": "libxcb-icccm.so.4",
    "libxcb-keysyms1": "libxcb-keysyms.so.1",
    "libxcb-shape0": "libxcb-shape.so.0",
    "libxcb-xkb1": "libxcb-xkb.so.1",
    "libxkbcommon-x11-0": "libxkbcommon-x11.so.0",
    "libxcb-render-util0": "libxcb-render-util.so.0",
    "libxcb-image0": "libxcb-image.so.0",
}
SOUND_LIBRARIES = {"libportaudio2": "libportaudio.so.2"}
TEST_TOOLS = {"xvfb": "Xvfb", "xauth": "xauth"}


class SetupError(Exception):
    """The set-up cannot go on; the text is one sentence with the remedy."""


def say(text: str) -> None:
    """Prints one line about what happens next."""
    print(f"[run.py] {text}", flush=True)


def shown(command: list[str]) -> str:
    """A command as a person would type it."""
    return subprocess.list2cmdline(command) if os.name == "nt" else " ".join(shlex.quote(word) for word in command)


# --- Python -----------------------------------------------------------------------------------------------------------


def python_version(command: list[str]) -> tuple[int, int] | None:
    """The version of a Python, None where the command does not work (a broken environment, an empty pyenv shim)."""
    code = "import sys; print(sys.version_info[0], sys.version_info[1])"
    try:
        answer = subprocess.run([*command, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
        major, minor = answer.stdout.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def other_python() -> list[str] | None:
    """The command of a suitable Python elsewhere on this machine."""
    for version in PYTHONS:
        number = f"{version[0]}.{version[1]}"
        for command in (["py", f"-{number}"], [f"python{number}"]):
            found = shutil.which(command[0])
            if found and python_version([found, *command[1:]]) == version:
                return [found, *command[1:]]
    return None


# --- System libraries -------------------------------------------------------------------------------------------------


def has_display(platform: str, environ: dict[str, str]) -> bool:
    """Whether a window can open."""
    return platform in ("win32", "darwin") or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def loads(library: str) -> bool:
    """Whether the dynamic linker finds a library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_packages(
    test: bool,
    display: bool,
    library_loads: Callable[[str], bool] = loads,
    find_command: Callable[[str], str | None] = shutil.which,
) -> list[str]:
    """The Debian packages that this machine lacks for the main job or for the tests."""
    libraries = {**QT_LIBRARIES, **SOUND_LIBRARIES, **(WINDOW_LIBRARIES if test or display else {})}
    tools = TEST_TOOLS if test else {}
    missing = [package for package, library in libraries.items() if not library_loads(library)]
    return missing + [package for package, command in tools.items() if not find_command(command)]


def apt_install(packages: list[str]) -> list[str]:
    """The apt-get command that installs packages."""
    return ["apt-get", "install", "-y", "--no-install-recommends", *packages]


def apt_right() -> list[str] | None:
    """What goes before apt-get to use it without a question, None where that is impossible."""
    if not shutil.which("apt-get"):
        return None
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo and subprocess.run([sudo, "-n", "true"], stderr=subprocess.DEVNULL).returncode == 0:
        return [sudo, "-n"]
    return None


def install_packages(packages: list[str], purpose: str) -> bool:
    """Installs Debian packages, or prints the line that does; tells whether they are there now."""
    right = apt_right()
    line = "sudo " + shown(apt_install(packages))
    if right is None:
        say(f"This machine lacks system libraries for {purpose}. On Debian or Ubuntu this line installs them:")
        say(f"    {line}")
        return False
    say(f"Installing system packages for {purpose}: {' '.join(packages)}")
    apt = [*right, "env", "DEBIAN_FRONTEND=noninteractive"]
    # A failed update (one dead mirror) often leaves lists that are good enough.
    call([*apt, "apt-get", "update", "-qq"])
    if call([*apt, *apt_install(packages)], quiet=True) != 0:
        say("That did not work. Without these packages parts of the program fail. The line to try by hand:")
        say(f"    {line}")
        return False
    return True


# --- Commands ---------------------------------------------------------------------------------------------------------


def child_environment() -> dict[str, str]:
    """The environment of everything started from here: nothing but `.venv` lends packages."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environment.update(PYTHONNOUSERSITE="1", PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    return environment


def call(
    command: list[str], quiet: bool = False, cwd: Path | None = None, variables: dict[str, str] | None = None
) -> int:
    """Runs a command in the foreground.

    Args:
        command: the program and its arguments.
        quiet: hide standard output; the errors are always shown.
        cwd: the folder to run in, the caller's when None.
        variables: further environment variables.

    Returns:
        The exit status; 128 + n for a command that signal n ended.
    """
    environment = {**child_environment(), **(variables or {})}
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL if quiet else None)
    try:
        status = process.wait()
    except KeyboardInterrupt:
        # The terminal has told the child too: it gets time to clean up.
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(timeout=10)
        if process.poll() is None:
            process.kill()
            process.wait()
        raise
    return status if status >= 0 else 128 - status


# --- The environment --------------------------------------------------------------------------------------------------


def in_venv(program: str) -> str:
    """The path of a program in the environment."""
    return str(VENV / ("Scripts" if os.name == "nt" else "bin") / (program + (".exe" if os.name == "nt" else "")))


def extras(test: bool, nvidia: bool) -> list[str]:
    """The extras to install: one of the exclusive pair and, for the tests, the tools."""
    return ["gpu" if nvidia else "cpu", *(("codecs", "dev", "train") if test else ())]


def fingerprint(root: Path, version: tuple[int, int]) -> str:
    """What an environment depends on: the project's declaration, its place and the Python."""
    digest = hashlib.sha256(f"{root}\n{version[0]}.{version[1]}\n".encode())
    for name in ("pyproject.toml", "recomposer_studio/__init__.py"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def is_ready(stamp: dict[str, object], expected: str, wanted: list[str]) -> bool:
    """Whether the stamp of a finished set-up covers what is wanted now."""
    had = stamp.get("extras")
    return stamp.get("fingerprint") == expected and isinstance(had, list) and set(wanted) <= set(had)


def read_stamp() -> dict[str, object]:
    """The stamp of the last set-up: empty where there was none, without a fingerprint where it was cut short."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(stamp: dict[str, object]) -> None:
    """Writes the stamp, whole or not at all."""
    draft = STAMP.with_suffix(".new")
    draft.write_text(json.dumps(stamp), encoding="utf-8")
    os.replace(draft, STAMP)


def venv_version() -> tuple[int, int] | None:
    """The Python of the environment, None where there is none that can be used."""
    if read_stamp().get("interrupted"):
        return None
    version = python_version([in_venv("python")])
    return version if version in PYTHONS else None


def make_venv() -> None:
    """Makes a fresh environment in place of whatever is there."""
    if importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        if not install_packages([package], "virtual environments"):
            raise SetupError(f"This Python cannot make virtual environments; install '{package}' and try again.")
    say(f"{'Making the environment anew' if VENV.exists() else 'Making the environment'} in {VENV}")
    # Inside an environment this is the Python below it: the environment may be the one to be replaced.
    python = getattr(sys, "_base_executable", None) or sys.executable
    if call([python, "-m", "venv", "--clear", str(VENV)]) != 0:
        raise SetupError(f"The environment could not be made; delete the folder '{VENV}' and try again.")


def is_installed(distribution: str) -> bool:
    """Whether the environment holds a distribution."""
    folder = f"{distribution.replace('-', '_')}-*.dist-info"
    return any(list(VENV.glob(f"{lib}/site-packages/{folder}")) for lib in ("Lib", "lib/python*"))


def cuda_packages(report: dict[str, object]) -> list[str]:
    """The CUDA packages in the report of a dry installation."""
    planned = report.get("install", [])
    assert isinstance(planned, list)
    names = [str(item["metadata"]["name"]) for item in planned]
    return [name for name in names if name.lower().startswith(("nvidia-", "cuda-"))]


def torch_requirement() -> str:
    """The line of pyproject.toml that asks for torch."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return next(line for line in project["dependencies"] if line.startswith("torch=="))


def pip(*arguments: str) -> None:
    """Runs pip in the environment and expects it to work."""
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    if call([in_venv("python"), "-m", "pip", *arguments, *quiet], cwd=ROOT) != 0:
        raise SetupError("An installation failed, see the lines above; when its cause is gone, run this again.")


def install_torch(nvidia: bool) -> None:
    """Installs torch; on a machine without an NVIDIA driver a build without CUDA, where there is one."""
    requirement = torch_requirement()
    if not nvidia:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.json"
            pip("install", "--quiet", "--dry-run", "--report", str(report), requirement)
            unwanted = cuda_packages(json.loads(report.read_text(encoding="utf-8")))
        if unwanted:
            say(f"The usual {requirement} brings CUDA, which this machine cannot use: asking uv for the CPU build")
            pip("install", "uv")
            uv = [in_venv("uv"), "pip", "install", "--python", in_venv("python"), "--torch-backend=cpu", requirement]
            if call(uv) == 0:
                return
            say("No CPU build can be had here: going on with CUDA, a download of several GB")
    say(f"Installing {requirement}")
    pip("install", requirement)


def install(wanted: list[str], expected: str, nvidia: bool) -> None:
    """Installs the project and its dependencies into the environment and stamps it."""
    # Only an installation that is killed or interrupted leaves this stamp behind: packages may be half there then, and
    # the next run starts anew.
    write_stamp({"interrupted": True})
    try:
        # The two packages share a folder: taking one away damages the other, so both go.
        unwanted = "onnxruntime" if nvidia else "onnxruntime-gpu"
        if is_installed(unwanted):
            pip("uninstall", "-y", "onnxruntime", "onnxruntime-gpu")
        install_torch(nvidia)
        say(f"Installing Recomposer Studio and what it needs ({', '.join(wanted)})")
        pip("install", "--editable", f".[{','.join(wanted)}]")
    except SetupError:
        STAMP.unlink()
        raise
    write_stamp({"fingerprint": expected, "extras": wanted})


def set_up(test: bool, nvidia: bool, check: bool) -> None:
    """Brings libraries and environment into the state that the job needs; with `check` only says how."""
    if sys.platform.startswith("linux"):
        missing = missing_packages(test, has_display(sys.platform, dict(os.environ)))
        if missing and check:
            say(f"System packages missing: {shown(apt_install(missing))}")
        elif missing:
            install_packages(missing, "window and sound")
    version = venv_version()
    wanted = extras(test, nvidia)
    if version and is_ready(read_stamp(), fingerprint(ROOT, version), wanted):
        if check:
            say(f"The environment in {VENV} is ready")
        return
    if check:
        say(f"{'Would use' if version else 'Would make'} the environment in {VENV}")
        say(f"Would install {torch_requirement()}, then .[{','.join(wanted)}]")
        return
    if version is None or call([in_venv("python"), "-m", "pip", "--version"], quiet=True) != 0:
        make_venv()
        version = sys.version_info[:2]
    install(wanted, fingerprint(ROOT, version), nvidia)


# --- The two jobs -----------------------------------------------------------------------------------------------------


def job_command(window: bool, arguments: list[str]) -> list[str]:
    """The main job: the window on the demo scene where one can open, else the same edits into a folder."""
    if window:
        return [in_venv("recomposer-studio"), "--demo", *arguments]
    return [in_venv("recomposer"), "demo", "--out", str(ROOT / "demo"), *arguments]


def test_commands(arguments: list[str]) -> list[list[str]]:
    """Lint, types and tests. pytest comes last: its closing line has to be the last one printed."""
    return [
        [in_venv("ruff"), "check"],
        [in_venv("ruff"), "format", "--check"],
        [in_venv("mypy")],
        [in_venv("python"), "-m", "pytest", *arguments],
    ]


def test_variables() -> dict[str, str]:
    """Windows are drawn into memory; a few threads each, as many processes may compute side by side."""
    threads = str(min(os.cpu_count() or 1, 4))
    defaults = {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
    return {name: os.environ.get(name, value) for name, value in defaults.items()}


def run_tests(commands: list[list[str]]) -> int:
    """Runs every check, also after a failed one, and returns the status of the first that failed."""
    failures: list[tuple[str, int]] = []
    for command in commands:
        if failures:
            say("Failed so far: " + ", ".join(line for line, _ in failures))
        say(shown(command))
        status = call(command, cwd=ROOT, variables=test_variables())
        if status != 0:
            failures.append((shown(command), status))
    return failures[0][1] if failures else 0


def main(arguments: list[str]) -> int:
    """Runs the job that the arguments ask for and returns its exit status."""
    if sys.version_info[:2] not in PYTHONS:
        found = other_python()
        current = f"{sys.version_info[0]}.{sys.version_info[1]}"
        if found is None:
            raise SetupError(f"Python 3.11, 3.12 or 3.13 is needed (this is {current}); install one and try again.")
        say(f"This is Python {current}; going on with {shown(found)}")
        return call([*found, str(Path(__file__).resolve()), *arguments])
    test = arguments[:1] == ["test"]
    rest = arguments[1:] if test else arguments
    if rest[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    check = rest[:1] == ["--check"]
    rest = rest[1:] if check else rest

    set_up(test, shutil.which("nvidia-smi") is not None, check)
    window = has_display(sys.platform, dict(os.environ))
    jobs = test_commands(rest) if test else [job_command(window, rest)]
    if check:
        for job in jobs:
            say(f"Would run {shown(job)}")
        return 0
    return run_tests(jobs) if test else call(jobs[0])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as error:
        sys.exit(f"[run.py] {error}")
    except KeyboardInterrupt:
        print("\n[run.py] Stopped.", file=sys.stderr)
        sys.exit(130)
