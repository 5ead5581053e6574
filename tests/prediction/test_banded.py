"""Banded ridge: the same as an independent solver, planted shares recovered, nothing found where nothing is."""

import warnings

import numpy as np
import pytest

from neurocompare.errors import UserError
from neurocompare.prediction import banded, variance
from neurocompare.prediction.banded import Band, Fold, crossed_folds, fit, weightings
from neurocompare.prediction.folds import of_presentations


def folds_of(n, folds=5, inner=4, seed=0):
    return crossed_folds(np.arange(n), None, folds=folds, inner=inner, gap=0, consecutive=False, seed=seed)


def planted(n, correlation, weights, noise, seed=0, size=3):
    """Two bands whose features correlate in pairs, and units that follow both with given weights."""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, size))
    b = correlation * a + np.sqrt(1 - correlation**2) * rng.standard_normal((n, size))
    responses = weights[0] * a + weights[1] * b + noise * rng.standard_normal((n, size))
    return {"a": Band(a), "b": Band(b)}, responses


@pytest.mark.parametrize("n_features", [(4, 3, 2), (60, 40, 50)], ids=["few", "many"])
def test_predictions_are_those_of_himalaya(n_features):
    from himalaya.kernel_ridge import solve_multiple_kernel_ridge_random_search

    rng = np.random.default_rng(1)
    n, train, test = 60, np.arange(45), np.arange(45, 60)
    features = [rng.standard_normal((n, k)) for k in n_features]
    responses = features[0][:, :2] @ rng.standard_normal((2, 7)) + rng.standard_normal((n, 7))
    inner = tuple((np.setdiff1d(train, part), part) for part in np.array_split(train, 3))
    tried, alphas = weightings(3, 6, 0), np.logspace(-2, 3, 6)
    found = fit([Band(z) for z in features], responses, [Fold(train, test, inner)], tried, alphas)

    # Given the same kernels, centred once: its inner folds do not centre again, so ours get features that need none.
    centred = [z[train] - z[train].mean(0) for z in features]
    scales = [np.sqrt((z**2).sum() / len(train)) for z in centred]
    kernels = np.stack([z @ z.T / s**2 for z, s in zip(centred, scales, strict=True)])
    chosen = (found.weights[0], found.penalties[0])
    target = responses[train] - responses[train].mean(0)
    for unit in range(7):
        gamma, alpha = chosen[0][:, unit], chosen[1][unit]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            deltas, dual, _ = solve_multiple_kernel_ridge_random_search(
                kernels,
                target[:, unit : unit + 1],
                n_iter=gamma[None],
                alphas=np.array([alpha]),
                cv=3,
                return_weights="dual",
                progress_bar=False,
            )
        across = [(z[test] - z[train].mean(0)) @ c.T / s**2 for z, c, s in zip(features, centred, scales, strict=True)]
        expected = np.exp(deltas[:, 0])[:, None] * np.stack([k @ dual[:, 0] for k in across])
        np.testing.assert_allclose(found.parts[:, test, unit], expected, atol=1e-8)


