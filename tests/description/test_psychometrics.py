"""Psychometrics: planted observers, exact derivatives, and the monkeys' published thresholds."""

import numpy as np
import pytest
from conftest import ABOUT
from scipy.io import loadmat
from trials import one_line, recording

from neurocompare.description import psychometric_curves as curves
from neurocompare.description import psychometrics
from neurocompare.errors import UserError
from neurocompare.recordings import boucher2023, mante2013

COHERENCES = np.array([-50, -25, -12, -6, -3, 3, 6, 12, 25, 50.0])
PLAIN = "psychometrics-of=choice-by=coherence"


def observer(rng, n=20_000, *, bias=2.0, steepness=0.15, lapse=0.03, n_blocks=20, **coordinates):
    x = rng.choice(COHERENCES, n)
    share = lapse + (1 - 2 * lapse) / (1 + np.exp(-steepness * (x - bias)))
    choice = np.where(rng.random(n) < share, "right", "left")
    times = 0.4 + 0.2 * np.exp(-np.abs(x) / 10) + 0.02 * rng.standard_normal(n)
    return recording(
        rng.random((n, 1)),
        block=np.arange(n) * n_blocks // n,
        coordinates={"coherence": x, "choice": choice, "reaction_time": times} | coordinates,
    )


def values(rows):
    return {row["quantity"]: row for row in rows}


@pytest.mark.parametrize("function", [curves.logistic, curves.weibull])
def test_derivatives_are_those_of_finite_differences(function):
    rng = np.random.default_rng(0)
    x, parameters = np.array([0.05, 0.2, 0.5, 1.0]), rng.normal(0, 0.7, (6, 3))
    _, gradient = function(x, parameters)
    for k in range(3):
        shift = np.zeros(3)
        shift[k] = 1e-6
        numeric = (function(x, parameters + shift)[0] - function(x, parameters - shift)[0]) / 2e-6
        np.testing.assert_allclose(gradient[..., k], numeric, atol=1e-7)


def test_planted_observers_are_found_in_one_call():
    """Expected counts of three observers, so that the fit has to be exact."""
    planted = np.array([[0.0, 0.1, 0.0001], [-4.0, 0.3, 0.05], [3.0, -0.2, 0.1]])
    share = [lapse + (1 - 2 * lapse) / (1 + np.exp(-s * (COHERENCES - b))) for b, s, lapse in planted]
    shown = np.full((3, 10), 1e5)
    found = curves.fit_logistic(COHERENCES, np.array(share) * shown, shown)
    np.testing.assert_allclose(found[:, :3], planted, atol=2e-3)
    np.testing.assert_allclose(found[:, 3], (1 - 2 * found[:, 2]) * found[:, 1] / 4)
    x = np.array([2, 5, 10, 20, 50.0])
    planted = np.array([[8.0, 1.2, 0.0001], [15.0, 2.0, 0.04]])
    share = [1 - la - (0.5 - la) * np.exp(-((x / a) ** b)) for a, b, la in planted]
    shown = np.full((2, 5), 1e5)
    found = curves.fit_weibull(x, np.array(share) * shown, shown)
    np.testing.assert_allclose(found[:, :3], planted, rtol=5e-3, atol=2e-3)
    # Without lapses the criterion is met at alpha; with lapses later.
    assert found[0, 3] == pytest.approx(8, rel=5e-3) and found[1, 3] > 15.5


def test_rows_of_a_planted_observer_and_their_intervals():
    rows, details = psychometrics.describe(observer(np.random.default_rng(1)), PLAIN, seed=0)
    found = values(rows)
    for quantity, truth in (("bias", 2), ("lapse rate", 0.03), ("slope at bias", 0.94 * 0.15 / 4)):
        row = found[quantity]
        assert row["ci_low"] - 0.2 * abs(truth) < truth < row["ci_high"] + 0.2 * abs(truth)
        assert row["value"] == pytest.approx(truth, rel=0.25)
    threshold = found["threshold"]
    assert "criterion=0.816" in threshold["condition"] and "resampled=blocks" in threshold["condition"]
    assert threshold["ci_low"] < threshold["value"] < threshold["ci_high"]
    assert found["threshold, mean of blocks"]["value"] == pytest.approx(threshold["value"], rel=0.15)
    times = {row["condition"].split(";")[0]: row["value"] for row in rows if row["quantity"] == "median reaction time"}
    assert times["evidence=weakest"] == pytest.approx(0.4 + 0.2 * np.exp(-0.3), abs=0.005)
    assert times["evidence=strongest"] == pytest.approx(0.4 + 0.2 * np.exp(-5), abs=0.005)
    assert details.attrs["choice"] == "right"
    chosen = details.chosen.sel(given="all")
    assert np.all(chosen.sel(bound="low") < chosen.sel(bound="value"))
    assert float(details.n_trials.sum()) == 20_000


def test_intervals_cover_as_often_as_they_say(monkeypatch):
    """The bias of 25 small observers; 95 % intervals miss it about once."""
    monkeypatch.setattr(psychometrics, "BOOTSTRAPS", 200)
    covered = 0
    for k in range(25):
        array = observer(np.random.default_rng(100 + k), n=1500, n_blocks=1)
        row = values(psychometrics.describe(array, PLAIN, seed=k)[0])["bias"]
        covered += row["ci_low"] <= 2 <= row["ci_high"]
    assert covered >= 20


