"""The part of the benchmark that makes trials, on a tiny size."""

import importlib
import sys
from pathlib import Path

import numpy as np


def test_loop_makes_the_same_trials(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[1] / "bench"))
    rows = importlib.import_module("bench_tasks").measure("tiny")
    sys.modules.pop("bench_tasks")
    assert len(rows) == 4 and all(np.isfinite(row.value) and row.value > 0 for row in rows)
    assert all("greatest difference 0e+00" in row.note for row in rows[1::2])
