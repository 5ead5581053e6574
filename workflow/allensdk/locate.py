"""Find the NWB files of a selection of Allen Brain Observatory experiments: where they are, and where they go.

The places are those of the SDK's own layout; nothing is downloaded here. With explicit ids and all files in place no
query is made, so a run works offline.
"""

import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from program import Refused, main, one_line, tell, unreachable

ATTEMPTS = 3
PATIENCE = 120.0
"""Seconds without an answer or without data after which a connection counts as dead."""

OPHYS_KEYS = {"area": "targeted_structure", "depth": "imaging_depth", "cre_line": "cre_line"}
OPHYS_KEYS.update(session_type="session_type", container="experiment_container_id")


def work(request):
    """Resolve a selection.

    Parameters
    ----------
    request : dict
        ``product``, ``folder``, ``warehouse``, ``experiments`` or ``select`` and ``most``, ``stimulus``, ``events``.

    Returns
    -------
    dict
        ``experiments``: of each its ``id`` and ``files``, with ``path`` in the folder and ``url`` (empty if the file
        is there).
    """
    folder = Path(request["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    impatient()
    with alone(folder):
        return {"experiments": {"ophys": ophys, "ecephys": ecephys}[request["product"]](request, folder)}


@contextlib.contextmanager
def alone(folder):
    """Hold a folder that several jobs share."""
    with open(folder / ".lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ophys(request, folder):
    """Two-photon: one NWB file per experiment, and its file of events if they are wanted."""
    from allensdk.core.brain_observatory_cache import BrainObservatoryCache

    cache = BrainObservatoryCache(manifest_file=str(folder / "manifest.json"), base_uri=request["warehouse"])

    def located(url, path, zipped=False):
        raise Located(url)

    cache.api.retrieve_file_over_http = located
    wanted = [(cache.EXPERIMENT_DATA_KEY, cache.api.save_ophys_experiment_data)]
    if request["events"]:
        wanted.append((cache.EVENTS_DATA_KEY, cache.api.save_ophys_experiment_event_data))
    found = []
    for number in chosen(request, lambda: selected_ophys(cache, request)):
        files = []
        for key, save in wanted:
            path = Path(cache.get_cache_path(None, key, number))
            # The defaults bind what the loop changes.
            url = address(path, lambda path, save=save, number=number: save(number, str(path), strategy="create"))
            files.append({"path": os.path.relpath(str(path), str(folder)), "url": url})
        found.append({"id": number, "files": files})
    return found


def ecephys(request, folder):
    """Neuropixels: one NWB file per session, of 2 to 3 GB."""
    from allensdk.brain_observatory.ecephys.ecephys_project_cache import EcephysProjectCache

    where = urlsplit(request["warehouse"])
    cache = EcephysProjectCache.from_warehouse(
        scheme=where.scheme, host=where.netloc, manifest=str(folder / "manifest.json")
    )
    engine = cache.fetch_api.rma_engine

    def located(route):
        raise Located(engine._build_url(route.lstrip("/")))

    engine.stream = located
    found = []
    for number in chosen(request, lambda: selected_ecephys(cache, request)):
        path = Path(cache.get_cache_path(None, cache.SESSION_NWB_KEY, number, number))
        url = address(path, lambda _, number=number: cache.fetch_api.get_session_data(number))
        found.append({"id": number, "files": [{"path": os.path.relpath(str(path), str(folder)), "url": url}]})
    return found


def chosen(request, resolve):
    """Return the ids to fetch, rising, at most as many as the request allows."""
    if request.get("experiments"):
        return [int(number) for number in request["experiments"]]
    try:
        numbers = sorted(resolve())
    except Refused:
        raise
    except Exception as error:
        if not unreachable(error):
            raise
        cure = "name 'experiments' and put their files into {}".format(request["folder"])
        raise Refused("{}: cannot be reached; {}".format(request["warehouse"], cure)) from error
    most = request.get("most") or len(numbers)
    tell(f"{len(numbers)} experiments selected, {min(most, len(numbers))} taken")
    return numbers[:most]


def selected_ophys(cache, request):
    """Return ids of experiments, with the SDK's filters on its cached list.

    ``get_ophys_experiments`` of the cache is not used: it asks the warehouse for eye tracking each time, and takes
    a set difference where cells and containers are given.
    """
    from allensdk.api.warehouse_cache.cache import Cache

    path = cache.get_cache_path(None, cache.EXPERIMENTS_KEY)
    everything = cache.api.get_ophys_experiments(path=path, strategy="lazy", **Cache.cache_json())
    if not isinstance(everything, list):
        raise Refused("{}: no list of experiments ({})".format(request["warehouse"], one_line(everything)))
    select = {key: many(value) for key, value in request["select"].items()}
    usable = cache.api.filter_ophys_experiments(everything, simple=True)
    explain(select, usable, OPHYS_KEYS)
    for key in {"depth", "container"} & set(select):
        select[key] = [int(value) for value in select[key]]
    shown = [request["stimulus"]] if request.get("stimulus") else None
    kept = cache.api.filter_ophys_experiments(
        everything,
        targeted_structures=select.get("area"),
        imaging_depths=select.get("depth"),
        cre_lines=select.get("cre_line"),
        session_types=select.get("session_type"),
        experiment_container_ids=select.get("container"),
        stimuli=shown,
        simple=True,
    )
    if not kept:
        raise Refused(
            "select: no experiment fits all of {}{}".format(select, f" and shows {shown[0]}" if shown else "")
        )
    return [int(row["id"]) for row in kept]


def selected_ecephys(cache, request):
    """Return ids of sessions: by session type, by the driver line, and by an area that a probe reached."""
    select = {key: many(value) for key, value in request["select"].items()}
    # Areas are known by channel only, and the table with them takes 60 MB of queries, kept by the SDK.
    table = cache.get_session_table() if "area" in select else cache._get_sessions()
    if "full_genotype" not in table:
        table = table.rename(columns={"genotype": "full_genotype"})
    rows = []
    for number, row in table.iterrows():
        areas = [area for area in row.get("ecephys_structure_acronyms", []) if isinstance(area, str)]
        line = str(row["full_genotype"]).split(";")[0].split("/")[0]
        rows.append({"id": int(number), "session_type": row["session_type"], "cre_line": line, "area": areas})
    explain(select, rows, {"session_type": "session_type", "cre_line": "cre_line", "area": "area"})
    kept = [row["id"] for row in rows if all(fits(key, row[key], select[key]) for key in select)]
    if not kept:
        raise Refused(f"select: no session fits all of {select}")
    return kept


def fits(key, found, wanted):
    """Tell whether a value, or one of several, is among those wanted; the case of a driver line does not matter."""
    alike = str.lower if key == "cre_line" else str
    return bool({alike(str(value)) for value in many(found)} & {alike(str(value)) for value in wanted})


def explain(select, rows, keys):
    """Refuse a value that no experiment has, with those that exist."""
    for key, values in select.items():
        if key not in keys:
            raise Refused("select: unknown key '{}'; known: {}".format(key, ", ".join(sorted(keys))))
        known = {value for row in rows for value in many(row[keys[key]])}
        for value in values:
            if not fits(key, known, [value]):
                listed = ", ".join(sorted(map(str, known))[:40]) or "none"
                raise Refused(f"select.{key}: no experiment has '{value}'; known: {listed}")


def many(value):
    """Return a list, whether one value or several were given."""
    return list(value) if isinstance(value, (list, tuple, set)) else [value]


def address(path, ask):
    """Return where the SDK would download a file from; nothing if the file is there."""
    if path.exists():
        return ""
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            tell(f"{path.name}: {reason}; asking again")
            time.sleep(2.0 ** (attempt - 1))
        try:
            ask(path)
        except Located as found:
            return str(found)
        except Exception as error:
            reason = "the warehouse cannot be reached" if unreachable(error) else one_line(error)
    raise Refused(f"{path}: {reason}; run again later, or put the file there by hand")


class Located(Exception):
    """Raised in the place of a download: its address."""


def impatient():
    """Give every request a limit of time: by itself the SDK would wait for a silent server for ever."""
    import requests

    get = requests.get
    requests.get = lambda url, **options: get(url, **dict({"timeout": (PATIENCE, PATIENCE)}, **options))
    socket.setdefaulttimeout(PATIENCE)


if __name__ == "__main__":
    main(work)
