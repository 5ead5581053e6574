"""Jacobians against automatic differentiation, eigenvectors against what matrices were made of, and selection."""

import numpy as np
import pytest
import torch

from neurocompare.dynamics import linear, selection
from neurocompare.recurrent.cells import Cell


def made_of(values, seed, n=None):
    """A real matrix with given eigenvalues (complex ones with their conjugates), and its eigenvectors."""
    rng = np.random.default_rng(seed)
    n = n or len(values)
    right = rng.standard_normal((n, n)) + 0j
    k = 0
    while k < n:
        if np.imag(values[k]):
            right[:, k] = right[:, k] + 1j * right[:, k + 1]
            right[:, k + 1] = right[:, k].conj()
            k += 1
        k += 1
    right /= np.linalg.norm(right, axis=0)
    left = np.linalg.inv(right)
    return (right * values @ left).real, right, left


@pytest.mark.parametrize("kind", ["rate", "vanilla", "ugrnn", "gru", "lstm"])
@pytest.mark.parametrize("networks", [None, 2])
def test_jacobians_are_those_of_automatic_differentiation(kind, networks):
    cell = Cell(kind, 5, 3, 1)
    rng = np.random.default_rng(1)
    lead = () if networks is None else (networks,)
    weights = {name: torch.as_tensor(rng.standard_normal((*lead, *shape))) for name, shape in cell.shapes().items()}
    x = torch.as_tensor(rng.standard_normal((*lead, 4, cell.state_size)))
    u = torch.as_tensor(rng.standard_normal((*lead, 4, 3)))
    of_state = linear.jacobians(cell.map(weights), x, u, chunk=100)
    of_input = linear.input_jacobians(cell.map(weights), x, u)
    assert of_state.shape == (*lead, 4, cell.state_size, cell.state_size)
    for index in np.ndindex(*lead, 4):
        step = cell.map({name: w[index[:-1]] for name, w in weights.items()})
        expected = torch.autograd.functional.jacobian(step, (x[index], u[index]))
        torch.testing.assert_close(of_state[index], expected[0])
        torch.testing.assert_close(of_input[index], expected[1])


def test_eigenvectors_are_those_that_the_matrix_was_made_of():
    values = np.array([0.99, 0.7 + 0.3j, 0.7 - 0.3j, -0.5, 0.1])
    matrix, right, left = made_of(values, 2)
    found = linear.eigen(matrix)
    np.testing.assert_allclose(found.values, values, atol=1e-10)
    np.testing.assert_allclose(linear.eigenvalues(matrix), values, atol=1e-10)
    np.testing.assert_allclose(found.left @ found.right, np.eye(5), atol=1e-10)
    np.testing.assert_allclose(np.abs((found.right.conj() * right).sum(0)), 1, atol=1e-10)
    # The projectors ρ l do not depend on how vectors are scaled.
    np.testing.assert_allclose(np.outer(found.right[:, 1], found.left[1]), np.outer(right[:, 1], left[1]), atol=1e-10)


def test_where_vectors_do_not_span_the_space_the_simple_ones_are_right():
    matrix = np.array([[0.5, 1, 0], [0, 0.5, 0], [0, 0.3, 0.9]])
    found = linear.eigen(matrix)
    assert found.defective
    assert found.values[0] == pytest.approx(0.9)
    np.testing.assert_allclose(found.left[0] @ matrix, 0.9 * found.left[0], atol=1e-9)
    assert found.left[0] @ found.right[:, 0] == pytest.approx(1)


def test_stacks_are_decomposed_one_by_one():
    matrices = np.stack([made_of([0.9, 0.5, 0.2], seed)[0] for seed in range(4)]).reshape(2, 2, 3, 3)
    found = linear.eigen(matrices)
    assert found.right.shape == (2, 2, 3, 3)
    np.testing.assert_allclose(
        (found.right * found.values[..., None, :]) @ found.left, matrices.astype(complex), atol=1e-10
    )


