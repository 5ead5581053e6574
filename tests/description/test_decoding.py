"""Decoders: planted limits, chance, no leakage, and the published accuracies."""

import numpy as np
import pytest
from conftest import ABOUT
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

from neurocompare import files, representation
from neurocompare.description import classifiers, decoding
from neurocompare.errors import UserError
from neurocompare.recordings import macaque_v1_gratings, simulated_orientation

ATTRIBUTES = {
    "exchangeable": "stimulus",
    "simultaneous": True,
    "source": "test",
    "citation": "test",
    "license": "test",
    "sha256": {},
}
VON_MISES, LOGISTIC, ABOVE = decoding.DESCRIPTIONS


def recording(values, orientation, *, block=None, response="dF/F", stimulus=None, **attributes):
    n, p = values.shape
    orientation = np.asarray(orientation, dtype=float)
    stimulus = np.array([f"orientation={a:05.1f}" for a in orientation]) if stimulus is None else stimulus
    return representation.responses(
        values,
        presentation={
            "stimulus": stimulus,
            "repeat": np.arange(n),
            "block": np.arange(n) * 4 // n if block is None else block,
            "orientation": orientation,
        },
        unit={"unit_id": [f"u{i}" for i in range(p)], "area": ["V1"] * p, "animal": ["a"] * p, "session": ["s"] * p},
        attributes=ATTRIBUTES | {"response": response} | attributes,
    )


@given(st.floats(0, 360), st.floats(0, 360), st.sampled_from([180.0, 360.0]), st.integers(-3, 3))
def test_angular_error_is_a_distance_on_the_circle(a, b, period, turns):
    error = decoding.angular_error(a, b, period)
    assert 0 <= error <= period / 2
    assert error == pytest.approx(decoding.angular_error(b, a, period), abs=1e-9)
    assert error == pytest.approx(decoding.angular_error(a + turns * period, b, period), abs=1e-6)
    assert decoding.angular_error(a, a, period) == 0


def test_angular_error_across_zero():
    np.testing.assert_allclose(decoding.angular_error([179, 1, 90], [1, 179, 0]), [2, 2, 90])


@pytest.mark.parametrize("period", [180.0, 360.0])
def test_the_decoder_is_exact_where_its_targets_are_linear_in_the_responses(period):
    """Noiseless von Mises units span the targets; what is left is the grid of the interpolation and the ridge."""
    rng = np.random.default_rng(0)
    preferred = np.arange(64) * period / 64

    def tuned(angles):
        return np.exp((np.cos(2 * np.pi * (angles[:, None] - preferred) / period) - 1) / 0.1)

    train, test = rng.uniform(0, period, 800), rng.uniform(0, period, 200)
    found = decoding.decode_orientation(tuned(train), train, tuned(test), period, ridge=1e-6)
    assert decoding.angular_error(found, test, period).max() < period / 1000


@pytest.mark.parametrize(("n", "p"), [(60, 20), (20, 60)])
def test_primal_and_dual_are_the_ridge_of_sklearn(n, p):
    rng = np.random.default_rng(1)
    train, test = rng.standard_normal((n, p)) * 3 + 2, rng.standard_normal((15, p)) * 3 + 2
    y = rng.standard_normal((n, 4))
    mean, deviation = train.mean(0), train.std(0)
    model = Ridge(alpha=0.7 * n, fit_intercept=False).fit((train - mean) / deviation, y)
    np.testing.assert_allclose(decoding._hat(train, test, 0.7) @ y, model.predict((test - mean) / deviation), atol=1e-8)


def test_training_statistics_only():
    """A test trial is decoded alike whatever other trials are tested with it; constant units do no harm."""
    rng = np.random.default_rng(2)
    train, angles, test = rng.standard_normal((50, 10)), rng.uniform(0, 180, 50), rng.standard_normal((5, 10))
    train[:, 3], test[:, 3] = 1.0, 7.0
    together = decoding.decode_orientation(train, angles, np.vstack([test, 1e6 * test]))[:5]
    np.testing.assert_array_equal(together, decoding.decode_orientation(train, angles, test))


