"""What is kept of the learning of a recurrent network beside its weights."""

import sys

from torch import Tensor


def printed(rows: list[dict]) -> None:
    """Print how far learning has come, to the log of a job.

    Parameters
    ----------
    rows : list of dict
        The newest row of each seed, see `neurocompare.recurrent.learning.Outcome`.
    """
    for row in rows:
        found = f"error {row['error']:.4g}, correct {row['performance']:.3f}"
        print(f"update {row['update']}: loss {row['loss']:.4g}, {found}", file=sys.stderr)


def flat(checkpoints: dict[int, dict[str, Tensor]]) -> dict[str, Tensor]:
    """Name the weights of all checkpoints for one file.

    Parameters
    ----------
    checkpoints : dict of int to dict of str to Tensor
        Weights after numbers of updates.

    Returns
    -------
    dict of str to Tensor
        By names such as ``update-000100/recurrent``.
    """
    return {
        f"update-{update:06d}/{name}": tensor
        for update, weights in sorted(checkpoints.items())
        for name, tensor in weights.items()
    }
