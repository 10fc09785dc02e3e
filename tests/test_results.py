import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from riqa import results
from riqa.errors import InputError
from riqa.evaluate.interval import Interval


def some_rows():
    numbers = {("macro_f1", "all"): Interval(0.8, 0.7, 0.9), ("f1", "good"): 0.75}
    return results.rows(numbers, dataset="my set", model="multi_task", n=40, seeds=[np.int64(1)])


def test_rows_are_complete_and_typed():
    table = some_rows()
    assert list(table) == results.KEYS + results.VALUES
    assert table.loc[0, ["value", "low", "high"]].tolist() == [0.8, 0.7, 0.9]
    assert np.isnan(table.loc[1, "low"])
    assert table["seeds"].tolist() == [(1,), (1,)]
    assert table["rival"].eq("").all()
    assert table["method"].eq("bootstrap").all()


def test_a_column_that_is_none_of_results_is_refused():
    with pytest.raises(TypeError, match="not a column of results: modell"):
        results.rows({("f1", "all"): 1.0}, modell="multi_task")


def test_a_table_comes_back_as_it_was_written(tmp_path):
    written = results.write(tmp_path, [some_rows()], chapter="06_x")
    pd.testing.assert_frame_equal(results.read(tmp_path), written)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(results.FILES)


def test_records_for_readers_outside_are_named_by_their_query(tmp_path):
    table = results.write(tmp_path, [some_rows()], chapter="06_x")
    records = json.loads((tmp_path / "results.json").read_text())
    assert [r["name"] for r in records] == [
        "dataset='my set' model=multi_task metric=macro_f1", "dataset='my set' model=multi_task metric=f1 group=good",
    ]  # fmt: skip
    assert (records[1]["low"], records[0]["n"], records[0]["seeds"]) == (None, 40, [1])
    assert "patients and seeds" in records[0]["method"]
    assert results.address(table.iloc[0]) == records[0]["name"]


def test_two_rows_with_the_same_keys_are_refused(tmp_path):
    with pytest.raises(ValueError, match="the same keys: dataset='my set' model=multi_task metric=macro_f1"):
        results.write(tmp_path, [some_rows(), some_rows()], chapter="06_x")
    assert not list(Path(tmp_path).iterdir())


@pytest.mark.parametrize("wrong", [{"value": np.inf}, {"method": "guessed"}])
def test_infinite_numbers_and_unknown_methods_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"finite|guessed"):
        results.write(tmp_path, [some_rows().assign(**wrong)], chapter="06_x")


def test_one_row_is_found_and_no_other():
    table = some_rows()
    own = {"dataset": "my set", "model": "multi_task"}
    assert results.find(table, **own, metric="f1", group="good")["value"] == 0.75
    with pytest.raises(KeyError, match="0 rows"):
        results.find(table, **own, metric="f1")
    with pytest.raises(KeyError, match="2 rows"):
        results.find(pd.concat([table, table]), **own, metric="macro_f1")


def test_no_table_at_all_has_all_columns():
    empty = results.stack([])
    assert empty.empty
    assert list(empty) == results.KEYS + results.VALUES


def test_what_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(InputError, match=r"no table of results .*make book"):
        results.read(tmp_path)
    (tmp_path / "results.parquet").write_text("torn")
    with pytest.raises(InputError, match="no table of results"):
        results.read(tmp_path)
