"""Figures of what single recordings show: what is drawn is what was given, with units and numbers."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurocompare import tables
from neurocompare.errors import UserError
from neurocompare.figures import classification, psychometrics, trajectories


def texts(figure):
    found = []
    for axis in figure.axes:
        found += [axis.get_title(), axis.get_xlabel(), axis.get_ylabel()]
        found += [label.get_text() for label in axis.get_xticklabels()]
        found += [text.get_text() for text in axis.get_legend().get_texts()] if axis.get_legend() else []
    return "\n".join(found)


def accuracies(quantity="accuracy"):
    rows = []
    for recording, classifier in (("a-session=1", "lda"), ("a-session=2", "lda"), ("a-session=2", "logistic")):
        for name, chance in ((quantity, 0.3), (f"balanced {quantity}", 0.125)):
            condition = f"label=direction;classifier={classifier};folds=leave-one-out;classes=8;chance={chance}"
            row = dict.fromkeys(tables.DESCRIPTIONS, "") | {"recording": recording, "region": "V1", "quantity": name}
            row |= {"description": f"classification-label=direction-classifier={classifier}-folds=leave-one-out"}
            row |= {"condition": condition, "value": 0.8, "ci_low": 0.7, "ci_high": 0.9, "null_high": 0.2}
            rows.append(row | {"n_units": 42, "n_trials": 58})
    return pd.DataFrame(rows)


def test_classification_shows_chance_null_interval_and_numbers(drawn, tmp_path):
    classification.draw(accuracies(), tmp_path / "f.svg")
    told = texts(drawn[0])
    for words in ("LDA, leave-one-out", "logistic, leave-one-out", "chance", "95 % of shuffled labels", "balanced"):
        assert words in told
    assert "a\n1\nV1: 8 values of direction\n42 units, 58 trials" in told
    segments = [
        (round(float(s[0, 1]), 3), collection.get_linestyle()[0][1] is not None)
        for collection in drawn[0].axes[0].collections
        for s in collection.get_segments()
        if s[0, 1] == s[1, 1]
    ]
    assert {(0.3, False), (0.125, False), (0.2, True)} <= set(segments)


def test_classification_names_pooled_units_and_takes_rows_without_a_value(drawn, tmp_path):
    table = accuracies("accuracy of pooled units")
    table.loc[0, "condition"] = "label=direction;classifier=lda;folds=block;classes=8"
    table.loc[0, ["value", "ci_low", "ci_high", "null_high"]] = np.nan
    classification.draw(table, tmp_path / "f.svg")
    assert "42 pooled units, 58 trials" in texts(drawn[0])
    with pytest.raises(UserError, match="needs a description classification"):
        classification.draw(table.assign(description="decoding-target=x"), tmp_path / "g.svg")
    assert not (tmp_path / "g.svg").exists()


def curve(threshold=10.0, timed=True, by="coherence", given=("all",)):
    x = np.array([-50, -10, 10, 50.0])
    share = np.stack([1 / (1 + np.exp(-0.1 * x))] * 3) + np.array([[0], [-0.05], [0.05]])
    times = np.full((3, 4), 0.4 if timed else np.nan)
    fine = np.linspace(-50, 50, 201)
    part = xr.Dataset(
        {
            "chosen": (("bound", "strength"), share),
            "reaction_time": (("bound", "strength"), times),
            "n_trials": ("strength", np.full(4, 25.0)),
            "position": ("x", fine),
            "curve": ("x", 1 / (1 + np.exp(-0.1 * fine))),
            "threshold": threshold,
        },
        coords={"strength": x, "bound": ["value", "low", "high"]},
        attrs={"of": "choice", "choice": "right", "by": by, "evidence_units": "% coherence"},
    )
    part = xr.concat([part] * len(given), dim=xr.DataArray(list(given), dims="given", name="given"))
    return part.expand_dims(region=["all"])


def test_psychometrics_draw_choices_with_reaction_times_beneath(drawn, tmp_path):
    psychometrics.draw([("m-session=O", curve()), ("m-session=T", curve(np.nan))], tmp_path / "f.svg")
    figure = drawn[0]
    assert len(figure.axes) == 2
    told = texts(figure)
    for words in ("fraction of choice right", "median reaction time (s)", "coherence (% coherence)", "O: threshold 10"):
        assert words in told
    assert "2 recordings, 200 trials" in told
    line = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    np.testing.assert_allclose(line.get_ydata(), 1 / (1 + np.exp(-0.1 * np.array([-50, -10, 10, 50]))))


def test_psychometrics_have_a_panel_for_each_context_and_evidence(drawn, tmp_path):
    contexts = ("color", "motion")
    details = [(f"s{k}", curve(timed=False, by=by, given=contexts)) for by in contexts for k in range(8)]
    psychometrics.draw(details, tmp_path / "f.svg")
    titles = [axis.get_title() for axis in drawn[0].axes]
    assert [title.split("\n")[0] for title in titles] == ["context: color", "context: motion"] * 2
    assert all("median threshold 10 (8 of 8)" in title for title in titles)
    assert "mean of 8 sessions" in texts(drawn[0])


def paths(n_bins=5, components=3):
    time = np.linspace(-0.3, 0.3, 31)
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "state": (("choice", "bin", "time", "component"), rng.random((2, n_bins, 31, components))),
            "variance": ("component", [0.6, 0.3, 0.1][:components]),
            "distance": (("bin", "time"), np.outer(np.arange(1, n_bins + 1), np.maximum(time, 0))),
            "onset": ("bin", np.linspace(0.1, 0.2, n_bins)),
            "initial": ("bin", np.arange(n_bins, dtype=float)),
        },
        coords={"choice": ["left", "right"], "bin": np.arange(1.0, n_bins + 1), "time": time},
        attrs={"threshold": 0.2, "response_units": "spikes/s", "by": "rt_bin", "n_units": 7, "n_trials": 2 * n_bins},
    ).expand_dims(region=["PMd"])


@pytest.mark.parametrize("components", [2, 3])
def test_trajectories_are_ordered_in_lightness_and_choices_differ_in_line(drawn, tmp_path, components):
    trajectories.draw(paths(components=components), tmp_path / "f.svg")
    figure = drawn[0]
    told = texts(figure)
    for words in ("PC 1, spikes/s, 60 % of variance", "time from stimulus onset (s)", "choice left", "threshold"):
        assert words in told
    assert "onset of the choice (s from stimulus)" in told
    assert "10 conditions, 7 dimensions or units" in figure.get_suptitle()
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 31]
    assert [line.get_linestyle() for line in lines] == ["-"] * 5 + ["--"] * 5
    lightness = [np.dot(matplotlib.colors.to_rgb(line.get_color()), [0.3, 0.6, 0.1]) for line in lines[:5]]
    assert np.all(np.diff(lightness) > 0.05)
    distances = [line.get_ydata() for line in figure.axes[2].lines if len(line.get_xdata()) == 31]
    np.testing.assert_allclose(distances, paths()["distance"].values[0])


def test_the_same_figures_give_the_same_files(tmp_path):
    for name in "ab":
        trajectories.draw(paths(), tmp_path / f"t{name}.svg")
        psychometrics.draw([("m", curve())], tmp_path / f"p{name}.svg")
        classification.draw(accuracies(), tmp_path / f"c{name}.svg")
    for kind in "tpc":
        assert (tmp_path / f"{kind}a.svg").read_bytes() == (tmp_path / f"{kind}b.svg").read_bytes()


def test_networks_have_a_row_for_each_with_their_seeds(drawn, tmp_path):
    names = ["pfc-session=a", "pfc-session=b", "net-seed=0", "net-seed=1", "net-seed=2"]
    details = [(name, curve().assign_attrs(by=by)) for by in ("motion", "color") for name in names]
    psychometrics.draw(details, tmp_path / "f.svg", {"net": "A network"})
    axes = np.array(drawn[0].axes).reshape(2, 2)
    assert [axis.get_ylabel().split("\n")[:2] for axis in axes[:, 0]] == [
        ["pfc", "2 sessions"],
        ["A network", "3 seeds"],
    ]
    assert [axis.get_xlabel().split()[0] for axis in axes[1]] == ["motion", "color"]
    assert all(axis.get_title() for axis in axes[0])
    # Two lines for zero and one half; for each member a curve and its points; and the mean.
    assert [[len(axis.lines) for axis in row] for row in axes] == [[2 + 4 + 1] * 2, [2 + 6 + 1] * 2]
