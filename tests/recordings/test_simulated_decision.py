"""The simulated decision: behaviour matches closed forms, and spikes hold the planted latents and noise."""

import time
import tracemalloc

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, nbinom, poisson
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.recordings import simulated_decision
from neurocompare.simulation import diffusion
from neurocompare.simulation.doubly_stochastic import choice_probability

SMALL = {"trials": 300, "neurons": 20, "seed": 1}
QUIET = {"dispersion": 0.0, "shared_strength": 0.0}


@pytest.fixture(scope="module")
def simulated():
    return simulated_decision.simulate(trials=1200, neurons=60, seed=0)


@pytest.fixture(scope="module")
def behaviour():
    """Give many trials, of few neurons."""
    return simulated_decision.simulate(trials=12000, neurons=1, areas=["PMd"], bin_width=1.0, seed=2)


@pytest.mark.parametrize("drift", [0.0, 0.004, 0.7, -3.0])
def test_closed_forms_solve_the_equation_of_diffusion(drift):
    """Probability and moments of time from a random walk on a fine lattice, solved exactly."""
    bound, n = 0.6, 400
    h = bound / n
    # A walk with steps ±h in h² s and the drift in its probabilities tends to the diffusion.
    up = (1 + drift * h) / 2
    inner = 2 * n - 1
    moves = np.diag(np.full(inner - 1, up), 1) + np.diag(np.full(inner - 1, 1 - up), -1)
    system = np.eye(inner) - moves
    end = np.zeros(inner)
    end[-1] = up
    steps = np.linalg.solve(system, np.ones(inner))
    squares = np.linalg.solve(system, 2 * steps - 1)
    middle = n - 1
    found = np.linalg.solve(system, end)[middle], steps[middle] * h**2
    variance = (squares[middle] - steps[middle] ** 2) * h**4
    np.testing.assert_allclose(diffusion.probability(drift, bound), found[0], rtol=1e-4)
    np.testing.assert_allclose(diffusion.mean_time(drift, bound), found[1], rtol=1e-4)
    np.testing.assert_allclose(diffusion.time_variance(drift, bound), variance, rtol=1e-3)


def test_walks_are_unbiased_although_their_steps_are_finite():
    n, bound = 100_000, 0.3
    decided, path = diffusion.walk(np.full(n, 1.5), bound, np.random.default_rng(3))
    chance, mean = diffusion.probability(1.5, bound), diffusion.mean_time(1.5, bound)
    spread = diffusion.time_variance(1.5, bound)
    assert abs((path[-1] > 0).mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / n)
    assert abs(decided.mean() - mean) < 4 * np.sqrt(spread / n)
    np.testing.assert_allclose(decided.var(), spread, rtol=0.03)
    assert np.abs(path).max() <= np.float32(bound)
    np.testing.assert_array_equal(np.abs(path[-1]), np.float32(bound))
    kept = np.ceil(decided / (diffusion.STEP * diffusion.KEPT)).astype(int).clip(max=len(path) - 1)
    np.testing.assert_array_equal(path[kept, np.arange(n)], path[-1])
    assert np.all(path[0] == 0)


def test_it_follows_the_schema_and_survives_the_disk(simulated, tmp_path):
    array, truth = simulated
    representation.write(array, tmp_path / "a.nc")
    np.testing.assert_array_equal(representation.read(tmp_path / "a.nc").values, array.values)
    assert array.dims == ("presentation", "time", "unit")
    assert array.shape == (1200, 20, 120)
    assert array.dtype == np.uint16
    assert array.attrs["response"] == "spike count"
    assert array.attrs["simultaneous"] is True
    np.testing.assert_allclose(array.time.values, np.arange(-0.175, 0.8, 0.05))
    assert array.area.values.tolist() == ["PFC"] * 60 + ["PMd"] * 60
    assert truth.unit_id.values.tolist() == array.unit_id.values.tolist()


