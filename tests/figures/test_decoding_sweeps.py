"""Figures of sweeps and of generalisation: what is drawn is what was given, with chance, nulls, units and numbers."""

import numpy as np
import pytest
import xarray as xr

from neurocompare.errors import UserError
from neurocompare.figures import generalisation, sweep


def curve(over, sizes):
    shape = (1, 2, 1, len(sizes))
    value = np.linspace(0.3, 0.9, len(sizes)) + np.zeros(shape)
    value[:, 1, :, 0] = np.nan  # sizes that only the other split has
    parts = {"accuracy": value, "low": value - 0.1, "high": value + 0.1, "null_high": value * 0 + 0.35}
    dims = ("region", "split", "classifier", "size")
    names = {"region": ["V1"], "split": ["chronological", "interleaved"], "classifier": ["lda"], "size": sizes}
    attrs = {"over": over, "label": "grating_side", "classes": 4, "pooled": ""}
    dataset = xr.Dataset({k: (dims, v) for k, v in parts.items()}, coords=names, attrs=attrs)
    return dataset.assign(n_units=("region", [42]), n_trials=("region", [160]))


def square(over, names, q=None):
    n = len(names)
    accuracy = np.full((1, 1, n, n), 0.5)
    accuracy[0, 0][np.eye(n, dtype=bool)] = 0.9
    parts = {"accuracy": accuracy, "null_high": np.full_like(accuracy, 0.6)}
    parts |= {"q": q} if q is not None else {}
    attrs = {"over": over, "label": "side", "classes": 2, "pooled": " of pooled units", "classifier": "lda"}
    attrs |= {"phases": "stimulus=0;delay=0.2"} if over == "time" else {}
    dims = ("region", "split", "train", "test")
    dataset = xr.Dataset(
        {k: (dims, v) for k, v in parts.items()},
        coords={"region": ["PFC"], "split": ["chronological"], "train": names, "test": names},
        attrs=attrs,
    )
    return dataset.assign(n_units=("region", [12]), n_trials=("region", [99]))


def texts(axis):
    found = [axis.get_title(), axis.get_xlabel(), axis.get_ylabel(), *(t.get_text() for t in axis.texts)]
    return "\n".join(found + [t.get_text() for t in axis.get_xticklabels()])


def test_a_sweep_shows_its_values_chance_null_and_numbers(drawn, tmp_path):
    details = [("a", curve("neurons", [2, 4, 8])), ("b", curve("time", [-0.1, 0.1, 0.3]))]
    sweep.draw(details, tmp_path / "f.svg")
    (figure,) = drawn
    first, second = figure.axes
    np.testing.assert_allclose(first.lines[0].get_xydata(), [[2, 0.3], [4, 0.6], [8, 0.9]])
    assert len(first.lines[2].get_xdata()) == 2
    assert [line.get_ydata()[0] for line in first.lines if line.get_label() == "chance"] == [0.25]
    assert "a\nV1: 42 units, 160 trials" in texts(first) and "number of neurons" in texts(first)
    assert "balanced accuracy, 4 values of\ngrating side" in texts(first)
    assert "time from onset (s)" in texts(second)
    legend = [t.get_text() for t in figure.legends[0].get_texts()]
    assert {"lda, chronological", "lda, interleaved", "95 % of shuffled labels", "chance"} == set(legend)


def test_a_matrix_shows_time_epochs_and_what_is_significant(drawn, tmp_path):
    time = np.array([-0.1, 0.0, 0.1, 0.2, 0.3])
    q = np.where(np.eye(5, dtype=bool), 0.01, 0.5)[None, None]
    generalisation.draw([("a", square("time", time, q))], tmp_path / "f.svg")
    axis, bar = drawn[0].axes
    np.testing.assert_allclose(axis.images[0].get_array(), np.where(np.eye(5), 0.9, 0.5))
    assert axis.images[0].get_extent() == pytest.approx([-0.15, 0.35, -0.15, 0.35])
    told = texts(axis)
    for words in (
        "tested at (s from onset)",
        "false discovery rate",
        "stimulus",
        "delay",
        "12 pooled units, 99 trials",
    ):
        assert words in told
    assert "learned at" in axis.get_ylabel() and bar.get_ylabel() == "balanced accuracy"
    assert "chance 0.5" in [t.get_text() for t in bar.get_yticklabels()]


def test_a_matrix_of_conditions_has_its_numbers(drawn, tmp_path):
    generalisation.draw([("a", square("context", ["color", "motion"]))], tmp_path / "f.svg")
    told = texts(drawn[0].axes[0])
    assert "0.90*" in told and "0.50\n" in told and "color" in told and "tested at context" in told


@pytest.mark.parametrize("figure", [sweep, generalisation])
def test_nothing_to_draw_is_told_in_one_line(figure, tmp_path):
    with pytest.raises(UserError, match=r"descriptions.tsv") as error:
        figure.draw([("a", xr.Dataset())], tmp_path / "f.svg")
    assert "\n" not in str(error.value) and not list(tmp_path.iterdir())
