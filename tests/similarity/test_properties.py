"""What the table of measures declares, proved for every measure: invariances, symmetry, identity, range."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.identifiers import parse
from neurocompare.inference import resampling
from neurocompare.similarity.arrays import Grams
from neurocompare.similarity.evaluation import Target

TABLE = similarity.measures()
TRIALS = "cka-kernel=linear-hsic=song-normalise=cross-half"
INVARIANCES = ("isotropic scale", "permutation", "orthogonal", "translation", "offset of a stimulus")
CASES = [(measure, invariance) for measure in TABLE.index for invariance in INVARIANCES]
DECLARED = [(m, i) for m, i in CASES if i in TABLE.loc[m, "invariances"].split(", ")]
seeds = st.integers(0, 2**32 - 1)


def transformation(name, rng, shape, size):
    """Return a map of representations of that shape; `size` is how far it moves them."""
    n, p = shape
    rotation = np.linalg.qr(rng.standard_normal((p, p)))[0]
    order, units, stimuli = rng.permutation(p), rng.standard_normal(p), rng.standard_normal((n, 1))
    return {
        "isotropic scale": lambda x: size * x,
        "permutation": lambda x: x[:, order],
        "orthogonal": lambda x: x @ rotation,
        "translation": lambda x: x + units,
        "offset of a stimulus": lambda x: x + stimuli,
    }[name]


def representations(seed, n=24):
    """Return two related representations, the second as means over two halves of its trials."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 3))
    x = shared @ rng.standard_normal((3, 8)) + 0.5 * rng.standard_normal((n, 8))
    y = shared @ rng.standard_normal((3, 6)) + 0.5 * rng.standard_normal((n, 6))
    return x, y + 0.3 * rng.standard_normal((2, n, 6))


def score(measure, x, halves):
    """Score by any measure, those that need trials too."""
    if measure != TRIALS:
        return similarity.score(x, halves.mean(0), measure)
    plan = resampling.plan("a", len(x), "stimulus", bootstraps=0, permutations=0, partitions=0)
    target = Target(("a",), responses=halves.mean(0)[None], halves=halves[None, :, None])
    evaluation = similarity.load(measure).evaluate(target, Grams.of(x[None]), parse(measure)[1], plan)
    return float(evaluation.value[0, 0])


def test_every_measure_declares_only_what_is_proved_here():
    declared = {word for text in TABLE["invariances"] for word in text.split(", ")}
    assert declared == set(INVARIANCES)
    assert len(TABLE) == 18 + 4 + 2


@pytest.mark.parametrize(("measure", "invariance"), DECLARED)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=seeds, exponent=st.floats(-6, 6))
def test_declared_invariance_holds(measure, invariance, seed, exponent):
    x, halves = representations(seed)
    rng = np.random.default_rng([seed, 1])
    moved = transformation(invariance, rng, x.shape, 10**exponent)(x)
    expected = score(measure, x, halves)
    assert score(measure, moved, halves) == pytest.approx(expected, abs=1e-7)
    if measure.startswith("ridge") and invariance == "orthogonal":
        return  # The invariances of an encoding measure are those of the features: it scores neurons one by one.
    move = transformation(invariance, rng, halves.shape[1:], 10**exponent)
    assert score(measure, x, np.stack([move(half) for half in halves])) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("measure", "invariance"), [case for case in CASES if case not in DECLARED])
def test_undeclared_invariance_does_not_hold(measure, invariance):
    x, halves = representations(1)
    moved = transformation(invariance, np.random.default_rng(2), x.shape, 3.0)(x)
    assert abs(score(measure, moved, halves) - score(measure, x, halves)) > 1e-3


@pytest.mark.parametrize("comparator", ["spearman", "rho-a", "pearson"])
def test_correlation_rsa_is_not_invariant_to_offsets_of_units(comparator):
    # A baseline of each unit, which carries no information on stimuli, may decide the score.
    x, halves = representations(0, n=40)
    baseline = 3 * np.random.default_rng(3).standard_normal(x.shape[1])
    measure = f"rsa-distance=correlation-compare={comparator}"
    assert "translation" not in TABLE.loc[measure, "invariances"]
    assert abs(score(measure, x + baseline, halves) - score(measure, x, halves)) > 0.05


