"""Decoders of an angle from a population, all with one interface.

A decoder is made from training and test responses, ``Decoder(train, test, period)``; its method ``decode`` takes
the angles of the training trials and returns those of the test trials. Whatever does not depend on the angles is
done once, so that labels can be shuffled many times. Means, standard deviations and weights come from training
trials only; units that are constant in them are ignored. Angles are in degrees, with a period of 180
(orientation) or 360 (direction); they may be continuous or a few discrete ones.
"""

from functools import lru_cache

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from neurocompare.errors import unknown

CENTRES = 48
WIDTH = 0.1
UPSAMPLING = 100
HARMONICS = 10
NODES = 32
TRIALS_PER_COEFFICIENT = 4
"""Training trials for each coefficient of a tuning curve; with fewer, it has fewer harmonics."""


def angular_error(predicted: np.ndarray, true: np.ndarray, period: float = 180.0) -> np.ndarray:
    """Return the absolute angular distance.

    Parameters
    ----------
    predicted, true : arrays of shape (...)
        Angles in degrees.
    period : float
        Period of the angle in degrees.

    Returns
    -------
    array of shape (...)
        Degrees, from 0 to half a period.
    """
    difference = np.abs(np.asarray(predicted, dtype=float) - true) % period
    return np.minimum(difference, period - difference)


def signed_error(predicted: np.ndarray, true: np.ndarray, period: float = 180.0) -> np.ndarray:
    """Return the angular difference in degrees, from minus half a period to below half a period."""
    return (np.asarray(predicted, dtype=float) - true + period / 2) % period - period / 2


class VonMises:
    """Linear read-out of von Mises bumps (Stringer et al. 2021, Cell 184:2767).

    48 targets ``exp((cos(θ - θ_k) - 1) / 0.1)``, z-scored over k in each trial, are regressed on the z-scored
    responses with a ridge penalty of `ridge` times the number of training trials. The predicted bump is
    interpolated a hundredfold with a circular Gaussian kernel; its peak is the decoded angle.

    Parameters
    ----------
    train : array of shape (n_train, n_units)
        Responses of training trials.
    test : array of shape (n_test, n_units)
        Trials to decode.
    period : float
        Period of the angle in degrees.
    ridge : float
        Strength of the penalty.
    """

    def __init__(self, train: np.ndarray, test: np.ndarray, period: float, *, ridge: float = 1.0):
        self.period = period
        self._hat = ridge_operator(train, test, ridge)

    def decode(self, angles: np.ndarray) -> np.ndarray:
        """Return the angles (n_test,) in [0, period), given those of the training trials (n_train,)."""
        return peak(self._hat @ bumps(angles, self.period), self.period)


class Independent:
    """Maximum likelihood, all neurons taken as independent (Stringer et al. 2021, Cell 184:2767).

    Each neuron has a tuning curve of 10 harmonics of the angle, fitted by least squares, and Gaussian noise with
    the variance of the residuals. The log-likelihood, summed over neurons, is evaluated at 32 angles and
    interpolated a hundredfold with a circular Gaussian kernel; its peak is the decoded angle.

    Other than in the paper, the number of harmonics is no more than the different angles can tell apart, and than
    `TRIALS_PER_COEFFICIENT` trials for each coefficient allow; the paper's recordings are not affected.

    Parameters
    ----------
    train : array of shape (n_train, n_units)
        Responses of training trials.
    test : array of shape (n_test, n_units)
        Trials to decode.
    period : float
        Period of the angle in degrees.
    """

    def __init__(self, train: np.ndarray, test: np.ndarray, period: float):
        self.period = period
        self._train, self._test = zscored(train, test)

    def decode(self, angles: np.ndarray) -> np.ndarray:
        """Return the angles (n_test,) in [0, period), given those of the training trials (n_train,)."""
        likelihood = self.log_likelihood(angles)
        # The kernel's prior mean is zero; what all nodes share must not count.
        return peak(likelihood - likelihood.mean(1, keepdims=True), self.period)

    def log_likelihood(self, angles: np.ndarray, nodes: np.ndarray | None = None) -> np.ndarray:
        """Return the log-likelihoods of test trials, but for what does not depend on the angle.

        Parameters
        ----------
        angles : array of shape (n_train,)
            Angles of the training trials in degrees.
        nodes : array of shape (n_nodes,), optional
            Angles in degrees at which to evaluate; by default `NODES` of equal spacing.

        Returns
        -------
        array of shape (n_test, n_nodes)
            Sums over neurons of ``-(x - f(θ))² / (2 σ²) + x² / (2 σ²)``.
        """
        angles = np.asarray(angles, dtype=float)
        nodes = np.arange(NODES) * self.period / NODES if nodes is None else nodes
        order = harmonics(angles)
        left, scale, right = np.linalg.svd(fourier(angles, self.period, order), full_matrices=False)
        rank = int((scale > 1e-9 * scale[0]).sum())
        left, scale, right = left[:, :rank], scale[:rank], right[:rank]
        projected = left.T @ self._train
        # Units have a mean of zero and a variance of one, so that the residuals need not be formed.
        residual = len(angles) - (projected**2).sum(0)
        variance = residual / max(len(angles) - rank, 1)
        # A neuron without noise in training would decide alone; a floor far below its variance prevents that.
        precision = 1 / np.maximum(variance, 1e-6)
        curve = (fourier(nodes, self.period, order) @ right.T / scale) @ projected
        return self._test @ (curve * precision).T - 0.5 * (curve**2 @ precision)


