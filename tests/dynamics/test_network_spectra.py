"""Distances of whole networks: nothing between copies in other coordinates, and a test whose truth can be counted."""

import numpy as np
import pytest
import xarray as xr

from neurocompare.dynamics import network_spectra, spectra
from neurocompare.dynamics.linear import eigenvalues

DT = 0.02


def left_by(jacobians, fixed=(True, False), unstable=(0, 0), inputs=("context=motion", "context=color"), dt=DT):
    """What the description of fixed points leaves, for the same Jacobians (n_points, n, n) under each input."""
    values = np.concatenate([eigenvalues(jacobians)] * len(inputs))
    return xr.Dataset(
        {
            "input": ("point", np.repeat(inputs, len(jacobians))),
            "is_fixed": ("point", list(fixed) * len(inputs)),
            "unstable": ("point", list(unstable) * len(inputs)),
            "eigenvalue_real": (("point", "order"), values.real),
            "eigenvalue_imaginary": (("point", "order"), values.imag),
        },
        attrs={"dt": dt, "inputs": list(inputs)},
    )


def stable(seed, top, n=16):
    """Jacobians (2, n, n) of two points with random eigenvectors and a leading eigenvalue."""
    rng = np.random.default_rng(seed)
    values = np.stack([np.linspace(0.3, 0.8, n)] * 2)
    values[:, -1] = top, top - 0.02
    basis = rng.standard_normal((2, n, n))
    return basis @ (values[:, :, None] * np.linalg.inv(basis))


def pairs(rows, condition="context=motion"):
    """Rows of pairs of seeds."""
    return [row for row in rows if row["seed"] is not None and row["condition"] == condition]


def test_a_network_is_at_no_distance_from_itself_and_from_a_rotated_copy():
    jacobians = stable(0, 0.98)
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((16, 16)))[0]
    copy = (rotation @ jacobians @ rotation.T)[::-1]
    details = [("a", 0, left_by(jacobians)), ("a", 1, left_by(jacobians)), ("b", 0, left_by(copy, fixed=(False, True)))]
    rows = network_spectra.compare(details)
    assert [row["distance"] for row in pairs(rows)] == pytest.approx([0, 0, 0], abs=1e-6)
    assert all((row["n_points"], row["n_unmatched"]) == (2, 0) for row in pairs(rows))


def test_the_distance_is_that_of_the_leading_rates_per_second_whatever_the_step():
    first, second = stable(0, 0.98), stable(1, 0.90)
    (row,) = pairs(network_spectra.compare([("a", 0, left_by(first)), ("b", 0, left_by(second))]))
    # Only the leading eigenvalue differs: one of ten.
    expected = np.mean([np.log(0.98 / 0.90), np.log(0.96 / 0.88)]) / DT / network_spectra.LEADING
    assert row["distance"] == pytest.approx(expected)
    # A step of twice the length has squared eigenvalues.
    doubled = left_by(second @ second, dt=2 * DT)
    (row,) = pairs(network_spectra.compare([("a", 0, left_by(first)), ("b", 0, doubled)]))
    assert row["distance"] == pytest.approx(expected)


def test_points_without_a_partner_are_counted_and_networks_without_one_have_no_distance():
    one, other = left_by(stable(0, 0.98)), left_by(stable(1, 0.9), fixed=(True, True), unstable=(0, 1))
    (row,) = pairs(network_spectra.compare([("a", 0, one), ("b", 0, other)]))
    assert (row["n_points"], row["n_unmatched"], row["status"]) == (1, 2, "ok")
    saddles = left_by(stable(1, 0.9), fixed=(True, True), unstable=(1, 1))
    rows = network_spectra.compare([("a", 0, one), ("b", 0, saddles)])
    assert pairs(rows)[0]["status"] == "no_matched_points" and np.isnan(pairs(rows)[0]["distance"])
    assert {row["status"] for row in rows if row["seed"] is None} == {"one_seed", "no_matched_points"}