@pytest.fixture(scope="module")
def limited():
    return simulated_orientation.simulate(neurons=400, trials=600, seed=0, limit_degrees=5.0, event_size=0.1)[0]


def test_the_error_falls_with_neurons_to_the_planted_limit(limited):
    details = decoding.decoding_curve(limited, seed=0, permutations=20)
    error = details.neuron_error.sel(bound="value")
    # The median of |N(0, s)| is 0.6745 s; no decoder can do better than the displacement allows.
    limit = 0.6745 * 5
    assert np.all(error.sel(neurons=400).values > 0.85 * limit)
    assert np.all(error.sel(neurons=400).values < 1.35 * limit)
    for split in decoding.SPLITS:
        values = error.sel(split=split).values
        assert values[-1] > 1.5 * values[0]
        assert np.all(np.diff(values) > -0.1 * values[:-1])
        assert details.trial_error.sel(bound="value", split=split).values[-1] > 1.2 * values[0]
    np.testing.assert_array_equal(details.neurons.values, [400, 200, 100, 50, 25])
    assert np.all(details.neuron_error.sel(bound="low") <= error)
    assert np.all(details.neuron_error.sel(bound="high") >= error)


def test_shuffled_labels_give_a_quarter_period(limited):
    details = decoding.decoding_curve(limited, seed=0, permutations=20)
    # A median of 600 uniform errors scatters by about 90 / (2 sqrt(600)) = 1.8, more where folds agree.
    np.testing.assert_allclose(details.null.values, 45, atol=12)
    np.testing.assert_allclose(details.null.values.mean(), 45, atol=1.5)


def test_pure_noise_is_at_chance_in_every_split():
    rng = np.random.default_rng(3)
    array = recording(rng.gamma(0.5, 1, (240, 150)), np.arange(240) % 24 * 7.5)
    rows, _ = decoding.describe(array, VON_MISES, seed=0)
    for row in rows:
        assert 36 < row["value"] < 54
    assert min(row["p_value"] for row in rows if np.isfinite(row["p_value"])) > 0.02
    rows, _ = decoding.describe(array, ABOVE, seed=0)
    assert 0.4 < rows[0]["value"] < 0.6
    assert rows[0]["null_mean"] == pytest.approx(0.5, abs=0.03)
    assert rows[0]["p_value"] > 0.02


def test_interleaved_folds_hold_every_orientation_even_where_conditions_come_in_turns():
    """Eight conditions in a fixed order: every fourth trial would be the same two orientations."""
    array = recording(np.zeros((160, 2)), np.tile(np.arange(8) * 22.5, 20))
    fold = decoding._interleaved(array)
    counts = np.array([np.bincount(fold[array.orientation.values == a], minlength=4) for a in np.arange(8) * 22.5])
    assert counts.min() == counts.max() == 5


def test_rows_of_the_curve():
    array, _ = simulated_orientation.simulate(neurons=80, trials=200, seed=1)
    rows, details = decoding.describe(array, VON_MISES, seed=0)
    whole = [row for row in rows if "neurons=80;trials=150" in row["condition"]]
    assert [row["condition"].split(";")[0] for row in whole] == ["split=interleaved", "split=chronological"]
    for row in whole:
        assert row["p_value"] == pytest.approx(1 / 101)
        assert row["ci_low"] < row["value"] < row["ci_high"]
        assert row["status"] == "no_ceiling"
    assert all(row["status"] == "no_null;no_ceiling" for row in rows if row not in whole)
    error = decoding.angular_error(details.decoded.sel(split="interleaved"), array.orientation.values)
    assert np.median(error) == pytest.approx(whole[0]["value"])
    again, _ = decoding.describe(array, VON_MISES, seed=0)
    assert [row["value"] for row in again] == [row["value"] for row in rows]


