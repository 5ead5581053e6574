"""Encodings: planted shares of stimuli and of what else moves responses, corrections, nulls, and refusals."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from conftest import ABOUT
from threadpoolctl import threadpool_limits

from neurocompare import catalogue, encoding_rows, encodings, representation, tables
from neurocompare.encoding_entries import EXPLAINABLE, VARIANCE
from neurocompare.errors import UserError
from neurocompare.recordings import antolik2016, simulated_orientation
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.trials import Trials
from neurocompare.simulation.populations import autocorrelated

TOP = Path(__file__).resolve().parent.parent
TRIALS = {
    "recording": "r",
    "level": "trials",
    "bands": {"tuning": {"network": "bank", "layer": "one"}},
    "folds": 4,
    "search": 3,
    "shuffles": 0,
    "gap": 5,
}
MEANS = {
    "recording": "r",
    "level": "means",
    "bands": {"first": {"network": "n", "layer": "one"}, "second": {"network": "n", "layer": "two"}},
    "search": 4,
    "shuffles": 0,
}


def layers(stimuli, **features):
    """Gram matrices of one instance of a network."""
    grams = Grams.of(list(features.values()))
    return xr.Dataset(
        {
            "gram": (("layer", "stimulus", "other_stimulus"), grams.gram),
            "row_sum": (("layer", "stimulus"), grams.row_sum),
            "n_units": ("layer", grams.n_units),
        },
        coords={"layer": list(features), "stimulus": stimuli, "other_stimulus": stimuli, "seed": 0},
        attrs={"weights_sha256": "0" * 64, "code_sha256": "1" * 64},
    )


def recorded(values, stimulus, block, exchangeable="stimulus", simultaneous=True, animals=1, **coordinates):
    n_units = values.shape[1]
    repeat = pd.Series(stimulus).groupby(stimulus).cumcount().to_numpy()
    animal = np.array([f"m{k * animals // n_units}" for k in range(n_units)])
    return representation.responses(
        values,
        presentation={"stimulus": np.asarray(stimulus), "repeat": repeat, "block": np.asarray(block)} | coordinates,
        unit={
            "unit_id": np.array([f"u{k}" for k in range(n_units)]),
            "area": np.full(n_units, "V1"),
            "animal": animal,
            "session": animal,
        },
        attributes=ABOUT | {"response": "dF/F", "exchangeable": exchangeable, "simultaneous": simultaneous},
        dtype="float64",
    )


def repeated(n=120, repeats=6, units=20, noise=1.0, seed=0, **options):
    """Units that follow two layers linearly, with independent noise in every trial."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((2, n, 3))
    drive = features[0] @ rng.standard_normal((3, units)) + 0.5 * features[1] @ rng.standard_normal((3, units))
    values = drive + noise * rng.standard_normal((repeats, n, units))
    stimuli = np.array([f"s{k:03d}" for k in range(n)])
    array = recorded(values.reshape(-1, units), np.tile(stimuli, repeats), np.repeat(np.arange(repeats), n), **options)
    network = layers(stimuli, one=features[0], two=features[1])
    return array, {"first": network, "second": network}, features, drive


def table_of(rows):
    return pd.DataFrame(rows).set_index(["band", "quantity", "of"])


def test_a_perfect_model_explains_all_that_can_be_explained_and_less_of_what_was_recorded():
    totals, plain = [], []
    for seed in range(3):
        array, grams, *_ = repeated(seed=seed, noise=2.0)
        table = table_of(encodings.encode(array, grams, MEANS, name="e")[0])
        products = [table.loc[(band, "product", EXPLAINABLE), "value"] for band in ("first", "second")]
        totals.append(sum(products))
        plain.append(table.loc[("all", "r2", VARIANCE), "value"] / table.loc[("all", "explainable", VARIANCE), "value"])
        assert table.loc[("all", "r2", VARIANCE), "value"] < 0.9
        for score in ("feve", "ccnorm", "r2er"):
            assert abs(table.loc[("all", score, ""), "value"] - 1) < 0.06
    # Six features are estimated from 96 stimuli, which costs a few hundredths.
    assert abs(np.mean(plain) - 1) < 0.05
    assert abs(np.mean(totals) - 1) < 0.08


def test_means_over_stimuli_that_belong_to_blocks_are_not_held_out_one_by_one():
    array, grams, *_ = repeated(n=24, units=4, exchangeable="block")
    with pytest.raises(UserError, match="use level: trials with hold_out: blocks") as error:
        encodings.encode(array, grams, MEANS, name="e")
    assert "\n" not in str(error.value)


