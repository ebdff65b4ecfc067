"""What the program needs of a machine, looked at piece by piece; each finding says in one sentence what to do about it."""

import hashlib
import importlib.metadata
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import platformdirs
from packaging.specifiers import SpecifierSet

from recomposer_studio.diagnosis import machine
from recomposer_studio.diagnosis.log import log_folder
from recomposer_studio.diagnosis.machine import Answer
from recomposer_studio.diagnosis.versions import libraries, python_wanted
from recomposer_studio.errors import InputError

SETUP = "run: python3 packaging/run.py --check, or install recomposer-studio again"
LEAST_FREE_BYTES, FEW_FREE_BYTES = 100 * 10**6, 2 * 10**9
"""Less free space than the first stops the work; less than the second may soon."""
_FORMATS = {
    "WAV": ("PCM_16", "PCM_24", "FLOAT"), "RF64": ("PCM_24",), "W64": ("PCM_24",), "AIFF": ("PCM_24",), "CAF": ("PCM_24",),
    "AU": ("PCM_16",), "FLAC": ("PCM_24",), "OGG": ("VORBIS", "OPUS"), "MP3": ("MPEG_LAYER_III",),
}  # fmt: skip


class Level(StrEnum):
    """How much a finding matters."""

    GOOD = "ok"
    NOTE = "note"
    """It works, with something less."""
    PROBLEM = "PROBLEM"
    """The program cannot run like this."""


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes:
        level: how much it matters.
        topic: what was looked at.
        words: what was found.
        remedy: what to do, one sentence; empty when all is well.
    """

    level: Level
    topic: str
    words: str
    remedy: str = ""


Ask = Callable[[tuple[str, ...]], Answer]
"""`machine.ask`, or what stands for it in a test."""


def examine(ask: Ask = machine.ask) -> Iterator[Finding]:
    """All checks, one finding after another as they come."""
    for check in (check_python, check_libraries, check_sound_files, check_models, check_taggers, check_folders):
        yield from _guarded(check)
    yield from _guarded(lambda: check_window(ask))
    yield from _guarded(lambda: check_sound_output(ask))
    yield from _guarded(lambda: check_gpu(ask))


def check_python() -> Iterator[Finding]:
    """The interpreter's version and width."""
    version = ".".join(map(str, sys.version_info[:3]))
    bits = 8 * struct.calcsize("P")
    try:
        wanted = python_wanted()
    except importlib.metadata.PackageNotFoundError:
        wanted = ""
    if not SpecifierSet(wanted).contains(version):
        yield Finding(
            Level.PROBLEM,
            "Python",
            f"{version}, {wanted} works",
            "Install Python 3.11 to 3.13 and run: python3 packaging/run.py",
        )
    elif bits != 64:
        yield Finding(
            Level.PROBLEM,
            "Python",
            f"{version}, {bits} bit",
            "Install the 64-bit Python: the libraries exist for nothing else.",
        )
    else:
        yield Finding(Level.GOOD, "Python", f"{version}, {bits} bit")


def check_libraries() -> Iterator[Finding]:
    """Every library that the program asks for, in a version that works; of ONNX Runtime exactly one kind."""
    try:
        known = libraries()
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            Level.PROBLEM, "libraries", "the program is not installed in this Python", "Run: python3 packaging/run.py"
        )
        return
    own = [library for library in known if not library.extra]
    for library in own:
        if library.found is None:
            yield Finding(
                Level.PROBLEM,
                "libraries",
                f"{library.name} is missing",
                f'Run: pip install "{library.name}{library.wanted}"',
            )
        elif not library.fits:
            yield Finding(
                Level.PROBLEM,
                "libraries",
                f"{library.name} {library.found} does not fit ({library.wanted})",
                f'Run: pip install "{library.name}{library.wanted}"',
            )
    yield from _onnx_runtime({library.name: library.found for library in known})
    fit = sum(library.fits for library in own)
    yield Finding(Level.GOOD, "libraries", f"{fit} of {len(own)} in place")


def _onnx_runtime(found: dict[str, str | None]) -> Iterator[Finding]:
    # The GPU package is no requirement on macOS, and may still have been installed by hand.
    kinds = [name for name in ("onnxruntime", "onnxruntime-gpu") if _version(name)]
    if len(kinds) == 2:
        yield Finding(
            Level.PROBLEM,
            "libraries",
            "onnxruntime and onnxruntime-gpu overwrite each other's files",
            'Run: pip uninstall onnxruntime onnxruntime-gpu, then: pip install "recomposer-studio[cpu]" or [gpu]',
        )
    elif not kinds:
        yield Finding(
            Level.NOTE,
            "libraries",
            "ONNX Runtime is missing: sounds cannot be detected",
            'Run: pip install "recomposer-studio[cpu]", or [gpu] where there is an NVIDIA driver.',
        )
    elif "onnx" in found and not found["onnx"]:
        yield Finding(Level.NOTE, "libraries", "onnx is missing: YAMNet cannot be installed", "Run: pip install onnx")


