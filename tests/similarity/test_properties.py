"""What the table of measures declares, proved for every measure: invariances, symmetry, axioms, identity, range."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocompare import similarity
from neurocompare.errors import UserError

TABLE = similarity.measures()
INVARIANCES = ("isotropic scale", "permutation", "orthogonal", "affine", "translation", "offset of a stimulus")
ENCODERS = ("ridge", "pls", "poisson", "reducedrank", "onetoone", "reverse")
SLOW = [measure for measure in TABLE.index if measure.startswith("nmf")]
# Parts of a given number have the same invariances as those of which the number has to be found.
CASES = [(m, i) for m in TABLE.index if m not in SLOW or "rank" in m for i in INVARIANCES]
DECLARED = [(m, i) for m, i in CASES if i in TABLE.loc[m, "invariances"].split(", ")]
# Whoever forgives any affine map forgives these as well.
IMPLIED = {"affine": {"isotropic scale", "permutation", "orthogonal", "translation"}, "orthogonal": {"permutation"}}
TRIED = set()
seeds = st.integers(0, 2**32 - 1)


def of(*measures):
    """All measures without the slow ones, which are tried on fewer examples, and without some others."""
    return [m for m in TABLE.index if m not in (*SLOW, *measures)]


def declared(measure):
    names = set(TABLE.loc[measure, "invariances"].split(", "))
    return names.union(*(IMPLIED.get(name, set()) for name in names))


def transformation(name, rng, shape, size):
    """Return a map of representations of that shape; `size` is how far it moves them."""
    n, p = shape
    rotation = np.linalg.qr(rng.standard_normal((p, p)))[0]
    order, units, stimuli = rng.permutation(p), rng.standard_normal(p), rng.standard_normal((n, 1))
    stretch = rotation @ np.diag(np.exp(rng.uniform(-1, 1, p))) @ np.linalg.qr(rng.standard_normal((p, p)))[0]
    return {
        "isotropic scale": lambda x: size * x,
        "permutation": lambda x: x[..., order],
        "orthogonal": lambda x: x @ rotation,
        "affine": lambda x: x @ stretch + units,
        "translation": lambda x: x + units,
        "offset of a stimulus": lambda x: x + stimuli,
    }[name]


def representations(seed, n=48, repeats=4, units=(16, 14), measure=""):
    """Return a network's responses and those of a recording to every repeat; positive, as counts are."""
    if "components=25" in measure:
        units = (30, 30)
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 6))
    x, y = (shared @ rng.standard_normal((6, p)) + 0.5 * rng.standard_normal((n, p)) for p in units)
    return np.exp(x / 4), np.exp(y / 4) * np.exp(0.05 * rng.standard_normal((repeats, n, units[1])))


def score(measure, x, trials):
    """Score by any measure: from trials where it needs them, else from their means."""
    return similarity.score(x, trials if TABLE.loc[measure, "repeats"] else trials.mean(0), measure)


def test_every_measure_declares_only_what_is_proved_here():
    assert {word for text in TABLE["invariances"] for word in text.split(", ")} <= set(INVARIANCES)
    assert set(TABLE["direction"]) <= {"higher", "lower"}
    assert TABLE["summary"].str.len().between(10, 200).all()
    for measure, row in TABLE.iterrows():
        # A distance is better when lower, and a score when higher.
        distance = measure.startswith(("procrustes", "shape", "stochastic")) or measure.endswith("-distance")
        assert (row["direction"] == "lower") == distance, measure
        assert row["metric"] <= row["symmetric"], measure


@pytest.mark.parametrize(("measure", "invariance"), DECLARED)
@settings(max_examples=4, deadline=None, derandomize=True)
@given(seed=seeds, exponent=st.floats(-4, 4))
def test_declared_invariance_holds(measure, invariance, seed, exponent):
    if measure in SLOW:
        # One example of these has to do.
        if (measure, invariance) in TRIED:
            return
        TRIED.add((measure, invariance))
    x, trials = representations(seed, measure=measure)
    rng = np.random.default_rng([seed, 1])
    moved = transformation(invariance, rng, x.shape, 10**exponent)(x)
    expected = score(measure, x, trials)
    close = pytest.approx(expected, abs=1e-6 * max(1, abs(expected)))
    assert score(measure, moved, trials) == close
    if measure.startswith(ENCODERS) and invariance == "orthogonal":
        return  # The invariances of an encoding measure are those of the features: it scores neurons one by one.
    move = transformation(invariance, rng, trials.shape[1:], 10**exponent)
    assert score(measure, x, move(trials)) == close


