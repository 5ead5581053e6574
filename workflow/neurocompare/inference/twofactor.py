"""Intervals of scores for new stimuli, or for new stimuli and new animals at once.

A score was measured with some of the possible stimuli in some of the possible animals. Resampling both at
once counts what is noise of a single animal with a single stimulus three times, and resampling one of them
forgets the other. Schütt et al. 2023 (eLife 12:e82566) therefore combine three variances of the mean score,

    V = 2 (V_stimuli + V_animals) − V_both,

bounded by the greater of V_stimuli and V_animals from below and by V_both from above. All three come from
one set of draws over stimuli, the same for all animals: the variance from drawing animals has a closed
form, so that no animal is resampled and nothing is scored again. Resampling makes a variance too small by
(n − 1) / n for a factor with n levels, stimuli and animals alike, and V_both by a product of both where it
exceeds their sum; each is corrected before they are combined, so that for an additive model V is unbiased.

Scores that compare stimuli in pairs vary over stimuli in two ways: by what single stimuli do (V₁) and by what
only pairs do (V₂), the noise of trials in particular. Draws of stimuli count the second three times, and
intervals from them cover 99 % and more with 20 stimuli. Leaving out one stimulus at a time, the jackknife,
counts it twice (Efron & Stein 1981, Ann. Statist. 9:586), and tells how a draw would score if stimuli acted
one by one; what draws deviate from that has the variance V₂. Where scores with each stimulus left out are known,
the jackknife's variance less that of the deviations is taken, V₁ + V₂, but at least half of the jackknife's, as
V₁ is not negative; otherwise that of the draws, which is cautious.

With S, A and I for V_stimuli, V_animals and V_both − V_stimuli − V_animals, V = S + A − I is a sum of
mean squares as in an analysis of variance, and has degrees of freedom after Satterthwaite (1946, Biometrics
Bull. 2:110). Intervals and p-values are those of Student's t.

One animal supports a claim about stimuli only. With two to four animals the interval is given and flagged. Their
variance is small by chance too often then for Satterthwaite's approximation, which has its degrees of freedom from
the same chance; the critical value is a mean of those of both factors instead, weighted by their shares of V, which
is cautious (Cochran & Cox 1957, Experimental Designs).
"""

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtridf, stdtrit

from neurocompare.errors import UserError
from neurocompare.inference.resampling import Plan

FEW_ANIMALS = 5
"""With fewer the variance between animals is too uncertain for intervals to cover as often as they say."""

MOST_REST = 10.0
"""Up to this ratio of the second-order variance of draws to the jackknife's variance they are taken together. What
pairs of stimuli do, without any influence of single ones, is mostly below; evenly spaced stimuli are far above."""

LEAST_DEGREES = 2.0
"""A variance from draws is never as uncertain as that of two differences."""

LEAST_DEFINED = 0.5
"""Share of the draws that has to be defined."""


class Variances(NamedTuple):
    """Variances of a score averaged over animals, corrected for the numbers of stimuli and animals.

    Attributes
    ----------
    stimuli : array of shape (...)
        For other stimuli in the same animals.
    animals : array of shape (...)
        For the same stimuli in other animals; zero for a single animal.
    interaction : array of shape (...)
        What resampling both at once adds to these two; zero for a single animal.
    degrees : array of shape (...)
        Degrees of freedom of `stimuli`.
    interaction_degrees : array of shape (...)
        Of `interaction`.
    """

    stimuli: np.ndarray
    animals: np.ndarray
    interaction: np.ndarray
    degrees: np.ndarray
    interaction_degrees: np.ndarray


@dataclass(frozen=True, eq=False)
class Estimate:
    """A score, or a difference of scores, with its uncertainty.

    Attributes
    ----------
    value : array of shape (...)
        Mean over animals.
    standard_error : array of shape (...)
        Its standard error; NaN where fewer than half of the draws are defined.
    degrees_of_freedom : array of shape (...)
        Of the standard error.
    low, high : arrays of shape (...)
        The interval.
    p_value : array of shape (...)
        Two-sided, of a difference from zero.
    claim : {"stimuli", "stimuli and animals"}
        What the interval generalises to.
    flag : {"", "one_animal", "few_animals"}
        Why the claim is limited or doubtful.
    """

    value: np.ndarray
    standard_error: np.ndarray
    degrees_of_freedom: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_value: np.ndarray
    claim: str
    flag: str


