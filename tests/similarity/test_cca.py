"""Canonical correlations: known values, independent computations, invariances, chance, and what is refused."""

import warnings

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cross_decomposition import CCA as SklearnCCA

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.similarity import canonical, cca, pwcca, svcca
from neurocompare.similarity.arrays import Grams

PUBLISHED = (*cca.MEASURES, *svcca.MEASURES, *pwcca.MEASURES)
INFO = {measure: similarity.load(measure).info for measure in PUBLISHED}
IN_SAMPLE = [measure for measure in PUBLISHED if "folds" not in measure]
HELD_OUT = [measure for measure in PUBLISHED if "folds" in measure]
AFFINE = ["cca-mean", "cca-mean-squared", "cca-mean-folds=5"]
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module")
def golden():
    rng = np.random.default_rng(20240501)
    n, p, q = 24, 10, 7
    z = rng.standard_normal((n, 5))
    x = z @ rng.standard_normal((5, p)) + 0.5 * rng.standard_normal((n, p))
    return x, z @ rng.standard_normal((5, q)) + 0.5 * rng.standard_normal((n, q))


def related(seed, n=100, p=9, q=7, shared=3, noise=0.5):
    """Return two noisy views of the same dimensions; the units of both have different variances."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, shared))
    x, y = (z @ rng.standard_normal((shared, k)) + noise * rng.standard_normal((n, k)) for k in (p, q))
    return x * rng.uniform(0.5, 2, p), y * rng.uniform(0.5, 2, q)


def orthonormal(n, k, seed=0):
    """Return centred orthonormal columns."""
    x = np.random.default_rng(seed).standard_normal((n, k))
    return np.linalg.qr(x - x.mean(0))[0]


def planted(rho, scales_x, scales_y, n=60):
    """Return representations whose k-th units correlate by rho[k] and are orthogonal to all others."""
    columns = orthonormal(n, 2 * len(rho))
    a, e = columns[:, : len(rho)], columns[:, len(rho) :]
    return a * scales_x, (a * rho + e * np.sqrt(1 - np.square(rho))) * scales_y


def reduced(measure, x):
    return similarity.load(measure).reduce(Grams.of([x]))[0]


def shuffled_scores(measure, x, y, times, seed=0):
    opened, rng = similarity.load(measure), np.random.default_rng(seed)
    a, b = (opened.reduce(Grams.of([z]))[0] for z in (x, y))
    return np.array([opened.pair(a, opened.permuted(b, rng.permutation(len(y)))) for _ in range(times)])


# ---------------------------------------------------------------- known values


@pytest.mark.parametrize(
    ("measure", "value", "digits"),
    [("cca-mean", 0.7868610625, 10), ("cca-mean-squared", 0.7008192188, 10), ("svcca-variance=0.99", 0.9120151, 7)],
)
def test_score_of_the_fixture(golden, measure, value, digits):
    assert similarity.score(*golden, measure) == pytest.approx(value, abs=10.0**-digits)


def test_components_that_hold_99_percent_of_the_variance_of_the_fixture(golden):
    # Comparing the cumulative fraction with 0.99 of the total variance would leave a single one.
    assert [reduced("svcca-variance=0.99", z).basis.shape[1] for z in golden] == [7, 5]


def test_pwcca_of_the_fixture_follows_its_formula_in_unit_space(golden):
    x, y = (z - z.mean(0) for z in golden)
    qx, qy = (np.linalg.qr(z)[0] for z in (x, y))
    _, rho, v = np.linalg.svd(qx.T @ qy, full_matrices=False)
    weights = np.abs((qy @ v.T).T @ y).sum(1)  # y has fewer units
    expected = np.sum(weights * rho) / np.sum(weights)
    assert expected == pytest.approx(0.9408, abs=5e-5)
    assert similarity.score(*golden, "pwcca") == pytest.approx(expected, abs=1e-12)
    assert similarity.score(*golden[::-1], "pwcca") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", ["cca-mean", "cca-mean-squared", "svcca-variance=1", "svcca-components=6"])
@pytest.mark.parametrize(("k", "p", "q"), [(2, 6, 6), (1, 3, 5), (4, 6, 4)])
def test_shared_dimensions_count_by_their_share(measure, k, p, q):
    columns = orthonormal(40, p + q - k)
    x, y = columns[:, :p], columns[:, p - k :]
    rng = np.random.default_rng(1)
    mixed = [z @ rng.standard_normal((z.shape[1], z.shape[1])) for z in (x, y)]
    assert similarity.score(*mixed, measure) == pytest.approx(k / min(p, q), abs=1e-9)


def test_planted_correlations_are_averaged():
    rho = np.array([0.9, 0.5, 0.3, 0.1])
    x, y = planted(rho, [4.0, 3, 2, 1], [5.0, 1, 1, 2])
    assert similarity.score(x, y, "cca-mean") == pytest.approx(rho.mean(), abs=1e-12)
    assert similarity.score(x, y, "cca-mean-squared") == pytest.approx(np.mean(rho**2), abs=1e-12)
    # Each unit is a canonical direction, whose weight is the norm of that unit of x, the first of two as large.
    assert similarity.score(x, y, "pwcca") == pytest.approx(rho @ [4, 3, 2, 1] / 10, abs=1e-12)
    assert similarity.score(y, x, "pwcca") == pytest.approx(rho @ [5, 1, 1, 2] / 9, abs=1e-12)
    # The penalty is a tenth of the largest sum of squares of each representation.
    a, b = (np.square(s) / (np.square(s) + 0.1 * max(s) ** 2) for s in ([4.0, 3, 2, 1], [5.0, 1, 1, 2]))
    greatest = np.sqrt(np.sort(a)) @ np.sqrt(np.sort(b))
    expected = np.sqrt(a * b) @ rho / greatest
    assert similarity.score(x, y, "cca-mean-ridge=0.1") == pytest.approx(expected, abs=1e-12)


def test_two_single_units_score_their_absolute_correlation():
    x, y = np.random.default_rng(3).standard_normal((2, 20, 1))
    expected = abs(np.corrcoef(x[:, 0], y[:, 0])[0, 1])
    for measure in ("cca-mean", "cca-mean-ridge=0.1", "svcca-components=10", "pwcca"):
        assert similarity.score(x, y, measure) == pytest.approx(expected, abs=1e-12)
    assert similarity.score(x, y, "cca-mean-squared") == pytest.approx(expected**2, abs=1e-12)


@pytest.mark.parametrize(("fraction", "kept"), [("0.5", 1), ("0.51", 2), ("0.8", 2), ("0.99", 3), ("1", 3), ("1.0", 3)])
def test_variance_fractions_keep_as_few_components_as_will_do(fraction, kept):
    x = orthonormal(30, 3) * np.sqrt([0.5, 0.3, 0.2])
    assert reduced(f"svcca-variance={fraction}", 1e3 * x + 5).basis.shape[1] == kept


def test_rounding_does_not_add_a_component():
    for k in range(2, 30):
        x = orthonormal(60, 30, seed=k) @ np.linalg.qr(np.random.default_rng(k).standard_normal((30, 30)))[0]
        assert reduced(f"svcca-variance={k / 30!r}", x).basis.shape[1] == k


def test_equal_variances_are_all_needed_for_99_percent():
    assert reduced("svcca-variance=0.99", orthonormal(118, 30)).basis.shape[1] == 30


def test_truncation_ignores_what_is_left_out():
    rng = np.random.default_rng(5)
    columns = orthonormal(50, 9)
    shared, rest_x, rest_y = columns[:, :3], columns[:, 3:6], columns[:, 6:]
    x = np.hstack([10 * shared, 0.1 * rest_x]) @ np.linalg.qr(rng.standard_normal((6, 6)))[0]
    y = np.hstack([10 * shared[:, ::-1], 0.1 * rest_y])
    for measure in ("svcca-variance=0.99", "svcca-components=3"):
        assert similarity.score(x, y, measure) == pytest.approx(1, abs=1e-12)
    assert similarity.score(x, y, "cca-mean") == pytest.approx(0.5, abs=1e-9)
    assert similarity.score(x, y, "svcca-components=40") == pytest.approx(0.5, abs=1e-9)


# ---------------------------------------------------------------- independent computations


def test_correlations_are_cosines_of_principal_angles():
    x, y = related(1)
    angles = scipy.linalg.subspace_angles(x - x.mean(0), y - y.mean(0))
    assert similarity.score(x, y, "cca-mean") == pytest.approx(np.cos(angles).mean(), abs=1e-12)
    assert similarity.score(x, y, "cca-mean-squared") == pytest.approx(np.mean(np.cos(angles) ** 2), abs=1e-12)


def test_correlations_are_those_of_scikit_learn():
    x, y = related(2, p=5, q=3)
    fitted = SklearnCCA(n_components=3, max_iter=20000, tol=1e-14).fit(x, y)
    a, b = fitted.transform(x, y)
    expected = np.mean([np.corrcoef(a[:, k], b[:, k])[0, 1] for k in range(3)])
    assert similarity.score(x, y, "cca-mean") == pytest.approx(expected, abs=1e-6)


def test_penalised_correlations_solve_the_generalised_eigenproblem():
    x, y = (z - z.mean(0) for z in related(3))
    sx, sy = x.T @ x, y.T @ y
    top = [np.linalg.eigvalsh(s)[::-1] for s in (sx, sy)]
    right = scipy.linalg.block_diag(sx + 0.1 * top[0][0] * np.eye(9), sy + 0.1 * top[1][0] * np.eye(7))
    left = scipy.linalg.block_diag(np.zeros((9, 9)), np.zeros((7, 7)))
    left[:9, 9:], left[9:, :9] = x.T @ y, y.T @ x
    rho = scipy.linalg.eigh(left, right, eigvals_only=True)[::-1][:7]
    greatest = np.prod([np.sqrt(t / (t + 0.1 * t[0]))[:7] for t in top], axis=0).sum()
    assert similarity.score(x, y, "cca-mean-ridge=0.1") == pytest.approx(rho.sum() / greatest, abs=1e-12)


def test_the_ridge_leads_from_cca_to_the_alignment_of_variance():
    x, y = (z - z.mean(0) for z in related(4))
    singular = [np.linalg.svd(z, compute_uv=False)[:7] for z in (x, y)]
    aligned = np.linalg.norm(x.T @ y, "nuc") / np.prod(singular, axis=0).sum()
    assert similarity.score(x, y, "cca-mean-ridge=1e-12") == pytest.approx(similarity.score(x, y, "cca-mean"), abs=1e-9)
    assert similarity.score(x, y, "cca-mean-ridge=1e12") == pytest.approx(aligned, abs=1e-9)


@pytest.mark.parametrize("ridge", [0, 0.1])
def test_held_out_correlations_are_those_of_directions_fitted_on_the_other_stimuli(ridge):
    x, y = related(5)
    labels = canonical.fold_labels(100, 5)
    found = []
    for k in range(5):
        train, test = labels != k, labels == k
        roots, parts = [], []
        for z in (x, y):
            centred = z[train] - z[train].mean(0)
            scatter = centred.T @ centred
            penalty = ridge * np.linalg.eigvalsh(scatter)[-1]
            roots.append(np.real(scipy.linalg.inv(scipy.linalg.sqrtm(scatter + penalty * np.eye(len(scatter))))))
            parts.append(centred)
        u, _, v = np.linalg.svd(roots[0] @ parts[0].T @ parts[1] @ roots[1], full_matrices=False)
        a, b = roots[0] @ u, roots[1] @ v.T
        r = [np.corrcoef(x[test] @ a[:, i], y[test] @ b[:, i])[0, 1] for i in range(7)]
        weights = np.linalg.norm(parts[0] @ a, axis=0) * np.linalg.norm(parts[1] @ b, axis=0)
        found.append(np.average(r, weights=weights))
    measure = "cca-mean-folds=5" if not ridge else "cca-mean-ridge=0.1-folds=5"
    assert similarity.score(x, y, measure) == pytest.approx(np.mean(found), abs=1e-9)


def test_held_out_stimuli_take_no_part_in_the_choice_of_components():
    x, _ = related(6, n=60)
    test = canonical.fold_labels(60, 5) == 2
    moved = x.copy()
    moved[test] = 50 * np.random.default_rng(0).standard_normal(moved[test].shape)
    for measure in ("svcca-variance=0.9-folds=5", "cca-mean-ridge=0.1-folds=5"):
        before, after = (reduced(measure, z).folds[2].train for z in (x, moved))
        np.testing.assert_allclose(np.abs(before.basis), np.abs(after.basis), atol=1e-9)
        assert len(reduced(measure, x).folds) == 5


def test_folds_are_even_and_depend_on_nothing_else():
    labels = canonical.fold_labels(118, 5)
    assert sorted(np.bincount(labels)) == [23, 23, 24, 24, 24]
    np.testing.assert_array_equal(labels, canonical.fold_labels(118, 5))
    assert (labels != np.arange(118) % 5).any()


# ---------------------------------------------------------------- what is declared


def test_all_of_the_family_are_listed():
    assert set(PUBLISHED) <= set(similarity.measures().index)
    assert {m for m in PUBLISHED if "affine" in INFO[m]["invariances"]} == set(AFFINE)
    assert [m for m in PUBLISHED if not INFO[m]["symmetric"]] == ["pwcca"]
    assert [m for m in PUBLISHED if INFO[m]["low"] < 0] == HELD_OUT


def affine(rng, p):
    """Return an invertible matrix of condition number 100."""
    u, v = (np.linalg.qr(rng.standard_normal((p, p)))[0] for _ in range(2))
    return u * np.geomspace(1, 100, p) @ v


@pytest.mark.parametrize("measure", AFFINE)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=seeds)
def test_affine_maps_of_both_change_nothing(measure, seed):
    x, y = related(seed)
    rng = np.random.default_rng(seed)
    moved = [z @ affine(rng, z.shape[1]) + 10 * rng.standard_normal(z.shape[1]) for z in (x, y)]
    assert similarity.score(*moved, measure) == pytest.approx(similarity.score(x, y, measure), abs=1e-9)


@pytest.mark.parametrize("measure", [m for m in PUBLISHED if m != "pwcca"])
@pytest.mark.parametrize("p", [16, 300])
@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=seeds, exponent=st.floats(-6, 6))
def test_rotation_scale_and_translation_change_nothing(measure, p, seed, exponent):
    x, y = related(seed, p=p, noise=0.2)
    if p == 300 and measure in (*AFFINE, "svcca-variance=0.99"):
        return  # void
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((p, p)))[0]
    moved = 10**exponent * (x @ rotation + 10 * rng.standard_normal(p))
    assert similarity.score(moved, y, measure) == pytest.approx(similarity.score(x, y, measure), abs=1e-9)


@pytest.mark.parametrize("measure", [m for m in PUBLISHED if m not in AFFINE])
def test_affine_maps_change_measures_of_variance(measure):
    x, y = related(7, p=12, q=16, noise=0.2)
    moved = x @ affine(np.random.default_rng(1), 12)
    assert abs(similarity.score(moved, y, measure) - similarity.score(x, y, measure)) > 1e-3


def test_pwcca_sees_the_axes_of_the_smaller_representation_and_the_span_of_the_larger():
    x, y = related(8)  # 9 and 7 units
    rng = np.random.default_rng(8)
    score = similarity.score(x, y, "pwcca")
    assert similarity.score(x @ affine(rng, 9) + 3, y, "pwcca") == pytest.approx(score, abs=1e-9)
    moved = 1e3 * y[:, rng.permutation(7)] + rng.standard_normal(7)
    assert similarity.score(x, moved, "pwcca") == pytest.approx(score, abs=1e-9)
    rotation = np.linalg.qr(rng.standard_normal((7, 7)))[0]
    assert abs(similarity.score(x, y @ rotation, "pwcca") - score) > 1e-3


@pytest.mark.parametrize("measure", PUBLISHED)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=seeds, units=st.integers(7, 12))
def test_places_can_change_but_for_pwcca_of_equal_dimensions(measure, seed, units):
    x, y = related(seed, p=units)
    forth, back = similarity.score(x, y, measure), similarity.score(y, x, measure)
    if measure == "pwcca" and units == 7:
        assert abs(forth - back) > 1e-9
    else:
        assert forth == pytest.approx(back, abs=1e-10)


@pytest.mark.parametrize("measure", PUBLISHED)
@pytest.mark.parametrize("units", [12, 150])
def test_a_representation_is_like_itself(measure, units):
    # Few enough dimensions for all measures.
    x, _ = related(9, p=units, noise=0)
    assert similarity.score(x, x, measure) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("measure", [m for m in PUBLISHED if m != "pwcca"])
def test_less_noise_scores_higher(measure):
    scores = [similarity.score(*related(10, n=300, noise=noise), measure) for noise in (0.1, 0.5, 1, 2, 5)]
    assert all(np.diff(scores) < 0)


# ---------------------------------------------------------------- chance


def test_mean_squared_correlation_of_shuffled_stimuli_is_that_of_a_regression():
    # Over all permutations its mean is max(kx, ky) / (n − 1), whatever the data.
    x, y = related(11)
    scores = shuffled_scores("cca-mean-squared", x, y, 2000)
    assert scores.mean() == pytest.approx(9 / 99, abs=5 * scores.std() / np.sqrt(2000))


@pytest.mark.parametrize(("n", "k"), [(60, 10), (118, 10), (118, 40), (1000, 10)])
def test_chance_grows_with_the_dimensions_for_each_stimulus(n, k):
    rng = np.random.default_rng(12)
    scores = [similarity.score(*rng.standard_normal((2, n, k)), "cca-mean") for _ in range(20)]
    # The correlations spread around √(k / (n − 1)), which is the root of their mean square.
    assert 0.8 * np.sqrt(k / (n - 1)) < np.mean(scores) < np.sqrt(k / (n - 1))


@pytest.mark.parametrize("measure", [*HELD_OUT, "svcca-components=2-folds=4"])
def test_held_out_correlations_of_shuffled_stimuli_are_zero_on_average(measure):
    x, y = related(13, n=60, p=6, q=5, noise=1)
    scores = shuffled_scores(measure, x, y, 800)
    assert abs(scores.mean()) < 4 * scores.std() / np.sqrt(800)
    assert similarity.score(x, y, measure) > np.quantile(scores, 0.95)


def test_held_out_correlations_are_zero_on_average_for_more_units_than_stimuli():
    x, y = np.random.default_rng(14).standard_normal((2, 60, 200))
    scores = shuffled_scores("cca-mean-ridge=0.1-folds=5", x, y, 100)
    assert abs(scores.mean()) < 4 * scores.std() / 10
    # With as many effective dimensions there is no telling in the sample itself.
    with pytest.raises(UserError, match="void"):
        similarity.score(x, y, "cca-mean-ridge=0.1")


# ---------------------------------------------------------------- what is refused


def refusal(x, y, measure):
    with pytest.raises(UserError) as refused:
        similarity.score(x, y, measure)
    message = str(refused.value)
    assert "\n" not in message and len(message) < 300
    return message


@pytest.mark.parametrize(
    "measure", ["cca-mean", "cca-mean-squared", "pwcca", "svcca-variance=1", "svcca-components=20"]
)
def test_as_many_dimensions_as_stimuli_are_void(measure):
    rng = np.random.default_rng(15)
    x, y = rng.standard_normal((20, 12)), rng.standard_normal((20, 8))
    message = refusal(x, y, measure)
    assert message.startswith(f"{measure} is void for 12 + 8 dimensions and 20 stimuli")
    assert "use svcca with fewer components" in message and "folds=5" in message and "cka" in message
    assert 0 < similarity.score(x, y[:, :7], measure) < 1
    # They share a direction whatever they hold.
    angles = scipy.linalg.subspace_angles(x - x.mean(0), y - y.mean(0))
    assert np.cos(angles).max() == pytest.approx(1, abs=1e-12)


def test_only_retained_dimensions_count():
    x, y = related(16, n=30, p=80, q=90, noise=0)  # three dimensions each
    assert similarity.score(x, y, "cca-mean") == pytest.approx(1, abs=1e-9)
    x, y = related(16, n=30, p=80, q=90, noise=0.2)
    assert "29 + 29 dimensions and 30 stimuli" in refusal(x, y, "cca-mean")
    assert similarity.score(x, y, "svcca-components=10") < 1


def test_training_stimuli_must_outnumber_dimensions_unless_there_is_a_penalty():
    x, y = np.random.default_rng(17).standard_normal((2, 50, 20))
    assert "20 + 20 dimensions and 40 training stimuli" in refusal(x, y, "cca-mean-folds=5")
    assert abs(similarity.score(x, y[:, :19], "cca-mean-folds=5")) < 1
    assert abs(similarity.score(x, y, "cca-mean-ridge=0.1-folds=5")) < 1


@pytest.mark.parametrize("measure", PUBLISHED)
def test_too_few_stimuli_are_refused(measure):
    minimum = INFO[measure]["minimum_stimuli"]
    x = np.random.default_rng(18).standard_normal((minimum, 1))
    y = np.random.default_rng(19).standard_normal((minimum, 1))
    assert np.isfinite(similarity.score(x, y, measure))
    assert f"at least {minimum} stimuli, got {minimum - 1}" in refusal(x[1:], y[1:], measure)


@pytest.mark.parametrize(
    ("measure", "told"),
    [
        ("cca", "unknown measure 'cca'"),
        ("cca-median", "did you mean cca-mean"),
        ("cca-mean-squared-ridge=0.1", "cca-mean-squared has no options"),
        ("cca-mean-rige=0.1", "did you mean ridge"),
        ("cca-mean-ridge=0", "option 'ridge=0'"),
        ("cca-mean-ridge=nan", "option 'ridge=nan'"),
        ("cca-mean-ridge=inf", "variance of the first principal component"),
        ("cca-mean-folds=1", "a whole number of two or more"),
        ("cca-mean-folds=2.5", "option 'folds=2.5'"),
        ("svcca", "svcca-variance=0.99 or svcca-components=10"),
        ("svcca-variance=0.9-components=3", "svcca-variance=0.99 or svcca-components=10"),
        ("svcca-variance=0", "option 'variance=0'"),
        ("svcca-variance=99", "a fraction above 0 and up to 1"),
        ("svcca-variance=most", "option 'variance=most'"),
        ("svcca-components=0", "a whole number of one or more"),
        ("svcca-component=3", "did you mean components"),
        ("svcca-mean", "unknown measure 'svcca-mean'"),
        ("pwcca-variance=0.99", "unknown measure 'pwcca-variance=0.99'"),
    ],
)
def test_an_unknown_option_is_refused_in_one_line(measure, told):
    x, y = related(0)
    message = refusal(x, y, measure)
    assert told in message and measure in message


def test_pwcca_needs_the_units():
    grams = Grams.of([related(0)[0]])
    with pytest.raises(UserError, match="single units.*use svcca-variance=0.99 instead$"):
        similarity.load("pwcca").reduce(Grams(grams.gram, grams.row_sum, grams.n_units))


@pytest.mark.parametrize("measure", PUBLISHED)
@pytest.mark.parametrize("units", [5, 70])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e4 / 3])
def test_what_does_not_vary_has_no_score(measure, units, value):
    x, _ = related(20, n=40)
    flat = np.full((40, units), value) * np.linspace(1, 2, units)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(similarity.score(flat, x, measure))
        assert np.isnan(similarity.score(x, flat, measure))
        assert np.isnan(similarity.score(flat, flat, measure))


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("measure", IN_SAMPLE)
def test_dependent_units_add_nothing(measure):
    x, y = related(21)
    rng = np.random.default_rng(21)
    wide = np.hstack([x, x[:, :2] @ rng.standard_normal((2, 200))])
    if measure in ("cca-mean", "cca-mean-squared"):
        assert similarity.score(wide, y, measure) == pytest.approx(similarity.score(x, y, measure), abs=1e-9)
    assert reduced(measure, wide).basis.shape[1] <= 9
    twice = np.hstack([x, x])
    assert similarity.score(twice, y, measure) == pytest.approx(similarity.score(x, y, measure), abs=1e-9)


@pytest.mark.parametrize("measure", [m for m in PUBLISHED if m != "pwcca"])
def test_gram_matrices_are_enough(measure):
    x, y = related(22)
    opened = similarity.load(measure)
    grams = Grams.of([x, y])
    a, b = opened.reduce(Grams(grams.gram, grams.row_sum, grams.n_units))
    assert opened.pair(a, b) == pytest.approx(similarity.score(x, y, measure), abs=1e-9)


@pytest.mark.parametrize("measure", PUBLISHED)
@pytest.mark.parametrize("p", [9, 300])
def test_large_offsets_of_units_cost_no_digits(measure, p):
    x, y = related(23, p=p, noise=0.2)
    if p == 300 and measure in ("cca-mean", "cca-mean-squared", "cca-mean-folds=5", "svcca-variance=0.99", "pwcca"):
        return  # void
    offset = 1e5 * np.random.default_rng(23).uniform(0.5, 1.5, p)
    assert similarity.score(x + offset, y, measure) == pytest.approx(similarity.score(x, y, measure), abs=1e-9)


@pytest.mark.parametrize("measure", PUBLISHED)
def test_shuffling_what_is_reduced_is_reducing_what_is_shuffled(measure):
    x, y = (Grams.of([z]) for z in related(24))
    opened, order = similarity.load(measure), np.random.default_rng(24).permutation(100)
    a, b, c = (opened.reduce(g)[0] for g in (x, y, y.take(order)))
    assert opened.pair(a, opened.permuted(b, order)) == pytest.approx(opened.pair(a, c), abs=1e-9)


@pytest.mark.parametrize("measure", PUBLISHED)
def test_many_dimensions_for_the_stimuli_are_pointed_out(measure):
    few, many = (reduced(measure, np.random.default_rng(0).standard_normal((100, p))) for p in (3, 45))
    opened = similarity.load(measure)
    assert opened.warnings(few) == []
    expected = [] if "folds" in measure or measure == "svcca-components=10" else ["few_stimuli_per_dimension"]
    assert opened.warnings(many) == expected


@pytest.mark.parametrize("measure", ["svcca-components=10", "cca-mean-ridge=0.1-folds=5"])
def test_evaluation_has_all_that_belongs_to_a_score(measure):
    x, y = related(25, n=60, p=20, q=15)
    trials = y + np.random.default_rng(25).standard_normal((6, *y.shape))
    found = similarity.evaluate(x, trials, measure, exchangeable="stimulus")
    assert found["value"] == pytest.approx(similarity.score(x, trials, measure), abs=1e-12)
    assert found["p_value"] < 0.01
    assert found["ci_low"] < found["value"] < found["ci_high"]
    assert 0 < found["ceiling_low"] < found["ceiling_high"] <= 1
    assert found["null_mean"] < found["null_high"] < found["ci_low"]
    if "folds" in measure:
        assert abs(found["null_mean"]) < 0.02


def test_halves_of_the_trials_of_a_recording_agree_on_stimuli(real_data):
    # 50 images × 10 repeats × 103 neurons of mouse V1 (Antolík et al. 2016): more neurons than images.
    trials = np.load(real_data / "antolik2016_mouse_v1" / "region1" / "raw_validation_set.npy")
    odd, even = trials[::2].mean(0), trials[1::2].mean(0)
    assert odd.shape == (50, 103)
    assert "49 + 49 dimensions and 50 stimuli" in refusal(odd, even, "cca-mean")
    measure = "cca-mean-ridge=0.1-folds=5"
    null = shuffled_scores(measure, odd, even, 100)
    assert similarity.score(odd, even, measure) > null.max() + 0.1
    assert abs(null.mean()) < 4 * null.std() / 10
