"""Procrustes and shape distances: definitions in unit space, axioms, invariances, held-out alignment."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.similarity import alignment
from neurocompare.similarity.arrays import Grams

ANGULAR, SIZE = "procrustes-angular", "procrustes-size-and-shape"
METRICS = (ANGULAR, SIZE, "shape-alpha=0.5", "shape-alpha=0.2")
HELD_OUT = ("procrustes-angular-folds=5", "shape-alpha=0.5-folds=5", "shape-alpha=0-folds=4")
EVERY = METRICS + HELD_OUT
seeds = st.integers(0, 2**32 - 1)
drawn = settings(max_examples=15, deadline=None, derandomize=True)


def related(seed, n=24, units=(10, 7), noise=0.5):
    """Draw representations that share five dimensions."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 5))
    return [shared @ rng.standard_normal((5, p)) + noise * rng.standard_normal((n, p)) for p in units]


def rotation(rng, p):
    return np.linalg.qr(rng.standard_normal((p, p)))[0]


def centred(x):
    return x - x.mean(0)


def padded(x, columns):
    return np.pad(x, ((0, 0), (0, columns - x.shape[1])))


def aligned_in_unit_space(x, y):
    """The differences after the rotation that SciPy finds, of centred and zero-padded units."""
    columns = max(x.shape[1], y.shape[1])
    x, y = padded(x, columns), padded(y, columns)
    return x - y @ scipy.linalg.orthogonal_procrustes(y, x)[0]


def test_golden_values():
    x, y = related(20240501)
    # The reference gives the square of the size-and-shape distance; the root is the metric.
    assert similarity.score(x, y, SIZE) ** 2 == pytest.approx(437.2145113, abs=1e-7)
    assert similarity.score(x, y, ANGULAR) == pytest.approx(0.5339369785, abs=1e-10)
    assert np.cos(similarity.score(x, y, ANGULAR)) == pytest.approx(0.8608101151, abs=1e-10)


@pytest.mark.parametrize("units", [(10, 7), (6, 6), (40, 9), (35, 50)])
def test_distances_match_scipy_in_unit_space(units):
    x, y = (centred(z) for z in related(1, units=units))
    assert similarity.score(x, y, SIZE) == pytest.approx(np.linalg.norm(aligned_in_unit_space(x, y)), rel=1e-9)
    chord = np.linalg.norm(aligned_in_unit_space(x / np.linalg.norm(x), y / np.linalg.norm(y)))
    assert similarity.score(x, y, ANGULAR) == pytest.approx(np.arccos(1 - chord**2 / 2), abs=1e-9)


@drawn
@given(seed=seeds)
def test_no_rotation_brings_the_two_closer(seed):
    x, y = (centred(z) for z in related(seed, units=(6, 6)))
    rng = np.random.default_rng(seed)
    best = scipy.linalg.orthogonal_procrustes(y, x)[0]
    least = similarity.score(x, y, SIZE)
    for size in (0.01, 0.1, 1.0):
        turn = scipy.linalg.expm(size * (lambda a: a - a.T)(rng.standard_normal((6, 6))))
        assert np.linalg.norm(x - y @ best @ turn) >= least - 1e-9


def test_cosine_of_the_angle_is_the_bures_similarity_of_the_gram_matrices():
    # With more units than stimuli only centring makes the matrices singular, and costs few digits.
    x, y = related(2, units=(40, 30))
    k, m = (centred(z) @ centred(z).T for z in (x, y))
    values, vectors = np.linalg.eigh(k)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    trace = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ m @ root), 0)).sum()
    expected = trace / np.sqrt(np.trace(k) * np.trace(m))
    assert np.cos(similarity.score(x, y, ANGULAR)) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("measure", EVERY)
@pytest.mark.parametrize("units", [(40, 30), (12, 30)])
def test_gram_matrices_are_enough(measure, units):
    x, y = (Grams.of([z]) for z in related(3, units=units))
    opened = similarity.load(measure)
    blind = [opened.reduced(replace(z, units=None)) for z in (x, y)]
    assert opened.scores(*blind) == pytest.approx(opened.scores(opened.reduced(x), opened.reduced(y)), abs=1e-7)


@pytest.mark.parametrize("measure", METRICS)
@drawn
@given(seed=seeds, noise=st.floats(0.01, 3))
def test_axioms_of_a_metric(measure, seed, noise):
    assert similarity.load(measure).info["metric"]
    x, y, z = related(seed, units=(8, 5, 30), noise=noise)
    ab, bc, ac, ba = (similarity.score(*pair, measure) for pair in ((x, y), (y, z), (x, z), (y, x)))
    assert ab == pytest.approx(ba, rel=1e-12)
    assert ac <= ab + bc + 1e-12
    assert ab <= ac + bc + 1e-12
    assert min(ab, bc, ac) > 0
    turned = x @ rotation(np.random.default_rng(seed), 8) + 1
    assert similarity.score(x, turned, measure) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("measure", [*EVERY, "shape-alpha=0"])
