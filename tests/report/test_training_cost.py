"""The table of a profile's trainings, against numbers worked out by hand."""

import pytest

from riqa.report.training_cost import cost_table, time_table

MEASURED = {
    "gflop_per_image": 10.0,
    "images_per_second": 5.0,
    "trainings": [
        {"chapter": "02_train_teacher", "set": "small", "models": 2, "images": 500, "epochs": 100},
        {"chapter": "04_train_single_task", "set": "large", "models": 1, "images": 12_000, "epochs": 100},
    ],
}


def test_operations_are_models_times_images_times_epochs_times_those_of_one_image():
    table = cost_table(MEASURED)
    assert table["passes, millions"].tolist() == ["0.10", "1.20", "1.30"]
    assert table["PFLOP"].tolist() == ["1.0", "12.0", "13.0"]
    assert table["chapter"].tolist() == ["02 Teacher", "04 single-task", "all"]
    assert table["models"].tolist() == ["2", "1", "3"]


def test_the_measured_time_is_that_of_the_measured_rate():
    table = time_table(MEASURED)
    assert table["time"][0] == "3 days"  # 1.3 million images at 5 a second: 72.2 hours
    assert float(table["TFLOP/s"][0]) == pytest.approx(0.05)
    assert table["time"][1] == "0.7 hours"  # 13 PFLOP at 5 TFLOP/s: 2,600 seconds
