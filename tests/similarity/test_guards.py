"""Pitfalls of comparing representations that the program itself guards against, one test for each.

P-numbers are those of the design notes; guards of encoding and of preprocessing are tested with these.
"""

import numpy as np
import pytest
from scipy import signal, stats

from neurocompare import representation, similarity
from neurocompare.description.reliability import spearman_brown
from neurocompare.errors import UserError
from neurocompare.inference import corrections, exchange, resampling, twofactor
from neurocompare.similarity import ceilings, refusals
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.crossvalidated import crossnobis
from neurocompare.similarity.trials import Trials

SONG, BIASED = "cka-kernel=linear-hsic=song", "cka-kernel=linear-hsic=biased"
RSA = "rsa-distance=correlation-compare=spearman"


def trials(rng, mean, repeats=6, noise=1.0):
    return mean + noise * rng.standard_normal((repeats, *mean.shape))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_p1_a_biased_score_never_stands_without_its_null(rng):
    x, y = rng.standard_normal((2, 50, 300))
    with pytest.raises(UserError, match=f"^measure '{BIASED}': unrelated .* not reported without its null; .* use cka"):
        similarity.evaluate(x, y, BIASED, exchangeable="stimulus", permutations=0)
    found = similarity.evaluate(x, y, BIASED, exchangeable="stimulus")
    assert found["value"] > 0.8
    assert found["null_mean"] == pytest.approx(found["value"], abs=0.05)
    assert found["p_value"] > 0.05
    assert np.isnan(similarity.evaluate(x, y, SONG, exchangeable="stimulus", permutations=0)["p_value"])


def test_p4_a_bandwidth_is_a_fraction_of_the_median_distance(rng):
    # Whatever the unit of the responses, the kernel is the same; an absolute bandwidth would turn it into the identity.
    x, y = rng.standard_normal((2, 20, 8))
    rbf = "cka-kernel=rbf-hsic=biased"
    assert similarity.score(1000 * x, y, rbf) == pytest.approx(similarity.score(x, y, rbf))
    assert similarity.score(x, y, rbf) < 0.99
    with pytest.raises(UserError, match="sigma"):
        similarity.load("cka-kernel=rbf-sigma=1-hsic=song")


def test_p6_too_few_stimuli_are_refused_where_something_is_inferred(rng):
    x = rng.standard_normal((4, 6))
    assert np.isfinite(similarity.score(x, x[:, ::-1] ** 2, RSA))
    with pytest.raises(
        UserError, match="4 exchangeable groups .* at least 5: compare it with more, or report the score"
    ):
        similarity.evaluate(x, x, RSA, exchangeable="stimulus")


def test_p7_unequal_repeats_inflate_plain_distances_and_not_crossnobis(rng):
    # No stimulus differs from another; the first ten were shown twice, the others twenty times.
    plain, crossed = [], []
    for _ in range(60):
        stimulus = np.repeat(np.arange(20), [4] * 10 + [20] * 10)
        order = rng.permutation(len(stimulus))
        noisy = Trials(rng.standard_normal((len(stimulus), 30)), stimulus[order], order % 4, 20)
        if not all(len(set(noisy.block[noisy.stimulus == k])) > 1 for k in range(20)):
            continue
        rare = np.ix_(range(10), range(10))
        pairs = ~np.eye(10, dtype=bool)
        plain.append(similarity.rdm(noisy.mean(), "euclidean")[rare][pairs].mean())
        crossed.append(crossnobis(noisy, "none")[rare][pairs].mean())
    assert np.mean(plain) > 0.3
    assert abs(np.mean(crossed)) < 3 * np.std(crossed) / np.sqrt(len(crossed))
    assert min(crossed) < 0


