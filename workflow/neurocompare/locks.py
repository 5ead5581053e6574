"""Checksums of raw files: from the catalogue, or recorded at the first download (standard library only).

A lock is for sources that publish no checksum: a small JSON file, ``data/checksums/<source>/<file>.json``. Commit
it, and everybody who runs the study works on the same bytes.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from neurocompare import files
from neurocompare.errors import UserError

FOLDER = Path("data/checksums")


def _print(line: str) -> None:
    # Where the logs of jobs are taken from.
    print(line, file=sys.stderr)


def verified(
    paths: list[Path],
    checksums: dict[str, str],
    *,
    first_sight: bool = True,
    log: Callable[[str], object] = _print,
) -> tuple[dict[str, Path], dict[str, str]]:
    """Check files before anything reads them.

    Parameters
    ----------
    paths : list of Path
        The files.
    checksums : dict of str to str
        By file name: a SHA-256, or ``md5:`` and an MD5; where it is empty, the file has to agree with its lock.
    first_sight : bool
        Whether a file of which nothing is known is recorded and trusted. A file that holds a pickle must not be.
    log : callable
        Called with a line for each file that is recorded because nothing is known of it.

    Returns
    -------
    files : dict of str to Path
        The files by name.
    digests : dict of str to str
        The SHA-256 of each by name.

    Raises
    ------
    UserError
        If a file can't be read or its checksum differs; the message names the file, what was expected and
        what was found. If a lock can't be read or written.
    """
    digests = {}
    for path in paths:
        expected = checksums[path.name]
        try:
            if expected:
                algorithm, wanted = parts(expected)
                found = digest(path, algorithm, "sha256")
                if found[algorithm] != wanted:
                    raise UserError(
                        f"{path}: {algorithm} is {found[algorithm]}, expected {wanted}; "
                        "remove the file, to have it fetched again, or put the right one there"
                    )
                digests[path.name] = found["sha256"]
            else:
                lock = path_of(path)
                new = read(lock) is None
                if new and not first_sight:
                    raise UserError(
                        f"{path}: holds a pickle, and no checksum of it is known; give its sha256 in the catalogue, or "
                        "remove the file, to have it fetched and compared with what its source publishes"
                    )
                digests[path.name] = agreed(path, "put there by hand")
                if new:
                    log(f"{path}: no checksum is known; recorded in {lock}")
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror}); put the right file there") from error
    return {path.name: path for path in paths}, digests


def parts(checksum: str) -> tuple[str, str]:
    """Split a checksum into its algorithm and its hexadecimal digits, in lower case."""
    algorithm, _, digits = checksum.lower().rpartition(":")
    return algorithm or "sha256", digits


def digest(path: Path, *algorithms: str) -> dict[str, str]:
    """Return checksums of a file, read once.

    Parameters
    ----------
    path : Path
        The file.
    *algorithms : str
        Names such as ``"md5"`` and ``"sha256"``.

    Returns
    -------
    dict of str to str
        Hexadecimal digits by algorithm.
    """
    running = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            for one in running.values():
                one.update(block)
    return {name: one.hexdigest() for name, one in running.items()}


def path_of(file: Path) -> Path:
    """Return the lock of a raw file ``…/raw/<source>/<file>``, below `FOLDER`."""
    return FOLDER / file.parent.name / f"{file.name}.json"


def read(lock: Path) -> dict | None:
    """Read a lock.

    Parameters
    ----------
    lock : Path
        The lock.

    Returns
    -------
    dict or None
        ``size`` in bytes, ``sha256``, ``origin`` and ``length`` (``"stated"``, or ``"not stated"`` if the server
        did not say how long the file was); None if there is no lock yet.

    Raises
    ------
    UserError
        If it is damaged or can't be read.
    """
    try:
        content = json.loads(lock.read_text(encoding="utf-8"))
        known = {"size": int(content["size"]), "length": str(content.get("length", "stated"))}
        return known | {key: str(content[key]) for key in ("sha256", "origin")}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"{lock}: cannot be read ({error.strerror}); make this lock readable") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{lock}: not a readable lock ({error!r}); restore it, or remove it to trust the file"
        ) from error


def agreed(file: Path, origin: str, *, length_stated: bool = True) -> str:
    """Check a file against its lock, or make the lock if there is none.

    Parameters
    ----------
    file : Path
        A raw file.
    origin : str
        Where it comes from; recorded in a new lock.
    length_stated : bool
        Whether it is known that it did not end early; if not, a new lock tells so.

    Returns
    -------
    str
        Its SHA-256.

    Raises
    ------
    UserError
        If the file differs from what the lock recorded, or a new lock can't be written.
    """
    lock = path_of(file)
    known, size = read(lock), file.stat().st_size
    if known is not None and size != known["size"]:
        raise UserError(
            f"{file}: {size} bytes, but {lock} recorded {known['size']}; remove the file, to have it fetched again, or "
            "the lock, to accept the file"
        )
    found = files.sha256(file)
    if known is None:
        content = {"size": size, "sha256": found, "origin": origin}
        content |= {} if length_stated else {"length": "not stated"}
        try:
            with files.written(lock) as temporary:
                temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"{lock}: the checksum of {file} cannot be recorded there ({error.strerror}); make {lock.parent} "
                f"writable, or give 'sha256: {found}' in the catalogue"
            ) from error
    elif found != known["sha256"]:
        raise UserError(
            f"{file}: sha256 is {found}, but {lock} recorded {known['sha256']}; remove the file, to have it fetched "
            "again, or the lock, to accept the file"
        )
    return found
