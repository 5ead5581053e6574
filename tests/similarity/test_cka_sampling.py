"""CKA of samples: of units out of a population, of stimuli in batches, and what their dimensionality is."""

import itertools

import numpy as np
import pytest

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.similarity import hsic, sampling
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.trials import Trials

SONG = "cka-kernel=linear-hsic=song"
NEURONS, BOTH = SONG + "-normalise=neurons", SONG + "-normalise=cross-half-neurons"


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture
def responses(rng):
    """Responses of the same units in two halves of the trials, with offsets."""
    x = rng.standard_normal((9, 5)) + 3 * rng.standard_normal(5)
    return x, x + 0.5 * rng.standard_normal((9, 5)) - 1


def unit_kernels(x):
    return np.einsum("iu,ju->uij", x, x)


def recording(trials):
    return Grams.of_trials([Trials.of_repeats(trials)])


def scored(name, x, y):
    measure = similarity.load(name)
    return measure.scores(measure.reduced(x), measure.reduced(y))[0, 0]


def mean_and_error(values):
    return np.mean(values), np.std(values) / np.sqrt(len(values))


def test_terms_of_single_units_match_their_kernels(responses, rng):
    x, z = responses
    a, b = unit_kernels(x), unit_kernels(z)
    assert sampling.unit_terms(x, z) == pytest.approx(hsic.song(a, b).sum(), rel=1e-9)
    assert sampling.unit_terms(x, x) == pytest.approx(hsic.song(a, a).sum(), rel=1e-9)
    weights = np.vstack([np.ones(9), rng.multinomial(9, np.full(9, 1 / 9), size=20)]).astype(float)
    weights[-1] = [4, 3, 2, 0, 0, 0, 0, 0, 0]
    expected = sum(hsic.weighted(k, m, weights, "song") for k, m in zip(a, b, strict=True))
    found = sampling.weighted_unit_terms(x, z, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    assert found[0] == pytest.approx(sampling.unit_terms(x, z), rel=1e-10)
    assert np.isnan(found[-1])


def test_many_units_are_summed_in_parts(rng):
    x = rng.standard_normal((12, 300))
    weights = rng.multinomial(12, np.full(12, 1 / 12), size=4).astype(float)
    parts = [sampling.weighted_unit_terms(x[:, k : k + 50], x[:, k : k + 50], weights) for k in range(0, 300, 50)]
    np.testing.assert_allclose(sampling.weighted_unit_terms(x, x, weights), np.sum(parts, axis=0), rtol=1e-10)


def test_the_self_term_is_the_mean_over_pairs_of_different_units(responses):
    x, z = responses
    a, b = unit_kernels(x), unit_kernels(z)
    pairs = [hsic.song(a[u], b[v]) for u, v in itertools.permutations(range(5), 2)]
    total = hsic.song(a.sum(0), b.sum(0))
    assert sampling.between_units(total, sampling.unit_terms(x, z), 5) == pytest.approx(25 * np.mean(pairs), rel=1e-9)


def test_the_self_term_of_samples_is_that_of_the_population_on_average(rng):
    # All samples of 3 of 6 units and of 5 of 7 stimuli: no Monte Carlo, no error.
    x = rng.standard_normal((7, 2)) @ rng.standard_normal((2, 6)) + 0.5 * rng.standard_normal((7, 6))

    def self_term(part):
        kernel = part @ part.T
        corrected = sampling.between_units(hsic.song(kernel, kernel), sampling.unit_terms(part, part), part.shape[1])
        return np.array([corrected, hsic.song(kernel, kernel)]) / part.shape[1] ** 2

    units, stimuli = (list(itertools.combinations(range(k), m)) for k, m in ((6, 3), (7, 5)))
    samples = np.mean([self_term(x[np.ix_(s, u)]) for u in units for s in stimuli], axis=0)
    population = self_term(x)
    assert samples[0] == pytest.approx(population[0], rel=1e-10)
    assert samples[1] > 1.1 * population[1]


def planted(rng, n_units, n=118, dims=20):
    """A network, a function of samples of a population of neurons, and the true CKA of the two."""
    loadings = np.arange(1, dims + 1) ** -0.5
    network = np.random.default_rng(1).standard_normal((dims, 60))
    kernel = network @ network.T
    truth = np.trace(kernel * loadings**2) / np.linalg.norm(kernel) / np.linalg.norm(loadings**2)
    shared = rng.standard_normal((n, dims))
    return shared @ network, (shared * loadings) @ rng.standard_normal((dims, n_units)), truth


@pytest.mark.parametrize(("n_units", "bias", "lost"), [(10, 0.08, 0.1), (20, 0.05, 0.04), (100, 0.015, 0.0)])
def test_few_units_lower_the_score_and_the_correction_raises_it(rng, n_units, bias, lost):
    truth = planted(rng, 1)[2]
    plain, corrected = [], []
    for _ in range(150):
        x, y, _ = planted(rng, n_units)
        plain.append(similarity.score(x, y, SONG))
        corrected.append(similarity.score(x, y, NEURONS))
    (low, error), (found, corrected_error) = mean_and_error(plain), mean_and_error(corrected)
    assert low + 3 * error < truth - lost
    # Numerator and self-term are unbiased; their ratio is too high by a term of second order in 1 / n_units.
    assert -3 * corrected_error < found - truth < bias
    assert abs(found - truth) < abs(low - truth)


@pytest.mark.parametrize("n_units", [3, 30])
def test_what_the_ratio_is_made_of_has_no_bias(rng, n_units):
    loadings = np.arange(1, 21) ** -0.5
    network = np.random.default_rng(1).standard_normal((20, 60))
    truth = [np.trace(network @ network.T * loadings**2), (loadings**4).sum()]
    terms, plain = [], []
    for _ in range(500):
        x, y, _ = planted(rng, n_units, n=30)
        kernels = [z @ z.T for z in (x, y)]
        own = hsic.song(kernels[1], kernels[1])
        corrected = sampling.between_units(own, sampling.unit_terms(y, y), n_units)
        terms.append([hsic.song(*kernels) / n_units, corrected / n_units**2])
        plain.append(own / n_units**2)
    for found, expected in zip(np.transpose(terms), truth, strict=True):
        mean, error = mean_and_error(found)
        assert abs(mean - expected) < 3.5 * error
        assert error < 0.1 * expected
    # A unit with itself has E(Σl²w²)² = (Σl²)² + 2 Σl⁴ for weights w, two units have Σl⁴.
    mean, error = mean_and_error(plain)
    excess = (truth[1] + (loadings**2).sum() ** 2) / n_units
    assert abs(mean - truth[1] - excess) < 3.5 * error


def test_noise_that_a_unit_has_for_itself_goes_with_its_own_term(rng):
    truth = planted(rng, 1)[2]
    found = {name: [] for name in (SONG, NEURONS, BOTH)}
    shared_noise = {name: [] for name in (SONG, NEURONS, BOTH)}
    for _ in range(25):
        x, y, _ = planted(rng, 80)
        private = 4 * rng.standard_normal((6, *y.shape))
        shared = rng.standard_normal((6, len(y), 3)) @ (2.5 * rng.standard_normal((3, 80)))
        for name in found:
            found[name].append(scored(name, Grams.of([x]), recording(y + private)))
            shared_noise[name].append(scored(name, Grams.of([x]), recording(y + shared)))
    assert np.mean(found[SONG]) < truth - 0.05
    for name in (NEURONS, BOTH):
        assert np.mean(found[name]) == pytest.approx(truth, abs=0.03)
    # Noise that units share is between units too, and not between halves of the trials.
    assert np.mean(shared_noise[NEURONS]) < truth - 0.05
    assert np.mean(shared_noise[BOTH]) == pytest.approx(truth, abs=0.03)


def test_the_ceiling_of_corrected_scores_is_what_shared_noise_leaves(rng):
    measure = similarity.load(NEURONS)
    ratios, ceilings = [], []
    for _ in range(25):
        _, y, _ = planted(rng, 80)
        shared = rng.standard_normal((6, len(y), 3)) @ (2.5 * rng.standard_normal((3, 80)))
        trials = Trials.of_repeats(y + shared)
        target = measure.reduced(Grams.of_trials([trials]))
        between, own = measure.noise_terms(target, trials)
        ceilings.append(np.sqrt(between / own))
        # The truth is the recorded population itself; what it lacks of all neurons is in both.
        kernels = hsic.linear(np.stack([y @ y.T, target.grams.gram[0]]))
        norm = sampling.between_units(hsic.song(kernels[0], kernels[0]), sampling.unit_terms(y, y), 80)
        product = sampling.between_units(hsic.song(*kernels), sampling.unit_terms(y, target.grams.units[0]), 80)
        ratios.append(product / np.sqrt(own * norm) / ceilings[-1])
    assert np.mean(ceilings) < 0.9
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)


