"""The schema of representations: each rule has a case that breaks it and nothing else."""

import numpy as np
import pytest
import xarray as xr

from neurocompare import representation
from neurocompare.representation import RepresentationError

ATTRIBUTES = {
    "exchangeable": "stimulus",
    "simultaneous": True,
    "source": "a public archive",
    "citation": "Author 2000",
    "license": "CC0",
    "sha256": {"a.mat": "0" * 64, "b.npy": "1" * 64},
}


def responses(response="firing rate", n_times=None):
    """Four presentations of two stimuli to three units in two animals."""
    rng = np.random.default_rng(0)
    shape = (4, 3) if n_times is None else (4, n_times, 3)
    return representation.responses(
        rng.poisson(3, shape) if response == "spike count" else rng.random(shape),
        presentation={
            "stimulus": np.array(["face", "house", "face", "house"]),
            "repeat": np.array([0, 0, 1, 1]),
            "block": np.array([1, 1, 2, 2]),
            "contrast": np.array([0.1, 0.5, np.nan, 1.0]),
            "awake": np.array([True, False, True, True]),
        },
        unit={
            "unit_id": np.array(["u1", "u2", "u3"]),
            "area": np.array(["V1", "V1", "IT"]),
            "animal": np.array(["left", "left", "right"]),
            "session": np.array(["1", "1", "µ"]),
        },
        attributes=ATTRIBUTES | {"response": response},
        time=None if n_times is None else np.linspace(-0.1, 0.3, n_times),
    )


def rdm():
    """Two matrices of three stimuli."""
    x = np.random.default_rng(0).random((2, 3, 5))
    return representation.dissimilarities(
        np.linalg.norm(x[:, :, None] - x[:, None], axis=-1),
        stimulus=np.array(["face", "house", "tree"]),
        rdm={name: np.array(["one", "two"]) for name in ("area", "animal", "session")},
        attributes=ATTRIBUTES | {"distance": "euclidean"},
    )


def values(array, index, value):
    changed = array.astype(float).copy()
    changed.values[index] = value
    return changed.assign_attrs(array.attrs)


def without_attribute(array, name):
    array = array.copy()
    del array.attrs[name]
    return array


def labels(array, name, new):
    return array.assign_coords({name: (array.coords[name].dims, new)})


