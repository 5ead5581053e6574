"""Demixed components: marginalisations, the optimum, planted axes, regularisation, nulls, pools and refusals."""

import numpy as np
import pytest
from conftest import ABOUT
from trials import one_line, recording

from neurocompare import demixing
from neurocompare.description import conditions, dpca, dpca_axes
from neurocompare.errors import UserError
from neurocompare.ingestion.pseudopopulation import pool
from neurocompare.recordings import mante2013

BY = "dpca-by=choice+motion"


def planted(seed=0, p=12, n_times=8, per_cell=(6, 4, 9, 5, 7, 6), noise=1.0, scale=(4, 4, 4, 0), **attributes):
    """Responses of units to 2 choices × 3 motions on axes of their own, and those axes: time, choice, motion, both."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((p, 4)))[0].T
    course = np.sin(np.linspace(0, 3, n_times)) + 0.2
    choice, motion = np.array([-1.0, 1.0]), np.array([-1.0, 0.0, 1.0])
    signs = np.repeat(np.arange(6), per_cell)
    c, m = choice[signs // 3], motion[signs % 3]
    levels = np.stack([np.ones(len(signs)), c, m, c * (3 * m**2 - 2)], axis=1) * scale
    rate = np.einsum("nk,t,ku->ntu", levels, course, axes)
    values = rate + noise * rng.standard_normal(rate.shape)
    order = rng.permutation(len(values))
    array = recording(
        values[order],
        time=0.1 * np.arange(n_times),
        coordinates={"choice": c[order].astype(int), "motion": m[order]},
        **attributes,
    )
    return array, axes


def by_quantity(rows):
    return {(row["quantity"], row["condition"].split(";chance")[0]): row for row in rows}


@pytest.fixture
def few(monkeypatch):
    for name, value in {"SHUFFLES": 19, "SPLITS": 5}.items():
        monkeypatch.setattr(dpca_axes, name, value)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 2)])
def test_marginalisations_are_orthogonal_and_sum_to_the_averages(shape):
    factors = ("a", "b", "c")[: len(shape)]
    x = np.random.default_rng(0).standard_normal((5, *shape, 7)) + 3
    parts = demixing.marginalisations(x, factors)
    assert len(parts) == 2 ** len(shape) and list(parts)[0] == "time"
    np.testing.assert_allclose(sum(parts.values()), demixing.centred(x), atol=1e-12)
    flat = [part.reshape(5, -1) for part in parts.values()]
    for i, one in enumerate(flat):
        for other in flat[:i]:
            np.testing.assert_allclose(one @ other.T, 0, atol=1e-10)
    total = sum((part**2).sum() for part in parts.values())
    assert total == pytest.approx((demixing.centred(x) ** 2).sum())


def test_marginalisations_by_hand():
    """A two-way table at each time: the analysis of variance that everyone knows."""
    x = np.random.default_rng(1).standard_normal((1, 2, 3, 4))
    parts = demixing.marginalisations(x, ("a", "b"))
    for t in range(4):
        table = x[0, :, :, t]
        row, column, grand = table.mean(1, keepdims=True), table.mean(0, keepdims=True), table.mean()
        np.testing.assert_allclose(parts["a"][0, :, :, t], np.tile(row - grand, (1, 3)))
        np.testing.assert_allclose(parts["b"][0, :, :, t], np.tile(column - grand, (2, 1)))
        np.testing.assert_allclose(parts["a×b"][0, :, :, t], table - row - column + grand)
        np.testing.assert_allclose(parts["time"][0, :, :, t], grand - x.mean())


@pytest.mark.parametrize("noise", [None, "diagonal", "full"])
def test_the_axes_are_the_optimum_of_the_penalised_loss(noise):
    """No small change of decoder or encoder lowers the loss of the module's docstring."""
    rng = np.random.default_rng(2)
    p, q, ridge = 6, 2, 0.1
    x = demixing.centred(rng.standard_normal((p, 2, 3, 5)))
    root = rng.standard_normal((p, p))
    covariance = {None: np.zeros((p, p)), "diagonal": np.diag(np.arange(1.0, p + 1)), "full": root @ root.T}[noise]
    given = {None: None, "diagonal": np.diag(covariance), "full": covariance}[noise]
    flat, size = x.reshape(p, -1), (ridge * np.linalg.norm(x)) ** 2
    for name, part in demixing.marginalisations(x, ("a", "b")).items():
        axes = demixing.fit(x, ("a", "b"), ridge=ridge, noise=given, components=q)[name]
        np.testing.assert_allclose(axes.encoder.T @ axes.encoder, np.eye(q), atol=1e-10)

        wanted = part.reshape(p, -1)

        def loss(encoder, decoder, wanted=wanted):
            both = encoder @ decoder
            return ((wanted - both @ flat) ** 2).sum() + np.trace(both @ (covariance + size * np.eye(p)) @ both.T)

        best = loss(axes.encoder, axes.decoder)
        for _ in range(30):
            moves = 1e-3 * rng.standard_normal((2, p, q))
            assert loss(axes.encoder + moves[0], axes.decoder + moves[1].T) > best
        # The full-rank regression, cut to its best directions by an independent route.
        gram = flat @ flat.T + covariance + size * np.eye(p)
        full = part.reshape(p, -1) @ flat.T @ np.linalg.inv(gram)
        top = np.linalg.eigh(full @ gram @ full.T)[1][:, -q:]
        np.testing.assert_allclose(axes.encoder @ axes.decoder, top @ top.T @ full, atol=1e-8)