def test_one_block_and_labels_that_may_not_be_shuffled_are_told():
    rng = np.random.default_rng(4)
    array = recording(
        rng.random((200, 20)), rng.uniform(0, 180, 200), block=np.zeros(200, dtype=int), exchangeable="block"
    )
    rows, _ = decoding.describe(array, VON_MISES, seed=0)
    by_split = {split: {r["status"] for r in rows if split in r["condition"]} for split in decoding.SPLITS}
    assert by_split == {"interleaved": {"no_null;no_ceiling"}, "chronological": {"one_block"}}
    with pytest.raises(UserError, match="one block"):
        decoding.describe(array, ABOVE, seed=0)


def test_slow_drift_helps_the_interleaved_split_only():
    """Orientation that follows time: neighbours in time give it away, blocks do not."""
    rng = np.random.default_rng(5)
    drift = np.cumsum(rng.standard_normal((400, 30)), axis=0) + rng.standard_normal((400, 30))
    angle = np.linspace(0, 179, 400)
    stimulus = np.array([f"orientation={a:05.1f}" for a in np.floor(angle / 10) * 10])
    array = recording(drift, angle, stimulus=stimulus)
    details = decoding.decoding_curve(array, seed=0, permutations=0)
    first, second = details.neuron_error.sel(bound="value").values[:, 0]
    assert second > 2 * first


def test_above_45_uses_the_right_trials_and_averaging_helps():
    rng = np.random.default_rng(6)
    angles = np.tile([0.0, 15, 30, 45, 60, 75, 90, 120, 170], 40)
    values = rng.standard_normal((360, 20)) + 0.25 * (angles > 45)[:, None] * rng.standard_normal(20)
    details = decoding.discriminate_45(recording(values, angles), seed=0, permutations=20)
    assert details.attrs["n_trials"] == 240
    np.testing.assert_allclose(np.sort(details.orientation.values), [0, 15, 30, 60, 75, 90])
    accuracy = details.accuracy.values
    assert np.all(np.diff(accuracy) > 0)
    assert 0.6 < accuracy[0] < 0.95
    assert np.all(details.interval.sel(bound="low") <= details.accuracy)
    margin = decoding.discriminate_45(recording(values, angles), seed=0, permutations=1, margin=15)
    np.testing.assert_allclose(np.sort(margin.orientation.values), [0, 15, 75, 90])


def test_averages_that_no_fold_can_form_are_missing():
    rng = np.random.default_rng(7)
    angles = np.tile([0.0, 20, 70, 90], 24)
    array = recording(rng.standard_normal((96, 5)) + (angles > 45)[:, None], angles)
    rows, _ = decoding.describe(array, ABOVE, seed=0)
    missing = {row["condition"].split(";")[0] for row in rows if row["status"] == "too_few_trials"}
    assert missing == {"averaged=8"}


def test_random_dichotomies_are_as_easy_as_this_one_where_stimuli_have_no_order():
    """Unordered patterns are decoded above chance, yet 45° is no better a border than any other."""
    rng = np.random.default_rng(8)
    angles = np.tile(np.arange(2.5, 90, 5), 24)
    patterns = rng.standard_normal((18, 60))
    values = patterns[np.tile(np.arange(18), 24)] + rng.standard_normal((432, 60)) * 2
    rows, _ = decoding.describe(recording(values, angles), ABOVE, seed=0)
    trials, dichotomies = (
        next(r for r in rows if r["condition"] == f"averaged=1;null={n}") for n in ("trials", "dichotomies")
    )
    assert trials["p_value"] == pytest.approx(1 / 101)
    assert dichotomies["p_value"] > 0.05
    assert dichotomies["null_mean"] > 0.7


def test_rotation_into_the_span_of_the_trials_changes_no_prediction():
    rng = np.random.default_rng(9)
    train, test, y = rng.standard_normal((40, 90)), rng.standard_normal((30, 90)), np.arange(40) % 2
    rotated = classifiers._rotated(train, test)
    assert rotated[0].shape == (40, 40)
    full, small = (
        LogisticRegression(C=0.1, tol=1e-10, max_iter=5000).fit(a, y).decision_function(b)
        for a, b in ((train, test), rotated)
    )
    np.testing.assert_allclose(small, full, atol=1e-5)


