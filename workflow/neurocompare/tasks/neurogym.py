"""Trials of an environment of neurogym (Molano-Mazón et al., github.com/neurogym/neurogym).

The package makes one trial at a time and does not list its conditions: this is for tasks that are not here, or for a
comparison, and many times slower. Actions that are one of several become outputs of their own, 1 for the action that is
right; others are outputs as they are. Every step is scored.
"""

import warnings

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.ranges import check_ranges
from neurocompare.tasks import building
from neurocompare.tasks.trials import Trials

TASK = {
    "summary": "an environment of the package neurogym",
    "inputs": {"observation": "as in the environment"},
    "outputs": {"action": "1 for the action that is right"},
    "conditions": {"target": "number of the right action in the last step; numbers and names that a trial has"},
}

_NAME = "neurogym"


def trials(
    n: int,
    rng: np.random.Generator,
    *,
    dt: float = 0.02,
    environment: str = "PerceptualDecisionMaking-v0",
    settings: dict[str, object] | None = None,
) -> Trials:
    """Draw random trials.

    Parameters
    ----------
    n : int
        Number of trials.
    rng : Generator
        Source of randomness: seeds the environment.
    dt : float
        Step in s, a whole number of ms.
    environment : str
        Name of the environment.
    settings : dict, optional
        Its keyword arguments, with times in ms as it has them.

    Returns
    -------
    Trials
        Aligned to the start. `clean` holds the noise of the environment too, which does not tell it apart.

    Raises
    ------
    UserError
        If neurogym is not installed, does not have the environment, or does not take the settings.
    """
    check_ranges(f"task {_NAME}", sizes={"n": n})
    made = _make(dt, environment, settings)
    with warnings.catch_warnings():
        # Of how the package reads its own environments.
        warnings.simplefilter("ignore")
        made.get_wrapper_attr("seed")(int(rng.integers(2**31)))
        made.reset()
        drawn, parts = [], []
        for _ in range(n):
            found = made.get_wrapper_attr("new_trial")()
            # What is unwrapped changes where an environment is a schedule of several.
            trial = made.unwrapped
            if not getattr(trial, "_gt_built", False):
                raise UserError(
                    f"task {_NAME}: '{environment}' does not tell what is right in each step; use another one"
                )
            drawn.append((trial.ob.copy(), trial.gt.copy(), dict(found or {})))
            parts.append({name: (trial.start_t[name], trial.end_t[name]) for name in trial.start_t})
    actions = getattr(made.unwrapped.action_space, "n", None)
    if actions and any(right.max() >= actions for _, right, _ in drawn):
        raise UserError(f"task {_NAME}: what '{environment}' calls right is not one of its actions; use another one")
    return _joined(made, drawn, parts, dt)


def test(
    rng: np.random.Generator,
    *,
    repeats: int,
    dt: float = 0.02,
    environment: str = "PerceptualDecisionMaking-v0",
    settings: dict[str, object] | None = None,
) -> Trials:
    """Draw random trials, `repeats` times the number of outputs.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    repeats : int
        Number of trials for each output.
    dt, environment, settings
        As for `trials`.

    Returns
    -------
    Trials
        Aligned to the start.

    Raises
    ------
    UserError
        As of `trials`.
    """
    check_ranges(f"task {_NAME}", sizes={"repeats": repeats})
    outputs = len(_outputs(_make(dt, environment, settings).unwrapped.action_space))
    return trials(repeats * outputs, rng, dt=dt, environment=environment, settings=settings)


def performance(outputs: np.ndarray, trials: Trials) -> dict[str, np.ndarray]:
    """Compare the greatest output of the last step with the action that is right.

    Parameters
    ----------
    outputs : array of shape (n, T, O)
        Outputs of a network.
    trials : Trials
        What it was shown.

    Returns
    -------
    dict of str to array of shape (n,)
        ``choice``, number of the action, and ``correct``, 1 or 0; both NaN where actions are numbers.
    """
    outputs = building.check_outputs(_NAME, outputs, trials.targets)
    choice = outputs[np.arange(len(outputs)), trials.length - 1].argmax(axis=1).astype(float)
    target = trials.conditions["target"]
    undefined = np.isnan(target)
    return {
        "choice": np.where(undefined, np.nan, choice),
        "correct": np.where(undefined, np.nan, choice == target),
    }