def check_sound_files() -> Iterator[Finding]:
    """The formats of libsndfile."""
    try:
        import soundfile
    except (ImportError, OSError) as error:
        yield Finding(
            Level.PROBLEM,
            "sound files",
            f"libsndfile cannot be loaded ({error})",
            "Run: pip install --force-reinstall soundfile",
        )
        return
    missing = [
        f"{container}/{coding}"
        for container, codings in _FORMATS.items()
        for coding in codings
        if not (container in soundfile.available_formats() and soundfile.check_format(container, coding))
    ]
    version = soundfile.__libsndfile_version__
    if missing:
        yield Finding(
            Level.NOTE,
            "sound files",
            f"libsndfile {version} lacks {', '.join(missing)}",
            "Run: pip install --force-reinstall --only-binary :all: soundfile (the wheel brings a full libsndfile)",
        )
    else:
        yield Finding(Level.GOOD, "sound files", f"libsndfile {version} with every format")


def check_models() -> Iterator[Finding]:
    """The shipped checkpoints, every weight file by its hash."""
    from recomposer_studio.model import catalogue

    again = "Install Recomposer Studio again; in a checkout, run: git checkout models"
    try:
        checkpoints = catalogue.shipped()
    except (InputError, OSError) as error:
        yield Finding(Level.PROBLEM, "models", str(error), again)
        return
    for checkpoint in checkpoints:
        damage = _damage(checkpoint.folder)
        if damage:
            yield Finding(Level.PROBLEM, "models", f"{checkpoint.name}: {damage}", again)
        else:
            yield Finding(
                Level.GOOD,
                "models",
                f"{checkpoint.name} ({', '.join(checkpoint.parts)}; {checkpoint.megabytes:.0f} MB)",
            )
    if not any(checkpoint.folder.name == catalogue.DEFAULT for checkpoint in checkpoints):
        yield Finding(
            Level.NOTE,
            "models",
            "the default model is missing: Delete and Enhance use spectral repair, Insert does not work",
            again,
        )


def _damage(folder: Path) -> str:
    """What is wrong with the weight files of a checkpoint; empty when they are as its configuration says."""
    from recomposer_studio.model.catalogue import read_config

    try:
        parts = read_config(folder)["parts"]
        files = [(str(entry["file"]), str(entry["sha256"])) for part in parts.values() for entry in part["files"]]
    except (InputError, KeyError, TypeError, AttributeError) as error:
        return f"its configuration is damaged ({error})"
    for name, digest in files:
        try:
            with (folder / name).open("rb") as file:
                right = hashlib.file_digest(file, "sha256").hexdigest() == digest
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        if not right:
            return f"{name} is not what its configuration says"
    return ""


def check_taggers() -> Iterator[Finding]:
    """The built-in tagger and YAMNet."""
    from recomposer_studio.tagging import builtin
    from recomposer_studio.tagging.installation import installed, yamnet_folder

    try:
        page = builtin.describe()
        right = hashlib.sha256(page.path.read_bytes()).hexdigest() == page.sha256
        if right:
            yield Finding(Level.GOOD, "detection", "built-in tagger")
        else:
            yield Finding(
                Level.PROBLEM,
                "detection",
                f"{page.path.name} is not what its page says",
                "Install Recomposer Studio again.",
            )
    except (InputError, OSError) as error:
        yield Finding(Level.NOTE, "detection", f"no built-in tagger ({error})", "Install Recomposer Studio again.")
    try:
        yamnet = installed(yamnet_folder())
        if yamnet is None:
            yield Finding(
                Level.NOTE,
                "detection",
                "YAMNet is not installed (the built-in tagger does not need it)",
                "If wanted, run: recomposer models install yamnet",
            )
        else:
            yamnet.model_bytes()
            yamnet.model_bytes(eight_bit=True)
            yield Finding(Level.GOOD, "detection", f"YAMNet from {yamnet.source}")
    except InputError as error:
        yield Finding(Level.NOTE, "detection", str(error), "Run: recomposer models install yamnet")


def folders() -> dict[str, Path]:
    """The folders that the program writes to, by what they are for."""
    settings, data = os.environ.get("RECOMPOSER_SETTINGS"), os.environ.get("RECOMPOSER_DATA")
    return {
        "settings": Path(settings).parent if settings else platformdirs.user_config_path("recomposer-studio", False),
        "projects and models": Path(data) if data else platformdirs.user_data_path("recomposer-studio", False),
        "log": log_folder(),
        "temporary files": Path(tempfile.gettempdir()),
    }


