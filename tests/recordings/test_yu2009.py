"""Reaches: Yu et al. 2009 (two files of one session) and Churchland et al. 2012."""

import numpy as np
import pytest
import scipy.io
from conftest import ABOUT
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.recordings import churchland2012, yu2009

PLAN, REACH = yu2009.BEGIN


def refused(call, *parts):
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and all(part in message for part in parts), message


@pytest.fixture(scope="module")
def files(real_data):
    return {path.name: path for path in (real_data / "shenoy_pmd_reach").glob("*.mat")}


def ingest(files, name, **options):
    return yu2009.ingest({name: files[name]}, about=ABOUT, **options)


def raw(path):
    return scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True)["D"]


def accuracy(counts, labels, folds=5):
    split = StratifiedKFold(folds, shuffle=True, random_state=0)
    return cross_val_score(LogisticRegression(max_iter=3000), np.sqrt(counts), labels, cv=split).mean()


def test_planned_reaches_are_their_file(files, tmp_path):
    array = ingest(files, PLAN, bin_width=0.1)
    assert array.shape == (210, 4, 61) and array.attrs["simultaneous"] is True
    np.testing.assert_allclose(array.time, [0.15, 0.25, 0.35, 0.45])
    for trial, struct in enumerate(raw(files[PLAN])):
        # The file sorts by direction, the recording by repeat.
        direction, repeat = divmod(trial, 30)
        row = array[repeat * 7 + direction]
        assert row.direction == struct.condition == f"reach{direction + 1}" and row.repeat == repeat
        np.testing.assert_array_equal(row, struct.data.reshape(61, 4, 100).sum(axis=2).T)
    assert np.bincount(array.block).tolist() == [56, 49, 56, 49]
    representation.write(array, tmp_path / "a.nc")


def test_the_direction_is_decoded_from_the_plan(files):
    """Yu et al. 2009: seven directions, .95 by logistic regression of square-rooted counts, .98 by nearest means."""
    array = ingest(files, PLAN)
    counts, labels = array.values.astype(float), array.direction.values
    assert 0.92 < accuracy(counts, labels) <= 1
    hits = []
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(counts, labels):
        x = np.sqrt(counts)
        means = np.stack([x[train][labels[train] == name].mean(axis=0) for name in np.unique(labels)])
        nearest = np.linalg.norm(x[test][:, None] - means, axis=2).argmin(axis=1)
        hits.append((np.unique(labels)[nearest] == labels[test]).mean())
    assert np.mean(hits) > 0.95


def test_the_two_files_are_on_one_clock(files):
    """60 trials are in both files; their counts between 0.1 and 0.5 s after the target are the same."""
    plan = ingest(files, PLAN, bin_width=0.001)
    reach = ingest(files, REACH, window=[0.1, 0.5], bin_width=0.001)
    assert reach.shape == (112, 400, 61)
    # The files do not give the directions the same names; the recordings do.
    assert np.unique(reach.stimulus).tolist() == ["reach2", "reach6"]
    for name in np.unique(reach.direction):
        held = [trial.tobytes() for trial in reach[reach.direction == name].values]
        places = [held.index(trial.tobytes()) for trial in plan[plan.direction == name].values]
        assert len(places) == 30 and (np.diff(places) > 0).all()


def test_the_target_tells_the_direction_only_after_its_onset(files):
    before = ingest(files, REACH, window=[-0.2, 0.0])
    after = ingest(files, REACH, window=[0.1, 0.3])
    assert accuracy(before.values.astype(float), before.direction.values) < 0.65
    assert accuracy(after.values.astype(float), after.direction.values) > 0.98


def test_trials_that_end_too_early_are_counted(files):
    lengths = np.array([struct.data.shape[1] for struct in raw(files[REACH])])
    whole = ingest(files, REACH, bin_width=0.001)
    assert whole.shape == (112, lengths.min(), 61) and whole.attrs["excluded"] == {}
    late = ingest(files, REACH, window=[0, 1.1], bin_width=0.1)
    short = int((lengths < 1300).sum())
    assert late.shape == (112 - short, 11, 61)
    assert late.attrs["excluded"] == {"presentation": {"ends before the window does": short}}
    for direction, stored in (("reach6", "reach1"), ("reach2", "reach2")):
        kept = [s.data for s in raw(files[REACH]) if s.condition == stored and s.data.shape[1] >= 1300]
        found = late[late.direction == direction]
        np.testing.assert_array_equal(found.sum(("time", "unit")), [data[:, 200:1300].sum() for data in kept])


def test_averages_of_churchland(real_data):
    files = {churchland2012.FILE: real_data / "churchland2012_motor" / churchland2012.FILE}
    array = churchland2012.ingest(files, about=ABOUT)
    tensor = scipy.io.loadmat(files[churchland2012.FILE])["dataTensor"]
    assert array.shape == (10, 61, 50) and array.attrs["units"] == "1"
    np.testing.assert_allclose(array.time, np.arange(-0.05, 0.551, 0.01), atol=1e-9)
    np.testing.assert_allclose(array.transpose("time", "unit", "presentation"), tensor, rtol=1e-6)
    assert churchland2012.ingest(files, about=ABOUT, window=[0, 0.1]).sizes["time"] == 11
    refused(lambda: churchland2012.ingest(files, about=ABOUT, window=[1, 2]), "window is [1, 2]", "-0.05 to 0.55")


def test_what_is_not_there_is_told_in_one_line(files, tmp_path):
    refused(lambda: yu2009.ingest({}, about=ABOUT), PLAN, "list it")
    refused(lambda: ingest(files, PLAN, window=[0, 0.4]), PLAN, "0.1 to 0.5 s")
    refused(lambda: ingest(files, PLAN, window=[0.1, 0.5], bin_width=0.15), "not a whole number of bins")
    refused(lambda: ingest(files, REACH, window=[0, 2]), REACH, "-0.2 to 1.326 s")
    other = tmp_path / PLAN
    scipy.io.savemat(other, {"D": {"data": np.zeros((2, 400))}})
    refused(lambda: ingest({PLAN: other}, PLAN), str(other), "lacks the field 'condition'")
    other.write_bytes(files[PLAN].read_bytes()[:1000])
    refused(lambda: ingest({PLAN: other}, PLAN), str(other), "not a readable MATLAB file")