def refused(array):
    with pytest.raises(RepresentationError) as caught:
        representation.validate(array, "results/some.nc")
    message = str(caught.value)
    assert message.startswith("results/some.nc: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("array", [responses(), responses("spike count"), responses(n_times=5), rdm()])
def test_what_keeps_the_schema_is_accepted_as_it_is(array):
    before = array.copy(deep=True)
    assert representation.validate(array) is array
    assert array.identical(before)


def test_units_and_version_are_filled_in_unless_they_are_given():
    assert responses("spike count").attrs["units"] == "spikes"
    assert responses().attrs["units"] == "spikes/s"
    assert rdm().attrs["units"] == "1"
    assert rdm().attrs["response"] == "dissimilarity"
    assert responses().attrs["schema_version"] == representation.SCHEMA_VERSION
    given = representation.responses(
        responses().values,
        presentation={name: responses()[name].values for name in ("stimulus", "repeat", "block")},
        unit={name: responses()[name].values for name in ("unit_id", "area", "animal", "session")},
        attributes=ATTRIBUTES | {"response": "firing rate", "units": "spikes/bin"},
    )
    assert given.attrs["units"] == "spikes/bin"


@pytest.mark.parametrize("array", [responses().values, responses().to_dataset(name="value")], ids=["array", "dataset"])
def test_only_a_data_array_is_a_representation(array):
    assert "xarray.DataArray" in refused(array)


@pytest.mark.parametrize(
    "array",
    [
        responses().transpose("unit", "presentation"),
        responses().rename(unit="neuron"),
        responses(n_times=5).transpose("presentation", "unit", "time"),
        rdm().isel(rdm=0),
        rdm().transpose("stimulus", "other_stimulus", "rdm"),
    ],
)
def test_dims_are_those_of_one_of_the_kinds(array):
    message = refused(array)
    assert str(array.dims) in message
    assert "transpose or rename" in message
    assert "('presentation', 'time', 'unit')" in message


@pytest.mark.parametrize("attribute", representation.REQUIRED_ATTRIBUTES)
@pytest.mark.parametrize("make", [responses, rdm])
def test_every_attribute_is_declared(make, attribute):
    message = refused(without_attribute(make(), attribute))
    assert f"attribute '{attribute}' is missing" in message
    assert "declare it in the loader" in message


def test_an_rdm_says_which_distance_it_holds():
    message = refused(without_attribute(rdm(), "distance"))
    assert "attribute 'distance' is missing" in message


@pytest.mark.parametrize("response", ["voltage", "Firing Rate", None, ["firing rate"]])
def test_the_type_of_response_is_a_known_one(response):
    message = refused(responses().assign_attrs(response=response))
    assert "attribute 'response'" in message
    assert "spike count, firing rate" in message


@pytest.mark.parametrize("exchangeable", ["trial", "", None, ["stimulus", "block"]])
def test_what_is_exchangeable_is_declared(exchangeable):
    message = refused(responses().assign_attrs(exchangeable=exchangeable))
    assert "attribute 'exchangeable'" in message
    assert "stimulus, condition, block, shift, none" in message


@pytest.mark.parametrize("simultaneous", ["yes", 1, None])
def test_simultaneous_is_true_or_false(simultaneous):
    assert "'simultaneous' must be true or false" in refused(responses().assign_attrs(simultaneous=simultaneous))


@pytest.mark.parametrize("checksums", ["0" * 64, None, ["0" * 64]])
def test_checksums_are_given_by_file(checksums):
    assert "'sha256' must map each input file" in refused(responses().assign_attrs(sha256=checksums))


def test_another_version_of_the_schema_is_refused():
    message = refused(responses().assign_attrs(schema_version="0"))
    assert "'schema_version' is 0, this is version 2" in message
    assert "ingest it again" in message


@pytest.mark.parametrize("make", [responses, rdm])
def test_nothing_is_empty(make):
    array = make()
    for dim in array.dims:
        assert f"empty along '{dim}'; check the selection" in refused(array.isel({dim: slice(0)}))


@pytest.mark.parametrize("dtype", [complex, str, bool, object])
def test_values_are_numbers(dtype):
    assert "store numbers" in refused(responses().astype(dtype))


@pytest.mark.parametrize(
    ("make", "coordinate", "dim"),
    [(responses, c, "presentation") for c in ("stimulus", "repeat", "block")]
    + [(responses, c, "unit") for c in ("unit_id", "area", "animal", "session")]
    + [(rdm, c, "rdm") for c in ("area", "animal", "session")]
    + [(rdm, c, c) for c in ("stimulus", "other_stimulus")],
)
def test_every_coordinate_is_there_and_in_its_place(make, coordinate, dim):
    message = refused(make().drop_vars(coordinate))
    assert f"coordinate '{coordinate}' along '{dim}' is missing" in message
    assert f"for each {dim}" in message
    if coordinate != dim:
        moved = make().drop_vars(coordinate).assign_coords({coordinate: "everywhere"})
        message = refused(moved)
        assert f"coordinate '{coordinate}' lies along ()" in message
        assert f"belongs to '{dim}'" in message


@pytest.mark.parametrize(
    ("make", "coordinate", "dim"),
    [(responses, "stimulus", "presentation")]
    + [(responses, c, "unit") for c in ("unit_id", "area", "animal", "session")]
    + [(rdm, c, "rdm") for c in ("area", "animal", "session")]
    + [(rdm, c, c) for c in ("stimulus", "other_stimulus")],
)
@pytest.mark.parametrize("kind", ["blank", "number", "none", "nan"])
def test_no_label_is_missing(make, coordinate, dim, kind):
    array = make()
    new = array.coords[coordinate].values.astype(object)
    if kind == "number":
        new = np.arange(len(new))
    else:
        new[-1] = {"blank": " ", "none": None, "nan": np.nan}[kind]
    message = refused(labels(array, coordinate, new))
    assert f"coordinate '{coordinate}' must be non-empty strings" in message
    assert f"label every {dim}" in message


@pytest.mark.parametrize("coordinate", ["repeat", "block"])
@pytest.mark.parametrize("dtype", [float, str])
def test_repeats_and_blocks_are_integers(coordinate, dtype):
    array = responses()
    message = refused(labels(array, coordinate, array.coords[coordinate].values.astype(dtype)))
    assert f"coordinate '{coordinate}' must be integers" in message


def test_unit_ids_are_unique():
    message = refused(labels(responses(), "unit_id", np.array(["u1", "u2", "u1"])))
    assert "coordinate 'unit_id' repeats 'u1'; give each its own id" in message


def test_stimuli_of_an_rdm_are_unique():
    twice = np.array(["face", "house", "face"])
    message = refused(labels(labels(rdm(), "stimulus", twice), "other_stimulus", twice))
    assert "coordinate 'stimulus' repeats 'face'" in message


def test_rows_and_columns_of_an_rdm_have_one_order():
    message = refused(labels(rdm(), "other_stimulus", np.array(["house", "face", "tree"])))
    assert "'stimulus' and 'other_stimulus' differ; use the same order" in message


@pytest.mark.parametrize("time", [[0.2, 0.1, 0.3], [0.1, 0.1, 0.2], [0.1, np.nan, 0.3], [0.1, 0.2, np.inf]])
def test_time_increases(time):
    assert "coordinate 'time' must be increasing" in refused(labels(responses(n_times=3), "time", np.array(time)))


def test_time_is_given_in_numbers():
    array = responses(n_times=3)
    assert "coordinate 'time' along 'time' is missing" in refused(array.drop_vars("time"))
    assert "coordinate 'time' must be increasing numbers" in refused(labels(array, "time", ["a", "b", "c"]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_times", [None, 5])
def test_units_with_missing_values_are_counted_and_named(bad, n_times):
    message = refused(values(responses(n_times=n_times), (2, ..., 1), bad))
    assert "1 of 3 units hold NaN or infinite values (first: 'u2'); drop them in the loader" in message


def test_spike_counts_are_not_negative_but_other_responses_may_be():
    assert "negative spike counts" in refused(values(responses("spike count"), (0, 0), -1))
    representation.validate(values(responses("dF/F"), (0, 0), -1))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_dissimilarities_are_finite(bad):
    changed = values(values(rdm(), (0, 1, 2), bad), (0, 2, 1), bad)
    assert "dissimilarities hold NaN or infinite values" in refused(changed)


@pytest.mark.parametrize("index", [(1, 0, 2), (1, 1, 1)], ids=["not symmetric", "diagonal"])
def test_dissimilarities_are_symmetric_with_a_zero_diagonal(index):
    assert "symmetric with a zero diagonal" in refused(values(rdm(), index, 0.01))


@pytest.mark.parametrize(
    ("part", "name"), [("presentation", "stimulus"), ("presentation", "contrast"), ("unit", "area")]
)
def test_mismatched_lengths_are_told_when_a_representation_is_built(part, name):
    array = responses()
    parts = {
        "presentation": {k: array[k].values for k in ("stimulus", "repeat", "block", "contrast")},
        "unit": {k: array[k].values for k in ("unit_id", "area", "animal", "session")},
    }
    parts[part][name] = parts[part][name][:-1]
    with pytest.raises(RepresentationError, match=f"mismatched lengths .*'{part}'.*'{name}'"):
        representation.responses(array.values, **parts, attributes=ATTRIBUTES | {"response": "firing rate"})
    with pytest.raises(RepresentationError, match=r"mismatched lengths .*'stimulus'"):
        representation.dissimilarities(
            rdm().values, stimulus=np.array(["face", "house"]), rdm={}, attributes=ATTRIBUTES | {"distance": "cosine"}
        )


def test_the_kind_is_told_by_the_dims():
    assert representation.kind(responses()) == representation.kind(responses(n_times=2)) == "responses"
    assert representation.kind(rdm()) == "rdm"


@pytest.mark.parametrize(
    "array",
    [
        responses(),
        responses("spike count"),
        responses().astype(np.float32).assign_attrs(responses().attrs),
        responses(n_times=5),
        rdm(),
        responses().assign_attrs(simultaneous=False, sha256={}),
        responses().assign_attrs(orientation_period=180.0, window=[0.04, 0.54], note="50 µm"),
        labels(responses(), "stimulus", np.array(["face", "a longer id", "face", "a longer id"], dtype=object)),
        # An attribute that means a unit of time elsewhere must not turn numbers into time spans.
        responses().assign_coords(latency=("presentation", [0.1, 0.2, 0.3, 0.4], {"units": "s"})),
    ],
)
def test_a_round_trip_over_the_disk_is_exact(array, tmp_path):
    path = tmp_path / "new" / "folder" / "array.nc"
    before = array.copy(deep=True)
    representation.write(array, path)
    assert array.identical(before), "writing changed the array"
    found = representation.read(path)
    assert found.dims == array.dims
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found.values, array.values)
    assert set(found.coords) == set(array.coords)
    for name, coordinate in array.coords.items():
        np.testing.assert_array_equal(found.coords[name].values, coordinate.values)
        assert found.coords[name].dims == coordinate.dims
        if coordinate.dtype.kind in "ifb":
            assert found.coords[name].dtype == coordinate.dtype, name
    assert found.attrs.keys() == array.attrs.keys()
    for name, value in array.attrs.items():
        np.testing.assert_array_equal(found.attrs[name], value)
    assert found.attrs["simultaneous"] is array.attrs["simultaneous"]
    assert found.attrs["sha256"] == array.attrs["sha256"]
    assert isinstance(found.attrs["sha256"], dict)
    assert [p.name for p in path.parent.iterdir()] == ["array.nc"]


def test_the_same_representation_gives_the_same_bytes(tmp_path):
    for name in ("first.nc", "second.nc"):
        representation.write(responses(), tmp_path / name)
    assert (tmp_path / "first.nc").read_bytes() == (tmp_path / "second.nc").read_bytes()


def test_nothing_is_written_when_the_schema_is_broken(tmp_path):
    path = tmp_path / "array.nc"
    with pytest.raises(RepresentationError, match=f"^{path}: attribute 'license' is missing"):
        representation.write(without_attribute(responses(), "license"), path)
    assert not list(tmp_path.iterdir())
    representation.write(responses(), path)
    before = path.read_bytes()
    with pytest.raises(RepresentationError):
        representation.write(values(responses(), (0, 0), np.nan), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_when_writing_fails(tmp_path):
    # NetCDF has no attribute of this type; xarray finds out when the file is open.
    with pytest.raises(TypeError):
        representation.write(responses().assign_attrs(note=None), tmp_path / "array.nc")
    assert not list(tmp_path.iterdir())


def unread(path):
    with pytest.raises(RepresentationError) as caught:
        representation.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_file_that_is_absent_or_of_another_kind_is_one_line(tmp_path):
    path = tmp_path / "array.nc"
    assert "no such file" in unread(path)
    assert "no such file" in unread(tmp_path)
    for content in (b"", b"<html>moved</html>", bytes(100_000)):
        path.write_bytes(content)
        assert "not a readable NetCDF file" in unread(path)


def test_a_truncated_or_damaged_file_is_one_line(tmp_path):
    path = tmp_path / "array.nc"
    representation.write(responses(n_times=50), path)
    whole = path.read_bytes()
    for fraction in (0.01, 0.3, 0.6, 0.99):
        path.write_bytes(whole[: int(fraction * len(whole))])
        assert "make it again" in unread(path)
    # HDF5 checks its metadata: an altered byte in the name of the variable makes the object unreadable.
    at = whole.index(b"value")
    path.write_bytes(whole[:at] + b"vblue" + whole[at + 5 :])
    assert "make it again" in unread(path)


def test_a_foreign_netcdf_file_is_one_line(tmp_path):
    path = tmp_path / "array.nc"
    xr.Dataset({"other": ("x", [1.0])}).to_netcdf(path, engine="h5netcdf")
    assert "variable 'value' is missing" in unread(path)
    stored = responses().assign_attrs(excluded="{}")
    stored.assign_attrs(sha256="0" * 64, simultaneous=1).rename("value").to_netcdf(path, engine="h5netcdf")
    assert "'sha256' must map" in unread(path)
    stored.assign_attrs(sha256="{}", simultaneous=1, schema_version="0").rename("value").to_netcdf(
        path, engine="h5netcdf"
    )
    assert "'schema_version' is 0" in unread(path)
