"""What the loader of NWB 2 files refuses: in one line that names the file, the field and the way out."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import nwb_files
import pytest
from conftest import ABOUT
from nwb_files import CALCIUM, GRATINGS, MAZE, ingest

from neurocompare.errors import UserError
from neurocompare.recordings import nwb

# pynwb says this of series that are made before the container that they are put into.
pytestmark = pytest.mark.filterwarnings("ignore:The linked table")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return nwb_files.all_of_them(tmp_path_factory.mktemp("nwb"))


@pytest.fixture
def copy(made, tmp_path):
    """Give a function that copies a file, to be changed."""
    return lambda name: Path(shutil.copy(made[name], tmp_path / f"{name}.nwb"))


def refused(path, *parts, **options):
    """Ingest in vain; the message has one line, and names the file and all parts."""
    with pytest.raises(UserError) as caught:
        ingest(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    for part in (Path(path).name, *parts):
        assert str(part) in message, message


def test_what_the_file_does_not_say_has_to_be_given(made):
    given = {"trials": "licks", "stimulus": "side", "window": [0, 0.1]}
    refused(made["events"], "general/subject/subject_id", "option 'animal'", **given)
    refused(made["events"], "option 'area'", "spike_times", animal="m1", **given)


def test_files_that_are_no_nwb_2_are_refused(tmp_path, made):
    old = tmp_path / "old.nwb"
    with h5py.File(old, "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
    refused(old, "NWB 1.0.6", "allen_ophys", **MAZE)
    other = tmp_path / "other.h5"
    h5py.File(other, "w").close()
    refused(other, "no NWB file", **MAZE)
    (tmp_path / "text.nwb").write_text("no HDF5")
    refused(tmp_path / "text.nwb", "not a readable HDF5 file", **MAZE)
    cut = tmp_path / "cut.nwb"
    cut.write_bytes(made["maze"].read_bytes()[:-5000])
    refused(cut, "not a readable HDF5 file", "fetch it again", **MAZE)
    refused(tmp_path / "absent.nwb", "no such file", **MAZE)
    halves = {"train.nwb": made["maze"], "test.nwb": made["maze"]}
    with pytest.raises(UserError, match="train.nwb, test.nwb: a recording is one NWB file") as caught:
        nwb.ingest(halves, about=ABOUT, **MAZE)
    assert "\n" not in str(caught.value)


def test_names_that_do_not_exist_are_answered_with_those_that_do(made):
    maze, gratings, imaging = made["maze"], made["neuropixels"], made["imaging"]
    refused(maze, "interval table 'trails'", "trials", **MAZE, trials="trails")
    refused(gratings, "interval table 'trials'", "drifting_gratings_presentations, invalid_times", **MAZE)
    refused(maze, "'/intervals/trials'", "'onset_time'", "move_onset_time", **MAZE | {"align": "onset_time"})
    refused(maze, "trial_types", "did you mean trial_type", **MAZE | {"stimulus": "trial_types"})
    refused(maze, "'zzz'", "start_time, stop_time", "target_pos", **MAZE, columns=["zzz"])
    refused(maze, "'heldot'", "heldout", **MAZE, units={"heldot": False})
    refused(maze, "'splits'", "split", **MAZE, where={"splits": "train"})
    refused(maze, "'/units'", "'area2'", **MAZE, unit_columns=["area2"])
    refused(
        gratings,
        "extracellular_ephys/electrodes': unknown column 'probe'",
        "location, valid_data",
        **GRATINGS,
        units={"electrodes.probe": 1},
    )
    refused(imaging, "'DfF'", "did you mean DfOverF", **CALCIUM | {"signal": "DfF"})
    refused(imaging, "several", "DfOverF/DfOverF, ", **CALCIUM | {"signal": "ophys/DfOverF"})
    refused(
        imaging,
        "no spike times",
        "/processing/ophys/DfOverF/DfOverF",
        **CALCIUM | {"signal": "spikes", "response": None},
    )
    refused(maze, "'DfOverF'", "/intervals/trials", **MAZE, signal="DfOverF", response="dF/F")
    refused(maze, "'exchangeable'", "did you mean stimulus", **MAZE, exchangeable="stimuli")


def test_conditions_that_cannot_be_met_show_what_the_column_holds(made):
    maze, gratings = made["maze"], made["neuropixels"]
    refused(gratings, "'quality'", "goood", "good, noise", **GRATINGS, units={"quality": "goood"})
    refused(maze, "'trial_type'", "0, 1, 2", **MAZE, where={"trial_type": 9})
    refused(maze, "'start_time'", "numbers from 10 to 127", **MAZE, where={"start_time": {"min": 1e6}})
    refused(maze, "'trial_type' holds numbers", **MAZE, where={"trial_type": "left"})
    refused(maze, "'split'", "'min' needs a number", **MAZE, where={"split": {"min": 1}})
    refused(maze, "'mim'", "min", **MAZE, where={"trial_type": {"mim": 1}})
    refused(maze, "no condition", **MAZE, where={"trial_type": [[1]]})
    refused(maze, "option 'where' is 'train'", **MAZE, where="train")
    refused(gratings, "no units of", "quality is not good (1)", **GRATINGS, units={"quality": "good", "id": 950030})
    refused(maze, "no presentations of /intervals/trials", **MAZE, where={"id": 5})


def test_columns_that_are_no_coordinates_are_refused(made):
    maze, gratings = made["maze"], made["neuropixels"]
    refused(maze, "'target_pos'", "arrays", **MAZE, columns=["target_pos"])
    refused(made["centre_out"], "'target_corners[0]'", stimulus="result", window=[0, 1], columns=["target_corners"])
    refused(
        made["centre_out"],
        "'target_corners[7]' is none",
        stimulus="result",
        window=[0, 1],
        columns=["target_corners[7]"],
    )
    refused(gratings, "'timeseries'", "references", **GRATINGS, columns=["timeseries"])
    assert set(ingest(gratings, **GRATINGS, columns=["tags"]).tags.values) == {"stimulus_time_interval"}
    refused(maze, "'split'", "holds no numbers", **MAZE | {"align": "split"})
    refused(maze, "'block'", "columns: {shown_block: split}", **MAZE, columns={"block": "split"})
    refused(maze, "'columns'", **MAZE, columns="split")


def test_options_out_of_range_are_refused(made):
    maze = made["maze"]
    for options, *parts in [
        ({"window": [0.2, 0.1]}, "'window'", "smaller first"),
        ({"window": "0 to 1"}, "'window'"),
        ({"window": None}, "'window'"),
        ({"bin_width": 0.3}, "not a whole number of bins"),
        ({"bin_width": "fine"}, "'bin_width'"),
        ({"bin_width": 1e-9}, "use wider bins"),
        ({"align": ["move_onset_time"]}, "'align'"),
        ({"where": {"maze_id": {"min": float("nan")}}}, "maze_id"),
        ({"block": 0}, "'block'"),
        ({"block": {"pause": 3}}, "'block'", "gap"),
        ({"observed": 2}, "'observed'"),
        ({"blanks": "dorp"}, "'blanks'", "drop"),
        ({"baseline": [-1, 0]}, "'baseline'"),
        ({"area": {"M1": {"id": {"max": 2000}}}}, "'area'", "2 units", "2011"),
        ({"unit_columns": ["area"]}, "'unit_columns'"),
        ({"stimulus": []}, "'stimulus'", "trial_type"),
    ]:
        refused(maze, *parts, **MAZE | options)
    for options, *parts in [
        ({"response": None}, "'response'", "dF/F"),
        ({"response": "df/f"}, "did you mean dF/F"),
        ({"bin_width": 0.01}, "0.03333 s between samples"),
        ({"baseline": {"window": [-1, 0], "step": "dF/F"}}, "not positive"),
        ({"baseline": {"step": "dF/F"}}, "'window' is missing"),
        ({"baseline": {"window": [-1, 0], "step": "divide"}}, "'divide'"),
        ({"recorded": [0, 1]}, "'recorded'"),
    ]:
        refused(made["imaging"], *parts, **CALCIUM | options)


def test_damaged_tables_are_refused(copy):
    path = copy("maze")
    with h5py.File(path, "a") as file:
        end = file["units/spike_times_index"][2]
        file["units/spike_times"][end - 3 : end] = file["units/spike_times"][end - 3 : end][::-1]
    refused(path, "unit 1961", "not rising", "id: {not: 1961}", **MAZE)
    assert ingest(path, **MAZE, units={"id": {"not": 1961}}).sizes["unit"] == 4
    with h5py.File(path, "a") as file:
        file["units/id"][3] = 1011
    refused(path, "id 1011 is twice in '/units'", **MAZE)
    path = copy("neuropixels")
    with h5py.File(path, "a") as file:
        file["units/spike_times_index"][1] = 60000
    refused(path, "'spike_times_index' of '/units'", **GRATINGS)
    path = copy("imaging")
    with h5py.File(path, "a") as file:
        file["processing/ophys/Fluorescence/Corrected/timestamps"][10] = np.nan
    refused(path, "times of '/processing/ophys/DfOverF/DfOverF'", **CALCIUM)
