"""Archives of data, from a server that answers as they do."""

import hashlib
import json
import random
import urllib.parse

import pytest

from neurocompare.errors import UserError
from neurocompare.fetching import fetch, services
from neurocompare.fetching.services import DRYAD_TOKEN

BODY = random.Random(0).randbytes(300_000)
MD5, SHA = hashlib.md5(BODY).hexdigest(), hashlib.sha256(BODY).hexdigest()
WRONG = "0" * 32


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(DRYAD_TOKEN, raising=False)
    return tmp_path / "data/raw/source/file.bin"


def quiet(line):
    assert "\n" not in line


def fetched(path, source):
    fetch(path, checksum="", sources=[source], log=quiet)
    return path.read_bytes()


def refused(path, source):
    with pytest.raises(UserError) as caught:
        fetch(path, checksum="", sources=[source], log=quiet)
    assert "\n" not in str(caught.value) and not path.exists()
    return str(caught.value)


def answer(content):
    return 200, json.dumps(content).encode(), {"Content-Type": "application/json"}


# figshare


def figshare(server, items, pages=None):
    """Serve the list of files of article 8279387, page after page, and files behind a redirect."""
    pages = pages or [items]
    for number, page in enumerate([*pages, []], 1):
        server.serve(f"/v2/articles/8279387/files?page={number}&page_size=1000", answer(page))
    return {"figshare": "8279387", "api": server.address}


def item(server, identifier, name, body=BODY, md5=None, **more):
    there = server.host(f"/s3/{identifier}", body)
    url = server.serve(f"/files/{identifier}", (302, b"", {"Location": there + "?X-Amz-Expires=10"}))
    digest = hashlib.md5(body).hexdigest() if md5 is None else md5
    described = {"id": identifier, "name": name, "size": len(body), "is_link_only": False, "download_url": url}
    return described | {"computed_md5": digest, "supplied_md5": digest, "mimetype": "application/octet-stream"} | more


def test_figshare_by_name_with_its_md5(server, path):
    items = [item(server, 1, "database.npy"), item(server, 2, "gratings_static_TX39_2019_05_02_1.npy")]
    source = figshare(server, items)
    assert fetched(path, source | {"name": "gratings_static_TX39_*.npy"}) == BODY
    assert server.count("/files/2") == 1 and server.count("/files/1") == 0


def test_figshare_of_two_files_of_one_name_gives_the_newer(server, path):
    items = [item(server, 18, "database.npy"), item(server, 15, "database.npy", b"old")]
    assert fetched(path, figshare(server, items) | {"name": "database.npy"}) == BODY


def test_figshare_lists_are_read_to_their_end(server, path):
    many = [{"id": n, "name": f"{n}.npy", "size": 1, "download_url": "", "computed_md5": ""} for n in range(1000)]
    source = figshare(server, [], pages=[many, [item(server, 5000, "last.npy")]])
    assert fetched(path, source | {"name": "last.npy"}) == BODY


def test_figshare_that_ignores_the_page_does_not_loop(server, path):
    many = [{"id": n, "name": f"{n}.npy", "size": 1, "download_url": "", "computed_md5": ""} for n in range(1000)]
    source = figshare(server, [], pages=[many, many])
    assert "0 files of article 8279387 match 'x.npy' (it holds 0.npy, 1.npy" in refused(
        path, source | {"name": "x.npy"}
    )
    assert server.count("/v2/articles/8279387/files") == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"md5": WRONG}, f"its md5 is {MD5}, expected {WRONG}"),
        ({"size": 300_001}, "truncated: 300000 of 300001 bytes"),
    ],
)
def test_figshare_whose_file_is_not_what_the_list_says(server, path, changes, message):
    if "size" in changes:
        there = server.serve("/s3/1", (200, BODY, {"Transfer-Encoding": "identity", "Content-Length": "300001"}))
        items = [item(server, 2, "f.npy") | {"download_url": there, "size": 300_001}]
    else:
        items = [item(server, 1, "f.npy", **changes)]
    assert message in refused(path, figshare(server, items) | {"name": "f.npy"})


