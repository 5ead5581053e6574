"""Tables of an NWB 2 file: opening the file, finding tables and series, reading columns.

The files are read with h5py and not through the classes of pynwb: what is read here (DynamicTable, TimeIntervals,
Units, RoiResponseSeries) has had the same layout in HDF5 in all releases of NWB 2, and files whose extensions
(``ndx-…``) or whose release are unknown here are read like any other.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import h5py
import numpy as np

from neurocompare.errors import UserError, unknown

# In a column of numbers that is stored as text (as in Allen Institute files), the absence of a number.
_NO_NUMBER = {"", "null", "none", "nan", "n/a"}
# A leading zero means a name such as "007".
_NUMBER = re.compile(r"[-+]?(0|[1-9]\d*)?(\.\d*)?([eE][-+]?\d+)?")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open an NWB 2 file for reading.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    h5py.File
        The open file.

    Raises
    ------
    UserError
        If the file is damaged, is not HDF5, or is not NWB 2.
    """
    try:
        with h5py.File(path, "r", locking=False) as file:
            _require_version(file, path)
            yield file
    except OSError as error:
        why = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable HDF5 file ({why}); remove it and fetch it again") from error


def _require_version(file: h5py.File, path: Path) -> None:
    # NWB 1 keeps its version in a dataset, NWB 2 in an attribute.
    old = file.get("nwb_version")
    version = text(old[()]) if isinstance(old, h5py.Dataset) else text(file.attrs.get("nwb_version", ""))
    if not version:
        raise UserError(f"{path}: no NWB file, it has no 'nwb_version'; give the path of an NWB 2 file")
    if re.match(r"(NWB-)?[01]\.", version):
        raise UserError(
            f"{path}: written by NWB {version.removeprefix('NWB-')}, this loader reads NWB 2; "
            "for two-photon files of the Allen Institute use the loader 'allen_ophys'"
        )


