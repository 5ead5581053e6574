"""Figures of pulses, lesions and spectra: what is drawn is what was given."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurocompare import tables
from neurocompare.dynamics import network_spectra
from neurocompare.errors import UserError
from neurocompare.figures import fixed_points, perturbation, spectra

SIZES = [0.5, -0.5, 1.0, -1.0]
AXES = ["line", "selection vector", "random", "random"]


def perturbed():
    rng = np.random.default_rng(0)
    shape = (2, 3, 2, len(AXES), len(SIZES))
    null = rng.uniform(0.4, 0.9, (3, 2, 19))
    null[0] = np.nan
    return xr.Dataset(
        {
            "change": (("context", "kind", "time", "axis", "size"), rng.standard_normal(shape)),
            "shift": (("context", "kind", "time", "axis", "size"), rng.uniform(-1, 1, shape)),
            "n_pushed": ("context", [40, 40]),
            "correct": (("lesion", "context"), rng.uniform(0.4, 1, (3, 2))),
            "correct_null": (("lesion", "context", "draw"), null),
            "n_lesioned": 80,
        },
        coords={
            "context": ["motion", "color"],
            "kind": ["actual", "first order", "selection vector"],
            "time": [0.2, 0.5],
            "axis": AXES,
            "size": SIZES,
            "lesion": ["intact", "silenced: inhibitory (4)", "line removed"],
        },
    )


def test_changes_are_drawn_against_both_predictions_and_lesions_beside_their_null(drawn, tmp_path):
    detail = perturbed()
    perturbation.draw([("one", detail), ("other", detail)], tmp_path / "figure.svg")
    axes = np.array(drawn[0].axes).reshape(4, 2)
    for axis, kind in zip(axes[:2, 0], ("first order", "selection vector"), strict=True):
        points = np.concatenate([line.get_xydata() for line in axis.lines if line.get_linestyle() == "None"])
        expected = [detail["change"].sel(kind=name).values.ravel() for name in (kind, "actual")]
        np.testing.assert_allclose(np.sort(points, axis=0), np.sort(np.stack(expected, 1), axis=0))
        assert axis.get_xlabel() == f"predicted by {kind}"
    assert "40 trials" in axes[0, 0].get_title() and "one" in axes[0, 0].get_title()
    # The shift by pulses of size 1, half the difference of both signs, averaged over times.
    shift = detail["shift"].sel(context="motion", kind="actual")
    expected = (shift.sel(size=1.0) - shift.sel(size=-1.0)).values[:, 0].mean() / 2
    first = [line for line in axes[2, 0].lines if line.get_linestyle() == "None"][0]
    assert first.get_ydata()[0] == pytest.approx(expected)
    assert [text.get_text() for text in axes[2, 0].get_xticklabels()] == ["line", "selection vector", "random"]
    lesions = axes[3, 0]
    bars = [line.get_xdata() for line in lesions.lines if line.get_linewidth() == 3]
    np.testing.assert_allclose(bars[0], np.quantile(detail["correct_null"].values[1, 0], [0.05, 0.95]))
    assert len(bars) == 4
    assert [text.get_text() for text in lesions.get_yticklabels()] == list(detail["lesion"].values)
    told = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert "pulse: line" in told and "context: color (below)" in told


def flowing():
    rng = np.random.default_rng(1)
    grid = np.stack([np.linspace(-1, 1, 6), np.linspace(-2, 2, 6)])
    velocity = -np.stack(np.meshgrid(*grid), -1)
    return xr.Dataset(
        {
            "position": (("point", "component"), rng.standard_normal((4, 3))),
            "input": ("point", np.repeat(["context=motion", "context=color"], 2)),
            "is_fixed": ("point", [True, False, True, False]),
            "unstable": ("point", [0, 0, 1, 0]),
            "eigenvalue_real": (("point", "order"), rng.uniform(0, 1, (4, 5))),
            "eigenvalue_imaginary": (("point", "order"), np.zeros((4, 5))),
            "trajectory": (("trial", "step", "component"), rng.standard_normal((2, 5, 3))),
            "variance": ("component", [0.5, 0.3, 0.1]),
            "flow_input": ("flow", ["context=motion", "context=color"]),
            "flow_axis": "choice axis",
            "flow_x": (("flow", "column"), np.stack([grid[0]] * 2)),
            "flow_y": (("flow", "row"), np.stack([grid[1]] * 2)),
            "flow_velocity": (("flow", "row", "column", "direction"), np.stack([velocity] * 2)),
            "flow_speed": (("flow", "row", "column"), np.linalg.norm(np.stack([velocity] * 2), axis=-1)),
            "flow_inside": ("flow", [0.7, 0.2]),
            "flow_point": (("point", "direction"), rng.uniform(-1, 1, (4, 2))),
            "flow_trajectory": (("flow", "shown", "flow_step", "direction"), rng.uniform(-1, 1, (2, 3, 5, 2))),
        }
    )


def test_flow_is_drawn_under_each_input_with_its_own_points(drawn, tmp_path):
    detail = flowing()
    without = detail.drop_dims(["flow"]).drop_vars(["flow_axis", "flow_point"])
    fixed_points.draw([("one", detail), ("other", without)], tmp_path / "figure.svg")
    axes = np.array(drawn[0].axes[:10]).reshape(5, 2)
    motion, color = axes[3:, 0]
    np.testing.assert_allclose(motion.images[0].get_array(), np.maximum(detail["flow_speed"].values[0], 0.01), atol=0.3)
    assert motion.get_xlabel() == "choice axis" and "context=motion" in motion.get_title()
    assert "70 % in the plane" in motion.get_title()
    assert "3 trajectories in flow, with noise and evidence" in [t.get_text() for t in drawn[0].legends[0].get_texts()]
    stable = [line for line in motion.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(stable[0].get_xydata(), detail["flow_point"].values[:1])
    saddle = [line for line in color.lines if line.get_marker() == "s"]
    np.testing.assert_allclose(saddle[0].get_xydata(), detail["flow_point"].values[2:3])
    assert not axes[3, 1].get_visible()


def distances(defined=True):
    rows = []
    ends = [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
    for i, first in enumerate(ends):
        for j, second in enumerate(ends[i + 1 :], i + 1):
            value = (1.0 if first[0] == second[0] else 5.0 + i + j) if defined else np.nan
            rows.append(dict(zip(("network", "seed", "other_network", "other_seed"), (*first, *second), strict=True)))
            rows[-1] |= {"distance": value}
    rows += [
        {"network": "a", "other_network": "a", "distance": 1.0},
        {"network": "a", "other_network": "b", "distance": 7.5, "excess": 6.5},
        {"network": "a", "other_network": "b", "distance": 7.5, "excess": 6.5, "p_value": 1 / 3, "p_holm": 1 / 3}
        | {"n_networks": 4, "condition": "all", "status": "too_few_seeds"},
    ]
    empty = dict.fromkeys(network_spectra.COLUMNS)
    return pd.DataFrame([empty | {"condition": "context=motion", "status": "ok"} | row for row in rows])


def test_distances_are_drawn_as_a_matrix_and_by_pairs(drawn, tmp_path):
    tables.write(distances(), network_spectra.COLUMNS, tmp_path / "spectra.tsv")
    table = tables.read(tmp_path / "spectra.tsv")
    spectra.draw(table, {"a": "Network A", "b": "Network B"}, tmp_path / "figure.svg")
    above, below = drawn[0].axes[:2]
    expected = [[0, 1, 7, 8], [1, 0, 8, 9], [7, 8, 0, 1], [8, 9, 1, 0]]
    np.testing.assert_allclose(above.images[0].get_array(), expected)
    assert "between − within 6.5 /s" in above.get_title() and "p =" not in above.get_title()
    told = drawn[0].get_suptitle()
    assert "Network A – Network B (4)" in told and "corrected p = 0.33, too few seeds" in told
    dots = [line.get_xdata() for line in below.lines if line.get_linestyle() == "None"]
    np.testing.assert_allclose(dots[0], [1])
    np.testing.assert_allclose(np.sort(dots[1]), [7, 8, 8, 9])
    assert below.get_yticklabels()[1].get_text() == "Network A –\nNetwork B\n4 pairs"


def test_pairs_of_networks_without_matched_points_are_shown_as_missing(drawn, tmp_path):
    table = distances()
    table.loc[1, "distance"], table.loc[1, "status"] = np.nan, "no_points"
    spectra.draw(table, {"a": "Network A", "b": "Network B"}, tmp_path / "figure.svg")
    above, below = drawn[0].axes[:2]
    assert np.argwhere(above.images[0].get_array().mask).tolist() == [[0, 2], [2, 0]]
    assert above.images[0].cmap.get_bad().tolist() == [0.8, 0.8, 0.8, 1]
    assert "1 pairs with a network that has no point" in above.get_title()
    assert "3 of 4 pairs matched" in below.get_yticklabels()[1].get_text()


def test_without_any_distance_the_figure_says_where_to_look(tmp_path):
    with pytest.raises(UserError, match="^the figure 'spectra': .* see spectra.tsv for why$"):
        spectra.draw(distances(False), {"a": "A", "b": "B"}, tmp_path / "figure.svg")
