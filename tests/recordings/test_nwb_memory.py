"""What the loader of NWB 2 files takes of memory, on files of 300 MB."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import nwb_files
import pytest
import yaml
from nwb_files import CALCIUM, GRATINGS

from neurocompare.recordings import nwb

# pynwb says this of series that are made before the container that they are put into.
pytestmark = pytest.mark.filterwarnings("ignore:The linked table")

PEAK = """
import re, resource, sys
from pathlib import Path
import yaml
from neurocompare.recordings import nwb

def peak():
    # On Linux the other measure begins with the memory of the process that started this one.
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\\s*(\\d+)", status.read_text())[1]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20

about = {"source": "", "citation": "", "license": "", "sha256": {}}
before = peak()
array = nwb.ingest({"x.nwb": Path(sys.argv[1])}, about=about, **yaml.safe_load(sys.argv[2]))
print(peak() - before)
"""


def peak(path, options):
    """Return the MB that ingesting takes on top of the imports."""
    environment = os.environ | {"PYTHONPATH": str(Path(nwb.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PEAK, str(path), yaml.safe_dump(options)]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def test_fluorescence_of_300_mb_takes_little_memory(tmp_path):
    """The worst case: each region of interest is one chunk, so that any block touches all of the file."""
    path = shutil.copy(nwb_files.imaging(tmp_path / "small.nwb"), tmp_path / "large.nwb")
    n_samples, cells = 150_000, 500
    with h5py.File(path, "a") as file:
        series, table = file["processing/ophys/Fluorescence/Corrected"], file["processing/ophys/ImageSegmentation"]
        del series["data"], series["timestamps"], series["rois"]
        series["timestamps"] = 4 + np.arange(n_samples) / 30
        data = series.create_dataset("data", (n_samples, cells), np.float32, chunks=(n_samples, 1))
        strip = np.random.default_rng(0).standard_normal((n_samples, 10), dtype=np.float32)
        for k in range(0, cells, 10):
            data[:, k : k + 10] = strip
        file["stimulus/presentation/drifting_gratings/start_time"][:] *= 24.0
        series["rois"] = np.arange(cells)
        series["rois"].attrs["table"] = table["PlaneSegmentation"].ref
        for name in list(table["PlaneSegmentation"]):
            if isinstance(table["PlaneSegmentation"][name], h5py.Dataset):
                del table["PlaneSegmentation"][name]
        table["PlaneSegmentation"]["id"] = np.arange(cells)
    options = CALCIUM | {"signal": "Fluorescence/Corrected", "response": "fluorescence"}
    used = peak(path, options)
    assert used < 150, used


def test_spikes_of_300_mb_take_little_memory(tmp_path):
    path = shutil.copy(nwb_files.neuropixels(tmp_path / "small.nwb"), tmp_path / "large.nwb")
    n_units, n_spikes = 400, 100_000
    with h5py.File(path, "a") as file:
        units = file["units"]
        for name in list(units):
            del units[name]
        units["id"] = np.arange(n_units)
        units["spike_times_index"] = (1 + np.arange(n_units)) * n_spikes
        times = units.create_dataset("spike_times", (n_units * n_spikes,), float)
        one = np.sort(np.random.default_rng(0).uniform(0, 3000, n_spikes))
        for k in range(n_units):
            times[k * n_spikes : (k + 1) * n_spikes] = one
        assert times.nbytes > 300e6
    used = peak(path, GRATINGS | {"area": "VISp", "bin_width": 0.1})
    assert used < 60, used
