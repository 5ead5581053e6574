"""CKA: the estimators of HSIC, their resamples, the bias that is avoided, kernels, and trial noise."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.similarity import cka, hsic, sampling
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.trials import Trials

SONG, BIASED, RBF = (f"cka-kernel={k}" for k in ("linear-hsic=song", "linear-hsic=biased", "rbf-hsic=song"))
CROSS_HALF = SONG + "-normalise=cross-half"
IDS = [*cka.MEASURES, SONG + "-batch=6"]


def kernels(seed, count, n):
    x = np.random.default_rng(seed).standard_normal((count, n, 5)) + 2
    return x @ x.transpose(0, 2, 1)


def recording(trials):
    return Grams.of_trials([Trials.of_repeats(trials)])


def pair(seed=0, n=13, repeats=4):
    """Return a network of two layers and a recording with related responses."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 4))
    layers = [shared @ rng.standard_normal((4, p)) + 0.3 * rng.standard_normal((n, p)) for p in (9, 6)]
    signal = shared @ rng.standard_normal((4, 8))
    return Grams.of(layers), recording(signal + 0.5 * rng.standard_normal((repeats, n, 8)))


def reduced(measure, *grams):
    return [measure.reduced(stack) for stack in grams]


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
    np.testing.assert_allclose(hsic.weighted(a, b, weights, "song"), expected, rtol=1e-9)
    assert hsic.song(a, b) == pytest.approx(expected[0], rel=1e-10)
    # The origin of the kernels does not matter in a resample either.
    offset = rng.standard_normal(7)
    moved = a + offset + offset[:, None]
    np.testing.assert_allclose(hsic.weighted(moved, b, weights, "song"), expected, rtol=1e-8)
    # Three different stimuli are too few.
    three = np.array([[3, 2, 2, 0, 0, 0, 0]], dtype=float)
    assert np.isnan(hsic.weighted(a, b, three, "song")[0])
    assert np.isnan(hsic.weighted(a, b, 0 * three, "biased")[0])


