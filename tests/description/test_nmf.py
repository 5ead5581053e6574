"""Parts: planted factors and rank, optimality, invariances, nulls, and the policy for negative values."""

import time

import numpy as np
import pytest
from conftest import ABOUT
from cubes import recording
from trials import one_line
from trials import recording as single_trials

from neurocompare import consensus, factorization
from neurocompare.description import nmf
from neurocompare.errors import UserError
from neurocompare.recordings import antolik2016


def planted(rank, n=36, p=45, n_repeats=6, seed=0, mean=4.0):
    """Poisson counts whose rates are a product of sparse non-negative factors."""
    rng = np.random.default_rng(seed)
    w, h = rng.gamma(0.5, 1, (n, rank)), rng.dirichlet(np.full(p, 0.3), rank)
    rate = w @ h
    return rng.poisson((mean * rate / rate.mean())[:, None], (n, n_repeats, p)).astype(float), h


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_planted_parts_are_recovered(loss):
    cube, truth = planted(4)
    fits = factorization.parts(cube.mean(1), 4, seed=0, loss=loss, starts=5)
    assert factorization.matched_cosine(fits[0][1], truth) > 0.97
    assert [fit[2] for fit in fits] == sorted(fit[2] for fit in fits)
    np.testing.assert_allclose(np.linalg.norm(fits[0][1], axis=1), 1)


@pytest.mark.parametrize(("rank", "seed", "slack"), [(1, 0, 0), (3, 1, 0), (5, 2, 1)])
def test_planted_rank_is_recovered(rank, seed, slack):
    """With five parts and 24 stimuli left to fit them, one more or less is the precision there is."""
    ranks = np.arange(1, 8)
    cube, _ = planted(rank, seed=seed)
    errors = factorization.bi_cross_validation(cube.mean(1), ranks, seed=seed)
    assert abs(factorization.choose_rank(errors, ranks) - rank) <= slack


def test_rank_within_one_standard_error_not_the_minimum():
    rng = np.random.default_rng(0)
    base = np.array([1.0, 0.5, 0.3, 0.29, 0.28])
    errors = base + rng.standard_normal((2, 9, 1)) * 0.1
    assert factorization.choose_rank(errors, np.arange(1, 6)) == 3
    assert factorization.choose_rank(np.tile(base, (2, 9, 1)), np.arange(1, 6)) == 5


def test_held_out_error_does_not_fall_with_rank_where_the_fit_does():
    """Pure noise around a constant: the fit improves with every part, the prediction does not."""
    x = np.random.default_rng(1).gamma(2, 1, (36, 45))
    ranks = np.arange(1, 7)
    errors = factorization.bi_cross_validation(x, ranks, seed=0, partitions=1)
    error = errors.mean((0, 1))
    fit = [factorization.parts(x, rank, seed=0, starts=2)[0][2] for rank in ranks]
    assert np.all(np.diff(fit) < 0)
    assert error[-1] > error[0]
    assert error[0] == pytest.approx((x.var() / (x**2).mean()), rel=0.15)
    assert factorization.choose_rank(errors, ranks) == 1


def test_solution_obeys_the_karush_kuhn_tucker_conditions():
    cube, _ = planted(3)
    x = cube.mean(1)
    w, h, _ = factorization.parts(x, 3, seed=0, starts=3)[0]
    gradient = (w @ h - x) @ h.T
    scale = np.abs(x @ h.T).max()
    assert np.abs(gradient * (w > 0)).max() < 1e-3 * scale
    assert gradient.min() > -1e-3 * scale


def test_matching_ignores_order_and_scale():
    h = np.random.default_rng(2).random((5, 30))
    assert factorization.matched_cosine(h, (h * np.arange(1, 6)[:, None])[::-1]) == pytest.approx(1)
    assert factorization.matched_cosine(np.eye(4)[:2], np.eye(4)[2:]) == 0
    assert factorization.matched_cosine(h, np.zeros_like(h)) == 0


def test_shuffling_units_permutes_the_columns_of_the_parts():
    """What the null relies on: shuffling data and shuffling their parts is the same."""
    cube, _ = planted(3)
    order = np.random.default_rng(3).permutation(45)
    plain, shuffled = (
        factorization.parts(x, 3, seed=0, starts=3)[0][1] for x in (cube.mean(1), cube.mean(1)[:, order])
    )
    assert factorization.matched_cosine(plain[:, order], shuffled) > 0.999


