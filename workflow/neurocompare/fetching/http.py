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
from neurocompare.fetching import answers
from neurocompare.fetching.failures import Failed, Transient

TIMEOUT = 20.0
"""Seconds without an answer or without data after which a connection counts as dead."""

ATTEMPTS = 3
"""How often one address is asked in vain, without any new byte, while its faults look transient."""

BACK_OFF = 1.0
"""Seconds before the second attempt; doubled before each further one."""

LARGE = 100_000_000
"""Bytes above which licence and citation are shown before a download."""

_BLOCK = 1 << 18
_PUBLIC = ("user-agent", "accept", "accept-encoding", "range", "if-range")
"""Headers that any host may see."""

_ABOUT_US = {"User-Agent": "neurocompare", "Accept-Encoding": "identity"}

_REPORT = 3.0
"""Seconds between lines of progress."""


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
        Sent with the request, but never to another host, port or scheme that it is redirected to (other than from
        http to https).
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
    """Follow redirects without telling anybody else who we are."""

    def redirect_request(self, request, file, code, message, headers, url):
        _require_web(url)
        new = super().redirect_request(request, file, code, message, headers, url)
        before, after = (urllib.parse.urlsplit(one.lower()) for one in (request.full_url, url))
        # From https to http, everybody on the way could read it.
        same = before.netloc == after.netloc and after.scheme in (before.scheme, "https")
        if new is not None and not same:
            new.headers = {name: value for name, value in new.headers.items() if name.lower() in _PUBLIC}
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
            return _read(response, None)

    try:
        return json.loads(_patiently(ask, url, lambda: 0, print_nothing))
    except ValueError as error:
        raise Failed(f"{url} answers something else than JSON") from error


def print_nothing(line: str) -> None:
    """Take a line of progress and drop it."""


def download(remote: Remote, target: Path, terms: Terms, *, checked: bool) -> bool:
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

    Returns
    -------
    bool
        Whether the length of the file was stated. If not, it may have ended early.

    Raises
    ------
    Failed
        If the source cannot give it.
    UserError
        If it is larger than allowed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _require_allowed(remote.size, remote.url, terms)
    return _patiently(lambda: _attempt(remote, target, terms, checked), remote.url, lambda: _size(target), terms.log)


def discard(target: Path) -> None:
    """Remove a downloaded file and the note beside it."""
    target.unlink(missing_ok=True)
    _note(target).unlink(missing_ok=True)


def _patiently(call, url: str, progress: Callable[[], int], log):
    """Call until it succeeds, its fault is final, or it fails several times in vain, or loses what had arrived."""
    failures, restarts, before = 0, 0, progress()
    while True:
        try:
            return call()
        except Transient as error:
            now = progress()
            failures = 1 if now > before else failures + 1
            restarts += now < before
            before = now
            if ATTEMPTS in (failures, restarts):
                raise Failed(f"{error} ({ATTEMPTS} attempts)") from error
            log(f"{url}: {error}; asking again")
            time.sleep(BACK_OFF * 2 ** (failures - 1))


def _attempt(remote: Remote, target: Path, terms: Terms, checked: bool) -> bool:
    offset, note = _resumable(remote, target, checked)
    headers = dict(remote.headers)
    if offset:
        headers |= {"Range": f"bytes={offset}-"} | ({"If-Range": str(note["validator"])} if note["validator"] else {})
    try:
        with _opened(remote.url, headers, remote.refusal) as response:
            # Some hosts answer 202 to whom they take for a robot.
            if response.status not in ((200, 206) if offset else (200,)):
                raise Failed(f"HTTP {response.status} {response.reason} instead of the file")
            if response.status == 206:
                _require_continued(response.headers, offset, note, remote, target)
            else:
                offset = 0
            expected = _expected(response.headers, offset > 0, remote, target, checked)
            if not offset:
                discard(target)
                _write_note(target, remote.url, response.headers)
            # The last of the chunks of a body says that it is the last.
            known = expected is not None or response.chunked
            if not known and not checked:
                terms.log(f"{remote.url}: the length is not stated; if the file ends early, it cannot be noticed")
            _receive(response, target, offset, expected or 0, remote, terms)
            return known
    except urllib.error.HTTPError as error:
        if error.code == 416 and offset:
            length = answers.length(error.headers, part=True)
            if offset == (remote.size if length is None else length) and not answers.changed(error.headers, note):
                return True
            discard(target)
            raise Transient("what had arrived of the file is of no use") from error
        raise _refused(error, remote.refusal) from error