def test_unique_shares_of_what_is_explainable_are_those_that_were_planted():
    array, grams, features, drive = repeated(noise=1.5)
    table = table_of(encodings.encode(array, grams, MEANS, name="e")[0])

    def residual(k):
        """What one layer does not explain of the noiseless responses."""
        other = features[1 - k] - features[1 - k].mean(0)
        centred = drive - drive.mean(0)
        return (centred - other @ np.linalg.lstsq(other, centred, rcond=None)[0]).var(0) / drive.var(0)

    for k, band in enumerate(("first", "second")):
        row = table.loc[(band, "unique", EXPLAINABLE)]
        assert row["value"] == pytest.approx(np.median(residual(k)), abs=0.08)
        assert row["ci_low"] < row["value"] < row["ci_high"]
        assert row["ceiling_low"] == row["ceiling_high"] == 1
        plain = table.loc[(band, "unique", VARIANCE)]
        assert plain["ceiling_low"] == table.loc[("all", "explainable", VARIANCE), "value"]


def orientation(trials=800, units=60, gain=1.0, seed=0):
    """Simulated gratings with a planted gain, and features that can represent the tuning."""
    array, truth = simulated_orientation.simulate(
        neurons=units, trials=trials, bins=32, seed=seed, running_gain=gain, shared_strength=0.2, event_size=0.2
    )
    stimuli = np.unique(array.coords["stimulus"].values.astype(str))
    angle = 2 * np.pi * np.arange(len(stimuli)) / len(stimuli)
    waves = [f(k * angle) for k in range(1, 5) for f in (np.cos, np.sin)]
    return array, {"tuning": layers(stimuli, one=np.column_stack(waves))}, truth


def test_running_has_the_share_of_single_trials_that_was_planted():
    array, grams, truth = orientation()
    entry = TRIALS | {"nuisance": {"running": {"coordinates": ["running_speed"]}}}
    rows, details = encodings.encode(array, grams, entry, name="e")
    table = table_of(rows)
    speed = array.coords["running_speed"].values
    gain = 1 + speed / 10
    # The gain multiplies the mean over angles; what it does to the tuning is beyond a linear model.
    mean = truth["tuning"].mean("angle").values
    alive = mean > 0
    share = (gain / gain.mean()).var() * mean**2 / np.where(alive, array.values.var(0), 1)
    row = table.loc[("running", "unique", VARIANCE)]
    assert row["value"] == pytest.approx(np.median(share[alive]), rel=0.2)
    assert row["kind"] == "nuisance" and row["resampled"] == "stretches of 16 presentations"
    assert row["ci_low"] > 0
    assert np.isnan(row["ceiling_low"]), "the trials say nothing of how much behaviour could explain"
    by_unit = details["unique"].sel(band="running").values
    assert np.corrcoef(by_unit[alive], share[alive])[0, 1] > 0.9
    assert row["n_undefined"] == (~alive).sum() > 0
    assert table.loc[("tuning", "unique", VARIANCE), "ceiling_low"] > table.loc[("tuning", "unique", VARIANCE), "value"]


def test_without_a_gain_running_explains_nothing_and_with_it_the_null_says_so():
    entry = TRIALS | {"nuisance": {"running": {"coordinates": ["running_speed"]}}, "shuffles": 19, "search": 1}
    p = {}
    for gain in (0.0, 1.0):
        array, grams, _ = orientation(trials=400, units=20, gain=gain, seed=3)
        row = table_of(encodings.encode(array, grams, entry, name="e")[0]).loc[("running", "unique", VARIANCE)]
        assert row["n_null"] == 19
        assert abs(row["null_mean"]) < 0.01
        p[gain] = row["p_value"]
        assert (abs(row["value"]) < 0.01) == (gain == 0)
    assert p[1.0] == 0.05 < p[0.0]


def test_where_stimuli_come_round_in_one_order_the_null_is_no_other_naming_of_them():
    array, *_ = repeated(n=12, repeats=30, units=6, noise=1.0)
    entry = TRIALS | {"bands": {"which": "identity"}, "hold_out": "blocks", "gap": 0, "shuffles": 19, "search": 1}
    row = table_of(encodings.encode(array, {}, entry, name="e")[0]).loc[("which", "unique", VARIANCE)]
    assert row["value"] > 0.5
    assert row["null_high"] < 0.05
    assert row["p_value"] == 0.05


