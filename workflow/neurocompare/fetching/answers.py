"""What the headers of an answer and its first bytes say of a file (standard library only)."""

from pathlib import Path

from neurocompare.fetching.failures import Failed

_PAGES = ("text/html", "application/xhtml+xml")
_SUFFIXES = dict.fromkeys(_PAGES, (".html", ".htm", ".xhtml")) | {"application/json": (".json",)}
"""Types of content that error messages have, and the suffixes of files that are meant to be of that type."""

_COMPRESSED = ("gzip", "x-gzip", "deflate", "compress", "br", "zstd")


def number(value: object) -> int | None:
    """Read a number of bytes; None where there is none.

    Parameters
    ----------
    value : object
        A number, or the text of one, as others wrote it.

    Returns
    -------
    int or None
        The number.
    """
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else None


def length(headers, *, part: bool = False) -> int | None:
    """Return how many bytes the whole file has; None if that is not stated.

    Parameters
    ----------
    headers : mapping
        Of an answer.
    part : bool
        Whether the answer is about a part of the file.

    Returns
    -------
    int or None
        Bytes.
    """
    return number(headers.get("Content-Range", "").rpartition("/")[2] if part else headers.get("Content-Length"))


def validator(headers) -> str:
    """Return what the server calls the state of the file, if it promises the same bytes by it."""
    tag = headers.get("ETag", "")
    # A weak tag does not promise the same bytes.
    return headers.get("Last-Modified", "") if tag.startswith("W/") or not tag else tag


def changed(headers, note: dict) -> bool:
    """Tell whether an answer about a part of a file is about another state of it than an earlier answer.

    Servers may ignore the condition of a request (``If-Range``) and send the rest of another file.

    Parameters
    ----------
    headers : mapping
        Of the answer.
    note : dict
        ``validator`` and ``size`` of the earlier answer, each where it was given.

    Returns
    -------
    bool
        Whether they contradict each other.
    """
    before = str(note.get("validator", ""))
    name = "ETag" if before.startswith('"') else "Last-Modified"
    now = headers.get(name, "").removeprefix("W/")
    if before and now and now != before:
        return True
    sizes = {length(headers, part=True), note.get("size")} - {None}
    return len(sizes) > 1


def require_size(stated: int | None, published: int | None) -> int | None:
    """Compare the length that a server states with the size that the source publishes.

    Parameters
    ----------
    stated, published : int or None
        Bytes, as far as they are known.

    Returns
    -------
    int or None
        Bytes of the whole file; None if neither is known.

    Raises
    ------
    Failed
        If they differ.
    """
    if None not in (stated, published) and stated != published:
        raise Failed(f"the file there has {stated} bytes, but {published} are published")
    return published if stated is None else stated


def require_data(headers, target: Path, url: str) -> None:
    """Refuse what is hardly the file, where neither a size nor a checksum of it is known.

    Parameters
    ----------
    headers : mapping
        Of the answer.
    target : Path
        The file.
    url : str
        Its address.

    Raises
    ------
    Failed
        If the content is of the type of pages and error messages.
    """
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in _SUFFIXES and target.suffix.lower() not in _SUFFIXES[kind]:
        raise Failed(f"sends {kind} instead of the file; if this is the file, give its sha256 in the catalogue")
    encoding = headers.get("Content-Encoding", "").strip().lower()
    # Servers may call a file encoded that is a compressed one in itself.
    itself = url.partition("?")[0].lower().endswith((".gz", ".tgz", ".z", ".br", ".zst"))
    if encoding in _COMPRESSED and not itself:
        raise Failed(f"sends the file compressed (Content-Encoding: {encoding}), which was not asked for")


def is_page(block: bytes, target: Path) -> bool:
    """Tell whether a page has the place of the file.

    Parameters
    ----------
    block : bytes
        The beginning of what was sent.
    target : Path
        The file.

    Returns
    -------
    bool
        Whether it is HTML, and the file is not meant to be.
    """
    # Without zeros, UTF-16 reads like ASCII; what remains before the text are byte-order marks.
    start = block[:20_000].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xfe\xff \t\r\n").lower()
    while start.startswith((b"<?", b"<!--")):
        start = start.partition(b"?>" if start.startswith(b"<?") else b"-->")[2].lstrip()
    return start.startswith((b"<!doctype html", b"<html")) and target.suffix.lower() not in _SUFFIXES[_PAGES[0]]
