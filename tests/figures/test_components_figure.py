"""The figure of components: what is drawn is what was given."""

import numpy as np
import xarray as xr

from neurocompare.figures import components

CELLS = [f"choice={c}, motion={m}" for c in (-1, 1) for m in (-2, 1, 2)]
TIME = 0.1 * np.arange(5)


def in_regions(detail, **attributes):
    detail = detail.assign_attrs({"response_units": "spikes/s", "n_units": 7, "n_trials": 50} | attributes)
    return xr.concat([detail], dim=xr.DataArray(["all"], dims="region", name="region"))


def demixed(tested=True):
    names = ["time 1", "choice 1", "choice 2", "motion 1", "choice×motion 1"]
    accuracy = np.full((5, 5), np.nan)
    accuracy[1] = [0.5, 0.5, 0.9, 0.9, 0.5]
    accuracy[2:] = 0.4
    return in_regions(
        xr.Dataset(
            {
                "score": (("component", "cell", "time"), np.random.default_rng(0).standard_normal((5, 6, 5))),
                "variance_by": (("component", "marginalisation"), 0.1 * np.eye(4)[[0, 1, 1, 2, 3]]),
                "share": ("marginalisation", [0.4, 0.3, 0.2, 0.1]),
                "signal": ("marginalisation", [0.35, 0.2, 0.1, 0.0] if tested else [np.nan] * 4),
                "marginalisation_of": ("component", ["time", "choice", "choice", "motion", "choice×motion"]),
                "accuracy": (("component", "time"), accuracy if tested else np.full((5, 5), np.nan)),
                "null_high": ("component", [np.nan, *[0.7] * 4] if tested else [np.nan] * 5),
                "chance": ("component", [np.nan, 0.5, 0.5, 1 / 3, 1 / 6]),
            },
            coords={
                "component": names,
                "cell": CELLS,
                "time": TIME,
                "marginalisation": ["time", "choice", "motion", "choice×motion"],
            },
        )
    )


def principal():
    return in_regions(
        xr.Dataset(
            {
                "score": (("component", "cell", "time"), np.random.default_rng(1).standard_normal((3, 6, 1))),
                "variance": ("number", [0.6, 0.3, 0.1]),
                "null_high": ("number", [0.5, 0.4, 0.3]),
                "cross_validated": ("number", [np.nan] * 3),
            },
            coords={"component": ["PC 1", "PC 2", "PC 3"], "cell": CELLS, "time": [0.0], "number": [1, 2, 3]},
        )
    )


def texts(axis):
    legend = axis.get_legend()
    inside = [text.get_text() for text in (legend.get_texts() if legend else [])]
    return " | ".join([axis.get_title(), *(text.get_text() for text in axis.texts), *inside])


def test_courses_bars_and_shares_are_those_given(drawn, tmp_path):
    detail = demixed()
    components.draw([("pool", detail)], tmp_path / "f.svg")
    axes = np.array(drawn[0].axes)
    titles = [axis.get_title() for axis in axes[:4]]
    assert titles == ["time 1: 10.0 %", "choice 1: 10.0 %", "motion 1: 10.0 %", "choice×motion 1: 10.0 %"]
    score = detail.isel(region=0).score
    for line, values in zip(axes[1].lines[:6], score.sel(component="choice 1").values, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
    # Two bins stand out, each with a bar of its own.
    spans = [line.get_xdata() for line in axes[1].lines[6:]]
    np.testing.assert_allclose(spans, [[0.15, 0.25], [0.25, 0.35]])
    assert "accuracy 0.66 (chance 0.5)" in texts(axes[1]) and "n.s." not in texts(axes[1])
    assert len(axes[2].lines) == 6 and "n.s." in texts(axes[2]) and "accuracy" not in texts(axes[0])
    widths = [sum(bar.get_width() for bar in axes[4].patches if abs(bar.get_y() + 0.4 - k) < 0.1) for k in range(5)]
    np.testing.assert_allclose(widths, 10)
    legend = texts(axes[5])
    assert "motion = -2" in legend and "choice = 1" in legend and "time: 40 %, signal 35 %" in legend
    assert "7 units, 50 trials" in texts(axes[4]) and axes[0].get_ylabel() == "pool\ncomponent (spikes/s)"


def test_averages_and_single_windows_are_drawn_as_what_they_are(drawn, tmp_path):
    components.draw([("means", demixed(tested=False)), ("window", principal())], tmp_path / "f.svg")
    axes = drawn[0].axes
    assert "not tested" in texts(axes[1]) and "50 averages" in texts(axes[4])
    points = axes[6].collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 1], principal().isel(region=0).score.values[0, :, 0])
    assert axes[6].get_xlabel() == "6 conditions" and axes[6].get_title() == "PC 1: 60.0 %"
    assert "95 % of shuffles" in texts(axes[11]) and "across halves" not in texts(axes[11])
    lines = {line.get_label(): line.get_ydata() for line in axes[10].lines}
    np.testing.assert_allclose(lines["all trials"], [60, 30, 10])


def test_one_pair_of_levels_takes_colours_that_differ(drawn, tmp_path):
    detail = demixed().isel(cell=[0, 3])
    components.draw([("pool", detail)], tmp_path / "f.svg")
    first, second = (line.get_color() for line in drawn[0].axes[0].lines[:2])
    assert tuple(first) != tuple(second)
