"""NumPy files that hold pickled objects, read by an unpickler that can build data and nothing else.

A pickle is a program: loading one can run anything. Here it can make arrays, numbers, text, lists, tuples, sets and
dicts; any other name in it is refused before it is looked up, and nothing of it is called.

Precondition: the checksum of the file has been verified. The rule ``ingest`` does that, and of loaders that say
``PICKLED = True`` it takes no file of which no checksum is known. What is done here is the second lock on the door, for
a file that was wrong from the start.

Arrays are not duplicated: their bytes go from the file into the memory in which they stay. NumPy before 1.17 (2019)
wrote bytes as text, which takes up to half as much again on disk; that text is decoded piece by piece.
"""

import codecs
import io
import pickle
import struct
from pathlib import Path

import numpy as np

from neurocompare.errors import UserError

_LARGE = 1 << 20
"""Text of more bytes than this, such as the bytes of an array, is never held as text."""

_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
    NotImplementedError,
    MemoryError,
    struct.error,
    pickle.UnpicklingError,
)


def load(path: str | Path) -> object:
    """Load a ``.npy`` file that may hold a pickle.

    Parameters
    ----------
    path : str or Path
        The file, verified against its checksum.

    Returns
    -------
    object
        An array; of an array of one object without dimensions, the object. Arrays may be read-only.

    Raises
    ------
    UserError
        If the file cannot be read, or holds more than data; the message names what it holds.
    """
    try:
        with open(path, "rb") as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = header(file)
            if dtype.hasobject:
                found = np.asarray(_Unpickler(file).load(), dtype=object).reshape(shape)
                return found if shape else found.item()
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except _Refused as refused:
        raise UserError(
            f"{path}: the pickle in it asks for {refused}, which is no data; nothing was run, take the file from its "
            "source again and check it"
        ) from None
    except _UNREADABLE as error:
        raise _unreadable(path, error) from error


def _unreadable(path, error) -> UserError:
    why = " ".join(str(error).split())[:200] or type(error).__name__
    return UserError(f"{path}: not a readable NumPy file ({why}); remove it and fetch it again")


class _Refused(Exception):
    """The pickle asks for something that is not data."""


class _Bytes:
    """Bytes that NumPy wrote as text, kept as the bytes that they are."""

    def __init__(self, data: bytes):
        self.data = data


class _Unpickler(pickle._Unpickler):
    """The unpickler of the standard library, with its doors closed.

    It is the one written in Python, whose handling of single opcodes can be replaced.
    """

    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module, name):
        """Return the safe counterpart of a global, never the global itself."""
        if (module, name) not in _KNOWN:
            raise _Refused(f"'{_short(module)}.{_short(name)}'")
        return _KNOWN[module, name]

    def get_extension(self, code):
        """Refuse what was registered under a number."""
        raise _Refused(f"the extension {code}")

    def persistent_load(self, pid):
        """Refuse references to what is outside the file."""
        raise _Refused("an object outside the file")

    def _build(self):
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, np.dtype):
            made.__setstate__(_dtype_state(made, state))
        elif type(made) is np.ndarray:
            made.__setstate__(_array_state(state))
        else:
            raise _Refused(f"changing the inside of a {type(made).__name__}")

    def _text(self):
        self._append_text(*struct.unpack("<I", self.read(4)))

    def _long_text(self):
        self._append_text(*struct.unpack("<Q", self.read(8)))

    def _append_text(self, size):
        if size < _LARGE:
            self.append(str(self.read(size), "utf-8", "surrogatepass"))
            return
        decoder = codecs.getincrementaldecoder("utf-8")("surrogatepass")
        stream = io.BytesIO()
        while size:
            piece = self.read(min(size, _LARGE))
            if not piece:
                raise EOFError("the file ends within an array")
            size -= len(piece)
            stream.write(decoder.decode(piece, final=not size).encode("latin-1"))
        # `getvalue` hands over the memory of the stream, it doesn't copy it.
        self.append(_Bytes(stream.getvalue()))

    dispatch[pickle.BUILD[0]] = _build
    dispatch[pickle.BINUNICODE[0]] = _text
    dispatch[pickle.BINUNICODE8[0]] = _long_text


