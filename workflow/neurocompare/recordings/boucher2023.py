"""Dorsal premotor cortex of two macaques in the checkerboard task (Boucher et al. 2023, Chandrasekaran et al. 2017).

The animal says by a reach whether a checkerboard of 225 squares holds more red or more green ones, as soon as it likes.
Which side is red changes from trial to trial, so that the color and the direction of the reach are independent.

Four parts of the deposit, by the option ``part``:

behaviour
    all trials of a monkey: what was shown, what was chosen, and the reaction time, which is the response of the one
    "unit". Within a session, which is a ``block``, the file sorts the trials by coherence; their order is lost.
trajectories
    principal component scores of 996 units (rates, soft-normalised and centred by the authors) for 11 bins of the
    reaction time × 2 choices, in steps of 1 ms from 0.399 s before the onset of the checkerboard. A trajectory ends
    25 ms before the shortest reaction time of its bin, which tells that time; all are cut to the shortest.
rates
    the rates behind it: smoothed (Gaussian, 30 ms) and averaged over trials, by coherence or by reaction time ×
    choice, from 0.6 s before to 1.2 s after the onset. A file of 15 GB, of which a few MB are held at a time.
session
    spike counts of single trials of one session (see `boucher2023_session`), all units at once.

``choice`` is the direction of the reach, left or right; ``color_choice``, which only single trials tell, the color that
was reached for. Bins of the reaction time overlap (bin 1 starts at 0.300 s, bin 2 at 0.325 s, …, bin 10 at 0.525 s;
bin 11 holds 0.5 s and longer).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion import boucher2023_rates, boucher2023_session, inputs, presentations, rasters
from neurocompare.ingestion.selection import Selection, excluded

TRAJECTORIES_FILE = "matrixWithIds.mat"
MONKEYS = ("O", "T")
SQUARES = 225
CHOICES = ("left", "right")

_COLORS = {2: "red", 3: "green"}
"""Codes of the colors of the targets in the file."""
_BEGIN = -0.399
_END = 0.025
"""First sample of a trajectory, and its end before the bin of reaction times, in s."""


def ingest(
    files: Mapping[str, Path],
    *,
    about: dict[str, object],
    part: str,
    monkey: str = "O",
    by: str = "rt",
    window: Sequence[float] | None = None,
    bin_width: float | None = None,
    rt_bins: Sequence[int] | None = None,
    single_units: bool = False,
) -> xr.DataArray:
    """Read one part of the deposit.

    Parameters
    ----------
    files : mapping of str to Path
        ``Fig2_MonkeyO_data.mat`` or ``Fig2_MonkeyT_data.mat``; `TRAJECTORIES_FILE`; or the rates with the two files of
        their units (see `boucher2023_rates`); or the file of a session.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    part : {"behaviour", "trajectories", "rates", "session"}
        What to read.
    monkey : {"O", "T"}
        Of ``behaviour``: whose.
    by : {"rt", "coherence"}
        Of ``rates``: what the trials are sorted by.
    window : sequence of two floats, optional
        Seconds from the onset of the checkerboard; by default what all conditions have.
    bin_width : float, optional
        Width of the bins in s; by default 1 ms for trajectories, otherwise one bin, without an axis of time.
    rt_bins : sequence of int, optional
        Of ``rates``: the bins of the reaction time, from 1; by default those of the paper, 1 to 11.
    single_units : bool
        Of ``rates``: only units of which at most 1.5 % of the intervals between spikes are too short for one neuron.

    Returns
    -------
    DataArray of shape (n_trials, 1), (n_conditions, [n_times,] n_units) or (n_trials, [n_times,] n_units)
        Reaction times in s, principal component scores or rates in spikes/s, or spike counts.

    Raises
    ------
    UserError
        If a file is missing, unreadable or another one, or if an option is out of its range.
    """
    if part == "behaviour":
        return _behaviour(files, about, monkey)
    if part == "trajectories":
        return _trajectories(files, about, window, 0.001 if bin_width is None else bin_width)
    if part == "rates":
        return boucher2023_rates.read(
            files, about, by=by, window=window, bin_width=bin_width, rt_bins=rt_bins, single_units=single_units
        )
    if part == "session":
        return boucher2023_session.read(files, about, window=window, bin_width=bin_width)
    raise unknown("part", str(part), ["behaviour", "trajectories", "rates", "session"])


def _behaviour(files, about, monkey) -> xr.DataArray:
    if monkey not in MONKEYS:
        raise unknown("monkey", str(monkey), MONKEYS)
    path = inputs.given(files, f"Fig2_Monkey{monkey}_data.mat")
    (struct,) = inputs.mat(path, f"fig{monkey}Data")
    (trials,) = inputs.fields(struct, "combined", path=path)
    if trials.ndim != 2 or trials.shape[1] != 6 or not np.isin(trials[:, 3:5], list(_COLORS)).all():
        raise UserError(f"{path}: 'combined' {trials.shape} is not trial × 6 with colors 2 and 3; this is another file")
    n_red, chosen, milliseconds, left, right, session = trials.astype(int).T
    coherence = (2 * n_red - SQUARES) / SQUARES * 100
    red_left = left == 2
    # 28 kinds of trials; numbers are told apart faster than texts.
    kinds, index = np.unique(2 * n_red + red_left, return_inverse=True)
    labels = [
        f"coherence={(2 * (k // 2) - SQUARES) / SQUARES * 100:+05.1f}-left={'red' if k % 2 else 'green'}" for k in kinds
    ]
    selection = Selection(len(trials)).drop(left == right, "targets of one color")
    kept = selection.index(f"trials of {path}")
    presentation = {
        "stimulus": np.array(labels)[index],
        "repeat": presentations.repeats(index),
        "block": session,
        "signed_coherence": coherence,
        "n_red": n_red,
        "left_target": np.where(red_left, "red", "green"),
        "color_choice": np.where(chosen == 1, "red", "green"),
        "choice": np.where((chosen == 1) == red_left, *CHOICES),
        "correct": ((chosen == 1) == (coherence > 0)).astype(int),
    }
    return representation.responses(
        milliseconds[kept, None] / 1000,
        presentation={name: values[kept] for name, values in presentation.items()},
        unit={
            "unit_id": ["reaction_time"],
            "area": ["behaviour"],
            "animal": [monkey],
            "session": [f"{len(np.unique(session))} sessions"],
        },
        attributes=about
        | {
            "response": "reaction time",
            "evidence_units": "%",
            "exchangeable": "stimulus",
            "simultaneous": True,
            "excluded": excluded(presentation=selection),
        },
    )


def _trajectories(files, about, window, bin_width) -> xr.DataArray:
    path = inputs.given(files, TRAJECTORIES_FILE)
    (matrix,) = inputs.mat(path, "bigMatrix")
    ids = matrix[:, 0].astype(int) if matrix.ndim == 2 and matrix.shape[1] > 1 else np.zeros(0, dtype=int)
    lengths = np.bincount(ids)[1:] if len(ids) and ids.min() == 1 else np.zeros(1, dtype=int)
    n_bins = len(lengths) // 2
    if not n_bins or lengths.min() == 0 or not np.array_equal(lengths[:n_bins], lengths[n_bins:]):
        raise UserError(f"{path}: 'bigMatrix' is not time × (condition, scores), twice as many conditions as bins")
    shortest = int(lengths.min())
    cut = rasters.bins(window, bin_width, start=_BEGIN, step=0.001, n_samples=shortest, name=str(path))
    # Rows of a condition follow each other in time, wherever in the file they are.
    scores = np.stack([cut.means(matrix[ids == i + 1, 1:][:shortest].T) for i in range(len(lengths))])
    beyond = Selection(int(lengths.sum())).drop(
        np.arange(lengths.sum()) >= shortest * len(lengths), "sample after the end of the shortest trajectory"
    )
    n_conditions, n_components = scores.shape[:2]
    rt_bin = np.tile(np.arange(1, n_bins + 1), 2)
    choice = np.repeat(CHOICES, n_bins)
    zeros = np.zeros(n_conditions, dtype=int)
    return representation.responses(
        scores.transpose(0, 2, 1),
        presentation={
            "stimulus": np.array([f"rt_bin={b:02d}-choice={c}" for b, c in zip(rt_bin, choice, strict=True)]),
            "repeat": zeros,
            "block": zeros,
            "rt_bin": rt_bin,
            "rt_min": np.round(_BEGIN + lengths / 1000 + _END, 3),
            "choice": choice,
        },
        unit={
            "unit_id": np.array([f"PC{i + 1}" for i in range(n_components)]),
            "area": np.full(n_components, "PMd"),
            "animal": np.full(n_components, "O and T"),
            "session": np.full(n_components, "all sessions"),
        },
        time=cut.time,
        attributes=about
        | {
            "response": "principal component score",
            "window": cut.window,
            "units": "(spikes/s)^0.5",
            "normalisation": "soft-normalised and centred by the authors",
            "exchangeable": "stimulus",
            "simultaneous": False,
            "average": "trials of a condition",
            "excluded": excluded(time=beyond),
        },
    )
