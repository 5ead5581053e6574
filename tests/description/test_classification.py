"""Classification of any coordinate, and of angles: planted limits, exact folds, and the published recordings."""

import warnings

import numpy as np
import pytest
from conftest import ABOUT
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegressionCV, Ridge
from sklearn.neighbors import NearestCentroid
from trials import one_line, recording

from neurocompare.description import circular, classification, discriminants, features
from neurocompare.errors import UserError
from neurocompare.recordings import allen_neuropixels_gratings, allen_swdb2016, yu2009

NEAREST = "classification-label=direction-classifier={}-folds={}"
ORIENTATION, DIRECTION = circular.DESCRIPTIONS


def tuned(rng, n=80, p=30, noise=1.0, classes=8):
    direction = rng.permutation(np.arange(n) % classes * 360.0 / classes)
    patterns = rng.standard_normal((classes, p))
    values = patterns[(direction * classes / 360).astype(int)] + noise * rng.standard_normal((n, p))
    return recording(values, stimulus=np.array([f"d{d:g}" for d in direction]), coordinates={"direction": direction})


@pytest.mark.parametrize("angle", [False, True])
@pytest.mark.parametrize("standardise", [False, True])
def test_leaving_one_out_in_closed_form_is_leaving_one_out(angle, standardise):
    rng = np.random.default_rng(0)
    target = rng.permutation(np.arange(40) % 3)
    values = rng.gamma(1, 1, (40, 12)) + target[:, None] * rng.random(12) * 0.6
    values[:, 5], values[:, 6] = 2.0, 0.0
    values[7, 6] = 5.0  # constant once this trial is left out
    expected = []
    for k in range(40):
        others = np.arange(40) != k
        train, test = values[others], values[k]
        if standardise:
            varies = np.ptp(train, axis=0) > 0
            mean, deviation = train[:, varies].mean(0), train[:, varies].std(0)
            train, test = (train[:, varies] - mean) / deviation, (test[varies] - mean) / deviation
        means = np.array([train[target[others] == c].mean(0) for c in range(3)])
        if angle:
            expected.append((means @ test / np.linalg.norm(means, axis=1)).argmax())
        else:
            expected.append(((means - test) ** 2).sum(1).argmin())
    model = discriminants.NearestMean(values, np.arange(40), standardise=standardise, angle=angle)
    np.testing.assert_array_equal(model.predict(target), expected)


def test_nearest_mean_in_folds_is_that_of_sklearn():
    rng = np.random.default_rng(1)
    target, fold = rng.permutation(np.arange(60) % 4), np.arange(60) % 5
    values = rng.standard_normal((60, 6)) + target[:, None] * 0.5
    found = discriminants.NearestMean(values, fold, standardise=False, angle=False).predict(target)
    for k in range(5):
        model = NearestCentroid().fit(values[fold != k], target[fold != k])
        np.testing.assert_array_equal(found[fold == k], model.predict(values[fold == k]))


@pytest.mark.parametrize(("n", "p"), [(60, 8), (30, 90)])
def test_shrinkage_is_that_of_ledoit_and_wolf_in_any_basis(n, p):
    rng = np.random.default_rng(2)
    residuals = rng.standard_normal((n, p)) @ np.diag(rng.uniform(0.2, 2, p))
    weight, scale = discriminants.shrinkage(residuals, p)
    assert weight == pytest.approx(ledoit_wolf_shrinkage(residuals, assume_centered=True))
    assert scale == pytest.approx((residuals**2).mean())
    basis = np.linalg.qr(residuals.T)[0] if p > n else np.linalg.qr(rng.standard_normal((p, p)))[0]
    assert discriminants.shrinkage(residuals @ basis, p) == pytest.approx((weight, scale))


def test_discriminants_approach_those_of_sklearn_where_nothing_is_shrunk():
    rng = np.random.default_rng(3)
    labels = np.arange(4000) % 3
    mixing = np.linalg.qr(rng.standard_normal((5, 5)))[0] @ np.diag([0.7, 0.8, 1, 1.2, 1.4])
    train = rng.standard_normal((4000, 5)) @ mixing + labels[:, None]
    test = rng.standard_normal((500, 5)) @ mixing + (np.arange(500) % 3)[:, None]
    expected = LinearDiscriminantAnalysis().fit(train, labels).predict(test)
    assert (discriminants.discriminate(train, labels, test, 5) == expected).mean() > 0.99


