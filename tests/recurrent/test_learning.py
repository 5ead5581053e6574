"""Training of recurrent networks: gradients, updates, independence of seeds, schedules; something is learnt."""

import importlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from neurocompare import tasks
from neurocompare.errors import UserError
from neurocompare.recurrent import definition as definitions
from neurocompare.recurrent import learning, losses, schedule
from neurocompare.recurrent.backpropagation import Batch, Gradients, gradients, outputs_of, unroll
from neurocompare.recurrent.cells import KINDS, Cell
from neurocompare.recurrent.constraints import Constraints, initialise

SHORT = {"dt": 0.05, "fixation": 0.05, "context": 0.1, "stimulus": 0.3, "decision": 0.1, "delay": [0, 0.2]}
"""Trials of 11 to 15 steps at most, of different lengths."""

VARIANTS = {
    "rate": ({"kind": "rate"}, {}),
    "signs": (
        {"kind": "rate", "activation": "relu"},
        {"excitatory": 0.8, "self_connections": False, "initial_value": 0.1},
    ),
    "rank": ({"kind": "rate"}, {"rank": 2, "initial": "fixed"}),
    "vanilla": ({"kind": "vanilla", "activation": "softplus"}, {"fixed": ["input"]}),
    "gru": ({"kind": "gru"}, {}),
    "lstm": ({"kind": "lstm"}, {}),
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def define(variant="rate", options=SHORT, task="context_integration", units=12, **settings):
    cell, constraints = VARIANTS[variant]
    entry = {"cell": {"units": units, "noise": 0.05} | cell, "constraints": constraints}
    settings = {"updates": 4, "batch": 6, "rate": 0.01, "stop": {"every": 2, "trials": 20}} | settings
    return definitions.of_entry(entry | {"learning": settings}, {"task": task, "options": options})


def batch(cell, networks=2, steps=5, trials=3):
    torch.manual_seed(5)
    inputs = torch.randn(networks, steps, trials, cell.inputs)
    targets, mask = (
        torch.randn(networks, steps, trials, cell.outputs),
        torch.rand(networks, steps, trials, cell.outputs),
    )
    valid = torch.ones(networks, steps, trials)
    valid[:, -1, 0] = 0
    noise = 0.1 * torch.randn(networks, steps, trials, cell.units)
    return Batch(*(x.double() for x in (inputs, targets, mask * valid[..., None], valid, noise)))


def stacked(cell, constraints, seeds=(0, 1)):
    raw = [initialise(cell, constraints, seed) for seed in seeds]
    raw = {name: torch.stack([one[name] for one in raw]).double() for name in raw[0]}
    for name in constraints.trained(raw):
        raw[name].requires_grad_()
    return raw


def greatest_difference(one, other):
    return max((one[name] - other[name]).abs().max().item() for name in one)


@pytest.mark.parametrize("kind", KINDS)
def test_running_over_a_batch_is_one_step_after_the_other(kind):
    cell = Cell(kind, 5, 2, 3, noise=0.1)
    weights, trials = Constraints().effective(stacked(cell, Constraints())), batch(cell)
    states, _ = unroll(cell, weights, trials)
    _, outputs = outputs_of(cell, weights, states)
    for k in range(2):
        alone = {name: tensor[k] for name, tensor in weights.items()}
        state = alone["initial"].expand(3, -1)
        for t in range(5):
            state = cell.step(alone, state, trials.inputs[k, t], trials.noise[k, t])
            torch.testing.assert_close(states[t + 1][k], state)
            torch.testing.assert_close(outputs[k, t], cell.readout(alone, cell.rates(state)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_are_those_of_the_loss(variant):
    options, given = VARIANTS[variant]
    cell, constraints = Cell(units=6, inputs=2, outputs=2, **options), Constraints(**given)
    raw, trials = stacked(cell, constraints), batch(cell)
    penalties = {"weights": 0.3, "rates": 0.2}
    found = gradients(cell, constraints, raw, trials, penalties)

    def loss(raw):
        weights = constraints.effective(raw)
        rates, outputs = outputs_of(cell, weights, unroll(cell, weights, trials)[0])
        return (
            losses.squared_error(outputs, trials.targets, trials.mask)
            + 0.3 * losses.weight_penalty(weights)
            + 0.2 * losses.rate_penalty(rates, trials.valid)
        )

    torch.testing.assert_close(found.error + found.penalty, loss(raw).detach())
    assert list(found.raw) == constraints.trained(raw)
    for name, gradient in found.raw.items():
        direction = torch.randn_like(gradient)
        with torch.no_grad():
            ahead, back = (loss(raw | {name: raw[name] + h * direction}) for h in (1e-6, -1e-6))
        along = (gradient * direction).flatten(1).sum(1)
        torch.testing.assert_close(along, (ahead - back) / 2e-6, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("variant", ["rate", "signs", "gru", "lstm"])
def test_the_vanishing_regulariser_adds_its_immediate_gradient(variant):
    options, given = VARIANTS[variant]
    cell, constraints = Cell(units=6, inputs=2, outputs=2, **options), Constraints(**given)
    raw, trials = stacked(cell, constraints), batch(cell)
    without = gradients(cell, constraints, raw, trials, {})
    found = gradients(cell, constraints, raw, trials, {"vanishing": 0.7})
    weights = constraints.effective(raw)
    states, drives = unroll(cell, weights, trials)
    error = losses.squared_error(outputs_of(cell, weights, states)[1], trials.targets, trials.mask).sum()
    # The error by each state in turn, through a run that starts there.
    by_state = torch.stack(torch.autograd.grad(error, states[1:], retain_graph=True), 1)
    before = torch.stack(states[:-1], 1).detach()
    recurrent = weights["recurrent"].detach()

    def omega(recurrent):
        return losses.vanishing(cell, weights | {"recurrent": recurrent}, before, drives.detach(), by_state)

    torch.testing.assert_close(found.penalty, 0.7 * omega(recurrent).detach())
    direction = torch.randn_like(raw["recurrent"])
    moved = [constraints.effective({**raw, "recurrent": raw["recurrent"] + h * direction}) for h in (1e-6, -1e-6)]
    along = ((found.raw["recurrent"] - without.raw["recurrent"]) * direction).flatten(1).sum(1)
    ahead, back = (omega(one["recurrent"].detach()).detach() for one in moved)
    torch.testing.assert_close(along, 0.7 * (ahead - back) / 2e-6, rtol=1e-5, atol=1e-6)
    assert greatest_difference({"input": without.raw["input"]}, found.raw) == 0


def test_the_vanishing_regulariser_leaves_fixed_recurrent_weights_alone():
    cell, constraints = Cell("rate", 6, 2, 2), Constraints(fixed=["input", "recurrent", "bias"], initial="zero")
    raw, trials = stacked(cell, constraints), batch(cell)
    assert gradients(cell, constraints, raw, trials, {"vanishing": 1.0}).penalty.tolist() == [0, 0]


def test_gradients_are_shortened_network_by_network():
    found = Gradients({"a": torch.tensor([[3.0], [0.3]]), "b": torch.tensor([[[4.0]], [[0.4]]])}, None, None)
    assert learning.clip(found, 1.0).tolist() == pytest.approx([5, 0.5])
    assert found.raw["a"].flatten().tolist() == pytest.approx([0.6, 0.3])
    assert found.raw["b"].flatten().tolist() == pytest.approx([0.8, 0.4])
    unbounded = {"a": torch.tensor([[3.0]])}
    learning.clip(Gradients(unbounded, None, None), None)
    assert unbounded["a"].item() == 3


@pytest.mark.parametrize("variant", ["rate", "signs", "rank", "gru"])
def test_one_update_does_not_depend_on_companions(variant):
    definition = define(variant, updates=1, penalties={"weights": 0.1, "rates": 0.1, "vanishing": 0.5}, clip=0.1)
    together = learning.train(definition, [7, 2, 11, 4])
    for outcome in together:
        alone = learning.train(definition, [outcome.seed])[0]
        assert greatest_difference(outcome.weights, alone.weights) <= 1e-6
        # Adam's first step hardly depends on the size of a gradient, so that sizes are compared themselves.
        for quantity in ("loss", "penalty", "gradient_norm"):
            assert outcome.rows[-1][quantity] == pytest.approx(alone.rows[-1][quantity], rel=1e-4)
        assert outcome.rows[-1]["error"] == pytest.approx(alone.rows[-1]["error"], abs=1e-5)
    assert greatest_difference(together[0].weights, together[1].weights) > 0.1


def test_a_curriculum_that_is_not_passed_leaves_no_network():
    stages = [{"until": {"performance": 1.0}, "options": {}}]
    definition = define(updates=2, curriculum=stages, stop={"every": 1, "trials": 64})
    with pytest.raises(
        UserError, match=r"seed 0 did not pass stage 1 of 1 in 2 updates; give it more, or ask for less"
    ):
        learning.train(definition, [0])


def test_an_update_is_that_of_adam_by_hand():
    definition = define("rate", updates=3, clip=None, decay=0.5, units=5, checkpoints=[0, 1, 2, 3])
    outcome = learning.train(definition, [3])[0]
    work = learning._Work(definition)
    learner = types.SimpleNamespace(seed=3, course=schedule.Course())
    raw = {name: tensor[None] for name, tensor in initialise(definition.cell, definition.constraints, 3).items()}
    first, second = ({name: torch.zeros_like(t) for name, t in raw.items()} for _ in range(2))
    for update in range(3):
        for tensor in raw.values():
            tensor.requires_grad_()
        trials = learning._batch(definition.cell, [work.trials(learner)])
        found = gradients(definition.cell, definition.constraints, raw, trials, {}).raw
        for name, g in found.items():
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.999 * second[name] + 0.001 * g**2
            size = (second[name] / (1 - 0.999 ** (update + 1))).sqrt() + 1e-8
            step = 0.01 * 0.5**update * first[name] / (1 - 0.9 ** (update + 1)) / size
            raw[name] = raw[name].detach() - step
        learner.course.update += 1
        held = outcome.checkpoints[update + 1]
        assert greatest_difference(held, {name: tensor[0] for name, tensor in raw.items()}) < 1e-6
    assert [row["rate"] for row in outcome.rows] == [0.01, 0.005, 0.0025]


def test_trials_and_noise_are_new_in_each_update_and_the_same_each_time():
    definition = define()
    work = learning._Work(definition)
    drawn = [
        learning._batch(work.cell, [work.trials(types.SimpleNamespace(seed=s, course=schedule.Course(update=u)))])
        for s, u in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert torch.equal(drawn[0].inputs, drawn[1].inputs) and torch.equal(drawn[0].noise, drawn[1].noise)
    for other in drawn[2:]:
        steps = min(other.noise.shape[1], drawn[0].noise.shape[1])
        assert not torch.equal(other.inputs[:, :steps], drawn[0].inputs[:, :steps])
        assert abs(np.corrcoef(other.noise[0, :steps].flatten(), drawn[0].noise[0, :steps].flatten())[0, 1]) < 0.1
    assert drawn[0].noise.std().item() == pytest.approx(work.cell.noise_per_step(), rel=0.1)


def test_training_is_deterministic():
    one, other = (learning.train(define("gru", penalties={"vanishing": 1.0}), [1])[0] for _ in range(2))
    assert greatest_difference(one.weights, other.weights) == 0
    assert str(one.rows) == str(other.rows)


def test_padding_of_short_trials_changes_nothing():
    definition = define("rate")
    work = learning._Work(definition)
    task = tasks.load("context_integration")
    short = task.trials(4, np.random.default_rng(0), **SHORT | {"delay": 0.0})
    long = task.trials(4, np.random.default_rng(1), **SHORT | {"delay": 0.5})
    alone, both = (learning._batch(work.cell, x) for x in ([(short, [1])], [(short, [1]), (long, [2])]))
    assert both.inputs.shape[1] == long.inputs.shape[1] > alone.inputs.shape[1]
    for trials in (alone, both):
        for name in ("inputs", "targets", "mask", "valid", "noise"):
            setattr(trials, name, getattr(trials, name).double())
    penalties = {"weights": 0.1, "rates": 0.1, "vanishing": 0.5}
    raw = stacked(work.cell, work.constraints)
    expected = gradients(work.cell, work.constraints, {k: v[:1] for k, v in raw.items()}, alone, penalties)
    found = gradients(work.cell, work.constraints, raw, both, penalties)
    torch.testing.assert_close(found.error[:1], expected.error)
    for name, gradient in expected.raw.items():
        torch.testing.assert_close(found.raw[name][:1], gradient)


def test_signs_masks_and_rank_hold_after_training():
    signs = define("signs", updates=6, rate=0.05)
    weights = learning.train(signs, [0])[0].weights
    kinds = signs.constraints.units(12)[1]
    assert (weights["recurrent"][:, kinds == "excitatory"] >= 0).all()
    assert (weights["recurrent"][:, kinds == "inhibitory"] <= 0).all()
    assert (weights["recurrent"].diagonal() == 0).all() and (weights["output"][:, kinds == "inhibitory"] == 0).all()
    rank = learning.train(define("rank", updates=6, rate=0.05), [0])[0].weights
    assert torch.linalg.matrix_rank(rank["recurrent"], rtol=1e-5) == 2
    fixed = define("vanilla", updates=6, checkpoints=[0])
    outcome = learning.train(fixed, [0])[0]
    assert torch.equal(outcome.weights["input"], outcome.checkpoints[0]["input"])
    assert not torch.equal(outcome.weights["bias"], outcome.checkpoints[0]["bias"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coherence": [0.5]}, "unknown option of learning.curriculum, stage 1 'coherence'; did you mean coherences"),
        ({"dt": 0.02}, "learning.curriculum, stage 1: dt becomes 0.02, but the cell has 0.05; keep it"),
        ({"stimulus": -1}, "task context_integration: stimulus is -1"),
    ],
)
def test_stages_must_fit_the_task_and_the_cell(options, message):
    with pytest.raises(UserError, match=message) as told_:
        learning.train(define(curriculum=[{"until": {"updates": 1}, "options": options}]), [0])
    assert "\n" not in str(told_.value)


def test_a_network_in_which_all_is_fixed_is_refused(monkeypatch):
    everything = {"fixed": ["input", "recurrent", "bias", "output", "output_bias"], "initial": "zero"}
    monkeypatch.setitem(VARIANTS, "fixed", ({"kind": "rate"}, everything))
    with pytest.raises(UserError, match="'fixed' leaves no weight to learn"):
        learning.train(define("fixed"), [0])


class Told:
    """A task of two steps, told from outside how well each evaluation went."""

    def __init__(self, performances):
        self.performances, self.options = iter(performances), []

    def trials(self, n, rng, *, level=0):
        self.options.append(level)
        ones = np.ones((n, 2, 1), np.float32)
        return types.SimpleNamespace(
            inputs=ones * rng.standard_normal((n, 1, 1), np.float32),
            targets=ones,
            mask=ones,
            length=np.full(n, 2),
            dt=0.02,
        )

    def performance(self, outputs, trials):
        return {"correct": np.full(len(outputs), next(self.performances))}


def told(monkeypatch, performances, seeds=(0,), **settings):
    task = Told(performances)
    monkeypatch.setattr(tasks, "load", lambda name: task)
    definition = definitions.Definition(Cell("rate", 3, 1, 1), Constraints(), settings, "told", {"level": 9})
    return learning.train(definition, list(seeds)), task


def test_stages_end_by_performance_or_updates_and_the_task_itself_is_last(monkeypatch):
    stages = [
        {"until": {"performance": 0.8}, "options": {"level": 1}},
        {"until": {"updates": 2}, "options": {"level": 2}},
    ]
    outcomes, task = told(
        monkeypatch, [1.0, 0.5, 0.9, 0.9], updates=6, curriculum=stages, stop={"every": 2, "performance": 0.9}
    )
    # Before learning nothing counts; then stage 0 until the second evaluation, two updates of stage 1, and the task.
    assert [row["stage"] for row in outcomes[0].rows] == [0, 0, 0, 2]
    # One trial shows that each stage fits the cell; evaluations draw trials once in each stage.
    assert task.options == [1, 2] + [1, 1, 1, 1, 1, 2, 2, 9]
    assert outcomes[0].kept == 6


def test_learning_stops_after_enough_good_evaluations_in_a_row(monkeypatch):
    given = [1.0, 0.95, 0.5, 0.95, 0.9, 0.0]
    outcomes, _ = told(monkeypatch, given, updates=9, stop={"every": 1, "performance": 0.9, "patience": 2})
    assert [row["performance"] for row in outcomes[0].rows] == pytest.approx(given[:-1])


def test_a_network_that_has_finished_is_left_alone(monkeypatch):
    # Seeds 0 and 1 take turns; 0 is done after one evaluation.
    stop = {"every": 1, "performance": 0.9}
    outcomes, _ = told(monkeypatch, [0, 0, 1, 0, 0, 0, 1], seeds=(0, 1), updates=9, stop=stop, batch=4, rate=0.1)
    alone = [
        told(monkeypatch, given, (k,), updates=9, stop=stop, batch=4, rate=0.1)[0][0]
        for k, given in enumerate(([0, 1], [0, 0, 0, 0, 1]))
    ]
    assert [outcome.kept for outcome in outcomes] == [1, 4]
    for outcome, other in zip(outcomes, alone, strict=True):
        assert greatest_difference(outcome.weights, other.weights) < 1e-5
        assert [row["update"] for row in outcome.rows] == [row["update"] for row in other.rows]


def test_the_best_weights_are_kept_if_wanted(monkeypatch):
    given, settings = [0, 0.5, 0.7, 0.6], {"updates": 3, "rate": 0.1, "stop": {"every": 1}, "checkpoints": [0, 2, 3]}
    best = told(monkeypatch, given, keep="best", **settings)[0][0]
    last = told(monkeypatch, given, **settings)[0][0]
    assert (best.kept, last.kept) == (2, 3)
    assert greatest_difference(best.weights, best.checkpoints[2]) == 0
    assert greatest_difference(last.weights, last.checkpoints[3]) == 0
    untrained = Constraints().effective(initialise(Cell("rate", 3, 1, 1), Constraints(), 0))
    assert greatest_difference(best.checkpoints[0], untrained) == 0


def test_rows_tell_means_over_the_updates_before(monkeypatch):
    settings = {"updates": 4, "batch": 8, "penalties": {"weights": 1.0}}
    coarse = told(monkeypatch, [0] * 9, stop={"every": 2}, **settings)[0][0].rows
    fine = told(monkeypatch, [0] * 9, stop={"every": 1}, **settings)[0][0].rows
    for name in ("loss", "penalty", "gradient_norm"):
        assert np.isnan(coarse[0][name])
        assert coarse[1][name] == pytest.approx((fine[1][name] + fine[2][name]) / 2, rel=1e-6)
        assert coarse[2][name] == pytest.approx((fine[3][name] + fine[4][name]) / 2, rel=1e-6)


def test_learning_that_diverges_is_refused_in_one_line(monkeypatch):
    with pytest.raises(UserError, match=r"learning of seed 0 diverged before update 8; lower 'rate'") as told_:
        monkeypatch.setitem(VARIANTS, "wild", ({"kind": "rate", "activation": "relu"}, {"initial_value": 1.0}))
        learning.train(define("wild", updates=8, rate=1e9, stop={"every": 8, "trials": 8}), [0])
    assert "\n" not in str(told_.value)


def test_the_context_task_is_learnt():
    options = {"dt": 0.05, "coherences": [0.5], "noise": 0.1}
    definition = define(options=options, updates=150, batch=32, units=30, stop={"every": 50, "trials": 400})
    outcome = learning.train(definition, [0])[0]
    assert outcome.rows[0]["performance"] < 0.7
    assert outcome.rows[-1]["performance"] > 0.97


def test_bench_compares_the_same_gradients(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "bench")
    rows = importlib.import_module("bench_training").measure("tiny")
    for name in ("bench_training", "ratios"):
        sys.modules.pop(name)
    assert len(rows) == 3
    assert all(np.isfinite(row.value) and row.value > 0 for row in rows)
    assert all(float(row.note.split()[-1]) < 1e-5 for row in rows)
