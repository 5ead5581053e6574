"""Boucher et al. 2023: behaviour against the authors' own tables, trajectories, and rates in a file of their layout."""

import h5py
import numpy as np
import pytest
import scipy.io
from conftest import ABOUT
from scipy.optimize import least_squares
from sklearn.linear_model import LogisticRegression

from neurocompare import representation
from neurocompare.errors import UserError
from neurocompare.ingestion import boucher2023_rates
from neurocompare.recordings import boucher2023


def refused(call, *parts):
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and all(part in message for part in parts), message


@pytest.fixture(scope="module")
def files(real_data):
    return {path.name: path for path in (real_data / "boucher2023_pmd").glob("*.mat")}


def ingest(files, **options):
    return boucher2023.ingest(files, about=ABOUT, **options)


def tables(files, monkey):
    content = scipy.io.loadmat(files[f"Fig2_Monkey{monkey}_data.mat"], struct_as_record=False, squeeze_me=True)
    return content[f"fig{monkey}Data"]


def by_session(array, values):
    """Means by session and signed coherence."""
    sessions, row = np.unique(array.block, return_inverse=True)
    levels, column = np.unique(array.signed_coherence, return_inverse=True)
    shape = len(sessions), len(levels)
    place = np.ravel_multi_index((row, column), shape)
    sums = np.bincount(place, weights=values, minlength=np.prod(shape)) / np.bincount(place, minlength=np.prod(shape))
    return sums.reshape(shape)


@pytest.mark.parametrize(("monkey", "n_trials", "accuracy"), [("O", 108434, 0.862), ("T", 128837, 0.911)])
def test_behaviour_agrees_with_the_tables_of_the_authors(files, monkey, n_trials, accuracy):
    array = ingest(files, part="behaviour", monkey=monkey)
    own = tables(files, monkey)
    assert array.shape == (n_trials, 1) and array.attrs["units"] == "s" and array.animal.values == [monkey]
    assert array.attrs["excluded"] == {}
    np.testing.assert_allclose(np.unique(array.signed_coherence), own.signedColorCoherence)
    np.testing.assert_allclose(by_session(array, array.values[:, 0]) * 1000, own.rawdata.RT, rtol=1e-5)
    np.testing.assert_allclose(by_session(array, array.color_choice == "red") * 100, own.rawdata.pRed, atol=1e-9)
    assert round(float(array.correct.mean()), 3) == accuracy
    # The task makes the color of the choice and the side of the reach independent.
    assert abs(np.corrcoef(array.color_choice == "red", array.choice == "left")[0, 1]) < 0.03
    assert len(np.unique(array.stimulus)) == 28
    red = array.color_choice == "red"
    np.testing.assert_array_equal(array.choice == "left", np.where(red, "red", "green") == array.left_target)


@pytest.mark.parametrize(("monkey", "slack"), [("O", 0.1), ("T", 0.1)])
def test_thresholds_are_those_of_the_authors(files, monkey, slack):
    """Their fit is a Weibull function without lapses, by least squares; its scale is where 81.6 % are correct."""
    array = ingest(files, part="behaviour", monkey=monkey)
    levels = np.unique(np.abs(np.round(array.signed_coherence.values, 6)))
    half = len(levels)
    sessions, row = np.unique(array.block, return_inverse=True)
    place = row * half + np.searchsorted(levels, np.abs(np.round(array.signed_coherence.values, 6)))
    total = np.bincount(place, minlength=len(sessions) * half)
    correct = (np.bincount(place, weights=array.correct, minlength=total.size) / total).reshape(-1, half)

    def threshold(observed):
        misfit = lambda p: 1 - 0.5 * np.exp(-((levels / np.exp(p[0])) ** np.exp(p[1]))) - observed  # noqa: E731
        return np.exp(least_squares(misfit, [np.log(15), 0]).x[0])

    found = np.array([threshold(observed) for observed in correct])
    assert np.median(np.abs(found - tables(files, monkey).thresholds[:, 0])) < 1e-3
    assert np.abs(found - tables(files, monkey).thresholds[:, 0]).max() < slack


