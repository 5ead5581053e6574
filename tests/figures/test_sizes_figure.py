"""The figure of sizes: the best layer with its subsets and its ceiling, and nothing beyond the data."""

import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest

from neurocompare import tables
from neurocompare.errors import UserError
from neurocompare.figures import sizes

RSA, SONG, ANGLE = "rsa-distance=correlation-compare=spearman", "cka-kernel=linear-hsic=song", "procrustes-angular"
TITLES = {"deep": "Deep network", "bank": "Filter bank"}
GRIDS = {"units": [4, 8, 16, 40], "stimuli": [12, 17, 25]}


def table(measures=(RSA, SONG), regions=("V1",), kind="bracket (trials)", seeds=(0,)):
    """Two layers of the deep network, of which the second is better with 16 units or more, and a bank."""
    rows = []
    for region, measure, axis, seed in itertools.product(regions, measures, GRIDS, seeds):
        for size, (network, layer) in itertools.product(
            GRIDS[axis], [("deep", "a"), ("deep", "b"), ("bank", "energy")]
        ):
            share = size / GRIDS[axis][-1]
            value = {"a": 0.2, "b": 0.6 * share, "energy": 0.1}[layer] + 0.01 * seed
            whole, second = share == 1, 0.6 * share > 0.2
            row = dict.fromkeys(tables.SIZES, "") | {"recording": "r", "region": region, "animal": "m", "seed": seed}
            row |= {"network": network, "layer": layer, "measure": measure, "axis": axis, "size": size, "value": value}
            row |= {"sd": 0.02, "low": np.nan if whole else value - 0.04, "high": np.nan if whole else value + 0.05}
            row |= {"ceiling_low": 0.5 + 0.2 * share, "ceiling_high": 0.6 + 0.3 * share, "ceiling_kind": kind}
            row |= {"best": {"a": not second, "b": second, "energy": True}[layer], "n_subsets": 1 if whole else 20}
            row |= {"n_units": size if axis == "units" else 40, "n_stimuli": size if axis == "stimuli" else 25}
            rows.append(row | {"target_dimensionality": 12 * share, "status": "ok"})
    return pd.DataFrame(rows)


def texts(figure):
    found = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    for axis in figure.axes:
        found += [axis.get_title(loc="left"), axis.get_xlabel(), axis.get_ylabel()]
        found += [text.get_text() for text in axis.get_legend().get_texts()] if axis.get_legend() else []
    return "\n".join(found)


def test_the_layer_is_that_of_all_units_and_marked_where_it_would_not_be_chosen():
    rows = table(seeds=(0, 1))
    found = sizes.curves(rows[(rows["axis"] == "units") & (rows["measure"] == RSA)])
    assert list(found) == ["deep", "bank"]
    deep = found["deep"]
    assert deep.attrs["layer"] == "b"
    assert deep["value"].tolist() == pytest.approx([0.065, 0.125, 0.245, 0.605])
    assert deep["best"].tolist() == [False, False, True, True]
    assert deep["low"].tolist()[:3] == pytest.approx([0.02, 0.08, 0.2])
    assert deep["high"].tolist()[:3] == pytest.approx([0.12, 0.18, 0.3])
    # A seed without a score leaves none for the network, and a network without one is not drawn.
    rows.loc[(rows["seed"] == 1) & (rows["size"] == 8), "value"] = np.nan
    rows.loc[rows["network"] == "bank", "best"] = False
    found = sizes.curves(rows[(rows["axis"] == "units") & (rows["measure"] == RSA)])
    assert list(found) == ["deep"]
    assert np.isnan(found["deep"].loc[8, "value"])


