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
COMMON = {
    "name": "toy",
    "date": "2026-01-02",
    "hardware": {"processor": "Abacus", "cores": 2, "memory_gb": 8},
    "versions": {"riqa": "0.1.0", "torch": "2.0"},
    "conditions": "One thread",
}
RESULT = COMMON | {"rows": [ROW, ROW | {"peer_name": "bare", "met": False, "target": 3}]}
TABULATED = COMMON | {"columns": ["set", "PFLOP"], "cells": [["small_one", "1.0"], ["all", "13"]]}
ORIGIN = "One thread. Measured on 2026-01-02 on Abacus, 2 cores, 8 GB; riqa 0.1.0, torch 2.0."


@pytest.fixture
def toy(tmp_path):
    path = tmp_path / "toy.json"
    path.write_text(json.dumps(RESULT))
    return path


def test_a_table_has_a_row_a_comparison_with_its_verdict_and_its_origin_below(toy):
    lines = table(read_measured(toy)).splitlines()
    assert lines[2] == (
        "| an epoch, images/s | files | 20.3 | 1,234 | 0.95 | 0.90 to 1.00 | at least 0.85 | met |"
    )
    assert lines[3].startswith("| an epoch, images/s | bare |")
    assert lines[3].endswith("| at least 3 | **missed** |")
    assert {line.count("|") for line in lines[:4]} == {9}
    assert lines[4:] == ["", "```{div} riqa-provenance", ORIGIN, "```"]


def test_a_result_that_is_a_table_is_shown_as_it_is_but_may_break_long_names(toy):
    toy.write_text(json.dumps(TABULATED))
    lines = table(read_measured(toy)).splitlines()
    assert lines[:5] == ["| set | PFLOP |", "| --- | --- |", "| small_<wbr>one | 1.0 |", "| all | 13 |", ""]
    assert lines[6] == ORIGIN


def test_a_page_gets_its_tables_where_it_asks_for_them(toy):
    page = "# Cost\n\n<!-- measured: toy -->\n\nText.\n<!-- a remark -->\n"
    filled = fill_in(page, toy.parent)
    assert filled == page.replace("<!-- measured: toy -->", table(read_measured(toy)))
    assert fill_in("No place.", toy.parent) == "No place."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(RESULT)[:-40], "JSON"),
        ("[]", "toy.json"),
        (json.dumps({key: value for key, value in RESULT.items() if key != "hardware"}), "hardware: "),
        (
            json.dumps(RESULT | {"rows": [ROW | {"ratio": {"median": "much", "low": 1, "high": 2}}]}),
            "rows.0.ratio.median: ",
        ),
        (json.dumps(TABULATED | {"cells": [["1", "2"], ["3"]]}), "row 1 has 1 cells for 2 columns"),
        (None, "toy.json is missing; run make bench"),
    ],
)
def test_a_malformed_or_missing_file_is_named_in_one_line(toy, content, said):
    toy.unlink() if content is None else toy.write_text(content)
    with pytest.raises(InputError) as refused:
        fill_in("<!-- measured: toy -->", toy.parent)
    message = str(refused.value)
    assert message.startswith(f"{toy} is {'missing' if content is None else 'no result of a benchmark ('}")
    assert said in message
    assert "\n" not in message
