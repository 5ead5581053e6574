"""Files are whole or absent, and checked before they are read."""

import hashlib
import os
import signal
import subprocess
import sys

import pytest

from neurocompare import files


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