def test_the_search_finds_the_weighting_and_penalty_with_the_least_inner_error():
    rng = np.random.default_rng(2)
    n = 40
    features = [rng.standard_normal((n, 3)), rng.standard_normal((n, 30))]
    responses = features[0] @ rng.standard_normal((3, 2)) + rng.standard_normal((n, 2))
    (fold, *_) = folds_of(n)
    tried, alphas = weightings(2, 5, 3), np.logspace(-2, 2, 5)
    found = fit([Band(z) for z in features], responses, [fold], tried, alphas)
    scale = [np.sqrt(((z[fold.train] - z[fold.train].mean(0)) ** 2).sum() / len(fold.train)) for z in features]

    def error(gamma, alpha, unit):
        """Ridge by the normal equations of the scaled features."""
        x = np.hstack([z / s * np.sqrt(g) for z, s, g in zip(features, scale, gamma, strict=True)])
        total = 0.0
        for train, check in fold.inner:
            mean, target = x[train].mean(0), responses[train, unit]
            c = x[train] - mean
            w = np.linalg.solve(c.T @ c + alpha * np.eye(c.shape[1]), c.T @ (target - target.mean()))
            total += ((responses[check, unit] - target.mean() - (x[check] - mean) @ w) ** 2).sum()
        return total

    for unit in range(2):
        table = np.array([[error(gamma, alpha, unit) for alpha in alphas] for gamma in tried])
        g, a = np.unravel_index(table.argmin(), table.shape)
        np.testing.assert_allclose(found.weights[0, :, unit], tried[g])
        assert found.penalties[0, unit] == alphas[a]


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_planted_shares_are_recovered(correlation):
    a, b, noise = 0.8, 0.5, 0.7
    bands, responses = planted(3000, correlation, (a, b), noise)
    found = variance.partition(bands, responses, folds_of(3000), seed=0, search=6)
    whole = a**2 + b**2 + 2 * a * b * correlation + noise**2
    total = variance.share(found.total, found.size)
    np.testing.assert_allclose(total, 1 - noise**2 / whole, atol=0.04)
    # What is left of a band once the other is known.
    unique = np.stack([variance.share(u, found.size) for u in found.unique])
    alone = np.array([a, b]) ** 2 * (1 - correlation**2) / whole
    np.testing.assert_allclose(unique, np.tile(alone[:, None], 3), atol=0.04)
    # The covariance of each part with the response.
    product = np.stack([variance.share(p, found.size) for p in found.product])
    pratt = np.array([a * (a + b * correlation), b * (b + a * correlation)]) / whole
    np.testing.assert_allclose(product, np.tile(pratt[:, None], 3), atol=0.05)
    np.testing.assert_allclose(product.sum(0), total, atol=1e-12)


def test_product_measure_is_that_of_himalaya():
    from himalaya.scoring import r2_score_split

    bands, responses = planted(200, 0.5, (1, 1), 1)
    responses = responses - responses.mean(0)
    found = variance.partition(bands, responses, folds_of(200), seed=0, search=3)
    expected = r2_score_split(responses, found.full.parts)
    np.testing.assert_allclose([variance.share(p, found.size) for p in found.product], expected, atol=1e-12)


def test_two_bands_that_say_the_same_share_all_of_it():
    bands, responses = planted(400, 0.0, (1, 0), 0.5)
    bands["b"] = Band(bands["a"].features @ np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0])
    found = variance.partition(bands, responses, folds_of(400), seed=0, search=4)
    assert (variance.share(found.total, found.size) > 0.7).all()
    for unique in found.unique:
        np.testing.assert_allclose(variance.share(unique, found.size), 0, atol=0.01)


def test_each_unit_has_its_own_weighting_of_the_bands():
    rng = np.random.default_rng(5)
    small, large = rng.standard_normal((120, 5)), rng.standard_normal((120, 300))
    responses = np.column_stack([small[:, 0], large[:, :40].sum(1) / 6]) + 0.3 * rng.standard_normal((120, 2))
    found = fit([Band(small), Band(large)], responses, folds_of(120), weightings(2, 20, 0))
    mean = found.weights.mean(0)
    assert mean[0, 0] > 0.9 > 0.3 > mean[0, 1]


def test_a_useless_band_has_nothing_and_its_null_says_so():
    rng = np.random.default_rng(6)
    n, repeats, p_values = 60, 12, []
    for seed in range(repeats):
        bands, responses = planted(n, 0.0, (1, 0), 1, seed=seed, size=4)
        folds = folds_of(n, folds=4, inner=3)
        found = variance.partition(bands, responses, folds, seed=0, search=2)
        orders = np.stack([rng.permutation(n) for _ in range(19)])
        null = variance.null(bands, responses, found, folds, [orders] * 3, np.arange(4), seed=0, search=2)
        unique = np.array([variance.share(u, found.size) for u in found.unique])
        exceeded = np.median(null["unique"], axis=2) >= np.median(unique, axis=1) - 1e-12
        p_values.append((1 + exceeded.sum(0)) / 20)
        assert null["unique"].shape == null["product"].shape == (19, 2, 4)
        assert null["total"].shape == (19, 4)
    useful, useless = np.transpose(p_values)
    assert (useful <= 0.05).all()
    # Uniform between 1/20 and 1; the mean of twelve stays within four standard errors of a half.
    assert 0.2 < useless.mean() < 0.86


