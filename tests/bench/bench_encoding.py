"""Ridge encoding: what nested folds cost beside himalaya called by hand and scikit-learn, and how much memory."""

import warnings

import numpy as np
from himalaya.kernel_ridge import KernelRidgeCV
from ratios import Ratio, extra_bytes, interleaved, once
from sklearn.linear_model import RidgeCV

from neurocompare.prediction import ridge
from neurocompare.prediction.encoding import Training
from neurocompare.prediction.held_out import centred

ALPHAS = np.logspace(-3, 3, 20)
FOLDS = 5
SIZES = {
    "tiny": [(60, 80, 50, 1, 2)],
    "quick": [(118, 1000, 1000, 5, 2)],
    "full": [(118, 5000, 10_000, 5, 3), (2800, 5000, 10_000, 1, 1)],
}
"""Stimuli, features, neurons, outer folds that are timed (all folds take alike) and rounds."""

SOME = 2
"""Neurons on which scikit-learn is timed."""

LARGE = 10**7
"""Responses above which scikit-learn does not fit all neurons at once: its memory grows with the penalties."""


class Twenty(ridge.Ridge):
    """Ridge regression with twenty penalties."""

    def held_out(self, part: Training) -> np.ndarray:
        """See `encoding.Encoder.held_out`."""
        return ridge.predict(part.within, part.across, part.responses, ALPHAS)


def simulated(n: int, p: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw features of decaying variance, and neurons that see them in as much noise."""
    rng = np.random.default_rng([11, n, p])
    features = rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -0.5
    signal = features[:, :200] @ rng.standard_normal((min(p, 200), m))
    return features, signal + signal.std() * rng.standard_normal((n, m))


def ours(features: np.ndarray, responses: np.ndarray, timed: int) -> np.ndarray:
    """Predict held-out stimuli of some of the folds."""
    gram = features @ features.T
    measure = Twenty("ridge", {"folds": str(FOLDS)})
    if timed == FOLDS:
        return measure.predict(gram, responses).change
    found = np.zeros_like(responses)
    for train, test in splits(len(gram))[:timed]:
        within, across = centred(gram, train, test)
        groups = np.zeros(responses.shape[1], dtype=int)
        found[test] = measure.held_out(Training(within, across, responses[train], groups))
    return found


def splits(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The outer folds, for all who are timed."""
    return Twenty("ridge", {"folds": str(FOLDS)}).outer_folds(n)


def by_hand(features: np.ndarray, responses: np.ndarray, timed: int) -> np.ndarray:
    """Write the same with himalaya's own estimator: centre by training means, fit, predict."""
    found = np.zeros_like(responses)
    for train, test in splits(len(features))[:timed]:
        mean, level = features[train].mean(0), responses[train].mean(0)
        x, y = features[train] - mean, responses[train] - level
        model = KernelRidgeCV(alphas=ALPHAS * (x**2).sum() / len(x), cv=FOLDS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[test] = model.fit(x, y).predict(features[test] - mean)
    return found


def one_by_one(features: np.ndarray, responses: np.ndarray) -> None:
    """Fit neurons one by one in one outer fold, by scikit-learn's fast way: leave-one-out errors of all penalties."""
    train, test = splits(len(features))[0]
    mean, level = features[train].mean(0), responses[train].mean(0)
    x, y = features[train] - mean, responses[train] - level
    for k in range(y.shape[1]):
        RidgeCV(ALPHAS * (x**2).sum() / len(x), fit_intercept=False).fit(x, y[:, k]).predict(features[test] - mean)


def all_at_once(features: np.ndarray, responses: np.ndarray) -> None:
    """Fit all neurons at once in one outer fold, with a penalty for each; nothing is left out but one stimulus."""
    train, test = splits(len(features))[0]
    mean, level = features[train].mean(0), responses[train].mean(0)
    x, y = features[train] - mean, responses[train] - level
    model = RidgeCV(ALPHAS * (x**2).sum() / len(x), fit_intercept=False, alpha_per_target=True)
    model.fit(x, y).predict(features[test] - mean)


def measure(how: str) -> list[Ratio]:
    """Time nested cross-validation with 5 × 5 folds and 20 penalties."""
    return [row for sizes in SIZES[how] for row in of_size(*sizes)]


def of_size(n: int, p: int, m: int, timed: int, rounds: int) -> list[Ratio]:
    """Time one size of the problem."""
    features, responses = simulated(n, p, m)
    what, size = "ridge, 5 × 5 folds, 20 penalties", f"{n} stimuli × {p} features × {m} neurons"
    part = "" if timed == FOLDS else f"; {timed} of {FOLDS} outer folds timed"
    results, extra = {}, []

    def watched():
        extra.append(extra_bytes(lambda: results.update(ours=ours(features, responses, timed))))

    def theirs():
        results["theirs"] = by_hand(features, responses, timed)

    seconds, _ = interleaved({"ours": watched, "theirs": theirs}, rounds)
    np.testing.assert_allclose(results["ours"], results["theirs"], atol=1e-6 * np.abs(results["theirs"]).max())
    some = min(SOME, m)
    alone = once(lambda: one_by_one(features, responses[:, :some]))[0] / some * m * timed
    together = once(lambda: all_at_once(features, responses))[0] * timed if n * m < LARGE else np.nan
    rows = [
        Ratio(
            what, "himalaya by hand", size, seconds["ours"] / seconds["theirs"], "≤ 1.1", "time, ours / theirs" + part
        ),
        Ratio(
            what,
            "scikit-learn RidgeCV per neuron",
            size,
            alone / seconds["ours"],
            "≥ 10",
            f"speed-up; RidgeCV (leave-one-out) timed with {some} neurons in one outer fold, scaled" + part,
        ),
        Ratio(
            what,
            "scikit-learn RidgeCV, all neurons at once",
            size,
            together / seconds["ours"],
            "",
            "speed-up; leave-one-out instead of inner folds, timed in one outer fold, scaled" + part,
        ),
        Ratio(what, "bound by batches", size, max(extra) / bound(n, m), "≤ 1", "peak extra memory"),
    ]
    return [row for row in rows if np.isfinite(row.value)]


def bound(n: int, m: int) -> int:
    """Bytes that are held at most, however many penalties there are.

    Beside arrays of stimuli × neurons for the whole fold, a batch holds for some of the penalties the predictions of
    inner test stimuli with their errors, and matrices between stimuli.
    """
    train, batch = n * (FOLDS - 1) // FOLDS, min(m, ridge._BATCH)
    inner = train // FOLDS
    whole = 6 * n * m
    of_batch = ridge._ALPHAS_BATCH * (3 * inner * batch + 3 * train * train) + 2 * train * batch
    return 8 * (whole + of_batch + 8 * n * n) + 2**25
