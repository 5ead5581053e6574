import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurocompare import recovery, tables
from neurocompare.errors import UserError
from neurocompare.networks.definition import representation_of
from neurocompare.similarity.arrays import Grams
from neurocompare.stimuli.gratings import stimulus_id

ANGLES = np.arange(24) * 7.5
OPTIONS = {"seeds": 3, "neurons": 60, "repeats": 6, "snr": 1.0}


def features(seed):
    return np.random.default_rng(seed).standard_normal((24, 40))


def generator(name, values, orientation=True):
    coords = {"stimulus": [stimulus_id(angle) for angle in ANGLES]}
    if orientation:
        coords["orientation"] = ("stimulus", ANGLES)
    inputs = xr.DataArray(np.zeros((24, 1, 1, 1)), dims=("stimulus", "channel", "y", "x"), coords=coords)
    identity = {"weights_sha256": "none", "stimuli_sha256": "none", "preprocessing": "{}"}
    return representation_of(values, inputs, {"network": name, "seed": "0", "layer": "one"}, identity)


def activations(values):
    grams = Grams.of(values[None])
    names = [stimulus_id(angle) for angle in ANGLES]
    return xr.Dataset(
        {
            "gram": (("layer", "stimulus", "other_stimulus"), grams.gram),
            "row_sum": (("layer", "stimulus"), grams.row_sum),
            "n_units": ("layer", grams.n_units),
        },
        coords={"layer": ["one"], "stimulus": names, "other_stimulus": names, "seed": 0},
    )


@pytest.mark.parametrize(
    "measure",
    [
        "cka-kernel=linear-hsic=song-normalise=cross-half",
        "rsa-distance=correlation-compare=spearman",
        "ridge-folds=5",
        "procrustes-angular",
    ],
)
def test_the_generator_is_found_among_unrelated_networks(measure):
    networks = {"a": features(0), "b": features(1)}
    generators = [generator(name, values) for name, values in networks.items()]
    candidates = {name: recovery.candidate(activations(values), "one", name) for name, values in networks.items()}
    table = pd.DataFrame(recovery.recover(generators, candidates, measure, **OPTIONS))
    assert set(table.columns) | {"recovery", "code_sha256"} == set(tables.RECOVERIES)
    assert len(table) == 2 * 3 * 2
    best = table[table["best"]]
    assert (best["generator"] == best["network"]).all() and len(best) == 6
    assert best["separable"].mean() > 0.5
    assert not table[~table["best"]]["separable"].any()


def test_where_nothing_is_defined_nothing_is_best():
    rows = recovery._ranked({"a": np.full(5, np.nan), "b": np.full(5, np.nan)}, "higher")
    assert [(row["best"], row["separable"], row["status"]) for row in rows] == [(False, False, "undefined")] * 2


def test_an_unknown_layer_and_missing_orientations_are_told():
    with pytest.raises(UserError, match="unknown layer of 'a' 'on'; did you mean one"):
        recovery.candidate(activations(features(0)), "on", "a")
    candidates = {name: recovery.candidate(activations(features(0)), "one", name) for name in "ab"}
    with pytest.raises(UserError, match="generator 'a': its stimuli have no orientation"):
        recovery.recover(
            [generator("a", features(0), orientation=False)], candidates, "cka-kernel=linear-hsic=song", **OPTIONS
        )