def test_biased_in_resamples_is_plain_hsic_of_the_written_out_sample():
    a, b = kernels(2, 2, 8)
    weights = np.random.default_rng(3).multinomial(8, np.full(8, 1 / 8), size=10)
    for w in weights:
        sample = np.repeat(np.arange(8), w)
        centre = np.eye(8) - 1 / 8
        k, m = (z[np.ix_(sample, sample)] for z in (a, b))
        expected = np.trace(centre @ k @ centre @ m) / 64
        assert hsic.weighted(a, b, w[None].astype(float), "biased")[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", IDS)
def test_resamples_agree_with_the_score_of_their_stimuli(name):
    measure = similarity.load(name)
    x, y = reduced(measure, *pair())
    value = measure.scores(x, y)
    every = SimpleNamespace(weights=np.ones((1, 13)))
    np.testing.assert_allclose(measure.draws(x, y, value, every)[0], value, rtol=1e-9)
    if "batch" in name:
        return  # Other stimuli are cut into other batches.
    expected = [measure.scores_of(x, y, np.delete(np.arange(13), k)) for k in range(13)]
    if "rbf" in name:
        # Kernels keep the bandwidth of all stimuli, in parts of them too.
        assert not np.allclose(expected[0], measure.scores(*reduced(measure, *(z.take(range(1, 13)) for z in pair()))))
    else:
        np.testing.assert_allclose(
            expected[0], measure.scores(*reduced(measure, *(z.take(np.arange(1, 13)) for z in pair()))), rtol=1e-9
        )
    np.testing.assert_allclose(measure.left_out(x, y), expected, rtol=1e-8)


@pytest.mark.parametrize("name", IDS)
def test_the_null_is_the_score_of_shuffled_recordings(name):
    measure = similarity.load(name)
    networks, recorded = pair(1)
    x, y = reduced(measure, networks, recorded)
    orders = np.random.default_rng(2).permuted(np.tile(np.arange(13), (3, 1)), axis=1)
    expected = [measure.scores(x, measure.reduced(recorded.take(order))) for order in orders]
    np.testing.assert_allclose(measure.null(x, y, orders), expected, rtol=1e-8)


@pytest.mark.parametrize("name", [SONG, RBF, SONG + "-normalise=neurons", CROSS_HALF])
def test_unbiased_scores_average_to_zero_over_all_shuffles(name):
    # Not on average over data, but for any pair of representations.
    measure = similarity.load(name)
    networks, recorded = pair(3, n=6)
    x, y = reduced(measure, networks, recorded)
    every = np.array(list(itertools.permutations(range(6))))
    null = measure.null(x, y, every)
    assert np.abs(null).max() > 0.3
    np.testing.assert_allclose(null.mean(0), 0, atol=1e-10)


def test_biased_scores_average_over_shuffles_to_what_their_dimensionalities_say():
    measure = similarity.load(BIASED)
    networks, recorded = pair(4, n=6)
    x, y = reduced(measure, networks, recorded)
    null = measure.null(x, y, np.array(list(itertools.permutations(range(6))))).mean(0)
    # √(D D') / (n − 1), with the participation ratios (Σλ)² / Σλ² of the centred responses.
    ratios = []
    for units in (*networks.units, *recorded.units):
        values = np.linalg.eigvalsh(np.cov(units.T))
        ratios.append(values.sum() ** 2 / (values**2).sum())
    np.testing.assert_allclose(null[0], np.sqrt(np.array(ratios[:2]) * ratios[2]) / 5, rtol=1e-9)
    shown = similarity.evaluate(networks.units[0], recorded.units[0], BIASED, exchangeable="stimulus")
    assert shown["null_mean"] == pytest.approx(np.sqrt(ratios[0] * ratios[2]) / 5, abs=0.02)


@pytest.mark.parametrize(("n", "p", "rbf"), [(50, 30, 0.528), (50, 1000, 0.971), (118, 1000, 0.935)])
def test_unrelated_noise_scores_zero_only_without_bias(n, p, rbf):
    rng = np.random.default_rng(0)
    pairs = [rng.standard_normal((2, n, p)) for _ in range(16)]

    def scores(measure):
        found = np.array([similarity.score(*pair, measure) for pair in pairs])
        return found.mean(), found.std() / np.sqrt(len(found))

    for measure in (SONG, RBF):
        mean, error = scores(measure)
        assert abs(mean) < 3.5 * error and error < 0.03
    # Wishart matrices: E tr(KL) = p²(n − 1) and E tr(K²) = p(n − 1)(n + p).
    mean, error = scores(BIASED)
    assert mean == pytest.approx(p / (p + n), abs=4 * error + 2e-3)
    mean, error = scores("cka-kernel=rbf-hsic=biased")
    assert mean == pytest.approx(rbf, abs=0.03)


def test_offsets_of_units_do_not_count():
    # Without centring both Gram matrices are nearly constant, and agree whatever the stimuli do.
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((2, 30, 20))
    far = [z + 100 * rng.standard_normal(20) for z in (x, y)]
    grams = [z @ z.T for z in far]
    assert np.sum(grams[0] * grams[1]) / np.linalg.norm(grams[0]) / np.linalg.norm(grams[1]) > 0.99
    for measure in cka.MEASURES[:3]:
        assert similarity.score(*far, measure) == pytest.approx(similarity.score(x, y, measure), abs=1e-9)


def test_song_is_signed():
    rng = np.random.default_rng(1)
    scores = [similarity.score(*rng.standard_normal((2, 20, 40)), SONG) for _ in range(40)]
    assert min(scores) < 0 < max(scores)


@pytest.mark.parametrize("bandwidth", [0.5, 1.0, 3.0])
def test_rbf_kernels_follow_their_definition(bandwidth):
    x = np.random.default_rng(7).standard_normal((12, 5)) + 3
    distances = ((x[:, None] - x[None]) ** 2).sum(2)
    expected = np.exp(-distances / (2 * bandwidth**2 * np.median(distances)))
    np.testing.assert_allclose(hsic.rbf((x @ x.T)[None], bandwidth)[0], expected, atol=1e-12)
    words = "" if bandwidth == 1 else f"bandwidth={bandwidth:g}-"
    measure = similarity.load(f"cka-kernel=rbf-{words}hsic=song")
    np.testing.assert_allclose(measure.matrices(Grams.of([x]))[0], expected, atol=1e-12)


def test_a_wide_rbf_kernel_is_linear_in_the_end():
    # As Alvarez proves in "Gaussian RBF centered kernel alignment in the large bandwidth limit".
    x, y = (stack.units[0] for stack in pair(8, n=40))
    linear = similarity.score(x, y, SONG)
    differences = [similarity.score(x, y, f"cka-kernel=rbf-bandwidth={t}-hsic=song") - linear for t in (10, 100)]
    assert 1e-5 < abs(differences[0]) < 1e-2
    assert differences[1] == pytest.approx(differences[0] / 100, rel=0.2)


@pytest.mark.parametrize(
    ("bandwidth", "warning"), [("0.1", ["rbf_all_distinct"]), ("0.5", []), ("2", []), ("50", ["rbf_all_alike"])]
)
def test_a_bandwidth_that_leaves_nothing_of_the_representation_is_named(bandwidth, warning):
    x = Grams.of([np.random.default_rng(9).standard_normal((20, 30))])
    measure = similarity.load(f"cka-kernel=rbf-bandwidth={bandwidth}-hsic=song")
    assert measure.warnings(measure.reduced(x).parts[0]) == warning
    linear = similarity.load(SONG)
    assert linear.warnings(linear.reduced(x).parts[0]) == []


def test_rbf_is_undefined_if_most_stimuli_are_alike():
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
    measure = similarity.load(SONG)
    found = measure.weighted(*(measure.matrices(Grams.of([z])) for z in (y, x)), weights)[0, 0, 0]
    assert found == pytest.approx(similarity.score(x[1:], y[1:], SONG), abs=1e-10)


def test_noise_lowers_plain_cka_and_not_the_cross_half_form():
    rng = np.random.default_rng(2)
    n, units = 40, 60
    signal = rng.standard_normal((n, 6)) @ rng.standard_normal((6, units))
    model = signal[:, :30] + 2 * rng.standard_normal((n, 30))
    truth = similarity.score(signal, model, SONG)
    noisy = [signal + 8 * rng.standard_normal((8, n, units)) for _ in range(30)]
    plain, corrected = ([similarity.score(model, trials, name) for trials in noisy] for name in (SONG, CROSS_HALF))
    assert np.mean(plain) < truth - 0.05
    # What is left is the bias of a ratio, of second order.
    assert np.mean(corrected) == pytest.approx(truth, abs=0.03)


def test_cross_half_corrects_the_side_that_has_trials():
    networks, recorded = pair(10)
    trials = recorded.trials[0].values.reshape(4, 13, 8)
    both = similarity.score(trials, trials, CROSS_HALF)
    # Numerator: all trials with themselves; self-terms: without the noise that they share.
    assert both > similarity.score(trials.mean(0), trials, CROSS_HALF) > 1
    assert similarity.score(networks.units[0], np.stack([trials[0]] * 4), CROSS_HALF) == pytest.approx(
        similarity.score(networks.units[0], trials[0], SONG), abs=1e-12
    )


def test_cross_half_score_is_undefined_rather_than_zero_without_signal():
    rng = np.random.default_rng(3)
    measure = similarity.load(CROSS_HALF)
    layers = measure.reduced(Grams.of(rng.standard_normal((4, 12, 9))))
    weights = SimpleNamespace(weights=rng.multinomial(12, np.full(12, 1 / 12), size=20).astype(float))
    values, draws = [], []
    for _ in range(20):
        y = measure.reduced(recording(rng.standard_normal((2, 12, 30))))
        values.append(measure.scores(layers, y))
        draws.append(measure.draws(layers, y, values[-1], weights))
    # Half of the self-terms of pure noise are negative: no score of any layer then, instead of zero.
    undefined = np.isnan(values).all((1, 2))
    assert 3 < undefined.sum() < 17
    assert np.isfinite(np.array(values)[~undefined]).all()
    assert not np.any(np.array(draws) == 0)


def ceiling_of_truth(rng, reliability, repeats, dims, n=118, p=100):
    """Score the noise-free responses against noisy ones, in units of the ceiling; tell the reliability too."""
    signal = rng.standard_normal((n, p))
    if dims:
        signal = (rng.standard_normal((n, dims)) * np.arange(1, dims + 1) ** -0.5) @ rng.standard_normal((dims, p))
    signal = (signal - signal.mean(0)) / signal.std(0)
    noise = np.sqrt(repeats / 2 * (1 - reliability) / reliability)
    trials = Trials.of_repeats(signal + noise * rng.standard_normal((repeats, n, p)))
    measure = similarity.load(SONG)
    x, y = measure.reduced(Grams.of([signal])), measure.reduced(Grams.of_trials([trials]))
    between, own = measure.noise_terms(y, trials)
    halves = [trials.mean(half) for half in trials.halves()[0]]
    ceiling = np.sqrt(between / own) if between > 0 else np.nan
    return measure.scores(x, y)[0, 0] / ceiling, sampling.split_half(*halves)


@pytest.mark.parametrize("dims", [3, 30, 0])
@pytest.mark.parametrize(("repeats", "reliability"), [(2, 0.3), (2, 0.5), (6, 0.3), (6, 0.7)])
def test_the_true_model_scores_one_in_units_of_the_ceiling(dims, repeats, reliability):
    rng = np.random.default_rng([dims, repeats, int(10 * reliability)])
    hard = dims == 0 and reliability < 0.5
    ratios, found = np.transpose(
        [ceiling_of_truth(rng, reliability, repeats, dims) for _ in range(60 if hard and repeats == 2 else 20)]
    )
    assert np.mean(found) == pytest.approx(reliability, abs=0.01)
    error = np.std(ratios) / np.sqrt(len(ratios))
    # The bound is 0.02 for the bias; its estimate has an error, below 0.01.
    assert error < 0.01
    assert abs(np.mean(ratios) - 1) < 0.02


def test_below_a_reliability_of_three_tenths_the_ceiling_is_no_longer_right():
    rng = np.random.default_rng(0)
    ratios = [ceiling_of_truth(rng, 0.15, 2, 0)[0] for _ in range(60)]
    assert np.nanmean(ratios) > 1.05 or np.isnan(ratios).any()
    assert np.nanstd(ratios) > 0.2


def test_reliability_of_halves_is_the_share_of_variance_that_they_have_in_common():
    rng = np.random.default_rng(1)
    signal, noise = rng.standard_normal((400, 50)), rng.standard_normal((2, 400, 50))
    offset = 100 * rng.standard_normal(50)
    assert sampling.split_half(*(signal + 2 * noise + offset)) == pytest.approx(1 / 5, abs=0.01)
    assert np.isnan(sampling.split_half(signal, np.zeros_like(signal)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("kernel=rbf-bandwidth=1-hsic=song", "bandwidth=1: an RBF kernel takes a fraction of the median distance"),
        ("kernel=rbf-bandwidth=0.50-hsic=song", "bandwidth=0.50: "),
        ("kernel=rbf-bandwidth=wide-hsic=song", "bandwidth=wide: "),
        ("kernel=linear-bandwidth=0.5-hsic=song", "bandwidth=0.5: an RBF kernel"),
        ("kernel=linear-hsic=song-batch=4", "batch=4: give a number of stimuli, at least 5"),
        ("kernel=linear-hsic=song-batch=064", "batch=064: "),
        ("kernel=rbf-hsic=song-batch=64", "for cka-kernel=linear-hsic=song only"),
        ("kernel=linear-hsic=biased-normalise=neurons", "for cka-kernel=linear-hsic=song only"),
        ("kernel=linear-hsic=song-normalise=neuron", "unknown value of normalise 'neuron'; did you mean neurons"),
        ("kernel=linear-hsic=sing", "unknown estimator of HSIC 'sing'; did you mean song"),
        ("kernel=linear", "perhaps with -bandwidth="),
    ],
)
def test_what_no_cka_can_be_is_refused_in_one_line(words, message):
    with pytest.raises(UserError, match=message) as error:
        similarity.load(f"cka-{words}")
    assert "\n" not in str(error.value)
