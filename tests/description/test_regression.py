"""Regression on task variables: planted coefficients, significance by shuffling, drifts between blocks."""

import numpy as np
import pytest
from conftest import ABOUT
from sklearn.linear_model import LinearRegression
from trials import one_line, recording

from neurocompare.description import regression
from neurocompare.errors import UserError
from neurocompare.recordings import mante2013

TASK = "regression-on=choice+motion+color+context"
TIME = np.array([0.1, 0.2, 0.3, 0.4, 0.5])


def task(rng, n=400):
    """Variables of trials in which the choice follows the relevant evidence, with errors."""
    context = np.array(["color", "motion"])[rng.integers(2, size=n)]
    motion, color = rng.choice([-0.5, -0.15, -0.05, 0.05, 0.15, 0.5], (2, n))
    drive = np.where(context == "motion", motion, color) + 0.15 * rng.standard_normal(n)
    return {"choice": np.where(drive > 0, 1, -1), "motion": motion, "color": color, "context": context}


def row_of(rows, quantity, variable):
    (row,) = [r for r in rows if r["quantity"] == quantity and r["condition"].startswith(f"variable={variable};")]
    return row


def test_least_squares_and_their_t_statistics_are_the_usual_ones():
    rng = np.random.default_rng(0)
    design = np.column_stack([rng.standard_normal((50, 3)), np.ones(50)])
    values = rng.standard_normal((50, 7)) + design[:, :1]
    coefficient, statistic = regression.regressed(design, values)
    model = LinearRegression().fit(design[:, :3], values)
    np.testing.assert_allclose(coefficient, model.coef_.T, atol=1e-10)
    residual = values - model.predict(design[:, :3])
    covariance = np.linalg.inv(design.T @ design)
    error = np.sqrt((residual**2).sum(0) / 46 * np.diag(covariance)[:3, None])
    np.testing.assert_allclose(statistic, coefficient / error, atol=1e-8)


def test_planted_coefficients_fractions_and_times():
    """A third of the units each for motion at 0.2 s, for choice at 0.5 s, and for nothing."""
    rng = np.random.default_rng(1)
    variables = task(rng)
    values = rng.standard_normal((400, 5, 30))
    values[:, 1, :10] += 2 * variables["motion"][:, None] / 0.5
    values[:, 4, 10:20] += 1.0 * variables["choice"][:, None]
    rows, details = regression.describe(recording(values, time=TIME, coordinates=variables), TASK, seed=0)
    motion, choice, color = (row_of(rows, "fraction of significant units", v) for v in ("motion", "choice", "color"))
    assert motion["value"] == pytest.approx(1 / 3, abs=0.1) and choice["value"] == pytest.approx(1 / 3, abs=0.1)
    assert motion["p_value"] < 0.01 and choice["p_value"] < 0.01
    assert motion["ci_low"] < 1 / 3 < motion["ci_high"]
    assert color["value"] < 0.15 and color["null_mean"] == pytest.approx(0.05, abs=0.01)
    assert row_of(rows, "time of largest coefficient", "motion")["value"] == 0.2
    assert row_of(rows, "time of largest coefficient", "choice")["value"] == 0.5
    # Coefficients are in units of the standard deviation over trials and times.
    planted = 2 / np.sqrt(values[:, :, 0].var())
    assert details.coefficient.sel(variable="motion", time=0.2).values[:10].mean() == pytest.approx(planted, rel=0.1)
    assert np.all(details.p_value.sel(variable="motion").values[:10] < 0.05)


def test_a_variable_is_not_mistaken_for_another_that_it_goes_with():
    """Units follow the motion only, which the choice correlates with: no more than one in twenty for the choice."""
    rng = np.random.default_rng(2)
    variables = task(rng, n=600)
    values = rng.standard_normal((600, 200)) + 2 * variables["motion"][:, None]
    rows, _ = regression.describe(recording(values, coordinates=variables), TASK, seed=0)
    assert row_of(rows, "fraction of significant units", "motion")["value"] == 1
    assert row_of(rows, "fraction of significant units", "choice")["value"] < 0.12
    assert "time of largest coefficient" not in {row["quantity"] for row in rows}