def test_discriminants_in_the_span_of_the_trials_are_those_of_all_units():
    rng = np.random.default_rng(4)
    labels = np.arange(30) % 2
    train = rng.standard_normal((30, 100)) + labels[:, None] * 0.3
    test = rng.standard_normal((20, 100))
    basis = np.linalg.qr(train.T)[0]
    np.testing.assert_array_equal(
        discriminants.discriminate(train, labels, test, 100),
        discriminants.discriminate(train @ basis, labels, test @ basis, 100),
    )


@pytest.mark.parametrize("classifier", [name for name in classification.CLASSIFIERS if name != "logistic-nested"])
@pytest.mark.parametrize("folds", classification.FOLDS)
def test_separable_labels_are_told_apart_and_noise_is_not(monkeypatch, classifier, folds):
    monkeypatch.setattr(classification, "PERMUTATIONS", 25 if classifier in ("logistic", "svm") else 100)
    if classifier in ("logistic", "svm") and folds in ("leave-one-out", "both"):
        pytest.skip("iterated for every trial; the folds are shared with the other classifiers")
    rng = np.random.default_rng(5)
    rows, details = classification.describe(tuned(rng, noise=0.5), NEAREST.format(classifier, folds), seed=0)
    accuracy, balanced, bits = rows[:3]
    assert bits["unit"] == "bits" and bits["ci_low"] <= bits["value"] <= bits["ci_high"]
    # The shares of labels in the training trials are a worse code for blocks with other shares; and the bias of a
    # table of 64 cells from 80 trials is not all taken out.
    assert 2 < bits["value"] < 3.2 and bits["null_mean"] < 0.4 and (bits["p_value"] < 0.05 or bits["n_null"] < 20)
    assert accuracy["value"] > 0.9 and balanced["value"] > 0.9
    assert accuracy["p_value"] < 0.05 and accuracy["ci_low"] <= accuracy["value"] <= accuracy["ci_high"]
    assert accuracy["null_mean"] == pytest.approx(0.125, abs=0.05)
    assert "classes=8" in accuracy["condition"] and "chance=0.125" in accuracy["condition"]
    confusion = details.confusion.values if folds != "both" else details.confusion.values[0]
    recall = np.diag(confusion) / confusion.sum(1)
    assert balanced["value"] == pytest.approx(recall.mean())
    noise = tuned(rng, noise=1e6)
    rows, _ = classification.describe(noise, NEAREST.format(classifier, folds), seed=0)
    assert rows[0]["value"] < 0.27


