"""What pulses and lesions do to choices, beside what the linearised network says they should do.

Pulses push the state once, a quarter and three quarters through the stimulus, along named axes: the line (right
eigenvector ρ₀) and the selection vector (L₀) of the slow points of a context, what one step of motion and of color adds
to the state, the choice axis (see `neurocompare.dynamics.chains`), the gradient of the output, and random
directions. A pulse of size 1 is as long as the standard deviation, over trials and steps of the stimulus of a context,
of the states along the axis; pulses along random axes are as long as those along the choice axis. What changes is the
output as the choice is read, averaged over the decision. Two predictions stand beside it: to first order along each
trial's own trajectory, and by λᵏ (g · ρ₀) (L₀ · p) at the slow point that is nearest along the choice axis.

The line and the selection vector are means over the slow points whose leading eigenvalue is single, of vectors of
length 1; ``points=3/6`` in the condition says of how many of the linearised points. Where these are fewer than half in
a context, neither axis is used.

Lesions silence units (of each area and cell type where there are several, and those whose rates change most with
choice, motion or color), or remove an axis of a context from what recurrent connections receive, and perhaps outputs
too: they get the mean over trials of the context, step by step, instead. Axes that the state moves along (line, inputs,
choice) are removed as the direction that rates move in (`neurocompare.dynamics.perturbation.along_rates`), and those
that something is read with as the weights of that reading: the output as its row of weights, the selection vector as
what it reads from rates (`neurocompare.dynamics.perturbation.read_from_rates`). Random units of the same number, and
random axes, are the null.
"""

import numpy as np
import xarray as xr

from neurocompare import tasks
from neurocompare.description.rows import bootstrap_mean, options_of, row
from neurocompare.dynamics import chains, linear, perturbation
from neurocompare.inference import corrections
from neurocompare.inference.resampling import interval
from neurocompare.recurrent import running
from neurocompare.tasks.building import scored_at_end

DESCRIPTIONS = {
    "perturbation": {
        "summary": "pulses along named axes and lesions: actual and predicted change of output, choice and accuracy",
        "unit": "1",
        "direction": "",
        "needs": ["network"],
    }
}
"""The only id."""

TRIALS = 300
"""Random trials, for axes and slow points."""

TESTED = 288
"""About so many trials are perturbed: all conditions equally often, so that chance is a half."""

TIMES = (0.25, 0.75)
"""When, as shares of the stimulus."""

SIZES = (0.5, 1.0, 2.0)
OF_POINTS = ("line", "selection vector")
"""Axes that only slow points with a single leading eigenvalue have."""

NAMED = (*OF_POINTS, "motion input", "color input", "choice axis", "output")
RANDOM_AXES = 8
"""Random axes for pulses."""

LESIONS = 99
"""Random lesions of each size: the smallest p-value is 0.01. 100 rate units take 10 to 14 s in all, a GRU 25 s."""

SHARES = (0.1, 0.3)
"""Shares of units that are silenced by their selectivity."""

RESAMPLES = 500
PREDICTIONS = ("first order", "selection vector")


