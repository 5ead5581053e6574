"""Neurons are drawn in the sessions and animals in which they were recorded."""

import numpy as np
import pytest

from neurocompare.errors import UserError
from neurocompare.inference import hierarchy
from neurocompare.similarity.arrays import Grams

ANIMAL = np.repeat(["a", "b", "c"], [6, 3, 7])
SESSION = np.array(["1"] * 2 + ["2"] * 4 + ["1"] * 3 + ["1"] * 3 + ["2"] * 1 + ["3"] * 3)


def test_the_weights_of_a_level_follow_from_the_level_above():
    weights = hierarchy.unit_weights(ANIMAL, SESSION, 500, name="pool")
    assert np.all(weights == weights.astype(int))
    # Session 2 of animal c has one neuron: its weight says how often the session was drawn.
    only = weights[:, 12]
    per_animal = {}
    for animal, sessions in (("a", 2), ("b", 1), ("c", 3)):
        drawn = []
        for session in map(str, range(1, sessions + 1)):
            mine = (animal == ANIMAL) & (session == SESSION)
            total = weights[:, mine].sum(1)
            # A session that was drawn k times gives k times its number of neurons.
            assert np.all(total % mine.sum() == 0)
            drawn.append(total / mine.sum())
        per_animal[animal] = np.sum(drawn, axis=0) / sessions
    np.testing.assert_array_equal(np.sum(list(per_animal.values()), axis=0), 3)
    assert np.all((only <= 3 * per_animal["c"]) & (only >= 0))


@pytest.mark.parametrize(("levels", "constant"), [(("unit",), "session"), (("session", "unit"), "animal")])
def test_levels_that_are_not_drawn_stay_as_they_are(levels, constant):
    weights = hierarchy.unit_weights(ANIMAL, SESSION, 50, name="pool", levels=levels)
    label = np.char.add(ANIMAL, SESSION) if constant == "session" else ANIMAL
    if constant == "session":
        for one in np.unique(label):
            np.testing.assert_array_equal(weights[:, label == one].sum(1), (label == one).sum())
    assert np.all(weights[:, ANIMAL == "b"].sum(1) == 3)
    np.testing.assert_array_equal(
        hierarchy.unit_weights(ANIMAL, SESSION, 5, name="pool", levels=("animal",)).std(1) > -1, True
    )


def test_the_spread_of_a_mean_over_neurons_is_that_of_independent_animals():
    rng = np.random.default_rng(0)
    animal = np.repeat(np.arange(12), 30)
    session = np.tile(np.repeat([0, 1, 2], 10), 12)
    true, drawn, flat = [], [], []
    for k in range(40):
        effects = rng.standard_normal(12)[animal] + 0.5 * rng.standard_normal(36)[animal * 3 + session]
        values = effects + 0.7 * rng.standard_normal(360)
        true.append(values.mean())
        weights = hierarchy.unit_weights(animal, session, 100, name=str(k))
        drawn.append((weights @ values / weights.sum(1)).std())
        one = hierarchy.unit_weights(animal, session, 100, name=str(k), levels=("unit",))
        flat.append((one @ values / one.sum(1)).std())
    expected = np.sqrt(1 / 12 + 0.25 / 36 + 0.49 / 360)
    assert np.std(true) == pytest.approx(expected, rel=0.3)
    # A bootstrap of 12 animals is 11/12 of their variance, and the levels below are counted again.
    assert np.mean(drawn) == pytest.approx(expected, rel=0.08)
    assert np.mean(flat) < 0.2 * expected


def test_draws_are_named_and_others_with_another_name():
    first, again, other = (hierarchy.unit_weights(ANIMAL, SESSION, 20, name=name) for name in ("a", "a", "b"))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_weights_of_units_are_copies_of_units():
    rng = np.random.default_rng(1)
    values = rng.standard_normal((8, 16))
    weights = hierarchy.unit_weights(ANIMAL, SESSION, 6, name="pool")
    found = hierarchy.weighted_grams(values, weights)
    for k, w in enumerate(weights.astype(int)):
        copied = Grams.of([np.repeat(values, w, axis=1)])
        np.testing.assert_allclose(found.gram[k], copied.gram[0], atol=1e-12)
        np.testing.assert_allclose(found.row_sum[k], copied.row_sum[0], atol=1e-12)
        assert found.n_units[k] == copied.n_units[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"levels": ("neuron",)}, "levels are .'neuron',.; use some of animal, session, unit"),
        ({"levels": ()}, "use some of animal"),
        ({"session": SESSION[:3]}, "^recording 'pool': .16,. animals and .3,. sessions; give one per unit$"),
    ],
)
def test_what_does_not_fit_is_refused(options, said):
    arguments = {"session": SESSION, "n": 3, "name": "pool"} | options
    with pytest.raises(UserError, match=said):
        hierarchy.unit_weights(ANIMAL, **arguments)
