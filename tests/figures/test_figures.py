import itertools
import xml.etree.ElementTree as ElementTree

import numpy as np
import pandas as pd
import xarray as xr

from neurocompare import tables
from neurocompare.figures import arrangement, decoding, parts, profile, rdms, recovery, sessions

TITLES = {"deep": "Deep network", "bank": "Filter bank"}
LAYERS = ["one", "two", "three"]


def scores(ceiling=(0.5, 0.7), measure="rsa-distance=correlation-compare=spearman"):
    rng = np.random.default_rng(0)
    rows = []
    for region in ("V1", "IT"):
        for network, seed, layer in [("deep", s, la) for s in (0, 1) for la in LAYERS] + [("bank", 0, "energy")]:
            value = rng.uniform(0.1, 0.4)
            rows.append(
                dict.fromkeys(tables.SCORES, "")
                | {"recording": "r", "region": region, "animal": "m", "network": network, "seed": seed, "layer": layer}
                | {"measure": measure, "value": value, "ceiling_low": ceiling[0], "ceiling_high": ceiling[1]}
                | {"null_mean": 0.0, "null_high": 0.1, "ci_low": value - 0.05, "ci_high": value + 0.05, "p_value": 0.01}
                | {
                    "n_stimuli": 40,
                    "n_animals": 1,
                    "n_units": 50,
                    "n_trials": 400,
                    "inter_animal": np.nan,
                    "time": np.nan,
                }
                | {"ceiling_kind": "bracket (trials)", "ceiling_chronological": np.nan, "claim": "new stimuli"}
            )
    return pd.DataFrame(rows)


def texts(figure):
    found = [legend_text.get_text() for legend in figure.legends for legend_text in legend.get_texts()]
    for axis in figure.axes:
        found += [axis.get_title(), axis.get_xlabel(), axis.get_ylabel()]
    return "\n".join(found)


def test_profile_states_ceiling_null_interval_and_sizes(drawn, tmp_path):
    agreement = pd.DataFrame(
        {
            "recording": "r",
            "region": ["IT"],
            "description": "agreement-compare=spearman",
            "condition": "of=V1",
            "value": 0.45,
        }
    )
    profile.draw(scores(), TITLES, tmp_path / "f.svg", agreement)
    told = texts(drawn[0])
    for words in ("noise ceiling", "shuffled", "range of 2 seeds", "Filter bank", "layer", "RSA, spearman"):
        assert words in told
    assert "IT: 40 stimuli, 50 units, 400 trials" in told
    assert "the RDM of V1" in told
    panel = drawn[0].axes[1]
    assert any(np.allclose(line.get_ydata(), 0.45) for line in panel.lines)
    assert ElementTree.parse(tmp_path / "f.svg").getroot().tag.endswith("svg")


def test_profile_draws_no_ceiling_where_there_is_none(drawn, tmp_path):
    profile.draw(scores(ceiling=(np.nan, np.nan)), TITLES, tmp_path / "f.svg")
    assert "noise ceiling" not in texts(drawn[0])


def test_profile_shows_the_mean_over_animals_with_its_kind_of_ceiling_and_the_inter_animal_score(drawn, tmp_path):
    table = pd.concat(
        [scores().assign(animal=name) for name in ("all", "a", "b", "mean RDM", "pooled")], ignore_index=True
    )
    mean = {"n_animals": 2, "inter_animal": 0.33, "value": 0.25, "ceiling_kind": "bracket (animals)"}
    table.loc[table["animal"] == "all", list(mean)] = list(mean.values())
    profile.draw(table, TITLES, tmp_path / "f.svg")
    told = texts(drawn[0])
    assert "IT: 40 stimuli, 50 units, 400 trials, 2 subjects" in told
    assert "noise ceiling, bracket from leaving animals out" in told and "halves of the trials" not in told
    for panel in drawn[0].axes:
        drawn_at = [line.get_ydata() for line in panel.lines]
        assert any(np.allclose(y, 0.33) for y in drawn_at), "no inter-animal line"
        assert any(len(y) == len(LAYERS) and np.allclose(y, 0.25) for y in drawn_at), "not the mean over animals"


def test_profile_draws_an_estimated_ceiling_as_a_line_and_averages_over_time(drawn, tmp_path):
    table = scores(ceiling=(0.6, 0.6)).assign(ceiling_kind="estimate (trials)")
    later = table.assign(time=0.1, value=table["value"] + 0.2)
    profile.draw(pd.concat([table.assign(time=0.0), later], ignore_index=True), TITLES, tmp_path / "f.svg")
    assert "noise ceiling, estimate" in texts(drawn[0])
    assert "mean over 2 time bins" in texts(drawn[0])
    panel = drawn[0].axes[0]
    assert any(np.allclose(line.get_ydata(), 0.6) for line in panel.lines)
    expected = table[(table["region"] == "V1") & (table["network"] == "deep")].groupby("layer")["value"].mean()[LAYERS]
    assert any(np.allclose(line.get_ydata(), expected + 0.1) for line in panel.lines if len(line.get_ydata()) == 3)


def test_profile_turns_the_axis_of_a_distance(drawn, tmp_path):
    profile.draw(scores(measure="procrustes-angular"), TITLES, tmp_path / "f.svg")
    panel = drawn[0].axes[0]
    assert panel.yaxis_inverted()
    assert panel.get_ylabel() == "Procrustes angle (rad)\nless is more alike"
    # The 95th percentile of shuffled distances is the wrong end.
    assert "mean of shuffled stimuli" in texts(drawn[0]) and "95 % of shuffled" not in texts(drawn[0])


