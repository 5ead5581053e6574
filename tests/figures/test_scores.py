"""Figures of scores: what is shown is what is in the tables, in the units and the direction that the axes say."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from scipy.stats import spearmanr

from neurocompare import multiverse, similarity, tables
from neurocompare.errors import UserError
from neurocompare.figures import families, forest, heatmap, scored, style
from neurocompare.figures import multiverse as curve

RSA = "rsa-distance=correlation-compare=spearman"
CKA = "cka-kernel=linear-hsic=song"
ANGLE = "procrustes-angular"
TITLES = {"deep": "Deep network", "bank": "Filter bank"}
LAYERS = ["one", "two", "three", "four"]


def row(**own):
    blank = dict.fromkeys(tables.SCORES, np.nan) | dict.fromkeys(("ceiling_kind", "influential_stimulus"), "")
    usual = {"recording": "r", "region": "V1", "animal": "m", "seed": 0, "measure": RSA, "claim": "new stimuli"}
    usual |= {"value": 0.3, "ci_low": 0.2, "ci_high": 0.4, "null_mean": 0.0, "null_high": 0.1, "p_value": 0.001}
    usual |= {"n_stimuli": 40, "n_animals": 1, "n_units": 50, "n_features": 500, "n_trials": 400, "status": "ok"}
    return blank | usual | own


def scores(measures=(RSA, CKA, ANGLE), regions=("V1", "IT"), seed=0):
    """Two networks; similarity by CKA is half of that by RSA, and angles are π/2 less what RSA says."""
    rng = np.random.default_rng(seed)
    rows = []
    for region in regions:
        planted = {(n, la): rng.uniform(0.1, 0.5) for n, layers in NETWORKS.items() for la in [*layers, "selected"]}
        for measure, (network, layer) in itertools.product(measures, planted):
            score = planted[network, layer]
            value = {RSA: score, CKA: score / 2, ANGLE: np.pi / 2 - score}.get(measure, score)
            own = {"region": region, "measure": measure, "network": network, "layer": layer, "value": value}
            own |= {"ci_low": value - 0.05, "ci_high": value + 0.07}
            if measure == ANGLE:
                own |= {"null_mean": 1.5, "null_high": 1.55, "ceiling_low": 1.0, "ceiling_high": 0.7}
            elif measure == RSA:
                own |= {"ceiling_low": 0.5, "ceiling_high": 0.8, "ceiling_kind": "bracket (trials)"}
            else:
                own |= {"ceiling_low": 0.6, "ceiling_high": 0.6, "ceiling_kind": "estimate (trials)"}
            if layer == "selected":
                own |= dict.fromkeys(("null_mean", "null_high", "p_value", "ceiling_low", "ceiling_high"), np.nan)
            rows.append(row(**own))
    return pd.DataFrame(rows)


NETWORKS = {"deep": LAYERS, "bank": ["energy"]}


def texts(figure):
    found = [figure.get_suptitle()]
    for legend in figure.legends:
        found += [legend.get_title().get_text(), *[text.get_text() for text in legend.get_texts()]]
    for axis in figure.axes:
        found += [axis.get_title(), axis.get_title(loc="left"), axis.get_xlabel(), axis.get_ylabel()]
        found += [text.get_text() for text in [*axis.texts, *axis.get_xticklabels(), *axis.get_yticklabels()]]
    return "\n".join(found)


# --- which rows, on which scale


def test_the_mean_over_animals_is_shown_where_there_are_several():
    table = pd.DataFrame(
        [
            row(network="deep", layer="one", animal=a, value=v)
            for a, v in (("all", 2), ("a", 1), ("b", 3), ("pooled", 9))
        ]
        + [row(network="deep", layer="one", region="IT", animal="c", value=5)]
    )
    found = scored.shown(table)
    assert found["value"].tolist() == [2, 5]
    assert found["animal"].tolist() == ["all", "c"]


def test_time_bins_and_seeds_are_averaged_and_their_p_values_doubled():
    p_values = (0.01, 0.03, 0.2, 0.4)
    table = pd.DataFrame(
        [
            row(network="deep", layer="one", seed=s, time=t, value=s + 10 * t, p_value=p)
            for (s, t), p in zip(itertools.product((0, 1), (0.1, 0.2)), p_values, strict=True)
        ]
        + [row(network="bank", layer="energy", p_value=0.04)]
    )
    over_time = scored.shown(table)
    assert over_time["n_times"].tolist() == [2, 2, 1]
    np.testing.assert_allclose(over_time["value"], [1.5, 2.5, 0.3])
    np.testing.assert_allclose(over_time["p_value"], [0.04, 0.6, 0.04])
    both = scored.over_seeds(over_time)
    assert both["n_seeds"].tolist() == [2, 1]
    np.testing.assert_allclose(both["value"], [2.0, 0.3])
    np.testing.assert_allclose(both["p_value"], [0.64, 0.04])


def test_twice_the_mean_of_p_values_holds_for_any_dependence():
    rng = np.random.default_rng(0)
    for share in (0.0, 0.7, 1.0):
        common = rng.uniform(size=(20000, 1))
        p_values = np.where(rng.uniform(size=(20000, 6)) < share, common, rng.uniform(size=(20000, 6)))
        assert np.mean(2 * p_values.mean(1) < 0.05) < 0.053


def test_a_mean_over_time_is_undefined_where_one_bin_is():
    table = pd.DataFrame([row(network="deep", layer="one", time=t, value=v) for t, v in ((0.1, 1.0), (0.2, np.nan))])
    assert np.isnan(scored.shown(table)["value"].iloc[0])


def test_scores_are_in_units_of_the_ceiling_and_distances_on_the_way_to_it():
    cases = [
        (row(value=0.2, ceiling_low=0.3, ceiling_high=0.4), 0.5, False),
        (row(value=-0.1, ceiling_low=0.5, ceiling_high=0.5), -0.2, False),
        (row(value=0.2), 0.2, True),
        (row(value=0.2, ceiling_low=-0.2, ceiling_high=-0.1), 0.2, True),
        (row(measure=ANGLE, value=1.1, null_mean=1.5, ceiling_low=0.7, ceiling_high=1.0), 0.5, False),
        (row(measure=ANGLE, value=1.5, null_mean=1.5, ceiling_low=0.7, ceiling_high=1.0), 0.0, False),
        (row(measure=ANGLE, value=0.7, null_mean=1.5, ceiling_low=0.7, ceiling_high=1.0), 1.0, False),
        # Half a bracket is none.
        (row(value=0.2, ceiling_high=0.4), 0.2, True),
        (row(measure=ANGLE, value=1.2, null_mean=1.5), 0.2, True),
        (row(value=np.nan, ceiling_low=0.3, ceiling_high=0.4), np.nan, False),
    ]
    value, raw = scored.scaled(pd.DataFrame([one for one, _, _ in cases]))
    np.testing.assert_allclose(value, [v for _, v, _ in cases])
    assert raw.tolist() == [r for _, _, r in cases]


def test_labels_of_measures_are_distinct_and_tell_every_option():
    found = {name: style.measure_label(name) for name in similarity.measures().index}
    assert len(set(found.values())) == len(found)
    assert style.measure_label(RSA) == "RSA, spearman"
    assert style.measure_label("ridge-folds=5") == "encoding r, folds: 5"
    assert style.measure_label(f"{CKA}-responses=zscore") == "CKA, unbiased, units z-scored"
    assert style.measure_label("other-new=thing") == "other, new thing"


# --- heat map


def test_heatmap_lays_out_values_corrects_within_the_panel_and_marks_the_best():
    p_values = [0.001, 0.02, 0.03, 0.04, 0.9]
    rows = pd.DataFrame([row(network="deep", layer=f"l{k}", p_value=p, value=k / 10) for k, p in enumerate(p_values)])
    found = heatmap.grid(scored.over_seeds(scored.shown(rows)), [f"l{k}" for k in range(5)], [RSA, CKA])
    np.testing.assert_allclose(found["value"][:, 0], [0, 0.1, 0.2, 0.3, 0.4])
    assert np.isnan(found["value"][:, 1]).all()
    # Benjamini & Hochberg by hand: the smallest of p·n/rank from here on.
    np.testing.assert_allclose(found["q"][:, 0], [0.005, 0.05, 0.05, 0.05, 0.9])
    assert found["best"][:, 0].tolist() == [False] * 4 + [True]
    assert not found["best"][:, 1].any()


def test_the_best_of_a_distance_is_the_nearest():
    rows = scored.over_seeds(scored.shown(scores(measures=(RSA, ANGLE), regions=("V1",))))
    mine = rows[(rows["network"] == "deep") & (rows["layer"] != "selected")]
    best = heatmap.grid(mine, LAYERS, [RSA, ANGLE])["best"]
    np.testing.assert_array_equal(best[:, 0], best[:, 1])


def test_heatmap_has_a_panel_for_each_region_and_network_and_says_what_the_units_are(drawn, tmp_path):
    table = scores()
    table.loc[(table["region"] == "V1") & (table["measure"] == CKA), ["ceiling_low", "ceiling_high"]] = np.nan
    table.loc[(table["measure"] == RSA) & (table["region"] == "IT"), "null_mean"] = 0.4
    heatmap.draw(table, TITLES, tmp_path / "f.svg")
    panels = [axis for axis in drawn[0].axes if axis.get_title(loc="left")]
    assert len(panels) == 4
    told = texts(drawn[0])
    for words in (
        *("V1: 40 stimuli, 50 units, 400 trials\nDeep network", "Filter bank", "RSA, spearman", "raw"),
        *(
            "Procrustes angle (distance)",
            "score / noise ceiling; distance: part of the way",
            "not above the null (q ≥ .05)",
        ),
    ):
        assert words in told
    above = {axis.get_title(loc="left")[:2]: [t.get_text() for t in axis.texts] for axis in panels if axis.texts}
    assert above == {"V1": ["", "raw", ""], "IT": ["null .50", "", ""]}


def test_heatmap_hatches_what_is_not_above_the_null_and_sets_distances_apart(drawn, tmp_path):
    table = scores(regions=("V1",))
    hidden = (table["network"] == "deep") & (table["layer"] == "two") & (table["measure"] == CKA)
    table.loc[hidden, "p_value"] = 0.3
    heatmap.draw(table, TITLES, tmp_path / "f.svg")
    panel = next(axis for axis in drawn[0].axes if "Deep" in axis.get_title(loc="left"))
    cells = [patch for patch in panel.patches if isinstance(patch, Rectangle)]
    hatched = [patch for patch in cells if patch.get_hatch()]
    assert [(patch.get_x() + 0.5, patch.get_y() + 0.5) for patch in hatched] == [(1.0, 1.0)]
    assert sorted({patch.get_x() + 0.5 for patch in cells}) == [0.0, 1.0, 2.3]
    colours = {
        (patch.get_x() + 0.5, patch.get_y() + 0.5): np.dot(patch.get_facecolor()[:3], [0.3, 0.6, 0.1])
        for patch in cells
        if not patch.get_hatch()
    }
    values = heatmap.grid(
        scored.over_seeds(scored.shown(table[(table["network"] == "deep") & (table["layer"] != "selected")])),
        LAYERS,
        [RSA, CKA, ANGLE],
    )["value"]
    # Lighter is higher, also for a reader without colour vision or a printer without colours.
    shade = np.array([[colours[x, y] for x in (0.0, 1.0, 2.3)] for y in range(4)])
    assert spearmanr(values.ravel(), shade.ravel())[0] > 0.999


# --- forest


def test_forest_shows_the_network_first_and_then_its_best_layers():
    rows = scored.over_seeds(scored.shown(scores(regions=("V1",))))
    for measure, sign in ((RSA, 1), (ANGLE, -1)):
        found = forest.entries(rows[rows["measure"] == measure], TITLES)
        assert found["layer"].tolist()[:1] == ["selected"]
        assert found["network"].tolist() == ["deep"] * (1 + forest.BEST) + ["bank"] * 2
        mine = rows[(rows["measure"] == measure) & (rows["network"] == "deep") & (rows["layer"] != "selected")]
        best = mine.iloc[np.argsort(-sign * mine["value"].to_numpy())[:3]]["layer"].tolist()
        assert found["layer"].tolist()[1:4] == best


def test_forest_states_claim_ceiling_null_and_other_animals_and_draws_the_intervals(drawn, tmp_path):
    table = scores().assign(inter_animal=0.21, claim="new stimuli and animals", animal="all", n_animals=4)
    forest.draw(table, TITLES, tmp_path / "f.svg")
    told = texts(drawn[0])
    for words in (
        *("RSA, spearman\n95 % interval for new stimuli and animals", "4 subjects", "inter-animal score"),
        *("noise ceiling, bracket from halves of the trials", "noise ceiling, estimate from halves of the trials"),
        *("95 % of shuffled stimuli", "mean of shuffled stimuli (distances)", "layer selected on half of the\nstimuli"),
        "Procrustes angle (rad)\naxis turned: less is more alike",
    ):
        assert words in told
    panels = [axis for axis in drawn[0].axes if axis.get_visible()]
    assert len(panels) == 6
    for axis in panels:
        assert axis.xaxis_inverted() == ("Procrustes" in axis.get_xlabel())
    intervals = [tuple(c.get_segments()[0][:, 0]) for c in panels[0].collections if len(c.get_segments()) == 1]
    mine = table[(table["region"] == "V1") & (table["measure"] == RSA)]
    known = set(zip(mine["ci_low"], mine["ci_high"], strict=True))
    assert len(intervals) == 6
    assert all(any(np.allclose(one, other) for other in known) for one in intervals)


def test_forest_shows_seeds_of_an_untrained_network_one_by_one(drawn, tmp_path):
    table = pd.concat([scores((RSA,), ("V1",), seed=s).assign(seed=s) for s in range(3)], ignore_index=True)
    forest.draw(table, TITLES, tmp_path / "f.svg")
    assert "single seeds" in texts(drawn[0])
    marks = [line for line in drawn[0].axes[0].lines if line.get_marker() == "|" and len(line.get_xdata()) == 3]
    whole = table[(table["network"] == "deep") & (table["layer"] == "selected")]["value"].tolist()
    assert any(np.allclose(line.get_xdata(), whole) for line in marks)


def test_forest_wraps_many_measures(drawn, tmp_path):
    measures = (RSA, CKA, ANGLE, "ssm", "pwcca")
    forest.draw(scores(measures, ("V1",)), {"bank": "Filter bank"}, tmp_path / "f.svg")
    visible = [axis for axis in drawn[0].axes if axis.get_visible()]
    assert len(visible) == 5 and len(drawn[0].axes) == 8


# --- families


def profile_of(*columns):
    return np.array(columns, dtype=float).T


def test_the_order_of_layers_is_compared_within_profiles():
    first, second = [1, 2, 3, 4, 5], [2, 1, 4, 3, 5]
    one = profile_of(first, second)
    assert families.rank_correlation([one], 0, 1) == (pytest.approx(spearmanr(first, second)[0]), 5, 1)
    # Another region at another level, in the same order: ranks over all would be dominated by the level.
    shifted = profile_of(np.array(first) + 100, second)
    assert families.rank_correlation([one, shifted], 0, 1) == (pytest.approx(spearmanr(first, second)[0]), 10, 2)
    opposed = profile_of([1, 2, 3], [3, 2, 1])
    assert families.rank_correlation([opposed], 0, 1)[0] == pytest.approx(-1)
    constant = profile_of([1, 1, 1], [3, 2, 1])
    assert np.isnan(families.rank_correlation([constant], 0, 1)[0])


def test_layers_without_a_score_and_short_profiles_are_left_out():
    gap = profile_of([1, 2, np.nan, 4], [1, 2, 99, 4])
    assert families.rank_correlation([gap], 0, 1) == (pytest.approx(1), 3, 1)
    short = profile_of([1, np.nan, 3], [1, 2, 3])
    assert families.rank_correlation([short], 0, 1)[1:] == (0, 0)
    assert np.isnan(families.same_best([short], 0, 1)[0])


def test_how_often_the_best_layer_is_the_same_is_compared_with_chance():
    same, other = profile_of([1, 2, 3, 4], [0, 0, 0, 1]), profile_of([1, 2, 3], [3, 2, 1])
    share, chance = families.same_best([same, other], 0, 1)
    assert share == 0.5
    assert chance == pytest.approx((1 / 4 + 1 / 3) / 2)
    rng = np.random.default_rng(0)
    random = [rng.standard_normal((5, 2)) for _ in range(4000)]
    share, chance = families.same_best(random, 0, 1)
    assert share == pytest.approx(chance, abs=0.02)
    assert families.rank_correlation(random, 0, 1)[0] == pytest.approx(0, abs=0.02)


def test_measures_that_say_the_same_agree_also_if_one_is_a_distance(drawn, tmp_path):
    rows = scored.shown(scores())
    found = families.profiles(rows, [RSA, CKA, ANGLE])
    assert [profile.shape for profile in found] == [(4, 3), (4, 3)], "a network with one layer has no profile"
    for a, b in itertools.combinations(range(3), 2):
        assert families.rank_correlation(found, a, b)[0] == pytest.approx(1)
        assert families.same_best(found, a, b)[0] == 1
    pairs = np.sign(families.network_pairs(scored.over_seeds(rows), [RSA, CKA, ANGLE]))
    assert pairs.shape == (2, 3)
    assert (pairs == pairs[:, :1]).all()
    families.draw(scores(), TITLES, tmp_path / "f.svg")
    told = texts(drawn[0])
    for words in ("layers: 8 in 2 profiles", "networks: 2 pairs", "same best layer by chance: .25", "1.00"):
        assert words in told


def test_figures_without_anything_to_show_are_refused_in_one_line(tmp_path):
    one = scores((RSA,))
    for call in (
        lambda: families.draw(one, TITLES, tmp_path / "f.svg"),
        lambda: families.draw(scores(), {"bank": "Filter bank"}, tmp_path / "f.svg"),
        lambda: heatmap.draw(one.iloc[:0], TITLES, tmp_path / "f.svg"),
        lambda: forest.draw(one.iloc[:0], TITLES, tmp_path / "f.svg"),
        lambda: curve.draw(pd.DataFrame(columns=tables.MULTIVERSE), TITLES, tmp_path / "f.svg"),
    ):
        with pytest.raises(UserError, match="the figure '[a-z]+' needs") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


# --- specification curve


def alternatives(measures=(RSA, CKA)):
    rows = []
    differences = iter([0.2, -0.1, 0.05, np.nan, 0.3, -0.4, 0.1, 0.15])
    for window, measure in itertools.product(("[0,1]", "[1,2]"), measures):
        value = next(differences)
        rows.append(
            dict.fromkeys(tables.MULTIVERSE, "")
            | {"recording": f"r{window}", "measure": measure, "network": "deep", "other_network": "bank"}
            | {"choices": f"window={window};measure={measure.split('-')[0]}", "difference": value}
            | {"ci_low": value - 0.1, "ci_high": value + 0.1, "claim": "new stimuli", "separable": abs(value) > 0.1}
        )
    return pd.DataFrame(rows)


def test_the_curve_is_sorted_and_tells_in_how_many_alternatives_the_conclusion_survives(drawn, tmp_path):
    table = alternatives()
    curve.draw(table, TITLES, tmp_path / "f.svg")
    above, beneath = drawn[0].axes
    told = texts(drawn[0])
    assert "Deep network is more alike than Filter bank" in told
    assert "survives in 1 of 4 alternatives" in told
    assert "difference of scores\n(95 % interval for new stimuli)" in told
    points = {}
    for line in above.lines:
        if line.get_marker() == "o":
            points |= dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    np.testing.assert_allclose([points[k] for k in range(3)], [-0.1, 0.05, 0.2])
    labels = [tick.get_text() for tick in beneath.get_yticklabels()]
    assert labels == ["window: [0,1]", "[1,2]", "measure: rsa", "cka"]
    assert [text.get_text() for text in beneath.texts] == ["1/2", "0/2", "1/2", "0/2"]


def test_differences_in_other_units_are_given_in_half_widths_of_their_intervals(drawn, tmp_path):
    table = alternatives((RSA, ANGLE))
    found = curve.ordered(table)
    defined = found[found["difference"].notna()]
    np.testing.assert_allclose(defined["shown"], defined["difference"] / 0.1)
    np.testing.assert_allclose(defined["high"] - defined["shown"], 1)
    curve.draw(table, TITLES, tmp_path / "f.svg")
    assert "difference / half-width of its interval" in texts(drawn[0])
    assert (multiverse.states(found) == "undefined").tolist() == [False] * 3 + [True]


def test_the_same_figures_give_the_same_files(tmp_path):
    table = scores((RSA, ANGLE), ("V1",))
    for name in "ab":
        heatmap.draw(table, TITLES, tmp_path / f"h{name}.svg")
        forest.draw(table, TITLES, tmp_path / f"f{name}.svg")
        families.draw(table, TITLES, tmp_path / f"m{name}.svg")
        curve.draw(alternatives(), TITLES, tmp_path / f"c{name}.svg")
    for kind in "hfmc":
        assert (tmp_path / f"{kind}a.svg").read_bytes() == (tmp_path / f"{kind}b.svg").read_bytes()
