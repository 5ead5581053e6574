"""Cross-validated distances: their equal forms, what is unbiased, what never meets, and what is refused."""

import itertools

import numpy as np
import pytest
from scipy.special import gammaln

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.similarity import ceilings, noise
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.crossvalidated import crossnobis, mahalanobis, plain_poisson_kl, poisson_kl
from neurocompare.similarity.trials import Trials


def repeats(seed, n_repeats, n, p, signal=1.0):
    """Draw responses with correlated noise."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((p, p)) / np.sqrt(p) + np.diag(rng.uniform(0.3, 2, p))
    return signal * rng.standard_normal((n, p)) + rng.standard_normal((n_repeats, n, p)) @ mixing


def unbalanced(seed, n=7, p=5, blocks=4, signal=1.0):
    """Draw 0 to 3 trials of each stimulus in each block, in random order."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 4, (blocks, n))
    counts[:2] = np.maximum(counts[:2], 1)
    block, stimulus = (np.repeat(index.ravel(), counts.ravel()) for index in np.indices(counts.shape))
    order = rng.permutation(len(block))
    values = signal * rng.standard_normal((n, p))[stimulus] + rng.standard_normal((len(block), p))
    return Trials(values[order], stimulus[order], block[order], n)


def differences(means):
    return means[..., :, None, :] - means[..., None, :, :]


def covariance(values, stimulus, shrinkage=None):
    """Write out the shrunk covariance of residuals with loops over pairs of units."""
    means = np.stack([values[stimulus == s].mean(0) for s in np.unique(stimulus)])
    residuals = values - means[np.unique(stimulus, return_inverse=True)[1]]
    n, p = residuals.shape
    dof = n - len(means)
    sample = residuals.T @ residuals / dof
    deviation = np.sqrt(np.diag(sample))
    above = below = 0.0
    for i, j in itertools.permutations(range(p), 2):
        product = residuals[:, i] * residuals[:, j] / (deviation[i] * deviation[j])
        mean = product.sum() / (n - 1)
        above += n / dof**2 * ((product**2).sum() / (n - 1) - mean**2)
        below += mean**2
    weight = np.clip(above / below, 0, 1) if shrinkage is None else shrinkage
    return weight * np.diag(np.diag(sample)) + (1 - weight) * sample, weight


@pytest.mark.parametrize("given", [False, True], ids=["euclidean", "given covariance"])
@pytest.mark.parametrize("folds", [2, 5])
def test_three_forms_are_equal(given, folds):
    x = repeats(0, folds, 8, 6)
    whiten = noise.of_trials(Trials.of_repeats(repeats(1, 4, 8, 6))) if given else None
    precision = whiten.solve(np.eye(6)) if given else np.eye(6)
    d = differences(x) / np.sqrt(6)
    pairs = [np.einsum("ijp,pq,ijq->ij", d[a], precision, d[b]) for a, b in itertools.permutations(range(folds), 2)]
    rest = [np.delete(d, m, axis=0).mean(0) for m in range(folds)]
    leave_one_out = [np.einsum("ijp,pq,ijq->ij", rest[m], precision, d[m]) for m in range(folds)]
    within = [np.einsum("ijp,pq,ijq->ij", d[m], precision, d[m]) for m in range(folds)]
    whole = np.einsum("ijp,pq,ijq->ij", d.mean(0), precision, d.mean(0))
    fast = folds / (folds - 1) * whole - np.sum(within, axis=0) / (folds * (folds - 1))
    rdm = crossnobis(Trials.of_repeats(x), whiten)
    for form in (np.mean(pairs, axis=0), np.mean(leave_one_out, axis=0), fast):
        np.testing.assert_allclose(rdm, form, atol=1e-10)


