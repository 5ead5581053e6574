"""RDMs of many units against one product of matrices of the same shape, and against rsatoolbox; peak memory."""

import sys

import numpy as np
from ratios import Ratio, extra_bytes, in_subprocess, interleaved

from neurocompare import similarity

SEED = 1
SIZES = {"tiny": [(20, 50)], "quick": [(500, 20_000)], "full": [(500, 20_000), (3000, 20_000)]}


def responses(n: int, p: int) -> np.ndarray:
    """Draw responses in single precision."""
    return np.random.default_rng(SEED).standard_normal((n, p), dtype=np.float32)


def measure(how: str) -> list[Ratio]:
    """Time the distances."""
    rows = []
    for n, p in SIZES[how]:
        rounds = 5 if n < 3000 else 2
        x, size = responses(n, p), f"{n} stimuli × {p} units, float32"
        functions = {"product": lambda x=x: x @ x.T}
        for distance in ("correlation", "euclidean"):
            functions[distance] = lambda x=x, d=distance: similarity.rdm(x, d)
            functions[f"theirs {distance}"] = lambda x=x, d=distance: rsatoolbox_rdm(x, d)
        if n > 500:
            # Minutes, and nothing new: its time grows as the number of pairs.
            functions.pop("theirs correlation")
        seconds, results = interleaved(functions, rounds)
        for distance in ("correlation", "euclidean"):
            rows.append(
                Ratio(f"RDM, {distance}", "X @ X.T", size, seconds[distance] / seconds["product"], "≤ 1.5", "time")
            )
            theirs = f"theirs {distance}"
            if theirs in results:
                apart = np.abs(results[distance] - results[theirs]).max()
                note = f"speed-up; greatest difference {apart:.0e}"
                rows.append(
                    Ratio(f"RDM, {distance}", "rsatoolbox", size, seconds[theirs] / seconds[distance], "", note)
                )
        for distance in ("correlation", "euclidean") if how != "tiny" else ():
            extra = in_subprocess("bench_rdms", n, p, distance)
            note = "peak memory beyond the responses, in matrices n × n of float64"
            rows.append(Ratio(f"RDM, {distance}", "n²", size, extra / (8 * n**2), "≤ 4" if n > 500 else "", note))
    return rows


def rsatoolbox_rdm(x: np.ndarray, distance: str) -> np.ndarray:
    """Return the RDM by rsatoolbox."""
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm

    return calc_rdm(Dataset(x), method=distance).get_matrices()[0]


def main(n: int, p: int, distance: str) -> None:
    """Print how much memory an RDM takes beyond that of the responses."""
    similarity.rdm(responses(10, 100), distance)
    x = responses(n, p)
    print(extra_bytes(lambda: similarity.rdm(x, distance)))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
