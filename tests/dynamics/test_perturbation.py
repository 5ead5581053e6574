"""Lesions and pulses: exact where the network is linear, and first-order where it is not."""

import numpy as np
import pytest
import torch

from neurocompare.dynamics import perturbation
from neurocompare.dynamics.linear import eigen, jacobians
from neurocompare.recurrent.cells import Cell

N = 8


def network(kind="rate", activation="tanh", scale=0.9, seed=0, noise=0.05):
    cell = Cell(kind, N, 2, 1, activation=activation, dt=0.02, time_constant=0.1, noise=noise)
    generator = torch.Generator().manual_seed(seed)
    rows = cell.blocks * N

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    weights = {
        "input": draw(rows, 2),
        "recurrent": scale * draw(rows, N) / np.sqrt(N),
        "bias": 0.1 * draw(rows),
        "output": draw(1, N),
        "output_bias": draw(1),
        "initial": 0.1 * draw(cell.state_size),
    }
    if kind == "gru":
        weights["recurrent_bias"] = 0.1 * draw(N)
    return cell, weights


def attractor():
    """A linear network (ReLU far above its threshold) with a line attractor along ρ and selection vector s."""
    rng = np.random.default_rng(1)
    cell = Cell("rate", N, 2, 1, activation="relu", dt=0.02, time_constant=0.1)
    rho, others = rng.standard_normal(N), rng.standard_normal((N, N - 1))
    right = np.column_stack([rho, others])
    # x' = (1 - α) x + α W x: eigenvalue 1 of W is an eigenvalue 1 of the step.
    w = right @ np.diag([1.0, *np.linspace(-0.8, 0.4, N - 1)]) @ np.linalg.inv(right)
    held = 50 * np.ones(N)
    weights = {
        "input": np.zeros((N, 2)),
        "recurrent": w,
        "bias": held - w @ held,
        "output": rng.standard_normal((1, N)),
        "output_bias": np.zeros(1),
        "initial": held,
    }
    return cell, {name: torch.as_tensor(value) for name, value in weights.items()}, right


def inputs(n=5, steps=40, seed=2):
    return np.random.default_rng(seed).standard_normal((n, steps, 2))


def test_along_a_line_attractor_only_what_the_selection_vector_reads_is_left():
    cell, weights, right = attractor()
    left = np.linalg.inv(right)
    push = np.random.default_rng(3).standard_normal(N)
    steps = 120
    effect = perturbation.pulse(cell, weights, np.zeros((1, steps + 10, 2)), push, at=10)
    readout = weights["output"].numpy()[0]
    predicted = (readout @ right[:, 0]) * (left[0] @ push)
    # The other modes are gone: .88 to the power of 120 is 2e-7.
    np.testing.assert_allclose(effect.change, predicted, rtol=1e-4)
    np.testing.assert_allclose(effect.linear, effect.change, rtol=1e-9)
    point = weights["initial"]
    found = eigen(jacobians(cell.map(weights), point[None], torch.zeros(1, 2, dtype=torch.float64)).numpy()[0])
    gradient = perturbation.readout_gradient(cell, weights, point.numpy())[0]
    np.testing.assert_allclose(gradient, readout)
    parts = (found.values, found.left, found.right, gradient)
    np.testing.assert_allclose(perturbation.selected(*parts, push, steps), predicted, rtol=1e-8)
    # All modes are the whole linear network, at any time.
    early = perturbation.pulse(cell, weights, np.zeros((1, 15, 2)), push, at=10)
    np.testing.assert_allclose(perturbation.selected(*parts, push, 5, modes=N), early.change[0], rtol=1e-8)
    # A pulse that the selection vector does not see is forgotten, however large its projection on the attractor.
    hidden = right[:, 0] - left[0] / (left[0] @ left[0])
    assert abs(left[0] @ hidden) < 1e-12 and abs(hidden @ right[:, 0]) > 0.1
    unseen = perturbation.pulse(cell, weights, np.zeros((1, steps + 10, 2)), hidden, at=10)
    assert abs(unseen.change[0]) < 1e-3 * abs(unseen.course[0]).max()


