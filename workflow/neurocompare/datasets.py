"""Intermediate results as NetCDF: whole or absent, and one line if a file is damaged."""

from pathlib import Path

import xarray as xr

from neurocompare.errors import UserError
from neurocompare.files import written


def write(dataset: xr.Dataset, path: str | Path) -> None:
    """Write a dataset, whole or not at all.

    Parameters
    ----------
    dataset : Dataset
        What to write.
    path : str or Path
        The file, ``.nc``.
    """
    with written(path) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf")


def read(path: str | Path) -> xr.Dataset:
    """Read a dataset into memory.

    Parameters
    ----------
    path : str or Path
        A file made by `write`.

    Returns
    -------
    Dataset
        Its content.

    Raises
    ------
    UserError
        If the file is absent or damaged.
    """
    try:
        return xr.load_dataset(path, engine="h5netcdf")
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UserError(f"{path}: not a readable NetCDF file ({error}); remove it, to have it made again") from error
