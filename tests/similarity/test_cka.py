"""CKA: the unbiased estimator, its resamples, the bias that it avoids, and trial noise."""

import itertools

import numpy as np
import pytest

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.identifiers import parse
from neurocompare.inference import resampling
from neurocompare.similarity import cka
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.evaluation import Target

SONG, BIASED, RBF = (f"cka-kernel={k}" for k in ("linear-hsic=song", "linear-hsic=biased", "rbf-hsic=song"))
CROSS_HALF = SONG + "-normalise=cross-half"


def kernels(seed, count, n, kernel="linear"):
    x = np.random.default_rng(seed).standard_normal((count, n, 5)) + 2
    return cka.kernels(Grams.of(x), kernel)


def target(trials, splits=20):
    """Build a target from an array of trials (repeat, stimulus, unit), halved at random."""
    rng = np.random.default_rng(0)
    half = len(trials) // 2
    orders = [rng.permutation(len(trials)) for _ in range(splits)]
    halves = np.array([[trials[o[:half]].mean(0), trials[o[half:]].mean(0)] for o in orders])
    return Target(("a",), responses=trials.mean(0)[None], halves=halves[:, :, None])


def evaluated(measure, trials, candidates, **options):
    """Evaluate representations (candidate, stimulus, unit) against a recording of trials."""
    sizes = {"bootstraps": 0, "permutations": 0, "partitions": 0} | options
    plan = resampling.plan("a", trials.shape[1], "stimulus", **sizes)
    return similarity.load(measure).evaluate(target(trials), Grams.of(candidates), parse(measure)[1], plan)


def over_quadruples(a, b, weights):
    """Song's HSIC by its definition, over ordered quadruples of different stimuli."""
    total = value = 0.0
    for i, j, q, r in itertools.permutations(range(len(a)), 4):
        weight = weights[i] * weights[j] * weights[q] * weights[r]
        total += weight
        value += weight * (a[i, j] * b[i, j] + a[i, j] * b[q, r] - 2 * a[i, j] * b[i, q])
    return value / total if total else np.nan


def test_song_in_resamples_matches_quadruples_of_different_stimuli():
    a, b = kernels(0, 2, 7)
    rng = np.random.default_rng(1)
    weights = np.vstack([np.ones(7), rng.multinomial(7, np.full(7, 1 / 7), size=12)]).astype(float)
    expected = [over_quadruples(a, b, w) for w in weights]
    np.testing.assert_allclose(cka.hsic_weighted(a, b, weights, "song"), expected, atol=1e-10)
    # The origin of the kernels does not matter in a resample either.
    offset = rng.standard_normal(7)
    np.testing.assert_allclose(
        cka.hsic_weighted(a + offset + offset[:, None], b, weights, "song"), expected, atol=1e-10
    )
    # Three different stimuli are too few.
    three = np.array([[3, 2, 2, 0, 0, 0, 0]], dtype=float)
    assert np.isnan(cka.hsic_weighted(a, b, three, "song")[0])
    assert np.isnan(cka.hsic_weighted(a, b, 0 * three, "biased")[0])


def test_biased_in_resamples_is_plain_hsic_of_the_written_out_sample():
    a, b = kernels(2, 2, 8)
    weights = np.random.default_rng(3).multinomial(8, np.full(8, 1 / 8), size=10)
    for w in weights:
        sample = np.repeat(np.arange(8), w)
        centre = np.eye(8) - 1 / 8
        k, m = (z[np.ix_(sample, sample)] for z in (a, b))
        expected = np.trace(centre @ k @ centre @ m) / 64
        assert cka.hsic_weighted(a, b, w[None].astype(float), "biased")[0] == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("hsic", ["song", "biased"])
def test_unit_weights_give_the_score_itself(kernel, hsic):
    own, others = kernels(4, 2, 11, kernel), kernels(5, 3, 11, kernel)
    expected = np.einsum("tij,kij->tk", cka.embed(own, hsic), cka.embed(others, hsic))
    np.testing.assert_allclose(cka.weighted(own, others, np.ones((1, 11)), hsic)[0], expected, atol=1e-12)
    halves = kernels(6, 8, 11, kernel).reshape(4, 2, 1, 11, 11) * 0.1 + own[None, None, :1]
    value = np.einsum("tij,kij->tk", cka.embed(own[:1], hsic, halves), cka.embed(others, hsic))
    found = cka.weighted(own[:1], others, np.ones((1, 11)), hsic, halves)[0]
    np.testing.assert_allclose(found, value, atol=1e-12)