def test_selection_follows_the_left_vector_and_not_the_direct_projection():
    matrix, right, left = made_of(np.array([0.999, 0.5, 0.3, 0.2]), 3)
    line, vector = right[:, 0].real, left[0].real
    # Both inputs have the same projection on the line; the second one is orthogonal to the selection vector.
    first = line + right[:, 1].real - (line @ right[:, 1].real) * line
    second = line - vector * (vector @ line) / (vector @ vector)
    second = second * (line @ first) / (line @ second)
    inputs = np.stack([first, second], 1)
    found = selection.select(matrix[None], inputs[None], 3 * line)
    assert found.leading[0] == pytest.approx(0.999)
    assert found.second[0] == pytest.approx(0.5)
    np.testing.assert_allclose(found.line[0], line, atol=1e-9)
    np.testing.assert_allclose(found.vector[0], vector, atol=1e-8)
    np.testing.assert_allclose(found.selected[0], [vector @ first, 0], atol=1e-8)
    np.testing.assert_allclose(found.kept[0], np.abs(found.selected[0]), atol=1e-8)
    np.testing.assert_allclose(found.aimed[0], found.selected[0], atol=1e-8)
    np.testing.assert_allclose(line @ inputs, [line @ first] * 2)
    pulse = inputs
    for _ in range(20):
        pulse = matrix @ pulse
    np.testing.assert_allclose(found.later[0], line @ pulse, atol=1e-10)
    # After long times all that is left is (L₀·B) ρ₀.
    late = selection.select(matrix[None], inputs[None], line, steps=60)
    np.testing.assert_allclose(late.later[0], 0.999**60 * found.selected[0], atol=1e-6)


def test_the_line_points_to_the_positive_choice():
    matrix, right, _ = made_of(np.array([0.99, 0.4, 0.2]), 5)
    line = right[:, 0].real
    for sign in (1, -1):
        found = selection.select(matrix[None], np.eye(3)[None], sign * line)
        np.testing.assert_allclose(found.line[0], sign * line, atol=1e-9)


def test_of_a_complex_pair_the_plane_is_reported():
    values = np.array([0.95 + 0.1j, 0.95 - 0.1j, 0.4, 0.1])
    matrix, right, left = made_of(values, 4)
    b = np.random.default_rng(0).standard_normal((4, 2))
    found = selection.select(matrix[None], b[None], np.ones(4))
    assert found.is_pair[0]
    assert found.second[0] == pytest.approx(0.4)
    assert np.isnan(found.vector).all()
    assert np.isnan(found.selected).all()
    plane = found.plane[0]
    np.testing.assert_allclose(plane @ plane.T, np.eye(2), atol=1e-9)
    inside = np.stack([right[:, 0].real, right[:, 0].imag])
    np.testing.assert_allclose(inside @ plane.T @ plane, inside, atol=1e-9)
    projector = (right[:, :2] @ left[:2]).real
    np.testing.assert_allclose(found.kept[0], np.linalg.norm(projector @ b, axis=0), atol=1e-9)
    np.testing.assert_allclose(found.aimed[0], np.full(4, 0.5) @ projector @ b, atol=1e-9)


def test_modulations_sum_to_the_change_and_tell_its_cause():
    rng = np.random.default_rng(6)
    vectors, inputs = rng.standard_normal((2, 3, 5)), rng.standard_normal((2, 3, 5, 4))
    by_vector, by_input = selection.modulations(vectors, inputs)
    products = np.einsum("cps,cpsi->cpi", vectors, inputs)
    np.testing.assert_allclose(by_vector + by_input, products[0] - products[1])
    same = np.stack([inputs[0]] * 2)
    np.testing.assert_allclose(selection.modulations(vectors, same)[1], 0)
    np.testing.assert_allclose(selection.modulations(np.stack([vectors[0]] * 2), inputs)[0], 0)