def test_drift_history_and_stimuli_are_told_apart():
    rng = np.random.default_rng(4)
    n_stimuli, n_blocks, units = 24, 12, 12
    stimuli = np.array([f"s{k:02d}" for k in range(n_stimuli)])
    features = rng.standard_normal((n_stimuli, 2))
    index = np.concatenate([rng.permutation(n_stimuli) for _ in range(n_blocks)])
    block = np.repeat(np.arange(n_blocks), n_stimuli)
    shown = features[index]
    before = np.where(np.diff(block, prepend=-1)[:, None] > 0, 0, np.roll(shown, 1, axis=0))
    slow = np.sqrt(2) * np.cos(np.pi * (np.arange(len(index)) + 0.5) / len(index))
    weights = np.array([1.0, 0.6, 0.7])
    values = weights[0] * shown[:, :1] + weights[1] * before[:, :1] + weights[2] * slow[:, None]
    values = values + rng.standard_normal((len(index), units))
    array = recorded(values, stimuli[index], block)
    nuisance = {"drift": {"drift": 3}, "before": {"history": "tuning"}}
    # Slow changes of the whole session can only be told from what lies around them.
    entry = TRIALS | {"nuisance": nuisance, "hold_out": "stimuli"}
    rows, _ = encodings.encode(array, {"tuning": layers(stimuli, one=features)}, entry, name="e")
    table = table_of(rows)
    variance = values.var()
    planted = {"tuning": shown[:, 0].var(), "before": 0.36 * before[:, 0].var(), "drift": 0.49 * slow.var()}
    for band, expected in planted.items():
        assert table.loc[(band, "unique", VARIANCE), "value"] == pytest.approx(expected / variance, abs=0.05), band
    assert table.loc[("shared", "shared", VARIANCE), "value"] == pytest.approx(0, abs=0.06)


def test_identities_explain_what_is_repeated_in_blocks_that_were_left_out():
    array, *_ = repeated(n=12, repeats=9, noise=1.0)
    entry = TRIALS | {"bands": {"which": "identity"}, "hold_out": "blocks", "gap": 0, "folds": 9}
    table = table_of(encodings.encode(array, {}, entry, name="e")[0])
    reached = table.loc[("which", "unique", VARIANCE)]
    assert reached["value"] == pytest.approx(reached["ceiling_low"], abs=0.1)
    assert reached["n_features"] == 12 and reached["weights_sha256"] == ""


@pytest.mark.parametrize("level", ["means", "trials"])
def test_the_signal_is_estimated_without_bias_from_unequal_repeats(level):
    rng = np.random.default_rng(5)
    counts = np.array([2, 3, 4, 6, 9, 2, 5, 3])
    drive = rng.standard_normal(len(counts))
    stimulus = np.repeat(np.arange(len(counts)), counts)
    values = drive[stimulus][:, None] + 2 * rng.standard_normal((len(stimulus), 20000))
    trials = Trials(values, stimulus, np.zeros(len(stimulus), int), len(counts))
    settings = dict.fromkeys(encoding_rows.Explained.__dataclass_fields__) | {
        "entry": {"level": level},
        "trials": trials,
    }
    found = encoding_rows._signal(encoding_rows.Explained(**settings)).sum(0).mean()
    if level == "means":
        assert found == pytest.approx(((drive - drive.mean()) ** 2).sum(), rel=0.05)
    else:
        weighted = np.average(drive, weights=counts)
        assert found == pytest.approx((counts * (drive - weighted) ** 2).sum(), rel=0.05)


def test_units_without_signal_or_without_any_change_are_counted_and_left_out():
    array, grams, *_ = repeated(units=6, repeats=4)
    array.values[:, 0] = 0.3
    rng = np.random.default_rng(0)
    array.values[:, 1:3] = rng.standard_normal((len(array), 2))
    # Two units that respond to one repeat more than to the others, less alike than by chance.
    opposed = np.repeat([1, -1, 1, -1], 120)[:, None] * rng.standard_normal((480, 1))[np.tile(np.arange(120), 4)]
    array.values[:, 1:2] = opposed
    table = table_of(encodings.encode(array, grams, MEANS, name="e")[0])
    assert table.loc[("all", "r2", VARIANCE), "n_undefined"] == 2, "one never changes, the means of one never do"
    assert table.loc[("first", "unique", EXPLAINABLE), "n_undefined"] >= 2
    assert (table["n_units"] == 6).all()
    assert np.isfinite(table.loc[("first", "unique", EXPLAINABLE), "value"])