def test_shares_do_not_depend_on_scale_rotation_or_offset_of_features_and_responses():
    rng = np.random.default_rng(7)
    bands, responses = planted(80, 0.4, (1, 0.5), 1)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    other = {"a": Band(5 * bands["a"].features @ turn + 3), "b": Band(bands["b"].features - 100)}
    folds = folds_of(80)
    first = variance.partition(bands, responses, folds, seed=0, search=4)
    second = variance.partition(other, 7 * responses + 2, folds, seed=0, search=4)
    for mine, theirs in ((first.unique, second.unique), (first.product, second.product)):
        for x, y in zip(mine, theirs, strict=True):
            np.testing.assert_allclose(variance.share(x, first.size), variance.share(y, second.size), atol=1e-6)


def test_targets_do_not_depend_on_one_another(monkeypatch):
    bands, responses = planted(50, 0.2, (1, 1), 1, size=6)
    tried, folds = weightings(2, 4, 0), folds_of(50)
    whole = fit(list(bands.values()), responses, folds, tried)
    monkeypatch.setattr(banded, "_TARGETS", 2)
    parts = fit(list(bands.values()), responses, folds, tried)
    np.testing.assert_allclose(parts.parts, whole.parts, atol=1e-10)
    np.testing.assert_array_equal(parts.penalties, whole.penalties)


def test_no_held_out_response_and_no_held_out_feature_reaches_its_prediction():
    bands, responses = planted(60, 0.2, (1, 1), 1)
    bands["a"] = Band(bands["a"].features, standardised=True)
    folds = folds_of(60)
    tried = weightings(2, 3, 0)
    before = fit(list(bands.values()), responses, folds[:1], tried).parts
    changed = responses.copy()
    changed[folds[0].test] += 100
    after = fit(list(bands.values()), changed, folds[:1], tried).parts
    np.testing.assert_array_equal(before, after)
    # The first held-out sample changes nothing in the prediction of the others.
    features = bands["b"].features.copy()
    features[folds[0].test[0]] = 50
    moved = fit([bands["a"], Band(features)], responses, folds[:1], tried).parts
    np.testing.assert_array_equal(before[:, folds[0].test[1:]], moved[:, folds[0].test[1:]])


def test_unknown_features_are_the_mean_and_constant_bands_predict_nothing():
    bands, responses = planted(60, 0.0, (1, 0), 0.2)
    folds, tried = folds_of(60), weightings(2, 3, 0)
    holes = bands["a"].features.copy()
    holes[folds[0].test] = np.nan
    found = fit([Band(holes), Band(np.full((60, 2), 3.0))], responses, folds, tried)
    np.testing.assert_array_equal(found.parts[0, folds[0].test], 0)
    np.testing.assert_array_equal(found.parts[1], 0)
    assert np.abs(found.parts[0, folds[1].test]).min() > 0


def test_a_unit_that_never_changes_is_undefined():
    bands, responses = planted(60, 0.0, (1, 0), 0.2)
    responses[:, 1] = 0.1
    found = variance.partition(bands, responses, folds_of(60), seed=0, search=2)
    assert np.isnan(variance.share(found.total, found.size)).tolist() == [False, True, False]


def test_resampled_shares_are_those_of_the_resampled_samples():
    bands, responses = planted(40, 0.0, (1, 1), 1)
    found = variance.partition(bands, responses, folds_of(40), seed=0, search=2)
    index = np.random.default_rng(0).integers(40, size=40)
    weights = np.bincount(index, minlength=40)[None].astype(float)
    y, predicted = (responses - responses.mean(0))[index], found.full.parts.sum(0)[index]
    expected = 1 - ((y - predicted) ** 2).sum(0) / (y**2).sum(0)
    np.testing.assert_allclose(variance.share(found.total, found.size, weights)[0], expected, atol=1e-12)


@pytest.mark.parametrize("n_features", [2, 80], ids=["primal", "dual"])
def test_weights_reproduce_the_predictions(n_features):
    rng = np.random.default_rng(8)
    features = [rng.standard_normal((50, n_features)), rng.standard_normal((50, 3))]
    responses = features[0][:, :2] + 0.1 * rng.standard_normal((50, 2))
    inner = [(np.setdiff1d(np.arange(50), part), part) for part in np.array_split(np.arange(50), 5)]
    tried, alphas = weightings(2, 4, 0), np.logspace(-2, 2, 5)
    dual, strength = banded.dual_weights([Band(z) for z in features], responses, inner, tried, alphas)
    centred = [z - z.mean(0) for z in features]
    fitted = fit(
        [Band(z) for z in features], responses, [Fold(np.arange(50), np.arange(50), tuple(inner))], tried, alphas
    )
    for k, z in enumerate(centred):
        np.testing.assert_allclose(strength[k] * (z @ z.T @ dual), fitted.parts[k], atol=1e-8)