def correction(n: int, scheme: str = "bootstrap") -> float:
    """Return the factor by which the variance of draws is too small.

    Parameters
    ----------
    n : int
        Number of stimuli, or of groups of them that are drawn together.
    scheme : {"bootstrap", "halves"}
        Whether all n were drawn with replacement, or ⌊n / 2⌋ without.

    Returns
    -------
    float
        n / (n − 1) for the bootstrap; for halves one, or a little less if n is odd.

    Raises
    ------
    UserError
        If there is no such scheme, or there are fewer than two stimuli.
    """
    if n < 2:
        raise UserError(f"{n} stimulus has no variance; an interval needs at least two")
    if scheme not in ("bootstrap", "halves"):
        raise UserError(f"unknown scheme of draws '{scheme}'; use bootstrap or halves")
    return n / (n - 1) if scheme == "bootstrap" else (n // 2) / (n - n // 2)


def options(plan: Plan, scheme: str, left_out: np.ndarray | None = None, n_draws: int | None = None) -> dict:
    """Return the options of `estimate` that belong to the draws of a plan.

    Parameters
    ----------
    plan : resampling.Plan
        What was drawn.
    scheme : {"bootstrap", "halves"}
        Which of its draws were scored.
    left_out : array of shape (n_stimuli, n_animals, ...), optional
        Scores with each stimulus left out once.
    n_draws : int, optional
        How many of the draws were scored; all by default.

    Returns
    -------
    dict
        ``scheme``, and ``left_out`` and ``weights`` where scores without each stimulus are known and stimuli are
        what was drawn: stimuli that are drawn together are not independent, and have to be left out together.
    """
    n = plan.weights.shape[1]
    if left_out is None or plan.n_groups != n:
        return {"scheme": scheme}
    weights = plan.weights
    if scheme == "halves":
        weights = np.zeros((len(plan.subsets), n))
        np.put_along_axis(weights, plan.subsets, 1, axis=1)
    return {"scheme": scheme, "left_out": left_out, "weights": weights[:n_draws]}


def variances(
    values: np.ndarray,
    draws: np.ndarray,
    n_stimuli: int,
    scheme: str = "bootstrap",
    left_out: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> Variances:
    """Take the variance of the mean over animals apart.

    Parameters
    ----------
    values : array of shape (n_animals, ...)
        Scores.
    draws : array of shape (n_draws, n_animals, ...)
        Scores in draws of the stimuli, each the same for all animals; undefined ones are left out.
    n_stimuli : int
        Number of stimuli, or of groups of them that are drawn together.
    scheme : {"bootstrap", "halves"}
        How they were drawn; see `correction`.
    left_out : array of shape (n_stimuli, n_animals, ...), optional
        Scores with each stimulus, or group of them, left out once.
    weights : array of shape (n_draws, n_stimuli), optional
        How often each stimulus, or group of them, is in each draw: needed with `left_out`.

    Returns
    -------
    Variances
        Of shape (...); NaN where fewer than half of the draws are defined.
    """
    values, draws = np.asarray(values, dtype=float), np.asarray(draws, dtype=float)
    if draws.shape[1:] != values.shape:
        raise UserError(f"scores have shape {values.shape} and their draws {draws.shape}; give (n_draws, *scores)")
    animals = len(values)
    if left_out is not None:
        _check_left_out(np.shape(left_out), np.shape(weights), (n_stimuli, *values.shape), len(draws))

    def over_stimuli(part) -> _Square:
        without = None if left_out is None else part(np.asarray(left_out, dtype=float))
        return _over_stimuli(part(draws), without, weights, correction(n_stimuli, scheme), n_stimuli)

    mean = over_stimuli(lambda scores: scores.mean(1))
    if animals == 1:
        nothing = np.zeros_like(mean.variance)
        return Variances(mean.variance, nothing, nothing, mean.degrees(), mean.degrees())
    single = [over_stimuli(lambda scores, a=a: scores[:, a] - scores.mean(1)) for a in range(animals)]
    # Deviations from the mean of all animals are independent in all animals but one.
    together = _Square(
        sum(one.variance for one in single), sum(one.uncertainty for one in single) * animals / (animals - 1)
    )
    interaction = together.variance / (animals * (animals - 1))
    between = values.var(0, ddof=1) / animals
    return Variances(mean.variance, between, interaction, mean.degrees(), together.degrees())


def estimate(
    values: np.ndarray,
    draws: np.ndarray,
    n_stimuli: int,
    *,
    scheme: str = "bootstrap",
    left_out: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    animals: bool = True,
    level: float = 0.95,
) -> Estimate:
    """Estimate a score, or a difference of scores, with its interval.

    Parameters
    ----------
    values : array of shape (n_animals, ...)
        Scores, or differences of scores.
    draws : array of shape (n_draws, n_animals, ...)
        The same in draws of the stimuli, each the same for all animals.
    n_stimuli : int
        Number of stimuli, or of groups of them that are drawn together.
    scheme : {"bootstrap", "halves"}
        How they were drawn; see `correction`.
    left_out : array of shape (n_stimuli, n_animals, ...), optional
        The same with each stimulus, or group of them, left out once.
    weights : array of shape (n_draws, n_stimuli), optional
        How often each stimulus, or group of them, is in each draw: needed with `left_out`.
    animals : bool
        Whether to generalise to other animals as well, where there are several.
    level : float
        Coverage of the interval.

    Returns
    -------
    Estimate
        Of the mean over animals.

    Raises
    ------
    UserError
        If values and draws do not match, or there are fewer than two stimuli.
    """
    parts = variances(values, draws, n_stimuli, scheme, left_out, weights)
    count = len(values)
    both = animals and count > 1
    variance, degrees = _combined(parts, count) if both else (parts.stimuli, parts.degrees)
    value, error = np.mean(values, axis=0), np.sqrt(variance)
    reach = stdtrit(degrees, (1 + level) / 2) * error
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * stdtr(degrees, -np.abs(value) / error)
    # Models that never differ, in no draw and no animal, are equal: 0/0 would leave that open.
    p_value = np.where((value == 0) & (error == 0), 1.0, p_value)
    flag = "few_animals" if both and count < FEW_ANIMALS else "one_animal" if count == 1 else ""
    claim = "stimuli and animals" if both else "stimuli"
    return Estimate(value, error, degrees, value - reach, value + reach, p_value, claim, flag)


def pairs(
    values: np.ndarray, draws: np.ndarray, n_stimuli: int, *, left_out: np.ndarray | None = None, **options
) -> tuple[list[tuple[int, int]], Estimate | None]:
    """Compare all pairs of candidates, each in the same draws and the same animals.

    Parameters
    ----------
    values : array of shape (n_animals, n_candidates)
        Scores.
    draws : array of shape (n_draws, n_animals, n_candidates)
        Scores in draws of the stimuli.
    n_stimuli : int
        Number of stimuli, or of groups of them that are drawn together.
    left_out : array of shape (n_stimuli, n_animals, n_candidates), optional
        Scores with each stimulus left out once.
    **options
        Further arguments of `estimate`.

    Returns
    -------
    indices : list of tuple of int
        First and second candidate of each pair.
    differences : Estimate or None
        First minus second, of shape (n_pairs,); None for a single candidate.
    """
    indices = list(itertools.combinations(range(np.shape(values)[1]), 2))
    if not indices:
        return [], None
    first, second = (list(side) for side in zip(*indices, strict=True))

    def differences(scores) -> np.ndarray:
        scores = np.asarray(scores, dtype=float)
        return scores[..., first] - scores[..., second]

    without = None if left_out is None else differences(left_out)
    return indices, estimate(differences(values), differences(draws), n_stimuli, left_out=without, **options)


def _combined(parts: Variances, animals: int) -> tuple[np.ndarray, np.ndarray]:
    """V = S + A − I within its bounds, and Satterthwaite's degrees of freedom."""
    variance = parts.stimuli + parts.animals - parts.interaction
    # I is not negative, so that the upper bound, S + A + I, holds by itself.
    variance = np.maximum(variance, np.maximum(parts.stimuli, parts.animals))
    if animals < FEW_ANIMALS:
        return variance, _cochran(parts, variance, animals)
    squares = [parts.stimuli**2 / parts.degrees, parts.animals**2 / (animals - 1)]
    degrees = _ratio(variance**2, sum(squares) + parts.interaction**2 / parts.interaction_degrees)
    # No sum of mean squares knows less than the least certain of them.
    return variance, np.maximum(degrees, np.minimum(parts.degrees, animals - 1))


def _cochran(parts: Variances, variance: np.ndarray, animals: int) -> np.ndarray:
    """Degrees of freedom with which Student's t has the critical value of Cochran and Cox at 5 %."""
    share = _ratio(parts.animals, variance)
    of_stimuli, of_animals = (stdtrit(degrees, 0.975) for degrees in (parts.degrees, animals - 1))
    return stdtridf(0.975, share * of_animals + (1 - share) * of_stimuli)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide; one where the denominator is zero, as where nothing varies."""
    return np.where(denominator == 0, 1.0, numerator / np.where(denominator == 0, 1, denominator))


def _variance(draws: np.ndarray) -> np.ndarray:
    """Variance over the draws that are defined; NaN where fewer than half of them are."""
    defined = np.isfinite(draws)
    count = defined.sum(0)
    safe = np.where(defined, draws, 0)
    mean = safe.sum(0) / np.maximum(count, 1)
    square = np.where(defined, (safe - mean) ** 2, 0).sum(0) / np.maximum(count - 1, 1)
    return np.where((count >= 2) & (count >= LEAST_DEFINED * len(draws)), square, np.nan)


def _check_left_out(shape: tuple, weights: tuple, expected: tuple, n_draws: int) -> None:
    if shape != expected:
        raise UserError(f"scores without one stimulus have shape {shape}; leave out each once, as {expected}")
    if weights != (n_draws, expected[0]):
        raise UserError(f"weights of stimuli in the draws have shape {weights}; give {(n_draws, expected[0])}")


class _Square(NamedTuple):
    """A variance over stimuli, and half of its own variance: the sum of squares over degrees of freedom."""

    variance: np.ndarray
    uncertainty: np.ndarray

    def degrees(self) -> np.ndarray:
        """Degrees of freedom after Satterthwaite."""
        return np.maximum(_ratio(self.variance**2, self.uncertainty), LEAST_DEGREES)


def _over_stimuli(
    draws: np.ndarray, left_out: np.ndarray | None, weights: np.ndarray | None, factor: float, n: int
) -> _Square:
    """Variance over stimuli, from draws and, where they are known, from scores without one stimulus each."""
    drawn = factor * _variance(draws)
    n_draws = np.maximum(np.isfinite(draws).sum(0), 2)
    # Draws are finite in number as well, and their variance is a little uncertain for that reason too.
    known_from_draws = _Square(drawn, drawn**2 * (1 / (n - 1) + 1 / (n_draws - 1)))
    if left_out is None:
        return known_from_draws
    influence = (n - 1) / n * (left_out.mean(0) - left_out)
    jackknife = n / (n - 1) * (influence**2).sum(0)
    share = np.asarray(weights, dtype=float)
    share = share * (n / share.sum(1, keepdims=True)) - 1
    rest = factor * _variance(draws - np.tensordot(share, influence, axes=1))
    variance = np.maximum(jackknife - rest, jackknife / 2)
    # A few stimuli with great influence leave fewer degrees of freedom than n − 1, by the kurtosis of influences.
    kurtosis = _ratio(n * (influence**4).sum(0), (influence**2).sum(0) ** 2)
    degrees = (n - 1) * np.minimum(2 / np.maximum(kurtosis - 1, 1e-9), 1)
    # The jackknife is the sum of variance and rest. If these vary independently, each in proportion to its size,
    # the variance has its share of the jackknife's degrees of freedom.
    uncertainty = variance * jackknife / degrees + rest**2 / (n_draws - 1)
    # A measure may be void for one stimulus less, and still be defined in most draws.
    known = np.isfinite(jackknife) & np.isfinite(rest)
    # Where all stimuli have the same influence, as evenly spaced gratings have, what deviates from it is all there is:
    # nothing is left to correct the draws by.
    known &= rest <= MOST_REST * jackknife
    return _Square(*(np.where(known, *pair) for pair in zip((variance, uncertainty), known_from_draws, strict=True)))
