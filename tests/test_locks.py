"""Raw files against the checksums of the catalogue, or against their locks."""

import hashlib
import json
import re

import pytest

from neurocompare import files, locks
from neurocompare.errors import UserError
from neurocompare.identifiers import PACKAGE
from neurocompare.jobs import job


@pytest.fixture
def pair(tmp_path):
    paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
    for path in paths:
        path.write_text(path.name)
    return paths, {path.name: files.sha256(path) for path in paths}


def test_verified_files_are_given_by_name(pair):
    paths, checksums = pair
    found, digests = locks.verified(paths, checksums | {"of another file": "0" * 64})
    assert found == dict(zip(checksums, paths, strict=True))
    assert digests == checksums
    assert locks.verified([], {}) == ({}, {})


def test_a_file_with_another_checksum_is_named_and_left_alone(pair):
    paths, checksums = pair
    paths[1].write_text("something else")
    before = paths[1].stat()
    with pytest.raises(UserError) as caught:
        locks.verified(paths, checksums)
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
        locks.verified(paths, checksums)
    paths[0].mkdir()
    with pytest.raises(UserError, match=f"^{paths[0]}: cannot be read .Is a directory"):
        locks.verified(paths, checksums)


def test_without_a_checksum_the_first_sight_of_a_file_is_recorded_and_holds_ever_after(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths, checksums = pair
    assert locks.verified(paths, dict.fromkeys(checksums, ""))[1] == checksums
    lock = locks.path_of(paths[0])
    assert lock.as_posix() == f"data/checksums/{tmp_path.name}/a.npy.json"
    assert json.loads(lock.read_text()) == {"size": 5, "sha256": checksums["a.npy"], "origin": "put there by hand"}
    paths[0].write_text("b.npy")
    with pytest.raises(UserError, match=f"^{paths[0]}: sha256 is .* but {lock} recorded"):
        locks.verified(paths, dict.fromkeys(checksums, ""))
    paths[0].write_text("longer than before")
    with pytest.raises(UserError, match="18 bytes, but .* recorded 5; remove the file.* or the lock"):
        locks.verified(paths, dict.fromkeys(checksums, ""))
    lock.unlink()
    assert locks.verified(paths, dict.fromkeys(checksums, ""))[1]["a.npy"] == files.sha256(paths[0])


def test_what_is_recorded_at_first_sight_is_told_in_the_log_of_the_job(pair, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    paths, checksums = pair
    with job(tmp_path / "job.log"):
        locks.verified(paths, checksums | {"a.npy": ""})
        locks.verified(paths, checksums | {"a.npy": ""})
    line = f"{paths[0]}: no checksum is known; recorded in {locks.path_of(paths[0])}\n"
    assert (tmp_path / "job.log").read_text() == capsys.readouterr().err == line


def test_a_lock_that_cannot_be_written_is_told_as_such(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths, checksums = pair
    lock = locks.path_of(paths[0])
    (tmp_path / "data").mkdir()
    (tmp_path / "data/checksums").write_text("in the place of the folder")
    with pytest.raises(UserError) as caught:
        locks.verified(paths, dict.fromkeys(checksums, ""))
    told = (
        f"{lock}: the checksum of {paths[0]} cannot be recorded there (Not a directory); make {lock.parent} writable, "
    )
    assert str(caught.value) == f"{told}or give 'sha256: {checksums['a.npy']}' in the catalogue"


def test_a_lock_that_cannot_be_read_is_told_as_such(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths, checksums = pair
    lock = locks.path_of(paths[0])
    lock.mkdir(parents=True)
    with pytest.raises(UserError, match=f"^{lock}: cannot be read .Is a directory"):
        locks.verified(paths, dict.fromkeys(checksums, ""))


def test_a_lock_of_a_file_whose_length_was_not_stated_is_read_like_any_other(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths, checksums = pair
    assert locks.agreed(paths[0], "there", length_stated=False) == locks.agreed(paths[0], "there")
    kept = {"size": 5, "sha256": checksums["a.npy"], "origin": "there", "length": "not stated"}
    assert json.loads(locks.path_of(paths[0]).read_text()) == locks.read(locks.path_of(paths[0])) == kept
    locks.agreed(paths[1], "there")
    assert locks.read(locks.path_of(paths[1]))["length"] == "stated"


@pytest.mark.parametrize("content", ["", "[]", "1", '{"size": 1}', '{"size": "x", "sha256": "", "origin": ""}'])
def test_a_damaged_lock_is_named(pair, tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    paths, checksums = pair
    lock = locks.path_of(paths[0])
    lock.parent.mkdir(parents=True)
    lock.write_text(content)
    with pytest.raises(UserError, match=f"^{lock}: not a readable lock"):
        locks.verified(paths, dict.fromkeys(checksums, ""))


def test_a_pickle_of_which_no_checksum_is_known_is_not_trusted_at_first_sight(pair, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths, checksums = pair
    unknown = dict.fromkeys(checksums, "")
    with pytest.raises(UserError, match=f"^{paths[0]}: holds a pickle, and no checksum of it is known"):
        locks.verified(paths, unknown, first_sight=False)
    assert not locks.path_of(paths[0]).exists()
    # What was fetched before has a lock, and what the catalogue knows needs none.
    locks.agreed(paths[0], "https://data.invalid/a.npy")
    known = unknown | {"b.npy": checksums["b.npy"]}
    assert locks.verified(paths, known, first_sight=False)[1] == checksums


def test_loaders_that_open_pickles_say_so():
    for path in (PACKAGE / "recordings").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert ("pickles.load" in text) == ("PICKLED = True" in text), path.name