def describe_network(trained, trials: xr.DataArray, description_id: str, *, seed: int) -> tuple[list[dict], xr.Dataset]:
    """Perturb a network.

    Parameters
    ----------
    trained : neurocompare.recurrent.storage.Trained
        A network for context-dependent integration.
    trials : DataArray
        What it does in the trials of its task; not used, as rates are not states.
    description_id : str
        The id in `DESCRIPTIONS`.
    seed : int
        Seed of trials, noise, random axes and random lesions.

    Returns
    -------
    rows : list of dict
        By context: ``spread of states`` along each axis, the length of a pulse of size 1. For pulses of size 1, by axis
        and time in s from the onset of the stimulus, half the difference between both signs: ``change of output``,
        ``shift of choices`` (of the share of choice 1), and both ``by first order`` and ``by selection vector``;
        intervals are over trials; of random axes the mean size. By size and prediction, over all axes, times and signs:
        ``correlation of predicted and actual change`` and ``actual over predicted change`` (a slope through 0).
        ``fraction correct``; ``with silenced units`` by group and number, with a null of random units; ``without axis``
        of recurrent connections, or of outputs too, with a null of random axes. p-values of lesions are for fewer
        correct choices than after random lesions: compare with ``null_low`` in the condition, the 5 % quantile of the
        null (``null_high`` is the 95 % quantile, as everywhere). ``p_holm`` in the condition is corrected for all
        lesions of the context (Holm); with 99 draws it can't be less than their number over 100, about 0.2, so that
        what tells is how far a value is from the null, and a single p-value is uncorrected.
        Where fewer than half of the leading eigenvalues of a context are single, there is neither line nor selection
        vector. Where the one at the nearest point is of a pair, the plane of the pair makes the prediction.
    details : Dataset
        Means over trials of what pulses of all sizes do, fractions correct with their nulls, and ``removed``, the
        directions of rates that lesions remove.

    Raises
    ------
    UserError
        If the network is for another task, or has one context, or no slow points are found.
    """
    options_of(description_id, {})
    _, _, (choice, *_), found = chains.of_contexts(trained, TRIALS, name=description_id, seed=seed)
    rng = np.random.default_rng([seed, 7])
    tested, intact = _tested(trained, rng, seed)
    axes = {name: _axes(trained, chain, choice) for name, chain in found.items()}
    told = {name: _told(chain) for name, chain in found.items()}
    known = [name for name in NAMED if all(name in own for own in axes.values())]
    axes = {context: {name: own[name] for name in known} for context, own in axes.items()}
    rows, pulses = [], []
    for name, chain in found.items():
        changed, details = _pulses(trained, name, chain, choice, axes[name], told[name], tested, intact, rng, seed)
        rows += changed
        pulses.append(details)
    middle = {name: intact.states[_of(tested, name)].mean(0) for name in found}
    removed = {name: _removed(trained, chain, axes[name], middle[name]) for name, chain in found.items()}
    lesioned, lesions = _lesions(trained, removed, told, tested, intact, rng, seed)
    return rows + lesioned, xr.merge([xr.concat(pulses, xr.Variable("context", list(found))), lesions])


def _tested(trained, rng, seed) -> tuple:
    """Run a network on balanced trials."""
    module, options = tasks.load(chains.TASK), trained.definition.options
    conditions = len(module.test(np.random.default_rng(0), repeats=1, **options))
    tested = module.test(rng, repeats=max(round(TESTED / conditions), 1), **options)
    return tested, running.run(trained, tested, seed=seed)


def _axes(trained, chain, choice: np.ndarray) -> dict[str, np.ndarray]:
    """Axes (n_states,) of length 1; without line and selection vector where most leading eigenvalues are pairs."""
    single, lines, selecting = _single(chain)
    vectors = {
        "line": _mean(lines),
        "selection vector": _mean(selecting),
        "motion input": chain.inputs[:, :, 0].sum(0),
        "color input": chain.inputs[:, :, 1].sum(0),
        "choice axis": choice,
        "output": chains.output_axes(trained, chain.points[chain.chosen]).sum(0),
    }
    usable = [name for name in NAMED if name not in OF_POINTS or 2 * len(single) >= len(chain.chosen)]
    return {name: vectors[name] / np.linalg.norm(vectors[name]) for name in usable if vectors[name].any()}


def _mean(vectors: np.ndarray) -> np.ndarray:
    """Average vectors (n, size) as if all had length 1; 0 if there are none."""
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
    return vectors.sum(0) / max(len(vectors), 1)