def test_inner_folds_choose_the_penalty_that_is_sklearns_and_no_test_trial_has_a_say():
    # Two strong directions of noise hide a weak one that tells: the penalty by the number of units is too large.
    rng = np.random.default_rng(3)
    label = np.arange(240) % 2
    values = rng.standard_normal((240, 30))
    values[:, 1] = 3 * rng.standard_normal(240)
    values[:, 0] = values[:, 1] + 0.15 * (2 * label - 1) + 0.1 * rng.standard_normal(240)
    fold = rng.permutation(240) % 4
    nested = features.Nested(values, list(features.outer(fold)), rooted=False).predict(label)
    plain = features.Features(values, list(features.outer(fold)), rooted=False).predict(label)
    assert (nested == label).mean() > 0.8 > (plain == label).mean() + 0.1
    for train, test in features.outer(fold):
        z = (values - values[train].mean(0)) / values[train].std(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            model = LogisticRegressionCV(Cs=10, cv=5, solver="newton-cholesky", max_iter=1000, scoring="accuracy")
            theirs = model.fit(z[train], label[train]).predict(z[test])
        np.testing.assert_array_equal(nested[test], theirs)


def test_penalties_are_chosen_through_the_id(monkeypatch):
    monkeypatch.setattr(classification, "PERMUTATIONS", 10)
    direction = np.arange(80) % 2
    values = direction[:, None] + 0.5 * np.random.default_rng(5).standard_normal((80, 6))
    array = recording(values, coordinates={"direction": direction}, response="unit activation")
    rows, _ = classification.describe(array, NEAREST.format("logistic-nested", "5"), seed=0)
    assert rows[0]["value"] > 0.9 and "classifier=logistic-nested" in rows[0]["condition"]
    assert rows[0]["n_null"] == 2 and rows[0]["null_mean"] < 0.7
    assert rows[2]["quantity"] == "usable information" and rows[2]["value"] > 0.7
    identifier = NEAREST.format("logistic-nested", "5") + "-noise=shuffled"
    with pytest.raises(UserError, match="use classifier=logistic$"):
        classification.describe(array, identifier, seed=0)


def test_chance_is_that_of_the_commonest_label_and_balanced_chance_is_not():
    rng = np.random.default_rng(6)
    choice = np.array(["left"] * 60 + ["right"] * 20)
    array = recording(
        rng.standard_normal((80, 10)), coordinates={"choice": rng.permutation(choice)}, window="0 to 0.2 s"
    )
    rows, _ = classification.describe(array, "classification-label=choice-classifier=lda-folds=5", seed=0)
    assert rows[0]["condition"].endswith("classes=2;window=0 to 0.2 s;chance=0.75")
    assert rows[1]["condition"].endswith("chance=0.5")


def test_orientation_comes_from_direction_and_unlabelled_trials_are_counted():
    rng = np.random.default_rng(7)
    array = tuned(rng, noise=0.3)
    direction = array.direction.values.copy()
    direction[:3] = np.nan
    array = array.assign_coords(direction=("presentation", direction))
    rows, details = classification.describe(
        array, "classification-label=orientation-classifier=nearest-mean-folds=leave-one-out", seed=0
    )
    assert details["true"].values.tolist() == [0, 45, 90, 135]
    assert (rows[-1]["quantity"], rows[-1]["value"]) == ("presentations without a label", 3)
    assert rows[0]["n_trials"] == 77


def test_units_that_were_not_recorded_together_are_named_so():
    array = tuned(np.random.default_rng(8)).assign_attrs(simultaneous=False)
    rows, _ = classification.describe(array, NEAREST.format("nearest-mean", "5"), seed=0)
    assert [row["quantity"].removesuffix(" of pooled units") for row in rows] == [
        "accuracy",
        "balanced accuracy",
        "information in the confusion matrix",
    ]
    assert all(row["quantity"].endswith(" of pooled units") for row in rows)
    with pytest.raises(UserError, match="needs units recorded together") as error:
        classification.describe(array, NEAREST.format("lda", "5") + "-noise=shuffled", seed=0)
    one_line(error)


def test_labels_that_may_not_be_shuffled_have_no_null():
    array = tuned(np.random.default_rng(9)).assign_attrs(exchangeable="block")
    rows, _ = classification.describe(array, NEAREST.format("nearest-mean", "leave-one-out"), seed=0)
    assert rows[0]["status"] == "no_null;no_ceiling"


def drifting(rng, blocks=12, length=10, p=20):
    """Responses that drift from block to block, and a context that alternates between blocks and does nothing."""
    block = np.repeat(np.arange(blocks), length)
    values = rng.standard_normal((blocks, p))[block] + 0.5 * rng.standard_normal((len(block), p))
    context = rng.permutation(np.arange(blocks) % 2)[block]
    return recording(values, block=block, coordinates={"context": context, "direction": np.arange(len(block)) % 2})


def test_drift_between_blocks_is_not_taken_for_a_context_that_comes_in_blocks():
    """Folds of whole blocks, and a null that exchanges whole blocks: p-values are then spread evenly."""
    p_values = []
    for seed in range(20):
        array = drifting(np.random.default_rng(seed))
        rows, _ = classification.describe(
            array, "classification-label=context-classifier=nearest-mean-folds=block", seed=seed
        )
        p_values.append(rows[0]["p_value"])
    assert np.mean(np.array(p_values) <= 0.1) <= 0.25 and np.median(p_values) > 0.2
    with pytest.raises(UserError, match="'context' .almost. never changes within a block.* use folds=block"):
        classification.describe(array, "classification-label=context-classifier=lda-folds=5", seed=0)
    pooled = array.assign_attrs(simultaneous=False, constant_in_blocks="context")
    with pytest.raises(UserError, match="of the recordings that were pooled"):
        classification.describe(pooled, "classification-label=context-classifier=lda-folds=block", seed=0)


def test_a_null_of_whole_blocks_that_can_hardly_be_had_is_left_out():
    """Forty labels in two blocks each, one in either half: almost every other order has two alike in one fold."""
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(80), 3)
    image = block % 40
    values = rng.standard_normal((40, 30))[image] + 0.3 * rng.standard_normal((240, 30))
    array = recording(values, block=block, coordinates={"image": image})
    rows, _ = classification.describe(array, "classification-label=image-classifier=nearest-mean-folds=block", seed=0)
    assert rows[0]["value"] > 0.9 and rows[0]["n_null"] == 0 and "no_null" in rows[0]["status"]


