"""Environments beside the main one: found, made whole or not at all, and asked in JSON. No package is installed."""

import sys

import pytest

from neurocompare import environments
from neurocompare.errors import UserError


def script(path, *lines):
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_each_candidate_is_run(tmp_path):
    stand_in = script(tmp_path / "a", "echo 'command not found' >&2", "exit 127")
    too_new = script(tmp_path / "b", "echo 3 13")
    chatty = script(tmp_path / "c", "echo Welcome")
    bare = script(tmp_path / "d", "echo 3 10", "exit 1")
    fits = script(tmp_path / "e", "echo 3 9")
    candidates = [str(tmp_path / "absent"), stand_in, too_new, chatty, bare, fits]
    assert environments.find_python(candidates) == fits
    with pytest.raises(UserError, match=r"needs Python 3\.8 to 3\.11 with venv and ensurepip; none of .*/absent, "):
        environments.find_python(candidates[:-1])


def test_what_fails_leaves_nothing_behind(tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"{tmp_path}/nothing-1.0-py3-none-any.whl\n", encoding="utf-8")
    folder = tmp_path / "environments/tool"
    freeze = tmp_path / "environments/tool.txt"
    freeze.parent.mkdir()
    freeze.write_text("what was there before", encoding="utf-8")
    with pytest.raises(UserError, match="pip failed: .*nothing-1.0") as error:
        environments.build(folder, freeze, requirements=requirements, log=lambda line: None)
    assert "\n" not in str(error.value)
    assert not list(freeze.parent.iterdir())


NOWHERE = {
    "PIP_CONFIG_FILE": "/dev/null",
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",  # nothing listens to this port
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "",
    "PIP_RETRIES": "0",
}


@pytest.mark.parametrize("setting", [{}, {"PIP_NO_INDEX": "1"}], ids=["no connection", "no index"])
def test_no_package_index_is_said_in_one_line(tmp_path, monkeypatch, setting):
    for name, value in (NOWHERE | setting).items():
        monkeypatch.setenv(name, value)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("some-package==1.0\n", encoding="utf-8")
    said = "pip cannot reach its package index, or finds no some-package==1.0 there; run again with a connection, or"
    with pytest.raises(UserError, match=said) as error:
        environments.build(tmp_path / "a/tool", tmp_path / "a/tool.txt", requirements=requirements)
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "a").iterdir())


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["ERROR: Ignored the following versions that require a different python version: 1.0 Requires-Python >=3.9"]
            + ["ERROR: Could not find a version that satisfies the requirement a==1.0 (from versions: none)"]
            + ["ERROR: No matching distribution found for a==1.0"],
            "No matching distribution found for a==1.0",
        ),
        (
            ["WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError()': /simple/a/"]
            + ["ERROR: Could not find a version that satisfies the requirement a==1.0 (from versions: 0.8, 0.9)"]
            + ["ERROR: No matching distribution found for a==1.0"],
            "No matching distribution found for a==1.0",
        ),
        (
            ["ERROR: Exception:", "Traceback (most recent call last):", '  File "response.py", line 437', "    yield"]
            + ["urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='data.invalid'): Read timed out."],
            "ReadTimeoutError: HTTPSConnectionPool(host='data.invalid'): Read timed out.",
        ),
    ],
    ids=["another Python", "another version", "traceback"],
)
def test_what_else_pip_says_is_passed_on_in_one_line(tmp_path, lines, said):
    text = tmp_path / "stderr"
    text.write_text("\n".join(lines), encoding="utf-8")
    pip = script(tmp_path / "pip", f"cat {text} >&2", "exit 1")
    with pytest.raises(UserError, match=r"^environment of the Allen SDK: pip failed: ") as error:
        environments._run([pip], "pip")
    assert str(error.value).endswith(said) and "\n" not in str(error.value)


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Return a function that runs a program, given its lines, in an environment that is this one."""
    (tmp_path / "tool/bin").mkdir(parents=True)
    (tmp_path / "tool/bin/python").symlink_to(sys.executable)
    monkeypatch.setattr(environments, "PROGRAMS", tmp_path)

    def call(*lines, log=lambda line: None):
        text = ["import json, sys", "request = json.load(open(sys.argv[1]))", *lines]
        (tmp_path / "program.py").write_text("\n".join(text), encoding="utf-8")
        return environments.run(tmp_path / "tool", "program", {"value": 3}, log=log)

    return call


def test_a_program_is_asked_and_answers(tool):
    said = []
    answer = tool(
        "print('half', flush=True)",
        "json.dump({'twice': 2 * request['value']}, open(sys.argv[2], 'w'))",
        log=said.append,
    )
    assert answer == {"twice": 6}
    assert said == ["half"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["print('chatter', file=sys.stderr)", "sys.exit('error: no such file')"], "no such file"),
        (["raise ValueError('odd')"], "ValueError: odd"),
        (["sys.exit(3)"], "ended with status 3 and no message"),
        (["pass"], "ended with status 0 and no message"),
    ],
)
def test_a_program_that_fails_is_one_line(tool, lines, message):
    with pytest.raises(UserError) as error:
        tool(*lines)
    assert str(error.value) == message


def test_an_environment_that_is_gone(tmp_path):
    with pytest.raises(UserError, match=r"tool: the environment or its Python is gone; remove .*tool\.txt"):
        environments.run(tmp_path / "tool", "fetch", {})