def test_figshare_with_an_ambiguous_pattern_lists_what_matches(server, path):
    items = [item(server, n, f"gratings_GT{n}.npy") for n in (1, 2)]
    message = refused(path, figshare(server, items) | {"name": "gratings_*.npy"})
    assert "2 files of article 8279387 match 'gratings_*.npy' (they are gratings_GT1.npy, gratings_GT2.npy)" in message


def test_figshare_behind_its_gate(server, path):
    """The host that gives files sometimes answers 202 without a body to whom it takes for a robot."""
    items = [item(server, 1, "f.npy") | {"download_url": server.serve("/gate", (202, b""))}]
    assert "HTTP 202 Accepted instead of the file" in refused(path, figshare(server, items) | {"name": "f.npy"})


def test_a_service_that_answers_nonsense_or_nothing(server, path):
    source = {"figshare": "1", "name": "x", "api": server.address}
    assert "HTTP 404" in refused(path, source)
    server.serve("/v2/articles/1/files?page=1&page_size=1000", (200, b"<html>maintenance</html>"))
    assert "answers something else than JSON" in refused(path, source)
    server.serve("/v2/articles/1/files?page=1&page_size=1000", answer({"message": "?"}))
    assert "answers no list of files" in refused(path, source)


ODD = [{}, [], None, "x", 1, {"message": "?"}, {"data": None}, {"data": {"attributes": {}}}, {"results": [{}]}]
ODD += [[{"id": 1, "name": "x"}], [{"name": "x"}], [1], {"_links": {"stash:version": {"href": 1}}}]
SERVICES = {
    "figshare": ({"figshare": "1", "name": "x"}, "/v2/articles/1/files?page=1&page_size=1000"),
    "dryad": ({"dryad": "10.1/x", "name": "x"}, "/api/v2/datasets/doi%3A10.1%2Fx"),
    "dandi": ({"dandi": "1", "path": "x"}, "/api/dandisets/1/versions/draft/assets/?path=x&page_size=100"),
    "osf": ({"osf": "abc"}, "/v2/files/abc/"),
}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("content", ODD, ids=str)
def test_a_service_that_answers_in_another_form_leads_to_the_next_source(server, path, service, content):
    source, asked = SERVICES[service]
    source |= {"api": server.address}
    server.serve(asked, answer(content))
    message = refused(path, source)
    known = ("answers in another form (", "answers no list of files", "is not public", "0 files of article")
    assert f"({service} " in message and any(part in message for part in known)
    there = server.host("/f", BODY)
    assert fetch(path, checksum="", sources=[source, {"url": there}], log=quiet) == there


@pytest.mark.parametrize("link", ["file:///etc/hostname", "ftp://127.0.0.1/f", "/f", "", None, 5, "http://[/"])
def test_a_link_to_something_else_than_the_web_is_not_followed(server, path, link):
    items = [item(server, 1, "f.npy") | {"download_url": link}]
    assert "figshare answers in another form (" in refused(path, figshare(server, items) | {"name": "f.npy"})


@pytest.mark.parametrize("size", ["300000", 300_000, None, "unknown", 3e5])
def test_sizes_are_numbers_or_not_known(server, path, size):
    items = [item(server, 1, "f.npy") | {"size": size}]
    assert fetched(path, figshare(server, items) | {"name": "f.npy"}) == BODY


def test_a_file_of_another_size_than_published_is_refused_without_any_checksum(server, path):
    attributes = {"size": len(BODY), "extra": None}
    short = server.host("/short", BODY[:300])
    server.serve("/v2/files/abc/", answer({"data": {"attributes": attributes, "links": {"download": short}}}))
    message = refused(path, {"osf": "abc", "api": server.address})
    assert "the file there has 300 bytes, but 300000 are published" in message


# Dryad


