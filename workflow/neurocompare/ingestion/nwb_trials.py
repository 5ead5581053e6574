"""The presentations of an NWB 2 file: rows of a table of intervals or events, and what was shown in them."""

from collections.abc import Mapping

import h5py
import numpy as np

from neurocompare.errors import UserError
from neurocompare.ingestion import presentations
from neurocompare.ingestion.nwb_conditions import keep, labels, missing
from neurocompare.ingestion.nwb_tables import Table
from neurocompare.ingestion.selection import Selection

RESERVED = (
    "stimulus",
    "repeat",
    "block",
    "onset",
    "unit_id",
    "area",
    "animal",
    "session",
    "time",
    "presentation",
    "unit",
)
"""Names that coordinates taken from a file cannot have."""

_INVALID = ("intervals/invalid_times", "invalid_times")


class Trials:
    """Presentations, and which of them are kept.

    Parameters
    ----------
    table : Table
        A presentation in each row.
    align : str or None
        Column with the times of the events; the start by default.
    stimulus : str or sequence of str
        Columns that name the stimulus, by their own or by their new names.
    columns : sequence of str or mapping of str to str
        Columns to keep, perhaps by new names.
    radians : sequence of str
        Columns that hold radians; they become degrees from 0 to below 360.

    Attributes
    ----------
    event : array of shape (n_rows,)
        Times of the events in s.
    selection : Selection
        The rows that are kept.
    """

    def __init__(self, table: Table, *, align, stimulus, columns, radians):
        self.table, where = table, f"{table.path}: option"
        if align is not None and not isinstance(align, str):
            raise UserError(f"{where} 'align' is {align!r}; give the name of one column")
        self.align = align or ("start_time" if "start_time" in table else "timestamp")
        self.event = table.numbers(self.align)
        self.selection = Selection(len(table))
        kept = (
            columns if isinstance(columns, Mapping) else {name: name for name in _list(columns, f"{where} 'columns'")}
        )
        self._kept = {str(new): _list([old], f"{where} 'columns'")[0] for new, old in kept.items()}
        for name in self._kept:
            if name in RESERVED:
                raise UserError(
                    f"{where} 'columns': '{name}' is the name of a coordinate of its own; give the column another one, "
                    f"columns: {{shown_{name}: {self._kept[name]}}}"
                )
        self._radians = _list(radians, f"{where} 'radians'")
        for name in self._radians:
            table.numbers(name)
        names = _list([stimulus] if isinstance(stimulus, str) else stimulus, f"{where} 'stimulus'")
        if not names:
            raise UserError(f"{where} 'stimulus' is empty; name columns of '{table.name}': {', '.join(table.columns)}")
        self._stimulus = {name: self._values(self._kept.get(name, name)) for name in names}
        self._kept |= {name: name for name in names if name not in self._kept and name not in RESERVED}

    def _values(self, source: str) -> np.ndarray:
        if source in self._radians:
            # The same direction is not always the same number of radians to the last digit, nor in the same turn.
            return np.round(np.round(np.degrees(self.table.numbers(source)), 4) % 360, 4)
        return self.table.column(source)

    def select(self, where: Mapping[str, object], *, blanks: str) -> None:
        """Leave out rows that do not meet conditions, that have no event, or, if asked for, that name no stimulus."""
        keep(self.selection, where, self.table.column, f"{self.table.path}: option 'where'")
        self.selection.drop(~np.isfinite(self.event), f"no {self.align}")
        if blanks == "drop":
            for name, values in self._stimulus.items():
                self.selection.drop(missing(values), f"blank, no {name}")

    def drop_invalid(self, file: h5py.File, reach: np.ndarray) -> None:
        """Leave out presentations of which the interval, or the window, overlaps a time that is marked as invalid.

        Parameters
        ----------
        file : h5py.File
            The file.
        reach : array of shape (2,)
            Start and stop of the window in s from the event.
        """
        invalid = next((file[name] for name in _INVALID if name in file), None)
        if invalid is None:
            return
        times = Table(invalid, self.table.path)
        spans = [(self.event + reach[0], self.event + reach[1])]
        if "start_time" in self.table and "stop_time" in self.table:
            spans.append((self.table.numbers("start_time"), self.table.numbers("stop_time")))
        hit = np.zeros(len(self.event), dtype=bool)
        for begin, end in zip(times.numbers("start_time"), times.numbers("stop_time"), strict=True):
            for start, stop in spans:
                hit |= (start < end) & (stop > begin)
        self.selection.drop(hit, "overlaps invalid times")

    def rows(self) -> np.ndarray:
        """Return the rows that are kept, in the order of time; shape (n_presentations,)."""
        rows = self.selection.index(f"presentations of {self.table.name} in {self.table.path}")
        return rows[np.argsort(self.event[rows], kind="stable")]

    def presentation(self, block: int | str | Mapping[str, float]) -> dict[str, np.ndarray]:
        """Return the coordinates of what is kept, in the order of time.

        Parameters
        ----------
        block : int, str or mapping
            Number of stretches, a column, or ``{gap: seconds}``.

        Returns
        -------
        dict of str to array of shape (n_presentations,)
            The coordinates of the presentations.
        """
        rows = self.rows()
        shown = self._named(rows)
        coordinates = {name: self._values(source)[rows] for name, source in self._kept.items()}
        return coordinates | {
            "stimulus": shown,
            "repeat": presentations.repeats(shown),
            "block": self._blocks(block, rows),
            "onset": self.event[rows],
        }

    def _named(self, rows: np.ndarray) -> np.ndarray:
        parts, gone = [], []
        for name, values in self._stimulus.items():
            gone.append(missing(values[rows]))
            plain = len(self._stimulus) == 1 and values.dtype.kind == "U"
            # Names are those of the whole column, whatever rows are kept.
            parts.append([value if plain else f"{name}={value}" for value in labels(values)[rows]])
        named = np.array(["-".join(part) for part in zip(*parts, strict=True)])
        return np.where(np.all(gone, axis=0), "blank", named)

    def _blocks(self, block, rows: np.ndarray) -> np.ndarray:
        where = f"{self.table.path}: option 'block'"
        if isinstance(block, str):
            codes = np.unique(self.table.column(block)[rows], return_inverse=True)[1]
            # Numbered as they come.
            first = np.unique(codes, return_index=True)[1]
            return np.argsort(np.argsort(first))[codes]
        if isinstance(block, Mapping):
            if set(block) != {"gap"} or not isinstance(block["gap"], int | float) or not block["gap"] > 0:
                raise UserError(f"{where} is {dict(block)}; give {{gap: seconds}}, a column or a number")
            return presentations.epochs(self.event[rows], gap=float(block["gap"]))
        if isinstance(block, bool) or not isinstance(block, int) or block < 1:
            raise UserError(f"{where} is {block!r}; give a column, a whole number of stretches, or {{gap: seconds}}")
        return presentations.stretches(len(rows), min(block, len(rows)))


def _list(value: object, where: str) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise UserError(f"{where} is {value!r}; give the names of columns")
    return list(value)
