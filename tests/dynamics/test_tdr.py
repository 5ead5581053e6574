"""Targeted dimensionality reduction against loops, single trials and planted axes."""

import numpy as np
import pytest

from neurocompare.dynamics import axis_tests, tdr

TIME = 0.125 + 0.05 * np.arange(15)


def task(rng, n):
    """Choices that follow the evidence of the context, with errors."""
    levels = np.array([-0.5, -0.17, -0.06, 0.06, 0.17, 0.5])
    motion, color = rng.choice(levels, n), rng.choice(levels, n)
    context = rng.choice([-1.0, 1.0], n)
    choice = np.sign(np.where(context > 0, motion, color) + 0.15 * rng.standard_normal(n))
    return {"choice": choice, "motion": motion, "color": color, "context": context}


def conditions(variables):
    """Levels of motion, and of color, by choice and context."""
    members = []
    for name in ("motion", "color"):
        for level in np.unique(variables[name]):
            for choice in (-1, 1):
                for context in (-1, 1):
                    chosen = (variables[name] == level) & (variables["choice"] == choice)
                    chosen &= variables["context"] == context
                    if chosen.any():
                        members.append(chosen)
    return np.array(members)


def population(rng, n=1500, n_units=40, noise=1.0):
    """Responses with planted directions and courses of each variable; those of choice and motion are not orthogonal."""
    variables = task(rng, n)
    planted = rng.standard_normal((4, n_units)) / np.sqrt(n_units)
    planted[1] += 0.6 * planted[0]
    courses = np.stack(
        [
            np.clip((TIME - 0.2) / 0.6, 0, 1),
            np.exp(-0.5 * ((TIME - 0.325) / 0.1) ** 2),
            np.exp(-0.5 * ((TIME - 0.475) / 0.1) ** 2),
            0.5 + 0 * TIME,
        ]
    )
    scaled = np.stack([v / np.abs(v).max() for v in variables.values()], axis=1)
    values = np.einsum("nv,vt,vu->ntu", scaled, 3 * courses, planted)
    values += np.sin(4 * TIME)[None, :, None] * rng.standard_normal(n_units)
    return variables, values + noise * rng.standard_normal(values.shape), planted


def test_regression_is_that_of_a_loop_over_units_and_times_with_products_and_scaling():
    rng = np.random.default_rng(0)
    variables, values, _ = population(rng, 200, 3)
    names, columns = tdr.design(variables, interacting="context")
    assert names == ["choice", "motion", "color", "context", "choice×context", "motion×context", "color×context"]
    found = tdr.regress(values, columns)
    x = [variables[name] for name in variables]
    x += [variables[name] * variables["context"] for name in ("choice", "motion", "color")]
    x = np.stack([*(v / np.abs(v).max() for v in x), np.ones(200)], axis=1)
    for t in range(0, 15, 5):
        for u in range(3):
            np.testing.assert_allclose(found[:, t, u], np.linalg.lstsq(x, values[:, t, u], rcond=None)[0], atol=1e-10)


def test_weighted_means_of_cells_have_the_coefficients_of_single_trials():
    """Within a cell all regressors are constant, so least squares of its mean, weighted by its number, are the same."""
    rng = np.random.default_rng(1)
    per_unit = [population(rng, n, 1) for n in (300, 500, 800)]
    cells = sorted({tuple(row) for v, _, _ in per_unit for row in np.stack(list(v.values()), 1)})
    means = np.full((len(cells), len(TIME), 3), np.nan)
    weights = np.zeros((len(cells), 3))
    for u, (variables, values, _) in enumerate(per_unit):
        rows = np.stack(list(variables.values()), 1)
        for k, cell in enumerate(cells):
            mine = (rows == cell).all(1)
            weights[k, u] = mine.sum()
            if mine.any():
                means[k, :, u] = values[mine, :, 0].mean(0)
    assert (weights == 0).any(), "some cells are empty, as errors are in recordings"
    shared = dict(zip(("choice", "motion", "color", "context"), np.array(cells).T, strict=True))
    _, columns = tdr.design(shared, interacting="context", weights=weights)
    found = tdr.regress(np.where(weights[:, None] > 0, means, 0), columns, weights)
    for u, (variables, values, _) in enumerate(per_unit):
        _, own = tdr.design(variables, interacting="context")
        np.testing.assert_allclose(found[..., u], tdr.regress(values, own)[..., 0], atol=1e-10)


