"""CKA and SSM against sums written out, scikit-learn and SciPy."""

import itertools

import numpy as np
import pytest
from oracles import pair

from neurocompare import similarity


def hsic_over_quadruples(kernel, other, weights=None):
    """The unbiased estimate as what it is: a mean over quadruples of different stimuli (Song et al. 2012)."""
    weights = np.ones(len(kernel)) if weights is None else weights
    above = below = 0.0
    for i, j, q, r in itertools.permutations(range(len(kernel)), 4):
        weight = weights[i] * weights[j] * weights[q] * weights[r]
        above += weight * kernel[i, j] * (other[i, j] + other[q, r] - 2 * other[i, q])
        below += weight
    return above / below


def ratio(hsic, kernel, other, **options):
    return hsic(kernel, other, **options) / np.sqrt(hsic(kernel, kernel, **options) * hsic(other, other, **options))


def gaussian_kernel(z):
    from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel

    return rbf_kernel(z, gamma=1 / (2 * np.median(euclidean_distances(z, squared=True))))


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_unbiased_cka_equals_the_mean_over_quadruples(kernel):
    x, y = pair(1, n=9)
    a, b = (z @ z.T if kernel == "linear" else gaussian_kernel(z) for z in (x, y))
    expected = ratio(hsic_over_quadruples, a, b)
    assert similarity.score(x, y, f"cka-kernel={kernel}-hsic=song") == pytest.approx(expected, abs=1e-10)


def test_unbiased_cka_of_a_resample_equals_the_mean_over_quadruples_of_different_stimuli():
    x, y = pair(2, n=8)
    measure = similarity.load("cka-kernel=linear-hsic=song")
    a, b = x @ x.T, y @ y.T
    weights = np.array([2.0, 0, 1, 1, 3, 0, 1, 1])
    expected = ratio(hsic_over_quadruples, a, b, weights=weights)
    ours = measure.weighted(*(measure.matrices(z) for z in stacks(y, x)), weights[None])
    assert ours[0, 0, 0] == pytest.approx(expected, abs=1e-10)


def stacks(*representations):
    from neurocompare.similarity.arrays import Grams

    return [Grams.of([z]) for z in representations]


def test_biased_cka_equals_centred_kernels_of_scikit_learn():
    from sklearn.preprocessing import KernelCenterer

    x, y = pair(3)
    a, b = (KernelCenterer().fit_transform(z @ z.T) for z in (x, y))
    expected = np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)
    assert similarity.score(x, y, "cka-kernel=linear-hsic=biased") == pytest.approx(expected, abs=1e-12)


def test_biased_cka_equals_the_covariance_of_units():
    # Kornblith et al. 2019, in feature space.
    x, y = (z - z.mean(0) for z in pair(4))
    expected = np.linalg.norm(y.T @ x) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    assert similarity.score(x, y, "cka-kernel=linear-hsic=biased") == pytest.approx(expected, abs=1e-12)


def test_ssm_equals_the_spearman_correlation_of_scipy():
    from scipy.stats import spearmanr

    x, y = pair(5)
    cells = [np.corrcoef(z)[np.triu_indices(len(z), 1)] for z in (x, y)]
    assert similarity.score(x, y, "ssm") == pytest.approx(spearmanr(*cells).statistic, abs=1e-12)


def test_cka_in_batches_is_the_ratio_of_means_over_batches():
    from neurocompare.similarity.sampling import batches, streamed_cka

    x, y = pair(6, n=26)
    chosen = batches(26, 8, epochs=2)
    sums = np.zeros(3)
    for batch in chosen:
        a, b = x[batch] @ x[batch].T, y[batch] @ y[batch].T
        sums += [hsic_over_quadruples(*kernels) for kernels in ((a, b), (a, a), (b, b))]
    assert streamed_cka((x[batch], y[batch]) for batch in chosen) == pytest.approx(
        sums[0] / np.sqrt(sums[1] * sums[2]), abs=1e-10
    )
