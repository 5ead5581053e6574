"""Comparators that are no inner product of embedded RDMs, whitening by a covariance of conditions, and ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.similarity import bures, comparators, ranks, whitening

seeds = st.integers(0, 2**32 - 1)
PAIRWISE = list(comparators.PAIRWISE)


def distances(x):
    return ((x[:, None] - x[None]) ** 2).mean(2)


def random_rdms(seed, count, n, ties=False):
    x = np.random.default_rng(seed).standard_normal((count, n, 6))
    rdms = np.stack([distances(z) for z in x])
    return np.round(2 * rdms) if ties else rdms


def cells(rdm):
    return rdm[np.triu_indices(len(rdm), 1)]


def fixture():
    rng = np.random.default_rng(20240501)
    n, p, q = 24, 10, 7
    z = rng.standard_normal((n, 5))
    x = z @ rng.standard_normal((5, p)) + 0.5 * rng.standard_normal((n, p))
    return x, z @ rng.standard_normal((5, q)) + 0.5 * rng.standard_normal((n, q))


def test_scores_of_the_fixture():
    a, b = (distances(z) for z in fixture())
    assert comparators.compare(a, b, "tau-a") == pytest.approx(0.4982345191, abs=1e-10)
    assert comparators.compare(a, b, "bures") == pytest.approx(0.8608101151, abs=1e-10)
    assert comparators.whitened(a, b, np.eye(24)) == pytest.approx(0.6280881385, abs=1e-10)
    assert comparators.whitened(a, b, np.ones(24), "whitened-correlation") == pytest.approx(0.5774637932, abs=1e-10)


# tau-a


def sign_products(a, b):
    """Sum of sign(aᵢ − aⱼ) sign(bᵢ − bⱼ) over pairs i < j, by its definition."""
    return np.triu(np.sign(a[:, None] - a) * np.sign(b[:, None] - b), 1)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=seeds, n=st.integers(2, 220))
def test_inversions_are_pairs_in_the_wrong_order(seed, n):
    rng = np.random.default_rng(seed)
    sequences = rng.permuted(np.tile(np.arange(n), (3, 1)), axis=1)
    weights = rng.poisson(1, (n, 4)).astype(float)
    wrong = [np.triu(s[:, None] > s) for s in sequences]
    assert ranks.inversions(sequences).tolist() == [w.sum() for w in wrong]
    expected = [np.einsum("is,ij,js->s", weights, w, weights) for w in wrong]
    np.testing.assert_allclose([ranks.weighted_inversions(s, weights) for s in sequences], expected)


@pytest.mark.parametrize("ties", [(False, False), (False, True), (True, True)])
def test_tau_a_is_concordant_less_discordant_pairs(ties):
    targets, candidates = random_rdms(0, 2, 12, ties[0]), random_rdms(1, 3, 12, ties[1])
    n_pairs = 66 * 65 / 2
    expected = [[sign_products(cells(a), cells(b)).sum() / n_pairs for b in candidates] for a in targets]
    np.testing.assert_allclose(comparators.scores(targets, candidates, "tau-a"), expected, atol=1e-14)


def test_tau_a_of_many_cells_is_scipys_tau():
    a, b = random_rdms(2, 2, 118)
    b = a + b  # something in common
    assert comparators.compare(a, b, "tau-a") == pytest.approx(
        stats.kendalltau(cells(a), cells(b)).statistic, abs=1e-12
    )


@pytest.mark.parametrize("ties", [(False, False), (False, True), (True, True)])
def test_tau_a_in_resamples_counts_pairs_of_different_cells(ties):
    n = 9
    target, candidate = random_rdms(0, 1, n, ties[0]), random_rdms(1, 1, n, ties[1])
    weights = np.random.default_rng(2).multinomial(n, np.full(n, 1 / n), size=30).astype(float)
    found = comparators.weighted(target, candidate, weights, "tau-a")[:, 0, 0]
    i, j = np.triu_indices(n, 1)
    for w, score in zip(weights, found, strict=True):
        # The resample written out: each cell of two different stimuli as often as it was drawn.
        copies = np.repeat(np.arange(len(i)), (w[i] * w[j]).astype(int))
        different = np.triu(copies[:, None] != copies)
        products = sign_products(cells(target[0])[copies], cells(candidate[0])[copies])
        assert score == pytest.approx(products[different].sum() / different.sum(), abs=1e-12)


def test_tau_a_of_a_representation_with_itself_is_one_in_every_resample():
    rdm = random_rdms(3, 1, 15)
    weights = np.random.default_rng(0).multinomial(15, np.full(15, 1 / 15), size=20).astype(float)
    np.testing.assert_allclose(comparators.weighted(rdm, rdm, weights, "tau-a"), 1)
    assert np.isnan(comparators.weighted(rdm, rdm, np.array([[8.0, 7.0] + [0.0] * 13]), "tau-a")[0, 0, 0])


def test_tau_a_of_constant_and_of_undefined_rdms():
    rdm = random_rdms(4, 1, 8)[0]
    flat, missing = np.ones((8, 8)) - np.eye(8), rdm.copy()
    missing[0, 3] = missing[3, 0] = np.nan
    assert comparators.compare(flat, rdm, "tau-a") == 0
    assert np.isnan(comparators.compare(rdm, missing, "tau-a"))
    assert np.isnan(comparators.weighted(missing[None], rdm[None], np.ones((1, 8)), "tau-a")[0, 0, 0])


# All that is permuted and resampled


@pytest.mark.parametrize("comparator", [*PAIRWISE, *comparators.COMPARATORS])
@pytest.mark.parametrize("ties", [False, True])
def test_null_is_the_score_of_shuffled_rdms(comparator, ties):
    if comparator == "bures" and ties:
        return  # Rounded distances are those of no cloud of points.
    targets, candidates = random_rdms(7, 2, 10, ties), random_rdms(8, 3, 10, ties)
    orders = np.random.default_rng(1).permuted(np.tile(np.arange(10), (120, 1)), axis=1)
    null = comparators.null(targets, candidates, orders, comparator)
    assert null.shape == (120, 2, 3)
    for k in (0, 57, 119):
        moved = targets[:, orders[k]][:, :, orders[k]]
        expected = [[comparators.compare(a, b, comparator) for b in candidates] for a in moved]
        np.testing.assert_allclose(null[k], expected, atol=1e-12)


@pytest.mark.parametrize("comparator", [*PAIRWISE, *comparators.COMPARATORS])
def test_a_sample_without_replacement_is_scored_like_its_rdms(comparator):
    targets, candidates = random_rdms(9, 2, 14), random_rdms(10, 2, 14)
    chosen = np.array([0, 2, 3, 6, 9, 10, 13])
    weights = np.stack([np.ones(14), np.isin(np.arange(14), chosen).astype(float)])
    part = np.ix_(chosen, chosen)
    scores = comparators.weighted(targets, candidates, weights, comparator)
    expected = [[comparators.compare(a[part], b[part], comparator) for b in candidates] for a in targets]
    np.testing.assert_allclose(scores[1], expected, atol=1e-12)
    np.testing.assert_allclose(scores[0], comparators.scores(targets, candidates, comparator), atol=1e-12)


# Ties (Schütt et al. 2023, Nili et al. 2014)


def tau_b(a, b):
    return stats.kendalltau(cells(a), cells(b)).statistic


@settings(max_examples=30, deadline=None, derandomize=True)
@given(seed=seeds, levels=st.integers(2, 5), noise=st.floats(0, 1))
def test_a_tied_model_gains_nothing_but_under_spearman_and_tau_b(seed, levels, noise):
    # A model of few levels that the data follow, against the same model with its ties broken at random, one way
    # and the opposite way: neither knows more of the data than the tied one, or less.
    rng = np.random.default_rng(seed)
    n = 9
    i, j = np.triu_indices(n, 1)
    model = rng.permutation(np.arange(len(i)) % levels).astype(float)
    data = model + noise * rng.standard_normal(len(i)) + 0.2 * rng.random(len(i))
    jitter = 0.4 * rng.random(len(i))
    tied, one, other, target = (np.zeros((n, n)) for _ in range(4))
    for square, row in ((tied, model), (one, model + jitter), (other, model - jitter), (target, data)):
        square[i, j] = square[j, i] = row
    broken = {c: np.mean([comparators.compare(m, target, c) for m in (one, other)]) for c in ("rho-a", "tau-a")}
    for comparator, expected in broken.items():
        assert comparators.compare(tied, target, comparator) == pytest.approx(expected, abs=1e-12)
    # Spearman's correlation and tau-b divide by what ties leave of the norm: each score grows by that factor.
    total, sizes = len(i), np.bincount(model.astype(int))
    spearman = np.sqrt((total**3 - total) / (total**3 - total - np.sum(sizes**3 - sizes)))
    kendall = np.sqrt((total**2 - total) / (total**2 - total - np.sum(sizes**2 - sizes)))
    assert spearman > 1.01
    assert kendall > 1.1
    assert comparators.compare(tied, target, "spearman") == pytest.approx(spearman * broken["rho-a"], abs=1e-12)
    assert tau_b(tied, target) == pytest.approx(kendall * broken["tau-a"], abs=1e-12)


def test_a_coarse_model_beats_the_truth_under_tau_b_only():
    # The data have the true order, blurred. Rounding the truth to four levels throws information away.
    rng = np.random.default_rng(0)
    truth = random_rdms(11, 1, 20)[0]
    coarse = np.searchsorted(np.quantile(cells(truth), [0.25, 0.5, 0.75]), truth).astype(float)
    gain = []
    for _ in range(20):
        noise = rng.standard_normal((20, 20)) * truth.std()
        blurred = truth + noise + noise.T
        scores = [tau_b, *(lambda a, b, c=c: comparators.compare(a, b, c) for c in ("tau-a", "rho-a"))]
        gain.append([score(coarse, blurred) - score(truth, blurred) for score in scores])
    under_tau_b, under_tau_a, under_rho_a = np.mean(gain, axis=0)
    assert under_tau_b > 0.01
    assert under_tau_a < -0.01
    assert under_rho_a < -0.01


# Bures


def angular_procrustes(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    return nuclear / np.linalg.norm(x) / np.linalg.norm(y)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=seeds, p=st.integers(1, 40), q=st.integers(1, 40))
def test_bures_is_the_cosine_of_the_angular_procrustes_distance(seed, p, q):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((14, p)) + 3, 50 * rng.standard_normal((14, q))
    assert comparators.compare(distances(x), distances(y), "bures") == pytest.approx(angular_procrustes(x, y), abs=1e-7)
    assert comparators.compare(distances(x), distances(7 * x), "bures") == pytest.approx(1, abs=1e-10)


def test_bures_in_resamples_is_that_of_the_written_out_points():
    x, y = np.random.default_rng(0).standard_normal((2, 11, 4))
    weights = np.random.default_rng(1).multinomial(11, np.full(11, 1 / 11), size=10)
    found = comparators.weighted(distances(x)[None], distances(y)[None], weights.astype(float), "bures")
    for w, score in zip(weights, found[:, 0, 0], strict=True):
        sample = np.repeat(np.arange(11), w)
        assert score == pytest.approx(angular_procrustes(x[sample], y[sample]), abs=1e-10)
    one = np.eye(11)[:1] * 11
    assert np.isnan(comparators.weighted(distances(x)[None], distances(y)[None], one, "bures")[0, 0, 0])


@pytest.mark.parametrize("distance", ["euclidean", "correlation", "cosine"])
def test_distances_of_patterns_are_those_of_points(distance):
    # One minus a correlation is half the squared distance of normalised patterns, so Bures takes it too.
    x, y = np.random.default_rng(2).standard_normal((2, 16, 5))
    score = comparators.compare(similarity.rdm(x, distance), similarity.rdm(y, distance), "bures")
    assert 0 < score < 1
    # Single precision and three digits are rounding, which the kernel forgives.
    rounded = [np.round(similarity.rdm(z, distance), 3).astype(np.float32).astype(float) for z in (x, y)]
    assert comparators.compare(*rounded, "bures") == pytest.approx(score, abs=2e-3)


def test_what_is_no_squared_distance_is_refused_in_one_line():
    rdm = random_rdms(12, 1, 10)[0]
    rng = np.random.default_rng(0)
    noisy = rdm - rdm.mean() + np.triu(rng.standard_normal((10, 10)), 1)
    noisy = np.triu(noisy, 1) + np.triu(noisy, 1).T
    for pair in ((rdm, noisy), (noisy, rdm)):
        with pytest.raises(UserError, match="squared Euclidean.*% of the kernel.*use compare=whitened-cosine") as error:
            comparators.compare(*pair, "bures")
        assert "\n" not in str(error.value)


def test_bures_of_equal_points_is_undefined():
    rdm = random_rdms(13, 1, 8)[0]
    assert np.isnan(comparators.compare(rdm, np.zeros((8, 8)), "bures"))
    assert np.isnan(comparators.average(np.stack([rdm, np.zeros((8, 8))]), "bures")).all()
    # All points equally far from one another are points all the same.
    assert 0 < comparators.compare(rdm, np.ones((8, 8)) - np.eye(8), "bures") < 1


@pytest.mark.parametrize("units", [3, 30])
def test_the_bures_average_has_the_best_mean_score(units):
    rng = np.random.default_rng(3)
    shared = rng.standard_normal((12, units))
    animals = [shared + 0.7 * rng.standard_normal((12, units)) for _ in range(4)]
    rdms = np.stack([scale * distances(x) for scale, x in enumerate(animals, start=1)])
    average = comparators.average(rdms, "bures")
    top = comparators.scores(rdms, average[None], "bures").mean()
    assert top > comparators.scores(rdms, rdms.mean(0)[None], "bures").mean()
    cloud = bures.factors(average[None])[0]
    for size in (1e-3, 1e-2, 0.1):
        for _ in range(20):
            moved = distances(cloud + size * rng.standard_normal(cloud.shape) / np.sqrt(cloud.size))
            assert comparators.scores(rdms, moved[None], "bures").mean() < top
    for mixture in rng.dirichlet(np.ones(4), size=50):
        assert comparators.scores(rdms, np.tensordot(mixture, rdms, 1)[None], "bures").mean() <= top + 1e-12


# Whitening with a covariance of conditions


def covariances(n, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((n, 2 * n)) * rng.uniform(0.3, 3, (n, 1))
    return rng.uniform(0.2, 4, n), root @ root.T


def explicit(a, b, covariance, comparator):
    """The definition, with V written out for all pairs of cells."""
    n = len(a)
    i, j = np.triu_indices(n, 1)
    contrasts = np.eye(n)[i] - np.eye(n)[j]
    full = np.diag(covariance) if covariance.ndim == 1 else covariance
    v = (contrasts @ full @ contrasts.T) ** 2
    a, b = (m[i, j] - (m[i, j].mean() if comparator == "whitened-correlation" else 0) for m in (a, b))
    products = [s @ np.linalg.solve(v, t) for s, t in ((a, b), (a, a), (b, b))]
    return products[0] / np.sqrt(products[1] * products[2])


WHITENED = ["whitened-cosine", "whitened-correlation"]


@pytest.mark.parametrize("comparator", WHITENED)
@pytest.mark.parametrize("kind", [0, 1])
def test_whitening_matches_the_explicit_covariance_of_cells(comparator, kind):
    covariance = covariances(13)[kind]
    targets, candidates = random_rdms(14, 2, 13), random_rdms(15, 2, 13) + 0.3
    expected = [[explicit(a, b, covariance, comparator) for b in candidates] for a in targets]
    np.testing.assert_allclose(
        whitening.whitened_scores(targets, candidates, covariance, comparator), expected, atol=1e-11
    )
    assert comparators.whitened(targets[1], candidates[0], covariance, comparator) == pytest.approx(expected[1][0])
    # Neither its scale matters, nor noise that shifts all conditions alike, or one of them with all others.
    full = np.diag(covariance) if covariance.ndim == 1 else covariance
    shift = np.random.default_rng(0).standard_normal(13)
    moved = 1e-6 * (full + shift + shift[:, None] + 5)
    np.testing.assert_allclose(whitening.whitened_scores(targets, candidates, moved, comparator), expected, atol=1e-9)


@pytest.mark.parametrize("comparator", WHITENED)
def test_equal_variances_whiten_as_without_a_covariance(comparator):
    a, b = random_rdms(16, 2, 12)
    assert comparators.whitened(a, b, 3 * np.eye(12), comparator) == pytest.approx(
        comparators.compare(a, b, comparator), abs=1e-12
    )


@pytest.mark.parametrize("comparator", WHITENED)
def test_the_covariance_is_shuffled_with_the_target(comparator):
    targets, candidates = random_rdms(17, 2, 9), random_rdms(18, 2, 9)
    covariance = covariances(9)[1]
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(9), (5, 1)), axis=1)
    null = whitening.whitened_null(targets, candidates, orders, covariance, comparator)
    for order, found in zip(orders, null, strict=True):
        pick = np.ix_(order, order)
        expected = [[explicit(a[pick], b, covariance[pick], comparator) for b in candidates] for a in targets]
        np.testing.assert_allclose(found, expected, atol=1e-11)


def test_squared_distances_of_noise_have_the_covariance_that_is_whitened():
    # Distances across two measurements of pure noise: their covariance is V, up to the number of units.
    rng = np.random.default_rng(0)
    covariance = np.array([[2.0, 0.8, 0.0, 0.0], [0.8, 1.0, 0.0, 0.3], [0.0, 0.0, 0.5, 0.0], [0.0, 0.3, 0.0, 1.5]])
    noise = np.linalg.cholesky(covariance) @ rng.standard_normal((2, 60_000, 4, 3))
    i, j = np.triu_indices(4, 1)
    first, second = (m[:, i] - m[:, j] for m in noise)
    found = np.cov((first * second).mean(2).T)
    contrasts = np.eye(4)[i] - np.eye(4)[j]
    expected = (contrasts @ covariance @ contrasts.T) ** 2 / 3
    np.testing.assert_allclose(found, expected, atol=0.04 * expected.max())


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.ones(5), r"condition covariance: expected shape \(8,\) or \(8, 8\) for RDMs of 8 stimuli, got \(5,\)"),
        (np.triu(np.ones((8, 8))), "condition covariance: must be symmetric and finite"),
        (np.full(8, np.nan), "condition covariance: must be symmetric and finite"),
        (np.diag([1.0] * 6 + [0, 0]), "condition covariance: some difference of conditions has no noise.*shrink it"),
        (-np.ones(8), "condition covariance: some difference of conditions has no noise.*shrink it"),
    ],
)
def test_a_covariance_that_does_not_fit_is_refused_in_one_line(covariance, message):
    with pytest.raises(UserError, match=message) as error:
        comparators.whitened(*random_rdms(19, 2, 8), covariance)
    assert "\n" not in str(error.value)


def test_a_constant_rdm_has_no_whitened_correlation():
    rdm, flat = random_rdms(20, 1, 8)[0], np.ones((8, 8)) - np.eye(8)
    assert np.isnan(comparators.whitened(rdm, flat, np.ones(8), "whitened-correlation"))
    assert np.isnan(comparators.whitened(rdm, 0 * flat, np.ones(8)))


# Another implementation


def test_rsatoolbox_agrees_where_it_computes_what_it_says():
    rsatoolbox = pytest.importorskip("rsatoolbox")
    from rsatoolbox.rdm.compare import _cosine_cov_weighted_slow

    a, b = random_rdms(21, 2, 15)
    ours = (a, b)
    theirs = [rsatoolbox.rdm.RDMs(rdm[None]) for rdm in ours]
    names = {"tau-a": "tau-a", "rho-a": "rho-a", "spearman": "spearman", "bures": "bures", "cosine": "cosine"}
    names |= {"pearson": "corr", "whitened-cosine": "cosine_cov", "whitened-correlation": "corr_cov"}
    for name, method in names.items():
        expected = rsatoolbox.rdm.compare(*theirs, method).item()
        assert comparators.compare(*ours, name) == pytest.approx(expected, abs=1e-7), name
    diagonal, full = covariances(15)
    # Its solver for V stops at a relative residual of 1e-5.
    expected = rsatoolbox.rdm.compare(*theirs, "cosine_cov", sigma_k=full).item()
    assert comparators.whitened(*ours, full) == pytest.approx(expected, abs=1e-4)
    # For a diagonal it has a short cut that divides the centred kernel by the standard deviations, which is not
    # V⁻¹ unless these are equal: it contradicts its own definition, and ours.
    vectors = [rdm.get_vectors() for rdm in theirs]
    assert comparators.whitened(*ours, diagonal) == pytest.approx(
        _cosine_cov_weighted_slow(*vectors, diagonal).item(), abs=1e-4
    )
    short_cut = rsatoolbox.rdm.compare(*theirs, "cosine_cov", sigma_k=diagonal).item()
    assert abs(short_cut - comparators.whitened(*ours, diagonal)) > 1e-3
