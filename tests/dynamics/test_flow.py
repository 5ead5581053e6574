"""Flow fields of maps whose velocity is known."""

import numpy as np
import pytest
import torch

from neurocompare.dynamics import flow
from neurocompare.recurrent.cells import Cell


def test_flow_of_a_linear_map_is_its_matrix_in_the_plane():
    rng = np.random.default_rng(0)
    plane = np.linalg.qr(rng.standard_normal((5, 2)))[0].T
    turn = np.array([[-0.3, -2.0], [2.0, -0.3]])
    # ẋ = A x + B u, with what leaves the plane.
    a = plane.T @ turn @ plane
    outside = np.linalg.svd(plane)[2][2]
    b = np.stack([plane[0], outside], axis=1)
    step = lambda x, u: x + 0.02 * (x @ torch.as_tensor(a).T + u @ torch.as_tensor(b).T)  # noqa: E731
    x, y = np.linspace(-1, 1, 4), np.linspace(-2, 2, 5)
    found = flow.field(step, [0.5, 0.0], np.zeros(5), plane, x, y, dt=0.02)
    points = np.stack(np.meshgrid(x, y), axis=-1)
    np.testing.assert_allclose(found.velocity, points @ turn.T + [0.5, 0], atol=1e-12)
    np.testing.assert_allclose(found.inside, 1)
    leaving = flow.field(step, [0.5, 3.0], np.zeros(5), plane, x, y, dt=0.02)
    np.testing.assert_allclose(leaving.velocity, found.velocity, atol=1e-12)
    np.testing.assert_allclose(leaving.speed**2, found.speed**2 + 9)
    assert leaving.inside.max() < 1


def test_axes_are_made_orthonormal_and_parallel_ones_refused():
    step = lambda x, u: 0.5 * x  # noqa: E731
    found = flow.field(step, [0.0], np.zeros(3), np.array([[2.0, 0, 0], [1, 3, 0]]), [1.0], [1.0], dt=1)
    np.testing.assert_allclose(found.velocity[0, 0], [-0.5, -0.5])
    with pytest.raises(ValueError, match="parallel"):
        flow.field(step, [0.0], np.zeros(3), np.array([[1.0, 0, 0], [-2, 0, 0]]), [1.0], [1.0], dt=1)


def test_a_cell_does_not_move_at_a_fixed_point():
    cell = Cell("rate", 6, 1, 1, dt=0.02, time_constant=0.1)
    torch.manual_seed(0)
    weights = {
        "input": torch.randn(6, 1, dtype=torch.float64),
        "recurrent": 0.1 * torch.randn(6, 6, dtype=torch.float64),
        "bias": torch.randn(6, dtype=torch.float64),
    }
    point = torch.zeros(6, dtype=torch.float64)
    held = torch.tensor([0.3], dtype=torch.float64)
    for _ in range(2000):
        point = cell.step(weights, point, held)
    plane = np.eye(6)[:2]
    grid = np.array([-0.1, 0.0, 0.1])
    found = flow.field(cell.map(weights), held.numpy(), point.numpy(), plane, grid, grid, dt=0.02)
    assert found.speed[1, 1] < 1e-12
    assert (found.speed[[0, 0, 2, 2], [0, 2, 0, 2]] > 0.1).all()
