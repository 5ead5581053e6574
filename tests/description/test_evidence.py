"""Weights of evidence in choices: planted observers, separable ones, and the monkeys of Mante et al."""

import numpy as np
import pytest
from conftest import ABOUT
from sklearn.linear_model import LogisticRegression
from trials import one_line, recording

from neurocompare.description import evidence
from neurocompare.errors import UserError
from neurocompare.recordings import mante2013

ID = "evidence-of=choice-on=motion+color-given=context"
LEVELS = np.array([-0.5, -0.15, -0.05, 0.05, 0.15, 0.5])
PLANTED = {"motion": (0.3, 8.0, 1.0), "color": (0.0, 0.0, 6.0)}
"""Bias, and weights of motion and color, in each context."""


def observer(n, seed, planted=PLANTED, n_blocks=20, noise=True):
    rng = np.random.default_rng(seed)
    motion, color = rng.choice(LEVELS, n), rng.choice(LEVELS, n)
    context = rng.choice(["motion", "color"], n)
    bias, on_motion, on_color = np.array([planted[name] for name in context]).T
    drive = bias + on_motion * motion + on_color * color
    chosen = drive + (rng.logistic(size=n) if noise else 0) > 0
    return recording(
        rng.random((n, 1)),
        block=np.arange(n) * n_blocks // n,
        coordinates={"motion": motion, "color": color, "context": context, "choice": np.where(chosen, 1, -1)},
    )


def values(rows):
    return {(row["quantity"], *row["condition"].split(";")[:-1]): row for row in rows}


def test_planted_weights_are_found():
    found = values(evidence.describe(observer(60_000, 0), ID, seed=0)[0])
    for context, (bias, *weights) in PLANTED.items():
        assert found["bias", f"context={context}"]["value"] == pytest.approx(bias, abs=0.1)
        for kind, weight in zip(("motion", "color"), weights, strict=True):
            row = found["weight", f"context={context}", f"evidence={kind}"]
            assert row["value"] == pytest.approx(weight, abs=0.3)
    ratio = found["weight relative to the relevant", "context=motion", "evidence=color"]
    assert ratio["value"] == pytest.approx(1 / 8, abs=0.03)
    assert ("weight relative to the relevant", "context=motion", "evidence=motion") not in found


@pytest.mark.parametrize("n_blocks", [4, 20])
def test_intervals_cover_the_planted_weights(n_blocks):
    inside = []
    for seed in range(40):
        found = values(evidence.describe(observer(1500, 100 + seed, n_blocks=n_blocks), ID, seed=seed)[0])
        row = found["weight relative to the relevant", "context=motion", "evidence=color"]
        assert row["condition"].endswith("resampled=blocks" if n_blocks == 20 else "resampled=trials")
        inside.append(row["ci_low"] < 1 / 8 < row["ci_high"])
    # Of 40, the binomial with .95 has fewer than 34 in 3 of 1,000 runs.
    assert sum(inside) >= 34


def test_weights_scale_with_the_units_of_the_evidence():
    array = observer(3000, 1)
    halved = array.assign_coords(motion=array.motion * 2, color=array.color * 2)
    one, two = (values(evidence.describe(a, ID, seed=0)[0]) for a in (array, halved))
    for key, row in one.items():
        factor = 2 if key[0] == "weight" else 1
        assert row["value"] == pytest.approx(factor * two[key]["value"], rel=1e-3, abs=1e-3)


def test_choices_without_error_have_finite_weights():
    found = values(evidence.describe(observer(2000, 2, PLANTED | {"motion": (0, 5, 0)}, noise=False), ID, seed=0)[0])
    assert found["weight", "context=motion", "evidence=motion"]["value"] > 20
    assert abs(found["weight relative to the relevant", "context=motion", "evidence=color"]["value"]) < 0.1


@pytest.mark.parametrize("noise", [True, False])
def test_the_fit_is_that_of_scikit_learn(noise):
    """Also of choices without error, whose weights are large and bounded by the penalty only."""
    array = observer(4000, 4, noise=noise)
    part = array.isel(presentation=np.flatnonzero(array.context.values == "motion"))
    features = np.column_stack([part.motion.values / 0.5, part.color.values / 0.5])
    model = LogisticRegression(C=evidence.PENALTY, tol=1e-10, max_iter=5000, solver="newton-cholesky")
    oracle = model.fit(features, part.choice.values)
    found = values(evidence.describe(array, ID, seed=0)[0])
    for kind, weight in zip(("motion", "color"), oracle.coef_[0], strict=True):
        assert found["weight", "context=motion", f"evidence={kind}"]["value"] == pytest.approx(weight / 0.5, rel=1e-4)
    assert found["bias", "context=motion"]["value"] == pytest.approx(oracle.intercept_[0], rel=1e-4)


def test_without_contexts_there_is_no_relevant_evidence():
    rows, details = evidence.describe(observer(2000, 3), "evidence-of=choice-on=motion+color", seed=0)
    assert [row["quantity"] for row in rows] == ["bias", "weight", "weight"]
    assert details["weight"].sizes == {"given": 1, "evidence": 2}


@pytest.mark.parametrize(
    ("id_", "said"),
    [
        ("evidence-of=choice-on=motion-given=context", "'on' names 1 kinds of evidence; name several"),
        ("evidence-of=choice-on=motion+motion-given=context", "'on' names 1 kinds of evidence"),
        ("evidence-of=choice-on=motion+context-given=context", "'context' is no number"),
        ("evidence-of=motion-on=motion+color-given=context", "'motion' has 6 values; a choice has two"),
        ("evidence-of=choice-on=motion+colour-given=context", "colour"),
        ("evidence-on=motion+color-of=choice", "must read evidence-of=…-on=…-[given=…]"),
    ],
)
def test_refusals(id_, said):
    with pytest.raises(UserError) as caught:
        evidence.describe(observer(500, 0), id_, seed=0)
    assert said in one_line(caught)


def test_monkeys_follow_the_evidence_of_the_context(real_data):
    path = real_data / "mante2013_pfc/ar090313_1_a3_Vstim_100_850_ms.mat"
    array = mante2013.ingest({path.name: path}, about=ABOUT)
    found = values(evidence.describe(array, ID, seed=0)[0])
    for context, other in (("motion", "color"), ("color", "motion")):
        row = found["weight relative to the relevant", f"context={context}", f"evidence={other}"]
        assert abs(row["value"]) < 0.35
        assert found["weight", f"context={context}", f"evidence={context}"]["ci_low"] > 0
