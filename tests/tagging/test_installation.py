"""Installing YAMNet: whole or not at all, from files, from a loopback server and through TensorFlow Hub's own door."""

import errno
import hashlib
import io
import json
import os
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.tagging import installation
from recomposer_studio.tagging.installation import Installed, install, installed, yamnet_folder
from recomposer_studio.tagging.yamnet import load_yamnet
from tests.tagging.tiny_yamnet import loudness_variables, write_keras_file


def nothing(done: int, total: int, what: str) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_keras_file(tmp_path_factory.mktemp("keras") / "yamnet.h5", loudness_variables())


class Server:
    """Serves bytes by path on the loopback interface; `promise` adds to the length that is told."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.promise = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                data = server.files.get(self.path)
                if data is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(data) + server.promise))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def close(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    yield server
    server.close()


def archive_of(folder: Path) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, f"./{path.relative_to(folder).as_posix()}", recursive=False)
    return data.getvalue()


def files_of(result: Installed) -> list[str]:
    """The names of all that an installation consists of, in order."""
    more = [] if result.eight_bit is None else [result.eight_bit[0].name]
    return sorted([result.path.name, *more, "yamnet.json"])


def digest_on_cpu(result: Installed) -> str:
    return result.sha256 if result.eight_bit is None else result.eight_bit[1]


def test_an_installation_is_its_networks_and_their_page(keras_file: Path, tmp_path: Path):
    folder = tmp_path / "data" / "yamnet"
    assert installed(folder) is None
    result = install(str(keras_file), folder, nothing)
    assert installed(folder) == result
    assert sorted(path.name for path in folder.iterdir()) == files_of(result)
    assert hashlib.sha256(result.path.read_bytes()).hexdigest() == result.sha256
    page = json.loads((folder / "yamnet.json").read_text(encoding="utf-8"))
    assert page["source"] == "yamnet.h5" and "Apache-2.0" in page["licence"]
    assert load_yamnet(folder, "cpu", 1).digest == digest_on_cpu(result)


def test_installing_again_replaces_what_was_there(keras_file: Path, tmp_path: Path):
    first = install(str(keras_file), tmp_path, nothing)
    variables = loudness_variables()
    variables["dense/bias"] = variables["dense/bias"] - np.float32(0.5)
    second = install(str(write_keras_file(tmp_path / "other.h5", variables)), tmp_path, nothing)
    assert second.path != first.path and not first.path.exists()
    assert installed(tmp_path) == second
    assert sorted(path.name for path in tmp_path.glob("yamnet*")) == files_of(second)


def scratch(folder: Path, name: str, outer_age_s: float, inner_age_s: float) -> Path:
    """What an installation that was killed leaves: a folder with a download begun, changed so long ago."""
    left = folder / f".install-{name}"
    (left / "deep").mkdir(parents=True)
    part = left / "deep" / "yamnet.tar.gz"
    part.write_bytes(b"begun")
    for path, age_s in ((part, inner_age_s), (left / "deep", outer_age_s), (left, outer_age_s)):
        os.utime(path, (time.time() - age_s,) * 2)
    return left


def test_what_killed_installations_left_goes_at_the_next_one(keras_file: Path, tmp_path: Path):
    old = scratch(tmp_path, "old", 4_000, 4_000)
    young = scratch(tmp_path, "young", 3_000, 3_000)
    downloading = scratch(tmp_path, "downloading", 40_000, 10)
    other = tmp_path / "own"
    other.mkdir()
    os.utime(other, (1_000, 1_000))
    install(str(keras_file), tmp_path, nothing)
    assert not old.exists()
    assert all((kept / "deep" / "yamnet.tar.gz").read_bytes() == b"begun" for kept in (young, downloading))
    assert other.is_dir()


def test_a_left_over_that_cannot_be_removed_stops_no_installation(
    keras_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    old = scratch(tmp_path, "old", 4_000, 4_000)
    unlink = os.unlink

    def refuse(path: str, **more: int) -> None:
        if str(path).endswith("yamnet.tar.gz"):
            raise PermissionError(errno.EACCES, "Permission denied")
        unlink(path, **more)

    monkeypatch.setattr(os, "unlink", refuse)
    found = install(str(keras_file), tmp_path, nothing)
    assert (old / "deep" / "yamnet.tar.gz").exists() and installed(tmp_path) == found


def test_where_8_bit_products_are_cut_off_there_is_one_network(
    keras_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(installation, "eight_bit_is_exact", lambda: False)
    result = install(str(keras_file), tmp_path, nothing)
    assert result.eight_bit is None and installed(tmp_path) == result
    assert sorted(path.name for path in tmp_path.iterdir()) == [result.path.name, "yamnet.json"]
    assert load_yamnet(tmp_path, "cpu", 1).digest == result.sha256


def test_cuda_gets_float32_and_the_cpu_8_bits(keras_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(installation, "eight_bit_is_exact", lambda: True)
    result = install(str(keras_file), tmp_path, nothing)
    assert result.eight_bit is not None
    assert hashlib.sha256(result.model_bytes(eight_bit=True)).hexdigest() == result.eight_bit[1]
    assert hashlib.sha256(result.model_bytes()).hexdigest() == result.sha256 != result.eight_bit[1]
    assert load_yamnet(tmp_path, "cpu", 1).digest == result.eight_bit[1]
    monkeypatch.setattr("recomposer_studio.tagging.yamnet.on_cuda", lambda device: device != "cpu")
    assert load_yamnet(tmp_path, "auto", 1).digest == result.sha256


def test_without_yamnet_a_sentence_says_how_to_get_it(tmp_path: Path):
    with pytest.raises(InputError, match="recomposer models install yamnet"):
        load_yamnet(tmp_path)


def test_a_changed_or_missing_network_is_not_used(keras_file: Path, tmp_path: Path):
    result = install(str(keras_file), tmp_path, nothing)
    path = result.path if result.eight_bit is None else result.eight_bit[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="has changed"):
        load_yamnet(tmp_path, "cpu")
    path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_yamnet(tmp_path, "cpu")


@pytest.mark.parametrize(
    ("page", "match"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"format_version": 2}', "newer version"),
        ('{"format_version": 1, "file": "a", "sha256": "b", "source": "c", "eight_bit": "d"}', "cannot be read"),
    ],
)
def test_a_damaged_page_is_told(tmp_path: Path, page: str, match: str):
    (tmp_path / "yamnet.json").write_text(page, encoding="utf-8")
    with pytest.raises(InputError, match=match):
        installed(tmp_path)


def test_weights_that_do_not_know_the_known_sounds_are_not_installed(keras_file: Path, tmp_path: Path):
    before = install(str(keras_file), tmp_path, nothing)
    variables = loudness_variables()
    variables["dense/bias"] = -variables["dense/bias"]
    wrong = write_keras_file(tmp_path / "wrong.h5", variables)
    with pytest.raises(InputError, match=r"wrong\.h5: these weights do not recognise"):
        install(str(wrong), tmp_path, nothing)
    assert installed(tmp_path) == before
    assert load_yamnet(tmp_path, "cpu", 1).digest == digest_on_cpu(before)


def test_a_full_disk_leaves_the_old_installation(keras_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = install(str(keras_file), tmp_path / "yamnet", nothing)
    variables = loudness_variables()
    variables["dense/bias"] = variables["dense/bias"] - np.float32(0.5)
    other = write_keras_file(tmp_path / "other.h5", variables)

    def full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(InputError, match=r"cannot be written \(No space left"):
            install(str(other), tmp_path / "yamnet", nothing)
    assert installed(tmp_path / "yamnet") == before
    assert load_yamnet(tmp_path / "yamnet", "cpu", 1).digest == digest_on_cpu(before)
    assert sorted(path.name for path in (tmp_path / "yamnet").iterdir()) == files_of(before)


def test_a_folder_that_cannot_be_made_is_named(keras_file: Path, tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="file"):
        install(str(keras_file), tmp_path / "file" / "yamnet", nothing)


def test_a_file_is_fetched_with_progress(keras_file: Path, tmp_path: Path, server: Server):
    server.files["/models/yamnet.h5"] = keras_file.read_bytes()
    told: list[tuple[int, int, str]] = []
    result = install(
        f"{server.address}/models/yamnet.h5", tmp_path, lambda done, total, what: told.append((done, total, what))
    )
    assert installed(tmp_path) == result and result.source == f"{server.address}/models/yamnet.h5"
    size = keras_file.stat().st_size
    fetched = [(done, total) for done, total, what in told if what == "downloading"]
    assert fetched[-1] == (size, size) and fetched == sorted(fetched) and len(fetched) > 1


def test_an_archive_is_fetched_and_unpacked(keras_file: Path, tmp_path: Path, server: Server):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "deep" / "yamnet.h5").write_bytes(keras_file.read_bytes())
    server.files["/yamnet.tar.gz"] = archive_of(tmp_path / "in")
    result = install(f"{server.address}/yamnet.tar.gz", tmp_path / "yamnet", nothing)
    assert sorted(path.name for path in (tmp_path / "yamnet").iterdir()) == files_of(result)


def test_a_broken_connection_installs_nothing(keras_file: Path, tmp_path: Path, server: Server):
    server.files["/yamnet.h5"] = keras_file.read_bytes()[:200_000]
    server.promise = 1_000
    with pytest.raises(InputError, match=r"the connection broke|cannot be fetched"):
        install(f"{server.address}/yamnet.h5", tmp_path, nothing)
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_download_leaves_nothing(keras_file: Path, tmp_path: Path, server: Server):
    server.files["/yamnet.h5"] = keras_file.read_bytes()

    def cancel(done: int, total: int, what: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install(f"{server.address}/yamnet.h5", tmp_path, cancel)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_address_and_no_network_are_told(tmp_path: Path, server: Server):
    with pytest.raises(InputError, match="404"):
        install(f"{server.address}/missing.h5", tmp_path, nothing)
    address = server.address
    server.close()
    with pytest.raises(InputError, match=r"cannot be fetched .* check the network"):
        install(f"{address}/yamnet.h5", tmp_path, nothing)
    assert list(tmp_path.iterdir()) == []
    server.__init__()  # type: ignore[misc] # the fixture closes it once more


@pytest.mark.parametrize("name", ["../outside.h5", "/absolute.h5", "C:\\windows.h5"])
def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, name: str):
    path = tmp_path / "bad.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo(name), io.BytesIO(b""))
    with pytest.raises(InputError, match=r"bad\.tar\.gz: this archive holds"):
        install(str(path), tmp_path / "yamnet", nothing)
    assert not list(tmp_path.rglob("*.h5"))


def test_an_archive_with_a_link_is_refused(tmp_path: Path):
    path = tmp_path / "bad.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        link = tarfile.TarInfo("yamnet.h5")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(link)
    with pytest.raises(InputError, match="has no place in a model"):
        install(str(path), tmp_path / "yamnet", nothing)


@pytest.mark.parametrize("data", [b"", b"not an archive", None])
def test_damaged_archives_are_refused(keras_file: Path, tmp_path: Path, data: bytes | None):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "yamnet.h5").write_bytes(keras_file.read_bytes())
    path = tmp_path / "yamnet.tar.gz"
    whole = archive_of(tmp_path / "in")
    path.write_bytes(whole[: len(whole) // 2] if data is None else data)
    with pytest.raises(InputError, match=r"yamnet\.tar\.gz: this is no complete"):
        install(str(path), tmp_path / "yamnet", nothing)
    assert list((tmp_path / "yamnet").iterdir()) == []


def test_an_archive_of_something_else_is_refused(tmp_path: Path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "readme.txt").write_text("nothing", encoding="utf-8")
    path = tmp_path / "other.tar.gz"
    path.write_bytes(archive_of(tmp_path / "in"))
    with pytest.raises(InputError, match="holds no SavedModel"):
        install(str(path), tmp_path / "yamnet", nothing)


# TensorFlow is not needed for these: small packages of its names stand in for it in the child process. They do what the
# child asks of the real ones: fetch `HANDLE?tf-hub-format=compressed`, unpack it below TFHUB_CACHE_DIR, and read a
# checkpoint by the names in its object graph.
HUB = """
import io, os, tarfile, urllib.request