def test_kinds_that_differ_have_the_smallest_p_value_that_their_seeds_allow():
    tops = {"a": 0.98, "b": 0.9, "c": 0.85}
    details = [(name, k, left_by(stable(10 * k, top + 0.001 * k))) for name, top in tops.items() for k in range(3)]
    rows = network_spectra.compare(details)
    found = {(row["network"], row["other_network"]): row for row in rows if row["condition"] == "all"}
    two = found["a", "b"]
    # Of 20 ways to make two groups of three, the actual one and its mirror image.
    assert two["p_value"] == pytest.approx(2 / 20)
    assert two["n_networks"] == 6 and two["p_holm"] == pytest.approx(3 * 2 / 20)
    # The correction is for three pairs, whatever the number of inputs, and says that they could not be told apart.
    assert two["status"] == "too_few_seeds" and found["all", "all"]["status"] == "ok"
    assert not any(np.isfinite(row["p_value"]) for row in rows if row["condition"] != "all")
    # 1680 ways for three kinds, six of which only change their names.
    assert found["all", "all"]["p_value"] == pytest.approx(6 / 1680)
    assert found["a", "a"]["status"] == "one_kind" and np.isnan(found["a", "a"]["p_value"])
    assert found["a", "a"]["distance"] < found["a", "b"]["distance"] < found["a", "c"]["distance"]
    between = [row["distance"] for row in pairs(rows) if {row["network"], row["other_network"]} == {"a", "b"}]
    within = [found[name, name]["distance"] for name in "ab"]
    assert two["distance"] == pytest.approx(np.mean(between))
    assert two["excess"] == pytest.approx(np.mean(between) - np.mean(within))


def test_of_alike_kinds_p_values_are_uniform():
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 4)
    p_values = []
    for _ in range(150):
        place = rng.standard_normal(8)
        p_values.append(network_spectra.p_value(np.abs(place[:, None] - place), labels))
    assert np.mean(p_values) == pytest.approx(0.51, abs=0.08)
    assert np.mean(np.array(p_values) <= 0.1) < 0.17


def test_where_there_are_too_many_ways_random_ones_are_drawn_and_the_actual_one_counts():
    place = np.repeat([0.0, 100.0], 9) + np.arange(18) / 100
    labels = np.repeat(["a", "b"], 9)
    assert network_spectra.p_value(np.abs(place[:, None] - place), labels) == pytest.approx(1e-4, abs=2e-4)


def test_one_kind_alone_has_distances_and_no_test():
    rows = network_spectra.compare([("a", k, left_by(stable(k, 0.9 + k / 50))) for k in range(2)])
    assert [row["status"] for row in rows] == ["ok", "one_kind"] * 2 + ["one_kind"]
    assert rows[0]["distance"] == pytest.approx(rows[1]["distance"])
    assert np.isnan(rows[1]["p_value"])
    assert spectra.rates(np.array([1.0]), DT) == 0


def test_enough_seeds_are_not_flagged_and_the_smallest_p_value_can_be_counted():
    place = np.arange(10) + np.repeat([0, 100, 200], [4, 4, 2])
    for counts in ([4, 4], [3, 5], [2, 2, 2], [5, 5]):
        labels = np.repeat(list("abc")[: len(counts)], counts)
        far = np.repeat([0.0, 100.0, 300.0][: len(counts)], counts) + place[: len(labels)] / 1000
        distances = np.abs(far[:, None] - far)
        assert network_spectra.p_value(distances, labels) == pytest.approx(network_spectra.smallest(labels))
    assert network_spectra.smallest(np.repeat(["a", "b"], 4)) == pytest.approx(2 / 70)
    tops = {"a": 0.98, "b": 0.9}
    details = [(name, k, left_by(stable(10 * k, top + 0.001 * k))) for name, top in tops.items() for k in range(4)]
    (row,) = [row for row in network_spectra.compare(details) if np.isfinite(row["p_value"])]
    assert (row["condition"], row["status"], row["p_holm"]) == ("all", "ok", pytest.approx(2 / 70))