def test_the_same_figure_gives_the_same_file(tmp_path):
    for name in ("a.svg", "b.svg"):
        profile.draw(scores(), TITLES, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def matrices(n=12):
    points = np.random.default_rng(1).standard_normal((n, 2))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    return points, {"first": distances, "second": distances**2}


def test_rdms_are_ranked_and_grouped_by_category_in_order_of_appearance(drawn, tmp_path):
    _, found = matrices()
    rdms.draw(found, np.array(["face", "house"] * 6), tmp_path / "f.svg")
    first, second = (axis.images[0].get_array() for axis in drawn[0].axes[:2])
    # Squaring keeps ranks, so both panels are the same.
    np.testing.assert_allclose(np.nan_to_num(first), np.nan_to_num(second))
    order = np.r_[np.arange(0, 12, 2), np.arange(1, 12, 2)]
    shown = found["first"][np.ix_(order, order)]
    assert np.unravel_index(np.nanargmax(np.asarray(first)), shown.shape) in [
        tuple(cell) for cell in np.argwhere(shown == shown.max())
    ]
    assert np.nanmin(first) == 0 and np.nanmax(first) == 100
    assert [tick.get_text() for tick in drawn[0].axes[0].get_yticklabels()] == ["face", "house"]


def test_arrangement_recovers_planar_distances():
    points, found = matrices()
    placed, stress = arrangement.scaled(found["first"])
    distances = np.linalg.norm(placed[:, None] - placed[None], axis=2)
    assert stress < 0.05
    np.testing.assert_allclose(distances, found["first"], atol=0.3)


def test_arrangement_turns_panels_alike(drawn, tmp_path):
    _, found = matrices()
    images = xr.DataArray(np.zeros((12, 8, 8, 3), np.uint8), dims=("stimulus", "y", "x", "channel"))
    arrangement.draw(
        {"a": found["first"], "b": found["first"].copy()}, images, np.array(["x", "y"] * 6), tmp_path / "f.svg"
    )
    first, second = ([artist.xy for artist in axis.artists] for axis in drawn[0].axes[:2])
    np.testing.assert_allclose(first, second, atol=1e-6)


def described(quantity, condition, value, **extra):
    row = dict.fromkeys(tables.DESCRIPTIONS, "") | {"quantity": quantity, "condition": condition, "value": value}
    row |= {"null_mean": 0.5, "null_high": 0.6, "ci_low": value * 0.9, "ci_high": value * 1.1}
    return row | {"n_stimuli": 32, "n_units": 100, "n_trials": 200, "recording": "r"} | extra


ORIENTATION = {"description": "decoding-target=orientation-decoder=von-mises"}


def test_decoding_labels_units_and_draws_both_splits(drawn, tmp_path):
    # The inventory, of all regions, comes first in a study.
    rows = [described("units", "", 100, description="inventory", region="all")]
    rows += [
        described("median absolute error", f"split={split};neurons={n};trials={t}", 30 / n, **ORIENTATION)
        for split in ("interleaved", "chronological")
        for n, t in ((10, 100), (20, 100), (20, 50))
    ]
    rows += [
        described("accuracy above 45", f"averaged={k};null={null}", 0.8, description="decoding-target=above-45")
        for k in (1, 2)
        for null in ("a", "b")
    ]
    decoding.draw(pd.DataFrame(rows), tmp_path / "f.svg")
    told = texts(drawn[0])
    assert "median absolute error (degrees)" in told and "number of neurons" in told and "number of trials" in told
    against_neurons = drawn[0].axes[0].lines[0]
    np.testing.assert_allclose(against_neurons.get_xdata(), [10, 20])
    np.testing.assert_allclose(against_neurons.get_ydata(), [3, 1.5])


def test_recovery_counts_the_best_and_says_what_is_separable(drawn, tmp_path):
    rows = []
    for seed, (generator, best) in itertools.product(range(4), (("deep", "deep"), ("bank", "deep"))):
        for network in TITLES:
            rows.append(
                {"measure": "m", "generator": generator, "seed": seed, "network": network}
                | {"best": network == best, "separable": network == best and generator == "deep" and seed < 3}
            )
    recovery.draw(pd.DataFrame(rows), TITLES, tmp_path / "f.svg")
    written = [text.get_text() for text in drawn[0].axes[0].texts]
    assert written == ["4\n(3)", "0", "4\n(0)", "0"]
    assert "not separable: 5 of 8" in texts(drawn[0])


def test_parts_marks_the_chosen_rank(drawn, tmp_path):
    details = xr.Dataset(
        {
            "weight": (("stimulus", "part_number"), np.random.default_rng(0).random((10, 3))),
            "error": ("rank", [0.5, 0.4, 0.35, 0.36]),
            "standard_error": ("rank", [0.02] * 4),
        },
        coords={"rank": [1, 2, 3, 4]},
    )
    rows = [
        described("number of parts", "", 3, description="nmf-loss=frobenius"),
        described("stability over starts", "", 0.9, description="nmf-loss=frobenius", ci_low=np.nan, ci_high=np.nan),
        described("reproducibility of parts", "", 0.8, description="nmf-loss=frobenius"),
    ]
    parts.draw(pd.DataFrame(rows), details, tmp_path / "f.svg")
    assert any(np.allclose(line.get_xdata(), 3) for line in drawn[0].axes[0].lines)
    assert "10 stimuli" in texts(drawn[0]) and "100 units, 200 trials" in texts(drawn[0])


def test_sessions_states_the_number_of_units(drawn, tmp_path):
    rows = [
        described("accuracy", f"folds={folds};classes=8", 0.8, recording=f"monkey-session={k}", n_units=10 + k)
        for k in (1, 2)
        for folds in ("block", "stratified")
    ]
    sessions.draw(pd.DataFrame(rows), tmp_path / "f.svg")
    assert [label.get_text() for label in drawn[0].axes[0].get_xticklabels()] == ["1\n11", "2\n12"]
