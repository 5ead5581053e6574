"""Responses that are stored in samples of equal length, such as spikes in steps of 1 ms: windows and bins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurocompare.errors import UserError
from neurocompare.ingestion import events


@dataclass(frozen=True)
class Bins:
    """Bins of equal length along an axis of samples.

    Attributes
    ----------
    first : int
        The first sample of the first bin.
    count, size : int
        Number of bins, and samples in each.
    time : array of shape (count,), or None
        Middles of the bins in s; None if the window is one bin, so that responses need no axis of time.
    window : str
        The window in words, for the attribute of that name.
    """

    first: int
    count: int
    size: int
    time: np.ndarray | None
    window: str

    def sums(self, samples: np.ndarray) -> np.ndarray:
        """Return the sums over bins, shape (..., count), of samples of shape (..., n_samples)."""
        return self._cut(samples).sum(axis=-1, dtype=np.uint16 if samples.dtype.kind in "bu" else None)

    def means(self, samples: np.ndarray) -> np.ndarray:
        """Return the means over bins, shape (..., count), of samples of shape (..., n_samples)."""
        return self._cut(samples).mean(axis=-1)

    def _cut(self, samples):
        part = samples[..., self.first : self.first + self.count * self.size]
        return part.reshape(*samples.shape[:-1], self.count, self.size)


def bins(
    window: Sequence[float] | None,
    width: float | None,
    *,
    start: float,
    step: float,
    n_samples: int,
    name: str,
) -> Bins:
    """Find the samples that make up the bins of a window.

    Parameters
    ----------
    window : sequence of two floats, optional
        Start and stop in s from the event; all samples without it.
    width : float, optional
        Width of the bins in s; one bin without it.
    start, step : float
        Beginning of the first sample, and the length of a sample, in s.
    n_samples : int
        How many there are.
    name : str
        The file, for messages.

    Returns
    -------
    Bins
        The bins.

    Raises
    ------
    UserError
        If the window leaves the samples, or its edges or those of its bins do not lie between samples.
    """
    held = f"it holds {start:g} to {start + n_samples * step:g} s in steps of {step:g} s"
    edges = events.bin_edges((start, start + n_samples * step) if window is None else window, width)
    places = (edges - start) / step
    whole = np.round(places).astype(int)
    if np.abs(places - whole).max() > 1e-3:
        raise UserError(
            f"{name}: window {np.round(edges[[0, -1]], 9).tolist()} or its bins end within a sample; {held}"
        )
    if whole[0] < 0 or whole[-1] > n_samples:
        raise UserError(f"{name}: window is {np.round(edges[[0, -1]], 9).tolist()}; {held}")
    time = None if width is None else events.centres(edges)
    return Bins(int(whole[0]), len(whole) - 1, int(whole[1] - whole[0]), time, events.window_text(np.round(edges, 9)))
