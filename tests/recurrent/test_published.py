import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from neurocompare import catalogue, tasks
from neurocompare.description.features import Nested
from neurocompare.errors import UserError
from neurocompare.recurrent import definition, published, running, simulation, storage

TASK = {"task": "checkerboard", "options": {"dt": 0.01}}


def defined(units, task=TASK, **cell):
    own = {"kind": "rate", "units": units, "activation": "relu", "time_constant": 0.05, "noise": 0.05} | cell
    return definition.of_entry({"cell": own}, task)


def arrays(dale=True, n=30, seed=0):
    """Weights as the authors order them: excitatory units of all areas, then inhibitory ones."""
    rng = np.random.default_rng(seed)
    if dale:
        area = np.concatenate([np.repeat([0, 1, 2], n * 4 // 15), np.repeat([0, 1, 2], n // 15)])
        sign = np.where(np.arange(n) < n * 4 // 5, 1, -1)
    else:
        area, sign = np.repeat([0, 1, 2], n // 3), np.ones(n)
    recurrent = np.abs(rng.standard_normal((n, n))) * sign if dale else rng.standard_normal((n, n))
    return {
        "Win": np.abs(rng.standard_normal((n, 4))) * (area == 0)[:, None],
        "Wrec": recurrent * (np.abs(area[:, None] - area) < 2) * ~np.eye(n, dtype=bool) / n,
        "Wout": np.abs(rng.standard_normal((2, n))) * ((area == 2) & (sign > 0)),
        "brec": 0.1 * rng.standard_normal(n),
        "bout": np.zeros(2),
        "x0": 0.1 * rng.standard_normal(n),
    }, area


@pytest.mark.parametrize("dale", [True, False])
def test_units_are_put_in_order_and_nothing_else_changes(tmp_path, dale):
    given, area = arrays(dale)
    np.savez(tmp_path / "net.npz", **given)
    found = published.load("kleinman2021", tmp_path / "net.npz", defined(30))
    assert found.area.tolist() == ["area1"] * 10 + ["area2"] * 10 + ["area3"] * 10
    kinds = ["excitatory"] * 8 + ["inhibitory"] * 2 if dale else ["none"] * 10
    assert found.cell_type.tolist() == kinds * 3
    u = np.random.default_rng(1).standard_normal((12, 4)).astype(np.float32)
    own = simulation.simulate(defined(30).cell, found.weights, torch.from_numpy(u[None]), noise=0)
    # The equation of the paper, in the order of the file.
    x, rates, outputs = given["x0"], [], []
    for step in u:
        x = 0.8 * x + 0.2 * (given["Wrec"] @ np.maximum(x, 0) + given["brec"] + given["Win"] @ step)
        rates.append(np.maximum(x, 0))
        outputs.append(given["Wout"] @ rates[-1])
    np.testing.assert_allclose(own.outputs[0], outputs, rtol=1e-4, atol=1e-5)
    for k, name in enumerate(("area1", "area2", "area3")):
        there, here = np.array(rates)[:, area == k], own.rates[0].numpy()[:, found.area == name]
        np.testing.assert_allclose(here, there, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"Wrec": np.zeros((30, 29))}, "'Wrec' has shape"),
        ({"Win": np.zeros((30, 3))}, "'Win' has shape"),
        ({"Win": np.ones((30, 4))}, "chain of three areas"),
        ({"Wrec": np.ones((30, 30))}, "chain of three areas"),
        ({"Wout": np.ones((2, 30))}, "third area"),
        ({"brec": np.full(30, np.nan)}, "'brec'"),
        ({"brec": np.array(["a"] * 30)}, "'brec'"),
        ({"x0": np.array([{}] * 30)}, "not a readable file"),
        ({"x0": None}, "'x0' is missing"),
    ],
)
def test_other_files_are_refused(tmp_path, change, told):
    given = {name: values for name, values in (arrays()[0] | change).items() if values is not None}
    np.savez(tmp_path / "net.npz", **given)
    refused(tmp_path / "net.npz", defined(30), told)


def refused(path, found, told, kind="kleinman2021"):
    with pytest.raises(UserError) as error:
        published.load(kind, path, found)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_absent_or_damaged_are_refused(tmp_path):
    path = tmp_path / "net.npz"
    refused(path, defined(30), "no such file")
    np.savez(path, **arrays()[0])
    whole = path.read_bytes()
    for content in (b"", b"PK", whole[: len(whole) // 2], b"text" * 30):
        path.write_bytes(content)
        refused(path, defined(30), "not a readable file")
    path.write_bytes(whole[:2000] + bytes(200) + whole[2200:])
    refused(path, defined(30), "not a readable file")
    np.save(tmp_path / "one.npy", np.zeros(3))
    refused(tmp_path / "one.npy", defined(30), "not an archive")
    path.write_bytes(whole)
    refused(path, defined(30), "kleinman2021", kind="kleinman")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (defined(31), "units 30, but units of the cell is 31"),
        (defined(30, activation="tanh"), "activation relu"),
        (defined(30, time_constant=0.1), "time_constant 0.05"),
        (defined(30, kind="vanilla"), "kind rate"),
        (defined(30, task={"task": "checkerboard"}), "dt 0.01, but dt of the task is 0.02"),
        (defined(30, task={"task": "flipflop", "options": {"dt": 0.01}}), "inputs 4"),
    ],
)
def test_entries_that_say_something_else_are_refused(tmp_path, found, told):
    np.savez(tmp_path / "net.npz", **arrays()[0])
    refused(tmp_path / "net.npz", found, told)


@pytest.mark.parametrize("name", ["kleinman2021_dale", "kleinman2021_nodale"])
def test_networks_of_the_catalogue_are_the_published_ones(real_data, name):
    top = Path(__file__).resolve().parents[2]
    known = catalogue.load(top / "config", top / "workflow/schemas")
    entry = known.network(name)
    task = {"options": {}} | known.tasks[entry["task"]]
    made = definition.of_entry({"cell": entry["cell"]}, {"task": task["task"], "options": task["options"]})
    assert made.cell.noise == 0.1
    for seed in entry["seeds"]:
        given = entry["weights"]["files"][str(seed)]
        path = real_data / "kleinman2021_networks" / given["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == given["sha256"]
        found = published.load(entry["weights"]["format"], path, made)
        kinds = ["excitatory", "inhibitory"] if name.endswith("_dale") else ["none"]
        assert sorted(set(found.cell_type)) == kinds


def decoded(rates, labels, quarter):
    """Fraction correct of logistic regression, trained on each quarter of the trials and tested on the others."""
    correct = []
    for one in range(4):
        train = quarter == one
        predicted = Nested(rates, [(train, ~train)], rooted=False).scores(labels)[~train].argmax(axis=1)
        correct.append((predicted == labels[~train]).mean())
    return np.mean(correct)


def test_networks_of_kleinman_2021_decide_as_published(real_data, tmp_path):
    """Color fades along areas that all know the direction of the choice.

    As in the paper, decoders see rates from 0.3 s before to 0.1 s after the reaction, and are trained on a quarter of
    the trials; the noise of the networks is twice that of their training. Penalties are chosen in folds of the training
    trials. What comes out is 0.940, 0.955, 0.989 for the direction and 0.906, 0.730, 0.522 for the color. Color in the
    second area is the one number that depends on how it is decoded, 0.79 with four fifths of the trials to learn from;
    the paper, with a decoder that is not linear, has 0.735.
    """
    found = defined(300)
    task = tasks.load("checkerboard")
    accuracy, correct = np.zeros((2, 3)), []
    for seed in range(4):
        file = real_data / "kleinman2021_networks" / f"dale_3area_seed{seed}.npz"
        one = published.load("kleinman2021", file, found)
        storage.save(tmp_path / "w.safetensors", one.weights, found, {}, area=one.area, cell_type=one.cell_type)
        network = storage.load(tmp_path / "w.safetensors")
        trials = task.test(np.random.default_rng([1, seed]), repeats=30, dt=0.01)
        run = running.run(network, trials, seed=seed, noise=0.1)
        performance = task.performance(run.outputs, trials)
        reaction = performance["reaction_time"]
        step = trials.onset + np.rint(np.nan_to_num(reaction) / 0.01).astype(int)
        kept = np.flatnonzero(np.isfinite(reaction) & (step + 10 <= trials.length))
        assert len(kept) > 0.9 * len(trials)
        means = np.stack([run.rates[k, step[k] - 30 : step[k] + 10].mean(axis=0) for k in kept]).astype(float)
        direction = (performance["choice"][kept] > 0).astype(int)
        red = (direction == (trials.conditions["configuration"][kept] == "red-right")).astype(int)
        quarter = np.random.default_rng(seed).permutation(len(kept)) * 4 // len(kept)
        for k, name in enumerate(("area1", "area2", "area3")):
            own = means[:, network.area == name]
            accuracy[:, k] += [decoded(own, label, quarter) / 4 for label in (direction, red)]
        correct.append(performance["correct"][kept].mean())
        assert 0.4 < np.median(reaction[kept]) < 0.7
    np.testing.assert_allclose(accuracy, [[0.95, 0.96, 0.99], [0.92, 0.70, 0.54]], atol=0.03)
    assert 0.86 < np.mean(correct) < 0.96
