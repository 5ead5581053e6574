"""Trials of a recording as targeted dimensionality reduction takes them: variables, conditions, what may shuffle."""

import dataclasses
import itertools
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neurocompare.description.rows import may_permute_stimuli, may_permute_trials
from neurocompare.dynamics import axis_tests, tdr
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion.presentations import constant_in_blocks

LEVELS = 12
"""A variable with more levels has to be binned."""


@dataclass(frozen=True, eq=False)
class Data:
    """Trials of a recording.

    Attributes
    ----------
    names : tuple of str
        Variables.
    variables : dict of str to array of shape (n_trials,) or (n_trials, n_units)
        Their numbers, −1 and 1 where there are two values.
    interacting : str or None
        The variable whose products with the others are regressors.
    values : array of shape (n_trials, n_times, n_units)
        Responses.
    weights : array of shape (n_trials, n_units) or None
        Numbers of trials; None if all units have all.
    time : array of shape (n_times,)
        Seconds.
    unit_id : array of str of shape (n_units,)
        Units.
    stimulus : array of str of shape (n_trials,)
        Stimuli.
    cell : array of int of shape (n_trials,)
        Combinations of the levels of all variables.
    members : array of bool of shape (n_conditions, n_trials)
        Trials of each condition.
    conditions : dict of str to array of shape (n_conditions,)
        ``evidence``, ``level``, ``correct`` and the values of other variables, as text; empty where they are averaged.
    main : array of bool of shape (n_conditions,)
        Conditions of correct trials; all, if it is not known what is correct.
    peaks : tuple of bool
        Whether the vector of each variable is taken at the peak of its norm.
    block : array of int of shape (n_trials,) or (n_trials, n_units)
        Blocks, perhaps those of each unit.
    permutable : {"trials", "stimuli", "none"}
        What a null may exchange.
    constant : tuple of bool
        Whether each variable never changes within a block.
    pooled : bool
        Whether units were not recorded together.
    left_out : int
        Number of units that were left out.
    """

    names: tuple[str, ...]
    variables: dict[str, np.ndarray]
    interacting: str | None
    values: np.ndarray
    weights: np.ndarray | None
    time: np.ndarray
    unit_id: np.ndarray
    stimulus: np.ndarray
    cell: np.ndarray
    members: np.ndarray
    conditions: dict[str, np.ndarray]
    main: np.ndarray
    peaks: tuple[bool, ...]
    block: np.ndarray
    permutable: str
    constant: tuple[bool, ...]
    pooled: bool
    left_out: int = 0

    def of_units(self, kept: np.ndarray) -> "Data":
        """Return the data of some units; responses are not used any more."""
        return dataclasses.replace(
            self,
            variables={},
            values=self.values[:0],
            weights=None if self.weights is None else self.weights[:, kept],
            unit_id=self.unit_id[kept],
            block=self.block if self.block.ndim == 1 else self.block[:, kept],
            left_out=int((~kept).sum()),
        )

    @property
    def counts(self) -> np.ndarray:
        """Numbers of trials of each condition and unit; one column, if all units have all."""
        if self.weights is None:
            return self.members.sum(1)[:, None]
        return (self.members @ self.weights).round().astype(int)

    @property
    def lacking(self) -> np.ndarray:
        """Whether a unit has no trial of a condition (condition, unit)."""
        return self.counts == 0

    @property
    def fewest(self) -> np.ndarray:
        """Fewest trials that a unit has of each condition."""
        return self.counts.min(1)

    def exchange(self, k: int) -> tuple[bool, np.ndarray | None]:
        """Return what a null of a variable exchanges.

        Parameters
        ----------
        k : int
            The variable.

        Returns
        -------
        constant : bool
            Whether its values are exchanged among blocks.
        group : array of shape (n_trials,) or (n_trials, n_units), or None
            What moves together; None if nothing may, or there is too little to exchange.
        """
        group = np.arange(len(self.cell))
        if self.constant[k]:
            # In a pool that has lost the blocks nothing is left to exchange.
            known = self.permutable != "none" and len(np.unique(self.block)) > 1
            return True, self.block if known else None
        if self.permutable == "none":
            return False, None
        if self.permutable == "stimuli":
            group = np.unique(self.stimulus, return_inverse=True)[1]
        enough = axis_tests.exchangeable(group) >= axis_tests.MINIMUM_GROUPS
        return False, group if enough else None


