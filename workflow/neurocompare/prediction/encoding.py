"""Encoding: what every way to predict neurons from the features of a layer shares.

A layer is needed only through its Gram matrix, as there are fewer stimuli than features. Folds are over stimuli: no
stimulus is both fitted and predicted, and everything that is fitted, means and penalties included, comes from the
other folds. The score of a layer is the median over neurons of how well held-out predictions agree with the
responses; neurons for which that is undefined are left out and counted. A subclass says how one fold is predicted.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError, unknown
from neurocompare.prediction import encoder_scores, folds, held_out, unit_scores
from neurocompare.prediction.held_out import Predictions, by_repeat, centred, correlation, median
from neurocompare.similarity.arrays import Grams, declaration
from neurocompare.similarity.ceilings import Ceiling
from neurocompare.similarity.evaluation import Evaluation, Target
from neurocompare.similarity.measure import Measure, Reduced

MINIMUM_STIMULI = 20
INNER_FOLDS = 5
ALPHAS = np.logspace(-3, 3, 9)
"""Penalties tried, relative to the mean squared norm of the centred training features."""

LEVELLED = ("r2", "feve")
"""Scores that see the level of predictions, not only how they vary."""

_SEED = 20220801
_INVARIANCES = "isotropic scale, permutation, orthogonal, translation"


@dataclass(frozen=True, eq=False)
class Training:
    """What a fold may be fitted to.

    Attributes
    ----------
    within : array of shape (n_train, n_train)
        Inner products of the features of the training stimuli, centred by their mean.
    across : array of shape (n_test, n_train)
        Those of the test stimuli, centred by the training mean, with the training stimuli.
    responses : array of shape (n_train, n_targets)
        Responses to the training stimuli, as recorded.
    groups : array of int of shape (n_targets,)
        Which targets make up one population: methods that predict neurons jointly do so within a group.
    features_train, features_test : arrays of shape (n_train, n_features) and (n_test, n_features), optional
        The features; None unless the encoder needs single units.
    """

    within: np.ndarray
    across: np.ndarray
    responses: np.ndarray
    groups: np.ndarray
    features_train: np.ndarray | None = None
    features_test: np.ndarray | None = None


class Encoder(Measure):
    """A way to predict every neuron from the features of a layer.

    Parameters
    ----------
    words : str
        The word of the subclass.
    options : dict
        ``folds``, from 2 to 20; perhaps ``split``, ``random`` or ``consecutive`` (runs of the stimuli in the order of
        their names, so that neighbouring angles share a fold); perhaps ``score``, one of `unit_scores.SCORES`;
        perhaps ``gate``, the least reliability of the neurons that are scored, between 0 and 1: it is found in every
        other repeat of the stimuli, and models are fitted to and scored on the rest.

    Attributes
    ----------
    word : str
        The first word of the id.
    setting : str
        What comes between that word and the folds in an id, for error messages.
    text : str
        What it does, for the table of measures.
    needs_units : bool
        Whether it looks at single units of a layer.
    single_units : bool
        Whether neurons are predicted each by itself, whatever the others are.
    null_units : int
        The null refits every shuffle, of at most this many neurons, drawn once.

    Raises
    ------
    UserError
        If an option is missing or unknown.
    """

    permutations = 100
    scheme = "bootstrap"
    influence = False
    word = ""
    setting = ""
    text = ""
    needs_units = False
    single_units = True
    null_units = 100
    invariances = _INVARIANCES

    def __init__(self, words: str, options: dict[str, str]):
        options = dict(options)
        folds_, gate = options.pop("folds", ""), options.pop("gate", None)
        self.split = options.pop("split", "random")
        self.scored = options.pop("score", "pearson")
        if words != self.word or options or not folds_.isdecimal() or not 2 <= int(folds_) <= 20:
            raise UserError(
                f"an encoding measure is written {self.word}{self.setting}-folds=5, with 2 to 20 folds, and perhaps "
                "-split=consecutive, -score=r2er or -gate=0.3 after it"
            )
        if self.split not in folds.SPLITS:
            raise unknown(f"split of measure '{self.word}'", self.split, folds.SPLITS)
        if self.scored not in unit_scores.SCORES:
            raise unknown(f"score of measure '{self.word}'", self.scored, unit_scores.SCORES)
        self.folds, self.gate = int(folds_), None if gate is None else _share(gate)
        self.agreement, self.by_trials, what = unit_scores.SCORES[self.scored]
        if self.scored == "pearson":
            # By the moments that resamples are scored by: a resample with every stimulus once has the same score.
            self.agreement, what = correlation, "r"
        self.ceiling = "one" if self.by_trials else "bracket"
        self.info = declaration(
            f"encoding: {self.text}, {folds_} {'consecutive ' * (self.split == 'consecutive')}folds over stimuli, "
            f"median {what} over neurons" + f" with a reliability of {gate} in other trials" * (gate is not None),
            low=-1.0 if self.scored == "pearson" else -np.inf,
            high=1.0 if self.scored in ("pearson", "r2") else np.inf,
            symmetric=False,
            invariances=self.invariances,
            minimum_stimuli=MINIMUM_STIMULI,
            units=self.needs_units,
            repeats=2 * self.by_trials if gate is None else 4,
        )

    def held_out(self, part: Training) -> np.ndarray:
        """Predict the stimuli of one fold.

        Parameters
        ----------
        part : Training
            What is known.

        Returns
        -------
        array of shape (n_test, n_targets)
            Predictions, as differences from the mean training response.
        """
        raise NotImplementedError

    def reduce(self, grams: Grams) -> list[tuple]:
        """Keep the Gram matrix, units where they are needed, and trials; see `Measure.reduce`."""
        nothing = [None] * len(grams)
        return list(zip(grams.gram, grams.units or nothing, grams.trials or nothing, strict=True))

    def pair(self, x: tuple, y: tuple) -> float:
        """Return the median over units of the agreement of held-out predictions with responses; see `Measure.pair`."""
        found = self.predict(x[0], y[1], features=x[1])
        return float(median(self.agreements(found, y[1], by_repeat(y[2]) if self.by_trials else None)))

    def gated(self, grams: Grams) -> tuple[Grams, np.ndarray | None]:
        """Leave out units that are not reliable, if the id asks for it.

        Parameters
        ----------
        grams : Grams
            Recordings.

        Returns
        -------
        grams : Grams
            Of the reliable units, from the trials that did not decide on them; or the same as before.
        dropped : array of int of shape (n_representations,) or None
            Numbers of units left out; None without a gate.
        """
        return (grams, None) if self.gate is None else held_out.gated(grams, self.gate)

    def trial_ceiling(self, y: Reduced) -> Ceiling:
        """See `Measure.trial_ceiling`."""
        return encoder_scores.ceiling(self, self.gated(y.grams)[0], 0)

    def predict(
        self,
        gram: np.ndarray,
        responses: np.ndarray,
        *,
        groups: np.ndarray | None = None,
        features: np.ndarray | None = None,
    ) -> Predictions:
        """Predict responses to stimuli that were left out.

        Parameters
        ----------
        gram : array of shape (n_stimuli, n_stimuli)
            Inner products of the features.
        responses : array of shape (n_stimuli, n_units)
            What is to be predicted.
        groups : array of int of shape (n_units,), optional
            Populations; by default all units are one.
        features : array of shape (n_stimuli, n_features), optional
            The features themselves, for encoders that look at single units.

        Returns
        -------
        Predictions
            Each uses penalties, means and weights from the other folds only.

        Raises
        ------
        UserError
            If single units of a layer are needed and not known.
        """
        if self.needs_units and features is None:
            raise UserError(f"measure '{self.name}' looks at single units, and only inner products of them are known")
        groups = np.zeros(responses.shape[1], dtype=int) if groups is None else groups
        change, baseline = np.zeros_like(responses, dtype=float), np.zeros_like(responses, dtype=float)
        for train, test in self.outer_folds(len(gram)):
            baseline[test] = responses[train].mean(0)
            within, across = centred(gram, train, test)
            if not len(groups) or np.trace(within) <= 1e-12 * len(train) * np.trace(gram) / len(gram):
                # Features that do not vary predict nothing but the mean; perhaps no neuron passed a gate.
                continue
            parts = (features[train], features[test]) if self.needs_units else (None, None)
            change[test] = self.held_out(Training(within, across, responses[train], groups, *parts))
        return Predictions(change, baseline)

    def outer_folds(self, n: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Hold out stimuli, the same ones for all layers; see `folds.of_stimuli`."""
        return folds.of_stimuli(n, self.folds, self.split, _SEED)

    def in_null(self, owner: np.ndarray, animal: int) -> np.ndarray:
        """Choose the units of an animal that the null is made of.

        Parameters
        ----------
        owner : array of int of shape (n_units,)
            The animal of each unit.
        animal : int
            Which animal.

        Returns
        -------
        array of int of shape (n_chosen,)
            At most `null_units` of its units, drawn once.
        """
        mine = np.flatnonzero(owner == animal)
        return mine[np.sort(np.random.default_rng([_SEED, len(mine)]).permutation(len(mine))[: self.null_units])]

    def agreements(self, found: Predictions, responses: np.ndarray, trials=None, stimuli=slice(None)) -> np.ndarray:
        """Score every unit on some of the stimuli.

        Parameters
        ----------
        found : Predictions
            Held-out predictions.
        responses : array of shape (n_stimuli, n_units)
            Mean responses.
        trials : array of shape (n_repeats, n_stimuli, n_units), optional
            Single trials, NaN where there are fewer repeats.
        stimuli : slice or array, optional
            Which stimuli; all by default.

        Returns
        -------
        array of shape (n_units,)
            NaN where the score is undefined.
        """
        predicted = found.change[stimuli]
        scored = predicted + found.baseline[stimuli] if self.scored in LEVELLED else predicted
        result = self.agreement(scored, trials[:, stimuli] if self.by_trials else responses[stimuli])
        # The mean alone, from features that do not vary, is no prediction, though it has a level.
        return np.where(predicted.any(0), result, np.nan)

    def scores(self, x: Reduced, y: Reduced) -> np.ndarray:
        """Fit all targets together, a unit that is in several of them once; see `Measure.scores`."""
        if self.gate is not None:
            y = self.reduced(self.gated(Grams.of_trials([trials for _, _, trials in y.parts]))[0])
        if self.by_trials or not self.single_units:
            return super().scores(x, y)
        responses = np.hstack([units for _, units, _ in y.parts])
        owner = np.repeat(np.arange(len(y)), [units.shape[1] for _, units, _ in y.parts])
        unique, place = np.unique(responses, axis=1, return_inverse=True)
        found = np.empty((len(y), len(x)))
        for k, (gram, features, _) in enumerate(x.parts):
            r = self.agreements(self.predict(gram, unique, features=features), unique)[place.ravel()]
            found[:, k] = [median(r[owner == t]) for t in range(len(y))]
        return found

    def evaluate(self, target: Target, candidates: Grams, plan) -> Evaluation:
        """Score all layers against a region.

        Parameters
        ----------
        target : evaluation.Target
            A region of a recording, with responses.
        candidates : Grams
            The layers.
        plan : resampling.Plan
            Resamples and permutations of the stimuli.

        Returns
        -------
        evaluation.Evaluation
            Scores; bootstrap samples resample the stimuli of the held-out predictions, shuffles are refitted.
            A layer is chosen on half of the stimuli by models of that half alone, because all other models
            have seen the responses that the choice will be scored on.
        """
        grams, gated = self.gated(target.grams)
        return encoder_scores.evaluate(self, dataclasses.replace(target, grams=grams), candidates, plan, gated)


def _share(text: str) -> float:
    """Read a number between 0 and 1."""
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not 0 < value < 1:
        raise UserError(f"gate={text}: give the least reliability of a neuron, a number between 0 and 1 such as 0.3")
    return value
