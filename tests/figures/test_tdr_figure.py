"""The figure of targeted dimensionality reduction: what is drawn is what was given."""

import itertools

import matplotlib.colors
import numpy as np
import pytest
import xarray as xr

from neurocompare.figures import tdr

TIME = np.array([0.2, 0.3, 0.4, 0.5])
AXES = ["choice", "motion", "color", "context"]


def detail(contexts=("color", "motion"), lacking=(), components=12, n_units=30):
    rows = []
    for evidence, level, choice, context in itertools.product(("motion", "color"), (-2, -1, 1, 2), (-1, 1), contexts):
        right = (level > 0) == (choice > 0)
        for correct in (0, 1):
            if evidence != context or correct == right:
                rows.append((evidence, str(level), str(choice), context, str(correct)))
    names = ("evidence", "level", "choice", "context", "correct")
    columns = dict(zip(names, np.array(rows).T, strict=True))
    axes = AXES if len(contexts) > 1 else AXES[:3]
    path = np.random.default_rng(0).standard_normal((len(rows), 4, len(axes)))
    path[list(lacking)] = np.nan
    found = xr.Dataset(
        {
            "trajectory": (("condition", "time", "axis"), path),
            "norm": (("axis", "time"), np.arange(4.0 * len(axes)).reshape(len(axes), 4)),
            "window": (("axis", "bound"), np.array([[0.3, 0.4]] * len(axes))),
            "share": ("axis", np.array([0.4, 0.2, 0.1, 0.05][: len(axes)])),
            **{name: ("condition", values) for name, values in columns.items()},
        },
        coords={"axis": axes, "time": TIME},
        attrs={"components": components, "n_units_described": n_units, "n_trials_described": 100},
    )
    return xr.concat([found], dim=xr.DataArray(["PFC"], dims="region", name="region"))


def paths(axis):
    """Lines of trajectories: those without markers, of all times."""
    return [line for line in axis.lines if line.get_marker() == "None" and len(line.get_xdata()) == 4]


def test_a_column_of_each_recording_and_a_row_of_each_evidence_in_each_context(drawn, tmp_path):
    tdr.draw([("monkey", detail()), ("network", detail())], tmp_path / "tdr.svg")
    figure = drawn[0]
    axes = np.array(figure.axes).reshape(5, 2)
    told = [axis.get_title().split("\n")[-1] for axis in axes[:4, 0]]
    assert told == [
        "context: motion, motion relevant",
        "context: motion, color irrelevant",
        "context: color, color relevant",
        "context: color, motion irrelevant",
    ]
    assert axes[0, 0].get_title().startswith("monkey") and axes[0, 1].get_title().startswith("network")
    assert axes[3, 0].get_ylabel().startswith("motion axis") and "20.0 %" in axes[3, 0].get_ylabel()
    # Correct trials: of relevant evidence the level tells the choice, of the other each choice is drawn.
    assert [len(paths(axis)) for axis in axes[:4, 0]] == [4, 8, 4, 8]
    assert (tmp_path / "tdr.svg").stat().st_size > 0


def test_lines_are_the_trajectories_in_their_plane(drawn, tmp_path):
    given = detail()
    tdr.draw([("monkey", given)], tmp_path / "tdr.svg")
    one = given.isel(region=0)
    chosen = (one["evidence"] == "motion") & (one["context"] == "color") & (one["correct"] == "1")
    expected = one["trajectory"].values[chosen.values][..., [0, 1]]
    found = np.array([np.transpose(line.get_data()) for line in paths(drawn[0].axes[3])])
    np.testing.assert_allclose(found, expected)
    # All planes of a recording have the same limits and equal scales.
    planes = drawn[0].axes[:4]
    assert len({axis.get_xlim() for axis in planes}) == len({axis.get_ylim() for axis in planes}) == 1
    drawn[0].canvas.draw()
    box = planes[0].get_window_extent()
    width, height = np.ptp(planes[0].get_xlim()), np.ptp(planes[0].get_ylim())
    assert box.width / width == pytest.approx(box.height / height, rel=1e-6)


def test_signs_differ_in_hue_strength_in_lightness_and_choices_in_fill(drawn, tmp_path):
    tdr.draw([("monkey", detail())], tmp_path / "tdr.svg")
    handles = drawn[0].legends[0].legend_handles
    labels = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert labels[7:] == [f"norm, {name}" for name in AXES]
    assert labels[:7] == [
        "evidence −2",
        "evidence −1",
        "evidence 1",
        "evidence 2",
        "choice −1",
        "choice 1",
        "first bin",
    ]
    colours = np.array([matplotlib.colors.to_rgb(handle.get_color()) for handle in handles[:4]])
    lightness = colours @ [0.21, 0.72, 0.07]
    assert lightness[0] < lightness[1] - 0.15 and lightness[3] < lightness[2] - 0.15
    assert (colours[:2, 0] > colours[:2, 2]).all() and (colours[2:, 0] < colours[2:, 2]).all()
    assert handles[4].get_markerfacecolor() == "white"


def test_conditions_that_units_lack_are_not_drawn_and_a_whole_space_is_called_so(drawn, tmp_path):
    given = detail(components=12, n_units=12)
    one = given.isel(region=0)
    of_panel = (one["evidence"] == "color") & (one["context"] == "color") & (one["correct"] == "1")
    first = int(np.flatnonzero(of_panel.values)[0])
    tdr.draw([("monkey", detail(lacking=[first], components=12, n_units=12))], tmp_path / "tdr.svg")
    assert len(paths(drawn[0].axes[2])) == 3
    assert "not denoised" in drawn[0].axes[0].get_title()


def test_without_contexts_there_is_a_row_for_each_evidence(drawn, tmp_path):
    given = detail(contexts=("motion",)).drop_vars("context")
    tdr.draw([("network", given)], tmp_path / "tdr.svg")
    assert len(drawn[0].axes) == 3
    norms = drawn[0].axes[-1]
    np.testing.assert_allclose(norms.lines[0].get_ydata(), [0, 1, 2, 3])
