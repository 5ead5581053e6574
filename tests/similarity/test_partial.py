"""Partial scores against regressions written out, their null, and inputs that make unrelated networks look alike."""

import numpy as np
import pytest
from scipy import stats

from neurocompare import similarity
from neurocompare.inference import resampling
from neurocompare.similarity import comparators, partial
from neurocompare.similarity.embedded import shuffled

COMPARATORS = list(comparators.COMPARATORS)


def distances(x):
    return ((x[:, None] - x[None]) ** 2).mean(2)


def related(seed, n=14, own=1.0, controls=1, ties=False):
    """RDMs of two targets, three candidates and controls, all of which have something of the same input."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 4))
    stacks = []
    for count in (2, 3, controls):
        rdms = [distances(np.hstack([shared, own * rng.standard_normal((n, 3))])) for _ in range(count)]
        stacks.append(np.round(4 * np.array(rdms)) if ties else np.array(rdms))
    return stacks


def cells(rdm):
    return rdm[np.triu_indices(len(rdm), 1)]


def embedded(stacks, comparator):
    return [comparators.embed(stack, comparator) for stack in stacks]


def residual(values, design):
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def written_out(target, candidate, controls, comparator):
    """Regress cells, or their ranks, on those of the controls, and correlate what is left."""
    n = len(target)
    i, j = np.triu_indices(n, 1)
    rows = [cells(m) for m in (target, candidate, *controls)]
    if comparator in ("spearman", "rho-a"):
        rows = [stats.rankdata(row) for row in rows]
    if comparator not in ("cosine", "whitened-cosine"):
        rows = [row - row.mean() for row in rows]
    if comparator.startswith("whitened"):
        contrasts = np.eye(n)[i] - np.eye(n)[j]
        root = np.linalg.inv(np.linalg.cholesky((contrasts @ contrasts.T) ** 2))
        rows = [root @ row for row in rows]
    y, x = (residual(row, np.array(rows[2:]).T) for row in rows[:2])
    return y @ x / np.sqrt((y @ y) * (x @ x))


@pytest.mark.parametrize("comparator", COMPARATORS)
@pytest.mark.parametrize("controls", [1, 3])
def test_partial_scores_are_those_of_residuals(comparator, controls):
    targets, candidates, control_rdms = stacks = related(0, controls=controls)
    found = partial.scores(*embedded(stacks, comparator))
    expected = [[written_out(y, x, control_rdms, comparator) for x in candidates] for y in targets]
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_one_control_gives_the_textbook_formula():
    stacks = related(1)
    y, x, z = (cells(stack[0]) for stack in stacks)
    yx, yz, xz = (np.corrcoef(a, b)[0, 1] for a, b in ((y, x), (y, z), (x, z)))
    expected = (yx - yz * xz) / np.sqrt((1 - yz**2) * (1 - xz**2))
    assert partial.scores(*embedded(stacks, "pearson"))[0, 0] == pytest.approx(expected, abs=1e-12)


def test_controls_that_say_the_same_count_once():
    targets, candidates, controls = related(2)
    expected = partial.scores(*embedded((targets, candidates, controls), "pearson"))
    doubled = np.concatenate([controls, 3 * controls + 2])
    np.testing.assert_allclose(partial.scores(*embedded((targets, candidates, doubled), "pearson")), expected)
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(14), (5, 1)), axis=1)
    nulls = [partial.null(*embedded((targets, candidates, z), "pearson"), orders) for z in (controls, doubled)]
    np.testing.assert_allclose(*nulls, atol=1e-9)


def test_what_the_control_explains_completely_has_no_score():
    targets, candidates, controls = related(3)
    for stacks in ((targets, candidates, candidates[1:2]), (candidates[1:2], targets, candidates[1:2])):
        vectors = embedded(stacks, "pearson")
        for scores in (partial.scores(*vectors), partial.null(*vectors, np.arange(14)[None])[0]):
            gone = np.isnan(scores)
            assert gone.any()
            assert not gone.all() or len(stacks[0]) == 1
    # A control that does not vary has no correlation; where ties earn nothing it explains nothing.
    flat = np.ones((1, 14, 14)) - np.eye(14)
    assert np.isnan(partial.scores(*embedded((targets, candidates, flat), "pearson"))).all()
    assert np.isnan(partial.null(*embedded((targets, candidates, flat), "pearson"), np.arange(14)[None])).all()
    plain = comparators.scores(targets, candidates, "rho-a")
    np.testing.assert_allclose(partial.scores(*embedded((targets, candidates, flat), "rho-a")), plain, atol=1e-12)
    same = partial.null(*embedded((targets, candidates, flat), "rho-a"), np.arange(14)[None])[0]
    np.testing.assert_allclose(same, plain, atol=1e-12)


@pytest.mark.parametrize("comparator", COMPARATORS)
@pytest.mark.parametrize("ties", [False, True])
def test_the_null_of_no_shuffle_is_the_score(comparator, ties):
    vectors = embedded(related(4, controls=2, ties=ties), comparator)
    null = partial.null(*vectors, np.arange(14)[None])
    np.testing.assert_allclose(null[0], partial.scores(*vectors), atol=1e-12)
    assert np.abs(null).max() <= 1


@pytest.mark.parametrize("comparator", ["pearson", "cosine", "spearman", "whitened-correlation"])
def test_the_null_shuffles_what_the_controls_leave(comparator):
    # Freedman & Lane step by step: fitted part plus shuffled residual, then the whole regression again.
    targets, candidates, controls = embedded(related(5, controls=2), comparator)
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(14), (4, 1)), axis=1)
    null = partial.null(targets, candidates, controls, orders)
    design = controls.reshape(2, -1).T
    for order, found in zip(orders, null, strict=True):
        for target, row in zip(targets, found, strict=True):
            left = residual(target.ravel(), design).reshape(14, 14)
            new = target - left + left[np.ix_(order, order)]
            y = residual(new.ravel(), design)
            for candidate, score in zip(candidates, row, strict=True):
                x = residual(candidate.ravel(), design)
                assert score == pytest.approx(y @ x / np.linalg.norm(y) / np.linalg.norm(x), abs=1e-10)


def p_values(seed, n_permutations=99):
    """Plain and partial p-values of a target and a candidate that have nothing but the input in common."""
    vectors = embedded(related(seed, n=16), "pearson")
    orders = np.random.default_rng([seed, 1]).permuted(np.tile(np.arange(16), (n_permutations, 1)), axis=1)
    plain = np.einsum("tij,kij->tk", *vectors[:2]), shuffled(*vectors[:2], orders)
    given = partial.scores(*vectors), partial.null(*vectors, orders)
    return [resampling.p_value(value, null)[0, 0] for value, null in (plain, given)]


def confounded(seed, n=16, n_permutations=99):
    """P-values where both are the control plus noise of their own."""
    rng = np.random.default_rng(seed)
    control = distances(rng.standard_normal((n, 4)))
    scale = 0.7 * cells(control).std()
    own = []
    for _ in range(2):
        rdm = distances(rng.standard_normal((n, 8)))
        own.append(control + (rdm - rdm.mean()) * scale / cells(rdm).std())
    vectors = embedded([m[None] for m in (*own, control)], "pearson")
    orders = rng.permuted(np.tile(np.arange(n), (n_permutations, 1)), axis=1)
    plain = np.einsum("tij,kij->tk", *vectors[:2]), shuffled(*vectors[:2], orders)
    given = partial.scores(*vectors), partial.null(*vectors, orders)
    return [resampling.p_value(value, null)[0, 0] for value, null in (plain, given)]


def test_what_only_a_control_explains_is_rejected_as_often_as_the_level_says():
    p = np.array([confounded(seed) for seed in range(400)])
    plain, given = (p <= 0.05).mean(0)
    assert plain > 0.95
    # 400 tests at 5 %: within three standard errors.
    assert 0.05 - 0.033 < given < 0.05 + 0.033


def test_what_is_shared_beyond_the_control_is_found():
    p = np.array([p_values(seed) for seed in range(20)])
    assert np.median(p[:, 1]) <= 0.05


def test_unrelated_networks_are_not_alike_once_the_pixels_are_out():
    # Random features of the same images have the images' own structure, and nothing else in common.
    rng = np.random.default_rng(0)
    found = []
    for _ in range(10):
        pixels = rng.standard_normal((40, 8)) @ rng.standard_normal((8, 64))
        random = [np.maximum(pixels @ rng.standard_normal((64, 200)) / 8, 0) for _ in range(2)]
        vectors = [comparators.embed(similarity.rdm(x, "euclidean")[None], "pearson") for x in (*random, pixels)]
        kernels = [similarity.rdm(x, "euclidean")[None] for x in (*random, pixels)]
        left = partial.deconfounded(np.concatenate(kernels[:2]), kernels[2])
        plain = np.einsum("tij,kij->", *vectors[:2])
        found.append([plain, partial.scores(*vectors)[0, 0], comparators.compare(*left, "pearson")])
    plain, given, deconfounded = np.mean(found, axis=0)
    assert plain > 0.85
    assert given < plain - 0.2
    assert given == pytest.approx(deconfounded, abs=1e-10)


# Resamples


@pytest.mark.parametrize("comparator", [*COMPARATORS, "tau-a"])
def test_draws_follow_from_the_scores_of_all_pairs(comparator):
    targets, candidates, controls = related(6, n=16, controls=2)
    chosen = np.array([0, 1, 3, 4, 7, 8, 10, 12, 15])
    weights = np.stack([np.ones(16), np.isin(np.arange(16), chosen).astype(float)])
    stacks = targets, candidates, controls
    draws = partial.resampled(*stacks, lambda a, b: comparators.weighted(a, b, weights, comparator))
    whole = partial.resampled(*stacks, lambda a, b: comparators.scores(a, b, comparator))
    pairs = ((targets, candidates), (targets, controls), (candidates, controls), (controls, controls))
    one_by_one = partial.from_scores(*(comparators.scores(a, b, comparator) for a, b in pairs))
    np.testing.assert_allclose(whole, one_by_one, atol=1e-12)
    np.testing.assert_allclose(draws[0], whole, atol=1e-10)
    if comparator == "tau-a":
        return
    part = np.ix_(chosen, chosen)
    expected = [
        [written_out(y[part], x[part], [z[part] for z in controls], comparator) for x in candidates] for y in targets
    ]
    np.testing.assert_allclose(draws[1], expected, atol=1e-9)


def test_partial_tau_a_is_kendalls_formula():
    y, x, z = (stack[:1] for stack in related(7))
    yx, yz, xz = (stats.kendalltau(cells(a[0]), cells(b[0])).statistic for a, b in ((y, x), (y, z), (x, z)))
    expected = (yx - yz * xz) / np.sqrt((1 - yz**2) * (1 - xz**2))
    pairs = ((y, x), (y, z), (x, z), (z, z))
    found = partial.from_scores(*(comparators.scores(a, b, "tau-a") for a, b in pairs))
    assert found[0, 0] == pytest.approx(expected, abs=1e-12)


def test_an_undefined_score_leaves_the_others_alone():
    between = np.array([[[0.5, 0.4]], [[0.5, np.nan]], [[0.5, 0.4]]])
    target_control = np.full((3, 1, 1), 0.3)
    candidate_control = np.full((3, 2, 1), 0.2)
    among = np.array([1, 1, np.nan]).reshape(3, 1, 1)
    defined = np.isfinite(partial.from_scores(between, target_control, candidate_control, among))
    assert defined[:, 0].tolist() == [[True, True], [True, False], [False, False]]


# Deconfounded RDMs and kernels (Cui et al. 2022)


@pytest.mark.parametrize("controls", [1, 2])
def test_pearson_of_deconfounded_rdms_is_the_partial_score(controls):
    targets, candidates, control_rdms = stacks = related(8, controls=controls)
    left = [partial.deconfounded(stack, 1e6 * control_rdms) for stack in (targets, candidates)]
    for stack in left:
        np.testing.assert_allclose(np.einsum("kii->ki", stack), 0)
        np.testing.assert_array_equal(stack, stack.transpose(0, 2, 1))
        # Nothing of the control is left.
        assert np.abs(comparators.scores(stack, control_rdms, "pearson")).max() < 1e-10
    found = comparators.scores(*left, "pearson")
    np.testing.assert_allclose(found, partial.scores(*embedded(stacks, "pearson")), atol=1e-10)


def test_biased_cka_of_deconfounded_kernels_is_the_partial_score():
    rng = np.random.default_rng(9)
    shared = rng.standard_normal((15, 4))
    x, y, z = (np.hstack([shared, rng.standard_normal((15, 3))]) + 5 for _ in range(3))
    kernels = np.stack([m @ m.T for m in (x, y, z)])
    left = partial.deconfounded_kernels(kernels[:2], kernels[2:])
    np.testing.assert_allclose(left.sum(1), 0, atol=1e-9)
    cka = np.sum(left[0] * left[1]) / np.linalg.norm(left[0]) / np.linalg.norm(left[1])
    # The whitened cosine of squared Euclidean RDMs is biased linear CKA.
    rdms = [distances(m)[None] for m in (x, y, z)]
    assert cka == pytest.approx(partial.scores(*embedded(rdms, "whitened-cosine"))[0, 0], abs=1e-10)


def test_nothing_is_left_of_the_control_itself():
    targets, _, controls = related(10)
    both = np.concatenate([2 * controls + 1, targets])
    both[:, np.arange(14), np.arange(14)] = 0
    left = partial.deconfounded(both, controls)
    assert np.all(left[0] == 0)
    assert np.all(partial.deconfounded_kernels(controls, controls) == 0)
    assert np.isnan(comparators.compare(left[0], left[1], "pearson"))