def resolve(handle):
    assert os.environ["TFHUB_MODEL_LOAD_FORMAT"] == "COMPRESSED"
    folder = os.path.join(os.environ["TFHUB_CACHE_DIR"], "0123abcd")
    with urllib.request.urlopen(handle + "?tf-hub-format=compressed") as answer:
        with tarfile.open(fileobj=io.BytesIO(answer.read())) as tar:
            tar.extractall(folder)
    print("a greeting on the wrong stream")
    return folder
"""
TENSORFLOW = """
import numpy as np

class Checkpoint:
    def __init__(self, prefix):
        self.file = np.load(prefix + ".index", allow_pickle=False)

    def get_tensor(self, key):
        return b"graph" if key == "_CHECKPOINTABLE_OBJECT_GRAPH" else self.file[key.replace("/", "|")]

class train:
    latest = None

    @staticmethod
    def load_checkpoint(prefix):
        train.latest = Checkpoint(prefix)
        return train.latest
"""
GRAPH = """
import tensorflow as tf

class Entry:
    def __init__(self, key):
        self.full_name = self.checkpoint_key = key.replace("|", "/")

class TrackableObjectGraph:
    @staticmethod
    def FromString(data):
        graph, node = TrackableObjectGraph(), TrackableObjectGraph()
        node.attributes = [Entry(key) for key in tf.train.latest.file.files]
        graph.nodes = [node]
        return graph
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a SavedModel for the packages that stand in for TensorFlow."""
    packages = tmp_path / "packages"
    protobuf = packages / "tensorflow" / "core" / "protobuf"
    protobuf.mkdir(parents=True)
    (packages / "tensorflow_hub.py").write_text(HUB, encoding="utf-8")
    (packages / "tensorflow" / "__init__.py").write_text(TENSORFLOW, encoding="utf-8")
    (protobuf / "trackable_object_graph_pb2.py").write_text(GRAPH, encoding="utf-8")
    for folder in (protobuf, protobuf.parent):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packages), str(root)]))
    saved = tmp_path / "saved"
    (saved / "variables").mkdir(parents=True)
    with (saved / "variables" / "variables.index").open("wb") as file:
        np.savez_compressed(file, **{name.replace("/", "|"): v for name, v in loudness_variables().items()})
    (saved / "saved_model.pb").write_bytes(b"graph")
    return saved


def test_the_published_model_comes_through_tensorflow_hub(tmp_path: Path, server: Server, stand_in: Path):
    server.files["/google/yamnet/1?tf-hub-format=compressed"] = archive_of(stand_in)
    told: list[str] = []
    handle = f"{server.address}/google/yamnet/1"
    result = install(None, tmp_path / "yamnet", lambda done, total, what: told.append(what), handle)
    assert server.asked == ["/google/yamnet/1?tf-hub-format=compressed"]
    assert result.source == handle and installed(tmp_path / "yamnet") == result
    assert told[-2:] == ["converting", "trying it"]
    # Nothing else stays: neither TensorFlow Hub's cache nor the download.
    assert sorted(path.name for path in (tmp_path / "yamnet").iterdir()) == files_of(result)


def test_a_saved_model_folder_is_read_in_another_process(tmp_path: Path, stand_in: Path):
    result = install(str(stand_in), tmp_path / "yamnet", nothing)
    assert result.source == "saved"
    assert load_yamnet(tmp_path / "yamnet", "cpu", 1).digest == digest_on_cpu(result)


def test_a_half_finished_download_from_the_hub_is_never_used(tmp_path: Path, server: Server, stand_in: Path):
    whole = archive_of(stand_in)
    server.files["/google/yamnet/1?tf-hub-format=compressed"] = whole[: len(whole) // 2]
    with pytest.raises(InputError, match=r"google/yamnet/1: cannot be fetched \(.*Error.*--from"):
        install(None, tmp_path / "yamnet", nothing, f"{server.address}/google/yamnet/1")
    assert list((tmp_path / "yamnet").iterdir()) == []


def test_without_tensorflow_a_sentence_names_the_extra(tmp_path: Path, stand_in: Path):
    (tmp_path / "packages" / "tensorflow_hub.py").write_text("raise ImportError('absent')", encoding="utf-8")
    with pytest.raises(InputError, match=r"extra 'yamnet', or give yamnet\.h5 or yamnet\.tflite with --from"):
        install(None, tmp_path / "yamnet", nothing)


def test_the_folder_is_the_users_and_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RECOMPOSER_DATA", raising=False)
    assert yamnet_folder().parts[-2:] == ("models", "yamnet") and "recomposer-studio" in str(yamnet_folder())
    monkeypatch.setenv("RECOMPOSER_DATA", str(tmp_path))
    assert yamnet_folder() == tmp_path / "models" / "yamnet"


def test_the_page_cannot_name_a_file_elsewhere(keras_file: Path, tmp_path: Path):
    install(str(keras_file), tmp_path / "yamnet", nothing)
    page = tmp_path / "yamnet" / "yamnet.json"
    facts = json.loads(page.read_text(encoding="utf-8"))
    elsewhere = {"file": "../../elsewhere.onnx"}
    page.write_text(json.dumps(facts | elsewhere | {"eight_bit": elsewhere | {"sha256": "0" * 64}}), encoding="utf-8")
    found = installed(tmp_path / "yamnet")
    assert isinstance(found, Installed) and found.path == tmp_path / "yamnet" / "elsewhere.onnx"
    assert found.eight_bit is not None and found.eight_bit[0] == found.path


def test_the_handle_is_the_published_one():
    assert installation.HANDLE == "https://tfhub.dev/google/yamnet/1"
