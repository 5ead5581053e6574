"""From an entry of the catalogue to a network with its inputs, and to the identity of what it computes."""

import hashlib
import json
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare import datasets, representation
from neurocompare.errors import UserError
from neurocompare.networks import activations, weights
from neurocompare.stimuli import images


def prepared(entry: dict, stimuli: str | Path, files: list[str]) -> tuple[activations.Network, xr.DataArray, dict]:
    """Open a network and prepare images for it.

    Parameters
    ----------
    entry : dict
        ``architecture``, ``options`` and ``preprocessing`` of the network, as in the catalogue.
    stimuli : str or Path
        A file with images.
    files : list of str
        The file of weights, or nothing for an architecture without.

    Returns
    -------
    network : Network
        Ready to run.
    inputs : DataArray of shape (n_stimuli, channels, height, width)
        Prepared images.
    identity : dict of str to str
        Attributes that say what was computed: digests of weights and stimuli, and the preprocessing.

    Raises
    ------
    UserError
        If the stimuli can't be read, or the entry does not fit the architecture.
    """
    shown = datasets.read(stimuli)
    if "image" not in shown:
        raise UserError(f"{stimuli}: variable 'image' is missing; remove the file, to have it made again")
    shown = shown["image"]
    how = entry["preprocessing"]
    inputs = images.prepare(shown, size=how["size"], mode=how["mode"], scale=(how["mean"], how["divisor"]))
    network = activations.open_network(
        entry["architecture"], weights=files[0] if files else None, options=entry.get("options")
    )
    identity = {
        "weights_sha256": weights.sha256(weights.load(files[0])[0]) if files else "none",
        "stimuli_sha256": hashlib.sha256(np.ascontiguousarray(shown.values).tobytes()).hexdigest(),
        "preprocessing": json.dumps(how, sort_keys=True),
        "training": entry["training"],
    }
    return network, inputs, identity


def representation_of(values: np.ndarray, inputs: xr.DataArray, labels: dict[str, str], identity: dict) -> xr.DataArray:
    """Bring the features of a layer into the schema of representations.

    Parameters
    ----------
    values : array of shape (n_stimuli, n_units)
        Activations.
    inputs : DataArray of shape (n_stimuli, channels, height, width)
        What evoked them.
    labels : dict of str to str
        ``network``, ``seed`` and ``layer``.
    identity : dict of str to str
        From `prepared`.

    Returns
    -------
    DataArray of shape (n_stimuli, n_units)
        A representation with one presentation of each stimulus; the layer stands for the area, the
        network for the animal and the seed for the session.
    """
    n, units = values.shape
    conditions = {
        name: coord.values
        for name, coord in inputs.coords.items()
        if coord.dims == ("stimulus",) and name != "stimulus"
    }
    return representation.responses(
        values,
        presentation={
            "stimulus": inputs["stimulus"].values.astype(str),
            "repeat": np.zeros(n, dtype=int),
            "block": np.zeros(n, dtype=int),
        }
        | conditions,
        unit={
            "unit_id": np.array([f"{labels['layer']}-{k:07d}" for k in range(units)]),
            "area": np.full(units, labels["layer"]),
            "animal": np.full(units, labels["network"]),
            "session": np.full(units, f"seed {labels['seed']}"),
        },
        attributes={
            "response": "unit activation",
            "exchangeable": "stimulus",
            "simultaneous": True,
            "source": f"network {labels['network']}",
            "citation": "see config/networks.yaml",
            "license": "see config/networks.yaml",
            "sha256": {"weights": identity["weights_sha256"], "stimuli": identity["stimuli_sha256"]},
            "preprocessing": identity["preprocessing"],
            "code_sha256": identity.get("code_sha256", "none"),
        },
    )
