"""What a script tells when it ends well, by a mistake of the user, or by a defect."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from neurocompare.errors import UserError
from neurocompare.jobs import job

SCRIPT = """
import sys, warnings
from neurocompare.errors import UserError
from neurocompare.jobs import job

with job({log!r}):
    print("started", file=sys.stderr)
    {body}
print("after", file=sys.stderr)
"""


@pytest.fixture
def run(tmp_path):
    """Run a body inside `job`; give the exit code, the lines on the terminal and the lines in the log."""

    def runner(body):
        log = tmp_path / "job.log"
        log.write_text("of an earlier run\n")
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(log=str(log), body=body)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr.splitlines(), log.read_text().splitlines()

    return runner


def test_messages_reach_the_terminal_and_the_log(run):
    code, terminal, log = run("warnings.warn('look here')")
    assert code == 0
    assert terminal[0] == log[0] == "started"
    assert any("look here" in line for line in log)
    assert terminal == [*log, "after"], "the terminal is given back"


def test_a_mistake_of_the_user_is_one_line_and_exit_code_1(run):
    code, terminal, log = run("raise UserError('a.mat: cannot be read; put it there')")
    assert code == 1
    assert terminal == log == ["started", "error: a.mat: cannot be read; put it there"]


def test_a_kind_of_mistake_and_its_cause_are_no_traceback_either(run):
    body = """
    class Kind(UserError): pass
    try:
        {}["missing"]
    except KeyError as error:
        raise Kind("first line\\nsecond line") from error"""
    code, terminal, log = run(body)
    assert code == 1
    assert terminal == log == ["started", "error: first line second line"]


def test_a_defect_keeps_its_traceback_in_both(run):
    code, terminal, log = run("{}['missing']")
    assert code == 1
    for lines in (terminal, log):
        assert lines[0] == "started"
        assert lines[1].startswith("Traceback")
        assert lines[-1] == "KeyError: 'missing'"
    assert terminal.count("KeyError: 'missing'") == 1


def test_an_exit_of_its_own_keeps_its_code(run):
    code, terminal, log = run("sys.exit(3)")
    assert code == 3
    assert terminal == log == ["started"]


def test_what_is_written_is_in_the_log_at_once(run, tmp_path):
    code, terminal, log = run("import os; os._exit(9)")
    assert code == 9
    assert terminal == log == ["started"]


def test_a_mistake_is_written_at_once_so_that_lines_of_parallel_jobs_stay_whole(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("sys.stderr", SimpleNamespace(write=written.append, flush=lambda: None))
    with pytest.raises(SystemExit), job(tmp_path / "log"):
        raise UserError("file: field\nis wrong")
    assert written == ["error: file: field is wrong\n"]
