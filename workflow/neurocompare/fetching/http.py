"""Downloads over HTTP that go on where they stopped (standard library only)."""

import http.client
import json
import os
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from neurocompare import files
from neurocompare.errors import UserError

TIMEOUT = 20.0
"""Seconds without an answer or without data after which a connection counts as dead."""

ATTEMPTS = 3
"""How often one address is asked in vain, without any new byte, while its faults look transient."""

BACK_OFF = 1.0
"""Seconds before the second attempt; doubled before each further one."""

LARGE = 100_000_000
"""Bytes above which licence and citation are shown before a download."""

_BLOCK = 1 << 18
_REPORT = 3.0
"""Seconds between lines of progress."""


class Failed(Exception):
    """The source cannot give the file; the next one is tried."""


class Transient(Failed):
    """The same address may answer if it is asked again."""


@dataclass(frozen=True)
class Remote:
    """A file at a source.

    Attributes
    ----------
    url : str
        Where it is downloaded from.
    size : int or None
        Bytes, where the source says so beforehand.
    digests : dict of str to str
        Checksums that the source publishes, by algorithm (``md5``, ``sha256``).
    headers : dict of str to str
        Sent with the request, but never to another host that it is redirected to.
    refusal : str
        What to say if the source wants to know who is asking.
    """

    url: str
    size: int | None = None
    digests: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True)
class Terms:
    """What a download is told beforehand.

    Attributes
    ----------
    limit : int or None
        Largest number of bytes that may be downloaded.
    notice : str
        Licence and citation, shown before a large download.
    log : callable
        Called with each line of progress.
    """

    limit: int | None = None
    notice: str = ""
    log: Callable[[str], object] = print


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects without telling another host who we are."""

    def redirect_request(self, request, file, code, message, headers, url):
        new = super().redirect_request(request, file, code, message, headers, url)
        if new is not None and urllib.parse.urlsplit(url).netloc != urllib.parse.urlsplit(request.full_url).netloc:
            new.headers = {k: v for k, v in new.headers.items() if k.lower() != "authorization"}
        return new


def get_json(url: str, headers: dict[str, str] | None = None) -> object:
    """Ask a service for a JSON answer.

    Parameters
    ----------
    url : str
        The address.
    headers : dict of str to str, optional
        Further headers.

    Returns
    -------
    object
        The answer.

    Raises
    ------
    Failed
        If it does not answer, or answers something else.
    """

    def ask() -> bytes:
        with _opened(url, {"Accept": "application/json"} | (headers or {}), "") as response:
            return response.read()

    try:
        return json.loads(_patiently(ask, url, lambda: 0, print_nothing))
    except ValueError as error:
        raise Failed(f"{url} answers something else than JSON") from error


def print_nothing(line: str) -> None:
    """Take a line of progress and drop it."""


def download(remote: Remote, target: Path, terms: Terms, *, checked: bool) -> None:
    """Download a file, going on where an earlier download of the same file stopped.

    Parameters
    ----------
    remote : Remote
        The file.
    target : Path
        Where to put it. What has arrived stays there when the download fails or is killed, with a note beside
        it of what it is.
    terms : Terms
        Limit, notice and log.
    checked : bool
        Whether a checksum will be compared afterwards. Without one, a download goes on only if the server
        confirms that the file is still the same.

    Raises
    ------
    Failed
        If the source cannot give it.
    UserError
        If it is larger than allowed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _require_allowed(remote.size, remote.url, terms)
    _patiently(lambda: _attempt(remote, target, terms, checked), remote.url, lambda: _size(target), terms.log)


def discard(target: Path) -> None:
    """Remove a downloaded file and the note beside it."""
    target.unlink(missing_ok=True)
    _note(target).unlink(missing_ok=True)


def _patiently(call, url: str, progress: Callable[[], int], log):
    """Call until it succeeds, its fault is final, or it fails several times without any progress."""
    failures, before = 0, progress()
    while True:
        try:
            return call()
        except Transient as error:
            now = progress()
            failures = 1 if now > before else failures + 1
            before = now
            if failures == ATTEMPTS:
                raise Failed(f"{error} ({ATTEMPTS} attempts)") from error
            log(f"{url}: {error}; asking again")
            time.sleep(BACK_OFF * 2 ** (failures - 1))


def _attempt(remote: Remote, target: Path, terms: Terms, checked: bool) -> None:
    offset, validator = _resumable(remote, target, checked)
    headers = dict(remote.headers)
    if offset:
        headers |= {"Range": f"bytes={offset}-"} | ({"If-Range": validator} if validator else {})
    try:
        with _opened(remote.url, headers, remote.refusal) as response:
            if response.status == 206:
                _require_continued(response.headers.get("Content-Range", ""), offset, target)
            elif response.status != 200:
                # Some hosts answer 202 to whom they take for a robot.
                raise Failed(f"HTTP {response.status} {response.reason} instead of the file")
            else:
                offset = 0
                _write_note(target, remote.url, response.headers)
            stated = int(response.headers.get("Content-Length") or 0)
            _receive(response, target, offset, stated + offset if stated else 0, remote, terms)
    except urllib.error.HTTPError as error:
        if error.code == 416 and offset and offset == (_total(error.headers.get("Content-Range", "")) or remote.size):
            return
        if error.code == 416 and offset:
            discard(target)
            raise Transient("what had arrived of the file is of no use") from error
        raise _refused(error, remote.refusal) from error


