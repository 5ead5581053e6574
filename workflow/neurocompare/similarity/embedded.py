"""Measures whose score is an inner product of two matrices of stimuli by stimuli: RSA, CKA, SSM."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neurocompare.errors import UserError
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.measure import Measure, Reduced, Scores, centred_on
from neurocompare.similarity.trials import Trials


class Kernel(NamedTuple):
    """A reduced representation of an embedded measure: a matrix of stimuli, and the same from halves of trials."""

    matrix: np.ndarray
    halves: np.ndarray | None = None


class Embedded(Measure):
    """A measure whose score is the inner product of two matrices of stimuli by stimuli.

    A subclass turns representations into matrices (an RDM, a kernel), and maps these to vectors of the
    same shape whose inner product is the score. The map commutes with permutations of the stimuli, so the
    null costs one product of matrices.

    Attributes
    ----------
    cross_half : bool
        Whether the self-term of a recording is taken between halves of its trials.
    controllable : bool
        Whether what a control explains can be taken out of its vectors.
    """

    cross_half = False
    controllable = True
    permutations = 1000
    resamples = 500
    scheme = "bootstrap"

    def matrices(self, grams: Grams) -> np.ndarray:
        """Turn representations into matrices of stimuli.

        Parameters
        ----------
        grams : Grams
            The representations.

        Returns
        -------
        array of shape (n_representations, n_stimuli, n_stimuli)
            RDMs or kernels.
        """
        raise NotImplementedError

    def embed(self, matrices: np.ndarray, halves: np.ndarray | None = None) -> np.ndarray:
        """Map matrices to vectors whose inner product is the score.

        Parameters
        ----------
        matrices : array of shape (n, n_stimuli, n_stimuli)
            RDMs or kernels.
        halves : array of shape (n_splits, 2, n, n_stimuli, n_stimuli), optional
            The same from halves of the trials, where the self-term is taken between them.

        Returns
        -------
        array of shape (n, n_stimuli, n_stimuli)
            The vectors; NaN where the score is undefined.
        """
        raise NotImplementedError

    def weighted(
        self, targets: np.ndarray, candidates: np.ndarray, weights: np.ndarray, halves: np.ndarray | None = None
    ) -> Scores:
        """Score in resamples of the stimuli, copies of a stimulus never being compared with each other.

        Parameters
        ----------
        targets, candidates : arrays of shape (n, n_stimuli, n_stimuli)
            RDMs or kernels.
        weights : array of shape (n_samples, n_stimuli)
            How often each stimulus is in each resample.
        halves : array of shape (n_splits, 2, n_targets, n_stimuli, n_stimuli), optional
            As in `embed`, of the targets.

        Returns
        -------
        array of shape (n_samples, n_targets, n_candidates)
            The scores.
        """
        raise NotImplementedError

    def inner(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Multiply matrices as in the score, without dividing by their norms, for measures with an estimated ceiling.

        Parameters
        ----------
        a, b : arrays of shape (n, n_stimuli, n_stimuli)
            RDMs or kernels.

        Returns
        -------
        array of shape (n,)
            Such that the score is inner(a, b) / √(inner(a, a) inner(b, b)); unbiased by noise that `a` and `b`
            do not share.
        """
        raise NotImplementedError

    def noise_terms(self, y: Reduced, trials: Trials, *, chronological: bool = False) -> tuple[float, float]:
        """Estimate the self-term of a recording without and with its noise.

        Numerator and self-term of the true model against a recording have the first of them as their mean,
        so its score is √(first / second) on average: the noise ceiling.

        Parameters
        ----------
        y : Reduced
            One recording.
        trials : Trials
            Its trials.
        chronological : bool
            Whether to split the trials once, in time.

        Returns
        -------
        between, own : float
            Between halves of the trials, and of all trials; NaN without halves.
        """
        halves = half_matrices(self, trials, chronological=chronological)
        if halves is None:
            return np.nan, np.nan
        matrix = y.parts[0].matrix[None]
        return float(self.inner(halves[:, 0], halves[:, 1]).mean()), float(self.inner(matrix, matrix)[0])

    def average(self, rdms: np.ndarray) -> np.ndarray | None:
        """Average matrices so that the average scores as high as can be with each of them.

        Parameters
        ----------
        rdms : array of shape (n, n_stimuli, n_stimuli)
            RDMs.

        Returns
        -------
        array of shape (n_stimuli, n_stimuli) or None
            None where a population, not an average, stands for several animals.
        """
        return None

    def reduce(self, grams: Grams) -> list[Kernel]:
        """See `Measure.reduce`."""
        matrices = self.matrices(grams)
        if not self.cross_half or grams.trials is None:
            return [Kernel(matrix) for matrix in matrices]
        return [
            Kernel(matrix, half_matrices(self, trials)) for matrix, trials in zip(matrices, grams.trials, strict=True)
        ]

    def pair(self, x: Kernel, y: Kernel) -> float:
        """See `Measure.pair`."""
        return float(self.scores(Reduced([x]), Reduced([y]))[0, 0])

    def scores(self, x: Reduced, y: Reduced) -> Scores:
        """See `Measure.scores`."""
        return np.einsum("tij,kij->tk", self.embed(*stacked(y.parts)), self.embed(*stacked(x.parts)), optimize=True)

    def scores_of(self, x: Reduced, y: Reduced, stimuli: np.ndarray) -> Scores:
        """See `Measure.scores_of`."""
        pick = np.ix_(stimuli, stimuli)
        return self.scores(*(Reduced([picked(part, pick) for part in z.parts]) for z in (x, y)))

    def permuted(self, part: Kernel, order: np.ndarray) -> Kernel:
        """See `Measure.permuted`."""
        return picked(part, np.ix_(order, order))

    def null(self, x: Reduced, y: Reduced, permutations: np.ndarray) -> Scores:
        """See `Measure.null`."""
        return shuffled(self.embed(*stacked(y.parts)), self.embed(*stacked(x.parts)), permutations)

    def draws(self, x: Reduced, y: Reduced, value: Scores, plan) -> Scores:
        """Score in bootstrap samples; see `weighted`.

        A sample holds fewer different stimuli. Where that moves the score, because unrelated representations do
        not score zero, the draws are centred on the score of all.
        """
        draws = self._weighted(x, y, plan.weights[: self.resamples])
        return draws if self.info["unbiased"] else centred_on(value, draws)

    def left_out(self, x: Reduced, y: Reduced) -> Scores:
        """See `Measure.left_out`."""
        return self._weighted(x, y, 1 - np.eye(len(x.parts[0].matrix)))

    def _weighted(self, x, y, weights):
        (targets, halves), (candidates, _) = stacked(y.parts), stacked(x.parts)
        return self.weighted(targets, candidates, weights, **({} if halves is None else {"halves": halves}))


