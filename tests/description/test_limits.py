"""Information limits: planted ones are recovered, none is told where there cannot be one."""

import numpy as np
import pytest
from trials import one_line, recording

from neurocompare.description import limits
from neurocompare.errors import UserError
from neurocompare.recordings import simulated_orientation

LIMIT = "limits-target=orientation-decoder=von-mises"


def limit_rows(rows):
    return [row for row in rows if row["quantity"] == "information limit"]


@pytest.mark.parametrize("planted", [0.0, 4.0])
def test_a_planted_limit_is_recovered(planted):
    array, _ = simulated_orientation.simulate(neurons=256, trials=512, seed=3, limit_degrees=planted, event_size=0.1)
    rows, details = limits.describe(array, LIMIT, seed=0)
    assert [row["condition"].split(";")[0] for row in limit_rows(rows)] == ["split=interleaved", "split=chronological"]
    for row in limit_rows(rows):
        # One interval in twenty may miss the truth, by little; how often they do took a simulation of its own.
        slack = 0.25 * (row["ci_high"] - row["ci_low"])
        assert row["ci_low"] - slack <= planted <= row["ci_high"] + slack
        if planted:
            assert row["value"] == pytest.approx(planted, rel=0.25)
        else:
            assert row["status"] == "not_resolved"
    error = details.error.sel(split="interleaved")
    assert np.all(np.diff(error.sel(trials=384)) > 0)
    assert error.values[0, -1] > error.values[0, 0]
    # What is left of the error with all neurons and trials is no estimate of the limit.
    assert error.values[0, 0] / 0.6745 > 1.05 * max(row["value"] for row in limit_rows(rows))


def test_asymptotes_of_the_curve_stand_beside_it():
    array, _ = simulated_orientation.simulate(neurons=160, trials=320, seed=0)
    rows, details = limits.describe(array, LIMIT, seed=0)
    for varied in ("neurons", "trials"):
        condition = f"split=interleaved;fit=alpha+beta/sqrt({varied})"
        (row,) = [row for row in rows if row["condition"] == condition]
        alpha, beta = details.asymptote.sel(split="interleaved", varied=varied).values
        assert row["value"] == pytest.approx(alpha)
        assert beta > 0
        assert row["ci_low"] < row["value"] < row["ci_high"]


def orientations(n, p, angle, **attributes):
    rng = np.random.default_rng(0)
    return recording(rng.random((n, p)), coordinates={"orientation": angle}, **attributes)


@pytest.mark.parametrize(
    ("n", "p", "count", "attributes", "status"),
    [
        (400, 12, 400, {}, "too_few_units"),
        (100, 150, 100, {}, "too_few_trials"),
        (400, 150, 8, {}, "few_orientations"),
        (400, 150, 400, {"simultaneous": False}, "not_simultaneous"),
        (400, 150, 400, {"block": np.zeros(400, dtype=int)}, "one_block"),
    ],
)
def test_no_asymptote_is_told_of_recordings_without_one(n, p, count, attributes, status):
    angle = np.arange(n) % count * 180 / count
    rows, _ = limits.describe(orientations(n, p, angle, **attributes), LIMIT, seed=0)
    split = "chronological" if status == "one_block" else ""
    assert {row["status"] for row in rows if split in row["condition"]} == {status}
    assert all(np.isnan(row["value"]) for row in rows if split in row["condition"])


def test_noise_is_too_noisy():
    rows, _ = limits.describe(orientations(300, 130, np.arange(300) * 0.6), LIMIT, seed=0)
    assert {row["status"] for row in limit_rows(rows)} == {"too_noisy"}


def test_refusals_are_one_line():
    with pytest.raises(UserError) as error:
        limits.describe(
            orientations(300, 130, np.arange(300) * 0.6), "limits-target=orientation-decoder=linear", seed=0
        )
    assert "'linear'" in one_line(error)
    with pytest.raises(UserError) as error:
        limits.describe(orientations(300, 130, np.arange(300) * 0.6).drop_vars("orientation"), LIMIT, seed=0)
    assert "coordinate 'orientation'" in one_line(error)