def test_rows_have_the_columns_of_the_table_and_say_what_is_missing():
    array, grams, *_ = repeated(n=40, units=5, animals=2, exchangeable="none")
    rows, details = encodings.encode(array, grams, MEANS | {"weights": True}, name="e")
    assert {tuple(row) for row in rows} == {tuple(rows[0])}
    assert set(rows[0]) | {"code_sha256"} == set(tables.ENCODINGS)
    table = pd.DataFrame(rows)
    assert list(dict.fromkeys(table["animal"])) == ["m0", "m1", "pooled"]
    assert table["status"].str.startswith("no_null;no_interval").all()
    assert table["p_value"].isna().all() and (table["resampled"] == "").all()
    assert details["dual"].dims == ("sample", "unit") and details["strength"].dims == ("band", "unit")
    assert list(details["sample"].values) == [f"s{k:03d}" for k in range(40)]
    np.testing.assert_allclose(details["product"].sum("band"), details["total"], atol=1e-12)
    np.testing.assert_allclose(details["unique"].sum("band") + details["shared"], details["total"], atol=1e-12)


def test_a_useless_layer_is_at_chance_and_a_useful_one_is_not():
    array, grams, *_ = repeated(n=60, units=10, noise=2.0)
    other = np.random.default_rng(9).standard_normal((60, 3))
    stimuli = grams["first"]["stimulus"].values
    grams["second"] = layers(stimuli, two=other)
    entry = MEANS | {"shuffles": 39, "search": 2}
    table = table_of(encodings.encode(array, grams, entry, name="e")[0])
    useful, useless = (table.loc[(band, "unique", EXPLAINABLE)] for band in ("first", "second"))
    assert useful["p_value"] == 1 / 40 < useless["p_value"]
    assert useless["null_mean"] == pytest.approx(useless["value"], abs=0.05)
    assert table.loc[("all", "r2", VARIANCE), "p_value"] == 1 / 40