@drawn
@given(seed=seeds, exponent=st.floats(-4, 4))
def test_invariances_are_those_declared(measure, seed, exponent):
    # 17 dimensions are too many for canonical correlations of 16 stimuli, but not of 24.
    x, y = related(seed)
    rng = np.random.default_rng(seed)
    maps = {
        "translation": lambda z: z + rng.standard_normal(z.shape[1]),
        "isotropic scale": lambda z: 10**exponent * (1 + (abs(exponent) < 0.1)) * z,
        "orthogonal": lambda z: z @ rotation(rng, z.shape[1]),
        "permutation": lambda z: z[:, rng.permutation(z.shape[1])],
        "affine": lambda z: z @ (rotation(rng, z.shape[1]) * np.geomspace(1, 5, z.shape[1])) + 2,
        "offset of a stimulus": lambda z: z + 3 * rng.standard_normal((len(z), 1)),
    }
    declared = similarity.load(measure).info["invariances"].split(", ")
    expected = similarity.score(x, y, measure)
    for name, transform in maps.items():
        moved = [similarity.score(transform(x), y, measure), similarity.score(x, transform(y), measure)]
        if name in declared:
            assert moved == pytest.approx([expected] * 2, abs=1e-7)
        elif not (name == "affine" and measure == "shape-alpha=0-folds=4"):
            assert max(abs(np.array(moved) - expected)) > 1e-5


@pytest.mark.parametrize("measure", EVERY)
def test_more_noise_is_further_away(measure):
    rng = np.random.default_rng(4)
    x, extra = related(4, n=60)[0], rng.standard_normal((60, 10))
    turn = rotation(rng, 10)
    distances = [similarity.score(x, (x + size * extra) @ turn, measure) for size in (0, 0.1, 0.3, 1, 3)]
    assert distances[0] == pytest.approx(0, abs=1e-6)
    assert (np.diff(distances) > 0.01).all()


def test_small_distances_keep_their_digits():
    x = centred(related(5)[0])
    rng = np.random.default_rng(5)
    change = 1e-9 * centred(rng.standard_normal(x.shape))
    expected = np.linalg.norm(aligned_in_unit_space(x, x + change))
    assert similarity.score(x, x + change, SIZE) == pytest.approx(expected, rel=1e-4)
    # The angle is not blind to so small a change either: to first order, what is left without the change of scale.
    assert 0 < similarity.score(x, x + change, ANGULAR) <= 1.001 * expected / np.linalg.norm(x)


def test_alpha_of_one_is_the_angular_procrustes_distance():
    x, y = related(6)
    assert similarity.score(x, y, "shape-alpha=1") == similarity.score(x, y, ANGULAR)
    assert similarity.score(x, y, "shape-alpha=1-folds=5") == similarity.score(x, y, HELD_OUT[0])
    near = similarity.score(x, y, "shape-alpha=0.999999")
    assert near == pytest.approx(similarity.score(x, y, ANGULAR), abs=1e-5)


@pytest.mark.parametrize("units", [(10, 7), (8, 8)])
def test_alpha_of_zero_is_canonical_correlation(units):
    x, y = related(7, units=units)
    correlations = np.cos(scipy.linalg.subspace_angles(centred(x), centred(y)))
    cosine = np.cos(similarity.score(x, y, "shape-alpha=0"))
    assert cosine == pytest.approx(correlations.sum() / np.sqrt(units[0] * units[1]), abs=1e-10)
    if units[0] == units[1]:
        assert cosine == pytest.approx(correlations.mean(), abs=1e-10)


def test_partial_whitening_is_that_of_williams_for_singular_values_of_unit_mean_square():
    x, y = related(8)
    turned = []
    for z in (x, y):
        z = centred(z)
        z = z * np.sqrt(z.shape[1]) / np.linalg.norm(z)
        turned.append(z @ (0.3 * np.eye(z.shape[1]) + 0.7 * np.linalg.inv(scipy.linalg.sqrtm(z.T @ z))))
    assert similarity.score(x, y, "shape-alpha=0.3") == pytest.approx(similarity.score(*turned, ANGULAR), abs=1e-9)


def test_canonical_correlation_of_as_many_dimensions_as_stimuli_is_refused():
    x, y = related(9, n=17)
    with pytest.raises(UserError, match=r"shape-alpha=0 is void for 17 stimuli and 10 \+ 7 dimensions: use more"):
        similarity.score(x, y, "shape-alpha=0")
    assert np.isfinite(similarity.score(*related(9, n=18), "shape-alpha=0"))
    assert np.isfinite(similarity.score(x, y, "shape-alpha=0-folds=4"))


