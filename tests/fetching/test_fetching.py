"""Fetching, against a server on the loopback interface that misbehaves as it is told."""

import hashlib
import io
import json
import random
import socket
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import pytest

from neurocompare.errors import UserError
from neurocompare.fetching import distributions, fetch, http

BODY = bytes(range(256)) * 300
SHA = hashlib.sha256(BODY).hexdigest()


def quiet(line):
    assert "\n" not in line


@pytest.fixture
def path(tmp_path):
    return tmp_path / "raw" / "source" / "file.bin"


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return stream.getvalue()


def tarred(members):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return stream.getvalue()


def refused(path, sources, checksum=SHA):
    """Fetch in vain; the message has one line and the folder holds what it held before."""
    before = sorted(path.parent.iterdir()) if path.parent.exists() else []
    with pytest.raises(UserError) as caught:
        fetch(path, checksum=checksum, sources=sources, log=quiet)
    after = sorted(path.parent.iterdir()) if path.parent.exists() else []
    assert before == after
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_fetched_whole_and_nothing_else_is_left(server, path):
    url = server.serve("/file.bin", (200, BODY))
    lines = []
    assert fetch(path, checksum=SHA.upper(), sources=[{"url": url}], log=lines.append) == url
    assert path.read_bytes() == BODY
    assert list(path.parent.iterdir()) == [path]
    assert server.requests[0][1]["User-Agent"] == "neurocompare"
    assert any(url in line for line in lines)


def test_a_redirect_is_followed(server, path):
    there = server.serve("/there", (200, BODY))
    here = server.serve("/here", (302, b"", {"Location": there}))
    fetch(path, checksum=SHA, sources=[{"url": here}], log=quiet)
    assert path.read_bytes() == BODY


def test_a_wrong_checksum_leads_to_the_next_source(server, path):
    wrong, right = server.serve("/wrong", (200, b"changed")), server.serve("/right", (200, BODY))
    assert fetch(path, checksum=SHA, sources=[{"url": wrong}, {"url": right}], log=quiet) == right
    assert path.read_bytes() == BODY


def test_a_missing_page_is_asked_for_once_and_leads_to_the_next_source(server, path):
    missing, right = server.serve("/missing", (404, b"no")), server.serve("/right", (200, BODY))
    assert fetch(path, checksum=SHA, sources=[{"url": missing}, {"url": right}], log=quiet) == right
    assert server.count("/missing") == 1


def test_a_busy_server_is_asked_three_times_with_growing_pauses(server, path, monkeypatch):
    pauses = []
    monkeypatch.setattr(http, "BACK_OFF", 0.25)
    monkeypatch.setattr(http.time, "sleep", pauses.append)
    url = server.serve("/busy", (503, b""), (503, b""), (200, BODY))
    fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    assert server.count("/busy") == 3
    assert pauses == [0.25, 0.5]


def test_a_server_that_stays_busy_is_given_up(server, path):
    message = refused(path, [{"url": server.serve("/busy", (503, b""))}])
    assert server.count("/busy") == 3
    assert "HTTP 503" in message and "3 attempts" in message


def test_a_truncated_body_is_asked_for_again(server, path):
    short = (200, BODY[:1000], {"Content-Length": str(len(BODY))})
    url = server.serve("/short", short, (200, BODY))
    fetch(path, checksum=SHA, sources=[{"url": url}], log=quiet)
    assert path.read_bytes() == BODY
    message = refused(path.with_name("other.bin"), [{"url": server.serve("/always", short)}])
    assert f"truncated: 1000 of {len(BODY)} bytes" in message
    assert server.count("/always") == 3