def test_one_factor_without_time_is_principal_component_analysis():
    x = np.random.default_rng(3).standard_normal((4, 9, 1))
    axes = demixing.fit(x, ("a",), components=2)["a"]
    flat = demixing.centred(x)[..., 0]
    u, s, _ = np.linalg.svd(flat, full_matrices=False)
    np.testing.assert_allclose(np.abs(axes.encoder.T @ u[:, :2]), np.eye(2), atol=1e-10)
    np.testing.assert_allclose(axes.decoder, axes.encoder.T, atol=1e-10)
    np.testing.assert_allclose(demixing.captured(axes, demixing.centred(x)), s[:2] ** 2)


def test_rotated_units_have_rotated_axes():
    rng = np.random.default_rng(4)
    x, turn = rng.standard_normal((5, 2, 3, 4)), np.linalg.qr(rng.standard_normal((5, 5)))[0]
    plain = demixing.fit(x, ("a", "b"), ridge=0.2, noise=np.eye(5), components=2)
    turned = demixing.fit(np.tensordot(turn, x, 1), ("a", "b"), ridge=0.2, noise=np.eye(5), components=2)
    for name, axes in plain.items():
        product = turn @ axes.encoder @ axes.decoder @ turn.T
        np.testing.assert_allclose(turned[name].encoder @ turned[name].decoder, product, atol=1e-10)


