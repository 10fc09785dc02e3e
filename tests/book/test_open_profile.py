"""Profile `open`, from the archives that need no account to the last chapter, on a miniature of them."""

import json

import pandas as pd
import pytest

from riqa.labels import DETAILS
from riqa.results import find
from tests.book.small import Small, build_small
from tests.data.archives import DEEPDRID_PATIENTS, FIVES_IMAGES, SHARED

pytestmark = pytest.mark.book

EPOCHS = {"02_train_teacher": 6, "04_train_single_task": 3, "05_train_multi_task": 3}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Small:
    """Run every chapter of profile open."""

    def change(profile):
        profile["parameters"]["backbone"] = "resnet10"
        for chapter, epochs in EPOCHS.items():
            profile["chapters"][chapter]["epochs"] = epochs

    return build_small(tmp_path_factory.mktemp("open"), "open", ("mshf", "deepdrid", "fives"), change)


def shown(small, chapter) -> str:
    """Return all that a chapter's cells have put out, as text."""
    cells = json.loads(small.build.executed(chapter).read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return json.dumps([output.get("data", output.get("text")) for output in outputs], ensure_ascii=False)


def test_every_chapter_runs_to_its_end_and_readers_are_those_of_mshf(small):
    small.assert_whole()


def test_all_photographs_are_real(small):
    stores = small.build.work / "01_curate_images" / "stores"
    assert {path.name for path in stores.iterdir()} == {"mshf", "deepdrid", "fives"}
    assert not list((small.build.work / "01_curate_images").glob("photographs/*"))


def test_fives_is_read_by_its_two_sheets(small):
    manifest = small.store("fives").manifest.set_index("image_id")
    (path,) = (small.data / "fives").rglob("Quality Assessment.xlsx")
    for split, sheet in (("train", "Train"), ("test", "Test")):
        rows = pd.read_excel(path, sheet_name=sheet)
        names = [f"{split}_{row.Number}_{row.Disease}" for row in rows.itertuples()]
        assert len(names) == len(FIVES_IMAGES[split])
        assert (manifest.loc[names, list(DETAILS)].to_numpy() == rows[["IC", "Blur", "LC"]].to_numpy()).all()
        assert set(manifest.loc[names, "split"]) == ({"test"} if split == "test" else {"train", "val"})
    assert manifest["overall"].isna().all()


def test_the_photograph_in_both_details_sets_is_found(small):
    found = shown(small, "01_curate_images")
    assert "1 pairs of images, one of mshf and one of fives, are copies of each other" in found
    assert {f"test_{SHARED[1]}"} < set(small.store("fives").manifest["image_id"])


def test_the_teacher_is_judged_where_it_learned_and_elsewhere(small):
    found = small.results("03_generate_pseudo_labels")
    compared = small.results("07_examine_quality_details")
    for name in ("mshf", "fives"):
        n_test = (small.store(name).manifest["split"] == "test").sum()
        for detail in DETAILS:
            keys = {"dataset": name, "model": "teacher", "target": detail}
            assert find(found, metric="auc", **keys)["n"] == n_test
            assert find(compared, metric="f1", group="good", **keys)["n"] > 0


def test_the_papers_scores_on_deepdrid_stand_beside_ours_by_image_and_by_eye(small):
    found = small.results("06_compare_overall_quality")
    keys = {"dataset": "deepdrid", "model": "multi_task", "metric": "f1"}
    assert find(found, group="bad", **keys)["n"] == 4 * len(DEEPDRID_PATIENTS["test"])
    by_eye = small.results("06b_question_the_comparison")
    assert find(by_eye, group="bad, by eye", **keys)["n"] == 2 * len(DEEPDRID_PATIENTS["test"])
    beside = shown(small, "06_compare_overall_quality")
    for printed in ("0.763", "0.778"):  # Table 2: F1 of ST-DeepDRiD and MT-DeepDRiD
        assert printed in beside
