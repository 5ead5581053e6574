"""Stochastic shape distances: of the distributions of single trials, not of their means alone.

Duong et al. 2023 (ICLR, arXiv:2211.11665): for every stimulus, the squared 2-Wasserstein distance of two
Gaussians with the means μ, ν and the covariances Σ, T of the trials,

    ‖μ − Qν‖² + tr Σ + tr T − 2 tr (Σ^½ Q T Qᵀ Σ^½)^½,

averaged over stimuli and minimised over rotations Q of the units, the same for all stimuli. With factors
Σ = AᵀA and T = BᵀB the last trace is the greatest ⟨A, OBQᵀ⟩ over rotations O of the trials. So the distance
is a Procrustes distance with two kinds of rotations, which are fitted in turn.

* ``stochastic-wasserstein`` is the root of that mean, in the unit of the responses. Without noise it is the
  Procrustes size-and-shape distance over √(number of stimuli).
* ``stochastic-angular`` is the angle, blind to a common scale. Without noise: the angular Procrustes distance.
* ``alpha``, from 0 to 2, weighs means by α and covariances by 2 − α.

A representation without trials has no noise. Then only the means can be aligned, the minimum is exact, and
all noise of the other adds to the distance. Between two noisy ones the problem is not convex: the search
rises monotonically from the alignment of the means, from that of the principal axes and from a random
rotation (named seed), and the best end counts. A rotated copy is found in this way, but between unrelated
representations the distance may be about 1 % above the true minimum, which alone fulfils the axioms of a
metric to the letter. Covariances of few trials are noisy themselves: halves of one recording are far apart.
"""

from functools import cached_property

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity import alignment
from neurocompare.similarity.arrays import Grams, declaration, require_stimuli
from neurocompare.similarity.measure import Measure
from neurocompare.similarity.trials import Trials

MEASURES = ("stochastic-wasserstein", "stochastic-angular")

STARTS = 3
"""The alignment of the means, that of the principal axes, and random rotations."""

_SEED = 20230217
_TOLERANCE = 1e-8
_STEPS = 500