def of_recording(array: xr.DataArray, options: dict[str, str], description_id: str) -> Data:
    """Read the trials of a recording.

    Parameters
    ----------
    array : DataArray
        Single trials with a time axis.
    options : dict of str to str
        Of the id.
    description_id : str
        What messages begin with.

    Returns
    -------
    Data
        Without trials that lack a variable.

    Raises
    ------
    UserError
        If a variable is unfit, or there are no single trials or no time axis.
    """
    names = tuple(options["on"].split("+"))
    if len(set(names)) < len(names) or "" in names:
        raise UserError(f"{description_id}: name each variable once, joined by +; correct it in the study")
    if "average" in array.attrs:
        raise UserError(f"{description_id} needs single trials; this recording holds averages over them")
    array = _cut(array, options, description_id)
    known = [str(n) for n, c in array.coords.items() if c.dims in (("presentation",), ("presentation", "unit"))]
    known = [name for name in known if not name.startswith("_")]
    for name in names:
        if name not in known:
            raise unknown(f"presentation coordinate of {description_id}", name, known)
    weights = _weights(array)
    there = np.all([_there(array.coords[name].values, weights) for name in names], axis=0)
    if not there.any():
        raise UserError(f"{description_id}: no trial has a value of all of {', '.join(names)}")
    array, weights = array[there], None if weights is None else weights[there]
    levels = {name: _levels(array, name, weights, description_id) for name in names}
    variables = {name: _numbers(array, name, levels[name], description_id) for name in names}
    members, conditions = _conditions(array, levels)
    correct = conditions["correct"]
    block = array.coords["unit_block" if "unit_block" in array.coords else "block"].values
    lost = array.attrs.get("constant_in_blocks", "").split(",")
    permutable = "trials" if may_permute_trials(array) else "stimuli" if may_permute_stimuli(array) else "none"
    simultaneous = bool(array.attrs["simultaneous"])
    index = [np.unique(level, return_inverse=True)[1] for level in levels.values()]
    return Data(
        names=names,
        variables=variables,
        interacting="context" if "context" in names and len(names) > 1 else None,
        values=array.values.astype(float),
        weights=weights,
        time=array.coords["time"].values.astype(float),
        unit_id=array.coords["unit_id"].values.astype(str),
        stimulus=array.coords["stimulus"].values.astype(str),
        cell=np.unique(np.stack(index), axis=1, return_inverse=True)[1].ravel(),
        members=members,
        conditions=conditions,
        main=(correct == "1") if (correct == "1").any() else np.ones(len(correct), dtype=bool),
        peaks=tuple("at" in options or name not in tdr.WINDOWS for name in names),
        block=block,
        permutable=permutable,
        constant=tuple(name in lost or (block.ndim == 1 and constant_in_blocks(levels[name], block)) for name in names),
        pooled=not simultaneous and array.sizes["unit"] > 1,
    )


def windows(data: Data, options: dict[str, str], description_id: str) -> list[tuple[float, float] | None]:
    """Return the window of each variable, None for the peak of its norm.

    Parameters
    ----------
    data : Data
        Trials.
    options : dict of str to str
        Of the id.
    description_id : str
        What messages begin with.

    Returns
    -------
    list of tuple of float, or None
        Seconds.

    Raises
    ------
    UserError
        If a window lies outside the responses.
    """
    found = []
    half = 0.5 * (data.time[1] - data.time[0])
    for name, peak in zip(data.names, data.peaks, strict=True):
        window = None if peak else tdr.WINDOWS[name]
        if window and (window[1] < data.time[0] - half or window[0] > data.time[-1] + half):
            raise UserError(
                f"{description_id}: the window of '{name}', {window[0]:g} to {window[1]:g} s, is not in the responses "
                f"({data.time[0]:g} to {data.time[-1]:g} s); use at=peak"
            )
        found.append(window)
    return found


