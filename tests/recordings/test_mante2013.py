"""Mante et al. 2013 against the files of twelve units, and against archives that hold something else."""

import zipfile

import numpy as np
import pytest
import scipy.io
from conftest import ABOUT
from sklearn.linear_model import LogisticRegression

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion.pseudopopulation import pool
from neurocompare.recordings import mante2013


def refused(call, *parts):
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and all(part in message for part in parts), message


@pytest.fixture(scope="module")
def paths(real_data):
    found = sorted((real_data / "mante2013_pfc").glob("*.mat"))
    assert len(found) == 12
    return found


@pytest.fixture(scope="module")
def archive(paths, tmp_path_factory):
    """The layout of the published archive, with what should not be read."""
    target = tmp_path_factory.mktemp("mante") / "PFC_data.zip"
    with zipfile.ZipFile(target, "w") as file:
        for path in paths:
            file.write(path, f"PFC data/PFC data 1/{path.name}")
        file.writestr("__MACOSX/PFC data/PFC data 1/._ar090313_1_a3_Vstim_100_850_ms.mat", b"resource fork")
        file.writestr("../../PFC data 1/readme.txt", b"out of the way")
        file.write(paths[0], "PFC data/PFC data 3/ar090313_9_a9_Vstim_100_850_ms.mat")
    return {"PFC_data.zip": target}


def raw(path):
    unit = scipy.io.loadmat(path, struct_as_record=False, squeeze_me=True)["unit"]
    return unit.response, unit.task_variable


def test_every_unit_is_its_file(paths, tmp_path):
    for path in paths:
        array = mante2013.ingest({path.name: path}, about=ABOUT, window=[0.2, 0.8], bin_width=0.1)
        response, task = raw(path)
        assert array.shape == (len(response), 6, 1) and array.attrs["response"] == "spike count"
        np.testing.assert_allclose(array.time, [0.25, 0.35, 0.45, 0.55, 0.65, 0.75])
        for b in range(6):
            np.testing.assert_array_equal(array[:, b, 0], response[:, 100 + 100 * b : 200 + 100 * b].sum(axis=1))
        assert path.name.startswith(array.unit_id.values[0] + "_Vstim") and array.animal.values == ["A"]
        # Blocks are runs of one context, in the order of time.
        assert (np.diff(array.block) >= 0).all() and array.block[-1] == (np.diff(task.context.astype(int)) != 0).sum()
        for block in np.unique(array.block):
            assert len(set(array.context.values[array.block == block])) == 1
        assert np.bincount(array.block)[:-1].max() in (72, 95)
        assert len(set(zip(array.stimulus.values, array.repeat.values, strict=True))) == len(response)
    representation.write(array, tmp_path / "a.nc")
    np.testing.assert_array_equal(representation.read(tmp_path / "a.nc"), array)


def test_signs_say_what_is_evidence_for_the_choice(paths):
    """A trial is correct if the choice has the sign of what the context makes relevant, by the file's own word."""
    for path in paths:
        array = mante2013.ingest({path.name: path}, about=ABOUT)
        assert array.dims == ("presentation", "unit")
        relevant = np.where(array.context == "motion", array.motion, array.color)
        np.testing.assert_array_equal(array.correct, np.sign(relevant) == array.choice)
        np.testing.assert_array_equal(array.congruent, np.sign(array.motion) == np.sign(array.color))
        np.testing.assert_array_equal(np.abs(array.hue), np.abs(array.color))
        assert np.unique(array.motion_level).tolist() == [-3, -2, -1, 1, 2, 3]
        for level, coherence in ((array.motion_level, array.motion), (array.color_level, array.color)):
            assert (
                np.argsort(np.unique(level)) == np.argsort([coherence[level == k][0] for k in np.unique(level)])
            ).all()
    # Which color speaks for choice 1 is not fixed.
    assert 0.3 < (np.sign(array.hue) == np.sign(array.color)).mean() < 0.7


def test_the_relevant_evidence_moves_the_choice(paths):
    """Steep for the relevant coherence, flat for the other, in both contexts."""
    arrays = [mante2013.ingest({path.name: path}, about=ABOUT) for path in paths]
    column = {
        key: np.concatenate([a.coords[key].values for a in arrays]) for key in arrays[0].coords if "unit" not in key
    }
    for context, relevant in (("motion", 0), ("color", 1)):
        these = column["context"] == context
        evidence = np.stack([column["motion"], column["color"]], axis=1)[these]
        slope = LogisticRegression(C=1e4).fit(evidence, column["choice"][these]).coef_[0]
        assert slope[relevant] > 7 and abs(slope[1 - relevant]) < 0.2 * slope[relevant]
        signed = [column["choice"][these][evidence[:, relevant] == c].mean() for c in np.unique(evidence[:, relevant])]
        assert signed[0] < -0.9 and signed[-1] > 0.9