def _receive(response, target: Path, offset: int, stated: int, remote: Remote, terms: Terms) -> None:
    expected = stated or remote.size or 0
    _require_allowed(expected, remote.url, terms)
    if expected >= LARGE:
        terms.log(f"{remote.url}: {_bytes(expected)}{f' ({_bytes(offset)} of it are here already)' if offset else ''}")
        terms.log(terms.notice)
    size, started, reported = offset, time.monotonic(), time.monotonic()
    with open(target, "ab" if offset else "wb") as file:
        while block := _read(response):
            if size == 0:
                _require_no_page(block, target)
            size += len(block)
            _require_allowed(size, remote.url, terms)
            file.write(block)
            now = time.monotonic()
            if now - reported > _REPORT:
                reported, speed = now, (size - offset) / (now - started)
                share = f" of {_bytes(expected)} ({100 * size // expected} %)" if expected else ""
                terms.log(f"{remote.url}: {_bytes(size)}{share}, {_bytes(speed)}/s")
    # Reading in blocks, http.client takes an early end of the connection for the end of the file.
    if size < expected:
        raise Transient(f"truncated: {size} of {expected} bytes")
    if expected and size > expected:
        discard(target)
        raise Failed(f"sends {size} bytes instead of {expected}")


def _read(response) -> bytes:
    try:
        return response.read(_BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _fault(error) from error


def _opened(url: str, headers: dict[str, str], refusal: str):
    request = urllib.request.Request(url, headers={"User-Agent": "neurocompare"} | headers)
    try:
        return urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            raise
        raise _refused(error, refusal) from error
    except urllib.error.URLError as error:
        raise _fault(error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _fault(error) from error


def _refused(error: urllib.error.HTTPError, refusal: str) -> Failed:
    error.close()
    text = f"HTTP {error.code} {error.reason}"
    if error.code in (401, 403) and refusal:
        return Failed(f"{text}: {refusal}")
    return (Transient if error.code >= 500 or error.code == 429 else Failed)(text)


def _fault(reason: object) -> Failed:
    """Tell a network fault that may pass from one that will not."""
    if isinstance(reason, socket.gaierror):
        return Failed("the host name does not resolve")
    if isinstance(reason, TimeoutError):
        return Transient(f"no answer within {TIMEOUT:g} s")
    if isinstance(reason, http.client.IncompleteRead):
        return Transient("truncated")
    if isinstance(reason, ConnectionResetError | ConnectionAbortedError | BrokenPipeError):
        return Transient("connection reset")
    if isinstance(reason, ssl.SSLError | ConnectionError | http.client.HTTPException):
        return Failed(str(reason) or type(reason).__name__)
    return Failed(str(reason) or type(reason).__name__)


def _resumable(remote: Remote, target: Path, checked: bool) -> tuple[int, str]:
    """How many bytes of the same file are here already, and what the server called its state."""
    try:
        note = json.loads(_note(target).read_text(encoding="utf-8"))
        size, validator = _size(target), str(note["validator"])
        if note["url"] == remote.url and size and (validator or checked):
            return size, validator
    except (OSError, ValueError, KeyError, TypeError):
        # Without a readable note, what is here may be of another file: it is fetched from the start.
        pass
    discard(target)
    return 0, ""


def _write_note(target: Path, url: str, headers) -> None:
    tag = headers.get("ETag", "")
    # A weak tag does not promise the same bytes.
    validator = headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag
    with files.written(_note(target)) as temporary:
        temporary.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")


def _note(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _size(target: Path) -> int:
    return os.path.getsize(target) if target.exists() else 0


def _require_continued(content_range: str, offset: int, target: Path) -> None:
    if not content_range.startswith(f"bytes {offset}-"):
        discard(target)
        raise Transient(f"continues at '{content_range}' instead of byte {offset}")


def _total(content_range: str) -> int:
    total = content_range.rpartition("/")[2]
    return int(total) if total.isdigit() else 0


def _require_allowed(size: int | None, url: str, terms: Terms) -> None:
    if terms.limit is not None and size and size > terms.limit:
        raise UserError(
            f"{url}: {_bytes(size)} are more than 'largest_download_gb: {terms.limit / 1e9:g}' in config/config.yaml "
            "allows; raise it, or put the file there by hand"
        )


def _require_no_page(block: bytes, target: Path) -> None:
    start = block[:200].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) and target.suffix not in (".html", ".htm"):
        discard(target)
        raise Failed("an HTML page instead of the file")


def _bytes(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"
