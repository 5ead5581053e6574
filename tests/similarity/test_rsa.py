"""RSA in resamples against brute force over their cells, its embedding, ties, and ceilings between animals."""

import numpy as np
import pytest
from scipy import stats

from neurocompare import similarity
from neurocompare.inference import resampling
from neurocompare.similarity import ceilings, comparators
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.distances import from_grams
from neurocompare.similarity.embedded import Kernel, shuffled
from neurocompare.similarity.measure import Reduced

COMPARATORS = list(comparators.COMPARATORS)


def random_rdms(seed, count, n, ties=False):
    x = np.random.default_rng(seed).standard_normal((count, n, 6))
    rdms = from_grams(Grams.of(x), "euclidean")
    return np.round(rdms) if ties else rdms


def brute_force(rdm, other, weights, comparator):
    """Write out the resample, keep pairs of different images, and apply the definition to the list of cells."""
    sample = np.repeat(np.arange(len(weights)), weights.astype(int))
    i, j = np.triu_indices(len(sample), 1)
    different = sample[i] != sample[j]
    i, j = i[different], j[different]
    a, b = (m[sample[i], sample[j]] for m in (rdm, other))
    inverse = np.eye(len(a))
    if comparator.startswith("whitened"):
        contrasts = np.eye(len(sample))[i] - np.eye(len(sample))[j]
        inverse = np.linalg.inv((contrasts @ contrasts.T) ** 2)
    if comparator == "spearman":
        return stats.spearmanr(a, b).statistic
    if comparator in ("pearson", "whitened-correlation"):
        a, b = a - a.mean(), b - b.mean()
    return a @ inverse @ b / np.sqrt((a @ inverse @ a) * (b @ inverse @ b))


@pytest.mark.parametrize("comparator", [c for c in COMPARATORS if c != "rho-a"])
@pytest.mark.parametrize("ties", [False, True])
def test_resamples_match_brute_force(comparator, ties):
    n = 9
    rdms, others = random_rdms(0, 2, n, ties), random_rdms(1, 3, n, ties)
    weights = np.random.default_rng(2).multinomial(n, np.full(n, 1 / n), size=40).astype(float)
    expected = [[[brute_force(a, b, w, comparator) for b in others] for a in rdms] for w in weights]
    np.testing.assert_allclose(comparators.weighted(rdms, others, weights, comparator), expected, atol=1e-10)


def test_rho_a_in_resamples_ties_only_copies_of_a_cell():
    # Without ties in the RDMs it is Spearman's correlation, whatever the resample.
    rdms, others = random_rdms(0, 2, 9), random_rdms(1, 3, 9)
    weights = np.random.default_rng(2).multinomial(9, np.full(9, 1 / 9), size=40).astype(float)
    spearman, rho_a = (comparators.weighted(rdms, others, weights, c) for c in ("spearman", "rho-a"))
    np.testing.assert_allclose(rho_a, spearman, atol=1e-12)


@pytest.mark.parametrize("comparator", COMPARATORS)
@pytest.mark.parametrize("ties", [False, True])
def test_unit_weights_give_the_score_itself(comparator, ties):
    rdms, others = random_rdms(3, 2, 12, ties), random_rdms(4, 2, 12, ties)
    scores = comparators.weighted(rdms, others, np.ones((1, 12)), comparator)[0]
    expected = [[comparators.compare(a, b, comparator) for b in others] for a in rdms]
    np.testing.assert_allclose(scores, expected, atol=1e-12)


