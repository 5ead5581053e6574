"""The figure of choice probabilities."""

import numpy as np
import pytest
import xarray as xr

from neurocompare.figures import choice, style


@pytest.fixture
def drawn(monkeypatch):
    """The figure that was saved last."""
    kept = []
    save = style.save
    monkeypatch.setattr(style, "save", lambda figure, path: (kept.append(figure), save(figure, path)))
    return kept


def left_over(seed, units=5, timed=True):
    rng = np.random.default_rng(seed)
    area = rng.uniform(0.3, 0.8, (1, units))
    q_value = np.where(np.abs(area - 0.5) > 0.15, 0.01, 0.5)
    variables = {"choice_probability": (("region", "unit"), area), "q_value": (("region", "unit"), q_value)}
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
    significant = sum(int((detail.q_value < 0.05).sum()) for _, detail in details)
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
