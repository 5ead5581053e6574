"""Variances, degrees of freedom and coverage of intervals over stimuli and animals."""

import numpy as np
import pytest
from scipy import stats

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.inference import resampling, twofactor
from neurocompare.similarity.arrays import Grams


def additive(rng, animals, n, *, stimuli=1.0, between=1.0, noise=1.0):
    """One number per animal and stimulus, from effects of both and noise of each pair."""
    return (
        between * rng.standard_normal((animals, 1))
        + stimuli * rng.standard_normal((1, n))
        + noise * rng.standard_normal((animals, n))
    )


def mean_and_draws(x, n_draws=200, name="a"):
    weights = resampling.plan(name, x.shape[1], "stimulus", bootstraps=n_draws).weights / x.shape[1]
    return x.mean(1), weights @ x.T


def exact(x):
    """Values and draws whose variances over draws are just those of all bootstrap samples, for a mean over stimuli."""
    n = x.shape[1]
    centred = (x - x.mean(1, keepdims=True)) / n
    # n directions with the covariance of multinomial weights, each taken forwards and backwards.
    draws = np.concatenate([centred.T, -centred.T]) * np.sqrt(n)
    return x.mean(1), x.mean(1) + draws * np.sqrt((2 * n - 1) / (2 * n))


def test_the_correction_makes_the_variance_of_a_mean_unbiased():
    rng = np.random.default_rng(0)
    for n in (5, 6, 20):
        x = rng.standard_normal((4000, n))
        for scheme in ("bootstrap", "halves"):
            if scheme == "bootstrap":
                weights = rng.multinomial(n, np.full(n, 1 / n), size=400) / n
            else:
                weights = rng.permuted(np.tile(np.arange(n) < n // 2, (400, 1)), axis=1) / (n // 2)
            found = (x @ weights.T).var(1, ddof=1).mean() * twofactor.correction(n, scheme)
            assert found == pytest.approx(1 / n, rel=0.05), (n, scheme)


def test_variances_are_those_of_resampling_by_brute_force():
    rng = np.random.default_rng(1)
    animals, n = 4, 9
    x = additive(rng, animals, n)
    parts = twofactor.variances(*exact(x), n)
    drawn_stimuli = rng.integers(n, size=(40_000, n))
    drawn_animals = rng.integers(animals, size=(40_000, animals))
    over_stimuli = x.mean(0)[drawn_stimuli].mean(1).var()
    over_animals = x.mean(1)[drawn_animals].mean(1).var()
    pairs = zip(drawn_animals, drawn_stimuli, strict=True)
    over_both = np.var([x[a[:, None], s].mean() for a, s in pairs])
    assert parts.stimuli * (n - 1) / n == pytest.approx(over_stimuli, rel=0.04)
    assert parts.animals * (animals - 1) / animals == pytest.approx(over_animals, rel=0.04)
    excess = over_both - over_stimuli - over_animals
    smaller = (n - 1) / n * (animals - 1) / animals
    assert parts.interaction * smaller == pytest.approx(excess, abs=0.05 * over_both)


@pytest.mark.parametrize("animals", [2, 3, 5, 12])
@pytest.mark.parametrize(("stimuli", "between", "noise"), [(1, 1, 1), (2, 0, 1), (0, 0.5, 2)])
def test_the_combined_variance_is_unbiased_but_for_its_bound(animals, stimuli, between, noise):
    rng = np.random.default_rng(2)
    n = 15
    found = []
    for _ in range(600):
        parts = twofactor.variances(*exact(additive(rng, animals, n, stimuli=stimuli, between=between, noise=noise)), n)
        found.append(parts.stimuli + parts.animals - parts.interaction)
    truth = stimuli**2 / n + between**2 / animals + noise**2 / (n * animals)
    assert np.mean(found) == pytest.approx(truth, abs=4 * np.std(found) / np.sqrt(600))


def test_the_bounds_and_the_degrees_of_freedom():
    n, animals = 30, 4
    rng = np.random.default_rng(3)
    for stimuli, between, noise, expected in ((0, 1, 0, animals - 1), (1, 0, 0, n - 1)):
        x = additive(rng, animals, n, stimuli=stimuli, between=between, noise=noise)
        values, draws = mean_and_draws(x, 4000)
        found = twofactor.estimate(values, draws, n)
        assert found.degrees_of_freedom == pytest.approx(expected, rel=0.02)
    for _ in range(50):
        x = additive(rng, animals, n, stimuli=0.3, between=0.02)
        values, draws = mean_and_draws(x)
        parts, found = twofactor.variances(values, draws, n), twofactor.estimate(values, draws, n)
        square = found.standard_error**2
        assert square >= max(parts.stimuli, parts.animals) - 1e-12
        assert square <= parts.stimuli + parts.animals + parts.interaction + 1e-12
        assert found.degrees_of_freedom >= animals - 1


def test_one_animal_is_a_claim_about_stimuli_and_is_the_interval_of_a_mean():
    rng = np.random.default_rng(4)
    x = additive(rng, 1, 25)
    values, draws = exact(x)
    found = twofactor.estimate(values, draws, 25)
    assert (found.claim, found.flag) == ("stimuli", "one_animal")
    assert found.standard_error == pytest.approx(stats.sem(x[0]))
    # 50 draws leave a little more uncertainty than the 25 stimuli do.
    assert found.degrees_of_freedom == pytest.approx(1 / (1 / 24 + 1 / 49))
    reach = stats.t.ppf(0.975, found.degrees_of_freedom) * stats.sem(x[0])
    np.testing.assert_allclose([found.low, found.high], [x.mean() - reach, x.mean() + reach])
    p = 2 * stats.t.sf(abs(x.mean()) / stats.sem(x[0]), found.degrees_of_freedom)
    assert found.p_value == pytest.approx(p)


@pytest.mark.parametrize(("animals", "flag"), [(2, "few_animals"), (4, "few_animals"), (5, ""), (9, "")])
def test_few_animals_are_flagged(animals, flag):
    values, draws = exact(additive(np.random.default_rng(5), animals, 20))
    found = twofactor.estimate(values, draws, 20)
    assert (found.claim, found.flag) == ("stimuli and animals", flag)
    found = twofactor.estimate(values, draws, 20, animals=False)
    assert (found.claim, found.flag) == ("stimuli", "")
    assert found.standard_error == pytest.approx(np.sqrt(twofactor.variances(values, draws, 20).stimuli))


@pytest.mark.parametrize(("animals", "low", "high"), [(1, 0.93, 0.975), (5, 0.925, 0.985), (3, 0.9, 0.985)])
def test_intervals_cover_new_stimuli_and_animals(animals, low, high):
    rng = np.random.default_rng(6)
    covered = []
    for _ in range(1000):
        x = additive(rng, animals, 20, between=0.3 * (animals > 1))
        found = twofactor.estimate(*exact(x), 20)
        covered.append(found.low <= 0 <= found.high)
    assert low < np.mean(covered) < high


@pytest.mark.parametrize("animals", [2, 3, 4])
@pytest.mark.parametrize("between", [0.2, 1.0])
def test_few_animals_are_cautious_rather_than_overconfident(animals, between):
    rng = np.random.default_rng(15)
    covered, degrees = [], []
    for _ in range(600):
        found = twofactor.estimate(*exact(additive(rng, animals, 20, between=between, noise=0.5)), 20)
        covered.append(found.low <= 0 <= found.high)
        degrees.append(found.degrees_of_freedom)
    assert 0.925 < np.mean(covered) < 0.997
    # From those of the animals alone to those of the stimuli alone, which draws lower a little.
    assert animals - 1 - 1e-3 <= min(degrees) <= max(degrees) <= 19


def test_forgetting_either_factor_covers_too_little():
    rng = np.random.default_rng(7)
    covered = np.zeros(3)
    for _ in range(250):
        values, draws = exact(additive(rng, 6, 20, stimuli=1, between=0.5))
        one, both = (twofactor.estimate(values, draws, 20, animals=animals) for animals in (False, True))
        covered += [one.low <= 0 <= one.high, stats.ttest_1samp(values, 0).pvalue > 0.05, both.low <= 0 <= both.high]
    assert np.all(covered[:2] / 250 < 0.9)
    assert covered[2] / 250 > 0.92


def test_differences_are_paired():
    rng = np.random.default_rng(8)
    shared = additive(rng, 5, 30, stimuli=3, between=3)
    candidates = [shared + 0.1 * rng.standard_normal((5, 30)) + shift for shift in (0, 0.2, 0)]
    both = [mean_and_draws(x) for x in candidates]
    values, draws = np.stack([v for v, _ in both], axis=1), np.stack([d for _, d in both], axis=2)
    indices, found = twofactor.pairs(values, draws, 30)
    assert indices == [(0, 1), (0, 2), (1, 2)]
    for k, (i, j) in enumerate(indices):
        alone = twofactor.estimate(values[:, i] - values[:, j], draws[..., i] - draws[..., j], 30)
        assert found.p_value[k] == pytest.approx(alone.p_value)
        assert found.value[k] == pytest.approx(values[:, i].mean() - values[:, j].mean())
    assert found.p_value[0] < 1e-4
    assert found.p_value[1] > 0.01
    # Each score by itself is far more uncertain than the difference.
    assert twofactor.estimate(values, draws, 30).standard_error.min() > 20 * found.standard_error.max()
    assert twofactor.pairs(values[:, :1], draws[..., :1], 30) == ([], None)


def test_equal_candidates_do_not_differ():
    values, draws = exact(additive(np.random.default_rng(9), 3, 12))
    _, found = twofactor.pairs(np.stack([values] * 2, axis=1), np.stack([draws] * 2, axis=2), 12)
    assert found.p_value[0] == 1
    assert (found.low[0], found.high[0]) == (0, 0)


def test_undefined_draws_are_left_out_until_they_are_too_many():
    values, draws = mean_and_draws(additive(np.random.default_rng(10), 3, 12), 100)
    draws = np.stack([draws] * 3, axis=2)
    values = np.stack([values] * 3, axis=1)
    draws[:50, 0, 1], draws[:51, 0, 2] = np.nan, np.nan
    found = twofactor.estimate(values, draws, 12)
    assert np.isfinite(found.standard_error).tolist() == [True, True, False]
    part = twofactor.estimate(values[:, 1], draws[50:, :, 0], 12, animals=False)
    assert twofactor.variances(values, draws, 12).stimuli[1] == pytest.approx(part.standard_error**2)
    assert np.isnan(found.p_value[2])


def of_pairs(x, weights):
    """Mean product of pairs of different stimuli, in draws: x (recording, stimulus), weights (draw, stimulus)."""
    products = (weights @ x.T) ** 2 - weights**2 @ x.T**2
    return products / (weights.sum(1) ** 2 - (weights**2).sum(1))[:, None]


@pytest.mark.parametrize("mean", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("scheme", ["bootstrap", "halves"])
def test_what_only_pairs_of_stimuli_do_is_counted_once(mean, scheme):
    n = 30
    rng = np.random.default_rng(11)
    x = mean + rng.standard_normal((1500, n))
    if scheme == "bootstrap":
        weights = rng.multinomial(n, np.full(n, 1 / n), size=300)
    else:
        weights = rng.permuted(np.tile(np.arange(n) < n // 2, (300, 1)), axis=1).astype(float)
    value, draws, left_out = (of_pairs(x, w)[:, None] for w in (np.ones((1, n)), weights, 1 - np.eye(n)))
    single, pairs = 4 * mean**2 / n, 2 / (n * (n - 1))
    assert value.var() == pytest.approx(single + pairs, rel=0.1)
    drawn = twofactor.variances(value[0], draws, n, scheme).stimuli
    found = twofactor.variances(value[0], draws, n, scheme, left_out, weights).stimuli
    assert drawn.mean() == pytest.approx(single + 3 * pairs, rel=0.15)
    if mean:
        assert found.mean() == pytest.approx(single + pairs, rel=0.15)
    else:
        # Where single stimuli do nothing, the bound holds it up: too wide rather than too narrow.
        assert pairs < found.mean() < 2 * pairs
    jackknife = (n - 1) / n * ((left_out - left_out.mean(0)) ** 2).sum(0)[0]
    assert jackknife.mean() == pytest.approx(single + 2 * pairs, rel=0.1)
    within = (found >= jackknife / 2 - 1e-12) & (found <= jackknife + 1e-12)
    # Where by chance no stimulus has any influence, the draws alone remain.
    assert np.all(within | np.isclose(found, drawn))
    assert np.mean(within) > (0.97 if mean else 0.85)


def test_for_a_mean_over_stimuli_nothing_changes():
    rng = np.random.default_rng(12)
    x = additive(rng, 3, 14)
    weights = resampling.plan("a", 14, "stimulus", bootstraps=400).weights
    draws, left_out = weights / 14 @ x.T, (x.sum(1) - x.T) / 13
    found = twofactor.variances(x.mean(1), draws, 14, "bootstrap", left_out, weights)
    expected = twofactor.variances(*exact(x), 14)
    # Exactly the variance of a mean, and no error of Monte Carlo is left.
    np.testing.assert_allclose(found[:3], expected[:3], rtol=1e-9)
    assert found.degrees <= 13 + 1e-9
    assert found.degrees < found.interaction_degrees <= 26 + 1e-9


def test_a_few_stimuli_with_great_influence_leave_few_degrees_of_freedom():
    n = 40
    rng = np.random.default_rng(16)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=200)
    covered, degrees = {}, {}
    for heavy in (False, True):
        x = rng.standard_normal((2000, n)) if not heavy else rng.standard_t(3, (2000, n))
        draws, left_out = weights / n @ x.T, (x.sum(1) - x.T) / (n - 1)
        found = twofactor.estimate(x.mean(1)[None], draws[:, None], n, left_out=left_out[:, None], weights=weights)
        assert np.mean(found.standard_error**2) == pytest.approx(x.var() / n, rel=0.1)
        covered[heavy] = np.mean((found.low <= 0) & (found.high >= 0))
        degrees[heavy] = 2 * np.mean(found.standard_error**2) ** 2 / np.var(found.standard_error**2)
        assert np.median(found.degrees_of_freedom) <= n - 1
        if heavy:
            assert np.median(found.degrees_of_freedom) < 0.75 * (n - 1)
    assert degrees[True] < 0.5 * degrees[False]
    assert all(0.935 < share < 0.97 for share in covered.values())


def test_the_interaction_of_pairs_is_counted_once_as_well():
    n, animals = 24, 3
    rng = np.random.default_rng(13)
    x = 1.5 + rng.standard_normal((1500, 1, n)) + rng.standard_normal((1500, animals, n))
    weights = rng.multinomial(n, np.full(n, 1 / n), size=200)
    flat = x.reshape(-1, n)
    value, draws, left_out = (
        np.swapaxes(of_pairs(flat, w).reshape(-1, 1500, animals), 1, 2)
        for w in (np.ones((1, n)), weights, 1 - np.eye(n))
    )
    found = twofactor.estimate(value[0], draws, n, left_out=left_out, weights=weights)
    assert np.mean(found.standard_error**2) == pytest.approx(value[0].mean(0).var(), rel=0.15)
    # Different stimuli have nothing in common but the mean.
    covered = (found.low <= 2.25) & (found.high >= 2.25)
    assert 0.92 < covered.mean() < 0.985


def test_options_are_those_of_the_draws_of_a_plan():
    plan = resampling.plan("a", 18, "stimulus", bootstraps=50)
    left_out = np.zeros((18, 2))
    found = twofactor.options(plan, "bootstrap", left_out, 40)
    np.testing.assert_array_equal(found["weights"], plan.weights[:40])
    halves = twofactor.options(plan, "halves", left_out)["weights"]
    for row, subset in zip(halves, plan.subsets, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(row), subset)
    assert twofactor.options(plan, "halves") == {"scheme": "halves"}
    # Stimuli of a block are drawn together: to leave out single ones would be no jackknife.
    blocks = resampling.plan("a", 18, "block", block=np.repeat(np.arange(6), 3), bootstraps=50)
    assert twofactor.options(blocks, "bootstrap", left_out) == {"scheme": "bootstrap"}


def test_a_measure_that_is_void_without_a_stimulus_falls_back_on_its_draws():
    rng = np.random.default_rng(14)
    x = additive(rng, 2, 12)
    weights = resampling.plan("a", 12, "stimulus", bootstraps=100).weights
    draws, left_out = weights / 12 @ x.T, (x.sum(1) - x.T) / 11
    left_out[3, 1] = np.nan
    found = twofactor.estimate(x.mean(1), draws, 12, left_out=left_out, weights=weights)
    assert found.standard_error == pytest.approx(twofactor.estimate(x.mean(1), draws, 12).standard_error)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((np.zeros(3), np.zeros((9, 2)), 10), r"^scores have shape \(3,\) and their draws \(9, 2\); give"),
        (
            (np.zeros(3), np.zeros((9, 3)), 10, "halves", np.zeros((9, 3))),
            r"have shape \(9, 3\); leave out each once, as",
        ),
        (
            (np.zeros(3), np.zeros((9, 3)), 10, "halves", np.zeros((10, 3)), np.zeros((9, 9))),
            r"^weights of stimuli in the draws have shape \(9, 9\); give \(9, 10\)$",
        ),
        ((np.zeros(3), np.zeros((9, 3)), 1), "^1 stimulus has no variance"),
        (
            (np.zeros(3), np.zeros((9, 3)), 10, "jackknife"),
            "^unknown scheme of draws 'jackknife'; use bootstrap or halves$",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments, said):
    with pytest.raises(UserError, match=said):
        twofactor.variances(*arguments)


def test_stimuli_of_equal_influence_leave_the_interval_to_the_draws():
    # Evenly spaced gratings: no stimulus is special, so the jackknife has no variance, and the draws have some.
    angles = np.arange(24) * 2 * np.pi / 24
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    other = np.column_stack([circle, 0.5 * np.cos(2 * angles), 0.5 * np.sin(2 * angles)])
    measure = similarity.load("rsa-distance=euclidean-compare=pearson")
    x, y = (measure.reduced(Grams.of([z])) for z in (circle, other))
    plan = resampling.plan("gratings", 24, "stimulus", bootstraps=300)
    value, left_out = measure.scores(x, y), measure.left_out(x, y)
    assert np.ptp(left_out) < 1e-9
    draws = measure.draws(x, y, value, plan)
    found = twofactor.estimate(value, draws, 24, **twofactor.options(plan, "bootstrap", left_out, len(draws)))
    plain = twofactor.estimate(value, draws, 24)
    np.testing.assert_allclose([found.low, found.high], [plain.low, plain.high])
    assert 0 < found.standard_error[0] < 0.5
