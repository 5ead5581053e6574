"""What is refused, or told, where nothing but the answer itself says whether it is the file."""

import gzip
import hashlib
import json
import random

import pytest

from neurocompare import locks
from neurocompare.errors import UserError
from neurocompare.fetching import answers, fetch, http

BODY = random.Random(0).randbytes(600_000)
SHA = hashlib.sha256(BODY).hexdigest()
OLD = random.Random(1).randbytes(600_000)
CUT = 200_000


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data/raw/source/file.bin"


def quiet(line):
    assert "\n" not in line


def refused(path, url, checksum=""):
    with pytest.raises(UserError) as caught:
        fetch(path, checksum=checksum, sources=[{"url": url}], log=quiet)
    assert "\n" not in str(caught.value) and not path.exists() and not locks.path_of(path).exists()
    return str(caught.value)


def altered(server, path, alter):
    """Let a function change the answers to requests for a range."""
    reply = server.files[path].reply

    def altering(headers):
        status, body, more = reply({name: value for name, value in headers.items() if name != "If-Range"})
        return alter(status, body, more) if status == 206 else (status, body, more)

    server.files[path].reply = altering


# Rests of a file


def test_a_part_of_the_rest_is_not_taken_for_the_rest(server, path):
    """The server gives at most 150 000 bytes at a time, as some do."""
    url = server.host("/f", BODY, cuts=[CUT])

    def some(status, body, more):
        begin = more["Content-Range"].removeprefix("bytes ").partition("-")[0]
        body = body[:150_000]
        part = f"bytes {begin}-{int(begin) + len(body) - 1}/{len(BODY)}"
        return status, body, more | {"Content-Range": part, "Content-Length": str(len(body))}

    altered(server, "/f", some)
    fetch(path, checksum="", sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    assert server.ranges("/f") == [None, "bytes=200000-", "bytes=350000-", "bytes=500000-"]


@pytest.mark.parametrize("name", ["ETag", "Last-Modified"])
def test_the_rest_of_another_file_is_not_joined_to_the_beginning(server, path, name):
    """The file changes, and the server ignores the condition of the request."""
    dates = {"old": "Wed, 21 Oct 2015 07:28:00 GMT", "new": "Thu, 22 Oct 2015 07:28:00 GMT"}
    states = {"old": '"old"', "new": '"new"'} if name == "ETag" else dates
    begun = (200, OLD[:CUT], {"Content-Length": str(len(OLD)), name: states["old"]})
    part = {"Content-Range": f"bytes {CUT}-{len(BODY) - 1}/{len(BODY)}", name: states["new"]}
    url = server.serve("/f", begun, (206, BODY[CUT:], part), (200, BODY, {name: states["new"]}))
    fetch(path, checksum="", sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    assert server.ranges("/f") == [None, f"bytes={CUT}-", None]


def test_the_rest_of_a_file_of_another_length_is_not_joined_to_the_beginning(server, path):
    begun = (200, OLD[:CUT], {"Content-Length": "500000", "ETag": '"same"'})
    part = {"Content-Range": f"bytes {CUT}-{len(BODY) - 1}/{len(BODY)}"}
    url = server.serve("/f", begun, (206, BODY[CUT:], part), (200, BODY))
    fetch(path, checksum="", sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY


def test_a_rest_of_unknown_length_is_not_believed(server, path):
    url = server.host("/f", BODY, cuts=[CUT])
    altered(
        server, "/f", lambda status, body, more: (status, body[:9], {"Content-Range": f"bytes {CUT}-/*", "ETag": '"1"'})
    )
    fetch(path, checksum="", sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    assert server.ranges("/f") == [None, f"bytes={CUT}-", None]


def test_a_server_that_always_breaks_off_and_always_changes_is_given_up(server, path):
    url = server.host("/f", BODY, cuts=[CUT] * 100)
    altered(server, "/f", lambda status, body, more: (status, body, more | {"ETag": '"2"'}))
    assert "the file has changed since its first part was sent (3 attempts)" in refused(path, url)


# Lengths


@pytest.mark.parametrize("options", [{}, {"cuts": [100]}])
def test_a_length_that_differs_from_the_published_size_is_refused(server, tmp_path, options):
    url = server.host("/f", BODY, **options)
    remote, target = http.Remote(url, 600_001), tmp_path / "part"
    with pytest.raises(http.Failed, match="the file there has 600000 bytes, but 600001 are published"):
        http.download(remote, target, http.Terms(log=quiet), checked=True)
    assert not target.exists()


def test_an_empty_file_is_refused(server, path):
    assert "an empty file" in refused(path, server.serve("/f", (200, b"")))
    assert "an empty file" in refused(path, server.serve("/g", (200, b"", {"Content-Length": ""})))
    assert [file.name for file in (path.parent.parent / ".partial/source").iterdir()] == ["file.bin.lock"]


@pytest.mark.parametrize("length", ["", "abc", "600000, 600000", "-1", "²"])
def test_a_length_that_is_not_stated_is_told_and_recorded(server, path, length):
    url, lines = server.serve("/f", (200, BODY, {"Content-Length": length})), []
    fetch(path, checksum="", sources=[{"url": url}], log=lines.append)
    assert f"{url}: the length is not stated; if the file ends early, it cannot be noticed" in lines
    lock = json.loads(locks.path_of(path).read_text())
    assert lock == {"size": len(BODY), "sha256": SHA, "origin": url, "length": "not stated"}
    # The lock holds like any other, and says what to suspect if a later download differs.
    assert locks.verified([path], {path.name: ""})[1] == {path.name: SHA}
    path.unlink()
    server.serve("/f", (200, BODY + b"the rest"))
    with pytest.raises(UserError, match="to accept another file, as its length was not stated when it was recorded"):
        fetch(path, checksum="", sources=[{"url": url}], log=quiet)


def test_a_length_need_not_be_stated_where_a_checksum_is_known(server, path):
    url, lines = server.serve("/f", (200, BODY, {"Content-Length": ""})), []
    fetch(path, checksum=SHA, sources=[{"url": url}], log=lines.append)
    assert not any("not stated" in line for line in lines)


def test_chunks_state_their_end(server, path):
    chunk = b"%x\r\n%s\r\n" % (len(BODY), BODY)
    chunked = {"Transfer-Encoding": "chunked", "Content-Length": ""}
    server.httpd.RequestHandlerClass.protocol_version = "HTTP/1.1"
    cut = server.serve("/cut", (200, chunk, chunked | {"Connection": "close"}))
    assert "truncated (3 attempts)" in refused(path, cut)
    lines = []
    fetch(
        path, checksum="", sources=[{"url": server.serve("/f", (200, chunk + b"0\r\n\r\n", chunked))}], log=lines.append
    )
    assert path.read_bytes() == BODY
    assert not any("not stated" in line for line in lines) and "length" not in locks.path_of(path).read_text()


# Content


@pytest.mark.parametrize("kind", ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml", "application/json"])
def test_a_type_of_content_that_messages_have_is_refused_where_nothing_is_known(server, path, kind):
    url = server.serve("/f", (200, b'{"error": "try later"}', {"Content-Type": kind}))
    assert f"sends {kind.partition(';')[0].lower()} instead of the file" in refused(path, url)
    suffix = ".json" if "json" in kind else ".html"
    fetch(path.with_suffix(suffix), checksum="", sources=[{"url": url}], log=quiet)
    # A server that calls everything so does no harm where a checksum is known.
    url = server.serve("/g", (200, BODY, {"Content-Type": kind}))
    fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY


PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"
PAGES = [
    PAGE,
    b"\n\t<HTML>",
    b"\xef\xbb\xbf" + PAGE,
    "\ufeff<html>".encode("utf-16-le"),
    b'<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0"><html>',
    b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">',
    b"<!-- generated -->\n<!-- twice --><html>",
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_recognized_by_its_beginning(server, path, page):
    url = server.serve("/f", (200, page))
    assert "an HTML page instead of the file" in refused(path, url)
    fetch(path.with_suffix(".html"), checksum="", sources=[{"url": url}], log=quiet)


@pytest.mark.parametrize(
    "data", [b"<?xml version='1.0'?><neuron/>", b"<!-- <html> -->", b"<!-- <html>", b"\0\0<h", b""]
)
def test_what_only_resembles_a_page_is_none(tmp_path, data):
    assert not answers.is_page(data, tmp_path / "file.xml")


def test_a_body_that_was_compressed_on_the_way_is_refused(server, path):
    packed = gzip.compress(BODY)
    url = server.serve("/f", (200, packed, {"Content-Encoding": "gzip"}))
    assert "sends the file compressed (Content-Encoding: gzip)" in refused(path, url)
    assert server.requests[-1][1]["Accept-Encoding"] == "identity"
    # Servers call a file of this suffix encoded, though it is itself what was asked for.
    url = server.serve("/f.gz", (200, packed, {"Content-Encoding": "x-gzip"}))
    fetch(path, checksum="", sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == packed


def test_a_checksum_from_a_lock_says_so(server, path):
    """What was taken for the file at first sight must not lock out the file itself for ever."""
    bad, good = server.serve("/bad", (200, b"try later")), server.host("/good", BODY)
    fetch(path, checksum="", sources=[{"url": bad}], log=quiet)
    path.unlink()
    lock = locks.path_of(path)
    with pytest.raises(UserError) as caught:
        fetch(path, checksum="", sources=[{"url": good}], log=quiet)
    assert f"recorded in {lock}; remove that lock to accept another file" in str(caught.value)
    lock.unlink()
    fetch(path, checksum="", sources=[{"url": good}], log=quiet)
    assert path.read_bytes() == BODY
    path.unlink()
    with pytest.raises(UserError) as caught:
        fetch(path, checksum=SHA, sources=[{"url": bad}], log=quiet)
    assert "recorded in" not in str(caught.value)
