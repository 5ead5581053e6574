"""Comparisons of RDMs against rsatoolbox and SciPy, with and without ties."""

import numpy as np
import pytest
from oracles import pair, rsatoolbox_compare
from scipy import stats

from neurocompare import similarity
from neurocompare.similarity import combination, comparators, partial, whitening

SAME = {
    "cosine": "cosine",
    "pearson": "corr",
    "spearman": "spearman",
    "rho-a": "rho-a",
    "tau-a": "tau-a",
    "whitened-cosine": "cosine_cov",
    "whitened-correlation": "corr_cov",
    "bures": "bures",
}


def ours(x, y, comparator):
    return comparators.compare(*rdms(x, y), comparator)


def rdms(x, y):
    return similarity.rdm(x, "euclidean"), similarity.rdm(y, "euclidean")


def covariance(n, seed=4):
    """Draw the covariance of the noise between conditions."""
    a = np.random.default_rng(seed).standard_normal((n, 2 * n))
    return a @ a.T / n


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("comparator", SAME)
def test_comparator_equals_rsatoolbox(comparator, tied):
    x, y = pair(1)
    if tied:
        # Whole numbers from a small range give many equal distances.
        x, y = np.round(x / 2), np.round(y / 2)
        assert len(np.unique(similarity.rdm(x, "euclidean"))) < 100
    # Roots of eigenvalues that are zero but for rounding are in its Bures similarity.
    accuracy = 1e-7 if comparator == "bures" else 1e-9
    assert ours(x, y, comparator) == pytest.approx(rsatoolbox_compare(*rdms(x, y), SAME[comparator]), abs=accuracy)


def test_ranks_equal_scipy():
    x, y = (np.round(z) for z in pair(2))
    cells = [rdm[np.triu_indices(len(rdm), 1)] for rdm in rdms(x, y)]
    assert ours(x, y, "spearman") == pytest.approx(stats.spearmanr(*cells).statistic, abs=1e-12)
    # SciPy has tau-b; without its correction for ties it is tau-a.
    n = len(cells[0])
    untied = [n * (n - 1) / 2 - sum(k * (k - 1) / 2 for k in np.unique(c, return_counts=True)[1]) for c in cells]
    tau_a = stats.kendalltau(*cells).statistic * np.sqrt(np.prod(untied)) / (n * (n - 1) / 2)
    assert ours(x, y, "tau-a") == pytest.approx(tau_a, abs=1e-12)


def test_pearson_and_cosine_equal_scipy():
    x, y = pair(3)
    cells = [rdm[np.triu_indices(len(rdm), 1)] for rdm in rdms(x, y)]
    assert ours(x, y, "pearson") == pytest.approx(stats.pearsonr(*cells).statistic, abs=1e-12)
    cosine = cells[0] @ cells[1] / np.sqrt(cells[0] @ cells[0] * (cells[1] @ cells[1]))
    assert ours(x, y, "cosine") == pytest.approx(cosine, abs=1e-12)


@pytest.mark.parametrize(
    ("comparator", "theirs"), [("whitened-cosine", "cosine_cov"), ("whitened-correlation", "corr_cov")]
)
def test_comparator_with_correlated_conditions_equals_rsatoolbox_and_the_matrix_of_all_cells(comparator, theirs):
    x, y = rdms(*pair(5, n=12))
    sigma = covariance(12)
    score = whitening.whitened(x, y, sigma, comparator)
    # It solves to five digits.
    assert score == pytest.approx(rsatoolbox_compare(x, y, theirs, sigma_k=sigma), abs=1e-5)
    assert score == pytest.approx(whitened_by_all_cells(x, y, sigma, comparator), abs=1e-10)


def whitened_by_all_cells(x, y, sigma, comparator):
    i, j = np.triu_indices(len(x), 1)
    contrasts = np.eye(len(x))[i] - np.eye(len(x))[j]
    v = (contrasts @ sigma @ contrasts.T) ** 2
    a, b = (z[i, j] - (z[i, j].mean() if comparator.endswith("correlation") else 0) for z in (x, y))
    inner = [s @ np.linalg.solve(v, t) for s, t in ((a, b), (a, a), (b, b))]
    return inner[0] / np.sqrt(inner[1] * inner[2])


def test_partial_score_equals_the_correlation_of_residuals():
    x, y, z = (similarity.rdm(r, "euclidean") for r in (*pair(6), pair(7)[0]))
    upper = np.triu_indices(len(x), 1)
    residuals = []
    for rdm in (x, y):
        slope, intercept, *_ = stats.linregress(z[upper], rdm[upper])
        residuals.append(rdm[upper] - slope * z[upper] - intercept)
    score = partial.scores(*(comparators.embed(rdm[None], "pearson") for rdm in (x, y, z)))
    assert score[0, 0] == pytest.approx(stats.pearsonr(*residuals).statistic, abs=1e-10)


def test_weighted_combination_equals_non_negative_regression_of_scikit_learn():
    from sklearn.linear_model import LinearRegression

    target, *models = (similarity.rdm(r, "euclidean") for r in (*pair(8), *pair(9)))
    upper = np.triu_indices(len(target), 1)
    design = np.stack([model[upper] for model in models], axis=1)
    for comparator, intercept in (("cosine", False), ("pearson", True)):
        expected = LinearRegression(positive=True, fit_intercept=intercept).fit(design, target[upper]).coef_
        fitted = combination.fit(np.stack(models), target[None], comparator)[0]
        np.testing.assert_allclose(fitted, expected, atol=1e-10)