def test_weightings_are_seeded_and_hold_the_equal_one_and_each_band_alone():
    tried = weightings(3, 10, 4)
    np.testing.assert_allclose(tried.sum(1), 1)
    np.testing.assert_allclose(tried[0], 1 / 3)
    np.testing.assert_array_equal(tried[1:4], np.eye(3))
    np.testing.assert_array_equal(tried, weightings(3, 10, 4))
    assert not np.array_equal(tried, weightings(3, 10, 5))


def crossed(n_stimuli=20, n_blocks=6, gap=0, **options):
    """A design in which every stimulus is shown once in every block."""
    rng = np.random.default_rng(0)
    stimulus = np.concatenate([rng.permutation(n_stimuli) for _ in range(n_blocks)])
    block = np.repeat(np.arange(n_blocks), n_stimuli)
    settings = {"folds": 4, "inner": 5, "consecutive": False, "seed": 0} | options
    return stimulus, block, settings | {"gap": gap}


@pytest.mark.parametrize("gap", [0, 3])
def test_neither_a_stimulus_nor_a_block_is_on_both_sides(gap):
    stimulus, block, settings = crossed(gap=gap)
    found = crossed_folds(stimulus, block, **settings)
    tested = np.concatenate([fold.test for fold in found])
    assert sorted(tested) == list(range(120)), "every trial is tested once"
    for fold in found:
        held = np.flatnonzero(np.isin(block, block[fold.test]))
        for train, test in [(fold.train, fold.test), *fold.inner]:
            assert len(train) and len(test)
            assert not set(stimulus[train]) & set(stimulus[test])
            assert not set(block[train]) & set(block[test])
        assert all(set(fit_to) | set(check) <= set(fold.train) for fit_to, check in fold.inner)
        assert np.abs(fold.train[:, None] - held).min() > gap


def test_either_may_be_held_out_alone():
    stimulus, block, settings = crossed()
    for fold in crossed_folds(stimulus, None, **settings):
        assert not set(stimulus[fold.train]) & set(stimulus[fold.test])
        assert set(block[fold.train]) == set(block)
    for fold in crossed_folds(None, block, **settings):
        assert not set(block[fold.train]) & set(block[fold.test])
        assert len(set(stimulus[fold.train])) == 20
        assert np.ptp(block[fold.test]) == len(set(block[fold.test])) - 1, "blocks that follow one another"


def test_held_out_blocks_are_those_of_the_splitter_for_presentations():
    _, block, settings = crossed(gap=3, folds=3)
    expected = of_presentations(block, 3, order="chronological", gap=3)
    for mine, (train, test) in zip(crossed_folds(None, block, **settings), expected, strict=True):
        np.testing.assert_array_equal(mine.train, train)
        np.testing.assert_array_equal(mine.test, test)


def test_consecutive_stimuli_are_held_out_together():
    stimulus, block, settings = crossed(consecutive=True)
    for fold in crossed_folds(stimulus, None, **settings):
        held = np.unique(stimulus[fold.test])
        assert np.ptp(held) == len(held) - 1


@pytest.mark.parametrize(
    ("stimulus", "block", "said"),
    [
        (np.arange(20), np.arange(20) // 10, "hold_out: blocks are held out, and the recording has 2"),
        (np.arange(20) % 3, None, "folds: 4 folds of 3 stimuli; use fewer"),
        (np.arange(12), np.arange(12) // 4, "leaves nothing to train on; use a shorter one"),
    ],
    ids=["blocks", "stimuli", "gap"],
)
def test_designs_that_can_t_be_split_are_refused_in_one_line(stimulus, block, said):
    with pytest.raises(UserError, match=said) as caught:
        crossed_folds(stimulus, block, folds=4, inner=3, gap=10, consecutive=False, seed=0)
    assert "\n" not in str(caught.value)