def test_a_silent_server_counts_as_dead(path, monkeypatch, server):
    monkeypatch.setattr(http, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        started = time.monotonic()
        message = refused(path, [{"url": f"http://127.0.0.1:{mute.getsockname()[1]}/"}])
    assert "no answer within 0.05 s (3 attempts)" in message
    assert time.monotonic() - started < 5


def test_a_connection_that_is_reset_is_tried_again(path, server):
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up():
            for _ in range(3):
                listening.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        message = refused(path, [{"url": f"http://127.0.0.1:{listening.getsockname()[1]}/"}])
        thread.join(5)
    assert "connection reset (3 attempts)" in message


def test_an_unknown_host_fails_at_once_and_names_the_file_to_put_by_hand(server, path, monkeypatch):
    looked_up = []

    def unresolved(host, *args, **kwargs):
        looked_up.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    monkeypatch.setattr(http.time, "sleep", lambda seconds: pytest.fail("waited for an unknown host"))
    message = refused(path, [{"url": "https://data.invalid/file.bin"}])
    assert looked_up == ["data.invalid"]
    assert "https://data.invalid/file.bin: the host name does not resolve" in message
    assert f"put the file by hand at {path}" in message and SHA in message


def test_every_failed_source_is_named_with_its_reason(server, path):
    wrong, missing = server.serve("/wrong", (200, b"changed")), server.serve("/missing", (404, b""))
    message = refused(path, [{"url": wrong}, {"url": missing}])
    found = hashlib.sha256(b"changed").hexdigest()
    assert f"{wrong}: its sha256 is {found}, expected {SHA}" in message
    assert f"{missing}: HTTP 404" in message


def test_without_any_source_the_file_has_to_be_put_by_hand(path):
    assert f"put the file by hand at {path}" in refused(path, [])


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("member", ["region1/x.npy", "Data/region1/x.npy", "Data/region2/x.npy"])
def test_a_member_of_an_archive_is_found_by_its_path_or_the_end_of_it(server, path, pack, member):
    others = {"Data/README": b"text", "Data/region1/y.npy": b"y", "__MACOSX/Data/region1/._x.npy": b"resource"}
    bodies = {"Data/region1/x.npy": b"one", "Data/region2/x.npy": b"two"}
    url = server.serve("/data", (200, pack(others | bodies)))
    expected = bodies[f"Data/{member.removeprefix('Data/')}"]
    source = {"url": url, "member": member}
    used = fetch(path, checksum=hashlib.sha256(expected).hexdigest(), sources=[source], log=quiet)
    assert path.read_bytes() == expected
    assert list(path.parent.iterdir()) == [path]
    assert used == f"{url} ({member})"


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_ambiguous_or_absent_member_is_a_failure(server, path, pack):
    url = server.serve("/data", (200, pack({"a/x.npy": BODY, "b/x.npy": BODY, "a/prefix-y.npy": BODY})))
    assert "2 files in the archive match 'x.npy'" in refused(path, [{"url": url, "member": "x.npy"}])
    assert "0 files in the archive match 'y.npy'" in refused(path, [{"url": url, "member": "y.npy"}])


@pytest.mark.parametrize("name", ["../outside.bin", "/tmp/neurocompare-outside.bin"])
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_names_inside_an_archive_are_never_used_as_paths(server, path, pack, name, tmp_path):
    url = server.serve("/data", (200, pack({name: BODY})))
    fetch(path, checksum=SHA, sources=[{"url": url, "member": name.rpartition("/")[2]}], log=quiet)
    assert path.read_bytes() == BODY
    kept = {".archives", ".partial"}
    assert [p for p in tmp_path.rglob("*") if p.is_file() and not kept & set(p.parts)] == [path]


def test_a_link_inside_an_archive_is_not_followed(server, path, tmp_path):
    (tmp_path / "secret").write_bytes(BODY)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        info = tarfile.TarInfo("data/x.npy")
        info.type, info.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(info)
    url = server.serve("/data", (200, stream.getvalue()))
    assert "0 files in the archive match" in refused(path, [{"url": url, "member": "x.npy"}])


def test_what_is_no_archive_or_a_damaged_one_is_a_failure(server, path):
    url = server.serve("/page", (200, b"moved"))
    assert "not a zip or tar archive" in refused(path, [{"url": url, "member": "x.npy"}])
    damaged = bytearray(zipped({"x.npy": BODY}))
    damaged[60:70] = bytes(10)
    url = server.serve("/damaged", (200, bytes(damaged)))
    assert "damaged archive" in refused(path, [{"url": url, "member": "x.npy"}])
    whole = tarred({"x.npy": bytes(hashlib.shake_256(b"noise").digest(200_000))})
    url = server.serve("/cut", (200, whole[: len(whole) // 2]))
    assert "damaged archive" in refused(path, [{"url": url, "member": "x.npy"}])


def test_a_cut_archive_is_removed_whatever_is_wrong_with_it(server, path):
    """Cut between two members, a tar archive looks whole; it just lacks the second."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("d/first.bin", "d/file.bin"):
            info = tarfile.TarInfo(name)
            info.size = 51_200
            archive.addfile(info, io.BytesIO(BODY[:51_200]))
    whole = stream.getvalue()
    url = server.serve("/x.tar", (200, whole[: 512 + 51_200], {"Content-Length": ""}), (200, whole))
    source = {"url": url, "member": "d/file.bin"}
    kept = path.parent.parent / ".archives"
    message = refused(path, [source], checksum="md5:" + hashlib.md5(BODY[:51_200]).hexdigest())
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    assert f"0 files in the archive match 'd/file.bin' ({kept / name}, removed)" in message
    assert not (kept / name).exists()
    fetch(path, checksum=hashlib.sha256(BODY[:51_200]).hexdigest(), sources=[source], log=quiet)
    assert server.count("/x.tar") == 2 and (kept / name).exists()


def test_an_archive_with_the_published_checksum_is_kept_and_another_is_not(server, path):
    """A wrong name in the catalogue must not cost a second download, nor an old archive last for ever."""
    body = zipped({"x.npy": BODY})
    md5 = hashlib.md5(body).hexdigest()
    listed = {"id": 1, "name": "a.zip", "size": len(body), "download_url": server.host("/a.zip", body)}

    def publish(digest):
        content = json.dumps([listed | {"computed_md5": digest}]).encode()
        server.serve("/v2/articles/1/files?page=1&page_size=1000", (200, content))

    publish(md5)
    source = {"figshare": "1", "name": "a.zip", "api": server.address}
    message = refused(path, [source | {"member": "y.npy"}])
    assert "0 files in the archive match 'y.npy'" in message and "kept, as it has the published checksum" in message
    fetch(path, checksum=SHA, sources=[source | {"member": "x.npy"}], log=quiet)
    assert server.count("/a.zip") == 1
    publish("0" * 32)
    assert "removed)" in refused(path.with_name("y.bin"), [source | {"member": "y.npy"}])
    assert not [p for p in (path.parent.parent / ".archives").iterdir() if p.suffix != ".lock"]


def test_a_damaged_bz2_archive_is_damage_and_not_a_fault_of_the_disk(server, path):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:bz2") as archive:
        info = tarfile.TarInfo("x.npy")
        info.size = 2_000_000
        archive.addfile(info, io.BytesIO(random.Random(0).randbytes(2_000_000)))
    damaged = bytearray(stream.getvalue())
    damaged[1_200_000:1_200_100] = bytes(100)
    url = server.serve("/x.tar.bz2", (200, bytes(damaged)))
    assert "damaged archive (" in refused(path, [{"url": url, "member": "x.npy"}])


def test_a_good_file_that_is_there_is_left_alone(path):
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    before = path.stat()
    assert "already" in fetch(path, checksum=SHA, sources=[{"url": "https://data.invalid/"}], log=quiet)
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_another_file_that_is_there_is_refused_and_left_untouched(server, path):
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    url = server.serve("/file.bin", (200, BODY))
    message = refused(path, [{"url": url}])
    assert str(path) in message and SHA in message and "remove" in message
    assert hashlib.sha256(b"something else").hexdigest() in message
    assert path.read_bytes() == b"something else"
    assert not server.requests


def test_a_folder_or_a_dangling_link_in_the_place_of_the_file_is_refused(server, path):
    url = server.serve("/file.bin", (200, BODY))
    path.mkdir(parents=True)
    assert "not a readable file" in refused(path, [{"url": url}])
    link = path.with_name("link.bin")
    link.symlink_to(path.with_name("nowhere"))
    assert "not a readable file" in refused(link, [{"url": url}])
    assert link.is_symlink()


@pytest.mark.parametrize(
    "source",
    [
        {"url": "file:///etc/hostname"},
        {"uri": "https://data.invalid/"},
        {"url": "https://data.invalid/", "sha256": SHA},
        {"pip": "name", "sha256": SHA, "member": "x", "kind": "sdist"},
        {"pip": "name==1", "sha256": SHA, "member": "x", "kind": "egg"},
        {"pip": "name==1", "member": "x", "kind": "wheel"},
    ],
)
def test_a_source_of_an_unknown_form_is_a_mistake_in_the_catalogue(path, source):
    message = refused(path, [source])
    assert "file.bin" in message and "not of a known form" in message


@pytest.mark.parametrize("kind", ["sdist", "wheel"])
def test_a_distribution_is_fetched_by_pip_with_its_checksum(path, monkeypatch, kind):
    member = "pack-1.0/demos/x.mat"
    archive, name = (tarred, "pack-1.0.tar.gz") if kind == "sdist" else (zipped, "pack-1.0-py3-none-any.whl")

    def pip(command, **options):
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert {"--require-hashes", "--no-deps"} < set(command)
        assert ("--no-build-isolation" in command) == (kind == "sdist")
        assert command[command.index("--no-binary" if kind == "sdist" else "--only-binary") + 1] in ("pack", ":all:")
        with open(command[command.index("-r") + 1], encoding="utf-8") as file:
            assert file.read().split() == ["pack==1.0", "--hash=sha256:" + "0" * 64]
        folder = Path(command[command.index("-d") + 1])
        folder.mkdir()
        (folder / name).write_bytes(archive({member: BODY, "pack-1.0/setup.py": b""}))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(distributions.subprocess, "run", pip)
    source = {"pip": "pack==1.0", "sha256": "0" * 64, "member": member, "kind": kind}
    assert fetch(path, checksum=SHA, sources=[source], log=quiet) == f"{kind} of pack==1.0"
    assert path.read_bytes() == BODY
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("/usr/bin/python3: No module named pip\n", "pip is not installed"),
        ("Traceback …\nModuleNotFoundError: No module named 'setuptools'\n", "setuptools is not installed"),
        ("WARNING: retrying\nERROR: No matching distribution found for pack==1.0\n", "pip: No matching distribution"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n"
            f"        Expected sha256 {'0' * 64}\n             Got        {'1' * 64}\n",
            f"the distribution has another sha256: {'1' * 64}",
        ),
        (
            "WARNING: Retrying (total=1) after connection broken by 'NewConnectionError'\n"
            "ERROR: No matching distribution found for pack==1.0\n",
            "pip cannot reach its package index",
        ),
        ("", "pip: no message"),
    ],
)
def test_the_reason_why_pip_failed_is_told_in_one_line(path, monkeypatch, stderr, reason):
    def pip(command, **options):
        return subprocess.CompletedProcess(command, 1, "", stderr)

    monkeypatch.setattr(distributions.subprocess, "run", pip)
    source = {"pip": "pack==1.0", "sha256": "0" * 64, "member": "x.mat", "kind": "sdist"}
    message = refused(path, [source])
    assert f"sdist of pack==1.0: {reason}" in message