def test_description_of_planted_parts():
    cube, truth = planted(3, n=30, p=40, n_repeats=8)
    rows, details = nmf.describe(recording(cube), "nmf-loss=frobenius", seed=0)
    rows = {row["quantity"]: row for row in rows}
    assert rows["number of parts"]["value"] == 3
    assert rows["stability over starts"]["value"] > 0.99
    reproduced = rows["reproducibility of parts"]
    assert reproduced["value"] > 0.95
    assert reproduced["p_value"] == pytest.approx(1 / 1001)
    assert reproduced["ci_low"] < reproduced["value"] <= reproduced["ci_high"] <= 1
    assert factorization.matched_cosine(details.part.values, truth) > 0.97
    assert int(details.chosen_rank) == 3
    weight, part = details.weight.values, details.part.values
    assert np.all(np.diff(weight.sum(0)) <= 0)
    assert np.linalg.norm(weight @ part - cube.mean(1)) < 0.2 * np.linalg.norm(cube.mean(1))


def test_parts_of_noise_are_not_reproduced():
    cube = np.random.default_rng(4).gamma(0.3, 1, (24, 4, 30))
    array = recording(cube)
    data = nmf._responses(array, {"loss": "frobenius"}, "nmf-loss=frobenius")
    value, null, _ = nmf._reproducibility(data, 4, "frobenius", np.random.default_rng(0))
    assert null.mean() - 0.15 < value < np.quantile(null, 0.999) + 0.1
    rows, _ = nmf.describe(array, "nmf-loss=frobenius", seed=0)
    assert rows[0]["value"] == 1


def test_negative_values_follow_the_policy():
    cube, _ = planted(2, n=20, p=24, n_repeats=4)
    cube -= 2
    with pytest.raises(UserError, match="nmf-loss=frobenius: .* of 24 units have negative mean responses"):
        nmf.describe(recording(cube), "nmf-loss=frobenius", seed=0)
    x = cube.mean(1)
    np.testing.assert_array_equal(factorization.non_negative(x, "rectify"), np.maximum(x, 0))
    shifted = factorization.non_negative(x, "shift")
    np.testing.assert_allclose(shifted.min(0), np.maximum(x.min(0), 0))
    np.testing.assert_allclose(np.diff(shifted, axis=0), np.diff(x, axis=0), atol=1e-12)
    rows, details = nmf.describe(recording(cube), "nmf-loss=frobenius-negative=rectify", seed=0)
    assert details.attrs["negative"] == "rectify"
    assert np.isfinite([row["value"] for row in rows]).all()
    with pytest.raises(UserError, match="use one of refuse, rectify, shift"):
        factorization.non_negative(x, "clip")


def test_almost_silent_populations_are_described():
    cube = np.zeros((12, 2, 12))
    cube[0, :, 0], cube[3, :, 4] = 1, 2
    rows, _ = nmf.describe(recording(cube), "nmf-loss=frobenius", seed=0)
    lacking = {row["quantity"]: row["status"] for row in rows if not np.isfinite(row["value"])}
    assert lacking == {"cophenetic correlation of the consensus": "one_part"}


def test_what_is_missing_is_told():
    with pytest.raises(UserError, match="too few; 6 of each"):
        nmf.describe(recording(np.ones((20, 2, 3))), "nmf-loss=frobenius", seed=0)
    with pytest.raises(UserError, match="all mean responses are zero"):
        nmf.describe(recording(np.zeros((20, 2, 10))), "nmf-loss=frobenius", seed=0)
    with pytest.raises(UserError, match="unknown description"):
        nmf.describe(recording(np.ones((20, 2, 10))), "nmf-loss=itakura-saito", seed=0)


@pytest.fixture
def few(monkeypatch):
    """Fewer ranks and draws, for tests that are of something else."""
    for name, value in {"LARGEST_RANK": 4, "DRAWS": 2, "BOOTSTRAPS": 10, "PERMUTATIONS": 200}.items():
        monkeypatch.setattr(nmf, name, value)


