"""The one table of results: complete rows, unique keys, the same after writing, and a name that finds them."""

import json

import numpy as np
import pandas as pd
import pytest

from riqa import results
from riqa.evaluate.interval import Interval
from tests.data.expect import refused

NUMBERS = {("macro_f1", "all"): Interval(0.8, 0.7, 0.9), ("f1", "good"): 0.75}
OWN = {"dataset": "my set", "model": "multi_task"}
ROWS = results.rows(NUMBERS, **OWN, n=40, seeds=[np.int64(1)])


def test_rows_are_complete_and_typed_and_other_columns_refused():
    assert list(ROWS) == list(results.stack([])) == results.KEYS + results.VALUES
    assert results.stack([]).empty
    assert ROWS.loc[0, ["value", "low", "high"]].tolist() == [0.8, 0.7, 0.9]
    assert np.isnan(ROWS.loc[1, "low"])
    assert ROWS["seeds"].tolist() == [(1,), (1,)]
    assert (set(ROWS["rival"]), set(ROWS["method"])) == ({""}, {"bootstrap"})
    with pytest.raises(TypeError, match="not a column of results: modell"):
        results.rows({("f1", "all"): 1.0}, modell="multi_task")


def test_a_table_comes_back_as_it_was_written_and_records_are_named_by_their_query(tmp_path):
    written = results.write(tmp_path, [ROWS], chapter="06_x")
    pd.testing.assert_frame_equal(results.read(tmp_path), written)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(results.FILES)
    first, second = json.loads((tmp_path / "results.json").read_text())
    assert (
        first["name"]
        == results.address(written.iloc[0])
        == "dataset='my set' model=multi_task metric=macro_f1"
    )
    assert second["name"] == "dataset='my set' model=multi_task metric=f1 group=good"
    assert (second["low"], first["n"], first["seeds"]) == (None, 40, [1])
    assert "patients and seeds" in first["method"]


@pytest.mark.parametrize(
    ("tables", "why"),
    [
        ([ROWS, ROWS], "the same keys: dataset='my set' model=multi_task metric=macro_f1"),
        ([ROWS.assign(value=np.inf)], "finite"),
        ([ROWS.assign(method="guessed")], "no method of results: guessed"),
    ],
)
def test_ambiguous_infinite_and_unexplained_numbers_are_refused(tmp_path, tables, why):
    with pytest.raises(ValueError, match=why):
        results.write(tmp_path, tables, chapter="06_x")
    assert not list(tmp_path.iterdir())


def test_one_row_is_found_and_no_other():
    assert results.find(ROWS, **OWN, metric="f1", group="good")["value"] == 0.75
    with pytest.raises(KeyError, match="0 rows"):
        results.find(ROWS, **OWN, metric="f1")
    with pytest.raises(KeyError, match="2 rows"):
        results.find(pd.concat([ROWS, ROWS]), **OWN, metric="macro_f1")


def test_what_cannot_be_read_is_one_line(tmp_path):
    for _ in range(2):
        with refused("no table of results ", "make book"):
            results.read(tmp_path)
        (tmp_path / "results.parquet").write_text("torn")
