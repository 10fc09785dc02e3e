"""Profile `paper`, from the four archives to the last chapter, on a miniature of them with all their traps.

Whoever has the archives and a graphics card changes DATA and nothing else; here only what costs time is made
smaller: image size, epochs, seeds, candidates of a grid, one of the backbones that are compared (a ResNet-50),
and the start from weights that would be downloaded.
Only Part I is built: real photographs are in its laboratories as they are in those of profile `open`. Chapter
12b is left out, which reads neither data nor profile, and is built for the smoke book.
"""

import pandas as pd
import pytest

from riqa import results
from riqa.labels import DETAILS
from riqa.learn.model import load_model
from riqa.learn.runs import model_stem
from riqa.publish.chapters import read_chapters
from tests.book.builds import SMALLER, Small, build_small
from tests.data.archives import (
    CUT_SHORT,
    DEEPDRID_PATIENTS,
    EYEQ_D,
    EYEQ_TEST,
    EYEQ_TRAIN,
    MSHF_GROUPS,
    NOT_THERE,
    WHITE,
)
from tests.data.layouts import DEEPDRID_MISNAMED, EYEQ_RAW
from tests.publish.toy import REPOSITORY

pytestmark = pytest.mark.book

GRID = [0.3]  # beside lambda_details = 1
SMALLER_CHAPTERS = {
    "04_train_single_task": {"backbones_compared": ["resnet18", "swin_t"]},
    "05_train_multi_task": {"lambda_details_grid": GRID},
}
BUILT = [name for name in read_chapters(REPOSITORY, "1") if name != "12b_audit_the_print"]


@pytest.fixture(scope="module")
def paper(tmp_path_factory) -> Small:
    """Run the chapters of profile paper."""
    archives, shorter = ("eyeq", "mshf", "deepdrid"), {"epochs": 2, "halve_at": [1]}
    return build_small(tmp_path_factory.mktemp("paper"), "paper", archives, shorter, SMALLER_CHAPTERS, BUILT)


def test_every_chapter_runs_to_its_end_and_readers_are_those_of_mshf(paper):
    for name in BUILT:
        assert paper.build.executed(name).is_file()
        assert len(paper.results(name)), name
    observed = paper.results("08_analyse_observers")
    assert set(observed["dataset"]) == {"mshf"}
    assert "planted" not in set(observed["method"])


def test_eyeq_reversed_codes_are_turned_and_what_is_missing_or_broken_is_left_out(paper):
    store = paper.store("eyeq")
    labels = pd.concat(
        pd.read_csv(paper.data / "eyeq" / f"Label_EyeQ_{part}.csv").assign(part=part)
        for part in ("train", "test")
    )
    raw = labels.set_index(labels["image"].str.removesuffix(".jpeg"))["quality"]
    manifest = store.manifest.set_index("image_id")
    assert (manifest["overall"] == 2 - raw.reindex(manifest.index)).all()
    assert raw[manifest.index[manifest["overall"] == 2]].eq(EYEQ_RAW["good"]).all()
    assert set(raw.index) - set(manifest.index) == {NOT_THERE, CUT_SHORT}
    assert len(manifest) == EYEQ_TRAIN + EYEQ_TEST - 2
    aside = pd.read_csv(store.root / "set_aside.csv")
    assert aside["image_id"].tolist() == [CUT_SHORT]
    training = manifest[manifest["split"] != "test"]
    assert training.groupby("patient_id")["split"].nunique().eq(1).all()
    assert set(training["split"]) == {"train", "val"}


def test_eyeq_d_stands_on_photographs_of_eyeqs_test_set(paper):
    manifest, eyeq = paper.store("eyeq_d").manifest, paper.store("eyeq").manifest.set_index("image_id")
    assert len(manifest) == EYEQ_D
    assert set(eyeq.loc[manifest["image_id"], "split"]) == {"test"}
    assert (eyeq.loc[manifest["image_id"], "overall"].to_numpy() == manifest["overall"].to_numpy()).all()
    assert manifest[list(DETAILS)].notna().all(axis=None)
    assert paper.store("eyeq_d").ratings is None  # never released