def in_time(seed=0, n=4, n_repeats=4, n_times=20, p=24):
    """Poisson counts of units that follow three time courses, each strongest in other stimuli."""
    rng = np.random.default_rng(seed)
    time = np.arange(n_times)
    bump = np.exp(-0.5 * ((time - np.array([3, 9, 16])[:, None]) / 1.5) ** 2)
    course = rng.uniform(0.2, 1, (n, 3))[:, :, None] * bump
    h = np.repeat(np.eye(3), p // 3, axis=1) * rng.uniform(0.5, 1, p)
    rate = 8 * np.einsum("ckt,ku->ctu", course, h)
    values = rng.poisson(np.repeat(rate, n_repeats, axis=0)).astype(float)
    stimulus = np.repeat([f"s{i}" for i in range(n)], n_repeats)
    array = single_trials(values, time=0.05 * time, stimulus=stimulus, response="spike count")
    return array.assign_coords(repeat=("presentation", np.tile(np.arange(n_repeats), n))), course, h


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_planted_time_courses_are_recovered(loss, few):
    array, course, h = in_time()
    rows, details = nmf.describe(array, f"nmf-of=time-loss={loss}", seed=0)
    rows = {row["quantity"]: row for row in rows}
    assert rows["number of parts"]["value"] == 3
    assert factorization.matched_cosine(details.part.values, h) > 0.97
    found = details.course.values.reshape(3, -1)
    assert factorization.matched_cosine(found, course.transpose(1, 0, 2).reshape(3, -1)) > 0.95
    assert rows["cophenetic correlation of the consensus"]["value"] > 0.99
    assert rows["dispersion of the consensus"]["value"] > 0.9
    assert rows["reproducibility of parts"]["p_value"] < 0.01
    np.testing.assert_allclose(details.time, array.time)


@pytest.mark.parametrize("loss", ["frobenius", "kullback-leibler"])
def test_planted_parts_of_single_trials_are_recovered(loss, few):
    """Every trial calls for the parts in its own way, which averages over trials lose."""
    rng = np.random.default_rng(5)
    h = np.repeat(np.eye(2), 10, axis=1) * rng.uniform(0.5, 1, 20)
    cube = rng.poisson(10 * rng.gamma(1, 1, (2, 20, 2)) @ h).astype(float)
    rows, details = nmf.describe(recording(cube), f"nmf-of=trials-loss={loss}", seed=0)
    rows = {row["quantity"]: row for row in rows}
    assert rows["number of parts"]["value"] == 2 and rows["number of parts"]["n_trials"] == 40
    assert factorization.matched_cosine(details.part.values, h) > 0.97
    with pytest.raises(UserError, match="2 stimuli and 20 units are too few"):
        nmf.describe(recording(cube), f"nmf-of=conditions-loss={loss}", seed=0)


def test_what_one_block_has_is_no_part_of_trials(few):
    """A pattern that is there in one block only predicts no other block, though it predicts trials of that block."""
    rng = np.random.default_rng(8)
    h = np.repeat(np.eye(2), [12, 6], axis=1)[:, :18]
    weight = np.stack([rng.gamma(2, 1, (6, 12)), np.zeros((6, 12))], axis=-1)
    weight[:, :2, 1] = rng.gamma(2, 1, (6, 2))
    cube = rng.poisson(10 * weight @ h).astype(float)
    found = {}
    for name, block in {"blocks": np.tile(np.arange(12) // 2, 6), "trials": np.zeros(72, dtype=int)}.items():
        array = recording(cube).assign_coords(block=("presentation", block))
        line = nmf.describe(array, "nmf-of=trials-loss=frobenius", seed=0)[0][0]
        assert f"held-out={name}" in line["condition"]
        found[name] = line["value"]
    assert found == {"blocks": 1, "trials": 2}


def test_large_recordings_are_sampled_unless_rows_are_averages(monkeypatch):
    monkeypatch.setattr(nmf, "LARGEST_ROWS", 30)
    cube, _ = planted(2, n=20, p=12, n_repeats=6)
    ranks = np.array([1, 2])
    for kind, expected in {"trials": 30, "conditions": 20}.items():
        data = nmf._responses(recording(cube), {"of": kind}, "nmf")
        errors, used = nmf._errors(data, data.matrix(), ranks, "frobenius", 0)
        assert used == expected and np.isfinite(errors).all()
    monkeypatch.setattr(nmf, "LARGEST_ROWS", 10)
    data = nmf._responses(recording(cube), {}, "nmf")
    plain = factorization.bi_cross_validation(cube.mean(1), ranks, seed=0)
    np.testing.assert_allclose(nmf._errors(data, data.matrix(), ranks, "frobenius", 0)[0], plain, rtol=1e-5)


def test_conditions_is_what_is_factorised_by_default(few):
    cube, _ = planted(2, n=12, p=14, n_repeats=4)
    plain, named = (
        nmf.describe(recording(cube), f"nmf-{of}loss=frobenius", seed=0)[0] for of in ("", "of=conditions-")
    )
    assert [row["value"] for row in plain] == [row["value"] for row in named]


def test_peak_scaling_lets_weak_units_count():
    """Ten strong units and ten weak ones, which follow another part: the loss hardly sees the weak ones as they are."""
    rng = np.random.default_rng(6)
    cube, _ = planted(2, n=12, p=14, n_repeats=4)
    array = recording(cube * np.array([1.0] * 7 + [40.0] * 7))
    array.attrs.update(response="firing rate", units="spikes/s")
    options = {"loss": "frobenius", "scale": "peak"}
    data = nmf._responses(array, options, "nmf-of=conditions-loss=frobenius-scale=peak")
    means = array.values.reshape(12, 4, 14).mean(1)
    np.testing.assert_allclose(data.matrix(), means / (means.max(0) + 5))
    # In other units, a tenth of the median peak; then the unit of measurement does not matter.
    first, second = (
        nmf._responses(recording(cube * unit), options, "nmf").matrix() for unit in (1.0, float(rng.uniform(2, 9)))
    )
    np.testing.assert_allclose(first, second)


def test_consensus_is_high_for_planted_parts_and_lower_for_noise():
    """With as many parts as were planted; all starts may agree on fewer parts of noise, too."""
    for seed in (0, 1):
        cube, truth = planted(6, n=50, p=40, seed=seed, mean=20)
        found = []
        for x in (cube.mean(1), np.random.default_rng(seed).gamma(1, 1, (50, 40))):
            fits = factorization.parts(x, 6, seed=0, starts=20)
            matrix = consensus.consensus_matrix(fits)
            np.testing.assert_array_equal(np.diag(matrix), 1)
            np.testing.assert_array_equal(matrix, matrix.T)
            median, agreement = consensus.consensus_parts(consensus.aligned(fits)[1])
            found.append([consensus.cophenetic_correlation(matrix), consensus.dispersion(matrix), agreement.mean()])
            if len(found) == 1:
                assert factorization.matched_cosine(median, truth) > 0.95
        assert min(found[0]) > 0.995
        assert found[1][0] < 0.995 and found[1][1] < 0.9 and found[1][2] < 0.98


def test_consensus_by_hand():
    assert np.isnan(consensus.cophenetic_correlation(np.ones((5, 5))))
    assert consensus.dispersion(np.full((5, 5), 0.5)) == 0
    w = np.ones((3, 2))
    fits = [(w, np.array([[1.0, 1, 0], [0, 0, 1]]), 0.0), (w, np.array([[1.0, 0, 0], [0, 1, 1]]), 0.0)]
    np.testing.assert_array_equal(consensus.consensus_matrix(fits), [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])
    # A part that is hardly called for does not own the units in which it is largest.
    weak = [(np.array([[1.0, 0.01]]), np.array([[0.5, 0.5], [0.4, 0.6]]), 0.0)]
    np.testing.assert_array_equal(consensus.consensus_matrix(weak), 1)


def test_alignment_undoes_the_order_of_the_parts():
    rng = np.random.default_rng(7)
    w, h = rng.random((9, 4)), factorization.unit_rows(rng.random((4, 12)))
    fits = [(w[:, order], h[order], 0.0) for order in ([0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0])]
    weights, parts = consensus.aligned(fits)
    np.testing.assert_array_equal(parts, np.stack([h] * 3))
    np.testing.assert_array_equal(weights, np.stack([w] * 3))
    np.testing.assert_allclose(consensus.consensus_parts(parts)[1], 1)


def test_sparsity_is_that_of_hoyer():
    x = np.array([[1.0, 1, 1, 1], [0, 3, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])
    expected = [0, 1, (2 - np.sqrt(2)) / (2 - 1), np.nan]
    np.testing.assert_allclose(consensus.sparsity(x), expected, atol=1e-12)
    np.testing.assert_allclose(consensus.sparsity(7 * x), expected, atol=1e-12)


def test_averages_have_parts_in_time_and_nothing_to_reproduce(few):
    array, _, h = in_time()
    mean = array.values.reshape(4, 4, 20, 24).mean(1)
    averages = single_trials(
        mean, time=array.time.values, stimulus=[f"s{i}" for i in range(4)], average="trials of a condition"
    ).assign_coords(repeat=("presentation", np.zeros(4, dtype=int)))
    rows, details = nmf.describe(averages, "nmf-of=time-loss=frobenius", seed=0)
    rows = {row["quantity"]: row for row in rows}
    assert rows["number of parts"]["value"] == 3 and factorization.matched_cosine(details.part.values, h) > 0.97
    assert rows["reproducibility of parts"]["status"] == "no_repeats"
    with pytest.raises(UserError, match="needs at least 2 repeats") as caught:
        nmf.describe(averages, "nmf-of=trials-loss=frobenius", seed=0)
    one_line(caught)
    with pytest.raises(UserError, match="'bin_width'") as caught:
        nmf.describe(averages.mean("time", keep_attrs=True), "nmf-of=time-loss=frobenius", seed=0)
    one_line(caught)


def test_parts_of_mouse_v1_in_time(real_data):
    folder = real_data / "antolik2016_mouse_v1" / "region1"
    paths = {name: folder / name for name in (antolik2016.TRIALS_FILE, antolik2016.MEANS_FILE)}
    array = antolik2016.ingest(paths, about=ABOUT)
    started = time.process_time()
    rows, _ = nmf.describe(array, "nmf-loss=frobenius", seed=0)
    assert time.process_time() - started < 20
    rows = {row["quantity"]: row for row in rows}
    assert rows["number of parts"]["value"] >= 2
    assert rows["reproducibility of parts"]["value"] > rows["reproducibility of parts"]["null_high"]