def test_classify_separable_and_shuffled():
    rng = np.random.default_rng(10)
    angles = rng.permutation(np.repeat([0.0, 45, 90, 135], 30))
    rates = {a: rng.uniform(1, 20, 12) for a in np.unique(angles)}
    counts = rng.poisson([rates[a] for a in angles])
    array = recording(counts, angles, response="spike count")
    for folds in ("block", "stratified"):
        details = decoding.classify(array, "orientation", seed=0, folds=folds, permutations=50)
        assert details.accuracy > 0.9
        assert details.confusion.values.sum() == 120
        assert np.trace(details.confusion.values) == pytest.approx(120 * float(details.accuracy))
        assert details.null.values.mean() == pytest.approx(0.25, abs=0.04)
        assert float(details.chance) == 0.25
        assert details.interval.values[0] <= details.accuracy <= details.interval.values[1]
    noise = recording(rng.poisson(5, counts.shape), angles, response="spike count")
    details = decoding.classify(noise, "orientation", seed=0, permutations=50)
    assert details.accuracy < np.quantile(details.null.values, 0.99)


def test_messages_name_what_is_missing():
    rng = np.random.default_rng(11)
    array = recording(rng.random((100, 5)), np.arange(100) % 4 * 45.0)
    with pytest.raises(UserError, match="did you mean"):
        decoding.describe(array, "decoding-target=orientation-decoder=von-mise", seed=0)
    with pytest.raises(UserError, match=f"{VON_MISES}.*'orientation'"):
        decoding.describe(array.drop_vars("orientation"), VON_MISES, seed=0)
    with pytest.raises(UserError, match="NaN"):
        decoding.describe(array.assign_coords(orientation=("presentation", [np.nan] + [0.0] * 99)), VON_MISES, seed=0)
    with pytest.raises(UserError, match="fold it to"):
        decoding.describe(array.assign_coords(orientation=array.orientation * 2), VON_MISES, seed=0)
    with pytest.raises(UserError, match="simultaneous=false"):
        decoding.describe(array.assign_attrs(simultaneous=False), VON_MISES, seed=0)
    with pytest.raises(UserError, match="2 of each are needed"):
        decoding.describe(array, ABOVE, seed=0)
    with pytest.raises(UserError, match="no coordinate 'choice'"):
        decoding.classify(array, "choice", seed=0)
    with pytest.raises(UserError, match="block or stratified"):
        decoding.classify(array, "orientation", seed=0, folds="random")
    with pytest.raises(UserError, match="fewer than 4"):
        decoding.classify(array[:10], "orientation", seed=0, folds="stratified")


def gratings(real_data, session, **options):
    path = real_data / "macaque_v1_gratings" / macaque_v1_gratings.FILE
    checksum = {path.name: files.sha256(path)}
    return macaque_v1_gratings.ingest({path.name: path}, about=ABOUT | {"sha256": checksum}, session=session, **options)


@pytest.mark.parametrize("session", range(1, 18))
def test_published_accuracy_of_macaque_v1(real_data, session):
    """.72-.92 with all units, at the highest contrast, in four folds of consecutive repeats."""
    array = decoding.strongest_contrast(gratings(real_data, session, contamination=np.inf))
    details = decoding.classify(array, "orientation", seed=0, folds="block", permutations=0)
    assert 0.72 <= round(float(details.accuracy), 2) <= 0.92
    assert 0.12 <= details.chance <= 0.15


def test_macaque_v1_is_decoded_in_both_splits(real_data):
    array = gratings(real_data, 9)
    rows, _ = decoding.describe(array, VON_MISES, seed=0)
    whole = [row for row in rows if np.isfinite(row["p_value"])]
    assert len(whole) == 2
    for row in whole:
        assert row["value"] < 5
        assert row["n_stimuli"] == 7
