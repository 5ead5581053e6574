"""Distances between responses against rsatoolbox, SciPy and sums written out."""

import numpy as np
import pytest
from oracles import dataset, oracle, pair, repeats, rsatoolbox_rdm, rsatoolbox_unbalanced_crossnobis
from scipy.spatial.distance import pdist, squareform

from neurocompare import similarity
from neurocompare.similarity import crossvalidated, noise
from neurocompare.similarity.trials import Trials


def as_dataset(x):
    r, n, p = x.shape
    return dataset(x.reshape(-1, p), np.tile(np.arange(n), r), np.repeat(np.arange(r), n))


@pytest.mark.parametrize("distance", ["euclidean", "correlation"])
def test_plain_distance_equals_rsatoolbox(distance):
    x, _ = pair(1)
    np.testing.assert_allclose(similarity.rdm(x, distance), rsatoolbox_rdm(dataset(x), distance), atol=1e-12)


@pytest.mark.parametrize("distance", ["euclidean", "correlation"])
def test_distance_of_averages_equals_rsatoolbox(distance):
    x = repeats(2, 4, 9, 12)
    theirs = rsatoolbox_rdm(as_dataset(x), distance, descriptor="stimulus")
    np.testing.assert_allclose(similarity.rdm(x, distance), theirs, atol=1e-12)


@pytest.mark.parametrize(("distance", "theirs"), [("correlation", "correlation"), ("cosine", "cosine")])
def test_angular_distance_equals_scipy(distance, theirs):
    x, _ = pair(3)
    np.testing.assert_allclose(similarity.rdm(x, distance), squareform(pdist(x, theirs)), atol=1e-12)


def test_euclidean_distance_equals_scipy():
    x, _ = pair(4)
    expected = squareform(pdist(x, "sqeuclidean")) / x.shape[1]
    np.testing.assert_allclose(similarity.rdm(x, "euclidean"), expected, atol=1e-12)


@pytest.mark.parametrize("distance", ["euclidean", "correlation"])
@pytest.mark.parametrize("offset", [0, 100])
def test_single_precision_equals_double_of_rsatoolbox(distance, offset):
    rng = np.random.default_rng(5)
    x = (rng.standard_normal((40, 5000)) + offset).astype(np.float32)
    theirs = rsatoolbox_rdm(dataset(x.astype(float)), distance)
    np.testing.assert_allclose(similarity.rdm(x, distance), theirs, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 12, 8), (3, 15, 60)], ids=["few units", "more units than trials"])
def test_noise_covariance_equals_rsatoolbox(shape):
    oracle("rsatoolbox")
    from rsatoolbox.data.noise import prec_from_unbalanced

    x = repeats(6, *shape)
    precision = prec_from_unbalanced(as_dataset(x), "stimulus", method="shrinkage_diag")
    ours = noise.of_trials(Trials.of_repeats(x), "full").solve(np.eye(shape[2]))
    np.testing.assert_allclose(ours, precision, rtol=1e-8, atol=1e-10)
    diagonal = prec_from_unbalanced(as_dataset(x), "stimulus", method="diag")
    ours = noise.of_trials(Trials.of_repeats(x), "diagonal").solve(np.eye(shape[2]))
    np.testing.assert_allclose(ours, diagonal, rtol=1e-10)


def test_shrinkage_differs_from_scikit_learn_as_its_target_does():
    from sklearn.covariance import ledoit_wolf

    # Ledoit & Wolf shrink towards equal variances, ours keeps them; both keep the trace.
    x = repeats(7, 3, 15, 20)
    trials = Trials.of_repeats(x)
    residuals = (x - x.mean(0)).reshape(-1, 20)
    covariance = np.linalg.inv(noise.of_trials(trials, "full").solve(np.eye(20)))
    np.testing.assert_allclose(np.diag(covariance), residuals.var(0) * len(residuals) / 30, rtol=1e-9)
    theirs = ledoit_wolf(residuals, assume_centered=True)[0] * len(residuals) / 30
    assert np.trace(theirs) == pytest.approx(np.trace(covariance))


def test_mahalanobis_equals_rsatoolbox():
    oracle("rsatoolbox")
    from rsatoolbox.data.noise import prec_from_unbalanced

    x = repeats(8, 4, 12, 9)
    data = as_dataset(x)
    precision = prec_from_unbalanced(data, "stimulus", method="shrinkage_diag")
    theirs = rsatoolbox_rdm(data, "mahalanobis", descriptor="stimulus", noise=precision)
    np.testing.assert_allclose(crossvalidated.mahalanobis(Trials.of_repeats(x)), theirs, atol=1e-9)