def test_averages_and_noise_are_those_of_a_loop():
    rng = np.random.default_rng(5)
    cell = rng.permutation(np.repeat(np.arange(6), [2, 3, 4, 2, 5, 3]))
    values = rng.standard_normal((19, 4, 3))
    mean = demixing.averages(values, cell, (2, 3))
    expected = np.zeros((3, 3))
    for k in range(6):
        trials = values[cell == k]
        np.testing.assert_allclose(mean[:, k // 3, k % 3], trials.mean(0).T)
        for t in range(4):
            expected += np.cov(trials[:, t].T)
    np.testing.assert_allclose(demixing.noise_covariance(values, cell, (2, 3), pooled=False), expected)
    np.testing.assert_allclose(demixing.noise_covariance(values, cell, (2, 3), pooled=True), np.diag(expected))


@pytest.mark.parametrize("pooled", [False, True])
def test_held_out_trials_are_not_in_the_averages_of_the_others(pooled):
    rng = np.random.default_rng(6)
    cell = rng.permutation(np.repeat(np.arange(4), [2, 3, 4, 5]))
    values = rng.standard_normal((14, 3, 6))
    rest, held = demixing.hold_out(values, cell, (2, 2), rng, pooled=pooled)
    chosen = set()
    for k in range(4):
        for unit in range(6):
            trials = values[cell == k, :, unit]
            same = [i for i, trial in enumerate(trials) if np.allclose(trial, held[unit, k // 2, k % 2])]
            assert len(same) == 1
            chosen.add((k, same[0]))
            np.testing.assert_allclose(rest[unit, k // 2, k % 2], np.delete(trials, same[0], axis=0).mean(0))
    assert (len(chosen) > 4) == pooled


def test_planted_axes_and_variances_are_recovered(few):
    array, axes = planted()
    rows, details = dpca.describe(array, BY, seed=0)
    found = by_quantity(rows)
    for k, name in enumerate(("time", "choice", "motion")):
        encoder = details.encoder.sel(component=f"{name} 1").values
        assert np.abs(encoder @ axes[k]) > 0.97
        assert found["purity of component", f"marginalisation={name};component=1"]["value"] > 0.9
    data = conditions.crossed(array, "choice+motion", BY)
    raw = [found["variance", f"marginalisation={name}"]["value"] for name in details.marginalisation.values]
    assert sum(raw) == pytest.approx(1)
    # What was planted, without noise: the course varies over time only for the common part; a factor is its square.
    course = np.sin(np.linspace(0, 3, 8)) + 0.2
    true = np.array([course.var(), (course**2).mean(), 2 / 3 * (course**2).mean(), 0]) * 16
    total = (demixing.centred(demixing.averages(data.values, data.cell, data.shape)) ** 2).sum() / 48
    signal = [found["signal variance", f"marginalisation={name}"]["value"] for name in details.marginalisation.values]
    np.testing.assert_allclose(signal, true / total, atol=0.03)
    assert raw[3] > 0.03 and abs(signal[3]) < 0.02
    np.testing.assert_allclose(details.variance_by.sum("component") <= details.share + 1e-9, True)


def test_only_axes_that_tell_something_are_significant(few):
    array, _ = planted(noise=2.0)
    rows, details = dpca.describe(array, BY, seed=0)
    found = by_quantity(rows)
    for name, chance in (("choice", 0.5), ("motion", 1 / 3)):
        axis = found["accuracy of axis", f"marginalisation={name};component=1"]
        assert axis["p_value"] == pytest.approx(0.05) and axis["value"] > chance + 0.2
        assert axis["null_mean"] == pytest.approx(chance, abs=0.05)
        assert (details.accuracy.sel(component=f"{name} 1") > details.null_high.sel(component=f"{name} 1")).any()
    both = found["accuracy of axis", "marginalisation=choice×motion;component=1"]
    # Both factors are strong; without subtracting them, their leak would pass for an interaction.
    assert both["p_value"] > 0.05 and both["value"] == pytest.approx(1 / 6, abs=0.08)


def test_a_planted_interaction_is_found(few):
    array, axes = planted(seed=1, scale=(4, 2, 2, 4))
    rows, details = dpca.describe(array, BY, seed=0)
    assert np.abs(details.encoder.sel(component="choice×motion 1").values @ axes[3]) > 0.95
    row = by_quantity(rows)["accuracy of axis", "marginalisation=choice×motion;component=1"]
    assert row["p_value"] == pytest.approx(0.05) and row["value"] > 0.25


def test_p_values_of_axes_without_information_are_uniform():
    """One factor, no effect: the p-value is one of 20 with equal probability."""
    found = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        label = rng.permutation(np.repeat([0, 1], 8))
        array = recording(rng.standard_normal((16, 3, 4)), time=[0, 0.1, 0.2], coordinates={"label": label})
        data = conditions.crossed(array, "label", "dpca-by=label")
        accuracy, null = dpca_axes.accuracies(data, "label", ridge=0.1, components=1, shuffles=19, rng=rng, splits=3)
        found.append((1 + (null.mean((1, 2)) >= accuracy.mean() - 1e-12).sum()) / 20)
    assert np.mean(np.array(found) <= 0.05) <= 0.15
    assert 0.4 < np.mean(found) < 0.65


def test_regularised_axes_demix_new_trials_better():
    """Noisy trials of a second draw, against the planted truth, which neither fit has seen."""
    array, _ = planted(noise=3.0, p=40, per_cell=(3,) * 6)
    other, truth = (planted(noise=noise, p=40, per_cell=(3,) * 6)[0] for noise in (3.0, 0.0))
    other = other.copy(data=truth.values + 3 * np.random.default_rng(9).standard_normal(truth.shape))
    data, new, planned = (conditions.crossed(a, "choice+motion", BY) for a in (array, other, truth))
    errors = demixing.reconstruction_errors(
        data.values,
        data.cell,
        data.shape,
        data.factors,
        dpca.RIDGES,
        np.random.default_rng(0),
        pooled=False,
        components=3,
    ).mean(0)
    # Far too large a penalty predicts nothing at all.
    assert errors[-1] == pytest.approx(1, abs=0.02) and errors.min() < 0.95
    noise = demixing.noise_covariance(data.values, data.cell, data.shape, pooled=False)
    mean = demixing.averages(data.values, data.cell, data.shape)
    trial = demixing.centred(demixing.averages(new.values, new.cell, new.shape)).reshape(40, -1)
    wanted = demixing.marginalisations(demixing.averages(planned.values, planned.cell, planned.shape), data.factors)
    wrong = []
    for options in ({"ridge": dpca.RIDGES[errors.argmin()], "noise": noise}, {}):
        axes = demixing.fit(mean, data.factors, components=3, **options)
        wrong.append(
            sum(
                ((part.reshape(40, -1) - axes[k].encoder @ axes[k].decoder @ trial) ** 2).sum()
                for k, part in wanted.items()
            )
        )
    assert wrong[0] < 0.6 * wrong[1]


def test_pools_averages_and_blocks_say_what_they_lack(few):
    array, _ = planted(simultaneous=False)
    rows, details = dpca.describe(array, BY, seed=0)
    assert {row["quantity"] for row in rows if row["quantity"].startswith("accuracy")} == {
        "accuracy of axis of pooled units"
    }
    assert details.attrs["pooled"] == 1
    rows, _ = dpca.describe(array.assign_attrs(constant_in_blocks="motion"), BY, seed=0)
    status = {row["condition"].split(";")[0]: row["status"] for row in rows if row["quantity"].startswith("accuracy")}
    assert "constant" not in status["marginalisation=choice"]
    assert all("constant_in_blocks" in status[f"marginalisation={name}"] for name in ("motion", "choice×motion"))
    rows, _ = dpca.describe(array.assign_attrs(exchangeable="block"), BY, seed=0)
    assert all(np.isnan(row["p_value"]) for row in rows)
    mean = array.assign_attrs(average="trials of a condition")
    rows, details = dpca.describe(mean, BY, seed=0)
    lacking = {row["quantity"] for row in rows if row["status"] == "no_trials"}
    assert "accuracy of axis of pooled units" in lacking and "variance" not in lacking
    assert np.isfinite(details.score.values).all() and np.isnan(details.accuracy.values).all()


def test_single_windows_have_no_marginalisation_of_time(few):
    array, axes = planted()
    rows, details = dpca.describe(array.mean("time", keep_attrs=True), BY, seed=0)
    assert list(details.marginalisation.values) == ["choice", "motion", "choice×motion"]
    assert np.abs(details.encoder.sel(component="choice 1").values @ axes[1]) > 0.95


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("dpca-by=choise", ["did you mean", "choice"]),
        ("dpca-by=choice+choice", ["once"]),
        ("dpca-of=choice", ["must read dpca-by=…"]),
        ("dpca-by=repeat", ["not discrete", "repeat"]),
        ("dpca-by=choice+fixed", ["'fixed' has 1 values"]),
        ("dpca-by=choice+copy", ["do not occur", "choice=-1, copy=1", "leave one of choice, copy out"]),
    ],
)
def test_what_can_not_be_demixed_is_told(name, parts):
    array, _ = planted()
    array = array.assign_coords(fixed=("presentation", np.ones(37)), copy=("presentation", array.choice.values))
    with pytest.raises(UserError) as caught:
        dpca.describe(array, name, seed=0)
    assert all(part in one_line(caught) for part in parts), caught.value


def test_missing_labels_and_silent_units_are_left_out():
    array, _ = planted()
    motion = array.motion.values.copy()
    motion[:3] = np.nan
    array = array.assign_coords(motion=("presentation", motion)).copy()
    array.values[..., 2] = 5
    data = conditions.crossed(array, "choice+motion", BY)
    assert (data.missing, data.silent, len(data.cell), len(data.unit_id)) == (3, 1, 34, 11)
    assert data.names[0] == "choice=-1, motion=-1" and data.shape == (2, 3)
    assert all(
        data.names[cell] == f"choice={c}, motion={m:g}"
        for cell, c, m in zip(data.cell, array.choice.values[3:], motion[3:], strict=True)
    )


def test_choice_is_on_an_axis_of_prefrontal_cortex(real_data):
    paths = sorted((real_data / "mante2013_pfc").glob("*.mat"))
    arrays = [mante2013.ingest({p.name: p}, about=ABOUT, window=[0.1, 0.85], bin_width=0.05) for p in paths]
    match = ["context", "motion_level", "color_level", "choice"]
    array = pool(arrays, match=match, where={"correct": 1}, lacking="member", repeats=2)
    rows, details = dpca.describe(array, "dpca-by=choice+motion_level", seed=0)
    found = by_quantity(rows)
    choice = found["accuracy of axis of pooled units", "marginalisation=choice;component=1"]
    assert choice["p_value"] == pytest.approx(0.01) and choice["value"] > 0.55
    # Late, not early: the monkeys decide while the dots are shown.
    line = details.accuracy.sel(component="choice 1")
    assert line.where(line.time > 0.5).mean() > line.where(line.time < 0.3).mean() + 0.05