def test_p8_cells_of_an_rdm_are_no_independent_samples(rng):
    # Unrelated representations of two dimensions: p-values of cells are far too small, ours are not.
    ours, cells = [], []
    i, j = np.triu_indices(16, 1)
    for k in range(200):
        x, y = rng.standard_normal((2, 16, 2))
        a, b = (similarity.rdm(z, "euclidean") for z in (x, y))
        cells.append(stats.spearmanr(a[i, j], b[i, j]).pvalue)
        measure = similarity.load("rsa-distance=euclidean-compare=spearman")
        grams = [measure.reduced(Grams.of([z])) for z in (x, y)]
        plan = resampling.plan(f"{k}", 16, "stimulus", permutations=99, bootstraps=0, partitions=0)
        ours.append(resampling.p_value(measure.scores(*grams), measure.null(*grams, plan.permutations))[0, 0])
    assert np.mean(np.array(cells) < 0.05) > 0.12
    assert np.mean(np.array(ours) <= 0.05) == pytest.approx(0.05, abs=0.04)


def test_p9_folds_do_not_split_a_block(rng):
    # Slow fluctuations that a block's trials share would pass for differences between stimuli.
    block = np.repeat(np.arange(8), 10)
    found = Trials(rng.standard_normal((80, 5)), np.tile(np.arange(10), 8), block, 10)
    np.testing.assert_array_equal(found.folds(), block)
    for half in (half for split in found.halves() for half in split):
        assert len(np.unique(block[half])) == 4 and half.sum() == 40
    with pytest.raises(UserError, match="^folds split block 0: .* take Trials.folds"):
        crossnobis(found, "none", folds=np.arange(80) % 4)


def test_p10_neighbours_in_time_are_never_shuffled_singly(rng):
    # Two unrelated slow signals: shuffled frames would make them similar, circular shifts do not.
    p_values = {"shift": [], "stimulus": []}
    for _ in range(20):
        x, y = signal.lfilter([1], [1, -0.7], rng.standard_normal((2, 500, 2)), axis=1)[:, 100:]
        for kind, given in {"shift": {"shift": 8}, "stimulus": {}}.items():
            options = {"permutations": 99, "bootstraps": 1, "partitions": 0} | given
            p_values[kind].append(similarity.evaluate(x, y, SONG, exchangeable=kind, **options)["p_value"])
    assert np.mean(np.array(p_values["stimulus"]) <= 0.05) > 0.3
    assert np.mean(np.array(p_values["shift"]) <= 0.05) < 0.2


def test_p12_nothing_is_fitted_to_what_a_fold_holds_out():
    for how in refusals.FITTED:
        for measure in ("ridge-folds=5", "cca-mean-folds=5", "procrustes-angular-folds=5"):
            with pytest.raises(
                UserError, match=f"responses={how} would be fitted to stimuli that the folds hold out; use"
            ):
                similarity.load(f"{measure}-responses={how}")
    similarity.load("ridge-folds=5-responses=sqrt")
    similarity.load(f"{RSA}-responses=zscore")


def test_p16_one_stimulus_that_carries_a_score_is_seen(rng):
    x, y = rng.standard_normal((2, 30, 8))
    x[3] += 15
    y[3] += 15
    measure = similarity.load(BIASED)
    pair = [measure.reduced(Grams.of([z])) for z in (x, y)]
    change = measure.left_out(*pair)[:, 0, 0] - measure.scores(*pair)[0, 0]
    assert np.abs(change).argmax() == 3
    assert change[3] < -0.5


def test_p17_what_pixels_explain_can_be_taken_out(rng):
    pixels = rng.standard_normal((40, 12))
    x, y = (np.hstack([pixels, rng.standard_normal((40, 6))]) for _ in range(2))
    measure = "rsa-distance=euclidean-compare=pearson"
    assert similarity.score(x, y, measure) > 0.5
    assert abs(similarity.score(x, y, measure + "-partial=pixels", control=pixels)) < 0.15
    with pytest.raises(UserError, match="give its representation as control$"):
        similarity.score(x, y, measure + "-partial=pixels")
    with pytest.raises(UserError, match="add -partial=… to its id$"):
        similarity.score(x, y, measure, control=pixels)


def test_p18_an_offset_of_units_moves_only_what_says_so():
    table = similarity.measures()
    for measure in (SONG, "cca-mean", "procrustes-angular", "rsa-distance=euclidean-compare=cosine"):
        assert {"translation", "affine"} & set(table.loc[measure, "invariances"].split(", "))
    for measure in (RSA, "ssm", "rsa-distance=cosine-compare=cosine", "rsa-distance=poisson-kl-compare=cosine"):
        assert not {"translation", "affine"} & set(table.loc[measure, "invariances"].split(", "))


