"""Files that Python distributions carry, fetched by pip (standard library only)."""

import re
import subprocess
import sys
from pathlib import Path

from neurocompare.fetching.failures import Failed
from neurocompare.fetching.http import TIMEOUT


def distribution(source: dict, folder: Path) -> Path:
    """Let pip fetch the file of a distribution, verified by its checksum.

    Parameters
    ----------
    source : dict
        ``pip`` (``name==version``), ``sha256`` and ``kind`` (``sdist`` or ``wheel``).
    folder : Path
        An empty folder to work in.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    Failed
        If pip cannot have it.
    """
    requirements, downloads = folder / "requirements.txt", folder / "downloads"
    requirements.write_text(f"{source['pip']} --hash=sha256:{source['sha256']}\n", encoding="utf-8")
    name = source["pip"].partition("==")[0]
    # pip asks an sdist for its metadata even to download it; isolation would fetch setuptools, without a hash.
    form = ["--only-binary", ":all:"] if source["kind"] == "wheel" else ["--no-binary", name, "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--retries", "2", "--timeout", f"{TIMEOUT:g}", "--require-hashes", "--no-deps", *form]
    command += ["-r", str(requirements), "-d", str(downloads)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise Failed(_pip_reason(done.stderr))
    found = list(downloads.iterdir())
    if len(found) != 1:
        raise Failed(f"pip left {len(found)} files instead of one")
    return found[0]


def _pip_reason(stderr: str) -> str:
    if missing := re.search(r"No module named '?(\w+)", stderr):
        return f"{missing[1]} is not installed in the environment of {sys.executable}"
    if re.search(r"do not match the hashes", stderr, re.IGNORECASE):
        got = re.search(r"Got\s+([0-9a-f]{64})", stderr)
        return f"the distribution has another sha256{f': {got[1]}' if got else ''}"
    if "connection broken by" in stderr:
        return "pip cannot reach its package index"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")] or lines[-1:] or ["no message"]
    return f"pip: {errors[-1].removeprefix('ERROR:').strip()[:200]}"