def test_sessions_of_different_biases_are_resampled_as_wholes():
    """Biases of whole sessions scatter: an interval over trials would be far too narrow."""
    rng = np.random.default_rng(2)
    n, block = 20_000, np.arange(20_000) * 20 // 20_000
    bias = rng.normal(0, 6, 20)[block]
    x = rng.choice(COHERENCES, n)
    choice = (rng.random(n) < 1 / (1 + np.exp(-0.15 * (x - bias)))).astype(int)
    widths = []
    for blocks in (block, np.zeros(n, dtype=int)):
        array = recording(rng.random((n, 1)), block=blocks, coordinates={"coherence": x, "choice": choice})
        row = values(psychometrics.describe(array, PLAIN, seed=0)[0])["bias"]
        widths.append(row["ci_high"] - row["ci_low"])
    assert widths[0] > 4 * widths[1]


def test_evidence_that_does_not_count_in_a_context_has_no_threshold():
    rng = np.random.default_rng(3)
    context = np.array(["color", "motion"])[rng.integers(2, size=8000)]
    motion, color = rng.choice(COHERENCES, 8000), rng.choice(COHERENCES, 8000)
    drive = np.where(context == "motion", motion, color)
    choice = np.where(rng.random(8000) < 1 / (1 + np.exp(-0.15 * drive)), 1, -1)
    coordinates = {"context": context, "coherence": motion, "choice": choice}
    array = recording(rng.random((8000, 1)), coordinates=coordinates)
    rows, details = psychometrics.describe(array, f"{PLAIN}-given=context", seed=0)
    by_context = {
        name: values(row for row in rows if row["condition"].startswith(f"context={name}"))
        for name in ("color", "motion")
    }
    assert by_context["color"]["threshold"]["status"] == "beyond_strengths"
    assert by_context["motion"]["threshold"]["value"] == pytest.approx(9.9, rel=0.2)
    assert by_context["color"]["choices with the evidence"]["value"] == pytest.approx(0.5, abs=0.03)
    assert details.given.values.tolist() == ["color", "motion"]
    assert not np.isfinite(details.reaction_time).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"attributes": {"average": "trials of a condition"}}, "single trials"),
        ({"choice": np.array(["a", "b", "c", "d"] * 50)}, "'choice' has 4 values; a choice has two"),
        ({"coherence": np.array(["hard", "easy"] * 100)}, "'coherence' is no number"),
        ({"coherence": np.tile([1.0, 2.0, 3.0, 4.0], 50)}, "both sides of zero"),
    ],
)
def test_refusals(change, words):
    array = observer(np.random.default_rng(4), n=200)
    attributes = change.pop("attributes", {})
    array = array.assign_coords({name: ("presentation", v) for name, v in change.items()}).assign_attrs(attributes)
    with pytest.raises(UserError, match=words) as error:
        psychometrics.describe(array, PLAIN, seed=0)
    one_line(error)


def test_pooled_trials_and_misspelt_ids_are_refused():
    rng = np.random.default_rng(5)
    x = rng.choice(COHERENCES, 100)
    pool = recording(rng.random((100, 2)), coordinates={"coherence": x, "choice": x > 0}, simultaneous=False)
    with pytest.raises(UserError, match="simultaneous=false.*describe its members") as error:
        psychometrics.describe(pool, PLAIN, seed=0)
    one_line(error)
    with pytest.raises(UserError, match=r"must read psychometrics-of=…-by=…-\[given=…\]"):
        psychometrics.describe(pool, "psychometrics-by=coherence-of=choice", seed=0)
    with pytest.raises(UserError, match="did you mean coherence"):
        psychometrics.describe(observer(rng, n=100), "psychometrics-of=choice-by=coherense", seed=0)


@pytest.mark.parametrize(("monkey", "mean", "sd"), [("O", 16.8, 2.0), ("T", 10.9, 1.4)])
def test_thresholds_of_the_checkerboard_task(real_data, monkey, mean, sd):
    """Against the authors' own fits to each session, which the file holds beside the trials."""
    path = real_data / "boucher2023_pmd" / f"Fig2_Monkey{monkey}_data.mat"
    array = boucher2023.ingest({path.name: path}, about=ABOUT, part="behaviour", monkey=monkey)
    rows, details = psychometrics.describe(array, "psychometrics-of=color_choice-by=signed_coherence", seed=0)
    row = values(rows)["threshold, mean of blocks"]
    file = loadmat(path, squeeze_me=True, struct_as_record=False)[f"fig{monkey}Data"]
    published = file.thresholds[:, 0]
    assert published.mean() == pytest.approx(mean, abs=0.1)
    assert row["value"] == pytest.approx(published.mean(), rel=0.05)
    assert float(row["condition"].rpartition("sd=")[2]) == pytest.approx(sd, abs=0.2)
    n_red, chosen = file.combined[:, :2].astype(int).T
    shares = [(chosen[n_red == n] == 1).mean() for n in np.unique(n_red)]
    np.testing.assert_allclose(details.chosen.isel(given=0).sel(bound="value"), shares, atol=1e-9)
    correct = ((chosen == 1) == (n_red > 112)).mean()
    assert values(rows)["choices with the evidence"]["value"] == pytest.approx(correct)


def test_only_the_relevant_evidence_moves_the_choice(real_data):
    path = real_data / "mante2013_pfc" / "ar090720_1_a3_Vstim_100_850_ms.mat"
    array = mante2013.ingest({path.name: path}, about=ABOUT)
    share = {}
    for by in ("motion", "color"):
        rows, _ = psychometrics.describe(array, f"psychometrics-of=choice-by={by}-given=context", seed=0)
        for row in rows:
            if row["quantity"] == "choices with the evidence":
                share[by, row["condition"].split(";")[0]] = row["value"]
    assert share["motion", "context=motion"] > 0.7 and share["color", "context=color"] > 0.7
    assert share["motion", "context=color"] < 0.6 and share["color", "context=motion"] < 0.6
