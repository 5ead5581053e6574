"""Spike counts whose rates fluctuate from trial to trial: drawing them, and what they tell of a choice.

Given its rate and a factor of mean one that is constant within a trial, a count is Poisson (Goris, Movshon &
Simoncelli 2014, Nat Neurosci 17:858). With a Gamma factor, counts are negative binomial.
"""

import numpy as np

_CHUNK = 64
"""Trials whose rates are held at a time."""


def gamma_factors(variance: float, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw Gamma factors of mean one.

    Parameters
    ----------
    variance : float
        Their variance; 0 for factors of exactly one.
    shape : tuple of int
        Their shape.
    rng : Generator
        The source of randomness.

    Returns
    -------
    array of shape `shape`
        The factors.
    """
    return rng.gamma(1 / variance, variance, shape) if variance else np.ones(shape)


def counts(
    latents: np.ndarray,
    weights: np.ndarray,
    mean_rate: np.ndarray,
    gain: np.ndarray,
    *,
    width: float,
    dispersion: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw spike counts from rates that are weighted sums of latents, cut at zero.

    Parameters
    ----------
    latents : array of shape (n_latents, n_trials, n_bins)
        Latents.
    weights : array of shape (n_latents, n_units)
        Spikes/s per unit of a latent.
    mean_rate : array of shape (n_units,)
        Spikes/s where all latents are zero.
    gain : array of shape (n_trials, n_units)
        Known factors of the rates.
    width : float
        Width of a bin in s.
    dispersion : float
        Variance of the private Gamma factor of a unit in a trial.
    rng : Generator
        The source of randomness.

    Returns
    -------
    drawn : array of uint16 of shape (n_trials, n_bins, n_units)
        Counts.
    expected : array of shape (n_trials, n_units)
        Expected count of a trial given latents and gain.
    silenced : array of shape (n_units,)
        Share of bins with a rate cut to zero.
    """
    _, n, n_bins = latents.shape
    drawn = np.empty((n, n_bins, len(mean_rate)), dtype=np.uint16)
    expected = np.empty((n, len(mean_rate)))
    silenced = np.zeros(len(mean_rate))
    for start in range(0, n, _CHUNK):
        part = slice(start, start + _CHUNK)
        rates = mean_rate + np.tensordot(latents[:, part], weights, (0, 0))
        silenced += (rates <= 0).sum((0, 1)) / (n * n_bins)
        means = np.maximum(rates, 0) * width * gain[part, None]
        expected[part] = means.sum(1)
        drawn[part] = rng.poisson(means * gamma_factors(dispersion, (len(means), 1, len(mean_rate)), rng))
    return drawn, expected, silenced


def choice_probability(expected: np.ndarray, chosen: np.ndarray, dispersion: float) -> np.ndarray:
    """Return how well counts tell two choices apart: the area under the ROC curve that expected counts imply.

    Parameters
    ----------
    expected : array of shape (n_trials, n_units)
        Expected counts.
    chosen : array of bool of shape (n_trials,)
        Trials of the first choice.
    dispersion : float
        Variance of the Gamma factor of mean one that multiplies expected counts; 0 for Poisson counts.

    Returns
    -------
    array of shape (n_units,)
        The probability that a count of the first choice is higher than one of the other, ties counting half;
        NaN if one choice was never made.
    """
    if chosen.all() or not chosen.any():
        return np.full(expected.shape[1], np.nan)
    share = np.stack([chosen / chosen.sum(), ~chosen / (~chosen).sum()])
    # Probabilities of the counts 0, 1, 2, … follow from one another; Poisson is the limit of no dispersion.
    if dispersion:
        mass, odds = (1 + dispersion * expected) ** (-1 / dispersion), expected / (1 + dispersion * expected)
    else:
        mass, odds = np.exp(-expected), expected
    first, other, result, count = 0.0, 0.0, 0.0, 0
    while count == 0 or (other < 1 - 1e-9).any():
        yes, no = share @ mass
        result = result + yes * (other + no / 2)
        first, other = first + yes, other + no
        mass = mass * odds * (1 + dispersion * count) / (count + 1)
        count += 1
    # What is left of the first lies above all of the other.
    return result + (1 - first)
