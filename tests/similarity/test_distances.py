"""RDMs: large ones in single precision, over time, of angles; what networks get; normalised units; refusals."""

import tracemalloc

import numpy as np
import pytest
from conftest import ABOUT

from neurocompare import comparison, representation, similarity
from neurocompare.errors import UserError
from neurocompare.similarity import circular, crossvalidated, noise
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.distances import DISTANCES, PLAIN, from_grams, over_time, rdm_of, require_response
from neurocompare.similarity.normalisation import normalise
from neurocompare.similarity.trials import Trials


def direct(x, distance):
    """Squared differences of patterns, in double precision, without a Gram matrix."""
    x = x.astype(float)
    if distance == "correlation":
        x = x - x.mean(1, keepdims=True)
    if distance != "euclidean":
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
    squares = np.stack([((x - row) ** 2).sum(1) for row in x])
    return squares / x.shape[1] if distance == "euclidean" else squares / 2


def large(offset, n=60, p=3000):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p))
    x = {
        "none": x,
        "units": x + 100 * rng.standard_normal(p),
        "stimuli": x + 100 * rng.standard_normal((n, 1)),
        "rates": np.maximum(x, 0),
        "gain": x * rng.uniform(0.2, 5, (n, 1)),
        "weak stimulus": x * np.r_[1e-3, np.ones(n - 1)][:, None],
    }[offset]
    return x.astype(np.float32)