def test_trajectories_are_cut_where_the_shortest_ends(files, tmp_path):
    array = ingest(files, part="trajectories")
    matrix = scipy.io.loadmat(files["matrixWithIds.mat"])["bigMatrix"]
    assert array.shape == (22, 674, 5) and array.attrs["response"] == "principal component score"
    for place, condition in ((0, 1), (10, 11), (11, 12), (21, 22)):
        np.testing.assert_array_equal(array[place], matrix[matrix[:, 0] == condition][:674, 1:])
    assert array.attrs["excluded"] == {
        "time": {"sample after the end of the shortest trajectory": len(matrix) - 22 * 674}
    }
    # The lengths tell the shortest reaction time of each bin; the last of the paper holds 0.5 s and longer.
    np.testing.assert_allclose(array.rt_min[:11], [*np.arange(0.3, 0.53, 0.025), 0.5])
    assert array.rt_bin.values.tolist() == 2 * list(range(1, 12))
    assert np.abs(array.time[0] + 0.3985) < 1e-9
    representation.write(array, tmp_path / "a.nc")
    binned = ingest(files, part="trajectories", window=[-0.399, 0.271], bin_width=0.01)
    np.testing.assert_allclose(binned[:, 3], array[:, 30:40].mean("time"), rtol=1e-4, atol=1e-4)


def test_choices_part_after_the_checkerboard_and_in_the_order_of_reaction_times(files):
    """Before the onset, choices coincide and bins of the reaction time are apart (their figure 4)."""
    array = ingest(files, part="trajectories")
    left, right = array.values[:11], array.values[11:]
    apart = np.linalg.norm(left - right, axis=2)
    before, late = array.time.values < 0, array.time.values > 0.2
    assert apart[:, late].mean() > 5 * apart[:, before].mean()
    order = np.argsort(-apart[:10, late].mean(axis=1))
    assert order.tolist() == list(range(10))
    start = (left + right)[:10, before, 0].mean(axis=1)
    assert (np.diff(start) < 0).sum() >= 8


@pytest.fixture
def deposit(tmp_path):
    """A small file of the layout of `Figure4_5_7data.mat`, as MATLAB would store it, and the files of its units."""
    rng = np.random.default_rng(0)
    counts = {"O": 5, "T": 7}
    rates = {"rt": rng.gamma(2, 5, (15, 2, 12, 1801)), "coherence": rng.gamma(2, 5, (7, 2, 12, 1801))}
    rates["rt"][3, 1, 4] = np.nan  # this unit has no trial of bin 4, right
    rates["rt"][14, :, 9] = np.nan  # bin 15 is not among those of the paper
    path = tmp_path / boucher2023_rates.FILE
    with h5py.File(path, "w", userblock_size=512) as file:
        for by, values in rates.items():
            group = file.create_group(f"M/{by}")
            group.create_dataset("FR", data=values.T, chunks=(50, 12, 2, values.shape[0]), compression="gzip")
            group.create_dataset("tS", data=np.linspace(-0.6, 1.2, 1801)[:, None])
            group.create_dataset("NeuronIds", data=np.stack([np.arange(12.0), np.full(12, 3.0)]))
        low = np.array([*np.arange(300, 526, 25), 500, 300, 400, 500, 600])
        file["M/rt/RTlims"] = np.stack([low, low + 100.0], axis=1)
    units = {}
    for animal, name in boucher2023_rates.UNITS_FILES.items():
        table = np.zeros((counts[animal], 5))
        table[0, 2] = 0.1
        scipy.io.savemat(tmp_path / name, {"allISI": table})
        units[name] = tmp_path / name
    return {path.name: path} | units, rates


def test_rates_are_streamed_by_condition(deposit, monkeypatch, tmp_path):
    files, rates = deposit
    monkeypatch.setattr("neurocompare.ingestion.hdf5.SLAB", 4096)
    array = ingest(files, part="rates", by="rt", window=[-0.4, 0.8], bin_width=0.02)
    kept = [u for u in range(12) if u != 4]
    assert array.shape == (22, 60, 11)
    assert array.attrs["excluded"] == {"unit": {"no trial of a condition": 1}}
    for choice, name in enumerate(("left", "right")):
        for level in (0, 10):
            found = array[(array.choice == name) & (array.rt_bin == level + 1)][0]
            expected = rates["rt"][level, choice][kept][:, 200:1400].reshape(11, 60, 20).mean(axis=2).T
            np.testing.assert_allclose(found, expected, rtol=1e-6)
            assert str(found.stimulus.values).endswith(f"-choice={name}")
    assert array.animal.values.tolist() == ["O"] * 4 + ["T"] * 7
    assert array.unit_id.values[:2].tolist() == ["0-3", "1-3"]
    np.testing.assert_allclose(array.rt_min[:11], [*np.arange(0.3, 0.53, 0.025), 0.5])
    representation.write(array, tmp_path / "a.nc")