def check_folders() -> Iterator[Finding]:
    """Whether every folder that the program uses takes files, and how much room there is."""
    for purpose, folder in folders().items():
        # A folder that is not there yet is made when it is needed: its nearest parent has to allow that.
        there = next((place for place in (folder, *folder.parents) if place.is_dir()), None)
        reason = "it does not exist" if there is None else _why_not_writable(there)
        if there is None or reason:
            yield Finding(
                Level.PROBLEM,
                "folders",
                f"{purpose}: {folder} cannot be written ({reason})",
                f"Give yourself the right to write in {there or folder}, or free space there.",
            )
            continue
        free = shutil.disk_usage(there).free
        words = f"{purpose}: {folder}, {free / 1e9:.1f} GB free"
        if free < LEAST_FREE_BYTES:
            yield Finding(
                Level.PROBLEM, "folders", words, f"Free at least {LEAST_FREE_BYTES // 10**6} MB on that drive."
            )
        elif free < FEW_FREE_BYTES:
            yield Finding(
                Level.NOTE, "folders", words, f"Free {FEW_FREE_BYTES / 1e9:.0f} GB there: long recordings need room."
            )
        else:
            yield Finding(Level.GOOD, "folders", words)


def _why_not_writable(folder: Path) -> str:
    """Tries; rights alone do not tell on every system. Empty when it works."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
    except OSError as error:
        return error.strerror or str(error)
    return ""


def check_window(ask: Ask) -> Iterator[Finding]:
    """Whether Qt can open a window here."""
    answer = ask(machine.WINDOW)
    facts, libs = answer.facts, "On Debian and Ubuntu, python3 packaging/run.py installs them."
    if "qt" not in facts:
        yield Finding(
            Level.PROBLEM,
            "window",
            f"Qt cannot be loaded ({answer.problem})",
            f"Install the system libraries that Qt needs. {libs}",
        )
    elif facts.get("missing"):
        yield Finding(
            Level.PROBLEM,
            "window",
            f"Qt {facts['qt']} lacks {facts['missing']}",
            f"Install this system library. {libs}",
        )
    elif not facts.get("display"):
        yield Finding(
            Level.NOTE,
            "window",
            f"Qt {facts['qt']}, no display here",
            "Start the Studio in a graphical session; every other command works.",
        )
    elif answer.problem:
        yield Finding(
            Level.PROBLEM,
            "window",
            f"Qt {facts['qt']} opens no window ({answer.problem})",
            f"Log in to a graphical session, or set QT_QPA_PLATFORM. {libs}",
        )
    else:
        yield Finding(
            Level.GOOD, "window", f"Qt {facts['qt']} on {facts.get('platform', '?')}, {facts.get('screen', '?')}"
        )


def check_sound_output(ask: Ask) -> Iterator[Finding]:
    """PortAudio and its devices; without them the Studio runs silent."""
    answer = ask(machine.AUDIO)
    facts = answer.facts
    if facts.get("missing") == "portaudio":
        yield Finding(
            Level.NOTE,
            "sound output",
            "PortAudio is missing: nothing can be heard",
            "Install PortAudio (Debian and Ubuntu: sudo apt-get install libportaudio2), then start again.",
        )
    elif "portaudio" not in facts:
        yield Finding(
            Level.NOTE,
            "sound output",
            f"the sound system does not answer ({answer.problem})",
            "Restart the sound system, or unplug the device that hangs; the Studio runs silent without.",
        )
    elif not facts.get("default"):
        yield Finding(
            Level.NOTE,
            "sound output",
            "there is no output device: nothing can be heard",
            "Connect or switch on an output in the system's sound settings.",
        )
    else:
        yield Finding(Level.GOOD, "sound output", f"{facts['default']}; {len(facts.get('outputs', []))} outputs")


def check_gpu(ask: Ask) -> Iterator[Finding]:
    """What models can run on; the processor does for everything."""
    answer = ask(machine.GPU)
    facts = answer.facts
    names, providers = list(facts.get("cuda") or []), list(facts.get("providers") or [])
    if "torch" not in facts:
        yield Finding(
            Level.PROBLEM,
            "GPU and models",
            f"torch cannot be loaded ({answer.problem})",
            "Run: python3 packaging/run.py, which installs torch anew.",
        )
    elif answer.problem:
        yield Finding(
            Level.NOTE,
            "GPU and models",
            f"the GPU cannot be used ({answer.problem})",
            "Update the graphics driver, or choose the device cpu; everything works there, slower.",
        )
    elif names:
        words = f"{', '.join(names)} through torch {facts['torch']}"
        if "CUDAExecutionProvider" in providers:
            yield Finding(Level.GOOD, "GPU and models", words)
        else:
            yield Finding(
                Level.NOTE,
                "GPU and models",
                f"{words}; detection runs on the processor",
                "If detection is slow, install the extra gpu in place of cpu.",
            )
    else:
        yield Finding(
            Level.GOOD, "GPU and models", f"no GPU that torch {facts['torch']} can use; models run on the processor"
        )


def _guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """A check that fails itself must not hide the others."""
    try:
        yield from check()
    except Exception as error:  # whatever a broken installation raises
        name = getattr(check, "__name__", "check").removeprefix("check_").replace("_", " ")
        yield Finding(Level.PROBLEM, name, f"could not be looked at ({error!r})", SETUP[:1].upper() + SETUP[1:])


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
