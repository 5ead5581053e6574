"""Digests of code follow content and imports, and nothing else."""

import ast
import importlib.util
import os
import re
import shutil
from pathlib import Path

import pytest

from neurocompare import digest as installed

WORKFLOW = Path(installed.__file__).parents[1]


@pytest.fixture
def copy(tmp_path):
    """Return a function that copies the workflow's code into a folder and returns the folder."""

    def copied(name="workflow"):
        ignored = shutil.ignore_patterns("__pycache__")
        for part in ("neurocompare", "scripts"):
            shutil.copytree(WORKFLOW / part, tmp_path / name / part, ignore=ignored)
        return tmp_path / name

    return copied


def digest(workflow, script, *modules):
    """Digest a script of a copy, as a new process would."""
    spec = importlib.util.spec_from_file_location("copied_digest", workflow / "neurocompare/digest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.code_digest(workflow / "scripts" / f"{script}.py", *modules)


def compare(workflow):
    """Digest of the comparison by two measures."""
    return tuple(digest(workflow, "compare", f"neurocompare.similarity.{name}") for name in ("cka", "rsa"))


def edit(path):
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")


def test_a_digest_is_a_sha256_and_the_same_every_time(copy):
    workflow = copy()
    first = digest(workflow, "gather")
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert digest(workflow, "gather") == first


def test_neither_place_nor_time_counts(copy):
    here, there = copy("here"), copy("there")
    for path in there.rglob("*.py"):
        os.utime(path, (1, 1))
    assert compare(here) == compare(there)
    assert digest(here, "gather") == digest(there, "gather")


def test_an_edit_of_the_script_counts_for_that_script_alone(copy):
    workflow = copy()
    gather, others = digest(workflow, "gather"), compare(workflow)
    edit(workflow / "scripts/gather.py")
    assert digest(workflow, "gather") != gather
    assert compare(workflow) == others


@pytest.mark.parametrize("module", ["tables", "files", "errors"])
def test_an_edit_of_what_is_imported_counts_however_far_away(copy, module):
    workflow = copy()
    # gather imports tables, which imports files, which imports errors.
    before = digest(workflow, "gather")
    edit(workflow / f"neurocompare/{module}.py")
    assert digest(workflow, "gather") != before


def test_a_module_that_is_not_imported_does_not_count(copy):
    workflow = copy()
    before = digest(workflow, "gather")
    for module in ("representation", "similarity/cka", "fetching/http", "similarity/__init__"):
        edit(workflow / f"neurocompare/{module}.py")
    assert digest(workflow, "gather") == before
    (workflow / "neurocompare/similarity/brand_new.py").write_text("")
    assert digest(workflow, "gather") == before


def test_a_measure_counts_for_itself_alone(copy):
    workflow = copy()
    cka, rsa = compare(workflow)
    assert cka != rsa
    edit(workflow / "neurocompare/similarity/cka.py")
    edited, same = compare(workflow)
    assert edited != cka
    assert same == rsa


def test_what_measures_share_counts_for_all_of_them(copy):
    workflow = copy()
    before = compare(workflow)
    edit(workflow / "neurocompare/similarity/arrays.py")
    assert not set(before) & set(compare(workflow))


@pytest.mark.parametrize("package", [".", "similarity"])
def test_the_init_files_of_the_packages_around_count(copy, package):
    workflow = copy()
    before = compare(workflow)
    edit(workflow / "neurocompare" / package / "__init__.py")
    assert not set(before) & set(compare(workflow))


def test_adding_removing_and_renaming_count(copy):
    workflow = copy()
    before = digest(workflow, "gather")
    init = workflow / "neurocompare/tables/__init__.py"
    # A package that takes the place of a module is another import.
    init.parent.mkdir()
    init.write_text("")
    assert digest(workflow, "gather") != before
    shutil.rmtree(init.parent)
    assert digest(workflow, "gather") == before
    (workflow / "scripts/gather.py").rename(workflow / "scripts/collect.py")
    assert digest(workflow, "collect") != before


@pytest.mark.parametrize(
    "line",
    [
        "import neurocompare.locks",
        "import neurocompare.locks as other",
        "import os, neurocompare.locks",
        "from neurocompare import locks",
        "from neurocompare.locks import read",
        "def late():\n    from neurocompare.locks import read",
        "if True:\n    from neurocompare import (\n        files,\n        locks as other,\n    )",
    ],
)
def test_every_way_to_import_is_followed(copy, line):
    workflow = copy()
    script = workflow / "scripts/new.py"
    script.write_text(line + "\n")
    before = digest(workflow, "new")
    edit(workflow / "neurocompare/locks.py")
    assert digest(workflow, "new") != before


def test_imports_in_a_circle_come_to_an_end(copy):
    workflow = copy()
    (workflow / "neurocompare/one.py").write_text("from neurocompare import two\n")
    (workflow / "neurocompare/two.py").write_text("import neurocompare.one\n")
    (workflow / "scripts/new.py").write_text("import neurocompare.one\n")
    before = digest(workflow, "new")
    edit(workflow / "neurocompare/two.py")
    assert digest(workflow, "new") != before


def test_foreign_packages_do_not_count(copy):
    workflow = copy()
    (workflow / "scripts/new.py").write_text("import numpy\nimport neurocompared.files\nfrom os import path\n")
    before = digest(workflow, "new")
    (workflow / "neurocompared").mkdir()
    (workflow / "neurocompared/files.py").write_text("")
    assert digest(workflow, "new") == before


@pytest.mark.parametrize("path", sorted((WORKFLOW / "neurocompare").rglob("*.py")), ids=lambda path: path.name)
def test_no_module_imports_in_a_way_that_is_not_followed(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.ImportFrom) and node.level), "relative imports are not followed"


def test_modules_found_by_name_are_those_that_the_rules_digest_by_name():
    found = set()
    for path in (WORKFLOW / "neurocompare").rglob("*.py"):
        if "import_module(" in path.read_text(encoding="utf-8"):
            found.add(path.relative_to(WORKFLOW / "neurocompare").as_posix())
    # Measures, descriptions, architectures and tasks: the rules that use them name them.
    assert found == {"similarity/__init__.py", "describing.py", "networks/weights.py", "tasks/__init__.py"}
