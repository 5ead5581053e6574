"""Decoders: planted limits, chance, no leakage, and the published accuracies."""

import numpy as np
import pytest
from conftest import ABOUT
from sklearn.linear_model import LogisticRegression

from neurocompare import files, representation
from neurocompare.description import decoding, features
from neurocompare.description.angles import angles, interleaved
from neurocompare.errors import UserError
from neurocompare.prediction.circular_decoders import angular_error
from neurocompare.recordings import macaque_v1_gratings, simulated_orientation

ATTRIBUTES = {
    "exchangeable": "stimulus",
    "simultaneous": True,
    "source": "test",
    "citation": "test",
    "license": "test",
    "sha256": {},
}
VON_MISES, INDEPENDENT, VECTOR = (
    f"decoding-target=orientation-decoder={name}" for name in ("von-mises", "independent", "population-vector")
)
ABOVE = "decoding-target=above-45-decoder=logistic"


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


@pytest.fixture(scope="module")
def limited():
    return simulated_orientation.simulate(neurons=400, trials=600, seed=0, limit_degrees=5.0, event_size=0.1)[0]


def test_sixteen_neurons_are_far_from_the_limit_whichever_they_are():
    options = {"neurons": 512, "trials": 600, "limit_degrees": 5.0, "event_size": 0.1}
    trials = angles(simulated_orientation.simulate(seed=0, **options)[0], VON_MISES, "orientation")
    for seed in range(2):
        error = decoding.decoding_curve(trials, seed=seed, permutations=0).neuron_error.sel(bound="value")
        assert np.all(error.sel(neurons=16).values > 1.5 * error.sel(neurons=512).values)


def test_the_error_falls_with_neurons_to_the_planted_limit(limited):
    details = decoding.decoding_curve(angles(limited, VON_MISES, "orientation"), seed=0, permutations=20)
    error = details.neuron_error.sel(bound="value")
    # The median of |N(0, s)| is 0.6745 s; no decoder can do better than the displacement allows.
    limit = 0.6745 * 5
    assert np.all(error.sel(neurons=400).values > 0.85 * limit)
    assert np.all(error.sel(neurons=400).values < 1.35 * limit)
    for split in decoding.SPLITS:
        values = error.sel(split=split).values
        assert values[-1] > 1.25 * values[0]
        assert np.all(np.diff(values) > -0.1 * values[:-1])
        assert details.trial_error.sel(bound="value", split=split).values[-1] > 1.2 * values[0]
    np.testing.assert_array_equal(details.neurons.values, [400, 200, 100, 50, 25])
    assert np.all(details.neuron_error.sel(bound="low") <= error)
    assert np.all(details.neuron_error.sel(bound="high") >= error)


def test_shuffled_labels_give_a_quarter_period(limited):
    details = decoding.decoding_curve(angles(limited, VON_MISES, "orientation"), seed=0, permutations=20)
    # A median of 600 uniform errors scatters by about 90 / (2 sqrt(600)) = 1.8, more where folds agree.
    null = details.null.sel(summary="median").values
    np.testing.assert_allclose(null, 45, atol=12)
    np.testing.assert_allclose(null.mean(), 45, atol=1.5)


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
    fold = interleaved(array)
    counts = np.array([np.bincount(fold[array.orientation.values == a], minlength=4) for a in np.arange(8) * 22.5])
    assert counts.min() == counts.max() == 5


def test_rows_of_the_curve():
    array, _ = simulated_orientation.simulate(neurons=80, trials=200, seed=1)
    rows, details = decoding.describe(array, VON_MISES, seed=0)
    whole = [row for row in rows if row["condition"].endswith("neurons=80;trials=150")]
    assert [row["condition"].split(";")[0] for row in whole] == ["split=interleaved", "split=chronological"]
    for row in whole:
        assert row["p_value"] == pytest.approx(1 / 101)
        assert row["ci_low"] < row["value"] < row["ci_high"]
        assert row["status"] == "no_ceiling"
    mean = [row for row in rows if row["quantity"] == "mean absolute error"]
    assert all(row["p_value"] == pytest.approx(1 / 101) and row["null_mean"] > 40 for row in mean)
    assert all(row["status"] == "no_null;no_ceiling" for row in rows if row not in whole + mean)
    error = angular_error(details.decoded.sel(split="interleaved"), array.orientation.values)
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
    rows, details = decoding.describe(array, ABOVE, seed=0)
    assert details is None
    assert [row["status"] for row in rows] == ["one_block"]
    with pytest.raises(UserError, match="one block"):
        decoding.discriminate_45(array, seed=0)


