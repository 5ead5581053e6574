"""Fixed points of networks that can be worked out by hand, through the description."""

import dataclasses

import numpy as np
import pytest
import torch

from neurocompare import datasets, tasks
from neurocompare.errors import UserError
from neurocompare.network_description import fixed
from neurocompare.recurrent import definition, storage


def network(kind, task, options, weights, **cell):
    made = definition.of_entry({"cell": {"kind": kind, **cell}}, {"task": task, "options": options})
    given = {name: torch.zeros(shape) for name, shape in made.cell.shapes().items()}
    given |= {name: torch.as_tensor(np.asarray(w), dtype=torch.float32) for name, w in weights.items()}
    units = np.full(made.cell.units, "none")
    return storage.Trained(made, made.cell, given, units, units, "0" * 64, {})


def table(rows):
    return {(row["quantity"], row["condition"]): row["value"] for row in rows}


def test_three_independent_latches_have_27_points():
    # Each bit is a unit with x = 2 tanh(x) + u: three fixed points, at 0 and ±1.915; the other units do nothing.
    n = 8
    weights = {"recurrent": np.diag([2.0] * 3 + [0.0] * (n - 3)), "input": np.eye(n, 3) * 6, "output": np.eye(3, n)}
    rows, details = fixed.describe_network(
        network("rate", "flipflop", {}, weights, units=n), None, "fixed-points", seed=1
    )
    values = table(rows)
    told = "input=no pulse"
    assert values["fixed points", told] == 27
    assert values["stable fixed points", told] == 8
    counts = [values["fixed points with unstable dimensions", f"{told};unstable={k}"] for k in range(4)]
    assert counts == [8, 12, 6, 1]
    assert values["index sum", told] == 1
    assert values["greatest q of fixed points", told] < 1e-18
    assert values["fewest starts to a fixed point", told] >= 1
    assert 0 <= values["starts to points found once", told] < 0.1
    assert values["states still moving", told] == 0
    # Slope at 0: 1 − α + 2 α with α = 0.2.
    assert np.isclose(details["eigenvalue_real"].values[details["unstable"].values == 3, :3], 1.2).all()
    assert details["is_fixed"].values.all()
    # States move in three dimensions only.
    assert details["variance"].values.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("hertz", [0.5, 1.5])
def test_the_frequency_of_a_rotation_is_found_for_every_input(hertz):
    # Two units that turn by 2π f dt in a step, scaled a little beyond 1, so that they spiral out of the origin.
    dt, alpha, growth = 0.02, 0.2, 1.01
    angle = 2 * np.pi * hertz * dt
    turn = growth * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    recurrent = np.zeros((4, 4))
    recurrent[:2, :2] = (turn - (1 - alpha) * np.eye(2)) / alpha
    weights = {"recurrent": recurrent, "initial": np.array([0.3, 0, 0, 0])}
    trained = network("rate", "sine", {"levels": 3}, weights, units=4)
    rows, _ = fixed.describe_network(trained, None, "fixed-points", seed=1)
    values = table(rows)
    for told in ("frequency=0.5", "frequency=1.5", "frequency=2.5"):
        assert values["fixed points", told] == 1
        assert values["frequency of leading pair", f"{told};point=1;unstable=2"] == pytest.approx(hertz, rel=1e-4)
        assert values["growth of leading pair", f"{told};point=1;unstable=2"] == pytest.approx(
            np.log(growth) / dt, rel=1e-3
        )
        assert values["states still moving", told] > 0


def test_every_input_has_the_points_of_its_own_value():
    # A unit that is silent below an input of one half, and else sends itself a half of what it has.
    weights = {"recurrent": 0.5 * np.eye(2), "input": np.full((2, 1), 2.0), "bias": np.full(2, -1.0)}
    trained = network("rate", "sine", {"levels": 3}, weights, units=2, activation="relu")
    _, details = fixed.describe_network(trained, None, "fixed-points", seed=1)
    leading = details["eigenvalue_real"].values[:, 0]
    static = tasks.load("sine").static(levels=3)
    for name, value in static.items():
        mine = leading[details["input"].values.astype(str) == name]
        np.testing.assert_allclose(mine, [0.8 if value[0] < 0.5 else 0.9], atol=1e-6)
    assert {round(float(value), 6) for value in leading} == {0.8, 0.9}


