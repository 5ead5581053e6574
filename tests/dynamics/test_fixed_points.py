"""Fixed points of maps that are known, and of what the search does where there are none or a line of them."""

import numpy as np
import pytest
import torch

from neurocompare.dynamics.descent import descend, distinct, settle, squared_speed
from neurocompare.dynamics.fixed_points import Search, find, find_each
from neurocompare.dynamics.linear import eigen
from neurocompare.dynamics.newton import polish
from neurocompare.recurrent.cells import Cell


def double(array):
    return torch.as_tensor(np.asarray(array), dtype=torch.float64)


def rotation(n, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]


def linear_map(matrix, inputs=None):
    a, b = double(matrix), None if inputs is None else double(inputs)
    return lambda x, u: x @ a.T.to(x.dtype) + (0 if b is None else u @ b.T.to(x.dtype))


def flipflop(n, seed):
    """Three coordinates with fixed points at −1, 0 and 1 and slopes 0.4, 1.3 and 0.4; the others decay; rotated."""
    q = double(rotation(n, seed))

    def step(x, u):
        y = x @ q.to(x.dtype)
        bits = y[..., :3]
        return torch.cat([1.3 * bits - 0.3 * bits**3, 0.5 * y[..., 3:]], -1) @ q.T.to(x.dtype)

    return step, q.numpy()


def around_corners(n, q, rng, count=60):
    """States near the corners only."""
    y = 0.05 * rng.standard_normal((count, n))
    y[:, :3] += np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)])[np.arange(count) % 8]
    return y @ q.T


def test_q_is_half_the_squared_speed_summed_over_the_state():
    step = linear_map(np.diag([0.5, 2.0]))
    q = squared_speed(step, double([[2.0, 3.0]]), double([[0.0]]))
    assert q.item() == pytest.approx(0.5 * (1 + 9))


def test_the_descent_goes_down_the_gradient_of_q():
    cell = Cell("gru", 6, 2, 1)
    rng = np.random.default_rng(0)
    weights = {name: double(rng.standard_normal(shape)) / 2 for name, shape in cell.shapes().items()}
    step, x, u = cell.map(weights), double(rng.standard_normal((4, 6))), double(rng.standard_normal((4, 2)))
    moved = descend(step, x, u, steps=1, longest=torch.tensor(1e-6)) - x
    for k in range(4):
        jacobian = torch.autograd.functional.jacobian(lambda v, k=k: step(v, u[k]), x[k])
        gradient = (jacobian - torch.eye(6)).T @ (step(x[k], u[k]) - x[k])
        torch.testing.assert_close(moved[k] / 1e-6, -gradient / gradient.norm(), atol=1e-6, rtol=0)


def test_states_descend_by_themselves():
    step, q = flipflop(8, 0)
    x = double(around_corners(8, q, np.random.default_rng(1)) * 0.6)
    u = torch.zeros(len(x), 1, dtype=torch.float64)
    whole = descend(step, x, u, steps=30, longest=torch.tensor(0.2))
    torch.testing.assert_close(descend(step, x[5:6], u[5:6], steps=30, longest=torch.tensor(0.2)), whole[5:6])


def test_states_are_polished_by_themselves():
    # Two networks whose states are done at different times: some at once, some after many steps, some never.
    step, q = flipflop(8, 0)
    x = double(around_corners(8, q, np.random.default_rng(1)) * np.linspace(0.2, 1, 60)[:, None])
    x[3] = double(q @ [1.0, 1, 1, 0, 0, 0, 0, 0])
    two = torch.stack([x[:30], x[30:]])
    u = torch.zeros(2, 30, 1, dtype=torch.float64)
    reached, left = polish(step, two, u, radius=0.9)
    assert 20 < (left < 1e-24).sum() < 60
    assert left[0, 3] < 1e-24
    for network, k in np.ndindex(2, 30):
        alone, own = polish(step, two[network, k : k + 1], u[network, k : k + 1], radius=0.9)
        torch.testing.assert_close(alone[0], reached[network, k], rtol=0, atol=1e-9)
        assert own[0].item() == pytest.approx(left[network, k].item(), rel=1e-6, abs=1e-24)


def test_a_linear_map_has_one_point_whatever_the_start_and_its_jacobian_is_the_matrix():
    rng = np.random.default_rng(2)
    a = 0.9 * rotation(7, 3) + 0.2 * rng.standard_normal((7, 7)) / 7**0.5
    b, u = rng.standard_normal((7, 2)), rng.standard_normal(2)
    root = np.linalg.solve(np.eye(7) - a, b @ u)
    states = root + 3 * rng.standard_normal((40, 7))
    found = find(linear_map(a, b), states, u)
    assert found.points.shape == (1, 7)
    np.testing.assert_allclose(found.points[0], root, atol=1e-10)
    np.testing.assert_allclose(found.jacobians[0], a, atol=1e-12)
    assert found.q[0] < 1e-18
    assert found.is_fixed.all()
    assert found.index_sum == np.sign(np.linalg.det(np.eye(7) - a))
    assert found.found[0] == found.starts == found.starts - sum(found.rejected.values())