@pytest.mark.parametrize("kind", ["rate", "vanilla", "ugrnn", "gru", "lstm"])
def test_small_pulses_have_their_first_order_effect_in_every_cell_and_noise(kind):
    cell, weights = network(kind)
    push = np.random.default_rng(4).standard_normal(cell.state_size)
    small = perturbation.pulse(cell, weights, inputs(), 1e-5 * push, at=20, noise=None, seed=1)
    np.testing.assert_allclose(small.change, small.linear, rtol=1e-2, atol=1e-12)
    large = perturbation.pulse(cell, weights, inputs(), 3 * push, at=20, noise=None, seed=1)
    np.testing.assert_allclose(large.before, small.before)
    assert not np.allclose(large.change, large.linear, rtol=1e-2, atol=1e-9)
    np.testing.assert_allclose(large.course[:, -1], large.change, atol=1e-12)
    assert np.all(large.course[:, :20] == 0)
    other = perturbation.pulse(cell, weights, inputs(), push, at=20, noise=None, seed=2)
    assert not np.allclose(other.before, small.before)


def test_without_pulse_the_run_is_a_loop_of_steps_and_choices_are_counted():
    cell, weights = network()
    u = inputs()
    state = weights["initial"].expand(5, -1)
    for t in range(40):
        state = cell.step(weights, state, torch.as_tensor(u[:, t]))
    effect = perturbation.pulse(cell, weights, u, np.zeros(N), at=0)
    np.testing.assert_allclose(effect.before, cell.readout(weights, cell.rates(state))[:, 0].numpy())
    np.testing.assert_allclose(effect.change, 0, atol=1e-15)
    known = perturbation.Effect(
        np.array([-1.0, -0.2, 0.3]), np.array([1.0, 0.1, 0.4]), np.full(3, 0.3), np.zeros((3, 1))
    )
    assert known.shift() == pytest.approx(2 / 3)
    assert known.shift(known.linear) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="40 steps"):
        perturbation.pulse(cell, weights, u, np.zeros(N), at=40)


def test_silenced_units_are_not_heard():
    cell, weights = network()
    cut = perturbation.silenced(weights, [1, 4])
    kept = [i for i in range(N) if i not in (1, 4)]
    smaller = weights | {
        "input": weights["input"][kept],
        "recurrent": weights["recurrent"][kept][:, kept],
        "bias": weights["bias"][kept],
        "output": weights["output"][:, kept],
        "initial": weights["initial"][kept],
    }
    of_rest = Cell("rate", N - 2, 2, 1, dt=0.02, time_constant=0.1)
    found = perturbation.pulse(cell, cut, inputs(), np.zeros(N), at=0).before
    expected = perturbation.pulse(of_rest, smaller, inputs(), np.zeros(N - 2), at=0).before
    np.testing.assert_allclose(found, expected)
    # The weights that were given are left alone, and a mask does the same.
    mask = np.isin(np.arange(N), [1, 4])
    assert torch.equal(perturbation.silenced(weights, mask)["recurrent"], cut["recurrent"])
    assert (weights["recurrent"][:, 1] != 0).all()


def test_without_an_axis_moving_rates_along_it_changes_nothing():
    _, weights = network()
    axes = np.random.default_rng(5).standard_normal((2, N))
    cut = perturbation.without_axis(weights, axes)
    for name in ("recurrent", "output"):
        np.testing.assert_allclose(cut[name].numpy() @ axes.T, 0, atol=1e-12)
        outside = np.linalg.svd(axes)[2][2:]
        np.testing.assert_allclose(cut[name].numpy() @ outside.T, weights[name].numpy() @ outside.T, atol=1e-12)
    only = perturbation.without_axis(weights, axes[0], readout=False)
    assert torch.equal(only["output"], weights["output"])
    batched = {name: torch.stack([w, 2 * w]) for name, w in weights.items()}
    np.testing.assert_allclose(perturbation.without_axis(batched, axes)["recurrent"][1], 2 * cut["recurrent"])
