"""HDF5 files (MATLAB 7.3, NWB, exports), with one clear line when one cannot be used.

MATLAB stores an array with its dimensions reversed: ``FR(condition, unit, time)`` is a dataset of shape
(time, unit, condition).
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from neurocompare.errors import UserError

SLAB = 2**24
"""Bytes that are held at a time while a dataset is streamed."""


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[h5py.File]:
    """Open a file for reading; what HDF5 says of a damaged one, also later, becomes one line.

    Parameters
    ----------
    path : str or Path
        The file.

    Yields
    ------
    h5py.File
        The file, closed at the end of the ``with`` block.

    Raises
    ------
    UserError
        If the file, or a part that is read within the block, is not readable.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable HDF5 file ({why}); remove it and fetch it again") from error


def dataset(group: h5py.Group, name: str, *, ndim: int | None = None) -> h5py.Dataset:
    """Return a dataset, without reading it.

    Parameters
    ----------
    group : h5py.Group
        The file, or a group in it.
    name : str
        The path of the dataset.
    ndim : int, optional
        How many dimensions it has to have.

    Returns
    -------
    h5py.Dataset
        The dataset.

    Raises
    ------
    UserError
        If there is none of this name, or it has other dimensions.
    """
    found = group.get(name)
    if not isinstance(found, h5py.Dataset):
        # The deepest group on the way there tells what is at hand.
        place = group
        for part in name.split("/")[:-1]:
            if not isinstance(place.get(part), h5py.Group):
                break
            place = place[part]
        present = ", ".join(place) or "nothing"
        raise UserError(
            f"{group.file.filename}: dataset '{name}' is missing (present in {place.name}: {present}); another file"
        )
    if ndim is not None and found.ndim != ndim:
        raise UserError(f"{group.file.filename}: '{name}' has shape {found.shape}, not {ndim} dimensions; another file")
    return found


def slabs(
    data: h5py.Dataset, first: int = 0, last: int | None = None, *, size: int = SLAB
) -> Iterator[tuple[int, np.ndarray]]:
    """Read a dataset along its first axis, a few entries at a time.

    Parameters
    ----------
    data : h5py.Dataset of shape (n, …)
        What to read.
    first, last : int
        The entries from `first` to before `last`, by default all.
    size : int
        Bytes to hold at a time.

    Yields
    ------
    start : int
        Number of the first entry.
    part : array of shape (at most n, …)
        The entries.
    """
    last = len(data) if last is None else last
    entry = data.dtype.itemsize * int(np.prod(data.shape[1:], dtype=np.int64))
    count = max(1, size // max(1, entry))
    for start in range(first, last, count):
        yield start, data[start : min(start + count, last)]


def texts(data: h5py.Dataset) -> list[str] | None:
    """Return the texts of a MATLAB cell array of texts, or of one text; None for anything else.

    Parameters
    ----------
    data : h5py.Dataset
        References to arrays of characters, or one such array.

    Returns
    -------
    list of str, or None
        The texts, in MATLAB's order.
    """
    if data.dtype == h5py.ref_dtype:
        parts = [texts(data.file[reference]) for reference in np.asarray(data).ravel()]
        return None if any(part is None for part in parts) else [text for part in parts for text in part]
    if data.attrs.get("MATLAB_class") == b"char":
        return ["".join(map(chr, np.asarray(data).ravel()))]
    return None
