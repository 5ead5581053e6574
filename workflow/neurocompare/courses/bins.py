"""Bins of time in which a recording and networks are compared."""

import numpy as np

from neurocompare.errors import UserError

_TINY = 1e-6
"""Seconds that rounding may move an edge."""


def widths(time: np.ndarray, name: str) -> float:
    """Return the width of equal bins from their centres.

    Parameters
    ----------
    time : array of shape (n_times,)
        Centres in s.
    name : str
        What error messages call the responses.

    Returns
    -------
    float
        In s.

    Raises
    ------
    UserError
        If there are fewer than two, or they are not evenly spaced.
    """
    if len(time) < 2 or np.ptp(np.diff(time)) > _TINY:
        raise UserError(f"{name}: its {len(time)} times are not evenly spaced bins; ingest it with a 'bin_width'")
    return float(np.diff(time).mean())


def coarser(
    values: np.ndarray, time: np.ndarray, window: tuple[float, float] | None, width: float | None, name: str
) -> tuple[np.ndarray, np.ndarray, float]:
    """Average neighbouring bins.

    Parameters
    ----------
    values : array of shape (n_presentations, n_times, n_units)
        Responses.
    time : array of shape (n_times,)
        Centres of their bins in s.
    window : tuple of two floats, optional
        Start and stop in s, whole bins; by default all of the time.
    width : float, optional
        Of the new bins in s, a multiple of that of the bins; by default the same. What is left at the end of the
        window is left out.
    name : str
        What error messages call the responses.

    Returns
    -------
    values : array of shape (n_presentations, n_bins, n_units)
        Means.
    time : array of shape (n_bins,)
        Centres in s.
    width : float
        In s.

    Raises
    ------
    UserError
        If the width is no multiple, or the window is beyond the recording or narrower than two bins.
    """
    step = widths(time, name)
    # Rounded, so that zero is not told as 1e-17.
    start, stop = (round(float(edge), 9) + 0.0 for edge in (time[0] - step / 2, time[-1] + step / 2))
    window = (start, stop) if window is None else window
    if window[0] < start - _TINY or window[1] > stop + _TINY:
        raise UserError(
            f"{name}: 'window' {window[0]:g} to {window[1]:g} s is beyond its times, {start:g} to {stop:g} s"
        )
    group = 1 if width is None else round(width / step)
    if group < 1 or (width is not None and abs(group * step - width) > _TINY):
        raise UserError(f"{name}: 'bin' {width:g} s is no multiple of its bins of {step:g} s")
    inside = np.flatnonzero((time - step / 2 >= window[0] - _TINY) & (time + step / 2 <= window[1] + _TINY))
    count = len(inside) // group
    if count < 2:
        raise UserError(f"{name}: {count} bins of {group * step:g} s are in the window; a course needs at least two")
    chosen = inside[: count * group]
    shape = (len(values), count, group, values.shape[2])
    return values[:, chosen].reshape(shape).mean(2), time[chosen].reshape(count, group).mean(1), group * step


def averaged(values: np.ndarray, time: np.ndarray, centres: np.ndarray, width: float, name: str) -> np.ndarray:
    """Bring trajectories of a network into bins.

    Parameters
    ----------
    values : array of shape (n_rows, n_steps, n_units)
        States at every step.
    time : array of shape (n_steps,)
        Their times in s.
    centres : array of shape (n_bins,)
        Centres of the bins in s, on the same axis.
    width : float
        Of the bins in s.
    name : str
        What error messages call the network.

    Returns
    -------
    array of shape (n_rows, n_bins, n_units)
        Mean of the steps in each bin; linear interpolation at the centre where steps are longer than bins.

    Raises
    ------
    UserError
        If the network's trials do not last as long as the bins.
    """
    step = float(np.diff(time).mean()) if len(time) > 1 else 0.0
    # A step is known at its beginning, middle or end: it is taken to last for one step around its time.
    first, last = centres[0] - width / 2, centres[-1] + width / 2
    if time[0] - step > first + _TINY or time[-1] + step < last - _TINY:
        raise UserError(
            f"{name}: its trials last from {time[0]:g} to {time[-1]:g} s, and bins from {first:g} to {last:g} s are "
            "compared; change 'window' or 'latency' of the course, or the epochs of the task"
        )
    binned = []
    for centre in centres:
        inside = (time >= centre - width / 2 - _TINY) & (time < centre + width / 2 - _TINY)
        if inside.any():
            binned.append(values[:, inside].mean(1))
            continue
        right = int(np.clip(np.searchsorted(time, centre), 1, len(time) - 1))
        share = np.clip((centre - time[right - 1]) / (time[right] - time[right - 1]), 0, 1)
        binned.append((1 - share) * values[:, right - 1] + share * values[:, right])
    return np.stack(binned, axis=1)