def _expected(headers, part: bool, remote: Remote, target: Path, checked: bool) -> int | None:
    """Return how many bytes the whole file has, where that is known; refuse what cannot be the file."""
    try:
        expected = answers.require_size(answers.length(headers, part=part), remote.size)
        if remote.size is None and not checked:
            answers.require_data(headers, target, remote.url)
    except Failed:
        # The rest is of no use; then, neither is the beginning.
        if part:
            discard(target)
        raise
    return expected


def _receive(response, target: Path, offset: int, expected: int, remote: Remote, terms: Terms) -> None:
    _require_allowed(expected, remote.url, terms)
    if expected >= LARGE:
        terms.log(f"{remote.url}: {_bytes(expected)}{f' ({_bytes(offset)} of it are here already)' if offset else ''}")
        terms.log(terms.notice)
    size, started, reported = offset, time.monotonic(), time.monotonic()
    with open(target, "ab" if offset else "wb") as file:
        while block := _read(response, _BLOCK):
            if size == 0 and answers.is_page(block, target):
                discard(target)
                raise Failed("an HTML page instead of the file")
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
    if size == 0:
        discard(target)
        raise Failed("an empty file")


def _read(response, size: int | None) -> bytes:
    try:
        return response.read(size)
    except (OSError, http.client.HTTPException) as error:
        raise _fault(error) from error


def _opened(url: str, headers: dict[str, str], refusal: str):
    _require_web(url)
    try:
        request = urllib.request.Request(url, headers=_ABOUT_US | headers)
        return urllib.request.build_opener(_Redirects).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            raise
        raise _refused(error, refusal) from error
    except urllib.error.URLError as error:
        raise _fault(error.reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _fault(error) from error
    except ValueError as error:
        # Not in its own words, which may repeat a token.
        raise Failed("the address, or a header of the request, has characters that cannot be sent") from error


def _require_web(url: str) -> None:
    if not url.lower().startswith(("http://", "https://")):
        raise Failed(f"'{url}' is not an address of the web")


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


def _resumable(remote: Remote, target: Path, checked: bool) -> tuple[int, dict]:
    """How many bytes of the same file are here already, and what the server said of its state."""
    try:
        note = json.loads(_note(target).read_text(encoding="utf-8"))
        same = note["url"] == remote.url and bool(str(note["validator"]) or checked)
    except (OSError, ValueError, KeyError, TypeError):
        # Without a readable note, what is here may be of another file: it is fetched from the start.
        note, same = {}, False
    if same and (size := _size(target)):
        return size, note
    discard(target)
    return 0, {}


def _write_note(target: Path, url: str, headers) -> None:
    note = {"url": url, "validator": answers.validator(headers), "size": answers.length(headers)}
    with files.written(_note(target)) as temporary:
        temporary.write_text(json.dumps(note), encoding="utf-8")


def _note(target: Path) -> Path:
    return target.with_name(f"{target.name}.json")


def _size(target: Path) -> int:
    return os.path.getsize(target) if target.exists() else 0


def _require_continued(headers, offset: int, note: dict, remote: Remote, target: Path) -> None:
    """Refuse an answer that is not the rest of the same file; the next attempt starts from the beginning."""
    content_range = headers.get("Content-Range", "")
    reason = ""
    if not content_range.startswith(f"bytes {offset}-"):
        reason = f"continues at '{content_range}' instead of byte {offset}"
    elif answers.changed(headers, note):
        reason = "the file has changed since its first part was sent"
    elif answers.length(headers, part=True) is None and remote.size is None:
        reason = "continues without saying how long the file is"
    if reason:
        discard(target)
        raise Transient(reason)


def _require_allowed(size: int | None, url: str, terms: Terms) -> None:
    if terms.limit is not None and size and size > terms.limit:
        raise UserError(
            f"{url}: {_bytes(size)} are more than 'largest_download_gb: {terms.limit / 1e9:g}' in config/config.yaml "
            "allows; raise it, or put the file there by hand"
        )


def _bytes(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} bytes"
