import numpy as np
import pytest
import torch

from neurocompare.recurrent import simulation
from neurocompare.recurrent.cells import KINDS, Cell
from neurocompare.recurrent.constraints import Constraints, initialise
from neurocompare.recurrent.simulation import simulate


def network(kind="rate", seed=0, **options):
    cell = Cell(**{"kind": kind, "units": 7, "inputs": 3, "outputs": 2, "noise": 0.2, "gain": 1.2} | options)
    raw = initialise(cell, Constraints(initial_value=0.3), seed)
    return cell, {name: values + 0.01 for name, values in raw.items()}


def inputs(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_simulation_is_a_chain_of_steps(kind, monkeypatch):
    # Few numbers at once: projections of inputs are then made in several pieces.
    monkeypatch.setattr(simulation, "HOISTED", 5 * 7 * 4 * 3)
    cell, weights = network(kind)
    u = inputs(5, 11, 3)
    found = simulate(cell, weights, u, noise=0)
    for trial in range(5):
        state = weights["initial"]
        for step in range(11):
            state = cell.step(weights, state, u[trial, step])
            torch.testing.assert_close(found.states[trial, step], state)
            torch.testing.assert_close(found.rates[trial, step], cell.rates(state))
            torch.testing.assert_close(found.outputs[trial, step], cell.readout(weights, cell.rates(state)))


def test_only_what_is_asked_for_is_kept():
    cell, weights = network()
    found = simulate(cell, weights, inputs(2, 4, 3), seed=0, keep=("outputs",))
    assert found.states is None
    assert found.rates is None
    assert found.outputs.shape == (2, 4, 2)


@pytest.mark.parametrize("dt", [0.02, 0.004])
def test_an_isolated_unit_has_the_stationary_deviation_of_the_noise(dt):
    tau, sigma = 0.1, 0.3
    cell, weights = network(dt=dt, time_constant=tau, noise=sigma, units=50)
    weights = {name: torch.zeros_like(values) for name, values in weights.items()}
    steps = round(1.5 / dt)
    states = simulate(cell, weights, torch.zeros(60, steps, 3), seed=0).states[:, round(0.8 / dt) :]
    # 3000 units for 7 time constants each: 10^4 independent samples or more, a standard error below 1 %.
    assert states.std().item() == pytest.approx(sigma / np.sqrt(1 - dt / tau / 2), rel=0.02)
    before, after = states[:, :-1].flatten(), states[:, 1:].flatten()
    assert torch.corrcoef(torch.stack([before, after]))[0, 1].item() == pytest.approx(1 - dt / tau, abs=0.02)


@pytest.mark.parametrize("kind", ["rate", "lstm"])
def test_noise_of_a_trial_does_not_depend_on_batches_or_on_other_trials(kind):
    cell, weights = network(kind)
    u = inputs(9, 6, 3)
    whole = simulate(cell, weights, u, seed=4)
    for batch in (1, 4):
        for name in simulation.KEPT:
            torch.testing.assert_close(
                getattr(simulate(cell, weights, u, seed=4, batch=batch), name), getattr(whole, name)
            )
    torch.testing.assert_close(simulate(cell, weights, u[:3], seed=4).states, whole.states[:3])
    assert not torch.allclose(simulate(cell, weights, u, seed=5).states, whole.states, atol=1e-3)
    # A generator goes on where the trials before ended.
    source = torch.Generator().manual_seed(4)
    parts = [simulate(cell, weights, part, generator=source).states for part in u.split([2, 7])]
    torch.testing.assert_close(torch.cat(parts), whole.states)


def test_a_network_does_the_same_among_others():
    cell, first = network(seed=0)
    _, second = network(seed=1)
    both = {name: torch.stack([first[name], second[name]]) for name in first}
    u = inputs(4, 5, 3)
    together = simulate(cell, both, u, seed=[3, 8])
    alone = [simulate(cell, weights, u, seed=seed) for weights, seed in ((first, 3), (second, 8))]
    for name in simulation.KEPT:
        torch.testing.assert_close(getattr(together, name), torch.stack([getattr(one, name) for one in alone]))
    own = inputs(2, 4, 5, 3)
    apart = simulate(cell, both, own, seed=[3, 8], batch=3)
    for k, (weights, seed) in enumerate(((first, 3), (second, 8))):
        torch.testing.assert_close(apart.states[k], simulate(cell, weights, own[k], seed=seed).states)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_gradients_are_those_of_finite_differences(kind):
    cell, weights = network(kind, noise=0.0)
    weights = {name: values.double().requires_grad_() for name, values in weights.items()}
    u = inputs(2, 4, 3).double()

    def outputs(*values):
        return simulate(cell, dict(zip(weights, values, strict=True)), u).outputs

    assert torch.autograd.gradcheck(outputs, tuple(weights.values()))


def test_gradients_do_not_depend_on_batches():
    cell, weights = network()
    grads = []
    for batch in (None, 2):
        leaves = {name: values.clone().requires_grad_() for name, values in weights.items()}
        simulate(cell, leaves, inputs(5, 6, 3), seed=2, batch=batch).outputs.square().sum().backward()
        grads.append({name: values.grad for name, values in leaves.items()})
    for name in weights:
        torch.testing.assert_close(grads[0][name], grads[1][name], rtol=1e-4, atol=1e-5)


def test_noise_without_its_source_is_refused():
    cell, weights = network()
    with pytest.raises(ValueError, match="generator"):
        simulate(cell, weights, inputs(2, 3, 3))
    with pytest.raises(ValueError, match="generator"):
        simulate(cell, weights, inputs(2, 3, 3), seed=[1])
    both = {name: torch.stack([values] * 2) for name, values in weights.items()}
    with pytest.raises(ValueError, match="generator"):
        simulate(cell, both, inputs(2, 3, 3), seed=1)
