"""Files are whole or absent, and checked before they are read."""

import hashlib
import os
import re
import signal
import subprocess
import sys

import pytest

from neurocompare import files
from neurocompare.errors import UserError


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "table.tsv"
    with files.written(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.parent == path.parent, "a rename is atomic only within one file system"
        assert temporary.suffix == ".tsv", "writers choose a format by the suffix"
    assert path.read_text() == "half"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_an_exception_the_old_file_is_there_and_nothing_else(tmp_path, error):
    path = tmp_path / "table.tsv"
    for before in ([], [path]):
        with pytest.raises(error), files.written(path) as temporary:
            temporary.write_text("half")
            raise error
        assert list(tmp_path.iterdir()) == before
        if not before:
            path.write_text("old")
    assert path.read_text() == "old"


def test_a_killed_writer_leaves_nothing_under_the_final_name(tmp_path):
    path = tmp_path / "table.tsv"
    code = f"""
import os, signal
from neurocompare import files
with files.written({str(path)!r}) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    assert all(left.name.startswith(".") for left in tmp_path.iterdir())


def test_a_file_can_be_read_by_whoever_the_umask_allows(tmp_path):
    for umask, mode in ((0o022, 0o644), (0o077, 0o600)):
        before = os.umask(umask)
        try:
            with files.written(tmp_path / "table.tsv") as temporary:
                temporary.write_text("whole")
            assert os.umask(umask) == umask, "the umask was changed"
        finally:
            os.umask(before)
        assert (tmp_path / "table.tsv").stat().st_mode & 0o777 == mode


def test_the_checksum_is_that_of_the_content(tmp_path):
    path = tmp_path / "a.bin"
    content = bytes(range(256)) * 10_000
    path.write_bytes(content)
    assert files.sha256(path) == hashlib.sha256(content).hexdigest()
    path.write_bytes(b"")
    assert files.sha256(path) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def pair(tmp_path):
    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    for path in paths:
        path.write_text(path.name)
    return paths, {path.name: files.sha256(path) for path in paths}


def test_verified_files_are_given_by_name(pair):
    paths, checksums = pair
    assert files.verified(paths, checksums | {"of another file": "0" * 64}) == dict(zip(checksums, paths, strict=True))
    assert files.verified([], {}) == {}


def test_a_file_with_another_checksum_is_named_and_left_alone(pair):
    paths, checksums = pair
    paths[1].write_text("something else")
    before = paths[1].stat()
    with pytest.raises(UserError) as caught:
        files.verified(paths, checksums)
    message = str(caught.value)
    assert message.startswith(f"{paths[1]}: ")
    assert re.findall("[0-9a-f]{64}", message) == [hashlib.sha256(b"something else").hexdigest(), checksums["b.npy"]]
    assert "remove the file" in message
    after = paths[1].stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert paths[1].read_text() == "something else"


def test_a_file_that_cannot_be_read_is_named(pair):
    paths, checksums = pair
    paths[0].unlink()
    with pytest.raises(UserError, match=f"^{paths[0]}: cannot be read .No such file"):
        files.verified(paths, checksums)
    paths[0].mkdir()
    with pytest.raises(UserError, match=f"^{paths[0]}: cannot be read .Is a directory"):
        files.verified(paths, checksums)
