import numpy as np
import pytest
import torch

from neurocompare.errors import UserError
from neurocompare.recurrent.cells import Cell
from neurocompare.recurrent.constraints import Areas, Constraints, initialise

AREAS = Areas(names=("a", "b", "c"), sizes=(20, 30, 10), feedforward=0.3, feedback=0.15, e_to_i=0.2, seed=3)
CHAIN = Constraints(excitatory=0.8, self_connections=False, areas=AREAS)


def cell_of(units=60, **options):
    return Cell(**{"kind": "rate", "units": units, "inputs": 4, "outputs": 2, "activation": "relu"} | options)


def shaken(raw, seed=0):
    """Raw parameters after a large random update."""
    draw = torch.Generator().manual_seed(seed)
    return {name: values + torch.randn(values.shape, generator=draw) for name, values in raw.items()}


@pytest.mark.parametrize("networks", [0, 2])
def test_areas_and_signs_hold_exactly_after_any_update(networks):
    raw = initialise(cell_of(), CHAIN, 0)
    if networks:
        raw = {name: torch.stack([values] * networks) for name, values in raw.items()}
    area, kind = CHAIN.units(60)
    assert [(kind[area == name] == "excitatory").sum() for name in "abc"] == [16, 24, 8]
    assert all((np.diff((kind[area == name] == "excitatory").astype(int)) <= 0).all() for name in "abc")
    order = np.array([AREAS.names.index(name) for name in area])
    excitatory = kind == "excitatory"
    between = order[:, None] != order
    for update in range(3):
        weights = {name: values.numpy() for name, values in CHAIN.effective(shaken(raw, update)).items()}
        recurrent = weights["recurrent"]
        assert (recurrent[..., excitatory] >= 0).all()
        assert (recurrent[..., ~excitatory] <= 0).all()
        assert (np.diagonal(recurrent, axis1=-2, axis2=-1) == 0).all()
        # Inhibitory units stay in their area, and areas that are no neighbours are not connected.
        assert (recurrent[..., between & ~excitatory] == 0).all()
        assert (recurrent[..., np.abs(order[:, None] - order) > 1] == 0).all()
        # Feedback reaches excitatory units only.
        assert (recurrent[..., (order[:, None] < order) & ~excitatory[:, None]] == 0).all()
        assert (weights["input"] >= 0).all()
        assert (weights["input"][..., order > 0, :] == 0).all()
        assert (weights["output"] >= 0).all()
        assert (weights["output"][..., (order < 2) | ~excitatory] == 0).all()


def test_connections_between_areas_have_the_densities_asked_for():
    areas = Areas(names=("a", "b"), sizes=(300, 300), feedforward=0.3, feedback=0.1, e_to_i=0.05)
    both = Constraints(excitatory=0.5, areas=areas)
    raw = {name: values.abs() + 1 for name, values in initialise(cell_of(600), both, 0).items()}
    kept = (both.effective(raw)["recurrent"] != 0).numpy()
    e1, i1, e2, i2 = (slice(first, first + 150) for first in (0, 150, 300, 450))
    n = 150**2
    for rows, columns, density in [(e2, e1, 0.3), (e1, e2, 0.1), (i2, e1, 0.05), (i1, e2, 0), (e2, i1, 0), (e1, i2, 0)]:
        assert abs(kept[rows, columns].mean() - density) <= 4 * np.sqrt(density * (1 - density) / n)
    for own in (slice(0, 300), slice(300, 600)):
        assert kept[own, own].all()


def test_without_signs_all_units_project():
    areas = Areas(names=("a", "b"), sizes=(100, 100), feedforward=1.0, feedback=0.0, outputs_from=("a", "b"))
    chain = Constraints(areas=areas)
    weights = chain.effective(shaken(initialise(cell_of(200, activation="tanh"), chain, 0)))
    assert (weights["recurrent"][100:, :100] != 0).all()
    assert (weights["recurrent"][:100, 100:] == 0).all()
    assert (weights["recurrent"][:100, :100] < 0).any()
    assert (weights["output"] != 0).all()
    assert set(chain.units(200)[1]) == {"none"}