def test_conditions_are_balanced_and_their_labels_agree(simulated):
    array, _ = simulated
    coherence, red_right = array.signed_coherence.values, array.left_target.values == "green"
    assert (coherence == 0).sum() == 60
    counts = [np.sum((coherence == c) & (red_right == side)) for c in np.unique(coherence) if c for side in (0, 1)]
    assert len(counts) == 28
    assert max(counts) - min(counts) <= 1
    red, right = array.color_choice.values == "red", array.choice.values == "right"
    np.testing.assert_array_equal(right, red == red_right)
    told = coherence != 0
    np.testing.assert_array_equal(array.correct.values[told] == 1, (red == (coherence > 0))[told])
    assert 0.3 < array.correct.values[~told].mean() < 0.7
    # The design makes colour and reach independent.
    assert abs(np.corrcoef(red, right)[0, 1]) < 4 / np.sqrt(1200)
    for name in np.unique(array.stimulus.values):
        mine = array.stimulus.values == name
        assert len(set(zip(coherence[mine], red_right[mine], strict=True))) == 1
        np.testing.assert_array_equal(array.repeat.values[mine], np.arange(mine.sum()))


def test_choices_follow_the_psychometric_function(behaviour):
    array, truth = behaviour
    assert truth.sizes["coherence"] == 15
    z = []
    for c, expected in zip(truth.coherence.values, truth.probability_red.values, strict=True):
        red = array.color_choice.values[array.signed_coherence.values == c] == "red"
        np.testing.assert_allclose(expected, 1 / (1 + np.exp(-2 * 0.55 * 10 * c / 100)))
        z.append((red.mean() - expected) / np.sqrt(expected * (1 - expected) / len(red)))
    assert np.abs(z).max() < 4
    accuracy = array.correct.values.mean()
    assert 0.8 < accuracy < 0.95


def test_reaction_times_have_the_mean_and_spread_of_the_closed_form(behaviour):
    array, truth = behaviour
    for level in truth.coherence.values:
        found = array.reaction_time.values[array.signed_coherence.values == level]
        expected = truth.sel(coherence=level)
        error = float(expected.sd_reaction_time) / np.sqrt(len(found))
        assert abs(found.mean() - float(expected.mean_reaction_time)) < 4 * error
        np.testing.assert_allclose(found.std(), float(expected.sd_reaction_time), rtol=0.2)
    assert truth.mean_reaction_time.sel(coherence=4.0) > truth.mean_reaction_time.sel(coherence=60.0)


def test_the_initial_state_speeds_decisions_and_does_not_bias_them(behaviour):
    array, truth = behaviour
    initial, reaction = truth.initial_state.values, array.reaction_time.values
    mean = diffusion.mean_time(10 * array.signed_coherence.values / 100, 0.55).mean()
    product = (initial - initial.mean()) * (reaction - reaction.mean())
    assert abs(product.mean() + 0.3 * mean) < 4 * product.std() / np.sqrt(len(product))
    assert np.corrcoef(initial, reaction)[0, 1] < -0.15
    assert abs(np.corrcoef(initial, array.correct.values)[0, 1]) < 4 / np.sqrt(12000)
    np.testing.assert_allclose(reaction, 0.3 + truth.decision_time.values, rtol=1e-9)
    array, truth = simulated_decision.simulate(**SMALL, initial_effect=0)
    assert abs(np.corrcoef(truth.initial_state.values, array.reaction_time.values)[0, 1]) < 4 / np.sqrt(300)


def test_latents_are_those_of_the_trial(simulated):
    array, truth = simulated
    time, reaction = array.time.values, array.reaction_time.values[:, None]
    side = np.where(array.left_target.values == "green", 1, -1)[:, None]
    color, choice = (truth.latents.sel(latent=name).values for name in ("color", "choice"))
    np.testing.assert_allclose(choice, color * side, atol=1e-6)
    assert np.all(color[:, time < 0.15] == 0)
    over = time > reaction - 0.15 + 0.006
    np.testing.assert_allclose(np.abs(color[over]), 1, atol=1e-6)
    np.testing.assert_array_equal((choice[:, -1] > 0)[over[:, -1]], (array.choice.values == "right")[over[:, -1]])
    early = truth.latents.sel(latent="initial").values[:, 0]
    assert np.corrcoef(early, truth.initial_state.values)[0, 1] > 0.999


def test_aligned_to_the_movement_the_bump_is_at_zero():
    array, truth = simulated_decision.simulate(**SMALL, align="movement", window=(-0.5, 0.3))
    bump = truth.latents.sel(latent="movement").values
    np.testing.assert_allclose(
        bump, np.broadcast_to(np.exp(-((array.time.values / 0.06) ** 2) / 2), bump.shape), atol=1e-4
    )
    np.testing.assert_allclose(
        np.abs(truth.latents.sel(latent="choice").values[:, array.time.values > -0.14]), 1, atol=1e-6
    )
    assert array.attrs["aligned_to"] == "movement"


