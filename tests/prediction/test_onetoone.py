"""Mapping by single units: copies are found, rotations are not, and choosing among many units gains nothing."""

import numpy as np
import pytest
from scipy.stats import linregress

from neurocompare import similarity
from neurocompare.errors import UserError
from neurocompare.prediction import onetoone
from neurocompare.similarity.arrays import Grams

ID = "onetoone-folds=5"


def test_predictions_are_lines_on_the_best_unit():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((50, 12)) + 4, rng.standard_normal((50, 5)) - 2
    y[:, :3] -= 2 * x[:, :3]
    found = onetoone.predict(x[:40], x[40:], y[:40])
    for unit in range(5):
        lines = [linregress(x[:40, k], y[:40, unit]) for k in range(12)]
        best = int(np.argmax([line.rvalue**2 for line in lines]))
        expected = lines[best].intercept + lines[best].slope * x[40:, best] - y[:40, unit].mean()
        np.testing.assert_allclose(found[:, unit], expected, atol=1e-12)


def test_permuted_scaled_and_inverted_copies_are_found_and_rotated_ones_are_not():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((80, 20))
    copies = (x * rng.uniform(0.5, 3, 20) * rng.choice([-1, 1], 20) + 5)[:, rng.permutation(20)]
    # But for means, which come from the training stimuli: no prediction says anything about these.
    assert similarity.score(x, copies, ID) > 0.99
    assert similarity.score(x, copies + rng.standard_normal(copies.shape), ID) > 0.7
    rotated = x @ np.linalg.qr(rng.standard_normal((20, 20)))[0]
    assert similarity.score(rotated, copies, ID) < 0.7
    # Linear regression does not see the difference.
    assert similarity.score(rotated, copies, "ridge-folds=5") > 0.99


def test_choosing_among_many_units_of_noise_gains_nothing():
    sizes = {"bootstraps": 20, "permutations": 39, "partitions": 0}
    gaps, p_values = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        found = similarity.evaluate(
            rng.standard_normal((60, 300)), rng.standard_normal((60, 10)), ID, exchangeable="stimulus", **sizes
        )
        assert found["value"] < 0.15
        gaps.append(found["value"] - found["null_mean"])
        p_values.append(found["p_value"])
    assert abs(np.mean(gaps)) < 0.06
    assert 0.15 < np.mean(p_values) < 0.85


def test_units_that_do_not_vary_are_no_counterparts():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((60, 6)), rng.standard_normal((60, 3))
    x[:, 0], x[:, 1] = 0.1, 100 / 3
    assert np.isfinite(similarity.score(x, y + x[:, [2, 3, 4]], ID))
    assert not onetoone.predict(x[:50, :2], x[50:, :2], y[:50]).any()
    assert np.isnan(similarity.score(x[:, :2], y, ID))


def test_a_matrix_of_stimuli_is_refused_in_one_line():
    x, y = np.random.default_rng(4).standard_normal((2, 30, 8))
    grams = Grams.of([x])
    alone = Grams(grams.gram, grams.row_sum, grams.n_units)
    measure = similarity.load(ID)
    with pytest.raises(UserError, match=f"^measure '{ID}' looks at single units, and only inner products .* known$"):
        measure.scores(measure.reduced(alone), measure.reduced(Grams.of([y])))