def _single(chain) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tell which points have a single leading eigenvalue; their lines, all to one side, and selection vectors."""
    single = np.flatnonzero(~chain.selection.is_pair)
    lines, vectors = chain.selection.line[single], chain.selection.vector[single]
    if not len(single):
        return single, lines, vectors
    # The choice axis, which gave them their sign, says little where it is nearly normal to a line.
    along = lines @ np.linalg.svd(lines, full_matrices=False)[2][0]
    sign = np.where(along * np.sign(along.sum()) < 0, -1, 1)[:, None]
    return single, sign * lines, sign * vectors


def _told(chain) -> dict[str, str]:
    """Say how many points an axis is of, in conditions."""
    points = f";points={np.sum(~chain.selection.is_pair)}/{len(chain.chosen)}"
    return {name: points if name in OF_POINTS else "" for name in NAMED}


def _of(shown, context: str) -> np.ndarray:
    """Tell which steps (trial, time) belong to the trials of a context."""
    return chains.valid(shown) & (shown.conditions["context"] == context)[:, None]


def _removed(trained, chain, axes: dict, middle: np.ndarray) -> dict[str, np.ndarray]:
    """Directions of rates (n_units,) that lesions remove; what states move along does so at their mean."""
    removed = {}
    for name, axis in axes.items():
        if name == "output":
            removed[name] = trained.weights["output"][0].detach().double().numpy()
        elif name == "selection vector":
            single, _, vectors = _single(chain)
            pairs = zip(chain.points[chain.chosen[single]], vectors, strict=True)
            read = [perturbation.read_from_rates(trained.cell, point, vector[None])[0] for point, vector in pairs]
            removed[name] = _mean(np.array(read))
        else:
            removed[name] = perturbation.along_rates(trained.cell, middle, axis[None])[0]
    return removed


def _pulses(trained, context: str, chain, choice, axes: dict, told, shown, run, rng, seed) -> tuple[list, xr.Dataset]:
    """Push states of one context."""
    mine = np.flatnonzero(shown.conditions["context"] == context)
    during = shown.during("stimulus")
    flat = run.states[mine][during[mine]]
    spread = {name: float((flat @ axis).std()) for name, axis in axes.items()}
    random = rng.standard_normal((RANDOM_AXES, len(choice)))
    random *= spread["choice axis"] / np.linalg.norm(random, axis=1, keepdims=True)
    signed = np.array([sign * size for size in SIZES for sign in (1, -1)])
    steps = np.concatenate([np.stack([spread[name] * axes[name] for name in axes]), random])
    pushes = (steps[:, None] * signed[:, None]).reshape(-1, len(choice))
    pushed = shown.select(mine)
    scored = scored_at_end(pushed, "decision")
    on = np.flatnonzero(during[0])
    at = [int(on[0] + round(share * len(on))) for share in TIMES]
    time = [float(shown.time[step] - shown.dt / 2) for step in at]
    effects, predicted = [], []
    for step in at:
        effect = perturbation.pulse(
            trained.cell, trained.weights, pushed.inputs, pushes, at=step, scored=scored, noise=None, seed=seed
        )
        by_vector = _selected(trained, chain, choice, effect.state, pushes, scored, step)
        effects.append(effect)
        predicted.append(np.stack([effect.linear, by_vector]))
    shape = (len(at), len(steps), len(signed), len(pushed))
    size = {"n_stimuli": len(pushed), "n_units": trained.cell.units, "n_trials": len(pushed)}
    names = [*axes, *["random"] * RANDOM_AXES]
    # What happened, and the two predictions: (kind, time, axis, signed size, trial).
    changes = [np.stack([e.change for e in effects])] + [np.stack([p[k] for p in predicted]) for k in range(2)]
    shifts = [np.stack([e.shift() for e in effects])]
    shifts += [np.stack([e.shift(p[k]) for e, p in zip(effects, predicted, strict=True)]) for k in range(2)]
    changes, shifts = (np.stack([part.reshape(shape) for part in parts]) for parts in (changes, shifts))
    of_axis = {name: f"context={context};axis={name}{told.get(name, '')}" for name in names}
    rows = [row("spread of states", value, condition=of_axis[axis], **size) for axis, value in spread.items()]
    rows += _of_axes(of_axis, names, time, signed, changes, shifts, rng, size)
    rows += _agreement(f"context={context}", signed, changes, rng, size)
    kinds = ["actual", *PREDICTIONS]
    return rows, xr.Dataset(
        {
            "change": (("kind", "time", "axis", "size"), changes.mean(-1)),
            "shift": (("kind", "time", "axis", "size"), shifts.mean(-1)),
            "n_pushed": len(pushed),
        },
        coords={"kind": kinds, "time": time, "axis": names, "size": signed},
    )


def _selected(trained, chain, choice, before, pushes, scored, step: int) -> np.ndarray:
    """Predict the change of the output (pulse, trial) at the slow point that is nearest along the choice axis."""
    points = chain.points[chain.chosen]
    nearest = np.abs(before @ choice - (points @ choice)[:, None]).argmin(0)
    eigen = linear.eigen(chain.jacobians)
    weights = {name: tensor.detach().double() for name, tensor in trained.weights.items()}
    after = [np.flatnonzero(line) - step + 1 for line in scored]
    found = np.empty((len(pushes), len(before)))
    for k in np.unique(nearest):
        gradient = perturbation.readout_gradient(trained.cell, weights, points[k])[0]
        modes = 2 if chain.selection.is_pair[k] else 1
        parts = (eigen.values[k], eigen.left[k], eigen.right[k], gradient, pushes)
        own = np.flatnonzero(nearest == k)
        # Trials mostly end at the same time.
        for steps in {tuple(after[i]) for i in own}:
            same = [i for i in own if tuple(after[i]) == steps]
            found[:, same] = perturbation.selected(*parts, np.array(steps), modes=modes)[:, None]
    return found


def _of_axes(told, names, time, signed, changes, shifts, rng, size) -> list[dict]:
    """Rows of pulses of size 1, by axis and time."""
    up, down = (int(np.flatnonzero(signed == sign)[0]) for sign in (1.0, -1.0))
    rows = []
    for quantity, values in (("change of output", changes), ("shift of choices", shifts)):
        # (kind, time, axis, trial)
        odd = (values[..., up, :] - values[..., down, :]) / 2
        for k, kind in enumerate(("", *(f" by {name}" for name in PREDICTIONS))):
            for t, axis in ((t, axis) for t in range(len(time)) for axis in dict.fromkeys(names)):
                own = odd[k, t, [n == axis for n in names]]
                condition = f"{told[axis]};time={time[t]:.3g} s"
                if axis == "random":
                    # The signs of random axes mean nothing.
                    value, ci = np.abs(own.mean(1)).mean(), (np.nan, np.nan)
                else:
                    value, ci = own.mean(), bootstrap_mean(own[0], rng)
                rows.append(row(quantity + kind, value, condition=condition, ci=ci, **size))
    return rows


def _agreement(told, signed, changes, rng, size) -> list[dict]:
    """Rows of predicted against actual changes, over axes, times and signs; intervals are over trials."""
    n = changes.shape[-1]
    drawn = rng.multinomial(n, np.full(n, 1 / n), RESAMPLES) / n
    weights = np.concatenate([np.full((1, n), 1 / n), drawn]).T
    rows = []
    for amount in SIZES:
        # (kind, point, draw); the first draw is all trials.
        means = changes[:, :, :, np.abs(signed) == amount].reshape(3, -1, n) @ weights
        for k, name in enumerate(PREDICTIONS, 1):
            actual, predicted = means[0], means[k]
            product = (actual * predicted).sum(0)
            # Both signs occur of each axis, so that the mean is nearly 0 and the correlation nearly a cosine.
            centred = [part - part.mean(0) for part in (actual, predicted)]
            length = np.sqrt((centred[0] ** 2).sum(0) * (centred[1] ** 2).sum(0))
            values = {
                "correlation of predicted and actual change": (centred[0] * centred[1]).sum(0)
                / np.maximum(length, 1e-300),
                "actual over predicted change": product / np.maximum((predicted**2).sum(0), 1e-300),
            }
            condition = f"{told};size={amount:g};by={name}"
            rows += [
                row(quantity, value[0], condition=condition, ci=interval(value[1:]), **size)
                for quantity, value in values.items()
            ]
    return rows


def _lesions(trained, removed: dict, told, shown, run, rng, seed) -> tuple[list[dict], xr.Dataset]:
    """Silence units and remove axes; accuracy in each context."""
    contexts, units = list(removed), trained.cell.units
    of = [shown.select(shown.conditions["context"] == name) for name in contexts]
    size = {"n_stimuli": len(shown), "n_units": units}

    def correct(c, weights, **lesion) -> np.ndarray:
        """Tell which trials of a context are correct; one without a choice would be guessed."""
        options = lesion | {"noise": None, "seed": seed}
        outputs = perturbation.outputs_without(trained.cell, weights, of[c].inputs, **options)
        made = tasks.load(chains.TASK).performance(outputs, of[c])
        return np.where(np.isfinite(made["choice"]), made["correct"], 0.5)

    def silenced(chosen) -> list[np.ndarray]:
        weights = perturbation.silenced(trained.weights, chosen)
        return [correct(c, weights) for c in range(len(of))]

    heard = []
    initial = trained.cell.rates(trained.weights["initial"].detach()).numpy()
    for name in contexts:
        mine = shown.conditions["context"] == name
        heard.append(np.concatenate([initial[None], run.rates[mine].mean(0)]))
    rows, labels, found, nulls = [], [], [], []

    def add(label, quantity, conditions, values, null=None) -> None:
        """Add which trials of each context are correct, beside the same after random lesions."""
        labels.append(label)
        found.append([v.mean() for v in values])
        drawn = np.full((LESIONS, len(contexts)), np.nan)
        if null is not None:
            drawn = np.array([[v.mean() for v in one] for one in null])
        nulls.append(drawn.T)
        for c, name in enumerate(contexts):
            options = {"ci": bootstrap_mean(values[c], rng), "n_trials": len(values[c])} | size
            condition = f"context={name}{conditions[c]}"
            if null is not None:
                options |= {"null": drawn[:, c], "better": "lower"}
                condition += f";null_low={np.quantile(drawn[:, c], 0.05):.4g}"
            rows.append(row(quantity, found[-1][c], condition=condition, **options))

    add("intact", "fraction correct", [""] * len(of), [correct(c, trained.weights) for c in range(len(of))])
    null = {}
    for label, chosen in _groups(trained, shown, run).items():
        number = len(chosen)
        if number not in null:
            null[number] = [silenced(rng.permutation(units)[:number]) for _ in range(LESIONS)]
        conditions = [f";units={label};silenced={number}"] * len(of)
        quantity = "fraction correct with silenced units"
        add(f"silenced: {label} ({number})", quantity, conditions, silenced(chosen), null[number])
    for readout in (False, True):

        def without(c, axis, readout=readout) -> np.ndarray:
            return correct(c, trained.weights, axis=axis, course=heard[c], readout=readout)

        where = "recurrence and output" if readout else "recurrence"
        null = [[without(c, axis) for c in range(len(of))] for axis in rng.standard_normal((LESIONS, units))]
        for name in removed[contexts[0]]:
            lesioned = [without(c, own[name]) for c, own in enumerate(removed.values())]
            conditions = [f";axis={name}{told[context][name]};removed from={where}" for context in contexts]
            label = f"{name} removed{', outputs too' * readout}"
            add(label, "fraction correct without axis", conditions, lesioned, null)
    for context in contexts:
        own = [one for one in rows if one["condition"].startswith(f"context={context};")]
        for one, p in zip(own, corrections.holm(np.array([one["p_value"] for one in own])), strict=True):
            one["condition"] += f";p_holm={p:.4g}"
    return rows, xr.Dataset(
        {
            "correct": (("lesion", "context"), np.array(found)),
            "correct_null": (("lesion", "context", "draw"), np.stack(nulls)),
            "n_lesioned": len(shown),
            "removed": (("context", "direction", "unit"), np.array([list(own.values()) for own in removed.values()])),
        },
        coords={"lesion": labels, "context": contexts, "direction": list(removed[contexts[0]])},
    )


def _groups(trained, shown, run) -> dict[str, np.ndarray]:
    """Numbers of the units of areas, of cell types, and of those whose rates change most with a task variable."""
    groups = {}
    for kinds in (trained.area, trained.cell_type):
        names = np.unique(kinds)
        groups |= {str(name): np.flatnonzero(kinds == name) for name in names if len(names) > 1}
    weights = np.abs(chains.task_axes(shown, running.Run(trained, run.rates, run.outputs)))
    for share in SHARES:
        number = max(round(share * trained.cell.units), 1)
        groups |= {
            f"{100 * share:g} % most selective for {variable}": np.argsort(-weight, kind="stable")[:number]
            for variable, weight in zip(("choice", "motion", "color"), weights, strict=True)
        }
    return groups
