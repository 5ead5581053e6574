"""The benchmark itself: what it counts as met, what it fits, and that its parts still run, on tiny sizes."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from oracles import oracle

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import bench_scaling  # noqa: E402
import ratios  # noqa: E402


@pytest.mark.parametrize(
    ("value", "target", "met"),
    [
        (12, "≥ 10", "yes"),
        (8, "≥ 10", "NO"),
        (1.4, "≤ 1.5", "yes"),
        (1.6, "≤ 1.5", "NO"),
        (1.5, "≤ 1.5", "yes"),
        (3, "", ""),
    ],
)
def test_target_is_met_on_the_right_side(value, target, met):
    assert ratios.Ratio("a", "b", "c", value, target).met == met


def test_undefined_ratio_meets_no_target():
    assert ratios.Ratio("a", "b", "c", np.nan, "≥ 10").met == "NO"
    assert ratios.Ratio("a", "b", "c", np.nan, "≤ 10").met == "NO"


def test_exponent_of_a_power_is_found():
    sizes = np.array([10, 20, 40])
    assert ratios.exponent(sizes, 3e-4 * sizes**1.7) == pytest.approx(1.7)


def test_interleaved_keeps_the_best_time_and_the_result():
    seconds, results = ratios.interleaved({"a": lambda: 1, "b": lambda: 2}, 3)
    assert results == {"a": 1, "b": 2}
    assert all(0 <= value < 1 for value in seconds.values())


def test_memory_of_an_array_is_seen():
    # In a process of its own: one that has run other tests gives memory back, and takes it again, unseen.
    program = "import numpy, ratios; print(ratios.extra_bytes(lambda: numpy.ones(20_000_000)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ratios.HERE, capture_output=True, text=True, check=True)
    assert 155e6 < float(done.stdout) < 180e6


def test_table_can_be_read_and_saved(tmp_path):
    rows = [ratios.Ratio("RDM", "X @ X.T", "10", 1.2345, "≤ 1.5", "time"), ratios.Ratio("other", "n²", "10", 9, "≤ 4")]
    head, first, second = ratios.table(rows).splitlines()
    assert head.split() == ["measured", "against", "size", "ratio", "target", "met", "note"]
    assert "1.23" in first and "yes" in first and "NO" in second
    ratios.save(rows, tmp_path / "new/ratios.tsv")
    assert (tmp_path / "new/ratios.tsv").read_text().count("\n") == 3


def test_study_that_is_timed_has_ten_measures_and_finite_scores():
    assert len(set(bench_scaling.MEASURES)) == 10
    seconds = bench_scaling.study(layers=2, areas=2, n=40, p=30)
    assert all(value > 0 for value in seconds.values())
    assert seconds["pair"] <= seconds["pairs"]


@pytest.mark.parametrize("part", ["crossnobis", "inference", "rdms"])
def test_parts_run_on_tiny_sizes(part):
    oracle("rsatoolbox")
    rows = importlib.import_module(f"bench_{part}").measure("tiny")
    assert rows
    assert all(np.isfinite(row.value) and row.value > 0 for row in rows)


def test_ridge_is_compared_with_the_same_predictions_by_hand_on_tiny_sizes():
    # It stops by itself where they differ.
    rows = importlib.import_module("bench_encoding").measure("tiny")
    assert {row.target for row in rows} == {"≤ 1.1", "≥ 10", "", "≤ 1"}
    assert all(np.isfinite(row.value) and row.value >= 0 for row in rows)


def test_sweep_of_decoders_predicts_what_refits_predict():
    (row,) = importlib.import_module("bench_decoding").measure("tiny")
    assert row.value > 1 and "same predictions: 100.0%" in row.note


def test_both_searches_find_all_points_of_a_tiny_flipflop():
    (row,) = importlib.import_module("bench_dynamics").measure("tiny")
    assert row.value > 1 and np.isfinite(row.value)
    ours, theirs = re.fullmatch(r".*dimensions: \[(.*)\]; joint: (.*); [\d.]+ where .*", row.note).groups()
    assert sum(map(int, ours.strip("[]").split(", "))) == 27
    assert theirs.startswith("27 of 27")


@pytest.mark.parametrize(("part", "rows"), [("tasks", 4), ("training", 3)])
def test_what_is_timed_of_recurrent_networks_is_the_same_both_ways_on_tiny_sizes(part, rows):
    found = importlib.import_module(f"bench_{part}").measure("tiny")
    assert len(found) == rows
    assert all(np.isfinite(row.value) and row.value > 0 for row in found)
    differences = re.findall(r"greatest difference (\S+)", " ".join(row.note for row in found))
    assert differences and max(map(float, differences)) < 1e-6