@pytest.mark.parametrize("distance", PLAIN)
@pytest.mark.parametrize("offset", ["none", "units", "stimuli", "rates", "gain", "weak stimulus"])
def test_single_precision_keeps_its_digits(distance, offset):
    if offset == "stimuli" and distance != "correlation":
        return  # These distances measure the offsets themselves: most are large, and some small beside them.
    x = large(offset)
    rdm, upper = rdm_of(x, distance, block=700), np.triu_indices(60, 1)
    assert rdm.dtype == np.float32
    assert np.array_equal(rdm, rdm.T)
    assert np.all(np.diag(rdm) == 0)
    np.testing.assert_allclose(rdm[upper], direct(x, distance)[upper], rtol=1e-5)
    np.testing.assert_allclose(rdm_of(x.astype(float), distance), direct(x, distance), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("distance", PLAIN)
def test_blocks_of_units_make_no_difference(distance):
    x = np.random.default_rng(1).standard_normal((20, 131))
    whole = from_grams(Grams.of([x]), distance)[0]
    for block in (1, 7, 131, 1000):
        np.testing.assert_allclose(rdm_of(x, distance, block=block), whole, atol=1e-13)
    # Layouts of memory neither; nor whole numbers.
    np.testing.assert_allclose(rdm_of(np.asfortranarray(x), distance), whole, atol=1e-13)
    np.testing.assert_allclose(rdm_of(np.repeat(x, 2, axis=1)[:, ::2], distance), whole, atol=1e-13)
    counts = np.random.default_rng(1).poisson(3, (20, 31))
    np.testing.assert_allclose(rdm_of(counts, distance), direct(counts, distance), atol=1e-13)


@pytest.mark.parametrize("distance", PLAIN)
def test_equal_patterns_are_exact_ties_in_large_rdms(distance):
    x = large("units")
    x[3:7] = x[3]
    rdm = rdm_of(x, distance)
    assert np.all(rdm[3:7, 3:7] == 0)
    assert np.count_nonzero(rdm) == 60 * 59 - 12


@pytest.mark.parametrize("distance", PLAIN)
def test_a_large_rdm_needs_the_memory_of_itself_and_a_block(distance):
    n, p = 600, 6000
    x = np.random.default_rng(2).standard_normal((n, p), dtype=np.float32)
    rdm_of(x[:, :10], distance)
    tracemalloc.start()
    rdm_of(x, distance, block=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The matrix, the block, and what the last step holds of some rows in double precision.
    assert peak < 4 * n * n + 2 * 4 * n * 200 + 8 * 8 * 2**17
    assert peak < x.nbytes


def test_large_rdms_refuse_what_has_no_distance():
    x = large("none")
    with pytest.raises(UserError, match="unknown distance for large representations 'crossnobis'"):
        rdm_of(x, "crossnobis")
    for bad in (np.nan, np.inf, 1e30):
        broken = x.copy()
        broken[5, 5] = bad
        with pytest.raises(UserError, match="^x: holds NaN or infinite values"):
            rdm_of(broken, "euclidean")
    with pytest.raises(UserError, match=r"^x: expected an array of shape \(n_stimuli, n_units\), got shape \(3,\)"):
        rdm_of(np.ones(3, dtype=np.float32))
    x[4] = 1 / 3
    for distance, constant in (("correlation", 1 / 3), ("cosine", 0)):
        x[4] = constant
        for values in (x, x.astype(float)):
            with pytest.raises(UserError, match="a stimulus evokes the same value in all units"):
                rdm_of(values, distance)


@pytest.mark.parametrize("distance", PLAIN)
def test_the_public_function_takes_large_arrays_as_they_are(distance):
    x = large("units")
    assert similarity.rdm(x, distance).dtype == np.float32
    np.testing.assert_array_equal(similarity.rdm(x, distance), rdm_of(x, distance))


def test_representations_without_trials_get_the_distance_without_noise():
    x = np.random.default_rng(3).gamma(2, 1, (4, 9, 6))
    trials, network = Grams.of_trials([Trials.of_repeats(x)]), Grams.of([x.mean(0)])
    for distance, plain in (("crossnobis", "euclidean"), ("mahalanobis", "euclidean"), ("poisson-kl-cv", "poisson-kl")):
        np.testing.assert_array_equal(from_grams(network, distance), from_grams(network, plain))
        assert np.abs(from_grams(trials, distance) - from_grams(network, distance)).max() > 1e-3
    one = trials.trials[0]
    np.testing.assert_array_equal(from_grams(trials, "crossnobis")[0], crossvalidated.crossnobis(one))
    np.testing.assert_array_equal(from_grams(trials, "crossnobis", "none")[0], crossvalidated.crossnobis(one, "none"))
    np.testing.assert_array_equal(from_grams(trials, "poisson-kl-cv")[0], crossvalidated.poisson_kl(one))
    with pytest.raises(UserError, match="needs the responses of single units"):
        from_grams(Grams(network.gram, network.row_sum, network.n_units), "poisson-kl")


@pytest.mark.parametrize("distance", DISTANCES)
def test_the_public_function_has_all_distances(distance):
    x = np.random.default_rng(4).gamma(2, 1, (4, 9, 6))
    expected = from_grams(Grams.of_trials([Trials.of_repeats(x)]), distance)[0]
    np.testing.assert_allclose(similarity.rdm(x, distance), expected, atol=1e-12)


def test_options_of_distances_are_part_of_their_names():
    x = np.random.default_rng(5).standard_normal((4, 9, 6))
    for kind in noise.KINDS:
        expected = crossvalidated.crossnobis(Trials.of_repeats(x), kind)
        np.testing.assert_array_equal(similarity.rdm(x, f"crossnobis-noise={kind}"), expected)
    for wrong, message in (
        ("crossnobis-noise=some", "unknown noise 'some'"),
        ("euclidean-noise=none", "distance=euclidean has no option 'noise'; leave it out"),
        ("mahalanobis-noise=none", "write distance=euclidean"),
        ("crossnobi", "unknown distance 'crossnobi'; did you mean crossnobis"),
    ):
        with pytest.raises(UserError, match=message) as error:
            similarity.rdm(x, wrong)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="needs at least 3 repeats of every stimulus"):
        similarity.rdm(x[:2], "crossnobis")
    assert similarity.rdm(x[:2], "crossnobis-noise=none").shape == (9, 9)


def test_mahalanobis_is_euclidean_after_whitening():
    trials = Trials.of_repeats(np.random.default_rng(6).standard_normal((5, 8, 4)) @ np.diag([1, 2, 3, 4]))
    sigma = np.linalg.inv(noise.of_trials(trials).solve(np.eye(4)))
    white = trials.mean() @ np.linalg.inv(np.linalg.cholesky(sigma)).T
    np.testing.assert_allclose(crossvalidated.mahalanobis(trials), similarity.rdm(white, "euclidean"), atol=1e-10)


@pytest.mark.parametrize("distance", DISTANCES)
def test_rdms_over_time_are_those_of_each_bin(distance):
    rng = np.random.default_rng(7)
    x = rng.gamma(2, 1, (24, 5, 6))
    stimulus, block = rng.permutation(np.repeat(["c", "a", "b", "e", "d", "f"], 4)), np.arange(24)
    for label in np.unique(stimulus):
        block[stimulus == label] = np.arange(4)
    rdms = over_time(x, distance, stimulus=stimulus, block=block)
    assert rdms.shape == (5, 6, 6)
    shown = np.searchsorted(["a", "b", "c", "d", "e", "f"], stimulus)
    for t in range(5):
        grams = Grams.of_trials([Trials(x[:, t], shown, block, 6)])
        np.testing.assert_allclose(rdms[t], from_grams(grams, distance)[0], atol=1e-12)


def test_without_labels_every_trial_is_a_stimulus():
    x = np.random.default_rng(8).standard_normal((7, 3, 4))
    rdms = over_time(x)
    for t in range(3):
        np.testing.assert_allclose(rdms[t], similarity.rdm(x[:, t]), atol=1e-12)
    with pytest.raises(UserError, match=r"^values: expected an array of shape \(n_trials, n_times, n_units\)"):
        over_time(x[0])
    with pytest.raises(UserError, match="^values: hold NaN or infinite values"):
        over_time(np.where(x > 2, np.nan, x))
    with pytest.raises(UserError, match="^stimulus: 3 labels for 7 trials"):
        over_time(x, stimulus=np.arange(3))


def test_angles_are_as_far_apart_as_the_shorter_way_round():
    directions = circular.rdm([0, 90, 180, 350, 720])
    np.testing.assert_allclose(directions[0], [0, 90, 180, 10, 0])
    orientations = circular.rdm([0, 90, 135, 170, -10], period=180)
    np.testing.assert_allclose(orientations[0], [0, 90, 45, 10, 10])
    assert orientations[3, 4] == 0
    angles = np.random.default_rng(9).uniform(-720, 720, 12)
    for period in (180, 360):
        rdm = circular.rdm(angles, period)
        np.testing.assert_allclose(rdm, circular.rdm(angles + 33, period), atol=1e-9)
        # As a representation: chords, which rise with the arc.
        chords = similarity.rdm(circular.features(angles, period), "euclidean")
        np.testing.assert_allclose(chords, 1 - np.cos(2 * np.pi * rdm / period), atol=1e-12)


def test_a_circle_is_a_model_of_tuned_responses():
    angles = np.random.default_rng(0).uniform(0, 180, 20)
    preferred = np.linspace(0, 180, 40, endpoint=False)
    responses = np.exp(3 * np.cos(np.deg2rad(2 * (angles[:, None] - preferred))))
    right, wrong = (
        similarity.score(circular.features(angles, period), responses, "rsa-distance=euclidean-compare=spearman")
        for period in (180, 360)
    )
    assert right > 0.99 > wrong + 0.2


def test_angles_that_are_none_are_refused():
    for angles, period, message in (
        ([0, np.nan], 180, "one finite number of degrees per stimulus; leave blanks out"),
        (["east"], 360, "angles: expected numbers, in degrees"),
        ([0, 1], 0, "period: expected a positive number of degrees"),
    ):
        for function in (circular.rdm, circular.features):
            with pytest.raises(UserError, match=message):
                function(angles, period)


def test_normalised_units_are_as_defined():
    rng = np.random.default_rng(10)
    x = rng.gamma(2, 5, (30, 4)) * [1, 1, 10, 0] + [0, 0, 0, 7]
    z = normalise(x, "zscore")
    np.testing.assert_allclose(z[:, :3].mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(z[:, :3].std(0), 1)
    np.testing.assert_array_equal(z[:, 3], 0)
    np.testing.assert_allclose(normalise(x, "sqrt") ** 2, x)
    span = x.max(0) - x.min(0)
    np.testing.assert_allclose(normalise(x, "soft"), x / (span + 5))
    np.testing.assert_allclose(normalise(x, "soft", soft_rate=0.5), x / (span + 0.5))
    with pytest.raises(UserError, match=r"^responses=sqrt: responses go down to -\d.* use responses=zscore"):
        normalise(z, "sqrt")
    with pytest.raises(UserError, match="unknown normalisation of responses 'zscor'; did you mean zscore"):
        normalise(z, "zscor")


def test_single_trials_are_normalised_by_their_means():
    x = np.random.default_rng(11).gamma(2, 5, (3, 10, 4))
    trials = Trials.of_repeats(x)
    for how in ("zscore", "soft"):
        found = normalise(trials, how)
        np.testing.assert_allclose(found.mean(), normalise(x.mean(0), how), atol=1e-12)
        # Every trial of a unit is moved and scaled alike.
        slopes = np.ptp(found.values, axis=0) / np.ptp(trials.values, axis=0)
        np.testing.assert_allclose(np.diff(found.values, axis=0), np.diff(trials.values, axis=0) * slopes, atol=1e-12)
        assert (found.stimulus is trials.stimulus) and (found.block is trials.block)
    np.testing.assert_allclose(normalise(trials, "sqrt").mean(), np.sqrt(x).mean(0))


def test_whitened_distances_do_not_see_scales_of_units():
    x = np.random.default_rng(12).gamma(2, 5, (4, 10, 6)) * np.arange(1, 7)
    for kind in ("full", "diagonal"):
        before, after = (crossvalidated.crossnobis(t, kind) for t in (Trials.of_repeats(x), scaled(x)))
        np.testing.assert_allclose(after, before, rtol=1e-9, atol=1e-12)


def scaled(x):
    return normalise(Trials.of_repeats(x), "zscore")


def test_poisson_distances_are_for_counts_and_rates():
    for response in ("dF/F", "inferred spikes", "fluorescence"):
        with pytest.raises(UserError, match=f"for spike counts and rates, and the responses are {response}; use dist"):
            require_response("poisson-kl", response)
        require_response("crossnobis", response)
    for response in ("spike count", "firing rate", "unit activation"):
        require_response("poisson-kl-cv", response)


@pytest.mark.parametrize("response", ["spike count", "dF/F"])
def test_a_recording_of_fluorescence_has_no_poisson_distance(response):
    rng = np.random.default_rng(14)
    labels = np.tile([f"image{k}" for k in range(8)], 3)
    recording = representation.responses(
        rng.poisson(3, (24, 5)).astype(float),
        presentation={"stimulus": labels, "repeat": np.repeat([0, 1, 2], 8), "block": np.repeat([0, 1, 2], 8)},
        unit={"unit_id": np.array(list("abcde"))} | {k: np.full(5, "x") for k in ("area", "animal", "session")},
        attributes=ABOUT | {"response": response, "exchangeable": "stimulus", "simultaneous": True},
    )
    model, measure = rng.gamma(2, 1, (8, 4)), "rsa-distance=poisson-kl-cv-compare=cosine"
    if response == "spike count":
        assert np.isfinite(similarity.score(model, recording, measure))
        assert similarity.rdm(recording, "poisson-kl-cv").shape == (8, 8)
        comparison.check(recording, similarity.load(measure), "mine", 8)
        return
    for refused in (
        lambda: similarity.score(model, recording, measure),
        lambda: similarity.evaluate(model, recording, measure),
        lambda: similarity.rdm(recording, "poisson-kl"),
        lambda: comparison.check(recording, similarity.load(measure), "mine", 8),
    ):
        with pytest.raises(UserError, match=r"for spike counts and rates, and the responses are dF/F; use distance="):
            refused()


def rsatoolbox_rdm(x, method, **options):
    pytest.importorskip("rsatoolbox")
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm

    r, n, p = x.shape
    labels = {"stimulus": np.tile(np.arange(n), r), "fold": np.repeat(np.arange(r), n)}
    data = Dataset(x.reshape(-1, p), obs_descriptors=labels)
    return calc_rdm(data, method=method, descriptor="stimulus", **options).get_matrices()[0]


def test_rsatoolbox_agrees_where_it_is_right():
    x = np.random.default_rng(13).gamma(2, 1, (4, 9, 6))
    trials = Trials.of_repeats(x)
    given = noise.of_trials(trials)
    precision = given.solve(np.eye(6))
    crossed, kl = {"cv_descriptor": "fold"}, crossvalidated.poisson_kl
    for ours, theirs in (
        (crossvalidated.crossnobis(trials, "none"), rsatoolbox_rdm(x, "crossnobis", **crossed)),
        (crossvalidated.crossnobis(trials, given), rsatoolbox_rdm(x, "crossnobis", noise=precision, **crossed)),
        (crossvalidated.mahalanobis(trials), rsatoolbox_rdm(x, "mahalanobis", noise=precision)),
        (similarity.rdm(x, "poisson-kl"), rsatoolbox_rdm(x, "poisson")),
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)
    # It returns the last fold only of the cross-validated divergence; so it is compared fold by fold.
    folds = [rsatoolbox_rdm(np.roll(x, -1 - k, axis=0), "poisson_cv", **crossed) for k in range(4)]
    np.testing.assert_allclose(kl(trials), np.mean(folds, axis=0), atol=1e-10)
    assert np.abs(kl(trials) - folds[3]).max() > 1e-3
