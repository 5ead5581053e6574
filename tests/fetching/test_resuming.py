"""Downloads that are interrupted, go on, and are never trusted more than their checksum."""

import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import zipfile

import pytest

from neurocompare import locks
from neurocompare.errors import UserError
from neurocompare.fetching import fetch, http

BODY = random.Random(0).randbytes(3_000_000)
SHA = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY).hexdigest()


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Work in an empty folder, where locks go too."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data/raw/source/file.bin"


def quiet(line):
    assert "\n" not in line


def leftovers(path):
    return sorted(p.name for p in (path.parent.parent / ".partial").rglob("*") if p.is_file() and p.suffix != ".lock")


def test_a_download_that_breaks_off_again_and_again_goes_on_where_it_stopped(server, path):
    """Five breaks are more than the attempts in vain that are allowed, but each brought something."""
    url = server.host("/f", BODY, cuts=[700_000, 500_000, 1, 600_000, 300_000])
    fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    got = [0, 700_000, 1_200_000, 1_200_001, 1_800_001, 2_100_001]
    assert server.ranges("/f") == [None, *(f"bytes={n}-" for n in got[1:])]
    assert leftovers(path) == []


def test_what_arrived_in_an_earlier_run_is_used_by_the_next(server, path):
    url = server.host("/f", BODY, cuts=[1_000_000, 0, 0, 0])
    with pytest.raises(UserError, match="truncated: 1000000 of 3000000 bytes .3 attempts"):
        fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert not path.exists()
    assert leftovers(path) == ["file.bin", "file.bin.json"]
    fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    assert server.ranges("/f")[-1] == "bytes=1000000-"


def test_a_killed_download_goes_on(server, path):
    """SIGKILL while bytes arrive: nothing under the final name, and the next run asks for the rest only."""
    url = server.host("/f", BODY, cuts=[2_000_000, 10**9])
    held = threading.Event()
    reply = server.files["/f"].reply

    def slow(headers):
        if headers.get("Range"):
            held.wait(20)
        return reply(headers)

    server.files["/f"].reply = slow
    code = (
        "import sys; from neurocompare.fetching import fetch; "
        "fetch(sys.argv[1], checksum=sys.argv[2], sources=[{'url': sys.argv[3]}])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path), SHA, url], env=environment, stdout=subprocess.PIPE
    )
    while server.count("/f") < 2:
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    held.set()
    assert not path.exists()
    fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    assert server.ranges("/f")[-1] == "bytes=2000000-"


def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(server, path):
    old = random.Random(1).randbytes(3_000_000)
    url = server.host("/f", old, etag='"old"', cuts=[1_000_000, 0, 0, 0])
    with pytest.raises(UserError):
        fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    server.host("/f", BODY, etag='"new"')
    fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY


