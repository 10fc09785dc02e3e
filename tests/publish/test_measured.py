import json

import pytest

from riqa.errors import InputError
from riqa.publish.measured import fill_in, read_measured, table

ROW = {
    "what": "an epoch",
    "peer_name": "files",
    "ours": 20.34,
    "peer": 1234.5,
    "unit": "images/s",
    "ratio": {"median": 0.951, "low": 0.9, "high": 1.0},
    "target": 0.85,
    "met": True,
}
RESULT = {
    "name": "toy",
    "date": "2026-01-02",
    "hardware": {"processor": "Abacus", "cores": 2, "memory_gb": 8},
    "versions": {"riqa": "0.1.0", "torch": "2.0"},
    "conditions": "One thread",
    "rows": [ROW, ROW | {"peer_name": "bare", "met": False, "target": 3}],
}


@pytest.fixture
def toy(tmp_path):
    path = tmp_path / "toy.json"
    path.write_text(json.dumps(RESULT))
    return path


def test_a_table_has_a_row_a_comparison_with_its_verdict(toy):
    lines = table(read_measured(toy)).splitlines()
    assert lines[2] == (
        "| an epoch, images/s | files | 20.3 | 1,234 | 0.95 | 0.90 to 1.00 | at least 0.85 | met |"
    )
    assert lines[3].startswith("| an epoch, images/s | bare |")
    assert lines[3].endswith("| at least 3 | **missed** |")
    assert {line.count("|") for line in lines[:4]} == {9}


def test_machine_versions_and_date_stand_below_a_table(toy):
    told = table(read_measured(toy)).splitlines()[-3:]
    assert told == [
        "```{div} riqa-provenance",
        "One thread. Measured on 2026-01-02 on Abacus, 2 cores, 8 GB; riqa 0.1.0, torch 2.0.",
        "```",
    ]


def test_a_page_gets_its_tables_where_it_asks_for_them(toy):
    page = "# Cost\n\n<!-- measured: toy -->\n\nText.\n<!-- a remark -->\n"
    filled = fill_in(page, toy.parent)
    assert filled == page.replace("<!-- measured: toy -->", table(read_measured(toy)))
    assert fill_in("No place.", toy.parent) == "No place."


def test_a_result_that_is_a_table_is_shown_as_it_is_but_may_break_long_names(toy):
    told = {key: value for key, value in RESULT.items() if key != "rows"}
    toy.write_text(
        json.dumps(told | {"columns": ["set", "PFLOP"], "cells": [["small_one", "1.0"], ["all", "13"]]})
    )
    lines = table(read_measured(toy)).splitlines()
    assert lines[:5] == ["| set | PFLOP |", "| --- | --- |", "| small_<wbr>one | 1.0 |", "| all | 13 |", ""]
    assert lines[6].startswith("One thread. Measured on 2026-01-02")


def message(path):
    with pytest.raises(InputError) as refused:
        fill_in(f"<!-- measured: {path.stem} -->", path.parent)
    return str(refused.value)


def test_a_malformed_file_is_named_in_one_line(toy):
    without = {key: value for key, value in RESULT.items() if key != "hardware"}
    bad_row = RESULT | {"rows": [ROW | {"ratio": {"median": "much", "low": 1, "high": 2}}]}
    for content, said in (
        (json.dumps(RESULT)[:-40], "JSON"),
        ("[]", "toy.json"),
        (json.dumps(without), "hardware: "),
        (json.dumps(bad_row), "rows.0.ratio.median: "),
    ):
        toy.write_text(content)
        assert message(toy).startswith(f"{toy} is no result of a benchmark (")
        assert said in message(toy)
        assert "\n" not in message(toy)
    told = {key: value for key, value in RESULT.items() if key != "rows"}
    toy.write_text(json.dumps(told | {"columns": ["a", "b"], "cells": [["1", "2"], ["3"]]}))
    assert "row 1 has 1 cells for 2 columns" in message(toy)
    toy.unlink()
    assert message(toy).startswith(f"{toy} is missing; run make bench")
