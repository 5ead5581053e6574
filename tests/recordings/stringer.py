"""Files of the layouts that Stringer et al. published, filled with known numbers."""

import pickle

import numpy as np
import scipy.io


def cells(n, *, planes=3, pixels=5, rng=None):
    """Lay out what Suite2p says of each cell."""
    rng = rng or np.random.default_rng(0)
    stat = np.empty(n, dtype=object)
    for i in range(n):
        stat[i] = {
            "med": [int(i % 512), int(i // 512)],
            "ypix": rng.integers(0, 512, pixels),
            "xpix": rng.integers(0, 512, pixels),
            "lam": rng.random(pixels).astype(np.float32),
            "overlap": np.zeros(pixels, dtype=bool),
            "radius": np.float64(rng.random()),
            "skew": np.float32(rng.random()),
            "npix": pixels,
            "iplane": int(i % planes),
        }
    return stat


def write(path, content, protocol=4):
    """Write a pickled dict as NumPy of any age does."""
    array = np.empty((), dtype=object)
    array[()] = content
    with open(path, "wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": ()}
        np.lib.format.write_array_header_1_0(file, header)
        pickle.dump(array, file, protocol=protocol)


def orientations(n=40, trials=60, *, extra=0, pixels=5, seed=0):
    """Make the content of a recording of oriented stimuli."""
    rng = np.random.default_rng(seed)
    responses = rng.gamma(0.5, 2.0, (n, trials + extra))
    responses *= responses > 0.5
    return {
        "sresp": responses,
        "istim": rng.uniform(0, 2 * np.pi, trials),
        "stat": cells(n, pixels=pixels, rng=rng),
        "mean_spont": rng.random(n),
        "std_spont": rng.uniform(0.5, 2, n),
        "u_spont": np.linalg.qr(rng.standard_normal((n, min(n, 16))))[0],
        "v_spont": rng.standard_normal((min(n, 16), 30)),
        "stimtimes": 10 + 5 * np.arange(trials),
        "frametimes": np.arange(6 * trials) / 3.0,
    }


def natural_images(n_images=6, n=12, *, repeats=2, blanks=3, times=40, number=2800, seed=0):
    """Make the fields of a recording of natural images; images are numbered from one, `number` + 1 is the grey screen.

    A value tells its presentation and neuron, and its repeat in no way: 100 × image + neuron, and noise below one.
    """
    rng = np.random.default_rng(seed)
    shown = np.concatenate([*(rng.permutation(n_images) + 1 for _ in range(repeats)), np.full(blanks, number + 1)])
    shown = shown[rng.permutation(len(shown))]
    responses = 100.0 * shown[:, None] + np.arange(n) + rng.random((len(shown), n))
    loadings = rng.standard_normal((3, n))
    spont = rng.standard_normal((times, 3)) @ loadings + 0.3 * rng.standard_normal((times, n)) + 5
    return {"resp": responses, "istim": shown.astype(float)[:, None], "spont": spont}


def write_mat(path, stim, *, red=None, med=None):
    """Write a MATLAB file as published; the marks of red cells are missing in some files."""
    n = stim["resp"].shape[1]
    stat = np.zeros((1, n), dtype=[("npix", object)] if red is None else [("npix", object), ("redcell", object)])
    for i in range(n):
        stat[0, i]["npix"] = i
        if red is not None:
            stat[0, i]["redcell"] = int(red[i])
    med = np.column_stack([np.arange(n), 2 * np.arange(n), np.full(n, 200.0)]) if med is None else med
    scipy.io.savemat(path, {"stim": stim, "med": med, "stat": stat, "db": {"mouse_name": "M"}}, do_compression=True)