@pytest.mark.parametrize("measure", [m for m in TABLE.index if m != TRIALS])
@settings(max_examples=5, deadline=None, derandomize=True)
@given(seed=seeds)
def test_symmetry_is_as_declared(measure, seed):
    x, halves = representations(seed)
    forth, back = similarity.score(x, halves[0], measure), similarity.score(halves[0], x, measure)
    if TABLE.loc[measure, "symmetric"]:
        assert forth == pytest.approx(back, abs=1e-12)
    else:
        assert abs(forth - back) > 1e-6


@pytest.mark.parametrize("measure", TABLE.index)
def test_a_representation_is_like_itself(measure):
    x, _ = representations(4, n=60)
    # Even without noise, models fitted to a part of the stimuli shrink a little.
    expected = pytest.approx(1, abs=2e-3) if measure.startswith("ridge") else pytest.approx(1, abs=1e-12)
    assert score(measure, x, np.stack([x, x])) == expected


@pytest.mark.parametrize("measure", TABLE.index)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(seed=seeds, noise=st.booleans(), units=st.integers(4, 40))
def test_scores_stay_in_the_declared_range(measure, seed, noise, units):
    n = max(TABLE.loc[measure, "minimum_stimuli"], 6)
    x, halves = representations(seed, n=n)
    if noise:
        rng = np.random.default_rng(seed)
        x, halves = rng.standard_normal((n, units)), rng.standard_normal((2, n, units))
    value = score(measure, x, halves)
    # Only between halves of pure noise may a self-term be negative, and the score undefined.
    if np.isnan(value) and measure == TRIALS:
        return
    assert TABLE.loc[measure, "low"] - 1e-12 <= value <= TABLE.loc[measure, "high"] + 1e-12


@pytest.mark.parametrize("measure", [m for m in TABLE.index if m != TRIALS])
def test_too_few_stimuli_are_refused_in_one_line(measure):
    n = TABLE.loc[measure, "minimum_stimuli"]
    x = np.random.default_rng(0).standard_normal((n, 9))
    assert np.isfinite(similarity.score(x, x[:, :5], measure))
    with pytest.raises(UserError, match=f"at least {n} stimuli, got {n - 1}$"):
        similarity.score(x[1:], x[1:, :5], measure)


@pytest.mark.parametrize("measure", [m for m in TABLE.index if m != TRIALS])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e4 / 3])
def test_what_does_not_vary_has_no_score(measure, value):
    # Rounding error in the Gram matrix of a silent layer would correlate with anything.
    x, _ = representations(5)
    flat = np.full((24, 37), value) + (np.linspace(0, 1, 37) if value else 0)
    if ("cosine-compare" in measure or "correlation-compare" in measure) and value == 0:
        with pytest.raises(UserError, match="has no correlation or cosine$"):
            similarity.score(flat, x, measure)
        return
    for pair in ((flat, x), (x, flat)):
        result = similarity.score(*pair, measure)
        assert result == 0 if measure.endswith("rho-a") else np.isnan(result)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones(5), np.ones((5, 2)), r"x: expected an array of shape \(n_stimuli, n_units\), got shape \(5,\)"),
        (np.ones((5, 2)), np.full((5, 2), np.nan), "y: holds NaN or infinite values"),
        (np.ones((5, 2)), np.ones((6, 2)), "x has 5 stimuli and y has 6"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(x, y, message):
    with pytest.raises(UserError, match=message):
        similarity.score(x, y, "cka-kernel=linear-hsic=song")


def test_an_unknown_measure_is_answered_with_its_neighbours():
    with pytest.raises(UserError, match="unknown measure.*did you mean.*rsa-distance=correlation-compare=rho-a"):
        similarity.load("rsa-distance=correlation-compare=rho")
