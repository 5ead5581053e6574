"""Intrinsic time scales of recordings: planted ones, and refusals."""

import numpy as np
import pytest
from trials import one_line, recording

from neurocompare.description import timescales
from neurocompare.errors import UserError

ID = "timescales-fit=exponential"
TIME = -0.7 + 0.05 * np.arange(30)


def fluctuating(tau, n=400, seed=0, **attributes):
    """Units with a time scale of τ around courses that two stimuli have."""
    rng = np.random.default_rng(seed)
    keep = np.exp(-0.05 / np.asarray(tau))
    x = np.empty((n, 30, len(tau)))
    x[:, 0] = rng.standard_normal((n, len(tau)))
    for t in range(1, 30):
        x[:, t] = keep * x[:, t - 1] + np.sqrt(1 - keep**2) * rng.standard_normal((n, len(tau)))
    x += 0.7 * rng.standard_normal(x.shape)
    which = np.arange(n) % 2
    x += 4 * rng.standard_normal((2, 30, len(tau)))[which]
    return recording(x, time=TIME, stimulus=np.array(["a", "b"])[which], **attributes)


def test_planted_time_scales_are_found_whatever_stimuli_do():
    tau = np.array([0.08] * 6 + [0.25] * 6)
    rows, details = timescales.describe(fluctuating(tau), ID, seed=0)
    found = details["time_scale"].values
    assert np.median(found[:6]) == pytest.approx(0.08, rel=0.2)
    assert np.median(found[6:]) == pytest.approx(0.25, rel=0.2)
    rows = {row["quantity"]: row for row in rows}
    assert rows["units with a time scale"]["value"] == 1
    row = rows["intrinsic time scale of the mean"]
    assert row["ci_low"] < row["value"] < row["ci_high"] and row["unit"] == "s"
    # Times before the onset only.
    rows, details = timescales.describe(fluctuating([0.1] * 10), f"{ID}-window=before", seed=0)
    assert details["lag"].values[-1] < 0.7
    assert rows[1]["value"] == pytest.approx(0.1, rel=0.25)


def test_white_noise_has_no_time_scale_that_lasts():
    x = np.random.default_rng(1).standard_normal((200, 30, 5))
    rows, details = timescales.describe(recording(x, time=TIME), ID, seed=0)
    found = details["time_scale"].values
    amplitude = np.abs(details["autocorrelation"].values).max()
    assert amplitude < 0.1 and (~np.isfinite(found) | (found < 1.5)).all()


def test_refusals():
    array = fluctuating([0.1, 0.2], n=40)
    alone = array.assign_coords(stimulus=("presentation", [f"s{i}" for i in range(40)]))
    cases = [
        (array.isel(time=0, drop=True), ID, "bin_width"),
        (array.isel(time=slice(0, 4)), ID, "6"),
        (array.isel(time=[0, 1, 3, 4, 7, 8, 9]), ID, "equal"),
        (array.isel(time=slice(14, None)), f"{ID}-window=before", "before 0"),
        (array.assign_attrs(average="trials"), ID, "single trials"),
        (alone, ID, "same stimulus"),
        (array, "timescales-fit=gamma", "gamma"),
    ]
    for broken, description, part in cases:
        with pytest.raises(UserError) as caught:
            timescales.describe(broken, description, seed=0)
        assert part in one_line(caught), part
