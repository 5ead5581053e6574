"""Other packages as oracles: how they are asked, and what a test says where they are not installed."""

import contextlib
import warnings

import numpy as np
import pytest

WHY = "{} is not installed: `make conformance` installs it and runs these tests"


def oracle(package: str):
    """Import another package, or skip the test."""
    return pytest.importorskip(package, reason=WHY.format(package))


def dataset(trials: np.ndarray, stimulus: np.ndarray | None = None, block: np.ndarray | None = None):
    """Wrap responses (n_trials, n_units) for rsatoolbox."""
    oracle("rsatoolbox")
    from rsatoolbox.data import Dataset

    labels = {} if stimulus is None else {"stimulus": list(stimulus)}
    if block is not None:
        labels["block"] = list(block)
    return Dataset(np.array(trials, dtype=float), obs_descriptors=labels)


def rsatoolbox_rdm(data, method: str, **options) -> np.ndarray:
    """Return a square RDM by rsatoolbox, whose conditions are numbered in order."""
    oracle("rsatoolbox")
    from rsatoolbox.rdm import calc_rdm

    with _without_warnings():
        return calc_rdm(data, method=method, **options).get_matrices()[0]


def rsatoolbox_unbalanced_crossnobis(trials) -> np.ndarray:
    """Return the square RDM of `Trials` by rsatoolbox: products of single trials of different blocks."""
    oracle("rsatoolbox")
    from rsatoolbox.rdm import calc_rdm_unbalanced

    data = dataset(trials.values, trials.stimulus, trials.block)
    with _without_warnings():
        names = {"descriptor": "stimulus", "cv_descriptor": "block"}
        return calc_rdm_unbalanced(data, method="crossnobis", **names).get_matrices()[0]


@contextlib.contextmanager
def _without_warnings():
    with warnings.catch_warnings():
        # It fills arrays of whole numbers with NaN on the way.
        warnings.filterwarnings("ignore", "invalid value encountered in cast")
        yield


def rsatoolbox_compare(rdm: np.ndarray, other: np.ndarray, method: str, **options) -> float:
    """Compare two square RDMs by rsatoolbox."""
    oracle("rsatoolbox")
    from rsatoolbox.rdm import RDMs, compare

    return float(compare(RDMs(rdm[None]), RDMs(other[None]), method, **options)[0, 0])


def repeats(seed: int, n_repeats: int, n_stimuli: int, n_units: int, noise: float = 1.0) -> np.ndarray:
    """Draw responses (n_repeats, n_stimuli, n_units) of units that share noise."""
    rng = np.random.default_rng(seed)
    signal = rng.standard_normal((n_stimuli, 4)) @ rng.standard_normal((4, n_units))
    shared = rng.standard_normal((n_repeats, n_stimuli, 2)) @ rng.standard_normal((2, n_units))
    private = rng.standard_normal((n_repeats, n_stimuli, n_units)) * rng.uniform(0.5, 2, n_units)
    return signal + noise * (shared + private) / 2


def pair(seed: int, n: int = 20, p: int = 9, q: int = 6, noise: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """Draw two representations (n, p) and (n, q) that share three dimensions."""
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((n, 3))
    return tuple(shared @ rng.standard_normal((3, k)) + noise * rng.standard_normal((n, k)) + 1 for k in (p, q))
