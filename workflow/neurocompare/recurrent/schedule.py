"""How long and by which settings recurrent networks learn (no import of PyTorch)."""

from dataclasses import dataclass, field, fields

from neurocompare.errors import UserError, unknown
from neurocompare.ranges import check_ranges

PENALTIES = ("weights", "rates", "vanishing")
"""What can be penalised: `losses.weight_penalty`, `losses.rate_penalty`, `losses.vanishing`."""

KEPT = ("last", "best")


@dataclass(frozen=True)
class Stage:
    """One stage of a curriculum.

    Attributes
    ----------
    options : dict of str to object
        Options of the task that differ from those of the entry.
    performance : float, optional
        The stage ends with the first evaluation that attains this fraction correct.
    updates : int, optional
        The stage ends after so many updates.
    """

    options: dict = field(default_factory=dict)
    performance: float | None = None
    updates: int | None = None


@dataclass(frozen=True)
class Stop:
    """When learning stops early, and how it is evaluated.

    Attributes
    ----------
    performance : float, optional
        Fraction correct that is to be attained.
    error : float, optional
        Error that is to be attained, as in `losses.squared_error`. With neither of the two, all updates are made.
    patience : int
        At so many evaluations in a row.
    every : int
        Updates between evaluations.
    trials : int
        Trials of an evaluation, the same each time: drawn with the options of the stage, with noise.
    """

    performance: float | None = None
    error: float | None = None
    patience: int = 1
    every: int = 50
    trials: int = 512


@dataclass(frozen=True)
class Learning:
    """Settings of learning; those of `learning` in an entry of the catalogue.

    Attributes
    ----------
    updates : int
        At most so many updates of the weights.
    batch : int
        Trials of an update.
    rate : float
        Learning rate of Adam.
    decay : float
        What the rate is multiplied by after each update.
    clip : float, optional
        Greatest norm of the gradient of a network; longer ones are shortened.
    penalties : dict of str to float
        Factors of `PENALTIES` in the loss.
    curriculum : tuple of Stage
        What comes before the task as it is.
    stop : Stop
        When learning stops early.
    keep : {"last", "best"}
        Which weights are the result: the last ones, or those of the best evaluation on the task as it is (greatest
        fraction correct, then least error).
    checkpoints : tuple of int
        Numbers of updates after which the weights are kept as well; 0 is before learning.
    """

    updates: int = 1000
    batch: int = 64
    rate: float = 1e-3
    decay: float = 1.0
    clip: float | None = 1.0
    penalties: dict = field(default_factory=dict)
    curriculum: tuple[Stage, ...] = ()
    stop: Stop = field(default_factory=Stop)
    keep: str = "last"
    checkpoints: tuple[int, ...] = ()


@dataclass
class Course:
    """How far the learning of one network has come.

    Attributes
    ----------
    update : int
        Number of updates made.
    stage : int
        Index of the stage; the number of stages of the curriculum stands for the task as it is.
    since : int
        Number of the update at which the stage began.
    streak : int
        Evaluations in a row that attained what stops learning.
    finished : bool
        Whether there is nothing more to learn.
    best : tuple of (float, float), optional
        Fraction correct and negative error of the best evaluation of the task as it is.
    """

    update: int = 0
    stage: int = 0
    since: int = 0
    streak: int = 0
    finished: bool = False
    best: tuple[float, float] | None = None

    def updated(self, learning: Learning) -> None:
        """Note one more update."""
        self.update += 1
        self.finished = self.update >= learning.updates
        if self.stage < len(learning.curriculum):
            wanted = learning.curriculum[self.stage].updates
            if wanted is not None and self.update - self.since >= wanted:
                self._next_stage()

    def evaluated(self, learning: Learning, performance: float, error: float) -> bool:
        """Note an evaluation, which may end a stage or learning.

        Parameters
        ----------
        learning : Learning
            The settings.
        performance : float
            Fraction correct; NaN for a task without.
        error : float
            Mean squared error.

        Returns
        -------
        bool
            Whether it is the best so far.
        """
        if self.stage < len(learning.curriculum):
            wanted = learning.curriculum[self.stage].performance
            if wanted is not None and performance >= wanted:
                self._next_stage()
            return False
        stop = learning.stop
        attained = (stop.performance is None or performance >= stop.performance) and (
            stop.error is None or error <= stop.error
        )
        self.streak = self.streak + 1 if attained else 0
        asked = stop.performance is not None or stop.error is not None
        self.finished |= asked and self.streak >= stop.patience
        score = (performance if performance == performance else 0.0, -error)
        if self.best is not None and score <= self.best:
            return False
        self.best = score
        return True

    def _next_stage(self) -> None:
        self.stage += 1
        self.since = self.update


