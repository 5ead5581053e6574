"""Decoders of an angle: planted angles, brute force, exact cases, chance, and nothing but training statistics."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from neurocompare.errors import UserError
from neurocompare.prediction import circular_decoders as cd


def population(angles, period, rng, *, units=150, noise=0.3):
    """Bumps of tuning with Gaussian noise."""
    preferred = np.arange(units) * period / units
    phase = 2 * np.pi * (np.asarray(angles)[:, None] - preferred) / period
    return np.exp((np.cos(phase) - 1) / 0.3) + noise * rng.standard_normal(phase.shape)


@given(st.floats(0, 360), st.floats(0, 360), st.sampled_from([180.0, 360.0]), st.integers(-3, 3))
def test_angular_error_is_a_distance_on_the_circle(a, b, period, turns):
    error = cd.angular_error(a, b, period)
    assert 0 <= error <= period / 2
    assert error == pytest.approx(cd.angular_error(b, a, period), abs=1e-9)
    assert error == pytest.approx(cd.angular_error(a + turns * period, b, period), abs=1e-6)
    assert cd.angular_error(a, a, period) == 0
    assert abs(cd.signed_error(a, b, period)) == pytest.approx(error, abs=1e-9)


def test_angular_error_across_zero():
    np.testing.assert_allclose(cd.angular_error([179, 1, 90], [1, 179, 0]), [2, 2, 90])
    np.testing.assert_allclose(cd.signed_error([179, 1, 30], [1, 179, 10]), [-2, 2, 20])


@pytest.mark.parametrize("period", [180.0, 360.0])
@pytest.mark.parametrize("name", cd.DECODERS)
def test_a_planted_angle_is_recovered(name, period):
    rng = np.random.default_rng(0)
    train, test = rng.uniform(0, period, 600), rng.uniform(0, period, 200)
    decoder = cd.decoder_named(name)(population(train, period, rng), population(test, period, rng), period)
    error = cd.angular_error(decoder.decode(train), test, period)
    assert np.median(error) < 0.015 * period
    assert error.max() < 0.1 * period


@pytest.mark.parametrize("name", cd.DECODERS)
def test_discrete_angles_are_told_apart(name):
    """Eight orientations, seven trials each: few trials and hardly any different angles."""
    rng = np.random.default_rng(1)
    train, test = np.tile(np.arange(8) * 22.5, 7), np.arange(8) * 22.5
    decoder = cd.DECODERS[name](population(train, 180.0, rng), population(test, 180.0, rng), 180.0)
    assert cd.angular_error(decoder.decode(train), test).max() < 11


@pytest.mark.parametrize("name", cd.DECODERS)
def test_shuffled_labels_are_at_chance(name):
    rng = np.random.default_rng(2)
    train, test = rng.uniform(0, 180, 400), rng.uniform(0, 180, 200)
    decoder = cd.DECODERS[name](population(train, 180.0, rng), population(test, 180.0, rng), 180.0)
    error = [np.median(cd.angular_error(decoder.decode(rng.permutation(train)), test)) for _ in range(30)]
    # A quarter of the period; medians of 200 errors that hang together in one shuffle scatter by several degrees.
    assert np.mean(error) == pytest.approx(45, abs=4)


@pytest.mark.parametrize("name", cd.DECODERS)
def test_training_statistics_only(name):
    """A test trial is decoded alike whatever other trials are tested with it; constant units do no harm."""
    rng = np.random.default_rng(3)
    train, angles, test = rng.standard_normal((100, 10)), rng.uniform(0, 180, 100), rng.standard_normal((5, 10))
    train[:, 3], test[:, 3] = 1.0, 7.0
    decoder = cd.DECODERS[name]
    together = decoder(train, np.vstack([test, 1e6 * test]), 180.0).decode(angles)[:5]
    np.testing.assert_array_equal(together, decoder(train, test, 180.0).decode(angles))


@pytest.mark.parametrize("name", cd.DECODERS)
def test_a_turned_circle_turns_what_is_decoded(name):
    """By a multiple of the spacing of all nodes; also where the circle is joined."""
    rng = np.random.default_rng(4)
    train, test = rng.uniform(0, 180, 300), rng.uniform(0, 180, 60)
    decoder = cd.DECODERS[name](population(train, 180.0, rng), population(test, 180.0, rng), 180.0)
    turned = decoder.decode((train + 45) % 180)
    np.testing.assert_allclose(cd.signed_error(turned, decoder.decode(train) + 45), 0, atol=0.06)


@pytest.mark.parametrize("period", [180.0, 360.0])
def test_the_linear_decoder_is_exact_where_its_targets_are_linear_in_the_responses(period):
    """Noiseless von Mises units span the targets; what is left is the grid of the interpolation and the ridge."""
    rng = np.random.default_rng(0)
    preferred = np.arange(64) * period / 64

    def tuned(angles):
        return np.exp((np.cos(2 * np.pi * (angles[:, None] - preferred) / period) - 1) / 0.1)

    train, test = rng.uniform(0, period, 800), rng.uniform(0, period, 200)
    found = cd.VonMises(tuned(train), tuned(test), period, ridge=1e-6).decode(train)
    assert cd.angular_error(found, test, period).max() < period / 1000


@pytest.mark.parametrize(("n", "p"), [(60, 20), (20, 60)])
def test_primal_and_dual_are_the_ridge_of_sklearn(n, p):
    rng = np.random.default_rng(1)
    train, test = rng.standard_normal((n, p)) * 3 + 2, rng.standard_normal((15, p)) * 3 + 2
    y = rng.standard_normal((n, 4))
    mean, deviation = train.mean(0), train.std(0)
    model = Ridge(alpha=0.7 * n, fit_intercept=False).fit((train - mean) / deviation, y)
    expected = model.predict((test - mean) / deviation)
    np.testing.assert_allclose(cd.ridge_operator(train, test, 0.7) @ y, expected, atol=1e-8)


def brute_force(train, angles, test, period, nodes, order):
    """Log-likelihoods by loops over neurons, trials and nodes."""
    result = np.zeros((len(test), len(nodes)))

    def basis(a):
        phase = 2 * np.pi * a / period
        return np.array([1.0] + [f(k * phase) for f in (np.cos, np.sin) for k in range(1, order + 1)])

    rows = np.array([basis(a) for a in angles])
    for unit in range(train.shape[1]):
        weights = np.linalg.solve(rows.T @ rows, rows.T @ train[:, unit])
        variance = np.sum((train[:, unit] - rows @ weights) ** 2) / (len(angles) - len(weights))
        for k, node in enumerate(nodes):
            result[:, k] += -((test[:, unit] - basis(node) @ weights) ** 2) / (2 * variance)
    return result


def test_the_independent_decoder_is_the_likelihood_by_brute_force():
    rng = np.random.default_rng(5)
    train_angles, test_angles = rng.uniform(0, 360, 200), rng.uniform(0, 360, 20)
    train, test = (population(a, 360.0, rng, units=12, noise=0.2) for a in (train_angles, test_angles))
    # Of any scale and offset: only the likelihood counts.
    train, test = 5 * train - 3, 5 * test - 3
    decoder = cd.Independent(train, test, 360.0)
    nodes = np.arange(32) * 360 / 32
    expected = brute_force(train, train_angles, test, 360.0, nodes, 10)
    found = decoder.log_likelihood(train_angles)
    difference = found - expected
    # Only differences between angles mean anything.
    np.testing.assert_allclose(difference, np.broadcast_to(difference[:, :1], difference.shape), atol=1e-7)
    fine = np.arange(3200) * 360 / 3200
    best = fine[brute_force(train, train_angles, test, 360.0, fine, 10).argmax(1)]
    assert np.median(cd.angular_error(decoder.decode(train_angles), best, 360.0)) < 0.6


def test_harmonics_are_those_of_the_paper_but_for_few_trials_or_angles():
    rng = np.random.default_rng(6)
    assert cd.harmonics(rng.uniform(0, 360, 84)) == 10
    assert cd.harmonics(rng.uniform(0, 360, 3000)) == 10
    assert cd.harmonics(np.tile(np.arange(8), 100)) == 3
    assert cd.harmonics(np.tile(np.arange(4), 100)) == 1
    assert cd.harmonics(rng.uniform(0, 360, 29)) == 3


@pytest.mark.parametrize("period", [180.0, 360.0])
def test_the_population_vector_is_exact_on_cosine_tuning(period):
    rng = np.random.default_rng(7)
    preferred = np.arange(24) * period / 24

    def tuned(angles):
        return 3 + 2 * np.cos(2 * np.pi * (angles[:, None] - preferred) / period)

    # The angles of training need not cover the circle evenly.
    train, test = np.sort(rng.uniform(0, period, 300) ** 2 / period), rng.uniform(0, period, 50)
    unit = cd.PopulationVector(tuned(train), tuned(test), period)
    deviation = tuned(train).std(0)
    # Weighting by standard deviations must not be what makes it exact: responses of equal spread are.
    assert np.ptp(deviation) > 0.1
    even = np.arange(360) * period / 360
    exact = cd.PopulationVector(tuned(even), tuned(test), period).decode(even)
    np.testing.assert_allclose(cd.signed_error(exact, test, period), 0, atol=1e-9)
    assert cd.angular_error(unit.decode(train), test, period).max() < period / 20


def test_an_unknown_decoder_is_refused_in_one_line():
    with pytest.raises(UserError, match="unknown decoder 'vonmises'") as error:
        cd.decoder_named("vonmises")
    assert "\n" not in str(error.value)