def test_a_recording_is_a_sample_on_either_side_and_a_network_on_none(rng):
    x, y, _ = planted(rng, 12)
    network = Grams.of([x])
    # A network comes as its Gram matrix alone.
    bare = Grams(network.gram, network.row_sum, network.n_units)
    noisy = recording(y + rng.standard_normal((4, *y.shape)))
    for name in (NEURONS, BOTH):
        assert scored(name, bare, noisy) == scored(name, network, noisy)
    mean = noisy.units[0]
    other = recording(planted(np.random.default_rng(3), 9)[1] + rng.standard_normal((4, 118, 9)))
    both_sides = sampling.population_cka(other.units[0], mean)
    assert scored(NEURONS, other, noisy) == pytest.approx(both_sides, rel=1e-10)
    assert scored(NEURONS, noisy, other) == pytest.approx(both_sides, rel=1e-10)
    # Plain arrays do not say what they are: the target is taken for the sample.
    assert abs(similarity.score(x[:, :9], mean, NEURONS) - similarity.score(mean, x[:, :9], NEURONS)) > 1e-3


def test_population_cka_corrects_both_sides(rng):
    truths, plain, corrected = [], [], []
    for _ in range(100):
        loadings = np.linspace(0.2, 2, 12)
        shared = rng.standard_normal((80, 12))
        x, y = shared @ rng.standard_normal((12, 30)), (shared * loadings) @ rng.standard_normal((12, 30))
        truths.append((loadings**2).sum() / np.sqrt(12 * (loadings**4).sum()))
        plain.append(similarity.score(x, y, SONG))
        corrected.append(sampling.population_cka(x, y))
    assert np.mean(plain) < np.mean(truths) - 0.15
    assert np.mean(corrected) == pytest.approx(np.mean(truths), abs=0.03)
    forth, back = sampling.population_cka(x, y), sampling.population_cka(y, x)
    assert forth == pytest.approx(back, rel=1e-10)
    moved = 3 * x[:, ::-1] + rng.standard_normal(30)
    assert sampling.population_cka(moved, y) == pytest.approx(forth, rel=1e-9)
    rotation = np.linalg.qr(rng.standard_normal((30, 30)))[0]
    assert abs(sampling.population_cka(x @ rotation, y) - forth) > 1e-3


