"""Ingest and write a recording of a given size, and print what it took; run as a program of its own.

``python large.py FOLDER NEURONS TRIALS PROTOCOL`` prints one line of JSON: bytes of the largest array, the memory of
the process before anything was read and at its peak, in bytes, and seconds.
"""

import json
import multiprocessing
import re
import resource
import sys
import time
from pathlib import Path

import stringer

from neurocompare import representation
from neurocompare.recordings import stringer2021


def peak():
    """Return the most memory that this program has had, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # Unlike the figure below, this one does not begin with the memory of the process that started the program.
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1])
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def now():
    """Return the memory of this program, in bytes."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * resource.getpagesize() if statm.exists() else peak()


def make(path, neurons, trials, protocol):
    """Write the file, in a process whose memory doesn't count."""
    stringer.write(path, stringer.orientations(neurons, trials, pixels=100), protocol)


def main(folder, neurons, trials, protocol):
    """Make a file, ingest it, write the result, and tell what it took."""
    path = Path(folder) / "gratings_static_GT1_2019_04_17_1.npy"
    if not path.exists():
        writer = multiprocessing.get_context("spawn").Process(target=make, args=(path, neurons, trials, protocol))
        writer.start()
        writer.join()
    about = {"source": "here", "citation": "us", "license": "none", "sha256": {path.name: "0" * 64}}
    before, began = now(), time.perf_counter()
    array = stringer2021.ingest({path.name: path}, about=about, spontaneous=True, components=8)
    ingested = peak()
    representation.write(array, path.with_suffix(".nc"))
    seconds = time.perf_counter() - began
    found = {"array": 8 * neurons * trials, "before": before, "ingested": ingested, "peak": peak(), "seconds": seconds}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
