"""The figure of scores at every pair of times."""

import numpy as np
import pandas as pd
import pytest

from neurocompare.errors import UserError
from neurocompare.figures import lags

TIME = [0.15, 0.25, 0.35]


def table(measure, sign):
    rows = [
        {
            "recording": "pfc",
            "region": "PFC",
            "network": network,
            "seed": seed,
            "layer": layer,
            "measure": measure,
            "time": t,
            "network_time": u - 0.1,
            "lag": round(u - t, 9),
            "value": sign * ((layer == "good") * (1 - abs(u - t) * 4) + 0.01 * seed),
            "null_mean": 0.0,
            "p_all_times": 0.01 if layer == "good" and u == t else 0.5,
        }
        for network in ("a", "b")
        for seed in (0, 1)
        for layer in ("poor", "good")
        for t in TIME
        for u in TIME
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("measure", "sign"), [("cka-kernel=linear-hsic=song", 1), ("procrustes-angular", -1)])
def test_the_best_layer_is_shown_with_distances_turned(measure, sign, drawn, tmp_path):
    rows = table(measure, sign)
    found = lags.matrix(rows[rows["network"] == "a"], measure)
    assert found.attrs["layer"] == "good"
    assert np.allclose(np.diag(found["relative"]), 1 + sign * 0.005 * sign)
    assert np.array_equal(found["share"].values, np.eye(3))
    lags.draw(rows, {"a": "Network A", "b": "Network B"}, str(tmp_path / "lags.svg"))
    (figure,) = drawn
    panels = [axis for axis in figure.axes if axis.images]
    assert len(panels) == 2 and panels[0].get_title().startswith("Network A, good")
    shown = panels[0].images[0]
    assert shown.get_array()[0, 0] == pytest.approx(found["relative"].values[0, 0])
    assert shown.get_extent() == pytest.approx([0, 0.3, 0.1, 0.4])


def test_a_table_without_scores_is_refused(tmp_path):
    rows = table("procrustes-angular", 1).assign(value=np.nan)
    with pytest.raises(UserError, match="lags.tsv"):
        lags.draw(rows, {"a": "A"}, str(tmp_path / "lags.svg"))
    assert not list(tmp_path.iterdir())