def _short(name) -> str:
    return " ".join(str(name).split())[:80]


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(what)


def _ndarray(*_):
    """Stand for the class of arrays, which is only ever passed to `_reconstruct`."""
    raise _Refused("an array without content")


def _reconstruct(kind, shape, code):
    """Make the empty array whose content BUILD sets."""
    _require(kind is _ndarray and tuple(shape) == (0,) and code in (b"b", "b"), "an array of another class")
    return np.empty(0, dtype=np.int8)


def _dtype(code, *_):
    """Make a type of numbers, text, bytes or objects; nothing with fields."""
    _require(isinstance(code, str) and code[:1] in "biufcSUO" and code[1:].isdigit(), f"data of type {_short(code)}")
    return np.dtype(code, False, True)


def _dtype_state(dtype, state):
    """Check the state of a type: the order of bytes and the size of texts are all that may be set."""
    simple = isinstance(state, tuple) and len(state) == 8 and state[0] == 3 and state[1] in ("<", ">", "|", "=")
    _require(simple and state[2:5] == (None, None, None), "a type of data with parts")
    size, alignment, flags = state[5:]
    # What NumPy itself writes: sizes for text and bytes only, the flags 63 for objects, 8 for text, else 0.
    text = dtype.kind in "SU"
    _require(flags == {"O": 63, "U": 8}.get(dtype.kind, 0), "a type of data with other flags")
    _require(size == dtype.itemsize if text else (size, alignment) == (-1, -1), "a type of data of another size")
    return state


def _array_state(state):
    """Check the state of an array: as many values as its shape says, objects in a list, all else in bytes."""
    _require(isinstance(state, tuple) and len(state) == 5, "an array without content")
    version, shape, dtype, fortran, data = state
    _require(isinstance(dtype, np.dtype) and all(type(n) is int and n >= 0 for n in shape), "an array without a shape")
    count = 1
    for length in shape:
        count *= length
    if dtype.hasobject:
        _require(type(data) is list and len(data) == count, "an array of objects of another length")
    else:
        _require(type(data) is bytes and len(data) == count * dtype.itemsize, "an array of another length")
    return version, tuple(shape), dtype, bool(fortran), data


def _scalar(dtype, data):
    """Make one number or text."""
    _require(isinstance(dtype, np.dtype) and not dtype.hasobject and type(data) is bytes, "a number without digits")
    return np.frombuffer(data, dtype)[0] if data else dtype.type()


def _frombuffer(data, dtype, shape, order):
    """Make an array, as protocol 5 writes it."""
    _require(isinstance(dtype, np.dtype) and order in ("C", "F"), "an array of another order")
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _no_bytes():
    """Return empty bytes, which old protocols write as a call."""
    return b""


def _encode(text, encoding="latin1"):
    """Return the bytes that were written as text."""
    _require(encoding in ("latin1", "latin-1"), f"text in {_short(encoding)}")
    return text.data if isinstance(text, _Bytes) else str(text).encode("latin-1")


_KNOWN = {("numpy", "ndarray"): _ndarray, ("numpy", "dtype"): _dtype, ("_codecs", "encode"): _encode}
for _core in ("numpy.core", "numpy._core"):
    _KNOWN |= {
        (f"{_core}.multiarray", "_reconstruct"): _reconstruct,
        (f"{_core}.multiarray", "scalar"): _scalar,
        (f"{_core}.numeric", "_frombuffer"): _frombuffer,
    }
for _module in ("builtins", "__builtin__"):
    _KNOWN |= {(_module, _kind.__name__): _kind for _kind in (set, frozenset, complex)}
    _KNOWN[_module, "bytes"] = _no_bytes
