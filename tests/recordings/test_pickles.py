"""Pickled NumPy files: data comes through unchanged and not twice, and nothing else gets in."""

import os
import pickle
import tracemalloc

import numpy as np
import pytest
import stringer

from neurocompare.errors import UserError
from neurocompare.ingestion import pickles


def same(x, y):
    if isinstance(x, dict):
        return x.keys() == y.keys() and all(same(x[key], y[key]) for key in x)
    if isinstance(x, np.ndarray) and x.dtype == object:
        return x.shape == y.shape and all(map(same, x.ravel(), y.ravel()))
    if isinstance(x, np.ndarray):
        return x.dtype.newbyteorder("=") == y.dtype.newbyteorder("=") and np.array_equal(x, y)
    return type(x) is type(y) and x == y


def refused(path, *parts):
    with pytest.raises(UserError) as caught:
        pickles.load(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    for part in parts:
        assert part in message
    return message


DATA = {
    "C order": np.arange(6.0).reshape(2, 3),
    "Fortran order": np.asfortranarray(np.arange(12, dtype=np.float32).reshape(3, 4)),
    "other byte order": np.arange(5, dtype=">i4"),
    "text": np.array(["a", "bcd"]),
    "bytes": np.array([b"ab", b"c"]),
    "flags": np.array([True, False]),
    "complex": np.array([1j]),
    "empty": np.empty((0, 4)),
    "objects": np.array([{"med": [1, 2], "radius": np.float32(3)}, None, "é"], dtype=object),
    "nested": {"list": [1, 2.5, None, True], "tuple": (1, "x"), "set": {1, 2}, "frozen": frozenset("ab")},
    "scalars": [np.int64(7), np.bool_(True), np.str_("xy"), 3j, 10**30, b"", b"abc"],
}


@pytest.mark.parametrize("protocol", range(6))
def test_data_of_any_age_comes_through(tmp_path, protocol):
    shared = np.arange(3)
    stringer.write(tmp_path / "a.npy", DATA | {"one": shared, "other": shared}, protocol)
    found = pickles.load(tmp_path / "a.npy")
    assert found.pop("one") is found.pop("other")
    assert same(DATA, found)


def test_what_numpy_saves(tmp_path):
    np.save(tmp_path / "a.npy", DATA, allow_pickle=True)
    assert same(DATA, pickles.load(tmp_path / "a.npy"))
    np.save(tmp_path / "a.npy", DATA["objects"], allow_pickle=True)
    assert same(DATA["objects"], pickles.load(tmp_path / "a.npy"))
    np.save(tmp_path / "a.npy", DATA["C order"])
    assert same(DATA["C order"], pickles.load(tmp_path / "a.npy"))


class Calls:
    """Pickled as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(marker):
    touch = f"touch {marker}"
    return {
        "system": Calls(os.system, touch),
        "eval": Calls(eval, f"open({str(marker)!r}, 'w')"),
        "exec": Calls(exec, f"open({str(marker)!r}, 'w')"),
        "getattr": Calls(getattr, [], "append"),
        "open": Calls(open, str(marker), "w"),
        "load": Calls(np.load, str(marker)),
        "tofile": Calls(np.savetxt, str(marker), [1]),
        "loads": Calls(pickle.loads, pickle.dumps(Calls(os.system, touch))),
        "ndarray": Calls(np.ndarray, (2, 2)),
        "partial": Calls(__import__("functools").partial, os.system, touch),
    }


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("name", attacks("x"))
def test_a_pickle_that_acts_is_refused_and_does_nothing(tmp_path, name, protocol):
    marker = tmp_path / "marker"
    attack = attacks(marker)[name]
    path = tmp_path / "a.npy"
    stringer.write(path, {"sresp": np.arange(3), "stat": [attack]}, protocol)
    global_name = "" if name in ("ndarray", "tofile") else getattr(attack.call[0], "__name__", "partial")
    refused(path, global_name, "no data")
    assert not marker.exists()


def handmade(path, program):
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
        file.write(program)


REAL_DTYPE = pickle.dumps(np.dtype("f8"), 2)[2:-1]


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (b"cos\nsystem\n(S'touch marker'\ntR.", "'os.system'"),
        (b"(ios\nsystem\n.", "'os.system'"),
        (b"(cos\nsystem\nS'touch marker'\no.", "'os.system'"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "'os.system'"),
        (b"\x80\x04\x8c\x05numpy\x8c\x0bndarray.all\x93.", "'numpy.ndarray.all'"),
        (b"\x80\x02\x82\x01.", "extension"),
        (b"Pthing\n.", "outside the file"),
        (b"c_codecs\nencode\n}S'__code__'\nNsb.", "inside of a function"),
        (b"(lS'x'\nb.", "inside of a list"),
        (b"cnumpy\nndarray\n(I5\ntR.", "an array without content"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(cbuiltins\nset\n(I0\ntS'b'\ntR.", "not a readable"),
        (b"c_codecs\nencode\n(Vx\nS'rot13'\ntR.", "not a readable"),
        # An array that claims more values than it has; pointers in the place of objects; a type made of parts.
        (b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I9\nt", "another length"),
        (b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR.", "data of type V8"),
        (b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nN(S'a'\nt}I-1\nI-1\nI0\ntb.", "with parts"),
        (b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI63\ntb.", "other flags"),
        (b"cnumpy\ndtype\n(S'U2'\nI0\nI1\ntR(I3\nS'<'\nNNNI800\nI4\nI8\ntb.", "another size"),
        (b"0.", "not a readable"),
        (b"", "not a readable"),
    ],
)
def test_a_handmade_pickle_is_refused_in_one_line(tmp_path, monkeypatch, program, told):
    monkeypatch.chdir(tmp_path)
    if program.endswith(b"(I1\n(I9\nt"):
        program += REAL_DTYPE + b"I00\nS'12345678'\ntb."
    handmade(tmp_path / "a.npy", program)
    refused(tmp_path / "a.npy", told)
    assert not (tmp_path / "marker").exists()


def test_a_name_with_line_breaks_is_told_in_one_line(tmp_path):
    name = b"os\nsystem\n" * 50
    handmade(tmp_path / "a.npy", b"\x80\x04X" + len(name).to_bytes(4, "little") + name + b"\x8c\x01x\x93.")
    assert len(refused(tmp_path / "a.npy", "os system")) < 500


@pytest.mark.parametrize("protocol", [2, 4])
def test_an_array_is_held_once(tmp_path, protocol):
    """Old files hold bytes as text, which is longer than the array."""
    values = np.random.default_rng(0).standard_normal((500, 4000))
    stringer.write(tmp_path / "a.npy", {"sresp": values}, protocol)
    assert (tmp_path / "a.npy").stat().st_size > (1.4 if protocol == 2 else 1) * values.nbytes
    tracemalloc.start()
    found = pickles.load(tmp_path / "a.npy")["sresp"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found, values)
    # The memory of a growing stream is up to an eighth larger than what is in it; pieces of 1 MB are on their way.
    assert peak < 1.125 * values.nbytes + 5e6


def test_damaged_files_are_named(tmp_path):
    whole = tmp_path / "whole.npy"
    stringer.write(whole, stringer.orientations(200, 1500), 2)
    content = whole.read_bytes()
    path = tmp_path / "a.npy"
    for length in (0, 5, 100, 1000, len(content) // 3, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        refused(path, "not a readable NumPy file")
    path.write_text("<!DOCTYPE html><html></html>\n" * 20)
    refused(path, "not a readable NumPy file")
    refused(tmp_path / "absent.npy", "not a readable NumPy file")
