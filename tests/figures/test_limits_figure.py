"""The figure of limits: its panels tell units, numbers, chance and what was planted; an empty one is refused."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurocompare import tables
from neurocompare.errors import UserError
from neurocompare.figures import limits


def limit():
    neurons, trials = np.array([800, 400, 200, 100, 50]), np.array([900, 450, 225])
    error = 1.0 + 30 / np.sqrt(neurons)[:, None] + 10 / np.sqrt(trials)
    return xr.Dataset(
        {
            "error": (("region", "split", "neurons", "trials"), np.stack([error, error * 1.1])[None]),
            "limit": (("region", "bound", "split"), np.array([[[2.0, 2.1], [1.8, 1.7], [2.3, 2.4]]])),
            "asymptote": (("region", "split", "varied", "coefficient"), np.ones((1, 2, 2, 2))),
        },
        coords={
            "split": ["interleaved", "chronological"],
            "neurons": neurons,
            "trials": trials,
            "bound": ["value", "low", "high"],
            "varied": ["neurons", "trials"],
            "coefficient": ["alpha", "beta"],
        },
        attrs={"period": 180.0},
    )


def threshold():
    distance, fine = np.arange(-14, 14.5, 0.5), np.linspace(-14, 14, 201)
    return xr.Dataset(
        {
            "right": (("region", "split", "distance"), 1 / (1 + np.exp(-distance))[None, None]),
            "curve": (("region", "split", "fine"), 1 / (1 + np.exp(-fine))[None, None]),
            "threshold": (("region", "bound", "split", "neurons"), np.array([1.1, 1.0, 1.2])[None, :, None, None]),
        },
        coords={
            "split": ["interleaved"],
            "distance": distance,
            "fine": fine,
            "bound": ["value", "low", "high"],
            "neurons": [800],
        },
        attrs={"n_trials": 1200},
    )


def row(recording, decoder, quantity, value, condition):
    given = {"recording": recording, "region": "all", "quantity": quantity, "value": value, "condition": condition}
    return dict.fromkeys(tables.DESCRIPTIONS, "") | given | {"description": f"decoding-target=orientation-{decoder}"}


def descriptions():
    rows = []
    for recording in ("simulated-session=two", "ape-session=1", "ape-session=2"):
        for decoder, value in (("von-mises", 2.0), ("independent", 4.0), ("population-vector", 8.0)):
            condition = "split=interleaved;neurons=800;trials=900;angles=1200"
            rows.append(row(recording, f"decoder={decoder}", "mean absolute error", value, condition))
        for averaged in (1, 2, 4):
            condition = f"averaged={averaged};null=trials"
            rows.append(row(recording, "decoder=logistic", "accuracy above 45", 0.7 + 0.05 * averaged, condition))
    return pd.DataFrame(rows)


def told(figure):
    found = figure.findobj(matplotlib.text.Text)
    return "\n".join(text.get_text() for text in found)


def test_all_panels(drawn, tmp_path):
    found = [("simulated-session=two", limit()), ("ape-session=1", xr.Dataset())]
    limits.draw(
        descriptions(),
        found,
        [("simulated-session=two", threshold())],
        {"simulated-session=two": 2.0},
        tmp_path / "f.svg",
    )
    words = told(drawn[0])
    for word in (
        "median absolute error (degrees)",
        "number of neurons",
        "number of trials",
        "900 trials, chance 45°",
        "800 neurons, chance 45°",
        "planted 2°",
        "1.10° (1.00–1.20)",
        "1,200 trials",
        "ape (2)",
        "chance",
        "population vector",
    ):
        assert word in words
    (scatter,) = [line for line in drawn[0].axes[5].lines if list(line.get_xdata()) == [2.0, 2.0]][:1]
    assert list(scatter.get_ydata()) == [4.0, 4.0]


def test_what_is_lacking_is_told(drawn, tmp_path):
    limits.draw(descriptions(), [("a", xr.Dataset())], [("a", xr.Dataset())], {}, tmp_path / "f.svg")
    words = told(drawn[0])
    assert "no recording has enough\nneurons and trials" in words
    assert "no recording has\ncontinuous angles" in words


def test_nothing_to_draw_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="figure 'limits' has nothing to draw") as error:
        limits.draw(descriptions()[:0], [], [], {}, tmp_path / "f.svg")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "f.svg").exists()
