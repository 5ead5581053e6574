"""The figure of choice probabilities."""

import numpy as np
import xarray as xr

from neurocompare.figures import choice


def left_over(seed, units=5, timed=True):
    rng = np.random.default_rng(seed)
    area = rng.uniform(0.3, 0.8, (1, units))
    p_value = np.where(np.abs(area - 0.5) > 0.15, 0.001, 0.5)
    variables = {"choice_probability": (("region", "unit"), area), "p_value": (("region", "unit"), p_value)}
    coords = {"unit": [f"s{seed}u{k}" for k in range(units)]}
    if timed:
        variables["choice_probability_over_time"] = (("region", "time", "unit"), rng.uniform(0.3, 0.8, (1, 4, units)))
        coords["time"] = [0.1, 0.2, 0.3, 0.4]
    return xr.Dataset(variables, coords=coords)


def test_units_of_all_recordings_are_counted_and_significant_ones_told_apart(drawn, tmp_path):
    details = [("choice-of=choice-given=context+motion_level", left_over(seed, 5 + seed)) for seed in range(3)]
    choice.draw(details, str(tmp_path / "choice.svg"))
    (figure,) = drawn
    distribution, course = figure.axes
    assert distribution.get_title() == "choice within context, motion level\n18 units"
    significant = sum(int((detail.p_value < 0.05).sum()) for _, detail in details)
    legend = [text.get_text() for text in distribution.get_legend().get_texts()]
    assert f"significant ({significant})" in legend
    assert f"others ({18 - significant})" in legend
    assert sum(patch.get_height() for patch in distribution.patches if patch.get_height() > 0) >= 18
    assert course.get_xlabel() == "time (s)"
    # One line for each unit, their mean, and chance.
    assert len(course.lines) == 18 + 2
    assert (tmp_path / "choice.svg").stat().st_size > 1000


def test_without_a_time_axis_there_is_one_panel(drawn, tmp_path):
    choice.draw([("choice-of=choice", left_over(0, timed=False))], str(tmp_path / "choice.svg"))
    assert len(drawn[0].axes) == 1


def test_recordings_with_other_bins_are_drawn_together_but_not_averaged(drawn, tmp_path):
    other = left_over(1).isel(time=slice(0, 3))
    choice.draw([("choice-of=choice", left_over(0)), ("choice-of=choice", other)], str(tmp_path / "choice.svg"))
    course = drawn[0].axes[1]
    assert sorted(len(line.get_xdata()) for line in course.lines) == [2] + [3] * 5 + [4] * 5
    assert course.get_legend() is None


def test_units_without_a_null_are_not_called_insignificant(drawn, tmp_path):
    detail = left_over(0, timed=False)
    detail["p_value"] = detail["p_value"] * np.nan
    choice.draw([("choice-of=choice", detail)], str(tmp_path / "choice.svg"))
    legend = [text.get_text() for text in drawn[0].axes[0].get_legend().get_texts()]
    assert "without a test" in legend
    assert not [text for text in legend if "others" in text or "significant" in text]


def test_the_false_discovery_rate_is_over_all_units_that_are_shown(drawn, tmp_path):
    details = []
    for seed in range(10):
        detail = left_over(seed, 1, timed=False)
        # One in ten of 0.04 is expected by chance.
        detail["p_value"] = ("region", "unit"), [[0.04 if seed == 0 else 0.5]]
        details.append(("choice-of=choice", detail))
    choice.draw(details, str(tmp_path / "choice.svg"))
    legend = [text.get_text() for text in drawn[0].axes[0].get_legend().get_texts()]
    assert "significant (0)" in legend
