"""Files of the Allen Institute: fetched and exported by its own SDK, in an environment of its own.

All recordings of a product share one folder, laid out as the SDK's manifest says: ``<raw>/allensdk_ophys`` and
``<raw>/allensdk_ecephys``. A cache that the SDK made elsewhere can be put there as it is.
"""

from collections.abc import Callable
from pathlib import Path

from neurocompare import environments, fetching, locks
from neurocompare.errors import UserError
from neurocompare.files import sha256, written

WAREHOUSE = "http://api.brain-map.org"


def folder_of(raw: Path, product: str) -> Path:
    """Return the folder of the SDK's files of a product."""
    return raw / f"allensdk_{product}"


def fetch(
    environment: Path,
    raw: Path,
    request: dict,
    *,
    about: dict,
    limit: int | None = None,
    log: Callable[[str], object] = print,
) -> list[dict]:
    """Make the files of a selection of experiments exist, and check them.

    Parameters
    ----------
    environment : Path
        The environment of the SDK.
    raw : Path
        The folder of all raw files.
    request : dict
        ``product``, ``experiments`` or ``select`` with ``most``, ``warehouse``, ``stimulus``, ``events``.
    about : dict
        ``citation`` and ``license``, told before the download.
    limit : int, optional
        Bytes of the largest file that is downloaded.
    log : callable
        Called with each line of progress.

    Returns
    -------
    list of dict
        Of each experiment its ``id`` and ``files``: ``path`` in the folder of the product, ``size``, ``sha256``.

    Raises
    ------
    UserError
        If experiments can't be resolved or fetched, or files differ from their locks.
    """
    folder = folder_of(raw, request["product"])
    asked = {"warehouse": WAREHOUSE, "events": False} | request | {"folder": str(folder)}
    found = environments.run(environment, "locate", asked, log=log)["experiments"]
    terms = {key: about[key] for key in ("license", "citation")}
    for experiment in found:
        for file in experiment["files"]:
            path, url = folder / file["path"], file.pop("url")
            # Not by the SDK, which neither goes on with a download nor notices one that ended early. The warehouse
            # publishes no checksums.
            fetching.fetch(path, checksum="", sources=[{"url": url}] if url else [], about=terms, limit=limit, log=log)
            file["size"] = path.stat().st_size
            file["sha256"] = locks.agreed(path, url)
    return found


def export(
    environment: Path,
    raw: Path,
    experiments: list[dict],
    request: dict,
    output: Path,
    *,
    log: Callable[[str], object] = print,
) -> None:
    """Write what the SDK reads of experiments into one HDF5 file, whole or not at all.

    Parameters
    ----------
    environment : Path
        The environment of the SDK.
    raw : Path
        The folder of all raw files.
    experiments : list of dict
        What `fetch` returned.
    request : dict
        ``product``, ``stimulus`` and ``response``.
    output : Path
        The HDF5 file.
    log : callable
        Called with each line of progress.

    Raises
    ------
    UserError
        If a file is not the one that was fetched, or the SDK can't read it.
    """
    folder = folder_of(raw, request["product"])
    wanted = []
    for experiment in experiments:
        digests = {}
        for file in experiment["files"]:
            _verify(folder / file["path"], file["sha256"])
            digests[file["path"]] = file["sha256"]
        wanted.append({"id": experiment["id"], "sha256": digests})
    with written(output) as temporary:
        asked = request | {"folder": str(folder), "experiments": wanted, "output": str(temporary)}
        environments.run(environment, "export", asked, log=log)


def _verify(path: Path, expected: str) -> None:
    try:
        found = sha256(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); put the file there or fetch it again") from error
    if found != expected:
        raise UserError(f"{path}: checksum is {found}, expected {expected}; remove the file, to have it fetched again")
