"""Models of stimuli that differ by an angle: orientations (period 180°) and directions (period 360°)."""

import numpy as np

from neurocompare.errors import UserError


def rdm(angles: np.ndarray, period: float = 360.0) -> np.ndarray:
    """Return the RDM of a circle: the shorter way from one angle to the other.

    Parameters
    ----------
    angles : array of shape (n_stimuli,)
        In degrees.
    period : float
        After how many degrees a stimulus is the same again: 180 for orientations, 360 for directions.

    Returns
    -------
    array of shape (n_stimuli, n_stimuli)
        In degrees, 0 to period / 2.

    Raises
    ------
    UserError
        If an angle is not a number (a blank has none), or the period is not positive.
    """
    angles = _checked(angles, period)
    apart = np.abs(angles[:, None] - angles) % period
    return np.minimum(apart, period - apart)


def features(angles: np.ndarray, period: float = 360.0) -> np.ndarray:
    """Place stimuli on a circle, as a representation that any measure takes as a model.

    Its squared Euclidean distances rise with the angle, 2 − 2 cos(2πΔ/period), so comparators of ranks see
    the RDM of the circle.

    Parameters
    ----------
    angles : array of shape (n_stimuli,)
        In degrees.
    period : float
        As in `rdm`.

    Returns
    -------
    array of shape (n_stimuli, 2)
        Cosine and sine of the phase.

    Raises
    ------
    UserError
        As `rdm`.

    Examples
    --------
    >>> features([0, 45, 90, 135], period=180).round(3) + 0.0
    array([[ 1.,  0.],
           [ 0.,  1.],
           [-1.,  0.],
           [ 0., -1.]])
    """
    phase = 2 * np.pi * _checked(angles, period) / period
    return np.stack([np.cos(phase), np.sin(phase)], axis=1)


def _checked(angles, period) -> np.ndarray:
    try:
        angles = np.asarray(angles, dtype=float)
    except (TypeError, ValueError):
        raise UserError("angles: expected numbers, in degrees") from None
    if angles.ndim != 1 or not np.isfinite(angles).all():
        raise UserError("angles: expected one finite number of degrees per stimulus; leave blanks out")
    if not period > 0:
        raise UserError(f"period: expected a positive number of degrees, such as 180 or 360, got {period}")
    return angles
