import numpy as np
import pytest
import torch

from neurocompare.errors import UserError
from neurocompare.recurrent.cells import KINDS, Cell
from neurocompare.recurrent.constraints import Constraints, initialise

SIZES = {"units": 6, "inputs": 3, "outputs": 2, "dt": 0.02, "time_constant": 0.1}


def weights_of(cell, seed=0, dtype=torch.float64):
    """Weights in which nothing is zero."""
    draw = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(shape, generator=draw, dtype=dtype) / shape[-1] ** 0.5
        for name, shape in cell.shapes().items()
    }


def numbers(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


PHI = {"tanh": np.tanh, "relu": lambda x: np.maximum(x, 0), "softplus": lambda x: np.log1p(np.exp(x))}


def logistic(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("activation", sorted(PHI))
def test_steps_are_those_of_the_written_equations(activation):
    phi, alpha = PHI[activation], 0.2
    u, eta, x = numbers(4, 3).numpy(), numbers(4, 6, seed=2).numpy(), numbers(4, 6, seed=3).numpy()
    for kind in ("rate", "vanilla", "ugrnn"):
        cell = Cell(kind=kind, activation=activation, **SIZES)
        w = {name: values.numpy() for name, values in weights_of(cell).items()}
        drive = u @ w["input"].T + w["bias"]
        if kind == "rate":
            expected = (1 - alpha) * x + alpha * (phi(x) @ w["recurrent"].T + drive + eta)
        elif kind == "vanilla":
            expected = (1 - alpha) * x + alpha * phi(x @ w["recurrent"].T + drive + eta)
        else:
            total = x @ w["recurrent"].T + drive
            gate, candidate = logistic(total[:, :6]), phi(total[:, 6:] + eta)
            expected = gate * x + (1 - gate) * candidate
        state = cell.step(weights_of(cell), *map(torch.from_numpy, (x, u, eta)))
        np.testing.assert_allclose(state.numpy(), expected, rtol=1e-12, atol=1e-14)
        rates = cell.rates(torch.from_numpy(x))
        np.testing.assert_allclose(rates.numpy(), phi(x) if kind == "rate" else x, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_gated_cells_are_those_of_pytorch(kind):
    cell = Cell(kind=kind, **SIZES)
    theirs = {"gru": torch.nn.GRUCell, "lstm": torch.nn.LSTMCell}[kind](3, 6, dtype=torch.float64)
    weights = weights_of(cell)
    weights["input"], weights["recurrent"] = theirs.weight_ih.detach(), theirs.weight_hh.detach()
    both = (theirs.bias_ih + theirs.bias_hh).detach()
    if kind == "gru":
        weights["bias"] = torch.cat([both[:12], theirs.bias_ih.detach()[12:]])
        weights["recurrent_bias"] = theirs.bias_hh.detach()[12:]
    else:
        weights["bias"] = both
    u, hidden, memory = numbers(5, 3), numbers(5, 6, seed=2), numbers(5, 6, seed=3)
    with torch.no_grad():
        if kind == "gru":
            expected, state = theirs(u, hidden), cell.step(weights, hidden, u)
        else:
            expected = torch.cat(theirs(u, (hidden, memory)), -1)
            state = cell.step(weights, torch.cat([hidden, memory], -1), u)
    torch.testing.assert_close(state, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(cell.rates(state), state[:, :6], rtol=0, atol=0)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_noise_acts_on_the_drive_of_units_and_on_no_gate(kind):
    cell = Cell(kind=kind, **SIZES)
    weights, state, u = weights_of(cell), numbers(2, cell.state_size), numbers(2, 3)
    eta = numbers(2, 6, seed=5)
    shifted = dict(weights)
    # Noise is the same as another bias of the (candidate of the) unit.
    first = {"ugrnn": 6, "gru": 12, "lstm": 12}.get(kind, 0)
    bias = torch.zeros(2, len(weights["bias"]), dtype=torch.float64)
    bias[:, first : first + 6] = eta
    expected = [cell.step(shifted | {"bias": weights["bias"] + bias[k]}, state[k], u[k]) for k in range(2)]
    torch.testing.assert_close(cell.step(weights, state, u, eta), torch.stack(expected))
    torch.testing.assert_close(cell.advance(weights, state, cell.drive(weights, u), eta), torch.stack(expected))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_networks_and_trials_are_independent(kind):
    cell = Cell(kind=kind, **SIZES)
    each = [weights_of(cell, seed) for seed in range(3)]
    together = {name: torch.stack([w[name] for w in each]) for name in each[0]}
    states, u = numbers(3, 4, cell.state_size), numbers(4, 3)
    expected = torch.stack([cell.step(w, s, u) for w, s in zip(each, states, strict=True)])
    torch.testing.assert_close(cell.step(together, states, u), expected)
    torch.testing.assert_close(cell.step(together, states, u.expand(3, 4, 3)), expected)
    # One state, without an axis of trials.
    torch.testing.assert_close(cell.step(each[1], states[1, 2], u[2]), expected[1, 2])
    rates = cell.rates(states)
    readout = torch.stack([cell.readout(w, r) for w, r in zip(each, rates, strict=True)])
    torch.testing.assert_close(cell.readout(together, rates), readout)
    # The same inputs held in all trials.
    held = torch.stack([cell.step(w, s, u[0]) for w, s in zip(each, states, strict=True)])
    torch.testing.assert_close(cell.step(together, states, u[0]), held)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_map_has_the_jacobian_of_the_step(kind):
    cell = Cell(kind=kind, **SIZES, noise=0.3)
    weights, state, u = weights_of(cell), numbers(cell.state_size), numbers(3)
    advance = cell.map(weights)
    jacobian = torch.func.jacfwd(advance)(state, u)
    tiny = 1e-6 * torch.eye(cell.state_size, dtype=torch.float64)
    numeric = torch.stack([(advance(state + e, u) - advance(state - e, u)) / 2e-6 for e in tiny], -1)
    torch.testing.assert_close(jacobian, numeric, rtol=1e-6, atol=1e-8)
    many = torch.func.vmap(torch.func.jacfwd(advance), in_dims=(0, None))(state.expand(2, -1), u)
    torch.testing.assert_close(many[1], jacobian)


def test_outputs_may_go_through_a_sigmoid():
    linear, bounded = (Cell(kind="rate", **SIZES, output_activation=name) for name in ("linear", "sigmoid"))
    weights, rates = weights_of(linear), numbers(4, 6)
    torch.testing.assert_close(bounded.readout(weights, rates), torch.sigmoid(linear.readout(weights, rates)))


def test_shapes_are_those_of_initial_weights():
    for kind in KINDS:
        cell = Cell(kind=kind, **SIZES)
        raw = initialise(cell, Constraints(), 0)
        assert {name: tuple(values.shape) for name, values in raw.items()} == cell.shapes()


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"kind": "rnn"}, "kind"),
        ({"activation": "tan"}, "tanh"),
        ({"units": 0}, "units"),
        ({"units": "many"}, "units"),
        ({"noise": -1}, "noise"),
        ({"dt": 0.2}, "time_constant"),
        ({"time_constant": float("nan")}, "time_constant"),
        ({"initialisation": ["normal"]}, "initialisation"),
        ({"output_activation": None}, "output_activation"),
        ({"gain": True}, "gain"),
    ],
)
def test_wrong_options_are_refused(option, told):
    with pytest.raises(UserError) as error:
        Cell(**{"kind": "rate", **SIZES} | option)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_gated_cells_have_no_time_constant():
    assert Cell(kind="gru", **SIZES | {"dt": 10.0}).alpha == 1
    assert Cell(kind="rate", **SIZES).alpha == pytest.approx(0.2)
    assert Cell(kind="rate", **SIZES, noise=0.1).noise_per_step() == pytest.approx(0.1 * np.sqrt(2 * 0.1 / 0.02))
    assert Cell(kind="gru", **SIZES, noise=0.1).noise_per_step(0.2) == pytest.approx(0.2 * np.sqrt(2))
