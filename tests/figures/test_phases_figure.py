"""The figure of parts over phases: what is drawn is what was given, and what is not told is said."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurocompare import tables
from neurocompare.errors import UserError
from neurocompare.figures import phases

NAME = "phases-by=percept-loss=frobenius"


def rows(recording, share=0.75, status="no_ceiling", condition=";units=pooled"):
    found = []
    quantities = ["number of parts", *[f"share of {kind} units" for kind in ("phase", "content", "other", "selective")]]
    for quantity in quantities:
        row = dict.fromkeys(tables.DESCRIPTIONS, "") | {"recording": recording, "region": "all", "description": NAME}
        row |= {"quantity": quantity, "condition": f"by=percept;rank=2{condition}", "status": status}
        row |= {"value": share, "ci_low": share - 0.1, "ci_high": share + 0.1, "null_high": 0.6}
        found.append(row | {"n_units": 40, "n_trials": 20, "n_stimuli": 2})
    return found


def detail(conditions=2, kind=(0.0, 1.0)):
    course = np.random.default_rng(0).random((2, conditions, 12))
    part = xr.Dataset(
        {
            "course": (("part_number", "condition", "time"), course),
            "loading": (("unit", "part_number"), np.random.default_rng(1).dirichlet([1, 1], 40)),
            "kind": ("part_number", list(kind)),
            "unit_kind": ("unit", np.zeros(40)),
            "selectivity": ("part_number", [0.02, np.nan]),
            "peak": ("part_number", [0.1, 0.2]),
        },
        coords={
            "part_number": [1, 2],
            "condition": [f"c{i}" for i in range(conditions)],
            "time": 0.1 * np.arange(12) - 0.2,
            "unit": np.arange(40).astype(str),
        },
        attrs={"by": "percept", "loss": "frobenius", "phases": json.dumps({"fixation": -0.3, "stimulus": 0.0})},
    )
    # The second region has one part and fewer units: what it lacks of the first is filled with NaN.
    other = part.isel(part_number=[0], unit=slice(10))
    return xr.concat([part, other], dim=xr.DataArray(["all", "PFC"], dims="region", name="region"), join="outer")


def texts(figure):
    found = []
    for axis in figure.axes:
        found += [axis.get_title(loc="left"), axis.get_xlabel(), axis.get_ylabel()]
        found += [text.get_text() for text in axis.texts] + [label.get_text() for label in axis.get_yticklabels()]
    return "\n".join(found)


def test_parts_units_and_shares_are_shown(drawn, tmp_path):
    table = pd.DataFrame(rows("here-session=1"))
    phases.draw(table, [("here-session=1", detail())], tmp_path / "f.svg")
    told = texts(drawn[0])
    for words in (
        "here, 1\n40 pooled units, 20 trials, 2 values of percept",
        "time (s)",
        "fixation",
        "stimulus",
    ):
        assert words in told
    assert "phase, S = 0.02" in told and "follow content parts" in told and "share of units" in told
    courses, loadings, shares = drawn[0].axes[:3]
    top = courses.get_lines()[0].get_ydata()
    expected = detail().course.values[0, 0, 0]
    np.testing.assert_allclose(top - top.min(), (expected - expected.min()) / detail().course.values[0, 0].max())
    (image,) = loadings.get_images()
    assert image.get_array().shape == (40, 2)
    strongest = image.get_array().argmax(1)
    assert np.all(np.diff(strongest) >= 0)
    assert [bar.get_width() for bar in shares.patches] == [0.75] * 4
    assert [line.get_segments()[0][0][0] for line in shares.collections[1::2]] == [0.6] * 4


def test_why_nothing_is_claimed_is_said(drawn, tmp_path):
    table = pd.DataFrame(rows("a", np.nan, "too_few_units;one_phase") + rows("b", np.nan, "no_trials", ""))
    pairs = [("a", detail(9, (-1.0, -1.0))), ("b", detail(2, (-1.0, -1.0)))]
    phases.draw(table, pairs, tmp_path / "f.svg")
    told = texts(drawn[0])
    assert "no claim:\ntoo few units,\none phase only" in told and "no claim:\nno single trials" in told
    assert "not told" in told and "40 units, 20 mean responses" in told
    assert not drawn[0].axes[2].patches


def test_nothing_to_draw_is_refused(tmp_path):
    for table, pairs in (
        (pd.DataFrame(rows("a")), [("a", xr.Dataset())]),
        (pd.DataFrame(rows("a")).assign(description="nmf-loss=frobenius"), [("a", detail())]),
    ):
        with pytest.raises(UserError, match="needs a description phases-"):
            phases.draw(table, pairs, tmp_path / "g.svg")
    assert not (tmp_path / "g.svg").exists()