def test_rates_by_coherence_and_of_single_units(deposit):
    files, rates = deposit
    array = ingest(files, part="rates", by="coherence", single_units=True)
    kept = [u for u in range(12) if u not in (0, 5)]
    assert array.dims == ("presentation", "unit") and array.shape == (14, 10)
    assert array.attrs["excluded"] == {"unit": {"more than 1.5 % short intervals": 2}}
    np.testing.assert_allclose(array[:7], rates["coherence"][:, 0, kept].mean(axis=2), rtol=1e-6)
    np.testing.assert_allclose(array.coherence[:7], [90.222, 60, 40.444, 30.667, 20, 10.222, 4], atol=1e-3)
    # The bins that do not overlap, as in their figure 5.
    assert ingest(files, part="rates", rt_bins=[1, 13, 11]).rt_bin.values.tolist() == [1, 13, 11] * 2


def test_what_is_not_there_is_told_in_one_line(deposit, files, tmp_path):
    rates, _ = deposit
    refused(lambda: ingest(files, part="behavior"), "unknown part 'behavior'", "behaviour")
    refused(lambda: ingest(files, part="behaviour", monkey="A"), "unknown monkey 'A'")
    refused(lambda: ingest({}, part="behaviour"), "Fig2_MonkeyO_data.mat", "list it")
    refused(lambda: ingest(files, part="trajectories", window=[-0.3, 0.5]), "matrixWithIds.mat", "-0.399 to 0.275")
    wrong = {"matrixWithIds.mat": files["TCA.mat"]}
    refused(lambda: ingest(wrong, part="trajectories"), "TCA.mat", "'bigMatrix' is missing", "RTs")
    refused(lambda: ingest(rates, part="rates", by="speed"), "value of by 'speed'")
    refused(lambda: ingest(rates, part="rates", rt_bins=[0, 1]), "rt_bins is [0, 1]", "1 to 15")
    refused(lambda: ingest(rates, part="rates", window=[-0.7, 0.2]), boucher2023_rates.FILE, "-0.6 to 1.201")
    fewer = dict(rates, **{"OlafISI.mat": rates["TibsISI.mat"]})
    refused(lambda: ingest(fewer, part="rates"), "M/rt/FR", "14 units", "one deposit")
    name = boucher2023_rates.FILE
    cut = tmp_path / "cut.mat"
    cut.write_bytes(rates[name].read_bytes()[:20000])
    refused(lambda: ingest(rates | {name: cut}, part="rates"), str(cut), "not a readable HDF5 file")
    with h5py.File(cut, "w") as file:
        file.create_group("M/rt").create_dataset("FRm", data=[1.0])
    refused(lambda: ingest(rates | {name: cut}, part="rates"), str(cut), "'M/rt/FR' is missing", "/M/rt: FRm")


def test_choice_is_read_out_of_the_scores(files):
    """Left and right reaches of bins of the reaction time that were held out are told apart 0.15 s after the onset."""
    array = ingest(files, part="trajectories", window=[0.151, 0.271], bin_width=0.01)
    right = array.choice.values == "right"
    for held in range(1, 12):
        test = array.rt_bin.values == held
        x, y = array.values, np.repeat(right[:, None], array.sizes["time"], axis=1)
        model = LogisticRegression(max_iter=1000).fit(x[~test].reshape(-1, 5), y[~test].ravel())
        assert model.score(x[test].reshape(-1, 5), y[test].ravel()) > 0.95


