"""Profile `open`, from the archives that need no account to a detailed comparison, on a miniature of them.

Chapters that find here what they find in profile `paper` are left out: the rest of Part I, where readers are
those of MSHF as well, and nobody has planted a defect. Laboratories are built here and not there.
"""

import json

import pandas as pd
import pytest

from riqa.labels import DETAILS
from riqa.publish.chapters import read_chapters
from riqa.results import find
from tests.book.builds import Small, build_small
from tests.data.archives import DEEPDRID_PATIENTS, FIVES_IMAGES, SHARED
from tests.publish.toy import REPOSITORY

pytestmark = pytest.mark.book

COMPARED = {"06b_question_the_comparison", "07_examine_quality_details"}
MAP = "10_map_latent_space"  # of FIVES, whose overall quality nobody has graded
TRAIN = ("02_train_teacher", "04_train_single_task", "05_train_multi_task")


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Small:
    """Run chapters of profile open, the laboratories among them, and those that they need."""
    known = read_chapters(REPOSITORY, real=True)
    built = [name for name in known if known[name].part > 1 or name in {*COMPARED, MAP}]
    chapters = {name: {"epochs": 2} for name in TRAIN}
    archives, folder = ("mshf", "deepdrid", "fives"), tmp_path_factory.mktemp("open")
    return build_small(folder, "open", archives, {"backbone": "resnet10"}, chapters, built)


def shown(small, chapter) -> str:
    """Return all that a chapter's cells have put out, as text."""
    cells = json.loads(small.build.executed(chapter).read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return json.dumps([output.get("data", output.get("text")) for output in outputs], ensure_ascii=False)


def test_all_photographs_are_real_and_what_nobody_has_graded_is_mapped_by_details(small):
    stores = small.build.work / "01_curate_images" / "stores"
    assert {path.name for path in stores.iterdir()} == {"mshf", "deepdrid", "fives"}
    assert not list((small.build.work / "01_curate_images").glob("photographs/*"))
    assert "Nobody has graded the overall quality of this set" in shown(small, MAP)


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