@pytest.mark.parametrize("name", [NEURONS, BOTH])
def test_a_single_unit_is_no_sample(rng, name):
    x = rng.standard_normal((10, 4))
    with pytest.raises(UserError, match="at least 2 units of the recording; leave out 'neurons'") as error:
        similarity.score(x, x[None, :, :1] + rng.standard_normal((3, 10, 1)), name)
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="needs 4 stimuli and 2 units, got 10 and 1; .* use cka-kernel=linear"):
        sampling.population_cka(x, x[:, :1])
    # A network with one unit is all that there is of it.
    assert np.isfinite(similarity.score(x[:, :1], x[None] + 0.1 * rng.standard_normal((3, 10, 4)), name))


def test_kernels_alone_do_not_tell_what_units_have_for_themselves(rng):
    # Partial scores and others that look at kernels only are refused, and not left uncorrected.
    measure = similarity.load(NEURONS)
    matrices = rng.standard_normal((1, 9, 9))
    with pytest.raises(UserError, match="needs single units: leave out 'partial', or 'neurons' from normalise"):
        measure.embed(matrices)
    assert np.isnan(measure.inner(matrices, matrices)).all()


def golden():
    rng = np.random.default_rng(20240501)
    z = rng.standard_normal((24, 5))
    x = z @ rng.standard_normal((5, 10)) + 0.5 * rng.standard_normal((24, 10))
    return x, z @ rng.standard_normal((5, 7)) + 0.5 * rng.standard_normal((24, 7))


def test_batches_cut_the_stimuli_and_leave_some_out():
    found = sampling.batches(30, 8)
    assert len(found) == 3 * sampling.EPOCHS
    for k in range(0, len(found), 3):
        assert np.unique(np.concatenate(found[k : k + 3])).size == 24
    assert len({tuple(batch) for batch in found}) == len(found)
    np.testing.assert_array_equal(found, sampling.batches(30, 8))
    for size in (30, 64):
        assert [batch.tolist() for batch in sampling.batches(30, size)] == [list(range(30))]


def test_cka_of_batches_is_the_ratio_of_mean_hsic():
    x, y = golden()
    terms = np.zeros(3)
    for batch in sampling.batches(24, 8):
        k, m = x[batch] @ x[batch].T, y[batch] @ y[batch].T
        terms += [hsic.song(k, m), hsic.song(k, k), hsic.song(m, m)]
    expected = terms[0] / np.sqrt(terms[1] * terms[2])
    assert similarity.score(x, y, SONG + "-batch=8") == pytest.approx(expected, rel=1e-10)
    assert similarity.score(x, y, SONG + "-batch=24") == pytest.approx(0.5908325367, abs=1e-9)
    streamed = sampling.streamed_cka((x[batch], y[batch]) for batch in sampling.batches(24, 8))
    assert streamed == pytest.approx(expected, rel=1e-10)