def test_gaps_are_as_if_each_unit_were_regressed_and_averaged_by_itself():
    rng = np.random.default_rng(2)
    variables, values, _ = population(rng, 240, 4)
    weights = (rng.random((240, 4)) < 0.6).astype(float)
    # Coherences of each unit's own session.
    own = {
        name: v[:, None] * np.array([1, 0.8, 0.6, 1.3]) if name in ("motion", "color") else v
        for name, v in variables.items()
    }
    own = {name: np.where(weights > 0, v if v.ndim == 2 else v[:, None], np.nan) for name, v in own.items()}
    holes = np.where(weights[:, None] > 0, values, np.nan)
    z = tdr.z_scored(holes, weights)
    assert np.isfinite(z).all()
    _, columns = tdr.design(own, interacting="context", weights=weights)
    found = tdr.regress(z, columns, weights)
    members = conditions(variables)
    averages = tdr.averages(z, members, weights)
    for u in range(4):
        kept = weights[:, u] > 0
        alone = tdr.z_scored(values[kept][..., [u]])
        np.testing.assert_allclose(z[kept][..., [u]], alone, atol=1e-12)
        _, x = tdr.design({name: v[kept] for name, v in variables.items()}, interacting="context")
        np.testing.assert_allclose(found[..., u], tdr.regress(alone, x)[..., 0], atol=1e-10)
        for c, trials in enumerate(members[:, kept]):
            expected = alone[trials, :, 0].mean(0) if trials.any() else np.full(15, np.nan)
            np.testing.assert_allclose(averages[c, :, u], expected, atol=1e-12)


def test_smoothing_is_a_cut_gaussian_with_continued_ends():
    rng = np.random.default_rng(3)
    values = rng.standard_normal((2, 15, 3))
    kernel = np.exp(-((np.array([-3, -2, -1, 0, 1, 2, 3]) * 0.05) ** 2) / (2 * 0.04**2))
    kernel /= kernel.sum()
    found = tdr.smoothed(values, TIME, 0.04)
    for t in range(15):
        places = np.clip(t + np.arange(-3, 4), 0, 14)
        np.testing.assert_allclose(found[:, t], np.einsum("k,nku->nu", kernel, values[:, places]), atol=1e-12)


def fitted(variables, values, components=12, windows=None):
    names, columns = tdr.design(variables, interacting="context")
    members = conditions(variables)
    return tdr.fit(
        tdr.z_scored(values),
        columns,
        4,
        members,
        np.ones(len(members), dtype=bool),
        TIME,
        windows=list(tdr.WINDOWS.values()) if windows is None else windows,
        components=components,
    )


