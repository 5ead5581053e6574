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
    # A pulse that the selection vector does not see is forgotten, however large its projection on the attractor.
    hidden = right[:, 0] - left[0] / (left[0] @ left[0])
    assert abs(left[0] @ hidden) < 1e-12 and abs(hidden @ right[:, 0]) > 0.1
    push = np.stack([np.random.default_rng(3).standard_normal(N), hidden])
    steps = 120
    effect = perturbation.pulse(cell, weights, np.zeros((1, steps + 10, 2)), push, at=10)
    readout = weights["output"].numpy()[0]
    predicted = (readout @ right[:, 0]) * (push @ left[0])
    # The other modes are gone: .88 to the power of 120 is 2e-7.
    np.testing.assert_allclose(effect.change[:, 0], predicted, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(effect.linear, effect.change, rtol=1e-9, atol=1e-9)
    point = weights["initial"]
    found = eigen(jacobians(cell.map(weights), point[None], torch.zeros(1, 2, dtype=torch.float64)).numpy()[0])
    gradient = perturbation.readout_gradient(cell, weights, point.numpy())[0]
    np.testing.assert_allclose(gradient, readout)
    parts = (found.values, found.left, found.right, gradient)
    np.testing.assert_allclose(perturbation.selected(*parts, push, steps), predicted, rtol=1e-8, atol=1e-9)
    # All modes are the whole linear network, at any time, and for a mean over several.
    scored = np.zeros((1, 15))
    scored[0, [11, 14]] = 2
    early = perturbation.pulse(cell, weights, np.zeros((1, 15, 2)), push, at=10, scored=scored)
    assert np.abs(early.change).min() > 1e-3
    np.testing.assert_allclose(
        perturbation.selected(*parts, push, np.array([2, 5]), modes=N), early.change[:, 0], rtol=1e-8
    )


@pytest.mark.parametrize("kind", ["rate", "vanilla", "ugrnn", "gru", "lstm"])
def test_small_pulses_have_their_first_order_effect_in_every_cell_and_noise(kind):
    cell, weights = network(kind)
    push = np.random.default_rng(4).standard_normal((3, cell.state_size))
    options = {"at": 20, "noise": None, "scored": np.arange(40) >= np.array([[35], [36], [37], [38], [39]])}
    small = perturbation.pulse(cell, weights, inputs(), 1e-5 * push, seed=1, **options)
    np.testing.assert_allclose(small.change, small.linear, rtol=1e-2, atol=1e-12)
    large = perturbation.pulse(cell, weights, inputs(), 3 * push, seed=1, **options)
    np.testing.assert_allclose(large.before, small.before)
    np.testing.assert_allclose(large.linear, 3e5 * small.linear)
    assert not np.allclose(large.change, large.linear, rtol=1e-2, atol=1e-9)
    other = perturbation.pulse(cell, weights, inputs(), push, seed=2, **options)
    assert not np.allclose(other.before, small.before)


def test_without_pulse_the_run_is_a_loop_of_steps_and_with_one_it_starts_anew_from_there():
    cell, weights = network()
    u, push = inputs(), np.ones(N)
    plain, pushed, at, read = weights["initial"].expand(5, -1), None, None, []
    for t in range(40):
        at = plain if t == 7 else at
        pushed = plain + torch.as_tensor(push) if t == 7 else pushed
        plain = cell.step(weights, plain, torch.as_tensor(u[:, t]))
        pushed = None if pushed is None else cell.step(weights, pushed, torch.as_tensor(u[:, t]))
        if t >= 30:
            read.append([cell.readout(weights, cell.rates(x))[:, 0].numpy() for x in (plain, pushed)])
    scored = np.broadcast_to(np.arange(40) >= 30, (5, 40))
    effect = perturbation.pulse(cell, weights, u, np.stack([0 * push, push]), at=7, scored=scored)
    expected = np.mean(read, axis=0)
    np.testing.assert_allclose(effect.before, expected[0])
    np.testing.assert_allclose(effect.state, at.numpy())
    np.testing.assert_allclose(effect.after, expected, atol=1e-14)
    np.testing.assert_allclose(effect.linear[0], 0, atol=1e-15)
    with pytest.raises(ValueError, match="40 steps"):
        perturbation.pulse(cell, weights, u, push[None], at=40)


def test_choices_that_turn_are_counted():
    before = np.array([-1.0, -0.2, 0.3])
    known = perturbation.Effect(
        before, np.array([[1.0, 0.1, 0.4], [-1, -1, -1]]), np.full((2, 3), 0.3), np.zeros((3, 1))
    )
    np.testing.assert_allclose(known.change[0], [2, 0.3, 0.1])
    np.testing.assert_array_equal(known.shift(), [[1, 1, 0], [0, 0, -1]])
    np.testing.assert_array_equal(known.shift(known.linear), [[0, 1, 0], [0, 1, 0]])


@pytest.mark.parametrize("kind", ["rate", "vanilla", "gru", "lstm"])
def test_axes_of_states_move_rates_as_finite_differences_do(kind):
    cell, _ = network(kind)
    rng = np.random.default_rng(6)
    point, axes = rng.standard_normal(cell.state_size), rng.standard_normal((2, cell.state_size))
    found = perturbation.along_rates(cell, point, axes)
    ends = [cell.rates(torch.as_tensor(point + sign * 1e-6 * axes)).numpy() for sign in (1, -1)]
    np.testing.assert_allclose(found, (ends[0] - ends[1]) / 2e-6, atol=1e-8)


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
    found = perturbation.pulse(cell, cut, inputs(), np.zeros((1, N)), at=0).before
    expected = perturbation.pulse(of_rest, smaller, inputs(), np.zeros((1, N - 2)), at=0).before
    np.testing.assert_allclose(found, expected)
    # The weights that were given are left alone, and a mask does the same.
    mask = np.isin(np.arange(N), [1, 4])
    assert torch.equal(perturbation.silenced(weights, mask)["recurrent"], cut["recurrent"])
    assert (weights["recurrent"][:, 1] != 0).all()


def test_units_without_outgoing_weights_can_be_silenced_unnoticed():
    cell, weights = network()
    for name in ("recurrent", "output"):
        weights[name][:, 3] = 0
    cut = perturbation.silenced(weights, [3])
    plain, lesioned = (perturbation.outputs_without(cell, w, inputs(), noise=None, seed=1) for w in (weights, cut))
    np.testing.assert_array_equal(plain, lesioned)


@pytest.mark.parametrize("kind", ["rate", "vanilla", "ugrnn", "gru", "lstm"])
def test_a_network_that_hears_what_it_would_hear_anyway_does_not_notice_the_lesion(kind):
    cell, weights = network(kind)
    axes, u = np.random.default_rng(5).standard_normal((2, N)), inputs(n=1)
    state, course, expected = weights["initial"][None], [cell.rates(weights["initial"]).numpy()], []
    for t in range(u.shape[1]):
        state = cell.step(weights, state, torch.as_tensor(u[:, t]))
        course.append(cell.rates(state)[0].numpy())
        expected.append(cell.readout(weights, cell.rates(state)).numpy())
    expected = np.stack(expected, 1)
    np.testing.assert_allclose(perturbation.outputs_without(cell, weights, u), expected, atol=1e-12)
    options = {"axis": axes, "course": np.array(course)}
    np.testing.assert_allclose(perturbation.outputs_without(cell, weights, u, **options), expected, atol=1e-12)
    # Another trial does.
    options["course"] = np.array(course)[::-1]
    assert not np.allclose(perturbation.outputs_without(cell, weights, u, **options), expected, atol=1e-3)


@pytest.mark.parametrize("readout", [True, False])
def test_what_is_along_a_removed_axis_is_replaced_by_the_course_in_every_step(readout):
    cell, weights = network("vanilla")
    rng = np.random.default_rng(5)
    axis, course, u = rng.standard_normal(N), rng.standard_normal((41, N)), inputs()
    unit = axis / np.linalg.norm(axis)
    w = {name: tensor.numpy() for name, tensor in weights.items()}

    def heard(h, t):
        return h - np.outer(h @ unit - course[t] @ unit, unit)

    h, expected = np.tile(w["initial"], (5, 1)), []
    for t in range(40):
        drive = heard(h, t) @ w["recurrent"].T + u[:, t] @ w["input"].T + w["bias"]
        h = (1 - cell.alpha) * h + cell.alpha * np.tanh(drive)
        expected.append((heard(h, t + 1) if readout else h) @ w["output"].T + w["output_bias"])
    found = perturbation.outputs_without(cell, weights, u, axis=3 * axis, course=course, readout=readout)
    np.testing.assert_allclose(found, np.stack(expected, 1), atol=1e-12)


def test_all_directions_together_leave_nothing_that_differs_between_trials():
    cell, weights = network()
    u = inputs()
    u[:, 30:] = 0
    found = perturbation.outputs_without(cell, weights, u, axis=np.eye(N))
    assert found[:, :30].std(0).min() == 0


@pytest.mark.parametrize("kind", ["rate", "gru"])
def test_axes_that_depend_on_one_another_remove_only_what_they_span(kind):
    cell, weights = network(kind)
    rng = np.random.default_rng(7)
    axes, course, u = rng.standard_normal((2, N)), rng.standard_normal((41, N)), inputs()

    def without(axis):
        return perturbation.outputs_without(cell, weights, u, axis=axis, course=course, noise=None)

    np.testing.assert_allclose(without(np.stack([axes[0], axes[0]])), without(axes[0]), atol=1e-12)
    np.testing.assert_allclose(without(np.stack([*axes, axes[0] - 3 * axes[1]])), without(axes), atol=1e-12)
    assert np.abs(without(axes) - without(axes[0])).max() > 1e-2
    np.testing.assert_allclose(without(np.zeros((2, N))), without(None), atol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus"])
def test_what_the_selection_vector_of_a_network_of_rank_one_reads_from_rates_is_known(activation):
    cell, weights = network(activation=activation)
    rng = np.random.default_rng(8)
    m, n = rng.standard_normal((2, N))
    weights["recurrent"] = torch.as_tensor(np.outer(m, n))
    point = rng.standard_normal(N)
    found = eigen(jacobians(cell.map(weights), torch.as_tensor(point)[None], torch.zeros(1, 2).double()).numpy()[0])
    # All other eigenvalues are 1 - α.
    leading = np.abs(found.values - (1 - cell.alpha)).argmax()
    read = perturbation.read_from_rates(cell, point, found.left[leading].real[None])[0]
    heard = n * (point > 0) if activation == "relu" else n
    assert abs(read @ heard) == pytest.approx(np.linalg.norm(read) * np.linalg.norm(heard), rel=1e-9)


@pytest.mark.parametrize("kind", ["rate", "vanilla", "gru", "lstm"])
def test_the_gradient_of_an_output_reads_from_rates_the_weights_of_the_output(kind):
    cell, weights = network(kind)
    point = np.random.default_rng(9).standard_normal(cell.state_size)
    gradient = perturbation.readout_gradient(cell, weights, point)
    np.testing.assert_allclose(perturbation.read_from_rates(cell, point, gradient), weights["output"], atol=1e-12)