def stacked(parts: Sequence[Kernel]) -> tuple[np.ndarray, np.ndarray | None]:
    """Stack the matrices of reduced representations.

    Parameters
    ----------
    parts : sequence of Kernel
        The representations, with or without halves.

    Returns
    -------
    matrices : array of shape (n, n_stimuli, n_stimuli)
        The matrices.
    halves : array of shape (n_splits, 2, n, n_stimuli, n_stimuli) or None
        Those from halves of the trials.
    """
    matrices = np.stack([part.matrix for part in parts])
    if any(part.halves is None for part in parts):
        return matrices, None
    # Animals with fewer trials have fewer splits; the means over splits that follow need equal numbers.
    splits = min(len(part.halves) for part in parts)
    return matrices, np.stack([part.halves[:splits] for part in parts], axis=2)


def half_matrices(measure: Embedded, trials, *, chronological: bool = False) -> np.ndarray | None:
    """Compute matrices from halves of the trials.

    Parameters
    ----------
    measure : Embedded
        The measure.
    trials : Trials
        Trials of one representation.
    chronological : bool
        Whether to split the trials once, in time.

    Returns
    -------
    array of shape (n_splits, 2, n_stimuli, n_stimuli) or None
        None if there are no halves, or one of them is too sparse for the measure.
    """
    splits = trials.halves(chronological=chronological)
    if not splits:
        return None
    try:
        return np.stack([measure.matrices(Grams.of_trials([trials.part(half) for half in split])) for split in splits])
    except UserError:
        return None


def shuffled(embedded: np.ndarray, others: np.ndarray, permutations: np.ndarray) -> Scores:
    """Score embedded matrices with the stimuli of the target shuffled.

    Parameters
    ----------
    embedded : array of shape (n_targets, n_stimuli, n_stimuli)
        Targets.
    others : array of shape (n_others, n_stimuli, n_stimuli)
        Candidates.
    permutations : array of int of shape (n_permutations, n_stimuli)
        Shuffles.

    Returns
    -------
    array of shape (n_permutations, n_targets, n_others)
        Scores under the null.
    """
    flat = others.reshape(len(others), -1).T
    null = np.empty((len(permutations), len(embedded), len(others)))
    # Chunks bound the memory: 100 shuffles of 500 stimuli are 200 MB.
    for start in range(0, len(permutations), 100):
        chunk = permutations[start : start + 100]
        for t, matrix in enumerate(embedded):
            null[start : start + 100, t] = matrix[chunk[:, :, None], chunk[:, None, :]].reshape(len(chunk), -1) @ flat
    return null


def picked(part: Kernel, pick: tuple[np.ndarray, np.ndarray]) -> Kernel:
    """Keep some stimuli, or reorder them.

    Parameters
    ----------
    part : Kernel
        A reduced representation.
    pick : tuple of arrays
        Rows and columns, from ``np.ix_``.

    Returns
    -------
    Kernel
        Of these stimuli.
    """
    halves = None if part.halves is None else part.halves[..., pick[0], pick[1]]
    return Kernel(part.matrix[pick], halves)