def session(path, layout, *, order=slice(None), listed=4):
    """Write a small session as the deposit describes it; trials in the file: left reaches, then right ones.

    Or in another order, or with other numbers of targets by side.
    """
    rng = np.random.default_rng(1)
    spikes = (rng.random((9, 3, 1802)) < 0.02).astype(float)
    choice = np.array([1] * 4 + [2] * 5)
    number = np.array([5, 11, 12, 40, 1, 2, 13, 39, 41])
    n_red = np.array([11, 214, 108, 117, 214, 11, 108, 180, 45])
    config = np.array([1, -1, 1, -1, 1, 1, -1, -1, 1])
    trials = [
        {"spikes": s, "RT": 400.0 + i, "Cue": float(n), "GlobalTrialId": float(g), "choice": float(c)}
        for i, (s, n, g, c) in enumerate(zip(spikes, n_red, number, choice, strict=True))
    ]
    trials = trials[order]
    info = {"Left": {"targetConfig": config[:listed]}, "Right": {"targetConfig": config[listed:]}}
    content = {"dat": trials, "dataStruct": {"Info": info}}
    if layout == "7.3":
        with h5py.File(path, "w") as file:
            for name in trials[0]:
                refs = file.create_dataset(f"forGPFA/dat/{name}", (9, 1), dtype=h5py.ref_dtype)
                for i, trial in enumerate(trials):
                    stored = file.create_dataset(f"#refs#/{name}{i}", data=np.atleast_2d(trial[name]).T)
                    refs[i, 0] = stored.ref
            for side, part in info.items():
                file[f"forGPFA/dataStruct/Info/{side}/targetConfig"] = part["targetConfig"][:, None]
    else:
        scipy.io.savemat(path, {"forGPFA": content} if layout == "7" else content)
    return spikes, choice, number, n_red, config


@pytest.mark.parametrize("layout", ["7", "7.3", "top"])
def test_a_session_is_in_the_order_of_time(tmp_path, layout):
    path = tmp_path / "t_14October2013_345678.mat"
    spikes, choice, number, n_red, config = session(path, layout)
    array = boucher2023.ingest({path.name: path}, about=ABOUT, part="session", window=[-0.1, 0.5], bin_width=0.02)
    order = np.argsort(number)
    assert array.shape == (9, 30, 3) and array.attrs["simultaneous"] is True and array.animal[0] == "T"
    expected = spikes[order][:, :, 500:1100].reshape(9, 3, 30, 20).sum(axis=3)
    np.testing.assert_array_equal(array.transpose("presentation", "unit", "time"), expected)
    np.testing.assert_array_equal(array.trial, number[order])
    np.testing.assert_array_equal(array.choice == "left", choice[order] == 1)
    np.testing.assert_allclose(array.reaction_time, (400 + order) / 1000)
    # The left target is green where its code is 1: then a reach to the left is a choice of green.
    np.testing.assert_array_equal(array.color_choice == "green", (choice[order] == 1) == (config[order] == 1))
    np.testing.assert_array_equal(array.correct, (array.color_choice == "red") == (n_red[order] > 112))
    representation.write(array, tmp_path / "a.nc")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"order": slice(None, None, -1)}, "the trials are not in the order of sides"),
        ({"listed": 3}, "listed for 3 left and 6 right reaches, the file holds 4 and 5"),
    ],
)
def test_colors_that_do_not_fit_the_trials_are_left_out(tmp_path, changed, why):
    path = tmp_path / "t_14October2013_345678.mat"
    read = lambda: boucher2023.ingest({path.name: path}, about=ABOUT, part="session", window=[-0.1, 0.5])  # noqa: E731
    session(path, "7")
    described = read()
    assert "target_colors" not in described.attrs
    for layout in ("7", "7.3"):
        session(path, layout, **changed)
        array = read()
        assert why in array.attrs["target_colors"]
        assert not {"left_target", "color_choice", "correct"} & set(array.coords)
        assert not any("left=" in name for name in array.stimulus.values)
        # All else is the same.
        np.testing.assert_array_equal(array, described)
        for name in ("trial", "choice", "n_red", "reaction_time"):
            np.testing.assert_array_equal(array[name], described[name])
    representation.write(array, tmp_path / "a.nc")


def test_a_session_that_is_none_is_told_in_one_line(tmp_path):
    path = tmp_path / "t_1.mat"
    read = lambda: boucher2023.ingest({path.name: path}, about=ABOUT, part="session")  # noqa: E731
    session(path, "7.3")
    with h5py.File(path, "a") as file:
        del file["forGPFA/dat/RT"]
    refused(read, str(path), "'forGPFA/dat/RT' is missing", "Cue")
    scipy.io.savemat(path, {"other": 1})
    refused(read, str(path), "variable 'dat' is missing", "other")
    path.write_text("<html>" * 100, encoding="utf-8")
    refused(read, str(path), "not a readable MATLAB file")
