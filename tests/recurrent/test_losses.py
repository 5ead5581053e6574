"""Losses against their definitions, written out; the vanishing-gradient regulariser against explicit Jacobians."""

import pytest
import torch

from neurocompare.recurrent import losses
from neurocompare.recurrent.cells import KINDS, Cell
from neurocompare.recurrent.constraints import Constraints, initialise

CELLS = [(kind, "tanh") for kind in KINDS] + [("rate", "relu"), ("rate", "softplus")]


def drawn(kind, activation, networks=2, steps=3, trials=4, units=5):
    """A cell with random weights, states, drives and gradients, all float64."""
    cell = Cell(kind, units, 2, 1, activation=activation)
    torch.manual_seed(3)
    raw = [initialise(cell, Constraints(), seed) for seed in range(networks)]
    weights = {name: torch.stack([one[name] for one in raw]).double() for name in raw[0]}
    states = torch.randn(networks, steps, trials, cell.state_size, dtype=torch.float64)
    inputs = torch.randn(networks, steps * trials, 2, dtype=torch.float64)
    drives = cell.drive(weights, inputs).unflatten(1, (steps, trials))
    return cell, weights, states, drives, torch.randn_like(states)


def test_squared_error_is_the_weighted_mean_of_each_network():
    torch.manual_seed(0)
    outputs, targets = torch.randn(2, 3, 4, 5, 2).unbind()
    mask = torch.rand(3, 4, 5, 2)
    found = losses.squared_error(outputs, targets, mask)
    for k in range(3):
        expected = (mask[k] * (outputs[k] - targets[k]) ** 2).sum() / mask[k].sum()
        torch.testing.assert_close(found[k], expected)


def test_what_fills_up_trials_has_no_part_in_errors_and_rate_penalties():
    torch.manual_seed(1)
    outputs, targets, rates = torch.randn(1, 4, 3, 2), torch.randn(1, 4, 3, 2), torch.randn(1, 4, 3, 6)
    mask, valid = torch.ones(1, 4, 3, 2), torch.ones(1, 4, 3)

    def longer(x, value):
        return torch.cat([x, torch.full_like(x[:, :2], value)], 1)

    torch.testing.assert_close(
        losses.squared_error(longer(outputs, 9.0), longer(targets, -9.0), longer(mask, 0.0)),
        losses.squared_error(outputs, targets, mask),
    )
    torch.testing.assert_close(
        losses.rate_penalty(longer(rates, 9.0), longer(valid, 0.0)), rates.square().mean((1, 2, 3))
    )


def test_a_network_without_any_target_has_no_error_instead_of_nan():
    zeros = torch.zeros(1, 2, 2, 1)
    assert losses.squared_error(zeros + 1, zeros, zeros).item() == 0


def test_weight_penalty_adds_the_mean_squares_of_three_weights():
    weights = {"input": torch.full((2, 4, 3), 2.0), "recurrent": torch.full((2, 4, 4), 3.0)}
    weights["output"] = torch.tensor([[[1.0, 0, 0, 0]], [[2.0, 0, 0, 0]]])
    assert losses.weight_penalty(weights).tolist() == [4 + 9 + 0.25, 4 + 9 + 1]


@pytest.mark.parametrize(("kind", "activation"), CELLS)
def test_vanishing_is_that_of_explicit_jacobians(kind, activation):
    cell, weights, states, drives, gradients = drawn(kind, activation)
    found = losses.vanishing(cell, weights, states, drives, gradients)
    for k in range(2):
        alone = {name: tensor[k] for name, tensor in weights.items()}
        terms = []
        for x, d, g in zip(states[k].flatten(0, 1), drives[k].flatten(0, 1), gradients[k].flatten(0, 1), strict=True):
            jacobian = torch.autograd.functional.jacobian(lambda s, w=alone, d=d: cell.advance(w, s, d), x)
            terms.append(((g @ jacobian).norm() / g.norm() - 1) ** 2)
        torch.testing.assert_close(found[k], torch.stack(terms).mean())


def test_vanishing_of_rate_cells_is_the_formula_of_the_docstring():
    cell, weights, states, drives, gradients = drawn("rate", "tanh", networks=1)
    backward = gradients[0] @ weights["recurrent"][0]
    earlier = (1 - cell.alpha) * gradients[0] + cell.alpha * (1 - states[0].tanh() ** 2) * backward
    expected = ((earlier.norm(dim=-1) / gradients[0].norm(dim=-1) - 1) ** 2).mean()
    torch.testing.assert_close(losses.vanishing(cell, weights, states, drives, gradients)[0], expected)


@pytest.mark.parametrize(("kind", "activation"), CELLS)
def test_vanishing_has_the_right_gradient(kind, activation):
    cell, weights, states, drives, gradients = drawn(kind, activation)

    def omega(recurrent):
        return losses.vanishing(cell, weights | {"recurrent": recurrent}, states, drives, gradients)

    assert torch.autograd.gradcheck(omega, weights["recurrent"].requires_grad_())


@pytest.mark.parametrize("kind", ["vanilla", "gru"])
def test_vanishing_is_a_function_of_the_recurrent_weights_alone(kind):
    cell, weights, states, drives, gradients = drawn(kind, "tanh")
    for tensor in weights.values():
        tensor.requires_grad_()
    omega = losses.vanishing(cell, weights, states.requires_grad_(), drives, gradients).sum()
    found = torch.autograd.grad(omega, [states, *weights.values()], allow_unused=True)
    named = dict(zip(["states", *weights], found, strict=True))
    assert named["recurrent"].abs().max() > 0
    for name in ("states", "input", "bias", "output", "initial"):
        assert named[name] is None or named[name].abs().max() == 0


def test_vanishing_counts_only_times_that_matter_to_the_error():
    cell, weights, states, drives, gradients = drawn("rate", "tanh")
    expected = losses.vanishing(cell, weights, states, drives, gradients)
    more = torch.cat([states, 9 * torch.ones_like(states)], 1), torch.cat([drives, drives], 1)
    unused = torch.cat([gradients, 1e-9 * gradients[:, :1], 0 * gradients[:, 1:]], 1)
    recurrent = weights["recurrent"].requires_grad_()
    found = losses.vanishing(cell, weights, *more, unused)
    torch.testing.assert_close(found, expected)
    assert torch.isfinite(torch.autograd.grad(found.sum(), recurrent)[0]).all()


def test_vanishing_is_zero_where_gradients_keep_their_length():
    cell = Cell("vanilla", 4, 1, 1, activation="relu", dt=0.1, time_constant=0.1)
    weights = {"recurrent": torch.eye(4)[None].roll(1, -1)}
    states, gradients = torch.rand(1, 2, 3, 4), torch.randn(1, 2, 3, 4)
    # A permutation on the linear side of the nonlinearity.
    assert losses.vanishing(cell, weights, states, torch.ones(1, 2, 3, 4), gradients).item() < 1e-12
    weights["recurrent"] = 3 * weights["recurrent"]
    assert losses.vanishing(cell, weights, states, torch.ones(1, 2, 3, 4), gradients).item() == pytest.approx(4)
