"""Loaders against the files that the authors published, and against damaged copies of them."""

import numpy as np
import pytest
import scipy.io
from scipy.spatial.distance import squareform
from scipy.stats import spearmanr

from neurocompare import files, representation
from neurocompare.errors import UserError
from neurocompare.recordings import antolik2016, kriegeskorte2008, macaque_v1_gratings


def checksums(paths):
    return {name: files.sha256(path) for name, path in paths.items()}


def about(paths):
    """What the catalogue says of a recording, and the checksums of its files."""
    return {"source": "here", "citation": "us", "license": "none", "sha256": checksums(paths)}


def refused(call, *parts):
    """Call in vain; the message has one line and holds all parts."""
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


def survives_the_disk(array, path):
    representation.write(array, path)
    back = representation.read(path)
    np.testing.assert_array_equal(back.values, array.values)
    assert set(back.coords) == set(array.coords)
    assert {k: v for k, v in back.attrs.items()} == dict(array.attrs)


# Kriegeskorte et al. 2008


def write_sessions(path, matrices):
    """Lay out eight matrices as in the published file of single sessions: a 4 × 2 struct array, float32."""
    layout = np.empty((4, 2), dtype=[("RDM", object), ("name", object), ("color", object)])
    for k, matrix in enumerate(matrices):
        name = f"hIT | {('BE', 'KO', 'SN', 'TI')[k // 2]} | Session: {k % 2 + 1}"
        layout[k // 2, k % 2] = (matrix.astype(np.float32), name, np.array([0, 0, 1]))
    scipy.io.savemat(path, {"RDMs": layout})


@pytest.fixture(scope="module")
def objects(real_data, tmp_path_factory):
    """Give the paper's file, and a stand-in for the file of single sessions, made from the paper's human mean.

    The sessions differ from each other, and their mean is the mean that the paper's file holds.
    """
    paper = real_data / "kriegeskorte2008" / kriegeskorte2008.PAPER_FILE
    structs = scipy.io.loadmat(paper, struct_as_record=False, squeeze_me=True)["RDMs_mIT_hIT_fig1"]
    mean = squareform(next(s.RDM for s in structs if s.name == kriegeskorte2008.HUMAN_MEAN))
    rng = np.random.default_rng(0)
    noise = np.stack([squareform(0.1 * rng.standard_normal(92 * 91 // 2)) for _ in range(8)])
    brains = tmp_path_factory.mktemp("kriegeskorte2008") / kriegeskorte2008.HUMAN_FILE
    write_sessions(brains, mean + noise - noise.mean(axis=0))
    return {paper.name: paper, brains.name: brains}, mean


def test_monkey_and_human_matrices(objects, tmp_path):
    paths, mean = objects
    array = kriegeskorte2008.ingest(paths, about=about(paths))
    assert array.shape == (9, 92, 92)
    assert array.area.values.tolist() == ["monkey IT"] + ["human IT"] * 8
    assert array.animal.values.tolist() == ["monkey", "BE", "BE", "KO", "KO", "SN", "SN", "TI", "TI"]
    assert array.session.values.tolist() == ["674 neurons"] + ["1", "2"] * 4
    assert array.attrs["distance"] == "correlation"
    assert array.attrs["sha256"] == checksums(paths)
    assert array.values[0][np.triu_indices(92, 1)].min() > 0 and array.values.max() < 2
    np.testing.assert_allclose(array.values[1:].mean(axis=0), mean, atol=1e-6)
    survives_the_disk(array, tmp_path / "a.nc")


def test_monkey_and_human_it_agree_as_published(objects):
    """Kriegeskorte et al. 2008: the two species share the ranks of the dissimilarities."""
    paths, _ = objects
    array = kriegeskorte2008.ingest(paths, about=about({}))
    upper = np.triu_indices(92, 1)
    rho = spearmanr(array.values[0][upper], array.values[1:].mean(axis=0)[upper]).statistic
    assert round(rho, 4) == 0.4389


@pytest.mark.parametrize("flag", ["animate", "face"])
def test_matrices_and_images_are_in_the_same_order(objects, flag):
    """In both species animate objects, and faces, are close to each other (Kriegeskorte et al. 2008, figure 2)."""
    paths, _ = objects
    array = kriegeskorte2008.ingest(paths, about=about({}))
    member = array[flag].values.astype(bool)
    for matrix in (array.values[0], array.values[1:].mean(axis=0)):
        within = matrix[np.ix_(member, member)][np.triu_indices(member.sum(), 1)]
        across = matrix[np.ix_(member, ~member)]
        assert np.median(within) < np.quantile(across, 0.2)


def test_object_images(objects):
    paths, _ = objects
    images = kriegeskorte2008.stimuli(paths)
    array = kriegeskorte2008.ingest(paths, about=about({}))
    assert images.dims == ("stimulus", "y", "x", "channel")
    assert images.shape == (92, 175, 175, 3) and images.dtype == np.uint8
    np.testing.assert_array_equal(images.stimulus, array.stimulus)
    for name in ("category", "human", "face", "animate", "natural"):
        np.testing.assert_array_equal(images[name], array[name])
    assert images.stimulus.values[[0, 91]].tolist() == ["01-human-bodypart", "92-artificial-inanimate"]
    totals = {name: int(images[name].sum()) for name in ("human", "face", "animate", "natural")}
    assert totals == {"human": 24, "face": 24, "animate": 48, "natural": 71}
    # Isolated objects: the four corners show the same grey background.
    corners = images.values[:, [0, 0, -1, -1], [0, -1, 0, -1]].reshape(-1, 3)
    assert len(np.unique(np.median(corners, axis=0))) == 1
    assert len(np.unique(images.values.reshape(92, -1), axis=0)) == 92


def test_human_matrices_in_another_order_are_refused(objects, tmp_path):
    paths, mean = objects
    order = np.random.default_rng(1).permutation(92)
    other = tmp_path / kriegeskorte2008.HUMAN_FILE
    write_sessions(other, [mean[np.ix_(order, order)]] * 8)
    mixed = paths | {other.name: other}
    refused(lambda: kriegeskorte2008.ingest(mixed, about=about({})), str(other), "another order")


# Antolík et al. 2016


@pytest.fixture(scope="module")
def mouse(real_data):
    folder = real_data / "antolik2016_mouse_v1" / "region1"
    names = (antolik2016.TRIALS_FILE, antolik2016.MEANS_FILE, antolik2016.IMAGES_FILE)
    return {name: folder / name for name in names}


def cube(array):
    """Sort the presentations into (repeat, image, unit) by their coordinates."""
    table = array.set_index(presentation=("repeat", "stimulus")).unstack("presentation")
    return table.transpose("repeat", "stimulus", "unit").values


def test_mouse_responses(mouse, tmp_path):
    array = antolik2016.ingest(mouse, about=about(mouse))
    assert array.dims == ("presentation", "unit") and array.shape == (500, 103)
    assert array.attrs["response"] == "inferred spikes" and array.attrs["units"] == "a.u."
    assert array.attrs["simultaneous"] is True
    assert set(array.area.values) == {"V1"} and set(array.session.values) == {"region1"}
    np.testing.assert_array_equal(array.block, array.repeat)
    # Inferred, not counted: no negative values, many exact zeros, and hardly a whole number among the others.
    values = array.values
    assert values.min() == 0 and 0.4 < np.mean(values == 0) < 0.6
    assert np.mean(values[values > 0] % 1 == 0) < 0.01
    np.testing.assert_allclose(cube(array).mean(axis=0), np.load(mouse[antolik2016.MEANS_FILE]), rtol=1e-5)
    survives_the_disk(array, tmp_path / "a.nc")


def test_mouse_neurons_are_reliable_as_published(mouse):
    """Split-half correlations over images; wrong axes would leave none."""
    trials = cube(antolik2016.ingest(mouse, about=about({})))

    def median_correlation(one, other):
        one, other = (half.mean(axis=0) - half.mean(axis=(0, 1)) for half in (one, other))
        return np.median((one * other).sum(0) / np.sqrt((one**2).sum(0) * (other**2).sum(0)))

    assert round(median_correlation(trials[:5], trials[5:]), 2) == 0.56
    assert round(median_correlation(trials[::2], trials[1::2]), 2) == 0.64


@pytest.mark.parametrize(("by", "accuracy"), [("mean responses", 0.49), ("single trials", 0.57)])
def test_mouse_images_are_identified_from_one_trial_as_published(mouse, by, accuracy):
    """Correlation with the mean of the other nine repeats after z-scoring the units; chance is 0.02."""
    trials = cube(antolik2016.ingest(mouse, about=about({})))
    hits = []
    for left_out in range(10):
        rest = np.delete(trials, left_out, axis=0)
        means = rest.mean(axis=0)
        scale = means.std(axis=0) if by == "mean responses" else rest.std(axis=(0, 1))
        scaled = [(x - means.mean(axis=0)) / scale for x in (trials[left_out], means)]
        hits.append(np.corrcoef(*scaled)[:50, 50:].argmax(axis=1) == np.arange(50))
    assert round(np.mean(hits), 2) == accuracy


def test_mouse_images(mouse):
    images = antolik2016.stimuli(mouse)
    assert images.shape == (50, 31, 31, 1) and images.dtype == np.uint8
    assert images.dims == ("stimulus", "y", "x", "channel")
    responses = antolik2016.ingest(mouse, about=about({}))
    assert images.stimulus.values.tolist() == responses.stimulus.values[:50].tolist()
    stored = np.load(mouse[antolik2016.IMAGES_FILE])
    np.testing.assert_allclose(images.values.reshape(50, 961) * 1e-6, stored, atol=1e-12)
    # Natural images: a pixel resembles its neighbour in both directions, so the rows have their true length.
    grey = images.values[..., 0].astype(float)
    for one, other in ((grey[:, 1:], grey[:, :-1]), (grey[:, :, 1:], grey[:, :, :-1])):
        assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.8


def test_the_region_names_the_units_and_has_to_exist(mouse):
    array = antolik2016.ingest(mouse, about=about({}), region="region3")
    assert array.unit_id.values[0].startswith("region3") and array.session.values[0] == "region3"
    refused(lambda: antolik2016.ingest(mouse, about=about({}), region="region4"), "region 'region4'", "region1")


def test_files_of_different_regions_are_refused(mouse, tmp_path):
    name = antolik2016.MEANS_FILE
    means = np.load(mouse[name])
    for wrong in (means[:, :55], means[::-1]):
        np.save(tmp_path / name, wrong)
        mixed = mouse | {name: tmp_path / name}
        refused(lambda mixed=mixed: antolik2016.ingest(mixed, about=about({})), name, "same region")


# Ecker et al. 2010, Berens et al. 2012


@pytest.fixture(scope="module")
def macaque(real_data):
    name = macaque_v1_gratings.FILE
    return {name: real_data / "macaque_v1_gratings" / name}


@pytest.fixture(scope="module")
def structs(macaque):
    content = scipy.io.loadmat(macaque[macaque_v1_gratings.FILE], struct_as_record=False, squeeze_me=True)
    return content["data"]


@pytest.mark.parametrize("session", range(1, 18))
def test_every_session_of_the_macaques(macaque, structs, session):
    struct = structs[session - 1]
    array = macaque_v1_gratings.ingest(macaque, about=about(macaque), session=session)
    kept = np.flatnonzero(struct.contamination < 0.05)
    n_conditions, n_repeats = struct.spikes.shape[1], struct.spikes.shape[3]
    assert array.shape == (n_conditions * n_repeats, len(kept))
    assert n_conditions in (14, 16) and 10 <= n_repeats <= 85
    np.testing.assert_array_equal(array.tetrode, struct.tetrode[kept])
    assert array.contamination.max() < 0.05
    assert set(array.session.values) == {struct.date} and set(array.animal.values) == {struct.subject}
    # Every repeat of every condition is there once, and no repeat is split between blocks.
    assert len(set(zip(array.stimulus.values, array.repeat.values, strict=True))) == array.sizes["presentation"]
    by_repeat = array.block.values.reshape(n_repeats, n_conditions)
    assert (by_repeat == by_repeat[:, :1]).all() and set(by_repeat[:, 0]) == {0, 1, 2, 3}
    assert (np.diff(array.block.values) >= 0).all()
    np.testing.assert_array_equal(np.unique(array.repeat), np.arange(n_repeats))
    # Each value is the sum of the 50 bins whose centres lie between 40 and 540 ms.
    window = (struct.times > 40) & (struct.times < 540)
    assert window.sum() == 50
    for c in (0, 5, n_conditions - 1):
        condition = struct.conditions[c]
        trials = array[(array.orientation == condition.orientation) & (array.contrast == condition.contrast / 100)]
        assert trials.repeat.values.tolist() == list(range(n_repeats))
        np.testing.assert_array_equal(trials, struct.spikes[kept, c][:, window].sum(axis=1).T)


def test_all_recorded_units_of_the_macaques(macaque):
    """The counts of units, with and without the criterion of the papers."""
    arrays = [macaque_v1_gratings.ingest(macaque, about=about({}), session=k, contamination=1.0) for k in range(1, 18)]
    sizes = [array.sizes["unit"] for array in arrays]
    assert min(sizes) == 10 and max(sizes) == 27
    ids = np.concatenate([array.unit_id.values for array in arrays])
    assert len(np.unique(ids)) == len(ids)
    assert set(np.concatenate([array.animal.values for array in arrays])) == {"H", "D"}


def test_macaque_stimuli_have_readable_ids(macaque, tmp_path):
    array = macaque_v1_gratings.ingest(macaque, about=about(macaque), session=1)
    assert "orientation=022.5-contrast=0.10" in array.stimulus.values
    assert np.unique(array.orientation).tolist() == np.arange(0, 180, 22.5).tolist()
    assert np.unique(array.contrast).tolist() == [0.01, 0.1]
    assert array.attrs["response"] == "spike count" and array.attrs["units"] == "spikes"
    survives_the_disk(array, tmp_path / "a.nc")


def test_the_grating_drives_the_units_after_its_onset(macaque):
    """At full contrast the window after the onset holds more spikes than an equally long one across it."""
    seen = macaque_v1_gratings.ingest(macaque, about=about({}), session=8, window=[0.04, 0.24])
    blank = macaque_v1_gratings.ingest(macaque, about=about({}), session=8, window=[-0.2, 0.0])
    full = seen.contrast == 1
    assert seen[full].mean() > 1.5 * blank[full].mean()
    assert seen.attrs["window"] == "0.04 to 0.24 s"


def test_repeats_of_the_macaques_are_in_the_order_of_time(macaque):
    """Trials of one repeat share fluctuations that change slowly: the assumption behind `block`."""
    shared, slow = [], []
    for session in range(1, 18):
        array = macaque_v1_gratings.ingest(macaque, about=about({}), session=session)
        counts = np.sqrt(cube(array))
        residual = (counts - counts.mean(axis=0)).mean(axis=2)  # repeat × condition
        product = residual.T @ residual
        shared.append(np.sign(product.sum() - np.trace(product)))
        drift = residual.mean(axis=1)
        slow.append(np.corrcoef(drift[1:], drift[:-1])[0, 1] + 1 / len(drift))
    assert np.mean(np.array(shared) > 0) > 0.8
    assert np.mean(np.array(slow) > 0) > 0.7


@pytest.mark.parametrize("session", [0, 18, "3"])
def test_a_session_that_does_not_exist(macaque, session):
    refused(
        lambda: macaque_v1_gratings.ingest(macaque, about=about({}), session=session),
        f"session is {session!r}",
        "1 to 17",
    )


@pytest.mark.parametrize("window", [[0.5, 0.1], [0.0, 0.8], [-0.3, 0.1], [0.043, 0.54], [0.1, 0.1], [0.1]])
def test_a_window_that_does_not_fit_the_bins(macaque, window):
    call = lambda: macaque_v1_gratings.ingest(macaque, about=about({}), session=1, window=window)  # noqa: E731
    refused(call, "window", "-0.2 to 0.7 s")


def test_a_criterion_that_no_unit_meets(macaque):
    call = lambda: macaque_v1_gratings.ingest(macaque, about=about({}), session=1, contamination=0.0)  # noqa: E731
    refused(call, "no units of", "session 1", "contamination of 0 or more")


# Damaged and foreign files, for all three


def calls(objects, mouse, macaque):
    paths, _ = objects
    return [
        (kriegeskorte2008.ingest, paths, {"about": about({})}),
        (kriegeskorte2008.stimuli, {k: v for k, v in paths.items() if k == kriegeskorte2008.PAPER_FILE}, {}),
        (antolik2016.ingest, {k: v for k, v in mouse.items() if k != antolik2016.IMAGES_FILE}, {"about": about({})}),
        (antolik2016.stimuli, {k: v for k, v in mouse.items() if k == antolik2016.IMAGES_FILE}, {}),
        (macaque_v1_gratings.ingest, macaque, {"about": about({}), "session": 1}),
    ]


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_named(objects, mouse, macaque, tmp_path, fraction):
    for function, paths, options in calls(objects, mouse, macaque):
        for name, path in paths.items():
            whole = path.read_bytes()
            cut = tmp_path / name
            cut.write_bytes(whole[: int(fraction * len(whole))])
            broken = paths | {name: cut}
            refused(lambda f=function, b=broken, o=options: f(b, **o), str(cut), "not a readable")


def test_a_web_page_in_the_place_of_the_file_is_named(objects, mouse, macaque, tmp_path):
    for function, paths, options in calls(objects, mouse, macaque):
        for name in paths:
            page = tmp_path / name
            page.write_text("<!DOCTYPE html><html><body>The page has moved.</body></html>\n" * 20, encoding="utf-8")
            broken = paths | {name: page}
            refused(lambda f=function, b=broken, o=options: f(b, **o), str(page), "not a readable")


def test_a_file_that_is_not_listed_or_not_there_is_named(objects, mouse, macaque, tmp_path):
    for function, paths, options in calls(objects, mouse, macaque):
        for name in paths:
            fewer = {k: v for k, v in paths.items() if k != name}
            refused(lambda f=function, b=fewer, o=options: f(b, **o), name, "list it")
            absent = paths | {name: tmp_path / "absent" / name}
            refused(lambda f=function, b=absent, o=options: f(b, **o), str(tmp_path / "absent" / name), "no such file")


def test_a_missing_variable_is_named_with_those_that_are_there(objects, mouse, macaque, tmp_path):
    for function, paths, options in calls(objects, mouse, macaque):
        for name in (name for name in paths if name.endswith(".mat")):
            other = tmp_path / name
            scipy.io.savemat(other, {"something": np.arange(3)})
            mixed = paths | {name: other}
            refused(lambda f=function, b=mixed, o=options: f(b, **o), str(other), "is missing", "something")


def test_a_missing_field_is_named(macaque, tmp_path):
    other = tmp_path / macaque_v1_gratings.FILE
    sessions = np.empty(2, dtype=object)
    sessions[:] = [{"date": "2002-04-01", "subject": "D"}, {"date": "2002-04-02", "subject": "D"}]
    scipy.io.savemat(other, {"data": sessions})
    refused(
        lambda: macaque_v1_gratings.ingest({other.name: other}, about=about({}), session=1),
        str(other),
        "field 'spikes'",
    )


def test_a_pickle_is_not_loaded(mouse, tmp_path):
    name = antolik2016.TRIALS_FILE
    np.save(tmp_path / name, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    refused(lambda: antolik2016.ingest(mouse | {name: tmp_path / name}, about=about({})), name, "not a readable")