def test_the_table_does_not_depend_on_the_number_of_cores_nor_on_the_order_of_trials():
    array, grams, *_ = repeated(n=40, units=8)
    entry = MEANS | {"shuffles": 5}
    tables_found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            tables_found.append(pd.DataFrame(encodings.encode(array, grams, entry, name="e")[0]))
    pd.testing.assert_frame_equal(*tables_found, rtol=1e-9)
    order = np.random.default_rng(0).permutation(len(array))
    mixed = pd.DataFrame(encodings.encode(array[order], grams, entry, name="e")[0])
    pd.testing.assert_frame_equal(tables_found[0], mixed, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("level", ["means", "trials"])
def test_a_drift_that_all_stimuli_share_takes_nothing_from_the_signal(level):
    array, grams, _, drive = repeated(n=60, units=200, repeats=8)
    drifting = array.copy(data=array.values + 3 * np.random.default_rng(1).standard_normal((8, 200))[array["block"]])
    entry = encodings.DEFAULTS | {"level": level, "hold_out": "stimuli"}
    signals = []
    for recording in (array, drifting):
        index = np.tile(np.arange(60), 8)
        trials = Trials(recording.values, index, recording["block"].values, 60)
        settings = dict.fromkeys(encoding_rows.Explained.__dataclass_fields__) | {"entry": entry, "trials": trials}
        signals.append(encoding_rows._signal(encoding_rows.Explained(**settings)).sum(0))
    np.testing.assert_allclose(signals[0], signals[1], rtol=1e-9)
    true = ((drive - drive.mean(0)) ** 2).sum(0) * (1 if level == "means" else 8)
    assert np.mean(signals[0] / true) == pytest.approx(1, abs=0.02)


def test_results_of_a_unit_do_not_depend_on_the_others():
    array, grams, *_ = repeated(n=40, units=8)
    whole = encodings.encode(array, grams, MEANS, name="e")[1]
    few = encodings.encode(array[:, [5, 2]], grams, MEANS, name="e")[1]
    for name in ("scores", "unique", "weight"):
        np.testing.assert_allclose(whole[name].values[:, [5, 2]], few[name].values, atol=1e-8)


def test_slow_noise_is_not_explained_by_a_slow_coordinate_that_has_nothing_to_do_with_it():
    rng = np.random.default_rng(6)
    index = np.concatenate([rng.permutation(24) for _ in range(20)])
    n = len(index)
    values = np.column_stack([autocorrelated(n, 0.97, rng) for _ in range(30)])
    coordinate = autocorrelated(n, 0.97, rng)
    stimuli = np.array([f"s{k:02d}" for k in range(24)])
    array = recorded(values, stimuli[index], np.arange(n) // 24, pupil=coordinate)
    grams = {"tuning": layers(stimuli, one=rng.standard_normal((24, 3)))}
    entry = TRIALS | {"nuisance": {"pupil": {"coordinates": ["pupil"]}}, "gap": 20, "folds": 5}
    table = table_of(encodings.encode(array, grams, entry, name="e")[0])
    assert table.loc[("pupil", "unique", VARIANCE), "value"] < 0.02
    assert table.loc[("tuning", "unique", VARIANCE), "value"] < 0.01


@pytest.mark.parametrize(
    ("changed", "recording", "said"),
    [
        (
            {"bands": {"first": {"network": "n", "layer": "on"}}},
            {},
            "bands.first: unknown layer of 'n' 'on'; did you mean",
        ),
        ({"level": "trials"}, {"simultaneous": False}, "level: trials of units that were not recorded together"),
        (
            {"level": "trials", "nuisance": {"run": {"coordinates": ["runing"]}}},
            {"running": np.arange(240.0)},
            "nuisance.run: unknown coordinate of the presentations 'runing'; did you mean running",
        ),
        ({"level": "trials", "nuisance": {"slow": {"drift": 900}}}, {}, "nuisance.slow: a drift of 900 components"),
        ({"folds": 20, "bands": {"first": {"network": "n", "layer": "zero"}}}, {}, "'zero' responds alike to all"),
        (
            {"level": "trials", "nuisance": {"before": {"history": "first"}}},
            {},
            "nuisance.before: each stimulus always came 1 after the same other one",
        ),
        ({"level": "trials", "gap": 500}, {}, "gap: a gap of 500 presentations leaves nothing to train on"),
    ],
    ids=["layer", "pooled", "coordinate", "drift", "constant", "order", "gap"],
)
def test_what_a_recording_can_t_support_is_one_line_with_the_file_and_the_key(changed, recording, said):
    array, grams, features, _ = repeated(n=40, **recording)
    stimuli = grams["first"]["stimulus"].values
    grams = {"first": layers(stimuli, one=features[0], zero=np.ones((40, 2)))}
    entry = MEANS | {"bands": {"first": {"network": "n", "layer": "one"}}} | changed
    with pytest.raises(UserError) as caught:
        encodings.encode(array, grams, entry, name="mine")
    message = str(caught.value)
    assert message.startswith("config/encodings.yaml: mine: ") and said in message
    assert "\n" not in message


def test_few_stimuli_are_refused():
    array, grams, *_ = repeated(n=12)
    with pytest.raises(UserError, match="mine: hold_out: stimuli are held out, and recording 'r' has 12; this needs"):
        encodings.encode(array, grams, MEANS, name="mine")


GOOD = """
mine:
  recording: mouse
  level: trials
  bands:
    energy: {network: gabor_bank, layer: energy}
    other: {network: untrained, layer: stem, seed: 2}
  nuisance:
    running: {coordinates: [running_speed]}
    slow: {drift: 3, within: block}
    before: {history: energy, back: 1}
"""
CATALOGUES = {
    "recordings": """
mouse: {loader: simulated_orientation, stimuli: gratings, options: {seed: 0}}
blind: {loader: simulated_orientation, options: {seed: 0}}
""",
    "stimuli": "gratings: {renderer: gratings, options: {orientations: 8, pixels: 16}}\n",
    "networks": """
gabor_bank: &bank
  title: Bank
  architecture: gabor_bank
  training: none
  weights: none
  seeds: [0]
  preprocessing: {mode: grey, size: 16, mean: 0, divisor: 255}
  batch: 4
  block: 8
untrained: {<<: *bank, weights: random, seeds: [0, 2]}
""",
    "recoveries": "",
    "encodings": GOOD,
    "studies/one": "title: A study\nrecordings: [mouse]\nencodings: [mine]\nfigures: [partition, maps]\n",
}


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "config"
    (folder / "studies").mkdir(parents=True)
    for name, text in CATALOGUES.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_an_encoding_is_an_entry_that_a_study_selects(config):
    found = catalogue.load(config, TOP / "workflow/schemas")
    assert found.study("one")["encodings"] == ["mine"]
    assert found.encodings["mine"]["nuisance"]["before"] == {"history": "energy", "back": 1}


def test_a_folder_of_one_s_own_needs_no_encodings(config):
    (config / "encodings.yaml").unlink()
    (config / "studies/one.yaml").write_text("title: A study\nrecordings: [mouse]\n")
    assert catalogue.load(config, TOP / "workflow/schemas").encodings == {}


MISTAKES = [
    ("recording: mouse", "recording: mose", "mine: unknown recording 'mose'; did you mean mouse?"),
    ("network: gabor_bank", "network: gabor", "mine: unknown network 'gabor'; did you mean gabor_bank?"),
    ("seed: 2", "seed: 7", "mine: bands.other: 'untrained' has no seed 7, only [0, 2]"),
    ("layer: energy}", "layr: energy}", "mine.bands.energy: unknown key 'layr'; did you mean layer?"),
    ("level: trials", "level: trial", "mine.level: unknown value 'trial'; did you mean trials?"),
    ("level: trials", "level: means", "mine: nuisance: means over trials belong to no block and no time"),
    ("history: energy", "history: enrgy", "mine: unknown band in nuisance.before 'enrgy'; did you mean energy?"),
    ("running: {", "energy: {", "mine: nuisance.energy: there is a band of that name; rename one of them"),
    ("running: {", "shared: {", "mine.nuisance"),
    ("[running_speed]", "running_speed", "mine.nuisance.running.coordinates"),
    ("within: block", "within: blok", "mine.nuisance.slow.within: unknown value 'blok'; did you mean block?"),
    (
        "{network: gabor_bank, layer: energy}",
        "identity",
        "mine: bands.energy: which stimulus it is says nothing of others; use hold_out: blocks",
    ),
    (
        "{network: gabor_bank, layer: energy}",
        "identiy",
        "mine.bands.energy: unknown value 'identiy'; did you mean ident",
    ),
    ("  level:", "  folds: 1\n  level:", "mine.folds"),
    ("  level:", "  fold: 5\n  level:", "mine: unknown key 'fold'; did you mean folds"),
    ("recording: mouse", "recording: blind", "recording 'blind' has no stimuli that a network"),
]


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES, ids=[new for _, new, _ in MISTAKES])
def test_a_mistake_in_an_encoding_is_one_line_while_planning(config, old, new, said):
    text = (config / "encodings.yaml").read_text()
    assert old in text
    (config / "encodings.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(UserError) as caught:
        catalogue.load(config, TOP / "workflow/schemas")
    message = str(caught.value)
    assert message.startswith(f"{config}/encodings.yaml: ")
    assert said in message
    assert "\n" not in message and len(message) < 400


def test_a_study_that_names_no_such_encoding_or_draws_none_is_told_so(config):
    path = config / "studies/one.yaml"
    path.write_text(path.read_text().replace("[mine]", "[mne]"))
    with pytest.raises(UserError, match="one.yaml: unknown encoding 'mne'; did you mean mine?"):
        catalogue.load(config, TOP / "workflow/schemas")
    path.write_text(path.read_text().replace("encodings: [mne]\n", ""))
    with pytest.raises(UserError, match="figure 'partition' needs encodings; select some, or leave the figure out"):
        catalogue.load(config, TOP / "workflow/schemas")


def test_on_mouse_v1_the_explainable_variance_is_that_of_the_file_and_pixels_explain_more_than_shuffled_ones(real_data):
    folder = real_data / "antolik2016_mouse_v1/region1"
    names = ("raw_validation_set.npy", "validation_set.npy", "validation_inputs.npy")
    array = antolik2016.ingest({name: folder / name for name in names[:2]}, about=ABOUT)
    images = np.load(folder / names[2])
    stimuli = np.unique(array.coords["stimulus"].values)
    entry = MEANS | {"bands": {"pixels": {"network": "n", "layer": "one"}}}
    rows, details = encodings.encode(array, {"pixels": layers(stimuli, one=images)}, entry, name="e")
    raw = np.load(folder / names[0])
    # Equation 1 of Schoppe et al. 2016.
    power = raw.sum(0).var(0, ddof=1) - raw.var(1, ddof=1).sum(0)
    expected = power / (len(raw) * (len(raw) - 1)) / raw.mean(0).var(0, ddof=1)
    np.testing.assert_allclose(details["explainable"], expected, atol=1e-6)
    other = layers(stimuli, one=images[np.random.default_rng(0).permutation(50)])
    control = encodings.encode(array, {"pixels": other}, entry, name="e")[1]
    score = [float(found["scores"].sel(score="ccnorm").median()) for found in (details, control)]
    assert score[0] > score[1]