@pytest.mark.parametrize(("n", "p"), [(12, 6), (5, 40), (6, 17)], ids=["few units", "many units", "between"])
@pytest.mark.parametrize("kind", ["full", "diagonal"])
def test_noise_is_that_of_the_training_trials(n, p, kind):
    x = repeats(2, 4, n, p)
    expected = np.zeros((n, n))
    for m in range(4):
        train = np.delete(x, m, axis=0)
        sigma = covariance(train.reshape(-1, p), np.tile(np.arange(n), 3), 1 if kind == "diagonal" else None)[0]
        a, b = differences(train.mean(0)), differences(x[m])
        expected += np.einsum("ijp,pq,ijq->ij", a, np.linalg.inv(sigma), b) / (4 * p)
    np.testing.assert_allclose(crossnobis(Trials.of_repeats(x), kind), expected, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(("n", "p"), [(12, 6), (5, 40)])
@pytest.mark.parametrize("shrinkage", [None, 0.3, 1.0])
def test_covariance_is_shrunk_as_written_out(n, p, shrinkage):
    trials = Trials.of_repeats(repeats(3, 4, n, p))
    sigma, weight = covariance(trials.values, trials.stimulus, shrinkage)
    found = noise.of_trials(trials, shrinkage=shrinkage)
    assert found.shrinkage == pytest.approx(weight, abs=1e-12)
    patterns = np.random.default_rng(0).standard_normal((3, p))
    np.testing.assert_allclose(found.solve(patterns), patterns @ np.linalg.inv(sigma), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("p", [4, 40], ids=["few units", "many units"])
def test_a_fold_has_no_part_in_its_own_noise_covariance(p):
    trials = unbalanced(4, p=p)
    folds = trials.folds()
    for m in range(4):
        other = trials.values.copy()
        other[folds == m] = 10 * np.random.default_rng(m).standard_normal(((folds == m).sum(), p))
        pair = [list(noise.of_training(t, folds))[m] for t in (trials, trials.with_values(other))]
        np.testing.assert_allclose(*(found.solve(np.eye(p)) for found in pair), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", ["none", "full"])
@pytest.mark.parametrize("p", [5, 40])
def test_unequal_trials_are_weighted_by_the_variance_of_differences(kind, p):
    trials = unbalanced(5, p=p)
    n, folds = trials.n_stimuli, trials.block
    above, below = np.zeros((2, n, n))
    for m in range(4):
        train = folds != m
        precision = np.eye(p)
        if kind == "full":
            precision = np.linalg.inv(covariance(trials.values[train], trials.stimulus[train])[0])
        for k, i, j in itertools.product(set(range(4)) - {m}, range(n), range(n)):
            cells = [[trials.values[(folds == f) & (trials.stimulus == s)] for s in (i, j)] for f in (m, k)]
            if i != j and all(len(c) for pair in cells for c in pair):
                weight = np.prod([len(a) * len(b) / (len(a) + len(b)) for a, b in cells])
                first, second = (a.mean(0) - b.mean(0) for a, b in cells)
                above[i, j] += weight * first @ precision @ second / p
                below[i, j] += weight
    expected = above / np.where(below > 0, below, 1)
    np.testing.assert_allclose(crossnobis(trials, kind), expected, rtol=1e-9, atol=1e-10)


def test_folds_of_unequal_size_need_no_equal_numbers():
    # Two trials of every stimulus in one block and one in the others: the quick way and the general one agree.
    x = repeats(6, 4, 6, 5)
    trials = Trials(x.reshape(-1, 5), np.tile(np.arange(6), 4), np.repeat([0, 0, 1, 2], 6), 6)
    d = differences(np.stack([x[:2].mean(0), x[2], x[3]]))
    pairs = [(2 if 0 in pair else 1, pair) for pair in itertools.combinations(range(3), 2)]
    expected = sum(w * np.einsum("ijp,ijp->ij", d[a], d[b]) for w, (a, b) in pairs) / (5 * sum(w for w, _ in pairs))
    np.testing.assert_allclose(crossnobis(trials, "none"), expected, atol=1e-12)


def mean_and_error(draws):
    draws = np.array(draws)
    return draws.mean(0), draws.std(0) / np.sqrt(len(draws))


@pytest.mark.parametrize("kind", ["full", "diagonal", "none"])
def test_without_signal_the_mean_is_zero_whatever_the_noise(kind):
    # Skewed noise that is correlated over units, and another for every stimulus.
    rng = np.random.default_rng(7)
    mixing, size = rng.standard_normal((4, 6)), rng.uniform(0.2, 3, (5, 1))
    upper, draws = np.triu_indices(5, 1), []
    for _ in range(600):
        x = size * ((rng.gamma(0.3, 1, (4, 5, 4)) - 0.3) @ mixing + rng.standard_normal((4, 5, 6)) / 3)
        draws.append(crossnobis(Trials.of_repeats(x), kind)[upper])
    mean, error = mean_and_error(draws)
    assert np.abs(mean / error).max() < 3.8
    assert abs(np.mean(draws)) < 3 * np.std(np.mean(draws, axis=1)) / np.sqrt(600)
    # Negative values are kept.
    assert 0.3 < (np.array(draws) < 0).mean() < 0.7


def test_the_mean_is_the_true_distance_and_that_of_euclid_is_above():
    # The bias of the Euclidean distance is the variance of the noise over the trials of each of the two (P7).
    rng = np.random.default_rng(8)
    truth = rng.standard_normal((4, 6))
    distance = (differences(truth) ** 2).mean(-1)
    stimulus = np.r_[np.tile(np.arange(4), 2), np.tile([0, 1], 4)]
    block = np.r_[np.repeat([0, 1], 4), np.repeat([0, 1], 4)]
    crossed, plain = [], []
    for _ in range(500):
        trials = Trials(truth[stimulus] + 2 * rng.standard_normal((16, 6)), stimulus, block, 4)
        crossed.append(crossnobis(trials, "none"))
        plain.append(similarity.rdm(trials.mean(), "euclidean"))
    upper = np.triu_indices(4, 1)
    mean, error = (m[upper] for m in mean_and_error(crossed))
    assert np.abs((mean - distance[upper]) / error).max() < 3.5
    mean, error = (m[upper] for m in mean_and_error(plain))
    trials_of = np.array([6, 6, 2, 2])
    bias = (4 / trials_of[:, None] + 4 / trials_of)[upper]
    assert np.abs((mean - distance[upper] - bias) / error).max() < 3.5
    assert bias.max() == 3 * bias.min()


def test_distances_in_units_of_a_given_noise_are_exact_on_average():
    rng = np.random.default_rng(9)
    mixing = rng.standard_normal((5, 5))
    rest = noise.of_trials(Trials.of_repeats(rng.standard_normal((400, 2, 5)) @ mixing), shrinkage=0)
    truth = rng.standard_normal((3, 5)) @ mixing
    expected = np.einsum("ijp,pq,ijq->ij", differences(truth), np.linalg.inv(mixing.T @ mixing), differences(truth)) / 5
    draws = [
        crossnobis(Trials.of_repeats(truth + rng.standard_normal((4, 3, 5)) @ mixing), rest)[np.triu_indices(3, 1)]
        for _ in range(400)
    ]
    mean, error = mean_and_error(draws)
    expected = expected[np.triu_indices(3, 1)]
    # The covariance of 800 trials is itself known to some per cent.
    assert np.abs(mean - expected).max() < 4 * error.max() + 0.15 * expected.max()


def joint(trials, seed=0):
    """Map all units by one invertible matrix, and move them."""
    rng = np.random.default_rng(seed)
    p = trials.values.shape[1]
    return trials.with_values(trials.values @ (rng.standard_normal((p, p)) + 2 * np.eye(p)) + rng.standard_normal(p))


@pytest.mark.parametrize("distance", [crossnobis, mahalanobis])
@pytest.mark.parametrize("trials", [Trials.of_repeats(repeats(10, 4, 9, 5)), unbalanced(11)])
def test_with_the_whole_covariance_any_linear_map_of_units_is_forgiven(distance, trials):
    whole = distance(trials, shrinkage=0)
    np.testing.assert_allclose(distance(joint(trials), shrinkage=0), whole, rtol=1e-8, atol=1e-9)
    # With a shrunk one only maps that keep the axes are, and without whitening not even these.
    scaled = trials.with_values(trials.values * np.arange(1, 6))
    np.testing.assert_allclose(distance(scaled), distance(trials), rtol=1e-8, atol=1e-9)
    assert np.abs(distance(joint(trials)) - distance(trials)).max() > 1e-3
    assert np.abs(distance(scaled, "none") - distance(trials, "none")).max() > 1


@pytest.mark.parametrize("trials", [Trials.of_repeats(repeats(12, 4, 9, 5)), unbalanced(13)])
def test_what_shifts_a_block_cancels(trials):
    drift = 1e3 * np.random.default_rng(0).standard_normal((4, trials.values.shape[1]))
    moved = trials.with_values(trials.values + drift[trials.block])
    np.testing.assert_allclose(crossnobis(moved, "none"), crossnobis(trials, "none"), atol=1e-9)


@pytest.mark.parametrize("distance", [crossnobis, poisson_kl])
def test_trials_of_a_block_never_meet(distance):
    # Only one of three blocks has any response, and two trials of every stimulus: products across blocks vanish.
    rng = np.random.default_rng(14)
    block, stimulus = np.repeat([0, 1, 2], 16), np.tile(np.repeat(np.arange(8), 2), 3)
    values = rng.gamma(2, 1, (48, 5)) * (block == 1)[:, None]
    trials = Trials(values, stimulus, block, 8)
    options = {"noise": "none"} if distance is crossnobis else {}
    np.testing.assert_allclose(distance(trials, **options), 0, atol=1e-13)
    # Folds that split blocks are refused; where blocks are not declared, what trials of a block share is signal.
    with pytest.raises(UserError, match="folds split block 0"):
        distance(trials, folds=np.tile([0, 1], 24), **options)
    undeclared = Trials(values, stimulus, np.tile([0, 1], 24), 8)
    assert np.abs(distance(undeclared, **options)).max() > 0.1


def test_blocks_that_share_noise_would_look_like_signal():
    # Noise that is common to the two trials of a stimulus in a block (slow drift): folds must not split it (P9).
    rng = np.random.default_rng(15)
    stimulus, block = np.tile(np.repeat(np.arange(6), 2), 3), np.repeat([0, 1, 2], 12)
    whole, split = [], []
    for _ in range(200):
        slow = rng.standard_normal((3, 6, 4))[block, stimulus]
        trials = Trials(slow + rng.standard_normal((36, 4)), stimulus, block, 6)
        whole.append(crossnobis(trials)[np.triu_indices(6, 1)].mean())
        undeclared = Trials(trials.values, stimulus, np.tile([0, 1], 18), 6)
        split.append(crossnobis(undeclared)[np.triu_indices(6, 1)].mean())
    assert abs(np.mean(whole)) < 3.5 * np.std(whole) / np.sqrt(200)
    assert np.mean(split) > 10 * np.std(split) / np.sqrt(200)


@pytest.mark.parametrize("value", [0.0, 5.1])
@pytest.mark.parametrize("kind", ["full", "diagonal"])
@pytest.mark.parametrize(("n", "p"), [(8, 6), (5, 40)])
def test_a_unit_that_never_varies_adds_nothing(value, kind, n, p):
    x = repeats(16, 4, n, p)
    silent = np.concatenate([x, np.full((4, n, 1), value)], axis=2)
    with_it, without = (crossnobis(Trials.of_repeats(z), kind) for z in (silent, x))
    np.testing.assert_allclose(with_it * (p + 1), without * p, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["full", "diagonal"])
def test_without_any_noise_distances_are_euclidean(kind):
    x = repeats(16, 1, 6, 5)[0]
    trials = Trials.of_repeats(np.stack([x] * 3))
    for distance in (crossnobis, mahalanobis):
        np.testing.assert_allclose(distance(trials, kind), similarity.rdm(x, "euclidean"), atol=1e-12)


def test_noise_that_cannot_be_known_is_refused_in_one_line():
    # Without one of two repeats every stimulus has a single trial left.
    pair = Trials.of_repeats(repeats(17, 2, 6, 4))
    for kind in ("full", "diagonal"):
        with pytest.raises(UserError, match=r"^without fold 1 of 2, no stimulus has two trials.*use noise=none"):
            crossnobis(pair, kind)
    assert np.isfinite(crossnobis(pair, "none")).all()
    with pytest.raises(UserError, match="singular: fewer trials than units"):
        crossnobis(Trials.of_repeats(repeats(17, 3, 4, 40)), shrinkage=0)
    with pytest.raises(UserError, match="unknown noise 'diag'; did you mean diagonal"):
        crossnobis(Trials.of_repeats(repeats(17, 3, 4, 3)), "diag")
    single = Trials(np.ones((5, 2)), np.array([0, 0, 1, 1, 2]), np.zeros(5, int), 3)
    with pytest.raises(UserError, match="needs every stimulus twice; stimulus 2 has a single trial"):
        crossnobis(single)
    # Each stimulus is in two blocks, but not all pairs of stimuli.
    apart = Trials(np.ones((8, 2)), np.array([0, 1, 0, 2, 1, 2, 0, 1]), np.array([0, 0, 1, 1, 2, 2, 3, 3]), 3)
    for distance in (crossnobis, poisson_kl):
        with pytest.raises(UserError, match="stimuli 0 and 2 are not in two folds together; drop stimuli"):
            distance(apart)


def test_poisson_divergence_has_known_values():
    # Regularised rates 1, e and e²: (e − 1)(1 − 0), (e² − 1)(2 − 0) and (e² − e)(2 − 1).
    e = np.e
    rates = 1.1 * np.array([[1.0], [e], [e**2]]) - 0.1
    expected = np.array([[0, e - 1, 2 * e**2 - 2], [e - 1, 0, e**2 - e], [2 * e**2 - 2, e**2 - e, 0]])
    np.testing.assert_allclose(plain_poisson_kl(rates), expected, atol=1e-12)
    np.testing.assert_allclose(plain_poisson_kl(rates, factor=0.5), expected / 2, atol=1e-12)
    # It is per unit, and that of the distributions, summed over counts.
    rates, k = np.random.default_rng(0).gamma(2, 2, (2, 3)), np.arange(100)[:, None]
    p, q = (np.exp(k * np.log(rate) - rate - gammaln(k + 1)) for rate in (rates + 0.1) / 1.1)
    assert plain_poisson_kl(rates)[0, 1] == pytest.approx(((p - q) * np.log(p / q)).sum() / 3)


def test_cross_validated_divergence_is_the_mean_over_folds():
    x = np.random.default_rng(18).poisson(3, (4, 6, 5))
    expected = np.zeros((6, 6))
    for m in range(4):
        train, test = (np.delete(x, m, axis=0).mean(0) + 0.1) / 1.1, np.log((x[m] + 0.1) / 1.1)
        expected += (differences(train) * differences(test)).mean(-1) / 4
    np.testing.assert_allclose(poisson_kl(Trials.of_repeats(x)), expected, atol=1e-12)
    np.testing.assert_allclose(poisson_kl(Trials.of_repeats(x), factor=0.5), expected / 2, atol=1e-12)


def test_divergence_of_equal_rates_has_mean_zero_only_where_cross_validated():
    rng = np.random.default_rng(19)
    base, layout = rng.gamma(2, 1, 8), unbalanced(19, n=4, p=8)
    crossed, plain = [], []
    for _ in range(500):
        trials = layout.with_values(rng.poisson(base, (len(layout.stimulus), 8)).astype(float))
        crossed.append(poisson_kl(trials)[np.triu_indices(4, 1)])
        plain.append(plain_poisson_kl(trials.mean())[np.triu_indices(4, 1)])
    mean, error = mean_and_error(crossed)
    assert np.abs(mean / error).max() < 3.5
    assert np.mean(plain, axis=0).min() > 0.1


@pytest.mark.parametrize("distance", [poisson_kl, lambda trials: plain_poisson_kl(trials.values)])
def test_divergences_of_what_is_no_rate_are_refused(distance):
    with pytest.raises(UserError, match=r"for spike counts and rates, and the responses go down to -\d.*use distance="):
        distance(Trials.of_repeats(repeats(20, 3, 4, 3)))


@pytest.mark.parametrize("comparator", ["cosine", "pearson", "whitened-cosine", "whitened-correlation"])
def test_the_truth_reaches_the_extrapolated_ceiling(comparator):
    # Half of the trials have the RDM of all on average, so what the truth scores can be told from two halves.
    rng = np.random.default_rng(21)
    measure = similarity.load(f"rsa-distance=crossnobis-noise=none-compare={comparator}")
    assert measure.ceiling == "estimate"
    measure.splits = 5
    scores, found = [], []
    for _ in range(25):
        truth = rng.standard_normal((24, 3)) @ rng.standard_normal((3, 20))
        x = truth + 3.5 * rng.standard_normal((8, 24, 20))
        y = measure.reduced(Grams.of_trials([Trials.of_repeats(x)]))
        scores.append(measure.scores(measure.reduced(Grams.of([truth])), y)[0, 0])
        found.append(ceilings.of_trials(measure, y).high)
    assert 0.5 < np.mean(scores) < 0.97
    ratio = np.array(scores) / np.array(found)
    assert np.mean(ratio) == pytest.approx(1, abs=0.02)


def test_equal_folds_need_one_gram_matrix_each():
    x = repeats(22, 6, 10, 4)
    means = x - x.mean(1, keepdims=True)
    gram = np.einsum("mip,njp->ij", means, means) - np.einsum("mip,mjp->ij", means, means)
    own = np.diag(gram)
    expected = (own[:, None] + own - 2 * gram) / (30 * 4)
    np.testing.assert_allclose(crossnobis(Trials.of_repeats(x), "none"), expected, atol=1e-12)
