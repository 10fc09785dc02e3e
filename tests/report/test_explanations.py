"""Which images are examined, and the measures of each, on a small curated phantom set."""

import numpy as np
import pandas as pd
import pytest
import torch

from riqa.data.curate import curate
from riqa.evaluate.explain import grad_cam
from riqa.learn.model import QualityNet
from riqa.phantom.masks import has_place
from riqa.phantom.study import phantom_grades
from riqa.report.explanations import (
    draw_located,
    draw_test_images,
    faithfulness_rows,
    localisation_rows,
    predicted_classes,
    repair_rows,
)

EVERY = ("illumination", "clarity", "contrast", "artifact")
SHARES = np.linspace(0, 1, 4)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("explanations") / "photographs"


@pytest.fixture(scope="module")
def store(root):
    dataset = phantom_grades(root, n_train=6, n_test=30, size=96)
    return curate(dataset, root.with_name("store"), 32)


@pytest.fixture(scope="module")
def located(root, store):
    return draw_located(store, root, EVERY, 4, 0.5, seed=0)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return QualityNet("resnet10", n_overall=3, n_details=3, image_size=32).eval()


def test_test_images_are_drawn_by_the_seed(store):
    drawn, again, other = (draw_test_images(store, 5, seed) for seed in (0, 0, 1))
    assert drawn.ids.equals(again.ids)
    assert not drawn.ids.equals(other.ids)
    chosen = store.manifest.set_index("image_id").loc[drawn.ids["image_id"]]
    assert (chosen["split"] == "test").all()
    row = store.manifest["image_id"].tolist().index(drawn.ids["image_id"][0])
    np.testing.assert_allclose(drawn.images[0].permute(1, 2, 0), store.images[row] / 255, atol=1e-6)
    assert len(draw_test_images(store, 1000, 0)) == (store.manifest["split"] == "test").sum()


def test_located_images_follow_the_rule(root, store, located):
    truth = pd.read_parquet(root / "truth.parquet").set_index("image_id")
    assert 1 <= len(located.subjects) <= 4
    ids = located.subjects.ids["image_id"]
    assert has_place(truth.loc[ids], EVERY).all()
    for places, field in zip(located.places, located.subjects.fields, strict=True):
        assert all(region.sum() <= 0.5 * field.sum() for name, region in places.items() if name != "any")
    everyone = draw_located(store, root, EVERY, 1000, 1.0, seed=0)
    assert everyone.n_spread == 0
    candidates = truth.index[has_place(truth, EVERY)]
    tested = store.manifest.loc[store.manifest["split"] == "test", "image_id"]
    assert set(everyone.subjects.ids["image_id"]) == set(candidates) & set(tested)
    strict = draw_located(store, root, EVERY, 1000, 0.1, seed=0)
    assert strict.n_spread + len(strict.subjects) == len(everyone.subjects)
    assert strict.n_spread > 0


def test_no_photograph_has_a_place_for_bad_contrast(root, store):
    nobody = draw_located(store, root, ("contrast",), 4, 0.5, seed=0)
    assert len(nobody.subjects) == 0
    assert nobody.subjects.images.shape == (0, 3, 32, 32)


def test_a_map_of_the_places_themselves_is_perfect(located):
    maps = np.stack([places["any"] for places in located.places]).astype(np.float32)
    rows = localisation_rows(maps, located)
    assert len(rows) == sum(len(places) for places in located.places)
    together = rows[rows["defect"] == "any"]
    assert together["image_id"].tolist() == located.subjects.ids["image_id"].tolist()
    assert (together[["pointing", "energy", "iou_0.5"]] == 1).all(axis=None)
    np.testing.assert_allclose(rows["energy_gain"], rows["energy"] - rows["share"])
    np.testing.assert_allclose(rows["pointing_gain"], rows["pointing"] - rows["share"])


def test_measures_of_faithfulness_hang_together(store, model):
    subjects = draw_test_images(store, 5, 0)
    torch.manual_seed(1)
    twin = QualityNet("resnet10", n_overall=3, n_details=3, image_size=32).eval()
    rows, curves = faithfulness_rows(model, subjects, SHARES, 4, 0, twin)
    assert len(rows) == 5
    assert len(curves) == 5 * 3 * len(SHARES)
    known = rows[rows["empty"] == 0]
    np.testing.assert_allclose(known["deletion_gain"], known["noise"] - known["deletion"])
    np.testing.assert_allclose(known["insertion_gain"], known["insertion"] - known["noise"])
    assert rows.loc[rows["empty"] == 1, ["deletion", "insertion", "outside"]].isna().all(axis=None)
    with torch.inference_mode():
        best = torch.softmax(model(subjects.images)["overall"], dim=1).amax(dim=1).numpy()
    start = curves[(curves["curve"] == "deletion") & (curves["share"] == 0)]
    np.testing.assert_allclose(start["p"], best, atol=1e-6)
    end = curves[(curves["curve"] == "insertion") & (curves["share"] == 1)]
    np.testing.assert_allclose(end["p"], best, atol=1e-6)
    alone, _ = faithfulness_rows(model, subjects, SHARES, 4, 0)
    assert alone["other_seed"].isna().all()
    itself, _ = faithfulness_rows(model, subjects, SHARES, 4, 0, model)
    np.testing.assert_allclose(itself["other_seed"].dropna(), 1)
    assert itself["other_seed"].notna().any()


def test_repair_ends_at_the_clean_photograph(model, located):
    maps = grad_cam(model, located.subjects.images, task="overall", target=0)
    rows, curves = repair_rows(model, maps, located, SHARES, 4, 0)
    clean = torch.from_numpy(np.stack([case.clean for case in located.cases])).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        before, after = (
            torch.softmax(model(x)["overall"], 1)[:, 0] for x in (located.subjects.images, clean)
        )
    for name in ("map", "truth", "noise"):
        curve = curves[curves["curve"] == name]
        np.testing.assert_allclose(curve.loc[curve["share"] == 0, "p"], before, atol=1e-6)
        np.testing.assert_allclose(curve.loc[curve["share"] == 1, "p"], after, atol=1e-6)
    np.testing.assert_allclose(rows["repair_best"], rows["noise"] - rows["truth"])
    fewer, _ = repair_rows(model, maps[:1], located, SHARES, 4, 0)
    np.testing.assert_allclose(fewer["truth"], rows["truth"][:1], atol=1e-6)


def test_predicted_classes_are_the_most_probable(store, model):
    images = draw_test_images(store, 6, 0).images
    with torch.no_grad():
        assert predicted_classes(model, images).tolist() == model(images)["overall"].argmax(1).tolist()