def test_mshf_zero_sheet_is_no_label_and_mosaics_are_out(paper):
    store = paper.store("mshf")
    manifest = store.manifest
    sizes = {name: n for name, n in MSHF_GROUPS.items() if name != "UWF-mosaic"}
    assert manifest["source"].value_counts().to_dict() == sizes
    ratings = store.ratings[store.ratings["item"].isin(DETAILS)]
    votes = ratings.groupby(["image_id", "item"])["score"].mean().unstack()[list(DETAILS)]
    of_group = manifest[manifest["source"] == "DR-ZJU"].set_index("image_id")[list(DETAILS)]
    assert of_group.eq(1).any().all()  # the sheet says 0 of all
    assert of_group.eq((votes.loc[of_group.index] > 0.5).astype(float)).all(axis=None)
    official = {path.stem for path in (paper.data / "mshf").rglob("AI-use/test/*")}
    in_test = set(manifest.loc[manifest["split"] == "test", "image_id"])
    assert in_test == {stem for stem in official if not stem.startswith("UWF")}
    assert {"DR-XJU-2", "DR-XJU-3"} <= set(manifest["image_id"])  # .png in one folder, .jpg in the other


def test_deepdrid_paths_views_and_white_surrounds(paper):
    store = paper.store("deepdrid")
    manifest = store.manifest
    n_patients = sum(map(len, DEEPDRID_PATIENTS.values()))
    assert len(manifest) == 4 * n_patients
    assert not manifest["path"].str.contains("\\", regex=False).any()
    splits = {split: sorted(map(str, ids)) for split, ids in DEEPDRID_PATIENTS.items()}
    found = manifest.groupby("split")["patient_id"].unique()
    assert {split: sorted(ids) for split, ids in found.items()} == splits
    assert set(manifest.loc[manifest["patient_id"] == "77", "view"]) == {"3", "4"}
    misnamed = manifest[manifest["patient_id"].isin(map(str, DEEPDRID_MISNAMED))]
    assert set(misnamed["image_id"]) == {
        f"{patient}_{view}"
        for patient, eyes in DEEPDRID_MISNAMED.items()
        for eye in eyes.values()
        for view in eye
    }
    assert manifest[list(DETAILS)].isna().all(axis=None)  # illumination and contrast have no label here
    white = manifest["patient_id"].isin(WHITE).to_numpy()
    corners = store.images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners[white].max() == 0  # the surround is cut off and blackened, not taken for retina
    fields = pd.read_parquet(store.root / "fields.parquet")
    assert fields.loc[white, "score"].min() > 0.65


def test_each_set_has_its_own_classes_from_training_to_results(paper):
    predictions = pd.read_parquet(paper.build.work / "05_train_multi_task" / "predictions.parquet")
    for name, n_classes in (("eyeq", 3), ("deepdrid", 2)):
        rows = predictions[(predictions["dataset"] == name) & (predictions["trained_on"] == name)]
        probs = rows[[f"p_overall_{k}" for k in range(3)]]
        assert probs.notna().all().sum() == n_classes
        assert set(rows["model"]) == {"multi_task", "single_task_control"}
    compared = paper.results("06_compare_overall_quality")
    keys = {"model": "multi_task", "metric": "f1"}
    assert results.find(compared, dataset="eyeq", group="usable", **keys)["n"] == EYEQ_TEST - 1
    assert results.find(compared, dataset="deepdrid", group="bad", **keys)["n"] > 0


def test_the_weight_was_chosen_for_each_set_and_is_the_students(paper):
    found = paper.results("05_train_multi_task")
    trials = pd.read_parquet(paper.build.work / "05_train_multi_task" / "trials.parquet")
    assert set(trials["lambda_details"]) == {*GRID, 1.0}
    assert set(trials["seed"]) == {0}
    models = paper.build.work / "05_train_multi_task" / "models"
    for name in ("eyeq", "deepdrid"):
        keys = {"dataset": name, "model": "multi_task"}
        chosen = results.find(found, metric="lambda_details", method="chosen", **keys)["value"]
        scores = {
            weight: results.find(found, metric="macro_f1", group=f"validation, lambda {weight:g}", **keys)[
                "value"
            ]
            for weight in (0.3, 1.0)
        }
        assert scores[chosen] == max(scores.values())
        for seed in SMALLER["seeds"]:
            _, description = load_model(model_stem(models, "multi_task", name, seed))
            assert description["training"]["lambda_details"] == chosen
            assert description["architecture"]["backbone"] == "resnet18"
            assert description["training"]["augmentation"]["max_transforms"] == 7
    kinds = [{path.name.partition(".")[2] for path in models.glob(f"*-s{s}.*")} for s in SMALLER["seeds"]]
    assert kinds[0] == kinds[1] >= {"safetensors", "json"}  # a student taken over from a trial lacks nothing
    of_students = [list(models.glob(f"multi_task-*-s{s}.*")) for s in SMALLER["seeds"]]
    assert len(of_students[0]) == len(of_students[1]) == 2 * len(kinds[0])
    assert not (paper.build.work / "05_train_multi_task" / "trials").exists()
