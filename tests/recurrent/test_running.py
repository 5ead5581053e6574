import numpy as np
import pytest
import torch

from neurocompare import representation, tasks
from neurocompare.errors import UserError
from neurocompare.recurrent import definition, running, simulation, storage

LABELS = {"network": "echo", "seed": "2"}
OPTIONS = {"dt": 0.02, "targets": [0.3, 0.5], "decision": 0.4}


def trained(tmp_path, cell=None, task="checkerboard", options=OPTIONS):
    found = definition.of_entry(
        {"cell": {"kind": "rate", "units": 6, "activation": "tanh"} | (cell or {})}, {"task": task, "options": options}
    )
    storage.save(tmp_path / "w.safetensors", storage.untrained(found, 2), found, {})
    return storage.load(tmp_path / "w.safetensors")


def echo(tmp_path):
    """Rates of the first units are the rectified inputs of the same step."""
    network = trained(tmp_path, {"kind": "vanilla", "activation": "relu", "time_constant": 0.02})
    for values in network.weights.values():
        values.zero_()
    network.weights["input"][:4] = torch.eye(4)
    return network


def shown(repeats=3, seed=0, **options):
    return tasks.load("checkerboard").test(np.random.default_rng(seed), repeats=repeats, **OPTIONS | options)


def test_a_run_is_a_simulation(tmp_path):
    network, trials = trained(tmp_path), shown()
    found = running.run(network, trials, seed=5, noise=0.2)
    expected = simulation.simulate(network.cell, network.weights, torch.from_numpy(trials.inputs), seed=5, noise=0.2)
    np.testing.assert_array_equal(found.states, expected.states)
    np.testing.assert_array_equal(found.rates, expected.rates)
    np.testing.assert_array_equal(found.outputs, expected.outputs)


def test_each_trial_is_aligned_to_its_event(tmp_path):
    trials = shown()
    assert len(set(trials.onset)) > 5
    array = running.representation_of(running.run(echo(tmp_path), trials, seed=0), trials, LABELS)
    assert representation.validate(array) is array
    first, last = -trials.onset.min(), (trials.length - trials.onset).min()
    np.testing.assert_allclose(array.time, (np.arange(first, last) + 0.5) * 0.02)
    for trial in range(0, len(trials), 7):
        for k in (first, -1, 0, last - 1):
            expected = np.maximum(trials.inputs[trial, trials.onset[trial] + k], 0)
            np.testing.assert_allclose(array.sel(time=(k + 0.5) * 0.02, method="nearest")[trial, :4], expected)
    # The checkerboard comes on at 0 in all of them.
    board = echo_of_clean(tmp_path, trials)
    assert (board.sel(time=slice(None, 0)).values[:, :, 2:4] == 0).all()
    assert (board.sel(time=slice(0, 0.4)).values[:, :, 2:4].max(axis=2) > 0).all()


def echo_of_clean(tmp_path, trials):
    clean = type(trials)(**vars(trials) | {"inputs": trials.clean})
    return running.representation_of(running.run(echo(tmp_path), clean, seed=0), clean, LABELS)


def test_windows_and_bins_are_counted_from_the_event(tmp_path):
    trials = shown()
    found = running.run(echo(tmp_path), trials, seed=0)
    single = running.representation_of(found, trials, LABELS, window=(-0.2, 0.3))
    assert single.sizes["time"] == 25
    binned = running.representation_of(found, trials, LABELS, window=(-0.2, 0.3), bin_width=0.06)
    # Of 10 and 15 steps, 9 and 15 fill bins of three.
    np.testing.assert_allclose(binned.time, (np.arange(-9, 15, 3) + 1.5) * 0.02, atol=1e-12)
    np.testing.assert_allclose(binned.values, single.values[:, 1:].reshape(len(trials), 8, 3, 6).mean(2), rtol=1e-5)
    for options, told in [
        ({"window": (-5, 0.1)}, "in common"),
        ({"window": (0.1, 0.1)}, "in common"),
        ({"window": "all"}, "start and stop"),
        ({"window": (0, float("nan"))}, "start and stop"),
        ({"bin_width": 0.03}, "multiple"),
        ({"bin_width": 10.0}, "no step"),
        ({"conditions": ["colour"]}, "color"),
    ]:
        with pytest.raises(UserError) as error:
            running.representation_of(found, trials, LABELS, **options)
        assert told in str(error.value)
        assert "\n" not in str(error.value)


def test_presentations_and_units_say_what_they_are(tmp_path):
    trials, network = shown(repeats=3), trained(tmp_path)
    found = running.run(network, trials, seed=0)
    performance = tasks.load("checkerboard").performance(found.outputs, trials)
    array = running.representation_of(found, trials, LABELS, performance=performance)
    # 14 coherences × 2 configurations; level, color, catch and target follow from them.
    names, counts = np.unique(array.stimulus, return_counts=True)
    assert len(names) == 28
    assert (counts == 3).all()
    assert "coherence=-0.2-configuration=red-left" in names
    for name in names[:3]:
        own = array.stimulus.values == name
        assert len(set(array.coherence.values[own])) == len(set(array.configuration.values[own])) == 1
        assert array.repeat.values[own].tolist() == array.block.values[own].tolist() == [0, 1, 2]
    for name, values in {**trials.conditions, **performance}.items():
        np.testing.assert_array_equal(array.coords[name], values)
    assert set(array.area.values) == {"network"}
    assert set(array.cell_type.values) == {"none"}
    assert set(array.animal.values) == {"echo"}
    assert set(array.session.values) == {"seed 2"}
    assert array.attrs["sha256"] == {"weights": network.sha256}
    assert array.attrs["response"] == "unit activation"
    assert array.attrs["exchangeable"] == "condition"
    assert array.attrs["simultaneous"] is True
    sides = running.representation_of(found, trials, LABELS, conditions=["target", "color"])
    assert set(sides.stimulus.values) == {f"target={s}-color={c}" for s in ("+1", "-1") for c in ("red", "green")}
    representation.write(array, tmp_path / "trials.nc")
    again = representation.read(tmp_path / "trials.nc")
    np.testing.assert_array_equal(again.values, array.values)
    np.testing.assert_array_equal(again.cell_type, array.cell_type)


def test_trials_without_the_event_are_counted(tmp_path):
    trials = tasks.load("checkerboard").trials(40, np.random.default_rng(1), catch=0.5, **OPTIONS)
    found = running.run(echo(tmp_path), trials, seed=0)
    array = running.representation_of(found, trials, LABELS)
    missing = int((trials.onset < 0).sum())
    assert 0 < missing < 40
    assert array.attrs["excluded"] == {"presentation": {"without the event": missing}}
    assert array.sizes["presentation"] == 40 - missing
    np.testing.assert_array_equal(array.coords["trial"], np.flatnonzero(trials.onset >= 0))
    # Conditions are not shown equally often: blocks are stretches.
    assert set(array.block.values) == {0, 1, 2, 3}
    none = trials.select(trials.onset < 0)
    with pytest.raises(UserError, match="no trial has the event"):
        running.representation_of(running.run(echo(tmp_path), none, seed=0), none, LABELS)


def test_trials_of_another_task_are_refused(tmp_path):
    network = trained(tmp_path)
    other = tasks.load("flipflop").trials(3, np.random.default_rng(0))
    with pytest.raises(UserError, match="4 and 2"):
        running.run(network, other, seed=0)
    with pytest.raises(UserError, match="dt is 0.01 s"):
        running.run(network, shown(dt=0.01), seed=0)
