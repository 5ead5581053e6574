"""Bits, support vector machines, noise correlations and splits of classification, against what theory says."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.svm import SVC
from trials import one_line, recording

from neurocompare.description import classification, information
from neurocompare.description.classifiers import classify
from neurocompare.description.features import Discriminants, Features, inner, outer
from neurocompare.description.noise_control import without_correlations
from neurocompare.errors import UserError


def two(rng, n, mean, covariance):
    """Two labels with Gaussian responses that differ by `mean`."""
    side = rng.permutation(np.arange(n) % 2)
    values = rng.multivariate_normal(np.zeros(len(mean)), covariance, n) + side[:, None] * np.asarray(mean)
    return recording(values, coordinates={"side": side})


def accuracy(rows, **condition):
    wanted = [f"{k}={v}" for k, v in condition.items()]
    return next(r for r in rows if r["quantity"] == "accuracy" and all(w in r["condition"].split(";") for w in wanted))


@pytest.mark.parametrize("classifier", ["lda", "logistic", "svm", "nearest-mean"])
def test_two_gaussians_are_told_apart_as_well_as_can_be(classifier, monkeypatch):
    monkeypatch.setattr(classification, "PERMUTATIONS", 0)
    array = two(np.random.default_rng(0), 2400, [1.5, 0, 0], np.eye(3))
    rows, _ = classification.describe(array, f"classification-label=side-classifier={classifier}-folds=5", seed=0)
    assert rows[0]["value"] == pytest.approx(norm.cdf(1.5 / 2), abs=0.025)


@pytest.mark.parametrize("classifier", ["lda", "logistic"])
def test_usable_information_of_a_known_channel(classifier, monkeypatch):
    """Of two Gaussians the log odds are linear, so that decoders can use all of the mutual information."""
    monkeypatch.setattr(classification, "PERMUTATIONS", 0)
    rng = np.random.default_rng(1)
    array = two(rng, 3000, [1.8, 0], np.eye(2))
    rows, _ = classification.describe(array, f"classification-label=side-classifier={classifier}-folds=5", seed=0)
    x = rng.standard_normal(400_000) + 0.9
    expected = 1 - np.log2(1 + np.exp(-2 * 0.9 * x)).mean()
    assert rows[2]["quantity"] == "usable information"
    assert rows[2]["value"] == pytest.approx(expected, abs=0.04)
    assert rows[2]["ci_low"] < expected < rows[2]["ci_high"]


def test_information_of_a_confusion_matrix():
    """A symmetric channel that errs in 11 % of cases carries half a bit; one of noise carries none, on average."""
    rng = np.random.default_rng(2)
    assert information.of_confusion(np.array([[8900, 1100], [1100, 8900]])) == pytest.approx(0.5, abs=0.01)
    assert information.of_confusion(np.eye(8, dtype=int) * 1000) == pytest.approx(3, abs=0.001)
    noise = rng.multinomial(160, np.full(16, 1 / 16), size=4000).reshape(-1, 4, 4)
    plugged = information.of_confusion(noise) + 9 / (2 * 160 * np.log(2))
    assert information.of_confusion(noise).mean() == pytest.approx(0, abs=0.003) and plugged.mean() > 0.035


def test_a_decoder_that_is_too_sure_is_calibrated_on_training_trials():
    """With few trials and many units, odds are overstated: as they are they would cost bits, calibrated they do not."""
    rng = np.random.default_rng(3)
    target, values = np.arange(60) % 2, rng.standard_normal((60, 40))
    fold = np.arange(60) % 5
    features = Features(values, list(outer(fold)), rooted=False)
    features.penalty = 1e-3
    scores = features.scores(target)
    raw = -np.log2(1 + np.exp(-(2 * target - 1) * scores[:, 1])).mean() + 1
    measure = information.Usable(features, fold, target)
    assert raw < -1
    measure.calibrating.penalty = 1e-3
    assert -0.15 < measure.gain(target, scores).mean() < 0.2


@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_calibration_never_sees_the_held_out_fold(n_folds):
    rng = np.random.default_rng(4)
    target, fold = np.arange(40) % 2, rng.permutation(np.arange(40) % n_folds)
    values = rng.standard_normal((40, 5)) + target[:, None]
    for (train, test), (learnt, checked) in zip(outer(fold), inner(fold, target), strict=True):
        assert not (learnt & checked).any() and not ((learnt | checked) & test).any()
        assert ((learnt | checked) == train).all()
    # Probabilities of both labels of a trial of fold 0 add up to one, so its own label had no part in them.
    measure = information.Usable(Discriminants(values, list(outer(fold)), rooted=False), fold, target)
    scores, trial = measure.features.scores(target), np.flatnonzero(fold == 0)[0]
    other = target.copy()
    other[trial] = 1 - target[trial]
    shares = np.bincount(target[fold != 0]) / (fold != 0).sum()
    chance = [2.0 ** measure.gain(labels, scores)[trial] * shares[labels[trial]] for labels in (target, other)]
    assert sum(chance) == pytest.approx(1)


def test_machines_are_those_of_sklearn_one_against_the_rest():
    rng = np.random.default_rng(5)
    side = rng.permutation(np.arange(90) % 3)
    values = rng.standard_normal((90, 12)) + rng.standard_normal((3, 12))[side]
    array = recording(values, coordinates={"side": side})
    found = classify(array, "side", seed=0, classifier="svm", permutations=0)
    block = array.block.values
    x, predicted = array.values.astype(float), np.empty(90, dtype=int)
    for k in range(4):
        train, test = block != k, block == k
        z = (x - x[train].mean(0)) / x[train].std(0)
        scores = [
            SVC(kernel="linear", C=1 / 12).fit(z[train], side[train] == c).decision_function(z[test]) for c in range(3)
        ]
        predicted[test] = np.argmax(scores, axis=0)
    expected = np.zeros((3, 3), dtype=int)
    np.add.at(expected, (side, predicted), 1)
    np.testing.assert_array_equal(found.confusion, expected)


def test_trials_are_shuffled_within_labels_and_units():
    rng = np.random.default_rng(6)
    values, target = rng.standard_normal((50, 4)), np.arange(50) % 3
    shuffled = without_correlations(values, target, rng)
    for label in range(3):
        np.testing.assert_array_equal(np.sort(shuffled[target == label], 0), np.sort(values[target == label], 0))
    assert not np.allclose(np.argsort(shuffled[:, 0]), np.argsort(shuffled[:, 1]))


@pytest.mark.parametrize("rho", [0.6, -0.6])
def test_noise_correlations_help_or_harm_as_theory_says(rho, monkeypatch):
    """d'² is Δᵀ Σ⁻¹ Δ with correlations, Δᵀ Δ without, and (Δᵀ w)² / wᵀ Σ w for a decoder w = Δ that ignores them."""
    monkeypatch.setattr(classification, "PERMUTATIONS", 0)
    covariance, delta = np.array([[1, rho], [rho, 1]]), np.array([1.3, 0.4])
    array = two(np.random.default_rng(7), 2400, delta, covariance)
    rows, _ = classification.describe(array, "classification-label=side-classifier=lda-folds=5-noise=shuffled", seed=0)
    known = {
        "intact": np.sqrt(delta @ np.linalg.solve(covariance, delta)),
        "shuffled-train": delta @ delta / np.sqrt(delta @ covariance @ delta),
        "shuffled": np.linalg.norm(delta),
    }
    for noise, d in known.items():
        assert accuracy(rows, noise=noise)["value"] == pytest.approx(norm.cdf(d / 2), abs=0.02), noise
    changes = {r["condition"].split("noise=")[1].split(";")[0]: r for r in rows if r["quantity"] == "accuracy change"}
    # Ignoring correlations never helps; removing them helps where they are along the signal.
    assert changes["shuffled-train"]["ci_high"] < 0.005
    assert np.sign(changes["shuffled"]["value"]) == np.sign(known["shuffled"] - known["intact"])