def test_single_units_and_the_pool_from_the_archive(archive, paths):
    one = mante2013.ingest(archive, about=ABOUT, unit="ar090624_1_a8")
    path = next(p for p in paths if "ar090624" in p.name)
    np.testing.assert_array_equal(one, mante2013.ingest({path.name: path}, about=ABOUT))
    array = mante2013.ingest(archive, about=ABOUT, animal="A", trials="correct", average=True, bin_width=0.25)
    # ar090330_3_a10 has no correct trial of one condition.
    assert array.shape == (72, 3, 11) and array.attrs["simultaneous"] is False
    assert array.attrs["excluded"]["unit"] == {"fewer than 1 trials of a condition": 1}
    wrong = sum(int((raw(p)[1].correct == 0).sum()) for p in paths)
    lacking = raw(next(p for p in paths if "ar090330" in p.name))[1]
    right = lacking.correct == 1
    averages = len(np.unique([lacking.context[right], lacking.stim_dir[right], lacking.stim_col2dir[right]], axis=1).T)
    # What is pooled are averages, one for each condition that the unit has.
    counted = {"error": wrong, "presentation of a member that is left out": averages}
    assert averages < 72 and array.attrs["excluded"]["presentation"] == counted
    assert array.attrs["response"] == "firing rate" and array.attrs["units"] == "spikes/s"
    response, task = raw(path)
    unit = array.unit_id.values.tolist().index("ar090624_1_a8")
    for k in (0, 17, 71):
        motion = {1: 0.06, 2: 0.17, 3: 0.5}[abs(int(array.motion_level[k]))] * np.sign(int(array.motion_level[k]))
        color = {1: 0.08, 2: 0.2, 3: 0.5}[abs(int(array.color_level[k]))] * np.sign(int(array.color_level[k]))
        these = (task.stim_dir == motion) & (task.stim_col2dir == color) & (task.correct == 1)
        these &= task.context == (1 if array.context[k] == "motion" else -1)
        assert set(task.targ_dir[these]) == {int(array.choice[k])}
        expected = response[these].astype(float)[:, :750].reshape(-1, 3, 250).sum(axis=2).mean(axis=0) / 0.25
        np.testing.assert_allclose(array[k, :, unit], expected, rtol=1e-6)


def test_single_trials_of_the_pool(archive):
    array = mante2013.ingest(archive, about=ABOUT, trials="correct", repeats=3, seed=1)
    assert array.shape == (3 * 72, 9)
    assert array.attrs["excluded"]["unit"] == {"fewer than 3 trials of a condition": 3}
    np.testing.assert_array_equal(array, mante2013.ingest(archive, about=ABOUT, trials="correct", repeats=3, seed=1))


def test_the_pool_of_the_catalogue(paths):
    """The same by the shared pool, from recordings with all trials."""
    arrays = [mante2013.ingest({p.name: p}, about=ABOUT) for p in paths]
    match = ["context", "motion_level", "color_level", "choice"]
    array = pool(arrays, match=match, where={"correct": 1}, lacking="member", repeats=3)
    assert array.shape == (216, 9)
    relevant = np.where(array.context == "motion", array.motion_level, array.color_level)
    np.testing.assert_array_equal(np.sign(relevant), array.choice)


def test_what_is_not_there_is_told_in_one_line(archive, paths, tmp_path):
    path = paths[0]
    one = {path.name: path}
    ingest = lambda files, **options: mante2013.ingest(files, about=ABOUT, **options)  # noqa: E731
    refused(lambda: ingest({}), "needs one file")
    refused(lambda: ingest(archive, unit="ar090624_1_a9"), "PFC_data.zip", "did you mean", "ar090624_1_a8")
    refused(lambda: ingest(archive, unit="ar090313_9_a9"), "unknown unit")
    refused(lambda: ingest(archive, animal="F"), "PFC_data.zip", "fe")
    refused(lambda: ingest(archive, animal="B"), "unknown animal 'B'")
    refused(lambda: ingest(one, trials="good"), "unknown value of trials")
    refused(lambda: ingest(one, window=[0, 0.8]), path.name, "window", "0.1 to 0.851 s")
    refused(lambda: ingest(one, window=[0.1, 0.8005]), path.name, "within a sample")
    cut = tmp_path / "PFC_data.zip"
    cut.write_bytes(archive["PFC_data.zip"].read_bytes()[:-5000])
    refused(lambda: ingest({cut.name: cut}), str(cut), "not a readable archive")
    other = tmp_path / path.name
    scipy.io.savemat(other, {"unit": {"response": np.zeros((3, 5)), "name": "x"}})
    refused(lambda: ingest({path.name: other}), str(other), "lacks the field 'task_variable'")
    with zipfile.ZipFile(cut, "w") as file:
        file.writestr("PFC data/PFC data 2/fe111019_2_a1_Vstim_100_850_ms.mat", b"<html>")
    refused(lambda: ingest({cut.name: cut}), f"{cut}/PFC data/PFC data 2/fe111019_2_a1", "not a readable MATLAB file")
