"""Write what the SDK reads from NWB files into one plain HDF5 file, for readers that do not have the SDK."""

import json
import sys
from pathlib import Path

import ecephys
import h5py
import ophys
from program import main, tell


def work(request):
    """Export.

    Parameters
    ----------
    request : dict
        ``product``, ``folder``, ``experiments`` (``id`` and ``sha256`` by file name), ``stimulus``, ``response``,
        ``output``.

    Returns
    -------
    dict
        ``experiments``: the number of them.
    """
    import allensdk

    read = {"ophys": ophys.export, "ecephys": ecephys.export}[request["product"]]
    with h5py.File(request["output"], "w") as file:
        file.attrs["product"] = request["product"]
        file.attrs["stimulus"] = request["stimulus"]
        file.attrs["allensdk"] = allensdk.__version__
        file.attrs["python"] = "{}.{}.{}".format(*sys.version_info[:3])
        checksums = {}
        for experiment in request["experiments"]:
            checksums.update(experiment["sha256"])
        file.attrs["sha256"] = json.dumps(checksums, sort_keys=True)
        for experiment in request["experiments"]:
            tell("experiment {}: reading".format(experiment["id"]))
            group = file.create_group("experiments/{}".format(experiment["id"]), track_order=True)
            read(group, int(experiment["id"]), Path(request["folder"]), request)
    return {"experiments": len(request["experiments"])}


if __name__ == "__main__":
    main(work)
