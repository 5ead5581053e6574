"""Tables: the same columns everywhere, and nothing lost between writing and reading."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurocompare import tables
from neurocompare.errors import UserError

ALL = {name: getattr(tables, name) for name in ("SCORES", "DESCRIPTIONS", "CONTRASTS", "SIZES", "RECOVERIES")}
COLUMNS = ["recording", "seed", "value", "best", "status"]


def row(**changed):
    return {"recording": "V1", "seed": 3, "value": 0.1, "best": True, "status": "ok"} | changed


@pytest.mark.parametrize("columns", ALL.values(), ids=ALL)
def test_columns_are_lower_case_words_given_once_and_end_with_the_status(columns):
    assert len(set(columns)) == len(columns)
    assert all(column.replace("_", "").isalnum() and column == column.lower() for column in columns)
    assert columns[-2:] == ["code_sha256", "status"]
    assert "study" not in columns


@pytest.mark.parametrize("columns", ALL.values(), ids=ALL)
def test_an_empty_table_is_a_header_and_stays_one(columns, tmp_path):
    path = tmp_path / "new" / "table.tsv"
    tables.write([], columns, path)
    assert path.read_text() == "\t".join(columns) + "\n"
    found = tables.read(path)
    assert list(found.columns) == columns
    assert len(found) == 0
    tables.write(pd.concat([found, found]), columns, path)
    assert path.read_text() == "\t".join(columns) + "\n"


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "table.tsv"
    rows = [row(), row(recording="a longer, name", seed=0, value=-1e-9, best=False), row(value=2.5e300, status="")]
    tables.write(rows, COLUMNS, path)
    assert path.read_bytes().decode() == (
        "recording\tseed\tvalue\tbest\tstatus\n"
        "V1\t3\t0.1\tTrue\tok\n"
        "a longer, name\t0\t-1e-09\tFalse\tok\n"
        "V1\t3\t2.5e+300\tTrue\t\n"
    )
    assert tables.read(path).to_dict("records") == rows


def test_columns_come_in_their_order_whatever_the_order_of_the_rows(tmp_path):
    path = tmp_path / "table.tsv"
    tables.write([dict(reversed(row().items()))], COLUMNS, path)
    assert path.read_text().splitlines()[0] == "\t".join(COLUMNS)


@pytest.mark.parametrize(
    "text", ["NA", "None", "null", "nan", "1", "01", "1e5", "True", "'", '"', "a\tb", "a\nb", "µ", "#"]
)
def test_text_stays_text(text, tmp_path):
    path = tmp_path / "table.tsv"
    tables.write([row(recording=text)], COLUMNS, path)
    assert tables.read(path)["recording"].tolist() == [text]


def test_missing_numbers_are_empty_cells_and_integers_stay_integers(tmp_path):
    path = tmp_path / "table.tsv"
    tables.write([row(seed=np.nan, value=np.nan), row(seed=7.0, value=np.inf)], COLUMNS, path)
    assert path.read_text().splitlines()[1:] == ["V1\t\t\tTrue\tok", "V1\t7\tinf\tTrue\tok"]
    found = tables.read(path)
    np.testing.assert_array_equal(found["value"], [np.nan, np.inf])
    np.testing.assert_array_equal(found["seed"], [np.nan, 7])
    again = tmp_path / "again.tsv"
    tables.write(found, COLUMNS, again)
    assert again.read_bytes() == path.read_bytes()


def test_numbers_are_written_to_twelve_digits(tmp_path):
    path = tmp_path / "table.tsv"
    tables.write([row(value=0.1 + 0.2), row(value=1 / 3)], COLUMNS, path)
    np.testing.assert_array_equal(tables.read(path)["value"], [0.3, 0.333333333333])


@pytest.mark.parametrize(
    "rows",
    [
        [{k: v for k, v in row().items() if k != "status"}],
        [row(), {k: v for k, v in row().items() if k != "status"}],
        pd.DataFrame([row()]).drop(columns="status"),
    ],
)
def test_a_row_that_lacks_a_column_is_refused(rows, tmp_path):
    path = tmp_path / "table.tsv"
    with pytest.raises(UserError, match=f"^{path}: .*differ in status$"):
        tables.write(rows, COLUMNS, path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [[row(), row(extra=1)], pd.DataFrame([row(extra=1)])], ids=["rows", "table"])
def test_a_row_with_one_too_many_is_refused(rows, tmp_path):
    with pytest.raises(UserError, match="differ in extra$"):
        tables.write(rows, COLUMNS, tmp_path / "table.tsv")


def test_writing_leaves_the_given_table_as_it_is(tmp_path):
    given = pd.DataFrame([row(), row(seed=4)])
    before = given.copy(deep=True)
    tables.write(given, COLUMNS, tmp_path / "table.tsv")
    pd.testing.assert_frame_equal(given, before)


def test_a_table_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no such table; run the study that makes it"):
        tables.read(tmp_path / "table.tsv")


def test_the_checksum_of_several_files_depends_on_names_and_content_but_not_on_order():
    one = tables.combined_sha256({"a": "0" * 64, "b": "1" * 64})
    assert one == tables.combined_sha256({"b": "1" * 64, "a": "0" * 64})
    others = [{"a": "1" * 64, "b": "0" * 64}, {"a": "0" * 64}, {}, {"c": "0" * 64, "b": "1" * 64}]
    assert len({one, *map(tables.combined_sha256, others)}) == 5
    assert len(one) == 64


def test_conditions_spread_over_columns():
    table = pd.DataFrame({"condition": ["k=10;fold=a=b", "", "k=5"], "value": [1, 2, 3]}, index=[5, 6, 7])
    found = tables.conditions(table)
    assert list(found.columns) == ["condition", "value", "k", "fold"]
    assert found["k"].tolist()[::2] == ["10", "5"]
    assert found["fold"][5] == "a=b"
    assert found.loc[6, ["k", "fold"]].isna().all()
    assert found["value"].tolist() == [1, 2, 3]


def test_the_digest_of_data_knows_the_options_and_that_of_code_all_steps():
    recording = xr.DataArray([1.0], attrs={"sha256": {"file": "0" * 64}})

    def data(options):
        return tables.combined_sha256(tables.declared(recording, options, "1" * 64).attrs["sha256"])

    assert data({"seed": 0}) == data({"seed": 0}) != data({"seed": 1})
    assert recording.attrs["sha256"] == {"file": "0" * 64}
    ingested = tables.declared(recording, {}, "1" * 64)
    grams = xr.Dataset(attrs={"code_sha256": "2" * 64, "preprocessing": "{}", "batch": 4, "network": "pixels"})
    whole = tables.code_sha256("3" * 64, ingested, grams)
    assert whole == tables.code_sha256("3" * 64, ingested, grams.assign_attrs(network="other"))
    others = [
        tables.code_sha256("4" * 64, ingested, grams),
        tables.code_sha256("3" * 64, tables.declared(recording, {}, "5" * 64), grams),
        tables.code_sha256("3" * 64, ingested, grams.assign_attrs(batch=8)),
        tables.code_sha256("3" * 64, ingested, grams.assign_attrs(preprocessing='{"size": 64}')),
    ]
    assert len({whole, *others}) == 5
