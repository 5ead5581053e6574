"""What the statistics do not support is refused, in one line that says what to use instead."""

import numpy as np

from neurocompare.errors import UserError
from neurocompare.identifiers import parse

FITTED = ("zscore", "soft")
"""Normalisations of units that look at all stimuli."""


def fitted_outside_folds(measure: str, options: dict[str, str], responses: str | None) -> None:
    """Refuse a normalisation that has seen the stimuli which a measure holds out.

    Parameters
    ----------
    measure : str
        The id.
    options : dict
        The options of the measure itself.
    responses : str or None
        The normalisation.

    Raises
    ------
    UserError
        If the measure has folds over stimuli, and the normalisation is fitted to all of them.
    """
    if "folds" in options and responses in FITTED:
        raise UserError(
            f"measure '{measure}': responses={responses} would be fitted to stimuli that the folds hold out; use "
            "responses=sqrt, which is not fitted, or leave it out (each fold centres and scales by itself)"
        )


def folds_of_stimuli(measure, n_groups: int, n_stimuli: int, name: str) -> None:
    """Refuse folds over stimuli where only whole groups of them, such as blocks, may be exchanged.

    Parameters
    ----------
    measure : Measure
        The measure.
    n_groups, n_stimuli : int
        How many things may change places, and how many stimuli there are.
    name : str
        What to call the recording.

    Raises
    ------
    UserError
        If stimuli of one group would be on both sides of a fold: what neighbours in time share, without any relation
        between features and responses, scores nearly as high as a true model then.
    """
    if "folds" in parse(measure.name)[1] and n_groups < n_stimuli:
        raise UserError(
            f"measure '{measure.name}' holds out single stimuli, but '{name}' exchanges whole blocks or conditions of "
            "them only, which its folds would split; use a measure without folds, such as cka-kernel=linear-hsic=song"
        )


def pooled_trials(measure, simultaneous: bool, name: str) -> None:
    """Refuse a measure of noise that units share on units that were not recorded together.

    Parameters
    ----------
    measure : Measure
        The measure; its attribute ``instead`` says what needs no shared noise, if it needs any.
    simultaneous : bool
        Whether units were recorded together.
    name : str
        The id of the recording.

    Raises
    ------
    UserError
        If the noise correlations of a pseudo-population would be used.
    """
    if measure.instead and not simultaneous:
        raise UserError(
            f"measure '{measure.name}' uses noise correlations, but the units of recording '{name}' were not recorded "
            f"together (simultaneous=false); use {measure.instead}"
        )


def without_null(measure, n_permutations: int) -> None:
    """Refuse a measure on which unrelated representations do not score zero, if there is no null beside it.

    Parameters
    ----------
    measure : Measure
        The measure.
    n_permutations : int
        Shuffles that were asked for.

    Raises
    ------
    UserError
        If such a score would stand alone.
    """
    if n_permutations == 0 and not measure.info["unbiased"]:
        raise UserError(
            f"measure '{measure.name}': unrelated representations do not score zero on it, so it is not reported "
            "without its null; ask for permutations, or use cka-kernel=linear-hsic=song"
        )


def against_zero(measure) -> None:
    """Refuse to test against zero what is not zero for unrelated representations, such as squared statistics.

    Parameters
    ----------
    measure : Measure
        The measure.

    Raises
    ------
    UserError
        If zero is not what is expected by chance.
    """
    if not measure.info["unbiased"]:
        raise UserError(
            f"measure '{measure.name}': its expected score by chance is not zero, and a test against zero would find "
            "every representation significant; use its p_value, from shuffled stimuli"
        )


def split_blocks(folds: np.ndarray, block: np.ndarray) -> None:
    """Refuse folds of a cross-validation that put trials of one block on both sides.

    Parameters
    ----------
    folds : array of int of shape (n_trials,)
        The fold of each trial.
    block : array of int of shape (n_trials,)
        Its block.

    Raises
    ------
    UserError
        Naming the first block that is split.
    """
    for label in np.unique(block):
        if len(np.unique(folds[block == label])) > 1:
            raise UserError(
                f"folds split block {label}: trials of a block share slow fluctuations, which would pass for signal; "
                "take Trials.folds(), or folds made of whole blocks"
            )