def test_more_epochs_come_nearer_to_all_stimuli_at_once():
    x, y = golden()
    few, many = (
        [
            sampling.streamed_cka(
                (x[batch], y[batch]) for _ in range(epochs) for batch in rng.permutation(24).reshape(3, 8)
            )
            for rng in map(np.random.default_rng, range(20))
        ]
        for epochs in (2, 40)
    )
    # With batches of 8 and 10 epochs the score scatters by 0.025 about that of all stimuli.
    assert np.std(many) < 0.5 * np.std(few)
    assert np.mean(many) == pytest.approx(0.5908, abs=0.01)
    assert similarity.score(x, y, SONG + "-batch=8") == pytest.approx(0.586, abs=3 * 0.025)


def test_a_stream_takes_single_precision_and_offsets(rng):
    x, y = golden()
    cut = sampling.batches(24, 8)
    expected = sampling.streamed_cka((x[batch], y[batch]) for batch in cut)
    offset = 1000 * rng.standard_normal(10)
    single = ((x[batch] + offset, y[batch].astype(np.float32)) for batch in cut)
    assert sampling.streamed_cka(single) == pytest.approx(expected, abs=1e-5)
    assert np.isnan(sampling.streamed_cka([(np.full((8, 3), 0.1), y[:8])]))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ([(8, 8), (3, 3)], "batch 1 has 3 and 3 stimuli; .* leave out a last batch that is smaller"),
        ([(8, 7)], "batch 0 has 8 and 7 stimuli; give the same stimuli"),
        ([], "there is no batch of stimuli"),
    ],
)
def test_batches_that_do_not_fit_are_refused(rng, sizes, message):
    pairs = [tuple(rng.standard_normal((n, 5)) for n in pair) for pair in sizes]
    with pytest.raises(UserError, match=message):
        sampling.streamed_cka(pairs)


def test_population_dimensionality_matches_its_definition(rng):
    x = rng.standard_normal((6, 2)) @ rng.standard_normal((2, 4)) + 0.3 * rng.standard_normal((6, 4)) + 2
    z = x + 0.1 * rng.standard_normal((6, 4)) - 1
    traces = squares = 0.0
    for i, j, q, r in itertools.permutations(range(6), 4):
        for u, v in itertools.permutations(range(4), 2):
            first = (x[i, u] - x[j, u]) * (z[i, u] - z[j, u]) / 2
            traces += first * (x[q, v] - x[r, v]) * (z[q, v] - z[r, v]) / 2
            squares += x[i, u] * x[j, u] * (z[i, v] * z[j, v] + z[q, v] * z[r, v] - 2 * z[i, v] * z[q, v])
    assert traces > 0 and squares > 0
    assert sampling.population_dimensionality(x, z) == pytest.approx(traces / squares, rel=1e-9)
    assert np.isnan(sampling.population_dimensionality(x[:3]))
    assert np.isnan(sampling.population_dimensionality(x[:, :1]))


def test_population_dimensionality_does_not_depend_on_the_sample(rng):
    spectrum = 1 / np.arange(1, 31)
    truth = spectrum.sum() ** 2 / (spectrum**2).sum()
    found, naive, noisy = [], [], []
    for _ in range(60):
        shared = rng.standard_normal((200, 30)) * np.sqrt(spectrum)
        x = shared @ rng.standard_normal((30, 60))
        values = np.linalg.eigvalsh(np.cov(x.T))
        naive.append(values.sum() ** 2 / (values**2).sum())
        found.append(sampling.population_dimensionality(x))
        noisy.append(sampling.population_dimensionality(*(x + 2 * rng.standard_normal((2, *x.shape)))))
    assert np.mean(naive) < truth - 1
    for values in (found, noisy):
        mean, error = mean_and_error(values)
        # The ratio of unbiased terms is high by a few per cent.
        assert -3 * error < mean - truth < 0.07 * truth


def test_two_samples_of_the_neurons_of_one_area_are_one_population(real_data):
    # 50 images × 10 repeats × 103 neurons of mouse V1 (Antolík et al. 2016); the trials are disjoint too.
    trials = np.load(real_data / "antolik2016_mouse_v1" / "region1" / "raw_validation_set.npy")
    trials = trials / trials.std((0, 1))
    orders = [np.random.default_rng(k).permutation(103) for k in range(25)]
    found = {}
    for size in (30, 50):
        pairs = [(recording(trials[::2, :, u[:size]]), recording(trials[1::2, :, u[-size:]])) for u in orders]
        for name in (SONG, SONG + "-normalise=cross-half", BOTH):
            found[name, size] = np.mean([scored(name, *pair) for pair in pairs])
    # The more neurons the higher the scores that do not take them for a sample: 0.37 and 0.49, 0.63 and 0.76.
    for name in (SONG, SONG + "-normalise=cross-half"):
        assert found[name, 30] + 0.1 < found[name, 50] < 0.8
    assert [found[BOTH, 30], found[BOTH, 50]] == pytest.approx([1, 1], abs=0.1)