@pytest.mark.parametrize(("measure", "invariance"), [(m, i) for m, i in CASES if i not in declared(m)])
def test_undeclared_invariance_does_not_hold(measure, invariance):
    changes = []
    for seed in range(3 if measure not in SLOW else 1):
        x, trials = representations(seed, measure=measure)
        rng = np.random.default_rng([seed, 2])
        expected = score(measure, x, trials)
        try:
            changes.append(score(measure, transformation(invariance, rng, x.shape, 3.0)(x), trials) - expected)
            move = transformation(invariance, rng, trials.shape[1:], 3.0)
            changes.append(score(measure, x, move(trials)) - expected)
        except UserError:
            return  # Some measures take no negative values.
    assert np.abs(changes).max() > 1e-4


@pytest.mark.parametrize("comparator", ["spearman", "rho-a", "pearson"])
def test_correlation_rsa_is_not_invariant_to_offsets_of_units(comparator):
    # A baseline of each unit, which carries no information on stimuli, may decide the score.
    x, trials = representations(0, n=40)
    baseline = 3 * np.random.default_rng(3).standard_normal(x.shape[1])
    measure = f"rsa-distance=correlation-compare={comparator}"
    assert "translation" not in TABLE.loc[measure, "invariances"]
    assert abs(score(measure, x + baseline, trials) - score(measure, x, trials)) > 0.05


@pytest.mark.parametrize("measure", of())
@settings(max_examples=4, deadline=None, derandomize=True)
@given(seed=seeds)
def test_symmetry_is_as_declared(measure, seed):
    # As many units on both sides, or the smaller side would be the same whatever the order.
    x, trials = representations(seed, units=(14, 14), measure=measure)
    if TABLE.loc[measure, "repeats"]:
        rng = np.random.default_rng([seed, 3])
        x = x * np.exp(0.05 * rng.standard_normal((4, *x.shape)))
    else:
        trials = trials.mean(0)
    forth, back = similarity.score(x, trials, measure), similarity.score(trials, x, measure)
    if TABLE.loc[measure, "symmetric"]:
        assert forth == pytest.approx(back, abs=1e-8 * max(1, abs(forth)))
    else:
        assert abs(forth - back) > 1e-9


@pytest.mark.parametrize("measure", TABLE.index)
def test_a_representation_is_like_itself(measure):
    x, _ = representations(4, n=60, measure=measure)
    # Even without noise, models fitted to a part of the stimuli shrink a little, and the identity is not log-linear.
    tolerance = 2e-1 if measure.startswith("poisson") else 2e-2 if measure.startswith(ENCODERS) else 1e-6
    value = score(measure, x, np.stack([x] * 4))
    if measure.endswith("neurons"):
        # The units are a sample of others, whose likeness is below that of the sample with itself.
        assert 1 < value < 1.5
        return
    assert value == pytest.approx(0 if TABLE.loc[measure, "direction"] == "lower" else 1, abs=tolerance)


@pytest.mark.parametrize("measure", TABLE.index[TABLE["metric"].astype(bool)])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=seeds, units=st.tuples(*[st.integers(2, 12)] * 3), nearness=st.floats(0.01, 3))
def test_metrics_fulfil_the_axioms(measure, seed, units, nearness):
    # Symmetry and identity are proved for all measures; what is left is the triangle, where it is tight too.
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((20, 3))
    a, b, c = (shared @ rng.standard_normal((3, p)) + nearness * rng.standard_normal((20, p)) for p in units)
    ab, bc, ac = (similarity.score(*pair, measure) for pair in ((a, b), (b, c), (a, c)))
    assert min(ab, bc, ac) >= 0
    assert ac <= ab + bc + 1e-6
    assert ab > 1e-4