def test_counts_have_the_planted_rates_and_noise():
    array, truth = simulated_decision.simulate(**SMALL | {"trials": 1500}, **QUIET)
    centred = truth.latents.values - truth.latents.values.mean((1, 2), keepdims=True)
    rate = np.maximum(truth.mean_rate.values + np.einsum("lnt,lu->ntu", centred, truth.weights.values), 0) * 0.05
    z = (array.values - rate)[:, :, truth.silenced.values == 0] / np.sqrt(rate[:, :, truth.silenced.values == 0])
    np.testing.assert_allclose(z.std((0, 1)), 1, atol=0.04)
    assert np.abs(z.mean((0, 1))).max() < 4 / np.sqrt(z[..., 0].size)
    kept = truth.silenced.values == 0
    ratio = rate.var((0, 1)) / rate.mean((0, 1))
    np.testing.assert_allclose(ratio[kept], truth.snr.values[kept], rtol=1e-3)
    # Weights come back from a regression on the latents.
    design = np.column_stack([np.ones(centred[0].size), centred.reshape(6, -1).T])
    found = np.linalg.lstsq(design, array.values.reshape(-1, 40) / 0.05, rcond=None)[0]
    assert np.corrcoef(found[2, kept], truth.choice_axis.values[kept])[0, 1] > 0.98
    np.testing.assert_allclose(np.linalg.norm(truth.choice_axis.values), 1)


def test_private_and_shared_factors_add_the_declared_variance():
    options = SMALL | {"trials": 3000, "snr": 1e-6, "rate_spread": 0.0, "rate": 40.0, "window": (0.0, 1.0)}
    array, truth = simulated_decision.simulate(**options, dispersion=0.2, shared_strength=0.4, shared_rank=2)
    total = array.values.sum(1).astype(float)
    mean = 40.0
    loadings = truth.shared_loadings.values
    shared = 0.16 * loadings @ loadings.T
    expected = mean + mean**2 * (0.2 * (1 + np.diag(shared)) + np.diag(shared))
    np.testing.assert_allclose((total.var(0) / expected).mean(), 1, atol=0.06)
    np.testing.assert_allclose(total.var(0) / expected, 1, atol=0.25)
    pairs = np.triu_indices(40, 1)
    covariance = np.cov(total.T)[pairs] / mean**2
    np.testing.assert_allclose(np.polyfit(shared[pairs], covariance, 1), [1, 0], atol=0.1)
    assert np.corrcoef(shared[pairs], covariance)[0, 1] > 0.8


def test_choice_probability_is_that_of_the_mixture_of_counts():
    rng = np.random.default_rng(0)
    expected, chosen = rng.uniform(0.1, 20, (30, 3)), np.arange(30) < 12
    grid = np.arange(400)
    for dispersion in (0.0, 0.3):
        if dispersion:
            size = 1 / dispersion
            mass = nbinom.pmf(grid[:, None, None], size, size / (size + expected))
        else:
            mass = poisson.pmf(grid[:, None, None], expected)
        yes, no = mass[:, chosen].mean(1), mass[:, ~chosen].mean(1)
        direct = [
            (np.outer(yes[:, k], no[:, k]) * (np.greater.outer(grid, grid) + 0.5 * np.eye(400))).sum() for k in range(3)
        ]
        np.testing.assert_allclose(choice_probability(expected, chosen, dispersion), direct, atol=1e-7)
    assert np.isnan(choice_probability(expected, np.ones(30, dtype=bool), 0.1)).all()


def test_choice_probability_of_units_is_found_in_their_counts():
    array, truth = simulated_decision.simulate(**SMALL | {"trials": 2000}, coherences=(4.0, 30.0), catch=0.5)
    weak = array.signed_coherence.values == 0
    right = array.choice.values[weak] == "right"
    total = array.values[weak].sum(1)
    found = mannwhitneyu(total[right], total[~right]).statistic / (right.sum() * (~right).sum())
    error = np.sqrt((1 / right.sum() + 1 / (~right).sum()) / 12)
    assert np.abs(found - truth.choice_probability.values).max() < 4 * error
    assert np.corrcoef(found, truth.choice_probability.values)[0, 1] > 0.9
    knows_nothing = array.selective.values == 0
    assert np.abs(truth.choice_probability.values[~knows_nothing] - 0.5).max() > 0.15