def static(
    *,
    dt: float = 0.02,
    environment: str = "PerceptualDecisionMaking-v0",
    settings: dict[str, object] | None = None,
) -> dict[str, np.ndarray]:
    """Return the inputs when nothing is shown.

    Parameters
    ----------
    dt, environment, settings
        As for `trials`.

    Returns
    -------
    dict of str to array of shape (n_inputs,)
        ``no input``.
    """
    made = _make(dt, environment, settings)
    return {"no input": np.zeros(made.unwrapped.observation_space.shape, dtype=np.float32)}


def _make(dt: float, environment: str, settings: dict | None):
    """Make the environment."""
    check_ranges(f"task {_NAME}", positive={"dt": dt})
    if not isinstance(settings, dict | None):
        raise UserError(f"task {_NAME}: settings is {settings}; give names with their values")
    try:
        with warnings.catch_warnings():
            # Of what the package itself loads.
            warnings.simplefilter("ignore")
            import neurogym
            from neurogym.envs.registration import all_envs
    except ImportError as error:
        raise UserError(
            f"task {_NAME}: needs the package neurogym ({error}); install it: pip install 'neurocompare[neurogym]'"
        ) from error
    known = all_envs(collections=True)
    if environment not in known:
        raise unknown(f"environment of task {_NAME}", str(environment), known)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = neurogym.make(environment, dt=_milliseconds(dt), **(settings or {}))
    except (TypeError, ValueError, KeyError) as error:
        why = " ".join(str(error).split())
        raise UserError(
            f"task {_NAME}: settings of '{environment}' are not what it takes ({why}); see its page"
        ) from error
    if len(made.unwrapped.observation_space.shape) != 1:
        raise UserError(f"task {_NAME}: what '{environment}' shows is not one row of numbers; use another one")
    return made


def _milliseconds(dt: float) -> int:
    if abs(1000 * dt - round(1000 * dt)) > 1e-6 or dt < 0.001:
        raise UserError(f"task {_NAME}: dt is {dt:g} s; use a whole number of ms")
    return round(1000 * dt)


def _outputs(space) -> tuple[str, ...]:
    """Name the outputs for a space of actions."""
    if hasattr(space, "n"):
        return _named(space, int(space.n), "action")
    return _named(space, int(np.prod(space.shape)), "action")


def _named(space, size: int, what: str) -> tuple[str, ...]:
    """Name the entries of a space, as far as it names them."""
    names = [f"{what}_{k + 1}" for k in range(size)]
    for name, index in (getattr(space, "name", None) or {}).items():
        entries = np.atleast_1d(np.asarray(list(index) if np.iterable(index) else index))
        for k, entry in enumerate(entries):
            if 0 <= entry < size:
                names[int(entry)] = str(name) if len(entries) == 1 else f"{name}_{k + 1}"
    return tuple(names)


def _joined(made, drawn: list, parts: list, dt: float) -> Trials:
    """Put trials of different lengths into one array."""
    space = made.unwrapped.action_space
    outputs = _outputs(space)
    length = np.array([len(shown) for shown, _, _ in drawn])
    n, n_steps = len(drawn), length.max()
    inputs = np.zeros((n, n_steps, drawn[0][0].shape[1]), dtype=np.float32)
    targets = np.zeros((n, n_steps, len(outputs)), dtype=np.float32)
    target = np.full(n, np.nan)
    for k, (shown, right, _) in enumerate(drawn):
        inputs[k, : len(shown)] = shown
        if hasattr(space, "n"):
            targets[k, np.arange(len(right)), right.astype(int)] = 1
            target[k] = right[-1]
        else:
            targets[k, : len(right)] = right.reshape(len(right), -1)
    own = np.arange(n_steps) < length[:, None]
    names = made.unwrapped.observation_space
    conditions = _conditions([found for _, _, found in drawn])
    epochs = sorted({name for found in parts for name in found})
    return Trials(
        inputs=inputs,
        targets=targets,
        mask=np.repeat(own[..., None], len(outputs), axis=2).astype(np.float32),
        clean=inputs,
        conditions=conditions | {"target": target},
        input_names=_named(names, inputs.shape[2], "input"),
        output_names=outputs,
        input_units=("as in the environment",) * inputs.shape[2],
        **building.timing(
            {
                # Their times are in ms.
                name: np.array([found.get(name, (np.nan, np.nan)) for found in parts], dtype=float) / (1000 * dt)
                for name in epochs
            },
            length,
            np.zeros(n, dtype=int),
            n,
            dt,
        ),
    )


def _conditions(found: list[dict]) -> dict[str, np.ndarray]:
    """Keep what is one number, or one name, of every trial."""
    kept = {}
    for name in found[0]:
        values = [row.get(name) for row in found]
        if all(isinstance(value, str | bool | int | float | np.generic) for value in values):
            kept[name] = np.array(values)
    return kept