class PopulationVector:
    """Sum of the neurons' preferred directions, weighted by their responses (Georgopoulos et al. 1986).

    A cosine is fitted to each neuron, by least squares. Its response, less the baseline of the cosine and in units
    of its standard deviation over training trials, is the length of a vector to the preferred angle; the angle of
    the sum is the decoded angle. It is exact for cosine tuning with preferred angles that cover the circle evenly.

    Parameters
    ----------
    train : array of shape (n_train, n_units)
        Responses of training trials.
    test : array of shape (n_test, n_units)
        Trials to decode.
    period : float
        Period of the angle in degrees.
    """

    def __init__(self, train: np.ndarray, test: np.ndarray, period: float):
        self.period = period
        self._train, self._test = zscored(train, test)

    def decode(self, angles: np.ndarray) -> np.ndarray:
        """Return the angles (n_test,) in [0, period), given those of the training trials (n_train,)."""
        weights = np.linalg.lstsq(fourier(angles, self.period, 1), self._train, rcond=None)[0]
        length = np.hypot(weights[1], weights[2])
        preferred = weights[1:] / np.where(length > 0, length, 1)
        return angle_of((self._test - weights[0]) @ preferred.T, self.period)


DECODERS = {"von-mises": VonMises, "independent": Independent, "population-vector": PopulationVector}
"""The decoders by their names in ids."""


def decoder_named(name: str) -> type:
    """Return a decoder.

    Parameters
    ----------
    name : str
        A key of `DECODERS`.

    Returns
    -------
    type
        The class.

    Raises
    ------
    UserError
        If there is none of that name.
    """
    if name not in DECODERS:
        raise unknown("decoder", name, DECODERS)
    return DECODERS[name]


def zscored(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Z-score units by training trials and leave out those that are constant in them."""
    mean, deviation = train.mean(0), train.std(0)
    varies = deviation > 1e-12 * (1 + np.abs(mean))
    return (train[:, varies] - mean[varies]) / deviation[varies], (test[:, varies] - mean[varies]) / deviation[varies]


def ridge_operator(train: np.ndarray, test: np.ndarray, ridge: float) -> np.ndarray:
    """Return the matrix that turns training targets into ridge predictions of test targets.

    Parameters
    ----------
    train : array of shape (n_train, n_units)
        Responses; they alone give means and standard deviations.
    test : array of shape (n_test, n_units)
        Responses to predict from.
    ridge : float
        The penalty is this times the number of training trials.

    Returns
    -------
    array of shape (n_test, n_train)
        By way of units or of trials, whichever are fewer.
    """
    train, test = zscored(train, test)
    n, p = train.shape
    if p < n:
        return test @ cho_solve(cho_factor(train.T @ train + ridge * n * np.eye(p)), train.T)
    return cho_solve(cho_factor(train @ train.T + ridge * n * np.eye(n)), train @ test.T).T


def bumps(angles: np.ndarray, period: float) -> np.ndarray:
    """Return the z-scored von Mises targets (trial, centre)."""
    phase = 2 * np.pi * (np.asarray(angles)[:, None] / period - np.arange(CENTRES) / CENTRES)
    targets = np.exp((np.cos(phase) - 1) / WIDTH)
    return (targets - targets.mean(1, keepdims=True)) / targets.std(1, keepdims=True)


def peak(curves: np.ndarray, period: float) -> np.ndarray:
    """Return where curves (trial, node) at equally spaced angles are highest, after interpolation."""
    n = curves.shape[1]
    return (curves @ _interpolator(n, UPSAMPLING)).argmax(1) * period / (n * UPSAMPLING)


def quick_peak(curves: np.ndarray, period: float, upsampling: int = 5) -> np.ndarray:
    """Return about the same from fewer points, with a parabola through the highest one and its neighbours."""
    n = curves.shape[1] * upsampling
    fine = curves @ _interpolator(curves.shape[1], upsampling)
    top = fine.argmax(1)
    before, at, after = (fine[np.arange(len(fine)), (top + shift) % n] for shift in (-1, 0, 1))
    curvature = 2 * at - before - after
    shift = np.divide(after - before, 2 * curvature, out=np.zeros(len(fine)), where=curvature > 0)
    return (top + shift) * period / n % period


def harmonics(angles: np.ndarray) -> int:
    """Return the number of harmonics that tuning to these angles of training trials is fitted with."""
    different = len(np.unique(angles))
    coefficients = min(2 * HARMONICS + 1, different, len(angles) // TRIALS_PER_COEFFICIENT)
    return max((coefficients - 1) // 2, 1)


def fourier(angles: np.ndarray, period: float, order: int) -> np.ndarray:
    """Return a constant and the cosines and sines of `order` harmonics, shape (n_angles, 1 + 2 order)."""
    phase = 2 * np.pi * np.asarray(angles, dtype=float)[:, None] / period * np.arange(1, order + 1)
    return np.concatenate([np.ones((len(phase), 1)), np.cos(phase), np.sin(phase)], axis=1)


def unit_vectors(angle: np.ndarray, period: float) -> np.ndarray:
    """Return the cosine and sine (trial, 2) of angles in degrees with a period."""
    phase = 2 * np.pi * angle / period
    return np.column_stack([np.cos(phase), np.sin(phase)])


def angle_of(vectors: np.ndarray, period: float) -> np.ndarray:
    """Return the angles in [0, period) degrees of vectors (trial, 2)."""
    return np.arctan2(vectors[:, 1], vectors[:, 0]) * period / (2 * np.pi) % period


@lru_cache(maxsize=4)
def _interpolator(n: int, upsampling: int) -> np.ndarray:
    """Matrix (node, fine) of interpolation by Gaussian kernels as wide as the spacing of the nodes."""

    def kernel(positions):
        distance = np.abs(positions - np.arange(n)[:, None])
        return np.exp(-(np.minimum(distance, n - distance) ** 2) / 2)

    return np.linalg.solve(kernel(np.arange(n)), kernel(np.arange(n * upsampling) / upsampling))