@pytest.mark.parametrize("classifier", [name for name in classification.CLASSIFIERS if name != "logistic-nested"])
def test_inferred_spikes_that_were_scaled_to_both_signs_are_not_rooted(classifier, monkeypatch):
    """Square roots of negative values would be no numbers, and every trial the first class."""
    monkeypatch.setattr(classification, "PERMUTATIONS", 0)
    rng = np.random.default_rng(0)
    direction = np.arange(160) % 8
    values = rng.standard_normal((8, 50))[direction] + 0.3 * rng.standard_normal((160, 50))
    array = recording(values, coordinates={"direction": direction}, response="inferred spikes")
    identifier = f"classification-label=direction-classifier={classifier}-folds=block"
    assert classification.describe(array, identifier, seed=0)[0][0]["value"] > 0.95


def test_one_block_is_told():
    array = tuned(np.random.default_rng(9))
    array = array.assign_coords(block=("presentation", np.zeros(80, dtype=int)))
    (row,), details = classification.describe(array, NEAREST.format("lda", "block"), seed=0)
    assert row["status"] == "one_block" and details is None


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("classification-label=direction-classifier=lda", ["label=…-classifier=…-folds=…", "classifier=lda"]),
        ("classification-classifier=lda-label=direction-folds=5", ["must read"]),
        (NEAREST.format("ldaa", "5"), ["unknown classifier", "did you mean lda"]),
        (NEAREST.format("lda", "7"), ["unknown folds", "'7'"]),
        ("classification-label=directon-classifier=lda-folds=5", ["'directon'", "did you mean direction"]),
        ("classification-label=repeat-classifier=lda-folds=5", ["'repeat'", "80 values in 80", "not discrete"]),
        ("classification-label=stimulus_set-classifier=lda-folds=5", ["'stimulus_set'", "1 values"]),
        ("classification-label=rare-classifier=lda-folds=5", ["'rare'", "fewer than 5 times"]),
    ],
)
def test_refusals_name_the_field_and_the_way_out(identifier, words):
    array = tuned(np.random.default_rng(10))
    rare = np.where(np.arange(80) < 3, "a", "b")
    array = array.assign_coords(stimulus_set=("presentation", np.full(80, "x")), rare=("presentation", rare))
    with pytest.raises(UserError) as error:
        classification.describe(array, identifier, seed=0)
    text = one_line(error)
    assert all(word in text for word in words), text


def test_one_unit_spans_no_angle():
    array = tuned(np.random.default_rng(11), p=1)
    with pytest.raises(UserError, match="use classifier=nearest-mean"):
        classification.describe(array, NEAREST.format("nearest-angle", "5"), seed=0)


def test_leave_one_out_ridge_is_a_ridge_on_the_other_trials():
    rng = np.random.default_rng(12)
    values = rng.standard_normal((25, 40)) * 3 + 1
    angle = rng.uniform(0, 180, 25)
    targets = circular.unit_vectors(angle, 180)
    found = circular.leave_one_out(values, ridge=0.7) @ targets
    for k in (0, 11, 24):
        others = np.arange(25) != k
        mean, deviation = values[others].mean(0), values[others].std(0)
        model = Ridge(alpha=0.7 * 24).fit((values[others] - mean) / deviation, targets[others])
        np.testing.assert_allclose(found[k], model.predict((values[k : k + 1] - mean) / deviation)[0], atol=1e-8)


