"""Choice probability of the units of a recording."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from trials import one_line, recording

from neurocompare.description.choice import describe
from neurocompare.errors import UserError
from neurocompare.recordings import mante2013


def session(*, informative=6, units=20, n=200, separation=1.2, times=None, seed=0, **attributes):
    """Trials of two contexts with unequal choices; some units prefer the second choice."""
    rng = np.random.default_rng(seed)
    context = np.arange(n) // 25 % 2
    choice = (rng.random(n) < np.where(context, 0.7, 0.3)).astype(int)
    shape = (n, units) if times is None else (n, len(times), units)
    values = rng.standard_normal(shape)
    effect = separation * choice if times is None else separation * choice[:, None] * (np.array(times) > 0)
    values[..., :informative] += effect[..., None]
    values += (2.0 * context).reshape((n,) + (1,) * (values.ndim - 1))
    coordinates = {"choice": choice, "context": np.where(context, "color", "motion")}
    return recording(values, time=times, coordinates=coordinates, block=np.arange(n) * 8 // n, **attributes)


def by_quantity(rows):
    return {row["quantity"]: row for row in rows}


def test_informative_units_are_found_within_contexts():
    array = session()
    rows, details = describe(array, "choice-of=choice-given=context", seed=0)
    found = by_quantity(rows)
    significant = details.q_value.values < 0.05
    assert significant[:6].all()
    assert significant[6:].sum() <= 2
    assert found["fraction of significant units"]["value"] == pytest.approx(significant.mean())
    # Φ(1.2 / √2) for six units of twenty.
    assert found["mean choice probability"]["value"] == pytest.approx(0.5 + 0.3 * (0.802 - 0.5), abs=0.03)
    low, high = found["mean choice probability"]["ci_low"], found["mean choice probability"]["ci_high"]
    assert low < 0.5 + 0.3 * 0.302 < high
    assert found["mean distance from 0.5"]["p_value"] < 0.01
    assert "given=context" in rows[0]["condition"]
    # Without the context, which drives choices and responses, all units seem to know the choice.
    confounded = by_quantity(describe(array, "choice-of=choice", seed=0)[0])
    assert confounded["mean choice probability"]["value"] > found["mean choice probability"]["value"] + 0.05


def test_without_given_it_is_the_area_of_scikit_learn():
    array = session()
    _, details = describe(array, "choice-of=choice", seed=0)
    expected = [roc_auc_score(array.coords["choice"], array.values[:, k]) for k in range(20)]
    np.testing.assert_allclose(details.choice_probability, expected, atol=1e-12)


def test_shuffled_choices_score_chance():
    shares = []
    for seed in range(10):
        array = session(informative=0, seed=seed)
        rows, _ = describe(array, "choice-of=choice-given=context", seed=seed)
        found = by_quantity(rows)
        shares.append(found["fraction of significant units"]["value"])
        assert found["mean distance from 0.5"]["p_value"] > 0.005
    assert np.mean(shares) < 0.02


def test_choice_probability_unfolds_over_time():
    array = session(times=[-0.2, -0.1, 0.1, 0.2], separation=2.0)
    _, details = describe(array, "choice-of=choice-given=context", seed=0)
    course = details.choice_probability_over_time.values[:, :6].mean(1)
    assert course[:2] == pytest.approx([0.5, 0.5], abs=0.05)
    assert course[2:].min() > 0.85


def test_a_choice_that_changes_from_block_to_block_only_has_no_null():
    array = session()
    array = array.assign_coords(choice=("presentation", array.coords["block"].values % 2))
    rows, details = describe(array, "choice-of=choice", seed=0)
    assert by_quantity(rows)["mean distance from 0.5"]["status"] == "constant_in_blocks"
    assert np.isnan(details.p_value).all()
    # Within blocks there is nothing to compare.
    with pytest.raises(UserError, match="no condition has at least 2 trials") as error:
        describe(array, "choice-of=choice-given=block", seed=0)
    one_line(error)


def test_trials_without_a_partner_are_counted():
    array = session()
    context = array.coords["context"].values.copy()
    context[:3] = "rare"
    rows, _ = describe(array.assign_coords(context=("presentation", context)), "choice-of=choice-given=context", seed=0)
    assert by_quantity(rows)["trials left out"]["value"] in (2, 3)


@pytest.mark.parametrize("unknown", [np.nan, ""])
def test_trials_of_which_a_condition_is_not_known_are_left_out_not_compared(unknown):
    array = session(n=100)
    context = (array.coords["context"].values == "color").astype(float)
    known = context.copy() if unknown != "" else context.astype("U3")
    known[::5] = unknown
    array = array.assign_coords(context=("presentation", known))
    # What is not known has an effect on responses, and the choice goes with it.
    array[::5] += 10.0 * array.coords["choice"].values[::5, None]
    rows, details = describe(array, "choice-of=choice-given=context", seed=0)
    assert by_quantity(rows)["trials left out"]["value"] == 20
    expected, _ = describe(array[np.arange(100) % 5 > 0], "choice-of=choice-given=context", seed=0)
    assert by_quantity(rows)["mean choice probability"]["value"] == expected[0]["value"]
    assert "conditions=2" in rows[0]["condition"]
    nothing = array.assign_coords(context=("presentation", np.full(100, unknown)))
    with pytest.raises(UserError, match="coordinate 'context' is never known") as error:
        describe(nothing, "choice-of=choice-given=context", seed=0)
    one_line(error)


def test_real_units_by_counting_pairs(real_data):
    found = sorted((real_data / "mante2013_pfc").glob("*.mat"))
    if not found:
        pytest.skip("no units of Mante et al. 2013")
    about = {"source": "file", "citation": "Mante 2013", "license": "none", "sha256": {}}
    given = ("context", "motion_level", "color_level")
    for path in found[:3]:
        array = mante2013.ingest({path.name: path}, about=about, window=[0.1, 0.85], bin_width=0.75)
        rows, details = describe(array, f"choice-of=choice-given={'+'.join(given)}", seed=0)
        values = array.sum("time").values[:, 0]
        one = array.coords["choice"].values > 0
        same = np.logical_and.reduce([np.equal.outer(c := array.coords[name].values, c) for name in given])
        # A pair counts if its condition has at least two trials of each choice.
        enough = np.minimum((same & one).sum(1), (same & ~one).sum(1)) >= 2
        pair = same & np.logical_and.outer(one & enough, ~one & enough)
        wins = np.greater.outer(values, values) + 0.5 * np.equal.outer(values, values)
        assert details.choice_probability.values[0] == pytest.approx(wins[pair].mean(), abs=1e-12)
        assert by_quantity(rows)["mean choice probability"]["n_trials"] == enough.sum()
        assert by_quantity(rows)["trials left out"]["value"] == (~enough).sum()


def test_units_that_were_not_recorded_together_are_described_too():
    together, apart = (session(simultaneous=simultaneous) for simultaneous in (True, False))
    expected, found = (describe(array, "choice-of=choice-given=context", seed=0)[1] for array in (together, apart))
    np.testing.assert_array_equal(found.choice_probability, expected.choice_probability)


def test_a_unit_that_never_changes_is_at_chance_and_counts_as_a_unit():
    array = session()
    array[:, 9] = 4.0
    rows, details = describe(array, "choice-of=choice-given=context", seed=0)
    assert details.choice_probability.values[9] == 0.5
    assert details.p_value.values[9] == 1
    assert rows[0]["n_units"] == 20


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("choice-of=color", "color"),
        ("choice-of=choice-given=colour", "no coordinate 'colour'"),
        ("choice-given=context", "must read"),
        ("choice-of=stimulus4", "has 4 values; a choice has 2"),
    ],
)
def test_mistakes_are_told_in_one_line(description, message):
    array = session().assign_coords(stimulus4=("presentation", np.arange(200) % 4))
    with pytest.raises(UserError, match=message) as error:
        describe(array, description, seed=0)
    one_line(error)