def text(value: object) -> str:
    """Return a scalar of HDF5 as text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def find(groups: Mapping[str, h5py.Group], wanted: str, what: str, path: Path) -> h5py.Group:
    """Find a group by its path, the end of its path, or the name of a container that holds nothing else.

    Parameters
    ----------
    groups : mapping of str to Group
        The candidates by path.
    wanted : str
        What is looked for, such as ``"trials"`` or ``"ophys/DfOverF"``.
    what : str
        What error messages call it.
    path : Path
        The file, for messages.

    Returns
    -------
    Group
        The only one that fits.

    Raises
    ------
    UserError
        If none or several fit; the message has the names that exist.
    """
    wanted = "/" + str(wanted).strip("/")
    for fits in (lambda p: p == wanted, lambda p: p.endswith(wanted), lambda p: p.rpartition("/")[0].endswith(wanted)):
        found = [p for p in groups if fits(p)]
        if len(found) == 1:
            return groups[found[0]]
        if found:
            raise UserError(f"{path}: several {what}s end in '{wanted[1:]}'; name one of {', '.join(sorted(found))}")
    names = [p.rpartition("/")[2] for p in groups]
    shown = [p if names.count(n) > 1 else n for p, n in zip(groups, names, strict=True)]
    raise UserError(f"{path}: {unknown(what, wanted[1:], shown)}")


def interval_tables(file: h5py.File) -> dict[str, h5py.Group]:
    """Return all tables of intervals or events of a file, wherever they are, by path."""
    return _groups(file, lambda g: "id" in g and ("start_time" in g or "timestamp" in g))


def response_series(file: h5py.File) -> dict[str, h5py.Group]:
    """Return all RoiResponseSeries of a file, and series of extensions built like them, by path."""
    return _groups(file, lambda g: "data" in g and "rois" in g)


def _groups(file, fits) -> dict[str, h5py.Group]:
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Group) and not name.startswith("specifications") and fits(item):
            found["/" + name] = item

    file.visititems(visit)
    return found


class Table:
    """A DynamicTable: columns of equal length, read when they are asked for.

    Parameters
    ----------
    group : Group
        The table.
    path : Path
        The file, for messages.

    Attributes
    ----------
    name : str
        Path of the table in the file.
    columns : list of str
        Names of the columns, ``id`` first.
    """

    def __init__(self, group: h5py.Group, path: Path):
        self.group, self.path, self.name = group, path, group.name
        listed = [text(name) for name in group.attrs.get("colnames", [])]
        stored = [n for n in group if isinstance(group[n], h5py.Dataset) and not _is_index(group, n)]
        self.columns = ["id"] + [n for n in dict.fromkeys(listed + stored) if n in stored and n != "id"]
        if "id" not in group:
            raise UserError(f"{path}: table '{self.name}' has no 'id'; this is no table of NWB 2")
        self._cache: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.group["id"])

    def __contains__(self, column: str) -> bool:
        return self._parts(column)[0] in self.columns

    def column(self, name: str) -> np.ndarray:
        """Read a column that has one value in every row.

        Parameters
        ----------
        name : str
            Its name; ``name[k]`` is the item ``k``, from 0, of a column with several values per row.

        Returns
        -------
        array of shape (n_rows,)
            Numbers, booleans or text. Numbers that are stored as text become numbers, unless different texts would
            become one number; the texts that stand for no number, such as ``null``, and items that a row does not
            have become NaN.

        Raises
        ------
        UserError
            If there is no such column, or it has several values per row or no values of these kinds.
        """
        if name not in self._cache:
            self._cache[name] = self._read(name)
        return self._cache[name]

    def numbers(self, name: str) -> np.ndarray:
        """Read a column of numbers as floats, shape (n_rows,), or refuse it."""
        values = self.column(name)
        if values.dtype.kind not in "fiu":
            raise UserError(f"{self.path}: column '{name}' of '{self.name}' holds no numbers; name another one")
        return values.astype(float)

    def ends(self, name: str) -> np.ndarray | None:
        """Return where the values of each row end in a ragged column, shape (n_rows,); None if it is not ragged."""
        if not _is_index(self.group, f"{name}_index"):
            return None
        # Files hold the narrowest unsigned type that fits, in which differences would wrap around.
        ends = self.group[f"{name}_index"][:].astype(np.int64)
        twice = _is_index(self.group, f"{name}_index_index")
        held = len(self.group[f"{name}_index_index" if twice else name])
        if len(ends) and (np.any(np.diff(ends, prepend=0) < 0) or (ends[-1] > held)):
            raise UserError(f"{self.path}: '{name}_index' of '{self.name}' does not fit '{name}'; the file is damaged")
        return ends

    @staticmethod
    def _parts(name: str) -> tuple[str, int | None]:
        found = re.fullmatch(r"(.+)\[(\d+)\]", str(name))
        return (found[1], int(found[2])) if found else (str(name), None)

    def _read(self, name: str) -> np.ndarray:
        base, item = self._parts(name)
        where = f"{self.path}: column '{base}' of '{self.name}'"
        if base not in self.columns:
            raise UserError(f"{self.path}: table '{self.name}': {unknown('column', base, self.columns)}")
        data, ends = self.group[base], self.ends(base)
        if data.dtype.names or h5py.check_ref_dtype(data.dtype):
            raise UserError(f"{where} holds references to other data; name another one")
        if data.ndim > 2 or (ends is not None and (data.ndim > 1 or _is_index(self.group, f"{base}_index_index"))):
            raise UserError(f"{where} holds arrays; name a column with single values")
        if ends is not None:
            starts = np.concatenate([[0], ends[:-1]]).astype(int)
            if item is None and np.all(ends - starts == 1):
                item = 0
        if data.ndim == 2 and data.shape[1] == 1:
            item = item or 0
        if item is None and (ends is not None or data.ndim == 2):
            raise UserError(f"{where} has several values in a row; name one of them, the first is '{base}[0]'")
        if item is not None and ends is None and (data.ndim == 1 or item >= data.shape[1]):
            raise UserError(f"{where} has {1 if data.ndim == 1 else data.shape[1]} values in a row; '{name}' is none")
        if ends is not None:
            there = starts + item < ends
            if not there.any():
                raise UserError(f"{where} has no row with so many values; '{name}' is none")
            values = np.full(len(there), np.nan, dtype=object)
            values[there] = _plain(data, data[(starts + item)[there]])
            values = _typed(values)
        else:
            values = _plain(data, data[:] if item is None else data[:, item])
        if len(values) != len(self):
            raise UserError(f"{where} has {len(values)} values for {len(self)} rows; the file is damaged")
        return values


def _is_index(group: h5py.Group, name: str) -> bool:
    """Return whether a name is that of an index, which says where the rows of a ragged column end."""
    base = name.removesuffix("_index")
    if base == name or name not in group:
        return False
    kind = group[name].attrs.get("neurodata_type")
    # Without a type the name decides, if there is something to index; other columns may be called so as well.
    return base in group if kind is None else text(kind) == "VectorIndex"


def _plain(data: h5py.Dataset, values: np.ndarray) -> np.ndarray:
    """Decode text and enumerations; numbers in text become numbers."""
    if "elements" in data.attrs:
        values = data.file[data.attrs["elements"]][:][values]
    return _typed(values) if values.dtype.kind in "OSU" else values


def _typed(values: np.ndarray) -> np.ndarray:
    if not any(isinstance(v, str | bytes) for v in values):
        return values if values.dtype.kind != "O" else np.array([float(v) for v in values])
    words = np.array([text(v) for v in values])
    lower = np.char.lower(np.char.strip(words))
    number = np.array([w not in _NO_NUMBER for w in lower], dtype=bool)
    if not number.any() or not all(re.search(r"\d", w) and _NUMBER.fullmatch(w) for w in lower[number]):
        return words
    found = np.full(len(words), np.nan)
    found[number] = lower[number].astype(float)
    # "1e3" and "1000" are different names.
    if len(np.unique(found[number])) < len(np.unique(np.char.strip(words[number]))):
        return words
    return found
