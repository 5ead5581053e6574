"""Folders that cannot be written, and file systems without locks."""

import errno
import fcntl
import os
import random
from pathlib import Path

import pytest

from neurocompare import fetching
from neurocompare.errors import UserError
from neurocompare.fetching import fetch

BODY = random.Random(0).randbytes(100_000)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Path("data/raw/source/file.bin")


def refused(path, url):
    with pytest.raises(UserError) as caught:
        fetch(path, checksum="", sources=[{"url": url}], log=lambda line: None)
    assert "\n" not in str(caught.value) and not path.exists()
    return str(caught.value)


def read_only(monkeypatch, folder):
    """Let nothing be made in a folder, as for a user without permission (tests may be run by root)."""
    folder.mkdir(parents=True, exist_ok=True)

    def guarded(function, error, *, last=False):
        def call(*args, **kwargs):
            made = Path(args[1 if last else 0])
            if made.parent == folder and not made.exists():
                raise OSError(error, os.strerror(error), str(made))
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(os, "mkdir", guarded(os.mkdir, errno.EACCES))
    monkeypatch.setattr(os, "replace", guarded(os.replace, errno.EROFS, last=True))
    monkeypatch.setattr(fetching, "open", guarded(open, errno.EROFS), raising=False)


@pytest.mark.parametrize("folder", ["data/raw", "data/raw/.partial", "data/raw/.partial/source"])
def test_a_folder_that_cannot_be_written_is_named(server, path, monkeypatch, folder):
    url = server.host("/f", BODY)
    read_only(monkeypatch, Path(folder))
    assert refused(path, url).startswith(f"{folder}: cannot be written (")
    assert not server.requests


def test_the_folder_of_a_source_that_cannot_be_written_is_named(server, path, monkeypatch):
    url = server.host("/f", BODY)
    read_only(monkeypatch, path.parent)
    assert refused(path, url).startswith("data/raw/source: cannot be written (Read-only file system)")


def test_a_file_in_the_place_of_a_folder_is_named(server, path):
    Path("data").mkdir()
    Path("data/raw").write_text("")
    assert refused(path, server.host("/f", BODY)).startswith("data/raw: cannot be written (Not a directory)")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_once_and_used(server, path, monkeypatch, number):
    def flock(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    lines = []
    fetch(path, checksum="", sources=[{"url": server.host("/f", BODY)}], log=lines.append)
    assert path.read_bytes() == BODY
    assert [line for line in lines if "no locks" in line] == [
        "data/raw/.partial/source: this file system has no locks; let only one run at a time fetch files"
    ]


def test_another_fault_of_a_lock_is_one_line(server, path, monkeypatch):
    def flock(*args):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    message = refused(path, server.host("/f", BODY))
    assert message.startswith("data/raw/.partial/source/file.bin.lock: cannot be locked (Input/output error)")
