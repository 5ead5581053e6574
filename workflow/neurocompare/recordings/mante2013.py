"""Prefrontal cortex of macaques that choose by the motion or by the color of dots (Mante, Sussillo et al. 2013).

Each unit was recorded in its own trials, so that units join into a pseudo-population only by condition. A file holds
the spikes of one unit in 751 steps of 1 ms from 0.100 s after the onset of the dots, which last 0.75 s.

Signs are those of the authors, with respect to the target of the animal's choice: ``choice`` is 1 for the target in
the unit's preferred direction (``targ_dir`` of the file) and −1 for the other; positive ``motion`` (``stim_dir``) and
positive ``color`` (``stim_col2dir``) are evidence for choice 1. Which color that is changes from trial to trial with
the places of the targets: ``hue`` (``stim_col``) is the same coherence signed by the color itself. ``context`` is
``motion`` (1 in the file) or ``color`` (−1): what has to be heeded. Coherences differ between sessions (0.04 to 0.08
for the weakest); ``motion_level`` and ``color_level`` number them from ±1 (weakest) to ±3, so that sessions match.

Trials are in the order of time, in runs of one context, mostly of 72 trials; a run is a ``block``.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neurocompare import representation
from neurocompare.errors import UserError, unknown
from neurocompare.ingestion import events, inputs, presentations, pseudopopulation, rasters
from neurocompare.ingestion.selection import Selection, excluded

ANIMALS = {"A": "ar", "F": "fe"}
"""How the names of the units of each monkey begin."""

CONDITION = ("context", "motion_level", "color_level")
"""What makes up a condition of an average or of the pseudo-population: 2 × 6 × 6."""

_VARIABLES = ("stim_dir", "stim_col2dir", "stim_col", "targ_dir", "context", "correct", "congruent", "stim_trial")
_MEMBER = re.compile(r"(?:^|/)PFC data [12]/((?:ar|fe)\d{6}_\d+_a\d+)_Vstim_100_850_ms\.mat$")


def ingest(
    files: Mapping[str, Path],
    *,
    about: dict[str, object],
    unit: str | None = None,
    animal: str | None = None,
    window: Sequence[float] = (0.1, 0.85),
    bin_width: float | None = None,
    trials: str = "all",
    average: bool = False,
    repeats: int | str | None = None,
    seed: int = 0,
) -> xr.DataArray:
    """Read one unit, or the pseudo-population of all units of the published archive.

    Parameters
    ----------
    files : mapping of str to Path
        The file of one unit (``.mat``), or the authors' archive (``.zip``), whose members are read in place.
    about : dict
        ``source``, ``citation``, ``license`` and ``sha256`` of the recording.
    unit : str, optional
        The one unit of the archive to read, such as ``ar090313_1_a3``.
    animal : {"A", "F"}, optional
        The monkey whose units of the archive are pooled; by default both.
    window : sequence of two floats
        Seconds from the onset of the dots, within 0.1 to 0.851.
    bin_width : float, optional
        Width of the bins in s; by default the window is one bin and there is no axis of time.
    trials : {"all", "correct"}
        ``correct`` leaves out the errors, as the paper does before it averages; they are counted.
    average : bool
        True for the mean rate of each condition (`CONDITION`) instead of single trials.
    repeats, seed : int
        For single trials of several units: trials of each condition, and the seed of their draw. Or ``all``, for all
        trials of every unit with its own coherences, which leaves gaps: see
        `neurocompare.ingestion.pseudopopulation.pool`.

    Returns
    -------
    DataArray of shape (n_presentations, [n_times,] n_units)
        Spike counts of single trials, or rates in spikes/s by condition. Of several units, those that lack a
        condition are left out and counted, so that all conditions stay.

    Raises
    ------
    UserError
        If the file is missing, unreadable or another one, or if an option is out of its range.
    """
    if len(files) != 1:
        raise UserError(f"mante2013: needs one file, of a unit or the archive (listed: {', '.join(files) or 'none'})")
    if trials not in ("all", "correct"):
        raise unknown("value of trials", str(trials), ["all", "correct"])
    if animal is not None and animal not in ANIMALS:
        raise unknown("animal", str(animal), ANIMALS)
    path = inputs.given(files, next(iter(files)))
    options = {"window": window, "bin_width": bin_width, "trials": trials}
    found = []
    for content, name in _members(path, unit, animal):
        recording = _unit(content, name, about, **options)
        found.append(_averaged(recording) if average else recording)
    if len(found) == 1:
        return found[0]
    if repeats == "all" and not average:
        match = (*CONDITION, "choice", "correct")
        return pseudopopulation.pool(found, match=match, repeats="all", keep=("motion", "color"))
    # Of correct trials the condition tells the choice.
    match = CONDITION if trials == "all" else (*CONDITION, "choice")
    repeats = 1 if average else repeats
    return pseudopopulation.pool(found, match=match, lacking="member", repeats=repeats, seed=seed)


def _members(path: Path, unit: str | None, animal: str | None) -> Iterator[tuple[io.BytesIO | Path, str]]:
    """Give the content and the name of each file of a unit."""
    if path.suffix.lower() != ".zip":
        yield path, str(path)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            # Nothing is written: whatever the names are, no member can leave the archive.
            units = {m.group(1): name for name in sorted(archive.namelist()) if (m := _MEMBER.search(name))}
            if unit is not None and unit not in units:
                raise unknown(f"unit of {path}", unit, units)
            wanted = [unit] if unit else [u for u in units if u.startswith(ANIMALS.get(animal, ""))]
            if not wanted:
                raise UserError(
                    f"{path}: holds no 'PFC data 1/{ANIMALS.get(animal, 'ar')}…_Vstim_100_850_ms.mat'; another archive"
                )
            for name in wanted:
                yield io.BytesIO(archive.read(units[name])), f"{path}/{units[name]}"
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable archive ({why}); remove it and fetch it again") from error


def _unit(content, name: str, about: dict, *, window, bin_width, trials) -> xr.DataArray:
    """Make the recording of one unit."""
    (struct,) = inputs.mat(content, "unit", name=name)
    response, task, time, label = inputs.fields(struct, "response", "task_variable", "time", "name", path=name)
    variables = inputs.fields(task, *_VARIABLES, path=name)
    motion, color, hue, choice, context, correct, congruent, number = map(np.asarray, variables)
    n_trials = motion.size
    if response.ndim != 2 or response.shape != (n_trials, np.size(time)) or n_trials != color.size:
        raise UserError(f"{name}: 'response' {response.shape} is not trial × time of {n_trials} trials; another file")
    if abs(time[1] - time[0] - 0.001) > 1e-6 or not np.isin(context, (-1, 1)).all() or np.any(np.diff(number) <= 0):
        raise UserError(f"{name}: 'time' is not in ms, 'context' not ±1 or 'stim_trial' not rising; another file")
    cut = rasters.bins(window, bin_width, start=float(time[0]), step=0.001, n_samples=time.size, name=name)
    selection = Selection(n_trials)
    if trials == "correct":
        selection.drop(correct != 1, "error")
    kept = selection.index(f"trials of {name}")
    names = np.where(context == 1, "motion", "color")
    stimulus = np.array(
        [f"context={c}-motion={m:+.2f}-color={k:+.2f}" for c, m, k in zip(names, motion, color, strict=True)]
    )
    presentation = {
        "stimulus": stimulus,
        "block": np.concatenate([[0], np.cumsum(np.diff(context) != 0)]),
        "trial": number.astype(int),
        "context": names,
        "motion": motion,
        "color": color,
        "hue": hue,
        "motion_level": _levels(motion),
        "color_level": _levels(color),
        "choice": choice.astype(int),
        "correct": correct.astype(int),
        "congruent": congruent.astype(int),
    }
    counts = cut.sums(response[kept])
    label = str(label)
    return representation.responses(
        counts[..., None] if cut.time is not None else counts,
        presentation={key: value[kept] for key, value in presentation.items()}
        | {"repeat": presentations.repeats(stimulus[kept])},
        unit={
            "unit_id": [label],
            "area": ["PFC"],
            "animal": [next((a for a, prefix in ANIMALS.items() if label.startswith(prefix)), "unknown")],
            "session": [label.rsplit("_", 1)[0]],
        },
        time=cut.time,
        attributes=about
        | {
            "response": "spike count",
            "exchangeable": "stimulus",
            "simultaneous": True,
            "evidence_units": "coherence",
            "window": events.window_text(window),
            "phases": {"dots": 0.0},
            "bin_seconds": cut.size / 1000,
            "excluded": excluded(presentation=selection),
        },
    )


def _levels(coherence: np.ndarray) -> np.ndarray:
    """Number coherences by strength, with their sign."""
    return np.sign(coherence).astype(int) * (np.unique(np.abs(coherence), return_inverse=True)[1] + 1)


def _averaged(recording: xr.DataArray) -> xr.DataArray:
    """Average the trials of each condition, as rates."""
    coordinates = recording.coords
    names = [*CONDITION, "choice"] if (coordinates["correct"] == 1).all() else CONDITION
    rows = np.stack([coordinates[name].values.astype(str) for name in names], axis=1)
    _, first, index = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    rates = np.stack([recording.values[index.ravel() == i].mean(axis=0) for i in range(len(first))])
    zeros = np.zeros(len(first), dtype=int)
    labels = ["-".join(f"{k}={v}" for k, v in zip(names, row, strict=True)) for row in rows[first]]
    return representation.responses(
        rates / recording.attrs["bin_seconds"],
        presentation={name: coordinates[name].values[first] for name in names}
        | {"stimulus": np.array(labels), "repeat": zeros, "block": zeros},
        unit={key: coordinates[key].values for key in ("unit_id", "area", "animal", "session")},
        time=coordinates["time"].values if "time" in recording.dims else None,
        attributes=dict(recording.attrs)
        | {"response": "firing rate", "units": "spikes/s", "average": "trials of a condition"},
    )
