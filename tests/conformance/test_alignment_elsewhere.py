"""Canonical correlations, shape distances and matching against scikit-learn, SciPy, POT and formulas in other words."""

import numpy as np
import pytest
from oracles import oracle, pair, repeats
from scipy import linalg, optimize

from neurocompare import similarity


def centred(z):
    return z - z.mean(0)


def canonical_correlations(x, y):
    """From principal angles between column spaces, by SciPy."""
    return np.sort(np.cos(linalg.subspace_angles(centred(x), centred(y))))[::-1]


def test_cca_equals_principal_angles_of_scipy():
    x, y = pair(1, n=60)
    assert similarity.score(x, y, "cca-mean") == pytest.approx(canonical_correlations(x, y).mean(), abs=1e-10)


def test_cca_equals_scikit_learn():
    from sklearn.cross_decomposition import CCA

    x, y = pair(2, n=80, p=5, q=3)
    u, v = CCA(n_components=3, max_iter=10_000, tol=1e-12).fit_transform(x, y)
    fitted = [np.corrcoef(a, b)[0, 1] for a, b in zip(u.T, v.T, strict=True)]
    assert similarity.score(x, y, "cca-mean") == pytest.approx(np.mean(fitted), abs=1e-6)


def test_svcca_equals_principal_components_of_scikit_learn_then_cca():
    from sklearn.decomposition import PCA

    x, y = pair(3, n=80, p=20, q=12, noise=0.1)
    kept = []
    for z in (x, y):
        fractions = np.cumsum(PCA().fit(z).explained_variance_ratio_)
        kept.append(PCA(int(np.argmax(fractions >= 0.99)) + 1).fit_transform(z))
    assert {k.shape[1] for k in kept} != {20, 12}
    assert similarity.score(x, y, "svcca-variance=0.99") == pytest.approx(
        canonical_correlations(*kept).mean(), abs=1e-9
    )


def test_angular_procrustes_equals_the_rotation_of_scipy():
    x, y = pair(4, n=30, p=8, q=8)
    a, b = (centred(z) / np.linalg.norm(centred(z)) for z in (x, y))
    rotation, scale = linalg.orthogonal_procrustes(a, b)
    assert similarity.score(x, y, "procrustes-angular") == pytest.approx(np.arccos(scale), abs=1e-10)
    assert np.sum((a @ rotation) * b) == pytest.approx(scale, abs=1e-12)


def test_size_and_shape_equals_the_distance_after_the_rotation_of_scipy():
    x, y = pair(5, n=30, p=8, q=5)
    a, b = centred(x), np.pad(centred(y), ((0, 0), (0, 3)))
    rotation, _ = linalg.orthogonal_procrustes(a, b)
    distance = np.linalg.norm(a @ rotation - b)
    # As in netrep: the alignment that minimises the root of the summed squares.
    assert similarity.score(x, y, "procrustes-size-and-shape") == pytest.approx(distance, abs=1e-9)


def test_size_and_shape_equals_the_bures_wasserstein_distance_of_gaussians_by_pot():
    gaussian = oracle("ot.gaussian")
    x, y = pair(6, n=12, p=15, q=20)
    kernels = [centred(z) @ centred(z).T for z in (x, y)]
    zero = np.zeros(12)
    # POT takes symmetric roots of full-rank matrices; what is added to both has a part of 1e-6 in the result.
    regular = [kernel + 1e-12 * np.trace(kernel) * np.eye(12) for kernel in kernels]
    distance = gaussian.bures_wasserstein_distance(zero, zero, *regular)
    assert similarity.score(x, y, "procrustes-size-and-shape") == pytest.approx(distance, rel=1e-4)


def test_bures_similarity_is_the_cosine_of_angular_procrustes():
    x, y = pair(7)
    bures = similarity.score(x, y, "rsa-distance=euclidean-compare=bures")
    assert np.arccos(bures) == pytest.approx(similarity.score(x, y, "procrustes-angular"), abs=1e-7)


