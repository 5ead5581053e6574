"""What loaders share: selections, presentations, alignment to events, pseudo-populations."""

import numpy as np
import pytest
from conftest import ABOUT
from hypothesis import given
from hypothesis import strategies as st

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion import events, presentations
from neurocompare.ingestion.pseudopopulation import pool
from neurocompare.ingestion.selection import Selection, excluded


def test_every_element_is_kept_or_counted_once():
    units = Selection(5).drop([1, 0, 0, 0, 1], "silent").drop([1, 1, 0, 0, 0], "red cell").drop(np.zeros(5), "never")
    assert units.index("units").tolist() == [2, 3]
    assert units.reasons == {"silent": 2, "red cell": 1}
    assert excluded(unit=units, presentation=Selection(3)) == {"unit": {"silent": 2, "red cell": 1}}
    with pytest.raises(UserError, match=r"no units left: silent \(2\), red cell \(1\), bad \(2\)"):
        units.drop(np.ones(5), "bad").index("units")


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=20))
def test_repeats_count_what_came_before(shown):
    assert presentations.repeats(np.array(shown)).tolist() == [shown[:i].count(s) for i, s in enumerate(shown)]


def test_stretches_and_epochs():
    assert presentations.stretches(10, 3).tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert presentations.epochs(np.array([0, 1, 2, 50, 51, 90.0]), gap=10).tolist() == [0, 0, 0, 1, 1, 2]


@given(
    st.lists(st.lists(st.integers(0, 400), max_size=30), min_size=1, max_size=3),
    st.lists(st.integers(-50, 450), min_size=1, max_size=5),
    st.integers(1, 4),
)
def test_spikes_are_counted_like_by_hand(units, onsets, bins):
    """Times are multiples of 10 ms, so that many spikes lie on an edge."""
    edges = events.bin_edges((-0.1, -0.1 + 0.05 * bins), 0.05)
    found = events.spike_counts([np.sort(np.array(u)) / 100 for u in units], np.array(onsets) / 100, edges)
    assert found.shape == (len(onsets), bins, len(units))
    for e, onset in enumerate(onsets):
        for b in range(bins):
            low = onset - 10 + 5 * b
            assert found[e, b].tolist() == [sum(low <= s < low + 5 for s in u) for u in units]


def test_windows_that_are_none_are_refused():
    for window in ([0.1], [0.2, 0.1], [0, np.nan]):
        with pytest.raises(UserError, match="window is"):
            events.bin_edges(window)
    with pytest.raises(UserError, match="not a whole number of bins"):
        events.bin_edges((0, 0.25), 0.1)
    with pytest.raises(UserError, match="bin width is 0"):
        events.bin_edges((0, 0.25), 0)
    with pytest.raises(UserError, match="unit 1 are not rising"):
        events.spike_counts([np.array([1.0]), np.array([2.0, 1.0])], [0], np.array([0, 1]))
    np.testing.assert_allclose(events.centres(events.bin_edges((-0.1, 0.3), 0.1)), [-0.05, 0.05, 0.15, 0.25])


def test_means_of_a_trace_leave_out_what_is_missing():
    rng = np.random.default_rng(0)
    timestamps = np.sort(rng.uniform(0, 20, 600))
    trace = rng.standard_normal((600, 3))
    trace[rng.random((600, 3)) < 0.2] = np.nan
    edges = events.bin_edges((-0.2, 0.6), 0.4)
    onsets = np.array([0.0, 3.3, 7.1, 19.9, 40.0])
    found = events.window_means(trace, *events.sample_ranges(timestamps, onsets, edges))
    for e, onset in enumerate(onsets):
        for b in range(2):
            inside = (timestamps >= onset + edges[b]) & (timestamps < onset + edges[b + 1])
            for u in range(3):
                values = trace[inside, u][np.isfinite(trace[inside, u])]
                expected = values.mean() if len(values) else np.nan
                np.testing.assert_allclose(found[e, b, u], expected, rtol=1e-5)
    assert np.isnan(found[4]).all()


def session(name, directions, *, seed=0, n_units=2, times=None, response="spike count"):
    """Each response tells its trial: unit + 10 × direction + 1000 × place."""
    directions = np.array(directions, dtype=float)
    values = 1000 * np.arange(len(directions))[:, None] + 10 * directions[:, None] + np.arange(n_units)
    if times is not None:
        values = np.repeat(values[:, None], len(times), axis=1)
    return representation.responses(
        values.astype(int),
        presentation={
            "stimulus": np.array([f"d{d:g}" for d in directions]),
            "repeat": presentations.repeats(directions),
            "block": presentations.stretches(len(directions)),
            "direction": directions,
        },
        unit={
            key: np.array([f"{name}-{i}" for i in range(n_units)]) for key in ("unit_id", "area", "animal", "session")
        },
        time=times,
        attributes=ABOUT
        | {
            "response": response,
            "exchangeable": "stimulus",
            "simultaneous": True,
            "sha256": {name: "0" * 64},
            "excluded": {"unit": {"silent": 1}},
        },
    )


