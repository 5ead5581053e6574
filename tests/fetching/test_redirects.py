"""Where a redirect leads, and what is told there."""

import email.message
import urllib.request

import pytest

from neurocompare.errors import UserError
from neurocompare.fetching import fetch, http

SECRET = {"Authorization": "Bearer secret", "X-Key": "secret"}


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data/raw/source/file.bin"


def quiet(line):
    assert "\n" not in line


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("https://data.invalid/a", "https://data.invalid/b", True),
        ("http://data.invalid/a", "http://data.invalid/b", True),
        ("http://data.invalid/a", "https://DATA.invalid/a", True),
        ("https://data.invalid/a", "http://data.invalid/a", False),
        ("https://data.invalid/a", "https://data.invalid:8443/a", False),
        ("https://data.invalid/a", "https://files.data.invalid/a", False),
        ("http://data.invalid/a", "https://elsewhere.invalid/a", False),
        ("https://data.invalid/a", "https://data.invalid@elsewhere.invalid/a", False),
    ],
)
def test_who_we_are_is_told_to_the_same_host_only_and_never_less_safely(before, after, told):
    request = urllib.request.Request(before, headers=SECRET | {"Range": "bytes=5-"})
    new = http._Redirects().redirect_request(request, None, 302, "Found", email.message.Message(), after)
    assert new.full_url == after
    assert ("secret" in str(new.headers)) == told
    assert {name.lower() for name in new.headers} == {"range"} | ({"authorization", "x-key"} if told else set())


def test_another_host_is_not_told_who_we_are(server, path):
    there = server.serve("/there", (200, b"content")).replace("127.0.0.1", "localhost")
    here = server.serve("/here", (302, b"", {"Location": there}))
    http.download(http.Remote(here, headers=SECRET), path, http.Terms(log=quiet), checked=True)
    shown = {asked: "secret" in str(headers) for asked, headers in server.requests}
    assert shown == {"/here": True, "/there": False}


@pytest.mark.parametrize("scheme", ["file", "ftp"])
def test_a_redirect_out_of_the_web_is_not_followed(server, path, scheme):
    url = server.serve("/f", (302, b"", {"Location": f"{scheme}://127.0.0.1:9/etc/hostname"}))
    with pytest.raises(UserError, match=f"'{scheme}://.* (is not an address of the web|is not allowed)"):
        fetch(path, checksum="", sources=[{"url": url}], log=quiet)
