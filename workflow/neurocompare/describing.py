"""The verb *describe*: measures of one representation, for every region of a recording, or of one network."""

import importlib
import zlib

import numpy as np
import xarray as xr

from neurocompare import representation, tables
from neurocompare.comparison import regions
from neurocompare.errors import UserError
from neurocompare.identifiers import DESCRIPTION_PACKAGES, module_of


def describe(recording: xr.DataArray, description: str, *, name: str) -> tuple[list[dict], xr.Dataset]:
    """Describe a recording.

    Parameters
    ----------
    recording : DataArray
        A representation.
    description : str
        A description id; its first word names the module in ``neurocompare.description``.
    name : str
        The id of the recording: it seeds what is random.

    Returns
    -------
    rows : list of dict
        Rows of a table of descriptions, without the digest of the code.
    details : Dataset
        What figures are drawn from, along ``region``; empty if there is nothing to draw.

    Raises
    ------
    UserError
        If the description does not exist, or the recording lacks what it needs.
    """
    module = importlib.import_module(module_of(description, DESCRIPTION_PACKAGES))
    if representation.gaps(recording) and not getattr(module, "TAKES_GAPS", False):
        raise UserError(
            f"{description}: units of '{name}' lack trials that others have, and it needs all; "
            "describe a pool with a number of 'repeats'"
        )
    parts = [("all", recording)] if getattr(module, "WHOLE_RECORDING", False) else regions(recording)
    rows, details, described = [], [], []
    for region, part in parts:
        found, detail = module.describe(part, description, seed=zlib.crc32(name.encode()))
        animals = np.unique(part.coords["animal"].values.astype(str))
        common = {
            "recording": name,
            "region": region,
            "animal": animals[0] if len(animals) == 1 else "pooled",
            "description": description,
            "data_sha256": tables.combined_sha256(recording.attrs["sha256"]),
        }
        rows += [common | row for row in found]
        if detail is not None:
            details.append(detail)
            described.append(region)
    if not details:
        return rows, xr.Dataset()
    return rows, xr.concat(details, dim=xr.DataArray(described, dims="region", name="region"), join="outer")


def describe_network(trained, trials: xr.DataArray, description: str, *, name: str) -> tuple[list[dict], xr.Dataset]:
    """Describe a recurrent network.

    Parameters
    ----------
    trained : neurocompare.recurrent.storage.Trained
        The network.
    trials : DataArray
        What it does in the trials of its task.
    description : str
        A description id; its first word names the module in ``neurocompare.network_description``.
    name : str
        The id of its trials among recordings: it seeds what is random.

    Returns
    -------
    rows : list of dict
        Rows of a table of descriptions, without the digest of the code; the region is ``all``.
    details : Dataset
        What figures are drawn from.

    Raises
    ------
    UserError
        If the description does not exist, or does not suit the network.
    """
    module = importlib.import_module(module_of(description, DESCRIPTION_PACKAGES))
    found, details = module.describe_network(trained, trials, description, seed=zlib.crc32(name.encode()))
    common = {
        "recording": name,
        "region": "all",
        "animal": str(trials.coords["animal"].values[0]),
        "description": description,
        "data_sha256": tables.combined_sha256(trials.attrs["sha256"]),
    }
    return [common | row for row in found], xr.Dataset() if details is None else details