@pytest.mark.parametrize("measure", of())
@settings(max_examples=6, deadline=None, derandomize=True)
@given(seed=seeds, noise=st.booleans(), units=st.integers(4, 12))
def test_scores_stay_in_the_declared_range(measure, seed, noise, units):
    n = max(TABLE.loc[measure, "minimum_stimuli"], 6)
    x, trials = representations(seed, n=n)
    if noise:
        rng = np.random.default_rng(seed)
        x, trials = np.exp(rng.standard_normal((n, units))), np.exp(rng.standard_normal((4, n, units)))
    try:
        value = score(measure, x, trials)
    except UserError as error:
        # With so few stimuli some measures are void, and say so.
        assert "stimuli" in str(error)
        return
    # Only between halves of noise, or different units of noise, may a self-term be negative, and the score undefined.
    if np.isnan(value) and (TABLE.loc[measure, "repeats"] or measure.endswith("neurons")):
        return
    assert TABLE.loc[measure, "low"] - 1e-9 <= value <= TABLE.loc[measure, "high"] + 1e-9


# Encoders score a little below zero, as means of folds do: their tests compare them with their nulls.
@pytest.mark.parametrize("measure", of(*(m for m in TABLE.index if m.startswith(ENCODERS))))
def test_only_what_is_declared_unbiased_scores_zero_by_chance(measure):
    # Unrelated stimuli in the same representations: 40 scores, and their standard error.
    chance = []
    for seed in range(40):
        x, trials = representations(seed)
        rng = np.random.default_rng([seed, 4])
        chance.append(score(measure, x[rng.permutation(len(x))], trials))
    mean, error = np.nanmean(chance), np.nanstd(chance) / np.sqrt(40)
    if TABLE.loc[measure, "unbiased"]:
        assert abs(mean) < 3.5 * error
    else:
        assert abs(mean) > 3.5 * error


@pytest.mark.parametrize("measure", TABLE.index)
def test_too_few_stimuli_are_refused_in_one_line(measure):
    n = TABLE.loc[measure, "minimum_stimuli"]
    x = np.exp(np.random.default_rng(0).standard_normal((n - 1, 9)))
    with pytest.raises(UserError, match=f"at least {n} stimuli, got {n - 1}$"):
        score(measure, x, np.stack([x[:, :5]] * 4))


@pytest.mark.parametrize("measure", TABLE.index)
@pytest.mark.parametrize("value", [0.0, 0.1, 1e4 / 3])
def test_what_does_not_vary_has_no_score(measure, value):
    # Rounding error in the Gram matrix of a silent layer would correlate with anything.
    x, _ = representations(5)
    flat = np.full((48, 37), value) + (np.linspace(0, 1, 37) if value else 0)
    for first, second in ((flat, x), (x, flat)):
        try:
            result = score(measure, first, np.stack([second] * 4))
        except UserError as error:
            # A constant pattern has no correlation, and no part; there are too few stimuli for 37 units.
            assert any(word in str(error) for word in ("correlation", "stimuli", "vary"))
            continue
        assert np.isnan(result) or (result == 0 and measure.endswith(("rho-a", "tau-a")))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones(5), np.ones((5, 2)), r"x: expected an array of shape \(n_stimuli, n_units\), got shape \(5,\)"),
        (np.ones((5, 2)), np.full((5, 2), np.nan), "y: holds NaN or infinite values"),
        (np.ones((5, 2)), np.full((2, 5, 2), np.inf), "y: holds NaN or infinite values"),
        (np.ones((5, 2)), np.ones((6, 2)), "x has 5 stimuli and y has 6"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(x, y, message):
    with pytest.raises(UserError, match=message):
        similarity.score(x, y, "cka-kernel=linear-hsic=song")


@pytest.mark.parametrize("measure", TABLE.index[TABLE["repeats"] > 0])
def test_measures_of_trials_say_so(measure):
    x, trials = representations(0)
    with pytest.raises(UserError, match=f"^measure '{measure}' needs at least . repeats of every stimulus; y has"):
        similarity.score(x, trials.mean(0), measure)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ("rsa-distance=correlation-compare=rho", "unknown comparator 'rho'; did you mean rho-a"),
        ("rdsa-distance=correlation", "unknown measure 'rdsa'; did you mean rsa"),
        ("arrays-distance=correlation", "unknown measure 'arrays-distance=correlation'"),
        ("cka-kernel=linear", "measure 'cka-kernel=linear': "),
        ("cka-kernel=linear-hsic=song-sample=many", "sample=many: give a number of units, or 'matched'"),
        ("cka-kernel=linear-hsic=song-responses=log", "unknown normalisation of units 'log'"),
    ],
)
def test_an_unknown_measure_is_answered_in_one_line(measure, message):
    with pytest.raises(UserError, match=message) as error:
        similarity.load(measure)
    assert "\n" not in str(error.value)