@pytest.mark.parametrize("comparator", COMPARATORS)
@pytest.mark.parametrize("weights", [[6, 0, 0, 0, 0, 0], [3, 3, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
def test_resamples_without_two_different_cells_have_no_correlation(comparator, weights):
    rdms = random_rdms(5, 2, 6)
    score = comparators.weighted(rdms[:1], rdms[1:], np.array([weights], dtype=float), comparator)[0, 0, 0]
    # Two images make one cell, many times: its cosine is one, it has no correlation.
    if comparator.endswith("cosine") and sum(np.array(weights) > 0) == 2:
        assert score == pytest.approx(1)
    else:
        assert np.isnan(score)


@pytest.mark.parametrize("comparator", COMPARATORS)
def test_embedding_commutes_with_permutations(comparator):
    rdms = random_rdms(6, 3, 10, ties=True)
    order = np.random.default_rng(0).permutation(10)
    moved = comparators.embed(rdms[:, order][:, :, order], comparator)
    np.testing.assert_allclose(moved, comparators.embed(rdms, comparator)[:, order][:, :, order], atol=1e-14)


@pytest.mark.parametrize("comparator", COMPARATORS)
def test_scores_of_shuffles_are_scores_of_shuffled_rdms(comparator):
    rdms, others = random_rdms(7, 2, 8), random_rdms(8, 2, 8)
    orders = np.random.default_rng(1).permuted(np.tile(np.arange(8), (120, 1)), axis=1)
    null = shuffled(comparators.embed(rdms, comparator), comparators.embed(others, comparator), orders)
    for k in (0, 57, 119):
        moved = rdms[1][np.ix_(orders[k], orders[k])]
        assert null[k, 1, 0] == pytest.approx(comparators.compare(moved, others[0], comparator), abs=1e-12)


def test_ties_earn_nothing_in_rho_a():
    # A categorical model, all ties, against noise-free data that follow it (Schütt et al. 2023).
    data, model = random_rdms(9, 1, 16)[0], random_rdms(9, 1, 16, ties=True)[0]
    rho_a, spearman = comparators.compare(data, model, "rho-a"), comparators.compare(data, model, "spearman")
    assert 0 < rho_a < spearman - 0.01
    # It is what Spearman's correlation is on average if ties are broken by chance.
    i, j = np.triu_indices(16, 1)
    rng = np.random.default_rng(0)
    broken = [
        stats.spearmanr(data[i, j], stats.rankdata(model[i, j] + 1e-6 * rng.random(len(i)))).statistic
        for _ in range(400)
    ]
    assert rho_a == pytest.approx(np.mean(broken), abs=4 * np.std(broken) / 20)
    assert comparators.compare(np.ones((16, 16)) - np.eye(16), data, "rho-a") == pytest.approx(0, abs=1e-12)


def test_equal_patterns_are_exact_ties():
    # Four stimuli of equal patterns: their six distances are equal, not an order of rounding errors.
    x = np.random.default_rng(0).standard_normal((10, 300)) + 50
    x[3:7] = x[3]
    for distance in ("euclidean", "correlation", "cosine"):
        rdm = similarity.rdm(x, distance)
        assert np.all(rdm[3:7, 3:7] == 0)
        assert np.count_nonzero(rdm) == 90 - 12


@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_small_and_large_values_have_the_same_score(scale):
    x, y = np.random.default_rng(0).standard_normal((2, 12, 5))
    for measure in ("rsa-distance=euclidean-compare=pearson", "rsa-distance=euclidean-compare=whitened-cosine"):
        expected = pytest.approx(similarity.score(x, y, measure), abs=1e-9)
        assert similarity.score(scale * x, scale * y, measure) == expected


def best_attainable(rdms, comparator):
    """Climb from many random RDMs to the best mean score with all animals."""
    rng = np.random.default_rng(0)
    n = rdms.shape[1]
    best = -1.0
    for _ in range(300):
        mixture = np.einsum("t,tij->ij", rng.dirichlet(np.ones(len(rdms))), rdms / rdms.std((1, 2), keepdims=True))
        noise = rng.standard_normal((n, n)) * rng.choice([0, 0.01, 0.1, 1])
        candidate = np.abs(mixture + noise + noise.T)
        best = max(best, np.mean([comparators.compare(candidate, rdm, comparator) for rdm in rdms]))
    return best


def noisy_animals(seed, count=5, n=12, noise=0.7, ties=False):
    signal = random_rdms(seed, 1, n)[0]
    noises = np.random.default_rng([seed, 1]).standard_normal((count, n, n)) * noise * signal.std()
    rdms = np.abs(signal + (noises + noises.transpose(0, 2, 1)) / np.sqrt(2)) * np.arange(1, count + 1)[:, None, None]
    rdms[:, np.arange(n), np.arange(n)] = 0
    return np.round(rdms) if ties else rdms


def ceiling(rdms, comparator):
    measure = similarity.load(f"rsa-distance=euclidean-compare={comparator}")
    found = ceilings.of_animals(measure, Reduced([Kernel(rdm) for rdm in rdms]), range(len(rdms)))
    return np.array([bound.low for bound in found]), np.array([bound.high for bound in found])


@pytest.mark.parametrize("comparator", COMPARATORS)
def test_upper_bound_is_at_least_the_lower_and_leaves_each_animal_out(comparator):
    rdms = noisy_animals(1)
    low, high = ceiling(rdms, comparator)
    assert low.shape == high.shape == (5,)
    assert np.all(high >= low)
    others = comparators.average(rdms[1:], comparator)
    assert low[0] == pytest.approx(comparators.compare(rdms[0], others, comparator), abs=1e-12)
    assert high[0] == pytest.approx(
        comparators.compare(rdms[0], comparators.average(rdms, comparator), comparator), abs=1e-12
    )


@pytest.mark.parametrize("comparator", COMPARATORS)
@pytest.mark.parametrize("ties", [False, True])
def test_no_rdm_has_a_better_mean_score_than_the_upper_bound(comparator, ties):
    rdms = noisy_animals(2, ties=ties)
    assert best_attainable(rdms, comparator) <= ceiling(rdms, comparator)[1].mean() + 1e-12


@pytest.mark.parametrize("comparator", ["pearson", "cosine", "rho-a"])
def test_the_average_is_a_strict_optimum(comparator):
    # Any small step away from it lowers the mean score.
    rdms = noisy_animals(3)
    average = comparators.average(rdms, comparator)
    top = np.mean([comparators.compare(average, rdm, comparator) for rdm in rdms])
    rng = np.random.default_rng(0)
    for size in (0.05, 0.5):
        step = rng.standard_normal(average.shape) * size * average.std()
        moved = average + step + step.T
        np.fill_diagonal(moved, 0)
        assert np.mean([comparators.compare(moved, rdm, comparator) for rdm in rdms]) < top


def test_true_rdm_scores_between_the_bounds_of_many_animals():
    # Averaged over draws, the generator of the animals' RDMs lies in the ceiling (Nili et al. 2014).
    found = {c: [] for c in COMPARATORS}
    for seed in range(20):
        rdms, truth = noisy_animals(seed, noise=0.5), random_rdms(seed, 1, 12)[0]
        for comparator in COMPARATORS:
            low, high = ceiling(rdms, comparator)
            value = np.mean([comparators.compare(truth, rdm, comparator) for rdm in rdms])
            found[comparator].append((value - low.mean(), high.mean() - value))
    for comparator, margins in found.items():
        assert np.mean(margins, axis=0).min() > 0, comparator


def test_one_animal_has_no_ceiling():
    assert np.isnan(ceiling(noisy_animals(0, count=1), "pearson")).all()


def test_weights_of_the_plan_reach_every_comparator_finite():
    rdms, weights = random_rdms(11, 2, 16), resampling.plan("a", 16, "stimulus").weights
    for comparator in COMPARATORS:
        scores = comparators.weighted(rdms[:1], rdms[1:], weights, comparator)
        assert np.isfinite(scores).all()
        assert np.abs(scores).max() <= 1 + 1e-12