def dryad(server, files, *, token=None, pages=2):
    doi = "10.5061/dryad.9cnp5hqn0"
    dataset = {"_links": {"stash:version": {"href": "/api/v2/versions/26724"}}, "identifier": f"doi:{doi}"}
    server.serve(f"/api/v2/datasets/{urllib.parse.quote('doi:' + doi, safe='')}", answer(dataset))
    base = "/api/v2/versions/26724/files"
    for page in range(1, pages + 1):
        links = {"next": {"href": f"{base}?page={page + 1}"}} if page < pages else {}
        listed = files if page == pages else [{"path": "README.md", "size": 3, "_links": {}}]
        content = {"count": len(listed), "total": 9, "_links": links, "_embedded": {"stash:files": listed}}
        server.serve(f"{base}?page=1&per_page=100" if page == 1 else f"{base}?page={page}", answer(content))
    there = server.host("/s3/dryad", BODY)
    reply = server.files["/s3/dryad"].reply
    # A presigned address refuses whoever shows a token as well.
    server.files["/s3/dryad"].reply = lambda h: (400, b"", {}) if "Authorization" in h else reply(h)
    server.httpd.RequestHandlerClass.do_GET = guarded(server, there, token)
    return {"dryad": doi, "api": server.address}


def guarded(server, there, token):
    """Answer downloads with 401 unless the token is shown; then redirect to another host name."""
    ordinary = server.httpd.RequestHandlerClass.do_GET

    def do_get(self):
        if self.path == "/api/v2/files/7/download":
            allowed = self.headers.get("Authorization") == f"Bearer {token}"
            server.requests.append((self.path, dict(self.headers)))
            self.send_response(302 if allowed else 401)
            if allowed:
                self.send_header("Location", there.replace("127.0.0.1", "localhost"))
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            ordinary(self)

    return do_get


def listed(**digest):
    links = {"stash:download": {"href": "/api/v2/files/7/download"}}
    return [{"path": "matrixWithIds.mat", "size": len(BODY), "_links": links} | digest]


@pytest.mark.parametrize("digest", [{"digestType": "sha-256", "digest": SHA}, {"digestType": "md5", "digest": MD5}, {}])
def test_dryad_with_a_token(server, path, monkeypatch, digest):
    monkeypatch.setenv(DRYAD_TOKEN, "secret")
    source = dryad(server, listed(**digest), token="secret")
    assert fetched(path, source | {"name": "matrixWithIds.mat"}) == BODY
    # The token went to Dryad, and not to the host of the files.
    shown = [asked for asked, headers in server.requests if "Authorization" in headers]
    assert shown == ["/api/v2/files/7/download"]


@pytest.mark.parametrize(
    ("api", "sent"),
    [
        ("https://mirror.invalid", True),
        ("http://mirror.invalid", False),
        ("http://localhost:1", True),
        ("http://127.0.0.1:1", True),
        ("http://127.0.0.1.invalid", False),
    ],
)
def test_the_token_of_dryad_is_sent_over_https_only(monkeypatch, api, sent):
    monkeypatch.setenv(DRYAD_TOKEN, "secret\n")
    files = {"_embedded": {"stash:files": listed()}}
    dataset = {"_links": {"stash:version": {"href": "/v/1"}}}
    monkeypatch.setattr(services, "get_json", lambda url: files if "/files" in url else dataset)
    remote = services.resolve({"dryad": "10.1/x", "name": "matrixWithIds.mat", "api": api})
    assert remote.headers == ({"Authorization": "Bearer secret"} if sent else {})


def test_the_token_of_dryad_does_not_go_where_a_link_leads(server, path, monkeypatch):
    """Appended to the address of the service, this link would make it the user name at another host."""
    monkeypatch.setenv(DRYAD_TOKEN, "secret")
    files = listed()
    files[0]["_links"]["stash:download"]["href"] = "@elsewhere.invalid/f"
    message = refused(path, dryad(server, files, token="secret") | {"name": "matrixWithIds.mat"})
    assert "dryad answers in another form" in message and "secret" not in message


