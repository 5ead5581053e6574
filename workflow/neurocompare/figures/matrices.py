"""What figures of dissimilarities share: which matrices to show, in which order of stimuli."""

import numpy as np
import pandas as pd
import xarray as xr

from neurocompare.comparison import regions, target_of
from neurocompare.figures import scored
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.distances import from_grams


def chosen(
    scores: pd.DataFrame, recording: xr.DataArray, grams: dict[str, xr.Dataset], titles: dict[str, str]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Collect the RDMs of a recording and of the best layer of each network.

    Parameters
    ----------
    scores : DataFrame
        Scores of a study; they name the best layer, averaged over regions and measures, distances turned.
    recording : DataArray
        A representation.
    grams : dict of str to Dataset
        Gram matrices of each network, of one seed.
    titles : dict of str to str
        What to call each network.

    Returns
    -------
    stimuli : array of str of shape (n_stimuli,)
        The order of the stimuli.
    rdms : dict of str to array of shape (n_stimuli, n_stimuli)
        Correlation-distance RDMs by title.
    """
    stimuli = next(iter(grams.values()))["stimulus"].values.astype(str)
    stimuli = stimuli[np.isin(stimuli, recording.coords["stimulus"].values.astype(str))]
    rdms = {}
    for region, part in regions(recording):
        target = target_of(part, stimuli)
        if target.rdms is not None:
            rdms[region + (" (mean)" if target.pooled else "")] = target.rdms[-1]
        else:
            rdms[region + (" (pooled units)" if target.pooled else "")] = from_grams(target.grams[-1:], "correlation")[
                0
            ]
    tested = scores[(scores["layer"] != "selected") & ~scores["animal"].isin(["mean RDM", "pooled"])]
    turned = np.where(tested["measure"].map(scored.lower_is_better), -1, 1)
    tested = tested.assign(value=tested["value"] * turned)
    for network, dataset in grams.items():
        mine = tested[tested["network"] == network]
        layer = mine.groupby("layer")["value"].mean().idxmax()
        picked = dataset.sel(layer=[layer], stimulus=stimuli, other_stimulus=stimuli)
        title = titles[network] if dataset.sizes["layer"] == 1 else f"{titles[network]}: {layer}"
        stack = Grams(picked["gram"].values, picked["row_sum"].values, picked["n_units"].values)
        rdms[title] = from_grams(stack, "correlation")[0]
    return stimuli, rdms


def categories(images: xr.DataArray, stimuli: np.ndarray) -> np.ndarray:
    """Return the category of each stimulus, empty where the images have none.

    Parameters
    ----------
    images : DataArray of shape (n_images, height, width, channels)
        Images with ids along ``stimulus``.
    stimuli : array of str of shape (n_stimuli,)
        The order of the stimuli.

    Returns
    -------
    array of str of shape (n_stimuli,)
        Categories.
    """
    if "category" not in images.coords:
        return np.full(len(stimuli), "")
    return images["category"].sel(stimulus=stimuli).values.astype(str)