def of_entry(entry: dict, what: str = "learning") -> Learning:
    """Read the settings of learning.

    Parameters
    ----------
    entry : dict
        ``learning`` of a network in the catalogue; what is left out has the default of `Learning`.
    what : str
        What the settings belong to, for error messages, such as ``"network 'mante2013_tanh': learning"``.

    Returns
    -------
    Learning
        Checked settings.

    Raises
    ------
    UserError
        If a setting is unknown or out of range.
    """
    given = _mapping(entry, what, Learning)
    given["penalties"] = _mapping(given.get("penalties") or {}, f"{what}.penalties", PENALTIES)
    check_ranges(f"{what}.penalties", magnitudes=given["penalties"])
    given["stop"] = Stop(**_mapping(given.get("stop") or {}, f"{what}.stop", Stop))
    stages = given.get("curriculum") or []
    if not isinstance(stages, list | tuple):
        raise UserError(f"{what}.curriculum is {stages!r}; give a list of stages with 'until' and 'options'")
    given["curriculum"] = tuple(_stage(stage, f"{what}.curriculum, stage {k}") for k, stage in enumerate(stages, 1))
    points = given.get("checkpoints") or []
    if not isinstance(points, list | tuple):
        raise UserError(f"{what}.checkpoints is {points!r}; give a list of numbers of updates")
    check_ranges(f"{what}.checkpoints", seeds={f"number {k}": point for k, point in enumerate(points, 1)})
    given["checkpoints"] = tuple(sorted(set(points)))
    learning = Learning(**given)
    _check(learning, what)
    return learning


def _check(learning: Learning, what: str) -> None:
    check_ranges(
        what,
        sizes={"updates": learning.updates, "batch": learning.batch},
        positive={"rate": learning.rate, "decay": learning.decay}
        | ({} if learning.clip is None else {"clip": learning.clip}),
    )
    stop = learning.stop
    check_ranges(
        f"{what}.stop",
        sizes={"patience": stop.patience, "every": stop.every, "trials": stop.trials},
        fractions={} if stop.performance is None else {"performance": stop.performance},
        positive={} if stop.error is None else {"error": stop.error},
    )
    if learning.decay > 1:
        raise UserError(
            f"{what}: decay is {learning.decay}; use a number above 0, to 1, that the rate is multiplied by"
        )
    if learning.keep not in KEPT:
        raise UserError(f"{what}: keep is {learning.keep!r}; use one of {', '.join(KEPT)}")
    late = [point for point in learning.checkpoints if point > learning.updates]
    if late:
        raise UserError(f"{what}: checkpoint {late[0]} is after the last of {learning.updates} updates; leave it out")


def _stage(stage: object, what: str) -> Stage:
    given = _mapping(stage, what, ("until", "options"))
    until = _mapping(given.get("until") or {}, f"{what}, until", ("performance", "updates"))
    if len(until) != 1:
        raise UserError(f"{what}: 'until' must have either 'performance' or 'updates'")
    check_ranges(
        f"{what}, until",
        sizes={k: v for k, v in until.items() if k == "updates"},
        fractions={k: v for k, v in until.items() if k == "performance"},
    )
    options = given.get("options") or {}
    if not isinstance(options, dict):
        raise UserError(f"{what}: options is {options!r}; give options of the task with their values")
    return Stage(options=dict(options), **until)


def _mapping(value: object, what: str, known: object) -> dict:
    """Copy a mapping, all keys of which must be known."""
    names = known if isinstance(known, tuple) else tuple(f.name for f in fields(known))
    if not isinstance(value, dict):
        raise UserError(f"{what} is {value!r}; give a mapping of {', '.join(names)}")
    for name in value:
        if name not in names:
            raise unknown(f"field of {what}", str(name), names)
    return dict(value)
