"""Agreement of published RDMs between animals and between regions."""

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat
from scipy.spatial.distance import squareform

from neurocompare import describing, representation, tables
from neurocompare.description import agreement
from neurocompare.errors import UserError
from neurocompare.recordings import kriegeskorte2008
from neurocompare.similarity import comparators

PEARSON = "agreement-compare=pearson"


def rdm_of(x):
    rdm = 1 - np.corrcoef(x)
    rdm = (rdm + rdm.T) / 2
    np.fill_diagonal(rdm, 0)
    return rdm


def recording(groups, exchangeable="stimulus"):
    """Build a recording from a dict of area to patterns (animal, stimulus, unit), or to one RDM."""
    groups = {area: [x] if x.ndim == 2 else [rdm_of(a) for a in x] for area, x in groups.items()}
    rdms = np.concatenate(list(groups.values()))
    areas = [area for area, members in groups.items() for _ in members]
    return representation.dissimilarities(
        rdms,
        stimulus=np.array([f"s{k}" for k in range(rdms.shape[1])]),
        rdm={"area": areas, "animal": [f"m{k}" for k in range(len(areas))], "session": ["1"] * len(areas)},
        attributes=dict.fromkeys(("source", "citation", "license"), "none")
        | {
            "exchangeable": exchangeable,
            "simultaneous": False,
            "sha256": {"none": "0" * 64},
            "distance": "correlation",
        },
    )


@pytest.fixture(scope="module")
def groups():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((24, 30))
    return {
        "one": shared + rng.standard_normal((1, 24, 30)),
        "many": shared + rng.standard_normal((4, 24, 30)),
        "other": rng.standard_normal((3, 24, 30)),
    }


@pytest.fixture(scope="module")
def table(groups):
    rows, details = agreement.describe(recording(groups), PEARSON, seed=0)
    assert details is None
    return pd.DataFrame(rows)


def test_rows_have_the_columns_of_the_table(groups):
    rows, _ = describing.describe(recording(groups), PEARSON, name="r")
    assert {frozenset(row) for row in rows} == {frozenset(tables.DESCRIPTIONS) - {"code_sha256"}}
    assert {row["region"] for row in rows} == set(groups)


def test_regions_score_as_models_of_one_another(table, groups):
    between = table[table["condition"] != ""].set_index(["condition", "region"])
    assert len(between) == 6
    one, many = (np.stack([rdm_of(x) for x in groups[k]]) for k in ("one", "many"))
    row = between.loc["of=one", "many"]
    assert row["value"] == pytest.approx(np.mean([comparators.compare(one[0], rdm, "pearson") for rdm in many]))
    assert row["ci_low"] < row["value"] < row["ci_high"]
    assert row["p_value"] == pytest.approx(1 / 1001)
    back = between.loc["of=many", "one"]
    assert back["value"] == pytest.approx(comparators.compare(many.mean(0), one[0], "pearson"))
    assert np.all(between["status"] == "no_ceiling")
    assert between[["ceiling_low", "ceiling_high"]].isna().all(axis=None)


def test_unrelated_regions_score_like_the_null(table):
    unrelated = table[(table["region"] == "other") & (table["condition"] != "")]
    assert np.all(unrelated["p_value"] > 0.01)
    assert np.all(unrelated["value"].abs() < 0.1)
    assert np.all(unrelated["null_mean"].abs() < 0.01)


def test_animals_bound_the_noise_ceiling(table, groups):
    bounds = table[table["condition"] == ""].set_index(["region", "quantity"])
    # A single animal has no ceiling.
    assert sorted(set(bounds.index.get_level_values("region"))) == ["many", "other"]
    low, high = (bounds.loc[("many", f"noise ceiling, {b} bound")] for b in ("lower", "upper"))
    rdms = np.stack([rdm_of(x) for x in groups["many"]])
    left_out = [
        comparators.compare(rdms[t], comparators.average(np.delete(rdms, t, 0), "pearson"), "pearson") for t in range(4)
    ]
    assert low["value"] == pytest.approx(np.mean(left_out))
    truth = rdm_of(groups["many"].mean(0))
    assert low["value"] < np.mean([comparators.compare(truth, rdm, "pearson") for rdm in rdms]) < high["value"]
    assert low["ci_low"] < low["value"] < low["ci_high"]
    assert (low["status"], high["status"]) == ("no_null;no_ceiling", "no_null;no_ceiling")
    unrelated = bounds.loc[("other", "noise ceiling, lower bound")]
    assert unrelated["ci_low"] < 0.05
    # The upper bound is over-fitted: three animals without anything in common have one well above zero.
    assert bounds.loc[("other", "noise ceiling, upper bound")]["value"] > 0.4


@pytest.mark.parametrize("comparator", [c for c in comparators.COMPARATORS if c != "pearson"])
def test_every_comparator_orders_the_bounds(groups, comparator):
    rows, _ = agreement.describe(recording({"many": groups["many"]}), f"agreement-compare={comparator}", seed=0)
    low, high = (row["value"] for row in rows)
    assert 0.2 < low < high <= 1


def test_seed_decides_the_resamples_and_not_the_value(groups):
    pair = {"one": groups["one"], "many": groups["many"]}
    first, again, other = (pd.DataFrame(agreement.describe(recording(pair), PEARSON, seed=k)[0]) for k in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    np.testing.assert_array_equal(first["value"], other["value"])
    assert not np.array_equal(first["ci_low"], other["ci_low"])


def test_what_cannot_be_described_is_refused(groups):
    array = recording({"one": groups["one"]})
    with pytest.raises(UserError, match="unknown description.*did you mean"):
        agreement.describe(array, "agreement-compare=spearmen", seed=0)
    with pytest.raises(UserError, match="exchangeable=none"):
        agreement.describe(recording({"one": groups["one"]}, exchangeable="none"), PEARSON, seed=0)
    responses = array.rename(rdm="presentation").isel(other_stimulus=0)
    with pytest.raises(UserError, match="needs published RDMs; use reliability"):
        agreement.describe(responses, PEARSON, seed=0)


def test_inferior_temporal_cortex_of_monkey_and_human_agrees_as_published(real_data):
    path = real_data / "kriegeskorte2008" / kriegeskorte2008.PAPER_FILE
    structs = loadmat(path, squeeze_me=True, struct_as_record=False)["RDMs_mIT_hIT_fig1"]
    rdms = {struct.name: squareform(struct.RDM) for struct in structs}
    array = recording({"monkey IT": rdms[kriegeskorte2008.MONKEY], "human IT": rdms[kriegeskorte2008.HUMAN_MEAN]})
    monkey, human = agreement.describe(array, PEARSON, seed=0)[0]
    # Kriegeskorte et al. 2008, Figure 2: the dissimilarities of the 4,186 pairs of images correlate, r = 0.49.
    assert monkey["value"] == pytest.approx(0.49, abs=0.005)
    assert human["value"] == pytest.approx(monkey["value"])
    assert monkey["p_value"] == pytest.approx(1 / 1001)
    assert 0.3 < monkey["ci_low"] < monkey["ci_high"] < 0.7
