"""Fetches a file and unpacks an archive; whatever goes wrong is told in one sentence."""

import http.client
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from recomposer_studio.audio.atomic import write_error
from recomposer_studio.errors import InputError

Progress = Callable[[int, int, str], None]
"""Called with what is done, the total (0 while unknown) and what is being done."""

TIMEOUT_S = 30.0
MAX_BYTES = 500_000_000
"""No form of YAMNet comes near; a wrong address must not fill the disk."""

_CHUNK = 1 << 16


def download(url: str, path: Path, progress: Progress) -> None:
    """Writes what lies at an address to a file, all of it or an error.

    Args:
        url: http or https.
        path: the file; it is the caller's scratch file and may be left incomplete.
        progress: called with bytes done and bytes in all.

    Raises:
        InputError: no network, no such address, the connection broke, or the disk is full.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "recomposer-studio"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            total, done = int(answer.headers.get("Content-Length") or 0), 0
            file = _opened(path)
            with file:
                while chunk := answer.read(_CHUNK):
                    done += len(chunk)
                    if done > MAX_BYTES:
                        raise InputError(f"{url}: this is more than {MAX_BYTES // 10**6} MB; check the address.")
                    try:
                        file.write(chunk)
                    except OSError as error:
                        raise write_error(path.parent, error) from error
                    progress(done, total, "downloading")
    except urllib.error.HTTPError as error:
        raise InputError(f"{url}: the server answers {error.code} {error.reason}; check the address.") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"{url}: cannot be fetched ({str(reason) or type(error).__name__}); check the network, or install from a"
            " file with --from."
        ) from error
    if total and done < total:
        raise InputError(f"{url}: the connection broke after {done} of {total} bytes; try again.")


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks the plain files of a .tar or .tar.gz into a folder; links, devices and paths that lead outside are refused.

    Raises:
        InputError: no such archive, damaged, too large, or it would write elsewhere.
    """
    try:
        with tarfile.open(archive) as tar:
            total = 0
            for member in tar:
                name = PurePosixPath(member.name.replace("\\", "/"))
                if member.isdir():
                    continue
                if not member.isfile() or name.is_absolute() or ".." in name.parts or ":" in member.name:
                    raise InputError(f"{archive.name}: this archive holds '{name}', which has no place in a model.")
                total += member.size
                if total > MAX_BYTES:
                    raise InputError(f"{archive.name}: this archive is larger than {MAX_BYTES // 10**6} MB unpacked.")
                target = folder.joinpath(*name.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None
                with _opened(target) as file:
                    while chunk := content.read(_CHUNK):
                        try:
                            file.write(chunk)
                        except OSError as error:
                            raise write_error(folder, error) from error
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise InputError(f"{archive.name}: this is no complete .tar.gz archive ({error}); fetch it again.") from error


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("wb")
    except OSError as error:
        raise write_error(path, error) from error
