"""Figures of encodings: what is drawn are the medians and units of the table, and places only where there are some."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurocompare import tables
from neurocompare.encoding_entries import EXPLAINABLE, VARIANCE
from neurocompare.errors import UserError
from neurocompare.figures import maps, partition

BANDS = ["trained", "pixels"]


def detail(name="e", units=40, areas=("V1",), level="means", **places):
    rng = np.random.default_rng(0)
    unique = rng.uniform(-0.05, 0.3, (2, units))
    total = unique.sum(0) + 0.1
    explainable = rng.uniform(0.3, 0.9, units)
    explainable[0] = -0.1
    return xr.Dataset(
        {
            "scores": (("score", "unit"), np.stack([np.sqrt(total.clip(0)), total, total / explainable])),
            "total": ("unit", total),
            "explainable": ("unit", explainable),
            "shared": ("unit", np.full(units, 0.1)),
            "unique": (("band", "unit"), unique),
        },
        coords={
            "band": BANDS,
            "score": ["pearson", "r2", "ccnorm"],
            "area": ("unit", np.array(areas)[np.arange(units) * len(areas) // units]),
        }
        | {key: ("unit", values) for key, values in places.items()},
        attrs={"encoding": name, "recording": "r", "level": level, "n_stimuli": 50, "n_trials": 500},
    )


def table(name="e", regions=("V1",), level="means", of=(VARIANCE, EXPLAINABLE)):
    rows = []
    kinds = [(b, q) for b in BANDS for q in ("unique", "product")] + [("shared", "shared"), ("all", "r2")]
    for region in regions:
        for word in of:
            for k, (band, quantity) in enumerate(kinds):
                value = 0.05 * (k + 1) * (2 if word == EXPLAINABLE else 1)
                row = dict.fromkeys(tables.ENCODINGS, "") | {"encoding": name, "recording": "r", "region": region}
                row |= {"animal": "m", "band": band, "quantity": quantity, "of": word, "value": value}
                row |= {"ci_low": value - 0.02, "ci_high": value + 0.03, "null_high": 0.01, "n_undefined": 1}
                row |= {"n_stimuli": 50, "n_trials": 500, "n_units": 40, "condition": f"level={level};hold_out=both"}
                rows.append(row)
        rows.append(rows[-1] | {"band": "all", "quantity": "explainable", "of": VARIANCE, "value": 0.7})
    return pd.DataFrame(rows)


def texts(figure):
    found = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    for axis in figure.axes:
        found += [axis.get_title(loc="left"), axis.get_xlabel(), axis.get_ylabel()]
        found += [label.get_text() for label in axis.get_xticklabels()]
    return "\n".join(found)


def heights(axis, marker):
    return [float(line.get_ydata()[0]) for line in axis.lines if line.get_marker() == marker and len(line.get_ydata())]


def test_medians_of_the_table_are_drawn_as_shares_of_what_can_be_explained(drawn, tmp_path):
    partition.draw(table(), [detail()], tmp_path / "figure.svg")
    axis = drawn[0].axes[0]
    np.testing.assert_allclose(heights(axis, "o"), [0.1, 0.3, 0.5, 0.6])
    np.testing.assert_allclose(heights(axis, "D"), [0.2, 0.4])
    told = texts(drawn[0])
    assert "share of the explainable variance" in told and "noise ceiling" in told
    assert "40 units (1 without a share)" in told and "50 stimuli, 500 trials; held out: stimuli in blocks" in told
    assert ElementTree.parse(tmp_path / "figure.svg").getroot().tag.endswith("svg")
    points = [line for line in axis.lines if line.get_marker() == "."]
    assert [len(line.get_ydata()) for line in points] == [39] * 4, "the unit without a share is in no column"


def test_units_are_scaled_like_the_medians():
    one = detail()
    plain = partition.columns(table(of=(VARIANCE,)), one)
    scaled = partition.columns(table(), one)
    np.testing.assert_allclose(plain["trained"], one["unique"].sel(band="trained"))
    explainable = one["explainable"].values
    np.testing.assert_allclose(scaled["all"][1:], (one["total"].values / explainable)[1:])
    assert np.isnan(scaled["all"][0])


def test_of_single_trials_the_ceiling_is_that_of_the_stimuli(drawn, tmp_path):
    partition.draw(table(level="trials", of=(VARIANCE,)), [detail(level="trials")], tmp_path / "figure.svg")
    told = texts(drawn[0])
    assert "share of the variance of single trials" in told
    assert "noise ceiling of stimuli" in told


def test_each_encoding_and_area_has_a_panel(drawn, tmp_path):
    both = pd.concat([table(), table("f", regions=("V1", "LM"))])
    partition.draw(both, [detail(), detail("f", areas=("V1", "LM"))], tmp_path / "figure.svg")
    assert sum(axis.get_visible() for axis in drawn[0].axes) == 3


def test_units_are_mapped_wherever_they_differ(drawn, tmp_path):
    rng = np.random.default_rng(1)
    places = {"x": rng.uniform(0, 500, 40), "y": rng.uniform(0, 500, 40), "depth": np.repeat(["175", "275"], 20)}
    both = [detail(**places), detail("f", areas=("V1", "LM")), detail("g")]
    assert [maps.kinds(one) for one in both] == [["position", "depth"], ["area"], []]
    maps.draw(table(), both, tmp_path / "figure.svg")
    told = texts(drawn[0])
    for words in ("x (µm)", "y (µm)", "depth (µm)", "normalised correlation", "40 units, 50 stimuli", "LM\n(20)"):
        assert words in told


def test_medians_of_a_map_are_those_of_the_units_of_a_depth(drawn, tmp_path):
    one = detail(depth=np.repeat([100.0, 300.0], 20))
    maps.draw(table(), [one], tmp_path / "figure.svg")
    _, values = maps.score_of(one)
    expected = [np.median(values[:20]), np.median(values[20:])]
    np.testing.assert_allclose(heights(drawn[0].axes[0], "o"), expected)


@pytest.mark.parametrize(
    "places", [{}, {"depth": np.full(40, 275)}, {"depth": np.full(40, "unknown")}, {"x": np.arange(40.0)}]
)
def test_units_without_places_are_refused_in_one_line(places, tmp_path):
    with pytest.raises(UserError, match="recordings r have none of these, so leave it out") as caught:
        maps.draw(table(), [detail(**places)], tmp_path / "figure.svg")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "figure.svg").exists()


def test_a_study_without_encodings_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="the figure 'partition' needs encodings"):
        partition.draw(table().iloc[:0], [], tmp_path / "figure.svg")