def test_p20_halves_are_stepped_up_only_as_correlations_of_halves():
    assert spearman_brown(0.5) == pytest.approx(2 / 3)
    assert np.isnan(spearman_brown(-0.3))
    with pytest.raises(
        UserError, match="^Spearman-Brown holds for Pearson correlations of halves, not for a score by 'rsa"
    ):
        spearman_brown(0.5, statistic="score by 'rsa-distance=correlation-compare=spearman'")


@pytest.mark.parametrize("noise", [1.0, 2.5])
@pytest.mark.parametrize("measure", [SONG, "rsa-distance=crossnobis-noise=none-compare=cosine"])
def test_p21_the_true_model_scores_its_ceiling(measure, noise):
    ratio = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        truth = rng.standard_normal((60, 6)) @ rng.standard_normal((6, 40)) / np.sqrt(6)
        opened = similarity.load(measure)
        y = opened.reduced(Grams.of_trials([Trials.of_repeats(trials(rng, truth, 8, noise))]))
        ceiling = ceilings.of_trials(opened, y)
        assert ceiling.kind == "estimate (trials)" and ceiling.low == ceiling.high
        ratio.append(opened.scores(opened.reduced(Grams.of([truth])), y)[0, 0] / ceiling.low)
    assert np.mean(ratio) == pytest.approx(1, abs=0.02)


def test_p22_one_animal_has_no_ceiling_of_animals_and_supports_no_claim_about_others(rng):
    opened = similarity.load(SONG)
    y = opened.reduced(Grams.of_trials([Trials.of_repeats(trials(rng, rng.standard_normal((20, 5))))]))
    assert ceilings.of_animals(opened, y, [0]) == [ceilings.NONE]
    assert np.isnan(ceilings.inter_animal(opened, y))
    one = twofactor.estimate(np.ones((1, 1)), rng.standard_normal((200, 1, 1)), 20)
    assert (one.claim, one.flag) == ("stimuli", "one_animal")


@pytest.mark.parametrize("measure", ["ridge-folds=5", "reverse-folds=5", "cca-mean-ridge=0.1-folds=5"])
def test_p10_folds_of_stimuli_do_not_split_what_is_exchanged_as_a_whole(measure):
    # Slow features and slow responses that have nothing to do with each other, in blocks of 20.
    rng = np.random.default_rng(10)
    x, y = (np.cumsum(rng.standard_normal((6, 20, p)), axis=1).reshape(120, p) for p in (15, 12))
    block = np.repeat(np.arange(6), 20)
    assert similarity.score(x, y, measure) > 0.4
    with pytest.raises(UserError, match="which its folds would split") as error:
        similarity.evaluate(x, y, measure, exchangeable="block", block=block, permutations=9, bootstraps=9)
    assert "\n" not in str(error.value)


def test_p23_squared_statistics_are_not_tested_against_zero():
    for measure in (BIASED, "cca-mean-squared", "rsa-distance=euclidean-compare=cosine", "procrustes-angular"):
        with pytest.raises(UserError, match="by chance is not zero, .* use its p_value, from shuffled stimuli$"):
            refusals.against_zero(similarity.load(measure))
    refusals.against_zero(similarity.load(SONG))
    # And no p-value is zero.
    assert resampling.p_value(np.array(9.0), np.zeros(99)) == pytest.approx(0.01)


def test_p24_animals_are_the_unit_of_inference_and_not_their_neurons(rng):
    # A tenfold number of stimuli in the same three animals leaves the uncertainty about other animals as it is.
    values = np.array([[0.1], [0.3], [0.5]])
    widths = []
    for spread in (0.05, 0.005):
        found = twofactor.estimate(values, values + spread * rng.standard_normal((500, 3, 1)), 100)
        widths.append(float(found.high[0] - found.low[0]))
    assert widths[1] > 0.8 * widths[0] > 0.5


def test_p25_resampled_variances_are_corrected_for_small_numbers():
    assert twofactor.correction(5) == pytest.approx(5 / 4)


