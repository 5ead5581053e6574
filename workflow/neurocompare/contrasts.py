"""Networks compared with one another, on the same resamples of stimuli.

The score of a network as a whole is that of its layer ``selected`` on held-out stimuli, averaged over
its seeds. All pairs of networks of a study are compared for each recording, region and measure; the
p-values are corrected together (Holm 1979). Stimuli are resampled, seeds are not: the comparison is of
these very instances of an untrained network. Two networks are called separable if the corrected p-value
is below 0.05.
"""

import itertools

import numpy as np
import xarray as xr

from neurocompare.inference import resampling


def contrast(draws: list[xr.Dataset]) -> list[dict]:
    """Compare all pairs of networks.

    Parameters
    ----------
    draws : list of Dataset
        What `neurocompare.comparison.compare` returned for each network, recording and measure.

    Returns
    -------
    list of dict
        Rows of a table of contrasts, without the study and the digest of the code.
    """
    families: dict[tuple[str, str, str], dict[str, xr.Dataset]] = {}
    for dataset in draws:
        for region in dataset["region"].values:
            key = (dataset.attrs["recording"], str(region), dataset.attrs["measure"])
            families.setdefault(key, {})[dataset.attrs["network"]] = dataset.sel(region=region)
    rows = []
    for (recording, region, measure), networks in families.items():
        family = [_pair(networks[a], networks[b]) for a, b in itertools.combinations(networks, 2)]
        corrected = resampling.holm(np.array([pair["p_value"] for pair in family])) if family else []
        for pair, p_holm in zip(family, corrected, strict=True):
            if pair["status"] == "ok" and len(family) * pair.pop("smallest_p") >= 0.05:
                # With so many pairs not even the clearest difference could pass the correction.
                pair["status"] = "too_few_resamples"
            pair.pop("smallest_p", None)
            rows.append(
                {"recording": recording, "region": region, "measure": measure, "p_holm": p_holm}
                | pair
                | {"separable": bool(p_holm < 0.05)}
            )
    return rows


def _pair(first: xr.Dataset, second: xr.Dataset) -> dict:
    # A seed without a score leaves the network without one: the mean of the others is another quantity.
    value, draws = (
        first[name].mean("seed", skipna=False) - second[name].mean("seed", skipna=False) for name in ("value", "draws")
    )
    difference, samples = float(value), draws.values
    common = {
        "network": first.attrs["network"],
        "other_network": second.attrs["network"],
        "difference": difference,
        "n_stimuli": first.attrs["n_stimuli"],
    }
    low, high = resampling.interval(samples)
    common |= {"ci_low": float(low), "ci_high": float(high)}
    if not len(samples):
        return common | {"p_value": 1.0, "status": "too_few_stimuli_to_select"}
    if not np.isfinite(difference):
        return common | {"p_value": 1.0, "status": "undefined"}
    if not np.isfinite(low):
        return common | {"p_value": 1.0, "status": "interval_undefined"}
    p = float(resampling.difference_p_value(samples))
    return common | {"p_value": p, "smallest_p": 2 / (len(samples) + 1), "status": "ok"}