@pytest.mark.parametrize(("n", "p", "biased"), [(50, 1000, 0.953), (118, 1000, 0.896)])
def test_unrelated_noise_scores_zero_only_without_bias(n, p, biased):
    rng = np.random.default_rng(0)
    pairs = [rng.standard_normal((2, n, p)) for _ in range(12)]
    song = [similarity.score(*pair, SONG) for pair in pairs]
    assert abs(np.mean(song)) < 4 * np.std(song) / np.sqrt(len(song))
    assert np.mean([similarity.score(*pair, BIASED) for pair in pairs]) == pytest.approx(biased, abs=0.003)
    rbf = [similarity.score(*pair, RBF) for pair in pairs]
    assert abs(np.mean(rbf)) < 4 * np.std(rbf) / np.sqrt(len(rbf))


def test_song_is_signed():
    rng = np.random.default_rng(1)
    scores = [similarity.score(*rng.standard_normal((2, 20, 40)), SONG) for _ in range(40)]
    assert min(scores) < 0 < max(scores)


def test_noise_lowers_plain_cka_and_not_the_cross_half_form():
    rng = np.random.default_rng(2)
    n, units = 40, 60
    signal = rng.standard_normal((n, 6)) @ rng.standard_normal((6, units))
    model = signal[:, :30] + 2 * rng.standard_normal((n, 30))
    truth = similarity.score(signal, model, SONG)
    plain, corrected = [], []
    for _ in range(30):
        trials = signal + 8 * rng.standard_normal((8, n, units))
        plain.append(evaluated(SONG, trials, model[None]).value[0, 0])
        corrected.append(evaluated(CROSS_HALF, trials, model[None]).value[0, 0])
    assert np.mean(plain) < truth - 0.05
    # What is left is the bias of a ratio, of second order.
    assert np.mean(corrected) == pytest.approx(truth, abs=0.03)


def test_cross_half_score_is_undefined_rather_than_zero_without_signal():
    rng = np.random.default_rng(3)
    models = rng.standard_normal((4, 12, 9))
    found = [evaluated(CROSS_HALF, rng.standard_normal((2, 12, 30)), models, bootstraps=20) for _ in range(20)]
    values = np.array([e.value for e in found])
    # Half of the self-terms of pure noise are negative: no score of any layer then, instead of zero.
    undefined = np.isnan(values).all((1, 2))
    assert 3 < undefined.sum() < 17
    assert np.isfinite(values[~undefined]).all()
    assert not np.any(np.concatenate([e.draws for e in found]) == 0)


def test_cross_half_ceiling_is_one_and_a_plain_ceiling_is_not():
    rng = np.random.default_rng(4)
    trials = rng.standard_normal((20, 30)) + rng.standard_normal((6, 20, 30))
    corrected, plain = (evaluated(m, trials, rng.standard_normal((1, 20, 5))) for m in (CROSS_HALF, SONG))
    assert corrected.ceiling_low == corrected.ceiling_high == 1
    assert 0 < plain.ceiling_low[0] < plain.ceiling_high[0] < 1


def test_plain_arrays_have_no_halves():
    x = np.random.default_rng(0).standard_normal((9, 4))
    with pytest.raises(UserError, match="needs single trials"):
        similarity.score(x, x, CROSS_HALF)


def test_rbf_bandwidth_is_undefined_if_most_stimuli_are_alike():
    x, y = np.random.default_rng(0).standard_normal((2, 12, 4))
    x[:10] = x[0]
    assert np.isnan(similarity.score(x, y, RBF))
    assert np.isfinite(similarity.score(x, y, SONG))


def test_an_outlier_in_a_resample_is_left_out_with_its_stimulus():
    # Bootstrap samples without the outlier must give what the rest of the stimuli gives.
    x, y = np.random.default_rng(5).standard_normal((2, 15, 6))
    x[0] += 100
    weights = np.ones((1, 15))
    weights[0, 0] = 0
    stack = [cka.kernels(Grams.of(z[None]), "linear") for z in (x, y)]
    found = cka.weighted(*stack, weights, "song")[0, 0, 0]
    assert found == pytest.approx(similarity.score(x[1:], y[1:], SONG), abs=1e-10)
