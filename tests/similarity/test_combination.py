"""Mixtures of model RDMs: planted weights, optimality, and stimuli that took part in no fit."""

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from neurocompare.errors import UserError
from neurocompare.similarity import combination, comparators

COMPARATORS = [*comparators.COMPARATORS, *comparators.PAIRWISE]


def distances(x):
    return ((x[:, None] - x[None]) ** 2).mean(2)


def random_rdms(seed, count, n, units=6):
    rng = np.random.default_rng(seed)
    return np.stack([distances(rng.standard_normal((n, units))) for _ in range(count)])


def cells(rdms):
    return rdms[..., *np.triu_indices(rdms.shape[-1], 1)]


def symmetric_noise(seed, shape, size):
    noise = np.triu(np.random.default_rng(seed).standard_normal(shape), 1) * size
    return noise + noise.swapaxes(-1, -2)


@pytest.mark.parametrize("comparator", COMPARATORS)
def test_planted_weights_are_recovered_exactly_without_noise(comparator):
    models = random_rdms(0, 4, 30)
    planted = np.array([[0.5, 0.0, 2.0, 0.1], [0.0, 3.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    targets = np.tensordot(planted, models, 1)
    found = combination.combine(models, targets, combination.stimulus_folds(30, 3, 0), comparator)
    np.testing.assert_allclose(found.weights, np.broadcast_to(planted, (3, 3, 4)), atol=1e-10)
    np.testing.assert_allclose(found.fold_scores, 1, atol=1e-9)
    np.testing.assert_allclose(combination.fit(models, targets, comparator), planted, atol=1e-10)


@pytest.mark.parametrize("comparator", ["pearson", "cosine", "spearman", "whitened-cosine", "tau-a"])
def test_planted_weights_are_recovered_from_noisy_targets(comparator):
    models = random_rdms(1, 3, 40)
    planted = np.array([1.0, 0.0, 0.5])
    clean = np.tensordot(planted, models, 1)
    targets = clean + symmetric_noise(2, (20, 40, 40), cells(clean).std())
    folds = combination.stimulus_folds(40, 4, 0)
    found = combination.combine(models, targets, folds, comparator)
    np.testing.assert_allclose(found.weights.mean((0, 1)), planted, atol=0.1)
    # On held-out stimuli it comes close to the truth, and beats the best single model.
    truth, single = (
        [
            np.mean([comparators.compare(m[pick], y[pick], comparator) for y in targets for pick in held_out(folds)])
            for m in rdms
        ]
        for rdms in (clean[None], models)
    )
    assert truth[0] - 0.03 < found.score.mean() <= truth[0] + 0.01
    assert found.score.mean() > max(single) + 0.01


def held_out(folds):
    return [np.ix_(inside, inside) for inside in (np.flatnonzero(folds == f) for f in np.unique(folds))]


@pytest.mark.parametrize("comparator", ["pearson", "cosine", "whitened-cosine", "whitened-correlation"])
def test_weights_are_the_least_squares_of_the_comparator(comparator):
    # Against another solver, on all cells, with the constant as a free parameter and V written out.
    n = 10
    models, target = random_rdms(3, 5, n), random_rdms(4, 1, n)
    a, b = cells(models).T, cells(target)[0]
    bounds = [0.0] * 5
    if comparator in ("pearson", "whitened-correlation"):
        # The mean goes before whitening does, as in the comparator.
        a, b = a - a.mean(0), b - b.mean()
    if comparator.startswith("whitened"):
        i, j = np.triu_indices(n, 1)
        contrasts = np.eye(n)[i] - np.eye(n)[j]
        root = np.linalg.inv(np.linalg.cholesky((contrasts @ contrasts.T) ** 2))
        a, b = root @ a, root @ b
    expected = lsq_linear(a, b, bounds=(bounds, np.inf), method="bvls", tol=1e-12).x
    found = combination.fit(models, target, comparator)[0]
    assert (found >= 0).all()
    assert (found == 0).any(), "the bound should matter in this test"
    np.testing.assert_allclose(found, expected, atol=1e-8)


@pytest.mark.parametrize("comparator", ["pearson", "whitened-cosine"])
def test_scales_of_models_and_of_targets_do_not_matter(comparator):
    models, targets = random_rdms(5, 3, 20), random_rdms(6, 2, 20)
    targets = targets + models[:2]
    folds = combination.stimulus_folds(20, 3, 0)
    plain = combination.combine(models, targets, folds, comparator)
    scales = np.array([1e-9, 1.0, 1e9])
    scaled = combination.combine(models * scales[:, None, None], 1e5 * targets, folds, comparator)
    np.testing.assert_allclose(scaled.score, plain.score, atol=1e-9)
    np.testing.assert_allclose(scaled.weights, 1e5 * plain.weights / scales, rtol=1e-6, atol=0)


def test_several_targets_are_fitted_each_by_itself():
    models, targets = random_rdms(7, 4, 24), random_rdms(8, 3, 24)
    folds = combination.stimulus_folds(24, 3, 0)
    together = combination.combine(models, targets, folds, "pearson")
    for t in range(3):
        alone = combination.combine(models, targets[t : t + 1], folds, "pearson")
        np.testing.assert_allclose(alone.weights[:, 0], together.weights[:, t], atol=1e-12)
        np.testing.assert_allclose(alone.score[0], together.score[t], atol=1e-12)


def test_the_fit_sees_no_cell_of_a_held_out_stimulus():
    models, targets = random_rdms(9, 3, 20), random_rdms(10, 1, 20)
    folds = combination.stimulus_folds(20, 4, 0)
    plain = combination.combine(models, targets, folds, "pearson")
    touched = targets.copy()
    inside = folds == 0
    touched[:, inside] += 5
    touched[:, :, inside] += 5
    moved = combination.combine(models, touched, folds, "pearson")
    np.testing.assert_allclose(moved.weights[0], plain.weights[0], atol=1e-12)
    assert not np.allclose(moved.weights[1:], plain.weights[1:])
    # And the score of a fold comes from its own stimuli alone.
    touched = targets.copy()
    touched[:, ~inside] = touched[:, :, ~inside] = 1
    moved = combination._held_out(plain.weights[0], models[:, inside][:, :, inside],
                                  touched[:, inside][:, :, inside], "pearson")  # fmt: skip
    np.testing.assert_allclose(moved, plain.fold_scores[0], atol=1e-12)


def scored_on_left_out_cells(models, target, rng, parts=5):
    """The mistake: folds over cells, each of whose stimuli is in other cells."""
    a, b = cells(models).T, cells(target)
    labels = rng.permutation(np.arange(len(b)) % parts)
    scores = []
    for part in range(parts):
        train, test = labels != part, labels == part
        mean = a[train].mean(0)
        weights = lsq_linear(a[train] - mean, b[train] - b[train].mean(), bounds=(0, np.inf)).x
        scores.append(np.corrcoef(a[test] @ weights, b[test])[0, 1])
    return np.mean(scores)


def test_unrelated_models_score_nothing_though_their_cells_leak():
    # The target is noise with stimuli of different strength, as a bright image has in any random population;
    # many models can imitate which stimuli are strong, but not for stimuli that they were not fitted to.
    rng = np.random.default_rng(0)
    leaking, ours = [], []
    for seed in range(20):
        strength = rng.uniform(0.3, 2, (31, 30, 1))
        rdms = np.stack([distances(s * rng.standard_normal((30, 10))) for s in strength])
        leaking.append(scored_on_left_out_cells(rdms[1:], rdms[0], rng))
        folds = combination.stimulus_folds(30, 3, seed)
        ours.append(combination.combine(rdms[1:], rdms[:1], folds, "pearson").score[0])
    assert np.mean(leaking) > 0.3
    assert abs(np.mean(ours)) < 3 * np.std(ours) / np.sqrt(20)
    assert abs(np.mean(ours)) < 0.1


@pytest.mark.parametrize("comparator", ["pearson", "rho-a", "tau-a"])
def test_shuffled_stimuli_score_nothing(comparator):
    models = random_rdms(11, 4, 24)
    targets = np.tensordot([[1.0, 0.5, 0, 0], [0, 0, 1, 1]], models, 1)
    folds = combination.stimulus_folds(24, 3, 0)
    orders = np.random.default_rng(0).permuted(np.tile(np.arange(24), (150, 1)), axis=1)
    null = combination.null(models, targets, folds, orders, comparator)
    assert null.shape == (150, 2)
    assert np.abs(null.mean(0)).max() < 4 * null.std() / np.sqrt(150)
    assert (combination.combine(models, targets, folds, comparator).score > null.max(0)).all()
    for k in (0, 120):
        moved = targets[:, orders[k]][:, :, orders[k]]
        expected = combination.combine(models, moved, folds, comparator).score
        np.testing.assert_allclose(null[k], expected, atol=1e-12)


def test_a_mixture_of_nothing_scores_zero():
    models = random_rdms(12, 1, 16)
    opposite = models.max() - models
    opposite[:, np.arange(16), np.arange(16)] = 0
    folds = combination.stimulus_folds(16, 2, 0)
    found = combination.combine(models, opposite, folds, "pearson")
    assert np.all(found.weights == 0)
    assert np.all(found.fold_scores == 0)


def test_models_and_targets_without_variation():
    models, targets = random_rdms(13, 2, 16), random_rdms(14, 1, 16)
    flat = np.ones((1, 16, 16)) - np.eye(16)
    folds = combination.stimulus_folds(16, 2, 0)
    with_flat = combination.combine(np.concatenate([flat, models]), targets, folds, "pearson")
    np.testing.assert_allclose(
        with_flat.weights[..., 1:], combination.combine(models, targets, folds, "pearson").weights
    )
    assert np.all(with_flat.weights[..., 0] == 0)
    assert np.all(combination.combine(models, flat, folds, "pearson").weights == 0)
    missing = targets.copy()
    missing[0, 3, 7] = missing[0, 7, 3] = np.nan
    assert np.isnan(combination.combine(models, missing, folds, "pearson").score).all()


# Folds


def test_folds_are_even_reproducible_and_seeded():
    folds = combination.stimulus_folds(118, 5, [3, 118])
    assert sorted(np.bincount(folds)) == [23, 23, 24, 24, 24]
    np.testing.assert_array_equal(folds, combination.stimulus_folds(118, 5, [3, 118]))
    assert (folds != combination.stimulus_folds(118, 5, [4, 118])).any()


def test_groups_stay_in_one_fold():
    groups = np.repeat(["a", "b", "c", "d", "e", "f", "g"], [10, 1, 7, 4, 4, 9, 5])
    folds = combination.stimulus_folds(40, 3, 0, groups)
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    assert np.ptp(np.bincount(folds)) <= 4


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: combination.stimulus_folds(10, 11, 0), "folds: 10 stimuli or groups can't be divided into 11 folds"),
        (lambda: combination.stimulus_folds(10, 1, 0), "folds: 10 stimuli or groups can't be divided into 1 folds"),
        (lambda: combination.stimulus_folds(9, 4, 0, np.arange(9) // 3), "folds: 3 stimuli or groups.*ask for 2 to 3"),
        (
            lambda: combination.combine(random_rdms(0, 2, 10), random_rdms(1, 1, 10), np.arange(10) % 4, "pearson"),
            "folds: 3 stimuli in fold 0, but a mixture of RDMs needs at least 4.*make fewer folds",
        ),
        (
            lambda: combination.combine(random_rdms(0, 2, 10), random_rdms(1, 1, 10), np.zeros(10), "pearson"),
            "folds: 0 stimuli outside fold 0",
        ),
    ],
)
def test_folds_that_can_not_be_are_refused_in_one_line(ask, message):
    with pytest.raises(UserError, match=message) as error:
        ask()
    assert "\n" not in str(error.value)