def test_penalised_cca_equals_roots_of_matrices_by_scipy():
    x, y = pair(8, n=60)
    penalised, strengths = [], []
    for z in (centred(x), centred(y)):
        covariance = z.T @ z
        ridge = 0.1 * np.linalg.eigvalsh(covariance)[-1] * np.eye(z.shape[1])
        penalised.append(z @ np.linalg.inv(linalg.sqrtm(covariance + ridge)))
        values = np.sort(np.linalg.eigvalsh(covariance))[::-1]
        strengths.append(np.sqrt(values / (values + 0.1 * values[0])))
    kept = min(x.shape[1], y.shape[1])
    expected = linalg.svdvals(penalised[0].T @ penalised[1]).sum() / (strengths[0][:kept] @ strengths[1][:kept])
    assert similarity.score(x, y, "cca-mean-ridge=0.1") == pytest.approx(expected, abs=1e-9)


def test_held_out_cca_equals_directions_of_scikit_learn():
    from sklearn.cross_decomposition import CCA

    from neurocompare.similarity.canonical import fold_labels

    x, y = pair(9, n=60, p=4, q=3)
    scores = []
    for k in range(5):
        train, test = (fold_labels(60, 5) != k), (fold_labels(60, 5) == k)
        fitted = CCA(n_components=3, max_iter=10_000, tol=1e-12).fit(x[train], y[train])
        u, v = fitted.transform(x[test], y[test])
        scores.append(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(u.T, v.T, strict=True)]))
    assert similarity.score(x, y, "cca-mean-folds=5") == pytest.approx(np.mean(scores), abs=1e-6)


@pytest.mark.parametrize("alpha", ["0.25", "0.5", "1", "0"])
def test_shape_distance_equals_the_formula_of_its_authors(alpha):
    x, y = pair(10, n=40)
    whitened = []
    for z in (centred(x), centred(y)):
        # Scaled first, so that the root mean square of the singular values is one: their formula needs a scale.
        z = z / np.linalg.norm(z) * np.sqrt(z.shape[1])
        root = np.linalg.inv(linalg.sqrtm(z.T @ z))
        whitened.append(z @ (float(alpha) * np.eye(z.shape[1]) + (1 - float(alpha)) * root))
    a, b = (z / np.linalg.norm(z) for z in whitened)
    angle = np.arccos(np.linalg.norm(a.T @ b, "nuc"))
    assert similarity.score(x, y, f"shape-alpha={alpha}") == pytest.approx(angle, abs=1e-9)


def test_fully_whitened_shape_is_canonical_correlation():
    x, y = pair(11, n=40)
    rho = canonical_correlations(x, y)
    assert np.cos(similarity.score(x, y, "shape-alpha=0")) == pytest.approx(rho.sum() / np.sqrt(9 * 6), abs=1e-9)


def test_held_out_angle_equals_rotations_of_scipy_in_each_fold():
    from neurocompare.similarity.alignment import _SEED

    x, y = pair(12, n=40, p=6, q=6)
    order = np.random.default_rng([_SEED, 40, 5]).permutation(40)
    inner, squares = 0.0, np.zeros(2)
    for test in np.array_split(order, 5):
        train = np.setdiff1d(np.arange(40), test)
        means = [z[train].mean(0) for z in (x, y)]
        scales = [np.linalg.norm(z[train] - m) / np.sqrt(len(train)) for z, m in zip((x, y), means, strict=True)]
        a, b = ((z - m) / s for z, m, s in zip((x, y), means, scales, strict=True))
        rotation, _ = linalg.orthogonal_procrustes(a[train], b[train])
        inner += np.sum((a[test] @ rotation) * b[test])
        squares += np.sum(a[test] ** 2), np.sum(b[test] ** 2)
    expected = np.arccos(inner / np.sqrt(squares.prod()))
    assert similarity.score(x, y, "procrustes-angular-folds=5") == pytest.approx(expected, abs=1e-9)


