"""The workflow as text and as a plan: formatted, linted, light to parse, and planned for every study."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from neurocompare import similarity

TOP = Path(__file__).resolve().parents[2]
STUDIES = sorted(path.stem for path in (TOP / "config/studies").glob("*.yaml"))
RULE_FILES = sorted((TOP / "workflow/rules").glob("*.smk"))
SCRIPTS = sorted((TOP / "workflow/scripts").glob("*.py"))
HEAVY = {"numpy", "torch", "pandas", "xarray", "sklearn", "matplotlib", "h5py", "h5netcdf", "scipy", "PIL", "himalaya"}


def run(*command, folder=TOP):
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def rules():
    """The text of each rule by its name."""
    found = {}
    for path in RULE_FILES:
        for name, body in re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", path.read_text(), re.MULTILINE | re.DOTALL):
            assert name not in found
            found[name] = body
    return found


RULES = rules()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a working directory with nothing but a copy of config/."""
    folder = tmp_path_factory.mktemp("run")
    shutil.copytree(TOP / "config", folder / "config")
    return folder


def test_snakemake_lint_finds_nothing(folder):
    done = run("snakemake", "-s", TOP / "Snakefile", "-d", folder, "--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_formatted():
    done = run("snakefmt", "--check", "Snakefile", "workflow")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_code_is_formatted_and_free_of_lint(command):
    done = run("ruff", *command, "--no-cache", ".")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("target", ["all", *STUDIES])
def test_every_study_can_be_planned_from_nothing(folder, target):
    done = run("snakemake", "-s", TOP / "Snakefile", "-d", folder, "-n", "--forceall", target)
    assert done.returncode == 0, done.stderr
    planned = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout + done.stderr, re.MULTILINE))
    assert planned.pop(target) == "1"
    assert int(planned.pop("total")) > 3
    assert set(planned) <= RULES.keys() | set(STUDIES)


def test_a_plan_leaves_no_results(folder):
    assert {path.name for path in folder.iterdir()} <= {"config", ".snakemake"}


PARSE = """
import json, sys
from snakemake.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code in (0, None), end.code
json.dump(sorted({name.partition(".")[0] for name in sys.modules}), open("modules.json", "w"))
"""


def modules_loaded(folder, *arguments):
    """Top-level modules that a dry run has loaded in its process."""
    done = subprocess.run(
        [sys.executable, "-c", PARSE, "-n", "--quiet", "all", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads((folder / "modules.json").read_text()))


def test_planning_loads_nothing_heavy(folder, tmp_path):
    # Snakemake itself loads numpy where it is installed, so an empty workflow is what to compare with.
    (tmp_path / "Snakefile").write_text("rule all:\n")
    loaded = modules_loaded(folder, "-s", TOP / "Snakefile", "--", "all", *STUDIES)
    (folder / "modules.json").unlink()
    assert "neurocompare" in loaded
    assert not (loaded - modules_loaded(tmp_path)) & HEAVY


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_its_script_its_log_and_its_environment(name):
    body = RULES[name]
    (script,) = re.findall(r'script:\n        "../scripts/(\w+)\.py"', body)
    # The rules gather_scores, gather_descriptions, … share one script.
    assert script in (name, name.partition("_")[0])
    (log,) = re.findall(r'log:\n        "(.+)",\n', body)
    assert log.startswith(f"results/logs/{name}/")
    assert log.endswith(".log")
    (output,) = re.findall(r"    output:\n(.*?)(?=^    \w)", body, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"{(\w+)}", log)) == set(re.findall(r"{(\w+)}", output)), "jobs would share a log"
    assert 'conda:\n        "../../environment.yml"' in body
    assert not re.search(r"\b(run|shell):|\blambda\b", body)
    if name != "fetch":
        # Fetched files are checked by their checksum: no change of code can make them another.
        assert re.search(r"        code=\w+", body), "an edit of the library would not rerun this rule"


def test_every_script_belongs_to_a_rule_and_is_a_call_of_the_library():
    used = {re.search(r"scripts/(\w+)\.py", body)[1] for body in RULES.values()}
    assert used == {path.stem for path in SCRIPTS}
    for path in SCRIPTS:
        text = path.read_text()
        assert "with job(snakemake.log[0]):" in text, path.name
        assert text.endswith("\n\nmain(snakemake)\n"), path.name
        # What is read from there is not tracked. The limit of downloads shall not be: it makes no file another one.
        read = text.replace('snakemake.config.get("largest_download_gb")', "")
        assert "snakemake.config" not in read, path.name


def test_one_environment_is_there_for_all_rules():
    assert (TOP / "environment.yml").is_file()


def lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_files_stay_short():
    long = [path.name for path in [TOP / "Snakefile", *RULE_FILES] if lines(path) >= 200]
    long += [path.name for path in SCRIPTS if lines(path) > 45]
    long += [path.name for path in (TOP / "workflow/neurocompare").rglob("*.py") if lines(path) > 420]
    assert not long


def test_the_library_knows_no_snakemake_and_no_paths_of_the_project():
    for path in (TOP / "workflow/neurocompare").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(import|from) snakemake", text, re.MULTILINE), path.name
        assert '"results/' not in text, path.name
        assert '"data/raw' not in text, path.name


def test_captions_of_the_report_exist():
    named = set(re.findall(r'"\.\./report/(\w+\.rst)"', "".join(RULES.values())))
    found = {path.name for path in (TOP / "workflow/report").glob("*.rst")}
    assert found == named | {"workflow.rst"}


def test_no_registry_of_packages_is_written_into_the_project():
    # Where packages come from is a matter of each site's settings.
    parts = (("pypi", "org"), ("pythonhosted", "org"), ("anaconda", "org"), ("download", "pytorch", "org"))
    hosts = [".".join(part) for part in parts]
    folders = [TOP / name for name in ("workflow", "config", "tests", ".ci", "data/README.md")]
    files = [path for path in TOP.iterdir() if path.is_file()]
    for folder in folders:
        files += [p for p in folder.rglob("*") if p.is_file()] if folder.is_dir() else [folder]
    assert len(files) > 50
    for path in files:
        if path.suffix not in (".pyc", ".png", ".npz", ".nc", ".mat", ".npy"):
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not [host for host in hosts if host in text], path


def test_the_readme_lists_the_measures_as_they_declare_themselves():
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    shown = readme.split("<!-- measures -->\n")[1].split("<!-- end of measures -->")[0]
    assert shown == similarity.markdown(), "run `make measures`"


def test_every_row_of_the_table_of_measures_fills_its_columns():
    rows = similarity.markdown().strip().splitlines()
    assert {row.count("|") for row in rows} == {rows[0].count("|")}
    assert any("| yes | yes |" in row for row in rows) and any("| no | no |" in row for row in rows)
