"""Tests of networks on every task: what the workflow makes of a trained network, without training one."""

import numpy as np
import pytest
import torch

from neurocompare import representation, tasks
from neurocompare.errors import UserError
from neurocompare.recurrent import curves, definition, running, storage, trial_runs
from neurocompare.representation import IDEAL

NAMES = [name for name in tasks.names() if name != "neurogym"]  # an optional package


def network(task, **options):
    made = definition.of_entry({"cell": {"kind": "gru", "units": 6}}, {"task": task, "options": options})
    units = np.full(6, "network")
    kinds = np.full(6, "none")
    return storage.Trained(made, made.cell, storage.untrained(made, 0), units, kinds, "0" * 64, {})


def entry(task, repeats=2, **options):
    return {"task": task, "options": options, "test": {"repeats": repeats}}


@pytest.mark.parametrize("name", NAMES)
def test_a_network_can_be_run_on_every_task(name):
    array = trial_runs.tested(network(name), entry(name), network="net", seed=1)
    representation.validate(array)
    assert array.sizes["unit"] == 6
    assert IDEAL not in array.attrs or 0.5 <= array.attrs[IDEAL] <= 1
    assert (IDEAL in array.attrs) == hasattr(tasks.load(name), "ideal")


def test_networks_of_one_seed_see_the_same_trials_and_others_do_not():
    one, same, other = (trial_runs.of_task(entry("context_integration"), seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.inputs, same.inputs)
    assert not np.array_equal(one.inputs, other.inputs)


def test_a_task_whose_ideal_observer_is_unknown_can_be_run(capsys):
    array = trial_runs.tested(network("delayed_match", items=3), entry("delayed_match", items=3), network="n", seed=0)
    assert IDEAL not in array.attrs
    assert "warning: task delayed_match: the ideal observer is known for two items" in capsys.readouterr().err


def test_the_ideal_observer_is_that_of_the_levels_that_are_tested():
    # Training draws uniformly, and tests show levels: half of the trials of an observer of the strongest are right.
    options = {"draw": "uniform", "coherences": [0.05, 0.5]}
    module = tasks.load("context_integration")
    assert trial_runs.ideal(entry("context_integration", **options)) == module.ideal(coherences=[0.05, 0.5])
    assert trial_runs.ideal(entry("context_integration", **options)) != module.ideal(**options)


def test_window_bins_and_units_of_the_evidence_are_those_of_the_catalogue():
    task = entry("context_integration") | {"window": [0.1, 0.5], "bin_width": 0.1}
    array = trial_runs.tested(network("context_integration"), task, network="n", seed=0)
    np.testing.assert_allclose(array["time"], [0.15, 0.25, 0.35, 0.45])
    assert array.attrs["evidence_units"] == "coherence"


def test_another_task_is_refused():
    with pytest.raises(UserError, match="network 'n' is for 'flipflop'; use that one"):
        trial_runs.tested(network("flipflop"), entry("sine"), network="n", seed=0)


def test_curves_name_the_weights_of_checkpoints_and_print_what_was_evaluated(capsys):
    held = {100: {"recurrent": 1, "bias": 2}, 0: {"recurrent": 3}}
    assert curves.flat(held) == {"update-000000/recurrent": 3, "update-000100/recurrent": 1, "update-000100/bias": 2}
    curves.printed([{"update": 50, "loss": 0.5, "error": 0.25, "performance": 0.75}])
    assert capsys.readouterr().err == "update 50: loss 0.5, error 0.25, correct 0.750\n"


def test_trials_can_be_aligned_to_what_a_network_does():
    task = entry("perceptual_decision") | {"align": "reaction_time", "window": [-0.1, 0.06]}
    trials = trial_runs.of_task(task, 0)
    ends = (trials.length - trials.onset) * trials.dt
    after = np.full(len(trials), 0.3)
    after[0], after[1], after[2] = np.nan, ends[1] - 0.04, ends[2] - 0.06
    after[3] = 0.1 - trials.onset[3] * trials.dt - 0.02
    found, cut = trial_runs.aligned(trials, {"reaction_time": after}, task)
    assert cut == 2
    assert found.onset[[0, 1, 3]].tolist() == [-1, -1, -1]
    np.testing.assert_allclose((found.onset - trials.onset)[4:] * trials.dt, 0.3)
    assert found.onset[2] == trials.length[2] - 3
    assert found.inputs is trials.inputs
    with pytest.raises(UserError, match="no trial covers the window .* around reaction_time; shorten it$"):
        trial_runs.aligned(trials, {"reaction_time": ends}, task)


def test_rates_around_the_reaction_are_those_at_that_time():
    task = entry("checkerboard", dt=0.01) | {"align": "reaction_time", "window": [-0.3, 0.1], "bin_width": 0.1}
    net = network("checkerboard", dt=0.01)
    # Outputs that cross the threshold at some time.
    net.weights["output"] = 2 * torch.ones_like(net.weights["output"])
    net.weights["output_bias"] = torch.tensor([0.4, 0.3])
    array = trial_runs.tested(net, task, network="n", seed=0)
    trials = trial_runs.of_task(task, 0)
    run = running.run(net, trials, seed=0)
    own = array.coords["trial"].values
    assert len(own) > 0
    after = tasks.load("checkerboard").performance(run.outputs, trials)["reaction_time"]
    lost = array.attrs["excluded"].get("presentation", {})
    assert lost.get("without the event", 0) == np.isnan(after).sum()
    assert sum(lost.values()) == len(trials) - len(own)
    step = trials.onset[own] + np.rint(array.coords["reaction_time"].values / 0.01).astype(int)
    expected = [run.rates[k, s - 30 : s + 10].mean(axis=0) for k, s in zip(own, step, strict=True)]
    np.testing.assert_allclose(array["time"], [-0.25, -0.15, -0.05, 0.05])
    np.testing.assert_allclose(array.mean("time"), expected, rtol=1e-4, atol=1e-6)
    # In the step before, the output that was chosen was above the threshold for the first time.
    crossed = (run.outputs > 0.6).any(axis=-1)
    for k, s in zip(own, step, strict=True):
        assert crossed[k, s - 1] and not crossed[k, trials.onset[k] : s - 1].any()


def test_a_task_without_reaction_times_cannot_be_aligned_to_them():
    with pytest.raises(UserError, match="^task 'flipflop': there is no reaction_time to align to; leave out 'align'$"):
        trial_runs.tested(network("flipflop"), entry("flipflop") | {"align": "reaction_time"}, network="n", seed=0)
