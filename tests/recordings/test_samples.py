"""Shared machinery of loaders: bins of samples, HDF5 files, and pools that keep conditions."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_shared import session

from neurocompare.errors import UserError
from neurocompare.ingestion import hdf5, rasters
from neurocompare.ingestion.pseudopopulation import pool


@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 9), st.integers(0, 9))
def test_bins_hold_the_samples_of_their_time(size, count, before, after):
    n = before + size * count + after
    samples = np.arange(2 * n, dtype=np.uint8).reshape(2, n)
    start = -0.25
    window = (start + before * 0.001, start + (before + size * count) * 0.001)
    cut = rasters.bins(window, size * 0.001, start=start, step=0.001, n_samples=n, name="file")
    assert (cut.first, cut.count, cut.size) == (before, count, size)
    for b in range(count):
        low = before + b * size
        np.testing.assert_array_equal(cut.sums(samples)[:, b], samples[:, low : low + size].sum(axis=1))
        np.testing.assert_allclose(cut.means(samples)[:, b], samples[:, low : low + size].mean(axis=1))
        assert abs(cut.time[b] - (start + (low + size / 2) * 0.001)) < 1e-8
    whole = rasters.bins(None, None, start=start, step=0.001, n_samples=n, name="file")
    assert whole.time is None and whole.sums(samples).shape == (2, 1)


def test_windows_outside_the_samples_are_refused():
    for window, width, message in [
        ((0.05, 0.2), None, r"file: window is \[0.05, 0.2\]; it holds 0.1 to 0.2 s in steps of 0.001 s"),
        ((0.1, 0.201), None, "it holds 0.1 to 0.2 s"),
        ((0.1, 0.1505), None, "end within a sample"),
        ((0.1, 0.105), 0.0025, "end within a sample"),
    ]:
        with pytest.raises(UserError, match=message):
            rasters.bins(window, width, start=0.1, step=0.001, n_samples=100, name="file")


def test_a_dataset_is_streamed_whole_and_in_order(tmp_path):
    path = tmp_path / "a.h5"
    values = np.random.default_rng(0).normal(size=(37, 3, 2))
    with h5py.File(path, "w") as file:
        file["a/b"] = values
    with hdf5.opened(path) as file:
        data = hdf5.dataset(file, "a/b", ndim=3)
        parts = list(hdf5.slabs(data, 4, 30, size=5 * 6 * 8))
        assert [start for start, _ in parts] == [4, 9, 14, 19, 24, 29] and len(parts[-1][1]) == 1
        np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), values[4:30])
        for name, ndim, message in [
            ("a/c", None, r"a.h5: dataset 'a/c' is missing \(present in /a: b\)"),
            ("d/e/f", None, r"'d/e/f' is missing \(present in /: a\)"),
            ("a", None, "'a' is missing"),
            ("a/b", 2, r"'a/b' has shape \(37, 3, 2\), not 2 dimensions"),
        ]:
            with pytest.raises(UserError, match=message):
                hdf5.dataset(file, name, ndim=ndim)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=np.random.default_rng(0).normal(size=20000), chunks=(1000,), compression="gzip")
    content = bytearray(path.read_bytes())
    for wrong in (b"<html>", bytes(content[:300]), b""):
        path.write_bytes(wrong)
        with pytest.raises(UserError, match=r"a.h5: not a readable HDF5 file .*fetch it again"), hdf5.opened(path):
            pass
    content[len(content) // 2 : len(content) // 2 + 4000] = bytes(4000)
    path.write_bytes(content)
    with pytest.raises(UserError, match="a.h5: not a readable HDF5 file"), hdf5.opened(path) as file:
        file["a"][:]


def test_texts_of_matlab(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        cells = file.create_dataset("ids", (2, 1), dtype=h5py.ref_dtype)
        for i, text in enumerate(("T-01", "O-2")):
            cell = file.create_dataset(f"#refs#/{i}", data=np.array([[ord(c)] for c in text], dtype=np.uint16))
            cell.attrs["MATLAB_class"] = np.bytes_("char")
            cells[i, 0] = cell.ref
        file["numbers"] = [1.0, 2.0]
        assert hdf5.texts(file["ids"]) == ["T-01", "O-2"]
        assert hdf5.texts(file["numbers"]) is None


def test_a_pool_can_keep_all_conditions_and_drop_members():
    full, also = session("a", [0, 90, 45, 0, 90, 45]), session("b", [45, 90, 0, 0, 45, 90], n_units=1)
    lacks, few = session("c", [0, 90, 0, 90], n_units=3), session("d", [0, 90, 45, 0, 90], n_units=2)
    members = [full, lacks, also, few]
    array = pool(members, match=["direction"], lacking="member", repeats=2)
    assert array.unit_id.values.tolist() == ["a-0", "a-1", "b-0"] and array.shape == (6, 3)
    assert array.attrs["excluded"]["unit"] == {"silent": 4, "fewer than 2 trials of a condition": 5}
    # What was left out was looked at as well.
    assert set(array.attrs["sha256"]) == set("abcd")
    once = pool(members, match=["direction"], lacking="member")
    assert once.sizes["unit"] == 5 and once.attrs["excluded"]["unit"]["fewer than 1 trials of a condition"] == 3
    assert pool(members, match=["direction"]).stimulus.values[:2].tolist() == ["direction=0", "direction=90"]
    with pytest.raises(UserError, match=r"no units of the pool left: fewer than 9 trials of a condition \(8\)"):
        pool(members, match=["direction"], lacking="member", repeats=9)
    with pytest.raises(UserError, match="'lacking' is 'unit'"):
        pool(members, match=["direction"], lacking="unit")


def test_a_pool_of_some_presentations():
    one, two = session("a", [0, 90, 0, 90, 45]), session("b", [90, 0, 90, 0])
    array = pool([one, two], match=["direction"], where={"block": 0})
    direction = (array.values % 1000) // 10
    np.testing.assert_array_equal(direction, np.repeat(array.direction.values[:, None], 4, axis=1))
    # Of four blocks, the first holds the first two trials of `a` and the first of `b`.
    assert array.direction.values.tolist() == [90] and (array.values[0, :2] // 1000 == 1).all()
    assert array.attrs["excluded"]["presentation"]["block is not 0"] == 3 + 3
    with pytest.raises(UserError, match="no coordinate 'correct'"):
        pool([one, two], match=["direction"], where={"correct": 1})
