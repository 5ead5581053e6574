"""The figure of learning draws what the tables hold, a column for each network and a line for each seed."""

import numpy as np
import pandas as pd
import pytest

from neurocompare import tables
from neurocompare.errors import UserError
from neurocompare.figures import learning


def curves(**networks):
    rows = []
    for name, seeds in networks.items():
        for seed in range(seeds):
            for update in (0, 50, 100):
                numbers = {"rate": 0.01, "loss": 1.0, "penalty": 0.0, "gradient_norm": 1.0}
                rows.append(
                    numbers
                    | {"network": name, "seed": seed, "update": update, "stage": int(update > 50)}
                    | {"error": np.exp(-update / 50), "performance": 0.5 + update / 250 + seed / 100}
                )
    return pd.DataFrame(rows)[tables.CURVES]


def test_lines_are_seeds_and_columns_networks(drawn, tmp_path):
    table = curves(b=2, a=3)
    learning.draw(table, {"a": "First", "untrained": "No curve", "b": "Second"}, tmp_path / "x.svg")
    (figure,) = drawn
    axes = np.array(figure.axes).reshape(2, 2)
    assert [axis.get_title() for axis in axes[0]] == ["First", "Second"]
    for column, (name, seeds) in enumerate({"a": 3, "b": 2}.items()):
        for row, quantity in enumerate(("error", "performance")):
            lines = [line for line in axes[row, column].lines if line.get_linestyle() == "-"]
            assert len(lines) == seeds
            for seed, line in enumerate(lines):
                mine = table[(table.network == name) & (table.seed == seed)]
                np.testing.assert_array_equal(line.get_ydata(), mine[quantity])
    assert axes[0, 0].get_yscale() == "log"
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["mean squared error", "fraction correct"]


def test_stages_are_marked_where_they_begin(drawn, tmp_path):
    learning.draw(curves(a=1), {"a": "A"}, tmp_path / "x.svg")
    dotted = [line for line in drawn[0].axes[0].lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in dotted] == [100]


def test_a_study_without_training_is_refused(tmp_path):
    with pytest.raises(UserError, match="no network of the study is trained here; leave the figure out"):
        learning.draw(curves(a=1), {"b": "B"}, tmp_path / "x.svg")
