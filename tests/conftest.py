"""Fixtures shared by all tests."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "fetching"))

ABOUT = {"source": "here", "citation": "us", "license": "none", "sha256": {}}
"""What the catalogue would say of a recording."""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real recordings; tests that need it are skipped where it is not given."""
    folder = os.environ.get("NEUROCOMPARE_REAL_DATA")
    if not folder:
        pytest.skip("NEUROCOMPARE_REAL_DATA is not set: real recordings are not at hand")
    return Path(folder).resolve()


@pytest.fixture
def server(monkeypatch):
    """Give a web server on the loopback interface; waiting between attempts is left out."""
    from web import Server

    from neurocompare.fetching import http

    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(http, "BACK_OFF", 0.0)
    server = Server()
    yield server
    server.close()


@pytest.fixture
def drawn(monkeypatch):
    """Give the figures that were saved, in their order."""
    from neurocompare.figures import style

    kept = []
    save = style.save

    def keep(figure, path):
        kept.append(figure)
        save(figure, path)

    monkeypatch.setattr(style, "save", keep)
    return kept