class Noisy:
    """A reduced representation: means and factors of the covariances of trials.

    Parameters
    ----------
    coordinates : array of shape (n_stimuli, n_coordinates)
        With the Gram matrix of the centred means.
    means : array of shape (n_stimuli, n_units), optional
        Centred means, if there is noise.
    factors : array of shape (n_stimuli, n_factors, n_units), optional
        Aᵢ with the covariances AᵢᵀAᵢ.
    """

    def __init__(self, coordinates: np.ndarray, means: np.ndarray | None = None, factors: np.ndarray | None = None):
        self.coordinates, self.means, self.factors = coordinates, means, factors
        self.noise = 0.0 if factors is None else float(np.sum(factors**2))

    @cached_property
    def joint(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and factors in the principal axes of both together, which do not depend on the axes of the units.

        Returns
        -------
        means : array of shape (n_stimuli, rank)
            The sum of cubes along each axis is positive, which fixes the sign.
        factors : array of shape (n_stimuli, n_factors, rank)
            In the same axes.
        """
        rows = np.vstack([self.means, self.factors.reshape(-1, self.means.shape[1])])
        if rows.shape[1] <= len(rows):
            values, vectors = np.linalg.eigh(rows.T @ rows)
            turned = rows @ vectors
        else:
            values, vectors = np.linalg.eigh(rows @ rows.T)
            turned = vectors * np.sqrt(np.maximum(values, 0))
        turned = turned[:, values > len(values) * np.finfo(float).eps * values[-1]]
        n, count, _ = self.factors.shape
        turned = turned * np.where(np.sum(turned[:n] ** 3, axis=0) < 0, -1, 1)
        return turned[:n], turned[n:].reshape(n, count, turned.shape[1])

    def permuted(self, order: np.ndarray) -> "Noisy":
        """Reorder the stimuli.

        Parameters
        ----------
        order : array of int of shape (n_stimuli,)
            A permutation.

        Returns
        -------
        Noisy
            With the joint axes, where they are known.
        """
        given = [None if a is None else a[order] for a in (self.coordinates, self.means, self.factors)]
        other = Noisy(*given)
        if "joint" in self.__dict__:
            other.joint = tuple(a[order] for a in self.joint)
        return other


class Stochastic(Measure):
    """Stochastic shape distance.

    Parameters
    ----------
    words : str
        ``stochastic-wasserstein`` or ``stochastic-angular``.
    options : dict
        Perhaps ``alpha``.

    Raises
    ------
    UserError
        If it is none of these.
    """

    permutations = resamples = 200
    instead = "procrustes-angular, which compares mean responses"
    ceiling = "none"

    def __init__(self, words: str, options: dict[str, str]):
        if words not in MEASURES or set(options) - {"alpha"}:
            raise UserError(f"write {MEASURES[0]} or {MEASURES[1]}, perhaps with -alpha=…")
        alpha = alignment.fraction({"alpha": "1"} | options, "alpha", 2)
        self.weights, self.angular = (alpha, 2 - alpha), words == "stochastic-angular"
        invariances = "orthogonal, permutation, translation"
        self.info = declaration(
            "stochastic shape distance of the distributions of trials, "
            + ("as an angle" if self.angular else "root of the mean squared 2-Wasserstein distance"),
            invariances="isotropic scale, " + invariances if self.angular else invariances,
            minimum_stimuli=3,
            low=0.0,
            high=np.pi / 2 if self.angular else np.inf,
            direction="lower",
            unit="rad" if self.angular else "response",
            repeats=2,
            recommended="tens of repeats: the covariances of few trials differ from one another by chance",
        )

    def reduce(self, grams: Grams) -> list[Noisy]:
        """See `Measure.reduce`.

        Raises
        ------
        UserError
            If there are too few stimuli, or a single trial of one.
        """
        require_stimuli(grams.gram.shape[1], self.info["minimum_stimuli"], self.name)
        coordinates = alignment.coordinates(grams)
        if grams.trials is None:
            return [Noisy(x) for x in coordinates]
        found = []
        for x, mean, trials in zip(coordinates, grams.units, grams.trials, strict=True):
            factors = noise_factors(trials, mean)
            varies = np.sum(factors**2) > alignment.CONSTANT * np.sum(trials.values**2)
            found.append(Noisy(x, mean - mean.mean(0), factors) if varies else Noisy(x))
        return found

    def pair(self, x: Noisy, y: Noisy) -> float:
        """See `Measure.pair`."""
        if 0 in (x.coordinates.shape[1], y.coordinates.shape[1]):
            return np.nan
        sizes = np.array([self.weights[0] * np.sum(z.coordinates**2) + self.weights[1] * z.noise for z in (x, y)])
        if self.angular and sizes.min() == 0:
            return np.nan
        # Dividing by the roots of the sizes makes points of the unit sphere, between which there is an angle.
        scales = 1 / np.sqrt(sizes) if self.angular else np.full(2, 1 / np.sqrt(len(x.coordinates)))
        of_means, of_noise = (np.sqrt(weight) * scales for weight in self.weights)
        if x.noise and y.noise:
            sides = [(a * z.joint[0], b * z.joint[1]) for a, b, z in zip(of_means, of_noise, (x, y), strict=True)]
            found = wasserstein(*sides)
        else:
            noise = sum(b**2 * z.noise for b, z in zip(of_noise, (x, y), strict=True))
            means = (a * z.coordinates for a, z in zip(of_means, (x, y), strict=True))
            found = np.hypot(alignment.distance(*means), np.sqrt(noise))
        return alignment.chord_to_angle(found) if self.angular else float(found)

    def permuted(self, part: Noisy, order: np.ndarray) -> Noisy:
        """See `Measure.permuted`."""
        return part.permuted(order)


def noise_factors(trials: Trials, mean: np.ndarray) -> np.ndarray:
    """Factorise the covariances of the trials of every stimulus.

    Parameters
    ----------
    trials : Trials
        Single trials.
    mean : array of shape (n_stimuli, n_units)
        Their means.

    Returns
    -------
    array of shape (n_stimuli, most trials of a stimulus − 1, n_units)
        Aᵢ with AᵢᵀAᵢ the unbiased covariance; rows of zeros where a stimulus has fewer trials.

    Raises
    ------
    UserError
        If a stimulus has a single trial.
    """
    counts = trials.counts()
    if counts.min() < 2:
        raise UserError("a covariance of trials needs at least 2 trials of every stimulus")
    order = np.argsort(trials.stimulus, kind="stable")
    starts = np.cumsum(counts) - counts
    factors = np.zeros((len(mean), counts.max() - 1, mean.shape[1]))
    for count in np.unique(counts):
        chosen = np.flatnonzero(counts == count)
        values = trials.values[order[starts[chosen, None] + np.arange(count)]]
        factors[chosen, : count - 1] = _contrasts(count) @ (values - mean[chosen, None]) / np.sqrt(count - 1)
    return factors


def wasserstein(x: tuple[np.ndarray, np.ndarray], y: tuple[np.ndarray, np.ndarray], starts: int = STARTS) -> float:
    """Minimise the distance of two sequences of Gaussians over rotations of the units.

    Parameters
    ----------
    x, y : tuples of arrays of shape (n_stimuli, n_units) and (n_stimuli, n_factors, n_units)
        Means and factors of covariances.
    starts : int
        From how many rotations to start.

    Returns
    -------
    float
        The root of the sum over stimuli of squared 2-Wasserstein distances.
    """
    # One order of the two, whichever comes first, or the search could end elsewhere.
    x, y = sorted((x, y), key=lambda z: (z[0].shape[1], np.sum(z[0] ** 2)), reverse=True)
    factors = max(z[1].shape[1] for z in (x, y))
    x, y = ((z[0], np.pad(z[1], ((0, 0), (0, factors - z[1].shape[1]), (0, 0)))) for z in (x, y))
    p, q = x[0].shape[1], y[0].shape[1]
    rng = np.random.default_rng([_SEED, p, q])
    best = None
    axes, means = np.eye(p, q), x[0].T @ y[0]
    # What the means leave undetermined, with fewer stimuli than units, is left to the principal axes.
    guesses = [means + 1e-6 * np.linalg.norm(means) * axes, axes, *rng.standard_normal((max(starts - 2, 0), p, q))]
    for guess in guesses[:starts]:
        found = ascend(x, y, alignment.polar(guess))
        if best is None or found[0][-1] > best[0][-1]:
            best = found
    path, rotation, turns = best
    size = sum(np.sum(part**2) for z in (x, y) for part in z)
    square = size - 2 * path[-1]
    if square < 1e-4 * size:
        # The difference of nearly equal numbers has lost its digits; those of means and factors have not.
        square = np.sum((x[0] - y[0] @ rotation.T) ** 2) + np.sum((x[1] - turns @ y[1] @ rotation.T) ** 2)
    return float(np.sqrt(square))


def ascend(x, y, rotation: np.ndarray) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Align two sequences of Gaussians from one start: rotations of trials and of units in turn.

    Every step would do without momentum, and takes some (Nesterov's) as long as it helps.

    Parameters
    ----------
    x, y : tuples of arrays of shape (n_stimuli, n_units) and (n_stimuli, n_factors, n_units)
        Means and factors of covariances; `x` has at least as many units.
    rotation : array of shape (n_units_x, n_units_y)
        The start, with orthonormal columns.

    Returns
    -------
    path : list of float
        The inner product after each step, which rises.
    rotation : array of shape (n_units_x, n_units_y)
        The end.
    turns : array of shape (n_stimuli, n_factors, n_factors)
        The rotations of the trials.
    """
    base = x[0].T @ y[0]
    rows = x[1].reshape(-1, x[1].shape[2])

    def look(rotation):
        left, singular, right = np.linalg.svd((rows @ rotation).reshape(*x[1].shape[:2], -1) @ y[1].transpose(0, 2, 1))
        turns = left @ right
        slope = base + rows.T @ (turns @ y[1]).reshape(-1, y[1].shape[2])
        return np.sum(base * rotation) + singular.sum(), slope, turns

    value, slope, turns = look(rotation)
    before, momentum, path = slope, 0, [value]
    for _ in range(_STEPS):
        turned = alignment.polar(slope + momentum / (momentum + 3) * (slope - before))
        found = look(turned)
        if found[0] < value and momentum:
            momentum = 0
            continue
        gain = found[0] - value
        if gain < 0:
            break
        before, momentum, rotation = slope, momentum + 1, turned
        value, slope, turns = found
        path.append(value)
        if gain <= _TOLERANCE * value:
            break
    return path, rotation, turns


def _contrasts(count: int) -> np.ndarray:
    """Orthonormal contrasts of so many trials (Helmert): their squares sum up as those of the residuals do."""
    rows = np.tril(np.ones((count - 1, count)))
    rows[np.arange(count - 1), np.arange(1, count)] = -np.arange(1, count)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


MEASURE = Stochastic