def test_connections_do_not_depend_on_the_seed_of_the_network_but_on_that_of_the_areas():
    def mask(constraints, seed):
        return constraints.effective(initialise(cell_of(), constraints, seed))["recurrent"] != 0

    assert torch.equal(mask(CHAIN, 0), mask(CHAIN, 1))
    elsewhere = Areas(names=("a", "b", "c"), sizes=(20, 30, 10), feedforward=0.3, feedback=0.15, e_to_i=0.2, seed=4)
    assert not torch.equal(
        mask(CHAIN, 0), mask(Constraints(excitatory=0.8, self_connections=False, areas=elsewhere), 0)
    )


@pytest.mark.parametrize("rank", [1, 3])
def test_low_rank_is_the_product_of_its_factors_over_n(rank):
    low = Constraints(rank=rank)
    raw = shaken(initialise(cell_of(activation="tanh"), low, 0))
    weights = low.effective(raw)
    assert set(weights) == set(cell_of().shapes())
    left, right = raw["left"].double().numpy(), raw["right"].double().numpy()
    np.testing.assert_allclose(weights["recurrent"].numpy(), left @ right.T / 60, atol=1e-6)
    values = np.linalg.svd(weights["recurrent"].double().numpy(), compute_uv=False)
    assert (values > 1e-6 * values[0]).sum() == rank
    # The one eigenvalue of rank 1 is n·m / N.
    if rank == 1:
        outlier = np.linalg.eigvals(weights["recurrent"].double().numpy())
        assert outlier[np.abs(outlier).argmax()].real == pytest.approx((right * left).sum() / 60, rel=1e-4)


def test_gradients_reach_raw_parameters_and_respect_masks():
    raw = {name: values.requires_grad_() for name, values in initialise(cell_of(), CHAIN, 0).items()}
    sum(values.square().sum() for values in CHAIN.effective(raw).values()).backward()
    effective = CHAIN.effective(raw)["recurrent"]
    assert (raw["recurrent"].grad[effective == 0] == 0).all()
    torch.testing.assert_close(raw["recurrent"].grad.abs(), 2 * effective.detach().abs())


def test_units_are_named_without_areas():
    area, kind = Constraints(excitatory=0.75).units(8)
    assert area.tolist() == ["network"] * 8
    assert kind.tolist() == ["excitatory"] * 6 + ["inhibitory"] * 2
    assert set(Constraints().units(5)[1]) == {"none"}


def radius(weights):
    return np.abs(np.linalg.eigvals(weights.double().numpy())).max()


def test_initial_weights_have_the_scale_asked_for():
    n = 300
    recurrent = initialise(cell_of(n, gain=1.5), Constraints(), 0)["recurrent"]
    assert recurrent.std().item() == pytest.approx(1.5 / np.sqrt(n), rel=0.02)
    # The circular law.
    assert radius(recurrent) == pytest.approx(1.5, rel=0.1)
    orthogonal = initialise(cell_of(n, gain=0.5, initialisation="orthogonal"), Constraints(), 0)["recurrent"]
    torch.testing.assert_close(orthogonal @ orthogonal.T, 0.25 * torch.eye(n), atol=1e-5, rtol=0)
    gru = initialise(cell_of(n, kind="gru", gain=0.5, initialisation="orthogonal"), Constraints(), 0)["recurrent"]
    for block in gru.reshape(3, n, n):
        torch.testing.assert_close(block @ block.T, 0.25 * torch.eye(n), atol=1e-5, rtol=0)
    for constraints in (CHAIN, Constraints(self_connections=False), Constraints(areas=Areas(("x",), (60,)))):
        effective = constraints.effective(initialise(cell_of(gain=1.3), constraints, 1))["recurrent"]
        assert radius(effective) == pytest.approx(1.3, rel=1e-4)


def test_inhibition_balances_excitation_at_the_start():
    effective = CHAIN.effective(initialise(cell_of(), CHAIN, 0))["recurrent"].double()
    torch.testing.assert_close(effective.sum(1), torch.zeros(60, dtype=torch.float64), atol=1e-5, rtol=0)
    norms = effective.norm(dim=1)
    torch.testing.assert_close(norms, norms.mean().expand(60), rtol=1e-5, atol=0)


