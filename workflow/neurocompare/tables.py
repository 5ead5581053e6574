"""The tidy tables that every score leaves in, with the same columns everywhere."""

import hashlib
import json
from pathlib import Path

import pandas as pd
import xarray as xr

from neurocompare.errors import UserError
from neurocompare.files import written

SCORES = [
    "recording",
    "region",
    "time",
    "animal",
    "network",
    "seed",
    "layer",
    "measure",
    "value",
    "ceiling_low",
    "ceiling_high",
    "ceiling_kind",
    "ceiling_chronological",
    "inter_animal",
    "null_mean",
    "null_high",
    "ci_low",
    "ci_high",
    "claim",
    "p_value",
    "dimensionality",
    "target_dimensionality",
    "influence",
    "influential_stimulus",
    "n_stimuli",
    "n_animals",
    "n_units",
    "n_features",
    "n_trials",
    "data_sha256",
    "weights_sha256",
    "code_sha256",
    "status",
]
"""Columns of a table of scores; ``study`` is put before them when a study gathers them."""

DESCRIPTIONS = [
    "recording",
    "region",
    "animal",
    "description",
    "quantity",
    "condition",
    "value",
    "unit",
    "ceiling_low",
    "ceiling_high",
    "null_mean",
    "null_high",
    "ci_low",
    "ci_high",
    "p_value",
    "n_null",
    "n_stimuli",
    "n_units",
    "n_trials",
    "data_sha256",
    "code_sha256",
    "status",
]

CONTRASTS = [
    "recording",
    "region",
    "measure",
    "network",
    "layer",
    "other_network",
    "other_layer",
    "difference",
    "ci_low",
    "ci_high",
    "claim",
    "p_value",
    "p_holm",
    "q_value",
    "separable",
    "n_stimuli",
    "n_animals",
    "code_sha256",
    "status",
]

MULTIVERSE = [
    "recording",
    "region",
    "measure",
    "network",
    "other_network",
    "choices",
    "difference",
    "ci_low",
    "ci_high",
    "claim",
    "p_value",
    "p_holm",
    "separable",
    "survives",
    "n_stimuli",
    "n_animals",
    "code_sha256",
    "status",
]

WARNINGS = [
    "warning",
    "recording",
    "region",
    "measure",
    "n_rows",
    "n_all",
    "detail",
    "advice",
    "code_sha256",
]

SIZES = [
    "recording",
    "region",
    "animal",
    "network",
    "seed",
    "layer",
    "measure",
    "axis",
    "size",
    "value",
    "sd",
    "low",
    "high",
    "ceiling_low",
    "ceiling_high",
    "ceiling_kind",
    "target_dimensionality",
    "best",
    "n_subsets",
    "n_stimuli",
    "n_units",
    "data_sha256",
    "weights_sha256",
    "code_sha256",
    "status",
]
"""Columns of a table of scores on subsets of the units and of the stimuli (`neurocompare.sizes`)."""

CURVES = [
    "network",
    "seed",
    "update",
    "stage",
    "rate",
    "loss",
    "penalty",
    "gradient_norm",
    "error",
    "performance",
]
"""Columns of a table of how a recurrent network learnt (`neurocompare.recurrent.learning`)."""

LAGS = [
    "recording",
    "region",
    "network",
    "seed",
    "layer",
    "measure",
    "time",
    "network_time",
    "lag",
    "value",
    "null_mean",
    "null_high",
    "p_value",
    "p_all_times",
    "ceiling_low",
    "ceiling_high",
    "ceiling_kind",
    "n_conditions",
    "n_units",
    "data_sha256",
    "weights_sha256",
    "code_sha256",
    "status",
]
"""Columns of a table of scores at pairs of times (`neurocompare.courses.lags`)."""

RECOVERIES = [
    "recovery",
    "measure",
    "generator",
    "seed",
    "network",
    "layer",
    "value",
    "best",
    "separable",
    "n_stimuli",
    "n_units",
    "n_trials",
    "code_sha256",
    "status",
]

ENCODINGS = [
    "encoding",
    "recording",
    "region",
    "animal",
    "band",
    "kind",
    "quantity",
    "of",
    "condition",
    "value",
    "ceiling_low",
    "ceiling_high",
    "ceiling_kind",
    "null_mean",
    "null_high",
    "ci_low",
    "ci_high",
    "resampled",
    "p_value",
    "n_null",
    "n_stimuli",
    "n_units",
    "n_undefined",
    "n_trials",
    "n_features",
    "data_sha256",
    "weights_sha256",
    "code_sha256",
    "status",
]
"""Columns of a table of encodings (`neurocompare.encoding_rows`), medians over units."""

