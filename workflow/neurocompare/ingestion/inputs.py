"""Opening the files of a recording, with one clear line when one cannot be used."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError

from neurocompare.errors import UserError

# What scipy's reader raises for files that are cut short, altered or not MATLAB files at all.
_UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    NotImplementedError,
    OverflowError,
    zlib.error,
    MatReadError,
)


def given(files: Mapping[str, Path], name: str) -> Path:
    """Return the path of a file that a loader needs.

    Parameters
    ----------
    files : mapping of str to Path
        The paths by the names of the files in the catalogue.
    name : str
        The name that is needed.

    Returns
    -------
    Path
        Its path.

    Raises
    ------
    UserError
        If the catalogue does not list it, or it does not exist.
    """
    if name not in files:
        raise UserError(
            f"{name}: this recording needs the file, list it under 'files' (listed: {', '.join(files) or 'none'})"
        )
    if not Path(files[name]).is_file():
        raise UserError(f"{files[name]}: no such file; fetch it or put it there by hand")
    return Path(files[name])


def mat(path: str | Path | BinaryIO, *variables: str, name: str | None = None) -> list:
    """Load variables of a MATLAB file of version 7 or older.

    Parameters
    ----------
    path : str, Path or binary file
        The file.
    *variables : str
        The variables.
    name : str, optional
        What messages call the file, by default its path.

    Returns
    -------
    list
        One value per variable: arrays without their dimensions of length 1, structs as objects with one
        attribute per field.

    Raises
    ------
    UserError
        If the file cannot be read or lacks a variable.
    """
    name = str(path) if name is None else name
    try:
        content = scipy.io.loadmat(path, variable_names=variables, struct_as_record=False, squeeze_me=True)
    except _UNREADABLE as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{name}: not a readable MATLAB file ({why}); remove it and fetch it again") from error
    for variable in variables:
        if variable not in content:
            present = ", ".join(found for found, *_ in scipy.io.whosmat(path)) or "none"
            raise UserError(f"{name}: variable '{variable}' is missing (present: {present}); this is another file")
    return [content[variable] for variable in variables]


def fields(struct: object, *names: str, path: str | Path) -> list:
    """Return fields of a MATLAB struct.

    Parameters
    ----------
    struct : object
        A struct as loaded by `mat`.
    *names : str
        The fields.
    path : str or Path
        The file, for the message.

    Returns
    -------
    list
        One value per field.

    Raises
    ------
    UserError
        If a field is missing.
    """
    for name in names:
        if not hasattr(struct, name):
            raise UserError(f"{path}: a struct lacks the field '{name}'; this is another file")
    return [getattr(struct, name) for name in names]


def npy(path: str | Path) -> np.ndarray:
    """Load an array that holds plain numbers; a pickle is refused.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    array
        Its content.

    Raises
    ------
    UserError
        If the file cannot be read, or holds something else.
    """
    try:
        with open(path, "rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable NumPy file ({why}); remove it and fetch it again") from error
    if array.dtype.kind not in "biuf":
        raise UserError(f"{path}: holds values of type {array.dtype} instead of numbers; this is another file")
    return array


def require_finite(values: np.ndarray, path: str | Path, what: str = "values") -> None:
    """Refuse NaN and infinite values where a file is not supposed to have any.

    Parameters
    ----------
    values : array
        What was read.
    path : str or Path
        The file, for the message.
    what : str
        What the values are, such as ``"responses"``.

    Raises
    ------
    UserError
        If there are any; the message tells how many.
    """
    bad = int(np.size(values) - np.isfinite(values).sum())
    if bad:
        raise UserError(f"{path}: {bad} of {np.size(values)} {what} are NaN or infinite; fetch it again, or mend it")