def test_initial_state_and_what_is_trained():
    names = ["input", "recurrent", "bias", "output", "output_bias", "initial"]
    trained = Constraints(initial_value=0.1)
    raw = initialise(cell_of(), trained, 0)
    assert (raw["initial"] == 0.1).all()
    assert trained.trained(raw) == names
    assert (initialise(cell_of(), Constraints(initial="zero", initial_value=0.1), 0)["initial"] == 0).all()
    fixed = Constraints(initial="fixed", initial_value=0.2, fixed=("input", "output_bias"))
    assert fixed.trained(initialise(cell_of(), fixed, 0)) == ["recurrent", "bias", "output"]
    low = Constraints(rank=2, fixed=("recurrent",))
    assert low.trained(initialise(cell_of(activation="tanh"), low, 0)) == ["input", *names[2:]]
    gru = initialise(cell_of(kind="gru"), Constraints(fixed=("bias",)), 0)
    assert "recurrent_bias" not in Constraints(fixed=("bias",)).trained(gru)


def test_the_gate_that_keeps_the_state_starts_open():
    for kind, rows in (("ugrnn", slice(0, 5)), ("gru", slice(5, 10)), ("lstm", slice(5, 10))):
        bias = initialise(cell_of(5, kind=kind), Constraints(), 0)["bias"]
        assert (bias[rows] == 1).all()
        assert bias.sum() == 5


def test_draws_are_of_the_seed():
    first, again, other = (initialise(cell_of(), CHAIN, seed) for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["recurrent"], other["recurrent"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"excitatory": 1.2}, "excitatory"),
        ({"excitatory": 0.01, "areas": Areas(("x",), (10,))}, "'x'"),
        ({"rank": 0}, "rank"),
        ({"rank": 2, "excitatory": 0.8}, "exclude"),
        ({"rank": 2, "areas": Areas(("x",), (10,))}, "exclude"),
        ({"rank": 2, "self_connections": False}, "self_connections"),
        ({"self_connections": "no"}, "self_connections"),
        ({"initial": "random"}, "initial"),
        ({"fixed": "input"}, "fixed"),
        ({"fixed": ["inputs"]}, "input"),
        ({"areas": AREAS}, "e_to_i"),
    ],
)
def test_wrong_constraints_are_refused(options, told):
    with pytest.raises(UserError) as error:
        Constraints(**options)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"names": "ab"}, "names"),
        ({"names": ("a", "a")}, "name of its own"),
        ({"names": ("a", " ")}, "name of each"),
        ({"sizes": (3,)}, "1 sizes for 2"),
        ({"sizes": (3, -1)}, "size of 'b'"),
        ({"feedforward": 2}, "feedforward"),
        ({"inputs_to": ("c",)}, "'c'"),
        ({"outputs_from": "b"}, "outputs_from"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_areas_are_refused(options, told):
    with pytest.raises(UserError) as error:
        Areas(**{"names": ("a", "b"), "sizes": (3, 4)} | options)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("cell", "constraints", "told"),
    [
        ({"kind": "gru"}, {"excitatory": 0.8}, "excitatory"),
        ({"kind": "lstm"}, {"self_connections": False}, "self_connections"),
        ({"activation": "tanh"}, {"excitatory": 0.8}, "never negative"),
        ({"kind": "vanilla"}, {"excitatory": 0.8}, "initial"),
        ({"units": 61}, {"excitatory": 0.8, "areas": AREAS}, "61"),
        ({"units": 3}, {"rank": 4}, "rank"),
        ({"units": 2}, {"excitatory": 0.1}, "excitatory"),
        ({"initialisation": "gamma"}, {}, "gamma"),
        ({"initialisation": "orthogonal"}, {"excitatory": 0.8}, "orthogonal"),
        ({"initialisation": "orthogonal"}, {"rank": 1}, "orthogonal"),
    ],
)
def test_cells_that_cannot_keep_to_constraints_are_refused(cell, constraints, told):
    with pytest.raises(UserError) as error:
        initialise(cell_of(**cell), Constraints(**constraints), 0)
    assert told in str(error.value)
    assert "\n" not in str(error.value)