def test_control_of_noise_is_refused_where_nothing_can_be_shuffled():
    array = two(np.random.default_rng(8), 40, [1, 1], np.eye(2))
    identifier = "classification-label=side-classifier=lda-folds=leave-one-out-noise=shuffled"
    with pytest.raises(UserError, match="use folds=block or 5") as error:
        classification.describe(array, identifier, seed=0)
    one_line(error)


def test_both_splits_stand_side_by_side_and_drift_flatters_one(monkeypatch):
    """The labels come in runs within blocks, and the responses drift: neighbours give labels away."""
    monkeypatch.setattr(classification, "PERMUTATIONS", 5)
    rng = np.random.default_rng(9)
    n = 400
    drift = np.cumsum(rng.standard_normal((n, 60)), axis=0) / 2
    side = np.sign(np.sin(np.arange(n) / 9)) > 0
    array = recording(drift + rng.standard_normal((n, 60)), coordinates={"side": side})
    rows, details = classification.describe(array, "classification-label=side-classifier=lda-folds=both", seed=0)
    assert details["split"].values.tolist() == ["chronological", "interleaved"]
    apart, mixed = (accuracy(rows, split=split) for split in ("chronological", "interleaved"))
    assert "folds=block" in apart["condition"] and "folds=5" in mixed["condition"]
    assert mixed["value"] > apart["value"] + 0.15 and apart["value"] < 0.65
    single = classification.describe(array, "classification-label=side-classifier=lda-folds=5", seed=0)[0][0]
    assert single["value"] == mixed["value"]


def test_a_label_of_whole_blocks_has_the_chronological_split_only():
    rng = np.random.default_rng(10)
    block = np.repeat(np.arange(8), 10)
    array = recording(rng.standard_normal((80, 5)), block=block, coordinates={"context": block % 2})
    rows, _ = classification.describe(array, "classification-label=context-classifier=lda-folds=both", seed=0)
    assert rows[-1]["status"] == "constant_in_blocks" and "split=interleaved" in rows[-1]["condition"]
    assert accuracy(rows, split="chronological")["n_null"] > 0


def test_what_the_stimuli_of_a_label_differ_by_is_no_noise():
    # Two labels of two stimuli each; trials are independent, so that taking correlations away changes nothing.
    rng = np.random.default_rng(5)
    changes = []
    for _ in range(4):
        stimulus = np.arange(240) % 4
        means = 1.2 * rng.standard_normal((4, 12))
        array = recording(
            means[stimulus] + rng.standard_normal((240, 12)),
            coordinates={"side": stimulus // 2},
            stimulus=np.array(["a", "b", "c", "d"])[stimulus],
            block=np.arange(240) // 24,
        )
        rows, _ = classification.describe(
            array, "classification-label=side-classifier=lda-folds=block-noise=shuffled", seed=0
        )
        changes += [
            r["value"] for r in rows if r["quantity"] == "accuracy change" and "shuffled-train" in r["condition"]
        ]
    assert len(changes) == 4
    assert abs(np.mean(changes)) < 0.02
