r"""Training of recurrent networks on tasks: back-propagation through time with Adam (Kingma & Ba 2015, ICLR).

Networks of several seeds are one computation with a leading axis of networks. They have nothing in common: each draws
its trials and its noise from streams of its own, for each update anew from (seed, update), losses are summed,
gradients are clipped network by network, and Adam works element by element. What is left between a network by itself
and one among others is the order of sums in matrix products.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from neurocompare import tasks
from neurocompare.errors import UserError, check_options
from neurocompare.recurrent import checkpoints, losses, schedule
from neurocompare.recurrent.backpropagation import Batch, Gradients, gradients
from neurocompare.recurrent.cells import Cell
from neurocompare.recurrent.checkpoints import Learner
from neurocompare.recurrent.constraints import Constraints, initialise
from neurocompare.recurrent.simulation import simulate

_TRIALS, _NOISE, _EVALUATION, _EVALUATION_NOISE = 1, 2, 3, 4
"""Streams of random numbers of a seed."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What learning gave for one seed.

    Attributes
    ----------
    seed : int
        The seed.
    weights : dict of str to Tensor
        Trained weights, for `Cell`.
    kept : int
        Number of the update that they are of.
    rows : list of dict
        One for each evaluation: ``update``, ``stage`` (0, 1, …), ``rate``; ``loss`` (squared error), ``penalty`` and
        ``gradient_norm`` (before clipping), means over the updates since the row before; ``error`` and ``performance``
        (fraction correct) of the evaluation.
    checkpoints : dict of int to dict of str to Tensor
        Weights after the numbers of updates that were asked for, as far as learning came.
    """

    seed: int
    weights: dict[str, Tensor]
    kept: int
    rows: list[dict]
    checkpoints: dict[int, dict[str, Tensor]]


def train(
    definition,
    seeds: list[int],
    *,
    resume: str | Path | None = None,
    progress: Callable[[list[dict]], None] | None = None,
) -> list[Outcome]:
    """Train the network of a definition from each of several seeds.

    Parameters
    ----------
    definition : neurocompare.recurrent.definition.Definition
        Cell, constraints, task and settings of learning.
    seeds : list of int
        Seeds, each of initial weights, trials and noise.
    resume : str or Path, optional
        A file that is written at every evaluation and, if it is there, read at the start: what follows is bit by bit
        what would have followed without the interruption (with the same number of threads).
    progress : callable, optional
        Called at every evaluation with the newest row of each seed that was learning.

    Returns
    -------
    list of Outcome
        In the order of `seeds`.

    Raises
    ------
    UserError
        If the file to resume from is of another definition, if learning diverges, or if a curriculum is not passed.
    """
    work = _Work(definition)
    identity = checkpoints.digest(definition, seeds)
    learners = checkpoints.load(resume, identity) if resume and Path(resume).exists() else None
    if learners is None:
        learners = [Learner(seed, initialise(work.cell, work.constraints, seed)) for seed in seeds]
    while active := [learner for learner in learners if not learner.course.finished]:
        group = _Group(work, active)
        if active[0].course.update == 0:
            group.evaluate()
        # All that learn are at the same update; those that have finished leave the computation.
        while not any(learner.course.finished for learner in active):
            group.update()
            update = active[0].course.update
            if update % work.learning.stop.every == 0 or update == work.learning.updates:
                group.evaluate()
                if progress:
                    progress([{"seed": learner.seed} | learner.rows[-1] for learner in active])
                if resume:
                    checkpoints.save(resume, learners, identity)
    return [_outcome(work, learner) for learner in learners]


class _Work:
    """What is to be learnt and how, with the trials of evaluations, which are drawn once."""

    def __init__(self, definition):
        self.cell: Cell = definition.cell
        self.constraints: Constraints = definition.constraints
        self.learning = schedule.of_entry(definition.learning)
        self.task = tasks.load(definition.task)
        self.options = definition.options
        self._evaluations = {}
        for k, stage in enumerate(self.learning.curriculum):
            self._check_stage(stage.options, f"learning.curriculum, stage {k + 1}")

    def trials(self, learner: Learner) -> tuple:
        """Draw the trials of one update of a seed, and the generator of its noise."""
        course = learner.course
        rng = np.random.default_rng([learner.seed, course.update, _TRIALS])
        options = self._stage_options(course.stage)
        return self.task.trials(self.learning.batch, rng, **options), [learner.seed, course.update, _NOISE]

    def score(self, learner: Learner) -> tuple[float, float]:
        """Return error and fraction correct of a seed at its stage; trials and noise are the same each time."""
        course, key = learner.course, (learner.seed, learner.course.stage)
        if key not in self._evaluations:
            rng = np.random.default_rng([*key, _EVALUATION])
            self._evaluations[key] = self.task.trials(
                self.learning.stop.trials, rng, **self._stage_options(course.stage)
            )
        trials = self._evaluations[key]
        with torch.no_grad():
            weights = self.constraints.effective(learner.raw)
            seed = _seed([*key, _EVALUATION_NOISE])
            outputs = simulate(self.cell, weights, torch.tensor(trials.inputs), seed=seed, keep=("outputs",)).outputs
            scored = (torch.tensor(array)[None] for array in (trials.targets, trials.mask))
            error = losses.squared_error(outputs[None].float(), *scored).item()
        if not math.isfinite(error):
            raise UserError(
                f"learning of seed {learner.seed} diverged before update {course.update}; "
                "lower 'rate' or 'clip' of learning"
            )
        return error, fraction_correct(self.task.performance(outputs.double().numpy(), trials)["correct"])

    def _check_stage(self, options: dict, what: str) -> None:
        check_options(self.task.trials, self.options | options, what)
        trial = self.task.trials(1, np.random.default_rng(0), **self.options | options)
        shapes = {"dt": trial.dt, "inputs": trial.inputs.shape[-1], "outputs": trial.targets.shape[-1]}
        for name, value in shapes.items():
            if value != getattr(self.cell, name):
                raise UserError(f"{what}: {name} becomes {value}, but the cell has {getattr(self.cell, name)}; keep it")

    def _stage_options(self, stage: int) -> dict:
        stages = self.learning.curriculum
        return self.options | (stages[stage].options if stage < len(stages) else {})


class _Group:
    """Networks that learn side by side, until one of them has finished."""

    def __init__(self, work: _Work, learners: list[Learner]):
        self.work, self.learners = work, learners
        self.raw = {name: torch.stack([x.raw[name] for x in learners]) for name in learners[0].raw}
        self.trained = work.constraints.trained(learners[0].raw)
        if not self.trained:
            raise UserError("constraints: 'fixed' leaves no weight to learn; take some out of it")
        for name in self.trained:
            self.raw[name].requires_grad_()
        self.optimiser = torch.optim.Adam([self.raw[name] for name in self.trained], lr=work.learning.rate)
        if learners[0].moments:
            for name in self.trained:
                self.optimiser.state[self.raw[name]] = {
                    "step": torch.tensor(float(learners[0].course.update)),
                    "exp_avg": torch.stack([x.moments[f"first/{name}"] for x in learners]),
                    "exp_avg_sq": torch.stack([x.moments[f"second/{name}"] for x in learners]),
                }
        self.sums = torch.zeros(3, len(learners), dtype=torch.float64)
        self.count = 0
        self.rate = work.learning.rate
        self._keep_points()

    def update(self) -> None:
        """Make one update of all networks."""
        work, learning = self.work, self.work.learning
        self.rate = learning.rate * learning.decay ** self.learners[0].course.update
        batch = _batch(work.cell, [work.trials(learner) for learner in self.learners])
        found = gradients(work.cell, work.constraints, self.raw, batch, learning.penalties)
        norm = clip(found, learning.clip)
        self.sums += torch.stack([found.error, found.penalty, norm]).double()
        self.count += 1
        for name in self.trained:
            self.raw[name].grad = found.raw[name]
        self.optimiser.param_groups[0]["lr"] = self.rate
        self.optimiser.step()
        for learner in self.learners:
            learner.course.updated(learning)
        self._keep_points()

    def evaluate(self) -> None:
        """Score all networks, add to their rows, and hand their parameters back to them."""
        work, learning = self.work, self.work.learning
        self._hand_back()
        scores = [work.score(learner) for learner in self.learners]
        means = self.sums / self.count if self.count else torch.full_like(self.sums, math.nan)
        for learner, (error, performance), mean in zip(self.learners, scores, means.T.tolist(), strict=True):
            course = learner.course
            row = {"update": course.update, "stage": course.stage, "rate": self.rate}
            row |= dict(zip(("loss", "penalty", "gradient_norm"), mean, strict=True))
            learner.rows.append(row | {"error": error, "performance": performance})
            if course.update and course.evaluated(learning, performance, error) and learning.keep == "best":
                learner.best, learner.best_update = learner.raw, course.update
        self.sums.zero_()
        self.count = 0

    def _hand_back(self) -> None:
        for k, learner in enumerate(self.learners):
            learner.raw = {name: tensor[k].detach().clone() for name, tensor in self.raw.items()}
            for name in self.trained if self.optimiser.state else ():
                state = self.optimiser.state[self.raw[name]]
                learner.moments[f"first/{name}"] = state["exp_avg"][k].clone()
                learner.moments[f"second/{name}"] = state["exp_avg_sq"][k].clone()

    def _keep_points(self) -> None:
        if self.learners[0].course.update in self.work.learning.checkpoints:
            with torch.no_grad():
                weights = self.work.constraints.effective(self.raw)
            for k, learner in enumerate(self.learners):
                held = {name: tensor[k].detach().clone() for name, tensor in weights.items()}
                learner.checkpoints[learner.course.update] = held


def clip(found: Gradients, greatest: float | None) -> Tensor:
    """Shorten the gradient of each network that is longer than allowed, in place.

    Parameters
    ----------
    found : Gradients
        Gradients with a leading axis of networks.
    greatest : float, optional
        The greatest norm over all parameters of a network; by default any.

    Returns
    -------
    Tensor of shape (K,)
        Norms before.
    """
    norm = sum(gradient.flatten(1).square().sum(1) for gradient in found.raw.values()).sqrt()
    if greatest is not None:
        factor = (greatest / norm.clamp_min(torch.finfo(norm.dtype).tiny)).clamp_max(1)
        for gradient in found.raw.values():
            gradient.mul_(factor.view(-1, *[1] * (gradient.ndim - 1)))
    return norm


def fraction_correct(correct: np.ndarray) -> float:
    """Return the mean of what is 1 or 0; NaN, in trials with nothing to decide, does not count."""
    decided = ~np.isnan(correct)
    return float(correct[decided].mean()) if decided.any() else math.nan


def _seed(entropy: list[int]) -> int:
    """Make a seed for PyTorch of several whole numbers."""
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _batch(cell: Cell, drawn: list[tuple]) -> Batch:
    """Bring the trials of several seeds, each with the seed of its noise, into one batch."""
    steps = max(trials.inputs.shape[1] for trials, _ in drawn)

    def filled(arrays):
        """Put time before trials and fill up with zeros."""
        whole = np.zeros((len(arrays), steps, *arrays[0].shape[:1], *arrays[0].shape[2:]), np.float32)
        for k, array in enumerate(arrays):
            whole[k, : array.shape[1]] = np.swapaxes(array, 0, 1)
        return torch.from_numpy(whole)

    noise = None
    if cell.noise:
        noise = torch.zeros(len(drawn), steps, len(drawn[0][0].inputs), cell.units)
        for k, (trials, entropy) in enumerate(drawn):
            part = noise[k, : trials.inputs.shape[1]]
            part.normal_(0, cell.noise_per_step(), generator=torch.Generator().manual_seed(_seed(entropy)))
    own = [np.arange(trials.inputs.shape[1]) < trials.length[:, None] for trials, _ in drawn]
    return Batch(
        filled([trials.inputs for trials, _ in drawn]),
        filled([trials.targets for trials, _ in drawn]),
        filled([trials.mask for trials, _ in drawn]),
        filled(own),
        noise,
    )


def _outcome(work: _Work, learner: Learner) -> Outcome:
    stages, reached = len(work.learning.curriculum), learner.course.stage
    if reached < stages:
        # Such weights never saw the task as it is, and must not pass for trained ones.
        raise UserError(
            f"learning.curriculum: seed {learner.seed} did not pass stage {reached + 1} of {stages} in "
            f"{learner.course.update} updates; give it more, or ask for less"
        )
    best = work.learning.keep == "best" and learner.best
    with torch.no_grad():
        weights = work.constraints.effective(learner.best if best else learner.raw)
    kept = learner.best_update if best else learner.course.update
    weights = {name: tensor.detach().clone() for name, tensor in weights.items()}
    return Outcome(learner.seed, weights, kept, learner.rows, dict(sorted(learner.checkpoints.items())))