_TEXT = (
    "study",
    "recording",
    "region",
    "animal",
    "network",
    "other_network",
    "layer",
    "other_layer",
    "measure",
    "description",
    "quantity",
    "condition",
    "unit",
    "ceiling_kind",
    "axis",
    "claim",
    "influential_stimulus",
    "choices",
    "warning",
    "detail",
    "advice",
    "recovery",
    "generator",
    "encoding",
    "band",
    "kind",
    "of",
    "resampled",
    "met",
    "data_sha256",
    "weights_sha256",
    "code_sha256",
    "status",
)
_INTEGERS = ("seed", "n_stimuli", "n_animals", "n_units", "n_features", "n_trials", "n_null", "n_rows", "n_all")
_INTEGERS += ("size", "n_subsets", "n_undefined", "n_conditions", "other_seed", "n_networks", "n_points")
_INTEGERS += ("n_unmatched", "n_met")


def write(rows: list[dict] | pd.DataFrame, columns: list[str], path: str | Path) -> None:
    """Write rows as a tab-separated table, whole or not at all.

    Parameters
    ----------
    rows : list of dict or DataFrame
        The rows; each has exactly the columns.
    columns : list of str
        The columns, in order.
    path : str or Path
        The file.

    Raises
    ------
    UserError
        If a row lacks a column or has one too many.
    """
    for keys in {tuple(rows.columns)} if isinstance(rows, pd.DataFrame) else {tuple(row) for row in rows}:
        odd = sorted(set(keys) ^ set(columns))
        if odd:
            raise UserError(f"{path}: the rows and the columns of the table differ in {', '.join(odd)}")
    table = pd.DataFrame(rows, columns=columns)
    for column in set(_INTEGERS) & set(columns):
        table[column] = table[column].astype("Int64")
    with written(path) as temporary:
        # Twelve digits are more than any score is worth and fewer than the last, unstable ones.
        table.to_csv(temporary, sep="\t", index=False, float_format="%.12g", lineterminator="\n")


def read(path: str | Path) -> pd.DataFrame:
    """Read a table.

    Parameters
    ----------
    path : str or Path
        A file that `write` made.

    Returns
    -------
    DataFrame
        Empty cells are NaN in numeric columns and empty strings in the others.

    Raises
    ------
    UserError
        If it is not there.
    """
    if not Path(path).is_file():
        raise UserError(f"{path}: no such table; run the study that makes it")
    # Only an empty cell is a missing value: "NA" and "null" are names like any other.
    table = pd.read_csv(path, sep="\t", dtype=dict.fromkeys(_TEXT, str), keep_default_na=False, na_values=[""])
    text = [column for column in table.columns if column in _TEXT]
    table[text] = table[text].fillna("")
    return table


def declared(recording: xr.DataArray, options: dict, code: str) -> xr.DataArray:
    """Add to a recording what it was made with, beside the files it was made from.

    Parameters
    ----------
    recording : DataArray
        A representation.
    options : dict
        The options of its loader: another window gives other data from the same files.
    code : str
        Digest of the code that made it.

    Returns
    -------
    DataArray
        With the entry ``options`` in the attribute ``sha256``, and the attribute ``code_sha256``.
    """
    checksums = recording.attrs["sha256"] | {"options": combined_sha256(options)}
    return recording.assign_attrs(sha256=checksums, code_sha256=code)


def code_sha256(own: str, *inputs: xr.DataArray | xr.Dataset) -> str:
    """Return the digest of all code and settings that a number depends on.

    Parameters
    ----------
    own : str
        Digest of the code of the last step.
    *inputs : DataArray or Dataset
        What that step read: recordings, features or Gram matrices.

    Returns
    -------
    str
        64 hexadecimal digits; they depend on the code that made each input, and for a network on the
        preparation of its images and the size of its batches.
    """
    names = ("code_sha256", "preprocessing", "batch")
    used = [{name: str(item.attrs[name]) for name in names if name in item.attrs} for item in inputs]
    return combined_sha256({"own": own, "inputs": used})


def combined_sha256(checksums: dict) -> str:
    """Return one checksum for several inputs.

    Parameters
    ----------
    checksums : dict
        From the name of each input to its SHA-256, or anything else that JSON can hold.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256(json.dumps(checksums, sort_keys=True).encode()).hexdigest()


def conditions(table: pd.DataFrame) -> pd.DataFrame:
    """Spread the ``key=value;…`` pairs of the column ``condition`` over columns of their own.

    Parameters
    ----------
    table : DataFrame
        Rows of a table of descriptions.

    Returns
    -------
    DataFrame
        With one more column of strings for each key.
    """
    pairs = [dict(p.split("=", 1) for p in text.split(";") if p) for text in table["condition"]]
    return pd.concat([table, pd.DataFrame(pairs, index=table.index)], axis=1)
