"""Whether demixed axes tell conditions apart in trials that they were not fitted to.

One trial of each cell is held out, again and again; the nearest of the class means of the other trials on an axis says
what it was (Kobak et al. 2016, eLife 5:e10989). The classes of an axis are the levels of its factor. Those of an
interaction are combinations of levels, after everything but the interaction has been subtracted: otherwise a factor
that leaks into its axis would pass for one. The null shuffles the levels of the tested factors only, among trials
that have the same levels of the others, and fits again.
"""

import numpy as np

from neurocompare import demixing
from neurocompare.description.conditions import Conditions

SHUFFLES = 99
SPLITS = 10


def accuracies(
    data: Conditions,
    name: str,
    *,
    ridge: float,
    components: int,
    shuffles: int,
    rng: np.random.Generator,
    splits: int = SPLITS,
) -> tuple[np.ndarray, np.ndarray]:
    """Classify held-out trials along the axes of a marginalisation.

    Parameters
    ----------
    data : Conditions
        Single trials, two or more of each cell.
    name : str
        A marginalisation other than ``time``.
    ridge : float
        λ.
    components : int
        Number of axes.
    shuffles : int
        Number of shuffles.
    rng : Generator
        The source of randomness.
    splits : int
        How often trials are held out.

    Returns
    -------
    accuracy : array of shape (n_components, n_times)
        Share of held-out trials whose class is found, all cells counting alike.
    null : array of shape (shuffles, n_components, n_times)
        The same of shuffled labels.
    """
    tested = [data.factors.index(factor) for factor in name.split("×")]
    cells = [data.cell] + [_shuffled(data, tested, rng) for _ in range(shuffles)]
    found = np.full((len(cells), components, len(data.time)), 1 / n_classes(data, name))
    for i, cell in enumerate(cells):
        noise = demixing.noise_covariance(data.values, cell, data.shape, pooled=data.pooled)
        total = 0
        for _ in range(splits):
            rest, held = demixing.hold_out(data.values, cell, data.shape, rng, pooled=data.pooled)
            axes = demixing.fit(rest, data.factors, ridge=ridge, noise=noise, components=components, only=name)[name]
            total = total + classified(axes, rest, held, data.factors, name)
        found[i, : len(total)] = total / splits
    return found[0], found[1:]


def n_classes(data: Conditions, name: str) -> int:
    """Return how many classes the axes of a marginalisation tell apart."""
    return int(np.prod([data.shape[data.factors.index(factor)] for factor in name.split("×")]))


def classified(axes: demixing.Axes, rest, held, factors: tuple[str, ...], name: str) -> np.ndarray:
    """Classify one trial of each cell.

    Parameters
    ----------
    axes : Axes
        Axes of the marginalisation.
    rest, held : arrays of shape (n_units, n_levels, …, n_times)
        Averages of the other trials, and the trials.
    factors : tuple of str
        Names of the factors.
    name : str
        The marginalisation.

    Returns
    -------
    array of shape (n_components, n_times)
        Share of correct cells.
    """
    learnt, z = (np.tensordot(axes.decoder, x, 1) for x in (rest, held))
    tested = [factors.index(factor) for factor in name.split("×")]
    if len(tested) == 1:
        means = learnt
    else:
        means = demixing.marginalisations(learnt, factors)[name]
        z = z - (learnt - means)
    # The tested factors first, so that classes are rows.
    front = [1 + k for k in tested]
    means, z = (np.moveaxis(x, front, range(1, 1 + len(front))) for x in (means, z))
    q, n = len(z), int(np.prod(z.shape[1 : 1 + len(front)]))
    means, z = (x.reshape(q, n, -1, x.shape[-1]) for x in (means, z))
    distance = np.abs(z[:, :, None] - means.mean(2)[:, None, :, None])
    return (distance.argmin(2) == np.arange(n)[:, None, None]).mean((1, 2))


def _shuffled(data: Conditions, tested: list[int], rng: np.random.Generator) -> np.ndarray:
    """Cells after a shuffle of the levels of some factors among trials with equal levels of the others."""
    index = np.unravel_index(data.cell, data.shape)
    others = [k for k in range(len(data.shape)) if k not in tested]
    stratum = np.zeros(len(data.cell), dtype=int)
    for k in others:
        stratum = stratum * data.shape[k] + index[k]
    cell = data.cell.copy()
    for value in np.unique(stratum):
        cell[stratum == value] = rng.permutation(cell[stratum == value])
    return cell
