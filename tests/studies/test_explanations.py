"""Measures of maps on a small curated phantom set, and their means and paired differences."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

from riqa.errors import InputError
from riqa.evaluate.explain import grad_cam
from riqa.evaluate.faithfulness import LEAST_FALL, mean_colours, random_maps
from riqa.learn.model import QualityNet, save_model
from riqa.studies import explanations
from riqa.studies.explanations import (
    differences,
    faithfulness,
    likeness,
    localise,
    means,
    networks_of,
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
    with torch.inference_mode():
        probs = torch.softmax(model(subjects.images)["overall"], dim=1)
        blank = torch.softmax(model(mean_colours(subjects.images, subjects.fields))["overall"], dim=1)
    best, classes = probs.max(dim=1)
    assert predicted_classes(model, subjects.images).tolist() == classes.tolist()
    measured, curves = faithfulness(model, subjects, SHARES, 4, 0)
    assert len(measured) == 5
    assert len(curves) == 5 * 4 * len(SHARES)
    assert measured["asked"].tolist() == [("reject", "usable", "good")[k] for k in classes]
    fall = best - blank.gather(1, classes[:, None])[:, 0]
    np.testing.assert_allclose(measured["fall"], fall, atol=1e-5)
    lost = (fall >= LEAST_FALL).numpy()
    assert measured["answer_lost"].tolist() == lost.tolist()
    assert measured["deletion"].notna().tolist() == lost.tolist()
    assert measured["outside"].isna().tolist() == (measured["empty"] == 1).tolist()
    np.testing.assert_allclose(measured["deletion_gain"], measured["noise"] - measured["deletion"])
    np.testing.assert_allclose(measured["insertion_gain"], measured["insertion"] - measured["noise"])


def deciding(model, yes, no):
    """Copy the network with a head that tells images `yes`, of class 0, from `no` along one direction."""
    sure, head = copy.deepcopy(model), nn.Linear(model.heads["overall"].in_features, 3)
    with torch.no_grad():
        one, other = (model.features(images).mean(dim=0) for images in (yes, no))
        direction = 10 * (one - other) / (one - other).norm() ** 2
        head.weight.zero_()
        head.bias.zero_()
        head.weight[0], head.bias[0] = direction, -direction @ (one + other) / 2
    sure.heads["overall"] = head
    return sure


def test_curves_go_from_the_photograph_to_the_blank_and_noise_serves_both(graded_store, model):
    subjects = draw_subjects(graded_store, 8, 0)
    net = deciding(model, subjects.images, mean_colours(subjects.images, subjects.fields))
    measured, curves = faithfulness(net, subjects, SHARES, 4, 0)
    assert measured["answer_lost"].any()
    curves = curves.dropna(subset="p")
    ends = {"deletion": (1, 0), "insertion": (0, 1)}
    for (panel, share), own in curves[curves["share"].isin([0, 1])].groupby(["panel", "share"]):
        np.testing.assert_allclose(own["p"], ends[panel][int(share)], atol=1e-9)
    noise = curves[curves["order"] == "noise"].pivot_table("p", ["image_id", "share"], "panel")
    back = noise["insertion"].unstack().iloc[:, ::-1]
    np.testing.assert_allclose(noise["deletion"].unstack(), back)


def test_the_noise_has_as_many_cells_as_the_map(located, monkeypatch):
    torch.manual_seed(0)
    net = QualityNet("resnet10", n_overall=3, n_details=0, image_size=96).eval()
    drawn = []
    spy = lambda *asked: drawn.append(asked) or random_maps(*asked)  # noqa: E731
    monkeypatch.setattr(explanations, "random_maps", spy)
    images = functional.interpolate(located.images, 96)
    fields = np.ones((len(located), 96, 96), bool)
    places = [{"all": fields[0]} for _ in located.places]
    big = replace(located, images=images, clean=images, fields=fields, places=places)
    for min_side in (2, 4):
        maps = grad_cam(net, images, task="overall", target=0, min_side=min_side)
        faithfulness(net, big, SHARES, min_side, 0)
        repair(net, maps, big, SHARES, min_side, 0)
        cells = {2: (3, 3), 4: (6, 6)}[min_side]
        assert [asked[2] for asked in drawn[-2:]] == [cells, cells]


def test_maps_are_like_those_of_the_network_itself_and_means_leave_empty_ones_out(graded_store, model):
    subjects = draw_subjects(graded_store, 5, 0)
    empty = copy.deepcopy(model)
    with torch.no_grad():  # nothing speaks for any class
        empty.heads["overall"].weight.zero_()
    found = likeness(model, {"self": [model], "both": [empty, model], "empty": [empty]}, subjects, 4)
    assert len(found) == 3 * 5
    own = {group: rows.reset_index(drop=True) for group, rows in found.groupby("group")}
    assert own["self"]["image_id"].tolist() == subjects.ids["image_id"].tolist()
    known = own["self"]["empty"] == 0
    assert known.any()
    np.testing.assert_allclose(own["self"].loc[known, "alike"], 1)
    np.testing.assert_allclose(own["both"].loc[known, ["alike", "empty"]], [[1, 0.5]] * known.sum())
    assert own["empty"]["alike"].isna().all()
    assert (own["empty"]["empty"] == 1).all()


def test_networks_are_found_in_the_chapter_that_trained_them(tmp_path, model):
    for chapter, seed in (("04", 0), ("05", 1)):
        save_model(model, tmp_path / chapter / "models" / f"multi_task-eyes-s{seed}")
    network = networks_of(tmp_path, ["04", "05"])
    for seed in (0, 1):
        weights = network("multi_task", "eyes", seed).state_dict()
        assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    with pytest.raises(InputError, match="no such model"):
        network("teacher", "eyes", 0)


def test_repair_goes_from_the_spoilt_photograph_to_the_clean_one(model, located):
    net = deciding(model, located.images, located.clean)
    maps = grad_cam(net, located.images, task="overall", target=0)
    measured, curves = repair(net, maps, located, SHARES, 4, 0)
    with torch.inference_mode():
        spoilt, clean = (net(x)["overall"].softmax(dim=1)[:, 0] for x in (located.images, located.clean))
    lost = (spoilt - clean >= LEAST_FALL).numpy()
    assert lost.any()
    assert measured["map"].notna().tolist() == lost.tolist()
    for order in ("map", "truth", "noise"):
        curve = curves[curves["order"] == order].pivot_table("p", "image_id", "share", dropna=False)
        np.testing.assert_allclose(curve[0].dropna(), 1)
        np.testing.assert_allclose(curve[1].dropna(), 0, atol=1e-9)
    np.testing.assert_allclose(measured["repair_truth"], measured["noise"] - measured["truth"])


def table(n_patients=20, seeds=(0, 1), model="m"):
    rng = np.random.default_rng(0)
    rows = [(f"i{p}-{k}", f"p{p}", s) for s in seeds for p in range(n_patients) for k in range(2)]
    frame = pd.DataFrame(rows, columns=["image_id", "patient_id", "seed"])
    frame = frame.assign(energy=rng.random(len(frame)), energy_gain=rng.random(len(frame)))
    return frame.assign(dataset="s", model=model, group="all")


@pytest.mark.parametrize("missing", [10, 40])  # some of the first seed, or all of it
def test_means_are_over_pairs_of_image_and_seed_that_have_a_value(missing):
    measured = table()
    measured.loc[(measured["seed"] == 0) & (measured.index < missing), "energy"] = np.nan
    energy, gain = (row for _, row in means(measured, ["energy", "energy_gain"], n_resamples=200).iterrows())
    assert (energy["metric"], energy["rival"], energy["dataset"], energy["model"]) == ("energy", "", "s", "m")
    assert (gain["metric"], gain["rival"]) == ("energy", "chance")
    assert energy["value"] == pytest.approx(measured["energy"].mean())
    assert gain["value"] == pytest.approx(measured["energy_gain"].mean())
    assert energy["low"] < energy["value"] < energy["high"]
    assert (energy["n"], energy["seeds"]) == (40, (0, 1))


def test_confidence_and_replicates_are_alive():
    wide, narrow = (means(table(), ["energy"], confidence=c, n_resamples=500).iloc[0] for c in (0.99, 0.5))
    assert narrow["high"] - narrow["low"] < wide["high"] - wide["low"]
    assert means(table(), ["energy"], confidence=0.99, n_resamples=50).iloc[0]["high"] != wide["high"]


def test_differences_are_paired_group_by_group():
    rival = table(model="rival").sample(frac=1, random_state=1)
    both = pd.concat([table().assign(energy=lambda t: t["energy"] + 0.1), rival])
    other = both.assign(group="dust", energy=both["energy"] * 2)
    found = differences(pd.concat([both, other]), ["energy"], [("m", "rival")])
    assert found["group"].tolist() == ["all", "dust"]
    assert (found["model"] == "m").all()
    assert set(found["rival"]) == {"rival"}
    assert set(found["method"]) == {"mrmc"}  # seeds as readers
    np.testing.assert_allclose(found.loc[0, ["value", "low", "high"]].astype(float), 0.1)
    np.testing.assert_allclose(found.loc[1, ["value", "low", "high"]].astype(float), 0.2)
    with pytest.raises(ValueError, match="same images"):
        differences(both[(both["model"] == "m") | (both["patient_id"] != "p0")], ["energy"], [("m", "rival")])