def test_a_token_that_cannot_be_sent_is_not_repeated(server, path, monkeypatch):
    monkeypatch.setenv(DRYAD_TOKEN, "sec\nret")
    message = refused(path, dryad(server, listed(), token="x") | {"name": "matrixWithIds.mat"})
    assert "characters that cannot be sent" in message and "ret" not in message.replace("secret", "")


def test_dryad_without_a_token_says_what_to_do(server, path):
    message = refused(path, dryad(server, listed(), token="secret") | {"name": "matrixWithIds.mat"})
    assert "HTTP 401" in message and DRYAD_TOKEN in message and f"put the file by hand at {path}" in message


def test_dryad_with_a_wrong_digest(server, path, monkeypatch):
    monkeypatch.setenv(DRYAD_TOKEN, "secret")
    source = dryad(server, listed(digestType="md5", digest=WRONG), token="secret")
    assert f"its md5 is {MD5}, expected {WRONG}" in refused(path, source | {"name": "matrixWithIds.mat"})


def test_dryad_that_hides_the_data_set(server, path):
    doi = urllib.parse.quote("doi:10.5061/dryad.hidden", safe="")
    server.serve(f"/api/v2/datasets/{doi}", answer({"identifier": "doi:10.5061/dryad.hidden", "message": "no"}))
    source = {"dryad": "10.5061/dryad.hidden", "name": "x", "api": server.address}
    assert "data set 10.5061/dryad.hidden is not public, or does not exist" in refused(path, source)


# DANDI

PATH = "sub-Jenkins/sub-Jenkins_ses-small_desc-train_behavior+ecephys.nwb"


def dandi(server, digest, pages=2):
    base = "/api/dandisets/000140/versions/0.220113.0408/assets/"
    query = f"?path={urllib.parse.quote(PATH, safe='')}&page_size=100"
    asset = {"asset_id": "7821971e", "path": PATH, "size": len(BODY)}
    other = asset | {"asset_id": "other", "path": PATH + ".old"}
    following = f"{server.address}{base}{query}&page=2"
    server.serve(base + query, answer({"count": 2, "next": following, "results": [other]}))
    server.serve(f"{base}{query}&page=2", answer({"count": 2, "next": None, "results": [asset]}))
    server.serve("/api/assets/7821971e/", answer({"path": PATH, "contentSize": len(BODY), "digest": digest}))
    blob = server.host("/blobs/abc", BODY, cuts=[100_000])
    server.serve("/api/assets/7821971e/download/", (302, b"", {"Location": blob}))
    return {"dandi": "000140", "version": "0.220113.0408", "path": PATH, "api": server.address}


def test_dandi_follows_the_redirect_and_resumes_there(server, path):
    etag = {"dandi:dandi-etag": "0123456789abcdef0123456789abcdef-1"}
    assert fetched(path, dandi(server, etag | {"dandi:sha2-256": SHA})) == BODY
    assert server.ranges("/blobs/abc") == [None, "bytes=100000-"]


def test_dandi_without_a_digest_is_locked_at_first_sight(server, path):
    assert fetched(path, dandi(server, {})) == BODY


def test_dandi_with_a_wrong_digest(server, path):
    assert f"its sha256 is {SHA}, expected {'0' * 64}" in refused(path, dandi(server, {"dandi:sha2-256": "0" * 64}))


# OSF


def test_osf_by_its_identifier(server, path):
    there = server.host("/v1/resources/x", BODY)
    download = server.serve("/download/ny4ut/", (302, b"", {"Location": there}))
    hashes = {"md5": MD5, "sha256": SHA}
    attributes = {"name": "stringer_orientations.npy", "size": len(BODY), "extra": {"hashes": hashes}}
    content = {"data": {"attributes": attributes, "links": {"download": download}}}
    server.serve("/v2/files/ny4ut/", answer(content))
    assert fetched(path, {"osf": "ny4ut", "api": server.address}) == BODY
    hashes["sha256"] = "0" * 64
    server.serve("/v2/files/ny4ut/", answer(content))
    path.unlink()
    assert "expected " + "0" * 64 in refused(path, {"osf": "ny4ut", "api": server.address})
