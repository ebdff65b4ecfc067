"""The wheel carries models and resources, and works in an empty environment from another folder."""

import os
import site
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def execute(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command without the caller's Python path; a failure shows all that it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment.update(PYTHONNOUSERSITE="1", PYTHONUTF8="1")
    answer = subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8")
    assert answer.returncode == 0, f"{command}\n{answer.stdout}\n{answer.stderr}"
    return answer


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Without isolation nothing is fetched: the build system is one of the extras "dev".
    execute([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)], folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """A new environment with the wheel; the dependencies are lent by the one that runs this test."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    execute([sys.executable, "-m", "venv", "--without-pip", str(folder)], folder.parent)
    python = program(folder, "python")
    install = ["install", "--no-deps", "--no-index", "--quiet", str(wheel)]
    execute([sys.executable, "-m", "pip", "--python", str(python), *install], folder.parent)
    purelib = execute([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder.parent)
    lenders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    # A path file is not read by the folders it names, so an editable installation there stays out of sight.
    (Path(purelib.stdout.strip()) / "lent.pth").write_text("\n".join(sorted(lenders)) + "\n", encoding="utf-8")
    return folder


def program(environment: Path, name: str) -> Path:
    return environment / ("Scripts" if os.name == "nt" else "bin") / (name + (".exe" if os.name == "nt" else ""))


def shipped() -> set[str]:
    """What belongs into the wheel from the top-level folders."""
    files = (path for name in ("models", "resources") for path in (ROOT / name).rglob("*") if path.is_file())
    return {
        f"recomposer_studio/_data/{path.relative_to(ROOT).as_posix()}"
        for path in files
        if path.suffix not in (".py", ".pyc")
    }


def test_the_wheel_holds_the_package_models_and_resources(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    data = {name for name in inside if name.startswith("recomposer_studio/_data/")}
    assert data == shipped()
    assert any(name.startswith("recomposer_studio/_data/models/") for name in data)
    assert any(name.startswith("recomposer_studio/_data/resources/") for name in data)
    sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / "recomposer_studio").rglob("*.py")}
    assert sources | {"recomposer_studio/py.typed"} <= inside
    assert {name.split("/")[0] for name in inside if ".dist-info" not in name} == {"recomposer_studio"}


def test_the_wheel_carries_its_licence(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (licence,) = (name for name in archive.namelist() if name.endswith("licenses/LICENSE"))
        assert "Apache License" in archive.read(licence).decode("utf-8")


def test_the_installed_demo_runs_from_another_folder(environment, tmp_path):
    python = program(environment, "python")
    where = execute([str(python), "-c", "import recomposer_studio; print(recomposer_studio.__file__)"], tmp_path)
    assert Path(where.stdout.strip()).resolve().is_relative_to(environment.resolve())

    out = tmp_path / "left by demo"
    execute([str(program(environment, "recomposer")), "demo", "--out", str(out)], tmp_path)

    assert (out / "take.wav").stat().st_size > 44
    assert (out / "report.json").is_file()
    assert (out / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert list((out / "stems").glob("*.wav"))
    assert {path.name for path in tmp_path.iterdir()} == {out.name}