def test_prefrontal_units_know_colour_and_premotor_units_the_reach_only(simulated):
    array, truth = simulated
    late = np.sqrt(array.sel(time=slice(0.4, 0.8)).sum("time").values.astype(float))
    score = {}
    for area in ("PFC", "PMd"):
        for label in ("choice", "color_choice", "left_target"):
            model = LogisticRegression(C=0.01)
            part = late[:, array.area.values == area]
            score[area, label] = cross_val_score(model, part, array.coords[label].values, cv=4).mean()
    assert score["PMd", "choice"] > score["PFC", "choice"] > 0.7
    assert score["PFC", "color_choice"] > 0.75
    assert score["PFC", "left_target"] > 0.75
    chance = 0.5 + 4 * 0.5 / np.sqrt(1200)
    assert max(score["PMd", "color_choice"], score["PMd", "left_target"]) < chance
    others = truth.weights.sel(latent=["color", "configuration"]).values
    assert not others[:, array.area.values == "PMd"].any()


def test_kinds_of_units_come_in_the_declared_numbers_and_behave_like_their_names():
    array, truth = simulated_decision.simulate(
        trials=300, neurons=40, areas=["PMd"], seed=0, decreased=0.25, perimovement=0.5, nonselective=0.5
    )
    kinds = array.type.values
    counts = {kind: int((kinds == kind).sum()) for kind in np.unique(kinds)}
    assert counts == {"decreased": 10, "perimovement": 20, "increased": 10}
    assert array.selective.values.sum() == 20
    course = array.values.mean(0)
    change = course[-4:].mean(0) - course[:4].mean(0)
    assert change[kinds == "increased"].mean() > 0 > change[kinds == "decreased"].mean()
    weights = truth.weights.sel(latent="movement").values
    assert (weights[kinds == "perimovement"] > 0).all()
    assert not weights[kinds != "perimovement"].any()


def test_the_seed_decides():
    first, again, other = (simulated_decision.simulate(**SMALL | {"seed": seed})[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.values, again.values)
    np.testing.assert_array_equal(first.reaction_time.values, again.reaction_time.values)
    assert not np.array_equal(first.values, other.values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 0}, "trials is 0"),
        ({"neurons": 2.5}, "neurons is 2.5"),
        ({"areas": ["M1"]}, "areas is .*PFC, PMd"),
        ({"areas": "PMd"}, "areas is PMd"),
        ({"align": "reward"}, "align is 'reward'"),
        ({"window": (0.5, 0.1)}, "window is"),
        ({"window": "late"}, "window is late"),
        ({"bin_width": 0}, "bin_width is 0"),
        ({"bin_width": 0.3}, "not a whole number of bins"),
        ({"coherences": [0, 10]}, "coherences is .*'catch'"),
        ({"coherences": [10, 10]}, "coherences is"),
        ({"coherences": []}, "coherences is"),
        ({"coherences": 10}, "coherences is 10"),
        ({"coherences": ["high"]}, "coherences is"),
        ({"coherences": [101]}, "coherences is"),
        ({"catch": 1.5}, "catch is 1.5"),
        ({"decreased": 0.7, "perimovement": 0.7}, r"decreased \+ perimovement is 1.4"),
        ({"decreased": "half"}, "decreased is half"),
        ({"drift": -1}, "drift is -1"),
        ({"bound": 0}, "bound is 0"),
        ({"snr": 0}, "snr is 0"),
        ({"dispersion": -0.1}, "dispersion is -0.1"),
        ({"rate": 5000}, "rate is 5000"),
        ({"seed": None}, "seed is None"),
    ],
)
def test_options_out_of_range_are_refused_in_one_line(change, message):
    with pytest.raises(UserError, match=message) as caught:
        simulated_decision.simulate(**SMALL | change)
    assert "\n" not in str(caught.value)


def test_a_large_recording_takes_seconds_and_little_more_than_itself():
    tracemalloc.start()
    begin = time.perf_counter()
    array, _ = simulated_decision.simulate(trials=1000, neurons=1000, areas=["PMd"], seed=0)
    took, peak = time.perf_counter() - begin, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 20
    # Truth and one chunk of rates come on top of the counts.
    assert peak < 4 * array.nbytes
