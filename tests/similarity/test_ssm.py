"""SSM: its equals, its noise correction against explicit halves, stimuli that are left out, and planted layers."""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.datasets import load_sample_images

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.inference import resampling
from neurocompare.similarity import comparators, ssm
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.embedded import Kernel
from neurocompare.similarity.measure import Reduced
from neurocompare.similarity.trials import Trials


def noisy(seed, n=20, p=40, repeats=6, noise=1.0):
    """Return a representation and noisy repeats of it, with responses of different strength."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) * np.linspace(0.5, 2, n)[:, None]
    return x, x + noise * rng.standard_normal((repeats, n, p))


def test_plain_form_is_the_rank_correlation_of_upper_triangles():
    x, y = noisy(0)
    i, j = np.triu_indices(len(x), 1)
    expected = stats.spearmanr(np.corrcoef(x)[i, j], np.corrcoef(y.mean(0))[i, j]).statistic
    assert similarity.score(x, y, "ssm") == pytest.approx(expected, abs=1e-12)
    rsa = similarity.score(x, y, "rsa-distance=correlation-compare=spearman")
    assert similarity.score(x, y, "ssm") == pytest.approx(rsa, abs=1e-12)


def test_unrelated_representations_have_no_score_because_the_diagonal_is_left_out():
    # Flattening whole matrices, diagonals and all, correlates any two of them: by .14 for 20 stimuli.
    rng = np.random.default_rng(1)
    pairs = rng.standard_normal((200, 2, 20, 60))
    scores = [similarity.score(x, y, "ssm") for x, y in pairs]
    flattened = [stats.spearmanr(np.corrcoef(x).ravel(), np.corrcoef(y).ravel()).statistic for x, y in pairs]
    error = np.std(scores) / np.sqrt(len(scores))
    assert abs(np.mean(scores)) < 3 * error
    assert np.mean(flattened) > 0.1


def test_products_are_the_mean_over_all_halves():
    """Of six repeats there are ten splits into halves, and every one is written out."""
    _, y = noisy(2)
    centred = y - y.mean(2, keepdims=True)
    products = []
    for first in itertools.combinations(range(6), 3):
        a, b = centred[list(first)].mean(0), np.delete(centred, first, axis=0).mean(0)
        products.append((a @ b.T + b @ a.T) / 2)
    found = ssm.cross_products(Trials.of_repeats(y))
    np.testing.assert_allclose(found, np.mean(products, axis=0), atol=1e-12)
    correlations = ssm.split_half_correlations(Trials.of_repeats(y))
    norm = np.sqrt(np.diag(found))
    np.testing.assert_allclose(correlations, found / np.outer(norm, norm), atol=1e-12)


def test_products_of_unequal_numbers_of_trials_leave_out_pairs_within_a_block():
    rng = np.random.default_rng(3)
    stimulus = np.array([0, 1, 2, 3, 0, 0, 1, 3, 2, 2, 3, 1, 1])
    block = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2])
    values = rng.standard_normal((13, 7))
    found = ssm.cross_products(Trials(values, stimulus, block, 4))
    centred = values - values.mean(1, keepdims=True)
    for i, j in itertools.product(range(4), repeat=2):
        pairs = [
            centred[s] @ centred[t]
            for s, t in itertools.product(np.flatnonzero(stimulus == i), np.flatnonzero(stimulus == j))
            if block[s] != block[t]
        ]
        assert found[i, j] == pytest.approx(np.mean(pairs), abs=1e-12)


def test_corrected_correlations_are_those_without_noise_on_average():
    x, _ = noisy(4, n=12, p=60)
    rng = np.random.default_rng(5)
    estimates, plain = [], []
    for _ in range(200):
        y = x + 1.5 * rng.standard_normal((4, *x.shape))
        estimates.append(ssm.split_half_correlations(Trials.of_repeats(y)))
        plain.append(np.corrcoef(y.mean(0)))
    i, j = np.triu_indices(12, 1)
    truth = np.corrcoef(x)[i, j]
    slopes = [np.polyfit(truth, np.nanmean(found, axis=0)[i, j], 1)[0] for found in (estimates, plain)]
    assert slopes[0] == pytest.approx(1, abs=0.1)
    assert slopes[1] < 0.8


def test_without_noise_the_corrected_form_is_the_plain_one():
    x, _ = noisy(6)
    other = noisy(7)[0]
    expected = similarity.score(x, other, "ssm")
    assert similarity.score(x, np.stack([other] * 3), "ssm-split-half") == pytest.approx(expected, abs=1e-12)
    # Networks have no trials: as candidates they are taken without correction.
    matrix = similarity.load("ssm-split-half").matrices(Grams.of([x]))
    np.testing.assert_array_equal(matrix, similarity.load("ssm").matrices(Grams.of([x])))


def with_silent(seed=8, silent=(3, 11)):
    """Return a representation and repeats of it, in which the responses to two stimuli are noise that reverses."""
    x, y = noisy(seed)
    for k in silent:
        y[:, k] = np.random.default_rng(k).standard_normal(y.shape[2]) * np.resize([1.0, -1.0], len(y))[:, None]
    return x, y, np.setdiff1d(np.arange(len(x)), silent)


def test_stimuli_without_reproduced_responses_are_left_out_and_counted():
    x, y, kept = with_silent()
    measure = similarity.load("ssm-split-half")
    part = measure.reduce(Grams.of_trials([Trials.of_repeats(y)]))[0]
    np.testing.assert_array_equal(np.flatnonzero(~ssm.left_out(part.matrix)), kept)
    assert measure.warnings(part) == ["stimuli_not_reproduced=2"]
    assert measure.warnings(measure.reduce(Grams.of([x]))[0]) == []
    expected = similarity.score(x[kept], y[:, kept], "ssm-split-half")
    assert similarity.score(x, y, "ssm-split-half") == pytest.approx(expected, abs=1e-12)


def test_null_and_resamples_are_those_of_the_stimuli_that_are_kept():
    x, y, kept = with_silent()
    measure, n = similarity.load("ssm-split-half"), len(x)
    whole = [measure.reduced(g) for g in (Grams.of([x, x[::-1]]), Grams.of_trials([Trials.of_repeats(y)]))]
    part = [
        measure.reduced(g)
        for g in (Grams.of([x[kept], x[::-1][kept]]), Grams.of_trials([Trials.of_repeats(y[:, kept])]))
    ]
    plan = resampling.plan("a", n, "stimulus", permutations=20, bootstraps=20)
    place = {stimulus: k for k, stimulus in enumerate(kept)}
    orders = np.array([[place[k] for k in order if k in place] for order in plan.permutations])
    np.testing.assert_allclose(measure.null(*whole, plan.permutations), measure.null(*part, orders), atol=1e-12)
    expected = comparators.weighted(
        np.stack([p.matrix for p in part[1].parts]), np.stack([p.matrix for p in part[0].parts]),
        plan.weights[:, kept], "spearman",
    )  # fmt: skip
    np.testing.assert_allclose(measure.draws(*whole, measure.scores(*whole), plan), expected, atol=1e-12)
    left = measure.left_out(*whole)
    np.testing.assert_allclose(left[3], measure.scores(*whole), atol=1e-12)
    some = np.delete(kept, 0)
    assert left[kept[0], 0, 0] == pytest.approx(similarity.score(x[some], y[:, some], "ssm-split-half"), abs=1e-12)


def test_animals_that_lack_different_stimuli_are_compared_on_what_they_share():
    x, y, _ = with_silent()
    _, z, _ = with_silent(silent=(5,))
    measure = similarity.load("ssm-split-half")
    both = measure.reduced(Grams.of_trials([Trials.of_repeats(y), Trials.of_repeats(z)]))
    kept = np.setdiff1d(np.arange(len(x)), (3, 5, 11))
    pair = measure.reduced(Grams.of_trials([Trials.of_repeats(y[:, kept]), Trials.of_repeats(z[:, kept])]))
    np.testing.assert_allclose(measure.scores(both, both)[0, 1], measure.scores(pair, pair)[0, 1], atol=1e-12)
    # Their average has every stimulus; of complete ones it is the average of RSA.
    matrices = np.stack([part.matrix for part in both.parts])
    assert not ssm.left_out(measure.average(matrices)).any()
    complete = matrices[:, kept][:, :, kept]
    model = Reduced([Kernel(measure.average(complete))])
    expected = comparators.compare(comparators.average(complete, "spearman"), complete[0], "spearman")
    assert measure.scores(model, Reduced([Kernel(complete[0])]))[0, 0] == pytest.approx(expected, abs=1e-12)


def test_a_recording_of_noise_alone_is_undefined_without_a_warning(recwarn):
    x, y, _ = with_silent(silent=range(18))
    assert np.isnan(similarity.score(x, y, "ssm-split-half"))
    found = similarity.evaluate(x, y, "ssm-split-half", exchangeable="stimulus")
    assert np.isnan(found["value"])
    assert not recwarn.list


def test_the_score_lies_between_the_bounds_of_its_ceiling():
    x, y = noisy(9, n=40, p=60, noise=2.0)
    found = similarity.evaluate(x, y, "ssm-split-half", exchangeable="stimulus")
    assert found["ceiling_kind"] == "bracket (trials)"
    assert found["ceiling_low"] < found["value"] < found["ceiling_high"] < 1
    assert found["p_value"] == pytest.approx(1 / 1001)


def patches(count=118, pixels=32):
    """Cut grey patches out of two photographs, each less its mean."""
    rng, images = np.random.default_rng(0), load_sample_images().images
    cut = []
    for k in range(count):
        image, side = images[k % 2].mean(2), 2 * pixels
        i, j = (rng.integers(size - side) for size in image.shape)
        cut.append(image[i : i + side, j : j + side].reshape(pixels, 2, pixels, 2).mean((1, 3)))
    cut = np.stack(cut)
    return (cut - cut.mean((1, 2), keepdims=True)) / cut.std()


@pytest.fixture(scope="module")
def layers():
    """Responses to 118 patches in a random convolutional network with as many layers and stages as VGG16."""
    generator = torch.Generator().manual_seed(0)
    x, found = torch.tensor(patches()[:, None], dtype=torch.float32), []
    channels, sizes = [16] * 3 + [32] * 3 + [64] * 3 + [128] * 4, [3] * 4 + [5] * 4 + [7] * 5
    with torch.no_grad():
        for layer, (channel, size) in enumerate(zip(channels, sizes, strict=True)):
            weight = torch.randn((channel, x.shape[1], size, size), generator=generator)
            bias = 0.1 * torch.randn((channel, 1, 1), generator=generator)
            weight *= (2 / size**2 / x.shape[1]) ** 0.5
            x = torch.relu(torch.nn.functional.conv2d(x, weight, padding=size // 2) + bias)
            found.append(x.flatten(1).numpy().astype(float))
            if layer in (2, 5, 8):
                x = torch.nn.functional.max_pool2d(x, 2)
    return found


@pytest.fixture(scope="module")
def models(layers):
    return Reduced(similarity.load("ssm").reduce(Grams.of(layers)))


def hits(models, parts):
    """Return how often the layer that a recording was taken from, one after the other, scores best."""
    best = similarity.load("ssm").scores(models, Reduced(parts)).argmax(1)
    return np.mean(best == np.resize(np.arange(len(models)), len(best)))


@pytest.mark.parametrize(("units", "low", "high"), [(50, 0.5, 0.75), (200, 0.9, 1), (500, 0.95, 1), (1000, 1, 1)])
def test_layers_are_found_from_some_of_their_units(layers, models, units, low, high):
    """In 325 samples of as many units: .70, .92, 1.00 and 1; in other random networks .58–.87, .82–1.00, .96–1.00."""
    rng = np.random.default_rng(1)
    samples = [x[:, rng.choice(x.shape[1], units, replace=False)] for _ in range(4) for x in layers]
    assert low <= hits(models, similarity.load("ssm").reduce(Grams.of(samples))) <= high


def test_noise_hides_layers_from_the_plain_form_and_not_from_the_corrected_one(layers, models):
    """1,000 units, 50 trials, noise three times the signal; in 104 samples .32 against .98."""
    rng = np.random.default_rng(0)
    plain, corrected = [], []
    for x in layers:
        signal = x[:, rng.choice(x.shape[1], 1000, replace=False)]
        noise = 3 * signal.std() * rng.standard_normal((50, *signal.shape), dtype=np.float32)
        recording = Grams.of_trials([Trials.of_repeats(signal + noise)])
        plain += similarity.load("ssm").reduce(recording)
        corrected += similarity.load("ssm-split-half").reduce(recording)
    assert hits(models, plain) < 0.5
    assert hits(models, corrected) >= 0.85


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ("ssm-split", "unknown measure 'ssm-split'; did you mean ssm-split-half"),
        ("ssm-diagonal=yes", "ssm has no option 'diagonal'"),
    ],
)
def test_ids_that_do_not_exist_are_refused_in_one_line(measure, message):
    with pytest.raises(UserError, match=message) as caught:
        similarity.load(measure)
    assert "\n" not in str(caught.value)


def test_what_can_not_be_correlated_is_refused_in_one_line():
    x, y = noisy(10)
    with pytest.raises(UserError, match="needs at least 2 repeats of every stimulus; y has fewer"):
        similarity.score(x, y[:1], "ssm-split-half")
    with pytest.raises(UserError, match="correlations over units need at least two units"):
        similarity.score(x, y[:, :, :1], "ssm-split-half")
    flat = y.copy()
    flat[:, 4] = 0.1
    trials = Trials.of_repeats(flat)
    np.testing.assert_array_equal(np.flatnonzero(ssm.left_out(ssm.split_half_correlations(trials))), [4])