def cosines(a, b):
    return np.abs((a * b).sum(1)) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_planted_vectors_and_times_are_found_and_axes_are_orthonormal():
    rng = np.random.default_rng(4)
    variables, values, planted = population(rng, 3000, noise=0.5)
    found = fitted(variables, values)
    planted = planted / values.std((0, 1))
    assert cosines(found.vector, planted).min() > 0.97
    # The first axis is the first vector; all point to where their vectors do.
    np.testing.assert_allclose(found.axis @ found.axis.T, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(cosines(found.axis[:1], found.vector[:1]), 1)
    assert ((found.axis * found.vector).sum(1) > 0).all()
    np.testing.assert_allclose(TIME[found.norm[1:3].argmax(1)], [0.325, 0.475])
    assert TIME[found.norm[0].argmax()] > 0.75
    assert [(TIME[w[0]].round(3), TIME[w[-1]].round(3)) for w in found.window] == [
        (0.625, 0.825),
        (0.275, 0.425),
        (0.375, 0.525),
        (0.125, 0.825),
    ]
    peaks = fitted(variables, values, windows=[None] * 4)
    np.testing.assert_allclose(TIME[peaks.window[1]], [0.325])
    assert cosines(peaks.vector, planted).min() > 0.95
    # The trajectories on axes share out no more than all variance.
    assert 0.3 < found.explained(found.axis).sum() < 1
    np.testing.assert_allclose(found.explained(np.eye(40)).sum(), 1)


def test_scale_and_offset_of_units_change_nothing_and_all_components_denoise_nothing():
    rng = np.random.default_rng(5)
    variables, values, _ = population(rng, 300, 8)
    first = fitted(variables, values)
    other = fitted(variables, 7 + values * rng.uniform(0.1, 9, 8))
    np.testing.assert_allclose(first.axis, other.axis, atol=1e-9)
    np.testing.assert_allclose(first.trajectory, other.trajectory, atol=1e-8)
    # 12 components of 8 units are the whole space.
    assert first.basis.shape == (8, 8)
    np.testing.assert_allclose(first.denoised, tdr.smoothed(first.coefficient, TIME), atol=1e-10)
    fewer = fitted(variables, values, components=3)
    assert np.linalg.matrix_rank(fewer.vector) == 3


@pytest.mark.parametrize("pooled", [False, True])
def test_null_of_a_variable_without_effect_holds_while_another_has_one(pooled):
    rng = np.random.default_rng(6)
    p = []
    for _ in range(120):
        variables, values, planted = population(rng, 160, 6, noise=0.7)
        # Color has no effect; choice, which goes with it, has.
        scaled = variables["color"] / 0.5
        values = values - 3 * np.einsum("n,t,u->ntu", scaled, np.exp(-0.5 * ((TIME - 0.475) / 0.1) ** 2), planted[2])
        values = tdr.z_scored(values)[:, 5:9].mean(1, keepdims=True)
        _, columns = tdr.design(variables, interacting="context")
        actual = np.linalg.norm(tdr.regress(values, columns)[2])
        null = axis_tests.null_norms(values, columns, 2, np.arange(160), 59, rng, pooled=pooled)[:, 0]
        p.append((1 + (null >= actual).sum()) / 60)
    # Under the null p-values are uniform: the share below 0.1 has a standard error of 0.03, their mean one of 0.026.
    assert 0.02 < np.mean(np.array(p) <= 0.1) < 0.2
    assert abs(np.mean(p) - 0.5) < 0.1


def test_null_of_a_variable_that_is_constant_in_blocks_exchanges_blocks():
    """Drift from block to block makes contexts differ; single trials would call that an effect, blocks don't."""
    rng = np.random.default_rng(7)
    block = np.repeat(np.arange(12), 20)
    found = {True: [], False: []}
    for _ in range(60):
        variables = task(rng, 240)
        variables["context"] = rng.permutation(np.repeat([-1.0, 1.0], 6))[block]
        values = rng.standard_normal((240, 1, 5)) + rng.standard_normal((12, 1, 5))[block]
        _, columns = tdr.design(variables, interacting="context")
        actual = np.linalg.norm(tdr.regress(values, columns)[3])
        for constant in found:
            group = block if constant else np.arange(240)
            null = axis_tests.null_norms(values, columns, 3, group, 59, rng, constant=constant)[:, 0]
            found[constant].append((1 + (null >= actual).sum()) / 60)
    assert np.mean(np.array(found[True]) <= 0.05) < 0.15
    assert np.mean(np.array(found[False]) <= 0.05) > 0.8


def test_exchange_moves_whole_groups_of_one_size():
    rng = np.random.default_rng(8)
    group = rng.permutation(np.repeat(np.arange(9), [2, 2, 2, 3, 3, 3, 1, 1, 4]))
    for order in axis_tests.exchange(group, rng, 20):
        assert sorted(order) == list(range(len(group)))
        for g in range(9):
            assert len(set(group[order][group == g])) == 1
    assert axis_tests.exchangeable(group) == 3


def test_angles_are_those_planted_whatever_the_noise():
    rng = np.random.default_rng(9)
    n_units, n = 60, 600
    a, b = np.linalg.qr(rng.standard_normal((n_units, 2)))[0].T
    b = 1.5 * (np.cos(np.radians(50)) * a + np.sin(np.radians(50)) * b)
    naive, corrected, reliable = [], [], []
    for _ in range(15):
        x = rng.choice([-1.0, 1.0], (n, 2))
        values = np.einsum("nk,ku->nu", x, np.stack([a, b])) + 3 * rng.standard_normal((n, n_units))
        _, columns = tdr.design({"first": x[:, 0], "second": x[:, 1]})
        both = np.repeat(values[:, None], 2, axis=1)
        cell = (x[:, 0] > 0) * 2 + (x[:, 1] > 0)
        vectors = axis_tests.split_vectors(both, columns, cell, 20, rng)
        angle = axis_tests.corrected_angles(axis_tests.products(vectors).sum(-1))
        np.testing.assert_allclose(np.diagonal(angle), 0, atol=1e-5)
        corrected.append(angle[0, 1])
        reliable.append(axis_tests.reliabilities(vectors)[0])
        beta = tdr.regress(values[:, None], columns)[:2, 0]
        naive.append(np.degrees(np.arccos(cosines(beta[:1], beta[1:])))[0])
    assert np.mean(naive) > 58
    assert abs(np.mean(corrected) - 50) < 3
    # A vector of length 1 has noise of squared length n_units · 9 / n.
    np.testing.assert_allclose(np.mean(reliable), 1 / (1 + n_units * 9 / n), atol=0.05)


def test_halves_share_no_trial_and_divide_cells():
    rng = np.random.default_rng(10)
    cell = rng.integers(5, size=101)
    weights = (rng.random((101, 3)) < 0.7).astype(float)
    first = axis_tests.halves(cell, 3, rng, weights=weights, pooled=True)
    assert not first[weights == 0].any()
    for u in range(3):
        for c in range(5):
            mine = (cell == c) & (weights[:, u] > 0)
            assert abs(2 * first[mine, u].sum() - mine.sum()) <= 1
    assert axis_tests.halves(cell, 3, rng, weights=None, pooled=False).shape == (101, 1)