def test_cosine_tuned_units_give_the_angle_and_noise_a_quarter_period():
    rng = np.random.default_rng(13)
    angle = rng.permutation(np.arange(90) % 12 * 30.0)
    preferred = rng.uniform(0, 360, 60)
    values = np.cos(np.radians(angle[:, None] - preferred)) + 0.1 * rng.standard_normal((90, 60))
    array = recording(values, coordinates={"direction": angle})
    rows, details = circular.describe(array, DIRECTION, seed=0)
    assert rows[0]["value"] < 2 and rows[1]["value"] < 3
    assert rows[0]["p_value"] == pytest.approx(1 / 1001)
    # Somewhat above a quarter of the period: the mean of the others leans away from the trial that is left out.
    assert rows[0]["null_mean"] == pytest.approx(90, abs=8)
    np.testing.assert_allclose(np.cos(np.radians(details.decoded - details.angle)), 1, atol=0.02)
    # Cosines of the direction say nothing of the orientation, its double.
    rows, _ = circular.describe(array, ORIENTATION, seed=0)
    assert rows[0]["value"] > 30


def test_angles_are_refused_where_they_are_no_numbers_or_too_many():
    text = recording(np.ones((20, 3)), coordinates={"direction": np.array(["a", "b"] * 10)})
    with pytest.raises(UserError, match="'direction' is no number") as error:
        circular.describe(text, DIRECTION, seed=0)
    one_line(error)
    many = recording(np.ones((2001, 1)), coordinates={"direction": np.arange(2001) % 8 * 45.0})
    with pytest.raises(UserError, match="2001 trials.*von-mises"):
        circular.describe(many, DIRECTION, seed=0)


def files(folder, *names):
    return {name: folder / name for name in names}


def test_allen_two_photon_gratings(real_data):
    """58 labelled gratings: about .90 of 8 directions and of 4 orientations; 8 to 10 degrees."""
    names = (allen_swdb2016.COUNTS_FILE, allen_swdb2016.TABLE_FILE, allen_swdb2016.SELECTIVITY_FILE)
    array = allen_swdb2016.ingest(files(real_data / "allen_2p_501574836", *names), about=ABOUT)
    found = {
        label: classification.describe(
            array, f"classification-label={label}-classifier=nearest-angle-folds=leave-one-out", seed=0
        )[0][0]
        for label in ("direction", "orientation")
    }
    assert found["direction"]["value"] == pytest.approx(0.90, abs=0.02)
    assert found["orientation"]["value"] == pytest.approx(0.92, abs=0.03)
    assert {row["n_trials"] for row in found.values()} == {58}
    rows, _ = circular.describe(array, ORIENTATION, seed=0)
    assert 8 <= rows[0]["value"] <= 10


def test_allen_neuropixels_gratings(real_data):
    folder = real_data / "allen_neuropixels_gratings"
    names = ("spike_times.npy", "ii_spike_times.npy", "stim_label.npy")
    array = allen_neuropixels_gratings.ingest(files(folder, *names), about=ABOUT)
    for setting in ("nearest-mean-folds=leave-one-out", "lda-folds=5"):
        rows, _ = classification.describe(array, f"classification-label=orientation-classifier={setting}", seed=0)
        assert rows[0]["value"] > 0.99
        assert rows[0]["quantity"] == "accuracy of pooled units"


def test_planned_reaches(real_data):
    """Seven directions: discriminants and the nearest mean .98, as with scikit-learn on all 400 ms."""
    array = yu2009.ingest(files(real_data / "shenoy_pmd_reach", "ex1_spikecounts.mat"), about=ABOUT)
    for setting in ("nearest-mean-folds=leave-one-out", "lda-folds=5"):
        rows, _ = classification.describe(array, f"classification-label=direction-classifier={setting}", seed=0)
        assert rows[0]["value"] == pytest.approx(0.97, abs=0.02)
