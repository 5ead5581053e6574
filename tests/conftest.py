"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

ABOUT = {"source": "here", "citation": "us", "license": "none", "sha256": {}}
"""What the catalogue would say of a recording."""


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with real recordings; tests that need it are skipped where it is not given."""
    folder = os.environ.get("NEUROCOMPARE_REAL_DATA")
    if not folder:
        pytest.skip("NEUROCOMPARE_REAL_DATA is not set: real recordings are not at hand")
    return Path(folder).resolve()