def test_lines_end_with_the_recording_and_bands_with_the_subsets(drawn, tmp_path):
    sizes.draw(table(), TITLES, tmp_path / "f.svg")
    units, stimuli = drawn[0].axes[0], drawn[0].axes[2]
    for axis, grid in ((units, GRIDS["units"]), (stimuli, GRIDS["stimuli"])):
        assert axis.get_xscale() == "log"
        line = next(line for line in axis.lines if line.get_label() == "Deep network")
        assert list(line.get_xdata()) == grid
        assert line.get_ydata()[-1] == pytest.approx(0.6)
        assert all(max(x.get_xdata(), default=0) <= grid[-1] for x in axis.lines if x.get_transform() == axis.transData)
        bands = [np.concatenate([path.vertices for path in found.get_paths()]) for found in axis.collections]
        assert any(np.nanmax(band[:, 0]) == grid[-2] for band in bands)
        assert [int(tick.get_text()) for tick in axis.get_xticklabels()] == grid
    # At 4 and 8 units the first layer is better.
    hollow = [line for line in units.lines if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    assert [list(line.get_xdata()) for line in hollow] == [[4, 8]]
    told = texts(drawn[0])
    for words in (
        *("V1: all 25 stimuli, subsets of 40 units", "V1: all 40 units, subsets of 25 stimuli"),
        *("effective dimensionality 12.0", "number of units", "number of stimuli", "95 % range over 20 subsets"),
        *("noise ceiling, bracket from halves of the trials", "at this size another layer is best", "Filter bank"),
        *("RSA, spearman", "b\nenergy"),
    ):
        assert words in told
    assert ElementTree.parse(tmp_path / "f.svg").getroot().tag.endswith("svg")


def test_ceilings_are_drawn_at_their_sizes_and_not_where_there_are_none(drawn, tmp_path):
    rows = table(measures=[SONG], kind="estimate (trials)")
    rows["ceiling_high"] = rows["ceiling_low"]
    rows.loc[rows["size"] == 4, ["ceiling_low", "ceiling_high"]] = np.nan
    sizes.draw(rows, TITLES, tmp_path / "f.svg")
    label = "noise ceiling, estimate from halves of the trials"
    line = next(line for line in drawn[0].axes[0].lines if line.get_label() == label)
    np.testing.assert_allclose(line.get_ydata(), [np.nan, 0.54, 0.58, 0.7])
    rows[["ceiling_low", "ceiling_high"]] = np.nan
    sizes.draw(rows, TITLES, tmp_path / "f.svg")
    assert "noise ceiling" not in texts(drawn[1])


def test_distances_are_turned_with_their_unit_and_both_axes_share_a_scale(drawn, tmp_path):
    sizes.draw(table(measures=[ANGLE]), TITLES, tmp_path / "f.svg")
    units, stimuli = drawn[0].axes
    assert units.get_ylim() == stimuli.get_ylim()
    assert units.get_ylim()[0] > units.get_ylim()[1]
    assert units.get_ylabel() == "Procrustes angle (rad)\naxis turned: less is more alike"


def test_the_scale_holds_lines_and_ceilings_and_very_wide_bands_leave_it():
    rows = table(measures=[RSA])
    low, high = sizes.limits(rows)
    assert low < 0.02 and high > 0.9
    rows.loc[rows["size"] == 4, "high"] = 50.0
    low, high = sizes.limits(rows)
    assert 0.9 < high < 2
    rows["value"] = rows["ceiling_low"] = rows["ceiling_high"] = np.nan
    rows["best"] = False
    low, high = sizes.limits(rows)
    assert low < 0 < high


def test_many_measures_go_on_below_and_published_rdms_have_one_row(drawn, tmp_path):
    many = [SONG, RSA, ANGLE, SONG + "-normalise=neurons", "ridge-folds=5"]
    sizes.draw(table(measures=many, regions=("V1", "LM")), TITLES, tmp_path / "f.svg")
    shown = [axis for axis in drawn[0].axes if axis.get_visible()]
    assert len(drawn[0].axes) == 2 * 2 * 2 * 3
    assert len(shown) == 2 * 2 * 5
    rdm = table(measures=[RSA])
    rdm = rdm[rdm["axis"] == "stimuli"].assign(
        n_units=np.nan, target_dimensionality=np.nan, animal="mean RDM", ceiling_low=np.nan, ceiling_high=np.nan
    )
    sizes.draw(rdm, TITLES, tmp_path / "f.svg")
    (axis,) = drawn[1].axes
    assert axis.get_title(loc="left") == "V1: subsets of 25 stimuli\nmean over animals"
    assert "effective" not in texts(drawn[1])


def test_recordings_are_named_where_there_are_several(drawn, tmp_path):
    both = pd.concat([table(measures=[RSA]), table(measures=[RSA]).assign(recording="other", animal="pooled")])
    sizes.draw(both, TITLES, tmp_path / "f.svg")
    titles = [axis.get_title(loc="left").splitlines()[0] for axis in drawn[0].axes]
    assert titles == ["r", "r", "other", "other"]
    assert "animals pooled" in texts(drawn[0])


def test_the_same_table_gives_the_same_file_and_an_empty_one_is_refused(tmp_path):
    for name in ("a.svg", "b.svg"):
        sizes.draw(table(), TITLES, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(UserError, match="figure 'sizes' needs scores") as caught:
        sizes.draw(table().iloc[:0], TITLES, tmp_path / "c.svg")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "c.svg").exists()
