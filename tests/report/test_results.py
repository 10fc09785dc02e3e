import json

import numpy as np
import pytest

from riqa.errors import InputError
from riqa.report.results import read_results, record, write_results


def test_written_records_are_read_back_in_order(tmp_path):
    records = [
        record(
            "overall.eyeq.multi_task.macro_f1", 0.81, low=0.79, high=0.83, n=600, seeds=[0, 1], method="x"
        ),
        record("a.b", 1),
    ]
    path = write_results(tmp_path / "deep" / "results.json", records)
    assert list(read_results(path).values()) == records
    assert list(read_results(path)) == ["overall.eyeq.multi_task.macro_f1", "a.b"]
    assert json.loads(path.read_text())[0] == {
        "name": "overall.eyeq.multi_task.macro_f1",
        "value": 0.81,
        "low": 0.79,
        "high": 0.83,
        "n": 600,
        "seeds": [0, 1],
        "method": "x",
    }
    assert [found.name for found in path.parent.iterdir()] == ["results.json"]


def test_numpy_numbers_become_plain_and_nan_becomes_null(tmp_path):
    found = record("x", np.float32(0.5), low=np.nan, n=np.int64(3), seeds=np.array([2, 1]))
    path = write_results(tmp_path / "results.json", [found])
    assert json.loads(path.read_text())[0] == {
        "name": "x",
        "value": 0.5,
        "low": None,
        "high": None,
        "n": 3,
        "seeds": [2, 1],
        "method": "",
    }


@pytest.mark.parametrize("name", ["", "two words", "line\nbreak"])
def test_a_bad_name_is_refused(name):
    with pytest.raises(ValueError, match="white space"):
        record(name, 1.0)


def test_infinity_and_doubles_are_refused_and_leave_no_file(tmp_path):
    with pytest.raises(ValueError, match="finite"):
        record("x", float("inf"))
    with pytest.raises(ValueError, match="same name: x"):
        write_results(tmp_path / "results.json", [record("x", 1), record("x", 2)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ['[{"name": "x"', '[{"name": "x"}]', '{"name": "x"}', "[1]"])
def test_a_spoilt_file_is_named(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"results\.json.*make book") as error:
        read_results(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.json: no results file"):
        read_results(tmp_path / "nowhere.json")
