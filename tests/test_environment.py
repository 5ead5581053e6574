"""The environment: one list of pins, the same for pip and conda, made whole or made again."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

TOP = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
LOCK = [line for line in (TOP / "requirements.lock").read_text().splitlines() if line and not line.startswith("#")]
PINS = {pin.name: pin for pin in map(Requirement, LOCK)}
MAKEFILE = (TOP / "Makefile").read_text(encoding="utf-8")

# Stands in for Python: `-m venv` makes a copy of it in .venv, `-m pip` fails while the file `offline` exists.
FAKE_PYTHON = """\
#!/bin/sh
echo "$*" >> calls
case "$*" in
  "-m venv --clear .venv") rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  "-m pip "*) test ! -e offline ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """Return a folder with just what the Makefile needs to make an environment, and a fake Python."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(TOP / name, tmp_path)
    python = tmp_path / "fake-python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    return tmp_path


def make(folder, *arguments):
    # A test run started by `make test` hands its own make's variables down; they are not for this one.
    clean = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "ARGS", "CORES"}}
    return subprocess.run(["make", *arguments], cwd=folder, env=clean, capture_output=True, text=True, timeout=60)


def calls(folder, word):
    return sum(word in line for line in (folder / "calls").read_text().splitlines())


def test_lock_is_plain_pins_for_all_systems():
    text = (TOP / "requirements.lock").read_text()
    assert not re.findall(r"[+/\\@]|\.whl|--", text), "local versions, addresses, paths and options do not travel"
    for pin in PINS.values():
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)), pin
    assert len(PINS) == len(LOCK), "a package is pinned twice"


@pytest.mark.parametrize(
    "line",
    [line for extra in ("test", "oracles") for line in PROJECT["optional-dependencies"][extra]]
    + PROJECT["dependencies"],
    ids=lambda line: Requirement(line).name,
)
def test_every_dependency_is_pinned_within_its_bounds(line):
    wanted = Requirement(line)
    pin = PINS[wanted.name]
    version = str(pin.specifier).removeprefix("==")
    assert pin.marker is None, f"{pin} would leave some systems without a pin"
    assert wanted.specifier.contains(version), f"{version} is not {wanted.specifier}"


def test_optional_extras_stay_out_of_the_lock():
    optional = {
        Requirement(line).name
        for extra in ("zoo", "cluster", "neurogym")
        for line in PROJECT["optional-dependencies"][extra]
    }
    assert not optional & PINS.keys()


def test_versions_that_decide_numbers_and_reruns():
    assert str(PINS["torch"].specifier) == "==2.13.0"
    assert str(PINS["snakemake"].specifier) == "==9.27.1"


def test_packages_for_graphics_cards_are_for_linux_only():
    cuda = [pin for name, pin in PINS.items() if name.startswith(("nvidia-", "cuda-")) or name == "triton"]
    assert cuda, "the lock was made for machines without graphics cards only"
    for pin in cuda:
        assert pin.marker is not None, f"{pin.name} would be asked for on macOS"
        assert not pin.marker.evaluate(
            {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"}
        )


def test_conda_environment_holds_the_same_pins():
    environment = yaml.safe_load((TOP / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert environment["name"] == PROJECT["name"]
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    # All pins but those that only the oracles of the agreement suite need.
    assert pip["pip"] == [line for line in LOCK if line in set(pip["pip"])]
    left_out = PINS.keys() - {Requirement(line).name for line in pip["pip"]}
    oracles = {"dpca", "pot", "rsatoolbox", "statsmodels"}
    # What these need and nothing else does.
    theirs = {"formulaic", "imageio", "interface-meta", "lazy-loader", "llvmlite", "numba", "numexpr", "patsy"}
    assert left_out == oracles | theirs | {"scikit-image", "tifffile", "tqdm"}
    needed = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"]
    assert not left_out & {Requirement(line).name for line in needed}
    assert "pip" in conda
    (python,) = [entry.removeprefix("python=") for entry in conda if entry.startswith("python=")]
    assert SpecifierSet(PROJECT["requires-python"]).contains(python)


def test_supported_pythons_agree_everywhere():
    allowed = SpecifierSet(PROJECT["requires-python"])
    project = [minor for minor in range(30) if allowed.contains(f"3.{minor}.1")]
    low, high = map(int, re.search(r"\(3, (\d+)\) <= sys\.version_info < \(3, (\d+)\)", MAKEFILE).groups())
    assert project == list(range(low, high)) == [11, 12, 13]
    tried = re.search(r"for p in (.*?);", MAKEFILE).group(1).split()
    assert tried == [*(f"python3.{minor}" for minor in project), "python3"]
    assert "3.11–3.13" in MAKEFILE
    assert "3.11–3.13" in (TOP / "README.md").read_text(encoding="utf-8")


def test_project_and_library_have_one_version():
    import neurocompare

    assert neurocompare.__version__ == PROJECT["version"]
    assert yaml.safe_load((TOP / "CITATION.cff").read_text())["version"] == PROJECT["version"]


def test_interrupted_environment_is_made_afresh(checkout):
    (checkout / "offline").touch()
    assert make(checkout, "run", "PYTHON=./fake-python").returncode != 0
    assert not (checkout / ".venv/.complete").exists()
    (checkout / ".venv/half-installed").touch()

    (checkout / "offline").unlink()
    second = make(checkout, "run", "PYTHON=./fake-python")
    assert second.returncode == 0, second.stderr
    assert not (checkout / ".venv/half-installed").exists()
    assert calls(checkout, "-m snakemake --cores") == 1

    assert make(checkout, "run", "PYTHON=./fake-python").returncode == 0
    assert calls(checkout, "-m pip install") == 2, "a whole environment was made again"


def test_changed_lock_makes_the_environment_anew(checkout):
    assert make(checkout, "run", "PYTHON=./fake-python").returncode == 0
    stamp = (checkout / ".venv/.complete").stat().st_mtime
    os.utime(checkout / "requirements.lock", (stamp + 10, stamp + 10))
    assert make(checkout, "run", "PYTHON=./fake-python").returncode == 0
    assert calls(checkout, "-m venv --clear .venv") == 2


def test_oracles_are_added_to_the_environment_once_and_on_demand(checkout):
    assert make(checkout, "test", "PYTHON=./fake-python").returncode == 0
    assert calls(checkout, ".[oracles]") == 0
    assert make(checkout, "conformance", "PYTHON=./fake-python").returncode == 0
    assert make(checkout, "bench", "PYTHON=./fake-python", "ARGS=--quick").returncode == 0
    assert calls(checkout, ".[oracles]") == 1
    assert calls(checkout, "--constraint requirements.lock --editable .[oracles]") == 1
    assert calls(checkout, "tests/conformance") == 1
    assert calls(checkout, "tests/bench --quick") == 1


def test_oracles_that_could_not_be_had_are_asked_for_again(checkout):
    assert make(checkout, "test", "PYTHON=./fake-python").returncode == 0
    (checkout / "offline").touch()
    assert make(checkout, "conformance", "PYTHON=./fake-python").returncode != 0
    assert calls(checkout, "tests/conformance") == 0
    (checkout / "offline").unlink()
    assert make(checkout, "conformance", "PYTHON=./fake-python").returncode == 0
    assert calls(checkout, ".[oracles]") == 2


def test_resume_unlocks_before_it_goes_on(checkout):
    assert make(checkout, "resume", "PYTHON=./fake-python", "CORES=3").returncode == 0
    runs = [line for line in (checkout / "calls").read_text().splitlines() if line.startswith("-m snakemake")]
    assert [run.strip() for run in runs] == ["-m snakemake --unlock", "-m snakemake --rerun-incomplete --cores 3"]


def test_unsuitable_python_is_told_in_one_line(checkout):
    answer = make(checkout, "run", "PYTHON=false")
    told = [line for line in answer.stderr.splitlines() if not line.startswith("make")]
    assert answer.returncode != 0
    assert len(told) == 1
    assert "3.11–3.13" in told[0]
    assert "PYTHON=" in told[0]
    assert not (checkout / ".venv").exists()


def test_unsupported_system_is_told_in_one_line(checkout):
    tools = checkout / "tools"
    tools.mkdir()
    (tools / "uname").write_text("#!/bin/sh\necho Linux riscv64\n")
    (tools / "uname").chmod(0o755)
    answer = make(checkout, "run", "PYTHON=./fake-python", "SHELL=/bin/sh", f"PATH={tools}:{os.environ['PATH']}")
    told = [line for line in answer.stderr.splitlines() if not line.startswith("make")]
    assert answer.returncode != 0
    assert len(told) == 1
    assert "riscv64" in told[0]
    assert not (checkout / ".venv").exists()


def test_clean_keeps_results_data_and_records(checkout):
    kept = [checkout / name for name in ("results/a.tsv", "data/raw/b.mat", ".snakemake/metadata")]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in ("workflow/__pycache__", "tests", ".ci", ".venv"):
        (checkout / name).mkdir(parents=True)
    assert make(checkout, "clean").returncode == 0
    assert all(path.exists() for path in kept)
    assert not (checkout / ".venv").exists()
    assert not (checkout / "workflow/__pycache__").exists()
