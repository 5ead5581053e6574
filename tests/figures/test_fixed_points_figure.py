"""Figures of fixed points and of selection: what is drawn is what was given."""

import numpy as np
import xarray as xr

from neurocompare.figures import fixed_points, selection


def points(unstable=(0, 0, 1), slow=2):
    n = len(unstable) + slow
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "position": (("point", "component"), rng.standard_normal((n, 3))),
            "input": ("point", ["no pulse"] * n),
            "is_fixed": ("point", np.arange(n) < len(unstable)),
            "unstable": ("point", [*unstable, *[0] * slow]),
            "eigenvalue_real": (("point", "order"), rng.uniform(0, 1, (n, 4))),
            "eigenvalue_imaginary": (("point", "order"), np.zeros((n, 4))),
            "trajectory": (("trial", "step", "component"), rng.standard_normal((2, 5, 3))),
            "variance": ("component", [0.5, 0.3, 0.1]),
        }
    )


def chains(pairs=False):
    rng = np.random.default_rng(1)
    line = rng.standard_normal((2, 3, 3))
    if pairs:
        line[:] = np.nan
    return xr.Dataset(
        {
            "position": (("context", "point", "axis"), rng.standard_normal((2, 6, 3))),
            "line": (("context", "chosen", "axis"), line),
            "selection_vector": (("context", "chosen", "axis"), line),
            "chosen_point": (("context", "chosen"), [[0, 2, 5], [1, 3, -1]]),
            "leading_real": (("context", "chosen"), np.full((2, 3), 0.98)),
            "leading_imaginary": (("context", "chosen"), np.full((2, 3), 0.1 * pairs)),
            "trajectory": (("context", "level", "time", "axis"), rng.standard_normal((2, 4, 7, 3))),
        },
        coords={
            "context": ["motion", "color"],
            "axis": ["choice", "motion", "color"],
            "level": [-2, -1, 1, 2],
            "time": np.arange(7) * 0.1,
        },
    )


def test_all_points_are_drawn_by_their_unstable_dimensions(drawn, tmp_path):
    detail = points()
    fixed_points.draw([("one", detail), ("other", points((0, 1, 2), 0))], tmp_path / "figure.svg")
    axes = np.array(drawn[0].axes).reshape(3, 2)
    position = detail["position"].values
    stable = [line for line in axes[0, 0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose(stable[0].get_xydata(), position[:2, :2])
    saddle = [line for line in axes[1, 0].lines if line.get_marker() == "s"]
    np.testing.assert_allclose(saddle[0].get_xydata(), position[2:3, [0, 2]])
    assert axes[0, 0].get_title() == "one\n3 fixed points"
    told = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert told == ["stable", "1 unstable dimension", "2 unstable dimensions", "slow point", "trajectory"]


def test_chains_lines_and_vectors_are_drawn_in_the_plane_of_the_relevant_evidence(drawn, tmp_path):
    detail = chains()
    selection.draw([("network", detail)], tmp_path / "figure.svg")
    motion, color = drawn[0].axes
    assert motion.get_ylabel() == "motion axis" and color.get_ylabel() == "color axis"
    chosen = [line for line in color.lines if line.get_marker() == "o" and line.get_color() == "#000000"][0]
    np.testing.assert_allclose(chosen.get_xydata(), detail["position"].values[1][[1, 3]][:, [0, 2]])
    assert len([text for text in motion.texts if text.arrow_patch is not None]) == 3
    assert "0.980" in motion.get_title()


def test_pairs_have_no_line_and_are_counted(drawn, tmp_path):
    selection.draw([("network", chains(pairs=True))], tmp_path / "figure.svg")
    motion = drawn[0].axes[0]
    assert not motion.texts
    assert "3 of 3 pairs" in motion.get_title()
