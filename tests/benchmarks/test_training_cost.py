"""Which trainings the cost of profile paper counts, against the numbers in the paper and in the profile."""

from benchmarks.training_cost import trainings
from tests.publish.toy import REPOSITORY


def test_every_training_of_the_paper_profile_is_counted_once():
    rows = {(row["chapter"], row["set"]): row for row in trainings(REPOSITORY, "paper")}
    assert {row["epochs"] for row in rows.values()} == {115}
    images = {name: row["images"] for (_, name), row in rows.items()}
    assert images == {"mshf": 642 - 65, "eyeq": 12_543 - 1_254, "deepdrid": 1_200}
    assert {key: row["models"] for key, row in rows.items()} == {
        ("02_train_teacher", "mshf"): 5,
        ("04_train_single_task", "eyeq"): 5,
        ("04_train_single_task", "deepdrid"): 5,
        ("04_backbones", "eyeq"): 2,  # resnet50 and swin_t; resnet18 is there already
        ("05_train_multi_task", "eyeq"): 5
        + 5
        + 3,  # students, controls, and one seed with three more weights
        ("05_train_multi_task", "deepdrid"): 5 + 5 + 3,
    }
