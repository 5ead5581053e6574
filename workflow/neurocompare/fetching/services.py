"""Where the archives of science keep a file, and what they say of it: figshare, Dryad, DANDI, OSF.

Each is asked through its public API for the address, the size and the checksum of one file
(standard library only).
"""

import fnmatch
import os
import urllib.parse

from neurocompare.fetching.answers import number
from neurocompare.fetching.failures import Failed
from neurocompare.fetching.http import Remote, get_json

FIGSHARE = "https://api.figshare.com"
DRYAD = "https://datadryad.org"
DANDI = "https://api.dandiarchive.org"
OSF = "https://api.osf.io"

DRYAD_TOKEN = "DRYAD_TOKEN"
"""Environment variable with a token of Dryad's API; it is sent over https only, or to this machine."""

_DRYAD_REFUSAL = (
    f"Dryad gives files to account holders only; set {DRYAD_TOKEN} to a token made at datadryad.org/account, "
    "or download the file in a browser"
)
_MOST_PAGES = 1000


def resolve(source: dict) -> Remote:
    """Find the file that a source of the catalogue names.

    Parameters
    ----------
    source : dict
        ``{url}``, ``{figshare, name}``, ``{dryad, name}``, ``{dandi, version, path}`` or ``{osf}``. In names and paths
        ``*`` and ``?`` match any characters. ``api`` is another address of the service.

    Returns
    -------
    Remote
        Its address, size and published checksums.

    Raises
    ------
    Failed
        If the service does not answer, or answers in a form that is not known, or not just one file matches.
    """
    for service, function in _SERVICES.items():
        if service in source:
            try:
                remote = function(source)
                scheme = urllib.parse.urlsplit(remote.url).scheme
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                raise Failed(f"{service} answers in another form ({error!r})") from error
            if scheme not in ("http", "https"):
                raise Failed(f"{service} answers in another form ('{remote.url}' in the place of an address)")
            return remote
    return Remote(source["url"])


def _figshare(source: dict) -> Remote:
    """Find a file of an article; of several files of one name, the newest (names are not unique there)."""
    address = f"{source.get('api', FIGSHARE)}/v2/articles/{source['figshare']}/files"
    found: dict[int, dict] = {}
    for page in range(1, _MOST_PAGES):
        listed = get_json(f"{address}?page={page}&page_size=1000")
        new = {int(item["id"]): item for item in _list(listed, address)}
        # Servers that ignore the page give the same list for ever.
        if not new.keys() - found.keys():
            break
        found |= new
        if len(new) < 1000:
            break
    by_name = {item["name"]: item for _, item in sorted(found.items())}
    item = by_name[_only(by_name, source["name"], f"article {source['figshare']}")]
    md5 = item.get("computed_md5") or item.get("supplied_md5") or ""
    linked = item.get("is_link_only")
    return Remote(item["download_url"], None if linked else number(item.get("size")), {"md5": md5} if md5 else {})


def _dryad(source: dict) -> Remote:
    base = source.get("api", DRYAD)
    doi = urllib.parse.quote(f"doi:{source['dryad']}", safe="")
    dataset = get_json(f"{base}/api/v2/datasets/{doi}")
    version = _linked(dataset, "stash:version", f"data set {source['dryad']}")
    address, by_path = f"{base}{_local(version)}/files?page=1&per_page=100", {}
    for _ in range(_MOST_PAGES):
        page = get_json(address)
        by_path |= {item["path"]: item for item in page.get("_embedded", {}).get("stash:files", [])}
        following = page.get("_links", {}).get("next", {}).get("href")
        if not following or base + _local(following) == address:
            break
        address = base + following
    item = by_path[_only(by_path, source["name"], f"data set {source['dryad']}")]
    algorithm = str(item.get("digestType", "")).replace("sha-256", "sha256")
    digests = {algorithm: item["digest"]} if algorithm in ("md5", "sha256") and item.get("digest") else {}
    token = os.environ.get(DRYAD_TOKEN, "").strip()
    headers = {"Authorization": f"Bearer {token}"} if token and _confidential(base) else {}
    # Without permission to download, the link is left out of the list.
    links = item.get("_links", {})
    href = (links.get("stash:download") or links.get("stash:file-download") or {}).get("href")
    if not href:
        raise Failed(_DRYAD_REFUSAL)
    return Remote(base + _local(href), number(item.get("size")), digests, headers, _DRYAD_REFUSAL)


def _dandi(source: dict) -> Remote:
    base = f"{source.get('api', DANDI)}/api"
    version = f"{base}/dandisets/{source['dandi']}/versions/{source.get('version', 'draft')}"
    # The service matches the beginning of a path only.
    prefix = source["path"].partition("*")[0].partition("?")[0]
    address = f"{version}/assets/?path={urllib.parse.quote(prefix, safe='')}&page_size=100"
    by_path: dict[str, dict] = {}
    for _ in range(_MOST_PAGES):
        page = get_json(address)
        by_path |= {item["path"]: item for item in page["results"]}
        if not page.get("next"):
            break
        address = page["next"]
    item = by_path[_only(by_path, source["path"], f"dandiset {source['dandi']}")]
    asset = f"{base}/assets/{item['asset_id']}/"
    digest = get_json(asset).get("digest", {}).get("dandi:sha2-256")
    return Remote(f"{asset}download/", number(item.get("size")), {"sha256": digest} if digest else {})


def _osf(source: dict) -> Remote:
    data = get_json(f"{source.get('api', OSF)}/v2/files/{source['osf']}/")["data"]
    hashes = (data["attributes"].get("extra") or {}).get("hashes") or {}
    digests = {name: hashes[name] for name in ("sha256", "md5") if hashes.get(name)}
    return Remote(data["links"]["download"], number(data["attributes"].get("size")), digests)


_SERVICES = {"figshare": _figshare, "dryad": _dryad, "dandi": _dandi, "osf": _osf}


def _only(names, pattern: str, place: str) -> str:
    found = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
    # A name with brackets in it is not a pattern for itself.
    if pattern in names:
        return pattern
    if len(found) != 1:
        listed = ", ".join(sorted(found or names)[:10]) or "nothing"
        raise Failed(
            f"{len(found)} files of {place} match '{pattern}' ({'they are' if found else 'it holds'} {listed})"
        )
    return found[0]


def _list(answer: object, address: str) -> list:
    if not isinstance(answer, list):
        raise Failed(f"{address} answers no list of files")
    return answer


def _linked(answer: dict, relation: str, place: str) -> str:
    try:
        return answer["_links"][relation]["href"]
    except (KeyError, TypeError):
        raise Failed(f"{place} is not public, or does not exist") from None


def _local(link: str) -> str:
    """Give a link of an answer back if it leads nowhere but to the host that gave it."""
    if not link.startswith("/"):
        raise ValueError(f"'{link}' in the place of a path")
    return link


def _confidential(address: str) -> bool:
    """Tell whether nobody on the way can read what is sent to an address."""
    parts = urllib.parse.urlsplit(address)
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")