def unit_correlations(x, y):
    return np.corrcoef(x.T, y.T)[: x.shape[1], x.shape[1] :]


@pytest.mark.parametrize(("p", "q"), [(9, 6), (7, 7), (40, 13)])
def test_soft_matching_equals_optimal_transport_by_pot(p, q):
    ot = oracle("ot")
    x, y = pair(13, p=p, q=q)
    correlations = unit_correlations(x, y)
    mass = np.full(p, 1 / p), np.full(q, 1 / q)
    assert similarity.score(x, y, "matching-soft") == pytest.approx(-ot.emd2(*mass, -correlations), abs=1e-9)
    wasserstein = np.sqrt(ot.emd2(*mass, 2 - 2 * correlations))
    assert similarity.score(x, y, "matching-soft-distance") == pytest.approx(wasserstein, abs=1e-8)


def test_one_to_one_matching_equals_assignment_of_scipy():
    x, y = pair(14)
    gain = unit_correlations(x, y)
    rows, columns = optimize.linear_sum_assignment(-gain)
    assert similarity.score(x, y, "matching-one-to-one") == pytest.approx(gain[rows, columns].mean(), abs=1e-12)


def gaussians(trials):
    """Centred means and covariances of the trials of each stimulus."""
    covariances = [np.atleast_2d(np.cov(trials[:, k].T)) for k in range(trials.shape[1])]
    return trials.mean(0) - trials.mean((0, 1)), covariances


def test_stochastic_distance_of_single_units_equals_pot():
    gaussian = oracle("ot.gaussian")
    x, y = repeats(15, 6, 8, 1), repeats(16, 5, 8, 1)
    (means, covariances), (others, other_covariances) = gaussians(x), gaussians(y)
    # A single unit can only be reflected.
    both = [
        np.mean(
            [
                gaussian.bures_wasserstein_distance(m, sign * o, s, t) ** 2
                for m, o, s, t in zip(means, others, covariances, other_covariances, strict=True)
            ]
        )
        for sign in (-1, 1)
    ]
    assert similarity.score(x, y, "stochastic-wasserstein") == pytest.approx(np.sqrt(min(both)), abs=1e-6)


def test_stochastic_distance_is_below_that_of_pot_without_rotation_and_zero_for_a_rotated_recording():
    gaussian = oracle("ot.gaussian")
    x, y = repeats(17, 8, 9, 4), repeats(18, 8, 9, 4)
    (means, covariances), (others, other_covariances) = gaussians(x), gaussians(y)
    plain = np.mean(
        [
            gaussian.bures_wasserstein_distance(m, o, s, t) ** 2
            for m, o, s, t in zip(means, others, covariances, other_covariances, strict=True)
        ]
    )
    assert similarity.score(x, y, "stochastic-wasserstein") < np.sqrt(plain)
    rotation, _ = np.linalg.qr(np.random.default_rng(19).standard_normal((4, 4)))
    assert similarity.score(x, x @ rotation, "stochastic-wasserstein") == pytest.approx(0, abs=1e-3)


def test_matched_parts_equal_cosines_of_scikit_learn_and_angles_of_scipy():
    from sklearn.metrics.pairwise import cosine_similarity

    from neurocompare.similarity import nmf

    rng = np.random.default_rng(20)
    x, y = rng.random((30, 5)), rng.random((30, 4))
    scores = {}
    for match in ("cosine", "subspace"):
        scores[match] = float(nmf.agreement(nmf.prepared(x, match).T @ nmf.prepared(y, match), match))
    cosines = cosine_similarity(x.T, y.T)
    best = cosines[optimize.linear_sum_assignment(-cosines)].sum() / 5
    assert scores["cosine"] == pytest.approx(best, abs=1e-12)
    assert scores["subspace"] == pytest.approx(np.cos(linalg.subspace_angles(x, y)).sum() / 5, abs=1e-10)
