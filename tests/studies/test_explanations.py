"""Measures of maps on a small curated phantom set, and their means and paired differences."""

import numpy as np
import pandas as pd
import pytest
import torch

from riqa.evaluate.explain import grad_cam
from riqa.learn.model import QualityNet
from riqa.studies.explanations import (
    differences,
    faithfulness,
    localise,
    means,
    predicted_classes,
    repair,
)
from riqa.studies.subjects import draw_subjects

SHARES = np.linspace(0, 1, 4)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return QualityNet("resnet10", n_overall=3, n_details=3, image_size=32).eval()


def test_a_map_of_the_places_themselves_is_perfect(located):
    maps = np.stack([places["all"] for places in located.places]).astype(np.float32)
    measured = localise(maps, located)
    assert len(measured) == sum(len(places) for places in located.places)
    together = measured[measured["group"] == "all"]
    assert together["image_id"].tolist() == located.ids["image_id"].tolist()
    assert (together[["pointing", "energy", "iou_0.5"]] == 1).all(axis=None)
    np.testing.assert_allclose(measured["energy_gain"], measured["energy"] - measured["chance"])
    np.testing.assert_allclose(measured["pointing_gain"], measured["pointing"] - measured["chance"])


def test_measures_of_faithfulness_hang_together(graded_store, model):
    subjects = draw_subjects(graded_store, 5, 0)
    torch.manual_seed(1)
    twin = QualityNet("resnet10", n_overall=3, n_details=3, image_size=32).eval()
    measured, curves = faithfulness(model, subjects, SHARES, 4, 0, twin)
    assert len(measured) == 5
    assert len(curves) == 5 * 3 * len(SHARES)
    known = measured[measured["empty"] == 0]
    np.testing.assert_allclose(known["deletion_gain"], known["noise"] - known["deletion"])
    np.testing.assert_allclose(known["insertion_gain"], known["insertion"] - known["noise"])
    assert measured.loc[measured["empty"] == 1, ["deletion", "insertion", "outside"]].isna().all(axis=None)
    with torch.inference_mode():
        best, classes = torch.softmax(model(subjects.images)["overall"], dim=1).max(dim=1)
    assert predicted_classes(model, subjects.images).tolist() == classes.tolist()
    for order, share in (("deletion", 0), ("insertion", 1)):
        end = curves[(curves["order"] == order) & (curves["share"] == share)]
        np.testing.assert_allclose(end["p"], best, atol=1e-6)
    alone, _ = faithfulness(model, subjects, SHARES, 4, 0)
    assert alone["other_seed"].isna().all()
    itself, _ = faithfulness(model, subjects, SHARES, 4, 0, model)
    np.testing.assert_allclose(itself["other_seed"].dropna(), 1)
    assert itself["other_seed"].notna().any()


def test_repair_ends_at_the_clean_photograph(model, located):
    maps = grad_cam(model, located.images, task="overall", target=0)
    measured, curves = repair(model, maps, located, SHARES, 4, 0)
    with torch.inference_mode():
        ends = [torch.softmax(model(x)["overall"], 1)[:, 0] for x in (located.images, located.clean)]
    for order in ("map", "truth", "noise"):
        curve = curves[curves["order"] == order]
        for share, end in zip((0, 1), ends, strict=True):
            np.testing.assert_allclose(curve.loc[curve["share"] == share, "p"], end, atol=1e-6)
    np.testing.assert_allclose(measured["repair_best"], measured["noise"] - measured["truth"])


def table(n_patients=20, seeds=(0, 1), model="m"):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        [(f"i{p}-{k}", f"p{p}", s) for s in seeds for p in range(n_patients) for k in range(2)],
        columns=["image_id", "patient_id", "seed"],
    )
    frame = frame.assign(energy=rng.random(len(frame)), energy_gain=rng.random(len(frame)))
    return frame.assign(dataset="s", model=model, group="all")


def test_means_are_over_images_then_seeds_and_leave_out_what_is_missing():
    measured = table()
    measured.loc[(measured["seed"] == 0) & (measured.index < 10), "energy"] = np.nan
    energy, gain = (row for _, row in means(measured, ["energy", "energy_gain"], n_resamples=200).iterrows())
    assert (energy["metric"], energy["rival"], energy["dataset"], energy["model"]) == ("energy", "", "s", "m")
    assert (gain["metric"], gain["rival"]) == ("energy", "chance")
    assert energy["value"] == pytest.approx(measured.groupby("seed")["energy"].mean().mean())
    assert gain["value"] == pytest.approx(measured["energy_gain"].mean())
    assert energy["low"] < energy["value"] < energy["high"]
    assert (energy["n"], energy["seeds"]) == (40, (0, 1))


def test_the_interval_of_independent_images_is_that_of_the_central_limit():
    measured = table(n_patients=400, seeds=(0,)).assign(patient_id=lambda t: t["image_id"])
    found = means(measured, ["energy"]).iloc[0]
    expected = 2 * 1.96 * measured["energy"].std() / 800**0.5
    assert found["high"] - found["low"] == pytest.approx(expected, rel=0.1)
    narrow = means(measured, ["energy"], confidence=0.5).iloc[0]
    assert narrow["high"] - narrow["low"] == pytest.approx(expected * 0.674 / 1.96, rel=0.1)
    assert means(measured, ["energy"], n_resamples=50).iloc[0]["high"] != found["high"]


def test_differences_are_paired_group_by_group():
    rival = table(model="rival").sample(frac=1, random_state=1)
    both = pd.concat([table().assign(energy=lambda t: t["energy"] + 0.1), rival])
    other = both.assign(group="dust", energy=both["energy"] * 2)
    found = differences(pd.concat([both, other]), ["energy"], [("m", "rival")], n_resamples=200)
    assert found["group"].tolist() == ["all", "dust"]
    assert (found["model"] == "m").all()
    assert (found["rival"] == "rival").all()
    np.testing.assert_allclose(found.loc[0, ["value", "low", "high"]].astype(float), 0.1)
    np.testing.assert_allclose(found.loc[1, ["value", "low", "high"]].astype(float), 0.2)
    with pytest.raises(ValueError, match="same images"):
        differences(both[(both["model"] == "m") | (both["patient_id"] != "p0")], ["energy"], [("m", "rival")])


def test_no_value_gives_no_interval():
    found = means(table().assign(energy=np.nan), ["energy"], n_resamples=50).iloc[0]
    assert np.isnan([found["value"], found["low"], found["high"]]).all()
    assert found["n"] == 0
