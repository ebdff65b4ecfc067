"""YAMNet is installed by a child process, whose progress and failures arrive here."""

import sys
import threading
from pathlib import Path

import pytest

from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.tagging.installation import installed, yamnet_folder
from recomposer_studio.worker.installer import Installer
from recomposer_studio.worker.lost import WorkerLost
from tests.worker.waiting import wait_until


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is installed for the person who runs the tests."""
    monkeypatch.setenv("RECOMPOSER_DATA", str(tmp_path / "data"))


def test_a_file_is_installed_and_its_progress_told(shared: Path) -> None:
    told = []
    Installer(str(shared / "models" / "yamnet.tflite")).run(lambda done, total, what: told.append(what))
    assert told == ["converting", "trying it"]
    assert installed(yamnet_folder()) is not None


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(InputError, match=r"nothing\.tflite: there is no such file"):
        Installer("nothing.tflite").run(lambda done, total, what: None)
    assert installed(yamnet_folder()) is None


def _program(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "child.py"
    path.write_text(text, encoding="utf-8")
    return [sys.executable, str(path)]


def test_a_child_that_dies_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkerLost, match=r"the installation ended unexpectedly \(exit code 3\); try again$"):
        Installer(None, _program(tmp_path, "import sys; sys.exit(3)")).run(lambda done, total, what: None)
    with pytest.raises(WorkerLost, match="could not be started"):
        Installer(None, [str(tmp_path / "nothing")]).run(lambda done, total, what: None)


def test_a_cancel_ends_the_child(tmp_path: Path) -> None:
    text = (
        "import time\n"
        "from recomposer_studio.tagging import installation\n"
        "from recomposer_studio.worker import installer\n"
        "def install(origin, folder, progress):\n"
        "    while True:\n"
        "        progress(1, 2, 'downloading')\n"
        "        time.sleep(0.01)\n"
        "installation.install = install\n"
        "installer.main()\n"
    )
    told, outcome = [], []
    work = Installer(None, _program(tmp_path, text))

    def run() -> None:
        try:
            work.run(lambda done, total, what: told.append((done, total, what)))
        except Cancelled as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_until(lambda: len(told) > 3)
    assert told[0] == (1, 2, "downloading")
    work.cancel()
    thread.join()
    assert len(outcome) == 1