def test_the_excess_is_averaged_over_inputs_and_undefined_arrangements_do_not_count_for_a_difference():
    labels = np.repeat(["a", "b"], 2)
    near = np.abs(np.subtract.outer(*[np.array([0.0, 1, 10, 11])] * 2))
    both = np.stack([near, 3 * near])
    assert network_spectra.excess(both, labels) == pytest.approx(2 * network_spectra.excess(near, labels))
    # Only one pair within a kind is known: four of six arrangements have no pair within.
    some = near.copy()
    some[2, 3] = some[3, 2] = some[0, 2] = some[2, 0] = some[1, 3] = some[3, 1] = np.nan
    known = np.isfinite(some[np.triu_indices(4, 1)])
    assert known.sum() == 3
    some[0, 3] = some[3, 0] = some[1, 2] = some[2, 1] = 5
    # Within (0, 1) it is 1, within (0, 3) and (1, 2) 5: of six arrangements, two have the excess, two have less, and
    # two have no pair within.
    assert network_spectra.p_value(some, labels) == pytest.approx(4 / 6)


def test_rows_of_means_tell_what_they_rest_on():
    tops = {"a": (0.98, 0.97), "b": (0.9, 0.91)}
    details = [(name, k, left_by(stable(k, top))) for name, some in tops.items() for k, top in enumerate(some)]
    saddles = left_by(stable(5, 0.9), fixed=(True, True), unstable=(1, 1))
    rows = network_spectra.compare([*details, ("b", 2, saddles)])
    found = {(r["condition"], r["network"], r["other_network"]): r for r in rows if r["seed"] is None}
    between = found["context=motion", "a", "b"]
    assert (between["n_pairs"], between["n_matched_pairs"]) == (6, 4)
    # Four pairs match both points; in the two others all four are left.
    assert (between["n_points"], between["n_unmatched"], between["status"]) == (8, 8, "partly_matched")
    assert found["context=motion", "b", "b"]["status"] == "one_kind;partly_matched"
    assert found["context=motion", "a", "a"]["status"] == "one_kind"
    whole = found["all", "a", "b"]
    assert (whole["n_pairs"], whole["n_matched_pairs"], whole["n_points"], whole["n_unmatched"]) == (12, 8, 16, 16)
    assert whole["status"] == "partly_matched;too_few_seeds"


def test_slow_modes_are_neither_stable_nor_unstable():
    def one(rate):
        top = np.exp(rate * DT)
        jacobians = stable(0, top)
        return left_by(jacobians, fixed=(True, True), unstable=(int(top > 1), int(top - 0.02 > 1)))

    def matched(first, second):
        (row,) = pairs(network_spectra.compare([("a", 0, one(first)), ("b", 0, one(second))]))
        return row["n_points"], row["n_unmatched"]

    assert matched(0.05, -0.05) == matched(-0.05, 0.05) == (2, 0)
    assert matched(0.4, -3) == (2, 0)
    assert matched(0.6, -0.4) == (2, 0)
    # Both are too fast to pass for the other.
    assert matched(0.6, -0.6) == (1, 2)


def test_an_input_without_points_of_one_network_is_kept_for_the_others():
    inputs = ("context=motion", "context=color")
    lost = left_by(stable(2, 0.9), inputs=inputs)
    lost = lost.isel(point=np.flatnonzero(lost["input"].values == inputs[1])).assign_attrs(inputs=list(inputs))
    details = [("a", k, left_by(stable(k, 0.98))) for k in range(2)] + [("b", 0, lost)]
    rows = network_spectra.compare(details)
    assert [row["status"] for row in pairs(rows)] == ["ok", "no_points", "no_points"]
    assert [row["status"] for row in pairs(rows, inputs[1])] == ["ok"] * 3
    assert [row["n_unmatched"] for row in pairs(rows)] == [0, 2, 2]
    # Inputs that a network does not know at all are those of another task.
    other = left_by(stable(2, 0.9), inputs=("context=color",))
    assert {row["condition"] for row in network_spectra.compare([*details[:2], ("c", 0, other)])} == {inputs[1], "all"}
