"""The simulated world is what it is said to be, and its summaries count what they say they count."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from scipy import stats

from neurocompare import similarity, yamlfiles
from neurocompare.calibration import outcomes, summary, world
from neurocompare.calibration.world import Cell
from neurocompare.errors import UserError
from neurocompare.figures import calibration as figure

TOP = Path(__file__).resolve().parents[2]
CKA = "cka-kernel=linear-hsic=song"
SMALL = Cell(stimuli=20, animals=3, repeats=4, snr=0.5)


def test_cells_are_read_from_their_ids():
    cell = Cell(118, 5, 10, 0.05, 0.3)
    assert cell.name == "stimuli=118-animals=5-repeats=10-snr=0.05-spread=0.3"
    assert Cell.parse(cell.name) == cell
    assert summary.varied(cell, "repeats", 2) == Cell(118, 5, 2, 0.05, 0.3)


@pytest.mark.parametrize("single_trials", [False, True])
def test_recordings_have_the_signal_and_the_noise_that_the_cell_says(single_trials):
    cell = Cell(stimuli=400, animals=2, repeats=5, snr=0.2)
    weights = world.animals(cell, world.stream(cell, "animals"))
    np.testing.assert_allclose((weights**2).sum(1), 1)
    models, recorded = world.recording(cell, weights, world.stream(cell, "x"), single_trials=single_trials)
    assert len(models) == 3
    assert len(recorded) == 2
    signal = np.hstack([models.units[0][:, :10], models.units[1][:, 10:]]) @ weights
    noise = np.array(recorded.units) - signal
    # 48,000 values, of which neighbours share little.
    assert signal.var() == pytest.approx(1, rel=0.05)
    assert noise.var() == pytest.approx(1 / (0.2 * 5), rel=0.05)
    shared = np.corrcoef(noise[0].T)[np.triu_indices(world.UNITS, 1)]
    assert np.sqrt(np.mean(shared**2)) == pytest.approx(world.SHARED / np.sqrt(2), rel=0.2)
    if single_trials:
        assert recorded.trials[0].values.shape == (2000, world.UNITS)
        np.testing.assert_allclose(recorded.trials[1].mean(), recorded.units[1])
        residual = recorded.trials[0].values - recorded.trials[0].mean()[recorded.trials[0].stimulus]
        assert residual.var() * 5 / 4 == pytest.approx(5, rel=0.05)


def test_mirrored_animals_know_no_better_model():
    cell = Cell(stimuli=500, animals=1, repeats=1, snr=1e6)
    for mirrored in (True, False):
        weights = world.animals(cell, world.stream(cell, "animals"), mirrored=mirrored)
        twins = np.roll(weights.reshape(1, 2, 10, 60)[:, ::-1].reshape(1, 20, 60), 30, axis=2)
        models, recorded = world.recording(cell, weights, world.stream(cell, "x"), single_trials=False)
        scorer = similarity.load(CKA)
        first, second, unrelated = scorer.scores(scorer.reduced(models), scorer.reduced(recorded))[0]
        assert abs(unrelated) < 0.03
        if mirrored:
            np.testing.assert_allclose(twins, weights)
            assert first == pytest.approx(second, abs=0.03)
        assert first > 0.4


def test_seeds_are_those_of_the_cell_and_of_nothing_else():
    numbers = dict(new_animals=3, same_animals=2, draws=30, shuffles=19)
    found = outcomes.outcomes(SMALL, CKA, **numbers)
    xr.testing.assert_identical(found, outcomes.outcomes(SMALL, CKA, **numbers))
    more = outcomes.outcomes(SMALL, CKA, **numbers | {"new_animals": 4})
    np.testing.assert_array_equal(found["new"], more["new"][:3])
    np.testing.assert_array_equal(found["p_value"], more["p_value"][:3])
    other = outcomes.outcomes(summary.varied(SMALL, "snr", 0.4), CKA, **numbers)
    assert not np.isclose(found["new"][..., 0], other["new"][..., 0]).any()


@pytest.mark.parametrize(
    "measure", [CKA, "rsa-distance=correlation-compare=spearman", "rsa-distance=crossnobis-noise=none-compare=cosine"]
)
def test_intervals_and_tests_of_a_small_recording_are_calibrated(measure):
    cell = Cell(stimuli=24, animals=5, repeats=4, snr=0.5)
    found = outcomes.outcomes(cell, measure, new_animals=100, same_animals=100, draws=40, shuffles=39)
    rows = {row["statistic"]: row["value"] for row in summary.calibration(found)}
    # Standard errors of 0.02: these catch what is wrong, not what is a little off.
    assert rows["rejection: unrelated model"] < 0.13
    assert stats.kstest(found["p_value"].values, "uniform").pvalue > 1e-3
    for claim in ("new stimuli", "new stimuli and animals"):
        assert rows[f"coverage: {claim}"] > 0.87
        assert rows[f"rejection: equal models, {claim}"] < 0.13
        for target in ("score", "difference"):
            assert 0.8 < rows[f"standard error / deviation of {target}, {claim}"] < 1.3
    assert rows["rejection: equal models, new stimuli and animals, animals forgotten"] > 0.15


def test_a_single_animal_makes_no_claim_about_others():
    found = outcomes.outcomes(Cell(20, 1, 4, 0.5), CKA, new_animals=4, same_animals=3, draws=30, shuffles=19)
    assert found.sizes["claim"] == 0
    assert np.isfinite(found["p_value"]).all()
    names = {row["statistic"] for row in summary.calibration(found)}
    assert not [name for name in names if "animals" in name]
    assert summary.power(found)["claim"] == "stimuli"


def made(cell, value, error, degrees=30.0, p_values=(), measure=CKA):
    """Outcomes as they would be read from a file."""
    entry = np.stack(np.broadcast_arrays(value, error, degrees), axis=-1).astype(float)
    both = np.stack([entry, entry], axis=1)
    return xr.Dataset(
        {
            "new": (("recording", "claim", "target", "quantity"), np.stack([both, both], axis=1)),
            "p_value": ("recording", np.resize(np.array(p_values, dtype=float), len(both))),
            "same": (("other_recording", "target", "quantity"), both),
        },
        coords={
            "claim": list(outcomes.CLAIMS),
            "target": list(outcomes.TARGETS),
            "quantity": list(outcomes.QUANTITIES),
        },
        attrs={"cell": cell.name, "measure": measure},
    )


def test_what_is_promised_is_counted():
    cell = Cell(50, 5, 10, 0.2)
    value = np.repeat([1.0, -1.0, 3.0, -3.0], [46, 46, 4, 4])
    found = made(cell, value, 1.0, 1e6, p_values=np.repeat([0.04, 0.5], [5, 95]))
    rows = {row["statistic"]: row for row in summary.calibration(found)}
    assert rows["rejection: unrelated model"]["value"] == pytest.approx(0.05)
    assert rows["rejection: unrelated model"]["within"] == "yes"
    assert rows["coverage: new stimuli"]["value"] == pytest.approx(0.92)
    assert rows["coverage: new stimuli"]["monte_carlo_error"] == pytest.approx(np.sqrt(0.92 * 0.08 / 100))
    assert rows["rejection: equal models, new stimuli"]["value"] == pytest.approx(0.08)
    assert rows["rejection: equal models, new stimuli"]["within"] == "no"
    assert rows["coverage: new stimuli and animals"]["low"] == 0.92
    assert rows["standard error / deviation of score, new stimuli"]["value"] == pytest.approx(1 / value.std(ddof=1))
    assert all(row["n_data_sets"] == 100 for row in rows.values())
    few = {row["statistic"]: row for row in summary.calibration(made(Cell(50, 3, 10, 0.2), value, 1.0))}
    assert few["coverage: new stimuli and animals"]["low"] == 0.90
    assert few["coverage: new stimuli"]["low"] == 0.92


@pytest.mark.parametrize("degrees", [4.0, 1e6])
def test_power_is_that_of_a_test_of_a_normal_difference(degrees):
    rng = np.random.default_rng(0)
    error = 0.03 * np.sqrt(rng.chisquare(min(degrees, 1e4), 20_000) / min(degrees, 1e4))
    found = summary.power(made(Cell(50, 5, 10, 0.2), 0.03 * rng.standard_normal(20_000), error, degrees))
    for true in summary.DIFFERENCES:
        critical = stats.t.ppf(0.975, degrees)
        expected = stats.nct.sf(critical, min(degrees, 1e4), true / 0.03)
        assert found[f"power_{true:g}"] == pytest.approx(expected, abs=0.015)
    smallest = stats.nct.sf(stats.t.ppf(0.975, degrees), min(degrees, 1e4), found["smallest_difference"] / 0.03)
    assert smallest == pytest.approx(0.8, abs=0.015)
    assert found["claim"] == "stimuli and animals"


def test_rows_of_the_base_are_at_its_place_in_every_factor():
    base = Cell(50, 5, 10, 0.2)
    value = np.array([1.0, -1.0])
    cells = [base, summary.varied(base, "stimuli", 20), summary.varied(base, "animals", 2)]
    found = [made(cell, value, 1.0, p_values=[0.5]) for cell in cells]
    table, powers = summary.tables(found, base, {"stimuli": [20], "animals": [2]})
    assert list(table.columns) == summary.COLUMNS
    assert list(powers.columns) == summary.POWER_COLUMNS
    levels = table.groupby("factor")["level"].unique()
    assert sorted(levels["stimuli"]) == [20, 50]
    assert sorted(levels["animals"]) == [2, 5]
    assert len(powers) == 3


def test_the_figure_shows_all_statistics_and_is_the_same_each_time(tmp_path):
    base = Cell(50, 5, 10, 0.2)
    value = np.random.default_rng(0).standard_normal(100)
    cells = [base, summary.varied(base, "stimuli", 20), summary.varied(base, "animals", 2)]
    found = [made(cell, value, 1.0, p_values=[0.5, 0.01], measure=m) for cell in cells for m in (CKA, "procrustes")]
    table, _ = summary.tables(found, base, {"stimuli": [20], "animals": [2]})
    for name in ("a.svg", "b.svg"):
        figure.draw(table, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert len((tmp_path / "a.svg").read_bytes()) > 10_000
    figure.draw(table[table["measure"] == CKA], tmp_path / "c.svg")


SCHEMA = TOP / "workflow/schemas/calibrations.schema.json"


def test_the_rules_name_cells_as_the_library_does():
    text = (TOP / "workflow/rules/inputs_calibration.smk").read_text()
    (body,) = re.findall(r"^def cell_name.*?\n\n\n", text, re.MULTILINE | re.DOTALL)
    (factors,) = re.findall(r"^CALIBRATED_FACTORS = (.*)$", text, re.MULTILINE)
    names = {"CALIBRATED_FACTORS": yaml.safe_load(factors.replace("(", "[").replace(")", "]"))}
    exec(body, names)
    for cell in (Cell(118, 5, 10, 0.2), Cell(20, 1, 50, 0.05, 0.0), Cell(200, 8, 2, 1.0, 0.3)):
        sizes = {factor: getattr(cell, factor) for factor in summary.FACTORS}
        assert names["cell_name"](sizes) == cell.name
    assert tuple(names["CALIBRATED_FACTORS"]) == summary.FACTORS


def test_calibrations_fit_their_schema_and_their_measures_exist():
    found = yamlfiles.read(TOP / "config/calibrations.yaml", SCHEMA)
    assert set(found) == {"calibration", "calibration_quick"}
    for design in found.values():
        for measure in [*design["measures"], *design["sizes"]["measures"]]:
            similarity.load(measure)
    full = found["calibration"]
    assert full["data_sets"]["new_animals"] >= 2000
    assert full["data_sets"]["same_animals"] >= 1000
    assert full["base"] | {"spread": 0} == {"stimuli": 118, "animals": 5, "repeats": 10, "snr": 0.2, "spread": 0}
    every = full["measures"][CKA]
    for factor, ends in {"stimuli": (20, 200), "animals": (1, 8), "repeats": (2, 50), "snr": (0.05, 1)}.items():
        assert (min(every[factor]), max(every[factor])) == ends


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bases": {}}, "unknown key 'bases'; did you mean base "),
        ({"draws": 5}, "draws: 5 is less than the minimum of 20"),
        ({"base": {"stimuli": 118, "animals": 0, "repeats": 2, "snr": 1, "spread": 0}}, "animals: 0 is less than"),
    ],
)
def test_mistakes_in_a_calibration_are_told_in_one_line(tmp_path, change, said):
    design = yaml.safe_load((TOP / "config/calibrations.yaml").read_text())["calibration_quick"]
    path = tmp_path / "calibrations.yaml"
    path.write_text(yaml.safe_dump({"mine": design | change}))
    with pytest.raises(UserError) as refused:
        yamlfiles.read(path, SCHEMA)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "mine" in str(refused.value)


def test_tables_are_written_and_read_as_they_are(tmp_path):
    from neurocompare import tables

    base = Cell(50, 5, 10, 0.2)
    table, powers = summary.tables([made(base, np.array([1.0, -1.0]), 1.0, p_values=[0.5])], base, {"snr": []})
    tables.write(table, summary.COLUMNS, tmp_path / "calibration.tsv")
    tables.write(powers, summary.POWER_COLUMNS, tmp_path / "power.tsv")
    pd.testing.assert_series_equal(tables.read(tmp_path / "calibration.tsv")["value"], table["value"], atol=1e-9)
    assert len(tables.read(tmp_path / "power.tsv")) == 1