def test_an_unstable_linear_map_is_found_although_states_leave_it():
    a = np.diag([1.5, 0.5, 0.2])
    found = find(linear_map(a), np.random.default_rng(0).standard_normal((30, 3)), np.zeros(1))
    np.testing.assert_allclose(found.points, [[0, 0, 0]], atol=1e-10)
    assert (found.unstable.tolist(), found.index_sum, found.stable.any()) == ([1], -1, False)


@pytest.mark.parametrize("single", [False, True])
def test_all_27_points_of_a_flipflop_are_found_from_its_corners(single):
    step, q = flipflop(12, 4)
    states = around_corners(12, q, np.random.default_rng(5))
    found = find(step, states, np.zeros(1), fast=step if single else None)
    assert found.is_fixed.all()
    at = found.points @ q
    expected = [[a, b, c] for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]
    assert sorted(at[:, :3].round(8).tolist()) == expected
    np.testing.assert_allclose(at[:, 3:], 0, atol=1e-9)
    np.testing.assert_array_equal(found.unstable, (np.abs(at[:, :3]) < 0.5).sum(1))
    assert np.bincount(found.unstable).tolist() == [8, 12, 6, 1]
    assert (found.index_sum, int(found.stable.sum())) == (1, 8)
    assert found.q.max() < 1e-18
    assert (found.found > 0).all()
    assert found.moving == 0


def test_without_starts_between_the_stable_points_saddles_are_missing_and_the_index_sum_says_so():
    step, q = flipflop(12, 4)
    states = around_corners(12, q, np.random.default_rng(5))
    found = find(step, states, np.zeros(1), Search(between=0))
    assert np.bincount(found.unstable).tolist() == [8]
    assert found.index_sum == 8


def test_a_network_whose_points_are_complete_waits_for_others():
    step, q = flipflop(12, 4)

    def two(x, u):
        return torch.stack([0.5 * x[0], step(x[1], u[1])])

    corners = around_corners(12, q, np.random.default_rng(5))
    one, other = (
        parts[0] for parts in find_each(two, np.stack([corners, corners]), np.zeros((1, 1)), Search(between=40))
    )
    np.testing.assert_allclose(one.points, np.zeros((1, 12)), atol=1e-12)
    assert other.starts > one.starts
    assert np.bincount(other.unstable)[:2].tolist() == [8, 12]


def test_several_networks_and_inputs_at_once_give_what_each_gives_alone():
    matrices = np.array([rotation(5, seed) * 0.8 for seed in range(3)])
    b = np.random.default_rng(0).standard_normal((5, 2))
    inputs = np.array([[0.0, 0.0], [1.0, -0.5]])
    a = double(matrices)

    def step(x, u):
        return torch.tanh(1.7 * x @ a.mT.to(x.dtype) + u @ double(b).T.to(x.dtype))

    states = np.random.default_rng(1).standard_normal((3, 50, 5))
    together = find_each(step, states, inputs)
    counts = []
    for k in range(3):

        def alone(x, u, k=k):
            return torch.tanh(1.7 * x @ a[k].T.to(x.dtype) + u @ double(b).T.to(x.dtype))

        for j, u in enumerate(inputs):
            one, other = find(alone, states[k], u), together[k][j]
            assert len(one.points) == len(other.points)
            order = [np.lexsort(part.points.round(5).T) for part in (one, other)]
            np.testing.assert_allclose(one.points[order[0]], other.points[order[1]], atol=1e-7)
            np.testing.assert_array_equal(other.inputs, u)
            assert one.index_sum == other.index_sum == 1
            counts.append(len(one.points))
    assert max(counts) > 1


def non_normal_line(n, leading, seed):
    """A matrix with one eigenvalue near 1 whose left vector is far from its right one."""
    rng = np.random.default_rng(seed)
    right = np.linalg.qr(rng.standard_normal((n, n)))[0]
    right[:, 1:] += 1.5 * right[:, :1]
    values = np.concatenate([[leading], np.linspace(0.6, 0.1, n - 1)])
    left = np.linalg.inv(right)
    return right * values @ left, right[:, 0], left[0]


def test_a_line_attractor_is_a_line_of_points_with_the_vectors_it_was_made_of():
    matrix, right, left = non_normal_line(6, 1.0, 1)
    states = np.linspace(-2, 2, 60)[:, None] * right + 0.1 * np.random.default_rng(2).standard_normal((60, 6))
    found = find(linear_map(matrix), states, np.zeros(1))
    assert found.is_fixed.all()
    assert len(found.points) > 15
    along = found.points @ right
    np.testing.assert_allclose(found.points, along[:, None] * right, atol=1e-8)
    assert np.ptp(along) > 3.5
    np.testing.assert_allclose(found.eigenvalues[:, 0], 1, atol=1e-9)
    assert not found.unstable.any()
    assert found.index_sum == 0
    parts = eigen(found.jacobians)
    one = parts.right[0, :, 0].real @ right
    np.testing.assert_allclose(parts.left[0, 0].real * one, left, atol=1e-8)