def test_a_pool_draws_the_same_conditions_of_every_member():
    one = session("a", [0, 90, 0, 90, 0, 45], n_units=2)
    two = session("b", [90, 0, 90, 0, 180, 90], n_units=3)
    array = pool([one, two], match=["direction"], seed=1)
    assert array.shape == (4, 5) and array.attrs["simultaneous"] is False
    assert array.stimulus.values.tolist() == ["direction=0", "direction=90"] * 2 and set(array.block.values) == {0}
    assert array.unit_id.values.tolist() == ["a-0", "a-1", "b-0", "b-1", "b-2"]
    assert array.attrs["sha256"] == {"a": "0" * 64, "b": "0" * 64}
    reasons = {"condition that another member lacks": 2, "more trials than the pool takes": 2}
    assert array.attrs["excluded"] == {"unit": {"silent": 2}, "presentation": reasons}
    direction = (array.values % 1000) // 10
    np.testing.assert_array_equal(direction, np.repeat(array.direction.values[:, None], 5, axis=1))
    for member in (array.values[:, :2], array.values[:, 2:]):
        # All units of a member come from the same trial, and no trial is drawn twice.
        trials = member // 1000
        assert (trials == trials[:, :1]).all() and len(set(trials[:, 0])) == 4
    np.testing.assert_array_equal(array, pool([one, two], match=["direction"], seed=1))


def test_a_pool_keeps_time_and_breaks_noise_correlations():
    rng = np.random.default_rng(0)
    shared = rng.integers(0, 1000, 400)
    members = []
    for name in "ab":
        member = session(name, [0] * 400, n_units=1, times=np.array([0.0, 0.1]))
        members.append(member.copy(data=np.repeat(shared[:, None, None], 2, axis=1)))
    array = pool(members, match=["stimulus"])
    assert array.dims == ("presentation", "time", "unit") and array.time.values.tolist() == [0, 0.1]
    first, second = array.values[:, 0].T
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.15
    assert sorted(first) == sorted(shared)


def test_a_pool_allows_what_all_members_allow_and_has_no_blocks():
    """Members may drift from block to block; what changes with their blocks only can't be told from that."""
    one, two = (session(name, [0, 90] * 6) for name in "ab")
    blocks = np.arange(12) // 3
    one, two = (
        m.assign_coords(block=("presentation", blocks), context=("presentation", blocks % 2)) for m in (one, two)
    )
    array = pool([one, two], match=["direction", "context"])
    assert set(array.block.values) == {0} and array.attrs["constant_in_blocks"] == "context"
    assert pool([one, two], match=["direction"]).attrs["constant_in_blocks"] == ""
    for allowed, expected in (("stimulus", "stimulus"), ("block", "block"), ("none", "none")):
        mixed = [one.assign_attrs(exchangeable=allowed), two]
        assert pool(mixed, match=["direction"]).attrs["exchangeable"] == expected


def test_all_trials_of_a_pool_are_used_or_counted():
    members = [session("a", [0, 0, 90, 90, 45]), session("b", [0, 90, 45, 45, 0]), session("c", [0, 0, 90])]
    for options in ({}, {"lacking": "member"}, {"lacking": "member", "repeats": 1}):
        array = pool(members, match=["direction"], **options)
        used = array.sizes["presentation"] * len(set(array.session.values)) // 2
        assert used + sum(array.attrs["excluded"]["presentation"].values()) == 13


def test_members_that_do_not_fit_are_named():
    one, two = session("a", [0, 0, 90]), session("b", [0, 0, 90])
    for members, options, message in [
        ([one], {}, "at least two"),
        ([one, one], {}, "unit 'a-0' is in two members"),
        ([one, two], {"match": ["color"]}, r"no coordinate 'color' along presentation \(it has stimulus, repeat"),
        ([one, two], {"repeats": 2}, "only 1 trials of a condition"),
        ([one, session("b", [45])], {}, "is in all members"),
        ([one, session("b", [0], times=np.array([0.0]))], {}, "member 2 has dims"),
        ([one, session("b", [0], response="firing rate")], {}, "'firing rate', member 1 'spike count'"),
    ]:
        with pytest.raises(UserError, match=message):
            pool(members, **({"match": ["direction"]} | options))