def test_slow_drift_helps_the_interleaved_split_only():
    """Orientation that follows time: neighbours in time give it away, blocks do not."""
    rng = np.random.default_rng(5)
    drift = np.cumsum(rng.standard_normal((400, 30)), axis=0) + rng.standard_normal((400, 30))
    angle = np.linspace(0, 179, 400)
    stimulus = np.array([f"orientation={a:05.1f}" for a in np.floor(angle / 10) * 10])
    array = recording(drift, angle, stimulus=stimulus)
    details = decoding.decoding_curve(angles(array, VON_MISES, "orientation"), seed=0, permutations=0)
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
    rotated = features.rotated(train, test)
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
    with pytest.raises(UserError, match="2 of each are needed"):
        decoding.discriminate_45(array, seed=0)
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
    whole = [row for row in rows if np.isfinite(row["p_value"]) and row["quantity"] == "median absolute error"]
    assert len(whole) == 2
    for row in whole:
        assert row["value"] < 5
        assert row["n_stimuli"] == 7


@pytest.mark.parametrize("description", [INDEPENDENT, VECTOR])
def test_other_decoders_have_the_same_rows(description):
    array, _ = simulated_orientation.simulate(neurons=120, trials=320, seed=1)
    rows, details = decoding.describe(array, description, seed=0)
    assert list(details.neurons.values) == [120, 60, 30]
    whole = [row for row in rows if row["condition"].endswith("neurons=120;trials=240")]
    assert [row["condition"].split(";")[0] for row in whole] == ["split=interleaved", "split=chronological"]
    for row in whole:
        assert row["value"] < 30
        assert row["p_value"] == pytest.approx(1 / 101)
        assert row["null_mean"] == pytest.approx(45, abs=4)


def test_the_linear_decoder_is_better_than_the_independent_one_where_noise_is_shared():
    """Stringer et al. 2021: neurons that fluctuate together mislead a decoder that takes them as independent."""
    array, _ = simulated_orientation.simulate(neurons=300, trials=800, seed=2, shared_strength=0.8, running_gain=0.5)
    errors = {}
    for name in ("von-mises", "independent"):
        trials = angles(array, VON_MISES, "orientation")
        details = decoding.decoding_curve(trials, seed=0, decoder=name, permutations=0)
        errors[name] = details.neuron_error.sel(bound="value", split="interleaved").values[0]
    assert errors["von-mises"] < errors["independent"]


def test_direction_has_a_period_of_360_and_gives_the_orientation():
    rng = np.random.default_rng(12)
    direction = np.tile(np.arange(8) * 45.0, 12)
    phase = np.deg2rad(direction[:, None] - np.arange(40) * 9)
    values = np.exp(np.cos(phase) - 1) + 0.1 * rng.standard_normal(phase.shape)
    array = recording(values, direction).rename({"orientation": "direction"})
    for description, period in ((VECTOR.replace("orientation", "direction"), 360.0), (INDEPENDENT, 180.0)):
        rows, details = decoding.describe(array, description, seed=0)
        assert details.attrs["period"] == period
        assert rows[0]["value"] < 12


def test_the_share_of_discrete_angles_says_what_the_median_hides():
    """A linear decoder returns one of the angles that it learned: right or a step off, hardly ever in between."""
    rng = np.random.default_rng(14)
    shown = np.tile(np.arange(4) * 45.0, 40)
    phase = 2 * np.deg2rad(shown[:, None] - np.arange(20) * 9)
    array = recording(np.cos(phase) + 2.0 * rng.standard_normal(phase.shape), shown)
    rows, details = decoding.describe(array, VON_MISES, seed=0)
    of = {row["quantity"]: row for row in rows if row["condition"].startswith("split=interleaved;neurons=20;trials=12")}
    assert of["median absolute error"]["value"] < 3
    assert of["mean absolute error"]["value"] > 3
    decoded = details.decoded.sel(split="interleaved").values
    exact = np.mean(angular_error(decoded, shown) < 22.5)
    share = of["share nearest to the angle shown"]
    assert share["value"] == pytest.approx(exact, abs=0.02)
    assert share["null_mean"] == pytest.approx(0.25, abs=0.05)
    assert share["ci_low"] < share["value"] < share["ci_high"]
    assert of["mean absolute error"]["condition"].endswith("angles=4")


def test_recordings_that_do_not_fit_have_rows_that_say_so():
    rng = np.random.default_rng(13)
    few = recording(rng.random((12, 5)), np.arange(12) * 10.0)
    two = recording(rng.random((64, 5)), np.arange(64) % 2 * 90.0)
    for array, status in ((few, "too_few_trials"), (two, "too_few_angles")):
        rows, details = decoding.describe(array, INDEPENDENT, seed=0)
        assert details is None
        assert {row["status"] for row in rows} == {status}
    four = recording(rng.random((64, 5)), np.arange(64) % 4 * 45.0, simultaneous=False)
    rows, details = decoding.describe(four, ABOVE, seed=0)
    assert details is None
    assert [(row["quantity"], row["status"]) for row in rows] == [
        ("accuracy above 45 of pooled units", "too_few_stimuli")
    ]
    rows, _ = decoding.describe(four, VECTOR, seed=0)
    assert {row["quantity"] for row in rows} == {
        f"{quantity} of pooled units"
        for quantity in ("median absolute error", "mean absolute error", "share nearest to the angle shown")
    }
