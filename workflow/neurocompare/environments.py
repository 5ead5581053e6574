"""Environments of their own, for tools that can't live in the main one (standard library only).

An environment is a folder made by ``venv``, there whole or not at all, and beside it a text file with the exact
versions in it, written last: what depends on the environment depends on that file.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from neurocompare.errors import UserError
from neurocompare.files import written

PROGRAMS = Path(__file__).parents[1] / "allensdk"
"""Where the programs are that run inside the environment of the Allen SDK, and the list of its packages."""

OLDEST, NEWEST = (3, 8), (3, 11)
PROOF = "from allensdk.core.brain_observatory_cache import BrainObservatoryCache"

_CANDIDATES = ("python3.11", "python3.10", "python3.9", "python3.8", "python3")
_PROBE = "import ensurepip, sys, venv; print(*sys.version_info[:2])"


def find_python(candidates: Sequence[str] | None = None) -> str:
    """Return a Python that the Allen SDK works with.

    Each candidate is run, not only looked up: a version manager's stand-in can exist and yet fail.

    Parameters
    ----------
    candidates : sequence of str, optional
        Names or paths, best first; by default this Python, then the names of all versions that fit.

    Returns
    -------
    str
        The first that is of a right version and has ``venv`` and ``ensurepip``.

    Raises
    ------
    UserError
        If there is none.
    """
    tried = [sys.executable, *_CANDIDATES] if candidates is None else list(candidates)
    for candidate in tried:
        command = [candidate, "-c", _PROBE]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
            version = tuple(map(int, done.stdout.split()))
        except (OSError, ValueError, subprocess.TimeoutExpired):
            continue
        if done.returncode == 0 and OLDEST <= version <= NEWEST:
            return candidate
    raise UserError(
        f"the Allen SDK needs Python {_dotted(OLDEST)} to {_dotted(NEWEST)} with venv and ensurepip; none of "
        f"{', '.join(tried)} is one: install one and put it on PATH"
    )


def build(folder: Path, freeze: Path, *, requirements: Path, log: Callable[[str], object] = print) -> None:
    """Make an environment, prove that the Allen SDK can be imported in it, and write down what is in it.

    Parameters
    ----------
    folder : Path
        The environment; what is there already is replaced.
    freeze : Path
        Gets the versions of all packages, last.
    requirements : Path
        List of packages for pip.
    log : callable
        Called with each line of progress.

    Raises
    ------
    UserError
        If there is no fitting Python, or packages can't be installed.
    """
    python = find_python()
    freeze.unlink(missing_ok=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        log(f"making {folder} with {python}; this downloads its packages and takes some minutes")
        _run([python, "-m", "venv", str(made)], "venv")
        inside = python_of(made)
        pip = [inside, "-m", "pip", "--no-input", "--disable-pip-version-check"]
        _run([*pip, "install", "--quiet", "-r", str(requirements)], "pip")
        _run([inside, *_ISOLATED, "-c", PROOF], "the import of the Allen SDK")
        versions = _run([*pip, "freeze", "--all"], "pip")
        # A folder is renamed in one step: nobody finds half an environment under its name.
        if folder.exists():
            os.replace(folder, Path(scratch) / "old")
        os.replace(made, folder)
    with written(freeze) as temporary:
        version = _run([python_of(folder), "--version"], "python").strip()
        temporary.write_text(f"# {version}\n{versions}", encoding="utf-8")
    log(f"{folder} is ready")


def python_of(folder: Path) -> str:
    """Return the path of the Python of an environment."""
    return str(folder.absolute() / "bin" / "python")


def run(folder: Path, program: str, request: dict, *, log: Callable[[str], object] = print) -> dict:
    """Run one of `PROGRAMS` inside its environment.

    Parameters
    ----------
    folder : Path
        The environment.
    program : str
        Name of the program, without suffix.
    request : dict
        What it is asked, in JSON types.
    log : callable
        Called with each line of progress.

    Returns
    -------
    dict
        Its answer.

    Raises
    ------
    UserError
        If the environment is gone, or with the one line that the program ended with.
    """
    python = python_of(folder)
    if not Path(python).exists():
        raise UserError(f"{folder}: the environment or its Python is gone; remove {folder}.txt to have it made again")
    with tempfile.TemporaryDirectory(prefix="neurocompare-") as scratch:
        asked, answer, errors = (Path(scratch) / name for name in ("request.json", "answer.json", "stderr"))
        asked.write_text(json.dumps(request), encoding="utf-8")
        command = [python, *_ISOLATED, str(PROGRAMS / f"{program}.py"), str(asked), str(answer)]
        environment = dict(os.environ, MPLBACKEND="Agg")
        with open(errors, "w", encoding="utf-8") as stderr:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=stderr,
                stdin=subprocess.DEVNULL,
                env=environment,
                encoding="utf-8",
                errors="replace",
            )
            with process:
                for line in process.stdout:
                    log(line.rstrip())
        if process.returncode == 0 and answer.exists():
            return json.loads(answer.read_text(encoding="utf-8"))
        raise UserError(_reason(errors.read_text(encoding="utf-8", errors="replace"), process.returncode))


# No variables and no packages of the user, and no byte code beside the programs: a checkout may be read-only.
_ISOLATED = ("-E", "-s", "-B", "-X", "utf8")


def _run(command: list[str], what: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        if package := _nowhere(done.stderr):
            raise UserError(
                f"environment of the Allen SDK: pip cannot reach its package index, or finds no {package} there; run "
                "again with a connection, or set PIP_FIND_LINKS to a folder with the packages"
            )
        raise UserError(f"environment of the Allen SDK: {what} failed: {_reason(done.stderr, done.returncode)}")
    return done.stdout


def _nowhere(stderr: str) -> str:
    """Return the package of which pip found no version at all, not even one for another Python.

    Without an index, or with one that refuses, pip says nothing else: of a broken connection it tells only if it may
    try again.
    """
    found = re.search(r"satisfies the requirement (\S+).*\(from versions: none\)", stderr)
    return found[1] if found and "require a different python version" not in stderr.lower() else ""


def _reason(stderr: str, status: int) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    # Above a traceback stands "ERROR: Exception:", and what happened in its last line.
    marked = [line for line in lines if line.lower().startswith("error:") and not line.endswith(":")]
    last = (marked or lines or [f"ended with status {status} and no message"])[-1]
    return last[len("error:") :].strip() if last.lower().startswith("error:") else last


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
