"""Subspaces of two contexts: the same, or moved from one to the other."""

import pytest
from test_tdr_description import decisions, described


def contexts(moved):
    """What is said of contexts whose planted axes are the same, or those of other units."""
    array, _ = decisions(n=1440, noise=0.2, seed=4)
    values = array.values.copy()
    if moved:
        mine = array.coords["context"].values == "color"
        values[mine] = values[mine][..., ::-1]
    rows, _ = described(array.copy(data=values))
    return {name: row for (name, condition), row in rows.items() if condition == "components=3"}


def test_contexts_that_share_their_axes_overlap_and_others_do_not():
    same, other = contexts(False), contexts(True)
    assert set(same) == {"overlap of contexts", "largest angle between contexts", "alignment of contexts"}
    assert same["overlap of contexts"]["value"] > 0.9 and same["alignment of contexts"]["value"] > 0.9
    assert same["overlap of contexts"]["p_value"] < 0.05
    assert other["overlap of contexts"]["value"] < 0.6 and other["alignment of contexts"]["value"] < 0.6
    angles = [found["largest angle between contexts"]["value"] for found in (same, other)]
    assert angles[0] < 25 < 50 < angles[1]


def test_without_contexts_there_is_nothing_to_compare():
    array, _ = decisions(n=720, seed=5)
    rows, _ = described(array, "tdr-on=choice+motion")
    assert not [name for name, _ in rows if "contexts" in name]
    assert rows["participation ratio", ""]["value"] == pytest.approx(4, abs=4)