def test_all_inputs_are_named_even_those_without_points(monkeypatch, tmp_path):
    found = fixed.fixed_points.find_each

    def without_first(*arguments, **options):
        (points,) = found(*arguments, **options)
        none = np.zeros(len(points[0].points), dtype=bool)
        lost = {name: getattr(points[0], name)[none] for name in ("points", "jacobians", "q", "is_fixed", "found")}
        return [[dataclasses.replace(points[0], **lost), *points[1:]]]

    monkeypatch.setattr(fixed.fixed_points, "find_each", without_first)
    trained = network("rate", "sine", {"levels": 3}, {"input": np.full((2, 1), 2.0)}, units=2)
    _, details = fixed.describe_network(trained, None, "fixed-points", seed=1)
    datasets.write(details, tmp_path / "fixed-points.nc")
    read = datasets.read(tmp_path / "fixed-points.nc")
    names = list(tasks.load("sine").static(levels=3))
    assert list(read.attrs["inputs"]) == names
    assert list(dict.fromkeys(read["input"].values.tolist())) == names[1:]


def test_rows_are_complete_and_units_named():
    weights = {"recurrent": np.zeros((3, 3)), "input": np.eye(3)}
    rows, _ = fixed.describe_network(network("vanilla", "flipflop", {}, weights, units=3), None, "fixed-points", seed=0)
    assert {row["status"] for row in rows} <= {"no_null;no_interval;no_ceiling", "undefined"}
    assert all(row["n_units"] == 3 for row in rows)
    assert table(rows)["fixed points", "input=no pulse"] == 1


def test_options_are_refused():
    trained = network("vanilla", "flipflop", {}, {}, units=3)
    with pytest.raises(UserError, match="must read fixed-points"):
        fixed.describe_network(trained, None, "fixed-points-by=x", seed=0)


def test_flow_is_that_of_the_map_in_a_plane_with_the_axis_of_choice():
    # Units that leak with their own input: ẋ = (W x − x + u) / τ, and the output reads the first.
    weights = {"recurrent": np.diag([0.9, 0.2, 0.1]), "input": np.eye(3, 4), "output": [[1.0, 0, 0]]}
    trained = network("rate", "context_integration", {"noise": 0.0}, weights, units=3, activation="tanh", noise=0.01)
    rows, details = fixed.describe_network(trained, None, "fixed-points", seed=1)
    assert details.attrs["dt"] == 0.02
    assert str(details["flow_axis"].values) == "choice axis"
    assert details["flow_input"].values.tolist() == ["context=motion", "context=color"]
    x, y = details["flow_x"].values[0], details["flow_y"].values[0]
    speed = details["flow_speed"].values[0]
    # It is slowest near the only point, which lies in the plane.
    point = details["flow_point"].values[details["input"].values.astype(str) == "context=motion"]
    row, column = np.unravel_index(speed.argmin(), speed.shape)
    assert np.abs(point[:, 0] - x[column]).min() <= x[1] - x[0]
    assert np.abs(point[:, 1] - y[row]).min() <= y[1] - y[0]
    # Everything flows towards it.
    velocity = details["flow_velocity"].values[0]
    grid = np.stack(np.meshgrid(x, y), -1) - point[0]
    assert (np.einsum("rcd,rcd->rc", grid, velocity)[np.linalg.norm(grid, axis=-1) > 0.3] < 0).all()
    assert (np.linalg.norm(velocity, axis=-1) <= speed + 1e-9).all()
    # Nothing else is moving: the two contexts add to units of their own, and those are at rest at the point.
    assert 0 < details["flow_inside"].values[0] <= 1
    speeds = {row["condition"]: row["value"] for row in rows if row["quantity"] == "speed of states"}
    assert speeds["epoch=stimulus"] > 0 and "epoch=delay" not in speeds


def test_tasks_without_two_choices_show_principal_components_and_few_inputs():
    weights = {"recurrent": 0.5 * np.eye(2), "input": np.full((2, 1), 2.0)}
    trained = network("rate", "sine", {"levels": 6}, weights, units=2)
    _, details = fixed.describe_network(trained, None, "fixed-points", seed=1)
    assert str(details["flow_axis"].values) == "PC 1"
    assert details.sizes["flow"] == fixed.FLOWS
    shown = np.isin(details["input"].values.astype(str), details["flow_input"].values.astype(str))
    assert (
        np.isfinite(details["flow_point"].values[shown]).all() and np.isnan(details["flow_point"].values[~shown]).all()
    )