def test_drift_between_blocks_is_not_taken_for_a_context_that_comes_in_blocks():
    rng = np.random.default_rng(3)
    variables = task(rng, n=400)
    block = np.arange(400) // 20
    variables["context"] = np.where(block % 2, "motion", "color")
    values = rng.standard_normal((400, 100)) + rng.standard_normal((20, 100))[block]
    rows, _ = regression.describe(recording(values, block=block, coordinates=variables), TASK, seed=0)
    assert row_of(rows, "fraction of significant units", "context")["value"] < 0.15
    values += np.where(block % 2, 1.5, -1.5)[:, None]
    rows, _ = regression.describe(recording(values, block=block, coordinates=variables), TASK, seed=0)
    assert row_of(rows, "fraction of significant units", "context")["value"] > 0.9


def test_in_a_pool_a_variable_that_comes_in_blocks_has_no_null():
    rng = np.random.default_rng(0)
    lost = {"simultaneous": False, "constant_in_blocks": "context"}
    array = recording(rng.standard_normal((400, 5)), coordinates=task(rng), **lost)
    rows, details = regression.describe(array, "regression-on=choice+context", seed=0)
    lost = row_of(rows, "fraction of significant units", "context")
    assert np.isnan(lost["value"]) and lost["status"] == "constant_in_blocks"
    assert np.isnan(details.p_value.sel(variable="context")).all()
    assert np.isnan(row_of(rows, "largest coefficient", "context")["p_value"])
    assert np.isfinite(row_of(rows, "fraction of significant units", "choice")["value"])


def test_coding_of_variables():
    array = recording(
        np.ones((6, 1)),
        coordinates={"context": np.array(list("aabbab")), "choice": [0, 1, 0, 1, 1, 0], "motion": [-4, 2, 1, 3, 4, 0]},
    )
    design = regression.design_matrix(array, ["context", "choice", "motion"], TASK)
    np.testing.assert_array_equal(design[:, 0], [-1, -1, 1, 1, -1, 1])
    np.testing.assert_array_equal(design[:, 1], [-1, 1, -1, 1, 1, -1])
    np.testing.assert_array_equal(design[:, 2], np.array([-4, 2, 1, 3, 4, 0]) / 4)
    np.testing.assert_array_equal(design[:, 3], 1)


def test_trials_that_may_not_be_shuffled_and_constant_units():
    rng = np.random.default_rng(4)
    values = rng.standard_normal((100, 3))
    values[:, 1] = 7
    array = recording(values, coordinates=task(rng, n=100), exchangeable="none")
    rows, details = regression.describe(array, TASK, seed=0)
    assert row_of(rows, "fraction of significant units", "motion")["status"] == "undefined"
    assert row_of(rows, "largest coefficient", "motion")["status"] == "no_null;no_ceiling"
    assert details.unit.values.tolist() == ["u0", "u2"] and rows[0]["n_units"] == 2


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("regression-on=choice+moton", "did you mean motion"),
        ("regression-on=choice+choice", "name each variable once"),
        ("regression-by=choice", "must read regression-on=…"),
        ("regression-on=choice+copy", "choice, copy are not independent.*drop one"),
        ("regression-on=choice+kind", "'kind' has 3 values that are no numbers"),
    ],
)
def test_refusals(identifier, words):
    rng = np.random.default_rng(5)
    variables = task(rng, n=90)
    variables |= {"copy": 3 * variables["choice"], "kind": np.array(["a", "b", "c"] * 30)}
    with pytest.raises(UserError, match=words) as error:
        regression.describe(recording(rng.random((90, 2)), coordinates=variables), identifier, seed=0)
    one_line(error)


def test_averages_and_too_few_trials_are_refused():
    rng = np.random.default_rng(6)
    with pytest.raises(UserError, match="single trials"):
        regression.describe(recording(rng.random((90, 2)), coordinates=task(rng, 90), average="yes"), TASK, seed=0)
    few = {"choice": [0, 1, 0, 1], "motion": [1, 1, 2, 2]}
    with pytest.raises(UserError, match="4 trials are too few for 2 variables"):
        regression.describe(recording(rng.random((4, 2)), coordinates=few), "regression-on=choice+motion", seed=0)


def test_a_unit_of_prefrontal_cortex_follows_the_choice(real_data):
    path = real_data / "mante2013_pfc" / "ar090313_1_a3_Vstim_100_850_ms.mat"
    array = mante2013.ingest({path.name: path}, about=ABOUT, bin_width=0.05)
    rows, details = regression.describe(array, TASK, seed=0)
    assert row_of(rows, "fraction of significant units", "choice")["value"] == 1
    # The choice builds up until the end of the dots, as in the paper.
    assert row_of(rows, "time of largest coefficient", "choice")["value"] > 0.6
    coefficient = np.abs(details.coefficient.sel(variable="choice").values[:, 0])
    assert coefficient[-3:].mean() > 3 * coefficient[:3].mean()