@pytest.mark.parametrize("whiten", [False, True], ids=["euclidean", "given covariance"])
def test_crossnobis_equals_rsatoolbox(whiten):
    oracle("rsatoolbox")
    from rsatoolbox.data.noise import prec_from_unbalanced

    x, rest = repeats(9, 5, 11, 7), repeats(10, 6, 11, 7)
    precision, given = None, "none"
    if whiten:
        precision = prec_from_unbalanced(as_dataset(rest), "stimulus", method="shrinkage_diag")
        given = noise.of_trials(Trials.of_repeats(rest), "full")
    theirs = rsatoolbox_rdm(as_dataset(x), "crossnobis", descriptor="stimulus", cv_descriptor="block", noise=precision)
    np.testing.assert_allclose(crossvalidated.crossnobis(Trials.of_repeats(x), given), theirs, atol=1e-9)


def test_crossnobis_with_noise_of_the_training_trials_equals_the_steps_of_rsatoolbox():
    oracle("rsatoolbox")
    from rsatoolbox.data.noise import prec_from_unbalanced
    from rsatoolbox.rdm.calc import _calc_rdm_crossnobis_single

    x = repeats(11, 4, 10, 12)
    folds = []
    for k in range(len(x)):
        train = np.delete(x, k, axis=0)
        precision = prec_from_unbalanced(as_dataset(train), "stimulus", method="shrinkage_diag")
        folds.append(_calc_rdm_crossnobis_single(train.mean(0), x[k], precision))
    ours = crossvalidated.crossnobis(Trials.of_repeats(x))
    np.testing.assert_allclose(ours, squareform(np.mean(folds, axis=0)), rtol=1e-8, atol=1e-10)
    np.testing.assert_array_equal(similarity.rdm(x, "crossnobis"), ours)


def unbalanced(seed=12, n_stimuli=6, n_folds=4, n_units=5):
    """Draw one to three trials of most stimuli in every fold."""
    rng = np.random.default_rng(seed)
    times = rng.integers(1, 4, (n_folds, n_stimuli))
    times[0, 2] = times[3, 4] = 0
    fold, stimulus = (np.repeat(index.ravel(), times.ravel()) for index in np.indices(times.shape))
    values = rng.standard_normal((n_stimuli, n_units))[stimulus] + rng.standard_normal((len(stimulus), n_units))
    return Trials(values, stimulus, fold, n_stimuli)


def test_crossnobis_of_unequal_trials_equals_its_sum_written_out():
    trials = unbalanced()
    expected = np.zeros((6, 6))
    for i in range(6):
        for j in range(6):
            above = below = 0.0
            for m in range(4):
                for k in range(4):
                    cells = [
                        trials.values[(trials.block == f) & (trials.stimulus == s)] for f in (m, k) for s in (i, j)
                    ]
                    if m == k or i == j or not all(len(c) for c in cells):
                        continue
                    a, b, c, d = cells
                    weight = len(a) * len(b) / (len(a) + len(b)) * len(c) * len(d) / (len(c) + len(d))
                    above += weight * (a.mean(0) - b.mean(0)) @ (c.mean(0) - d.mean(0)) / trials.values.shape[1]
                    below += weight
            expected[i, j] = above / below if below else 0
    np.testing.assert_allclose(crossvalidated.crossnobis(trials, "none"), expected, atol=1e-12)


def test_crossnobis_of_unequal_trials_has_the_mean_of_rsatoolbox():
    # The signal is another one in each draw: the difference of both is what counts.
    every = [unbalanced(seed) for seed in range(60)]
    ours = np.array([crossvalidated.crossnobis(trials, "none").sum() for trials in every])
    apart = ours - [rsatoolbox_unbalanced_crossnobis(trials).sum() for trials in every]
    assert np.abs(apart).max() > 1e-2
    assert abs(apart.mean()) < 3 * apart.std(ddof=1) / np.sqrt(len(apart))


def test_poisson_divergence_equals_rsatoolbox():
    x = np.random.default_rng(13).poisson(4, (7, 12)).astype(float)
    np.testing.assert_allclose(crossvalidated.plain_poisson_kl(x), rsatoolbox_rdm(dataset(x), "poisson"), atol=1e-12)


def test_cross_validated_poisson_divergence_is_the_mean_of_what_rsatoolbox_has_for_each_fold():
    x = np.random.default_rng(14).poisson(5, (4, 6, 9)).astype(float)
    folds = []
    for k in range(4):
        # It returns its last fold alone (see the expected disagreements), so each fold is made the last.
        last = np.concatenate([np.delete(x, k, axis=0), x[k : k + 1]])
        folds.append(rsatoolbox_rdm(as_dataset(last), "poisson_cv", descriptor="stimulus", cv_descriptor="block"))
    np.testing.assert_allclose(similarity.rdm(x, "poisson-kl-cv"), np.mean(folds, axis=0), atol=1e-12)
