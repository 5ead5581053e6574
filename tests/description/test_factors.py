"""Factor analysis: planted shared variance and numbers, independence, training averages, and refusals."""

import numpy as np
import pytest
from cubes import recording
from scipy.stats import multivariate_normal
from trials import one_line

from neurocompare.description import factors
from neurocompare.errors import UserError

OF = "factors-of=trials"


def planted(rank, seed=0, n=8, n_repeats=40, p=16, strength=0.8):
    """Stimuli that matter much, factors that all units share, and private noise; the true shared variance."""
    rng = np.random.default_rng(seed)
    loading = strength * rng.standard_normal((rank, p))
    private = rng.uniform(0.5, 1.5, p)
    signal = 5 * rng.standard_normal((n, 1, p))
    shared = rng.standard_normal((n, n_repeats, rank)) @ loading
    cube = signal + shared + np.sqrt(private) * rng.standard_normal((n, n_repeats, p))
    return cube, (loading**2).sum(0) / ((loading**2).sum(0) + private)


def by_quantity(rows):
    return {row["quantity"]: row for row in rows}


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(factors, "PERMUTATIONS", 10)
    monkeypatch.setattr(factors, "LARGEST", 5)


@pytest.mark.parametrize("rank", [1, 2])
def test_planted_factors_are_counted_and_their_variance_is_found(few, rank):
    cube, truth = planted(rank)
    rows, details = factors.describe(recording(cube), OF, seed=0)
    found = by_quantity(rows)
    assert found["number of factors"]["value"] == rank
    assert found["dimensions of the shared variance"]["value"] == rank
    np.testing.assert_allclose(details.shared, truth, atol=0.12)
    row = found["shared variance"]
    assert row["value"] == pytest.approx(np.median(truth), abs=0.06)
    assert row["null_high"] < 0.2 < row["value"] and row["p_value"] == pytest.approx(1 / 11)
    assert row["ci_low"] < row["value"] < row["ci_high"]
    assert found["gain of log-likelihood"]["value"] > 0.5


def test_the_gain_is_that_of_the_true_model(few):
    """With many trials, the held-out likelihood is that of the covariance that was planted."""
    cube, _ = planted(1, n=2, n_repeats=400, p=6)
    residual = factors.residuals(cube.reshape(-1, 6), np.repeat([0, 1], 400))
    found = by_quantity(factors.describe(recording(cube), OF, seed=0)[0])
    full, diagonal = np.cov(residual.T), np.diag(np.diag(np.cov(residual.T)))
    expected = np.mean(
        multivariate_normal(cov=full).logpdf(residual) - multivariate_normal(cov=diagonal).logpdf(residual)
    )
    assert found["gain of log-likelihood"]["value"] == pytest.approx(expected, abs=0.05)


def test_independent_units_have_no_factor(few):
    """Their responses to the stimuli are alike, which is no variation from trial to trial."""
    rng = np.random.default_rng(3)
    cube = 10 * rng.standard_normal((8, 1, 1)) + rng.standard_normal((8, 30, 12))
    rows, details = factors.describe(recording(cube), OF, seed=0)
    found = by_quantity(rows)
    assert found["number of factors"]["value"] == 0 and found["gain of log-likelihood"]["value"] == 0
    assert found["shared variance"]["status"] == "no_factor" and found["shared variance"]["value"] == 0
    assert details.sizes["factor"] == 0


def test_shared_variance_does_not_depend_on_scale_or_signal(few):
    cube, _ = planted(1)
    plain = factors.describe(recording(cube), OF, seed=0)[1].shared.values
    rng = np.random.default_rng(4)
    moved = (cube + 3 * rng.standard_normal((8, 1, 16))) * rng.uniform(0.2, 5, 16)
    np.testing.assert_allclose(factors.describe(recording(moved), OF, seed=0)[1].shared.values, plain, atol=2e-3)


def test_residuals_have_the_variance_of_trials_and_averages_of_training_trials():
    rng = np.random.default_rng(5)
    stimulus = rng.permutation(np.repeat(np.arange(200), 3))
    values = 7 * rng.standard_normal((200, 2))[stimulus] + rng.standard_normal((600, 2))
    np.testing.assert_allclose(factors.residuals(values, stimulus).var(0), 1, atol=0.15)
    train = np.ones(600, dtype=bool)
    train[[np.flatnonzero(stimulus == k)[0] for k in range(200)]] = False
    fitted, tested = factors.split(values, stimulus, train)
    assert len(fitted) == 400 and len(tested) == 200
    np.testing.assert_allclose(fitted.var(0), 1, atol=0.2)
    np.testing.assert_allclose(tested.var(0), 1, atol=0.25)
    # What is tested does not change what is fitted, and moves with its own trial only.
    moved = values.copy()
    moved[~train] += 100
    again, after = factors.split(moved, stimulus, train)
    np.testing.assert_array_equal(again, fitted)
    np.testing.assert_allclose(after - tested, 100 * np.sqrt(2 / 3))


def test_the_smallest_number_within_one_standard_error():
    likelihood = np.array([[0.0, 1.0, 1.1, 1.0], [5.0, 6.1, 6.0, 6.0], [2.0, 3.0, 3.2, 3.0]])
    # Folds differ by more than any model, which is no reason to choose none.
    chosen, error = factors.choose(likelihood)
    assert chosen == 1 and error.argmin() == likelihood.mean(0).argmax()
    assert factors.choose(np.array([[0.0, 0.5], [0.1, 0.7]]))[0] == 1


def test_what_shares_nothing_is_refused():
    cube, _ = planted(1)
    for array, parts in (
        (recording(cube, simultaneous=False), ["recorded together", "simultaneous=false"]),
        (recording(cube, average="trials"), ["single trials"]),
        (recording(cube[:, :1]), ["at least 2 repeats"]),
        (recording(cube[..., :3]), ["3 units", "4 are needed"]),
        (recording(np.ones((4, 6, 8))), ["0 units vary"]),
        (recording(cube[:1, :4]), ["too few trials"]),
    ):
        with pytest.raises(UserError) as caught:
            factors.describe(array, OF, seed=0)
        assert all(part in one_line(caught) for part in [OF, *parts]), caught.value
    with pytest.raises(UserError, match="unknown description"):
        factors.describe(recording(cube), "factors-of=time", seed=0)
