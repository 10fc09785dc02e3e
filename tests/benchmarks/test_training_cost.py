"""Which trainings the cost of profile paper counts, against the numbers in the paper and in the profile."""

import pytest

from benchmarks.training_cost import cost_table, time_table, trainings
from tests.publish.toy import REPOSITORY


def test_every_training_of_the_paper_profile_is_counted_once():
    rows = {(row["chapter"], row["set"]): row for row in trainings(REPOSITORY, "paper")}
    assert {row["epochs"] for row in rows.values()} == {115}
    images = {name: row["images"] for (_, name), row in rows.items()}
    assert images == {"mshf": 642 - 65, "eyeq": 12_543 - 1_254, "deepdrid": 1_200}
    both = 5 + 5 + 3  # students, controls, and one seed with three more weights
    assert {key: row["models"] for key, row in rows.items()} == {
        ("02_train_teacher", "mshf"): 5,
        ("04_train_single_task", "eyeq"): 5,
        ("04_train_single_task", "deepdrid"): 5,
        ("04_backbones", "eyeq"): 2,  # resnet50 and swin_t; resnet18 is there already
        ("05_train_multi_task", "eyeq"): both,
        ("05_train_multi_task", "deepdrid"): both,
    }


def test_operations_are_models_times_images_times_epochs_and_time_is_that_of_the_measured_rate():
    small = {"chapter": "02_train_teacher", "set": "small", "models": 2, "images": 500, "epochs": 100}
    large = {"chapter": "04_train_single_task", "set": "large", "models": 1, "images": 12_000, "epochs": 100}
    measured = {"gflop_per_image": 10.0, "images_per_second": 5.0, "trainings": [small, large]}
    table = cost_table(measured)
    assert table["passes, millions"].tolist() == ["0.10", "1.20", "1.30"]
    assert table["PFLOP"].tolist() == ["1.0", "12.0", "13.0"]
    assert table["chapter"].tolist() == ["02 Teacher", "04 single-task", "all"]
    assert table["models"].tolist() == ["2", "1", "3"]
    table = time_table(measured)
    assert table["time"][0] == "3 days"  # 1.3 million images at 5 a second: 72.2 hours
    assert float(table["TFLOP/s"][0]) == pytest.approx(0.05)
    assert table["time"][1] == "0.7 hours"  # 13 PFLOP at 5 TFLOP/s: 2,600 seconds
