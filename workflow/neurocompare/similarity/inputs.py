"""From what a user has, arrays or DataArrays, to stacks of representations of the same stimuli."""

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.inference import trials as recorded
from neurocompare.similarity.arrays import Grams, checked
from neurocompare.similarity.measure import Measure
from neurocompare.similarity.refusals import pooled_trials
from neurocompare.similarity.trials import Trials


def grams(*given: np.ndarray | xr.DataArray, measure: Measure | None = None) -> list[Grams]:
    """Bring representations into one form, with the same stimuli in the same order.

    Parameters
    ----------
    *given : array of shape (n_stimuli, n_units) or (n_repeats, n_stimuli, n_units), or DataArray
        Representations. Of recordings, DataArrays of the schema, the stimuli that all of them have are
        taken, in the order of their ids; an array has just these stimuli, in this order.
    measure : Measure, optional
        What they are for; it may refuse what the values of a recording are.

    Returns
    -------
    list of Grams
        One stack of one representation for each.

    Raises
    ------
    UserError
        If an array is not finite or has another shape, there are different stimuli, or `measure` refuses.
    """
    recordings = [item for item in given if isinstance(item, xr.DataArray)]
    shared: np.ndarray | None = None
    for array in recordings:
        representation.validate(array)
        if representation.kind(array) == "rdm":
            raise UserError("a published RDM has no responses: compare it in a study, by an rsa measure")
        if measure is not None:
            measure.require_response(str(array.attrs["response"]))
            pooled_trials(measure, array.attrs["simultaneous"], "given")
        seen = np.unique(array.coords["stimulus"].values.astype(str))
        shared = seen if shared is None else np.intersect1d(shared, seen)
    if shared is not None and len(shared) == 0:
        raise UserError("the recordings have no stimulus in common: check their coordinate 'stimulus'")
    found = [_of(item, "xyz"[min(k, 2)], shared) for k, item in enumerate(given)]
    for k, stack in enumerate(found[1:], start=1):
        first, other = found[0].gram.shape[1], stack.gram.shape[1]
        if first != other:
            raise UserError(
                f"x has {first} stimuli and {'xyz'[min(k, 2)]} has {other}; give the same stimuli in the same order "
                "(arrays are (n_stimuli, n_units) or (n_repeats, n_stimuli, n_units))"
            )
    return found


def _of(item: np.ndarray | xr.DataArray, name: str, stimuli: np.ndarray | None) -> Grams:
    if isinstance(item, xr.DataArray):
        return Grams.of_trials([recorded.of_recording(item, stimuli)])
    try:
        array = np.asarray(item)
        if array.dtype.kind == "c":
            raise TypeError("complex numbers")
        array = array.astype(float)
    except (TypeError, ValueError) as error:
        raise UserError(f"{name}: expected real numbers of shape (n_stimuli, n_units); got {error}") from error
    if array.ndim != 3:
        return Grams.of([checked(array, name)])
    if 0 in array.shape:
        raise UserError(f"{name}: empty array of shape {array.shape}")
    for repeat in array:
        checked(repeat, name)
    return Grams.of_trials([Trials.of_repeats(array)])