@pytest.mark.parametrize("alpha", [1.0, 0.4])
def test_held_out_angle_by_its_definition_in_unit_space(alpha):
    x, y = related(10, n=40)
    order = np.random.default_rng([20240917, 40, 5]).permutation(40)
    inner, squares = 0.0, np.zeros(2)
    for test in np.array_split(order, 5):
        train, held = [], []
        for z in (x, y):
            rest = np.delete(z, test, axis=0)
            a, b = rest - rest.mean(0), z[test] - rest.mean(0)
            values, axes = np.linalg.eigh(a.T @ a)
            whiten = axes @ np.diag(alpha + (1 - alpha) * np.sqrt(values.mean() / values)) @ axes.T
            size = np.linalg.norm(a @ whiten) / np.sqrt(len(a))
            train.append(padded(a @ whiten / size, 10))
            held.append(padded(b @ whiten / size, 10))
        fitted = scipy.linalg.orthogonal_procrustes(train[1], train[0])[0]
        inner += np.sum(held[0] * (held[1] @ fitted))
        squares += [np.sum(z**2) for z in held]
    measure = HELD_OUT[0] if alpha == 1 else f"shape-alpha={alpha}-folds=5"
    assert similarity.score(x, y, measure) == pytest.approx(np.arccos(inner / np.sqrt(squares.prod())), abs=1e-9)


def test_held_out_alignment_tells_chance_from_likeness():
    # Fifty units and sixty stimuli: a rotation makes noise look like noise.
    rng = np.random.default_rng(11)
    x, y = rng.standard_normal((2, 60, 50))
    assert similarity.score(x, y, ANGULAR) < 0.8
    held_out = [similarity.score(*rng.standard_normal((2, 60, 50)), HELD_OUT[0]) for _ in range(10)]
    assert np.mean(held_out) == pytest.approx(np.pi / 2, abs=0.05)
    x, y = related(11, n=60, units=(50, 40))
    assert similarity.score(x, y, HELD_OUT[0]) < 1


def test_held_out_alignment_leaves_what_it_has_not_seen():
    # Of 100 units, 24 stimuli show 23 directions at most: a representation then does not predict itself.
    x = np.random.default_rng(12).standard_normal((24, 100))
    folds = alignment.folds(alignment.coordinates(Grams.of([x]))[0], 4)
    assert all(fold.train.shape[1] == 17 and fold.outside > 1 for fold in folds)
    assert similarity.score(x, x, "procrustes-angular-folds=4") > 0.5
    assert similarity.score(x[:, :10], x[:, :10], "procrustes-angular-folds=4") == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("measure", EVERY)
@pytest.mark.parametrize("units", [10, 40])
def test_permuting_is_reducing_permuted_stimuli(measure, units):
    grams = Grams.of(related(13, units=(units, 7)))
    order = np.random.default_rng(13).permutation(24)
    opened = similarity.load(measure)
    parts, again = opened.reduce(grams), opened.reduce(grams.take(order))
    quick = opened.permuted(parts[0], order)
    assert opened.pair(quick, parts[1]) == pytest.approx(opened.pair(again[0], parts[1]), abs=1e-9)


@pytest.mark.parametrize("measure", EVERY)
@pytest.mark.parametrize("value", [0.0, 1e4 / 3])
def test_what_does_not_vary_has_no_distance(measure, value):
    x, _ = related(14)
    for units in (7, 37):
        flat = np.full((24, units), value) + (np.linspace(0, 1, units) if value else 0)
        assert np.isnan(similarity.score(flat, x, measure))
        assert np.isnan(similarity.score(x, flat, measure))


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ("procrustes", "write procrustes-angular, procrustes-angular-folds=5 or procrustes-size-and-shape$"),
        ("procrustes-size-and-shape-folds=5", "write procrustes-angular, "),
        ("procrustes-angular-folds=1", "folds=1: give the number of folds, 2 or more$"),
        ("shape", "a shape distance is written shape-alpha=0.5, perhaps with -folds=5$"),
        ("shape-alpha=half", "alpha=half: give a number from 0 to 1$"),
        ("shape-alpha=1.5", "alpha=1.5: give a number from 0 to 1$"),
        ("shape-alpha=nan", "alpha=nan: give a number from 0 to 1$"),
        ("shape-alpha=0.5-beta=1", "a shape distance is written"),
    ],
)
def test_ids_that_do_not_exist_are_refused_in_one_line(measure, message):
    with pytest.raises(UserError, match=f"measure '{measure}': {message}") as raised:
        similarity.load(measure)
    assert "\n" not in str(raised.value)


def test_evaluation_of_a_planted_rotation():
    x = related(15, n=40)[0]
    rng = np.random.default_rng(15)
    trials = x @ rotation(rng, 10) + 0.5 * rng.standard_normal((6, 40, 10))
    found = similarity.evaluate(x, trials, ANGULAR, exchangeable="stimulus")
    # Trial noise keeps the truth away from zero, and further from its ceiling's two ends than they are from it.
    assert found["p_value"] == pytest.approx(1 / 201)
    assert 0 < found["value"] < 0.3 < found["null_mean"]
    bounds = sorted((found["ceiling_low"], found["ceiling_high"]))
    assert bounds[0] <= found["value"] <= bounds[1]
