"""Sweeps over neurons, trials and time: planted accuracies, splits, statuses, refusals, and a monkey that reaches."""

import numpy as np
import pytest
from conftest import ABOUT
from trials import one_line, recording

from neurocompare.description import sweep
from neurocompare.errors import UserError
from neurocompare.recordings import yu2009

NEURONS = "sweep-label=side-over=neurons-classifier=lda+nearest-mean"
TRIALS = "sweep-label=side-over=trials-classifier=lda"
TIME = "sweep-label=side-over=time-classifier=lda"


def population(rng, n=160, p=12, d=0.8, **attributes):
    side = rng.permutation(np.arange(n) % 2)
    values = rng.standard_normal((n, p)) + d * side[:, None]
    return recording(values, coordinates={"side": side}, **attributes)


def test_accuracy_rises_with_neurons_and_shuffles_stay_at_chance():
    rows, details = sweep.describe(population(np.random.default_rng(0)), NEURONS, seed=0)
    assert details.accuracy.dims == ("split", "classifier", "size")
    assert details["size"].values.tolist() == [1, 3, 6, 12]
    assert (np.diff(details.accuracy, axis=2) > 0).all() and (details.low <= details.accuracy).all()
    mine = [r for r in rows if "classifier=lda;split=chronological" in r["condition"]]
    assert [r["n_units"] for r in mine] == [1, 3, 6, 12]
    assert mine[-1]["value"] > 0.85 and mine[-1]["p_value"] == pytest.approx(1 / 21)
    assert all(abs(r["null_mean"] - 0.5) < 0.06 and "chance=0.5" in r["condition"] for r in rows)


def test_accuracy_rises_with_training_trials():
    rows, details = sweep.describe(population(np.random.default_rng(1), p=30, d=0.4), TRIALS, seed=0)
    one = details.sel(split="interleaved", classifier="lda")
    accuracy = one.accuracy.values[np.isfinite(one.accuracy)]
    assert accuracy[-1] > accuracy[0] + 0.1
    shown = [r for r in rows if "split=chronological" in r["condition"]]
    # Halving ends where a label would be left with fewer than two trials.
    sizes = [int(r["condition"].split("trials=")[1].split(";")[0]) for r in shown]
    assert 4 <= sizes[0] < 9 and sizes[-1] in range(110, 125) and len(sizes) == 5
    assert all(r["n_units"] == 30 for r in rows)


def test_time_is_resolved_and_tested_as_a_family():
    rng = np.random.default_rng(2)
    side = rng.permutation(np.arange(120) % 2)
    values = rng.standard_normal((120, 6, 8))
    values[:, 3:] += 1.2 * side[:, None, None]
    array = recording(values, time=np.arange(6) / 10 - 0.3, coordinates={"side": side})
    _, details = sweep.describe(array, TIME, seed=0)
    for split in ("chronological", "interleaved"):
        one = details.sel(split=split, classifier="lda")
        assert (one.p_all.values[:3] > 0.05).all() and (one.p_all.values[3:] < 0.05).all()
        assert (np.abs(one.accuracy.values[:3] - 0.5) < 0.15).all()
        assert (one.accuracy.values[3:] > 0.9).all()


def test_what_cannot_be_had_is_told():
    rng = np.random.default_rng(3)
    array = population(rng).assign_coords(block=("presentation", np.zeros(160, dtype=int)))
    rows, details = sweep.describe(array, NEURONS, seed=0)
    assert rows[0]["status"] == "one_block" and details["split"].values.tolist() == ["interleaved"]
    block = np.repeat(np.arange(8), 10)
    array = recording(rng.standard_normal((80, 5)), block=block, coordinates={"side": block % 2}, simultaneous=False)
    rows, details = sweep.describe(array, NEURONS, seed=0)
    assert rows[-1]["status"] == "constant_in_blocks" and details["split"].values.tolist() == ["chronological"]
    assert all(r["quantity"] == "balanced accuracy of pooled units" for r in rows)
    array = population(rng, exchangeable="block")
    rows, details = sweep.describe(array, NEURONS, seed=0)
    assert all(r["n_null"] == 0 for r in rows) and np.isnan(details.null_high).all()


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("sweep-label=side-over=time-classifier=lda", ["no axis of time", "bin_width"]),
        ("sweep-label=side-over=neuron-classifier=lda", ["over", "'neuron'"]),
        ("sweep-label=side-over=neurons-classifier=lda+lad", ["classifier", "'lad'", "did you mean lda"]),
        ("sweep-label=sid-over=neurons-classifier=lda", ["'sid'", "did you mean side"]),
        ("sweep-label=side-over=neurons-classifier=nearest-angle", ["no angle", "nearest-mean"]),
    ],
)
def test_refusals_name_the_field_and_the_way_out(identifier, words):
    with pytest.raises(UserError) as error:
        sweep.describe(population(np.random.default_rng(4)), identifier, seed=0)
    text = one_line(error)
    assert all(word in text for word in words), text


def test_reaches_are_told_apart_once_the_target_is_there(real_data):
    path = real_data / "shenoy_pmd_reach/ex2_rawspiketrains.mat"
    array = yu2009.ingest({path.name: path}, about=ABOUT, window=[-0.2, 0.8], bin_width=0.1)
    _, details = sweep.describe(array, "sweep-label=direction-over=time-classifier=lda", seed=0)
    time = details["size"].values
    accuracy = details.accuracy.sel(classifier="lda").values
    assert (accuracy[:, time < 0] < 0.63).all() and (details.p_all.values[:, 0, time < 0] > 0.05).all()
    assert (accuracy[:, (time > 0.2) & (time < 0.6)] > 0.98).all()
