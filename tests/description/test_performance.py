"""Fractions of correct choices: counts, intervals that cover, and the ideal observer."""

import numpy as np
import pytest
from conftest import ABOUT
from trials import one_line, recording

from neurocompare.description import performance
from neurocompare.errors import UserError
from neurocompare.recordings import mante2013


def session(correct, n_blocks=10, **attributes):
    n = len(correct)
    context = np.where(np.arange(n) % 2, "motion", "color")
    coordinates = {"correct": np.asarray(correct), "context": context}
    return recording(np.zeros((n, 1)), block=np.arange(n) * n_blocks // n, coordinates=coordinates, **attributes)


def test_fractions_are_counts_and_undecided_trials_are_left_out():
    correct = [1, 0, 1, 1, np.nan, 0, 1, 1]
    rows, details = performance.describe(session(correct, 2), "performance-given=context", seed=0)
    assert details is None
    assert [row["condition"] for row in rows] == [
        "resampled=trials",
        "context=color;resampled=trials",
        "context=motion;resampled=trials",
    ]
    assert [row["value"] for row in rows] == [5 / 7, 1, 0.5]
    assert [row["n_trials"] for row in rows] == [7, 3, 4]


def test_the_ideal_observer_is_the_ceiling():
    array = session(np.r_[np.ones(80), np.zeros(20)], ideal_correct=0.9)
    whole, below = performance.describe(array, "performance", seed=0)[0]
    assert (whole["ceiling_low"], whole["ceiling_high"]) == (0.9, 0.9)
    assert below["value"] == pytest.approx(0.1)
    assert below["ci_low"] == pytest.approx(0.9 - whole["ci_high"])


@pytest.mark.parametrize(("n_blocks", "spread"), [(4, 0.0), (20, 0.0), (20, 0.2)])
def test_intervals_cover_the_truth_also_where_blocks_differ(n_blocks, spread):
    rng, inside = np.random.default_rng(3), 0
    for seed in range(200):
        share = np.clip(0.6 + spread * rng.uniform(-1, 1, n_blocks), 0, 1).repeat(400 // n_blocks)
        row = performance.describe(session(rng.random(400) < share, n_blocks), "performance", seed=seed)[0][0]
        inside += row["ci_low"] <= 0.6 <= row["ci_high"]
    assert inside >= 176, "of 200; 190 are expected, and fewer than 176 come by chance in 1 of 10,000 runs"


@pytest.mark.parametrize(
    ("array", "id_", "said"),
    [
        (recording(np.zeros((4, 1))), "performance", "correct"),
        (session([0, 1, 2, 1]), "performance", "'correct' has other values than 0, 1 and NaN"),
        (session([np.nan] * 4), "performance", "there was nothing to decide"),
        (session([0, 1]), "performance-given=contxt", "contxt"),
        (session([0, 1]), "performance-by=context", "must read performance-[given=…]"),
    ],
)
def test_refusals(array, id_, said):
    with pytest.raises(UserError) as caught:
        performance.describe(array, id_, seed=0)
    assert said in one_line(caught)


def test_a_monkey_is_correct_as_often_as_the_file_says(real_data):
    path = real_data / "mante2013_pfc/ar090313_1_a3_Vstim_100_850_ms.mat"
    array = mante2013.ingest({path.name: path}, about=ABOUT)
    row = performance.describe(array, "performance", seed=0)[0][0]
    assert row["value"] == array.coords["correct"].values.mean()
    assert 0.7 < row["value"] < 0.9