def _cut(array: xr.DataArray, options, description_id) -> xr.DataArray:
    if "time" not in array.dims:
        raise UserError(f"{description_id} needs responses over time; give the recording a 'bin_width'")
    limits = []
    for name, default in (("start", -np.inf), ("stop", np.inf)):
        try:
            limits.append(float(options.get(name, default)))
        except ValueError:
            raise UserError(f"{description_id}: '{name}' is {options[name]}, not a number of seconds") from None
    time = array.coords["time"].values
    array = array.isel(time=np.flatnonzero((time >= limits[0] - 1e-9) & (time <= limits[1] + 1e-9)))
    if array.sizes["time"] < 2:
        raise UserError(
            f"{description_id}: {array.sizes['time']} bins between 'start' and 'stop'; the responses last from "
            f"{time[0]:g} to {time[-1]:g} s"
        )
    return array


def _weights(array: xr.DataArray) -> np.ndarray | None:
    """Numbers of trials, where they are not all one."""
    if "trials" not in array.coords or array.coords["trials"].dims != ("presentation", "unit"):
        return None
    trials = array.coords["trials"].values.astype(float)
    return None if (trials == 1).all() else trials


def _there(values: np.ndarray, weights) -> np.ndarray:
    """Whether trials have a value, for all units that have the trial."""
    there = np.isfinite(values) if values.dtype.kind == "f" else values.astype(str) != ""
    if there.ndim == 1:
        return there
    return (there | (weights == 0)).all(1) if weights is not None else there.all(1)


def _levels(array: xr.DataArray, name: str, weights, description_id) -> np.ndarray:
    """Levels of a variable in each trial, the same for all units: its own values, or those of ``<name>_level``."""
    source = f"{name}_level"
    levelled = source in array.coords and array.coords[source].dims == ("presentation",)
    values = array.coords[source if levelled else name].values
    if values.ndim == 2:
        raise UserError(f"{description_id}: '{name}' differs between units; match '{source}' in the pool as well")
    count = len(np.unique(values))
    if count < 2:
        raise UserError(f"{description_id}: coordinate '{name}' has {count} value in these trials; 2 are needed")
    if count > LEVELS:
        raise UserError(
            f"{description_id}: coordinate '{name}' has {count} values, more than {LEVELS}; add a coordinate "
            f"'{source}' that bins them"
        )
    return values


def _numbers(array: xr.DataArray, name: str, levels: np.ndarray, description_id) -> np.ndarray:
    values = array.coords[name].values
    if values.ndim == 1 and len(np.unique(values)) == 2:
        return 2.0 * np.unique(values, return_inverse=True)[1] - 1
    if values.dtype.kind not in "fiu":
        count = len(np.unique(levels))
        raise UserError(
            f"{description_id}: coordinate '{name}' has {count} values that are no numbers; two may be words"
        )
    return values.astype(float)


def _conditions(array: xr.DataArray, levels: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Trials of the conditions, and what conditions are."""
    text = {name: _text(values) for name, values in levels.items()}
    evidence = [name for name, values in levels.items() if len(np.unique(values)) > 2]
    others = {name: values for name, values in text.items() if name not in evidence}
    known = "correct" in array.coords and array.coords["correct"].dims == ("presentation",)
    others["correct"] = _text(array.coords["correct"].values) if known else np.full(array.sizes["presentation"], "")
    members, found = [], []
    for name in evidence or [""]:
        columns = {"level": text[name]} | others if name else others
        kinds = [list(dict.fromkeys(sorted(column, key=_order))) for column in columns.values()]
        for combination in itertools.product(*kinds):
            kind = dict(zip(columns, combination, strict=True))
            trials = np.all([columns[key] == value for key, value in kind.items()], axis=0)
            # What was neither right nor wrong belongs to no condition.
            if trials.any() and kind["correct"] != "nan":
                members.append(trials)
                found.append({"evidence": name, "level": ""} | kind)
    return np.array(members), {key: np.array([each[key] for each in found]) for key in found[0]}


def _text(values: np.ndarray) -> np.ndarray:
    numeric = values.dtype.kind in "fiub"
    return np.array([f"{float(value):.12g}" if numeric else str(value) for value in values])


def _order(text: str) -> tuple:
    try:
        return (0, float(text), "")
    except ValueError:
        return (1, 0.0, text)
