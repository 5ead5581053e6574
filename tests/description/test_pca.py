"""Principal components: planted numbers and variances, noise, halves, and refusals."""

import numpy as np
import pytest
from conftest import ABOUT
from cubes import recording
from trials import one_line
from trials import recording as single_trials

from neurocompare.description import pca
from neurocompare.errors import UserError
from neurocompare.recordings import churchland2012

OF = "pca-of=conditions"


def planted(rank, seed=0, n=40, n_repeats=6, p=30, noise=1.0):
    """Responses on `rank` orthogonal axes of equal variance, and noise of single trials."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((p, rank)))[0].T
    score = rng.standard_normal((n, rank)) * 3
    return (score @ axes)[:, None] + noise * rng.standard_normal((n, n_repeats, p)), axes, score


def by_quantity(rows):
    return {row["quantity"]: row for row in rows}


@pytest.mark.parametrize("rank", [1, 3])
def test_planted_components_are_counted_and_found(rank):
    cube, axes, score = planted(rank)
    rows, details = pca.describe(recording(cube), OF, seed=0)
    found = by_quantity(rows)
    assert found["number of components"]["value"] == rank
    assert found["variance of the first component"]["p_value"] < 0.01
    space = details.axis.values[:rank]
    np.testing.assert_allclose(np.linalg.svd(space @ axes.T, compute_uv=False), 1, atol=0.03)
    signal = (score - score.mean(0)).var(0).sum()
    # In halves, of three trials each, a third of the noise of each of the 30 units remains.
    share = signal / (signal + 30 / 3)
    assert found["cross-validated variance of all components"]["value"] == pytest.approx(share, abs=0.05)
    eighty, ninety = (row for row in rows if row["quantity"] == "dimensions of the cross-validated variance")
    assert eighty["condition"].endswith("share=0.8") and ninety["condition"].endswith("share=0.9")
    assert eighty["value"] <= ninety["value"] == rank
    ratio = found["participation ratio of the signal"]["value"]
    assert ratio == pytest.approx(rank, rel=0.15) and found["participation ratio"]["value"] > ratio


def test_components_of_noise_are_none_and_explain_nothing():
    values, counts = [], []
    for seed in range(4):
        rows, _ = pca.describe(recording(np.random.default_rng(seed).standard_normal((30, 4, 25))), OF, seed=seed)
        found = by_quantity(rows)
        counts.append(found["number of components"]["value"])
        values.append([found[q]["value"] for q in found if q.startswith("cross-validated")])
        assert found["variance of the first component"]["value"] > 0.1
    assert np.mean(counts) < 0.6
    np.testing.assert_allclose(np.mean(values, axis=0), 0, atol=0.03)


def test_dimensions_that_hold_a_share_of_the_signal():
    across = np.array([5.0, 3, 1, 1, -0.5, 0.5])
    assert [pca.dimensions(across, share) for share in (0.5, 0.8, 0.9, 1)] == [1, 2, 3, 4]
    assert np.isnan(pca.dimensions(np.array([0.1, -0.2]), 0.8))
    rows, _ = pca.describe(recording(np.random.default_rng(0).standard_normal((30, 4, 25))), OF, seed=0)
    assert by_quantity(rows)["number of components"]["value"] == 0
    assert by_quantity(rows)["dimensions of the cross-validated variance"]["status"] == "no_component"


def test_variances_are_those_of_numpy():
    cube, _, _ = planted(2)
    rows, details = pca.describe(recording(cube), OF, seed=0)
    mean = cube.mean(1).astype("float32").astype(float)
    eigenvalues = np.linalg.eigvalsh(np.cov(mean.T))[::-1]
    np.testing.assert_allclose(details.variance, eigenvalues / eigenvalues.sum(), rtol=1e-4, atol=1e-7)
    score = details.score.values[..., 0]
    np.testing.assert_allclose(score, details.axis.values @ (mean - mean.mean(0)).T, atol=1e-4)
    np.testing.assert_allclose(np.cov(score), np.diag(eigenvalues[:3]), rtol=1e-3, atol=1e-3)
    row = by_quantity(rows)["variance of the first component"]
    assert row["ci_low"] < row["value"] < row["ci_high"]


def test_halves_without_noise_share_everything():
    cube, _, _ = planted(2, noise=0)
    shared = pca.cross_validated(*[cube[:, k][:, None] for k in (0, 1)])
    full = np.linalg.svd(cube[:, 0] - cube[:, 0].mean(0), compute_uv=False) ** 2
    np.testing.assert_allclose(shared, full / full.sum(), atol=1e-9)


def test_smooth_noise_of_single_units_is_no_common_component():
    """Slow fluctuations of each unit by itself: shuffles that were not slow would count many components."""
    rng = np.random.default_rng(1)
    steps = rng.standard_normal((6, 40, 12)).cumsum(1)
    array = single_trials(
        np.repeat(steps - steps.mean(1, keepdims=True), 2, axis=0),
        time=0.05 * np.arange(40),
        stimulus=np.repeat([f"s{k}" for k in range(6)], 2),
    )
    found = by_quantity(pca.describe(array, "pca-of=time", seed=0)[0])
    assert found["number of components"]["value"] <= 1
    white = np.linalg.svd(rng.standard_normal((240, 12)), compute_uv=False)[0] ** 2 / (240 * 12)
    assert found["variance of the first component"]["null_high"] > 1.5 * white


def test_time_courses_by_a_coordinate():
    rng = np.random.default_rng(2)
    choice = np.repeat([0, 1, 2], 4)
    course = np.sin(np.linspace(0, 3, 10))
    axis = np.linalg.qr(rng.standard_normal((8, 1)))[0][:, 0]
    values = 5 * np.einsum("n,t,u->ntu", choice - 1.0, course, axis) + 0.5 * rng.standard_normal((12, 10, 8))
    array = single_trials(values, time=0.1 * np.arange(10), coordinates={"choice": choice})
    rows, details = pca.describe(array, "pca-of=time-by=choice", seed=0)
    assert np.abs(details.axis.values[0] @ axis) > 0.99
    assert list(details.cell.values) == ["choice=0", "choice=1", "choice=2"] and details.score.shape == (3, 3, 10)
    score = details.score.values[0]
    assert np.abs(np.corrcoef(score[2], course)[0, 1]) > 0.95
    assert by_quantity(rows)["cross-validated variance of the first component"]["value"] > 0.85


def test_averages_have_components_and_no_halves(real_data):
    path = real_data / "churchland2012_motor" / "exampleData.mat"
    array = churchland2012.ingest({path.name: path}, about=ABOUT)
    rows, details = pca.describe(array, "pca-of=time", seed=0)
    found = by_quantity(rows)
    assert found["cross-validated variance of all components"]["status"] == "no_trials"
    assert found["number of components"]["value"] >= 2
    flat = array.values.reshape(-1, 50)
    eigenvalues = np.linalg.eigvalsh(np.cov(flat.T))[::-1]
    np.testing.assert_allclose(details.variance[:5], eigenvalues[:5] / eigenvalues.sum(), rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("pca-of=trials", ["unknown", "conditions, time"]),
        ("pca-by=stimulus", ["must read pca-of=…-[by=…]"]),
        ("pca-of=time", ["'bin_width'"]),
        ("pca-of=conditions-by=shape", ["unknown", "shape"]),
    ],
)
def test_what_has_no_components_is_told(name, parts):
    with pytest.raises(UserError) as caught:
        pca.describe(recording(planted(1)[0]), name, seed=0)
    assert all(part in one_line(caught) for part in parts), caught.value


def test_two_conditions_are_too_few():
    with pytest.raises(UserError, match="2 conditions and 30 units") as caught:
        pca.describe(recording(planted(1, n=2)[0]), OF, seed=0)
    one_line(caught)
    with pytest.raises(UserError, match="no unit varies") as caught:
        pca.describe(recording(np.ones((5, 3, 4))), OF, seed=0)
    one_line(caught)