def test_p30_constant_units_are_counted_and_not_scored(rng):
    x = rng.standard_normal((30, 5))
    silent = np.column_stack([x, np.ones(30)])
    assert similarity.score(x, silent, "matching-soft") == pytest.approx(similarity.score(x, x, "matching-soft"))
    opened = similarity.load("matching-soft")
    assert opened.warnings(opened.reduce(Grams.of([silent]))[0]) == ["constant_units"]


def test_p33_animals_are_compared_with_each_other_by_the_measure_of_the_model(rng):
    shared = rng.standard_normal((40, 6))
    animals = [Trials.of_repeats(trials(rng, shared @ rng.standard_normal((6, 10)), 4, 0.5)) for _ in range(3)]
    opened = similarity.load("procrustes-angular")
    y = opened.reduced(Grams.of_trials(animals))
    means = [animal.mean() for animal in animals]
    pairs = [similarity.score(means[a], means[b], "procrustes-angular") for a in range(3) for b in range(3) if a != b]
    assert ceilings.inter_animal(opened, y) == pytest.approx(np.mean(pairs))


def test_noise_correlations_are_not_taken_from_pseudo_populations():
    for measure, instead in (
        ("stochastic-wasserstein", "procrustes-angular"),
        ("rsa-distance=crossnobis-compare=cosine", "noise=diagonal"),
    ):
        with pytest.raises(UserError, match=f"not recorded together .simultaneous=false.; use {instead}"):
            refusals.pooled_trials(similarity.load(measure), False, "r")
        refusals.pooled_trials(similarity.load(measure), True, "r")
    refusals.pooled_trials(similarity.load("rsa-distance=crossnobis-noise=diagonal-compare=cosine"), False, "r")


def test_what_conditions_have_in_common_over_time_is_no_similarity():
    # Both follow the same time course in all conditions, and have nothing else in common.
    condition, time = np.repeat(np.arange(12), 10), np.tile(np.arange(10.0), 12)
    p_values = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        course = np.sin(time / 2)[:, None]
        x, y = (course * rng.standard_normal(8) * 3 + rng.standard_normal((12, 8))[condition] for _ in range(2))
        assert similarity.score(x, y, SONG) > 0.3
        found = similarity.evaluate(
            *(x, y, SONG), exchangeable="condition", condition=condition, time=time, permutations=99, bootstraps=1
        )
        assert abs(found["value"]) < 0.6
        p_values.append(found["p_value"])
    assert 0.2 < np.mean(p_values) < 0.8
    with pytest.raises(UserError, match="other times than"):
        exchange.of_conditions(condition[1:], time[1:])


def test_many_comparisons_are_corrected():
    p_values = np.array([0.01, 0.02, 0.03, 0.9])
    assert np.all(corrections.holm(p_values) >= corrections.benjamini_hochberg(p_values))
    assert np.all(corrections.benjamini_hochberg(p_values) >= p_values)


def test_what_a_recording_declares_is_not_overruled():
    rng = np.random.default_rng(0)
    shown = np.repeat([f"s{k:02d}" for k in range(24)], 3)
    recording = representation.responses(
        rng.standard_normal((72, 6)),
        presentation={"stimulus": shown, "repeat": np.tile(np.arange(3), 24), "block": np.repeat(np.arange(12), 6)},
        unit={"unit_id": [f"u{k}" for k in range(6)]} | {c: ["x"] * 6 for c in ("area", "animal", "session")},
        attributes=dict.fromkeys(("source", "citation", "license"), "none")
        | {"response": "dF/F", "exchangeable": "block", "simultaneous": False, "sha256": {"none": "0" * 64}},
    )
    x = rng.standard_normal((24, 5))
    found = similarity.evaluate(x, recording, SONG)
    assert found["claim"] == "new blocks" and np.isfinite(found["p_value"])
    with pytest.raises(UserError, match="^y declares exchangeable=block, and stimulus was asked for"):
        similarity.evaluate(x, recording, SONG, exchangeable="stimulus")
    with pytest.raises(UserError, match="unknown argument of evaluate 'series'"):
        similarity.evaluate(x, recording, SONG, series=3)
    for call in (similarity.score, similarity.evaluate):
        with pytest.raises(UserError, match="were not recorded together"):
            call(x, recording, "stochastic-angular")
    with pytest.raises(UserError, match="^x: expected real numbers"):
        similarity.score([["a"]], recording, SONG)