def test_along_a_leaky_line_the_descent_is_kept_as_slow_points():
    matrix, right, _ = non_normal_line(6, 0.998, 1)
    states = np.linspace(-2, 2, 60)[:, None] * right + 0.1 * np.random.default_rng(2).standard_normal((60, 6))
    found = find(linear_map(matrix), states, np.zeros(1), Search(descent=16))
    assert found.is_fixed.sum() == 1
    np.testing.assert_allclose(found.points[found.is_fixed], 0, atol=1e-9)
    slow = found.points[~found.is_fixed]
    assert len(slow) > 10
    assert np.abs(slow - (slow @ right)[:, None] * right).max() < 0.1
    assert np.sqrt(2 * found.q[~found.is_fixed]).max() <= 0.01 * found.spread


def test_a_ring_of_fixed_points_is_kept_all_around():
    def step(x, u):
        return x * (1.3 - 0.3 * (x**2).sum(-1, keepdim=True))

    angles = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    found = find(step, 1.1 * np.stack([np.cos(angles), np.sin(angles)], 1), np.zeros(1))
    radius = np.linalg.norm(found.points[found.is_fixed], axis=1)
    ring = radius > 0.5
    np.testing.assert_allclose(radius[ring], 1, atol=1e-8)
    np.testing.assert_allclose(radius[~ring], 0, atol=1e-8)
    around = np.sort(np.arctan2(*found.points[found.is_fixed][ring].T))
    assert np.diff(around).max() < 0.3


def test_a_limit_cycle_has_an_unstable_focus_inside_and_states_that_keep_moving():
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])

    def step(x, u):
        return (x @ double(turn).T.to(x.dtype)) * (1.2 - 0.2 * (x**2).sum(-1, keepdim=True))

    angles = np.arange(0, 6, 0.3)
    found = find(step, np.stack([np.cos(angles), np.sin(angles)], 1), np.zeros(1))
    np.testing.assert_allclose(found.points, [[0, 0]], atol=1e-9)
    assert found.unstable.tolist() == [2]
    assert found.index_sum == 1
    assert np.angle(found.eigenvalues[0, 0]) == pytest.approx(0.3)
    assert found.moving > 0


def test_points_far_from_the_states_are_outliers():
    def step(x, u):
        # Roots at 0 (stable) and at 50.
        return x + 0.01 * x * (x - 50)

    found = find(step, np.linspace(-1, 1, 40)[:, None], np.zeros(1))
    np.testing.assert_allclose(found.points, [[0.0]], atol=1e-9)
    far = find(step, np.concatenate([np.linspace(-1, 1, 40), [24, 26, 30, 40]])[:, None], np.zeros(1))
    assert sorted(far.points[:, 0].round(6)) == [0, 50]
    excluded = find(step, np.append(np.linspace(-1, 1, 400), 26)[:, None], np.zeros(1), Search(reach=0.5))
    assert excluded.rejected["outlier"] >= 1
    assert len(excluded.points) == 1


def test_minima_that_are_no_roots_are_rejected_and_counted():
    def step(x, u):
        return x + 0.1 * (x**2 + 1)

    found = find(step, np.linspace(-1, 1, 20)[:, None], np.zeros(1), Search(settle=20))
    assert len(found.points) == 0
    assert found.index_sum == 0
    assert np.isnan(found.missing)
    assert found.rejected["minimum"] + found.rejected["not finite"] + found.rejected["outlier"] == found.starts
    assert found.rejected["minimum"] >= 20


def test_free_runs_end_where_each_would_end_alone():
    step, q = flipflop(6, 7)
    rng = np.random.default_rng(8)
    x = double(rng.uniform(-1.2, 1.2, (2, 40, 6)) @ q.T)
    u = torch.zeros(2, 40, 1, dtype=torch.float64)
    kind = np.arange(40) % 3
    ends, resting = settle(step, x, u, kind, rest=np.full(2, 1e-6), meet=np.full(2, 1e-4), every=50)
    alone = x.clone()
    for _ in range(3000):
        alone = step(alone, u)
    assert resting.all()
    torch.testing.assert_close(ends, alone, atol=1e-3, rtol=0)


def test_of_points_that_are_the_same_the_best_is_kept():
    points = np.array([[0.0], [0.1], [5.0], [5.05], [9.0]])
    assert distinct(points, 0.2).tolist() == [0, 0, 2, 2, 4]
    assert distinct(points, 0.2, np.array([2.0, 1, 1, 2, 0])).tolist() == [1, 1, 2, 2, 4]
