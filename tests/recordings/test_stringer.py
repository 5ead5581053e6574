"""The two recordings of Stringer et al.: files of the published layouts, against direct readings of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import stringer
from conftest import ABOUT

from neurocompare import catalogue, catalogue_checks, representation
from neurocompare.errors import UserError, check_options
from neurocompare.recordings import stringer2019, stringer2021
from neurocompare.stimuli import images

TOP = Path(__file__).resolve().parents[2]
STATIC = "gratings_static_GT1_2019_04_17_1.npy"
NATURAL = "natimg2800_M170714_MP032_2017-09-14.mat"


def refused(call, *parts):
    with pytest.raises(UserError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def oriented(folder, content, *, name=STATIC, **options):
    path = folder / name
    stringer.write(path, content)
    return stringer2021.ingest({name: path}, about=ABOUT, **options)


def natural(folder, stim, *, name=NATURAL, red=None, med=None, **options):
    path = folder / name
    stringer.write_mat(path, stim, red=red, med=med)
    return stringer2019.ingest({name: path}, about=ABOUT, **options)


def entries(loader):
    """Return what the catalogue says of every recording of a loader."""
    known = catalogue.load(TOP / "config", TOP / "workflow/schemas")
    return [known.recording(name) for name in known.recording_ids() if known.recording(name).get("loader") == loader]


def test_the_catalogue_lists_the_recordings_by_stimulus_and_mouse():
    oriented_, natural_ = entries("stringer2021"), entries("stringer2019")
    for loader, found in ((stringer2021, oriented_), (stringer2019, natural_)):
        for entry in found:
            check_options(loader.ingest, entry["options"] | {"about": {}}, entry["name"])
            assert entry["about"]["license"].startswith("CC BY-NC 4.0")
    files = [file for entry in oriented_ if "sessions" in entry for file in entry["files"].items()]
    assert len(files) == len({name for name, _ in files}) == len({source["md5"] for _, source in files}) == 38
    names = [name for entry in natural_ for name in entry["files"] if not name.startswith("images")]
    counts = {stimuli: sum(name.startswith(f"{stimuli}_M") for name in names) for stimuli in stringer2019.N_IMAGES}
    assert counts == {
        "natimg2800": 7,
        "natimg2800_white": 0,
        "natimg2800_8D": 6,
        "natimg2800_4D": 4,
        "natimg2800_small": 1,
        "natimg32": 4,
        "ori32": 4,
    }


def test_the_images_are_declared_with_their_crop():
    known = catalogue.load(TOP / "config", TOP / "workflow/schemas")
    entry = known.stimuli["stringer2019_natimg2800"]
    check_options(stringer2019.stimuli, entry["options"], "stimuli")
    # Without the list, all recordings would be fetched for the sake of the images.
    assert entry["files"] == ["images_natimg2800_all.mat"]
    known.stimuli["stringer2019_natimg2800"] = entry | {"files": ["images_natimg2800_al.mat"]}
    with pytest.raises(UserError, match="did you mean images_natimg2800_all.mat"):
        catalogue_checks._check_stimuli(known, "stringer2019_natimg2800")


# Stringer et al. 2021


def test_responses_to_orientations_are_those_of_the_file(tmp_path):
    content = stringer.orientations(40, 60)
    array = oriented(tmp_path, content, bins=8)
    assert array.dims == ("presentation", "unit")
    np.testing.assert_array_equal(array.values, content["sresp"].T.astype(np.float32))
    degrees = np.rad2deg(content["istim"])
    np.testing.assert_allclose(array.orientation, degrees)
    np.testing.assert_allclose(array.angle, degrees)
    assert array.attrs["response"] == "inferred spikes" and array.attrs["units"] == "a.u."
    assert array.attrs["normalisation"] == "none" and array.attrs["excluded"] == {}
    assert set(array.animal.values) == {"GT1"} and set(array.session.values) == {"2019_04_17_1"}
    assert array.unit_id.values[3] == "GT1-2019_04_17_1-00003" and set(array.area.values) == {"V1"}
    np.testing.assert_array_equal(array.y, [cell["med"][0] for cell in content["stat"]])
    np.testing.assert_array_equal(array.x, [cell["med"][1] for cell in content["stat"]])
    np.testing.assert_array_equal(array.plane, [cell["iplane"] for cell in content["stat"]])
    # Blocks are stretches of time.
    assert (np.diff(array.block) >= 0).all() and set(array.block.values) == {0, 1, 2, 3}
    representation.write(array, tmp_path / "a.nc")
    np.testing.assert_array_equal(representation.read(tmp_path / "a.nc"), array)


def test_trials_of_a_bin_are_pseudo_repeats_of_its_centre(tmp_path):
    array = oriented(tmp_path, stringer.orientations(5, 300), bins=12)
    centre = np.array([float(name.removeprefix("orientation=")) for name in array.stimulus.values])
    assert np.abs(array.orientation - centre).max() <= 15
    assert len(np.unique(centre)) == 12 and centre.min() == 15
    for name in np.unique(array.stimulus):
        mine = array.repeat.values[array.stimulus.values == name]
        assert mine.tolist() == list(range(len(mine)))


def test_the_period_goes_by_the_name_of_the_experiment(tmp_path):
    names = [file for entry in entries("stringer2021") for file in entry["files"] if "sessions" in entry]
    content = stringer.orientations(4, 80)
    content["istim"] = np.deg2rad(np.linspace(0, 359, 80))
    for name in names[::3]:
        array = oriented(tmp_path, content, name=name, bins=4)
        random_phase = name.startswith("static_sin_rand")
        assert array.attrs["orientation_period"] == (180 if random_phase else 360)
        np.testing.assert_allclose(array.orientation, np.linspace(0, 359, 80) % (180 if random_phase else 360))
        np.testing.assert_allclose(array.angle, np.linspace(0, 359, 80))
        assert set(array.area.values) == {"lateral visual areas" if name.startswith("biased_V2") else "V1"}
        assert name.startswith(array.attrs["experiment"] + "_" + array.animal.values[0])
    array = oriented(tmp_path, content, bins=4, period=180)
    assert array.orientation.max() < 180 and array.attrs["orientation_period"] == 180


def test_trials_without_an_angle_and_beyond_a_span_are_counted(tmp_path):
    content = stringer.orientations(6, 200, extra=3)
    content["istim"] = np.deg2rad(np.random.default_rng(0).uniform(42, 48, 200))
    content["istim"][[5, 9]] = np.nan
    array = oriented(tmp_path, content, name="static_biased_TX42_2019_06_13_1.npy", bins=20, span=[43, 47])
    degrees = np.rad2deg(content["istim"])
    inside = (degrees >= 43) & (degrees <= 47)
    np.testing.assert_array_equal(array.values, content["sresp"][:, :200].T[inside].astype(np.float32))
    assert array.attrs["excluded"] == {
        "presentation": {
            "response after the last angle": 3,
            "no angle": 2,
            "angle not between 43 and 47 degrees": 198 - inside.sum(),
        }
    }
    assert len(np.unique(array.stimulus)) == 20 and "orientation=043.1" in array.stimulus.values


def test_dead_neurons_are_left_out_and_counted(tmp_path):
    content = stringer.orientations(20, 50)
    content["sresp"][3] = 0
    content["sresp"][4, 7] = np.nan
    content["std_spont"][5] = 0
    content["mean_spont"][6] = np.nan
    kept = np.setdiff1d(np.arange(20), [3, 4])
    array = oriented(tmp_path, content)
    np.testing.assert_array_equal(array.values, content["sresp"][kept].T.astype(np.float32))
    assert array.attrs["excluded"] == {"unit": {"constant response": 1, "NaN or infinite response": 1}}
    assert array.unit_id.values[3].endswith("-00005")
    array = oriented(tmp_path, content, spontaneous=True)
    assert array.sizes["unit"] == 16
    assert array.attrs["excluded"]["unit"]["no spontaneous activity to scale with"] == 2


def test_spontaneous_activity_scales_and_is_removed_by_name(tmp_path):
    content = stringer.orientations(40, 60)
    scaled = (content["sresp"] - content["mean_spont"][:, None]) / content["std_spont"][:, None]
    array = oriented(tmp_path, content, spontaneous=True)
    np.testing.assert_allclose(array.values, scaled.T, rtol=1e-5, atol=1e-5)
    assert array.attrs["normalisation"] == "z-score by spontaneous activity"
    array = oriented(tmp_path, content, spontaneous=True, components=5)
    axes = content["u_spont"][:, :5]
    np.testing.assert_allclose(array.values, (scaled - axes @ (axes.T @ scaled)).T, rtol=1e-4, atol=1e-4)
    assert array.attrs["spontaneous_components_removed"] == 5
    # With a neuron left out, what remains has no part in the components of the others either.
    content["sresp"][0] = 1
    array = oriented(tmp_path, content, spontaneous=True, components=5)
    np.testing.assert_allclose(array.values @ axes[1:], 0, atol=1e-4)


def test_no_trial_has_a_part_in_another(tmp_path):
    """Statistics of the responses, of test trials among them, would tie trials together."""
    content = stringer.orientations(10, 30)
    options = {"spontaneous": True, "components": 3}
    before = oriented(tmp_path, content, **options)
    content["sresp"][:, 11] *= 50
    after = oriented(tmp_path, content, **options)
    others = np.arange(30) != 11
    np.testing.assert_array_equal(before[others], after[others])
    assert not np.allclose(before[11], after[11])


def test_the_copy_for_courses_has_places_and_running(tmp_path):
    content = stringer.orientations(15, 40)
    content["xyz"] = np.random.default_rng(1).random((3, 15))
    content["run"] = np.random.default_rng(2).random(40).astype(np.float32)
    content["info"] = "a copy"
    content["sresp"][2] = 0
    content["istim"][4] = np.nan
    name = "stringer_orientations.npy"
    array = oriented(tmp_path, content, name=name, experiment="gratings_static", animal="course")
    kept = np.delete(np.arange(15), 2)
    np.testing.assert_array_equal(np.stack([array.x, array.y, array.depth]), content["xyz"][:, kept])
    np.testing.assert_allclose(array.running_speed, np.delete(content["run"], 4))
    assert "plane" not in array.coords and set(array.session.values) == {"stringer_orientations"}
    refused(lambda: oriented(tmp_path, content, name=name), name, "'experiment' and 'animal'")


def test_what_is_wrong_with_oriented_stimuli_is_told_in_one_line(tmp_path):
    good = stringer.orientations(12, 30)
    path = str(tmp_path / STATIC)

    def without(*keys):
        return {key: value for key, value in good.items() if key not in keys}

    for content, options, parts in [
        (without("istim"), {}, [path, "'istim' is missing", "present: frametimes"]),
        (good | {"istim": np.rad2deg(good["istim"])}, {}, [path, "'istim' runs from", "radians"]),
        (good | {"istim": good["istim"].repeat(2)}, {}, [path, "30 trials", "60 angles"]),
        (good | {"istim": np.full(30, np.nan)}, {}, [f"trials of {STATIC}", "no angle (30)"]),
        (good | {"sresp": good["sresp"][0]}, {}, [path, "not neurons × trials"]),
        (good | {"sresp": np.zeros((12, 30))}, {}, [f"neurons of {STATIC}", "constant response (12)"]),
        (good | {"stat": good["stat"][:5]}, {}, [path, "'stat'", "12 neurons"]),
        (good | {"xyz": np.zeros((12, 3))}, {}, [path, "'xyz' is (12, 3)"]),
        (good | {"run": np.zeros(7)}, {}, [path, "'run' has 7 values"]),
        (without("mean_spont"), {"spontaneous": True}, [path, "'mean_spont' has 0 values", "spontaneous: false"]),
        (good, {"spontaneous": True, "components": 13}, [path, "'u_spont' is (12, 12)", "13 components"]),
        (good, {"components": 2}, ["components is 2", "spontaneous: true"]),
        (good, {"bins": 0}, ["bins is 0"]),
        (good, {"bins": 5000}, ["bins is 5000", "0.2 degrees"]),
        (good, {"bins": 2.5}, ["bins is 2.5"]),
        (good, {"span": [40, 400]}, ["span is [40, 400]"]),
        (good, {"period": 0}, ["period is 0"]),
        (good, {"experiment": "gratings_statik"}, ["gratings_statik", "gratings_static"]),
        (np.arange(3), {}, [path, "no dict"]),
    ]:
        refused(lambda content=content, options=options: oriented(tmp_path, content, **options), *parts)
    refused(lambda: stringer2021.ingest({}, about=ABOUT), "one .npy file")
    refused(lambda: stringer2021.ingest({STATIC: tmp_path / "absent.npy"}, about=ABOUT), "no such file")


def memory(folder, neurons, trials, protocol):
    """Ingest and write a recording in a process of its own; return what that took, per byte of its largest array."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TOP / "workflow"), str(Path(__file__).parent)])}
    program = [sys.executable, str(Path(__file__).with_name("large.py")), str(folder), str(neurons), str(trials)]
    done = subprocess.run([*program, str(protocol)], env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    print(found)
    return found["peak"], (found["peak"] - found["before"]) / found["array"]


def test_a_tenth_of_a_recording_needs_little_more_than_itself(tmp_path):
    """In the form that old versions of NumPy wrote, which takes more."""
    assert memory(tmp_path, 2359, 4598, 2)[1] < 2.5


@pytest.mark.skipif("NEUROCOMPARE_LARGE" not in os.environ, reason="NEUROCOMPARE_LARGE is not set: takes 2 GB of disk")
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_whole_recording_fits_into_three_gigabytes(tmp_path, protocol):
    peak, ratio = memory(tmp_path, 23589, 4598, protocol)
    assert peak < 3e9 and ratio < 2.5


# Stringer et al. 2019


def test_responses_to_images_are_those_of_the_file(tmp_path):
    stim = stringer.natural_images()
    array = natural(tmp_path, stim)
    shown = stim["istim"].ravel()
    kept = shown <= 2800
    np.testing.assert_allclose(array.values, stim["resp"][kept], rtol=1e-6)
    # Images are numbered from one in the file, and from zero in their ids, as in the array of images.
    assert array.stimulus.values.tolist() == [f"image-{int(k) - 1:04d}" for k in shown[kept]]
    np.testing.assert_array_equal(array.values[:, 0] // 100 - 1, [int(name[-4:]) for name in array.stimulus.values])
    assert array.attrs["excluded"] == {"presentation": {"blank": 3}}
    assert set(array.repeat.values) == {0, 1} and (np.diff(array.block) >= 0).all()
    assert set(array.animal.values) == {"M170714_MP032"} and set(array.session.values) == {"2017-09-14"}
    np.testing.assert_array_equal(np.stack([array.x, array.y, array.depth])[:, 3], [3, 6, 200])
    assert array.attrs["red_cells"] == "not marked in this file"
    representation.write(array, tmp_path / "a.nc")
    np.testing.assert_array_equal(representation.read(tmp_path / "a.nc"), array)


def test_the_last_image_is_no_blank(tmp_path):
    """Where no grey screen was shown, the largest number is an image."""
    stim = stringer.natural_images(2800, 3, blanks=0)
    array = natural(tmp_path, stim)
    assert array.sizes["presentation"] == 5600 and "image-2799" in array.stimulus.values
    assert array.attrs["excluded"] == {}


def test_blanks_and_images_that_were_shown_once(tmp_path):
    stim = stringer.natural_images()
    keep = np.ones(len(stim["istim"]), dtype=bool)
    keep[np.flatnonzero(stim["istim"].ravel() == 4)[0]] = False
    stim["resp"], stim["istim"] = stim["resp"][keep], stim["istim"][keep]
    array = natural(tmp_path, stim)
    assert array.attrs["excluded"]["presentation"] == {"blank": 3, "image shown fewer than 2 times": 1}
    assert "image-0003" not in array.stimulus.values
    array = natural(tmp_path, stim, repeats=1, blanks="keep")
    np.testing.assert_allclose(array.values, stim["resp"], rtol=1e-6)
    assert (array.stimulus.values == "blank").sum() == 3


def test_red_cells_and_missing_values_are_counted(tmp_path):
    stim = stringer.natural_images()
    red = np.arange(12) % 5 == 0
    image = np.flatnonzero(stim["istim"].ravel() <= 2800)
    stim["resp"][:, 7] = 3
    stim["resp"][image[2], 4] = np.nan
    stim["resp"][image[3]] = np.nan
    array = natural(tmp_path, stim, red=red, repeats=1)
    assert array.attrs["excluded"] == {
        "unit": {"red cell": 3, "NaN or infinite response": 1, "constant response": 1},
        "presentation": {"blank": 3, "no response": 1},
    }
    kept = [i for i in range(12) if i not in (0, 5, 10, 4, 7)]
    np.testing.assert_allclose(array.values, np.delete(stim["resp"][image], 3, axis=0)[:, kept], rtol=1e-6)
    array = natural(tmp_path, stim, red=red, repeats=1, red_cells="keep", missing="zero")
    assert array.sizes["unit"] == 11 and array.attrs["values_set_to_zero"] == 1
    assert array.values[2, 4] == 0 and array.attrs["excluded"]["unit"] == {"constant response": 1}
    assert array.attrs["red_cells"] == "keep"


def test_spontaneous_activity_between_images(tmp_path):
    stim = stringer.natural_images(30, 12)
    stim["spont"][:, 3] = 1
    array = natural(tmp_path, stim, spontaneous=True, components=3)
    kept = np.delete(np.arange(12), 3)
    spont = stim["spont"][:, kept]
    scaled = (stim["resp"][stim["istim"].ravel() <= 2800][:, kept] - spont.mean(0)) / spont.std(0)
    axes = np.linalg.svd((spont - spont.mean(0)) / spont.std(0), full_matrices=False)[2][:3].T
    np.testing.assert_allclose(array.values, scaled - scaled @ axes @ axes.T, rtol=1e-4, atol=1e-2)
    assert array.attrs["excluded"]["unit"] == {"no spontaneous activity to scale with": 1}
    assert array.attrs["spontaneous_components_removed"] == 3
    # Single precision in the file changes nothing but the last digits.
    single = {key: value.astype(np.float32) if key != "istim" else value for key, value in stim.items()}
    np.testing.assert_allclose(natural(tmp_path, single, spontaneous=True, components=3), array, rtol=1e-3, atol=1e-1)


@pytest.mark.parametrize("form", ["of presentations", "of stimuli"])
@pytest.mark.parametrize("unit", [1, np.pi / 180])
def test_directions_of_gratings(tmp_path, form, unit):
    stim = stringer.natural_images(32, 5, repeats=4, number=32)
    shown = stim["istim"].ravel().astype(int)
    direction = np.append(np.arange(32) * 11.25, np.nan)
    stim["ori"] = unit * (direction[shown - 1] if form == "of presentations" else direction[:32])
    array = natural(tmp_path, stim, name="ori32_M170714_MP032_2017-08-02.mat")
    np.testing.assert_allclose(array.direction, direction[shown[shown <= 32] - 1], atol=1e-9)
    assert array.attrs["orientation_period"] == 360 and array.sizes["presentation"] == 128


def test_what_is_wrong_with_natural_images_is_told_in_one_line(tmp_path):
    good = stringer.natural_images()
    path = str(tmp_path / NATURAL)
    for stim, options, parts in [
        (good | {"istim": good["istim"][:5]}, {}, [path, "don't fit together"]),
        (good, {"med": np.zeros((5, 3))}, [path, "'med' (5, 3)"]),
        (good | {"istim": good["istim"] - 1}, {}, [path, "'stim.istim' runs from 0"]),
        (good | {"istim": good["istim"] + 1}, {}, [path, "to 2802"]),
        ({key: good[key] for key in ("resp", "spont")}, {}, [path, "field 'istim'"]),
        (good | {"spont": np.empty((0, 0))}, {"spontaneous": True}, [path, "'stim.spont'", "spontaneous: false"]),
        (good, {"spontaneous": True, "components": 12}, [path, "components is 12", "12 neurons"]),
        (good, {"components": 3}, ["components is 3", "spontaneous: true"]),
        (good, {"repeats": 3}, [f"presentations of {NATURAL}", "fewer than 3 times (12)"]),
        (good, {"blanks": "maybe"}, ["'blanks' is 'maybe'", "drop, keep"]),
        (good, {"missing": "mean"}, ["'missing' is 'mean'"]),
        (good, {"red_cells": "no"}, ["'red_cells' is 'no'"]),
    ]:
        refused(lambda stim=stim, options=options: natural(tmp_path, stim, **options), *parts)
    scipy.io.savemat(path, {"something": 1})
    refused(lambda: stringer2019.ingest({NATURAL: path}, about=ABOUT), path, "'stim' is missing", "something")
    refused(lambda: stringer2019.ingest({"a.mat": path}, about=ABOUT), "natimg2800", "a.mat")


def test_images_are_cut_to_squares_for_networks(tmp_path):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (68, 270, 5), dtype=np.uint8)
    name = "images_natimg2800_all.mat"
    scipy.io.savemat(tmp_path / name, {"imgs": pictures})
    files = {name: tmp_path / name, NATURAL: tmp_path / NATURAL}
    for crop, first in [("left", 11), ("middle", 101), ("right", 191), (0, 0), (202, 202)]:
        array = stringer2019.stimuli(files, crop=crop)
        assert array.dims == ("stimulus", "y", "x", "channel") and array.shape == (5, 68, 68, 1)
        for k in range(5):
            np.testing.assert_array_equal(array.values[k, :, :, 0], pictures[:, first : first + 68, k])
        assert array.attrs["crop_degrees"] == f"{first} to {first + 68} of 270"
    assert array.stimulus.values.tolist() == [f"image-{k:04d}" for k in range(5)]
    assert images.prepare(array, size=32, mode="rgb", scale=(0, 255)).shape == (5, 3, 32, 32)
    scipy.io.savemat(tmp_path / name, {"imgs": pictures.astype(np.float32)})
    np.testing.assert_array_equal(stringer2019.stimuli(files, crop=202), array)
    for crop in ("centre", 203, -1, 1.5, True, [1]):
        refused(lambda crop=crop: stringer2019.stimuli(files, crop=crop), "crop", "middle")
    for content, told in [(pictures[:50], "not 68 × 270"), (pictures * 2.0, "no grey levels")]:
        scipy.io.savemat(tmp_path / name, {"imgs": content})
        refused(lambda: stringer2019.stimuli(files), name, told)
    refused(lambda: stringer2019.stimuli({NATURAL: tmp_path / NATURAL}), "images_", "lists natimg2800")