def test_a_beginning_of_another_version_is_found_by_the_checksum(server, path):
    """The server gives no tag: only the checksum shows that the two parts do not belong together."""
    old = random.Random(1).randbytes(3_000_000)
    url = server.host("/f", old, etag="", cuts=[1_000_000, 0, 0, 0])
    with pytest.raises(UserError):
        fetch(path, checksum=f"md5:{MD5}", sources=[{"url": url}], log=quiet)
    server.host("/f", BODY, etag="")
    fetch(path, checksum=f"md5:{MD5}", sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    assert server.ranges("/f")[-2:] == ["bytes=1000000-", None]


def test_without_checksum_and_tag_nothing_is_continued(server, path):
    url = server.host("/f", BODY, etag="", cuts=[1_000_000])
    fetch(path, checksum="", sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    assert server.ranges("/f") == [None, None]


def test_a_server_without_ranges_sends_all_again(server, path):
    url = server.host("/f", BODY, ranges=False, cuts=[1_000_000])
    fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    assert server.ranges("/f") == [None, "bytes=1000000-"]


def test_a_server_that_continues_elsewhere_is_not_believed(server, path):
    url = server.host("/f", BODY, cuts=[1_000_000])
    reply = server.files["/f"].reply
    lies = [1]

    def lying(headers):
        status, body, more = reply(headers)
        if status == 206 and lies:
            lies.pop()
            more["Content-Range"] = more["Content-Range"].replace("bytes 1000000-", "bytes 5-")
        return status, body, more

    server.files["/f"].reply = lying
    fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY


def test_a_download_that_was_complete_but_not_yet_named_is_not_repeated(server, path):
    url = server.host("/f", BODY)
    partial = path.parent.parent / ".partial" / "source" / "file.bin"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(BODY)
    partial.with_name("file.bin.json").write_text(json.dumps({"url": url, "validator": '"1"'}))
    fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    assert server.ranges("/f") == ["bytes=3000000-"]


@pytest.mark.parametrize("note", ["", "{}", '{"url": "http://elsewhere.invalid/", "validator": "x"}'])
def test_bytes_of_unknown_origin_are_not_used(server, path, note):
    url = server.host("/f", BODY)
    partial = path.parent.parent / ".partial" / "source" / "file.bin"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"something else")
    partial.with_name("file.bin.json").write_text(note)
    fetch(path, checksum="", sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY


def test_a_500_and_then_success(server, path):
    server.host("/f", BODY)
    url = server.serve("/g", (500, b"oops"), (429, b""), (302, b"", {"Location": server.address + "/f"}))
    fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY


def test_a_page_instead_of_data_is_refused_though_nothing_is_known_of_the_file(server, path):
    page = server.serve("/page", (200, b"\n<!DOCTYPE html><html><body>Please log in</body></html>"))
    robot = server.serve("/robot", (202, b""))
    right = server.host("/f", BODY)
    with pytest.raises(UserError, match="an HTML page instead of the file.* HTTP 202 Accepted instead of the file"):
        fetch(path, checksum="", sources=[{"url": page}, {"url": robot}], log=quiet)
    assert not path.exists() and not locks.path_of(path).exists()
    assert fetch(path, checksum="", sources=[{"url": page}, {"url": right}], log=quiet) == right


def test_the_first_download_is_recorded_and_verified_ever_after(server, path):
    url = server.host("/f", BODY)
    fetch(path, checksum="", sources=[{"url": url}], log=quiet)
    lock = locks.path_of(path)
    assert json.loads(lock.read_text()) == {"size": len(BODY), "sha256": SHA, "origin": url}
    path.unlink()
    server.host("/f", BODY[:-1] + b"x")
    with pytest.raises(UserError, match=f"its sha256 is .*, expected {SHA}"):
        fetch(path, checksum="", sources=[{"url": url}], log=quiet)
    assert not path.exists()
    path.write_bytes(BODY + b"x")
    with pytest.raises(UserError, match="3000001 bytes, but .* recorded 3000000"):
        fetch(path, checksum="", sources=[{"url": url}], log=quiet)
    assert path.exists()


def test_a_download_above_the_limit_is_refused_before_its_bytes_are_taken(server, path):
    told = server.host("/f", BODY)
    untold = server.serve("/g", (200, BODY, {"Content-Length": ""}))
    for url, size in ((told, "3.0 MB"), (untold, "2.1 MB")):
        with pytest.raises(UserError, match=f"{url}: {size} are more than 'largest_download_gb: 0.002'"):
            fetch(path, checksum=SHA, sources=[{"url": url}], limit=2_000_000, log=quiet)
    assert not path.exists()
    fetch(path, checksum=SHA, sources=[{"url": told}], limit=3_000_000, log=quiet)


def test_licence_citation_size_and_progress_are_shown(server, path, monkeypatch):
    monkeypatch.setattr(http, "LARGE", 1_000_000)
    monkeypatch.setattr(http, "_REPORT", -1.0)
    lines = []
    about = {"license": "CC BY-NC 4.0", "citation": "Doe J (2020)"}
    fetch(path, checksum=SHA, sources=[{"url": server.host("/f", BODY)}], about=about, log=lines.append)
    text = "\n".join(lines)
    assert "file.bin: license: CC BY-NC 4.0; citation: Doe J (2020)" in text and "3.0 MB" in text
    assert " of 3.0 MB (100 %), " in text and "MB/s" in text


def test_an_archive_is_fetched_once_for_all_its_members(server, path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("deep/file.bin", BODY)
        archive.writestr("deep/other.bin", b"other")
    url = server.host("/all.zip", stream.getvalue(), cuts=[1_000_000])
    jobs = [
        threading.Thread(
            target=fetch,
            args=(path.with_name(name),),
            kwargs={"checksum": "", "sources": [{"url": url, "member": name}], "log": quiet},
        )
        for name in ("file.bin", "other.bin")
    ]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert path.read_bytes() == BODY
    assert path.with_name("other.bin").read_bytes() == b"other"
    assert server.ranges("/all.zip") == [None, "bytes=1000000-"]


def test_a_damaged_archive_is_not_kept(server, path):
    url = server.serve("/all.zip", (200, b"PK not really"))
    with pytest.raises(UserError, match="not a zip or tar archive"):
        fetch(path, checksum=SHA, sources=[{"url": url, "member": "file.bin"}], log=quiet)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("file.bin", BODY)
    server.serve("/all.zip", (200, stream.getvalue()))
    fetch(path, checksum=SHA, sources=[{"url": url, "member": "file.bin"}], log=quiet)
    assert path.read_bytes() == BODY


def test_a_full_disk_is_one_line(server, path, monkeypatch):
    url = server.host("/f", BODY)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(http, "_receive", full)
    with pytest.raises(UserError, match=f"^{path}: cannot be written .No space left on device"):
        fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
