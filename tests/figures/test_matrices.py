import numpy as np
import pandas as pd
import xarray as xr

from neurocompare import representation
from neurocompare.figures import matrices
from neurocompare.similarity.arrays import Grams

STIMULI = np.array([f"s{k}" for k in range(8)])


def network(layers, order):
    grams = Grams.of(layers)
    return xr.Dataset(
        {
            "gram": (("layer", "stimulus", "other_stimulus"), grams.gram),
            "row_sum": (("layer", "stimulus"), grams.row_sum),
            "n_units": ("layer", grams.n_units),
        },
        coords={"layer": [f"layer{k}" for k in range(len(layers))], "stimulus": order, "other_stimulus": order},
    )


def correlation_rdm(x):
    rdm = 1 - np.corrcoef(x)
    np.fill_diagonal(rdm, 0)
    return rdm


def test_the_best_layer_is_shown_with_the_stimuli_in_one_order():
    rng = np.random.default_rng(0)
    layers = [rng.standard_normal((8, 5)) for _ in range(3)]
    brain = np.stack([correlation_rdm(rng.standard_normal((8, 6))) for _ in range(3)])
    recording = representation.dissimilarities(
        brain,
        stimulus=STIMULI,
        rdm={"area": ["one", "many", "many"], "animal": ["m", "a", "b"], "session": ["1"] * 3},
        attributes=dict.fromkeys(("source", "citation", "license"), "none")
        | {"distance": "correlation", "exchangeable": "stimulus", "simultaneous": False, "sha256": {}},
    )
    # The network saw the stimuli in another order.
    order = rng.permutation(8)
    grams = {"deep": network([x[order] for x in layers], STIMULI[order])}
    # `selected` and the mean RDM would point to another layer.
    scores = pd.DataFrame(
        [
            ("layer0", "m", 0.1),
            ("layer1", "m", 0.5),
            ("layer2", "m", 0.4),
            ("selected", "m", 0.9),
            ("layer0", "mean RDM", 9),
        ],
        columns=["layer", "animal", "value"],
    ).assign(network="deep", measure="rsa-distance=correlation-compare=spearman")
    stimuli, rdms = matrices.chosen(scores, recording, grams, {"deep": "Deep"})
    position = [list(STIMULI).index(s) for s in stimuli]
    assert list(rdms) == ["one", "many (mean)", "Deep: layer1"]
    for title, expected in (
        ("one", brain[0]),
        ("many (mean)", brain[1:].mean(0)),
        ("Deep: layer1", correlation_rdm(layers[1])),
    ):
        np.testing.assert_allclose(rdms[title], expected[np.ix_(position, position)], atol=1e-12)


def test_responses_of_several_animals_are_one_population_and_the_best_layer_by_a_distance_is_the_nearest():
    rng = np.random.default_rng(1)
    units = {"one": rng.standard_normal((8, 5)), "a": rng.standard_normal((8, 6)), "b": rng.standard_normal((8, 7))}
    values = np.hstack(list(units.values()))
    owner = np.repeat(list(units), [x.shape[1] for x in units.values()])
    recording = representation.responses(
        values,
        presentation={"stimulus": STIMULI, "repeat": np.zeros(8, int), "block": np.zeros(8, int)},
        unit={
            "unit_id": np.array([f"u{k}" for k in range(len(owner))]),
            "area": np.where(owner == "one", "V1", "IT"),
            "animal": owner,
            "session": owner,
        },
        attributes=dict.fromkeys(("source", "citation", "license"), "none")
        | {"response": "firing rate", "exchangeable": "stimulus", "simultaneous": False, "sha256": {}},
        dtype="float64",
    )
    layers = [rng.standard_normal((8, 5)) for _ in range(2)]
    scores = pd.DataFrame([("layer0", "m", 1.2), ("layer1", "m", 0.7)], columns=["layer", "animal", "value"])
    scores = scores.assign(network="deep", measure="procrustes-angular")
    _, rdms = matrices.chosen(scores, recording, {"deep": network(layers, STIMULI)}, {"deep": "Deep"})
    assert list(rdms) == ["V1", "IT (pooled units)", "Deep: layer1"]
    np.testing.assert_allclose(rdms["V1"], correlation_rdm(units["one"]), atol=1e-9)
    np.testing.assert_allclose(rdms["IT (pooled units)"], correlation_rdm(values[:, 5:]), atol=1e-9)


def test_categories_follow_the_order_of_the_stimuli():
    images = xr.DataArray(np.zeros(3), dims="stimulus", coords={"stimulus": ["a", "b", "c"]})
    assert matrices.categories(images, np.array(["c", "a"])).tolist() == ["", ""]
    named = images.assign_coords(category=("stimulus", ["face", "house", "tool"]))
    assert matrices.categories(named, np.array(["c", "a"])).tolist() == ["tool", "face"]
